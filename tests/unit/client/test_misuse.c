/* What makes no sense gets a status and a sentence. */
#include <string.h>

#include "world.h"

struct local {
    struct slim_service *service;
    struct slim_app *app;
    struct slim_session *session;
};

static void local_init(struct local *local)
{
    struct slim_name name = world_name("org/ns/alice");
    struct slim_session_config config = world_config(SLIM_GROUP, false);
    CHECK_OK(slim_service_new(NULL, NULL, &local->service, NULL));
    CHECK_OK(slim_app_new_with_secret(local->service, &name, WORLD_SECRET, &local->app, NULL));
    CHECK_OK(slim_session_open(local->app, &config, &name, world_soon(), &local->session, NULL));
}

static void local_fini(struct local *local)
{
    slim_session_unref(local->session);
    slim_app_unref(local->app);
    slim_service_unref(local->service);
}

static void refused(const char *why, struct slim_op *op)
{
    struct slim_error error = {.status = SLIM_OK};
    CHECK_ROW(why, slim_op_status(op, &error) == SLIM_ERR_ARGUMENT && error.text[0] != 0);
    slim_op_unref(op);
}

#define REFUSED(op) refused(#op, op)

static void nothing_instead_of_an_object_is_an_argument_error(void **state)
{
    (void)state;
    struct local local;
    struct slim_error error;
    struct slim_name name = world_name("org/ns/bob");
    struct slim_payload payload = world_payload("x");
    struct slim_session_config config = world_config(SLIM_GROUP, false);
    struct slim_session *session = NULL;
    struct slim_app *app = NULL;
    struct slim_message *message = NULL;
    struct slim_name_list *list = NULL;
    uint64_t link;
    local_init(&local);
    REFUSED(slim_service_connect(NULL, "http://127.0.0.1:1", NULL));
    REFUSED(slim_service_disconnect(NULL, 0, NULL));
    REFUSED(slim_service_run_server(NULL, "127.0.0.1:1", NULL));
    REFUSED(slim_service_stop_server(NULL, "127.0.0.1:1", NULL));
    REFUSED(slim_service_stop_server(local.service, NULL, NULL));
    REFUSED(slim_service_stop_connect(local.service, NULL, NULL));
    REFUSED(slim_service_shutdown(NULL, NULL));
    REFUSED(slim_app_subscribe(NULL, &name, 0, NULL));
    REFUSED(slim_app_subscribe(local.app, NULL, 0, NULL));
    REFUSED(slim_app_set_route(local.app, NULL, 0, NULL));
    REFUSED(slim_app_await_session(NULL, NULL));
    REFUSED(slim_app_create_session(NULL, &config, &name, NULL, &session));
    REFUSED(slim_app_create_session(local.app, NULL, &name, NULL, &session));
    REFUSED(slim_app_create_session(local.app, &config, NULL, NULL, &session));
    REFUSED(slim_app_create_session(local.app, &config, &name, NULL, NULL));
    REFUSED(slim_session_publish(NULL, &payload, NULL));
    REFUSED(slim_session_publish(local.session, NULL, NULL));
    REFUSED(slim_session_publish_to(local.session, NULL, &payload, NULL));
    REFUSED(slim_session_invite(NULL, &name, NULL));
    REFUSED(slim_session_invite(local.session, NULL, NULL));
    REFUSED(slim_session_remove(local.session, NULL, NULL));
    REFUSED(slim_session_delete(NULL, NULL));
    REFUSED(slim_session_await_writable(NULL, NULL));
    REFUSED(slim_session_await_message(NULL, NULL));
    CHECK(slim_service_new("x", NULL, NULL, &error) == SLIM_ERR_ARGUMENT);
    CHECK(slim_connect(NULL, "x", 0, &link, &error) == SLIM_ERR_ARGUMENT);
    CHECK(slim_service_connection(NULL, "x", &link) == SLIM_ERR_ARGUMENT);
    CHECK(slim_app_new_with_secret(NULL, &name, WORLD_SECRET, &app, NULL) == SLIM_ERR_ARGUMENT);
    CHECK(slim_app_new_with_secret(local.service, NULL, WORLD_SECRET, &app, NULL) ==
          SLIM_ERR_ARGUMENT);
    CHECK(slim_app_listen(NULL, 0, &session, NULL) == SLIM_ERR_ARGUMENT);
    CHECK(slim_app_listen(local.app, 0, NULL, NULL) == SLIM_ERR_ARGUMENT);
    CHECK(slim_session_receive(NULL, 0, &message, NULL) == SLIM_ERR_ARGUMENT);
    CHECK(slim_session_receive(local.session, 0, NULL, NULL) == SLIM_ERR_ARGUMENT);
    CHECK(slim_session_try_publish(NULL, &payload, NULL) == SLIM_ERR_ARGUMENT);
    CHECK(slim_session_participants(NULL, &list, NULL) == SLIM_ERR_ARGUMENT);
    CHECK(slim_session_participants(local.session, NULL, NULL) == SLIM_ERR_ARGUMENT);
    CHECK(slim_op_status(NULL, NULL) == SLIM_ERR_ARGUMENT && !slim_op_cancel(NULL));
    CHECK(slim_op_wait(NULL, SLIM_FOREVER, NULL) == SLIM_ERR_ARGUMENT);
    CHECK(slim_finish(NULL, SLIM_FOREVER, NULL) == SLIM_ERR_ARGUMENT);
    CHECK(slim_queue_next(NULL, SLIM_FOREVER) == NULL && slim_queue_fd(NULL) == -1);
    CHECK(slim_name_parse(NULL, &name) == SLIM_ERR_ARGUMENT);
    CHECK(slim_name_print(NULL, NULL, 0) == 0);
    CHECK(slim_app_name(NULL) == NULL && slim_session_info(NULL) == NULL);
    CHECK(slim_message_look(NULL) == NULL && slim_op_user(NULL) == NULL);
    slim_op_unref(NULL);
    slim_queue_unref(NULL);
    slim_session_unref(NULL);
    slim_app_unref(NULL);
    slim_service_unref(NULL);
    slim_message_unref(NULL);
    slim_name_list_free(NULL);
    local_fini(&local);
}

static void nothing_instead_of_what_is_left_is_an_argument_error_too(void **state)
{
    (void)state;
    struct local local;
    struct slim_error error = {.status = SLIM_OK};
    struct slim_name name = world_name("org/ns/bob");
    struct slim_session_config config = world_config(SLIM_GROUP, false);
    struct slim_session *session = NULL;
    struct slim_app *app = NULL;
    local_init(&local);
    REFUSED(slim_app_unsubscribe(NULL, &name, 0, NULL));
    REFUSED(slim_app_unsubscribe(local.app, NULL, 0, NULL));
    REFUSED(slim_app_remove_route(NULL, &name, 0, NULL));
    REFUSED(slim_app_remove_route(local.app, NULL, 0, NULL));
    CHECK(slim_session_open(NULL, &config, &name, 0, &session, &error) == SLIM_ERR_ARGUMENT);
    CHECK(slim_session_open(local.app, NULL, &name, 0, &session, &error) == SLIM_ERR_ARGUMENT);
    CHECK(slim_session_open(local.app, &config, NULL, 0, &session, &error) == SLIM_ERR_ARGUMENT);
    CHECK(slim_session_open(local.app, &config, &name, 0, NULL, &error) == SLIM_ERR_ARGUMENT);
    CHECK(error.text[0] != 0 && session == NULL);
    CHECK(slim_app_join(NULL, &name, WORLD_SECRET, 0, &app, &error) == SLIM_ERR_ARGUMENT);
    CHECK(slim_app_join("http://127.0.0.1:1", NULL, WORLD_SECRET, 0, &app, &error) ==
          SLIM_ERR_ARGUMENT);
    CHECK(slim_app_join("http://127.0.0.1:1", &name, NULL, 0, &app, &error) == SLIM_ERR_ARGUMENT);
    CHECK(slim_app_join("http://127.0.0.1:1", &name, WORLD_SECRET, 0, NULL, &error) ==
          SLIM_ERR_ARGUMENT);
    CHECK(error.text[0] != 0 && app == NULL);
    CHECK(slim_queue_new(NULL) == SLIM_ERR_ARGUMENT);
    CHECK(slim_op_notify(NULL, NULL) == SLIM_ERR_ARGUMENT);
    CHECK(slim_op_ref(NULL) == NULL && slim_queue_ref(NULL) == NULL);
    CHECK(slim_service_ref(NULL) == NULL && slim_app_ref(NULL) == NULL);
    CHECK(slim_session_ref(NULL) == NULL);
    CHECK(slim_op_connection(NULL) == 0 && slim_session_is_over(NULL));
    CHECK(strlen(slim_status_phrase((enum slim_status)4711)) > 0 && strlen(slim_version()) > 0);
    CHECK(slim_log_start(-1, NULL) == SLIM_ERR_ARGUMENT);
    local_fini(&local);
}

/* Each keeps alive what it stands on. */
static void objects_may_be_given_back_in_any_order(void **state)
{
    (void)state;
    for (int order = 0; order < 6; order++) {
        struct local local;
        struct slim_payload payload = world_payload("x");
        struct slim_name name = world_name("org/ns/bob");
        local_init(&local);
        for (int i = 0; i < 3; i++) {
            switch ((order + (order < 3 ? i : 2 * i)) % 3) {
            case 0:
                slim_session_unref(local.session);
                local.session = NULL;
                break;
            case 1:
                slim_app_unref(local.app);
                local.app = NULL;
                break;
            default:
                slim_service_unref(local.service);
                local.service = NULL;
            }
            if (local.session != NULL) { /* whatever it says, it says it */
                struct slim_error error = {.status = SLIM_OK};
                enum slim_status status = slim_session_try_publish(local.session, &payload, &error);
                CHECK(status == SLIM_OK || error.text[0] != 0);
                slim_op_unref(slim_session_invite(local.session, &name, NULL));
                CHECK(slim_session_info(local.session) != NULL);
            }
            if (local.app != NULL) {
                slim_op_unref(slim_app_subscribe(local.app, &name, SLIM_ANY_ID, NULL));
                CHECK(slim_app_name(local.app) != NULL);
            }
        }
    }
}

static void what_is_over_says_so(void **state)
{
    (void)state;
    struct local local;
    struct slim_error error = {.status = SLIM_OK};
    struct slim_name name = world_name("org/ns/bob");
    struct slim_payload payload = world_payload("x");
    struct slim_name_list *list = NULL;
    struct slim_message *message = NULL;
    local_init(&local);
    CHECK_OK(slim_finish(slim_session_delete(local.session, NULL), world_soon(), &error));
    CHECK(slim_session_is_over(local.session));
    struct slim_op *ops[] = {
        slim_session_publish(local.session, &payload, NULL),
        slim_session_publish_to(local.session, &name, &payload, NULL),
        slim_session_invite(local.session, &name, NULL),
        slim_session_remove(local.session, &name, NULL),
    };
    for (size_t i = 0; i < SLIM_COUNT(ops); i++) {
        error.text[0] = 0;
        CHECK(slim_finish(ops[i], world_soon(), &error) != SLIM_OK && error.text[0] != 0);
    }
    CHECK(slim_session_try_publish(local.session, &payload, &error) == SLIM_ERR_CLOSED);
    CHECK(slim_session_participants(local.session, &list, &error) != SLIM_OK && list == NULL);
    CHECK(slim_session_receive(local.session, world_soon(), &message, &error) != SLIM_OK);
    CHECK(message == NULL && error.text[0] != 0);
    CHECK_OK(slim_finish(slim_session_delete(local.session, NULL), world_soon(), &error));
    CHECK_OK(slim_finish(slim_service_shutdown(local.service, NULL), world_soon(), &error));
    CHECK_OK(slim_finish(slim_service_shutdown(local.service, NULL), world_soon(), &error));
    struct slim_session_config config = world_config(SLIM_GROUP, false);
    struct slim_session *session = NULL;
    CHECK(slim_session_open(local.app, &config, &name, world_soon(), &session, &error) != SLIM_OK);
    CHECK(session == NULL && error.text[0] != 0);
    local_fini(&local);
}

static void what_cannot_be_sent_is_an_argument_error(void **state)
{
    (void)state;
    static uint8_t long_part[5000];
    struct local local;
    struct slim_session *session = NULL;
    local_init(&local);
    const struct slim_pair bad_key = {SLIM_VIEW("\xff"), SLIM_VIEW("v")};
    const struct slim_pair no_bytes = {{NULL, 3}, SLIM_VIEW("v")};
    const struct slim_payload payloads[] = {
        {.data = NULL, .len = 1},
        {.data = "x", .len = 1, .type = "\xc0\x80"},
        {.data = "x", .len = 1, .metadata = &bad_key, .metadata_count = 1},
        {.data = "x", .len = 1, .metadata = &no_bytes, .metadata_count = 1},
        {.data = "x", .len = 1, .metadata = NULL, .metadata_count = 1},
        {.data = "x", .len = 1, .metadata = &bad_key, .metadata_count = SIZE_MAX},
    };
    for (size_t i = 0; i < SLIM_COUNT(payloads); i++) {
        REFUSED(slim_session_publish(local.session, &payloads[i], NULL));
        CHECK(slim_session_try_publish(local.session, &payloads[i], NULL) == SLIM_ERR_ARGUMENT);
    }
    static const struct slim_name plain = {.part = {{(const uint8_t *)"o", 1}}, .id = 1};
    struct slim_name names[] = {plain, plain, plain};
    names[0].part[1] = SLIM_VIEW("\xed\xa0\x80");
    names[1].part[2] = slim_view_of(long_part, sizeof(long_part));
    names[2].part[2] = slim_view_of(NULL, 1);
    for (size_t i = 0; i < SLIM_COUNT(names); i++) {
        struct slim_session_config config = world_config(SLIM_GROUP, false);
        REFUSED(slim_app_subscribe(local.app, &names[i], 0, NULL));
        REFUSED(slim_session_invite(local.session, &names[i], NULL));
        REFUSED(slim_app_create_session(local.app, &config, &names[i], NULL, &session));
        CHECK(session == NULL);
    }
    struct slim_session_config config = {.type = (enum slim_session_type)7};
    REFUSED(slim_app_create_session(local.app, &config, &plain, NULL, &session));
    config = (struct slim_session_config){.metadata = &bad_key, .metadata_count = 1};
    REFUSED(slim_app_create_session(local.app, &config, &plain, NULL, &session));
    struct slim_payload huge = {.data = long_part, .len = SIZE_MAX};
    struct slim_error error;
    CHECK(slim_session_try_publish(local.session, &huge, &error) == SLIM_ERR_LIMIT);
    local_fini(&local);
}

static void names_are_three_parts_and_an_id(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_good;
        const char *printed;
    } rows[] = {
        {"a/b/c", true, "a/b/c/ffffffffffffffff"},
        {"a/b/c/2a", true, "a/b/c/2a"},
        {"a/b/c/FFFFFFFFFFFFFFFF", true, "a/b/c/ffffffffffffffff"},
        {"a/b/c/0", true, "a/b/c/0"},
        {"", false, NULL},
        {"a/b", false, NULL},
        {"a/b/c/", false, NULL},
        {"a//c", false, NULL},
        {"a/b/c/2a/x", false, NULL},
        {"a/b/c/x", false, NULL},
        {"a/b/c/11112222333344445", false, NULL},
    };
    char out[64];
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_name name;
        enum slim_status status = slim_name_parse(rows[i].text, &name);
        CHECK_ROW(rows[i].text, status == (rows[i].is_good ? SLIM_OK : SLIM_ERR_ARGUMENT));
        if (rows[i].is_good) {
            CHECK(slim_name_print(&name, out, sizeof(out)) == strlen(rows[i].printed));
            CHECK_ROW(rows[i].text, strcmp(out, rows[i].printed) == 0);
            CHECK(slim_name_print(&name, out, 4) == strlen(rows[i].printed));
            CHECK(strcmp(out, "a/b") == 0);
            CHECK(slim_name_print(&name, NULL, 0) == strlen(rows[i].printed));
        }
    }
}

static void directions_are_kept(void **state)
{
    (void)state;
    struct slim_service *service;
    struct slim_app *apps[2];
    struct slim_session *session = NULL;
    struct slim_error error;
    const char *texts[] = {"org/ns/mute", "org/ns/full"};
    struct slim_app_config config = {
        .provider = "{\"type\": \"shared_secret\", \"id\": \"me\", \"data\": \"" WORLD_SECRET "\"}",
        .verifier = "{\"type\": \"shared_secret\", \"id\": \"me\", \"data\": \"" WORLD_SECRET "\"}",
        .direction = SLIM_RECEIVE_ONLY};
    CHECK_OK(slim_service_new("test", NULL, &service, NULL));
    for (size_t i = 0; i < 2; i++) {
        struct slim_name name = world_name(texts[i]);
        if (slim_app_new(service, &name, &config, world_soon(), &apps[i], &error) != SLIM_OK) {
            fail_msg("%s", error.text);
        }
        config.direction = SLIM_BIDIRECTIONAL;
    }
    struct slim_session_config settings = world_config(SLIM_POINT_TO_POINT, false);
    struct slim_name peer = world_name("org/ns/full");
    struct slim_payload payload = world_payload("x");
    CHECK_OK(slim_session_open(apps[0], &settings, &peer, world_soon(), &session, &error));
    CHECK(world_end(slim_session_publish(session, &payload, NULL), &error) != SLIM_OK);
    CHECK_ROW(error.text,
              strcmp(error.text, "session sender is shutdown, cannot send messages") == 0);
    slim_session_unref(session);
    slim_app_unref(apps[0]);
    slim_app_unref(apps[1]);
    slim_service_unref(service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_instead_of_an_object_is_an_argument_error),
        cmocka_unit_test(nothing_instead_of_what_is_left_is_an_argument_error_too),
        cmocka_unit_test(objects_may_be_given_back_in_any_order),
        cmocka_unit_test(what_is_over_says_so),
        cmocka_unit_test(what_cannot_be_sent_is_an_argument_error),
        cmocka_unit_test(names_are_three_parts_and_an_id),
        cmocka_unit_test(directions_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
