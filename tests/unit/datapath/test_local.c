/* Applications of one process: what they may ask of the engine, and what they are told (wire.md 5, 6, 9.2). */
#include "engine.h"

struct fixture {
    struct slim_loop *loop;
    struct slim_datapath *datapath;
    struct test_app a;
    struct test_app b;
    struct test_app c;
};

static void set_up(struct fixture *f)
{
    CHECK_OK(slim_loop_new(&f->loop));
    f->datapath = test_engine_new(f->loop);
    test_app_init(&f->a, f->datapath);
    test_app_init(&f->b, f->datapath);
    test_app_init(&f->c, f->datapath);
}

static void tear_down(struct fixture *f)
{
    test_app_fini(&f->a);
    test_app_fini(&f->b);
    test_app_fini(&f->c);
    slim_datapath_free(f->datapath);
    slim_loop_free(f->loop);
}

static const struct test_flags NONE = {0};

static void error_reports_are_those_of_the_reference(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    CHECK(test_unsubscribe(&f.a, "x", 1, NONE) == SLIM_ERR_NOT_FOUND);
    CHECK_VIEW(slim_buf_view(&f.a.last_error), "{\"error\":\"subscription not found\"}");
    CHECK(
        test_subscribe(&f.a, "x", 1, (struct test_flags){.has_recv_from = true, .recv_from = 77}) ==
        SLIM_ERR_NOT_FOUND);
    CHECK_VIEW(slim_buf_view(&f.a.last_error),
               "{\"error\":\"message processing error: connection not found: 77\"}");
    CHECK(test_subscribe(&f.a, "x", 1,
                         (struct test_flags){.has_forward_to = true, .forward_to = 77}) ==
          SLIM_ERR_NOT_FOUND);
    CHECK_VIEW(slim_buf_view(&f.a.last_error), "{\"error\":\"connection not found: 77\"}");
    CHECK(test_publish(&f.a, "noroute", SLIM_NAME_ANY, 1, NONE, 3) == SLIM_ERR_NO_ROUTE);
    CHECK_VIEW(slim_buf_view(&f.a.last_error),
               "{\"error\":\"message processing error: no matching found for "
               "org/ns/noroute/ffffffffffffffff\","
               "\"session_context\":{\"message_id\":3477968843,\"session_id\":3684865249,\"session_"
               "message_type\":5}}");
    CHECK(test_publish(&f.a, "b", 5, 1,
                       (struct test_flags){.has_forward_to = true, .forward_to = 99},
                       3) == SLIM_ERR_NOT_FOUND);
    CHECK_VIEW(slim_buf_view(&f.a.last_error),
               "{\"error\":\"message processing error: connection not found: 99\","
               "\"session_context\":{\"message_id\":3477968843,\"session_id\":3684865249,\"session_"
               "message_type\":5}}");
    CHECK(slim_datapath_submit(f.datapath, f.a.id, SLIM_VIEW("\xff")) == SLIM_ERR_MALFORMED);
    CHECK_VIEW(slim_buf_view(&f.a.last_error),
               "{\"error\":\"message processing error: malformed message\"}");
    CHECK(slim_datapath_submit(f.datapath, f.a.id, SLIM_VIEW("\x0a\x00")) == SLIM_ERR_INVALID);
    CHECK(f.a.error_count == 7 && f.b.error_count == 0);
    tear_down(&f);
}

static void quotes_in_names_are_escaped_in_reports(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    CHECK(test_publish(&f.a, "q\"\\\n", 1, 1, NONE, 0) == SLIM_ERR_NO_ROUTE);
    CHECK(slim_view_has_prefix(slim_buf_view(&f.a.last_error),
                               SLIM_VIEW("{\"error\":\"message processing error: no matching found "
                                         "for org/ns/q\\\"\\\\\\u000a/1\"")));
    tear_down(&f);
}

static void publishes_reach_who_subscribed_and_never_the_sender(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    CHECK_OK(test_subscribe(&f.a, "chat", SLIM_NAME_ANY, NONE));
    CHECK_OK(test_subscribe(&f.b, "chat", SLIM_NAME_ANY, NONE));
    CHECK_OK(test_subscribe(&f.c, "chat", 7, NONE));
    CHECK_OK(test_publish(&f.a, "chat", SLIM_NAME_ANY, 256, NONE, 10));
    CHECK(f.a.message_count == 0 && f.b.message_count == 1 && f.c.message_count == 1);
    CHECK(f.b.incoming_conn == f.a.id);
    CHECK_OK(test_publish(&f.a, "chat", 7, 1, NONE, 10000)); /* the id is known: only its holder */
    CHECK(f.b.message_count == 1 && f.c.message_count == 2);
    CHECK_OK(test_publish(&f.b, "chat", 7, 1,
                          (struct test_flags){.has_forward_to = true, .forward_to = f.b.id}, 1));
    CHECK_ROW("forward_to may name the sender itself", f.b.message_count == 2);
    struct slim_wire_head head;
    CHECK_OK(slim_wire_read_head(slim_buf_view(&f.b.last), &head));
    CHECK_ROW("forward_to does not leave", !head.has_forward_to && !head.has_recv_from);
    tear_down(&f);
}

static void recv_from_of_an_application_sets_a_route_for_another_connection(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct test_flags for_b = {.has_recv_from = true, .recv_from = f.b.id};
    CHECK_OK(test_subscribe(&f.a, "there", SLIM_NAME_ANY, for_b));
    CHECK_OK(test_publish(&f.a, "there", SLIM_NAME_ANY, 1, NONE, 1));
    CHECK(f.b.message_count == 1);
    CHECK_OK(test_unsubscribe(&f.a, "there", SLIM_NAME_ANY, for_b));
    CHECK(test_publish(&f.a, "there", SLIM_NAME_ANY, 1, NONE, 1) == SLIM_ERR_NO_ROUTE);
    tear_down(&f);
}

/* wire.md 10 no. 5: the reference hands a freed id to the next connection, and stale ids hit it. */
static void connection_ids_are_never_used_twice(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    uint64_t old_id = f.b.id;
    test_app_fini(&f.b);
    test_app_init(&f.b, f.datapath);
    CHECK(f.b.id != old_id && f.b.id != f.a.id && f.b.id != f.c.id);
    CHECK(test_publish(&f.a, "x", 1, 1,
                       (struct test_flags){.has_forward_to = true, .forward_to = old_id},
                       1) == SLIM_ERR_NOT_FOUND);
    tear_down(&f);
}

static void submit_again(void *ctx, uint64_t incoming_conn, const struct slim_wire_head *head,
                         struct slim_view msg, struct slim_block *block)
{
    (void)incoming_conn;
    (void)head;
    (void)block;
    struct test_app *app = ctx;
    CHECK(slim_datapath_submit(app->datapath, app->id, msg) == SLIM_ERR_STATE);
    app->message_count++;
}

static void submitting_from_inside_a_delivery_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    struct test_app eager = {.datapath = f.datapath};
    struct slim_datapath_app callbacks = {.on_message = submit_again, .ctx = &eager};
    CHECK_OK(slim_datapath_attach(f.datapath, &callbacks, &eager.id));
    CHECK_OK(test_subscribe(&eager, "eager", 1, NONE));
    CHECK_OK(test_publish(&f.a, "eager", 1, 1, NONE, 1));
    CHECK(eager.message_count == 1);
    test_app_fini(&eager);
    tear_down(&f);
}

static void detached_application_leaves_no_routes(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    CHECK_OK(test_subscribe(&f.b, "b", 1, NONE));
    test_app_fini(&f.b);
    CHECK(test_publish(&f.a, "b", 1, 1, NONE, 1) == SLIM_ERR_NO_ROUTE);
    test_app_init(&f.b, f.datapath);
    tear_down(&f);
}

static void sweep(void)
{
    struct slim_loop *loop;
    if (slim_loop_new(&loop) != SLIM_OK) {
        return;
    }
    struct slim_datapath_options options = {.slim_version = "1.4.0"};
    struct slim_datapath *datapath;
    if (slim_datapath_new(loop, &options, &datapath) == SLIM_OK) {
        struct slim_datapath_app app = {0};
        uint64_t id;
        if (slim_datapath_attach(datapath, &app, &id) == SLIM_OK) {
            slim_datapath_detach(datapath, id);
        }
        slim_datapath_free(datapath);
    }
    slim_loop_free(loop);
}

static void out_of_memory_at_start_is_a_status(void **state)
{
    (void)state;
    slim_sweep_alloc(sweep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_reports_are_those_of_the_reference),
        cmocka_unit_test(quotes_in_names_are_escaped_in_reports),
        cmocka_unit_test(publishes_reach_who_subscribed_and_never_the_sender),
        cmocka_unit_test(recv_from_of_an_application_sets_a_route_for_another_connection),
        cmocka_unit_test(connection_ids_are_never_used_twice),
        cmocka_unit_test(submitting_from_inside_a_delivery_is_refused),
        cmocka_unit_test(detached_application_leaves_no_routes),
        cmocka_unit_test(out_of_memory_at_start_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
