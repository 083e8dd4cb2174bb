/* One call from outside: its arguments are taken, whatever becomes of it, and given back at its end. Every export is
 *
 *     uf_call_begin; arguments by uf_call_*; work, if uf_call_is_fine; uf_call_end */
#ifndef UF_CALL_H
#define UF_CALL_H

#include "serial.h"

enum { UF_CALL_BUFFER_COUNT_MAX = 6 };

struct uf_call {
    struct uf_error error;
    struct uf_arena arena;
    struct uf_buffer buffers[UF_CALL_BUFFER_COUNT_MAX];
    size_t buffer_count;
};

void uf_call_begin(struct uf_call *call);

/* Frees what the arguments were, and writes *status (NULL: for calls that begin a future). */
void uf_call_end(struct uf_call *call, struct uf_status *status);

static inline bool uf_call_is_fine(const struct uf_call *call)
{
    return call->error.fault == UF_FINE;
}

/* Arguments, valid until uf_call_end. When one is malformed the call has an error, and the result is NULL or zeroed. */
void *uf_call_object(struct uf_call *call, const void *handle, enum uf_kind kind);
void uf_call_record(struct uf_call *call, struct uf_buffer buffer, const struct uf_type *type,
                    void *value);
struct slim_view uf_call_text(struct uf_call *call, struct uf_buffer buffer);

/* A copy with a zero behind it. A text with a zero inside is an error, that names `what`; NULL then. */
const char *uf_call_copy(struct uf_call *call, struct slim_view text, const char *what);

/* Results. Those of a call that failed are NULL or empty. `object` is taken. */
void *uf_call_give(struct uf_call *call, void *object);
struct uf_buffer uf_call_write(struct uf_call *call, const struct uf_type *type, const void *value);
struct uf_buffer uf_call_write_text(struct uf_call *call, const char *text);

/* The time when a duration from now is over, on the clock of slim_now_ns; NULL: SLIM_FOREVER. */
uint64_t uf_deadline(const struct uf_duration *duration);

/* The end of an operation, which is taken. False: *error says of which kind. */
UF_CHECKED bool uf_finish(struct slim_op *op, enum uf_fault fault, struct uf_error *error);

static inline struct slim_view uf_view(const char *text)
{
    return (struct slim_view){(const uint8_t *)text, __builtin_strlen(text)};
}

#endif
