/* The bounds of everything that comes from outside. At a bound the call returns SLIM_ERR_LIMIT and changes nothing. */
#ifndef SLIM_MLS_LIMITS_H
#define SLIM_MLS_LIMITS_H

#include "base/crypto.h"

enum {
    MLS_MESSAGE_BYTES_MAX = 4 << 20, /* one MLSMessage, and one vector inside it */
    MLS_PLAINTEXT_BYTES_MAX =
        (7 << 19) -
        4096, /* application data: with its signature it is padded to 7/8 of a message */
    MLS_TREE_BYTES_MAX = 64 << 20, /* a ratchet tree handed in beside a Welcome */
    MLS_LEAF_COUNT_MAX = 1 << 16,  /* leaves of the tree, blank ones included */
    MLS_DEPTH_MAX =
        17, /* nodes on the way from a leaf (exclusive) to the root of the largest tree, +1 */
    MLS_PROPOSAL_COUNT_MAX = 1 << 14,        /* proposals in one commit */
    MLS_CACHED_PROPOSAL_COUNT_MAX = 1024,    /* proposals that wait for a commit in one epoch */
    MLS_CACHED_PROPOSAL_BYTES_MAX = 8 << 20, /* and what they take together */
    MLS_PSK_COUNT_MAX = 256,                 /* pre-shared keys in one commit or Welcome */
    MLS_PSK_BYTES_MAX = 256,
    MLS_GENERATION_JUMP_MAX = 1024,   /* generations of one sender that a message may be ahead */
    MLS_PAST_EPOCH_COUNT_MAX = 64,    /* upper bound of the policy */
    MLS_KEY_PACKAGE_COUNT_MAX = 1024, /* unused key packages whose private parts a client keeps */
    MLS_EXTERNAL_SENDER_COUNT_MAX = 64,
    MLS_SECRET_MAX = SLIM_CRYPTO_HASH_MAX, /* any secret of the key schedule */
    MLS_KEM_PRIVATE_MAX = SLIM_CRYPTO_DH_MAX,
    MLS_KEM_PUBLIC_MAX = SLIM_CRYPTO_DH_PUBLIC_MAX,
};

#endif
