#include "base/block.h"

#include <unistd.h>

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

static uint8_t mark_of(size_t i)
{
    return (uint8_t)(i * 7 + 1);
}

static bool is_marked(const struct slim_block *block, size_t i)
{
    for (size_t at = 0; at < block->capacity; at += 512) {
        if (block->data[at] != mark_of(i)) {
            return false;
        }
    }
    return block->data[block->capacity - 1] == mark_of(i);
}

static void blocks_never_overlap_under_random_use(void **state)
{
    (void)state;
    enum { SLOTS = 600, STEPS = 60000 };
    static const size_t sizes[] = {1, 4000, 5000, 12000, 30000, 40000, 70000};
    static const size_t keeps[] = {0, 200000, 1 << 24};
    for (size_t k = 0; k < SLIM_COUNT(keeps); k++) {
        struct slim_block_pool *pool;
        static struct slim_block *slots[SLOTS];
        CHECK_OK(slim_block_pool_new(keeps[k], &pool));
        uint64_t seed = 11;
        for (size_t step = 0; step < STEPS; step++) {
            seed = seed * 6364136223846793005U + 1442695040888963407U;
            size_t i = (seed >> 33) % SLOTS;
            if (slots[i] != NULL) {
                CHECK(is_marked(slots[i], i));
                slim_block_unref(slots[i]);
                slots[i] = NULL;
                continue;
            }
            CHECK_OK(slim_block_new(pool, sizes[(seed >> 50) % SLIM_COUNT(sizes)], &slots[i]));
            CHECK(slots[i]->len == 0 && slots[i]->ref_count == 1);
            memset(slots[i]->data, mark_of(i), slots[i]->capacity);
        }
        for (size_t i = 0; i < SLOTS; i++) {
            CHECK(slots[i] == NULL || is_marked(slots[i], i));
            slim_block_unref(slots[i]);
            slots[i] = NULL;
        }
        CHECK(slim_block_pool_stats(pool)->bytes_in_use == 0);
        slim_block_pool_free(pool);
    }
}

static size_t resident_bytes(void)
{
    unsigned long size = 0;
    unsigned long resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL && fscanf(file, "%lu %lu", &size, &resident) == 2);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* A flood leaves holes: what is free between blocks in use must not stay in memory. */
static void memory_goes_back_whatever_order_blocks_are_freed_in(void **state)
{
    (void)state;
#if defined(SLIM_POOL_DEBUG) || defined(SLIM_SANITIZED)
    return; /* blocks are malloc's in this build, or shadowed by a sanitizer */
#endif
    enum { COUNT = 8000 };
    static struct slim_block *blocks[COUNT];
    struct slim_block_pool *pool;
    CHECK_OK(slim_block_pool_new(0, &pool));
    size_t before = resident_bytes();
    for (size_t i = 0; i < COUNT; i++) {
        CHECK_OK(slim_block_new(pool, 4000, &blocks[i]));
        memset(blocks[i]->data, 1, blocks[i]->capacity);
    }
    size_t full = resident_bytes();
    CHECK(full - before > COUNT * 4096 / 10 * 9);
    for (size_t i = 0; i < COUNT; i++) {
        if (i % 4 != 0) {
            slim_block_unref(blocks[i]);
        }
    }
    CHECK(resident_bytes() - before < COUNT * 4096 / 10 * 4);
    for (size_t i = 0; i < COUNT; i += 4) {
        slim_block_unref(blocks[i]);
    }
    slim_block_pool_free(pool);
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
        cmocka_unit_test(blocks_never_overlap_under_random_use),
        cmocka_unit_test(memory_goes_back_whatever_order_blocks_are_freed_in),
        cmocka_unit_test(out_of_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
