/* The header block that is arriving on a connection: there is at most one at a time. Private to src/h2. */
#ifndef SLIM_H2_HEADERS_H
#define SLIM_H2_HEADERS_H

#include "h2/h2.h"

/* bytes   names and values behind each other
 * lens    name and value length of each field
 * cost    sum over name + value + 32, as RFC 9113 counts
 * A zeroed struct is empty. */
struct slim_h2_headers {
    uint8_t *bytes;
    size_t byte_count;
    size_t byte_room;
    struct slim_h2_header_lens *lens;
    size_t count;
    size_t room;
    size_t cost;
};

/* Forget everything and give the memory back. */
void slim_h2_headers_fini(struct slim_h2_headers *headers, struct slim_heap *heap);

/* Append one field. SLIM_ERR_LIMIT: the block gets larger than cost_max. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_h2_headers_put(struct slim_h2_headers *headers,
                                                     struct slim_heap *heap, struct slim_view name,
                                                     struct slim_view value, size_t cost_max);

/* The fields as views in memory of the heap, which the caller returns; they are valid until the next _put or _fini.
 * SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_h2_headers_views(const struct slim_h2_headers *headers,
                                                       struct slim_heap *heap,
                                                       struct slim_h2_header **views);

#endif
