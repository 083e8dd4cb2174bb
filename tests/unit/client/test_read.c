/* Reading: descriptors, several readers, a reader that stops (src/client/read.c). */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "client/limits.h"
#include "world.h"

struct pair {
    struct world world;
    struct world_app alice;
    struct world_app bob;
    struct slim_session *out;
    struct slim_session *in;
};

static void pair_init(struct pair *pair)
{
    struct slim_session_config config = world_config(SLIM_POINT_TO_POINT, false);
    struct slim_name name = world_name("org/ns/bob");
    config.max_retries = 1000; /* the machine may be slow: nobody gives up */
    world_init(&pair->world);
    world_app_init(&pair->alice, &pair->world, "org/ns/alice");
    world_app_init(&pair->bob, &pair->world, "org/ns/bob");
    world_route(&pair->alice, "org/ns/bob");
    CHECK_OK(slim_session_open(pair->alice.app, &config, &name, world_soon(), &pair->out, NULL));
    pair->in = world_listen(&pair->bob);
}

static void pair_fini(struct pair *pair)
{
    slim_session_unref(pair->out);
    slim_session_unref(pair->in);
    world_app_fini(&pair->alice);
    world_app_fini(&pair->bob);
    world_fini(&pair->world);
}

static void one_poll_loop_serves_several_queues(void **state)
{
    (void)state;
    struct pair pair;
    struct slim_queue *reading;
    struct slim_queue *writing;
    struct slim_message *message;
    struct slim_payload payload = world_payload("ping");
    pair_init(&pair);
    CHECK_OK(slim_queue_new(&reading));
    CHECK_OK(slim_queue_new(&writing));
    slim_op_unref(slim_session_await_message(
        pair.in, &(struct slim_notify){.queue = reading, .user = pair.in}));
    slim_op_unref(slim_session_publish(pair.out, &payload,
                                       &(struct slim_notify){.queue = writing, .user = pair.out}));
    struct pollfd fds[] = {{.fd = slim_queue_fd(reading), .events = POLLIN},
                           {.fd = slim_queue_fd(writing), .events = POLLIN}};
    for (size_t left = 2; left > 0; left--) {
        struct slim_queue *queues[] = {reading, writing};
        struct slim_session *users[] = {pair.in, pair.out};
        CHECK(poll(fds, 2, WORLD_PATIENCE_MS) > 0);
        size_t at = (fds[0].revents & POLLIN) != 0 ? 0 : 1;
        struct slim_op *op = slim_queue_next(queues[at], 0);
        CHECK(op != NULL && slim_op_user(op) == users[at] && slim_op_status(op, NULL) == SLIM_OK);
        slim_op_unref(op);
    }
    CHECK_OK(slim_session_receive(pair.in, 0, &message, NULL));
    slim_message_unref(message);
    slim_queue_unref(reading);
    slim_queue_unref(writing);
    pair_fini(&pair);
}

static void cancelling_a_wait_loses_no_message(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    struct pair pair;
    char text[16];
    pair_init(&pair);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        struct slim_payload payload = world_payload(text);
        struct slim_op *wait = slim_session_await_message(pair.in, NULL);
        struct slim_op *sent = slim_session_publish(pair.out, &payload, NULL);
        (void)slim_op_cancel(wait);
        slim_op_unref(wait);
        slim_op_unref(sent);
    }
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        world_expect(pair.in, text);
    }
    pair_fini(&pair);
}

static void deadlines_are_kept_each_for_itself(void **state)
{
    (void)state;
    struct pair pair;
    struct slim_error error;
    struct slim_message *message = NULL;
    pair_init(&pair);
    uint64_t began_ns = slim_now_ns();
    CHECK(slim_session_receive(pair.in, slim_in_ms(50), &message, &error) == SLIM_ERR_TIMEOUT);
    CHECK(strcmp(error.text, "receive timeout waiting for message") == 0);
    CHECK_ROW("not early", slim_now_ns() - began_ns >= 49000000);
    CHECK(slim_session_receive(pair.in, 0, &message, &error) == SLIM_ERR_TIMEOUT);
    CHECK(slim_session_receive(pair.in, 1, &message, &error) == SLIM_ERR_TIMEOUT);
    struct slim_session *session = NULL;
    CHECK(slim_app_listen(pair.bob.app, slim_in_ms(5), &session, &error) == SLIM_ERR_TIMEOUT);
    CHECK(strcmp(error.text, "listen_for_session timed out") == 0);
    pair_fini(&pair);
}

/* ---- a reader that stops */

static void flood(struct pair *pair, char *bytes, size_t len, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bytes[0] = (char)i;
        struct slim_payload payload = {.data = bytes, .len = len};
        slim_op_unref(slim_session_publish(pair->out, &payload, NULL));
    }
}

static void a_reader_that_stops_holds_up_a_reliable_sender(void **state)
{
    (void)state;
    enum { LEN = 100 * 1000, COUNT = 250 };
    static char bytes[LEN];
    struct pair pair;
    pair_init(&pair);
    flood(&pair, bytes, LEN, COUNT); /* 25 MB */
    struct slim_op *last =
        slim_session_publish(pair.out, &(struct slim_payload){.data = "last", .len = 4}, NULL);
    CHECK_ROW("the last ones stay with the sender",
              slim_op_wait(last, slim_in_ms(1000), NULL) == SLIM_AGAIN);
    for (size_t i = 0; i < COUNT; i++) {
        struct slim_message *message;
        struct slim_error error = {.status = SLIM_OK};
        if (slim_session_receive(pair.in, world_soon(), &message, &error) != SLIM_OK) {
            fail_msg("message %zu: %s", i, error.text);
        }
        struct slim_view got = slim_message_look(message)->payload;
        CHECK(got.len == LEN && got.data[0] == (uint8_t)i);
        slim_message_unref(message);
    }
    world_expect(pair.in, "last");
    WORLD_DO(last);
    pair_fini(&pair);
}

/* Both in one service: what was published has been delivered a turn later, and the network loses nothing. */
static void unreliable_messages_are_lost_beyond_a_bound_and_that_is_told_once(void **state)
{
    (void)state;
    enum { LEN = 1000 * 1000, COUNT = 100 };
    static char bytes[LEN];
    struct slim_service *service;
    struct slim_app *apps[2];
    const char *texts[] = {"org/ns/alice", "org/ns/bob"};
    struct slim_session_config config = {.type = SLIM_POINT_TO_POINT};
    struct slim_session *out;
    struct slim_session *in;
    struct slim_error error = {.status = SLIM_OK};
    size_t count = 0;
    size_t notices = 0;
    CHECK_OK(slim_service_new("test", NULL, &service, NULL));
    for (size_t i = 0; i < 2; i++) {
        struct slim_name name = world_name(texts[i]);
        CHECK_OK(slim_app_new_with_secret(service, &name, WORLD_SECRET, &apps[i], NULL));
    }
    struct slim_name peer = world_name(texts[1]);
    CHECK_OK(slim_session_open(apps[0], &config, &peer, world_soon(), &out, NULL));
    CHECK_OK(slim_app_listen(apps[1], world_soon(), &in, NULL));
    for (size_t i = 0; i < COUNT; i++) {
        struct slim_payload payload = {.data = bytes, .len = LEN};
        WORLD_DO(slim_session_publish(out, &payload, NULL));
    }
    WORLD_DO(slim_session_delete(out, NULL)); /* behind all of them */
    enum slim_status status;
    struct slim_message *message;
    while ((status = slim_session_receive(in, world_soon(), &message, &error)) != SLIM_ERR_CLOSED) {
        CHECK(status == SLIM_OK || status == SLIM_ERR_LIMIT);
        if (status == SLIM_OK) {
            slim_message_unref(message);
            count++;
        } else {
            CHECK(strncmp(error.text, "message lost for session id: ", 29) == 0);
            notices++;
        }
    }
    CHECK_ROW("64 MiB fit, and a bit", count >= 60 && count < COUNT);
    CHECK(notices == 1);
    slim_session_unref(out);
    slim_session_unref(in);
    slim_app_unref(apps[0]);
    slim_app_unref(apps[1]);
    slim_service_unref(service);
}

/* ---- several threads */

struct reader {
    struct slim_session *session;
    size_t count;
    pthread_t thread;
};

static void *read_all(void *ctx)
{
    struct reader *reader = ctx;
    struct slim_message *message;
    while (slim_session_receive(reader->session, SLIM_FOREVER, &message, NULL) == SLIM_OK) {
        reader->count++;
        slim_message_unref(message);
    }
    return NULL;
}

static void several_threads_read_each_message_once(void **state)
{
    (void)state;
    enum { READERS = 3, COUNT = 1000 };
    struct pair pair;
    struct reader readers[READERS];
    size_t count = 0;
    pair_init(&pair);
    for (size_t i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.session = slim_session_ref(pair.in)};
        CHECK(pthread_create(&readers[i].thread, NULL, read_all, &readers[i]) == 0);
    }
    for (size_t i = 0; i < COUNT; i++) {
        struct slim_payload payload = world_payload("x");
        slim_op_unref(slim_session_publish(pair.out, &payload, NULL));
    }
    WORLD_DO(slim_session_delete(pair.out, NULL));
    for (size_t i = 0; i < READERS; i++) {
        (void)pthread_join(readers[i].thread, NULL);
        slim_session_unref(readers[i].session);
        count += readers[i].count;
    }
    CHECK(count == COUNT);
    pair_fini(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_poll_loop_serves_several_queues),
        cmocka_unit_test(cancelling_a_wait_loses_no_message),
        cmocka_unit_test(deadlines_are_kept_each_for_itself),
        cmocka_unit_test(a_reader_that_stops_holds_up_a_reliable_sender),
        cmocka_unit_test(unreliable_messages_are_lost_beyond_a_bound_and_that_is_told_once),
        cmocka_unit_test(several_threads_read_each_message_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
