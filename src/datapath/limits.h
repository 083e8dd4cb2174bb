/* Every bound of the engine, and what happens there (docs/architecture.md, "Slow receivers"). */
#ifndef SLIM_DATAPATH_LIMITS_H
#define SLIM_DATAPATH_LIMITS_H

enum {
    /* out of descriptors: so many sockets without a stream are closed, the oldest first, before accepting rests */
    SLIM_DATAPATH_FULL_DROPS = 64,
    /* over memory_max: where no queue is larger than this, sockets without a stream go before queues */
    SLIM_DATAPATH_SMALL_BYTES = 64 * 1024,
    SLIM_DATAPATH_SOCKET_BYTES = 10 * 1024, /* what a socket holds at least */
    /* what OpenSSL holds for a socket besides (measured): during the handshake, and afterwards */
    SLIM_DATAPATH_TLS_SHAKING_BYTES = 44 * 1024,
    SLIM_DATAPATH_TLS_OPEN_BYTES = 16 * 1024,

    /* streams and applications; more are refused with RESOURCE_EXHAUSTED */
    SLIM_DATAPATH_CONNECTIONS_MAX = 262144,

    /* unsent to one receiver: its senders' credit is held back above this */
    SLIM_DATAPATH_HOLD_ABOVE_BYTES = 1024 * 1024,
    SLIM_DATAPATH_RELEASE_BELOW_BYTES = 512 * 1024, /* and given back below this */
    /* the same for a fan-out, when more than half of the members that take bytes are beyond it */
    SLIM_DATAPATH_FANOUT_HOLD_ABOVE_BYTES = 16 * 1024 * 1024,
    SLIM_DATAPATH_FANOUT_RELEASE_BELOW_BYTES = 8 * 1024 * 1024,
    /* a silence of a receiver that says nothing yet; credit is held for this long in a pause */
    SLIM_DATAPATH_STALL_MS = 100,
    /* how long a pause lasts before the receiver counts as stopped and holds nobody back */
    SLIM_DATAPATH_PAUSE_MS = 2000,
    SLIM_DATAPATH_GAP_MAX_MS = 2500, /* longer silences are not learned from */
    /* a receiver that takes fewer bytes a second, looked at over RATE_PERIOD_MS, holds nobody back: it would hold its senders for ever */
    SLIM_DATAPATH_RATE_MIN_BYTES = 64 * 1024,
    SLIM_DATAPATH_RATE_PERIOD_MS = 2000,
    /* a receiver that accepted nothing for this long is disconnected */
    SLIM_DATAPATH_STALL_CLOSE_MS = 5000,
    /* a receiver with more unsent is disconnected */
    SLIM_DATAPATH_UNSENT_MAX_BYTES = 64 * 1024 * 1024,
    /* queues of streams that we ended because of bad input, for each socket: more are dropped */
    SLIM_DATAPATH_FLUSH_MAX_BYTES = 1024 * 1024,
    SLIM_DATAPATH_WATCH_PERIOD_MS = 50, /* how often receivers with unsent bytes are looked at */

    /* of memory_max, one part in so many is for tables and connections; subscriptions beyond it are refused */
    SLIM_DATAPATH_TABLES_DIVISOR = 2,
    /* of that, one part in so many is kept free of sockets without a stream */
    SLIM_DATAPATH_SUBSCRIPTIONS_DIVISOR = 4,

    /* longer messages travel in a block of their own, not as a copy */
    SLIM_DATAPATH_SHARED_ABOVE_BYTES = 8 * 1024,
    /* short messages for several receivers share blocks of this size */
    SLIM_DATAPATH_FANOUT_BLOCK_BYTES = 64 * 1024 - 64,

    /* subscriptions remembered for one link; more are sent but not restored */
    SLIM_DATAPATH_FORWARDED_MAX = 1048576,
    /* lost negotiated links whose routes are kept; more are dropped at once */
    SLIM_DATAPATH_RECOVERIES_MAX = 4096,
    SLIM_DATAPATH_LINK_ID_BYTES = 36, /* UUID text */
    SLIM_DATAPATH_VERSION_BYTES_MAX = 64,

    /* between two losses of one link, whatever its back-off says */
    SLIM_DATAPATH_RECONNECT_MIN_MS = 100,
    /* a peer that refuses us as unauthenticated this often in a row is given up; pauses of 1, 2, 4 ... 60 s between */
    SLIM_DATAPATH_REFUSALS_MAX = 10,
    SLIM_DATAPATH_REFUSED_MIN_MS = 1000,
    SLIM_DATAPATH_REFUSED_MAX_MS = 60 * 1000,
    /* calls without authorization on one socket, which is closed then: guessing needs a connection for each few guesses */
    SLIM_DATAPATH_GUESSES_MAX = 8,
    /* at most this long for the queues of a draining process */
    SLIM_DATAPATH_DRAIN_FLUSH_MS = 5000,
    /* at most this long for the last bytes of a closing connection */
    SLIM_DATAPATH_DRAIN_LINGER_MS = 2000,
    /* after a flood: how often memory is offered back to the system */
    SLIM_DATAPATH_CALM_PERIOD_MS = 1000,
    SLIM_DATAPATH_CALM_CONNS_MIN = 256,          /* connections ended since, or ... */
    SLIM_DATAPATH_CALM_KEEP_BYTES = 1024 * 1024, /* peaks below this are not worth offering back */
};

#define SLIM_DATAPATH_MEMORY_DEFAULT_MAX ((size_t)1024 * 1024 * 1024)

#endif
