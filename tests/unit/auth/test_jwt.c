#include "auth/jwt.h"

#include "auth_support.h"
#include "base/base64.h"

static const struct slim_view issuer = {(const uint8_t *)"test-issuer", 11};
static const struct slim_view audience = {(const uint8_t *)"slim-aud", 8};
static const char hmac_text[] = "hmac-key-for-test-vectors-0123456789";
enum { NOW_S = 1795344500 };

static struct slim_auth_rules rules_of(enum slim_auth_alg alg, struct slim_view key,
                                       bool is_lenient)
{
    return (struct slim_auth_rules){
        .issuers = &issuer,
        .issuer_count = 1,
        .audiences = &audience,
        .audience_count = 1,
        .alg = alg,
        .format = SLIM_AUTH_KEY_PEM,
        .key = key,
        .is_lenient = is_lenient,
    };
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

/* A token over any header and payload, signed with the HMAC key of the vectors. */
static struct slim_view forge(const char *header, const char *payload, enum slim_auth_alg alg,
                              struct slim_buf *out)
{
    struct slim_auth_key key = {.family = SLIM_AUTH_FAMILY_HMAC};
    struct slim_buf mac = {0};
    slim_buf_clear(out);
    CHECK_OK(slim_buf_put(&key.secret, slim_view_str(hmac_text)));
    CHECK_OK(slim_base64_put(SLIM_BASE64_URL, slim_view_str(header), out));
    CHECK_OK(slim_buf_put_byte(out, '.'));
    CHECK_OK(slim_base64_put(SLIM_BASE64_URL, slim_view_str(payload), out));
    CHECK_OK(slim_auth_key_sign(&key, alg, slim_buf_view(out), &mac));
    CHECK_OK(slim_buf_put_byte(out, '.'));
    CHECK_OK(slim_base64_put(SLIM_BASE64_URL, slim_buf_view(&mac), out));
    slim_buf_fini(&mac);
    slim_auth_key_fini(&key);
    return slim_buf_view(out);
}

static void recorded_tokens_of_every_key_kind_verify(void **state)
{
    (void)state;
    struct slim_json *json = load_vectors("jwt-identity-tokens.json");
    const struct slim_json *cases = slim_json_find(json, "cases");
    CHECK(slim_json_count(cases) == 4);
    for (size_t i = 0; i < slim_json_count(cases); i++) {
        const struct slim_json *vector = slim_json_at(cases, i);
        struct slim_auth_rules rules =
            rules_of(alg_of(text_of(vector, "alg")), text_of(vector, "verify_key"), false);
        struct slim_auth_verifier *verifier = new_verifier(&rules);
        struct slim_auth_claims claims;
        struct slim_auth_identity identity;
        CHECK_OK(
            slim_auth_verify(verifier, text_of(vector, "header_identity"), NOW_S, NULL, &identity));
        CHECK_VIEW(identity.id, "org/default/jbob");
        CHECK_OK(slim_auth_read_claims(verifier, text_of(vector, "header_identity"), NOW_S, NULL,
                                       &claims));
        CHECK_VIEW(claims.subject, "org/default/jbob");
        CHECK(claims.pubkey.len == 0);
        CHECK_OK(slim_auth_read_claims(verifier, text_of(vector, "credential_token"), NOW_S, NULL,
                                       &claims));
        CHECK(slim_view_is_equal(claims.pubkey, text_of(vector, "leaf_signature_key_b64")));
        CHECK(slim_auth_verify(verifier, text_of(vector, "header_identity"), NOW_S + 7200, NULL,
                               &identity) == SLIM_ERR_EXPIRED);
        slim_auth_verifier_free(verifier);
    }
    slim_json_free(json);
}

static void tokens_are_made_like_the_recorded_ones(void **state)
{
    (void)state;
    struct slim_json *json = load_vectors("jwt-identity-tokens.json");
    const struct slim_json *cases = slim_json_find(json, "cases");
    for (size_t i = 0; i < slim_json_count(cases); i++) {
        const struct slim_json *vector = slim_json_at(cases, i);
        struct slim_auth_jwt_options options = {
            .alg = alg_of(text_of(vector, "alg")),
            .key = text_of(vector, "signing_key"),
            .issuer = issuer,
            .subject = SLIM_VIEW("org/default/jbob"),
            .audiences = &audience,
            .audience_count = 1,
        };
        struct slim_auth_provider *provider;
        CHECK_OK(slim_auth_provider_new_jwt(&options, &provider, NULL));
        CHECK_VIEW(slim_auth_provider_id(provider), "org/default/jbob");
        const struct slim_json *claims =
            slim_json_at(slim_json_find(vector, "credential_token_decoded"), 1);
        uint8_t pubkey[SLIM_AUTH_PUBKEY_BYTES];
        size_t len;
        CHECK_OK(slim_base64_decode(SLIM_BASE64_STANDARD, text_of(claims, "pubkey"), pubkey,
                                    sizeof(pubkey), &len));
        struct slim_buf made = {0};
        CHECK_OK(slim_auth_provider_make(provider, number_of(claims, "iat"), pubkey, &made));
        struct slim_view want = text_of(vector, "credential_token");
        if (options.alg == SLIM_AUTH_ALG_ES256) { /* its signatures are random: compare the rest */
            const uint8_t *dot = memrchr(want.data, '.', want.len);
            want.len = (size_t)(dot - want.data);
            made.len = want.len;
        }
        CHECK(slim_view_is_equal(slim_buf_view(&made), want));
        slim_buf_fini(&made);
        slim_auth_provider_free(provider);
    }
    slim_json_free(json);
}

/* What the reference refuses and ours takes (auth.md 4.2), and what it takes and ours refuses unless lenient. */
static bool is_taken_by_ours_only(struct slim_view name)
{
    return slim_view_is_equal(name, SLIM_VIEW("aud as string")) ||
           slim_view_is_equal(name, SLIM_VIEW("iss as array")) ||
           slim_view_is_equal(name, SLIM_VIEW("boolean claim")) ||
           slim_view_is_equal(name, SLIM_VIEW("null claim")) ||
           slim_view_is_equal(name, SLIM_VIEW("float exp"));
}

static bool is_refused_by_ours_only(struct slim_view name)
{
    return slim_view_is_equal(name, SLIM_VIEW("no iss")) ||
           slim_view_is_equal(name, SLIM_VIEW("no aud")) ||
           slim_view_is_equal(name, SLIM_VIEW("nbf one hour ahead")) ||
           slim_view_is_equal(name, SLIM_VIEW("alg HS384 same key"));
}

static void probes_get_the_verdict_of_the_reference(void **state)
{
    (void)state;
    struct slim_json *json = load_vectors("verifier-probes.json");
    const struct slim_json *probes = slim_json_find(json, "jwt_hs256");
    CHECK(slim_json_count(probes) >= 22);
    for (int is_lenient = 0; is_lenient < 2; is_lenient++) {
        struct slim_auth_rules rules =
            rules_of(SLIM_AUTH_ALG_HS256, text_of(json, "jwt_hmac_key"), is_lenient != 0);
        struct slim_auth_verifier *verifier = new_verifier(&rules);
        for (size_t i = 0; i < slim_json_count(probes); i++) {
            const struct slim_json *probe = slim_json_at(probes, i);
            struct slim_view name = text_of(probe, "case");
            bool want = flag_of(probe, "accepted") || is_taken_by_ours_only(name);
            want = want && (is_lenient || !is_refused_by_ours_only(name));
            char why[128];
            (void)snprintf(why, sizeof(why), "%.*s", SLIM_VIEW_ARG(name)); /* short */
            struct slim_auth_identity identity;
            enum slim_auth_check check = SLIM_AUTH_CHECK_NONE;
            enum slim_status status = slim_auth_verify(
                verifier, text_of(probe, "token"), number_of(probe, "sent_at"), &check, &identity);
            CHECK_ROW(why, (status == SLIM_OK) == want);
            CHECK_ROW(why, status == slim_auth_check_status(check));
        }
        slim_auth_verifier_free(verifier);
    }
    slim_json_free(json);
}

#define HEADER "{\"typ\":\"JWT\",\"alg\":\"HS256\"}"
#define NAMES "\"iss\":\"test-issuer\",\"aud\":[\"slim-aud\"]"
#define TIMES "\"exp\":1795348100,\"iat\":1795344500,\"nbf\":1795344500"
#define GOOD "{" NAMES ",\"sub\":\"me\"," TIMES "}"

static const struct {
    const char *why;
    const char *header;
    const char *payload;
    enum slim_auth_check want;
} rule_rows[] = {
    {"good", HEADER, GOOD, SLIM_AUTH_CHECK_NONE},
    {"typ missing", "{\"alg\":\"HS256\"}", GOOD, SLIM_AUTH_CHECK_NONE},
    {"typ null", "{\"alg\":\"HS256\",\"typ\":null}", GOOD, SLIM_AUTH_CHECK_NONE},
    {"typ number", "{\"alg\":\"HS256\",\"typ\":1}", GOOD, SLIM_AUTH_CHECK_ENCODING},
    {"none", "{\"alg\":\"none\"}", GOOD, SLIM_AUTH_CHECK_ALGORITHM},
    {"None", "{\"alg\":\"None\"}", GOOD, SLIM_AUTH_CHECK_ALGORITHM},
    {"no alg", "{\"typ\":\"JWT\"}", GOOD, SLIM_AUTH_CHECK_ALGORITHM},
    {"alg null", "{\"alg\":null}", GOOD, SLIM_AUTH_CHECK_ALGORITHM},
    {"alg in lower case", "{\"alg\":\"hs256\"}", GOOD, SLIM_AUTH_CHECK_ALGORITHM},
    {"another alg of the family", "{\"alg\":\"HS512\"}", GOOD, SLIM_AUTH_CHECK_ALGORITHM},
    {"an alg of another family", "{\"alg\":\"RS256\"}", GOOD, SLIM_AUTH_CHECK_ALGORITHM},
    {"crit", "{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}", GOOD,
     SLIM_AUTH_CHECK_ALGORITHM},
    {"alg twice", "{\"alg\":\"HS256\",\"alg\":\"HS256\"}", GOOD, SLIM_AUTH_CHECK_ENCODING},
    {"kid with a PEM key", "{\"alg\":\"HS256\",\"kid\":\"x\"}", GOOD, SLIM_AUTH_CHECK_NONE},
    {"kid number", "{\"alg\":\"HS256\",\"kid\":7}", GOOD, SLIM_AUTH_CHECK_ENCODING},
    {"header is a list", "[]", GOOD, SLIM_AUTH_CHECK_ENCODING},
    {"header empty", "", GOOD, SLIM_AUTH_CHECK_ENCODING},
    {"payload is a list", HEADER, "[1]", SLIM_AUTH_CHECK_ENCODING},
    {"payload no JSON", HEADER, "{", SLIM_AUTH_CHECK_ENCODING},
    {"claim twice", HEADER, "{" NAMES ",\"sub\":\"a\",\"sub\":\"a\"," TIMES "}",
     SLIM_AUTH_CHECK_ENCODING},
    {"17 levels", HEADER, "{\"x\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]," NAMES "," TIMES "}",
     SLIM_AUTH_CHECK_ENCODING},
    {"no exp", HEADER, "{" NAMES "}", SLIM_AUTH_CHECK_EXPIRY},
    {"exp a minute ago", HEADER, "{" NAMES ",\"exp\":1795344440}", SLIM_AUTH_CHECK_NONE},
    {"exp longer ago", HEADER, "{" NAMES ",\"exp\":1795344439}", SLIM_AUTH_CHECK_EXPIRED},
    {"exp 0", HEADER, "{" NAMES ",\"exp\":0}", SLIM_AUTH_CHECK_EXPIRED},
    {"exp negative", HEADER, "{" NAMES ",\"exp\":-1}", SLIM_AUTH_CHECK_CLAIMS},
    {"exp text", HEADER, "{" NAMES ",\"exp\":\"1795348100\"}", SLIM_AUTH_CHECK_CLAIMS},
    {"exp null", HEADER, "{" NAMES ",\"exp\":null}", SLIM_AUTH_CHECK_CLAIMS},
    {"exp fraction", HEADER, "{" NAMES ",\"exp\":1795348100.5}", SLIM_AUTH_CHECK_NONE},
    {"exp exponent", HEADER, "{" NAMES ",\"exp\":1795348e3}", SLIM_AUTH_CHECK_ENCODING},
    {"exp -0", HEADER, "{" NAMES ",\"exp\":-0}", SLIM_AUTH_CHECK_ENCODING},
    {"exp beyond 2^53", HEADER, "{" NAMES ",\"exp\":9007199254740993}", SLIM_AUTH_CHECK_CLAIMS},
    {"exp beyond 2^63", HEADER, "{" NAMES ",\"exp\":9223372036854775808}",
     SLIM_AUTH_CHECK_ENCODING},
    {"nbf in a minute", HEADER, "{" NAMES ",\"exp\":1795348100,\"nbf\":1795344560}",
     SLIM_AUTH_CHECK_NONE},
    {"nbf later", HEADER, "{" NAMES ",\"exp\":1795348100,\"nbf\":1795344561}",
     SLIM_AUTH_CHECK_NOT_YET},
    {"nbf text", HEADER, "{" NAMES ",\"exp\":1795348100,\"nbf\":\"x\"}", SLIM_AUTH_CHECK_CLAIMS},
    {"iat text", HEADER, "{" NAMES ",\"exp\":1795348100,\"iat\":\"x\"}", SLIM_AUTH_CHECK_CLAIMS},
    {"no iss", HEADER, "{\"aud\":[\"slim-aud\"]," TIMES "}", SLIM_AUTH_CHECK_ISSUER},
    {"other iss", HEADER, "{\"iss\":\"x\",\"aud\":[\"slim-aud\"]," TIMES "}",
     SLIM_AUTH_CHECK_ISSUER},
    {"iss with a byte more", HEADER, "{\"iss\":\"test-issuer/\",\"aud\":\"slim-aud\"," TIMES "}",
     SLIM_AUTH_CHECK_ISSUER},
    {"iss list", HEADER, "{\"iss\":[\"test-issuer\"],\"aud\":\"slim-aud\"," TIMES "}",
     SLIM_AUTH_CHECK_NONE},
    {"iss number", HEADER, "{\"iss\":1,\"aud\":\"slim-aud\"," TIMES "}", SLIM_AUTH_CHECK_CLAIMS},
    {"no aud", HEADER, "{\"iss\":\"test-issuer\"," TIMES "}", SLIM_AUTH_CHECK_AUDIENCE},
    {"aud empty", HEADER, "{\"iss\":\"test-issuer\",\"aud\":[]," TIMES "}",
     SLIM_AUTH_CHECK_AUDIENCE},
    {"aud other", HEADER, "{\"iss\":\"test-issuer\",\"aud\":[\"x\"]," TIMES "}",
     SLIM_AUTH_CHECK_AUDIENCE},
    {"aud one of two", HEADER, "{\"iss\":\"test-issuer\",\"aud\":[\"x\",\"slim-aud\"]," TIMES "}",
     SLIM_AUTH_CHECK_NONE},
    {"aud text", HEADER, "{\"iss\":\"test-issuer\",\"aud\":\"slim-aud\"," TIMES "}",
     SLIM_AUTH_CHECK_NONE},
    {"aud object", HEADER, "{\"iss\":\"test-issuer\",\"aud\":{}," TIMES "}",
     SLIM_AUTH_CHECK_CLAIMS},
    {"aud with a number", HEADER, "{\"iss\":\"test-issuer\",\"aud\":[\"slim-aud\",1]," TIMES "}",
     SLIM_AUTH_CHECK_CLAIMS},
    {"sub number", HEADER, "{" NAMES ",\"sub\":1," TIMES "}", SLIM_AUTH_CHECK_CLAIMS},
    {"boolean and null claims", HEADER, "{" NAMES ",\"a\":true,\"b\":null," TIMES "}",
     SLIM_AUTH_CHECK_NONE},
};

static void each_rule_has_a_token_that_breaks_just_it(void **state)
{
    (void)state;
    struct slim_buf token = {0};
    struct slim_auth_rules rules = rules_of(SLIM_AUTH_ALG_HS256, slim_view_str(hmac_text), false);
    for (size_t i = 0; i < SLIM_COUNT(rule_rows); i++) {
        struct slim_auth_verifier *verifier = new_verifier(&rules);
        struct slim_auth_identity identity;
        enum slim_auth_check check = SLIM_AUTH_CHECK_NONE;
        forge(rule_rows[i].header, rule_rows[i].payload, SLIM_AUTH_ALG_HS256, &token);
        enum slim_status status =
            slim_auth_verify(verifier, slim_buf_view(&token), NOW_S, &check, &identity);
        CHECK_ROW(rule_rows[i].why, check == rule_rows[i].want);
        CHECK_ROW(rule_rows[i].why, status == slim_auth_check_status(check));
        slim_auth_verifier_free(verifier);
    }
    slim_buf_fini(&token);
}

static void subject_must_be_the_configured_one(void **state)
{
    (void)state;
    struct slim_buf token = {0};
    struct slim_auth_rules rules = rules_of(SLIM_AUTH_ALG_HS256, slim_view_str(hmac_text), false);
    static const struct {
        const char *why;
        const char *payload;
        enum slim_status want;
    } rows[] = {
        {"equal", GOOD, SLIM_OK},
        {"other", "{" NAMES ",\"sub\":\"mee\"," TIMES "}", SLIM_ERR_DENIED},
        {"missing", "{" NAMES "," TIMES "}", SLIM_ERR_DENIED},
    };
    rules.subject = SLIM_VIEW("me");
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_auth_verifier *verifier = new_verifier(&rules);
        struct slim_auth_identity identity;
        forge(HEADER, rows[i].payload, SLIM_AUTH_ALG_HS256, &token);
        CHECK_ROW(rows[i].why, slim_auth_verify(verifier, slim_buf_view(&token), NOW_S, NULL,
                                                &identity) == rows[i].want);
        slim_auth_verifier_free(verifier);
    }
    rules.subject = SLIM_VIEW("");
    rules.audience_count = 0;
    struct slim_auth_verifier *verifier = new_verifier(&rules);
    struct slim_auth_identity identity;
    forge(HEADER, GOOD, SLIM_AUTH_ALG_HS256, &token);
    enum slim_auth_check check;
    CHECK(slim_auth_verify(verifier, slim_buf_view(&token), NOW_S, &check, &identity) ==
          SLIM_ERR_DENIED); /* it has an audience, and we are nobody */
    CHECK(check == SLIM_AUTH_CHECK_AUDIENCE);
    slim_auth_verifier_free(verifier);
    slim_buf_fini(&token);
}

static void every_changed_or_missing_byte_is_noticed(void **state)
{
    (void)state;
    struct slim_buf token = {0};
    struct slim_auth_rules rules = rules_of(SLIM_AUTH_ALG_HS256, slim_view_str(hmac_text), true);
    struct slim_auth_verifier *verifier = new_verifier(&rules);
    struct slim_auth_identity identity;
    forge(HEADER, GOOD, SLIM_AUTH_ALG_HS256, &token);
    for (size_t i = 0; i < token.len; i++) {
        token.data[i] ^= 1;
        CHECK(slim_auth_verify(verifier, slim_buf_view(&token), NOW_S, NULL, &identity) != SLIM_OK);
        token.data[i] ^= 1;
        CHECK(slim_auth_verify(verifier, slim_view_of(token.data, i), NOW_S, NULL, &identity) !=
              SLIM_OK);
    }
    CHECK_OK(slim_buf_put(&token, SLIM_VIEW(".AAAA")));
    CHECK(slim_auth_verify(verifier, slim_buf_view(&token), NOW_S, NULL, &identity) ==
          SLIM_ERR_MALFORMED);
    slim_auth_verifier_free(verifier);
    slim_buf_fini(&token);
}

static void a_public_key_is_no_hmac_secret(void **state)
{
    (void)state;
    struct slim_json *json = load_vectors("jwt-identity-tokens.json");
    const struct slim_json *rsa = slim_json_at(slim_json_find(json, "cases"), 2);
    struct slim_view pem = text_of(rsa, "verify_key");
    struct slim_auth_key confused = {.family = SLIM_AUTH_FAMILY_HMAC};
    CHECK_OK(slim_buf_put(&confused.secret, pem));
    struct slim_buf token = {0};
    CHECK_OK(slim_auth_jwt_put(&confused, SLIM_AUTH_ALG_HS256, slim_view_str(GOOD), &token));
    for (int is_lenient = 0; is_lenient < 2; is_lenient++) {
        struct slim_auth_rules rules = rules_of(SLIM_AUTH_ALG_RS256, pem, is_lenient != 0);
        struct slim_auth_verifier *verifier = new_verifier(&rules);
        struct slim_auth_identity identity;
        enum slim_auth_check check;
        CHECK(slim_auth_verify(verifier, slim_buf_view(&token), NOW_S, &check, &identity) ==
              SLIM_ERR_UNSUPPORTED);
        CHECK(check == SLIM_AUTH_CHECK_ALGORITHM);
        slim_auth_verifier_free(verifier);
    }
    slim_buf_fini(&token);
    slim_auth_key_fini(&confused);
    slim_json_free(json);
}

static void a_good_token_is_verified_once(void **state)
{
    (void)state;
    struct slim_buf token = {0};
    struct slim_auth_rules rules = rules_of(SLIM_AUTH_ALG_HS256, slim_view_str(hmac_text), false);
    struct slim_auth_verifier *verifier = new_verifier(&rules);
    const struct slim_auth_stats *stats = slim_auth_verifier_stats(verifier);
    struct slim_auth_identity identity;
    struct slim_auth_claims claims;
    forge(HEADER, GOOD, SLIM_AUTH_ALG_HS256, &token);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(slim_auth_verify(verifier, slim_buf_view(&token), NOW_S, NULL, &identity));
        CHECK_VIEW(identity.id, "me");
        CHECK_OK(slim_auth_read_claims(verifier, slim_buf_view(&token), NOW_S, NULL, &claims));
        CHECK_VIEW(claims.subject, "me");
    }
    CHECK(stats->verified_count == 1 && stats->cached_count == 5);
    CHECK(slim_auth_verify(verifier, slim_buf_view(&token), 1795348161, NULL, &identity) ==
          SLIM_ERR_EXPIRED);
    CHECK_OK(slim_auth_verify(verifier, slim_buf_view(&token), NOW_S, NULL, &identity));
    CHECK(stats->verified_count == 2);
    struct slim_error error;
    CHECK(slim_auth_verifier_reload(verifier, SLIM_VIEW("short"), &error) == SLIM_ERR_CONFIG);
    CHECK_OK(slim_auth_verify(verifier, slim_buf_view(&token), NOW_S, NULL, &identity));
    CHECK_OK(slim_auth_verifier_reload(
        verifier, SLIM_VIEW("another hmac key of more than 32 bytes"), &error));
    CHECK(slim_auth_verify(verifier, slim_buf_view(&token), NOW_S, NULL, &identity) ==
          SLIM_ERR_SIGNATURE);
    slim_auth_verifier_free(verifier);
    slim_buf_fini(&token);
}

static void bad_signer_options_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        enum slim_auth_alg alg;
        enum slim_auth_key_format format;
        const char *key;
        const char *subject;
        const char *custom;
        uint64_t duration_s;
        enum slim_status want;
    } rows[] = {
        {"good", SLIM_AUTH_ALG_HS256, SLIM_AUTH_KEY_PEM, hmac_text, "s",
         "{\"a\":[1,{\"b\":\"c\"}],\"d\":1.5}", 120, SLIM_OK},
        {"empty custom claims", SLIM_AUTH_ALG_HS512, SLIM_AUTH_KEY_PEM, hmac_text, "s", "{}", 0,
         SLIM_OK},
        {"no algorithm", SLIM_AUTH_ALG_NONE, SLIM_AUTH_KEY_PEM, hmac_text, "s", "", 0,
         SLIM_ERR_CONFIG},
        {"JWK", SLIM_AUTH_ALG_HS256, SLIM_AUTH_KEY_JWK, hmac_text, "s", "", 0, SLIM_ERR_CONFIG},
        {"no subject", SLIM_AUTH_ALG_HS256, SLIM_AUTH_KEY_PEM, hmac_text, "", "", 0,
         SLIM_ERR_CONFIG},
        {"subject not UTF-8", SLIM_AUTH_ALG_HS256, SLIM_AUTH_KEY_PEM, hmac_text, "\xff", "", 0,
         SLIM_ERR_CONFIG},
        {"short secret", SLIM_AUTH_ALG_HS256, SLIM_AUTH_KEY_PEM, "secret", "s", "", 0,
         SLIM_ERR_CONFIG},
        {"not PEM", SLIM_AUTH_ALG_RS256, SLIM_AUTH_KEY_PEM, hmac_text, "s", "", 0, SLIM_ERR_CONFIG},
        {"boolean claim", SLIM_AUTH_ALG_HS256, SLIM_AUTH_KEY_PEM, hmac_text, "s",
         "{\"a\":[{\"b\":true}]}", 0, SLIM_ERR_CONFIG},
        {"null claim", SLIM_AUTH_ALG_HS256, SLIM_AUTH_KEY_PEM, hmac_text, "s", "{\"a\":null}", 0,
         SLIM_ERR_CONFIG},
        {"claims no object", SLIM_AUTH_ALG_HS256, SLIM_AUTH_KEY_PEM, hmac_text, "s", "[1]", 0,
         SLIM_ERR_CONFIG},
        {"claims no JSON", SLIM_AUTH_ALG_HS256, SLIM_AUTH_KEY_PEM, hmac_text, "s", "{", 0,
         SLIM_ERR_CONFIG},
        {"a claim of ours", SLIM_AUTH_ALG_HS256, SLIM_AUTH_KEY_PEM, hmac_text, "s", "{\"exp\":1}",
         0, SLIM_ERR_CONFIG},
        {"too short a life", SLIM_AUTH_ALG_HS256, SLIM_AUTH_KEY_PEM, hmac_text, "s", "", 9,
         SLIM_ERR_CONFIG},
        {"too long a life", SLIM_AUTH_ALG_HS256, SLIM_AUTH_KEY_PEM, hmac_text, "s", "", 31536001,
         SLIM_ERR_CONFIG},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_auth_jwt_options options = {
            .alg = rows[i].alg,
            .format = rows[i].format,
            .key = slim_view_str(rows[i].key),
            .subject = slim_view_str(rows[i].subject),
            .custom_claims = slim_view_str(rows[i].custom),
            .duration_s = rows[i].duration_s,
        };
        struct slim_auth_provider *provider = NULL;
        struct slim_error error = {0};
        CHECK_ROW(rows[i].why,
                  slim_auth_provider_new_jwt(&options, &provider, &error) == rows[i].want);
        CHECK_ROW(rows[i].why, (error.text[0] != '\0') == (rows[i].want != SLIM_OK));
        slim_auth_provider_free(provider);
    }
}

static void a_signer_makes_no_token_that_nobody_takes(void **state)
{
    (void)state;
    static char long_text[SLIM_AUTH_ID_BYTES_MAX + 1];
    static struct slim_view names[SLIM_AUTH_NAMES_MAX];
    memset(long_text, 'a', sizeof(long_text));
    static const struct {
        const char *why;
        size_t count;
        size_t len;
        enum slim_status want;
    } rows[] = {
        {"one long audience", 1, SLIM_AUTH_ID_BYTES_MAX, SLIM_OK},
        {"a longer one", 1, SLIM_AUTH_ID_BYTES_MAX + 1, SLIM_ERR_CONFIG},
        {"an empty one", 1, 0, SLIM_ERR_CONFIG},
        {"eleven long ones", 11, SLIM_AUTH_ID_BYTES_MAX, SLIM_OK},
        {"twelve: too long a token", 12, SLIM_AUTH_ID_BYTES_MAX, SLIM_ERR_CONFIG},
        {"the most", SLIM_AUTH_NAMES_MAX, 1, SLIM_OK},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        for (size_t j = 0; j < SLIM_COUNT(names); j++) {
            names[j] = slim_view_of(long_text, rows[i].len);
        }
        struct slim_auth_jwt_options options = {
            .alg = SLIM_AUTH_ALG_HS256,
            .key = slim_view_str(hmac_text),
            .subject = SLIM_VIEW("s"),
            .audiences = names,
            .audience_count = rows[i].count,
        };
        struct slim_auth_provider *provider = NULL;
        struct slim_error error = {0};
        enum slim_status status = slim_auth_provider_new_jwt(&options, &provider, &error);
        CHECK_ROW(rows[i].why, status == rows[i].want);
        CHECK_ROW(rows[i].why, (error.text[0] != '\0') == (rows[i].want != SLIM_OK));
        if (status == SLIM_OK) {
            static const uint8_t pubkey[SLIM_AUTH_PUBKEY_BYTES];
            struct slim_buf token = {0};
            CHECK_OK(slim_auth_provider_make(provider, NOW_S, pubkey, &token));
            CHECK_ROW(rows[i].why, token.len <= SLIM_AUTH_TOKEN_BYTES_MAX);
            slim_buf_fini(&token);
        }
        slim_auth_provider_free(provider);
    }
}

static void duration_and_custom_claims_are_in_the_token(void **state)
{
    (void)state;
    struct slim_auth_jwt_options options = {
        .alg = SLIM_AUTH_ALG_HS384,
        .key = slim_view_str(hmac_text),
        .subject = SLIM_VIEW("a \"quoted\" name"),
        .custom_claims = SLIM_VIEW("{\"team\":[\"x\",{\"y\":2}]}"),
        .duration_s = 40,
    };
    struct slim_auth_provider *provider;
    CHECK_OK(slim_auth_provider_new_jwt(&options, &provider, NULL));
    struct slim_auth_rules rules = {.alg = SLIM_AUTH_ALG_HS384, .key = slim_view_str(hmac_text)};
    struct slim_auth_verifier *verifier = new_verifier(&rules);
    struct slim_view token;
    struct slim_auth_claims claims;
    CHECK_OK(slim_auth_provider_token(provider, NOW_S, &token));
    CHECK_OK(slim_auth_read_claims(verifier, token, NOW_S, NULL, &claims));
    CHECK_VIEW(claims.subject, "a \"quoted\" name");
    CHECK(claims.valid_until_s == NOW_S + 40 + 60);
    CHECK(slim_json_count(slim_json_find(claims.all, "team")) == 2);
    CHECK(slim_auth_read_credential(verifier, token, NOW_S + 9000, false, NULL, &claims) ==
          SLIM_ERR_EXPIRED);
    CHECK_OK(slim_auth_read_credential(verifier, token, NOW_S + 9000, true, NULL, &claims));
    CHECK_VIEW(claims.subject, "a \"quoted\" name");
    struct slim_buf first = {0};
    CHECK_OK(slim_buf_put(&first, token));
    CHECK_OK(slim_auth_provider_token(provider, NOW_S + 20, &token));
    CHECK(slim_view_is_equal(token, slim_buf_view(&first))); /* half of its life */
    CHECK_OK(slim_auth_provider_token(provider, NOW_S + 21, &token));
    CHECK(!slim_view_is_equal(token, slim_buf_view(&first)));
    slim_buf_fini(&first);
    slim_auth_verifier_free(verifier);
    slim_auth_provider_free(provider);
}

static void numbers_of_custom_claims_are_sent_as_they_were_written(void **state)
{
    (void)state;
    static const char *const numbers[] = {"0.1", "0.00001", "1234567890.123456789", "1.50", "7"};
    for (size_t i = 0; i < SLIM_COUNT(numbers); i++) {
        char custom[64];
        (void)snprintf(custom, sizeof(custom), " {\"x\": %s}\n", numbers[i]); /* short */
        struct slim_auth_jwt_options options = {
            .alg = SLIM_AUTH_ALG_HS256,
            .key = slim_view_str(hmac_text),
            .subject = SLIM_VIEW("s"),
            .custom_claims = slim_view_str(custom),
        };
        struct slim_auth_provider *provider;
        CHECK_OK(slim_auth_provider_new_jwt(&options, &provider, NULL));
        struct slim_auth_rules rules = {.alg = SLIM_AUTH_ALG_HS256,
                                        .key = slim_view_str(hmac_text)};
        struct slim_auth_verifier *verifier = new_verifier(&rules);
        struct slim_view token;
        struct slim_auth_claims claims;
        double got = 0;
        CHECK_OK(slim_auth_provider_token(provider, NOW_S, &token));
        CHECK_ROW(numbers[i],
                  slim_auth_read_claims(verifier, token, NOW_S, NULL, &claims) == SLIM_OK);
        CHECK_ROW(numbers[i], slim_json_read_number(slim_json_find(claims.all, "x"), &got) &&
                                  got == strtod(numbers[i], NULL));
        slim_auth_verifier_free(verifier);
        slim_auth_provider_free(provider);
    }
}

static void a_token_file_is_trimmed_reloaded_and_outlived(void **state)
{
    (void)state;
    struct slim_buf text = {0};
    struct slim_buf padded = {0};
    forge(HEADER, GOOD, SLIM_AUTH_ALG_HS256, &text);
    CHECK_OK(slim_buf_put(&padded, SLIM_VIEW("\n ")));
    CHECK_OK(slim_buf_put(&padded, slim_buf_view(&text)));
    CHECK_OK(slim_buf_put(&padded, SLIM_VIEW("\r\n")));
    struct slim_auth_provider *provider;
    struct slim_error error;
    struct slim_view token;
    CHECK_OK(
        slim_auth_provider_new_static(slim_buf_view(&padded), NOW_S, false, &provider, &error));
    CHECK_VIEW(slim_auth_provider_id(provider), "me");
    CHECK_OK(slim_auth_provider_token(provider, NOW_S, &token));
    CHECK(slim_view_is_equal(token, slim_buf_view(&text)));
    static const uint8_t pubkey[SLIM_AUTH_PUBKEY_BYTES];
    CHECK(slim_auth_provider_make(provider, NOW_S, pubkey, &padded) == SLIM_ERR_UNSUPPORTED);
    static const struct {
        const char *why;
        const char *payload;
    } bad[] = {
        {"no sub", "{" TIMES "}"},
        {"no exp", "{\"sub\":\"x\"}"},
        {"expired", "{\"sub\":\"x\",\"exp\":1795344500}"},
        {"broken", "{"},
    };
    for (size_t i = 0; i < SLIM_COUNT(bad); i++) {
        forge(HEADER, bad[i].payload, SLIM_AUTH_ALG_HS256, &text);
        CHECK_ROW(bad[i].why, slim_auth_provider_reload(provider, slim_buf_view(&text), NOW_S,
                                                        &error) == SLIM_ERR_CONFIG);
        CHECK_OK(slim_auth_provider_token(provider, NOW_S, &token)); /* the old one */
    }
    CHECK(slim_auth_provider_reload(provider, SLIM_VIEW(" \n"), NOW_S, &error) == SLIM_ERR_CONFIG);
    CHECK(slim_auth_provider_token(provider, 1795348100, &token) == SLIM_ERR_EXPIRED);
    forge(HEADER, "{\"sub\":\"you\",\"exp\":1795348200}", SLIM_AUTH_ALG_HS256, &text);
    CHECK_OK(slim_auth_provider_reload(provider, slim_buf_view(&text), 1795348100, &error));
    CHECK_OK(slim_auth_provider_token(provider, 1795348100, &token));
    CHECK(slim_view_is_equal(token, slim_buf_view(&text)));
    CHECK_VIEW(slim_auth_provider_id(provider), "you");
    slim_auth_provider_free(provider);
    slim_buf_fini(&text);
    slim_buf_fini(&padded);
}

static void sweep(void)
{
    struct slim_auth_jwt_options options = {
        .alg = SLIM_AUTH_ALG_HS256,
        .key = slim_view_str(hmac_text),
        .issuer = issuer,
        .subject = SLIM_VIEW("s"),
        .audiences = &audience,
        .audience_count = 1,
        .custom_claims = SLIM_VIEW("{\"a\":\"b\"}"),
    };
    struct slim_auth_rules rules = rules_of(SLIM_AUTH_ALG_HS256, slim_view_str(hmac_text), false);
    struct slim_auth_provider *provider = NULL;
    struct slim_auth_provider *fixed = NULL;
    struct slim_auth_verifier *verifier = NULL;
    struct slim_view token;
    struct slim_auth_claims claims;
    struct slim_auth_identity identity;
    enum slim_status status = slim_auth_provider_new_jwt(&options, &provider, NULL);
    if (status == SLIM_OK) {
        status = slim_auth_verifier_new_jwt(&rules, test_random, &verifier, NULL);
    }
    if (status == SLIM_OK) {
        status = slim_auth_provider_token(provider, NOW_S, &token);
    }
    if (status == SLIM_OK) {
        status = slim_auth_verify(verifier, token, NOW_S, NULL, &identity);
    }
    if (status == SLIM_OK) {
        status = slim_auth_read_claims(verifier, token, NOW_S, NULL, &claims);
    }
    if (status == SLIM_OK) {
        status = slim_auth_verifier_reload(verifier, slim_view_str(hmac_text), NULL);
    }
    if (status == SLIM_OK) {
        status = slim_auth_provider_new_static(token, NOW_S, false, &fixed, NULL);
    }
    if (status == SLIM_OK) {
        status = slim_auth_provider_reload(fixed, token, NOW_S, NULL);
    }
    CHECK(status == SLIM_OK || status == SLIM_ERR_NO_MEMORY);
    slim_auth_verifier_free(verifier);
    slim_auth_provider_free(provider);
    slim_auth_provider_free(fixed);
}

static void out_of_memory_leaks_nothing(void **state)
{
    (void)state;
    slim_sweep_alloc(sweep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_tokens_of_every_key_kind_verify),
        cmocka_unit_test(tokens_are_made_like_the_recorded_ones),
        cmocka_unit_test(probes_get_the_verdict_of_the_reference),
        cmocka_unit_test(each_rule_has_a_token_that_breaks_just_it),
        cmocka_unit_test(subject_must_be_the_configured_one),
        cmocka_unit_test(every_changed_or_missing_byte_is_noticed),
        cmocka_unit_test(a_public_key_is_no_hmac_secret),
        cmocka_unit_test(a_good_token_is_verified_once),
        cmocka_unit_test(bad_signer_options_are_refused),
        cmocka_unit_test(a_signer_makes_no_token_that_nobody_takes),
        cmocka_unit_test(duration_and_custom_claims_are_in_the_token),
        cmocka_unit_test(numbers_of_custom_claims_are_sent_as_they_were_written),
        cmocka_unit_test(a_token_file_is_trimmed_reloaded_and_outlived),
        cmocka_unit_test(out_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
