/* JWT in compact form (RFC 7519, 7515): taking one apart, checking its claims, putting one together. Private to src/auth. */
#ifndef SLIM_AUTH_JWT_H
#define SLIM_AUTH_JWT_H

#include "auth/keyset.h"

/* A token taken apart. `alg`, `kid`, `typ` come from the header; typ is empty when missing or null.
 * signed_part   header, dot, payload: what the signature covers
 * signature     decoded; in `bytes`
 * payload       the claims
 * Views are borrowed from the token, from header and from bytes. */
struct slim_auth_jwt {
    enum slim_auth_alg alg;
    bool has_kid;
    struct slim_view kid;
    struct slim_view typ;
    struct slim_view signed_part;
    struct slim_view signature;
    struct slim_json *header;
    struct slim_json *payload;
};

/* Take a token apart without believing anything in it. `bytes` is cleared and holds decoded parts while *jwt is used.
 * SLIM_OK: end with slim_auth_jwt_fini. Else nothing is left behind: SLIM_ERR_NO_MEMORY, or the status of *check (ENCODING, ALGORITHM). */
SLIM_MUST_CHECK enum slim_status slim_auth_jwt_open(struct slim_view token, struct slim_buf *bytes,
                                                    struct slim_auth_jwt *jwt,
                                                    enum slim_auth_check *check);
void slim_auth_jwt_fini(struct slim_auth_jwt *jwt);

/* exp and nbf of a payload, whole seconds. SLIM_ERR_INVALID (CLAIMS): one of exp, nbf, iat is no number from 0 to 2^53 - 1. */
struct slim_auth_times {
    bool has_exp;
    bool has_nbf;
    uint64_t exp_s;
    uint64_t nbf_s;
};
SLIM_MUST_CHECK enum slim_status slim_auth_jwt_read_times(const struct slim_json *payload,
                                                          struct slim_auth_times *times,
                                                          enum slim_auth_check *check);

/* Names in one block of memory: a copy of a list that a configuration lent us. */
struct slim_auth_names {
    struct slim_view *names;
    size_t count;
    struct slim_buf text;
};
/* SLIM_ERR_CONFIG: too many, too long or an empty one (`what` names the list in the sentence). SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_auth_names_init(struct slim_auth_names *names,
                                                      const struct slim_view *list, size_t count,
                                                      const char *what, struct slim_error *error);
void slim_auth_names_fini(struct slim_auth_names *names);
bool slim_auth_names_has(const struct slim_auth_names *names, struct slim_view name);

/* What a payload must say (auth.md 4.2); the comments of struct slim_auth_rules hold. */
struct slim_auth_policy {
    struct slim_auth_names issuers;
    struct slim_auth_names audiences;
    struct slim_buf subject;
    bool is_lenient;
    bool is_any_age; /* exp and nbf must make sense, and say nothing about now */
};

/* The seconds in which a good token is good, and its subject (empty without sub), borrowed from the payload. */
struct slim_auth_verdict {
    uint64_t valid_from_s;
    uint64_t valid_until_s;
    struct slim_view subject;
};

/* Check a payload. Status of *check. */
SLIM_MUST_CHECK enum slim_status slim_auth_policy_check(const struct slim_auth_policy *policy,
                                                        const struct slim_json *payload,
                                                        uint64_t now_s, enum slim_auth_check *check,
                                                        struct slim_auth_verdict *verdict);

/* Append header, payload and signature. `payload` is JSON text. SLIM_ERR_CRYPTO, SLIM_ERR_NO_MEMORY: a part may have been appended. */
SLIM_MUST_CHECK enum slim_status slim_auth_jwt_put(const struct slim_auth_key *key,
                                                   enum slim_auth_alg alg, struct slim_view payload,
                                                   struct slim_buf *out);

#endif
