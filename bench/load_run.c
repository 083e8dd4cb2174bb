/* A run of the load generator: subscribe, wait until every receiver is reached, send, drain.
 *
 *   SUBSCRIBE   receivers write their Subscribes; all wait for response headers
 *   PROBE       every sender publishes a probe to all from time to time, until each receiver has seen one:
 *               then all subscriptions are known to be in the table of the node
 *   RUN         warm-up, then the measured window
 *   DRAIN       nothing more is sent; what is on its way arrives */
#include "load_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 256,
    SUBSCRIBE_BATCH_COUNT = 512,
    TICK_NS = 2000000,
    PROBE_INTERVAL_NS = 50000000,
    SETUP_LIMIT_S = 60,
    FANOUT_ALL = 256,
    PACED_LAG_MAX =
        256, /* messages of one turn, so that a late turn does not become one large burst */
};

enum phase { PHASE_SUBSCRIBE, PHASE_PROBE, PHASE_RUN, PHASE_DRAIN, PHASE_HOLD };

/* One sender: the message as it leaves but for the trailer, and how far it is. */
struct sender {
    struct load_bytes message;
    uint64_t next_number;
    uint64_t pending_time_ns; /* ping-pong: what to send back, 0 nothing */
    uint32_t
        layout_count; /* messages for which the frames of the batch are laid out; 0: not ours */
    bool wants_probe;
};

/* One receiver: the next number expected from each sender. */
struct receiver {
    uint64_t *expected;
    uint64_t received; /* without those that came again */
    struct load_conn *conn;
    bool is_stalled;
};

/* A connection with its roles. `conn` is first: a conn pointer is a peer pointer. */
struct peer {
    struct load_conn conn;
    struct sender *sender;
    uint32_t sender_index;
    uint32_t first_receiver;
    uint64_t names_left; /* Subscribes to write, counted over all streams */
    bool is_stalled;
    double tokens; /* bytes that a slow reader may read now */
};

static struct run {
    const struct load_options *options;
    struct load_result *result;
    enum phase phase;
    int epoll_fd;
    struct peer *peers;
    uint32_t peer_count;
    struct receiver *receivers;
    struct sender *senders;
    struct load_bytes probe_template; /* payload to compare with */
    uint32_t probes_missing;
    uint64_t last_progress_ns;
    uint64_t run_start_ns;
    uint64_t window_start_ns; /* 0: not begun */
    uint64_t delivered;
    bool is_stopped; /* senders send no more */
} run;

uint64_t load_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* CPU time of a process so far, all threads, also those that ended. */
static uint64_t cpu_ns(pid_t pid)
{
    clockid_t clock = CLOCK_PROCESS_CPUTIME_ID;
    struct timespec used;
    if ((pid != 0 && clock_getcpuclockid(pid, &clock) != 0) || clock_gettime(clock, &used) != 0) {
        load_die("no CPU clock of process %d", (int)pid);
    }
    return (uint64_t)used.tv_sec * 1000000000U + (uint64_t)used.tv_nsec;
}

static struct load_name receiver_name(uint32_t receiver)
{
    return (struct load_name){"channel", 1000 + (uint64_t)receiver};
}

/* ---------------------------------------------------------------------------------------------------------- sending */

/* The next Subscribes of this connection. Per stream: first the extra names, then the own one, so that whoever is reached
 * by its own name has all of them in the table. */
static void prepare_subscribes(struct peer *peer)
{
    uint64_t per_stream = (uint64_t)run.options->name_count + 1;
    struct load_bytes message = {0};
    load_batch_reset(&peer->conn.batch);
    for (uint32_t i = 0; i < SUBSCRIBE_BATCH_COUNT && peer->names_left > 0;
         i++, peer->names_left--) {
        uint64_t done = per_stream * peer->conn.stream_count - peer->names_left;
        uint32_t stream = (uint32_t)(done / per_stream);
        uint64_t index = done % per_stream;
        struct load_name name = receiver_name(peer->conn.streams[stream].receiver);
        char word[32];
        if (index < run.options->name_count) {
            (void)snprintf(word, sizeof(word), "name-%u-%llu", peer->conn.streams[stream].receiver,
                           (unsigned long long)index); /* always fits */
            name = (struct load_name){word, index};
        }
        message.len = 0;
        load_put_subscribe(&message, name, run.options->identity_bytes);
        load_batch_add(&peer->conn.batch, stream, message.data, message.len, false);
    }
    load_bytes_free(&message);
}

static void prepare_probe(struct peer *peer)
{
    struct load_name from = {"sender", peer->sender_index};
    struct load_bytes message = {0};
    load_put_publish(&message, from, (struct load_name){"channel", UINT64_MAX}, FANOUT_ALL, 0,
                     LOAD_TRAILER_BYTES);
    load_batch_reset(&peer->conn.batch);
    load_batch_add(&peer->conn.batch, 0, message.data, message.len, false);
    load_trailer_put(peer->conn.batch.frames.data + peer->conn.batch.trailers[0], LOAD_KIND_PROBE,
                     peer->sender_index, 0, 0);
    load_bytes_free(&message);
    peer->sender->layout_count = 0;
}

/* Have the frames of `count` messages ready but for the trailers. */
static void lay_out(struct peer *peer, uint32_t count, bool is_shared)
{
    struct sender *sender = peer->sender;
    struct load_batch *batch = &peer->conn.batch;
    if (sender->layout_count != count) {
        load_batch_reset(batch);
        for (uint32_t i = 0; i < count; i++) {
            load_batch_add(batch, 0, sender->message.data, sender->message.len, is_shared);
        }
        sender->layout_count = count;
    }
    batch->sent = 0;
    batch->granted = 0;
}

/* With --ahead: whether this sender has to wait for the receivers. Batches are then half as long as it may be ahead. */
static bool is_far_ahead(const struct sender *sender, size_t *count)
{
    uint64_t ahead = run.options->ahead;
    if (ahead == 0) {
        return false;
    }
    uint64_t copies = run.options->is_fanout_all ? run.options->receiver_count : 1;
    uint64_t handled = run.delivered / copies / run.options->sender_count;
    if (*count > (ahead + 1) / 2) {
        *count = (size_t)((ahead + 1) / 2);
    }
    return sender->next_number + *count > handled + ahead;
}

static bool prepare_flood(struct peer *peer)
{
    struct sender *sender = peer->sender;
    size_t count = LOAD_BATCH_BYTES / sender->message.len;
    if (count > LOAD_BATCH_COUNT_MAX) {
        count = LOAD_BATCH_COUNT_MAX;
    }
    if (count == 0) {
        count = 1;
    }
    if (run.options->count > 0) {
        uint64_t left = run.options->count - sender->next_number;
        count = left < count ? (size_t)left : count;
    }
    if (count == 0 || is_far_ahead(sender, &count)) {
        return false;
    }
    lay_out(peer, (uint32_t)count, !run.options->is_frame_per_message);
    struct load_batch *batch = &peer->conn.batch;
    for (size_t i = 0; i < count; i++) {
        load_trailer_put(batch->frames.data + batch->trailers[i], LOAD_KIND_DATA,
                         peer->sender_index, sender->next_number++, 0);
    }
    return true;
}

/* Send the messages that are due; their time is when they were due, so that a late sender counts as latency. */
static bool prepare_paced(struct peer *peer)
{
    struct sender *sender = peer->sender;
    double interval_ns = 1e9 / (double)run.options->rate;
    uint64_t due = (uint64_t)((double)(load_now_ns() - run.run_start_ns) / interval_ns);
    if (run.options->count > 0 && due > run.options->count) {
        due = run.options->count;
    }
    if (due <= sender->next_number) {
        return false;
    }
    uint64_t count = due - sender->next_number;
    count = count < PACED_LAG_MAX ? count : PACED_LAG_MAX;
    if (count * sender->message.len > LOAD_BATCH_BYTES) {
        count = 1;
    }
    lay_out(peer, (uint32_t)count, false);
    struct load_batch *batch = &peer->conn.batch;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t due_ns =
            run.run_start_ns + (uint64_t)((double)(sender->next_number + 1) * interval_ns);
        load_trailer_put(batch->frames.data + batch->trailers[i], LOAD_KIND_DATA,
                         peer->sender_index, sender->next_number++, due_ns);
    }
    return true;
}

static bool prepare_pong(struct peer *peer)
{
    struct sender *sender = peer->sender;
    if (sender->pending_time_ns == 0) {
        return false;
    }
    lay_out(peer, 1, false);
    struct load_batch *batch = &peer->conn.batch;
    load_trailer_put(batch->frames.data + batch->trailers[0], LOAD_KIND_DATA, peer->sender_index,
                     sender->next_number++, sender->pending_time_ns);
    sender->pending_time_ns = 0;
    return true;
}

static bool on_writable(struct load_conn *conn)
{
    struct peer *peer = (struct peer *)conn;
    if (peer->names_left > 0) {
        prepare_subscribes(peer);
        return true;
    }
    if (peer->sender == NULL) {
        return false;
    }
    if (peer->sender->wants_probe) {
        peer->sender->wants_probe = false;
        prepare_probe(peer);
        return true;
    }
    if (run.phase != PHASE_RUN || run.is_stopped) {
        return false;
    }
    switch (run.options->mode) {
    case LOAD_MODE_FLOOD:
        return prepare_flood(peer);
    case LOAD_MODE_PACED:
        return prepare_paced(peer);
    case LOAD_MODE_PINGPONG:
        return prepare_pong(peer);
    case LOAD_MODE_IDLE:
        return false;
    }
    return false;
}

/* -------------------------------------------------------------------------------------------------------- receiving */

static void take_pingpong(struct peer *peer, const struct load_trailer *trailer)
{
    uint64_t now_ns = load_now_ns();
    if (peer->sender_index == 0) { /* back where it began */
        if (run.window_start_ns != 0 && !run.is_stopped) {
            load_histogram_add(&run.result->latency, now_ns - trailer->time_ns);
        }
        peer->sender->pending_time_ns = now_ns;
    } else {
        peer->sender->pending_time_ns = trailer->time_ns;
    }
}

static void on_message(struct load_conn *conn, struct load_stream *stream, uint32_t len,
                       const uint8_t *tail)
{
    struct load_trailer trailer;
    if (stream->receiver == UINT32_MAX || !load_trailer_get(tail, &trailer) ||
        trailer.sender >= run.options->sender_count) {
        run.result->damaged++;
        return;
    }
    if (trailer.kind == LOAD_KIND_PROBE) {
        if (!stream->has_probe) {
            stream->has_probe = true;
            run.probes_missing--;
        }
        return;
    }
    struct receiver *receiver = &run.receivers[stream->receiver];
    uint64_t *expected = &receiver->expected[trailer.sender];
    if (trailer.number < *expected) {
        run.result->again++;
    } else {
        run.result->missing += trailer.number - *expected;
        *expected = trailer.number + 1;
        receiver->received++;
    }
    size_t sent_len = run.senders[trailer.sender].message.len - LOAD_GRPC_PREFIX_BYTES;
    if (len + 16 < sent_len ||
        len > sent_len + 16) { /* a node adds or removes a connection id, not more */
        run.result->damaged++;
    }
    run.delivered++;
    struct peer *peer = (struct peer *)conn;
    if (run.options->mode == LOAD_MODE_PINGPONG) {
        take_pingpong(peer, &trailer);
    } else if (run.options->mode == LOAD_MODE_PACED && run.window_start_ns != 0 &&
               trailer.time_ns > run.window_start_ns) {
        load_histogram_add(&run.result->latency, load_now_ns() - trailer.time_ns);
    }
}

/* Compare payload bytes, counted from the end of the message, with what every sender sends. */
static void on_piece(struct load_conn *conn, const uint8_t *data, size_t len, uint32_t left)
{
    (void)conn; /* all connections get the same payload */
    const struct load_bytes *message = &run.senders[0].message;
    size_t last = left < run.options->payload_bytes ? left : run.options->payload_bytes;
    size_t skip = left - last; /* not payload yet */
    if (skip >= len || run.phase < PHASE_RUN) {
        return;
    }
    size_t compared = len - skip;
    if (last <= LOAD_TRAILER_BYTES) {
        return;
    }
    if (compared > last - LOAD_TRAILER_BYTES) {
        compared = last - LOAD_TRAILER_BYTES;
    }
    if (memcmp(data + skip, message->data + message->len - last, compared) != 0) {
        run.result->damaged++;
    }
}

static void on_closed(struct load_conn *conn, const char *why)
{
    struct peer *peer = (struct peer *)conn;
    if (peer->is_stalled) {
        run.result->closed_stalled++;
    } else {
        run.result->closed++;
        (void)fprintf(stderr, "slim-load: connection %u: %s\n", conn->index, why); /* best effort */
    }
}

/* ------------------------------------------------------------------------------------------------------------ set-up */

static const struct load_events events_plain = {on_message, NULL, on_writable, on_closed};
static const struct load_events events_verify = {on_message, on_piece, on_writable, on_closed};

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) {
        load_die("no memory for %zu objects", count);
    }
    return memory;
}

static void open_peer(struct peer *peer, uint32_t streams, int receive_buffer_bytes)
{
    const struct load_options *options = run.options;
    peer->conn.index = (uint32_t)(peer - run.peers);
    load_conn_open(&peer->conn, run.epoll_fd, options->host, options->port, streams,
                   options->window_bytes, receive_buffer_bytes,
                   options->is_verifying ? &events_verify : &events_plain);
}

static void open_receivers(void)
{
    const struct load_options *options = run.options;
    uint32_t next = 0;
    while (next < options->receiver_count) {
        struct peer *peer = &run.peers[run.peer_count++];
        uint32_t streams = options->receiver_count - next;
        streams = streams < options->streams_per_conn ? streams : options->streams_per_conn;
        peer->first_receiver = next;
        peer->names_left = (uint64_t)streams * (options->name_count + 1);
        open_peer(peer, streams, options->receive_buffer_bytes);
        for (uint32_t i = 0; i < streams; i++, next++) {
            struct receiver *receiver = &run.receivers[next];
            peer->conn.streams[i].receiver = next;
            receiver->expected = allocate(options->sender_count, sizeof(uint64_t));
            receiver->conn = &peer->conn;
            receiver->is_stalled = next >= options->receiver_count - options->stalled_count;
            peer->is_stalled = receiver->is_stalled;
        }
    }
}

static void open_senders(void)
{
    const struct load_options *options = run.options;
    bool is_pingpong = options->mode == LOAD_MODE_PINGPONG;
    for (uint32_t i = 0; i < options->sender_count; i++) {
        struct sender *sender = &run.senders[i];
        struct load_name from = {"sender", i};
        struct load_name to = receiver_name(is_pingpong ? 1 - i : i % options->receiver_count);
        if (options->is_fanout_all) {
            to.id = UINT64_MAX;
        }
        load_put_publish(&sender->message, from, to, options->is_fanout_all ? FANOUT_ALL : 1,
                         options->identity_bytes, options->payload_bytes);
        struct peer *peer = is_pingpong ? &run.peers[i] : &run.peers[run.peer_count++];
        peer->sender = sender;
        peer->sender_index = i;
        if (!is_pingpong) {
            open_peer(peer, 1, 0);
        }
    }
}

/* --------------------------------------------------------------------------------------------------------- the loop */

static void read_peer(struct peer *peer)
{
    if (run.options->read_rate == 0 || run.phase < PHASE_RUN || peer->sender != NULL) {
        (void)load_conn_read(&peer->conn, 0); /* how much it was matters to slow readers only */
        return;
    }
    if (peer->tokens >= 1) {
        peer->tokens -= (double)load_conn_read(&peer->conn, (size_t)peer->tokens);
    }
    if (peer->tokens < 1 && !peer->conn.is_closed) {
        load_conn_pause(&peer->conn, true);
    }
}

static void handle_events(uint64_t timeout_ns)
{
    struct epoll_event events[EVENTS_MAX];
    struct timespec timeout = {(time_t)(timeout_ns / 1000000000U),
                               (long)(timeout_ns % 1000000000U)};
    int count = epoll_pwait2(run.epoll_fd, events, EVENTS_MAX, &timeout, NULL);
    if (count < 0 && errno != EINTR) {
        load_die("epoll_pwait2: %s", strerror(errno));
    }
    for (int i = 0; i < count; i++) {
        struct peer *peer = events[i].data.ptr;
        if (peer == NULL) { /* standard input: seen by the hold */
            continue;
        }
        if (peer->conn.is_closed) {
            continue;
        }
        if ((events[i].events & (EPOLLERR | EPOLLHUP)) != 0 && peer->conn.is_paused) {
            load_conn_close(&peer->conn, "reset");
            continue;
        }
        if ((events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) {
            read_peer(peer);
        } else if ((events[i].events & EPOLLOUT) != 0) {
            load_conn_flush(&peer->conn);
        }
    }
}

/* Give slow readers the bytes of the time that passed; pause those that have none. */
static void pace_readers(uint64_t passed_ns)
{
    double most = (double)run.options->read_rate / 20;
    for (uint32_t i = 0; i < run.peer_count; i++) {
        struct peer *peer = &run.peers[i];
        if (peer->is_stalled || peer->sender != NULL || peer->conn.is_closed) {
            continue;
        }
        peer->tokens += (double)run.options->read_rate * (double)passed_ns / 1e9;
        peer->tokens = peer->tokens < most ? peer->tokens : most;
        load_conn_pause(&peer->conn, peer->tokens < 1);
    }
}

static bool is_set_up(void)
{
    for (uint32_t i = 0; i < run.peer_count; i++) {
        struct peer *peer = &run.peers[i];
        for (uint32_t k = 0; k < peer->conn.stream_count; k++) {
            if (!peer->conn.streams[k].is_open) {
                return false;
            }
        }
        if (peer->names_left > 0 || peer->conn.batch.sent < peer->conn.batch.frames.len) {
            return false;
        }
    }
    return true;
}

static void send_probes(void)
{
    for (uint32_t i = 0; i < run.peer_count; i++) {
        if (run.peers[i].sender != NULL) {
            run.peers[i].sender->wants_probe = true;
            load_conn_flush(&run.peers[i].conn);
        }
    }
}

static void set_up(void)
{
    uint64_t limit_ns = load_now_ns() + SETUP_LIMIT_S * 1000000000ULL;
    uint64_t probe_ns = 0;
    run.phase = PHASE_SUBSCRIBE;
    for (uint32_t i = 0; i < run.peer_count; i++) {
        load_conn_flush(&run.peers[i].conn);
    }
    while (run.probes_missing > 0) {
        uint64_t now_ns = load_now_ns();
        if (now_ns > limit_ns || run.result->closed > 0) {
            load_die("not ready: %u receivers were not reached", run.probes_missing);
        }
        if (run.phase == PHASE_SUBSCRIBE && is_set_up()) {
            run.phase = PHASE_PROBE;
        }
        if (run.phase == PHASE_PROBE && now_ns >= probe_ns) {
            probe_ns = now_ns + PROBE_INTERVAL_NS;
            send_probes();
        }
        handle_events(TICK_NS);
    }
}

static uint64_t sent_total(void)
{
    uint64_t sent = 0;
    for (uint32_t i = 0; i < run.options->sender_count; i++) {
        sent += run.senders[i].next_number;
    }
    return sent;
}

static void window_begin(uint64_t now_ns)
{
    struct load_result *result = run.result;
    run.window_start_ns = now_ns;
    result->window_delivered = run.delivered;
    result->window_sent = sent_total();
    result->own_cpu_ns = cpu_ns(0);
    result->node_cpu_ns = run.options->pid != 0 ? cpu_ns(run.options->pid) : 0;
}

static void window_end(uint64_t now_ns)
{
    struct load_result *result = run.result;
    result->window_s = (double)(now_ns - run.window_start_ns) / 1e9;
    result->window_delivered = run.delivered - result->window_delivered;
    result->window_sent = sent_total() - result->window_sent;
    result->own_cpu_ns = cpu_ns(0) - result->own_cpu_ns;
    result->node_cpu_ns =
        run.options->pid != 0 ? cpu_ns(run.options->pid) - result->node_cpu_ns : 0;
}

/* What every receiver that reads should have got by now, added over all. */
static uint64_t wanted_total(void)
{
    const struct load_options *options = run.options;
    uint64_t wanted = 0;
    for (uint32_t i = 0; i < options->sender_count; i++) {
        uint64_t sent = run.senders[i].next_number;
        if (options->mode == LOAD_MODE_PINGPONG) {
            wanted += sent;
        } else if (options->is_fanout_all) {
            wanted += sent * (options->receiver_count - options->stalled_count);
        } else if (!run.receivers[i % options->receiver_count].is_stalled) {
            wanted += sent;
        }
    }
    return wanted;
}

static uint64_t received_by_readers(void)
{
    uint64_t received = 0;
    for (uint32_t i = 0; i < run.options->receiver_count; i++) {
        if (!run.receivers[i].is_stalled) {
            received += run.receivers[i].received;
        }
    }
    return received;
}

/* Time to sleep until a paced sender is due. */
static uint64_t next_wake_ns(uint64_t now_ns)
{
    if (run.options->mode != LOAD_MODE_PACED || run.phase != PHASE_RUN) {
        return TICK_NS;
    }
    uint64_t due_ns = UINT64_MAX;
    for (uint32_t i = 0; i < run.options->sender_count; i++) {
        double offset_ns =
            (double)(run.senders[i].next_number + 1) * 1e9 / (double)run.options->rate;
        uint64_t at_ns = run.run_start_ns + (uint64_t)offset_ns;
        due_ns = at_ns < due_ns ? at_ns : due_ns;
    }
    uint64_t wait_ns = due_ns > now_ns ? due_ns - now_ns : 0;
    return wait_ns < TICK_NS ? wait_ns : TICK_NS;
}

static void flush_senders(void)
{
    for (uint32_t i = 0; i < run.peer_count; i++) {
        struct peer *peer = &run.peers[i];
        if (peer->sender != NULL && !peer->conn.is_closed) {
            load_conn_flush(&peer->conn);
        }
    }
}

/* Move on to the next part of the run when it is time. */
static void step(uint64_t now_ns)
{
    const struct load_options *options = run.options;
    uint64_t warmup_ns = options->count > 0 ? 0 : (uint64_t)(options->warmup_s * 1e9);
    if (run.window_start_ns == 0 && now_ns - run.run_start_ns >= warmup_ns) {
        window_begin(now_ns);
    }
    bool is_done = options->count > 0 && sent_total() >= options->count * options->sender_count &&
                   received_by_readers() >= wanted_total();
    if (options->count == 0 && run.window_start_ns != 0) {
        is_done = (double)(now_ns - run.window_start_ns) >= options->seconds * 1e9;
    }
    if (is_done && !run.is_stopped) {
        run.is_stopped = true;
        window_end(now_ns);
        run.phase = PHASE_DRAIN;
    }
}

static void send_and_drain(void)
{
    uint64_t last_count = 0;
    uint64_t paced_ns = load_now_ns();
    uint64_t drain_ns = (uint64_t)(run.options->drain_s * 1e9);
    run.phase = PHASE_RUN;
    run.run_start_ns = paced_ns;
    run.last_progress_ns = paced_ns;
    if (run.options->mode == LOAD_MODE_PINGPONG) {
        run.senders[0].pending_time_ns = paced_ns;
    }
    for (;;) {
        uint64_t now_ns = load_now_ns();
        step(now_ns);
        if (run.delivered != last_count) {
            last_count = run.delivered;
            run.last_progress_ns = now_ns;
        }
        bool is_quiet = now_ns - run.last_progress_ns > drain_ns;
        if (run.phase == PHASE_DRAIN && (received_by_readers() >= wanted_total() || is_quiet)) {
            return;
        }
        if (is_quiet && (run.options->count > 0 || run.result->closed > 0)) {
            run.is_stopped = true;
            window_end(now_ns);
            return;
        }
        flush_senders();
        handle_events(next_wake_ns(now_ns));
        if (run.options->read_rate > 0 && now_ns - paced_ns >= TICK_NS) {
            pace_readers(now_ns - paced_ns);
            paced_ns = now_ns;
        }
    }
}

static void judge(void)
{
    struct load_result *result = run.result;
    const struct load_options *options = run.options;
    result->sent = sent_total();
    result->delivered = run.delivered;
    result->received_least = UINT64_MAX;
    for (uint32_t i = 0; i < options->receiver_count; i++) {
        const struct receiver *receiver = &run.receivers[i];
        if (receiver->is_stalled) {
            continue;
        }
        for (uint32_t k = 0; k < options->sender_count; k++) {
            bool is_target = options->mode == LOAD_MODE_PINGPONG ? i != k
                             : options->is_fanout_all            ? true
                                                                 : k % options->receiver_count == i;
            if (is_target) {
                result->missing += run.senders[k].next_number - receiver->expected[k];
            }
        }
        result->received_least = receiver->received < result->received_least
                                     ? receiver->received
                                     : result->received_least;
        result->received_most =
            receiver->received > result->received_most ? receiver->received : result->received_most;
    }
}

/* Answer pings and nothing else until standard input ends. */
static void hold(void)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    run.phase = PHASE_HOLD;
    if (epoll_ctl(run.epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0) {
        return; /* a file: it has ended already */
    }
    char byte;
    for (;;) {
        struct epoll_event first;
        int count = epoll_wait(run.epoll_fd, &first, 1, -1);
        if (count == 1 && first.data.ptr == NULL && read(STDIN_FILENO, &byte, 1) <= 0) {
            return;
        }
        if (count == 1 && first.data.ptr != NULL) {
            handle_events(0);
        }
    }
}

void load_run(const struct load_options *options, struct load_result *result,
              void (*on_report)(const struct load_options *options,
                                const struct load_result *result))
{
    run.options = options;
    run.result = result;
    run.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    run.peers =
        allocate((size_t)options->receiver_count + options->sender_count, sizeof(*run.peers));
    run.receivers = allocate(options->receiver_count, sizeof(*run.receivers));
    run.senders = allocate(options->sender_count, sizeof(*run.senders));
    run.probes_missing = options->receiver_count;
    open_receivers();
    open_senders();
    set_up();
    if (options->mode == LOAD_MODE_IDLE) {
        on_report(options, result);
        hold();
        return;
    }
    for (uint32_t i = 0; i < run.peer_count; i++) {
        if (run.peers[i].is_stalled) {
            load_conn_pause(&run.peers[i].conn, true);
        }
    }
    send_and_drain();
    judge();
    on_report(options, result);
    if (options->is_holding) {
        hold();
    }
}
