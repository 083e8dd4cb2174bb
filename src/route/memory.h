/* The loop's heap with a count of what the table has taken from it. Private to src/route. */
#ifndef SLIM_ROUTE_MEMORY_H
#define SLIM_ROUTE_MEMORY_H

#include "base/heap.h"

/* bytes   in use by this table, in whole size classes of the heap */
struct slim_route_memory {
    struct slim_heap *heap;
    size_t bytes;
};

/* As the functions of slim_heap. */
void *slim_route_memory_take(struct slim_route_memory *memory, size_t size);
void slim_route_memory_return(struct slim_route_memory *memory, void *object);

/* Move `object` (NULL: nothing) with its first `used` bytes into a new object of `size` bytes, larger or smaller.
 * NULL when there is no memory; `object` is untouched then. */
void *slim_route_memory_move(struct slim_route_memory *memory, void *object, size_t used,
                             size_t size);

#endif
