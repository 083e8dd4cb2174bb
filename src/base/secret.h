/* Handling of bytes that nobody else may learn. */
#ifndef SLIM_BASE_SECRET_H
#define SLIM_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* Overwrite `len` bytes with zeros in a way the compiler cannot remove. NULL with len 0 is allowed. */
void slim_secret_wipe(void *data, size_t len);

/* Compare `len` bytes in a time that depends on len only. */
bool slim_secret_is_equal(const void *a, const void *b, size_t len);

/* Memory for objects that hold secrets, for modules that have no allocator of their own: zeroed when taken, overwritten when
 * returned or left behind by a resize. take and resize give NULL when there is no memory (or count * size overflows), a failed
 * resize leaves the object as it was; resize of NULL takes, return of NULL does nothing. Aligned as malloc does. */
void *slim_secret_take(size_t count, size_t size);
void *slim_secret_resize(void *object, size_t size);
void slim_secret_return(void *object);

#endif
