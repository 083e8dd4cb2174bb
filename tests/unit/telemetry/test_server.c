/* The page's server, asked over real sockets. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "sample.h"
#include "telemetry/limits.h"

struct fixture {
    struct slim_loop *loop;
    struct slim_telemetry_server *server;
    uint16_t port;
    size_t collect_count;
};

static enum slim_status count_and_collect(void *ctx, struct slim_telemetry_snapshot **snapshot)
{
    struct fixture *f = ctx;
    f->collect_count++;
    return sample_collect(NULL, snapshot);
}

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(fd, (struct sockaddr *)&address, len) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void set_up(struct fixture *f)
{
    struct slim_error error;
    *f = (struct fixture){.port = free_port()};
    CHECK_OK(slim_loop_new(&f->loop));
    CHECK_OK(slim_telemetry_server_load(&error));
    char address[32];
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", f->port);
    CHECK_OK(slim_telemetry_server_new(f->loop, address, count_and_collect, f, &f->server, &error));
}

static void tear_down(struct fixture *f)
{
    slim_telemetry_server_free(f->server);
    slim_loop_turn(f->loop, 0);
    slim_loop_free(f->loop);
}

static int dial(const struct fixture *f)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(f->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    return fd;
}

/* Read until the peer closes, or `needle` came, or `limit_ms` are over. Adds a zero. */
static void read_until(const struct fixture *f, int fd, const char *needle, uint64_t limit_ms,
                       char *out, size_t size)
{
    size_t len = 0;
    uint64_t end_ms = slim_clock_ms() + limit_ms;
    out[0] = 0;
    while (strstr(out, needle) == NULL && slim_clock_ms() < end_ms) {
        slim_loop_turn(f->loop, 5);
        ssize_t got = read(fd, out + len, size - 1 - len);
        if (got == 0) {
            return;
        }
        len += got > 0 ? (size_t)got : 0;
        out[len] = 0;
    }
}

static void ask(const struct fixture *f, const char *request, const char *want)
{
    static char answer[65536];
    int fd = dial(f);
    CHECK(write(fd, request, strlen(request)) == (ssize_t)strlen(request));
    read_until(f, fd, want, 5000, answer, sizeof(answer));
    if (strstr(answer, want) == NULL) {
        print_error("answer: %s\n", answer);
    }
    CHECK_ROW(request, strstr(answer, want) != NULL);
    close(fd);
}

static void only_the_page_is_there(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    static const struct {
        const char *request;
        const char *want;
    } rows[] = {
        {"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "slim_connection_queue_bytes{service"},
        {"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "Content-Type: text/plain; version=0.0.4"},
        {"GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200"},
        {"HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200"},
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404"},
        {"GET /metrics/ HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404"},
        {"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 405"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        ask(&f, rows[i].request, rows[i].want);
    }
    tear_down(&f);
}

static void many_scrapes_at_once_cost_one_page(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    uint64_t start_ms = slim_clock_ms();
    for (int i = 0; i < 50; i++) {
        ask(&f, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200");
    }
    uint64_t pages_max = (slim_clock_ms() - start_ms) / SLIM_TELEMETRY_PAGE_AGE_MS + 2;
    CHECK(f.collect_count <= pages_max);
    tear_down(&f);
}

static void scrapers_beyond_the_limit_are_closed(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    int fds[SLIM_TELEMETRY_SCRAPERS_MAX + 1];
    for (size_t i = 0; i < SLIM_COUNT(fds); i++) {
        fds[i] = dial(&f);
        slim_loop_turn(f.loop, 5);
    }
    char byte[2];
    uint64_t end_ms = slim_clock_ms() + 5000;
    ssize_t got = -1;
    while (got != 0 && slim_clock_ms() < end_ms) {
        slim_loop_turn(f.loop, 5);
        got = read(fds[SLIM_TELEMETRY_SCRAPERS_MAX], byte, 1);
    }
    CHECK(got == 0); /* the one too many */
    CHECK(read(fds[0], byte, 1) < 0);
    close(fds[0]); /* room for another */
    for (int i = 0; i < 10; i++) {
        slim_loop_turn(f.loop, 5);
    }
    ask(&f, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200");
    for (size_t i = 1; i < SLIM_COUNT(fds); i++) {
        close(fds[i]);
    }
    tear_down(&f);
}

static void taken_address_is_told(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    static const struct {
        const char *why;
        const char *address;
        enum slim_status want;
        const char *text;
    } rows[] = {
        {"no port", "127.0.0.1", SLIM_ERR_CONFIG, "invalid socket address syntax"},
        {"a name", "localhost:1", SLIM_ERR_CONFIG, "invalid socket address syntax"},
    };
    struct slim_telemetry_server *server = NULL;
    struct slim_error error;
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        CHECK_ROW(rows[i].why, slim_telemetry_server_new(f.loop, rows[i].address, sample_collect,
                                                         NULL, &server, &error) == rows[i].want);
        CHECK_ROW(rows[i].why, strcmp(error.text, rows[i].text) == 0);
    }
    char address[32];
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", f.port);
    CHECK(slim_telemetry_server_new(f.loop, address, sample_collect, NULL, &server, &error) ==
          SLIM_ERR_BIND);
    assert_string_equal(error.text, "Address already in use (os error 98)");
    CHECK(server == NULL);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_page_is_there),
        cmocka_unit_test(many_scrapes_at_once_cost_one_page),
        cmocka_unit_test(scrapers_beyond_the_limit_are_closed),
        cmocka_unit_test(taken_address_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
