/* Sessions of the reference against ours: its client's bytes into our server, its node's bytes into our client. */
#include "unit/grpc/recorded.h"

#include "unit/grpc/raw.h"

static const char *const files[] = {"client_session_v1.0.0.txt", "client_session_v1.4.0.txt",
                                    "client_v1.4.0_to_node_v1.0.0.txt"};
static const size_t splits[] = {0, 1, 2, 3, 7, 8, 9, 10, 50, 100, 300};

static struct slim_buf seen;

static void keep(struct side *side, struct slim_grpc_call *call, struct slim_view msg)
{
    (void)side;
    (void)call;
    CHECK_OK(slim_buf_put(&seen, msg));
}

static void clients_of_the_reference_are_served(void **state)
{
    (void)state;
    for (size_t f = 0; f < SLIM_COUNT(files); f++) {
        struct recorded recorded;
        recorded_load(&recorded, files[f]);
        for (size_t i = 0; i < SLIM_COUNT(splits) + 40; i++) {
            struct raw raw;
            raw_open(&raw, true);
            raw.side->on_message = keep;
            slim_buf_clear(&seen);
            slim_buf_clear(&raw.in);
            CHECK_OK(slim_buf_put(&raw.in, slim_buf_view(&recorded.bytes[0])));
            /* END_STREAM, RST_STREAM(CANCEL), GOAWAY: an orderly end */
            size_t split = i < SLIM_COUNT(splits) ? splits[i] : 11 + 13 * i;
            CHECK_ROW(files[f], raw_run_split(&raw, split) == SLIM_ERR_CLOSED);
            CHECK_ROW(files[f], raw.side->msg_count == recorded.msg_count[0]);
            CHECK_ROW(files[f],
                      slim_view_is_equal(slim_buf_view(&seen), slim_buf_view(&recorded.msgs[0])));
            CHECK_ROW(files[f], strstr(raw.side->log,
                                       "call /dataplane.proto.v1.DataPlaneService/OpenChannel\n") ==
                                    raw.side->log);
            CHECK_ROW(files[f],
                      raw.side->end_count == 1 && raw.side->last_end.status == SLIM_GRPC_OK);
            /* read at once, the reset stands before our answer could leave */
            bool is_answered = split > 0 && split <= 100;
            CHECK_ROW(files[f],
                      !is_answered ||
                          strstr(reader_text(&raw.reader),
                                 "HEADERS 1 :status=200 content-type=application/grpc\n") ==
                              reader_text(&raw.reader));
            raw_close(&raw);
        }
        recorded_fini(&recorded);
    }
    slim_buf_fini(&seen);
    seen = (struct slim_buf){0};
}

static void nodes_of_the_reference_are_understood(void **state)
{
    (void)state;
    for (size_t f = 0; f < SLIM_COUNT(files); f++) {
        struct recorded recorded;
        recorded_load(&recorded, files[f]);
        for (size_t i = 0; i < SLIM_COUNT(splits); i++) {
            struct raw raw;
            raw_open(&raw, false);
            raw.side->on_message = keep;
            slim_buf_clear(&seen);
            slim_buf_clear(&raw.in);
            pair_start(&raw.pair);
            CHECK_OK(slim_buf_put(&raw.in, slim_buf_view(&recorded.bytes[1])));
            CHECK_ROW(files[f], raw_run_split(&raw, splits[i]) == SLIM_OK);
            CHECK_ROW(files[f], raw.side->msg_count == recorded.msg_count[1]);
            CHECK_ROW(files[f],
                      slim_view_is_equal(slim_buf_view(&seen), slim_buf_view(&recorded.msgs[1])));
            CHECK_ROW(files[f],
                      strncmp(raw.side->log, "open\n", 5) == 0 && raw.side->end_count == 0);
            raw_close(&raw);
        }
        recorded_fini(&recorded);
    }
    slim_buf_fini(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_of_the_reference_are_served),
        cmocka_unit_test(nodes_of_the_reference_are_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
