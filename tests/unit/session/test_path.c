/* When a moderator's commits carry a path, and so renew its keys. */
#include "unit/mls/commit.h"
#include "world.h"

enum { COMMITS_MAX = 32, SOON_MS = 90, SECOND_MS = 1000 };

/* What the commits of the group were, by commit_id; those that went out as GROUP_ADD or GROUP_REMOVE. */
struct seen {
    bool is_there[COMMITS_MAX];
    bool has_path[COMMITS_MAX];
    uint32_t count;
};

static struct world world;
static struct seen seen;

static bool note_commits(struct world *of, size_t from, size_t to,
                         const struct slim_wire_session_message *message)
{
    (void)of;
    (void)from;
    (void)to;
    int32_t type = message->head.session_message_type;
    if (type == SLIM_WIRE_TYPE_GROUP_ADD || type == SLIM_WIRE_TYPE_GROUP_REMOVE) {
        const struct slim_wire_mls *mls = &message->payload.group_change.mls;
        CHECK(mls->is_present && mls->commit_id < COMMITS_MAX);
        seen.count += seen.is_there[mls->commit_id] ? 0 : 1;
        seen.is_there[mls->commit_id] = true;
        seen.has_path[mls->commit_id] = commit_has_path(mls->content);
    }
    return true;
}

/* A group of the first application, with nobody in it yet. */
static uint32_t begin(size_t count, const struct slim_session_app_options *options)
{
    if (options != NULL) {
        world_init_with(&world, count, options);
    } else {
        world_init(&world, count);
    }
    seen = (struct seen){.count = 0};
    world.filter = note_commits;
    const struct slim_session_settings settings = world_settings(SLIM_SESSION_GROUP, true);
    const struct slim_wire_name channel = world_name("channel", 0);
    return world_create(&world, 0, &settings, &channel, 9000);
}

static void invite(uint32_t id, size_t whom)
{
    world_invite(&world, 0, id, whom, 9000 + whom);
    world_run(&world, SOON_MS);
    CHECK(world_is_ok(&world, 0, 9000 + whom));
}

static uint64_t epoch_of(size_t app, uint32_t id)
{
    struct slim_session_info info;
    CHECK_OK(slim_session_app_look(world.apps[app].app, id, &info));
    return info.mls_epoch;
}

static void everybody_is_heard(uint32_t id)
{
    for (size_t i = 0; i < world.app_count; i++) {
        world_publish(&world, i, id, "x", 100 + i);
    }
    world_run(&world, SECOND_MS);
    for (size_t i = 0; i < world.app_count; i++) {
        CHECK(world_is_ok(&world, i, 100 + i));
        CHECK(world_count(&world, i, SLIM_SESSION_MESSAGE) == world.app_count - 1);
    }
}

static void path_in_adds_at_most_once_per_path_time(void **state)
{
    (void)state;
    uint32_t id = begin(6, NULL);
    invite(id, 1); /* the first commit, which nobody else hears, has one */
    invite(id, 2);
    invite(id, 3);
    world_run(&world, SLIM_SESSION_PATH_MS);
    invite(id, 4); /* the time is over, and no refresh has come before */
    invite(id, 5);
    CHECK(seen.count == 4);
    CHECK(!seen.has_path[2] && !seen.has_path[3]);
    CHECK(seen.has_path[4] && !seen.has_path[5]);
    everybody_is_heard(id);
    world_fini(&world);
}

static void invitations_without_path_are_followed_by_a_refresh(void **state)
{
    (void)state;
    uint32_t id = begin(4, NULL);
    invite(id, 1);
    invite(id, 2);
    invite(id, 3);
    CHECK(seen.count == 2 && epoch_of(1, id) == 3);
    world_run(&world, 2 * SLIM_SESSION_PATH_MS);
    CHECK(seen.count == 3 && seen.is_there[4] && seen.has_path[4]);
    CHECK(epoch_of(1, id) == 4 && epoch_of(3, id) == 4);
    world_run(&world, 4 * SLIM_SESSION_PATH_MS); /* one is enough */
    CHECK(epoch_of(1, id) == 4);
    everybody_is_heard(id);
    world_fini(&world);
}

static void one_invitation_with_a_path_owes_nothing(void **state)
{
    (void)state;
    uint32_t id = begin(2, NULL);
    invite(id, 1);
    world_run(&world, 4 * SLIM_SESSION_PATH_MS);
    CHECK(seen.count == 0 && epoch_of(1, id) == 1);
    world_fini(&world);
}

static void removal_has_a_path_and_pays_for_invitations(void **state)
{
    (void)state;
    struct slim_error error = {.status = SLIM_OK};
    uint32_t id = begin(4, NULL);
    invite(id, 1);
    invite(id, 2);
    invite(id, 3);
    struct slim_wire_name name = world.apps[3].name;
    CHECK_OK(slim_session_app_remove(world.apps[0].app, world.now_ms, id, &name, 1, &error));
    world_run(&world, SOON_MS);
    CHECK(world_is_ok(&world, 0, 1));
    CHECK(seen.count == 3 && seen.has_path[4]);
    world_run(&world, 4 * SLIM_SESSION_PATH_MS);
    CHECK(seen.count == 3 && epoch_of(1, id) == 4); /* no refresh besides */
    world_fini(&world);
}

static void plain_adds_owe_a_refresh_too(void **state)
{
    (void)state;
    struct slim_session_app_options options = {
        .can_send = true, .can_receive = true, .has_plain_adds = true};
    uint32_t id = begin(3, &options);
    invite(id, 1);
    invite(id, 2);
    CHECK(seen.count == 1 && !seen.has_path[2]);
    world_run(&world, 2 * SLIM_SESSION_PATH_MS);
    CHECK(seen.count == 2 && seen.has_path[3]);
    everybody_is_heard(id);
    world_fini(&world);
}

static void closing_group_does_not_spin_for_what_it_owes(void **state)
{
    (void)state;
    struct slim_error error = {.status = SLIM_OK};
    uint32_t id = begin(3, NULL);
    invite(id, 1);
    invite(id, 2);
    world_run(&world, 2 * SLIM_SESSION_PATH_MS - SECOND_MS);
    for (size_t i = 1; i < 3; i++) {
        world.apps[i].is_dead = true; /* so that it drains for long */
    }
    world_publish(&world, 0, id, "x", 1);
    CHECK_OK(slim_session_app_close(world.apps[0].app, world.now_ms, id, 2, &error));
    world_run(&world, SECOND_MS / 5);
    unsigned wakes = 0;
    uint64_t end_ms = world.now_ms + 4 * SECOND_MS; /* what is owed comes due in between */
    for (uint64_t now_ms = world.now_ms; now_ms < end_ms;) {
        uint64_t due_ms = slim_session_app_tick(world.apps[0].app, now_ms);
        CHECK(due_ms > now_ms);
        now_ms = due_ms;
        wakes++;
    }
    CHECK(wakes < 100);
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_in_adds_at_most_once_per_path_time),
        cmocka_unit_test(invitations_without_path_are_followed_by_a_refresh),
        cmocka_unit_test(one_invitation_with_a_path_owes_nothing),
        cmocka_unit_test(removal_has_a_path_and_pays_for_invitations),
        cmocka_unit_test(plain_adds_owe_a_refresh_too),
        cmocka_unit_test(closing_group_does_not_spin_for_what_it_owes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
