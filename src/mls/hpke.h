/* Hybrid public key encryption (RFC 9180), modes base and PSK, single shot, with the algorithms of an MLS cipher suite. */
#ifndef SLIM_MLS_HPKE_H
#define SLIM_MLS_HPKE_H

#include "mls/suite.h"

/* What a key agreement gives to both sides. Holds secrets: wipe after use. */
struct slim_mls_hpke_context {
    uint8_t key[SLIM_CRYPTO_AEAD_KEY_MAX];
    uint8_t nonce[SLIM_CRYPTO_NONCE_LEN]; /* of message 0, the only one of a single-shot context */
    uint8_t exporter[MLS_SECRET_MAX];
};

/* A pre-shared key for mode PSK; both parts empty for mode base. */
struct slim_mls_hpke_psk {
    struct slim_view psk; /* at least 32 bytes when not empty */
    struct slim_view id;
};

/* DeriveKeyPair(ikm), section 7.1.3. `private_key` has slim_crypto_dh_private_len bytes, `public_key` as many as
 * slim_crypto_dh_public_len.  SLIM_ERR_CRYPTO: no key found (probability 2^-32 * 256), or the library failed. */
SLIM_MUST_CHECK enum slim_status slim_mls_hpke_derive_key_pair(const struct slim_mls_suite *suite,
                                                               struct slim_view ikm,
                                                               uint8_t *private_key,
                                                               uint8_t *public_key);

/* A fresh key pair. */
SLIM_MUST_CHECK enum slim_status slim_mls_hpke_generate(const struct slim_mls_suite *suite,
                                                        const struct slim_mls_random *random,
                                                        uint8_t *private_key, uint8_t *public_key);

/* What a key agreement depends on besides keys: mode, info and PSK, already hashed. One serves any number of receivers, so that a
 * large info is hashed once. Holds a view of the PSK. */
struct slim_mls_hpke_info {
    uint8_t schedule_context[1 + 2 * MLS_SECRET_MAX];
    struct slim_view psk;
};

/* info is the concatenation of the parts, at most SLIM_MLS_HPKE_INFO_PARTS_MAX.
 *   SLIM_ERR_INVALID   a PSK without an id, an id without a PSK, or a PSK below 32 bytes */
enum { SLIM_MLS_HPKE_INFO_PARTS_MAX = 6 };
SLIM_MUST_CHECK enum slim_status slim_mls_hpke_info_init(const struct slim_mls_suite *suite,
                                                         const struct slim_view *parts,
                                                         size_t count, struct slim_mls_hpke_psk psk,
                                                         struct slim_mls_hpke_info *info);

/* EncryptContext of RFC 9420 section 5.1.3 as info. */
void slim_mls_hpke_info_label(const struct slim_mls_suite *suite, const char *label,
                              struct slim_view context, struct slim_mls_hpke_info *info);

/* SetupBaseS / SetupPSKS: agree with the owner of `public_key`. `kem_output` has slim_crypto_dh_public_len bytes.
 *   SLIM_ERR_INVALID   public_key is not a key */
SLIM_MUST_CHECK enum slim_status
slim_mls_hpke_setup_sender(const struct slim_mls_suite *suite, const struct slim_mls_random *random,
                           struct slim_view public_key, const struct slim_mls_hpke_info *info,
                           uint8_t *kem_output, struct slim_mls_hpke_context *context);

/* SetupBaseR / SetupPSKR. */
SLIM_MUST_CHECK enum slim_status
slim_mls_hpke_setup_receiver(const struct slim_mls_suite *suite, const uint8_t *private_key,
                             struct slim_view public_key, struct slim_view kem_output,
                             const struct slim_mls_hpke_info *info,
                             struct slim_mls_hpke_context *context);

/* Context.Export, section 5.3. */
void slim_mls_hpke_export(const struct slim_mls_suite *suite,
                          const struct slim_mls_hpke_context *context,
                          struct slim_view exporter_context, uint8_t *out, size_t len);

/* EncryptWithLabel (RFC 9420 section 5.1.3): appends kem_output<V> and ciphertext<V>, the struct HPKECiphertext. */
SLIM_MUST_CHECK enum slim_status
slim_mls_encrypt_with_label(const struct slim_mls_suite *suite,
                            const struct slim_mls_random *random, struct slim_view public_key,
                            const char *label, struct slim_view context, struct slim_view plain,
                            struct slim_mls_out *out);

/* EncryptWithLabel with a prepared info: for many receivers of one context. */
SLIM_MUST_CHECK enum slim_status
slim_mls_encrypt_prepared(const struct slim_mls_suite *suite, const struct slim_mls_random *random,
                          struct slim_view public_key, const struct slim_mls_hpke_info *info,
                          struct slim_view plain, struct slim_mls_out *out);

/* DecryptWithLabel: puts the plaintext into the empty *plain, which the caller wipes.
 *   SLIM_ERR_DECRYPT   it does not open
 *   SLIM_ERR_INVALID   kem_output is not a key */
SLIM_MUST_CHECK enum slim_status
slim_mls_decrypt_with_label(const struct slim_mls_suite *suite, const uint8_t *private_key,
                            struct slim_view public_key, const char *label,
                            struct slim_view context, struct slim_view kem_output,
                            struct slim_view ciphertext, struct slim_buf *plain);

#endif
