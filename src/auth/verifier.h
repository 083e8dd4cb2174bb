/* What every verifier has in common. Private to src/auth. */
#ifndef SLIM_AUTH_VERIFIER_H
#define SLIM_AUTH_VERIFIER_H

#include "auth/cache.h"

/* What a full check of one token found. subject and claims are borrowed from the token and the verifier until its next call.
 * claims    NULL: none; freed by the next call */
struct slim_auth_found {
    uint64_t valid_from_s;
    uint64_t valid_until_s;
    struct slim_view subject;
    struct slim_json *claims;
};

/* check    check a token in full, or (is_known: it was good before and is within its time) only decode it. wants_claims: the claims are to be
 *          decoded too. SLIM_OK, SLIM_AGAIN, SLIM_ERR_NO_MEMORY, or the status of *check.
 * reload   may be NULL
 * generation   may be NULL: a number that changes whenever keys behind the verifier's back do, or their time is over at now_s; verified
 *              tokens are forgotten then */
struct slim_auth_verifier_ops {
    enum slim_status (*check)(struct slim_auth_verifier *verifier, struct slim_view token,
                              uint64_t now_s, bool is_known, bool wants_claims,
                              enum slim_auth_check *check, struct slim_auth_found *found);
    enum slim_status (*reload)(struct slim_auth_verifier *verifier, struct slim_view text,
                               struct slim_error *error);
    uint64_t (*generation)(struct slim_auth_verifier *verifier, uint64_t now_s);
    void (*fini)(struct slim_auth_verifier *verifier);
};

/* Embedded as the first member of each kind's struct.
 * scratch   decoded parts of the last token
 * claims    of the last token whose claims were read
 * is_any_age   the token under check may be out of its time (slim_auth_read_credential) */
struct slim_auth_verifier {
    const struct slim_auth_verifier_ops *ops;
    struct slim_auth_cache *cache;
    uint64_t generation;
    struct slim_auth_stats stats;
    struct slim_buf scratch;
    struct slim_json *claims;
    bool is_any_age;
};

/* Set *check and return its status: a check's function ends with `return slim_auth_fail(check, SLIM_AUTH_CHECK_...)`. */
enum slim_status slim_auth_fail(enum slim_auth_check *check, enum slim_auth_check failed);

#endif
