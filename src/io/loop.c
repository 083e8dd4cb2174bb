#include "io/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/signal_fd.h"

enum {
    EVENTS_PER_TURN = 256,
    HEAP_KEEP_BYTES = 4 * 1024 * 1024,
    POOL_KEEP_BYTES = 16 * 1024 * 1024,
    TIMERS_MIN = 16,
};

/* timers: a binary heap, the earliest first; timers[i]->heap_index == i. reserved_count <= capacity, so that setting a
 * reserved timer needs no memory.
 * jobs: a stack that other threads push on (release) and the loop takes whole (acquire). stop: any thread writes. */
struct slim_loop {
    int epoll_fd;
    int statm_fd; /* -1: not to be had */
    uint64_t now_ms;
    struct slim_heap *heap;
    struct slim_block_pool *pool;
    uint8_t *receive_buffer;

    struct slim_timer **timers;
    size_t timer_count;
    size_t timer_capacity;
    size_t timer_reserved_count;

    struct slim_list tasks;

    struct epoll_event events[EVENTS_PER_TURN];
    size_t event_index; /* the event being served; later ones may have to be forgotten by unwatch */
    size_t event_count;

    struct slim_watch wake;
    _Atomic(struct slim_job *) jobs;
    _Atomic bool stop;
};

static void on_wake(struct slim_watch *watch, uint32_t events)
{
    (void)events;
    slim_signal_fd_clear(watch->fd); /* the jobs are looked at in every turn */
}

enum slim_status slim_loop_new(struct slim_loop **loop)
{
    struct slim_loop *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    enum slim_status status = SLIM_ERR_NO_MEMORY;
    made->epoll_fd = -1;
    made->statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC); /* without it nobody is told */
    made->wake.fd = -1;
    slim_list_init(&made->tasks);
    made->now_ms = slim_clock_ms();
    if (slim_heap_new(HEAP_KEEP_BYTES, &made->heap) != SLIM_OK ||
        slim_block_pool_new(POOL_KEEP_BYTES, &made->pool) != SLIM_OK) {
        goto fail;
    }
    made->receive_buffer = malloc(SLIM_LOOP_RECEIVE_BYTES);
    if (made->receive_buffer == NULL) {
        goto fail;
    }
    status = SLIM_ERR_IO;
    made->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    made->wake = (struct slim_watch){
        .fd = slim_signal_fd_new(), .wanted = SLIM_IO_READ, .on_ready = on_wake};
    if (made->epoll_fd < 0 || made->wake.fd < 0) {
        goto fail;
    }
    status = slim_loop_watch(made, &made->wake);
    if (status != SLIM_OK) {
        goto fail;
    }
    *loop = made;
    return SLIM_OK;
fail:
    slim_loop_free(made);
    return status;
}

static void run_jobs(struct slim_loop *loop);

void slim_loop_free(struct slim_loop *loop)
{
    if (loop == NULL) {
        return;
    }
    assert(loop->timer_count == 0);
    run_jobs(loop); /* posted by threads that are gone: they free themselves */
    if (loop->wake.fd >= 0) {
        close(loop->wake.fd);
    }
    if (loop->statm_fd >= 0) {
        close(loop->statm_fd);
    }
    if (loop->epoll_fd >= 0) {
        close(loop->epoll_fd);
    }
    slim_block_pool_free(loop->pool);
    slim_heap_free(loop->heap);
    free(loop->receive_buffer);
    free(loop->timers);
    free(loop);
}

uint64_t slim_loop_now_ms(const struct slim_loop *loop)
{
    return loop->now_ms;
}

struct slim_heap *slim_loop_heap(struct slim_loop *loop)
{
    return loop->heap;
}

struct slim_block_pool *slim_loop_pool(struct slim_loop *loop)
{
    return loop->pool;
}

size_t slim_loop_resident_bytes(const struct slim_loop *loop)
{
#ifdef SLIM_SANITIZED
    (void)loop;
    return 0;
#else
    char text[64];
    ssize_t len = loop->statm_fd < 0 ? -1 : pread(loop->statm_fd, text, sizeof(text) - 1, 0);
    if (len <= 0) {
        return 0;
    }
    text[len] = 0;
    const char *second = strchr(text, ' '); /* "size resident shared ...", in pages */
    return second == NULL ? 0 : strtoul(second, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
#endif
}

void slim_loop_trim_memory(struct slim_loop *loop)
{
    slim_block_pool_trim(loop->pool);
    slim_heap_trim(loop->heap);
    (void)malloc_trim(0); /* whether something was released does not matter */
}

uint8_t *slim_loop_receive_buffer(struct slim_loop *loop)
{
    return loop->receive_buffer;
}

/* ------------------------------------------------------------------------------------------------ descriptors */

static uint32_t epoll_bits(uint32_t wanted)
{
    uint32_t bits = 0;
    if ((wanted & SLIM_IO_READ) != 0) {
        bits |= EPOLLIN;
    }
    if ((wanted & SLIM_IO_WRITE) != 0) {
        bits |= EPOLLOUT;
    }
    return bits;
}

enum slim_status slim_loop_watch(struct slim_loop *loop, struct slim_watch *watch)
{
    struct epoll_event event = {.events = epoll_bits(watch->wanted), .data.ptr = watch};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) == 0 ? SLIM_OK : SLIM_ERR_IO;
}

void slim_loop_rewatch(struct slim_loop *loop, struct slim_watch *watch, uint32_t wanted)
{
    if (watch->wanted == wanted) {
        return;
    }
    watch->wanted = wanted;
    struct epoll_event event = {.events = epoll_bits(wanted), .data.ptr = watch};
    int result = epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event);
    assert(result == 0); /* fails only for descriptors that are not watched */
    (void)result;
}

void slim_loop_unwatch(struct slim_loop *loop, struct slim_watch *watch)
{
    /* not watched is what we want */
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    for (size_t i = loop->event_index; i < loop->event_count; i++) {
        if (loop->events[i].data.ptr == watch) {
            loop->events[i].data.ptr = NULL;
        }
    }
}

/* ------------------------------------------------------------------------------------------------ timers */

static void timer_place(struct slim_loop *loop, size_t index, struct slim_timer *timer)
{
    loop->timers[index] = timer;
    timer->heap_index = index;
}

/* Move the timer at `index` to where its due time belongs. */
static void timer_sift(struct slim_loop *loop, size_t index)
{
    struct slim_timer *timer = loop->timers[index];
    while (index > 0 && loop->timers[(index - 1) / 2]->due_ms > timer->due_ms) {
        timer_place(loop, index, loop->timers[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= loop->timer_count) {
            break;
        }
        if (child + 1 < loop->timer_count &&
            loop->timers[child + 1]->due_ms < loop->timers[child]->due_ms) {
            child++;
        }
        if (loop->timers[child]->due_ms >= timer->due_ms) {
            break;
        }
        timer_place(loop, index, loop->timers[child]);
        index = child;
    }
    timer_place(loop, index, timer);
}

void slim_timer_init(struct slim_timer *timer, void (*on_due)(struct slim_timer *timer))
{
    *timer = (struct slim_timer){.heap_index = SIZE_MAX, .on_due = on_due};
}

bool slim_timer_is_set(const struct slim_timer *timer)
{
    return timer->heap_index != SIZE_MAX;
}

enum slim_status slim_loop_reserve_timer(struct slim_loop *loop)
{
    if (loop->timer_reserved_count == loop->timer_capacity) {
        size_t capacity = loop->timer_capacity == 0 ? TIMERS_MIN : loop->timer_capacity * 2;
        struct slim_timer **timers = realloc(loop->timers, capacity * sizeof(struct slim_timer *));
        if (timers == NULL) {
            return SLIM_ERR_NO_MEMORY;
        }
        loop->timers = timers;
        loop->timer_capacity = capacity;
    }
    loop->timer_reserved_count++;
    return SLIM_OK;
}

void slim_loop_release_timer(struct slim_loop *loop)
{
    assert(loop->timer_reserved_count > 0);
    loop->timer_reserved_count--;
}

void slim_timer_set(struct slim_loop *loop, struct slim_timer *timer, uint64_t due_ms)
{
    timer->due_ms = due_ms;
    if (!slim_timer_is_set(timer)) {
        assert(loop->timer_count < loop->timer_reserved_count);
        timer_place(loop, loop->timer_count, timer);
        loop->timer_count++;
    }
    timer_sift(loop, timer->heap_index);
}

void slim_timer_cancel(struct slim_loop *loop, struct slim_timer *timer)
{
    if (!slim_timer_is_set(timer)) {
        return;
    }
    size_t index = timer->heap_index;
    timer->heap_index = SIZE_MAX;
    loop->timer_count--;
    if (index < loop->timer_count) {
        timer_place(loop, index, loop->timers[loop->timer_count]);
        timer_sift(loop, index);
    }
}

static void run_timers(struct slim_loop *loop)
{
    while (loop->timer_count > 0 && loop->timers[0]->due_ms <= loop->now_ms) {
        struct slim_timer *timer = loop->timers[0];
        slim_timer_cancel(loop, timer);
        timer->on_due(timer);
    }
}

/* ------------------------------------------------------------------------------------------------ tasks, jobs, turns */

void slim_task_init(struct slim_task *task, void (*on_turn_end)(struct slim_task *task))
{
    slim_list_init(&task->node);
    task->on_turn_end = on_turn_end;
}

void slim_loop_at_turn_end(struct slim_loop *loop, struct slim_task *task)
{
    if (!slim_list_is_linked(&task->node)) {
        slim_list_put_last(&loop->tasks, &task->node);
    }
}

void slim_task_cancel(struct slim_task *task)
{
    slim_list_remove(&task->node);
}

static void run_tasks(struct slim_loop *loop)
{
    struct slim_list due;
    slim_list_init(&due);
    slim_list_take_all(&due, &loop->tasks);
    struct slim_list *node;
    while ((node = slim_list_take_first(&due)) != NULL) {
        struct slim_task *task = SLIM_LIST_ENTRY(node, struct slim_task, node);
        task->on_turn_end(task);
    }
}

void slim_loop_post(struct slim_loop *loop, struct slim_job *job)
{
    struct slim_job *first = atomic_load_explicit(&loop->jobs, memory_order_relaxed);
    do {
        job->next = first;
    } while (!atomic_compare_exchange_weak_explicit(&loop->jobs, &first, job, memory_order_release,
                                                    memory_order_relaxed));
    /* from here on the job may be done and freed */
    if (first != NULL) {
        return; /* whoever pushed the first one wakes the loop, which then takes all */
    }
    slim_signal_fd_set(loop->wake.fd);
}

static void run_jobs(struct slim_loop *loop)
{
    struct slim_job *job = atomic_exchange_explicit(&loop->jobs, NULL, memory_order_acquire);
    struct slim_job *in_order = NULL; /* they were pushed last first */
    while (job != NULL) {
        struct slim_job *next = job->next;
        job->next = in_order;
        in_order = job;
        job = next;
    }
    while (in_order != NULL) {
        job = in_order;
        in_order = job->next;
        job->on_loop(job);
    }
}

/* How long the turn may wait: not past the next timer, not at all when there is work left over. */
static int wait_time_ms(const struct slim_loop *loop, int wait_ms)
{
    enum { WAIT_MAX_MS = 60000 };
    if (!slim_list_is_empty(&loop->tasks)) {
        return 0;
    }
    if (loop->timer_count == 0) {
        return wait_ms;
    }
    uint64_t due_ms = loop->timers[0]->due_ms;
    uint64_t now_ms = slim_clock_ms();
    uint64_t left_ms = due_ms > now_ms ? due_ms - now_ms : 0;
    if (left_ms > WAIT_MAX_MS) {
        left_ms = WAIT_MAX_MS;
    }
    return wait_ms >= 0 && (uint64_t)wait_ms < left_ms ? wait_ms : (int)left_ms;
}

void slim_loop_turn(struct slim_loop *loop, int wait_ms)
{
    int count =
        epoll_wait(loop->epoll_fd, loop->events, EVENTS_PER_TURN, wait_time_ms(loop, wait_ms));
    loop->now_ms = slim_clock_ms();
    loop->event_index = 0;
    loop->event_count = count > 0 ? (size_t)count : 0; /* below 0 only when a signal came */
    run_timers(loop);
    for (loop->event_index = 0; loop->event_index < loop->event_count; loop->event_index++) {
        const struct epoll_event *event = &loop->events[loop->event_index];
        struct slim_watch *watch = event->data.ptr;
        if (watch == NULL) {
            continue; /* unwatched by an earlier event of this turn */
        }
        uint32_t ready = 0;
        if ((event->events & EPOLLIN) != 0) {
            ready |= SLIM_IO_READ;
        }
        if ((event->events & EPOLLOUT) != 0) {
            ready |= SLIM_IO_WRITE;
        }
        if ((event->events & (EPOLLERR | EPOLLHUP)) != 0) {
            ready |= SLIM_IO_READ | SLIM_IO_WRITE;
        }
        watch->on_ready(watch, ready);
    }
    loop->event_count = 0;
    loop->event_index = 0;
    run_jobs(loop);
    run_tasks(loop);
}

void slim_loop_run(struct slim_loop *loop)
{
    while (!atomic_load_explicit(&loop->stop, memory_order_acquire)) {
        slim_loop_turn(loop, -1);
    }
    atomic_store_explicit(&loop->stop, false, memory_order_relaxed);
}

void slim_loop_stop(struct slim_loop *loop)
{
    atomic_store_explicit(&loop->stop, true, memory_order_release);
    slim_signal_fd_set(loop->wake.fd);
}
