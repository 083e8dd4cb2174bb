#include "session/member.h"

enum { CAPACITY_MIN = 4 };

void slim_session_members_init(struct slim_session_members *members, struct slim_heap *heap,
                               struct slim_hash_key key)
{
    *members = (struct slim_session_members){.heap = heap, .key = key};
}

void slim_session_members_fini(struct slim_session_members *members)
{
    for (uint32_t i = 0; i < members->capacity; i++) {
        if (members->slots[i] != NULL) {
            slim_session_name_fini(members->heap, &members->slots[i]->name);
            slim_heap_return(members->heap, members->slots[i]);
        }
    }
    slim_heap_return(members->heap, members->slots);
    slim_heap_return(members->heap, members->buckets);
    slim_heap_return(members->heap, members->listed);
    *members = (struct slim_session_members){.heap = members->heap, .key = members->key};
}

static uint32_t *bucket_of(const struct slim_session_members *members,
                           const struct slim_name_key *name)
{
    uint64_t hash =
        slim_hash_words(members->key, name->prefix[0], name->prefix[1], name->prefix[2], 0);
    return &members->buckets[hash & (members->capacity - 1)];
}

static void link_to_bucket(struct slim_session_members *members, struct slim_session_member *member)
{
    uint32_t *bucket = bucket_of(members, &member->name.wire.name);
    member->next_in_bucket = *bucket;
    *bucket = member->slot + 1;
}

static void unlink_from_bucket(struct slim_session_members *members,
                               const struct slim_session_member *member)
{
    uint32_t *link = bucket_of(members, &member->name.wire.name);
    while (*link != member->slot + 1) {
        link = &members->slots[*link - 1]->next_in_bucket;
    }
    *link = member->next_in_bucket;
}

static enum slim_status grow(struct slim_session_members *members)
{
    uint32_t capacity = members->capacity == 0 ? CAPACITY_MIN : members->capacity * 2;
    struct slim_heap *heap = members->heap;
    struct slim_session_member **slots = slim_heap_take_zeroed(heap, capacity, sizeof(*slots));
    uint32_t *buckets = slim_heap_take_zeroed(heap, capacity, sizeof(*buckets));
    uint32_t *listed = slim_heap_take_zeroed(heap, capacity, sizeof(*listed));
    if (slots == NULL || buckets == NULL || listed == NULL) {
        slim_heap_return(heap, slots);
        slim_heap_return(heap, buckets);
        slim_heap_return(heap, listed);
        return SLIM_ERR_NO_MEMORY;
    }
    if (members->capacity > 0) {
        memcpy(slots, members->slots, members->capacity * sizeof(*slots));
        memcpy(listed, members->listed, members->listed_count * sizeof(*listed));
    }
    slim_heap_return(heap, members->slots);
    slim_heap_return(heap, members->buckets);
    slim_heap_return(heap, members->listed);
    members->slots = slots;
    members->buckets = buckets;
    members->listed = listed;
    members->capacity = capacity;
    for (uint32_t i = 0; i < capacity; i++) {
        if (slots[i] != NULL) {
            link_to_bucket(members, slots[i]);
        }
    }
    return SLIM_OK;
}

static uint32_t free_slot(const struct slim_session_members *members)
{
    uint32_t slot = 0;
    while (members->slots[slot] != NULL) {
        slot++;
    }
    return slot;
}

enum slim_status slim_session_members_add(struct slim_session_members *members,
                                          const struct slim_wire_name *name,
                                          enum slim_session_standing standing,
                                          struct slim_session_member **member)
{
    if (slim_session_members_by_source(members, &name->name) != NULL) {
        return SLIM_ERR_EXISTS;
    }
    if (members->count == SLIM_SESSION_MEMBERS_MAX) {
        return SLIM_ERR_LIMIT;
    }
    if (members->count == members->capacity) {
        SLIM_TRY(grow(members));
    }
    struct slim_session_member *made = slim_heap_take_zeroed(members->heap, 1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    enum slim_status status =
        slim_session_name_init(members->heap, name, name->name.id, &made->name);
    if (status != SLIM_OK) {
        slim_heap_return(members->heap, made);
        return status;
    }
    made->slot = free_slot(members);
    made->standing = SLIM_SESSION_INVITED;
    members->slots[made->slot] = made;
    members->count++;
    link_to_bucket(members, made);
    slim_session_members_set(members, made, standing);
    *member = made;
    return SLIM_OK;
}

void slim_session_members_remove(struct slim_session_members *members,
                                 struct slim_session_member *member)
{
    slim_session_members_set(members, member, SLIM_SESSION_GOING);
    unlink_from_bucket(members, member);
    members->slots[member->slot] = NULL;
    members->count--;
    slim_session_name_fini(members->heap, &member->name);
    slim_heap_return(members->heap, member);
}

void slim_session_members_set(struct slim_session_members *members,
                              struct slim_session_member *member,
                              enum slim_session_standing standing)
{
    bool was_listed = slim_session_member_is_listed(member);
    member->standing = standing;
    bool is_listed = slim_session_member_is_listed(member);
    if (!was_listed && is_listed) {
        members->listed[members->listed_count++] = member->slot;
    } else if (was_listed && !is_listed) {
        uint32_t at = 0;
        while (members->listed[at] != member->slot) {
            at++;
        }
        members->listed_count--;
        memmove(&members->listed[at], &members->listed[at + 1],
                (members->listed_count - at) * sizeof(members->listed[0]));
    }
}

struct slim_session_member *slim_session_members_at(const struct slim_session_members *members,
                                                    uint32_t slot)
{
    return slot < members->capacity ? members->slots[slot] : NULL;
}

static struct slim_session_member *find(const struct slim_session_members *members,
                                        const struct slim_name_key *name, bool is_exact)
{
    if (members->capacity == 0) {
        return NULL;
    }
    uint32_t next = *bucket_of(members, name);
    while (next != 0) {
        struct slim_session_member *member = members->slots[next - 1];
        const struct slim_name_key *own = &member->name.wire.name;
        if (is_exact ? slim_name_is_equal(own, name)
                     : !member->is_self && slim_name_has_prefix_of(own, name)) {
            return member;
        }
        next = member->next_in_bucket;
    }
    return NULL;
}

struct slim_session_member *slim_session_members_by_name(const struct slim_session_members *members,
                                                         const struct slim_name_key *name)
{
    return find(members, name, false);
}

struct slim_session_member *
slim_session_members_by_source(const struct slim_session_members *members,
                               const struct slim_name_key *source)
{
    return find(members, source, true);
}
