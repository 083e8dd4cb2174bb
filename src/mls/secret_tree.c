/* RFC 9420 section 9. */
#include "mls/secret_tree.h"

#include "base/secret.h"

/* ---- the tree of secrets */

static uint32_t entry_at(const struct slim_mls_secret_tree *tree, uint32_t node)
{
    uint32_t low = 0;
    uint32_t high = tree->entry_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (tree->entries[middle].node < node) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static enum slim_status reserve_entries(struct slim_mls_secret_tree *tree, uint32_t count)
{
    uint32_t need = tree->entry_count + count;
    if (need <= tree->entry_capacity) {
        return SLIM_OK;
    }
    uint32_t capacity = need < 16 ? 16 : need * 2;
    struct slim_mls_secret_entry *entries =
        slim_secret_resize(tree->entries, capacity * sizeof(*entries));
    if (entries == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    tree->entries = entries;
    tree->entry_capacity = capacity;
    return SLIM_OK;
}

/* Room was reserved. */
static void insert_entry(struct slim_mls_secret_tree *tree, uint32_t node, const uint8_t *secret)
{
    uint32_t at = entry_at(tree, node);
    memmove(&tree->entries[at + 1], &tree->entries[at],
            (tree->entry_count - at) * sizeof(*tree->entries));
    tree->entries[at].node = node;
    memcpy(tree->entries[at].secret, secret, tree->suite->hash_len);
    tree->entry_count++;
}

static void remove_entry(struct slim_mls_secret_tree *tree, uint32_t at)
{
    tree->entry_count--;
    memmove(&tree->entries[at], &tree->entries[at + 1],
            (tree->entry_count - at) * sizeof(*tree->entries));
    slim_secret_wipe(&tree->entries[tree->entry_count], sizeof(*tree->entries));
}

enum slim_status slim_mls_secret_tree_init(struct slim_mls_secret_tree *tree,
                                           const struct slim_mls_suite *suite, uint32_t leaf_count,
                                           uint32_t skipped_max, const uint8_t *encryption_secret)
{
    *tree = (struct slim_mls_secret_tree){
        .suite = suite, .leaf_count = leaf_count, .skipped_max = skipped_max};
    SLIM_TRY(reserve_entries(tree, 1));
    insert_entry(tree, slim_mls_node_root(leaf_count), encryption_secret);
    return SLIM_OK;
}

static void ratchets_free(struct slim_mls_leaf_ratchets *ratchets)
{
    for (size_t kind = 0; kind < MLS_RATCHET_KIND_COUNT; kind++) {
        struct slim_mls_ratchet *ratchet = &ratchets->kinds[kind];
        slim_secret_wipe(ratchet->skipped, ratchet->skipped_capacity * sizeof(*ratchet->skipped));
        slim_secret_return(ratchet->skipped);
    }
    slim_secret_wipe(ratchets, sizeof(*ratchets));
    slim_secret_return(ratchets);
}

void slim_mls_secret_tree_fini(struct slim_mls_secret_tree *tree)
{
    slim_secret_wipe(tree->entries, tree->entry_capacity * sizeof(*tree->entries));
    slim_secret_return(tree->entries);
    for (uint32_t i = 0; i < tree->ratchet_count; i++) {
        ratchets_free(tree->ratchets[i]);
    }
    slim_secret_return(tree->ratchets);
    *tree = (struct slim_mls_secret_tree){0};
}

/* ---- ratchets of a leaf */

static uint32_t ratchet_at(const struct slim_mls_secret_tree *tree, uint32_t leaf)
{
    uint32_t low = 0;
    uint32_t high = tree->ratchet_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (tree->ratchets[middle]->leaf < leaf) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static enum slim_status insert_ratchets(struct slim_mls_secret_tree *tree,
                                        struct slim_mls_leaf_ratchets *made)
{
    if (tree->ratchet_count == tree->ratchet_capacity) {
        uint32_t capacity = tree->ratchet_capacity == 0 ? 8 : tree->ratchet_capacity * 2;
        struct slim_mls_leaf_ratchets **list =
            slim_secret_resize(tree->ratchets, capacity * sizeof(struct slim_mls_leaf_ratchets *));
        if (list == NULL) {
            return SLIM_ERR_NO_MEMORY;
        }
        tree->ratchets = list;
        tree->ratchet_capacity = capacity;
    }
    uint32_t at = ratchet_at(tree, made->leaf);
    memmove(&tree->ratchets[at + 1], &tree->ratchets[at],
            (tree->ratchet_count - at) * sizeof(struct slim_mls_leaf_ratchets *));
    tree->ratchets[at] = made;
    tree->ratchet_count++;
    return SLIM_OK;
}

/* Derive both ratchets of a leaf from the nearest secret above it, which is replaced by those of the subtrees beside the way
 * down. Says nothing about messages: refused ones leave no trace but this. */
static enum slim_status open_leaf(struct slim_mls_secret_tree *tree, uint32_t leaf,
                                  struct slim_mls_leaf_ratchets **found)
{
    uint32_t way[MLS_DEPTH_MAX + 1];
    size_t depth = 0;
    uint32_t node = 2 * leaf;
    uint32_t root = slim_mls_node_root(tree->leaf_count);
    uint32_t at = entry_at(tree, node);
    while (at == tree->entry_count || tree->entries[at].node != node) {
        if (node == root) {
            return SLIM_ERR_STALE; /* cannot be: a leaf without secret has ratchets */
        }
        way[depth++] = node;
        node = slim_mls_node_parent(node);
        at = entry_at(tree, node);
    }
    SLIM_TRY(reserve_entries(tree, (uint32_t)depth));
    struct slim_mls_leaf_ratchets *made = slim_secret_take(1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    made->leaf = leaf;
    if (insert_ratchets(tree, made) != SLIM_OK) {
        slim_secret_return(made);
        return SLIM_ERR_NO_MEMORY;
    }
    const struct slim_mls_suite *suite = tree->suite;
    uint8_t secret[MLS_SECRET_MAX];
    uint8_t other[MLS_SECRET_MAX];
    memcpy(secret, tree->entries[at].secret, suite->hash_len);
    remove_entry(tree, at);
    while (depth > 0) {
        uint32_t child = way[--depth];
        bool is_left = child < node;
        slim_mls_expand_with_label(suite, secret, "tree",
                                   is_left ? SLIM_VIEW("right") : SLIM_VIEW("left"), other,
                                   suite->hash_len);
        insert_entry(tree, is_left ? slim_mls_node_right(node) : slim_mls_node_left(node), other);
        slim_mls_expand_with_label(suite, secret, "tree",
                                   is_left ? SLIM_VIEW("left") : SLIM_VIEW("right"), secret,
                                   suite->hash_len);
        node = child;
    }
    slim_mls_expand_with_label(suite, secret, "handshake", (struct slim_view){0},
                               made->kinds[MLS_RATCHET_HANDSHAKE].secret, suite->hash_len);
    slim_mls_expand_with_label(suite, secret, "application", (struct slim_view){0},
                               made->kinds[MLS_RATCHET_APPLICATION].secret, suite->hash_len);
    slim_secret_wipe(secret, sizeof(secret));
    slim_secret_wipe(other, sizeof(other));
    *found = made;
    return SLIM_OK;
}

static enum slim_status ratchet_get(struct slim_mls_secret_tree *tree, uint32_t leaf,
                                    enum slim_mls_ratchet_kind kind,
                                    struct slim_mls_ratchet **ratchet)
{
    if (leaf >= tree->leaf_count) {
        return SLIM_ERR_INVALID;
    }
    struct slim_mls_leaf_ratchets *found = NULL;
    uint32_t at = ratchet_at(tree, leaf);
    if (at < tree->ratchet_count && tree->ratchets[at]->leaf == leaf) {
        found = tree->ratchets[at];
    } else {
        SLIM_TRY(open_leaf(tree, leaf, &found));
    }
    *ratchet = &found->kinds[kind];
    return SLIM_OK;
}

static void message_key(const struct slim_mls_suite *suite, const uint8_t *secret,
                        uint32_t generation, struct slim_mls_message_key *key)
{
    slim_mls_derive_tree_secret(suite, secret, "key", generation, key->key, suite->key_len);
    slim_mls_derive_tree_secret(suite, secret, "nonce", generation, key->nonce, sizeof(key->nonce));
}

static void next_secret(const struct slim_mls_suite *suite, uint8_t *secret, uint32_t generation)
{
    slim_mls_derive_tree_secret(suite, secret, "secret", generation, secret, suite->hash_len);
}

enum slim_status slim_mls_secret_tree_next(struct slim_mls_secret_tree *tree, uint32_t leaf,
                                           enum slim_mls_ratchet_kind kind, uint32_t *generation,
                                           struct slim_mls_message_key *key)
{
    struct slim_mls_ratchet *ratchet;
    SLIM_TRY(ratchet_get(tree, leaf, kind, &ratchet));
    if (ratchet->generation == UINT32_MAX) {
        return SLIM_ERR_LIMIT;
    }
    message_key(tree->suite, ratchet->secret, ratchet->generation, key);
    *generation = ratchet->generation;
    next_secret(tree->suite, ratchet->secret, ratchet->generation);
    ratchet->generation++;
    return SLIM_OK;
}

static uint32_t skipped_at(const struct slim_mls_ratchet *ratchet, uint32_t generation)
{
    uint32_t at = 0;
    while (at < ratchet->skipped_count && ratchet->skipped[at].generation != generation) {
        at++;
    }
    return at;
}

enum slim_status slim_mls_secret_tree_find(struct slim_mls_secret_tree *tree, uint32_t leaf,
                                           enum slim_mls_ratchet_kind kind, uint32_t generation,
                                           struct slim_mls_message_key *key)
{
    struct slim_mls_ratchet *ratchet;
    SLIM_TRY(ratchet_get(tree, leaf, kind, &ratchet));
    if (generation < ratchet->generation) {
        uint32_t at = skipped_at(ratchet, generation);
        if (at == ratchet->skipped_count) {
            return SLIM_ERR_REPLAYED;
        }
        *key = ratchet->skipped[at].key;
        return SLIM_OK;
    }
    if (generation - ratchet->generation > MLS_GENERATION_JUMP_MAX || generation == UINT32_MAX) {
        return SLIM_ERR_LIMIT;
    }
    uint8_t secret[MLS_SECRET_MAX];
    memcpy(secret, ratchet->secret, tree->suite->hash_len);
    for (uint32_t at = ratchet->generation; at < generation; at++) {
        next_secret(tree->suite, secret, at);
    }
    message_key(tree->suite, secret, generation, key);
    slim_secret_wipe(secret, sizeof(secret));
    return SLIM_OK;
}

static void drop_skipped(struct slim_mls_ratchet *ratchet, uint32_t at, uint32_t count)
{
    ratchet->skipped_count -= count;
    memmove(&ratchet->skipped[at], &ratchet->skipped[at + count],
            (ratchet->skipped_count - at) * sizeof(*ratchet->skipped));
    slim_secret_wipe(&ratchet->skipped[ratchet->skipped_count], count * sizeof(*ratchet->skipped));
}

static enum slim_status reserve_skipped(struct slim_mls_ratchet *ratchet, uint32_t count)
{
    uint32_t need = ratchet->skipped_count + count;
    if (need <= ratchet->skipped_capacity) {
        return SLIM_OK;
    }
    struct slim_mls_skipped_key *list = slim_secret_resize(ratchet->skipped, need * sizeof(*list));
    if (list == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    ratchet->skipped = list;
    ratchet->skipped_capacity = need;
    return SLIM_OK;
}

enum slim_status slim_mls_secret_tree_use(struct slim_mls_secret_tree *tree, uint32_t leaf,
                                          enum slim_mls_ratchet_kind kind, uint32_t generation)
{
    struct slim_mls_ratchet *ratchet;
    SLIM_TRY(ratchet_get(tree, leaf, kind, &ratchet));
    if (generation < ratchet->generation) {
        uint32_t at = skipped_at(ratchet, generation);
        assert(at < ratchet->skipped_count);
        drop_skipped(ratchet, at, 1);
        return SLIM_OK;
    }
    uint32_t skipped = generation - ratchet->generation;
    SLIM_TRY(reserve_skipped(ratchet, skipped));
    while (ratchet->generation < generation) {
        struct slim_mls_skipped_key *item = &ratchet->skipped[ratchet->skipped_count++];
        item->generation = ratchet->generation;
        message_key(tree->suite, ratchet->secret, ratchet->generation, &item->key);
        next_secret(tree->suite, ratchet->secret, ratchet->generation);
        ratchet->generation++;
    }
    next_secret(tree->suite, ratchet->secret, ratchet->generation);
    ratchet->generation++;
    if (ratchet->skipped_count > tree->skipped_max) {
        drop_skipped(ratchet, 0, ratchet->skipped_count - tree->skipped_max);
    }
    return SLIM_OK;
}

/* ---- storing */

static void put_ratchet(struct slim_mls_out *out, const struct slim_mls_suite *suite,
                        const struct slim_mls_ratchet *ratchet)
{
    slim_mls_put_u32(out, ratchet->generation);
    slim_mls_put_bytes(out, slim_view_of(ratchet->secret, suite->hash_len));
    slim_mls_put_u32(out, ratchet->skipped_count);
    for (uint32_t i = 0; i < ratchet->skipped_count; i++) {
        slim_mls_put_u32(out, ratchet->skipped[i].generation);
        slim_mls_put_bytes(out, slim_view_of(ratchet->skipped[i].key.key, suite->key_len));
        slim_mls_put_bytes(out, slim_view_of(ratchet->skipped[i].key.nonce, SLIM_CRYPTO_NONCE_LEN));
    }
}

void slim_mls_put_secret_tree(struct slim_mls_out *out, const struct slim_mls_secret_tree *tree)
{
    slim_mls_put_u32(out, tree->leaf_count);
    slim_mls_put_u32(out, tree->entry_count);
    for (uint32_t i = 0; i < tree->entry_count; i++) {
        slim_mls_put_u32(out, tree->entries[i].node);
        slim_mls_put_bytes(out, slim_view_of(tree->entries[i].secret, tree->suite->hash_len));
    }
    slim_mls_put_u32(out, tree->ratchet_count);
    for (uint32_t i = 0; i < tree->ratchet_count; i++) {
        slim_mls_put_u32(out, tree->ratchets[i]->leaf);
        for (size_t kind = 0; kind < MLS_RATCHET_KIND_COUNT; kind++) {
            put_ratchet(out, tree->suite, &tree->ratchets[i]->kinds[kind]);
        }
    }
}

static enum slim_status take_bytes(struct slim_view *in, uint8_t *out, size_t len)
{
    if (in->len < len) {
        return SLIM_ERR_MALFORMED;
    }
    memcpy(out, in->data, len);
    *in = slim_view_skip(*in, len);
    return SLIM_OK;
}

static enum slim_status take_ratchet(struct slim_view *in, const struct slim_mls_suite *suite,
                                     struct slim_mls_ratchet *ratchet)
{
    uint32_t count;
    SLIM_TRY(slim_mls_take_u32(in, &ratchet->generation));
    SLIM_TRY(take_bytes(in, ratchet->secret, suite->hash_len));
    SLIM_TRY(slim_mls_take_u32(in, &count));
    if (count > in->len / (4 + suite->key_len + SLIM_CRYPTO_NONCE_LEN)) {
        return SLIM_ERR_MALFORMED;
    }
    SLIM_TRY(reserve_skipped(ratchet, count));
    for (uint32_t i = 0; i < count; i++) {
        struct slim_mls_skipped_key *item = &ratchet->skipped[i];
        SLIM_TRY(slim_mls_take_u32(in, &item->generation));
        SLIM_TRY(take_bytes(in, item->key.key, suite->key_len));
        SLIM_TRY(take_bytes(in, item->key.nonce, SLIM_CRYPTO_NONCE_LEN));
        ratchet->skipped_count++;
    }
    return SLIM_OK;
}

static enum slim_status take_all(struct slim_view *in, struct slim_mls_secret_tree *tree)
{
    uint32_t count;
    SLIM_TRY(slim_mls_take_u32(in, &tree->leaf_count));
    if (tree->leaf_count == 0 || tree->leaf_count > MLS_LEAF_COUNT_MAX ||
        (tree->leaf_count & (tree->leaf_count - 1)) != 0) {
        return SLIM_ERR_MALFORMED;
    }
    SLIM_TRY(slim_mls_take_u32(in, &count));
    if (count > in->len / (4 + tree->suite->hash_len)) {
        return SLIM_ERR_MALFORMED;
    }
    SLIM_TRY(reserve_entries(tree, count));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t node;
        SLIM_TRY(slim_mls_take_u32(in, &node));
        struct slim_view secret = slim_view_of(in->data, tree->suite->hash_len);
        if (in->len < secret.len || node >= slim_mls_node_count(tree->leaf_count) ||
            (i > 0 && node <= tree->entries[tree->entry_count - 1].node)) {
            return SLIM_ERR_MALFORMED;
        }
        insert_entry(tree, node, secret.data);
        *in = slim_view_skip(*in, secret.len);
    }
    SLIM_TRY(slim_mls_take_u32(in, &count));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t leaf;
        SLIM_TRY(slim_mls_take_u32(in, &leaf));
        if (leaf >= tree->leaf_count ||
            (i > 0 && leaf <= tree->ratchets[tree->ratchet_count - 1]->leaf)) {
            return SLIM_ERR_MALFORMED;
        }
        struct slim_mls_leaf_ratchets *made = slim_secret_take(1, sizeof(*made));
        if (made == NULL) {
            return SLIM_ERR_NO_MEMORY;
        }
        made->leaf = leaf;
        if (insert_ratchets(tree, made) != SLIM_OK) {
            slim_secret_return(made);
            return SLIM_ERR_NO_MEMORY;
        }
        for (size_t kind = 0; kind < MLS_RATCHET_KIND_COUNT; kind++) {
            SLIM_TRY(take_ratchet(in, tree->suite, &made->kinds[kind]));
        }
    }
    return SLIM_OK;
}

enum slim_status slim_mls_take_secret_tree(struct slim_view *in, const struct slim_mls_suite *suite,
                                           uint32_t skipped_max, struct slim_mls_secret_tree *tree)
{
    struct slim_mls_secret_tree made = {.suite = suite, .skipped_max = skipped_max};
    struct slim_view rest = *in;
    enum slim_status status = take_all(&rest, &made);
    if (status != SLIM_OK) {
        slim_mls_secret_tree_fini(&made);
        return status;
    }
    *tree = made;
    *in = rest;
    return SLIM_OK;
}
