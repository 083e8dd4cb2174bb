#include "base/name.h"

#include <stdio.h>

#include "base/hash.h"

struct slim_name_key slim_name_of(const struct slim_name_text *text, unsigned __int128 id)
{
    struct slim_name_key name = {.id = id};
    for (size_t i = 0; i < 3; i++) {
        name.prefix[i] = slim_hash_component(text->part[i]);
    }
    return name;
}

size_t slim_name_id_format(unsigned __int128 id, char text[static SLIM_NAME_ID_TEXT_MAX])
{
    uint64_t high = (uint64_t)(id >> 64);
    uint64_t low = (uint64_t)id;
    int len;
    if (id == SLIM_NAME_ANY) {
        len = snprintf(text, SLIM_NAME_ID_TEXT_MAX, "ffffffffffffffff");
    } else if (high != 0) {
        len = snprintf(text, SLIM_NAME_ID_TEXT_MAX, "%lx%016lx", high, low);
    } else {
        len = snprintf(text, SLIM_NAME_ID_TEXT_MAX, "%lx", low);
    }
    assert(len > 0 && len < SLIM_NAME_ID_TEXT_MAX);
    return (size_t)len;
}

size_t slim_name_format(const struct slim_name_text *name, unsigned __int128 id, char *out,
                        size_t size)
{
    assert(size > 0);
    char digits[SLIM_NAME_ID_TEXT_MAX];
    /* the length is not needed: the text is zero-terminated */
    (void)slim_name_id_format(id, digits);
    int len = snprintf(out, size, "%.*s/%.*s/%.*s/%s", SLIM_VIEW_ARG(name->part[0]),
                       SLIM_VIEW_ARG(name->part[1]), SLIM_VIEW_ARG(name->part[2]), digits);
    assert(len >= 0);
    return (size_t)len < size ? (size_t)len : size - 1;
}
