/* Cipher suites (RFC 9420 section 5.1) and the labelled functions that everything else is made of (5.1.1 - 5.2, 8). */
#ifndef SLIM_MLS_SUITE_H
#define SLIM_MLS_SUITE_H

#include "base/crypto.h"
#include "mls/codec.h"
#include "mls/limits.h"

struct slim_mls_suite {
    uint16_t id;
    enum slim_crypto_hash hash;
    enum slim_crypto_aead aead;
    enum slim_crypto_curve curve;
    enum slim_crypto_signer signer;
    uint16_t kem_id; /* RFC 9180 section 7 */
    uint16_t kdf_id;
    uint16_t aead_id;
    size_t hash_len; /* Nh: also the length of every secret */
    size_t key_len;  /* Nk */
};

/* The suite with that number, 1 to 7; NULL for any other. */
const struct slim_mls_suite *slim_mls_suite_find(uint16_t id);

/* Where randomness comes from: `fill` writes `len` unpredictable bytes and cannot fail. */
struct slim_mls_random {
    void (*fill)(void *context, void *out, size_t len);
    void *context;
};

/* RefHash(label, value), section 5.2; `out` has hash_len bytes. */
void slim_mls_ref_hash(const struct slim_mls_suite *suite, const char *label,
                       struct slim_view value, uint8_t *out);

/* ExpandWithLabel(secret, label, context, len), section 8. `secret` has hash_len bytes; `out` may be the same memory. */
void slim_mls_expand_with_label(const struct slim_mls_suite *suite, const uint8_t *secret,
                                const char *label, struct slim_view context, uint8_t *out,
                                size_t len);

/* DeriveSecret(secret, label): hash_len bytes. */
void slim_mls_derive_secret(const struct slim_mls_suite *suite, const uint8_t *secret,
                            const char *label, uint8_t *out);

/* DeriveTreeSecret(secret, label, generation, len), section 9. */
void slim_mls_derive_tree_secret(const struct slim_mls_suite *suite, const uint8_t *secret,
                                 const char *label, uint32_t generation, uint8_t *out, size_t len);

void slim_mls_extract(const struct slim_mls_suite *suite, const uint8_t *salt,
                      const uint8_t *secret, uint8_t *out);
void slim_mls_digest(const struct slim_mls_suite *suite, struct slim_view data, uint8_t *out);
void slim_mls_mac(const struct slim_mls_suite *suite, const uint8_t *key, struct slim_view data,
                  uint8_t *out);

/* SLIM_ERR_MAC unless `tag` is the MAC of `data`. Takes the same time wherever they differ. */
SLIM_MUST_CHECK enum slim_status slim_mls_mac_check(const struct slim_mls_suite *suite,
                                                    const uint8_t *key, struct slim_view data,
                                                    struct slim_view tag);

/* SignWithLabel and VerifyWithLabel, section 5.1.2. The signed content is given in two parts. */
SLIM_MUST_CHECK enum slim_status slim_mls_sign(const struct slim_mls_suite *suite,
                                               const uint8_t *private_key, const char *label,
                                               struct slim_view content, uint8_t *signature,
                                               size_t *len);
SLIM_MUST_CHECK enum slim_status slim_mls_verify(const struct slim_mls_suite *suite,
                                                 struct slim_view public_key, const char *label,
                                                 struct slim_view content,
                                                 struct slim_view signature);

#endif
