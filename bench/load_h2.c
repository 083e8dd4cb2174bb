/* The HTTP/2 side of the load generator: frames in, frames out, flow control both ways. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    FRAME_DATA = 0,
    FRAME_HEADERS = 1,
    FRAME_RST_STREAM = 3,
    FRAME_SETTINGS = 4,
    FRAME_PING = 6,
    FRAME_GOAWAY = 7,
    FRAME_WINDOW_UPDATE = 8,
    FLAG_END_STREAM = 1,
    FLAG_ACK = 1,
    FLAG_END_HEADERS = 4,
    FLAG_PADDED = 8,
    SETTINGS_INITIAL_WINDOW_SIZE = 4,
    INITIAL_WINDOW_BYTES = 65535,
    READ_BYTES = 262144,
    READ_TURNS = 8,       /* reads of one connection before the others get their turn */
    FLUSH_TURNS = 8,      /* batches likewise */
    QUICK_ACK_BYTES = 64, /* a read of fewer bytes holds no message */
};

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void write_u32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

static void frame_header_write(uint8_t *at, size_t len, uint8_t type, uint8_t flags,
                               uint32_t stream_id)
{
    at[0] = (uint8_t)(len >> 16);
    at[1] = (uint8_t)(len >> 8);
    at[2] = (uint8_t)len;
    at[3] = type;
    at[4] = flags;
    write_u32(at + 5, stream_id);
}

uint32_t load_stream_id(uint32_t stream_index)
{
    return stream_index * 2 + 1;
}

static struct load_stream *stream_of(struct load_conn *conn, uint32_t stream_id)
{
    uint32_t index = (stream_id - 1) / 2;
    return stream_id % 2 == 1 && index < conn->stream_count ? &conn->streams[index] : NULL;
}

/* ---------------------------------------------------------------------------------------------------------- sending */

void load_batch_reset(struct load_batch *batch)
{
    batch->frames.len = 0;
    batch->sent = 0;
    batch->granted = 0;
    batch->count = 0;
}

/* Append the message to the last frame of the batch if it fits there. */
static bool join_last_frame(struct load_batch *batch, const uint8_t *msg, size_t len)
{
    if (batch->count == 0) {
        return false;
    }
    size_t start = 0; /* the last frame starts where the walk over all of them ends */
    uint32_t end = batch->ends[batch->count - 1];
    for (uint32_t i = batch->count; i-- > 0;) {
        if (batch->ends[i] != end) {
            start = batch->ends[i];
            break;
        }
    }
    size_t have = end - start - LOAD_FRAME_HEADER_BYTES;
    if (have + len > LOAD_FRAME_BYTES_MAX) {
        return false;
    }
    load_bytes_put(&batch->frames, msg, len);
    uint8_t *header = batch->frames.data + start;
    frame_header_write(header, have + len, FRAME_DATA, 0, read_u32(header + 5));
    for (uint32_t i = batch->count; i-- > 0 && batch->ends[i] == end;) {
        batch->ends[i] = (uint32_t)batch->frames.len;
    }
    return true;
}

void load_batch_add(struct load_batch *batch, uint32_t stream_index, const uint8_t *msg, size_t len,
                    bool is_shared)
{
    if (batch->count == LOAD_BATCH_COUNT_MAX) {
        load_die("too many messages in one batch");
    }
    if (!is_shared || len > LOAD_FRAME_BYTES_MAX || !join_last_frame(batch, msg, len)) {
        size_t left = len;
        while (left > 0) {
            size_t chunk = left < LOAD_FRAME_BYTES_MAX ? left : LOAD_FRAME_BYTES_MAX;
            if (left > chunk && left - chunk < LOAD_TRAILER_BYTES) {
                chunk = left - LOAD_TRAILER_BYTES;
            }
            uint8_t header[LOAD_FRAME_HEADER_BYTES];
            frame_header_write(header, chunk, FRAME_DATA, 0, load_stream_id(stream_index));
            load_bytes_put(&batch->frames, header, sizeof(header));
            load_bytes_put(&batch->frames, msg + (len - left), chunk);
            left -= chunk;
        }
    }
    batch->trailers[batch->count] = (uint32_t)(batch->frames.len - LOAD_TRAILER_BYTES);
    batch->ends[batch->count] = (uint32_t)batch->frames.len;
    batch->count++;
}

/* Let whole frames go as far as both windows allow. */
static void grant(struct load_conn *conn)
{
    struct load_batch *batch = &conn->batch;
    while (batch->granted < batch->frames.len) {
        const uint8_t *header = batch->frames.data + batch->granted;
        int64_t len = (int64_t)(read_u32(header) >> 8);
        struct load_stream *stream = stream_of(conn, read_u32(header + 5));
        if (len > conn->send_window || len > stream->send_window) {
            return;
        }
        conn->send_window -= len;
        stream->send_window -= len;
        batch->granted += (size_t)len + LOAD_FRAME_HEADER_BYTES;
    }
}

static void watch(struct load_conn *conn)
{
    uint32_t events =
        (conn->is_paused ? 0U : (uint32_t)EPOLLIN) | (conn->is_blocked ? (uint32_t)EPOLLOUT : 0U);
    if (events == conn->epoll_events || conn->is_closed) {
        return;
    }
    struct epoll_event event = {.events = events, .data.ptr = conn};
    if (epoll_ctl(conn->epoll_fd, EPOLL_CTL_MOD, conn->fd, &event) != 0) {
        load_die("epoll_ctl: %s", strerror(errno));
    }
    conn->epoll_events = events;
}

/* Hand bytes to the kernel. Returns how many it took; is_blocked when it took fewer. */
static size_t push(struct load_conn *conn, const uint8_t *data, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = send(conn->fd, data + done, len - done, MSG_NOSIGNAL);
        if (n > 0) {
            done += (size_t)n;
            continue;
        }
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno == EAGAIN) {
            conn->is_blocked = true;
        } else {
            load_conn_close(conn, strerror(errno));
        }
        break;
    }
    return done;
}

/* Send the control bytes; only between two frames of the batch. False when some are left. */
static bool flush_control(struct load_conn *conn)
{
    size_t done = push(conn, conn->control, conn->control_len);
    memmove(conn->control, conn->control + done, conn->control_len - done);
    conn->control_len -= done;
    return conn->control_len == 0 && !conn->is_closed;
}

/* Send of the batch what may go now. True when all of it went. */
static bool flush_batch(struct load_conn *conn)
{
    struct load_batch *batch = &conn->batch;
    for (;;) {
        if (batch->sent == batch->granted) {
            if (conn->control_len > 0 && !flush_control(conn)) {
                return false;
            }
            grant(conn);
            if (batch->sent == batch->granted) {
                return batch->sent == batch->frames.len;
            }
        }
        batch->sent += push(conn, batch->frames.data + batch->sent, batch->granted - batch->sent);
        if (conn->is_blocked || conn->is_closed) {
            return false;
        }
    }
}

void load_conn_flush(struct load_conn *conn)
{
    if (conn->is_closed) {
        return;
    }
    conn->is_blocked = false;
    int turn = 0;
    while (flush_batch(conn) && conn->events->on_writable(conn)) {
        if (++turn == FLUSH_TURNS) {
            conn->is_blocked = true; /* ask to be called again when the others had their turn */
            break;
        }
    }
    watch(conn);
}

static void put_control(struct load_conn *conn, uint8_t type, uint8_t flags, uint32_t stream_id,
                        const uint8_t *payload, size_t len)
{
    if (conn->control_len + LOAD_FRAME_HEADER_BYTES + len > sizeof(conn->control)) {
        load_die("connection %u: the node takes no acknowledgement", conn->index);
    }
    uint8_t *at = conn->control + conn->control_len;
    frame_header_write(at, len, type, flags, stream_id);
    if (len > 0) {
        memcpy(at + LOAD_FRAME_HEADER_BYTES, payload, len);
    }
    conn->control_len += LOAD_FRAME_HEADER_BYTES + len;
}

static void put_credit(struct load_conn *conn, uint32_t stream_id, uint32_t bytes)
{
    uint8_t payload[4];
    write_u32(payload, bytes);
    put_control(conn, FRAME_WINDOW_UPDATE, 0, stream_id, payload, sizeof(payload));
}

/* -------------------------------------------------------------------------------------------------------- receiving */

/* Keep the last 32 bytes of the message seen so far. */
static void keep_tail(struct load_stream *stream, const uint8_t *data, size_t len)
{
    if (len >= LOAD_TRAILER_BYTES) {
        memcpy(stream->tail, data + len - LOAD_TRAILER_BYTES, LOAD_TRAILER_BYTES);
        return;
    }
    memmove(stream->tail, stream->tail + len, LOAD_TRAILER_BYTES - len);
    memcpy(stream->tail + LOAD_TRAILER_BYTES - len, data, len);
}

static void take_data(struct load_conn *conn, struct load_stream *stream, const uint8_t *data,
                      size_t len)
{
    while (len > 0) {
        if (stream->prefix_len < LOAD_GRPC_PREFIX_BYTES) {
            stream->prefix[stream->prefix_len++] = *data++;
            len--;
            if (stream->prefix_len == LOAD_GRPC_PREFIX_BYTES) {
                stream->msg_len = read_u32(stream->prefix + 1);
                stream->msg_left = stream->msg_len;
                if (stream->prefix[0] != 0 || stream->msg_len < LOAD_TRAILER_BYTES) {
                    load_conn_close(conn, "not a message of ours");
                    return;
                }
            }
            continue;
        }
        size_t piece = len < stream->msg_left ? len : stream->msg_left;
        if (conn->events->on_piece != NULL) {
            conn->events->on_piece(conn, data, piece, stream->msg_left);
        }
        if (piece == stream->msg_left && piece >= LOAD_TRAILER_BYTES) {
            conn->events->on_message(conn, stream, stream->msg_len,
                                     data + piece - LOAD_TRAILER_BYTES);
        } else {
            keep_tail(stream, data, piece);
            if (piece == stream->msg_left) {
                conn->events->on_message(conn, stream, stream->msg_len, stream->tail);
            }
        }
        data += piece;
        len -= piece;
        stream->msg_left -= (uint32_t)piece;
        if (stream->msg_left == 0) {
            stream->prefix_len = 0;
        }
    }
}

static void take_settings(struct load_conn *conn)
{
    for (uint32_t at = 0; at + 6 <= conn->keep_len; at += 6) {
        uint32_t id = (uint32_t)conn->keep[at] << 8 | conn->keep[at + 1];
        int64_t value = read_u32(conn->keep + at + 2);
        if (id == SETTINGS_INITIAL_WINDOW_SIZE) {
            for (uint32_t i = 0; i < conn->stream_count; i++) {
                conn->streams[i].send_window += value - conn->initial_window;
            }
            conn->initial_window = value;
        }
    }
    put_control(conn, FRAME_SETTINGS, FLAG_ACK, 0, NULL, 0);
}

static void take_window_update(struct load_conn *conn, uint32_t stream_id)
{
    uint32_t bytes = read_u32(conn->keep) & 0x7fffffff;
    if (stream_id == 0) {
        conn->send_window += bytes;
        return;
    }
    struct load_stream *stream = stream_of(conn, stream_id);
    if (stream != NULL) {
        stream->send_window += bytes;
    }
}

/* A whole frame that is not DATA. */
static void take_frame(struct load_conn *conn)
{
    uint8_t flags = conn->header[4];
    uint32_t stream_id = read_u32(conn->header + 5) & 0x7fffffff;
    struct load_stream *stream = stream_of(conn, stream_id);
    switch (conn->header[3]) {
    case FRAME_HEADERS:
        if (stream == NULL || (flags & FLAG_END_STREAM) != 0) {
            load_conn_close(conn, "the node ended the stream");
        } else {
            stream->is_open = true;
        }
        break;
    case FRAME_RST_STREAM:
        load_conn_close(conn, "the node reset the stream");
        break;
    case FRAME_GOAWAY:
        load_conn_close(conn, "the node said GOAWAY");
        break;
    case FRAME_SETTINGS:
        if ((flags & FLAG_ACK) == 0) {
            take_settings(conn);
        }
        break;
    case FRAME_PING:
        if ((flags & FLAG_ACK) == 0) {
            put_control(conn, FRAME_PING, FLAG_ACK, 0, conn->keep, 8);
        }
        break;
    case FRAME_WINDOW_UPDATE:
        take_window_update(conn, stream_id);
        break;
    default: /* frames of extensions mean nothing to us */
        break;
    }
}

static void give_back_credit(struct load_conn *conn, struct load_stream *stream, uint32_t stream_id,
                             uint32_t len)
{
    stream->unacked_bytes += len;
    conn->unacked_bytes += len;
    if (stream->unacked_bytes >= conn->window_bytes / 2) {
        put_credit(conn, stream_id, stream->unacked_bytes);
        stream->unacked_bytes = 0;
    }
    if (conn->unacked_bytes >=
        conn->window_bytes) { /* the window of the connection is twice as large */
        put_credit(conn, 0, conn->unacked_bytes);
        conn->unacked_bytes = 0;
    }
}

static size_t take_data_piece(struct load_conn *conn, const uint8_t *data, size_t len)
{
    uint32_t stream_id = read_u32(conn->header + 5) & 0x7fffffff;
    struct load_stream *stream = stream_of(conn, stream_id);
    if (stream == NULL || (conn->header[4] & (FLAG_PADDED | FLAG_END_STREAM)) != 0) {
        load_conn_close(conn, "unexpected DATA frame");
        return len;
    }
    size_t piece = len < conn->frame_left ? len : conn->frame_left;
    take_data(conn, stream, data, piece);
    conn->frame_left -= (uint32_t)piece;
    if (conn->frame_left == 0) {
        give_back_credit(conn, stream, stream_id, read_u32(conn->header) >> 8);
        conn->header_len = 0;
    }
    return piece;
}

static size_t take_other_piece(struct load_conn *conn, const uint8_t *data, size_t len)
{
    size_t piece = len < conn->frame_left ? len : conn->frame_left;
    size_t room = LOAD_FRAME_KEEP_BYTES - conn->keep_len;
    size_t kept = piece < room ? piece : room;
    memcpy(conn->keep + conn->keep_len, data, kept);
    conn->keep_len += (uint32_t)kept;
    conn->frame_left -= (uint32_t)piece;
    if (conn->frame_left == 0) {
        take_frame(conn);
        conn->header_len = 0;
    }
    return piece;
}

static void take_bytes(struct load_conn *conn, const uint8_t *data, size_t len)
{
    while (len > 0 && !conn->is_closed) {
        size_t used = 0;
        if (conn->header_len < LOAD_FRAME_HEADER_BYTES) {
            size_t missing = (size_t)(LOAD_FRAME_HEADER_BYTES - conn->header_len);
            used = len < missing ? len : missing;
            memcpy(conn->header + conn->header_len, data, used);
            conn->header_len = (uint8_t)(conn->header_len + used);
            if (conn->header_len < LOAD_FRAME_HEADER_BYTES) {
                return;
            }
            conn->frame_left = read_u32(conn->header) >> 8;
            conn->keep_len = 0;
            if (conn->frame_left == 0) {
                if (conn->header[3] == FRAME_DATA) {
                    (void)take_data_piece(conn, data, 0); /* nothing in it: only its flags count */
                } else {
                    (void)take_other_piece(conn, data, 0);
                }
            }
        } else if (conn->header[3] == FRAME_DATA) {
            used = take_data_piece(conn, data, len);
        } else {
            used = take_other_piece(conn, data, len);
        }
        data += used;
        len -= used;
    }
}

size_t load_conn_read(struct load_conn *conn, size_t limit)
{
    static uint8_t buffer[READ_BYTES]; /* one thread; nothing in it outlives the call */
    size_t total = 0;
    for (int turn = 0; turn < READ_TURNS && !conn->is_closed; turn++) {
        size_t want = limit == 0 || limit - total > sizeof(buffer) ? sizeof(buffer) : limit - total;
        if (want == 0) {
            break;
        }
        ssize_t n = recv(conn->fd, buffer, want, 0);
        if (n == 0) {
            load_conn_close(conn, "the node closed the connection");
        } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
            load_conn_close(conn, strerror(errno));
        }
        if (n <= 0) {
            break;
        }
        take_bytes(conn, buffer, (size_t)n);
        total += (size_t)n;
        if ((size_t)n < want) {
            break;
        }
    }
    if (total > 0 && total < QUICK_ACK_BYTES && !conn->is_closed) {
        int one =
            1; /* credit only: a node with Nagle on sends the rest of it when this is acknowledged, not 40 ms later */
        (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_QUICKACK, &one,
                         sizeof(one)); /* never fails on a TCP socket */
    }
    conn->received_bytes += total;
    load_conn_flush(conn);
    return total;
}

/* ---------------------------------------------------------------------------------------------------- life of a conn */

static void put_text(struct load_bytes *out, const char *text)
{
    load_bytes_put_byte(out,
                        (uint8_t)strlen(text)); /* HPACK: no Huffman code, shorter than 127 bytes */
    load_bytes_put(out, text, strlen(text));
}

/* The headers of OpenChannel, each literal and never put into the table of the peer. */
static void put_request(struct load_bytes *out, uint32_t stream_id)
{
    struct load_bytes block = {0};
    load_bytes_put(&block, "\x83\x86\x04", 3); /* :method POST, :scheme http, :path */
    put_text(&block, "/dataplane.proto.v1.DataPlaneService/OpenChannel");
    load_bytes_put_byte(&block, 0x01); /* :authority */
    put_text(&block, "127.0.0.1");
    load_bytes_put_byte(&block, 0x00);
    put_text(&block, "te");
    put_text(&block, "trailers");
    load_bytes_put(&block, "\x0f\x10", 2); /* content-type */
    put_text(&block, "application/grpc");
    uint8_t header[LOAD_FRAME_HEADER_BYTES];
    frame_header_write(header, block.len, FRAME_HEADERS, FLAG_END_HEADERS, stream_id);
    load_bytes_put(out, header, sizeof(header));
    load_bytes_put(out, block.data, block.len);
    load_bytes_free(&block);
}

static void put_hello(struct load_conn *conn, struct load_bytes *out)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    load_bytes_put(out, preface, sizeof(preface) - 1);
    uint8_t frame[LOAD_FRAME_HEADER_BYTES + 12];
    frame_header_write(frame, 12, FRAME_SETTINGS, 0, 0);
    memcpy(frame + LOAD_FRAME_HEADER_BYTES, "\x00\x02\x00\x00\x00\x00\x00\x04",
           8); /* ENABLE_PUSH 0, then the window */
    write_u32(frame + LOAD_FRAME_HEADER_BYTES + 8, conn->window_bytes);
    load_bytes_put(out, frame, sizeof(frame));
    uint8_t update[LOAD_FRAME_HEADER_BYTES + 4];
    frame_header_write(update, 4, FRAME_WINDOW_UPDATE, 0, 0);
    write_u32(update + LOAD_FRAME_HEADER_BYTES, conn->window_bytes * 2 - INITIAL_WINDOW_BYTES);
    load_bytes_put(out, update, sizeof(update));
    for (uint32_t i = 0; i < conn->stream_count; i++) {
        put_request(out, load_stream_id(i));
    }
}

static int open_socket(const char *host, uint16_t port, int receive_buffer_bytes)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        load_die("socket: %s", strerror(errno));
    }
    int one = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
                     sizeof(one)); /* never fails on a TCP socket */
    if (receive_buffer_bytes > 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes,
                         sizeof(receive_buffer_bytes));
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        load_die("not an IPv4 address: %s", host);
    }
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        load_die("connect to %s:%u: %s", host, port, strerror(errno));
    }
    return fd;
}

void load_conn_open(struct load_conn *conn, int epoll_fd, const char *host, uint16_t port,
                    uint32_t stream_count, uint32_t window_bytes, int receive_buffer_bytes,
                    const struct load_events *events)
{
    conn->epoll_fd = epoll_fd;
    conn->events = events;
    conn->stream_count = stream_count;
    conn->window_bytes = window_bytes;
    conn->send_window = INITIAL_WINDOW_BYTES;
    conn->initial_window = INITIAL_WINDOW_BYTES;
    conn->streams = calloc(stream_count, sizeof(*conn->streams));
    if (conn->streams == NULL) {
        load_die("no memory");
    }
    for (uint32_t i = 0; i < stream_count; i++) {
        conn->streams[i].send_window = INITIAL_WINDOW_BYTES;
        conn->streams[i].receiver = UINT32_MAX;
    }
    conn->fd = open_socket(host, port, receive_buffer_bytes);
    struct load_bytes hello = {0};
    put_hello(conn, &hello);
    for (size_t done = 0; done < hello.len;) {
        ssize_t n = send(conn->fd, hello.data + done, hello.len - done, MSG_NOSIGNAL);
        if (n < 0) {
            load_die("send: %s", strerror(errno));
        }
        done += (size_t)n;
    }
    load_bytes_free(&hello);
    (void)fcntl(conn->fd, F_SETFL, O_NONBLOCK); /* cannot fail on a socket of ours */
    conn->epoll_events = EPOLLIN;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) != 0) {
        load_die("epoll_ctl: %s", strerror(errno));
    }
}

void load_conn_pause(struct load_conn *conn, bool is_paused)
{
    conn->is_paused = is_paused;
    watch(conn);
}

void load_conn_close(struct load_conn *conn, const char *why)
{
    if (conn->is_closed) {
        return;
    }
    conn->is_closed = true;
    close(conn->fd);
    conn->events->on_closed(conn, why);
}
