/* Proposals by reference, pre-shared keys, group context extensions, external commits and external proposals. */
#include "mls/codec.h"
#include "pair.h"

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
        cmocka_unit_test(proposals_wait_for_a_commit),
        cmocka_unit_test(a_commit_of_an_unseen_proposal_is_refused),
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
