/* What a server answers to raw requests (wire.md 1.3, vectors/wire/http_edge_cases). */
#include "unit/grpc/raw.h"

#define PATH "/dataplane.proto.v1.DataPlaneService/OpenChannel"
#define PSEUDO ":method", "POST", ":scheme", "http", ":authority", "127.0.0.1:46357", ":path", PATH
#define OPENED "HEADERS 1 :status=200 content-type=application/grpc\n"
#define STATUS_0 "HEADERS 1 grpc-status=0 end\n"
#define RST_0 "RST_STREAM 1 0\n"
#define CALL "call " PATH "\n"

static void requests_get_the_answers_of_the_table(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *fields[16];
        bool is_last;
        const char *answer;
        const char *log;
    } rows[] = {
        {"a request that stays open is answered at once",
         {PSEUDO, "te", "trailers", "content-type", "application/grpc"},
         false,
         OPENED,
         CALL},
        {"half-close at once", {PSEUDO, "te", "trailers"}, true, OPENED STATUS_0, CALL "end 0 \n"},
        {"no te, no content-type", {PSEUDO}, true, OPENED STATUS_0, CALL "end 0 \n"},
        {"another content-type",
         {PSEUDO, "content-type", "text/plain"},
         true,
         OPENED STATUS_0,
         CALL "end 0 \n"},
        {"GET",
         {":method", "GET", ":scheme", "http", ":authority", "a", ":path", PATH, "content-type",
          "application/grpc+proto"},
         true,
         OPENED STATUS_0,
         CALL "end 0 \n"},
        {"GET without a content-type, and open",
         {":method", "GET", ":scheme", "http", ":authority", "a", ":path", PATH},
         false,
         OPENED,
         CALL},
        {"GET of a browser",
         {":method", "GET", ":scheme", "http", ":authority", "a", ":path", PATH},
         true,
         "HEADERS 1 :status=415 content-type=text/plain\n"
         "DATA 1 42 bytes end\n",
         ""},
        {"a request over a Unix socket",
         {":method", "POST", ":scheme", "unix", ":authority", "localhost", ":path", PATH},
         true,
         OPENED STATUS_0,
         CALL "end 0 \n"},
        {"grpc-timeout means nothing", {PSEUDO, "grpc-timeout", "300m"}, false, OPENED, CALL},
        {"grpc-encoding identity",
         {PSEUDO, "grpc-encoding", "identity"},
         true,
         OPENED STATUS_0,
         CALL "end 0 \n"},
        {"grpc-encoding gzip",
         {PSEUDO, "grpc-encoding", "gzip"},
         true,
         "HEADERS 1 :status=200 content-type=application/grpc grpc-accept-encoding=identity "
         "grpc-status=12 "
         "grpc-message=Content%20is%20compressed%20with%20%60gzip%60%20which%20isn't%20supported "
         "end\n",
         ""},
        {"grpc-encoding gzip, request open",
         {PSEUDO, "grpc-encoding", "gzip"},
         false,
         "HEADERS 1 :status=200 content-type=application/grpc grpc-accept-encoding=identity "
         "grpc-status=12 "
         "grpc-message=Content%20is%20compressed%20with%20%60gzip%60%20which%20isn't%20supported "
         "end\n" RST_0,
         ""},
        {"no path: not HTTP",
         {":method", "POST", ":scheme", "http", ":authority", "a"},
         true,
         "RST_STREAM 1 1\n",
         ""},
        {"upper-case name: not HTTP/2", {PSEUDO, "X-A", "b"}, true, "RST_STREAM 1 1\n", ""},
        {"connection header: not HTTP/2",
         {PSEUDO, "connection", "close"},
         true,
         "RST_STREAM 1 1\n",
         ""},
        {"pseudo header behind a field",
         {":method", "POST", ":scheme", "http", ":authority", "a", "b", "c", ":path", PATH},
         true,
         "RST_STREAM 1 1\n",
         ""},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        for (size_t step = 0; step < 3; step++) {
            struct raw raw;
            raw_open(&raw, true);
            put_headers(&raw.in, rows[i].is_last ? END_STREAM : 0, 1, rows[i].fields);
            CHECK_ROW(rows[i].why, raw_run_split(&raw, step) == SLIM_OK);
            check_text(rows[i].why, reader_text(&raw.reader), rows[i].answer);
            check_text(rows[i].why, raw.side->log, rows[i].log);
            raw_close(&raw);
        }
    }
}

static void refuse_unimplemented(struct side *side, struct slim_grpc_call *call,
                                 const struct slim_grpc_request *request)
{
    (void)side;
    (void)request;
    slim_grpc_call_finish(call, SLIM_GRPC_UNIMPLEMENTED, SLIM_VIEW(""), true);
}

static void refuse_unauthenticated(struct side *side, struct slim_grpc_call *call,
                                   const struct slim_grpc_request *request)
{
    (void)side;
    CHECK_VIEW(slim_grpc_request_header(request, SLIM_VIEW("authorization")), "Basic x");
    CHECK(slim_grpc_request_header(request, SLIM_VIEW("absent")).len == 0);
    slim_grpc_call_finish(call, SLIM_GRPC_UNAUTHENTICATED,
                          SLIM_VIEW("no \xc3\xa9"
                                    "50%"),
                          false);
}

static void challenge(struct side *side, struct slim_grpc_call *call,
                      const struct slim_grpc_request *request)
{
    (void)side;
    (void)request;
    slim_grpc_call_challenge(call, SLIM_VIEW("Basic"), SLIM_VIEW("wrong password"));
}

static void accept_and_finish(struct side *side, struct slim_grpc_call *call,
                              const struct slim_grpc_request *request)
{
    (void)side;
    (void)request;
    CHECK_OK(slim_grpc_call_accept(call));
    CHECK_OK(slim_grpc_call_put_message(call, SLIM_VIEW("last words")));
    slim_grpc_call_finish(call, SLIM_GRPC_UNAVAILABLE, SLIM_VIEW("bye"), true);
    CHECK(slim_grpc_call_put_message(call, SLIM_VIEW("too late")) == SLIM_ERR_CLOSED);
}

static void accept_and_drop(struct side *side, struct slim_grpc_call *call,
                            const struct slim_grpc_request *request)
{
    (void)side;
    (void)request;
    CHECK_OK(slim_grpc_call_accept(call));
    CHECK_OK(slim_grpc_call_put_message(call, SLIM_VIEW("never said")));
    slim_grpc_call_finish(call, SLIM_GRPC_OK, SLIM_VIEW(""), false);
}

static void finished_calls_answer_as_told(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        void (*on_call)(struct side *, struct slim_grpc_call *, const struct slim_grpc_request *);
        const char *answer;
        bool is_patient;
    } rows[] = {
        {"refused path", refuse_unimplemented,
         "HEADERS 1 :status=200 content-type=application/grpc grpc-status=12 end\n", true},
        {"HTTP 401 carries grpc-status 16", refuse_unauthenticated,
         "HEADERS 1 :status=401 content-type=application/grpc grpc-status=16 "
         "grpc-message=no%20%C3%A950%25 end\n",
         false},
        {"and the scheme that is wanted", challenge,
         "HEADERS 1 :status=401 content-type=application/grpc www-authenticate=Basic "
         "grpc-status=16 "
         "grpc-message=wrong%20password end\n",
         false},
        {"what is queued leaves before the trailers", accept_and_finish,
         OPENED "DATA 1 15 bytes\nHEADERS 1 grpc-status=14 grpc-message=bye end\n", false},
        {"or is dropped", accept_and_drop, OPENED STATUS_0, false},
    };
    for (size_t i = 0; i < 2 * SLIM_COUNT(rows); i++) {
        struct raw raw;
        raw_open(&raw, true);
        bool is_last = i % 2 == 1;
        raw.side->on_call = rows[i / 2].on_call;
        put_headers(&raw.in, is_last ? END_STREAM : 0, 1,
                    FIELDS(PSEUDO, "authorization", "Basic x"));
        CHECK_ROW(rows[i / 2].why, raw_run(&raw) == SLIM_OK);
        char want[512];
        snprintf(want, sizeof(want), "%s%s", rows[i / 2].answer,
                 is_last || rows[i / 2].is_patient ? "" : RST_0);
        check_text(rows[i / 2].why, reader_text(&raw.reader), want);
        CHECK_ROW("no event for a call we ended", raw.side->end_count == 0);
        CHECK(slim_grpc_conn_call_count(raw.side->conn) == 0);
        raw_close(&raw);
    }
}

static void a_refused_call_is_reset_when_much_data_comes(void **state)
{
    (void)state;
    static const uint8_t data[16384];
    struct raw raw;
    raw_open(&raw, true);
    raw.side->on_call = refuse_unimplemented;
    put_headers(&raw.in, 0, 1, FIELDS(PSEUDO));
    put_frame(&raw.in, F_DATA, 0, 1, slim_view_of(data, sizeof(data)));
    CHECK(raw_run(&raw) == SLIM_OK);
    check_text("a little", reader_text(&raw.reader),
               "HEADERS 1 :status=200 content-type=application/grpc grpc-status=12 end\n");
    CHECK(slim_grpc_conn_is_flushed(raw.side->conn));
    put_frame(&raw.in, F_DATA, 0, 1, SLIM_VIEW("x"));
    put_frame(&raw.in, F_DATA, 0, 1, SLIM_VIEW("y"));
    CHECK(raw_run(&raw) == SLIM_OK);
    check_text("too much", reader_text(&raw.reader),
               "HEADERS 1 :status=200 content-type=application/grpc grpc-status=12 end\n" RST_0);
    raw_close(&raw);
}

static void broken_messages_end_the_call_with_a_status(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        struct slim_view data;
        bool is_last;
        const char *answer;
        const char *log;
    } rows[] = {
        {"compressed flag without encoding",
         {(const uint8_t *)"\1\0\0\0\1x", 6},
         false,
         "HEADERS 1 grpc-status=13 grpc-message=compressed%20message%20without%20grpc-encoding "
         "end\n" RST_0,
         "end 13 compressed message without grpc-encoding\n"},
        {"flag 7",
         {(const uint8_t *)"\7\0\0\0\1x", 6},
         false,
         "HEADERS 1 grpc-status=13 grpc-message=invalid%20compression%20flag end\n" RST_0,
         "end 13 invalid compression flag\n"},
        {"one byte more than the limit",
         {(const uint8_t *)"\0\0\x40\0\1", 5},
         false,
         "HEADERS 1 grpc-status=8 grpc-message=message%20too%20long end\n" RST_0,
         "end 8 message too long\n"},
        {"exactly the limit may come", {(const uint8_t *)"\0\0\x40\0\0", 5}, false, "", ""},
        {"the largest length there is",
         {(const uint8_t *)"\0\xff\xff\xff\xff", 5},
         false,
         "HEADERS 1 grpc-status=8 grpc-message=message%20too%20long end\n" RST_0,
         "end 8 message too long\n"},
        {"a good message before a bad one",
         {(const uint8_t *)"\0\0\0\0\2ok\2\0\0\0\0", 12},
         false,
         "HEADERS 1 grpc-status=13 grpc-message=invalid%20compression%20flag end\n" RST_0,
         "msg 2 ok\nend 13 invalid compression flag\n"},
        {"truncated in the content",
         {(const uint8_t *)"\0\0\0\0\2o", 6},
         true,
         "HEADERS 1 grpc-status=13 grpc-message=Unexpected%20EOF%20decoding%20stream. end\n",
         "end 13 Unexpected EOF decoding stream.\n"},
        {"truncated in the prefix",
         {(const uint8_t *)"\0\0\0", 3},
         true,
         "HEADERS 1 grpc-status=13 grpc-message=Unexpected%20EOF%20decoding%20stream. end\n",
         "end 13 Unexpected EOF decoding stream.\n"},
        {"empty messages, then the end",
         {(const uint8_t *)"\0\0\0\0\0\0\0\0\0\0", 10},
         true,
         STATUS_0,
         "msg 0 \nmsg 0 \nend 0 \n"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        for (size_t step = 0; step < 8; step++) {
            struct raw raw;
            raw_open(&raw, true);
            put_headers(&raw.in, 0, 1, FIELDS(PSEUDO));
            put_frame(&raw.in, F_DATA, rows[i].is_last ? END_STREAM : 0, 1, rows[i].data);
            CHECK_ROW(rows[i].why, raw_run_split(&raw, step) == SLIM_OK);
            char want[512];
            snprintf(want, sizeof(want), OPENED "%s", rows[i].answer);
            check_text(rows[i].why, reader_text(&raw.reader), want);
            snprintf(want, sizeof(want), CALL "%s", rows[i].log);
            check_text(rows[i].why, raw.side->log, want);
            raw_close(&raw);
        }
    }
}

static void settings_are_those_of_the_table(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, true);
    raw.reader.is_full = true;
    raw_flush(&raw);
    check_text("server", reader_text(&raw.reader),
               "SETTINGS 0 3=1024 4=1048576 5=4194304 6=16384\nWINDOW_UPDATE 0 983041\n");
    raw_close(&raw);
    raw_open(&raw, false);
    raw.reader.is_full = true;
    struct slim_grpc_call *call;
    struct slim_grpc_header more[] = {{SLIM_VIEW("x-a"), SLIM_VIEW("b")},
                                      {SLIM_VIEW("authorization"), SLIM_VIEW("c")}};
    CHECK_OK(slim_grpc_call_start(raw.side->conn, SLIM_VIEW(PATH), more, 2, NULL, &call));
    raw_flush(&raw);
    check_text("client", reader_text(&raw.reader),
               "SETTINGS 0 2=0 4=2097152 5=16384 6=16384\nWINDOW_UPDATE 0 5177345\n"
               "HEADERS 1 :method=POST :scheme=http :authority=127.0.0.1:46357 :path=" PATH
               " te=trailers content-type=application/grpc x-a=b authorization=c "
               "user-agent=slim/" SLIM_VERSION "\n");
    raw_close(&raw);
}

static void resets_become_a_status(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        uint32_t code;
        const char *log;
    } rows[] = {
        {"the client gave up", 8, CALL "end 1 stream reset\n"},
        {"the client does not care any more", 0, CALL "end 1 stream reset\n"},
        {"protocol error", 1, CALL "end 13 stream reset\n"},
        {"refused", 7, CALL "end 14 stream reset\n"},
        {"calm down", 11, CALL "end 8 stream reset\n"},
        {"an unknown code", 12345, CALL "end 13 stream reset\n"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct raw raw;
        raw_open(&raw, true);
        put_headers(&raw.in, 0, 1, FIELDS(PSEUDO));
        put_u32_frame(&raw.in, F_RST_STREAM, 1, rows[i].code);
        CHECK_ROW(rows[i].why, raw_run(&raw) == SLIM_OK);
        check_text(rows[i].why, raw.side->log, rows[i].log);
        raw_close(&raw);
    }
}

static void not_http2_ends_the_connection_without_an_answer(void **state)
{
    (void)state;
    static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for (size_t step = 0; step < 4; step++) {
        struct raw raw;
        raw_open(&raw, true);
        slim_buf_clear(&raw.in);
        CHECK_OK(slim_buf_put(&raw.in, slim_view_str(request)));
        CHECK(raw_run_split(&raw, step) == SLIM_ERR_MALFORMED);
        CHECK(!slim_grpc_conn_has_output(raw.side->conn));
        CHECK(slim_grpc_conn_status(raw.side->conn) == SLIM_ERR_MALFORMED);
        CHECK(slim_grpc_conn_take(raw.side->conn, SLIM_VIEW("x"), 1000) == SLIM_ERR_MALFORMED);
        check_text("nothing", reader_text(&raw.reader), "");
        raw_close(&raw);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_get_the_answers_of_the_table),
        cmocka_unit_test(finished_calls_answer_as_told),
        cmocka_unit_test(a_refused_call_is_reset_when_much_data_comes),
        cmocka_unit_test(broken_messages_end_the_call_with_a_status),
        cmocka_unit_test(settings_are_those_of_the_table),
        cmocka_unit_test(resets_become_a_status),
        cmocka_unit_test(not_http2_ends_the_connection_without_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
