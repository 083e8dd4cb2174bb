#include "mls/secret_tree.h"
#include "support/check.h"

static const uint8_t root_secret[32] = {1, 2, 3};
static const enum slim_mls_ratchet_kind app = MLS_RATCHET_APPLICATION;

static void tree_new(struct slim_mls_secret_tree *tree, uint32_t leaf_count, uint32_t skipped_max)
{
    CHECK_OK(slim_mls_secret_tree_init(tree, slim_mls_suite_find(1), leaf_count, skipped_max,
                                       root_secret));
}

static void keys_do_not_depend_on_the_order_of_use(void **state)
{
    (void)state;
    struct slim_mls_secret_tree forth;
    struct slim_mls_secret_tree back;
    struct slim_mls_message_key keys[8];
    struct slim_mls_message_key key;
    uint32_t generation;
    tree_new(&forth, 8, 10);
    tree_new(&back, 8, 10);
    for (uint32_t leaf = 0; leaf < 8; leaf++) {
        CHECK_OK(slim_mls_secret_tree_next(&forth, leaf, app, &generation, &keys[leaf]));
        CHECK(generation == 0);
    }
    for (uint32_t leaf = 8; leaf-- > 0;) {
        CHECK_OK(slim_mls_secret_tree_find(&back, leaf, app, 0, &key));
        CHECK(memcmp(&key, &keys[leaf], 16) == 0);
        CHECK_OK(slim_mls_secret_tree_use(&back, leaf, app, 0));
    }
    CHECK(forth.entry_count == 0 &&
          back.entry_count == 0); /* everything above the leaves is gone */
    CHECK(slim_mls_secret_tree_find(&back, 8, app, 0, &key) == SLIM_ERR_INVALID);
    slim_mls_secret_tree_fini(&forth);
    slim_mls_secret_tree_fini(&back);
}

static void overtaken_messages_open_once(void **state)
{
    (void)state;
    struct slim_mls_secret_tree tree;
    struct slim_mls_message_key key;
    tree_new(&tree, 2, 1024);
    static const struct {
        const char *why;
        uint32_t generation;
        enum slim_status want;
    } rows[] = {
        {"a jump over four", 4, SLIM_OK},
        {"one that was overtaken", 2, SLIM_OK},
        {"the same again", 2, SLIM_ERR_REPLAYED},
        {"the latest again", 4, SLIM_ERR_REPLAYED},
        {"the first", 0, SLIM_OK},
        {"as far ahead as allowed", 5 + MLS_GENERATION_JUMP_MAX, SLIM_OK},
        {"one too far", 6 + MLS_GENERATION_JUMP_MAX + MLS_GENERATION_JUMP_MAX + 1, SLIM_ERR_LIMIT},
        {"the last number there is", UINT32_MAX, SLIM_ERR_LIMIT},
        {"still there after all that", 3, SLIM_ERR_REPLAYED}, /* 1024 newer keys pushed it out */
        {"the oldest of the newer ones", 6, SLIM_OK},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        CHECK_ROW(rows[i].why, slim_mls_secret_tree_find(&tree, 1, app, rows[i].generation, &key) ==
                                   rows[i].want);
        if (rows[i].want == SLIM_OK) {
            CHECK_ROW(rows[i].why,
                      slim_mls_secret_tree_use(&tree, 1, app, rows[i].generation) == SLIM_OK);
        }
    }
    CHECK(tree.ratchets[0]->kinds[app].skipped_count < 1024);
    slim_mls_secret_tree_fini(&tree);
}

static void looking_uses_nothing_up(void **state)
{
    (void)state;
    struct slim_mls_secret_tree tree;
    struct slim_mls_message_key first;
    struct slim_mls_message_key second;
    tree_new(&tree, 4, 16);
    CHECK_OK(slim_mls_secret_tree_find(&tree, 3, app, 9, &first));
    CHECK_OK(slim_mls_secret_tree_find(&tree, 3, app, 0, &second));
    CHECK_OK(slim_mls_secret_tree_find(&tree, 3, app, 9, &second));
    CHECK(memcmp(&first, &second, 16) == 0);
    slim_mls_secret_tree_fini(&tree);
}

static void a_stored_tree_continues(void **state)
{
    (void)state;
    struct slim_mls_secret_tree tree;
    struct slim_mls_secret_tree again;
    struct slim_mls_message_key key;
    struct slim_mls_message_key other;
    struct slim_mls_out out = {0};
    tree_new(&tree, 16, 16);
    CHECK_OK(slim_mls_secret_tree_find(&tree, 5, app, 3, &key));
    CHECK_OK(slim_mls_secret_tree_use(&tree, 5, app, 3));
    slim_mls_put_secret_tree(&out, &tree);
    CHECK_OK(out.status);
    struct slim_view in = slim_mls_out_view(&out);
    CHECK_OK(slim_mls_take_secret_tree(&in, tree.suite, 16, &again));
    CHECK(in.len == 0);
    for (uint32_t generation = 0; generation < 5; generation++) {
        enum slim_status want = generation == 3 ? SLIM_ERR_REPLAYED : SLIM_OK;
        CHECK(slim_mls_secret_tree_find(&tree, 5, app, generation, &key) == want);
        CHECK(slim_mls_secret_tree_find(&again, 5, app, generation, &other) == want);
        CHECK(want != SLIM_OK || memcmp(&key, &other, 16) == 0);
    }
    CHECK_OK(slim_mls_secret_tree_find(&tree, 11, app, 0, &key));
    CHECK_OK(slim_mls_secret_tree_find(&again, 11, app, 0, &other));
    CHECK(memcmp(&key, &other, 16) == 0);
    slim_mls_secret_tree_fini(&again);
    for (size_t len = 0; len < out.buf.len; len++) { /* cut short anywhere it is refused */
        in = slim_view_of(out.buf.data, len);
        CHECK(slim_mls_take_secret_tree(&in, tree.suite, 16, &again) == SLIM_ERR_MALFORMED);
    }
    slim_mls_out_fini(&out);
    slim_mls_secret_tree_fini(&tree);
}

static void sweep(void)
{
    struct slim_mls_secret_tree tree = {0};
    struct slim_mls_message_key key;
    if (slim_mls_secret_tree_init(&tree, slim_mls_suite_find(1), 64, 16, root_secret) == SLIM_OK) {
        for (uint32_t leaf = 0; leaf < 64; leaf += 7) {
            if (slim_mls_secret_tree_find(&tree, leaf, app, 5, &key) == SLIM_OK &&
                slim_mls_secret_tree_use(&tree, leaf, app, 5) == SLIM_ERR_NO_MEMORY) {
                CHECK_OK(
                    slim_mls_secret_tree_find(&tree, leaf, app, 5, &key)); /* nothing changed */
            }
        }
    }
    slim_mls_secret_tree_fini(&tree);
}

static void out_of_memory_loses_no_key(void **state)
{
    (void)state;
    slim_sweep_alloc(sweep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_do_not_depend_on_the_order_of_use),
        cmocka_unit_test(overtaken_messages_open_once),
        cmocka_unit_test(looking_uses_nothing_up),
        cmocka_unit_test(a_stored_tree_continues),
        cmocka_unit_test(out_of_memory_loses_no_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
