/* Work with statuses and errors (slim/types.h). */
#ifndef SLIM_BASE_STATUS_H
#define SLIM_BASE_STATUS_H

#include <assert.h>

#include "slim/types.h"

#define SLIM_MUST_CHECK __attribute__((warn_unused_result))
#define SLIM_PRINTF(format_index, first_arg)                                                       \
    __attribute__((format(printf, format_index, first_arg)))
#define SLIM_LIKELY(x) __builtin_expect(!!(x), 1)
#define SLIM_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* One short English phrase for each status, e.g. "malformed". Never NULL. */
const char *slim_status_text(enum slim_status status);

/* Return the status of `call` to our caller unless it is SLIM_OK. The only macro that hides control flow. */
#define SLIM_TRY(call)                                                                             \
    do {                                                                                           \
        enum slim_status slim_try_status_ = (call);                                                \
        if (SLIM_UNLIKELY(slim_try_status_ != SLIM_OK)) {                                          \
            return slim_try_status_;                                                               \
        }                                                                                          \
    } while (0)

/* Assertions about our own mistakes that are too dear for the publish path of a release build. */
#ifdef SLIM_HOT_ASSERT
#define SLIM_ASSERT_HOT(x) assert(x)
#else
#define SLIM_ASSERT_HOT(x) ((void)sizeof((x) ? 1 : 0))
#endif

/* Fill *error (when not NULL) and return `status`, so that a function can end with `return slim_error_set(...)`.
 * The text is cut at SLIM_ERROR_TEXT_MAX - 1 bytes. */
enum slim_status slim_error_set(struct slim_error *error, enum slim_status status,
                                const char *format, ...) SLIM_PRINTF(3, 4);

#endif
