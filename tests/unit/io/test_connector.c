#include "io/connector.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io/listener.h"
#include "support/check.h"

struct outcome {
    int count;
    enum slim_status status;
    int fd;
    char text[160];
    int accepted_count;
    int accepted_fds[8];
};

static void on_done(void *ctx, enum slim_status status, int fd, const char *text)
{
    struct outcome *outcome = ctx;
    outcome->count++;
    outcome->status = status;
    outcome->fd = fd;
    (void)snprintf(outcome->text, sizeof(outcome->text), "%s", text);
}

static void on_accept(void *ctx, int fd, const struct slim_address *peer)
{
    (void)peer;
    struct outcome *outcome = ctx;
    if (outcome->accepted_count < 8) {
        outcome->accepted_fds[outcome->accepted_count] = fd;
    }
    outcome->accepted_count++;
}

static void close_all(struct outcome *outcome)
{
    if (outcome->fd >= 0) {
        close(outcome->fd);
    }
    for (int i = 0; i < outcome->accepted_count && i < 8; i++) {
        close(outcome->accepted_fds[i]);
    }
}

static struct slim_listener *listen_on(struct slim_loop *loop, const char *text,
                                       struct outcome *outcome)
{
    struct slim_address address;
    struct slim_listener *listener;
    CHECK_OK(slim_address_parse(slim_view_str(text), &address, NULL));
    CHECK_OK(slim_listener_new(loop, &address, on_accept, outcome, &listener, NULL));
    return listener;
}

/* "http://HOST:<port of the listener>". */
static struct slim_endpoint endpoint_of(const struct slim_listener *listener, const char *host)
{
    char formatted[64];
    char text[96];
    slim_address_format(slim_listener_address(listener), formatted, sizeof(formatted));
    (void)snprintf(text, sizeof(text), "http://%s%s", host, strrchr(formatted, ':'));
    struct slim_endpoint endpoint;
    CHECK_OK(slim_endpoint_parse(slim_view_str(text), &endpoint, NULL));
    return endpoint;
}

static void connects_by_address_and_by_name(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    for (size_t i = 0; i < SLIM_COUNT(hosts); i++) {
        struct slim_loop *loop;
        struct outcome outcome = {.fd = -1};
        CHECK_OK(slim_loop_new(&loop));
        struct slim_listener *listener = listen_on(loop, "127.0.0.1:0", &outcome);
        struct slim_endpoint endpoint = endpoint_of(listener, hosts[i]);
        struct slim_connector *connector;
        CHECK_OK(slim_connector_new(loop, &endpoint, 5000, on_done, &outcome, &connector));
        CHECK_ROW("never from inside", outcome.count == 0);
        while (outcome.count == 0 || outcome.accepted_count == 0) {
            slim_loop_turn(loop, -1);
        }
        CHECK_ROW(hosts[i], outcome.status == SLIM_OK && outcome.fd >= 0);
        close_all(&outcome);
        slim_listener_free(listener);
        slim_loop_free(loop);
    }
}

static void unix_socket_connects_and_a_stale_file_is_replaced(void **state)
{
    (void)state;
    struct slim_loop *loop;
    struct outcome outcome = {.fd = -1};
    CHECK_OK(slim_loop_new(&loop));
    char directory[] = "/tmp/slim-test-XXXXXX";
    CHECK(mkdtemp(directory) != NULL);
    char text[96];
    (void)snprintf(text, sizeof(text), "unix://%s/s", directory);
    struct slim_address address;
    CHECK_OK(slim_address_parse(slim_view_str(text), &address, NULL));
    int stale =
        socket(AF_UNIX, SOCK_STREAM, 0); /* bound, never listened on, then closed: its file stays */
    CHECK(bind(stale, (struct sockaddr *)&address.storage, address.len) == 0);
    close(stale);
    struct slim_listener *listener = listen_on(loop, text, &outcome);
    struct slim_listener *second;
    struct slim_error error = {0};
    CHECK_ROW("a socket somebody listens on stays",
              slim_listener_new(loop, &address, on_accept, &outcome, &second, &error) ==
                  SLIM_ERR_BIND);
    struct slim_endpoint endpoint;
    CHECK_OK(slim_endpoint_parse(slim_view_str(text), &endpoint, NULL));
    struct slim_connector *connector;
    CHECK_OK(slim_connector_new(loop, &endpoint, 0, on_done, &outcome, &connector));
    while (outcome.count == 0) {
        slim_loop_turn(loop, -1);
    }
    CHECK(outcome.status == SLIM_OK);
    close_all(&outcome);
    slim_listener_free(listener);
    CHECK_ROW("its file is gone", access(text + 7, F_OK) != 0);
    CHECK(rmdir(directory) == 0);
    slim_loop_free(loop);
}

static void refusal_and_unknown_host_are_told_in_words(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        enum slim_status want;
        const char *text;
    } rows[] = {
        {"127.0.0.1", SLIM_ERR_CONNECT, "Connection refused (os error 111)"},
        {"no-such-host.invalid", SLIM_ERR_RESOLVE, "failed to look up address information"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_loop *loop;
        struct outcome outcome = {.fd = -1};
        CHECK_OK(slim_loop_new(&loop));
        struct slim_listener *listener = listen_on(loop, "127.0.0.1:0", &outcome);
        struct slim_endpoint endpoint = endpoint_of(listener, rows[i].host);
        slim_listener_free(listener); /* nobody listens on that port now */
        struct slim_connector *connector;
        CHECK_OK(slim_connector_new(loop, &endpoint, 0, on_done, &outcome, &connector));
        while (outcome.count == 0) {
            slim_loop_turn(loop, -1);
        }
        CHECK_ROW(rows[i].host, outcome.status == rows[i].want && outcome.fd == -1);
        CHECK_ROW(rows[i].host, strncmp(outcome.text, rows[i].text, strlen(rows[i].text)) == 0);
        slim_loop_free(loop);
    }
}

static void cancelled_attempt_says_nothing(void **state)
{
    (void)state;
    struct slim_loop *loop;
    struct outcome outcome = {.fd = -1};
    CHECK_OK(slim_loop_new(&loop));
    struct slim_endpoint endpoint;
    CHECK_OK(slim_endpoint_parse(SLIM_VIEW("http://localhost:1"), &endpoint, NULL));
    struct slim_connector *connector;
    CHECK_OK(slim_connector_new(loop, &endpoint, 0, on_done, &outcome, &connector));
    slim_connector_cancel(connector);
    slim_connector_cancel(NULL);
    for (int i = 0; i < 20; i++) {
        slim_loop_turn(loop, 5); /* the look-up's thread may still be on its way */
    }
    CHECK(outcome.count == 0);
    slim_loop_free(loop);
}

static void out_of_descriptors_accepting_rests_and_goes_on(void **state)
{
    (void)state;
    struct slim_loop *loop;
    struct outcome outcome = {.fd = -1};
    CHECK_OK(slim_loop_new(&loop));
    struct slim_listener *listener = listen_on(loop, "127.0.0.1:0", &outcome);
    const struct slim_address *address = slim_listener_address(listener);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(client, (const struct sockaddr *)&address->storage, address->len) == 0);
    struct rlimit before;
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    struct rlimit none = {.rlim_cur = 3, .rlim_max = before.rlim_max};
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    int turns = 0;
    uint64_t end_ms = slim_loop_now_ms(loop) + 300;
    while (slim_loop_now_ms(loop) < end_ms) {
        slim_loop_turn(loop, 50);
        turns++;
    }
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(outcome.accepted_count == 0);
    CHECK_ROW("no spin", turns < 30);
    while (outcome.accepted_count == 0) {
        slim_loop_turn(loop, -1);
    }
    close(client);
    close_all(&outcome);
    slim_listener_free(listener);
    slim_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connects_by_address_and_by_name),
        cmocka_unit_test(unix_socket_connects_and_a_stale_file_is_replaced),
        cmocka_unit_test(refusal_and_unknown_host_are_told_in_words),
        cmocka_unit_test(cancelled_attempt_says_nothing),
        cmocka_unit_test(out_of_descriptors_accepting_rests_and_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
