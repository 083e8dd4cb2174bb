#include "auth/cache.h"

#include <stdlib.h>

#include "base/secret.h"

enum { RING = 0, NONE = 0, BUCKET_COUNT = SLIM_AUTH_CACHE_COUNT };

/* next          next entry of the bucket, or NONE; of a free entry: the next free one
 * newer, older  neighbours in the ring of use */
struct entry {
    struct slim_auth_tag tag;
    struct slim_auth_cached content;
    uint16_t next;
    uint16_t newer;
    uint16_t older;
};

/* Entry 0 is the head of the ring; entries 1 .. used_count have been in use; free_head leads through those given back. The entries are
 * one zeroed allocation whose pages the kernel gives only when they are touched. */
struct slim_auth_cache {
    uint8_t key[SLIM_SIPHASH_KEY_BYTES];
    size_t count;
    uint16_t used_count;
    uint16_t free_head;
    uint16_t buckets[BUCKET_COUNT];
    struct entry *entries;
};

enum slim_status slim_auth_cache_new(slim_auth_random *random, struct slim_auth_cache **cache)
{
    struct slim_auth_cache *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    made->entries = calloc(SLIM_AUTH_CACHE_COUNT + 1, sizeof(made->entries[0]));
    if (made->entries == NULL) {
        free(made);
        return SLIM_ERR_NO_MEMORY;
    }
    random(made->key, sizeof(made->key));
    *cache = made;
    return SLIM_OK;
}

void slim_auth_cache_free(struct slim_auth_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    slim_auth_cache_clear(cache);
    slim_secret_wipe(cache->key, sizeof(cache->key));
    free(cache->entries);
    free(cache);
}

struct slim_auth_tag slim_auth_cache_tag(const struct slim_auth_cache *cache,
                                         struct slim_view token)
{
    struct slim_auth_tag tag;
    slim_siphash128(cache->key, token, tag.bytes);
    return tag;
}

static uint16_t *bucket_of(struct slim_auth_cache *cache, const struct slim_auth_tag *tag)
{
    uint16_t low;
    memcpy(&low, tag->bytes, sizeof(low));
    return &cache->buckets[low % BUCKET_COUNT];
}

static void ring_remove(struct slim_auth_cache *cache, struct entry *entry)
{
    cache->entries[entry->newer].older = entry->older;
    cache->entries[entry->older].newer = entry->newer;
}

/* entries[RING].older is the newest entry, entries[RING].newer the oldest. */
static void ring_put_newest(struct slim_auth_cache *cache, uint16_t index)
{
    struct entry *entry = &cache->entries[index];
    entry->newer = RING;
    entry->older = cache->entries[RING].older;
    cache->entries[entry->older].newer = index;
    cache->entries[RING].older = index;
}

static void drop(struct slim_auth_cache *cache, uint16_t index)
{
    struct entry *entry = &cache->entries[index];
    uint16_t *link = bucket_of(cache, &entry->tag);
    while (*link != index) {
        link = &cache->entries[*link].next;
    }
    *link = entry->next;
    ring_remove(cache, entry);
    free((void *)(uintptr_t)entry->content.identity.id.data); /* our copy */
    entry->next = cache->free_head;
    cache->free_head = index;
    cache->count--;
}

const struct slim_auth_cached *slim_auth_cache_find(struct slim_auth_cache *cache,
                                                    const struct slim_auth_tag *tag, uint64_t now_s)
{
    uint16_t index = *bucket_of(cache, tag);
    while (index != NONE && memcmp(&cache->entries[index].tag, tag, sizeof(*tag)) != 0) {
        index = cache->entries[index].next;
    }
    if (index == NONE) {
        return NULL;
    }
    struct entry *entry = &cache->entries[index];
    if (now_s > entry->content.valid_until_s || now_s < entry->content.valid_from_s) {
        drop(cache, index);
        return NULL;
    }
    ring_remove(cache, entry);
    ring_put_newest(cache, index);
    return &entry->content;
}

static uint16_t take_free(struct slim_auth_cache *cache)
{
    if (cache->count == SLIM_AUTH_CACHE_COUNT) {
        drop(cache, cache->entries[RING].newer);
    }
    uint16_t index = cache->free_head;
    if (index == NONE) {
        return ++cache->used_count;
    }
    cache->free_head = cache->entries[index].next;
    return index;
}

enum slim_status slim_auth_cache_put(struct slim_auth_cache *cache, const struct slim_auth_tag *tag,
                                     const struct slim_auth_cached *content)
{
    struct slim_view id = content->identity.id;
    uint8_t *copy = malloc(id.len + 1);
    if (copy == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    if (id.len > 0) {
        memcpy(copy, id.data, id.len);
    }
    uint16_t index = take_free(cache);
    struct entry *entry = &cache->entries[index];
    entry->tag = *tag;
    entry->content = *content;
    entry->content.identity.id.data = copy;
    uint16_t *bucket = bucket_of(cache, tag);
    entry->next = *bucket;
    *bucket = index;
    ring_put_newest(cache, index);
    cache->count++;
    return SLIM_OK;
}

void slim_auth_cache_clear(struct slim_auth_cache *cache)
{
    while (cache->count > 0) {
        drop(cache, cache->entries[RING].newer);
    }
}

size_t slim_auth_cache_count(const struct slim_auth_cache *cache)
{
    return cache->count;
}
