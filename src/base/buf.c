#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/secret.h"

enum { BUF_BYTES_MIN = 64 };

void slim_buf_fini(struct slim_buf *buf)
{
    if (buf == NULL) {
        return;
    }
    free(buf->data);
    *buf = (struct slim_buf){0};
}

void slim_buf_wipe(struct slim_buf *buf)
{
    if (buf == NULL) {
        return;
    }
    slim_secret_wipe(buf->data, buf->capacity);
    slim_buf_fini(buf);
}

enum slim_status slim_buf_reserve(struct slim_buf *buf, size_t count)
{
    size_t need;
    if (__builtin_add_overflow(buf->len, count, &need)) {
        return SLIM_ERR_NO_MEMORY;
    }
    if (need <= buf->capacity) {
        return SLIM_OK;
    }
    size_t capacity = buf->capacity < BUF_BYTES_MIN ? BUF_BYTES_MIN : buf->capacity;
    while (capacity < need) {
        if (__builtin_mul_overflow(capacity, (size_t)2, &capacity)) {
            return SLIM_ERR_NO_MEMORY;
        }
    }
    /* not realloc: a buffer may hold secrets, and realloc leaves the old copy behind */
    uint8_t *data = malloc(capacity);
    if (data == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    if (buf->len > 0) {
        memcpy(data, buf->data, buf->len);
        slim_secret_wipe(buf->data, buf->len);
    }
    free(buf->data);
    buf->data = data;
    buf->capacity = capacity;
    return SLIM_OK;
}

enum slim_status slim_buf_put(struct slim_buf *buf, struct slim_view view)
{
    SLIM_TRY(slim_buf_reserve(buf, view.len));
    if (view.len > 0) {
        memcpy(buf->data + buf->len, view.data, view.len);
    }
    buf->len += view.len;
    return SLIM_OK;
}

enum slim_status slim_buf_put_byte(struct slim_buf *buf, uint8_t byte)
{
    return slim_buf_put(buf, slim_view_of(&byte, 1));
}

enum slim_status slim_buf_put_text(struct slim_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(len >= 0); /* only a broken format string makes it negative */
    SLIM_TRY(slim_buf_reserve(buf, (size_t)len + 1));
    va_start(args, format);
    /* fits: measured above */
    (void)vsnprintf((char *)buf->data + buf->len, (size_t)len + 1, format, args);
    va_end(args);
    buf->len += (size_t)len;
    return SLIM_OK;
}

void slim_buf_drop(struct slim_buf *buf, size_t count)
{
    assert(count <= buf->len);
    if (count > 0) {
        memmove(buf->data, buf->data + count, buf->len - count);
        buf->len -= count;
    }
}
