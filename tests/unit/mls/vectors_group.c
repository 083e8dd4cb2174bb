/* Whole groups through the public API: passive-client-*, and the recorded SLIM groups. */
#include <stdlib.h>

#include "mls/framing.h"
#include "mls/tree.h"
#include "mls/welcome.h"
#include "slim/mls.h"
#include "vectors.h"

static struct slim_mls_view out_view(struct slim_view view)
{
    return (struct slim_mls_view){view.data, view.len};
}

static bool is_hex(const json_t *item, const char *key, struct slim_mls_view got)
{
    return vector_is_equal(item, key, got.data, got.len);
}

/* ---- clients that believe everybody: these vectors are about the protocol */

static enum slim_mls_status believe(void *context, const struct slim_mls_check *check,
                                    struct slim_mls_view *name)
{
    (void)context;
    (void)check;
    (void)name;
    return SLIM_MLS_OK;
}

enum { CLOCK_S = 1795342423 };

static uint64_t now_s(void *context)
{
    (void)context;
    return CLOCK_S;
}

static void fill(void *context, void *out, size_t len)
{
    (void)context;
    vector_random.fill(NULL, out, len);
}

static enum slim_mls_status find_psk(void *context, const struct slim_mls_psk_request *request,
                                     uint8_t *psk, size_t *len)
{
    const json_t *list = context;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        if (request->type == SLIM_MLS_PSK_EXTERNAL && is_hex(item, "psk_id", request->id)) {
            struct slim_view bytes = vector_hex(item, "psk");
            if (bytes.len > SLIM_MLS_PSK_BYTES_MAX) {
                return SLIM_MLS_ERR_LIMIT;
            }
            memcpy(psk, bytes.data, bytes.len);
            *len = bytes.len;
            return SLIM_MLS_OK;
        }
    }
    return SLIM_MLS_ERR_NOT_FOUND;
}

static struct slim_mls_client *client_new(uint16_t suite, struct slim_view signature_key,
                                          const struct slim_mls_credential *credential,
                                          const json_t *psks)
{
    struct slim_mls_client_config config = {
        .cipher_suite = suite,
        .signature_key = out_view(signature_key),
        .credential = {credential->type, out_view(credential->type == MLS_CREDENTIAL_BASIC
                                                      ? credential->identity
                                                      : credential->certificates)},
        .callbacks = {.context = (void *)(uintptr_t)psks,
                      .check_credential = believe,
                      .now_s = now_s,
                      .random = fill,
                      .find_psk = find_psk},
    };
    slim_mls_policy_init(&config.policy);
    struct slim_mls_client *client = NULL;
    return slim_mls_client_new(&config, &client) == SLIM_MLS_OK ? client : NULL;
}

/* A client with one key package, as the vector gives it. */
static struct slim_mls_client *client_from(uint16_t suite, struct slim_view package,
                                           struct slim_view signature_key,
                                           struct slim_view init_key,
                                           struct slim_view encryption_key, const json_t *psks)
{
    struct slim_view in = package;
    enum slim_mls_wire_format format;
    struct slim_mls_key_package decoded;
    if (slim_mls_take_message_head(&in, &format) != SLIM_OK ||
        slim_mls_take_key_package(&in, &decoded) != SLIM_OK) {
        return NULL;
    }
    struct slim_mls_client *client =
        client_new(suite, signature_key, &decoded.leaf.credential, psks);
    if (client != NULL &&
        slim_mls_client_put_key_package(client, out_view(package), out_view(init_key),
                                        out_view(encryption_key)) != SLIM_MLS_OK) {
        slim_mls_client_free(client);
        return NULL;
    }
    return client;
}

static bool process(struct slim_mls_group *group, struct slim_view message,
                    enum slim_mls_event_kind kind)
{
    struct slim_mls_event event;
    EXPECT_OK(slim_mls_group_process(group, out_view(message), &event));
    bool ok = event.kind == kind;
    slim_mls_event_free(&event);
    EXPECT(ok);
    return true;
}

/* Store and restore, so that every history also tests that nothing gets lost. */
static bool reload(struct slim_mls_client *client, struct slim_mls_group **group)
{
    struct slim_mls_buf state;
    struct slim_mls_group *again;
    EXPECT_OK(slim_mls_group_save(*group, &state));
    enum slim_mls_status status =
        slim_mls_group_load(client, (struct slim_mls_view){state.data, state.len}, &again);
    slim_mls_buf_free(&state);
    EXPECT_OK(status);
    slim_mls_group_free(*group);
    *group = again;
    return true;
}

/* ---- passive-client-*.json */

static bool follow_epoch(struct slim_mls_group *group, const json_t *epoch)
{
    const json_t *proposals = vector_get(epoch, "proposals");
    for (size_t i = 0; i < json_array_size(proposals); i++) {
        struct slim_view message = vector_hex_text(json_string_value(json_array_get(proposals, i)));
        EXPECT(process(group, message, SLIM_MLS_EVENT_PROPOSAL));
    }
    EXPECT(process(group, vector_hex(epoch, "commit"), SLIM_MLS_EVENT_COMMIT));
    EXPECT(is_hex(epoch, "epoch_authenticator", slim_mls_group_epoch_authenticator(group)));
    return true;
}

static bool follow(struct slim_mls_client *client, const json_t *item)
{
    struct slim_mls_group *group = NULL;
    EXPECT_OK(slim_mls_group_join(client, out_view(vector_hex(item, "welcome")),
                                  out_view(vector_hex(item, "ratchet_tree")), &group));
    bool ok =
        is_hex(item, "initial_epoch_authenticator", slim_mls_group_epoch_authenticator(group));
    const json_t *epochs = vector_get(item, "epochs");
    for (size_t i = 0; ok && i < json_array_size(epochs); i++) {
        ok = follow_epoch(group, json_array_get(epochs, i)) && reload(client, &group);
        if (!ok) {
            fprintf(stderr, "  epoch %zu of the case\n", i);
        }
    }
    slim_mls_group_free(group);
    EXPECT(ok);
    return true;
}

bool vector_passive_client(const json_t *item)
{
    struct slim_mls_client *client =
        client_from(vector_suite(item)->id, vector_hex(item, "key_package"),
                    vector_hex(item, "signature_priv"), vector_hex(item, "init_priv"),
                    vector_hex(item, "encryption_priv"), vector_get(item, "external_psks"));
    EXPECT(client != NULL);
    bool ok = follow(client, item);
    slim_mls_client_free(client);
    return ok;
}

/* ---- what a recorded step says about the state of a group */

static bool same_state(const struct slim_mls_group *group, const json_t *state)
{
    struct slim_mls_buf tree;
    EXPECT(slim_mls_group_epoch(group) == vector_number(state, "epoch"));
    EXPECT(is_hex(state, "epoch_authenticator", slim_mls_group_epoch_authenticator(group)));
    EXPECT_OK(slim_mls_group_tree(group, &tree));
    bool ok = vector_is_equal(state, "tree", tree.data, tree.len);
    slim_mls_buf_free(&tree);
    EXPECT(ok);
    if (vector_get(state, "tree_hash") != NULL) {
        uint8_t exported[32];
        EXPECT(is_hex(state, "tree_hash", slim_mls_group_tree_hash(group)));
        EXPECT(is_hex(state, "confirmed_transcript_hash",
                      slim_mls_group_confirmed_transcript_hash(group)));
        EXPECT_OK(slim_mls_group_export(group, out_view(SLIM_VIEW("test")),
                                        out_view(SLIM_VIEW("ctx")), exported, sizeof(exported)));
        EXPECT(vector_is_equal(state, "exporter_test", exported, sizeof(exported)));
    }
    return true;
}

static bool open_application(struct slim_mls_group *group, const json_t *step,
                             struct slim_view plaintext)
{
    struct slim_mls_event event;
    struct slim_view message = vector_hex(step, "message");
    EXPECT_OK(slim_mls_group_process(group, out_view(message), &event));
    bool ok = event.kind == SLIM_MLS_EVENT_APPLICATION &&
              slim_view_is_equal(plaintext, slim_view_of(event.data.data, event.data.len)) &&
              event.epoch == vector_number(step, "epoch");
    if (vector_get(step, "leaf") != NULL) {
        ok = ok && event.sender_leaf == vector_number(step, "leaf");
    }
    slim_mls_event_free(&event);
    EXPECT(ok);
    EXPECT(slim_mls_group_process(group, out_view(message), &event) == SLIM_MLS_ERR_REPLAYED);
    return true;
}

/* ---- mls-rs-group-walk.json: everybody but the creator, whose keys are not recorded */

enum { WALK_MEMBERS_MAX = 8 };

struct walker {
    const char *name;
    struct slim_mls_client *client;
    struct slim_mls_group *group;
    bool is_out; /* removed, or without a key that only its own process had */
};

struct walk {
    struct walker members[WALK_MEMBERS_MAX];
    size_t count;
};

static bool walk_create(const json_t *step)
{
    const json_t *state = vector_get(step, "state");
    struct slim_view in = vector_hex(state, "tree");
    struct slim_view list;
    struct slim_mls_tree tree;
    const uint8_t *hash;
    EXPECT_OK(slim_mls_take_opaque(&in, &list));
    EXPECT_OK(slim_mls_tree_read(slim_mls_suite_find(1), list, &tree));
    const struct slim_mls_leaf *leaf = &slim_mls_tree_leaf_find(&tree, 0)->u.leaf.leaf;
    bool ok = slim_mls_tree_root_hash(&tree, &hash) == SLIM_OK &&
              vector_is_equal(state, "tree_hash", hash, 32) &&
              slim_mls_leaf_verify(tree.suite, leaf, (struct slim_view){0}, 0) == SLIM_OK &&
              slim_view_is_equal(leaf->credential.identity, vector_text(step, "token"));
    slim_mls_tree_fini(&tree);
    EXPECT(ok);
    return true;
}

/* All members take a commit; those named `leaver` learn that they are out. */
static bool walk_commit(struct walk *walk, const json_t *step, const char *leaver)
{
    for (size_t i = 0; i < walk->count; i++) {
        struct walker *member = &walk->members[i];
        if (member->is_out) {
            continue;
        }
        bool leaves = leaver != NULL && strcmp(member->name, leaver) == 0;
        EXPECT(process(member->group, vector_hex(step, "commit"),
                       leaves ? SLIM_MLS_EVENT_REMOVED : SLIM_MLS_EVENT_COMMIT));
        member->is_out = leaves;
        if (!leaves) {
            EXPECT(reload(member->client, &member->group));
            EXPECT(same_state(member->group, vector_get(step, "state")));
        }
    }
    return true;
}

static bool walk_add(struct walk *walk, const json_t *step)
{
    EXPECT(walk_commit(walk, step, NULL));
    EXPECT(walk->count < WALK_MEMBERS_MAX);
    const json_t *joiner = vector_get(step, "joiner");
    struct slim_mls_client *client =
        client_from(1, vector_hex(joiner, "key_package"), vector_hex(joiner, "signature_priv"),
                    vector_hex(joiner, "init_priv"), vector_hex(joiner, "encryption_priv"), NULL);
    EXPECT(client != NULL);
    struct walker *member = &walk->members[walk->count++];
    *member = (struct walker){json_string_value(vector_get(step, "member")), client, NULL, false};
    EXPECT_OK(slim_mls_group_join(client, out_view(vector_hex(step, "welcome")),
                                  (struct slim_mls_view){0}, &member->group));
    return same_state(member->group, vector_get(step, "state"));
}

static bool walk_application(struct walk *walk, const json_t *step)
{
    for (size_t i = 0; i < walk->count; i++) {
        struct walker *member = &walk->members[i];
        struct slim_mls_event event;
        if (member->is_out) {
            EXPECT(slim_mls_group_process(member->group, out_view(vector_hex(step, "message")),
                                          &event) != SLIM_MLS_OK);
        } else {
            EXPECT(open_application(member->group, step, vector_hex(step, "plaintext")));
        }
    }
    return true;
}

static bool walk_update(struct walk *walk, const json_t *step)
{
    const char *updater = json_string_value(vector_get(step, "member"));
    for (size_t i = 0; i < walk->count; i++) {
        struct walker *member = &walk->members[i];
        if (strcmp(member->name, updater) == 0) {
            member->is_out = true; /* the key of its new leaf was never recorded */
        } else if (!member->is_out) {
            EXPECT(process(member->group, vector_hex(step, "proposal"), SLIM_MLS_EVENT_PROPOSAL));
        }
    }
    return walk_commit(walk, step, NULL);
}

static bool walk_step(struct walk *walk, const json_t *step)
{
    const char *kind = json_string_value(vector_get(step, "step"));
    EXPECT(kind != NULL);
    if (strcmp(kind, "create_group") == 0) {
        return walk_create(step);
    }
    if (strcmp(kind, "add") == 0) {
        return walk_add(walk, step);
    }
    if (strcmp(kind, "remove") == 0) {
        return walk_commit(walk, step, json_string_value(vector_get(step, "member")));
    }
    if (strcmp(kind, "application") == 0) {
        return walk_application(walk, step);
    }
    EXPECT(strcmp(kind, "update_by_reference") == 0);
    return walk_update(walk, step);
}

size_t vector_group_walk(const json_t *root)
{
    const json_t *steps = vector_get(root, "steps");
    struct walk walk = {0};
    size_t passed = 0;
    while (passed < json_array_size(steps) && walk_step(&walk, json_array_get(steps, passed))) {
        passed++;
    }
    for (size_t i = 0; i < walk.count; i++) {
        slim_mls_group_free(walk.members[i].group);
        slim_mls_client_free(walk.members[i].client);
    }
    return passed;
}

/* ---- slim1*-real-moderator-own-member.json */

static bool own_step(struct slim_mls_client *client, struct slim_mls_group **group,
                     const json_t *step)
{
    const char *kind = json_string_value(vector_get(step, "step"));
    EXPECT(kind != NULL);
    if (strcmp(kind, "welcome") == 0) {
        EXPECT_OK(slim_mls_group_join(client, out_view(vector_hex(step, "welcome")),
                                      (struct slim_mls_view){0}, group));
        EXPECT(slim_mls_group_own_leaf(*group) == vector_number(step, "leaf"));
        EXPECT(is_hex(step, "group_id", slim_mls_group_id(*group)));
        return same_state(*group, step);
    }
    EXPECT(*group != NULL);
    if (strcmp(kind, "application") == 0) {
        return open_application(*group, step, vector_text(step, "plaintext"));
    }
    if (vector_get(step, "commit") == NULL) {
        return true; /* a step of the session that carries no MLS message: application data in clear (1.0.0) */
    }
    EXPECT(process(*group, vector_hex(step, "commit"), SLIM_MLS_EVENT_COMMIT));
    EXPECT(same_state(*group, step));
    return reload(client, group);
}

size_t vector_own_member(const json_t *root)
{
    const json_t *joiner = vector_get(root, "joiner");
    const json_t *steps = vector_get(root, "steps");
    struct slim_mls_client *client =
        client_from(1, vector_hex(joiner, "key_package"), vector_hex(joiner, "signature_seed"),
                    vector_hex(joiner, "init_priv"), vector_hex(joiner, "encryption_priv"), NULL);
    if (client == NULL) {
        fprintf(stderr, "  the joiner's keys do not fit its key package\n");
        return 0;
    }
    struct slim_mls_group *group = NULL;
    size_t passed = 0;
    while (passed < json_array_size(steps) &&
           own_step(client, &group, json_array_get(steps, passed))) {
        passed++;
    }
    slim_mls_group_free(group);
    slim_mls_client_free(client);
    return passed;
}

/* ---- messages without private keys */

static bool reencodes(struct slim_view message)
{
    struct slim_view in = message;
    enum slim_mls_wire_format format;
    struct slim_mls_content content;
    struct slim_view tag;
    struct slim_mls_private_message sealed;
    struct slim_mls_welcome welcome;
    struct slim_mls_key_package package;
    struct slim_mls_out out = {0};
    EXPECT_OK(slim_mls_take_message_head(&in, &format));
    slim_mls_put_message_head(&out, format);
    if (format == MLS_WIRE_PUBLIC) {
        EXPECT_OK(slim_mls_take_public(&in, &content, &tag));
        content.framed = (struct slim_view){0};
        slim_mls_put_framed(&out, &content);
        slim_mls_put_auth(&out, &content);
        slim_mls_put_opaque(&out, tag);
        EXPECT(content.sender_type == MLS_SENDER_MEMBER && content.sender_index == 0);
    } else if (format == MLS_WIRE_PRIVATE) {
        EXPECT_OK(slim_mls_take_private(&in, &sealed));
        slim_mls_put_private(&out, &sealed);
    } else if (format == MLS_WIRE_WELCOME) {
        EXPECT_OK(slim_mls_take_welcome(&in, &welcome));
        slim_mls_put_welcome(&out, &welcome);
    } else {
        EXPECT_OK(slim_mls_take_key_package(&in, &package));
        EXPECT_OK(slim_mls_key_package_check(slim_mls_suite_find(1), &package));
        slim_mls_put_key_package(&out, &package);
    }
    bool ok = in.len == 0 && slim_view_is_equal(message, slim_mls_out_view(&out));
    slim_mls_out_fini(&out);
    EXPECT(ok);
    return true;
}

static bool recorded_message(const json_t *item)
{
    static const char *const keys[] = {"mls", "key_package", "commit", "welcome", "message"};
    for (size_t i = 0; i < SLIM_COUNT(keys); i++) {
        struct slim_view bytes = vector_hex(item, keys[i]);
        /* 1.0.0 sends application data in clear: those blobs are no MLS messages and say so */
        bool is_clear = json_is_false(vector_get(item, "is_mls")) ||
                        (bytes.len >= 4 && !slim_view_has_prefix(bytes, SLIM_VIEW("\x00\x01\x00")));
        if (bytes.len > 0 && !is_clear) {
            EXPECT(reencodes(bytes));
        }
    }
    return true;
}

size_t vector_recorded_messages(const json_t *root)
{
    const json_t *steps = vector_get(root, "steps");
    const json_t *list = steps != NULL ? steps : vector_get(root, "messages");
    size_t passed = 0;
    while (passed < json_array_size(list) && recorded_message(json_array_get(list, passed))) {
        passed++;
    }
    return passed;
}
