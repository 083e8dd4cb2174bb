/* Windows, queues and back pressure between two connections. */
#include "unit/grpc/pair.h"

static uint8_t content[8 << 20];

static void fill_content(void)
{
    for (size_t i = 0; i < sizeof(content); i++) {
        content[i] = (uint8_t)(i * 2654435761U >> 13);
    }
}

static void open_small(struct pair *pair, uint32_t window)
{
    struct slim_grpc_options client = pair_options(false);
    struct slim_grpc_options server = pair_options(true);
    client.stream_window_bytes = client.conn_window_bytes = window;
    server.stream_window_bytes = server.conn_window_bytes = window;
    CHECK_OK(pair_open_with(pair, &client, &server));
}

static void put(struct slim_grpc_call *call, size_t offset, size_t len)
{
    CHECK_OK(slim_grpc_call_put_message(call, slim_view_of(content + offset, len)));
}

static void messages_of_every_size_arrive_whole(void **state)
{
    (void)state;
    fill_content();
    static const size_t sizes[] = {0,     1,     5,      4066,   4067,   4068,   4096,
                                   8191,  16355, 16360,  16379,  16384,  20000,  32768,
                                   65535, 65536, 100000, 262144, 999999, 4194304};
    static const struct {
        uint32_t window;
        size_t split;
    } rows[] = {{65535, 0}, {65535, SIZE_MAX}, {65535, 1000}, {1 << 20, 0}, {1 << 20, 1000}};
    for (size_t r = 0; r < SLIM_COUNT(rows); r++) {
        struct pair pair;
        open_small(&pair, rows[r].window);
        pair.split = rows[r].split;
        struct slim_grpc_call *call = pair_start(&pair);
        pair_run(&pair);
        uint64_t want = 0;
        uint64_t bytes = 0;
        for (size_t i = 0; i < SLIM_COUNT(sizes); i++) {
            put(call, i * 31, sizes[i]);
            put(pair.server.last_call, i * 31, sizes[i]);
            want++;
            bytes += sizes[i];
            if (i % 3 == 0) {
                pair_run(&pair);
            }
        }
        pair_run(&pair);
        CHECK(pair.server.msg_count == want && pair.client.msg_count == want);
        CHECK(pair.server.msg_bytes == bytes && pair.client.msg_bytes == bytes);
        /* the same messages again, seen by nobody but the hash */
        struct side expect = {0};
        for (size_t i = 0; i < SLIM_COUNT(sizes); i++) {
            side_on_message(&expect, call, slim_view_of(content + i * 31, sizes[i]), NULL);
        }
        CHECK(pair.server.hash == expect.hash && pair.client.hash == expect.hash);
        CHECK(pair.server.block_count > 0);
        CHECK(slim_grpc_call_unsent_bytes(call) == 0 && slim_grpc_call_partial_bytes(call) == 0);
        CHECK(slim_grpc_call_accepted_bytes(call) == bytes + 5 * want);
        pair_close(&pair);
    }
}

static void blocks_are_sent_without_a_copy(void **state)
{
    (void)state;
    fill_content();
    struct pair pair;
    pair_open(&pair);
    struct slim_grpc_call *call = pair_start(&pair);
    pair_run(&pair);
    struct slim_block *block;
    struct slim_block *empty;
    CHECK_OK(slim_block_new(pair.pool, 100000, &block));
    CHECK_OK(slim_block_new(pair.pool, 1, &empty));
    slim_block_put(block, slim_view_of(content, 100000));
    put(call, 1, 10);
    CHECK_OK(slim_grpc_call_put_block(call, block));
    CHECK_OK(slim_grpc_call_put_block(call, empty));
    put(call, 2, 20);
    CHECK_OK(slim_grpc_call_put_block(call, block));
    CHECK(block->ref_count == 3 && empty->ref_count == 1);
    CHECK(slim_grpc_call_unsent_bytes(call) == 200000 + 30 + 5 * 5);
    CHECK(slim_grpc_call_memory_bytes(call) >= slim_block_size(block));
    CHECK(slim_grpc_call_memory_bytes(call) <= 2 * slim_block_size(block) + 16384);
    pair_run(&pair);
    CHECK(block->ref_count == 1);
    struct side expect = {0};
    side_on_message(&expect, call, slim_view_of(content + 1, 10), NULL);
    side_on_message(&expect, call, slim_block_view(block), NULL);
    side_on_message(&expect, call, SLIM_VIEW(""), NULL);
    side_on_message(&expect, call, slim_view_of(content + 2, 20), NULL);
    side_on_message(&expect, call, slim_block_view(block), NULL);
    CHECK(pair.server.msg_count == 5 && pair.server.hash == expect.hash);
    slim_block_unref(block);
    slim_block_unref(empty);
    pair_close(&pair);
}

static void framed_pieces_of_one_block_grow_together(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    struct slim_grpc_call *call = pair_start(&pair);
    pair_run(&pair);
    struct slim_block *block;
    CHECK_OK(slim_block_new(pair.pool, 4000, &block));
    for (size_t i = 0; i < 8; i++) {
        uint8_t prefix[SLIM_GRPC_PREFIX_BYTES];
        slim_grpc_write_prefix(prefix, 3);
        size_t offset = block->len;
        slim_block_put(block, slim_view_of(prefix, sizeof(prefix)));
        slim_block_put(block, SLIM_VIEW("abc"));
        if (i != 3) {
            CHECK_OK(slim_grpc_call_put_framed(call, block, offset, 8));
        }
        CHECK(block->ref_count == (i < 4 ? 2 : 3)); /* one piece, and a second one behind the gap */
    }
    pair_run(&pair);
    CHECK(pair.server.msg_count == 7 && pair.server.msg_bytes == 21);
    CHECK(block->ref_count == 1);
    slim_block_unref(block);
    pair_close(&pair);
}

static void output_is_cut_to_what_was_asked_for(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    struct slim_grpc_call *call = pair_start(&pair);
    pair_run(&pair);
    for (size_t i = 0; i < 100; i++) {
        put(call, 0, 5000);
    }
    struct iovec iov[64];
    size_t before = slim_grpc_call_unsent_bytes(call);
    CHECK(slim_grpc_conn_has_output(pair.client.conn));
    CHECK(slim_grpc_conn_output(pair.client.conn, iov, 1, 1 << 20) == 1);
    CHECK(before - slim_grpc_call_unsent_bytes(call) <= 16384);
    size_t count = slim_grpc_conn_output(pair.client.conn, iov, 64, 50000);
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += iov[i].iov_len;
    }
    CHECK(bytes >= 50000 && bytes < 50000 + 16384 + 9);
    CHECK(slim_grpc_conn_pending_bytes(pair.client.conn) == bytes);
    /* asked again, the same bytes come again; after a short write, the rest of them */
    struct iovec again[64];
    CHECK(slim_grpc_conn_output(pair.client.conn, again, 64, 50000) == count);
    CHECK(memcmp(iov, again, count * sizeof(iov[0])) == 0);
    slim_grpc_conn_sent(pair.client.conn, 3);
    CHECK(slim_grpc_conn_output(pair.client.conn, again, 64, 10000) >= 1);
    CHECK((uint8_t *)again[0].iov_base == (uint8_t *)iov[0].iov_base + 3);
    pair_close(&pair);
}

static void short_writes_lose_nothing(void **state)
{
    (void)state;
    fill_content();
    struct pair pair;
    pair_open(&pair);
    struct slim_grpc_call *call = pair_start(&pair);
    pair_run(&pair);
    struct side expect = {0};
    for (size_t i = 0; i < 300; i++) {
        put(call, i, i * 7);
        side_on_message(&expect, call, slim_view_of(content + i, i * 7), NULL);
    }
    while (slim_grpc_conn_has_output(pair.client.conn)) {
        struct iovec iov[3];
        size_t count = slim_grpc_conn_output(pair.client.conn, iov, 1 + pair_random(&pair) % 3,
                                             1 + pair_random(&pair) % 40000);
        for (size_t i = 0; i < count; i++) {
            size_t len = i + 1 < count ? iov[i].iov_len : 1 + pair_random(&pair) % iov[i].iov_len;
            CHECK_OK(slim_grpc_conn_take(pair.server.conn,
                                         slim_view_of(iov[0].iov_base, i == 0 ? len : 0), 1000));
            if (i == 0) {
                slim_grpc_conn_sent(pair.client.conn, len);
                break;
            }
        }
        pair_move(&pair, &pair.server, &pair.client);
    }
    CHECK(pair.server.msg_count == 300 && pair.server.hash == expect.hash);
    pair_close(&pair);
}

static void held_credit_stops_one_call_and_no_other(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    struct slim_grpc_call *slow = pair_start(&pair);
    pair_run(&pair);
    struct slim_grpc_call *slow_server = pair.server.last_call;
    struct slim_grpc_call *quick = pair_start(&pair);
    pair_run(&pair);
    pair.server.hold_bytes = 1; /* hold all from here on */
    for (size_t i = 0; i < 300; i++) {
        put(slow, 0, 9995);
    }
    pair_run(&pair);
    CHECK(slim_grpc_call_accepted_bytes(slow) == 1048576);
    CHECK(pair.server.msg_count == 104); /* the rest of the window is the begin of the next one */
    uint64_t held = pair.server.hold_bytes - 1;
    pair.server.hold_bytes = 0;
    put(quick, 0, 500000);
    put(quick, 0, 500000);
    put(quick, 0, 500000);
    pair_run(&pair);
    CHECK(pair.server.msg_count == 107);
    CHECK(slim_grpc_call_partial_bytes(slow_server) > 0);
    /* a part of it comes back, and as much goes on */
    pair.server.hold_bytes = 1;
    slim_grpc_call_release(slow_server, 600000);
    pair_run(&pair);
    CHECK(slim_grpc_call_accepted_bytes(slow) == 1048576 + 600000 + 8576);
    held += pair.server.hold_bytes - 1 - 600000;
    pair.server.hold_bytes = 0;
    slim_grpc_call_release(slow_server, held);
    slim_grpc_call_release(slow_server, 12345); /* more than is held gives nothing */
    pair_run(&pair);
    CHECK(slim_grpc_call_unsent_bytes(slow) == 0 && pair.server.msg_count == 303);
    pair_close(&pair);
}

static void a_gathered_message_can_be_held_after_its_credit_went_back(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    struct slim_grpc_call *call = pair_start(&pair);
    pair_run(&pair);
    pair.server.hold_bytes = 1;
    put(call, 0, 4000000);
    pair_run(&pair);
    CHECK(pair.server.msg_count == 1 && pair.server.hold_bytes == 4000006);
    for (size_t i = 0; i < 500; i++) {
        put(call, 0, 9995);
    }
    pair_run(&pair);
    uint64_t stopped = slim_grpc_call_accepted_bytes(call);
    CHECK(stopped <= 4000005 + 1048576);
    slim_grpc_call_release(pair.server.last_call, pair.server.hold_bytes - 1);
    pair.server.hold_bytes = 0;
    pair_run(&pair);
    CHECK(slim_grpc_call_unsent_bytes(call) == 0 && pair.server.msg_count == 501);
    pair_close(&pair);
}

static void trailers_pass_a_peer_that_gives_no_credit(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    struct slim_grpc_call *call = pair_start(&pair);
    pair_run(&pair);
    pair.client.hold_bytes = 1;
    for (size_t i = 0; i < 100; i++) {
        put(pair.server.last_call, 0, 100000);
    }
    pair_run(&pair);
    CHECK(slim_grpc_call_unsent_bytes(pair.server.last_call) > 0 && pair.client.end_count == 0);
    slim_grpc_call_finish(pair.server.last_call, SLIM_GRPC_OK, SLIM_VIEW(""), false);
    pair_run(&pair);
    CHECK(pair.client.end_count == 1 &&
          pair.client.last_end.status == SLIM_GRPC_INTERNAL); /* the last message is cut off */
    (void)call;                                               /* freed with its end */
    pair_close(&pair);
}

static void a_client_leaves_a_server_that_gives_no_credit(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    struct slim_grpc_call *call = pair_start(&pair);
    pair_run(&pair);
    pair.server.hold_bytes = 1;
    for (size_t i = 0; i < 100; i++) {
        put(call, 0, 100000);
    }
    pair_run(&pair);
    slim_grpc_call_finish(call, SLIM_GRPC_OK, SLIM_VIEW(""), false);
    pair_run(&pair);
    CHECK(pair.server.end_count == 1 && pair.server.last_end.status == SLIM_GRPC_CANCELLED);
    CHECK(slim_grpc_conn_call_count(pair.server.conn) == 0);
    pair_close(&pair);
}

static void a_half_closed_call_flushes_a_bounded_queue(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        size_t count; /* of messages of 10 000 bytes behind the window of 64 KiB */
        size_t want;
    } rows[] = {{"a moderate queue is sent", 100, 100}, {"a huge one is dropped", 200, 6}};
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct pair pair;
        open_small(&pair, 65535);
        struct slim_grpc_call *call = pair_start(&pair);
        pair_run(&pair);
        for (size_t k = 0; k < rows[i].count; k++) {
            put(pair.server.last_call, 0, 9995);
        }
        pair.client.hold_bytes = 1;
        pair_run(&pair);
        CHECK_ROW(rows[i].why, pair.client.msg_count == 6);
        size_t held = pair.client.hold_bytes - 1;
        pair.client.hold_bytes = 0;
        /* The half-close of a client that goes on reading, which ours does not do: its frame by hand. */
        const uint8_t half_close[] = {0, 0, 0, 0, 1, 0, 0, 0, 1};
        CHECK_OK(slim_grpc_conn_take(pair.server.conn, slim_view_of(half_close, sizeof(half_close)),
                                     1000));
        CHECK_ROW(rows[i].why,
                  pair.server.end_count == 1 && pair.server.last_end.status == SLIM_GRPC_OK);
        size_t pending = slim_grpc_conn_pending_bytes(pair.server.conn);
        CHECK_ROW(rows[i].why, (pending > 900000) == (rows[i].want == 100));
        slim_grpc_call_release(call, held);
        pair_run(&pair);
        CHECK_ROW(rows[i].why, pair.client.msg_count == rows[i].want && pair.client.end_count == 1);
        pair_close(&pair);
    }
}

static void announced_lengths_reserve_nothing(void **state)
{
    (void)state;
    struct slim_grpc_options server = pair_options(true);
    struct slim_grpc_options client = pair_options(false);
    struct pair pair;
    CHECK_OK(pair_open_with(&pair, &client, &server));
    /* A prefix that announces 4 MiB, and two bytes: sent as pieces of a block so that nothing is added. */
    struct slim_block *block;
    CHECK_OK(slim_block_new(pair.pool, 10, &block));
    slim_block_put(block, slim_view_of("\0\0\x40\0\0ab", 7));
    struct slim_grpc_call *calls[500];
    for (size_t i = 0; i < SLIM_COUNT(calls); i++) {
        calls[i] = pair_start(&pair);
        CHECK_OK(slim_grpc_call_put_framed(calls[i], block, 0, 5));
    }
    pair_run(&pair);
    CHECK(slim_block_pool_stats(pair.pool)->bytes_in_use ==
          4096); /* `block`, and nothing for 500 announcements */
    CHECK_OK(slim_grpc_call_put_framed(calls[0], block, 5, 2));
    pair_run(&pair);
    CHECK(slim_block_pool_stats(pair.pool)->bytes_in_use == 2 * 4096);
    slim_block_unref(block);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_every_size_arrive_whole),
        cmocka_unit_test(blocks_are_sent_without_a_copy),
        cmocka_unit_test(framed_pieces_of_one_block_grow_together),
        cmocka_unit_test(output_is_cut_to_what_was_asked_for),
        cmocka_unit_test(short_writes_lose_nothing),
        cmocka_unit_test(held_credit_stops_one_call_and_no_other),
        cmocka_unit_test(a_gathered_message_can_be_held_after_its_credit_went_back),
        cmocka_unit_test(trailers_pass_a_peer_that_gives_no_credit),
        cmocka_unit_test(a_client_leaves_a_server_that_gives_no_credit),
        cmocka_unit_test(a_half_closed_call_flushes_a_bounded_queue),
        cmocka_unit_test(announced_lengths_reserve_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
