#include "route/records.h"

enum { ARRAY_IDS_MIN = 4 };

/* Room of the array of `count` ids; 1 is in the subscription itself. */
static uint32_t capacity_of(uint32_t count)
{
    uint32_t capacity = count <= 1 ? 1 : ARRAY_IDS_MIN;
    while (capacity < count) {
        capacity *= 2; /* count <= SLIM_ROUTE_IDS_MAX: no overflow */
    }
    return capacity;
}

/* The place of `id`, or of the first larger one. */
static uint32_t place_of(const struct slim_route_sub *sub, uint64_t id)
{
    const uint64_t *ids = slim_route_ids_get(sub);
    uint32_t low = 0;
    uint32_t high = sub->id_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ids[middle] < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* An array for `capacity` ids with the present ones in it. */
static enum slim_status resize(struct slim_routes *routes, struct slim_route_sub *sub,
                               uint32_t capacity)
{
    size_t used = sub->id_count * sizeof(uint64_t);
    uint64_t *moved;
    if (sub->id_count <= 1) {
        moved = slim_route_memory_take(&routes->memory, capacity * sizeof(*moved));
        if (moved != NULL) {
            memcpy(moved, &sub->id, used);
        }
    } else {
        moved = slim_route_memory_move(&routes->memory, sub->ids, used, capacity * sizeof(*moved));
    }
    if (moved == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    sub->ids = moved;
    return SLIM_OK;
}

enum slim_status slim_route_ids_add(struct slim_routes *routes, struct slim_route_sub *sub,
                                    uint64_t id)
{
    if (id == 0) {
        if (sub->reference_count == SLIM_ROUTE_REFERENCES_MAX) {
            return SLIM_ERR_LIMIT;
        }
        sub->reference_count++;
        return SLIM_OK;
    }
    uint32_t place = place_of(sub, id);
    if (place < sub->id_count && slim_route_ids_get(sub)[place] == id) {
        return SLIM_OK;
    }
    if (sub->id_count == 0) {
        sub->id = id;
        sub->id_count = 1;
        return SLIM_OK;
    }
    if (sub->id_count == SLIM_ROUTE_IDS_MAX || routes->id_count == SLIM_ROUTE_IDS_TOTAL_MAX) {
        return SLIM_ERR_LIMIT;
    }
    uint32_t capacity = capacity_of(sub->id_count + 1);
    if (capacity > capacity_of(sub->id_count)) {
        SLIM_TRY(resize(routes, sub, capacity));
    }
    memmove(sub->ids + place + 1, sub->ids + place, (sub->id_count - place) * sizeof(*sub->ids));
    sub->ids[place] = id;
    sub->id_count++;
    routes->id_count++;
    return SLIM_OK;
}

static void remove_id(struct slim_routes *routes, struct slim_route_sub *sub, uint32_t place)
{
    if (sub->id_count == 1) {
        sub->id_count = 0;
        return;
    }
    sub->id_count--;
    routes->id_count--;
    memmove(sub->ids + place, sub->ids + place + 1, (sub->id_count - place) * sizeof(*sub->ids));
    if (sub->id_count == 1) {
        uint64_t *ids = sub->ids;
        sub->id = ids[0];
        slim_route_memory_return(&routes->memory, ids);
        return;
    }
    uint32_t capacity = capacity_of(sub->id_count);
    if (capacity < capacity_of(sub->id_count + 1)) {
        (void)resize(routes, sub, capacity); /* without memory the larger array stays */
    }
}

bool slim_route_ids_remove(struct slim_routes *routes, struct slim_route_sub *sub, uint64_t id)
{
    if (id != 0) {
        uint32_t place = place_of(sub, id);
        if (place < sub->id_count && slim_route_ids_get(sub)[place] == id) {
            remove_id(routes, sub, place);
            return true;
        }
        if (sub->id_count > 0) {
            return false;
        }
    }
    if (sub->reference_count == 0) {
        return false;
    }
    sub->reference_count--;
    return true;
}

void slim_route_ids_fini(struct slim_routes *routes, struct slim_route_sub *sub)
{
    if (sub->id_count > 1) {
        routes->id_count -= sub->id_count - 1;
        slim_route_memory_return(&routes->memory, sub->ids);
    }
    sub->id_count = 0;
}
