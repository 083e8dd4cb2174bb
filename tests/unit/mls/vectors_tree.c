/* tree-operations, tree-validation, treekem. */
#include "mls/schedule.h"
#include "mls/treekem.h"
#include "vectors.h"

/* Vector files hold ratchet_tree<V> with its length header. */
static enum slim_status read_tree(const struct slim_mls_suite *suite, struct slim_view in,
                                  struct slim_mls_tree *tree)
{
    struct slim_view list;
    SLIM_TRY(slim_mls_take_opaque(&in, &list));
    return in.len > 0 ? SLIM_ERR_MALFORMED : slim_mls_tree_read(suite, list, tree);
}

static bool has_bytes(const json_t *item, const char *key, const struct slim_mls_tree *tree)
{
    struct slim_mls_out out = {0};
    size_t mark = slim_mls_put_begin(&out);
    slim_mls_tree_put(&out, tree);
    slim_mls_put_end(&out, mark);
    bool is_equal = out.status == SLIM_OK && vector_is_equal(item, key, out.buf.data, out.buf.len);
    slim_mls_out_fini(&out);
    return is_equal;
}

static bool has_hash(const json_t *item, const char *key, struct slim_mls_tree *tree)
{
    const uint8_t *hash;
    return slim_mls_tree_root_hash(tree, &hash) == SLIM_OK &&
           vector_is_equal(item, key, hash, tree->suite->hash_len);
}

static bool run_operation(struct slim_mls_tree *tree, const json_t *item)
{
    EXPECT(has_hash(item, "tree_hash_before", tree));
    struct slim_view in = vector_hex(item, "proposal");
    struct slim_mls_proposal proposal;
    uint32_t index;
    EXPECT_OK(slim_mls_take_proposal(&in, &proposal));
    EXPECT(in.len == 0);
    if (proposal.type == MLS_PROPOSAL_ADD) {
        EXPECT_OK(slim_mls_tree_add_leaf(tree, proposal.u.add.leaf.bytes, &index));
    } else if (proposal.type == MLS_PROPOSAL_UPDATE) {
        EXPECT_OK(slim_mls_tree_update_leaf(tree, (uint32_t)vector_number(item, "proposal_sender"),
                                            proposal.u.update.bytes));
    } else {
        EXPECT(proposal.type == MLS_PROPOSAL_REMOVE);
        EXPECT_OK(slim_mls_tree_remove_leaf(tree, proposal.u.removed));
    }
    EXPECT(has_bytes(item, "tree_after", tree));
    EXPECT(has_hash(item, "tree_hash_after", tree));
    return true;
}

bool vector_tree_operations(const json_t *item)
{
    struct slim_mls_tree before;
    struct slim_mls_tree tree;
    EXPECT_OK(read_tree(vector_suite(item), vector_hex(item, "tree_before"), &before));
    EXPECT_OK(slim_mls_tree_clone(&before, &tree));
    bool ok = run_operation(&tree, item);
    slim_mls_tree_fini(&tree);
    ok = ok && has_bytes(item, "tree_before", &before); /* the copy changed, the original did not */
    slim_mls_tree_fini(&before);
    return ok;
}

static bool check_node(struct slim_mls_tree *tree, const json_t *item, uint32_t node)
{
    const uint8_t *hash;
    EXPECT_OK(slim_mls_tree_hash(tree, node, &hash));
    struct slim_view want =
        vector_hex_text(json_string_value(json_array_get(vector_get(item, "tree_hashes"), node)));
    EXPECT(slim_view_is_equal(want, slim_view_of(hash, tree->suite->hash_len)));

    struct slim_mls_indices list = {0};
    const json_t *resolution = json_array_get(vector_get(item, "resolutions"), node);
    bool ok = slim_mls_tree_resolve(tree, node, &list) == SLIM_OK &&
              list.count == json_array_size(resolution);
    for (size_t i = 0; ok && i < list.count; i++) {
        ok = list.items[i] == (uint32_t)json_integer_value(json_array_get(resolution, i));
    }
    slim_mls_indices_fini(&list);
    EXPECT(ok);
    return true;
}

static bool validate_tree(struct slim_mls_tree *tree, const json_t *item)
{
    EXPECT(json_array_size(vector_get(item, "tree_hashes")) ==
           slim_mls_node_count(tree->leaf_count));
    for (uint32_t node = 0; node < slim_mls_node_count(tree->leaf_count); node++) {
        EXPECT(check_node(tree, item, node));
    }
    EXPECT_OK(slim_mls_tree_check_parents(tree));
    EXPECT_OK(slim_mls_tree_check_unique(tree, NULL));
    for (uint32_t i = 0; i < tree->leaf_count; i++) {
        const struct slim_mls_node *leaf = slim_mls_tree_leaf_find(tree, i);
        if (leaf != NULL) {
            EXPECT_OK(slim_mls_leaf_check(tree->suite, &leaf->u.leaf.leaf));
            EXPECT_OK(slim_mls_leaf_verify(tree->suite, &leaf->u.leaf.leaf,
                                           vector_hex(item, "group_id"), i));
        }
    }
    return true;
}

bool vector_tree_validation(const json_t *item)
{
    struct slim_mls_tree tree;
    EXPECT_OK(read_tree(vector_suite(item), vector_hex(item, "tree"), &tree));
    bool ok = validate_tree(&tree, item);
    slim_mls_tree_fini(&tree);
    return ok;
}

/* ---- treekem */

static bool load_private(const struct slim_mls_tree *tree, const json_t *entry,
                         struct slim_mls_private *own)
{
    *own = (struct slim_mls_private){.leaf_index = (uint32_t)vector_number(entry, "index")};
    struct slim_view key = vector_hex(entry, "encryption_priv");
    uint8_t public_key[MLS_KEM_PUBLIC_MAX];
    EXPECT_OK(slim_crypto_dh_public(tree->suite->curve, key, public_key));
    EXPECT(slim_view_is_equal(
        slim_mls_tree_key(tree, 2 * own->leaf_index),
        slim_view_of(public_key, slim_crypto_dh_public_len(tree->suite->curve))));
    memcpy(own->keys[0], key.data, key.len);
    own->is_known[0] = true;
    const json_t *secrets = vector_get(entry, "path_secrets");
    for (size_t i = 0; i < json_array_size(secrets); i++) {
        const json_t *secret = json_array_get(secrets, i);
        EXPECT_OK(slim_mls_private_put(own, tree, (uint32_t)vector_number(secret, "node"),
                                       vector_hex(secret, "path_secret").data));
    }
    return true;
}

static struct slim_view make_context(const json_t *item, struct slim_mls_tree *tree)
{
    struct slim_mls_context context = {
        .version = MLS_VERSION_10,
        .suite = tree->suite->id,
        .group_id = vector_hex(item, "group_id"),
        .epoch = vector_number(item, "epoch"),
        .confirmed_transcript_hash = vector_hex(item, "confirmed_transcript_hash"),
    };
    const uint8_t *hash;
    if (slim_mls_tree_root_hash(tree, &hash) != SLIM_OK) {
        return (struct slim_view){0};
    }
    context.tree_hash = slim_view_of(hash, tree->suite->hash_len);
    struct slim_mls_out out = {0};
    slim_mls_put_context(&out, &context);
    uint8_t *room = vector_room(out.buf.len);
    memcpy(room, out.buf.data, out.buf.len);
    struct slim_view view = slim_view_of(room, out.buf.len);
    slim_mls_out_fini(&out);
    return view;
}

/* Everybody but the sender opens `path` on `after`; path secrets are compared when the vector has them. */
static bool follow_all(const json_t *item, const struct slim_mls_tree *before,
                       const struct slim_mls_tree *after, const struct slim_mls_update_path *path,
                       const struct slim_mls_path_steps *steps, uint32_t sender,
                       struct slim_view context, const json_t *want_secrets,
                       const uint8_t *want_commit)
{
    const struct slim_mls_indices nobody = {0};
    const json_t *leaves = vector_get(item, "leaves_private");
    for (size_t i = 0; i < json_array_size(leaves); i++) {
        struct slim_mls_private own;
        EXPECT(load_private(before, json_array_get(leaves, i), &own));
        if (own.leaf_index == sender) {
            continue;
        }
        size_t from;
        uint8_t secret[MLS_SECRET_MAX];
        uint8_t commit[MLS_SECRET_MAX];
        EXPECT_OK(slim_mls_path_decrypt(after, &own, path, steps, &nobody, context, &from, secret));
        if (want_secrets != NULL) {
            struct slim_view want =
                vector_hex_text(json_string_value(json_array_get(want_secrets, own.leaf_index)));
            EXPECT(slim_view_is_equal(want, slim_view_of(secret, after->suite->hash_len)));
        }
        EXPECT_OK(slim_mls_path_follow(&own, after, steps, from, secret, commit));
        EXPECT(memcmp(commit, want_commit, after->suite->hash_len) == 0);
    }
    return true;
}

static bool receive_path(const json_t *item, const json_t *update,
                         const struct slim_mls_tree *before, struct slim_mls_tree *tree)
{
    struct slim_view in = vector_hex(update, "update_path");
    struct slim_mls_update_path path;
    struct slim_mls_path_steps steps;
    uint32_t sender = (uint32_t)vector_number(update, "sender");
    EXPECT_OK(slim_mls_take_update_path(&in, &path));
    EXPECT(in.len == 0);
    EXPECT_OK(slim_mls_path_apply(tree, sender, &path, &steps));
    EXPECT_OK(slim_mls_leaf_verify(tree->suite, &path.leaf, vector_hex(item, "group_id"), sender));
    EXPECT_OK(slim_mls_tree_check_parents(tree));
    EXPECT(has_hash(update, "tree_hash_after", tree));
    return follow_all(item, before, tree, &path, &steps, sender, make_context(item, tree),
                      vector_get(update, "path_secrets"), vector_hex(update, "commit_secret").data);
}

static bool send_path(const json_t *item, const json_t *update, const struct slim_mls_tree *before,
                      struct slim_mls_tree *tree)
{
    const struct slim_mls_suite *suite = tree->suite;
    const struct slim_mls_indices nobody = {0};
    uint32_t sender = (uint32_t)vector_number(update, "sender");
    const json_t *leaves = vector_get(item, "leaves_private");
    struct slim_mls_private own = {0};
    struct slim_view given = {0};
    for (size_t i = 0; i < json_array_size(leaves); i++) {
        const json_t *entry = json_array_get(leaves, i);
        if (vector_number(entry, "index") == sender) {
            EXPECT(load_private(before, entry, &own));
            given = vector_hex(entry, "signature_priv");
        }
    }
    uint8_t signature_key[SLIM_CRYPTO_SIGN_PRIVATE_MAX];
    uint8_t signature_public[SLIM_CRYPTO_SIGN_PUBLIC_MAX];
    EXPECT_OK(slim_crypto_sign_import(suite->signer, given, signature_key, signature_public));

    struct slim_mls_path_secrets secrets;
    uint8_t leaf_key[MLS_KEM_PUBLIC_MAX];
    uint8_t parent_hash[MLS_SECRET_MAX];
    size_t parent_hash_len;
    EXPECT_OK(slim_mls_path_begin(tree, &vector_random, &own, &secrets, leaf_key, parent_hash,
                                  &parent_hash_len));
    struct slim_mls_leaf leaf = slim_mls_tree_leaf_find(before, sender)->u.leaf.leaf;
    leaf.source = MLS_LEAF_COMMIT;
    leaf.encryption_key = slim_view_of(leaf_key, slim_crypto_dh_public_len(suite->curve));
    leaf.parent_hash = slim_view_of(parent_hash, parent_hash_len);
    struct slim_mls_out out = {0};
    EXPECT_OK(slim_mls_leaf_sign(suite, signature_key, &leaf, vector_hex(item, "group_id"), sender,
                                 &out));
    EXPECT_OK(slim_mls_tree_set_leaf(tree, sender, slim_mls_out_view(&out)));
    struct slim_view context = make_context(item, tree);
    EXPECT_OK(slim_mls_path_encrypt(tree, &vector_random, &secrets, &nobody, context, &out));

    struct slim_view in = slim_mls_out_view(&out);
    struct slim_mls_update_path path;
    struct slim_mls_path_steps steps;
    struct slim_mls_tree other;
    EXPECT_OK(slim_mls_take_update_path(&in, &path));
    EXPECT(in.len == 0);
    EXPECT_OK(slim_mls_tree_clone(before, &other));
    bool ok = slim_mls_path_apply(&other, sender, &path, &steps) == SLIM_OK &&
              follow_all(item, before, &other, &path, &steps, sender, context, NULL,
                         secrets.commit_secret);
    slim_mls_tree_fini(&other);
    slim_mls_out_fini(&out);
    EXPECT(ok);
    return true;
}

bool vector_treekem(const json_t *item)
{
    struct slim_mls_tree before;
    EXPECT_OK(read_tree(vector_suite(item), vector_hex(item, "ratchet_tree"), &before));
    const json_t *updates = vector_get(item, "update_paths");
    bool ok = true;
    for (size_t i = 0; ok && i < json_array_size(updates); i++) {
        const json_t *update = json_array_get(updates, i);
        struct slim_mls_tree tree;
        EXPECT_OK(slim_mls_tree_clone(&before, &tree));
        ok = receive_path(item, update, &before, &tree);
        slim_mls_tree_fini(&tree);
        if (ok) {
            EXPECT_OK(slim_mls_tree_clone(&before, &tree));
            ok = send_path(item, update, &before, &tree);
            slim_mls_tree_fini(&tree);
        }
    }
    slim_mls_tree_fini(&before);
    return ok;
}
