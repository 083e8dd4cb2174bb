/* Connections: applications, incoming streams and links, in one table (spec wire.md 5.1, 7). Private to src/datapath. */
#ifndef SLIM_DATAPATH_CONN_H
#define SLIM_DATAPATH_CONN_H

#include "datapath/datapath.h"
#include "datapath/limits.h"
#include "grpc/grpc.h"
#include "io/transport.h"
#include "route/route.h"

struct slim_datapath_auth;
struct slim_datapath_link;

enum slim_datapath_conn_kind {
    SLIM_DATAPATH_CONN_LOCAL,  /* an application of this process */
    SLIM_DATAPATH_CONN_SERVER, /* a stream that a peer opened */
    SLIM_DATAPATH_CONN_LINK,   /* a stream that we opened, and reopen */
};
enum { SLIM_DATAPATH_CONN_KINDS = 3 };

/* A socket and the connections (streams) on it. Server side: any number; a link has exactly one.
 * link         NULL on the server side, and once the link has let go of it
 * is_closing   no new streams;  is_dropped: it makes room for others
 * auth         server side: what calls must show; NULL: nothing.  guess_count: calls that did not
 * tls_bytes    what OpenSSL holds for it, by estimate (in datapath->tls_bytes)
 * text         address of the peer, for log lines */
struct slim_datapath_socket {
    struct slim_datapath *datapath;
    struct slim_transport *transport;
    struct slim_list node;   /* in datapath->sockets; server side only */
    struct slim_list conns;  /* slim_datapath_conn.on_socket */
    struct slim_list health; /* calls of the health service (health.c) */
    struct slim_datapath_link *link;
    struct slim_datapath_auth *auth;
    uint32_t guess_count;
    size_t tls_bytes;
    bool is_closing;
    bool is_dropped;
    char text[64];
};

/* One connection.
 * peer            its id and its subscriptions
 * call, socket    the stream; NULL for local ones, and for a link that is down
 * messages_received ...   what it did (observe.c); why: a literal
 * link_id, peer_version   negotiated (wire.md 11.2); empty until then
 *
 * Slow receivers (slow.c):
 * waiting         in datapath->waiting while bytes for it are unsent
 * taken_seen      the most that its peer's system was seen to have taken;  rate_taken, rate_since_ms: that of a while ago
 * accepted_at_ms  when the peer last took something
 * pace            what its silence means for its senders (slow.c)
 * is_trickling    takes less than SLIM_DATAPATH_RATE_MIN_BYTES a second
 * gap_ms          the longest silence after which it took bytes again, since bytes for it wait
 * grave           in datapath->graves when it is to be disconnected
 * holds           credit of this sender that is held back;  held_by_me: credit of others, held back because of this receiver */
struct slim_datapath_conn {
    struct slim_route_peer peer;
    struct slim_datapath *datapath;
    enum slim_datapath_conn_kind kind;
    struct slim_datapath_conn *id_next; /* in the bucket of the id table */
    struct slim_list node;              /* in datapath->conns */

    struct slim_grpc_call *call;
    struct slim_datapath_socket *socket;
    struct slim_list on_socket;
    struct slim_datapath_link *link;
    struct slim_datapath_app app;

    uint64_t opened_ms;
    uint64_t messages_received;
    uint64_t bytes_received;
    uint64_t messages_delivered;
    uint64_t bytes_delivered;
    const char *why; /* it ends; NULL: in order, or for no reason that we know */

    char link_id[SLIM_DATAPATH_LINK_ID_BYTES + 1];
    char peer_version[SLIM_DATAPATH_VERSION_BYTES_MAX];

    struct slim_list waiting;
    uint64_t taken_seen;
    uint64_t rate_taken;
    uint64_t rate_since_ms;
    bool is_trickling;
    uint64_t accepted_at_ms;
    enum { SLIM_DATAPATH_TAKING, SLIM_DATAPATH_PAUSING, SLIM_DATAPATH_STOPPED } pace;
    uint64_t gap_ms;
    struct slim_list holds;
    struct slim_list held_by_me;
    struct slim_list grave;
};

/* Make a connection with the next id. SLIM_ERR_LIMIT: too many. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_datapath_conn_new(struct slim_datapath *datapath,
                                                        enum slim_datapath_conn_kind kind,
                                                        struct slim_datapath_conn **conn);

/* Forget a connection: its subscriptions leave the table (kept for recovery when it has a negotiated link id and
 * `is_recoverable`), credit held because of it is released, its call is not touched. */
void slim_datapath_conn_free(struct slim_datapath_conn *conn, bool is_recoverable);

/* The connection with this id, or NULL. */
struct slim_datapath_conn *slim_datapath_conn_find(struct slim_datapath *datapath, uint64_t id);

/* End the stream of a server connection, or drop the stream of a link so that it reconnects. `is_flush` lets queued
 * messages out first, unless they are more than SLIM_DATAPATH_FLUSH_MAX_BYTES and no drain is under way. The connection is
 * freed (server) or down (link) afterwards. Log lines are the caller's. */
void slim_datapath_conn_end(struct slim_datapath_conn *conn, enum slim_grpc_status status,
                            const char *text, bool is_flush);

/* As slim_datapath_conn_end without a flush, and when the socket has no other stream it is closed at once: what waits in it, for a peer
 * that may never read, is given up. */
void slim_datapath_conn_drop(struct slim_datapath_conn *conn, const char *text);

#endif
