/* The sections `tracing` and `runtime`. */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "config/read.h"

#define FIELD(member) offsetof(struct slim_config, member)

/* ---------------------------------------------------------------------------------------------------- tracing */

/* A wrong level is not fatal, as in the reference: it is warned of and info is used. */
static void read_log_level(struct slim_config_reader *reader,
                           const struct slim_config_yaml_node *node, void *target)
{
    struct slim_config *config = target;
    if (node->kind != SLIM_CONFIG_YAML_STRING) {
        slim_config_put_type_problem(reader, node, "a string",
                                     "write trace, debug, info, warn or error");
        return;
    }
    if (slim_log_level_parse(node->text, &config->log_level) != SLIM_OK && !node->is_broken) {
        slim_config_put_warning(
            reader, node,
            "\"%.40s\" is no log level, info is used; write trace, debug, info, warn or error",
            node->is_secret ? "${..}" : (const char *)node->text.data);
    }
}

/* True when the list is the one the reference has built in: then every line has the level log_level. */
static bool is_default_list(const struct slim_config_yaml_node *list)
{
    static const char *const names[] = {
        "slim_datapath", "slim_service", "slim_controller", "slim_auth",    "slim_config",
        "slim_mls",      "slim_session", "slim_signal",     "slim_tracing", "_slim_bindings",
        "slim_testing",  "slim",         "slim_examples",   "sdk_mock",     "client",
    };
    if (list->count != SLIM_COUNT(names)) {
        return false;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (!slim_view_is_equal(list->items[i].value->text, slim_view_str(names[i]))) {
            return false;
        }
    }
    return true;
}

static bool is_filter_list(struct slim_config_reader *reader,
                           const struct slim_config_yaml_node *node)
{
    static const char hint[] = "write a list of \"module\" or \"module=level\"";
    if (node->kind != SLIM_CONFIG_YAML_LIST) {
        slim_config_put_type_problem(reader, node, "a sequence", hint);
        return false;
    }
    bool is_good = true;
    size_t bytes = 0;
    for (size_t i = 0; i < node->count; i++) {
        bytes += node->items[i].value->text.len; /* of bounded documents: no overflow */
        if (node->items[i].value->kind != SLIM_CONFIG_YAML_STRING) {
            slim_config_put_type_problem(reader, node->items[i].value, "a string", hint);
            is_good = false;
        }
    }
    if (bytes > SLIM_CONFIG_FILTER_BYTES_MAX) {
        char text[80];
        (void)snprintf(text, sizeof(text), "more than %d bytes of filters",
                       SLIM_CONFIG_FILTER_BYTES_MAX); /* fits */
        slim_config_put_problem(reader, reader->stage, node, (const char *const[]){text, NULL},
                                "write fewer");
        is_good = false;
    }
    return is_good;
}

/* "a=level" for the entries without a level of their own; read when log_level is known. */
static enum slim_status format_directives(const struct slim_config_yaml_node *list,
                                          enum slim_log_level level, struct slim_buf *out)
{
    static const char *const levels[] = {"trace", "debug", "info", "warn", "error", "off"};
    for (size_t i = 0; i < list->count; i++) {
        struct slim_view entry = list->items[i].value->text;
        SLIM_TRY(slim_buf_put(out, i > 0 ? SLIM_VIEW(",") : SLIM_VIEW("")));
        SLIM_TRY(slim_buf_put(out, entry));
        if (memchr(entry.data, '=', entry.len) == NULL) {
            SLIM_TRY(slim_buf_put_text(out, "=%s", levels[level]));
        }
    }
    if (list->count == 0) {
        SLIM_TRY(slim_buf_put(out, SLIM_VIEW("off"))); /* an empty list matches no target */
    }
    return slim_buf_put_byte(out, 0);
}

static void read_filters(struct slim_config_reader *reader,
                         const struct slim_config_yaml_node *tracing)
{
    struct slim_config *config = reader->report->config;
    const struct slim_config_yaml_node *list =
        tracing->kind == SLIM_CONFIG_YAML_MAP ? slim_config_yaml_find(tracing, "filters") : NULL;
    if (list == NULL || list->kind == SLIM_CONFIG_YAML_NULL) {
        return;
    }
    size_t mark = slim_config_path_push(reader, ".filters");
    if (is_filter_list(reader, list) && !is_default_list(list)) {
        struct slim_buf text = {0};
        if (format_directives(list, config->log_level, &text) != SLIM_OK) {
            slim_buf_fini(&text);
            reader->is_out_of_memory = true;
        } else {
            free(config->log_directives);
            config->log_directives = (char *)text.data;
        }
    }
    slim_config_path_pop(reader, mark);
}

/* A client section of which only the endpoint counts. What is wrong in it stops nothing later: it belongs to the file. */
static void read_collector(struct slim_config_reader *reader,
                           const struct slim_config_yaml_node *node, void *target)
{
    struct slim_config *config = target;
    struct slim_config_client client = {.endpoint = NULL};
    enum slim_config_stage start_stage = reader->start_stage;
    const char *start_context = reader->start_context;
    reader->start_stage = reader->stage;
    reader->start_context = "opentelemetry error";
    slim_config_read_client(reader, node, &client);
    reader->start_stage = start_stage;
    reader->start_context = start_context;
    config->otlp.endpoint = client.endpoint;
    client.endpoint = NULL;
    slim_config_client_fini(&client);
}

static void read_interval(struct slim_config_reader *reader,
                          const struct slim_config_yaml_node *node, void *target)
{
    enum { MS_PER_S = 1000 };
    static const struct slim_config_key seconds = {"", SLIM_CONFIG_TYPE_U64, 0, false, NULL};
    struct slim_config *config = target;
    uint64_t value = config->otlp.metrics_interval_ms / MS_PER_S;
    slim_config_read_value(reader, node, &seconds, &value);
    if (value == 0) {
        slim_config_put_warning(reader, node, "one second is the shortest interval; it is used");
        value = 1;
    }
    if (__builtin_mul_overflow(value, (uint64_t)MS_PER_S, &config->otlp.metrics_interval_ms)) {
        config->otlp.metrics_interval_ms = UINT64_MAX; /* never, for all that matters */
    }
}

static void read_opentelemetry(struct slim_config_reader *reader,
                               const struct slim_config_yaml_node *node, void *target)
{
    static const struct slim_config_key keys[] = {
        {"enabled", SLIM_CONFIG_TYPE_BOOL, FIELD(otlp.is_enabled), false, NULL},
        {"grpc", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_collector},
        {"service_name", SLIM_CONFIG_TYPE_STRING, FIELD(otlp.service_name), false, NULL},
        {"service_version", SLIM_CONFIG_TYPE_STRING, FIELD(otlp.service_version), false, NULL},
        {"environment", SLIM_CONFIG_TYPE_STRING, FIELD(otlp.environment), false, NULL},
        {"metrics_interval_secs", SLIM_CONFIG_TYPE_CUSTOM, 0, false, read_interval},
    };
    slim_config_read_map(reader, node, "struct OpenTelemetryConfig", keys, SLIM_COUNT(keys),
                         target);
}

/* Read by read_filters, when log_level is known. */
static void skip(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                 void *target)
{
    (void)reader;
    (void)node;
    (void)target;
}

/* Ours: the reference writes text only. */
static void read_format(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                        void *target)
{
    static const char *const words[] = {"text", "json", NULL};
    struct slim_config *config = target;
    const char *word = slim_config_read_word(reader, node, "a string", words);
    config->is_json = word != NULL && strcmp(word, "json") == 0;
}

void slim_config_read_tracing(struct slim_config_reader *reader,
                              const struct slim_config_yaml_node *node)
{
    static const struct slim_config_key keys[] = {
        {"log_level", SLIM_CONFIG_TYPE_CUSTOM, 0, false, read_log_level},
        {"display_thread_names", SLIM_CONFIG_TYPE_BOOL, FIELD(display_thread_names), false, NULL},
        {"display_thread_ids", SLIM_CONFIG_TYPE_BOOL, FIELD(display_thread_ids), false, NULL},
        {"filters", SLIM_CONFIG_TYPE_CUSTOM, 0, true, skip},
        {"format", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_format},
        {"opentelemetry", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_opentelemetry},
    };
    if (node == NULL) {
        return;
    }
    size_t mark = slim_config_path_push(reader, "tracing");
    slim_config_read_map(reader, node, "struct TracingConfiguration", keys, SLIM_COUNT(keys),
                         reader->report->config);
    read_filters(reader, node);
    slim_config_path_pop(reader, mark);
}

/* ---------------------------------------------------------------------------------------------------- runtime */

/* "512MiB" and the like to bytes; false: not understood. */
static bool is_size_text(const char *text, uint64_t *bytes)
{
    static const struct {
        const char *name;
        uint64_t factor;
    } units[] = {
        {"", 1},
        {"B", 1},
        {"KiB", 1ULL << 10},
        {"MiB", 1ULL << 20},
        {"GiB", 1ULL << 30},
        {"KB", 1000},
        {"MB", 1000000},
        {"GB", 1000000000},
    };
    uint64_t count = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(count, 10U, &count) ||
            __builtin_add_overflow(count, (uint64_t)(*at - '0'), &count)) {
            return false;
        }
    }
    if (at == text) {
        return false;
    }
    at += strspn(at, " ");
    for (size_t i = 0; i < SLIM_COUNT(units); i++) {
        if (strcmp(at, units[i].name) == 0) {
            return !__builtin_mul_overflow(count, units[i].factor, bytes);
        }
    }
    return false;
}

static void read_memory_max(struct slim_config_reader *reader,
                            const struct slim_config_yaml_node *node, void *target)
{
    static const char expected[] = "a number of bytes or a text such as \"512MiB\"";
    static const char hint[] =
        "write bytes, or a text with B, KiB, MiB, GiB, KB, MB or GB; 0 chooses by the machine";
    struct slim_config *config = target;
    uint64_t bytes = 0;
    bool is_number = node->kind == SLIM_CONFIG_YAML_INTEGER && !node->is_negative;
    if (is_number) {
        bytes = node->integer;
    } else if (node->kind != SLIM_CONFIG_YAML_STRING ||
               !is_size_text((const char *)node->text.data, &bytes)) {
        slim_config_put_type_problem(reader, node, expected, hint);
        return;
    }
    if (bytes != 0 && bytes < SLIM_CONFIG_MEMORY_MAX_MIN) {
        char text[100];
        (void)snprintf(text, sizeof(text), "invalid value: %lu bytes, expected at least %d", bytes,
                       SLIM_CONFIG_MEMORY_MAX_MIN); /* fits */
        slim_config_put_problem(reader, reader->stage, node,
                                (const char *const[]){"yaml parse error", text, NULL}, "%s", hint);
        return;
    }
    config->memory_max_bytes = bytes;
}

/* One loop owns all connections today: a wish for more is not refused, files of the reference have it, but not passed over either. */
static void read_n_cores(struct slim_config_reader *reader,
                         const struct slim_config_yaml_node *node, void *target)
{
    static const struct slim_config_key count = {"", SLIM_CONFIG_TYPE_U32, 0, false, NULL};
    struct slim_config *config = target;
    slim_config_read_value(reader, node, &count, &config->n_cores);
    if (config->n_cores > 1) {
        slim_config_put_warning(
            reader, node, "this version runs one data-plane loop on one core, whatever the number");
    }
}

void slim_config_read_runtime(struct slim_config_reader *reader,
                              const struct slim_config_yaml_node *node)
{
    static const struct slim_config_key keys[] = {
        {"n_cores", SLIM_CONFIG_TYPE_CUSTOM, 0, false, read_n_cores},
        {"thread_name", SLIM_CONFIG_TYPE_STRING, FIELD(thread_name), false, NULL},
        {"drain_timeout", SLIM_CONFIG_TYPE_DURATION, FIELD(drain_timeout_ms), false, NULL},
        {"memory_max", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_memory_max},
    };
    if (node == NULL) {
        return;
    }
    size_t mark = slim_config_path_push(reader, "runtime");
    slim_config_read_map(reader, node, "struct RuntimeConfiguration", keys, SLIM_COUNT(keys),
                         reader->report->config);
    slim_config_path_pop(reader, mark);
}

/* ---------------------------------------------------------------------------------------------------- telemetry */

static void read_prometheus(struct slim_config_reader *reader,
                            const struct slim_config_yaml_node *node, void *target)
{
    static const char hint[] = "write \"IP:PORT\" with a numeric address, e.g. \"127.0.0.1:9090\"";
    static const struct slim_config_key text = {"", SLIM_CONFIG_TYPE_STRING, FIELD(prometheus),
                                                false, NULL};
    struct slim_config *config = target;
    slim_config_read_value(reader, node, &text, config);
    if (config->prometheus != NULL && !node->is_broken &&
        !slim_config_is_socket_address(config->prometheus)) {
        slim_config_put_problem(
            reader, reader->stage, node,
            (const char *const[]){"yaml parse error", "invalid socket address syntax", NULL}, "%s",
            hint);
    }
}

/* Ours: the reference has no such section. */
void slim_config_read_telemetry(struct slim_config_reader *reader,
                                const struct slim_config_yaml_node *node)
{
    static const struct slim_config_key keys[] = {
        {"prometheus", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_prometheus},
    };
    if (node == NULL) {
        return;
    }
    size_t mark = slim_config_path_push(reader, "telemetry");
    slim_config_read_map(reader, node, "struct TelemetryConfiguration", keys, SLIM_COUNT(keys),
                         reader->report->config);
    slim_config_path_pop(reader, mark);
}
