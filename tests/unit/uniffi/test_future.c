/* Futures: each continuation is called once, deadlines count, and what was taken for somebody who left is there for the next. */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "caller.h"

struct world {
    void *service;
    void *alice;
    void *bob;
    void *session; /* alice's */
    void *other;   /* bob's end of it */
};

static void world_init(struct world *world)
{
    world->service = caller_service();
    world->alice = caller_app(world->service, "alice");
    world->bob = caller_app(world->service, "bob");
    world->session = caller_session(world->alice, world->bob, "bob", &world->other);
}

static void world_fini(struct world *world)
{
    caller_free_all(world->service, world->alice, world->bob, world->session, world->other);
}

static void *session_arg(void *session)
{
    struct uf_status status = {.code = 0};
    void *handle = uniffi_slim_bindings_fn_clone_session(session, &status);
    EXPECT_FINE(&status);
    return handle;
}

static struct uf_buffer timeout_ms(int64_t ms)
{
    struct uf_duration duration = {.seconds = (uint64_t)ms / 1000,
                                   .nanoseconds = (uint32_t)(ms % 1000) * 1000000};
    const struct uf_duration *given = ms < 0 ? NULL : &duration;
    return caller_record(&uf_type_optional_duration, (const void *)&given);
}

static uint64_t begin_get(void *session, int64_t ms)
{
    return uniffi_slim_bindings_fn_method_session_get_message_async(session_arg(session),
                                                                    timeout_ms(ms));
}

/* The payload is the end of the record. */
static void expect_payload(struct uf_buffer message, struct uf_status *status, const char *text)
{
    size_t len = strlen(text);
    caller_expect_fine(text, status);
    CHECK_ROW(text, message.len > len && memcmp(message.data + message.len - len, text, len) == 0 &&
                        message.data[message.len - len - 1] == len);
    struct uf_received_message received;
    struct uf_arena arena = {.chunks = NULL};
    struct uf_error error = {.fault = UF_FINE};
    CHECK(uf_read_record(&uf_type_received_message, uf_view_of(&message), &received, &arena,
                         &error)); /* takes the counts of its names */
    uf_arena_fini(&arena);
    uf_buffer_free(&message);
}

static void expect_message(uint64_t future, const char *text)
{
    struct uf_status status = {.code = 0};
    caller_await(future);
    struct uf_buffer got = ffi_slim_bindings_rust_future_complete_rust_buffer(future, &status);
    expect_payload(got, &status, text);
    ffi_slim_bindings_rust_future_free_rust_buffer(future);
}

static void what_is_there_is_ready_at_the_first_poll(void **state)
{
    (void)state;
    struct world world;
    struct caller_wakes wakes = {.count = 0};
    struct uf_status status = {.code = 0};
    world_init(&world);
    caller_publish(world.session, "one");
    uint64_t future = begin_get(world.other, -1);
    ffi_slim_bindings_rust_future_poll_rust_buffer(future, caller_wake, (uintptr_t)&wakes);
    CHECK(wakes.count == 1 && wakes.last_poll == UF_POLL_READY);
    struct uf_buffer got = ffi_slim_bindings_rust_future_complete_rust_buffer(future, &status);
    expect_payload(got, &status, "one");
    (void)ffi_slim_bindings_rust_future_complete_rust_buffer(future, &status);
    caller_expect_error("a second time", &status, UF_PANIC, "was fetched");
    ffi_slim_bindings_rust_future_free_rust_buffer(future);
    world_fini(&world);
}

static void who_waits_is_told_when_it_comes(void **state)
{
    (void)state;
    struct world world;
    struct caller_wakes wakes = {.count = 0};
    struct uf_status status = {.code = 0};
    world_init(&world);
    uint64_t future = begin_get(world.other, -1);
    ffi_slim_bindings_rust_future_poll_rust_buffer(future, caller_wake, (uintptr_t)&wakes);
    CHECK(wakes.count == 0);
    (void)ffi_slim_bindings_rust_future_complete_rust_buffer(future, &status);
    caller_expect_error("too early", &status, UF_PANIC, "not ready");
    caller_publish(world.session, "later");
    caller_wait(&wakes, 1);
    expect_message(future, "later");
    CHECK(wakes.count == 1);
    world_fini(&world);
}

static void waiters_are_served_in_their_order(void **state)
{
    (void)state;
    enum { COUNT = 5 };
    static const char *const texts[COUNT] = {"a", "b", "c", "d", "e"};
    struct world world;
    struct caller_wakes wakes[COUNT] = {{.count = 0}};
    uint64_t futures[COUNT];
    world_init(&world);
    for (size_t i = 0; i < COUNT; i++) {
        futures[i] = begin_get(world.other, -1);
        ffi_slim_bindings_rust_future_poll_rust_buffer(futures[i], caller_wake,
                                                       (uintptr_t)&wakes[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        caller_publish(world.session, texts[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        caller_wait(&wakes[i], 1);
        expect_message(futures[i], texts[i]);
    }
    world_fini(&world);
}

static void what_nobody_fetched_comes_back_in_its_place(void **state)
{
    (void)state;
    struct world world;
    struct caller_wakes wakes = {.count = 0};
    world_init(&world);
    caller_publish(world.session, "one");
    caller_publish(world.session, "two");
    caller_publish(world.session, "three");
    uint64_t first = begin_get(world.other, -1);
    uint64_t second = begin_get(world.other, -1);
    caller_await(first);
    caller_await(second);
    ffi_slim_bindings_rust_future_free_rust_buffer(second); /* "two", and then "one", come back */
    ffi_slim_bindings_rust_future_free_rust_buffer(first);
    expect_message(begin_get(world.other, -1), "one");
    uint64_t third = begin_get(world.other, -1);
    caller_await(third);
    uint64_t waiting = begin_get(world.other, -1);
    expect_message(waiting, "three");
    waiting = begin_get(world.other, -1);
    ffi_slim_bindings_rust_future_poll_rust_buffer(waiting, caller_wake, (uintptr_t)&wakes);
    CHECK(wakes.count == 0);
    ffi_slim_bindings_rust_future_free_rust_buffer(third);
    CHECK_ROW("who waits has what came back", wakes.count == 1);
    expect_message(waiting, "two");
    world_fini(&world);
}

static void who_leaves_while_waiting_is_told_and_loses_nothing(void **state)
{
    (void)state;
    struct world world;
    struct caller_wakes wakes = {.count = 0};
    struct uf_status status = {.code = 0};
    world_init(&world);
    uint64_t future = begin_get(world.other, -1);
    ffi_slim_bindings_rust_future_poll_rust_buffer(future, caller_wake, (uintptr_t)&wakes);
    ffi_slim_bindings_rust_future_free_rust_buffer(future);
    CHECK_ROW("the owed continuation", wakes.count == 1 && wakes.last_poll == UF_POLL_READY);
    future = begin_get(world.other, -1);
    ffi_slim_bindings_rust_future_poll_rust_buffer(future, caller_wake, (uintptr_t)&wakes);
    ffi_slim_bindings_rust_future_cancel_rust_buffer(future);
    CHECK(wakes.count == 2 && wakes.last_poll == UF_POLL_READY);
    (void)ffi_slim_bindings_rust_future_complete_rust_buffer(future, &status);
    CHECK(status.code == UF_CODE_CANCELLED);
    status.code = UF_CODE_OK;
    ffi_slim_bindings_rust_future_free_rust_buffer(future);
    caller_publish(world.session, "still here");
    expect_message(begin_get(world.other, -1), "still here");
    world_fini(&world);
}

static void a_second_poll_calls_the_first_one_back(void **state)
{
    (void)state;
    struct world world;
    struct caller_wakes first = {.count = 0};
    struct caller_wakes second = {.count = 0};
    world_init(&world);
    uint64_t future = begin_get(world.other, -1);
    ffi_slim_bindings_rust_future_poll_rust_buffer(future, caller_wake, (uintptr_t)&first);
    ffi_slim_bindings_rust_future_poll_rust_buffer(future, caller_wake, (uintptr_t)&second);
    CHECK(first.count == 1 && first.last_poll == UF_POLL_MAYBE_READY && second.count == 0);
    caller_publish(world.session, "x");
    caller_wait(&second, 1);
    expect_message(future, "x");
    CHECK(first.count == 1);
    world_fini(&world);
}

static void deadlines_end_the_waiting(void **state)
{
    (void)state;
    struct world world;
    struct uf_status status = {.code = 0};
    world_init(&world);
    uint64_t longer = begin_get(world.other, 60);
    uint64_t shorter = begin_get(world.other, 20);
    struct caller_wakes wakes = {.count = 0};
    ffi_slim_bindings_rust_future_poll_rust_buffer(longer, caller_wake, (uintptr_t)&wakes);
    caller_await(shorter);
    caller_wait(&wakes, 1);
    uint64_t futures[] = {shorter, longer};
    for (size_t i = 0; i < 2; i++) {
        (void)ffi_slim_bindings_rust_future_complete_rust_buffer(futures[i], &status);
        caller_expect_error("late", &status, UF_SESSION_ERROR,
                            "receive timeout waiting for message");
        ffi_slim_bindings_rust_future_free_rust_buffer(futures[i]);
    }
    (void)uniffi_slim_bindings_fn_method_session_get_message(session_arg(world.other),
                                                             timeout_ms(10), &status);
    caller_expect_error("late", &status, UF_SESSION_ERROR, "receive timeout waiting for message");
    void *app = uniffi_slim_bindings_fn_clone_app(world.bob, &status);
    (void)uniffi_slim_bindings_fn_method_app_listen_for_session(app, timeout_ms(10), &status);
    caller_expect_error("late", &status, UF_RECEIVE_ERROR, "listen_for_session timed out");
    world_fini(&world);
}

static void many_deadlines_end_in_any_order(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    static struct caller_wakes wakes[COUNT];
    static uint64_t futures[COUNT];
    struct world world;
    world_init(&world);
    for (size_t i = 0; i < COUNT; i++) {
        futures[i] = begin_get(world.other, (int64_t)((i * 37) % 100));
        atomic_store(&wakes[i].count, 0);
        ffi_slim_bindings_rust_future_poll_rust_buffer(futures[i], caller_wake,
                                                       (uintptr_t)&wakes[i]);
    }
    for (size_t i = 0; i < COUNT; i += 3) { /* some leave the heap from its middle */
        ffi_slim_bindings_rust_future_free_rust_buffer(futures[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        caller_wait(&wakes[i], 1);
        if (i % 3 != 0) {
            ffi_slim_bindings_rust_future_free_rust_buffer(futures[i]);
        }
        CHECK(wakes[i].count == 1);
    }
    world_fini(&world);
}

/* ---- completion handles */

static void *begin_publish(struct world *world)
{
    struct uf_status status = {.code = 0};
    struct slim_view data = uf_view("x");
    const void *none = NULL;
    void *handle = uniffi_slim_bindings_fn_method_session_publish(
        session_arg(world->session), caller_record(&uf_type_bytes, &data),
        caller_record(&uf_type_optional_text, (const void *)&none),
        caller_record(&uf_type_optional_pairs, (const void *)&none), &status);
    EXPECT_FINE(&status);
    return handle;
}

static void *handle_arg(void *handle)
{
    struct uf_status status = {.code = 0};
    void *cloned = uniffi_slim_bindings_fn_clone_completionhandle(handle, &status);
    EXPECT_FINE(&status);
    return cloned;
}

static void a_handle_is_waited_for_once_but_giving_up_does_not_count(void **state)
{
    (void)state;
    struct world world;
    struct uf_status status = {.code = 0};
    world_init(&world);
    void *handle = begin_publish(&world);
    for (int i = 0; i < 3; i++) {
        uint64_t future =
            uniffi_slim_bindings_fn_method_completionhandle_wait_async(handle_arg(handle));
        caller_await(future);
        if (i == 2) {
            ffi_slim_bindings_rust_future_complete_void(future, &status);
            EXPECT_FINE(&status);
        }
        ffi_slim_bindings_rust_future_free_void(future);
    }
    uniffi_slim_bindings_fn_method_completionhandle_wait(handle_arg(handle), &status);
    caller_expect_error("again", &status, UF_INTERNAL_ERROR, "already consumed");
    uint64_t future =
        uniffi_slim_bindings_fn_method_completionhandle_wait_async(handle_arg(handle));
    caller_await(future);
    ffi_slim_bindings_rust_future_complete_void(future, &status);
    caller_expect_error("again", &status, UF_INTERNAL_ERROR, "already consumed");
    ffi_slim_bindings_rust_future_free_void(future);
    uniffi_slim_bindings_fn_free_completionhandle(handle, &status);
    world_fini(&world);
}

/* A session with a peer that is not there takes its retries: long enough to give up in between. */
static void a_wait_may_have_a_deadline(void **state)
{
    (void)state;
    struct world world;
    struct uf_status status = {.code = 0};
    struct caller_wakes wakes = {.count = 0};
    static const struct uf_duration soon = {.nanoseconds = 10000000};
    static const struct uf_duration interval = {.seconds = 1};
    static const uint32_t retries = 100;
    struct uf_session_config config = {
        .session_type = UF_GROUP, .max_retries = &retries, .interval = &interval};
    world_init(&world);
    struct uf_buffer both = uniffi_slim_bindings_fn_method_app_create_session(
        uniffi_slim_bindings_fn_clone_app(world.alice, &status),
        caller_record(&uf_type_session_config, &config), caller_name("channel"), &status);
    EXPECT_FINE(&status);
    struct uf_session_with_completion made;
    struct uf_arena arena = {.chunks = NULL};
    struct uf_error error = {.fault = UF_FINE};
    CHECK(
        uf_read_record(&uf_type_session_with_completion, uf_view_of(&both), &made, &arena, &error));
    void *session = (void *)(uintptr_t)uf_handle_give(made.session);
    uf_arena_fini(&arena);
    uf_buffer_free(&both);
    /* what is published in an empty group is acknowledged by the first who joins: nobody does */
    struct world empty = {.session = session};
    void *handle = begin_publish(&empty);
    uint64_t future =
        uniffi_slim_bindings_fn_method_completionhandle_wait_async(handle_arg(handle));
    ffi_slim_bindings_rust_future_poll_void(future, caller_wake, (uintptr_t)&wakes);
    CHECK(wakes.count == 0);
    ffi_slim_bindings_rust_future_free_void(future);
    CHECK(wakes.count == 1);
    future = uniffi_slim_bindings_fn_method_completionhandle_wait_for_async(
        handle_arg(handle), caller_record(&uf_type_duration, &soon));
    caller_await(future);
    ffi_slim_bindings_rust_future_complete_void(future, &status);
    caller_expect_error("not in time", &status, UF_TIMEOUT, "");
    ffi_slim_bindings_rust_future_free_void(future);
    uniffi_slim_bindings_fn_free_completionhandle(handle, &status);
    handle = begin_publish(&empty);
    uniffi_slim_bindings_fn_method_completionhandle_wait_for(
        handle_arg(handle), caller_record(&uf_type_duration, &soon), &status);
    caller_expect_error("not in time", &status, UF_TIMEOUT, "");
    uniffi_slim_bindings_fn_free_completionhandle(handle, &status);
    uniffi_slim_bindings_fn_free_session(session, &status);
    world_fini(&world);
}

static void results_that_nobody_fetched_leave_no_handles(void **state)
{
    (void)state;
    struct world world;
    struct uf_status status = {.code = 0};
    struct uf_session_config config = {.session_type = UF_GROUP};
    world_init(&world);
    uint32_t before = uf_handle_in_use();
    uint64_t futures[] = {
        uniffi_slim_bindings_fn_method_session_participants_list_async(session_arg(world.session)),
        uniffi_slim_bindings_fn_method_app_create_session_async(
            uniffi_slim_bindings_fn_clone_app(world.alice, &status),
            caller_record(&uf_type_session_config, &config), caller_name("channel")),
        uniffi_slim_bindings_fn_method_app_create_session_and_wait_async(
            uniffi_slim_bindings_fn_clone_app(world.alice, &status),
            caller_record(&uf_type_session_config, &config), caller_name("channel")),
    };
    CHECK(uf_handle_in_use() > before);
    for (size_t i = 0; i < UF_COUNT(futures); i++) {
        caller_await(futures[i]);
        ffi_slim_bindings_rust_future_free_rust_buffer(futures[i]);
    }
    CHECK(uf_handle_in_use() == before);
    world_fini(&world);
}

/* ---- odd callers */

static void odd_handles_of_futures_are_told_by_complete(void **state)
{
    (void)state;
    struct uf_status status = {.code = 0};
    struct caller_wakes wakes = {.count = 0};
    ffi_slim_bindings_rust_future_poll_u64(77, caller_wake, (uintptr_t)&wakes);
    CHECK(wakes.count == 1 && wakes.last_poll == UF_POLL_READY);
    (void)ffi_slim_bindings_rust_future_complete_u64(77, &status);
    caller_expect_error("77", &status, UF_PANIC, "there is no such future");
    (void)ffi_slim_bindings_rust_future_complete_pointer(0, &status);
    caller_expect_error("0", &status, UF_PANIC, "out of memory");
    ffi_slim_bindings_rust_future_cancel_i8(77);
    ffi_slim_bindings_rust_future_free_i8(77);
    /* arguments that are malformed are told there too */
    uint64_t future = uniffi_slim_bindings_fn_method_session_get_message_async(NULL, timeout_ms(0));
    caller_await(future);
    (void)ffi_slim_bindings_rust_future_complete_u64(future, &status);
    caller_expect_error("another type", &status, UF_PANIC, "another type");
    (void)ffi_slim_bindings_rust_future_complete_rust_buffer(future, &status);
    caller_expect_error("no session", &status, UF_PANIC, "Session: a handle of nothing");
    ffi_slim_bindings_rust_future_free_rust_buffer(future);
}

static void applications_are_made_by_futures_too(void **state)
{
    (void)state;
    struct uf_status status = {.code = 0};
    void *service = caller_service();
    for (int i = 0; i < 2; i++) {
        uint64_t future = uniffi_slim_bindings_fn_method_service_create_app_with_secret_async(
            uniffi_slim_bindings_fn_clone_service(service, &status), caller_name("carol"),
            caller_text(i == 0 ? CALLER_SECRET : "short"));
        caller_await(future);
        void *app = ffi_slim_bindings_rust_future_complete_pointer(future, &status);
        ffi_slim_bindings_rust_future_free_pointer(future);
        if (i == 0) {
            EXPECT_FINE(&status);
            uniffi_slim_bindings_fn_free_app(app, &status);
            EXPECT_FINE(&status);
        } else {
            caller_expect_error("short", &status, UF_AUTH_ERROR, "hmac key is too short");
        }
    }
    uint64_t abandoned = uniffi_slim_bindings_fn_method_service_create_app_with_secret_async(
        uniffi_slim_bindings_fn_clone_service(service, &status), caller_name("dan"),
        caller_text(CALLER_SECRET));
    ffi_slim_bindings_rust_future_free_pointer(abandoned);
    uniffi_slim_bindings_fn_free_service(service, &status);
    EXPECT_FINE(&status);
}

/* A uf_work. */
static void note_signals(void *ctx, struct uf_result *result, struct uf_error *error)
{
    (void)error;
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, ctx) == 0);
    result->number = 7;
}

static void signals_are_for_the_threads_of_the_program(void **state)
{
    (void)state;
    struct uf_status status = {.code = 0};
    sigset_t before;
    sigset_t after;
    sigset_t inside;
    (void)sigemptyset(&inside);
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &before) == 0);
    uint64_t future = uf_future_of_work(note_signals, &inside, UF_RESULT_NUMBER);
    caller_await(future);
    CHECK(ffi_slim_bindings_rust_future_complete_u64(future, &status) == 7);
    EXPECT_FINE(&status);
    ffi_slim_bindings_rust_future_free_u64(future);
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &after) == 0);
    static const int signals[] = {SIGINT, SIGTERM, SIGCHLD, SIGALRM, SIGUSR1};
    for (size_t i = 0; i < UF_COUNT(signals); i++) {
        CHECK(sigismember(&inside, signals[i]) == 1);
        CHECK(sigismember(&before, signals[i]) == sigismember(&after, signals[i]));
    }
}

/* ---- two threads, one that gets and gives up, one that publishes: nothing is lost, nothing changes its order */

enum { STORM_COUNT = 300 };

static void *publish_all(void *session)
{
    char text[16];
    for (int i = 0; i < STORM_COUNT; i++) {
        (void)snprintf(text, sizeof(text), "%05d", i);
        caller_publish(session, text);
    }
    return NULL;
}

static void giving_up_again_and_again_loses_nothing(void **state)
{
    (void)state;
    struct world world;
    pthread_t thread;
    int given_up = 0;
    world_init(&world);
    CHECK(pthread_create(&thread, NULL, publish_all, world.session) == 0);
    for (int next = 0; next < STORM_COUNT;) {
        static struct caller_wakes wakes;
        char text[16];
        struct uf_status status = {.code = 0};
        atomic_store(&wakes.count, 0);
        uint64_t future = begin_get(world.other, -1);
        ffi_slim_bindings_rust_future_poll_rust_buffer(future, caller_wake, (uintptr_t)&wakes);
        bool has_come = wakes.count > 0;
        if (has_come && given_up % 2 == 0) {
            struct uf_buffer got =
                ffi_slim_bindings_rust_future_complete_rust_buffer(future, &status);
            (void)snprintf(text, sizeof(text), "%05d", next++);
            expect_payload(got, &status, text);
        }
        given_up++;
        ffi_slim_bindings_rust_future_free_rust_buffer(future);
        caller_wait(&wakes, 1);
    }
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(given_up > STORM_COUNT);
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_there_is_ready_at_the_first_poll),
        cmocka_unit_test(who_waits_is_told_when_it_comes),
        cmocka_unit_test(waiters_are_served_in_their_order),
        cmocka_unit_test(what_nobody_fetched_comes_back_in_its_place),
        cmocka_unit_test(who_leaves_while_waiting_is_told_and_loses_nothing),
        cmocka_unit_test(a_second_poll_calls_the_first_one_back),
        cmocka_unit_test(deadlines_end_the_waiting),
        cmocka_unit_test(many_deadlines_end_in_any_order),
        cmocka_unit_test(a_handle_is_waited_for_once_but_giving_up_does_not_count),
        cmocka_unit_test(a_wait_may_have_a_deadline),
        cmocka_unit_test(results_that_nobody_fetched_leave_no_handles),
        cmocka_unit_test(odd_handles_of_futures_are_told_by_complete),
        cmocka_unit_test(applications_are_made_by_futures_too),
        cmocka_unit_test(signals_are_for_the_threads_of_the_program),
        cmocka_unit_test(giving_up_again_and_again_loses_nothing),
    };
    return cmocka_run_group_tests_name("uniffi_future", tests, NULL, NULL);
}
