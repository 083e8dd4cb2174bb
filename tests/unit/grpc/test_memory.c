/* Where memory comes from, and what happens when there is none. */
#include "unit/grpc/pair.h"

static void echo(struct side *side, struct slim_grpc_call *call, struct slim_view msg)
{
    (void)side;
    if (slim_grpc_call_put_message(call, msg) != SLIM_OK) {
        slim_grpc_call_finish(call, SLIM_GRPC_RESOURCE_EXHAUSTED, SLIM_VIEW("memory"), false);
    }
}

#ifndef SLIM_POOL_DEBUG /* that build keeps nothing on purpose */
static void the_steady_state_allocates_nothing(void **state)
{
    (void)state;
    enum { MESSAGES = 100000, BATCH = 500, WARM_UP = 5000 };
    struct pair pair;
    pair_open(&pair);
    struct slim_grpc_call *call = pair_start(&pair);
    pair_run(&pair);
    static uint8_t text[20000];
    pair.server.on_message = echo;
    uint64_t before = 0;
    size_t held = slim_heap_stats(pair.heap)->bytes_in_use;
    for (size_t sent = 0; sent < WARM_UP + MESSAGES; sent += BATCH) {
        if (sent == WARM_UP) {
            before = slim_test_alloc_count();
        }
        for (size_t i = 0; i < BATCH; i++) {
            /* most are small, some span frames */
            CHECK_OK(slim_grpc_call_put_message(call,
                                                slim_view_of(text, i % 50 == 0 ? 20000 : 100 + i)));
        }
        pair_run(&pair);
    }
    CHECK(pair.client.msg_count == WARM_UP + MESSAGES);
    CHECK(slim_test_alloc_count() == before);
    CHECK(slim_heap_stats(pair.heap)->bytes_in_use == held);
    pair_close(&pair);
}
#endif

static void an_idle_connection_holds_no_block(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    struct slim_grpc_call *call = pair_start(&pair);
    CHECK_OK(slim_grpc_call_put_message(call, SLIM_VIEW("x")));
    pair.server.on_message = echo;
    pair_run(&pair);
    CHECK(pair.client.msg_count == 1);
    CHECK(slim_block_pool_stats(pair.pool)->bytes_in_use == 0);
    /* two connections, without the pages of src/h2/sparse.h of which 4 KiB each are used */
    CHECK(slim_heap_stats(pair.heap)->bytes_in_use < 2 * 8 * 1024);
    pair_close(&pair);
}

/* A life with everything in it. Any step may fail for lack of memory; nothing may leak or crash. */
static void life(void)
{
    struct pair pair;
    static uint8_t text[70000];
    struct slim_grpc_call *calls[3] = {NULL};
    struct slim_block *block = NULL;
    if (pair_try_open(&pair) != SLIM_OK) {
        goto out;
    }
    pair.server.on_message = echo;
    struct slim_grpc_header more = {SLIM_VIEW("authorization"), SLIM_VIEW("secret")};
    for (size_t i = 0; i < SLIM_COUNT(calls); i++) {
        if (slim_grpc_call_start(pair.client.conn, OPEN_CHANNEL, &more, 1, NULL, &calls[i]) !=
            SLIM_OK) {
            goto out;
        }
    }
    if (slim_grpc_call_put_message(calls[0], SLIM_VIEW("small")) != SLIM_OK ||
        slim_grpc_call_put_message(calls[1], slim_view_of(text, sizeof(text))) != SLIM_OK ||
        slim_block_new(pair.pool, 30000, &block) != SLIM_OK) {
        goto out;
    }
    slim_block_put(block, slim_view_of(text, 30000));
    if (slim_grpc_call_put_block(calls[2], block) != SLIM_OK) {
        goto out;
    }
    pair_run(&pair);
    bool is_alive = pair.client.status == SLIM_OK && pair.server.status == SLIM_OK &&
                    pair.client.end_count == 0 &&
                    slim_grpc_conn_status(pair.client.conn) == SLIM_OK &&
                    slim_grpc_conn_status(pair.server.conn) == SLIM_OK;
    if (is_alive && !slim_test_alloc_has_failed()) {
        CHECK(pair.client.msg_count == 3);
    }
    if (is_alive) {
        slim_grpc_call_finish(calls[0], SLIM_GRPC_OK, SLIM_VIEW(""), true);
        if (pair.server.last_call != NULL) {
            slim_grpc_call_finish(pair.server.last_call, SLIM_GRPC_ABORTED, SLIM_VIEW("over"),
                                  true);
        }
        slim_grpc_conn_go_away(pair.server.conn);
        pair_run(&pair);
    }
    slim_grpc_conn_close(pair.client.conn, SLIM_GRPC_UNAVAILABLE, SLIM_VIEW("gone"));
out:
    slim_block_unref(block);
    pair_close(&pair);
}

static void without_memory_nothing_leaks(void **state)
{
    (void)state;
    slim_sweep_alloc(life);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifndef SLIM_POOL_DEBUG
        cmocka_unit_test(the_steady_state_allocates_nothing),
#endif
        cmocka_unit_test(an_idle_connection_holds_no_block),
        cmocka_unit_test(without_memory_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
