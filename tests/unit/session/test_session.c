/* Sessions as applications see them, on a network that loses nothing. */
#include "world.h"

static struct world world;
static char text[4096];

static uint32_t pair(bool is_mls)
{
    const struct slim_session_settings settings =
        world_settings(SLIM_SESSION_POINT_TO_POINT, is_mls);
    const struct slim_wire_name peer = world_name("b", 0);
    world_init(&world, 2);
    uint32_t id = world_create(&world, 0, &settings, &peer, 1);
    world_run(&world, 20);
    CHECK(world_is_ok(&world, 0, 1));
    CHECK(world_count(&world, 1, SLIM_SESSION_BEGUN) == 1);
    return id;
}

static void check_all_over(void)
{
    for (size_t i = 0; i < world.app_count; i++) {
        CHECK(slim_session_app_count(world.apps[i].app) == 0);
        CHECK(world.apps[i].route_balance == 0);
        for (size_t k = 0; k < WORLD_SUBSCRIPTIONS_MAX; k++) {
            CHECK(world.apps[i].subscription_counts[k] == 0);
        }
    }
    world_fini(&world);
}

static void close_session(size_t app, uint32_t id, uint64_t op)
{
    struct slim_error error = {.status = SLIM_OK};
    CHECK_OK(slim_session_app_close(world.apps[app].app, world.now_ms, id, op, &error));
    world_run(&world, 1000);
    CHECK(world_is_ok(&world, app, op));
}

static void talk_both_ways(bool is_mls)
{
    uint32_t id = pair(is_mls);
    world_publish(&world, 0, id, "one", 2);
    world_publish(&world, 0, id, "two", 3);
    world_publish(&world, 1, id, "three", 4);
    world_run(&world, 20);
    CHECK(world_is_ok(&world, 0, 2) && world_is_ok(&world, 0, 3) && world_is_ok(&world, 1, 4));
    assert_string_equal(world_messages(&world, 1, text, sizeof(text)), "one,two");
    assert_string_equal(world_messages(&world, 0, text, sizeof(text)), "three");
    CHECK(world_event(&world, 1, SLIM_SESSION_MESSAGE, 0)->is_sealed == is_mls);
    close_session(0, id, 5);
    CHECK(world_count(&world, 0, SLIM_SESSION_CLOSED) == 1);
    CHECK(world_count(&world, 1, SLIM_SESSION_CLOSED) == 1);
    check_all_over();
}

static void pair_talks_both_ways_and_closes(void **state)
{
    (void)state;
    talk_both_ways(false);
}

static void pair_talks_under_mls(void **state)
{
    (void)state;
    talk_both_ways(true);
}

static void responder_leaves_and_the_session_ends(void **state)
{
    (void)state;
    uint32_t id = pair(false);
    close_session(1, id, 5);
    CHECK(world_count(&world, 0, SLIM_SESSION_CLOSED) == 1);
    assert_string_equal(world_event(&world, 0, SLIM_SESSION_PROBLEM, 0)->text,
                        "participant disconnected: t/w/b/3ea");
    check_all_over();
}

static void group_talks(bool is_mls, size_t count)
{
    world_init(&world, count);
    uint32_t id = world_group(&world, is_mls);
    for (size_t i = 0; i < count; i++) {
        const char *texts[] = {"A", "B", "C", "D", "E", "F", "G", "H"};
        CHECK(i == 0 || world_count(&world, i, SLIM_SESSION_BEGUN) == 1);
        world_publish(&world, i, id, texts[i], 100 + i);
    }
    world_run(&world, 1000);
    for (size_t i = 0; i < count; i++) {
        struct slim_session_info info;
        CHECK(world_is_ok(&world, i, 100 + i));
        CHECK(world_count(&world, i, SLIM_SESSION_MESSAGE) == count - 1);
        CHECK_OK(slim_session_app_look(world.apps[i].app, id, &info));
        CHECK(info.member_count == count && info.is_active);
        CHECK(slim_session_app_member(world.apps[i].app, id, count - 1) != NULL);
        CHECK(slim_session_app_member(world.apps[i].app, id, count) == NULL);
    }
    close_session(0, id, 5);
    check_all_over();
}

static void group_of_five_talks_and_closes(void **state)
{
    (void)state;
    group_talks(false, 5);
}

static void group_of_five_talks_under_mls(void **state)
{
    (void)state;
    group_talks(true, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pair_talks_both_ways_and_closes),
        cmocka_unit_test(pair_talks_under_mls),
        cmocka_unit_test(responder_leaves_and_the_session_ends),
        cmocka_unit_test(group_of_five_talks_and_closes),
        cmocka_unit_test(group_of_five_talks_under_mls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
