#include "route/records.h"
#include "unit/route/world.h"

#define ANY SLIM_NAME_ANY

/* Each row: steps on one name and one peer; "+1" adds with id 1, "-0" removes a reference without id. */
static void references_and_ids_are_counted_as_both_generations_do(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        struct {
            char step;
            uint64_t id;
            const char *error; /* of a removal that fails */
        } steps[8];
        bool is_there; /* at the end */
    } rows[] = {
        {"one reference", {{'+', 0, NULL}}, true},
        {"one reference, taken back", {{'+', 0, NULL}, {'-', 0, NULL}}, false},
        {"1.0.0: two references, one taken back",
         {{'+', 0, NULL}, {'+', 0, NULL}, {'-', 0, NULL}},
         true},
        {"1.0.0: two references, both taken back",
         {{'+', 0, NULL}, {'+', 0, NULL}, {'-', 0, NULL}, {'-', 0, NULL}},
         false},
        {"1.4.0: an id twice is there once",
         {{'+', 7, NULL}, {'+', 7, NULL}, {'-', 7, NULL}},
         false},
        {"1.4.0: two ids, one taken back", {{'+', 7, NULL}, {'+', 8, NULL}, {'-', 7, NULL}}, true},
        {"1.4.0: two ids, both taken back",
         {{'+', 7, NULL}, {'+', 8, NULL}, {'-', 8, NULL}, {'-', 7, NULL}},
         false},
        {"an unknown id among ids",
         {{'+', 7, NULL}, {'-', 8, "subscription id not found: 8"}},
         true},
        {"id 0 among ids", {{'+', 7, NULL}, {'-', 0, "subscription id not found: 0"}}, true},
        {"largest id",
         {{'+', 7, NULL}, {'-', UINT64_MAX, "subscription id not found: 18446744073709551615"}},
         true},
        {"both kinds: the reference is taken back",
         {{'+', 0, NULL}, {'+', 7, NULL}, {'-', 0, NULL}},
         true},
        {"both kinds: the id is taken back",
         {{'+', 0, NULL}, {'+', 7, NULL}, {'-', 7, NULL}},
         true},
        {"both kinds: both are taken back",
         {{'+', 0, NULL}, {'+', 7, NULL}, {'-', 7, NULL}, {'-', 0, NULL}},
         false},
        {"both kinds: an unknown id takes no reference",
         {{'+', 0, NULL}, {'+', 7, NULL}, {'-', 8, "subscription id not found: 8"}, {'-', 7, NULL}},
         true},
        {"a client that reconnected: an unknown id takes a reference",
         {{'+', 0, NULL}, {'-', 8, NULL}},
         false},
        {"a client that reconnected: one of two references",
         {{'+', 0, NULL}, {'+', 0, NULL}, {'-', 8, NULL}},
         true},
        {"once its own id is gone, an id takes a reference",
         {{'+', 0, NULL}, {'+', 7, NULL}, {'-', 7, NULL}, {'-', 7, NULL}},
         false},
        {"taken back too often",
         {{'+', 0, NULL}, {'-', 0, NULL}, {'-', 0, "subscription not found"}},
         false},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct world world;
        world_init(&world);
        for (size_t k = 0; k < SLIM_COUNT(rows[i].steps) && rows[i].steps[k].step != '\0'; k++) {
            if (rows[i].steps[k].step == '+') {
                CHECK_ROW(rows[i].why, add_of(&world, 0, 3, 5, rows[i].steps[k].id) == (k == 0));
                continue;
            }
            struct slim_error error = {0};
            enum slim_status status = remove_of(&world, 0, 3, 5, rows[i].steps[k].id, &error);
            const char *want = rows[i].steps[k].error;
            CHECK_ROW(rows[i].why, status == (want == NULL ? SLIM_OK : SLIM_ERR_NOT_FOUND));
            CHECK_ROW(rows[i].why,
                      error.status == status && strcmp(error.text, want == NULL ? "" : want) == 0);
        }
        CHECK_ROW(rows[i].why, (match_of(&world, 3, 5, 256, -1) == 1) == rows[i].is_there);
        CHECK_ROW(rows[i].why,
                  slim_routes_stats(world.routes).name_count == (rows[i].is_there ? 1 : 0));
        world_fini(&world);
    }
}

static void errors_have_the_texts_of_the_reference(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        uint64_t prefix;
        uint64_t id_high;
        uint64_t id_low;
        uint32_t peer;
        const char *text;
    } rows[] = {
        {"prefix unknown", 4, 0, 5, 0, "subscription not found"},
        {"id unknown", 3, 0, 17946744073709551614U, 0, "id not found: 17946744073709551614"},
        {"id 0 unknown", 3, 0, 0, 0, "id not found: 0"},
        {"no id, as the reference writes it", 3, UINT64_MAX, UINT64_MAX, 0,
         "id not found: 18446744073709551615"},
        {"largest id but one", 3, UINT64_MAX, UINT64_MAX - 1, 0,
         "id not found: 340282366920938463463374607431768211454"},
        {"id known, of somebody else", 3, 0, 5, 1, "connection id not found: 1"},
    };
    struct world world;
    world_init(&world);
    (void)add_of(&world, 0, 3, 5, 0);
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        unsigned __int128 id = (unsigned __int128)rows[i].id_high << 64 | rows[i].id_low;
        struct slim_error error = {0};
        CHECK_ROW(rows[i].why, remove_of(&world, rows[i].peer, rows[i].prefix, id, 0, &error) ==
                                   SLIM_ERR_NOT_FOUND);
        CHECK_ROW(rows[i].why, strcmp(error.text, rows[i].text) == 0);
        CHECK_ROW(rows[i].why, remove_of(&world, rows[i].peer, rows[i].prefix, id, 0, NULL) ==
                                   SLIM_ERR_NOT_FOUND);
    }
    (void)add_of(&world, 2, 3, 5, 0); /* and when several peers have the name */
    struct slim_error error = {0};
    CHECK(remove_of(&world, 1, 3, 5, 9, &error) == SLIM_ERR_NOT_FOUND);
    CHECK(strcmp(error.text, "connection id not found: 1") == 0);
    world_fini(&world);
}

static void first_and_last_of_a_name_are_told(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    struct slim_name_key name = name_of(3, 5);
    CHECK(add_of(&world, 0, 3, 5, 0));
    CHECK(!add_of(&world, 0, 3, 5, 1));
    CHECK(!add_of(&world, 1, 3, 5, 0));
    CHECK(add_of(&world, 0, 3, 6, 0));
    CHECK(add_of(&world, 0, 3, ANY, 0));
    bool is_last = true;
    CHECK_OK(slim_routes_remove(world.routes, &name, &world.peers[0], 0, &is_last, NULL));
    CHECK(!is_last); /* its id is left */
    is_last = true;
    CHECK_OK(slim_routes_remove(world.routes, &name, &world.peers[0], 1, &is_last, NULL));
    CHECK(!is_last); /* peer 1 is left */
    CHECK_OK(slim_routes_remove(world.routes, &name, &world.peers[1], 0, &is_last, NULL));
    CHECK(is_last);
    world_fini(&world);
}

static void text_of_the_first_subscription_is_kept(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    static const char long_text[SLIM_ROUTE_TEXT_BYTES_MAX] = {'x'};
    struct slim_name_key name = name_of(3, 5);
    struct slim_name_text first = {{SLIM_VIEW("org"), SLIM_VIEW(""), slim_view_of(long_text, 300)}};
    struct slim_name_text second = {{SLIM_VIEW("o"), SLIM_VIEW("n"), SLIM_VIEW("a")}};
    struct slim_name_text got;
    CHECK(!slim_routes_find_text(world.routes, &name, &got));
    CHECK_OK(slim_routes_add(world.routes, &name, &first, &world.peers[0], 0, NULL));
    CHECK_OK(slim_routes_add(world.routes, &name, &second, &world.peers[1], 0, NULL));
    name.id = 77; /* the text is the prefix's, whatever the id */
    CHECK(slim_routes_find_text(world.routes, &name, &got));
    CHECK_VIEW(got.part[0], "org");
    CHECK_VIEW(got.part[1], "");
    CHECK(slim_view_is_equal(got.part[2], first.part[2]));
    slim_routes_remove_peer(world.routes, &world.peers[0], NULL, NULL);
    CHECK(slim_routes_find_text(world.routes, &name, &got) && got.part[2].len == 300);
    slim_routes_remove_peer(world.routes, &world.peers[1], NULL, NULL);
    CHECK(!slim_routes_find_text(world.routes, &name, &got));
    CHECK_OK(slim_routes_add(world.routes, &name, &second, &world.peers[1], 0, NULL));
    CHECK(slim_routes_find_text(world.routes, &name, &got));
    CHECK_VIEW(got.part[2], "a");
    world_fini(&world);
}

static void text_of_every_length_comes_back(void **state)
{
    (void)state;
    static char text[SLIM_ROUTE_TEXT_BYTES_MAX + 1];
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (char)('a' + i % 23);
    }
    struct world world;
    world_init(&world);
    for (size_t len = 0; len <= SLIM_ROUTE_TEXT_BYTES_MAX; len += len < 600 ? 1 : 97) {
        struct slim_name_key name = name_of(len, 0);
        struct slim_name_text given = {{slim_view_of(text, len / 2),
                                        slim_view_of(text + len / 2, len / 3),
                                        slim_view_of(text, len - len / 2 - len / 3)}};
        CHECK_OK(slim_routes_add(world.routes, &name, &given, &world.peers[0], 0, NULL));
        struct slim_name_text got;
        CHECK(slim_routes_find_text(world.routes, &name, &got));
        for (size_t i = 0; i < 3; i++) {
            CHECK(slim_view_is_equal(got.part[i], given.part[i]));
        }
    }
    world_fini(&world);
}

static void text_beyond_the_limit_is_refused(void **state)
{
    (void)state;
    static char text[SLIM_ROUTE_TEXT_BYTES_MAX + 1];
    static const struct {
        const char *why;
        size_t len[3];
        enum slim_status want;
    } rows[] = {
        {"at the limit", {SLIM_ROUTE_TEXT_BYTES_MAX - 2, 1, 1}, SLIM_OK},
        {"one more", {SLIM_ROUTE_TEXT_BYTES_MAX - 1, 1, 1}, SLIM_ERR_LIMIT},
        {"one part is too long", {0, SLIM_ROUTE_TEXT_BYTES_MAX + 1, 0}, SLIM_ERR_LIMIT},
        {"a sum that does not fit", {SLIM_ROUTE_TEXT_BYTES_MAX, SIZE_MAX, 1}, SLIM_ERR_LIMIT},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct world world;
        world_init(&world);
        struct slim_name_key name = name_of(3, 5);
        struct slim_name_text given = {{slim_view_of(text, rows[i].len[0]),
                                        slim_view_of(text, rows[i].len[1]),
                                        slim_view_of(text, rows[i].len[2])}};
        CHECK_ROW(rows[i].why, slim_routes_add(world.routes, &name, &given, &world.peers[0], 0,
                                               NULL) == rows[i].want);
        CHECK_ROW(rows[i].why,
                  slim_routes_stats(world.routes).name_count == (rows[i].want == SLIM_OK ? 1 : 0));
        world_fini(&world);
    }
}

/* Millions of subscriptions would only warm the room: the counters are set to their limit. */
static void counts_at_their_limit_refuse_one_more(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    struct slim_routes *routes = world.routes;
    struct slim_name_text text = {{SLIM_VIEW("a"), SLIM_VIEW("b"), SLIM_VIEW("c")}};
    struct slim_name_key known = name_of(3, 5);
    struct slim_name_key other = name_of(3, 6);
    (void)add_of(&world, 0, 3, 5, 1);

    uint32_t kept = routes->names.item_count;
    routes->names.item_count = SLIM_ROUTE_NAMES_MAX;
    CHECK(slim_routes_add(routes, &other, &text, &world.peers[0], 0, NULL) == SLIM_ERR_LIMIT);
    CHECK_OK(slim_routes_add(routes, &known, &text, &world.peers[1], 0, NULL)); /* no new name */
    routes->names.item_count = kept;

    kept = routes->subscription_count;
    routes->subscription_count = SLIM_ROUTE_SUBSCRIPTIONS_MAX;
    CHECK(slim_routes_add(routes, &other, &text, &world.peers[0], 0, NULL) == SLIM_ERR_LIMIT);
    CHECK(slim_routes_add(routes, &known, &text, &world.peers[2], 0, NULL) == SLIM_ERR_LIMIT);
    CHECK_OK(slim_routes_add(routes, &known, &text, &world.peers[0], 2, NULL)); /* no new pair */
    routes->subscription_count = kept;

    kept = routes->id_count;
    routes->id_count = SLIM_ROUTE_IDS_TOTAL_MAX;
    CHECK(slim_routes_add(routes, &known, &text, &world.peers[0], 3, NULL) == SLIM_ERR_LIMIT);
    CHECK_OK(
        slim_routes_add(routes, &known, &text, &world.peers[0], 2, NULL)); /* is there already */
    routes->id_count = kept;
    CHECK(match_of(&world, 3, 6, 256, -1) == 0);
    CHECK(slim_routes_stats(routes).subscription_count == 2);
    world_fini(&world);
}

struct seen {
    size_t count;
    uint64_t ids[4];
    bool is_last[4];
    bool is_gone[4]; /* seen from within the visit */
    struct slim_routes *routes;
};

static void see(void *ctx, const struct slim_route_subscription *subscription)
{
    struct seen *seen = ctx;
    CHECK(seen->count < SLIM_COUNT(seen->ids));
    CHECK_VIEW(subscription->text.part[2], "app");
    seen->ids[seen->count] = (uint64_t)subscription->name.id;
    seen->is_last[seen->count] = subscription->is_last;
    seen->is_gone[seen->count] = !slim_routes_has(seen->routes, &subscription->name, NULL);
    seen->count++;
}

static void remove_peer_shows_what_it_removed_in_order(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    (void)add_of(&world, 0, 3, 30, 0);
    (void)add_of(&world, 0, 3, 30, 0);
    (void)add_of(&world, 0, 4, 10, 7);
    (void)add_of(&world, 1, 4, 10, 7);
    (void)add_of(&world, 0, 3, 20, 0);
    struct seen seen = {.routes = world.routes};
    slim_routes_each(world.routes, &world.peers[0], see, &seen);
    CHECK(seen.count == 3 && seen.ids[0] == 30 && seen.ids[1] == 10 && seen.ids[2] == 20);
    CHECK(seen.is_last[0] && !seen.is_last[1] && seen.is_last[2]);
    CHECK(!seen.is_gone[0] && !seen.is_gone[1] && !seen.is_gone[2]);
    seen = (struct seen){.routes = world.routes};
    slim_routes_remove_peer(world.routes, &world.peers[0], see, &seen);
    CHECK(seen.count == 3 && seen.ids[0] == 30 && seen.ids[1] == 10 && seen.ids[2] == 20);
    CHECK(seen.is_last[0] && !seen.is_last[1] && seen.is_last[2]);
    CHECK(seen.is_gone[0] && !seen.is_gone[1] && seen.is_gone[2]);
    CHECK(world.peers[0].subscription_count == 0 && world.peers[1].subscription_count == 1);
    CHECK(slim_routes_stats(world.routes).subscription_count == 1);
    CHECK(match_of(&world, 4, 10, 256, -1) == 2 && match_of(&world, 3, ANY, 256, -1) == 0);
    slim_routes_remove_peer(world.routes, &world.peers[0], see, &seen); /* nothing left to show */
    CHECK(seen.count == 3);
    world_fini(&world);
}

/* ---- every allocation fails once */

struct snapshot {
    struct slim_route_stats stats;
    uint32_t found[3];
    uint32_t found_from_one; /* without the sender, which takes room */
};

static struct snapshot snapshot_of(struct world *world)
{
    struct snapshot snapshot = {.stats = slim_routes_stats(world->routes)};
    snapshot.stats.bytes = 0; /* room that was reserved may stay */
    for (uint32_t i = 0; i < SLIM_COUNT(snapshot.found); i++) {
        snapshot.found[i] = match_of(world, i, i == 2 ? ANY : 5, 256, -1);
    }
    snapshot.found_from_one = match_of(world, 0, 5, 256, 1);
    return snapshot;
}

static void add_or_change_nothing(struct world *world, uint32_t peer, uint64_t prefix,
                                  unsigned __int128 id, uint64_t subscription_id, size_t text_len)
{
    static const char long_text[400];
    struct slim_name_key name = name_of(prefix, id);
    struct slim_name_text text = {
        {SLIM_VIEW("a"), SLIM_VIEW("b"), slim_view_of(long_text, text_len)}};
    struct snapshot before = snapshot_of(world);
    uint32_t own_before = world->peers[peer].subscription_count;
    enum slim_status status =
        slim_routes_add(world->routes, &name, &text, &world->peers[peer], subscription_id, NULL);
    if (status == SLIM_OK) {
        return;
    }
    struct snapshot after = snapshot_of(world);
    CHECK(status == SLIM_ERR_NO_MEMORY);
    CHECK(memcmp(&before, &after, sizeof(before)) == 0);
    CHECK(world->peers[peer].subscription_count == own_before);
    CHECK_OK(
        slim_routes_add(world->routes, &name, &text, &world->peers[peer], subscription_id, NULL));
}

static void use_table_with_one_failure(void)
{
    struct world world = {0};
    struct slim_hash_key key = {1, 2};
    if (slim_heap_new(0, &world.heap) != SLIM_OK) {
        return;
    }
    if (slim_routes_new(world.heap, key, &world.routes) != SLIM_OK) {
        slim_heap_free(world.heap);
        return;
    }
    for (uint32_t i = 0; i < WORLD_PEERS; i++) {
        slim_route_peer_init(&world.peers[i], i, i == 6 || i == 7);
    }
    for (uint32_t peer = 0; peer < WORLD_PEERS; peer++) {
        add_or_change_nothing(&world, peer, 0, 5, peer,
                              30); /* one name of all: a group that grows */
        add_or_change_nothing(&world, peer, 2, peer, 0, 300); /* ids of one prefix: members */
    }
    for (uint32_t i = 1; i < 40; i++) {
        add_or_change_nothing(&world, 0, 1, 5, i, 0); /* ids of one subscription */
        add_or_change_nothing(&world, 1, 10 + i, i, 0,
                              i); /* prefixes: indexes and slabs that grow */
    }
    CHECK(match_of(&world, 0, 5, 256, -1) == WORLD_ALL &&
          match_of(&world, 2, ANY, 256, 3) == (WORLD_ALL & ~8U));
    for (uint64_t i = 1; i < 40; i++) {
        CHECK_OK(remove_of(&world, 0, 1, 5, i, NULL));
    }
    world_fini(&world);
}

static void add_without_memory_changes_nothing(void **state)
{
    (void)state;
    slim_sweep_alloc(use_table_with_one_failure);
}

/* Two records at once, at every place of a chunk. */
static void names_that_get_a_second_peer_may_be_many(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    for (uint32_t odd = 0; odd < 2; odd++) {
        for (uint64_t prefix = 0; prefix < 400; prefix++) {
            (void)add_of(&world, 0, prefix, 5, 0);
            (void)add_of(&world, 1, prefix, 5, 0);
            (void)add_of(&world, 0, 1000 + prefix, 5, 0);
            (void)add_of(&world, 1, 1000 + prefix, 6, 0);
        }
        for (uint64_t prefix = 0; prefix < 400; prefix++) {
            CHECK(match_of(&world, prefix, 5, 256, -1) == 3);
            CHECK(match_of(&world, 1000 + prefix, ANY, 256, -1) == 3);
        }
        slim_routes_remove_peer(world.routes, &world.peers[0], NULL, NULL);
        slim_routes_remove_peer(world.routes, &world.peers[1], NULL, NULL);
        for (uint32_t peer = 2; peer < 5; peer++) { /* three, so that pairs lie across chunks now */
            (void)add_of(&world, peer, 5000, peer, 0);
        }
    }
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_and_ids_are_counted_as_both_generations_do),
        cmocka_unit_test(errors_have_the_texts_of_the_reference),
        cmocka_unit_test(first_and_last_of_a_name_are_told),
        cmocka_unit_test(text_of_the_first_subscription_is_kept),
        cmocka_unit_test(text_of_every_length_comes_back),
        cmocka_unit_test(text_beyond_the_limit_is_refused),
        cmocka_unit_test(counts_at_their_limit_refuse_one_more),
        cmocka_unit_test(remove_peer_shows_what_it_removed_in_order),
        cmocka_unit_test(names_that_get_a_second_peer_may_be_many),
        cmocka_unit_test(add_without_memory_changes_nothing),
    };
    return cmocka_run_group_tests_name("change", tests, NULL, NULL);
}
