/* Providers of JWT: one that signs them, one that has a finished one. */
#include <stdlib.h>

#include "auth/jwt.h"
#include "auth/provider.h"
#include "auth/secret.h"
#include "auth/verifier.h"
#include "base/secret.h"
#include "base/utf8.h"

/* Without the white space around it. */
static struct slim_view trim(struct slim_view text)
{
    while (text.len > 0 &&
           (text.data[0] == ' ' || (text.data[0] >= '\t' && text.data[0] <= '\r'))) {
        text = slim_view_skip(text, 1);
    }
    while (text.len > 0 && (text.data[text.len - 1] == ' ' ||
                            (text.data[text.len - 1] >= '\t' && text.data[text.len - 1] <= '\r'))) {
        text.len--;
    }
    return text;
}

/* ---- signing
 *
 * Payload: iss, sub, aud, exp, iat, nbf, then custom claims (auth.md 4.1). Only the times change from token to token. */

/* before    the payload up to and with "exp":
 * custom    the custom claims with a comma in front and without braces; may be empty */
struct jwt_provider {
    struct slim_auth_provider common;
    struct slim_auth_key key;
    enum slim_auth_alg alg;
    uint64_t duration_s;
    struct slim_buf before;
    struct slim_buf custom;
    struct slim_buf payload; /* of the last token */
};

static enum slim_status put_payload(struct jwt_provider *jwt, uint64_t now_s, const uint8_t *pubkey)
{
    struct slim_buf *payload = &jwt->payload;
    slim_buf_clear(payload);
    SLIM_TRY(slim_buf_put(payload, slim_buf_view(&jwt->before)));
    SLIM_TRY(slim_buf_put_text(payload, "%llu,\"iat\":%llu,\"nbf\":%llu",
                               (unsigned long long)(now_s + jwt->duration_s),
                               (unsigned long long)now_s, (unsigned long long)now_s));
    SLIM_TRY(slim_buf_put(payload, slim_buf_view(&jwt->custom)));
    if (pubkey != NULL) {
        char claims[SLIM_AUTH_PUBKEY_CLAIMS_BYTES];
        slim_auth_pubkey_claims(pubkey, claims);
        claims[0] = ','; /* joins the members before it */
        return slim_buf_put(payload, slim_view_of(claims, sizeof(claims)));
    }
    return slim_buf_put_byte(payload, '}');
}

static enum slim_status make(struct slim_auth_provider *provider, uint64_t now_s,
                             const uint8_t *pubkey, struct slim_buf *out, uint64_t *reuse_until_s)
{
    struct jwt_provider *jwt = (struct jwt_provider *)provider;
    SLIM_TRY(put_payload(jwt, now_s, pubkey));
    SLIM_TRY(slim_auth_jwt_put(&jwt->key, jwt->alg, slim_buf_view(&jwt->payload), out));
    uint64_t reuse_s = jwt->duration_s / 2;
    *reuse_until_s = now_s + (reuse_s < SLIM_AUTH_REUSE_S ? reuse_s : SLIM_AUTH_REUSE_S);
    return SLIM_OK;
}

static enum slim_status reload_key(struct slim_auth_provider *provider, struct slim_view text,
                                   uint64_t now_s, struct slim_error *error)
{
    (void)now_s; /* a key has no age */
    struct jwt_provider *jwt = (struct jwt_provider *)provider;
    struct slim_auth_key key;
    SLIM_TRY(slim_auth_key_from_pem(text, jwt->alg, true, &key, error));
    slim_auth_key_fini(&jwt->key);
    jwt->key = key;
    return SLIM_OK;
}

static void fini_jwt(struct slim_auth_provider *provider)
{
    struct jwt_provider *jwt = (struct jwt_provider *)provider;
    slim_auth_key_fini(&jwt->key);
    slim_buf_fini(&jwt->before);
    slim_buf_fini(&jwt->custom);
    slim_buf_fini(&jwt->payload);
}

static const struct slim_auth_provider_ops jwt_ops = {
    .make = make, .reload = reload_key, .fini = fini_jwt};

/* No boolean and no null anywhere: the reference refuses a token with one. */
static bool is_portable(const struct slim_json *value)
{
    switch (slim_json_kind(value)) {
    case SLIM_JSON_NULL:
    case SLIM_JSON_BOOL:
        return false;
    case SLIM_JSON_INTEGER:
    case SLIM_JSON_REAL:
    case SLIM_JSON_STRING:
        return true;
    case SLIM_JSON_ARRAY:
        for (size_t i = 0; i < slim_json_count(value); i++) {
            if (!is_portable(slim_json_at(value, i))) {
                return false;
            }
        }
        return true;
    case SLIM_JSON_OBJECT:
        break;
    }
    struct slim_json_member member = {0};
    while (slim_json_next(value, &member)) {
        if (!is_portable(member.value)) {
            return false;
        }
    }
    return true;
}

static enum slim_status check_custom(const struct slim_json *claims, struct slim_error *error)
{
    static const char *const taken[] = {"iss", "sub", "aud", "exp", "iat", "nbf", "pubkey"};
    if (slim_json_kind(claims) != SLIM_JSON_OBJECT) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "custom claims must be a JSON object");
    }
    for (size_t i = 0; i < SLIM_COUNT(taken); i++) {
        if (slim_json_find(claims, taken[i]) != NULL) {
            return slim_error_set(error, SLIM_ERR_CONFIG,
                                  "custom claims must not contain %s, which is set by itself",
                                  taken[i]);
        }
    }
    if (!is_portable(claims)) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "custom claims can be texts, numbers, lists and objects; peers "
                              "refuse tokens with true, false or null");
    }
    return SLIM_OK;
}

static enum slim_status put_custom(struct jwt_provider *jwt, struct slim_view text,
                                   struct slim_error *error)
{
    static const struct slim_json_limits limits = {.bytes_max = SLIM_AUTH_CLAIMS_BYTES_MAX,
                                                   .depth_max = SLIM_AUTH_TOKEN_DEPTH_MAX,
                                                   .has_plain_numbers = true};
    if (text.len == 0) {
        return SLIM_OK;
    }
    struct slim_json *claims;
    enum slim_status status = slim_json_parse(text, &limits, &claims, error);
    if (status != SLIM_OK) {
        return status == SLIM_ERR_NO_MEMORY ? status : SLIM_ERR_CONFIG;
    }
    status = check_custom(claims, error);
    if (status == SLIM_OK && slim_json_count(claims) > 0) {
        /* the text as it is: numbers written anew could have more digits than verifiers accept */
        struct slim_view object = trim(text);
        status = slim_buf_put(&jwt->custom, slim_view_of(object.data, object.len - 1));
        if (status == SLIM_OK) {
            jwt->custom.data[0] = ','; /* was '{'; the '}' is left out */
        }
    }
    slim_json_free(claims);
    return status;
}

static enum slim_status put_member(struct slim_buf *out, const char *name, struct slim_view text)
{
    if (text.len == 0) {
        return SLIM_OK;
    }
    SLIM_TRY(slim_buf_put_text(out, "\"%s\":", name));
    SLIM_TRY(slim_json_put_text(text, out));
    return slim_buf_put_byte(out, ',');
}

/* The payload up to "exp":, the same for all tokens. */
static enum slim_status put_before(struct slim_buf *out,
                                   const struct slim_auth_jwt_options *options)
{
    SLIM_TRY(slim_buf_put_byte(out, '{'));
    SLIM_TRY(put_member(out, "iss", options->issuer));
    SLIM_TRY(put_member(out, "sub", options->subject));
    for (size_t i = 0; i < options->audience_count; i++) {
        SLIM_TRY(slim_buf_put(out, i == 0 ? SLIM_VIEW("\"aud\":[") : SLIM_VIEW(",")));
        SLIM_TRY(slim_json_put_text(options->audiences[i], out));
    }
    if (options->audience_count > 0) {
        SLIM_TRY(slim_buf_put(out, SLIM_VIEW("],")));
    }
    return slim_buf_put(out, SLIM_VIEW("\"exp\":"));
}

static enum slim_status check_options(const struct slim_auth_jwt_options *options,
                                      struct slim_error *error)
{
    if (options->alg == SLIM_AUTH_ALG_NONE) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "a signing key needs its algorithm");
    }
    if (options->format != SLIM_AUTH_KEY_PEM) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "%s format not supported for encoding (signing) keys",
                              options->format == SLIM_AUTH_KEY_JWK ? "JWK" : "JWKS");
    }
    if (options->subject.len == 0 && !options->is_for_link) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "token invalid: missing subject claim");
    }
    if (options->subject.len > SLIM_AUTH_ID_BYTES_MAX ||
        options->issuer.len > SLIM_AUTH_ID_BYTES_MAX ||
        options->audience_count > SLIM_AUTH_NAMES_MAX) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "subject and issuer may have at most %d bytes, audience %d names",
                              (int)SLIM_AUTH_ID_BYTES_MAX, (int)SLIM_AUTH_NAMES_MAX);
    }
    for (size_t i = 0; i < options->audience_count; i++) {
        if (options->audiences[i].len == 0 || options->audiences[i].len > SLIM_AUTH_ID_BYTES_MAX) {
            return slim_error_set(error, SLIM_ERR_CONFIG,
                                  "audience: a name must have 1 to %d bytes",
                                  (int)SLIM_AUTH_ID_BYTES_MAX);
        }
    }
    if (options->duration_s != 0 && (options->duration_s < SLIM_AUTH_DURATION_S_MIN ||
                                     options->duration_s > SLIM_AUTH_DURATION_S_MAX)) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "duration must be %d to %d seconds",
                              (int)SLIM_AUTH_DURATION_S_MIN, (int)SLIM_AUTH_DURATION_S_MAX);
    }
    return SLIM_OK;
}

/* Make the longest token once: can the key sign, and will verifiers look at what comes out? */
static enum slim_status try_out(struct jwt_provider *jwt, struct slim_error *error)
{
    static const uint8_t pubkey[SLIM_AUTH_PUBKEY_BYTES];
    const uint64_t last_s = (1ULL << 53) - 1 - SLIM_AUTH_DURATION_S_MAX;
    struct slim_buf token = {0};
    uint64_t reuse_until_s;
    enum slim_status status = make(&jwt->common, last_s, pubkey, &token, &reuse_until_s);
    if (status == SLIM_ERR_NO_MEMORY) {
        (void)slim_error_set(error, status, "no memory"); /* returned below */
    } else if (status != SLIM_OK) {
        status = slim_error_set(error, SLIM_ERR_CONFIG, "the key cannot sign");
    } else if (token.len > SLIM_AUTH_TOKEN_BYTES_MAX) {
        status = slim_error_set(error, SLIM_ERR_CONFIG,
                                "audience and custom claims make a token of %zu bytes; more than "
                                "%d are refused",
                                token.len, (int)SLIM_AUTH_TOKEN_BYTES_MAX);
    }
    slim_buf_wipe(&token);
    return status;
}

static enum slim_status fill(struct jwt_provider *jwt, const struct slim_auth_jwt_options *options,
                             struct slim_error *error)
{
    jwt->alg = options->alg;
    jwt->duration_s = options->duration_s == 0 ? SLIM_AUTH_VALIDITY_S : options->duration_s;
    SLIM_TRY(slim_auth_key_from_pem(options->key, options->alg, true, &jwt->key, error));
    SLIM_TRY(put_custom(jwt, options->custom_claims, error));
    enum slim_status status = put_before(&jwt->before, options);
    if (status == SLIM_ERR_INVALID) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "issuer, subject and audience must be UTF-8");
    }
    if (status == SLIM_OK) {
        status = slim_auth_provider_set_id(&jwt->common, options->subject);
    }
    return status == SLIM_OK ? try_out(jwt, error) : slim_error_set(error, status, "no memory");
}

enum slim_status slim_auth_provider_new_jwt(const struct slim_auth_jwt_options *options,
                                            struct slim_auth_provider **provider,
                                            struct slim_error *error)
{
    SLIM_TRY(check_options(options, error));
    struct jwt_provider *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
    }
    made->common.ops = &jwt_ops;
    enum slim_status status = fill(made, options, error);
    if (status != SLIM_OK) {
        slim_auth_provider_free(&made->common);
        return status;
    }
    *provider = &made->common;
    return SLIM_OK;
}

/* ---- a finished token */

struct static_provider {
    struct slim_auth_provider common;
    struct slim_buf token;
    uint64_t exp_s;
    bool is_for_link;
};

static bool has_subject(const struct slim_json *payload, struct slim_view *subject)
{
    return slim_json_read_text(slim_json_find(payload, "sub"), subject) && subject->len > 0 &&
           subject->len <= SLIM_AUTH_ID_BYTES_MAX;
}

/* Take over a token: its sub and exp are read without a check of its signature, which is the business of those who get it. */
static enum slim_status take_token(struct static_provider *fixed, struct slim_view token,
                                   uint64_t now_s, struct slim_error *error)
{
    struct slim_buf bytes = {0};
    struct slim_auth_jwt jwt = {0};
    struct slim_auth_times times = {0};
    struct slim_view subject = {0};
    struct slim_buf copy = {0};
    enum slim_auth_check check = SLIM_AUTH_CHECK_NONE;
    enum slim_status status = slim_auth_jwt_open(token, &bytes, &jwt, &check);
    if (status == SLIM_OK) {
        status = slim_auth_jwt_read_times(jwt.payload, &times, &check);
    }
    if (status == SLIM_ERR_NO_MEMORY) {
        (void)slim_error_set(error, status, "no memory"); /* returned below */
    } else if (status != SLIM_OK) {
        status =
            slim_error_set(error, SLIM_ERR_CONFIG, "token file: %s", slim_auth_check_text(check));
    } else if (!has_subject(jwt.payload, &subject) && !fixed->is_for_link) {
        status = slim_error_set(error, SLIM_ERR_CONFIG,
                                "token file: token invalid: missing subject claim");
    } else if (!times.has_exp || times.exp_s <= now_s) {
        status = slim_error_set(
            error, SLIM_ERR_CONFIG, "token file: %s",
            slim_auth_check_text(times.has_exp ? SLIM_AUTH_CHECK_EXPIRED : SLIM_AUTH_CHECK_EXPIRY));
    } else if (slim_buf_put(&copy, token) != SLIM_OK ||
               slim_auth_provider_set_id(&fixed->common, subject) != SLIM_OK) {
        slim_buf_wipe(&copy);
        status = slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
    } else {
        slim_buf_wipe(&fixed->token);
        fixed->token = copy;
        fixed->exp_s = times.exp_s;
    }
    slim_auth_jwt_fini(&jwt);
    slim_buf_wipe(&bytes);
    return status;
}

static enum slim_status give(struct slim_auth_provider *provider, uint64_t now_s,
                             const uint8_t *pubkey, struct slim_buf *out, uint64_t *reuse_until_s)
{
    struct static_provider *fixed = (struct static_provider *)provider;
    if (pubkey != NULL) {
        return SLIM_ERR_UNSUPPORTED;
    }
    if (now_s >= fixed->exp_s) {
        return SLIM_ERR_EXPIRED;
    }
    *reuse_until_s = fixed->exp_s - 1;
    return slim_buf_put(out, slim_buf_view(&fixed->token));
}

static enum slim_status check_text(struct slim_view token, struct slim_error *error)
{
    if (token.len == 0 || token.len > SLIM_AUTH_TOKEN_BYTES_MAX) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "token file: it must contain a token of 1 to %d bytes",
                              (int)SLIM_AUTH_TOKEN_BYTES_MAX);
    }
    return SLIM_OK;
}

static enum slim_status reload_token(struct slim_auth_provider *provider, struct slim_view text,
                                     uint64_t now_s, struct slim_error *error)
{
    SLIM_TRY(check_text(trim(text), error));
    return take_token((struct static_provider *)provider, trim(text), now_s, error);
}

static void fini_static(struct slim_auth_provider *provider)
{
    struct static_provider *fixed = (struct static_provider *)provider;
    slim_buf_wipe(&fixed->token);
}

static const struct slim_auth_provider_ops static_ops = {
    .make = give, .reload = reload_token, .fini = fini_static};

enum slim_status slim_auth_provider_new_static(struct slim_view text, uint64_t now_s,
                                               bool is_for_link,
                                               struct slim_auth_provider **provider,
                                               struct slim_error *error)
{
    SLIM_TRY(check_text(trim(text), error));
    struct static_provider *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
    }
    made->common.ops = &static_ops;
    made->is_for_link = is_for_link;
    enum slim_status status = take_token(made, trim(text), now_s, error);
    if (status != SLIM_OK) {
        slim_auth_provider_free(&made->common);
        return status;
    }
    *provider = &made->common;
    return SLIM_OK;
}
