#include "base/block.h"
#include "support/check.h"

static void block_capacity_is_the_rest_of_a_power_of_two(void **state)
{
    (void)state;
    struct slim_block_pool *pool;
    CHECK_OK(slim_block_pool_new(1 << 20, &pool));
    static const struct {
        const char *why;
        size_t bytes;
        size_t size;
    } rows[] = {
        {"nothing asked for is the smallest class", 0, 4096},
        {"one byte", 1, 4096},
        {"exactly full", 4096 - sizeof(struct slim_block), 4096},
        {"one byte more", 4097 - sizeof(struct slim_block), 8192},
        {"a 4 MiB message with its prefix", 4194304 + 5, 8 << 20},
        {"the largest", SLIM_BLOCK_BYTES_MAX - sizeof(struct slim_block), SLIM_BLOCK_BYTES_MAX},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_block *block;
        CHECK_ROW(rows[i].why, slim_block_new(pool, rows[i].bytes, &block) == SLIM_OK);
        CHECK_ROW(rows[i].why, slim_block_size(block) == rows[i].size);
        CHECK_ROW(rows[i].why,
                  block->capacity == rows[i].size - sizeof(struct slim_block) && block->len == 0);
        CHECK_ROW(rows[i].why, slim_block_pool_stats(pool)->bytes_in_use == rows[i].size);
        slim_block_unref(block);
    }
    struct slim_block *block;
    CHECK(slim_block_new(pool, SLIM_BLOCK_BYTES_MAX, &block) == SLIM_ERR_LIMIT);
    CHECK(slim_block_pool_stats(pool)->bytes_in_use == 0);
    slim_block_pool_free(pool);
}

static void pool_keeps_no_more_than_it_was_told(void **state)
{
    (void)state;
    struct slim_block_pool *pool;
    struct slim_block *blocks[8];
    CHECK_OK(slim_block_pool_new(4 * 4096, &pool));
    for (size_t i = 0; i < SLIM_COUNT(blocks); i++) {
        CHECK_OK(slim_block_new(pool, 100, &blocks[i]));
    }
    CHECK(slim_block_pool_stats(pool)->bytes_in_use == 8 * 4096);
    for (size_t i = 0; i < SLIM_COUNT(blocks); i++) {
        slim_block_unref(blocks[i]);
    }
    CHECK(slim_block_pool_stats(pool)->bytes_kept <= 4 * 4096);
    CHECK(slim_block_pool_stats(pool)->bytes_peak == 8 * 4096);
    slim_block_pool_trim(pool);
    CHECK(slim_block_pool_stats(pool)->bytes_kept == 0);
    CHECK(slim_block_pool_stats(pool)->bytes_peak == 0);
    slim_block_pool_free(pool);
}

static void last_reference_returns_the_block(void **state)
{
    (void)state;
    struct slim_block_pool *pool;
    struct slim_block *block;
    CHECK_OK(slim_block_pool_new(0, &pool));
    CHECK_OK(slim_block_new(pool, 10, &block));
    slim_block_put(block, SLIM_VIEW("hello"));
    CHECK_VIEW(slim_block_view(block), "hello");
    CHECK(slim_block_ref(block) == block);
    slim_block_unref(block);
    CHECK(slim_block_pool_stats(pool)->bytes_in_use == 4096);
    slim_block_unref(block);
    slim_block_unref(NULL);
    CHECK(slim_block_pool_stats(pool)->bytes_in_use == 0);
    slim_block_pool_free(pool);
    slim_block_pool_free(NULL);
}

static void sweep(void)
{
    struct slim_block_pool *pool;
    if (slim_block_pool_new(1 << 20, &pool) != SLIM_OK) {
        return;
    }
    struct slim_block *block;
    if (slim_block_new(pool, 100, &block) == SLIM_OK) {
        slim_block_unref(block);
    }
    slim_block_pool_free(pool);
}

static void out_of_memory_changes_nothing(void **state)
{
    (void)state;
    slim_sweep_alloc(sweep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(block_capacity_is_the_rest_of_a_power_of_two),
        cmocka_unit_test(pool_keeps_no_more_than_it_was_told),
        cmocka_unit_test(last_reference_returns_the_block),
        cmocka_unit_test(out_of_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
