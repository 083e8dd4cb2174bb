/* Name, and what all objects have in common. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "things.h"

enum { PARTS = 3, ID_TEXT_MAX = 17 };

void *uf_clone(void *handle, enum uf_kind kind, struct uf_status *status)
{
    struct uf_error error = {.fault = UF_FINE};
    struct uf_object *object = uf_handle_look((uint64_t)(uintptr_t)handle, kind);
    uint64_t given = object == NULL ? 0 : uf_handle_give(object);
    if (given == 0) {
        (void)uf_fail(&error, UF_PANIC, "%s: %s", uf_kind_text(kind),
                      object == NULL ? "a handle of nothing" : "out of memory");
    }
    uf_object_unref(object);
    uf_status_set(status, &error);
    return (void *)(uintptr_t)given;
}

void uf_free(void *handle, enum uf_kind kind, struct uf_status *status)
{
    struct uf_error error = {.fault = UF_FINE};
    struct uf_object *object = uf_handle_take((uint64_t)(uintptr_t)handle, kind);
    if (object == NULL) {
        (void)uf_fail(&error, UF_PANIC, "%s: a handle of nothing", uf_kind_text(kind));
    }
    uf_object_unref(object);
    uf_status_set(status, &error);
}

/* ------------------------------------------------------------------------------------------------ names */

static size_t text_len(const struct slim_name *name)
{
    return name->part[0].len + name->part[1].len + name->part[2].len;
}

struct uf_name *uf_name_new(const struct slim_name *name)
{
    struct uf_name *made = malloc(sizeof(*made) + text_len(name));
    if (made == NULL) {
        return NULL;
    }
    uf_object_init(&made->head, UF_NAME);
    char *text = made->text;
    for (size_t i = 0; i < PARTS; i++) {
        size_t len = name->part[i].len;
        if (len > 0) {
            memcpy(text, name->part[i].data, len);
        }
        made->name.part[i] = (struct slim_view){(const uint8_t *)text, len};
        text += len;
    }
    made->name.id = name->id;
    return made;
}

void uf_name_free(struct uf_object *object)
{
    free(object);
}

char *uf_name_print(const struct slim_name *name)
{
    char *text = malloc(text_len(name) + PARTS + ID_TEXT_MAX);
    if (text == NULL) {
        return NULL;
    }
    char *end = text;
    for (size_t i = 0; i < PARTS; i++) {
        if (name->part[i].len > 0) {
            memcpy(end, name->part[i].data, name->part[i].len);
        }
        end += name->part[i].len;
        *end++ = '/';
    }
    (void)snprintf(end, ID_TEXT_MAX, "%llx", (unsigned long long)name->id); /* it fits */
    return text;
}

/* XXH64, seed 0, of the bytes and one byte 0xff, as names are hashed on the wire. */
static bool hash(struct slim_view part, uint64_t *result)
{
    uint8_t *bytes = malloc(part.len + 1);
    if (bytes == NULL) {
        return false;
    }
    if (part.len > 0) {
        memcpy(bytes, part.data, part.len);
    }
    bytes[part.len] = 0xff;
    *result = XXH64(bytes, part.len + 1, 0);
    free(bytes);
    return true;
}

static char *debug_text(const struct slim_name *name)
{
    enum { FRAME_MAX = 128 };
    uint64_t hashes[PARTS];
    for (size_t i = 0; i < PARTS; i++) {
        if (!hash(name->part[i], &hashes[i])) {
            return NULL;
        }
    }
    char *plain = uf_name_print(name);
    size_t size = text_len(name) + FRAME_MAX;
    char *text = plain == NULL ? NULL : malloc(size);
    if (text != NULL) {
        (void)snprintf(text, size, "Name { inner: %llx/%llx/%llx/%llx (%s) }",
                       (unsigned long long)hashes[0], (unsigned long long)hashes[1],
                       (unsigned long long)hashes[2], (unsigned long long)name->id, plain);
    }
    free(plain);
    return text;
}

/* ------------------------------------------------------------------------------------------------ exports */

UF_CLONE_AND_FREE(name, UF_NAME)

static void *make(struct uf_buffer first, struct uf_buffer second, struct uf_buffer third,
                  uint64_t id, struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    struct slim_name name = {.part = {uf_call_text(&call, first), uf_call_text(&call, second),
                                      uf_call_text(&call, third)},
                             .id = id};
    struct uf_name *made = uf_name_new(&name);
    if (made == NULL) {
        (void)uf_fail_no_memory(&call.error); /* told by the status */
    }
    void *given = uf_call_give(&call, made);
    uf_call_end(&call, status);
    return given;
}

void *uniffi_slim_bindings_fn_constructor_name_new(struct uf_buffer first, struct uf_buffer second,
                                                   struct uf_buffer third, struct uf_status *status)
{
    return make(first, second, third, SLIM_ANY_ID, status);
}

void *uniffi_slim_bindings_fn_constructor_name_new_with_id(struct uf_buffer first,
                                                           struct uf_buffer second,
                                                           struct uf_buffer third, uint64_t id,
                                                           struct uf_status *status)
{
    return make(first, second, third, id, status);
}

struct uf_buffer uniffi_slim_bindings_fn_method_name_components(void *self,
                                                                struct uf_status *status)
{
    struct uf_call call;
    struct uf_buffer written = {.capacity = 0, .len = 0, .data = NULL};
    uf_call_begin(&call);
    struct uf_name *name = uf_call_object(&call, self, UF_NAME);
    if (name != NULL) {
        struct uf_list list = {.count = PARTS, .items = name->name.part};
        written = uf_call_write(&call, &uf_type_texts, &list);
    }
    uf_call_end(&call, status);
    return written;
}

uint64_t uniffi_slim_bindings_fn_method_name_id(void *self, struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    struct uf_name *name = uf_call_object(&call, self, UF_NAME);
    uint64_t id = name == NULL ? 0 : name->name.id;
    uf_call_end(&call, status);
    return id;
}

static struct uf_buffer print(void *self, char *(*text_of)(const struct slim_name *),
                              struct uf_status *status)
{
    struct uf_call call;
    struct uf_buffer written = {.capacity = 0, .len = 0, .data = NULL};
    uf_call_begin(&call);
    struct uf_name *name = uf_call_object(&call, self, UF_NAME);
    if (name != NULL) {
        char *text = text_of(&name->name);
        if (text == NULL) {
            (void)uf_fail_no_memory(&call.error); /* told by the status */
        } else {
            written = uf_call_write_text(&call, text);
        }
        free(text);
    }
    uf_call_end(&call, status);
    return written;
}

struct uf_buffer uniffi_slim_bindings_fn_method_name_uniffi_trait_debug(void *self,
                                                                        struct uf_status *status)
{
    return print(self, debug_text, status);
}

struct uf_buffer uniffi_slim_bindings_fn_method_name_uniffi_trait_display(void *self,
                                                                          struct uf_status *status)
{
    return print(self, uf_name_print, status);
}

static bool is_same(void *self, void *other, struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    struct uf_name *a = uf_call_object(&call, self, UF_NAME);
    struct uf_name *b = uf_call_object(&call, other, UF_NAME);
    bool is = a != NULL && b != NULL && slim_name_same(&a->name, &b->name);
    uf_call_end(&call, status);
    return is;
}

int8_t uniffi_slim_bindings_fn_method_name_uniffi_trait_eq_eq(void *self, void *other,
                                                              struct uf_status *status)
{
    return is_same(self, other, status) ? 1 : 0;
}

int8_t uniffi_slim_bindings_fn_method_name_uniffi_trait_eq_ne(void *self, void *other,
                                                              struct uf_status *status)
{
    return is_same(self, other, status) ? 0 : 1;
}
