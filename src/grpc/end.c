/* What the peer does to calls: answers, trailers, the end of its direction, resets. */
#include "grpc/internal.h"

/* Three digits; 0 for anything else. nghttp2 lets only such a :status through. */
static int parse_http_status(struct slim_view text)
{
    int value = 0;
    if (text.len != 3) {
        return 0;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return 0;
        }
        value = value * 10 + (text.data[i] - '0');
    }
    return value;
}

/* Client: the call is over with what these headers say. */
static void end_from_headers(struct slim_grpc_call *call, const struct slim_h2_header *headers,
                             size_t count, bool is_refused)
{
    uint8_t text[SLIM_GRPC_STATUS_TEXT_MAX];
    struct slim_view status = slim_grpc_find_header(headers, count, SLIM_VIEW("grpc-status"));
    struct slim_view message = slim_grpc_find_header(headers, count, SLIM_VIEW("grpc-message"));
    struct slim_grpc_end end = {
        .status = status.len > 0 ? slim_grpc_status_parse(status)
                                 : slim_grpc_status_of_http(call->http_status),
        .message = slim_view_of(text, slim_grpc_text_decode(message, text)),
        .has_status = status.len > 0,
        .is_refused = is_refused,
        .http_status = call->http_status,
    };
    if (end.status == SLIM_GRPC_OK && call->prefix_len > 0) {
        end.status = SLIM_GRPC_INTERNAL; /* the last message is cut off */
        call->conn->stats.streams_broken++;
        SLIM_GRPC_COUNT(call->conn, messages_cut_off);
    }
    slim_grpc_call_send_end(call, SLIM_GRPC_OK, (struct slim_view){NULL, 0}, false);
    slim_grpc_call_report(call, &end);
}

void slim_grpc_on_headers(void *ctx, struct slim_h2_stream *stream,
                          const struct slim_h2_header *headers, size_t count, bool is_last)
{
    struct slim_grpc_conn *conn = ctx;
    struct slim_grpc_call *call = SLIM_CONTAINER_OF(stream, struct slim_grpc_call, stream);
    if (conn->is_server || call->is_ended) {
        return; /* trailers of a request say nothing; its end is told by slim_grpc_on_last */
    }
    if (call->is_accepted) {
        end_from_headers(call, headers, count, false);
        return;
    }
    int http_status =
        parse_http_status(slim_grpc_find_header(headers, count, SLIM_VIEW(":status")));
    if (http_status >= 100 && http_status < 200) {
        return; /* informational; the answer follows */
    }
    call->http_status = http_status;
    if (is_last || http_status != 200) {
        end_from_headers(call, headers, count, true);
        return;
    }
    call->is_accepted = true;
    conn->handler.on_open(conn->ctx, call);
}

void slim_grpc_on_last(void *ctx, struct slim_h2_stream *stream)
{
    struct slim_grpc_conn *conn = ctx;
    struct slim_grpc_call *call = SLIM_CONTAINER_OF(stream, struct slim_grpc_call, stream);
    if (call->is_plain) {
        slim_grpc_call_answer_plain(call);
    }
    if (call->is_ended) {
        return;
    }
    if (call->prefix_len > 0) {
        SLIM_GRPC_COUNT(conn, messages_cut_off);
        slim_grpc_call_break(call, SLIM_GRPC_INTERNAL,
                             SLIM_VIEW("Unexpected EOF decoding stream."));
        return;
    }
    if (call->outlives_half_close) {
        return;
    }
    struct slim_grpc_end end = {.status = SLIM_GRPC_OK, .http_status = call->http_status};
    if (!conn->is_server) {
        end.status = SLIM_GRPC_UNKNOWN;
        end.message = SLIM_VIEW("the stream ended without trailers");
    }
    bool is_flush =
        conn->is_server && slim_grpc_conn_pending_bytes(conn) + slim_grpc_call_unsent_bytes(call) <=
                               SLIM_GRPC_FLUSH_BYTES_MAX;
    slim_grpc_call_send_end(call, SLIM_GRPC_OK, (struct slim_view){NULL, 0}, is_flush);
    slim_grpc_call_report(call, &end);
}

void slim_grpc_on_close(void *ctx, struct slim_h2_stream *stream, uint32_t error)
{
    struct slim_grpc_conn *conn = ctx;
    struct slim_grpc_call *call = SLIM_CONTAINER_OF(stream, struct slim_grpc_call, stream);
    /* its stream is gone: slim_grpc_conn_close, called from inside on_end, must not find it */
    slim_list_remove(&call->node);
    if (!call->is_ended) {
        const struct slim_grpc_end end = {
            .status = slim_grpc_status_of_reset(error, conn->is_server),
            .message = SLIM_VIEW("stream reset"),
            .http_status = call->http_status,
        };
        slim_grpc_call_report(call, &end);
    }
    slim_grpc_call_free(call);
}
