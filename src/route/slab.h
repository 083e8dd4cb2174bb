/* Records of one size, named by 32-bit numbers. Private to src/route.
 *
 *   slots:   | 0 | 1 | 2 | ...          number = (slot << shift) | place
 *              |   |
 *              |   +--> chunk: | head | item | item | ... |   1 << shift items, about 4 KiB
 *              +--> chunk
 *
 * A number takes half of a pointer, and a record in a chunk has no header of its own: that is what keeps a name below
 * 200 bytes. Records never move. A chunk goes back to the heap when its last record is freed, except for one that is kept
 * so that a table at a chunk's edge does not ask the heap each time; a slab that was large gives back everything when its
 * last record is freed. With -Dpool_debug each record is a chunk. */
#ifndef SLIM_ROUTE_SLAB_H
#define SLIM_ROUTE_SLAB_H

#include "route/memory.h"

#define SLIM_ROUTE_NONE UINT32_MAX

/* next, prev    neighbours in the list of chunks with a free item (slot numbers or SLIM_ROUTE_NONE)
 * free_first    place of the first free item; a free item's first four bytes are the place of the next one
 * free_count    free items of this chunk */
struct slim_route_chunk {
    uint32_t next;
    uint32_t prev;
    uint32_t free_first;
    uint32_t free_count;
    uint8_t items[];
};

/* An unused slot names the next unused one. */
union slim_route_slot {
    struct slim_route_chunk *chunk;
    uint32_t next_hole;
};

/* roomy        first chunk with a free item, or SLIM_ROUTE_NONE
 * hole         first unused slot below slot_count, or SLIM_ROUTE_NONE
 * free_count   free items of all chunks
 * used_count   items in use */
struct slim_route_slab {
    struct slim_route_memory *memory;
    union slim_route_slot *slots;
    uint32_t slot_count;
    uint32_t slot_capacity;
    uint32_t item_bytes;
    uint32_t shift;
    uint32_t roomy;
    uint32_t hole;
    uint32_t free_count;
    uint32_t used_count;
};

/* `item_bytes`: 8 to 1024, a multiple of 8. Takes no memory yet. */
void slim_route_slab_init(struct slim_route_slab *slab, struct slim_route_memory *memory,
                          uint32_t item_bytes);

/* Give all memory back. All items must have been freed; the slab is empty and usable again. */
void slim_route_slab_fini(struct slim_route_slab *slab);

/* After this, `count` calls of slim_route_slab_new find an item. SLIM_ERR_NO_MEMORY: no item was lost or made. */
SLIM_MUST_CHECK enum slim_status slim_route_slab_reserve(struct slim_route_slab *slab,
                                                         uint32_t count);

/* A zeroed item. An item must be free: call slim_route_slab_reserve before. */
uint32_t slim_route_slab_new(struct slim_route_slab *slab);

void slim_route_slab_free(struct slim_route_slab *slab, uint32_t number);

static inline void *slim_route_slab_get(const struct slim_route_slab *slab, uint32_t number)
{
    SLIM_ASSERT_HOT(number >> slab->shift < slab->slot_count);
    uint32_t place = number & ((1U << slab->shift) - 1);
    return slab->slots[number >> slab->shift].chunk->items + (size_t)place * slab->item_bytes;
}

#endif
