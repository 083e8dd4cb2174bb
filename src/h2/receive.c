/* What nghttp2 tells us about the bytes that came in. */
#include "h2/session.h"

#include "h2/limits.h"

void slim_h2_fail(struct slim_h2 *h2, enum slim_status status, enum slim_h2_cause cause,
                  uint32_t error)
{
    if (h2->status == SLIM_OK) {
        h2->status = status;
        h2->cause = cause;
        slim_h2_check(h2, nghttp2_session_terminate_session(h2->session, error));
    }
}

static bool is_silent(const struct slim_h2 *h2)
{
    return h2->is_killed || h2->status != SLIM_OK;
}

static struct slim_h2_stream *find_stream(struct slim_h2 *h2, int32_t id)
{
    if (h2->data_stream != NULL && h2->data_id == id) {
        return h2->data_stream;
    }
    struct slim_h2_stream *stream = nghttp2_session_get_stream_user_data(h2->session, id);
    if (stream != NULL) {
        h2->data_id = id;
        h2->data_stream = stream;
    }
    return stream;
}

static enum slim_h2_cause cause_of(enum slim_h2_flood_kind kind)
{
    switch (kind) {
    case SLIM_H2_FLOOD_RESET:
        return SLIM_H2_CAUSE_RESETS;
    case SLIM_H2_FLOOD_SETTINGS:
        return SLIM_H2_CAUSE_SETTINGS;
    case SLIM_H2_FLOOD_PING:
        return SLIM_H2_CAUSE_PINGS;
    case SLIM_H2_FLOOD_PRIORITY:
        return SLIM_H2_CAUSE_PRIORITIES;
    case SLIM_H2_FLOOD_EMPTY_DATA:
        return SLIM_H2_CAUSE_EMPTY_DATA;
    case SLIM_H2_FLOOD_WINDOW_UPDATE:
        return SLIM_H2_CAUSE_WINDOW_UPDATES;
    case SLIM_H2_FLOOD_REQUEST:
        return SLIM_H2_CAUSE_REQUESTS;
    }
    return SLIM_H2_CAUSE_BROKEN;
}

void slim_h2_count(struct slim_h2 *h2, enum slim_h2_flood_kind kind)
{
    if (!slim_h2_flood_pass(&h2->flood, kind)) {
        slim_h2_fail(h2, SLIM_ERR_LIMIT, cause_of(kind), SLIM_H2_ENHANCE_YOUR_CALM);
    }
}

/* Frames that cost work and carry nothing. Padded DATA shows only when all of it came (on_frame_recv). */
static void count_frame(struct slim_h2 *h2, const nghttp2_frame_hd *head)
{
    switch (head->type) {
    case NGHTTP2_DATA:
        if (head->length == 0 && (head->flags & NGHTTP2_FLAG_END_STREAM) == 0) {
            slim_h2_count(h2, SLIM_H2_FLOOD_EMPTY_DATA);
        }
        break;
    case NGHTTP2_HEADERS:
    case NGHTTP2_PUSH_PROMISE:
    case NGHTTP2_GOAWAY:
    case NGHTTP2_CONTINUATION: /* SLIM_H2_CONTINUATIONS_MAX */
        break;
    case NGHTTP2_RST_STREAM:
        slim_h2_count(h2, SLIM_H2_FLOOD_RESET);
        break;
    case NGHTTP2_SETTINGS:
        slim_h2_count(h2, SLIM_H2_FLOOD_SETTINGS);
        break;
    case NGHTTP2_PING:
        slim_h2_count(h2, SLIM_H2_FLOOD_PING);
        break;
    case NGHTTP2_WINDOW_UPDATE:
        slim_h2_count(h2, SLIM_H2_FLOOD_WINDOW_UPDATE);
        break;
    default: /* a number from the network: PRIORITY; types that nghttp2 does not know do not come here */
        slim_h2_count(h2, SLIM_H2_FLOOD_PRIORITY);
        break;
    }
}

/* The ids of requests only grow (RFC 9113, 5.1.1): one that was jumped over is closed. */
static void check_order(struct slim_h2 *h2, int32_t id)
{
    enum { STEP = 2 };
    if (id > h2->newest_id) {
        if (id > h2->newest_id + STEP) {
            h2->skipped_first = h2->newest_id + 1;
            h2->skipped_last = id - STEP;
        }
        h2->newest_id = id;
        slim_h2_count(h2, SLIM_H2_FLOOD_REQUEST);
    } else if (id >= h2->skipped_first && id <= h2->skipped_last) {
        slim_h2_fail(h2, SLIM_ERR_MALFORMED, SLIM_H2_CAUSE_BROKEN, SLIM_H2_PROTOCOL_ERROR);
    }
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *head, void *ctx)
{
    (void)session;
    struct slim_h2 *h2 = ctx;
    if (head->type == NGHTTP2_HEADERS && h2->is_server && head->stream_id % 2 == 1) {
        check_order(h2, head->stream_id);
    }
    count_frame(h2, head);
    return 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    (void)session;
    (void)frame;
    struct slim_h2 *h2 = ctx;
    slim_h2_headers_fini(&h2->headers, h2->memory.heap);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *ctx)
{
    (void)session;
    (void)frame;
    (void)flags;
    struct slim_h2 *h2 = ctx;
    enum slim_status status =
        slim_h2_headers_put(&h2->headers, h2->memory.heap, slim_view_of(name, name_len),
                            slim_view_of(value, value_len), h2->header_list_bytes);
    if (status == SLIM_ERR_LIMIT) {
        SLIM_H2_COUNT(h2, headers_too_long);
    } else if (status != SLIM_OK) {
        SLIM_H2_COUNT(h2, stream_no_memory);
    }
    /* The stream is reset; the rest of the block is still decoded, because the compression is shared by all streams. */
    return status == SLIM_OK ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void take_headers(struct slim_h2 *h2, const nghttp2_frame *frame)
{
    struct slim_h2_header *views;
    int32_t id = frame->hd.stream_id;
    if (slim_h2_headers_views(&h2->headers, h2->memory.heap, &views) != SLIM_OK) {
        SLIM_H2_COUNT(h2, stream_no_memory);
        slim_h2_check(h2, nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id,
                                                    NGHTTP2_INTERNAL_ERROR));
        return;
    }
    size_t count = h2->headers.count;
    bool is_last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    struct slim_h2_stream *stream = find_stream(h2, id);
    if (stream != NULL) {
        h2->handler.on_headers(h2->ctx, stream, views, count, is_last);
    } else if (h2->is_server && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        h2->handler.on_request(h2->ctx, id, views, count, is_last);
        if (!h2->is_killed && find_stream(h2, id) == NULL) {
            SLIM_H2_COUNT(h2, streams_refused);
            slim_h2_check(h2, nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id,
                                                        NGHTTP2_REFUSED_STREAM));
        }
    }
    slim_heap_return(h2->memory.heap, views);
    slim_h2_headers_fini(&h2->headers, h2->memory.heap);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    (void)session;
    struct slim_h2 *h2 = ctx;
    uint8_t type = frame->hd.type;
    if (is_silent(h2)) {
        return 0;
    }
    if (type == NGHTTP2_HEADERS) {
        take_headers(h2, frame);
    } else if (type == NGHTTP2_SETTINGS) {
        h2->has_settings = true;
    } else if (type == NGHTTP2_GOAWAY) {
        h2->has_go_away = true;
    } else if (type == NGHTTP2_DATA && frame->hd.length > 0 &&
               frame->hd.length == frame->data.padlen &&
               (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) {
        slim_h2_count(h2, SLIM_H2_FLOOD_EMPTY_DATA);
    }
    if ((type == NGHTTP2_HEADERS || type == NGHTTP2_DATA) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 && !is_silent(h2)) {
        struct slim_h2_stream *stream = find_stream(h2, frame->hd.stream_id);
        if (stream != NULL) {
            stream->is_peer_done = true;
            h2->handler.on_last(h2->ctx, stream);
        }
    }
    return 0;
}

/* nghttp2 resets the stream, or ends the connection, by itself; the latter has a cause. */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *ctx)
{
    (void)session;
    (void)frame;
    struct slim_h2 *h2 = ctx;
    if (error == NGHTTP2_ERR_REFUSED_STREAM) {
        SLIM_H2_COUNT(h2, streams_refused);
    } else if (error == NGHTTP2_ERR_HTTP_HEADER || error == NGHTTP2_ERR_HTTP_MESSAGING) {
        SLIM_H2_COUNT(h2, bad_requests);
    }
    return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                         size_t len, void *ctx)
{
    (void)session;
    (void)flags;
    struct slim_h2 *h2 = ctx;
    h2->uncredited += len;
    if (SLIM_UNLIKELY(is_silent(h2))) {
        return 0;
    }
    struct slim_h2_stream *stream = find_stream(h2, id);
    if (SLIM_LIKELY(stream != NULL)) {
        h2->handler.on_data(h2->ctx, stream, slim_view_of(data, len));
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *ctx)
{
    struct slim_h2 *h2 = ctx;
    struct slim_h2_stream *stream = nghttp2_session_get_stream_user_data(session, id);
    if (stream == NULL || h2->is_killed) {
        return 0;
    }
    /* From here on the object belongs to its owner: nghttp2 must not find it any more. */
    slim_h2_check(h2, nghttp2_session_set_stream_user_data(session, id, NULL));
    slim_h2_stream_fini(stream);
    if (h2->is_go_away_due && h2->stream_count == 0 && h2->status == SLIM_OK) {
        slim_h2_submit_go_away(h2);
    }
    h2->handler.on_close(h2->ctx, stream, error);
    return 0;
}

void slim_h2_set_receive_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
}

static enum slim_status status_of(ssize_t result, enum slim_h2_cause *cause)
{
    switch (result) {
    case NGHTTP2_ERR_NOMEM:
        return SLIM_ERR_NO_MEMORY;
    case NGHTTP2_ERR_FLOODED:
        *cause = SLIM_H2_CAUSE_UNREAD;
        return SLIM_ERR_LIMIT;
#ifdef SLIM_H2_HAS_CONTINUATION_LIMIT
    case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS:
        *cause = SLIM_H2_CAUSE_CONTINUATIONS;
        return SLIM_ERR_LIMIT;
#endif
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
        *cause = SLIM_H2_CAUSE_NOT_HTTP2;
        return SLIM_ERR_MALFORMED;
    default:
        return SLIM_ERR_INTERNAL;
    }
}

void slim_h2_check(struct slim_h2 *h2, int result)
{
    if (result == NGHTTP2_ERR_NOMEM && h2->status == SLIM_OK) {
        h2->status = SLIM_ERR_NO_MEMORY;
    }
}

/* nghttp2 could not go on, so it sends no GOAWAY by itself. */
static void note_fatal(struct slim_h2 *h2, ssize_t result)
{
    enum slim_h2_cause cause = SLIM_H2_CAUSE_NONE;
    enum slim_status status = status_of(result, &cause);
    if (status == SLIM_ERR_LIMIT) {
        slim_h2_fail(h2, status, cause, SLIM_H2_ENHANCE_YOUR_CALM);
    } else if (h2->status == SLIM_OK) {
        h2->status = status;
        h2->cause = cause;
    }
    if (result == NGHTTP2_ERR_BAD_CLIENT_MAGIC) {
        slim_h2_queue_drop(&h2->out, h2->memory, h2->out.byte_count);
        h2->unframed.len = 0;
        h2->is_killed = true;
    }
}

enum slim_status slim_h2_take(struct slim_h2 *h2, struct slim_view bytes, uint64_t now_ms)
{
    if (h2->status != SLIM_OK) {
        return h2->status;
    }
    if (h2->is_killed) {
        return SLIM_ERR_CLOSED;
    }
    h2->now_ms = now_ms;
    slim_h2_flood_fill(&h2->flood, now_ms);
    if (nghttp2_session_get_outbound_queue_size(h2->session) > 0) {
        /* nghttp2 counts a stream until its reset is framed; a peer that has seen our END_STREAM may open the next one */
        slim_h2_pump(h2);
    }
    size_t good = slim_h2_finished_take(&h2->finished, bytes);
    ssize_t result = nghttp2_session_mem_recv(h2->session, bytes.data, good);
    if (result < 0) {
        note_fatal(h2, result);
        return h2->status;
    }
    if (good < bytes.len) {
        slim_h2_fail(h2, SLIM_ERR_MALFORMED, SLIM_H2_CAUSE_BROKEN, SLIM_H2_STREAM_CLOSED);
    }
    if (h2->uncredited > 0) {
        slim_h2_check(h2, nghttp2_session_consume_connection(h2->session, h2->uncredited));
        h2->uncredited = 0;
    }
    size_t waiting = nghttp2_session_get_outbound_queue_size(h2->session);
    if (waiting > 0 && !h2->is_killed) {
        /* A GOAWAY of nghttp2 shows only when it is framed. */
        slim_h2_pump(h2);
    }
    if (waiting > SLIM_H2_UNSENT_FRAMES_MAX && h2->status == SLIM_OK) {
        h2->status = SLIM_ERR_LIMIT;
        h2->cause = SLIM_H2_CAUSE_UNREAD;
    }
    if (h2->status == SLIM_OK && h2->has_go_away && h2->stream_count == 0) {
        return SLIM_ERR_CLOSED;
    }
    return h2->status;
}
