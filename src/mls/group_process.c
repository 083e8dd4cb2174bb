/* Sending and receiving messages, receiving commits: RFC 9420 sections 6.1 to 6.3, 12.4.2, 15. */
#include "base/secret.h"
#include "mls/group.h"

void slim_mls_event_free(struct slim_mls_event *event)
{
    if (event != NULL) {
        slim_mls_buf_free(&event->data);
        slim_mls_buf_free(&event->authenticated_data);
        slim_secret_return(event->added);
        slim_secret_return(event->removed);
        *event = (struct slim_mls_event){0};
    }
}

/* ---- the cache of proposals */

const struct slim_mls_cached_proposal *
slim_mls_group_cached_find(const struct slim_mls_group *group, struct slim_view ref)
{
    for (size_t i = 0; i < group->proposal_count; i++) {
        if (slim_view_is_equal(ref,
                               slim_view_of(group->proposals[i].ref, group->suite->hash_len))) {
            return &group->proposals[i];
        }
    }
    return NULL;
}

static size_t cached_bytes(const struct slim_mls_group *group)
{
    size_t sum = 0;
    for (size_t i = 0; i < group->proposal_count; i++) {
        sum += group->proposals[i].bytes.len;
    }
    return sum;
}

enum slim_status slim_mls_group_cache_proposal(struct slim_mls_group *group,
                                               const struct slim_mls_content *content)
{
    if (group->proposal_count == MLS_CACHED_PROPOSAL_COUNT_MAX) {
        return SLIM_ERR_LIMIT;
    }
    struct slim_mls_cached_proposal item = {0};
    struct slim_mls_out out = {0};
    slim_mls_put_authenticated(&out, content);
    SLIM_TRY(slim_mls_out_give(&out, &item.bytes));
    slim_mls_ref_hash(group->suite, "MLS 1.0 Proposal Reference", slim_buf_view(&item.bytes),
                      item.ref);
    enum slim_status status = SLIM_OK;
    if (item.bytes.len > MLS_CACHED_PROPOSAL_BYTES_MAX - cached_bytes(group)) {
        status = SLIM_ERR_LIMIT;
    } else if (slim_mls_group_cached_find(group, slim_view_of(item.ref, group->suite->hash_len)) !=
               NULL) {
        status = SLIM_ERR_EXISTS;
    }
    struct slim_mls_cached_proposal *list = NULL;
    if (status == SLIM_OK) {
        list = slim_secret_resize(group->proposals, (group->proposal_count + 1) * sizeof(*list));
        status = list == NULL ? SLIM_ERR_NO_MEMORY : SLIM_OK;
    }
    if (status != SLIM_OK) {
        slim_buf_fini(&item.bytes);
        return status;
    }
    group->proposals = list;
    group->proposals[group->proposal_count++] = item;
    return SLIM_OK;
}

void slim_mls_group_uncache_proposal(struct slim_mls_group *group)
{
    slim_buf_fini(&group->proposals[--group->proposal_count].bytes);
}

/* ---- sending */

static enum slim_status encrypt(struct slim_mls_group *group, struct slim_view authenticated_data,
                                struct slim_view plaintext, struct slim_mls_out *out)
{
    struct slim_mls_epoch *epoch = group->epoch;
    uint8_t signature[SLIM_CRYPTO_SIGNATURE_MAX];
    size_t len;
    struct slim_mls_content content = {
        .format = MLS_WIRE_PRIVATE,
        .group_id = slim_buf_view(&group->id),
        .epoch = epoch->number,
        .sender_type = MLS_SENDER_MEMBER,
        .sender_index = epoch->own.leaf_index,
        .authenticated_data = authenticated_data,
        .content_type = MLS_CONTENT_APPLICATION,
        .body = plaintext,
    };
    SLIM_TRY(slim_mls_content_sign(group->suite, group->client->signature_key,
                                   slim_buf_view(&epoch->context), &content, signature, &len));
    content.signature = slim_view_of(signature, len);
    return slim_mls_group_put_message(group, &content, out);
}

enum slim_mls_status slim_mls_group_encrypt(struct slim_mls_group *group,
                                            struct slim_mls_view authenticated_data,
                                            struct slim_mls_view plaintext,
                                            struct slim_mls_buf *message)
{
    if (group->is_removed) {
        return SLIM_MLS_ERR_REMOVED;
    }
    if (group->proposal_count > 0 || slim_mls_epoch_is_closed(group->epoch)) {
        return SLIM_MLS_ERR_STATE;
    }
    if (plaintext.len > MLS_PLAINTEXT_BYTES_MAX ||
        authenticated_data.len > MLS_PLAINTEXT_BYTES_MAX - plaintext.len) {
        return SLIM_MLS_ERR_LIMIT; /* with all that comes around them the message stays below the bound */
    }
    struct slim_mls_out out = {0};
    struct slim_buf bytes = {0};
    enum slim_status status =
        encrypt(group, slim_mls_view_in(authenticated_data), slim_mls_view_in(plaintext), &out);
    if (status == SLIM_OK) {
        status = slim_mls_out_give(&out, &bytes);
    }
    slim_mls_out_fini(&out);
    if (status == SLIM_OK) {
        *message = slim_mls_buf_out(&bytes);
    }
    return slim_mls_status_out(status);
}

/* ---- who signed */

static enum slim_status external_sender_key(const struct slim_mls_group *group, uint32_t index,
                                            struct slim_view *key)
{
    struct slim_view data;
    struct slim_view list;
    if (!slim_mls_extension_find(slim_buf_view(&group->epoch->extensions),
                                 MLS_EXTENSION_EXTERNAL_SENDERS, &data)) {
        return SLIM_ERR_DENIED;
    }
    SLIM_TRY(slim_mls_take_opaque(&data, &list));
    struct slim_mls_credential credential;
    for (uint32_t i = 0; list.len > 0 && i < MLS_EXTERNAL_SENDER_COUNT_MAX; i++) {
        SLIM_TRY(slim_mls_take_opaque(&list, key));
        SLIM_TRY(slim_mls_take_credential(&list, &credential));
        if (i == index) {
            return SLIM_OK;
        }
    }
    return SLIM_ERR_DENIED;
}

/* The key of a sender that is no member signs in what it sends: an Add, or the leaf of its path. */
static enum slim_status new_member_key(const struct slim_mls_content *content,
                                       struct slim_view *key)
{
    struct slim_view in = content->body;
    if (content->sender_type == MLS_SENDER_NEW_PROPOSAL &&
        content->content_type == MLS_CONTENT_PROPOSAL) {
        struct slim_mls_proposal proposal;
        SLIM_TRY(slim_mls_take_proposal(&in, &proposal));
        if (proposal.type != MLS_PROPOSAL_ADD) {
            return SLIM_ERR_INVALID;
        }
        *key = proposal.u.add.leaf.signature_key;
        return SLIM_OK;
    }
    if (content->sender_type == MLS_SENDER_NEW_COMMIT &&
        content->content_type == MLS_CONTENT_COMMIT) {
        struct slim_mls_commit commit;
        SLIM_TRY(slim_mls_take_commit(&in, &commit));
        if (!commit.has_path) {
            return SLIM_ERR_INVALID;
        }
        *key = commit.path.leaf.signature_key;
        return SLIM_OK;
    }
    return SLIM_ERR_INVALID;
}

static enum slim_status check_signature(const struct slim_mls_group *group,
                                        const struct slim_mls_epoch *epoch,
                                        const struct slim_mls_content *content)
{
    struct slim_view key;
    if (content->sender_type == MLS_SENDER_MEMBER) {
        const struct slim_mls_node *leaf =
            slim_mls_tree_leaf_find(&epoch->tree, content->sender_index);
        if (leaf == NULL) {
            return SLIM_ERR_INVALID;
        }
        key = leaf->u.leaf.leaf.signature_key;
    } else if (content->sender_type == MLS_SENDER_EXTERNAL) {
        if (content->content_type != MLS_CONTENT_PROPOSAL) {
            return SLIM_ERR_INVALID;
        }
        SLIM_TRY(external_sender_key(group, content->sender_index, &key));
    } else {
        SLIM_TRY(new_member_key(content, &key));
    }
    return slim_mls_content_verify(group->suite, key, slim_buf_view(&epoch->context), content);
}

/* ---- commits */

/* The list of a change as the event tells it. */
static enum slim_status copy_indices(const struct slim_mls_indices *from, unsigned shift,
                                     uint32_t **list, size_t *count)
{
    if (from->count == 0) {
        return SLIM_OK;
    }
    uint32_t *made = slim_secret_take(1, from->count * sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < from->count; i++) {
        made[i] = from->items[i] >> shift;
    }
    *list = made;
    *count = from->count;
    return SLIM_OK;
}

/* HPKE of ExternalInit (section 8.3): the init secret of an external commit. */
static enum slim_status external_init_secret(const struct slim_mls_group *group,
                                             struct slim_view kem_output, uint8_t *init_secret)
{
    const struct slim_mls_suite *suite = group->suite;
    uint8_t private_key[MLS_KEM_PRIVATE_MAX];
    uint8_t public_key[MLS_KEM_PUBLIC_MAX];
    struct slim_mls_hpke_info info;
    struct slim_mls_hpke_context context;
    SLIM_TRY(slim_mls_hpke_info_init(suite, NULL, 0, (struct slim_mls_hpke_psk){0}, &info));
    SLIM_TRY(slim_mls_hpke_derive_key_pair(
        suite, slim_view_of(group->epoch->secrets.external, suite->hash_len), private_key,
        public_key));
    enum slim_status status = slim_mls_hpke_setup_receiver(
        suite, private_key, slim_view_of(public_key, slim_crypto_dh_public_len(suite->curve)),
        kem_output, &info, &context);
    if (status == SLIM_OK) {
        slim_mls_hpke_export(suite, &context, SLIM_VIEW("MLS 1.0 external init secret"),
                             init_secret, suite->hash_len);
    }
    slim_secret_wipe(private_key, sizeof(private_key));
    slim_secret_wipe(&context, sizeof(context));
    return status;
}

/* Before the path of an external commit: its leaf takes a place. */
static enum slim_status place_new_leaf(struct slim_mls_change *change,
                                       const struct slim_mls_leaf *leaf)
{
    struct slim_mls_epoch *next = change->next;
    SLIM_TRY(slim_mls_tree_add_leaf(&next->tree, leaf->bytes, &change->committer));
    return SLIM_OK;
}

/* The leaf that the committer's new one replaces; NULL for somebody new. */
static const struct slim_mls_node *replaced_leaf(const struct slim_mls_change *change)
{
    const struct slim_mls_tree *tree = &change->group->epoch->tree;
    if (!change->is_external) {
        return slim_mls_tree_leaf_find(tree, change->committer);
    }
    return change->removed.count > 0 ? slim_mls_tree_leaf_find(tree, change->removed.items[0])
                                     : NULL;
}

/* What of a path everybody can check and do: the committer's new leaf, and the keys of the nodes above it. */
static enum slim_status apply_public_path(struct slim_mls_change *change,
                                          const struct slim_mls_update_path *path,
                                          struct slim_mls_path_steps *steps)
{
    struct slim_mls_epoch *next = change->next;
    uint8_t identity[MLS_IDENTITY_LEN];
    if (change->is_external) {
        SLIM_TRY(place_new_leaf(change, &path->leaf));
    }
    SLIM_TRY(slim_mls_change_check_leaf(change, change->committer, &path->leaf,
                                        replaced_leaf(change), identity));
    SLIM_TRY(slim_mls_path_apply(&next->tree, change->committer, path, steps));
    memcpy(slim_mls_tree_leaf_find(&next->tree, change->committer)->u.leaf.identity, identity,
           sizeof(identity));
    SLIM_TRY(slim_mls_indices_put(&change->touched, 2 * change->committer));
    for (size_t i = 0; i < steps->count; i++) {
        SLIM_TRY(slim_mls_indices_put(&change->touched, steps->items[i].node));
    }
    return SLIM_OK;
}

static enum slim_status apply_path(struct slim_mls_change *change,
                                   const struct slim_mls_update_path *path)
{
    struct slim_mls_epoch *next = change->next;
    struct slim_mls_path_steps steps;
    SLIM_TRY(apply_public_path(change, path, &steps));
    slim_mls_private_prune(&next->own, &next->tree);
    SLIM_TRY(slim_mls_epoch_set_context(next, slim_buf_view(&change->group->id)));

    size_t from;
    uint8_t path_secret[MLS_SECRET_MAX];
    SLIM_TRY(slim_mls_path_decrypt(&next->tree, &next->own, path, &steps, &change->added,
                                   slim_buf_view(&next->context), &from, path_secret));
    enum slim_status status = slim_mls_path_follow(&next->own, &next->tree, &steps, from,
                                                   path_secret, change->commit_secret);
    slim_secret_wipe(path_secret, sizeof(path_secret));
    return status;
}

/* We are removed, so no key of the new epoch can be had, nor the confirmation tag be checked. A member's commit is proven by its
 * membership tag; an external one only by its new leaf, which must be one that may take our place. */
static enum slim_status accept_removal(struct slim_mls_change *change,
                                       const struct slim_mls_commit *commit)
{
    struct slim_mls_path_steps steps;
    if (!change->is_external) {
        return SLIM_OK;
    }
    SLIM_TRY(apply_public_path(change, &commit->path, &steps));
    return slim_mls_change_check_tree(change);
}

static enum slim_status run_commit(struct slim_mls_change *change,
                                   const struct slim_mls_content *content)
{
    struct slim_mls_group *group = change->group;
    struct slim_view in = content->body;
    struct slim_mls_commit commit;
    SLIM_TRY(slim_mls_take_commit(&in, &commit));
    SLIM_TRY(slim_mls_change_collect(change, commit.proposals));
    if (change->needs_path && !commit.has_path) {
        return SLIM_ERR_INVALID;
    }
    SLIM_TRY(slim_mls_change_apply(change));
    if (change->removes_us) {
        return accept_removal(change, &commit);
    }
    if (commit.has_path) {
        SLIM_TRY(apply_path(change, &commit.path));
    }
    SLIM_TRY(slim_mls_change_check_tree(change));

    uint8_t init_secret[MLS_SECRET_MAX];
    enum slim_status status = SLIM_OK;
    if (change->is_external) {
        status = external_init_secret(group, change->kem_output, init_secret);
    } else {
        memcpy(init_secret, group->epoch->secrets.init, sizeof(init_secret));
    }
    struct slim_mls_out input = {0};
    slim_mls_put_confirmed_input(&input, content);
    if (status == SLIM_OK) {
        status = input.status;
    }
    if (status == SLIM_OK) {
        status = slim_mls_change_finish(change, init_secret, slim_mls_out_view(&input));
    }
    slim_secret_wipe(init_secret, sizeof(init_secret));
    slim_mls_out_fini(&input);
    SLIM_TRY(status);
    bool is_confirmed =
        content->confirmation_tag.len == group->suite->hash_len &&
        slim_secret_is_equal(content->confirmation_tag.data, change->next->confirmation_tag,
                             group->suite->hash_len);
    return is_confirmed ? SLIM_OK : SLIM_ERR_MAC;
}

static enum slim_status process_commit(struct slim_mls_group *group,
                                       const struct slim_mls_content *content,
                                       struct slim_mls_event *event)
{
    struct slim_mls_change change;
    slim_mls_change_init(&change, group);
    change.is_external = content->sender_type == MLS_SENDER_NEW_COMMIT;
    change.committer = change.is_external ? UINT32_MAX : content->sender_index;
    enum slim_status status = run_commit(&change, content);
    if (status == SLIM_OK) {
        status = copy_indices(&change.added, 1, &event->added, &event->added_count);
    }
    if (status == SLIM_OK) {
        status = copy_indices(&change.removed, 0, &event->removed, &event->removed_count);
    }
    if (status == SLIM_OK && change.removes_us) {
        event->kind = SLIM_MLS_EVENT_REMOVED;
        group->is_removed = true;
        slim_mls_group_commit_cancel(group);
    } else if (status == SLIM_OK) {
        event->kind = SLIM_MLS_EVENT_COMMIT;
        event->sender_leaf = change.committer;
        slim_mls_group_swap(group, change.next);
        change.next = NULL;
    }
    slim_mls_change_fini(&change);
    return status;
}

/* ---- receiving */

static struct slim_mls_epoch *epoch_find(struct slim_mls_group *group, uint64_t number)
{
    if (group->epoch->number == number) {
        return group->epoch;
    }
    for (size_t i = 0; i < group->past_count; i++) {
        if (group->past[i]->number == number) {
            return group->past[i];
        }
    }
    return NULL;
}

static enum slim_status check_epoch(struct slim_mls_group *group, struct slim_view group_id,
                                    uint64_t number, bool is_application,
                                    struct slim_mls_epoch **epoch)
{
    if (!slim_view_is_equal(group_id, slim_buf_view(&group->id))) {
        return SLIM_ERR_NOT_FOUND;
    }
    if (group->is_removed) {
        return SLIM_ERR_REMOVED;
    }
    if (number > group->epoch->number) {
        return SLIM_ERR_FUTURE;
    }
    slim_mls_group_prune(group);
    struct slim_mls_epoch *found = epoch_find(group, number);
    if (found == NULL || (!is_application && found != group->epoch)) {
        return SLIM_ERR_STALE;
    }
    *epoch = found;
    return SLIM_OK;
}

static void describe(const struct slim_mls_content *content, struct slim_mls_event *event)
{
    event->epoch = content->epoch;
    event->sender_leaf = content->sender_index;
    if (content->sender_type == MLS_SENDER_MEMBER) {
        event->sender = SLIM_MLS_SENDER_MEMBER;
    } else if (content->sender_type == MLS_SENDER_EXTERNAL) {
        event->sender = SLIM_MLS_SENDER_EXTERNAL;
    } else {
        event->sender = SLIM_MLS_SENDER_NEW_MEMBER;
        event->sender_leaf = UINT32_MAX;
    }
}

static enum slim_status copy_bytes(struct slim_view from, struct slim_mls_buf *to)
{
    struct slim_buf buf = {0};
    if (from.len > 0) {
        SLIM_TRY(slim_buf_put(&buf, from));
    }
    *to = slim_mls_buf_out(&buf);
    return SLIM_OK;
}

/* The leaf that an Add or Update would bring in, its credential included (section 5.3.1). leaf_index is UINT32_MAX for an Add. */
static enum slim_status check_proposed_leaf(struct slim_mls_group *group, uint32_t leaf_index,
                                            const struct slim_mls_leaf *leaf)
{
    struct slim_mls_change change;
    uint8_t identity[MLS_IDENTITY_LEN];
    slim_mls_change_init(&change, group);
    enum slim_status status = slim_mls_change_check_leaf(
        &change, leaf_index, leaf, slim_mls_tree_leaf_find(&group->epoch->tree, leaf_index),
        identity);
    slim_mls_change_fini(&change);
    return status;
}

/* What can be said of a proposal before a commit names it. A bad one that were kept would spoil our own next commit, and until
 * then keep us from encrypting. */
static enum slim_status check_proposal(struct slim_mls_group *group,
                                       const struct slim_mls_content *content)
{
    struct slim_view in = content->body;
    struct slim_mls_proposal proposal;
    SLIM_TRY(slim_mls_take_proposal(&in, &proposal));
    switch (proposal.type) {
    case MLS_PROPOSAL_ADD:
        SLIM_TRY(slim_mls_key_package_check(group->suite, &proposal.u.add));
        return check_proposed_leaf(group, UINT32_MAX, &proposal.u.add.leaf);
    case MLS_PROPOSAL_UPDATE:
        if (content->sender_type != MLS_SENDER_MEMBER ||
            proposal.u.update.source != MLS_LEAF_UPDATE) {
            return SLIM_ERR_INVALID;
        }
        return check_proposed_leaf(group, content->sender_index, &proposal.u.update);
    case MLS_PROPOSAL_REMOVE:
        return slim_mls_tree_leaf_find(&group->epoch->tree, proposal.u.removed) != NULL
                   ? SLIM_OK
                   : SLIM_ERR_INVALID;
    case MLS_PROPOSAL_PSK:
        return proposal.u.psk.nonce.len == group->suite->hash_len ? SLIM_OK : SLIM_ERR_INVALID;
    case MLS_PROPOSAL_REINIT:
        return proposal.u.reinit.version >= MLS_VERSION_10 ? SLIM_OK : SLIM_ERR_INVALID;
    case MLS_PROPOSAL_EXTERNAL_INIT:
        return SLIM_ERR_INVALID; /* only inline, in an external commit */
    case MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
        return slim_mls_extensions_have_duplicate(proposal.u.extensions) ? SLIM_ERR_INVALID
                                                                         : SLIM_OK;
    }
    return SLIM_ERR_INVALID;
}

/* A proposal or commit whose signature holds. */
static enum slim_status take_handshake(struct slim_mls_group *group,
                                       const struct slim_mls_content *content,
                                       struct slim_mls_event *event)
{
    if (slim_mls_epoch_is_closed(group->epoch)) {
        return SLIM_ERR_STATE;
    }
    if (content->sender_type == MLS_SENDER_MEMBER &&
        content->sender_index == group->epoch->own.leaf_index) {
        return SLIM_ERR_STATE; /* ours, come back: known already */
    }
    bool is_moderator = content->sender_type == MLS_SENDER_MEMBER &&
                        content->sender_index == SLIM_MLS_MODERATOR_LEAF;
    if (group->client->policy.moderated &&
        (!is_moderator || content->content_type != MLS_CONTENT_COMMIT)) {
        return SLIM_ERR_DENIED;
    }
    if (content->content_type == MLS_CONTENT_COMMIT) {
        return process_commit(group, content, event);
    }
    SLIM_TRY(check_proposal(group, content));
    event->kind = SLIM_MLS_EVENT_PROPOSAL;
    event->proposal_type = (uint16_t)(content->body.data[0] << 8 | content->body.data[1]);
    enum slim_status status = slim_mls_group_cache_proposal(group, content);
    return status == SLIM_ERR_EXISTS ? SLIM_ERR_REPLAYED : status;
}

static enum slim_status process_public(struct slim_mls_group *group, struct slim_view in,
                                       struct slim_mls_event *event)
{
    struct slim_mls_content content;
    struct slim_view tag;
    struct slim_mls_epoch *epoch;
    SLIM_TRY(slim_mls_take_public(&in, &content, &tag));
    if (in.len > 0) {
        return SLIM_ERR_MALFORMED;
    }
    if (content.content_type == MLS_CONTENT_APPLICATION) {
        return SLIM_ERR_INVALID; /* section 6.2 */
    }
    SLIM_TRY(check_epoch(group, content.group_id, content.epoch, false, &epoch));
    if (content.sender_type == MLS_SENDER_MEMBER) {
        SLIM_TRY(slim_mls_membership_check(group->suite, epoch->secrets.membership,
                                           slim_buf_view(&epoch->context), &content, tag));
    }
    SLIM_TRY(check_signature(group, epoch, &content));
    describe(&content, event);
    SLIM_TRY(copy_bytes(content.authenticated_data, &event->authenticated_data));
    return take_handshake(group, &content, event);
}

/* Whom slim_mls_group_open asks about the sender. */
struct acceptance {
    slim_mls_accept *accept;
    void *context;
};

/* Decrypted and signed: the key is used up last, so that a message refused on the way can come again. */
static enum slim_status
take_private_content(struct slim_mls_group *group, struct slim_mls_epoch *epoch,
                     const struct slim_mls_content *content, uint32_t generation,
                     const struct acceptance *acceptance, struct slim_mls_event *event)
{
    enum slim_mls_ratchet_kind kind = slim_mls_ratchet_of(content->content_type);
    SLIM_TRY(check_signature(group, epoch, content));
    if (acceptance != NULL) {
        SLIM_TRY((enum slim_status)acceptance->accept(acceptance->context, content->sender_index,
                                                      content->epoch));
    }
    describe(content, event);
    SLIM_TRY(copy_bytes(content->authenticated_data, &event->authenticated_data));
    if (content->content_type == MLS_CONTENT_APPLICATION) {
        SLIM_TRY(copy_bytes(content->body, &event->data));
        event->kind = SLIM_MLS_EVENT_APPLICATION;
        return slim_mls_secret_tree_use(&epoch->messages, content->sender_index, kind, generation);
    }
    if (content->content_type == MLS_CONTENT_COMMIT) {
        return take_handshake(group, content, event); /* the epoch, and its keys with it, is over */
    }
    SLIM_TRY(take_handshake(group, content, event));
    enum slim_status status =
        slim_mls_secret_tree_use(&epoch->messages, content->sender_index, kind, generation);
    if (status != SLIM_OK) {
        slim_mls_group_uncache_proposal(group);
    }
    return status;
}

static enum slim_status process_private(struct slim_mls_group *group, struct slim_view in,
                                        const struct acceptance *acceptance,
                                        struct slim_mls_event *event)
{
    struct slim_mls_private_message message;
    struct slim_mls_epoch *epoch;
    SLIM_TRY(slim_mls_take_private(&in, &message));
    if (in.len > 0) {
        return SLIM_ERR_MALFORMED;
    }
    if (acceptance != NULL && message.content_type != MLS_CONTENT_APPLICATION) {
        return SLIM_ERR_INVALID;
    }
    SLIM_TRY(check_epoch(group, message.group_id, message.epoch,
                         message.content_type == MLS_CONTENT_APPLICATION, &epoch));
    struct slim_buf plain = {0};
    struct slim_mls_content content;
    uint32_t generation;
    enum slim_status status =
        slim_mls_private_open(group->suite, &epoch->messages, epoch->secrets.sender_data, &message,
                              &plain, &content, &generation);
    if (status == SLIM_OK) {
        status = take_private_content(group, epoch, &content, generation, acceptance, event);
    }
    slim_buf_wipe(&plain);
    return status;
}

static enum slim_mls_status process(struct slim_mls_group *group, struct slim_mls_view message,
                                    const struct acceptance *acceptance,
                                    struct slim_mls_event *event)
{
    if (message.len > MLS_MESSAGE_BYTES_MAX) {
        return SLIM_MLS_ERR_LIMIT;
    }
    struct slim_view in = slim_mls_view_in(message);
    struct slim_mls_event got = {.sender_leaf = UINT32_MAX};
    enum slim_mls_wire_format format;
    enum slim_status status = slim_mls_take_message_head(&in, &format);
    if (status == SLIM_OK && format == MLS_WIRE_PRIVATE) {
        status = process_private(group, in, acceptance, &got);
    } else if (status == SLIM_OK && format == MLS_WIRE_PUBLIC && acceptance == NULL) {
        status = process_public(group, in, &got);
    } else if (status == SLIM_OK) {
        status = SLIM_ERR_INVALID;
    }
    if (status != SLIM_OK) {
        slim_mls_event_free(&got);
        return slim_mls_status_out(status);
    }
    *event = got;
    return SLIM_MLS_OK;
}

enum slim_mls_status slim_mls_group_process(struct slim_mls_group *group,
                                            struct slim_mls_view message,
                                            struct slim_mls_event *event)
{
    return process(group, message, NULL, event);
}

enum slim_mls_status slim_mls_group_open(struct slim_mls_group *group, struct slim_mls_view message,
                                         slim_mls_accept *accept, void *context,
                                         struct slim_mls_event *event)
{
    const struct acceptance acceptance = {accept, context};
    return process(group, message, &acceptance, event);
}
