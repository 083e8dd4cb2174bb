/* Bytes we own, that grow. For everything off the publish path. */
#ifndef SLIM_BASE_BUF_H
#define SLIM_BASE_BUF_H

#include "base/status.h"
#include "base/view.h"

/*  data                 data + len        data + capacity
 *   v                        v                  v
 *   | bytes put so far       | room              |
 *
 * A zeroed struct is an empty buffer. Invariant: len <= capacity; data is NULL exactly when capacity is 0. */
struct slim_buf {
    uint8_t *data;
    size_t len;
    size_t capacity;
};

/* Free the bytes; the buffer is empty and usable again. NULL is allowed. */
void slim_buf_fini(struct slim_buf *buf);

/* As slim_buf_fini, after overwriting the bytes with zeros (for secrets). */
void slim_buf_wipe(struct slim_buf *buf);

/* Make room for `count` more bytes. SLIM_ERR_NO_MEMORY: nothing changed. */
SLIM_MUST_CHECK enum slim_status slim_buf_reserve(struct slim_buf *buf, size_t count);

/* Append a copy of the bytes of `view`. SLIM_ERR_NO_MEMORY: nothing changed. */
SLIM_MUST_CHECK enum slim_status slim_buf_put(struct slim_buf *buf, struct slim_view view);

SLIM_MUST_CHECK enum slim_status slim_buf_put_byte(struct slim_buf *buf, uint8_t byte);

/* Append formatted text, without a terminating zero. SLIM_ERR_NO_MEMORY: nothing changed. */
SLIM_MUST_CHECK enum slim_status slim_buf_put_text(struct slim_buf *buf, const char *format, ...)
    SLIM_PRINTF(2, 3);

/* Forget the first `count` bytes, moving the rest to the front; count <= len. */
void slim_buf_drop(struct slim_buf *buf, size_t count);

static inline void slim_buf_clear(struct slim_buf *buf)
{
    buf->len = 0;
}

static inline struct slim_view slim_buf_view(const struct slim_buf *buf)
{
    return (struct slim_view){buf->data, buf->len};
}

#endif
