#include "h2/sparse.h"

#include "base/pages.h"

enum {
    PAGE_BYTES = 4096,
    TABLE_BYTES = 256 * 16,        /* what nghttp2 asks for when the first stream comes */
    TABLE_FIRST_USED = 158 * 16,   /* where stream 1 goes: 2^32 / golden ratio, its upper 8 bits */
    FRAME_BYTES = 16400,           /* 16384 + 9 + 1, rounded up */
    FRAME_BYTES_LEAST = 16 * 1024, /* less than this is not that buffer */
    TABLE_AT = PAGE_BYTES - TABLE_FIRST_USED,
    FRAME_AT = TABLE_AT + TABLE_BYTES,
};
_Static_assert(FRAME_AT + FRAME_BYTES == SLIM_H2_SPARSE_BYTES, "as the header says");
_Static_assert(TABLE_AT % 16 == 0 && FRAME_AT % 16 == 0, "aligned like objects of the heap");

static bool has_pages(struct slim_h2_sparse *sparse)
{
    if (sparse->pages == NULL) {
        sparse->pages = slim_pages_take(SLIM_H2_SPARSE_BYTES);
    }
    return sparse->pages != NULL;
}

static bool is_ours(const struct slim_h2_sparse *sparse, const void *object)
{
    const uint8_t *at = object;
    return sparse->pages != NULL && at >= sparse->pages &&
           at < sparse->pages + SLIM_H2_SPARSE_BYTES;
}

static void *take(size_t size, void *ctx)
{
    struct slim_h2_sparse *sparse = ctx;
    if (size >= FRAME_BYTES_LEAST && size <= FRAME_BYTES && !sparse->has_frame) {
        if (!has_pages(sparse)) {
            return NULL;
        }
        sparse->has_frame = true;
        return sparse->pages + FRAME_AT;
    }
    return slim_heap_take(sparse->heap, size);
}

static void *take_zeroed(size_t count, size_t size, void *ctx)
{
    struct slim_h2_sparse *sparse = ctx;
    size_t bytes;
    if (!__builtin_mul_overflow(count, size, &bytes) && bytes == TABLE_BYTES &&
        !sparse->has_table) {
        if (!has_pages(sparse)) {
            return NULL;
        }
        sparse->has_table = true;
        return sparse->pages + TABLE_AT;
    }
    return slim_heap_take_zeroed(sparse->heap, count, size);
}

static void put_back(void *object, void *ctx)
{
    struct slim_h2_sparse *sparse = ctx;
    if (!is_ours(sparse, object)) {
        slim_heap_return(sparse->heap, object);
    } else if (object == sparse->pages + FRAME_AT) {
        sparse->has_frame = false;
    }
}

static void *resize(void *object, size_t size, void *ctx)
{
    struct slim_h2_sparse *sparse = ctx;
    if (object == NULL) {
        return take(size, ctx);
    }
    if (!is_ours(sparse, object)) {
        return slim_heap_resize(sparse->heap, object, size);
    }
    size_t room = object == sparse->pages + FRAME_AT ? FRAME_BYTES : TABLE_BYTES;
    if (size <= room) {
        return object;
    }
    void *moved = slim_heap_take(sparse->heap, size);
    if (moved != NULL) {
        memcpy(moved, object, room);
        put_back(object, ctx);
    }
    return moved;
}

nghttp2_mem slim_h2_sparse_mem(struct slim_h2_sparse *sparse)
{
    return (nghttp2_mem){sparse, take, put_back, take_zeroed, resize};
}

void slim_h2_sparse_fini(struct slim_h2_sparse *sparse)
{
    slim_pages_return(sparse->pages, SLIM_H2_SPARSE_BYTES);
    sparse->pages = NULL;
}
