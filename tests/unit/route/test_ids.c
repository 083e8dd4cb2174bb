#include "route/records.h"
#include "unit/route/world.h"

struct shown {
    size_t count;
    bool is_ascending;
};

static void look(void *ctx, const struct slim_route_subscription *subscription)
{
    struct shown *shown = ctx;
    shown->count = subscription->id_count;
    shown->is_ascending = true;
    for (size_t i = 1; i < subscription->id_count; i++) {
        shown->is_ascending =
            shown->is_ascending && subscription->ids[i - 1] < subscription->ids[i];
    }
}

static void ids_of_one_subscription_go_up_to_their_limit(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    struct slim_name_key name = name_of(3, 5);
    struct slim_name_text text = {{SLIM_VIEW("a"), SLIM_VIEW("b"), SLIM_VIEW("c")}};
    size_t empty_bytes = slim_routes_stats(world.routes).bytes;
    for (uint64_t i = 1; i <= SLIM_ROUTE_IDS_MAX; i++) {
        uint64_t id = i * 0x9e3779b97f4a7c15U; /* in no order */
        CHECK_OK(slim_routes_add(world.routes, &name, &text, &world.peers[0], id, NULL));
    }
    CHECK(slim_routes_add(world.routes, &name, &text, &world.peers[0], 1, NULL) == SLIM_ERR_LIMIT);
    CHECK_OK(
        slim_routes_add(world.routes, &name, &text, &world.peers[0], 0x9e3779b97f4a7c15U, NULL));
    struct shown shown = {0};
    slim_routes_each(world.routes, &world.peers[0], look, &shown);
    CHECK(shown.count == SLIM_ROUTE_IDS_MAX && shown.is_ascending);
    for (uint64_t i = 1; i <= SLIM_ROUTE_IDS_MAX; i++) {
        CHECK(match_of(&world, 3, 5, 1, -1) == 1);
        CHECK_OK(remove_of(&world, 0, 3, 5, i * 0x9e3779b97f4a7c15U, NULL));
    }
    CHECK(match_of(&world, 3, 5, 1, -1) == 0);
    CHECK(slim_routes_stats(world.routes).bytes <
          empty_bytes + 20000); /* a chunk of each kind may stay */
    world_fini(&world);
}

static void references_stop_at_their_limit(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    (void)add_of(&world, 0, 3, 5, 0);
    struct slim_name_key name = name_of(3, 5);
    struct slim_name_text text = {{SLIM_VIEW("a"), SLIM_VIEW("b"), SLIM_VIEW("c")}};
    struct slim_route_sub *sub =
        slim_route_sub_at(world.routes, slim_route_find_name(world.routes, &name));
    sub->reference_count = SLIM_ROUTE_REFERENCES_MAX - 1;
    CHECK_OK(slim_routes_add(world.routes, &name, &text, &world.peers[0], 0, NULL));
    CHECK(slim_routes_add(world.routes, &name, &text, &world.peers[0], 0, NULL) == SLIM_ERR_LIMIT);
    CHECK(sub->reference_count == SLIM_ROUTE_REFERENCES_MAX);
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_of_one_subscription_go_up_to_their_limit),
        cmocka_unit_test(references_stop_at_their_limit),
    };
    return cmocka_run_group_tests_name("ids", tests, NULL, NULL);
}
