/* Node numbers of a full binary tree stored as an array (RFC 9420 appendix C). Leaf i is node 2i; the tree has a power of two of
 * leaves, 2 * leaf_count - 1 nodes, and its root is node leaf_count - 1. */
#ifndef SLIM_MLS_TREE_MATH_H
#define SLIM_MLS_TREE_MATH_H

#include <stdbool.h>
#include <stdint.h>

static inline uint32_t slim_mls_node_count(uint32_t leaf_count)
{
    return 2 * leaf_count - 1;
}

static inline uint32_t slim_mls_node_root(uint32_t leaf_count)
{
    return leaf_count - 1;
}

static inline bool slim_mls_node_is_leaf(uint32_t node)
{
    return (node & 1) == 0;
}

/* Height above the leaves; 0 for a leaf. node < 2^32 - 1. */
static inline uint32_t slim_mls_node_level(uint32_t node)
{
    return (uint32_t)__builtin_ctz(~node);
}

/* Children; `node` is not a leaf. */
static inline uint32_t slim_mls_node_left(uint32_t node)
{
    return node ^ (UINT32_C(1) << (slim_mls_node_level(node) - 1));
}

static inline uint32_t slim_mls_node_right(uint32_t node)
{
    return node ^ (UINT32_C(3) << (slim_mls_node_level(node) - 1));
}

/* Parent and sibling; `node` is not the root of its tree. */
static inline uint32_t slim_mls_node_parent(uint32_t node)
{
    uint32_t level = slim_mls_node_level(node);
    return (node | UINT32_C(1) << level) & ~(UINT32_C(1) << (level + 1));
}

static inline uint32_t slim_mls_node_sibling(uint32_t node)
{
    uint32_t parent = slim_mls_node_parent(node);
    return node < parent ? slim_mls_node_right(parent) : slim_mls_node_left(parent);
}

/* True when `node` is `ancestor` or below it. */
static inline bool slim_mls_node_is_below(uint32_t node, uint32_t ancestor)
{
    uint32_t half = (UINT32_C(1) << slim_mls_node_level(ancestor)) - 1;
    return node >= ancestor - half && node <= ancestor + half;
}

/* First leaf index and number of leaves below `node`. */
static inline uint32_t slim_mls_node_first_leaf(uint32_t node)
{
    return (node - ((UINT32_C(1) << slim_mls_node_level(node)) - 1)) / 2;
}

/* Smallest power of two that holds `count` leaves; count >= 1. */
static inline uint32_t slim_mls_leaf_width(uint32_t count)
{
    uint32_t width = 1;
    while (width < count) {
        width *= 2;
    }
    return width;
}

#endif
