#include "route/memory.h"

void *slim_route_memory_take(struct slim_route_memory *memory, size_t size)
{
    const struct slim_heap_stats *stats = slim_heap_stats(memory->heap);
    size_t before = stats->bytes_in_use;
    void *object = slim_heap_take(memory->heap, size);
    memory->bytes += stats->bytes_in_use - before;
    return object;
}

void slim_route_memory_return(struct slim_route_memory *memory, void *object)
{
    const struct slim_heap_stats *stats = slim_heap_stats(memory->heap);
    size_t before = stats->bytes_in_use;
    slim_heap_return(memory->heap, object);
    memory->bytes -= before - stats->bytes_in_use;
}

void *slim_route_memory_move(struct slim_route_memory *memory, void *object, size_t used,
                             size_t size)
{
    assert(used <= size);
    void *moved = slim_route_memory_take(memory, size);
    if (moved == NULL) {
        return NULL;
    }
    if (used > 0) {
        memcpy(moved, object, used);
    }
    slim_route_memory_return(memory, object);
    return moved;
}
