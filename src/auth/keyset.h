/* The keys a verifier chooses from. Private to src/auth. */
#ifndef SLIM_AUTH_KEYSET_H
#define SLIM_AUTH_KEYSET_H

#include "auth/key.h"

/* A zeroed struct is an empty set. skipped_count: keys of a JWKS that are of no use here (unknown type or curve, for encryption, broken). */
struct slim_auth_keyset {
    struct slim_auth_key *keys;
    size_t count;
    size_t capacity;
    size_t skipped_count;
};

void slim_auth_keyset_fini(struct slim_auth_keyset *set);

/* Read keys from a text. PEM: one public key for `alg`. JWK: one key. JWKS: those that are of use, at least one. BUNDLE: the JWKS of each
 * trust domain. *set is filled in on success only.
 * is_public_only    symmetric keys are skipped (JWKS, BUNDLE): whoever could fetch such a set could also sign
 * SLIM_ERR_CONFIG with a sentence, SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_auth_keyset_parse(struct slim_view text,
                                                        enum slim_auth_key_format format,
                                                        enum slim_auth_alg alg, bool is_public_only,
                                                        struct slim_auth_keyset *set,
                                                        struct slim_error *error);

/* Add the keys of a JWKS text under a trust domain (may be empty). Statuses as above; an empty JWKS adds nothing and is no error here.
 * On failure the set may have grown. */
SLIM_MUST_CHECK enum slim_status
slim_auth_keyset_add_jwks(struct slim_auth_keyset *set, struct slim_view text,
                          struct slim_view domain, bool is_public_only, struct slim_error *error);

/* Are all keys of `part` in `set`? Public keys only. */
bool slim_auth_keyset_has_all(const struct slim_auth_keyset *set,
                              const struct slim_auth_keyset *part);

/* Add the public keys of a trust domain in `from` to a set. SLIM_ERR_NO_MEMORY, SLIM_ERR_CONFIG (too many): the set may have grown. */
SLIM_MUST_CHECK enum slim_status slim_auth_keyset_copy_domain(struct slim_auth_keyset *set,
                                                              const struct slim_auth_keyset *from,
                                                              struct slim_view domain,
                                                              struct slim_error *error);

/* Drop the keys behind the first `count`. */
void slim_auth_keyset_cut(struct slim_auth_keyset *set, size_t count);

/* What a token says about its key. has_kid: the header names one. */
struct slim_auth_key_wanted {
    enum slim_auth_alg alg;
    bool has_kid;
    struct slim_view kid;
    struct slim_view domain; /* only keys of this trust domain, unless empty */
};

/* Choose the key (auth.md 4.2): with a kid the one of that kid, else the first one whose alg is the token's, else the only one that
 * could be meant. A key without kid that is alone in its set serves any kid (PEM); with is_lenient so does any key that is alone.
 * NULL and *check otherwise: SLIM_AUTH_CHECK_KEY, or SLIM_AUTH_CHECK_ALGORITHM when only the algorithm does not fit. */
const struct slim_auth_key *slim_auth_keyset_find(const struct slim_auth_keyset *set,
                                                  const struct slim_auth_key_wanted *wanted,
                                                  bool is_lenient, enum slim_auth_check *check);

#endif
