#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { NS_PER_MS = 1000000, MS_WAIT_MAX = 1 << 30, TIMER_COUNT_START = 64 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static uint32_t process = 1;
static bool is_running;
static struct slim_queue *queue;
static int wake_read_fd = -1;
static int wake_write_fd = -1;

/* A binary heap: the future whose deadline comes first is timers[0]. */
static struct uf_future **timers;
static size_t timer_count;
static size_t timer_room;

void uf_engine_lock(void)
{
    (void)pthread_mutex_lock(&mutex); /* our own mutex */
}

void uf_engine_unlock(void)
{
    (void)pthread_mutex_unlock(&mutex); /* likewise */
}

struct slim_queue *uf_engine_queue(void)
{
    return queue;
}

uint32_t uf_engine_process(void)
{
    return process;
}

/* ------------------------------------------------------------------------------------------------ timers */

static void place(struct uf_future *future, size_t index)
{
    timers[index] = future;
    future->timer = index + 1;
}

static void sift_up(struct uf_future *future, size_t index)
{
    while (index > 0 && timers[(index - 1) / 2]->deadline_ns > future->deadline_ns) {
        place(timers[(index - 1) / 2], index);
        index = (index - 1) / 2;
    }
    place(future, index);
}

static void sift_down(struct uf_future *future, size_t index)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child + 1 < timer_count &&
            timers[child + 1]->deadline_ns < timers[child]->deadline_ns) {
            child++;
        }
        if (child >= timer_count || timers[child]->deadline_ns >= future->deadline_ns) {
            break;
        }
        place(timers[child], index);
        index = child;
    }
    place(future, index);
}

bool uf_timer_put(struct uf_future *future)
{
    if (future->timer != 0 || future->deadline_ns == SLIM_FOREVER) {
        return true;
    }
    if (timer_count == timer_room) {
        size_t room = timer_room == 0 ? TIMER_COUNT_START : 2 * timer_room;
        struct uf_future **grown = realloc(timers, room * sizeof(struct uf_future *));
        if (grown == NULL) {
            return false;
        }
        timers = grown;
        timer_room = room;
    }
    sift_up(future, timer_count++);
    if (future->timer == 1) {
        (void)!write(wake_write_fd, "", 1); /* full: it will wake anyway */
    }
    return true;
}

void uf_timer_remove(struct uf_future *future)
{
    if (future->timer == 0) {
        return;
    }
    size_t index = future->timer - 1;
    struct uf_future *last = timers[--timer_count];
    future->timer = 0;
    if (last == future) {
        return;
    }
    if (index > 0 && timers[(index - 1) / 2]->deadline_ns > last->deadline_ns) {
        sift_up(last, index);
    } else {
        sift_down(last, index);
    }
}

/* The first one whose deadline is over, with a reference; else NULL and the time to wait. */
static struct uf_future *take_late(int *wait_ms)
{
    uint64_t now_ns = slim_now_ns();
    struct uf_future *future = NULL;
    uf_engine_lock();
    *wait_ms = -1;
    if (timer_count > 0 && timers[0]->deadline_ns <= now_ns) {
        future = uf_object_ref(timers[0]);
        uf_timer_remove(future);
    } else if (timer_count > 0) {
        uint64_t ms = (timers[0]->deadline_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
        *wait_ms = ms < MS_WAIT_MAX ? (int)ms : MS_WAIT_MAX;
    }
    uf_engine_unlock();
    return future;
}

/* ------------------------------------------------------------------------------------------------ the thread */

static void drain_wakes(void)
{
    char bytes[64];
    while (read(wake_read_fd, bytes, sizeof(bytes)) > 0) {
    }
}

static void *run(void *unused)
{
    (void)unused;
    for (;;) {
        struct slim_op *op;
        struct uf_future *late;
        int wait_ms;
        while ((op = slim_queue_next(queue, 0)) != NULL) {
            struct uf_object *user = slim_op_user(op);
            slim_op_unref(op);
            uf_future_told(user);
        }
        late = take_late(&wait_ms);
        if (late != NULL) {
            uf_future_late(late);
            continue;
        }
        struct pollfd wanted[] = {{.fd = slim_queue_fd(queue), .events = POLLIN},
                                  {.fd = wake_read_fd, .events = POLLIN}};
        (void)poll(wanted, UF_COUNT(wanted), wait_ms); /* whatever it says, we look again */
        if (wanted[1].revents != 0) {
            drain_wakes();
        }
    }
    return NULL;
}

bool uf_thread_start(void *(*work)(void *), void *argument)
{
    pthread_t thread;
    pthread_attr_t attr;
    sigset_t all;
    sigset_t before;
    if (pthread_attr_init(&attr) != 0) {
        return false;
    }
    (void)sigfillset(&all); /* cannot fail, nor can the next two with these arguments */
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool is_started = pthread_create(&thread, &attr, work, argument) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL); /* as it was */
    (void)pthread_attr_destroy(&attr);                 /* frees nothing */
    return is_started;
}

static bool make_pipe(void)
{
    int fds[2];
    if (wake_read_fd >= 0) {
        return true;
    }
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        return false;
    }
    wake_read_fd = fds[0];
    wake_write_fd = fds[1];
    return true;
}

/* ---- forks: the lock is held across them, so the child finds everything whole; the thread is not there any more */

static void before_fork(void)
{
    uf_engine_lock();
    uf_handle_lock();
}

static void after_fork(void)
{
    uf_handle_unlock();
    uf_engine_unlock();
}

static void in_child(void)
{
    uf_handle_child();
    (void)pthread_mutex_init(&mutex, NULL); /* a plain mutex cannot fail here */
    process++;
    is_running = false;
    queue = NULL; /* what it holds belongs to the parent's operations */
    while (timer_count > 0) {
        timers[--timer_count]->timer = 0;
    }
    if (wake_read_fd >= 0) {
        close(wake_read_fd);
        close(wake_write_fd);
        wake_read_fd = -1;
        wake_write_fd = -1;
    }
}

/* When the library is loaded: later our lock and that of the list of handlers could be taken in either order. */
__attribute__((constructor)) static void watch_forks(void)
{
    (void)pthread_atfork(before_fork, after_fork,
                         in_child); /* a few bytes; without them only children suffer */
}

bool uf_engine_start(struct uf_error *error)
{
    if (is_running) {
        return true;
    }
    if (queue == NULL && slim_queue_new(&queue) != SLIM_OK) {
        queue = NULL;
        return uf_fail(error, UF_PANIC, "no queue: out of memory or descriptors");
    }
    if (!make_pipe() || !uf_thread_start(run, NULL)) {
        return uf_fail(error, UF_PANIC, "the thread of the futures did not start");
    }
    is_running = true;
    return true;
}
