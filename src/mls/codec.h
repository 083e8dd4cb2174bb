/* The TLS presentation language as RFC 9420 section 2.1 uses it: big-endian numbers and vectors with a length header of 1, 2
 * or 4 bytes. Readers take from the front of a view; writers append to a struct slim_mls_out. */
#ifndef SLIM_MLS_CODEC_H
#define SLIM_MLS_CODEC_H

#include "base/buf.h"
#include "base/status.h"
#include "base/view.h"

/* Take one value from the front of *in. All return SLIM_ERR_MALFORMED when the input ends too early (an MLS message arrives
 * whole, so nothing could complete it) and leave *in and the output untouched then. */
SLIM_MUST_CHECK enum slim_status slim_mls_take_u8(struct slim_view *in, uint8_t *value);
SLIM_MUST_CHECK enum slim_status slim_mls_take_u16(struct slim_view *in, uint16_t *value);
SLIM_MUST_CHECK enum slim_status slim_mls_take_u32(struct slim_view *in, uint32_t *value);
SLIM_MUST_CHECK enum slim_status slim_mls_take_u64(struct slim_view *in, uint64_t *value);

/* A length header alone. SLIM_ERR_MALFORMED also for the 8-byte form and for a header longer than it needs to be. */
SLIM_MUST_CHECK enum slim_status slim_mls_take_length(struct slim_view *in, uint32_t *value);

/* opaque data<V>: length header and that many bytes. */
SLIM_MUST_CHECK enum slim_status slim_mls_take_opaque(struct slim_view *in, struct slim_view *data);

/* The presence byte of optional<T>: 0 or 1, all others are SLIM_ERR_MALFORMED. */
SLIM_MUST_CHECK enum slim_status slim_mls_take_optional(struct slim_view *in, bool *is_present);

/* The bytes between two positions of one input: what a reader has taken. */
static inline struct slim_view slim_mls_taken(struct slim_view before, struct slim_view after)
{
    return slim_view_of(before.data, before.len - after.len);
}

/* An output with a sticky failure: puts after a failed one do nothing, so that only the end need be checked.
 * A zeroed struct is empty and fine. status is SLIM_OK, SLIM_ERR_NO_MEMORY, or SLIM_ERR_LIMIT (a vector of 2^30 bytes). */
struct slim_mls_out {
    struct slim_buf buf;
    enum slim_status status;
};

void slim_mls_put_u8(struct slim_mls_out *out, uint8_t value);
void slim_mls_put_u16(struct slim_mls_out *out, uint16_t value);
void slim_mls_put_u32(struct slim_mls_out *out, uint32_t value);
void slim_mls_put_u64(struct slim_mls_out *out, uint64_t value);
void slim_mls_put_bytes(struct slim_mls_out *out, struct slim_view bytes);
void slim_mls_put_opaque(struct slim_mls_out *out, struct slim_view data);

/* A vector whose length is not known yet: `begin` gives a mark, `end` writes the header of all that was put since. */
size_t slim_mls_put_begin(const struct slim_mls_out *out);
void slim_mls_put_end(struct slim_mls_out *out, size_t mark);

/* Overwrite and free what was put; the output is empty and fine again. NULL is allowed. */
void slim_mls_out_fini(struct slim_mls_out *out);

/* Hand the bytes over: *buf owns them and *out is empty. On failure returns the status of *out after freeing it. */
SLIM_MUST_CHECK enum slim_status slim_mls_out_give(struct slim_mls_out *out, struct slim_buf *buf);

static inline struct slim_view slim_mls_out_view(const struct slim_mls_out *out)
{
    return slim_buf_view(&out->buf);
}

/* Length header of a vector of `len` bytes (< 2^30): writes 1, 2 or 4 bytes and returns how many. */
size_t slim_mls_length_header(size_t len, uint8_t header[4]);

#endif
