/* RFC 9420 sections 7.8 (tree hashes), 7.9 (parent hashes) and the checks of a whole tree. */
#include <stdlib.h>

#include "base/secret.h"
#include "mls/tree.h"

enum { NODE_LEAF = 1, NODE_PARENT = 2, PARENT_PARTS = 12 };

static void put_number(uint8_t bytes[4], uint32_t value)
{
    bytes[0] = (uint8_t)(value >> 24);
    bytes[1] = (uint8_t)(value >> 16);
    bytes[2] = (uint8_t)(value >> 8);
    bytes[3] = (uint8_t)value;
}

/* LeafNodeHashInput: { uint8 1; uint32 leaf_index; optional<LeafNode> }; leaf is NULL for a blank one. */
static void hash_leaf(const struct slim_mls_tree *tree, uint32_t node,
                      const struct slim_mls_node *leaf, uint8_t *out)
{
    uint8_t head[6] = {NODE_LEAF};
    put_number(head + 1, node / 2);
    head[5] = leaf != NULL;
    struct slim_view parts[] = {{head, sizeof(head)},
                                leaf != NULL ? leaf->u.leaf.leaf.bytes : (struct slim_view){0}};
    slim_crypto_digest(tree->suite->hash, parts, SLIM_COUNT(parts), out);
}

/* Sorted list of leaves to be treated as if they were blank and unmerged nowhere (original tree hash, section 7.9). */
struct without {
    const uint32_t *leaves;
    uint32_t count;
};

static bool is_without(const struct without *without, uint32_t leaf)
{
    uint32_t low = 0;
    uint32_t high = without->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (without->leaves[middle] < leaf) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < without->count && without->leaves[low] == leaf;
}

static bool is_any_below(const struct without *without, uint32_t node)
{
    uint32_t first = slim_mls_node_first_leaf(node);
    uint32_t last = first + (UINT32_C(1) << slim_mls_node_level(node)) - 1;
    uint32_t low = 0;
    uint32_t high = without->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (without->leaves[middle] < first) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < without->count && without->leaves[low] <= last;
}

/* ParentNodeHashInput: { uint8 2; optional<ParentNode>; opaque left_hash<V>; opaque right_hash<V> }. `list` is room for the
 * encoded unmerged leaves. */
static void hash_parent(const struct slim_mls_tree *tree, const struct slim_mls_node *parent,
                        const struct without *without, uint8_t *list, const uint8_t *left,
                        const uint8_t *right, uint8_t *out)
{
    uint8_t head[2] = {NODE_PARENT, parent != NULL};
    uint8_t headers[5][4];
    struct slim_view parts[PARENT_PARTS];
    size_t count = 0;
    parts[count++] = slim_view_of(head, sizeof(head));
    if (parent != NULL) {
        size_t len = 0;
        for (uint32_t i = 0; i < parent->u.parent.unmerged_count; i++) {
            if (!is_without(without, parent->u.parent.unmerged[i])) {
                put_number(list + len, parent->u.parent.unmerged[i]);
                len += 4;
            }
        }
        size_t key_len = parent->u.parent.key_len;
        size_t hash_len = parent->u.parent.parent_hash_len;
        parts[count++] = slim_view_of(headers[0], slim_mls_length_header(key_len, headers[0]));
        parts[count++] = slim_view_of(parent->u.parent.key, key_len);
        parts[count++] = slim_view_of(headers[1], slim_mls_length_header(hash_len, headers[1]));
        parts[count++] = slim_view_of(parent->u.parent.parent_hash, hash_len);
        parts[count++] = slim_view_of(headers[2], slim_mls_length_header(len, headers[2]));
        parts[count++] = slim_view_of(list, len);
    }
    size_t hash_len = tree->suite->hash_len;
    parts[count++] = slim_view_of(headers[3], slim_mls_length_header(hash_len, headers[3]));
    parts[count++] = slim_view_of(left, hash_len);
    parts[count++] = slim_view_of(headers[4], slim_mls_length_header(hash_len, headers[4]));
    parts[count++] = slim_view_of(right, hash_len);
    slim_crypto_digest(tree->suite->hash, parts, count, out);
}

/* Room for the encoded unmerged leaves of one node: on the stack when they are few. */
enum { LIST_STACK_BYTES = 512 };

static uint8_t *list_room(const struct slim_mls_node *parent, uint8_t *stack)
{
    size_t need = parent == NULL ? 0 : (size_t)parent->u.parent.unmerged_count * 4;
    return need <= LIST_STACK_BYTES ? stack : slim_secret_take(1, need);
}

/* The depth is that of the tree. */
static enum slim_status hash_known(struct slim_mls_tree *tree, uint32_t node)
{
    if (tree->is_hashed[node]) {
        return SLIM_OK;
    }
    size_t hash_len = tree->suite->hash_len;
    uint8_t *out = tree->hashes + node * hash_len;
    if (slim_mls_node_is_leaf(node)) {
        hash_leaf(tree, node, tree->nodes[node], out);
    } else {
        SLIM_TRY(hash_known(tree, slim_mls_node_left(node)));
        SLIM_TRY(hash_known(tree, slim_mls_node_right(node)));
        uint8_t stack[LIST_STACK_BYTES];
        uint8_t *list = list_room(tree->nodes[node], stack);
        if (list == NULL) {
            return SLIM_ERR_NO_MEMORY;
        }
        const struct without nobody = {NULL, 0};
        hash_parent(tree, tree->nodes[node], &nobody, list,
                    tree->hashes + slim_mls_node_left(node) * hash_len,
                    tree->hashes + slim_mls_node_right(node) * hash_len, out);
        if (list != stack) {
            slim_secret_return(list);
        }
    }
    tree->is_hashed[node] = 1;
    return SLIM_OK;
}

enum slim_status slim_mls_tree_hash(struct slim_mls_tree *tree, uint32_t node, const uint8_t **hash)
{
    SLIM_TRY(hash_known(tree, node));
    *hash = tree->hashes + node * tree->suite->hash_len;
    return SLIM_OK;
}

enum slim_status slim_mls_tree_root_hash(struct slim_mls_tree *tree, const uint8_t **hash)
{
    return slim_mls_tree_hash(tree, slim_mls_node_root(tree->leaf_count), hash);
}

/* Hash of the subtree as it was before the leaves of `without` came. */
static enum slim_status hash_original(struct slim_mls_tree *tree, uint32_t node,
                                      const struct without *without, uint8_t *out)
{
    if (!is_any_below(without, node)) {
        const uint8_t *hash;
        SLIM_TRY(slim_mls_tree_hash(tree, node, &hash));
        memcpy(out, hash, tree->suite->hash_len);
        return SLIM_OK;
    }
    if (slim_mls_node_is_leaf(node)) {
        hash_leaf(tree, node, NULL, out); /* below itself: it is one of them */
        return SLIM_OK;
    }
    uint8_t left[MLS_SECRET_MAX];
    uint8_t right[MLS_SECRET_MAX];
    SLIM_TRY(hash_original(tree, slim_mls_node_left(node), without, left));
    SLIM_TRY(hash_original(tree, slim_mls_node_right(node), without, right));
    uint8_t stack[LIST_STACK_BYTES];
    uint8_t *list = list_room(tree->nodes[node], stack);
    if (list == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    hash_parent(tree, tree->nodes[node], without, list, left, right, out);
    if (list != stack) {
        slim_secret_return(list);
    }
    return SLIM_OK;
}

/* ParentHashInput { HPKEPublicKey encryption_key; opaque parent_hash<V>; opaque original_sibling_tree_hash<V>; } */
enum slim_status slim_mls_tree_parent_hash(struct slim_mls_tree *tree, uint32_t node,
                                           uint32_t copath, uint8_t *out)
{
    const struct slim_mls_node *parent = tree->nodes[node];
    assert(parent != NULL && !slim_mls_node_is_leaf(node));
    const struct without without = {parent->u.parent.unmerged, parent->u.parent.unmerged_count};
    uint8_t sibling[MLS_SECRET_MAX];
    SLIM_TRY(hash_original(tree, copath, &without, sibling));
    size_t key_len = parent->u.parent.key_len;
    size_t parent_hash_len = parent->u.parent.parent_hash_len;
    uint8_t headers[3][4];
    struct slim_view parts[] = {
        slim_view_of(headers[0], slim_mls_length_header(key_len, headers[0])),
        slim_view_of(parent->u.parent.key, key_len),
        slim_view_of(headers[1], slim_mls_length_header(parent_hash_len, headers[1])),
        slim_view_of(parent->u.parent.parent_hash, parent_hash_len),
        slim_view_of(headers[2], slim_mls_length_header(tree->suite->hash_len, headers[2])),
        slim_view_of(sibling, tree->suite->hash_len),
    };
    slim_crypto_digest(tree->suite->hash, parts, SLIM_COUNT(parts), out);
    return SLIM_OK;
}

/* ---- validity */

static struct slim_view parent_hash_of(const struct slim_mls_tree *tree, uint32_t node)
{
    const struct slim_mls_node *found = tree->nodes[node];
    if (slim_mls_node_is_leaf(node)) {
        return found->u.leaf.leaf.parent_hash; /* empty unless its source is a commit */
    }
    return slim_view_of(found->u.parent.parent_hash, found->u.parent.parent_hash_len);
}

static bool is_unmerged(const struct slim_mls_node *parent, uint32_t leaf)
{
    const struct without list = {parent->u.parent.unmerged, parent->u.parent.unmerged_count};
    return is_without(&list, leaf);
}

/* Section 7.9.2: does a node D of the resolution of `child` carry the parent hash of `node`, and are all others of that
 * resolution unmerged leaves of `node`? */
static enum slim_status has_link(struct slim_mls_tree *tree, uint32_t node, uint32_t child,
                                 uint32_t copath, bool *found)
{
    *found = false;
    uint8_t want[MLS_SECRET_MAX];
    SLIM_TRY(slim_mls_tree_parent_hash(tree, node, copath, want));
    struct slim_mls_indices list = {0};
    enum slim_status status = slim_mls_tree_resolve(tree, child, &list);
    if (status == SLIM_OK) {
        const struct slim_mls_node *parent = tree->nodes[node];
        size_t link_count = 0;
        size_t unmerged_count = 0;
        for (size_t i = 0; i < list.count; i++) {
            uint32_t item = list.items[i];
            if (slim_mls_node_is_leaf(item) && is_unmerged(parent, item / 2)) {
                unmerged_count++;
            } else if (slim_view_is_equal(parent_hash_of(tree, item),
                                          slim_view_of(want, tree->suite->hash_len))) {
                link_count++;
            }
        }
        uint32_t below = 0;
        for (uint32_t i = 0; i < parent->u.parent.unmerged_count; i++) {
            below += slim_mls_node_is_below(2 * parent->u.parent.unmerged[i], child);
        }
        *found = link_count == 1 && unmerged_count == list.count - 1 && unmerged_count == below;
    }
    slim_mls_indices_fini(&list);
    return status;
}

/* Section 12.4.3.1: unmerged leaves exist, are below, and are named by all parents between. */
static enum slim_status check_unmerged(const struct slim_mls_tree *tree, uint32_t node)
{
    const struct slim_mls_node *parent = tree->nodes[node];
    for (uint32_t i = 0; i < parent->u.parent.unmerged_count; i++) {
        uint32_t leaf = parent->u.parent.unmerged[i];
        if (slim_mls_tree_leaf_find(tree, leaf) == NULL ||
            !slim_mls_node_is_below(2 * leaf, node)) {
            return SLIM_ERR_TREE;
        }
        for (uint32_t at = slim_mls_node_parent(2 * leaf); at != node;
             at = slim_mls_node_parent(at)) {
            if (tree->nodes[at] != NULL && !is_unmerged(tree->nodes[at], leaf)) {
                return SLIM_ERR_TREE;
            }
        }
    }
    return SLIM_OK;
}

enum slim_status slim_mls_tree_check_parents(struct slim_mls_tree *tree)
{
    uint32_t node_count = slim_mls_node_count(tree->leaf_count);
    /* all lists before the first resolution: one of them goes through the lists of other nodes */
    for (uint32_t node = 1; node < node_count; node += 2) {
        if (tree->nodes[node] == NULL) {
            continue;
        }
        if (tree->nodes[node]->u.parent.key_len != slim_crypto_dh_public_len(tree->suite->curve)) {
            return SLIM_ERR_TREE;
        }
        SLIM_TRY(check_unmerged(tree, node));
    }
    for (uint32_t node = 1; node < node_count; node += 2) {
        if (tree->nodes[node] == NULL) {
            continue;
        }
        uint32_t left = slim_mls_node_left(node);
        uint32_t right = slim_mls_node_right(node);
        bool from_left;
        bool from_right;
        SLIM_TRY(has_link(tree, node, left, right, &from_left));
        SLIM_TRY(has_link(tree, node, right, left, &from_right));
        if (from_left == from_right) {
            return SLIM_ERR_TREE;
        }
    }
    return SLIM_OK;
}

/* ---- uniqueness */

enum {
    LINEAR_MAX = 16
}; /* beyond that many changed nodes sorting is cheaper than comparing each with all */

static int compare_views(const void *a, const void *b)
{
    const struct slim_view *left = a;
    const struct slim_view *right = b;
    if (left->len != right->len) {
        return left->len < right->len ? -1 : 1;
    }
    return memcmp(left->data, right->data, left->len);
}

static bool has_identity(const struct slim_mls_node *leaf)
{
    static const uint8_t nobody[MLS_IDENTITY_LEN];
    return memcmp(leaf->u.leaf.identity, nobody, sizeof(nobody)) != 0;
}

/* The three things that must differ between nodes. */
enum unique { UNIQUE_ENCRYPTION_KEY, UNIQUE_SIGNATURE_KEY, UNIQUE_IDENTITY, UNIQUE_COUNT };

static bool unique_view(const struct slim_mls_tree *tree, uint32_t node, enum unique what,
                        struct slim_view *view)
{
    const struct slim_mls_node *found = tree->nodes[node];
    if (found == NULL || (what != UNIQUE_ENCRYPTION_KEY && !slim_mls_node_is_leaf(node))) {
        return false;
    }
    switch (what) {
    case UNIQUE_ENCRYPTION_KEY:
        *view = slim_mls_tree_key(tree, node);
        return true;
    case UNIQUE_SIGNATURE_KEY:
        *view = found->u.leaf.leaf.signature_key;
        return true;
    case UNIQUE_IDENTITY:
        *view = slim_view_of(found->u.leaf.identity, MLS_IDENTITY_LEN);
        return has_identity(found);
    case UNIQUE_COUNT:
        break;
    }
    return false;
}

static enum slim_status check_all(const struct slim_mls_tree *tree, enum unique what)
{
    uint32_t node_count = slim_mls_node_count(tree->leaf_count);
    struct slim_view *views = slim_secret_take(1, node_count * sizeof(*views));
    if (views == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    size_t count = 0;
    for (uint32_t node = 0; node < node_count; node++) {
        count += unique_view(tree, node, what, &views[count]);
    }
    qsort(views, count, sizeof(*views), compare_views);
    enum slim_status status = SLIM_OK;
    for (size_t i = 1; i < count; i++) {
        if (slim_view_is_equal(views[i - 1], views[i])) {
            status = SLIM_ERR_EXISTS;
        }
    }
    slim_secret_return(views);
    return status;
}

static enum slim_status check_one(const struct slim_mls_tree *tree, uint32_t node, enum unique what)
{
    struct slim_view view;
    struct slim_view other;
    if (node >= slim_mls_node_count(tree->leaf_count) || !unique_view(tree, node, what, &view)) {
        return SLIM_OK;
    }
    for (uint32_t i = 0; i < slim_mls_node_count(tree->leaf_count); i++) {
        if (i != node && unique_view(tree, i, what, &other) && slim_view_is_equal(view, other)) {
            return SLIM_ERR_EXISTS;
        }
    }
    return SLIM_OK;
}

enum slim_status slim_mls_tree_check_unique(const struct slim_mls_tree *tree,
                                            const struct slim_mls_indices *changed)
{
    for (int what = 0; what < UNIQUE_COUNT; what++) {
        if (changed == NULL || changed->count > LINEAR_MAX) {
            SLIM_TRY(check_all(tree, (enum unique)what));
            continue;
        }
        for (size_t i = 0; i < changed->count; i++) {
            SLIM_TRY(check_one(tree, changed->items[i], (enum unique)what));
        }
    }
    return SLIM_OK;
}
