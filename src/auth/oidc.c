#include "auth/oidc.h"

#include <stdlib.h>

#include "auth/discovery.h"
#include "auth/provider.h"
#include "base/base64.h"

enum step {
    STEP_IDLE,
    STEP_DISCOVERY,
    STEP_TOKEN,
};

/* endpoint        configured, else found
 * authorization   "Basic ...", ready;  body: the request, ready
 * exp_s           end of the token's life
 * due_s           when to fetch next, said at said_s (a clock that was set back since makes it void) */
struct slim_auth_oidc {
    struct slim_auth_fetcher fetcher;
    struct slim_buf issuer;
    struct slim_buf endpoint;
    struct slim_buf authorization;
    struct slim_buf body;
    struct slim_buf client_id;
    struct slim_buf url;
    enum step step;
    uint64_t fetch_id;
    struct slim_buf token;
    uint64_t exp_s;
    uint64_t due_s;
    uint64_t said_s;
    uint32_t fail_count;
    bool is_endpoint_fixed;
};

/* ---- making and freeing */

/* application/x-www-form-urlencoded (RFC 6749 2.3.1 wants it for id and secret too). */
static enum slim_status put_form_text(struct slim_view text, struct slim_buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '*';
        if (is_plain) {
            SLIM_TRY(slim_buf_put_byte(out, c));
        } else if (c == ' ') {
            SLIM_TRY(slim_buf_put_byte(out, '+'));
        } else {
            char escape[3] = {'%', digits[c >> 4], digits[c & 15]};
            SLIM_TRY(slim_buf_put(out, slim_view_of(escape, sizeof(escape))));
        }
    }
    return SLIM_OK;
}

static enum slim_status put_request(struct slim_auth_oidc *oidc,
                                    const struct slim_auth_oidc_options *options,
                                    struct slim_buf *pair)
{
    SLIM_TRY(put_form_text(options->client_id, pair));
    SLIM_TRY(slim_buf_put_byte(pair, ':'));
    SLIM_TRY(put_form_text(options->client_secret, pair));
    SLIM_TRY(slim_buf_put(&oidc->authorization, SLIM_VIEW("Basic ")));
    SLIM_TRY(slim_base64_put(SLIM_BASE64_STANDARD, slim_buf_view(pair), &oidc->authorization));
    SLIM_TRY(slim_buf_put(&oidc->body, SLIM_VIEW("grant_type=client_credentials")));
    if (options->scope.len > 0) {
        SLIM_TRY(slim_buf_put(&oidc->body, SLIM_VIEW("&scope=")));
        SLIM_TRY(put_form_text(options->scope, &oidc->body));
    }
    SLIM_TRY(slim_buf_put(&oidc->client_id, options->client_id));
    SLIM_TRY(slim_buf_put(&oidc->issuer, options->issuer));
    return slim_buf_put(&oidc->endpoint, options->token_endpoint);
}

static enum slim_status check_options(const struct slim_auth_oidc_options *options,
                                      struct slim_error *error)
{
    if (options->client_id.len == 0) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "client id cannot be empty");
    }
    if (options->client_secret.len == 0) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "client secret cannot be empty");
    }
    if (options->client_id.len > SLIM_AUTH_ID_BYTES_MAX ||
        options->client_secret.len > SLIM_AUTH_ID_BYTES_MAX ||
        options->scope.len > SLIM_AUTH_ID_BYTES_MAX) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "client id, client secret and scope may have at most %d bytes each",
                              (int)SLIM_AUTH_ID_BYTES_MAX);
    }
    if (!slim_auth_url_is_https(options->issuer) ||
        (options->token_endpoint.len > 0 && !slim_auth_url_is_https(options->token_endpoint))) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "issuer and token_endpoint must be https URLs without user name and "
                              "fragment");
    }
    return SLIM_OK;
}

enum slim_status slim_auth_oidc_new(const struct slim_auth_oidc_options *options,
                                    const struct slim_auth_fetcher *fetcher,
                                    struct slim_auth_oidc **oidc, struct slim_error *error)
{
    SLIM_TRY(check_options(options, error));
    struct slim_auth_oidc *made = calloc(1, sizeof(*made));
    struct slim_buf pair = {0};
    if (made == NULL || put_request(made, options, &pair) != SLIM_OK) {
        slim_buf_wipe(&pair);
        slim_auth_oidc_free(made);
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
    }
    slim_buf_wipe(&pair);
    made->fetcher = *fetcher;
    made->is_endpoint_fixed = options->token_endpoint.len > 0;
    *oidc = made;
    return SLIM_OK;
}

void slim_auth_oidc_free(struct slim_auth_oidc *oidc)
{
    if (oidc == NULL) {
        return;
    }
    if (oidc->step != STEP_IDLE) {
        oidc->fetcher.cancel(oidc->fetcher.ctx, oidc->fetch_id);
    }
    slim_buf_fini(&oidc->issuer);
    slim_buf_fini(&oidc->endpoint);
    slim_buf_wipe(&oidc->authorization);
    slim_buf_wipe(&oidc->body);
    slim_buf_fini(&oidc->client_id);
    slim_buf_fini(&oidc->url);
    slim_buf_wipe(&oidc->token);
    free(oidc);
}

/* ---- fetching */

static void fail(struct slim_auth_oidc *oidc, uint64_t now_s)
{
    oidc->step = STEP_IDLE;
    oidc->said_s = now_s;
    oidc->due_s = now_s + slim_auth_retry_pause_s(oidc->fail_count++);
    if (!oidc->is_endpoint_fixed) {
        slim_buf_clear(&oidc->endpoint); /* it may have moved: discover it again */
    }
}

static void start_token(struct slim_auth_oidc *oidc)
{
    oidc->step = STEP_TOKEN;
    oidc->fetch_id++;
    struct slim_auth_fetch fetch = {
        .id = oidc->fetch_id,
        .url = slim_buf_view(&oidc->endpoint),
        .authorization = slim_buf_view(&oidc->authorization),
        .body = slim_buf_view(&oidc->body),
    };
    oidc->fetcher.start(oidc->fetcher.ctx, &fetch);
}

static void start_discovery(struct slim_auth_oidc *oidc, uint64_t now_s)
{
    if (slim_auth_url_below(slim_buf_view(&oidc->issuer), "/.well-known/openid-configuration",
                            &oidc->url) != SLIM_OK) {
        fail(oidc, now_s); /* no memory now: tried again like any failure */
        return;
    }
    oidc->step = STEP_DISCOVERY;
    oidc->fetch_id++;
    struct slim_auth_fetch fetch = {.id = oidc->fetch_id, .url = slim_buf_view(&oidc->url)};
    oidc->fetcher.start(oidc->fetcher.ctx, &fetch);
}

uint64_t slim_auth_oidc_tick(struct slim_auth_oidc *oidc, uint64_t now_s)
{
    if (oidc->step == STEP_IDLE && (now_s >= oidc->due_s || now_s < oidc->said_s)) {
        if (oidc->endpoint.len > 0) {
            start_token(oidc);
        } else {
            start_discovery(oidc, now_s);
        }
    }
    return oidc->step == STEP_IDLE ? oidc->due_s : now_s + SLIM_AUTH_OIDC_LIFE_S;
}

static enum slim_status take_document(struct slim_auth_oidc *oidc,
                                      const struct slim_auth_answer *answer,
                                      struct slim_error *error)
{
    if (answer->http_status != 200) {
        return slim_error_set(error, SLIM_ERR_CONNECT,
                              "the discovery document could not be fetched - status_code: %d",
                              answer->http_status);
    }
    SLIM_TRY(slim_auth_discovery_read(answer->body, slim_buf_view(&oidc->issuer), "token_endpoint",
                                      &oidc->endpoint, error));
    start_token(oidc);
    return SLIM_AGAIN;
}

/* A token goes into a header: visible ASCII without blanks. */
static bool is_header_text(struct slim_view text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f) {
            return false;
        }
    }
    return text.len > 0 && text.len <= SLIM_AUTH_TOKEN_BYTES_MAX;
}

static enum slim_status read_token(struct slim_auth_oidc *oidc, const struct slim_json *json,
                                   uint64_t now_s, struct slim_error *error)
{
    struct slim_view token;
    int64_t life_s = SLIM_AUTH_OIDC_LIFE_S;
    const struct slim_json *expires_in = slim_json_find(json, "expires_in");
    if (!slim_json_read_text(slim_json_find(json, "access_token"), &token) ||
        !is_header_text(token)) {
        return slim_error_set(error, SLIM_ERR_MALFORMED,
                              "the answer of the token endpoint has no usable access_token");
    }
    if (expires_in != NULL &&
        (!slim_json_read_integer(expires_in, &life_s) || life_s <= SLIM_AUTH_OIDC_SPARE_S ||
         life_s > SLIM_AUTH_DURATION_S_MAX)) {
        return slim_error_set(error, SLIM_ERR_INVALID,
                              "expires_in of the token endpoint must be %d to %d seconds",
                              (int)SLIM_AUTH_OIDC_SPARE_S + 1, (int)SLIM_AUTH_DURATION_S_MAX);
    }
    struct slim_buf copy = {0};
    if (slim_buf_put(&copy, token) != SLIM_OK) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
    }
    slim_buf_wipe(&oidc->token);
    oidc->token = copy;
    oidc->exp_s = now_s + (uint64_t)life_s;
    oidc->said_s = now_s;
    oidc->due_s = now_s + (uint64_t)life_s / 3 * 2;
    oidc->fail_count = 0;
    oidc->step = STEP_IDLE;
    return SLIM_OK;
}

static enum slim_status take_token(struct slim_auth_oidc *oidc,
                                   const struct slim_auth_answer *answer, uint64_t now_s,
                                   struct slim_error *error)
{
    static const struct slim_json_limits limits = {.bytes_max = SLIM_AUTH_FETCH_BYTES_MAX,
                                                   .depth_max = SLIM_AUTH_KEY_DEPTH_MAX};
    if (answer->http_status != 200) {
        return slim_error_set(
            error,
            answer->http_status == 400 || answer->http_status == 401 ? SLIM_ERR_AUTH
                                                                     : SLIM_ERR_CONNECT,
            "the token endpoint gave no token - status_code: %d", answer->http_status);
    }
    struct slim_json *json;
    SLIM_TRY(slim_json_parse(answer->body, &limits, &json, error));
    enum slim_status status = read_token(oidc, json, now_s, error);
    slim_json_free(json);
    return status;
}

enum slim_status slim_auth_oidc_take(struct slim_auth_oidc *oidc,
                                     const struct slim_auth_answer *answer, uint64_t now_s,
                                     struct slim_error *error)
{
    if (oidc->step == STEP_IDLE || answer->id != oidc->fetch_id) {
        return SLIM_AGAIN;
    }
    enum slim_status status = oidc->step == STEP_DISCOVERY ? take_document(oidc, answer, error)
                                                           : take_token(oidc, answer, now_s, error);
    if (status != SLIM_OK && status != SLIM_AGAIN) {
        fail(oidc, now_s);
    }
    return status;
}

/* ---- the provider */

struct oidc_provider {
    struct slim_auth_provider common;
    struct slim_auth_oidc *oidc;
};

static enum slim_status give(struct slim_auth_provider *provider, uint64_t now_s,
                             const uint8_t *pubkey, struct slim_buf *out, uint64_t *reuse_until_s)
{
    const struct slim_auth_oidc *oidc = ((struct oidc_provider *)provider)->oidc;
    if (pubkey != NULL) {
        return SLIM_ERR_UNSUPPORTED; /* OIDC Token Provider does not support custom claims */
    }
    if (oidc->token.len == 0) {
        return SLIM_AGAIN;
    }
    if (oidc->exp_s <= now_s + SLIM_AUTH_OIDC_SPARE_S) {
        return SLIM_ERR_EXPIRED;
    }
    *reuse_until_s = now_s;
    return slim_buf_put(out, slim_buf_view(&oidc->token));
}

static void fini(struct slim_auth_provider *provider)
{
    (void)provider; /* the client is borrowed */
}

static const struct slim_auth_provider_ops ops = {.make = give, .reload = NULL, .fini = fini};

enum slim_status slim_auth_provider_new_oidc(struct slim_auth_oidc *oidc,
                                             struct slim_auth_provider **provider)
{
    struct oidc_provider *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    made->common.ops = &ops;
    made->oidc = oidc;
    enum slim_status status =
        slim_auth_provider_set_id(&made->common, slim_buf_view(&oidc->client_id));
    if (status != SLIM_OK) {
        slim_auth_provider_free(&made->common);
        return status;
    }
    *provider = &made->common;
    return SLIM_OK;
}
