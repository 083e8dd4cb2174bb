#include "route/records.h"

static size_t text_bytes(const uint16_t len[3])
{
    return (size_t)len[0] + len[1] + len[2];
}

/* Which slab is for texts of so many bytes (more than 0); SLIM_ROUTE_TEXT_SLAB_COUNT or more: none, they are objects of
 * the heap. */
static size_t slab_of(size_t bytes)
{
    return (bytes - 1) / SLIM_ROUTE_TEXT_STEP;
}

enum slim_status slim_route_text_reserve(struct slim_routes *routes,
                                         const struct slim_name_text *text, void **object)
{
    size_t bytes = text->part[0].len + text->part[1].len + text->part[2].len;
    assert(bytes <= SLIM_ROUTE_TEXT_BYTES_MAX);
    *object = NULL;
    if (bytes == 0) {
        return SLIM_OK;
    }
    if (slab_of(bytes) < SLIM_ROUTE_TEXT_SLAB_COUNT) {
        return slim_route_slab_reserve(&routes->text_slabs[slab_of(bytes)], 1);
    }
    *object = slim_route_memory_take(&routes->memory, bytes);
    return *object == NULL ? SLIM_ERR_NO_MEMORY : SLIM_OK;
}

void slim_route_text_put(struct slim_routes *routes, struct slim_route_prefix *prefix,
                         const struct slim_name_text *text, void *object)
{
    for (size_t i = 0; i < 3; i++) {
        prefix->text_len[i] = (uint16_t)text->part[i].len;
    }
    size_t bytes = text_bytes(prefix->text_len);
    if (bytes == 0) {
        return;
    }
    uint8_t *out = object;
    if (object == NULL) {
        struct slim_route_slab *slab = &routes->text_slabs[slab_of(bytes)];
        prefix->text_number = slim_route_slab_new(slab);
        out = slim_route_slab_get(slab, prefix->text_number);
    } else {
        prefix->text_object = object;
    }
    for (size_t i = 0; i < 3; i++) {
        if (text->part[i].len > 0) {
            memcpy(out, text->part[i].data, text->part[i].len);
            out += text->part[i].len;
        }
    }
}

void slim_route_text_remove(struct slim_routes *routes, struct slim_route_prefix *prefix)
{
    size_t bytes = text_bytes(prefix->text_len);
    if (bytes == 0) {
        return;
    }
    if (slab_of(bytes) < SLIM_ROUTE_TEXT_SLAB_COUNT) {
        slim_route_slab_free(&routes->text_slabs[slab_of(bytes)], prefix->text_number);
    } else {
        slim_route_memory_return(&routes->memory, prefix->text_object);
    }
}

struct slim_name_text slim_route_text_get(const struct slim_routes *routes,
                                          const struct slim_route_prefix *prefix)
{
    struct slim_name_text text = {0};
    size_t bytes = text_bytes(prefix->text_len);
    if (bytes == 0) {
        return text;
    }
    const uint8_t *at =
        slab_of(bytes) < SLIM_ROUTE_TEXT_SLAB_COUNT
            ? slim_route_slab_get(&routes->text_slabs[slab_of(bytes)], prefix->text_number)
            : prefix->text_object;
    for (size_t i = 0; i < 3; i++) {
        text.part[i] = slim_view_of(at, prefix->text_len[i]);
        at += prefix->text_len[i];
    }
    return text;
}
