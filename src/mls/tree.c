/* RFC 9420 sections 4, 7.7, 12.4.3.3 and the tree side of 12.1. */
#include "mls/tree.h"
#include "base/secret.h"

enum { NODE_LEAF = 1, NODE_PARENT = 2 };

/* ---- lists */

enum slim_status slim_mls_indices_put(struct slim_mls_indices *list, uint32_t item)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 16 : list->capacity * 2;
        uint32_t *items = slim_secret_resize(list->items, capacity * sizeof(*items));
        if (items == NULL) {
            return SLIM_ERR_NO_MEMORY;
        }
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = item;
    return SLIM_OK;
}

bool slim_mls_indices_have(const struct slim_mls_indices *list, uint32_t item)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i] == item) {
            return true;
        }
    }
    return false;
}

void slim_mls_indices_fini(struct slim_mls_indices *list)
{
    slim_secret_return(list->items);
    *list = (struct slim_mls_indices){0};
}

/* ---- nodes. Which kind a node is follows from its place: even numbers are leaves. */

static struct slim_mls_node *node_ref(struct slim_mls_node *node)
{
    if (node != NULL) {
        node->ref_count++;
    }
    return node;
}

static void node_unref(struct slim_mls_node *node, bool is_leaf)
{
    if (node == NULL || --node->ref_count > 0) {
        return;
    }
    if (is_leaf) {
        slim_secret_return(node->u.leaf.bytes);
    } else {
        slim_secret_return(node->u.parent.unmerged);
    }
    slim_secret_return(node);
}

static enum slim_status leaf_new(struct slim_view bytes, struct slim_mls_node **made)
{
    struct slim_mls_node *node = slim_secret_take(1, sizeof(*node));
    uint8_t *copy = slim_secret_take(1, bytes.len > 0 ? bytes.len : 1);
    enum slim_status status = SLIM_ERR_NO_MEMORY;
    if (node != NULL && copy != NULL) {
        memcpy(copy, bytes.data, bytes.len);
        struct slim_view in = slim_view_of(copy, bytes.len);
        status = slim_mls_take_leaf(&in, &node->u.leaf.leaf);
        if (status == SLIM_OK && in.len > 0) {
            status = SLIM_ERR_MALFORMED;
        }
    }
    if (status != SLIM_OK) {
        slim_secret_return(copy);
        slim_secret_return(node);
        return status;
    }
    node->ref_count = 1;
    node->u.leaf.bytes = copy;
    *made = node;
    return SLIM_OK;
}

static enum slim_status parent_new(struct slim_view key, struct slim_view parent_hash,
                                   struct slim_mls_node **made)
{
    if (key.len > MLS_KEM_PUBLIC_MAX || parent_hash.len > MLS_SECRET_MAX) {
        return SLIM_ERR_INVALID;
    }
    struct slim_mls_node *node = slim_secret_take(1, sizeof(*node));
    if (node == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    node->ref_count = 1;
    memcpy(node->u.parent.key, key.data, key.len);
    node->u.parent.key_len = (uint8_t)key.len;
    if (parent_hash.len > 0) {
        memcpy(node->u.parent.parent_hash, parent_hash.data, parent_hash.len);
    }
    node->u.parent.parent_hash_len = (uint8_t)parent_hash.len;
    *made = node;
    return SLIM_OK;
}

static enum slim_status parent_reserve(struct slim_mls_node *node, uint32_t count)
{
    if (count <= node->u.parent.unmerged_capacity) {
        return SLIM_OK;
    }
    uint32_t capacity =
        node->u.parent.unmerged_capacity == 0 ? 4 : node->u.parent.unmerged_capacity;
    while (capacity < count) {
        capacity *= 2;
    }
    uint32_t *list = slim_secret_resize(node->u.parent.unmerged, capacity * sizeof(*list));
    if (list == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    node->u.parent.unmerged = list;
    node->u.parent.unmerged_capacity = capacity;
    return SLIM_OK;
}

/* ---- the array */

static void forget_hashes(struct slim_mls_tree *tree, uint32_t node)
{
    uint32_t root = slim_mls_node_root(tree->leaf_count);
    tree->is_hashed[node] = 0;
    while (node != root) {
        node = slim_mls_node_parent(node);
        tree->is_hashed[node] = 0;
    }
}

/* Takes the reference `made`. */
static void set_node(struct slim_mls_tree *tree, uint32_t node, struct slim_mls_node *made)
{
    node_unref(tree->nodes[node], slim_mls_node_is_leaf(node));
    tree->nodes[node] = made;
    forget_hashes(tree, node);
}

static enum slim_status arrays_new(const struct slim_mls_suite *suite, uint32_t leaf_count,
                                   struct slim_mls_tree *tree)
{
    size_t count = slim_mls_node_count(leaf_count);
    *tree = (struct slim_mls_tree){.suite = suite, .leaf_count = leaf_count};
    tree->nodes = slim_secret_take(count, sizeof(struct slim_mls_node *));
    tree->hashes = slim_secret_take(1, count * suite->hash_len);
    tree->is_hashed = slim_secret_take(count, 1);
    if (tree->nodes == NULL || tree->hashes == NULL || tree->is_hashed == NULL) {
        slim_mls_tree_fini(tree);
        return SLIM_ERR_NO_MEMORY;
    }
    return SLIM_OK;
}

enum slim_status slim_mls_tree_init(struct slim_mls_tree *tree, const struct slim_mls_suite *suite)
{
    return arrays_new(suite, 1, tree);
}

void slim_mls_tree_fini(struct slim_mls_tree *tree)
{
    if (tree->nodes != NULL) {
        for (uint32_t i = 0; i < slim_mls_node_count(tree->leaf_count); i++) {
            node_unref(tree->nodes[i], slim_mls_node_is_leaf(i));
        }
    }
    slim_secret_return(tree->nodes);
    slim_secret_return(tree->hashes);
    slim_secret_return(tree->is_hashed);
    *tree = (struct slim_mls_tree){0};
}

void slim_mls_tree_shed(struct slim_mls_tree *tree)
{
    slim_secret_return(tree->hashes);
    slim_secret_return(tree->is_hashed);
    tree->hashes = NULL;
    tree->is_hashed = NULL;
}

/* Copy the first nodes of one tree into the new arrays of another. */
static void copy_nodes(const struct slim_mls_tree *from, struct slim_mls_tree *to, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        to->nodes[i] = node_ref(from->nodes[i]);
    }
    memcpy(to->hashes, from->hashes, count * from->suite->hash_len);
    memcpy(to->is_hashed, from->is_hashed, count);
    to->first_blank = from->first_blank < to->leaf_count ? from->first_blank : to->leaf_count;
}

enum slim_status slim_mls_tree_clone(const struct slim_mls_tree *from, struct slim_mls_tree *to)
{
    SLIM_TRY(arrays_new(from->suite, from->leaf_count, to));
    copy_nodes(from, to, slim_mls_node_count(from->leaf_count));
    return SLIM_OK;
}

static enum slim_status resize(struct slim_mls_tree *tree, uint32_t leaf_count)
{
    struct slim_mls_tree made;
    SLIM_TRY(arrays_new(tree->suite, leaf_count, &made));
    uint32_t smaller = leaf_count < tree->leaf_count ? leaf_count : tree->leaf_count;
    copy_nodes(tree, &made, slim_mls_node_count(smaller));
    slim_mls_tree_fini(tree);
    *tree = made;
    return SLIM_OK;
}

/* ---- reading and writing */

static enum slim_status take_parent(struct slim_view *in, struct slim_mls_node **made)
{
    struct slim_view key;
    struct slim_view parent_hash;
    struct slim_view unmerged;
    SLIM_TRY(slim_mls_take_opaque(in, &key));
    SLIM_TRY(slim_mls_take_opaque(in, &parent_hash));
    SLIM_TRY(slim_mls_take_opaque(in, &unmerged));
    if (unmerged.len % 4 != 0 || unmerged.len / 4 > MLS_LEAF_COUNT_MAX) {
        return SLIM_ERR_MALFORMED;
    }
    struct slim_mls_node *node;
    SLIM_TRY(parent_new(key, parent_hash, &node));
    uint32_t count = (uint32_t)(unmerged.len / 4);
    enum slim_status status = parent_reserve(node, count);
    for (uint32_t i = 0; status == SLIM_OK && i < count; i++) {
        status = slim_mls_take_u32(&unmerged, &node->u.parent.unmerged[i]);
        if (status == SLIM_OK && i > 0 &&
            node->u.parent.unmerged[i] <= node->u.parent.unmerged[i - 1]) {
            status = SLIM_ERR_TREE; /* sorted, none twice */
        }
    }
    if (status != SLIM_OK) {
        node_unref(node, false);
        return status;
    }
    node->u.parent.unmerged_count = count;
    *made = node;
    return SLIM_OK;
}

static enum slim_status take_node(struct slim_view *in, bool is_leaf, struct slim_mls_node **made)
{
    uint8_t kind;
    SLIM_TRY(slim_mls_take_u8(in, &kind));
    if (kind != (is_leaf ? NODE_LEAF : NODE_PARENT)) {
        return SLIM_ERR_MALFORMED;
    }
    if (!is_leaf) {
        return take_parent(in, made);
    }
    struct slim_view before = *in;
    struct slim_mls_leaf leaf;
    SLIM_TRY(slim_mls_take_leaf(in, &leaf));
    return leaf_new(slim_mls_taken(before, *in), made);
}

enum slim_status slim_mls_tree_read(const struct slim_mls_suite *suite, struct slim_view in,
                                    struct slim_mls_tree *tree)
{
    /* every node takes a byte at least, so the arrays are bounded by the input before they are by the limit */
    uint32_t leaf_count = 1;
    struct slim_mls_tree made;
    SLIM_TRY(arrays_new(suite, leaf_count, &made));
    enum slim_status status = SLIM_OK;
    bool is_present = false;
    for (uint32_t i = 0; in.len > 0; i++) {
        if (i == slim_mls_node_count(made.leaf_count)) {
            status = made.leaf_count == MLS_LEAF_COUNT_MAX ? SLIM_ERR_LIMIT
                                                           : resize(&made, made.leaf_count * 2);
        }
        if (status == SLIM_OK) {
            status = slim_mls_take_optional(&in, &is_present);
        }
        if (status == SLIM_OK && is_present) {
            status = take_node(&in, slim_mls_node_is_leaf(i), &made.nodes[i]);
        }
        if (status != SLIM_OK) {
            break;
        }
    }
    if (status == SLIM_OK && !is_present) {
        status = SLIM_ERR_MALFORMED; /* empty, or blank nodes at the end */
    }
    if (status != SLIM_OK) {
        slim_mls_tree_fini(&made);
        return status;
    }
    *tree = made;
    return SLIM_OK;
}

static void put_parent(struct slim_mls_out *out, const struct slim_mls_node *node)
{
    slim_mls_put_opaque(out, slim_view_of(node->u.parent.key, node->u.parent.key_len));
    slim_mls_put_opaque(out,
                        slim_view_of(node->u.parent.parent_hash, node->u.parent.parent_hash_len));
    size_t mark = slim_mls_put_begin(out);
    for (uint32_t i = 0; i < node->u.parent.unmerged_count; i++) {
        slim_mls_put_u32(out, node->u.parent.unmerged[i]);
    }
    slim_mls_put_end(out, mark);
}

void slim_mls_tree_put(struct slim_mls_out *out, const struct slim_mls_tree *tree)
{
    uint32_t count = slim_mls_node_count(tree->leaf_count);
    while (count > 0 && tree->nodes[count - 1] == NULL) {
        count--;
    }
    for (uint32_t i = 0; i < count; i++) {
        slim_mls_put_u8(out, tree->nodes[i] != NULL ? 1 : 0);
        if (tree->nodes[i] == NULL) {
            continue;
        }
        if (slim_mls_node_is_leaf(i)) {
            slim_mls_put_u8(out, NODE_LEAF);
            slim_mls_put_bytes(out, tree->nodes[i]->u.leaf.leaf.bytes);
        } else {
            slim_mls_put_u8(out, NODE_PARENT);
            put_parent(out, tree->nodes[i]);
        }
    }
}

enum { PAST_BLANK = 0, PAST_SAME = 1, PAST_OTHER = 2 };

static bool is_same_leaf(const struct slim_mls_node *a, const struct slim_mls_node *b)
{
    return a == b || (b != NULL && slim_view_is_equal(a->u.leaf.leaf.bytes, b->u.leaf.leaf.bytes));
}

void slim_mls_tree_put_past(struct slim_mls_out *out, const struct slim_mls_tree *tree,
                            const struct slim_mls_tree *current)
{
    slim_mls_put_u32(out, tree->leaf_count);
    for (uint32_t i = 0; i < tree->leaf_count; i++) {
        const struct slim_mls_node *leaf = tree->nodes[2 * i];
        if (leaf == NULL) {
            slim_mls_put_u8(out, PAST_BLANK);
        } else if (is_same_leaf(leaf, slim_mls_tree_leaf_find(current, i))) {
            slim_mls_put_u8(out, PAST_SAME);
        } else {
            slim_mls_put_u8(out, PAST_OTHER);
            slim_mls_put_opaque(out, leaf->u.leaf.leaf.bytes);
        }
    }
}

static enum slim_status take_past_leaf(struct slim_view *in, struct slim_mls_node *current,
                                       struct slim_mls_node **leaf)
{
    uint8_t kind;
    struct slim_view bytes;
    SLIM_TRY(slim_mls_take_u8(in, &kind));
    switch (kind) {
    case PAST_BLANK:
        return SLIM_OK;
    case PAST_SAME:
        *leaf = node_ref(current);
        return current != NULL ? SLIM_OK : SLIM_ERR_MALFORMED;
    case PAST_OTHER:
        SLIM_TRY(slim_mls_take_opaque(in, &bytes));
        return leaf_new(bytes, leaf);
    default: /* a byte of the stored state, not an enum */
        return SLIM_ERR_MALFORMED;
    }
}

enum slim_status slim_mls_tree_take_past(struct slim_view *in, const struct slim_mls_tree *current,
                                         struct slim_mls_tree *tree)
{
    uint32_t leaf_count;
    struct slim_mls_tree made;
    SLIM_TRY(slim_mls_take_u32(in, &leaf_count));
    if (leaf_count == 0 || leaf_count > MLS_LEAF_COUNT_MAX || leaf_count > in->len ||
        (leaf_count & (leaf_count - 1)) != 0) {
        return SLIM_ERR_MALFORMED;
    }
    SLIM_TRY(arrays_new(current->suite, leaf_count, &made));
    for (uint32_t i = 0; i < leaf_count; i++) {
        enum slim_status status =
            take_past_leaf(in, slim_mls_tree_leaf_find(current, i), &made.nodes[2 * i]);
        if (status != SLIM_OK) {
            slim_mls_tree_fini(&made);
            return status;
        }
    }
    slim_mls_tree_shed(&made);
    *tree = made;
    return SLIM_OK;
}

/* ---- looking */

struct slim_mls_node *slim_mls_tree_leaf_find(const struct slim_mls_tree *tree, uint32_t leaf_index)
{
    return leaf_index < tree->leaf_count ? tree->nodes[2 * leaf_index] : NULL;
}

uint32_t slim_mls_tree_member_count(const struct slim_mls_tree *tree)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < tree->leaf_count; i++) {
        count += tree->nodes[2 * i] != NULL;
    }
    return count;
}

struct slim_view slim_mls_tree_key(const struct slim_mls_tree *tree, uint32_t node)
{
    const struct slim_mls_node *found = tree->nodes[node];
    if (slim_mls_node_is_leaf(node)) {
        return found->u.leaf.leaf.encryption_key;
    }
    return slim_view_of(found->u.parent.key, found->u.parent.key_len);
}

/* The depth is that of the tree: at most MLS_DEPTH_MAX. */
enum slim_status slim_mls_tree_resolve(const struct slim_mls_tree *tree, uint32_t node,
                                       struct slim_mls_indices *list)
{
    const struct slim_mls_node *found = tree->nodes[node];
    if (found != NULL) {
        SLIM_TRY(slim_mls_indices_put(list, node));
        if (!slim_mls_node_is_leaf(node)) {
            for (uint32_t i = 0; i < found->u.parent.unmerged_count; i++) {
                SLIM_TRY(slim_mls_indices_put(list, 2 * found->u.parent.unmerged[i]));
            }
        }
        return SLIM_OK;
    }
    if (slim_mls_node_is_leaf(node)) {
        return SLIM_OK;
    }
    SLIM_TRY(slim_mls_tree_resolve(tree, slim_mls_node_left(node), list));
    return slim_mls_tree_resolve(tree, slim_mls_node_right(node), list);
}

static bool is_all_blank(const struct slim_mls_tree *tree, uint32_t node)
{
    uint32_t half = (UINT32_C(1) << slim_mls_node_level(node)) - 1;
    for (uint32_t i = node - half; i <= node + half; i++) {
        if (tree->nodes[i] != NULL) {
            return false;
        }
    }
    return true;
}

void slim_mls_tree_filtered_path(const struct slim_mls_tree *tree, uint32_t leaf_index,
                                 struct slim_mls_path_steps *steps)
{
    uint32_t root = slim_mls_node_root(tree->leaf_count);
    uint32_t node = 2 * leaf_index;
    steps->count = 0;
    while (node != root) {
        uint32_t copath = slim_mls_node_sibling(node);
        node = slim_mls_node_parent(node);
        if (!is_all_blank(tree, copath)) {
            steps->items[steps->count++] = (struct slim_mls_path_step){node, copath};
        }
    }
}

/* ---- changing */

void slim_mls_tree_blank(struct slim_mls_tree *tree, uint32_t node)
{
    if (tree->nodes[node] != NULL) {
        set_node(tree, node, NULL);
    }
}

static void blank_ancestors(struct slim_mls_tree *tree, uint32_t node)
{
    uint32_t root = slim_mls_node_root(tree->leaf_count);
    while (node != root) {
        node = slim_mls_node_parent(node);
        slim_mls_tree_blank(tree, node);
    }
}

/* Put a leaf into the sorted list of a parent, on a copy of the node when somebody else sees it. */
static enum slim_status add_unmerged(struct slim_mls_tree *tree, uint32_t node, uint32_t leaf_index)
{
    struct slim_mls_node *found = tree->nodes[node];
    if (found->ref_count > 1) {
        struct slim_mls_node *copy;
        SLIM_TRY(parent_new(
            slim_view_of(found->u.parent.key, found->u.parent.key_len),
            slim_view_of(found->u.parent.parent_hash, found->u.parent.parent_hash_len), &copy));
        if (parent_reserve(copy, found->u.parent.unmerged_count + 1) != SLIM_OK) {
            node_unref(copy, false);
            return SLIM_ERR_NO_MEMORY;
        }
        for (uint32_t i = 0; i < found->u.parent.unmerged_count; i++) {
            copy->u.parent.unmerged[i] = found->u.parent.unmerged[i];
        }
        copy->u.parent.unmerged_count = found->u.parent.unmerged_count;
        set_node(tree, node, copy);
        found = copy;
    }
    SLIM_TRY(parent_reserve(found, found->u.parent.unmerged_count + 1));
    uint32_t at = found->u.parent.unmerged_count++;
    for (; at > 0 && found->u.parent.unmerged[at - 1] > leaf_index; at--) {
        found->u.parent.unmerged[at] = found->u.parent.unmerged[at - 1];
    }
    found->u.parent.unmerged[at] = leaf_index;
    return SLIM_OK;
}

enum slim_status slim_mls_tree_add_leaf(struct slim_mls_tree *tree, struct slim_view bytes,
                                        uint32_t *leaf_index)
{
    uint32_t index = tree->first_blank;
    while (index < tree->leaf_count && tree->nodes[2 * index] != NULL) {
        index++;
    }
    if (index == tree->leaf_count) {
        if (tree->leaf_count == MLS_LEAF_COUNT_MAX) {
            return SLIM_ERR_LIMIT;
        }
        SLIM_TRY(resize(tree, tree->leaf_count * 2));
    }
    struct slim_mls_node *made;
    SLIM_TRY(leaf_new(bytes, &made));
    set_node(tree, 2 * index, made);
    uint32_t root = slim_mls_node_root(tree->leaf_count);
    for (uint32_t node = 2 * index; node != root;) {
        node = slim_mls_node_parent(node);
        if (tree->nodes[node] != NULL) {
            SLIM_TRY(add_unmerged(tree, node, index));
        }
    }
    tree->first_blank = index + 1;
    *leaf_index = index;
    return SLIM_OK;
}

enum slim_status slim_mls_tree_set_leaf(struct slim_mls_tree *tree, uint32_t leaf_index,
                                        struct slim_view bytes)
{
    if (leaf_index >= tree->leaf_count) {
        return SLIM_ERR_INVALID;
    }
    struct slim_mls_node *made;
    SLIM_TRY(leaf_new(bytes, &made));
    set_node(tree, 2 * leaf_index, made);
    return SLIM_OK;
}

enum slim_status slim_mls_tree_update_leaf(struct slim_mls_tree *tree, uint32_t leaf_index,
                                           struct slim_view bytes)
{
    if (slim_mls_tree_leaf_find(tree, leaf_index) == NULL) {
        return SLIM_ERR_INVALID;
    }
    SLIM_TRY(slim_mls_tree_set_leaf(tree, leaf_index, bytes));
    blank_ancestors(tree, 2 * leaf_index);
    return SLIM_OK;
}

enum slim_status slim_mls_tree_remove_leaf(struct slim_mls_tree *tree, uint32_t leaf_index)
{
    if (slim_mls_tree_leaf_find(tree, leaf_index) == NULL) {
        return SLIM_ERR_INVALID;
    }
    slim_mls_tree_blank(tree, 2 * leaf_index);
    blank_ancestors(tree, 2 * leaf_index);
    if (leaf_index < tree->first_blank) {
        tree->first_blank = leaf_index;
    }
    uint32_t leaf_count = tree->leaf_count;
    while (leaf_count > 1 &&
           is_all_blank(tree, slim_mls_node_right(slim_mls_node_root(leaf_count)))) {
        leaf_count /= 2;
    }
    return leaf_count == tree->leaf_count ? SLIM_OK : resize(tree, leaf_count);
}

enum slim_status slim_mls_tree_set_parent(struct slim_mls_tree *tree, uint32_t node,
                                          struct slim_view key, struct slim_view parent_hash)
{
    struct slim_mls_node *made;
    SLIM_TRY(parent_new(key, parent_hash, &made));
    set_node(tree, node, made);
    return SLIM_OK;
}
