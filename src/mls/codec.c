/* RFC 9420 section 2.1. */
#include "mls/codec.h"

#include "base/secret.h"

enum { LENGTH_1_MAX = 0x3f, LENGTH_2_MAX = 0x3fff, LENGTH_4_MAX = 0x3fffffff };

static enum slim_status take_number(struct slim_view *in, size_t width, uint64_t *value)
{
    if (in->len < width) {
        return SLIM_ERR_MALFORMED;
    }
    uint64_t result = 0;
    for (size_t i = 0; i < width; i++) {
        result = result << 8 | in->data[i];
    }
    *in = slim_view_skip(*in, width);
    *value = result;
    return SLIM_OK;
}

enum slim_status slim_mls_take_u8(struct slim_view *in, uint8_t *value)
{
    uint64_t number;
    SLIM_TRY(take_number(in, 1, &number));
    *value = (uint8_t)number;
    return SLIM_OK;
}

enum slim_status slim_mls_take_u16(struct slim_view *in, uint16_t *value)
{
    uint64_t number;
    SLIM_TRY(take_number(in, 2, &number));
    *value = (uint16_t)number;
    return SLIM_OK;
}

enum slim_status slim_mls_take_u32(struct slim_view *in, uint32_t *value)
{
    uint64_t number;
    SLIM_TRY(take_number(in, 4, &number));
    *value = (uint32_t)number;
    return SLIM_OK;
}

enum slim_status slim_mls_take_u64(struct slim_view *in, uint64_t *value)
{
    return take_number(in, 8, value);
}

enum slim_status slim_mls_take_length(struct slim_view *in, uint32_t *value)
{
    if (in->len == 0) {
        return SLIM_ERR_MALFORMED;
    }
    uint8_t form = in->data[0] >> 6;
    if (form == 3) {
        return SLIM_ERR_MALFORMED; /* 8 bytes: not allowed in MLS */
    }
    struct slim_view rest = *in;
    uint64_t number;
    SLIM_TRY(take_number(&rest, (size_t)1 << form, &number));
    static const uint32_t max[] = {LENGTH_1_MAX, LENGTH_2_MAX, LENGTH_4_MAX};
    uint32_t length = (uint32_t)number & max[form];
    if (form > 0 && length <= max[form - 1]) {
        return SLIM_ERR_MALFORMED; /* a shorter header would have done */
    }
    *in = rest;
    *value = length;
    return SLIM_OK;
}

enum slim_status slim_mls_take_opaque(struct slim_view *in, struct slim_view *data)
{
    struct slim_view rest = *in;
    uint32_t length;
    SLIM_TRY(slim_mls_take_length(&rest, &length));
    if (rest.len < length) {
        return SLIM_ERR_MALFORMED;
    }
    *data = slim_view_of(rest.data, length);
    *in = slim_view_skip(rest, length);
    return SLIM_OK;
}

enum slim_status slim_mls_take_optional(struct slim_view *in, bool *is_present)
{
    if (in->len == 0 || in->data[0] > 1) {
        return SLIM_ERR_MALFORMED;
    }
    *is_present = in->data[0] == 1;
    *in = slim_view_skip(*in, 1);
    return SLIM_OK;
}

/* ---- writing */

void slim_mls_put_bytes(struct slim_mls_out *out, struct slim_view bytes)
{
    if (out->status == SLIM_OK) {
        out->status = slim_buf_put(&out->buf, bytes);
    }
}

static void put_number(struct slim_mls_out *out, uint64_t value, size_t width)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < width; i++) {
        bytes[i] = (uint8_t)(value >> (8 * (width - 1 - i)));
    }
    slim_mls_put_bytes(out, slim_view_of(bytes, width));
}

void slim_mls_put_u8(struct slim_mls_out *out, uint8_t value)
{
    put_number(out, value, 1);
}

void slim_mls_put_u16(struct slim_mls_out *out, uint16_t value)
{
    put_number(out, value, 2);
}

void slim_mls_put_u32(struct slim_mls_out *out, uint32_t value)
{
    put_number(out, value, 4);
}

void slim_mls_put_u64(struct slim_mls_out *out, uint64_t value)
{
    put_number(out, value, 8);
}

size_t slim_mls_length_header(size_t len, uint8_t header[4])
{
    assert(len <= LENGTH_4_MAX);
    if (len <= LENGTH_1_MAX) {
        header[0] = (uint8_t)len;
        return 1;
    }
    if (len <= LENGTH_2_MAX) {
        header[0] = (uint8_t)(0x40 | len >> 8);
        header[1] = (uint8_t)len;
        return 2;
    }
    header[0] = (uint8_t)(0x80 | len >> 24);
    header[1] = (uint8_t)(len >> 16);
    header[2] = (uint8_t)(len >> 8);
    header[3] = (uint8_t)len;
    return 4;
}

void slim_mls_put_opaque(struct slim_mls_out *out, struct slim_view data)
{
    if (data.len > LENGTH_4_MAX) {
        out->status = out->status == SLIM_OK ? SLIM_ERR_LIMIT : out->status;
        return;
    }
    uint8_t header[4];
    size_t header_len = slim_mls_length_header(data.len, header);
    slim_mls_put_bytes(out, slim_view_of(header, header_len));
    slim_mls_put_bytes(out, data);
}

size_t slim_mls_put_begin(const struct slim_mls_out *out)
{
    return out->buf.len;
}

void slim_mls_put_end(struct slim_mls_out *out, size_t mark)
{
    if (out->status != SLIM_OK) {
        return;
    }
    size_t len = out->buf.len - mark;
    if (len > LENGTH_4_MAX) {
        out->status = SLIM_ERR_LIMIT;
        return;
    }
    uint8_t header[4];
    size_t header_len = slim_mls_length_header(len, header);
    out->status = slim_buf_put(&out->buf, slim_view_of(header, header_len)); /* makes the room */
    if (out->status == SLIM_OK) {
        memmove(out->buf.data + mark + header_len, out->buf.data + mark, len);
        memcpy(out->buf.data + mark, header, header_len);
    }
}

void slim_mls_out_fini(struct slim_mls_out *out)
{
    if (out != NULL) {
        slim_buf_wipe(&out->buf);
        out->status = SLIM_OK;
    }
}

enum slim_status slim_mls_out_give(struct slim_mls_out *out, struct slim_buf *buf)
{
    enum slim_status status = out->status;
    if (status == SLIM_OK) {
        *buf = out->buf;
        out->buf = (struct slim_buf){0};
    } else {
        slim_mls_out_fini(out);
    }
    return status;
}
