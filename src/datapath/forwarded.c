#include "datapath/forwarded.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/random.h"
#include "datapath/limits.h"

enum { BUCKETS_MIN = 16 };

struct entry {
    struct entry *next;
    struct slim_name_key source;
    struct slim_name_key destination;
    uint32_t reference_count;
    struct slim_buf message; /* the Subscribe to send */
};

struct slim_datapath_forwarded {
    struct entry **buckets;
    size_t bucket_count; /* a power of two */
    size_t entry_count;
    struct slim_hash_key key;
};

enum slim_status slim_datapath_forwarded_new(struct slim_datapath_forwarded **table)
{
    struct slim_datapath_forwarded *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    made->buckets = calloc(BUCKETS_MIN, sizeof(struct entry *));
    if (made->buckets == NULL) {
        free(made);
        return SLIM_ERR_NO_MEMORY;
    }
    made->bucket_count = BUCKETS_MIN;
    made->key = (struct slim_hash_key){slim_random_u64(), slim_random_u64()};
    *table = made;
    return SLIM_OK;
}

static void entry_free(struct entry *entry)
{
    slim_buf_fini(&entry->message);
    free(entry);
}

void slim_datapath_forwarded_free(struct slim_datapath_forwarded *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->bucket_count; i++) {
        while (table->buckets[i] != NULL) {
            struct entry *entry = table->buckets[i];
            table->buckets[i] = entry->next;
            entry_free(entry);
        }
    }
    free(table->buckets);
    free(table);
}

static uint64_t hash_name(struct slim_hash_key key, const struct slim_name_key *name)
{
    return slim_hash_words(key, name->prefix[0], name->prefix[1], name->prefix[2],
                           (uint64_t)name->id ^ (uint64_t)(name->id >> 64));
}

static size_t bucket_of(const struct slim_datapath_forwarded *table,
                        const struct slim_name_key *source, const struct slim_name_key *destination)
{
    uint64_t hash = slim_hash_fold(hash_name(table->key, source) ^ table->key.a,
                                   hash_name(table->key, destination));
    return hash & (table->bucket_count - 1);
}

static void grow(struct slim_datapath_forwarded *table)
{
    size_t old_count = table->bucket_count;
    struct entry **old = table->buckets;
    struct entry **buckets = calloc(old_count * 2, sizeof(struct entry *));
    if (buckets == NULL) {
        return; /* longer chains, nothing worse */
    }
    table->buckets = buckets;
    table->bucket_count = old_count * 2;
    for (size_t i = 0; i < old_count; i++) {
        while (old[i] != NULL) {
            struct entry *entry = old[i];
            old[i] = entry->next;
            size_t bucket = bucket_of(table, &entry->source, &entry->destination);
            entry->next = table->buckets[bucket];
            table->buckets[bucket] = entry;
        }
    }
    free(old);
}

/* The message as a new node should get it: no id, no flags, fanout 1 (wire.md 7.4 step 4, 11.4). */
static enum slim_status encode(struct entry *entry, const struct slim_wire_head *head)
{
    struct slim_wire_subscription message = {
        .source = head->source.name,
        .source_text = head->source.text,
        .destination = head->destination.name,
        .destination_text = head->destination.text,
        .fanout = 1,
        .identity = head->identity,
    };
    struct slim_buf encoded = {0};
    enum slim_status status = slim_wire_put_subscription(&encoded, &message);
    if (status != SLIM_OK) {
        slim_buf_fini(&encoded);
        return status;
    }
    slim_buf_fini(&entry->message);
    entry->message = encoded;
    return SLIM_OK;
}

static enum slim_status add(struct slim_datapath_forwarded *table,
                            const struct slim_wire_head *head)
{
    if (table->entry_count >= SLIM_DATAPATH_FORWARDED_MAX) {
        return SLIM_ERR_LIMIT;
    }
    struct entry *entry = calloc(1, sizeof(*entry));
    if (entry == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    entry->source = head->source.name;
    entry->destination = head->destination.name;
    entry->reference_count = 1;
    enum slim_status status = encode(entry, head);
    if (status != SLIM_OK) {
        entry_free(entry);
        return status;
    }
    if (table->entry_count >= table->bucket_count) {
        grow(table);
    }
    size_t bucket = bucket_of(table, &entry->source, &entry->destination);
    entry->next = table->buckets[bucket];
    table->buckets[bucket] = entry;
    table->entry_count++;
    return SLIM_OK;
}

enum slim_status slim_datapath_forwarded_note(struct slim_datapath_forwarded *table,
                                              const struct slim_wire_head *head)
{
    struct entry **place =
        &table->buckets[bucket_of(table, &head->source.name, &head->destination.name)];
    while (*place != NULL &&
           !(slim_name_is_equal(&(*place)->source, &head->source.name) &&
             slim_name_is_equal(&(*place)->destination, &head->destination.name))) {
        place = &(*place)->next;
    }
    struct entry *entry = *place;
    if (head->kind == SLIM_WIRE_SUBSCRIBE) {
        if (entry == NULL) {
            return add(table, head);
        }
        SLIM_TRY(encode(entry, head));
        entry->reference_count++;
        return SLIM_OK;
    }
    if (entry != NULL && --entry->reference_count == 0) {
        *place = entry->next;
        table->entry_count--;
        entry_free(entry);
    }
    return SLIM_OK;
}

void slim_datapath_forwarded_each(const struct slim_datapath_forwarded *table,
                                  void (*visit)(void *ctx, struct slim_view msg), void *ctx)
{
    for (size_t i = 0; i < table->bucket_count; i++) {
        for (const struct entry *entry = table->buckets[i]; entry != NULL; entry = entry->next) {
            for (uint32_t n = 0; n < entry->reference_count; n++) {
                visit(ctx, slim_buf_view(&entry->message));
            }
        }
    }
}

size_t slim_datapath_forwarded_count(const struct slim_datapath_forwarded *table)
{
    return table->entry_count;
}
