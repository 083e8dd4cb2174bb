/* The exporter and collectors that are not there. One that is: tests/system/test_telemetry.py. */
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "sample.h"
#include "telemetry/limits.h"

static struct slim_telemetry_exporter *exporter_of(struct slim_loop *loop, const char *endpoint)
{
    const struct slim_telemetry_exporter_options options = {
        .endpoint = endpoint,
        .resource = {"name", "1", "test", "me"},
        .interval_ms = 1, /* the least there is */
    };
    struct slim_telemetry_exporter *exporter = NULL;
    struct slim_error error;
    CHECK_OK(slim_telemetry_exporter_new(loop, &options, sample_collect, NULL, &exporter, &error));
    return exporter;
}

static uint64_t value_of(const struct slim_telemetry_exporter *exporter,
                         enum slim_telemetry_family family, const char *label)
{
    struct slim_telemetry_values values = {.count = 0};
    slim_telemetry_exporter_observe(exporter, &values);
    for (size_t i = 0; i < values.count; i++) {
        if (values.list[i].family == family &&
            (label == NULL || strcmp(values.list[i].label, label) == 0)) {
            return values.list[i].value;
        }
    }
    fail_msg("no such value");
    return 0;
}

/* A port of 127.0.0.1 that refuses connections while *fd is open, bound and not listening. */
static uint16_t refusing_port(int *fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    *fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(*fd, (struct sockaddr *)&address, len) == 0);
    CHECK(getsockname(*fd, (struct sockaddr *)&address, &len) == 0);
    return ntohs(address.sin_port);
}

static void dead_collector_is_asked_less_and_less(void **state)
{
    (void)state;
    struct slim_loop *loop = NULL;
    CHECK_OK(slim_loop_new(&loop));
    int fd;
    char endpoint[64];
    (void)snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%u", refusing_port(&fd));
    struct slim_telemetry_exporter *exporter = exporter_of(loop, endpoint);
    uint64_t start_ms = slim_clock_ms();
    uint64_t end_ms = start_ms + 20000;
    while (value_of(exporter, SLIM_TELEMETRY_EXPORTS, "failed") < 3 && slim_clock_ms() < end_ms) {
        slim_loop_turn(loop, 100);
    }
    CHECK(value_of(exporter, SLIM_TELEMETRY_EXPORTS, "failed") == 3);
    /* 100 ms, then pauses of 200 and 400 */
    CHECK(slim_clock_ms() - start_ms >= 700 - 10);
    CHECK(value_of(exporter, SLIM_TELEMETRY_EXPORTS, "ok") == 0);
    slim_telemetry_exporter_free(exporter);
    slim_loop_free(loop);
    close(fd);
}

static void mark(void *ctx)
{
    *(bool *)ctx = true;
}

static void spans_beyond_the_limit_push_the_oldest_out(void **state)
{
    (void)state;
    struct slim_loop *loop = NULL;
    CHECK_OK(slim_loop_new(&loop));
    struct slim_telemetry_exporter *exporter = exporter_of(loop, "http://127.0.0.1:1");
    const struct slim_telemetry_span span = {.name = "x"};
    for (size_t i = 0; i < SLIM_TELEMETRY_SPANS_MAX; i++) {
        slim_telemetry_exporter_put(exporter, &span);
    }
    CHECK(value_of(exporter, SLIM_TELEMETRY_SPANS_DROPPED, NULL) == 0);
    slim_telemetry_exporter_put(exporter, &span);
    slim_telemetry_exporter_put(exporter, &span);
    CHECK(value_of(exporter, SLIM_TELEMETRY_SPANS_DROPPED, NULL) == 2);
    bool is_done = false;
    slim_telemetry_exporter_finish(exporter, 1000, mark, &is_done);
    CHECK(is_done); /* nobody is there: no waiting */
    slim_telemetry_exporter_free(exporter);
    slim_loop_free(loop);
}

/* Run turns until the exporter spoke to the collector that listens on `fd`; the connection. */
static int wait_for_export(struct slim_loop *loop, int fd)
{
    uint64_t end_ms = slim_clock_ms() + 20000;
    int conn = -1;
    uint8_t byte;
    while (conn < 0 || recv(conn, &byte, 1, MSG_DONTWAIT) != 1) {
        slim_loop_turn(loop, 10);
        conn = conn < 0 ? accept(fd, NULL, NULL) : conn;
        CHECK(slim_clock_ms() < end_ms);
    }
    return conn;
}

static void silent_collector_is_given_up(void **state)
{
    (void)state;
    struct slim_loop *loop = NULL;
    CHECK_OK(slim_loop_new(&loop));
    int fd;
    char endpoint[64];
    (void)snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%u", refusing_port(&fd));
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    CHECK(listen(fd, 1) == 0);
    struct slim_telemetry_exporter *exporter = exporter_of(loop, endpoint);
    int conn = wait_for_export(loop, fd); /* and never answer */
    bool is_done = false;
    slim_telemetry_exporter_finish(exporter, 50, mark, &is_done);
    CHECK(!is_done);
    uint64_t end_ms = slim_clock_ms() + 20000;
    while (!is_done && slim_clock_ms() < end_ms) {
        slim_loop_turn(loop, 20);
    }
    CHECK(is_done);
    CHECK(value_of(exporter, SLIM_TELEMETRY_EXPORTS, "failed") == 1);
    slim_telemetry_exporter_free(exporter);
    slim_loop_turn(loop, 0);
    slim_loop_free(loop);
    close(conn);
    close(fd);
}

static void bad_endpoints_are_refused(void **state)
{
    (void)state;
    struct slim_loop *loop = NULL;
    CHECK_OK(slim_loop_new(&loop));
    static const char *const endpoints[] = {"", "collector:4317", "ftp://a", "http://"};
    for (size_t i = 0; i < SLIM_COUNT(endpoints); i++) {
        const struct slim_telemetry_exporter_options options = {
            .endpoint = endpoints[i], .resource = {"", "", "", ""}, .interval_ms = 1000};
        struct slim_telemetry_exporter *exporter = NULL;
        struct slim_error error;
        CHECK_ROW(endpoints[i], slim_telemetry_exporter_new(loop, &options, sample_collect, NULL,
                                                            &exporter, &error) == SLIM_ERR_CONFIG);
        CHECK_ROW(endpoints[i], exporter == NULL && error.text[0] != 0);
    }
    slim_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dead_collector_is_asked_less_and_less),
        cmocka_unit_test(spans_beyond_the_limit_push_the_oldest_out),
        cmocka_unit_test(silent_collector_is_given_up),
        cmocka_unit_test(bad_endpoints_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
