#include "auth/secret.h"

#include "auth_support.h"
#include "base/base64.h"
#include "base/hash.h"

static const char secret_text[] = "sharedsecret-for-test-vectors-0123456789abcdef";
enum { NOW_S = 1795342430 };

static struct slim_auth_verifier *new_verifier(struct slim_view secret)
{
    struct slim_auth_verifier *verifier;
    CHECK_OK(slim_auth_verifier_new_secret(secret, test_random, &verifier, NULL));
    return verifier;
}

static struct slim_auth_provider *new_provider(const char *id)
{
    struct slim_auth_provider *provider;
    CHECK_OK(slim_auth_provider_new_secret(slim_view_str(id), slim_view_str(secret_text),
                                           test_random, &provider, NULL));
    return provider;
}

/* The public key that a recorded token carries, as text; empty for none. From 1.3 on header tokens carry it too. */
static struct slim_view pubkey_text_of(const struct slim_json *vector)
{
    static const char head[] = "{\"pubkey\":\"";
    struct slim_view claims = {0};
    if (!slim_json_read_text(slim_json_find(vector, "claims_json"), &claims)) {
        return claims;
    }
    CHECK(slim_view_has_prefix(claims, slim_view_str(head)));
    return slim_view_of(claims.data + strlen(head), claims.len - strlen(head) - 2);
}

static const uint8_t *pubkey_of(const struct slim_json *vector, uint8_t out[static 32])
{
    struct slim_view text = pubkey_text_of(vector);
    size_t len;
    if (text.len == 0) {
        return NULL;
    }
    CHECK_OK(slim_base64_decode(SLIM_BASE64_STANDARD, text, out, 32, &len));
    CHECK(len == 32);
    return out;
}

static void recorded_tokens_are_made_byte_for_byte(void **state)
{
    (void)state;
    struct slim_json *json = load_vectors("shared-secret-tokens.json");
    const struct slim_json *tokens = slim_json_find(json, "tokens");
    struct slim_hmac_key key;
    slim_hmac_key_init(&key, SLIM_SHA2_256, text_of(json, "shared_secret"));
    CHECK(slim_json_count(tokens) >= 10);
    for (size_t i = 0; i < slim_json_count(tokens); i++) {
        const struct slim_json *vector = slim_json_at(tokens, i);
        uint8_t nonce[SLIM_AUTH_NONCE_BYTES];
        uint8_t pubkey_bytes[32];
        size_t len;
        CHECK_OK(slim_base64_decode(SLIM_BASE64_URL, text_of(vector, "nonce_b64url"), nonce,
                                    sizeof(nonce), &len));
        struct slim_buf made = {0};
        CHECK_OK(slim_auth_secret_put(&key, text_of(vector, "id"), number_of(vector, "timestamp"),
                                      nonce, pubkey_of(vector, pubkey_bytes), &made));
        CHECK(slim_view_is_equal(slim_buf_view(&made), text_of(vector, "token")));
        struct slim_auth_secret_token parts;
        CHECK_OK(slim_auth_secret_split(slim_buf_view(&made), &parts));
        CHECK(slim_view_is_equal(parts.signed_part, text_of(vector, "mac_input")));
        CHECK(slim_view_is_equal(parts.claims, text_of(vector, "claims_b64url")));
        slim_buf_fini(&made);
    }
    slim_hmac_key_fini(&key);
    slim_json_free(json);
}

static void recorded_tokens_verify_with_their_claims(void **state)
{
    (void)state;
    struct slim_json *json = load_vectors("shared-secret-tokens.json");
    const struct slim_json *tokens = slim_json_find(json, "tokens");
    struct slim_auth_verifier *verifier = new_verifier(text_of(json, "shared_secret"));
    for (size_t i = 0; i < slim_json_count(tokens); i++) {
        const struct slim_json *vector = slim_json_at(tokens, i);
        struct slim_view token = text_of(vector, "token");
        uint64_t at_s = number_of(vector, "timestamp");
        struct slim_auth_identity identity;
        CHECK_OK(slim_auth_verify(verifier, token, at_s, NULL, &identity));
        CHECK(slim_view_is_equal(identity.id, text_of(vector, "id")));
        struct slim_auth_claims claims;
        CHECK_OK(slim_auth_read_claims(verifier, token, at_s, NULL, &claims));
        CHECK(slim_view_is_equal(claims.subject, text_of(vector, "id")));
        CHECK(claims.valid_until_s == at_s + 3600);
        struct slim_view pubkey = pubkey_text_of(vector);
        CHECK(slim_view_is_equal(claims.pubkey, pubkey));
        CHECK((pubkey.len > 0) == (claims.all != NULL));
    }
    slim_auth_verifier_free(verifier);
    slim_json_free(json);
}

static void credential_of_a_member_may_be_older_than_a_token_but_not_forged(void **state)
{
    (void)state;
    struct slim_json *json = load_vectors("shared-secret-tokens.json");
    const struct slim_json *vector = slim_json_at(slim_json_find(json, "tokens"), 0);
    struct slim_auth_verifier *verifier = new_verifier(text_of(json, "shared_secret"));
    struct slim_view token = text_of(vector, "token");
    uint64_t late_s = number_of(vector, "timestamp") + 100000;
    enum slim_auth_check check;
    struct slim_auth_claims claims;
    struct slim_auth_identity identity;
    CHECK(slim_auth_read_credential(verifier, token, late_s, false, &check, &claims) ==
              SLIM_ERR_EXPIRED &&
          check == SLIM_AUTH_CHECK_EXPIRED);
    CHECK_OK(slim_auth_read_credential(verifier, token, late_s, true, &check, &claims));
    CHECK(slim_view_is_equal(claims.subject, text_of(vector, "id")));
    CHECK_ROW("it is not remembered as a good token",
              slim_auth_verify(verifier, token, late_s, &check, &identity) == SLIM_ERR_EXPIRED);
    struct slim_buf forged = {0};
    CHECK_OK(slim_buf_put(&forged, token));
    forged.data[0] ^= 1;
    CHECK(slim_auth_read_credential(verifier, slim_buf_view(&forged), late_s, true, &check,
                                    &claims) == SLIM_ERR_SIGNATURE);
    slim_buf_fini(&forged);
    slim_auth_verifier_free(verifier);
    slim_json_free(json);
}

static void application_ids_are_the_recorded_ones(void **state)
{
    (void)state;
    struct slim_json *json = load_vectors("shared-secret-tokens.json");
    const struct slim_json *ids = slim_json_find(json, "app_ids");
    CHECK(slim_json_count(ids) >= 3);
    for (size_t i = 0; i < slim_json_count(ids); i++) {
        const struct slim_json *vector = slim_json_at(ids, i);
        CHECK(slim_hash_app_id(text_of(vector, "token_id")) ==
              number_of(vector, "name_component_3"));
    }
    slim_json_free(json);
}

static void probes_get_the_verdict_of_the_reference(void **state)
{
    (void)state;
    struct slim_json *json = load_vectors("verifier-probes.json");
    const struct slim_json *probes = slim_json_find(json, "shared_secret");
    struct slim_auth_verifier *verifier = new_verifier(text_of(json, "shared_secret_value"));
    CHECK(slim_json_count(probes) >= 19);
    for (size_t i = 0; i < slim_json_count(probes); i++) {
        const struct slim_json *probe = slim_json_at(probes, i);
        char why[128];
        (void)snprintf(why, sizeof(why), "%.*s", SLIM_VIEW_ARG(text_of(probe, "case"))); /* short */
        struct slim_auth_identity identity;
        enum slim_auth_check check = SLIM_AUTH_CHECK_NONE;
        enum slim_status status = slim_auth_verify(verifier, text_of(probe, "token"),
                                                   number_of(probe, "sent_at"), &check, &identity);
        CHECK_ROW(why, (status == SLIM_OK) == flag_of(probe, "accepted"));
        CHECK_ROW(why, status == slim_auth_check_status(check));
    }
    slim_auth_verifier_free(verifier);
    slim_json_free(json);
}

/* A token with a right MAC over whatever stands in front of it. */
static struct slim_view sign(const char *front, struct slim_buf *out)
{
    struct slim_hmac_key key;
    uint8_t mac[SLIM_SHA2_BYTES_MAX];
    slim_hmac_key_init(&key, SLIM_SHA2_256, slim_view_str(secret_text));
    slim_hmac_of(&key, slim_view_str(front), mac);
    slim_buf_clear(out);
    CHECK_OK(slim_buf_put(out, slim_view_str(front)));
    CHECK_OK(slim_buf_put_byte(out, ':'));
    CHECK_OK(slim_base64_put(SLIM_BASE64_URL, slim_view_of(mac, 32), out));
    return slim_buf_view(out);
}

static void each_rule_has_a_token_that_breaks_just_it(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *front;
        enum slim_auth_check want;
    } rows[] = {
        {"good", "a:1795342430:AAAAAAAAAAAAAAAA:", SLIM_AUTH_CHECK_NONE},
        {"five seconds ahead", "a:1795342435:AAAAAAAAAAAAAAAA:", SLIM_AUTH_CHECK_NONE},
        {"six seconds ahead", "a:1795342436:AAAAAAAAAAAAAAAA:", SLIM_AUTH_CHECK_NOT_YET},
        {"the far future", "a:18446744073709551615:A:", SLIM_AUTH_CHECK_NOT_YET},
        {"exactly an hour old", "a:1795338830:AAAAAAAAAAAAAAAA:", SLIM_AUTH_CHECK_NONE},
        {"an hour and a second old", "a:1795338829:AAAAAAAAAAAAAAAA:", SLIM_AUTH_CHECK_EXPIRED},
        {"the year 1970", "a:0:AAAAAAAAAAAAAAAA:", SLIM_AUTH_CHECK_EXPIRED},
        {"four fields", "a:1795342430:AAAAAAAAAAAAAAAA", SLIM_AUTH_CHECK_ENCODING},
        {"six fields", "a:1795342430:AAAA::", SLIM_AUTH_CHECK_ENCODING},
        {"no seconds", "a::AAAAAAAAAAAAAAAA:", SLIM_AUTH_CHECK_ENCODING},
        {"plus sign", "a:+1795342430:AAAA:", SLIM_AUTH_CHECK_ENCODING},
        {"leading zero", "a:01795342430:AAAA:", SLIM_AUTH_CHECK_ENCODING},
        {"more than 64 bits", "a:18446744073709551616:A:", SLIM_AUTH_CHECK_ENCODING},
        {"21 digits", "a:100000000000000000000:A:", SLIM_AUTH_CHECK_ENCODING},
        {"hexadecimal", "a:0x1795342430:A:", SLIM_AUTH_CHECK_ENCODING},
        {"empty id and nonce", ":1795342430::", SLIM_AUTH_CHECK_NONE},
    };
    struct slim_buf token = {0};
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_auth_verifier *verifier = new_verifier(slim_view_str(secret_text));
        struct slim_auth_identity identity;
        enum slim_auth_check check = SLIM_AUTH_CHECK_NONE;
        enum slim_status status =
            slim_auth_verify(verifier, sign(rows[i].front, &token), NOW_S, &check, &identity);
        CHECK_ROW(rows[i].why, check == rows[i].want);
        CHECK_ROW(rows[i].why, status == slim_auth_check_status(rows[i].want));
        CHECK_ROW(rows[i].why, slim_auth_verifier_stats(verifier)->refused_count[rows[i].want] ==
                                   (rows[i].want == SLIM_AUTH_CHECK_NONE ? 0 : 1));
        slim_auth_verifier_free(verifier);
    }
    slim_buf_fini(&token);
}

static void every_changed_byte_is_noticed(void **state)
{
    (void)state;
    struct slim_auth_verifier *verifier = new_verifier(slim_view_str(secret_text));
    struct slim_buf token = {0};
    sign("a/b/c/1_ABCDEFGH:1795342430:AAAAAAAAAAAAAAAA:eyJwdWJrZXkiOiJ4In0", &token);
    struct slim_auth_identity identity;
    for (size_t i = 0; i < token.len; i++) {
        for (uint8_t flip = 1; flip != 0; flip = (uint8_t)(flip << 1)) {
            token.data[i] ^= flip;
            CHECK(slim_auth_verify(verifier, slim_buf_view(&token), NOW_S, NULL, &identity) !=
                  SLIM_OK);
            token.data[i] ^= flip;
        }
        struct slim_view cut = slim_view_of(token.data, i);
        CHECK(slim_auth_verify(verifier, cut, NOW_S, NULL, &identity) != SLIM_OK);
    }
    CHECK_OK(slim_auth_verify(verifier, slim_buf_view(&token), NOW_S, NULL, &identity));
    slim_buf_fini(&token);
    slim_auth_verifier_free(verifier);
}

static void claims_are_decoded_only_when_asked_for(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *claims;
        enum slim_status want;
    } rows[] = {
        {"not base64", "!!", SLIM_ERR_MALFORMED},
        {"not JSON", "Zm9v", SLIM_ERR_MALFORMED},
        {"a list", "W10", SLIM_ERR_MALFORMED},
        {"a key twice", "eyJhIjoxLCJhIjoxfQ", SLIM_ERR_MALFORMED},
        {"an object", "e30", SLIM_OK},
        {"nothing", "", SLIM_OK},
    };
    struct slim_buf token = {0};
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        for (int is_known = 0; is_known < 2; is_known++) {
            struct slim_auth_verifier *verifier = new_verifier(slim_view_str(secret_text));
            char front[80];
            (void)snprintf(front, sizeof(front), "a:1795342430:N:%s", rows[i].claims); /* fits */
            sign(front, &token);
            struct slim_auth_identity identity;
            struct slim_auth_claims claims;
            enum slim_auth_check check = SLIM_AUTH_CHECK_NONE;
            if (is_known) {
                CHECK_OK(slim_auth_verify(verifier, slim_buf_view(&token), NOW_S, NULL, &identity));
            }
            CHECK_ROW(rows[i].why, slim_auth_read_claims(verifier, slim_buf_view(&token), NOW_S,
                                                         &check, &claims) == rows[i].want);
            CHECK_ROW(rows[i].why,
                      (check == SLIM_AUTH_CHECK_ENCODING) == (rows[i].want == SLIM_ERR_MALFORMED));
            slim_auth_verifier_free(verifier);
        }
    }
    slim_buf_fini(&token);
}

static void bad_ids_and_secrets_are_refused_with_a_sentence(void **state)
{
    (void)state;
    static const char exact[] = "01234567890123456789012345678901";
    static const struct {
        const char *why;
        const char *id;
        const char *secret;
        enum slim_status want;
    } rows[] = {
        {"exactly 32 bytes", "a", exact, SLIM_OK},
        {"31 bytes", "a", "0123456789012345678901234567890", SLIM_ERR_CONFIG},
        {"no secret", "a", "", SLIM_ERR_CONFIG},
        {"empty id", "", exact, SLIM_ERR_CONFIG},
        {"colon", "a:b", exact, SLIM_ERR_CONFIG},
        {"blank", "a b", exact, SLIM_ERR_CONFIG},
        {"tab", "a\tb", exact, SLIM_ERR_CONFIG},
        {"no-break space", "a\xc2\xa0", exact, SLIM_ERR_CONFIG},
        {"em space", "a\xe2\x80\x83", exact, SLIM_ERR_CONFIG},
        {"ideographic space", "\xe3\x80\x80", exact, SLIM_ERR_CONFIG},
        {"zero width space is none", "a\xe2\x80\x8b", exact, SLIM_OK},
        {"other UTF-8", "\xc3\xa9", exact, SLIM_OK},
        {"not UTF-8", "\xff", exact, SLIM_ERR_CONFIG},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_auth_provider *provider = NULL;
        struct slim_error error = {0};
        CHECK_ROW(rows[i].why, slim_auth_provider_new_secret(
                                   slim_view_str(rows[i].id), slim_view_str(rows[i].secret),
                                   test_random, &provider, &error) == rows[i].want);
        CHECK_ROW(rows[i].why, (error.text[0] != '\0') == (rows[i].want != SLIM_OK));
        slim_auth_provider_free(provider);
    }
    struct slim_auth_verifier *verifier = NULL;
    struct slim_error error;
    CHECK(slim_auth_verifier_new_secret(SLIM_VIEW("0123456789012345678901234567890"), test_random,
                                        &verifier, &error) == SLIM_ERR_CONFIG);
    CHECK(strstr(error.text, "hmac key is too short") != NULL);
    CHECK(strstr(error.text, "0123456789") == NULL);
}

static void own_tokens_are_reused_for_a_minute_and_fresh_when_asked(void **state)
{
    (void)state;
    struct slim_auth_provider *provider = new_provider("org/ns/app/ffffffffffffffff");
    struct slim_auth_verifier *verifier = new_verifier(slim_view_str(secret_text));
    struct slim_view token;
    struct slim_buf first = {0};
    struct slim_auth_identity identity;
    CHECK_OK(slim_auth_provider_token(provider, NOW_S, &token));
    CHECK_OK(slim_buf_put(&first, token));
    CHECK_OK(slim_auth_verify(verifier, token, NOW_S, NULL, &identity));
    CHECK(slim_view_is_equal(identity.id, slim_auth_provider_id(provider)));
    CHECK(identity.app_id == slim_auth_provider_app_id(provider));
    CHECK(identity.app_id == slim_hash_app_id(identity.id));
    CHECK(identity.id.len == 27 + 9);
    CHECK_OK(slim_auth_provider_token(provider, NOW_S + 60, &token));
    CHECK(slim_view_is_equal(token, slim_buf_view(&first)));
    CHECK_OK(slim_auth_provider_token(provider, NOW_S + 61, &token));
    CHECK(!slim_view_is_equal(token, slim_buf_view(&first)));
    slim_buf_clear(&first);
    CHECK_OK(slim_buf_put(&first, token));
    CHECK_OK(slim_auth_provider_token(provider, NOW_S, &token)); /* the clock was set back */
    CHECK(!slim_view_is_equal(token, slim_buf_view(&first)));
    struct slim_buf seen[40] = {0};
    for (size_t i = 0; i < SLIM_COUNT(seen); i++) {
        CHECK_OK(slim_auth_provider_make(provider, NOW_S, NULL, &seen[i]));
        for (size_t j = 0; j < i; j++) {
            CHECK(!slim_view_is_equal(slim_buf_view(&seen[i]), slim_buf_view(&seen[j])));
        }
    }
    for (size_t i = 0; i < SLIM_COUNT(seen); i++) {
        slim_buf_fini(&seen[i]);
    }
    slim_buf_fini(&first);
    slim_auth_verifier_free(verifier);
    slim_auth_provider_free(provider);
}

static void identity_fits_its_source_name_only(void **state)
{
    (void)state;
    struct slim_auth_provider *provider = new_provider("org/ns/app/ffffffffffffffff");
    struct slim_auth_identity identity = {slim_auth_provider_id(provider),
                                          slim_auth_provider_app_id(provider)};
    struct slim_name_text text = {{SLIM_VIEW("org"), SLIM_VIEW("ns"), SLIM_VIEW("app")}};
    struct slim_name_key name = slim_name_of(&text, identity.app_id);
    CHECK(slim_auth_identity_is_source(&identity, &name));
    name.id ^= 1;
    CHECK(!slim_auth_identity_is_source(&identity, &name));
    name.id ^= 1;
    for (size_t i = 0; i < 3; i++) {
        name.prefix[i] ^= 1;
        CHECK(!slim_auth_identity_is_source(&identity, &name));
        name.prefix[i] ^= 1;
    }
    struct slim_auth_identity plain = {SLIM_VIEW("alice"), slim_hash_app_id(SLIM_VIEW("alice"))};
    name.id = plain.app_id;
    CHECK(slim_auth_identity_is_source(&plain, &name));
    struct slim_auth_identity nobody = {SLIM_VIEW(""), slim_hash_app_id(SLIM_VIEW(""))};
    name.id = nobody.app_id;
    CHECK(!slim_auth_identity_is_source(&nobody, &name));
    slim_auth_provider_free(provider);
}

static void guessable_secrets_are_noticed(void **state)
{
    (void)state;
    static const struct {
        const char *secret;
        bool is_weak;
    } rows[] = {
        {"", true},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true},
        {"passwordpasswordpasswordpassword", true},
        {"01010101010101010101010101010101", true},
        {"Zk3vQ9s1xT7rB2mW8uY5pL0cHd6fJ4nG", false}, /* 32 different characters */
        {"c3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a3960714caef0c4f2", false},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        CHECK_ROW(rows[i].secret,
                  slim_auth_secret_is_weak(slim_view_str(rows[i].secret)) == rows[i].is_weak);
    }
}

static void sweep(void)
{
    struct slim_auth_provider *provider = NULL;
    struct slim_auth_verifier *verifier = NULL;
    struct slim_buf token = {0};
    static const uint8_t pubkey[32] = {1};
    struct slim_auth_claims claims;
    struct slim_view header;
    enum slim_status status = slim_auth_provider_new_secret(
        SLIM_VIEW("app"), slim_view_str(secret_text), test_random, &provider, NULL);
    if (status == SLIM_OK) {
        status =
            slim_auth_verifier_new_secret(slim_view_str(secret_text), test_random, &verifier, NULL);
    }
    if (status == SLIM_OK) {
        status = slim_auth_provider_token(provider, NOW_S, &header);
    }
    if (status == SLIM_OK) {
        status = slim_auth_provider_make(provider, NOW_S, pubkey, &token);
    }
    for (int i = 0; status == SLIM_OK && i < 2; i++) {
        status = slim_auth_read_claims(verifier, slim_buf_view(&token), NOW_S, NULL, &claims);
    }
    CHECK(status == SLIM_OK || status == SLIM_ERR_NO_MEMORY);
    slim_buf_fini(&token);
    slim_auth_verifier_free(verifier);
    slim_auth_provider_free(provider);
}

static void out_of_memory_leaks_nothing(void **state)
{
    (void)state;
    slim_sweep_alloc(sweep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_tokens_are_made_byte_for_byte),
        cmocka_unit_test(recorded_tokens_verify_with_their_claims),
        cmocka_unit_test(credential_of_a_member_may_be_older_than_a_token_but_not_forged),
        cmocka_unit_test(application_ids_are_the_recorded_ones),
        cmocka_unit_test(probes_get_the_verdict_of_the_reference),
        cmocka_unit_test(each_rule_has_a_token_that_breaks_just_it),
        cmocka_unit_test(every_changed_byte_is_noticed),
        cmocka_unit_test(claims_are_decoded_only_when_asked_for),
        cmocka_unit_test(bad_ids_and_secrets_are_refused_with_a_sentence),
        cmocka_unit_test(own_tokens_are_reused_for_a_minute_and_fresh_when_asked),
        cmocka_unit_test(identity_fits_its_source_name_only),
        cmocka_unit_test(guessable_secrets_are_noticed),
        cmocka_unit_test(out_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
