/* The thread that waits for all futures, its timers, and the one lock that futures, sources and completions share. */
#ifndef UF_ENGINE_H
#define UF_ENGINE_H

#include "future.h"

/* What a future waits for. */
enum uf_wait { UF_WAIT_NOTHING, UF_WAIT_COMPLETIONS, UF_WAIT_SOURCE, UF_WAIT_WORK };

/*   begun --> waits (call is set while somebody is to be told) --> is_done --> is_fetched
 *                        \--> is_cancelled
 *
 * All under the lock of the engine, except what is_done made final.
 * call, data        the continuation that is owed; NULL: nobody polled too early
 * wake_call ...     the same, on its way to be called
 * ends, end         completions: all of them, the one that is waited for now
 * arrival           room for what arrives; has_arrival: it has
 * timer             place in the heap of timers, counted from 1; 0: none */
struct uf_future {
    struct uf_object head;
    enum uf_wait wait;
    bool is_done;
    bool is_cancelled;
    bool is_fetched;
    struct uf_result result;
    struct uf_error error;
    uf_continuation call;
    uint64_t data;
    uf_continuation wake_call;
    uint64_t wake_data;
    struct uf_future *next_wake;
    struct uf_completion *ends;
    struct uf_completion *end;
    bool is_handle;
    struct uf_source *source;
    struct uf_future *next_waiting;
    struct uf_future *previous_waiting;
    bool is_waiting;
    struct uf_arrival *arrival;
    bool has_arrival;
    uf_convert convert;
    uint64_t deadline_ns;
    size_t timer;
};

/* A thread of ours that nobody joins. A guest in the process: signals are for its own threads, so this one takes none. False: there is none. */
UF_CHECKED bool uf_thread_start(void *(*work)(void *), void *argument);

void uf_engine_lock(void);
void uf_engine_unlock(void);

/* ---- with the lock held */

/* Begin the thread, when it does not run. False: *error. */
UF_CHECKED bool uf_engine_start(struct uf_error *error);
struct slim_queue *uf_engine_queue(void);

/* 1, and another one in the child of a fork. */
uint32_t uf_engine_process(void);

/* Look at the future again at its deadline. False: no memory. */
UF_CHECKED bool uf_timer_put(struct uf_future *future);
void uf_timer_remove(struct uf_future *future);

/* ---- what the thread calls, without the lock (future.c) */

/* An operation has ended whose user this is: a completion or a source, with a reference. */
void uf_future_told(struct uf_object *user);

/* A future whose deadline is over, with a reference. */
void uf_future_late(struct uf_future *future);

#endif
