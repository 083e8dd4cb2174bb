/* auth of servers and clients, token_provider and token_verifier (spec node.md 3.8). */
#include <stdlib.h>
#include <unistd.h>

#include "config/limits.h"
#include "rows.h"

#define AUTH_CHAIN START_CHAIN "auth config error > "
#define DECODING "key: {type: decoding, algorithm: ES256, format: pem, key: {file: /k}}"
#define ENCODING "key: {type: encoding, algorithm: HS256, format: pem, key: {data: abc}}"
#define SECRET_32 "0123456789abcdef0123456789abcdef"

static const struct slim_config_auth *server_auth(const struct slim_config *config)
{
    return &config->services[0].servers[0].auth;
}

static const struct slim_config_auth *client_auth(const struct slim_config *config)
{
    return &config->services[0].clients[0].auth;
}

static void basic_has_name_and_password(void **state)
{
    (void)state;
    struct slim_config *config =
        read_good("server", GOOD_SERVER("auth: {type: basic, username: u, password: \"p:w\"}"));
    CHECK(server_auth(config)->kind == SLIM_CONFIG_AUTH_BASIC && config->warning_count == 0);
    CHECK(is_text(server_auth(config)->username, "u"));
    CHECK(is_text(server_auth(config)->password, "p:w"));
    slim_config_free(config);
    config = read_good("none", GOOD_SERVER("auth: {type: none}"));
    CHECK(server_auth(config)->kind == SLIM_CONFIG_AUTH_NONE);
    slim_config_free(config);
}

static void links_with_auth_and_without_tls_are_warned_of(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *endpoint;
        size_t count;
    } rows[] = {
        {"plaintext", "http://a:1", 1},
        {"TLS", "https://a:1", 0},
        {"on this machine", "unix:///x", 0},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        char text[300];
        (void)snprintf(text, sizeof(text),
                       SERVICE("clients: [{endpoint: \"%s\", auth: {type: basic, username: u, "
                               "password: p}}]"),
                       rows[i].endpoint);
        struct slim_config *config = read_good(rows[i].why, text);
        CHECK_ROW(rows[i].why, config->warning_count == rows[i].count);
        CHECK_ROW(rows[i].why,
                  rows[i].count == 0 ||
                      strstr(config->warnings[0],
                             "clients[0].auth: Auth is enabled without TLS. This is not "
                             "recommended.") != NULL);
        slim_config_free(config);
    }
}

static void a_jwt_has_claims_duration_and_key(void **state)
{
    (void)state;
    struct slim_config *config = read_good(
        "server", GOOD_SERVER("auth: {type: jwt, duration: 90s, claims: {audience: [a, b], issuer: "
                              "i, subject: s, custom_claims: {x: 1, y: [z]}}, " DECODING "}"));
    const struct slim_config_auth *auth = server_auth(config);
    CHECK(auth->kind == SLIM_CONFIG_AUTH_JWT && auth->duration_ms == 90000);
    CHECK(auth->audiences.count == 2 && is_text(auth->audiences.items[1], "b"));
    CHECK(is_text(auth->issuer, "i") && is_text(auth->subject, "s"));
    CHECK(is_text(auth->custom_claims, "{\"x\":1,\"y\":[\"z\"]}"));
    CHECK(auth->jwt_key.kind == SLIM_CONFIG_JWT_KEY_DECODING);
    CHECK(is_text(auth->jwt_key.algorithm, "ES256") && is_text(auth->jwt_key.format, "pem"));
    CHECK(is_text(auth->jwt_key.file, "/k") && auth->jwt_key.data == NULL);
    slim_config_free(config);

    config = read_good("client, other names", CLIENT("auth: {type: jwt, claims: {aud: [a], iss: i, "
                                                     "sub: s}, " ENCODING "}"));
    auth = client_auth(config);
    CHECK(auth->jwt_key.kind == SLIM_CONFIG_JWT_KEY_ENCODING && auth->duration_ms == 3600000);
    CHECK(auth->audiences.count == 1 && is_text(auth->issuer, "i") && is_text(auth->subject, "s"));
    CHECK(is_text(auth->jwt_key.data, "abc") && auth->jwt_key.file == NULL);
    CHECK(auth->custom_claims == NULL);
    slim_config_free(config);

    config = read_good("autoresolve", GOOD_SERVER("auth: {type: jwt, claims: {audiences: [a], "
                                                  "issuer: \"https://i\"}, key: {type: "
                                                  "autoresolve}}"));
    CHECK(server_auth(config)->jwt_key.kind == SLIM_CONFIG_JWT_KEY_AUTORESOLVE);
    CHECK(server_auth(config)->audiences.count == 1);
    slim_config_free(config);
}

static void all_algorithms_and_formats_are_known(void **state)
{
    (void)state;
    static const char *const algorithms[] = {"HS256", "HS384", "HS512", "ES256", "ES384", "RS256",
                                             "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"};
    static const char *const formats[] = {"pem", "jwk", "jwks"};
    for (size_t i = 0; i < SLIM_COUNT(algorithms) * SLIM_COUNT(formats); i++) {
        const char *algorithm = algorithms[i % SLIM_COUNT(algorithms)];
        const char *format = formats[i / SLIM_COUNT(algorithms)];
        char text[300];
        (void)snprintf(text, sizeof(text),
                       GOOD_SERVER("auth: {type: jwt, key: {type: decoding, algorithm: %s, format: "
                                   "%s, key: {data: x}}}"),
                       algorithm, format);
        struct slim_config *config = read_good(algorithm, text);
        CHECK_ROW(algorithm, is_text(server_auth(config)->jwt_key.algorithm, algorithm));
        CHECK_ROW(format, is_text(server_auth(config)->jwt_key.format, format));
        slim_config_free(config);
    }
}

static void other_kinds_have_their_fields(void **state)
{
    (void)state;
    struct slim_config *config =
        read_good("static", CLIENT("auth: {type: static_jwt, file: /t, duration: 2h}"));
    CHECK(client_auth(config)->kind == SLIM_CONFIG_AUTH_STATIC_JWT);
    CHECK(is_text(client_auth(config)->file, "/t") && client_auth(config)->duration_ms == 7200000);
    slim_config_free(config);

    config = read_good("SPIFFE", GOOD_SERVER("auth: {type: spire, socket_path: /s, jwt_audiences: "
                                             "[x]}"));
    CHECK(server_auth(config)->kind == SLIM_CONFIG_AUTH_SPIRE);
    CHECK(is_text(server_auth(config)->spire.socket_path, "/s"));
    CHECK(is_text(server_auth(config)->spire.jwt_audiences.items[0], "x"));
    slim_config_free(config);

    config = read_good("SPIFFE of a client", CLIENT("auth: {type: spire}"));
    CHECK(client_auth(config)->kind == SLIM_CONFIG_AUTH_SPIRE);
    CHECK(is_text(client_auth(config)->spire.jwt_audiences.items[0], "slim"));
    slim_config_free(config);

    config = read_good("tokens of a controller",
                       CONTROLLER("token_provider: {type: shared_secret, id: n, data: " SECRET_32
                                  "}, token_verifier: {type: shared_secret, id: m, data: " SECRET_32
                                  "}"));
    const struct slim_config_controller *controller = &config->services[0].controller;
    CHECK(controller->is_present && config->warning_count == 0);
    CHECK(controller->token_provider.kind == SLIM_CONFIG_AUTH_SHARED_SECRET);
    CHECK(is_text(controller->token_provider.id, "n"));
    CHECK(is_text(controller->token_provider.data, SECRET_32));
    CHECK(is_text(controller->token_verifier.id, "m"));
    slim_config_free(config);
}

static void short_secrets_are_warned_of_and_not_shown(void **state)
{
    (void)state;
    static const char *const texts[] = {
        CONTROLLER("token_provider: {type: shared_secret, id: n, data: hunter2}"),
        SERVICE("token_verifier: {type: shared_secret, id: n, data: hunter2}, servers: "
                "[{endpoint: \"127.0.0.1:1\", " INSECURE "}]"),
    };
    for (size_t i = 0; i < SLIM_COUNT(texts); i++) {
        struct slim_config *config = read_good("short secret", texts[i]);
        CHECK(config->warning_count == 1);
        CHECK(strstr(config->warnings[0], "a shared secret needs at least 32 bytes") != NULL);
        CHECK(strstr(config->warnings[0], "hunter2") == NULL);
        slim_config_free(config);
    }
}

static void sections_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct bad_row rows[] = {
        {"server type kerberos", GOOD_SERVER("auth: {type: kerberos}"), LOAD,
         "yaml parse error > unknown variant `kerberos`, expected one of `basic`, `jwt`, `none`",
         "servers[0].auth"},
        {"static_jwt is for clients", GOOD_SERVER("auth: {type: static_jwt, file: /x}"), LOAD,
         "yaml parse error > unknown variant `static_jwt`, expected one of `basic`, `jwt`, `none`",
         ""},
        {"client type kerberos", CLIENT("auth: {type: kerberos}"), LOAD,
         "yaml parse error > unknown variant `kerberos`, expected one of `basic`, `static_jwt`, "
         "`jwt`, `none`",
         ""},
        {"basic is no token", CONTROLLER("token_provider: {type: basic}"), LOAD,
         "yaml parse error > unknown variant `basic`, expected one of `none`, `jwt`, `static_jwt`, "
         "`shared_secret`, `spire`",
         "controller.token_provider"},
        {"a static JWT verifies nothing", CONTROLLER("token_verifier: {type: static_jwt}"), LOAD,
         "yaml parse error > unknown variant `static_jwt`, expected one of `none`, `jwt`, "
         "`shared_secret`, `spire`",
         "controller.token_verifier"},
        {"without type", CLIENT("auth: {jwt: {key: x}}"), LOAD,
         "yaml parse error > missing field `type`", "the form of older releases"},
        {"no name", GOOD_SERVER("auth: {type: basic, password: p}"), LOAD,
         "yaml parse error > missing field `username`", "write {type: basic, username: NAME"},
        {"no password", GOOD_SERVER("auth: {type: basic, username: u}"), LOAD,
         "yaml parse error > missing field `password`", ""},
        {"an empty name", CLIENT("auth: {type: basic, username: \"\", password: p}"), START,
         AUTH_CHAIN "username cannot be empty", "clients[0].auth.username: write a name"},
        {"an empty password", CLIENT("auth: {type: basic, username: u, password: \"\"}"), START,
         AUTH_CHAIN "password cannot be empty", "auth.password: write a password"},
        {"an empty password of a server",
         GOOD_SERVER("auth: {type: basic, username: u, password: \"\"}"), START,
         AUTH_CHAIN "password cannot be empty", ""},
        {"a password that is a number is not shown",
         GOOD_SERVER("auth: {type: basic, username: u, password: 12345}"), LOAD,
         "yaml parse error > invalid type: integer `${..}`, expected a string", "auth.password"},
        {"nor one with a point", GOOD_SERVER("auth: {type: basic, username: u, password: 1.5}"),
         LOAD, "yaml parse error > invalid type: floating point `${..}`, expected a string", ""},
        {"nor one that is true", GOOD_SERVER("auth: {type: basic, username: u, password: true}"),
         LOAD, "yaml parse error > invalid type: boolean `${..}`, expected a string", ""},
        {"jwt without key", GOOD_SERVER("auth: {type: jwt}"), LOAD,
         "yaml parse error > missing field `key`", "servers[0].auth: write {type: jwt"},
        {"a key without type", GOOD_SERVER("auth: {type: jwt, key: {algorithm: HS256}}"), LOAD,
         "yaml parse error > missing field `type`", "auth.key"},
        {"a key for nothing", GOOD_SERVER("auth: {type: jwt, key: {type: both}}"), LOAD,
         "yaml parse error > unknown variant `both`, expected one of `encoding`, `decoding`, "
         "`autoresolve`",
         ""},
        {"a key without algorithm", GOOD_SERVER("auth: {type: jwt, key: {type: decoding}}"), LOAD,
         "yaml parse error > missing field `algorithm`", "write {type: encoding or decoding"},
        {"a key without format",
         GOOD_SERVER("auth: {type: jwt, key: {type: decoding, algorithm: HS256}}"), LOAD,
         "yaml parse error > missing field `format`", ""},
        {"a key without key",
         GOOD_SERVER("auth: {type: jwt, key: {type: decoding, algorithm: HS256, format: pem}}"),
         LOAD, "yaml parse error > missing field `key`", "auth.key: write"},
        {"an algorithm nobody knows",
         GOOD_SERVER("auth: {type: jwt, key: {type: decoding, algorithm: none, format: pem, key: "
                     "{data: x}}}"),
         LOAD,
         "yaml parse error > unknown variant `none`, expected one of `HS256`, `HS384`, `HS512`, "
         "`ES256`, `ES384`, `RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512`, `EdDSA`",
         "key.algorithm"},
        {"a format nobody knows",
         GOOD_SERVER("auth: {type: jwt, key: {type: decoding, algorithm: HS256, format: der, key: "
                     "{data: x}}}"),
         LOAD, "yaml parse error > unknown variant `der`, expected one of `pem`, `jwk`, `jwks`",
         ""},
        {"key data of two kinds",
         GOOD_SERVER("auth: {type: jwt, key: {type: decoding, algorithm: HS256, format: pem, key: "
                     "{data: x, file: y}}}"),
         LOAD, "yaml parse error > invalid value: map, expected map with a single key",
         "key: {file: PATH}"},
        {"key data of another kind",
         GOOD_SERVER("auth: {type: jwt, key: {type: decoding, algorithm: HS256, format: pem, key: "
                     "{url: x}}}"),
         LOAD, "yaml parse error > unknown variant `url`, expected `file` or `data`", ""},
        {"key data that is a text",
         GOOD_SERVER("auth: {type: jwt, key: {type: decoding, algorithm: HS256, format: pem, key: "
                     "x}}"),
         LOAD, "yaml parse error > invalid type: string \"x\", expected a map with a single key",
         ""},
        {"a server that signs", GOOD_SERVER("auth: {type: jwt, " ENCODING "}"), START,
         AUTH_CHAIN "internal auth error > missing decoding key or autoresolve is disabled",
         "servers[0].auth.key: write key: {type: decoding"},
        {"a client that checks", CLIENT("auth: {type: jwt, " DECODING "}"), START,
         AUTH_CHAIN "internal auth error > no private key available for signing",
         "write key: {type: encoding"},
        {"a provider that checks", CONTROLLER("token_provider: {type: jwt, " DECODING "}"), START,
         CONTROLLER_CHAIN "auth config error > internal auth error > no private key available for "
                          "signing",
         "slim/0.controller.token_provider"},
        {"a verifier that signs", CONTROLLER("token_verifier: {type: jwt, " ENCODING "}"), START,
         CONTROLLER_CHAIN "auth config error > internal auth error > missing decoding key or "
                          "autoresolve is disabled",
         ""},
        {"any issuer would be believed",
         GOOD_SERVER("auth: {type: jwt, key: {type: autoresolve}, claims: {audience: [a]}}"), START,
         AUTH_CHAIN "internal auth error > autoresolve without an issuer", "add claims: {issuer"},
        {"an audience that is a text",
         GOOD_SERVER("auth: {type: jwt, claims: {audience: a}, " DECODING "}"), LOAD,
         "yaml parse error > invalid type: string \"a\", expected a sequence", "claims.audience"},
        {"one claim under two names",
         GOOD_SERVER("auth: {type: jwt, claims: {iss: a, issuer: b}, " DECODING "}"), LOAD,
         "yaml parse error > duplicate field `issuer`", "auth.claims: write issuer once"},
        {"audiences under two names",
         GOOD_SERVER("auth: {type: jwt, claims: {aud: [a], audiences: [b]}, " DECODING "}"), LOAD,
         "yaml parse error > duplicate field `audience`", ""},
        {"a subject under two names",
         GOOD_SERVER("auth: {type: jwt, claims: {sub: a, subject: b}, " DECODING "}"), LOAD,
         "yaml parse error > duplicate field `subject`", ""},
        {"a claim that the reference cannot send",
         GOOD_SERVER("auth: {type: jwt, claims: {custom_claims: {a: true}}, " DECODING "}"), LOAD,
         "yaml parse error > data did not match any variant of untagged enum MetadataValue",
         "claims.custom_claims"},
        {"a duration that is a number",
         GOOD_SERVER("auth: {type: jwt, duration: 10, " DECODING "}"), LOAD,
         "yaml parse error > invalid type: integer `10`, expected string", ""},
        {"a static JWT without file", CLIENT("auth: {type: static_jwt}"), LOAD,
         "yaml parse error > missing field `file`", "write {type: static_jwt, file: PATH}"},
        {"a shared secret without id",
         CONTROLLER("token_provider: {type: shared_secret, data: " SECRET_32 "}"), LOAD,
         "yaml parse error > missing field `id`", "controller.token_provider: write"},
        {"a shared secret without data",
         SERVICE("token_provider: {type: shared_secret, id: x}, servers: []"), LOAD,
         "yaml parse error > missing field `data`", "dataplane.token_provider"},
    };
    check_bad_rows(rows, SLIM_COUNT(rows));
}

static void claims_have_a_limit(void **state)
{
    (void)state;
    static char text[SLIM_CONFIG_CLAIMS_BYTES_MAX + 500];
    for (size_t over = 0; over < 2; over++) {
        size_t value_len = SLIM_CONFIG_CLAIMS_BYTES_MAX - strlen("{\"a\":\"\"}") + over;
        int len = snprintf(text, sizeof(text),
                           "services: {slim/0: {dataplane: {servers: [{endpoint: "
                           "\"127.0.0.1:1\", " INSECURE ", auth: {type: jwt, " DECODING
                           ", claims: {custom_claims: {a: \"");
        CHECK(len > 0);
        memset(text + len, 'x', value_len);
        strcpy(text + len + value_len, "\"}}}}]}}}\n");
        struct slim_config *config = NULL;
        struct slim_config_error error;
        enum slim_status status = slim_config_parse(slim_view_str(text), "f", &config, &error);
        CHECK_ROW(over == 0 ? "at the limit" : "beyond it",
                  status == (over == 0 ? SLIM_OK : SLIM_ERR_CONFIG));
        CHECK(over == 0 || is_text(error.cause[0], "more than 8192 bytes"));
        slim_config_free(config);
    }
}

static void key_files_are_looked_at_when_a_file_is_loaded(void **state)
{
    (void)state;
    static const char *const texts[] = {
        GOOD_SERVER("auth: {type: jwt, key: {type: decoding, algorithm: ES256, format: pem, key: "
                    "{file: /nonexistent/k}}}"),
        CLIENT("auth: {type: static_jwt, file: /nonexistent/t}"),
    };
    for (size_t i = 0; i < SLIM_COUNT(texts); i++) {
        char path[] = "/tmp/slim-config-XXXXXX";
        int fd = mkstemp(path);
        CHECK(fd >= 0);
        CHECK(write(fd, texts[i], strlen(texts[i])) == (ssize_t)strlen(texts[i]));
        CHECK(close(fd) == 0);
        struct slim_config *config = NULL;
        struct slim_config_error error;
        CHECK(slim_config_load(path, &config, &error) == SLIM_ERR_CONFIG);
        CHECK(error.stage == START && error.cause_count == 6);
        CHECK(is_text(error.cause[2], "auth config error"));
        CHECK(is_text(error.cause[3], "internal auth error"));
        CHECK(is_text(error.cause[4], "No such file or directory (os error 2)"));
        slim_config_free(config);
        CHECK(unlink(path) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(basic_has_name_and_password),
        cmocka_unit_test(links_with_auth_and_without_tls_are_warned_of),
        cmocka_unit_test(a_jwt_has_claims_duration_and_key),
        cmocka_unit_test(all_algorithms_and_formats_are_known),
        cmocka_unit_test(other_kinds_have_their_fields),
        cmocka_unit_test(short_secrets_are_warned_of_and_not_shown),
        cmocka_unit_test(sections_that_cannot_be_are_refused),
        cmocka_unit_test(claims_have_a_limit),
        cmocka_unit_test(key_files_are_looked_at_when_a_file_is_loaded),
    };
    return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
