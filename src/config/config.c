#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "config/read.h"

enum {
    DRAIN_TIMEOUT_MS = 10 * 1000,
    METRICS_INTERVAL_MS = 30 * 1000,
};

const char *slim_config_stage_text(enum slim_config_stage stage)
{
    switch (stage) {
    case SLIM_CONFIG_STAGE_FILE:
        return "failed to load configuration";
    case SLIM_CONFIG_STAGE_SERVICES:
        return "error loading services";
    case SLIM_CONFIG_STAGE_START:
        return "failed to start service";
    }
    return "unknown stage";
}

/* ---------------------------------------------------------------------------------------------------- objects */

static char *copy_of(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    if (copy != NULL) {
        memcpy(copy, text, size);
    }
    return copy;
}

static enum slim_status make_config(struct slim_config **config)
{
    struct slim_config *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    made->log_level = SLIM_LOG_INFO;
    made->display_thread_names = true;
    made->drain_timeout_ms = DRAIN_TIMEOUT_MS;
    made->log_directives = copy_of("");
    made->thread_name = copy_of("slim");
    made->otlp.service_name = copy_of("slim-data-plane");
    made->otlp.service_version = copy_of("v0.1.0");
    made->otlp.environment = copy_of("development");
    made->otlp.metrics_interval_ms = METRICS_INTERVAL_MS;
    if (made->log_directives == NULL || made->thread_name == NULL ||
        made->otlp.service_name == NULL || made->otlp.service_version == NULL ||
        made->otlp.environment == NULL) {
        slim_config_free(made);
        return SLIM_ERR_NO_MEMORY;
    }
    *config = made;
    return SLIM_OK;
}

static void drop_services(struct slim_config *config)
{
    for (size_t i = 0; i < config->service_count; i++) {
        slim_config_service_fini(&config->services[i]);
    }
    free(config->services);
    config->services = NULL;
    config->service_count = 0;
}

void slim_config_free(struct slim_config *config)
{
    if (config == NULL) {
        return;
    }
    drop_services(config);
    for (size_t i = 0; i < config->warning_count; i++) {
        free(config->warnings[i]);
    }
    free(config->warnings);
    slim_config_text_free(config->log_directives);
    slim_config_text_free(config->thread_name);
    slim_config_text_free(config->prometheus);
    slim_config_text_free(config->otlp.endpoint);
    slim_config_text_free(config->otlp.service_name);
    slim_config_text_free(config->otlp.service_version);
    slim_config_text_free(config->otlp.environment);
    free(config);
}

void slim_config_report_free(struct slim_config_report *report)
{
    if (report == NULL) {
        return;
    }
    slim_config_free(report->config);
    free(report->problems);
    free(report);
}

/* ---------------------------------------------------------------------------------------------------- the file */

static void put_file_problem(struct slim_config_reader *reader,
                             const struct slim_config_yaml_node *at, const char *outer,
                             const char *inner, const char *hint)
{
    slim_config_put_problem(reader, SLIM_CONFIG_STAGE_FILE, at,
                            (const char *const[]){outer, inner, NULL}, "%s", hint);
}

/* A root that is a map of the known sections; else problems are put. */
static bool is_good_root(struct slim_config_reader *reader,
                         const struct slim_config_yaml_node *root)
{
    static const char hint[] =
        "the file is a map with the keys tracing, runtime, telemetry and services";
    if (root->kind != SLIM_CONFIG_YAML_MAP) {
        put_file_problem(reader, root, "invalid configuration - impossible to parse yaml", NULL,
                         hint);
        return false;
    }
    bool is_good = true;
    for (size_t i = 0; i < root->count; i++) {
        const struct slim_config_yaml_node *key = root->items[i].key;
        if (key->kind != SLIM_CONFIG_YAML_STRING) {
            put_file_problem(reader, key, "invalid configuration - impossible to parse yaml", NULL,
                             hint);
            is_good = false;
        } else if (!slim_view_is_equal(key->text, SLIM_VIEW("tracing")) &&
                   !slim_view_is_equal(key->text, SLIM_VIEW("runtime")) &&
                   !slim_view_is_equal(key->text, SLIM_VIEW("telemetry")) &&
                   !slim_view_is_equal(key->text, SLIM_VIEW("services"))) {
            char text[SLIM_CONFIG_CAUSE_BYTES_MAX];
            (void)snprintf(text, sizeof(text), "invalid configuration - key %.300s not valid",
                           (const char *)key->text.data); /* fits */
            put_file_problem(reader, key, text, NULL, hint);
            is_good = false;
        }
    }
    return is_good;
}

static void read_root(struct slim_config_reader *reader, struct slim_config_yaml_node *root)
{
    if (!is_good_root(reader, root)) {
        return;
    }
    slim_config_substitute(reader, root);
    reader->stage = SLIM_CONFIG_STAGE_FILE;
    slim_config_read_tracing(reader, slim_config_yaml_find(root, "tracing"));
    slim_config_read_runtime(reader, slim_config_yaml_find(root, "runtime"));
    slim_config_read_telemetry(reader, slim_config_yaml_find(root, "telemetry"));
    reader->stage = SLIM_CONFIG_STAGE_SERVICES;
    slim_config_read_services(reader, slim_config_yaml_find(root, "services"));
}

static void read_text(struct slim_config_reader *reader, struct slim_view text)
{
    struct slim_error error;
    if (!slim_utf8_is_valid(text)) {
        put_file_problem(reader, NULL, "io error", "stream did not contain valid UTF-8",
                         "save the file as UTF-8");
        return;
    }
    enum slim_status status = slim_config_yaml_parse(text, &reader->yaml, &error);
    if (status == SLIM_ERR_NO_MEMORY) {
        reader->is_out_of_memory = true;
        return;
    }
    if (status != SLIM_OK) {
        put_file_problem(reader, NULL, "yaml parse error", error.text,
                         "the file is not a YAML document");
        return;
    }
    read_root(reader, slim_config_yaml_root(reader->yaml));
    if (reader->document != NULL && !reader->is_out_of_memory &&
        slim_config_put_document(slim_config_yaml_root(reader->yaml), reader->document) !=
            SLIM_OK) {
        reader->is_out_of_memory = true; /* all texts are UTF-8 */
    }
    slim_config_yaml_free(reader->yaml);
}

/* Read `text`, or the file when `text` is NULL. document: gets it as JSON, or NULL. */
static enum slim_status examine(const struct slim_view *text, const char *path,
                                struct slim_buf *document, struct slim_config_report **report)
{
    struct slim_config_reader reader = {.file = path,
                                        .document = document,
                                        .start_stage = SLIM_CONFIG_STAGE_START,
                                        .start_context = "datapath error",
                                        .has_files = text == NULL};
    struct slim_buf bytes = {0};
    struct slim_error error;
    struct slim_config_report *made = calloc(1, sizeof(*made));
    enum slim_status status = made == NULL ? SLIM_ERR_NO_MEMORY : make_config(&made->config);
    if (status != SLIM_OK) {
        goto out;
    }
    reader.report = made;
    if (text != NULL) {
        read_text(&reader, *text);
    } else {
        status = slim_config_read_file(path, &bytes, &error);
        if (status == SLIM_ERR_NO_MEMORY) {
            goto out;
        }
        if (status == SLIM_OK) {
            read_text(&reader, slim_buf_view(&bytes));
        } else {
            put_file_problem(&reader, NULL, "io error", error.text, "the file cannot be read");
        }
    }
    status = reader.is_out_of_memory ? SLIM_ERR_NO_MEMORY : SLIM_OK;
out:
    slim_buf_wipe(&bytes); /* there may be passwords in it */
    if (status == SLIM_OK) {
        *report = made;
    } else {
        slim_config_report_free(made);
    }
    return status;
}

enum slim_status slim_config_check(const char *path, struct slim_config_report **report)
{
    return examine(NULL, path, NULL, report);
}

/* ---------------------------------------------------------------------------------------------------- one answer */

/* The first problem of the earliest stage: what the reference would have said. */
static const struct slim_config_error *first_problem(const struct slim_config_report *report)
{
    const struct slim_config_error *first = NULL;
    for (size_t i = 0; i < report->problem_count; i++) {
        if (first == NULL || report->problems[i].stage < first->stage) {
            first = &report->problems[i];
        }
    }
    return first;
}

static enum slim_status answer(enum slim_status status, struct slim_config_report *report,
                               struct slim_config **config, struct slim_config_error *error)
{
    *config = NULL;
    if (status != SLIM_OK) {
        *error = (struct slim_config_error){.stage = SLIM_CONFIG_STAGE_FILE, .cause_count = 1};
        (void)snprintf(error->cause[0], sizeof(error->cause[0]), "%s",
                       slim_status_text(status)); /* fits */
        return status;
    }
    const struct slim_config_error *problem = first_problem(report);
    if (problem != NULL) {
        *error = *problem;
        drop_services(report->config);
        status = SLIM_ERR_CONFIG;
    }
    if (problem == NULL || problem->stage != SLIM_CONFIG_STAGE_FILE) {
        *config = report->config;
        report->config = NULL;
    }
    slim_config_report_free(report);
    return status;
}

enum slim_status slim_config_load(const char *path, struct slim_config **config,
                                  struct slim_config_error *error)
{
    struct slim_config_report *report = NULL;
    enum slim_status status = examine(NULL, path, NULL, &report);
    return answer(status, report, config, error);
}

enum slim_status slim_config_load_json(const char *path, struct slim_config **config,
                                       struct slim_buf *json, struct slim_config_error *error)
{
    struct slim_config_report *report = NULL;
    enum slim_status status = examine(NULL, path, json, &report);
    return answer(status, report, config, error);
}

enum slim_status slim_config_parse(struct slim_view text, const char *path,
                                   struct slim_config **config, struct slim_config_error *error)
{
    struct slim_config_report *report = NULL;
    enum slim_status status = examine(&text, path, NULL, &report);
    return answer(status, report, config, error);
}
