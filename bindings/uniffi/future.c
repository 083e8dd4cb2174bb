#include "future.h"

#include <assert.h>
#include <semaphore.h>
#include <stdlib.h>

#include "engine.h"

/* ------------------------------------------------------------------------------------------------ wakes: called when the lock is not held */

struct wakes {
    struct uf_future *first;
};

static void run_wakes(struct wakes *wakes)
{
    while (wakes->first != NULL) {
        struct uf_future *future = wakes->first;
        wakes->first = future->next_wake;
        future->wake_call(future->wake_data, UF_POLL_READY);
        uf_object_unref(future);
    }
}

/* ------------------------------------------------------------------------------------------------ completions */

struct uf_completion *uf_completion_new(struct slim_op *op, enum uf_fault fault)
{
    struct uf_completion *completion = calloc(1, sizeof(*completion));
    if (completion == NULL) {
        slim_op_unref(op);
        return NULL;
    }
    uf_object_init(&completion->head, UF_COMPLETION);
    completion->op = op;
    completion->fault = fault;
    return completion;
}

void uf_completion_free(struct uf_object *object)
{
    struct uf_completion *completion = (struct uf_completion *)object;
    slim_op_unref(completion->op);
    uf_object_unref(completion->owner);
    free(completion);
}

static void drop_completions(struct uf_completion *list)
{
    while (list != NULL) {
        struct uf_completion *next = list->next;
        list->next = NULL;
        uf_object_unref(list);
        list = next;
    }
}

bool uf_completion_finish(struct uf_completion *list, struct uf_error *error)
{
    bool is_fine = true;
    for (struct uf_completion *end = list; end != NULL && is_fine; end = end->next) {
        struct slim_error why = {.status = SLIM_OK};
        is_fine = slim_op_wait(end->op, SLIM_FOREVER, &why) == SLIM_OK ||
                  uf_fail(error, end->fault, "%s", why.text);
    }
    drop_completions(list);
    return is_fine;
}

/* ------------------------------------------------------------------------------------------------ one step, with the lock held
 *
 * step_... look whether the future can be done now. True: it is, with a result, an arrival or an error. False: somebody will look again. */

static bool is_late(const struct uf_future *future)
{
    return future->deadline_ns != SLIM_FOREVER && slim_now_ns() >= future->deadline_ns;
}

/* Our queue is told of the end, once in the life of the operation. */
static bool watch(struct uf_completion *end, struct uf_error *error)
{
    if (end->watched_in == uf_engine_process()) {
        return true;
    }
    struct slim_notify notify = {.queue = uf_engine_queue(), .user = uf_object_ref(end)};
    if (slim_op_notify(end->op, &notify) != SLIM_OK) {
        uf_object_unref(end); /* not the last one: the future has one */
        return uf_fail(error, UF_PANIC, "the operation belongs to another queue");
    }
    end->watched_in = uf_engine_process();
    return true;
}

static bool step_completions(struct uf_future *future)
{
    for (; future->end != NULL; future->end = future->end->next) {
        struct uf_completion *end = future->end;
        struct slim_error why = {.status = SLIM_OK};
        enum slim_status status = slim_op_status(end->op, &why);
        if (status == SLIM_AGAIN) {
            end->waiter = future;
            return (is_late(future) && !uf_fail(&future->error, UF_TIMEOUT, "%s", "")) ||
                   !uf_engine_start(&future->error) || !watch(end, &future->error);
        }
        if (status != SLIM_OK) {
            return !uf_fail(&future->error, end->fault, "%s", why.text);
        }
        if (future->result.form == UF_RESULT_CONNECTION) {
            future->result.number = slim_op_connection(end->op);
        }
        end->waiter = NULL;
    }
    return true;
}

static void put_waiting(struct uf_future *future)
{
    struct uf_source *source = future->source;
    if (future->is_waiting) {
        return;
    }
    future->is_waiting = true;
    future->next_waiting = NULL;
    future->previous_waiting = source->last_waiting;
    *(source->last_waiting == NULL ? &source->first_waiting : &source->last_waiting->next_waiting) =
        future;
    source->last_waiting = future;
}

/* When nobody waits any more the source must not be kept by an operation that perhaps never ends. The future still holds the source. */
static void leave_waiting(struct uf_future *future)
{
    struct uf_source *source = future->source;
    if (!future->is_waiting) {
        return;
    }
    future->is_waiting = false;
    *(future->previous_waiting == NULL ? &source->first_waiting
                                       : &future->previous_waiting->next_waiting) =
        future->next_waiting;
    *(future->next_waiting == NULL ? &source->last_waiting
                                   : &future->next_waiting->previous_waiting) =
        future->previous_waiting;
    if (source->first_waiting == NULL && source->await != NULL && slim_op_cancel(source->await)) {
        slim_op_unref(source->await);
        source->await = NULL;
        uf_object_unref(source);
    }
}

static bool watch_source(struct uf_source *source, struct uf_error *error)
{
    if (source->await != NULL) {
        return true;
    }
    if (!uf_engine_start(error)) {
        return false;
    }
    struct slim_notify notify = {.queue = uf_engine_queue(), .user = source};
    struct slim_op *op = source->class->await(source, &notify);
    if (slim_op_status(op, NULL) == SLIM_ERR_NO_MEMORY) { /* the only one that is not told */
        slim_op_unref(op);
        return uf_fail_no_memory(error);
    }
    source->await = op;
    uf_object_ref(source);
    return true;
}

/* Those who came first are served first. */
static bool step_source(struct uf_future *future)
{
    struct uf_source *source = future->source;
    bool is_first = source->first_waiting == NULL || source->first_waiting == future;
    if (is_first && source->returned != NULL) {
        free(future->arrival);
        future->arrival = source->returned;
        source->returned = future->arrival->next;
        future->has_arrival = true;
        return true;
    }
    if (is_first && source->class->take(source, future->arrival) != SLIM_ERR_TIMEOUT) {
        future->arrival->number = source->taken_count++;
        future->has_arrival = true;
        return true;
    }
    if (is_late(future)) {
        return !source->class->fail_late(&future->error);
    }
    if (!watch_source(source, &future->error)) {
        return true;
    }
    put_waiting(future);
    return false;
}

static bool step(struct uf_future *future)
{
    bool is_done = true;
    switch (future->wait) {
    case UF_WAIT_NOTHING:
        break;
    case UF_WAIT_COMPLETIONS:
        is_done = step_completions(future);
        break;
    case UF_WAIT_SOURCE:
        is_done = step_source(future);
        break;
    case UF_WAIT_WORK: /* its thread sets is_done */
        is_done = false;
        break;
    }
    return is_done ||
           (!uf_timer_put(future) && !uf_fail_no_memory(&future->error)); /* done, but badly */
}

/* The future waits no more, and whoever is to be told of it will be. */
static void settle(struct uf_future *future, struct wakes *wakes)
{
    future->is_done = true;
    uf_timer_remove(future);
    if (future->wait == UF_WAIT_SOURCE) {
        leave_waiting(future);
    }
    if (future->end != NULL && future->end->waiter == future) {
        future->end->waiter = NULL;
    }
    if (future->call != NULL) {
        future->wake_call = future->call;
        future->wake_data = future->data;
        future->call = NULL;
        future->next_wake = wakes->first;
        wakes->first = uf_object_ref(future);
    }
}

/* ------------------------------------------------------------------------------------------------ sources */

void uf_source_init(struct uf_source *source, enum uf_kind kind,
                    const struct uf_source_class *class)
{
    uf_object_init(&source->head, kind);
    source->class = class;
}

void uf_source_fini(struct uf_source *source)
{
    assert(source->first_waiting == NULL && source->await == NULL);
    while (source->returned != NULL) {
        struct uf_arrival *next = source->returned->next;
        if (source->returned->item != NULL) {
            source->class->drop(source->returned->item);
        }
        free(source->returned);
        source->returned = next;
    }
}

/* Something may be there for those who wait. */
static void serve(struct uf_source *source, struct wakes *wakes)
{
    struct uf_future *first;
    while ((first = source->first_waiting) != NULL && step(first)) {
        settle(first, wakes);
    }
}

/* What a future has and nobody fetched, in its place among what comes. */
static void give_back(struct uf_future *future)
{
    struct uf_arrival **place = &future->source->returned;
    while (*place != NULL && (*place)->number < future->arrival->number) {
        place = &(*place)->next;
    }
    future->arrival->next = *place;
    *place = future->arrival;
    future->arrival = NULL;
    future->has_arrival = false;
}

/* ------------------------------------------------------------------------------------------------ what the thread of the engine calls */

void uf_future_told(struct uf_object *user)
{
    struct wakes wakes = {.first = NULL};
    struct slim_op *ended = NULL;
    uf_engine_lock();
    if (user->kind == UF_COMPLETION) {
        struct uf_future *waiter = ((struct uf_completion *)user)->waiter;
        if (waiter != NULL && step(waiter)) {
            settle(waiter, &wakes);
        }
    } else {
        struct uf_source *source = (struct uf_source *)user;
        ended = source->await;
        source->await = NULL;
        serve(source, &wakes);
    }
    uf_engine_unlock();
    slim_op_unref(ended);
    run_wakes(&wakes);
    uf_object_unref(user);
}

void uf_future_late(struct uf_future *future)
{
    struct wakes wakes = {.first = NULL};
    uf_engine_lock();
    if (!future->is_done && step(future)) {
        settle(future, &wakes);
    }
    uf_engine_unlock();
    run_wakes(&wakes);
    uf_object_unref(future);
}

/* ------------------------------------------------------------------------------------------------ their life */

/* A buffer that nobody will read: reading it takes the counts of its handles. */
static void drop_buffer(struct uf_buffer *buffer, const struct uf_type *type)
{
    struct uf_arena arena = {.chunks = NULL};
    struct uf_error unused = {.fault = UF_FINE};
    void *value = buffer->len == 0 || type == NULL ? NULL : uf_arena_take(&arena, type->size);
    if (value != NULL) {
        bool is_read = uf_read_record(type, uf_view_of(buffer), value, &arena, &unused);
        assert(is_read || unused.fault == UF_PANIC); /* no memory: some objects stay */
    }
    uf_arena_fini(&arena);
    uf_buffer_free(buffer);
}

static void drop_result(struct uf_result *result)
{
    uf_object_unref(result->object);
    drop_buffer(&result->buffer, result->type);
    result->object = NULL;
}

static struct uf_future *new_future(enum uf_wait wait, struct uf_result *result)
{
    struct uf_future *future = calloc(1, sizeof(*future));
    if (future == NULL) {
        drop_result(result);
        return NULL;
    }
    uf_object_init(&future->head, UF_FUTURE);
    future->wait = wait;
    future->result = *result;
    future->deadline_ns = SLIM_FOREVER;
    return future;
}

void uf_future_free(struct uf_object *object)
{
    struct uf_future *future = (struct uf_future *)object;
    assert(!future->is_waiting && future->timer == 0 && future->call == NULL);
    if (future->has_arrival && future->arrival->item != NULL) {
        future->source->class->drop(future->arrival->item);
    }
    free(future->arrival);
    drop_completions(future->ends);
    uf_object_unref(future->source);
    drop_result(&future->result);
    free(future);
}

/* A handle for it, in place of our reference. */
static uint64_t publish(struct uf_future *future)
{
    uint64_t handle = 0;
    if (future != NULL) {
        handle = uf_handle_give(&future->head);
        uf_object_unref(future);
    }
    return handle;
}

uint64_t uf_future_ready(struct uf_result *result, const struct uf_error *error)
{
    struct uf_future *future = new_future(UF_WAIT_NOTHING, result);
    if (future != NULL) {
        future->is_done = true;
        future->error = *error;
    }
    return publish(future);
}

uint64_t uf_future_of_completions(struct uf_completion *list, uint64_t deadline_ns,
                                  struct uf_result *result, bool is_handle)
{
    struct uf_future *future = new_future(UF_WAIT_COMPLETIONS, result);
    if (future == NULL) {
        drop_completions(list);
        return 0;
    }
    future->ends = list;
    future->end = list;
    future->deadline_ns = deadline_ns;
    future->is_handle = is_handle;
    return publish(future);
}

static struct uf_future *new_of_source(struct uf_source *source, uint64_t deadline_ns,
                                       enum uf_result_form form, uf_convert convert)
{
    struct uf_result nothing = {.form = form};
    struct uf_future *future = new_future(UF_WAIT_SOURCE, &nothing);
    if (future == NULL) {
        return NULL;
    }
    future->source = uf_object_ref(source);
    future->arrival = calloc(1, sizeof(*future->arrival));
    future->deadline_ns = deadline_ns;
    future->convert = convert;
    if (future->arrival == NULL) {
        uf_object_unref(future);
        return NULL;
    }
    return future;
}

uint64_t uf_future_of_source(struct uf_source *source, uint64_t deadline_ns,
                             enum uf_result_form form, uf_convert convert)
{
    return publish(new_of_source(source, deadline_ns, form, convert));
}

/* ------------------------------------------------------------------------------------------------ polling */

static void poll_future(struct uf_future *future, uf_continuation call, uint64_t data)
{
    struct wakes wakes = {.first = NULL};
    uf_continuation replaced = NULL;
    uint64_t replaced_data = 0;
    uf_engine_lock();
    if (!future->is_done && step(future)) {
        settle(future, &wakes);
    }
    bool is_ready = future->is_done;
    if (!is_ready) {
        replaced = future->call;
        replaced_data = future->data;
        future->call = call;
        future->data = data;
    }
    uf_engine_unlock();
    run_wakes(&wakes);
    if (replaced != NULL) {
        replaced(replaced_data, UF_POLL_MAYBE_READY);
    }
    if (is_ready) {
        call(data, UF_POLL_READY);
    }
}

static void cancel_future(struct uf_future *future)
{
    struct wakes wakes = {.first = NULL};
    uf_engine_lock();
    if (!future->is_done) {
        future->is_cancelled = true;
        settle(future, &wakes);
    }
    uf_engine_unlock();
    run_wakes(&wakes);
}

/* Nobody will ask for it again. */
static void abandon(struct uf_future *future)
{
    struct wakes wakes = {.first = NULL};
    uf_engine_lock();
    settle(future, &wakes);
    bool is_given_up = !future->is_fetched;
    if (is_given_up && future->is_handle) {
        atomic_store(&future->ends->is_consumed, false);
    }
    if (is_given_up && future->has_arrival) {
        give_back(future);
        serve(future->source, &wakes);
    }
    uf_engine_unlock();
    run_wakes(&wakes);
    for (struct uf_completion *end = future->ends; end != NULL && is_given_up; end = end->next) {
        if (end->undo != NULL) {
            end->undo(end);
        }
    }
    uf_object_unref(future);
}

/* ------------------------------------------------------------------------------------------------ fetching */

/* May the result be fetched? Then it is ours alone. */
static bool claim(struct uf_future *future, struct uf_error *error)
{
    uf_engine_lock();
    bool is_fine = (!future->is_cancelled || uf_fail(error, UF_CANCELLED, "cancelled")) &&
                   (future->is_done || uf_fail(error, UF_PANIC, "the future is not ready")) &&
                   (!future->is_fetched || uf_fail(error, UF_PANIC, "the future was fetched"));
    future->is_fetched = future->is_fetched || is_fine;
    uf_engine_unlock();
    return is_fine;
}

/* Move the result of a future that was claimed into *result. When that fails for want of memory, it has not been fetched. */
static bool fetch(struct uf_future *future, struct uf_result *result, struct uf_error *error)
{
    struct uf_arrival *arrival = future->has_arrival ? future->arrival : NULL;
    if (future->error.fault != UF_FINE) {
        return uf_fail(error, future->error.fault, "%s", future->error.text);
    }
    if (arrival != NULL && arrival->error.fault != UF_FINE) {
        return uf_fail(error, arrival->error.fault, "%s", arrival->error.text);
    }
    if (arrival != NULL) {
        if (!future->convert(&future->source->head, arrival->item, &future->result, error)) {
            uf_engine_lock();
            future->is_fetched = false;
            uf_engine_unlock();
            return false;
        }
        arrival->item = NULL;
    }
    *result = future->result;
    future->result.object = NULL;
    future->result.buffer = (struct uf_buffer){.capacity = 0, .len = 0, .data = NULL};
    return true;
}

static void post(uint64_t data, int8_t poll)
{
    (void)poll;
    (void)sem_post((sem_t *)(uintptr_t)data); /* ours, and far from its largest value */
}

bool uf_source_wait(struct uf_source *source, uint64_t deadline_ns, enum uf_result_form form,
                    uf_convert convert, struct uf_result *result, struct uf_error *error)
{
    struct uf_future *future = new_of_source(source, deadline_ns, form, convert);
    sem_t ready;
    if (future == NULL) {
        return uf_fail_no_memory(error);
    }
    (void)sem_init(&ready, 0, 0); /* cannot fail with these */
    poll_future(future, post, (uint64_t)(uintptr_t)&ready);
    while (sem_wait(&ready) != 0) { /* EINTR: some signal */
    }
    bool is_fine = claim(future, error) && fetch(future, result, error);
    (void)sem_destroy(&ready); /* nobody waits at it */
    abandon(future);
    return is_fine;
}

/* ------------------------------------------------------------------------------------------------ threads that work */

struct work {
    struct uf_future *future;
    uf_work work;
    void *ctx;
};

static void *run_work(void *argument)
{
    struct work *work = argument;
    struct uf_future *future = work->future;
    struct uf_result result = future->result;
    struct uf_error error = {.fault = UF_FINE};
    struct wakes wakes = {.first = NULL};
    work->work(work->ctx, &result, &error);
    free(work);
    uf_engine_lock();
    future->result = result;
    future->error = error;
    if (!future->is_done) {
        settle(future, &wakes);
    }
    uf_engine_unlock();
    run_wakes(&wakes);
    uf_object_unref(future);
    return NULL;
}

uint64_t uf_future_of_work(uf_work work, void *ctx, enum uf_result_form form)
{
    struct uf_result result = {.form = form};
    struct uf_future *future = new_future(UF_WAIT_WORK, &result);
    struct work *begun = malloc(sizeof(*begun));
    if (future == NULL || begun == NULL) {
        struct uf_error error = {.fault = UF_FINE};
        free(begun);
        work(ctx, &result, &error); /* here and now */
        uf_object_unref(future);
        return uf_future_ready(&result, &error);
    }
    *begun = (struct work){.future = uf_object_ref(future), .work = work, .ctx = ctx};
    if (!uf_thread_start(run_work, begun)) {
        (void)run_work(begun); /* here and now; returns nothing */
    }
    return publish(future);
}

uint64_t uf_call_future(struct uf_call *call, struct uf_result *result)
{
    if (!uf_call_is_fine(call)) {
        drop_result(result);
    }
    uint64_t handle = uf_future_ready(result, &call->error);
    uf_call_end(call, NULL);
    return handle;
}

uint64_t uf_call_future_of(struct uf_call *call, struct uf_completion *list,
                           struct uf_result *result)
{
    if (!uf_call_is_fine(call) || list == NULL) {
        drop_completions(list);
        return uf_call_future(call, result);
    }
    uint64_t handle = uf_future_of_completions(list, SLIM_FOREVER, result, false);
    uf_call_end(call, NULL);
    return handle;
}

/* ------------------------------------------------------------------------------------------------ what callers see
 *
 * One set of four functions for each type a future may have; they differ in the type of what complete returns. */

static void poll_handle(uint64_t handle, uf_continuation call, uint64_t data)
{
    struct uf_future *future = uf_handle_look(handle, UF_FUTURE);
    if (future == NULL) {
        call(data, UF_POLL_READY); /* complete says what is wrong */
        return;
    }
    poll_future(future, call, data);
    uf_object_unref(future);
}

static void cancel_handle(uint64_t handle)
{
    struct uf_future *future = uf_handle_look(handle, UF_FUTURE);
    if (future != NULL) {
        cancel_future(future);
        uf_object_unref(future);
    }
}

static void free_handle(uint64_t handle)
{
    struct uf_future *future = uf_handle_take(handle, UF_FUTURE);
    if (future != NULL) {
        abandon(future);
    }
}

/* Which of the complete functions fits. */
static enum uf_result_form family_of(enum uf_result_form form)
{
    switch (form) {
    case UF_RESULT_VOID:
    case UF_RESULT_NUMBER:
    case UF_RESULT_OBJECT:
    case UF_RESULT_BUFFER:
        return form;
    case UF_RESULT_CONNECTION:
        return UF_RESULT_NUMBER;
    case UF_RESULT_SESSION:
        return UF_RESULT_OBJECT;
    case UF_RESULT_MESSAGE:
        return UF_RESULT_BUFFER;
    }
    assert(false); /* all forms are above */
    return form;
}

static struct uf_result complete_handle(uint64_t handle, enum uf_result_form family,
                                        struct uf_status *status)
{
    struct uf_result result = {.form = family};
    struct uf_error error = {.fault = UF_FINE};
    struct uf_future *future = uf_handle_look(handle, UF_FUTURE);
    if (future == NULL) {
        (void)uf_fail(&error, UF_PANIC, handle == 0 ? "out of memory" : "there is no such future");
    } else if (family_of(future->result.form) != family) {
        (void)uf_fail(&error, UF_PANIC, "the future has a result of another type");
    } else if (claim(future, &error) && fetch(future, &result, &error) && result.object != NULL) {
        result.number = uf_handle_give(result.object);
        uf_object_unref(result.object);
        if (result.number == 0) {
            (void)uf_fail_no_memory(&error); /* all these are told by the status */
        }
    }
    uf_status_set(status, &error);
    uf_object_unref(future);
    return result;
}

#define FUTURE(name, type, family, expression)                                                     \
    UF_EXPORT void ffi_slim_bindings_rust_future_poll_##name(uint64_t, uf_continuation, uint64_t); \
    UF_EXPORT void ffi_slim_bindings_rust_future_cancel_##name(uint64_t);                          \
    UF_EXPORT void ffi_slim_bindings_rust_future_free_##name(uint64_t);                            \
    UF_EXPORT type ffi_slim_bindings_rust_future_complete_##name(uint64_t, struct uf_status *);    \
    void ffi_slim_bindings_rust_future_poll_##name(uint64_t handle, uf_continuation call,          \
                                                   uint64_t data)                                  \
    {                                                                                              \
        poll_handle(handle, call, data);                                                           \
    }                                                                                              \
    void ffi_slim_bindings_rust_future_cancel_##name(uint64_t handle)                              \
    {                                                                                              \
        cancel_handle(handle);                                                                     \
    }                                                                                              \
    void ffi_slim_bindings_rust_future_free_##name(uint64_t handle)                                \
    {                                                                                              \
        free_handle(handle);                                                                       \
    }                                                                                              \
    type ffi_slim_bindings_rust_future_complete_##name(uint64_t handle, struct uf_status *status)  \
    {                                                                                              \
        struct uf_result result = complete_handle(handle, UF_RESULT_##family, status);             \
        return expression;                                                                         \
    }

FUTURE(u8, uint8_t, NUMBER, (uint8_t)result.number)
FUTURE(i8, int8_t, NUMBER, (int8_t)result.number)
FUTURE(u16, uint16_t, NUMBER, (uint16_t)result.number)
FUTURE(i16, int16_t, NUMBER, (int16_t)result.number)
FUTURE(u32, uint32_t, NUMBER, (uint32_t)result.number)
FUTURE(i32, int32_t, NUMBER, (int32_t)result.number)
FUTURE(u64, uint64_t, NUMBER, result.number)
FUTURE(i64, int64_t, NUMBER, (int64_t)result.number)
FUTURE(f32, float, NUMBER, (float)result.number)
FUTURE(f64, double, NUMBER, (double)result.number)
FUTURE(pointer, void *, OBJECT, (void *)(uintptr_t)result.number)
FUTURE(rust_buffer, struct uf_buffer, BUFFER, result.buffer)
FUTURE(void, void, VOID, (void)result)
