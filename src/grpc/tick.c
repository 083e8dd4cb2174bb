/* What a connection does because of the time, and why it was given up. */
#include "grpc/internal.h"

const char *slim_grpc_cause_text(enum slim_grpc_cause cause)
{
    switch (cause) {
    case SLIM_GRPC_CAUSE_NONE:
        return "";
    case SLIM_GRPC_CAUSE_HANDSHAKE_TIMEOUT:
        return "no HTTP/2 preface and SETTINGS in time";
    case SLIM_GRPC_CAUSE_PING_TIMEOUT:
        return "keepalive timed out";
    case SLIM_GRPC_CAUSE_IDLE:
        return "no call for max_connection_idle";
    case SLIM_GRPC_CAUSE_AGE:
        return "max_connection_age reached";
    case SLIM_GRPC_CAUSE_NOT_HTTP2:
        return "not HTTP/2";
    case SLIM_GRPC_CAUSE_BROKEN_HTTP2:
        return "the peer broke the rules of HTTP/2";
    case SLIM_GRPC_CAUSE_FLOOD_RESETS:
        return "a flood of stream resets";
    case SLIM_GRPC_CAUSE_FLOOD_SETTINGS:
        return "a flood of SETTINGS frames";
    case SLIM_GRPC_CAUSE_FLOOD_PINGS:
        return "a flood of PING frames";
    case SLIM_GRPC_CAUSE_FLOOD_PRIORITIES:
        return "a flood of PRIORITY frames";
    case SLIM_GRPC_CAUSE_FLOOD_EMPTY_DATA:
        return "a flood of empty DATA frames";
    case SLIM_GRPC_CAUSE_FLOOD_WINDOW_UPDATES:
        return "a flood of WINDOW_UPDATE frames";
    case SLIM_GRPC_CAUSE_FLOOD_REQUESTS:
        return "a flood of requests";
    case SLIM_GRPC_CAUSE_FLOOD_CONTINUATIONS:
        return "a flood of CONTINUATION frames";
    case SLIM_GRPC_CAUSE_FLOOD_UNREAD:
        return "a flood of frames that ask for an answer";
    }
    return "";
}

static enum slim_grpc_cause cause_of(enum slim_h2_cause cause)
{
    switch (cause) {
    case SLIM_H2_CAUSE_NONE:
        return SLIM_GRPC_CAUSE_NONE;
    case SLIM_H2_CAUSE_NOT_HTTP2:
        return SLIM_GRPC_CAUSE_NOT_HTTP2;
    case SLIM_H2_CAUSE_BROKEN:
        return SLIM_GRPC_CAUSE_BROKEN_HTTP2;
    case SLIM_H2_CAUSE_RESETS:
        return SLIM_GRPC_CAUSE_FLOOD_RESETS;
    case SLIM_H2_CAUSE_SETTINGS:
        return SLIM_GRPC_CAUSE_FLOOD_SETTINGS;
    case SLIM_H2_CAUSE_PINGS:
        return SLIM_GRPC_CAUSE_FLOOD_PINGS;
    case SLIM_H2_CAUSE_PRIORITIES:
        return SLIM_GRPC_CAUSE_FLOOD_PRIORITIES;
    case SLIM_H2_CAUSE_EMPTY_DATA:
        return SLIM_GRPC_CAUSE_FLOOD_EMPTY_DATA;
    case SLIM_H2_CAUSE_WINDOW_UPDATES:
        return SLIM_GRPC_CAUSE_FLOOD_WINDOW_UPDATES;
    case SLIM_H2_CAUSE_REQUESTS:
        return SLIM_GRPC_CAUSE_FLOOD_REQUESTS;
    case SLIM_H2_CAUSE_CONTINUATIONS:
        return SLIM_GRPC_CAUSE_FLOOD_CONTINUATIONS;
    case SLIM_H2_CAUSE_UNREAD:
        return SLIM_GRPC_CAUSE_FLOOD_UNREAD;
    }
    return SLIM_GRPC_CAUSE_NONE;
}

enum slim_grpc_cause slim_grpc_conn_cause(const struct slim_grpc_conn *conn)
{
    enum slim_grpc_cause cause = cause_of(slim_h2_cause(conn->h2));
    return cause != SLIM_GRPC_CAUSE_NONE ? cause : conn->cause;
}

void slim_grpc_conn_note_late(struct slim_grpc_conn *conn)
{
    conn->cause = SLIM_GRPC_CAUSE_HANDSHAKE_TIMEOUT;
}

bool slim_grpc_conn_is_established(const struct slim_grpc_conn *conn)
{
    return slim_h2_has_settings(conn->h2);
}

/* True when `period_ms` (0: never) after `since_ms` has come; else *next_ms is moved there, unless something comes earlier. */
static bool is_due(uint64_t now_ms, uint64_t since_ms, uint64_t period_ms, uint64_t *next_ms)
{
    uint64_t due_ms;
    if (period_ms == 0 || __builtin_add_overflow(since_ms, period_ms, &due_ms)) {
        return false;
    }
    if (now_ms >= due_ms) {
        return true;
    }
    if (*next_ms == 0 || due_ms < *next_ms) {
        *next_ms = due_ms;
    }
    return false;
}

static enum slim_status ping(struct slim_grpc_conn *conn, uint64_t *next_ms)
{
    if (conn->ping_interval_ms == 0) {
        return SLIM_OK;
    }
    if (conn->pinged_ms == 0 &&
        is_due(conn->now_ms, conn->received_ms, conn->ping_interval_ms, next_ms)) {
        slim_h2_ping(conn->h2);
        conn->pinged_ms = conn->now_ms;
    }
    if (conn->pinged_ms != 0 &&
        is_due(conn->now_ms, conn->pinged_ms, conn->ping_timeout_ms, next_ms)) {
        conn->cause = SLIM_GRPC_CAUSE_PING_TIMEOUT;
        return SLIM_ERR_TIMEOUT;
    }
    return SLIM_OK;
}

/* We want no more calls. Behind the last one the peer is to close; one that does not is closed. */
static enum slim_status leave(struct slim_grpc_conn *conn, uint64_t *next_ms)
{
    if (conn->call_count > 0) {
        conn->leave_ms = 0;
        (void)is_due(conn->now_ms, conn->now_ms, SLIM_GRPC_LEAVE_PERIOD_MS, next_ms); /* never */
        return SLIM_OK;
    }
    if (conn->leave_ms == 0) {
        conn->leave_ms = conn->now_ms;
    }
    return is_due(conn->now_ms, conn->leave_ms, SLIM_GRPC_LEAVE_MS, next_ms) ? SLIM_ERR_CLOSED
                                                                             : SLIM_OK;
}

static void go_away(struct slim_grpc_conn *conn, enum slim_grpc_cause cause)
{
    conn->cause = cause;
    slim_h2_go_away(conn->h2);
}

enum slim_status slim_grpc_conn_tick(struct slim_grpc_conn *conn, uint64_t now_ms,
                                     uint64_t *next_ms)
{
    *next_ms = 0;
    if (conn->is_closed) {
        return SLIM_OK;
    }
    conn->now_ms = now_ms;
    SLIM_TRY(ping(conn, next_ms));
    if (!slim_h2_has_go_away(conn->h2)) {
        uint64_t idle_since_ms = conn->call_count > 0 ? now_ms : conn->idle_since_ms;
        if (is_due(now_ms, conn->opened_ms, conn->age_max_ms, next_ms)) {
            go_away(conn, SLIM_GRPC_CAUSE_AGE);
        } else if (is_due(now_ms, idle_since_ms, conn->idle_timeout_ms, next_ms)) {
            go_away(conn, SLIM_GRPC_CAUSE_IDLE);
        }
    }
    return conn->is_server && slim_h2_has_go_away(conn->h2) ? leave(conn, next_ms) : SLIM_OK;
}
