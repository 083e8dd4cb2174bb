/* One HTTP/2 connection over nghttp2, client or server. No I/O: bytes and the time go in, bytes and events come out.
 *
 * What nghttp2 does: frames, header compression, windows, the order of streams. What is added here: send queues made of
 * counted blocks, output described by iovecs without a copy of DATA, credit returned only when the owner says so, limits
 * against floods, and memory from the loop's heap and pool only.
 *
 *     slim_h2_stream_put -> queue of the stream -> (slim_h2_output cuts DATA frames) -> output queue -> slim_h2_sent
 *
 * From inside a callback every function may be called except slim_h2_take, slim_h2_output, slim_h2_sent and slim_h2_free of
 * the same connection. Not thread safe: a connection belongs to one loop. */
#ifndef SLIM_H2_H2_H
#define SLIM_H2_H2_H

#include <sys/uio.h>

#include "base/block.h"
#include "base/heap.h"
#include "base/status.h"
#include "base/view.h"

/* Error codes of RFC 9113, section 7. */
enum slim_h2_error {
    SLIM_H2_NO_ERROR = 0,
    SLIM_H2_PROTOCOL_ERROR = 1,
    SLIM_H2_INTERNAL_ERROR = 2,
    SLIM_H2_FLOW_CONTROL_ERROR = 3,
    SLIM_H2_SETTINGS_TIMEOUT = 4,
    SLIM_H2_STREAM_CLOSED = 5,
    SLIM_H2_FRAME_SIZE_ERROR = 6,
    SLIM_H2_REFUSED_STREAM = 7,
    SLIM_H2_CANCEL = 8,
    SLIM_H2_COMPRESSION_ERROR = 9,
    SLIM_H2_CONNECT_ERROR = 10,
    SLIM_H2_ENHANCE_YOUR_CALM = 11,
    SLIM_H2_INADEQUATE_SECURITY = 12,
    SLIM_H2_HTTP_1_1_REQUIRED = 13,
};

/* Why a connection is dead, in more detail than slim_h2_status: for counters and log lines. */
enum slim_h2_cause {
    SLIM_H2_CAUSE_NONE,
    SLIM_H2_CAUSE_NOT_HTTP2,      /* no preface */
    SLIM_H2_CAUSE_BROKEN,         /* any other breach of RFC 9113 */
    SLIM_H2_CAUSE_RESETS,         /* floods, see limits.h */
    SLIM_H2_CAUSE_SETTINGS,       /* */
    SLIM_H2_CAUSE_PINGS,          /* */
    SLIM_H2_CAUSE_PRIORITIES,     /* */
    SLIM_H2_CAUSE_EMPTY_DATA,     /* */
    SLIM_H2_CAUSE_WINDOW_UPDATES, /* */
    SLIM_H2_CAUSE_REQUESTS,       /* */
    SLIM_H2_CAUSE_CONTINUATIONS,  /* */
    SLIM_H2_CAUSE_UNREAD,         /* the peer asks and does not read the answers */
};
enum { SLIM_H2_CAUSES = 12 };

/* One header field. Names are lower case; pseudo headers come first. Borrowed. */
struct slim_h2_header {
    struct slim_view name;
    struct slim_view value;
};

/* A stretch of a block that waits to be sent: block->data[pos .. end). Holds one reference. */
struct slim_h2_segment {
    struct slim_h2_segment *next;
    struct slim_block *block;
    uint32_t pos;
    uint32_t end;
};

/* Bytes in order, in blocks.
 *
 *   first                                        last
 *     v                                           v
 *   [block A pos..end] -> [shared block B] -> [block T pos..end] room of T
 *                                                ^ tail: copied bytes go behind its len
 *
 * tail        block that copied bytes are appended to, one reference of our own; NULL when nothing is queued
 * byte_count  sum of the segments */
struct slim_h2_queue {
    struct slim_h2_segment *first;
    struct slim_h2_segment *last;
    struct slim_block *tail;
    size_t byte_count;
    size_t segment_count;
};

struct slim_h2;
struct slim_h2_trailers;

/* One stream. Lives inside an object of the owner, from slim_h2_stream_attach or slim_h2_request until on_close or slim_h2_free.
 * The fields are private to src/h2 except `id`, which may be read. */
struct slim_h2_stream {
    struct slim_h2 *h2;
    int32_t id;
    bool is_parked;    /* nghttp2 asked for DATA and there was none: it must be woken */
    bool is_ending;    /* the end of our direction was ordered; nothing can be put any more */
    bool has_ended;    /* the frame with END_STREAM was framed, or a reset was ordered */
    bool is_peer_done; /* END_STREAM came */
    bool is_half;      /* ended with slim_h2_stream_end_half: no reset follows our END_STREAM */
    bool is_patient;   /* no reset follows our END_STREAM: the peer ends its direction by itself */
    uint32_t
        end_error; /* code of the RST_STREAM that follows our END_STREAM when the peer is not done */
    uint64_t framed_bytes;
    struct slim_h2_queue queue;
    struct slim_h2_trailers *trailers; /* wait for the queue to empty */
};

/* Callbacks of one connection.
 *
 * on_request   server: the header block of a new stream is complete and valid HTTP. Call slim_h2_stream_attach with the id
 *              here, or the stream is refused. is_last: END_STREAM; on_last follows.
 * on_headers   client: response headers, each informational one, and trailers; server: trailers of the request
 * on_data      bytes of DATA, borrowed. Their credit on the connection returns by itself; the stream's by slim_h2_stream_credit
 * on_last      the peer ended its direction
 * on_close     the stream is over, its queue is empty, and the owner may free it in here. error: SLIM_H2_NO_ERROR, or the code of
 *              the RST_STREAM that was received or sent. Usually from slim_h2_take; from slim_h2_output when the last
 *              frame of a stream was ours. */
struct slim_h2_handler {
    void (*on_request)(void *ctx, int32_t id, const struct slim_h2_header *headers, size_t count,
                       bool is_last);
    void (*on_headers)(void *ctx, struct slim_h2_stream *stream,
                       const struct slim_h2_header *headers, size_t count, bool is_last);
    void (*on_data)(void *ctx, struct slim_h2_stream *stream, struct slim_view bytes);
    void (*on_last)(void *ctx, struct slim_h2_stream *stream);
    void (*on_close)(void *ctx, struct slim_h2_stream *stream, uint32_t error);
};

/* What was refused or ended here, and why. Plain fields; several connections of one loop may share one struct.
 * causes            connections that died, by slim_h2_cause; counted when they are freed
 * no_memory         connections that died of it
 * headers_too_long  streams: header_list_bytes was passed
 * streams_refused   streams: max_streams was passed, or the owner did not attach them
 * bad_requests      streams: frames in order, but no valid HTTP message
 * stream_no_memory  streams */
struct slim_h2_counters {
    uint64_t causes[SLIM_H2_CAUSES];
    uint64_t no_memory;
    uint64_t headers_too_long;
    uint64_t streams_refused;
    uint64_t bad_requests;
    uint64_t stream_no_memory;
};

/* max_streams: 0 announces nothing. All windows 65535 .. 2^31-1, max_frame_bytes 16384 .. 2^24-1.
 * counters: outlive the connection; NULL: nobody wants to know. */
struct slim_h2_options {
    bool is_server;
    uint32_t stream_window_bytes;
    uint32_t conn_window_bytes;
    uint32_t max_frame_bytes;
    uint32_t header_list_bytes;
    uint32_t max_streams;
    struct slim_h2_counters *counters;
};

/* Make a connection; SETTINGS wait in the output at once. `handler` is copied; heap and pool outlive the connection.
 * SLIM_ERR_NO_MEMORY, SLIM_ERR_ARGUMENT (an option out of range). */
SLIM_MUST_CHECK enum slim_status slim_h2_new(const struct slim_h2_options *options,
                                             const struct slim_h2_handler *handler, void *ctx,
                                             struct slim_heap *heap, struct slim_block_pool *pool,
                                             uint64_t now_ms, struct slim_h2 **h2);

/* Free the connection. Streams get no on_close: the owner calls slim_h2_stream_fini for each that is still attached before. */
void slim_h2_free(struct slim_h2 *h2);

/* No event comes any more and nothing more is framed. */
void slim_h2_kill(struct slim_h2 *h2);

/* Take received bytes, all of them.
 * SLIM_OK              go on
 * SLIM_ERR_MALFORMED   the peer broke HTTP/2; the output holds the GOAWAY (nothing when it did not speak HTTP/2 at all)
 * SLIM_ERR_CLOSED      GOAWAY was sent or received and no stream is left
 * SLIM_ERR_LIMIT       a flood; the output holds the GOAWAY
 * SLIM_ERR_NO_MEMORY
 * Once it failed it fails in the same way for ever. */
SLIM_MUST_CHECK enum slim_status slim_h2_take(struct slim_h2 *h2, struct slim_view bytes,
                                              uint64_t now_ms);

/* SLIM_OK, or why the connection is dead: what slim_h2_take returned or would return. */
enum slim_status slim_h2_status(const struct slim_h2 *h2);

enum slim_h2_cause slim_h2_cause(const struct slim_h2 *h2);

/* True when the SETTINGS of the peer came: it speaks HTTP/2. */
bool slim_h2_has_settings(const struct slim_h2 *h2);

/* True when GOAWAY was ordered, sent or received. */
bool slim_h2_has_go_away(const struct slim_h2 *h2);

/* See slim_grpc_conn_output, _sent and _has_output. */
size_t slim_h2_output(struct slim_h2 *h2, struct iovec *iov, size_t iov_count, size_t bytes_max);
void slim_h2_sent(struct slim_h2 *h2, size_t count);
bool slim_h2_has_output(const struct slim_h2 *h2);

/* Framed output that waits, in bytes. */
size_t slim_h2_pending_bytes(const struct slim_h2 *h2);

/* Streams that are attached. */
size_t slim_h2_stream_count(const struct slim_h2 *h2);

/* Queue a PING; any bytes that arrive later are proof of life. */
void slim_h2_ping(struct slim_h2 *h2);

/* Queue GOAWAY(NO_ERROR): no new streams, open ones go on. That of a client leaves behind its last stream. */
void slim_h2_go_away(struct slim_h2 *h2);

/* Client: open a stream with these request headers. SLIM_ERR_CLOSED: GOAWAY, or no stream ids left. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_h2_request(struct slim_h2 *h2,
                                                 const struct slim_h2_header *headers, size_t count,
                                                 struct slim_h2_stream *stream);

/* Server, inside on_request: events of stream `id` go to `stream`, which is initialised. */
void slim_h2_stream_attach(struct slim_h2 *h2, struct slim_h2_stream *stream, int32_t id);

/* Give back what the stream holds. Only for streams that get no on_close (slim_h2_free, slim_h2_kill). */
void slim_h2_stream_fini(struct slim_h2_stream *stream);

/* Server: send response headers; is_last: and nothing else. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_h2_stream_respond(struct slim_h2_stream *stream,
                                                        const struct slim_h2_header *headers,
                                                        size_t count, bool is_last);

/* Queue `head` and then `body`, both copied. SLIM_ERR_NO_MEMORY: nothing queued. SLIM_ERR_CLOSED: the stream is ending. */
SLIM_MUST_CHECK enum slim_status slim_h2_stream_put(struct slim_h2_stream *stream,
                                                    struct slim_view head, struct slim_view body);

/* Queue a copy of `head` and then the bytes [offset, offset + len) of `block` by reference. Without a head, bytes that
 * begin where the last queued ones of the same block end make those longer: no new piece. Same statuses. */
SLIM_MUST_CHECK enum slim_status slim_h2_stream_put_block(struct slim_h2_stream *stream,
                                                          struct slim_view head,
                                                          struct slim_block *block, size_t offset,
                                                          size_t len);

/* Memory below the queue of the stream: a shared block counts in full. Walks the queue. */
size_t slim_h2_stream_memory_bytes(const struct slim_h2_stream *stream);

/* End our direction: send what is queued (is_flush) or drop it, then the trailers (server, count > 0) or END_STREAM
 * (count 0), then RST_STREAM(error) when the peer has not ended its direction by then. Where the peer's window does not
 * allow even an empty DATA frame, END_STREAM is left out. Once ordered it cannot be changed except by a reset. */
void slim_h2_stream_end(struct slim_h2_stream *stream, const struct slim_h2_header *trailers,
                        size_t count, uint32_t error, bool is_flush);

/* Server, before our direction ends: do not reset the stream behind our END_STREAM, but let the peer end it. It is judged by the rules
 * of HTTP/2 until then. The owner resets it when too much comes. */
void slim_h2_stream_be_patient(struct slim_h2_stream *stream);

/* Client: end our direction behind what is queued, and go on receiving. slim_h2_stream_reset gives the rest up; slim_h2_stream_end does
 * nothing any more. */
void slim_h2_stream_end_half(struct slim_h2_stream *stream);

/* Drop what is queued and send RST_STREAM(error). */
void slim_h2_stream_reset(struct slim_h2_stream *stream, uint32_t error);

/* Let the peer send `count` bytes more on this stream; at most what on_data delivered and was not credited. */
void slim_h2_stream_credit(struct slim_h2_stream *stream, size_t count);

#endif
