/* A server session driven by any sequence of orders: bytes of a peer, and everything its owner may do with streams.
 *
 * Input: orders of one byte and its arguments, see below. */
#include <stdlib.h>

#include "h2/h2.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STREAMS_MAX = 16 };
struct world {
    struct slim_heap *heap;
    struct slim_block_pool *pool;
    struct slim_h2 *h2;
    struct slim_h2_stream *streams[STREAMS_MAX];
    size_t data_bytes[STREAMS_MAX]; /* not credited yet */
    bool has_answered[STREAMS_MAX];
};

static size_t slot_of(struct world *world, struct slim_h2_stream *stream)
{
    size_t i = 0;
    while (i < STREAMS_MAX && world->streams[i] != stream) {
        i++;
    }
    REQUIRE(i < STREAMS_MAX);
    return i;
}

static void on_request(void *ctx, int32_t id, const struct slim_h2_header *headers, size_t count,
                       bool is_last)
{
    struct world *world = ctx;
    (void)is_last;
    REQUIRE(count == 0 || headers[count - 1].name.len > 0);
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        if (world->streams[i] == NULL) {
            world->streams[i] = malloc(sizeof(struct slim_h2_stream));
            REQUIRE(world->streams[i] != NULL);
            world->data_bytes[i] = 0;
            world->has_answered[i] = false;
            slim_h2_stream_attach(world->h2, world->streams[i], id);
            return;
        }
    }
}

static void on_headers(void *ctx, struct slim_h2_stream *stream,
                       const struct slim_h2_header *headers, size_t count, bool is_last)
{
    (void)slot_of(ctx, stream); /* only the check is wanted */
    (void)headers;
    (void)count;
    (void)is_last;
}

static void on_data(void *ctx, struct slim_h2_stream *stream, struct slim_view bytes)
{
    struct world *world = ctx;
    world->data_bytes[slot_of(world, stream)] += bytes.len;
}

static void on_last(void *ctx, struct slim_h2_stream *stream)
{
    (void)slot_of(ctx, stream); /* only the check is wanted */
}

static void on_close(void *ctx, struct slim_h2_stream *stream, uint32_t error)
{
    struct world *world = ctx;
    (void)error;
    world->streams[slot_of(world, stream)] = NULL;
    free(stream);
}

static void put_block(struct world *world, struct slim_h2_stream *stream, size_t len)
{
    struct slim_block *block;
    REQUIRE(slim_block_new(world->pool, len, &block) == SLIM_OK);
    memset(block->data, 'b', len);
    block->len = (uint32_t)len;
    enum slim_status status =
        slim_h2_stream_put_block(stream, SLIM_VIEW("head"), block, len / 3, len - len / 3);
    REQUIRE(status == SLIM_OK || status == SLIM_ERR_CLOSED);
    slim_block_unref(block);
}

static void order_stream(struct world *world, size_t slot, uint8_t what, size_t amount)
{
    static uint8_t bytes[65536];
    static const struct slim_h2_header fields[] = {{SLIM_VIEW(":status"), SLIM_VIEW("200")},
                                                   {SLIM_VIEW("a"), SLIM_VIEW("b")}};
    struct slim_h2_stream *stream = world->streams[slot];
    if (stream == NULL) {
        return;
    }
    if (!world->has_answered[slot] && !stream->has_ended) {
        REQUIRE(slim_h2_stream_respond(stream, fields, 1, what == 7) == SLIM_OK);
        world->has_answered[slot] = true;
    }
    if (what == 0) {
        enum slim_status status =
            slim_h2_stream_put(stream, SLIM_VIEW("head"), slim_view_of(bytes, amount * 100));
        REQUIRE(status == SLIM_OK || status == SLIM_ERR_CLOSED);
    } else if (what == 1) {
        put_block(world, stream, amount * 300);
    } else if (what == 2) {
        slim_h2_stream_end(stream, fields + 1, amount % 2, SLIM_H2_NO_ERROR, amount % 3 == 0);
    } else if (what == 3) {
        slim_h2_stream_reset(stream, SLIM_H2_CANCEL);
    } else if (what == 4) {
        slim_h2_stream_credit(stream, world->data_bytes[slot]);
        world->data_bytes[slot] = 0;
    }
}

static void write_some(struct slim_h2 *h2, size_t amount)
{
    struct iovec iov[4];
    size_t count = slim_h2_output(h2, iov, 1 + amount % 4, 1 + amount * 200);
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        REQUIRE(iov[i].iov_len > 0);
        total += iov[i].iov_len;
    }
    slim_h2_sent(h2, amount % 5 == 0 ? total / 2 : total);
    REQUIRE(slim_h2_pending_bytes(h2) < 1 << 24);
}

static void world_init(struct world *world)
{
    static const struct slim_h2_handler handler = {on_request, on_headers, on_data, on_last,
                                                   on_close};
    const struct slim_h2_options options = {true, 65535, 65535, 16384, 4096, 8};
    static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    *world = (struct world){0};
    REQUIRE(slim_heap_new(1 << 20, &world->heap) == SLIM_OK);
    REQUIRE(slim_block_pool_new(1 << 20, &world->pool) == SLIM_OK);
    REQUIRE(slim_h2_new(&options, &handler, world, world->heap, world->pool, 0, &world->h2) ==
            SLIM_OK);
    REQUIRE(slim_h2_take(world->h2, slim_view_of(preface, 33), 0) == SLIM_OK);
}

static void world_fini(struct world *world)
{
    slim_h2_kill(world->h2);
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        if (world->streams[i] != NULL) {
            slim_h2_stream_fini(world->streams[i]);
            free(world->streams[i]);
        }
    }
    REQUIRE(slim_h2_stream_count(world->h2) == 0);
    slim_h2_free(world->h2);
    slim_block_pool_free(world->pool);
    slim_heap_free(world->heap);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world world;
    world_init(&world);
    uint64_t now_ms = 0;
    enum slim_status status = SLIM_OK;
    while (size >= 2 && status == SLIM_OK) {
        uint8_t order = data[0];
        size_t amount = data[1];
        data += 2;
        size -= 2;
        if (order < 128) { /* that many bytes of the peer */
            size_t len = order < size ? order : size;
            status = slim_h2_take(world.h2, slim_view_of(data, len), now_ms);
            data += len;
            size -= len;
            now_ms += amount;
        } else if (order < 160) {
            write_some(world.h2, amount);
        } else if (order < 164) {
            slim_h2_ping(world.h2);
        } else if (order < 165) {
            slim_h2_go_away(world.h2);
        } else {
            order_stream(&world, (order - 165U) / 8 % STREAMS_MAX, (order - 165U) % 8, amount);
        }
    }
    for (size_t i = 0; i < 4; i++) {
        write_some(world.h2, 255);
    }
    world_fini(&world);
    return 0;
}
