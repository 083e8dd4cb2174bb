/* The records of the subscription table and how they hang together. Private to src/route.
 *
 *   prefixes   {c0,c1,c2}      --> prefix: text, set of peers (any id)
 *   names      {c0,c1,c2,id}   --> subscription          (one peer wants the name: most names)
 *                                  or group: set of peers  (several do)
 *   members    {prefix, peer}  --> member: place in the prefix's set   (only when the set has two or more peers)
 *   edges      {group, peer}   --> subscription: place in the group's set
 *   peer       --> list of its subscriptions
 *
 * Each table is an index over records in slabs, and records refer to each other by number: a name with its own prefix and
 * one peer is one prefix, one subscription and its text, about 180 bytes. */
#ifndef SLIM_ROUTE_RECORDS_H
#define SLIM_ROUTE_RECORDS_H

#include "route/index.h"
#include "route/limits.h"
#include "route/set.h"
#include "route/slab.h"

/* subscription_count   subscriptions below the prefix, of all peers; 0 only inside a removal
 * text_len             of the three strings, which lie one behind the other in `text` (see text.h) */
struct slim_route_prefix {
    uint32_t next;
    uint32_t subscription_count;
    uint64_t hash[3];
    struct slim_route_set set;
    union {
        uint32_t text_number;
        void *text_object;
    };
    uint16_t text_len[3];
};

/* A peer of a prefix that has several peers.
 * subscription_count   its subscriptions below the prefix, 1 or more */
struct slim_route_member {
    uint32_t next;
    uint32_t prefix;
    struct slim_route_peer *peer;
    uint32_t place;
    uint32_t subscription_count;
};

/* What subscriptions and groups, which share a slab and the index of names, begin with.
 * group   of a subscription: its group, or SLIM_ROUTE_NONE while its peer is the only one; of a group: its own number
 * place   of a subscription: where its peer lies in the group's set */
struct slim_route_name_head {
    uint32_t next;
    uint32_t prefix;
    uint64_t id[2]; /* low, high */
    uint32_t group;
    uint32_t place;
};

/* One peer wants one name, because of id-less references, ids, or both; never neither.
 * list_next/prev  neighbours among the subscriptions of the peer
 * id, ids         one id lies here, more lie in an array, ascending; its capacity is a function of id_count */
struct slim_route_sub {
    struct slim_route_name_head head;
    struct slim_route_peer *peer;
    union {
        uint64_t id;
        uint64_t *ids;
    };
    uint32_t list_next;
    uint32_t list_prev;
    uint32_t reference_count;
    uint32_t id_count;
};

/* A name that several peers want: set.count >= 2 outside of changes. */
struct slim_route_group {
    struct slim_route_name_head head;
    struct slim_route_set set;
};

_Static_assert(sizeof(struct slim_route_prefix) == 72, "memory of a name");
_Static_assert(sizeof(struct slim_route_sub) == 64, "memory of a name");
_Static_assert(sizeof(struct slim_route_group) <= sizeof(struct slim_route_sub),
               "they share a slab");

enum {
    SLIM_ROUTE_TEXT_STEP = 16,       /* texts are kept in slabs of 16, 32, 48 ... bytes */
    SLIM_ROUTE_TEXT_SLAB_COUNT = 16, /* longer ones are objects of the heap */
};

/* scratch    room for the peers of a match without the sender; as large as the largest set
 * id_count   ids beyond the first of each subscription, of the whole table */
struct slim_routes {
    struct slim_route_memory memory;
    struct slim_hash_key key;
    struct slim_route_slab prefix_slab;
    struct slim_route_slab name_slab;
    struct slim_route_slab member_slab;
    struct slim_route_slab text_slabs[SLIM_ROUTE_TEXT_SLAB_COUNT];
    struct slim_route_index prefixes;
    struct slim_route_index names;
    struct slim_route_index members;
    struct slim_route_index edges;
    struct slim_route_peer **scratch;
    uint32_t scratch_capacity;
    uint32_t subscription_count;
    uint32_t id_count;
};

static inline struct slim_route_prefix *slim_route_prefix_at(const struct slim_routes *routes,
                                                             uint32_t number)
{
    return slim_route_slab_get(&routes->prefix_slab, number);
}

static inline struct slim_route_member *slim_route_member_at(const struct slim_routes *routes,
                                                             uint32_t number)
{
    return slim_route_slab_get(&routes->member_slab, number);
}

static inline struct slim_route_name_head *slim_route_head_at(const struct slim_routes *routes,
                                                              uint32_t number)
{
    return slim_route_slab_get(&routes->name_slab, number);
}

static inline struct slim_route_sub *slim_route_sub_at(const struct slim_routes *routes,
                                                       uint32_t number)
{
    return slim_route_slab_get(&routes->name_slab, number);
}

static inline struct slim_route_group *slim_route_group_at(const struct slim_routes *routes,
                                                           uint32_t number)
{
    return slim_route_slab_get(&routes->name_slab, number);
}

static inline uint64_t slim_route_hash_prefix(const struct slim_routes *routes,
                                              const uint64_t hash[3])
{
    return slim_hash_words(routes->key, hash[0], hash[1], hash[2], 0);
}

/* The halves of an id are multiplied under the key first: a plain XOR of the two would let strangers choose names of one
 * chain. */
static inline uint64_t slim_route_hash_name(const struct slim_routes *routes,
                                            const uint64_t hash[3], uint64_t id_low,
                                            uint64_t id_high)
{
    uint64_t id =
        slim_hash_fold(id_low ^ routes->key.b, id_high ^ routes->key.a ^ 0xe7037ed1a0b428dbU);
    return slim_hash_words(routes->key, hash[0], hash[1], hash[2], id);
}

/* Of a (group, peer) or (prefix, peer) pair. Nobody chooses these, so one product is enough. */
static inline uint64_t slim_route_hash_pair(const struct slim_routes *routes, uint32_t owner,
                                            const struct slim_route_peer *peer)
{
    return slim_hash_fold(((uint64_t)owner << 32 | owner) ^ routes->key.a,
                          (uint64_t)(uintptr_t)peer ^ routes->key.b);
}

/* Each find returns the number of a record or SLIM_ROUTE_NONE. slim_route_find_name finds a subscription or a group. */
uint32_t slim_route_find_prefix(const struct slim_routes *routes, const uint64_t hash[3]);
uint32_t slim_route_find_name(const struct slim_routes *routes, const struct slim_name_key *name);
uint32_t slim_route_find_member(const struct slim_routes *routes, uint32_t prefix,
                                const struct slim_route_peer *peer);
uint32_t slim_route_find_edge(const struct slim_routes *routes, uint32_t group,
                              const struct slim_route_peer *peer);

/* Write down where peers of a group's or of a prefix's set lie now. */
void slim_route_note_edges(struct slim_routes *routes, uint32_t group,
                           const struct slim_route_moves *moves);
void slim_route_note_members(struct slim_routes *routes, uint32_t prefix,
                             const struct slim_route_moves *moves);

/* ---- text.c: the strings of a prefix */

/* After this, slim_route_text_put cannot fail for this text, whose length was checked. *object is NULL, or memory for a
 * long text that goes to slim_route_text_put or back to the heap. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_route_text_reserve(struct slim_routes *routes,
                                                         const struct slim_name_text *text,
                                                         void **object);
void slim_route_text_put(struct slim_routes *routes, struct slim_route_prefix *prefix,
                         const struct slim_name_text *text, void *object);
void slim_route_text_remove(struct slim_routes *routes, struct slim_route_prefix *prefix);
struct slim_name_text slim_route_text_get(const struct slim_routes *routes,
                                          const struct slim_route_prefix *prefix);

/* ---- ids.c: the subscription ids of one subscription */

/* Note one reference (id 0) or one id. SLIM_ERR_NO_MEMORY, SLIM_ERR_LIMIT: nothing changed. */
SLIM_MUST_CHECK enum slim_status slim_route_ids_add(struct slim_routes *routes,
                                                    struct slim_route_sub *sub, uint64_t id);

/* Take one reference or one id out (wire.md 11.6 rule 5). False when there is no such. */
bool slim_route_ids_remove(struct slim_routes *routes, struct slim_route_sub *sub, uint64_t id);

/* Give back the memory of all ids. */
void slim_route_ids_fini(struct slim_routes *routes, struct slim_route_sub *sub);

static inline const uint64_t *slim_route_ids_get(const struct slim_route_sub *sub)
{
    return sub->id_count <= 1 ? &sub->id : sub->ids;
}

#endif
