#include "world.h"

#include <string.h>

uint64_t world_random(struct world *world)
{
    world->seed += 0x9e3779b97f4a7c15U;
    uint64_t mixed = (world->seed ^ (world->seed >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31);
}

struct slim_mls_view world_text(const char *text)
{
    return (struct slim_mls_view){(const uint8_t *)text, strlen(text)};
}

static void fill(void *context, void *out, size_t len)
{
    uint8_t *to = out;
    for (size_t i = 0; i < len; i++) {
        to[i] = (uint8_t)world_random(context);
    }
}

static uint64_t now_s(void *context)
{
    const struct world *world = context;
    return world->now_s;
}

static enum slim_mls_status check(void *context, const struct slim_mls_check *asked,
                                  struct slim_mls_view *name)
{
    struct world *world = context;
    world->check_count++;
    struct slim_mls_view data = asked->credential.data;
    if (world->refused != NULL && data.len == strlen(world->refused) &&
        memcmp(data.data, world->refused, data.len) == 0) {
        return SLIM_MLS_ERR_AUTH;
    }
    const uint8_t *end =
        memchr(data.data, '#', data.len); /* "name#2" is another credential of "name" */
    *name = (struct slim_mls_view){data.data, end == NULL ? data.len : (size_t)(end - data.data)};
    return SLIM_MLS_OK;
}

static enum slim_mls_status find_psk(void *context, const struct slim_mls_psk_request *request,
                                     uint8_t *psk, size_t *len)
{
    const struct world *world = context;
    (void)request;
    if (world->psk_len == 0) {
        return SLIM_MLS_ERR_NOT_FOUND;
    }
    memcpy(psk, world->psk, world->psk_len);
    *len = world->psk_len;
    return SLIM_MLS_OK;
}

enum slim_mls_status world_config(struct world *world, uint16_t suite, const char *name,
                                  struct slim_mls_client_config *config, struct slim_mls_buf *key)
{
    struct slim_mls_buf public_key;
    *config = (struct slim_mls_client_config){
        .cipher_suite = suite,
        .credential = {SLIM_MLS_CREDENTIAL_BASIC, world_text(name)},
        .callbacks = {world, check, now_s, fill, find_psk},
    };
    slim_mls_policy_init(&config->policy);
    enum slim_mls_status status =
        slim_mls_signature_key_new(suite, &config->callbacks, key, &public_key);
    if (status == SLIM_MLS_OK) {
        slim_mls_buf_free(&public_key);
        config->signature_key = world_view(key);
    }
    return status;
}

enum slim_mls_status world_client(struct world *world, uint16_t suite, const char *name,
                                  struct slim_mls_client **client)
{
    struct slim_mls_client_config config;
    struct slim_mls_buf key = {0};
    enum slim_mls_status status = world_config(world, suite, name, &config, &key);
    if (status == SLIM_MLS_OK) {
        status = slim_mls_client_new(&config, client);
    }
    slim_mls_buf_free(&key);
    return status;
}

enum slim_mls_status world_add(struct slim_mls_group *group, struct slim_mls_client *joiner,
                               struct slim_mls_group **joined, struct slim_mls_buf *commit)
{
    struct slim_mls_buf package;
    enum slim_mls_status status = slim_mls_key_package_new(joiner, &package);
    if (status != SLIM_MLS_OK) {
        return status;
    }
    struct slim_mls_view view = world_view(&package);
    struct slim_mls_commit_options options = {.key_packages = &view, .key_package_count = 1};
    struct slim_mls_commit_output output = {0};
    status = slim_mls_group_commit(group, &options, &output);
    if (status == SLIM_MLS_OK) {
        status = slim_mls_group_commit_apply(group);
    }
    if (status == SLIM_MLS_OK) {
        status = slim_mls_group_join(joiner, world_view(&output.welcome), (struct slim_mls_view){0},
                                     joined);
    }
    if (status == SLIM_MLS_OK && commit != NULL) {
        *commit = output.commit;
        output.commit = (struct slim_mls_buf){0};
    }
    slim_mls_commit_output_free(&output);
    slim_mls_buf_free(&package);
    return status;
}

enum slim_mls_status world_process(struct slim_mls_group *group, const struct slim_mls_buf *message,
                                   enum slim_mls_event_kind kind)
{
    struct slim_mls_event event;
    enum slim_mls_status status = slim_mls_group_process(group, world_view(message), &event);
    if (status == SLIM_MLS_OK) {
        status = event.kind == kind ? SLIM_MLS_OK : SLIM_MLS_ERR_ARGUMENT;
        slim_mls_event_free(&event);
    }
    return status;
}

enum slim_mls_status world_talk(struct slim_mls_group *from, struct slim_mls_group *to,
                                const char *text)
{
    struct slim_mls_buf message;
    struct slim_mls_event event;
    enum slim_mls_status status =
        slim_mls_group_encrypt(from, (struct slim_mls_view){0}, world_text(text), &message);
    if (status != SLIM_MLS_OK) {
        return status;
    }
    status = slim_mls_group_process(to, world_view(&message), &event);
    if (status == SLIM_MLS_OK) {
        bool is_equal =
            event.kind == SLIM_MLS_EVENT_APPLICATION && event.data.len == strlen(text) &&
            (event.data.len == 0 || memcmp(event.data.data, text, event.data.len) == 0) &&
            event.sender_leaf == slim_mls_group_own_leaf(from);
        status = is_equal ? SLIM_MLS_OK : SLIM_MLS_ERR_ARGUMENT;
        slim_mls_event_free(&event);
    }
    slim_mls_buf_free(&message);
    return status;
}

bool world_agrees(const struct slim_mls_group *a, const struct slim_mls_group *b)
{
    struct slim_mls_view left = slim_mls_group_epoch_authenticator(a);
    struct slim_mls_view right = slim_mls_group_epoch_authenticator(b);
    struct slim_mls_view left_tree = slim_mls_group_tree_hash(a);
    struct slim_mls_view right_tree = slim_mls_group_tree_hash(b);
    return slim_mls_group_epoch(a) == slim_mls_group_epoch(b) && left.len == right.len &&
           memcmp(left.data, right.data, left.len) == 0 &&
           memcmp(left_tree.data, right_tree.data, left_tree.len) == 0;
}
