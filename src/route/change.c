#include "route/records.h"

#include <inttypes.h>

/* What an addition needs, taken before anything changes, so that running out of memory changes nothing.
 * prefix, name   existing records, or SLIM_ROUTE_NONE
 * text_object    memory for the long text of a new prefix, or NULL
 * group_set      for the group that the second peer of a name makes necessary */
struct addition {
    uint32_t prefix;
    uint32_t name;
    void *text_object;
    struct slim_route_set group_set;
};

static bool is_group(const struct slim_routes *routes, uint32_t name)
{
    return slim_route_head_at(routes, name)->group == name;
}

/* True when nobody else has the name; still the answer while an unlinked subscription waits for its release. */
static bool is_only_one(const struct slim_route_sub *sub)
{
    return sub->head.group == SLIM_ROUTE_NONE;
}

/* The subscription of `peer` to the name (a record or SLIM_ROUTE_NONE), or SLIM_ROUTE_NONE. */
static uint32_t find_sub(const struct slim_routes *routes, uint32_t name,
                         const struct slim_route_peer *peer)
{
    if (name == SLIM_ROUTE_NONE) {
        return SLIM_ROUTE_NONE;
    }
    if (is_group(routes, name)) {
        return slim_route_find_edge(routes, name, peer);
    }
    return slim_route_sub_at(routes, name)->peer == peer ? name : SLIM_ROUTE_NONE;
}

/* ---- the list of a peer's subscriptions */

static void list_put(struct slim_routes *routes, struct slim_route_sub *sub, uint32_t number)
{
    struct slim_route_peer *peer = sub->peer;
    sub->list_next = SLIM_ROUTE_NONE;
    sub->list_prev = peer->last;
    if (peer->last == SLIM_ROUTE_NONE) {
        peer->first = number;
    } else {
        slim_route_sub_at(routes, peer->last)->list_next = number;
    }
    peer->last = number;
    peer->subscription_count++;
    routes->subscription_count++;
}

static void list_remove(struct slim_routes *routes, struct slim_route_sub *sub)
{
    struct slim_route_peer *peer = sub->peer;
    if (sub->list_prev == SLIM_ROUTE_NONE) {
        peer->first = sub->list_next;
    } else {
        slim_route_sub_at(routes, sub->list_prev)->list_next = sub->list_next;
    }
    if (sub->list_next == SLIM_ROUTE_NONE) {
        peer->last = sub->list_prev;
    } else {
        slim_route_sub_at(routes, sub->list_next)->list_prev = sub->list_prev;
    }
    peer->subscription_count--;
    routes->subscription_count--;
}

/* ---- addition */

static enum slim_status reserve_scratch(struct slim_routes *routes, uint32_t count)
{
    if (count <= routes->scratch_capacity) {
        return SLIM_OK;
    }
    uint32_t capacity = count <= 8 ? 8 : 1U << (32 - __builtin_clz(count - 1));
    struct slim_route_peer **moved = slim_route_memory_move(
        &routes->memory, routes->scratch, 0, capacity * sizeof(struct slim_route_peer *));
    if (moved == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    routes->scratch = moved;
    routes->scratch_capacity = capacity;
    return SLIM_OK;
}

/* No set is larger than the number of subscriptions: when few are left, so may be the scratch. */
static void shrink_scratch(struct slim_routes *routes)
{
    if (routes->scratch == NULL || routes->subscription_count >= routes->scratch_capacity / 4) {
        return;
    }
    uint32_t capacity = routes->scratch_capacity / 2;
    struct slim_route_peer **moved = NULL;
    if (routes->subscription_count == 0) {
        capacity = 0;
        slim_route_memory_return(&routes->memory, routes->scratch);
    } else {
        moved =
            slim_route_memory_move(&routes->memory, routes->scratch, 0, capacity * sizeof(*moved));
        if (moved == NULL) {
            return; /* the larger one stays */
        }
    }
    routes->scratch = moved;
    routes->scratch_capacity = capacity;
}

/* Room in the set of the prefix, in the set of the name, and for a match of the larger one. */
static enum slim_status reserve_sets(struct slim_routes *routes, struct addition *addition)
{
    if (addition->prefix == SLIM_ROUTE_NONE) {
        return SLIM_OK;
    }
    struct slim_route_set *set = &slim_route_prefix_at(routes, addition->prefix)->set;
    SLIM_TRY(slim_route_slab_reserve(&routes->member_slab, 2));
    SLIM_TRY(slim_route_set_reserve(set, &routes->memory, set->count + 1));
    /* the set of a name is no larger than that of its prefix */
    SLIM_TRY(reserve_scratch(routes, set->count + 1));
    if (addition->name == SLIM_ROUTE_NONE) {
        return SLIM_OK;
    }
    if (is_group(routes, addition->name)) {
        set = &slim_route_group_at(routes, addition->name)->set;
        return slim_route_set_reserve(set, &routes->memory, set->count + 1);
    }
    return slim_route_set_reserve(&addition->group_set, &routes->memory, 2);
}

static enum slim_status reserve(struct slim_routes *routes, const struct slim_name_text *text,
                                struct addition *addition)
{
    SLIM_TRY(slim_route_slab_reserve(&routes->name_slab, 2)); /* a subscription and a group */
    if (addition->prefix != SLIM_ROUTE_NONE) {
        return reserve_sets(routes, addition);
    }
    SLIM_TRY(slim_route_slab_reserve(&routes->prefix_slab, 1));
    return slim_route_text_reserve(routes, text, &addition->text_object);
}

static uint32_t new_prefix(struct slim_routes *routes, const struct slim_name_key *name,
                           const struct slim_name_text *text, void *text_object)
{
    uint32_t number = slim_route_slab_new(&routes->prefix_slab);
    struct slim_route_prefix *prefix = slim_route_prefix_at(routes, number);
    memcpy(prefix->hash, name->prefix, sizeof(prefix->hash));
    slim_route_set_init(&prefix->set);
    slim_route_text_put(routes, prefix, text, text_object);
    slim_route_index_put(&routes->prefixes, number, slim_route_hash_prefix(routes, prefix->hash));
    return number;
}

static struct slim_route_member *new_member(struct slim_routes *routes, uint32_t prefix,
                                            struct slim_route_peer *peer,
                                            uint32_t subscription_count)
{
    uint32_t number = slim_route_slab_new(&routes->member_slab);
    struct slim_route_member *member = slim_route_member_at(routes, number);
    member->prefix = prefix;
    member->peer = peer;
    member->subscription_count = subscription_count;
    slim_route_index_put(&routes->members, number, slim_route_hash_pair(routes, prefix, peer));
    return member;
}

/* Count one more subscription of `peer` below the prefix. */
static void join_prefix(struct slim_routes *routes, uint32_t number, struct slim_route_peer *peer)
{
    struct slim_route_prefix *prefix = slim_route_prefix_at(routes, number);
    struct slim_route_set *set = &prefix->set;
    struct slim_route_moves moves;
    uint32_t count_before = prefix->subscription_count++;
    if (set->count == 0) {
        (void)slim_route_set_put(set, peer, &moves); /* place 0: a lone peer has no member record */
        return;
    }
    struct slim_route_peer *lone = set->count == 1 ? slim_route_set_peers(set)[0] : NULL;
    if (lone == peer) {
        return;
    }
    if (lone != NULL) {
        (void)new_member(routes, number, lone, count_before); /* its place is 0 */
    }
    uint32_t known = slim_route_find_member(routes, number, peer);
    if (known != SLIM_ROUTE_NONE) {
        slim_route_member_at(routes, known)->subscription_count++;
        return;
    }
    struct slim_route_member *member = new_member(routes, number, peer, 1);
    member->place = slim_route_set_put(set, peer, &moves);
    slim_route_note_members(routes, number, &moves);
}

static void put_edge(struct slim_routes *routes, uint32_t group_number, uint32_t sub_number)
{
    struct slim_route_sub *sub = slim_route_sub_at(routes, sub_number);
    struct slim_route_moves moves;
    sub->head.group = group_number;
    sub->head.place =
        slim_route_set_put(&slim_route_group_at(routes, group_number)->set, sub->peer, &moves);
    slim_route_index_put(&routes->edges, sub_number,
                         slim_route_hash_pair(routes, group_number, sub->peer));
    slim_route_note_edges(routes, group_number, &moves);
}

static uint64_t hash_of_head(const struct slim_routes *routes,
                             const struct slim_route_name_head *head)
{
    return slim_route_hash_name(routes, slim_route_prefix_at(routes, head->prefix)->hash,
                                head->id[0], head->id[1]);
}

/* Put a group into the place of the name's only subscription. */
static uint32_t new_group(struct slim_routes *routes, uint32_t first_sub,
                          const struct slim_route_set *set)
{
    struct slim_route_sub *first = slim_route_sub_at(routes, first_sub);
    uint32_t number = slim_route_slab_new(&routes->name_slab);
    struct slim_route_group *group = slim_route_group_at(routes, number);
    group->head = first->head;
    group->head.group = number;
    group->set = *set;
    slim_route_index_replace(&routes->names, first_sub, number, hash_of_head(routes, &first->head));
    put_edge(routes, number, first_sub);
    return number;
}

static struct slim_route_sub *commit(struct slim_routes *routes, const struct slim_name_key *name,
                                     const struct slim_name_text *text,
                                     struct slim_route_peer *peer, const struct addition *addition)
{
    uint32_t prefix = addition->prefix;
    if (prefix == SLIM_ROUTE_NONE) {
        prefix = new_prefix(routes, name, text, addition->text_object);
    }
    uint32_t number = slim_route_slab_new(&routes->name_slab);
    struct slim_route_sub *sub = slim_route_sub_at(routes, number);
    sub->head.prefix = prefix;
    sub->head.id[0] = (uint64_t)name->id;
    sub->head.id[1] = (uint64_t)(name->id >> 64);
    sub->head.group = SLIM_ROUTE_NONE;
    sub->peer = peer;
    list_put(routes, sub, number);
    join_prefix(routes, prefix, peer);
    if (addition->name == SLIM_ROUTE_NONE) {
        slim_route_index_put(&routes->names, number, hash_of_head(routes, &sub->head));
    } else if (is_group(routes, addition->name)) {
        put_edge(routes, addition->name, number);
    } else {
        put_edge(routes, new_group(routes, addition->name, &addition->group_set), number);
    }
    return sub;
}

static bool is_text_too_long(const struct slim_name_text *text)
{
    size_t room = SLIM_ROUTE_TEXT_BYTES_MAX;
    for (size_t i = 0; i < SLIM_COUNT(text->part); i++) {
        if (text->part[i].len > room) {
            return true;
        }
        room -= text->part[i].len;
    }
    return false;
}

enum slim_status slim_routes_add(struct slim_routes *routes, const struct slim_name_key *name,
                                 const struct slim_name_text *text, struct slim_route_peer *peer,
                                 uint64_t subscription_id, bool *is_first)
{
    if (is_text_too_long(text)) {
        return SLIM_ERR_LIMIT;
    }
    struct addition addition = {.name = slim_route_find_name(routes, name)};
    uint32_t known = find_sub(routes, addition.name, peer);
    if (known != SLIM_ROUTE_NONE) {
        SLIM_TRY(slim_route_ids_add(routes, slim_route_sub_at(routes, known), subscription_id));
        if (is_first != NULL) {
            *is_first = false;
        }
        return SLIM_OK;
    }
    bool is_new_name = addition.name == SLIM_ROUTE_NONE;
    if ((is_new_name && routes->names.item_count >= SLIM_ROUTE_NAMES_MAX) ||
        routes->subscription_count >= SLIM_ROUTE_SUBSCRIPTIONS_MAX) {
        return SLIM_ERR_LIMIT;
    }
    addition.prefix = is_new_name ? slim_route_find_prefix(routes, name->prefix)
                                  : slim_route_head_at(routes, addition.name)->prefix;
    slim_route_set_init(&addition.group_set);
    SLIM_TRY(
        reserve(routes, text, &addition)); /* its last step makes what we would have to give back */
    struct slim_route_sub *sub = commit(routes, name, text, peer, &addition);
    enum slim_status status = slim_route_ids_add(routes, sub, subscription_id);
    assert(status == SLIM_OK); /* the first reference or id needs no memory and breaks no limit */
    (void)status;
    if (is_first != NULL) {
        *is_first = is_new_name;
    }
    return SLIM_OK;
}

/* ---- removal */

/* Count one subscription of `peer` below the prefix less. */
static void leave_prefix(struct slim_routes *routes, uint32_t number, struct slim_route_peer *peer)
{
    struct slim_route_prefix *prefix = slim_route_prefix_at(routes, number);
    struct slim_route_set *set = &prefix->set;
    struct slim_route_moves moves;
    prefix->subscription_count--;
    if (set->count == 1) {
        if (prefix->subscription_count == 0) {
            slim_route_set_remove(set, &routes->memory, 0, &moves);
        }
        return;
    }
    uint32_t known = slim_route_find_member(routes, number, peer);
    struct slim_route_member *member = slim_route_member_at(routes, known);
    if (--member->subscription_count > 0) {
        return;
    }
    slim_route_set_remove(set, &routes->memory, member->place, &moves);
    slim_route_note_members(routes, number, &moves);
    slim_route_index_remove(&routes->members, known, slim_route_hash_pair(routes, number, peer));
    slim_route_slab_free(&routes->member_slab, known);
    if (set->count == 1) {
        struct slim_route_peer *lone = slim_route_set_peers(set)[0];
        uint32_t last = slim_route_find_member(routes, number, lone);
        slim_route_index_remove(&routes->members, last, slim_route_hash_pair(routes, number, lone));
        slim_route_slab_free(&routes->member_slab, last);
    }
}

/* Put the only subscription that is left into the place of its group. */
static void dissolve_group(struct slim_routes *routes, uint32_t number)
{
    struct slim_route_group *group = slim_route_group_at(routes, number);
    struct slim_route_peer *lone = slim_route_set_peers(&group->set)[0];
    uint32_t last = slim_route_find_edge(routes, number, lone);
    slim_route_index_remove(&routes->edges, last, slim_route_hash_pair(routes, number, lone));
    slim_route_sub_at(routes, last)->head.group = SLIM_ROUTE_NONE;
    slim_route_index_replace(&routes->names, number, last, hash_of_head(routes, &group->head));
    slim_route_set_fini(&group->set, &routes->memory);
    slim_route_slab_free(&routes->name_slab, number);
}

/* Take a subscription out of everything that finds it. Its record, its ids and its prefix's text stay readable until
 * release(). */
static void unlink_sub(struct slim_routes *routes, uint32_t number)
{
    struct slim_route_sub *sub = slim_route_sub_at(routes, number);
    uint32_t group = sub->head.group;
    list_remove(routes, sub);
    if (group == SLIM_ROUTE_NONE) {
        slim_route_index_remove(&routes->names, number, hash_of_head(routes, &sub->head));
    } else {
        struct slim_route_set *set = &slim_route_group_at(routes, group)->set;
        struct slim_route_moves moves;
        slim_route_set_remove(set, &routes->memory, sub->head.place, &moves);
        slim_route_note_edges(routes, group, &moves);
        slim_route_index_remove(&routes->edges, number,
                                slim_route_hash_pair(routes, group, sub->peer));
        if (set->count == 1) {
            dissolve_group(routes, group);
        }
    }
    leave_prefix(routes, sub->head.prefix, sub->peer);
    const struct slim_route_prefix *prefix = slim_route_prefix_at(routes, sub->head.prefix);
    if (prefix->subscription_count == 0) {
        slim_route_index_remove(&routes->prefixes, sub->head.prefix,
                                slim_route_hash_prefix(routes, prefix->hash));
    }
}

/* Free an unlinked subscription, and its prefix when it was the last below it. */
static void release(struct slim_routes *routes, uint32_t number)
{
    struct slim_route_sub *sub = slim_route_sub_at(routes, number);
    struct slim_route_prefix *prefix = slim_route_prefix_at(routes, sub->head.prefix);
    slim_route_ids_fini(routes, sub);
    if (prefix->subscription_count == 0) {
        slim_route_text_remove(routes, prefix);
        slim_route_slab_free(&routes->prefix_slab, sub->head.prefix);
    }
    slim_route_slab_free(&routes->name_slab, number);
    shrink_scratch(routes);
}

enum { DECIMAL_128_BYTES_MAX = 40 }; /* 39 digits and a zero */

/* The id as the reference prints it, which knows 64 bits and has 2^64 - 1 for "any". */
static const char *id_decimal(unsigned __int128 id, char text[static DECIMAL_128_BYTES_MAX])
{
    char *at = text + DECIMAL_128_BYTES_MAX - 1;
    unsigned __int128 rest = id == SLIM_NAME_ANY ? UINT64_MAX : id;
    *at = '\0';
    do {
        *--at = (char)('0' + (int)(rest % 10));
        rest /= 10;
    } while (rest > 0);
    return at;
}

enum slim_status slim_routes_remove(struct slim_routes *routes, const struct slim_name_key *name,
                                    struct slim_route_peer *peer, uint64_t subscription_id,
                                    bool *is_last, struct slim_error *error)
{
    uint32_t found = slim_route_find_name(routes, name);
    if (found == SLIM_ROUTE_NONE) {
        if (slim_route_find_prefix(routes, name->prefix) == SLIM_ROUTE_NONE) {
            return slim_error_set(error, SLIM_ERR_NOT_FOUND, "subscription not found");
        }
        char text[DECIMAL_128_BYTES_MAX];
        return slim_error_set(error, SLIM_ERR_NOT_FOUND, "id not found: %s",
                              id_decimal(name->id, text));
    }
    uint32_t number = find_sub(routes, found, peer);
    if (number == SLIM_ROUTE_NONE) {
        return slim_error_set(error, SLIM_ERR_NOT_FOUND, "connection id not found: %" PRIu64,
                              peer->id);
    }
    struct slim_route_sub *sub = slim_route_sub_at(routes, number);
    if (!slim_route_ids_remove(routes, sub, subscription_id)) {
        return slim_error_set(error, SLIM_ERR_NOT_FOUND, "subscription id not found: %" PRIu64,
                              subscription_id);
    }
    bool was_last = false;
    if (sub->reference_count == 0 && sub->id_count == 0) {
        was_last = is_only_one(sub);
        unlink_sub(routes, number);
        release(routes, number);
    }
    if (is_last != NULL) {
        *is_last = was_last;
    }
    return SLIM_OK;
}

/* ---- listing */

static struct slim_route_subscription describe(const struct slim_routes *routes,
                                               const struct slim_route_sub *sub)
{
    const struct slim_route_prefix *prefix = slim_route_prefix_at(routes, sub->head.prefix);
    struct slim_route_subscription shown = {
        .text = slim_route_text_get(routes, prefix),
        .reference_count = sub->reference_count,
        .ids = slim_route_ids_get(sub),
        .id_count = sub->id_count,
        .is_last = is_only_one(sub),
    };
    memcpy(shown.name.prefix, prefix->hash, sizeof(shown.name.prefix));
    shown.name.id = (unsigned __int128)sub->head.id[1] << 64 | sub->head.id[0];
    return shown;
}

void slim_routes_each(struct slim_routes *routes, struct slim_route_peer *peer,
                      slim_route_visit *visit, void *ctx)
{
    uint32_t number = peer->first;
    while (number != SLIM_ROUTE_NONE) {
        const struct slim_route_sub *sub = slim_route_sub_at(routes, number);
        struct slim_route_subscription shown = describe(routes, sub);
        number = sub->list_next;
        visit(ctx, &shown);
    }
}

void slim_routes_remove_peer(struct slim_routes *routes, struct slim_route_peer *peer,
                             slim_route_visit *visit, void *ctx)
{
    while (peer->first != SLIM_ROUTE_NONE) {
        uint32_t number = peer->first;
        unlink_sub(routes, number);
        if (visit != NULL) {
            struct slim_route_subscription shown =
                describe(routes, slim_route_sub_at(routes, number));
            visit(ctx, &shown);
        }
        release(routes, number);
    }
}
