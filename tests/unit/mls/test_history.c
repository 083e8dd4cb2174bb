/* Random histories: 20 members, one of them after the other commits. Commits reach each member at another time, late ones in the wrong
 * order; messages are lost, late, early, out of order and come twice. What each member must answer is known: a model keeps the
 * epoch that each one is in, and since when. Whoever is in the group opens exactly what it must and agrees with the others;
 * whoever is not opens nothing, even when it is made to try. */
#include <stdlib.h>

#include "mls/group.h"
#include "support/check.h"
#include "world.h"

enum { MEMBER_COUNT = 20, OPERATION_COUNT = 1000, HELD_MAX = 32, EPOCHS_MAX = OPERATION_COUNT + 1 };

/* group         NULL: not in it, as far as it knows
 * is_in         in it, by what was committed: it may lag behind
 * first_epoch   of this membership
 * ended_s       when it left each epoch
 * left          its last state, when it was removed */
struct member {
    struct slim_mls_client *client;
    struct slim_mls_group *group;
    bool is_in;
    uint64_t first_epoch;
    uint64_t ended_s[EPOCHS_MAX];
    struct slim_mls_group *left;
};

/* What all members of an epoch have in common, and the commit that ended it. */
struct epoch {
    uint8_t authenticator[32];
    uint8_t tree_hash[32];
    size_t member_count;
    struct slim_mls_buf commit;
};

/* A message on its way. */
struct held {
    struct slim_mls_buf message;
    uint64_t epoch;
    size_t sender;
};

struct history {
    struct world world;
    struct member members[MEMBER_COUNT];
    struct epoch epochs[EPOCHS_MAX];
    uint64_t epoch;
    struct held held[HELD_MAX];
    size_t held_count;
    unsigned opened_count;
    unsigned stale_count;
    unsigned future_count;
    unsigned shut_out_count;
};

static uint64_t below(struct history *history, uint64_t bound)
{
    return world_random(&history->world) % bound;
}

static size_t pick(struct history *history, bool is_in)
{
    size_t count = 0;
    size_t list[MEMBER_COUNT];
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        if (history->members[i].is_in == is_in) {
            list[count++] = i;
        }
    }
    return count == 0 ? MEMBER_COUNT : list[below(history, count)];
}

static size_t count_in(const struct history *history)
{
    size_t count = 0;
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        count += history->members[i].is_in;
    }
    return count;
}

/* ---- commits */

/* The first who enters an epoch says what it is like, all others must agree. */
static void check_epoch(struct history *history, const struct slim_mls_group *group)
{
    uint64_t number = slim_mls_group_epoch(group);
    struct slim_mls_view authenticator = slim_mls_group_epoch_authenticator(group);
    struct slim_mls_view tree_hash = slim_mls_group_tree_hash(group);
    assert_true(number < EPOCHS_MAX && number <= history->epoch + 1);
    struct epoch *epoch = &history->epochs[number];
    assert_int_equal(authenticator.len, 32);
    assert_int_equal(tree_hash.len, 32);
    if (epoch->member_count == 0) {
        memcpy(epoch->authenticator, authenticator.data, 32);
        memcpy(epoch->tree_hash, tree_hash.data, 32);
        epoch->member_count = slim_mls_group_member_count(group);
    }
    assert_memory_equal(epoch->authenticator, authenticator.data, 32);
    assert_memory_equal(epoch->tree_hash, tree_hash.data, 32);
    assert_int_equal(epoch->member_count, slim_mls_group_member_count(group));
}

/* One more commit; whoever it removes goes. */
static void step(struct history *history, struct member *member)
{
    uint64_t number = slim_mls_group_epoch(member->group);
    struct slim_mls_event event;
    const struct slim_mls_buf *commit = &history->epochs[number].commit;
    assert_int_equal(slim_mls_group_process(member->group, world_view(commit), &event),
                     SLIM_MLS_OK);
    if (event.kind == SLIM_MLS_EVENT_REMOVED) {
        slim_mls_group_free(member->left);
        member->left = member->group;
        member->group = NULL;
    } else {
        assert_int_equal(event.kind, SLIM_MLS_EVENT_COMMIT);
        member->ended_s[number] = history->world.now_s;
        check_epoch(history, member->group);
    }
    slim_mls_event_free(&event);
}

/* Take all commits that are there. They may come in the wrong order, and twice. */
static void catch_up(struct history *history, size_t index)
{
    struct member *member = &history->members[index];
    while (member->group != NULL && slim_mls_group_epoch(member->group) < history->epoch) {
        uint64_t number = slim_mls_group_epoch(member->group);
        struct slim_mls_event event;
        if (number + 1 < history->epoch) {
            assert_int_equal(slim_mls_group_process(member->group,
                                                    world_view(&history->epochs[number + 1].commit),
                                                    &event),
                             SLIM_MLS_ERR_FUTURE);
        }
        step(history, member);
        if (member->group != NULL) {
            assert_int_equal(slim_mls_group_process(member->group,
                                                    world_view(&history->epochs[number].commit),
                                                    &event),
                             SLIM_MLS_ERR_STALE);
        }
    }
    assert_true(member->is_in == (member->group != NULL));
}

static void catch_up_all(struct history *history)
{
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        catch_up(history, i);
    }
}

static size_t pick_ready(struct history *history)
{
    size_t index = pick(history, true);
    catch_up(history, index);
    return index;
}

static void remove_members(struct history *history, const struct slim_mls_commit_options *options,
                           const size_t *victims)
{
    for (size_t i = 0; i < options->removed_count; i++) {
        history->members[victims[i]].is_in = false;
    }
}

/* Commit; the others learn of it when they catch up, the joiners at once. */
static void commit(struct history *history, size_t author, struct slim_mls_commit_options *options,
                   const size_t *victims, const size_t *joiners, size_t joiner_count)
{
    struct slim_mls_buf packages[MEMBER_COUNT];
    struct slim_mls_view views[MEMBER_COUNT];
    struct slim_mls_commit_output output;
    struct member *member = &history->members[author];
    for (size_t i = 0; i < joiner_count; i++) {
        catch_up(history, joiners[i]); /* it may not know yet that it was removed */
        assert_int_equal(
            slim_mls_key_package_new(history->members[joiners[i]].client, &packages[i]),
            SLIM_MLS_OK);
        views[i] = world_view(&packages[i]);
    }
    options->key_packages = views;
    options->key_package_count = joiner_count;
    assert_int_equal(slim_mls_group_commit(member->group, options, &output), SLIM_MLS_OK);
    assert_int_equal(slim_mls_group_commit_apply(member->group), SLIM_MLS_OK);
    member->ended_s[history->epoch] = history->world.now_s;
    history->epochs[history->epoch].commit = output.commit;
    output.commit = (struct slim_mls_buf){0};
    check_epoch(history, member->group);
    history->epoch++;
    assert_true(slim_mls_group_epoch(member->group) == history->epoch);
    remove_members(history, options, victims);
    for (size_t i = 0; i < joiner_count; i++) {
        struct member *joiner = &history->members[joiners[i]];
        assert_int_equal(slim_mls_group_join(joiner->client, world_view(&output.welcome),
                                             (struct slim_mls_view){0}, &joiner->group),
                         SLIM_MLS_OK);
        joiner->is_in = true;
        joiner->first_epoch = history->epoch;
        check_epoch(history, joiner->group);
        slim_mls_buf_free(&packages[i]);
    }
    assert_int_equal(slim_mls_group_member_count(member->group), count_in(history));
    options->key_packages = NULL;
    slim_mls_commit_output_free(&output);
}

static void change_members(struct history *history)
{
    struct slim_mls_commit_options options = {
        .path = below(history, 2) == 0 ? SLIM_MLS_PATH_POLICY : SLIM_MLS_PATH_NEEDED};
    size_t author = pick_ready(history);
    size_t joiners[MEMBER_COUNT];
    size_t joiner_count = 0;
    for (uint64_t wanted = below(history, 4); wanted > 0; wanted--) {
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
    size_t victims[2];
    for (uint64_t wanted = below(history, 3); wanted > 0 && count_in(history) > 4; wanted--) {
        size_t victim = pick(history, true);
        uint32_t leaf = slim_mls_group_own_leaf(history->members[victim].group);
        if (victim != author && (options.removed_count == 0 || removed[0] != leaf)) {
            victims[options.removed_count] = victim;
            removed[options.removed_count++] = leaf;
        }
    }
    options.removed = removed;
    commit(history, author, &options, victims, joiners, joiner_count);
}

/* Some members propose updates of themselves; somebody commits what arrived. */
static void update_by_proposal(struct history *history)
{
    catch_up_all(history);
    for (uint64_t wanted = 1 + below(history, 3); wanted > 0; wanted--) {
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
    commit(history, pick(history, true), &options, NULL, NULL, 0);
    catch_up_all(history); /* else proposals that wait would keep them from speaking */
}

/* ---- messages */

/* From somebody who may lag behind, and may not know that it was removed. */
static void send(struct history *history)
{
    if (history->held_count == HELD_MAX) {
        return;
    }
    size_t sender = below(history, MEMBER_COUNT);
    if (history->members[sender].group == NULL) {
        return;
    }
    struct slim_mls_group *group = history->members[sender].group;
    struct held *held = &history->held[history->held_count++];
    held->sender = sender;
    held->epoch = slim_mls_group_epoch(group);
    assert_int_equal(
        slim_mls_group_encrypt(group, world_text("aad"), world_text("text"), &held->message),
        SLIM_MLS_OK);
}

/* What a member in the epoch of the message, or in a later one, must say. The policy is the default one. */
static bool must_open(const struct history *history, const struct member *member, uint64_t epoch)
{
    uint64_t now = slim_mls_group_epoch(member->group);
    struct slim_mls_policy policy;
    slim_mls_policy_init(&policy);
    return epoch >= member->first_epoch &&
           (epoch == now ||
            (now - epoch <= policy.past_epoch_count &&
             history->world.now_s - member->ended_s[epoch] <= policy.past_epoch_age_s));
}

static void read_one(struct history *history, size_t index, const struct held *held)
{
    struct member *member = &history->members[index];
    struct slim_mls_event event;
    if (slim_mls_group_epoch(member->group) < held->epoch) {
        assert_int_equal(slim_mls_group_process(member->group, world_view(&held->message), &event),
                         SLIM_MLS_ERR_FUTURE);
        history->future_count++;
        catch_up(history, index);
        if (member->group == NULL) {
            return;
        }
    }
    enum slim_mls_status status =
        slim_mls_group_process(member->group, world_view(&held->message), &event);
    if (!must_open(history, member, held->epoch)) {
        assert_int_equal(status, SLIM_MLS_ERR_STALE);
        history->stale_count++;
        return;
    }
    assert_int_equal(status, SLIM_MLS_OK);
    assert_int_equal(event.kind, SLIM_MLS_EVENT_APPLICATION);
    assert_int_equal(event.data.len, 4);
    assert_memory_equal(event.data.data, "text", 4);
    slim_mls_event_free(&event);
    history->opened_count++;
    assert_int_equal(slim_mls_group_process(member->group, world_view(&held->message), &event),
                     SLIM_MLS_ERR_REPLAYED);
}

/* One that was removed gets a message from after that. It refuses because it knows; made to forget that, and to take its last epoch
 * for the one of the message, it has no key that opens it. */
static void try_outside(struct history *history, struct slim_mls_group *left,
                        const struct held *held)
{
    struct slim_mls_event event;
    uint64_t number = left->epoch->number;
    assert_int_equal(slim_mls_group_process(left, world_view(&held->message), &event),
                     SLIM_MLS_ERR_REMOVED);
    left->is_removed = false;
    assert_int_equal(slim_mls_group_process(left, world_view(&held->message), &event),
                     SLIM_MLS_ERR_FUTURE);
    left->epoch->number = held->epoch;
    assert_int_equal(slim_mls_group_process(left, world_view(&held->message), &event),
                     SLIM_MLS_ERR_DECRYPT);
    const struct slim_mls_buf *later = &history->epochs[held->epoch].commit;
    if (later->len > 0) {
        assert_int_equal(slim_mls_group_process(left, world_view(later), &event), SLIM_MLS_ERR_MAC);
    }
    left->epoch->number = number;
    left->is_removed = true;
    history->shut_out_count++;
}

/* A message arrives at some time, in any order, and not everywhere. */
static void arrive(struct history *history)
{
    if (history->held_count == 0) {
        return;
    }
    size_t index = below(history, history->held_count);
    struct held held = history->held[index];
    history->held[index] = history->held[--history->held_count];
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        struct member *member = &history->members[i];
        bool is_lost = below(history, 10) == 0;
        if (member->group != NULL && i != held.sender && !is_lost) {
            read_one(history, i, &held);
        }
        if (member->group == NULL && member->left != NULL &&
            held.epoch > member->left->epoch->number) {
            try_outside(history, member->left, &held);
        }
    }
    slim_mls_buf_free(&held.message);
}

/* ---- the whole */

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
    check_epoch(history, again);
}

static void begin(struct history *history, uint64_t seed)
{
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
    history->members[0].is_in = true;
    check_epoch(history, history->members[0].group);
}

static void end(struct history *history)
{
    while (history->held_count > 0) {
        slim_mls_buf_free(&history->held[--history->held_count].message);
    }
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        slim_mls_group_free(history->members[i].group);
        slim_mls_group_free(history->members[i].left);
        slim_mls_client_free(history->members[i].client);
    }
    for (size_t i = 0; i < history->epoch; i++) {
        slim_mls_buf_free(&history->epochs[i].commit);
    }
}

static void run(uint64_t seed)
{
    struct history *history = calloc(1, sizeof(*history));
    assert_non_null(history);
    begin(history, seed);
    for (int i = 0; i < OPERATION_COUNT; i++) {
        uint64_t what = below(history, 100);
        if (what < 15) {
            change_members(history);
        } else if (what < 20) {
            update_by_proposal(history);
        } else if (what < 25) {
            store(history);
        } else if (what < 35) {
            catch_up(history, below(history, MEMBER_COUNT));
        } else if (what < 70) {
            send(history);
        } else {
            arrive(history);
        }
        history->world.now_s += below(history, 3);
    }
    catch_up_all(history);
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        if (history->members[i].is_in) {
            assert_true(slim_mls_group_epoch(history->members[i].group) == history->epoch);
        }
    }
    print_message("# seed %u: %u epochs, %u opened, %u stale, %u early, %u tried from outside\n",
                  (unsigned)seed, (unsigned)history->epoch, history->opened_count,
                  history->stale_count, history->future_count, history->shut_out_count);
    /* it was about something */
    assert_true(history->opened_count > OPERATION_COUNT && history->stale_count > 50 &&
                history->future_count > 50 && history->shut_out_count > 50);
    end(history);
    free(history);
}

static void random_histories_agree(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2; seed++) {
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
