/* Connections, and what the peer does to calls. */
#include "grpc/internal.h"

struct slim_grpc_options slim_grpc_options_default(bool is_server)
{
    struct slim_grpc_options options = {
        .is_server = is_server,
        .scheme = SLIM_VIEW("http"),
        .authority = SLIM_VIEW("localhost"),
        .user_agent = SLIM_VIEW("slim/" SLIM_VERSION),
        .message_bytes_max = SLIM_GRPC_MESSAGE_BYTES_MAX,
        .header_list_bytes = 16 * 1024,
    };
    if (is_server) {
        options.stream_window_bytes = 1024 * 1024;
        options.conn_window_bytes = 1024 * 1024;
        options.max_frame_bytes = 4 * 1024 * 1024;
        options.max_streams = 1024;
        options.ping_interval_ms = SLIM_GRPC_SERVER_PING_INTERVAL_MS;
        options.ping_timeout_ms = SLIM_GRPC_SERVER_PING_TIMEOUT_MS;
    } else {
        options.stream_window_bytes = 2 * 1024 * 1024;
        options.conn_window_bytes = 5 * 1024 * 1024;
        options.max_frame_bytes = 16 * 1024;
        options.ping_timeout_ms = SLIM_GRPC_CLIENT_PING_TIMEOUT_MS;
    }
    return options;
}

static enum slim_status copy_strings(struct slim_grpc_conn *conn,
                                     const struct slim_grpc_options *options)
{
    const struct slim_view from[] = {options->scheme, options->authority, options->user_agent};
    struct slim_view *to[] = {&conn->scheme, &conn->authority, &conn->user_agent};
    conn->strings = slim_heap_take(conn->heap, from[0].len + from[1].len + from[2].len);
    if (conn->strings == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    uint8_t *at = conn->strings;
    for (size_t i = 0; i < SLIM_COUNT(from); i++) {
        if (from[i].len > 0) {
            memcpy(at, from[i].data, from[i].len);
        }
        *to[i] = slim_view_of(at, from[i].len);
        at += from[i].len;
    }
    return SLIM_OK;
}

static enum slim_status open_h2(struct slim_grpc_conn *conn,
                                const struct slim_grpc_options *options, uint64_t now_ms)
{
    const struct slim_h2_options h2_options = {
        .is_server = options->is_server,
        .stream_window_bytes = options->stream_window_bytes,
        .conn_window_bytes = options->conn_window_bytes,
        .max_frame_bytes = options->max_frame_bytes,
        .header_list_bytes = options->header_list_bytes,
        .max_streams = options->max_streams,
        .counters = options->counters == NULL ? NULL : &options->counters->h2,
    };
    static const struct slim_h2_handler handler = {
        .on_request = slim_grpc_on_request,
        .on_headers = slim_grpc_on_headers,
        .on_data = slim_grpc_on_data,
        .on_last = slim_grpc_on_last,
        .on_close = slim_grpc_on_close,
    };
    return slim_h2_new(&h2_options, &handler, conn, conn->heap, conn->pool, now_ms, &conn->h2);
}

enum slim_status slim_grpc_conn_new(const struct slim_grpc_options *options,
                                    const struct slim_grpc_handler *handler, void *ctx,
                                    struct slim_heap *heap, struct slim_block_pool *pool,
                                    uint64_t now_ms, struct slim_grpc_conn **conn)
{
    struct slim_grpc_conn *made = slim_heap_take_zeroed(heap, 1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    made->handler = *handler;
    made->ctx = ctx;
    made->heap = heap;
    made->pool = pool;
    made->counters = options->counters;
    made->is_server = options->is_server;
    made->message_bytes_max = options->message_bytes_max;
    made->ping_interval_ms = options->ping_interval_ms;
    made->ping_timeout_ms = options->ping_timeout_ms;
    made->idle_timeout_ms = options->idle_timeout_ms;
    made->age_max_ms = options->age_max_ms;
    made->opened_ms = now_ms;
    made->now_ms = now_ms;
    made->idle_since_ms = now_ms;
    made->received_ms = now_ms;
    slim_list_init(&made->calls);
    enum slim_status status = options->is_server ? SLIM_OK : copy_strings(made, options);
    if (status == SLIM_OK) {
        status = open_h2(made, options, now_ms);
    }
    if (status != SLIM_OK) {
        slim_grpc_conn_free(made);
        return status;
    }
    *conn = made;
    return SLIM_OK;
}

void slim_grpc_conn_free(struct slim_grpc_conn *conn)
{
    if (conn == NULL) {
        return;
    }
    if (conn->h2 != NULL) {
        slim_h2_kill(conn->h2);
    }
    SLIM_LIST_EACH(node, &conn->calls)
    {
        struct slim_grpc_call *call = SLIM_LIST_ENTRY(node, struct slim_grpc_call, node);
        if (!conn->is_closed) {
            slim_h2_stream_fini(&call->stream);
        }
        slim_grpc_call_free(call);
    }
    slim_h2_free(conn->h2);
    slim_heap_return(conn->heap, conn->strings);
    slim_heap_return(conn->heap, conn);
}

void slim_grpc_conn_close(struct slim_grpc_conn *conn, enum slim_grpc_status status,
                          struct slim_view message)
{
    if (conn->is_closed) {
        return;
    }
    conn->is_closed = true;
    slim_h2_kill(conn->h2);
    /* The objects stay until slim_grpc_conn_free: we may be inside of a callback of one of them. */
    SLIM_LIST_EACH(node, &conn->calls)
    {
        struct slim_grpc_call *call = SLIM_LIST_ENTRY(node, struct slim_grpc_call, node);
        slim_h2_stream_fini(&call->stream);
        if (!call->is_ended) {
            const struct slim_grpc_end end = {
                .status = status, .message = message, .http_status = call->http_status};
            slim_grpc_call_report(call, &end);
        }
    }
}

enum slim_status slim_grpc_conn_take(struct slim_grpc_conn *conn, struct slim_view bytes,
                                     uint64_t now_ms)
{
    if (conn->is_closed) {
        return SLIM_ERR_CLOSED;
    }
    conn->now_ms = now_ms;
    conn->received_ms = now_ms;
    conn->pinged_ms = 0;
    conn->stats.bytes_received += bytes.len;
    enum slim_status status = slim_h2_take(conn->h2, bytes, now_ms);
    return conn->is_closed && status == SLIM_OK ? SLIM_ERR_CLOSED : status;
}

size_t slim_grpc_conn_output(struct slim_grpc_conn *conn, struct iovec *iov, size_t iov_count,
                             size_t bytes_max)
{
    return slim_h2_output(conn->h2, iov, iov_count, bytes_max);
}

void slim_grpc_conn_sent(struct slim_grpc_conn *conn, size_t count)
{
    conn->stats.bytes_sent += count;
    slim_h2_sent(conn->h2, count);
}

bool slim_grpc_conn_has_output(const struct slim_grpc_conn *conn)
{
    return slim_h2_has_output(conn->h2);
}

enum slim_status slim_grpc_conn_status(const struct slim_grpc_conn *conn)
{
    return conn->is_closed ? SLIM_ERR_CLOSED : slim_h2_status(conn->h2);
}

void slim_grpc_conn_go_away(struct slim_grpc_conn *conn)
{
    slim_h2_go_away(conn->h2);
}

size_t slim_grpc_conn_call_count(const struct slim_grpc_conn *conn)
{
    return conn->call_count;
}

bool slim_grpc_conn_is_flushed(const struct slim_grpc_conn *conn)
{
    for (const struct slim_list *node = conn->calls.next; node != &conn->calls; node = node->next) {
        const struct slim_grpc_call *call = SLIM_LIST_ENTRY(node, struct slim_grpc_call, node);
        if (call->is_ended && !call->is_plain && !call->stream.has_ended) {
            return false;
        }
    }
    return !slim_grpc_conn_has_output(conn);
}

const struct slim_grpc_stats *slim_grpc_conn_stats(const struct slim_grpc_conn *conn)
{
    return &conn->stats;
}

/* Queues of calls that end by themselves have no user any more who could count them. */
size_t slim_grpc_conn_pending_bytes(const struct slim_grpc_conn *conn)
{
    size_t bytes = slim_h2_pending_bytes(conn->h2);
    for (const struct slim_list *node = conn->calls.next; node != &conn->calls; node = node->next) {
        const struct slim_grpc_call *call = SLIM_LIST_ENTRY(node, struct slim_grpc_call, node);
        bytes += call->is_ended ? call->stream.queue.byte_count : 0;
    }
    return bytes;
}

struct slim_view slim_grpc_find_header(const struct slim_h2_header *headers, size_t count,
                                       struct slim_view name)
{
    for (size_t i = 0; i < count; i++) {
        if (slim_view_is_equal(headers[i].name, name)) {
            return headers[i].value;
        }
    }
    return (struct slim_view){NULL, 0};
}

struct slim_view slim_grpc_request_header(const struct slim_grpc_request *request,
                                          struct slim_view name)
{
    return slim_grpc_find_header((const struct slim_h2_header *)(const void *)request->headers,
                                 request->header_count, name);
}
