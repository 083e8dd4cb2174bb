/* Which keys are taken, and for what. Signatures with keys of every kind: tests/interop/test_auth_jwt.py. */
#include "auth/jwt.h"

#include "auth_support.h"
#include "base/base64.h"

enum { NOW_S = 1795344500 };

/* Of libcrypto: what is left in the queue of its errors would be taken for an error of the next TLS connection of this thread. */
unsigned long ERR_peek_error(void);

static enum slim_status try_key(enum slim_auth_alg alg, enum slim_auth_key_format format,
                                const char *text, struct slim_error *error)
{
    struct slim_auth_rules rules = {.alg = alg, .format = format, .key = slim_view_str(text)};
    struct slim_auth_verifier *verifier = NULL;
    *error = (struct slim_error){0};
    enum slim_status status = slim_auth_verifier_new_jwt(&rules, test_random, &verifier, error);
    slim_auth_verifier_free(verifier);
    CHECK(ERR_peek_error() == 0);
    return status;
}

/* A public RSA key without its last bytes, which are the exponent: one byte follows. */
static const char rsa_head[] = "-----BEGIN PUBLIC KEY-----\n"
                               "MIIBIDANBgkqhkiG9w0BAQEFAAOCAQ0AMIIBCAKCAQEAt6goLduJoOFQIlLm3U3Q\n"
                               "MKdAU6+Yv20MRrdic5eTM6jVpGxVI9U3TN0Nk+Y4vRbp875r3UmaTLMjhN618u+J\n"
                               "4PQ17ZKQxYQ3kwd2Zm/s5EwFQzBoq+pJ+ShT9aWnzq9DWZu6cvDaLllPcqmh6RhD\n"
                               "HLmM4zY48AnP6rQeUHyzXbkUdR2iRZSAmfSF+asKLYyzT+T0y+aPeHcjfWKp8oec\n"
                               "MvYJtzsjo+XHsMZzRO/8PeklVg+zdh8bMZGAOpcwGLy71XTg5xxn0hlLbH6/Fm8C\n"
                               "FUW4RYE0CcYki7CdTaK0GLxQvluKXCmNpwBQ9MNGIh3XBc1k/dvzD6wEBVAVEYkQ\n"
                               "GQIB";

/* The same modulus in a JWK. */
static const char rsa_n[] =
    "t6goLduJoOFQIlLm3U3QMKdAU6-Yv20MRrdic5eTM6jVpGxVI9U3TN0Nk-Y4vRbp875r3UmaTLMjhN61"
    "8u-J4PQ17ZKQxYQ3kwd2Zm_s5EwFQzBoq-pJ-ShT9aWnzq9DWZu6cvDaLllPcqmh6RhDHLmM4zY48AnP"
    "6rQeUHyzXbkUdR2iRZSAmfSF-asKLYyzT-T0y-aPeHcjfWKp8oecMvYJtzsjo-XHsMZzRO_8PeklVg-z"
    "dh8bMZGAOpcwGLy71XTg5xxn0hlLbH6_Fm8CFUW4RYE0CcYki7CdTaK0GLxQvluKXCmNpwBQ9MNGIh3X"
    "Bc1k_dvzD6wEBVAVEYkQGQ";

static void an_rsa_key_needs_an_exponent_that_signs(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *exponent;
        const char *jwk_e;
        enum slim_status want;
    } rows[] = {
        {"3", "Aw==", "Aw", SLIM_OK},
        {"1: a signature is the padded hash itself", "AQ==", "AQ", SLIM_ERR_CONFIG},
        {"2: even", "Ag==", "Ag", SLIM_ERR_CONFIG},
        {"0", "AA==", "AA", SLIM_ERR_CONFIG},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        char text[1024];
        struct slim_error error;
        (void)snprintf(text, sizeof(text), "%s%s\n-----END PUBLIC KEY-----\n", rsa_head,
                       rows[i].exponent); /* fits */
        CHECK_ROW(rows[i].why,
                  try_key(SLIM_AUTH_ALG_RS256, SLIM_AUTH_KEY_PEM, text, &error) == rows[i].want);
        CHECK_ROW(rows[i].why, (error.text[0] != '\0') == (rows[i].want != SLIM_OK));
        (void)snprintf(text, sizeof(text), "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}", rsa_n,
                       rows[i].jwk_e); /* fits */
        CHECK_ROW(rows[i].why,
                  try_key(SLIM_AUTH_ALG_RS256, SLIM_AUTH_KEY_JWK, text, &error) == rows[i].want);
    }
}

static void what_everybody_may_read_is_no_secret(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *text;
        enum slim_status want;
    } rows[] = {
        {"a secret", "forty bytes of text that nobody can guess", SLIM_OK},
        {"a private key is at least secret", "-----BEGIN PRIVATE KEY-----\nAAAAAAAAAAAAAAAAAA",
         SLIM_OK},
        {"a public key", "-----BEGIN PUBLIC KEY-----\nAAAAAAAAAAAAAAAAAA", SLIM_ERR_CONFIG},
        {"behind white space", "\n -----BEGIN RSA PUBLIC KEY-----\nAAAAAAAAAA", SLIM_ERR_CONFIG},
        {"a certificate", "-----BEGIN CERTIFICATE-----\nAAAAAAAAAAAAAAAAAA", SLIM_ERR_CONFIG},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_error error;
        CHECK_ROW(rows[i].why, try_key(SLIM_AUTH_ALG_HS256, SLIM_AUTH_KEY_PEM, rows[i].text,
                                       &error) == rows[i].want);
        CHECK_ROW(rows[i].why, (error.text[0] != '\0') == (rows[i].want != SLIM_OK));
    }
}

/* Labels of a type they must not have are not the same as labels left out: those set a key free. */
static void a_jwk_with_labels_of_the_wrong_type_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        enum slim_status want;
    } rows[] = {
        {"\"kid\":\"a\",\"alg\":\"EdDSA\",\"use\":\"sig\",\"key_ops\":[\"verify\"]", SLIM_OK},
        {"\"x\":1", SLIM_ERR_CONFIG},
        {"\"kid\":7", SLIM_ERR_CONFIG},
        {"\"kid\":null", SLIM_ERR_CONFIG},
        {"\"alg\":7", SLIM_ERR_CONFIG},
        {"\"alg\":[\"EdDSA\"]", SLIM_ERR_CONFIG},
        {"\"alg\":\"RS256\"", SLIM_ERR_CONFIG},
        {"\"use\":[\"enc\"]", SLIM_ERR_CONFIG},
        {"\"use\":\"enc\"", SLIM_ERR_CONFIG},
        {"\"key_ops\":\"verify\"", SLIM_ERR_CONFIG},
        {"\"key_ops\":[\"sign\"]", SLIM_ERR_CONFIG},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        char text[512];
        struct slim_error error;
        (void)snprintf(text, sizeof(text), "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",%s%s}",
                       rows[i].label,
                       strstr(rows[i].label, "\"x\"") != NULL
                           ? ""
                           : ",\"x\":\"rdGNgQG70OewjPGPU1Re8P0L8bBCCQFVIJ8YNQaqqhw\""); /* fits */
        CHECK_ROW(rows[i].label,
                  try_key(SLIM_AUTH_ALG_NONE, SLIM_AUTH_KEY_JWK, text, &error) == rows[i].want);
        CHECK_ROW(rows[i].label, (error.text[0] != '\0') == (rows[i].want != SLIM_OK));
    }
}

static struct slim_auth_verifier *new_verifier(const struct slim_auth_rules *rules)
{
    struct slim_auth_verifier *verifier;
    struct slim_error error = {0};
    CHECK_ROW(error.text,
              slim_auth_verifier_new_jwt(rules, test_random, &verifier, &error) == SLIM_OK);
    return verifier;
}

static enum slim_auth_alg alg_of(struct slim_view text)
{
    enum slim_auth_alg alg;
    CHECK_OK(slim_auth_alg_parse(text, &alg));
    return alg;
}

/* A JWKS with the Ed25519 key of a PEM text. */
static void put_jwks(struct slim_view pem, struct slim_buf *out)
{
    enum { DER_BYTES = 44, KEY_BYTES = 32 };
    struct slim_view body = slim_view_skip(pem, strlen("-----BEGIN PUBLIC KEY-----\n"));
    uint8_t der[DER_BYTES];
    size_t len;
    body.len = 60; /* the base64 of one such key */
    CHECK_OK(slim_base64_decode(SLIM_BASE64_STANDARD, body, der, sizeof(der), &len));
    CHECK(len == DER_BYTES);
    CHECK_OK(slim_buf_put_text(
        out, "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k\",\"x\":\""));
    CHECK_OK(slim_base64_put(SLIM_BASE64_URL, slim_view_of(der + DER_BYTES - KEY_BYTES, KEY_BYTES),
                             out));
    CHECK_OK(slim_buf_put(out, SLIM_VIEW("\"}]}")));
}

/* A trust bundle with that key under one domain. */
static void put_bundle(const char *domain, struct slim_view pem, struct slim_buf *out)
{
    struct slim_buf jwks = {0};
    put_jwks(pem, &jwks);
    slim_buf_clear(out);
    CHECK_OK(slim_buf_put_text(out, "{\"%s\":\"", domain));
    CHECK_OK(slim_base64_put(SLIM_BASE64_STANDARD, slim_buf_view(&jwks), out));
    CHECK_OK(slim_buf_put(out, SLIM_VIEW("\"}")));
    slim_buf_fini(&jwks);
}

static const struct slim_json *eddsa_case(const struct slim_json *json)
{
    const struct slim_json *cases = slim_json_find(json, "cases");
    for (size_t i = 0; i < slim_json_count(cases); i++) {
        const struct slim_json *vector = slim_json_at(cases, i);
        if (alg_of(text_of(vector, "alg")) == SLIM_AUTH_ALG_EDDSA) {
            return vector;
        }
    }
    return NULL;
}

static void a_domain_of_a_bundle_speaks_for_its_spiffe_ids_only(void **state)
{
    (void)state;
    static const struct {
        const char *domain;
        const char *subject;
        enum slim_auth_check want;
    } rows[] = {
        {"a.test", "spiffe://a.test/x", SLIM_AUTH_CHECK_NONE},
        {"a.test", "spiffe://a.test", SLIM_AUTH_CHECK_NONE},
        {"a.test", "no SPIFFE id", SLIM_AUTH_CHECK_NONE},
        {"a.test", "spiffe://b.test/x", SLIM_AUTH_CHECK_KEY},
        {"a.test", "spiffe://a.test/x/../y", SLIM_AUTH_CHECK_KEY},
        {"a.test", "spiffe://a.test//x", SLIM_AUTH_CHECK_KEY},
        {"", "spiffe://b.test/x", SLIM_AUTH_CHECK_KEY},
        {"", "spiffe://b.test//x", SLIM_AUTH_CHECK_KEY},
    };
    struct slim_json *json = load_vectors("jwt-identity-tokens.json");
    const struct slim_json *vector = eddsa_case(json);
    CHECK(vector != NULL);
    struct slim_buf bundle = {0};
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_auth_jwt_options options = {
            .alg = SLIM_AUTH_ALG_EDDSA,
            .key = text_of(vector, "signing_key"),
            .subject = slim_view_str(rows[i].subject),
        };
        struct slim_auth_provider *provider;
        struct slim_view token;
        struct slim_auth_identity identity;
        enum slim_auth_check check = SLIM_AUTH_CHECK_NONE;
        CHECK_OK(slim_auth_provider_new_jwt(&options, &provider, NULL));
        CHECK_OK(slim_auth_provider_token(provider, NOW_S, &token));
        put_bundle(rows[i].domain, text_of(vector, "verify_key"), &bundle);
        struct slim_auth_rules rules = {.format = SLIM_AUTH_KEY_BUNDLE,
                                        .key = slim_buf_view(&bundle)};
        struct slim_auth_verifier *verifier = new_verifier(&rules);
        enum slim_status status = slim_auth_verify(verifier, token, NOW_S, &check, &identity);
        CHECK_ROW(rows[i].subject, status == slim_auth_check_status(rows[i].want));
        CHECK_ROW(rows[i].subject, check == rows[i].want);
        slim_auth_verifier_free(verifier);
        slim_auth_provider_free(provider);
    }
    slim_buf_fini(&bundle);
    slim_json_free(json);
}

static uint64_t last_fetch_id;

static void note_fetch(void *ctx, const struct slim_auth_fetch *fetch)
{
    (void)ctx;
    last_fetch_id = fetch->id;
}

static void ignore_cancel(void *ctx, uint64_t id)
{
    (void)ctx;
    (void)id;
}

static void a_verified_token_outlives_no_fetched_keys(void **state)
{
    (void)state;
    static const struct slim_view name = {(const uint8_t *)"https://i.test", 14};
    static const struct slim_auth_issuer from = {{(const uint8_t *)"https://i.test", 14},
                                                 {(const uint8_t *)"https://i.test/k", 16}};
    static const struct slim_auth_fetcher fetcher = {note_fetch, ignore_cancel, NULL};
    struct slim_json *json = load_vectors("jwt-identity-tokens.json");
    const struct slim_json *vector = eddsa_case(json);
    struct slim_auth_jwt_options options = {
        .alg = SLIM_AUTH_ALG_EDDSA,
        .key = text_of(vector, "signing_key"),
        .issuer = name,
        .subject = SLIM_VIEW("s"),
        .duration_s = 2 * SLIM_AUTH_JWKS_LIFE_S,
    };
    struct slim_auth_provider *provider;
    struct slim_auth_resolver *resolver;
    struct slim_auth_identity identity;
    struct slim_buf jwks = {0};
    struct slim_view token;
    CHECK_OK(slim_auth_provider_new_jwt(&options, &provider, NULL));
    CHECK_OK(slim_auth_provider_token(provider, NOW_S, &token));
    CHECK_OK(slim_auth_resolver_new(&from, 1, &fetcher, &resolver, NULL));
    struct slim_auth_rules rules = {.issuers = &name, .issuer_count = 1, .resolver = resolver};
    struct slim_auth_verifier *verifier = new_verifier(&rules);
    CHECK(slim_auth_verify(verifier, token, NOW_S, NULL, &identity) == SLIM_AGAIN);
    put_jwks(text_of(vector, "verify_key"), &jwks);
    struct slim_auth_answer answer = {last_fetch_id, 200, slim_buf_view(&jwks)};
    CHECK_OK(slim_auth_resolver_take(resolver, &answer, NOW_S, NULL));
    CHECK_OK(slim_auth_verify(verifier, token, NOW_S, NULL, &identity));
    CHECK_OK(slim_auth_verify(verifier, token, NOW_S + SLIM_AUTH_JWKS_LIFE_S - 1, NULL, &identity));
    CHECK(slim_auth_verifier_stats(verifier)->cached_count == 1);
    CHECK(slim_auth_verify(verifier, token, NOW_S + SLIM_AUTH_JWKS_LIFE_S, NULL, &identity) ==
          SLIM_AGAIN); /* the issuer may have withdrawn them: asked again */
    answer.id = last_fetch_id;
    CHECK_OK(slim_auth_resolver_take(resolver, &answer, NOW_S + SLIM_AUTH_JWKS_LIFE_S, NULL));
    CHECK_OK(slim_auth_verify(verifier, token, NOW_S + SLIM_AUTH_JWKS_LIFE_S, NULL, &identity));
    slim_auth_verifier_free(verifier);
    slim_auth_resolver_free(resolver);
    slim_auth_provider_free(provider);
    slim_buf_fini(&jwks);
    slim_json_free(json);
}

static void a_refused_key_leaves_no_error_behind(void **state)
{
    (void)state;
    static const struct {
        enum slim_auth_alg alg;
        enum slim_auth_key_format format;
        const char *text;
    } rows[] = {
        {SLIM_AUTH_ALG_RS256, SLIM_AUTH_KEY_PEM, "no PEM at all"},
        {SLIM_AUTH_ALG_RS256, SLIM_AUTH_KEY_PEM, ""},
        {SLIM_AUTH_ALG_ES256, SLIM_AUTH_KEY_PEM,
         "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n"},
        {SLIM_AUTH_ALG_EDDSA, SLIM_AUTH_KEY_PEM,
         "-----BEGIN PUBLIC KEY-----\n!!!!\n-----END PUBLIC KEY-----\n"},
        {SLIM_AUTH_ALG_ES256, SLIM_AUTH_KEY_JWK,
         "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
         "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}"},
        {SLIM_AUTH_ALG_RS256, SLIM_AUTH_KEY_JWK, "{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQAB\"}"},
        {SLIM_AUTH_ALG_EDDSA, SLIM_AUTH_KEY_JWK,
         "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"}"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_error error; /* try_key looks at the queue */
        CHECK_ROW(rows[i].text,
                  try_key(rows[i].alg, rows[i].format, rows[i].text, &error) == SLIM_ERR_CONFIG);
        struct slim_auth_jwt_options options = {
            .alg = rows[i].alg, .key = slim_view_str(rows[i].text), .subject = SLIM_VIEW("x")};
        struct slim_auth_provider *provider;
        CHECK_ROW(rows[i].text,
                  slim_auth_provider_new_jwt(&options, &provider, NULL) == SLIM_ERR_CONFIG);
        CHECK_ROW(rows[i].text, ERR_peek_error() == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_key_leaves_no_error_behind),
        cmocka_unit_test(an_rsa_key_needs_an_exponent_that_signs),
        cmocka_unit_test(what_everybody_may_read_is_no_secret),
        cmocka_unit_test(a_jwk_with_labels_of_the_wrong_type_is_refused),
        cmocka_unit_test(a_domain_of_a_bundle_speaks_for_its_spiffe_ids_only),
        cmocka_unit_test(a_verified_token_outlives_no_fetched_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
