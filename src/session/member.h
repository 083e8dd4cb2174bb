/* The members of one session: names, and the slots by which sender and receiver know them.
 *
 *   slot    0     1     2     3         a slot that was given back is used again
 *         [ me ][ A ][   ][ C ]
 *   listed  me, C, A                    in the order of joining: what participants_list tells
 *
 * Names are unique with their ids. That a group has one instance of a name at most, as in the reference, is the moderator's rule. */
#ifndef SLIM_SESSION_MEMBER_H
#define SLIM_SESSION_MEMBER_H

#include "base/hash.h"
#include "session/limits.h"
#include "session/name.h"

#define SLIM_SESSION_NO_SLOT UINT32_MAX

/* Where a member stands. Only WELCOMED and PRESENT are listed.
 * INVITED    it was asked to join (at a participant: the moderator, before the welcome)
 * WELCOMED   its GROUP_WELCOME is on the way
 * PRESENT    it can receive
 * GOING      it was taken out of the list and has not been told, or the others have not */
enum slim_session_standing {
    SLIM_SESSION_INVITED,
    SLIM_SESSION_WELCOMED,
    SLIM_SESSION_PRESENT,
    SLIM_SESSION_GOING,
};

/* is_ours          it answers every duplicate request and follows several changes at once (SLIM_C)
 * is_seen, misses  liveness: it was heard of since the last ping; pings in a row it has missed
 * conn_id          it was last heard of by this connection; has_route: a route to it was added there (route_conn)
 * has_sent_plaintext   in a session that requires MLS; it was told
 * told_ms          when we learned of it; from_welcome: by our own welcome; commit_id: with this commit (MLS) */
struct slim_session_member {
    struct slim_session_name name;
    uint32_t slot;
    enum slim_session_standing standing;
    uint32_t misses;
    uint32_t next_in_bucket;
    bool is_self;
    bool is_ours;
    bool is_seen;
    bool has_route;
    bool is_from_welcome;
    bool has_sent_plaintext;
    uint64_t conn_id;
    uint64_t route_conn;
    uint64_t told_ms;
    uint32_t commit_id;
};

struct slim_session_members {
    struct slim_heap *heap;
    struct slim_hash_key key;
    struct slim_session_member **slots; /* NULL: free */
    uint32_t *buckets;                  /* slot + 1 of the first member, 0: none */
    uint32_t *listed;                   /* slots in the order of joining */
    uint32_t capacity;                  /* of slots, buckets and listed; a power of two */
    uint32_t count;                     /* members in slots */
    uint32_t listed_count;
};

void slim_session_members_init(struct slim_session_members *members, struct slim_heap *heap,
                               struct slim_hash_key key);
void slim_session_members_fini(struct slim_session_members *members);

/* A member with this name that is not listed yet. SLIM_ERR_EXISTS, SLIM_ERR_LIMIT, SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_session_members_add(struct slim_session_members *members,
                                                          const struct slim_wire_name *name,
                                                          enum slim_session_standing standing,
                                                          struct slim_session_member **member);

/* Its name and slot are over. */
void slim_session_members_remove(struct slim_session_members *members,
                                 struct slim_session_member *member);

/* Change where it stands, and with it whether it is listed. Cannot fail. */
void slim_session_members_set(struct slim_session_members *members,
                              struct slim_session_member *member,
                              enum slim_session_standing standing);

/* NULL: there is none. By name: somebody else of that name, whatever its id; by source: with exactly this id. */
struct slim_session_member *slim_session_members_at(const struct slim_session_members *members,
                                                    uint32_t slot);
struct slim_session_member *slim_session_members_by_name(const struct slim_session_members *members,
                                                         const struct slim_name_key *name);
struct slim_session_member *
slim_session_members_by_source(const struct slim_session_members *members,
                               const struct slim_name_key *source);

static inline bool slim_session_member_is_listed(const struct slim_session_member *member)
{
    return member->standing == SLIM_SESSION_WELCOMED || member->standing == SLIM_SESSION_PRESENT;
}

#endif
