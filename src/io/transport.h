/* A socket that carries gRPC: reads feed the connection, and what it has to say is written once at the end of each turn.
 *
 *   readable -> one recv (at most SLIM_LOOP_RECEIVE_BYTES) -> slim_grpc_conn_take -> events -> outputs of other transports
 *   turn end -> slim_grpc_conn_output -> one sendmsg per touched transport (a few when much waits)
 *
 * TCP_NODELAY is set, and TCP_QUICKACK is armed again after each read: the reference's clients leave Nagle on, so a delayed
 * acknowledgement of ours would cost them 40 ms per exchange. */
#ifndef SLIM_IO_TRANSPORT_H
#define SLIM_IO_TRANSPORT_H

#include "grpc/grpc.h"
#include "io/endpoint.h"
#include "io/loop.h"

struct slim_transport;
struct slim_tls_session; /* io/tls.h */

/* on_closed    the transport ended, for whatever reason, our own slim_transport_close included; all its calls got their on_end
 *              before. Comes exactly once, at the end of a turn; the transport is freed when it returns. `text` says why, for
 *              log lines; `status` is SLIM_OK when we closed it.
 * on_flushed   bytes were written, or a write found no room: time to look at queues. Called at the end of a turn. May be NULL. */
struct slim_transport_handler {
    void (*on_closed)(void *ctx, enum slim_status status, const char *text);
    void (*on_flushed)(void *ctx);
};

/* grpc                   borrowed for the length of slim_transport_open
 * tls                    the bytes go through this session, which the transport owns from now on (on failure too); NULL: plain
 * handshake_timeout_ms   the TLS handshake and the peer's HTTP/2 preface must be complete by then, or the transport ends with
 *                        SLIM_ERR_TIMEOUT; 0: no bound */
enum { SLIM_TRANSPORT_HANDSHAKE_MS = 10000 }; /* what servers and links use */
struct slim_transport_options {
    const struct slim_grpc_options *grpc;
    struct slim_tls_session *tls;
    uint64_t handshake_timeout_ms;
};

/* Take over the connected socket `fd` (closed on every failure too). `grpc_ctx` goes to `grpc_handler`, `ctx` to `handler`.
 * SLIM_ERR_NO_MEMORY, SLIM_ERR_IO. */
SLIM_MUST_CHECK enum slim_status slim_transport_open(struct slim_loop *loop, int fd,
                                                     const struct slim_transport_options *options,
                                                     const struct slim_grpc_handler *grpc_handler,
                                                     void *grpc_ctx,
                                                     const struct slim_transport_handler *handler,
                                                     void *ctx, struct slim_transport **transport);

/* As above, plain and without a bound for the preface. */
SLIM_MUST_CHECK enum slim_status slim_transport_new(struct slim_loop *loop, int fd,
                                                    const struct slim_grpc_options *options,
                                                    const struct slim_grpc_handler *grpc_handler,
                                                    void *grpc_ctx,
                                                    const struct slim_transport_handler *handler,
                                                    void *ctx, struct slim_transport **transport);

/* Give the connection up: it writes and reads no more; its calls get on_end with `status` and the owner on_closed at the end of
 * the turn. May be called from inside any of its callbacks, and more than once. */
void slim_transport_close(struct slim_transport *transport, enum slim_grpc_status status);

/* As above, but what waits to be written is written first and reaches the peer's system, for at most `linger_ms`. */
void slim_transport_close_flushed(struct slim_transport *transport, uint64_t linger_ms);

/* Free the transport now, without any callback. Not from inside its callbacks: for the end of the process. NULL is allowed. */
void slim_transport_free(struct slim_transport *transport);

struct slim_grpc_conn *slim_transport_grpc(struct slim_transport *transport);

/* Something was put into a call of this transport: flush it at the end of the turn. Cheap, any number of times. */
void slim_transport_touch(struct slim_transport *transport);

/* Why the transport ended, from the moment it did: its calls' on_end come before on_closed. SLIM_OK while it lives. *text as for
 * on_closed, borrowed. SLIM_ERR_DENIED: TLS was refused, by us or by the peer. */
enum slim_status slim_transport_why(const struct slim_transport *transport, const char **text);

/* Bytes that were written and that the peer's system has not acknowledged: falls while a slow reader reads, also when the socket
 * has no room for us yet. 0 when the kernel does not say. */
size_t slim_transport_unacked_bytes(const struct slim_transport *transport);

#endif
