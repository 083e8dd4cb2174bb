/* Recorded vectors: the strings of a JSON file in the order in which they stand there, each with the key before it.
 *
 * Not a JSON parser: enough for files that we wrote ourselves (no escapes in the strings that the tests look at). */
#ifndef SLIM_TESTS_UNIT_WIRE_VECTOR_FILE_H
#define SLIM_TESTS_UNIT_WIRE_VECTOR_FILE_H

#include <stdbool.h>

#include "base/buf.h"

/* text   the whole file
 * at     next byte to look at */
struct vector_file {
    struct slim_buf text;
    size_t at;
};

/* Append the content of tests/vectors/`name`; ends the test when it cannot be read. */
void vector_text_load(struct slim_buf *text, const char *name);

/* Load tests/vectors/`name`; ends the test when it cannot be read. */
void vector_file_load(struct vector_file *file, const char *name);
void vector_file_fini(struct vector_file *file);

/* The next string or bare number. *is_key tells whether a colon follows. False at the end of the file. */
bool vector_file_next(struct vector_file *file, struct slim_view *token, bool *is_key);

/* The bytes of a hexadecimal text (spaces are skipped) in memory of exactly their size, so that the sanitizer sees a read beyond them.
 * Ends the test when it is not hexadecimal. */
void vector_unhex(struct slim_view hex, struct slim_buf *bytes);
void vector_unhex_fini(struct slim_buf *bytes);

#endif
