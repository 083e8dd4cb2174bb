/* A caller of the exports, as generated code is one. */
#ifndef SLIM_TESTS_UNIFFI_CALLER_H
#define SLIM_TESTS_UNIFFI_CALLER_H

#include "futures.h"
#include "support/check.h"
#include "uniffi/exports.h"
#include "uniffi/things.h"

enum { CALLER_PATIENCE_S = 30 };
#define CALLER_SECRET "a secret of the tests, long enough"

/* A text as an argument, and a record as one. */
struct uf_buffer caller_text(const char *text);
struct uf_buffer caller_record(const struct uf_type *type, const void *value);

/* The call went well. */
void caller_expect_fine(const char *what, const struct uf_status *status);
#define EXPECT_FINE(status) caller_expect_fine(__func__, status)

/* The call failed like this; frees the error. fault UF_PANIC: code 2. `text` is looked for inside. */
void caller_expect_error(const char *what, struct uf_status *status, enum uf_fault fault,
                         const char *text);

/* "org/ns/<last>", and applications and sessions by exports alone. */
void *caller_name(const char *last);
void *caller_app(void *service, const char *last);
void *caller_service(void);

/* A point-to-point session from one application to the one with this last part, which has it in *other. */
void *caller_session(void *app, void *peer, const char *last, void **other);
void caller_publish(void *session, const char *text);
void caller_free_all(void *service, void *first_app, void *second_app, void *session, void *other);

/* What a continuation was called with; caller_wait waits until it was called `count` times in all. */
struct caller_wakes {
    _Atomic int count;
    _Atomic int last_poll;
};
void caller_wake(uint64_t wakes, int8_t poll);
void caller_wait(struct caller_wakes *wakes, int count);

/* Poll until ready. */
void caller_await(uint64_t future);

#endif
