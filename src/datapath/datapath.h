/* The forwarding engine: what the node runs and what every application embeds (spec wire.md 5-11, docs/architecture.md).
 *
 * A datapath is a set of connections and the table of who wants what. Remote connections are OpenChannel streams, opened by
 * peers (slim_datapath_listen) or by us (slim_datapath_connect); local ones are applications of this process
 * (slim_datapath_attach). All share one numbering.
 * Threads: everything here is called from the thread of the loop that the datapath was made with. */
#ifndef SLIM_DATAPATH_DATAPATH_H
#define SLIM_DATAPATH_DATAPATH_H

#include "base/block.h"
#include "base/name.h"
#include "base/status.h"
#include "config/config.h"
#include "grpc/grpc.h"
#include "io/loop.h"
#include "telemetry/telemetry.h"
#include "wire/wire.h"

struct slim_datapath;

/* memory_max_bytes   bound for all queues, half-received messages and shared blocks together; 0 = a quarter of RAM, at most 1 GiB.
 *                    Subscriptions are refused when tables and connections take half of it
 * is_whole_process   memory_max bounds the whole process, as the kernel counts it: for a node, which is nothing but its engine
 * recovery_ttl_ms    how long the subscriptions of a lost negotiated link are kept (wire.md 11.4); 0 = not at all
 * slim_version       announced in link negotiation ("1.4.0": we implement what that version promises) */
struct slim_datapath_options {
    size_t memory_max_bytes;
    bool is_whole_process;
    uint64_t recovery_ttl_ms;
    const char *slim_version;
};

/* Why a call was not let in, where a server wants authorization (node.md 3.8). */
enum slim_datapath_refusal {
    SLIM_DATAPATH_ADMITTED,
    SLIM_DATAPATH_REFUSED_MISSING,  /* no authorization, several, or of another scheme */
    SLIM_DATAPATH_REFUSED_PASSWORD, /* wrong user name or password */
    SLIM_DATAPATH_REFUSED_TOKEN, /* no token, or one with a form or algorithm that is not allowed */
    SLIM_DATAPATH_REFUSED_TIME,  /* expired, or not valid yet */
    SLIM_DATAPATH_REFUSED_ISSUER,
    SLIM_DATAPATH_REFUSED_AUDIENCE,
    SLIM_DATAPATH_REFUSED_SUBJECT,
    SLIM_DATAPATH_REFUSED_KEY, /* no key for it */
    SLIM_DATAPATH_REFUSED_SIGNATURE,
    SLIM_DATAPATH_REFUSED_FETCHING, /* the keys are being fetched: the peer is told to come again */
    SLIM_DATAPATH_REFUSED_UNDECIDED, /* no memory */
    SLIM_DATAPATH_REFUSAL_COUNT,
};

/* One word for labels of counters: "password". */
const char *slim_datapath_refusal_text(enum slim_datapath_refusal refusal);

/* Every drop and every limit has its counter. Plain fields of the loop thread, all of 64 bits; observe.c gives each one its
 * name and reason (docs/operations.md). What src/h2 and src/grpc refuse is counted in slim_grpc_counters. */
struct slim_datapath_stats {
    uint64_t messages_received;
    uint64_t bytes_received;
    uint64_t messages_delivered; /* one per receiver */
    uint64_t bytes_delivered;
    /* valid ones, by kind */
    uint64_t publish_count;
    uint64_t subscribe_count;
    uint64_t unsubscribe_count;
    uint64_t link_count;
    uint64_t subscription_ack_count;

    /* messages dropped */
    uint64_t no_match_count;
    uint64_t malformed_count;     /* stream ended: not decodable */
    uint64_t invalid_count;       /* decodable, breaks a rule */
    uint64_t link_ignored_count;  /* link negotiation that makes no sense here and now */
    uint64_t app_ignored_count;   /* Link or SubscriptionAck of an application */
    uint64_t unknown_conn_count;  /* recv_from or forward_to of an application names nobody */
    uint64_t link_down_count;     /* its receiver is a link that is down */
    uint64_t receiver_gone_count; /* its receiver was closing */
    uint64_t too_long_count;      /* from an application, longer than the wire allows */
    uint64_t no_memory_count;     /* no memory for a copy, or for a place in a queue */
    uint64_t answer_lost_count;   /* our own answers that could not be queued */
    uint64_t discarded_bytes;     /* waited for a receiver whose stream we ended */
    uint64_t
        ignored_forward_to_count; /* remote peers that set recv_from or forward_to; message goes on */

    /* subscriptions refused, and not kept or restored */
    uint64_t subscription_refused_count; /* memory_max */
    uint64_t subscription_limit_count;   /* a limit of the table */
    uint64_t subscription_no_memory_count;
    uint64_t subscription_unknown_count; /* Unsubscribe of what is not there */
    uint64_t unkept_count;               /* of lost negotiated links: too many, or memory_max */
    uint64_t unrestored_count;           /* no memory, or a limit of the table */
    uint64_t unremembered_count;         /* not remembered for the next stream of a link */

    /* connections that ended */
    uint64_t connections_accepted;
    uint64_t connections_closed;
    uint64_t ended_count;        /* the peer ended its stream in order */
    uint64_t lost_count;         /* reset, or the socket is gone */
    uint64_t streams_broken;     /* framing or length of a message */
    uint64_t undecodable_count;  /* the peer sent a malformed message */
    uint64_t slow_stalled_count; /* receivers disconnected: no byte accepted for 5 s */
    uint64_t slow_full_count;    /* receivers disconnected: 64 MiB unsent */
    uint64_t memory_max_count;   /* owners of the largest queue disconnected: memory_max */
    uint64_t drained_count;      /* by our drain */
    uint64_t link_ended_count;   /* links that ended for good */

    /* calls and sockets refused */
    uint64_t refused_path_count;                              /* calls to a path that is not ours */
    uint64_t refused_encoding_count;                          /* calls that compress */
    uint64_t refused_plain_count;                             /* GET requests that are not gRPC */
    uint64_t refused_auth_count[SLIM_DATAPATH_REFUSAL_COUNT]; /* calls without authorization */
    uint64_t refused_draining_count;
    uint64_t connection_limit_count; /* too many connections */
    uint64_t refused_no_memory_count;
    uint64_t sockets_accepted;
    uint64_t socket_memory_max_count;
    uint64_t socket_no_memory_count;
    uint64_t accept_rest_count; /* times accepting rested: no descriptors */

    /* sockets that ended */
    uint64_t socket_closed_count;    /* by the peer */
    uint64_t socket_reset_count;     /* by the network or the peer's system */
    uint64_t socket_timeout_count;   /* no answer to a PING */
    uint64_t socket_handshake_count; /* no TLS or HTTP/2 handshake in time */
    uint64_t socket_idle_count;      /* max_connection_idle */
    uint64_t socket_age_count;       /* max_connection_age, and no call was left */
    uint64_t socket_dropped_count;   /* had no stream, and made room: memory_max, descriptors */
    uint64_t socket_malformed_count; /* the peer broke HTTP/2 */
    uint64_t socket_flood_count;     /* the peer flooded us */
    uint64_t socket_failed_count;    /* anything else: no memory, TLS */
    uint64_t socket_ended_count;     /* by us, in order */

    /* TLS */
    uint64_t tls_refused_count; /* TLS handshakes of peers that failed */
    uint64_t
        tls_not_ready_count; /* sockets and links for which there was no certificate or no memory */
    uint64_t tls_reloaded_count;      /* certificates and roots taken over */
    uint64_t tls_reload_failed_count; /* those that could not be used: the old stay in force */

    /* slow receivers and links */
    uint64_t hold_count; /* times the credit of a sender was held back */
    uint64_t reconnect_count;
    uint64_t link_lost_count;
    uint64_t link_attempt_failed_count;
    uint64_t link_given_up_count;
    uint64_t link_refused_count; /* our calls that a peer refused as unauthenticated */

    uint64_t health_check_count;
    uint64_t health_watch_count;

    uint64_t bytes_held; /* now: all queues and half-received messages */
    uint64_t bytes_held_peak;
};

/* SLIM_ERR_NO_MEMORY. The loop must outlive the datapath. */
SLIM_MUST_CHECK enum slim_status slim_datapath_new(struct slim_loop *loop,
                                                   const struct slim_datapath_options *options,
                                                   struct slim_datapath **datapath);

/* Close everything at once and free. NULL is allowed. */
void slim_datapath_free(struct slim_datapath *datapath);

/* Listen on server->endpoint. SLIM_ERR_BIND, SLIM_ERR_CONFIG with the last link of the reference's cause chain in *error
 * ("invalid socket address syntax", "Address already in use (os error 98)"); for TLS and authentication all of them from "TLS config
 * error" or "auth config error" on, one per line. */
SLIM_MUST_CHECK enum slim_status slim_datapath_listen(struct slim_datapath *datapath,
                                                      const struct slim_config_server *server,
                                                      struct slim_error *error);

/* Stop the listener of this endpoint; existing streams go on. SLIM_ERR_NOT_FOUND. */
SLIM_MUST_CHECK enum slim_status slim_datapath_stop_listening(struct slim_datapath *datapath,
                                                              const char *endpoint);

/* The first outcome of a link: SLIM_OK and its connection id, or a status and a sentence. Called once, from the loop. */
typedef void slim_datapath_on_connected(void *ctx, enum slim_status status, uint64_t conn_id,
                                        const char *text);

/* Open a link and keep it open: transport errors are retried with the back-off, after a loss too; its connection id and
 * its routes stay. A peer that refuses us as unauthenticated ends the first attempt at once, and later ones after
 * SLIM_DATAPATH_REFUSALS_MAX in a row. `client` is copied. SLIM_ERR_EXISTS: "client already connected: <endpoint>". SLIM_ERR_CONFIG: the endpoint
 * makes no sense. */
SLIM_MUST_CHECK enum slim_status slim_datapath_connect(struct slim_datapath *datapath,
                                                       const struct slim_config_client *client,
                                                       slim_datapath_on_connected *on_connected,
                                                       void *ctx, struct slim_error *error);

/* Stop trying to open a link that was never up: on_connected gets SLIM_ERR_CLOSED before this returns. SLIM_ERR_NOT_FOUND. */
SLIM_MUST_CHECK enum slim_status slim_datapath_stop_connecting(struct slim_datapath *datapath,
                                                               const char *endpoint);

/* Close a link for good. SLIM_ERR_NOT_FOUND. */
SLIM_MUST_CHECK enum slim_status slim_datapath_disconnect(struct slim_datapath *datapath,
                                                          uint64_t conn_id);

/* Read the files of keys and tokens again, whether or not they changed (SIGHUP). What is broken changes nothing, with a warning. */
void slim_datapath_reload(struct slim_datapath *datapath);

/* Begin the drain (SIGTERM): listeners close, links close, every stream gets its queue flushed and ends with grpc-status 0.
 * `on_drained` is called once when nothing is left. New connects fail with "data plane is shutting down". */
void slim_datapath_drain(struct slim_datapath *datapath, void (*on_drained)(void *ctx), void *ctx);

/* ------------------------------------------------------------------------------------------------ local connections */

/* An application of this process. Called from the loop thread; must not block. on_message must not call
 * slim_datapath_submit, _detach or _disconnect (the engine is in the middle of a delivery): queue what is to be said, and say it from a task at the end
 * of the turn.
 * on_message   a message for it: head is its head, msg its bytes, incoming_conn the connection it came in by. Borrowed.
 * on_error     a message of its own that failed: the JSON text of wire.md 9.2. Borrowed.
 * on_link      a link went down (what was under way on it may be lost), or is up again with its subscriptions restored. The same rules
 *              as for on_message. May be NULL. */
struct slim_datapath_app {
    void (*on_message)(void *ctx, uint64_t incoming_conn, const struct slim_wire_head *head,
                       struct slim_view msg, struct slim_block *block);
    void (*on_error)(void *ctx, struct slim_view json);
    void (*on_link)(void *ctx, uint64_t conn_id, bool is_up);
    void *ctx;
};

/* Make a local connection. SLIM_ERR_NO_MEMORY, SLIM_ERR_LIMIT. */
SLIM_MUST_CHECK enum slim_status slim_datapath_attach(struct slim_datapath *datapath,
                                                      const struct slim_datapath_app *app,
                                                      uint64_t *conn_id);
void slim_datapath_detach(struct slim_datapath *datapath, uint64_t conn_id);

/* Hand one protobuf Message of a local connection to the engine: recv_from and forward_to count. What goes wrong is
 * reported with on_error before this returns, and as the status (SLIM_ERR_NO_ROUTE, SLIM_ERR_NOT_FOUND, SLIM_ERR_INVALID,
 * SLIM_ERR_MALFORMED, SLIM_ERR_LIMIT); SLIM_ERR_STATE, without a report, from inside on_message. */
SLIM_MUST_CHECK enum slim_status slim_datapath_submit(struct slim_datapath *datapath,
                                                      uint64_t conn_id, struct slim_view msg);

/* Read certificates, keys and roots again now (SIGHUP). What cannot be used is told in the log, and the old stays in force. */
void slim_datapath_reload(struct slim_datapath *datapath);

const struct slim_datapath_stats *slim_datapath_stats(struct slim_datapath *datapath);

/* Add this engine to a snapshot, as the service `name`: every counter, and the connections that fit, those with unsent bytes first. */
void slim_datapath_observe(struct slim_datapath *datapath, const char *name,
                           struct slim_telemetry_snapshot *snapshot);

/* From now on `on_end` is told of each connection that ended: what it was and did, when it opened (slim_loop_now_ms of then), and
 * why it ended (a literal; NULL: in order). NULL: nobody is told. */
typedef void slim_datapath_on_conn_end(void *ctx, const struct slim_telemetry_conn *conn,
                                       uint64_t opened_ms, const char *reason);
void slim_datapath_watch_ends(struct slim_datapath *datapath, slim_datapath_on_conn_end *on_end,
                              void *ctx);

#endif
