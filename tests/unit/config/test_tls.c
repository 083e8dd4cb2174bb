/* The section tls of servers, clients and proxies (spec node.md 3.7). */
#include <stdlib.h>
#include <unistd.h>

#include "rows.h"

#define CERT "-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\\n"
#define KEY "-----BEGIN PRIVATE KEY-----\\nMIIB\\n-----END PRIVATE KEY-----\\n"
#define SOURCE "source: {type: pem, cert: \"" CERT "\", key: \"" KEY "\"}"
#define TLS_CHAIN START_CHAIN "TLS config error > "

static const struct slim_config_tls *server_tls(const struct slim_config *config)
{
    return &config->services[0].servers[0].tls;
}

static const struct slim_config_tls *client_tls(const struct slim_config *config)
{
    return &config->services[0].clients[0].tls;
}

static bool has_strings(const struct slim_config_strings *strings, const char *joined)
{
    char got[200] = "";
    for (size_t i = 0; i < strings->count; i++) {
        strcat(got, i > 0 ? " " : "");
        strcat(got, strings->items[i]);
    }
    return is_text(got, joined);
}

static void certificates_come_from_three_kinds_of_source(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *text;
        enum slim_config_source_kind kind;
        const char *cert;
        const char *key;
    } rows[] = {
        {"files", TLS_SERVER("source: {type: file, cert: /c.pem, key: /k.pem}"),
         SLIM_CONFIG_SOURCE_FILE, "/c.pem", "/k.pem"},
        {"texts", TLS_SERVER(SOURCE), SLIM_CONFIG_SOURCE_PEM,
         "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
         "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"},
        {"SPIFFE", TLS_SERVER("source: {type: spire}"), SLIM_CONFIG_SOURCE_SPIRE, NULL, NULL},
        {"none", TLS_SERVER("insecure: true, source: {type: none}"), SLIM_CONFIG_SOURCE_NONE, NULL,
         NULL},
        {"null", TLS_SERVER("insecure: true, source: null"), SLIM_CONFIG_SOURCE_NONE, NULL, NULL},
        {"an old RSA key",
         TLS_SERVER("source: {type: pem, cert: \"" CERT
                    "\", key: \"-----BEGIN RSA PRIVATE KEY-----\"}"),
         SLIM_CONFIG_SOURCE_PEM, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
         "-----BEGIN RSA PRIVATE KEY-----"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_config *config = read_good(rows[i].why, rows[i].text);
        const struct slim_config_tls *tls = server_tls(config);
        CHECK_ROW(rows[i].why, tls->source.kind == rows[i].kind);
        CHECK_ROW(rows[i].why, is_text(tls->source.cert, rows[i].cert));
        CHECK_ROW(rows[i].why, is_text(tls->source.key, rows[i].key));
        CHECK_ROW(rows[i].why, config->warning_count == 0);
        slim_config_free(config);
    }
}

static void authorities_come_from_the_same_kinds(void **state)
{
    (void)state;
    struct slim_config *config =
        read_good("server", TLS_SERVER(SOURCE ", client_ca: {type: file, path: /ca.pem}, "
                                              "ca_source: {type: pem, data: \"" CERT "\"}"));
    const struct slim_config_tls *tls = server_tls(config);
    CHECK(tls->client_ca.kind == SLIM_CONFIG_SOURCE_FILE && is_text(tls->client_ca.ca, "/ca.pem"));
    CHECK(tls->ca_source.kind == SLIM_CONFIG_SOURCE_PEM &&
          strncmp(tls->ca_source.ca, "-----BEGIN CERT", 15) == 0);
    slim_config_free(config);
    config = read_good("client", TLS_CLIENT("ca_source: {type: spire, socket_path: /s, "
                                            "trust_domains: [a.org, b.org]}"));
    const struct slim_config_ca *ca = &client_tls(config)->ca_source;
    CHECK(ca->kind == SLIM_CONFIG_SOURCE_SPIRE && is_text(ca->spire.socket_path, "/s"));
    CHECK(has_strings(&ca->spire.trust_domains, "a.org b.org"));
    slim_config_free(config);
}

static void spiffe_keys_reach_their_fields(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *keys;
        const char *socket_path;
        const char *target;
        const char *audiences;
        const char *domains;
    } rows[] = {
        {"defaults", "", NULL, NULL, "slim", ""},
        {"everything",
         ", socket_path: /run/agent.sock, target_spiffe_id: \"spiffe://a/b\", jwt_audiences: [x, "
         "y], trust_domains: [a.org]",
         "/run/agent.sock", "spiffe://a/b", "x y", "a.org"},
        {"an empty list is no absent one", ", jwt_audiences: []", NULL, NULL, "", ""},
        {"null is absent", ", socket_path: ~, target_spiffe_id: ~", NULL, NULL, "slim", ""},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        char text[400];
        (void)snprintf(text, sizeof(text), TLS_SERVER("source: {type: spire%s}"), rows[i].keys);
        struct slim_config *config = read_good(rows[i].why, text);
        const struct slim_config_spire *spire = &server_tls(config)->source.spire;
        CHECK_ROW(rows[i].why, is_text(spire->socket_path, rows[i].socket_path));
        CHECK_ROW(rows[i].why, is_text(spire->target_spiffe_id, rows[i].target));
        CHECK_ROW(rows[i].why, has_strings(&spire->jwt_audiences, rows[i].audiences));
        CHECK_ROW(rows[i].why, has_strings(&spire->trust_domains, rows[i].domains));
        slim_config_free(config);
    }
}

static void other_keys_reach_their_fields(void **state)
{
    (void)state;
    struct slim_config *config = read_good("defaults", TLS_SERVER(SOURCE));
    const struct slim_config_tls *tls = server_tls(config);
    CHECK(!tls->is_insecure && tls->include_system_ca && tls->version == SLIM_CONFIG_TLS_1_3);
    CHECK(tls->reload_interval_ms == 0 && tls->client_ca.kind == SLIM_CONFIG_SOURCE_NONE);
    slim_config_free(config);

    config = read_good("server", TLS_SERVER(SOURCE ", include_system_ca_certs_pool: false, "
                                                   "tls_version: tls1.2, reload_interval: {secs: "
                                                   "2, nanos: 1}, reload_client_ca_file: true"));
    tls = server_tls(config);
    CHECK(!tls->include_system_ca && tls->version == SLIM_CONFIG_TLS_1_2);
    CHECK(tls->reload_interval_ms == 2001 && config->warning_count == 0); /* rounded up */
    slim_config_free(config);

    config = read_good("client", TLS_CLIENT("insecure_skip_verify: true, tls_version: tls1.3, "
                                            "reload_interval: {secs: 18446744073709551615, nanos: "
                                            "4294967295}"));
    tls = client_tls(config);
    CHECK(tls->skip_verify && tls->include_system_ca && tls->version == SLIM_CONFIG_TLS_1_3);
    CHECK(tls->reload_interval_ms == UINT64_MAX);
    slim_config_free(config);

    config = read_good("no section", SERVICE("clients: [{endpoint: \"https://a:1\"}]"));
    CHECK(!client_tls(config)->is_insecure && client_tls(config)->include_system_ca);
    CHECK(config->services[0].clients[0].proxy.tls.include_system_ca);
    slim_config_free(config);
}

static void the_scheme_and_insecure_decide_whether_there_is_tls(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *rest;
        bool has_tls;
        const char *warning; /* NULL: none */
    } rows[] = {
        {"https", "endpoint: \"https://a:1\"", true, NULL},
        {"http is plaintext whatever tls says",
         "endpoint: \"http://a:1\", tls: {ca_source: {type: file, path: /x}}", false,
         "clients[0].tls: certificates have no effect: https:// only has TLS"},
        {"http without a word", "endpoint: \"http://a:1\"", false, NULL},
        {"a socket file is plaintext", "endpoint: \"unix:///x\"", false, NULL},
        {"https with insecure is plaintext", "endpoint: \"https://a:1\", tls: {insecure: true}",
         false, "clients[0].tls: with insecure: true this https:// link has no TLS"},
        {"unless there is an authority",
         "endpoint: \"https://a:1\", tls: {insecure: true, ca_source: {type: file, path: /x}}",
         true, NULL},
        {"nobody is verified", "endpoint: \"https://a:1\", tls: {insecure_skip_verify: true}", true,
         "clients[0].tls: with insecure_skip_verify anybody can pose as the server"},
        {"a name for nothing", "endpoint: \"http://a:1\", server_name: b", false,
         "clients[0].server_name: has no effect without TLS"},
        {"a certificate for nothing",
         "endpoint: \"http://a:1\", tls: {insecure: true, source: {type: file, cert: /x, key: /y}}",
         false, "clients[0].tls: certificates have no effect with insecure: true"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        char text[300];
        (void)snprintf(text, sizeof(text), SERVICE("clients: [{%s}]"), rows[i].rest);
        struct slim_config *config = read_good(rows[i].why, text);
        CHECK_ROW(rows[i].why,
                  slim_config_client_has_tls(&config->services[0].clients[0]) == rows[i].has_tls);
        CHECK_ROW(rows[i].why, config->warning_count == (rows[i].warning == NULL ? 0 : 1));
        CHECK_ROW(rows[i].why,
                  rows[i].warning == NULL || strstr(config->warnings[0], rows[i].warning) != NULL);
        slim_config_free(config);
    }
    struct slim_config *config = read_good("server", TLS_SERVER("insecure: true, " SOURCE));
    CHECK(config->services[0].servers[0].tls.is_insecure);
    CHECK(config->warning_count == 1);
    slim_config_free(config);
    config = read_good("server with TLS", TLS_SERVER(SOURCE));
    CHECK(!config->services[0].servers[0].tls.is_insecure);
    slim_config_free(config);
}

static void settings_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct bad_row rows[] = {
        {"no certificate", TLS_SERVER(""), START, TLS_CHAIN "missing server cert or key",
         "servers[0].tls: add source: {type: file"},
        {"an authority is no certificate", TLS_SERVER("client_ca: {type: file, path: /x}"), START,
         TLS_CHAIN "missing server cert or key", ""},
        {"old keys", TLS_SERVER("cert_file: /x, key_file: /y"), START,
         TLS_CHAIN "missing server cert or key", ""},
        {"tls1.1", TLS_SERVER("tls_version: tls1.1, source: {type: file, cert: /x, key: /y}"),
         START, TLS_CHAIN "invalid tls version: tls1.1", "tls.tls_version"},
        {"tls1.1 of a client", TLS_CLIENT("tls_version: \"1.3\""), START,
         TLS_CHAIN "invalid tls version: 1.3", "clients[0].tls.tls_version: write tls1.2 or"},
        {"a version that is a number", TLS_CLIENT("tls_version: 1.3"), LOAD,
         "yaml parse error > invalid type: floating point `1.3`, expected a string", "tls1.2"},
        {"source without cert", TLS_SERVER("source: {type: file, key: /k}"), LOAD,
         "yaml parse error > missing field `cert`", "tls.source: write {type: file, cert: PATH"},
        {"source without key", TLS_SERVER("source: {type: pem, cert: x}"), LOAD,
         "yaml parse error > missing field `key`", "write {type: pem, cert: TEXT"},
        {"authority without path", TLS_CLIENT("ca_source: {type: file}"), LOAD,
         "yaml parse error > missing field `path`", "ca_source"},
        {"authority without data", TLS_CLIENT("ca_source: {type: pem, path: /x}"), LOAD,
         "yaml parse error > missing field `data`", ""},
        {"source type vault", TLS_CLIENT("ca_source: {type: vault}"), LOAD,
         "yaml parse error > unknown variant `vault`, expected one of `pem`, `file`, `spire`, "
         "`none`",
         "clients[0].tls.ca_source: write {type: T"},
        {"a source that is a text", TLS_SERVER("source: /x"), LOAD,
         "yaml parse error > invalid type: string \"/x\", expected internally tagged enum "
         "TlsSource",
         ""},
        {"a key that is a number is not shown",
         TLS_SERVER("source: {type: pem, cert: x, key: 12345}"), LOAD,
         "yaml parse error > invalid type: integer `${..}`, expected a string", "source.key"},
        {"a text that is no certificate",
         TLS_SERVER("source: {type: pem, cert: x, key: \"" KEY "\"}"), START,
         TLS_CHAIN "invalid pem format > no items found",
         "servers[0].tls.source.cert: there must be a certificate"},
        {"a text that is no key",
         TLS_SERVER("source: {type: pem, cert: \"" CERT
                    "\", key: \"-----BEGIN ENCRYPTED PRIVATE KEY-----\"}"),
         START, TLS_CHAIN "invalid pem format > no items found",
         "source.key: there must be a private key in PEM form, not "
         "encrypted"},
        {"an empty authority", TLS_CLIENT("ca_source: {type: pem, data: \"\"}"), START,
         TLS_CHAIN "invalid pem format > no items found", "clients[0].tls.ca_source.data"},
        {"an interval without nanos", TLS_SERVER(SOURCE ", reload_interval: {secs: 1}"), LOAD,
         "yaml parse error > missing field `nanos`", "write {secs: N, nanos: 0}"},
        {"an interval without secs", TLS_SERVER(SOURCE ", reload_interval: {nanos: 1}"), LOAD,
         "yaml parse error > missing field `secs`", ""},
        {"audiences that are a text", TLS_SERVER("source: {type: spire, jwt_audiences: slim}"),
         LOAD, "yaml parse error > invalid type: string \"slim\", expected a sequence",
         "source.jwt_audiences"},
        {"audiences of numbers", TLS_SERVER("source: {type: spire, trust_domains: [1]}"), LOAD,
         "yaml parse error > invalid type: integer `1`, expected a string", ""},
        {"a section that is a text", SERVER("endpoint: \"127.0.0.1:1\", tls: insecure"), LOAD,
         "yaml parse error > invalid type: string \"insecure\", expected struct TlsServerConfig",
         ""},
    };
    check_bad_rows(rows, SLIM_COUNT(rows));
}

static void old_keys_are_warned_of_with_what_to_write_instead(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        const char *instead;
    } rows[] = {
        {"cert_file", "write source: {type: file, cert: PATH, key: PATH}"},
        {"key_file", "write source: {type: file, cert: PATH, key: PATH}"},
        {"cert_pem", "write source: {type: pem, cert: TEXT, key: TEXT}"},
        {"key_pem", "write source: {type: pem, cert: TEXT, key: TEXT}"},
        {"ca_file", "write ca_source: {type: file, path: PATH}"},
        {"ca_pem", "write ca_source: {type: pem, data: TEXT}"},
        {"client_ca_file", "write client_ca: {type: file, path: PATH}"},
        {"client_ca_pem", "write client_ca: {type: pem, data: TEXT}"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        char text[300];
        (void)snprintf(text, sizeof(text), TLS_SERVER("insecure: true, %s: /x"), rows[i].key);
        struct slim_config *config = read_good(rows[i].key, text);
        char want[200];
        (void)snprintf(want, sizeof(want), ".tls.%s: key of older releases, ignored; %s",
                       rows[i].key, rows[i].instead);
        CHECK_ROW(rows[i].key,
                  config->warning_count == 1 && strstr(config->warnings[0], want) != NULL);
        CHECK_ROW(rows[i].key, strncmp(config->warnings[0], "f.yaml:1:", 9) == 0);
        slim_config_free(config);
    }
}

/* ---------------------------------------------------------------------------------------------------- files */

static void write_file(char *path, const char *text)
{
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    CHECK(close(fd) == 0);
}

static void files_that_are_named_are_looked_at_when_a_file_is_loaded(void **state)
{
    (void)state;
    char cert[] = "/tmp/slim-config-XXXXXX";
    char key[] = "/tmp/slim-config-XXXXXX";
    write_file(cert, "text\n-----BEGIN CERTIFICATE-----\n");
    write_file(key, "-----BEGIN EC PRIVATE KEY-----\n");
    const struct {
        const char *why;
        const char *cert;
        const char *key;
        const char *ca;
        const char *cause; /* the last but one; NULL: good */
        const char *hint;
    } rows[] = {
        {"all there", cert, key, cert, NULL, ""},
        {"no certificate", "/nonexistent/c", key, cert,
         "I/O error: No such file or directory (os error 2)",
         "tls.source.cert: the file cannot be read"},
        {"no key", cert, "/nonexistent/k", cert,
         "I/O error: No such file or directory (os error 2)", "tls.source.key"},
        {"a folder", cert, key, "/", "I/O error: Is a directory (os error 21)",
         "tls.client_ca.path"},
        {"two things mixed up", key, cert, cert, "no items found", "there must be a certificate"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        char text[600];
        (void)snprintf(text, sizeof(text),
                       TLS_SERVER("source: {type: file, cert: \"%s\", key: \"%s\"}, client_ca: "
                                  "{type: file, path: \"%s\"}"),
                       rows[i].cert, rows[i].key, rows[i].ca);
        char path[] = "/tmp/slim-config-XXXXXX";
        write_file(path, text);
        struct slim_config *config = NULL;
        struct slim_config_error error;
        enum slim_status status = slim_config_load(path, &config, &error);
        CHECK_ROW(rows[i].why, (status == SLIM_OK) == (rows[i].cause == NULL));
        if (rows[i].cause != NULL) {
            CHECK_ROW(rows[i].why, error.stage == START && error.cause_count >= 5);
            CHECK_ROW(error.cause[4], strcmp(error.cause[3], "invalid pem format") == 0);
            CHECK_ROW(error.cause[4], strcmp(error.cause[4], rows[i].cause) == 0);
            CHECK_ROW(error.cause[5], strstr(error.cause[5], rows[i].hint) != NULL);
        }
        slim_config_free(config);
        CHECK(unlink(path) == 0);
    }
    CHECK(unlink(cert) == 0 && unlink(key) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_come_from_three_kinds_of_source),
        cmocka_unit_test(authorities_come_from_the_same_kinds),
        cmocka_unit_test(spiffe_keys_reach_their_fields),
        cmocka_unit_test(other_keys_reach_their_fields),
        cmocka_unit_test(the_scheme_and_insecure_decide_whether_there_is_tls),
        cmocka_unit_test(settings_that_cannot_be_are_refused),
        cmocka_unit_test(old_keys_are_warned_of_with_what_to_write_instead),
        cmocka_unit_test(files_that_are_named_are_looked_at_when_a_file_is_loaded),
    };
    return cmocka_run_group_tests_name("tls", tests, NULL, NULL);
}
