#include "h2/headers.h"

enum {
    FIELD_COST = 32, /* RFC 9113 6.5.2: overhead of a field */
    BYTES_FIRST = 480,
    FIELDS_FIRST = 14,
};

struct slim_h2_header_lens {
    uint32_t name_len;
    uint32_t value_len;
};

void slim_h2_headers_fini(struct slim_h2_headers *headers, struct slim_heap *heap)
{
    slim_heap_return(heap, headers->bytes);
    slim_heap_return(heap, headers->lens);
    *headers = (struct slim_h2_headers){0};
}

static enum slim_status reserve_bytes(struct slim_h2_headers *headers, struct slim_heap *heap,
                                      size_t count)
{
    size_t want = headers->byte_count + count;
    if (want <= headers->byte_room) {
        return SLIM_OK;
    }
    size_t room = headers->byte_room == 0 ? BYTES_FIRST : 2 * headers->byte_room;
    if (room < want) {
        room = want;
    }
    uint8_t *bytes = slim_heap_resize(heap, headers->bytes, room);
    if (bytes == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    headers->bytes = bytes;
    headers->byte_room = room;
    return SLIM_OK;
}

static enum slim_status reserve_field(struct slim_h2_headers *headers, struct slim_heap *heap)
{
    if (headers->count < headers->room) {
        return SLIM_OK;
    }
    size_t room = headers->room == 0 ? FIELDS_FIRST : 2 * headers->room;
    struct slim_h2_header_lens *lens = slim_heap_resize(heap, headers->lens, room * sizeof(*lens));
    if (lens == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    headers->lens = lens;
    headers->room = room;
    return SLIM_OK;
}

enum slim_status slim_h2_headers_put(struct slim_h2_headers *headers, struct slim_heap *heap,
                                     struct slim_view name, struct slim_view value, size_t cost_max)
{
    size_t cost;
    if (__builtin_add_overflow(name.len, value.len, &cost) ||
        __builtin_add_overflow(cost, headers->cost + FIELD_COST, &cost) || cost > cost_max ||
        cost > UINT32_MAX) {
        return SLIM_ERR_LIMIT;
    }
    SLIM_TRY(reserve_field(headers, heap));
    SLIM_TRY(reserve_bytes(headers, heap, name.len + value.len));
    if (name.len > 0) {
        memcpy(headers->bytes + headers->byte_count, name.data, name.len);
    }
    if (value.len > 0) {
        memcpy(headers->bytes + headers->byte_count + name.len, value.data, value.len);
    }
    headers->byte_count += name.len + value.len;
    headers->lens[headers->count++] =
        (struct slim_h2_header_lens){(uint32_t)name.len, (uint32_t)value.len};
    headers->cost = cost;
    return SLIM_OK;
}

enum slim_status slim_h2_headers_views(const struct slim_h2_headers *headers,
                                       struct slim_heap *heap, struct slim_h2_header **views)
{
    struct slim_h2_header *made = slim_heap_take(heap, (headers->count + 1) * sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    const uint8_t *at = headers->bytes;
    for (size_t i = 0; i < headers->count; i++) {
        made[i].name = slim_view_of(at, headers->lens[i].name_len);
        made[i].value = slim_view_of(at + headers->lens[i].name_len, headers->lens[i].value_len);
        at += headers->lens[i].name_len + headers->lens[i].value_len;
    }
    *views = made;
    return SLIM_OK;
}
