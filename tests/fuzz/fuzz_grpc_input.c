/* Any bytes from the peer, to a server or to a client with open calls. The bytes are fed whole and in pieces: when the
 * connection survives both, both must have given the same messages; on_end comes at most once; nothing stays allocated.
 *
 * Input: byte 0 bit 0 the role, bit 1 "begin with preface and SETTINGS", bit 2 react to messages; then the bytes. */
#include <stdlib.h>

#include "grpc/grpc.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CALLS = 3 };

struct run {
    struct slim_grpc_conn *conn;
    bool is_reacting;
    bool is_closed; /* by us */
    uint64_t hash;
    size_t msg_count;
    size_t open_count;
    uint32_t random;
};

static uint32_t next_random(struct run *run)
{
    run->random = run->random * 1664525U + 1013904223U;
    return run->random >> 8;
}

static void on_call(void *ctx, struct slim_grpc_call *call, const struct slim_grpc_request *request)
{
    struct run *run = ctx;
    for (size_t i = 0; i < request->header_count; i++) {
        run->hash =
            run->hash * 31 + request->headers[i].value.len + request->headers[i].name.data[0];
    }
    if (request->path.len == 7) {
        slim_grpc_call_finish(call, SLIM_GRPC_UNIMPLEMENTED, request->path, true);
    } else {
        REQUIRE(slim_grpc_call_accept(call) == SLIM_OK);
        run->open_count++;
    }
}

static void on_open(void *ctx, struct slim_grpc_call *call)
{
    struct run *run = ctx;
    run->hash = run->hash * 31 + 1;
    if (run->is_reacting) {
        REQUIRE(slim_grpc_call_put_message(call, SLIM_VIEW("hello")) == SLIM_OK);
    }
}

static void react(struct run *run, struct slim_grpc_call *call, struct slim_view msg)
{
    switch (next_random(run) % 8) {
    case 0:
        slim_grpc_call_finish(call, SLIM_GRPC_ABORTED, msg, next_random(run) % 2 == 0);
        run->open_count--;
        break;
    case 1:
        slim_grpc_call_hold(call, msg.len + 5);
        break;
    case 2:
        slim_grpc_call_hold(call, msg.len + 5);
        slim_grpc_call_release(call, msg.len);
        break;
    case 3:
        run->is_closed = true;
        slim_grpc_conn_close(run->conn, SLIM_GRPC_UNAVAILABLE, msg);
        break;
    case 4:
        slim_grpc_conn_go_away(run->conn);
        break;
    default: {
        /* the connection may have died earlier in the same turn */
        enum slim_status status = slim_grpc_call_put_message(call, msg);
        REQUIRE(status == SLIM_OK || status == SLIM_ERR_CLOSED);
    }
    }
}

static void on_message(void *ctx, struct slim_grpc_call *call, struct slim_view msg,
                       struct slim_block *block)
{
    struct run *run = ctx;
    REQUIRE(block == NULL || (block->data == msg.data && block->len == msg.len));
    for (size_t i = 0; i < msg.len; i++) {
        run->hash = (run->hash ^ msg.data[i]) * 0x100000001b3U;
    }
    run->msg_count++;
    if (run->is_reacting) {
        react(run, call, msg);
    }
}

static void on_end(void *ctx, struct slim_grpc_call *call, const struct slim_grpc_end *end)
{
    struct run *run = ctx;
    (void)call;
    REQUIRE(run->open_count > 0);
    run->open_count--;
    run->hash = run->hash * 31 + end->status + end->message.len;
}

static void flush(struct slim_grpc_conn *conn)
{
    struct iovec iov[8];
    size_t count;
    while ((count = slim_grpc_conn_output(conn, iov, SLIM_COUNT(iov), 20000)) > 0) {
        size_t total = 0;
        for (size_t i = 0; i < count; i++) {
            total += iov[i].iov_len;
        }
        slim_grpc_conn_sent(conn, total);
    }
}

static enum slim_status feed(struct run *run, struct slim_view bytes, bool is_whole)
{
    enum slim_status status = SLIM_OK;
    while (bytes.len > 0 && status == SLIM_OK) {
        size_t step = is_whole ? bytes.len : 1 + next_random(run) % 40;
        step = step < bytes.len ? step : bytes.len;
        uint8_t *copy = malloc(step); /* of the exact size, so that a read beyond it is seen */
        REQUIRE(copy != NULL);
        memcpy(copy, bytes.data, step);
        status = slim_grpc_conn_take(run->conn, slim_view_of(copy, step), 1000);
        free(copy);
        bytes = slim_view_skip(bytes, step);
        flush(run->conn);
    }
    return status;
}

static enum slim_status run_once(struct run *run, uint8_t flags, struct slim_view bytes,
                                 bool is_whole)
{
    static const struct slim_grpc_handler handler = {on_call, on_open, on_message, on_end};
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    bool is_server = (flags & 1) != 0;
    struct slim_heap *heap;
    struct slim_block_pool *pool;
    struct slim_grpc_options options = slim_grpc_options_default(is_server);
    options.message_bytes_max = 100000;
    REQUIRE(slim_heap_new(1 << 20, &heap) == SLIM_OK &&
            slim_block_pool_new(1 << 20, &pool) == SLIM_OK);
    REQUIRE(slim_grpc_conn_new(&options, &handler, run, heap, pool, 1000, &run->conn) == SLIM_OK);
    for (size_t i = 0; !is_server && i < CALLS; i++) {
        struct slim_grpc_call *call;
        REQUIRE(slim_grpc_call_start(run->conn, SLIM_VIEW("/p"), NULL, 0, NULL, &call) == SLIM_OK);
        run->open_count++;
    }
    flush(run->conn);
    enum slim_status status = SLIM_OK;
    if ((flags & 2) != 0) {
        size_t skip = is_server ? 0 : 24;
        status = feed(run, slim_view_of(preface + skip, 33 - skip), is_whole);
    }
    if (status == SLIM_OK) {
        status = feed(run, bytes, is_whole);
    }
    REQUIRE(slim_grpc_conn_call_count(run->conn) == run->open_count);
    uint64_t hash = run->hash;
    slim_grpc_conn_close(run->conn, SLIM_GRPC_UNAVAILABLE, SLIM_VIEW("gone"));
    REQUIRE(run->open_count == 0);
    run->hash = hash;
    slim_grpc_conn_free(run->conn);
    slim_block_pool_free(pool);
    slim_heap_free(heap);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    uint8_t flags = data[0];
    struct slim_view bytes = slim_view_of(data + 1, size - 1);
    struct run whole = {.is_reacting = (flags & 4) != 0, .random = (uint32_t)size};
    struct run split = {.is_reacting = (flags & 4) != 0, .random = (uint32_t)size};
    enum slim_status whole_status = run_once(&whole, flags, bytes, true);
    enum slim_status split_status = run_once(&split, flags, bytes, false);
    if (whole_status == SLIM_OK && split_status == SLIM_OK && (flags & 4) == 0) {
        REQUIRE(whole.msg_count == split.msg_count);
    }
    return 0;
}
