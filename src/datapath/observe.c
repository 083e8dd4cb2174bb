/* What others may know of the engine: every counter by its name and reason, and its connections. */
#include "datapath/internal.h"

#include <stddef.h>

struct row {
    size_t offset;
    enum slim_telemetry_family family;
    const char *label;
};

#define STAT(field) offsetof(struct slim_datapath_stats, field)

/* Each field of slim_datapath_stats, once (test_observe.c counts them). */
static const struct row stat_rows[] = {
    {STAT(messages_received), SLIM_TELEMETRY_MESSAGES_RECEIVED, NULL},
    {STAT(bytes_received), SLIM_TELEMETRY_BYTES_RECEIVED, NULL},
    {STAT(messages_delivered), SLIM_TELEMETRY_MESSAGES_DELIVERED, NULL},
    {STAT(bytes_delivered), SLIM_TELEMETRY_BYTES_DELIVERED, NULL},
    {STAT(publish_count), SLIM_TELEMETRY_MESSAGES_BY_TYPE, "publish"},
    {STAT(subscribe_count), SLIM_TELEMETRY_MESSAGES_BY_TYPE, "subscribe"},
    {STAT(unsubscribe_count), SLIM_TELEMETRY_MESSAGES_BY_TYPE, "unsubscribe"},
    {STAT(link_count), SLIM_TELEMETRY_MESSAGES_BY_TYPE, "link"},
    {STAT(subscription_ack_count), SLIM_TELEMETRY_MESSAGES_BY_TYPE, "subscription_ack"},

    {STAT(no_match_count), SLIM_TELEMETRY_MESSAGES_DROPPED, "no_match"},
    {STAT(malformed_count), SLIM_TELEMETRY_MESSAGES_DROPPED, "malformed"},
    {STAT(invalid_count), SLIM_TELEMETRY_MESSAGES_DROPPED, "invalid"},
    {STAT(link_ignored_count), SLIM_TELEMETRY_MESSAGES_DROPPED, "link_negotiation"},
    {STAT(app_ignored_count), SLIM_TELEMETRY_MESSAGES_DROPPED, "application_kind"},
    {STAT(unknown_conn_count), SLIM_TELEMETRY_MESSAGES_DROPPED, "unknown_connection"},
    {STAT(link_down_count), SLIM_TELEMETRY_MESSAGES_DROPPED, "link_down"},
    {STAT(receiver_gone_count), SLIM_TELEMETRY_MESSAGES_DROPPED, "receiver_gone"},
    {STAT(too_long_count), SLIM_TELEMETRY_MESSAGES_DROPPED, "too_long"},
    {STAT(no_memory_count), SLIM_TELEMETRY_MESSAGES_DROPPED, "no_memory"},
    {STAT(answer_lost_count), SLIM_TELEMETRY_MESSAGES_DROPPED, "answer"},
    {STAT(discarded_bytes), SLIM_TELEMETRY_BYTES_DISCARDED, NULL},
    {STAT(ignored_forward_to_count), SLIM_TELEMETRY_FIELDS_IGNORED, NULL},

    {STAT(subscription_refused_count), SLIM_TELEMETRY_SUBSCRIPTIONS_REFUSED, "memory_max"},
    {STAT(subscription_limit_count), SLIM_TELEMETRY_SUBSCRIPTIONS_REFUSED, "limit"},
    {STAT(subscription_no_memory_count), SLIM_TELEMETRY_SUBSCRIPTIONS_REFUSED, "no_memory"},
    {STAT(subscription_unknown_count), SLIM_TELEMETRY_SUBSCRIPTIONS_REFUSED, "unknown"},
    {STAT(unkept_count), SLIM_TELEMETRY_SUBSCRIPTIONS_LOST, "not_kept"},
    {STAT(unrestored_count), SLIM_TELEMETRY_SUBSCRIPTIONS_LOST, "not_restored"},
    {STAT(unremembered_count), SLIM_TELEMETRY_SUBSCRIPTIONS_LOST, "not_remembered"},

    {STAT(ended_count), SLIM_TELEMETRY_CONNECTIONS_CLOSED, "ended"},
    {STAT(lost_count), SLIM_TELEMETRY_CONNECTIONS_CLOSED, "lost"},
    {STAT(streams_broken), SLIM_TELEMETRY_CONNECTIONS_CLOSED, "broken"},
    {STAT(undecodable_count), SLIM_TELEMETRY_CONNECTIONS_CLOSED, "undecodable"},
    {STAT(slow_stalled_count), SLIM_TELEMETRY_CONNECTIONS_CLOSED, "slow_stalled"},
    {STAT(slow_full_count), SLIM_TELEMETRY_CONNECTIONS_CLOSED, "slow_full"},
    {STAT(memory_max_count), SLIM_TELEMETRY_CONNECTIONS_CLOSED, "memory_max"},
    {STAT(drained_count), SLIM_TELEMETRY_CONNECTIONS_CLOSED, "drain"},
    {STAT(link_ended_count), SLIM_TELEMETRY_CONNECTIONS_CLOSED, "link_ended"},

    {STAT(refused_path_count), SLIM_TELEMETRY_CALLS_REFUSED, "unknown_path"},
    {STAT(refused_encoding_count), SLIM_TELEMETRY_CALLS_REFUSED, "encoding"},
    {STAT(refused_plain_count), SLIM_TELEMETRY_CALLS_REFUSED, "not_grpc"},
    {STAT(refused_auth_count[SLIM_DATAPATH_REFUSED_MISSING]), SLIM_TELEMETRY_CALLS_REFUSED,
     "auth_missing"},
    {STAT(refused_auth_count[SLIM_DATAPATH_REFUSED_PASSWORD]), SLIM_TELEMETRY_CALLS_REFUSED,
     "auth_password"},
    {STAT(refused_auth_count[SLIM_DATAPATH_REFUSED_TOKEN]), SLIM_TELEMETRY_CALLS_REFUSED,
     "auth_token"},
    {STAT(refused_auth_count[SLIM_DATAPATH_REFUSED_TIME]), SLIM_TELEMETRY_CALLS_REFUSED,
     "auth_time"},
    {STAT(refused_auth_count[SLIM_DATAPATH_REFUSED_ISSUER]), SLIM_TELEMETRY_CALLS_REFUSED,
     "auth_issuer"},
    {STAT(refused_auth_count[SLIM_DATAPATH_REFUSED_AUDIENCE]), SLIM_TELEMETRY_CALLS_REFUSED,
     "auth_audience"},
    {STAT(refused_auth_count[SLIM_DATAPATH_REFUSED_SUBJECT]), SLIM_TELEMETRY_CALLS_REFUSED,
     "auth_subject"},
    {STAT(refused_auth_count[SLIM_DATAPATH_REFUSED_KEY]), SLIM_TELEMETRY_CALLS_REFUSED, "auth_key"},
    {STAT(refused_auth_count[SLIM_DATAPATH_REFUSED_SIGNATURE]), SLIM_TELEMETRY_CALLS_REFUSED,
     "auth_signature"},
    {STAT(refused_auth_count[SLIM_DATAPATH_REFUSED_FETCHING]), SLIM_TELEMETRY_CALLS_REFUSED,
     "auth_fetching"},
    {STAT(refused_auth_count[SLIM_DATAPATH_REFUSED_UNDECIDED]), SLIM_TELEMETRY_CALLS_REFUSED,
     "auth_undecided"},
    {STAT(refused_draining_count), SLIM_TELEMETRY_CALLS_REFUSED, "draining"},
    {STAT(connection_limit_count), SLIM_TELEMETRY_CALLS_REFUSED, "connection_limit"},
    {STAT(refused_no_memory_count), SLIM_TELEMETRY_CALLS_REFUSED, "no_memory"},
    {STAT(sockets_accepted), SLIM_TELEMETRY_SOCKETS_ACCEPTED, NULL},
    {STAT(socket_memory_max_count), SLIM_TELEMETRY_SOCKETS_REFUSED, "memory_max"},
    {STAT(socket_no_memory_count), SLIM_TELEMETRY_SOCKETS_REFUSED, "no_memory"},

    {STAT(accept_rest_count), SLIM_TELEMETRY_SOCKETS_REFUSED, "descriptors"},

    {STAT(socket_closed_count), SLIM_TELEMETRY_SOCKETS_CLOSED, "by_peer"},
    {STAT(socket_reset_count), SLIM_TELEMETRY_SOCKETS_CLOSED, "reset"},
    {STAT(socket_timeout_count), SLIM_TELEMETRY_SOCKETS_CLOSED, "timeout"},
    {STAT(socket_handshake_count), SLIM_TELEMETRY_SOCKETS_CLOSED, "handshake_timeout"},
    {STAT(socket_idle_count), SLIM_TELEMETRY_SOCKETS_CLOSED, "idle"},
    {STAT(socket_age_count), SLIM_TELEMETRY_SOCKETS_CLOSED, "age"},
    {STAT(socket_dropped_count), SLIM_TELEMETRY_SOCKETS_CLOSED, "make_room"},
    {STAT(tls_refused_count), SLIM_TELEMETRY_SOCKETS_CLOSED, "tls"},
    {STAT(tls_not_ready_count), SLIM_TELEMETRY_SOCKETS_REFUSED, "tls_not_ready"},
    {STAT(tls_reloaded_count), SLIM_TELEMETRY_TLS_RELOADS, "ok"},
    {STAT(tls_reload_failed_count), SLIM_TELEMETRY_TLS_RELOADS, "failed"},
    {STAT(socket_malformed_count), SLIM_TELEMETRY_SOCKETS_CLOSED, "http2"},
    {STAT(socket_flood_count), SLIM_TELEMETRY_SOCKETS_CLOSED, "flood"},
    {STAT(socket_failed_count), SLIM_TELEMETRY_SOCKETS_CLOSED, "failed"},
    {STAT(socket_ended_count), SLIM_TELEMETRY_SOCKETS_CLOSED, "by_us"},

    {STAT(hold_count), SLIM_TELEMETRY_HOLDS, NULL},
    {STAT(reconnect_count), SLIM_TELEMETRY_LINK_EVENTS, "reconnected"},
    {STAT(link_lost_count), SLIM_TELEMETRY_LINK_EVENTS, "lost"},
    {STAT(link_attempt_failed_count), SLIM_TELEMETRY_LINK_EVENTS, "attempt_failed"},
    {STAT(link_given_up_count), SLIM_TELEMETRY_LINK_EVENTS, "given_up"},
    {STAT(link_refused_count), SLIM_TELEMETRY_LINK_EVENTS, "refused"},

    {STAT(health_check_count), SLIM_TELEMETRY_HEALTH_CHECKS, "Check"},
    {STAT(health_watch_count), SLIM_TELEMETRY_HEALTH_CHECKS, "Watch"},
};

#define COUNT(field) offsetof(struct slim_grpc_counters, field)

/* Each field of slim_grpc_counters, once. */
static const struct row counter_rows[] = {
    {COUNT(h2.causes[SLIM_H2_CAUSE_NOT_HTTP2]), SLIM_TELEMETRY_HTTP2_ERRORS, "not_http2"},
    {COUNT(h2.causes[SLIM_H2_CAUSE_BROKEN]), SLIM_TELEMETRY_HTTP2_ERRORS, "protocol"},
    {COUNT(h2.causes[SLIM_H2_CAUSE_RESETS]), SLIM_TELEMETRY_HTTP2_ERRORS, "flood_resets"},
    {COUNT(h2.causes[SLIM_H2_CAUSE_SETTINGS]), SLIM_TELEMETRY_HTTP2_ERRORS, "flood_settings"},
    {COUNT(h2.causes[SLIM_H2_CAUSE_PINGS]), SLIM_TELEMETRY_HTTP2_ERRORS, "flood_pings"},
    {COUNT(h2.causes[SLIM_H2_CAUSE_PRIORITIES]), SLIM_TELEMETRY_HTTP2_ERRORS, "flood_priorities"},
    {COUNT(h2.causes[SLIM_H2_CAUSE_EMPTY_DATA]), SLIM_TELEMETRY_HTTP2_ERRORS, "flood_empty_data"},
    {COUNT(h2.causes[SLIM_H2_CAUSE_WINDOW_UPDATES]), SLIM_TELEMETRY_HTTP2_ERRORS,
     "flood_window_updates"},
    {COUNT(h2.causes[SLIM_H2_CAUSE_REQUESTS]), SLIM_TELEMETRY_HTTP2_ERRORS, "flood_requests"},
    {COUNT(h2.causes[SLIM_H2_CAUSE_CONTINUATIONS]), SLIM_TELEMETRY_HTTP2_ERRORS,
     "flood_continuations"},
    {COUNT(h2.causes[SLIM_H2_CAUSE_UNREAD]), SLIM_TELEMETRY_HTTP2_ERRORS, "unread"},
    {COUNT(h2.no_memory), SLIM_TELEMETRY_HTTP2_ERRORS, "no_memory"},
    {COUNT(h2.headers_too_long), SLIM_TELEMETRY_HTTP2_ERRORS, "headers_too_long"},
    {COUNT(h2.streams_refused), SLIM_TELEMETRY_HTTP2_ERRORS, "stream_refused"},
    {COUNT(h2.bad_requests), SLIM_TELEMETRY_HTTP2_ERRORS, "bad_request"},
    {COUNT(h2.stream_no_memory), SLIM_TELEMETRY_HTTP2_ERRORS, "stream_no_memory"},
    {COUNT(messages_too_long), SLIM_TELEMETRY_STREAMS_BROKEN, "too_long"},
    {COUNT(messages_compressed), SLIM_TELEMETRY_STREAMS_BROKEN, "compressed"},
    {COUNT(messages_cut_off), SLIM_TELEMETRY_STREAMS_BROKEN, "cut_off"},
    {COUNT(messages_no_memory), SLIM_TELEMETRY_STREAMS_BROKEN, "no_memory"},
};

static void add_rows(struct slim_telemetry_values *values, const void *counters,
                     const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value;
        memcpy(&value, (const uint8_t *)counters + rows[i].offset, sizeof(value));
        slim_telemetry_add(values, rows[i].family, rows[i].label, value);
    }
}

static const char *const kinds[SLIM_DATAPATH_CONN_KINDS] = {
    [SLIM_DATAPATH_CONN_LOCAL] = "local",
    [SLIM_DATAPATH_CONN_SERVER] = "server",
    [SLIM_DATAPATH_CONN_LINK] = "link",
};

/* What is there now. */
static void add_state(struct slim_datapath *datapath, struct slim_telemetry_values *values)
{
    slim_telemetry_add(values, SLIM_TELEMETRY_SERVING, NULL, datapath->is_draining ? 0 : 1);
    slim_telemetry_add(values, SLIM_TELEMETRY_MEMORY_MAX, NULL, datapath->memory_max);
    slim_telemetry_add(values, SLIM_TELEMETRY_SUBSCRIPTIONS, NULL,
                       slim_routes_stats(datapath->routes).subscription_count);
    slim_telemetry_add(values, SLIM_TELEMETRY_SOCKETS, NULL, datapath->socket_count);
    for (size_t i = 0; i < SLIM_DATAPATH_CONN_KINDS; i++) {
        slim_telemetry_add(values, SLIM_TELEMETRY_CONNECTIONS, kinds[i], datapath->open_counts[i]);
        slim_telemetry_add(values, SLIM_TELEMETRY_CONNECTIONS_OPENED, kinds[i],
                           datapath->opened_counts[i]);
    }
}

static void describe(const struct slim_datapath_conn *conn, struct slim_telemetry_conn *out)
{
    out->id = conn->peer.id;
    out->kind = kinds[conn->kind];
    if (conn->link != NULL) {
        slim_telemetry_set_text(out->peer, slim_datapath_link_endpoint(conn->link));
    } else if (conn->socket != NULL) {
        slim_telemetry_set_text(out->peer, conn->socket->text);
    }
    slim_telemetry_set_text(out->version, conn->peer_version);
    out->messages_received = conn->messages_received;
    out->bytes_received = conn->bytes_received;
    out->messages_delivered = conn->messages_delivered;
    out->bytes_delivered = conn->bytes_delivered;
    out->queue_bytes = conn->call == NULL ? 0 : slim_grpc_call_unsent_bytes(conn->call);
}

static void add_conn(const struct slim_datapath_conn *conn,
                     struct slim_telemetry_snapshot *snapshot)
{
    struct slim_telemetry_conn *out = slim_telemetry_add_conn(snapshot);
    if (out != NULL) {
        describe(conn, out);
    }
}

/* Those that somebody waits for come first; however many there are, no more are looked at than fit. */
static void add_conns(struct slim_datapath *datapath, struct slim_telemetry_snapshot *snapshot)
{
    size_t room = SLIM_TELEMETRY_CONNS_MAX - snapshot->conn_count;
    size_t listed = 0;
    SLIM_LIST_EACH(node, &datapath->waiting)
    {
        if (listed == room) {
            break;
        }
        add_conn(SLIM_LIST_ENTRY(node, struct slim_datapath_conn, waiting), snapshot);
        listed++;
    }
    SLIM_LIST_EACH(node, &datapath->conns)
    {
        const struct slim_datapath_conn *conn =
            SLIM_LIST_ENTRY(node, struct slim_datapath_conn, node);
        if (listed == room) {
            break;
        }
        if (!slim_list_is_linked(&conn->waiting)) {
            add_conn(conn, snapshot);
            listed++;
        }
    }
    snapshot->unlisted_count += datapath->conn_count - listed;
}

void slim_datapath_observe(struct slim_datapath *datapath, const char *name,
                           struct slim_telemetry_snapshot *snapshot)
{
    enum { STATE_VALUES = 4 + 2 * SLIM_DATAPATH_CONN_KINDS };
    _Static_assert(STATE_VALUES + SLIM_COUNT(stat_rows) + SLIM_COUNT(counter_rows) <=
                       SLIM_TELEMETRY_VALUES_MAX,
                   "all fit");
    struct slim_telemetry_service *service = slim_telemetry_add_service(snapshot, name);
    add_state(datapath, &service->values);
    add_rows(&service->values, slim_datapath_stats(datapath), stat_rows, SLIM_COUNT(stat_rows));
    add_rows(&service->values, &datapath->counters, counter_rows, SLIM_COUNT(counter_rows));
    add_conns(datapath, snapshot);
}

void slim_datapath_watch_ends(struct slim_datapath *datapath, slim_datapath_on_conn_end *on_end,
                              void *ctx)
{
    datapath->on_conn_end = on_end;
    datapath->conn_end_ctx = ctx;
}

void slim_datapath_observe_end(const struct slim_datapath_conn *conn)
{
    struct slim_datapath *datapath = conn->datapath;
    if (datapath->on_conn_end == NULL) {
        return;
    }
    struct slim_telemetry_conn described = {0};
    describe(conn, &described);
    datapath->on_conn_end(datapath->conn_end_ctx, &described, conn->opened_ms, conn->why);
}
