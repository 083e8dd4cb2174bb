/* gRPC over one HTTP/2 connection, client or server (spec wire.md 1). No I/O: bytes and the time go in, bytes and events come
 * out. Every call is a bidirectional stream of length-prefixed messages without compression.
 *
 * One slim_grpc_conn per transport connection:
 *
 *     received bytes -> slim_grpc_conn_take -> on_call / on_open / on_message / on_end
 *     slim_grpc_call_put_* -> (queue of the call) -> slim_grpc_conn_output -> written by the owner -> slim_grpc_conn_sent
 *
 * From inside any callback every function of this header may be called, also for other calls and other connections, except
 * slim_grpc_conn_take, slim_grpc_conn_output, slim_grpc_conn_sent and slim_grpc_conn_free of the same connection.
 * Not thread safe: a connection belongs to one loop. */
#ifndef SLIM_GRPC_GRPC_H
#define SLIM_GRPC_GRPC_H

#include <sys/uio.h>

#include "base/block.h"
#include "base/heap.h"
#include "base/status.h"
#include "base/view.h"
#include "h2/h2.h"

/* The numbers of the gRPC status codes. */
enum slim_grpc_status {
    SLIM_GRPC_OK = 0,
    SLIM_GRPC_CANCELLED = 1,
    SLIM_GRPC_UNKNOWN = 2,
    SLIM_GRPC_INVALID_ARGUMENT = 3,
    SLIM_GRPC_DEADLINE_EXCEEDED = 4,
    SLIM_GRPC_NOT_FOUND = 5,
    SLIM_GRPC_ALREADY_EXISTS = 6,
    SLIM_GRPC_PERMISSION_DENIED = 7,
    SLIM_GRPC_RESOURCE_EXHAUSTED = 8,
    SLIM_GRPC_FAILED_PRECONDITION = 9,
    SLIM_GRPC_ABORTED = 10,
    SLIM_GRPC_OUT_OF_RANGE = 11,
    SLIM_GRPC_UNIMPLEMENTED = 12,
    SLIM_GRPC_INTERNAL = 13,
    SLIM_GRPC_UNAVAILABLE = 14,
    SLIM_GRPC_DATA_LOSS = 15,
    SLIM_GRPC_UNAUTHENTICATED = 16,
};

/* What a status means, in the words of the reference ("The service is currently unavailable"). */
const char *slim_grpc_status_text(enum slim_grpc_status status);

struct slim_grpc_conn;
struct slim_grpc_call;

/* One header of a request. Names are lower case. Borrowed. */
struct slim_grpc_header {
    struct slim_view name;
    struct slim_view value;
};

/* A request as the server sees it; borrowed for the length of on_call. headers: all of them, pseudo headers included. is_plain: a GET
 * without a content-type of gRPC. */
struct slim_grpc_request {
    struct slim_view path;
    struct slim_view authority;
    const struct slim_grpc_header *headers;
    size_t header_count;
    bool is_plain;
};

/* Value of the header `name`, or an empty view. */
struct slim_view slim_grpc_request_header(const struct slim_grpc_request *request,
                                          struct slim_view name);

/* How a call ended.
 * status         from the trailers; for a reset or a lost connection SLIM_GRPC_UNAVAILABLE, CANCELLED or INTERNAL
 * message        grpc-message, percent-decoded, may be empty; borrowed
 * has_status     the peer really sent a grpc-status
 * is_refused     client: trailers-only answer; no response headers ever came, nothing was processed as a stream
 * is_broken      the peer broke the rules inside the call (framing, length), and we ended it with status and message
 * http_status    0 when no response headers came (client), else the :status */
struct slim_grpc_end {
    enum slim_grpc_status status;
    struct slim_view message;
    bool has_status;
    bool is_refused;
    bool is_broken;
    int http_status;
};

/* Callbacks of one connection. ctx is what was given with the handler; call contexts are set with slim_grpc_call_set_ctx. */
struct slim_grpc_handler {
    /* Server: a call with a valid gRPC request arrived. Either slim_grpc_call_accept (response headers leave at once) or
     * slim_grpc_call_finish (trailers only) must be called here, before returning. Unknown encodings were refused already. */
    void (*on_call)(void *ctx, struct slim_grpc_call *call,
                    const struct slim_grpc_request *request);

    /* Client: the response headers of an accepted call arrived. */
    void (*on_open)(void *ctx, struct slim_grpc_call *call);

    /* One whole message. `msg` is borrowed for the length of the callback. When the message already sits alone in a counted
     * block (it was long, or arrived in parts) `block` is that block (ref it to keep it; msg is its content), else NULL. */
    void (*on_message)(void *ctx, struct slim_grpc_call *call, struct slim_view msg,
                       struct slim_block *block);

    /* The call is over: the peer ended or reset it, the connection died, or the peer broke the rules (its stream was reset
     * with the right error). Comes exactly once for each call that the user did not finish itself; the call is freed when
     * it returns. Server: a half-close of the client (END_STREAM) is reported here as status OK; the call sends what is
     * queued (up to SLIM_GRPC_FLUSH_BYTES_MAX) and answers with trailers grpc-status 0 by itself. Comes from inside slim_grpc_conn_take and
     * slim_grpc_conn_close, and from slim_grpc_conn_output when memory ran out or a request could not be sent. */
    void (*on_end)(void *ctx, struct slim_grpc_call *call, const struct slim_grpc_end *end);

    /* Server, may be NULL: a call was refused before on_call, because of its grpc-encoding, or (encoding empty) because it is a
     * whole GET that is not gRPC: slim_grpc_call_refuse_plain. For counters and logs. */
    void (*on_refused)(void *ctx, struct slim_view encoding);
};

/* Why a connection was given up, for counters and log lines. The floods are those of src/h2/limits.h. */
enum slim_grpc_cause {
    SLIM_GRPC_CAUSE_NONE,              /* the network's life, or ours */
    SLIM_GRPC_CAUSE_HANDSHAKE_TIMEOUT, /* no HTTP/2 preface and SETTINGS in time */
    SLIM_GRPC_CAUSE_PING_TIMEOUT,      /* a PING was not answered */
    SLIM_GRPC_CAUSE_IDLE,              /* no call for idle_timeout_ms */
    SLIM_GRPC_CAUSE_AGE,               /* older than age_max_ms, and no call is left */
    SLIM_GRPC_CAUSE_NOT_HTTP2,
    SLIM_GRPC_CAUSE_BROKEN_HTTP2,
    SLIM_GRPC_CAUSE_FLOOD_RESETS,
    SLIM_GRPC_CAUSE_FLOOD_SETTINGS,
    SLIM_GRPC_CAUSE_FLOOD_PINGS,
    SLIM_GRPC_CAUSE_FLOOD_PRIORITIES,
    SLIM_GRPC_CAUSE_FLOOD_EMPTY_DATA,
    SLIM_GRPC_CAUSE_FLOOD_WINDOW_UPDATES,
    SLIM_GRPC_CAUSE_FLOOD_REQUESTS,
    SLIM_GRPC_CAUSE_FLOOD_CONTINUATIONS,
    SLIM_GRPC_CAUSE_FLOOD_UNREAD, /* more asked for than we have room to answer: it does not read, or asks too fast */
};
enum { SLIM_GRPC_CAUSES = SLIM_GRPC_CAUSE_FLOOD_UNREAD + 1 };

/* For people: "a flood of RST_STREAM frames". "" for SLIM_GRPC_CAUSE_NONE. */
const char *slim_grpc_cause_text(enum slim_grpc_cause cause);

/* What was refused or ended here, and why. Plain fields; several connections of one loop may share one struct.
 *
 * h2                    below the calls; calls for which there was no memory are refused streams
 * The others ended a call inside a message:
 * messages_too_long     message_bytes_max was passed
 * messages_compressed   flag 1, or a flag that does not exist
 * messages_cut_off      the peer ended its direction inside a message
 * messages_no_memory */
struct slim_grpc_counters {
    struct slim_h2_counters h2;
    uint64_t messages_too_long;
    uint64_t messages_compressed;
    uint64_t messages_cut_off;
    uint64_t messages_no_memory;
};

/* is_server             which role
 * scheme, authority     client: ":scheme" and ":authority" of requests; borrowed for slim_grpc_conn_new only
 * message_bytes_max     longer received messages end the call with RESOURCE_EXHAUSTED
 * stream_window_bytes   what one call may send us before we return credit
 * conn_window_bytes     the same for all calls of the connection together
 * max_frame_bytes       SETTINGS_MAX_FRAME_SIZE we announce, 16384 .. 2^24-1
 * header_list_bytes     bound for received header blocks, and SETTINGS_MAX_HEADER_LIST_SIZE
 * max_streams           concurrent calls the peer may have open (server)
 * ping_interval_ms      HTTP/2 PING after this long without received bytes; 0 = never
 * ping_timeout_ms       no answer for this long: the connection is dead
 * idle_timeout_ms       GOAWAY and close after this long without a call; 0 = never
 * age_max_ms            GOAWAY at this age: open calls go on, and the last one ends the connection; 0 = never
 * user_agent            client: text of the user-agent header; borrowed for slim_grpc_conn_new only
 * counters              outlive the connection; NULL: nobody wants to know */
struct slim_grpc_options {
    bool is_server;
    struct slim_view scheme;
    struct slim_view authority;
    struct slim_view user_agent;
    uint32_t message_bytes_max;
    uint32_t stream_window_bytes;
    uint32_t conn_window_bytes;
    uint32_t max_frame_bytes;
    uint32_t header_list_bytes;
    uint32_t max_streams;
    uint64_t ping_interval_ms;
    uint64_t ping_timeout_ms;
    uint64_t idle_timeout_ms;
    uint64_t age_max_ms;
    struct slim_grpc_counters *counters;
};

/* The values of the table in wire.md 1.2 for a role, ready to be changed. */
struct slim_grpc_options slim_grpc_options_default(bool is_server);

/* Counters of one connection; plain fields, read by the owner loop. */
struct slim_grpc_stats {
    uint64_t messages_received;
    uint64_t messages_sent;
    uint64_t calls_started;
    uint64_t calls_refused;  /* wrong path, encoding, limits */
    uint64_t streams_broken; /* framing, oversize or encoding error of the peer inside a call */
    uint64_t bytes_received;
    uint64_t bytes_sent;
};

/* Make a connection. `handler` is copied; heap and pool must outlive the connection. The preface and SETTINGS wait in the
 * output at once. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_grpc_conn_new(const struct slim_grpc_options *options,
                                                    const struct slim_grpc_handler *handler,
                                                    void *ctx, struct slim_heap *heap,
                                                    struct slim_block_pool *pool, uint64_t now_ms,
                                                    struct slim_grpc_conn **conn);

/* Free the connection. Open calls get no callback: end them first with slim_grpc_conn_close if their users must know. */
void slim_grpc_conn_free(struct slim_grpc_conn *conn);

/* The transport is gone (or is being given up): every open call gets its on_end with `status`, after which the connection
 * has no calls and takes nothing any more. */
void slim_grpc_conn_close(struct slim_grpc_conn *conn, enum slim_grpc_status status,
                          struct slim_view message);

/* Take received bytes, all of them. Events are called from inside.
 * SLIM_OK              go on
 * SLIM_ERR_MALFORMED   the peer broke HTTP/2 (this includes HTTP/1.1); write the output (a GOAWAY, or nothing) and close
 * SLIM_ERR_CLOSED      an orderly end: GOAWAY and no calls left; write the output and close
 * SLIM_ERR_LIMIT       a flood (resets, settings, pings); write the output and close
 * SLIM_ERR_NO_MEMORY   close */
SLIM_MUST_CHECK enum slim_status slim_grpc_conn_take(struct slim_grpc_conn *conn,
                                                     struct slim_view bytes, uint64_t now_ms);

/* Describe what should be written now: fills at most iov_count entries with at most about bytes_max bytes and returns how
 * many entries. Borrowed until the next call of slim_grpc_conn_output, _sent or _free. Calling it again without _sent gives the same
 * bytes again (perhaps more behind them). 0: nothing to write. DATA of several calls is interleaved frame by frame; messages
 * share frames. */
size_t slim_grpc_conn_output(struct slim_grpc_conn *conn, struct iovec *iov, size_t iov_count,
                             size_t bytes_max);

/* `count` bytes of that output were written. */
void slim_grpc_conn_sent(struct slim_grpc_conn *conn, size_t count);

/* True when slim_grpc_conn_output would return something: the owner flushes connections for which this holds. */
bool slim_grpc_conn_has_output(const struct slim_grpc_conn *conn);

/* Why slim_grpc_conn_take or slim_grpc_conn_tick gave the connection up. */
enum slim_grpc_cause slim_grpc_conn_cause(const struct slim_grpc_conn *conn);

/* True when the SETTINGS of the peer came: it speaks HTTP/2. The owner waits for that as long as it likes, and says so when it
 * gives up: slim_grpc_conn_cause is SLIM_GRPC_CAUSE_HANDSHAKE_TIMEOUT from then on. */
bool slim_grpc_conn_is_established(const struct slim_grpc_conn *conn);
void slim_grpc_conn_note_late(struct slim_grpc_conn *conn);

/* SLIM_OK, or why the connection is dead: what slim_grpc_conn_take returned or would return. Worth a look when
 * slim_grpc_conn_output gives nothing: it has no other way to say that memory ran out. */
enum slim_status slim_grpc_conn_status(const struct slim_grpc_conn *conn);

/* What depends on the time: deadlines, PINGs, GOAWAY. Gives the time at which it wants to be called again (0: never). Otherwise write
 * the output and close:
 * SLIM_ERR_TIMEOUT     the peer did not answer a PING
 * SLIM_ERR_CLOSED      idle or too old, and no call is left */
SLIM_MUST_CHECK enum slim_status slim_grpc_conn_tick(struct slim_grpc_conn *conn, uint64_t now_ms,
                                                     uint64_t *next_ms);

/* Send GOAWAY: no new calls, open ones go on. That of a client leaves behind its last call. */
void slim_grpc_conn_go_away(struct slim_grpc_conn *conn);

/* Calls whose user waits for an on_end. */
size_t slim_grpc_conn_call_count(const struct slim_grpc_conn *conn);

/* True when nothing is left to be sent: no output, and no finished call whose queue or trailers wait for the peer's window. */
bool slim_grpc_conn_is_flushed(const struct slim_grpc_conn *conn);
const struct slim_grpc_stats *slim_grpc_conn_stats(const struct slim_grpc_conn *conn);

/* Bytes held for this connection besides the queues of open calls: framed output that waits to be written, and queues of
 * calls that are over and still being flushed. Walks the calls. */
size_t slim_grpc_conn_pending_bytes(const struct slim_grpc_conn *conn);

/* Client: start a call. `headers` are sent between the standard ones and user-agent, as the reference does. on_open or on_end follows later.
 * SLIM_ERR_CLOSED: the peer sent GOAWAY or the connection ended. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_grpc_call_start(struct slim_grpc_conn *conn,
                                                      struct slim_view path,
                                                      const struct slim_grpc_header *headers,
                                                      size_t header_count, void *ctx,
                                                      struct slim_grpc_call **call);

/* Server, inside on_call: send the response headers now. SLIM_ERR_NO_MEMORY: finish the call. */
SLIM_MUST_CHECK enum slim_status slim_grpc_call_accept(struct slim_grpc_call *call);

/* Server, inside on_call, for a request that is_plain: once the request is complete it is answered with HTTP 415 and a sentence, as gRPC
 * asks of servers. The user forgets the call. */
void slim_grpc_call_refuse_plain(struct slim_grpc_call *call);

void slim_grpc_call_set_ctx(struct slim_grpc_call *call, void *ctx);
void *slim_grpc_call_ctx(const struct slim_grpc_call *call);
struct slim_grpc_conn *slim_grpc_call_conn(const struct slim_grpc_call *call);

/* Queue one message: its bytes are copied once, behind the messages that wait already.
 * SLIM_ERR_CLOSED: the call is ending. SLIM_ERR_LIMIT: longer than 2^32-1. SLIM_ERR_NO_MEMORY: nothing queued. */
SLIM_MUST_CHECK enum slim_status slim_grpc_call_put_message(struct slim_grpc_call *call,
                                                            struct slim_view msg);

/* Queue the whole content of `block` as one message without copying: a reference is taken. Same statuses. */
SLIM_MUST_CHECK enum slim_status slim_grpc_call_put_block(struct slim_grpc_call *call,
                                                          struct slim_block *block);

/* Queue bytes that are messages already framed: each a prefix of SLIM_GRPC_PREFIX_BYTES (slim_grpc_write_prefix) and its message, at
 * [offset, offset + len) of `block`. Taken by reference; a piece that begins where the last queued piece of the same block ends
 * grows that piece, so that a receiver of every message in the block holds one piece. The bytes count as one message here.
 * The owner of the block may go on appending behind them. Same statuses. */
SLIM_MUST_CHECK enum slim_status slim_grpc_call_put_framed(struct slim_grpc_call *call,
                                                           struct slim_block *block, size_t offset,
                                                           size_t len);

enum { SLIM_GRPC_PREFIX_BYTES = 5 };

/* The prefix of an uncompressed message of `len` bytes. */
static inline void slim_grpc_write_prefix(uint8_t out[static SLIM_GRPC_PREFIX_BYTES], uint32_t len)
{
    out[0] = 0;
    out[1] = (uint8_t)(len >> 24);
    out[2] = (uint8_t)(len >> 16);
    out[3] = (uint8_t)(len >> 8);
    out[4] = (uint8_t)len;
}

/* Memory held for a received message that is not complete yet. */
size_t slim_grpc_call_partial_bytes(const struct slim_grpc_call *call);

/* Bytes queued and not yet framed; those that left the queue since the call began (grows only): "accepted" by the peer's
 * window and our transport; and the memory below the queue (shared blocks count in full; walks the queue). */
size_t slim_grpc_call_unsent_bytes(const struct slim_grpc_call *call);
uint64_t slim_grpc_call_accepted_bytes(const struct slim_grpc_call *call);
size_t slim_grpc_call_memory_bytes(const struct slim_grpc_call *call);

/* Credit for received bytes is returned to the peer by itself. hold: keep back the credit of `count` bytes (at most what the
 * message just delivered occupied); release: give `count` held bytes back. A peer whose credit is all held stops sending on
 * this call; its other calls go on (the credit of the connection is never held). */
void slim_grpc_call_hold(struct slim_grpc_call *call, size_t count);
void slim_grpc_call_release(struct slim_grpc_call *call, size_t count);

/* Client: no more messages follow the queued ones (END_STREAM), but the peer's are still wanted: what a call with one request needs.
 * slim_grpc_call_finish then resets the call. */
void slim_grpc_call_half_close(struct slim_grpc_call *call);

/* Server: a half-close of the client is no end of the call, from now on: what answers one request with many messages needs this. The
 * user ends it, or a reset of the client does. */
void slim_grpc_call_outlive_half_close(struct slim_grpc_call *call);

/* End the call from our side; the user gets no callback for it any more and must forget it (it is freed once its last
 * frames left). Server: what is queued is sent first when `is_flush`, else dropped; then trailers with status and
 * (percent-encoded) message, then RST_STREAM(NO_ERROR) if the client's direction is still open. Before accept: a trailers-only
 * answer, HTTP 200; for UNAUTHENTICATED HTTP 401 with grpc-status 16 (wire.md 1.6). Client: END_STREAM, then RST_STREAM(CANCEL). */
void slim_grpc_call_finish(struct slim_grpc_call *call, enum slim_grpc_status status,
                           struct slim_view message, bool is_flush);

/* Server, inside on_call: finish with UNAUTHENTICATED as above, and say in www-authenticate which scheme is wanted ("Basic", "Bearer"). */
void slim_grpc_call_challenge(struct slim_grpc_call *call, struct slim_view scheme,
                              struct slim_view message);

#endif
