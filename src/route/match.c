#include "route/records.h"

/* A set of this size is searched faster from end to end than through an index. */
enum { SCAN_PEERS_MAX = 16 };

/* Whose set it is: where the places of its peers are written down. */
enum owner_kind { OWNER_PREFIX, OWNER_GROUP };

struct owner {
    enum owner_kind kind;
    uint32_t number;
    struct slim_route_set *set;
};

static const struct slim_route_hits NO_HITS = {0};

/* The place of `from` in the owner's set, or set->count when it is not in it. */
static uint32_t place_of(const struct slim_routes *routes, const struct owner *owner,
                         const struct slim_route_peer *from)
{
    uint32_t count = owner->set->count;
    if (from == NULL || from->subscription_count == 0) {
        return count;
    }
    if (count <= SCAN_PEERS_MAX) {
        struct slim_route_peer *const *peers = slim_route_set_peers(owner->set);
        uint32_t place = 0;
        while (place < count && peers[place] != from) {
            place++;
        }
        return place;
    }
    uint32_t number;
    switch (owner->kind) {
    case OWNER_PREFIX:
        number = slim_route_find_member(routes, owner->number, from);
        return number == SLIM_ROUTE_NONE ? count : slim_route_member_at(routes, number)->place;
    case OWNER_GROUP:
        number = slim_route_find_edge(routes, owner->number, from);
        return number == SLIM_ROUTE_NONE ? count : slim_route_sub_at(routes, number)->head.place;
    }
    return count;
}

/* All peers but `from`. Only when that one lies in the middle are the others copied. */
static struct slim_route_hits all_of(struct slim_routes *routes, const struct owner *owner,
                                     const struct slim_route_peer *from)
{
    struct slim_route_peer **peers = slim_route_set_peers(owner->set);
    uint32_t count = owner->set->count;
    uint32_t place = place_of(routes, owner, from);
    if (place >= count) {
        return (struct slim_route_hits){peers, count};
    }
    if (place == 0) {
        return (struct slim_route_hits){peers + 1, count - 1};
    }
    if (place == count - 1) {
        return (struct slim_route_hits){peers, count - 1};
    }
    assert(count - 1 <= routes->scratch_capacity);
    memcpy(routes->scratch, peers, place * sizeof(*peers));
    memcpy(routes->scratch + place, peers + place + 1, (count - 1 - place) * sizeof(*peers));
    return (struct slim_route_hits){routes->scratch, count - 1};
}

static struct slim_route_hits one_of(struct slim_routes *routes, const struct owner *owner,
                                     const struct slim_route_peer *from)
{
    struct slim_route_moves moves;
    uint32_t place = slim_route_set_choose(owner->set, from, &moves);
    if (place == owner->set->count) {
        return NO_HITS;
    }
    switch (owner->kind) {
    case OWNER_PREFIX:
        slim_route_note_members(routes, owner->number, &moves);
        break;
    case OWNER_GROUP:
        slim_route_note_edges(routes, owner->number, &moves);
        break;
    }
    return (struct slim_route_hits){slim_route_set_peers(owner->set) + place, 1};
}

static struct slim_route_hits hits_of(struct slim_routes *routes, const struct owner *owner,
                                      uint32_t fanout, const struct slim_route_peer *from)
{
    return fanout == 1 ? one_of(routes, owner, from) : all_of(routes, owner, from);
}

/* Anycast to an id nobody has: the only local peer of the prefix, else its only remote one. Applications of generation
 * 1.0 that made a route without an id rely on it (wire.md 11.6 rule 6). */
static struct slim_route_hits only_peer(struct slim_routes *routes,
                                        const struct slim_name_key *name,
                                        const struct slim_route_peer *from)
{
    uint32_t number = slim_route_find_prefix(routes, name->prefix);
    if (number == SLIM_ROUTE_NONE) {
        return NO_HITS;
    }
    struct slim_route_set *set = &slim_route_prefix_at(routes, number)->set;
    struct slim_route_peer **peers = slim_route_set_peers(set);
    if (set->local_count == 1 && peers[0] != from) {
        return (struct slim_route_hits){peers, 1};
    }
    if (set->count - set->local_count == 1 && peers[set->local_count] != from) {
        return (struct slim_route_hits){peers + set->local_count, 1};
    }
    return NO_HITS;
}

void slim_routes_match(struct slim_routes *routes, const struct slim_name_key *name,
                       uint32_t fanout, const struct slim_route_peer *from,
                       struct slim_route_hits *hits)
{
    if (name->id == SLIM_NAME_ANY) {
        uint32_t number = slim_route_find_prefix(routes, name->prefix);
        if (number == SLIM_ROUTE_NONE) {
            *hits = NO_HITS;
            return;
        }
        struct owner owner = {OWNER_PREFIX, number, &slim_route_prefix_at(routes, number)->set};
        *hits = hits_of(routes, &owner, fanout, from);
        return;
    }
    uint32_t number = slim_route_find_name(routes, name);
    if (number == SLIM_ROUTE_NONE) {
        *hits = fanout == 1 ? only_peer(routes, name, from) : NO_HITS;
        return;
    }
    if (slim_route_head_at(routes, number)->group == number) {
        struct owner owner = {OWNER_GROUP, number, &slim_route_group_at(routes, number)->set};
        *hits = hits_of(routes, &owner, fanout, from);
        return;
    }
    struct slim_route_sub *sub = slim_route_sub_at(routes, number);
    *hits = (struct slim_route_hits){&sub->peer, sub->peer != from ? 1 : 0};
}

bool slim_routes_has(struct slim_routes *routes, const struct slim_name_key *name,
                     const struct slim_route_peer *except)
{
    uint32_t number = slim_route_find_name(routes, name);
    if (number == SLIM_ROUTE_NONE) {
        return false;
    }
    bool is_group = slim_route_head_at(routes, number)->group ==
                    number; /* two peers: one of them is not `except` */
    return is_group || slim_route_sub_at(routes, number)->peer != except;
}
