#include "io/tunnel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PLAIN_BYTES = 64 * 1024, /* read from the socket pair at once; its sealed form goes behind it */
};

/* state      CONNECTING -> ASKING (TLS handshake, request, answer) -> RELAYING (https only)
 * net        the socket to the proxy;  pair: our end of the socket pair, -1 before
 * request    what is still to be sent;  answer: what came so far;  to_pair: plain bytes the socket pair had no room for
 * is_ending  nothing more comes from the proxy: close when to_pair is empty */
struct slim_tunnel {
    struct slim_tunnels *tunnels;
    struct slim_list node;
    enum { CONNECTING, ASKING, RELAYING } state;
    struct slim_connector *connector;
    struct slim_tls_session *tls;
    struct slim_watch net;
    struct slim_watch pair;
    struct slim_timer timer;
    uint64_t deadline_ms;
    struct slim_buf request;
    struct slim_buf answer;
    struct slim_buf to_pair;
    bool is_ending;
    slim_connector_on_done *on_done;
    void *ctx;
};

static struct slim_loop *loop_of(const struct slim_tunnel *tunnel)
{
    return tunnel->tunnels->loop;
}

static void close_watch(struct slim_tunnel *tunnel, struct slim_watch *watch)
{
    if (watch->fd >= 0) {
        if (watch->wanted != 0) {
            slim_loop_unwatch(loop_of(tunnel), watch);
        }
        close(watch->fd);
        watch->fd = -1;
    }
}

static void tunnel_free(struct slim_tunnel *tunnel)
{
    slim_list_remove(&tunnel->node);
    slim_connector_cancel(tunnel->connector);
    close_watch(tunnel, &tunnel->net);
    close_watch(tunnel, &tunnel->pair);
    slim_timer_cancel(loop_of(tunnel), &tunnel->timer);
    slim_loop_release_timer(loop_of(tunnel));
    slim_tls_session_free(tunnel->tls);
    slim_buf_wipe(&tunnel->request);
    slim_buf_fini(&tunnel->answer);
    slim_buf_fini(&tunnel->to_pair);
    struct slim_tunnels *tunnels = tunnel->tunnels;
    free(tunnel);
    if (slim_list_is_empty(&tunnels->list) && tunnels->on_empty != NULL) {
        tunnels->on_empty(tunnels->ctx);
    }
}

void slim_tunnel_cancel(struct slim_tunnel *tunnel)
{
    if (tunnel != NULL) {
        tunnel_free(tunnel);
    }
}

/* The end of an attempt, or of a relay, of which nobody needs to be told: its user sees the socket pair close. */
static void fail(struct slim_tunnel *tunnel, enum slim_status status, const char *text)
{
    if (tunnel->state == RELAYING) {
        tunnel_free(tunnel);
        return;
    }
    char why[SLIM_ERROR_TEXT_MAX];
    (void)snprintf(why, sizeof(why), "proxy: %s", text); /* may be cut */
    slim_connector_on_done *on_done = tunnel->on_done;
    void *ctx = tunnel->ctx;
    tunnel_free(tunnel);
    on_done(ctx, status, -1, why);
}

static void fail_errno(struct slim_tunnel *tunnel)
{
    char text[128];
    /* may be cut */
    (void)snprintf(text, sizeof(text), "%s (os error %d)", strerror(errno), errno);
    fail(tunnel, SLIM_ERR_CONNECT, text);
}

/* ------------------------------------------------------------------------------------------------ writing */

static bool is_later(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* A side of which nothing is wanted is not watched at all: its hang-up would wake us again and again. */
static bool want(struct slim_tunnel *tunnel, struct slim_watch *watch, uint32_t wanted)
{
    if (watch->fd < 0 || watch->wanted == wanted) {
        return true;
    }
    if (wanted == 0) {
        slim_loop_unwatch(loop_of(tunnel), watch);
        watch->wanted = 0;
        return true;
    }
    if (watch->wanted != 0) {
        slim_loop_rewatch(loop_of(tunnel), watch, wanted);
        return true;
    }
    watch->wanted = wanted;
    if (slim_loop_watch(loop_of(tunnel), watch) != SLIM_OK) {
        watch->wanted = 0;
        return false;
    }
    return true;
}

/* Read from a side while what came from it before is gone, write while something waits. The tunnel may be gone afterwards. */
static void set_wants(struct slim_tunnel *tunnel)
{
    size_t to_net = tunnel->request.len;
    if (tunnel->tls != NULL) {
        to_net += slim_tls_session_pending_bytes(tunnel->tls);
        if (!slim_tls_session_is_open(tunnel->tls)) {
            to_net -= tunnel->request.len; /* it waits for the handshake, not for room */
        }
    }
    bool is_full = tunnel->to_pair.len > 0;
    uint32_t net = (is_full ? 0 : SLIM_IO_READ) | (to_net > 0 ? SLIM_IO_WRITE : 0);
    uint32_t pair = (to_net > 0 || tunnel->is_ending ? 0 : SLIM_IO_READ) |
                    (is_full ? (uint32_t)SLIM_IO_WRITE : 0);
    if (!want(tunnel, &tunnel->net, tunnel->is_ending ? 0 : net) ||
        !want(tunnel, &tunnel->pair, pair)) {
        fail(tunnel, SLIM_ERR_IO, "no socket");
    }
}

/* Write what the session has to say. False: the tunnel is gone. */
static bool flush_tls(struct slim_tunnel *tunnel)
{
    struct iovec iov[2];
    size_t count = slim_tls_session_output(tunnel->tls, iov);
    ssize_t sent = 0;
    if (count > 0) {
        struct msghdr message = {.msg_iov = iov, .msg_iovlen = count};
        sent = sendmsg(tunnel->net.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && !is_later()) {
            fail_errno(tunnel);
            return false;
        }
    }
    enum slim_status status = slim_tls_session_sent(tunnel->tls, sent < 0 ? 0 : (size_t)sent);
    if (status != SLIM_OK) {
        fail(tunnel, status, slim_status_text(status));
        return false;
    }
    return true;
}

/* Seal `plain`, which lies at the front of the loop's receive buffer (or elsewhere), behind it. It fits: at most PLAIN_BYTES. */
static bool send_sealed(struct slim_tunnel *tunnel, struct slim_view plain)
{
    struct iovec iov = {(void *)(uintptr_t)plain.data, plain.len};
    size_t sealed = 0;
    enum slim_status status = slim_tls_session_seal(
        tunnel->tls, &iov, 1, slim_loop_receive_buffer(loop_of(tunnel)) + PLAIN_BYTES,
        SLIM_LOOP_RECEIVE_BYTES - PLAIN_BYTES, &sealed);
    if (status != SLIM_OK || sealed != plain.len) {
        fail(tunnel, SLIM_ERR_INTERNAL, "TLS failed");
        return false;
    }
    return flush_tls(tunnel);
}

/* False: the tunnel is gone. */
static bool send_request(struct slim_tunnel *tunnel)
{
    if (tunnel->request.len == 0) {
        return true;
    }
    if (tunnel->tls != NULL) {
        if (!slim_tls_session_is_open(tunnel->tls)) {
            return true;
        }
        bool is_alive = send_sealed(tunnel, slim_buf_view(&tunnel->request));
        if (is_alive) {
            slim_buf_wipe(&tunnel->request);
        }
        return is_alive;
    }
    ssize_t sent = send(tunnel->net.fd, tunnel->request.data, tunnel->request.len,
                        MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && !is_later()) {
        fail_errno(tunnel);
        return false;
    }
    slim_buf_drop(&tunnel->request, sent < 0 ? 0 : (size_t)sent);
    return true;
}

/* Pass plain bytes on to the user; keep what finds no room. False: the tunnel is gone. */
static bool pass_on(struct slim_tunnel *tunnel, struct slim_view plain)
{
    if (tunnel->to_pair.len == 0 && plain.len > 0) {
        ssize_t sent = send(tunnel->pair.fd, plain.data, plain.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && !is_later()) {
            tunnel_free(tunnel);
            return false;
        }
        plain = slim_view_skip(plain, sent < 0 ? 0 : (size_t)sent);
    }
    if (slim_buf_put(&tunnel->to_pair, plain) != SLIM_OK) {
        tunnel_free(tunnel);
        return false;
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------ relay */

static void on_pair(struct slim_watch *watch, uint32_t events);

/* The tunnel is open. `early` are the first bytes that came through it. */
static void hand_out(struct slim_tunnel *tunnel, struct slim_view early)
{
    slim_connector_on_done *on_done = tunnel->on_done;
    void *ctx = tunnel->ctx;
    slim_timer_cancel(loop_of(tunnel), &tunnel->timer);
    if (tunnel->tls == NULL) {
        int fd = tunnel->net.fd;
        (void)want(tunnel, &tunnel->net, 0); /* cannot fail */
        tunnel->net.fd = -1;
        tunnel_free(tunnel);
        on_done(ctx, SLIM_OK, fd, "");
        return;
    }
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0) {
        fail_errno(tunnel);
        return;
    }
    tunnel->pair = (struct slim_watch){.fd = fds[0], .wanted = SLIM_IO_READ, .on_ready = on_pair};
    if (slim_loop_watch(loop_of(tunnel), &tunnel->pair) != SLIM_OK) {
        close(fds[0]);
        close(fds[1]);
        tunnel->pair.fd = -1;
        fail(tunnel, SLIM_ERR_IO, "no socket");
        return;
    }
    tunnel->state = RELAYING;
    if (pass_on(tunnel, early)) {
        set_wants(tunnel);
    }
    on_done(ctx, SLIM_OK, fds[1], "");
}

/* The user has closed its end, or has something to say. */
static void read_pair(struct slim_tunnel *tunnel)
{
    uint8_t *buffer = slim_loop_receive_buffer(loop_of(tunnel));
    ssize_t got = recv(tunnel->pair.fd, buffer, PLAIN_BYTES, MSG_DONTWAIT);
    if (got < 0 && is_later()) {
        return;
    }
    if (got <= 0) {
        (void)slim_tls_session_close(tunnel->tls); /* as far as there is room */
        if (flush_tls(tunnel)) {
            tunnel_free(tunnel);
        }
        return;
    }
    if (send_sealed(tunnel, slim_view_of(buffer, (size_t)got))) {
        set_wants(tunnel);
    }
}

static void on_pair(struct slim_watch *watch, uint32_t events)
{
    struct slim_tunnel *tunnel = SLIM_CONTAINER_OF(watch, struct slim_tunnel, pair);
    if ((events & SLIM_IO_WRITE) != 0 && tunnel->to_pair.len > 0) {
        struct slim_buf waiting = tunnel->to_pair;
        tunnel->to_pair = (struct slim_buf){0};
        bool is_alive = pass_on(tunnel, slim_buf_view(&waiting));
        slim_buf_fini(&waiting);
        if (!is_alive) {
            return;
        }
        if (tunnel->is_ending && tunnel->to_pair.len == 0) {
            tunnel_free(tunnel);
            return;
        }
        set_wants(tunnel);
        return; /* what is to be read is still there in the next turn */
    }
    if ((events & SLIM_IO_READ) != 0 && (watch->wanted & SLIM_IO_READ) != 0) {
        read_pair(tunnel);
    }
}

/* ------------------------------------------------------------------------------------------------ the proxy's side */

/* Bytes of the answer, as far as they came: more, or a verdict. */
static void take_answer(struct slim_tunnel *tunnel, struct slim_view bytes)
{
    struct slim_error error = {0};
    size_t used = 0;
    enum slim_status status = slim_buf_put(&tunnel->answer, bytes);
    if (status == SLIM_OK) {
        status = slim_proxy_read_answer(slim_buf_view(&tunnel->answer), &used, &error);
    }
    if (status == SLIM_AGAIN) {
        set_wants(tunnel);
        return;
    }
    if (status == SLIM_ERR_NO_MEMORY) {
        fail(tunnel, status, "out of memory");
        return;
    }
    if (status != SLIM_OK) {
        fail(tunnel, status == SLIM_ERR_CONNECT ? status : SLIM_ERR_DENIED, error.text);
        return;
    }
    struct slim_buf answer = tunnel->answer;
    tunnel->answer = (struct slim_buf){0};
    hand_out(tunnel, slim_view_skip(slim_buf_view(&answer), used));
    slim_buf_fini(&answer);
}

/* Plain: look before taking, so that what is behind the answer stays in the socket for its user. */
static void read_plain(struct slim_tunnel *tunnel)
{
    uint8_t *buffer = slim_loop_receive_buffer(loop_of(tunnel));
    size_t before = tunnel->answer.len;
    size_t room = SLIM_PROXY_ANSWER_BYTES_MAX - before;
    ssize_t seen = recv(tunnel->net.fd, buffer, room, MSG_DONTWAIT | MSG_PEEK);
    if (seen < 0 && is_later()) {
        return;
    }
    if (seen < 0) {
        fail_errno(tunnel);
        return;
    }
    if (seen == 0) {
        fail(tunnel, SLIM_ERR_CLOSED, "closed the connection without an answer");
        return;
    }
    struct slim_error error;
    size_t used = 0;
    struct slim_buf whole = {0};
    enum slim_status status = slim_buf_put(&whole, slim_buf_view(&tunnel->answer));
    if (status == SLIM_OK) {
        status = slim_buf_put(&whole, slim_view_of(buffer, (size_t)seen));
    }
    if (status == SLIM_OK) {
        status = slim_proxy_read_answer(slim_buf_view(&whole), &used, &error);
    }
    slim_buf_fini(&whole);
    size_t take = status == SLIM_OK ? used - before : (size_t)seen;
    ssize_t got = recv(tunnel->net.fd, buffer, take, MSG_DONTWAIT);
    if (got != (ssize_t)take) {
        fail(tunnel, SLIM_ERR_IO, "the socket took bytes back");
        return;
    }
    take_answer(tunnel, slim_view_of(buffer, take));
}

static void read_tls(struct slim_tunnel *tunnel)
{
    uint8_t *buffer = slim_loop_receive_buffer(loop_of(tunnel));
    ssize_t got = recv(tunnel->net.fd, buffer + SLIM_TLS_HEADROOM,
                       SLIM_LOOP_RECEIVE_BYTES - SLIM_TLS_HEADROOM, MSG_DONTWAIT);
    if (got < 0 && is_later()) {
        return;
    }
    struct slim_error error = {.text = "closed the connection"};
    size_t plain_len = 0;
    enum slim_status status =
        got <= 0 ? SLIM_ERR_CLOSED
                 : slim_tls_session_take(tunnel->tls, buffer, (size_t)got, &plain_len, &error);
    struct slim_view plain = slim_view_of(buffer, plain_len);
    if (tunnel->state == RELAYING) {
        if (!pass_on(tunnel, plain)) {
            return;
        }
        tunnel->is_ending = status != SLIM_OK;
        if (tunnel->is_ending && tunnel->to_pair.len == 0) {
            tunnel_free(tunnel);
        } else if (tunnel->is_ending || flush_tls(tunnel)) {
            set_wants(tunnel);
        }
        return;
    }
    struct slim_buf answer = {0};
    if (status == SLIM_OK && slim_buf_put(&answer, plain) != SLIM_OK) {
        status = slim_error_set(&error, SLIM_ERR_NO_MEMORY, "out of memory");
    }
    /* the buffer is used again from here on: an alert, the request */
    if (flush_tls(tunnel)) {
        if (status != SLIM_OK) {
            fail(tunnel, status, error.text);
        } else if (send_request(tunnel)) {
            take_answer(tunnel, slim_buf_view(&answer));
        }
    }
    slim_buf_fini(&answer);
}

static void on_net(struct slim_watch *watch, uint32_t events)
{
    struct slim_tunnel *tunnel = SLIM_CONTAINER_OF(watch, struct slim_tunnel, net);
    if ((events & SLIM_IO_WRITE) != 0 && (watch->wanted & SLIM_IO_WRITE) != 0) {
        bool is_alive = tunnel->tls == NULL || flush_tls(tunnel);
        if (is_alive && send_request(tunnel)) {
            set_wants(tunnel);
        }
        return; /* what is to be read is still there in the next turn */
    }
    if ((events & SLIM_IO_READ) != 0 && (watch->wanted & SLIM_IO_READ) != 0) {
        if (tunnel->tls != NULL) {
            read_tls(tunnel);
        } else {
            read_plain(tunnel);
        }
    }
}

/* ------------------------------------------------------------------------------------------------ life */

static void on_timer(struct slim_timer *timer)
{
    struct slim_tunnel *tunnel = SLIM_CONTAINER_OF(timer, struct slim_tunnel, timer);
    fail(tunnel, SLIM_ERR_TIMEOUT, "no answer in time");
}

static void on_connected(void *ctx, enum slim_status status, int fd, const char *text)
{
    struct slim_tunnel *tunnel = ctx;
    struct slim_loop *loop = loop_of(tunnel);
    tunnel->connector = NULL;
    if (status != SLIM_OK) {
        fail(tunnel, status, text);
        return;
    }
    tunnel->state = ASKING;
    tunnel->net = (struct slim_watch){.fd = fd, .wanted = SLIM_IO_READ, .on_ready = on_net};
    if (slim_loop_watch(loop, &tunnel->net) != SLIM_OK) {
        close(fd);
        tunnel->net.fd = -1;
        fail(tunnel, SLIM_ERR_IO, "no socket");
        return;
    }
    uint64_t until_ms = tunnel->deadline_ms != 0 ? tunnel->deadline_ms
                                                 : slim_loop_now_ms(loop) + SLIM_TUNNEL_ANSWER_MS;
    slim_timer_set(loop, &tunnel->timer, until_ms);
    if (tunnel->tls != NULL) {
        size_t plain_len;
        struct slim_error error;
        status = slim_tls_session_take(tunnel->tls, slim_loop_receive_buffer(loop), 0, &plain_len,
                                       &error); /* the greeting */
        if (status != SLIM_OK) {
            fail(tunnel, status, error.text);
            return;
        }
        if (!flush_tls(tunnel)) {
            return;
        }
    } else if (!send_request(tunnel)) {
        return;
    }
    set_wants(tunnel);
}

void slim_tunnels_init(struct slim_tunnels *tunnels, struct slim_loop *loop)
{
    *tunnels = (struct slim_tunnels){.loop = loop};
    slim_list_init(&tunnels->list);
}

void slim_tunnels_fini(struct slim_tunnels *tunnels)
{
    tunnels->on_empty = NULL;
    SLIM_LIST_EACH(node, &tunnels->list)
    {
        tunnel_free(SLIM_LIST_ENTRY(node, struct slim_tunnel, node));
    }
}

enum slim_status slim_tunnel_open(struct slim_tunnels *tunnels,
                                  const struct slim_tunnel_options *options,
                                  slim_connector_on_done *on_done, void *ctx,
                                  struct slim_tunnel **tunnel)
{
    struct slim_tunnel *made = calloc(1, sizeof(*made));
    if (made == NULL || slim_loop_reserve_timer(tunnels->loop) != SLIM_OK) {
        free(made);
        slim_tls_session_free(options->tls);
        return SLIM_ERR_NO_MEMORY;
    }
    made->tunnels = tunnels;
    made->tls = options->tls;
    made->on_done = on_done;
    made->ctx = ctx;
    made->net.fd = -1;
    made->pair.fd = -1;
    slim_list_init(&made->node);
    slim_timer_init(&made->timer, on_timer);
    if (options->timeout_ms != 0) {
        made->deadline_ms = slim_loop_now_ms(tunnels->loop) + options->timeout_ms;
    }
    enum slim_status status = slim_buf_put(&made->request, options->request);
    if (status == SLIM_OK) {
        status = slim_connector_new(tunnels->loop, options->proxy, options->timeout_ms,
                                    on_connected, made, &made->connector);
    }
    if (status != SLIM_OK) {
        tunnel_free(made);
        return status;
    }
    slim_list_put_last(&tunnels->list, &made->node);
    *tunnel = made;
    return SLIM_OK;
}
