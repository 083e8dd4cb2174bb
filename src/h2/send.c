/* From the queues of the streams to bytes for the transport. */
#include "h2/session.h"

#include "h2/limits.h"

enum { FRAME_HEAD_BYTES = 9 };

static bool is_full(const struct slim_h2 *h2)
{
    return h2->is_killed || h2->out.byte_count >= h2->cut_bytes ||
           h2->out.segment_count >= h2->cut_segments;
}

ssize_t slim_h2_on_read(nghttp2_session *session, int32_t id, uint8_t *buf, size_t length,
                        uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    (void)session;
    (void)id;
    (void)buf;
    struct slim_h2 *h2 = ctx;
    struct slim_h2_stream *stream = source->ptr;
    if (h2->is_pumping || h2->is_killed) {
        return NGHTTP2_ERR_PAUSE;
    }
    if (stream->queue.byte_count == 0 && !stream->is_ending) {
        stream->is_parked = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags = NGHTTP2_DATA_FLAG_NO_COPY;
    size_t count = slim_h2_queue_cut_size(&stream->queue, length);
    if (stream->is_ending && count == stream->queue.byte_count) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (stream->trailers != NULL) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            slim_h2_stream_send_trailers(stream);
        }
    }
    return (ssize_t)count;
}

int slim_h2_on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                         size_t length, nghttp2_data_source *source, void *ctx)
{
    (void)session;
    struct slim_h2 *h2 = ctx;
    struct slim_h2_stream *stream = source->ptr;
    assert(frame->data.padlen == 0); /* we set no padding callback */
    if (length > stream->queue.byte_count) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* dropped while the frame waited for memory: reset the stream */
    }
    if (slim_h2_queue_frame(&h2->out, h2->memory, slim_view_of(head, FRAME_HEAD_BYTES),
                            &stream->queue, length) != SLIM_OK) {
        return NGHTTP2_ERR_WOULDBLOCK; /* the frame is offered again at the next output */
    }
    stream->framed_bytes += length;
    slim_h2_flood_earn(&h2->flood, SLIM_H2_FLOOD_WINDOW_UPDATE, SLIM_H2_WINDOW_UPDATES_PER_DATA);
    return is_full(h2) ? NGHTTP2_ERR_PAUSE : 0;
}

/* Behind our END_STREAM comes the reset that tells a peer which is not done that we listen no more. */
static void after_last(struct slim_h2 *h2, struct slim_h2_stream *stream)
{
    stream->has_ended = true;
    if (!stream->is_peer_done && !stream->is_half && !stream->is_patient) {
        slim_h2_check(h2, nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream->id,
                                                    stream->end_error));
    }
}

int slim_h2_on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct slim_h2 *h2 = ctx;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        h2->has_go_away = true;
        if (frame->goaway.error_code != NGHTTP2_NO_ERROR && h2->status == SLIM_OK) {
            h2->status = SLIM_ERR_MALFORMED; /* nghttp2 found out by itself */
            h2->cause = SLIM_H2_CAUSE_BROKEN;
        }
        return 0;
    }
    if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
        h2->is_server) {
        slim_h2_count(h2, SLIM_H2_FLOOD_RESET); /* the peer did something that asks for it */
        return 0;
    }
    bool is_last = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
                   (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (is_last && !h2->is_killed) {
        struct slim_h2_stream *stream =
            nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        if (stream != NULL) {
            after_last(h2, stream);
        }
    }
    return 0;
}

/* Copy the control frame that nghttp2 handed out. False: no memory, try again later. */
static bool put_unframed(struct slim_h2 *h2)
{
    if (slim_h2_queue_put(&h2->out, h2->memory, h2->unframed, (struct slim_view){NULL, 0}) !=
        SLIM_OK) {
        return false;
    }
    h2->unframed.len = 0;
    return true;
}

/* Let nghttp2 frame until the output is full or nothing is left. */
static void frame_more(struct slim_h2 *h2)
{
    while (!is_full(h2)) {
        if (h2->unframed.len > 0 && !put_unframed(h2)) {
            return;
        }
        const uint8_t *data;
        ssize_t size = nghttp2_session_mem_send(h2->session, &data);
        if (size < 0) {
            h2->status = size == NGHTTP2_ERR_NOMEM ? SLIM_ERR_NO_MEMORY : SLIM_ERR_INTERNAL;
            return;
        }
        if (size == 0) {
            return;
        }
        h2->unframed = slim_view_of(data, (size_t)size);
        if (!put_unframed(h2)) {
            return;
        }
    }
}

void slim_h2_pump(struct slim_h2 *h2)
{
    h2->cut_bytes = SLIM_H2_PUMP_BYTES;
    h2->cut_segments = SIZE_MAX;
    h2->is_pumping = true;
    frame_more(h2);
    h2->is_pumping = false;
}

/* A connection that is dead still sends what was framed, its GOAWAY included. */
static bool can_frame(const struct slim_h2 *h2)
{
    return !h2->is_killed &&
           (h2->unframed.len > 0 || nghttp2_session_want_write(h2->session) != 0) &&
           h2->status != SLIM_ERR_NO_MEMORY && h2->status != SLIM_ERR_INTERNAL;
}

size_t slim_h2_output(struct slim_h2 *h2, struct iovec *iov, size_t iov_count, size_t bytes_max)
{
    if (can_frame(h2)) {
        h2->cut_bytes = bytes_max;
        h2->cut_segments = iov_count;
        frame_more(h2);
    }
    return slim_h2_queue_iov(&h2->out, iov, iov_count, bytes_max);
}

void slim_h2_sent(struct slim_h2 *h2, size_t count)
{
    slim_h2_queue_drop(&h2->out, h2->memory, count);
}

bool slim_h2_has_output(const struct slim_h2 *h2)
{
    return h2->out.byte_count > 0 || can_frame(h2);
}

size_t slim_h2_pending_bytes(const struct slim_h2 *h2)
{
    return h2->out.byte_count + h2->unframed.len;
}
