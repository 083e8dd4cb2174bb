#include "auth/resolver.h"

#include <stdlib.h>

#include "auth/discovery.h"
#include "auth/keyset.h"
#include "auth/verifier.h"

enum step {
    STEP_IDLE,
    STEP_DISCOVERY, /* the document is being fetched */
    STEP_KEYS,      /* the JWKS is being fetched */
};

/* jwks_uri       configured, else empty
 * fetch_id       of the fetch under way
 * fetched_s      when the keys came; has_keys
 * next_try_s     no fetch begins before; said at said_s (a clock that was set back since makes it void)
 * fail_count     failures since the last success */
struct issuer {
    struct slim_buf issuer;
    struct slim_buf jwks_uri;
    enum step step;
    uint64_t fetch_id;
    bool has_keys;
    struct slim_auth_keyset keys;
    uint64_t fetched_s;
    uint64_t next_try_s;
    uint64_t said_s;
    uint32_t fail_count;
};

struct slim_auth_resolver {
    struct slim_auth_fetcher fetcher;
    struct issuer *issuers;
    size_t count;
    uint64_t last_fetch_id;
    uint64_t generation;
    struct slim_buf url;
};

/* ---- making and freeing */

static enum slim_status add_issuer(struct slim_auth_resolver *resolver,
                                   const struct slim_auth_issuer *wanted, struct slim_error *error)
{
    if (!slim_auth_url_is_https(wanted->issuer) ||
        (wanted->jwks_uri.len > 0 && !slim_auth_url_is_https(wanted->jwks_uri))) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "issuer and jwks_uri must be https URLs without user name and "
                              "fragment");
    }
    struct issuer *issuer = &resolver->issuers[resolver->count++];
    if (slim_buf_put(&issuer->issuer, wanted->issuer) != SLIM_OK ||
        slim_buf_put(&issuer->jwks_uri, wanted->jwks_uri) != SLIM_OK) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
    }
    return SLIM_OK;
}

enum slim_status slim_auth_resolver_new(const struct slim_auth_issuer *issuers, size_t count,
                                        const struct slim_auth_fetcher *fetcher,
                                        struct slim_auth_resolver **resolver,
                                        struct slim_error *error)
{
    if (count == 0 || count > SLIM_AUTH_NAMES_MAX) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "autoresolve needs 1 to %d issuers",
                              (int)SLIM_AUTH_NAMES_MAX);
    }
    struct slim_auth_resolver *made = calloc(1, sizeof(*made));
    if (made != NULL) {
        made->fetcher = *fetcher;
        made->issuers = calloc(count, sizeof(made->issuers[0]));
    }
    if (made == NULL || made->issuers == NULL) {
        free(made);
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
    }
    enum slim_status status = SLIM_OK;
    for (size_t i = 0; status == SLIM_OK && i < count; i++) {
        status = add_issuer(made, &issuers[i], error);
    }
    if (status != SLIM_OK) {
        slim_auth_resolver_free(made);
        return status;
    }
    *resolver = made;
    return SLIM_OK;
}

void slim_auth_resolver_free(struct slim_auth_resolver *resolver)
{
    if (resolver == NULL) {
        return;
    }
    for (size_t i = 0; i < resolver->count; i++) {
        struct issuer *issuer = &resolver->issuers[i];
        if (issuer->step != STEP_IDLE) {
            resolver->fetcher.cancel(resolver->fetcher.ctx, issuer->fetch_id);
        }
        slim_buf_fini(&issuer->issuer);
        slim_buf_fini(&issuer->jwks_uri);
        slim_auth_keyset_fini(&issuer->keys);
    }
    free(resolver->issuers);
    slim_buf_fini(&resolver->url);
    free(resolver);
}

uint64_t slim_auth_resolver_generation(const struct slim_auth_resolver *resolver)
{
    return resolver->generation;
}

/* ---- fetching */

static void start(struct slim_auth_resolver *resolver, struct issuer *issuer, enum step step,
                  struct slim_view url)
{
    issuer->step = step;
    issuer->fetch_id = ++resolver->last_fetch_id;
    struct slim_auth_fetch fetch = {.id = issuer->fetch_id, .url = url};
    resolver->fetcher.start(resolver->fetcher.ctx, &fetch);
}

static void fail(struct issuer *issuer, uint64_t now_s)
{
    issuer->step = STEP_IDLE;
    issuer->said_s = now_s;
    issuer->next_try_s = now_s + slim_auth_retry_pause_s(issuer->fail_count++);
}

/* Begin with the first step for this issuer. */
static void begin(struct slim_auth_resolver *resolver, struct issuer *issuer, uint64_t now_s)
{
    if (issuer->jwks_uri.len > 0) {
        start(resolver, issuer, STEP_KEYS, slim_buf_view(&issuer->jwks_uri));
        return;
    }
    if (slim_auth_url_below(slim_buf_view(&issuer->issuer), "/.well-known/openid-configuration",
                            &resolver->url) != SLIM_OK) {
        fail(issuer, now_s); /* no memory now: tried again like any failure */
        return;
    }
    start(resolver, issuer, STEP_DISCOVERY, slim_buf_view(&resolver->url));
}

static bool may_try(const struct issuer *issuer, uint64_t now_s)
{
    return issuer->step == STEP_IDLE && (now_s >= issuer->next_try_s || now_s < issuer->said_s);
}

static bool has_good_keys(const struct issuer *issuer, uint64_t now_s)
{
    return issuer->has_keys && now_s >= issuer->fetched_s &&
           now_s - issuer->fetched_s < SLIM_AUTH_JWKS_LIFE_S;
}

uint64_t slim_auth_resolver_expire(struct slim_auth_resolver *resolver, uint64_t now_s)
{
    for (size_t i = 0; i < resolver->count; i++) {
        struct issuer *issuer = &resolver->issuers[i];
        if (issuer->has_keys && now_s >= issuer->fetched_s + SLIM_AUTH_JWKS_LIFE_S) {
            slim_auth_keyset_fini(&issuer->keys);
            issuer->has_keys = false;
            resolver->generation++;
        }
    }
    return resolver->generation;
}

uint64_t slim_auth_resolver_tick(struct slim_auth_resolver *resolver, uint64_t now_s)
{
    uint64_t next_s = now_s + SLIM_AUTH_JWKS_LIFE_S;
    for (size_t i = 0; i < resolver->count; i++) {
        struct issuer *issuer = &resolver->issuers[i];
        uint64_t due_s = may_try(issuer, now_s) ? now_s : issuer->next_try_s;
        if (has_good_keys(issuer, now_s) && due_s < issuer->fetched_s + SLIM_AUTH_JWKS_RENEW_S) {
            due_s = issuer->fetched_s + SLIM_AUTH_JWKS_RENEW_S;
        }
        if (issuer->step == STEP_IDLE && now_s >= due_s) {
            begin(resolver, issuer, now_s);
            due_s = issuer->step == STEP_IDLE ? issuer->next_try_s : next_s;
        }
        if (issuer->step == STEP_IDLE && due_s < next_s) {
            next_s = due_s;
        }
    }
    return next_s;
}

static enum slim_status take_document(struct slim_auth_resolver *resolver, struct issuer *issuer,
                                      const struct slim_auth_answer *answer,
                                      struct slim_error *error)
{
    if (answer->http_status == 0) {
        return slim_error_set(error, SLIM_ERR_CONNECT, "the issuer could not be reached");
    }
    if (answer->http_status == 200) {
        SLIM_TRY(slim_auth_discovery_read(answer->body, slim_buf_view(&issuer->issuer), "jwks_uri",
                                          &resolver->url, error));
    } else if (slim_auth_url_below(slim_buf_view(&issuer->issuer), "/.well-known/jwks.json",
                                   &resolver->url) != SLIM_OK) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
    }
    start(resolver, issuer, STEP_KEYS, slim_buf_view(&resolver->url));
    return SLIM_AGAIN;
}

static enum slim_status take_keys(struct slim_auth_resolver *resolver, struct issuer *issuer,
                                  const struct slim_auth_answer *answer, uint64_t now_s,
                                  struct slim_error *error)
{
    if (answer->http_status != 200) {
        return slim_error_set(error, SLIM_ERR_CONNECT,
                              "failed to fetch JWKS for issuer - status_code: %d",
                              answer->http_status);
    }
    struct slim_auth_keyset keys;
    SLIM_TRY(slim_auth_keyset_parse(answer->body, SLIM_AUTH_KEY_JWKS, SLIM_AUTH_ALG_NONE, true,
                                    &keys, error));
    /* keys that are still there vouch for what was verified with them: new ones beside them change nothing about that */
    if (!issuer->has_keys || !slim_auth_keyset_has_all(&keys, &issuer->keys)) {
        resolver->generation++;
    }
    slim_auth_keyset_fini(&issuer->keys);
    issuer->keys = keys;
    issuer->has_keys = true;
    issuer->fetched_s = now_s;
    issuer->said_s = now_s;
    issuer->next_try_s = now_s + SLIM_AUTH_REFETCH_S;
    issuer->fail_count = 0;
    issuer->step = STEP_IDLE;
    return SLIM_OK;
}

enum slim_status slim_auth_resolver_take(struct slim_auth_resolver *resolver,
                                         const struct slim_auth_answer *answer, uint64_t now_s,
                                         struct slim_error *error)
{
    struct issuer *issuer = NULL;
    for (size_t i = 0; i < resolver->count; i++) {
        if (resolver->issuers[i].step != STEP_IDLE && resolver->issuers[i].fetch_id == answer->id) {
            issuer = &resolver->issuers[i];
        }
    }
    if (issuer == NULL) {
        return SLIM_AGAIN; /* of a fetch that was given up */
    }
    enum slim_status status = issuer->step == STEP_DISCOVERY
                                  ? take_document(resolver, issuer, answer, error)
                                  : take_keys(resolver, issuer, answer, now_s, error);
    if (status != SLIM_OK && status != SLIM_AGAIN) {
        fail(issuer, now_s);
    }
    return status;
}

/* ---- asking */

/* Keys would help: SLIM_AGAIN when they are or can be fetched now. */
static enum slim_status want_keys(struct slim_auth_resolver *resolver, struct issuer *issuer,
                                  uint64_t now_s, enum slim_auth_check *check)
{
    if (may_try(issuer, now_s)) {
        begin(resolver, issuer, now_s);
    }
    return issuer->step != STEP_IDLE ? SLIM_AGAIN : slim_auth_fail(check, SLIM_AUTH_CHECK_KEY);
}

enum slim_status slim_auth_resolver_find(struct slim_auth_resolver *resolver,
                                         struct slim_view issuer_name,
                                         const struct slim_auth_key_wanted *wanted, uint64_t now_s,
                                         enum slim_auth_check *check,
                                         const struct slim_auth_key **key)
{
    struct issuer *issuer = NULL;
    for (size_t i = 0; i < resolver->count && issuer == NULL; i++) {
        if (slim_view_is_equal(slim_buf_view(&resolver->issuers[i].issuer), issuer_name)) {
            issuer = &resolver->issuers[i];
        }
    }
    if (issuer == NULL) {
        return slim_auth_fail(check, SLIM_AUTH_CHECK_ISSUER);
    }
    if (!has_good_keys(issuer, now_s)) {
        return want_keys(resolver, issuer, now_s, check);
    }
    *key = slim_auth_keyset_find(&issuer->keys, wanted, false, check);
    if (*key != NULL) {
        return SLIM_OK;
    }
    if (*check == SLIM_AUTH_CHECK_KEY) {
        return want_keys(resolver, issuer, now_s, check); /* the issuer may have new ones */
    }
    return slim_auth_check_status(*check);
}
