#include "route/index.h"
#include "route/records.h"
#include "unit/route/world.h"

enum { NAMES = 20000 };

/* The longest chain of the index of names, and whether every record is in the chain of its hash. */
static uint32_t longest_chain(const struct slim_routes *routes)
{
    const struct slim_route_index *index = &routes->names;
    uint32_t longest = 0;
    uint32_t total = 0;
    for (uint32_t bucket = 0; bucket < index->bucket_count; bucket++) {
        uint32_t len = 0;
        uint32_t number = index->buckets[bucket];
        while (number != SLIM_ROUTE_NONE) {
            CHECK(slim_route_index_bucket(index, index->hash_of(routes, number)) == bucket);
            number = slim_route_head_at(routes, number)->next;
            len++;
        }
        longest = len > longest ? len : longest;
        total += len;
    }
    CHECK(total == index->item_count);
    return longest;
}

static void index_grows_and_shrinks_with_its_records(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    const struct slim_route_index *index = &world.routes->names;
    uint32_t buckets_min = index->bucket_count;
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < NAMES; i++) {
            (void)add_of(&world, 0, 3, i, 0);
            CHECK(index->bucket_count >= index->item_count &&
                  index->bucket_count <= index->capacity);
        }
        CHECK(longest_chain(world.routes) < 12);
        for (uint32_t i = 0; i < NAMES; i++) {
            CHECK_OK(remove_of(&world, 0, 3, (uint64_t)i * 7919 % NAMES, 0, NULL));
            CHECK(index->bucket_count <= 2 * index->item_count + buckets_min);
            if (i % 997 == 0) {
                CHECK(longest_chain(world.routes) < 12);
            }
        }
        CHECK(index->item_count == 0 && index->bucket_count == buckets_min &&
              index->capacity <= 4 * buckets_min);
    }
    world_fini(&world);
}

static void ids_of_equal_halves_do_not_share_a_chain(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    for (uint64_t i = 0; i < NAMES; i++) { /* low ^ high and low + high are constant in turn */
        (void)add_of(&world, 0, 3, (unsigned __int128)(i ^ 0x5555) << 64 | i, 0);
        (void)add_of(&world, 0, 4, (unsigned __int128)i << 64 | (NAMES - i), 0);
    }
    CHECK(longest_chain(world.routes) < 12);
    world_fini(&world);
}

static void empty_table_after_a_flood_is_small(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    for (uint32_t i = 0; i < NAMES; i++) {
        (void)add_of(&world, i % WORLD_PEERS, 3 + i % 1000, i, 7);
        (void)add_of(&world, (i + 1) % WORLD_PEERS, 3 + i % 1000, i, 7);
    }
    CHECK(slim_routes_stats(world.routes).bytes > 1000 * 1000);
    for (uint32_t i = 0; i < WORLD_PEERS; i++) {
        slim_routes_remove_peer(world.routes, &world.peers[i], NULL, NULL);
    }
    CHECK(slim_routes_stats(world.routes).bytes < 20000); /* a chunk of each kind may stay */
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(index_grows_and_shrinks_with_its_records),
        cmocka_unit_test(ids_of_equal_halves_do_not_share_a_chain),
        cmocka_unit_test(empty_table_after_a_flood_is_small),
    };
    return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
