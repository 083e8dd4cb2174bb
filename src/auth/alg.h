/* The algorithms of JWS (RFC 7518, 8037) that SLIM uses. Private to src/auth. */
#ifndef SLIM_AUTH_ALG_H
#define SLIM_AUTH_ALG_H

#include "auth/auth.h"
#include "base/sha2.h"

/* A key belongs to one family and serves the algorithms of that family only: this is what keeps a public RSA key from being taken for
 * an HMAC secret. EC keys are two families, since the curve belongs to the algorithm. */
enum slim_auth_family {
    SLIM_AUTH_FAMILY_HMAC,
    SLIM_AUTH_FAMILY_RSA,
    SLIM_AUTH_FAMILY_P256,
    SLIM_AUTH_FAMILY_P384,
    SLIM_AUTH_FAMILY_ED25519,
};

/* is_pss   RSA only: PSS padding with a salt as long as the hash
 * hash     for OpenSSL; NULL for EdDSA */
struct slim_auth_alg_info {
    const char *text;
    enum slim_auth_family family;
    enum slim_sha2_kind sha2;
    const char *hash;
    bool is_pss;
};

/* `alg` is not SLIM_AUTH_ALG_NONE. */
const struct slim_auth_alg_info *slim_auth_alg_info(enum slim_auth_alg alg);

#endif
