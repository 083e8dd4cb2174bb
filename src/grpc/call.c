/* Calls: their start, what is sent on them, and their end from our side. */
#include <stdio.h>

#include "grpc/internal.h"

#define HEADER(name_, value_) ((struct slim_h2_header){SLIM_VIEW(name_), value_})

enum {
    REQUEST_HEADERS_MAX = 7, /* four pseudo headers, te, content-type, user-agent */
    ANSWER_HEADERS_MAX = 5,
};

struct slim_grpc_call *slim_grpc_call_new(struct slim_grpc_conn *conn)
{
    struct slim_grpc_call *call = slim_heap_take_zeroed(conn->heap, 1, sizeof(*call));
    if (call == NULL) {
        return NULL;
    }
    call->conn = conn;
    slim_list_put_last(&conn->calls, &call->node);
    conn->call_count++;
    return call;
}

void slim_grpc_call_free(struct slim_grpc_call *call)
{
    if (!call->is_ended) {
        slim_grpc_call_mark_ended(call);
    }
    slim_list_remove(&call->node);
    slim_heap_return(call->conn->heap, call);
}

void slim_grpc_call_mark_ended(struct slim_grpc_call *call)
{
    assert(!call->is_ended);
    call->is_ended = true;
    call->conn->call_count--;
    call->conn->idle_since_ms = call->conn->now_ms;
    slim_block_unref(call->gathered);
    call->gathered = NULL;
}

void slim_grpc_call_report(struct slim_grpc_call *call, const struct slim_grpc_end *end)
{
    struct slim_grpc_conn *conn = call->conn;
    slim_grpc_call_mark_ended(call);
    conn->stats.calls_refused += end->is_refused ? 1 : 0;
    conn->handler.on_end(conn->ctx, call, end);
}

void slim_grpc_call_break(struct slim_grpc_call *call, enum slim_grpc_status status,
                          struct slim_view message)
{
    struct slim_grpc_end end = {
        .status = status, .message = message, .is_broken = true, .http_status = call->http_status};
    call->conn->stats.streams_broken++;
    if (call->stream.is_half) {
        slim_h2_stream_reset(&call->stream, SLIM_H2_CANCEL); /* END_STREAM was ordered already */
    } else {
        slim_grpc_call_send_end(call, status, message, false);
    }
    slim_grpc_call_report(call, &end);
}

enum slim_status slim_grpc_call_start(struct slim_grpc_conn *conn, struct slim_view path,
                                      const struct slim_grpc_header *headers, size_t header_count,
                                      void *ctx, struct slim_grpc_call **call)
{
    assert(!conn->is_server);
    if (conn->is_closed) {
        return SLIM_ERR_CLOSED;
    }
    size_t bytes;
    if (__builtin_mul_overflow(header_count + REQUEST_HEADERS_MAX, sizeof(struct slim_h2_header),
                               &bytes)) {
        return SLIM_ERR_NO_MEMORY;
    }
    struct slim_h2_header *all = slim_heap_take(conn->heap, bytes);
    if (all == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    size_t count = 0;
    all[count++] = HEADER(":method", SLIM_VIEW("POST"));
    all[count++] = HEADER(":scheme", conn->scheme);
    all[count++] = HEADER(":authority", conn->authority);
    all[count++] = HEADER(":path", path);
    all[count++] = HEADER("te", SLIM_VIEW("trailers"));
    all[count++] = HEADER("content-type", SLIM_VIEW("application/grpc"));
    for (size_t i = 0; i < header_count; i++) {
        all[count++] = (struct slim_h2_header){headers[i].name, headers[i].value};
    }
    if (conn->user_agent.len > 0) {
        all[count++] = HEADER("user-agent", conn->user_agent);
    }
    enum slim_status status = SLIM_ERR_NO_MEMORY;
    struct slim_grpc_call *made = slim_grpc_call_new(conn);
    if (made != NULL) {
        status = slim_h2_request(conn->h2, all, count, &made->stream);
    }
    slim_heap_return(conn->heap, all);
    if (status != SLIM_OK) {
        if (made != NULL) {
            slim_grpc_call_free(made);
        }
        return status;
    }
    made->ctx = ctx;
    conn->stats.calls_started++;
    *call = made;
    return SLIM_OK;
}

enum slim_status slim_grpc_call_accept(struct slim_grpc_call *call)
{
    assert(call->conn->is_server && !call->is_accepted && !call->is_ended);
    const struct slim_h2_header headers[] = {
        HEADER(":status", SLIM_VIEW("200")),
        HEADER("content-type", SLIM_VIEW("application/grpc")),
    };
    SLIM_TRY(slim_h2_stream_respond(&call->stream, headers, SLIM_COUNT(headers), false));
    call->is_accepted = true;
    return SLIM_OK;
}

void slim_grpc_call_set_ctx(struct slim_grpc_call *call, void *ctx)
{
    call->ctx = ctx;
}

void *slim_grpc_call_ctx(const struct slim_grpc_call *call)
{
    return call->ctx;
}

struct slim_grpc_conn *slim_grpc_call_conn(const struct slim_grpc_call *call)
{
    return call->conn;
}

enum slim_status slim_grpc_call_put_message(struct slim_grpc_call *call, struct slim_view msg)
{
    uint8_t prefix[SLIM_GRPC_PREFIX_BYTES];
    if (SLIM_UNLIKELY(call->is_ended)) {
        return SLIM_ERR_CLOSED;
    }
    if (SLIM_UNLIKELY(msg.len > UINT32_MAX)) {
        return SLIM_ERR_LIMIT;
    }
    slim_grpc_write_prefix(prefix, (uint32_t)msg.len);
    SLIM_TRY(slim_h2_stream_put(&call->stream, slim_view_of(prefix, sizeof(prefix)), msg));
    call->conn->stats.messages_sent++;
    return SLIM_OK;
}

enum slim_status slim_grpc_call_put_block(struct slim_grpc_call *call, struct slim_block *block)
{
    uint8_t prefix[SLIM_GRPC_PREFIX_BYTES];
    if (SLIM_UNLIKELY(call->is_ended)) {
        return SLIM_ERR_CLOSED;
    }
    slim_grpc_write_prefix(prefix, block->len);
    SLIM_TRY(slim_h2_stream_put_block(&call->stream, slim_view_of(prefix, sizeof(prefix)), block, 0,
                                      block->len));
    call->conn->stats.messages_sent++;
    return SLIM_OK;
}

enum slim_status slim_grpc_call_put_framed(struct slim_grpc_call *call, struct slim_block *block,
                                           size_t offset, size_t len)
{
    if (SLIM_UNLIKELY(call->is_ended)) {
        return SLIM_ERR_CLOSED;
    }
    SLIM_TRY(
        slim_h2_stream_put_block(&call->stream, (struct slim_view){NULL, 0}, block, offset, len));
    call->conn->stats.messages_sent++;
    return SLIM_OK;
}

size_t slim_grpc_call_unsent_bytes(const struct slim_grpc_call *call)
{
    return call->stream.queue.byte_count;
}

uint64_t slim_grpc_call_accepted_bytes(const struct slim_grpc_call *call)
{
    return call->stream.framed_bytes;
}

size_t slim_grpc_call_memory_bytes(const struct slim_grpc_call *call)
{
    return slim_h2_stream_memory_bytes(&call->stream);
}

/* Trailers-only. HTTP 401 carries its grpc-status: without one, clients of the reference dial again without a pause. */
static void refuse(struct slim_grpc_call *call, const struct slim_h2_header *tail,
                   size_t tail_count, bool is_401)
{
    struct slim_h2_header headers[ANSWER_HEADERS_MAX];
    size_t count = 0;
    headers[count++] = HEADER(":status", is_401 ? SLIM_VIEW("401") : SLIM_VIEW("200"));
    headers[count++] = HEADER("content-type", SLIM_VIEW("application/grpc"));
    for (size_t i = 0; i < tail_count; i++) {
        headers[count++] = tail[i];
    }
    call->conn->stats.calls_refused++;
    if (slim_h2_stream_respond(&call->stream, headers, count, true) != SLIM_OK) {
        slim_h2_stream_reset(&call->stream, SLIM_H2_INTERNAL_ERROR);
    }
}

void slim_grpc_call_send_end(struct slim_grpc_call *call, enum slim_grpc_status status,
                             struct slim_view message, bool is_flush)
{
    if (!call->conn->is_server) {
        slim_h2_stream_end(&call->stream, NULL, 0, SLIM_H2_CANCEL, is_flush);
        return;
    }
    uint8_t digits[2] = {(uint8_t)('0' + status / 10), (uint8_t)('0' + status % 10)};
    uint8_t text[SLIM_GRPC_ENCODED_TEXT_MAX];
    size_t skip = digits[0] == '0' ? 1 : 0;
    struct slim_h2_header trailers[2] = {
        HEADER("grpc-status", slim_view_of(digits + skip, 2 - skip)),
        HEADER("grpc-message", slim_view_of(text, slim_grpc_text_encode(message, text))),
    };
    size_t count = message.len > 0 ? 2 : 1;
    if (status == SLIM_GRPC_UNIMPLEMENTED && !call->is_accepted) {
        slim_h2_stream_be_patient(&call->stream); /* what comes may yet break a rule of HTTP/2 */
    }
    if (call->is_accepted) {
        slim_h2_stream_end(&call->stream, trailers, count, SLIM_H2_NO_ERROR, is_flush);
    } else {
        refuse(call, trailers, count, status == SLIM_GRPC_UNAUTHENTICATED);
    }
}

void slim_grpc_call_half_close(struct slim_grpc_call *call)
{
    assert(!call->conn->is_server);
    if (!call->is_ended) {
        slim_h2_stream_end_half(&call->stream);
    }
}

void slim_grpc_call_finish(struct slim_grpc_call *call, enum slim_grpc_status status,
                           struct slim_view message, bool is_flush)
{
    if (call->is_ended) {
        return;
    }
    slim_grpc_call_mark_ended(call);
    if (call->stream.is_half) {
        slim_h2_stream_reset(&call->stream, SLIM_H2_CANCEL); /* END_STREAM was ordered already */
        return;
    }
    slim_grpc_call_send_end(call, status, message, is_flush);
}

void slim_grpc_call_challenge(struct slim_grpc_call *call, struct slim_view scheme,
                              struct slim_view message)
{
    assert(call->conn->is_server && !call->is_accepted && !call->is_ended);
    uint8_t text[SLIM_GRPC_ENCODED_TEXT_MAX];
    const struct slim_h2_header tail[] = {
        HEADER("www-authenticate", scheme),
        HEADER("grpc-status", SLIM_VIEW("16")),
        HEADER("grpc-message", slim_view_of(text, slim_grpc_text_encode(message, text))),
    };
    slim_grpc_call_mark_ended(call);
    refuse(call, tail, SLIM_COUNT(tail), true);
}

void slim_grpc_call_outlive_half_close(struct slim_grpc_call *call)
{
    assert(call->conn->is_server);
    call->outlives_half_close = true;
}

/* The answer of the reference to a compressed request (wire.md 1.3). */
static void refuse_encoding(struct slim_grpc_call *call, struct slim_view encoding)
{
    uint8_t text[SLIM_GRPC_ENCODED_TEXT_MAX];
    uint8_t plain[SLIM_GRPC_STATUS_TEXT_MAX];
    int len = snprintf((char *)plain, sizeof(plain),
                       "Content is compressed with `%.*s` which isn't supported",
                       (int)(encoding.len < 64 ? encoding.len : 64), (const char *)encoding.data);
    const struct slim_h2_header tail[] = {
        HEADER("grpc-accept-encoding", SLIM_VIEW("identity")),
        HEADER("grpc-status", SLIM_VIEW("12")),
        HEADER("grpc-message",
               slim_view_of(text, slim_grpc_text_encode(slim_view_of(plain, (size_t)len), text))),
    };
    slim_grpc_call_mark_ended(call);
    refuse(call, tail, SLIM_COUNT(tail), false);
}

/* A person with a browser, or a tool that asks whether somebody is there. */
static bool is_plain_get(const struct slim_h2_header *headers, size_t count)
{
    struct slim_view grpc = SLIM_VIEW("application/grpc");
    struct slim_view type = slim_grpc_find_header(headers, count, SLIM_VIEW("content-type"));
    type.len = type.len < grpc.len ? type.len : grpc.len;
    return !slim_view_is_equal(type, grpc) &&
           slim_view_is_equal(slim_grpc_find_header(headers, count, SLIM_VIEW(":method")),
                              SLIM_VIEW("GET"));
}

void slim_grpc_call_refuse_plain(struct slim_grpc_call *call)
{
    assert(call->conn->is_server && !call->is_accepted && !call->is_ended);
    slim_grpc_call_mark_ended(call);
    call->conn->stats.calls_refused++;
    call->is_plain = true;
}

void slim_grpc_call_answer_plain(struct slim_grpc_call *call)
{
    const struct slim_view text = SLIM_VIEW("This is a SLIM node. It speaks gRPC only.\n");
    const struct slim_h2_header headers[] = {
        HEADER(":status", SLIM_VIEW("415")),
        HEADER("content-type", SLIM_VIEW("text/plain")),
    };
    call->is_plain = false;
    struct slim_block *block = NULL; /* of its size: a peer without a window makes it wait */
    enum slim_status status = slim_block_new(call->conn->pool, text.len, &block);
    if (status == SLIM_OK) {
        slim_block_put(block, text);
        status = slim_h2_stream_respond(&call->stream, headers, SLIM_COUNT(headers), false);
    }
    if (status == SLIM_OK) {
        status = slim_h2_stream_put_block(&call->stream, (struct slim_view){NULL, 0}, block, 0,
                                          text.len);
    }
    if (status == SLIM_OK) {
        slim_h2_stream_end(&call->stream, NULL, 0, SLIM_H2_NO_ERROR, true);
    } else {
        slim_h2_stream_reset(&call->stream, SLIM_H2_INTERNAL_ERROR);
    }
    slim_block_unref(block);
}

void slim_grpc_on_request(void *ctx, int32_t id, const struct slim_h2_header *headers, size_t count,
                          bool is_last)
{
    struct slim_grpc_conn *conn = ctx;
    struct slim_grpc_call *call = slim_grpc_call_new(conn);
    if (call == NULL) {
        return; /* the stream is refused */
    }
    slim_h2_stream_attach(conn->h2, &call->stream, id);
    conn->stats.calls_started++;
    struct slim_view encoding = slim_grpc_find_header(headers, count, SLIM_VIEW("grpc-encoding"));
    if (encoding.len > 0 && !slim_view_is_equal(encoding, SLIM_VIEW("identity"))) {
        refuse_encoding(call, encoding);
        if (conn->handler.on_refused != NULL) {
            conn->handler.on_refused(conn->ctx, encoding);
        }
        return;
    }
    bool is_plain = is_plain_get(headers, count);
    if (is_plain && is_last) {             /* there is no call to be had in it, whatever its path */
        slim_grpc_call_refuse_plain(call); /* slim_grpc_on_last follows */
        if (conn->handler.on_refused != NULL) {
            conn->handler.on_refused(conn->ctx, (struct slim_view){NULL, 0});
        }
        return;
    }
    /* The two header structs are one shape, so that the array is handed on as it is. */
    _Static_assert(sizeof(struct slim_grpc_header) == sizeof(struct slim_h2_header), "same shape");
    struct slim_grpc_request request = {
        .path = slim_grpc_find_header(headers, count, SLIM_VIEW(":path")),
        .authority = slim_grpc_find_header(headers, count, SLIM_VIEW(":authority")),
        .headers = (const struct slim_grpc_header *)(const void *)headers,
        .header_count = count,
        .is_plain = is_plain,
    };
    conn->handler.on_call(conn->ctx, call, &request);
    assert(call->is_accepted || call->is_ended); /* grpc.h: on_call decides before it returns */
}
