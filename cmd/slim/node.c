#include "slim/node.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pages.h"
#include "slim/failure.h"
#include "slim/notify.h"
#include "slim/service.h"
#include "slim/telemetry.h"

#define SLIM_LOG_TARGET "slim"

/* service_count   of those that exist; they are stopped, also when the last one started only half */
struct node {
    const struct slim_config *config;
    struct slim_engine *engine;
    struct slim_node_telemetry *telemetry;
    struct slim_service **services;
    size_t service_count;
    bool is_ready; /* READY=1 was said */
};

static enum slim_service_outcome fail(struct slim_config_error *failure, enum slim_status status)
{
    *failure = (struct slim_config_error){.stage = SLIM_CONFIG_STAGE_START, .cause_count = 1};
    (void)snprintf(failure->cause[0], sizeof(failure->cause[0]), "%s",
                   slim_status_text(status)); /* fits */
    return SLIM_SERVICE_FAILED;
}

/* What engines take for their bound: a sixteenth is for what grows between two measurements. */
static size_t engine_memory(size_t memory_max_bytes)
{
    enum { SLACK_DIVISOR = 16 };
    return memory_max_bytes - memory_max_bytes / SLACK_DIVISOR; /* 0 stays 0: by the machine */
}

static enum slim_service_outcome start(struct node *node, struct slim_config_error *failure)
{
    if (slim_node_telemetry_new(node->engine, node->config, &node->telemetry, failure) != SLIM_OK) {
        return SLIM_SERVICE_FAILED;
    }
    for (size_t i = 0; i < node->config->service_count; i++) {
        const struct slim_config_service *config = &node->config->services[i];
        slim_log(DEBUG, "service starting...", SLIM_LOG_STR("service", config->id));
        enum slim_status status =
            slim_service_new(node->engine, config, engine_memory(node->config->memory_max_bytes),
                             &node->services[i]);
        if (status != SLIM_OK) {
            return fail(failure, status);
        }
        node->service_count++;
        slim_node_telemetry_add(node->telemetry, node->services[i]);
        enum slim_service_outcome outcome = slim_service_start(node->services[i], failure);
        if (outcome != SLIM_SERVICE_STARTED) {
            return outcome;
        }
        slim_log(INFO, "service started", SLIM_LOG_STR("service", config->id));
    }
    slim_node_telemetry_started(node->telemetry);
    return SLIM_SERVICE_STARTED;
}

/* Wait for the drain; false when the time is over first. */
static bool is_drained_by(struct node *node, const struct slim_service *service,
                          uint64_t deadline_ms)
{
    while (!slim_service_is_drained(service)) {
        uint64_t now_ms = slim_clock_ms();
        if (now_ms >= deadline_ms) {
            return false;
        }
        uint64_t left_ms = deadline_ms - now_ms;
        slim_engine_wait(node->engine, false, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);
    }
    return true;
}

/* One limit for all services together. */
static int stop(struct node *node)
{
    uint64_t deadline_ms;
    if (__builtin_add_overflow(slim_clock_ms(), node->config->drain_timeout_ms, &deadline_ms)) {
        deadline_ms = UINT64_MAX;
    }
    slim_log(DEBUG, "Received shutdown signal");
    slim_notify_stopping();
    for (size_t i = 0; i < node->service_count; i++) {
        slim_log(INFO, "stopping service", SLIM_LOG_STR("service", node->config->services[i].id));
        slim_service_stop(node->services[i]);
        if (!is_drained_by(node, node->services[i], deadline_ms)) {
            char timeout[SLIM_FAILURE_DURATION_MAX];
            slim_failure_format_duration(node->config->drain_timeout_ms, timeout);
            slim_log(WARN, "Service shutdown timed out", SLIM_LOG_STR("timeout", timeout));
            (void)fprintf(stderr, "Error: Service shutdown timed out after %s\n",
                          timeout); /* as main.c */
            return EXIT_FAILURE;
        }
    }
    slim_node_telemetry_finish(node->telemetry);
    return EXIT_SUCCESS;
}

static void reload(void *ctx)
{
    struct node *node = ctx;
    slim_notify_reloading();
    for (size_t i = 0; i < node->service_count; i++) {
        slim_service_reload(node->services[i]);
    }
    if (node->is_ready) {
        slim_notify_ready();
    }
}

static void nothing(void *arg)
{
    (void)arg;
}

/* Until a signal asks to stop. systemd, when it watches us, hears that the engine's thread still does what it is asked. */
static void serve(struct node *node)
{
    uint64_t period_ms = slim_notify_watchdog_ms();
    int wait_ms = SLIM_ENGINE_FOREVER;
    if (period_ms > 0) {
        wait_ms = period_ms < INT32_MAX ? (int)period_ms : INT32_MAX;
    }
    node->is_ready = true;
    slim_notify_ready();
    while (!slim_engine_take_signal(node->engine)) {
        if (period_ms > 0) {
            slim_engine_call(node->engine, nothing, NULL);
            slim_notify_watchdog();
        }
        slim_engine_wait(node->engine, true, wait_ms);
    }
}

static int run(struct node *node)
{
    struct slim_config_error failure;
    slim_engine_on_reload(node->engine, reload, node);
    switch (start(node, &failure)) {
    case SLIM_SERVICE_STARTED:
        slim_pages_drop_tables();
        serve(node);
        return stop(node);
    case SLIM_SERVICE_SIGNALLED:
        return stop(node);
    case SLIM_SERVICE_FAILED:
        slim_failure_print(stderr, &failure);
        return EXIT_FAILURE;
    }
    return EXIT_FAILURE;
}

int slim_node_run(const struct slim_config *config, int signal_fd)
{
    int result = EXIT_FAILURE;
    struct node node = {.config = config};
    node.services = calloc(config->service_count, sizeof(struct slim_service *));
    enum slim_status status = node.services == NULL
                                  ? SLIM_ERR_NO_MEMORY
                                  : slim_engine_new(config->thread_name, signal_fd, &node.engine);
    if (status == SLIM_OK) {
        result = run(&node);
        slim_engine_stop(node.engine);
    } else {
        struct slim_config_error failure;
        (void)fail(&failure, status); /* always FAILED */
        slim_failure_print(stderr, &failure);
    }
    for (size_t i = 0; i < node.service_count; i++) {
        slim_service_free(node.services[i]);
    }
    slim_node_telemetry_free(node.telemetry);
    slim_engine_free(node.engine);
    free(node.services);
    return result;
}
