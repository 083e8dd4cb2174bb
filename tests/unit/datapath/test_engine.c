/* Two engines over real sockets: links, reconnection, restored subscriptions, negotiation, drain (wire.md 7, 11). */
#include "engine.h"

static const struct test_flags NONE = {0};
static const char LINK_ID[] = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";

/* node: listens. client: connects to it, with an application `near`; `far` is an application on the node. */
struct fixture {
    struct slim_loop *loop;
    uint16_t port;
    struct slim_datapath *node;
    struct slim_datapath *client;
    struct test_app far;
    struct test_app near;
    uint64_t link;
};

static void start_node(struct fixture *f)
{
    f->node = test_engine_new(f->loop);
    test_engine_listen(f->node, f->port);
    test_app_init(&f->far, f->node);
}

static void stop_node(struct fixture *f)
{
    test_app_fini(&f->far);
    slim_datapath_free(f->node);
    f->node = NULL;
}

static void set_up(struct fixture *f, const char *link_id)
{
    CHECK_OK(slim_loop_new(&f->loop));
    f->port = test_free_port();
    start_node(f);
    f->client = test_engine_new(f->loop);
    test_app_init(&f->near, f->client);
    test_engine_connect(f->client, f->port, link_id, &f->link);
    TEST_TURN_UNTIL(f->loop, f->link != UINT64_MAX);
}

static void tear_down(struct fixture *f)
{
    test_app_fini(&f->near);
    slim_datapath_free(f->client);
    if (f->node != NULL) {
        stop_node(f);
    }
    slim_loop_turn(f->loop, 0);
    slim_loop_free(f->loop);
}

/* Subscribe near's name on the node, as App.subscribe does. */
static void announce(struct fixture *f, const char *name)
{
    CHECK_OK(test_subscribe(&f->near, name, 9,
                            (struct test_flags){.has_forward_to = true, .forward_to = f->link}));
}

/* The same where memory may be missing: encoded before, and it may fail. */
static enum slim_status try_to_announce(struct fixture *f, const char *name)
{
    struct slim_wire_name names = test_name(name, 9);
    struct slim_wire_subscription message = {
        .source = names.name,
        .source_text = names.text,
        .destination = names.name,
        .destination_text = names.text,
        .fanout = 1,
        .has_forward_to = true,
        .forward_to = f->link,
    };
    struct slim_buf encoded = {0};
    enum slim_status status = slim_wire_put_subscription(&encoded, &message);
    if (status == SLIM_OK) {
        status = slim_datapath_submit(f->client, f->near.id, slim_buf_view(&encoded));
    }
    slim_buf_fini(&encoded);
    return status;
}

/* Publish from far until near has got `count` more messages: subscriptions travel for a moment. */
static void publish_until(struct fixture *f, const char *name, size_t count)
{
    size_t want = f->near.message_count + count;
    uint64_t end_ms = slim_loop_now_ms(f->loop) + 20000;
    while (f->near.message_count < want) {
        if (test_publish(&f->far, name, 9, 1, NONE, 100) == SLIM_OK) {
            TEST_TURN_UNTIL(f->loop, f->near.message_count >= want);
        }
        slim_loop_turn(f->loop, 10);
        CHECK(slim_loop_now_ms(f->loop) < end_ms);
    }
}

static void message_travels_both_ways(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, NULL);
    announce(&f, "near");
    publish_until(&f, "near", 1);
    CHECK(f.near.incoming_conn == f.link);
    CHECK_OK(test_subscribe(&f.far, "far", 3, NONE));
    static const size_t sizes[] = {0, 1, 100, 8000, 9000, 16384, 70000, 1000000, 4194304 - 200};
    for (size_t i = 0; i < SLIM_COUNT(sizes); i++) {
        CHECK_OK(test_publish(&f.near, "far", 3, 1,
                              (struct test_flags){.has_forward_to = true, .forward_to = f.link},
                              sizes[i]));
        TEST_TURN_UNTIL(f.loop, f.far.message_count == i + 1);
        CHECK(f.far.last.len >= sizes[i]);
    }
    CHECK(test_publish(&f.near, "far", 3, 1,
                       (struct test_flags){.has_forward_to = true, .forward_to = f.link},
                       4194304) == SLIM_ERR_LIMIT);
    tear_down(&f);
}

static void many_messages_arrive_in_order_and_complete(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct fixture f;
    set_up(&f, NULL);
    CHECK_OK(test_subscribe(&f.far, "far", 3, NONE));
    for (size_t i = 0; i < COUNT; i++) {
        CHECK_OK(test_publish(&f.near, "far", 3, 1,
                              (struct test_flags){.has_forward_to = true, .forward_to = f.link},
                              i % 700));
        if (i % 500 == 0) {
            slim_loop_turn(f.loop, 0);
        }
    }
    TEST_TURN_UNTIL(f.loop, f.far.message_count == COUNT);
    CHECK(slim_datapath_stats(f.node)->messages_delivered >= COUNT);
    tear_down(&f);
}

/* wire.md 7.4 no. 3: the reference gives up for good when the node is just starting or stopping. */
static void link_does_not_give_up_after_a_failed_reconnection(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, NULL);
    announce(&f, "near");
    publish_until(&f, "near", 1);
    stop_node(&f);
    uint64_t until_ms = slim_loop_now_ms(f.loop) + 300; /* several attempts fail */
    while (slim_loop_now_ms(f.loop) < until_ms) {
        slim_loop_turn(f.loop, 10);
    }
    start_node(&f);
    publish_until(&f, "near", 1);
    CHECK_ROW("the connection keeps its id", f.near.incoming_conn == f.link);
    CHECK(slim_datapath_stats(f.client)->reconnect_count == 1);
    tear_down(&f);
}

static void applications_are_told_when_a_link_goes_down_and_comes_up_again(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, NULL);
    CHECK_ROW("the first connect has its own answer", f.near.up_count == 0);
    stop_node(&f);
    TEST_TURN_UNTIL(f.loop, f.near.down_count == 1);
    CHECK(f.near.link_conn == f.link && f.near.up_count == 0);
    start_node(&f);
    TEST_TURN_UNTIL(f.loop, f.near.up_count == 1);
    CHECK(f.near.link_conn == f.link && f.near.down_count == 1);
    tear_down(&f);
}

static void unsubscribed_name_is_not_restored(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, NULL);
    announce(&f, "gone");
    announce(&f, "kept");
    publish_until(&f, "kept", 1);
    CHECK_OK(test_unsubscribe(&f.near, "gone", 9,
                              (struct test_flags){.has_forward_to = true, .forward_to = f.link}));
    stop_node(&f);
    start_node(&f);
    publish_until(&f, "kept", 1);
    CHECK(test_publish(&f.far, "gone", 9, 1, NONE, 1) == SLIM_ERR_NO_ROUTE);
    tear_down(&f);
}

static void subscription_made_while_the_link_is_down_is_sent_when_it_is_back(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, NULL);
    stop_node(&f);
    TEST_TURN_UNTIL(f.loop,
                    test_publish(&f.near, "x", 1, 1,
                                 (struct test_flags){.has_forward_to = true, .forward_to = f.link},
                                 1) == SLIM_ERR_NOT_FOUND);
    announce(&f, "late");
    start_node(&f);
    publish_until(&f, "late", 1);
    tear_down(&f);
}

static void second_connect_to_the_same_endpoint_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, NULL);
    char endpoint[48];
    (void)snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%u", (unsigned)f.port);
    struct slim_config_client client = {.endpoint = endpoint};
    struct slim_error error = {0};
    CHECK(slim_datapath_connect(f.client, &client, NULL, NULL, &error) == SLIM_ERR_EXISTS);
    CHECK(strncmp(error.text, "client already connected: ", 26) == 0);
    CHECK_OK(slim_datapath_disconnect(f.client, f.link));
    CHECK(slim_datapath_disconnect(f.client, f.link) == SLIM_ERR_NOT_FOUND);
    uint64_t again;
    test_engine_connect(f.client, f.port, NULL, &again);
    TEST_TURN_UNTIL(f.loop, again != UINT64_MAX);
    tear_down(&f);
}

/* The routes of a negotiated link are kept while it is away, and given to its next connection (wire.md 11.4). */
static void negotiated_link_finds_its_routes_again(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, LINK_ID);
    /* subscribed with an id, which a reconnecting client does not repeat: only the node can know it */
    CHECK_OK(test_subscribe(
        &f.near, "near", 9,
        (struct test_flags){.has_forward_to = true, .forward_to = f.link, .subscription_id = 5}));
    publish_until(&f, "near", 1);
    CHECK_OK(slim_datapath_disconnect(f.client, f.link));
    TEST_TURN_UNTIL(f.loop, slim_datapath_stats(f.node)->connections_closed == 1);
    CHECK(test_publish(&f.far, "near", 9, 1, NONE, 1) == SLIM_ERR_NO_ROUTE);
    uint64_t again;
    test_engine_connect(f.client, f.port, LINK_ID, &again);
    TEST_TURN_UNTIL(f.loop, again != UINT64_MAX);
    f.link = again;
    publish_until(&f, "near", 1);
    tear_down(&f);
}

static void mark(void *ctx)
{
    *(bool *)ctx = true;
}

static void drain_flushes_and_ends_every_stream(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f, NULL);
    announce(&f, "near");
    publish_until(&f, "near", 1);
    enum { COUNT = 1000 }; /* more than the windows of the peer take at once */
    size_t before = f.near.message_count;
    for (int i = 0; i < COUNT; i++) {
        CHECK_OK(test_publish(&f.far, "near", 9, 1, NONE, 5000));
    }
    bool is_drained = false;
    slim_datapath_drain(f.node, mark, &is_drained);
    char any_port[] = "127.0.0.1:0";
    struct slim_config_server server = {.endpoint = any_port};
    CHECK(slim_datapath_listen(f.node, &server, NULL) == SLIM_ERR_STATE);
    TEST_TURN_UNTIL(f.loop, is_drained);
    TEST_TURN_UNTIL(f.loop, f.near.message_count == before + COUNT);
    tear_down(&f);
}

#ifndef SLIM_POOL_DEBUG /* else pools hand everything to malloc, on purpose */
static void publish_path_allocates_nothing(void **state)
{
    (void)state;
    enum { WARM_UP = 20000, COUNT = 100000, BATCH = 100 };
    struct fixture f;
    set_up(&f, NULL);
    CHECK_OK(test_subscribe(&f.far, "far", 3, NONE));
    struct slim_buf encoded = {0};
    CHECK_OK(test_publish(&f.near, "far", 3, 1,
                          (struct test_flags){.has_forward_to = true, .forward_to = f.link}, 128));
    TEST_TURN_UNTIL(f.loop, f.far.message_count == 1);
    CHECK_OK(slim_buf_put(&encoded, slim_buf_view(&f.far.last)));
    /* a route instead of forward_to, so that the message goes on as it is */
    CHECK_OK(test_subscribe(&f.near, "far", 3,
                            (struct test_flags){.has_recv_from = true, .recv_from = f.link}));
    uint64_t count_before = 0;
    for (size_t i = 0; i < WARM_UP + COUNT; i++) {
        if (i == WARM_UP) {
            TEST_TURN_UNTIL(f.loop, f.far.message_count == 1 + i);
            count_before = slim_test_alloc_count();
        }
        CHECK_OK(slim_datapath_submit(f.client, f.near.id, slim_buf_view(&encoded)));
        if (i % BATCH == 0) {
            slim_loop_turn(f.loop, 0);
        }
    }
    TEST_TURN_UNTIL(f.loop, f.far.message_count == 1 + WARM_UP + COUNT);
    CHECK(slim_test_alloc_count() == count_before);
    slim_buf_fini(&encoded);
    tear_down(&f);
}
#endif

/* Some allocation fails while a subscription and a message travel: whatever breaks is reported or connected again, and
 * nothing hangs. */
static void one_failed_allocation_is_survived(void **state)
{
    (void)state;
    struct slim_buf encoded = {0};
    test_put_publish(&encoded, 1, "near", 9, 1, NONE, 20000);
    bool has_failed = true;
    for (uint64_t n = 1; has_failed; n++) {
        struct fixture f;
        set_up(&f, NULL);
        slim_test_alloc_fail_at(n);
        uint64_t end_ms = slim_loop_now_ms(f.loop) + 20000;
        for (size_t turn = 0; f.near.message_count == 0; turn++) {
            if (turn % 20 == 0) {
                enum slim_status status = try_to_announce(&f, "near");
                CHECK(status == SLIM_OK || status == SLIM_ERR_NO_MEMORY);
            }
            enum slim_status status =
                slim_datapath_submit(f.node, f.far.id, slim_buf_view(&encoded));
            CHECK_ROW("no reason of its own", status == SLIM_OK || status == SLIM_ERR_NO_ROUTE ||
                                                  status == SLIM_ERR_NO_MEMORY ||
                                                  status == SLIM_ERR_NOT_FOUND);
            slim_loop_turn(f.loop, 5);
            CHECK_ROW("no message came any more", slim_loop_now_ms(f.loop) < end_ms);
        }
        has_failed = slim_test_alloc_has_failed();
        slim_test_alloc_fail_at(0);
        tear_down(&f);
    }
    slim_buf_fini(&encoded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message_travels_both_ways),
        cmocka_unit_test(many_messages_arrive_in_order_and_complete),
        cmocka_unit_test(link_does_not_give_up_after_a_failed_reconnection),
        cmocka_unit_test(applications_are_told_when_a_link_goes_down_and_comes_up_again),
        cmocka_unit_test(unsubscribed_name_is_not_restored),
        cmocka_unit_test(subscription_made_while_the_link_is_down_is_sent_when_it_is_back),
        cmocka_unit_test(second_connect_to_the_same_endpoint_is_refused),
        cmocka_unit_test(negotiated_link_finds_its_routes_again),
        cmocka_unit_test(drain_flushes_and_ends_every_stream),
        cmocka_unit_test(one_failed_allocation_is_survived),
#ifndef SLIM_POOL_DEBUG
        cmocka_unit_test(publish_path_allocates_nothing),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
