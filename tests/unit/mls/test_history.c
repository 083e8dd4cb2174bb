/* Random histories: 20 members, one of them after the other commits, messages are lost and reordered. Whoever is in the group
 * must always agree with the others, and whoever is not must read nothing. */
#include <stdlib.h>

#include "support/check.h"
#include "world.h"

enum { MEMBER_COUNT = 20, OPERATION_COUNT = 1000, HELD_MAX = 32 };

struct member {
    struct slim_mls_client *client;
    struct slim_mls_group *group; /* NULL: not in it */
};

/* A message on its way, and who may open it: members at the time of sending. */
struct held {
    struct slim_mls_buf message;
    bool may_open[MEMBER_COUNT];
    size_t sender;
};

struct history {
    struct world world;
    struct member members[MEMBER_COUNT];
    struct slim_mls_group *left[MEMBER_COUNT]; /* the last state of one that was removed */
    struct held held[HELD_MAX];
    size_t held_count;
    unsigned opened_count;
};

static size_t pick(struct history *history, bool is_in)
{
    size_t count = 0;
    size_t list[MEMBER_COUNT];
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        if ((history->members[i].group != NULL) == is_in) {
            list[count++] = i;
        }
    }
    return count == 0 ? MEMBER_COUNT : list[world_random(&history->world) % count];
}

static size_t count_in(const struct history *history)
{
    size_t count = 0;
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        count += history->members[i].group != NULL;
    }
    return count;
}

/* Give a commit to everybody but its author; whoever it removes goes. */
static void deliver_commit(struct history *history, size_t author,
                           const struct slim_mls_buf *commit)
{
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        struct member *member = &history->members[i];
        struct slim_mls_event event;
        if (member->group == NULL || i == author) {
            continue;
        }
        assert_int_equal(slim_mls_group_process(member->group, world_view(commit), &event),
                         SLIM_MLS_OK);
        if (event.kind == SLIM_MLS_EVENT_REMOVED) {
            slim_mls_group_free(history->left[i]);
            history->left[i] = member->group;
            member->group = NULL;
        }
        slim_mls_event_free(&event);
    }
}

static void add(struct history *history, size_t author, struct slim_mls_commit_options *options,
                size_t *joiners, size_t joiner_count)
{
    struct slim_mls_buf packages[MEMBER_COUNT];
    struct slim_mls_view views[MEMBER_COUNT];
    struct slim_mls_commit_output output;
    for (size_t i = 0; i < joiner_count; i++) {
        assert_int_equal(
            slim_mls_key_package_new(history->members[joiners[i]].client, &packages[i]),
            SLIM_MLS_OK);
        views[i] = world_view(&packages[i]);
    }
    options->key_packages = views;
    options->key_package_count = joiner_count;
    assert_int_equal(slim_mls_group_commit(history->members[author].group, options, &output),
                     SLIM_MLS_OK);
    deliver_commit(history, author, &output.commit);
    assert_int_equal(slim_mls_group_commit_apply(history->members[author].group), SLIM_MLS_OK);
    for (size_t i = 0; i < joiner_count; i++) {
        struct member *joiner = &history->members[joiners[i]];
        assert_int_equal(slim_mls_group_join(joiner->client, world_view(&output.welcome),
                                             (struct slim_mls_view){0}, &joiner->group),
                         SLIM_MLS_OK);
        slim_mls_buf_free(&packages[i]);
    }
    slim_mls_commit_output_free(&output);
    options->key_packages = NULL;
}

static void change_members(struct history *history)
{
    struct slim_mls_commit_options options = {.path = world_random(&history->world) % 2 == 0
                                                          ? SLIM_MLS_PATH_POLICY
                                                          : SLIM_MLS_PATH_NEEDED};
    size_t author = pick(history, true);
    size_t joiners[MEMBER_COUNT];
    size_t joiner_count = 0;
    for (uint64_t wanted = world_random(&history->world) % 4; wanted > 0; wanted--) {
        size_t joiner = pick(history, false);
        bool is_new = joiner != MEMBER_COUNT;
        for (size_t i = 0; i < joiner_count; i++) {
            is_new = is_new && joiners[i] != joiner;
        }
        if (is_new) {
            joiners[joiner_count++] = joiner;
        }
    }
    uint32_t removed[2];
    for (uint64_t wanted = world_random(&history->world) % 3; wanted > 0 && count_in(history) > 4;
         wanted--) {
        size_t victim = pick(history, true);
        uint32_t leaf = slim_mls_group_own_leaf(history->members[victim].group);
        if (victim != author && (options.removed_count == 0 || removed[0] != leaf)) {
            removed[options.removed_count++] = leaf;
        }
    }
    options.removed = removed;
    add(history, author, &options, joiners, joiner_count);
}

/* Some members propose updates of themselves; somebody commits what arrived. */
static void update_by_proposal(struct history *history)
{
    size_t author = pick(history, true);
    for (uint64_t wanted = 1 + world_random(&history->world) % 3; wanted > 0; wanted--) {
        size_t updater = pick(history, true);
        struct slim_mls_buf message;
        assert_int_equal(slim_mls_group_propose_update(history->members[updater].group, &message),
                         SLIM_MLS_OK);
        for (size_t i = 0; i < MEMBER_COUNT; i++) {
            if (history->members[i].group != NULL && i != updater) {
                assert_int_equal(
                    world_process(history->members[i].group, &message, SLIM_MLS_EVENT_PROPOSAL),
                    SLIM_MLS_OK);
            }
        }
        slim_mls_buf_free(&message);
    }
    struct slim_mls_commit_options options = {0};
    add(history, author, &options, NULL, 0);
}

static void send(struct history *history)
{
    if (history->held_count == HELD_MAX) {
        return;
    }
    struct held *held = &history->held[history->held_count++];
    held->sender = pick(history, true);
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        held->may_open[i] = history->members[i].group != NULL && i != held->sender;
    }
    assert_int_equal(slim_mls_group_encrypt(history->members[held->sender].group, world_text("aad"),
                                            world_text("text"), &held->message),
                     SLIM_MLS_OK);
}

/* A message arrives late, in any order; each member that was there when it was sent opens it exactly once. */
static void arrive(struct history *history)
{
    if (history->held_count == 0) {
        return;
    }
    size_t index = world_random(&history->world) % history->held_count;
    struct held held = history->held[index];
    history->held[index] = history->held[--history->held_count];
    bool is_lost = world_random(&history->world) % 10 == 0;
    for (size_t i = 0; i < MEMBER_COUNT && !is_lost; i++) {
        struct slim_mls_group *group = history->members[i].group;
        struct slim_mls_event event;
        if (group == NULL && history->left[i] != NULL && !held.may_open[i]) {
            assert_int_not_equal(
                slim_mls_group_process(history->left[i], world_view(&held.message), &event),
                SLIM_MLS_OK);
        }
        if (group == NULL || i == held.sender) {
            continue;
        }
        enum slim_mls_status status =
            slim_mls_group_process(group, world_view(&held.message), &event);
        if (status == SLIM_MLS_OK) {
            assert_true(held.may_open[i]);
            assert_memory_equal(event.data.data, "text", 4);
            slim_mls_event_free(&event);
            history->opened_count++;
            assert_int_equal(slim_mls_group_process(group, world_view(&held.message), &event),
                             SLIM_MLS_ERR_REPLAYED);
        } else {
            assert_true(status ==
                        SLIM_MLS_ERR_STALE); /* epoch gone, or before this member's time */
        }
    }
    slim_mls_buf_free(&held.message);
}

static void store(struct history *history)
{
    struct member *member = &history->members[pick(history, true)];
    struct slim_mls_buf state;
    struct slim_mls_group *again;
    assert_int_equal(slim_mls_group_save(member->group, &state), SLIM_MLS_OK);
    assert_int_equal(slim_mls_group_load(member->client, world_view(&state), &again), SLIM_MLS_OK);
    slim_mls_buf_free(&state);
    slim_mls_group_free(member->group);
    member->group = again;
}

static void check_agreement(const struct history *history)
{
    const struct slim_mls_group *first = NULL;
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        const struct slim_mls_group *group = history->members[i].group;
        if (group == NULL) {
            continue;
        }
        first = first == NULL ? group : first;
        assert_true(world_agrees(first, group));
        assert_int_equal(slim_mls_group_member_count(group), count_in(history));
    }
}

static void run(uint64_t seed)
{
    struct history *history = calloc(1, sizeof(*history));
    assert_non_null(history);
    history->world = (struct world){.seed = seed, .now_s = WORLD_START_S};
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "member %zu", i); /* fits */
        assert_int_equal(world_client(&history->world, 1, name, &history->members[i].client),
                         SLIM_MLS_OK);
    }
    assert_int_equal(
        slim_mls_group_create(history->members[0].client, NULL, &history->members[0].group),
        SLIM_MLS_OK);
    for (int i = 0; i < OPERATION_COUNT; i++) {
        uint64_t what = world_random(&history->world) % 100;
        if (what < 15) {
            change_members(history);
        } else if (what < 20) {
            update_by_proposal(history);
        } else if (what < 25) {
            store(history);
        } else if (what < 65) {
            send(history);
        } else {
            arrive(history);
        }
        check_agreement(history);
        history->world.now_s += world_random(&history->world) % 3;
    }
    assert_true(history->opened_count > OPERATION_COUNT); /* it was about something */
    while (history->held_count > 0) {
        slim_mls_buf_free(&history->held[--history->held_count].message);
    }
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        slim_mls_group_free(history->members[i].group);
        slim_mls_group_free(history->left[i]);
        slim_mls_client_free(history->members[i].client);
    }
    free(history);
}

static void random_histories_agree(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        print_message("# seed %u\n", (unsigned)seed);
        run(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
