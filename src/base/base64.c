#include "base/base64.h"

static const char alphabets[2][65] = {
    [SLIM_BASE64_STANDARD] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    [SLIM_BASE64_URL] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

enum { NO_DIGIT = 64 };

/* Value of one character, or NO_DIGIT. */
static inline uint32_t digit_of(enum slim_base64_kind kind, uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return (uint32_t)(c - 'A');
    }
    if (c >= 'a' && c <= 'z') {
        return (uint32_t)(c - 'a' + 26);
    }
    if (c >= '0' && c <= '9') {
        return (uint32_t)(c - '0' + 52);
    }
    if (c == (uint8_t)alphabets[kind][62]) {
        return 62;
    }
    return c == (uint8_t)alphabets[kind][63] ? 63 : NO_DIGIT;
}

size_t slim_base64_encode(enum slim_base64_kind kind, struct slim_view bytes, char *out)
{
    const char *alphabet = alphabets[kind];
    char *to = out;
    size_t i = 0;
    for (; bytes.len - i >= 3; i += 3) {
        uint32_t group = (uint32_t)bytes.data[i] << 16 | (uint32_t)bytes.data[i + 1] << 8 |
                         (uint32_t)bytes.data[i + 2];
        *to++ = alphabet[group >> 18];
        *to++ = alphabet[group >> 12 & 63];
        *to++ = alphabet[group >> 6 & 63];
        *to++ = alphabet[group & 63];
    }
    size_t tail = bytes.len - i;
    if (tail > 0) {
        uint32_t group =
            (uint32_t)bytes.data[i] << 16 | (tail == 2 ? (uint32_t)bytes.data[i + 1] << 8 : 0);
        *to++ = alphabet[group >> 18];
        *to++ = alphabet[group >> 12 & 63];
        if (tail == 2) {
            *to++ = alphabet[group >> 6 & 63];
        }
        if (kind == SLIM_BASE64_STANDARD) {
            *to++ = '=';
            if (tail == 1) {
                *to++ = '=';
            }
        }
    }
    return (size_t)(to - out);
}

/* The text without its padding; SLIM_ERR_MALFORMED when the padding is not what it must be. */
static enum slim_status strip_padding(enum slim_base64_kind kind, struct slim_view *text)
{
    if (kind == SLIM_BASE64_URL) {
        return SLIM_OK; /* a '=' is a foreign character there */
    }
    if (text->len % 4 != 0) {
        return SLIM_ERR_MALFORMED;
    }
    for (int i = 0; i < 2 && text->len > 0 && text->data[text->len - 1] == '='; i++) {
        text->len--;
    }
    return SLIM_OK;
}

/* The last one or two bytes, from `count` (2 or 3) digits. */
static enum slim_status decode_tail(enum slim_base64_kind kind, const uint8_t *in, size_t count,
                                    uint8_t *out)
{
    uint32_t group = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t digit = digit_of(kind, in[i]);
        if (digit == NO_DIGIT) {
            return SLIM_ERR_MALFORMED;
        }
        group = group << 6 | digit;
    }
    uint32_t unused_bits = count == 2 ? 4 : 2;
    if ((group & ((1U << unused_bits) - 1)) != 0) {
        return SLIM_ERR_MALFORMED; /* a second spelling of the same bytes */
    }
    group >>= unused_bits;
    if (count == 3) {
        out[1] = (uint8_t)group;
        group >>= 8;
    }
    out[0] = (uint8_t)group;
    return SLIM_OK;
}

enum slim_status slim_base64_decode(enum slim_base64_kind kind, struct slim_view text, uint8_t *out,
                                    size_t capacity, size_t *len)
{
    SLIM_TRY(strip_padding(kind, &text));
    size_t tail = text.len % 4;
    if (tail == 1) {
        return SLIM_ERR_MALFORMED;
    }
    size_t size = text.len / 4 * 3 + (tail == 0 ? 0 : tail - 1);
    if (size > capacity) {
        return SLIM_ERR_LIMIT;
    }
    uint8_t *to = out;
    size_t i = 0;
    for (; text.len - i >= 4; i += 4) {
        uint32_t a = digit_of(kind, text.data[i]);
        uint32_t b = digit_of(kind, text.data[i + 1]);
        uint32_t c = digit_of(kind, text.data[i + 2]);
        uint32_t d = digit_of(kind, text.data[i + 3]);
        if (((a | b | c | d) & NO_DIGIT) != 0) {
            return SLIM_ERR_MALFORMED;
        }
        uint32_t group = a << 18 | b << 12 | c << 6 | d;
        *to++ = (uint8_t)(group >> 16);
        *to++ = (uint8_t)(group >> 8);
        *to++ = (uint8_t)group;
    }
    if (tail > 0) {
        SLIM_TRY(decode_tail(kind, text.data + i, tail, to));
    }
    *len = size;
    return SLIM_OK;
}

enum slim_status slim_base64_put(enum slim_base64_kind kind, struct slim_view bytes,
                                 struct slim_buf *out)
{
    if (bytes.len > SIZE_MAX / 2) {
        return SLIM_ERR_NO_MEMORY;
    }
    size_t size = slim_base64_encoded_size(kind, bytes.len);
    SLIM_TRY(slim_buf_reserve(out, size));
    if (size > 0) {
        out->len += slim_base64_encode(kind, bytes, (char *)out->data + out->len);
    }
    return SLIM_OK;
}

enum slim_status slim_base64_put_decoded(enum slim_base64_kind kind, struct slim_view text,
                                         struct slim_buf *out)
{
    SLIM_TRY(slim_buf_reserve(out, slim_base64_decoded_size_max(text.len)));
    size_t len;
    SLIM_TRY(slim_base64_decode(kind, text, out->data + out->len, out->capacity - out->len, &len));
    out->len += len;
    return SLIM_OK;
}
