#include "io/transport.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "io/limits.h"
#include "io/tls.h"

/* state       OPEN -> (LINGERING -> (SHUT ->)) DEAD; a dead transport waits for the end of the turn, where it is freed
 *             LINGERING: what waits is still written; SHUT: everything was, and the peer's system has not taken all of it
 * keepalive   slim_grpc_conn_tick, or the end of lingering
 * tls         NULL: plain
 * is_refused  TLS failed, or gRPC is over: nothing of the peer is read any more, and the socket stays until it has read why
 * deadline    set until the peer is established (is_established): it has so long to show that it speaks our protocols */
struct slim_transport {
    struct slim_loop *loop;
    struct slim_watch watch;
    struct slim_task flush;
    struct slim_timer keepalive;
    struct slim_timer deadline;
    struct slim_grpc_conn *grpc;
    struct slim_tls_session *tls;
    struct slim_transport_handler handler;
    void *ctx;
    enum { OPEN, LINGERING, SHUT, DEAD } state;
    uint64_t linger_until_ms;
    bool is_tcp;
    bool is_blocked;
    bool is_ack_due;
    bool is_refused;
    enum slim_grpc_status end_status;
    enum slim_status why;
    char text[SLIM_ERROR_TEXT_MAX];
};

void slim_transport_free(struct slim_transport *transport)
{
    if (transport == NULL) {
        return;
    }
    slim_task_cancel(&transport->flush);
    slim_timer_cancel(transport->loop, &transport->keepalive);
    slim_timer_cancel(transport->loop, &transport->deadline);
    slim_loop_release_timer(transport->loop);
    slim_loop_release_timer(transport->loop);
    slim_grpc_conn_free(transport->grpc);
    slim_tls_session_free(transport->tls);
    if (transport->watch.fd >= 0) {
        slim_loop_unwatch(transport->loop, &transport->watch);
        close(transport->watch.fd);
    }
    slim_heap_return(slim_loop_heap(transport->loop), transport);
}

/* No more reading or writing; the rest happens at the end of the turn. The first reason counts. */
static void die(struct slim_transport *transport, enum slim_status why, const char *text)
{
    if (transport->state == DEAD) {
        return;
    }
    transport->state = DEAD;
    if (!transport->is_refused) {
        transport->why = why;
        (void)snprintf(transport->text, sizeof(transport->text), "%s", text); /* may be cut */
    }
    slim_loop_rewatch(transport->loop, &transport->watch, 0);
    slim_loop_at_turn_end(transport->loop, &transport->flush);
}

static bool is_shaking_hands(const struct slim_transport *transport)
{
    return transport->tls != NULL && !slim_tls_session_is_open(transport->tls);
}

/* The peer has shown what it must show before the deadline. */
static bool is_established(const struct slim_transport *transport)
{
    return !is_shaking_hands(transport) && slim_grpc_conn_is_established(transport->grpc);
}

static void check_deadline(struct slim_transport *transport)
{
    if (slim_timer_is_set(&transport->deadline) && is_established(transport)) {
        slim_timer_cancel(transport->loop, &transport->deadline);
    }
}

static void on_deadline(struct slim_timer *timer)
{
    struct slim_transport *transport = SLIM_CONTAINER_OF(timer, struct slim_transport, deadline);
    slim_grpc_conn_note_late(transport->grpc);
    die(transport, SLIM_ERR_TIMEOUT,
        is_shaking_hands(transport) ? "TLS handshake failed: it took too long"
                                    : "no HTTP/2 preface and SETTINGS in time");
}

/* One write. SLIM_OK: *sent bytes went; SLIM_AGAIN: the socket has no room; else the transport is dead. */
static enum slim_status write_some(struct slim_transport *transport, struct iovec *iov,
                                   size_t count, size_t *sent)
{
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = count};
    ssize_t result;
    do {
        result = sendmsg(transport->watch.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (result < 0 && errno == EINTR);
    if (result >= 0) {
        *sent = (size_t)result;
        return SLIM_OK;
    }
    *sent = 0;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
        transport->is_blocked = true;
        return SLIM_AGAIN;
    }
    die(transport, SLIM_ERR_RESET, strerror(errno));
    return SLIM_ERR_RESET;
}

static bool flush_plain(struct slim_transport *transport)
{
    for (int i = 0; i < SLIM_IO_FLUSHES_PER_TURN; i++) {
        struct iovec iov[SLIM_IO_FLUSH_PIECES];
        size_t count =
            slim_grpc_conn_output(transport->grpc, iov, SLIM_IO_FLUSH_PIECES, SLIM_IO_FLUSH_BYTES);
        if (count == 0) {
            return true;
        }
        size_t sent;
        enum slim_status status = write_some(transport, iov, count, &sent);
        if (status != SLIM_OK) {
            return status != SLIM_AGAIN; /* blocked, or dead */
        }
        slim_grpc_conn_sent(transport->grpc, sent);
    }
    return !slim_grpc_conn_has_output(transport->grpc);
}

/* Seal what the connection has to say, into the loop's receive buffer: what was received is dealt with when we write. */
static enum slim_status seal(struct slim_transport *transport)
{
    struct iovec iov[SLIM_IO_FLUSH_PIECES];
    if (transport->is_refused || is_shaking_hands(transport)) {
        return SLIM_OK;
    }
    size_t count =
        slim_grpc_conn_output(transport->grpc, iov, SLIM_IO_FLUSH_PIECES, SLIM_IO_TLS_FLUSH_BYTES);
    if (count == 0) {
        return SLIM_OK;
    }
    size_t sealed = 0;
    enum slim_status status =
        slim_tls_session_seal(transport->tls, iov, count, slim_loop_receive_buffer(transport->loop),
                              SLIM_LOOP_RECEIVE_BYTES, &sealed);
    slim_grpc_conn_sent(transport->grpc, sealed);
    return status;
}

/* As flush_plain. What is sealed and finds no room is kept by the session; nothing more is sealed until it is gone. */
static bool flush_tls(struct slim_transport *transport)
{
    for (int i = 0; i < SLIM_IO_FLUSHES_PER_TURN; i++) {
        enum slim_status status = SLIM_OK;
        if (slim_tls_session_pending_bytes(transport->tls) < SLIM_IO_TLS_PENDING_BYTES) {
            status = seal(transport);
        }
        struct iovec iov[2];
        size_t count = slim_tls_session_output(transport->tls, iov);
        size_t sent = 0;
        if (status == SLIM_OK && count > 0) {
            status = write_some(transport, iov, count, &sent);
        }
        enum slim_status kept = slim_tls_session_sent(transport->tls, sent);
        if (status == SLIM_OK || status == SLIM_AGAIN) {
            status = kept;
        }
        if (status != SLIM_OK) {
            die(transport, status, slim_status_text(status));
            return true;
        }
        if (count == 0) {
            return true;
        }
        if (slim_tls_session_pending_bytes(transport->tls) > 0) {
            transport->is_blocked = true;
            return false;
        }
    }
    return is_shaking_hands(transport) || !slim_grpc_conn_has_output(transport->grpc);
}

/* Write what the connection has to say. True when nothing is left. */
static bool flush(struct slim_transport *transport)
{
    return transport->tls == NULL ? flush_plain(transport) : flush_tls(transport);
}

/* The next look at a transport that is SHUT. */
static void look_again(struct slim_transport *transport)
{
    uint64_t next_ms = slim_loop_now_ms(transport->loop) + SLIM_IO_SHUT_PERIOD_MS;
    slim_timer_set(transport->loop, &transport->keepalive,
                   next_ms < transport->linger_until_ms ? next_ms : transport->linger_until_ms);
}

/* Everything is written. A socket that is closed now answers the peer's next bytes (a WINDOW_UPDATE for what it just read) with a
 * reset, which takes with it whatever the peer's system has not received: so close it only when all of it was acknowledged. */
static void shut(struct slim_transport *transport)
{
    if (!transport->is_tcp || slim_transport_unacked_bytes(transport) == 0) {
        die(transport, SLIM_OK, "closed");
        return;
    }
    transport->state = SHUT;
    (void)shutdown(transport->watch.fd, SHUT_WR); /* fails when the peer is gone: reading tells */
    look_again(transport);
}

/* Acknowledge what was read, unless an answer just did: a peer with Nagle on waits for it before it sends its next small message.
 * The kernel forgets the setting, so it is made again each time. Best effort: without it the peer waits 40 ms. */
static void acknowledge(struct slim_transport *transport)
{
    int on = 1;
    transport->is_ack_due = false;
    (void)setsockopt(transport->watch.fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

/* All that is to be said is written, close_notify included. */
static bool is_said(struct slim_transport *transport)
{
    if (!slim_grpc_conn_is_flushed(transport->grpc)) {
        return false;
    }
    return transport->tls == NULL || !slim_tls_session_close(transport->tls) ||
           flush_tls(transport);
}

/* The last words of TLS when there is no time to wait for room. */
static void say_goodbye(struct slim_transport *transport)
{
    if (transport->tls == NULL || transport->is_blocked) {
        return;
    }
    (void)slim_tls_session_close(transport->tls); /* said before, or never open */
    struct iovec iov[2];
    size_t count = slim_tls_session_output(transport->tls, iov);
    if (count > 0) {
        struct msghdr message = {.msg_iov = iov, .msg_iovlen = count};
        (void)!sendmsg(transport->watch.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

/* We are through with the peer, and told it why. The socket stays until it hangs up: closed before, it would answer what the peer
 * says meanwhile with a reset, and the peer might never read what we said. */
static void refuse(struct slim_transport *transport, enum slim_status why, const char *text)
{
    if (transport->state == DEAD || transport->is_refused) {
        return;
    }
    transport->why = why;
    (void)snprintf(transport->text, sizeof(transport->text), "%s", text); /* may be cut */
    transport->is_refused = true;
    transport->state = SHUT;
    (void)shutdown(transport->watch.fd, SHUT_WR); /* fails when the peer is gone: reading tells */
    slim_timer_cancel(transport->loop, &transport->deadline);
    transport->linger_until_ms = slim_loop_now_ms(transport->loop) + SLIM_IO_REFUSED_LINGER_MS;
    slim_timer_set(transport->loop, &transport->keepalive, transport->linger_until_ms);
    /* its calls are over now, not when it hangs up */
    slim_grpc_conn_close(transport->grpc, transport->end_status, slim_view_str(transport->text));
}

/* The connection is over, with or without a mistake of the peer: it gets the GOAWAY, as far as it fits. */
static void end_grpc(struct slim_transport *transport, enum slim_status status)
{
    const char *text = slim_grpc_cause_text(slim_grpc_conn_cause(transport->grpc));
    text = text[0] != 0 ? text : slim_status_text(status);
    if (transport->state == OPEN || transport->state == LINGERING) {
        (void)flush(transport);
        if (transport->tls != NULL && slim_tls_session_close(transport->tls)) {
            (void)flush_tls(transport);
        }
        refuse(transport, status, text);
    } else {
        die(transport, status, text);
    }
}

/* Nothing to write may mean that the connection is over: memory ran out, or its last call ended behind a GOAWAY. */
static void check_life(struct slim_transport *transport)
{
    enum slim_status status = slim_grpc_conn_status(transport->grpc);
    if (status != SLIM_OK && transport->state != DEAD) {
        end_grpc(transport, status);
    }
}

/* The end of the turn: flush what is touched, bury what is dead. */
static void on_turn_end(struct slim_task *task)
{
    struct slim_transport *transport = SLIM_CONTAINER_OF(task, struct slim_transport, flush);
    bool is_empty = true;
    if (transport->state == SHUT) {
        return;
    }
    if (transport->state != DEAD) {
        is_empty = transport->is_blocked ? false : flush(transport);
        if (is_empty) {
            check_life(transport);
        }
    }
    if (transport->state == SHUT) {
        return;
    }
    if (transport->state == LINGERING && is_empty && is_said(transport)) {
        shut(transport);
        if (transport->state == SHUT) {
            return;
        }
    }
    if (transport->state == DEAD) {
        say_goodbye(transport);
        slim_grpc_conn_close(transport->grpc, transport->end_status,
                             slim_view_str(transport->text));
        transport->handler.on_closed(transport->ctx, transport->why, transport->text);
        slim_transport_free(transport);
        return;
    }
    if (transport->is_ack_due) {
        acknowledge(transport);
    }
    if (transport->is_blocked) {
        slim_loop_rewatch(transport->loop, &transport->watch,
                          transport->watch.wanted | SLIM_IO_WRITE);
    } else if (!is_empty) {
        slim_loop_at_turn_end(transport->loop, task); /* more waits than one turn may write */
    }
    if (transport->handler.on_flushed != NULL) {
        transport->handler.on_flushed(transport->ctx);
    }
}

/* Feed received bytes to the connection, and act on its verdict. */
static void take(struct slim_transport *transport, struct slim_view bytes)
{
    enum slim_status status =
        slim_grpc_conn_take(transport->grpc, bytes, slim_loop_now_ms(transport->loop));
    if (status != SLIM_OK && transport->state != DEAD) {
        end_grpc(transport, status);
    }
    check_deadline(transport);
    if (transport->state == DEAD || slim_grpc_conn_has_output(transport->grpc)) {
        slim_loop_at_turn_end(transport->loop, &transport->flush);
    }
}

/* Open what was received behind the headroom of the loop's buffer, and feed it to the connection. */
static void take_tls(struct slim_transport *transport, size_t received)
{
    uint8_t *buffer = slim_loop_receive_buffer(transport->loop);
    struct slim_error error;
    size_t plain_len;
    enum slim_status status =
        slim_tls_session_take(transport->tls, buffer, received, &plain_len, &error);
    if (plain_len > 0) {
        take(transport, slim_view_of(buffer, plain_len));
    }
    if (status == SLIM_ERR_CLOSED) {
        die(transport, status, error.text);
    } else if (status != SLIM_OK) {
        (void)flush_tls(transport); /* the alert, as far as it fits */
        refuse(transport, status, error.text);
    }
    /* answers of the handshake, or what waited for its end */
    slim_loop_at_turn_end(transport->loop, &transport->flush);
}

/* The peer hung up. */
static void hang_up(struct slim_transport *transport)
{
    die(transport, SLIM_ERR_CLOSED,
        is_shaking_hands(transport) ? "TLS handshake failed: closed by peer" : "closed by peer");
}

static void read_some(struct slim_transport *transport)
{
    uint8_t *buffer = slim_loop_receive_buffer(transport->loop);
    size_t headroom = transport->tls == NULL ? 0 : SLIM_TLS_HEADROOM;
    size_t size = SLIM_LOOP_RECEIVE_BYTES - headroom;
    ssize_t got = recv(transport->watch.fd, buffer + headroom, size, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        return;
    }
    if (got < 0) {
        die(transport, SLIM_ERR_RESET, strerror(errno));
        return;
    }
    if (got == 0) {
        hang_up(transport);
        return;
    }
    if (transport->is_refused) {
        return;
    }
    if (transport->tls != NULL) {
        take_tls(transport, (size_t)got);
    } else {
        take(transport, slim_view_of(buffer, (size_t)got));
    }
    if (transport->is_tcp && (size_t)got < size) {
        /* behind the tasks of those who got messages: what they have to write goes first */
        transport->is_ack_due = true;
        slim_loop_at_turn_end(transport->loop, &transport->flush);
    }
}

static void on_ready(struct slim_watch *watch, uint32_t events)
{
    struct slim_transport *transport = SLIM_CONTAINER_OF(watch, struct slim_transport, watch);
    if (transport->state == DEAD) {
        return;
    }
    if ((events & SLIM_IO_WRITE) != 0 && transport->is_blocked) {
        transport->is_blocked = false;
        slim_loop_rewatch(transport->loop, watch, watch->wanted & ~(uint32_t)SLIM_IO_WRITE);
        slim_loop_at_turn_end(transport->loop, &transport->flush);
    }
    if ((events & SLIM_IO_READ) != 0) {
        read_some(transport);
    }
}

static void on_keepalive(struct slim_timer *timer)
{
    struct slim_transport *transport = SLIM_CONTAINER_OF(timer, struct slim_transport, keepalive);
    switch (transport->state) {
    case OPEN:
        break;
    case LINGERING:
        die(transport, SLIM_OK, "closed");
        return;
    case SHUT:
        if ((slim_transport_unacked_bytes(transport) == 0 && !transport->is_refused) ||
            slim_loop_now_ms(transport->loop) >= transport->linger_until_ms) {
            die(transport, SLIM_OK, "closed");
        } else {
            look_again(transport);
        }
        return;
    case DEAD:
        return;
    }
    uint64_t next_ms = 0;
    enum slim_status status =
        slim_grpc_conn_tick(transport->grpc, slim_loop_now_ms(transport->loop), &next_ms);
    if (status == SLIM_ERR_CLOSED) {
        end_grpc(transport, status);
        return;
    }
    if (status != SLIM_OK) {
        die(transport, status, slim_grpc_cause_text(slim_grpc_conn_cause(transport->grpc)));
        return;
    }
    if (next_ms != 0) {
        slim_timer_set(transport->loop, timer, next_ms);
    }
    slim_transport_touch(transport);
}

/* Two timers, or none. */
static enum slim_status reserve_timers(struct slim_loop *loop)
{
    SLIM_TRY(slim_loop_reserve_timer(loop));
    enum slim_status status = slim_loop_reserve_timer(loop);
    if (status != SLIM_OK) {
        slim_loop_release_timer(loop);
    }
    return status;
}

enum slim_status slim_transport_open(struct slim_loop *loop, int fd,
                                     const struct slim_transport_options *options,
                                     const struct slim_grpc_handler *grpc_handler, void *grpc_ctx,
                                     const struct slim_transport_handler *handler, void *ctx,
                                     struct slim_transport **transport)
{
    struct slim_transport *made = slim_heap_take_zeroed(slim_loop_heap(loop), 1, sizeof(*made));
    if (made == NULL || reserve_timers(loop) != SLIM_OK) {
        slim_heap_return(slim_loop_heap(loop), made);
        slim_tls_session_free(options->tls);
        close(fd);
        return SLIM_ERR_NO_MEMORY;
    }
    made->loop = loop;
    made->handler = *handler;
    made->ctx = ctx;
    made->tls = options->tls;
    made->end_status = SLIM_GRPC_UNAVAILABLE;
    made->watch = (struct slim_watch){.fd = fd, .wanted = SLIM_IO_READ, .on_ready = on_ready};
    slim_task_init(&made->flush, on_turn_end);
    slim_timer_init(&made->keepalive, on_keepalive);
    slim_timer_init(&made->deadline, on_deadline);

    int on = 1;
    /* fails for Unix sockets, which have no Nagle: that is how we tell them apart */
    made->is_tcp = setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0;
    uint64_t now_ms = slim_loop_now_ms(loop);
    enum slim_status status =
        slim_grpc_conn_new(options->grpc, grpc_handler, grpc_ctx, slim_loop_heap(loop),
                           slim_loop_pool(loop), now_ms, &made->grpc);
    if (status == SLIM_OK) {
        status = slim_loop_watch(loop, &made->watch);
    }
    if (status != SLIM_OK) {
        slim_transport_free(made);
        return status;
    }
    uint64_t next_ms = 0;
    if (slim_grpc_conn_tick(made->grpc, now_ms, &next_ms) == SLIM_OK && next_ms != 0) {
        slim_timer_set(loop, &made->keepalive, next_ms);
    }
    if (options->handshake_timeout_ms != 0) {
        slim_timer_set(loop, &made->deadline, now_ms + options->handshake_timeout_ms);
    }
    if (made->tls != NULL) {
        take_tls(made, 0); /* the greeting of a client */
    }
    slim_loop_at_turn_end(loop, &made->flush);
    *transport = made;
    return SLIM_OK;
}

enum slim_status slim_transport_new(struct slim_loop *loop, int fd,
                                    const struct slim_grpc_options *options,
                                    const struct slim_grpc_handler *grpc_handler, void *grpc_ctx,
                                    const struct slim_transport_handler *handler, void *ctx,
                                    struct slim_transport **transport)
{
    struct slim_transport_options plain = {.grpc = options};
    return slim_transport_open(loop, fd, &plain, grpc_handler, grpc_ctx, handler, ctx, transport);
}

void slim_transport_close(struct slim_transport *transport, enum slim_grpc_status status)
{
    if (transport->state != DEAD) {
        transport->end_status = status;
        die(transport, SLIM_OK, "closed");
    }
}

void slim_transport_close_flushed(struct slim_transport *transport, uint64_t linger_ms)
{
    if (transport->state == OPEN) {
        transport->state = LINGERING;
        transport->linger_until_ms = slim_loop_now_ms(transport->loop) + linger_ms;
        slim_timer_set(transport->loop, &transport->keepalive, transport->linger_until_ms);
        slim_loop_at_turn_end(transport->loop, &transport->flush);
    }
}

struct slim_grpc_conn *slim_transport_grpc(struct slim_transport *transport)
{
    return transport->grpc;
}

enum slim_status slim_transport_why(const struct slim_transport *transport, const char **text)
{
    *text = transport->text;
    return transport->why;
}

void slim_transport_touch(struct slim_transport *transport)
{
    slim_loop_at_turn_end(transport->loop, &transport->flush);
}

size_t slim_transport_unacked_bytes(const struct slim_transport *transport)
{
    int bytes = 0;
    size_t kept = transport->tls == NULL ? 0 : slim_tls_session_pending_bytes(transport->tls);
    if (ioctl(transport->watch.fd, SIOCOUTQ, &bytes) != 0 || bytes < 0) {
        return kept;
    }
    return kept + (size_t)bytes;
}
