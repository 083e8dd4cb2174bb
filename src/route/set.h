/* The peers that want one name or one prefix, local ones first, in one dense array. Private to src/route.
 *
 *             local_count       count       capacity
 *                 v               v            v
 *   | local peers | remote peers  | room       |
 *       ^ cursor: the next one in the round, in the part that anycast chooses from
 *
 * Whoever owns a set remembers the place of each peer, so that a removal looks at no other: changes report which peers
 * moved. */
#ifndef SLIM_ROUTE_SET_H
#define SLIM_ROUTE_SET_H

#include "route/memory.h"
#include "route/route.h"

/* A single peer lies in the set itself: most names have one.
 *
 * capacity   1: `one` is used; more: `many` is used
 * cursor     below the number of local peers when there are two or more of them, else below the number of remote ones;
 *            corrected where it is used, as peers come and go */
struct slim_route_set {
    union {
        struct slim_route_peer *one;
        struct slim_route_peer **many;
    };
    uint32_t count;
    uint32_t local_count;
    uint32_t capacity;
    uint32_t cursor;
};

/* Peers that lie at another place now. */
struct slim_route_moves {
    uint32_t count;
    struct {
        struct slim_route_peer *peer;
        uint32_t place;
    } at[2];
};

void slim_route_set_init(struct slim_route_set *set);
void slim_route_set_fini(struct slim_route_set *set, struct slim_route_memory *memory);

/* Room for `count` peers. SLIM_ERR_NO_MEMORY: nothing changed. */
SLIM_MUST_CHECK enum slim_status slim_route_set_reserve(struct slim_route_set *set,
                                                        struct slim_route_memory *memory,
                                                        uint32_t count);

static inline struct slim_route_peer **slim_route_set_peers(struct slim_route_set *set)
{
    return set->capacity == 1 ? &set->one : set->many;
}

/* Add a peer that is not in the set and for which there is room; returns its place. */
uint32_t slim_route_set_put(struct slim_route_set *set, struct slim_route_peer *peer,
                            struct slim_route_moves *moves);

/* Remove the peer at `place`. The array shrinks when it is mostly empty and memory allows it. */
void slim_route_set_remove(struct slim_route_set *set, struct slim_route_memory *memory,
                           uint32_t place, struct slim_route_moves *moves);

/* Choose one peer that is not `from`: a local one if there is any, round robin. Returns its place (after the moves), or
 * set->count when there is none. */
uint32_t slim_route_set_choose(struct slim_route_set *set, const struct slim_route_peer *from,
                               struct slim_route_moves *moves);

#endif
