/* The subscription table: which connection wants which name (spec wire.md 5, 11.3, 11.6). No I/O.
 *
 *   prefix table:  {c0,c1,c2}      ->  peers with at least one subscription below the prefix (any id)
 *   name table:    {c0,c1,c2,id}   ->  peers with a subscription to exactly this name
 *   peer           ->  list of its subscriptions, for cleanup and for listing
 *
 * One table belongs to one loop. Lookup allocates nothing. Hashing is keyed: strangers choose the names. */
#ifndef SLIM_ROUTE_ROUTE_H
#define SLIM_ROUTE_ROUTE_H

#include "base/hash.h"
#include "base/heap.h"
#include "base/name.h"
#include "route/limits.h"

struct slim_routes;

/* The table's part of a connection: embed it, call slim_route_peer_init once. A peer is in one table at most, and stays
 * where it is as long as it has subscriptions.
 * id         connection id, for error texts
 * is_local   an application of this process: preferred by anycast; constant while the peer has subscriptions
 * first, last, subscription_count: private to src/route (reading the count is fine) */
struct slim_route_peer {
    uint64_t id;
    bool is_local;
    uint32_t first; /* its list of subscriptions, oldest first */
    uint32_t last;
    uint32_t subscription_count; /* names, not references */
};

void slim_route_peer_init(struct slim_route_peer *peer, uint64_t id, bool is_local);

/* Objects come from `heap`, which must outlive the table. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_routes_new(struct slim_heap *heap, struct slim_hash_key key,
                                                 struct slim_routes **routes);

/* All peers must have been removed. NULL is allowed. */
void slim_routes_free(struct slim_routes *routes);

/* Note that `peer` wants `name`. subscription_id 0: references are counted (1.0.0); other ids form a set (1.4.0), an id that
 * is there already changes nothing. The subscription exists while either is non-empty. `text` is copied for the first
 * subscription of a prefix (the strings of the first one are the ones reported, wire.md 3.1) and ignored for others.
 *
 * *is_first (may be NULL): true when no peer had a subscription to exactly this name before.
 * SLIM_ERR_NO_MEMORY: nothing changed. SLIM_ERR_LIMIT: a limit of route/limits.h (the table holds SLIM_ROUTE_NAMES_MAX names,
 * the prefix strings are longer than SLIM_ROUTE_TEXT_BYTES_MAX, ...); nothing changed. */
SLIM_MUST_CHECK enum slim_status slim_routes_add(struct slim_routes *routes,
                                                 const struct slim_name_key *name,
                                                 const struct slim_name_text *text,
                                                 struct slim_route_peer *peer,
                                                 uint64_t subscription_id, bool *is_first);

/* Take one reference back (id 0) or one id out of the set. An unknown non-zero id removes one counted reference when the
 * peer holds only such (a client that reconnected, wire.md 11.6 rule 5).
 *
 * *is_last (may be NULL): true when no peer has a subscription to exactly this name any more.
 * SLIM_ERR_NOT_FOUND with the reference's text in *error (may be NULL): "subscription not found", "id not found: <decimal>",
 * "connection id not found: <conn>", "subscription id not found: <id>". */
SLIM_MUST_CHECK enum slim_status slim_routes_remove(struct slim_routes *routes,
                                                    const struct slim_name_key *name,
                                                    struct slim_route_peer *peer,
                                                    uint64_t subscription_id, bool *is_last,
                                                    struct slim_error *error);

/* One subscription of a peer, as slim_routes_each and slim_routes_remove_peer show it. Views and arrays are borrowed for
 * the length of the callback. */
struct slim_route_subscription {
    struct slim_name_key name;
    struct slim_name_text text;
    uint32_t reference_count; /* of id 0 */
    const uint64_t *ids;
    size_t id_count;
    bool is_last; /* nobody else has this name */
};
typedef void slim_route_visit(void *ctx, const struct slim_route_subscription *subscription);

/* Show every subscription of `peer`. The table must not be changed meanwhile. */
void slim_routes_each(struct slim_routes *routes, struct slim_route_peer *peer,
                      slim_route_visit *visit, void *ctx);

/* Remove all subscriptions of `peer`, whatever their counts, showing each to `visit` (may be NULL) after its removal.
 * `visit` may look at the table and must not change it. Costs as many steps as the peer has subscriptions, whoever else
 * has them too. */
void slim_routes_remove_peer(struct slim_routes *routes, struct slim_route_peer *peer,
                             slim_route_visit *visit, void *ctx);

/* Where a message goes. Borrowed from the table until its next call. */
struct slim_route_hits {
    struct slim_route_peer *const *peers;
    size_t count;
};

/* Match a publish to `name` that came in over `from` (NULL: from nowhere; `from` is never a hit).
 *
 *   fanout 1 (anycast)   one peer: local before remote; round robin over the candidates, so that all get the same share
 *   any other fanout     every candidate once, local and remote
 * Candidates: id SLIM_NAME_ANY: all peers of the prefix. A known id: exactly the peers with that id. An unknown id: none, but
 * with fanout 1 the only peer of the prefix if there is exactly one local (else exactly one remote) (wire.md 5.3, 11.6).
 * hits->count 0: no match. Allocates nothing. */
void slim_routes_match(struct slim_routes *routes, const struct slim_name_key *name,
                       uint32_t fanout, const struct slim_route_peer *from,
                       struct slim_route_hits *hits);

/* True when some peer other than `except` (may be NULL) has a subscription to exactly this name. */
bool slim_routes_has(struct slim_routes *routes, const struct slim_name_key *name,
                     const struct slim_route_peer *except);

/* The strings of the name's prefix: those of the subscription that made it known, borrowed until the next change of the
 * table. False when nobody has a subscription below the prefix. */
bool slim_routes_find_text(const struct slim_routes *routes, const struct slim_name_key *name,
                           struct slim_name_text *text);

/* name_count           names with at least one subscription
 * subscription_count   (name, peer) pairs
 * bytes                memory of the whole table */
struct slim_route_stats {
    uint64_t name_count;
    uint64_t prefix_count;
    uint64_t subscription_count;
    size_t bytes;
};
struct slim_route_stats slim_routes_stats(const struct slim_routes *routes);

#endif
