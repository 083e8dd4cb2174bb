/* Operations and queues by themselves (src/client/op.c). */
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "client/op.h"
#include "support/check.h"

static bool is_readable(const struct slim_queue *queue)
{
    struct pollfd wanted = {.fd = slim_queue_fd(queue), .events = POLLIN};
    return poll(&wanted, 1, 0) == 1;
}

static struct slim_op *begin(struct slim_queue *queue, void *user)
{
    return slim_client_op_new(&(struct slim_notify){.queue = queue, .user = user});
}

static void the_descriptor_is_readable_exactly_while_something_ended(void **state)
{
    (void)state;
    struct slim_queue *queue;
    int one = 1;
    int two = 2;
    CHECK_OK(slim_queue_new(&queue));
    struct slim_op *first = begin(queue, &one);
    struct slim_op *second = begin(queue, &two);
    CHECK(!is_readable(queue) && slim_queue_next(queue, 0) == NULL);
    slim_client_op_end(second, SLIM_OK, NULL);
    CHECK(is_readable(queue));
    slim_client_op_end(first, SLIM_ERR_TIMEOUT, "too slow");
    struct slim_op *got = slim_queue_next(queue, 0);
    CHECK_ROW("the order is that of ending", got == second && slim_op_user(got) == &two);
    CHECK_ROW("one is left", is_readable(queue));
    slim_op_unref(got);
    got = slim_queue_next(queue, SLIM_FOREVER);
    struct slim_error error;
    CHECK(got == first && slim_op_status(got, &error) == SLIM_ERR_TIMEOUT);
    CHECK(strcmp(error.text, "too slow") == 0 && !is_readable(queue));
    slim_op_unref(got);
    slim_op_unref(first);
    slim_op_unref(second);
    slim_queue_unref(queue);
}

static void what_is_cancelled_is_not_told(void **state)
{
    (void)state;
    struct slim_queue *queue;
    CHECK_OK(slim_queue_new(&queue));
    struct slim_op *before = begin(queue, NULL);
    CHECK_ROW("before it ended", slim_op_cancel(before));
    slim_client_op_end(before, SLIM_OK, NULL);
    CHECK(!is_readable(queue) && slim_queue_next(queue, 0) == NULL);
    struct slim_op *after = begin(queue, NULL);
    slim_client_op_end(after, SLIM_OK, NULL);
    CHECK_ROW("after it ended, before it was told", slim_op_cancel(after));
    CHECK(!is_readable(queue) && slim_queue_next(queue, 0) == NULL);
    CHECK_ROW("how it ended stays known", slim_op_status(after, NULL) == SLIM_OK);
    struct slim_op *told = begin(queue, NULL);
    slim_client_op_end(told, SLIM_OK, NULL);
    slim_op_unref(slim_queue_next(queue, 0));
    CHECK_ROW("told already", !slim_op_cancel(told));
    CHECK_ROW("twice", slim_op_cancel(before) && !slim_op_cancel(told));
    slim_op_unref(before);
    slim_op_unref(after);
    slim_op_unref(told);
    slim_queue_unref(queue);
}

static void a_queue_may_go_before_its_operations(void **state)
{
    (void)state;
    struct slim_queue *queue;
    int64_t live = slim_test_alloc_live();
    CHECK_OK(slim_queue_new(&queue));
    struct slim_op *ended = begin(queue, NULL);
    struct slim_op *open = begin(queue, NULL);
    slim_client_op_end(ended, SLIM_OK, NULL);
    slim_queue_unref(queue);
    slim_client_op_end(open, SLIM_OK, NULL);
    CHECK(slim_op_status(ended, NULL) == SLIM_OK && slim_op_status(open, NULL) == SLIM_OK);
    CHECK(slim_op_cancel(ended));
    slim_op_unref(ended);
    slim_op_unref(open);
    CHECK(slim_test_alloc_live() == live);
}

static void waiting_ends_with_the_operation_or_the_deadline(void **state)
{
    (void)state;
    struct slim_error error;
    struct slim_op *op = begin(NULL, NULL);
    CHECK(slim_op_wait(op, 0, NULL) == SLIM_AGAIN);
    CHECK(slim_op_wait(op, slim_in_ms(1), NULL) == SLIM_AGAIN);
    CHECK(slim_finish(slim_op_ref(op), slim_in_ms(1), &error) == SLIM_ERR_TIMEOUT);
    CHECK(strcmp(error.text, "Operation timed out") == 0);
    slim_client_op_end(op, SLIM_OK, NULL);
    CHECK_OK(slim_op_wait(op, 0, NULL));
    CHECK_OK(slim_finish(op, 0, NULL));
    op = slim_client_op_failed(NULL, SLIM_ERR_STATE, NULL);
    CHECK_ROW("without a sentence the status has one",
              slim_finish(op, 0, &error) == SLIM_ERR_STATE && error.text[0] != 0);
}

/* ---- races: the thread sanitizer looks at these */

enum { ROUNDS = 3000 };

static void *end_them(void *ctx)
{
    struct slim_op **ops = ctx;
    for (size_t i = 0; i < ROUNDS; i++) {
        slim_client_op_end(ops[i], SLIM_OK, "unused");
    }
    return NULL;
}

static void cancelling_and_ending_at_once_tells_or_does_not(void **state)
{
    (void)state;
    static struct slim_op *ops[ROUNDS];
    int64_t live = slim_test_alloc_live();
    struct slim_queue *queue;
    pthread_t thread;
    size_t told = 0;
    size_t silent = 0;
    CHECK_OK(slim_queue_new(&queue));
    for (size_t i = 0; i < ROUNDS; i++) {
        ops[i] = begin(queue, NULL);
    }
    CHECK(pthread_create(&thread, NULL, end_them, ops) == 0);
    for (size_t i = 0; i < ROUNDS; i += 2) {
        silent += slim_op_cancel(ops[i]) ? 1 : 0;
    }
    (void)pthread_join(thread, NULL);
    struct slim_op *op;
    while ((op = slim_queue_next(queue, 0)) != NULL) {
        told++;
        slim_op_unref(op);
    }
    CHECK(told + silent == ROUNDS && silent == ROUNDS / 2);
    for (size_t i = 0; i < ROUNDS; i++) {
        slim_op_unref(ops[i]);
    }
    slim_queue_unref(queue);
    CHECK(slim_test_alloc_live() == live);
}

static void *cancel_them(void *ctx)
{
    struct slim_op **ops = ctx;
    for (size_t i = 0; i < ROUNDS; i++) {
        (void)slim_op_cancel(ops[i]);
        slim_op_unref(ops[i]);
    }
    return NULL;
}

static void a_queue_may_go_while_operations_are_cancelled(void **state)
{
    (void)state;
    static struct slim_op *ops[ROUNDS];
    int64_t live = slim_test_alloc_live();
    struct slim_queue *queue;
    pthread_t thread;
    CHECK_OK(slim_queue_new(&queue));
    for (size_t i = 0; i < ROUNDS; i++) {
        ops[i] = begin(queue, NULL);
        slim_client_op_end(ops[i], SLIM_OK, NULL);
    }
    CHECK(pthread_create(&thread, NULL, cancel_them, ops) == 0);
    slim_queue_unref(queue);
    (void)pthread_join(thread, NULL);
    CHECK(slim_test_alloc_live() == live);
}

static void *wait_for_it(void *ctx)
{
    return slim_op_wait(ctx, SLIM_FOREVER, NULL) == SLIM_OK ? ctx : NULL;
}

static void every_waiting_thread_wakes(void **state)
{
    (void)state;
    enum { THREADS = 4, TURNS = 100 };
    for (size_t turn = 0; turn < TURNS; turn++) {
        struct slim_op *op = begin(NULL, NULL);
        pthread_t threads[THREADS];
        for (size_t i = 0; i < THREADS; i++) {
            CHECK(pthread_create(&threads[i], NULL, wait_for_it, op) == 0);
        }
        slim_client_op_end(op, SLIM_OK, NULL);
        for (size_t i = 0; i < THREADS; i++) {
            void *got = NULL;
            (void)pthread_join(threads[i], &got);
            CHECK(got == op);
        }
        slim_op_unref(op);
    }
}

static void those_that_nobody_has_leave_a_list(void **state)
{
    (void)state;
    struct slim_queue *queue;
    struct slim_list list;
    int64_t live = slim_test_alloc_live();
    slim_list_init(&list);
    CHECK_OK(slim_queue_new(&queue));
    struct slim_op *told = begin(queue, NULL);
    slim_client_op_put(&list, told);
    slim_op_unref(told); /* the queue is still to be told */
    for (size_t i = 0; i < 100; i++) {
        struct slim_op *op = begin(i % 2 == 0 ? queue : NULL, NULL);
        slim_client_op_put(&list, op);
        (void)slim_op_cancel(op);
        slim_op_unref(op);
    }
    size_t count = 0;
    SLIM_LIST_EACH(node, &list)
    {
        count++;
    }
    CHECK_ROW("the one to be told and the last one", count == 2);
    slim_client_op_end_all(&list, SLIM_OK, NULL);
    struct slim_op *got = slim_queue_next(queue, 0);
    CHECK(got == told && slim_queue_next(queue, 0) == NULL);
    slim_op_unref(got);
    slim_queue_unref(queue);
    CHECK(slim_test_alloc_live() == live);
}

static void without_memory_an_operation_has_failed(void **state)
{
    (void)state;
    struct slim_error error;
    slim_test_alloc_fail_at(1);
    struct slim_op *op = slim_client_op_new(NULL);
    slim_test_alloc_fail_at(0);
    CHECK(op != NULL && slim_op_status(op, &error) == SLIM_ERR_NO_MEMORY && error.text[0] != 0);
    slim_client_op_end(op, SLIM_OK, NULL);
    CHECK(slim_op_wait(slim_op_ref(op), SLIM_FOREVER, NULL) == SLIM_ERR_NO_MEMORY);
    CHECK(!slim_op_cancel(op));
    slim_op_unref(op);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_descriptor_is_readable_exactly_while_something_ended),
        cmocka_unit_test(what_is_cancelled_is_not_told),
        cmocka_unit_test(a_queue_may_go_before_its_operations),
        cmocka_unit_test(waiting_ends_with_the_operation_or_the_deadline),
        cmocka_unit_test(cancelling_and_ending_at_once_tells_or_does_not),
        cmocka_unit_test(a_queue_may_go_while_operations_are_cancelled),
        cmocka_unit_test(every_waiting_thread_wakes),
        cmocka_unit_test(those_that_nobody_has_leave_a_list),
        cmocka_unit_test(without_memory_an_operation_has_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
