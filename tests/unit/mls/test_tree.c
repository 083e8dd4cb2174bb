#include <stdlib.h>

#include "mls/tree.h"
#include "support/check.h"

/* A leaf whose keys are made of `seed`; nothing here checks signatures. */
static struct slim_view leaf_bytes(struct slim_mls_out *out, uint8_t seed)
{
    uint8_t key[32];
    uint8_t signature_key[32];
    static const uint8_t one[] = {0, 1};
    memset(key, seed, sizeof(key));
    memset(signature_key, 0x80 ^ seed, sizeof(signature_key));
    struct slim_mls_leaf leaf = {
        .encryption_key = slim_view_of(key, 32),
        .signature_key = slim_view_of(signature_key, 32),
        .credential = {.type = MLS_CREDENTIAL_BASIC, .identity = SLIM_VIEW("name")},
        .capabilities = {.versions = {one, 2}, .suites = {one, 2}, .credentials = {one, 2}},
        .source = MLS_LEAF_KEY_PACKAGE,
    };
    slim_mls_put_leaf(out, &leaf);
    CHECK_OK(out->status);
    return slim_mls_out_view(out);
}

static uint32_t add(struct slim_mls_tree *tree, uint8_t seed)
{
    struct slim_mls_out out = {0};
    uint32_t index;
    CHECK_OK(slim_mls_tree_add_leaf(tree, leaf_bytes(&out, seed), &index));
    slim_mls_out_fini(&out);
    return index;
}

static void tree_of(struct slim_mls_tree *tree, uint8_t count)
{
    CHECK_OK(slim_mls_tree_init(tree, slim_mls_suite_find(1)));
    for (uint8_t i = 0; i < count; i++) {
        CHECK(add(tree, (uint8_t)(i + 1)) == i);
    }
}

static void trees_grow_and_shrink_by_halves(void **state)
{
    (void)state;
    struct slim_mls_tree tree;
    tree_of(&tree, 5);
    CHECK(tree.leaf_count == 8 && slim_mls_tree_member_count(&tree) == 5);
    CHECK_OK(slim_mls_tree_remove_leaf(&tree, 1));
    CHECK(tree.leaf_count == 8);
    CHECK(slim_mls_tree_remove_leaf(&tree, 1) == SLIM_ERR_INVALID);
    CHECK(slim_mls_tree_remove_leaf(&tree, 7) == SLIM_ERR_INVALID);
    CHECK(slim_mls_tree_remove_leaf(&tree, UINT32_MAX) == SLIM_ERR_INVALID);
    CHECK_OK(slim_mls_tree_remove_leaf(&tree, 4));
    CHECK(tree.leaf_count == 4);
    CHECK(add(&tree, 9) == 1 && add(&tree, 10) == 4); /* the leftmost blank one, then beyond */
    CHECK(tree.leaf_count == 8);
    for (uint32_t leaf = 4; leaf > 0; leaf--) {
        CHECK_OK(slim_mls_tree_remove_leaf(&tree, leaf));
    }
    CHECK(tree.leaf_count == 1);
    slim_mls_tree_fini(&tree);
}

static void a_copy_is_independent(void **state)
{
    (void)state;
    struct slim_mls_tree tree;
    struct slim_mls_tree copy;
    const uint8_t *hash;
    uint8_t before[32];
    uint8_t key[32] = {1};
    tree_of(&tree, 4);
    CHECK_OK(slim_mls_tree_set_parent(&tree, 3, slim_view_of(key, 32), (struct slim_view){0}));
    CHECK_OK(slim_mls_tree_root_hash(&tree, &hash));
    memcpy(before, hash, 32);
    CHECK_OK(slim_mls_tree_clone(&tree, &copy));
    CHECK_OK(slim_mls_tree_remove_leaf(&copy, 3));
    CHECK(add(&copy, 50) == 3);
    CHECK(copy.nodes[3] == NULL && tree.nodes[3] != NULL);
    CHECK(add(&copy, 51) == 4);
    slim_mls_tree_fini(&copy);

    CHECK_OK(slim_mls_tree_clone(&tree, &copy));
    slim_mls_tree_blank(&copy, 6);
    copy.first_blank = 3;
    CHECK(add(&copy, 52) == 3); /* becomes an unmerged leaf of node 3, which both trees share */
    const struct slim_mls_node *copied = copy.nodes[3];
    const struct slim_mls_node *original = tree.nodes[3];
    CHECK(copied != NULL && copied->u.parent.unmerged_count == 1);
    CHECK(original != NULL && original->u.parent.unmerged_count == 0);
    slim_mls_tree_fini(&copy);
    CHECK_OK(slim_mls_tree_root_hash(&tree, &hash));
    CHECK(memcmp(before, hash, 32) == 0);
    slim_mls_tree_fini(&tree);
}

/* Change nodes at random; the kept hashes must be those of a tree that was never hashed before. */
static void kept_hashes_are_those_of_a_fresh_tree(void **state)
{
    (void)state;
    struct slim_mls_tree tree;
    uint32_t random = 7;
    uint8_t key[32] = {0};
    tree_of(&tree, 11);
    for (int i = 0; i < 200; i++) {
        random = random * 1664525 + 1013904223;
        uint32_t leaf = (random >> 8) % tree.leaf_count;
        if ((random >> 28) % 3 == 0 && slim_mls_tree_leaf_find(&tree, leaf) != NULL &&
            slim_mls_tree_member_count(&tree) > 2) {
            CHECK_OK(slim_mls_tree_remove_leaf(&tree, leaf));
        } else if ((random >> 28) % 3 == 1 && slim_mls_tree_member_count(&tree) < 40) {
            add(&tree, (uint8_t)i);
        } else if (tree.leaf_count > 1) {
            key[0] = (uint8_t)i;
            CHECK_OK(slim_mls_tree_set_parent(&tree, 2 * (leaf / 2) + 1, slim_view_of(key, 32),
                                              SLIM_VIEW("hash")));
        }
        struct slim_mls_tree fresh;
        const uint8_t *kept;
        const uint8_t *want;
        CHECK_OK(slim_mls_tree_clone(&tree, &fresh));
        memset(fresh.is_hashed, 0, slim_mls_node_count(fresh.leaf_count));
        CHECK_OK(slim_mls_tree_root_hash(&tree, &kept));
        CHECK_OK(slim_mls_tree_root_hash(&fresh, &want));
        CHECK(memcmp(kept, want, 32) == 0);
        slim_mls_tree_fini(&fresh);
    }
    slim_mls_tree_fini(&tree);
}

static void trees_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct slim_mls_tree tree;
    struct slim_mls_out leaf = {0};
    struct slim_mls_out list = {0};
    struct slim_view bytes = leaf_bytes(&leaf, 1);
    CHECK(slim_mls_tree_read(slim_mls_suite_find(1), (struct slim_view){0}, &tree) ==
          SLIM_ERR_MALFORMED);
    CHECK(slim_mls_tree_read(slim_mls_suite_find(1), SLIM_VIEW("\x00"), &tree) ==
          SLIM_ERR_MALFORMED);
    CHECK(slim_mls_tree_read(slim_mls_suite_find(1), SLIM_VIEW("\x02"), &tree) ==
          SLIM_ERR_MALFORMED);
    slim_mls_put_u16(&list, 0x0101);
    slim_mls_put_bytes(&list, bytes);
    struct slim_view one = slim_mls_out_view(&list);
    CHECK_OK(slim_mls_tree_read(slim_mls_suite_find(1), one, &tree));
    CHECK(tree.leaf_count == 1);
    slim_mls_tree_fini(&tree);
    slim_mls_put_u8(&list, 0); /* a blank node at the end */
    CHECK(slim_mls_tree_read(slim_mls_suite_find(1), slim_mls_out_view(&list), &tree) ==
          SLIM_ERR_MALFORMED);
    slim_mls_put_u16(&list, 0x0101); /* blank parent, then a second leaf */
    slim_mls_put_bytes(&list, bytes);
    CHECK_OK(slim_mls_tree_read(slim_mls_suite_find(1), slim_mls_out_view(&list), &tree));
    CHECK(slim_mls_tree_check_unique(&tree, NULL) == SLIM_ERR_EXISTS); /* twice the same keys */
    slim_mls_tree_fini(&tree);
    slim_mls_out_fini(&list);
    slim_mls_put_u16(&list, 0x0102); /* a parent in the place of a leaf */
    slim_mls_put_bytes(&list, bytes);
    CHECK(slim_mls_tree_read(slim_mls_suite_find(1), slim_mls_out_view(&list), &tree) ==
          SLIM_ERR_MALFORMED);
    slim_mls_out_fini(&list);
    uint8_t *blanks = calloc(2 * MLS_LEAF_COUNT_MAX, 1);
    assert_non_null(blanks);
    CHECK(slim_mls_tree_read(slim_mls_suite_find(1), slim_view_of(blanks, 2 * MLS_LEAF_COUNT_MAX),
                             &tree) == SLIM_ERR_LIMIT);
    free(blanks);
    slim_mls_out_fini(&leaf);
}

/* Node 1 above leaves 0 and 1, with a list of unmerged leaves that is not as it must be. */
static enum slim_status read_with_unmerged(struct slim_view unmerged)
{
    struct slim_mls_tree tree;
    struct slim_mls_out out = {0};
    struct slim_mls_out leaf = {0};
    uint8_t key[32] = {9};
    slim_mls_put_u16(&out, 0x0101);
    slim_mls_put_bytes(&out, leaf_bytes(&leaf, 1));
    slim_mls_out_fini(&leaf);
    slim_mls_put_u16(&out, 0x0102);
    slim_mls_put_opaque(&out, slim_view_of(key, 32));
    slim_mls_put_opaque(&out, (struct slim_view){0});
    slim_mls_put_opaque(&out, unmerged);
    slim_mls_put_u16(&out, 0x0101);
    slim_mls_put_bytes(&out, leaf_bytes(&leaf, 2));
    slim_mls_out_fini(&leaf);
    enum slim_status status =
        slim_mls_tree_read(slim_mls_suite_find(1), slim_mls_out_view(&out), &tree);
    if (status == SLIM_OK) {
        status = slim_mls_tree_check_parents(&tree);
        slim_mls_tree_fini(&tree);
    }
    slim_mls_out_fini(&out);
    return status;
}

static void parents_need_links_and_sorted_leaves(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        uint8_t list[8];
        size_t len;
        enum slim_status want;
    } rows[] = {
        {"no leaf carries the parent hash", {0}, 0, SLIM_ERR_TREE},
        {"half a number", {0, 0, 0}, 3, SLIM_ERR_MALFORMED},
        {"twice the same", {0, 0, 0, 1, 0, 0, 0, 1}, 8, SLIM_ERR_TREE},
        {"not ascending", {0, 0, 0, 1, 0, 0, 0, 0}, 8, SLIM_ERR_TREE},
        {"not below the node", {0, 0, 0, 2}, 4, SLIM_ERR_TREE},
        {"far beyond the tree", {0xff, 0xff, 0xff, 0xff}, 4, SLIM_ERR_TREE},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        CHECK_ROW(rows[i].why,
                  read_with_unmerged(slim_view_of(rows[i].list, rows[i].len)) == rows[i].want);
    }
}

static void put_leaf_node(struct slim_mls_out *out, uint8_t seed)
{
    struct slim_mls_out leaf = {0};
    slim_mls_put_u16(out, 0x0101);
    slim_mls_put_bytes(out, leaf_bytes(&leaf, seed));
    slim_mls_out_fini(&leaf);
}

static void put_parent_node(struct slim_mls_out *out, uint8_t seed, struct slim_view unmerged)
{
    uint8_t key[32] = {seed};
    slim_mls_put_u16(out, 0x0102);
    slim_mls_put_opaque(out, slim_view_of(key, 32));
    slim_mls_put_opaque(out, (struct slim_view){0});
    slim_mls_put_opaque(out, unmerged);
}

/* Found by fuzzing: the links of the root were followed into a node whose own list had not been looked at. */
static void lists_of_deeper_nodes_are_checked_before_links(void **state)
{
    (void)state;
    static const uint8_t beyond[] = {0, 0, 0x10, 0};
    struct slim_mls_tree tree;
    struct slim_mls_out out = {0};
    put_leaf_node(&out, 1);
    slim_mls_put_u8(&out, 0);
    put_leaf_node(&out, 2);
    put_parent_node(&out, 3, (struct slim_view){0});
    put_leaf_node(&out, 4);
    put_parent_node(&out, 5, slim_view_of(beyond, sizeof(beyond)));
    put_leaf_node(&out, 6);
    CHECK_OK(slim_mls_tree_read(slim_mls_suite_find(1), slim_mls_out_view(&out), &tree));
    CHECK(tree.leaf_count == 4 && slim_mls_tree_check_parents(&tree) == SLIM_ERR_TREE);
    slim_mls_tree_fini(&tree);
    slim_mls_out_fini(&out);
}

static void many_changes_are_compared_as_few_are(void **state)
{
    (void)state;
    struct slim_mls_tree tree;
    struct slim_mls_indices changed = {0};
    tree_of(&tree, 40);
    for (uint32_t i = 0; i < 40; i++) {
        CHECK_OK(slim_mls_indices_put(&changed, 2 * i));
    }
    CHECK_OK(slim_mls_tree_check_unique(&tree, &changed));
    struct slim_mls_indices last = {&changed.items[39], 1, 1};
    CHECK_OK(slim_mls_tree_check_unique(&tree, &last));
    struct slim_mls_out out = {0};
    CHECK_OK(slim_mls_tree_set_leaf(&tree, 39, leaf_bytes(&out, 3)));
    CHECK(slim_mls_tree_check_unique(&tree, &changed) == SLIM_ERR_EXISTS);
    CHECK(slim_mls_tree_check_unique(&tree, &last) == SLIM_ERR_EXISTS);
    CHECK(slim_mls_tree_check_unique(&tree, NULL) == SLIM_ERR_EXISTS);
    slim_mls_out_fini(&out);
    slim_mls_indices_fini(&changed);
    slim_mls_tree_fini(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees_grow_and_shrink_by_halves),
        cmocka_unit_test(a_copy_is_independent),
        cmocka_unit_test(kept_hashes_are_those_of_a_fresh_tree),
        cmocka_unit_test(trees_that_cannot_be_are_refused),
        cmocka_unit_test(parents_need_links_and_sorted_leaves),
        cmocka_unit_test(lists_of_deeper_nodes_are_checked_before_links),
        cmocka_unit_test(many_changes_are_compared_as_few_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
