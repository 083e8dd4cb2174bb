/* The table of verified tokens: SLIM_AUTH_CACHE_COUNT entries, found by a keyed 128-bit hash of the token. A hit skips the signature
 * check, so the hash must be one that a stranger cannot find collisions of; its key is random and known to this process only.
 *
 *     buckets[hash] -> entry -> entry -> NONE        (chains of indices)
 *     newest <-> ... <-> oldest                      (ring through entry 0; the oldest gives way)
 */
#ifndef SLIM_AUTH_CACHE_H
#define SLIM_AUTH_CACHE_H

#include "auth/auth.h"
#include "base/siphash.h"

struct slim_auth_cache;

/* valid_from_s, valid_until_s   the token is good in these seconds and those between them
 * id                            copied into the entry */
struct slim_auth_cached {
    uint64_t valid_from_s;
    uint64_t valid_until_s;
    struct slim_auth_identity identity;
};

/* SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_auth_cache_new(slim_auth_random *random,
                                                     struct slim_auth_cache **cache);
void slim_auth_cache_free(struct slim_auth_cache *cache);

/* The hash under which a token is kept. */
struct slim_auth_tag {
    uint8_t bytes[SLIM_SIPHASH_BYTES];
};
struct slim_auth_tag slim_auth_cache_tag(const struct slim_auth_cache *cache,
                                         struct slim_view token);

/* The entry of a token that is good at now_s, which becomes the newest; else NULL (one whose time is over is dropped). Borrowed until
 * the next call. */
const struct slim_auth_cached *slim_auth_cache_find(struct slim_auth_cache *cache,
                                                    const struct slim_auth_tag *tag,
                                                    uint64_t now_s);

/* Remember a token that is not in the table. When the table is full the longest unused entry goes. SLIM_ERR_NO_MEMORY: not kept. */
SLIM_MUST_CHECK enum slim_status slim_auth_cache_put(struct slim_auth_cache *cache,
                                                     const struct slim_auth_tag *tag,
                                                     const struct slim_auth_cached *content);

/* Forget everything. */
void slim_auth_cache_clear(struct slim_auth_cache *cache);

size_t slim_auth_cache_count(const struct slim_auth_cache *cache);

#endif
