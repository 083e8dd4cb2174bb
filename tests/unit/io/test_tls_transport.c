/* Transports over TLS, two of them on one loop; and tunnels through a proxy that is OpenSSL in a thread. */
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "grpc/grpc.h"
#include "io/transport.h"
#include "io/tunnel.h"
#include "support/check.h"
#include "tls_certs.h"

static struct certs_world world;

/* One end: what it got. */
struct side {
    struct slim_transport *transport;
    struct slim_grpc_call *call;
    size_t message_count;
    size_t byte_count;
    bool is_open;
    bool is_ended;
    bool is_closed;
    enum slim_status status;
    char text[SLIM_ERROR_TEXT_MAX];
};

static void on_call(void *ctx, struct slim_grpc_call *call, const struct slim_grpc_request *request)
{
    (void)request;
    struct side *side = ctx;
    CHECK_OK(slim_grpc_call_accept(call));
    side->call = call;
    side->is_open = true;
}

static void on_open(void *ctx, struct slim_grpc_call *call)
{
    (void)call;
    struct side *side = ctx;
    side->is_open = true;
}

static void on_message(void *ctx, struct slim_grpc_call *call, struct slim_view msg,
                       struct slim_block *block)
{
    (void)call;
    (void)block;
    struct side *side = ctx;
    for (size_t i = 0; i < msg.len; i++) {
        CHECK(msg.data[i] == (uint8_t)(msg.len + i));
    }
    side->message_count++;
    side->byte_count += msg.len;
}

static void on_end(void *ctx, struct slim_grpc_call *call, const struct slim_grpc_end *end)
{
    (void)call;
    (void)end;
    struct side *side = ctx;
    side->call = NULL;
    side->is_ended = true;
}

static void on_closed(void *ctx, enum slim_status status, const char *text)
{
    struct side *side = ctx;
    side->is_closed = true;
    side->status = status;
    side->transport = NULL;
    (void)snprintf(side->text, sizeof(side->text), "%s", text);
}

static const struct slim_grpc_handler grpc_handler = {
    .on_call = on_call, .on_open = on_open, .on_message = on_message, .on_end = on_end};
static const struct slim_transport_handler handler = {.on_closed = on_closed};

struct pair {
    struct slim_loop *loop;
    struct slim_tls_context *contexts[2];
    struct side client;
    struct side server;
};

static void open_side(struct pair *pair, struct side *side, int fd, struct slim_tls_session *tls,
                      bool is_server, uint64_t timeout_ms)
{
    struct slim_grpc_options grpc = slim_grpc_options_default(is_server);
    grpc.scheme = SLIM_VIEW("https");
    grpc.authority = SLIM_VIEW("localhost");
    const struct slim_transport_options options = {
        .grpc = &grpc, .tls = tls, .handshake_timeout_ms = timeout_ms};
    CHECK_OK(slim_transport_open(pair->loop, fd, &options, &grpc_handler, side, &handler, side,
                                 &side->transport));
}

static void make_contexts(struct pair *pair, const struct certs *server, const struct certs *root)
{
    struct slim_tls_options options = {0};
    struct slim_tls_material material = certs_material(NULL, root);
    CHECK_OK(slim_tls_context_new_client(&options, &material, &pair->contexts[0], NULL));
    material = certs_material(server, NULL);
    CHECK_OK(slim_tls_context_new_server(&options, &material, &pair->contexts[1], NULL));
}

/* Connected sockets, with small buffers so that writes find no room. */
static void make_sockets(int fds[2])
{
    int size = 8192;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    for (int i = 0; i < 2; i++) {
        CHECK(setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0);
    }
}

static void pair_make(struct pair *pair, const struct certs *server)
{
    *pair = (struct pair){0};
    CHECK_OK(slim_loop_new(&pair->loop));
    make_contexts(pair, server, &world.root);
    int fds[2];
    make_sockets(fds);
    struct slim_tls_session *tls;
    CHECK_OK(slim_tls_session_new(pair->contexts[0], "localhost", &tls));
    open_side(pair, &pair->client, fds[0], tls, false, 10000);
    CHECK_OK(slim_tls_session_new(pair->contexts[1], NULL, &tls));
    open_side(pair, &pair->server, fds[1], tls, true, 10000);
    CHECK_OK(slim_grpc_call_start(slim_transport_grpc(pair->client.transport), SLIM_VIEW("/a.B/C"),
                                  NULL, 0, NULL, &pair->client.call));
    slim_transport_touch(pair->client.transport);
}

static void pair_free(struct pair *pair)
{
    slim_transport_free(pair->client.transport);
    slim_transport_free(pair->server.transport);
    slim_tls_context_free(pair->contexts[0]);
    slim_tls_context_free(pair->contexts[1]);
    slim_loop_free(pair->loop);
}

#define TURN_UNTIL(pair, condition)                                                                \
    do {                                                                                           \
        for (int turn_ = 0; !(condition); turn_++) {                                               \
            CHECK_ROW(#condition, turn_ < 200000);                                                 \
            slim_loop_turn((pair)->loop, 100);                                                     \
        }                                                                                          \
    } while (0)

static void say(struct side *side, size_t len)
{
    uint8_t *data = malloc(len + 1);
    for (size_t i = 0; i < len; i++) {
        data[i] = (uint8_t)(len + i);
    }
    CHECK_OK(slim_grpc_call_put_message(side->call, slim_view_of(data, len)));
    slim_transport_touch(side->transport);
    free(data);
}

static void messages_pass_both_ways_through_narrow_sockets(void **state)
{
    (void)state;
    struct pair pair;
    pair_make(&pair, &world.chained);
    TURN_UNTIL(&pair, pair.client.is_open && pair.server.is_open);
    enum { COUNT = 200 };
    size_t total = 0;
    for (size_t i = 0; i < COUNT; i++) {
        size_t len = i * i * 7 % 90001;
        say(&pair.client, len);
        say(&pair.server, len);
        total += len;
    }
    say(&pair.client, 3000000);
    total += 3000000;
    TURN_UNTIL(&pair, pair.server.message_count == COUNT + 1 && pair.client.message_count == COUNT);
    CHECK(pair.server.byte_count == total && pair.client.byte_count == total - 3000000);
    pair_free(&pair);
}

static void what_waits_is_sent_before_goodbye(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct pair pair;
        pair_make(&pair, &world.server);
        TURN_UNTIL(&pair, pair.client.is_open && pair.server.is_open);
        struct side *from = i == 0 ? &pair.client : &pair.server;
        struct side *to = i == 0 ? &pair.server : &pair.client;
        for (int k = 0; k < 20; k++) {
            say(from, 10000);
        }
        slim_grpc_call_finish(from->call, SLIM_GRPC_OK, SLIM_VIEW(""), true);
        from->call = NULL;
        slim_transport_close_flushed(from->transport, 10000);
        TURN_UNTIL(&pair, from->is_closed && to->is_closed);
        CHECK(from->status == SLIM_OK);
        CHECK_ROW("a client that leaves gives its queue up, a server sends it",
                  i == 0 || to->message_count == 20);
        CHECK_ROW(to->text,
                  to->status == SLIM_ERR_CLOSED && strcmp(to->text, "closed by peer") == 0);
        pair_free(&pair);
    }
}

static void a_peer_that_reads_slowly_costs_a_bounded_queue(void **state)
{
    (void)state;
    struct pair pair = {0};
    CHECK_OK(slim_loop_new(&pair.loop));
    make_contexts(&pair, &world.server, &world.root);
    int fds[2];
    make_sockets(fds);
    struct slim_tls_session *tls;
    CHECK_OK(slim_tls_session_new(pair.contexts[0], "localhost", &tls));
    open_side(&pair, &pair.client, fds[0], tls, false, 10000);
    CHECK_OK(slim_tls_session_new(pair.contexts[1], NULL, &tls));
    open_side(&pair, &pair.server, fds[1], tls, true, 10000);
    CHECK_OK(slim_grpc_call_start(slim_transport_grpc(pair.client.transport), SLIM_VIEW("/a.B/C"),
                                  NULL, 0, NULL, &pair.client.call));
    slim_transport_touch(pair.client.transport);
    TURN_UNTIL(&pair, pair.client.is_open && pair.server.is_open);
    for (int i = 0; i < 100; i++) {
        say(&pair.server, 50000);
    }
    size_t most = 0;
    while (pair.client.message_count < 100) {
        slim_loop_turn(pair.loop, 100);
        size_t unacked = slim_transport_unacked_bytes(pair.server.transport);
        most = unacked > most ? unacked : most;
    }
    /* what is sealed and unwritten is one write's worth; the rest waits where it can be counted and dropped */
    CHECK_ROW("it had to wait", most > 16UL * 1024);
    CHECK_ROW("within bounds", most < 300UL * 1024);
    pair_free(&pair);
}

static void refusals_reach_both_ends_in_words(void **state)
{
    (void)state;
    static const struct {
        const struct certs *server;
        const char *client_text;
        const char *server_text;
    } rows[] = {
        {&world.stranger, "its CA is not trusted", "it does not trust the CA of our certificate"},
        {&world.expired, "certificate has expired", "our certificate has expired"},
        {&world.wild, "it is not for \"localhost\"", "the client refused us"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct pair pair;
        pair_make(&pair, rows[i].server);
        TURN_UNTIL(&pair, pair.client.is_closed && pair.server.is_closed);
        CHECK(pair.client.status == SLIM_ERR_DENIED && pair.server.status == SLIM_ERR_DENIED);
        CHECK_ROW(pair.client.text, strstr(pair.client.text, rows[i].client_text) != NULL);
        CHECK_ROW(pair.server.text, strstr(pair.server.text, rows[i].server_text) != NULL);
        CHECK_ROW("its call is told", pair.client.is_ended);
        pair_free(&pair);
    }
}

/* What a stranger sends to a TLS server, and what we say of it. */
static void strangers_are_told_from_silence(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *bytes;
        bool is_hanging_up;
        uint64_t timeout_ms;
        enum slim_status want;
        const char *text;
    } rows[] = {
        {"silence", "", false, 20, SLIM_ERR_TIMEOUT, "TLS handshake failed: it took too long"},
        {"half a greeting", "\x16\x03\x01", false, 20, SLIM_ERR_TIMEOUT, "it took too long"},
        {"plain text", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", true, 0, SLIM_ERR_DENIED,
         "the client does not speak TLS"},
        {"hanging up", "", true, 0, SLIM_ERR_CLOSED, "TLS handshake failed: closed by peer"},
        {"hanging up within the greeting", "\x16\x03\x01", true, 0, SLIM_ERR_CLOSED,
         "TLS handshake failed: closed by peer"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct pair pair = {0};
        CHECK_OK(slim_loop_new(&pair.loop));
        make_contexts(&pair, &world.server, &world.root);
        int fds[2];
        make_sockets(fds);
        struct slim_tls_session *tls;
        CHECK_OK(slim_tls_session_new(pair.contexts[1], NULL, &tls));
        open_side(&pair, &pair.server, fds[1], tls, true, rows[i].timeout_ms);
        size_t len = strlen(rows[i].bytes);
        CHECK(send(fds[0], rows[i].bytes, len, 0) == (ssize_t)len);
        if (rows[i].is_hanging_up) {
            CHECK(shutdown(fds[0], SHUT_WR) == 0);
        }
        TURN_UNTIL(&pair, pair.server.is_closed);
        CHECK_ROW(rows[i].why, pair.server.status == rows[i].want);
        CHECK_ROW(pair.server.text, strstr(pair.server.text, rows[i].text) != NULL);
        close(fds[0]);
        pair_free(&pair);
    }
}

static void an_established_peer_has_no_deadline(void **state)
{
    (void)state;
    struct pair pair = {0};
    CHECK_OK(slim_loop_new(&pair.loop));
    make_contexts(&pair, &world.server, &world.root);
    int fds[2];
    make_sockets(fds);
    struct slim_tls_session *tls;
    CHECK_OK(slim_tls_session_new(pair.contexts[0], "localhost", &tls));
    open_side(&pair, &pair.client, fds[0], tls, false, 300);
    CHECK_OK(slim_tls_session_new(pair.contexts[1], NULL, &tls));
    open_side(&pair, &pair.server, fds[1], tls, true, 300);
    uint64_t end_ms = slim_loop_now_ms(pair.loop) + 600;
    while (slim_loop_now_ms(pair.loop) < end_ms) {
        slim_loop_turn(pair.loop, 50);
    }
    CHECK(!pair.client.is_closed && !pair.server.is_closed);
    pair_free(&pair);
}

/* ---------------------------------------------------------------------------------------------------- tunnels */

/* A proxy over TLS in a thread: one connection, whose tunnel leads back to where it came from. */
struct echo {
    int listener;
    pthread_t thread;
    size_t echoed;
};

static void *echo_run(void *arg)
{
    enum { PIECE = 30000 };
    struct echo *echo = arg;
    int fd = accept(echo->listener, NULL, NULL);
    SSL_CTX *ctx = SSL_CTX_new_ex(slim_crypto_context(), NULL, TLS_server_method());
    CHECK(SSL_CTX_use_certificate(ctx, world.server.cert) == 1 &&
          SSL_CTX_use_PrivateKey(ctx, world.server.key) == 1);
    SSL *ssl = SSL_new(ctx);
    CHECK(SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1);
    char *bytes = malloc(PIECE);
    size_t len = 0;
    while (len < 4 || memcmp(bytes + len - 4, "\r\n\r\n", 4) != 0) {
        CHECK(SSL_read(ssl, bytes + len, 1) == 1);
        len++;
    }
    static const char answer[] = "HTTP/1.1 200 OK\r\n\r\nearly";
    CHECK(SSL_write(ssl, answer, sizeof(answer) - 1) > 0);
    int got;
    while ((got = SSL_read(ssl, bytes, PIECE)) > 0) {
        CHECK(SSL_write(ssl, bytes, got) == got);
        echo->echoed += (size_t)got;
    }
    free(bytes);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd);
    return NULL;
}

struct outcome {
    bool is_done;
    enum slim_status status;
    int fd;
};

static void on_done(void *ctx, enum slim_status status, int fd, const char *text)
{
    struct outcome *outcome = ctx;
    (void)text;
    *outcome = (struct outcome){true, status, fd};
}

static void a_relay_carries_much_both_ways_at_once(void **state)
{
    (void)state;
    enum { TOTAL = 12 * 1024 * 1024, PIECE = 50000 };
    struct echo echo = {.listener = socket(AF_INET, SOCK_STREAM, 0)};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    CHECK(bind(echo.listener, (struct sockaddr *)&address, len) == 0);
    CHECK(listen(echo.listener, 1) == 0);
    CHECK(getsockname(echo.listener, (struct sockaddr *)&address, &len) == 0);
    CHECK(pthread_create(&echo.thread, NULL, echo_run, &echo) == 0);

    struct pair pair = {0};
    CHECK_OK(slim_loop_new(&pair.loop));
    struct slim_tls_options options = {.is_http1 = true};
    struct slim_tls_material material = certs_material(NULL, &world.root);
    CHECK_OK(slim_tls_context_new_client(&options, &material, &pair.contexts[0], NULL));
    struct slim_tls_session *tls;
    CHECK_OK(slim_tls_session_new(pair.contexts[0], "localhost", &tls));
    char url[64];
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%u", ntohs(address.sin_port));
    struct slim_endpoint proxy;
    CHECK_OK(slim_endpoint_parse(slim_view_str(url), &proxy, NULL));
    struct slim_tunnels tunnels;
    slim_tunnels_init(&tunnels, pair.loop);
    struct slim_tunnel *tunnel;
    struct outcome outcome = {0};
    const struct slim_tunnel_options tunnel_options = {
        .proxy = &proxy, .request = SLIM_VIEW("CONNECT a:1 HTTP/1.1\r\n\r\n"), .tls = tls};
    CHECK_OK(slim_tunnel_open(&tunnels, &tunnel_options, on_done, &outcome, &tunnel));
    TURN_UNTIL(&pair, outcome.is_done);
    CHECK(outcome.status == SLIM_OK);

    uint8_t *out = malloc(PIECE);
    uint8_t *in = malloc(PIECE);
    size_t sent = 0;
    size_t received = 0;
    while (received < TOTAL + 5) {
        size_t want = TOTAL - sent < PIECE ? TOTAL - sent : PIECE;
        for (size_t i = 0; i < want; i++) {
            out[i] = (uint8_t)((sent + i) * 31 >> 3);
        }
        ssize_t put = want == 0 ? 0 : send(outcome.fd, out, want, MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += put > 0 ? (size_t)put : 0;
        slim_loop_turn(pair.loop, put > 0 ? 0 : 20);
        /* read late: what comes back has to wait in between */
        ssize_t got = sent < TOTAL / 2 && put > 0 ? 0 : recv(outcome.fd, in, PIECE, MSG_DONTWAIT);
        for (ssize_t i = 0; i < got; i++, received++) {
            uint8_t want_byte =
                received < 5 ? (uint8_t) "early"[received] : (uint8_t)((received - 5) * 31 >> 3);
            CHECK(in[i] == want_byte);
        }
    }
    CHECK(slim_list_is_linked(&tunnels.list));
    close(outcome.fd);
    TURN_UNTIL(&pair, slim_list_is_empty(&tunnels.list));
    CHECK(pthread_join(echo.thread, NULL) == 0);
    CHECK(echo.echoed == TOTAL);
    free(out);
    free(in);
    close(echo.listener);
    slim_tunnels_fini(&tunnels);
    pair_free(&pair);
}

static void a_tunnel_that_is_given_up_says_nothing(void **state)
{
    (void)state;
    struct pair pair = {0};
    CHECK_OK(slim_loop_new(&pair.loop));
    struct slim_endpoint proxy;
    CHECK_OK(slim_endpoint_parse(SLIM_VIEW("http://127.0.0.1:1"), &proxy, NULL));
    struct slim_tunnels tunnels;
    slim_tunnels_init(&tunnels, pair.loop);
    const struct slim_tunnel_options options = {.proxy = &proxy, .request = SLIM_VIEW("x")};
    struct outcome outcome = {0};
    struct slim_tunnel *tunnel;
    CHECK_OK(slim_tunnel_open(&tunnels, &options, on_done, &outcome, &tunnel));
    slim_tunnel_cancel(tunnel);
    slim_tunnel_cancel(NULL);
    slim_loop_turn(pair.loop, 0);
    CHECK(!outcome.is_done);
    CHECK_OK(slim_tunnel_open(&tunnels, &options, on_done, &outcome, &tunnel));
    TURN_UNTIL(&pair, outcome.is_done);
    CHECK_ROW("nobody listens there", outcome.status == SLIM_ERR_CONNECT);
    CHECK_OK(slim_tunnel_open(&tunnels, &options, on_done, &outcome, &tunnel));
    slim_tunnels_fini(&tunnels);
    slim_loop_free(pair.loop);
}

static int set_up(void **state)
{
    (void)state;
    certs_world_make(&world);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    certs_world_free(&world);
    return 0;
}

int main(void)
{
    (void)setenv("SSL_CERT_FILE", "/dev/null", 1); /* the system's roots have no part in this */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_pass_both_ways_through_narrow_sockets),
        cmocka_unit_test(what_waits_is_sent_before_goodbye),
        cmocka_unit_test(a_peer_that_reads_slowly_costs_a_bounded_queue),
        cmocka_unit_test(refusals_reach_both_ends_in_words),
        cmocka_unit_test(strangers_are_told_from_silence),
        cmocka_unit_test(an_established_peer_has_no_deadline),
        cmocka_unit_test(a_relay_carries_much_both_ways_at_once),
        cmocka_unit_test(a_tunnel_that_is_given_up_says_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
