/* Inside of connections and calls. Private to src/grpc. */
#ifndef SLIM_GRPC_INTERNAL_H
#define SLIM_GRPC_INTERNAL_H

#include "base/list.h"
#include "grpc/grpc.h"
#include "grpc/limits.h"
#include "h2/h2.h"

/* calls       every call whose memory is not freed, ended ones included
 * call_count  calls whose user still waits for an on_end
 * strings     client: copies of scheme, authority and user_agent
 * opened_ms   when it was made;  now_ms: of the last call that told;  idle_since_ms: when the last call ended, or it was made
 * leave_ms    GOAWAY was sent and no call is left: when it is closed; 0: not yet
 * cause       of what slim_grpc_conn_tick did;  of slim_grpc_conn_take: in h2
 * received_ms when bytes came last;  pinged_ms  when the PING that waits for an answer was sent, 0: none waits */
struct slim_grpc_conn {
    struct slim_h2 *h2;
    struct slim_grpc_handler handler;
    void *ctx;
    struct slim_heap *heap;
    struct slim_block_pool *pool;
    struct slim_list calls;
    size_t call_count;
    struct slim_grpc_stats stats;
    struct slim_grpc_counters *counters; /* may be NULL */
    uint8_t *strings;
    struct slim_view scheme;
    struct slim_view authority;
    struct slim_view user_agent;
    uint32_t message_bytes_max;
    uint64_t ping_interval_ms;
    uint64_t ping_timeout_ms;
    uint64_t idle_timeout_ms;
    uint64_t age_max_ms;
    uint64_t opened_ms;
    uint64_t now_ms;
    uint64_t idle_since_ms;
    uint64_t leave_ms;
    enum slim_grpc_cause cause;
    uint64_t received_ms;
    uint64_t pinged_ms;
    bool is_server;
    bool is_closed;
};

/* is_ended      the user got on_end or finished the call: no callback any more
 * outlives_half_close   server: the end of the client's direction is no end of the call
 * is_accepted   server: response headers were sent; client: they came
 * is_plain      ended, and gets slim_grpc_call_answer_plain when the request is complete
 * prefix        the first prefix_len bytes of the prefix of the message that is arriving
 * gathered      content of that message so far, and message_bytes its announced length; NULL: nothing of it came yet
 * credit        bytes whose credit is to be returned; negative: held beyond what was still ours to give
 * held_bytes    what the user holds */
struct slim_grpc_call {
    struct slim_h2_stream stream;
    struct slim_grpc_conn *conn;
    void *ctx;
    struct slim_list node;
    bool is_ended;
    bool is_accepted;
    bool is_plain;
    bool outlives_half_close;
    uint8_t prefix_len;
    uint8_t prefix[SLIM_GRPC_PREFIX_BYTES];
    int http_status;
    uint32_t message_bytes;
    struct slim_block *gathered;
    int64_t credit;
    size_t held_bytes;
};

/* Add one to a field of the owner's counters. Never on the path of a message. */
#define SLIM_GRPC_COUNT(conn, field)                                                               \
    do {                                                                                           \
        if ((conn)->counters != NULL) {                                                            \
            (conn)->counters->field++;                                                             \
        }                                                                                          \
    } while (0)

/* New call in the list of `conn`, not attached to a stream. NULL: no memory. */
struct slim_grpc_call *slim_grpc_call_new(struct slim_grpc_conn *conn);

/* Free the memory of a call whose stream is gone. */
void slim_grpc_call_free(struct slim_grpc_call *call);

/* The user is told (slim_grpc_call_report) or knows (finish): no callback from here on. */
void slim_grpc_call_mark_ended(struct slim_grpc_call *call);

/* Send the answer of HTTP to a request that is not gRPC. */
void slim_grpc_call_answer_plain(struct slim_grpc_call *call);

/* Mark the call ended and call on_end. */
void slim_grpc_call_report(struct slim_grpc_call *call, const struct slim_grpc_end *end);

/* Send the end of our direction as slim_grpc_call_finish describes. */
void slim_grpc_call_send_end(struct slim_grpc_call *call, enum slim_grpc_status status,
                             struct slim_view message, bool is_flush);

/* The peer broke the rules inside the call: end it with `status` both ways. */
void slim_grpc_call_break(struct slim_grpc_call *call, enum slim_grpc_status status,
                          struct slim_view message);

/* Handlers of the streams. */
void slim_grpc_on_request(void *ctx, int32_t id, const struct slim_h2_header *headers, size_t count,
                          bool is_last);
void slim_grpc_on_headers(void *ctx, struct slim_h2_stream *stream,
                          const struct slim_h2_header *headers, size_t count, bool is_last);
void slim_grpc_on_data(void *ctx, struct slim_h2_stream *stream, struct slim_view bytes);
void slim_grpc_on_last(void *ctx, struct slim_h2_stream *stream);
void slim_grpc_on_close(void *ctx, struct slim_h2_stream *stream, uint32_t error);

/* Value of header `name`, or an empty view. */
struct slim_view slim_grpc_find_header(const struct slim_h2_header *headers, size_t count,
                                       struct slim_view name);

/* grpc-message on the wire: at most SLIM_GRPC_STATUS_TEXT_MAX bytes of `text` become at most three times as many. Returns the
 * length written. */
enum { SLIM_GRPC_ENCODED_TEXT_MAX = 3 * SLIM_GRPC_STATUS_TEXT_MAX };
size_t slim_grpc_text_encode(struct slim_view text, uint8_t out[static SLIM_GRPC_ENCODED_TEXT_MAX]);

/* The other way; what is not a valid escape stays as it is. */
size_t slim_grpc_text_decode(struct slim_view text, uint8_t out[static SLIM_GRPC_STATUS_TEXT_MAX]);

/* A grpc-status value: digits only; anything else, and codes that do not exist, are SLIM_GRPC_UNKNOWN. */
enum slim_grpc_status slim_grpc_status_parse(struct slim_view text);

/* The status for a stream that was reset with this HTTP/2 code, and for an HTTP answer without grpc-status. */
enum slim_grpc_status slim_grpc_status_of_reset(uint32_t error, bool is_server);
enum slim_grpc_status slim_grpc_status_of_http(int http_status);

#endif
