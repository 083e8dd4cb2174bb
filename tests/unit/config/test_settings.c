/* The sections tracing, runtime and telemetry (spec node.md 3.3, 6; format, memory_max and telemetry are ours). */
#include "config/limits.h"
#include "rows.h"

#define WITH(section) section "\n" GOOD_SERVER("")

static void telemetry_is_off_until_it_is_configured(void **state)
{
    (void)state;
    struct slim_config *config = read_good("defaults", GOOD_SERVER(""));
    CHECK(!config->otlp.is_enabled && config->otlp.endpoint == NULL);
    CHECK(is_text(config->otlp.service_name, "slim-data-plane"));
    CHECK(is_text(config->otlp.service_version, "v0.1.0"));
    CHECK(is_text(config->otlp.environment, "development"));
    CHECK(config->otlp.metrics_interval_ms == 30000);
    CHECK(config->prometheus == NULL && !config->is_json);
    slim_config_free(config);
}

static void telemetry_keys_reach_their_fields(void **state)
{
    (void)state;
    struct slim_config *config = read_good(
        "all", WITH("tracing: {format: json, opentelemetry: {enabled: true, grpc: {endpoint: "
                    "\"http://c:4317\", backoff: {type: fixed_interval}}, service_name: n, "
                    "service_version: v, environment: e, metrics_interval_secs: 7}}\n"
                    "telemetry: {prometheus: \"127.0.0.1:9090\"}"));
    CHECK(config->otlp.is_enabled && is_text(config->otlp.endpoint, "http://c:4317"));
    CHECK(is_text(config->otlp.service_name, "n") && is_text(config->otlp.service_version, "v"));
    CHECK(is_text(config->otlp.environment, "e") && config->otlp.metrics_interval_ms == 7000);
    CHECK(is_text(config->prometheus, "127.0.0.1:9090") && config->is_json);
    CHECK(config->warning_count == 0);
    slim_config_free(config);

    config = read_good("text", WITH("tracing: {format: text, opentelemetry: {enabled: true}}\n"
                                    "telemetry: {prometheus: \"[::1]:0\"}"));
    CHECK(!config->is_json && config->otlp.is_enabled && config->otlp.endpoint == NULL);
    CHECK(is_text(config->prometheus, "[::1]:0"));
    slim_config_free(config);

    config = read_good("null", WITH("tracing: {format: ~, opentelemetry: ~}\n"
                                    "telemetry: {prometheus: ~}"));
    CHECK(!config->is_json && !config->otlp.is_enabled && config->prometheus == NULL);
    slim_config_free(config);

    config = read_good("an empty section", WITH("telemetry: ~"));
    CHECK(config->prometheus == NULL);
    slim_config_free(config);
}

static void intervals_are_whole_seconds_of_any_number(void **state)
{
    (void)state;
    struct slim_config *config =
        read_good("none", WITH("tracing: {opentelemetry: {metrics_interval_secs: 0}}"));
    CHECK(config->otlp.metrics_interval_ms == 1000 && config->warning_count == 1);
    CHECK(strstr(config->warnings[0], "one second is the shortest interval") != NULL);
    slim_config_free(config);
    config = read_good(
        "never", WITH("tracing: {opentelemetry: {metrics_interval_secs: 18446744073709551615}}"));
    CHECK(config->otlp.metrics_interval_ms == UINT64_MAX);
    slim_config_free(config);
}

static void settings_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct bad_row rows[] = {
        {"a format nobody knows", WITH("tracing: {format: xml}"), FILE_STAGE,
         "yaml parse error > unknown variant `xml`, expected `text` or `json`", "tracing.format"},
        {"a format that is a number", WITH("tracing: {format: 1}"), FILE_STAGE,
         "yaml parse error > invalid type: integer `1`, expected a string", ""},
        {"tracing as list", WITH("tracing: []"), FILE_STAGE,
         "yaml parse error > invalid type: sequence, expected struct TracingConfiguration", ""},
        {"a name flag in quotes", WITH("tracing: {display_thread_names: \"true\"}"), FILE_STAGE,
         "yaml parse error > invalid type: string \"true\", expected a boolean", ""},
        {"OpenTelemetry in quotes", WITH("tracing: {opentelemetry: {enabled: \"true\"}}"),
         FILE_STAGE, "yaml parse error > invalid type: string \"true\", expected a boolean",
         "tracing.opentelemetry.enabled"},
        {"OpenTelemetry as text", WITH("tracing: {opentelemetry: on}"), FILE_STAGE,
         "yaml parse error > invalid type: string \"on\", expected struct OpenTelemetryConfig", ""},
        {"a collector without endpoint", WITH("tracing: {opentelemetry: {grpc: {}}}"), FILE_STAGE,
         "yaml parse error > missing field `endpoint`", "tracing.opentelemetry.grpc"},
        {"a collector without scheme",
         WITH("tracing: {opentelemetry: {grpc: {endpoint: \"c:1\"}}}"), FILE_STAGE,
         "opentelemetry error > configuration error > invalid endpoint scheme", ""},
        {"a service name that is a number", WITH("tracing: {opentelemetry: {service_name: 1}}"),
         FILE_STAGE, "yaml parse error > invalid type: integer `1`, expected a string", ""},
        {"a version that is a number", WITH("tracing: {opentelemetry: {service_version: 1.0}}"),
         FILE_STAGE, "yaml parse error > invalid type: floating point `1.0`, expected a string",
         ""},
        {"an environment that is none", WITH("tracing: {opentelemetry: {environment: ~}}"),
         FILE_STAGE, "yaml parse error > invalid type: unit value, expected a string", ""},
        {"an interval with unit", WITH("tracing: {opentelemetry: {metrics_interval_secs: 1s}}"),
         FILE_STAGE, "yaml parse error > invalid type: string \"1s\", expected u64", ""},
        {"a host name", WITH("telemetry: {prometheus: \"localhost:9090\"}"), FILE_STAGE,
         "yaml parse error > invalid socket address syntax", "telemetry.prometheus: write"},
        {"no address", WITH("telemetry: {prometheus: \":9090\"}"), FILE_STAGE,
         "yaml parse error > invalid socket address syntax", ""},
        {"only a port", WITH("telemetry: {prometheus: 9090}"), FILE_STAGE,
         "yaml parse error > invalid type: integer `9090`, expected a string", ""},
        {"telemetry as text", WITH("telemetry: on"), FILE_STAGE,
         "yaml parse error > invalid type: string \"on\", expected struct TelemetryConfiguration",
         ""},
        {"a drain time that is a number", WITH("runtime: {drain_timeout: 10}"), FILE_STAGE,
         "yaml parse error > invalid type: integer `10`, expected string", "runtime.drain_timeout"},
        {"a memory bound of words", WITH("runtime: {memory_max: many}"), FILE_STAGE,
         "yaml parse error > invalid type: string \"many\", expected a number of bytes or a text "
         "such as \"512MiB\"",
         "runtime.memory_max"},
    };
    check_bad_rows(rows, SLIM_COUNT(rows));
}

static void filters_have_a_limit(void **state)
{
    (void)state;
    static char text[SLIM_CONFIG_FILTER_BYTES_MAX + 400];
    for (size_t over = 0; over < 2; over++) {
        char *at = stpcpy(text, "tracing: {filters: [\"");
        memset(at, 'x', SLIM_CONFIG_FILTER_BYTES_MAX + over);
        strcpy(at + SLIM_CONFIG_FILTER_BYTES_MAX + over, "\"]}\n" GOOD_SERVER(""));
        struct slim_config *config = NULL;
        struct slim_config_error error;
        enum slim_status status = slim_config_parse(slim_view_str(text), "f", &config, &error);
        CHECK_ROW(over == 0 ? "at the limit" : "beyond it",
                  status == (over == 0 ? SLIM_OK : SLIM_ERR_CONFIG));
        CHECK(over == 0 || is_text(error.cause[0], "more than 65536 bytes of filters"));
        slim_config_free(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(telemetry_is_off_until_it_is_configured),
        cmocka_unit_test(telemetry_keys_reach_their_fields),
        cmocka_unit_test(intervals_are_whole_seconds_of_any_number),
        cmocka_unit_test(settings_that_cannot_be_are_refused),
        cmocka_unit_test(filters_have_a_limit),
    };
    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
