#include "route/set.h"

enum { ARRAY_PEERS_MIN = 4 };

void slim_route_set_init(struct slim_route_set *set)
{
    *set = (struct slim_route_set){.capacity = 1};
}

void slim_route_set_fini(struct slim_route_set *set, struct slim_route_memory *memory)
{
    if (set->capacity > 1) {
        slim_route_memory_return(memory, set->many);
    }
    slim_route_set_init(set);
}

static bool resize(struct slim_route_set *set, struct slim_route_memory *memory, uint32_t capacity)
{
    size_t used = set->count * sizeof(*set->many);
    struct slim_route_peer **moved;
    if (set->capacity == 1) {
        moved = slim_route_memory_take(memory, capacity * sizeof(*moved));
        if (moved != NULL) {
            memcpy(moved, &set->one, used);
        }
    } else {
        moved = slim_route_memory_move(memory, set->many, used, capacity * sizeof(*moved));
    }
    if (moved == NULL) {
        return false;
    }
    set->many = moved;
    set->capacity = capacity;
    return true;
}

enum slim_status slim_route_set_reserve(struct slim_route_set *set,
                                        struct slim_route_memory *memory, uint32_t count)
{
    if (count <= set->capacity) {
        return SLIM_OK;
    }
    uint32_t capacity = ARRAY_PEERS_MIN;
    while (capacity < count) {
        capacity *= 2; /* count <= SLIM_ROUTE_SUBSCRIPTIONS_MAX: no overflow */
    }
    return resize(set, memory, capacity) ? SLIM_OK : SLIM_ERR_NO_MEMORY;
}

static void note(struct slim_route_moves *moves, struct slim_route_peer **peers, uint32_t place)
{
    moves->at[moves->count].peer = peers[place];
    moves->at[moves->count].place = place;
    moves->count++;
}

uint32_t slim_route_set_put(struct slim_route_set *set, struct slim_route_peer *peer,
                            struct slim_route_moves *moves)
{
    assert(set->count < set->capacity);
    moves->count = 0;
    struct slim_route_peer **peers = slim_route_set_peers(set);
    uint32_t place = set->count++;
    if (peer->is_local) {
        if (set->local_count < place) {
            peers[place] = peers[set->local_count]; /* the first remote one makes room */
            note(moves, peers, place);
        }
        place = set->local_count++;
    }
    peers[place] = peer;
    return place;
}

/* Give memory back. A single peer goes back into the set: that cannot fail. */
static void shrink(struct slim_route_set *set, struct slim_route_memory *memory)
{
    if (set->capacity > 1 && set->count <= 1) {
        struct slim_route_peer **many = set->many;
        set->one = set->count == 1 ? many[0] : NULL;
        set->capacity = 1;
        slim_route_memory_return(memory, many);
    } else if (set->capacity > ARRAY_PEERS_MIN && set->count <= set->capacity / 4) {
        (void)resize(set, memory, set->capacity / 2); /* without memory the larger array stays */
    }
}

void slim_route_set_remove(struct slim_route_set *set, struct slim_route_memory *memory,
                           uint32_t place, struct slim_route_moves *moves)
{
    assert(place < set->count);
    moves->count = 0;
    struct slim_route_peer **peers = slim_route_set_peers(set);
    if (place < set->local_count) {
        uint32_t last_local = --set->local_count;
        if (place != last_local) {
            peers[place] = peers[last_local];
            note(moves, peers, place);
        }
        place = last_local;
    }
    uint32_t last = --set->count;
    if (place != last) {
        peers[place] = peers[last];
        note(moves, peers, place);
    }
    shrink(set, memory);
}

uint32_t slim_route_set_choose(struct slim_route_set *set, const struct slim_route_peer *from,
                               struct slim_route_moves *moves)
{
    moves->count = 0;
    struct slim_route_peer **peers = slim_route_set_peers(set);
    uint32_t first = 0;
    uint32_t round = set->local_count;
    if (round == 0 || (round == 1 && peers[0] == from)) {
        first = set->local_count;
        round = set->count - set->local_count;
    }
    if (round <= 1) {
        return round == 1 && peers[first] != from ? first : set->count;
    }
    uint32_t cursor = set->cursor < round ? set->cursor : 0;
    uint32_t next = cursor + 1 < round ? cursor + 1 : 0;
    set->cursor = next;
    if (peers[first + cursor] == from) {
        /* `from` lets the one behind it go first and stays next in the round: skipping it would give its neighbour
         * two turns when others send too */
        struct slim_route_peer *skipped = peers[first + cursor];
        peers[first + cursor] = peers[first + next];
        peers[first + next] = skipped;
        note(moves, peers, first + cursor);
        note(moves, peers, first + next);
    }
    return first + cursor;
}
