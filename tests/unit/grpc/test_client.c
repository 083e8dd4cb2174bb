/* What a client makes of raw answers. */
#include "unit/grpc/raw.h"

static void answers_become_ends(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *first[12];
        bool is_first_last;
        struct slim_view data;
        bool is_data_last;
        const char *trailers[8];
        const char *log;
        bool has_status, is_refused;
        int http_status;
    } rows[] = {
        {"trailers-only",
         {":status", "200", "grpc-status", "12", "grpc-message", "no%20such%20%zzthing%4"},
         true,
         {0},
         false,
         {NULL},
         "end 12 no such %zzthing%4\n",
         true,
         true,
         200},
        {"bare 401",
         {":status", "401", "www-authenticate", "Basic"},
         true,
         {0},
         false,
         {NULL},
         "end 16 \n",
         false,
         true,
         401},
        {"401 with a body",
         {":status", "401"},
         false,
         {(const uint8_t *)"<html>", 6},
         true,
         {NULL},
         "end 16 \n",
         false,
         true,
         401},
        {"502 of a proxy",
         {":status", "502"},
         true,
         {0},
         false,
         {NULL},
         "end 14 \n",
         false,
         true,
         502},
        {"404", {":status", "404"}, true, {0}, false, {NULL}, "end 12 \n", false, true, 404},
        {"418", {":status", "418"}, true, {0}, false, {NULL}, "end 2 \n", false, true, 418},
        {"200 and nothing else",
         {":status", "200"},
         true,
         {0},
         false,
         {NULL},
         "end 2 \n",
         false,
         true,
         200},
        {"messages and trailers",
         {":status", "200", "content-type", "application/grpc"},
         false,
         {(const uint8_t *)"\0\0\0\0\2hi", 7},
         false,
         {"grpc-status", "0"},
         "open\nmsg 2 hi\nend 0 \n",
         true,
         false,
         200},
        {"error in the trailers",
         {":status", "200"},
         false,
         {(const uint8_t *)"\0\0\0\0\2hi", 7},
         false,
         {"grpc-status", "14", "grpc-message", "error processing stream: AlreadyClosedError"},
         "open\nmsg 2 hi\nend 14 error processing stream: AlreadyClosedError\n",
         true,
         false,
         200},
        {"trailers without a status",
         {":status", "200"},
         false,
         {(const uint8_t *)"\0\0\0\0\2hi", 7},
         false,
         {"a", "b"},
         "open\nmsg 2 hi\nend 2 \n",
         false,
         false,
         200},
        {"a status that is no number",
         {":status", "200"},
         false,
         {0},
         false,
         {"grpc-status", "x"},
         "open\nend 2 \n",
         true,
         false,
         200},
        {"a status nobody knows",
         {":status", "200"},
         false,
         {0},
         false,
         {"grpc-status", "17"},
         "open\nend 2 \n",
         true,
         false,
         200},
        {"the end without trailers",
         {":status", "200"},
         false,
         {(const uint8_t *)"\0\0\0\0\2hi", 7},
         true,
         {NULL},
         "open\nmsg 2 hi\nend 2 the stream ended without trailers\n",
         false,
         false,
         200},
        {"a message cut off by good trailers",
         {":status", "200"},
         false,
         {(const uint8_t *)"\0\0\0\0\2h", 6},
         false,
         {"grpc-status", "0"},
         "open\nend 13 \n",
         true,
         false,
         200},
        {"a message cut off by the end",
         {":status", "200"},
         false,
         {(const uint8_t *)"\0\0\0\0\2h", 6},
         true,
         {NULL},
         "open\nend 13 Unexpected EOF decoding stream.\n",
         false,
         false,
         200},
        {"a compressed message",
         {":status", "200"},
         false,
         {(const uint8_t *)"\1\0\0\0\2hi", 7},
         false,
         {NULL},
         "open\nend 13 compressed message without grpc-encoding\n",
         false,
         false,
         200},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        for (size_t step = 0; step < 5; step++) {
            struct raw raw;
            raw_open(&raw, false);
            pair_start(&raw.pair);
            put_headers(&raw.in, rows[i].is_first_last ? END_STREAM : 0, 1, rows[i].first);
            if (rows[i].data.len > 0) {
                put_frame(&raw.in, F_DATA, rows[i].is_data_last ? END_STREAM : 0, 1, rows[i].data);
            }
            if (rows[i].trailers[0] != NULL) {
                put_headers(&raw.in, END_STREAM, 1, rows[i].trailers);
            }
            CHECK_ROW(rows[i].why, raw_run_split(&raw, step) == SLIM_OK);
            check_text(rows[i].why, raw.side->log, rows[i].log);
            CHECK_ROW(rows[i].why, raw.side->end_count == 1);
            CHECK_ROW(rows[i].why, raw.side->last_end.has_status == rows[i].has_status);
            CHECK_ROW(rows[i].why, raw.side->last_end.is_refused == rows[i].is_refused);
            CHECK_ROW(rows[i].why, raw.side->last_end.http_status == rows[i].http_status);
            CHECK_ROW("our direction is closed too",
                      strstr(reader_text(&raw.reader), "DATA 1 0 bytes end\n") != NULL);
            raw_close(&raw);
        }
    }
}

static void informational_answers_are_passed_over(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, false);
    pair_start(&raw.pair);
    put_headers(&raw.in, 0, 1, FIELDS(":status", "103"));
    put_headers(&raw.in, 0, 1, FIELDS(":status", "100"));
    put_headers(&raw.in, 0, 1, FIELDS(":status", "200"));
    put_headers(&raw.in, END_STREAM, 1, FIELDS("grpc-status", "0"));
    CHECK(raw_run(&raw) == SLIM_OK);
    check_text("log", raw.side->log, "open\nend 0 \n");
    raw_close(&raw);
}

static void resets_become_a_status(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        uint32_t code;
        bool is_open;
        const char *log;
    } rows[] = {
        {"refused before anything happened", 7, false, "end 14 stream reset\n"},
        {"reset without trailers", 0, true, "open\nend 13 stream reset\n"},
        {"protocol error", 1, true, "open\nend 13 stream reset\n"},
        {"cancelled", 8, true, "open\nend 1 stream reset\n"},
        {"too much", 11, true, "open\nend 8 stream reset\n"},
        {"too insecure", 12, true, "open\nend 7 stream reset\n"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct raw raw;
        raw_open(&raw, false);
        pair_start(&raw.pair);
        if (rows[i].is_open) {
            put_headers(&raw.in, 0, 1, FIELDS(":status", "200"));
        }
        put_u32_frame(&raw.in, F_RST_STREAM, 1, rows[i].code);
        CHECK_ROW(rows[i].why, raw_run(&raw) == SLIM_OK);
        check_text(rows[i].why, raw.side->log, rows[i].log);
        raw_close(&raw);
    }
}

static void put_go_away(struct slim_buf *out, uint8_t last_id)
{
    const uint8_t payload[8] = {0, 0, 0, last_id, 0, 0, 0, 0};
    put_frame(out, F_GOAWAY, 0, 0, slim_view_of(payload, sizeof(payload)));
}

static void open_calls_outlive_a_goaway(void **state)
{
    (void)state;
    struct raw raw;
    struct slim_grpc_call *second;
    raw_open(&raw, false);
    struct slim_grpc_call *call = pair_start(&raw.pair);
    pair_start(&raw.pair);
    put_headers(&raw.in, 0, 1, FIELDS(":status", "200"));
    put_go_away(&raw.in, 1);
    CHECK(raw_run(&raw) == SLIM_OK);
    check_text("the call that was not processed is told", raw.side->log,
               "open\nend 14 stream reset\n");
    CHECK(slim_grpc_call_start(raw.side->conn, OPEN_CHANNEL, NULL, 0, NULL, &second) ==
          SLIM_ERR_CLOSED);
    put_frame(&raw.in, F_DATA, 0, 1, slim_view_of("\0\0\0\0\1x", 6));
    CHECK(raw_run(&raw) == SLIM_OK);
    CHECK_OK(slim_grpc_call_put_message(call, SLIM_VIEW("y")));
    raw_flush(&raw);
    CHECK(strstr(reader_text(&raw.reader), "DATA 1 6 bytes\n") != NULL);
    put_headers(&raw.in, END_STREAM, 1, FIELDS("grpc-status", "0"));
    CHECK(raw_run(&raw) == SLIM_OK);
    put_frame(&raw.in, F_PING, 0, 0, SLIM_VIEW("12345678"));
    CHECK(raw_run(&raw) == SLIM_ERR_CLOSED);
    check_text("log", raw.side->log, "open\nend 14 stream reset\nmsg 1 x\nend 0 \n");
    raw_close(&raw);
}

static void goaway_without_calls_is_an_orderly_end(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, false);
    put_go_away(&raw.in, 0);
    CHECK(raw_run(&raw) == SLIM_ERR_CLOSED);
    raw_close(&raw);
}

static void leaving_is_end_stream_reset_and_goaway(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, false);
    struct slim_grpc_call *call = pair_start(&raw.pair);
    put_headers(&raw.in, 0, 1, FIELDS(":status", "200"));
    CHECK(raw_run(&raw) == SLIM_OK);
    slim_buf_clear(&raw.reader.text);
    CHECK_OK(slim_grpc_call_put_message(call, SLIM_VIEW("dropped")));
    slim_grpc_call_finish(call, SLIM_GRPC_OK, SLIM_VIEW(""), false);
    slim_grpc_call_finish(call, SLIM_GRPC_OK, SLIM_VIEW(""), false);
    raw_flush(&raw);
    slim_grpc_conn_go_away(raw.side->conn);
    slim_grpc_conn_go_away(raw.side->conn);
    raw_flush(&raw);
    check_text("wire.md 1.9", reader_text(&raw.reader),
               "DATA 1 0 bytes end\nRST_STREAM 1 8\nGOAWAY 0 last 0 error 0\n");
    CHECK(raw.side->end_count == 0);
    raw_close(&raw);
}

static void goaway_waits_for_the_last_call(void **state)
{
    (void)state;
    struct raw raw;
    struct slim_grpc_call *second;
    raw_open(&raw, false);
    pair_start(&raw.pair);
    slim_grpc_conn_go_away(raw.side->conn); /* the request has not left yet */
    CHECK(slim_grpc_call_start(raw.side->conn, OPEN_CHANNEL, NULL, 0, NULL, &second) ==
          SLIM_ERR_CLOSED);
    raw_flush(&raw);
    CHECK(strstr(reader_text(&raw.reader), "HEADERS 1 ") != NULL);
    CHECK(strstr(reader_text(&raw.reader), "GOAWAY") == NULL);
    put_headers(&raw.in, 0, 1, FIELDS(":status", "200"));
    put_frame(&raw.in, F_DATA, 0, 1, slim_view_of("\0\0\0\0\1x", 6));
    CHECK(raw_run(&raw) == SLIM_OK);
    put_headers(&raw.in, END_STREAM, 1, FIELDS("grpc-status", "0"));
    put_u32_frame(&raw.in, F_RST_STREAM, 1, 0);
    CHECK(raw_run(&raw) == SLIM_ERR_CLOSED);
    check_text("log", raw.side->log, "open\nmsg 1 x\nend 0 \n");
    CHECK(strstr(reader_text(&raw.reader), "GOAWAY 0 last 0 error 0\n") != NULL);
    raw_close(&raw);
}

static void a_call_that_never_left_leaves_nothing(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, false);
    slim_grpc_call_finish(pair_start(&raw.pair), SLIM_GRPC_OK, SLIM_VIEW(""), false);
    raw_flush(&raw);
    check_text("no request", reader_text(&raw.reader), "");
    CHECK(slim_grpc_conn_call_count(raw.side->conn) == 0 && raw.side->end_count == 0);
    raw_close(&raw);
}

static void a_half_closed_call_goes_on_receiving(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, false);
    struct slim_grpc_call *call = pair_start(&raw.pair);
    CHECK_OK(slim_grpc_call_put_message(call, SLIM_VIEW("ask")));
    slim_grpc_call_half_close(call);
    slim_grpc_call_half_close(call);
    CHECK(slim_grpc_call_put_message(call, SLIM_VIEW("more")) == SLIM_ERR_CLOSED);
    put_frame(&raw.in, F_SETTINGS, ACK, 0, SLIM_VIEW(""));
    put_headers(&raw.in, 0, 1, FIELDS(":status", "200"));
    put_frame(&raw.in, F_DATA, 0, 1, slim_view_of("\0\0\0\0\1x", 6));
    CHECK(raw_run(&raw) == SLIM_OK);
    CHECK(strstr(reader_text(&raw.reader), "DATA 1 8 bytes end\n") != NULL);
    CHECK(strstr(reader_text(&raw.reader), "RST_STREAM") == NULL);
    put_headers(&raw.in, END_STREAM, 1, FIELDS("grpc-status", "0"));
    CHECK(raw_run(&raw) == SLIM_OK);
    check_text("log", raw.side->log, "open\nmsg 1 x\nend 0 \n");
    CHECK(strstr(reader_text(&raw.reader), "RST_STREAM") == NULL);
    CHECK(slim_grpc_conn_call_count(raw.side->conn) == 0);
    raw_close(&raw);
}

static void a_half_closed_call_is_given_up_with_a_reset(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, false);
    struct slim_grpc_call *call = pair_start(&raw.pair);
    slim_grpc_call_half_close(call);
    put_frame(&raw.in, F_SETTINGS, ACK, 0, SLIM_VIEW(""));
    put_headers(&raw.in, 0, 1, FIELDS(":status", "200"));
    CHECK(raw_run(&raw) == SLIM_OK);
    slim_grpc_call_finish(call, SLIM_GRPC_OK, SLIM_VIEW(""), true);
    raw_flush(&raw);
    CHECK(strstr(reader_text(&raw.reader), "RST_STREAM 1 8\n") != NULL);
    check_text("log", raw.side->log, "open\n");
    raw_close(&raw);
}

static void push_promises_end_the_connection(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, false);
    pair_start(&raw.pair);
    put_frame(&raw.in, F_SETTINGS, ACK, 0, SLIM_VIEW(""));
    put_frame(&raw.in, F_PUSH_PROMISE, END_HEADERS, 1,
              slim_view_of("\0\0\0\2\x82\x86\x84\x41\1a", 10));
    CHECK(raw_run(&raw) == SLIM_ERR_MALFORMED);
    CHECK(strstr(reader_text(&raw.reader), "GOAWAY 0 last 0 error 1\n") != NULL);
    slim_grpc_conn_close(raw.side->conn, SLIM_GRPC_UNAVAILABLE, SLIM_VIEW("gone"));
    check_text("log", raw.side->log, "end 14 gone\n");
    raw_close(&raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_become_ends),
        cmocka_unit_test(informational_answers_are_passed_over),
        cmocka_unit_test(resets_become_a_status),
        cmocka_unit_test(open_calls_outlive_a_goaway),
        cmocka_unit_test(goaway_without_calls_is_an_orderly_end),
        cmocka_unit_test(leaving_is_end_stream_reset_and_goaway),
        cmocka_unit_test(goaway_waits_for_the_last_call),
        cmocka_unit_test(a_call_that_never_left_leaves_nothing),
        cmocka_unit_test(a_half_closed_call_goes_on_receiving),
        cmocka_unit_test(a_half_closed_call_is_given_up_with_a_reset),
        cmocka_unit_test(push_promises_end_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
