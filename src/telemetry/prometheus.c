/* The text format 0.0.4 of Prometheus. */
#include "telemetry/families.h"

/* A label value; texts of a snapshot are printable ASCII. */
static enum slim_status put_label_value(struct slim_buf *out, const char *text)
{
    for (; *text != 0; text++) {
        if (*text == '\\' || *text == '"') {
            SLIM_TRY(slim_buf_put_byte(out, '\\'));
        }
        SLIM_TRY(slim_buf_put_byte(out, (uint8_t)*text));
    }
    return SLIM_OK;
}

/* key="value", behind a comma unless it is the first of its kind. */
static enum slim_status put_label(struct slim_buf *out, bool *is_first, const char *key,
                                  const char *text)
{
    if (key == NULL) {
        return SLIM_OK;
    }
    SLIM_TRY(slim_buf_put_text(out, "%s%s=\"", *is_first ? "{" : ",", key));
    SLIM_TRY(put_label_value(out, text));
    *is_first = false;
    return slim_buf_put_byte(out, '"');
}

static enum slim_status put_head(struct slim_buf *out, const char *name, const char *help,
                                 bool is_counter)
{
    return slim_buf_put_text(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
                             is_counter ? "counter" : "gauge");
}

static enum slim_status put_sample(struct slim_buf *out,
                                   const struct slim_telemetry_family_info *info,
                                   const char *service, const struct slim_telemetry_value *value)
{
    bool is_first = true;
    SLIM_TRY(slim_buf_put_text(out, "%s", info->name));
    SLIM_TRY(put_label(out, &is_first, service == NULL ? NULL : "service", service));
    SLIM_TRY(put_label(out, &is_first, info->label, value->label));
    SLIM_TRY(slim_buf_put_text(out, "%s ", is_first ? "" : "}"));
    if (info->is_time) {
        return slim_buf_put_text(out, "%lu.%03lu\n", value->value / 1000, value->value % 1000);
    }
    return slim_buf_put_text(out, "%lu\n", value->value);
}

/* The samples of one family out of one list; the head comes before the first. */
static enum slim_status put_samples(struct slim_buf *out, enum slim_telemetry_family family,
                                    const char *service, const struct slim_telemetry_values *values,
                                    bool *has_head)
{
    const struct slim_telemetry_family_info *info = slim_telemetry_family_info(family);
    for (size_t i = 0; i < values->count; i++) {
        if (values->list[i].family != family) {
            continue;
        }
        if (!*has_head) {
            *has_head = true;
            SLIM_TRY(put_head(out, info->name, info->help, info->is_counter));
        }
        SLIM_TRY(put_sample(out, info, service, &values->list[i]));
    }
    return SLIM_OK;
}

static enum slim_status put_family(struct slim_buf *out,
                                   const struct slim_telemetry_snapshot *snapshot,
                                   enum slim_telemetry_family family)
{
    bool has_head = false;
    SLIM_TRY(put_samples(out, family, NULL, &snapshot->process, &has_head));
    for (size_t i = 0; i < snapshot->service_count; i++) {
        SLIM_TRY(put_samples(out, family, snapshot->services[i].name, &snapshot->services[i].values,
                             &has_head));
    }
    return SLIM_OK;
}

/* ---------------------------------------------------------------------------------------------------- connections */

static uint64_t messages_received(const struct slim_telemetry_conn *conn)
{
    return conn->messages_received;
}

static uint64_t bytes_received(const struct slim_telemetry_conn *conn)
{
    return conn->bytes_received;
}

static uint64_t messages_delivered(const struct slim_telemetry_conn *conn)
{
    return conn->messages_delivered;
}

static uint64_t bytes_delivered(const struct slim_telemetry_conn *conn)
{
    return conn->bytes_delivered;
}

static uint64_t queue_bytes(const struct slim_telemetry_conn *conn)
{
    return conn->queue_bytes;
}

static const struct {
    const char *name;
    const char *help;
    bool is_counter;
    uint64_t (*get)(const struct slim_telemetry_conn *conn);
} conn_families[] = {
    {"slim_connection_messages_received_total", "Messages from this connection.", true,
     messages_received},
    {"slim_connection_message_received_bytes_total", "Bytes of these messages.", true,
     bytes_received},
    {"slim_connection_messages_delivered_total", "Messages queued for this connection.", true,
     messages_delivered},
    {"slim_connection_message_delivered_bytes_total", "Bytes of these messages.", true,
     bytes_delivered},
    {"slim_connection_queue_bytes", "Bytes that wait for this connection.", false, queue_bytes},
};

static enum slim_status put_conn_labels(struct slim_buf *out, const char *name,
                                        const struct slim_telemetry_snapshot *snapshot,
                                        const struct slim_telemetry_conn *conn)
{
    bool is_first = true;
    SLIM_TRY(slim_buf_put_text(out, "%s", name));
    SLIM_TRY(put_label(out, &is_first, "service", snapshot->services[conn->service_index].name));
    return slim_buf_put_text(out, ",conn=\"%lu\"", conn->id);
}

static enum slim_status put_conns(struct slim_buf *out,
                                  const struct slim_telemetry_snapshot *snapshot)
{
    static const char info[] = "slim_connection_info";
    if (snapshot->conn_count == 0) {
        return SLIM_OK;
    }
    SLIM_TRY(put_head(out, info, "What is known of a connection; always 1.", false));
    for (size_t i = 0; i < snapshot->conn_count; i++) {
        const struct slim_telemetry_conn *conn = &snapshot->conns[i];
        bool is_first = false;
        SLIM_TRY(put_conn_labels(out, info, snapshot, conn));
        SLIM_TRY(put_label(out, &is_first, "kind", conn->kind));
        SLIM_TRY(put_label(out, &is_first, "peer", conn->peer));
        SLIM_TRY(put_label(out, &is_first, "version", conn->version));
        SLIM_TRY(slim_buf_put_text(out, "} 1\n"));
    }
    for (size_t k = 0; k < SLIM_COUNT(conn_families); k++) {
        SLIM_TRY(put_head(out, conn_families[k].name, conn_families[k].help,
                          conn_families[k].is_counter));
        for (size_t i = 0; i < snapshot->conn_count; i++) {
            const struct slim_telemetry_conn *conn = &snapshot->conns[i];
            SLIM_TRY(put_conn_labels(out, conn_families[k].name, snapshot, conn));
            SLIM_TRY(slim_buf_put_text(out, "} %lu\n", conn_families[k].get(conn)));
        }
    }
    return SLIM_OK;
}

static enum slim_status put_all(struct slim_buf *out,
                                const struct slim_telemetry_snapshot *snapshot)
{
    static const char build[] = "slim_build_info";
    bool is_first = true;
    SLIM_TRY(put_head(out, build, "The program; always 1.", false));
    SLIM_TRY(slim_buf_put_text(out, "%s", build));
    SLIM_TRY(put_label(out, &is_first, "version", snapshot->version));
    SLIM_TRY(put_label(out, &is_first, "revision", snapshot->sha));
    SLIM_TRY(slim_buf_put_text(out, "} 1\n"));
    for (int family = 0; family < SLIM_TELEMETRY_SERVICE_FAMILIES_END; family++) {
        SLIM_TRY(put_family(out, snapshot, (enum slim_telemetry_family)family));
    }
    return put_conns(out, snapshot);
}

enum slim_status slim_telemetry_put_prometheus(const struct slim_telemetry_snapshot *snapshot,
                                               struct slim_buf *out)
{
    size_t start = out->len;
    enum slim_status status = put_all(out, snapshot);
    if (status != SLIM_OK) {
        out->len = start;
    }
    return status;
}
