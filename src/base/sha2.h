/* SHA-256, SHA-384 and SHA-512 (FIPS 180-4), over libsodium: nothing of OpenSSL is loaded or fetched for them. */
#ifndef SLIM_BASE_SHA2_H
#define SLIM_BASE_SHA2_H

#include "base/view.h"

enum slim_sha2_kind {
    SLIM_SHA2_256,
    SLIM_SHA2_384,
    SLIM_SHA2_512,
};

enum {
    SLIM_SHA2_BYTES_MAX = 64,
    SLIM_SHA2_BLOCK_BYTES_MAX = 128,
    SLIM_SHA2_STATE_BYTES = 208, /* libsodium's larger state; checked in sha2.c */
};

/* A hash in progress. May be copied, to continue twice from one point. */
struct slim_sha2 {
    enum slim_sha2_kind kind;
    _Alignas(8) uint8_t state[SLIM_SHA2_STATE_BYTES];
};

/* Bytes of the result: 32, 48 or 64; bytes of one input block: 64 or 128. */
static inline size_t slim_sha2_size(enum slim_sha2_kind kind)
{
    return kind == SLIM_SHA2_256 ? 32 : (kind == SLIM_SHA2_384 ? 48 : 64);
}

static inline size_t slim_sha2_block_size(enum slim_sha2_kind kind)
{
    return kind == SLIM_SHA2_256 ? 64 : 128;
}

void slim_sha2_init(struct slim_sha2 *hash, enum slim_sha2_kind kind);
void slim_sha2_put(struct slim_sha2 *hash, struct slim_view bytes);

/* Write the slim_sha2_size bytes of the result and wipe the state; init it again to use it again. */
void slim_sha2_done(struct slim_sha2 *hash, uint8_t *out);

/* The hash of one piece. */
void slim_sha2_of(enum slim_sha2_kind kind, struct slim_view bytes, uint8_t *out);

#endif
