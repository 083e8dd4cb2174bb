/* A table with a few peers, for the tests of src/route. */
#ifndef SLIM_TESTS_UNIT_ROUTE_WORLD_H
#define SLIM_TESTS_UNIT_ROUTE_WORLD_H

#include "route/route.h"
#include "support/check.h"

enum { WORLD_PEERS = 20 }; /* 6 and 7 are local, the others remote */
#define WORLD_ALL ((1U << WORLD_PEERS) - 1)

struct world {
    struct slim_heap *heap;
    struct slim_routes *routes;
    struct slim_route_peer peers[WORLD_PEERS];
};

static inline void world_init(struct world *world)
{
    CHECK_OK(slim_heap_new(1 << 20, &world->heap));
    struct slim_hash_key key = {0x0123456789abcdefU, 0xfedcba9876543210U};
    CHECK_OK(slim_routes_new(world->heap, key, &world->routes));
    for (uint32_t i = 0; i < WORLD_PEERS; i++) {
        slim_route_peer_init(&world->peers[i], i, i == 6 || i == 7);
    }
}

static inline void world_fini(struct world *world)
{
    for (uint32_t i = 0; i < WORLD_PEERS; i++) {
        slim_routes_remove_peer(world->routes, &world->peers[i], NULL, NULL);
    }
    slim_routes_free(world->routes);
    slim_heap_free(world->heap);
}

/* org/ns/<prefix> with this id. */
static inline struct slim_name_key name_of(uint64_t prefix, unsigned __int128 id)
{
    return (struct slim_name_key){{1, 2, prefix}, id};
}

static inline bool add_of(struct world *world, uint32_t peer, uint64_t prefix, unsigned __int128 id,
                          uint64_t subscription_id)
{
    struct slim_name_key name = name_of(prefix, id);
    struct slim_name_text text = {{SLIM_VIEW("org"), SLIM_VIEW("ns"), SLIM_VIEW("app")}};
    bool is_first;
    CHECK_OK(slim_routes_add(world->routes, &name, &text, &world->peers[peer], subscription_id,
                             &is_first));
    return is_first;
}

static inline enum slim_status remove_of(struct world *world, uint32_t peer, uint64_t prefix,
                                         unsigned __int128 id, uint64_t subscription_id,
                                         struct slim_error *error)
{
    struct slim_name_key name = name_of(prefix, id);
    return slim_routes_remove(world->routes, &name, &world->peers[peer], subscription_id, NULL,
                              error);
}

/* The peers that a match finds, one bit each; a peer that is found twice fails. `from` < 0: from nobody. */
static inline uint32_t match_of(struct world *world, uint64_t prefix, unsigned __int128 id,
                                uint32_t fanout, int from)
{
    struct slim_name_key name = name_of(prefix, id);
    struct slim_route_hits hits;
    slim_routes_match(world->routes, &name, fanout, from < 0 ? NULL : &world->peers[from], &hits);
    uint32_t found = 0;
    for (size_t i = 0; i < hits.count; i++) {
        uint32_t one = 1U << (hits.peers[i] - world->peers);
        CHECK((found & one) == 0);
        found |= one;
    }
    return found;
}

#endif
