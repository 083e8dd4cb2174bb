#include "sample.h"

static void add_conns(struct slim_telemetry_snapshot *snapshot)
{
    struct slim_telemetry_conn *conn = slim_telemetry_add_conn(snapshot);
    conn->id = 7;
    conn->kind = "server";
    slim_telemetry_set_text(conn->peer, "127.0.0.1:5000");
    slim_telemetry_set_text(conn->version, "1.4.0");
    conn->messages_received = 1;
    conn->bytes_received = 2;
    conn->messages_delivered = 3;
    conn->bytes_delivered = 4;
    conn->queue_bytes = 5;
    conn = slim_telemetry_add_conn(snapshot);
    conn->id = UINT64_MAX;
    conn->kind = "link";
    slim_telemetry_set_text(conn->peer, "unix:/\"a\\b\"\n\xc3\xa4");
}

enum slim_status sample_collect(void *ctx, struct slim_telemetry_snapshot **snapshot)
{
    (void)ctx;
    struct slim_telemetry_snapshot *made = NULL;
    SLIM_TRY(slim_telemetry_snapshot_new(2, &made));
    made->version = "v\"1\"";
    made->sha = "abc";
    slim_telemetry_add(&made->process, SLIM_TELEMETRY_START_TIME, NULL, 1700000000005);
    slim_telemetry_add(&made->process, SLIM_TELEMETRY_TABLE_MEMORY, "in_use", 10);
    slim_telemetry_add(&made->process, SLIM_TELEMETRY_TABLE_MEMORY, "kept", 20);
    struct slim_telemetry_service *service = slim_telemetry_add_service(made, "slim/0");
    slim_telemetry_add(&service->values, SLIM_TELEMETRY_MESSAGES_RECEIVED, NULL, 100);
    slim_telemetry_add(&service->values, SLIM_TELEMETRY_MESSAGES_BY_TYPE, "publish", 60);
    slim_telemetry_add(&service->values, SLIM_TELEMETRY_MESSAGES_BY_TYPE, "subscribe", 30);
    slim_telemetry_add(&service->values, SLIM_TELEMETRY_MESSAGES_DROPPED, "no_match", 2);
    slim_telemetry_add(&service->values, SLIM_TELEMETRY_MESSAGES_DROPPED, "invalid", UINT64_MAX);
    slim_telemetry_add(&service->values, SLIM_TELEMETRY_CONNECTIONS, "server", 1);
    add_conns(made);
    service = slim_telemetry_add_service(made, "slim/1");
    slim_telemetry_add(&service->values, SLIM_TELEMETRY_MESSAGES_RECEIVED, NULL, 23);
    slim_telemetry_add(&service->values, SLIM_TELEMETRY_MESSAGES_BY_TYPE, "publish", 7);
    *snapshot = made;
    return SLIM_OK;
}
