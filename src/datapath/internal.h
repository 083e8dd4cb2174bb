/* What the files of src/datapath share. Private to the folder. */
#ifndef SLIM_DATAPATH_INTERNAL_H
#define SLIM_DATAPATH_INTERNAL_H

#include "base/buf.h"
#include "datapath/auth.h"
#include "datapath/conn.h"
#include "datapath/limits.h"
#include "datapath/proxy.h"
#include "datapath/spire.h"
#include "datapath/tls.h"
#include "io/listener.h"

/* A listening endpoint. */
struct slim_datapath_server {
    struct slim_datapath *datapath;
    struct slim_list node;
    struct slim_listener *listener;
    struct slim_grpc_options grpc;
    struct slim_datapath_tls *tls;   /* NULL: plain */
    struct slim_datapath_auth *auth; /* NULL: everybody may call */
    char *endpoint;                  /* as configured */
};

/* The engine. All fields belong to the loop thread.
 * by_id          hash of connections by id; bucket_count is a power of two
 * waiting        connections with unsent bytes, looked at by `watch`
 * fanout         block that collects short messages for several receivers; NULL when none is open
 * scratch        room for rewritten and for our own messages; emptied before each use
 * delivery_depth above 0 while messages are handed out: the table and scratch are in use
 * graves         connections to be disconnected when the delivery under way is over; is_over_memory likewise */
struct slim_datapath {
    struct slim_loop *loop;
    struct slim_heap *heap;
    struct slim_block_pool *pool;
    struct slim_datapath_options options;
    char slim_version[SLIM_DATAPATH_VERSION_BYTES_MAX];
    size_t memory_max;
    size_t tls_bytes; /* what OpenSSL holds for our sockets, by estimate */
    size_t
        memory_besides; /* of the process, in none of our figures; 0 unless options.is_whole_process */

    struct slim_routes *routes;
    struct slim_list conns;
    struct slim_datapath_conn **by_id;
    size_t bucket_count;
    size_t conn_count;
    uint64_t next_id;

    struct slim_list servers;
    struct slim_list sockets;
    struct slim_list links;
    struct slim_tunnels tunnels; /* of links, through proxies */
    struct slim_list tls;        /* slim_datapath_tls.node: those that renew themselves */
    struct slim_list recoveries;
    size_t recovery_count;
    struct slim_timer recovery_timer;
    struct slim_spires spires;
    struct slim_list auths;

    struct slim_list waiting;
    struct slim_list graves;
    bool is_over_memory;
    uint64_t relieve_after_ms;
    uint32_t delivery_depth;
    uint64_t conns_freed; /* since memory was last offered back */
    struct slim_timer watch;
    struct slim_timer calm;

    struct slim_block *fanout;
    struct slim_buf scratch;
    struct slim_wire_memo memo; /* names of the message received last */

    bool is_draining;
    void (*on_drained)(void *ctx);
    void *drained_ctx;
    struct slim_task drained;

    struct slim_datapath_stats stats;
    struct slim_grpc_counters counters; /* of all its sockets */
    size_t open_counts[SLIM_DATAPATH_CONN_KINDS];
    uint64_t opened_counts[SLIM_DATAPATH_CONN_KINDS];
    size_t socket_count;
    slim_datapath_on_conn_end *on_conn_end;
    void *conn_end_ctx;
    struct slim_log_limit log_malformed;
    struct slim_log_limit log_invalid;
    struct slim_log_limit log_ignored;
    struct slim_log_limit log_refused;
    struct slim_log_limit log_slow;
    struct slim_log_limit log_socket;
    struct slim_log_limit log_closed;
    struct slim_log_limit log_auth;
};

/* ---- process.c: what to do with a message */

/* A message of a remote connection. `conn` may be gone when it returns. */
void slim_datapath_receive(struct slim_datapath_conn *conn, struct slim_view msg,
                           struct slim_block *block);

/* A message of a local connection. Fills *error with the reference's text when it fails. */
SLIM_MUST_CHECK enum slim_status slim_datapath_process_local(struct slim_datapath_conn *conn,
                                                             const struct slim_wire_head *head,
                                                             struct slim_view msg,
                                                             struct slim_error *error);

/* ---- local.c: applications of this process */

/* Tell all of them that a link went down or is up again. */
void slim_datapath_tell_link(struct slim_datapath *datapath, uint64_t conn_id, bool is_up);

/* ---- deliver.c: into the outputs */

/* Hand `msg` to every hit. `from` may be NULL. Hits may be disconnected meanwhile. Returns how many took it. */
size_t slim_datapath_deliver(struct slim_datapath *datapath, struct slim_datapath_conn *from,
                             const struct slim_route_hits *hits, const struct slim_wire_head *head,
                             struct slim_view msg, struct slim_block *block);

/* Hand `msg` to one connection. SLIM_ERR_NOT_FOUND: it is down or closing. */
SLIM_MUST_CHECK enum slim_status
slim_datapath_deliver_one(struct slim_datapath *datapath, struct slim_datapath_conn *from,
                          struct slim_datapath_conn *to, const struct slim_wire_head *head,
                          struct slim_view msg, struct slim_block *block);

/* ---- slow.c: receivers that do not keep up */

/* `bytes` were queued for `to`, from `from` (NULL: nobody to hold back, or one of several receivers). May disconnect `to`. */
void slim_datapath_slow_queued(struct slim_datapath_conn *to, struct slim_datapath_conn *from,
                               size_t bytes);

/* What the members of one fan-out look like: how many take bytes, how many of those have a long queue, and the shortest of these. */
struct slim_datapath_tally {
    size_t taking_count;
    size_t behind_count;
    struct slim_datapath_conn *least_behind;
    size_t least_bytes;
};
void slim_datapath_slow_tally(struct slim_datapath_tally *tally, struct slim_datapath_conn *to);

/* `bytes` went to all of them: hold `from` back when most of those that take bytes are behind. */
void slim_datapath_slow_fanned(const struct slim_datapath_tally *tally,
                               struct slim_datapath_conn *from, size_t bytes);

/* A flush of the connection's socket ended. */
void slim_datapath_slow_flushed(struct slim_datapath_conn *conn);

/* Give back all credit held because of `conn`; forget what is held of `conn` (its stream is gone). */
void slim_datapath_slow_release(struct slim_datapath_conn *conn);
void slim_datapath_slow_forget(struct slim_datapath_conn *conn);

/* For a new connection: when there is no memory for it, what memory_max asks for is done. True when there is. */
bool slim_datapath_slow_make_room(struct slim_datapath *datapath);

/* A listener (its context) has no descriptor for a new connection. */
void slim_datapath_slow_on_full(void *ctx);

/* True when everything that waits in this process takes more than memory_max. */
bool slim_datapath_slow_is_over_memory(const struct slim_datapath *datapath);

/* True while subscriptions may be added or kept. What they take cannot be relieved by disconnecting receivers, so they get only
 * a part of memory_max: a table that is full must not cost everybody with a queue his connection. */
bool slim_datapath_slow_has_table_room(const struct slim_datapath *datapath);

/* Disconnect the receivers that slim_datapath_slow_queued condemned, and the largest queues when memory_max is passed. After a
 * delivery: any remote connection may be gone when it returns. */
void slim_datapath_slow_bury(struct slim_datapath *datapath);

/* A connection was freed: after many of them, memory is given back to the system. */
void slim_datapath_slow_gone(struct slim_datapath *datapath);

void slim_datapath_slow_on_watch(struct slim_timer *timer);
void slim_datapath_slow_on_calm(struct slim_timer *timer);

/* ---- link.c, forwarded.c */

/* The stream of a link is gone: reconnect, or give up for good. */
void slim_datapath_link_lost(struct slim_datapath_link *link, enum slim_status status,
                             const char *text);

/* End a link for good and free it. */
void slim_datapath_link_free(struct slim_datapath_link *link);

/* End all links, because of a drain (telling whoever waits for one), or without a word. */
void slim_datapath_links_drain(struct slim_datapath *datapath);
void slim_datapath_links_free(struct slim_datapath *datapath);

/* A subscription message was sent out on this link because of forward_to: remember it for the next stream, or forget it. */
void slim_datapath_link_note(struct slim_datapath_link *link, const struct slim_wire_head *head);

/* ---- negotiation.c: link ids, versions, kept routes */

void slim_datapath_negotiate(struct slim_datapath_conn *conn, const struct slim_wire_head *head);

/* Keep the subscriptions of a lost connection with a negotiated link id. */
void slim_datapath_recovery_keep(struct slim_datapath_conn *conn);
void slim_datapath_recovery_on_timer(struct slim_timer *timer);
void slim_datapath_recovery_free_all(struct slim_datapath *datapath);

/* The endpoint of a link as configured. */
const char *slim_datapath_link_endpoint(const struct slim_datapath_link *link);

/* ---- health.c: grpc.health.v1.Health */

/* Take over a call that arrived, when its path is one of the health service. False: it is another. */
bool slim_datapath_health_take(struct slim_datapath_socket *socket, struct slim_grpc_call *call,
                               struct slim_view path);

/* A message, or the end, of a call that belongs to no connection. */
void slim_datapath_health_on_message(struct slim_datapath_socket *socket,
                                     struct slim_grpc_call *call, struct slim_view msg);
void slim_datapath_health_on_end(struct slim_datapath_socket *socket, struct slim_grpc_call *call);

/* The drain began: tell those who watch, and end their calls. */
void slim_datapath_health_drain(struct slim_datapath_socket *socket);

/* Forget the calls of a socket that is being freed. */
void slim_datapath_health_forget(struct slim_datapath_socket *socket);

/* ---- observe.c: what others may know */

/* A connection is about to be freed: tell whoever watches. */
void slim_datapath_observe_end(const struct slim_datapath_conn *conn);

/* ---- server.c */

void slim_datapath_server_free(struct slim_datapath_server *server);
void slim_datapath_socket_free(struct slim_datapath_socket *socket);

/* The callbacks that both roles share: messages and the end of a stream. */
void slim_datapath_on_message(void *ctx, struct slim_grpc_call *call, struct slim_view msg,
                              struct slim_block *block);
void slim_datapath_on_flushed(void *ctx);

/* Put a message of our own (in datapath->scratch) into a connection. */
void slim_datapath_put_own(struct slim_datapath_conn *conn);

/* A socket ended with this status of its transport. */
void slim_datapath_count_socket_end(struct slim_datapath_socket *socket, enum slim_status status);

/* See whether a drain is complete. */
void slim_datapath_check_drained(struct slim_datapath *datapath);

#endif
