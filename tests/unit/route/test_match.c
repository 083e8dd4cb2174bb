#include "unit/route/world.h"

#define ANY SLIM_NAME_ANY
enum { R0 = 1, R1 = 2, R2 = 4, R3 = 8, L6 = 64, L7 = 128, NOBODY = -1, END = -1 };

/* wire.md 5.3, one row for each sentence. Subscriptions are (peer, id) below one prefix; id 0xff stands for ANY. */
static void match_follows_the_rules_row_by_row(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        struct {
            int peer;
            uint64_t id;
        } subs[6];
        uint64_t id;
        int from;
        uint32_t multi; /* what every fanout but 1 finds */
        uint32_t any;   /* what fanout 1 may find; 0: nothing */
    } rows[] = {
        {"an empty table", {{END, 0}}, 5, NOBODY, 0, 0},
        {"no id: everybody of the prefix",
         {{0, 5}, {1, 6}, {2, 0xff}, {END, 0}},
         0xff,
         NOBODY,
         R0 | R1 | R2,
         R0 | R1 | R2},
        {"no id: not the sender", {{0, 5}, {1, 6}, {END, 0}}, 0xff, 0, R1, R1},
        {"no id: only the sender", {{0, 5}, {END, 0}}, 0xff, 0, 0, 0},
        {"no id: a peer with several ids once",
         {{0, 5}, {0, 6}, {0, 0xff}, {1, 5}, {END, 0}},
         0xff,
         NOBODY,
         R0 | R1,
         R0 | R1},
        {"known id: exactly its peers",
         {{0, 5}, {1, 5}, {2, 6}, {END, 0}},
         5,
         NOBODY,
         R0 | R1,
         R0 | R1},
        {"known id: one peer", {{0, 5}, {1, 6}, {END, 0}}, 6, NOBODY, R1, R1},
        {"known id: subscriptions without id are no candidates",
         {{0, 5}, {1, 0xff}, {END, 0}},
         5,
         NOBODY,
         R0,
         R0},
        {"known id: no fallback when only the sender has it",
         {{0, 5}, {1, 6}, {END, 0}},
         5,
         0,
         0,
         0},
        {"known id: no fallback to a subscription without id",
         {{0, 5}, {1, 0xff}, {END, 0}},
         5,
         0,
         0,
         0},
        {"known id: local and remote together, local for anycast",
         {{0, 5}, {6, 5}, {1, 5}, {END, 0}},
         5,
         NOBODY,
         R0 | R1 | L6,
         L6},
        {"known id: the local sender leaves the remote ones",
         {{0, 5}, {6, 5}, {END, 0}},
         5,
         6,
         R0,
         R0},
        {"unknown id: the only peer, for anycast", {{0, 5}, {END, 0}}, 9, NOBODY, 0, R0},
        {"unknown id: the only peer has no id", {{0, 0xff}, {END, 0}}, 9, NOBODY, 0, R0},
        {"unknown id: the only peer has several ids", {{0, 5}, {0, 6}, {END, 0}}, 9, NOBODY, 0, R0},
        {"unknown id: the only peer is the sender", {{0, 5}, {END, 0}}, 9, 0, 0, 0},
        {"unknown id: two remote peers", {{0, 5}, {1, 6}, {END, 0}}, 9, NOBODY, 0, 0},
        {"unknown id: two remote peers, one the sender", {{0, 5}, {1, 6}, {END, 0}}, 9, 0, 0, 0},
        {"unknown id: the only local one before the only remote one",
         {{0, 5}, {6, 6}, {END, 0}},
         9,
         NOBODY,
         0,
         L6},
        {"unknown id: the only local one is the sender", {{0, 5}, {6, 6}, {END, 0}}, 9, 6, 0, R0},
        {"unknown id: one local, many remote",
         {{0, 5}, {1, 5}, {6, 6}, {END, 0}},
         9,
         NOBODY,
         0,
         L6},
        {"unknown id: two local, one remote", {{0, 5}, {6, 6}, {7, 7}, {END, 0}}, 9, NOBODY, 0, R0},
        {"unknown id: two local, one remote, which sends",
         {{0, 5}, {6, 6}, {7, 7}, {END, 0}},
         9,
         0,
         0,
         0},
        {"no id: local before remote for anycast only",
         {{0, 5}, {6, 6}, {7, 7}, {END, 0}},
         0xff,
         NOBODY,
         R0 | L6 | L7,
         L6 | L7},
        {"no id: a local sender, another local",
         {{0, 5}, {6, 6}, {7, 7}, {END, 0}},
         0xff,
         6,
         R0 | L7,
         L7},
        {"no id: the local sender is the only local",
         {{0, 5}, {6, 6}, {1, 7}, {END, 0}},
         0xff,
         6,
         R0 | R1,
         R0 | R1},
        {"no id: a remote sender, local ones",
         {{0, 5}, {6, 6}, {1, 7}, {END, 0}},
         0xff,
         0,
         R1 | L6,
         L6},
        {"a sender that is in the middle",
         {{0, 5}, {1, 5}, {2, 5}, {3, 5}, {END, 0}},
         5,
         1,
         R0 | R2 | R3,
         R0 | R2 | R3},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct world world;
        world_init(&world);
        for (size_t k = 0; rows[i].subs[k].peer != END; k++) {
            uint64_t id = rows[i].subs[k].id;
            (void)add_of(&world, (uint32_t)rows[i].subs[k].peer, 3, id == 0xff ? ANY : id, 0);
        }
        unsigned __int128 id = rows[i].id == 0xff ? ANY : rows[i].id;
        static const uint32_t multi[] = {0, 2, 256, UINT32_MAX};
        for (size_t k = 0; k < SLIM_COUNT(multi); k++) {
            CHECK_ROW(rows[i].why,
                      match_of(&world, 3, id, multi[k], rows[i].from) == rows[i].multi);
        }
        uint32_t found = 0;
        for (int k = 0; k < WORLD_PEERS; k++) {
            uint32_t one = match_of(&world, 3, id, 1, rows[i].from);
            CHECK_ROW(rows[i].why, (one == 0) == (rows[i].any == 0) && (one & (one - 1)) == 0);
            found |= one;
        }
        CHECK_ROW(rows[i].why, found == rows[i].any);
        CHECK_ROW(rows[i].why, match_of(&world, 4, id, 1, rows[i].from) == 0); /* another prefix */
        CHECK_ROW(rows[i].why, match_of(&world, 4, id, 256, rows[i].from) == 0);
        world_fini(&world);
    }
}

/* wire.md 5.3 defect a: among three, with one of them sending, the reference gave 24 : 6 of 30 messages. */
static void anycast_gives_every_candidate_the_same_share(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        int peers[6];
        int from;
        uint32_t share;
    } rows[] = {
        {"three, the first sends", {0, 1, 2, END}, 0, 30},
        {"three, the second sends", {0, 1, 2, END}, 1, 30},
        {"three, the last sends", {0, 1, 2, END}, 2, 30},
        {"three, another one sends", {0, 1, 2, END}, 3, 20},
        {"three, nobody sends", {0, 1, 2, END}, NOBODY, 20},
        {"five, one of them sends", {0, 1, 2, 3, 4, END}, 2, 15},
        {"two, one of them sends", {0, 1, END}, 1, 60},
        {"two local ones, a remote one sends", {0, 6, 7, 1, END}, 0, 30},
        {"the only local one sends", {0, 6, 1, 2, END}, 6, 20},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        for (int is_one_name = 0; is_one_name < 2; is_one_name++) {
            struct world world;
            world_init(&world);
            for (size_t k = 0; rows[i].peers[k] != END; k++) {
                (void)add_of(&world, (uint32_t)rows[i].peers[k], 3, is_one_name ? 5 : k, 0);
            }
            uint32_t shares[WORLD_PEERS] = {0};
            for (int k = 0; k < 60; k++) {
                uint32_t found = match_of(&world, 3, is_one_name ? 5 : ANY, 1, rows[i].from);
                CHECK_ROW(rows[i].why, found != 0);
                shares[__builtin_ctz(found)]++;
            }
            for (size_t k = 0; k < WORLD_PEERS; k++) {
                CHECK_ROW(rows[i].why, shares[k] == 0 || shares[k] == rows[i].share);
            }
            world_fini(&world);
        }
    }
}

/* A round that simply skipped the sender would never give peer 0 a message here, and peer 2 half of them. */
static void anycast_is_fair_when_candidates_send_in_turn(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    for (uint32_t i = 0; i < 3; i++) {
        (void)add_of(&world, i, 3, i, 0);
    }
    uint32_t shares[3] = {0};
    for (int i = 0; i < 60; i++) {
        shares[__builtin_ctz(match_of(&world, 3, ANY, 1, i % 2))]++;
    }
    CHECK(shares[0] == 20 && shares[1] == 20 && shares[2] == 20);
    world_fini(&world);
}

/* wire.md 5.3 defect b: after the peer in the highest slot had gone, the reference never chose the one below. */
static void anycast_does_not_lose_subscribers_after_a_removal(void **state)
{
    (void)state;
    for (uint32_t removed = 0; removed < 4; removed++) {
        for (int rounds_before = 0; rounds_before < 5; rounds_before++) {
            struct world world;
            world_init(&world);
            for (uint32_t i = 0; i < 4; i++) {
                (void)add_of(&world, i, 3, i, 0);
            }
            for (int i = 0; i < rounds_before; i++) {
                CHECK(match_of(&world, 3, ANY, 1, NOBODY) != 0);
            }
            slim_routes_remove_peer(world.routes, &world.peers[removed], NULL, NULL);
            int sender = removed == 0 ? 1 : 0;
            uint32_t found = 0;
            for (int i = 0; i < 30; i++) {
                uint32_t one = match_of(&world, 3, ANY, 1, sender);
                CHECK(one != 0);
                found |= one;
            }
            CHECK(found == (15U & ~(1U << removed) & ~(1U << sender)));
            world_fini(&world);
        }
    }
    struct world world; /* as recorded: subscribers 0, 1, 2; 2 goes; 0 sends thirty */
    world_init(&world);
    for (uint32_t i = 0; i < 3; i++) {
        (void)add_of(&world, i, 3, i, 0);
    }
    slim_routes_remove_peer(world.routes, &world.peers[2], NULL, NULL);
    for (int i = 0; i < 30; i++) {
        CHECK(match_of(&world, 3, ANY, 1, 0) == R1);
    }
    world_fini(&world);
}

static void match_of_many_leaves_out_the_sender_only(void **state)
{
    (void)state;
    enum { MANY = 300 };
    struct world world;
    world_init(&world);
    static struct slim_route_peer peers[MANY];
    struct slim_name_text text = {{SLIM_VIEW("a"), SLIM_VIEW("b"), SLIM_VIEW("c")}};
    for (uint32_t i = 0; i < MANY; i++) {
        slim_route_peer_init(&peers[i], i, i % 7 == 0);
        struct slim_name_key own = name_of(3, i);
        struct slim_name_key shared = name_of(4, 0);
        CHECK_OK(slim_routes_add(world.routes, &own, &text, &peers[i], 1, NULL));
        CHECK_OK(slim_routes_add(world.routes, &shared, &text, &peers[i], 1, NULL));
    }
    for (uint32_t from = 0; from < MANY; from++) {
        for (uint64_t prefix = 3; prefix <= 4; prefix++) {
            struct slim_name_key name = name_of(prefix, prefix == 3 ? ANY : 0);
            struct slim_route_hits hits;
            bool found[MANY] = {false};
            slim_routes_match(world.routes, &name, 256, &peers[from], &hits);
            CHECK(hits.count == MANY - 1);
            for (size_t i = 0; i < hits.count; i++) {
                found[hits.peers[i] - peers] = true;
            }
            for (uint32_t i = 0; i < MANY; i++) {
                CHECK(found[i] == (i != from));
            }
        }
    }
    for (uint32_t i = 0; i < MANY; i++) {
        slim_routes_remove_peer(world.routes, &peers[i], NULL, NULL);
    }
    world_fini(&world);
}

static void match_has_room_while_peers_come_and_go(void **state)
{
    (void)state;
    enum { MANY = 200 };
    struct world world;
    world_init(&world);
    static struct slim_route_peer peers[MANY];
    struct slim_name_text text = {{SLIM_VIEW("a"), SLIM_VIEW("b"), SLIM_VIEW("c")}};
    struct slim_name_key name = name_of(3, 5);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < MANY; i++) {
            slim_route_peer_init(&peers[i], i, false);
            CHECK_OK(slim_routes_add(world.routes, &name, &text, &peers[i], 0, NULL));
        }
        for (uint32_t left = MANY; left > 0; left--) {
            for (uint32_t from = 0; from < left; from += 3) {
                struct slim_route_hits hits;
                slim_routes_match(world.routes, &name, 256, &peers[from], &hits);
                CHECK(hits.count == left - 1);
            }
            slim_routes_remove_peer(world.routes, &peers[left - 1], NULL, NULL);
        }
    }
    world_fini(&world);
}

static void match_allocates_nothing(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    for (uint32_t i = 0; i < WORLD_PEERS; i++) {
        (void)add_of(&world, i, 3, i, 0);
        (void)add_of(&world, i, 4, 5, 0);
    }
    uint64_t before = slim_test_alloc_count();
    uint32_t found = 0;
    for (int from = NOBODY; from < WORLD_PEERS; from++) {
        for (uint32_t fanout = 0; fanout < 3; fanout++) {
            found |= match_of(&world, 3, ANY, fanout, from) | match_of(&world, 4, 5, fanout, from);
            found |= match_of(&world, 3, 2, fanout, from) | match_of(&world, 3, 99, fanout, from);
        }
    }
    CHECK(slim_test_alloc_count() == before);
    CHECK(found == WORLD_ALL);
    world_fini(&world);
}

static void has_looks_at_the_exact_name(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    struct slim_name_key name = name_of(3, 5);
    struct slim_name_key without_id = name_of(3, ANY);
    CHECK(!slim_routes_has(world.routes, &name, NULL));
    (void)add_of(&world, 0, 3, 5, 0);
    CHECK(slim_routes_has(world.routes, &name, NULL));
    CHECK(!slim_routes_has(world.routes, &name, &world.peers[0]));
    CHECK(slim_routes_has(world.routes, &name, &world.peers[1]));
    CHECK(!slim_routes_has(world.routes, &without_id, NULL));
    (void)add_of(&world, 1, 3, 5, 0);
    CHECK(slim_routes_has(world.routes, &name, &world.peers[0]));
    (void)add_of(&world, 1, 3, ANY, 0);
    CHECK(slim_routes_has(world.routes, &without_id, NULL));
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(match_follows_the_rules_row_by_row),
        cmocka_unit_test(anycast_gives_every_candidate_the_same_share),
        cmocka_unit_test(anycast_is_fair_when_candidates_send_in_turn),
        cmocka_unit_test(anycast_does_not_lose_subscribers_after_a_removal),
        cmocka_unit_test(match_of_many_leaves_out_the_sender_only),
        cmocka_unit_test(match_has_room_while_peers_come_and_go),
        cmocka_unit_test(match_allocates_nothing),
        cmocka_unit_test(has_looks_at_the_exact_name),
    };
    return cmocka_run_group_tests_name("match", tests, NULL, NULL);
}
