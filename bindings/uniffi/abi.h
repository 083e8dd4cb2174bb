/* The C interface that UniFFI 0.28 (contract version 26) expects of a library: facts of its calling convention, and the errors that travel by
 * it. docs/bindings.md says what this folder is.
 *
 *   arguments    numbers; objects as handles (object.h), of which the call takes one count each; everything else as a uf_buffer, which the
 *                call frees
 *   results      the same the other way round
 *   uf_status    the last parameter of what can fail: code 0, or 1 and a serialised SlimError, or 2 and a text ("panic")
 *
 * Nothing here is a macro of the C library's modules: this folder stands on include/slim/slim.h alone. Names start uf_. */
#ifndef UF_ABI_H
#define UF_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slim/slim.h"

#define UF_EXPORT __attribute__((visibility("default")))
#define UF_CHECKED __attribute__((warn_unused_result))
#define UF_COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { UF_CONTRACT_VERSION = 26, UF_ERROR_TEXT_MAX = 640 };

/* "RustBuffer". data is of malloc; len <= capacity. */
struct uf_buffer {
    uint64_t capacity;
    uint64_t len;
    uint8_t *data;
};

/* "ForeignBytes": bytes of the caller. */
struct uf_bytes {
    int32_t len;
    const uint8_t *data;
};

enum uf_code { UF_CODE_OK = 0, UF_CODE_ERROR = 1, UF_CODE_PANIC = 2, UF_CODE_CANCELLED = 3 };

/* "RustCallStatus". The caller zeroes it. */
struct uf_status {
    int8_t code;
    struct uf_buffer error;
};

/* What polling a future says by its callback. */
enum uf_poll { UF_POLL_READY = 0, UF_POLL_MAYBE_READY = 1 };
typedef void (*uf_continuation)(uint64_t data, int8_t poll);

/* Variants of SlimError, as numbered on the wire, and what is none: UF_PANIC is code 2 and its text, UF_CANCELLED code 3. */
enum uf_fault {
    UF_FINE = 0,
    UF_SERVICE_ERROR = 1,
    UF_SESSION_ERROR = 2,
    UF_RECEIVE_ERROR = 3,
    UF_SEND_ERROR = 4,
    UF_AUTH_ERROR = 5,
    UF_CONFIG_ERROR = 6,
    UF_TIMEOUT = 7,
    UF_INVALID_ARGUMENT = 8,
    UF_INTERNAL_ERROR = 9,
    UF_PANIC = 100,
    UF_CANCELLED = 101
};

struct uf_error {
    enum uf_fault fault;
    char text[UF_ERROR_TEXT_MAX];
};

/* Always false, for `return uf_fail(...)`. The first failure counts: *error is left alone when it has one already. */
bool uf_fail(struct uf_error *error, enum uf_fault fault, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool uf_fail_no_memory(struct uf_error *error);

/* Write *error into *status (may be NULL). */
void uf_status_set(struct uf_status *status, const struct uf_error *error);

/* An empty buffer has data too: some callers look at its address. False: no memory. */
UF_CHECKED bool uf_buffer_new(uint64_t capacity, struct uf_buffer *buffer);
void uf_buffer_free(struct uf_buffer *buffer);

/* Text as a buffer of its bytes alone. data NULL: no memory. */
struct uf_buffer uf_buffer_of_text(struct slim_view text);

#endif
