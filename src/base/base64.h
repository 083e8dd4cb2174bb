/* Base64 (RFC 4648): the standard alphabet with padding, and the URL alphabet without. */
#ifndef SLIM_BASE_BASE64_H
#define SLIM_BASE_BASE64_H

#include "base/buf.h"

enum slim_base64_kind {
    SLIM_BASE64_STANDARD, /* '+' and '/', always padded with '=' */
    SLIM_BASE64_URL,      /* '-' and '_', never padded */
};

/* Bytes that `len` bytes become. `len` is at most SIZE_MAX / 2. */
static inline size_t slim_base64_encoded_size(enum slim_base64_kind kind, size_t len)
{
    size_t tail = len % 3;
    size_t tail_size = tail == 0 ? 0 : (kind == SLIM_BASE64_STANDARD ? 4 : tail + 1);
    return len / 3 * 4 + tail_size;
}

/* Upper bound of the bytes that `len` characters become. */
static inline size_t slim_base64_decoded_size_max(size_t len)
{
    return len / 4 * 3 + 3;
}

/* Write the text of `bytes` to `out`, which has room for slim_base64_encoded_size; returns that size. No zero follows. */
size_t slim_base64_encode(enum slim_base64_kind kind, struct slim_view bytes, char *out);

/* Decode all of `text` into `out`. Strict: each input has one encoding only.
 *   SLIM_ERR_MALFORMED   a foreign character, white space, padding missing or not allowed, a length that cannot be, bits
 *                        behind the last byte that are not zero
 *   SLIM_ERR_LIMIT       more than `capacity` bytes would come out
 * On failure *len is untouched; out may have been written to. */
SLIM_MUST_CHECK enum slim_status slim_base64_decode(enum slim_base64_kind kind,
                                                    struct slim_view text, uint8_t *out,
                                                    size_t capacity, size_t *len);

/* The same, appended to a buffer. Also SLIM_ERR_NO_MEMORY. On failure nothing was appended. */
SLIM_MUST_CHECK enum slim_status slim_base64_put(enum slim_base64_kind kind, struct slim_view bytes,
                                                 struct slim_buf *out);
SLIM_MUST_CHECK enum slim_status
slim_base64_put_decoded(enum slim_base64_kind kind, struct slim_view text, struct slim_buf *out);

#endif
