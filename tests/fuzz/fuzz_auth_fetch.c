/* Any bytes as answers of an issuer: discovery documents, JWKS, answers of a token endpoint. Whatever comes, no other origin is asked. */
#include <stdlib.h>

#include "auth/oidc.h"
#include "auth/resolver.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t last_id;

static void start(void *ctx, const struct slim_auth_fetch *fetch)
{
    (void)ctx;
    struct slim_view origin = SLIM_VIEW("https://i.test");
    REQUIRE(fetch->url.len >= origin.len && memcmp(fetch->url.data, origin.data, 8) == 0);
    for (size_t i = 8; i < origin.len; i++) {
        REQUIRE((fetch->url.data[i] | 0x20) == (origin.data[i] | 0x20));
    }
    if (fetch->url.len > origin.len) {
        uint8_t next = fetch->url.data[origin.len];
        REQUIRE(next == '/' || next == '?' || next == ':');
        REQUIRE(next != ':' ||
                slim_view_has_prefix(slim_view_skip(fetch->url, origin.len), SLIM_VIEW(":443")));
    }
    last_id = fetch->id;
}

static void cancel(void *ctx, uint64_t id)
{
    (void)ctx;
    REQUIRE(id == last_id);
}

static const struct slim_auth_fetcher fetcher = {start, cancel, NULL};
enum { NOW_S = 1795344500 };

/* Two answers, cut at the first zero byte. */
static void split(struct slim_view input, struct slim_view part[static 2])
{
    const uint8_t *end = input.len == 0 ? NULL : memchr(input.data, 0, input.len);
    size_t len = end == NULL ? input.len : (size_t)(end - input.data);
    part[0] = slim_view_of(input.data, len);
    part[1] = end == NULL ? SLIM_VIEW("") : slim_view_skip(input, len + 1);
}

static void run_resolver(const struct slim_view part[static 2], int http_status)
{
    static const struct slim_auth_issuer issuer = {{(const uint8_t *)"https://i.test", 14}, {0}};
    struct slim_auth_resolver *resolver;
    REQUIRE(slim_auth_resolver_new(&issuer, 1, &fetcher, &resolver, NULL) == SLIM_OK);
    (void)slim_auth_resolver_tick(resolver, NOW_S); /* starts the first fetch */
    struct slim_auth_answer answer = {last_id, http_status, part[0]};
    struct slim_error error = {0};
    enum slim_status status = slim_auth_resolver_take(resolver, &answer, NOW_S, &error);
    REQUIRE(status != SLIM_OK);
    if (status == SLIM_AGAIN) {
        answer = (struct slim_auth_answer){last_id, 200, part[1]};
        status = slim_auth_resolver_take(resolver, &answer, NOW_S, &error);
        REQUIRE((status == SLIM_OK) == (slim_auth_resolver_generation(resolver) == 1));
    }
    REQUIRE(status == SLIM_OK || error.text[0] != '\0');
    slim_auth_resolver_free(resolver);
}

static void run_oidc(const struct slim_view part[static 2])
{
    static const struct slim_auth_oidc_options options = {
        .issuer = {(const uint8_t *)"https://i.test", 14},
        .client_id = {(const uint8_t *)"c", 1},
        .client_secret = {(const uint8_t *)"s", 1},
    };
    struct slim_auth_oidc *oidc;
    struct slim_auth_provider *provider;
    REQUIRE(slim_auth_oidc_new(&options, &fetcher, &oidc, NULL) == SLIM_OK);
    REQUIRE(slim_auth_provider_new_oidc(oidc, &provider) == SLIM_OK);
    (void)slim_auth_oidc_tick(oidc, NOW_S); /* starts the first fetch */
    struct slim_auth_answer answer = {last_id, 200, part[0]};
    enum slim_status status = slim_auth_oidc_take(oidc, &answer, NOW_S, NULL);
    if (status == SLIM_AGAIN) {
        answer = (struct slim_auth_answer){last_id, 200, part[1]};
        status = slim_auth_oidc_take(oidc, &answer, NOW_S, NULL);
        struct slim_view token;
        REQUIRE((slim_auth_provider_token(provider, NOW_S, &token) == SLIM_OK) ==
                (status == SLIM_OK));
    }
    slim_auth_provider_free(provider);
    slim_auth_oidc_free(oidc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct slim_view part[2];
    split(slim_view_of(data + 1, size - 1), part);
    if (data[0] % 3 == 2) {
        run_oidc(part);
    } else {
        run_resolver(part, data[0] % 3 == 1 ? 404 : 200);
    }
    return 0;
}
