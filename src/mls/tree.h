/* The ratchet tree (RFC 9420 sections 4, 7): public keys of members (leaves) and of subtrees (parents).
 *
 *              node 3  = root, parent            node = index into an array, appendix C
 *            /        \                          blank nodes are NULL
 *        node 1       node 5
 *       /    \        /    \
 *    node 0 node 2 node 4 node 6
 *    leaf 0 leaf 1 leaf 2 leaf 3
 *
 * Nodes are immutable objects with a count of references, so that a copy of the tree costs two pointers and a hash per leaf: a
 * commit is computed on a copy and the copy replaces the tree when everything holds. A tree and its copies belong to one
 * thread. Tree hashes are kept per node and dropped on the way to the root when something below changes. */
#ifndef SLIM_MLS_TREE_H
#define SLIM_MLS_TREE_H

#include "mls/leaf.h"
#include "mls/tree_math.h"

enum { MLS_IDENTITY_LEN = 32 };

/* unmerged   leaf indices, ascending, of members that do not know this node's private key
 * bytes      owned copy of the received leaf; the views of `leaf` point into it
 * identity   hash of what the caller's credential check called the member; all zeros when it gave no name */
struct slim_mls_node {
    uint32_t ref_count;
    union {
        struct {
            struct slim_mls_leaf leaf;
            uint8_t identity[MLS_IDENTITY_LEN];
            uint8_t *bytes;
        } leaf;
        struct {
            uint8_t key[MLS_KEM_PUBLIC_MAX];
            uint8_t key_len;
            uint8_t parent_hash[MLS_SECRET_MAX];
            uint8_t parent_hash_len;
            uint32_t *unmerged;
            uint32_t unmerged_count;
            uint32_t unmerged_capacity;
        } parent;
    } u;
};

/* leaf_count   a power of two
 * nodes        slim_mls_node_count(leaf_count) pointers, NULL = blank
 * hashes       hash_len bytes for each node, valid where is_hashed is 1
 * first_blank  no leaf below this index is blank */
struct slim_mls_tree {
    const struct slim_mls_suite *suite;
    uint32_t leaf_count;
    struct slim_mls_node **nodes;
    uint8_t *hashes;
    uint8_t *is_hashed;
    uint32_t first_blank;
};

/* A list of node or leaf indices; a zeroed struct is empty. */
struct slim_mls_indices {
    uint32_t *items;
    size_t count;
    size_t capacity;
};
SLIM_MUST_CHECK enum slim_status slim_mls_indices_put(struct slim_mls_indices *list, uint32_t item);
bool slim_mls_indices_have(const struct slim_mls_indices *list, uint32_t item);
void slim_mls_indices_fini(struct slim_mls_indices *list);

/* A tree of one blank leaf. */
SLIM_MUST_CHECK enum slim_status slim_mls_tree_init(struct slim_mls_tree *tree,
                                                    const struct slim_mls_suite *suite);
void slim_mls_tree_fini(struct slim_mls_tree *tree);
/* Give back the memory of the hashes, for a tree in which nobody computes any more. */
void slim_mls_tree_shed(struct slim_mls_tree *tree);

SLIM_MUST_CHECK enum slim_status slim_mls_tree_clone(const struct slim_mls_tree *from,
                                                     struct slim_mls_tree *to);

/* optional<Node> ratchet_tree<V>, section 12.4.3.3; `in` is the list without its length header.
 *   SLIM_ERR_MALFORMED   not decodable, a node of the wrong kind for its place, or a blank node at the end
 *   SLIM_ERR_LIMIT       more than MLS_LEAF_COUNT_MAX leaves */
SLIM_MUST_CHECK enum slim_status slim_mls_tree_read(const struct slim_mls_suite *suite,
                                                    struct slim_view in,
                                                    struct slim_mls_tree *tree);

/* The same list, without length header. */
void slim_mls_tree_put(struct slim_mls_out *out, const struct slim_mls_tree *tree);

/* The leaves of a tree of an ended epoch, for a stored group: those that are the same in `current` by a mark only. What is read
 * has no parents and no hashes, and shares its leaves with `current`.
 *   SLIM_ERR_MALFORMED   not decodable, or a mark where `current` has no leaf */
void slim_mls_tree_put_past(struct slim_mls_out *out, const struct slim_mls_tree *tree,
                            const struct slim_mls_tree *current);
SLIM_MUST_CHECK enum slim_status slim_mls_tree_take_past(struct slim_view *in,
                                                         const struct slim_mls_tree *current,
                                                         struct slim_mls_tree *tree);

/* The leaf with that index; NULL when it is blank or beyond the tree. */
struct slim_mls_node *slim_mls_tree_leaf_find(const struct slim_mls_tree *tree,
                                              uint32_t leaf_index);
uint32_t slim_mls_tree_member_count(const struct slim_mls_tree *tree);

/* Encryption key of a node that is not blank. */
struct slim_view slim_mls_tree_key(const struct slim_mls_tree *tree, uint32_t node);

/* Section 7.7 and 12.1: put a leaf into the leftmost blank place (growing the tree), over an old leaf, or blank it (shrinking the
 * tree). `bytes` is one encoded LeafNode.
 *   SLIM_ERR_LIMIT       the tree is full
 *   SLIM_ERR_INVALID     update or removal of a blank leaf
 *   SLIM_ERR_MALFORMED   bytes is not a LeafNode */
SLIM_MUST_CHECK enum slim_status
slim_mls_tree_add_leaf(struct slim_mls_tree *tree, struct slim_view bytes, uint32_t *leaf_index);
SLIM_MUST_CHECK enum slim_status
slim_mls_tree_update_leaf(struct slim_mls_tree *tree, uint32_t leaf_index, struct slim_view bytes);
SLIM_MUST_CHECK enum slim_status slim_mls_tree_remove_leaf(struct slim_mls_tree *tree,
                                                           uint32_t leaf_index);

/* Replace a leaf and leave its ancestors as they are (the last step of an update path). */
SLIM_MUST_CHECK enum slim_status
slim_mls_tree_set_leaf(struct slim_mls_tree *tree, uint32_t leaf_index, struct slim_view bytes);

/* Replace a parent node; unmerged leaves are none. */
SLIM_MUST_CHECK enum slim_status slim_mls_tree_set_parent(struct slim_mls_tree *tree, uint32_t node,
                                                          struct slim_view key,
                                                          struct slim_view parent_hash);
void slim_mls_tree_blank(struct slim_mls_tree *tree, uint32_t node);

/* Section 4.1.1: append the nodes that together cover all members below `node`. */
SLIM_MUST_CHECK enum slim_status slim_mls_tree_resolve(const struct slim_mls_tree *tree,
                                                       uint32_t node,
                                                       struct slim_mls_indices *list);

/* One node of a filtered direct path and its child that is not on the path. */
struct slim_mls_path_step {
    uint32_t node;
    uint32_t copath;
};

struct slim_mls_path_steps {
    struct slim_mls_path_step items[MLS_DEPTH_MAX];
    size_t count;
};

/* Section 4.1.2: from the parent of the leaf to the root, without nodes whose other child has an empty resolution. */
void slim_mls_tree_filtered_path(const struct slim_mls_tree *tree, uint32_t leaf_index,
                                 struct slim_mls_path_steps *steps);

/* ---- hashes and validity (tree_hash.c) */

/* Section 7.8: hash_len bytes, borrowed until the tree changes. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_mls_tree_hash(struct slim_mls_tree *tree, uint32_t node,
                                                    const uint8_t **hash);
SLIM_MUST_CHECK enum slim_status slim_mls_tree_root_hash(struct slim_mls_tree *tree,
                                                         const uint8_t **hash);

/* Section 7.9: parent hash of the parent `node` for the child that is not `copath`. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status
slim_mls_tree_parent_hash(struct slim_mls_tree *tree, uint32_t node, uint32_t copath, uint8_t *out);

/* Section 7.9.2 and the rules for unmerged leaves of 12.4.3.1.  SLIM_ERR_TREE, SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_mls_tree_check_parents(struct slim_mls_tree *tree);

/* No encryption key twice in the tree, no signature key and no identity twice among the leaves, looking at the `changed` nodes
 * against all, or at all of them when changed is NULL.  SLIM_ERR_EXISTS, SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_mls_tree_check_unique(const struct slim_mls_tree *tree,
                                                            const struct slim_mls_indices *changed);

#endif
