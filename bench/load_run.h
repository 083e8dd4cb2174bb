/* What a run of the load generator is, and what came out of it. */
#ifndef SLIM_BENCH_LOAD_RUN_H
#define SLIM_BENCH_LOAD_RUN_H

#include "load.h"

#include <sys/types.h>

enum load_mode { LOAD_MODE_FLOOD, LOAD_MODE_PACED, LOAD_MODE_PINGPONG, LOAD_MODE_IDLE };

struct load_options {
    const char *host;
    uint16_t port;
    enum load_mode mode;
    bool
        is_fanout_all; /* every message to every receiver; else sender i to receiver i modulo their count */
    bool is_frame_per_message; /* as real clients send; else DATA frames are filled up to 16 KiB */
    bool is_verifying;         /* compare every byte of the payload */
    bool is_holding;           /* stay connected after the report until standard input ends */
    uint32_t receiver_count;
    uint32_t streams_per_conn; /* receivers that share a connection */
    uint32_t sender_count;
    uint32_t
        stalled_count; /* of the receivers, the last ones: they subscribe and then never read again */
    uint32_t name_count;    /* subscribed by each receiver beside its own name */
    uint32_t payload_bytes; /* 32 and up */
    uint32_t identity_bytes;
    uint32_t window_bytes; /* stream window of the receivers; the connection's is twice as large */
    int receive_buffer_bytes; /* SO_RCVBUF of the receivers; 0: the kernel's own way */
    uint64_t rate;            /* paced: messages per second of each sender */
    uint64_t read_rate;       /* bytes per second that a receiver reads; 0: all */
    uint64_t ahead; /* flood: messages that a sender may be ahead of the receivers; 0: all it can */
    uint64_t count; /* messages of each sender; 0: go by time */
    double warmup_s;
    double seconds;
    double drain_s; /* how long nothing may arrive before what is missing counts as lost */
    pid_t pid;      /* whose CPU time is measured; 0: nobody's */
};

struct load_result {
    double window_s;
    uint64_t window_sent; /* in the measured window */
    uint64_t window_delivered;
    uint64_t node_cpu_ns;
    uint64_t own_cpu_ns;
    uint64_t sent;
    uint64_t delivered;
    uint64_t missing;        /* per receiver and message: never came */
    uint64_t again;          /* came a second time, or late */
    uint64_t damaged;        /* trailer or payload not as sent */
    uint64_t received_least; /* messages of the reading receiver that got fewest */
    uint64_t received_most;
    uint32_t closed;         /* connections of reading receivers and senders that the node ended */
    uint32_t closed_stalled; /* connections of receivers that do not read */
    struct load_histogram latency;
};

/* Run to the end. `on_report` is called when everything was sent and drained, before a hold begins. */
void load_run(const struct load_options *options, struct load_result *result,
              void (*on_report)(const struct load_options *options,
                                const struct load_result *result));

#endif
