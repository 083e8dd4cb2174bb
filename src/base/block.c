#include "base/block.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/list.h"

enum {
    CLASS_COUNT = 12, /* 4 KiB << 0 .. 4 KiB << 11 */
    /* blocks from this size on are mappings of their own, so that they go back whole */
    MAPPED_BYTES_MIN = 64 * 1024,
};
_Static_assert(SLIM_BLOCK_BYTES_MIN << (CLASS_COUNT - 1) == SLIM_BLOCK_BYTES_MAX,
               "classes cover the sizes");

/* A block on a free list: the list node lies in the bytes behind the header. */
struct free_block {
    struct slim_block block;
    struct free_block *next;
};

struct slim_block_pool {
    struct free_block *kept[CLASS_COUNT];
    size_t keep_bytes;
    struct slim_block_stats stats;
};

static size_t class_bytes(uint32_t size_class)
{
    return (size_t)SLIM_BLOCK_BYTES_MIN << size_class;
}

static struct slim_block *system_take(size_t bytes)
{
    if (bytes < MAPPED_BYTES_MIN) {
        return malloc(bytes);
    }
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static void system_return(struct slim_block *block, size_t bytes)
{
    if (bytes < MAPPED_BYTES_MIN) {
        free(block);
        return;
    }
    int result = munmap(block, bytes);
    assert(result == 0);
    (void)result; /* checked above; assertions may be compiled out in tests of the build itself */
}

enum slim_status slim_block_pool_new(size_t keep_bytes, struct slim_block_pool **pool)
{
    struct slim_block_pool *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
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
            system_return(&block->block, class_bytes(i));
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
        made = system_take(size);
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
        system_return(block, size);
        return;
    }
    struct free_block *kept = (struct free_block *)block;
    kept->next = pool->kept[block->size_class];
    pool->kept[block->size_class] = kept;
    pool->stats.bytes_kept += size;
}
