#include "h2/queue.h"

#include "h2/limits.h"

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static struct slim_h2_segment *segment_new(struct slim_h2_memory memory, struct slim_block *block,
                                           uint32_t pos, uint32_t end)
{
    struct slim_h2_segment *segment = slim_heap_take(memory.heap, sizeof(*segment));
    if (segment != NULL) {
        *segment = (struct slim_h2_segment){.block = block, .pos = pos, .end = end};
    }
    return segment;
}

static void segment_free(struct slim_h2_memory memory, struct slim_h2_segment *segment)
{
    slim_block_unref(segment->block);
    slim_heap_return(memory.heap, segment);
}

static void append_segment(struct slim_h2_queue *queue, struct slim_h2_segment *segment)
{
    segment->next = NULL;
    if (queue->last == NULL) {
        queue->first = segment;
    } else {
        queue->last->next = segment;
    }
    queue->last = segment;
    queue->segment_count++;
    queue->byte_count += segment->end - segment->pos;
}

static struct slim_h2_segment *take_first(struct slim_h2_queue *queue)
{
    struct slim_h2_segment *segment = queue->first;
    assert(segment != NULL);
    queue->first = segment->next;
    if (queue->first == NULL) {
        queue->last = NULL;
    }
    queue->segment_count--;
    queue->byte_count -= segment->end - segment->pos;
    return segment;
}

/* An empty queue keeps no block: a connection at rest costs no memory. */
static void release_tail_if_empty(struct slim_h2_queue *queue)
{
    if (queue->first == NULL && queue->tail != NULL) {
        slim_block_unref(queue->tail);
        queue->tail = NULL;
    }
}

/* True when bytes put into the tail belong to the last segment. */
static bool is_tail_open(const struct slim_h2_queue *queue)
{
    return queue->last != NULL && queue->last->block == queue->tail &&
           queue->last->end == queue->tail->len;
}

static size_t tail_room(const struct slim_h2_queue *queue)
{
    return queue->tail == NULL ? 0 : slim_block_room(queue->tail);
}

/* Segments without bytes yet, over blocks with room for `count` bytes behind the room of the tail: what a long put needs,
 * taken before anything changes. */
static enum slim_status reserve(const struct slim_h2_queue *queue, struct slim_h2_memory memory,
                                size_t count, struct slim_h2_queue *reserved)
{
    if (tail_room(queue) > 0 && !is_tail_open(queue)) {
        struct slim_h2_segment *segment =
            segment_new(memory, queue->tail, queue->tail->len, queue->tail->len);
        if (segment == NULL) {
            return SLIM_ERR_NO_MEMORY;
        }
        slim_block_ref(queue->tail);
        append_segment(reserved, segment);
    }
    size_t room = tail_room(queue);
    bool is_first = queue->first == NULL;
    while (room < count) {
        size_t want = is_first && count <= SLIM_H2_FIRST_BLOCK_BYTES - sizeof(struct slim_block)
                          ? SLIM_H2_FIRST_BLOCK_BYTES
                          : SLIM_H2_BLOCK_BYTES;
        struct slim_block *block;
        SLIM_TRY(slim_block_new(memory.pool, want - sizeof(*block), &block));
        struct slim_h2_segment *segment = segment_new(memory, block, 0, 0);
        if (segment == NULL) {
            slim_block_unref(block);
            return SLIM_ERR_NO_MEMORY;
        }
        append_segment(reserved, segment);
        room += slim_block_room(block);
        is_first = false;
    }
    return SLIM_OK;
}

/* Copy `bytes` behind the last byte, moving to the next reserved segment when a block is full. */
static void fill(struct slim_h2_queue *queue, struct slim_h2_queue *reserved,
                 struct slim_view bytes)
{
    while (bytes.len > 0) {
        if (!is_tail_open(queue) || tail_room(queue) == 0) {
            struct slim_h2_segment *segment = take_first(reserved);
            if (segment->block != queue->tail) {
                slim_block_unref(queue->tail);
                queue->tail = slim_block_ref(segment->block);
            }
            append_segment(queue, segment);
        }
        size_t count = min_size(bytes.len, tail_room(queue));
        slim_block_put(queue->tail, slim_view_of(bytes.data, count));
        queue->last->end += (uint32_t)count;
        queue->byte_count += count;
        bytes = slim_view_skip(bytes, count);
    }
}

static void clear(struct slim_h2_queue *queue, struct slim_h2_memory memory)
{
    while (queue->first != NULL) {
        segment_free(memory, take_first(queue));
    }
}

static enum slim_status put_slow(struct slim_h2_queue *queue, struct slim_h2_memory memory,
                                 struct slim_view head, struct slim_view body)
{
    struct slim_h2_queue reserved = {0};
    enum slim_status status = reserve(queue, memory, head.len + body.len, &reserved);
    if (status == SLIM_OK) {
        fill(queue, &reserved, head);
        fill(queue, &reserved, body);
    }
    clear(&reserved, memory);
    return status;
}

enum slim_status slim_h2_queue_put(struct slim_h2_queue *queue, struct slim_h2_memory memory,
                                   struct slim_view head, struct slim_view body)
{
    size_t count = head.len + body.len;
    if (SLIM_UNLIKELY(tail_room(queue) < count || !is_tail_open(queue))) {
        return put_slow(queue, memory, head, body);
    }
    slim_block_put(queue->tail, head);
    slim_block_put(queue->tail, body);
    queue->last->end += (uint32_t)count;
    queue->byte_count += count;
    return SLIM_OK;
}

enum slim_status slim_h2_queue_put_block(struct slim_h2_queue *queue, struct slim_h2_memory memory,
                                         struct slim_view head, struct slim_block *block,
                                         size_t offset, size_t len)
{
    assert(offset <= block->len && len <= block->len - offset);
    struct slim_h2_segment *last = queue->last;
    if (head.len == 0 && last != NULL && last->block == block && last->end == offset) {
        last->end += (uint32_t)len;
        queue->byte_count += len;
        return SLIM_OK;
    }
    struct slim_h2_segment *segment =
        segment_new(memory, block, (uint32_t)offset, (uint32_t)(offset + len));
    if (segment == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    enum slim_status status =
        head.len == 0 ? SLIM_OK
                      : slim_h2_queue_put(queue, memory, head, (struct slim_view){NULL, 0});
    if (status != SLIM_OK || len == 0) {
        slim_heap_return(memory.heap, segment);
        return status;
    }
    slim_block_ref(block);
    append_segment(queue, segment);
    return SLIM_OK;
}

size_t slim_h2_queue_cut_size(const struct slim_h2_queue *queue, size_t bytes_max)
{
    if (queue->byte_count <= bytes_max) {
        return queue->byte_count;
    }
    size_t whole = 0;
    for (const struct slim_h2_segment *segment = queue->first; segment != NULL;
         segment = segment->next) {
        size_t next = whole + (segment->end - segment->pos);
        if (next > bytes_max) {
            break;
        }
        whole = next;
    }
    return whole >= min_size(SLIM_H2_FRAME_BYTES_MIN, bytes_max) ? whole : bytes_max;
}

/* The segment that frame of `count` bytes must cut in two, or NULL; *first_bytes is the size of its first part. */
static struct slim_h2_segment *find_cut(const struct slim_h2_queue *queue, size_t count,
                                        uint32_t *first_bytes)
{
    struct slim_h2_segment *segment = queue->first;
    while (segment != NULL && count >= segment->end - segment->pos) {
        count -= segment->end - segment->pos;
        segment = segment->next;
    }
    *first_bytes = (uint32_t)count;
    return count == 0 ? NULL : segment;
}

enum slim_status slim_h2_queue_frame(struct slim_h2_queue *out, struct slim_h2_memory memory,
                                     struct slim_view head, struct slim_h2_queue *queue,
                                     size_t count)
{
    assert(count <= queue->byte_count);
    uint32_t first_bytes;
    struct slim_h2_segment *cut = find_cut(queue, count, &first_bytes);
    struct slim_h2_segment *part = NULL;
    if (cut != NULL) {
        part = segment_new(memory, cut->block, cut->pos, cut->pos + first_bytes);
        if (part == NULL) {
            return SLIM_ERR_NO_MEMORY;
        }
    }
    enum slim_status status = slim_h2_queue_put(out, memory, head, (struct slim_view){NULL, 0});
    if (status != SLIM_OK) {
        slim_heap_return(memory.heap, part);
        return status;
    }
    while (queue->first != NULL && queue->first != cut && count > 0) {
        struct slim_h2_segment *segment = take_first(queue);
        count -= segment->end - segment->pos;
        append_segment(out, segment);
    }
    if (part != NULL) {
        slim_block_ref(part->block);
        append_segment(out, part);
        cut->pos += first_bytes;
        queue->byte_count -= first_bytes;
    }
    release_tail_if_empty(queue);
    return SLIM_OK;
}

void slim_h2_queue_drop(struct slim_h2_queue *queue, struct slim_h2_memory memory, size_t count)
{
    assert(count <= queue->byte_count);
    while (count > 0) {
        struct slim_h2_segment *segment = queue->first;
        size_t size = segment->end - segment->pos;
        if (count < size) {
            segment->pos += (uint32_t)count;
            queue->byte_count -= count;
            break;
        }
        count -= size;
        segment_free(memory, take_first(queue));
    }
    release_tail_if_empty(queue);
}

size_t slim_h2_queue_iov(const struct slim_h2_queue *queue, struct iovec *iov, size_t iov_count,
                         size_t bytes_max)
{
    size_t used = 0;
    size_t bytes = 0;
    const struct slim_h2_segment *segment = queue->first;
    for (; segment != NULL && used < iov_count && bytes < bytes_max; segment = segment->next) {
        size_t size = segment->end - segment->pos;
        iov[used++] =
            (struct iovec){.iov_base = segment->block->data + segment->pos, .iov_len = size};
        bytes += size;
    }
    return used;
}

size_t slim_h2_queue_memory_bytes(const struct slim_h2_queue *queue)
{
    size_t bytes = 0;
    const struct slim_block *previous = NULL;
    const struct slim_block *before = NULL; /* prefixes in the tail alternate with shared blocks */
    for (const struct slim_h2_segment *segment = queue->first; segment != NULL;
         segment = segment->next) {
        if (segment->block != previous && segment->block != before) {
            bytes += slim_block_size(segment->block);
        }
        before = previous;
        previous = segment->block;
    }
    return bytes;
}
