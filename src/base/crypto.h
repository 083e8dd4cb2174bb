/* Cryptographic primitives: hashes, HMAC, HKDF, AEAD, key agreement and signatures. The only files that see OpenSSL's
 * libcrypto and libsodium are src/base/crypto*.c (src/auth and src/io use OpenSSL for JWT and TLS besides, in the context of
 * base/crypto_context.h).
 *
 * Ed25519, X25519 and ChaCha20-Poly1305 come from libsodium, everything else from OpenSSL 3.0. Nothing here keeps state; every
 * function may be called from any thread. Secrets that a function needs on the way are wiped before it returns. */
#ifndef SLIM_BASE_CRYPTO_H
#define SLIM_BASE_CRYPTO_H

#include "base/status.h"
#include "base/view.h"

enum {
    SLIM_CRYPTO_HASH_MAX = 64,
    SLIM_CRYPTO_AEAD_KEY_MAX = 32,
    SLIM_CRYPTO_NONCE_LEN = 12,
    SLIM_CRYPTO_TAG_LEN = 16,
    SLIM_CRYPTO_DH_MAX = 66,        /* shared secret or private key of any curve */
    SLIM_CRYPTO_DH_PUBLIC_MAX = 133 /* uncompressed point of P-521 */
};

enum {
    SLIM_CRYPTO_SIGN_PRIVATE_MAX = 66,
    SLIM_CRYPTO_SIGN_PUBLIC_MAX = 133,
    SLIM_CRYPTO_SIGNATURE_MAX = 144 /* DER of two P-521 numbers is at most 139 */
};

enum slim_crypto_hash { SLIM_CRYPTO_SHA256, SLIM_CRYPTO_SHA384, SLIM_CRYPTO_SHA512 };
enum slim_crypto_aead {
    SLIM_CRYPTO_AES_128_GCM,
    SLIM_CRYPTO_AES_256_GCM,
    SLIM_CRYPTO_CHACHA20_POLY1305
};
enum slim_crypto_curve {
    SLIM_CRYPTO_X25519,
    SLIM_CRYPTO_X448,
    SLIM_CRYPTO_P256,
    SLIM_CRYPTO_P384,
    SLIM_CRYPTO_P521
};
enum slim_crypto_signer {
    SLIM_CRYPTO_ED25519,
    SLIM_CRYPTO_ED448,
    SLIM_CRYPTO_ECDSA_P256, /* with SHA-256, as in TLS 1.3: signatures are DER */
    SLIM_CRYPTO_ECDSA_P384, /* with SHA-384 */
    SLIM_CRYPTO_ECDSA_P521  /* with SHA-512 */
};

/* Fetch algorithms and choose code for this CPU, once per process. Every function that needs it calls it; calling it first
 * moves the cost (a few milliseconds) to a time of the caller's choice. */
void slim_crypto_init(void);

size_t slim_crypto_hash_len(enum slim_crypto_hash hash);

/* Hash of the concatenation of `count` parts; `out` has slim_crypto_hash_len bytes. */
void slim_crypto_digest(enum slim_crypto_hash hash, const struct slim_view *parts, size_t count,
                        uint8_t *out);

/* HMAC (RFC 2104) over the concatenation of `count` parts. An empty key is allowed. */
void slim_crypto_hmac(enum slim_crypto_hash hash, struct slim_view key,
                      const struct slim_view *parts, size_t count, uint8_t *out);

/* HKDF-Extract (RFC 5869) with the concatenation of the parts as input keying material. */
void slim_crypto_hkdf_extract(enum slim_crypto_hash hash, struct slim_view salt,
                              const struct slim_view *parts, size_t count, uint8_t *out);

enum { SLIM_CRYPTO_EXPAND_PARTS_MAX = 8 };

/* HKDF-Expand with the concatenation of the parts as info. count <= SLIM_CRYPTO_EXPAND_PARTS_MAX, len <= 255 * hash length
 * (both asserted: callers choose them). `out` may be the memory of `prk`. */
void slim_crypto_hkdf_expand(enum slim_crypto_hash hash, struct slim_view prk,
                             const struct slim_view *parts, size_t count, uint8_t *out, size_t len);

/* Encrypt and authenticate: `out` gets plain.len + SLIM_CRYPTO_TAG_LEN bytes and may be the memory of `plain`.
 *   SLIM_ERR_CRYPTO   the library failed (memory) */
SLIM_MUST_CHECK enum slim_status slim_crypto_seal(enum slim_crypto_aead aead, const uint8_t *key,
                                                  const uint8_t *nonce, struct slim_view aad,
                                                  struct slim_view plain, uint8_t *out);

/* The reverse: `out` gets sealed.len - SLIM_CRYPTO_TAG_LEN bytes and may be the memory of `sealed`.
 *   SLIM_ERR_DECRYPT  shorter than a tag, or the tag does not match; `out` is then all zeros
 *   SLIM_ERR_CRYPTO   the library failed (memory) */
SLIM_MUST_CHECK enum slim_status slim_crypto_open(enum slim_crypto_aead aead, const uint8_t *key,
                                                  const uint8_t *nonce, struct slim_view aad,
                                                  struct slim_view sealed, uint8_t *out);

/* ---- key agreement (X25519, X448: RFC 7748; P curves: uncompressed points, big-endian scalars, as in RFC 9180) */

size_t slim_crypto_dh_private_len(enum slim_crypto_curve curve);
size_t slim_crypto_dh_public_len(enum slim_crypto_curve curve);
size_t slim_crypto_dh_shared_len(enum slim_crypto_curve curve);

/* The public key of a private one.  SLIM_ERR_INVALID: wrong length, zero, or not below the order (P curves). */
SLIM_MUST_CHECK enum slim_status slim_crypto_dh_public(enum slim_crypto_curve curve,
                                                       struct slim_view private_key,
                                                       uint8_t *public_key);

/* SLIM_ERR_INVALID: a key of a wrong length, not on the curve, or a shared secret of all zeros. */
SLIM_MUST_CHECK enum slim_status slim_crypto_dh(enum slim_crypto_curve curve,
                                                struct slim_view private_key,
                                                struct slim_view public_key, uint8_t *shared);

/* ---- signatures */

/* Bytes of randomness that make a private key, bytes of a private key, and of a public key. */
size_t slim_crypto_sign_private_len(enum slim_crypto_signer signer);
size_t slim_crypto_sign_public_len(enum slim_crypto_signer signer);

/* Bring a private key into the form that slim_crypto_sign takes and compute its public key. `given` is the form of RFC 8032
 * (seed) or a big-endian scalar, leading zeros optional; Ed25519 also takes seed and public key in one (64 bytes), which must fit each other. `out`
 * has SLIM_CRYPTO_SIGN_PRIVATE_MAX bytes, `public_key` slim_crypto_sign_public_len.
 *   SLIM_ERR_INVALID  wrong length, or not a key */
SLIM_MUST_CHECK enum slim_status slim_crypto_sign_import(enum slim_crypto_signer signer,
                                                         struct slim_view given, uint8_t *out,
                                                         uint8_t *public_key);

/* Sign with a private key from slim_crypto_sign_import; `signature` has SLIM_CRYPTO_SIGNATURE_MAX bytes. ECDSA draws its nonce
 * from OpenSSL's own generator: the one random source that a caller cannot hand in.
 *   SLIM_ERR_CRYPTO   the library failed */
SLIM_MUST_CHECK enum slim_status slim_crypto_sign(enum slim_crypto_signer signer,
                                                  const uint8_t *private_key,
                                                  struct slim_view message, uint8_t *signature,
                                                  size_t *len);

/*   SLIM_ERR_SIGNATURE  it does not verify, or the key or signature is not one */
SLIM_MUST_CHECK enum slim_status slim_crypto_verify(enum slim_crypto_signer signer,
                                                    struct slim_view public_key,
                                                    struct slim_view message,
                                                    struct slim_view signature);

#endif
