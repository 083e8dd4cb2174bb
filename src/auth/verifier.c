#include "auth/verifier.h"

#include <stdlib.h>

#include "base/hash.h"

enum slim_status slim_auth_fail(enum slim_auth_check *check, enum slim_auth_check failed)
{
    *check = failed;
    return slim_auth_check_status(failed);
}

void slim_auth_verifier_free(struct slim_auth_verifier *verifier)
{
    if (verifier == NULL) {
        return;
    }
    verifier->ops->fini(verifier);
    slim_json_free(verifier->claims);
    slim_buf_wipe(&verifier->scratch);
    slim_auth_cache_free(verifier->cache);
    free(verifier);
}

enum slim_status slim_auth_verifier_reload(struct slim_auth_verifier *verifier,
                                           struct slim_view text, struct slim_error *error)
{
    if (verifier->ops->reload == NULL) {
        return slim_error_set(error, SLIM_ERR_UNSUPPORTED,
                              "the keys of this verifier do not come from a file");
    }
    SLIM_TRY(verifier->ops->reload(verifier, text, error));
    slim_auth_cache_clear(verifier->cache);
    return SLIM_OK;
}

const struct slim_auth_stats *slim_auth_verifier_stats(const struct slim_auth_verifier *verifier)
{
    return &verifier->stats;
}

/* Count a failure and hand its reason out. */
static enum slim_status refuse(struct slim_auth_verifier *verifier, enum slim_status status,
                               enum slim_auth_check failed, enum slim_auth_check *check)
{
    verifier->stats.refused_count[failed]++;
    if (check != NULL) {
        *check = failed;
    }
    return status;
}

/* Forget verified tokens when keys changed since the last call. */
static void note_keys(struct slim_auth_verifier *verifier, uint64_t now_s)
{
    if (verifier->ops->generation == NULL) {
        return;
    }
    uint64_t generation = verifier->ops->generation(verifier, now_s);
    if (generation != verifier->generation) {
        slim_auth_cache_clear(verifier->cache);
        verifier->generation = generation;
    }
}

/* Check a token that is not in the table, and put it there. */
static enum slim_status check_unknown(struct slim_auth_verifier *verifier, struct slim_view token,
                                      const struct slim_auth_tag *tag, uint64_t now_s,
                                      bool wants_claims, enum slim_auth_check *check,
                                      struct slim_auth_found *found)
{
    enum slim_auth_check failed = SLIM_AUTH_CHECK_NONE;
    enum slim_status status =
        verifier->ops->check(verifier, token, now_s, false, wants_claims, &failed, found);
    if (status != SLIM_OK) {
        return refuse(verifier, status, failed, check);
    }
    verifier->stats.verified_count++;
    struct slim_auth_cached content = {
        .valid_from_s = found->valid_from_s,
        .valid_until_s = found->valid_until_s,
        .identity = {found->subject, slim_hash_app_id(found->subject)},
    };
    if (slim_auth_cache_put(verifier->cache, tag, &content) != SLIM_OK) {
        return SLIM_OK; /* no memory to remember it: the token is good all the same */
    }
    return SLIM_OK;
}

enum slim_status slim_auth_verify(struct slim_auth_verifier *verifier, struct slim_view token,
                                  uint64_t now_s, enum slim_auth_check *check,
                                  struct slim_auth_identity *identity)
{
    if (token.len == 0 || token.len > SLIM_AUTH_TOKEN_BYTES_MAX) {
        return refuse(verifier, SLIM_ERR_LIMIT, SLIM_AUTH_CHECK_SIZE, check);
    }
    note_keys(verifier, now_s);
    struct slim_auth_tag tag = slim_auth_cache_tag(verifier->cache, token);
    const struct slim_auth_cached *known = slim_auth_cache_find(verifier->cache, &tag, now_s);
    if (SLIM_LIKELY(known != NULL)) {
        verifier->stats.cached_count++;
        *identity = known->identity;
        return SLIM_OK;
    }
    struct slim_auth_found found;
    SLIM_TRY(check_unknown(verifier, token, &tag, now_s, false, check, &found));
    *identity = (struct slim_auth_identity){found.subject, slim_hash_app_id(found.subject)};
    return SLIM_OK;
}

/* pubkey, else custom_claims.pubkey; sub, else id (mls.md 3.3). */
static void pick_claims(const struct slim_auth_found *found, struct slim_auth_claims *claims)
{
    *claims = (struct slim_auth_claims){
        .subject = found->subject,
        .valid_until_s = found->valid_until_s,
        .all = found->claims,
    };
    if (!slim_json_read_text(slim_json_find(found->claims, "pubkey"), &claims->pubkey)) {
        const struct slim_json *custom = slim_json_find(found->claims, "custom_claims");
        (void)slim_json_read_text(slim_json_find(custom, "pubkey"), &claims->pubkey); /* optional */
    }
    if (claims->subject.len == 0) {
        (void)slim_json_read_text(slim_json_find(found->claims, "id"), &claims->subject); /* too */
    }
}

enum slim_status slim_auth_read_claims(struct slim_auth_verifier *verifier, struct slim_view token,
                                       uint64_t now_s, enum slim_auth_check *check,
                                       struct slim_auth_claims *claims)
{
    if (token.len == 0 || token.len > SLIM_AUTH_TOKEN_BYTES_MAX) {
        return refuse(verifier, SLIM_ERR_LIMIT, SLIM_AUTH_CHECK_SIZE, check);
    }
    slim_json_free(verifier->claims);
    verifier->claims = NULL;
    note_keys(verifier, now_s);
    struct slim_auth_tag tag = slim_auth_cache_tag(verifier->cache, token);
    struct slim_auth_found found;
    if (slim_auth_cache_find(verifier->cache, &tag, now_s) != NULL) {
        verifier->stats.cached_count++;
        enum slim_auth_check failed = SLIM_AUTH_CHECK_NONE;
        enum slim_status status =
            verifier->ops->check(verifier, token, now_s, true, true, &failed, &found);
        if (status != SLIM_OK) {
            return refuse(verifier, status, failed, check);
        }
    } else {
        SLIM_TRY(check_unknown(verifier, token, &tag, now_s, true, check, &found));
    }
    verifier->claims = found.claims;
    pick_claims(&found, claims);
    return SLIM_OK;
}

enum slim_status slim_auth_read_credential(struct slim_auth_verifier *verifier,
                                           struct slim_view token, uint64_t now_s, bool any_age,
                                           enum slim_auth_check *check,
                                           struct slim_auth_claims *claims)
{
    enum slim_auth_check failed = SLIM_AUTH_CHECK_NONE;
    struct slim_auth_found found;
    if (!any_age) {
        return slim_auth_read_claims(verifier, token, now_s, check, claims);
    }
    if (token.len == 0 || token.len > SLIM_AUTH_TOKEN_BYTES_MAX) {
        return refuse(verifier, SLIM_ERR_LIMIT, SLIM_AUTH_CHECK_SIZE, check);
    }
    slim_json_free(verifier->claims);
    verifier->claims = NULL;
    verifier->is_any_age = true;
    enum slim_status status =
        verifier->ops->check(verifier, token, now_s, false, true, &failed, &found);
    verifier->is_any_age = false;
    if (status != SLIM_OK) {
        return refuse(verifier, status, failed, check);
    }
    verifier->stats.verified_count++;
    verifier->claims = found.claims;
    pick_claims(&found, claims);
    return SLIM_OK;
}
