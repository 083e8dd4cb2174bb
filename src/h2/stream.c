/* What the owner orders for one stream. */
#include "h2/session.h"

/* Trailers that wait until the queue is empty: fields and their bytes in one object. */
struct slim_h2_trailers {
    size_t count;
    struct slim_h2_header headers[];
};

static struct slim_h2_trailers *trailers_new(struct slim_heap *heap,
                                             const struct slim_h2_header *headers, size_t count)
{
    size_t bytes = sizeof(struct slim_h2_trailers) + count * sizeof(headers[0]);
    for (size_t i = 0; i < count; i++) {
        bytes += headers[i].name.len + headers[i].value.len;
    }
    struct slim_h2_trailers *made = slim_heap_take(heap, bytes);
    if (made == NULL) {
        return NULL;
    }
    made->count = count;
    uint8_t *at = (uint8_t *)&made->headers[count];
    for (size_t i = 0; i < count; i++) {
        struct slim_view parts[2] = {headers[i].name, headers[i].value};
        for (size_t k = 0; k < 2; k++) {
            if (parts[k].len > 0) {
                memcpy(at, parts[k].data, parts[k].len);
            }
            parts[k].data = at;
            at += parts[k].len;
        }
        made->headers[i] = (struct slim_h2_header){parts[0], parts[1]};
    }
    return made;
}

/* Secrets stay out of the compression table (RFC 7541, 7.1.3). */
static uint8_t flags_of(const struct slim_h2_header *header)
{
    return slim_view_is_equal(header->name, SLIM_VIEW("authorization")) ? NGHTTP2_NV_FLAG_NO_INDEX
                                                                        : NGHTTP2_NV_FLAG_NONE;
}

/* nghttp2 copies these bytes and promises not to write to them, but its struct does not say so. */
static uint8_t *unconst(const uint8_t *bytes)
{
    union {
        const uint8_t *in;
        uint8_t *out;
    } pointer = {.in = bytes};
    return pointer.out;
}

static nghttp2_nv *pairs_new(struct slim_heap *heap, const struct slim_h2_header *headers,
                             size_t count)
{
    nghttp2_nv *pairs = slim_heap_take(heap, (count + 1) * sizeof(*pairs));
    if (pairs == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        pairs[i] = (nghttp2_nv){
            .name = unconst(headers[i].name.data),
            .value = unconst(headers[i].value.data),
            .namelen = headers[i].name.len,
            .valuelen = headers[i].value.len,
            .flags = flags_of(&headers[i]),
        };
    }
    return pairs;
}

static bool is_dead(const struct slim_h2 *h2)
{
    return h2->is_killed || h2->status != SLIM_OK;
}

static void wake(struct slim_h2_stream *stream)
{
    if (stream->is_parked) {
        stream->is_parked = false;
        slim_h2_check(stream->h2, nghttp2_session_resume_data(stream->h2->session, stream->id));
    }
}

static void stream_init(struct slim_h2 *h2, struct slim_h2_stream *stream, int32_t id)
{
    *stream = (struct slim_h2_stream){.h2 = h2, .id = id};
    h2->stream_count++;
}

void slim_h2_stream_attach(struct slim_h2 *h2, struct slim_h2_stream *stream, int32_t id)
{
    stream_init(h2, stream, id);
    int result = nghttp2_session_set_stream_user_data(h2->session, id, stream);
    assert(result == 0); /* the stream exists: we are in its on_request */
    (void)result;        /* looked at by the assertion only */
}

void slim_h2_stream_fini(struct slim_h2_stream *stream)
{
    struct slim_h2 *h2 = stream->h2;
    assert(h2->stream_count > 0);
    slim_h2_queue_drop(&stream->queue, h2->memory, stream->queue.byte_count);
    slim_heap_return(h2->memory.heap, stream->trailers);
    stream->trailers = NULL;
    stream->is_ending = true;
    stream->has_ended = true;
    stream->is_parked = false;
    h2->stream_count--;
    if (h2->data_stream == stream) {
        h2->data_stream = NULL;
    }
}

enum slim_status slim_h2_request(struct slim_h2 *h2, const struct slim_h2_header *headers,
                                 size_t count, struct slim_h2_stream *stream)
{
    if (is_dead(h2) || h2->has_go_away || nghttp2_session_check_request_allowed(h2->session) == 0) {
        return SLIM_ERR_CLOSED;
    }
    nghttp2_nv *pairs = pairs_new(h2->memory.heap, headers, count);
    if (pairs == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = slim_h2_on_read};
    int32_t id = nghttp2_submit_request(h2->session, NULL, pairs, count, &provider, stream);
    slim_heap_return(h2->memory.heap, pairs);
    if (id < 0) {
        return id == NGHTTP2_ERR_NOMEM ? SLIM_ERR_NO_MEMORY : SLIM_ERR_CLOSED;
    }
    stream_init(h2, stream, id);
    return SLIM_OK;
}

enum slim_status slim_h2_stream_respond(struct slim_h2_stream *stream,
                                        const struct slim_h2_header *headers, size_t count,
                                        bool is_last)
{
    struct slim_h2 *h2 = stream->h2;
    nghttp2_nv *pairs = pairs_new(h2->memory.heap, headers, count);
    if (pairs == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = slim_h2_on_read};
    int result =
        nghttp2_submit_response(h2->session, stream->id, pairs, count, is_last ? NULL : &provider);
    slim_heap_return(h2->memory.heap, pairs);
    if (result != 0) {
        return SLIM_ERR_NO_MEMORY;
    }
    stream->is_ending = is_last;
    return SLIM_OK;
}

enum slim_status slim_h2_stream_put(struct slim_h2_stream *stream, struct slim_view head,
                                    struct slim_view body)
{
    if (SLIM_UNLIKELY(stream->is_ending || is_dead(stream->h2))) {
        return SLIM_ERR_CLOSED;
    }
    SLIM_TRY(slim_h2_queue_put(&stream->queue, stream->h2->memory, head, body));
    wake(stream);
    return SLIM_OK;
}

enum slim_status slim_h2_stream_put_block(struct slim_h2_stream *stream, struct slim_view head,
                                          struct slim_block *block, size_t offset, size_t len)
{
    if (SLIM_UNLIKELY(stream->is_ending || is_dead(stream->h2))) {
        return SLIM_ERR_CLOSED;
    }
    SLIM_TRY(slim_h2_queue_put_block(&stream->queue, stream->h2->memory, head, block, offset, len));
    wake(stream);
    return SLIM_OK;
}

size_t slim_h2_stream_memory_bytes(const struct slim_h2_stream *stream)
{
    return slim_h2_queue_memory_bytes(&stream->queue);
}

static void drop_queue(struct slim_h2_stream *stream)
{
    slim_h2_queue_drop(&stream->queue, stream->h2->memory, stream->queue.byte_count);
}

void slim_h2_stream_reset(struct slim_h2_stream *stream, uint32_t error)
{
    struct slim_h2 *h2 = stream->h2;
    if (h2->is_killed) {
        return;
    }
    drop_queue(stream);
    slim_heap_return(h2->memory.heap, stream->trailers);
    stream->trailers = NULL;
    stream->is_ending = true;
    stream->has_ended = true;
    slim_h2_check(h2, nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream->id, error));
}

static void submit_trailers(struct slim_h2_stream *stream, const struct slim_h2_header *trailers,
                            size_t count)
{
    struct slim_h2 *h2 = stream->h2;
    nghttp2_nv *pairs = pairs_new(h2->memory.heap, trailers, count);
    if (pairs == NULL) {
        slim_h2_stream_reset(stream, SLIM_H2_INTERNAL_ERROR);
        return;
    }
    slim_h2_check(h2, nghttp2_submit_trailer(h2->session, stream->id, pairs, count));
    slim_heap_return(h2->memory.heap, pairs);
}

void slim_h2_stream_send_trailers(struct slim_h2_stream *stream)
{
    struct slim_h2_trailers *trailers = stream->trailers;
    stream->trailers = NULL;
    submit_trailers(stream, trailers->headers, trailers->count);
    slim_heap_return(stream->h2->memory.heap, trailers);
}

/* Without credit nghttp2 frames not even the empty DATA that carries END_STREAM; a request that never left has no window. */
static bool is_blocked(const struct slim_h2_stream *stream)
{
    nghttp2_session *session = stream->h2->session;
    return nghttp2_session_get_stream_remote_window_size(session, stream->id) <= 0 ||
           nghttp2_session_get_remote_window_size(session) <= 0;
}

void slim_h2_stream_end(struct slim_h2_stream *stream, const struct slim_h2_header *trailers,
                        size_t count, uint32_t error, bool is_flush)
{
    if (stream->is_ending || stream->h2->is_killed) {
        return;
    }
    if (!is_flush) {
        drop_queue(stream);
    }
    bool is_empty = stream->queue.byte_count == 0;
    if (count == 0 && is_empty && !is_flush && is_blocked(stream)) {
        slim_h2_stream_reset(stream, error);
        return;
    }
    if (count > 0 && !is_empty) {
        stream->trailers = trailers_new(stream->h2->memory.heap, trailers, count);
        if (stream->trailers == NULL) {
            slim_h2_stream_reset(stream, SLIM_H2_INTERNAL_ERROR);
            return;
        }
    }
    stream->is_ending = true;
    stream->end_error = error;
    if (count > 0 && is_empty) {
        submit_trailers(stream, trailers, count); /* now: DATA and its window have no say in it */
    } else {
        wake(stream);
    }
}

void slim_h2_stream_be_patient(struct slim_h2_stream *stream)
{
    stream->is_patient = true;
}

void slim_h2_stream_end_half(struct slim_h2_stream *stream)
{
    if (stream->is_ending || stream->h2->is_killed) {
        return;
    }
    stream->is_half = true;
    stream->is_ending = true;
    wake(stream);
}

void slim_h2_stream_credit(struct slim_h2_stream *stream, size_t count)
{
    struct slim_h2 *h2 = stream->h2;
    if (!h2->is_killed && count > 0) {
        slim_h2_check(h2, nghttp2_session_consume_stream(h2->session, stream->id, count));
    }
}
