#include "route/records.h"

static uint64_t hash_of_prefix(const struct slim_routes *routes, uint32_t number)
{
    return slim_route_hash_prefix(routes, slim_route_prefix_at(routes, number)->hash);
}

static uint64_t hash_of_name(const struct slim_routes *routes, uint32_t number)
{
    const struct slim_route_name_head *head = slim_route_head_at(routes, number);
    return slim_route_hash_name(routes, slim_route_prefix_at(routes, head->prefix)->hash,
                                head->id[0], head->id[1]);
}

static uint64_t hash_of_member(const struct slim_routes *routes, uint32_t number)
{
    const struct slim_route_member *member = slim_route_member_at(routes, number);
    return slim_route_hash_pair(routes, member->prefix, member->peer);
}

static uint64_t hash_of_edge(const struct slim_routes *routes, uint32_t number)
{
    const struct slim_route_sub *sub = slim_route_sub_at(routes, number);
    return slim_route_hash_pair(routes, sub->head.group, sub->peer);
}

static enum slim_status init_indexes(struct slim_routes *routes)
{
    struct slim_route_memory *memory = &routes->memory;
    SLIM_TRY(slim_route_index_init(&routes->prefixes, memory, &routes->prefix_slab, routes,
                                   hash_of_prefix));
    SLIM_TRY(
        slim_route_index_init(&routes->names, memory, &routes->name_slab, routes, hash_of_name));
    SLIM_TRY(slim_route_index_init(&routes->members, memory, &routes->member_slab, routes,
                                   hash_of_member));
    return slim_route_index_init(&routes->edges, memory, &routes->name_slab, routes, hash_of_edge);
}

enum slim_status slim_routes_new(struct slim_heap *heap, struct slim_hash_key key,
                                 struct slim_routes **routes)
{
    struct slim_routes *made = slim_heap_take_zeroed(heap, 1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    made->memory.heap = heap;
    made->key = key;
    slim_route_slab_init(&made->prefix_slab, &made->memory, sizeof(struct slim_route_prefix));
    slim_route_slab_init(&made->name_slab, &made->memory, sizeof(struct slim_route_sub));
    slim_route_slab_init(&made->member_slab, &made->memory, sizeof(struct slim_route_member));
    for (uint32_t i = 0; i < SLIM_ROUTE_TEXT_SLAB_COUNT; i++) {
        slim_route_slab_init(&made->text_slabs[i], &made->memory, (i + 1) * SLIM_ROUTE_TEXT_STEP);
    }
    enum slim_status status = init_indexes(made);
    if (status != SLIM_OK) {
        slim_routes_free(made);
        return status;
    }
    *routes = made;
    return SLIM_OK;
}

void slim_routes_free(struct slim_routes *routes)
{
    if (routes == NULL) {
        return;
    }
    assert(routes->subscription_count == 0);
    slim_route_index_fini(&routes->edges);
    slim_route_index_fini(&routes->members);
    slim_route_index_fini(&routes->names);
    slim_route_index_fini(&routes->prefixes);
    for (size_t i = 0; i < SLIM_ROUTE_TEXT_SLAB_COUNT; i++) {
        slim_route_slab_fini(&routes->text_slabs[i]);
    }
    slim_route_slab_fini(&routes->member_slab);
    slim_route_slab_fini(&routes->name_slab);
    slim_route_slab_fini(&routes->prefix_slab);
    slim_route_memory_return(&routes->memory, routes->scratch);
    assert(routes->memory.bytes == 0);
    slim_heap_return(routes->memory.heap, routes);
}

void slim_route_peer_init(struct slim_route_peer *peer, uint64_t id, bool is_local)
{
    *peer = (struct slim_route_peer){
        .id = id,
        .is_local = is_local,
        .first = SLIM_ROUTE_NONE,
        .last = SLIM_ROUTE_NONE,
    };
}

static bool has_hash(const struct slim_routes *routes, uint32_t prefix, const uint64_t hash[3])
{
    const struct slim_route_prefix *found = slim_route_prefix_at(routes, prefix);
    return found->hash[0] == hash[0] && found->hash[1] == hash[1] && found->hash[2] == hash[2];
}

uint32_t slim_route_find_prefix(const struct slim_routes *routes, const uint64_t hash[3])
{
    uint32_t number =
        slim_route_index_first(&routes->prefixes, slim_route_hash_prefix(routes, hash));
    while (number != SLIM_ROUTE_NONE && !has_hash(routes, number, hash)) {
        number = slim_route_prefix_at(routes, number)->next;
    }
    return number;
}

uint32_t slim_route_find_name(const struct slim_routes *routes, const struct slim_name_key *name)
{
    uint64_t low = (uint64_t)name->id;
    uint64_t high = (uint64_t)(name->id >> 64);
    uint64_t hash = slim_route_hash_name(routes, name->prefix, low, high);
    uint32_t number = slim_route_index_first(&routes->names, hash);
    while (number != SLIM_ROUTE_NONE) {
        const struct slim_route_name_head *head = slim_route_head_at(routes, number);
        if (head->id[0] == low && head->id[1] == high &&
            has_hash(routes, head->prefix, name->prefix)) {
            break;
        }
        number = head->next;
    }
    return number;
}

uint32_t slim_route_find_member(const struct slim_routes *routes, uint32_t prefix,
                                const struct slim_route_peer *peer)
{
    uint32_t number =
        slim_route_index_first(&routes->members, slim_route_hash_pair(routes, prefix, peer));
    while (number != SLIM_ROUTE_NONE) {
        const struct slim_route_member *member = slim_route_member_at(routes, number);
        if (member->peer == peer && member->prefix == prefix) {
            break;
        }
        number = member->next;
    }
    return number;
}

uint32_t slim_route_find_edge(const struct slim_routes *routes, uint32_t group,
                              const struct slim_route_peer *peer)
{
    uint32_t number =
        slim_route_index_first(&routes->edges, slim_route_hash_pair(routes, group, peer));
    while (number != SLIM_ROUTE_NONE) {
        const struct slim_route_sub *sub = slim_route_sub_at(routes, number);
        if (sub->peer == peer && sub->head.group == group) {
            break;
        }
        number = sub->head.next;
    }
    return number;
}

void slim_route_note_edges(struct slim_routes *routes, uint32_t group,
                           const struct slim_route_moves *moves)
{
    for (uint32_t i = 0; i < moves->count; i++) {
        uint32_t edge = slim_route_find_edge(routes, group, moves->at[i].peer);
        slim_route_sub_at(routes, edge)->head.place = moves->at[i].place;
    }
}

void slim_route_note_members(struct slim_routes *routes, uint32_t prefix,
                             const struct slim_route_moves *moves)
{
    for (uint32_t i = 0; i < moves->count; i++) {
        uint32_t member = slim_route_find_member(routes, prefix, moves->at[i].peer);
        slim_route_member_at(routes, member)->place = moves->at[i].place;
    }
}

struct slim_route_stats slim_routes_stats(const struct slim_routes *routes)
{
    return (struct slim_route_stats){
        .name_count = routes->names.item_count,
        .prefix_count = routes->prefixes.item_count,
        .subscription_count = routes->subscription_count,
        .bytes = sizeof(*routes) + routes->memory.bytes,
    };
}

bool slim_routes_find_text(const struct slim_routes *routes, const struct slim_name_key *name,
                           struct slim_name_text *text)
{
    uint32_t prefix = slim_route_find_prefix(routes, name->prefix);
    if (prefix == SLIM_ROUTE_NONE) {
        return false;
    }
    *text = slim_route_text_get(routes, slim_route_prefix_at(routes, prefix));
    return true;
}
