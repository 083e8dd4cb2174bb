/* A hash index over the records of a slab. Private to src/route.
 *
 *   buckets:  | n | n | - | n | ... |       each the number of the first record of a chain, or SLIM_ROUTE_NONE
 *               |
 *               +--> record --> record      the first 32 bits of a record are the number of the next one
 *
 * Linear hashing: the index grows by one bucket with an insertion and shrinks by one with a removal, so no operation
 * stops to rehash everything; only the array of bucket numbers is copied when it doubles (4 bytes a record). */
#ifndef SLIM_ROUTE_INDEX_H
#define SLIM_ROUTE_INDEX_H

#include "route/slab.h"

struct slim_routes;

/* bucket_count   buckets in use: INDEX_BUCKETS_MIN <= bucket_count <= capacity
 * mask           smallest 2^k - 1 >= bucket_count - 1
 * item_count     records in the index. Invariant after each call: bucket_count >= item_count unless memory ran out
 * hash_of        hash of the key of a record that is in the index */
struct slim_route_index {
    struct slim_route_memory *memory;
    const struct slim_route_slab *slab;
    const struct slim_routes *routes;
    uint64_t (*hash_of)(const struct slim_routes *routes, uint32_t number);
    uint32_t *buckets;
    uint32_t bucket_count;
    uint32_t capacity;
    uint32_t mask;
    uint32_t item_count;
};

/* An empty index over the records of `slab`. memory, slab and routes outlive it. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status
slim_route_index_init(struct slim_route_index *index, struct slim_route_memory *memory,
                      const struct slim_route_slab *slab, const struct slim_routes *routes,
                      uint64_t (*hash_of)(const struct slim_routes *, uint32_t));

/* Free the buckets. A zeroed index is allowed. */
void slim_route_index_fini(struct slim_route_index *index);

/* Add a record whose key has `hash`. Without memory for more buckets the chains become longer, nothing else. */
void slim_route_index_put(struct slim_route_index *index, uint32_t number, uint64_t hash);

/* Remove a record that is in the index. */
void slim_route_index_remove(struct slim_route_index *index, uint32_t number, uint64_t hash);

/* Put `number` in the place of `old`, which has the same key. */
void slim_route_index_replace(struct slim_route_index *index, uint32_t old, uint32_t number,
                              uint64_t hash);

static inline uint32_t slim_route_index_bucket(const struct slim_route_index *index, uint64_t hash)
{
    uint32_t bucket = (uint32_t)hash & index->mask;
    return bucket < index->bucket_count ? bucket : bucket & (index->mask >> 1);
}

/* The first record of the chain in which records with `hash` are, or SLIM_ROUTE_NONE. */
static inline uint32_t slim_route_index_first(const struct slim_route_index *index, uint64_t hash)
{
    return index->buckets[slim_route_index_bucket(index, hash)];
}

#endif
