/* Groups that end and groups that take over: ReInit, branches, group ids. */
#include "pair.h"

/* Section 11.3: the first commit of a new group mixes in the resumption secret of the old one. */
static void a_branch_is_linked_to_its_old_group(void **state)
{
    (void)state;
    struct pair pair;
    struct slim_mls_group *branch;
    struct slim_mls_group *joined;
    struct slim_mls_buf package;
    struct slim_mls_commit_output output;
    pair_new(&pair);
    CHECK_MLS(
        slim_mls_group_resumption_psk(pair.groups[0], 1, pair.world.psk, &pair.world.psk_len));
    uint8_t other[SLIM_MLS_SECRET_BYTES_MAX];
    size_t len;
    CHECK_MLS(slim_mls_group_resumption_psk(pair.groups[1], 1, other, &len));
    CHECK(len == pair.world.psk_len && memcmp(other, pair.world.psk, len) == 0);
    CHECK(slim_mls_group_resumption_psk(pair.groups[0], 9, other, &len) == SLIM_MLS_ERR_STALE);

    struct slim_mls_psk_choice psk = {.type = SLIM_MLS_PSK_RESUMPTION,
                                      .group_id = slim_mls_group_id(pair.groups[0]),
                                      .epoch = 1,
                                      .usage = 3};
    CHECK_MLS(slim_mls_group_create(pair.clients[0], NULL, &branch));
    CHECK_MLS(slim_mls_key_package_new(pair.clients[1], &package));
    struct slim_mls_view view = world_view(&package);
    struct slim_mls_commit_options options = {
        .key_packages = &view, .key_package_count = 1, .psks = &psk, .psk_count = 1};
    CHECK_MLS(slim_mls_group_commit(branch, &options, &output));
    CHECK_MLS(slim_mls_group_commit_apply(branch));
    pair.world.psk[0] ^= 1; /* somebody who was not in the old group */
    CHECK(slim_mls_group_join(pair.clients[1], world_view(&output.welcome),
                              (struct slim_mls_view){0}, &joined) == SLIM_MLS_ERR_DECRYPT);
    pair.world.psk[0] ^= 1;
    CHECK_MLS(slim_mls_group_join(pair.clients[1], world_view(&output.welcome),
                                  (struct slim_mls_view){0}, &joined));
    CHECK(world_agrees(branch, joined));
    slim_mls_commit_output_free(&output);
    slim_mls_buf_free(&package);
    slim_mls_group_free(branch);
    slim_mls_group_free(joined);
    pair_free(&pair);
}

static void a_reinit_closes_the_group(void **state)
{
    (void)state;
    struct pair pair;
    struct slim_mls_commit_options refresh = {0};
    struct slim_mls_reinit_choice reinit = {.group_id = {(const uint8_t *)"next", 4},
                                            .cipher_suite = 2};
    struct slim_mls_commit_options options = {.reinit = &reinit};
    pair_new(&pair);
    CHECK_MLS(exchange(pair.groups[0], pair.groups[1], &options));
    CHECK(world_agrees(pair.groups[0], pair.groups[1]));
    CHECK(exchange(pair.groups[1], pair.groups[0], &refresh) == SLIM_MLS_ERR_STATE);
    CHECK(world_talk(pair.groups[0], pair.groups[1], "closed") == SLIM_MLS_ERR_STATE);

    struct slim_mls_reinit_choice said;
    CHECK_MLS(slim_mls_group_reinit(pair.groups[1], &said));
    CHECK(said.cipher_suite == 2 && said.extensions.len == 0 && said.group_id.len == 4 &&
          memcmp(said.group_id.data, "next", 4) == 0);
    pair_free(&pair);
}

/* Closing a group for good is not what a commit for another purpose does (12.2: other proposals are preferred). */
static void a_waiting_reinit_closes_the_group_only_when_asked_to(void **state)
{
    (void)state;
    struct slim_mls_reinit_choice reinit = {.group_id = world_text("next"), .cipher_suite = 2};
    struct slim_mls_commit_options refresh = {0};
    struct slim_mls_commit_options accept = {.accept_reinit = true};
    struct slim_mls_reinit_choice said;
    struct slim_mls_buf message;
    struct slim_mls_event event;
    struct pair pair;
    pair_new(&pair);
    CHECK_MLS(slim_mls_group_propose_reinit(pair.groups[0], &reinit, &message));
    CHECK_MLS(slim_mls_group_process(pair.groups[1], world_view(&message), &event));
    CHECK(event.kind == SLIM_MLS_EVENT_PROPOSAL && event.proposal_type == 5);
    slim_mls_event_free(&event);
    slim_mls_buf_free(&message);
    CHECK_MLS(exchange(pair.groups[1], pair.groups[0], &refresh));
    CHECK(slim_mls_group_reinit(pair.groups[0], &said) == SLIM_MLS_ERR_NOT_FOUND);
    CHECK(slim_mls_group_proposal_count(pair.groups[1]) == 0);
    CHECK_MLS(world_talk(pair.groups[0], pair.groups[1], "still open"));

    /* beside another proposal it waits, and is gone with the epoch */
    CHECK_MLS(slim_mls_group_propose_reinit(pair.groups[0], &reinit, &message));
    CHECK_MLS(world_process(pair.groups[1], &message, SLIM_MLS_EVENT_PROPOSAL));
    slim_mls_buf_free(&message);
    CHECK_MLS(slim_mls_group_propose_update(pair.groups[0], &message));
    CHECK_MLS(world_process(pair.groups[1], &message, SLIM_MLS_EVENT_PROPOSAL));
    slim_mls_buf_free(&message);
    CHECK_MLS(exchange(pair.groups[1], pair.groups[0], &accept));
    CHECK(slim_mls_group_reinit(pair.groups[1], &said) == SLIM_MLS_ERR_NOT_FOUND);

    CHECK_MLS(slim_mls_group_propose_reinit(pair.groups[0], &reinit, &message));
    CHECK_MLS(world_process(pair.groups[1], &message, SLIM_MLS_EVENT_PROPOSAL));
    slim_mls_buf_free(&message);
    CHECK_MLS(exchange(pair.groups[1], pair.groups[0], &accept));
    CHECK_MLS(slim_mls_group_reinit(pair.groups[0], &said));
    CHECK(exchange(pair.groups[1], pair.groups[0], &refresh) == SLIM_MLS_ERR_STATE);
    pair_free(&pair);
}

/* What the group that takes over is like; the zeroed row is as the ReInit says. */
struct succession {
    const char *why;
    bool is_branch;     /* of the group, which is open; else after its ReInit */
    uint16_t new_suite; /* 0: 1 */
    uint16_t reinit_suite;
    const char *group_id;
    bool has_extensions;
    bool lacks_carol;
    bool has_dave;
    uint8_t usage; /* 0: the right one */
    bool has_old_epoch;
    bool has_no_psk;
    enum slim_mls_status want;
};

static struct slim_mls_client *same_in_suite(struct pair *pair, struct slim_mls_client *client,
                                             const char *name, uint16_t suite)
{
    struct slim_mls_client *other = client;
    if (suite != 1) {
        CHECK_MLS(world_client(&pair->world, suite, name, &other));
    }
    return other;
}

/* Alice makes the new group and adds bob, and carol and dave as the row says; bob joins. */
static void succeed(struct pair *pair, struct slim_mls_client *carol, struct slim_mls_client *dave,
                    const struct succession *row)
{
    static const uint8_t extensions[] = {0, 3, 3, 0, 0, 0}; /* required_capabilities of nothing */
    uint16_t suite = row->new_suite == 0 ? 1 : row->new_suite;
    struct slim_mls_client *alice = same_in_suite(pair, pair->clients[0], "alice", suite);
    struct slim_mls_client *bob = same_in_suite(pair, pair->clients[1], "bob", suite);
    struct slim_mls_client *carol_now = same_in_suite(pair, carol, "carol", suite);
    struct slim_mls_client *joiners[] = {bob, row->lacks_carol ? NULL : carol_now,
                                         row->has_dave ? dave : NULL};
    uint64_t epoch = slim_mls_group_epoch(pair->groups[1]) - (row->has_old_epoch ? 1 : 0);
    uint8_t usage = row->is_branch ? 3 : 2;
    struct slim_mls_psk_choice psk = {.type = SLIM_MLS_PSK_RESUMPTION,
                                      .group_id = slim_mls_group_id(pair->groups[0]),
                                      .epoch = epoch,
                                      .usage = row->usage == 0 ? usage : row->usage};
    struct slim_mls_group_config config = {
        .group_id = world_text(row->group_id == NULL ? "next" : row->group_id)};
    if (row->has_extensions) {
        config.extensions = (struct slim_mls_view){extensions, sizeof(extensions)};
    }
    struct slim_mls_group *group;
    struct slim_mls_group *joined = NULL;
    struct slim_mls_buf packages[3] = {0};
    struct slim_mls_view views[3];
    struct slim_mls_commit_output output;
    struct slim_mls_commit_options options = {
        .key_packages = views, .psks = &psk, .psk_count = row->has_no_psk ? 0 : 1};
    for (size_t i = 0; i < 3; i++) {
        if (joiners[i] != NULL) {
            CHECK_MLS(slim_mls_key_package_new(joiners[i], &packages[i]));
            views[options.key_package_count++] = world_view(&packages[i]);
        }
    }
    CHECK_MLS(slim_mls_group_resumption_psk(pair->groups[0], epoch, pair->world.psk,
                                            &pair->world.psk_len));
    CHECK_MLS(slim_mls_group_create(alice, &config, &group));
    CHECK_MLS(slim_mls_group_commit(group, &options, &output));
    CHECK_MLS(slim_mls_group_commit_apply(group));
    pair->world.psk_len = 0; /* the joiner's comes from its old group */
    enum slim_mls_status status = slim_mls_group_join_successor(
        bob, world_view(&output.welcome), (struct slim_mls_view){0}, pair->groups[1], &joined);
    CHECK_ROW(row->why, status == row->want);
    CHECK_ROW(row->why, status != SLIM_MLS_OK || world_agrees(group, joined));
    slim_mls_commit_output_free(&output);
    slim_mls_group_free(group);
    slim_mls_group_free(joined);
    for (size_t i = 0; i < 3; i++) {
        slim_mls_buf_free(&packages[i]);
    }
    if (suite != 1) {
        slim_mls_client_free(alice);
        slim_mls_client_free(bob);
        slim_mls_client_free(carol_now);
    }
}

/* Sections 11.2 and 11.3. */
static void a_successor_is_what_its_old_group_agreed_on(void **state)
{
    (void)state;
    static const struct succession rows[] = {
        {.why = "as the ReInit said", .want = SLIM_MLS_OK},
        {.why = "another suite, as it said", .reinit_suite = 3, .new_suite = 3},
        {.why = "another suite than it said", .reinit_suite = 3, .want = SLIM_MLS_ERR_INVALID},
        {.why = "another id", .group_id = "nexu", .want = SLIM_MLS_ERR_INVALID},
        {.why = "other extensions", .has_extensions = true, .want = SLIM_MLS_ERR_INVALID},
        {.why = "one is missing", .lacks_carol = true, .want = SLIM_MLS_ERR_INVALID},
        {.why = "one too many", .has_dave = true, .want = SLIM_MLS_ERR_INVALID},
        {.why = "one for another",
         .lacks_carol = true,
         .has_dave = true,
         .want = SLIM_MLS_ERR_INVALID},
        {.why = "linked to the epoch before", .has_old_epoch = true, .want = SLIM_MLS_ERR_INVALID},
        {.why = "not linked", .has_no_psk = true, .want = SLIM_MLS_ERR_INVALID},
        {.why = "linked as an application does", .usage = 1, .want = SLIM_MLS_ERR_INVALID},
        {.why = "a branch of all", .is_branch = true, .want = SLIM_MLS_OK},
        {.why = "a branch of some", .is_branch = true, .lacks_carol = true, .want = SLIM_MLS_OK},
        {.why = "a branch of an epoch before",
         .is_branch = true,
         .has_old_epoch = true,
         .want = SLIM_MLS_OK},
        {.why = "a branch with a stranger",
         .is_branch = true,
         .has_dave = true,
         .want = SLIM_MLS_ERR_INVALID},
        {.why = "a branch of another suite",
         .is_branch = true,
         .new_suite = 3,
         .want = SLIM_MLS_ERR_INVALID},
        {.why = "re-initialised without a ReInit",
         .is_branch = true,
         .usage = 2,
         .want = SLIM_MLS_ERR_INVALID},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct pair pair;
        struct slim_mls_client *carol;
        struct slim_mls_client *dave;
        struct slim_mls_group *third;
        struct slim_mls_buf commit;
        struct slim_mls_reinit_choice reinit = {
            .group_id = world_text("next"),
            .cipher_suite = rows[i].reinit_suite == 0 ? 1 : rows[i].reinit_suite};
        struct slim_mls_commit_options close = {.reinit = rows[i].is_branch ? NULL : &reinit};
        pair_new(&pair);
        CHECK_MLS(world_client(&pair.world, 1, "carol", &carol));
        CHECK_MLS(world_client(&pair.world, 1, "dave", &dave));
        CHECK_MLS(world_add(pair.groups[0], carol, &third, &commit));
        CHECK_MLS(world_process(pair.groups[1], &commit, SLIM_MLS_EVENT_COMMIT));
        slim_mls_buf_free(&commit);
        CHECK_MLS(exchange(pair.groups[0], pair.groups[1], &close));
        succeed(&pair, carol, dave, &rows[i]);
        slim_mls_group_free(third);
        slim_mls_client_free(carol);
        slim_mls_client_free(dave);
        pair_free(&pair);
    }
}

/* Section 12.4.3.1: a group id names one group of ours. */
static void a_group_id_in_use_is_refused_on_joining(void **state)
{
    (void)state;
    struct pair pair;
    struct slim_mls_group *other;
    struct slim_mls_group *joined;
    struct slim_mls_buf package;
    struct slim_mls_commit_output output;
    pair_new(&pair);
    struct slim_mls_group_config config = {.group_id = slim_mls_group_id(pair.groups[1])};
    CHECK_MLS(slim_mls_group_create(pair.clients[0], &config, &other));
    CHECK_MLS(slim_mls_key_package_new(pair.clients[1], &package));
    struct slim_mls_view view = world_view(&package);
    struct slim_mls_commit_options options = {.key_packages = &view, .key_package_count = 1};
    CHECK_MLS(slim_mls_group_commit(other, &options, &output));
    CHECK_MLS(slim_mls_group_commit_apply(other));
    CHECK(slim_mls_group_join(pair.clients[1], world_view(&output.welcome),
                              (struct slim_mls_view){0}, &joined) == SLIM_MLS_ERR_EXISTS);
    CHECK_MLS(world_talk(pair.groups[0], pair.groups[1], "the first one lives"));

    /* the key package was not used up: once the first group is over, it serves */
    const uint32_t bob = 1;
    struct slim_mls_commit_options removal = {.removed = &bob, .removed_count = 1};
    struct slim_mls_commit_output removed;
    CHECK_MLS(slim_mls_group_commit(pair.groups[0], &removal, &removed));
    CHECK_MLS(world_process(pair.groups[1], &removed.commit, SLIM_MLS_EVENT_REMOVED));
    CHECK_MLS(slim_mls_group_join(pair.clients[1], world_view(&output.welcome),
                                  (struct slim_mls_view){0}, &joined));
    CHECK(world_agrees(other, joined));
    slim_mls_commit_output_free(&removed);
    slim_mls_commit_output_free(&output);
    slim_mls_buf_free(&package);
    slim_mls_group_free(joined);
    slim_mls_group_free(other);
    pair_free(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_branch_is_linked_to_its_old_group),
        cmocka_unit_test(a_reinit_closes_the_group),
        cmocka_unit_test(a_waiting_reinit_closes_the_group_only_when_asked_to),
        cmocka_unit_test(a_successor_is_what_its_old_group_agreed_on),
        cmocka_unit_test(a_group_id_in_use_is_refused_on_joining),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
