/* Messages of opentelemetry-proto 1.x: what a collector takes. Field numbers are those of metrics.proto, trace.proto, common.proto and
 * resource.proto. */
#include "telemetry/families.h"
#include "wire/wire.h"

enum { SMALL_LEN = 100 }; /* a guess for nested messages; a wrong one costs a move of bytes */

enum {
    REQUEST_RESOURCE = 1, /* of both requests: resource_metrics, resource_spans */
    GROUP_RESOURCE = 1,   /* of both ResourceMetrics and ResourceSpans */
    GROUP_SCOPE = 2,
    RESOURCE_ATTRIBUTES = 1,
    SCOPE_SCOPE = 1, /* of both ScopeMetrics and ScopeSpans */
    SCOPE_ITEMS = 2,
    INSTRUMENTATION_NAME = 1,
    KEY_VALUE_KEY = 1,
    KEY_VALUE_VALUE = 2,
    ANY_STRING = 1,
    ANY_INT = 3,
    METRIC_NAME = 1,
    METRIC_DESCRIPTION = 2,
    METRIC_UNIT = 3,
    METRIC_GAUGE = 5,
    METRIC_SUM = 7,
    DATA_POINTS = 1, /* of both Gauge and Sum */
    SUM_TEMPORALITY = 2,
    SUM_IS_MONOTONIC = 3,
    TEMPORALITY_CUMULATIVE = 2,
    POINT_START = 2,
    POINT_TIME = 3,
    POINT_DOUBLE = 4,
    POINT_INT = 6,
    POINT_ATTRIBUTES = 7,
    SPAN_TRACE_ID = 1,
    SPAN_SPAN_ID = 2,
    SPAN_NAME = 5,
    SPAN_KIND = 6,
    SPAN_START = 7,
    SPAN_END = 8,
    SPAN_ATTRIBUTES = 9,
    SPAN_STATUS = 15,
    STATUS_MESSAGE = 2,
    STATUS_CODE = 3,
    STATUS_OK = 1,
    STATUS_ERROR = 2,
    KIND_INTERNAL = 1,
    KIND_SERVER = 2,
    KIND_CLIENT = 3,
    TRACE_ID_BYTES = 16,
    SPAN_ID_BYTES = 8,
};

/* A field of wire type 1: eight bytes, the lowest first. */
static enum slim_status put_fixed64(struct slim_buf *out, uint32_t number, uint64_t value)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    SLIM_TRY(slim_wire_put_varint(out, (uint64_t)number << 3 | SLIM_WIRE_FIELD_FIXED64));
    return slim_buf_put(out, slim_view_of(bytes, sizeof(bytes)));
}

static enum slim_status put_double(struct slim_buf *out, uint32_t number, double value)
{
    uint64_t bits;
    _Static_assert(sizeof(bits) == sizeof(value), "a double has 64 bits");
    memcpy(&bits, &value, sizeof(bits));
    return put_fixed64(out, number, bits);
}

static enum slim_status put_text_attribute(struct slim_buf *out, uint32_t number, const char *key,
                                           const char *text)
{
    struct slim_wire_nested pair;
    struct slim_wire_nested any;
    SLIM_TRY(slim_wire_open(out, number, SMALL_LEN, &pair));
    SLIM_TRY(slim_wire_put_bytes(out, KEY_VALUE_KEY, slim_view_str(key)));
    SLIM_TRY(slim_wire_open(out, KEY_VALUE_VALUE, SMALL_LEN, &any));
    SLIM_TRY(slim_wire_put_bytes(out, ANY_STRING, slim_view_str(text)));
    SLIM_TRY(slim_wire_close(out, &any));
    return slim_wire_close(out, &pair);
}

static enum slim_status put_number_attribute(struct slim_buf *out, uint32_t number, const char *key,
                                             uint64_t value)
{
    struct slim_wire_nested pair;
    struct slim_wire_nested any;
    SLIM_TRY(slim_wire_open(out, number, SMALL_LEN, &pair));
    SLIM_TRY(slim_wire_put_bytes(out, KEY_VALUE_KEY, slim_view_str(key)));
    SLIM_TRY(slim_wire_open(out, KEY_VALUE_VALUE, SMALL_LEN, &any));
    SLIM_TRY(slim_wire_put_number(out, ANY_INT, value));
    SLIM_TRY(slim_wire_close(out, &any));
    return slim_wire_close(out, &pair);
}

static enum slim_status put_resource(struct slim_buf *out,
                                     const struct slim_telemetry_resource *resource)
{
    const struct {
        const char *key;
        const char *text;
    } attributes[] = {
        {"service.name", resource->service_name},
        {"service.version", resource->service_version},
        {"deployment.environment.name", resource->environment},
        {"service.instance.id", resource->instance_id},
        {"telemetry.sdk.name", "slim"},
        {"telemetry.sdk.language", "c"},
        {"telemetry.sdk.version", SLIM_VERSION},
    };
    struct slim_wire_nested nested;
    SLIM_TRY(slim_wire_open(out, GROUP_RESOURCE, SMALL_LEN, &nested));
    for (size_t i = 0; i < SLIM_COUNT(attributes); i++) {
        SLIM_TRY(
            put_text_attribute(out, RESOURCE_ATTRIBUTES, attributes[i].key, attributes[i].text));
    }
    return slim_wire_close(out, &nested);
}

static enum slim_status put_scope(struct slim_buf *out)
{
    struct slim_wire_nested nested;
    SLIM_TRY(slim_wire_open(out, SCOPE_SCOPE, SMALL_LEN, &nested));
    SLIM_TRY(slim_wire_put_bytes(out, INSTRUMENTATION_NAME, SLIM_VIEW("slim")));
    return slim_wire_close(out, &nested);
}

/* ---------------------------------------------------------------------------------------------------- metrics */

struct moment {
    uint64_t start_ns;
    uint64_t now_ns;
};

/* A metric that is being written: open_metric, points, close_metric. */
struct metric {
    struct slim_wire_nested metric;
    struct slim_wire_nested data;
    bool is_sum;
    bool is_monotonic;
};

static enum slim_status open_metric(struct slim_buf *out, const char *name, const char *help,
                                    const char *unit, struct metric *metric)
{
    SLIM_TRY(slim_wire_open(out, SCOPE_ITEMS, SMALL_LEN, &metric->metric));
    SLIM_TRY(slim_wire_put_bytes(out, METRIC_NAME, slim_view_str(name)));
    SLIM_TRY(slim_wire_put_bytes(out, METRIC_DESCRIPTION, slim_view_str(help)));
    SLIM_TRY(slim_wire_put_bytes(out, METRIC_UNIT, slim_view_str(unit)));
    return slim_wire_open(out, metric->is_sum ? METRIC_SUM : METRIC_GAUGE, SMALL_LEN,
                          &metric->data);
}

static enum slim_status close_metric(struct slim_buf *out, const struct metric *metric)
{
    if (metric->is_sum) {
        SLIM_TRY(slim_wire_put_number(out, SUM_TEMPORALITY, TEMPORALITY_CUMULATIVE));
        SLIM_TRY(slim_wire_put_number(out, SUM_IS_MONOTONIC, metric->is_monotonic));
    }
    SLIM_TRY(slim_wire_close(out, &metric->data));
    return slim_wire_close(out, &metric->metric);
}

/* Attributes of one point; a NULL key is none. */
struct attribute {
    const char *key;
    const char *text;
};

static enum slim_status put_point(struct slim_buf *out, struct moment at, uint64_t value,
                                  bool is_time, const struct attribute attributes[static 2])
{
    struct slim_wire_nested point;
    SLIM_TRY(slim_wire_open(out, DATA_POINTS, SMALL_LEN, &point));
    SLIM_TRY(put_fixed64(out, POINT_START, at.start_ns));
    SLIM_TRY(put_fixed64(out, POINT_TIME, at.now_ns));
    if (is_time) {
        SLIM_TRY(put_double(out, POINT_DOUBLE, (double)value / 1000));
    } else {
        SLIM_TRY(put_fixed64(out, POINT_INT, value));
    }
    for (size_t i = 0; i < 2; i++) {
        if (attributes[i].key != NULL) {
            SLIM_TRY(
                put_text_attribute(out, POINT_ATTRIBUTES, attributes[i].key, attributes[i].text));
        }
    }
    return slim_wire_close(out, &point);
}

/* The points of one family out of one list; the metric is opened before the first. */
static enum slim_status put_points(struct slim_buf *out, enum slim_telemetry_family family,
                                   const char *service, const struct slim_telemetry_values *values,
                                   struct moment at, struct metric *metric, bool *is_open)
{
    const struct slim_telemetry_family_info *info = slim_telemetry_family_info(family);
    for (size_t i = 0; i < values->count; i++) {
        const struct slim_telemetry_value *value = &values->list[i];
        if (value->family != family) {
            continue;
        }
        if (!*is_open) {
            *is_open = true;
            SLIM_TRY(open_metric(out, info->name, info->help, info->unit, metric));
        }
        const struct attribute attributes[2] = {
            {service == NULL ? NULL : "service", service},
            {info->label, value->label},
        };
        SLIM_TRY(put_point(out, at, value->value, info->is_time, attributes));
    }
    return SLIM_OK;
}

static enum slim_status put_family(struct slim_buf *out,
                                   const struct slim_telemetry_snapshot *snapshot,
                                   enum slim_telemetry_family family, struct moment at)
{
    bool is_open = false;
    bool is_counter = slim_telemetry_family_info(family)->is_counter;
    struct metric metric = {.is_sum = is_counter, .is_monotonic = is_counter};
    SLIM_TRY(put_points(out, family, NULL, &snapshot->process, at, &metric, &is_open));
    for (size_t i = 0; i < snapshot->service_count; i++) {
        SLIM_TRY(put_points(out, family, snapshot->services[i].name, &snapshot->services[i].values,
                            at, &metric, &is_open));
    }
    return is_open ? close_metric(out, &metric) : SLIM_OK;
}

/* A metric of node.md 6 with one point. */
static enum slim_status put_single(struct slim_buf *out, const char *name, const char *help,
                                   bool is_monotonic, uint64_t value, struct moment at)
{
    static const struct attribute none[2] = {{NULL, NULL}, {NULL, NULL}};
    struct metric metric = {.is_sum = true, .is_monotonic = is_monotonic};
    SLIM_TRY(open_metric(out, name, help, "", &metric));
    SLIM_TRY(put_point(out, at, value, false, none));
    return close_metric(out, &metric);
}

static enum slim_status
put_by_type(struct slim_buf *out, const struct slim_telemetry_snapshot *snapshot, struct moment at)
{
    static const struct {
        const char *label; /* of SLIM_TELEMETRY_MESSAGES_BY_TYPE */
        struct attribute attribute;
    } types[] = {
        {"subscribe", {"message_type", "subscribe"}},
        {"unsubscribe", {"message_type", "unsubscribe"}},
        {"publish", {"method", "publish"}},
    };
    struct metric metric = {.is_sum = true, .is_monotonic = true};
    SLIM_TRY(open_metric(out, "num_messages_by_type", "Messages by their kind.", "", &metric));
    for (size_t i = 0; i < SLIM_COUNT(types); i++) {
        const struct attribute attributes[2] = {types[i].attribute, {NULL, NULL}};
        SLIM_TRY(put_point(
            out, at, slim_telemetry_sum(snapshot, SLIM_TELEMETRY_MESSAGES_BY_TYPE, types[i].label),
            false, attributes));
    }
    const struct attribute none[2] = {{"message_type", "none"}, {NULL, NULL}};
    SLIM_TRY(put_point(out, at,
                       slim_telemetry_sum(snapshot, SLIM_TELEMETRY_MESSAGES_DROPPED, "malformed") +
                           slim_telemetry_sum(snapshot, SLIM_TELEMETRY_MESSAGES_DROPPED, "invalid"),
                       false, none));
    return close_metric(out, &metric);
}

/* The names of the reference, whose dashboards ask for them. */
static enum slim_status put_reference_metrics(struct slim_buf *out,
                                              const struct slim_telemetry_snapshot *snapshot,
                                              struct moment at)
{
    SLIM_TRY(put_by_type(out, snapshot, at));
    SLIM_TRY(put_single(out, "num_processed_messages", "Messages that came in.", true,
                        slim_telemetry_sum(snapshot, SLIM_TELEMETRY_MESSAGES_RECEIVED, NULL), at));
    SLIM_TRY(put_single(
        out, "num_message_process_errors", "Messages dropped, and subscriptions refused.", true,
        slim_telemetry_sum(snapshot, SLIM_TELEMETRY_MESSAGES_DROPPED, NULL) +
            slim_telemetry_sum(snapshot, SLIM_TELEMETRY_SUBSCRIPTIONS_REFUSED, NULL),
        at));
    return put_single(out, "num_active_connections", "Connections that are open.", false,
                      slim_telemetry_sum(snapshot, SLIM_TELEMETRY_CONNECTIONS, NULL), at);
}

static enum slim_status put_metrics(struct slim_buf *out,
                                    const struct slim_telemetry_snapshot *snapshot,
                                    const struct slim_telemetry_resource *resource,
                                    struct moment at)
{
    struct slim_wire_nested group;
    struct slim_wire_nested scope;
    SLIM_TRY(slim_wire_open(out, REQUEST_RESOURCE, SMALL_LEN * SMALL_LEN, &group));
    SLIM_TRY(put_resource(out, resource));
    SLIM_TRY(slim_wire_open(out, GROUP_SCOPE, SMALL_LEN * SMALL_LEN, &scope));
    SLIM_TRY(put_scope(out));
    SLIM_TRY(put_reference_metrics(out, snapshot, at));
    for (int family = 0; family < SLIM_TELEMETRY_SERVICE_FAMILIES_END; family++) {
        SLIM_TRY(put_family(out, snapshot, (enum slim_telemetry_family)family, at));
    }
    SLIM_TRY(slim_wire_close(out, &scope));
    return slim_wire_close(out, &group);
}

enum slim_status slim_telemetry_put_metrics(const struct slim_telemetry_snapshot *snapshot,
                                            const struct slim_telemetry_resource *resource,
                                            uint64_t start_ns, uint64_t now_ns,
                                            struct slim_buf *out)
{
    size_t start = out->len;
    enum slim_status status = put_metrics(out, snapshot, resource,
                                          (struct moment){.start_ns = start_ns, .now_ns = now_ns});
    if (status != SLIM_OK) {
        out->len = start;
    }
    return status;
}

/* ---------------------------------------------------------------------------------------------------- spans */

static enum slim_status put_conn_attributes(struct slim_buf *out,
                                            const struct slim_telemetry_conn *conn)
{
    SLIM_TRY(put_number_attribute(out, SPAN_ATTRIBUTES, "slim.connection.id", conn->id));
    SLIM_TRY(put_text_attribute(out, SPAN_ATTRIBUTES, "slim.connection.kind", conn->kind));
    SLIM_TRY(put_text_attribute(out, SPAN_ATTRIBUTES, "network.peer.address", conn->peer));
    if (conn->version[0] != 0) {
        SLIM_TRY(put_text_attribute(out, SPAN_ATTRIBUTES, "slim.peer.version", conn->version));
    }
    const struct {
        const char *key;
        uint64_t value;
    } numbers[] = {
        {"slim.messages.received", conn->messages_received},
        {"slim.bytes.received", conn->bytes_received},
        {"slim.messages.delivered", conn->messages_delivered},
        {"slim.bytes.delivered", conn->bytes_delivered},
    };
    for (size_t i = 0; i < SLIM_COUNT(numbers); i++) {
        SLIM_TRY(put_number_attribute(out, SPAN_ATTRIBUTES, numbers[i].key, numbers[i].value));
    }
    return SLIM_OK;
}

static uint64_t kind_of(const struct slim_telemetry_span *span)
{
    if (!span->has_conn) {
        return KIND_INTERNAL;
    }
    return strcmp(span->conn.kind, "link") == 0 ? KIND_CLIENT : KIND_SERVER;
}

static enum slim_status put_status(struct slim_buf *out, const char *reason)
{
    struct slim_wire_nested status;
    SLIM_TRY(slim_wire_open(out, SPAN_STATUS, SMALL_LEN, &status));
    if (reason != NULL) {
        SLIM_TRY(slim_wire_put_bytes(out, STATUS_MESSAGE, slim_view_str(reason)));
    }
    SLIM_TRY(slim_wire_put_number(out, STATUS_CODE, reason == NULL ? STATUS_OK : STATUS_ERROR));
    return slim_wire_close(out, &status);
}

static enum slim_status put_span(struct slim_buf *out, const struct slim_telemetry_span *span,
                                 const uint8_t ids[static SLIM_TELEMETRY_SPAN_ID_BYTES])
{
    struct slim_wire_nested nested;
    SLIM_TRY(slim_wire_open(out, SCOPE_ITEMS, SMALL_LEN * 2, &nested));
    SLIM_TRY(slim_wire_put_bytes(out, SPAN_TRACE_ID, slim_view_of(ids, TRACE_ID_BYTES)));
    SLIM_TRY(
        slim_wire_put_bytes(out, SPAN_SPAN_ID, slim_view_of(ids + TRACE_ID_BYTES, SPAN_ID_BYTES)));
    SLIM_TRY(slim_wire_put_bytes(out, SPAN_NAME, slim_view_str(span->name)));
    SLIM_TRY(slim_wire_put_number(out, SPAN_KIND, kind_of(span)));
    SLIM_TRY(put_fixed64(out, SPAN_START, span->start_ns));
    SLIM_TRY(put_fixed64(out, SPAN_END, span->end_ns));
    if (span->service[0] != 0) {
        SLIM_TRY(put_text_attribute(out, SPAN_ATTRIBUTES, "slim.service", span->service));
    }
    if (span->has_conn) {
        SLIM_TRY(put_conn_attributes(out, &span->conn));
    }
    SLIM_TRY(put_status(out, span->reason));
    return slim_wire_close(out, &nested);
}

static enum slim_status put_spans(struct slim_buf *out, const struct slim_telemetry_span *spans,
                                  size_t count, const uint8_t *ids,
                                  const struct slim_telemetry_resource *resource)
{
    _Static_assert(TRACE_ID_BYTES + SPAN_ID_BYTES == SLIM_TELEMETRY_SPAN_ID_BYTES, "one of each");
    struct slim_wire_nested group;
    struct slim_wire_nested scope;
    SLIM_TRY(slim_wire_open(out, REQUEST_RESOURCE, SMALL_LEN * SMALL_LEN, &group));
    SLIM_TRY(put_resource(out, resource));
    SLIM_TRY(slim_wire_open(out, GROUP_SCOPE, SMALL_LEN * SMALL_LEN, &scope));
    SLIM_TRY(put_scope(out));
    for (size_t i = 0; i < count; i++) {
        SLIM_TRY(put_span(out, &spans[i], ids + i * SLIM_TELEMETRY_SPAN_ID_BYTES));
    }
    SLIM_TRY(slim_wire_close(out, &scope));
    return slim_wire_close(out, &group);
}

enum slim_status slim_telemetry_put_spans(const struct slim_telemetry_span *spans, size_t count,
                                          const uint8_t *ids,
                                          const struct slim_telemetry_resource *resource,
                                          struct slim_buf *out)
{
    size_t start = out->len;
    enum slim_status status = put_spans(out, spans, count, ids, resource);
    if (status != SLIM_OK) {
        out->len = start;
    }
    return status;
}
