/* The event loop of one thread: epoll, timers, end-of-turn work, and a way in for other threads.
 *
 * One turn:  wait -> timers that are due -> every ready descriptor (bounded work each) -> end-of-turn tasks -> wait ...
 * The end-of-turn tasks are where connections touched in the turn are flushed, with one write each.
 * Everything is called from the thread that runs the loop, except slim_loop_post and slim_loop_stop. */
#ifndef SLIM_IO_LOOP_H
#define SLIM_IO_LOOP_H

#include "base/block.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/status.h"

struct slim_loop;

/* A descriptor the loop waits on. Embed it; it stays at its address while it is watched.
 * on_ready   events is a set of SLIM_IO_READ and SLIM_IO_WRITE; errors and hang-ups are reported as both, so that the next
 *            read or write finds out. The callback may unwatch and free any watch. */
enum { SLIM_IO_READ = 1, SLIM_IO_WRITE = 2 };
struct slim_watch {
    int fd;
    uint32_t wanted;
    void (*on_ready)(struct slim_watch *watch, uint32_t events);
};

/* Something to be done at a time. Embed it, initialise with slim_timer_init.
 * heap_index   private: place in the loop's heap, or SIZE_MAX when not set */
struct slim_timer {
    uint64_t due_ms;
    size_t heap_index;
    void (*on_due)(struct slim_timer *timer);
};

/* Something to be done when the ready descriptors of this turn have been served. */
struct slim_task {
    struct slim_list node;
    void (*on_turn_end)(struct slim_task *task);
};

/* Something another thread wants done on the loop's thread. */
struct slim_job {
    struct slim_job *next;
    void (*on_loop)(struct slim_job *job);
};

/* SLIM_ERR_NO_MEMORY; SLIM_ERR_IO when the kernel gives no epoll or event descriptor. */
SLIM_MUST_CHECK enum slim_status slim_loop_new(struct slim_loop **loop);

/* Everything must be unwatched and every timer cancelled. NULL is allowed. */
void slim_loop_free(struct slim_loop *loop);

/* Run turns until slim_loop_stop. */
void slim_loop_run(struct slim_loop *loop);

/* Run one turn, waiting at most `wait_ms` (-1: until something happens). For tests and for loops inside other loops. */
void slim_loop_turn(struct slim_loop *loop, int wait_ms);

/* Let slim_loop_run return after its current turn. From any thread, also before slim_loop_run. */
void slim_loop_stop(struct slim_loop *loop);

/* Have `job` called on the loop's thread. From any thread. The job must stay alive until then. */
void slim_loop_post(struct slim_loop *loop, struct slim_job *job);

/* Monotonic time at the beginning of this turn. */
uint64_t slim_loop_now_ms(const struct slim_loop *loop);

/* Memory of this loop's objects and messages. */
struct slim_heap *slim_loop_heap(struct slim_loop *loop);
struct slim_block_pool *slim_loop_pool(struct slim_loop *loop);

/* Memory of the whole process that is in the machine's memory now, its code and libraries included. 0 when the kernel does not say,
 * and in builds with sanitizers, which multiply it. About two microseconds. */
size_t slim_loop_resident_bytes(const struct slim_loop *loop);

/* Give memory that is free but kept for reuse back to the system. For calm moments: the next messages ask for it again. */
void slim_loop_trim_memory(struct slim_loop *loop);

/* The loop's receive buffer: one for all connections, its content dies with the callback that filled it. */
enum { SLIM_LOOP_RECEIVE_BYTES = 256 * 1024 };
uint8_t *slim_loop_receive_buffer(struct slim_loop *loop);

/* Start waiting for watch->wanted on watch->fd; change watch->wanted; stop. The caller keeps the descriptor.
 * SLIM_ERR_IO: the kernel refuses (watch only). */
SLIM_MUST_CHECK enum slim_status slim_loop_watch(struct slim_loop *loop, struct slim_watch *watch);
void slim_loop_rewatch(struct slim_loop *loop, struct slim_watch *watch, uint32_t wanted);
void slim_loop_unwatch(struct slim_loop *loop, struct slim_watch *watch);

void slim_timer_init(struct slim_timer *timer, void (*on_due)(struct slim_timer *timer));

/* (Re)arm, cancel. Setting a timer never fails: room for it is made by slim_loop_reserve_timer, once per timer object, which
 * can (SLIM_ERR_NO_MEMORY), and given back by slim_loop_release_timer. */
SLIM_MUST_CHECK enum slim_status slim_loop_reserve_timer(struct slim_loop *loop);
void slim_loop_release_timer(struct slim_loop *loop);
void slim_timer_set(struct slim_loop *loop, struct slim_timer *timer, uint64_t due_ms);
void slim_timer_cancel(struct slim_loop *loop, struct slim_timer *timer);
bool slim_timer_is_set(const struct slim_timer *timer);

void slim_task_init(struct slim_task *task, void (*on_turn_end)(struct slim_task *task));

/* Have the task called at the end of this turn (once, however often it is asked). A task queued by a running task runs in
 * the same turn end only when it was queued before the turn end began; else at the end of the next turn, which does not wait. */
void slim_loop_at_turn_end(struct slim_loop *loop, struct slim_task *task);
void slim_task_cancel(struct slim_task *task);

#endif
