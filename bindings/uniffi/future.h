/* Futures: results that are polled for. One thread of this library waits for all of them at a queue of libslim, and calls back those who
 * polled too early. It holds no lock then, so that it may be called again from inside.
 *
 *   a completion   the end of one operation; CompletionHandle to users
 *   a source       where things arrive: messages at a session, sessions at an application
 *   a future       waits for one of the two, or for a thread, or has its result from the beginning
 *
 * What has arrived for a future that is freed before its result was fetched goes back to the source, in its place: cancelling loses nothing.
 * A completion handle is likewise good for another wait. */
#ifndef UF_FUTURE_H
#define UF_FUTURE_H

#include "call.h"

/* ---- completions */

/* fault         of which kind its errors are
 * is_consumed   somebody has waited, or waits
 * waiter        the future that waits; watched_in: the process whose queue will be told (0: none); both under the lock of the engine
 * next          the one that is waited for after this one, for futures of several
 * undo          what takes the operation back when its future is given up; owner: whom it needs for that, referenced. NULL: nothing does */
struct uf_completion {
    struct uf_object head;
    struct slim_op *op;
    enum uf_fault fault;
    _Atomic bool is_consumed;
    struct uf_future *waiter;
    uint32_t watched_in;
    struct uf_completion *next;
    void (*undo)(struct uf_completion *completion);
    void *owner;
};

/* Takes op, also when there is no memory: NULL then. */
UF_CHECKED struct uf_completion *uf_completion_new(struct slim_op *op, enum uf_fault fault);

/* Wait for all in the list, which is taken. False: *error. */
UF_CHECKED bool uf_completion_finish(struct uf_completion *list, struct uf_error *error);

/* ---- sources */

/* What came out of a source: an item, or an error that stands in its place. number: how many had come before */
struct uf_arrival {
    struct uf_arrival *next;
    uint64_t number;
    void *item;
    struct uf_error error;
};

struct uf_source;

/* take          the next one without waiting, into *arrival: SLIM_ERR_TIMEOUT: there is none; else item, or error (SLIM_ERR_CLOSED: will be
 *               said again, so it need not be kept)
 * await         an operation that ends when there is one
 * drop          an item nobody wants any more
 * fail_late     the error of those who have waited long enough */
struct uf_source_class {
    enum slim_status (*take)(struct uf_source *source, struct uf_arrival *arrival);
    struct slim_op *(*await)(struct uf_source *source, const struct slim_notify *notify);
    void (*drop)(void *item);
    bool (*fail_late)(struct uf_error *error);
};

/* First member of sessions and applications. All under the lock of the engine.
 * returned   what was taken and came back, by number
 * waiting    futures, first come first served
 * await      the operation that tells us; NULL: nobody waits. The source has a reference of its own meanwhile. */
struct uf_source {
    struct uf_object head;
    const struct uf_source_class *class;
    struct uf_arrival *returned;
    struct uf_future *first_waiting;
    struct uf_future *last_waiting;
    struct slim_op *await;
    uint64_t taken_count;
};

void uf_source_init(struct uf_source *source, enum uf_kind kind,
                    const struct uf_source_class *class);
void uf_source_fini(struct uf_source *source);

/* ---- results */

enum uf_result_form {
    UF_RESULT_VOID,
    UF_RESULT_NUMBER,
    UF_RESULT_CONNECTION, /* number, of the operation that made it */
    UF_RESULT_OBJECT,
    UF_RESULT_BUFFER,
    UF_RESULT_SESSION, /* an arrival, given as an object by convert */
    UF_RESULT_MESSAGE  /* an arrival, given as a buffer by convert */
};

/* What a future comes to. Handed in: object, buffer and a number that are known from the beginning.
 * type   what is in the buffer, when that has handles: they are taken back when nobody fetches it */
struct uf_result {
    enum uf_result_form form;
    uint64_t number;
    struct uf_object *object;
    struct uf_buffer buffer;
    const struct uf_type *type;
};

/* Make result->object (sessions) or result->buffer (messages) of an item, which is left alone when there is an error. */
typedef bool (*uf_convert)(struct uf_object *source, void *item, struct uf_result *result,
                           struct uf_error *error);

/* ---- making futures; all return a handle, 0: no memory, which poll and complete know how to say */

/* Ready. Takes what is in *result. */
uint64_t uf_future_ready(struct uf_result *result, const struct uf_error *error);

/* Ready when the completions have ended, the first error counting; UF_TIMEOUT at the deadline. Takes the list and what is in *result.
 * is_handle: one that users have: it is good for another wait when this one is given up. */
uint64_t uf_future_of_completions(struct uf_completion *list, uint64_t deadline_ns,
                                  struct uf_result *result, bool is_handle);

/* Ready when something has arrived. The source is borrowed. */
uint64_t uf_future_of_source(struct uf_source *source, uint64_t deadline_ns,
                             enum uf_result_form form, uf_convert convert);

/* The same, and wait for it in this thread; *result is the caller's. */
UF_CHECKED bool uf_source_wait(struct uf_source *source, uint64_t deadline_ns,
                               enum uf_result_form form, uf_convert convert,
                               struct uf_result *result, struct uf_error *error);

/* Ready when work(ctx, &result, &error) has returned, which runs in a thread of its own and takes ctx. */
typedef void (*uf_work)(void *ctx, struct uf_result *result, struct uf_error *error);
uint64_t uf_future_of_work(uf_work work, void *ctx, enum uf_result_form form);

/* ---- short forms of exports that begin something: they end the call */

uint64_t uf_call_future(struct uf_call *call, struct uf_result *result);
uint64_t uf_call_future_of(struct uf_call *call, struct uf_completion *list,
                           struct uf_result *result);

#endif
