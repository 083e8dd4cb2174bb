/* Writing records. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "serial.h"

enum { LEN_MAX = INT32_MAX };

struct writer {
    struct uf_buffer out;
    struct uf_error *error;
};

static bool write_value(struct writer *writer, const struct uf_type *type, const void *value);

static bool reserve(struct writer *writer, size_t len)
{
    if (writer->out.capacity - writer->out.len >= len) {
        return true;
    }
    uint64_t wanted = writer->out.len + len;
    uint64_t room = wanted > 2 * writer->out.capacity ? wanted : 2 * writer->out.capacity;
    uint8_t *grown = room > SIZE_MAX / 2 ? NULL : realloc(writer->out.data, (size_t)room);
    if (grown == NULL) {
        return uf_fail_no_memory(writer->error);
    }
    writer->out.data = grown;
    writer->out.capacity = room;
    return true;
}

static bool put(struct writer *writer, const void *bytes, size_t len)
{
    if (!reserve(writer, len)) {
        return false;
    }
    if (len > 0) {
        memcpy(writer->out.data + writer->out.len, bytes, len);
    }
    writer->out.len += len;
    return true;
}

static bool put_number(struct writer *writer, uint64_t number, size_t len)
{
    uint8_t bytes[sizeof(number)];
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(number >> (8 * (len - 1 - i)));
    }
    return put(writer, bytes, len);
}

static bool put_count(struct writer *writer, const struct uf_type *type, size_t count)
{
    if (count > LEN_MAX) {
        return uf_fail(writer->error, UF_PANIC, "%s: too long", type->name);
    }
    return put_number(writer, count, sizeof(uint32_t));
}

static bool write_number(struct writer *writer, const struct uf_type *type, const void *value)
{
    if (type->form == UF_BOOL) {
        return put_number(writer, *(const bool *)value ? 1 : 0, 1);
    }
    return put_number(writer,
                      type->form == UF_U64 ? *(const uint64_t *)value : *(const uint32_t *)value,
                      type->size);
}

static bool write_text(struct writer *writer, const struct uf_type *type,
                       const struct slim_view *text)
{
    return put_count(writer, type, text->len) && put(writer, text->data, text->len);
}

static bool write_duration(struct writer *writer, const struct uf_duration *duration)
{
    return put_number(writer, duration->seconds, sizeof(uint64_t)) &&
           put_number(writer, duration->nanoseconds, sizeof(uint32_t));
}

static bool write_union(struct writer *writer, const struct uf_type *type,
                        const struct uf_union *value)
{
    assert(value->variant >= 1 && value->variant <= type->count);
    const struct uf_type *body_type = type->variants[value->variant - 1];
    return put_number(writer, value->variant, sizeof(uint32_t)) &&
           (body_type == NULL || write_value(writer, body_type, value->body));
}

static bool write_optional(struct writer *writer, const struct uf_type *type,
                           const void *const *value)
{
    return put_number(writer, *value == NULL ? 0 : 1, 1) &&
           (*value == NULL || write_value(writer, type->inner, *value));
}

static bool write_list(struct writer *writer, const struct uf_type *type,
                       const struct uf_list *list)
{
    if (!put_count(writer, type, list->count)) {
        return false;
    }
    const uint8_t *item = list->items;
    for (size_t i = 0; i < list->count; i++, item += type->inner->size) {
        if (!write_value(writer, type->inner, item)) {
            return false;
        }
    }
    return true;
}

/* Room first: a handle that was given is then also written. */
static bool write_object(struct writer *writer, struct uf_object *object)
{
    if (!reserve(writer, sizeof(uint64_t))) {
        return false;
    }
    uint64_t handle = uf_handle_give(object);
    return handle == 0 ? uf_fail_no_memory(writer->error)
                       : put_number(writer, handle, sizeof(uint64_t));
}

static bool write_fields(struct writer *writer, const struct uf_type *type, const uint8_t *value)
{
    for (uint32_t i = 0; i < type->count; i++) {
        if (!write_value(writer, type->fields[i].type, value + type->fields[i].offset)) {
            return false;
        }
    }
    return true;
}

static bool write_value(struct writer *writer, const struct uf_type *type, const void *value)
{
    switch (type->form) {
    case UF_BOOL:
    case UF_U32:
    case UF_U64:
    case UF_ENUM:
        return write_number(writer, type, value);
    case UF_TEXT:
    case UF_BYTES:
        return write_text(writer, type, value);
    case UF_DURATION:
        return write_duration(writer, value);
    case UF_RECORD:
        return write_fields(writer, type, value);
    case UF_UNION:
        return write_union(writer, type, value);
    case UF_OPTIONAL:
        return write_optional(writer, type, value);
    case UF_LIST:
        return write_list(writer, type, value);
    case UF_OBJECT:
        return write_object(writer, *(struct uf_object *const *)value);
    }
    assert(false); /* all forms are above */
    return false;
}

bool uf_write_record(const struct uf_type *type, const void *value, struct uf_buffer *buffer,
                     struct uf_error *error)
{
    struct writer writer = {.error = error};
    if (!uf_buffer_new(0, &writer.out)) {
        return uf_fail_no_memory(error);
    }
    if (!write_value(&writer, type, value)) {
        uf_buffer_free(&writer.out);
        return false;
    }
    *buffer = writer.out;
    return true;
}
