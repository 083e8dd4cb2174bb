/* How SLIM uses MLS (spec mls.md 3, 8): a leaf's basic credential is an identity token that names the leaf's signature key.
 *
 * The profile is the credential check of a client. Verifying tokens is handed in, as this module knows neither shared secrets
 * nor JWTs. Tokens live an hour and groups longer, so: a token is verified with its time when a leaf enters the tree (Add, new
 * credential in a path), and of members that are there already only its authenticity is asked, provided that the member who
 * vouches for the group when we join shows a fresh one. `is_strict` asks the time of every token, as the reference does. */
#ifndef SLIM_MLS_PROFILE_H
#define SLIM_MLS_PROFILE_H

#include "base/status.h"
#include "base/view.h"
#include "slim/mls.h"

/* subject      `sub`, else `id` of the token: the member's name, unique in a group
 * public_key   claim `pubkey`: standard base64 with padding of the signature key; empty when the token has none
 * The views are valid until the next call of the verifier. */
struct slim_mls_claims {
    struct slim_view subject;
    struct slim_view public_key;
};

/* verify_token   is the token genuine, and (unless any_age) valid now? SLIM_OK, or the status of the refusal with its sentence in
 *                *error: SLIM_ERR_AUTH, SLIM_ERR_EXPIRED
 * now_s, random  the clock and the randomness of the client
 * find_psk       may be NULL
 * error          why the last check refused; for the caller to read after an operation ended with such a status */
struct slim_mls_profile {
    void *context;
    enum slim_status (*verify_token)(void *context, struct slim_view token, bool any_age,
                                     struct slim_mls_claims *claims, struct slim_error *error);
    uint64_t (*now_s)(void *context);
    void (*random)(void *context, void *out, size_t len);
    enum slim_mls_status (*find_psk)(void *context, const struct slim_mls_psk_request *request,
                                     uint8_t *psk, size_t *len);
    bool is_strict;
    struct slim_error error;
};

/* Callbacks for a client that go through the profile, which must outlive it. */
void slim_mls_profile_callbacks(struct slim_mls_profile *profile,
                                struct slim_mls_callbacks *callbacks);

/* The policy of SLIM groups: the default one, and only the moderator, leaf 0, commits (spec mls.md 1, 4). */
void slim_mls_profile_policy(struct slim_mls_policy *policy);

/* The check itself, with a struct slim_mls_profile as context.
 *   SLIM_MLS_ERR_AUTH      not basic, not UTF-8, no subject, no key, another key, or refused by the verifier
 *   SLIM_MLS_ERR_EXPIRED   as the verifier says */
enum slim_mls_status slim_mls_profile_check(void *profile, const struct slim_mls_check *check,
                                            struct slim_mls_view *name);

#endif
