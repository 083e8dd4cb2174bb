/* Many threads, objects that go in any order, and no memory. */
#include <pthread.h>
#include <string.h>

#include "world.h"

/* ---- back pressure */

static void a_window_says_no_and_then_yes(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct world world;
    struct world_app alice;
    struct world_app bob;
    struct slim_session *out;
    struct slim_session *in;
    size_t refused = 0;
    char text[16];
    world_init(&world);
    world_app_init(&alice, &world, "org/ns/alice");
    world_app_init(&bob, &world, "org/ns/bob");
    world_pair(&alice, &bob, "org/ns/bob", false, &out, &in);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        struct slim_payload payload = world_payload(text);
        enum slim_status status;
        while ((status = slim_session_try_publish(out, &payload, NULL)) == SLIM_AGAIN) {
            refused++;
            WORLD_DO(slim_session_await_writable(out, NULL));
        }
        CHECK_OK(status);
    }
    CHECK_ROW("faster than the window", refused > 0);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        world_expect(in, text);
    }
    WORLD_DO(slim_session_delete(out, NULL));
    slim_session_unref(out);
    slim_session_unref(in);
    world_app_fini(&alice);
    world_app_fini(&bob);
    world_fini(&world);
}

/* Whoever waits for room is told when publishes fail, too. */
static void a_writer_wakes_when_the_session_goes(void **state)
{
    (void)state;
    struct slim_service *service;
    struct slim_app *alice;
    struct slim_name name = world_name("org/ns/alice");
    struct slim_name room = world_name("org/ns/room");
    struct slim_session_config config = world_config(SLIM_GROUP, false);
    struct slim_session *group;
    struct slim_payload payload = world_payload("for the first who comes");
    CHECK_OK(slim_service_new("test", NULL, &service, NULL));
    CHECK_OK(slim_app_new_with_secret(service, &name, WORLD_SECRET, &alice, NULL));
    CHECK_OK(slim_session_open(alice, &config, &room, world_soon(), &group, NULL));
    while (slim_session_try_publish(group, &payload, NULL) == SLIM_OK) {
    }
    struct slim_op *writable = slim_session_await_writable(group, NULL);
    CHECK(slim_op_wait(writable, slim_in_ms(20), NULL) == SLIM_AGAIN);
    WORLD_DO(slim_session_delete(group, NULL));
    WORLD_DO(writable);
    CHECK(slim_session_try_publish(group, &payload, NULL) == SLIM_ERR_CLOSED);
    slim_session_unref(group);
    slim_app_unref(alice);
    slim_service_unref(service);
}

/* ---- any order */

static void objects_go_in_any_order(void **state)
{
    (void)state;
    enum { OBJECTS = 6 };
    struct world world;
    world_init(&world);
    for (unsigned turn = 0; turn < 24; turn++) {
        struct world_app alice;
        struct world_app bob;
        struct slim_session *out;
        struct slim_session *in;
        struct slim_payload payload = world_payload("x");
        world_app_init(&alice, &world, "org/ns/alice");
        world_app_init(&bob, &world, "org/ns/bob");
        world_pair(&alice, &bob, "org/ns/bob", turn % 2 == 0, &out, &in);
        struct slim_op *ops[] = {
            slim_session_publish(out, &payload, NULL), slim_session_delete(in, NULL),
            slim_session_await_message(out, NULL), slim_app_await_session(bob.app, NULL)};
        for (unsigned i = 0; i < OBJECTS; i++) {
            switch ((i * (1 + 4 * (turn & 1)) + turn / 2) % OBJECTS) { /* all of them, some order */
            case 0:
                slim_session_unref(out);
                break;
            case 1:
                slim_app_unref(alice.app);
                break;
            case 2:
                slim_service_unref(alice.service);
                break;
            case 3:
                slim_session_unref(in);
                break;
            case 4:
                slim_app_unref(bob.app);
                break;
            case 5:
                slim_service_unref(bob.service);
                break;
            }
        }
        for (size_t i = 0; i < SLIM_COUNT(ops); i++) {
            CHECK_ROW("every operation ends",
                      slim_op_wait(ops[i], world_soon(), NULL) != SLIM_AGAIN);
            slim_op_unref(ops[i]);
        }
    }
    world_fini(&world);
}

/* ---- threads */

struct user {
    struct slim_session *out;
    struct slim_session *in;
    struct slim_app *app;
    unsigned number;
    size_t failed;
    pthread_t thread;
};

/* Everything at once; nothing is checked but that every operation ends. */
static void *use(void *ctx)
{
    enum { TURNS = 300 };
    struct user *user = ctx;
    struct slim_payload payload = world_payload("storm");
    struct slim_queue *queue;
    if (slim_queue_new(&queue) != SLIM_OK) {
        user->failed++;
        return NULL;
    }
    struct slim_notify notify = {.queue = queue};
    size_t told = 0;
    for (unsigned i = 0; i < TURNS; i++) {
        struct slim_message *message;
        struct slim_name_list *list;
        struct slim_op *op = NULL;
        enum slim_status status;
        switch ((i + user->number) % 7) {
        case 0:
            op = slim_session_publish(user->out, &payload, &notify);
            break;
        case 1:
            op = slim_session_await_message(user->in, &notify);
            break;
        case 2:
            if (slim_session_receive(user->in, slim_in_ms(1), &message, NULL) == SLIM_OK) {
                slim_message_unref(message);
            }
            break;
        case 3:
            if (slim_session_participants(user->out, &list, NULL) == SLIM_OK) {
                slim_name_list_free(list);
            }
            break;
        case 4:
            status = slim_session_try_publish(user->out, &payload, NULL);
            user->failed +=
                status == SLIM_OK || status == SLIM_AGAIN || status == SLIM_ERR_CLOSED ? 0 : 1;
            break;
        case 5:
            op = slim_session_await_writable(user->out, &notify);
            break;
        case 6:
            op = slim_app_await_session(user->app, &notify);
            break;
        }
        if (op != NULL && i % 2 == 0) {
            told += slim_op_cancel(op) ? 0 : 1;
        } else if (op != NULL && slim_op_wait(op, slim_in_ms(2), NULL) == SLIM_AGAIN) {
            told += slim_op_cancel(op) ? 0 : 1;
        } else if (op != NULL) {
            told++;
        }
        slim_op_unref(op);
        if (user->number == 0 && i == TURNS * 3 / 4) {
            user->failed +=
                slim_finish(slim_session_delete(user->out, NULL), world_soon(), NULL) == SLIM_OK
                    ? 0
                    : 1;
        }
    }
    struct slim_op *op;
    while (told > 0 && (op = slim_queue_next(queue, world_soon())) != NULL) {
        slim_op_unref(op);
        told--;
    }
    user->failed += told;
    slim_queue_unref(queue);
    slim_session_unref(user->out);
    slim_session_unref(user->in);
    slim_app_unref(user->app);
    return NULL;
}

static void many_threads_share_everything(void **state)
{
    (void)state;
    enum { USERS = 4 };
    struct world world;
    struct world_app alice;
    struct world_app bob;
    struct slim_session *out;
    struct slim_session *in;
    struct user users[USERS];
    world_init(&world);
    world_app_init(&alice, &world, "org/ns/alice");
    world_app_init(&bob, &world, "org/ns/bob");
    world_pair(&alice, &bob, "org/ns/bob", true, &out, &in);
    for (unsigned i = 0; i < USERS; i++) {
        users[i] = (struct user){.out = slim_session_ref(out),
                                 .in = slim_session_ref(in),
                                 .app = slim_app_ref(bob.app),
                                 .number = i};
        CHECK(pthread_create(&users[i].thread, NULL, use, &users[i]) == 0);
    }
    slim_session_unref(out);
    slim_session_unref(in);
    world_app_fini(&alice);
    world_app_fini(&bob);
    for (unsigned i = 0; i < USERS; i++) {
        (void)pthread_join(users[i].thread, NULL);
        CHECK(users[i].failed == 0);
    }
    world_fini(&world);
}

/* ---- no memory */

/* Two applications of one service: a session, a message, the end. Whatever fails, every operation ends and nothing leaks. */
static void live_with_failures(void)
{
    struct slim_service *service = NULL;
    struct slim_app *apps[2] = {NULL, NULL};
    struct slim_session *out = NULL;
    struct slim_session *in = NULL;
    struct slim_message *message = NULL;
    const char *names[] = {"org/ns/alice", "org/ns/bob"};
    const struct slim_pair pair = {SLIM_VIEW("key"), SLIM_VIEW("value")};
    struct slim_session_config config = {
        .max_retries = 5, .interval_ms = 10, .metadata = &pair, .metadata_count = 1};
    struct slim_payload payload = {.data = "x", .len = 1, .metadata = &pair, .metadata_count = 1};
    if (slim_service_new("test", NULL, &service, NULL) != SLIM_OK) {
        return;
    }
    bool is_well = true;
    for (size_t i = 0; i < 2 && is_well; i++) {
        struct slim_name name = world_name(names[i]);
        is_well = slim_app_new_with_secret(service, &name, WORLD_SECRET, &apps[i], NULL) == SLIM_OK;
    }
    struct slim_name peer = world_name(names[1]);
    is_well = is_well &&
              slim_session_open(apps[0], &config, &peer, slim_in_ms(2000), &out, NULL) == SLIM_OK;
    if (is_well) {
        struct slim_op *op = slim_session_publish(out, &payload, NULL);
        CHECK_ROW("it ends", slim_op_wait(op, world_soon(), NULL) != SLIM_AGAIN);
        slim_op_unref(op);
        if (slim_app_listen(apps[1], slim_in_ms(100), &in, NULL) == SLIM_OK &&
            slim_session_receive(in, slim_in_ms(100), &message, NULL) == SLIM_OK) {
            slim_message_unref(message);
        }
        op = slim_session_delete(out, NULL);
        CHECK_ROW("it ends", slim_op_wait(op, world_soon(), NULL) != SLIM_AGAIN);
        slim_op_unref(op);
    }
    /* no shutdown: it waits for seconds when what a session had to say could not be said */
    slim_session_unref(out);
    slim_session_unref(in);
    slim_app_unref(apps[0]);
    slim_app_unref(apps[1]);
    slim_service_unref(service);
}

static void without_memory_operations_fail_and_nothing_leaks(void **state)
{
    (void)state;
    slim_sweep_alloc(live_with_failures);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_says_no_and_then_yes),
        cmocka_unit_test(a_writer_wakes_when_the_session_goes),
        cmocka_unit_test(objects_go_in_any_order),
        cmocka_unit_test(many_threads_share_everything),
        cmocka_unit_test(without_memory_operations_fail_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
