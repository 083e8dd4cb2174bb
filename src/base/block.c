#include "base/block.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/list.h"

enum {
    CLASS_COUNT = 12, /* 4 KiB << 0 .. 4 KiB << 11 */
    MAPPED_BYTES_MIN =
        64 * 1024, /* larger blocks are mappings of their own, so that they go back whole */
    SLAB_BYTES = 1024 * 1024, /* smaller ones are cut from slabs of this size */
    SLAB_BLOCKS_MAX = SLAB_BYTES / SLIM_BLOCK_BYTES_MIN,
    WORD_BITS = 64,
};
_Static_assert(SLIM_BLOCK_BYTES_MIN << (CLASS_COUNT - 1) == SLIM_BLOCK_BYTES_MAX,
               "classes cover the sizes");

/* Address space for blocks of one class. A block of it is in use, kept (free, still in memory, on a free list of the pool), or
 * cold: its pages were given back to the system. So the memory of the process is what is in use and kept, whatever
 * order blocks are freed in.
 *
 * node   in pool->slabs of its class while it has cold blocks */
struct slim_block_slab {
    struct slim_list node;
    uint8_t *memory;
    uint32_t block_count;
    uint32_t cold_count;
    uint64_t cold[SLAB_BLOCKS_MAX / WORD_BITS];
};

/* A block on a free list: the link lies in the bytes behind the header. */
struct free_block {
    struct slim_block block;
    struct free_block *next;
};

struct slim_block_pool {
    struct free_block *kept[CLASS_COUNT];
    struct slim_list slabs[CLASS_COUNT];
    size_t keep_bytes;
    struct slim_block_stats stats;
};

static size_t class_bytes(uint32_t size_class)
{
    return (size_t)SLIM_BLOCK_BYTES_MIN << size_class;
}

static void *map(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static void unmap(void *memory, size_t bytes)
{
    int result = munmap(memory, bytes);
    assert(result == 0);
    (void)result; /* checked above; assertions may be compiled out in tests of the build itself */
}

#ifdef SLIM_POOL_DEBUG

/* Each block from malloc and back to free, so that sanitizers see its life. */
static struct slim_block *system_take(struct slim_block_pool *pool, uint32_t size_class)
{
    (void)pool;
    (void)map;
    struct slim_block *block = malloc(class_bytes(size_class));
    if (block != NULL) {
        block->slab = NULL;
    }
    return block;
}

static void system_return(struct slim_block_pool *pool, struct slim_block *block)
{
    (void)pool;
    (void)unmap;
    free(block);
}

#else

static struct slim_block_slab *slab_new(struct slim_block_pool *pool, uint32_t size_class)
{
    struct slim_block_slab *slab = calloc(1, sizeof(*slab));
    if (slab == NULL) {
        return NULL;
    }
    slab->memory = map(SLAB_BYTES);
    if (slab->memory == NULL) {
        free(slab);
        return NULL;
    }
    slab->block_count = (uint32_t)(SLAB_BYTES / class_bytes(size_class));
    slab->cold_count = slab->block_count;
    for (uint32_t i = 0; i < slab->block_count; i++) {
        slab->cold[i / WORD_BITS] |= (uint64_t)1 << (i % WORD_BITS);
    }
    slim_list_init(&slab->node);
    slim_list_put_first(&pool->slabs[size_class], &slab->node);
    return slab;
}

/* Memory for a block that is not kept. The header is not filled in, except `slab`. */
static struct slim_block *system_take(struct slim_block_pool *pool, uint32_t size_class)
{
    size_t size = class_bytes(size_class);
    if (size >= MAPPED_BYTES_MIN) {
        struct slim_block *block = map(size);
        if (block != NULL) {
            block->slab = NULL;
        }
        return block;
    }
    struct slim_block_slab *slab =
        slim_list_is_empty(&pool->slabs[size_class])
            ? slab_new(pool, size_class)
            : SLIM_LIST_ENTRY(pool->slabs[size_class].next, struct slim_block_slab, node);
    if (slab == NULL) {
        return NULL;
    }
    uint32_t word = 0;
    while (slab->cold[word] == 0) {
        word++;
    }
    uint32_t bit = (uint32_t)__builtin_ctzll(slab->cold[word]);
    slab->cold[word] &= slab->cold[word] - 1;
    slab->cold_count--;
    if (slab->cold_count == 0) {
        slim_list_remove(&slab->node);
    }
    struct slim_block *block =
        (struct slim_block *)(void *)(slab->memory + (word * WORD_BITS + bit) * size);
    block->slab = slab;
    return block;
}

/* Give the pages of a free block back. */
static void system_return(struct slim_block_pool *pool, struct slim_block *block)
{
    uint32_t size_class = block->size_class;
    size_t size = class_bytes(size_class);
    struct slim_block_slab *slab = block->slab;
    if (slab == NULL) {
        unmap(block, size);
        return;
    }
    uint32_t index = (uint32_t)((size_t)((uint8_t *)block - slab->memory) / size);
    (void)madvise(block, size, MADV_DONTNEED); /* refused: the pages stay, and are used again */
    slab->cold[index / WORD_BITS] |= (uint64_t)1 << (index % WORD_BITS);
    slab->cold_count++;
    if (slab->cold_count == slab->block_count) {
        slim_list_remove(&slab->node);
        unmap(slab->memory, SLAB_BYTES);
        free(slab);
    } else if (slab->cold_count == 1) {
        slim_list_put_last(&pool->slabs[size_class], &slab->node);
    }
}

#endif

enum slim_status slim_block_pool_new(size_t keep_bytes, struct slim_block_pool **pool)
{
    struct slim_block_pool *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < CLASS_COUNT; i++) {
        slim_list_init(&made->slabs[i]);
    }
#ifndef SLIM_POOL_DEBUG
    made->keep_bytes = keep_bytes;
#endif
    *pool = made;
    return SLIM_OK;
}

void slim_block_pool_trim(struct slim_block_pool *pool)
{
    for (uint32_t i = 0; i < CLASS_COUNT; i++) {
        while (pool->kept[i] != NULL) {
            struct free_block *block = pool->kept[i];
            pool->kept[i] = block->next;
            system_return(pool, &block->block);
        }
    }
    pool->stats.bytes_kept = 0;
    pool->stats.bytes_peak = pool->stats.bytes_in_use;
}

void slim_block_pool_free(struct slim_block_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    assert(pool->stats.bytes_in_use == 0);
    slim_block_pool_trim(pool);
    free(pool);
}

const struct slim_block_stats *slim_block_pool_stats(const struct slim_block_pool *pool)
{
    return &pool->stats;
}

static uint32_t class_of(size_t bytes)
{
    if (bytes <= SLIM_BLOCK_BYTES_MIN) {
        return 0;
    }
    size_t units = (bytes - 1) / SLIM_BLOCK_BYTES_MIN;
    return (uint32_t)(64 - __builtin_clzl(units));
}

enum slim_status slim_block_new(struct slim_block_pool *pool, size_t bytes,
                                struct slim_block **block)
{
    if (bytes > SLIM_BLOCK_BYTES_MAX - sizeof(struct slim_block)) {
        return SLIM_ERR_LIMIT;
    }
    uint32_t size_class = class_of(bytes + sizeof(struct slim_block));
    size_t size = class_bytes(size_class);
    struct slim_block *made;
    if (pool->kept[size_class] != NULL) {
        made = &pool->kept[size_class]->block;
        pool->kept[size_class] = pool->kept[size_class]->next;
        pool->stats.bytes_kept -= size;
    } else {
        made = system_take(pool, size_class);
        if (made == NULL) {
            return SLIM_ERR_NO_MEMORY;
        }
    }
    made->pool = pool;
    made->ref_count = 1;
    made->size_class = size_class;
    made->capacity = (uint32_t)(size - sizeof(struct slim_block));
    made->len = 0;
    pool->stats.bytes_in_use += size;
    if (pool->stats.bytes_in_use > pool->stats.bytes_peak) {
        pool->stats.bytes_peak = pool->stats.bytes_in_use;
    }
    *block = made;
    return SLIM_OK;
}

size_t slim_block_size(const struct slim_block *block)
{
    return class_bytes(block->size_class);
}

void slim_block_unref(struct slim_block *block)
{
    if (block == NULL) {
        return;
    }
    assert(block->ref_count > 0);
    if (--block->ref_count > 0) {
        return;
    }
    struct slim_block_pool *pool = block->pool;
    size_t size = class_bytes(block->size_class);
    pool->stats.bytes_in_use -= size;
    if (pool->stats.bytes_kept + size > pool->keep_bytes) {
        system_return(pool, block);
        return;
    }
    struct free_block *kept = (struct free_block *)block;
    kept->next = pool->kept[block->size_class];
    pool->kept[block->size_class] = kept;
    pool->stats.bytes_kept += size;
}
