#include "unit/route/ops.h"

#include <stdio.h>
#include <stdlib.h>

#include "route/route.h"

enum {
    PEERS_MAX = 40,
    PREFIXES = 5,
    IDS = 6, /* names of one prefix */
    NAMES = PREFIXES * IDS,
    TEXTS = 4,
    SUB_IDS = 8, /* 0 stands for "no id" */
    OP_BYTES = 5,
};

/* references   counted, without id
 * ids          bit i: subscription id SUB_ID[i] */
struct entry {
    uint32_t references;
    uint8_t ids;
};

struct world {
    struct slim_heap *heap;
    struct slim_routes *routes;
    struct slim_route_peer peers[PEERS_MAX];
    struct entry entries[NAMES][PEERS_MAX];
    uint8_t text_of[PREFIXES]; /* which text made the prefix known */
    uint32_t peer_count;
    uint32_t name_count; /* of each prefix */
};

struct op {
    uint8_t kind;
    uint32_t name;
    uint32_t peer;
    uint8_t a;
    uint8_t b;
};

static const uint64_t SUB_ID[SUB_IDS] = {0, 1, UINT64_MAX, 77, 1ULL << 63, 76, 78, 2};

static char long_text[1000];

static struct slim_name_text text_at(uint32_t i)
{
    static const struct slim_name_text texts[TEXTS] = {
        {{{(const uint8_t *)"org", 3},
          {(const uint8_t *)"default", 7},
          {(const uint8_t *)"app", 3}}},
        {{{NULL, 0}, {NULL, 0}, {NULL, 0}}},
        {{{NULL, 0}, {(const uint8_t *)long_text, sizeof(long_text)}, {(const uint8_t *)"x", 1}}},
        {{{(const uint8_t *)long_text, 200},
          {(const uint8_t *)"y", 1},
          {(const uint8_t *)long_text, 55}}},
    };
    return texts[i];
}

static struct slim_name_key name_at(uint32_t i)
{
    static const uint64_t low[IDS] = {5, UINT64_MAX, 0, 5, 6, 7};
    static const uint64_t high[IDS] = {0, UINT64_MAX, 0, 9, 0, 0}; /* the second is SLIM_NAME_ANY */
    uint64_t c = i / IDS;
    struct slim_name_key name = {.prefix = {c & 1, c >> 1 & 1, c >> 2}};
    name.id = (unsigned __int128)high[i % IDS] << 64 | low[i % IDS];
    return name;
}

static bool is_any(uint32_t name)
{
    return name % IDS == 1;
}

static bool is_there(const struct world *world, uint32_t name, uint32_t peer)
{
    return world->entries[name][peer].references > 0 || world->entries[name][peer].ids != 0;
}

static bool name_is_there(const struct world *world, uint32_t name, uint32_t except)
{
    for (uint32_t peer = 0; peer < PEERS_MAX; peer++) {
        if (peer != except && is_there(world, name, peer)) {
            return true;
        }
    }
    return false;
}

static bool peer_has_prefix(const struct world *world, uint32_t prefix, uint32_t peer)
{
    for (uint32_t i = 0; i < IDS; i++) {
        if (is_there(world, prefix * IDS + i, peer)) {
            return true;
        }
    }
    return false;
}

static bool prefix_is_there(const struct world *world, uint32_t prefix)
{
    for (uint32_t peer = 0; peer < PEERS_MAX; peer++) {
        if (peer_has_prefix(world, prefix, peer)) {
            return true;
        }
    }
    return false;
}

static uint64_t bit(uint32_t peer)
{
    return (uint64_t)1 << peer;
}

static uint64_t locals(const struct world *world)
{
    uint64_t set = 0;
    for (uint32_t peer = 0; peer < PEERS_MAX; peer++) {
        set |= world->peers[peer].is_local ? bit(peer) : 0;
    }
    return set;
}

/* ---- what wire.md 5.3 says, word by word */

static uint64_t pool_of(const struct world *world, uint32_t prefix)
{
    uint64_t set = 0;
    for (uint32_t peer = 0; peer < PEERS_MAX; peer++) {
        set |= peer_has_prefix(world, prefix, peer) ? bit(peer) : 0;
    }
    return set;
}

static uint64_t only_one_of(uint64_t pool)
{
    return __builtin_popcountll(pool) == 1 ? pool : 0;
}

/* Everybody the table may answer with; `from` is PEERS_MAX for nobody. */
static uint64_t candidates(const struct world *world, uint32_t name, uint32_t fanout, uint32_t from)
{
    uint64_t local = locals(world);
    uint64_t pool = pool_of(world, name / IDS);
    uint64_t set = 0;
    if (is_any(name)) {
        set = pool;
    } else if (name_is_there(world, name, PEERS_MAX)) {
        for (uint32_t peer = 0; peer < PEERS_MAX; peer++) {
            set |= is_there(world, name, peer) ? bit(peer) : 0;
        }
    } else if (fanout == 1) {
        set = only_one_of(pool & local) | only_one_of(pool & ~local);
    }
    if (from < PEERS_MAX) {
        set &= ~bit(from);
    }
    return fanout == 1 && (set & local) != 0 ? set & local : set;
}

/* ---- operations */

/* The peers of the hits as a set, or UINT64_MAX when one is there twice or is none of ours. */
static uint64_t set_of(const struct world *world, const struct slim_route_hits *hits)
{
    uint64_t set = 0;
    for (size_t i = 0; i < hits->count; i++) {
        if (hits->peers[i] < world->peers || hits->peers[i] >= world->peers + PEERS_MAX) {
            return UINT64_MAX;
        }
        uint64_t one = bit((uint32_t)(hits->peers[i] - world->peers));
        if ((set & one) != 0) {
            return UINT64_MAX;
        }
        set |= one;
    }
    return set;
}

static const char *run_match(struct world *world, const struct op *op)
{
    static const uint32_t fanouts[4] = {1, 0, 256, 2};
    struct slim_name_key name = name_at(op->name);
    uint32_t fanout = fanouts[op->a % 4];
    uint32_t from = op->b % 4 == 0 ? PEERS_MAX : op->peer;
    struct slim_route_hits hits;
    slim_routes_match(world->routes, &name, fanout, from == PEERS_MAX ? NULL : &world->peers[from],
                      &hits);
    uint64_t want = candidates(world, op->name, fanout, from);
    uint64_t got = set_of(world, &hits);
    if (fanout != 1) {
        return got == want ? NULL : "match of all differs";
    }
    if (want == 0) {
        return hits.count == 0 ? NULL : "anycast found somebody";
    }
    return hits.count == 1 && (got & want) != 0 ? NULL : "anycast chose no candidate";
}

/* Three rounds of anycast with nothing in between: everybody has three. */
static const char *run_rounds(struct world *world, const struct op *op)
{
    enum { ROUNDS = 3 };
    struct slim_name_key name = name_at(op->name);
    uint32_t from = op->b % 4 == 0 ? PEERS_MAX : op->peer;
    uint64_t want = candidates(world, op->name, 1, from);
    uint32_t shares[PEERS_MAX] = {0};
    for (int i = 0; i < ROUNDS * __builtin_popcountll(want); i++) {
        struct slim_route_hits hits;
        slim_routes_match(world->routes, &name, 1, from == PEERS_MAX ? NULL : &world->peers[from],
                          &hits);
        if (hits.count != 1 || (set_of(world, &hits) & want) == 0) {
            return "anycast chose no candidate in a round";
        }
        shares[hits.peers[0] - world->peers]++;
    }
    for (uint32_t peer = 0; peer < PEERS_MAX; peer++) {
        if (shares[peer] != ((want & bit(peer)) != 0 ? ROUNDS : 0)) {
            return "anycast gives unequal shares";
        }
    }
    return NULL;
}

static const char *run_add(struct world *world, const struct op *op)
{
    struct slim_name_key name = name_at(op->name);
    struct slim_name_text text = text_at(op->b % TEXTS);
    bool want_first = !name_is_there(world, op->name, PEERS_MAX);
    if (!prefix_is_there(world, op->name / IDS)) {
        world->text_of[op->name / IDS] = op->b % TEXTS;
    }
    bool is_first = !want_first;
    uint64_t id = SUB_ID[op->a % SUB_IDS];
    if (slim_routes_add(world->routes, &name, &text, &world->peers[op->peer], id, &is_first) !=
        SLIM_OK) {
        return "add failed";
    }
    struct entry *entry = &world->entries[op->name][op->peer];
    if (id == 0) {
        entry->references++;
    } else {
        entry->ids = (uint8_t)(entry->ids | 1U << op->a % SUB_IDS);
    }
    return is_first == want_first ? NULL : "is_first differs";
}

/* Change the model; returns the text of the error, "" when there is none. */
static void model_remove(struct world *world, const struct op *op, char *error, size_t size)
{
    struct entry *entry = &world->entries[op->name][op->peer];
    uint8_t mask = (uint8_t)(1U << op->a % SUB_IDS);
    error[0] = '\0';
    if (!prefix_is_there(world, op->name / IDS)) {
        (void)snprintf(error, size, "subscription not found");
    } else if (!name_is_there(world, op->name, PEERS_MAX)) {
        static const char *const decimal[IDS] = {
            "5", "18446744073709551615", "0", "166020696663385964549", "6", "7"};
        (void)snprintf(error, size, "id not found: %s", decimal[op->name % IDS]);
    } else if (!is_there(world, op->name, op->peer)) {
        (void)snprintf(error, size, "connection id not found: %u", 1000 + op->peer);
    } else if (op->a % SUB_IDS != 0 && (entry->ids & mask) != 0) {
        entry->ids = (uint8_t)(entry->ids & ~mask);
    } else if (entry->references > 0 && (op->a % SUB_IDS == 0 || entry->ids == 0)) {
        entry->references--;
    } else {
        (void)snprintf(error, size, "subscription id not found: %llu",
                       (unsigned long long)SUB_ID[op->a % SUB_IDS]);
    }
}

static const char *run_remove(struct world *world, const struct op *op)
{
    struct slim_name_key name = name_at(op->name);
    char want[100];
    model_remove(world, op, want, sizeof(want));
    bool want_last = !name_is_there(world, op->name, PEERS_MAX);
    bool is_last = !want_last;
    struct slim_error error = {0};
    enum slim_status status = slim_routes_remove(world->routes, &name, &world->peers[op->peer],
                                                 SUB_ID[op->a % SUB_IDS], &is_last, &error);
    if (want[0] != '\0') {
        return status == SLIM_ERR_NOT_FOUND && strcmp(error.text, want) == 0
                   ? NULL
                   : "error of remove differs";
    }
    if (status != SLIM_OK) {
        return "remove failed";
    }
    return is_last == want_last ? NULL : "is_last differs";
}

/* What a listing of one peer showed. */
struct listing {
    const struct world *world;
    uint32_t peer;
    bool is_removal;
    uint32_t seen; /* bit per name */
    const char *why;
};

static bool has_same_text(const struct slim_name_text *a, const struct slim_name_text *b)
{
    return slim_view_is_equal(a->part[0], b->part[0]) &&
           slim_view_is_equal(a->part[1], b->part[1]) && slim_view_is_equal(a->part[2], b->part[2]);
}

static uint8_t ids_of(const struct slim_route_subscription *subscription)
{
    uint8_t set = 0;
    for (size_t i = 0; i < subscription->id_count; i++) {
        for (uint32_t k = 1; k < SUB_IDS; k++) {
            if (subscription->ids[i] == SUB_ID[k]) {
                set = (uint8_t)(set | 1U << k);
            }
        }
    }
    return set;
}

static void visit(void *ctx, const struct slim_route_subscription *subscription)
{
    struct listing *listing = ctx;
    const struct world *world = listing->world;
    uint32_t name = 0;
    struct slim_name_key expected = name_at(name);
    while (name < NAMES && !slim_name_is_equal(&expected, &subscription->name)) {
        name++;
        expected = name_at(name);
    }
    if (name == NAMES || (listing->seen & 1U << name) != 0) {
        listing->why = "a name is listed twice or unknown";
        return;
    }
    listing->seen |= 1U << name;
    const struct entry *entry = &world->entries[name][listing->peer];
    if (subscription->reference_count != entry->references || ids_of(subscription) != entry->ids ||
        subscription->id_count != (size_t)__builtin_popcount(entry->ids)) {
        listing->why = "a listed subscription has other references";
    }
    struct slim_name_text text = text_at(world->text_of[name / IDS]);
    if (!has_same_text(&subscription->text, &text)) {
        listing->why = "a listed subscription has another text";
    }
    if (subscription->is_last == name_is_there(world, name, listing->peer)) {
        listing->why = "is_last of a listed subscription differs";
    }
    const struct slim_route_peer *except =
        listing->is_removal ? NULL : &world->peers[listing->peer];
    if (slim_routes_has(world->routes, &expected, except) == subscription->is_last) {
        listing->why = "the table seen from a visit differs";
    }
}

static const char *check_listing(const struct listing *listing)
{
    for (uint32_t name = 0; name < NAMES; name++) {
        if (is_there(listing->world, name, listing->peer) != ((listing->seen & 1U << name) != 0)) {
            return "a name is missing in the listing or too many";
        }
    }
    return listing->why;
}

static const char *run_each(struct world *world, uint32_t peer)
{
    struct listing listing = {.world = world, .peer = peer};
    slim_routes_each(world->routes, &world->peers[peer], visit, &listing);
    return check_listing(&listing);
}

static const char *run_remove_peer(struct world *world, uint32_t peer)
{
    struct listing listing = {.world = world, .peer = peer, .is_removal = true};
    slim_routes_remove_peer(world->routes, &world->peers[peer], visit, &listing);
    const char *why = check_listing(&listing);
    for (uint32_t name = 0; name < NAMES; name++) {
        world->entries[name][peer] = (struct entry){0};
    }
    return why;
}

static const char *run_has(struct world *world, const struct op *op)
{
    struct slim_name_key name = name_at(op->name);
    uint32_t except = op->a % 2 == 0 ? PEERS_MAX : op->peer;
    bool got =
        slim_routes_has(world->routes, &name, except == PEERS_MAX ? NULL : &world->peers[except]);
    return got == name_is_there(world, op->name, except) ? NULL : "has differs";
}

/* Everything that can be counted, and every listing. */
static const char *check_all(struct world *world)
{
    uint64_t names = 0;
    uint64_t prefixes = 0;
    uint64_t subscriptions = 0;
    for (uint32_t name = 0; name < NAMES; name++) {
        names += name_is_there(world, name, PEERS_MAX);
        prefixes += name % IDS == 0 && prefix_is_there(world, name / IDS);
    }
    for (uint32_t peer = 0; peer < PEERS_MAX; peer++) {
        uint32_t own = 0;
        for (uint32_t name = 0; name < NAMES; name++) {
            own += is_there(world, name, peer);
        }
        if (own != world->peers[peer].subscription_count) {
            return "subscription count of a peer differs";
        }
        subscriptions += own;
        const char *why = run_each(world, peer);
        if (why != NULL) {
            return why;
        }
    }
    struct slim_route_stats stats = slim_routes_stats(world->routes);
    if (stats.name_count != names || stats.prefix_count != prefixes ||
        stats.subscription_count != subscriptions) {
        return "statistics differ";
    }
    return stats.bytes <= slim_heap_stats(world->heap)->bytes_in_use
               ? NULL
               : "more bytes than the heap gave";
}

static const char *run_op(struct world *world, const struct op *op)
{
    switch (op->kind % 16) {
    case 0:
        return run_remove_peer(world, op->peer);
    case 1:
        return check_all(world);
    case 2:
        return run_has(world, op);
    case 3:
        return run_rounds(world, op);
    case 4:
    case 5:
    case 6:
        return run_match(world, op);
    case 7:
    case 8:
    case 9:
    case 10:
    case 11:
        return run_remove(world, op);
    default:
        return run_add(world, op);
    }
}

static bool world_init(struct world *world, uint8_t peer_count, uint8_t name_count)
{
    *world = (struct world){.peer_count = 1 + peer_count % PEERS_MAX,
                            .name_count = 1 + name_count % IDS};
    memset(long_text, 'l', sizeof(long_text));
    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        slim_route_peer_init(&world->peers[i], 1000 + i, i % 5 == 3);
    }
    struct slim_hash_key key = {0x0123456789abcdefU, 0xfedcba9876543210U};
    return slim_heap_new(1 << 16, &world->heap) == SLIM_OK &&
           slim_routes_new(world->heap, key, &world->routes) == SLIM_OK;
}

struct slim_route_ops_result slim_route_ops_run(struct slim_view input)
{
    struct slim_route_ops_result result = {0};
    struct world *world = malloc(sizeof(*world));
    if (world == NULL || input.len < 2 || !world_init(world, input.data[0], input.data[1])) {
        result.why = world == NULL || input.len >= 2 ? "no memory" : NULL;
        free(world);
        return result;
    }
    for (result.at = 2; result.at + OP_BYTES <= input.len && result.why == NULL;
         result.at += OP_BYTES) {
        const uint8_t *in = input.data + result.at;
        struct op op = {
            .kind = in[0],
            .name = (uint32_t)(in[1] % PREFIXES) * IDS + in[1] / PREFIXES % world->name_count,
            .peer = in[2] % world->peer_count,
            .a = in[3],
            .b = in[4],
        };
        result.why = run_op(world, &op);
    }
    if (result.why == NULL) {
        result.why = check_all(world);
    }
    for (uint32_t peer = 0; peer < PEERS_MAX; peer++) {
        const char *why = run_remove_peer(world, peer);
        result.why = result.why == NULL ? why : result.why;
    }
    slim_routes_free(world->routes);
    slim_heap_free(world->heap); /* asserts that everything was given back */
    free(world);
    return result;
}
