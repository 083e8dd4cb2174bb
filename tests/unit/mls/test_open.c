/* Opening a message only when its sender is whom the caller expects, and looking at key packages. */
#include "support/check.h"
#include "world.h"

#define CHECK_MLS(call) assert_int_equal(call, SLIM_MLS_OK)

struct expected {
    uint32_t leaf;
    uint64_t epoch;
    unsigned asked;
};

static enum slim_mls_status is_expected(void *context, uint32_t leaf, uint64_t epoch)
{
    struct expected *expected = context;
    expected->asked++;
    return leaf == expected->leaf && epoch == expected->epoch ? SLIM_MLS_OK : SLIM_MLS_ERR_DENIED;
}

static void refused_sender_does_not_use_up_the_key(void **state)
{
    struct world world = {.seed = 3, .now_s = WORLD_START_S};
    struct slim_mls_client *clients[2];
    struct slim_mls_group *groups[2];
    struct slim_mls_buf message;
    struct slim_mls_event event;
    CHECK_MLS(world_client(&world, 1, "alice", &clients[0]));
    CHECK_MLS(world_client(&world, 1, "bob", &clients[1]));
    CHECK_MLS(slim_mls_group_create(clients[0], NULL, &groups[0]));
    CHECK_MLS(world_add(groups[0], clients[1], &groups[1], NULL));
    CHECK_MLS(
        slim_mls_group_encrypt(groups[0], (struct slim_mls_view){0}, world_text("hi"), &message));

    struct expected expected = {.leaf = 1, .epoch = 1};
    CHECK(slim_mls_group_open(groups[1], world_view(&message), is_expected, &expected, &event) ==
          SLIM_MLS_ERR_DENIED);
    message.data[message.len - 1] ^= 1; /* what is not genuine is not asked about */
    CHECK(slim_mls_group_open(groups[1], world_view(&message), is_expected, &expected, &event) ==
          SLIM_MLS_ERR_DECRYPT);
    message.data[message.len - 1] ^= 1;
    CHECK(expected.asked == 1);
    expected.leaf = 0;
    CHECK_MLS(slim_mls_group_open(groups[1], world_view(&message), is_expected, &expected, &event));
    CHECK(event.kind == SLIM_MLS_EVENT_APPLICATION && event.sender_leaf == 0);
    CHECK_VIEW(slim_view_of(event.data.data, event.data.len), "hi");
    slim_mls_event_free(&event);
    CHECK(slim_mls_group_open(groups[1], world_view(&message), is_expected, &expected, &event) ==
          SLIM_MLS_ERR_REPLAYED);
    slim_mls_buf_free(&message);

    for (int is_private = 0; is_private < 2; is_private++) { /* no handshake message passes */
        struct slim_mls_client_config config;
        struct slim_mls_buf key;
        struct slim_mls_client *client;
        struct slim_mls_group *group;
        struct slim_mls_group *joined;
        struct slim_mls_commit_output output = {0};
        CHECK_MLS(world_config(&world, 1, "carol", &config, &key));
        config.policy.encrypt_handshake = is_private == 1;
        CHECK_MLS(slim_mls_client_new(&config, &client));
        CHECK_MLS(slim_mls_group_create(client, NULL, &group));
        CHECK_MLS(world_add(group, clients[1], &joined, NULL));
        CHECK_MLS(slim_mls_group_commit(group, &(struct slim_mls_commit_options){0}, &output));
        CHECK(slim_mls_group_open(joined, world_view(&output.commit), is_expected, &expected,
                                  &event) == SLIM_MLS_ERR_INVALID);
        CHECK(slim_mls_group_epoch(joined) == 1);
        CHECK_MLS(world_process(joined, &output.commit, SLIM_MLS_EVENT_COMMIT));
        slim_mls_commit_output_free(&output);
        slim_mls_group_free(joined);
        slim_mls_group_free(group);
        slim_mls_client_free(client);
        slim_mls_buf_free(&key);
    }
    for (size_t i = 0; i < 2; i++) {
        slim_mls_group_free(groups[i]);
        slim_mls_client_free(clients[i]);
    }
}

static void key_package_says_whom_it_adds(void **state)
{
    struct world world = {.seed = 4, .now_s = WORLD_START_S};
    struct slim_mls_client *client;
    struct slim_mls_buf package;
    struct slim_mls_member member = {0};
    CHECK_MLS(world_client(&world, 1, "alice", &client));
    CHECK_MLS(slim_mls_key_package_new(client, &package));
    CHECK_MLS(slim_mls_key_package_look(world_view(&package), &member));
    struct slim_mls_view key = slim_mls_client_signature_key(client);
    CHECK(member.leaf_index == UINT32_MAX && member.credential.type == SLIM_MLS_CREDENTIAL_BASIC);
    CHECK_VIEW(slim_view_of(member.credential.data.data, member.credential.data.len), "alice");
    CHECK(member.signature_key.len == key.len &&
          memcmp(member.signature_key.data, key.data, key.len) == 0);
    for (size_t len = 0; len < package.len; len++) {
        CHECK(slim_mls_key_package_look((struct slim_mls_view){package.data, len}, &member) !=
              SLIM_MLS_OK);
    }
    slim_mls_buf_free(&package);
    slim_mls_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_sender_does_not_use_up_the_key),
        cmocka_unit_test(key_package_says_whom_it_adds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
