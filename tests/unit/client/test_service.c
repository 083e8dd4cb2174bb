/* Services: links, servers, the end (src/client/service.c). */
#include <string.h>
#include <sys/socket.h>

#include "world.h"

static struct slim_service *service_new(void)
{
    struct slim_service *service;
    CHECK_OK(slim_service_new("test", NULL, &service, NULL));
    return service;
}

static void a_link_comes_up_once_for_each_endpoint(void **state)
{
    (void)state;
    struct world world;
    struct slim_error error;
    uint64_t link = 99;
    uint64_t found = 98;
    world_init(&world);
    struct slim_service *service = service_new();
    CHECK(slim_service_connection(service, world.url, &found) == SLIM_ERR_NOT_FOUND);
    CHECK_OK(slim_connect(service, world.url, world_soon(), &link, &error));
    CHECK_OK(slim_service_connection(service, world.url, &found));
    CHECK(found == link);
    CHECK(slim_connect(service, world.url, world_soon(), &link, &error) == SLIM_ERR_EXISTS);
    CHECK_ROW(error.text, strstr(error.text, "client already connected: http://127.0.0.1:"));
    WORLD_DO(slim_service_disconnect(service, link, NULL));
    CHECK(slim_service_connection(service, world.url, &found) == SLIM_ERR_NOT_FOUND);
    CHECK(world_end(slim_service_disconnect(service, link, NULL), &error) == SLIM_ERR_NOT_FOUND);
    CHECK(strcmp(error.text, "datapath error\nCaused by:\n  -> disconnection error") == 0);
    CHECK_ROW("and again",
              slim_connect(service, world.url, world_soon(), &link, &error) == SLIM_OK);
    slim_service_unref(service);
    world_fini(&world);
}

static void a_link_waits_for_its_node(void **state)
{
    (void)state;
    char endpoint[WORLD_ENDPOINT_MAX];
    char url[4 * WORLD_ENDPOINT_MAX];
    struct slim_error error;
    uint64_t link;
    world_free_endpoint(endpoint);
    (void)snprintf(url, sizeof(url),
                   "{endpoint: \"http://%s\", tls: {insecure: true}, "
                   "backoff: {type: fixed_interval, interval: 20ms, max_attempts: 100000}}",
                   endpoint);
    struct slim_service *service = service_new();
    struct slim_service *node = service_new();
    CHECK(slim_connect(service, url, slim_in_ms(50), &link, &error) == SLIM_ERR_TIMEOUT);
    CHECK_ROW(error.text, strstr(error.text, "no connection to ") != NULL);
    WORLD_DO(slim_service_run_server(node, endpoint, NULL));
    (void)snprintf(url, sizeof(url), "http://%s", endpoint);
    while (slim_service_connection(service, url, &link) != SLIM_OK) {
        struct slim_queue *nobody;
        CHECK_OK(slim_queue_new(&nobody));
        CHECK(slim_queue_next(nobody, slim_in_ms(5)) == NULL);
        slim_queue_unref(nobody);
    }
    slim_service_unref(node);
    slim_service_unref(service);
}

static void connecting_can_be_taken_back(void **state)
{
    (void)state;
    struct world world;
    char endpoint[WORLD_ENDPOINT_MAX];
    char url[2 * WORLD_ENDPOINT_MAX];
    struct slim_error error;
    uint64_t link;
    world_free_endpoint(endpoint);
    (void)snprintf(url, sizeof(url), "http://%s", endpoint);
    world_init(&world);
    struct slim_service *service = service_new();
    for (int again = 0; again < 2; again++) {
        struct slim_op *connect = slim_service_connect(service, url, NULL);
        CHECK(slim_op_wait(connect, slim_in_ms(20), NULL) == SLIM_AGAIN);
        WORLD_DO(slim_service_stop_connect(service, connect, NULL));
        CHECK(slim_op_status(connect, &error) == SLIM_ERR_CLOSED);
        CHECK_ROW(error.text, strstr(error.text, "connecting was stopped") != NULL);
        WORLD_DO(slim_service_stop_connect(service, connect, NULL));
        slim_op_unref(connect);
    }
    struct slim_op *connect = slim_service_connect(service, world.url, NULL);
    CHECK(slim_op_wait(connect, world_soon(), &error) == SLIM_OK);
    CHECK_OK(slim_service_connection(service, world.url, &link));
    WORLD_DO(slim_service_stop_connect(service, connect, NULL));
    slim_op_unref(connect);
    CHECK(slim_service_connection(service, world.url, &link) == SLIM_ERR_NOT_FOUND);
    slim_service_unref(service);
    world_fini(&world);
}

static void a_link_that_gives_up_says_why(void **state)
{
    (void)state;
    char endpoint[WORLD_ENDPOINT_MAX];
    char client[4 * WORLD_ENDPOINT_MAX];
    struct slim_error error;
    world_free_endpoint(endpoint);
    (void)snprintf(client, sizeof(client),
                   "{endpoint: \"http://%s\", tls: {insecure: true}, "
                   "backoff: {type: fixed_interval, interval: 1ms, max_attempts: 2}}",
                   endpoint);
    struct slim_service *service = service_new();
    CHECK(world_end(slim_service_connect(service, client, NULL), &error) == SLIM_ERR_CONNECT);
    CHECK_ROW(error.text,
              strcmp(error.text, "datapath error\nCaused by:\n  -> configuration error\n"
                                 "  -> transport error\n  -> transport error\n"
                                 "  -> tcp connect error\n  -> tcp connect error\n"
                                 "  -> Connection refused (os error 111)") == 0);
    slim_service_unref(service);
}

static void a_server_listens_and_stops_by_its_endpoint(void **state)
{
    (void)state;
    struct world world;
    struct slim_error error;
    world_init(&world);
    struct slim_service *other = service_new();
    CHECK(world_end(slim_service_run_server(other, world.endpoint, NULL), &error) == SLIM_ERR_BIND);
    CHECK_ROW(error.text,
              strcmp(error.text,
                     "datapath error\nCaused by:\n  -> configuration error\n"
                     "  -> bind error\n  -> Address already in use (os error 98)") == 0);
    WORLD_DO(slim_service_stop_server(world.node, world.endpoint, NULL));
    CHECK(world_end(slim_service_stop_server(world.node, world.endpoint, NULL), &error) ==
          SLIM_ERR_NOT_FOUND);
    CHECK_ROW(error.text, strncmp(error.text, "server not found: 127.0.0.1:", 28) == 0);
    WORLD_DO(slim_service_run_server(other, world.endpoint, NULL));
    slim_service_unref(other);
    world_fini(&world);
}

static void nonsense_is_refused_with_the_references_sentences(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        bool is_server;
        const char *text;
        const char *want;
    } rows[] = {
        {"no endpoint", false, "", "missing grpc endpoint"},
        {"no server endpoint", true, "", "missing grpc endpoint"},
        {"a server needs an address", true, "here:x", "invalid socket address syntax"},
        {"a URI", false, "http://a<b:1", "invalid authority"},
        {"a host with a space", false, "http://a b:1", "invalid authority"},
        {"half a mapping", false, "{", "Caused by"},
    };
    struct slim_service *service = service_new();
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_error error = {.status = SLIM_OK};
        struct slim_op *op = rows[i].is_server
                                 ? slim_service_run_server(service, rows[i].text, NULL)
                                 : slim_service_connect(service, rows[i].text, NULL);
        CHECK_ROW(rows[i].why, world_end(op, &error) != SLIM_OK);
        if (strstr(error.text, rows[i].want) == NULL) {
            print_error("%s: got: %s\n", rows[i].why, error.text);
        }
        CHECK_ROW(rows[i].why, strstr(error.text, rows[i].want) != NULL);
    }
    slim_service_unref(service);
}

/* ---- the end */

static void shutdown_leaves_sessions_in_order_and_nothing_goes_on(void **state)
{
    (void)state;
    struct world world;
    struct world_app alice;
    struct world_app bob;
    struct slim_session *out;
    struct slim_session *in;
    struct slim_error error;
    uint64_t link;
    world_init(&world);
    world_app_init(&alice, &world, "org/ns/alice");
    world_app_init(&bob, &world, "org/ns/bob");
    world_pair(&alice, &bob, "org/ns/bob", false, &out, &in);
    struct slim_payload last = world_payload("last");
    struct slim_op *publish = slim_session_publish(out, &last, NULL);
    struct slim_op *first = slim_service_shutdown(alice.service, NULL);
    struct slim_op *second = slim_service_shutdown(alice.service, NULL);
    WORLD_DO(publish);
    WORLD_DO(first);
    WORLD_DO(second);
    world_expect(in, "last");
    world_expect_end(in, SLIM_ERR_CLOSED, "session closed");
    WORLD_DO(slim_session_delete(out, NULL));
    WORLD_DO(slim_session_delete(in, NULL));
    CHECK(world_end(slim_session_publish(out, &last, NULL), &error) == SLIM_ERR_CLOSED);
    CHECK(strcmp(error.text, "Session already closed or dropped") == 0);
    CHECK(slim_session_try_publish(out, &last, &error) == SLIM_ERR_CLOSED);
    world_expect_end(out, SLIM_ERR_CLOSED, "session closed");
    CHECK(slim_connect(alice.service, world.url, world_soon(), &link, &error) == SLIM_ERR_CLOSED);
    CHECK(strcmp(error.text, "the service is shut down") == 0);
    struct slim_session *none = NULL;
    CHECK(slim_app_listen(alice.app, world_soon(), &none, &error) == SLIM_ERR_CLOSED);
    struct slim_session_config config = world_config(SLIM_GROUP, false);
    struct slim_name channel = world_name("org/ns/room");
    CHECK(slim_session_open(alice.app, &config, &channel, world_soon(), &none, NULL) ==
          SLIM_ERR_CLOSED);
    CHECK(slim_app_new_with_secret(alice.service, &channel, WORLD_SECRET, &alice.app, &error) ==
          SLIM_ERR_CLOSED);
    WORLD_DO(slim_service_shutdown(alice.service, NULL));
    slim_session_unref(out);
    slim_session_unref(in);
    world_app_fini(&alice);
    world_app_fini(&bob);
    world_fini(&world);
}

static void a_link_that_never_came_up_ends_with_the_service(void **state)
{
    (void)state;
    char url[WORLD_ENDPOINT_MAX + 8] = "http://";
    struct slim_error error;
    world_free_endpoint(url + 7);
    struct slim_service *service = service_new();
    struct slim_op *op = slim_service_connect(service, url, NULL);
    struct slim_op *again = slim_service_connect(service, url, NULL);
    CHECK(slim_op_wait(again, world_soon(), NULL) == SLIM_ERR_EXISTS);
    WORLD_DO(slim_service_shutdown(service, NULL));
    CHECK(world_end(op, &error) != SLIM_OK);
    slim_op_unref(again);
    op = slim_service_connect(service, url, NULL);
    slim_service_unref(service);
    CHECK_ROW("unref ends what is under way", world_end(op, &error) == SLIM_ERR_CLOSED);
    service = service_new();
    op = slim_service_connect(service, url, NULL);
    slim_service_unref(service);
    CHECK_ROW("also without a shutdown", world_end(op, &error) == SLIM_ERR_CLOSED);
}

static void requests_that_never_ran_leave_nothing_behind(void **state)
{
    (void)state;
    int64_t live = slim_test_alloc_live();
    for (size_t turn = 0; turn < 50; turn++) {
        struct slim_service *service = service_new();
        struct slim_app *app;
        struct slim_name name = world_name("org/ns/a");
        struct slim_session *session;
        struct slim_session_config config = world_config(SLIM_GROUP, false);
        CHECK_OK(slim_app_new_with_secret(service, &name, WORLD_SECRET, &app, NULL));
        slim_op_unref(slim_app_create_session(app, &config, &name, NULL, &session));
        slim_op_unref(slim_service_shutdown(service, NULL));
        struct slim_payload payload = world_payload("unsent");
        slim_op_unref(slim_session_publish(session, &payload, NULL));
        slim_op_unref(slim_session_publish_to(session, &name, &payload, NULL));
        slim_op_unref(slim_session_invite(session, &name, NULL));
        slim_op_unref(slim_app_subscribe(app, &name, SLIM_ANY_ID, NULL));
        slim_op_unref(slim_service_connect(service, "http://127.0.0.1:1", NULL));
        slim_op_unref(slim_service_stop_server(service, "127.0.0.1:1", NULL));
        slim_session_unref(session);
        slim_app_unref(app);
        slim_service_unref(service);
    }
    CHECK(slim_test_alloc_live() <= live + 8); /* what libraries keep for themselves, once */
}

static void services_know_nothing_of_each_other(void **state)
{
    (void)state;
    struct slim_service *first = service_new();
    struct slim_service *second = service_new();
    struct slim_app *alice;
    struct slim_app *bob;
    struct slim_app *carol;
    struct slim_error error;
    struct slim_session *session = NULL;
    struct slim_name name = world_name("org/ns/alice");
    struct slim_name bob_name = world_name("org/ns/bob");
    struct slim_session_config config = world_config(SLIM_POINT_TO_POINT, false);
    CHECK_OK(slim_app_new_with_secret(first, &name, WORLD_SECRET, &alice, &error));
    CHECK_OK(slim_app_new_with_secret(second, &bob_name, WORLD_SECRET, &bob, &error));
    CHECK(slim_session_open(alice, &config, &bob_name, world_soon(), &session, &error) ==
          SLIM_ERR_NO_ROUTE);
    CHECK_ROW(error.text,
              strncmp(error.text,
                      "failed to add participant to session\nCaused by:\n  -> send failure "
                      "reported from slim: ErrorPayload: message processing error: no matching "
                      "found for org/ns/bob/ffffffffffffffff (session_id=",
                      100) == 0);
    CHECK_ROW("error text", strstr(error.text, "session_message_type=DiscoveryRequest)") != NULL);
    CHECK_OK(slim_app_new_with_secret(first, &bob_name, WORLD_SECRET, &carol, &error));
    CHECK_ROW("applications of one service reach each other without routes",
              slim_session_open(alice, &config, &bob_name, world_soon(), &session, &error) ==
                  SLIM_OK);
    slim_session_unref(session);
    slim_app_unref(carol);
    slim_app_unref(bob);
    slim_app_unref(alice);
    slim_service_unref(second);
    slim_service_unref(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_comes_up_once_for_each_endpoint),
        cmocka_unit_test(a_link_waits_for_its_node),
        cmocka_unit_test(connecting_can_be_taken_back),
        cmocka_unit_test(a_link_that_gives_up_says_why),
        cmocka_unit_test(a_server_listens_and_stops_by_its_endpoint),
        cmocka_unit_test(nonsense_is_refused_with_the_references_sentences),
        cmocka_unit_test(shutdown_leaves_sessions_in_order_and_nothing_goes_on),
        cmocka_unit_test(a_link_that_never_came_up_ends_with_the_service),
        cmocka_unit_test(requests_that_never_ran_leave_nothing_behind),
        cmocka_unit_test(services_know_nothing_of_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
