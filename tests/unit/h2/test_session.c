/* A server session against raw frames: limits and mistakes. Its owner accepts every request with ":status 200". */
#include "h2/flood.h"
#include "h2/h2.h"
#include "h2/limits.h"
#include "unit/h2/frames.h"

enum { STREAMS_MAX = 2048 };
struct world {
    struct slim_heap *heap;
    struct slim_block_pool *pool;
    struct slim_h2 *h2;
    struct slim_buf in;
    struct frame_reader reader;
    struct slim_h2_stream streams[STREAMS_MAX];
    size_t opened, closed, last_count;
    size_t data_bytes;
    size_t field_count;
    bool is_refusing;
    uint64_t now_ms;
};

static void on_request(void *ctx, int32_t id, const struct slim_h2_header *headers, size_t count,
                       bool is_last)
{
    struct world *world = ctx;
    (void)is_last;
    world->field_count = count;
    CHECK(count == 0 || headers[0].name.data != NULL);
    if (world->is_refusing) {
        return;
    }
    struct slim_h2_stream *stream = &world->streams[world->opened++ % STREAMS_MAX];
    slim_h2_stream_attach(world->h2, stream, id);
    struct slim_h2_header answer = {SLIM_VIEW(":status"), SLIM_VIEW("200")};
    CHECK_OK(slim_h2_stream_respond(stream, &answer, 1, false));
}

static void on_headers(void *ctx, struct slim_h2_stream *stream,
                       const struct slim_h2_header *headers, size_t count, bool is_last)
{
    (void)ctx;
    (void)stream;
    (void)headers;
    (void)count;
    CHECK(is_last); /* trailers of a request */
}

static void on_data(void *ctx, struct slim_h2_stream *stream, struct slim_view bytes)
{
    struct world *world = ctx;
    world->data_bytes += bytes.len;
    slim_h2_stream_credit(stream, bytes.len);
}

static void on_last(void *ctx, struct slim_h2_stream *stream)
{
    struct world *world = ctx;
    world->last_count++;
    struct slim_h2_header trailer = {SLIM_VIEW("done"), SLIM_VIEW("yes")};
    slim_h2_stream_end(stream, &trailer, 1, SLIM_H2_NO_ERROR, true);
}

static void on_close(void *ctx, struct slim_h2_stream *stream, uint32_t error)
{
    struct world *world = ctx;
    (void)stream;
    (void)error;
    world->closed++;
}

static struct world *world_new_limited(uint32_t max_streams)
{
    struct world *world = test_calloc(1, sizeof(*world));
    static const struct slim_h2_handler handler = {on_request, on_headers, on_data, on_last,
                                                   on_close};
    struct slim_h2_options options = {.is_server = true,
                                      .stream_window_bytes = 1 << 20,
                                      .conn_window_bytes = 1 << 20,
                                      .max_frame_bytes = 16384,
                                      .header_list_bytes = SLIM_H2_HEADER_LIST_BYTES,
                                      .max_streams = max_streams};
    CHECK_OK(slim_heap_new(1 << 20, &world->heap));
    CHECK_OK(slim_block_pool_new(1 << 20, &world->pool));
    CHECK_OK(slim_h2_new(&options, &handler, world, world->heap, world->pool, 0, &world->h2));
    reader_init(&world->reader);
    put_preface(&world->in);
    return world;
}

static struct world *world_new(void)
{
    return world_new_limited(SLIM_H2_STREAMS_MAX);
}

static void world_free(struct world *world)
{
    for (size_t i = 0; i < world->opened && i < STREAMS_MAX; i++) {
        if (world->streams[i].h2 != NULL && !world->streams[i].has_ended) {
            slim_h2_stream_fini(&world->streams[i]);
        }
    }
    slim_h2_free(world->h2);
    slim_block_pool_free(world->pool);
    slim_heap_free(world->heap);
    slim_buf_fini(&world->in);
    reader_fini(&world->reader);
    test_free(world);
}

static void flush(struct world *world)
{
    struct iovec iov[16];
    size_t count;
    while ((count = slim_h2_output(world->h2, iov, SLIM_COUNT(iov), 100000)) > 0) {
        size_t total = 0;
        for (size_t i = 0; i < count; i++) {
            reader_take(&world->reader, slim_view_of(iov[i].iov_base, iov[i].iov_len));
            total += iov[i].iov_len;
        }
        slim_h2_sent(world->h2, total);
    }
}

static enum slim_status run(struct world *world)
{
    enum slim_status status = slim_h2_take(world->h2, slim_buf_view(&world->in), world->now_ms);
    slim_buf_clear(&world->in);
    flush(world);
    return status;
}

#define REQUEST ":method", "POST", ":scheme", "http", ":authority", "a", ":path", "/p"

static void put_flood(struct slim_buf *in, enum slim_h2_flood_kind kind, uint32_t i)
{
    switch (kind) {
    case SLIM_H2_FLOOD_RESET:
        put_headers(in, 0, 1 + 2 * i, FIELDS(REQUEST));
        put_u32_frame(in, F_RST_STREAM, 1 + 2 * i, 8);
        break;
    case SLIM_H2_FLOOD_SETTINGS:
        put_frame(in, F_SETTINGS, 0, 0, SLIM_VIEW(""));
        break;
    case SLIM_H2_FLOOD_PING:
        put_frame(in, F_PING, 0, 0, SLIM_VIEW("12345678"));
        break;
    case SLIM_H2_FLOOD_PRIORITY:
        put_frame(in, F_PRIORITY, 0, 1, slim_view_of("\0\0\0\0\1", 5));
        break;
    case SLIM_H2_FLOOD_EMPTY_DATA:
        put_frame(in, F_DATA, 0, 1, SLIM_VIEW(""));
        break;
    case SLIM_H2_FLOOD_WINDOW_UPDATE:
        put_u32_frame(in, F_WINDOW_UPDATE, 0, 1);
        break;
    case SLIM_H2_FLOOD_REQUEST:
        put_headers(in, END_STREAM, 1 + 2 * i, FIELDS(REQUEST));
        break;
    }
}

static void floods_end_the_connection(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        enum slim_h2_flood_kind kind;
        uint32_t burst;
        uint32_t before; /* frames of the kind that the preface has */
        enum slim_h2_cause cause;
    } rows[] = {
        {"rapid reset", SLIM_H2_FLOOD_RESET, SLIM_H2_RESET_BURST, 0, SLIM_H2_CAUSE_RESETS},
        {"settings", SLIM_H2_FLOOD_SETTINGS, SLIM_H2_SETTINGS_BURST, 1, SLIM_H2_CAUSE_SETTINGS},
        {"ping", SLIM_H2_FLOOD_PING, SLIM_H2_PING_BURST, 0, SLIM_H2_CAUSE_PINGS},
        {"priority", SLIM_H2_FLOOD_PRIORITY, SLIM_H2_PRIORITY_BURST, 0, SLIM_H2_CAUSE_PRIORITIES},
        {"empty DATA", SLIM_H2_FLOOD_EMPTY_DATA, SLIM_H2_EMPTY_DATA_BURST, 0,
         SLIM_H2_CAUSE_EMPTY_DATA},
        {"credit", SLIM_H2_FLOOD_WINDOW_UPDATE, SLIM_H2_WINDOW_UPDATE_BURST, 0,
         SLIM_H2_CAUSE_WINDOW_UPDATES},
        {"requests", SLIM_H2_FLOOD_REQUEST, SLIM_H2_REQUEST_BURST, 0, SLIM_H2_CAUSE_REQUESTS},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct world *world = world_new();
        if (rows[i].kind != SLIM_H2_FLOOD_RESET && rows[i].kind != SLIM_H2_FLOOD_REQUEST) {
            put_headers(&world->in, 0, 1, FIELDS(REQUEST));
        }
        for (uint32_t k = 0; k < rows[i].burst - rows[i].before; k++) {
            put_flood(&world->in, rows[i].kind, k);
            if (k % 100 == 0) {
                CHECK_ROW(rows[i].why, run(world) == SLIM_OK);
            }
        }
        CHECK_ROW(rows[i].why, run(world) == SLIM_OK);
        put_flood(&world->in, rows[i].kind, rows[i].burst);
        CHECK_ROW(rows[i].why, run(world) == SLIM_ERR_LIMIT);
        CHECK_ROW(rows[i].why, slim_h2_cause(world->h2) == rows[i].cause);
        CHECK_ROW(rows[i].why, strstr(reader_text(&world->reader), " error 11\n") != NULL);
        CHECK_ROW(rows[i].why, slim_h2_take(world->h2, SLIM_VIEW("x"), 1000000) == SLIM_ERR_LIMIT);
        CHECK_ROW(rows[i].why,
                  slim_h2_status(world->h2) == SLIM_ERR_LIMIT && !slim_h2_has_output(world->h2));
        world_free(world);
    }
}

static void resets_that_the_peer_makes_us_send_are_counted_too(void **state)
{
    (void)state;
    struct world *world = world_new();
    enum slim_status status = run(world);
    uint32_t id = 1;
    for (; status == SLIM_OK && id < 4 * SLIM_H2_RESET_BURST; id += 2) {
        put_headers(&world->in, 0, id, FIELDS(REQUEST, "X-A", "an upper-case name"));
        status = run(world);
    }
    CHECK(status == SLIM_ERR_LIMIT || slim_h2_status(world->h2) == SLIM_ERR_LIMIT);
    CHECK(slim_h2_cause(world->h2) == SLIM_H2_CAUSE_RESETS);
    CHECK(id >= 2 * SLIM_H2_RESET_BURST && id <= 2 * SLIM_H2_RESET_BURST + 5);
    world_free(world);
}

static void padding_alone_is_no_data(void **state)
{
    (void)state;
    enum { PADDED = 8 };
    struct world *world = world_new();
    put_headers(&world->in, 0, 1, FIELDS(REQUEST));
    enum slim_status status = run(world);
    uint32_t count = 0;
    for (; status == SLIM_OK && count <= SLIM_H2_EMPTY_DATA_BURST; count++) {
        put_frame(&world->in, F_DATA, PADDED, 1, slim_view_of("\2\0\0", 3));
        status = run(world);
    }
    CHECK(status == SLIM_ERR_LIMIT && count == SLIM_H2_EMPTY_DATA_BURST + 1);
    CHECK(slim_h2_cause(world->h2) == SLIM_H2_CAUSE_EMPTY_DATA && world->data_bytes == 0);
    world_free(world);
}

static void who_receives_may_return_much_credit(void **state)
{
    (void)state;
    struct world *world = world_new();
    put_headers(&world->in, 0, 1, FIELDS(REQUEST));
    CHECK(run(world) == SLIM_OK);
    for (uint32_t i = 0; i < SLIM_H2_WINDOW_UPDATE_BURST; i++) {
        CHECK_OK(slim_h2_stream_put(&world->streams[0], SLIM_VIEW("x"), SLIM_VIEW("")));
        flush(world);
        put_u32_frame(&world->in, F_WINDOW_UPDATE, 0, 1);
        put_u32_frame(&world->in, F_WINDOW_UPDATE, 1, 1);
        CHECK(run(world) == SLIM_OK);
    }
    world_free(world);
}

static void too_many_continuations_are_a_flood(void **state)
{
    (void)state;
#ifdef SLIM_H2_HAS_CONTINUATION_LIMIT
    struct world *world = world_new();
    put_frame(&world->in, F_HEADERS, 0, 1, SLIM_VIEW(""));
    for (uint32_t i = 0; i <= SLIM_H2_CONTINUATIONS_MAX; i++) {
        put_frame(&world->in, F_CONTINUATION, 0, 1, SLIM_VIEW(""));
    }
    CHECK(run(world) == SLIM_ERR_LIMIT);
    CHECK(slim_h2_cause(world->h2) == SLIM_H2_CAUSE_CONTINUATIONS);
    world_free(world);
#endif
}

static void what_comes_behind_the_end_of_a_stream_is_refused(void **state)
{
    (void)state;
    enum { NEXT_RUN = 1, RESET_FIRST = 2, DATA_AGAIN = 4, OLD_ID = 8 };
    static const struct {
        const char *why;
        uint32_t how;
        const char *answer;
    } rows[] = {
        {"DATA behind END_STREAM, the stream is gone", NEXT_RUN | DATA_AGAIN, " error 5\n"},
        {"HEADERS behind END_STREAM", NEXT_RUN, " error 5\n"},
        {"DATA behind a reset", RESET_FIRST | DATA_AGAIN, " error 5\n"},
        {"HEADERS behind a reset", RESET_FIRST | NEXT_RUN, " error 5\n"},
        {"an id that was jumped over", OLD_ID, " error 1\n"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct world *world = world_new();
        bool is_reset = (rows[i].how & RESET_FIRST) != 0;
        put_headers(&world->in, is_reset ? 0 : END_STREAM, 5, FIELDS(REQUEST));
        if (is_reset) {
            put_u32_frame(&world->in, F_RST_STREAM, 5, 8);
        }
        if ((rows[i].how & NEXT_RUN) != 0) {
            CHECK_ROW(rows[i].why, run(world) == SLIM_OK);
        }
        if ((rows[i].how & DATA_AGAIN) != 0) {
            put_frame(&world->in, F_DATA, END_STREAM, 5, SLIM_VIEW("x"));
        } else {
            uint32_t id = (rows[i].how & OLD_ID) != 0 ? 3 : 5;
            put_headers(&world->in, END_STREAM, id, FIELDS(REQUEST));
        }
        CHECK_ROW(rows[i].why, run(world) == SLIM_ERR_MALFORMED);
        CHECK_ROW(rows[i].why, strstr(reader_text(&world->reader), rows[i].answer) != NULL);
        CHECK_ROW(rows[i].why, slim_h2_cause(world->h2) == SLIM_H2_CAUSE_BROKEN);
        world_free(world);
    }
}

static void a_stream_whose_reset_waits_is_not_counted(void **state)
{
    (void)state;
    struct world *world = world_new_limited(1);
    put_frame(&world->in, F_SETTINGS, ACK, 0, SLIM_VIEW(""));
    put_headers(&world->in, 0, 1, FIELDS(REQUEST));
    CHECK(run(world) == SLIM_OK && world->opened == 1);
    struct slim_h2_header trailer = {SLIM_VIEW("done"), SLIM_VIEW("yes")};
    slim_h2_stream_end(&world->streams[0], &trailer, 1, SLIM_H2_NO_ERROR, true);
    struct iovec iov;
    CHECK(slim_h2_output(world->h2, &iov, 1, 1) == 1); /* END_STREAM is framed, the reset is not */
    put_frame(&world->in, F_DATA, END_STREAM, 1, SLIM_VIEW(""));
    put_headers(&world->in, 0, 3, FIELDS(REQUEST)); /* for the peer the first one is over */
    CHECK(run(world) == SLIM_OK && world->opened == 2 && world->closed == 1);
    world_free(world);
}

static void a_calm_peer_may_go_on_for_ever(void **state)
{
    (void)state;
    struct world *world = world_new();
    for (uint32_t k = 0; k < 3 * SLIM_H2_RESET_BURST; k++) {
        put_flood(&world->in, SLIM_H2_FLOOD_RESET, k);
        world->now_ms += 1000 / SLIM_H2_RESET_RATE;
        CHECK(run(world) == SLIM_OK);
    }
    CHECK(world->closed == world->opened && slim_h2_stream_count(world->h2) == 0);
    world_free(world);
}

static void answers_to_a_peer_that_does_not_read_are_bounded(void **state)
{
    (void)state;
    struct world *world = world_new();
    enum slim_status status = SLIM_OK;
    size_t pings = 0;
    CHECK(run(world) == SLIM_OK);
    while (status == SLIM_OK && pings < 1000000) {
        put_frame(&world->in, F_PING, 0, 0, SLIM_VIEW("12345678"));
        status = slim_h2_take(world->h2, slim_buf_view(&world->in), world->now_ms++);
        slim_buf_clear(&world->in);
        pings++;
    }
    CHECK(status == SLIM_ERR_LIMIT);
    CHECK(slim_h2_pending_bytes(world->h2) < 2 * SLIM_H2_PUMP_BYTES);
    CHECK(pings < 6000);
    world_free(world);
}

static void mistakes_end_the_connection(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        uint8_t type, flags;
        uint32_t id;
        struct slim_view payload;
        const char *answer;
    } rows[] = {
        {"DATA on the connection",
         F_DATA,
         0,
         0,
         {(const uint8_t *)"x", 1},
         "GOAWAY 0 last 1 error 1\n"},
        {"DATA on an idle stream",
         F_DATA,
         0,
         5,
         {(const uint8_t *)"x", 1},
         "GOAWAY 0 last 1 error 1\n"},
        {"HEADERS on the connection",
         F_HEADERS,
         4,
         0,
         {(const uint8_t *)"\x82", 1},
         "GOAWAY 0 last 1 error 1\n"},
        {"an even stream",
         F_HEADERS,
         4,
         2,
         {(const uint8_t *)"\x82", 1},
         "GOAWAY 0 last 1 error 1\n"},
        {"garbage in the header block",
         F_HEADERS,
         4,
         3,
         {(const uint8_t *)"\xff\xff\xff\xff\xff\xff", 6},
         "GOAWAY 0 last 3 error 9\n"},
        {"PING of seven bytes",
         F_PING,
         0,
         0,
         {(const uint8_t *)"1234567", 7},
         "GOAWAY 0 last 1 error 6\n"},
        {"SETTINGS of seven bytes",
         F_SETTINGS,
         0,
         0,
         {(const uint8_t *)"1234567", 7},
         "GOAWAY 0 last 1 error 6\n"},
        {"SETTINGS on a stream",
         F_SETTINGS,
         0,
         1,
         {(const uint8_t *)"", 0},
         "GOAWAY 0 last 1 error 1\n"},
        {"a window of zero more",
         F_WINDOW_UPDATE,
         0,
         0,
         {(const uint8_t *)"\0\0\0\0", 4},
         "GOAWAY 0 last 1 error 1\n"},
        {"a window that overflows",
         F_WINDOW_UPDATE,
         0,
         0,
         {(const uint8_t *)"\x7f\xff\xff\xff", 4},
         "GOAWAY 0 last 1 error 3\n"},
        {"CONTINUATION of nothing",
         F_CONTINUATION,
         4,
         1,
         {(const uint8_t *)"\x82", 1},
         "GOAWAY 0 last 1 error 1\n"},
        {"padding longer than the frame",
         F_DATA,
         8,
         1,
         {(const uint8_t *)"\x05"
                           "abc",
          4},
         "GOAWAY 0 last 1 error 1\n"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct world *world = world_new();
        put_headers(&world->in, 0, 1, FIELDS(REQUEST));
        CHECK(run(world) == SLIM_OK);
        slim_buf_clear(&world->reader.text);
        put_frame(&world->in, rows[i].type, rows[i].flags, rows[i].id, rows[i].payload);
        CHECK_ROW(rows[i].why, run(world) == SLIM_ERR_MALFORMED);
        if (strcmp(reader_text(&world->reader), rows[i].answer) != 0) {
            print_error("got %s", reader_text(&world->reader));
            CHECK_ROW(rows[i].why, false);
        }
        world_free(world);
    }
}

static void a_frame_longer_than_announced_ends_the_connection(void **state)
{
    (void)state;
    struct world *world = world_new();
    static uint8_t bytes[16385];
    put_headers(&world->in, 0, 1, FIELDS(REQUEST));
    put_frame(&world->in, F_DATA, 0, 1, slim_view_of(bytes, 16384));
    CHECK(run(world) == SLIM_OK && world->data_bytes == 16384);
    put_frame(&world->in, F_DATA, 0, 1, slim_view_of(bytes, 16385));
    CHECK(run(world) == SLIM_ERR_MALFORMED);
    CHECK(strstr(reader_text(&world->reader), "GOAWAY 0 last 1 error 6\n") != NULL);
    world_free(world);
}

static void header_blocks_are_bounded(void **state)
{
    (void)state;
    struct world *world = world_new();
    static char value[8000];
    memset(value, 'v', sizeof(value) - 1);
    put_headers(&world->in, 0, 1, FIELDS(REQUEST, "a", value));
    CHECK(run(world) == SLIM_OK && world->opened == 1 && world->field_count == 5);
    put_headers(&world->in, 0, 3, FIELDS(REQUEST, "a", value, "b", value, "c", value));
    CHECK(run(world) == SLIM_ERR_MALFORMED ||
          world->opened == 1); /* one frame of 24 KB breaks the frame limit */
    world_free(world);

    world = world_new();
    struct slim_buf block = {0};
    put_fields(&block, FIELDS(REQUEST, "a", value, "b", value));
    put_frame(&world->in, F_HEADERS, 0, 1, slim_view_of(block.data, 9000));
    put_fields(&block, FIELDS("c", value));
    put_frame(&world->in, F_CONTINUATION, END_HEADERS, 1,
              slim_view_of(block.data + 9000, block.len - 9000));
    put_headers(&world->in, 0, 3, FIELDS(REQUEST));
    CHECK(run(world) == SLIM_OK &&
          world->opened == 1); /* the stream is reset, the next one works */
    CHECK(strstr(reader_text(&world->reader), "RST_STREAM 1 2\n") != NULL);
    CHECK(strstr(reader_text(&world->reader), "HEADERS 3 :status=200\n") != NULL);
    slim_buf_fini(&block);
    world_free(world);
}

#ifdef SLIM_H2_HAS_CONTINUATION_LIMIT
static void continuations_are_bounded(void **state)
{
    (void)state;
    struct world *world = world_new();
    struct slim_buf block = {0};
    put_fields(&block, FIELDS(REQUEST));
    put_frame(&world->in, F_HEADERS, 0, 1, slim_buf_view(&block));
    for (size_t i = 0; i < SLIM_H2_CONTINUATIONS_MAX; i++) {
        put_frame(&world->in, F_CONTINUATION, 0, 1, SLIM_VIEW(""));
    }
    CHECK(run(world) == SLIM_OK);
    put_frame(&world->in, F_CONTINUATION, 0, 1, SLIM_VIEW(""));
    CHECK(run(world) != SLIM_OK);
    slim_buf_fini(&block);
    world_free(world);
}
#endif

static void requests_nobody_takes_are_refused(void **state)
{
    (void)state;
    struct world *world = world_new();
    world->is_refusing = true;
    put_headers(&world->in, 0, 1, FIELDS(REQUEST));
    put_frame(&world->in, F_DATA, END_STREAM, 1, SLIM_VIEW("data for nobody"));
    CHECK(run(world) == SLIM_OK);
    CHECK(strcmp(reader_text(&world->reader), "RST_STREAM 1 7\n") == 0);
    world_free(world);
}

static void credit_of_data_nobody_reads_returns_to_the_connection(void **state)
{
    (void)state;
    struct world *world = world_new();
    static uint8_t bytes[16384];
    put_headers(&world->in, 0, 1, FIELDS(REQUEST));
    CHECK(run(world) == SLIM_OK);
    slim_h2_stream_reset(&world->streams[0], SLIM_H2_CANCEL);
    flush(world);
    CHECK(world->closed == 1);
    world->reader.is_full = true;
    slim_buf_clear(&world->reader.text);
    for (size_t i = 0; i < 33; i++) { /* half of the window of 1 MiB, and a bit */
        put_frame(&world->in, F_DATA, 0, 1, slim_view_of(bytes, sizeof(bytes)));
    }
    CHECK(run(world) == SLIM_OK);
    CHECK(strncmp(reader_text(&world->reader), "WINDOW_UPDATE 0 ", 16) == 0);
    world_free(world);
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    static const struct slim_h2_handler handler = {on_request, on_headers, on_data, on_last,
                                                   on_close};
    static const struct {
        const char *why;
        struct slim_h2_options options;
    } rows[] = {
        {"window of a stream", {true, 65534, 65535, 16384, 16384, 0, NULL}},
        {"window of a stream", {true, 1U << 31, 65535, 16384, 16384, 0, NULL}},
        {"window of the connection", {true, 65535, 65534, 16384, 16384, 0, NULL}},
        {"frame too small", {true, 65535, 65535, 16383, 16384, 0, NULL}},
        {"frame too large", {true, 65535, 65535, 1 << 24, 16384, 0, NULL}},
    };
    struct slim_heap *heap;
    struct slim_block_pool *pool;
    CHECK_OK(slim_heap_new(0, &heap));
    CHECK_OK(slim_block_pool_new(0, &pool));
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_h2 *h2;
        CHECK_ROW(rows[i].why, slim_h2_new(&rows[i].options, &handler, NULL, heap, pool, 0, &h2) ==
                                   SLIM_ERR_ARGUMENT);
    }
    slim_block_pool_free(pool);
    slim_heap_free(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floods_end_the_connection),
        cmocka_unit_test(resets_that_the_peer_makes_us_send_are_counted_too),
        cmocka_unit_test(padding_alone_is_no_data),
        cmocka_unit_test(who_receives_may_return_much_credit),
        cmocka_unit_test(too_many_continuations_are_a_flood),
        cmocka_unit_test(what_comes_behind_the_end_of_a_stream_is_refused),
        cmocka_unit_test(a_stream_whose_reset_waits_is_not_counted),
        cmocka_unit_test(a_calm_peer_may_go_on_for_ever),
        cmocka_unit_test(answers_to_a_peer_that_does_not_read_are_bounded),
        cmocka_unit_test(mistakes_end_the_connection),
        cmocka_unit_test(a_frame_longer_than_announced_ends_the_connection),
        cmocka_unit_test(header_blocks_are_bounded),
#ifdef SLIM_H2_HAS_CONTINUATION_LIMIT
        cmocka_unit_test(continuations_are_bounded),
#endif
        cmocka_unit_test(requests_nobody_takes_are_refused),
        cmocka_unit_test(credit_of_data_nobody_reads_returns_to_the_connection),
        cmocka_unit_test(options_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
