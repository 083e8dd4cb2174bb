#include "auth/link.h"

#include "auth_support.h"

static const char secret_text[] = "a shared secret of more than 32 bytes";
enum { NOW_S = 1795344500 };

static void recorded_headers_are_made_and_admitted(void **state)
{
    (void)state;
    struct slim_json *json = load_vectors("grpc-client-auth.json");
    const struct slim_json *requests = slim_json_find(json, "requests");
    struct slim_auth_link *link;
    struct slim_view value;
    CHECK_OK(slim_auth_link_new_basic(text_of(json, "basic_user"), text_of(json, "basic_password"),
                                      &link, NULL));
    CHECK_OK(slim_auth_link_header(link, NOW_S, &value));
    CHECK(slim_view_is_equal(value, text_of(slim_json_at(requests, 0), "authorization")));
    CHECK_OK(slim_auth_link_check(link, value, NOW_S, NULL));
    slim_auth_link_free(link);

    static const struct slim_view issuer = {(const uint8_t *)"test-issuer", 11};
    static const struct slim_view audience = {(const uint8_t *)"slim-aud", 8};
    struct slim_auth_rules rules = {
        .issuers = &issuer,
        .issuer_count = 1,
        .audiences = &audience,
        .audience_count = 1,
        .alg = SLIM_AUTH_ALG_ES256,
        .key = text_of(json, "jwt_es256_public_key"),
    };
    struct slim_auth_verifier *verifier;
    enum slim_auth_check check = SLIM_AUTH_CHECK_NONE;
    CHECK_OK(slim_auth_verifier_new_jwt(&rules, test_random, &verifier, NULL));
    CHECK_OK(slim_auth_link_new_server(verifier, &link));
    CHECK(slim_auth_link_verifier(link) == verifier && slim_auth_link_provider(link) == NULL);
    value = text_of(slim_json_at(requests, 1), "authorization");
    CHECK_OK(slim_auth_link_check(link, value, NOW_S, &check));
    CHECK(slim_auth_link_check(link, value, NOW_S + 3600, &check) == SLIM_ERR_EXPIRED);
    CHECK(check == SLIM_AUTH_CHECK_EXPIRED);
    value = text_of(slim_json_at(requests, 2), "authorization");
    CHECK(slim_auth_link_check(link, value, NOW_S, &check) == SLIM_ERR_MALFORMED);
    CHECK(strcmp(slim_auth_link_scheme(link), "Bearer") == 0);
    slim_auth_link_free(link);
    slim_json_free(json);
}

static void other_headers_are_refused(void **state)
{
    (void)state;
    struct slim_auth_link *link;
    CHECK_OK(slim_auth_link_new_basic(SLIM_VIEW("user1"), SLIM_VIEW("pass:word"), &link, NULL));
    CHECK(strcmp(slim_auth_link_scheme(link), "Basic") == 0);
    static const struct {
        const char *why;
        const char *value;
    } rows[] = {
        {"no header", ""},
        {"scheme only", "Basic "},
        {"scheme in lower case", "basic dXNlcjE6cGFzczp3b3Jk"},
        {"another scheme", "Bearer dXNlcjE6cGFzczp3b3Jk"},
        {"another password", "Basic dXNlcjE6cGFzczp3b3Jl"},
        {"a byte more", "Basic dXNlcjE6cGFzczp3b3JkZQ=="},
        {"a blank behind", "Basic dXNlcjE6cGFzczp3b3Jk "},
        {"cut", "Basic dXNlcjE6cGFzczp3b3J"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        CHECK_ROW(rows[i].why, slim_auth_link_check(link, slim_view_str(rows[i].value), NOW_S,
                                                    NULL) == SLIM_ERR_AUTH);
    }
    slim_auth_link_free(link);
    slim_auth_link_free(NULL);
}

static void names_that_cannot_be_sent_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *username;
        const char *password;
        const char *text;
    } rows[] = {
        {"", "p", "username cannot be empty"},
        {"u", "", "password cannot be empty"},
        {"a:b", "p", "username cannot contain ':' (it ends the user name in the header)"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_auth_link *link = NULL;
        struct slim_error error;
        CHECK_ROW(rows[i].text, slim_auth_link_new_basic(slim_view_str(rows[i].username),
                                                         slim_view_str(rows[i].password), &link,
                                                         &error) == SLIM_ERR_CONFIG);
        CHECK_ROW(rows[i].text, strcmp(error.text, rows[i].text) == 0);
    }
}

static void sweep(void)
{
    struct slim_auth_provider *provider;
    struct slim_auth_verifier *verifier;
    struct slim_auth_link *client = NULL;
    struct slim_auth_link *server = NULL;
    struct slim_auth_link *basic = NULL;
    struct slim_view value;
    enum slim_status status = slim_auth_provider_new_secret(
        SLIM_VIEW("me"), slim_view_str(secret_text), test_random, &provider, NULL);
    if (status == SLIM_OK) {
        status = slim_auth_link_new_client(provider, &client);
    }
    if (status == SLIM_OK) {
        status =
            slim_auth_verifier_new_secret(slim_view_str(secret_text), test_random, &verifier, NULL);
    }
    if (status == SLIM_OK) {
        status = slim_auth_link_new_server(verifier, &server);
    }
    if (status == SLIM_OK) {
        status = slim_auth_link_header(client, NOW_S, &value);
    }
    if (status == SLIM_OK) {
        status = slim_auth_link_check(server, value, NOW_S, NULL);
    }
    if (status == SLIM_OK) {
        status = slim_auth_link_new_basic(SLIM_VIEW("u"), SLIM_VIEW("p"), &basic, NULL);
    }
    CHECK(status == SLIM_OK || status == SLIM_ERR_NO_MEMORY);
    slim_auth_link_free(client);
    slim_auth_link_free(server);
    slim_auth_link_free(basic);
}

static void out_of_memory_leaks_nothing(void **state)
{
    (void)state;
    slim_sweep_alloc(sweep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_headers_are_made_and_admitted),
        cmocka_unit_test(other_headers_are_refused),
        cmocka_unit_test(names_that_cannot_be_sent_are_refused),
        cmocka_unit_test(out_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
