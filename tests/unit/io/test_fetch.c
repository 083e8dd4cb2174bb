/* What fetches need no server for; tests/interop/test_auth_links.py has one. */
#include "io/fetch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/check.h"

struct outcome {
    int count;
    int http_status;
    char problem[256];
};

static void on_done(void *ctx, int http_status, struct slim_view body, const char *problem)
{
    struct outcome *outcome = ctx;
    CHECK(body.len == 0);
    outcome->count++;
    outcome->http_status = http_status;
    (void)snprintf(outcome->problem, sizeof(outcome->problem), "%s", problem); /* fits */
}

/* A socket that listens and never answers; its port. */
static int silent_server(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
    CHECK(listen(fd, 8) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static struct slim_fetch *start(struct slim_loop *loop, const char *url, uint64_t timeout_ms,
                                struct outcome *outcome)
{
    const struct slim_fetch_request request = {
        .url = slim_view_str(url),
        .user_agent = SLIM_VIEW("test"),
        .authorization = SLIM_VIEW("Basic c2VjcmV0"),
        .body = SLIM_VIEW("a=b"),
        .timeout_ms = timeout_ms,
        .bytes_max = 1000,
    };
    struct slim_fetch *fetch;
    CHECK_OK(slim_fetch_new(loop, &request, on_done, outcome, &fetch));
    CHECK(outcome->count == 0);
    return fetch;
}

/* Runs first: nothing is open yet. */
static void a_missing_library_is_a_sentence_that_names_the_package(void **state)
{
    (void)state;
    struct slim_error error = {0};
    CHECK(slim_fetch_open("libslim-no-such-thing.so.4", &error) == SLIM_ERR_CONFIG);
    CHECK(strstr(error.text, "libslim-no-such-thing.so.4") != NULL);
    CHECK(strstr(error.text, "package libcurl4") != NULL);
    CHECK(slim_fetch_open("libm.so.6", &error) == SLIM_ERR_CONFIG); /* opens, and is another one */
    CHECK(strstr(error.text, "package libcurl4") != NULL);
    CHECK_OK(slim_fetch_open(NULL, &error));
    CHECK_OK(slim_fetch_open(NULL, &error));
}

static void what_cannot_be_fetched_is_answered_with_a_reason(void **state)
{
    (void)state;
    uint16_t port;
    int fd = silent_server(&port);
    char silent[64];
    (void)snprintf(silent, sizeof(silent), "https://127.0.0.1:%u/keys", port); /* fits */
    const struct {
        const char *why;
        const char *url;
        uint64_t timeout_ms;
        const char *problem;
    } rows[] = {
        {"nobody listens", "https://127.0.0.1:1/keys", 20000, "connect"},
        {"not encrypted", "http://127.0.0.1:1/keys", 20000, "http"},
        {"a file", "file:///etc/passwd", 20000, "file"},
        {"no URL", "keys", 20000, "http"},
        {"no answer in time", silent, 100, "time"},
    };
    struct slim_loop *loop;
    CHECK_OK(slim_loop_new(&loop));
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct outcome outcome = {0};
        (void)start(loop, rows[i].url, rows[i].timeout_ms, &outcome); /* it frees itself */
        while (outcome.count == 0) {
            slim_loop_turn(loop, -1);
        }
        CHECK_ROW(rows[i].why, outcome.count == 1 && outcome.http_status == 0);
        CHECK_ROW(outcome.problem, strcasestr(outcome.problem, rows[i].problem) != NULL);
    }
    slim_loop_free(loop);
    close(fd);
}

static void a_cancelled_fetch_ends_at_once_without_an_answer(void **state)
{
    (void)state;
    uint16_t port;
    int fd = silent_server(&port);
    char url[64];
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%u/keys", port); /* fits */
    struct slim_loop *loop;
    CHECK_OK(slim_loop_new(&loop));
    struct outcome outcome = {0};
    for (int i = 0; i < 8; i++) {
        struct slim_fetch *fetch = start(loop, url, 600000, &outcome);
        if (i % 2 == 0) {
            slim_loop_turn(loop, 20);
        }
        slim_fetch_cancel(fetch); /* comes back long before the time is over */
        if (i % 4 < 2) {
            slim_loop_turn(loop, 0);
        }
    }
    slim_fetch_cancel(NULL);
    slim_loop_free(loop); /* frees what is posted */
    CHECK(outcome.count == 0);
    close(fd);
}

static void sweep(void)
{
    struct slim_loop *loop;
    if (slim_loop_new(&loop) != SLIM_OK) {
        return;
    }
    struct outcome outcome = {0};
    const struct slim_fetch_request request = {
        .url = SLIM_VIEW("https://127.0.0.1:1/"),
        .user_agent = SLIM_VIEW("test"),
        .authorization = SLIM_VIEW("Basic c2VjcmV0"),
        .body = SLIM_VIEW("a=b"),
        .timeout_ms = 1000,
        .bytes_max = 1000,
    };
    struct slim_fetch *fetch;
    if (slim_fetch_new(loop, &request, on_done, &outcome, &fetch) == SLIM_OK) {
        slim_fetch_cancel(fetch);
    }
    slim_loop_free(loop);
}

static void out_of_memory_is_a_status(void **state)
{
    (void)state;
    slim_sweep_alloc(sweep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_library_is_a_sentence_that_names_the_package),
        cmocka_unit_test(what_cannot_be_fetched_is_answered_with_a_reason),
        cmocka_unit_test(a_cancelled_fetch_ends_at_once_without_an_answer),
        cmocka_unit_test(out_of_memory_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
