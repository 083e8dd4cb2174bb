#include "base/heap.h"

#include <stdlib.h>

enum {
    CLASS_STEP_BYTES = 32,    /* classes are 32, 64, 96 ... bytes, header included */
    CLASSED_BYTES_MAX = 2048, /* larger objects go to the system directly */
    CLASS_COUNT = CLASSED_BYTES_MAX / CLASS_STEP_BYTES, /* class i holds (i + 1) steps */
};

/* Lies in front of every object. next is used only while the object is free. */
struct object_head {
    size_t bytes;
    struct object_head *next;
};
_Static_assert(sizeof(struct object_head) == 16, "objects keep the alignment of malloc");

struct slim_heap {
    struct object_head *kept[CLASS_COUNT];
    size_t keep_bytes;
    struct slim_heap_stats stats;
};

enum slim_status slim_heap_new(size_t keep_bytes, struct slim_heap **heap)
{
    struct slim_heap *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
#ifndef SLIM_POOL_DEBUG
    made->keep_bytes = keep_bytes;
#endif
    *heap = made;
    return SLIM_OK;
}

void slim_heap_trim(struct slim_heap *heap)
{
    for (size_t i = 0; i < CLASS_COUNT; i++) {
        while (heap->kept[i] != NULL) {
            struct object_head *head = heap->kept[i];
            heap->kept[i] = head->next;
            free(head);
        }
    }
    heap->stats.bytes_kept = 0;
}

void slim_heap_free(struct slim_heap *heap)
{
    if (heap == NULL) {
        return;
    }
    assert(heap->stats.bytes_in_use == 0);
    slim_heap_trim(heap);
    free(heap);
}

const struct slim_heap_stats *slim_heap_stats(const struct slim_heap *heap)
{
    return &heap->stats;
}

void *slim_heap_take(struct slim_heap *heap, size_t size)
{
    size_t bytes;
    if (__builtin_add_overflow(size, sizeof(struct object_head) + CLASS_STEP_BYTES - 1, &bytes)) {
        return NULL;
    }
    bytes -= bytes % CLASS_STEP_BYTES;
    struct object_head *head = NULL;
    size_t index = bytes / CLASS_STEP_BYTES - 1;
    if (index < CLASS_COUNT && heap->kept[index] != NULL) {
        head = heap->kept[index];
        heap->kept[index] = head->next;
        heap->stats.bytes_kept -= bytes;
    } else {
        head = malloc(bytes);
        if (head == NULL) {
            return NULL;
        }
    }
    head->bytes = bytes;
    heap->stats.bytes_in_use += bytes;
    return head + 1;
}

void *slim_heap_take_zeroed(struct slim_heap *heap, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        return NULL;
    }
    void *object = slim_heap_take(heap, bytes);
    if (object != NULL) {
        memset(object, 0, bytes);
    }
    return object;
}

void slim_heap_return(struct slim_heap *heap, void *object)
{
    if (object == NULL) {
        return;
    }
    struct object_head *head = (struct object_head *)object - 1;
    size_t bytes = head->bytes;
    size_t index = bytes / CLASS_STEP_BYTES - 1;
    heap->stats.bytes_in_use -= bytes;
    if (index >= CLASS_COUNT || heap->stats.bytes_kept + bytes > heap->keep_bytes) {
        free(head);
        return;
    }
    head->next = heap->kept[index];
    heap->kept[index] = head;
    heap->stats.bytes_kept += bytes;
}

void *slim_heap_resize(struct slim_heap *heap, void *object, size_t size)
{
    if (object == NULL) {
        return slim_heap_take(heap, size);
    }
    size_t room = ((struct object_head *)object - 1)->bytes - sizeof(struct object_head);
    if (size <= room) {
        return object;
    }
    void *moved = slim_heap_take(heap, size);
    if (moved == NULL) {
        return NULL;
    }
    memcpy(moved, object, room);
    slim_heap_return(heap, object);
    return moved;
}
