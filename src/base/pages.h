/* Zeroed memory straight from the system, in whole pages: for large objects of which most is never touched. A page costs
 * memory from its first use on. */
#ifndef SLIM_BASE_PAGES_H
#define SLIM_BASE_PAGES_H

#include <stddef.h>

/* At least `size` bytes, zeroed, at the start of a page. NULL when there is no memory.
 * With -Dpool_debug it is an object of malloc, at the start of no page, so that sanitizers see where it ends. */
void *slim_pages_take(size_t size);

/* Give them back; `size` as it was taken. NULL is allowed. */
void slim_pages_return(void *pages, size_t size);

/* Give the read-only pages of the program and its libraries back to the system: symbol tables and relocations, which the loader read
 * once, are a megabyte of resident memory for libcrypto alone. What is needed again is mapped again from the file. Once, after start. */
void slim_pages_drop_tables(void);

#endif
