/* Every allocation fails once: nothing leaks, nothing crashes, and every operation that was accepted completes. */
#include "world.h"

static struct world world;

static void create(enum slim_session_kind kind, const struct slim_wire_name *destination,
                   bool is_mls, uint32_t *id, bool *is_made)
{
    struct slim_session_settings settings = world_settings(kind, is_mls);
    const struct slim_wire_pair pair = {SLIM_VIEW("key"), SLIM_VIEW("value")};
    struct slim_error error = {.status = SLIM_OK};
    settings.metadata = &pair;
    settings.metadata_count = 1;
    enum slim_status status = slim_session_app_create(world.apps[0].app, world.now_ms, &settings,
                                                      destination, UINT32_MAX, 1, id, &error);
    CHECK(status == SLIM_OK || status == SLIM_ERR_NO_MEMORY);
    *is_made = status == SLIM_OK;
}

static bool publish(size_t app, uint32_t id, uint64_t op)
{
    struct slim_error error = {.status = SLIM_OK};
    const struct slim_wire_pair pair = {SLIM_VIEW("key"), SLIM_VIEW("value")};
    const struct slim_session_payload payload = {
        .blob = SLIM_VIEW("content"), .metadata = &pair, .metadata_count = 1};
    return slim_session_app_publish(world.apps[app].app, world.now_ms, id, &payload, op, &error) ==
           SLIM_OK;
}

static bool invite(uint32_t id, size_t whom, uint64_t op)
{
    struct slim_error error = {.status = SLIM_OK};
    struct slim_wire_name name = world.apps[whom].name;
    name.name.id = SLIM_NAME_ANY;
    return slim_session_app_invite(world.apps[0].app, world.now_ms, id, &name, op, &error) ==
           SLIM_OK;
}

static bool leave(size_t app, uint32_t id, uint64_t op)
{
    struct slim_error error = {.status = SLIM_OK};
    return slim_session_app_close(world.apps[app].app, world.now_ms, id, op, &error) == SLIM_OK;
}

/* False: it could not even be made. */
static bool make_world(size_t count)
{
    const struct slim_session_app_options options = {.can_send = true, .can_receive = true};
    return world_try_init_with(&world, count, &options);
}

static void check_completed(size_t app, bool is_accepted, uint64_t op)
{
    if ((world_completion(&world, app, op) != NULL) != is_accepted) {
        print_error("application %zu, operation %u\n", app, (unsigned)op);
    }
    CHECK((world_completion(&world, app, op) != NULL) == is_accepted);
}

static void pair_once(bool is_mls)
{
    uint32_t id = 0;
    bool is_made = false;
    const struct slim_wire_name peer = world_name("b", 0);
    if (make_world(2)) {
        create(SLIM_SESSION_POINT_TO_POINT, &peer, is_mls, &id, &is_made);
        world_run(&world, 350);
        bool has_sent = publish(0, id, 2);
        bool has_answered = publish(1, id, 3);
        world_run(&world, 700);
        bool is_closing = leave(0, id, 4);
        world_run(&world, 1500);
        check_completed(0, is_made, 1);
        check_completed(0, has_sent, 2);
        check_completed(1, has_answered, 3);
        check_completed(0, is_closing, 4);
    }
    world_fini(&world);
}

static void pair_in_clear(void)
{
    pair_once(false);
}

static void pair_under_mls(void)
{
    pair_once(true);
}

static void group(bool is_mls)
{
    uint32_t id = 0;
    bool is_made = false;
    const struct slim_wire_name channel = world_name("channel", 0);
    if (make_world(3)) {
        create(SLIM_SESSION_GROUP, &channel, is_mls, &id, &is_made);
        bool has_b = invite(id, 1, 2);
        bool has_c = invite(id, 2, 3);
        world_run(&world, 350);
        bool has_sent = publish(0, id, 4);
        world_run(&world, 300);
        bool is_leaving = leave(2, id, 5);
        world_run(&world, 300);
        struct slim_error error = {.status = SLIM_OK};
        struct slim_wire_name name = world.apps[1].name;
        bool is_removing = slim_session_app_remove(world.apps[0].app, world.now_ms, id, &name, 6,
                                                   &error) == SLIM_OK;
        world_run(&world, 1000);
        bool is_closing = leave(0, id, 7);
        world_run(&world, 1500);
        check_completed(0, is_made, 1);
        check_completed(0, has_b, 2);
        check_completed(0, has_c, 3);
        check_completed(0, has_sent, 4);
        check_completed(2, is_leaving, 5);
        check_completed(0, is_removing, 6);
        check_completed(0, is_closing, 7);
    }
    world_fini(&world);
}

static void group_in_clear(void)
{
    group(false);
}

static void group_under_mls(void)
{
    group(true);
}

static void pair_survives_any_failed_allocation(void **state)
{
    (void)state;
    slim_sweep_alloc(pair_in_clear);
}

static void pair_survives_any_failed_allocation_under_mls(void **state)
{
    (void)state;
    slim_sweep_alloc(pair_under_mls);
}

static void group_survives_any_failed_allocation(void **state)
{
    (void)state;
    slim_sweep_alloc(group_in_clear);
}

static void group_survives_any_failed_allocation_under_mls(void **state)
{
    (void)state;
    slim_sweep_alloc(group_under_mls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pair_survives_any_failed_allocation),
        cmocka_unit_test(pair_survives_any_failed_allocation_under_mls),
        cmocka_unit_test(group_survives_any_failed_allocation),
        cmocka_unit_test(group_survives_any_failed_allocation_under_mls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
