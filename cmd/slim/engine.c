#include "slim/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "slim/signals.h"

enum {
    KERNEL_NAME_MAX = 16, /* thread names of the kernel, zero included */
    LOG_NAME_MAX = 32,
};

/* wake_fds   a pipe: slim_engine_wake writes to [1], slim_engine_wait empties [0]; -1 before it is made */
struct slim_engine {
    struct slim_loop *loop;
    pthread_t thread;
    bool has_thread;
    int signal_fd;
    int wake_fds[2];
    void (*reload)(void *ctx);
    void *reload_ctx;
    char thread_name[LOG_NAME_MAX];
};

static void *run_loop(void *arg)
{
    struct slim_engine *engine = arg;
    char name[KERNEL_NAME_MAX];
    (void)snprintf(name, sizeof(name), "%.15s", engine->thread_name); /* the kernel takes no more */
    (void)pthread_setname_np(pthread_self(), name); /* a missing name hurts nobody */
    slim_log_thread(engine->thread_name, "");
    slim_loop_run(engine->loop);
    return NULL;
}

enum slim_status slim_engine_new(const char *thread_name, int signal_fd,
                                 struct slim_engine **engine)
{
    struct slim_engine *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    made->signal_fd = signal_fd;
    (void)snprintf(made->thread_name, sizeof(made->thread_name), "%s",
                   thread_name); /* log lines cut it too */
    made->wake_fds[0] = -1;
    made->wake_fds[1] = -1;
    enum slim_status status = pipe2(made->wake_fds, O_CLOEXEC | O_NONBLOCK) != 0
                                  ? SLIM_ERR_IO
                                  : slim_loop_new(&made->loop);
    if (status == SLIM_OK) {
        slim_signals_block(); /* for the thread: signals interrupt main only */
        status =
            pthread_create(&made->thread, NULL, run_loop, made) != 0 ? SLIM_ERR_NO_MEMORY : SLIM_OK;
        slim_signals_unblock();
    }
    if (status != SLIM_OK) {
        slim_engine_free(made);
        return status;
    }
    made->has_thread = true;
    *engine = made;
    return SLIM_OK;
}

void slim_engine_stop(struct slim_engine *engine)
{
    if (!engine->has_thread) {
        return;
    }
    slim_loop_stop(engine->loop);
    int result = pthread_join(engine->thread, NULL);
    assert(result == 0); /* the thread is ours and joined once */
    (void)result;
    engine->has_thread = false;
}

void slim_engine_free(struct slim_engine *engine)
{
    if (engine == NULL) {
        return;
    }
    slim_engine_stop(engine);
    slim_loop_free(engine->loop);
    for (size_t i = 0; i < SLIM_COUNT(engine->wake_fds); i++) {
        if (engine->wake_fds[i] >= 0) {
            (void)close(engine->wake_fds[i]); /* nothing can be lost */
        }
    }
    free(engine);
}

struct slim_loop *slim_engine_loop(struct slim_engine *engine)
{
    return engine->loop;
}

struct call {
    struct slim_job job;
    sem_t done;
    void (*run)(void *arg);
    void *arg;
};

static void on_call(struct slim_job *job)
{
    struct call *call = SLIM_CONTAINER_OF(job, struct call, job);
    call->run(call->arg);
    (void)sem_post(&call->done); /* cannot overflow: posted once */
}

void slim_engine_call(struct slim_engine *engine, void (*run)(void *arg), void *arg)
{
    struct call call = {.job = {.on_loop = on_call}, .run = run, .arg = arg};
    (void)sem_init(&call.done, 0, 0); /* cannot fail: the value is small */
    slim_loop_post(engine->loop, &call.job);
    while (sem_wait(&call.done) != 0) {
        assert(errno == EINTR);
    }
    (void)sem_destroy(&call.done); /* cannot fail: nobody waits any more */
}

void slim_engine_wake(struct slim_engine *engine)
{
    (void)!write(engine->wake_fds[1], "", 1); /* a full pipe wakes main anyway */
}

void slim_engine_wait(struct slim_engine *engine, bool with_signals, int wait_ms)
{
    struct pollfd fds[] = {
        {.fd = engine->wake_fds[0], .events = POLLIN},
        {.fd = with_signals ? engine->signal_fd : -1, .events = POLLIN},
    };
    /* an interruption is like an event: the caller looks again */
    (void)poll(fds, SLIM_COUNT(fds), wait_ms);
    char bytes[64];
    while (read(engine->wake_fds[0], bytes, sizeof(bytes)) > 0) {
    }
}

void slim_engine_on_reload(struct slim_engine *engine, void (*reload)(void *ctx), void *ctx)
{
    engine->reload = reload;
    engine->reload_ctx = ctx;
}

bool slim_engine_take_signal(struct slim_engine *engine)
{
    for (;;) {
        switch (slim_signals_take(engine->signal_fd)) {
        case SLIM_SIGNALS_NONE:
            return false;
        case SLIM_SIGNALS_STOP:
            return true;
        case SLIM_SIGNALS_RELOAD:
            if (engine->reload != NULL) {
                engine->reload(engine->reload_ctx);
            }
            break;
        }
    }
}
