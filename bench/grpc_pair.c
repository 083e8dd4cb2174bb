/* CPU per message through the gRPC layer: a client connection and a server connection in memory, one call, messages of one
 * size from client to server. Both sides together: put, frame, copy as a socket would, parse, deliver.
 *
 *   build/bench/grpc_pair [seconds per row] */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "grpc/grpc.h"

enum {
    TURN_BYTES = 256 * 1024, /* what one read of a socket brings at most */
    IOV_MAX_COUNT = 64,
};

static uint64_t received;
static struct slim_grpc_call *server_call;

static void on_call(void *ctx, struct slim_grpc_call *call, const struct slim_grpc_request *request)
{
    (void)ctx;
    (void)request;
    if (slim_grpc_call_accept(call) != SLIM_OK) {
        abort();
    }
    server_call = call;
}

static void on_open(void *ctx, struct slim_grpc_call *call)
{
    (void)ctx;
    (void)call;
}

static void on_message(void *ctx, struct slim_grpc_call *call, struct slim_view msg,
                       struct slim_block *block)
{
    (void)ctx;
    (void)call;
    (void)msg;
    (void)block;
    received++;
}

static void on_end(void *ctx, struct slim_grpc_call *call, const struct slim_grpc_end *end)
{
    (void)ctx;
    (void)call;
    (void)end;
    abort();
}

static uint8_t wire[TURN_BYTES + 64 * 1024];

/* Returns the bytes moved; *cpu_ns grows by what the copy to the wire cost, which is not ours. */
static size_t move(struct slim_grpc_conn *from, struct slim_grpc_conn *to, uint64_t *copy_ns)
{
    struct iovec iov[IOV_MAX_COUNT];
    size_t count = slim_grpc_conn_output(from, iov, IOV_MAX_COUNT, TURN_BYTES);
    size_t bytes = 0;
    uint64_t start = slim_clock_thread_cpu_ns();
    for (size_t i = 0; i < count; i++) {
        memcpy(wire + bytes, iov[i].iov_base, iov[i].iov_len);
        bytes += iov[i].iov_len;
    }
    *copy_ns += slim_clock_thread_cpu_ns() - start;
    slim_grpc_conn_sent(from, bytes);
    if (bytes > 0 && slim_grpc_conn_take(to, slim_view_of(wire, bytes), 1000) != SLIM_OK) {
        abort();
    }
    return bytes;
}

static void settle(struct slim_grpc_conn *client, struct slim_grpc_conn *server, uint64_t *copy_ns)
{
    size_t moved;
    do {
        moved = move(client, server, copy_ns);
        moved += move(server, client, copy_ns);
    } while (moved > 0);
}

/* One message per turn: nothing is shared, neither frames nor calls of the layer below. */
static void measure_single(struct slim_grpc_conn *client, struct slim_grpc_conn *server,
                           struct slim_grpc_call *call, size_t size, double seconds)
{
    static uint8_t content[TURN_BYTES];
    uint64_t copy_ns = 0;
    uint64_t before = received;
    uint64_t start = slim_clock_thread_cpu_ns();
    uint64_t limit = start + (uint64_t)(seconds * 1e9);
    while (slim_clock_thread_cpu_ns() < limit) {
        for (size_t i = 0; i < 1000; i++) {
            if (slim_grpc_call_put_message(call, slim_view_of(content, size)) != SLIM_OK) {
                abort();
            }
            struct iovec iov[4];
            size_t count = slim_grpc_conn_output(client, iov, 4, TURN_BYTES);
            size_t bytes = 0;
            for (size_t k = 0; k < count; k++) {
                memcpy(wire + bytes, iov[k].iov_base, iov[k].iov_len);
                bytes += iov[k].iov_len;
            }
            slim_grpc_conn_sent(client, bytes);
            if (slim_grpc_conn_take(server, slim_view_of(wire, bytes), 1000) != SLIM_OK) {
                abort();
            }
        }
        settle(client, server, &copy_ns);
    }
    double total = (double)(slim_clock_thread_cpu_ns() - start) / (double)(received - before);
    printf("%6zu bytes %-8s %8.1f ns CPU per message, one per turn and frame\n", size, "alone",
           total);
}

/* The server alone: a turn's bytes in DATA frames of one message each, as clients of the reference send them. */
static void measure_receive(struct slim_grpc_conn *server, size_t size, double seconds)
{
    size_t frame = 9 + SLIM_GRPC_PREFIX_BYTES + size;
    size_t batch = TURN_BYTES / frame;
    for (size_t i = 0; i < batch; i++) {
        uint8_t *at = wire + i * frame;
        memset(at, 0, frame);
        at[1] = (uint8_t)((frame - 9) >> 8);
        at[2] = (uint8_t)(frame - 9);
        at[8] = 1; /* the first stream */
        slim_grpc_write_prefix(at + 9, (uint32_t)size);
    }
    uint64_t before = received;
    uint64_t start = slim_clock_thread_cpu_ns();
    uint64_t limit = start + (uint64_t)(seconds * 1e9);
    while (slim_clock_thread_cpu_ns() < limit) {
        if (slim_grpc_conn_take(server, slim_view_of(wire, batch * frame), 1000) != SLIM_OK) {
            abort();
        }
        struct iovec iov[IOV_MAX_COUNT];
        size_t count;
        while ((count = slim_grpc_conn_output(server, iov, IOV_MAX_COUNT, TURN_BYTES)) > 0) {
            size_t bytes = 0;
            for (size_t i = 0; i < count; i++) {
                bytes += iov[i].iov_len;
            }
            slim_grpc_conn_sent(server, bytes);
        }
    }
    double total = (double)(slim_clock_thread_cpu_ns() - start) / (double)(received - before);
    printf("%6zu bytes %-8s %8.1f ns CPU per message, a frame each\n", size, "received", total);
}

static void measure(struct slim_grpc_conn *client, struct slim_grpc_conn *server,
                    struct slim_grpc_call *call, size_t size, struct slim_block *shared,
                    double seconds)
{
    static uint8_t content[TURN_BYTES];
    size_t batch = TURN_BYTES / (size + 5) > 0 ? TURN_BYTES / (size + 5) : 1;
    uint64_t copy_ns = 0;
    uint64_t before = received;
    uint64_t start = slim_clock_thread_cpu_ns();
    uint64_t limit = start + (uint64_t)(seconds * 1e9);
    while (slim_clock_thread_cpu_ns() < limit) {
        for (size_t i = 0; i < batch; i++) {
            enum slim_status status =
                shared != NULL ? slim_grpc_call_put_block(call, shared)
                               : slim_grpc_call_put_message(call, slim_view_of(content, size));
            if (status != SLIM_OK) {
                abort();
            }
        }
        settle(client, server, &copy_ns);
    }
    double total =
        (double)(slim_clock_thread_cpu_ns() - start - copy_ns) / (double)(received - before);
    printf("%6zu bytes %-8s %8.1f ns CPU per message, %6.2f GB/s (copy to the wire left out: %.1f "
           "ns)\n",
           size, shared != NULL ? "by block" : "copied", total, (double)size / total,
           (double)copy_ns / (double)(received - before));
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 1.0;
    struct slim_heap *heap;
    struct slim_block_pool *pool;
    struct slim_grpc_conn *client;
    struct slim_grpc_conn *server;
    struct slim_grpc_call *call;
    static const struct slim_grpc_handler handler = {on_call, on_open, on_message, on_end};
    struct slim_grpc_options client_options = slim_grpc_options_default(false);
    struct slim_grpc_options server_options = slim_grpc_options_default(true);
    if (slim_heap_new(4 << 20, &heap) != SLIM_OK ||
        slim_block_pool_new(16 << 20, &pool) != SLIM_OK ||
        slim_grpc_conn_new(&client_options, &handler, NULL, heap, pool, 1000, &client) != SLIM_OK ||
        slim_grpc_conn_new(&server_options, &handler, NULL, heap, pool, 1000, &server) != SLIM_OK ||
        slim_grpc_call_start(client, SLIM_VIEW("/bench"), NULL, 0, NULL, &call) != SLIM_OK) {
        return 1;
    }
    uint64_t copy_ns = 0;
    settle(client, server, &copy_ns);
    static const size_t sizes[] = {128, 380, 1024, 4096, 16384, 65536};
    for (size_t i = 0; i < SLIM_COUNT(sizes); i++) {
        measure(client, server, call, sizes[i], NULL, seconds);
    }
    measure_single(client, server, call, 380, seconds);
    struct slim_block *block;
    if (slim_block_new(pool, 65536, &block) != SLIM_OK) {
        return 1;
    }
    memset(block->data, 'x', 65536);
    block->len = 65536;
    measure(client, server, call, 65536, block, seconds);
    slim_block_unref(block);
    measure_receive(server, 380, seconds); /* last: the client knows nothing of these bytes */
    slim_grpc_conn_free(client);
    slim_grpc_conn_free(server);
    slim_block_pool_free(pool);
    slim_heap_free(heap);
    return 0;
}
