/* slim-load: a load generator that costs little and checks what arrives.
 *
 * It speaks the framing of HTTP/2 and gRPC by itself, so that it measures no code of src/. One thread, one epoll. A sender
 * prepares a batch of frames once, and from then on only writes the trailers of its messages anew:
 *
 *   batch   | DATA header | gRPC prefix, message, ... trailer | gRPC prefix, message, ... trailer | DATA header | ...
 *           0           sent (handed to the kernel)      granted (flow control allows it)            len
 *
 * Every message ends with a trailer (struct load_trailer): who sent it, its number, when. The trailer is the end of the blob,
 * which is the end of the message, so that a node may change the header of a message without hiding it from us. */
#ifndef SLIM_BENCH_LOAD_H
#define SLIM_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOAD_FRAME_BYTES_MAX = 16384, /* DATA payload, the HTTP/2 default that every peer accepts */
    LOAD_FRAME_HEADER_BYTES = 9,
    LOAD_GRPC_PREFIX_BYTES = 5,
    LOAD_TRAILER_BYTES = 32,
    LOAD_BATCH_BYTES = 262144,   /* one write of a flooding sender */
    LOAD_BATCH_COUNT_MAX = 4096, /* messages of a batch */
    LOAD_CONTROL_BYTES_MAX = 4096,
    LOAD_FRAME_KEEP_BYTES = 512, /* of a frame that is not DATA: all that we look at */
};

/* ---------------------------------------------------------------------------------------------------------- bytes */

/* Bytes that grow; the program ends when there is no memory. */
struct load_bytes {
    uint8_t *data;
    size_t len;
    size_t capacity;
};

void load_bytes_put(struct load_bytes *bytes, const void *data, size_t len);
void load_bytes_put_byte(struct load_bytes *bytes, uint8_t byte);
void load_bytes_free(struct load_bytes *bytes);

/* ------------------------------------------------------------------------------------------------------- messages */

enum load_kind { LOAD_KIND_DATA = 1, LOAD_KIND_PROBE = 2 };

struct load_trailer {
    uint64_t check; /* of the other fields: a damaged trailer is noticed */
    uint32_t kind;
    uint32_t sender;
    uint64_t number; /* from 0, one series per sender */
    uint64_t time_ns;
};
_Static_assert(sizeof(struct load_trailer) == LOAD_TRAILER_BYTES,
               "the trailer is written as it is");

void load_trailer_put(uint8_t *at, enum load_kind kind, uint32_t sender, uint64_t number,
                      uint64_t time_ns);
bool load_trailer_get(const uint8_t *at, struct load_trailer *trailer);

/* A name: `word` is the third string, `id` the instance; UINT64_MAX is "any". */
struct load_name {
    const char *word;
    uint64_t id;
};

/* Append a gRPC message: Subscribe of this name, or a Publish of `payload_bytes` with the last 32 left for the trailer. */
void load_put_subscribe(struct load_bytes *out, struct load_name name, size_t identity_bytes);
void load_put_publish(struct load_bytes *out, struct load_name from, struct load_name to,
                      uint32_t fanout, size_t identity_bytes, size_t payload_bytes);

/* ------------------------------------------------------------------------------------------------------ histogram */

enum { LOAD_HISTOGRAM_SUB = 64, LOAD_HISTOGRAM_COUNT = LOAD_HISTOGRAM_SUB * 40 };

/* Times in ns, in steps of 1/64 of their size. */
struct load_histogram {
    uint64_t buckets[LOAD_HISTOGRAM_COUNT];
    uint64_t count;
    uint64_t max_ns;
};

void load_histogram_add(struct load_histogram *histogram, uint64_t time_ns);
/* The time that `part` (0 to 1) of the measured ones do not exceed; 0 when there are none. */
uint64_t load_histogram_at(const struct load_histogram *histogram, double part);

/* ---------------------------------------------------------------------------------------------------- connections */

struct load_conn;

/* One OpenChannel stream: window to send, and the message that is arriving. */
struct load_stream {
    int64_t send_window;
    uint32_t unacked_bytes; /* received, credit not given back yet */
    uint32_t receiver;      /* index of the receiver, or UINT32_MAX: this stream only sends */
    bool is_open;           /* response headers have come */
    bool has_probe;
    uint8_t prefix[LOAD_GRPC_PREFIX_BYTES];
    uint8_t prefix_len;
    uint32_t msg_len;
    uint32_t msg_left;
    uint8_t tail[LOAD_TRAILER_BYTES]; /* last bytes of the message so far */
};

/* The frames being sent, see the drawing above. */
struct load_batch {
    struct load_bytes frames;
    size_t sent;
    size_t granted;
    uint32_t trailers[LOAD_BATCH_COUNT_MAX]; /* where in frames */
    uint32_t ends[LOAD_BATCH_COUNT_MAX];     /* where the frame ends that ends the message */
    uint32_t count;                          /* messages */
};

/* What happens on a connection.
 * on_message   one whole message came in; tail are its last 32 bytes
 * on_piece     bytes of a message, called before on_message; `left` counts from the first of them to the end. NULL: not wanted
 * on_writable  all of the batch was handed to the kernel: prepare a new one (sent and granted 0) and return true, or return false
 * on_closed    once, from whatever call found out */
struct load_events {
    void (*on_message)(struct load_conn *conn, struct load_stream *stream, uint32_t len,
                       const uint8_t *tail);
    void (*on_piece)(struct load_conn *conn, const uint8_t *data, size_t len, uint32_t left);
    bool (*on_writable)(struct load_conn *conn);
    void (*on_closed)(struct load_conn *conn, const char *why);
};

struct load_conn {
    int fd;
    int epoll_fd;
    uint32_t index;
    uint32_t epoll_events;
    const struct load_events *events;
    bool is_closed;
    bool is_paused;  /* we do not read */
    bool is_blocked; /* the kernel takes no more */

    uint32_t window_bytes; /* stream window we announced */
    int64_t send_window;
    int64_t initial_window; /* of the peer's streams */
    uint32_t unacked_bytes;
    uint64_t received_bytes;

    struct load_stream *streams;
    uint32_t stream_count;

    uint8_t control
        [LOAD_CONTROL_BYTES_MAX]; /* acknowledgements and credit, sent between two frames of the batch */
    size_t control_len;
    struct load_batch batch;

    uint8_t header[LOAD_FRAME_HEADER_BYTES];
    uint8_t header_len;
    uint8_t keep[LOAD_FRAME_KEEP_BYTES];
    uint32_t keep_len;
    uint32_t frame_left;
};

/* Connect to host:port and queue preface, settings and the headers of `stream_count` streams. Ends the program on failure. */
void load_conn_open(struct load_conn *conn, int epoll_fd, const char *host, uint16_t port,
                    uint32_t stream_count, uint32_t window_bytes, int receive_buffer_bytes,
                    const struct load_events *events);
/* Read at most `limit` bytes (0: until the kernel has no more, bounded) and handle the frames. Returns bytes read. */
size_t load_conn_read(struct load_conn *conn, size_t limit);
/* Send what flow control and the kernel allow. */
void load_conn_flush(struct load_conn *conn);
void load_conn_pause(struct load_conn *conn, bool is_paused);
void load_conn_close(struct load_conn *conn, const char *why);
uint32_t load_stream_id(uint32_t stream_index);

/* Empty the batch, and append the `len` bytes of one gRPC message to it as DATA frames of this stream. With `is_shared`
 * it joins the last frame when it fits. The last LOAD_TRAILER_BYTES of a message are never split. */
void load_batch_reset(struct load_batch *batch);
void load_batch_add(struct load_batch *batch, uint32_t stream_index, const uint8_t *msg, size_t len,
                    bool is_shared);

uint64_t load_now_ns(void);
_Noreturn void load_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
