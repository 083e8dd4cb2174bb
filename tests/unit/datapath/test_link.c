/* Links to peers that close, refuse or say nothing, and links that are ended before they are up (wire.md 7.2, 7.4, 7.6). */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine.h"
#include "grpc/grpc.h"

/* What on_connected said, and how often. */
struct outcome {
    size_t count;
    enum slim_status status;
};

/* A port where somebody accepts. answers: a gRPC server that refuses every call with this status; else nothing is said. */
struct fixture {
    struct slim_loop *loop;
    struct slim_datapath *datapath;
    struct outcome outcome;
    int listen_fd;
    uint16_t port;
    size_t accept_count;
    bool is_closing;
    enum slim_grpc_status answer;
    int fd;
    struct slim_grpc_conn *conn;
};

static void on_connected(void *ctx, enum slim_status status, uint64_t conn_id, const char *text)
{
    (void)conn_id;
    (void)text;
    struct outcome *outcome = ctx;
    outcome->count++;
    outcome->status = status;
}

static void refuse(void *ctx, struct slim_grpc_call *call, const struct slim_grpc_request *request)
{
    (void)request;
    struct fixture *f = ctx;
    slim_grpc_call_finish(call, f->answer, SLIM_VIEW("no"), true);
}

static void set_up(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    CHECK_OK(slim_loop_new(&f->loop));
    f->datapath = test_engine_new(f->loop);
    f->fd = -1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    f->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(bind(f->listen_fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
    CHECK(listen(f->listen_fd, 64) == 0);
    CHECK(getsockname(f->listen_fd, (struct sockaddr *)&address, &len) == 0);
    f->port = ntohs(address.sin_port);
}

static void tear_down(struct fixture *f)
{
    slim_datapath_free(f->datapath);
    slim_grpc_conn_free(f->conn);
    if (f->fd >= 0) {
        close(f->fd);
    }
    close(f->listen_fd);
    slim_loop_free(f->loop);
}

static void serve(struct fixture *f)
{
    static const struct slim_grpc_handler handler = {.on_call = refuse};
    int fd = accept4(f->listen_fd, NULL, NULL, SOCK_NONBLOCK);
    if (fd >= 0) {
        f->accept_count++;
        if (f->is_closing || f->fd >= 0) {
            close(fd);
        } else {
            f->fd = fd;
        }
    }
    if (f->fd < 0 || f->answer == SLIM_GRPC_OK) {
        return;
    }
    if (f->conn == NULL) {
        struct slim_grpc_options options = slim_grpc_options_default(true);
        CHECK_OK(slim_grpc_conn_new(&options, &handler, f, slim_loop_heap(f->loop),
                                    slim_loop_pool(f->loop), 1, &f->conn));
    }
    uint8_t buffer[4096];
    ssize_t got = recv(f->fd, buffer, sizeof(buffer), 0);
    if (got > 0) {
        enum slim_status status =
            slim_grpc_conn_take(f->conn, slim_view_of(buffer, (size_t)got), 1);
        CHECK(status == SLIM_OK || status == SLIM_ERR_CLOSED);
    }
    struct iovec iov[16];
    struct msghdr message = {.msg_iov = iov};
    message.msg_iovlen = slim_grpc_conn_output(f->conn, iov, SLIM_COUNT(iov), sizeof(buffer));
    if (message.msg_iovlen > 0) {
        ssize_t sent = sendmsg(f->fd, &message, MSG_NOSIGNAL);
        slim_grpc_conn_sent(f->conn, sent > 0 ? (size_t)sent : 0);
    }
}

static void run_for(struct fixture *f, uint64_t ms)
{
    uint64_t end_ms = slim_loop_now_ms(f->loop) + ms;
    while (slim_loop_now_ms(f->loop) < end_ms) {
        slim_loop_turn(f->loop, 5);
        serve(f);
    }
}

#define RUN_UNTIL(f, condition)                                                                    \
    do {                                                                                           \
        uint64_t end_ms_ = slim_loop_now_ms((f)->loop) + 20000;                                    \
        while (!(condition)) {                                                                     \
            run_for((f), 1);                                                                       \
            CHECK_ROW(#condition, slim_loop_now_ms((f)->loop) < end_ms_);                          \
        }                                                                                          \
    } while (0)

/* Connect to "http://<host>:<our port>", or to `host` itself when it is a whole endpoint. */
static void dial(struct fixture *f, const char *host, uint64_t max_attempts)
{
    char endpoint[64];
    if (strchr(host, ':') != NULL) {
        (void)snprintf(endpoint, sizeof(endpoint), "%s", host);
    } else {
        (void)snprintf(endpoint, sizeof(endpoint), "http://%s:%u", host, (unsigned)f->port);
    }
    struct slim_config_client client = {
        .endpoint = endpoint,
        .tls.is_insecure = true,
        .request_timeout_ms = 200,
        .backoff = {.kind = SLIM_CONFIG_BACKOFF_FIXED,
                    .interval_ms = 1,
                    .max_attempts = max_attempts},
    };
    CHECK_OK(slim_datapath_connect(f->datapath, &client, on_connected, &f->outcome, NULL));
    CHECK_ROW("never from inside", f->outcome.count == 0);
}

static void peer_that_closes_at_once_is_dialled_again_but_not_in_a_hot_loop(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    f.is_closing = true;
    dial(&f, "127.0.0.1", UINT64_MAX);
    uint64_t from_ms = slim_loop_now_ms(f.loop);
    RUN_UNTIL(&f, f.accept_count == 5);
    CHECK(slim_loop_now_ms(f.loop) - from_ms >= 300); /* the interval says 1 ms, the limit 100 */
    CHECK(f.outcome.count == 0);
    tear_down(&f);
}

static void peer_that_never_answers_is_given_up_after_its_attempts(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    dial(&f, "127.0.0.1", 1);
    RUN_UNTIL(&f, f.outcome.count > 0);
    CHECK(f.accept_count == 2 && f.outcome.count == 1);
    CHECK(f.outcome.status == SLIM_ERR_TIMEOUT || f.outcome.status == SLIM_ERR_CLOSED);
    f.outcome.count = 0;
    dial(&f, "127.0.0.1", 0); /* the endpoint is free again */
    tear_down(&f);
}

static void refusal_is_final_or_not(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        enum slim_grpc_status answer;
        bool is_final;
    } rows[] = {
        {"HTTP 401", SLIM_GRPC_UNAUTHENTICATED, true},
        {"not allowed", SLIM_GRPC_PERMISSION_DENIED, true},
        {"not a SLIM node", SLIM_GRPC_UNIMPLEMENTED, true},
        {"it is stopping", SLIM_GRPC_UNAVAILABLE, false},
        {"it is full", SLIM_GRPC_RESOURCE_EXHAUSTED, false},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct fixture f;
        set_up(&f);
        f.answer = rows[i].answer;
        dial(&f, "127.0.0.1", UINT64_MAX);
        if (rows[i].is_final) {
            RUN_UNTIL(&f, f.outcome.count > 0);
            CHECK_ROW(rows[i].why, f.accept_count == 1 && f.outcome.status == SLIM_ERR_DENIED);
        } else {
            RUN_UNTIL(&f, f.accept_count > 1);
            CHECK_ROW(rows[i].why, f.outcome.count == 0);
        }
        tear_down(&f);
    }
}

static void mark(void *ctx)
{
    *(bool *)ctx = true;
}

static const struct {
    const char *why;
    const char *host;
    bool is_closing;
    uint64_t after_ms;
} stages[] = {
    {"before the first turn", "127.0.0.1", false, 0},
    {"while the headers of the answer are missing", "127.0.0.1", false, 50},
    {"while it waits for the next attempt", "127.0.0.1", true, 50},
    {"while a name is looked up", "localhost", false, 0},
    {"after a name was looked up", "localhost", false, 50},
    {"a socket file that is not there", "unix:///nonexistent/socket", false, 50},
};

static void drain_ends_links_that_are_not_up_and_tells_who_waits(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLIM_COUNT(stages); i++) {
        struct fixture f;
        set_up(&f);
        f.is_closing = stages[i].is_closing;
        dial(&f, stages[i].host, UINT64_MAX);
        run_for(&f, stages[i].after_ms);
        bool is_drained = false;
        slim_datapath_drain(f.datapath, mark, &is_drained);
        CHECK_ROW(stages[i].why, f.outcome.count == 1 && f.outcome.status == SLIM_ERR_STATE);
        RUN_UNTIL(&f, is_drained);
        struct slim_config_client client = {.endpoint = (char *)"http://127.0.0.1:1"};
        CHECK(slim_datapath_connect(f.datapath, &client, on_connected, &f.outcome, NULL) ==
              SLIM_ERR_STATE);
        tear_down(&f);
    }
}

static void engine_can_be_freed_while_a_link_is_not_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLIM_COUNT(stages); i++) {
        struct fixture f;
        set_up(&f);
        f.is_closing = stages[i].is_closing;
        dial(&f, stages[i].host, UINT64_MAX);
        run_for(&f, stages[i].after_ms);
        tear_down(&f);
        CHECK_ROW(stages[i].why, f.outcome.count == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peer_that_closes_at_once_is_dialled_again_but_not_in_a_hot_loop),
        cmocka_unit_test(peer_that_never_answers_is_given_up_after_its_attempts),
        cmocka_unit_test(refusal_is_final_or_not),
        cmocka_unit_test(drain_ends_links_that_are_not_up_and_tells_who_waits),
        cmocka_unit_test(engine_can_be_freed_while_a_link_is_not_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
