/* The exporter: one connection to the collector, kept open, and one call at a time on it.
 *
 *                 timer: next export                  connected
 *        IDLE ------------------------> CONNECTING --------------> CALLING (metrics) -> CALLING (spans, when some wait)
 *         ^                                 |                          |
 *         +---------------------------------+--------------------------+   done, failed, or SLIM_TELEMETRY_EXPORT_TIMEOUT_MS over
 *
 * A failure closes the connection and doubles the pause before the next attempt. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "io/connector.h"
#include "io/tls.h"
#include "io/transport.h"
#include "telemetry/limits.h"
#include "telemetry/telemetry.h"

#define SLIM_LOG_TARGET "slim_tracing"

enum { METRICS, SPANS, KINDS };

static const char *const paths[KINDS] = {
    [METRICS] = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    [SPANS] = "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
};

/* spans         a ring: span_count of them from span_first on; sent_count of these are on their way
 * kind          of the call that is under way
 * fail_count    failures in a row
 * is_lost       the collector was reported as lost: say so only once
 * on_done       slim_telemetry_exporter_finish was called and its end is not reported yet */
struct slim_telemetry_exporter {
    struct slim_loop *loop;
    slim_telemetry_collect *collect;
    void *ctx;
    enum { IDLE, CONNECTING, CALLING } state;
    struct slim_connector *connector;
    struct slim_transport *transport;
    struct slim_grpc_call *call;
    int kind;
    struct slim_timer due;     /* the next export */
    struct slim_timer timeout; /* of the one under way */

    struct slim_telemetry_span *spans;
    size_t span_first;
    size_t span_count;
    size_t sent_count;

    uint64_t start_ns;
    uint64_t interval_ms;
    uint32_t fail_count;
    bool is_lost;
    bool is_finishing;
    void (*on_done)(void *ctx);
    void *done_ctx;

    uint64_t ok_count;
    uint64_t failed_count;
    uint64_t dropped_count;

    struct slim_endpoint endpoint;
    struct slim_tls_context *tls; /* NULL: plain */
    char *endpoint_text;
    char *texts; /* of `resource` */
    struct slim_telemetry_resource resource;
};

/* ---------------------------------------------------------------------------------------------------- the end of an export */

static uint64_t pause_ms(const struct slim_telemetry_exporter *exporter)
{
    enum { DOUBLINGS_MAX = 16 };
    if (exporter->fail_count == 0 || exporter->interval_ms >= SLIM_TELEMETRY_BACKOFF_MAX_MS) {
        return exporter->interval_ms;
    }
    uint32_t doublings =
        exporter->fail_count < DOUBLINGS_MAX ? exporter->fail_count : DOUBLINGS_MAX;
    uint64_t pause = exporter->interval_ms << doublings;
    return pause < SLIM_TELEMETRY_BACKOFF_MAX_MS ? pause : SLIM_TELEMETRY_BACKOFF_MAX_MS;
}

static void drop_connection(struct slim_telemetry_exporter *exporter)
{
    slim_connector_cancel(exporter->connector);
    exporter->connector = NULL;
    exporter->call = NULL; /* gets no on_end that we listen to: state is IDLE */
    if (exporter->transport != NULL) {
        slim_transport_close(exporter->transport, SLIM_GRPC_CANCELLED);
    }
}

static void over(struct slim_telemetry_exporter *exporter)
{
    exporter->state = IDLE;
    exporter->sent_count = 0;
    slim_timer_cancel(exporter->loop, &exporter->timeout);
    if (!exporter->is_finishing) {
        slim_timer_set(exporter->loop, &exporter->due,
                       slim_loop_now_ms(exporter->loop) + pause_ms(exporter));
        return;
    }
    void (*on_done)(void *ctx) = exporter->on_done;
    exporter->on_done = NULL;
    if (on_done != NULL) {
        on_done(exporter->done_ctx);
    }
}

static void failed(struct slim_telemetry_exporter *exporter, const char *why)
{
    exporter->failed_count++;
    exporter->fail_count++;
    if (!exporter->is_lost) {
        exporter->is_lost = true;
        slim_log(WARN,
                 "OpenTelemetry collector does not take exports; trying again from time to time",
                 SLIM_LOG_STR("endpoint", exporter->endpoint_text), SLIM_LOG_STR("error", why));
    }
    over(exporter);
    drop_connection(exporter);
}

static void succeeded(struct slim_telemetry_exporter *exporter)
{
    exporter->ok_count++;
    exporter->fail_count = 0;
    if (exporter->is_lost) {
        exporter->is_lost = false;
        slim_log(INFO, "OpenTelemetry collector takes exports again",
                 SLIM_LOG_STR("endpoint", exporter->endpoint_text));
    }
}

/* ---------------------------------------------------------------------------------------------------- calls */

static enum slim_status put_spans(struct slim_telemetry_exporter *exporter, struct slim_buf *out)
{
    size_t count = exporter->span_count < SLIM_TELEMETRY_SPANS_PER_EXPORT
                       ? exporter->span_count
                       : SLIM_TELEMETRY_SPANS_PER_EXPORT;
    if (exporter->span_first + count > SLIM_TELEMETRY_SPANS_MAX) {
        count = SLIM_TELEMETRY_SPANS_MAX - exporter->span_first; /* the rest goes with the next */
    }
    uint64_t
        random[SLIM_TELEMETRY_SPANS_PER_EXPORT * SLIM_TELEMETRY_SPAN_ID_BYTES / sizeof(uint64_t)];
    for (size_t i = 0; i < count * SLIM_TELEMETRY_SPAN_ID_BYTES / sizeof(uint64_t); i++) {
        random[i] = slim_random_u64() | 1; /* an id of zeros only is not valid */
    }
    exporter->sent_count = count;
    return slim_telemetry_put_spans(&exporter->spans[exporter->span_first], count,
                                    (const uint8_t *)random, &exporter->resource, out);
}

static enum slim_status put_metrics(struct slim_telemetry_exporter *exporter, struct slim_buf *out)
{
    struct slim_telemetry_snapshot *snapshot = NULL;
    SLIM_TRY(exporter->collect(exporter->ctx, &snapshot));
    enum slim_status status = slim_telemetry_put_metrics(
        snapshot, &exporter->resource, exporter->start_ns, slim_clock_wall_us() * 1000, out);
    slim_telemetry_snapshot_free(snapshot);
    return status;
}

/* Start the call for one kind of data. */
static void call(struct slim_telemetry_exporter *exporter, int kind)
{
    struct slim_buf message = {0};
    exporter->state = CALLING;
    exporter->kind = kind;
    enum slim_status status =
        kind == METRICS ? put_metrics(exporter, &message) : put_spans(exporter, &message);
    if (status == SLIM_OK) {
        char path[SLIM_ENDPOINT_PATH_MAX + 80];
        /* fits */
        (void)snprintf(path, sizeof(path), "%s%s", exporter->endpoint.path, paths[kind]);
        status = slim_grpc_call_start(slim_transport_grpc(exporter->transport), slim_view_str(path),
                                      NULL, 0, NULL, &exporter->call);
    }
    if (status == SLIM_OK) {
        status = slim_grpc_call_put_message(exporter->call, slim_buf_view(&message));
    }
    if (status == SLIM_OK) {
        slim_grpc_call_half_close(exporter->call);
        slim_transport_touch(exporter->transport);
    } else {
        failed(exporter, slim_status_text(status));
    }
    slim_buf_fini(&message);
}

/* The collector took it: go on with what else waits. */
static void next_call(struct slim_telemetry_exporter *exporter)
{
    succeeded(exporter);
    if (exporter->kind == SPANS) {
        exporter->span_first =
            (exporter->span_first + exporter->sent_count) % SLIM_TELEMETRY_SPANS_MAX;
        exporter->span_count -= exporter->sent_count;
        exporter->sent_count = 0;
    }
    if (exporter->span_count > 0) {
        call(exporter, SPANS);
    } else {
        over(exporter);
    }
}

static void on_open(void *ctx, struct slim_grpc_call *grpc_call)
{
    (void)ctx; /* the end of the call is what counts */
    (void)grpc_call;
}

static void on_message(void *ctx, struct slim_grpc_call *grpc_call, struct slim_view msg,
                       struct slim_block *block)
{
    (void)ctx; /* how much of it was rejected, which we cannot better */
    (void)grpc_call;
    (void)msg;
    (void)block;
}

static void on_end(void *ctx, struct slim_grpc_call *grpc_call, const struct slim_grpc_end *end)
{
    struct slim_telemetry_exporter *exporter = ctx;
    if (exporter->state != CALLING || exporter->call != grpc_call) {
        return;
    }
    exporter->call = NULL;
    if (end->status == SLIM_GRPC_OK) {
        next_call(exporter);
        return;
    }
    char why[160];
    (void)snprintf(why, sizeof(why), "status %d: %.*s", (int)end->status,
                   SLIM_VIEW_ARG(end->message)); /* may be cut */
    failed(exporter, why);
}

static void on_closed(void *ctx, enum slim_status status, const char *text)
{
    (void)status;
    struct slim_telemetry_exporter *exporter = ctx;
    exporter->transport = NULL;
    if (exporter->state == CALLING) {
        failed(exporter, text);
    }
}

/* ---------------------------------------------------------------------------------------------------- connecting */

static enum slim_status open_transport(struct slim_telemetry_exporter *exporter, int fd)
{
    static const struct slim_grpc_handler grpc_handler = {
        .on_open = on_open, .on_message = on_message, .on_end = on_end};
    static const struct slim_transport_handler handler = {.on_closed = on_closed};
    struct slim_grpc_options options = slim_grpc_options_default(false);
    options.scheme = slim_view_str(exporter->endpoint.scheme);
    options.authority = slim_view_str(exporter->endpoint.authority);
    if (exporter->endpoint.is_unix) {
        options.scheme = SLIM_VIEW("http");
    }
    options.user_agent = SLIM_VIEW("slim-c/" SLIM_VERSION);
    struct slim_transport_options transport = {.grpc = &options,
                                               .handshake_timeout_ms = SLIM_TRANSPORT_HANDSHAKE_MS};
    if (exporter->tls != NULL) {
        enum slim_status status =
            slim_tls_session_new(exporter->tls, exporter->endpoint.host, &transport.tls);
        if (status != SLIM_OK) {
            close(fd);
            return status;
        }
    }
    return slim_transport_open(exporter->loop, fd, &transport, &grpc_handler, exporter, &handler,
                               exporter, &exporter->transport);
}

static void on_connector_done(void *ctx, enum slim_status status, int fd, const char *text)
{
    struct slim_telemetry_exporter *exporter = ctx;
    exporter->connector = NULL;
    if (status == SLIM_OK) {
        status = open_transport(exporter, fd);
        text = slim_status_text(status);
    }
    if (status == SLIM_OK) {
        call(exporter, METRICS);
    } else {
        failed(exporter, text);
    }
}

static void export_now(struct slim_telemetry_exporter *exporter)
{
    slim_timer_set(exporter->loop, &exporter->timeout,
                   slim_loop_now_ms(exporter->loop) + SLIM_TELEMETRY_EXPORT_TIMEOUT_MS);
    if (exporter->transport != NULL) {
        call(exporter, METRICS);
        return;
    }
    exporter->state = CONNECTING;
    enum slim_status status =
        slim_connector_new(exporter->loop, &exporter->endpoint, SLIM_TELEMETRY_EXPORT_TIMEOUT_MS,
                           on_connector_done, exporter, &exporter->connector);
    if (status != SLIM_OK) {
        failed(exporter, slim_status_text(status));
    }
}

static void on_due(struct slim_timer *timer)
{
    export_now(SLIM_CONTAINER_OF(timer, struct slim_telemetry_exporter, due));
}

static void on_timeout(struct slim_timer *timer)
{
    failed(SLIM_CONTAINER_OF(timer, struct slim_telemetry_exporter, timeout), "no answer in time");
}

/* ---------------------------------------------------------------------------------------------------- public */

static const char *copy_text(char **at, const char *from)
{
    char *text = *at;
    size_t size = strlen(from) + 1;
    memcpy(text, from, size);
    *at += size;
    return text;
}

static enum slim_status copy_texts(struct slim_telemetry_exporter *exporter,
                                   const struct slim_telemetry_exporter_options *options)
{
    const struct slim_telemetry_resource *from = &options->resource;
    exporter->texts = malloc(strlen(from->service_name) + strlen(from->service_version) +
                             strlen(from->environment) + strlen(from->instance_id) + 4);
    exporter->endpoint_text = strdup(options->endpoint);
    exporter->spans = calloc(SLIM_TELEMETRY_SPANS_MAX, sizeof(*exporter->spans));
    if (exporter->texts == NULL || exporter->endpoint_text == NULL || exporter->spans == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    char *at = exporter->texts;
    exporter->resource = (struct slim_telemetry_resource){
        .service_name = copy_text(&at, from->service_name),
        .service_version = copy_text(&at, from->service_version),
        .environment = copy_text(&at, from->environment),
        .instance_id = copy_text(&at, from->instance_id),
    };
    return SLIM_OK;
}

/* https: the system's roots, and no certificate of our own. */
static enum slim_status make_tls(struct slim_telemetry_exporter *exporter, struct slim_error *error)
{
    static const struct slim_tls_options options = {.version = SLIM_TLS_1_3};
    static const struct slim_tls_material material = {.format = SLIM_TLS_PEM, .use_system = true};
    if (strcmp(exporter->endpoint.scheme, "https") != 0) {
        return SLIM_OK;
    }
    return slim_tls_context_new_client(&options, &material, &exporter->tls, error);
}

static bool reserve_timers(struct slim_loop *loop)
{
    if (slim_loop_reserve_timer(loop) != SLIM_OK) {
        return false;
    }
    if (slim_loop_reserve_timer(loop) != SLIM_OK) {
        slim_loop_release_timer(loop);
        return false;
    }
    return true;
}

static uint64_t clamp_interval(uint64_t interval_ms)
{
    if (interval_ms < SLIM_TELEMETRY_INTERVAL_MIN_MS) {
        return SLIM_TELEMETRY_INTERVAL_MIN_MS;
    }
    return interval_ms < SLIM_TELEMETRY_INTERVAL_MAX_MS ? interval_ms
                                                        : SLIM_TELEMETRY_INTERVAL_MAX_MS;
}

enum slim_status slim_telemetry_exporter_new(struct slim_loop *loop,
                                             const struct slim_telemetry_exporter_options *options,
                                             slim_telemetry_collect *collect, void *ctx,
                                             struct slim_telemetry_exporter **exporter,
                                             struct slim_error *error)
{
    struct slim_endpoint endpoint;
    SLIM_TRY(slim_endpoint_parse(slim_view_str(options->endpoint), &endpoint, error));
    struct slim_telemetry_exporter *made = calloc(1, sizeof(*made));
    if (made == NULL || !reserve_timers(loop)) {
        free(made);
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
    }
    made->loop = loop;
    made->endpoint = endpoint;
    made->collect = collect;
    made->ctx = ctx;
    made->start_ns = slim_clock_wall_us() * 1000;
    made->interval_ms = clamp_interval(options->interval_ms);
    slim_timer_init(&made->due, on_due);
    slim_timer_init(&made->timeout, on_timeout);
    enum slim_status status = copy_texts(made, options);
    if (status != SLIM_OK) {
        status = slim_error_set(error, status, "out of memory");
    } else {
        status = make_tls(made, error);
    }
    if (status != SLIM_OK) {
        slim_telemetry_exporter_free(made);
        return status;
    }
    slim_timer_set(loop, &made->due, slim_loop_now_ms(loop) + made->interval_ms);
    *exporter = made;
    return SLIM_OK;
}

void slim_telemetry_exporter_free(struct slim_telemetry_exporter *exporter)
{
    if (exporter == NULL) {
        return;
    }
    slim_connector_cancel(exporter->connector);
    slim_transport_free(exporter->transport);
    slim_tls_context_free(exporter->tls);
    slim_timer_cancel(exporter->loop, &exporter->due);
    slim_timer_cancel(exporter->loop, &exporter->timeout);
    slim_loop_release_timer(exporter->loop);
    slim_loop_release_timer(exporter->loop);
    free(exporter->spans);
    free(exporter->endpoint_text);
    free(exporter->texts);
    free(exporter);
}

void slim_telemetry_exporter_put(struct slim_telemetry_exporter *exporter,
                                 const struct slim_telemetry_span *span)
{
    if (exporter->span_count == SLIM_TELEMETRY_SPANS_MAX) {
        exporter->span_first = (exporter->span_first + 1) % SLIM_TELEMETRY_SPANS_MAX;
        exporter->span_count--;
        exporter->dropped_count++;
        if (exporter->sent_count > 0) {
            exporter->sent_count--; /* it was on its way, and is counted as dropped */
        }
    }
    size_t at = (exporter->span_first + exporter->span_count) % SLIM_TELEMETRY_SPANS_MAX;
    exporter->spans[at] = *span;
    exporter->span_count++;
}

void slim_telemetry_exporter_finish(struct slim_telemetry_exporter *exporter, uint64_t timeout_ms,
                                    void (*on_done)(void *ctx), void *ctx)
{
    exporter->is_finishing = true;
    slim_timer_cancel(exporter->loop, &exporter->due);
    if (exporter->transport == NULL || exporter->state == CONNECTING) {
        on_done(ctx);
        return;
    }
    exporter->on_done = on_done;
    exporter->done_ctx = ctx;
    if (exporter->state == IDLE) {
        export_now(exporter);
    }
    if (exporter->state == CALLING) {
        slim_timer_set(exporter->loop, &exporter->timeout,
                       slim_loop_now_ms(exporter->loop) + timeout_ms);
    }
}

void slim_telemetry_exporter_observe(const struct slim_telemetry_exporter *exporter,
                                     struct slim_telemetry_values *values)
{
    if (exporter == NULL) {
        return;
    }
    slim_telemetry_add(values, SLIM_TELEMETRY_EXPORTS, "ok", exporter->ok_count);
    slim_telemetry_add(values, SLIM_TELEMETRY_EXPORTS, "failed", exporter->failed_count);
    slim_telemetry_add(values, SLIM_TELEMETRY_SPANS_DROPPED, NULL, exporter->dropped_count);
}
