#include "slim/telemetry.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "datapath/datapath.h"
#include "slim/version.h"
#include "telemetry/telemetry.h"

#define SLIM_LOG_TARGET "slim"

enum { INSTANCE_BYTES_MAX = 64, NS_PER_MS = 1000000, US_PER_MS = 1000 };

/* A service that is shown. */
struct shown {
    struct slim_node_telemetry *telemetry;
    struct slim_datapath *datapath;
    const char *id;
};

/* shown        config->service_count of them, the first shown_count in use; belongs to the engine's thread
 * is_finished  written by the engine's thread (release), read by main (acquire) */
struct slim_node_telemetry {
    struct slim_engine *engine;
    struct slim_loop *loop;
    const struct slim_config *config;
    struct slim_telemetry_server *server;
    struct slim_telemetry_exporter *exporter;
    struct shown *shown;
    size_t shown_count;
    uint64_t start_wall_ms;
    char instance_id[INSTANCE_BYTES_MAX];
    _Atomic bool is_finished;
};

static uint64_t wall_ms(void)
{
    return slim_clock_wall_us() / US_PER_MS;
}

/* ---------------------------------------------------------------------------------------------------- snapshots */

static uint64_t cpu_ms(void)
{
    struct timespec used = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used); /* the clock exists */
    return (uint64_t)used.tv_sec * 1000 + (uint64_t)used.tv_nsec / NS_PER_MS;
}

static void add_process(const struct slim_node_telemetry *telemetry,
                        struct slim_telemetry_snapshot *snapshot)
{
    struct slim_telemetry_values *values = &snapshot->process;
    const struct slim_block_stats *blocks = slim_block_pool_stats(slim_loop_pool(telemetry->loop));
    const struct slim_heap_stats *heap = slim_heap_stats(slim_loop_heap(telemetry->loop));
    slim_telemetry_add(values, SLIM_TELEMETRY_START_TIME, NULL, telemetry->start_wall_ms);
    slim_telemetry_add(values, SLIM_TELEMETRY_CPU, NULL, cpu_ms());
    slim_telemetry_add(values, SLIM_TELEMETRY_RESIDENT, NULL,
                       slim_loop_resident_bytes(telemetry->loop));
    slim_telemetry_add(values, SLIM_TELEMETRY_MESSAGE_MEMORY, "in_use", blocks->bytes_in_use);
    slim_telemetry_add(values, SLIM_TELEMETRY_MESSAGE_MEMORY, "kept", blocks->bytes_kept);
    slim_telemetry_add(values, SLIM_TELEMETRY_MESSAGE_MEMORY, "peak", blocks->bytes_peak);
    slim_telemetry_add(values, SLIM_TELEMETRY_TABLE_MEMORY, "in_use", heap->bytes_in_use);
    slim_telemetry_add(values, SLIM_TELEMETRY_TABLE_MEMORY, "kept", heap->bytes_kept);
    slim_telemetry_exporter_observe(telemetry->exporter, values);
    slim_telemetry_add(values, SLIM_TELEMETRY_CONNECTIONS_UNLISTED, NULL, snapshot->unlisted_count);
}

static enum slim_status collect(void *ctx, struct slim_telemetry_snapshot **snapshot)
{
    struct slim_node_telemetry *telemetry = ctx;
    struct slim_telemetry_snapshot *made = NULL;
    SLIM_TRY(slim_telemetry_snapshot_new(telemetry->shown_count, &made));
    made->version = slim_build.version;
    made->sha = slim_build.sha;
    for (size_t i = 0; i < telemetry->shown_count; i++) {
        slim_datapath_observe(telemetry->shown[i].datapath, telemetry->shown[i].id, made);
    }
    add_process(telemetry, made);
    *snapshot = made;
    return SLIM_OK;
}

static void on_conn_end(void *ctx, const struct slim_telemetry_conn *conn, uint64_t opened_ms,
                        const char *reason)
{
    const struct shown *shown = ctx;
    uint64_t end_ns = slim_clock_wall_us() * 1000;
    uint64_t open_ms = slim_loop_now_ms(shown->telemetry->loop) - opened_ms;
    struct slim_telemetry_span span = {
        .name = "slim.connection",
        .reason = reason,
        .start_ns = end_ns - open_ms * NS_PER_MS,
        .end_ns = end_ns,
        .has_conn = true,
        .conn = *conn,
    };
    slim_telemetry_set_text(span.service, shown->id);
    slim_telemetry_exporter_put(shown->telemetry->exporter, &span);
}

/* ---------------------------------------------------------------------------------------------------- start */

static void put_cause(struct slim_config_error *failure, const char *text)
{
    assert(failure->cause_count < SLIM_CONFIG_CAUSES_MAX);
    (void)snprintf(failure->cause[failure->cause_count++], SLIM_CONFIG_CAUSE_BYTES_MAX, "%s",
                   text); /* may be cut */
}

static enum slim_status fail(struct slim_config_error *failure, enum slim_status status,
                             const char *text, const char *key, const char *value)
{
    *failure = (struct slim_config_error){.stage = SLIM_CONFIG_STAGE_START};
    put_cause(failure, "telemetry error");
    if (status == SLIM_ERR_BIND) {
        put_cause(failure, "bind error");
    }
    put_cause(failure, text);
    char where[SLIM_CONFIG_CAUSE_BYTES_MAX];
    (void)snprintf(where, sizeof(where), "%s: %.400s", key, value); /* fits */
    put_cause(failure, where);
    return status;
}

struct part {
    struct slim_node_telemetry *telemetry;
    const char *endpoint;
    enum slim_status status;
    struct slim_error error;
};

static void serve_now(void *arg)
{
    struct part *part = arg;
    struct slim_node_telemetry *telemetry = part->telemetry;
    part->status = slim_telemetry_server_new(telemetry->loop, part->endpoint, collect, telemetry,
                                             &telemetry->server, &part->error);
}

static enum slim_status start_server(struct slim_node_telemetry *telemetry,
                                     struct slim_config_error *failure)
{
    struct part part = {.telemetry = telemetry, .endpoint = telemetry->config->prometheus};
    if (part.endpoint == NULL) {
        return SLIM_OK;
    }
    part.status = slim_telemetry_server_load(&part.error);
    if (part.status == SLIM_OK) {
        slim_engine_call(telemetry->engine, serve_now, &part);
    }
    if (part.status != SLIM_OK) {
        return fail(failure, part.status, part.error.text, "telemetry.prometheus", part.endpoint);
    }
    slim_log(INFO, "metrics server started", SLIM_LOG_STR("endpoint", part.endpoint));
    return SLIM_OK;
}

static void export_now(void *arg)
{
    struct part *part = arg;
    struct slim_node_telemetry *telemetry = part->telemetry;
    const struct slim_config_otlp *otlp = &telemetry->config->otlp;
    const struct slim_telemetry_exporter_options options = {
        .endpoint = part->endpoint,
        .resource = {.service_name = otlp->service_name,
                     .service_version = otlp->service_version,
                     .environment = otlp->environment,
                     .instance_id = telemetry->instance_id},
        .interval_ms = otlp->metrics_interval_ms,
    };
    part->status = slim_telemetry_exporter_new(telemetry->loop, &options, collect, telemetry,
                                               &telemetry->exporter, &part->error);
}

static enum slim_status start_exporter(struct slim_node_telemetry *telemetry,
                                       struct slim_config_error *failure)
{
    const struct slim_config_otlp *otlp = &telemetry->config->otlp;
    struct part part = {.telemetry = telemetry, .endpoint = otlp->endpoint};
    if (!otlp->is_enabled) {
        return SLIM_OK;
    }
    if (part.endpoint == NULL) {
        part.endpoint =
            getenv("OTEL_EXPORTER_OTLP_ENDPOINT"); // NOLINT(concurrency-mt-unsafe): nobody sets it
    }
    if (part.endpoint == NULL || part.endpoint[0] == 0) {
        part.endpoint = "http://localhost:4317";
    }
    slim_engine_call(telemetry->engine, export_now, &part);
    return part.status == SLIM_OK ? SLIM_OK
                                  : fail(failure, part.status, part.error.text,
                                         "tracing.opentelemetry.grpc.endpoint", part.endpoint);
}

/* SLIM_INSTANCE_ID as in the reference, or 128 random bits. */
static void name_instance(struct slim_node_telemetry *telemetry)
{
    const char *given = getenv("SLIM_INSTANCE_ID"); // NOLINT(concurrency-mt-unsafe): as above
    if (given != NULL && given[0] != 0) {
        slim_telemetry_set_text(telemetry->instance_id, given);
    } else {
        (void)snprintf(telemetry->instance_id, sizeof(telemetry->instance_id), "%016lx%016lx",
                       slim_random_u64(), slim_random_u64()); /* fits */
    }
}

enum slim_status slim_node_telemetry_new(struct slim_engine *engine,
                                         const struct slim_config *config,
                                         struct slim_node_telemetry **telemetry,
                                         struct slim_config_error *failure)
{
    _Static_assert((int)INSTANCE_BYTES_MAX == (int)SLIM_TELEMETRY_TEXT_MAX, "set_text fills it");
    struct slim_node_telemetry *made = calloc(1, sizeof(*made));
    struct shown *shown = calloc(config->service_count, sizeof(*shown));
    if (made == NULL || shown == NULL) {
        free(made);
        free(shown);
        return fail(failure, SLIM_ERR_NO_MEMORY, "out of memory", "services", "all");
    }
    made->engine = engine;
    made->loop = slim_engine_loop(engine);
    made->config = config;
    made->shown = shown;
    made->start_wall_ms = wall_ms();
    name_instance(made);
    *telemetry = made; /* also when it fails: the caller frees it when the engine stopped */
    SLIM_TRY(start_server(made, failure));
    return start_exporter(made, failure);
}

struct adding {
    struct slim_node_telemetry *telemetry;
    struct slim_service *service;
};

static void add_now(void *arg)
{
    struct adding *adding = arg;
    struct slim_node_telemetry *telemetry = adding->telemetry;
    struct shown *shown = &telemetry->shown[telemetry->shown_count++];
    *shown = (struct shown){
        .telemetry = telemetry,
        .datapath = slim_service_datapath(adding->service),
        .id = slim_service_id(adding->service),
    };
    if (telemetry->exporter != NULL) {
        slim_datapath_watch_ends(shown->datapath, on_conn_end, shown);
    }
}

void slim_node_telemetry_add(struct slim_node_telemetry *telemetry, struct slim_service *service)
{
    struct adding adding = {.telemetry = telemetry, .service = service};
    slim_engine_call(telemetry->engine, add_now, &adding);
}

static void started_now(void *arg)
{
    struct slim_node_telemetry *telemetry = arg;
    const struct slim_telemetry_span span = {
        .name = "slim.start",
        .start_ns = telemetry->start_wall_ms * NS_PER_MS,
        .end_ns = slim_clock_wall_us() * 1000,
    };
    if (telemetry->exporter != NULL) {
        slim_telemetry_exporter_put(telemetry->exporter, &span);
    }
}

void slim_node_telemetry_started(struct slim_node_telemetry *telemetry)
{
    slim_engine_call(telemetry->engine, started_now, telemetry);
}

/* ---------------------------------------------------------------------------------------------------- stop */

static void on_finished(void *ctx)
{
    struct slim_node_telemetry *telemetry = ctx;
    atomic_store_explicit(&telemetry->is_finished, true, memory_order_release);
    slim_engine_wake(telemetry->engine);
}

static void finish_now(void *arg)
{
    struct slim_node_telemetry *telemetry = arg;
    slim_telemetry_exporter_finish(telemetry->exporter, SLIM_NODE_TELEMETRY_FINISH_MS, on_finished,
                                   telemetry);
}

void slim_node_telemetry_finish(struct slim_node_telemetry *telemetry)
{
    if (telemetry->exporter == NULL) {
        return;
    }
    uint64_t deadline_ms = slim_clock_ms() + 2 * SLIM_NODE_TELEMETRY_FINISH_MS;
    slim_engine_call(telemetry->engine, finish_now, telemetry);
    while (!atomic_load_explicit(&telemetry->is_finished, memory_order_acquire) &&
           slim_clock_ms() < deadline_ms) {
        slim_engine_wait(telemetry->engine, false, SLIM_NODE_TELEMETRY_FINISH_MS);
    }
}

void slim_node_telemetry_free(struct slim_node_telemetry *telemetry)
{
    if (telemetry == NULL) {
        return;
    }
    slim_telemetry_server_free(telemetry->server);
    slim_telemetry_exporter_free(telemetry->exporter);
    free(telemetry->shown);
    free(telemetry);
}
