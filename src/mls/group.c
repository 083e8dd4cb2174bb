/* Epochs and groups: their life, and looking at them. */
#include "mls/group.h"

#include "base/secret.h"

/* ---- epochs */

enum slim_status slim_mls_epoch_new(struct slim_mls_epoch **epoch)
{
    struct slim_mls_epoch *made = slim_secret_take(1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    *epoch = made;
    return SLIM_OK;
}

bool slim_mls_epoch_is_closed(const struct slim_mls_epoch *epoch)
{
    return epoch->reinit.len > 0;
}

void slim_mls_epoch_free(struct slim_mls_epoch *epoch)
{
    if (epoch == NULL) {
        return;
    }
    slim_buf_fini(&epoch->reinit);
    slim_buf_fini(&epoch->extensions);
    slim_buf_fini(&epoch->context);
    slim_mls_tree_fini(&epoch->tree);
    slim_mls_secret_tree_fini(&epoch->messages);
    slim_secret_wipe(epoch, sizeof(*epoch));
    slim_secret_return(epoch);
}

enum slim_status slim_mls_epoch_next(const struct slim_mls_epoch *from,
                                     struct slim_mls_epoch **next)
{
    if (from->number == UINT64_MAX) {
        return SLIM_ERR_LIMIT;
    }
    struct slim_mls_epoch *made;
    SLIM_TRY(slim_mls_epoch_new(&made));
    made->number = from->number + 1;
    made->own = from->own;
    memcpy(made->confirmed, from->confirmed, sizeof(made->confirmed));
    made->confirmed_len = from->confirmed_len;
    enum slim_status status = slim_buf_put(&made->extensions, slim_buf_view(&from->extensions));
    if (status == SLIM_OK) {
        status = slim_mls_tree_clone(&from->tree, &made->tree);
    }
    if (status != SLIM_OK) {
        slim_mls_epoch_free(made);
        return status;
    }
    *next = made;
    return SLIM_OK;
}

enum slim_status slim_mls_epoch_set_context(struct slim_mls_epoch *epoch, struct slim_view group_id)
{
    const struct slim_mls_suite *suite = epoch->tree.suite;
    const uint8_t *tree_hash;
    SLIM_TRY(slim_mls_tree_root_hash(&epoch->tree, &tree_hash));
    struct slim_mls_context context = {
        .version = MLS_VERSION_10,
        .suite = suite->id,
        .group_id = group_id,
        .epoch = epoch->number,
        .tree_hash = slim_view_of(tree_hash, suite->hash_len),
        .confirmed_transcript_hash = slim_view_of(epoch->confirmed, epoch->confirmed_len),
        .extensions = slim_buf_view(&epoch->extensions),
    };
    struct slim_mls_out out = {0};
    struct slim_buf made = {0};
    slim_mls_put_context(&out, &context);
    SLIM_TRY(slim_mls_out_give(&out, &made));
    slim_buf_fini(&epoch->context);
    epoch->context = made;
    return SLIM_OK;
}

enum slim_status slim_mls_epoch_begin(struct slim_mls_epoch *epoch, uint32_t skipped_max)
{
    const struct slim_mls_suite *suite = epoch->tree.suite;
    struct slim_view confirmed = slim_view_of(epoch->confirmed, epoch->confirmed_len);
    SLIM_TRY(slim_mls_secret_tree_init(&epoch->messages, suite, epoch->tree.leaf_count, skipped_max,
                                       epoch->secrets.encryption));
    slim_secret_wipe(epoch->secrets.encryption, sizeof(epoch->secrets.encryption));
    slim_mls_mac(suite, epoch->secrets.confirmation, confirmed, epoch->confirmation_tag);
    slim_mls_interim_hash(suite, confirmed, slim_view_of(epoch->confirmation_tag, suite->hash_len),
                          epoch->interim);
    epoch->interim_len = suite->hash_len;
    return SLIM_OK;
}

/* Keep of an ended epoch what late messages need: everything else goes. */
static void epoch_retire(struct slim_mls_epoch *epoch, uint64_t now_s)
{
    uint8_t sender_data[MLS_SECRET_MAX];
    epoch->ended_s = now_s;
    memcpy(sender_data, epoch->secrets.sender_data, sizeof(sender_data));
    slim_secret_wipe(&epoch->secrets, sizeof(epoch->secrets));
    memcpy(epoch->secrets.sender_data, sender_data, sizeof(sender_data));
    slim_secret_wipe(sender_data, sizeof(sender_data));
    uint32_t leaf_index = epoch->own.leaf_index;
    slim_secret_wipe(&epoch->own, sizeof(epoch->own));
    epoch->own.leaf_index = leaf_index;
    slim_mls_tree_shed(&epoch->tree);
}

/* ---- groups */

enum slim_status slim_mls_group_new(struct slim_mls_client *client, struct slim_view id,
                                    struct slim_mls_group **group)
{
    struct slim_mls_group *made = slim_secret_take(1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    made->client = client;
    made->suite = client->suite;
    made->next_of_client = client->groups;
    client->groups = made;
    enum slim_status status = slim_buf_put(&made->id, id);
    if (status != SLIM_OK) {
        slim_mls_group_free(made);
        return status;
    }
    *group = made;
    return SLIM_OK;
}

struct slim_mls_group *slim_mls_client_group_find(const struct slim_mls_client *client,
                                                  struct slim_view id)
{
    struct slim_mls_group *group = client->groups;
    while (group != NULL &&
           (group->epoch == NULL || group->is_removed || slim_mls_epoch_is_closed(group->epoch) ||
            !slim_view_is_equal(slim_buf_view(&group->id), id))) {
        group = group->next_of_client;
    }
    return group;
}

static void leave_client(struct slim_mls_group *group)
{
    struct slim_mls_group **link = &group->client->groups;
    while (*link != group) {
        link = &(*link)->next_of_client;
    }
    *link = group->next_of_client;
}

static void updates_clear(struct slim_mls_group *group)
{
    slim_secret_wipe(group->updates, group->update_count * sizeof(*group->updates));
    slim_secret_return(group->updates);
    group->updates = NULL;
    group->update_count = 0;
}

void slim_mls_group_proposals_clear(struct slim_mls_group *group)
{
    for (size_t i = 0; i < group->proposal_count; i++) {
        slim_buf_fini(&group->proposals[i].bytes);
    }
    slim_secret_return(group->proposals);
    group->proposals = NULL;
    group->proposal_count = 0;
    updates_clear(group);
}

bool slim_mls_group_is_ours_to_change(const struct slim_mls_group *group)
{
    return !group->client->policy.moderated ||
           group->epoch->own.leaf_index == SLIM_MLS_MODERATOR_LEAF;
}

size_t slim_mls_group_proposal_count(const struct slim_mls_group *group)
{
    return group->proposal_count;
}

void slim_mls_group_free(struct slim_mls_group *group)
{
    if (group == NULL) {
        return;
    }
    leave_client(group);
    slim_mls_epoch_free(group->epoch);
    slim_mls_epoch_free(group->pending);
    for (size_t i = 0; i < group->past_count; i++) {
        slim_mls_epoch_free(group->past[i]);
    }
    slim_mls_group_proposals_clear(group);
    slim_buf_fini(&group->id);
    slim_secret_wipe(group, sizeof(*group));
    slim_secret_return(group);
}

static void drop_past(struct slim_mls_group *group)
{
    slim_mls_epoch_free(group->past[--group->past_count]);
    group->past[group->past_count] = NULL;
}

void slim_mls_group_prune(struct slim_mls_group *group)
{
    const struct slim_mls_policy *policy = &group->client->policy;
    uint64_t now_s = slim_mls_client_now(group->client);
    while (group->past_count > 0) {
        const struct slim_mls_epoch *oldest = group->past[group->past_count - 1];
        bool is_old = now_s > oldest->ended_s && now_s - oldest->ended_s > policy->past_epoch_age_s;
        if (!is_old && group->past_count <= policy->past_epoch_count) {
            return;
        }
        drop_past(group);
    }
}

void slim_mls_group_note_resumption(struct slim_mls_group *group)
{
    size_t max = (size_t)group->client->policy.past_epoch_count + 1;
    size_t keep = group->resumption_count < max ? group->resumption_count : max - 1;
    memmove(&group->resumptions[1], &group->resumptions[0], keep * sizeof(*group->resumptions));
    group->resumptions[0].epoch = group->epoch->number;
    memcpy(group->resumptions[0].secret, group->epoch->secrets.resumption, MLS_SECRET_MAX);
    size_t count = keep + 1;
    if (group->resumption_count > count) { /* after a load under another policy */
        slim_secret_wipe(&group->resumptions[count],
                         (group->resumption_count - count) * sizeof(*group->resumptions));
    }
    group->resumption_count = count;
}

void slim_mls_group_swap(struct slim_mls_group *group, struct slim_mls_epoch *next)
{
    const struct slim_mls_policy *policy = &group->client->policy;
    if (policy->past_epoch_count > 0) {
        while (group->past_count >=
               policy->past_epoch_count) { /* more than one after a load under another policy */
            drop_past(group);
        }
        memmove(&group->past[1], &group->past[0], group->past_count * sizeof(group->past[0]));
        epoch_retire(group->epoch, slim_mls_client_now(group->client));
        group->past[0] = group->epoch;
        group->past_count++;
    } else {
        slim_mls_epoch_free(group->epoch);
    }
    slim_secret_wipe(next->secrets.joiner,
                     sizeof(next->secrets.joiner)); /* only the Welcome needed them */
    slim_secret_wipe(next->secrets.welcome, sizeof(next->secrets.welcome));
    group->epoch = next;
    if (group->pending != next) {
        slim_mls_epoch_free(group->pending);
    }
    group->pending = NULL;
    slim_mls_group_proposals_clear(group);
    slim_mls_group_note_resumption(group);
    slim_mls_group_prune(group);
}

static enum slim_status create(struct slim_mls_group *group, struct slim_view extensions)
{
    struct slim_mls_client *client = group->client;
    struct slim_mls_epoch *epoch;
    SLIM_TRY(slim_mls_epoch_new(&epoch));
    group->epoch = epoch;
    struct slim_view walk = extensions;
    struct slim_mls_extension extension;
    while (walk.len > 0) {
        SLIM_TRY(slim_mls_take_extension(&walk, &extension));
    }
    if (slim_mls_extensions_have_duplicate(extensions)) {
        return SLIM_ERR_INVALID;
    }
    SLIM_TRY(slim_buf_put(&epoch->extensions, extensions));
    SLIM_TRY(slim_mls_tree_init(&epoch->tree, group->suite));

    struct slim_mls_own_package package; /* its leaf is the form that our leaf has to have */
    SLIM_TRY(slim_mls_client_make_package(client, &package));
    struct slim_view in = slim_buf_view(&package.bytes);
    struct slim_mls_key_package decoded;
    enum slim_status status = slim_mls_take_key_package(&in, &decoded);
    if (status == SLIM_OK) {
        status = slim_mls_tree_add_leaf(&epoch->tree, decoded.leaf.bytes, &epoch->own.leaf_index);
    }
    if (status == SLIM_OK) {
        memcpy(epoch->own.keys[0], package.encryption_key, sizeof(package.encryption_key));
        epoch->own.is_known[0] = true;
        struct slim_mls_node *leaf = slim_mls_tree_leaf_find(&epoch->tree, 0);
        status = slim_mls_client_check(client, SLIM_MLS_CHECK_ADD, slim_buf_view(&group->id), 0,
                                       &leaf->u.leaf.leaf, NULL, leaf->u.leaf.identity);
    }
    slim_mls_own_package_fini(&package);
    SLIM_TRY(status);
    SLIM_TRY(slim_mls_group_check_external_senders(group, extensions));
    SLIM_TRY(slim_mls_tree_check_members(&epoch->tree, extensions));

    uint8_t epoch_secret[MLS_SECRET_MAX];
    client->random.fill(client->random.context, epoch_secret, sizeof(epoch_secret));
    slim_mls_epoch_expand(group->suite, epoch_secret, &epoch->secrets);
    slim_secret_wipe(epoch_secret, sizeof(epoch_secret));
    SLIM_TRY(slim_mls_epoch_set_context(epoch, slim_buf_view(&group->id)));
    SLIM_TRY(slim_mls_epoch_begin(epoch, client->policy.skipped_key_count));
    slim_mls_group_note_resumption(group);
    return SLIM_OK;
}

enum slim_mls_status slim_mls_group_create(struct slim_mls_client *client,
                                           const struct slim_mls_group_config *config,
                                           struct slim_mls_group **made)
{
    uint8_t id[MLS_SECRET_MAX];
    struct slim_view given =
        config == NULL ? (struct slim_view){0} : slim_mls_view_in(config->group_id);
    if (given.len == 0) {
        client->random.fill(client->random.context, id, sizeof(id));
        given = slim_view_of(id, client->suite->hash_len);
    }
    struct slim_mls_group *group;
    enum slim_status status = slim_mls_group_new(client, given, &group);
    if (status != SLIM_OK) {
        return slim_mls_status_out(status);
    }
    status = create(group,
                    config == NULL ? (struct slim_view){0} : slim_mls_view_in(config->extensions));
    if (status != SLIM_OK) {
        slim_mls_group_free(group);
        return slim_mls_status_out(status);
    }
    *made = group;
    return SLIM_MLS_OK;
}

/* ---- looking */

struct slim_mls_view slim_mls_group_id(const struct slim_mls_group *group)
{
    return slim_mls_view_out(slim_buf_view(&group->id));
}

uint64_t slim_mls_group_epoch(const struct slim_mls_group *group)
{
    return group->epoch->number;
}

uint32_t slim_mls_group_own_leaf(const struct slim_mls_group *group)
{
    return group->epoch->own.leaf_index;
}

struct slim_mls_view slim_mls_group_epoch_authenticator(const struct slim_mls_group *group)
{
    return slim_mls_view_out(
        slim_view_of(group->epoch->secrets.authenticator, group->suite->hash_len));
}

struct slim_mls_view slim_mls_group_tree_hash(const struct slim_mls_group *group)
{
    const struct slim_mls_tree *tree =
        &group->epoch->tree; /* hashed when the context of the epoch was made */
    return slim_mls_view_out(slim_view_of(
        tree->hashes + (size_t)slim_mls_node_root(tree->leaf_count) * group->suite->hash_len,
        group->suite->hash_len));
}

struct slim_mls_view slim_mls_group_confirmed_transcript_hash(const struct slim_mls_group *group)
{
    return slim_mls_view_out(slim_view_of(group->epoch->confirmed, group->epoch->confirmed_len));
}

struct slim_mls_view slim_mls_group_extensions(const struct slim_mls_group *group)
{
    return slim_mls_view_out(slim_buf_view(&group->epoch->extensions));
}

uint32_t slim_mls_group_member_count(const struct slim_mls_group *group)
{
    return slim_mls_tree_member_count(&group->epoch->tree);
}

uint32_t slim_mls_group_leaf_count(const struct slim_mls_group *group)
{
    return group->epoch->tree.leaf_count;
}

enum slim_mls_status slim_mls_group_member(const struct slim_mls_group *group, uint32_t leaf_index,
                                           struct slim_mls_member *member)
{
    const struct slim_mls_node *leaf = slim_mls_tree_leaf_find(&group->epoch->tree, leaf_index);
    if (leaf == NULL) {
        return SLIM_MLS_ERR_NOT_FOUND;
    }
    const struct slim_mls_credential *credential = &leaf->u.leaf.leaf.credential;
    member->leaf_index = leaf_index;
    member->credential.type = credential->type;
    member->credential.data = slim_mls_view_out(
        credential->type == MLS_CREDENTIAL_BASIC ? credential->identity : credential->certificates);
    member->signature_key = slim_mls_view_out(leaf->u.leaf.leaf.signature_key);
    return SLIM_MLS_OK;
}

enum slim_mls_status slim_mls_group_tree(const struct slim_mls_group *group,
                                         struct slim_mls_buf *tree)
{
    struct slim_mls_out out = {0};
    struct slim_buf bytes = {0};
    size_t mark = slim_mls_put_begin(&out);
    slim_mls_tree_put(&out, &group->epoch->tree);
    slim_mls_put_end(&out, mark);
    enum slim_status status = slim_mls_out_give(&out, &bytes);
    if (status == SLIM_OK) {
        *tree = slim_mls_buf_out(&bytes);
    }
    return slim_mls_status_out(status);
}

enum slim_mls_status slim_mls_group_export(const struct slim_mls_group *group,
                                           struct slim_mls_view label, struct slim_mls_view context,
                                           uint8_t *out, size_t len)
{
    if (len > 255 * group->suite->hash_len || label.len > UINT16_MAX) {
        return SLIM_MLS_ERR_ARGUMENT;
    }
    slim_mls_exporter(group->suite, group->epoch->secrets.exporter, slim_mls_view_in(label),
                      slim_mls_view_in(context), out, len);
    return SLIM_MLS_OK;
}

enum slim_mls_status slim_mls_group_resumption_psk(const struct slim_mls_group *group,
                                                   uint64_t epoch,
                                                   uint8_t psk[SLIM_MLS_SECRET_BYTES_MAX],
                                                   size_t *len)
{
    for (size_t i = 0; i < group->resumption_count; i++) {
        if (group->resumptions[i].epoch == epoch) {
            memcpy(psk, group->resumptions[i].secret, group->suite->hash_len);
            *len = group->suite->hash_len;
            return SLIM_MLS_OK;
        }
    }
    return SLIM_MLS_ERR_STALE;
}

enum slim_status slim_mls_psk_find(const struct slim_mls_client *client,
                                   const struct slim_mls_group *group,
                                   const struct slim_mls_psk_id *id,
                                   uint8_t psk[SLIM_MLS_PSK_BYTES_MAX], size_t *len)
{
    if (group != NULL && id->type == MLS_PSK_RESUMPTION &&
        slim_view_is_equal(id->group_id, slim_buf_view(&group->id))) {
        return slim_mls_group_resumption_psk(group, id->epoch, psk, len) == SLIM_MLS_OK
                   ? SLIM_OK
                   : SLIM_ERR_NOT_FOUND;
    }
    if (client->callbacks.find_psk == NULL) {
        return SLIM_ERR_NOT_FOUND;
    }
    struct slim_mls_psk_request request = {
        .type = id->type == MLS_PSK_EXTERNAL ? SLIM_MLS_PSK_EXTERNAL : SLIM_MLS_PSK_RESUMPTION,
        .id = slim_mls_view_out(id->external_id),
        .group_id = slim_mls_view_out(id->group_id),
        .epoch = id->epoch,
        .usage = id->usage,
    };
    SLIM_TRY((enum slim_status)client->callbacks.find_psk(client->callbacks.context, &request, psk,
                                                          len));
    return *len <= SLIM_MLS_PSK_BYTES_MAX ? SLIM_OK : SLIM_ERR_LIMIT;
}
