#include "io/loop.h"

#include <pthread.h>
#include <unistd.h>

#include "support/check.h"

static char trace[64];

static void put_trace(char c)
{
    size_t len = strlen(trace);
    assert_true(len + 1 < sizeof(trace));
    trace[len] = c;
    trace[len + 1] = 0;
}

struct named_timer {
    struct slim_timer timer;
    char name;
};

static void on_due(struct slim_timer *timer)
{
    put_trace(SLIM_CONTAINER_OF(timer, struct named_timer, timer)->name);
}

static void timers_fire_in_order_of_their_times(void **state)
{
    (void)state;
    struct slim_loop *loop;
    CHECK_OK(slim_loop_new(&loop));
    struct named_timer timers[5];
    static const uint64_t due[5] = {5, 1, 3, 2, 4};
    uint64_t now_ms = slim_loop_now_ms(loop);
    trace[0] = 0;
    for (size_t i = 0; i < 5; i++) {
        CHECK_OK(slim_loop_reserve_timer(loop));
        slim_timer_init(&timers[i].timer, on_due);
        timers[i].name = (char)('0' + due[i]);
        slim_timer_set(loop, &timers[i].timer, now_ms + due[i]);
    }
    slim_timer_cancel(loop, &timers[2].timer); /* 3 */
    slim_timer_cancel(loop, &timers[2].timer);
    slim_timer_set(loop, &timers[1].timer, now_ms + 6); /* 1 moves behind 5 */
    while (slim_timer_is_set(&timers[1].timer)) {
        slim_loop_turn(loop, -1);
    }
    assert_string_equal(trace, "2451");
    for (size_t i = 0; i < 5; i++) {
        slim_loop_release_timer(loop);
    }
    slim_loop_free(loop);
}

static void timers_hold_a_heap_under_random_changes(void **state)
{
    (void)state;
    enum { COUNT = 200, STEPS = 20000 };
    struct slim_loop *loop;
    CHECK_OK(slim_loop_new(&loop));
    static struct named_timer timers[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        CHECK_OK(slim_loop_reserve_timer(loop));
        slim_timer_init(&timers[i].timer, on_due);
    }
    uint64_t far_ms = slim_loop_now_ms(loop) + 1000000;
    uint64_t seed = 1;
    for (size_t i = 0; i < STEPS; i++) {
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        struct slim_timer *timer = &timers[(seed >> 33) % COUNT].timer;
        if ((seed >> 60) < 5) {
            slim_timer_cancel(loop, timer);
            CHECK(!slim_timer_is_set(timer));
        } else {
            slim_timer_set(loop, timer, far_ms + (seed >> 40) % 1000);
            CHECK(slim_timer_is_set(timer));
        }
    }
    slim_loop_turn(loop, 0); /* none is due */
    for (size_t i = 0; i < COUNT; i++) {
        slim_timer_cancel(loop, &timers[i].timer);
        slim_loop_release_timer(loop);
    }
    slim_loop_free(loop);
}

struct pipe_watch {
    struct slim_watch watch;
    struct slim_loop *loop;
    struct pipe_watch *victim; /* unwatched by the callback of this one */
    int calls;
};

static void on_pipe(struct slim_watch *watch, uint32_t events)
{
    struct pipe_watch *self = SLIM_CONTAINER_OF(watch, struct pipe_watch, watch);
    CHECK((events & SLIM_IO_READ) != 0);
    self->calls++;
    if (self->victim != NULL) {
        slim_loop_unwatch(self->loop, &self->victim->watch);
    }
}

static void unwatched_descriptor_gets_no_event_of_the_same_turn(void **state)
{
    (void)state;
    struct slim_loop *loop;
    CHECK_OK(slim_loop_new(&loop));
    int fds[2][2];
    struct pipe_watch watches[2] = {0};
    for (size_t i = 0; i < 2; i++) {
        CHECK(pipe(fds[i]) == 0);
        CHECK(write(fds[i][1], "x", 1) == 1);
        watches[i] = (struct pipe_watch){.watch = {fds[i][0], SLIM_IO_READ, on_pipe}, .loop = loop};
        CHECK_OK(slim_loop_watch(loop, &watches[i].watch));
    }
    watches[0].victim = &watches[1];
    watches[1].victim = &watches[0];
    slim_loop_turn(loop, 1000);
    CHECK(watches[0].calls + watches[1].calls == 1);
    for (size_t i = 0; i < 2; i++) {
        slim_loop_unwatch(loop, &watches[i].watch);
        close(fds[i][0]);
        close(fds[i][1]);
    }
    slim_loop_free(loop);
}

struct chain_task {
    struct slim_task task;
    struct slim_loop *loop;
    struct slim_task *next;
    char name;
};

static void on_task(struct slim_task *task)
{
    struct chain_task *self = SLIM_CONTAINER_OF(task, struct chain_task, task);
    put_trace(self->name);
    if (self->next != NULL) {
        slim_loop_at_turn_end(self->loop, self->next);
    }
}

static void tasks_run_once_and_new_ones_in_the_next_turn(void **state)
{
    (void)state;
    struct slim_loop *loop;
    CHECK_OK(slim_loop_new(&loop));
    struct chain_task b = {.loop = loop, .name = 'b'};
    struct chain_task a = {.loop = loop, .name = 'a', .next = &b.task};
    struct chain_task c = {.loop = loop, .name = 'c'};
    slim_task_init(&a.task, on_task);
    slim_task_init(&b.task, on_task);
    slim_task_init(&c.task, on_task);
    trace[0] = 0;
    slim_loop_at_turn_end(loop, &a.task);
    slim_loop_at_turn_end(loop, &a.task);
    slim_loop_at_turn_end(loop, &c.task);
    slim_task_cancel(&c.task);
    slim_loop_turn(loop, -1);
    assert_string_equal(trace, "a");
    slim_loop_turn(loop, -1); /* does not wait: b is queued */
    assert_string_equal(trace, "ab");
    slim_loop_free(loop);
}

enum { POSTERS = 4, POSTS = 5000 };
struct poster {
    struct slim_loop *loop;
    struct slim_job jobs[POSTS];
};
static int job_count;

static void on_job(struct slim_job *job)
{
    (void)job;
    job_count++;
}

static void *post_all(void *arg)
{
    struct poster *poster = arg;
    for (size_t i = 0; i < POSTS; i++) {
        poster->jobs[i].on_loop = on_job;
        slim_loop_post(poster->loop, &poster->jobs[i]);
    }
    return NULL;
}

static void jobs_of_other_threads_all_arrive(void **state)
{
    (void)state;
    struct slim_loop *loop;
    CHECK_OK(slim_loop_new(&loop));
    static struct poster posters[POSTERS];
    pthread_t threads[POSTERS];
    job_count = 0;
    for (size_t i = 0; i < POSTERS; i++) {
        posters[i].loop = loop;
        CHECK(pthread_create(&threads[i], NULL, post_all, &posters[i]) == 0);
    }
    while (job_count < POSTERS * POSTS) {
        slim_loop_turn(loop, -1);
    }
    for (size_t i = 0; i < POSTERS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    slim_loop_stop(loop);
    slim_loop_run(loop); /* returns at once: the stop came first */
    slim_loop_free(loop);
}

static void sweep(void)
{
    struct slim_loop *loop;
    if (slim_loop_new(&loop) != SLIM_OK) {
        return;
    }
    if (slim_loop_reserve_timer(loop) == SLIM_OK) {
        slim_loop_release_timer(loop);
    }
    slim_loop_free(loop);
}

static void out_of_memory_is_a_status(void **state)
{
    (void)state;
    slim_sweep_alloc(sweep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order_of_their_times),
        cmocka_unit_test(timers_hold_a_heap_under_random_changes),
        cmocka_unit_test(unwatched_descriptor_gets_no_event_of_the_same_turn),
        cmocka_unit_test(tasks_run_once_and_new_ones_in_the_next_turn),
        cmocka_unit_test(jobs_of_other_threads_all_arrive),
        cmocka_unit_test(out_of_memory_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
