/* RFC 9420 sections 7.4, 7.5 and 7.6. */
#include "mls/treekem.h"

#include "base/secret.h"
#include "mls/hpke.h"

static uint32_t ancestor_at(uint32_t leaf_index, uint32_t level)
{
    uint32_t node = 2 * leaf_index;
    for (uint32_t i = 0; i < level; i++) {
        node = slim_mls_node_parent(node);
    }
    return node;
}

void slim_mls_private_prune(struct slim_mls_private *own, const struct slim_mls_tree *tree)
{
    uint32_t depth = slim_mls_node_level(slim_mls_node_root(tree->leaf_count));
    for (uint32_t level = 1; level < MLS_DEPTH_MAX; level++) {
        if (own->is_known[level] &&
            (level > depth || tree->nodes[ancestor_at(own->leaf_index, level)] == NULL)) {
            own->is_known[level] = false;
            slim_secret_wipe(own->keys[level], sizeof(own->keys[level]));
        }
    }
}

/* node_secret = DeriveSecret(path_secret, "node"), and its key pair. */
static enum slim_status node_key_pair(const struct slim_mls_suite *suite,
                                      const uint8_t *path_secret, uint8_t *private_key,
                                      uint8_t *public_key)
{
    uint8_t node_secret[MLS_SECRET_MAX];
    slim_mls_derive_secret(suite, path_secret, "node", node_secret);
    enum slim_status status = slim_mls_hpke_derive_key_pair(
        suite, slim_view_of(node_secret, suite->hash_len), private_key, public_key);
    slim_secret_wipe(node_secret, sizeof(node_secret));
    return status;
}

enum slim_status slim_mls_private_put(struct slim_mls_private *own,
                                      const struct slim_mls_tree *tree, uint32_t node,
                                      const uint8_t *path_secret)
{
    uint8_t public_key[MLS_KEM_PUBLIC_MAX];
    uint8_t private_key[MLS_KEM_PRIVATE_MAX];
    enum slim_status status = node_key_pair(tree->suite, path_secret, private_key, public_key);
    if (status == SLIM_OK &&
        (tree->nodes[node] == NULL ||
         !slim_view_is_equal(
             slim_mls_tree_key(tree, node),
             slim_view_of(public_key, slim_crypto_dh_public_len(tree->suite->curve))))) {
        status = SLIM_ERR_TREE;
    }
    if (status == SLIM_OK) {
        uint32_t level = slim_mls_node_level(node);
        memcpy(own->keys[level], private_key, sizeof(private_key));
        own->is_known[level] = true;
    }
    slim_secret_wipe(private_key, sizeof(private_key));
    return status;
}

enum slim_status slim_mls_path_follow(struct slim_mls_private *own,
                                      const struct slim_mls_tree *tree,
                                      const struct slim_mls_path_steps *steps, size_t from,
                                      const uint8_t *path_secret, uint8_t *commit_secret)
{
    uint8_t secret[MLS_SECRET_MAX];
    memcpy(secret, path_secret, tree->suite->hash_len);
    enum slim_status status = SLIM_OK;
    for (size_t i = from; i < steps->count && status == SLIM_OK; i++) {
        status = slim_mls_private_put(own, tree, steps->items[i].node, secret);
        slim_mls_derive_secret(tree->suite, secret, "path", secret);
    }
    if (status == SLIM_OK) {
        memcpy(commit_secret, secret, tree->suite->hash_len);
    }
    slim_secret_wipe(secret, sizeof(secret));
    return status;
}

/* Blank the ancestors of a leaf that its filtered path leaves out. */
static void blank_outside(struct slim_mls_tree *tree, uint32_t leaf_index,
                          const struct slim_mls_path_steps *steps)
{
    uint32_t root = slim_mls_node_root(tree->leaf_count);
    size_t step = 0;
    for (uint32_t node = 2 * leaf_index; node != root;) {
        node = slim_mls_node_parent(node);
        if (step < steps->count && steps->items[step].node == node) {
            step++;
        } else {
            slim_mls_tree_blank(tree, node);
        }
    }
}

/* Put the parents of a path into the tree, from the root down, as each one's parent hash needs those above it. Gives the
 * parent hash for the leaf. `keys` has one key for each step. */
static enum slim_status set_parents(struct slim_mls_tree *tree,
                                    const struct slim_mls_path_steps *steps,
                                    const struct slim_view *keys, uint8_t *parent_hash,
                                    size_t *parent_hash_len)
{
    size_t len = 0;
    for (size_t i = steps->count; i-- > 0;) {
        SLIM_TRY(slim_mls_tree_set_parent(tree, steps->items[i].node, keys[i],
                                          slim_view_of(parent_hash, len)));
        SLIM_TRY(slim_mls_tree_parent_hash(tree, steps->items[i].node, steps->items[i].copath,
                                           parent_hash));
        len = tree->suite->hash_len;
    }
    *parent_hash_len = len;
    return SLIM_OK;
}

enum slim_status slim_mls_path_begin(struct slim_mls_tree *tree,
                                     const struct slim_mls_random *random,
                                     struct slim_mls_private *own,
                                     struct slim_mls_path_secrets *path, uint8_t *leaf_public_key,
                                     uint8_t *parent_hash, size_t *parent_hash_len)
{
    const struct slim_mls_suite *suite = tree->suite;
    slim_mls_tree_filtered_path(tree, own->leaf_index, &path->steps);
    blank_outside(tree, own->leaf_index, &path->steps);

    uint8_t secret[MLS_SECRET_MAX];
    uint8_t public_keys[MLS_DEPTH_MAX][MLS_KEM_PUBLIC_MAX];
    struct slim_view keys[MLS_DEPTH_MAX];
    random->fill(random->context, secret, suite->hash_len);
    enum slim_status status = SLIM_OK;
    for (size_t i = 0; i < path->steps.count && status == SLIM_OK; i++) {
        uint32_t level = slim_mls_node_level(path->steps.items[i].node);
        memcpy(path->secrets[i], secret, suite->hash_len);
        status = node_key_pair(suite, secret, own->keys[level], public_keys[i]);
        own->is_known[level] = true;
        keys[i] = slim_view_of(public_keys[i], slim_crypto_dh_public_len(suite->curve));
        slim_mls_derive_secret(suite, secret, "path", secret);
    }
    memcpy(path->commit_secret, secret, suite->hash_len);
    slim_secret_wipe(secret, sizeof(secret));
    SLIM_TRY(status);
    SLIM_TRY(slim_mls_hpke_generate(suite, random, own->keys[0], leaf_public_key));
    own->is_known[0] = true;
    return set_parents(tree, &path->steps, keys, parent_hash, parent_hash_len);
}

enum slim_status slim_mls_path_target_count(const struct slim_mls_tree *tree, uint32_t leaf_index,
                                            const struct slim_mls_indices *added, size_t *count)
{
    struct slim_mls_indices targets = {0};
    struct slim_mls_path_steps steps;
    slim_mls_tree_filtered_path(tree, leaf_index, &steps);
    enum slim_status status = SLIM_OK;
    for (size_t i = 0; i < steps.count && status == SLIM_OK; i++) {
        status = slim_mls_tree_resolve(tree, steps.items[i].copath, &targets);
    }
    if (status == SLIM_OK) {
        *count = targets.count - added->count; /* an added leaf is in exactly one of them */
    }
    slim_mls_indices_fini(&targets);
    return status;
}

enum slim_status slim_mls_path_encrypt(const struct slim_mls_tree *tree,
                                       const struct slim_mls_random *random,
                                       const struct slim_mls_path_secrets *path,
                                       const struct slim_mls_indices *added,
                                       struct slim_view group_context, struct slim_mls_out *out)
{
    const struct slim_mls_suite *suite = tree->suite;
    struct slim_mls_indices targets = {0};
    struct slim_mls_hpke_info info;
    enum slim_status status = SLIM_OK;
    slim_mls_hpke_info_label(suite, "UpdatePathNode", group_context, &info);
    size_t nodes = slim_mls_put_begin(out);
    for (size_t i = 0; i < path->steps.count && status == SLIM_OK; i++) {
        slim_mls_put_opaque(out, slim_mls_tree_key(tree, path->steps.items[i].node));
        targets.count = 0;
        status = slim_mls_tree_resolve(tree, path->steps.items[i].copath, &targets);
        size_t ciphertexts = slim_mls_put_begin(out);
        for (size_t j = 0; j < targets.count && status == SLIM_OK; j++) {
            if (!slim_mls_indices_have(added, targets.items[j])) {
                status = slim_mls_encrypt_with_label(
                    suite, random, slim_mls_tree_key(tree, targets.items[j]), "UpdatePathNode",
                    group_context, slim_view_of(path->secrets[i], suite->hash_len), out);
            }
        }
        slim_mls_put_end(out, ciphertexts);
    }
    slim_mls_put_end(out, nodes);
    slim_mls_indices_fini(&targets);
    return status == SLIM_OK ? out->status : status;
}

enum slim_status slim_mls_path_apply(struct slim_mls_tree *tree, uint32_t sender,
                                     const struct slim_mls_update_path *path,
                                     struct slim_mls_path_steps *steps)
{
    if (sender >= tree->leaf_count) {
        return SLIM_ERR_INVALID;
    }
    slim_mls_tree_filtered_path(tree, sender, steps);
    struct slim_view keys[MLS_DEPTH_MAX];
    struct slim_view walk = path->nodes;
    for (size_t i = 0; i < steps->count; i++) {
        struct slim_mls_path_node node;
        if (walk.len == 0) {
            return SLIM_ERR_INVALID;
        }
        SLIM_TRY(slim_mls_take_path_node(&walk, &node));
        if (node.encryption_key.len != slim_crypto_dh_public_len(tree->suite->curve)) {
            return SLIM_ERR_INVALID;
        }
        keys[i] = node.encryption_key;
    }
    if (walk.len > 0 || path->leaf.source != MLS_LEAF_COMMIT) {
        return SLIM_ERR_INVALID;
    }
    blank_outside(tree, sender, steps);
    uint8_t parent_hash[MLS_SECRET_MAX];
    size_t parent_hash_len;
    SLIM_TRY(set_parents(tree, steps, keys, parent_hash, &parent_hash_len));
    if (!slim_view_is_equal(path->leaf.parent_hash, slim_view_of(parent_hash, parent_hash_len))) {
        return SLIM_ERR_TREE;
    }
    return slim_mls_tree_set_leaf(tree, sender, path->leaf.bytes);
}

size_t slim_mls_path_common(const struct slim_mls_path_steps *steps, uint32_t leaf_index)
{
    size_t i = 0;
    while (i < steps->count && !slim_mls_node_is_below(2 * leaf_index, steps->items[i].copath)) {
        i++;
    }
    return i;
}

/* The key of `own` for a node, or NULL. */
static const uint8_t *private_find(const struct slim_mls_private *own, uint32_t node)
{
    uint32_t level = slim_mls_node_level(node);
    if (level >= MLS_DEPTH_MAX || !own->is_known[level] ||
        !slim_mls_node_is_below(2 * own->leaf_index, node)) {
        return NULL;
    }
    return own->keys[level];
}

enum slim_status
slim_mls_path_decrypt(const struct slim_mls_tree *tree, const struct slim_mls_private *own,
                      const struct slim_mls_update_path *path,
                      const struct slim_mls_path_steps *steps, const struct slim_mls_indices *added,
                      struct slim_view group_context, size_t *from, uint8_t *path_secret)
{
    size_t step = slim_mls_path_common(steps, own->leaf_index);
    if (step == steps->count) {
        return SLIM_ERR_TREE;
    }
    struct slim_mls_path_node node = {0};
    struct slim_view walk = path->nodes;
    for (size_t i = 0; i <= step; i++) {
        SLIM_TRY(slim_mls_take_path_node(&walk, &node));
    }
    struct slim_mls_indices targets = {0};
    struct slim_buf plain = {0};
    const uint8_t *key = NULL;
    struct slim_view public_key = {0};
    struct slim_mls_ciphertext own_item = {0};
    enum slim_status status = slim_mls_tree_resolve(tree, steps->items[step].copath, &targets);
    for (size_t i = 0; i < targets.count && status == SLIM_OK; i++) {
        if (slim_mls_indices_have(added, targets.items[i])) {
            continue;
        }
        struct slim_mls_ciphertext item;
        status = node.ciphertexts.len == 0 ? SLIM_ERR_INVALID
                                           : slim_mls_take_ciphertext(&node.ciphertexts, &item);
        if (status == SLIM_OK && key == NULL) {
            key = private_find(own, targets.items[i]);
            public_key = slim_mls_tree_key(tree, targets.items[i]);
            own_item = item;
        }
    }
    if (status == SLIM_OK && node.ciphertexts.len > 0) {
        status = SLIM_ERR_INVALID;
    }
    if (status == SLIM_OK) {
        status = key == NULL
                     ? SLIM_ERR_TREE
                     : slim_mls_decrypt_with_label(tree->suite, key, public_key, "UpdatePathNode",
                                                   group_context, own_item.kem_output,
                                                   own_item.ciphertext, &plain);
    }
    if (status == SLIM_OK && plain.len != tree->suite->hash_len) {
        status = SLIM_ERR_INVALID;
    }
    if (status == SLIM_OK) {
        memcpy(path_secret, plain.data, plain.len);
        *from = step;
    }
    slim_buf_wipe(&plain);
    slim_mls_indices_fini(&targets);
    return status;
}
