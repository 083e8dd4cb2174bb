/* Receivers that do not keep up, and the senders that are held back for them (docs/architecture.md, "Slow receivers"). */
#include <sys/socket.h>
#include <unistd.h>

#include "datapath/limits.h"
#include "peer.h"

enum {
    PEERS_MAX = 6,
    WINDOW = 65535,
    MESSAGE_BYTES = 16 * 1024,
    MIB = 1024 * 1024,
};

struct fixture {
    struct slim_loop *loop;
    struct slim_datapath *node;
    uint16_t port;
    struct test_peer peers[PEERS_MAX];
    size_t count;
};

static struct test_peer *add_peer(struct fixture *f, size_t stream_count, uint32_t window_bytes)
{
    struct test_peer *peer = &f->peers[f->count];
    test_peer_init(peer, f->port, stream_count, window_bytes);
    f->count++;
    for (size_t i = 0; i < stream_count; i++) {
        TEST_PEERS_UNTIL(f->loop, f->peers, f->count, peer->streams[i].is_open);
    }
    return peer;
}

/* Subscribe `name` on a stream, and wait until the engine says that it did. */
static void subscribe(struct fixture *f, struct test_peer *peer, size_t stream, const char *name)
{
    size_t before = peer->streams[stream].message_count;
    test_peer_subscribe(peer, stream, name, 1, 77);
    TEST_PEERS_UNTIL(f->loop, f->peers, f->count,
                     peer->streams[stream].message_count == before + 1);
}

static void set_up(struct fixture *f, size_t memory_max)
{
    memset(f, 0, sizeof(*f));
    CHECK_OK(slim_loop_new(&f->loop));
    f->port = test_free_port();
    f->node = test_engine_new_with(f->loop, memory_max);
    test_engine_listen(f->node, f->port);
}

static void tear_down(struct fixture *f)
{
    slim_datapath_free(f->node);
    for (size_t i = 0; i < f->count; i++) {
        test_peer_fini(&f->peers[i]);
    }
    slim_loop_free(f->loop);
}

static const struct slim_datapath_stats *stats(struct fixture *f)
{
    return slim_datapath_stats(f->node);
}

static void publish(struct test_peer *sender, const char *name, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        test_peer_publish(sender, 0, name, 1, 1, MESSAGE_BYTES);
    }
}

/* Stop `receiver` (its second stream when it is the sender too), and have `sender` send until the engine holds its credit. */
static void hold(struct fixture *f, struct test_peer *sender, struct test_peer *receiver,
                 const char *name)
{
    if (sender == receiver) {
        receiver->streams[1].is_holding = true;
    } else {
        receiver->is_reading = false;
    }
    uint64_t before = stats(f)->hold_count;
    publish(sender, name, 512);
    TEST_PEERS_UNTIL(f->loop, f->peers, f->count, stats(f)->hold_count > before);
}

static void sender_goes_on_when_its_receiver_stalls_and_nothing_is_lost(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 0);
    struct test_peer *sender = add_peer(&f, 1, WINDOW);
    struct test_peer *receiver = add_peer(&f, 1, WINDOW);
    subscribe(&f, receiver, 0, "one");
    hold(&f, sender, receiver, "one");
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, test_peer_unsent(sender, 0) == 0);
    receiver->is_reading = true;
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, receiver->streams[0].message_count == 513);
    /* and the same again: what was held came back whole */
    hold(&f, sender, receiver, "one");
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, test_peer_unsent(sender, 0) == 0);
    receiver->is_reading = true;
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, receiver->streams[0].message_count == 1025);
    tear_down(&f);
}

static void receiver_that_dies_gives_back_what_was_held_for_it(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 0);
    struct test_peer *sender = add_peer(&f, 1, WINDOW);
    struct test_peer *receiver = add_peer(&f, 1, WINDOW);
    subscribe(&f, receiver, 0, "one");
    hold(&f, sender, receiver, "one");
    slim_grpc_call_finish(receiver->streams[0].call, SLIM_GRPC_CANCELLED, (struct slim_view){0},
                          false);
    receiver->streams[0].call = NULL;
    receiver->is_reading = true;
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, test_peer_unsent(sender, 0) == 0);
    publish(sender, "one", 512);
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, test_peer_unsent(sender, 0) == 0);
    tear_down(&f);
}

static void sender_that_dies_while_held_leaves_nothing_behind(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 0);
    struct test_peer *sender = add_peer(&f, 1, WINDOW);
    struct test_peer *receiver = add_peer(&f, 1, WINDOW);
    struct test_peer *other = add_peer(&f, 1, WINDOW);
    subscribe(&f, receiver, 0, "one");
    hold(&f, sender, receiver, "one");
    slim_grpc_call_finish(sender->streams[0].call, SLIM_GRPC_CANCELLED, (struct slim_view){0},
                          false);
    sender->streams[0].call = NULL;
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, stats(&f)->connections_closed == 1);
    receiver->is_reading = true;
    publish(other, "one", 100);
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, test_peer_unsent(other, 0) == 0);
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, receiver->streams[0].message_count > 100);
    tear_down(&f);
}

static void two_receivers_hold_one_sender_and_both_let_go(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 0);
    struct test_peer *sender = add_peer(&f, 1, WINDOW);
    struct test_peer *a = add_peer(&f, 1, WINDOW);
    struct test_peer *b = add_peer(&f, 1, WINDOW);
    subscribe(&f, a, 0, "one");
    subscribe(&f, b, 0, "two");
    a->is_reading = false;
    b->is_reading = false;
    for (int i = 0; i < 512; i++) {
        publish(sender, "one", 1);
        publish(sender, "two", 1);
    }
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, stats(&f)->hold_count >= 2);
    a->is_reading = true;
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, a->streams[0].message_count == 513);
    b->is_reading = true;
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, b->streams[0].message_count == 513);
    CHECK(test_peer_unsent(sender, 0) == 0);
    tear_down(&f);
}

static void sender_and_receiver_may_share_a_socket(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 0);
    struct test_peer *both = add_peer(&f, 2, WINDOW);
    subscribe(&f, both, 1, "one");
    hold(&f, both, both, "one");
    test_peer_release(both, 1);
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, both->streams[1].message_count == 513);
    hold(&f, both, both, "one");
    slim_grpc_call_finish(both->streams[1].call, SLIM_GRPC_CANCELLED, (struct slim_view){0}, false);
    both->streams[1].call = NULL;
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, test_peer_unsent(both, 0) == 0);
    tear_down(&f);
}

static void socket_that_breaks_takes_held_sender_and_receiver_with_it(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 0);
    struct test_peer *both = add_peer(&f, 2, WINDOW);
    subscribe(&f, both, 1, "one");
    hold(&f, both, both, "one");
    CHECK(shutdown(both->fd, SHUT_RDWR) == 0);
    both->is_closed = true;
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, stats(&f)->connections_closed == 2);
    tear_down(&f);
}

/* What is queued for a stream that we end has nobody who watches it: it must not pile up out of sight. */
static void stream_ended_for_bad_input_keeps_no_large_queue(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 0);
    struct test_peer *sender = add_peer(&f, 1, WINDOW);
    struct test_peer *receiver = add_peer(&f, 2, WINDOW);
    subscribe(&f, receiver, 0, "one");
    receiver->is_reading = false;
    publish(sender, "one", 512); /* 8 MiB */
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, test_peer_unsent(sender, 0) == 0);
    CHECK(stats(&f)->bytes_held > 6 * MIB);
    CHECK_OK(slim_grpc_call_put_message(receiver->streams[0].call, SLIM_VIEW("\xff")));
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, stats(&f)->malformed_count == 1);
    slim_loop_turn(f.loop, 0);
    CHECK(stats(&f)->bytes_held <= 3 * MIB);
    tear_down(&f);
}

static void largest_queue_goes_first_above_memory_max(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 16 * MIB);
    struct test_peer *sender = add_peer(&f, 1, WINDOW);
    struct test_peer *large = add_peer(&f, 1, WINDOW);
    struct test_peer *small = add_peer(&f, 1, WINDOW);
    subscribe(&f, large, 0, "one");
    subscribe(&f, small, 0, "two");
    small->is_reading = false;
    large->is_reading = false;
    publish(sender, "two", 64);
    publish(sender, "one", 1500);
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, stats(&f)->memory_max_count == 1);
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, test_peer_unsent(sender, 0) == 0);
    small->is_reading = true;
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, small->streams[0].message_count == 65);
    CHECK(stats(&f)->memory_max_count == 1 && !sender->streams[0].has_ended);
    CHECK(stats(&f)->bytes_held_peak <= 18 * MIB);
    tear_down(&f);
}

/* The connection whose message is being delivered may be the one that has to go. */
static void largest_queue_may_be_that_of_the_sender(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 8 * MIB);
    struct test_peer *victim = add_peer(&f, 1, WINDOW);
    struct test_peer *other = add_peer(&f, 1, WINDOW);
    struct test_peer *reader = add_peer(&f, 1, WINDOW);
    subscribe(&f, victim, 0, "one");
    subscribe(&f, reader, 0, "two");
    victim->is_reading = false;
    publish(other, "one", 350); /* 5.5 MiB for the victim */
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, test_peer_unsent(other, 0) == 0);
    reader->is_reading = false;
    publish(victim, "two", 400); /* and its own messages pass the limit */
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, stats(&f)->memory_max_count > 0);
    victim->is_reading = true;
    reader->is_reading = true;
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count,
                     victim->streams[0].has_ended || victim->is_closed ||
                         reader->streams[0].has_ended);
    tear_down(&f);
}

static void receiver_that_takes_nothing_is_disconnected(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 0);
    struct test_peer *sender = add_peer(&f, 1, WINDOW);
    struct test_peer *receiver = add_peer(&f, 1, WINDOW);
    subscribe(&f, receiver, 0, "one");
    receiver->is_reading = false;
    publish(sender, "one", 200);
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, stats(&f)->slow_stalled_count == 1);
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, stats(&f)->connections_closed == 1);
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, stats(&f)->bytes_held < MIB);
    CHECK(!sender->streams[0].has_ended);
    tear_down(&f);
}

enum { GULP_MS = 1900 };

/* Let time pass, then give the credit that the receiver held, once. */
static void gulp(struct fixture *f, struct test_peer *receiver)
{
    uint64_t end_ms = slim_loop_now_ms(f->loop) + GULP_MS;
    TEST_PEERS_UNTIL(f->loop, f->peers, f->count, slim_loop_now_ms(f->loop) >= end_ms);
    test_peer_release(receiver, 0);
    receiver->streams[0].is_holding = true;
}

/* It takes something every now and then, so it never counts as stopped by its silence. */
static void receiver_that_trickles_holds_nobody_back(void **state)
{
    (void)state;
    enum { SMALL_WINDOW = 65535, GULPS_TO_LEARN = 4 };
    struct fixture f;
    set_up(&f, 0);
    struct test_peer *sender = add_peer(&f, 1, WINDOW);
    struct test_peer *receiver = add_peer(&f, 1, SMALL_WINDOW);
    subscribe(&f, receiver, 0, "one");
    receiver->streams[0].is_holding = true;
    publish(sender, "one", 256);
    for (int i = 0; i < GULPS_TO_LEARN; i++) {
        gulp(&f, receiver);
    }
    publish(sender, "one", 512);
    gulp(&f, receiver); /* within one gap: no silence is long enough to release anything */
    CHECK(test_peer_unsent(sender, 0) == 0);
    CHECK_ROW("it is still there", !receiver->streams[0].has_ended);
    tear_down(&f);
}

/* A process that was stopped, or had no CPU, must not take its own silence for that of its receivers. */
static void receiver_is_not_blamed_for_time_that_we_slept(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 0);
    struct test_peer *sender = add_peer(&f, 1, WINDOW);
    struct test_peer *receiver = add_peer(&f, 1, WINDOW);
    subscribe(&f, receiver, 0, "one");
    receiver->streams[0].is_holding = true;
    publish(sender, "one", 20);
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, receiver->streams[0].message_count >= 4);
    for (int i = 0; i < 3; i++) {
        slim_loop_turn(f.loop, SLIM_DATAPATH_WATCH_PERIOD_MS);
    }
    test_peer_release(receiver, 0);
    test_peer_turn(receiver); /* its credit waits in our socket */
    CHECK(usleep((SLIM_DATAPATH_STALL_CLOSE_MS + 200) * 1000) == 0);
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, receiver->streams[0].message_count == 21);
    CHECK(stats(&f)->slow_stalled_count == 0);
    tear_down(&f);
}

static void peak_of_held_bytes_outlives_the_calm(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 0);
    struct test_peer *sender = add_peer(&f, 1, WINDOW);
    struct test_peer *receiver = add_peer(&f, 1, WINDOW);
    subscribe(&f, receiver, 0, "one");
    hold(&f, sender, receiver, "one");
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, test_peer_unsent(sender, 0) == 0);
    receiver->is_reading = true;
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, receiver->streams[0].message_count == 513);
    struct slim_block_pool *pool = slim_loop_pool(f.loop);
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count,
                     slim_block_pool_stats(pool)->bytes_peak < MIB); /* memory was given back */
    CHECK(stats(&f)->bytes_held_peak > 4 * MIB);
    tear_down(&f);
}

/* Subscribe names until the engine takes no more. */
static void fill_table(struct fixture *f, struct test_peer *peer)
{
    for (unsigned id = 0; stats(f)->subscription_refused_count == 0; id++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "n%u", id); /* fits */
        test_peer_subscribe(peer, 0, name, 1, 0);
        if (id % 500 == 499) {
            TEST_PEERS_UNTIL(f->loop, f->peers, f->count, test_peer_unsent(peer, 0) == 0);
        }
    }
}

static void table_that_is_full_costs_nobody_his_connection(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 8 * MIB);
    struct test_peer *sender = add_peer(&f, 1, WINDOW);
    struct test_peer *receiver = add_peer(&f, 1, WINDOW);
    struct test_peer *greedy = add_peer(&f, 1, WINDOW);
    subscribe(&f, receiver, 0, "one");
    fill_table(&f, greedy);
    publish(sender, "one", 100);
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, receiver->streams[0].message_count == 101);
    CHECK(stats(&f)->memory_max_count == 0);
    tear_down(&f);
}

/* What is kept for links that may come back counts too: it is a stranger's to fill. */
static void routes_kept_for_lost_links_count_as_memory(void **state)
{
    (void)state;
    enum { LINKS = 12, NAMES = 2000 };
    struct fixture f;
    set_up(&f, 4 * MIB);
    const struct slim_heap_stats *heap = slim_heap_stats(slim_loop_heap(f.loop));
    size_t before = heap->bytes_in_use;
    for (unsigned link = 0; link < LINKS; link++) {
        struct test_peer *peer = add_peer(&f, 1, WINDOW);
        char id[40];
        (void)snprintf(id, sizeof(id), "3f2504e0-4f89-41d3-9a0c-0305e82c33%02u", link); /* fits */
        test_peer_negotiate(peer, 0, id);
        for (unsigned n = 0; n < NAMES; n++) {
            char name[16];
            (void)snprintf(name, sizeof(name), "n%u", n); /* fits */
            test_peer_subscribe(peer, 0, name, 1, 1 + n);
        }
        TEST_PEERS_UNTIL(f.loop, f.peers, f.count, peer->streams[0].message_count == 1 + NAMES);
        test_peer_fini(peer);
        f.count--;
        TEST_PEERS_UNTIL(f.loop, f.peers, f.count, stats(&f)->connections_closed == link + 1);
        CHECK(link > 0 || heap->bytes_in_use - before >= NAMES * sizeof(struct slim_name_key));
    }
    CHECK(heap->bytes_in_use <= 2 * MIB);
    tear_down(&f);
}

/* Clients come and go by the thousand, subscribe, negotiate each other's link ids, and vanish in the middle of messages. */
static void connections_that_come_and_go_leave_nothing_behind(void **state)
{
    (void)state;
    enum { ROUNDS = 600, NAMES = 5 };
    struct fixture f;
    set_up(&f, 0);
    struct test_peer *sender = add_peer(&f, 1, WINDOW);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct test_peer *peer = add_peer(&f, 2, WINDOW);
        for (unsigned n = 0; n < NAMES; n++) {
            test_peer_subscribe(peer, n % 2, "one", 1 + n, n % 3);
        }
        test_peer_negotiate(peer, 0, "3f2504e0-4f89-41d3-9a0c-0305e82c3301");
        test_peer_negotiate(peer, 0,
                            "3f2504e0-4f89-41d3-9a0c-0305e82c3302"); /* only the first counts */
        test_peer_negotiate(peer, 1, "3f2504e0-4f89-41d3-9a0c-0305e82c3301"); /* in use already */
        publish(sender, "one", 1);
        for (unsigned turn = 0; turn < i % 5; turn++) {
            test_peer_turn(peer);
            test_peer_turn(sender);
            slim_loop_turn(f.loop, 0);
        }
        test_peer_fini(peer);
        f.count--;
    }
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, stats(&f)->connections_closed == 2 * ROUNDS);
    struct test_peer *last = add_peer(&f, 1, WINDOW);
    subscribe(&f, last, 0, "last");
    publish(sender, "last", 1);
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, last->streams[0].message_count == 2);
    tear_down(&f);
}

static void mark(void *ctx)
{
    *(bool *)ctx = true;
}

static void drain_waits_for_a_receiver_that_still_reads(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 0);
    struct test_peer *sender = add_peer(&f, 1, WINDOW);
    struct test_peer *receiver = add_peer(&f, 1, WINDOW);
    subscribe(&f, receiver, 0, "one");
    receiver->is_reading = false;
    publish(sender, "one", 200);
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, test_peer_unsent(sender, 0) == 0);
    bool is_drained = false;
    slim_datapath_drain(f.node, mark, &is_drained);
    receiver->is_reading = true;
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, is_drained);
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, receiver->streams[0].has_ended);
    CHECK(receiver->streams[0].message_count == 201);
    CHECK(receiver->streams[0].end_status == SLIM_GRPC_OK);
    tear_down(&f);
}

static void drain_does_not_wait_for_a_receiver_that_does_not_read(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, 0);
    struct test_peer *sender = add_peer(&f, 1, WINDOW);
    struct test_peer *receiver = add_peer(&f, 1, WINDOW);
    subscribe(&f, receiver, 0, "one");
    hold(&f, sender, receiver, "one");
    bool is_drained = false;
    slim_datapath_drain(f.node, mark, &is_drained);
    TEST_PEERS_UNTIL(f.loop, f.peers, f.count, is_drained);
    CHECK(slim_block_pool_stats(slim_loop_pool(f.loop))->bytes_in_use < MIB);
    tear_down(&f);
}

/* The process may end at any moment of all this. */
static void engine_can_be_freed_in_every_state(void **state)
{
    (void)state;
    for (size_t turns = 0; turns < 120; turns += 3) {
        struct fixture f;
        set_up(&f, 12 * MIB);
        struct test_peer *sender = add_peer(&f, 1, WINDOW);
        struct test_peer *receiver = add_peer(&f, 2, WINDOW);
        subscribe(&f, receiver, 0, "one");
        subscribe(&f, receiver, 1, "two");
        receiver->is_reading = false;
        publish(sender, "one", 400);
        publish(sender, "two", 400);
        bool is_drained = false;
        for (size_t i = 0; i < turns; i++) {
            for (size_t k = 0; k < f.count; k++) {
                test_peer_turn(&f.peers[k]);
            }
            slim_loop_turn(f.loop, 0);
            if (i == 60) {
                slim_datapath_drain(f.node, mark, &is_drained);
            }
        }
        tear_down(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sender_goes_on_when_its_receiver_stalls_and_nothing_is_lost),
        cmocka_unit_test(receiver_that_dies_gives_back_what_was_held_for_it),
        cmocka_unit_test(sender_that_dies_while_held_leaves_nothing_behind),
        cmocka_unit_test(two_receivers_hold_one_sender_and_both_let_go),
        cmocka_unit_test(sender_and_receiver_may_share_a_socket),
        cmocka_unit_test(socket_that_breaks_takes_held_sender_and_receiver_with_it),
        cmocka_unit_test(stream_ended_for_bad_input_keeps_no_large_queue),
        cmocka_unit_test(largest_queue_goes_first_above_memory_max),
        cmocka_unit_test(largest_queue_may_be_that_of_the_sender),
        cmocka_unit_test(receiver_that_takes_nothing_is_disconnected),
        cmocka_unit_test(receiver_that_trickles_holds_nobody_back),
        cmocka_unit_test(receiver_is_not_blamed_for_time_that_we_slept),
        cmocka_unit_test(peak_of_held_bytes_outlives_the_calm),
        cmocka_unit_test(table_that_is_full_costs_nobody_his_connection),
        cmocka_unit_test(routes_kept_for_lost_links_count_as_memory),
        cmocka_unit_test(connections_that_come_and_go_leave_nothing_behind),
        cmocka_unit_test(drain_waits_for_a_receiver_that_still_reads),
        cmocka_unit_test(drain_does_not_wait_for_a_receiver_that_does_not_read),
        cmocka_unit_test(engine_can_be_freed_in_every_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
