/* Inside of a connection. Private to src/h2. */
#ifndef SLIM_H2_SESSION_H
#define SLIM_H2_SESSION_H

#include <nghttp2/nghttp2.h>

#include "h2/finished.h"
#include "h2/flood.h"
#include "h2/headers.h"
#include "h2/queue.h"
#include "h2/sparse.h"

/* status         SLIM_OK, or why the connection is dead
 * is_killed      the owner gave it up: no events, no framing
 * is_pumping     control frames only: DATA waits until the owner asks for output
 * cut_bytes, cut_segments   frames are made until the output holds one of the two
 * newest_id      of the requests that came;  skipped_first .. skipped_last: the ids that it jumped over last (0: none)
 * uncredited     bytes of DATA whose connection credit is not returned yet (one call per turn) */
struct slim_h2 {
    nghttp2_session *session;
    nghttp2_mem mem; /* of `sparse` */
    struct slim_h2_sparse sparse;
    struct slim_h2_memory memory;
    struct slim_h2_handler handler;
    void *ctx;
    struct slim_h2_queue out;
    struct slim_view
        unframed; /* a control frame nghttp2 handed out for which there was no block yet */
    struct slim_h2_headers headers;
    struct slim_h2_flood flood;
    struct slim_h2_counters *counters; /* may be NULL */
    uint64_t now_ms;
    size_t stream_count;
    size_t uncredited;
    size_t cut_bytes;
    size_t cut_segments;
    int32_t data_id; /* stream of the last DATA, so that its object is looked up once */
    struct slim_h2_stream *data_stream;
    enum slim_status status;
    enum slim_h2_cause cause;
    struct slim_h2_finished finished;
    int32_t newest_id;
    int32_t skipped_first;
    int32_t skipped_last;
    uint32_t header_list_bytes;
    bool has_settings;
    bool is_server;
    bool is_killed;
    bool is_pumping;
    bool has_go_away;    /* ordered, sent or received */
    bool is_go_away_due; /* ours leaves behind the last stream */
};

/* Add one to a field of the owner's counters. Never on the path of a message. */
#define SLIM_H2_COUNT(h2, field)                                                                   \
    do {                                                                                           \
        if ((h2)->counters != NULL) {                                                              \
            (h2)->counters->field++;                                                               \
        }                                                                                          \
    } while (0)

/* Queue GOAWAY(NO_ERROR) now. */
void slim_h2_submit_go_away(struct slim_h2 *h2);

/* Frame control frames into the output, up to SLIM_H2_PUMP_BYTES; DATA stays where it is. */
void slim_h2_pump(struct slim_h2 *h2);

/* Note that nghttp2 refused something; only memory makes it refuse what we ask. */
void slim_h2_check(struct slim_h2 *h2, int result);

/* End the connection with GOAWAY(error) because of `status`. */
void slim_h2_fail(struct slim_h2 *h2, enum slim_status status, enum slim_h2_cause cause,
                  uint32_t error);

/* Count a frame; one too many ends the connection. */
void slim_h2_count(struct slim_h2 *h2, enum slim_h2_flood_kind kind);

/* The callbacks of nghttp2 that read what the streams queued, and those for what came in. */
ssize_t slim_h2_on_read(nghttp2_session *session, int32_t id, uint8_t *buf, size_t length,
                        uint32_t *flags, nghttp2_data_source *source, void *ctx);
int slim_h2_on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                         size_t length, nghttp2_data_source *source, void *ctx);
int slim_h2_on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *ctx);
void slim_h2_set_receive_callbacks(nghttp2_session_callbacks *callbacks);

/* Hand the trailers that waited for the queue to nghttp2. */
void slim_h2_stream_send_trailers(struct slim_h2_stream *stream);

#endif
