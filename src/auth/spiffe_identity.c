/* Provider and verifier of JWT-SVIDs (the JWT-SVID standard, spec auth.md 5). */
#include <stdlib.h>

#include "auth/provider.h"
#include "auth/verifier.h"
#include "auth/workload_state.h"
#include "base/base64.h"

/* ---- the provider */

struct spiffe_provider {
    struct slim_auth_provider common;
    struct slim_auth_workload *workload;
};

static enum slim_status give(struct slim_auth_provider *provider, uint64_t now_s,
                             const uint8_t *pubkey, struct slim_buf *out, uint64_t *reuse_until_s)
{
    struct spiffe_provider *spiffe = (struct spiffe_provider *)provider;
    const struct slim_auth_jwt_svid *svid = &spiffe->workload->jwt;
    if (svid->token.len > 0) {
        SLIM_TRY(slim_auth_provider_set_id(provider, slim_buf_view(&svid->spiffe_id)));
    }
    *reuse_until_s = now_s; /* the agent may rotate it any time: asked again every second */
    if (pubkey != NULL) {
        struct slim_view token;
        SLIM_TRY(slim_auth_workload_credential(spiffe->workload, pubkey, now_s, &token));
        return slim_buf_put(out, token);
    }
    if (svid->token.len == 0) {
        return SLIM_AGAIN;
    }
    return now_s >= svid->exp_s ? SLIM_ERR_EXPIRED : slim_buf_put(out, slim_buf_view(&svid->token));
}

static void fini_provider(struct slim_auth_provider *provider)
{
    (void)provider; /* the workload client is borrowed */
}

static const struct slim_auth_provider_ops provider_ops = {
    .make = give, .reload = NULL, .fini = fini_provider};

enum slim_status slim_auth_provider_new_spiffe(struct slim_auth_workload *workload,
                                               struct slim_auth_provider **provider)
{
    struct spiffe_provider *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    made->common.ops = &provider_ops;
    made->workload = workload;
    *provider = &made->common;
    return SLIM_OK;
}

/* ---- the verifier */

struct spiffe_verifier {
    struct slim_auth_verifier common;
    struct slim_auth_workload *workload;
};

/* kid is required, typ is JWT or JOSE when there, algorithms are asymmetric and without EdDSA. */
static enum slim_status check_header(const struct slim_auth_jwt *token, enum slim_auth_check *check)
{
    enum slim_auth_family family = slim_auth_alg_info(token->alg)->family;
    if (family == SLIM_AUTH_FAMILY_HMAC || family == SLIM_AUTH_FAMILY_ED25519) {
        return slim_auth_fail(check, SLIM_AUTH_CHECK_ALGORITHM);
    }
    if (!token->has_kid) {
        return slim_auth_fail(check, SLIM_AUTH_CHECK_KEY);
    }
    if (token->typ.len > 0 && !slim_view_is_equal(token->typ, SLIM_VIEW("JWT")) &&
        !slim_view_is_equal(token->typ, SLIM_VIEW("JOSE"))) {
        return slim_auth_fail(check, SLIM_AUTH_CHECK_ENCODING);
    }
    return SLIM_OK;
}

static enum slim_status check_signature(const struct slim_auth_workload *workload,
                                        const struct slim_auth_jwt *token, struct slim_view domain,
                                        enum slim_auth_check *check)
{
    struct slim_auth_key_wanted wanted = {
        .alg = token->alg, .has_kid = true, .kid = token->kid, .domain = domain};
    const struct slim_auth_key *key =
        slim_auth_keyset_find(&workload->bundles, &wanted, false, check);
    if (key == NULL || !key->has_kid) {
        return slim_auth_fail(check, key == NULL ? *check : SLIM_AUTH_CHECK_KEY);
    }
    enum slim_status status =
        slim_auth_key_verify(key, token->alg, token->signed_part, token->signature);
    return status == SLIM_ERR_SIGNATURE ? slim_auth_fail(check, SLIM_AUTH_CHECK_SIGNATURE) : status;
}

static enum slim_status check_opened(const struct slim_auth_workload *workload,
                                     const struct slim_auth_jwt *token, uint64_t now_s,
                                     bool is_known, bool is_any_age, enum slim_auth_check *check,
                                     struct slim_auth_verdict *verdict)
{
    SLIM_TRY(check_header(token, check));
    struct slim_view subject;
    struct slim_spiffe_id id;
    if (!slim_json_read_text(slim_json_find(token->payload, "sub"), &subject) ||
        slim_spiffe_id_parse(subject, &id) != SLIM_OK) {
        return slim_auth_fail(check, SLIM_AUTH_CHECK_SUBJECT);
    }
    if (!workload->has_bundles) {
        return SLIM_AGAIN;
    }
    if (!is_known) {
        SLIM_TRY(check_signature(workload, token, id.domain, check));
    }
    struct slim_auth_policy policy = {.audiences = workload->audiences, .is_any_age = is_any_age};
    return slim_auth_policy_check(&policy, token->payload, now_s, check, verdict);
}

/* Append the members of the object that an audience "slim-claims:BASE64" carries; nothing for another audience, or one that cannot be
 * decoded. */
static enum slim_status put_members(struct slim_view audience, struct slim_buf *out)
{
    static const struct slim_json_limits limits = {.bytes_max = SLIM_AUTH_TOKEN_BYTES_MAX,
                                                   .depth_max = SLIM_AUTH_TOKEN_DEPTH_MAX - 2,
                                                   .has_plain_numbers = true};
    struct slim_view prefix = SLIM_VIEW("slim-claims:");
    struct slim_buf text = {0};
    struct slim_json *object = NULL;
    if (!slim_view_has_prefix(audience, prefix)) {
        return SLIM_OK;
    }
    enum slim_status status =
        slim_base64_put_decoded(SLIM_BASE64_STANDARD, slim_view_skip(audience, prefix.len), &text);
    if (status == SLIM_OK) {
        status = slim_json_parse(slim_buf_view(&text), &limits, &object, NULL);
    }
    if (status == SLIM_OK && slim_json_kind(object) == SLIM_JSON_OBJECT &&
        slim_json_count(object) > 0) {
        size_t start = out->len;
        status = slim_json_put(object, out);
        if (status == SLIM_OK) {
            out->data[start] = ','; /* was '{': joins what is before */
            out->len--;             /* was '}' */
        }
    }
    slim_json_free(object);
    slim_buf_fini(&text);
    return status == SLIM_ERR_NO_MEMORY ? status : SLIM_OK;
}

static enum slim_status put_view(const struct slim_json *payload, struct slim_view subject,
                                 struct slim_buf *out)
{
    const struct slim_json *aud = slim_json_find(payload, "aud");
    struct slim_buf members = {0};
    struct slim_view audience;
    enum slim_status status = SLIM_OK;
    if (slim_json_read_text(aud, &audience)) {
        status = put_members(audience, &members);
    }
    for (size_t i = 0; status == SLIM_OK && i < slim_json_count(aud); i++) {
        if (slim_json_read_text(slim_json_at(aud, i), &audience)) {
            status = put_members(audience, &members);
        }
    }
    if (members.len > 0) {
        members.data[0] = ' '; /* the comma before the first member */
    }
    if (status == SLIM_OK) {
        status = slim_buf_put(out, SLIM_VIEW("{\"sub\":"));
    }
    if (status == SLIM_OK) {
        status = slim_json_put_text(subject, out);
    }
    if (status == SLIM_OK) {
        status = slim_buf_put(out, SLIM_VIEW(",\"custom_claims\":{"));
    }
    if (status == SLIM_OK) {
        status = slim_buf_put(out, slim_buf_view(&members));
    }
    if (status == SLIM_OK) {
        status = slim_buf_put(out, SLIM_VIEW("}}"));
    }
    slim_buf_fini(&members);
    return status;
}

/* {"sub": id, "custom_claims": what the audiences of the form slim-claims:BASE64 carry, together}. A claim that two of them carry makes the
 * token refused: which one counts is not for us to guess. */
static enum slim_status view_claims(const struct slim_json *payload, struct slim_view subject,
                                    enum slim_auth_check *check, struct slim_json **claims)
{
    static const struct slim_json_limits limits = {.bytes_max = SLIM_AUTH_TOKEN_BYTES_MAX,
                                                   .depth_max = SLIM_AUTH_TOKEN_DEPTH_MAX};
    struct slim_buf text = {0};
    enum slim_status status = put_view(payload, subject, &text);
    if (status == SLIM_OK) {
        status = slim_json_parse(slim_buf_view(&text), &limits, claims, NULL);
    }
    slim_buf_fini(&text);
    if (status == SLIM_OK || status == SLIM_ERR_NO_MEMORY) {
        return status;
    }
    return slim_auth_fail(check, SLIM_AUTH_CHECK_CLAIMS);
}

static enum slim_status check_token(struct slim_auth_verifier *verifier, struct slim_view text,
                                    uint64_t now_s, bool is_known, bool wants_claims,
                                    enum slim_auth_check *check, struct slim_auth_found *found)
{
    struct spiffe_verifier *spiffe = (struct spiffe_verifier *)verifier;
    struct slim_auth_jwt token;
    SLIM_TRY(slim_auth_jwt_open(text, &verifier->scratch, &token, check));
    struct slim_auth_verdict verdict = {0};
    struct slim_json *claims = NULL;
    enum slim_status status = check_opened(spiffe->workload, &token, now_s, is_known,
                                           verifier->is_any_age, check, &verdict);
    if (status == SLIM_OK && wants_claims) {
        status = view_claims(token.payload, verdict.subject, check, &claims);
    }
    if (status == SLIM_OK) {
        *found = (struct slim_auth_found){
            .valid_from_s = verdict.valid_from_s,
            .valid_until_s = verdict.valid_until_s,
            .subject = verdict.subject,
            .claims = claims,
        };
        slim_json_free(verifier->claims);
        verifier->claims = NULL;
        if (wants_claims) {
            (void)slim_json_read_text(slim_json_find(claims, "sub"),
                                      &found->subject); /* is there */
        } else {
            verifier->claims = token.payload; /* the subject is a view into it */
            token.payload = NULL;
        }
    }
    slim_auth_jwt_fini(&token);
    return status;
}

static uint64_t generation(struct slim_auth_verifier *verifier, uint64_t now_s)
{
    (void)now_s; /* bundles have no end of their own */
    const struct spiffe_verifier *spiffe = (const struct spiffe_verifier *)verifier;
    return slim_auth_workload_bundle_generation(spiffe->workload);
}

static void fini_verifier(struct slim_auth_verifier *verifier)
{
    (void)verifier; /* the workload client is borrowed */
}

static const struct slim_auth_verifier_ops verifier_ops = {
    .check = check_token, .reload = NULL, .generation = generation, .fini = fini_verifier};

enum slim_status slim_auth_verifier_new_spiffe(struct slim_auth_workload *workload,
                                               slim_auth_random *random,
                                               struct slim_auth_verifier **verifier)
{
    struct spiffe_verifier *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    if (slim_auth_cache_new(random, &made->common.cache) != SLIM_OK) {
        free(made);
        return SLIM_ERR_NO_MEMORY;
    }
    made->common.ops = &verifier_ops;
    made->workload = workload;
    *verifier = &made->common;
    return SLIM_OK;
}
