/* Names that a session keeps: a wire name together with its strings. */
#ifndef SLIM_SESSION_NAME_H
#define SLIM_SESSION_NAME_H

#include "base/heap.h"
#include "wire/wire.h"

/* wire   is_present and is_complete are true; its texts point into `text`
 * text   the three strings one after the other; NULL when the struct is empty (zeroed) */
struct slim_session_name {
    struct slim_wire_name wire;
    char *text;
};

/* Keep a copy of `from`, with the given id. SLIM_ERR_LIMIT: longer than SLIM_SESSION_NAME_BYTES_MAX.
 * SLIM_ERR_INVALID: its strings and its hashes differ, so that people would read another name. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_session_name_init(struct slim_heap *heap,
                                                        const struct slim_wire_name *from,
                                                        unsigned __int128 id,
                                                        struct slim_session_name *name);

/* An empty name is allowed, and is what remains. */
void slim_session_name_fini(struct slim_heap *heap, struct slim_session_name *name);

enum { SLIM_SESSION_NAME_TEXT_MAX = 200 };

/* "a/b/c/<id>" for people, cut at SLIM_SESSION_NAME_TEXT_MAX - 1; returns `text`. */
const char *slim_session_name_format(const struct slim_wire_name *name,
                                     char text[static SLIM_SESSION_NAME_TEXT_MAX]);

#endif
