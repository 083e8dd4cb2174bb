/* Whatever is wrong with a message: it is refused, and the group is the same as before. */
#include <stdlib.h>

#include "mls/group.h"
#include "support/check.h"
#include "world.h"

#define CHECK_MLS(call) assert_int_equal(call, SLIM_MLS_OK)

struct scene {
    struct world world;
    struct slim_mls_client *clients[3];
    struct slim_mls_group *groups[2];
    struct slim_mls_buf package; /* of client 2 */
    struct slim_mls_commit_output output;
};

/* Two members; the first has a commit pending that removes nobody and adds a third. */
static void scene_new(struct scene *scene, enum slim_mls_path path)
{
    *scene = (struct scene){.world = {.seed = 11, .now_s = WORLD_START_S}};
    CHECK_MLS(world_client(&scene->world, 1, "alice", &scene->clients[0]));
    CHECK_MLS(world_client(&scene->world, 1, "bob", &scene->clients[1]));
    CHECK_MLS(world_client(&scene->world, 1, "carol", &scene->clients[2]));
    CHECK_MLS(slim_mls_group_create(scene->clients[0], NULL, &scene->groups[0]));
    CHECK_MLS(world_add(scene->groups[0], scene->clients[1], &scene->groups[1], NULL));
    CHECK_MLS(slim_mls_key_package_new(scene->clients[2], &scene->package));
    struct slim_mls_view view = world_view(&scene->package);
    struct slim_mls_commit_options options = {
        .key_packages = &view, .key_package_count = 1, .path = path};
    CHECK_MLS(slim_mls_group_commit(scene->groups[0], &options, &scene->output));
}

static void scene_free(struct scene *scene)
{
    for (size_t i = 0; i < 2; i++) {
        slim_mls_group_free(scene->groups[i]);
    }
    for (size_t i = 0; i < 3; i++) {
        slim_mls_client_free(scene->clients[i]);
    }
    slim_mls_buf_free(&scene->package);
    slim_mls_commit_output_free(&scene->output);
}

static bool is_same(const struct slim_mls_buf *a, const struct slim_mls_buf *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static void every_changed_byte_of_a_commit_is_refused(void **state)
{
    (void)state;
    for (int path = SLIM_MLS_PATH_NEEDED; path <= SLIM_MLS_PATH_ALWAYS; path++) {
        struct scene scene;
        struct slim_mls_buf before;
        struct slim_mls_buf after;
        scene_new(&scene, (enum slim_mls_path)path);
        CHECK_MLS(slim_mls_group_save(scene.groups[1], &before));
        struct slim_mls_buf *commit = &scene.output.commit;
        for (size_t i = 0; i < commit->len; i++) {
            commit->data[i] ^= 0x10;
            CHECK(world_process(scene.groups[1], commit, SLIM_MLS_EVENT_COMMIT) != SLIM_MLS_OK);
            commit->data[i] ^= 0x10;
        }
        for (size_t len = 0; len < commit->len; len++) {
            struct slim_mls_event event;
            CHECK(slim_mls_group_process(scene.groups[1], (struct slim_mls_view){commit->data, len},
                                         &event) == SLIM_MLS_ERR_MALFORMED);
        }
        CHECK_MLS(slim_mls_group_save(scene.groups[1], &after));
        CHECK(is_same(&before, &after));
        CHECK_MLS(world_process(scene.groups[1], commit, SLIM_MLS_EVENT_COMMIT));
        slim_mls_buf_free(&before);
        slim_mls_buf_free(&after);
        scene_free(&scene);
    }
}

static void every_changed_byte_of_a_message_is_refused(void **state)
{
    (void)state;
    struct scene scene;
    struct slim_mls_buf message;
    scene_new(&scene, SLIM_MLS_PATH_NEEDED);
    CHECK_MLS(
        slim_mls_group_encrypt(scene.groups[0], world_text("aad"), world_text("text"), &message));
    for (size_t i = 0; i < message.len; i++) {
        message.data[i] ^= 0x01;
        CHECK(world_process(scene.groups[1], &message, SLIM_MLS_EVENT_APPLICATION) != SLIM_MLS_OK);
        message.data[i] ^= 0x01;
    }
    CHECK_MLS(world_process(scene.groups[1], &message, SLIM_MLS_EVENT_APPLICATION));
    slim_mls_buf_free(&message);
    scene_free(&scene);
}

static void every_changed_byte_of_a_welcome_is_refused(void **state)
{
    (void)state;
    struct scene scene;
    struct slim_mls_group *joined;
    scene_new(&scene, SLIM_MLS_PATH_ALWAYS);
    struct slim_mls_buf *welcome = &scene.output.welcome;
    for (size_t i = 0; i < welcome->len; i++) {
        welcome->data[i] ^= 0x40;
        CHECK(slim_mls_group_join(scene.clients[2], world_view(welcome), (struct slim_mls_view){0},
                                  &joined) != SLIM_MLS_OK);
        welcome->data[i] ^= 0x40;
    }
    CHECK_MLS(slim_mls_group_join(scene.clients[2], world_view(welcome), (struct slim_mls_view){0},
                                  &joined));
    slim_mls_group_free(joined);
    scene_free(&scene);
}

static void every_changed_byte_of_a_key_package_is_refused(void **state)
{
    (void)state;
    struct scene scene;
    struct slim_mls_commit_output output;
    scene_new(&scene, SLIM_MLS_PATH_NEEDED);
    struct slim_mls_view view = world_view(&scene.package);
    struct slim_mls_commit_options options = {.key_packages = &view, .key_package_count = 1};
    for (size_t i = 0; i < scene.package.len; i++) {
        scene.package.data[i] ^= 0x08;
        CHECK(slim_mls_group_commit(scene.groups[1], &options, &output) != SLIM_MLS_OK);
        scene.package.data[i] ^= 0x08;
    }
    CHECK_MLS(slim_mls_group_commit(scene.groups[1], &options, &output));
    slim_mls_commit_output_free(&output);
    scene_free(&scene);
}

static void times_out_of_order_have_their_own_status(void **state)
{
    (void)state;
    struct scene scene;
    struct slim_mls_buf message;
    struct slim_mls_commit_output next;
    struct slim_mls_commit_options refresh = {0};
    struct slim_mls_event event;
    scene_new(&scene, SLIM_MLS_PATH_NEEDED);
    CHECK(world_process(scene.groups[0], &scene.output.commit, SLIM_MLS_EVENT_COMMIT) ==
          SLIM_MLS_ERR_STATE); /* ours */
    CHECK_MLS(slim_mls_group_commit_apply(scene.groups[0]));
    CHECK_MLS(slim_mls_group_encrypt(scene.groups[0], world_text(""), world_text("new"), &message));
    CHECK_MLS(slim_mls_group_commit(scene.groups[0], &refresh, &next));
    CHECK(world_process(scene.groups[1], &message, SLIM_MLS_EVENT_APPLICATION) ==
          SLIM_MLS_ERR_FUTURE);
    CHECK(world_process(scene.groups[1], &next.commit, SLIM_MLS_EVENT_COMMIT) ==
          SLIM_MLS_ERR_FUTURE);
    CHECK_MLS(world_process(scene.groups[1], &scene.output.commit, SLIM_MLS_EVENT_COMMIT));
    CHECK(world_process(scene.groups[1], &scene.output.commit, SLIM_MLS_EVENT_COMMIT) ==
          SLIM_MLS_ERR_STALE);
    CHECK_MLS(world_process(scene.groups[1], &message, SLIM_MLS_EVENT_APPLICATION));
    CHECK(world_process(scene.groups[1], &message, SLIM_MLS_EVENT_APPLICATION) ==
          SLIM_MLS_ERR_REPLAYED);
    CHECK_MLS(world_process(scene.groups[1], &next.commit, SLIM_MLS_EVENT_COMMIT));
    CHECK(slim_mls_group_process(scene.groups[1], world_view(&scene.output.welcome), &event) ==
          SLIM_MLS_ERR_INVALID);
    slim_mls_buf_free(&message);
    slim_mls_commit_output_free(&next);
    scene_free(&scene);
}

static void nobody_is_in_a_group_twice(void **state)
{
    (void)state;
    struct scene scene;
    struct slim_mls_client *other;
    struct slim_mls_buf package;
    struct slim_mls_commit_output output;
    scene_new(&scene, SLIM_MLS_PATH_NEEDED);
    CHECK_MLS(slim_mls_key_package_new(scene.clients[0], &package));
    struct slim_mls_view view = world_view(&package);
    struct slim_mls_commit_options options = {.key_packages = &view, .key_package_count = 1};
    CHECK(slim_mls_group_commit(scene.groups[1], &options, &output) ==
          SLIM_MLS_ERR_EXISTS); /* her signature key */
    slim_mls_buf_free(&package);
    CHECK_MLS(world_client(&scene.world, 1, "alice#3", &other));
    CHECK_MLS(slim_mls_key_package_new(other, &package));
    view = world_view(&package);
    CHECK(slim_mls_group_commit(scene.groups[1], &options, &output) ==
          SLIM_MLS_ERR_EXISTS); /* her name */
    slim_mls_buf_free(&package);
    slim_mls_client_free(other);
    scene_free(&scene);
}

static void expired_and_refused_ones_do_not_enter(void **state)
{
    (void)state;
    struct scene scene;
    struct slim_mls_commit_output output;
    scene_new(&scene, SLIM_MLS_PATH_NEEDED);
    struct slim_mls_view view = world_view(&scene.package);
    struct slim_mls_commit_options options = {.key_packages = &view, .key_package_count = 1};
    static const struct {
        const char *why;
        int64_t later_s;
        enum slim_mls_status want;
    } rows[] = {
        {"our clock is slow by an hour, as much as is backdated, and a minute, as much as is "
         "allowed",
         -3660, SLIM_MLS_OK},
        {"one second more", -3661, SLIM_MLS_ERR_EXPIRED},
        {"the last second", 365 * 86400, SLIM_MLS_OK},
        {"the second after it", 365 * 86400 + 1, SLIM_MLS_ERR_EXPIRED},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        scene.world.now_s = (uint64_t)((int64_t)WORLD_START_S + rows[i].later_s);
        enum slim_mls_status status = slim_mls_group_commit(scene.groups[1], &options, &output);
        CHECK_ROW(rows[i].why, status == rows[i].want);
        if (status == SLIM_MLS_OK) {
            slim_mls_commit_output_free(&output);
            slim_mls_group_commit_cancel(scene.groups[1]);
        }
    }
    scene.world.now_s = WORLD_START_S;
    scene.world.refused = "carol";
    CHECK(slim_mls_group_commit(scene.groups[1], &options, &output) == SLIM_MLS_ERR_AUTH);
    CHECK(world_process(scene.groups[1], &scene.output.commit, SLIM_MLS_EVENT_COMMIT) ==
          SLIM_MLS_ERR_AUTH);
    scene.world.refused = NULL;
    CHECK_MLS(world_process(scene.groups[1], &scene.output.commit, SLIM_MLS_EVENT_COMMIT));
    scene_free(&scene);
}

static void a_lifetime_without_end_does_not_wrap(void **state)
{
    (void)state;
    struct world world = {.seed = 8, .now_s = WORLD_START_S};
    struct slim_mls_client *clients[2];
    struct slim_mls_group *groups[2] = {NULL};
    CHECK_MLS(world_client(&world, 1, "alice", &clients[0]));
    CHECK_MLS(world_client(&world, 1, "bob", &clients[1]));
    clients[1]->policy.key_package_lifetime_s = UINT64_MAX;
    CHECK_MLS(slim_mls_group_create(clients[0], NULL, &groups[0]));
    CHECK_MLS(world_add(groups[0], clients[1], &groups[1], NULL));
    for (size_t i = 0; i < 2; i++) {
        slim_mls_group_free(groups[i]);
        slim_mls_client_free(clients[i]);
    }
}

/* A moderator with one forged leaf deep in a large tree: everything else about its Welcome is right. */
static void one_bad_signature_among_many_leaves_is_found(void **state)
{
    (void)state;
    enum { COUNT = 130, BAD = 70 };
    struct world world = {.seed = 3, .now_s = WORLD_START_S};
    struct slim_mls_client *clients[COUNT];
    struct slim_mls_buf packages[COUNT];
    struct slim_mls_view views[COUNT];
    struct slim_mls_group *group;
    struct slim_mls_group *joined;
    struct slim_mls_commit_output output;
    for (size_t i = 0; i < COUNT; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "member %zu", i); /* fits */
        CHECK_MLS(world_client(&world, 1, name, &clients[i]));
        CHECK_MLS(slim_mls_key_package_new(clients[i], &packages[i]));
        views[i] = world_view(&packages[i]);
    }
    CHECK_MLS(slim_mls_group_create(clients[0], NULL, &group));
    struct slim_mls_commit_options options = {
        .key_packages = views + 1, .key_package_count = COUNT - 2, .path = SLIM_MLS_PATH_NEEDED};
    CHECK_MLS(slim_mls_group_commit(group, &options, &output));
    CHECK_MLS(slim_mls_group_commit_apply(group));
    slim_mls_commit_output_free(&output);

    struct slim_mls_tree *tree = &group->epoch->tree;
    struct slim_view leaf = slim_mls_tree_leaf_find(tree, BAD)->u.leaf.leaf.bytes;
    uint8_t bytes[1024];
    assert_true(leaf.len <= sizeof(bytes));
    memcpy(bytes, leaf.data, leaf.len);
    bytes[leaf.len - 1] ^= 1; /* the end of its signature */
    struct slim_buf good = {0};
    CHECK_OK(slim_buf_put(&good, leaf));
    for (int is_good = 0; is_good < 2; is_good++) {
        CHECK_OK(slim_mls_tree_set_leaf(
            tree, BAD, is_good ? slim_buf_view(&good) : slim_view_of(bytes, good.len)));
        options = (struct slim_mls_commit_options){.key_packages = views + COUNT - 1,
                                                   .key_package_count = 1,
                                                   .path = SLIM_MLS_PATH_NEEDED};
        CHECK_MLS(slim_mls_group_commit(group, &options, &output));
        slim_mls_group_commit_cancel(group);
        enum slim_mls_status status = slim_mls_group_join(
            clients[COUNT - 1], world_view(&output.welcome), (struct slim_mls_view){0}, &joined);
        assert_int_equal(status, is_good ? SLIM_MLS_OK : SLIM_MLS_ERR_SIGNATURE);
        slim_mls_commit_output_free(&output);
    }
    slim_mls_group_free(joined);
    slim_mls_group_free(group);
    slim_buf_fini(&good);
    for (size_t i = 0; i < COUNT; i++) {
        slim_mls_client_free(clients[i]);
        slim_mls_buf_free(&packages[i]);
    }
}

static void secrets_beyond_a_smaller_policy_are_overwritten(void **state)
{
    (void)state;
    static const struct slim_mls_resumption nothing;
    struct world world = {.seed = 5, .now_s = WORLD_START_S};
    struct slim_mls_client *client;
    struct slim_mls_group *group;
    struct slim_mls_buf saved;
    struct slim_mls_commit_output output;
    struct slim_mls_commit_options refresh = {0};
    CHECK_MLS(world_client(&world, 1, "alice", &client));
    CHECK_MLS(slim_mls_group_create(client, NULL, &group));
    for (int i = 0; i < 4; i++) {
        CHECK_MLS(slim_mls_group_commit(group, &refresh, &output));
        CHECK_MLS(slim_mls_group_commit_apply(group));
        slim_mls_commit_output_free(&output);
    }
    CHECK_MLS(slim_mls_group_save(group, &saved));
    slim_mls_group_free(group);
    client->policy.past_epoch_count = 1;
    CHECK_MLS(slim_mls_group_load(client, world_view(&saved), &group));
    CHECK(group->resumption_count == 5);
    CHECK_MLS(slim_mls_group_commit(group, &refresh, &output));
    CHECK_MLS(slim_mls_group_commit_apply(group));
    CHECK(group->resumption_count == 2);
    for (size_t i = group->resumption_count; i < SLIM_COUNT(group->resumptions); i++) {
        CHECK(memcmp(&group->resumptions[i], &nothing, sizeof(nothing)) == 0);
    }
    slim_mls_commit_output_free(&output);
    slim_mls_buf_free(&saved);
    slim_mls_group_free(group);
    slim_mls_client_free(client);
}

static void another_tree_than_announced_is_refused(void **state)
{
    (void)state;
    struct scene scene;
    struct slim_mls_group *joined;
    struct slim_mls_buf tree;
    struct slim_mls_commit_output output;
    scene_new(&scene, SLIM_MLS_PATH_NEEDED);
    slim_mls_group_commit_cancel(scene.groups[0]);
    struct slim_mls_view view = world_view(&scene.package);
    struct slim_mls_commit_options options = {.key_packages = &view,
                                              .key_package_count = 1,
                                              .path = SLIM_MLS_PATH_NEEDED,
                                              .without_welcome_tree = true};
    CHECK_MLS(slim_mls_group_tree(scene.groups[0], &tree)); /* of the epoch before */
    CHECK_MLS(slim_mls_group_commit(scene.groups[0], &options, &output));
    CHECK(slim_mls_group_join(scene.clients[2], world_view(&output.welcome), world_view(&tree),
                              &joined) == SLIM_MLS_ERR_TREE);
    slim_mls_buf_free(&tree);
    slim_mls_commit_output_free(&output);
    scene_free(&scene);
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    struct world world = {.seed = 1, .now_s = WORLD_START_S};
    struct slim_mls_client_config config;
    struct slim_mls_buf key;
    struct slim_mls_client *client;
    CHECK_MLS(world_config(&world, 1, "alice", &config, &key));
    struct slim_mls_client_config bad = config;
    bad.cipher_suite = 8;
    CHECK(slim_mls_client_new(&bad, &client) == SLIM_MLS_ERR_UNSUPPORTED);
    bad = config;
    bad.signature_key.len--;
    CHECK(slim_mls_client_new(&bad, &client) == SLIM_MLS_ERR_INVALID);
    bad = config;
    bad.callbacks.check_credential = NULL;
    CHECK(slim_mls_client_new(&bad, &client) == SLIM_MLS_ERR_ARGUMENT);
    bad = config;
    bad.policy.past_epoch_count = 65;
    CHECK(slim_mls_client_new(&bad, &client) == SLIM_MLS_ERR_ARGUMENT);
    bad = config;
    bad.credential.type = 3;
    CHECK(slim_mls_client_new(&bad, &client) == SLIM_MLS_ERR_UNSUPPORTED);
    bad = config;
    bad.credential.type = SLIM_MLS_CREDENTIAL_X509; /* "alice" is no list of certificates */
    CHECK(slim_mls_client_new(&bad, &client) == SLIM_MLS_ERR_MALFORMED);
    bad.credential.data = (struct slim_mls_view){(const uint8_t *)"\x03"
                                                                  "abc",
                                                 4};
    CHECK_MLS(slim_mls_client_new(&bad, &client));
    struct slim_mls_group *group;
    struct slim_mls_group_config odd = {.extensions = {(const uint8_t *)"\x00", 1}};
    CHECK(slim_mls_group_create(client, &odd, &group) == SLIM_MLS_ERR_MALFORMED);
    CHECK_MLS(slim_mls_group_create(client, NULL, &group));
    slim_mls_group_free(group);
    slim_mls_group_free(NULL);
    slim_mls_client_free(client);
    slim_mls_client_free(NULL);
    slim_mls_buf_free(&key);
    slim_mls_buf_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_changed_byte_of_a_commit_is_refused),
        cmocka_unit_test(every_changed_byte_of_a_message_is_refused),
        cmocka_unit_test(every_changed_byte_of_a_welcome_is_refused),
        cmocka_unit_test(every_changed_byte_of_a_key_package_is_refused),
        cmocka_unit_test(times_out_of_order_have_their_own_status),
        cmocka_unit_test(nobody_is_in_a_group_twice),
        cmocka_unit_test(expired_and_refused_ones_do_not_enter),
        cmocka_unit_test(a_lifetime_without_end_does_not_wrap),
        cmocka_unit_test(one_bad_signature_among_many_leaves_is_found),
        cmocka_unit_test(secrets_beyond_a_smaller_policy_are_overwritten),
        cmocka_unit_test(another_tree_than_announced_is_refused),
        cmocka_unit_test(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
