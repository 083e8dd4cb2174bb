#include "unit/grpc/pair.h"

static void check_log(struct side *side, const char *why, const char *want)
{
    if (strcmp(side->log, want) != 0) {
        print_error("%s\n--- want\n%s--- got\n%s", why, want, side->log);
        fail_msg("log differs");
    }
}

static const size_t splits[] = {0, 1, 2, 3, 5, 7, 9, 13, 64, 1000, SIZE_MAX};

static void messages_travel_both_ways_however_the_bytes_are_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLIM_COUNT(splits); i++) {
        struct pair pair;
        pair_open(&pair);
        pair.split = splits[i];
        struct slim_grpc_call *call = pair_start(&pair);
        CHECK_OK(slim_grpc_call_put_message(call, SLIM_VIEW("early")));
        pair_run(&pair);
        CHECK_OK(slim_grpc_call_put_message(call, SLIM_VIEW("one")));
        CHECK_OK(slim_grpc_call_put_message(call, SLIM_VIEW("")));
        CHECK_OK(slim_grpc_call_put_message(call, SLIM_VIEW("three")));
        CHECK_OK(slim_grpc_call_put_message(pair.server.last_call, SLIM_VIEW("back")));
        pair_run(&pair);
        check_log(&pair.server, "server",
                  "call /dataplane.proto.v1.DataPlaneService/OpenChannel\nmsg 5 early\nmsg 3 "
                  "one\nmsg 0 \nmsg 5 three\n");
        check_log(&pair.client, "client", "open\nmsg 4 back\n");
        slim_grpc_call_finish(pair.server.last_call, SLIM_GRPC_OK, SLIM_VIEW(""), true);
        pair_run(&pair);
        check_log(&pair.client, "client", "open\nmsg 4 back\nend 0 \n");
        CHECK(slim_grpc_conn_call_count(pair.client.conn) == 0 &&
              slim_grpc_conn_call_count(pair.server.conn) == 0);
        pair_close(&pair);
    }
}

static void half_close_of_the_client_is_answered_with_status_ok(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    struct slim_grpc_call *call = pair_start(&pair);
    CHECK_OK(slim_grpc_call_put_message(call, SLIM_VIEW("x")));
    pair_run(&pair);
    slim_grpc_call_finish(call, SLIM_GRPC_OK, SLIM_VIEW(""), true);
    pair_run(&pair);
    check_log(&pair.server, "server",
              "call /dataplane.proto.v1.DataPlaneService/OpenChannel\nmsg 1 x\nend 0 \n");
    CHECK(pair.client.end_count == 0);
    pair_close(&pair);
}

static void finish_on_message(struct side *side, struct slim_grpc_call *call, struct slim_view msg)
{
    (void)msg;
    if (side->msg_count == 2) {
        CHECK_OK(slim_grpc_call_put_message(call, SLIM_VIEW("enough")));
        slim_grpc_call_finish(call, SLIM_GRPC_ABORTED, SLIM_VIEW("enough"), true);
    }
}

static void a_call_finished_inside_on_message_gets_no_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLIM_COUNT(splits); i++) {
        struct pair pair;
        pair_open(&pair);
        pair.split = splits[i];
        pair.server.on_message = finish_on_message;
        struct slim_grpc_call *call = pair_start(&pair);
        for (size_t k = 0; k < 5; k++) {
            CHECK_OK(slim_grpc_call_put_message(call, SLIM_VIEW("msg")));
        }
        pair_run(&pair);
        CHECK(pair.server.msg_count == 2 && pair.server.end_count == 0);
        check_log(&pair.client, "client", "open\nmsg 6 enough\nend 10 enough\n");
        CHECK(slim_grpc_conn_call_count(pair.server.conn) == 0 &&
              slim_grpc_conn_call_count(pair.client.conn) == 0);
        pair_close(&pair);
    }
}

static void close_on_message(struct side *side, struct slim_grpc_call *call, struct slim_view msg)
{
    (void)msg;
    (void)call;
    slim_grpc_conn_close(side->conn, SLIM_GRPC_UNAVAILABLE, SLIM_VIEW("closed"));
}

static void a_connection_may_be_closed_inside_on_message(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLIM_COUNT(splits); i++) {
        struct pair pair;
        pair_open(&pair);
        pair.split = splits[i];
        pair.server.on_message = close_on_message;
        struct slim_grpc_call *first = pair_start(&pair);
        pair_start(&pair);
        pair_run(&pair);
        for (size_t k = 0; k < 3; k++) {
            CHECK_OK(slim_grpc_call_put_message(first, SLIM_VIEW("msg")));
            CHECK_OK(slim_grpc_call_put_message(pair.server.last_call, SLIM_VIEW("never read")));
        }
        pair_move(&pair, &pair.client, &pair.server);
        CHECK(pair.server.status == SLIM_ERR_CLOSED);
        CHECK(pair.server.msg_count == 1 && pair.server.end_count == 2);
        CHECK(slim_grpc_conn_call_count(pair.server.conn) == 0);
        CHECK(!slim_grpc_conn_has_output(pair.server.conn));
        slim_grpc_conn_close(pair.server.conn, SLIM_GRPC_UNAVAILABLE, SLIM_VIEW("again"));
        CHECK(pair.server.end_count == 2);
        pair_close(&pair);
    }
}

static void close_on_end(struct side *side, struct slim_grpc_call *call)
{
    (void)call;
    slim_grpc_conn_close(side->conn, SLIM_GRPC_UNAVAILABLE, SLIM_VIEW("closed"));
}

static void a_connection_may_be_closed_inside_on_end(void **state)
{
    (void)state;
    for (int is_reset = 0; is_reset < 2; is_reset++) {
        struct pair pair;
        pair_open(&pair);
        pair.server.on_end = close_on_end;
        struct slim_grpc_call *first = pair_start(&pair);
        pair_start(&pair);
        pair_run(&pair);
        pair.server.hold_bytes = (size_t)is_reset; /* no credit: the client can only reset */
        for (size_t i = 0; i < 2000; i++) {
            CHECK_OK(slim_grpc_call_put_message(
                first, SLIM_VIEW("many bytes that are not credited, because they are held")));
            static const uint8_t zeros[1000];
            CHECK_OK(slim_grpc_call_put_message(first, slim_view_of(zeros, sizeof(zeros))));
        }
        pair_run(&pair);
        slim_grpc_call_finish(first, SLIM_GRPC_OK, SLIM_VIEW(""), is_reset == 0);
        pair_run(&pair);
        CHECK(pair.server.end_count == 2 && pair.server.status == SLIM_ERR_CLOSED);
        pair_close(&pair);
    }
}

static struct slim_grpc_call *other_call;

static void finish_other_on_end(struct side *side, struct slim_grpc_call *call)
{
    (void)side;
    if (other_call != call && other_call != NULL) {
        slim_grpc_call_finish(other_call, SLIM_GRPC_OK, SLIM_VIEW(""), true);
        other_call = NULL;
    }
}

static void calls_finished_while_closing_get_no_event(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    pair.client.on_end = finish_other_on_end;
    pair_start(&pair);
    other_call = pair_start(&pair);
    pair_start(&pair);
    pair_run(&pair);
    slim_grpc_conn_close(pair.client.conn, SLIM_GRPC_UNAVAILABLE, SLIM_VIEW("gone"));
    check_log(&pair.client, "client", "open\nopen\nopen\nend 14 gone\nend 14 gone\n");
    struct slim_grpc_call *call;
    CHECK(slim_grpc_call_start(pair.client.conn, OPEN_CHANNEL, NULL, 0, NULL, &call) ==
          SLIM_ERR_CLOSED);
    pair_close(&pair);
}

static void echo(struct side *side, struct slim_grpc_call *call, struct slim_view msg)
{
    (void)side;
    CHECK_OK(slim_grpc_call_put_message(call, msg));
}

static void many_calls_share_a_connection(void **state)
{
    (void)state;
    enum { CALLS = 1000, ROUNDS = 3 };
    struct pair pair;
    pair_open(&pair);
    pair.server.on_message = echo;
    pair_run(&pair); /* settings first: before them a client opens 100 */
    for (size_t round = 0; round < ROUNDS; round++) {
        static struct slim_grpc_call *calls[CALLS];
        for (size_t i = 0; i < CALLS; i++) {
            calls[i] = pair_start(&pair);
            CHECK_OK(slim_grpc_call_put_message(calls[i], SLIM_VIEW("hello")));
        }
        pair_run(&pair);
        CHECK(slim_grpc_conn_call_count(pair.server.conn) == CALLS);
        CHECK(pair.client.msg_count == CALLS * (round + 1));
        for (size_t i = 0; i < CALLS; i++) {
            slim_grpc_call_finish(calls[i], SLIM_GRPC_OK, SLIM_VIEW(""), true);
        }
        pair_run(&pair);
        CHECK(slim_grpc_conn_call_count(pair.server.conn) == 0 &&
              slim_grpc_conn_call_count(pair.client.conn) == 0);
        CHECK(pair.server.end_count == CALLS * (round + 1));
        pair.now_ms += 60000; /* a reset follows each end: they count against the flood limit */
    }
    CHECK(pair.server.status == SLIM_OK && pair.client.status == SLIM_OK);
    pair_close(&pair);
}

static void calls_beyond_the_limit_wait_or_are_refused(void **state)
{
    (void)state;
    struct slim_grpc_options client = pair_options(false);
    struct slim_grpc_options server = pair_options(true);
    server.max_streams = 2;
    struct pair pair;
    CHECK_OK(pair_open_with(&pair, &client, &server));
    /* our client knows the limit only after the first exchange: the third request is refused */
    for (size_t i = 0; i < 3; i++) {
        pair_start(&pair);
    }
    pair_run(&pair);
    CHECK(slim_grpc_conn_call_count(pair.server.conn) == 2);
    check_log(&pair.client, "refused", "open\nopen\nend 14 stream reset\n");
    /* now it keeps the next one back until there is room */
    pair_start(&pair);
    pair_run(&pair);
    CHECK(slim_grpc_conn_call_count(pair.client.conn) == 3);
    CHECK(!slim_grpc_conn_has_output(pair.client.conn));
    slim_grpc_call_finish(pair.server.last_call, SLIM_GRPC_OK, SLIM_VIEW(""), true);
    pair_run(&pair);
    check_log(&pair.client, "opened", "open\nopen\nend 14 stream reset\nend 0 \nopen\n");
    pair_close(&pair);
}

static void the_text_of_a_status_survives_the_wire(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *text;
    } rows[] = {
        {"plain", "plain"},
        {"spaces and marks", "a b%c \"d\" {e} `f` <g> #h? ~!$&'()*+,-./:;=@[]^_|\\"},
        {"control characters", "tab\there\nand\rthere\x7f"},
        {"beyond ASCII", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"looks like an escape", "%41%zz%"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct pair pair;
        pair_open(&pair);
        pair_start(&pair);
        pair_run(&pair);
        slim_grpc_call_finish(pair.server.last_call, SLIM_GRPC_INTERNAL,
                              slim_view_str(rows[i].text), true);
        pair_run(&pair);
        char want[256];
        snprintf(want, sizeof(want), "open\nend 13 %s\n", rows[i].text);
        check_log(&pair.client, rows[i].why, want);
        pair_close(&pair);
    }
    static char text[5000];
    memset(text, ' ', sizeof(text) - 1);
    struct pair pair;
    pair_open(&pair);
    pair_start(&pair);
    pair_run(&pair);
    slim_grpc_call_finish(pair.server.last_call, SLIM_GRPC_INTERNAL, slim_view_str(text), true);
    pair_run(&pair);
    CHECK(pair.client.log_len == strlen("open\nend 13 \n") + 1024);
    pair_close(&pair);
}

static void a_silent_peer_is_pinged_and_given_up(void **state)
{
    (void)state;
    struct pair pair;
    uint64_t next;
    pair_open(&pair);
    pair_run(&pair);
    CHECK_OK(slim_grpc_conn_tick(pair.client.conn, 5000000, &next));
    CHECK(next == 0 &&
          !slim_grpc_conn_has_output(pair.client.conn)); /* clients do not ping unless told to */
    CHECK_OK(slim_grpc_conn_tick(pair.server.conn, 100000, &next));
    CHECK(next == 121000 && !slim_grpc_conn_has_output(pair.server.conn));
    CHECK_OK(slim_grpc_conn_tick(pair.server.conn, 121000, &next));
    CHECK(next == 141000 && slim_grpc_conn_has_output(pair.server.conn));
    pair.now_ms = 122000;
    pair_run(&pair); /* the client answers */
    CHECK_OK(slim_grpc_conn_tick(pair.server.conn, 141000, &next));
    CHECK(next == 242000);
    CHECK_OK(slim_grpc_conn_tick(pair.server.conn, 242000, &next));
    CHECK(next == 262000);
    CHECK_OK(slim_grpc_conn_tick(pair.server.conn, 261999, &next));
    CHECK(slim_grpc_conn_tick(pair.server.conn, 262000, &next) == SLIM_ERR_TIMEOUT);
    pair_close(&pair);
}

static void go_away_lets_open_calls_go_on(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    struct slim_grpc_call *call = pair_start(&pair);
    pair_run(&pair);
    slim_grpc_conn_go_away(pair.server.conn);
    pair_run(&pair);
    struct slim_grpc_call *second;
    CHECK(slim_grpc_call_start(pair.client.conn, OPEN_CHANNEL, NULL, 0, NULL, &second) ==
          SLIM_ERR_CLOSED);
    CHECK_OK(slim_grpc_call_put_message(call, SLIM_VIEW("still here")));
    CHECK_OK(slim_grpc_call_put_message(pair.server.last_call, SLIM_VIEW("me too")));
    pair_run(&pair);
    CHECK(pair.server.msg_count == 1 && pair.client.msg_count == 1);
    slim_grpc_call_finish(pair.server.last_call, SLIM_GRPC_OK, SLIM_VIEW(""), true);
    pair_run(&pair);
    CHECK(pair.client.end_count == 1 && pair.client.status == SLIM_ERR_CLOSED);
    pair_close(&pair);
}

static void counters_count(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    struct slim_grpc_call *call = pair_start(&pair);
    slim_grpc_call_set_ctx(call, &pair);
    CHECK(slim_grpc_call_ctx(call) == &pair && slim_grpc_call_conn(call) == pair.client.conn);
    CHECK_OK(slim_grpc_call_put_message(call, SLIM_VIEW("x")));
    pair_run(&pair);
    const struct slim_grpc_stats *client = slim_grpc_conn_stats(pair.client.conn);
    const struct slim_grpc_stats *server = slim_grpc_conn_stats(pair.server.conn);
    CHECK(client->calls_started == 1 && server->calls_started == 1);
    CHECK(client->messages_sent == 1 && server->messages_received == 1);
    CHECK(client->bytes_sent == server->bytes_received && client->bytes_sent > 100);
    CHECK(server->bytes_sent == client->bytes_received);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_travel_both_ways_however_the_bytes_are_split),
        cmocka_unit_test(half_close_of_the_client_is_answered_with_status_ok),
        cmocka_unit_test(a_call_finished_inside_on_message_gets_no_more),
        cmocka_unit_test(a_connection_may_be_closed_inside_on_message),
        cmocka_unit_test(a_connection_may_be_closed_inside_on_end),
        cmocka_unit_test(calls_finished_while_closing_get_no_event),
        cmocka_unit_test(many_calls_share_a_connection),
        cmocka_unit_test(calls_beyond_the_limit_wait_or_are_refused),
        cmocka_unit_test(the_text_of_a_status_survives_the_wire),
        cmocka_unit_test(a_silent_peer_is_pinged_and_given_up),
        cmocka_unit_test(go_away_lets_open_calls_go_on),
        cmocka_unit_test(counters_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
