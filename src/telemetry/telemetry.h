/* What an operator can see from outside: counters as a page for Prometheus, and metrics and spans for an OpenTelemetry collector.
 *
 *   datapath, loop, ...  --collect-->  snapshot  --+-- slim_telemetry_put_prometheus --> page, by slim_telemetry_server
 *                                                  +-- slim_telemetry_put_metrics ----> collector, by slim_telemetry_exporter
 *   a connection that ended --------> span ---------- slim_telemetry_put_spans ------>
 *
 * A snapshot is plain data, made on the loop's thread when somebody asks; what is made of it is a pure function of it. Server and
 * exporter live on the loop too: no thread, no lock. Nothing here is on the path of a message. */
#ifndef SLIM_TELEMETRY_TELEMETRY_H
#define SLIM_TELEMETRY_TELEMETRY_H

#include "base/buf.h"
#include "base/status.h"
#include "io/loop.h"

/* ------------------------------------------------------------------------------------------------ snapshots */

enum {
    SLIM_TELEMETRY_CONNS_MAX =
        256, /* connections listed in one snapshot; how many are left out is told */
    SLIM_TELEMETRY_VALUES_MAX = 192, /* values of one service, or of the process */
    SLIM_TELEMETRY_TEXT_MAX = 64,    /* names and addresses, zero included; longer ones are cut */
};

/* The families of metrics. Names, texts and kinds are in one table in families.c; docs/operations.md explains them. */
enum slim_telemetry_family {
    /* of the process */
    SLIM_TELEMETRY_START_TIME,
    SLIM_TELEMETRY_CPU,
    SLIM_TELEMETRY_RESIDENT,
    SLIM_TELEMETRY_MESSAGE_MEMORY,
    SLIM_TELEMETRY_TABLE_MEMORY,
    SLIM_TELEMETRY_EXPORTS,
    SLIM_TELEMETRY_SPANS_DROPPED,
    SLIM_TELEMETRY_CONNECTIONS_UNLISTED,
    /* of a service */
    SLIM_TELEMETRY_SERVING,
    SLIM_TELEMETRY_MEMORY_MAX,
    SLIM_TELEMETRY_MESSAGES_RECEIVED,
    SLIM_TELEMETRY_BYTES_RECEIVED,
    SLIM_TELEMETRY_MESSAGES_BY_TYPE,
    SLIM_TELEMETRY_MESSAGES_DELIVERED,
    SLIM_TELEMETRY_BYTES_DELIVERED,
    SLIM_TELEMETRY_MESSAGES_DROPPED,
    SLIM_TELEMETRY_BYTES_DISCARDED,
    SLIM_TELEMETRY_FIELDS_IGNORED,
    SLIM_TELEMETRY_SUBSCRIPTIONS,
    SLIM_TELEMETRY_SUBSCRIPTIONS_REFUSED,
    SLIM_TELEMETRY_SUBSCRIPTIONS_LOST,
    SLIM_TELEMETRY_CONNECTIONS,
    SLIM_TELEMETRY_CONNECTIONS_OPENED,
    SLIM_TELEMETRY_CONNECTIONS_CLOSED,
    SLIM_TELEMETRY_CALLS_REFUSED,
    SLIM_TELEMETRY_STREAMS_BROKEN,
    SLIM_TELEMETRY_SOCKETS,
    SLIM_TELEMETRY_SOCKETS_ACCEPTED,
    SLIM_TELEMETRY_SOCKETS_REFUSED,
    SLIM_TELEMETRY_SOCKETS_CLOSED,
    SLIM_TELEMETRY_HTTP2_ERRORS,
    SLIM_TELEMETRY_TLS_RELOADS,
    SLIM_TELEMETRY_HOLDS,
    SLIM_TELEMETRY_LINK_EVENTS,
    SLIM_TELEMETRY_HEALTH_CHECKS,
    SLIM_TELEMETRY_SERVICE_FAMILIES_END,
};

/* One number. label: the value of the family's label ("reason"), a literal; NULL when the family has none. Times are in
 * milliseconds here and in seconds outside. */
struct slim_telemetry_value {
    enum slim_telemetry_family family;
    const char *label;
    uint64_t value;
};

struct slim_telemetry_values {
    struct slim_telemetry_value list[SLIM_TELEMETRY_VALUES_MAX];
    size_t count;
};

/* One connection. kind: "server", "link" or "local", a literal. Received: from it to us; delivered: from us to it. */
struct slim_telemetry_conn {
    size_t service_index;
    uint64_t id;
    const char *kind;
    char peer[SLIM_TELEMETRY_TEXT_MAX];
    char version[SLIM_TELEMETRY_TEXT_MAX];
    uint64_t messages_received;
    uint64_t bytes_received;
    uint64_t messages_delivered;
    uint64_t bytes_delivered;
    uint64_t queue_bytes;
};

struct slim_telemetry_service {
    char name[SLIM_TELEMETRY_TEXT_MAX];
    struct slim_telemetry_values values;
};

/* Everything at one moment. conns has room for SLIM_TELEMETRY_CONNS_MAX. version, sha: of the program, literals. */
struct slim_telemetry_snapshot {
    const char *version;
    const char *sha;
    struct slim_telemetry_values process;
    struct slim_telemetry_service *services;
    size_t service_count;
    size_t service_room;
    struct slim_telemetry_conn *conns;
    size_t conn_count;
    size_t unlisted_count;
};

/* An empty snapshot. SLIM_ERR_NO_MEMORY. Free it with slim_telemetry_snapshot_free (NULL is allowed). */
SLIM_MUST_CHECK enum slim_status
slim_telemetry_snapshot_new(size_t service_room, struct slim_telemetry_snapshot **snapshot);
void slim_telemetry_snapshot_free(struct slim_telemetry_snapshot *snapshot);

/* The next service, empty; at most service_room of them. */
struct slim_telemetry_service *slim_telemetry_add_service(struct slim_telemetry_snapshot *snapshot,
                                                          const char *name);

/* Append a value; at most SLIM_TELEMETRY_VALUES_MAX of them. */
void slim_telemetry_add(struct slim_telemetry_values *values, enum slim_telemetry_family family,
                        const char *label, uint64_t value);

/* The next connection, zeroed, of the service added last. NULL: no room; it is counted as not listed. */
struct slim_telemetry_conn *slim_telemetry_add_conn(struct slim_telemetry_snapshot *snapshot);

/* Copy text for a label: cut to fit, and what is not printable ASCII becomes '?'. */
void slim_telemetry_set_text(char to[static SLIM_TELEMETRY_TEXT_MAX], const char *from);

/* Sum of the values of a family over all services; label NULL: whatever the label. */
uint64_t slim_telemetry_sum(const struct slim_telemetry_snapshot *snapshot,
                            enum slim_telemetry_family family, const char *label);

/* ------------------------------------------------------------------------------------------------ pages and messages */

/* Append the snapshot in the text format 0.0.4 of Prometheus. SLIM_ERR_NO_MEMORY: the buffer ends where it ended before. */
SLIM_MUST_CHECK enum slim_status
slim_telemetry_put_prometheus(const struct slim_telemetry_snapshot *snapshot, struct slim_buf *out);

/* Who the process is, for a collector: attributes of the resource. Borrowed. */
struct slim_telemetry_resource {
    const char *service_name;
    const char *service_version;
    const char *environment;
    const char *instance_id;
};

/* Something that took a time. Times are nanoseconds since 1970.
 * name, reason   literals; reason says how it ended, NULL: well
 * conn           what the connection did, when it was one (has_conn) */
struct slim_telemetry_span {
    const char *name;
    const char *reason;
    uint64_t start_ns;
    uint64_t end_ns;
    char service[SLIM_TELEMETRY_TEXT_MAX];
    bool has_conn;
    struct slim_telemetry_conn conn;
};

/* Append an ExportMetricsServiceRequest (opentelemetry-proto): the four names of node.md 6, summed over the services, then every
 * family of the snapshot except those of single connections. start_ns, now_ns: nanoseconds since 1970. SLIM_ERR_NO_MEMORY: the
 * buffer ends where it ended before. */
SLIM_MUST_CHECK enum slim_status
slim_telemetry_put_metrics(const struct slim_telemetry_snapshot *snapshot,
                           const struct slim_telemetry_resource *resource, uint64_t start_ns,
                           uint64_t now_ns, struct slim_buf *out);

/* Append an ExportTraceServiceRequest. Each span is a trace of its own; `ids` holds 24 random bytes for each. As above. */
enum { SLIM_TELEMETRY_SPAN_ID_BYTES = 24 };
SLIM_MUST_CHECK enum slim_status
slim_telemetry_put_spans(const struct slim_telemetry_span *spans, size_t count, const uint8_t *ids,
                         const struct slim_telemetry_resource *resource, struct slim_buf *out);

/* ------------------------------------------------------------------------------------------------ the page's server */

/* Make a snapshot now; called on the loop's thread. SLIM_ERR_NO_MEMORY. */
typedef enum slim_status slim_telemetry_collect(void *ctx,
                                                struct slim_telemetry_snapshot **snapshot);

struct slim_telemetry_server;

/* Open libmicrohttpd, which is loaded only now: it brings GnuTLS with it, four times the memory of an idle node. Once, from any
 * thread, before slim_telemetry_server_new. SLIM_ERR_CONFIG with a sentence that names the package to install. */
SLIM_MUST_CHECK enum slim_status slim_telemetry_server_load(struct slim_error *error);

/* Serve GET /metrics on `address` ("ip:port", "unix:///path"); anything else gets 404 or 405.
 * SLIM_ERR_CONFIG, SLIM_ERR_BIND with the last link of the reference's chain in *error ("invalid socket address syntax", "Address
 * already in use (os error 98)"); SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status
slim_telemetry_server_new(struct slim_loop *loop, const char *address,
                          slim_telemetry_collect *collect, void *ctx,
                          struct slim_telemetry_server **server, struct slim_error *error);

/* Close everything. NULL is allowed. */
void slim_telemetry_server_free(struct slim_telemetry_server *server);

/* ------------------------------------------------------------------------------------------------ the exporter */

/* endpoint      "http://host:port", "https://..." (TLS 1.3, the system's roots) or "unix:///path" of a collector that speaks OTLP over
 *               gRPC
 * interval_ms   between two exports
 * All texts are copied. */
struct slim_telemetry_exporter_options {
    const char *endpoint;
    struct slim_telemetry_resource resource;
    uint64_t interval_ms;
};

struct slim_telemetry_exporter;

/* Export a snapshot and the spans that wait each interval. A collector that is not there, refuses or is slow costs one attempt after
 * a growing pause, one log line when it is lost and one when it is back; metrics are cumulative, so that nothing is missed.
 * SLIM_ERR_CONFIG: the endpoint makes no sense, with a sentence. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status
slim_telemetry_exporter_new(struct slim_loop *loop,
                            const struct slim_telemetry_exporter_options *options,
                            slim_telemetry_collect *collect, void *ctx,
                            struct slim_telemetry_exporter **exporter, struct slim_error *error);

/* Close everything; what waits is given up. NULL is allowed. */
void slim_telemetry_exporter_free(struct slim_telemetry_exporter *exporter);

/* Hand over a span. The oldest that waits goes when there is no room. */
void slim_telemetry_exporter_put(struct slim_telemetry_exporter *exporter,
                                 const struct slim_telemetry_span *span);

/* The last export: everything that waits, at once. on_done is called once: when the collector has it, when it fails, or after
 * `timeout_ms`; at once (from inside) when the collector is not connected. Nothing is exported afterwards. on_done must not free
 * the exporter. */
void slim_telemetry_exporter_finish(struct slim_telemetry_exporter *exporter, uint64_t timeout_ms,
                                    void (*on_done)(void *ctx), void *ctx);

/* Add what the exporter did to the values of the process. NULL is allowed. */
void slim_telemetry_exporter_observe(const struct slim_telemetry_exporter *exporter,
                                     struct slim_telemetry_values *values);

#endif
