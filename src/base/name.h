/* A SLIM name as tables see it (struct slim_name of slim/slim.h is what applications see): three hashed
 * components and an instance id (spec wire.md 3). */
#ifndef SLIM_BASE_NAME_H
#define SLIM_BASE_NAME_H

#include "base/status.h"
#include "base/view.h"

/* "No id, any instance". Generation 1 writes it as 2^64 - 1 (its NULL); only src/wire knows that. */
#define SLIM_NAME_ANY (~(unsigned __int128)0)

/* prefix   hashes of the three strings (slim_hash_component); the three together are the prefix that anycast matches on
 * id       instance; below 2^64 in generation 1, or SLIM_NAME_ANY */
struct slim_name_key {
    uint64_t prefix[3];
    unsigned __int128 id;
};

/* The strings behind the three hashes. For people and for the control plane only: nothing is routed on them. */
struct slim_name_text {
    struct slim_view part[3];
};

static inline bool slim_name_has_prefix_of(const struct slim_name_key *a,
                                           const struct slim_name_key *b)
{
    return a->prefix[0] == b->prefix[0] && a->prefix[1] == b->prefix[1] &&
           a->prefix[2] == b->prefix[2];
}

static inline bool slim_name_is_equal(const struct slim_name_key *a, const struct slim_name_key *b)
{
    return slim_name_has_prefix_of(a, b) && a->id == b->id;
}

/* The name of the three strings with this id. */
struct slim_name_key slim_name_of(const struct slim_name_text *text, unsigned __int128 id);

enum { SLIM_NAME_ID_TEXT_MAX = 33 }; /* 32 hexadecimal digits and a zero */

/* The id as SLIM shows it: lower-case hexadecimal without leading zeros, "ffffffffffffffff" for SLIM_NAME_ANY.
 * Writes a zero-terminated text of at most SLIM_NAME_ID_TEXT_MAX bytes and returns its length. */
size_t slim_name_id_format(unsigned __int128 id, char text[static SLIM_NAME_ID_TEXT_MAX]);

/* "a/b/c/<id>" into `out`, cut to `size` - 1 bytes, with bytes outside printable ASCII and UTF-8 kept as they are.
 * Returns the length written. `size` > 0. */
size_t slim_name_format(const struct slim_name_text *name, unsigned __int128 id, char *out,
                        size_t size);

#endif
