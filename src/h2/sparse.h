/* Memory of one nghttp2 session. Private to src/h2.
 *
 * Two of its objects are large and hardly used: a buffer of 16 KiB for frames, of which DATA (never copied) and small control
 * frames touch the front, and a table of 4 KiB for streams, with one entry for each. They lie in pages of their own, placed
 * so that the front of the one and the entry of the first stream share a page:
 *
 *     page 0             page 1                       page 2 .. 5
 *     |      [stream table .. X ....][X frame buffer .................]      |      X: touched
 *
 * An idle connection then has 4 KiB of them in memory instead of 8. When nghttp2 asks for other sizes it gets them from the
 * heap, like everything else; when it uses the table in another place a page more is touched. */
#ifndef SLIM_H2_SPARSE_H
#define SLIM_H2_SPARSE_H

#include <nghttp2/nghttp2.h>

#include "base/heap.h"

/* pages       NULL until the first large object is asked for
 * has_frame, has_table   the two places are taken; the table's is used once, while it is zero */
struct slim_h2_sparse {
    struct slim_heap *heap;
    uint8_t *pages;
    bool has_frame;
    bool has_table;
};

/* A zeroed struct with a heap is ready. What this returns refers to *sparse. */
nghttp2_mem slim_h2_sparse_mem(struct slim_h2_sparse *sparse);

/* After the session is gone. */
void slim_h2_sparse_fini(struct slim_h2_sparse *sparse);

/* Bytes of the pages, for tests. */
enum { SLIM_H2_SPARSE_BYTES = 22064 };

#endif
