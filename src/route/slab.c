#include "route/slab.h"

enum {
    CHUNK_BYTES = 4096, /* what a chunk's items may take together */
    SLOTS_MIN = 8,
    ITEM_BYTES_MAX = 1024,
    ITEM_ALIGNMENT = 8,
};

static uint32_t chunk_items(const struct slim_route_slab *slab)
{
    return 1U << slab->shift;
}

static uint8_t *item_at(const struct slim_route_slab *slab, struct slim_route_chunk *chunk,
                        uint32_t place)
{
    return chunk->items + (size_t)place * slab->item_bytes;
}

static uint32_t next_free_get(const uint8_t *item)
{
    uint32_t place;
    memcpy(&place, item, sizeof(place));
    return place;
}

static void next_free_put(uint8_t *item, uint32_t place)
{
    memcpy(item, &place, sizeof(place));
}

void slim_route_slab_init(struct slim_route_slab *slab, struct slim_route_memory *memory,
                          uint32_t item_bytes)
{
    assert(item_bytes > 0 && item_bytes <= ITEM_BYTES_MAX && item_bytes % ITEM_ALIGNMENT == 0);
    *slab = (struct slim_route_slab){
        .memory = memory,
        .item_bytes = item_bytes,
        .roomy = SLIM_ROUTE_NONE,
        .hole = SLIM_ROUTE_NONE,
    };
#ifndef SLIM_POOL_DEBUG
    while (2 * chunk_items(slab) * item_bytes <= CHUNK_BYTES) {
        slab->shift++;
    }
#endif
}

static void roomy_put(struct slim_route_slab *slab, uint32_t slot)
{
    struct slim_route_chunk *chunk = slab->slots[slot].chunk;
    chunk->prev = SLIM_ROUTE_NONE;
    chunk->next = slab->roomy;
    if (chunk->next != SLIM_ROUTE_NONE) {
        slab->slots[chunk->next].chunk->prev = slot;
    }
    slab->roomy = slot;
}

static void roomy_remove(struct slim_route_slab *slab, uint32_t slot)
{
    struct slim_route_chunk *chunk = slab->slots[slot].chunk;
    if (chunk->prev == SLIM_ROUTE_NONE) {
        slab->roomy = chunk->next;
    } else {
        slab->slots[chunk->prev].chunk->next = chunk->next;
    }
    if (chunk->next != SLIM_ROUTE_NONE) {
        slab->slots[chunk->next].chunk->prev = chunk->prev;
    }
}

/* Make sure that `hole` names an unused slot. */
static enum slim_status reserve_slot(struct slim_route_slab *slab)
{
    if (slab->hole != SLIM_ROUTE_NONE) {
        return SLIM_OK;
    }
    if (slab->slot_count == slab->slot_capacity) {
        uint32_t capacity = slab->slot_capacity == 0 ? SLOTS_MIN : 2 * slab->slot_capacity;
        union slim_route_slot *moved = slim_route_memory_move(
            slab->memory, slab->slots, slab->slot_count * sizeof(*slab->slots),
            capacity * sizeof(*slab->slots));
        if (moved == NULL) {
            return SLIM_ERR_NO_MEMORY;
        }
        slab->slots = moved;
        slab->slot_capacity = capacity;
    }
    slab->slots[slab->slot_count].next_hole = SLIM_ROUTE_NONE;
    slab->hole = slab->slot_count++;
    return SLIM_OK;
}

static enum slim_status add_chunk(struct slim_route_slab *slab)
{
    SLIM_TRY(reserve_slot(slab));
    uint32_t count = chunk_items(slab);
    struct slim_route_chunk *chunk =
        slim_route_memory_take(slab->memory, sizeof(*chunk) + (size_t)count * slab->item_bytes);
    if (chunk == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    for (uint32_t place = 0; place < count; place++) {
        next_free_put(item_at(slab, chunk, place), place + 1);
    }
    chunk->free_first = 0;
    chunk->free_count = count;
    uint32_t slot = slab->hole;
    slab->hole = slab->slots[slot].next_hole;
    slab->slots[slot].chunk = chunk;
    slab->free_count += count;
    roomy_put(slab, slot);
    return SLIM_OK;
}

static void remove_chunk(struct slim_route_slab *slab, uint32_t slot)
{
    struct slim_route_chunk *chunk = slab->slots[slot].chunk;
    assert(chunk->free_count == chunk_items(slab));
    roomy_remove(slab, slot);
    slab->free_count -= chunk->free_count;
    slim_route_memory_return(slab->memory, chunk);
    slab->slots[slot].next_hole = slab->hole;
    slab->hole = slot;
}

enum slim_status slim_route_slab_reserve(struct slim_route_slab *slab, uint32_t count)
{
    while (slab->free_count < count) {
        SLIM_TRY(add_chunk(slab));
    }
    return SLIM_OK;
}

uint32_t slim_route_slab_new(struct slim_route_slab *slab)
{
    assert(slab->free_count > 0);
    uint32_t slot = slab->roomy;
    struct slim_route_chunk *chunk = slab->slots[slot].chunk;
    uint32_t place = chunk->free_first;
    uint8_t *item = item_at(slab, chunk, place);
    chunk->free_first = next_free_get(item);
    chunk->free_count--;
    slab->free_count--;
    slab->used_count++;
    if (chunk->free_count == 0) {
        roomy_remove(slab, slot);
    }
    memset(item, 0, slab->item_bytes);
    return (slot << slab->shift) | place;
}

/* Whether a chunk that has become empty goes back to the heap: not the last one with room, so that a table at a chunk's
 * edge does not ask the heap each time. */
static bool is_to_remove(const struct slim_route_slab *slab, const struct slim_route_chunk *chunk)
{
#ifdef SLIM_POOL_DEBUG
    return true;
#else
    return slab->free_count > chunk->free_count;
#endif
}

/* Nothing is in use: give everything back. */
static void empty(struct slim_route_slab *slab)
{
    while (slab->roomy != SLIM_ROUTE_NONE) {
        remove_chunk(slab, slab->roomy);
    }
    slim_route_memory_return(slab->memory, slab->slots);
    slab->slots = NULL;
    slab->slot_count = 0;
    slab->slot_capacity = 0;
    slab->hole = SLIM_ROUTE_NONE;
}

void slim_route_slab_fini(struct slim_route_slab *slab)
{
    assert(slab->used_count == 0);
    empty(slab);
}

void slim_route_slab_free(struct slim_route_slab *slab, uint32_t number)
{
    uint32_t slot = number >> slab->shift;
    uint32_t place = number & (chunk_items(slab) - 1);
    struct slim_route_chunk *chunk = slab->slots[slot].chunk;
    next_free_put(item_at(slab, chunk, place), chunk->free_first);
    chunk->free_first = place;
    chunk->free_count++;
    slab->free_count++;
    slab->used_count--;
    if (chunk->free_count == 1) {
        roomy_put(slab, slot);
    }
    if (chunk->free_count == chunk_items(slab) && is_to_remove(slab, chunk)) {
        remove_chunk(slab, slot);
    }
    if (slab->used_count == 0 && slab->slot_capacity > SLOTS_MIN) {
        empty(slab);
    }
}
