/* One key: signing and verifying bytes with it. Private to src/auth. */
#ifndef SLIM_AUTH_KEY_H
#define SLIM_AUTH_KEY_H

#include "auth/alg.h"

/* OpenSSL's key type, kept out of the headers. */
struct evp_pkey_st;

/* alg      the only algorithm it may be used with, or SLIM_AUTH_ALG_NONE: all of its family
 * pkey     asymmetric keys
 * secret   HMAC
 * kid      has_kid: from a JWK
 * domain   trust domain, for keys of a bundle
 * A zeroed struct is an empty key, which slim_auth_key_fini accepts. */
struct slim_auth_key {
    enum slim_auth_family family;
    enum slim_auth_alg alg;
    struct evp_pkey_st *pkey;
    struct slim_buf secret;
    struct slim_buf kid;
    bool has_kid;
    struct slim_buf domain;
};

/* Wipe and free what the key holds. */
void slim_auth_key_fini(struct slim_auth_key *key);

/* May the key be used with this algorithm? */
bool slim_auth_key_allows(const struct slim_auth_key *key, enum slim_auth_alg alg);

/* Is it the same key, to be used for the same, under the same name and trust domain? Public keys only. */
bool slim_auth_key_is_equal(const struct slim_auth_key *a, const struct slim_auth_key *b);

/* Another holder of the same public key. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_auth_key_copy(const struct slim_auth_key *key,
                                                    struct slim_auth_key *copy);

/* Read a key for `alg` from a PEM text; HS*: the text itself. is_private: for signing. *key is filled in on success only.
 * SLIM_ERR_CONFIG with a sentence: not PEM, encrypted, another kind of key than `alg` needs, too small, for HS* a public key.
 * SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_auth_key_from_pem(struct slim_view text,
                                                        enum slim_auth_alg alg, bool is_private,
                                                        struct slim_auth_key *key,
                                                        struct slim_error *error);

/* Read a public key (or an HMAC secret) from a JWK (RFC 7517, 7518, 8037).
 * SLIM_ERR_UNSUPPORTED: a key type, curve or use that is not for us; SLIM_ERR_CONFIG with a sentence: broken; SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_auth_key_from_jwk(const struct slim_json *jwk,
                                                        struct slim_auth_key *key,
                                                        struct slim_error *error);

/* Append the signature of `input`; the key is private (or a secret) and allows `alg`. SLIM_ERR_CRYPTO, SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_auth_key_sign(const struct slim_auth_key *key,
                                                    enum slim_auth_alg alg, struct slim_view input,
                                                    struct slim_buf *out);

/* SLIM_ERR_SIGNATURE: it is not the signature of `input`. SLIM_ERR_NO_MEMORY. The key allows `alg`. */
SLIM_MUST_CHECK enum slim_status slim_auth_key_verify(const struct slim_auth_key *key,
                                                      enum slim_auth_alg alg,
                                                      struct slim_view input,
                                                      struct slim_view signature);

#endif
