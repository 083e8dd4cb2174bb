/* Proposals by reference, pre-shared keys, group context extensions, ReInit, external commits and external proposals. */
#include "mls/codec.h"
#include "support/check.h"
#include "world.h"

#define CHECK_MLS(call) assert_int_equal(call, SLIM_MLS_OK)

struct pair {
    struct world world;
    struct slim_mls_client *clients[2];
    struct slim_mls_group *groups[2];
};

static void pair_new(struct pair *pair)
{
    *pair = (struct pair){.world = {.seed = 99, .now_s = WORLD_START_S}};
    CHECK_MLS(world_client(&pair->world, 1, "alice", &pair->clients[0]));
    CHECK_MLS(world_client(&pair->world, 1, "bob", &pair->clients[1]));
    CHECK_MLS(slim_mls_group_create(pair->clients[0], NULL, &pair->groups[0]));
    CHECK_MLS(world_add(pair->groups[0], pair->clients[1], &pair->groups[1], NULL));
}

static void pair_free(struct pair *pair)
{
    for (size_t i = 0; i < 2; i++) {
        slim_mls_group_free(pair->groups[i]);
        slim_mls_client_free(pair->clients[i]);
    }
}

static enum slim_mls_status exchange(struct slim_mls_group *author, struct slim_mls_group *other,
                                     const struct slim_mls_commit_options *options)
{
    struct slim_mls_commit_output output;
    enum slim_mls_status status = slim_mls_group_commit(author, options, &output);
    if (status == SLIM_MLS_OK) {
        status = world_process(other, &output.commit, SLIM_MLS_EVENT_COMMIT);
        if (status == SLIM_MLS_OK) {
            status = slim_mls_group_commit_apply(author);
        } else {
            slim_mls_group_commit_cancel(author);
        }
        slim_mls_commit_output_free(&output);
    }
    return status;
}

static void a_psk_must_be_known_to_both(void **state)
{
    (void)state;
    struct pair pair;
    pair_new(&pair);
    struct slim_mls_psk_choice psk = {.type = SLIM_MLS_PSK_EXTERNAL, .id = world_text("the key")};
    struct slim_mls_commit_options options = {.psks = &psk, .psk_count = 1};
    CHECK(exchange(pair.groups[0], pair.groups[1], &options) == SLIM_MLS_ERR_NOT_FOUND);
    memset(pair.world.psk, 7, 32);
    pair.world.psk_len = 32;
    CHECK_MLS(exchange(pair.groups[0], pair.groups[1], &options));
    CHECK(world_agrees(pair.groups[0], pair.groups[1]));

    struct slim_mls_commit_output output;
    CHECK_MLS(slim_mls_group_commit(pair.groups[0], &options, &output));
    pair.world.psk[0] ^= 1; /* the other has another one */
    CHECK(world_process(pair.groups[1], &output.commit, SLIM_MLS_EVENT_COMMIT) == SLIM_MLS_ERR_MAC);
    pair.world.psk[0] ^= 1;
    CHECK_MLS(world_process(pair.groups[1], &output.commit,
                            SLIM_MLS_EVENT_COMMIT)); /* nothing was lost */
    slim_mls_commit_output_free(&output);
    pair_free(&pair);
}

static void a_resumption_psk_links_epochs(void **state)
{
    (void)state;
    struct pair pair;
    pair_new(&pair);
    struct slim_mls_commit_options refresh = {0};
    uint64_t epoch = slim_mls_group_epoch(pair.groups[0]);
    CHECK_MLS(exchange(pair.groups[0], pair.groups[1], &refresh));
    struct slim_mls_psk_choice psk = {.type = SLIM_MLS_PSK_RESUMPTION, .epoch = epoch, .usage = 1};
    struct slim_mls_commit_options options = {.psks = &psk, .psk_count = 1};
    CHECK_MLS(exchange(pair.groups[1], pair.groups[0], &options));
    CHECK(world_agrees(pair.groups[0], pair.groups[1]));
    psk.epoch = 1000;
    CHECK(exchange(pair.groups[1], pair.groups[0], &options) == SLIM_MLS_ERR_NOT_FOUND);
    psk.epoch = epoch;
    psk.usage = 3; /* branch: only in the first commit of a group */
    CHECK(exchange(pair.groups[1], pair.groups[0], &options) == SLIM_MLS_ERR_INVALID);
    pair_free(&pair);
}

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

static void proposals_wait_for_a_commit(void **state)
{
    (void)state;
    struct pair pair;
    struct slim_mls_client *carol;
    struct slim_mls_group *joined;
    struct slim_mls_buf package;
    struct slim_mls_buf messages[4];
    struct slim_mls_commit_output output;
    struct slim_mls_commit_options options = {0};
    pair_new(&pair);
    CHECK_MLS(world_client(&pair.world, 1, "carol", &carol));
    CHECK_MLS(slim_mls_key_package_new(carol, &package));
    CHECK_MLS(slim_mls_group_propose_add(pair.groups[0], world_view(&package), &messages[0]));
    CHECK_MLS(slim_mls_group_propose_update(pair.groups[0], &messages[1]));
    CHECK_MLS(
        slim_mls_group_propose_update(pair.groups[0], &messages[2])); /* the later one counts */
    CHECK(slim_mls_group_propose_add(pair.groups[0], world_view(&package), &messages[3]) ==
          SLIM_MLS_ERR_EXISTS);
    for (size_t i = 0; i < 3; i++) {
        CHECK_MLS(world_process(pair.groups[1], &messages[i], SLIM_MLS_EVENT_PROPOSAL));
    }
    /* two propose the same: one of both is committed */
    CHECK_MLS(slim_mls_group_propose_add(pair.groups[1], world_view(&package), &messages[3]));
    CHECK_MLS(world_process(pair.groups[0], &messages[3], SLIM_MLS_EVENT_PROPOSAL));
    CHECK(slim_mls_group_proposal_count(pair.groups[1]) == 4);
    CHECK_MLS(slim_mls_group_commit(pair.groups[1], &options, &output));
    CHECK_MLS(slim_mls_group_commit_apply(pair.groups[1]));
    CHECK_MLS(world_process(pair.groups[0], &output.commit, SLIM_MLS_EVENT_COMMIT));
    CHECK_MLS(slim_mls_group_join(carol, world_view(&output.welcome), (struct slim_mls_view){0},
                                  &joined));
    CHECK(world_agrees(pair.groups[0], pair.groups[1]) && world_agrees(pair.groups[0], joined));
    CHECK(slim_mls_group_proposal_count(pair.groups[1]) == 0 &&
          slim_mls_group_member_count(joined) == 3);
    CHECK_MLS(world_talk(joined, pair.groups[0], "three"));
    slim_mls_commit_output_free(&output);
    for (size_t i = 0; i < 4; i++) {
        slim_mls_buf_free(&messages[i]);
    }
    slim_mls_buf_free(&package);
    slim_mls_group_free(joined);
    slim_mls_client_free(carol);
    pair_free(&pair);
}

static void a_commit_of_an_unseen_proposal_is_refused(void **state)
{
    (void)state;
    struct pair pair;
    struct slim_mls_buf message;
    struct slim_mls_commit_output output;
    struct slim_mls_commit_options options = {0};
    pair_new(&pair);
    struct slim_mls_psk_choice psk = {.type = SLIM_MLS_PSK_RESUMPTION, .epoch = 1, .usage = 1};
    CHECK_MLS(slim_mls_group_propose_psk(pair.groups[0], &psk, &message));
    CHECK_MLS(slim_mls_group_commit(pair.groups[0], &options, &output));
    CHECK(world_process(pair.groups[1], &output.commit, SLIM_MLS_EVENT_COMMIT) ==
          SLIM_MLS_ERR_NOT_FOUND);
    CHECK_MLS(world_process(pair.groups[1], &message, SLIM_MLS_EVENT_PROPOSAL));
    CHECK_MLS(world_process(pair.groups[1], &output.commit,
                            SLIM_MLS_EVENT_COMMIT)); /* it came after all */
    slim_mls_commit_output_free(&output);
    slim_mls_buf_free(&message);
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

/* external_senders with one sender, as an encoded extension list. */
static void put_external_sender(struct slim_mls_out *out, struct slim_mls_view key)
{
    slim_mls_put_u16(out, 5);
    size_t data = slim_mls_put_begin(out);
    size_t list = slim_mls_put_begin(out);
    slim_mls_put_opaque(out, slim_view_of(key.data, key.len));
    slim_mls_put_u16(out, SLIM_MLS_CREDENTIAL_BASIC);
    slim_mls_put_opaque(out, SLIM_VIEW("server"));
    slim_mls_put_end(out, list);
    slim_mls_put_end(out, data);
    CHECK_OK(out->status);
}

static void an_external_sender_proposes_and_members_commit(void **state)
{
    (void)state;
    struct pair pair;
    struct slim_mls_client *server;
    struct slim_mls_buf message;
    struct slim_mls_out extensions = {0};
    struct slim_mls_event event;
    struct slim_mls_commit_options options = {0};
    pair_new(&pair);
    CHECK_MLS(world_client(&pair.world, 1, "server", &server));
    CHECK_MLS(slim_mls_propose_external_remove(server, slim_mls_group_id(pair.groups[0]), 1, 0, 1,
                                               &message));
    CHECK(slim_mls_group_process(pair.groups[0], world_view(&message), &event) ==
          SLIM_MLS_ERR_DENIED);
    slim_mls_buf_free(&message);

    put_external_sender(&extensions, slim_mls_client_signature_key(server));
    struct slim_mls_view view = {extensions.buf.data, extensions.buf.len};
    options.extensions = &view;
    pair.world.refused = "server";
    CHECK(exchange(pair.groups[0], pair.groups[1], &options) == SLIM_MLS_ERR_AUTH);
    pair.world.refused = NULL;
    CHECK_MLS(exchange(pair.groups[0], pair.groups[1], &options));
    CHECK(slim_mls_group_extensions(pair.groups[1]).len == view.len);

    uint64_t epoch = slim_mls_group_epoch(pair.groups[0]);
    CHECK_MLS(slim_mls_propose_external_remove(server, slim_mls_group_id(pair.groups[0]), epoch, 1,
                                               1, &message));
    CHECK(slim_mls_group_process(pair.groups[0], world_view(&message), &event) ==
          SLIM_MLS_ERR_DENIED); /* no sender 1 */
    slim_mls_buf_free(&message);
    CHECK_MLS(slim_mls_propose_external_remove(server, slim_mls_group_id(pair.groups[0]), epoch, 0,
                                               1, &message));
    CHECK_MLS(slim_mls_group_process(pair.groups[0], world_view(&message), &event));
    CHECK(event.kind == SLIM_MLS_EVENT_PROPOSAL && event.sender == SLIM_MLS_SENDER_EXTERNAL &&
          event.sender_leaf == 0);
    slim_mls_event_free(&event);
    CHECK_MLS(world_process(pair.groups[1], &message, SLIM_MLS_EVENT_PROPOSAL));
    slim_mls_buf_free(&message);
    struct slim_mls_commit_options refresh = {0};
    struct slim_mls_commit_output output;
    CHECK_MLS(slim_mls_group_commit(pair.groups[0], &refresh, &output));
    CHECK_MLS(world_process(pair.groups[1], &output.commit, SLIM_MLS_EVENT_REMOVED));
    slim_mls_commit_output_free(&output);
    slim_mls_out_fini(&extensions);
    slim_mls_client_free(server);
    pair_free(&pair);
}

/* The extension is a list and nothing else: what comes after it would be read by one and not by another. */
static void external_senders_end_with_their_list(void **state)
{
    (void)state;
    struct pair pair;
    struct slim_mls_commit_output output;
    struct slim_mls_out good = {0};
    struct slim_mls_out bad = {0};
    pair_new(&pair);
    put_external_sender(&good, slim_mls_client_signature_key(pair.clients[1]));
    struct slim_view data = slim_view_skip(slim_mls_out_view(&good), 2);
    struct slim_view list;
    CHECK_OK(slim_mls_take_opaque(&data, &list));
    slim_mls_put_u16(&bad, 5);
    size_t mark = slim_mls_put_begin(&bad);
    slim_mls_put_bytes(&bad, list);
    slim_mls_put_u8(&bad, 0);
    slim_mls_put_end(&bad, mark);
    CHECK_OK(bad.status);
    struct slim_mls_view view = {bad.buf.data, bad.buf.len};
    struct slim_mls_commit_options options = {.extensions = &view};
    CHECK(slim_mls_group_commit(pair.groups[0], &options, &output) == SLIM_MLS_ERR_MALFORMED);
    struct slim_mls_group_config config = {.extensions = view};
    struct slim_mls_group *group;
    CHECK(slim_mls_group_create(pair.clients[0], &config, &group) == SLIM_MLS_ERR_MALFORMED);
    view = (struct slim_mls_view){good.buf.data, good.buf.len};
    CHECK_MLS(exchange(pair.groups[0], pair.groups[1], &options));
    slim_mls_out_fini(&good);
    slim_mls_out_fini(&bad);
    pair_free(&pair);
}

/* Who may propose from outside concerns a joiner as much as the members. */
static void a_joiner_is_asked_about_external_senders(void **state)
{
    (void)state;
    struct pair pair;
    struct slim_mls_client *carol;
    struct slim_mls_group *joined;
    struct slim_mls_buf package;
    struct slim_mls_buf info;
    struct slim_mls_buf commit;
    struct slim_mls_commit_output output;
    struct slim_mls_out extensions = {0};
    pair_new(&pair);
    CHECK_MLS(world_client(&pair.world, 1, "carol", &carol));
    CHECK_MLS(slim_mls_key_package_new(carol, &package));
    put_external_sender(&extensions, slim_mls_client_signature_key(pair.clients[1]));
    struct slim_mls_view view = {extensions.buf.data, extensions.buf.len};
    struct slim_mls_view package_view = world_view(&package);
    struct slim_mls_commit_options options = {
        .extensions = &view, .key_packages = &package_view, .key_package_count = 1};
    CHECK_MLS(slim_mls_group_commit(pair.groups[0], &options, &output));
    CHECK_MLS(slim_mls_group_commit_apply(pair.groups[0]));
    CHECK_MLS(slim_mls_group_info(pair.groups[0], true, &info));
    pair.world.refused = "server";
    CHECK(slim_mls_group_join(carol, world_view(&output.welcome), (struct slim_mls_view){0},
                              &joined) == SLIM_MLS_ERR_AUTH);
    CHECK(slim_mls_group_join_external(carol, world_view(&info), (struct slim_mls_view){0},
                                       UINT32_MAX, &joined, &commit) == SLIM_MLS_ERR_AUTH);
    pair.world.refused = NULL;
    CHECK_MLS(slim_mls_group_join(carol, world_view(&output.welcome), (struct slim_mls_view){0},
                                  &joined));
    slim_mls_group_free(joined);
    slim_mls_commit_output_free(&output);
    slim_mls_buf_free(&info);
    slim_mls_buf_free(&package);
    slim_mls_out_fini(&extensions);
    slim_mls_client_free(carol);
    pair_free(&pair);
}

static void somebody_asks_to_join_and_is_added(void **state)
{
    (void)state;
    struct pair pair;
    struct slim_mls_client *carol;
    struct slim_mls_group *joined;
    struct slim_mls_buf message;
    struct slim_mls_commit_output output;
    struct slim_mls_commit_options options = {0};
    pair_new(&pair);
    CHECK_MLS(world_client(&pair.world, 1, "carol", &carol));
    CHECK_MLS(slim_mls_propose_join(carol, slim_mls_group_id(pair.groups[0]), 1, &message));
    CHECK_MLS(world_process(pair.groups[0], &message, SLIM_MLS_EVENT_PROPOSAL));
    CHECK_MLS(world_process(pair.groups[1], &message, SLIM_MLS_EVENT_PROPOSAL));
    CHECK_MLS(slim_mls_group_commit(pair.groups[1], &options, &output));
    CHECK_MLS(slim_mls_group_commit_apply(pair.groups[1]));
    CHECK_MLS(world_process(pair.groups[0], &output.commit, SLIM_MLS_EVENT_COMMIT));
    CHECK_MLS(slim_mls_group_join(carol, world_view(&output.welcome), (struct slim_mls_view){0},
                                  &joined));
    CHECK(world_agrees(joined, pair.groups[0]));
    slim_mls_commit_output_free(&output);
    slim_mls_buf_free(&message);
    slim_mls_group_free(joined);
    slim_mls_client_free(carol);
    pair_free(&pair);
}

static void an_external_commit_joins_and_replaces(void **state)
{
    (void)state;
    struct pair pair;
    struct slim_mls_client *carol;
    struct slim_mls_group *joined;
    struct slim_mls_group *again;
    struct slim_mls_buf info;
    struct slim_mls_buf commit;
    struct slim_mls_event event;
    pair_new(&pair);
    CHECK_MLS(world_client(&pair.world, 1, "carol", &carol));
    CHECK_MLS(slim_mls_group_info(pair.groups[0], true, &info));
    CHECK_MLS(slim_mls_group_join_external(carol, world_view(&info), (struct slim_mls_view){0},
                                           UINT32_MAX, &joined, &commit));
    CHECK_MLS(slim_mls_group_process(pair.groups[0], world_view(&commit), &event));
    CHECK(event.kind == SLIM_MLS_EVENT_COMMIT && event.sender == SLIM_MLS_SENDER_NEW_MEMBER &&
          event.sender_leaf == 2);
    slim_mls_event_free(&event);
    CHECK_MLS(world_process(pair.groups[1], &commit, SLIM_MLS_EVENT_COMMIT));
    CHECK(world_agrees(joined, pair.groups[0]) && world_agrees(joined, pair.groups[1]));
    CHECK_MLS(world_talk(joined, pair.groups[1], "came in by myself"));
    slim_mls_buf_free(&info);
    slim_mls_buf_free(&commit);

    /* carol lost her state and comes back in the place of her old leaf; nobody else may do that to her */
    CHECK_MLS(slim_mls_group_info(pair.groups[1], true, &info));
    CHECK(slim_mls_group_join_external(pair.clients[1], world_view(&info),
                                       (struct slim_mls_view){0}, 2, &again,
                                       &commit) != SLIM_MLS_OK);
    CHECK_MLS(slim_mls_group_join_external(carol, world_view(&info), (struct slim_mls_view){0}, 2,
                                           &again, &commit));
    CHECK_MLS(world_process(pair.groups[0], &commit, SLIM_MLS_EVENT_COMMIT));
    CHECK_MLS(world_process(pair.groups[1], &commit, SLIM_MLS_EVENT_COMMIT));
    CHECK_MLS(world_process(joined, &commit, SLIM_MLS_EVENT_REMOVED));
    CHECK(world_agrees(again, pair.groups[0]) && slim_mls_group_member_count(again) == 3);
    CHECK_MLS(world_talk(pair.groups[0], again, "welcome back"));
    slim_mls_buf_free(&info);
    slim_mls_buf_free(&commit);
    slim_mls_group_free(joined);
    slim_mls_group_free(again);
    slim_mls_client_free(carol);
    pair_free(&pair);
}

/* Says of mallory what nobody else says. */
static enum slim_mls_status lie(void *context, const struct slim_mls_check *asked,
                                struct slim_mls_view *name)
{
    (void)context;
    struct slim_mls_view mallory = world_text("mallory");
    struct slim_mls_view data = asked->credential.data;
    bool is_mallory = data.len == mallory.len && memcmp(data.data, mallory.data, data.len) == 0;
    *name = is_mallory ? world_text("bob") : data;
    return SLIM_MLS_OK;
}

/* Whoever knows the GroupInfo can sign an external commit, and the removed member cannot check its confirmation tag. */
static void a_stranger_cannot_remove_us_by_an_external_commit(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *credential;
        const char *refused;
    } rows[] = {
        {"genuine, but of another name", "mallory", NULL},
        {"our name on a credential that is not genuine", "bob#forged", "bob#forged"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct pair pair;
        struct slim_mls_client_config config;
        struct slim_mls_buf key;
        struct slim_mls_client *mallory;
        struct slim_mls_group *stolen;
        struct slim_mls_buf info;
        struct slim_mls_buf commit;
        pair_new(&pair);
        CHECK_MLS(world_config(&pair.world, 1, rows[i].credential, &config, &key));
        if (rows[i].refused == NULL) {
            config.callbacks.check_credential = lie;
        }
        CHECK_MLS(slim_mls_client_new(&config, &mallory));
        CHECK_MLS(slim_mls_group_info(pair.groups[0], true, &info));
        CHECK_MLS(slim_mls_group_join_external(mallory, world_view(&info),
                                               (struct slim_mls_view){0}, 1, &stolen, &commit));
        pair.world.refused = rows[i].refused;
        for (size_t j = 0; j < 2; j++) {
            struct slim_mls_event event;
            CHECK_ROW(rows[i].why, slim_mls_group_process(pair.groups[j], world_view(&commit),
                                                          &event) == SLIM_MLS_ERR_AUTH);
        }
        CHECK_MLS(world_talk(pair.groups[1], pair.groups[0], "still here"));
        slim_mls_buf_free(&info);
        slim_mls_buf_free(&commit);
        slim_mls_buf_free(&key);
        slim_mls_group_free(stolen);
        slim_mls_client_free(mallory);
        pair_free(&pair);
    }
}

/* What the others would refuse is not made. */
static void our_own_leaf_keeps_its_name(void **state)
{
    (void)state;
    struct pair pair;
    struct slim_mls_client *carol;
    struct slim_mls_group *joined;
    struct slim_mls_buf info;
    struct slim_mls_buf commit;
    struct slim_mls_commit_options refresh = {0};
    const struct slim_mls_credential_data other = {SLIM_MLS_CREDENTIAL_BASIC, world_text("dave")};
    const struct slim_mls_credential_data newer = {SLIM_MLS_CREDENTIAL_BASIC,
                                                   world_text("alice#2")};
    pair_new(&pair);
    CHECK_MLS(slim_mls_client_set_credential(pair.clients[0], &other));
    CHECK(exchange(pair.groups[0], pair.groups[1], &refresh) == SLIM_MLS_ERR_AUTH);
    CHECK_MLS(slim_mls_client_set_credential(pair.clients[0], &newer));
    CHECK_MLS(exchange(pair.groups[0], pair.groups[1], &refresh));

    CHECK_MLS(world_client(&pair.world, 1, "carol", &carol));
    CHECK_MLS(slim_mls_group_info(pair.groups[0], true, &info));
    CHECK(slim_mls_group_join_external(carol, world_view(&info), (struct slim_mls_view){0}, 1,
                                       &joined, &commit) == SLIM_MLS_ERR_AUTH);
    slim_mls_buf_free(&info);
    slim_mls_client_free(carol);
    pair_free(&pair);
}

/* With the policy `moderated` only leaf 0 commits, so nobody comes in by a commit of its own. */
static void nobody_joins_a_moderated_group_by_itself(void **state)
{
    (void)state;
    struct pair pair;
    struct slim_mls_client_config config;
    struct slim_mls_client *carol;
    struct slim_mls_group *joined;
    struct slim_mls_buf key;
    struct slim_mls_buf info;
    struct slim_mls_buf commit;
    pair_new(&pair);
    CHECK_MLS(world_config(&pair.world, 1, "carol", &config, &key));
    config.policy.moderated = true;
    CHECK_MLS(slim_mls_client_new(&config, &carol));
    CHECK_MLS(slim_mls_group_info(pair.groups[0], true, &info));
    CHECK(slim_mls_group_join_external(carol, world_view(&info), (struct slim_mls_view){0},
                                       UINT32_MAX, &joined, &commit) == SLIM_MLS_ERR_DENIED);
    slim_mls_buf_free(&info);
    slim_mls_buf_free(&key);
    slim_mls_client_free(carol);
    pair_free(&pair);
}

/* required_capabilities that ask for an extension nobody claims. */
static void required_capabilities_bind_everybody(void **state)
{
    (void)state;
    struct pair pair;
    static const uint8_t unknown[] = {0, 3, 5, 2, 0xff, 0x01, 0, 0}; /* extensions <ff01> */
    static const uint8_t harmless[] = {0, 3, 7, 0, 2,
                                       0, 3, 2, 0, 1}; /* proposals <3>, credentials <1> */
    static const uint8_t twice[] = {0, 3, 3, 0, 0, 0, 0, 3, 3, 0, 0, 0};
    struct slim_mls_view view = {unknown, sizeof(unknown)};
    struct slim_mls_commit_options options = {.extensions = &view};
    pair_new(&pair);
    CHECK(exchange(pair.groups[0], pair.groups[1], &options) == SLIM_MLS_ERR_INVALID);
    view = (struct slim_mls_view){twice, sizeof(twice)};
    CHECK(exchange(pair.groups[0], pair.groups[1], &options) == SLIM_MLS_ERR_INVALID);
    view = (struct slim_mls_view){harmless, sizeof(harmless)};
    CHECK_MLS(exchange(pair.groups[0], pair.groups[1], &options));
    CHECK(world_agrees(pair.groups[0], pair.groups[1]));
    pair_free(&pair);
}

/* Whoever may speak may propose: what could never be committed is not kept. */
static void proposals_that_cannot_hold_are_refused_at_once(void **state)
{
    (void)state;
    struct pair pair;
    struct slim_mls_client *carol;
    struct slim_mls_buf package;
    struct slim_mls_buf message;
    struct slim_mls_event event;
    pair_new(&pair);
    CHECK_MLS(world_client(&pair.world, 1, "carol", &carol));
    CHECK_MLS(slim_mls_key_package_new(carol, &package));
    package.data[package.len - 1] ^= 1;
    CHECK(slim_mls_group_propose_add(pair.groups[0], world_view(&package), &message) ==
          SLIM_MLS_ERR_SIGNATURE);
    package.data[package.len - 1] ^= 1;
    CHECK(slim_mls_group_propose_remove(pair.groups[0], 7, &message) == SLIM_MLS_ERR_NOT_FOUND);
    static const uint8_t twice[] = {0, 3, 3, 0, 0, 0, 0, 3, 3, 0, 0, 0};
    CHECK_MLS(slim_mls_group_propose_extensions(
        pair.groups[0], (struct slim_mls_view){twice, sizeof(twice)}, &message));
    CHECK(slim_mls_group_process(pair.groups[1], world_view(&message), &event) ==
          SLIM_MLS_ERR_INVALID);
    CHECK(slim_mls_group_proposal_count(pair.groups[1]) == 0);
    slim_mls_buf_free(&message);
    CHECK(slim_mls_group_propose_extensions(pair.groups[1],
                                            (struct slim_mls_view){twice, sizeof(twice) - 1},
                                            &message) == SLIM_MLS_ERR_MALFORMED);
    CHECK(slim_mls_group_proposal_count(pair.groups[1]) == 0);
    slim_mls_buf_free(&package);
    slim_mls_client_free(carol);
    pair_free(&pair);
}

/* A proposal that waits forbids to encrypt: strangers must not be able to bring that about (12.4 says "valid"). */
static void proposals_of_refused_credentials_are_not_kept(void **state)
{
    (void)state;
    struct pair pair;
    struct slim_mls_client *carol;
    struct slim_mls_buf message;
    struct slim_mls_event event;
    pair_new(&pair);
    CHECK_MLS(world_client(&pair.world, 1, "carol", &carol));
    CHECK_MLS(slim_mls_propose_join(carol, slim_mls_group_id(pair.groups[0]), 1, &message));
    pair.world.refused = "carol";
    CHECK(slim_mls_group_process(pair.groups[0], world_view(&message), &event) ==
          SLIM_MLS_ERR_AUTH);
    slim_mls_buf_free(&message);

    const struct slim_mls_credential_data other = {SLIM_MLS_CREDENTIAL_BASIC, world_text("dave")};
    CHECK_MLS(slim_mls_client_set_credential(pair.clients[1], &other));
    CHECK_MLS(slim_mls_group_propose_update(pair.groups[1], &message));
    CHECK(slim_mls_group_process(pair.groups[0], world_view(&message), &event) ==
          SLIM_MLS_ERR_AUTH); /* bob's leaf cannot become dave's */
    slim_mls_buf_free(&message);
    CHECK(slim_mls_group_proposal_count(pair.groups[0]) == 0);
    CHECK_MLS(world_talk(pair.groups[0], pair.groups[1], "undisturbed"));
    slim_mls_client_free(carol);
    pair_free(&pair);
}

/* One member alone must not fill the memory of the others. */
static void waiting_proposals_are_bounded_in_bytes(void **state)
{
    (void)state;
    enum { SIZE = 3 << 20 };
    struct pair pair;
    struct slim_mls_buf message;
    struct slim_mls_event event;
    struct slim_mls_out extensions = {0};
    pair_new(&pair);
    uint8_t *data = test_calloc(1, SIZE);
    slim_mls_put_u16(&extensions, 0xff00);
    slim_mls_put_opaque(&extensions, slim_view_of(data, SIZE));
    CHECK_OK(extensions.status);
    enum slim_mls_status status = SLIM_MLS_OK;
    size_t count = 0;
    for (; status == SLIM_MLS_OK && count < 8; count++) {
        extensions.buf.data[extensions.buf.len - 1] = (uint8_t)count;
        CHECK_MLS(slim_mls_group_propose_extensions(
            pair.groups[0], (struct slim_mls_view){extensions.buf.data, extensions.buf.len},
            &message));
        slim_mls_group_proposals_clear(pair.groups[0]);
        status = slim_mls_group_process(pair.groups[1], world_view(&message), &event);
        if (status == SLIM_MLS_OK) {
            slim_mls_event_free(&event);
        }
        slim_mls_buf_free(&message);
    }
    CHECK(status == SLIM_MLS_ERR_LIMIT && count == 3);
    CHECK(slim_mls_group_proposal_count(pair.groups[1]) == 2);
    test_free(data);
    slim_mls_out_fini(&extensions);
    pair_free(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_psk_must_be_known_to_both),
        cmocka_unit_test(a_resumption_psk_links_epochs),
        cmocka_unit_test(a_branch_is_linked_to_its_old_group),
        cmocka_unit_test(proposals_wait_for_a_commit),
        cmocka_unit_test(a_commit_of_an_unseen_proposal_is_refused),
        cmocka_unit_test(a_reinit_closes_the_group),
        cmocka_unit_test(a_waiting_reinit_closes_the_group_only_when_asked_to),
        cmocka_unit_test(a_successor_is_what_its_old_group_agreed_on),
        cmocka_unit_test(a_group_id_in_use_is_refused_on_joining),
        cmocka_unit_test(external_senders_end_with_their_list),
        cmocka_unit_test(an_external_sender_proposes_and_members_commit),
        cmocka_unit_test(a_joiner_is_asked_about_external_senders),
        cmocka_unit_test(somebody_asks_to_join_and_is_added),
        cmocka_unit_test(an_external_commit_joins_and_replaces),
        cmocka_unit_test(a_stranger_cannot_remove_us_by_an_external_commit),
        cmocka_unit_test(our_own_leaf_keeps_its_name),
        cmocka_unit_test(nobody_joins_a_moderated_group_by_itself),
        cmocka_unit_test(required_capabilities_bind_everybody),
        cmocka_unit_test(proposals_that_cannot_hold_are_refused_at_once),
        cmocka_unit_test(proposals_of_refused_credentials_are_not_kept),
        cmocka_unit_test(waiting_proposals_are_bounded_in_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
