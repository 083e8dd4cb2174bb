/* Shared libraries that are opened when they are needed, so that a program without that need does not load them. */
#ifndef SLIM_IO_LIBRARY_H
#define SLIM_IO_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

/* name       of a function in the library
 * function   where the pointer to it is put: the address of a pointer to a function */
struct slim_library_symbol {
    const char *name;
    void *function;
};

/* Open `file` and find all of `symbols`. False: it cannot be opened (*missing is NULL), or has not *missing (a name of the table). What was
 * opened stays until the process ends: libraries below it may keep memory in variables that would go with it. From any thread. */
bool slim_library_open(const char *file, const struct slim_library_symbol *symbols, size_t count,
                       const char **missing);

#endif
