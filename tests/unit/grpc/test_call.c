#include "grpc/pair.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_travel_both_ways_however_the_bytes_are_split),
        cmocka_unit_test(half_close_of_the_client_is_answered_with_status_ok),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
