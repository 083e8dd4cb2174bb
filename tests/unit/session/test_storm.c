/* Random operations on a network that loses, doubles and overtakes; then calm. Whatever happened, every operation completes, nothing is
 * delivered twice, and who is in the group afterwards hears everybody. */
#include <stdlib.h>

#include "world.h"

enum { APPS = 5, STEPS = 60, SEEDS = 60, OP_FIRST = 100 };

static struct world world;
static uint64_t random_state;

static struct {
    size_t app;
    uint64_t op;
} accepted[4 * STEPS];
static size_t accepted_count;
static uint64_t next_op;

static uint32_t draw(uint32_t below)
{
    random_state = random_state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(random_state >> 33) % below;
}

static bool lose_some(struct world *w, size_t from, size_t to,
                      const struct slim_wire_session_message *message)
{
    (void)from;
    (void)to;
    (void)message;
    w->is_doubling = draw(10) == 0;
    return draw(10) != 0;
}

static void note(size_t app, enum slim_status status)
{
    if (status == SLIM_OK) {
        accepted[accepted_count].app = app;
        accepted[accepted_count++].op = next_op;
    }
    next_op++;
}

static void publish(size_t app, uint32_t id)
{
    char text[32];
    struct slim_error error;
    (void)snprintf(text, sizeof(text), "%zu:%u", app, (unsigned)next_op);
    const struct slim_session_payload payload = {.blob = slim_view_str(text)};
    note(app, slim_session_app_publish(world.apps[app].app, world.now_ms, id, &payload, next_op,
                                       &error));
}

static void act(uint32_t id)
{
    struct slim_error error;
    size_t whom = 1 + draw(APPS - 1);
    struct slim_wire_name name = world.apps[whom].name;
    const struct slim_session_payload payload = {.blob = SLIM_VIEW("direct")};
    name.name.id = SLIM_NAME_ANY;
    switch (draw(10)) {
    case 0:
    case 1:
    case 2:
        note(0,
             slim_session_app_invite(world.apps[0].app, world.now_ms, id, &name, next_op, &error));
        return;
    case 3:
        note(0,
             slim_session_app_remove(world.apps[0].app, world.now_ms, id, &name, next_op, &error));
        return;
    case 4:
        if (draw(3) == 0) {
            note(whom,
                 slim_session_app_close(world.apps[whom].app, world.now_ms, id, next_op, &error));
        }
        return;
    case 5:
        note(0, slim_session_app_publish_to(world.apps[0].app, world.now_ms, id,
                                            &world.apps[whom].name, &payload, next_op, &error));
        return;
    default:
        publish(draw(APPS), id);
    }
}

static void check_once(size_t app)
{
    const struct world_app *own = &world.apps[app];
    for (size_t i = 0; i < own->event_count; i++) {
        for (size_t k = 0; k < i; k++) {
            const struct world_event *a = &own->events[i];
            const struct world_event *b = &own->events[k];
            bool is_same = a->kind == SLIM_SESSION_MESSAGE && b->kind == SLIM_SESSION_MESSAGE &&
                           !a->is_direct && !b->is_direct && strcmp(a->blob, b->blob) == 0;
            CHECK_ROW(a->blob, !is_same);
        }
    }
}

static void check_heard(uint32_t id)
{
    struct slim_session_info info;
    size_t before[APPS];
    size_t count = 0;
    for (size_t i = 0; i < APPS; i++) {
        before[i] = world_count(&world, i, SLIM_SESSION_MESSAGE);
        if (slim_session_app_look(world.apps[i].app, id, &info) == SLIM_OK) {
            CHECK(info.is_active);
            publish(i, id);
            count++;
        }
    }
    CHECK_OK(slim_session_app_look(world.apps[0].app, id, &info));
    CHECK(info.member_count == count || (info.member_count == 0 && count == 1));
    world_run(&world, 2000);
    for (size_t i = 0; i < APPS; i++) {
        if (slim_session_app_look(world.apps[i].app, id, &info) == SLIM_OK) {
            CHECK(info.member_count == count || count == 1);
            CHECK(world_count(&world, i, SLIM_SESSION_MESSAGE) == before[i] + count - 1);
        }
    }
}

static void storm(uint64_t seed, bool is_mls)
{
    random_state = seed;
    accepted_count = 0;
    next_op = OP_FIRST;
    world_init(&world, APPS);
    world.jitter_ms = 30;
    world.seed = seed;
    world.filter = lose_some;
    const struct slim_session_settings settings = world_settings(SLIM_SESSION_GROUP, is_mls);
    const struct slim_wire_name channel = world_name("channel", 0);
    uint32_t id = world_create(&world, 0, &settings, &channel, 1);
    for (size_t i = 0; i < STEPS; i++) {
        act(id);
        world_run(&world, draw(300));
    }
    world.filter = NULL;
    world.is_doubling = false;
    world.jitter_ms = 0;
    world_run(&world, 65000);
    struct slim_session_info info;
    if (slim_session_app_look(world.apps[0].app, id, &info) == SLIM_OK) {
        check_heard(id);
        struct slim_error error;
        note(0, slim_session_app_close(world.apps[0].app, world.now_ms, id, next_op, &error));
        world_run(&world, 45000);
    }
    for (size_t i = 0; i < accepted_count; i++) {
        bool is_completed = world_completion(&world, accepted[i].app, accepted[i].op) != NULL;
        if (!is_completed) {
            print_error("application %zu, operation %u\n", accepted[i].app,
                        (unsigned)accepted[i].op);
        }
        CHECK(is_completed);
    }
    for (size_t i = 0; i < APPS; i++) {
        check_once(i);
        CHECK(slim_session_app_count(world.apps[i].app) == 0);
        CHECK(world.apps[i].route_balance == 0);
    }
    world_fini(&world);
}

static void storms_pass(bool is_mls)
{
    const char *only = getenv("STORM_SEED");
    uint64_t first = only != NULL ? strtoull(only, NULL, 10) : 1;
    const char *count = getenv("STORM_COUNT");
    uint64_t end = first + (count != NULL ? strtoull(count, NULL, 10) : only != NULL ? 1 : SEEDS);
    for (uint64_t seed = first; seed < end; seed++) {
        print_message("# seed %u\n", (unsigned)seed);
        storm(seed, is_mls);
    }
}

static void storms_pass_in_clear(void **state)
{
    (void)state;
    storms_pass(false);
}

static void storms_pass_under_mls(void **state)
{
    (void)state;
    storms_pass(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(storms_pass_in_clear),
        cmocka_unit_test(storms_pass_under_mls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
