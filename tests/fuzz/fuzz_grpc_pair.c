/* Our client against our server, driven by any sequence of orders: messages arrive whole and in order, a call ends once, nothing
 * stays allocated.
 *
 * Input: orders of two bytes: what and how much. */
#include <stdlib.h>

#include "grpc/grpc.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CALLS_MAX = 6 };

/* One direction of a call: numbers of messages put and seen. */
struct end {
    struct slim_grpc_call *call;
    struct side *side;
    struct end *peer;
    uint32_t put_count;
    uint32_t seen_count;
    size_t held;
    bool is_accepted;
    bool is_used;
};

struct side {
    struct slim_grpc_conn *conn;
    struct end ends[CALLS_MAX];
    size_t end_count;
    uint8_t mood; /* what a callback does */
    bool is_closed;
};

struct pair {
    struct slim_heap *heap;
    struct slim_block_pool *pool;
    struct side client;
    struct side server;
};

static void on_call(void *ctx, struct slim_grpc_call *call, const struct slim_grpc_request *request)
{
    struct side *side = ctx;
    struct slim_view number = slim_grpc_request_header(request, SLIM_VIEW("number"));
    REQUIRE(number.len == 1 && number.data[0] < 'a' + CALLS_MAX);
    struct end *end = &side->ends[number.data[0] - 'a'];
    REQUIRE(end->call == NULL);
    if (side->mood == 1) {
        slim_grpc_call_finish(call, SLIM_GRPC_UNAVAILABLE, SLIM_VIEW("not in the mood"), true);
        return;
    }
    REQUIRE(slim_grpc_call_accept(call) == SLIM_OK);
    end->call = call;
    slim_grpc_call_set_ctx(call, end);
}

static void on_open(void *ctx, struct slim_grpc_call *call)
{
    (void)ctx;
    struct end *end = slim_grpc_call_ctx(call);
    REQUIRE(end->call == call && !end->is_accepted);
    end->is_accepted = true;
}

static uint8_t pattern(uint32_t number, size_t i)
{
    return (uint8_t)(number * 7 + i);
}

static void finish(struct end *end, size_t amount)
{
    slim_grpc_call_finish(end->call, SLIM_GRPC_OK, SLIM_VIEW("finished"), amount % 2 == 0);
    end->call = NULL;
}

static void on_message(void *ctx, struct slim_grpc_call *call, struct slim_view msg,
                       struct slim_block *block)
{
    struct side *side = ctx;
    struct end *end = slim_grpc_call_ctx(call);
    (void)block;
    REQUIRE(end->call == call);
    REQUIRE(end->seen_count < end->peer->put_count);
    for (size_t i = 0; i < msg.len; i += 61) {
        REQUIRE(msg.data[i] == pattern(end->seen_count, i));
    }
    end->seen_count++;
    if (side->mood == 2) {
        finish(end, msg.len);
    } else if (side->mood == 3) {
        slim_grpc_call_hold(call, msg.len + 5);
        end->held += msg.len + 5;
    } else if (side->mood == 4 && msg.len > 5000) {
        side->is_closed = true;
        slim_grpc_conn_close(side->conn, SLIM_GRPC_CANCELLED, SLIM_VIEW("closed"));
    }
}

static void on_end(void *ctx, struct slim_grpc_call *call, const struct slim_grpc_end *why)
{
    struct side *side = ctx;
    struct end *end = slim_grpc_call_ctx(call);
    (void)why;
    REQUIRE(end != NULL && end->call == call && end->side == side);
    end->call = NULL;
    if (side->mood == 5 && !side->is_closed) {
        side->is_closed = true;
        slim_grpc_conn_close(side->conn, SLIM_GRPC_CANCELLED, SLIM_VIEW("closed"));
    }
}

static void put(struct end *end, struct slim_block_pool *pool, size_t amount, bool is_block)
{
    static uint8_t bytes[256 * 256 * 2];
    size_t len = amount * amount * 2;
    for (size_t i = 0; i < len; i += 61) {
        bytes[i] = pattern(end->put_count, i);
    }
    enum slim_status status;
    if (is_block) {
        struct slim_block *block;
        REQUIRE(slim_block_new(pool, len, &block) == SLIM_OK);
        slim_block_put(block, slim_view_of(bytes, len));
        status = slim_grpc_call_put_block(end->call, block);
        slim_block_unref(block);
    } else {
        status = slim_grpc_call_put_message(end->call, slim_view_of(bytes, len));
    }
    REQUIRE(status == SLIM_OK || status == SLIM_ERR_CLOSED);
    end->put_count += status == SLIM_OK;
}

static void start(struct pair *pair, size_t slot)
{
    struct end *end = &pair->client.ends[slot];
    if (end->is_used) {
        return; /* a slot is used once, so that numbers are never ambiguous */
    }
    uint8_t number = (uint8_t)('a' + slot);
    const struct slim_grpc_header header = {SLIM_VIEW("number"), slim_view_of(&number, 1)};
    struct slim_grpc_call *call;
    if (slim_grpc_call_start(pair->client.conn, SLIM_VIEW("/p"), &header, 1, end, &call) ==
        SLIM_OK) {
        end->call = call;
        end->is_used = true;
    }
}

static void move(struct side *from, struct side *to, size_t amount)
{
    static uint8_t wire[300000];
    struct iovec iov[8];
    size_t count = slim_grpc_conn_output(from->conn, iov, 1 + amount % 8, 1 + amount * 800);
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        REQUIRE(total + iov[i].iov_len <= sizeof(wire));
        memcpy(wire + total, iov[i].iov_base, iov[i].iov_len);
        total += iov[i].iov_len;
    }
    total = amount % 3 == 0 ? total / 2 : total;
    slim_grpc_conn_sent(from->conn, total);
    size_t step = 1 + amount * 97;
    for (size_t at = 0; at < total; at += step) {
        enum slim_status status = slim_grpc_conn_take(
            to->conn, slim_view_of(wire + at, step < total - at ? step : total - at), 1000);
        REQUIRE(status == SLIM_OK || status == SLIM_ERR_CLOSED);
    }
}

static void order(struct pair *pair, uint8_t what, size_t amount)
{
    struct side *side = (what & 1) != 0 ? &pair->client : &pair->server;
    struct side *other = (what & 1) != 0 ? &pair->server : &pair->client;
    size_t slot = (what >> 1) % CALLS_MAX;
    struct end *end = &side->ends[slot];
    uint8_t verb = (uint8_t)(what / (2 * CALLS_MAX));
    if (verb == 0) {
        start(pair, slot);
    } else if (verb < 4 && end->call != NULL) {
        put(end, pair->pool, amount, verb == 3);
    } else if (verb == 4 && end->call != NULL) {
        finish(end, amount);
    } else if (verb == 5 && end->call != NULL) {
        slim_grpc_call_release(end->call, end->held);
        end->held = 0;
    } else if (verb == 6) {
        side->mood = amount < 12 ? (uint8_t)(amount % 6) : 0;
    } else if (verb == 7 && amount == 77) {
        slim_grpc_conn_go_away(side->conn);
    } else if (verb == 8 && amount == 78 && !side->is_closed) {
        side->is_closed = true;
        slim_grpc_conn_close(side->conn, SLIM_GRPC_UNAVAILABLE, SLIM_VIEW("closed"));
    } else {
        move(side, other, amount);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct slim_grpc_handler handler = {on_call, on_open, on_message, on_end};
    static struct pair pair;
    memset(&pair, 0, sizeof(pair));
    struct slim_grpc_options client = slim_grpc_options_default(false);
    struct slim_grpc_options server = slim_grpc_options_default(true);
    client.stream_window_bytes = 65535;
    server.conn_window_bytes = 100000;
    server.max_streams = 4;
    REQUIRE(slim_heap_new(1 << 20, &pair.heap) == SLIM_OK &&
            slim_block_pool_new(1 << 20, &pair.pool) == SLIM_OK);
    REQUIRE(slim_grpc_conn_new(&client, &handler, &pair.client, pair.heap, pair.pool, 1000,
                               &pair.client.conn) == SLIM_OK);
    REQUIRE(slim_grpc_conn_new(&server, &handler, &pair.server, pair.heap, pair.pool, 1000,
                               &pair.server.conn) == SLIM_OK);
    for (size_t i = 0; i < CALLS_MAX; i++) {
        pair.client.ends[i].side = &pair.client;
        pair.server.ends[i].side = &pair.server;
        pair.client.ends[i].peer = &pair.server.ends[i];
        pair.server.ends[i].peer = &pair.client.ends[i];
    }
    for (size_t i = 0; i + 1 < size; i += 2) {
        order(&pair, data[i], data[i + 1]);
    }
    slim_grpc_conn_close(pair.server.conn, SLIM_GRPC_UNAVAILABLE, SLIM_VIEW("over"));
    slim_grpc_conn_close(pair.client.conn, SLIM_GRPC_UNAVAILABLE, SLIM_VIEW("over"));
    for (size_t i = 0; i < CALLS_MAX; i++) {
        REQUIRE(pair.client.ends[i].call == NULL && pair.server.ends[i].call == NULL);
    }
    slim_grpc_conn_free(pair.client.conn);
    slim_grpc_conn_free(pair.server.conn);
    slim_block_pool_free(pair.pool);
    slim_heap_free(pair.heap);
    return 0;
}
