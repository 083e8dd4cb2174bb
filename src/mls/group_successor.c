/* Groups that come after others: re-initialised ones and branches. RFC 9420 sections 11.2 and 11.3. */
#include <stdlib.h>

#include "base/secret.h"
#include "mls/group.h"

/* What closed a group. */
static enum slim_status read_reinit(const struct slim_mls_group *group,
                                    struct slim_mls_reinit *reinit)
{
    struct slim_view bytes = slim_buf_view(&group->epoch->reinit);
    struct slim_mls_proposal proposal;
    SLIM_TRY(slim_mls_take_proposal(&bytes, &proposal));
    *reinit = proposal.u.reinit;
    return SLIM_OK;
}

enum slim_mls_status slim_mls_group_reinit(const struct slim_mls_group *group,
                                           struct slim_mls_reinit_choice *choice)
{
    struct slim_mls_reinit reinit;
    if (group->is_removed || !slim_mls_epoch_is_closed(group->epoch)) {
        return SLIM_MLS_ERR_NOT_FOUND;
    }
    enum slim_status status = read_reinit(group, &reinit);
    if (status == SLIM_OK) {
        *choice = (struct slim_mls_reinit_choice){
            .group_id = slim_mls_view_out(reinit.group_id),
            .cipher_suite = reinit.suite,
            .extensions = slim_mls_view_out(reinit.extensions),
        };
    }
    return slim_mls_status_out(status);
}

/* ---- who is in both */

struct member_id {
    uint8_t bytes[MLS_IDENTITY_LEN];
};

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct member_id));
}

/* The members of a tree, sorted: the hash of the name that the caller gave, else of the credential. */
static enum slim_status list_members(const struct slim_mls_tree *tree, struct member_id **list,
                                     size_t *count)
{
    static const struct member_id nobody;
    struct member_id *made = slim_secret_take(tree->leaf_count, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    size_t used = 0;
    for (uint32_t i = 0; i < tree->leaf_count; i++) {
        const struct slim_mls_node *node = slim_mls_tree_leaf_find(tree, i);
        if (node == NULL) {
            continue;
        }
        struct member_id *member = &made[used++];
        memcpy(member->bytes, node->u.leaf.identity, sizeof(member->bytes));
        if (compare(member, &nobody) == 0) {
            slim_crypto_digest(SLIM_CRYPTO_SHA256, &node->u.leaf.leaf.credential.bytes, 1,
                               member->bytes);
        }
    }
    qsort(made, used, sizeof(*made), compare);
    *list = made;
    *count = used;
    return SLIM_OK;
}

/* Is everybody of `tree` in `old`, and with `is_all` everybody of `old` in `tree`? */
static enum slim_status check_members(const struct slim_mls_tree *old,
                                      const struct slim_mls_tree *tree, bool is_all)
{
    struct member_id *before = NULL;
    struct member_id *after = NULL;
    size_t before_count = 0;
    size_t after_count = 0;
    enum slim_status status = list_members(old, &before, &before_count);
    if (status == SLIM_OK) {
        status = list_members(tree, &after, &after_count);
    }
    bool fits = !is_all || before_count == after_count;
    for (size_t i = 0; status == SLIM_OK && fits && i < after_count; i++) {
        fits = bsearch(&after[i], before, before_count, sizeof(*before), compare) != NULL;
    }
    slim_secret_return(before);
    slim_secret_return(after);
    return status == SLIM_OK && !fits ? SLIM_ERR_INVALID : status;
}

/* ---- the link */

/* The one pre-shared key that links to `old`. Another group's link, or none, is not what was asked for. */
static enum slim_status find_link(const struct slim_mls_group *old, struct slim_view psks,
                                  struct slim_mls_psk_id *link)
{
    while (psks.len > 0) {
        SLIM_TRY(slim_mls_take_psk_id(&psks, link));
        if (link->type == MLS_PSK_RESUMPTION && link->usage != MLS_PSK_USAGE_APPLICATION) {
            return slim_view_is_equal(link->group_id, slim_buf_view(&old->id)) ? SLIM_OK
                                                                               : SLIM_ERR_INVALID;
        }
    }
    return SLIM_ERR_INVALID;
}

static enum slim_status check_reinit(const struct slim_mls_group *old,
                                     const struct slim_mls_psk_id *link,
                                     const struct slim_mls_context *info)
{
    struct slim_mls_reinit reinit;
    if (!slim_mls_epoch_is_closed(old->epoch) || link->epoch != old->epoch->number) {
        return SLIM_ERR_INVALID;
    }
    SLIM_TRY(read_reinit(old, &reinit));
    bool ok = info->version == reinit.version && info->suite == reinit.suite &&
              slim_view_is_equal(info->group_id, reinit.group_id) &&
              slim_view_is_equal(info->extensions, reinit.extensions);
    return ok ? SLIM_OK : SLIM_ERR_INVALID;
}

enum slim_status slim_mls_successor_check(const struct slim_mls_group *old, struct slim_view psks,
                                          const struct slim_mls_context *info,
                                          const struct slim_mls_tree *tree)
{
    struct slim_mls_psk_id link;
    SLIM_TRY(find_link(old, psks, &link));
    if (link.usage == MLS_PSK_USAGE_REINIT) {
        SLIM_TRY(check_reinit(old, &link, info));
        return check_members(&old->epoch->tree, tree, true);
    }
    if (info->version != MLS_VERSION_10 || info->suite != old->suite->id) {
        return SLIM_ERR_INVALID;
    }
    return check_members(&old->epoch->tree, tree, false);
}
