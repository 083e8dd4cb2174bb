/* Any bytes as ratchet tree: reading, hashing, checking and changing must end, and what was read must be written the same. */
#include <stdint.h>
#include <stdlib.h>

#include "mls/treekem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(enum slim_status status)
{
    if (status != SLIM_OK) {
        abort();
    }
}

static void look(struct slim_mls_tree *tree)
{
    const uint8_t *hash;
    must(slim_mls_tree_root_hash(tree, &hash));
    if (slim_mls_tree_check_parents(tree) == SLIM_ERR_NO_MEMORY ||
        slim_mls_tree_check_unique(tree, NULL) == SLIM_ERR_NO_MEMORY) {
        abort();
    }
    for (uint32_t node = 0; node < slim_mls_node_count(tree->leaf_count) && node < 64; node++) {
        struct slim_mls_indices list = {0};
        must(slim_mls_tree_resolve(tree, node, &list));
        slim_mls_indices_fini(&list);
    }
}

/* Operations on a copy, chosen by the last bytes. The tree may have unmerged leaves that are out of range: only a checked tree
 * is worked on in a group, so here as well. */
static void change(const struct slim_mls_tree *tree, const uint8_t *data, size_t size)
{
    struct slim_mls_tree copy;
    must(slim_mls_tree_clone(tree, &copy));
    for (size_t i = 0; i < 8 && i < size; i++) {
        uint32_t leaf = data[size - 1 - i] % copy.leaf_count;
        struct slim_mls_path_steps steps;
        slim_mls_tree_filtered_path(&copy, leaf, &steps);
        if (slim_mls_tree_remove_leaf(&copy, leaf) == SLIM_ERR_NO_MEMORY) {
            abort();
        }
        uint32_t index;
        const struct slim_mls_node *first = slim_mls_tree_leaf_find(tree, 0);
        if (first != NULL && (data[size - 1 - i] & 0x80) != 0) {
            enum slim_status status =
                slim_mls_tree_add_leaf(&copy, first->u.leaf.leaf.bytes, &index);
            if (status != SLIM_OK && status != SLIM_ERR_LIMIT) {
                abort();
            }
        }
        const uint8_t *hash;
        must(slim_mls_tree_root_hash(&copy, &hash));
    }
    slim_mls_tree_fini(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slim_mls_tree tree;
    if (slim_mls_tree_read(slim_mls_suite_find(1), slim_view_of(data, size), &tree) != SLIM_OK) {
        return 0;
    }
    struct slim_mls_out out = {0};
    slim_mls_tree_put(&out, &tree);
    if (!slim_view_is_equal(slim_view_of(data, size), slim_mls_out_view(&out))) {
        abort();
    }
    slim_mls_out_fini(&out);
    look(&tree);
    change(&tree, data, size);
    slim_mls_tree_fini(&tree);
    return 0;
}
