/* Each allocation of an operation fails once: no leak, the group as before, and the same operation succeeds afterwards. */
#include "mls/group.h"
#include "support/check.h"
#include "world.h"

#define CHECK_MLS(call) assert_int_equal(call, SLIM_MLS_OK)

/* Made before the sweeps: two members' stored groups, and messages between them. */
static struct {
    struct world world;
    struct slim_mls_client *clients[3];
    struct slim_mls_buf saved[2];
    struct slim_mls_buf package;
    uint8_t init_key[32];
    uint8_t encryption_key[32];
    struct slim_mls_commit_output output;
    struct slim_mls_buf message;
    struct slim_mls_buf proposal; /* encrypted, the second of its sender */
} scene;

static int scene_new(void **state)
{
    (void)state;
    struct slim_mls_group *groups[2];
    scene.world = (struct world){.seed = 17, .now_s = WORLD_START_S};
    CHECK_MLS(world_client(&scene.world, 1, "alice", &scene.clients[0]));
    CHECK_MLS(world_client(&scene.world, 1, "bob", &scene.clients[1]));
    CHECK_MLS(world_client(&scene.world, 1, "carol", &scene.clients[2]));
    CHECK_MLS(slim_mls_group_create(scene.clients[0], NULL, &groups[0]));
    CHECK_MLS(world_add(groups[0], scene.clients[1], &groups[1], NULL));
    CHECK_MLS(slim_mls_key_package_new(scene.clients[2], &scene.package));
    memcpy(scene.init_key, scene.clients[2]->packages[0].init_key, 32);
    memcpy(scene.encryption_key, scene.clients[2]->packages[0].encryption_key, 32);
    for (size_t i = 0; i < 2; i++) {
        CHECK_MLS(slim_mls_group_save(groups[i], &scene.saved[i]));
    }
    struct slim_mls_view view = world_view(&scene.package);
    struct slim_mls_commit_options options = {
        .key_packages = &view, .key_package_count = 1, .path = SLIM_MLS_PATH_ALWAYS};
    CHECK_MLS(
        slim_mls_group_encrypt(groups[0], world_text("aad"), world_text("text"), &scene.message));
    CHECK_MLS(slim_mls_group_commit(groups[0], &options, &scene.output));
    struct slim_mls_buf first;
    scene.clients[0]->policy.encrypt_handshake = true;
    CHECK_MLS(slim_mls_group_propose_update(groups[0], &first));
    CHECK_MLS(slim_mls_group_propose_update(groups[0], &scene.proposal));
    scene.clients[0]->policy.encrypt_handshake = false;
    slim_mls_buf_free(&first);
    slim_mls_group_free(groups[0]);
    slim_mls_group_free(groups[1]);
    return 0;
}

static int scene_free(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        slim_mls_client_free(scene.clients[i]);
    }
    slim_mls_buf_free(&scene.saved[0]);
    slim_mls_buf_free(&scene.saved[1]);
    slim_mls_buf_free(&scene.package);
    slim_mls_buf_free(&scene.message);
    slim_mls_buf_free(&scene.proposal);
    slim_mls_commit_output_free(&scene.output);
    return 0;
}

/* Loading is part of the sweep; when it fails there is nothing to do. */
static struct slim_mls_group *load(size_t index)
{
    struct slim_mls_group *group;
    enum slim_mls_status status =
        slim_mls_group_load(scene.clients[index], world_view(&scene.saved[index]), &group);
    assert_true(status == SLIM_MLS_OK || status == SLIM_MLS_ERR_NO_MEMORY);
    return status == SLIM_MLS_OK ? group : NULL;
}

/* Process a message; when memory ran out, the second attempt must succeed. */
static void take(struct slim_mls_group *group, const struct slim_mls_buf *message,
                 enum slim_mls_event_kind kind)
{
    enum slim_mls_status status = world_process(group, message, kind);
    if (status != SLIM_MLS_OK) {
        assert_int_equal(status, SLIM_MLS_ERR_NO_MEMORY);
        CHECK_MLS(world_process(group, message, kind));
    }
}

static void process_commit(void)
{
    struct slim_mls_group *group = load(1);
    if (group != NULL) {
        take(group, &scene.output.commit, SLIM_MLS_EVENT_COMMIT);
        slim_mls_group_free(group);
    }
}

static void decrypt(void)
{
    struct slim_mls_group *group = load(1);
    if (group != NULL) {
        take(group, &scene.message, SLIM_MLS_EVENT_APPLICATION);
        slim_mls_group_free(group);
    }
}

static void process_proposal(void)
{
    struct slim_mls_group *group = load(1);
    if (group != NULL) {
        take(group, &scene.proposal, SLIM_MLS_EVENT_PROPOSAL);
        slim_mls_group_free(group);
    }
}

static void propose(void)
{
    struct slim_mls_group *group = load(0);
    if (group == NULL) {
        return;
    }
    struct slim_mls_buf message;
    if (slim_mls_group_propose_update(group, &message) == SLIM_MLS_OK) {
        slim_mls_buf_free(&message);
        CHECK(group->update_count == 1 && slim_mls_group_proposal_count(group) == 1);
    } else {
        CHECK(group->update_count == 0 && slim_mls_group_proposal_count(group) == 0);
    }
    slim_mls_group_free(group);
}

static void commit(void)
{
    struct slim_mls_group *group = load(0);
    if (group == NULL) {
        return;
    }
    struct slim_mls_commit_output output = {0};
    struct slim_mls_view view = world_view(&scene.package);
    struct slim_mls_commit_options options = {
        .key_packages = &view, .key_package_count = 1, .path = SLIM_MLS_PATH_ALWAYS};
    enum slim_mls_status status = slim_mls_group_commit(group, &options, &output);
    if (status != SLIM_MLS_OK) {
        assert_int_equal(status, SLIM_MLS_ERR_NO_MEMORY);
        CHECK_MLS(slim_mls_group_commit(group, &options, &output));
    }
    CHECK_MLS(slim_mls_group_commit_apply(group));
    slim_mls_commit_output_free(&output);
    struct slim_mls_buf message = {0};
    status = slim_mls_group_encrypt(group, world_text(""), world_text("text"), &message);
    assert_true(status == SLIM_MLS_OK || status == SLIM_MLS_ERR_NO_MEMORY);
    slim_mls_buf_free(&message);
    status = slim_mls_group_propose_update(group, &message);
    if (status == SLIM_MLS_OK) {
        slim_mls_buf_free(&message);
    }
    status = slim_mls_group_info(group, true, &message);
    if (status == SLIM_MLS_OK) {
        slim_mls_buf_free(&message);
    }
    slim_mls_group_free(group);
}

static void join(void)
{
    struct slim_mls_client *client;
    if (world_client(&scene.world, 1, "carol", &client) != SLIM_MLS_OK) {
        return;
    }
    memcpy(client->signature_key, scene.clients[2]->signature_key, sizeof(client->signature_key));
    memcpy(client->signature_public, scene.clients[2]->signature_public,
           sizeof(client->signature_public));
    struct slim_mls_view init_key = {scene.init_key, 32};
    struct slim_mls_view encryption_key = {scene.encryption_key, 32};
    struct slim_mls_group *group = NULL;
    if (slim_mls_client_put_key_package(client, world_view(&scene.package), init_key,
                                        encryption_key) == SLIM_MLS_OK) {
        struct slim_mls_view welcome = world_view(&scene.output.welcome);
        enum slim_mls_status status =
            slim_mls_group_join(client, welcome, (struct slim_mls_view){0}, &group);
        if (status != SLIM_MLS_OK) {
            assert_int_equal(status, SLIM_MLS_ERR_NO_MEMORY);
            CHECK_MLS(slim_mls_group_join(client, welcome, (struct slim_mls_view){0}, &group));
        }
    }
    slim_mls_group_free(group);
    slim_mls_client_free(client);
}

static void external_join(void)
{
    struct slim_mls_group *group = load(0);
    struct slim_mls_group *joined = NULL;
    struct slim_mls_buf info = {0};
    struct slim_mls_buf message = {0};
    if (group != NULL && slim_mls_group_info(group, true, &info) == SLIM_MLS_OK &&
        slim_mls_group_join_external(scene.clients[2], world_view(&info), (struct slim_mls_view){0},
                                     UINT32_MAX, &joined, &message) == SLIM_MLS_OK) {
        take(group, &message, SLIM_MLS_EVENT_COMMIT);
    }
    slim_mls_buf_free(&info);
    slim_mls_buf_free(&message);
    slim_mls_group_free(group);
    slim_mls_group_free(joined);
}

/* A branch of the group, made by alice and joined by bob. */
static void join_successor(void)
{
    struct slim_mls_group *old = load(1);
    struct slim_mls_group *branch = NULL;
    struct slim_mls_group *joined = NULL;
    struct slim_mls_buf package = {0};
    struct slim_mls_commit_output output = {0};
    if (old == NULL) {
        return;
    }
    CHECK_MLS(slim_mls_group_resumption_psk(old, 1, scene.world.psk, &scene.world.psk_len));
    struct slim_mls_psk_choice psk = {.type = SLIM_MLS_PSK_RESUMPTION,
                                      .group_id = slim_mls_group_id(old),
                                      .epoch = 1,
                                      .usage = 3};
    if (slim_mls_group_create(scene.clients[0], NULL, &branch) == SLIM_MLS_OK &&
        slim_mls_key_package_new(scene.clients[1], &package) == SLIM_MLS_OK) {
        struct slim_mls_view view = world_view(&package);
        struct slim_mls_commit_options options = {
            .key_packages = &view, .key_package_count = 1, .psks = &psk, .psk_count = 1};
        if (slim_mls_group_commit(branch, &options, &output) == SLIM_MLS_OK) {
            enum slim_mls_status status =
                slim_mls_group_join_successor(scene.clients[1], world_view(&output.welcome),
                                              (struct slim_mls_view){0}, old, &joined);
            CHECK(status == SLIM_MLS_OK || status == SLIM_MLS_ERR_NO_MEMORY);
            if (status != SLIM_MLS_OK) { /* the key package is still there */
                slim_mls_client_drop_package(scene.clients[1], scene.clients[1]->package_count - 1);
            }
        } else {
            slim_mls_client_drop_package(scene.clients[1], scene.clients[1]->package_count - 1);
        }
    }
    scene.world.psk_len = 0;
    slim_mls_commit_output_free(&output);
    slim_mls_buf_free(&package);
    slim_mls_group_free(branch);
    slim_mls_group_free(joined);
    slim_mls_group_free(old);
}

static void failing_allocations_leave_no_trace(void **state)
{
    (void)state;
    slim_sweep_alloc(process_commit);
    slim_sweep_alloc(decrypt);
    slim_sweep_alloc(process_proposal);
    slim_sweep_alloc(propose);
    slim_sweep_alloc(commit);
    slim_sweep_alloc(join);
    slim_sweep_alloc(external_join);
    slim_sweep_alloc(join_successor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failing_allocations_leave_no_trace),
    };
    return cmocka_run_group_tests(tests, scene_new, scene_free);
}
