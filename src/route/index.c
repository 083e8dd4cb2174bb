#include "route/index.h"

enum {
    INDEX_BUCKETS_MIN = 16,
    STEPS_MAX = 2, /* buckets more or less in one call: one to keep up, one to catch up */
};

static uint32_t *next_of(const struct slim_route_index *index, uint32_t number)
{
    return slim_route_slab_get(index->slab, number);
}

enum slim_status slim_route_index_init(struct slim_route_index *index,
                                       struct slim_route_memory *memory,
                                       const struct slim_route_slab *slab,
                                       const struct slim_routes *routes,
                                       uint64_t (*hash_of)(const struct slim_routes *, uint32_t))
{
    uint32_t *buckets = slim_route_memory_take(memory, INDEX_BUCKETS_MIN * sizeof(*buckets));
    if (buckets == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < INDEX_BUCKETS_MIN; i++) {
        buckets[i] = SLIM_ROUTE_NONE;
    }
    *index = (struct slim_route_index){
        .memory = memory,
        .slab = slab,
        .routes = routes,
        .hash_of = hash_of,
        .buckets = buckets,
        .bucket_count = INDEX_BUCKETS_MIN,
        .capacity = INDEX_BUCKETS_MIN,
        .mask = INDEX_BUCKETS_MIN - 1,
    };
    return SLIM_OK;
}

void slim_route_index_fini(struct slim_route_index *index)
{
    assert(index->item_count == 0);
    if (index->memory != NULL) {
        slim_route_memory_return(index->memory, index->buckets);
    }
    *index = (struct slim_route_index){0};
}

static bool resize(struct slim_route_index *index, uint32_t capacity)
{
    uint32_t *moved =
        slim_route_memory_move(index->memory, index->buckets, index->bucket_count * sizeof(*moved),
                               capacity * sizeof(*moved));
    if (moved == NULL) {
        return false;
    }
    index->buckets = moved;
    index->capacity = capacity;
    return true;
}

/* One bucket more: the records of the bucket that stood in for it are divided between the two. */
static void grow(struct slim_route_index *index)
{
    if (index->bucket_count == index->capacity && !resize(index, 2 * index->capacity)) {
        return;
    }
    uint32_t added = index->bucket_count++;
    if (added > index->mask) {
        index->mask = 2 * index->mask + 1;
    }
    index->buckets[added] = SLIM_ROUTE_NONE;
    uint32_t *link = &index->buckets[added & (index->mask >> 1)];
    while (*link != SLIM_ROUTE_NONE) {
        uint32_t number = *link;
        uint32_t *next = next_of(index, number);
        if (((uint32_t)index->hash_of(index->routes, number) & index->mask) != added) {
            link = next;
            continue;
        }
        *link = *next;
        *next = index->buckets[added];
        index->buckets[added] = number;
    }
}

/* One bucket less: the last one's records join those of the bucket that stands in for it. */
static void shrink(struct slim_route_index *index)
{
    uint32_t removed = --index->bucket_count;
    uint32_t *link = &index->buckets[removed & (index->mask >> 1)];
    while (*link != SLIM_ROUTE_NONE) {
        link = next_of(index, *link);
    }
    *link = index->buckets[removed];
    if (removed - 1 <= index->mask >> 1) {
        index->mask >>= 1;
    }
    if (index->bucket_count <= index->capacity / 4) {
        (void)resize(index, index->capacity / 2); /* without memory the larger array stays */
    }
}

void slim_route_index_put(struct slim_route_index *index, uint32_t number, uint64_t hash)
{
    index->item_count++;
    for (int i = 0; i < STEPS_MAX && index->item_count > index->bucket_count; i++) {
        grow(index);
    }
    uint32_t *first = &index->buckets[slim_route_index_bucket(index, hash)];
    *next_of(index, number) = *first;
    *first = number;
}

/* Where the number of this record is stored. */
static uint32_t *find_link(struct slim_route_index *index, uint32_t number, uint64_t hash)
{
    uint32_t *link = &index->buckets[slim_route_index_bucket(index, hash)];
    while (*link != number) {
        assert(*link != SLIM_ROUTE_NONE);
        link = next_of(index, *link);
    }
    return link;
}

void slim_route_index_remove(struct slim_route_index *index, uint32_t number, uint64_t hash)
{
    uint32_t *link = find_link(index, number, hash);
    *link = *next_of(index, number);
    index->item_count--;
    for (int i = 0; i < STEPS_MAX && index->bucket_count > INDEX_BUCKETS_MIN &&
                    index->item_count < index->bucket_count / 2;
         i++) {
        shrink(index);
    }
}

void slim_route_index_replace(struct slim_route_index *index, uint32_t old, uint32_t number,
                              uint64_t hash)
{
    uint32_t *link = find_link(index, old, hash);
    *next_of(index, number) = *next_of(index, old);
    *link = number;
}
