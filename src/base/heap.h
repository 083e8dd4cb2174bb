/* A small-object allocator of one loop: free lists by size class over the system allocator.
 *
 * Everything a connection needs while messages flow (streams, frames inside nghttp2, list nodes) comes from here, so that
 * the steady state asks the system for nothing. Not thread safe: one heap per loop. */
#ifndef SLIM_BASE_HEAP_H
#define SLIM_BASE_HEAP_H

#include "base/status.h"
#include "base/view.h"

struct slim_heap;

/* bytes_in_use   handed out, in whole size classes, bookkeeping included
 * bytes_kept     free, kept for reuse */
struct slim_heap_stats {
    size_t bytes_in_use;
    size_t bytes_kept;
};

/* A heap that keeps at most `keep_bytes` of free objects. SLIM_ERR_NO_MEMORY.
 * With -Dpool_debug nothing is kept, so that sanitizers see every use after free. */
SLIM_MUST_CHECK enum slim_status slim_heap_new(size_t keep_bytes, struct slim_heap **heap);

/* Every object must have been freed. NULL is allowed. */
void slim_heap_free(struct slim_heap *heap);

const struct slim_heap_stats *slim_heap_stats(const struct slim_heap *heap);

/* Return kept objects to the system. */
void slim_heap_trim(struct slim_heap *heap);

/* As malloc, calloc, realloc and free. NULL when there is no memory. Objects are aligned to 16 bytes. */
void *slim_heap_take(struct slim_heap *heap, size_t size);
void *slim_heap_take_zeroed(struct slim_heap *heap, size_t count, size_t size);
void *slim_heap_resize(struct slim_heap *heap, void *object, size_t size);
void slim_heap_return(struct slim_heap *heap, void *object);

#endif
