#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKET_BUFFER_BYTES = 16 * 1024, OUTPUT_PIECES = 64, OUTPUT_BYTES = 256 * 1024 };

static void on_open(void *ctx, struct slim_grpc_call *call)
{
    (void)ctx;
    struct test_stream *stream = slim_grpc_call_ctx(call);
    stream->is_open = true;
}

static void on_message(void *ctx, struct slim_grpc_call *call, struct slim_view msg,
                       struct slim_block *block)
{
    (void)ctx;
    (void)block;
    struct test_stream *stream = slim_grpc_call_ctx(call);
    stream->message_count++;
    if (stream->is_holding) {
        slim_grpc_call_hold(call, msg.len);
        stream->held_bytes += msg.len;
    }
}

static void on_end(void *ctx, struct slim_grpc_call *call, const struct slim_grpc_end *end)
{
    (void)ctx;
    struct test_stream *stream = slim_grpc_call_ctx(call);
    stream->has_ended = true;
    stream->end_status = end->status;
    stream->call = NULL;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int bytes = SOCKET_BUFFER_BYTES; /* little may hide in the kernel */
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) == 0);
    CHECK(connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

void test_peer_init(struct test_peer *peer, uint16_t port, size_t stream_count,
                    uint32_t window_bytes)
{
    static const struct slim_grpc_handler handler = {
        .on_open = on_open, .on_message = on_message, .on_end = on_end};
    *peer = (struct test_peer){.fd = connect_to(port), .is_reading = true};
    struct slim_grpc_options options = slim_grpc_options_default(false);
    options.stream_window_bytes = window_bytes;
    CHECK_OK(slim_heap_new(0, &peer->heap));
    CHECK_OK(slim_block_pool_new(0, &peer->pool));
    CHECK_OK(slim_grpc_conn_new(&options, &handler, peer, peer->heap, peer->pool, 1, &peer->conn));
    for (size_t i = 0; i < stream_count; i++) {
        CHECK_OK(slim_grpc_call_start(peer->conn,
                                      SLIM_VIEW("/dataplane.proto.v1.DataPlaneService/OpenChannel"),
                                      NULL, 0, &peer->streams[i], &peer->streams[i].call));
    }
}

void test_peer_fini(struct test_peer *peer)
{
    slim_grpc_conn_free(peer->conn);
    slim_block_pool_free(peer->pool);
    slim_heap_free(peer->heap);
    close(peer->fd);
}

static void read_some(struct test_peer *peer)
{
    static uint8_t buffer[64 * 1024];
    ssize_t got = recv(peer->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (got > 0) {
        enum slim_status status =
            slim_grpc_conn_take(peer->conn, slim_view_of(buffer, (size_t)got), 1);
        CHECK(status == SLIM_OK || status == SLIM_ERR_CLOSED);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        peer->is_closed = true;
        slim_grpc_conn_close(peer->conn, SLIM_GRPC_UNAVAILABLE, SLIM_VIEW("closed"));
    }
}

void test_peer_turn(struct test_peer *peer)
{
    if (peer->is_reading && !peer->is_closed) {
        read_some(peer);
    }
    struct iovec iov[OUTPUT_PIECES];
    size_t count = slim_grpc_conn_output(peer->conn, iov, OUTPUT_PIECES, OUTPUT_BYTES);
    if (peer->is_closed || count == 0) {
        return;
    }
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = count};
    ssize_t sent = sendmsg(peer->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
        slim_grpc_conn_sent(peer->conn, (size_t)sent);
    }
}

static void put(struct test_peer *peer, size_t stream, struct slim_buf *message)
{
    CHECK_OK(slim_grpc_call_put_message(peer->streams[stream].call, slim_buf_view(message)));
    slim_buf_fini(message);
}

void test_peer_negotiate(struct test_peer *peer, size_t stream, const char *link_id)
{
    struct slim_buf message = {0};
    CHECK_OK(slim_wire_put_link(&message, slim_view_str(link_id), SLIM_VIEW("1.4.0"), false));
    put(peer, stream, &message);
}

void test_peer_subscribe(struct test_peer *peer, size_t stream, const char *name,
                         unsigned __int128 id, uint64_t subscription_id)
{
    struct slim_wire_name destination = test_name(name, id);
    struct slim_wire_subscription subscription = {
        .source = destination.name,
        .source_text = destination.text,
        .destination = destination.name,
        .destination_text = destination.text,
        .fanout = 1,
        .subscription_id = subscription_id,
    };
    struct slim_buf message = {0};
    CHECK_OK(slim_wire_put_subscription(&message, &subscription));
    put(peer, stream, &message);
}

void test_peer_publish(struct test_peer *peer, size_t stream, const char *name,
                       unsigned __int128 id, uint32_t fanout, size_t blob_len)
{
    struct slim_buf message = {0};
    test_put_publish(&message, 1, name, id, fanout, (struct test_flags){0}, blob_len);
    put(peer, stream, &message);
}

size_t test_peer_unsent(const struct test_peer *peer, size_t stream)
{
    return slim_grpc_call_unsent_bytes(peer->streams[stream].call);
}

void test_peer_release(struct test_peer *peer, size_t index)
{
    struct test_stream *stream = &peer->streams[index];
    stream->is_holding = false;
    slim_grpc_call_release(stream->call, stream->held_bytes);
    stream->held_bytes = 0;
}
