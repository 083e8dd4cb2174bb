/* Operations and queues (slim/slim.h) as the library sees them. From any thread. */
#ifndef SLIM_CLIENT_OP_H
#define SLIM_CLIENT_OP_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "base/status.h"
#include "slim/slim.h"

/* After a fork nothing of the parent may be waited for, and its locks may be held for ever: every object keeps the number of the
 * process it was made in. A new number begins in every child. Cheap. */
uint32_t slim_client_process(void);

/* SLIM_ERR_STATE with a sentence: this is a child of that process. */
SLIM_MUST_CHECK enum slim_status slim_client_check_process(uint32_t process,
                                                           struct slim_error *error);

/* ref_count     whoever may still look at it: the caller, the library until it ended, its queue until it was picked up
 * status        SLIM_AGAIN until it ended; written last
 * text          sentence of a failure; NULL: none, or no memory for it
 * waiter_count  threads in slim_op_wait
 * in_queue      under the queue's lock, as are is_cancelled and is_told (it was picked up)
 * connection    result of a connect
 * waiting       for whoever keeps it until something happens
 * process       it was made in
 * session, bytes   a publish: what it counts in until it ends, with a reference to the session's memory (session.c); else NULL and 0 */
struct slim_op {
    _Atomic uint32_t ref_count;
    _Atomic int status;
    char *text;
    _Atomic uint32_t waiter_count;
    struct slim_queue *queue;
    void *user;
    struct slim_list in_queue;
    bool is_cancelled;
    bool is_told;
    bool is_static;
    uint64_t connection;
    struct slim_list waiting;
    uint32_t process;
    struct slim_session *session;
    size_t bytes;
};

/* An operation with one reference for the caller and one for whoever ends it. Never NULL: without memory it is one that has failed,
 * which slim_client_op_end leaves alone. */
struct slim_op *slim_client_op_new(const struct slim_notify *notify);

/* It ended: tell waiters and its queue, and let go of it. text may be NULL. Once per operation. */
void slim_client_op_end(struct slim_op *op, enum slim_status status, const char *text);

/* One that ended before it began: for `return slim_client_op_failed(...)`. */
struct slim_op *slim_client_op_failed(const struct slim_notify *notify, enum slim_status status,
                                      const char *text);

/* End all of a list of `waiting`. */
void slim_client_op_end_all(struct slim_list *list, enum slim_status status, const char *text);

/* Put `op` on a list of operations that wait for something that may never happen; those that nobody looks at any more leave it. The
 * lock that guards the list is held. */
void slim_client_op_put(struct slim_list *list, struct slim_op *op);

/* NULL: no memory. */
char *slim_client_text_copy(const char *text);

/* Wait on `cond` until the deadline: false when it has passed. `cond` must use the monotonic clock. */
bool slim_client_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t deadline_ns);

/* A condition variable on the monotonic clock. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_client_cond_init(pthread_cond_t *cond);

#endif
