#include "datapath/internal.h"

#include <stdlib.h>

enum { BUCKETS_MIN = 64 };

static struct slim_datapath_conn **bucket_of(struct slim_datapath *datapath, uint64_t id)
{
    /* ids are our own counter: the low bits spread them evenly */
    return &datapath->by_id[id & (datapath->bucket_count - 1)];
}

static enum slim_status grow_buckets(struct slim_datapath *datapath)
{
    size_t old_count = datapath->bucket_count;
    size_t count = old_count == 0 ? BUCKETS_MIN : old_count * 2;
    struct slim_datapath_conn **buckets = calloc(count, sizeof(struct slim_datapath_conn *));
    if (buckets == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    struct slim_datapath_conn **old = datapath->by_id;
    datapath->by_id = buckets;
    datapath->bucket_count = count;
    for (size_t i = 0; i < old_count; i++) {
        while (old[i] != NULL) {
            struct slim_datapath_conn *conn = old[i];
            old[i] = conn->id_next;
            struct slim_datapath_conn **bucket = bucket_of(datapath, conn->peer.id);
            conn->id_next = *bucket;
            *bucket = conn;
        }
    }
    free(old);
    return SLIM_OK;
}

enum slim_status slim_datapath_conn_new(struct slim_datapath *datapath,
                                        enum slim_datapath_conn_kind kind,
                                        struct slim_datapath_conn **conn)
{
    if (datapath->conn_count >= SLIM_DATAPATH_CONNECTIONS_MAX) {
        datapath->stats.connection_limit_count++;
        return SLIM_ERR_LIMIT;
    }
    if (datapath->conn_count == datapath->bucket_count) {
        SLIM_TRY(grow_buckets(datapath));
    }
    struct slim_datapath_conn *made = slim_heap_take_zeroed(datapath->heap, 1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    /* ids are never used twice: a stale id must not hit somebody else (wire.md 5.1) */
    slim_route_peer_init(&made->peer, datapath->next_id++, kind == SLIM_DATAPATH_CONN_LOCAL);
    made->datapath = datapath;
    made->kind = kind;
    slim_list_init(&made->on_socket);
    slim_list_init(&made->waiting);
    slim_list_init(&made->holds);
    slim_list_init(&made->held_by_me);
    slim_list_init(&made->grave);
    slim_list_put_last(&datapath->conns, &made->node);
    struct slim_datapath_conn **bucket = bucket_of(datapath, made->peer.id);
    made->id_next = *bucket;
    *bucket = made;
    datapath->conn_count++;
    datapath->open_counts[kind]++;
    datapath->opened_counts[kind]++;
    made->opened_ms = slim_loop_now_ms(datapath->loop);
    *conn = made;
    return SLIM_OK;
}

struct slim_datapath_conn *slim_datapath_conn_find(struct slim_datapath *datapath, uint64_t id)
{
    if (datapath->bucket_count == 0) {
        return NULL;
    }
    for (struct slim_datapath_conn *conn = *bucket_of(datapath, id); conn != NULL;
         conn = conn->id_next) {
        if (conn->peer.id == id) {
            return conn;
        }
    }
    return NULL;
}

void slim_datapath_conn_free(struct slim_datapath_conn *conn, bool is_recoverable)
{
    struct slim_datapath *datapath = conn->datapath;
    slim_datapath_observe_end(conn);
    slim_datapath_slow_release(conn);
    slim_datapath_slow_forget(conn);
    if (is_recoverable && conn->link_id[0] != 0) {
        slim_datapath_recovery_keep(conn);
    }
    slim_routes_remove_peer(datapath->routes, &conn->peer, NULL, NULL);
    struct slim_datapath_conn **place = bucket_of(datapath, conn->peer.id);
    while (*place != conn) {
        place = &(*place)->id_next;
    }
    *place = conn->id_next;
    slim_list_remove(&conn->node);
    slim_list_remove(&conn->on_socket);
    if (conn->call != NULL) {
        slim_grpc_call_set_ctx(conn->call, NULL);
    }
    datapath->conn_count--;
    datapath->open_counts[conn->kind]--;
    slim_heap_return(datapath->heap, conn);
    slim_datapath_slow_gone(datapath);
}

/* Nobody watches the queue of a stream that is over: what is still sent of it is bounded for each socket. A drain ends
 * soon, and needs no such bound. */
static bool may_flush(const struct slim_datapath_conn *conn)
{
    return conn->datapath->is_draining ||
           slim_grpc_conn_pending_bytes(slim_transport_grpc(conn->socket->transport)) +
                   slim_grpc_call_unsent_bytes(conn->call) <=
               SLIM_DATAPATH_FLUSH_MAX_BYTES;
}

void slim_datapath_conn_drop(struct slim_datapath_conn *conn, const char *text)
{
    struct slim_datapath_socket *socket = conn->socket;
    bool is_server = conn->kind == SLIM_DATAPATH_CONN_SERVER;
    conn->why = "memory_max";
    slim_datapath_conn_end(conn, SLIM_GRPC_RESOURCE_EXHAUSTED, text, false);
    if (is_server && slim_list_is_empty(&socket->conns)) {
        slim_transport_close(socket->transport, SLIM_GRPC_RESOURCE_EXHAUSTED);
    }
}

void slim_datapath_conn_end(struct slim_datapath_conn *conn, enum slim_grpc_status status,
                            const char *text, bool is_flush)
{
    assert(conn->kind != SLIM_DATAPATH_CONN_LOCAL);
    struct slim_datapath *datapath = conn->datapath;
    struct slim_datapath_socket *socket = conn->socket;
    if (conn->kind == SLIM_DATAPATH_CONN_LINK) {
        if (conn->call != NULL) {
            slim_datapath_link_lost(conn->link, SLIM_ERR_CLOSED, text);
        }
        return;
    }
    struct slim_grpc_call *call = conn->call;
    is_flush = is_flush && may_flush(conn);
    datapath->stats.discarded_bytes += is_flush ? 0 : slim_grpc_call_unsent_bytes(call);
    slim_datapath_conn_free(conn, false);
    datapath->stats.connections_closed++;
    slim_grpc_call_set_ctx(call, NULL);
    slim_grpc_call_finish(call, status, slim_view_str(text), is_flush);
    if (slim_list_is_empty(&socket->conns) && !is_flush) {
        /* nobody else uses the socket, and its reader may be stuck: the connection goes with the stream */
        socket->is_closing = true;
        slim_transport_close_flushed(socket->transport, SLIM_DATAPATH_DRAIN_LINGER_MS);
    } else {
        slim_transport_touch(socket->transport);
    }
}
