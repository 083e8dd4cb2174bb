/* Work with views (slim/types.h): bytes somebody else owns. A view into a receive buffer dies at the end of the callback that handed it out. */
#ifndef SLIM_BASE_VIEW_H
#define SLIM_BASE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "slim/types.h"

#define SLIM_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The struct of type `type` whose member `member` sits at `ptr`. */
#define SLIM_CONTAINER_OF(ptr, type, member)                                                       \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* A view of a string literal or array initialiser, without its terminating zero. */
#define SLIM_VIEW(literal) ((struct slim_view){(const uint8_t *)(literal), sizeof(literal) - 1})

/* printf("%.*s", SLIM_VIEW_ARG(v)): for text that is known to be printable. */
#define SLIM_VIEW_ARG(v) (int)(v).len, (const char *)(v).data

static inline struct slim_view slim_view_of(const void *data, size_t len)
{
    return (struct slim_view){(const uint8_t *)data, len};
}

/* A view of the zero-terminated `text`; NULL gives an empty view. */
static inline struct slim_view slim_view_str(const char *text)
{
    return slim_view_of(text, text == NULL ? 0 : strlen(text));
}

static inline bool slim_view_is_equal(struct slim_view a, struct slim_view b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool slim_view_has_prefix(struct slim_view view, struct slim_view prefix)
{
    return view.len >= prefix.len &&
           (prefix.len == 0 || memcmp(view.data, prefix.data, prefix.len) == 0);
}

/* `view` without its first `count` bytes; count <= view.len. */
static inline struct slim_view slim_view_skip(struct slim_view view, size_t count)
{
    return (struct slim_view){view.data + count, view.len - count};
}

#endif
