/* Names of slim/slim.h, and small things of it that belong to no object. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/utf8.h"
#include "client/internal.h"

const char *slim_version(void)
{
    return SLIM_VERSION;
}

const char *slim_status_phrase(enum slim_status status)
{
    return slim_status_text(status);
}

/* Lower-case or upper-case hexadecimal, 1 to 16 digits. */
static bool read_id(struct slim_view text, uint64_t *id)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        unsigned digit = c >= '0' && c <= '9'   ? c - (unsigned)'0'
                         : c >= 'a' && c <= 'f' ? c - (unsigned)'a' + 10
                         : c >= 'A' && c <= 'F' ? c - (unsigned)'A' + 10
                                                : 16;
        if (digit == 16) {
            return false;
        }
        value = value << 4 | digit;
    }
    *id = value;
    return text.len > 0 && text.len <= 16;
}

enum slim_status slim_name_parse(const char *text, struct slim_name *name)
{
    if (name == NULL) {
        return SLIM_ERR_ARGUMENT;
    }
    enum { PARTS = 3 };
    struct slim_view part[PARTS + 1] = {{0}};
    size_t count = 0;
    for (const char *from = text; from != NULL;) {
        const char *slash = strchr(from, '/');
        size_t len = slash == NULL ? strlen(from) : (size_t)(slash - from);
        if (count == SLIM_COUNT(part) || len == 0) {
            return SLIM_ERR_ARGUMENT;
        }
        part[count++] = slim_view_of(from, len);
        from = slash == NULL ? NULL : slash + 1;
    }
    uint64_t id = SLIM_ANY_ID;
    if (count < PARTS || (count > PARTS && !read_id(part[PARTS], &id))) {
        return SLIM_ERR_ARGUMENT;
    }
    memcpy(name->part, part, sizeof(name->part));
    name->id = id;
    return SLIM_OK;
}

size_t slim_name_print(const struct slim_name *name, char *out, size_t size)
{
    if (name == NULL || (out == NULL && size > 0)) {
        return 0;
    }
    int len = snprintf(out, size, "%.*s/%.*s/%.*s/%llx", SLIM_VIEW_ARG(name->part[0]),
                       SLIM_VIEW_ARG(name->part[1]), SLIM_VIEW_ARG(name->part[2]),
                       (unsigned long long)name->id);
    return len < 0 ? 0 : (size_t)len;
}

struct slim_wire_name slim_client_wire_name(const struct slim_name *name)
{
    struct slim_wire_name wire = {.is_present = true, .is_complete = true};
    memcpy(wire.text.part, name->part, sizeof(wire.text.part));
    wire.name = slim_name_of(&wire.text, name->id == SLIM_ANY_ID ? SLIM_NAME_ANY : name->id);
    return wire;
}

struct slim_name slim_client_name_of(const struct slim_wire_name *wire)
{
    struct slim_name name = {.id = wire->name.id == SLIM_NAME_ANY ? SLIM_ANY_ID
                                                                  : (uint64_t)wire->name.id};
    memcpy(name.part, wire->text.part, sizeof(name.part));
    return name;
}

bool slim_name_same(const struct slim_name *a, const struct slim_name *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    struct slim_wire_name first = slim_client_wire_name(a);
    struct slim_wire_name second = slim_client_wire_name(b);
    return slim_name_is_equal(&first.name, &second.name);
}

/* Until slim_client_name_point the pointers of the copy are offsets. */
enum slim_status slim_client_name_copy(struct slim_buf *text, const struct slim_name *name,
                                       struct slim_name *copy)
{
    copy->id = name->id;
    for (size_t i = 0; i < SLIM_COUNT(name->part); i++) {
        copy->part[i] = (struct slim_view){(const uint8_t *)text->len, name->part[i].len};
        SLIM_TRY(slim_buf_put(text, name->part[i]));
    }
    return SLIM_OK;
}

void slim_client_name_point(const struct slim_buf *text, struct slim_name *copy)
{
    for (size_t i = 0; i < SLIM_COUNT(copy->part); i++) {
        size_t offset = (size_t)copy->part[i].data;
        copy->part[i].data = copy->part[i].len == 0 ? NULL : text->data + offset;
    }
}

/* ------------------------------------------------------------------------------------------------ what callers give */

static bool is_text(struct slim_view text)
{
    return text.len == 0 || (text.data != NULL && slim_utf8_is_valid(text));
}

enum slim_status slim_client_check_name(const struct slim_name *name, struct slim_error *error)
{
    size_t bytes = 0;
    if (name == NULL) {
        return slim_error_set(error, SLIM_ERR_ARGUMENT, "no name was given");
    }
    for (size_t i = 0; i < SLIM_COUNT(name->part); i++) {
        struct slim_view part = name->part[i];
        if (part.len > SLIM_SESSION_NAME_BYTES_MAX - bytes) {
            return slim_error_set(error, SLIM_ERR_ARGUMENT, "a name is longer than %d bytes",
                                  SLIM_SESSION_NAME_BYTES_MAX);
        }
        if (!is_text(part)) {
            return slim_error_set(error, SLIM_ERR_ARGUMENT, "part %zu of a name is not UTF-8", i);
        }
        bytes += part.len;
    }
    return SLIM_OK;
}

enum slim_status slim_client_check_pairs(const struct slim_pair *pairs, size_t count,
                                         struct slim_error *error)
{
    if (count > SLIM_SESSION_METADATA_PAIRS_MAX || (count > 0 && pairs == NULL)) {
        return slim_error_set(error, SLIM_ERR_ARGUMENT, "metadata has at most %d pairs",
                              SLIM_SESSION_METADATA_PAIRS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_text(pairs[i].key) || !is_text(pairs[i].value)) {
            return slim_error_set(error, SLIM_ERR_ARGUMENT, "metadata pair %zu is not UTF-8", i);
        }
    }
    return SLIM_OK;
}

bool slim_client_pair_is_replaced(const struct slim_pair *pairs, size_t count, size_t index)
{
    for (size_t i = index + 1; i < count; i++) {
        if (slim_view_is_equal(pairs[i].key, pairs[index].key)) {
            return true;
        }
    }
    return false;
}

void slim_name_list_free(struct slim_name_list *list)
{
    free(list); /* one piece of memory, see session.c */
}

enum slim_status slim_log_start(int fd, const char *filter)
{
    static _Atomic bool is_started;
    if (fd < 0) {
        return SLIM_ERR_ARGUMENT;
    }
    if (atomic_exchange(&is_started, true)) {
        return SLIM_ERR_STATE;
    }
    struct slim_log_options options = {
        .fd = fd,
        .level = SLIM_LOG_INFO,
        .directives = slim_view_str(filter),
        .display_thread_names = true,
    };
    enum slim_status status = slim_log_init(&options, NULL);
    if (status != SLIM_OK && status != SLIM_ERR_CONFIG) {
        atomic_store(&is_started, false);
    }
    return status;
}
