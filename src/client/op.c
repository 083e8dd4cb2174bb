#include "client/op.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/signal_fd.h"

enum { NS_PER_MS = 1000000, NS_PER_S = 1000000000, LOT_COUNT = 16, MS_WAIT_MAX = 1 << 30 };

/* ------------------------------------------------------------------------------------------------ time */

uint64_t slim_now_ns(void)
{
    return slim_clock_ns();
}

uint64_t slim_in_ms(uint64_t ms)
{
    uint64_t now_ns = slim_now_ns();
    return ms > (UINT64_MAX - now_ns) / NS_PER_MS ? SLIM_FOREVER : now_ns + ms * NS_PER_MS;
}

enum slim_status slim_client_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0) {
        return SLIM_ERR_NO_MEMORY;
    }
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC); /* a clock that it knows */
    int failed = pthread_cond_init(cond, &attr);
    (void)pthread_condattr_destroy(&attr);
    return failed == 0 ? SLIM_OK : SLIM_ERR_NO_MEMORY;
}

bool slim_client_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t deadline_ns)
{
    if (deadline_ns == SLIM_FOREVER) {
        return pthread_cond_wait(cond, mutex) == 0;
    }
    struct timespec until = {.tv_sec = (time_t)(deadline_ns / NS_PER_S),
                             .tv_nsec = (long)(deadline_ns % NS_PER_S)};
    return pthread_cond_timedwait(cond, mutex, &until) != ETIMEDOUT;
}

/* ------------------------------------------------------------------------------------------------ waiting threads
 *
 * An operation has no lock of its own: there are too many of them and few are waited for. Waiters meet in one of a few lots. */

enum slim_status slim_client_check_process(uint32_t process, struct slim_error *error)
{
    return process == slim_client_process()
               ? SLIM_OK
               : slim_error_set(
                     error, SLIM_ERR_STATE,
                     "this process was forked from the one that made the object: make a new "
                     "service after the fork");
}

struct lot {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
};

static struct lot lots[LOT_COUNT];
static uint32_t process_number = 1; /* changes while a child has one thread only */
static pthread_once_t lots_once = PTHREAD_ONCE_INIT;

static void make_lots(void)
{
    for (size_t i = 0; i < LOT_COUNT; i++) {
        (void)pthread_mutex_init(&lots[i].mutex, NULL); /* a plain mutex cannot fail here */
        enum slim_status status = slim_client_cond_init(&lots[i].cond);
        assert(status == SLIM_OK); /* glibc allocates nothing for it */
    }
}

/* In the child, before fork returns: threads that held a lock are not here to give it back. */
static void on_child(void)
{
    process_number++;
    make_lots();
}

static void begin(void)
{
    make_lots();
    int failed = pthread_atfork(NULL, NULL, on_child);
    assert(failed == 0); /* a few bytes, once, at the first service of the process */
}

uint32_t slim_client_process(void)
{
    (void)pthread_once(&lots_once, begin); /* cannot fail */
    return process_number;
}

static struct lot *lot_of(const struct slim_op *op)
{
    return &lots[((uintptr_t)op / sizeof(*op)) % LOT_COUNT];
}

/* ------------------------------------------------------------------------------------------------ queues */

/* user_count   references of users: without any nobody can pick up, and what ends is not told
 * ref_count    one for all users together, and one of each operation that was made with it
 * ended        operations to be picked up, each with a reference; fd is readable exactly while there are some */
struct slim_queue {
    _Atomic uint32_t user_count;
    _Atomic uint32_t ref_count;
    uint32_t process;
    pthread_mutex_t mutex;
    bool is_closed;
    struct slim_list ended;
    int fd;
};

enum slim_status slim_queue_new(struct slim_queue **queue)
{
    if (queue == NULL) {
        return SLIM_ERR_ARGUMENT;
    }
    struct slim_queue *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    made->fd = slim_signal_fd_new();
    if (made->fd < 0) {
        free(made);
        return SLIM_ERR_IO;
    }
    made->process = slim_client_process();
    atomic_init(&made->user_count, 1);
    atomic_init(&made->ref_count, 1);
    (void)pthread_mutex_init(&made->mutex, NULL); /* a plain mutex cannot fail here */
    slim_list_init(&made->ended);
    *queue = made;
    return SLIM_OK;
}

static void release(struct slim_queue *queue)
{
    if (queue != NULL &&
        atomic_fetch_sub_explicit(&queue->ref_count, 1, memory_order_acq_rel) == 1) {
        assert(slim_list_is_empty(&queue->ended));
        (void)pthread_mutex_destroy(&queue->mutex); /* nobody holds it */
        close(queue->fd);
        free(queue);
    }
}

struct slim_queue *slim_queue_ref(struct slim_queue *queue)
{
    if (queue != NULL) {
        atomic_fetch_add_explicit(&queue->user_count, 1, memory_order_relaxed);
    }
    return queue;
}

/* The queue's mutex is held. The reference of the queue becomes the caller's. */
static struct slim_op *first_ended(struct slim_queue *queue)
{
    struct slim_list *node = slim_list_take_first(&queue->ended);
    return node == NULL ? NULL : SLIM_LIST_ENTRY(node, struct slim_op, in_queue);
}

void slim_queue_unref(struct slim_queue *queue)
{
    if (queue == NULL ||
        atomic_fetch_sub_explicit(&queue->user_count, 1, memory_order_acq_rel) != 1 ||
        slim_client_check_process(queue->process, NULL) != SLIM_OK) {
        return;
    }
    struct slim_op *op;
    do {
        (void)pthread_mutex_lock(&queue->mutex); /* our own mutex */
        queue->is_closed = true;
        op = first_ended(queue);
        (void)pthread_mutex_unlock(&queue->mutex); /* likewise */
        slim_op_unref(op);
    } while (op != NULL);
    release(queue);
}

int slim_queue_fd(const struct slim_queue *queue)
{
    return queue == NULL ? -1 : queue->fd;
}

static struct slim_op *take_ended(struct slim_queue *queue)
{
    (void)pthread_mutex_lock(&queue->mutex); /* our own mutex */
    struct slim_op *op = first_ended(queue);
    if (op != NULL) {
        op->is_told = true;
        if (slim_list_is_empty(&queue->ended)) {
            slim_signal_fd_clear(queue->fd);
        }
    }
    (void)pthread_mutex_unlock(&queue->mutex); /* likewise */
    return op;
}

/* Milliseconds until the deadline, rounded up, for poll. */
static int ms_until(uint64_t deadline_ns)
{
    uint64_t now_ns = slim_now_ns();
    if (deadline_ns <= now_ns) {
        return 0;
    }
    uint64_t ms = (deadline_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
    return deadline_ns == SLIM_FOREVER ? -1 : (int)(ms < MS_WAIT_MAX ? ms : MS_WAIT_MAX);
}

struct slim_op *slim_queue_next(struct slim_queue *queue, uint64_t deadline_ns)
{
    if (queue == NULL || slim_client_check_process(queue->process, NULL) != SLIM_OK) {
        return NULL;
    }
    for (;;) {
        struct slim_op *op = take_ended(queue);
        int wait_ms = op == NULL ? ms_until(deadline_ns) : 0;
        if (op != NULL || wait_ms == 0) {
            return op;
        }
        struct pollfd wanted = {.fd = queue->fd, .events = POLLIN};
        (void)poll(&wanted, 1, wait_ms); /* whatever it says, we look again */
    }
}

/* The queue holds the operation now. */
static void tell_queue(struct slim_op *op)
{
    struct slim_queue *queue = op->queue;
    (void)pthread_mutex_lock(&queue->mutex); /* our own mutex */
    if (!op->is_cancelled && !queue->is_closed) {
        slim_op_ref(op);
        if (slim_list_is_empty(&queue->ended)) {
            slim_signal_fd_set(queue->fd);
        }
        slim_list_put_last(&queue->ended, &op->in_queue);
    }
    (void)pthread_mutex_unlock(&queue->mutex); /* likewise */
}

/* ------------------------------------------------------------------------------------------------ operations */

static struct slim_op no_memory = {.ref_count = 1, .status = SLIM_ERR_NO_MEMORY, .is_static = true};

char *slim_client_text_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    if (copy != NULL) {
        memcpy(copy, text, size);
    }
    return copy;
}

struct slim_op *slim_client_op_new(const struct slim_notify *notify)
{
    struct slim_op *op = calloc(1, sizeof(*op));
    if (op == NULL) {
        return &no_memory;
    }
    op->process = slim_client_process();
    atomic_init(&op->ref_count, 2);
    atomic_init(&op->status, SLIM_AGAIN);
    slim_list_init(&op->in_queue);
    slim_list_init(&op->waiting);
    if (notify != NULL) {
        op->queue = notify->queue;
        if (op->queue != NULL) {
            atomic_fetch_add_explicit(&op->queue->ref_count, 1, memory_order_relaxed);
        }
        op->has_queue = op->queue != NULL;
        op->user = notify->user;
    }
    return op;
}

/* Either the end of the operation sees the queue, or we see the end: both look after they have written, at waiter_count and at status. */
enum slim_status slim_op_notify(struct slim_op *op, const struct slim_notify *notify)
{
    if (op == NULL || notify == NULL || notify->queue == NULL) {
        return SLIM_ERR_ARGUMENT;
    }
    if (op->is_static || op->has_queue) {
        return SLIM_ERR_STATE;
    }
    struct lot *lot = lot_of(op);
    (void)pthread_mutex_lock(&lot->mutex); /* our own mutex */
    bool is_first = !op->is_late;
    if (is_first) {
        op->is_late = true;
        op->queue = notify->queue;
        op->user = notify->user;
        atomic_fetch_add_explicit(&op->queue->ref_count, 1, memory_order_relaxed);
        atomic_fetch_add(&op->waiter_count, 1); /* for good: its end comes by the lot */
        op->is_late_told = atomic_load(&op->status) != SLIM_AGAIN;
    }
    bool is_told = is_first && op->is_late_told;
    (void)pthread_mutex_unlock(&lot->mutex); /* likewise */
    if (is_told) {
        tell_queue(op);
    }
    return is_first ? SLIM_OK : SLIM_ERR_STATE;
}

struct slim_op *slim_op_ref(struct slim_op *op)
{
    if (op != NULL && !op->is_static) {
        atomic_fetch_add_explicit(&op->ref_count, 1, memory_order_relaxed);
    }
    return op;
}

void slim_op_unref(struct slim_op *op)
{
    if (op == NULL || op->is_static ||
        atomic_fetch_sub_explicit(&op->ref_count, 1, memory_order_acq_rel) != 1) {
        return;
    }
    release(op->queue);
    free(op->text);
    free(op);
}

void slim_client_op_end(struct slim_op *op, enum slim_status status, const char *text)
{
    if (op->is_static) {
        return;
    }
    assert(status != SLIM_AGAIN && atomic_load(&op->status) == SLIM_AGAIN);
    bool has_queue = op->has_queue;
    op->text = status == SLIM_OK || text == NULL ? NULL : slim_client_text_copy(text);
    atomic_store(&op->status, (int)status);
    if (atomic_load(&op->waiter_count) > 0) {
        struct lot *lot = lot_of(op);
        (void)pthread_mutex_lock(&lot->mutex);    /* our own mutex */
        (void)pthread_cond_broadcast(&lot->cond); /* cannot fail */
        has_queue = has_queue || (op->is_late && !op->is_late_told);
        (void)pthread_mutex_unlock(&lot->mutex); /* likewise */
    }
    if (has_queue) {
        tell_queue(op);
    }
    slim_op_unref(op);
}

struct slim_op *slim_client_op_failed(const struct slim_notify *notify, enum slim_status status,
                                      const char *text)
{
    struct slim_op *op = slim_client_op_new(notify);
    slim_client_op_end(op, status, text);
    return op;
}

void slim_client_op_end_all(struct slim_list *list, enum slim_status status, const char *text)
{
    struct slim_list *node;
    while ((node = slim_list_take_first(list)) != NULL) {
        slim_client_op_end(SLIM_LIST_ENTRY(node, struct slim_op, waiting), status, text);
    }
}

/* Nobody waits at it, nobody has it, and no queue is to be told. */
static bool is_abandoned(struct slim_op *op)
{
    bool is_wanted = atomic_load(&op->ref_count) > 1;
    if (!is_wanted && op->queue != NULL) {
        (void)pthread_mutex_lock(&op->queue->mutex); /* our own mutex */
        is_wanted = !op->is_cancelled && !op->queue->is_closed;
        (void)pthread_mutex_unlock(&op->queue->mutex); /* likewise */
    }
    return !is_wanted;
}

void slim_client_op_put(struct slim_list *list, struct slim_op *op)
{
    SLIM_LIST_EACH(node, list)
    {
        struct slim_op *other = SLIM_LIST_ENTRY(node, struct slim_op, waiting);
        if (is_abandoned(other)) {
            slim_list_remove(&other->waiting);
            slim_client_op_end(other, SLIM_ERR_CLOSED, NULL);
        }
    }
    slim_list_put_last(list, &op->waiting);
}

enum slim_status slim_op_status(const struct slim_op *op, struct slim_error *error)
{
    if (op == NULL) {
        return slim_error_set(error, SLIM_ERR_ARGUMENT, "no operation was given");
    }
    enum slim_status status = (enum slim_status)atomic_load(&op->status);
    if (status == SLIM_AGAIN && slim_client_check_process(op->process, error) != SLIM_OK) {
        return SLIM_ERR_STATE; /* nobody is here who could end it */
    }
    if (status != SLIM_OK && status != SLIM_AGAIN) {
        return slim_error_set(error, status, "%s",
                              op->text == NULL ? slim_status_text(status) : op->text);
    }
    return status;
}

enum slim_status slim_op_wait(struct slim_op *op, uint64_t deadline_ns, struct slim_error *error)
{
    enum slim_status status = slim_op_status(op, error);
    if (status != SLIM_AGAIN || deadline_ns == 0) {
        return status;
    }
    SLIM_TRY(slim_client_check_process(op->process, error));
    struct lot *lot = lot_of(op);
    (void)pthread_mutex_lock(&lot->mutex); /* our own mutex */
    atomic_fetch_add(&op->waiter_count, 1);
    bool is_in_time = true;
    while (atomic_load(&op->status) == SLIM_AGAIN && is_in_time) {
        is_in_time = slim_client_wait_until(&lot->cond, &lot->mutex, deadline_ns);
    }
    atomic_fetch_sub(&op->waiter_count, 1);
    (void)pthread_mutex_unlock(&lot->mutex); /* likewise */
    return slim_op_status(op, error);
}

enum slim_status slim_finish(struct slim_op *op, uint64_t deadline_ns, struct slim_error *error)
{
    enum slim_status status = slim_op_wait(op, deadline_ns, error);
    if (status == SLIM_AGAIN) {
        (void)slim_op_cancel(op); /* nobody waits any more */
        status = slim_error_set(error, SLIM_ERR_TIMEOUT, "Operation timed out");
    }
    slim_op_unref(op);
    return status;
}

bool slim_op_cancel(struct slim_op *op)
{
    if (op == NULL || (!op->is_static && slim_client_check_process(op->process, NULL) != SLIM_OK)) {
        return false;
    }
    if (op->queue == NULL || op->is_static) {
        return atomic_load(&op->status) == SLIM_AGAIN;
    }
    (void)pthread_mutex_lock(&op->queue->mutex); /* our own mutex */
    bool was_waiting = slim_list_is_linked(&op->in_queue);
    bool was_told = op->is_told;
    op->is_cancelled = true;
    if (was_waiting) {
        slim_list_remove(&op->in_queue);
        if (slim_list_is_empty(&op->queue->ended)) {
            slim_signal_fd_clear(op->queue->fd);
        }
    }
    (void)pthread_mutex_unlock(&op->queue->mutex); /* likewise */
    if (was_waiting) {
        slim_op_unref(op);
    }
    return !was_told;
}

void *slim_op_user(const struct slim_op *op)
{
    return op == NULL ? NULL : op->user;
}

uint64_t slim_op_connection(const struct slim_op *op)
{
    return op == NULL ? 0 : op->connection;
}
