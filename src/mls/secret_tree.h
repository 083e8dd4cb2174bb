/* Message keys of one epoch (RFC 9420 section 9): a tree of secrets, one handshake and one application ratchet per leaf.
 *
 * Secrets are derived when somebody speaks and overwritten as soon as everything below or after them is derived. The tree is
 * sparse: `entries` are the roots of those subtrees in which nobody has spoken yet. */
#ifndef SLIM_MLS_SECRET_TREE_H
#define SLIM_MLS_SECRET_TREE_H

#include "mls/suite.h"
#include "mls/tree_math.h"

enum slim_mls_ratchet_kind {
    MLS_RATCHET_HANDSHAKE = 0,
    MLS_RATCHET_APPLICATION = 1,
    MLS_RATCHET_KIND_COUNT = 2
};

/* Key and nonce of one message. Secret. */
struct slim_mls_message_key {
    uint8_t key[SLIM_CRYPTO_AEAD_KEY_MAX];
    uint8_t nonce[SLIM_CRYPTO_NONCE_LEN];
};

struct slim_mls_secret_entry {
    uint32_t node;
    uint8_t secret[MLS_SECRET_MAX];
};

struct slim_mls_skipped_key {
    uint32_t generation;
    struct slim_mls_message_key key;
};

/* generation   of the next message; `secret` belongs to it
 * skipped      keys below `generation` whose messages have not come, oldest first */
struct slim_mls_ratchet {
    uint32_t generation;
    uint8_t secret[MLS_SECRET_MAX];
    struct slim_mls_skipped_key *skipped;
    uint32_t skipped_count;
    uint32_t skipped_capacity;
};

struct slim_mls_leaf_ratchets {
    uint32_t leaf;
    struct slim_mls_ratchet kinds[MLS_RATCHET_KIND_COUNT];
};

/* Both lists are sorted by node and by leaf. skipped_max bounds `skipped` of each ratchet; the oldest key goes first. */
struct slim_mls_secret_tree {
    const struct slim_mls_suite *suite;
    uint32_t leaf_count;
    uint32_t skipped_max;
    struct slim_mls_secret_entry *entries;
    uint32_t entry_count;
    uint32_t entry_capacity;
    struct slim_mls_leaf_ratchets **ratchets;
    uint32_t ratchet_count;
    uint32_t ratchet_capacity;
};

SLIM_MUST_CHECK enum slim_status slim_mls_secret_tree_init(struct slim_mls_secret_tree *tree,
                                                           const struct slim_mls_suite *suite,
                                                           uint32_t leaf_count,
                                                           uint32_t skipped_max,
                                                           const uint8_t *encryption_secret);

/* Wipe and free all. A zeroed struct is allowed. */
void slim_mls_secret_tree_fini(struct slim_mls_secret_tree *tree);

/* The key for our next message, which is thereby used up.
 *   SLIM_ERR_LIMIT   2^32 - 1 messages were sent in this epoch */
SLIM_MUST_CHECK enum slim_status slim_mls_secret_tree_next(struct slim_mls_secret_tree *tree,
                                                           uint32_t leaf,
                                                           enum slim_mls_ratchet_kind kind,
                                                           uint32_t *generation,
                                                           struct slim_mls_message_key *key);

/* The key of a received message, which stays until slim_mls_secret_tree_use.
 *   SLIM_ERR_REPLAYED   that generation was used
 *   SLIM_ERR_LIMIT      more than MLS_GENERATION_JUMP_MAX ahead
 *   SLIM_ERR_INVALID    no such leaf */
SLIM_MUST_CHECK enum slim_status slim_mls_secret_tree_find(struct slim_mls_secret_tree *tree,
                                                           uint32_t leaf,
                                                           enum slim_mls_ratchet_kind kind,
                                                           uint32_t generation,
                                                           struct slim_mls_message_key *key);

/* Delete that key, keeping those of the generations it skipped. Right after a successful find with the same arguments.
 *   SLIM_ERR_NO_MEMORY  nothing changed */
SLIM_MUST_CHECK enum slim_status slim_mls_secret_tree_use(struct slim_mls_secret_tree *tree,
                                                          uint32_t leaf,
                                                          enum slim_mls_ratchet_kind kind,
                                                          uint32_t generation);

/* For a stored group: our own form, not one of the RFC. */
void slim_mls_put_secret_tree(struct slim_mls_out *out, const struct slim_mls_secret_tree *tree);
SLIM_MUST_CHECK enum slim_status slim_mls_take_secret_tree(struct slim_view *in,
                                                           const struct slim_mls_suite *suite,
                                                           uint32_t skipped_max,
                                                           struct slim_mls_secret_tree *tree);

#endif
