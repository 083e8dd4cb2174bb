#include "h2/limits.h"
#include "h2/queue.h"
#include "support/check.h"

/* Every queue operation, checked against plain bytes. */
enum { MODEL_MAX = 1 << 20 };
struct world {
    struct slim_h2_memory memory;
    struct slim_h2_queue queue;
    struct slim_h2_queue out;
    uint8_t *model; /* what the queue holds */
    size_t model_len;
    uint8_t *sent; /* what out holds */
    size_t sent_len;
    uint32_t random;
};

static uint32_t next_random(struct world *world, uint32_t below)
{
    world->random = world->random * 1664525U + 1013904223U;
    return (world->random >> 8) % below;
}

static void check_bytes(const struct slim_h2_queue *queue, const uint8_t *want, size_t len)
{
    struct iovec iov[4096];
    size_t count = slim_h2_queue_iov(queue, iov, SLIM_COUNT(iov), SIZE_MAX);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        CHECK(at + iov[i].iov_len <= len);
        CHECK(memcmp(iov[i].iov_base, want + at, iov[i].iov_len) == 0);
        at += iov[i].iov_len;
    }
    CHECK(at == len && queue->byte_count == len && queue->segment_count == count);
    CHECK((queue->tail == NULL) == (len == 0) || queue->tail == NULL);
}

static void world_init(struct world *world, uint32_t seed)
{
    memset(world, 0, sizeof(*world));
    world->random = seed;
    CHECK_OK(slim_heap_new(1 << 20, &world->memory.heap));
    CHECK_OK(slim_block_pool_new(1 << 20, &world->memory.pool));
    world->model = test_malloc(2 * MODEL_MAX);
    world->sent = test_malloc(2 * MODEL_MAX);
}

static void world_fini(struct world *world)
{
    slim_h2_queue_drop(&world->queue, world->memory, world->queue.byte_count);
    slim_h2_queue_drop(&world->out, world->memory, world->out.byte_count);
    CHECK(world->queue.tail == NULL && world->queue.first == NULL && world->queue.last == NULL);
    slim_block_pool_free(world->memory.pool); /* asserts that every block came back */
    slim_heap_free(world->memory.heap);
    test_free(world->model);
    test_free(world->sent);
}

static size_t some_size(struct world *world)
{
    static const uint32_t below[] = {2, 10, 500, 5000, 17000, 40000};
    return next_random(world, below[next_random(world, SLIM_COUNT(below))]);
}

static void put(struct world *world)
{
    static uint8_t bytes[40000];
    size_t len = some_size(world);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)next_random(world, 256);
    }
    struct slim_view head = slim_view_of(bytes, len < 5 ? len : 5);
    struct slim_view body = slim_view_skip(slim_view_of(bytes, len), head.len);
    memcpy(world->model + world->model_len, bytes, len);
    if (next_random(world, 3) == 0) {
        struct slim_block *block;
        CHECK_OK(slim_block_new(world->memory.pool, body.len, &block));
        slim_block_put(block, body);
        size_t half = body.len / 2;
        CHECK_OK(slim_h2_queue_put_block(&world->queue, world->memory, head, block, 0, half));
        CHECK_OK(slim_h2_queue_put_block(&world->queue, world->memory, (struct slim_view){NULL, 0},
                                         block, half, body.len - half));
        slim_block_unref(block);
    } else {
        CHECK_OK(slim_h2_queue_put(&world->queue, world->memory, head, body));
    }
    world->model_len += len;
}

static void frame(struct world *world)
{
    size_t count = slim_h2_queue_cut_size(&world->queue, 1 + next_random(world, 20000));
    CHECK(count <= world->model_len && (count > 0 || world->model_len == 0));
    CHECK_OK(slim_h2_queue_frame(&world->out, world->memory, SLIM_VIEW("head-of-9"), &world->queue,
                                 count));
    memcpy(world->sent + world->sent_len, "head-of-9", 9);
    memcpy(world->sent + world->sent_len + 9, world->model, count);
    world->sent_len += 9 + count;
    world->model_len -= count;
    memmove(world->model, world->model + count, world->model_len);
}

static void drop(struct world *world)
{
    size_t count = next_random(world, (uint32_t)world->sent_len + 1);
    slim_h2_queue_drop(&world->out, world->memory, count);
    world->sent_len -= count;
    memmove(world->sent, world->sent + count, world->sent_len);
}

static void queues_keep_bytes_and_order(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 30; seed++) {
        struct world world;
        world_init(&world, seed);
        for (size_t i = 0; i < 400; i++) {
            uint32_t what = next_random(&world, 10);
            if (what < 5 && world.model_len < MODEL_MAX) {
                put(&world);
            } else if (what < 8 && world.sent_len < MODEL_MAX) {
                frame(&world);
            } else {
                drop(&world);
            }
            check_bytes(&world.queue, world.model, world.model_len);
            check_bytes(&world.out, world.sent, world.sent_len);
        }
        world_fini(&world);
    }
}

static void frames_end_at_block_boundaries_when_they_are_long(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, 1);
    static uint8_t bytes[100000];
    CHECK(slim_h2_queue_cut_size(&world.queue, 16384) == 0);
    CHECK_OK(
        slim_h2_queue_put(&world.queue, world.memory, SLIM_VIEW(""), slim_view_of(bytes, 100)));
    CHECK(slim_h2_queue_cut_size(&world.queue, 16384) == 100);
    CHECK(slim_h2_queue_cut_size(&world.queue, 30) == 30);
    CHECK(world.queue.tail->capacity == SLIM_H2_FIRST_BLOCK_BYTES - sizeof(struct slim_block));
    CHECK_OK(
        slim_h2_queue_put(&world.queue, world.memory, SLIM_VIEW(""), slim_view_of(bytes, 50000)));
    size_t first = SLIM_H2_FIRST_BLOCK_BYTES - sizeof(struct slim_block);
    size_t next = SLIM_H2_BLOCK_BYTES - sizeof(struct slim_block);
    CHECK(slim_h2_queue_cut_size(&world.queue, 16384) ==
          16384); /* the first block alone would be a short frame */
    CHECK(slim_h2_queue_cut_size(&world.queue, first + next + 5) == first + next);
    CHECK(slim_h2_queue_memory_bytes(&world.queue) ==
          SLIM_H2_FIRST_BLOCK_BYTES + 3 * SLIM_H2_BLOCK_BYTES);
    world_fini(&world);
}

static void description_stops_where_it_is_told(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, 1);
    struct slim_block *block;
    CHECK_OK(slim_block_new(world.memory.pool, 100, &block));
    slim_block_put(block, SLIM_VIEW("0123456789"));
    for (size_t i = 0; i < 5; i++) {
        CHECK_OK(slim_h2_queue_put_block(&world.queue, world.memory, (struct slim_view){NULL, 0},
                                         block, 0, 10));
    }
    struct iovec iov[8];
    static const struct {
        const char *why;
        size_t iov_count, bytes_max, want;
    } rows[] = {
        {"nothing asked for", 8, 0, 0},
        {"no room", 0, 100, 0},
        {"one byte is one entry", 8, 1, 1},
        {"exactly one entry", 8, 10, 1},
        {"one byte more", 8, 11, 2},
        {"as many as there is room", 3, 100, 3},
        {"all", 8, SIZE_MAX, 5},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        CHECK_ROW(rows[i].why, slim_h2_queue_iov(&world.queue, iov, rows[i].iov_count,
                                                 rows[i].bytes_max) == rows[i].want);
    }
    CHECK(block->ref_count == 6);
    slim_block_unref(block);
    world_fini(&world);
}

static void sweep(void)
{
    struct slim_h2_memory memory = {NULL, NULL};
    struct slim_h2_queue queue = {0};
    struct slim_h2_queue out = {0};
    static uint8_t bytes[50000];
    if (slim_heap_new(0, &memory.heap) != SLIM_OK ||
        slim_block_pool_new(0, &memory.pool) != SLIM_OK) {
        goto done;
    }
    for (size_t i = 0; i < 3; i++) {
        size_t before = queue.byte_count;
        size_t len = i == 1 ? sizeof(bytes) : 100;
        if (slim_h2_queue_put(&queue, memory, SLIM_VIEW("head"), slim_view_of(bytes, len)) !=
            SLIM_OK) {
            CHECK(queue.byte_count == before);
            goto done;
        }
        if (slim_h2_queue_frame(&out, memory, SLIM_VIEW("h"), &queue, 33) != SLIM_OK) {
            CHECK(queue.byte_count == before + 4 + len);
            goto done;
        }
    }
done:
    slim_h2_queue_drop(&queue, memory, queue.byte_count);
    slim_h2_queue_drop(&out, memory, out.byte_count);
    slim_block_pool_free(memory.pool);
    slim_heap_free(memory.heap);
}

static void without_memory_nothing_is_queued(void **state)
{
    (void)state;
    slim_sweep_alloc(sweep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queues_keep_bytes_and_order),
        cmocka_unit_test(frames_end_at_block_boundaries_when_they_are_long),
        cmocka_unit_test(description_stops_where_it_is_told),
        cmocka_unit_test(without_memory_nothing_is_queued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
