#include "base/sha2.h"

#include <assert.h>

#include <sodium.h>

#include "base/secret.h"

static_assert(sizeof(crypto_hash_sha512_state) <= SLIM_SHA2_STATE_BYTES, "state too small");
static_assert(sizeof(crypto_hash_sha256_state) <= SLIM_SHA2_STATE_BYTES, "state too small");

/* libsodium has no SHA-384. It is SHA-512 from other initial values (FIPS 180-4, 5.3.4), cut to 48 bytes; the state of
 * SHA-512 is a public struct there. */
static const uint64_t sha384_initial[8] = {
    0xcbbb9d5dc1059ed8U, 0x629a292a367cd507U, 0x9159015a3070dd17U, 0x152fecd8f70e5939U,
    0x67332667ffc00b31U, 0x8eb44a8768581511U, 0xdb0c2e0d64f98fa7U, 0x47b5481dbefa4fa4U,
};

static inline crypto_hash_sha256_state *state256(struct slim_sha2 *hash)
{
    return (crypto_hash_sha256_state *)(void *)hash->state;
}

static inline crypto_hash_sha512_state *state512(struct slim_sha2 *hash)
{
    return (crypto_hash_sha512_state *)(void *)hash->state;
}

void slim_sha2_init(struct slim_sha2 *hash, enum slim_sha2_kind kind)
{
    hash->kind = kind;
    if (kind == SLIM_SHA2_256) {
        (void)crypto_hash_sha256_init(state256(hash)); /* always 0, as all of these */
        return;
    }
    (void)crypto_hash_sha512_init(state512(hash));
    if (kind == SLIM_SHA2_384) {
        memcpy(state512(hash)->state, sha384_initial, sizeof(sha384_initial));
    }
}

void slim_sha2_put(struct slim_sha2 *hash, struct slim_view bytes)
{
    if (bytes.len == 0) {
        return;
    }
    if (hash->kind == SLIM_SHA2_256) {
        (void)crypto_hash_sha256_update(state256(hash), bytes.data, bytes.len);
        return;
    }
    (void)crypto_hash_sha512_update(state512(hash), bytes.data, bytes.len);
}

void slim_sha2_done(struct slim_sha2 *hash, uint8_t *out)
{
    if (hash->kind == SLIM_SHA2_256) {
        (void)crypto_hash_sha256_final(state256(hash), out); /* wipes the state, as the other */
        return;
    }
    if (hash->kind == SLIM_SHA2_512) {
        (void)crypto_hash_sha512_final(state512(hash), out);
        return;
    }
    uint8_t whole[SLIM_SHA2_BYTES_MAX];
    (void)crypto_hash_sha512_final(state512(hash), whole);
    memcpy(out, whole, slim_sha2_size(SLIM_SHA2_384));
    slim_secret_wipe(whole, sizeof(whole));
}

void slim_sha2_of(enum slim_sha2_kind kind, struct slim_view bytes, uint8_t *out)
{
    struct slim_sha2 hash;
    slim_sha2_init(&hash, kind);
    slim_sha2_put(&hash, bytes);
    slim_sha2_done(&hash, out);
}
