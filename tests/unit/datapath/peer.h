/* A peer of the engine that reads only when a test wants it to: gRPC over a socket of its own, moved by hand. */
#ifndef SLIM_TESTS_DATAPATH_PEER_H
#define SLIM_TESTS_DATAPATH_PEER_H

#include "engine.h"
#include "grpc/grpc.h"

enum { TEST_PEER_STREAMS = 2 };

/* One OpenChannel stream. call is NULL once it ended. is_holding: no credit is given for the messages that come. */
struct test_stream {
    struct slim_grpc_call *call;
    bool is_open;
    bool is_holding;
    size_t held_bytes;
    bool has_ended;
    enum slim_grpc_status end_status;
    size_t message_count;
};

/* is_reading   takes bytes from the socket; true at first
 * is_closed    the engine closed the socket */
struct test_peer {
    int fd;
    struct slim_heap *heap;
    struct slim_block_pool *pool;
    struct slim_grpc_conn *conn;
    struct test_stream streams[TEST_PEER_STREAMS];
    bool is_reading;
    bool is_closed;
};

/* Connect and open `stream_count` streams, whose window is `window_bytes`. */
void test_peer_init(struct test_peer *peer, uint16_t port, size_t stream_count,
                    uint32_t window_bytes);
void test_peer_fini(struct test_peer *peer);

/* Read what is there (when reading), write what fits. */
void test_peer_turn(struct test_peer *peer);

/* Queue a link negotiation request. */
void test_peer_negotiate(struct test_peer *peer, size_t stream, const char *link_id);

/* Queue a Subscribe of "org/ns/<name>/<id>", or a Publish to it. */
void test_peer_subscribe(struct test_peer *peer, size_t stream, const char *name,
                         unsigned __int128 id, uint64_t subscription_id);
void test_peer_publish(struct test_peer *peer, size_t stream, const char *name,
                       unsigned __int128 id, uint32_t fanout, size_t blob_len);

/* Give the credit that a stream held, and hold no more. */
void test_peer_release(struct test_peer *peer, size_t stream);

/* Bytes that the engine gives no credit for yet. */
size_t test_peer_unsent(const struct test_peer *peer, size_t stream);

/* Run turns of the loop and of `count` peers until `condition`, at most 20 seconds. */
#define TEST_PEERS_UNTIL(loop, peers, count, condition)                                            \
    do {                                                                                           \
        uint64_t test_end_ms_ = slim_loop_now_ms(loop) + 20000;                                    \
        while (!(condition)) {                                                                     \
            for (size_t test_i_ = 0; test_i_ < (count); test_i_++) {                               \
                test_peer_turn(&(peers)[test_i_]);                                                 \
            }                                                                                      \
            slim_loop_turn(loop, 1);                                                               \
            CHECK_ROW(#condition, slim_loop_now_ms(loop) < test_end_ms_);                          \
        }                                                                                          \
    } while (0)

#endif
