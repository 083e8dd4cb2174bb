#include "call.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void uf_call_begin(struct uf_call *call)
{
    call->error.fault = UF_FINE;
    call->error.text[0] = '\0';
    call->arena = (struct uf_arena){.chunks = NULL};
    call->buffer_count = 0;
}

void uf_call_end(struct uf_call *call, struct uf_status *status)
{
    uf_arena_fini(&call->arena);
    while (call->buffer_count > 0) {
        uf_buffer_free(&call->buffers[--call->buffer_count]);
    }
    uf_status_set(status, &call->error);
}

/* ------------------------------------------------------------------------------------------------ arguments */

void *uf_call_object(struct uf_call *call, const void *handle, enum uf_kind kind)
{
    struct uf_object *object = uf_handle_take((uint64_t)(uintptr_t)handle, kind);
    if (object == NULL) {
        (void)uf_fail(&call->error, UF_PANIC, "malformed argument: %s: a handle of nothing",
                      uf_kind_text(kind)); /* the call has it */
        return NULL;
    }
    if (!uf_arena_keep(&call->arena, object)) {
        uf_object_unref(object);
        (void)uf_fail_no_memory(&call->error); /* likewise */
        return NULL;
    }
    return object;
}

/* Ours now. False: it cannot be read. */
static bool keep(struct uf_call *call, struct uf_buffer buffer)
{
    assert(call->buffer_count < UF_CALL_BUFFER_COUNT_MAX);
    call->buffers[call->buffer_count++] = buffer;
    if (buffer.len > buffer.capacity || (buffer.len > 0 && buffer.data == NULL) ||
        buffer.len > SIZE_MAX / 2) {
        return uf_fail(&call->error, UF_PANIC, "malformed argument: a buffer longer than its room");
    }
    return true;
}

void uf_call_record(struct uf_call *call, struct uf_buffer buffer, const struct uf_type *type,
                    void *value)
{
    if (!keep(call, buffer) ||
        !uf_read_record(type, uf_view_of(&buffer), value, &call->arena, &call->error)) {
        memset(value, 0, type->size);
    }
}

struct slim_view uf_call_text(struct uf_call *call, struct uf_buffer buffer)
{
    struct slim_view text = {NULL, 0};
    if (!keep(call, buffer)) {
        return text;
    }
    text = uf_view_of(&buffer);
    if (!uf_text_is_valid(text)) {
        (void)uf_fail(&call->error, UF_PANIC, "malformed argument: a text: not valid UTF-8");
        text.len = 0;
    }
    return text;
}

const char *uf_call_copy(struct uf_call *call, struct slim_view text, const char *what)
{
    if (text.len > 0 && memchr(text.data, '\0', text.len) != NULL) {
        (void)uf_fail(&call->error, UF_INVALID_ARGUMENT, "%s with a zero byte inside", what);
        return NULL;
    }
    char *copy = uf_arena_take(&call->arena, text.len + 1);
    if (copy == NULL) {
        (void)uf_fail_no_memory(&call->error); /* the call has it */
    } else if (text.len > 0) {
        memcpy(copy, text.data, text.len);
    }
    return copy;
}

/* ------------------------------------------------------------------------------------------------ results */

void *uf_call_give(struct uf_call *call, void *object)
{
    uint64_t handle = 0;
    if (object != NULL && uf_call_is_fine(call)) {
        handle = uf_handle_give(object);
        if (handle == 0) {
            (void)uf_fail_no_memory(&call->error); /* the call has it */
        }
    }
    uf_object_unref(object);
    return (void *)(uintptr_t)handle;
}

struct uf_buffer uf_call_write(struct uf_call *call, const struct uf_type *type, const void *value)
{
    struct uf_buffer buffer = {.capacity = 0, .len = 0, .data = NULL};
    if (uf_call_is_fine(call) && !uf_write_record(type, value, &buffer, &call->error)) {
        assert(!uf_call_is_fine(call));
    }
    return buffer;
}

struct uf_buffer uf_call_write_text(struct uf_call *call, const char *text)
{
    struct uf_buffer buffer = {.capacity = 0, .len = 0, .data = NULL};
    if (uf_call_is_fine(call)) {
        buffer = uf_buffer_of_text(uf_view(text));
        if (buffer.data == NULL) {
            (void)uf_fail_no_memory(&call->error); /* the call has it */
        }
    }
    return buffer;
}

/* ------------------------------------------------------------------------------------------------ time and ends */

uint64_t uf_deadline(const struct uf_duration *duration)
{
    enum { NS_PER_S = 1000000000 };
    uint64_t span_ns;
    uint64_t deadline_ns;
    if (duration == NULL || __builtin_mul_overflow(duration->seconds, NS_PER_S, &span_ns) ||
        __builtin_add_overflow(span_ns, duration->nanoseconds, &span_ns) ||
        __builtin_add_overflow(slim_now_ns(), span_ns, &deadline_ns)) {
        return SLIM_FOREVER;
    }
    return deadline_ns;
}

bool uf_finish(struct slim_op *op, enum uf_fault fault, struct uf_error *error)
{
    struct slim_error why = {.status = SLIM_OK};
    return slim_finish(op, SLIM_FOREVER, &why) == SLIM_OK || uf_fail(error, fault, "%s", why.text);
}
