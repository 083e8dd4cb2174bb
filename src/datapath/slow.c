/* Receivers that do not keep up (docs/architecture.md, "Slow receivers").
 *
 *   unsent bytes of a receiver
 *   0 ----- 512 KiB ------------ 1 MiB -------------------------------------- 64 MiB
 *   |        <- credit back       |  credit of a sole sender is held back       | disconnected
 *
 * Members of a fan-out hold their sender back only together: when more than half of those that take bytes have more than 16 MiB
 * unsent, until the shortest of these queues is below 8 MiB. One slow member costs the others nothing; a sender that is faster than
 * all of them does not cost them their connections.
 *
 * "While it takes bytes" needs care: a reader of 2 MB/s takes its bytes in gulps, because HTTP/2 and TCP announce room only when a
 * large part of their windows is free. From its silence follows its pace:
 *
 *   silence   0 --- 100 ms, or twice its longest gap so far --- 2 s more ------------------ 5 s
 *             |  TAKING: credit stays held                    |  PAUSING: credit is  |  STOPPED: holds |  disconnected
 *             |                                               |  held for 100 ms     |  nobody back    |
 *
 * So a slow reader paces its senders exactly once its gaps are known, and one that stopped slows them for two seconds at most. When
 * all queues of the process together pass memory_max, owners of the largest queues are disconnected.
 *
 * Whom to disconnect is decided while messages are being delivered, when connections must not vanish: such connections are
 * marked and buried when the delivery is over. */
#include "datapath/internal.h"

#define SLIM_LOG_TARGET "slim_datapath::message_processing"

/* Credit of `sender` that is held back because of `receiver`. In both their lists. */
struct hold {
    struct slim_list by_sender;
    struct slim_list by_receiver;
    struct slim_datapath_conn *sender;
    struct slim_datapath_conn *receiver;
    size_t bytes;
    size_t release_below;
    uint64_t since_ms;
};

static void hold_free(struct hold *hold, bool is_released)
{
    struct slim_datapath_conn *sender = hold->sender;
    if (is_released && sender->call != NULL) {
        slim_grpc_call_release(sender->call, hold->bytes);
        slim_transport_touch(sender->socket->transport);
    }
    slim_list_remove(&hold->by_sender);
    slim_list_remove(&hold->by_receiver);
    slim_heap_return(sender->datapath->heap, hold);
}

void slim_datapath_slow_release(struct slim_datapath_conn *conn)
{
    SLIM_LIST_EACH(node, &conn->held_by_me)
    {
        hold_free(SLIM_LIST_ENTRY(node, struct hold, by_receiver), true);
    }
}

void slim_datapath_slow_forget(struct slim_datapath_conn *conn)
{
    SLIM_LIST_EACH(node, &conn->holds)
    {
        hold_free(SLIM_LIST_ENTRY(node, struct hold, by_sender), false);
    }
    slim_list_remove(&conn->waiting);
    slim_list_remove(&conn->grave);
    conn->taken_seen = 0;
}

/* Hold back the credit for a message of `bytes` of `from`, until less than `release_below` is unsent to `to`. */
static void hold_back(struct slim_datapath_conn *from, struct slim_datapath_conn *to, size_t bytes,
                      size_t release_below)
{
    struct hold *hold = NULL;
    SLIM_LIST_EACH(node, &from->holds)
    {
        struct hold *other = SLIM_LIST_ENTRY(node, struct hold, by_sender);
        if (other->receiver == to) {
            hold = other;
            break;
        }
    }
    if (hold == NULL) {
        hold = slim_heap_take_zeroed(from->datapath->heap, 1, sizeof(*hold));
        if (hold == NULL) {
            return; /* the sender is not held back: its receiver's queue has other bounds */
        }
        hold->sender = from;
        hold->receiver = to;
        hold->release_below = release_below;
        hold->since_ms = slim_loop_now_ms(from->datapath->loop);
        slim_list_init(&hold->by_sender);
        slim_list_init(&hold->by_receiver);
        slim_list_put_first(&from->holds, &hold->by_sender);
        slim_list_put_last(&to->held_by_me, &hold->by_receiver);
        from->datapath->stats.hold_count++;
    }
    slim_grpc_call_hold(from->call, bytes);
    hold->bytes += bytes;
    if (release_below < hold->release_below) {
        hold->release_below = release_below;
    }
}

/* Mark `conn` for burial. */
static void condemn(struct slim_datapath_conn *conn, const char *why)
{
    struct slim_datapath *datapath = conn->datapath;
    if (slim_list_is_linked(&conn->grave)) {
        return;
    }
    slim_list_put_last(&datapath->graves, &conn->grave);
    slim_log_limited(&datapath->log_slow, WARN, "slow receiver disconnected",
                     SLIM_LOG_U64("conn_index", conn->peer.id), SLIM_LOG_STR("why", why),
                     SLIM_LOG_U64("unsent_bytes", slim_grpc_call_unsent_bytes(conn->call)));
}

/* Bytes that the peer's system has: what left our queue, less what is framed and not written, less what is not acknowledged (the
 * socket tells us of room only when a third of its buffer is free, which can take a slow reader longer than our patience). With
 * several streams on a socket this is too little, never too much. */
static uint64_t taken_bytes(const struct slim_datapath_conn *conn)
{
    struct slim_transport *transport = conn->socket->transport;
    uint64_t accepted = slim_grpc_call_accepted_bytes(conn->call);
    uint64_t underway = slim_grpc_conn_pending_bytes(slim_transport_grpc(transport)) +
                        slim_transport_unacked_bytes(transport);
    return accepted > underway ? accepted - underway : 0;
}

/* True when the peer took something since the last look. */
static bool has_progress(struct slim_datapath_conn *conn)
{
    uint64_t taken = taken_bytes(conn);
    bool result = taken > conn->taken_seen;
    conn->taken_seen = result ? taken : conn->taken_seen;
    return result;
}

/* Start looking at a receiver with unsent bytes. */
static void start_waiting(struct slim_datapath_conn *conn)
{
    struct slim_datapath *datapath = conn->datapath;
    if (slim_list_is_linked(&conn->waiting)) {
        return;
    }
    slim_list_put_last(&datapath->waiting, &conn->waiting);
    (void)has_progress(conn); /* from here on */
    conn->accepted_at_ms = slim_loop_now_ms(datapath->loop);
    conn->pace = SLIM_DATAPATH_TAKING;
    conn->gap_ms = 0;
    conn->rate_taken = conn->taken_seen;
    conn->rate_since_ms = conn->accepted_at_ms;
    conn->is_trickling = false;
    if (!slim_timer_is_set(&datapath->watch)) {
        slim_timer_set(datapath->loop, &datapath->watch,
                       slim_loop_now_ms(datapath->loop) + SLIM_DATAPATH_WATCH_PERIOD_MS);
    }
}

/* What the engine holds for messages and tables, and what the process takes besides (measured now and then). */
static size_t memory_in_use(const struct slim_datapath *datapath)
{
    return slim_block_pool_stats(datapath->pool)->bytes_in_use +
           slim_heap_stats(datapath->heap)->bytes_in_use + datapath->tls_bytes +
           datapath->memory_besides;
}

static size_t memory_kept(const struct slim_datapath *datapath)
{
    return slim_block_pool_stats(datapath->pool)->bytes_kept +
           slim_heap_stats(datapath->heap)->bytes_kept;
}

/* The process itself, and the holes that an allocator cannot give back: neither is in our own figures. */
static void measure_memory(struct slim_datapath *datapath)
{
    if (!datapath->options.is_whole_process) {
        return;
    }
    datapath->memory_besides = 0;
    size_t counted = memory_in_use(datapath) + memory_kept(datapath);
    size_t resident = slim_loop_resident_bytes(datapath->loop);
    datapath->memory_besides = resident > counted ? resident - counted : 0;
}

bool slim_datapath_slow_is_over_memory(const struct slim_datapath *datapath)
{
    return memory_in_use(datapath) + memory_kept(datapath) > datapath->memory_max;
}

bool slim_datapath_slow_has_table_room(const struct slim_datapath *datapath)
{
    return !slim_datapath_slow_is_over_memory(datapath) &&
           slim_heap_stats(datapath->heap)->bytes_in_use + datapath->tls_bytes <
               datapath->memory_max / SLIM_DATAPATH_TABLES_DIVISOR;
}

void slim_datapath_slow_queued(struct slim_datapath_conn *to, struct slim_datapath_conn *from,
                               size_t bytes)
{
    struct slim_datapath *datapath = to->datapath;
    size_t unsent = slim_grpc_call_unsent_bytes(to->call);
    if (SLIM_UNLIKELY(unsent > SLIM_DATAPATH_HOLD_ABOVE_BYTES)) {
        start_waiting(to);
        if (unsent > SLIM_DATAPATH_UNSENT_MAX_BYTES) {
            if (!slim_list_is_linked(&to->grave)) {
                datapath->stats.slow_full_count++;
                to->why = "slow_full";
            }
            condemn(to, "64 MiB unsent");
        } else if (from != NULL && from->call != NULL && to->pace != SLIM_DATAPATH_STOPPED) {
            hold_back(from, to, bytes, SLIM_DATAPATH_RELEASE_BELOW_BYTES);
        }
    }
    if (SLIM_UNLIKELY(slim_datapath_slow_is_over_memory(datapath))) {
        datapath->is_over_memory = true; /* dealt with when the delivery is over */
    }
}

void slim_datapath_slow_tally(struct slim_datapath_tally *tally, struct slim_datapath_conn *to)
{
    if (to->call == NULL) {
        return;
    }
    uint64_t silent_ms = slim_loop_now_ms(to->datapath->loop) - to->accepted_at_ms;
    if (slim_list_is_linked(&to->waiting) &&
        (to->pace != SLIM_DATAPATH_TAKING || silent_ms > 2 * SLIM_DATAPATH_STALL_MS)) {
        return;
    }
    size_t unsent = slim_grpc_call_unsent_bytes(to->call);
    tally->taking_count++;
    if (SLIM_LIKELY(unsent <= SLIM_DATAPATH_FANOUT_HOLD_ABOVE_BYTES)) {
        return;
    }
    tally->behind_count++;
    if (tally->least_behind == NULL || unsent < tally->least_bytes) {
        tally->least_behind = to;
        tally->least_bytes = unsent;
    }
}

void slim_datapath_slow_fanned(const struct slim_datapath_tally *tally,
                               struct slim_datapath_conn *from, size_t bytes)
{
    if (SLIM_UNLIKELY(tally->behind_count * 2 > tally->taking_count) && from != NULL &&
        from->call != NULL) {
        hold_back(from, tally->least_behind, bytes, SLIM_DATAPATH_FANOUT_RELEASE_BELOW_BYTES);
    }
}

/* Give back what was held until less than this was unsent. */
static void release_below(struct slim_datapath_conn *conn, size_t unsent)
{
    SLIM_LIST_EACH(node, &conn->held_by_me)
    {
        struct hold *hold = SLIM_LIST_ENTRY(node, struct hold, by_receiver);
        if (unsent < hold->release_below) {
            hold_free(hold, true);
        }
    }
}

void slim_datapath_slow_flushed(struct slim_datapath_conn *conn)
{
    if (conn->call == NULL) {
        return;
    }
    size_t unsent = slim_grpc_call_unsent_bytes(conn->call);
    release_below(conn, unsent);
    if (unsent == 0) {
        slim_list_remove(&conn->waiting);
    } else {
        start_waiting(conn);
    }
}

/* Give back what was held for SLIM_DATAPATH_STALL_MS. */
static void release_old(struct slim_datapath_conn *conn, uint64_t now_ms)
{
    SLIM_LIST_EACH(node, &conn->held_by_me)
    {
        struct hold *hold = SLIM_LIST_ENTRY(node, struct hold, by_receiver);
        if (now_ms - hold->since_ms >= SLIM_DATAPATH_STALL_MS) {
            hold_free(hold, true);
        }
    }
}

/* Now and then: is it fast enough to be waited for? */
static void measure_rate(struct slim_datapath_conn *conn, uint64_t now_ms)
{
    uint64_t period_ms = now_ms - conn->rate_since_ms;
    if (period_ms < SLIM_DATAPATH_RATE_PERIOD_MS || period_ms < 2 * conn->gap_ms) {
        return;
    }
    uint64_t taken = conn->taken_seen - conn->rate_taken;
    conn->is_trickling = taken < SLIM_DATAPATH_RATE_MIN_BYTES * period_ms / 1000;
    conn->rate_taken = conn->taken_seen;
    conn->rate_since_ms = now_ms;
    if (conn->is_trickling) {
        slim_datapath_slow_release(conn);
    }
}

/* Look at one receiver with unsent bytes. */
static void look_at(struct slim_datapath_conn *conn, uint64_t now_ms)
{
    uint64_t silent_ms = now_ms - conn->accepted_at_ms;
    bool is_progress = has_progress(conn);
    measure_rate(conn, now_ms);
    if (is_progress) {
        if (silent_ms > conn->gap_ms) {
            conn->gap_ms =
                silent_ms < SLIM_DATAPATH_GAP_MAX_MS ? silent_ms : SLIM_DATAPATH_GAP_MAX_MS;
        }
        conn->accepted_at_ms = now_ms;
        conn->pace = conn->is_trickling ? SLIM_DATAPATH_STOPPED : SLIM_DATAPATH_TAKING;
        return;
    }
    uint64_t patience_ms =
        2 * conn->gap_ms > SLIM_DATAPATH_STALL_MS ? 2 * conn->gap_ms : SLIM_DATAPATH_STALL_MS;
    if (silent_ms >= patience_ms + SLIM_DATAPATH_PAUSE_MS) {
        conn->pace = SLIM_DATAPATH_STOPPED;
        slim_datapath_slow_release(conn);
    } else if (silent_ms >= patience_ms) {
        conn->pace = SLIM_DATAPATH_PAUSING;
        release_old(conn, now_ms);
    }
    if (silent_ms >= SLIM_DATAPATH_STALL_CLOSE_MS && !slim_list_is_linked(&conn->grave)) {
        conn->datapath->stats.slow_stalled_count++;
        conn->why = "slow_stalled";
        condemn(conn, "accepted nothing for 5 s");
    }
}

void slim_datapath_slow_on_watch(struct slim_timer *timer)
{
    struct slim_datapath *datapath = SLIM_CONTAINER_OF(timer, struct slim_datapath, watch);
    uint64_t now_ms = slim_loop_now_ms(datapath->loop);
    /* we were stopped, or had no CPU: that is no silence of theirs */
    uint64_t late_ms = now_ms - timer->due_ms;
    SLIM_LIST_EACH(node, &datapath->waiting)
    {
        struct slim_datapath_conn *conn = SLIM_LIST_ENTRY(node, struct slim_datapath_conn, waiting);
        conn->accepted_at_ms += late_ms;
        if (conn->accepted_at_ms > now_ms) {
            conn->accepted_at_ms = now_ms;
        }
        look_at(conn, now_ms);
    }
    measure_memory(datapath);
    datapath->is_over_memory = slim_datapath_slow_is_over_memory(datapath);
    slim_datapath_slow_bury(datapath);
    if (!slim_list_is_empty(&datapath->waiting)) {
        slim_timer_set(datapath->loop, timer, now_ms + SLIM_DATAPATH_WATCH_PERIOD_MS);
    }
    if (!slim_timer_is_set(&datapath->calm)) {
        slim_timer_set(datapath->loop, &datapath->calm, now_ms + SLIM_DATAPATH_CALM_PERIOD_MS);
    }
}

/* Bytes held for this connection: its queue, what arrived of a message that is not complete, and what is framed already (shared
 * with the other streams of its socket, if there are any). */
static size_t bytes_of(const struct slim_datapath_conn *conn)
{
    if (conn->call == NULL) {
        return 0;
    }
    return slim_grpc_call_unsent_bytes(conn->call) + slim_grpc_call_partial_bytes(conn->call) +
           slim_grpc_conn_pending_bytes(slim_transport_grpc(conn->socket->transport));
}

static size_t largest_bytes_of(const struct slim_datapath *datapath)
{
    size_t largest = 0;
    SLIM_LIST_EACH(node, &datapath->conns)
    {
        size_t bytes = bytes_of(SLIM_LIST_ENTRY(node, struct slim_datapath_conn, node));
        largest = bytes > largest ? bytes : largest;
    }
    return largest;
}

/* What is too much, when `returning` bytes come back at the end of the turn. */
static bool is_too_much(const struct slim_datapath *datapath, size_t returning)
{
    size_t in_use = memory_in_use(datapath);
    return in_use > returning && in_use - returning > datapath->memory_max;
}

/* Disconnect connections that hold at least `bytes_min`, as long as there is too much. What was framed for them comes back at the
 * end of the turn. */
static void drop_largest(struct slim_datapath *datapath, size_t bytes_min, size_t *returning)
{
    SLIM_LIST_EACH(node, &datapath->conns)
    {
        struct slim_datapath_conn *conn = SLIM_LIST_ENTRY(node, struct slim_datapath_conn, node);
        size_t bytes = bytes_of(conn);
        if (bytes < bytes_min || !is_too_much(datapath, *returning)) {
            continue;
        }
        datapath->stats.memory_max_count++;
        slim_log_limited(&datapath->log_slow, WARN, "largest queue dropped: memory_max reached",
                         SLIM_LOG_U64("conn_index", conn->peer.id),
                         SLIM_LOG_U64("queue_bytes", bytes),
                         SLIM_LOG_U64("memory_max", datapath->memory_max));
        *returning += slim_grpc_conn_pending_bytes(slim_transport_grpc(conn->socket->transport));
        slim_datapath_conn_drop(conn, "the node's memory limit is reached");
    }
}

/* Close sockets without a stream, the oldest first, until `bytes` come back at the end of the turn or there were `count_max`. Returns how
 * many bytes. */
static size_t drop_streamless(struct slim_datapath *datapath, size_t bytes, size_t count_max)
{
    size_t returning = 0;
    size_t count = 0;
    SLIM_LIST_EACH(node, &datapath->sockets)
    {
        struct slim_datapath_socket *socket =
            SLIM_LIST_ENTRY(node, struct slim_datapath_socket, node);
        if (returning >= bytes || count == count_max) {
            break;
        }
        if (socket->link != NULL || socket->is_closing || !slim_list_is_empty(&socket->conns)) {
            continue;
        }
        returning += SLIM_DATAPATH_SOCKET_BYTES + socket->tls_bytes +
                     slim_grpc_conn_pending_bytes(slim_transport_grpc(socket->transport));
        socket->is_closing = true;
        socket->is_dropped = true;
        slim_log_limited(&datapath->log_socket, WARN, "socket without a stream closed to make room",
                         SLIM_LOG_STR("remote_addr", socket->text));
        slim_transport_close(socket->transport, SLIM_GRPC_RESOURCE_EXHAUSTED);
        count++;
    }
    return returning;
}

bool slim_datapath_slow_make_room(struct slim_datapath *datapath)
{
    size_t tables_max = datapath->memory_max / SLIM_DATAPATH_TABLES_DIVISOR;
    size_t wanted_max = tables_max - tables_max / SLIM_DATAPATH_SUBSCRIPTIONS_DIVISOR;
    size_t in_use = slim_heap_stats(datapath->heap)->bytes_in_use + datapath->tls_bytes;
    if (SLIM_UNLIKELY(in_use > wanted_max)) {
        (void)drop_streamless(datapath, in_use - wanted_max, SLIM_DATAPATH_FULL_DROPS);
    }
    if (SLIM_UNLIKELY(slim_datapath_slow_is_over_memory(datapath))) {
        datapath->is_over_memory = true;
        slim_datapath_slow_bury(datapath);
    }
    return !slim_datapath_slow_is_over_memory(datapath);
}

void slim_datapath_slow_on_full(void *ctx)
{
    struct slim_datapath_server *server = ctx;
    server->datapath->stats.accept_rest_count++;
    (void)drop_streamless(server->datapath, SIZE_MAX, SLIM_DATAPATH_FULL_DROPS);
}

/* Bring the memory below memory_max again: with what is only kept, and by disconnecting owners of the largest queues. Shared blocks
 * return only with their last owner, so many of them may have to go. */
static void relieve(struct slim_datapath *datapath)
{
    uint64_t now_ms = slim_loop_now_ms(datapath->loop);
    datapath->is_over_memory = false;
    if (now_ms < datapath->relieve_after_ms) {
        return;
    }
    size_t returning = 0;
    while (is_too_much(datapath, returning)) {
        size_t largest = largest_bytes_of(datapath);
        if (largest < SLIM_DATAPATH_SMALL_BYTES) {
            size_t over = memory_in_use(datapath) - returning - datapath->memory_max;
            size_t dropped = drop_streamless(datapath, over, SIZE_MAX);
            if (dropped > 0) {
                returning += dropped;
                continue;
            }
        }
        if (largest == 0) {
            /* tables and connections: nothing that looking again at once would change */
            datapath->relieve_after_ms = now_ms + SLIM_DATAPATH_WATCH_PERIOD_MS;
            break;
        }
        /* halves: few rounds, however many they are */
        drop_largest(datapath, largest / 2 + 1, &returning);
    }
    (void)slim_datapath_stats(datapath); /* the pool is about to forget its peak: note it */
    slim_loop_trim_memory(datapath->loop);
    measure_memory(datapath);
}

void slim_datapath_slow_bury(struct slim_datapath *datapath)
{
    while (SLIM_UNLIKELY(!slim_list_is_empty(&datapath->graves))) {
        struct slim_list *node = slim_list_take_first(&datapath->graves);
        struct slim_datapath_conn *conn = SLIM_LIST_ENTRY(node, struct slim_datapath_conn, grave);
        slim_datapath_conn_end(conn, SLIM_GRPC_RESOURCE_EXHAUSTED, "the receiver does not keep up",
                               false);
    }
    if (SLIM_UNLIKELY(datapath->is_over_memory)) {
        relieve(datapath);
    }
}

void slim_datapath_slow_gone(struct slim_datapath *datapath)
{
    datapath->conns_freed++;
    if (datapath->conns_freed >= SLIM_DATAPATH_CALM_CONNS_MIN &&
        !slim_timer_is_set(&datapath->calm)) {
        slim_timer_set(datapath->loop, &datapath->calm,
                       slim_loop_now_ms(datapath->loop) + SLIM_DATAPATH_CALM_PERIOD_MS);
    }
}

/* Some time after a flood: give memory back to the system. */
void slim_datapath_slow_on_calm(struct slim_timer *timer)
{
    struct slim_datapath *datapath = SLIM_CONTAINER_OF(timer, struct slim_datapath, calm);
    if (!slim_list_is_empty(&datapath->waiting)) {
        slim_timer_set(datapath->loop, timer,
                       slim_loop_now_ms(datapath->loop) + SLIM_DATAPATH_CALM_PERIOD_MS);
        return;
    }
    if (slim_block_pool_stats(datapath->pool)->bytes_peak < SLIM_DATAPATH_CALM_KEEP_BYTES &&
        datapath->conns_freed < SLIM_DATAPATH_CALM_CONNS_MIN) {
        return;
    }
    datapath->conns_freed = 0;
    (void)slim_datapath_stats(datapath); /* the pool is about to forget its peak: note it */
    slim_loop_trim_memory(datapath->loop);
    measure_memory(datapath);
}
