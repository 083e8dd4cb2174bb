#include "wire/field.h"

enum {
    KEY_TYPE_BITS = 3,
    KEY_TYPE_MASK = 7,
    FIXED32_BYTES = 4,
    FIXED64_BYTES = 8,
};

enum slim_status slim_wire_take_varint(struct slim_view *in, uint64_t *value)
{
    assert(in != NULL && value != NULL);

    uint64_t result = 0;
    for (size_t i = 0; i < SLIM_WIRE_VARINT_BYTES_MAX; i++) {
        if (i == in->len) {
            return SLIM_ERR_TRUNCATED;
        }
        uint8_t byte = in->data[i];
        if (i == SLIM_WIRE_VARINT_BYTES_MAX - 1 && byte > 1) {
            return SLIM_ERR_MALFORMED; /* would not fit in 64 bits */
        }
        result |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *in = slim_view_skip(*in, i + 1);
            *value = result;
            return SLIM_OK;
        }
    }
    return SLIM_ERR_MALFORMED;
}

/* slim_wire_take_varint with the most frequent case in line: one byte. */
static inline enum slim_status take_varint(struct slim_view *in, uint64_t *value)
{
    if (in->len > 0 && in->data[0] < 0x80) {
        *value = in->data[0];
        *in = slim_view_skip(*in, 1);
        return SLIM_OK;
    }
    return slim_wire_take_varint(in, value);
}

/* Split `count` bytes off the front of *in. */
static inline enum slim_status take_count(struct slim_view *in, uint64_t count,
                                          struct slim_view *bytes)
{
    if (count > in->len) {
        return SLIM_ERR_TRUNCATED;
    }
    *bytes = slim_view_of(in->data, (size_t)count);
    *in = slim_view_skip(*in, (size_t)count);
    return SLIM_OK;
}

enum slim_status slim_wire_take_field(struct slim_view *in, struct slim_wire_field *field)
{
    assert(in != NULL && field != NULL);

    struct slim_view rest = *in;
    struct slim_view bytes = {0};
    struct slim_view fixed;
    uint64_t value = 0;
    uint64_t key;
    SLIM_TRY(take_varint(&rest, &key));
    if (key > UINT32_MAX || key >> KEY_TYPE_BITS == 0) {
        return SLIM_ERR_MALFORMED;
    }
    switch (key & KEY_TYPE_MASK) {
    case SLIM_WIRE_FIELD_VARINT:
        SLIM_TRY(take_varint(&rest, &value));
        break;
    case SLIM_WIRE_FIELD_FIXED64:
        SLIM_TRY(take_count(&rest, FIXED64_BYTES, &fixed));
        break;
    case SLIM_WIRE_FIELD_BYTES: {
        uint64_t len;
        SLIM_TRY(take_varint(&rest, &len));
        SLIM_TRY(take_count(&rest, len, &bytes));
        break;
    }
    case SLIM_WIRE_FIELD_FIXED32:
        SLIM_TRY(take_count(&rest, FIXED32_BYTES, &fixed));
        break;
    default: /* a number from the network, not an enum */
        return SLIM_ERR_MALFORMED;
    }
    field->number = (uint32_t)(key >> KEY_TYPE_BITS);
    field->type = (enum slim_wire_field_type)(key & KEY_TYPE_MASK);
    field->value = value;
    field->bytes = bytes;
    field->raw = slim_view_of(in->data, in->len - rest.len);
    *in = rest;
    return SLIM_OK;
}

/* Write `value` at `at`, which has room for it; returns the bytes written. */
static size_t store_varint(uint8_t *at, uint64_t value)
{
    size_t count = 0;
    while (value >= 0x80) {
        at[count++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    at[count++] = (uint8_t)value;
    return count;
}

enum slim_status slim_wire_put_varint(struct slim_buf *out, uint64_t value)
{
    SLIM_TRY(slim_buf_reserve(out, SLIM_WIRE_VARINT_BYTES_MAX));
    out->len += store_varint(out->data + out->len, value);
    return SLIM_OK;
}

static enum slim_status put_key(struct slim_buf *out, uint32_t number,
                                enum slim_wire_field_type type)
{
    assert(number > 0 && number <= UINT32_MAX >> KEY_TYPE_BITS);
    return slim_wire_put_varint(out, number << KEY_TYPE_BITS | (uint32_t)type);
}

enum slim_status slim_wire_put_number(struct slim_buf *out, uint32_t number, uint64_t value)
{
    SLIM_TRY(put_key(out, number, SLIM_WIRE_FIELD_VARINT));
    return slim_wire_put_varint(out, value);
}

enum slim_status slim_wire_put_number_unless_0(struct slim_buf *out, uint32_t number,
                                               uint64_t value)
{
    return value == 0 ? SLIM_OK : slim_wire_put_number(out, number, value);
}

enum slim_status slim_wire_put_bytes(struct slim_buf *out, uint32_t number, struct slim_view bytes)
{
    SLIM_TRY(put_key(out, number, SLIM_WIRE_FIELD_BYTES));
    SLIM_TRY(slim_wire_put_varint(out, bytes.len));
    return slim_buf_put(out, bytes);
}

enum slim_status slim_wire_put_bytes_unless_empty(struct slim_buf *out, uint32_t number,
                                                  struct slim_view bytes)
{
    return bytes.len == 0 ? SLIM_OK : slim_wire_put_bytes(out, number, bytes);
}

enum slim_status slim_wire_open(struct slim_buf *out, uint32_t number, size_t expected_len,
                                struct slim_wire_nested *nested)
{
    SLIM_TRY(put_key(out, number, SLIM_WIRE_FIELD_BYTES));
    SLIM_TRY(slim_buf_reserve(out, SLIM_WIRE_VARINT_BYTES_MAX));
    nested->length_at = out->len;
    nested->content_at = out->len + slim_wire_varint_size(expected_len);
    memset(out->data + nested->length_at, 0, nested->content_at - nested->length_at);
    out->len = nested->content_at;
    return SLIM_OK;
}

enum slim_status slim_wire_close(struct slim_buf *out, const struct slim_wire_nested *nested)
{
    assert(nested->length_at < nested->content_at && nested->content_at <= out->len);

    size_t len = out->len - nested->content_at;
    size_t content_at = nested->length_at + slim_wire_varint_size(len);
    if (content_at > nested->content_at) {
        SLIM_TRY(slim_buf_reserve(out, content_at - nested->content_at));
    }
    if (content_at != nested->content_at) {
        memmove(out->data + content_at, out->data + nested->content_at, len);
        out->len = content_at + len;
    }
    size_t written = store_varint(out->data + nested->length_at, len);
    assert(written == content_at - nested->length_at);
    return SLIM_OK;
}
