#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "config/limits.h"
#include "support/check.h"

#define PATH "node.yaml"
#define INSECURE ", tls: {insecure: true}"
#define SERVER(rest)                                                                               \
    "{slim/0: {dataplane: {servers: [{endpoint: \"127.0.0.1:1\"" INSECURE rest "}]}}}"
#define CLIENT(rest)                                                                               \
    "{slim/0: {dataplane: {clients: [{endpoint: \"http://127.0.0.1:1\"" INSECURE rest "}]}}}"
#define SERVICES(text) "services: " text "\n"

/* The configuration of `text`, which must be good. */
static struct slim_config *good(const char *why, const char *text)
{
    struct slim_config *config = NULL;
    struct slim_config_error error;
    enum slim_status status = slim_config_parse(slim_view_str(text), PATH, &config, &error);
    if (status != SLIM_OK) {
        print_error("%s: %s\n", why, error.cause[error.cause_count - 1]);
    }
    CHECK_ROW(why, status == SLIM_OK && config != NULL);
    return config;
}

/* ---------------------------------------------------------------------------------------------------- values */

static const char tutorial[] = "tracing:\n"
                               "  log_level: info\n"
                               "  display_thread_names: true\n"
                               "  display_thread_ids: true\n"
                               "runtime:\n"
                               "  n_cores: 0\n"
                               "  thread_name: \"slim-data-plane\"\n"
                               "  drain_timeout: 10s\n"
                               "services:\n"
                               "  slim/0:\n"
                               "    dataplane:\n"
                               "      servers:\n"
                               "        - endpoint: \"0.0.0.0:46357\"\n"
                               "          tls:\n"
                               "            insecure: true\n"
                               "      clients: []\n"
                               "    controller:\n"
                               "      servers: []\n";

static void tutorial_file_is_read_as_written(void **state)
{
    (void)state;
    struct slim_config *config = good("tutorial", tutorial);
    CHECK(config->log_level == SLIM_LOG_INFO && strcmp(config->log_directives, "") == 0);
    CHECK(config->display_thread_names && config->display_thread_ids);
    CHECK(config->n_cores == 0 && strcmp(config->thread_name, "slim-data-plane") == 0);
    CHECK(config->drain_timeout_ms == 10000 && config->memory_max_bytes == 0);
    CHECK(config->service_count == 1 && config->warning_count == 0);
    const struct slim_config_service *service = &config->services[0];
    CHECK(strcmp(service->id, "slim/0") == 0 && service->recovery_ttl_ms == 30000);
    CHECK(service->server_count == 1 && service->client_count == 0);
    CHECK(strcmp(service->servers[0].endpoint, "0.0.0.0:46357") == 0 &&
          service->servers[0].tls.is_insecure);
    slim_config_free(config);
}

static void absent_keys_have_the_defaults_of_the_reference(void **state)
{
    (void)state;
    struct slim_config *config = good("server", SERVICES(SERVER("")));
    CHECK(config->log_level == SLIM_LOG_INFO && config->display_thread_names &&
          !config->display_thread_ids);
    CHECK(strcmp(config->thread_name, "slim") == 0 && config->drain_timeout_ms == 10000 &&
          config->n_cores == 0);
    const struct slim_config_server *server = &config->services[0].servers[0];
    CHECK(server->max_frame_bytes == 16384 && server->header_list_bytes == 16384);
    CHECK(server->max_concurrent_streams == 0 && server->max_connection_age_ms == 7200000);
    CHECK(server->keepalive_time_ms == 120000 && server->keepalive_timeout_ms == 20000);
    slim_config_free(config);

    config = good("client", SERVICES(CLIENT("")));
    const struct slim_config_client *client = &config->services[0].clients[0];
    CHECK(client->origin == NULL && client->link_id == NULL && !client->has_keepalive);
    CHECK(client->connect_timeout_ms == 0 && client->request_timeout_ms == 0);
    CHECK(client->backoff.kind == SLIM_CONFIG_BACKOFF_EXPONENTIAL &&
          client->backoff.base_ms == 100);
    CHECK(client->backoff.factor == 1 && client->backoff.max_delay_ms == 1000);
    CHECK(client->backoff.max_attempts == UINT64_MAX && client->backoff.has_jitter);
    slim_config_free(config);
}

static void every_supported_key_reaches_its_field(void **state)
{
    (void)state;
    struct slim_config *config =
        good("all keys",
             "tracing: {log_level: DEBUG, display_thread_names: false, display_thread_ids: true,\n"
             "  filters: [slim_datapath, \"slim=trace\"], opentelemetry: {enabled: false}}\n"
             "runtime: {n_cores: 3, thread_name: worker, drain_timeout: 1m, memory_max: 512MiB}\n"
             "services:\n"
             "  slim/0:\n"
             "    node_id: n7\n"
             "    group_name: g\n"
             "    dataplane:\n"
             "      recovery_ttl: 0s\n"
             "      token_provider: {type: none}\n"
             "      servers:\n"
             "      - endpoint: \"[::1]:5000\"\n"
             "        tls: {insecure: true, source: {type: none}, tls_version: tls1.2}\n"
             "        http2_only: true\n"
             "        max_frame_size: 4\n"
             "        max_concurrent_streams: 9\n"
             "        max_header_list_size: 4096\n"
             "        read_buffer_size: 1\n"
             "        write_buffer_size: 1\n"
             "        auth: {type: none}\n"
             "        metadata: {a: 1, b: [x, {c: 1.5}]}\n"
             "        keepalive: {time: 1s, timeout: 2s, max_connection_age: 3s,\n"
             "                    max_connection_age_grace: 4s, max_connection_idle: 5s}\n"
             "      - {endpoint: \"unix:///run/slim.sock\", tls: {insecure: true}}\n"
             "      clients:\n"
             "      - endpoint: http://localhost:46357\n"
             "        origin: http://other\n"
             "        compression: Gzip\n"
             "        connect_timeout: 250ms\n"
             "        request_timeout: 2s\n"
             "        buffer_size: 16\n"
             "        headers: {}\n"
             "        proxy: {}\n"
             "        rate_limit: null\n"
             "        link_id: 123e4567-e89b-42d3-a456-426614174000\n"
             "        keepalive: {tcp_keepalive: 1s, http2_keepalive: 2s, timeout: 3s, "
             "keep_alive_while_idle: true}\n"
             "        backoff: {type: exponential, base: 2, factor: 200, max_delay: 700ms, "
             "max_attempts: 5}\n"
             "      - endpoint: unix:///run/other.sock\n"
             "        backoff: {type: fixed_interval, interval: 100ms, max_attempts: 2}\n"
             "    controller: {servers: [], clients: [], token_provider: {type: none}}\n");
    CHECK(config->log_level == SLIM_LOG_DEBUG && !config->display_thread_names &&
          config->display_thread_ids);
    CHECK(strcmp(config->log_directives, "slim_datapath=debug,slim=trace") == 0);
    CHECK(config->n_cores == 3 && config->drain_timeout_ms == 60000 &&
          config->memory_max_bytes == 512U << 20);
    CHECK(strcmp(config->thread_name, "worker") == 0);
    CHECK(config->warning_count == 1 &&
          strcmp(config->warnings[0],
                 PATH ":3:20: runtime.n_cores: this version runs one data-plane loop on one "
                      "core, whatever the number") == 0);
    const struct slim_config_service *service = &config->services[0];
    CHECK(strcmp(service->id, "slim/n7") == 0 && service->recovery_ttl_ms == 0);
    CHECK(service->server_count == 2 && service->client_count == 2);
    const struct slim_config_server *server = &service->servers[0];
    CHECK(server->max_frame_bytes == 4U << 20 && server->max_concurrent_streams == 9);
    CHECK(server->header_list_bytes == 4096 && server->keepalive_time_ms == 1000);
    CHECK(server->keepalive_timeout_ms == 2000 && server->max_connection_age_ms == 3000);
    const struct slim_config_client *client = &service->clients[0];
    CHECK(strcmp(client->origin, "http://other") == 0 && client->connect_timeout_ms == 250);
    CHECK(client->request_timeout_ms == 2000 && client->has_keepalive &&
          client->keepalive_while_idle);
    CHECK(client->http2_keepalive_ms == 2000 && client->keepalive_timeout_ms == 3000);
    CHECK(strcmp(client->link_id, "123e4567-e89b-42d3-a456-426614174000") == 0);
    CHECK(client->backoff.base_ms == 2 && client->backoff.factor == 200 &&
          client->backoff.max_delay_ms == 700);
    CHECK(client->backoff.max_attempts == 5 && !client->backoff.has_jitter);
    CHECK(service->clients[1].backoff.kind == SLIM_CONFIG_BACKOFF_FIXED);
    CHECK(service->clients[1].backoff.interval_ms == 100 &&
          service->clients[1].backoff.max_attempts == 2);
    slim_config_free(config);
}

/* ---------------------------------------------------------------------------------------------------- warnings */

static void what_has_no_effect_is_warned_of_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *text;
        const char *warning;
    } rows[] = {
        {"an unknown key of a service",
         "services:\n  slim/0:\n    bogus: 1\n    dataplane: {servers: [{endpoint: "
         "\"127.0.0.1:1\"" INSECURE "}]}\n",
         PATH ":3:5: services.slim/0.bogus: unknown key, ignored; known are: node_id, group_name, "
              "dataplane, "
              "controller"},
        {"an unknown key of tracing", "tracing: {level: info}\n" SERVICES(SERVER("")),
         PATH
         ":1:11: tracing.level: unknown key, ignored; known are: log_level, display_thread_names, "
         "display_thread_ids, filters, format, opentelemetry"},
        {"a merge key, which the reference ignores too", SERVICES(SERVER(", \"<<\": {a: b}")),
         "services.slim/0.dataplane.servers[0].<<: unknown key, ignored"},
        {"old-style TLS keys",
         SERVICES("{slim/0: {dataplane: {servers: [{endpoint: \"127.0.0.1:1\", tls: {insecure: "
                  "true, cert_file: /x}}]}}}"),
         "servers[0].tls.cert_file: key of older releases, ignored; write source: {type: file, "
         "cert: "
         "PATH, key: PATH}"},
        {"a wrong level", "tracing: {log_level: loud}\n" SERVICES(SERVER("")),
         PATH ":1:22: tracing.log_level: \"loud\" is no log level, info is used; write trace, "
              "debug, info, warn or "
              "error"},
        {"a frame larger than HTTP/2 allows", SERVICES(SERVER(", max_frame_size: 16")),
         "max_frame_size: HTTP/2 allows 1 to 15 (MiB); 16777215 bytes are used"},
        {"no frame at all", SERVICES(SERVER(", max_frame_size: 0")),
         "max_frame_size: HTTP/2 allows 1 to 15 (MiB); 16384 bytes are used"},
        {"a TLS name without TLS", SERVICES(CLIENT(", server_name: x")),
         "server_name: has no effect without TLS"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_config *config = good(rows[i].why, rows[i].text);
        CHECK_ROW(rows[i].why, config->warning_count == 1);
        CHECK_ROW(config->warnings[0], strstr(config->warnings[0], rows[i].warning) != NULL);
        slim_config_free(config);
    }
}

static void filters_become_directives(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *tracing;
        const char *directives;
    } rows[] = {
        {"absent", "{}", ""},
        {"null", "{filters: }", ""},
        {"the list the reference has built in",
         "{filters: [slim_datapath, slim_service, slim_controller, slim_auth, slim_config, "
         "slim_mls, slim_session, "
         "slim_signal, slim_tracing, _slim_bindings, slim_testing, slim, slim_examples, sdk_mock, "
         "client]}",
         ""},
        {"an entry without level has log_level, wherever that stands",
         "{filters: [a, b=warn], log_level: error}", "a=error,b=warn"},
        {"an empty list silences everything", "{filters: []}", "off"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        char text[600];
        (void)snprintf(text, sizeof(text), "tracing: %s\n" SERVICES(SERVER("")), rows[i].tracing);
        struct slim_config *config = good(rows[i].why, text);
        CHECK_ROW(config->log_directives, strcmp(config->log_directives, rows[i].directives) == 0);
        slim_config_free(config);
    }
}

static void memory_max_is_bytes_or_a_text(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *value;
        uint64_t bytes; /* UINT64_MAX: refused */
    } rows[] = {
        {"chosen by the machine", "0", 0},
        {"bytes", "16777216", 16777216},
        {"a text of bytes", "\"16777216\"", 16777216},
        {"with unit", "16777216B", 16777216},
        {"kibibytes", "16384KiB", 16777216},
        {"mebibytes", "512MiB", 512U << 20},
        {"a blank before the unit", "512 MiB", 512U << 20},
        {"gibibytes", "2GiB", 2ULL << 30},
        {"decimal", "20MB", 20000000},
        {"gigabytes", "1GB", 1000000000},
        {"too little to work with", "16777215", UINT64_MAX},
        {"not a size", "many", UINT64_MAX},
        {"unknown unit", "5XiB", UINT64_MAX},
        {"unit only", "MiB", UINT64_MAX},
        {"negative", "-1", UINT64_MAX},
        {"a fraction", "1.5GiB", UINT64_MAX},
        {"more than 64 bits", "18446744073709551616GiB", UINT64_MAX},
        {"more than 64 bits with the unit", "17179869184GiB", UINT64_MAX},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        char text[300];
        (void)snprintf(text, sizeof(text), "runtime: {memory_max: %s}\n" SERVICES(SERVER("")),
                       rows[i].value);
        struct slim_config *config = NULL;
        struct slim_config_error error;
        enum slim_status status = slim_config_parse(slim_view_str(text), PATH, &config, &error);
        if (rows[i].bytes == UINT64_MAX) {
            CHECK_ROW(rows[i].why, status == SLIM_ERR_CONFIG && config == NULL);
            continue;
        }
        CHECK_ROW(rows[i].why, status == SLIM_OK && config->memory_max_bytes == rows[i].bytes);
        slim_config_free(config);
    }
}

static void service_keys_name_the_service(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *key;
        const char *id;
    } rows[] = {
        {"as written", "slim/0", "slim/0"},
        {"an empty name prints as the kind alone", "slim/", "slim"},
        {"any kind", "Edge_2/a-b", "Edge_2/a-b"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        char text[300];
        (void)snprintf(text, sizeof(text),
                       "services: {%s: {dataplane: {servers: [{endpoint: \"127.0.0.1:1\"" INSECURE
                       "}]}}}\n",
                       rows[i].key);
        struct slim_config *config = good(rows[i].why, text);
        CHECK_ROW(rows[i].why, strcmp(config->services[0].id, rows[i].id) == 0);
        slim_config_free(config);
    }
}

/* ---------------------------------------------------------------------------------------------------- load and memory */

static void file_that_cannot_be_read_gives_the_text_of_the_system(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *cause;
    } rows[] = {
        {"/nonexistent/x.yaml", "No such file or directory (os error 2)"},
        {"/", "Is a directory (os error 21)"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_config *config = NULL;
        struct slim_config_error error;
        CHECK(slim_config_load(rows[i].path, &config, &error) == SLIM_ERR_CONFIG && config == NULL);
        CHECK(error.stage == SLIM_CONFIG_STAGE_FILE && error.cause_count == 3);
        CHECK(strcmp(error.cause[0], "io error") == 0);
        CHECK_ROW(error.cause[1], strcmp(error.cause[1], rows[i].cause) == 0);
    }
}

/* A file with `text` in the current folder's temporary place; remove it. */
static void write_file(char *path, const char *text)
{
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    CHECK(close(fd) == 0);
}

static void values_come_from_the_environment_and_from_files(void **state)
{
    (void)state;
    char path[] = "/tmp/slim-config-XXXXXX";
    write_file(path, "127.0.0.1:4000");
    CHECK(setenv("SLIM_TEST_TIME", "7s", 1) == 0);
    CHECK(setenv("SLIM_TEST_NAME", "${env:SLIM_TEST_TIME}", 1) == 0);
    char text[600];
    (void)snprintf(
        text, sizeof(text),
        "runtime: {drain_timeout: \"${env:SLIM_TEST_TIME}\", thread_name: "
        "\"${env:SLIM_TEST_NAME}\"}\n"
        "services: {slim/0: {group_name: \"pre-${env:X}\", dataplane: {servers: [{endpoint: "
        "\"${file:%s}\"" INSECURE "}]}}}\n",
        path);
    struct slim_config *config = good("substitution", text);
    CHECK(config->drain_timeout_ms == 7000);
    CHECK(strcmp(config->thread_name, "${env:SLIM_TEST_TIME}") == 0); /* not recursive */
    CHECK(strcmp(config->services[0].servers[0].endpoint, "127.0.0.1:4000") == 0);
    slim_config_free(config);
    CHECK(unlink(path) == 0);
}

static void a_document_is_also_given_as_json(void **state)
{
    (void)state;
    static const char text[] =
        "runtime: {n_cores: 0x10, thread_name: \"${env:SLIM_TEST_NAME}\", drain_timeout: &t 30s}\n"
        "tracing: {bogus: [1.5, .inf, -7, ~, true, \"a\\\"b\", *t]}\n";
    static const char expected[] =
        "{\"runtime\":{\"n_cores\":16,\"thread_name\":\"n\",\"drain_timeout\":\"30s\"},"
        "\"tracing\":{\"bogus\":[1.5,\".inf\",-7,null,true,\"a\\\"b\",\"30s\"]}}";
    char path[] = "/tmp/slim-config-XXXXXX";
    write_file(path, text);
    CHECK(setenv("SLIM_TEST_NAME", "n", 1) == 0);
    struct slim_buf json = {0};
    struct slim_config *config;
    struct slim_config_error error;
    enum slim_status status = slim_config_load_json(path, &config, &json, &error);
    CHECK_ROW(status == SLIM_OK ? "" : error.cause[error.cause_count - 1], status == SLIM_OK);
    CHECK_VIEW(slim_buf_view(&json), expected);
    CHECK(config->n_cores == 16 && config->warning_count > 0);
    slim_config_free(config);
    slim_buf_wipe(&json);
    CHECK(unlink(path) == 0);
    CHECK(slim_config_load_json(path, &config, &json, &error) == SLIM_ERR_CONFIG && config == NULL);
    slim_buf_wipe(&json);
}

static void aliases_repeat_their_anchor(void **state)
{
    (void)state;
    struct slim_config *config =
        good("alias", "services:\n"
                      "  slim/0: {dataplane: {servers: [{endpoint: \"127.0.0.1:1\", tls: &t "
                      "{insecure: true}}]}}\n"
                      "  slim/1: {dataplane: {servers: [{endpoint: \"127.0.0.1:2\", tls: *t}]}}\n");
    CHECK(config->service_count == 2 && config->services[1].servers[0].tls.is_insecure);
    slim_config_free(config);
}

/* Every key that takes memory. */
static const char full[] =
    "tracing: {log_level: debug, format: json, filters: [slim_datapath], opentelemetry: {enabled: "
    "true, grpc: {endpoint: \"http://c:1\"}, service_name: a, service_version: b, environment: "
    "c}}\n"
    "telemetry: {prometheus: \"127.0.0.1:9\"}\n"
    "runtime: {thread_name: worker}\n"
    "services:\n"
    "  slim/0:\n"
    "    node_id: n7\n"
    "    group_name: g\n"
    "    dataplane:\n"
    "      token_provider: {type: shared_secret, id: a, data: short}\n"
    "      servers:\n"
    "      - endpoint: \"[::1]:5000\"\n"
    "        tls: {source: {type: file, cert: /c, key: /k}, ca_source: {type: spire, socket_path: "
    "/s, trust_domains: [a, b]}, client_ca: {type: file, path: /p}}\n"
    "        auth: {type: jwt, claims: {audience: [a, b], issuer: i, subject: s, custom_claims: "
    "{a: "
    "[1, 2.5]}}, key: {type: decoding, algorithm: ES256, format: pem, key: {file: /k}}}\n"
    "        metadata: {a: 1, b: [x, {c: 1.5}]}\n"
    "      - {endpoint: \"127.0.0.1:1\", tls: {insecure: true}, auth: {type: spire}}\n"
    "      clients:\n"
    "      - endpoint: https://localhost:46357\n"
    "        origin: http://other\n"
    "        server_name: x\n"
    "        headers: {a: b, C: d, te: dropped}\n"
    "        proxy: {url: \"http://p\", username: u, password: p, headers: {a: b}, tls: "
    "{ca_source: "
    "{type: file, path: /x}}}\n"
    "        auth: {type: basic, username: u, password: p}\n"
    "        rate_limit: 20/1\n"
    "        link_id: 123e4567-e89b-42d3-a456-426614174000\n"
    "        metadata: {}\n"
    "      - {endpoint: \"http://a:1\", auth: {type: static_jwt, file: /t}}\n"
    "    controller:\n"
    "      servers: [{endpoint: \"127.0.0.1:2\", tls: {insecure: true}}]\n"
    "      clients: [{endpoint: \"http://c:1\"}]\n"
    "      token_provider: {type: jwt, key: {type: encoding, algorithm: HS256, format: pem, key: "
    "{data: x}}}\n"
    "      token_verifier: {type: shared_secret, id: a, data: 0123456789abcdef0123456789abcdef}\n";

static void sweep(void)
{
    struct slim_config *config = NULL;
    struct slim_config_error error;
    enum slim_status status = slim_config_parse(slim_view_str(full), PATH, &config, &error);
    if (status == SLIM_ERR_CONFIG) {
        print_error("%s > %s\n", error.cause[0], error.cause[error.cause_count - 1]);
    }
    assert_true(status == SLIM_OK ||
                (status == SLIM_ERR_NO_MEMORY && config == NULL && error.cause_count == 1));
    assert_true(status != SLIM_OK || config->warning_count == 3);
    slim_config_free(config);
    static const char bad[] = "tracing: {filters: [a], zzz: 1}\n" SERVICES(
        "{slim/0: {dataplane: {servers: [{endpoint: x}, {auth: {type: basic, username: u}, tls: "
        "{source: {type: pem, cert: a}}}], clients: [{endpoint: y, origin: z, headers: {\"a b\": "
        "c}, rate_limit: x, metadata: {a: true}}]}}}");
    status = slim_config_parse(slim_view_str(bad), PATH, &config, &error);
    assert_true(status == SLIM_ERR_CONFIG || status == SLIM_ERR_NO_MEMORY);
    slim_config_free(config);
}

static void out_of_memory_leaks_nothing(void **state)
{
    (void)state;
    slim_sweep_alloc(sweep);
}

static void check_finds_all_problems_at_once(void **state)
{
    (void)state;
    char path[] = "/tmp/slim-config-XXXXXX";
    write_file(path,
               "runtime: {n_cores: many, typo: 1}\n"
               "services:\n"
               "  slim: {}\n"
               "  slim/1: {dataplane: {servers: [{endpoint: \"localhost:1\"" INSECURE
               "}, {tls: 5, auth: {type: basic, username: \"\"}}, {endpoint: \"127.0.0.1:1\", "
               "tls: {tls_version: x}}]}}\n");
    struct slim_config_report *report = NULL;
    CHECK_OK(slim_config_check(path, &report));
    CHECK(report->problem_count == 8 && report->left_out_count == 0);
    static const enum slim_config_stage stages[] = {
        SLIM_CONFIG_STAGE_FILE,     SLIM_CONFIG_STAGE_SERVICES, SLIM_CONFIG_STAGE_START,
        SLIM_CONFIG_STAGE_SERVICES, SLIM_CONFIG_STAGE_SERVICES, SLIM_CONFIG_STAGE_SERVICES,
        SLIM_CONFIG_STAGE_START,    SLIM_CONFIG_STAGE_START};
    for (size_t i = 0; i < SLIM_COUNT(stages); i++) {
        CHECK_ROW(report->problems[i].cause[0], report->problems[i].stage == stages[i]);
    }
    CHECK(report->config->warning_count == 1);
    slim_config_report_free(report);
    slim_config_report_free(NULL);
    CHECK(unlink(path) == 0);
}

static void problems_beyond_the_limit_are_counted(void **state)
{
    (void)state;
    char path[] = "/tmp/slim-config-XXXXXX";
    char text[8192] = "services: {slim/0: {dataplane: {servers: [";
    for (int i = 0; i < SLIM_CONFIG_PROBLEM_COUNT_MAX + 3; i++) {
        strcat(text, "{endpoint: x},");
    }
    strcat(text, "]}}}\n");
    write_file(path, text);
    struct slim_config_report *report = NULL;
    CHECK_OK(slim_config_check(path, &report));
    CHECK(report->problem_count == SLIM_CONFIG_PROBLEM_COUNT_MAX && report->left_out_count == 3);
    slim_config_report_free(report);
    CHECK(unlink(path) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tutorial_file_is_read_as_written),
        cmocka_unit_test(absent_keys_have_the_defaults_of_the_reference),
        cmocka_unit_test(every_supported_key_reaches_its_field),
        cmocka_unit_test(what_has_no_effect_is_warned_of_with_its_place),
        cmocka_unit_test(filters_become_directives),
        cmocka_unit_test(memory_max_is_bytes_or_a_text),
        cmocka_unit_test(service_keys_name_the_service),
        cmocka_unit_test(file_that_cannot_be_read_gives_the_text_of_the_system),
        cmocka_unit_test(values_come_from_the_environment_and_from_files),
        cmocka_unit_test(a_document_is_also_given_as_json),
        cmocka_unit_test(aliases_repeat_their_anchor),
        cmocka_unit_test(out_of_memory_leaks_nothing),
        cmocka_unit_test(check_finds_all_problems_at_once),
        cmocka_unit_test(problems_beyond_the_limit_are_counted),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
