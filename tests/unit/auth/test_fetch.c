/* The state machines that ask for fetches: resolver and OIDC client. Their behaviour against real servers: tests/interop/test_auth_oidc.py. */
#include "auth/discovery.h"
#include "auth/oidc.h"
#include "auth/resolver.h"
#include "auth_support.h"

enum { NOW_S = 1795344500 };

static char last_url[256];
static uint64_t last_id;
static unsigned start_count;
static unsigned cancel_count;

static void start(void *ctx, const struct slim_auth_fetch *fetch)
{
    (void)ctx;
    (void)snprintf(last_url, sizeof(last_url), "%.*s", SLIM_VIEW_ARG(fetch->url)); /* short */
    CHECK(fetch->id != last_id);
    last_id = fetch->id;
    start_count++;
}

static void cancel(void *ctx, uint64_t id)
{
    (void)ctx;
    CHECK(id == last_id);
    cancel_count++;
}

static const struct slim_auth_fetcher fetcher = {start, cancel, NULL};

static void only_plain_https_urls_are_taken(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool is_good;
    } rows[] = {
        {"https://a.test", true},     {"https://a.test:8443/x?y", true},
        {"https://[::1]:1/", true},   {"http://a.test", false},
        {"HTTPS://a.test", false},    {"https://", false},
        {"https:///x", false},        {"https://:443", false},
        {"https://u@a.test", false},  {"https://a.test/#f", false},
        {"https://a.test/ x", false}, {"https://a.test\\@b", false},
        {"https://a.test/\n", false}, {"https://\xc3\xa9.test", false},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        CHECK_ROW(rows[i].url,
                  slim_auth_url_is_https(slim_view_str(rows[i].url)) == rows[i].is_good);
    }
}

static void an_origin_is_host_and_port(void **state)
{
    (void)state;
    static const struct {
        const char *a;
        const char *b;
        bool is_same;
    } rows[] = {
        {"https://a.test", "https://a.test/x", true},
        {"https://a.test", "https://A.Test:443/x", true},
        {"https://a.test:1", "https://a.test:1?x", true},
        {"https://a.test", "https://a.test:1", false},
        {"https://a.test", "https://a.test.evil", false},
        {"https://a.test", "https://b.test", false},
        {"https://a.test", "http://a.test", false},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        CHECK_ROW(rows[i].b,
                  slim_auth_url_is_same_origin(slim_view_str(rows[i].a),
                                               slim_view_str(rows[i].b)) == rows[i].is_same);
    }
}

static void answers_of_other_fetches_are_ignored(void **state)
{
    (void)state;
    static const struct slim_auth_issuer issuer = {{(const uint8_t *)"https://i.test/", 15}, {0}};
    struct slim_auth_resolver *resolver;
    CHECK_OK(slim_auth_resolver_new(&issuer, 1, &fetcher, &resolver, NULL));
    start_count = 0;
    CHECK(slim_auth_resolver_tick(resolver, NOW_S) > NOW_S);
    CHECK(start_count == 1);
    CHECK(strcmp(last_url, "https://i.test/.well-known/openid-configuration") == 0);
    struct slim_auth_answer answer = {.id = last_id + 1, .http_status = 404};
    CHECK(slim_auth_resolver_take(resolver, &answer, NOW_S, NULL) == SLIM_AGAIN);
    CHECK(start_count == 1);
    answer.id = last_id;
    CHECK(slim_auth_resolver_take(resolver, &answer, NOW_S, NULL) == SLIM_AGAIN);
    CHECK(start_count == 2 && strcmp(last_url, "https://i.test/.well-known/jwks.json") == 0);
    CHECK(slim_auth_resolver_tick(resolver, NOW_S + 5) > NOW_S + 5); /* one fetch at a time */
    CHECK(start_count == 2);
    cancel_count = 0;
    slim_auth_resolver_free(resolver);
    CHECK(cancel_count == 1);
}

static void a_clock_that_is_set_back_stops_nothing(void **state)
{
    (void)state;
    static const struct slim_auth_issuer issuer = {{(const uint8_t *)"https://i.test", 14}, {0}};
    enum { YEAR_S = 31536000 };
    struct slim_auth_resolver *resolver;
    struct slim_auth_answer answer = {0};
    last_id = 0;
    CHECK_OK(slim_auth_resolver_new(&issuer, 1, &fetcher, &resolver, NULL));
    (void)slim_auth_resolver_tick(resolver, NOW_S); /* starts a fetch */
    answer.id = last_id;
    CHECK(slim_auth_resolver_take(resolver, &answer, NOW_S, NULL) == SLIM_ERR_CONNECT);
    start_count = 0;
    CHECK(slim_auth_resolver_tick(resolver, NOW_S) == NOW_S + 1);
    CHECK(start_count == 0);
    CHECK(slim_auth_resolver_tick(resolver, NOW_S - YEAR_S) > NOW_S - YEAR_S);
    CHECK(start_count == 1);
    slim_auth_resolver_free(resolver);
}

static void bad_token_answers_are_refused(void **state)
{
    (void)state;
    static const struct slim_auth_oidc_options options = {
        .issuer = {(const uint8_t *)"https://i.test", 14},
        .token_endpoint = {(const uint8_t *)"https://elsewhere.test/token", 28},
        .client_id = {(const uint8_t *)"c", 1},
        .client_secret = {(const uint8_t *)"s", 1},
    };
    static const struct {
        const char *why;
        const char *body;
        enum slim_status want;
    } rows[] = {
        {"good", "{\"access_token\":\"abc\",\"expires_in\":61}", SLIM_OK},
        {"no expires_in", "{\"access_token\":\"abc\"}", SLIM_OK},
        {"no token", "{\"expires_in\":61}", SLIM_ERR_MALFORMED},
        {"token no text", "{\"access_token\":5}", SLIM_ERR_MALFORMED},
        {"empty token", "{\"access_token\":\"\"}", SLIM_ERR_MALFORMED},
        {"a line break in it", "{\"access_token\":\"a\\r\\nb\"}", SLIM_ERR_MALFORMED},
        {"too short a life", "{\"access_token\":\"abc\",\"expires_in\":60}", SLIM_ERR_INVALID},
        {"negative life", "{\"access_token\":\"abc\",\"expires_in\":-1}", SLIM_ERR_INVALID},
        {"life no number", "{\"access_token\":\"abc\",\"expires_in\":\"61\"}", SLIM_ERR_INVALID},
        {"endless life", "{\"access_token\":\"abc\",\"expires_in\":99999999999}", SLIM_ERR_INVALID},
        {"key twice", "{\"access_token\":\"abc\",\"access_token\":\"d\"}", SLIM_ERR_MALFORMED},
        {"no JSON", "abc", SLIM_ERR_MALFORMED},
        {"a list", "[]", SLIM_ERR_MALFORMED},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_auth_oidc *oidc;
        last_id = 0;
        CHECK_OK(slim_auth_oidc_new(&options, &fetcher, &oidc, NULL));
        (void)slim_auth_oidc_tick(oidc, NOW_S); /* starts the fetch */
        CHECK(strcmp(last_url, "https://elsewhere.test/token") == 0);
        struct slim_auth_answer answer = {last_id, 200, slim_view_str(rows[i].body)};
        struct slim_error error = {0};
        CHECK_ROW(rows[i].why, slim_auth_oidc_take(oidc, &answer, NOW_S, &error) == rows[i].want);
        CHECK_ROW(rows[i].why, (error.text[0] != '\0') == (rows[i].want != SLIM_OK));
        slim_auth_oidc_free(oidc);
    }
}

static const char document[] = "{\"issuer\":\"https://i.test\",\"jwks_uri\":\"https://i.test/k\","
                               "\"token_endpoint\":\"https://i.test/t\"}";
static const char jwks[] = "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"},{\"kty\":\"OKP\",\"crv\":"
                           "\"Ed25519\",\"kid\":\"e\",\"x\":\"rdGNgQG70OewjPGPU1Re8P0L8bBCCQFVIJ8YN"
                           "Qaqqhw\"}]}";

/* Answer the fetch under way; the generation of the keys afterwards. */
static uint64_t fetch_keys(struct slim_auth_resolver *resolver, const char *keys, uint64_t now_s)
{
    uint64_t fetch_count = start_count;
    (void)slim_auth_resolver_tick(resolver, now_s); /* begins one */
    CHECK(start_count == fetch_count + 1);
    struct slim_auth_answer answer = {last_id, 200, slim_view_str(keys)};
    CHECK_OK(slim_auth_resolver_take(resolver, &answer, now_s, NULL));
    return slim_auth_resolver_generation(resolver);
}

#define ED_KEY(kid, x) "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"" kid "\",\"x\":\"" x "\"}"
#define X_1 "rdGNgQG70OewjPGPU1Re8P0L8bBCCQFVIJ8YNQaqqhw"
#define X_2 "rdGNgQG70OewjPGPU1Re8P0L8bBCCQFVIJ8YNQaqqh0"

/* The generation is what makes verifiers forget the tokens that they know: whoever can ask for an unknown kid must not cause that. */
static void keys_that_are_fetched_again_or_added_leave_known_tokens_alone(void **state)
{
    (void)state;
    static const struct slim_auth_issuer issuer = {{(const uint8_t *)"https://i.test", 14},
                                                   {(const uint8_t *)"https://i.test/k", 16}};
    static const struct {
        const char *why;
        const char *keys;
        uint64_t generation;
    } rows[] = {
        {"the first", "{\"keys\":[" ED_KEY("a", X_1) "]}", 1},
        {"the same again", "{\"keys\":[" ED_KEY("a", X_1) "]}", 1},
        {"one more", "{\"keys\":[" ED_KEY("b", X_1) "," ED_KEY("a", X_1) "]}", 1},
        {"one is another key now", "{\"keys\":[" ED_KEY("b", X_1) "," ED_KEY("a", X_2) "]}", 2},
        {"one has another name now", "{\"keys\":[" ED_KEY("c", X_1) "," ED_KEY("a", X_2) "]}", 3},
        {"one is gone", "{\"keys\":[" ED_KEY("a", X_2) "]}", 4},
    };
    struct slim_auth_resolver *resolver;
    last_id = 0;
    CHECK_OK(slim_auth_resolver_new(&issuer, 1, &fetcher, &resolver, NULL));
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        uint64_t now_s = NOW_S + i * SLIM_AUTH_JWKS_RENEW_S;
        CHECK_ROW(rows[i].why, fetch_keys(resolver, rows[i].keys, now_s) == rows[i].generation);
    }
    slim_auth_resolver_free(resolver);
}

static void sweep(void)
{
    static const struct slim_auth_issuer issuer = {{(const uint8_t *)"https://i.test", 14}, {0}};
    static const struct slim_auth_oidc_options options = {
        .issuer = {(const uint8_t *)"https://i.test", 14},
        .client_id = {(const uint8_t *)"c", 1},
        .client_secret = {(const uint8_t *)"s", 1},
        .scope = {(const uint8_t *)"a b", 3},
    };
    struct slim_auth_resolver *resolver = NULL;
    struct slim_auth_oidc *oidc = NULL;
    struct slim_auth_provider *provider = NULL;
    struct slim_view token;
    last_id = 0;
    if (slim_auth_resolver_new(&issuer, 1, &fetcher, &resolver, NULL) == SLIM_OK) {
        (void)slim_auth_resolver_tick(resolver, NOW_S); /* starts a fetch, if there is memory */
        struct slim_auth_answer answer = {last_id, 200, slim_view_str(document)};
        if (slim_auth_resolver_take(resolver, &answer, NOW_S, NULL) == SLIM_AGAIN) {
            answer = (struct slim_auth_answer){last_id, 200, slim_view_str(jwks)};
            if (slim_auth_resolver_take(resolver, &answer, NOW_S, NULL) == SLIM_OK) {
                CHECK(slim_auth_resolver_generation(resolver) == 1);
            }
        }
    }
    last_id = 0;
    if (slim_auth_oidc_new(&options, &fetcher, &oidc, NULL) == SLIM_OK &&
        slim_auth_provider_new_oidc(oidc, &provider) == SLIM_OK) {
        (void)slim_auth_oidc_tick(oidc, NOW_S); /* starts a fetch, if there is memory */
        struct slim_auth_answer answer = {last_id, 200, slim_view_str(document)};
        if (slim_auth_oidc_take(oidc, &answer, NOW_S, NULL) == SLIM_AGAIN) {
            answer = (struct slim_auth_answer){last_id, 200, SLIM_VIEW("{\"access_token\":\"t\"}")};
            if (slim_auth_oidc_take(oidc, &answer, NOW_S, NULL) == SLIM_OK &&
                slim_auth_provider_token(provider, NOW_S, &token) == SLIM_OK) {
                CHECK_VIEW(token, "t");
            }
        }
    }
    slim_auth_provider_free(provider);
    slim_auth_oidc_free(oidc);
    slim_auth_resolver_free(resolver);
}

static void out_of_memory_leaks_nothing(void **state)
{
    (void)state;
    slim_sweep_alloc(sweep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_plain_https_urls_are_taken),
        cmocka_unit_test(an_origin_is_host_and_port),
        cmocka_unit_test(answers_of_other_fetches_are_ignored),
        cmocka_unit_test(a_clock_that_is_set_back_stops_nothing),
        cmocka_unit_test(bad_token_answers_are_refused),
        cmocka_unit_test(keys_that_are_fetched_again_or_added_leave_known_tokens_alone),
        cmocka_unit_test(out_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
