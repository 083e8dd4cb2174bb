/* A client connection and a server connection in memory, and a record of what each saw. */
#ifndef SLIM_TESTS_GRPC_PAIR_H
#define SLIM_TESTS_GRPC_PAIR_H

#include <stdlib.h>

#include "base/buf.h"
#include "grpc/grpc.h"
#include "support/check.h"

#define OPEN_CHANNEL SLIM_VIEW("/dataplane.proto.v1.DataPlaneService/OpenChannel")

/* What one side saw, as text: "call /path", "open", "msg N first-bytes", "end STATUS text". Only the first LOG_BYTES are kept. */
enum { LOG_BYTES = 4096 };
struct side {
    struct slim_grpc_conn *conn;
    struct pair *pair;
    struct slim_grpc_call *last_call;
    char log[LOG_BYTES];
    size_t log_len;
    uint64_t msg_count;
    uint64_t msg_bytes;
    uint64_t block_count; /* messages that came with their block */
    uint64_t end_count;
    uint64_t hash; /* over all messages in order */
    struct slim_grpc_end last_end;
    enum slim_status status;
    /* behaviour, called instead of the defaults when set */
    void (*on_call)(struct side *side, struct slim_grpc_call *call,
                    const struct slim_grpc_request *request);
    void (*on_message)(struct side *side, struct slim_grpc_call *call, struct slim_view msg);
    void (*on_end)(struct side *side, struct slim_grpc_call *call);
    size_t hold_bytes;
};

struct pair {
    struct slim_heap *heap;
    struct slim_block_pool *pool;
    struct side client;
    struct side server;
    size_t split; /* bytes handed over at once; 0: whatever the output gives; SIZE_MAX: random */
    size_t output_bytes;
    uint64_t now_ms;
    uint32_t random;
};

static inline void log_text(struct side *side, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static inline void log_text(struct side *side, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (side->log_len < LOG_BYTES - 1) {
        int len = vsnprintf(side->log + side->log_len, LOG_BYTES - side->log_len, format, args);
        side->log_len += (size_t)len;
        if (side->log_len > LOG_BYTES - 1) {
            side->log_len = LOG_BYTES - 1;
        }
    }
    va_end(args);
}

static inline void side_on_call(void *ctx, struct slim_grpc_call *call,
                                const struct slim_grpc_request *request)
{
    struct side *side = ctx;
    side->last_call = call;
    log_text(side, "call %.*s\n", SLIM_VIEW_ARG(request->path));
    if (side->on_call != NULL) {
        side->on_call(side, call, request);
    } else if (slim_grpc_call_accept(call) != SLIM_OK) {
        slim_grpc_call_finish(call, SLIM_GRPC_RESOURCE_EXHAUSTED, SLIM_VIEW(""), false);
        side->last_call = NULL;
    }
}

static inline void side_on_open(void *ctx, struct slim_grpc_call *call)
{
    (void)call;
    log_text(ctx, "open\n");
}

static inline void side_on_message(void *ctx, struct slim_grpc_call *call, struct slim_view msg,
                                   struct slim_block *block)
{
    struct side *side = ctx;
    if (side->msg_count < 64) {
        log_text(side, "msg %zu %.*s\n", msg.len, msg.len < 16 ? (int)msg.len : 16,
                 (const char *)msg.data);
    }
    side->msg_count++;
    side->msg_bytes += msg.len;
    side->block_count += block != NULL;
    uint64_t hash = side->hash + 0x9e3779b97f4a7c15U + msg.len;
    for (size_t i = 0; i < msg.len; i += 97) {
        hash = (hash ^ msg.data[i]) * 0x100000001b3U;
    }
    side->hash = hash;
    if (side->hold_bytes > 0) {
        slim_grpc_call_hold(call, msg.len + 5);
        side->hold_bytes += msg.len + 5;
    }
    if (side->on_message != NULL) {
        side->on_message(side, call, msg);
    }
}

static inline void side_on_end(void *ctx, struct slim_grpc_call *call,
                               const struct slim_grpc_end *end)
{
    struct side *side = ctx;
    side->end_count++;
    side->last_end = *end;
    side->last_end.message = (struct slim_view){NULL, 0};
    log_text(side, "end %d %.*s\n", (int)end->status, SLIM_VIEW_ARG(end->message));
    if (side->last_call == call) {
        side->last_call = NULL;
    }
    if (side->on_end != NULL) {
        side->on_end(side, call);
    }
}

static const struct slim_grpc_handler side_handler = {.on_call = side_on_call,
                                                      .on_open = side_on_open,
                                                      .on_message = side_on_message,
                                                      .on_end = side_on_end};

static inline uint32_t pair_random(struct pair *pair)
{
    pair->random = pair->random * 1664525U + 1013904223U;
    return pair->random >> 8;
}

static inline struct slim_grpc_options pair_options(bool is_server)
{
    struct slim_grpc_options options = slim_grpc_options_default(is_server);
    options.authority = SLIM_VIEW("127.0.0.1:46357");
    return options;
}

/* SLIM_ERR_NO_MEMORY: nothing is left behind. */
static inline enum slim_status pair_open_with(struct pair *pair,
                                              const struct slim_grpc_options *client,
                                              const struct slim_grpc_options *server)
{
    memset(pair, 0, sizeof(*pair));
    pair->random = 1;
    pair->output_bytes = 64 * 1024;
    pair->now_ms = 1000;
    pair->client.pair = pair;
    pair->server.pair = pair;
    enum slim_status status = slim_heap_new(4 << 20, &pair->heap);
    if (status == SLIM_OK) {
        status = slim_block_pool_new(16 << 20, &pair->pool);
    }
    if (status == SLIM_OK) {
        status = slim_grpc_conn_new(client, &side_handler, &pair->client, pair->heap, pair->pool,
                                    pair->now_ms, &pair->client.conn);
    }
    if (status == SLIM_OK) {
        status = slim_grpc_conn_new(server, &side_handler, &pair->server, pair->heap, pair->pool,
                                    pair->now_ms, &pair->server.conn);
    }
    return status;
}

static inline enum slim_status pair_try_open(struct pair *pair)
{
    struct slim_grpc_options client = pair_options(false);
    struct slim_grpc_options server = pair_options(true);
    return pair_open_with(pair, &client, &server);
}

static inline void pair_open(struct pair *pair)
{
    CHECK_OK(pair_try_open(pair));
}

/* Everything must be back: slim_heap_free and slim_block_pool_free assert it. */
static inline void pair_close(struct pair *pair)
{
    slim_grpc_conn_free(pair->client.conn);
    slim_grpc_conn_free(pair->server.conn);
    slim_block_pool_free(pair->pool);
    slim_heap_free(pair->heap);
}

static inline size_t pair_step(struct pair *pair, size_t available)
{
    size_t step = available;
    if (pair->split == SIZE_MAX) {
        step = 1 + pair_random(pair) % 3000;
    } else if (pair->split > 0) {
        step = pair->split;
    }
    return step < available ? step : available;
}

/* Hand over what `from` has to write now. Returns the bytes. */
static inline size_t pair_move(struct pair *pair, struct side *from, struct side *to)
{
    struct iovec iov[32];
    size_t total = 0;
    size_t count = slim_grpc_conn_output(from->conn, iov, SLIM_COUNT(iov), pair->output_bytes);
    for (size_t i = 0; i < count; i++) {
        /* As a socket would: the bytes are somewhere else before the sender goes on, and end where they end. */
        const uint8_t *data = iov[i].iov_base;
        size_t done = 0;
        while (done < iov[i].iov_len) {
            size_t step = pair_step(pair, iov[i].iov_len - done);
            static uint8_t copy[1 << 20];
            memcpy(copy, data + done, step);
            if (to->status == SLIM_OK) {
                to->status = slim_grpc_conn_take(to->conn, slim_view_of(copy, step), pair->now_ms);
            }
            done += step;
        }
        total += iov[i].iov_len;
    }
    slim_grpc_conn_sent(from->conn, total);
    return total;
}

/* Until neither side has anything to write. */
static inline void pair_run(struct pair *pair)
{
    for (size_t idle = 0; idle < 2;) {
        size_t moved = pair_move(pair, &pair->client, &pair->server) +
                       pair_move(pair, &pair->server, &pair->client);
        idle = moved == 0 ? idle + 1 : 0;
    }
}

static inline struct slim_grpc_call *pair_start(struct pair *pair)
{
    struct slim_grpc_call *call;
    CHECK_OK(slim_grpc_call_start(pair->client.conn, OPEN_CHANNEL, NULL, 0, NULL, &call));
    return call;
}

#endif
