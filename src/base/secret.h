/* Handling of bytes that nobody else may learn. */
#ifndef SLIM_BASE_SECRET_H
#define SLIM_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* Overwrite `len` bytes with zeros in a way the compiler cannot remove. NULL with len 0 is allowed. */
void slim_secret_wipe(void *data, size_t len);

/* Compare `len` bytes in a time that depends on len only. */
bool slim_secret_is_equal(const void *a, const void *b, size_t len);

#endif
