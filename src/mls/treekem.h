/* Update paths (RFC 9420 sections 7.4 - 7.6): new keys for the nodes above a leaf, told to everybody below the siblings. */
#ifndef SLIM_MLS_TREEKEM_H
#define SLIM_MLS_TREEKEM_H

#include "mls/proposal.h"
#include "mls/tree.h"

/* The private keys that one member holds: of its leaf (level 0) and of those ancestors it knows. Secret. */
struct slim_mls_private {
    uint32_t leaf_index;
    bool is_known[MLS_DEPTH_MAX];
    uint8_t keys[MLS_DEPTH_MAX][MLS_KEM_PRIVATE_MAX];
};

/* Forget keys of nodes that are blank or beyond the tree now. */
void slim_mls_private_prune(struct slim_mls_private *own, const struct slim_mls_tree *tree);

/* Derive the node key pair of a path secret and compare with the tree; store it.
 *   SLIM_ERR_TREE   the tree has another public key, or none, at that node */
SLIM_MUST_CHECK enum slim_status slim_mls_private_put(struct slim_mls_private *own,
                                                      const struct slim_mls_tree *tree,
                                                      uint32_t node, const uint8_t *path_secret);

/* From the path secret of `steps[from]` on: store the keys of that node and all above it on the path and give the commit
 * secret.  SLIM_ERR_TREE as above. */
SLIM_MUST_CHECK enum slim_status slim_mls_path_follow(struct slim_mls_private *own,
                                                      const struct slim_mls_tree *tree,
                                                      const struct slim_mls_path_steps *steps,
                                                      size_t from, const uint8_t *path_secret,
                                                      uint8_t *commit_secret);

/* Path secrets of a path that we make, one for each step. Secret. */
struct slim_mls_path_secrets {
    struct slim_mls_path_steps steps;
    uint8_t secrets[MLS_DEPTH_MAX][MLS_SECRET_MAX];
    uint8_t commit_secret[MLS_SECRET_MAX];
};

/* Begin a path for our leaf: random path secrets, new parents in the tree, their private keys in *own (level 0 gets a new key
 * as well), and the parent hash for the leaf (0 bytes when there is no parent). The tree is left for the caller to complete
 * with slim_mls_tree_set_leaf. */
SLIM_MUST_CHECK enum slim_status
slim_mls_path_begin(struct slim_mls_tree *tree, const struct slim_mls_random *random,
                    struct slim_mls_private *own, struct slim_mls_path_secrets *path,
                    uint8_t *leaf_public_key, uint8_t *parent_hash, size_t *parent_hash_len);

/* How many ciphertexts a path of that leaf would carry: the nodes in the resolutions of its copath without `added`. */
SLIM_MUST_CHECK enum slim_status slim_mls_path_target_count(const struct slim_mls_tree *tree,
                                                            uint32_t leaf_index,
                                                            const struct slim_mls_indices *added,
                                                            size_t *count);

/* Append UpdatePathNode nodes<V>: each path secret encrypted to the resolution of the copath child without the `added` leaves
 * (node indices). */
SLIM_MUST_CHECK enum slim_status slim_mls_path_encrypt(const struct slim_mls_tree *tree,
                                                       const struct slim_mls_random *random,
                                                       const struct slim_mls_path_secrets *path,
                                                       const struct slim_mls_indices *added,
                                                       struct slim_view group_context,
                                                       struct slim_mls_out *out);

/* Merge a received path of `sender` into the tree (section 7.5): public keys, parent hashes and the leaf, whose signature the
 * caller checks.
 *   SLIM_ERR_INVALID   not one node for each step, or a key of a wrong length
 *   SLIM_ERR_TREE      the parent hash of the leaf does not follow from the path */
SLIM_MUST_CHECK enum slim_status slim_mls_path_apply(struct slim_mls_tree *tree, uint32_t sender,
                                                     const struct slim_mls_update_path *path,
                                                     struct slim_mls_path_steps *steps);

/* Decrypt the path secret meant for us: after slim_mls_path_apply, with the steps it gave. `from` is the step it belongs to.
 *   SLIM_ERR_INVALID   the list of ciphertexts does not fit the resolution, or the secret has a wrong length
 *   SLIM_ERR_TREE      we hold no key of that resolution
 *   SLIM_ERR_DECRYPT */
SLIM_MUST_CHECK enum slim_status
slim_mls_path_decrypt(const struct slim_mls_tree *tree, const struct slim_mls_private *own,
                      const struct slim_mls_update_path *path,
                      const struct slim_mls_path_steps *steps, const struct slim_mls_indices *added,
                      struct slim_view group_context, size_t *from, uint8_t *path_secret);

/* Index of the step of a path at which the leaf hangs below the copath child; steps->count when there is none. */
size_t slim_mls_path_common(const struct slim_mls_path_steps *steps, uint32_t leaf_index);

#endif
