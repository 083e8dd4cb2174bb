/* Queues of blocks: what waits on a stream, and what is framed and waits for the transport. Private to src/h2. */
#ifndef SLIM_H2_QUEUE_H
#define SLIM_H2_QUEUE_H

#include "h2/h2.h"

/* Where a connection takes segments and blocks from. */
struct slim_h2_memory {
    struct slim_heap *heap;
    struct slim_block_pool *pool;
};

/* Append copies of `head` and `body`. SLIM_ERR_NO_MEMORY: nothing changed. */
SLIM_MUST_CHECK enum slim_status slim_h2_queue_put(struct slim_h2_queue *queue,
                                                   struct slim_h2_memory memory,
                                                   struct slim_view head, struct slim_view body);

/* Append a copy of `head` and a reference to [offset, offset + len) of `block`; without a head, bytes that follow the last
 * ones in their block extend that segment. SLIM_ERR_NO_MEMORY: nothing changed. */
SLIM_MUST_CHECK enum slim_status
slim_h2_queue_put_block(struct slim_h2_queue *queue, struct slim_h2_memory memory,
                        struct slim_view head, struct slim_block *block, size_t offset, size_t len);

/* How many bytes a DATA frame of at most `bytes_max` should take: whole segments when that gives a long frame, else as
 * much as fits. */
size_t slim_h2_queue_cut_size(const struct slim_h2_queue *queue, size_t bytes_max);

/* Append to `out` a copy of `head` and then the first `count` bytes of `queue`, moved without a copy; count <= byte_count.
 * SLIM_ERR_NO_MEMORY: nothing changed. */
SLIM_MUST_CHECK enum slim_status slim_h2_queue_frame(struct slim_h2_queue *out,
                                                     struct slim_h2_memory memory,
                                                     struct slim_view head,
                                                     struct slim_h2_queue *queue, size_t count);

/* Forget the first `count` bytes; count <= byte_count. */
void slim_h2_queue_drop(struct slim_h2_queue *queue, struct slim_h2_memory memory, size_t count);

/* Describe the front: at most iov_count entries, stopping at the entry that reaches bytes_max. Returns the entries. */
size_t slim_h2_queue_iov(const struct slim_h2_queue *queue, struct iovec *iov, size_t iov_count,
                         size_t bytes_max);

/* Memory of the blocks below the queue; walks it. */
size_t slim_h2_queue_memory_bytes(const struct slim_h2_queue *queue);

#endif
