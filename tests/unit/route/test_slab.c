#include "route/slab.h"
#include "support/check.h"

static void records_keep_their_place_and_their_bytes(void **state)
{
    (void)state;
    enum { COUNT = 3000, BYTES = 72 };
    struct slim_route_memory memory = {0};
    CHECK_OK(slim_heap_new(0, &memory.heap));
    struct slim_route_slab slab;
    slim_route_slab_init(&slab, &memory, BYTES);
    static uint32_t numbers[COUNT];
    static uint8_t *places[COUNT];
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < COUNT; i++) {
            CHECK_OK(slim_route_slab_reserve(&slab, 1));
            numbers[i] = slim_route_slab_new(&slab);
            places[i] = slim_route_slab_get(&slab, numbers[i]);
            for (uint32_t k = 0; k < BYTES; k++) {
                CHECK(places[i][k] == 0);
            }
            memset(places[i], (int)(i % 251 + 1), BYTES);
        }
        for (uint32_t i = round; i < COUNT; i += 2) { /* every other one goes and comes back */
            slim_route_slab_free(&slab, numbers[i]);
        }
        for (uint32_t i = round; i < COUNT; i += 2) {
            CHECK_OK(slim_route_slab_reserve(&slab, 1));
            numbers[i] = slim_route_slab_new(&slab);
            places[i] = slim_route_slab_get(&slab, numbers[i]);
            memset(places[i], (int)(i % 251 + 1), BYTES);
        }
        for (uint32_t i = 0; i < COUNT; i++) {
            CHECK(slim_route_slab_get(&slab, numbers[i]) == places[i]);
            for (uint32_t k = 0; k < BYTES; k++) {
                CHECK(places[i][k] == i % 251 + 1);
            }
        }
        for (uint32_t i = 0; i < COUNT; i++) {
            slim_route_slab_free(&slab, numbers[i]);
        }
        CHECK(slab.used_count == 0 && memory.bytes == 0); /* a large slab leaves nothing behind */
    }
    slim_route_slab_fini(&slab);
    slim_heap_free(memory.heap);
}

#ifndef SLIM_POOL_DEBUG /* each record is an object of the heap then */
static void slab_at_the_edge_of_a_chunk_asks_the_heap_once(void **state)
{
    (void)state;
    struct slim_route_memory memory = {0};
    CHECK_OK(slim_heap_new(0, &memory.heap));
    struct slim_route_slab slab;
    slim_route_slab_init(&slab, &memory, 64);
    uint32_t numbers[65];
    for (uint32_t i = 0; i < 65; i++) {
        CHECK_OK(slim_route_slab_reserve(&slab, 1));
        numbers[i] = slim_route_slab_new(&slab);
    }
    uint64_t before = slim_test_alloc_count();
    for (int i = 0; i < 100; i++) {
        slim_route_slab_free(&slab, numbers[64]);
        CHECK_OK(slim_route_slab_reserve(&slab, 1));
        numbers[64] = slim_route_slab_new(&slab);
    }
    CHECK(slim_test_alloc_count() == before);
    for (uint32_t i = 0; i < 65; i++) {
        slim_route_slab_free(&slab, numbers[i]);
    }
    slim_route_slab_fini(&slab);
    CHECK(memory.bytes == 0);
    slim_heap_free(memory.heap);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_keep_their_place_and_their_bytes),
#ifndef SLIM_POOL_DEBUG
        cmocka_unit_test(slab_at_the_edge_of_a_chunk_asks_the_heap_once),
#endif
    };
    return cmocka_run_group_tests_name("slab", tests, NULL, NULL);
}
