/* Every bound of the HTTP/2 layer, and what happens there. */
#ifndef SLIM_H2_LIMITS_H
#define SLIM_H2_LIMITS_H

enum {
    /* Defaults that the owner may change (slim_h2_options). */
    SLIM_H2_STREAMS_MAX =
        1024, /* concurrent streams of the peer; more are refused (REFUSED_STREAM) */
    SLIM_H2_HEADER_LIST_BYTES =
        16 * 1024, /* sum over name + value + 32; a longer block resets its stream */

    /* streams that the peer ended last: DATA or HEADERS on them end the connection; on older ones they are ignored */
    SLIM_H2_FINISHED_STREAMS = 16,

    SLIM_H2_CONTINUATIONS_MAX =
        8, /* CONTINUATION frames of one header block; more end the connection */
    SLIM_H2_SETTINGS_ENTRIES = 32, /* entries of one SETTINGS frame; more end the connection */
    SLIM_H2_UNSENT_ACKS_MAX =
        1000, /* acks a peer that does not read makes us hold; more end the connection */
    SLIM_H2_UNSENT_FRAMES_MAX =
        16 * 1024, /* control frames of any kind held for such a peer; likewise */
    SLIM_H2_PUMP_BYTES =
        64 *
        1024, /* framed output at which control frames stay inside nghttp2, under the two limits above */

    /* Send queue of a stream: the first block while little is queued, then larger ones. */
    SLIM_H2_FIRST_BLOCK_BYTES = 4 * 1024,
    SLIM_H2_BLOCK_BYTES = 16 * 1024,
    SLIM_H2_FRAME_BYTES_MIN =
        8 * 1024, /* a DATA frame this long ends at a block boundary rather than be filled up */
};

/* Frames that cost us work and carry nothing. Each kind has a bucket of `BURST` that refills at `RATE` per second; the
 * frame that finds its bucket empty ends the connection with GOAWAY(ENHANCE_YOUR_CALM) and SLIM_ERR_LIMIT.
 * RESET counts those of the peer, and ours for the peer's mistakes (a peer can make us reset what it opens).
 * PING is generous: gRPC clients measure the path with one PING per round trip.
 * WINDOW_UPDATE: each DATA frame of ours earns the peer SLIM_H2_WINDOW_UPDATES_PER_DATA more.
 * Frames of unknown types are skipped by nghttp2 and not counted: they cost no more than their bytes. */
enum {
    SLIM_H2_RESET_BURST = 1000,
    SLIM_H2_RESET_RATE = 100,
    SLIM_H2_SETTINGS_BURST = 100,
    SLIM_H2_SETTINGS_RATE = 10,
    SLIM_H2_PING_BURST = 20000,
    SLIM_H2_PING_RATE = 10000,
    SLIM_H2_PRIORITY_BURST = 10000,
    SLIM_H2_PRIORITY_RATE = 1000,
    SLIM_H2_EMPTY_DATA_BURST = 10000,
    SLIM_H2_EMPTY_DATA_RATE = 1000,
    SLIM_H2_WINDOW_UPDATE_BURST = 20000,
    SLIM_H2_WINDOW_UPDATE_RATE = 10000,
    SLIM_H2_WINDOW_UPDATES_PER_DATA = 4,
    SLIM_H2_REQUEST_BURST = 20000,
    SLIM_H2_REQUEST_RATE = 2000,
};

#endif
