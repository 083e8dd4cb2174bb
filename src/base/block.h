/* Counted blocks of message bytes, and the pool of one loop that hands them out.
 *
 * A message that leaves by several connections, or is large, sits in one block that all outputs refer to. Small messages
 * for one receiver are copied one behind the other into an output block that has a single owner.
 * Blocks and pool belong to one loop thread: counts are plain integers. A message that goes to another loop is copied. */
#ifndef SLIM_BASE_BLOCK_H
#define SLIM_BASE_BLOCK_H

#include "base/status.h"
#include "base/view.h"

enum {
    SLIM_BLOCK_BYTES_MIN = 4 * 1024,       /* smallest block, header included */
    SLIM_BLOCK_BYTES_MAX = 8 * 1024 * 1024 /* largest block, header included */
};

struct slim_block_pool;
struct slim_block_slab;

/* data[0 .. len) are bytes, data[len .. capacity) is room. Whoever put the bytes changes them no more once the block is
 * shared (ref_count > 1); appending behind len is allowed to the one owner who started the block. */
struct slim_block {
    struct slim_block_pool *pool;
    struct slim_block_slab *slab; /* private: where its memory comes from */
    uint32_t ref_count;
    uint32_t size_class;
    uint32_t capacity;
    uint32_t len;
    uint8_t data[];
};

/* bytes_in_use   sum of the sizes of all blocks handed out, headers included: what memory_max bounds
 * bytes_kept     sum of the sizes of free blocks kept for reuse; at most the keep_bytes of slim_block_pool_new
 * bytes_peak     the largest bytes_in_use since the last slim_block_pool_trim */
struct slim_block_stats {
    size_t bytes_in_use;
    size_t bytes_kept;
    size_t bytes_peak;
};

/* A pool that keeps at most `keep_bytes` of free blocks; more is returned to the system at once.
 * SLIM_ERR_NO_MEMORY. With -Dpool_debug nothing is kept, so that sanitizers see every use after free. */
SLIM_MUST_CHECK enum slim_status slim_block_pool_new(size_t keep_bytes,
                                                     struct slim_block_pool **pool);

/* All blocks must have been returned. NULL is allowed. */
void slim_block_pool_free(struct slim_block_pool *pool);

const struct slim_block_stats *slim_block_pool_stats(const struct slim_block_pool *pool);

/* Return kept blocks to the system, and restart bytes_peak at what is in use now. Call it when the loop has been calm for
 * a while: a flood then leaves no memory behind. */
void slim_block_pool_trim(struct slim_block_pool *pool);

/* A block with room for at least `bytes`, empty, owned by the caller (count 1). Its capacity is the rest of its size
 * class, a power of two. SLIM_ERR_LIMIT: more than fits into SLIM_BLOCK_BYTES_MAX. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_block_new(struct slim_block_pool *pool, size_t bytes,
                                                struct slim_block **block);

/* The memory one block occupies, header included. */
size_t slim_block_size(const struct slim_block *block);

static inline struct slim_block *slim_block_ref(struct slim_block *block)
{
    block->ref_count++;
    return block;
}

/* Give one reference back; the last one returns the block to its pool. NULL is allowed. */
void slim_block_unref(struct slim_block *block);

static inline size_t slim_block_room(const struct slim_block *block)
{
    return block->capacity - block->len;
}

/* Append bytes; view.len <= slim_block_room(block). */
static inline void slim_block_put(struct slim_block *block, struct slim_view view)
{
    SLIM_ASSERT_HOT(view.len <= slim_block_room(block));
    if (view.len > 0) {
        memcpy(block->data + block->len, view.data, view.len);
        block->len += (uint32_t)view.len;
    }
}

static inline struct slim_view slim_block_view(const struct slim_block *block)
{
    return (struct slim_view){block->data, block->len};
}

#endif
