#include "mls/group.h"
#include "support/check.h"
#include "world.h"

#define CHECK_MLS(call) assert_int_equal(call, SLIM_MLS_OK)

enum { TRIO = 3 };

/* Three members of one group, number 0 its creator. */
struct trio {
    struct world world;
    struct slim_mls_client *clients[TRIO];
    struct slim_mls_group *groups[TRIO];
};

static void trio_new(struct trio *trio, uint16_t suite)
{
    static const char *const names[TRIO] = {"alice", "bob", "carol"};
    *trio = (struct trio){.world = {.seed = suite, .now_s = WORLD_START_S}};
    for (size_t i = 0; i < TRIO; i++) {
        CHECK_MLS(world_client(&trio->world, suite, names[i], &trio->clients[i]));
    }
    CHECK_MLS(slim_mls_group_create(trio->clients[0], NULL, &trio->groups[0]));
    CHECK_MLS(world_add(trio->groups[0], trio->clients[1], &trio->groups[1], NULL));
    struct slim_mls_buf commit;
    CHECK_MLS(world_add(trio->groups[0], trio->clients[2], &trio->groups[2], &commit));
    CHECK_MLS(world_process(trio->groups[1], &commit, SLIM_MLS_EVENT_COMMIT));
    slim_mls_buf_free(&commit);
}

static void trio_free(struct trio *trio)
{
    for (size_t i = 0; i < TRIO; i++) {
        slim_mls_group_free(trio->groups[i]);
        slim_mls_client_free(trio->clients[i]);
    }
}

/* Commit with one member and deliver to the other two. */
static enum slim_mls_status commit_by(struct trio *trio, size_t author,
                                      const struct slim_mls_commit_options *options)
{
    struct slim_mls_commit_output output;
    enum slim_mls_status status = slim_mls_group_commit(trio->groups[author], options, &output);
    if (status != SLIM_MLS_OK) {
        return status;
    }
    for (size_t i = 0; i < TRIO && status == SLIM_MLS_OK; i++) {
        if (i != author) {
            struct slim_mls_event event;
            status = slim_mls_group_process(trio->groups[i], world_view(&output.commit), &event);
            if (status == SLIM_MLS_OK) {
                slim_mls_event_free(&event);
            }
        }
    }
    slim_mls_commit_output_free(&output);
    return status == SLIM_MLS_OK ? slim_mls_group_commit_apply(trio->groups[author]) : status;
}

static void check_trio_agrees(const struct trio *trio)
{
    CHECK(world_agrees(trio->groups[0], trio->groups[1]));
    CHECK(world_agrees(trio->groups[0], trio->groups[2]));
}

static void every_suite_forms_a_group(void **state)
{
    (void)state;
    for (uint16_t suite = 1; suite <= 7; suite++) {
        struct trio trio;
        trio_new(&trio, suite);
        check_trio_agrees(&trio);
        for (size_t i = 0; i < TRIO; i++) {
            CHECK_MLS(world_talk(trio.groups[i], trio.groups[(i + 1) % TRIO], "to the next"));
            CHECK_MLS(world_talk(trio.groups[i], trio.groups[(i + 2) % TRIO], ""));
        }
        trio_free(&trio);
    }
}

static void a_removed_member_reads_nothing_more(void **state)
{
    (void)state;
    struct trio trio;
    trio_new(&trio, 1);
    uint32_t removed = slim_mls_group_own_leaf(trio.groups[1]);
    struct slim_mls_commit_options options = {.removed = &removed, .removed_count = 1};
    struct slim_mls_commit_output output;
    struct slim_mls_event event;
    CHECK_MLS(slim_mls_group_commit(trio.groups[0], &options, &output));
    CHECK_MLS(slim_mls_group_commit_apply(trio.groups[0]));
    CHECK_MLS(slim_mls_group_process(trio.groups[2], world_view(&output.commit), &event));
    CHECK(event.kind == SLIM_MLS_EVENT_COMMIT && event.removed_count == 1 &&
          event.removed[0] == removed);
    CHECK(event.sender == SLIM_MLS_SENDER_MEMBER && event.sender_leaf == 0 &&
          event.added_count == 0);
    slim_mls_event_free(&event);
    CHECK_MLS(world_process(trio.groups[1], &output.commit, SLIM_MLS_EVENT_REMOVED));
    slim_mls_commit_output_free(&output);

    CHECK(world_agrees(trio.groups[0], trio.groups[2]));
    CHECK_MLS(world_talk(trio.groups[0], trio.groups[2], "without bob"));
    CHECK(world_talk(trio.groups[0], trio.groups[1], "without bob") == SLIM_MLS_ERR_REMOVED);
    struct slim_mls_buf message;
    CHECK(slim_mls_group_encrypt(trio.groups[1], world_text(""), world_text("still here"),
                                 &message) == SLIM_MLS_ERR_REMOVED);
    CHECK(slim_mls_group_commit(trio.groups[1], &options, &output) == SLIM_MLS_ERR_REMOVED);
    trio_free(&trio);
}

/* How many of the encrypted path secrets of a PublicMessage commit do the private keys in `own` open? */
static size_t count_opened(const struct slim_mls_private *own, const struct slim_mls_buf *message,
                           struct slim_view context)
{
    const struct slim_mls_suite *suite = slim_mls_suite_find(1);
    struct slim_view in = slim_view_of(message->data, message->len);
    enum slim_mls_wire_format format;
    struct slim_mls_content content;
    struct slim_view tag;
    struct slim_mls_commit commit;
    CHECK_OK(slim_mls_take_message_head(&in, &format));
    CHECK_OK(slim_mls_take_public(&in, &content, &tag));
    CHECK_OK(slim_mls_take_commit(&content.body, &commit));
    CHECK(commit.has_path);
    size_t count = 0;
    for (struct slim_view nodes = commit.path.nodes; nodes.len > 0;) {
        struct slim_mls_path_node node;
        CHECK_OK(slim_mls_take_path_node(&nodes, &node));
        while (node.ciphertexts.len > 0) {
            struct slim_mls_ciphertext item;
            CHECK_OK(slim_mls_take_ciphertext(&node.ciphertexts, &item));
            for (size_t level = 0; level < MLS_DEPTH_MAX; level++) {
                uint8_t public_key[32];
                struct slim_buf plain = {0};
                if (!own->is_known[level]) {
                    continue;
                }
                CHECK_OK(slim_crypto_dh_public(suite->curve, slim_view_of(own->keys[level], 32),
                                               public_key));
                count += slim_mls_decrypt_with_label(suite, own->keys[level],
                                                     slim_view_of(public_key, 32), "UpdatePathNode",
                                                     context, item.kem_output, item.ciphertext,
                                                     &plain) == SLIM_OK;
                slim_buf_wipe(&plain);
            }
        }
    }
    return count;
}

/* The status is not what protects the group: the keys that one is left with open nothing of the commit that removes it. */
static void the_keys_of_a_removed_member_open_no_path_secret(void **state)
{
    (void)state;
    struct trio trio;
    trio_new(&trio, 1);
    uint32_t removed = slim_mls_group_own_leaf(trio.groups[1]);
    struct slim_mls_commit_options options = {.removed = &removed, .removed_count = 1};
    struct slim_mls_commit_output output;
    struct slim_mls_out context = {0};
    CHECK_MLS(slim_mls_group_commit(trio.groups[0], &options, &output));
    const struct slim_mls_epoch *old = trio.groups[0]->epoch;
    struct slim_mls_epoch *next = trio.groups[0]->pending;
    const uint8_t *tree_hash;
    CHECK_OK(slim_mls_tree_root_hash(&next->tree, &tree_hash));
    const struct slim_mls_context provisional = {
        .version = MLS_VERSION_10,
        .suite = 1,
        .group_id = slim_buf_view(&trio.groups[0]->id),
        .epoch = next->number,
        .tree_hash = slim_view_of(tree_hash, 32),
        .confirmed_transcript_hash = slim_view_of(old->confirmed, old->confirmed_len),
        .extensions = slim_buf_view(&next->extensions),
    };
    slim_mls_put_context(&context, &provisional);
    CHECK_OK(context.status);
    CHECK(count_opened(&trio.groups[2]->epoch->own, &output.commit, slim_mls_out_view(&context)) ==
          1);
    CHECK(count_opened(&trio.groups[1]->epoch->own, &output.commit, slim_mls_out_view(&context)) ==
          0);
    slim_mls_out_fini(&context);
    slim_mls_commit_output_free(&output);
    trio_free(&trio);
}

static void a_blank_place_is_filled_again(void **state)
{
    (void)state;
    struct trio trio;
    trio_new(&trio, 1);
    uint32_t removed = 1;
    struct slim_mls_commit_options options = {.removed = &removed, .removed_count = 1};
    CHECK_MLS(commit_by(&trio, 0, &options));
    slim_mls_group_free(trio.groups[1]);
    struct slim_mls_buf commit;
    CHECK_MLS(world_add(trio.groups[0], trio.clients[1], &trio.groups[1], &commit));
    CHECK_MLS(world_process(trio.groups[2], &commit, SLIM_MLS_EVENT_COMMIT));
    slim_mls_buf_free(&commit);
    CHECK(slim_mls_group_own_leaf(trio.groups[1]) == 1 &&
          slim_mls_group_member_count(trio.groups[1]) == 3);
    check_trio_agrees(&trio);
    CHECK_MLS(world_talk(trio.groups[2], trio.groups[1], "again"));
    trio_free(&trio);
}

static void a_cancelled_commit_changes_nothing(void **state)
{
    (void)state;
    struct trio trio;
    struct slim_mls_commit_output output;
    struct slim_mls_commit_options options = {0};
    trio_new(&trio, 1);
    CHECK(slim_mls_group_commit_apply(trio.groups[0]) == SLIM_MLS_ERR_STATE);
    CHECK_MLS(slim_mls_group_commit(trio.groups[0], &options, &output));
    slim_mls_commit_output_free(&output);
    check_trio_agrees(&trio);
    CHECK(slim_mls_group_commit(trio.groups[0], &options, &output) == SLIM_MLS_ERR_STATE);
    slim_mls_group_commit_cancel(trio.groups[0]);
    slim_mls_group_commit_cancel(trio.groups[0]);
    CHECK_MLS(commit_by(&trio, 0, &options));
    check_trio_agrees(&trio);
    trio_free(&trio);
}

/* Two commit in one epoch: the one that is accepted wins, the other's is dropped. */
static void an_accepted_commit_drops_our_pending_one(void **state)
{
    (void)state;
    struct trio trio;
    struct slim_mls_commit_output output;
    struct slim_mls_commit_options options = {0};
    trio_new(&trio, 1);
    CHECK_MLS(slim_mls_group_commit(trio.groups[1], &options, &output));
    CHECK_MLS(commit_by(&trio, 0, &options));
    CHECK(slim_mls_group_commit_apply(trio.groups[1]) == SLIM_MLS_ERR_STATE);
    struct slim_mls_event event;
    CHECK(slim_mls_group_process(trio.groups[2], world_view(&output.commit), &event) ==
          SLIM_MLS_ERR_STALE);
    slim_mls_commit_output_free(&output);
    check_trio_agrees(&trio);
    trio_free(&trio);
}

static void late_messages_open_while_their_epoch_is_kept(void **state)
{
    (void)state;
    struct trio trio;
    struct slim_mls_commit_options options = {0};
    struct slim_mls_buf messages[3];
    trio_new(&trio, 1);
    for (size_t i = 0; i < 3; i++) {
        CHECK_MLS(slim_mls_group_encrypt(trio.groups[0], world_text(""), world_text("late"),
                                         &messages[i]));
    }
    for (int i = 0; i < 8; i++) { /* as many epochs as are kept */
        CHECK_MLS(commit_by(&trio, 1, &options));
    }
    CHECK_MLS(world_process(trio.groups[2], &messages[1], SLIM_MLS_EVENT_APPLICATION));
    CHECK(world_process(trio.groups[2], &messages[1], SLIM_MLS_EVENT_APPLICATION) ==
          SLIM_MLS_ERR_REPLAYED);
    trio.world.now_s += 121; /* longer than they are kept */
    CHECK(world_process(trio.groups[2], &messages[0], SLIM_MLS_EVENT_APPLICATION) ==
          SLIM_MLS_ERR_STALE);
    trio.world.now_s -= 121;
    CHECK_MLS(world_process(trio.groups[1], &messages[0], SLIM_MLS_EVENT_APPLICATION));
    CHECK_MLS(commit_by(&trio, 1, &options)); /* one epoch more */
    CHECK(world_process(trio.groups[1], &messages[2], SLIM_MLS_EVENT_APPLICATION) ==
          SLIM_MLS_ERR_STALE);
    for (size_t i = 0; i < 3; i++) {
        slim_mls_buf_free(&messages[i]);
    }
    trio_free(&trio);
}

static void a_refresh_may_bring_a_new_credential(void **state)
{
    (void)state;
    struct trio trio;
    struct slim_mls_member member;
    struct slim_mls_commit_options options = {0};
    trio_new(&trio, 1);
    struct slim_mls_credential_data credential = {SLIM_MLS_CREDENTIAL_BASIC, world_text("alice#2")};
    CHECK_MLS(slim_mls_client_set_credential(trio.clients[0], &credential));
    CHECK_MLS(commit_by(&trio, 0, &options));
    CHECK_MLS(slim_mls_group_member(trio.groups[2], 0, &member));
    CHECK_VIEW(slim_view_of(member.credential.data.data, member.credential.data.len), "alice#2");
    check_trio_agrees(&trio);

    credential.data = world_text("mallory"); /* another name on the same leaf */
    CHECK_MLS(slim_mls_client_set_credential(trio.clients[0], &credential));
    CHECK(commit_by(&trio, 0, &options) == SLIM_MLS_ERR_AUTH ||
          commit_by(&trio, 0, &options) == SLIM_MLS_ERR_STATE);
    CHECK(slim_mls_group_epoch(trio.groups[1]) == slim_mls_group_epoch(trio.groups[2]));
    CHECK(slim_mls_group_epoch(trio.groups[1]) == slim_mls_group_epoch(trio.groups[0]));
    trio_free(&trio);
}

static void exported_secrets_are_equal_and_labelled(void **state)
{
    (void)state;
    struct trio trio;
    uint8_t out[4][40];
    trio_new(&trio, 2);
    CHECK_MLS(slim_mls_group_export(trio.groups[0], world_text("a"), world_text("x"), out[0], 40));
    CHECK_MLS(slim_mls_group_export(trio.groups[1], world_text("a"), world_text("x"), out[1], 40));
    CHECK_MLS(slim_mls_group_export(trio.groups[1], world_text("b"), world_text("x"), out[2], 40));
    CHECK_MLS(slim_mls_group_export(trio.groups[1], world_text("a"), world_text("y"), out[3], 40));
    CHECK(memcmp(out[0], out[1], 40) == 0 && memcmp(out[1], out[2], 40) != 0 &&
          memcmp(out[1], out[3], 40) != 0);
    CHECK(slim_mls_group_export(trio.groups[0], world_text("a"), world_text("x"), out[0],
                                255 * 32 + 1) == SLIM_MLS_ERR_ARGUMENT);
    trio_free(&trio);
}

static void one_welcome_serves_all_who_were_added(void **state)
{
    (void)state;
    enum { JOINERS = 5 };
    struct trio trio;
    struct slim_mls_client *clients[JOINERS];
    struct slim_mls_group *groups[JOINERS];
    struct slim_mls_buf packages[JOINERS];
    struct slim_mls_view views[JOINERS];
    static const char *const names[JOINERS] = {"d", "e", "f", "g", "h"};
    trio_new(&trio, 1);
    for (size_t i = 0; i < JOINERS; i++) {
        CHECK_MLS(world_client(&trio.world, 1, names[i], &clients[i]));
        CHECK_MLS(slim_mls_key_package_new(clients[i], &packages[i]));
        views[i] = world_view(&packages[i]);
    }
    uint32_t removed = 1;
    struct slim_mls_commit_output output;
    struct slim_mls_buf tree;
    struct slim_mls_commit_options options = {.key_packages = views,
                                              .key_package_count = JOINERS,
                                              .removed = &removed,
                                              .removed_count = 1,
                                              .without_welcome_tree = true};
    CHECK_MLS(slim_mls_group_commit(trio.groups[0], &options, &output));
    CHECK_MLS(slim_mls_group_commit_apply(trio.groups[0]));
    CHECK_MLS(world_process(trio.groups[2], &output.commit, SLIM_MLS_EVENT_COMMIT));
    CHECK_MLS(slim_mls_group_tree(trio.groups[0], &tree));
    for (size_t i = 0; i < JOINERS; i++) {
        CHECK(slim_mls_group_join(clients[i], world_view(&output.welcome),
                                  (struct slim_mls_view){0},
                                  &groups[i]) == SLIM_MLS_ERR_NOT_FOUND); /* without the tree */
        CHECK_MLS(slim_mls_group_join(clients[i], world_view(&output.welcome), world_view(&tree),
                                      &groups[i]));
        CHECK(world_agrees(trio.groups[2], groups[i]));
        CHECK_MLS(world_talk(groups[i], trio.groups[2], "hello"));
        struct slim_mls_group *twice;
        CHECK(slim_mls_group_join(clients[i], world_view(&output.welcome), world_view(&tree),
                                  &twice) ==
              SLIM_MLS_ERR_NOT_FOUND); /* the key package served once */
    }
    for (size_t i = 0; i < JOINERS; i++) {
        slim_mls_group_free(groups[i]);
        slim_mls_client_free(clients[i]);
        slim_mls_buf_free(&packages[i]);
    }
    slim_mls_commit_output_free(&output);
    slim_mls_buf_free(&tree);
    trio_free(&trio);
}

static void a_restored_group_goes_on(void **state)
{
    (void)state;
    struct trio trio;
    struct slim_mls_commit_options options = {0};
    struct slim_mls_buf saved;
    struct slim_mls_buf message;
    trio_new(&trio, 1);
    CHECK_MLS(slim_mls_group_encrypt(trio.groups[0], world_text(""), world_text("old"), &message));
    CHECK_MLS(commit_by(&trio, 2, &options));
    CHECK_MLS(slim_mls_group_save(trio.groups[1], &saved));
    slim_mls_group_free(trio.groups[1]);
    CHECK_MLS(slim_mls_group_load(trio.clients[1], world_view(&saved), &trio.groups[1]));
    CHECK_MLS(world_process(trio.groups[1], &message, SLIM_MLS_EVENT_APPLICATION));
    CHECK_MLS(commit_by(&trio, 1, &options));
    check_trio_agrees(&trio);
    struct slim_mls_group *other;
    CHECK(slim_mls_group_load(trio.clients[0], world_view(&saved), &other) ==
          SLIM_MLS_ERR_INVALID); /* not its key */
    for (size_t len = 0; len < saved.len; len += 7) {
        struct slim_mls_view cut = {saved.data, len};
        CHECK(slim_mls_group_load(trio.clients[1], cut, &other) != SLIM_MLS_OK);
    }
    slim_mls_buf_free(&saved);
    slim_mls_buf_free(&message);
    trio_free(&trio);
}

static void handshakes_can_be_encrypted(void **state)
{
    (void)state;
    struct world world = {.seed = 5, .now_s = WORLD_START_S};
    struct slim_mls_client *clients[2];
    struct slim_mls_group *groups[2];
    for (size_t i = 0; i < 2; i++) {
        struct slim_mls_client_config config;
        struct slim_mls_buf key;
        CHECK_MLS(world_config(&world, 3, i == 0 ? "alice" : "bob", &config, &key));
        config.policy.encrypt_handshake = true;
        config.policy.pad = false;
        CHECK_MLS(slim_mls_client_new(&config, &clients[i]));
        slim_mls_buf_free(&key);
    }
    CHECK_MLS(slim_mls_group_create(clients[0], NULL, &groups[0]));
    CHECK_MLS(world_add(groups[0], clients[1], &groups[1], NULL));
    struct slim_mls_buf proposal;
    CHECK_MLS(slim_mls_group_propose_update(groups[1], &proposal));
    CHECK(proposal.data[3] == 2); /* PrivateMessage */
    CHECK_MLS(world_process(groups[0], &proposal, SLIM_MLS_EVENT_PROPOSAL));
    CHECK(world_process(groups[0], &proposal, SLIM_MLS_EVENT_PROPOSAL) == SLIM_MLS_ERR_REPLAYED);
    CHECK(world_talk(groups[0], groups[1], "not before the commit") == SLIM_MLS_ERR_STATE);
    struct slim_mls_commit_options options = {0};
    struct slim_mls_commit_output output;
    CHECK_MLS(slim_mls_group_commit(groups[0], &options, &output));
    CHECK(output.commit.data[3] == 2);
    CHECK_MLS(slim_mls_group_commit_apply(groups[0]));
    CHECK_MLS(world_process(groups[1], &output.commit, SLIM_MLS_EVENT_COMMIT));
    CHECK(world_agrees(groups[0], groups[1]));
    CHECK_MLS(world_talk(groups[1], groups[0], "now"));
    slim_mls_commit_output_free(&output);
    slim_mls_buf_free(&proposal);
    for (size_t i = 0; i < 2; i++) {
        slim_mls_group_free(groups[i]);
        slim_mls_client_free(clients[i]);
    }
}

/* The lengths of the recorded messages of real clients (spec mls.md 5): 19 bytes of text make 96 padded, 300 make 384. */
static void padding_is_that_of_the_reference(void **state)
{
    (void)state;
    struct trio trio;
    trio_new(&trio, 1);
    static const struct {
        const char *why;
        size_t len;
        size_t padded;
    } rows[] = {{"19 bytes: 86 of content", 19, 96},
                {"300 bytes: 368 of content", 300, 384},
                {"nothing", 0, 96}};
    static const uint8_t text[300] = {'x'};
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_mls_buf message;
        struct slim_mls_view plain = {text, rows[i].len};
        CHECK_MLS(
            slim_mls_group_encrypt(trio.groups[0], (struct slim_mls_view){0}, plain, &message));
        /* head 4, group id 33, epoch 8, type 1, aad 1, sender data 29, ciphertext with header and tag */
        CHECK_ROW(rows[i].why, message.len == 4 + 33 + 8 + 1 + 1 + 29 + 2 + rows[i].padded + 16);
        slim_mls_buf_free(&message);
    }
    trio_free(&trio);
}

static void the_largest_message_opens_and_a_larger_one_is_refused(void **state)
{
    (void)state;
    struct trio trio;
    trio_new(&trio, 1);
    static const uint8_t text[MLS_PLAINTEXT_BYTES_MAX + 1] = {'x'};
    const struct slim_mls_view none = {0};
    const struct slim_mls_view largest = {text, MLS_PLAINTEXT_BYTES_MAX};
    struct slim_mls_buf message;
    CHECK_MLS(slim_mls_group_encrypt(trio.groups[0], none, largest, &message));
    CHECK(message.len <= MLS_MESSAGE_BYTES_MAX);
    struct slim_mls_event event;
    CHECK_MLS(slim_mls_group_process(trio.groups[1],
                                     (struct slim_mls_view){message.data, message.len}, &event));
    CHECK(event.data.len == largest.len && memcmp(event.data.data, text, largest.len) == 0);
    slim_mls_event_free(&event);
    slim_mls_buf_free(&message);
    CHECK(slim_mls_group_encrypt(trio.groups[0], none,
                                 (struct slim_mls_view){text, largest.len + 1},
                                 &message) == SLIM_MLS_ERR_LIMIT);
    CHECK(slim_mls_group_encrypt(trio.groups[0], (struct slim_mls_view){text, 1}, largest,
                                 &message) == SLIM_MLS_ERR_LIMIT);
    trio_free(&trio);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_suite_forms_a_group),
        cmocka_unit_test(a_removed_member_reads_nothing_more),
        cmocka_unit_test(the_keys_of_a_removed_member_open_no_path_secret),
        cmocka_unit_test(a_blank_place_is_filled_again),
        cmocka_unit_test(a_cancelled_commit_changes_nothing),
        cmocka_unit_test(an_accepted_commit_drops_our_pending_one),
        cmocka_unit_test(late_messages_open_while_their_epoch_is_kept),
        cmocka_unit_test(a_refresh_may_bring_a_new_credential),
        cmocka_unit_test(exported_secrets_are_equal_and_labelled),
        cmocka_unit_test(one_welcome_serves_all_who_were_added),
        cmocka_unit_test(a_restored_group_goes_on),
        cmocka_unit_test(handshakes_can_be_encrypted),
        cmocka_unit_test(padding_is_that_of_the_reference),
        cmocka_unit_test(the_largest_message_opens_and_a_larger_one_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
