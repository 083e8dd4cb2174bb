/* The proposals of one commit: RFC 9420 sections 12.2 (which lists are valid), 12.3 (applying them), 8.4 (their PSKs), and the
 * rules for leaves that enter (7.3). */
#include "base/secret.h"
#include "mls/group.h"

enum { EXTENSION_DEFAULT_MAX = 5, PROPOSAL_DEFAULT_MAX = 7 };

void slim_mls_change_init(struct slim_mls_change *change, struct slim_mls_group *group)
{
    *change = (struct slim_mls_change){.group = group, .committer = UINT32_MAX};
}

void slim_mls_change_fini(struct slim_mls_change *change)
{
    slim_mls_epoch_free(change->next);
    slim_secret_return(change->items);
    slim_mls_indices_fini(&change->added);
    slim_mls_indices_fini(&change->removed);
    slim_mls_indices_fini(&change->touched);
    slim_secret_wipe(change, sizeof(*change));
}

/* ---- the list */

/* The proposal that a reference names, as it was received. */
static enum slim_status resolve(const struct slim_mls_group *group, struct slim_view reference,
                                struct slim_mls_change_item *item)
{
    const struct slim_mls_cached_proposal *cached = slim_mls_group_cached_find(group, reference);
    if (cached == NULL) {
        return SLIM_ERR_NOT_FOUND;
    }
    struct slim_view in = slim_buf_view(&cached->bytes);
    struct slim_mls_content content;
    SLIM_TRY(slim_mls_take_authenticated(&in, &content));
    in = content.body;
    SLIM_TRY(slim_mls_take_proposal(&in, &item->proposal));
    item->sender_type = content.sender_type;
    item->sender = content.sender_index;
    return SLIM_OK;
}

/* Which proposals who may send (section 12.1.8 and the rules of each type). */
static enum slim_status check_sender(const struct slim_mls_change *change,
                                     const struct slim_mls_change_item *item)
{
    bool is_outside =
        item->sender_type == MLS_SENDER_EXTERNAL || item->sender_type == MLS_SENDER_NEW_PROPOSAL;
    switch (item->proposal.type) {
    case MLS_PROPOSAL_ADD:
        return SLIM_OK;
    case MLS_PROPOSAL_UPDATE: /* the committer renews its leaf by its path */
        return item->sender_type == MLS_SENDER_MEMBER && item->sender != change->committer
                   ? SLIM_OK
                   : SLIM_ERR_INVALID;
    case MLS_PROPOSAL_REMOVE:
        return item->proposal.u.removed != change->committer &&
                       item->sender_type != MLS_SENDER_NEW_PROPOSAL
                   ? SLIM_OK
                   : SLIM_ERR_INVALID;
    case MLS_PROPOSAL_PSK:
    case MLS_PROPOSAL_REINIT:
    case MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
        return item->sender_type != MLS_SENDER_NEW_PROPOSAL ? SLIM_OK : SLIM_ERR_INVALID;
    case MLS_PROPOSAL_EXTERNAL_INIT:
        return change->is_external && !is_outside ? SLIM_OK : SLIM_ERR_INVALID;
    }
    return SLIM_ERR_INVALID;
}

static size_t count_of(const struct slim_mls_change *change, enum slim_mls_proposal_type type)
{
    size_t count = 0;
    for (size_t i = 0; i < change->item_count; i++) {
        count += change->items[i].proposal.type == type;
    }
    return count;
}

/* Section 12.2, second list: what an external commit carries. */
static enum slim_status check_external(const struct slim_mls_change *change)
{
    size_t init_count = count_of(change, MLS_PROPOSAL_EXTERNAL_INIT);
    size_t remove_count = count_of(change, MLS_PROPOSAL_REMOVE);
    size_t psk_count = count_of(change, MLS_PROPOSAL_PSK);
    bool ok = init_count == 1 && remove_count <= 1 &&
              init_count + remove_count + psk_count == change->item_count;
    return ok ? SLIM_OK : SLIM_ERR_INVALID;
}

/* No leaf is the object of two updates or removals. `seen` has a bit for each leaf. */
static enum slim_status check_targets(const struct slim_mls_change *change, uint8_t *seen)
{
    uint32_t leaf_count = change->group->epoch->tree.leaf_count;
    for (size_t i = 0; i < change->item_count; i++) {
        const struct slim_mls_change_item *item = &change->items[i];
        uint32_t target;
        if (item->proposal.type == MLS_PROPOSAL_UPDATE) {
            target = item->sender;
        } else if (item->proposal.type == MLS_PROPOSAL_REMOVE) {
            target = item->proposal.u.removed;
        } else {
            continue;
        }
        if (target >= leaf_count || (seen[target / 8] >> (target % 8) & 1)) {
            return SLIM_ERR_INVALID;
        }
        seen[target / 8] |= (uint8_t)(1 << (target % 8));
    }
    return SLIM_OK;
}

static enum slim_status check_psks(const struct slim_mls_change *change)
{
    bool is_first = change->group->epoch->number ==
                    0; /* of a group that may be a branch or a re-initialisation */
    for (size_t i = 0; i < change->item_count; i++) {
        if (change->items[i].proposal.type != MLS_PROPOSAL_PSK) {
            continue;
        }
        const struct slim_mls_psk_id *psk = &change->items[i].proposal.u.psk;
        if (psk->nonce.len != change->group->suite->hash_len ||
            (psk->type == MLS_PSK_RESUMPTION && psk->usage != MLS_PSK_USAGE_APPLICATION &&
             !is_first)) {
            return SLIM_ERR_INVALID;
        }
        for (size_t j = 0; j < i; j++) {
            if (change->items[j].proposal.type == MLS_PROPOSAL_PSK &&
                slim_view_is_equal(change->items[j].proposal.u.psk.bytes, psk->bytes)) {
                return SLIM_ERR_INVALID;
            }
        }
    }
    return SLIM_OK;
}

static enum slim_status check_list(struct slim_mls_change *change)
{
    for (size_t i = 0; i < change->item_count; i++) {
        SLIM_TRY(check_sender(change, &change->items[i]));
    }
    size_t extensions_count = count_of(change, MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS);
    size_t reinit_count = count_of(change, MLS_PROPOSAL_REINIT);
    if (extensions_count > 1 || (reinit_count > 0 && change->item_count > 1)) {
        return SLIM_ERR_INVALID;
    }
    if (count_of(change, MLS_PROPOSAL_PSK) > MLS_PSK_COUNT_MAX) {
        return SLIM_ERR_LIMIT;
    }
    SLIM_TRY(check_psks(change));
    if (change->is_external) {
        SLIM_TRY(check_external(change));
    }
    uint8_t *seen = slim_secret_take(change->group->epoch->tree.leaf_count / 8 + 1, 1);
    if (seen == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    enum slim_status status = check_targets(change, seen);
    slim_secret_return(seen);
    change->has_reinit = reinit_count > 0;
    change->has_new_extensions = extensions_count > 0;
    /* section 12.4: add, psk and reinit alone need none */
    change->needs_path = change->item_count == 0 || extensions_count > 0 || change->is_external ||
                         count_of(change, MLS_PROPOSAL_UPDATE) > 0 ||
                         count_of(change, MLS_PROPOSAL_REMOVE) > 0;
    return status;
}

enum slim_status slim_mls_change_collect(struct slim_mls_change *change, struct slim_view proposals)
{
    size_t count = 0;
    struct slim_mls_proposal_or_ref element;
    for (struct slim_view walk = proposals; walk.len > 0; count++) {
        SLIM_TRY(slim_mls_take_proposal_or_ref(&walk, &element));
    }
    if (count > MLS_PROPOSAL_COUNT_MAX) {
        return SLIM_ERR_LIMIT;
    }
    change->items = slim_secret_take(count > 0 ? count : 1, sizeof(*change->items));
    if (change->items == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    for (struct slim_view walk = proposals; walk.len > 0; change->item_count++) {
        struct slim_mls_change_item *item = &change->items[change->item_count];
        SLIM_TRY(slim_mls_take_proposal_or_ref(&walk, &element));
        if (element.is_inline) {
            item->proposal = element.proposal;
            item->sender_type = change->is_external ? MLS_SENDER_NEW_COMMIT : MLS_SENDER_MEMBER;
            item->sender = change->committer;
        } else if (change->is_external) {
            return SLIM_ERR_INVALID; /* one who is not in the group cannot know them */
        } else {
            SLIM_TRY(resolve(change->group, element.reference, item));
        }
    }
    return check_list(change);
}

/* ---- leaves that enter */

bool slim_mls_is_same_member(const struct slim_mls_node *previous,
                             const uint8_t identity[MLS_IDENTITY_LEN])
{
    static const uint8_t nobody[MLS_IDENTITY_LEN];
    return previous == NULL || memcmp(previous->u.leaf.identity, nobody, sizeof(nobody)) == 0 ||
           memcmp(previous->u.leaf.identity, identity, sizeof(nobody)) == 0;
}

enum slim_status slim_mls_change_check_leaf(struct slim_mls_change *change, uint32_t leaf_index,
                                            const struct slim_mls_leaf *leaf,
                                            const struct slim_mls_node *previous,
                                            uint8_t identity[MLS_IDENTITY_LEN])
{
    const struct slim_mls_group *group = change->group;
    struct slim_view group_id = slim_buf_view(&group->id);
    SLIM_TRY(slim_mls_leaf_check(group->suite, leaf));
    if (leaf->source != MLS_LEAF_KEY_PACKAGE) {
        SLIM_TRY(slim_mls_leaf_verify(group->suite, leaf, group_id, leaf_index));
    }
    const struct slim_mls_leaf *old = previous == NULL ? NULL : &previous->u.leaf.leaf;
    if (old != NULL && slim_view_is_equal(old->encryption_key, leaf->encryption_key)) {
        return SLIM_ERR_INVALID;
    }
    SLIM_TRY(slim_mls_client_check(group->client,
                                   old == NULL ? SLIM_MLS_CHECK_ADD : SLIM_MLS_CHECK_REPLACE,
                                   group_id, leaf_index, leaf, old, identity));
    /* else a leaf changed hands */
    return slim_mls_is_same_member(previous, identity) ? SLIM_OK : SLIM_ERR_AUTH;
}

static enum slim_status apply_update(struct slim_mls_change *change,
                                     const struct slim_mls_change_item *item)
{
    struct slim_mls_group *group = change->group;
    struct slim_mls_epoch *next = change->next;
    const struct slim_mls_leaf *leaf = &item->proposal.u.update;
    const struct slim_mls_node *previous =
        slim_mls_tree_leaf_find(&group->epoch->tree, item->sender);
    uint8_t identity[MLS_IDENTITY_LEN];
    if (leaf->source != MLS_LEAF_UPDATE || previous == NULL) {
        return SLIM_ERR_INVALID;
    }
    SLIM_TRY(slim_mls_change_check_leaf(change, item->sender, leaf, previous, identity));
    SLIM_TRY(slim_mls_tree_update_leaf(&next->tree, item->sender, leaf->bytes));
    memcpy(slim_mls_tree_leaf_find(&next->tree, item->sender)->u.leaf.identity, identity,
           sizeof(identity));
    if (item->sender == next->own.leaf_index) {
        size_t i = 0;
        while (i < group->update_count &&
               memcmp(group->updates[i].public_key, leaf->encryption_key.data,
                      leaf->encryption_key.len) != 0) {
            i++;
        }
        if (i == group->update_count) {
            return SLIM_ERR_INVALID; /* an update in our name whose key we do not have */
        }
        memcpy(next->own.keys[0], group->updates[i].private_key, sizeof(next->own.keys[0]));
    }
    return slim_mls_indices_put(&change->touched, 2 * item->sender);
}

static enum slim_status apply_remove(struct slim_mls_change *change, uint32_t removed)
{
    if (slim_mls_tree_leaf_find(&change->next->tree, removed) == NULL) {
        return SLIM_ERR_INVALID;
    }
    if (removed == change->next->own.leaf_index) {
        change->removes_us = true;
    }
    SLIM_TRY(slim_mls_tree_remove_leaf(&change->next->tree, removed));
    return slim_mls_indices_put(&change->removed, removed);
}

static enum slim_status apply_add(struct slim_mls_change *change,
                                  const struct slim_mls_key_package *package)
{
    const struct slim_mls_group *group = change->group;
    const struct slim_mls_policy *policy = &group->client->policy;
    SLIM_TRY(slim_mls_key_package_check(group->suite, package));
    if (policy->check_lifetime || change->committer == change->next->own.leaf_index) {
        SLIM_TRY(slim_mls_leaf_check_lifetime(&package->leaf, slim_mls_client_now(group->client),
                                              policy->lifetime_skew_s));
    }
    uint8_t identity[MLS_IDENTITY_LEN];
    uint32_t leaf_index;
    SLIM_TRY(slim_mls_change_check_leaf(change, UINT32_MAX, &package->leaf, NULL, identity));
    SLIM_TRY(slim_mls_tree_add_leaf(&change->next->tree, package->leaf.bytes, &leaf_index));
    memcpy(slim_mls_tree_leaf_find(&change->next->tree, leaf_index)->u.leaf.identity, identity,
           sizeof(identity));
    SLIM_TRY(slim_mls_indices_put(&change->added, 2 * leaf_index));
    return slim_mls_indices_put(&change->touched, 2 * leaf_index);
}

static enum slim_status apply_extensions(struct slim_mls_change *change,
                                         struct slim_view extensions)
{
    if (slim_mls_extensions_have_duplicate(extensions)) {
        return SLIM_ERR_INVALID;
    }
    slim_buf_clear(&change->next->extensions);
    return slim_buf_put(&change->next->extensions, extensions);
}

static enum slim_status apply_item(struct slim_mls_change *change,
                                   const struct slim_mls_change_item *item)
{
    switch (item->proposal.type) {
    case MLS_PROPOSAL_ADD:
        return apply_add(change, &item->proposal.u.add);
    case MLS_PROPOSAL_UPDATE:
        return apply_update(change, item);
    case MLS_PROPOSAL_REMOVE:
        return apply_remove(change, item->proposal.u.removed);
    case MLS_PROPOSAL_PSK:
        return SLIM_OK; /* collected by apply_psks */
    case MLS_PROPOSAL_REINIT:
        return item->proposal.u.reinit.version >= MLS_VERSION_10 ? SLIM_OK : SLIM_ERR_INVALID;
    case MLS_PROPOSAL_EXTERNAL_INIT:
        change->kem_output = item->proposal.u.kem_output;
        return SLIM_OK;
    case MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
        return apply_extensions(change, item->proposal.u.extensions);
    }
    return SLIM_ERR_INVALID;
}

static enum slim_status apply_psks(struct slim_mls_change *change)
{
    uint16_t count = (uint16_t)count_of(change, MLS_PROPOSAL_PSK); /* bounded by check_list */
    uint16_t index = 0;
    for (size_t i = 0; i < change->item_count; i++) {
        if (change->items[i].proposal.type != MLS_PROPOSAL_PSK) {
            continue;
        }
        const struct slim_mls_psk_id *id = &change->items[i].proposal.u.psk;
        uint8_t psk[SLIM_MLS_PSK_BYTES_MAX];
        size_t len = 0;
        enum slim_status status =
            slim_mls_psk_find(change->group->client, change->group, id, psk, &len);
        if (status == SLIM_OK) {
            status = slim_mls_psk_chain(change->group->suite, id, slim_view_of(psk, len), index++,
                                        count, change->psk_secret);
        }
        slim_secret_wipe(psk, sizeof(psk));
        SLIM_TRY(status);
    }
    return SLIM_OK;
}

enum slim_status slim_mls_change_apply(struct slim_mls_change *change)
{
    static const enum slim_mls_proposal_type order[] = {
        MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS,
        MLS_PROPOSAL_UPDATE,
        MLS_PROPOSAL_REMOVE,
        MLS_PROPOSAL_ADD,
        MLS_PROPOSAL_REINIT,
        MLS_PROPOSAL_EXTERNAL_INIT,
    };
    SLIM_TRY(slim_mls_epoch_next(change->group->epoch, &change->next));
    for (size_t i = 0; i < SLIM_COUNT(order); i++) {
        for (size_t j = 0; j < change->item_count; j++) {
            if (change->items[j].proposal.type == order[i]) {
                SLIM_TRY(apply_item(change, &change->items[j]));
            }
        }
    }
    if (change->has_reinit) { /* it is alone: check_list */
        SLIM_TRY(slim_buf_put(&change->next->reinit, change->items[0].proposal.bytes));
    }
    if (change->removes_us) {
        return SLIM_OK;
    }
    slim_mls_private_prune(&change->next->own, &change->next->tree);
    return apply_psks(change);
}

/* ---- the tree as a whole */

/* RequiredCapabilities { ExtensionType<V>; ProposalType<V>; CredentialType<V>; } (section 11.1) */
struct required {
    struct slim_view extensions;
    struct slim_view proposals;
    struct slim_view credentials;
};

static enum slim_status take_required(struct slim_view group_extensions, struct required *required)
{
    struct slim_view data;
    *required = (struct required){0};
    if (!slim_mls_extension_find(group_extensions, MLS_EXTENSION_REQUIRED_CAPABILITIES, &data)) {
        return SLIM_OK;
    }
    SLIM_TRY(slim_mls_take_opaque(&data, &required->extensions));
    SLIM_TRY(slim_mls_take_opaque(&data, &required->proposals));
    SLIM_TRY(slim_mls_take_opaque(&data, &required->credentials));
    bool is_whole = data.len == 0 && required->extensions.len % 2 == 0 &&
                    required->proposals.len % 2 == 0 && required->credentials.len % 2 == 0;
    return is_whole ? SLIM_OK : SLIM_ERR_MALFORMED;
}

/* Every number of `wanted` beyond the default ones is in `list`. */
static bool has_all(struct slim_view list, struct slim_view wanted, uint16_t default_max)
{
    for (size_t i = 0; i + 1 < wanted.len; i += 2) {
        uint16_t number = (uint16_t)(wanted.data[i] << 8 | wanted.data[i + 1]);
        if (number > default_max && !slim_mls_list_has(list, number)) {
            return false;
        }
    }
    return true;
}

static bool supports(const struct slim_mls_leaf *leaf, const struct required *required,
                     struct slim_view group_extensions, const bool *credential_types)
{
    struct slim_mls_extension extension;
    for (struct slim_view walk = group_extensions;
         walk.len > 0 && slim_mls_take_extension(&walk, &extension) == SLIM_OK;) {
        if (extension.type > EXTENSION_DEFAULT_MAX &&
            !slim_mls_list_has(leaf->capabilities.extensions, extension.type)) {
            return false;
        }
    }
    for (int type = MLS_CREDENTIAL_BASIC; type <= MLS_CREDENTIAL_X509; type++) {
        if (credential_types[type] &&
            !slim_mls_list_has(leaf->capabilities.credentials, (uint16_t)type)) {
            return false;
        }
    }
    return has_all(leaf->capabilities.extensions, required->extensions, EXTENSION_DEFAULT_MAX) &&
           has_all(leaf->capabilities.proposals, required->proposals, PROPOSAL_DEFAULT_MAX) &&
           has_all(leaf->capabilities.credentials, required->credentials, 0);
}

enum slim_status slim_mls_tree_check_members(const struct slim_mls_tree *tree,
                                             struct slim_view group_extensions)
{
    struct required required;
    bool credential_types[MLS_CREDENTIAL_X509 + 1] = {false};
    SLIM_TRY(take_required(group_extensions, &required));
    for (uint32_t i = 0; i < tree->leaf_count; i++) {
        const struct slim_mls_node *leaf = slim_mls_tree_leaf_find(tree, i);
        if (leaf != NULL) {
            credential_types[leaf->u.leaf.leaf.credential.type] =
                true; /* the reader lets no others pass */
        }
    }
    for (uint32_t i = 0; i < tree->leaf_count; i++) {
        const struct slim_mls_node *leaf = slim_mls_tree_leaf_find(tree, i);
        if (leaf != NULL &&
            !supports(&leaf->u.leaf.leaf, &required, group_extensions, credential_types)) {
            return SLIM_ERR_INVALID;
        }
    }
    return SLIM_OK;
}

enum slim_status slim_mls_group_check_external_senders(const struct slim_mls_group *group,
                                                       struct slim_view group_extensions)
{
    struct slim_view data;
    struct slim_view list;
    if (!slim_mls_extension_find(group_extensions, MLS_EXTENSION_EXTERNAL_SENDERS, &data)) {
        return SLIM_OK;
    }
    SLIM_TRY(slim_mls_take_opaque(&data, &list));
    if (data.len > 0) {
        return SLIM_ERR_MALFORMED;
    }
    for (uint32_t count = 0; list.len > 0; count++) {
        if (count == MLS_EXTERNAL_SENDER_COUNT_MAX) {
            return SLIM_ERR_LIMIT;
        }
        struct slim_mls_leaf sender = {0};
        uint8_t identity[MLS_IDENTITY_LEN];
        SLIM_TRY(slim_mls_take_opaque(&list, &sender.signature_key));
        SLIM_TRY(slim_mls_take_credential(&list, &sender.credential));
        SLIM_TRY(slim_mls_client_check(group->client, SLIM_MLS_CHECK_EXTERNAL_SENDER,
                                       slim_buf_view(&group->id), UINT32_MAX, &sender, NULL,
                                       identity));
    }
    return SLIM_OK;
}

enum slim_status slim_mls_change_check_tree(struct slim_mls_change *change)
{
    if (change->has_new_extensions) {
        SLIM_TRY(slim_mls_group_check_external_senders(change->group,
                                                       slim_buf_view(&change->next->extensions)));
    }
    SLIM_TRY(
        slim_mls_tree_check_members(&change->next->tree, slim_buf_view(&change->next->extensions)));
    return slim_mls_tree_check_unique(&change->next->tree, &change->touched);
}

/* ---- key schedule */

void slim_mls_put_confirmed_input(struct slim_mls_out *out, const struct slim_mls_content *content)
{
    slim_mls_put_u16(out, (uint16_t)content->format);
    slim_mls_put_framed(out, content);
    slim_mls_put_opaque(out, content->signature);
}

enum slim_status slim_mls_change_finish(struct slim_mls_change *change, const uint8_t *init_secret,
                                        struct slim_view input)
{
    const struct slim_mls_suite *suite = change->group->suite;
    const struct slim_mls_epoch *old = change->group->epoch;
    struct slim_mls_epoch *next = change->next;
    slim_mls_confirmed_hash(suite, slim_view_of(old->interim, old->interim_len), input,
                            next->confirmed);
    next->confirmed_len = suite->hash_len;
    SLIM_TRY(slim_mls_epoch_set_context(next, slim_buf_view(&change->group->id)));
    uint8_t joiner[MLS_SECRET_MAX];
    slim_mls_joiner_secret(suite, init_secret, change->commit_secret, slim_buf_view(&next->context),
                           joiner);
    slim_mls_epoch_derive(suite, joiner, change->psk_secret, slim_buf_view(&next->context),
                          &next->secrets);
    slim_secret_wipe(joiner, sizeof(joiner));
    return slim_mls_epoch_begin(next, change->group->client->policy.skipped_key_count);
}
