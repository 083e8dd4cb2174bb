/* Every bound of the gRPC layer, and what happens there. Those of frames and headers are in src/h2/limits.h. */
#ifndef SLIM_GRPC_LIMITS_H
#define SLIM_GRPC_LIMITS_H

enum {
    SLIM_GRPC_MESSAGE_BYTES_MAX =
        4 * 1024 * 1024, /* default; a longer one ends its call with RESOURCE_EXHAUSTED */
    SLIM_GRPC_STATUS_TEXT_MAX =
        1024, /* grpc-message before encoding, both ways; the rest is cut off */

    /* What the queues of calls that ended by a half-close of the peer may hold on one connection while they are still being
     * sent: nobody watches them any more. A call that would exceed it drops its queue and sends its trailers at once. */
    SLIM_GRPC_FLUSH_BYTES_MAX = 1024 * 1024,

    SLIM_GRPC_PATIENCE_BYTES = 16 * 1024, /* DATA of a refused call; more, and it is reset */

    SLIM_GRPC_CREDIT_BATCH_BYTES =
        16 * 1024, /* credit is returned in steps of this; a quarter of the smallest window */

    /* A message that arrives in parts gets memory for what came, times this: the mere announcement of a length costs one
     * small block, and 64 KiB in frames of 16 KiB are gathered without moving. */
    SLIM_GRPC_GATHER_GROWTH = 8,

    /* GOAWAY of ours and no call left: how long the peer may take to close before we do */
    SLIM_GRPC_LEAVE_MS = 1000,
    SLIM_GRPC_LEAVE_PERIOD_MS = 60 * 1000, /* how often we ask whether calls are left */

    SLIM_GRPC_SERVER_PING_INTERVAL_MS = 120 * 1000,
    SLIM_GRPC_SERVER_PING_TIMEOUT_MS = 20 * 1000,
    SLIM_GRPC_CLIENT_PING_TIMEOUT_MS = 10 * 1000,
};

#endif
