/* Received DATA to messages: 1 byte flag, 4 bytes big-endian length, content (wire.md 1.4). */
#include "grpc/internal.h"

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static uint32_t read_length(const uint8_t *prefix)
{
    uint32_t value;
    memcpy(&value, prefix + 1, sizeof(value));
    return __builtin_bswap32(value);
}

/* False: the call is broken. */
static bool check_prefix(struct slim_grpc_call *call, const uint8_t *prefix)
{
    if (prefix[0] != 0) {
        struct slim_view why = prefix[0] == 1
                                   ? SLIM_VIEW("compressed message without grpc-encoding")
                                   : SLIM_VIEW("invalid compression flag");
        SLIM_GRPC_COUNT(call->conn, messages_compressed);
        slim_grpc_call_break(call, SLIM_GRPC_INTERNAL, why);
        return false;
    }
    if (read_length(prefix) > call->conn->message_bytes_max) {
        SLIM_GRPC_COUNT(call->conn, messages_too_long);
        slim_grpc_call_break(call, SLIM_GRPC_RESOURCE_EXHAUSTED, SLIM_VIEW("message too long"));
        return false;
    }
    return true;
}

static void deliver(struct slim_grpc_call *call, struct slim_view msg, struct slim_block *block)
{
    struct slim_grpc_conn *conn = call->conn;
    conn->stats.messages_received++;
    conn->handler.on_message(conn->ctx, call, msg, block);
}

/* Make room for more bytes of the message that is gathered: as much as it needs, but no more than a multiple of what
 * came, so that an announced length alone reserves nothing. */
static bool make_room(struct slim_grpc_call *call, size_t coming)
{
    struct slim_block *old = call->gathered;
    size_t have = old == NULL ? 0 : old->len;
    size_t want = min_size(call->message_bytes, (have + coming) * SLIM_GRPC_GATHER_GROWTH);
    struct slim_block *block;
    if (slim_block_new(call->conn->pool, want, &block) != SLIM_OK) {
        SLIM_GRPC_COUNT(call->conn, messages_no_memory);
        slim_grpc_call_break(call, SLIM_GRPC_RESOURCE_EXHAUSTED, SLIM_VIEW("out of memory"));
        return false;
    }
    if (old != NULL) {
        slim_block_put(block, slim_block_view(old));
        slim_block_unref(old);
    }
    call->gathered = block;
    return true;
}

/* Add to the message in parts; delivers it when it is complete. Returns the bytes used, 0 when the call broke. */
static size_t gather(struct slim_grpc_call *call, struct slim_view bytes)
{
    size_t have = call->gathered == NULL ? 0 : call->gathered->len;
    size_t count = min_size(bytes.len, call->message_bytes - have);
    if ((call->gathered == NULL || slim_block_room(call->gathered) < count) &&
        !make_room(call, count)) {
        return 0;
    }
    slim_block_put(call->gathered, slim_view_of(bytes.data, count));
    if (call->gathered->len == call->message_bytes) {
        struct slim_block *block = call->gathered;
        call->gathered = NULL;
        call->prefix_len = 0;
        deliver(call, slim_block_view(block), block);
        slim_block_unref(block);
    }
    return count;
}

/* The front of `bytes` continues a message, or begins one that does not end in them. Returns the bytes used. */
static size_t take_part(struct slim_grpc_call *call, struct slim_view bytes)
{
    size_t used = 0;
    if (call->prefix_len < SLIM_GRPC_PREFIX_BYTES) {
        used = min_size(bytes.len, SLIM_GRPC_PREFIX_BYTES - call->prefix_len);
        memcpy(call->prefix + call->prefix_len, bytes.data, used);
        call->prefix_len = (uint8_t)(call->prefix_len + used);
        if (call->prefix_len < SLIM_GRPC_PREFIX_BYTES || !check_prefix(call, call->prefix)) {
            return used;
        }
        call->message_bytes = read_length(call->prefix);
        bytes = slim_view_skip(bytes, used);
        if (call->message_bytes == 0) {
            call->prefix_len = 0;
            deliver(call, (struct slim_view){call->prefix, 0}, NULL);
            return used;
        }
    }
    if (bytes.len > 0) {
        used += gather(call, bytes);
    }
    return used;
}

static void return_credit(struct slim_grpc_call *call)
{
    if (call->credit >= SLIM_GRPC_CREDIT_BATCH_BYTES && !call->is_ended) {
        size_t count = (size_t)call->credit;
        call->credit = 0;
        slim_h2_stream_credit(&call->stream, count);
    }
}

/* DATA of a call that was refused. */
static void be_less_patient(struct slim_grpc_call *call)
{
    if (call->credit > SLIM_GRPC_PATIENCE_BYTES) {
        call->credit = INT64_MIN / 2; /* once */
        slim_h2_stream_reset(&call->stream, SLIM_H2_NO_ERROR);
    }
}

void slim_grpc_on_data(void *ctx, struct slim_h2_stream *stream, struct slim_view bytes)
{
    (void)ctx;
    struct slim_grpc_call *call = SLIM_CONTAINER_OF(stream, struct slim_grpc_call, stream);
    call->credit += (int64_t)bytes.len;
    if (SLIM_UNLIKELY(call->is_plain || stream->is_patient)) {
        be_less_patient(call);
        return;
    }
    while (bytes.len > 0 && SLIM_LIKELY(!call->is_ended)) {
        uint32_t len = 0;
        bool is_whole = call->prefix_len == 0 && bytes.len >= SLIM_GRPC_PREFIX_BYTES;
        if (SLIM_LIKELY(is_whole)) {
            len = read_length(bytes.data);
            is_whole = bytes.len - SLIM_GRPC_PREFIX_BYTES >= len;
        }
        if (SLIM_UNLIKELY(!is_whole)) {
            bytes = slim_view_skip(bytes, take_part(call, bytes));
            continue;
        }
        if (SLIM_UNLIKELY(!check_prefix(call, bytes.data))) {
            return;
        }
        deliver(call, slim_view_of(bytes.data + SLIM_GRPC_PREFIX_BYTES, len), NULL);
        bytes = slim_view_skip(bytes, SLIM_GRPC_PREFIX_BYTES + (size_t)len);
    }
    return_credit(call);
}

void slim_grpc_call_hold(struct slim_grpc_call *call, size_t count)
{
    if (!call->is_ended) {
        call->held_bytes += count;
        call->credit -= (int64_t)count;
    }
}

void slim_grpc_call_release(struct slim_grpc_call *call, size_t count)
{
    if (!call->is_ended) {
        count = min_size(count, call->held_bytes);
        call->held_bytes -= count;
        call->credit += (int64_t)count;
        return_credit(call);
    }
}

size_t slim_grpc_call_partial_bytes(const struct slim_grpc_call *call)
{
    return call->gathered == NULL ? 0 : slim_block_size(call->gathered);
}
