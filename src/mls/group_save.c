/* A group as bytes and back. Our own form: numbers and vectors as in RFC 9420, a version in front. It holds every secret. */
#include "base/secret.h"
#include "mls/group.h"

enum { STATE_VERSION = 2 }; /* 1: a ReInit was a mark only */
static const char state_magic[] = "SLIMMLS";

/* ---- writing */

static void put_secrets(struct slim_mls_out *out, const struct slim_mls_suite *suite,
                        const struct slim_mls_epoch_secrets *secrets)
{
    const uint8_t *const list[] = {secrets->sender_data,   secrets->exporter,   secrets->external,
                                   secrets->confirmation,  secrets->membership, secrets->resumption,
                                   secrets->authenticator, secrets->init};
    for (size_t i = 0; i < SLIM_COUNT(list); i++) {
        slim_mls_put_bytes(out, slim_view_of(list[i], suite->hash_len));
    }
}

static void put_tree(struct slim_mls_out *out, const struct slim_mls_tree *tree)
{
    size_t mark = slim_mls_put_begin(out);
    slim_mls_tree_put(out, tree);
    slim_mls_put_end(out, mark);
    for (uint32_t i = 0; i < tree->leaf_count; i++) {
        const struct slim_mls_node *leaf = slim_mls_tree_leaf_find(tree, i);
        if (leaf != NULL) {
            slim_mls_put_bytes(out, slim_view_of(leaf->u.leaf.identity, MLS_IDENTITY_LEN));
        }
    }
}

static void put_own(struct slim_mls_out *out, const struct slim_mls_suite *suite,
                    const struct slim_mls_private *own)
{
    slim_mls_put_u32(out, own->leaf_index);
    for (size_t level = 0; level < MLS_DEPTH_MAX; level++) {
        slim_mls_put_u8(out, own->is_known[level] ? 1 : 0);
        if (own->is_known[level]) {
            slim_mls_put_bytes(
                out, slim_view_of(own->keys[level], slim_crypto_dh_private_len(suite->curve)));
        }
    }
}

/* `current` is the group's current epoch, which is the one that is put first. */
static void put_epoch(struct slim_mls_out *out, const struct slim_mls_epoch *epoch,
                      const struct slim_mls_epoch *current)
{
    const struct slim_mls_suite *suite = epoch->tree.suite;
    slim_mls_put_u64(out, epoch->number);
    slim_mls_put_u64(out, epoch->ended_s);
    slim_mls_put_opaque(out, slim_buf_view(&epoch->reinit));
    slim_mls_put_opaque(out, slim_buf_view(&epoch->extensions));
    slim_mls_put_opaque(out, slim_view_of(epoch->confirmed, epoch->confirmed_len));
    slim_mls_put_opaque(out, slim_view_of(epoch->interim, epoch->interim_len));
    slim_mls_put_bytes(out, slim_view_of(epoch->confirmation_tag, suite->hash_len));
    slim_mls_put_opaque(out, slim_buf_view(&epoch->context));
    if (epoch == current) {
        put_tree(out, &epoch->tree);
    } else {
        slim_mls_tree_put_past(out, &epoch->tree, &current->tree);
    }
    put_own(out, suite, &epoch->own);
    put_secrets(out, suite, &epoch->secrets);
    slim_mls_put_secret_tree(out, &epoch->messages);
}

static void put_group(struct slim_mls_out *out, const struct slim_mls_group *group)
{
    const struct slim_mls_suite *suite = group->suite;
    slim_mls_put_bytes(out, SLIM_VIEW(state_magic));
    slim_mls_put_u16(out, STATE_VERSION);
    slim_mls_put_u16(out, suite->id);
    slim_mls_put_opaque(out, slim_buf_view(&group->id));
    slim_mls_put_u8(out, group->is_removed ? 1 : 0);
    put_epoch(out, group->epoch, group->epoch);
    slim_mls_put_u32(out, (uint32_t)group->past_count);
    for (size_t i = 0; i < group->past_count; i++) {
        put_epoch(out, group->past[i], group->epoch);
    }
    slim_mls_put_u32(out, (uint32_t)group->proposal_count);
    for (size_t i = 0; i < group->proposal_count; i++) {
        slim_mls_put_opaque(out, slim_buf_view(&group->proposals[i].bytes));
    }
    slim_mls_put_u32(out, (uint32_t)group->update_count);
    for (size_t i = 0; i < group->update_count; i++) {
        slim_mls_put_bytes(out, slim_view_of(group->updates[i].private_key,
                                             slim_crypto_dh_private_len(suite->curve)));
    }
    slim_mls_put_u32(out, (uint32_t)group->resumption_count);
    for (size_t i = 0; i < group->resumption_count; i++) {
        slim_mls_put_u64(out, group->resumptions[i].epoch);
        slim_mls_put_bytes(out, slim_view_of(group->resumptions[i].secret, suite->hash_len));
    }
}

enum slim_mls_status slim_mls_group_save(const struct slim_mls_group *group,
                                         struct slim_mls_buf *state)
{
    struct slim_mls_out out = {0};
    struct slim_buf bytes = {0};
    put_group(&out, group);
    enum slim_status status = slim_mls_out_give(&out, &bytes);
    if (status == SLIM_OK) {
        *state = slim_mls_buf_out(&bytes);
    }
    return slim_mls_status_out(status);
}

/* ---- reading: the bytes may be damaged, so everything is checked as if a stranger had sent it */

static enum slim_status take_fixed(struct slim_view *in, uint8_t *out, size_t len)
{
    if (in->len < len) {
        return SLIM_ERR_MALFORMED;
    }
    memcpy(out, in->data, len);
    *in = slim_view_skip(*in, len);
    return SLIM_OK;
}

static enum slim_status take_bool(struct slim_view *in, bool *value)
{
    return slim_mls_take_optional(in, value);
}

static enum slim_status take_secret(struct slim_view *in, uint8_t out[MLS_SECRET_MAX], size_t *len)
{
    struct slim_view data;
    SLIM_TRY(slim_mls_take_opaque(in, &data));
    if (data.len > MLS_SECRET_MAX) {
        return SLIM_ERR_MALFORMED;
    }
    memcpy(out, data.data, data.len);
    *len = data.len;
    return SLIM_OK;
}

static enum slim_status take_bytes(struct slim_view *in, struct slim_buf *buf)
{
    struct slim_view data;
    SLIM_TRY(slim_mls_take_opaque(in, &data));
    return slim_buf_put(buf, data);
}

static enum slim_status take_secrets(struct slim_view *in, const struct slim_mls_suite *suite,
                                     struct slim_mls_epoch_secrets *secrets)
{
    uint8_t *const list[] = {secrets->sender_data,   secrets->exporter,   secrets->external,
                             secrets->confirmation,  secrets->membership, secrets->resumption,
                             secrets->authenticator, secrets->init};
    for (size_t i = 0; i < SLIM_COUNT(list); i++) {
        SLIM_TRY(take_fixed(in, list[i], suite->hash_len));
    }
    return SLIM_OK;
}

static enum slim_status take_tree(struct slim_view *in, const struct slim_mls_suite *suite,
                                  struct slim_mls_tree *tree)
{
    struct slim_view list;
    SLIM_TRY(slim_mls_take_opaque(in, &list));
    SLIM_TRY(slim_mls_tree_read(suite, list, tree));
    for (uint32_t i = 0; i < tree->leaf_count; i++) {
        struct slim_mls_node *leaf = slim_mls_tree_leaf_find(tree, i);
        if (leaf != NULL) {
            SLIM_TRY(take_fixed(in, leaf->u.leaf.identity, MLS_IDENTITY_LEN));
        }
    }
    return SLIM_OK;
}

static enum slim_status take_own(struct slim_view *in, const struct slim_mls_suite *suite,
                                 struct slim_mls_private *own)
{
    SLIM_TRY(slim_mls_take_u32(in, &own->leaf_index));
    for (size_t level = 0; level < MLS_DEPTH_MAX; level++) {
        SLIM_TRY(take_bool(in, &own->is_known[level]));
        if (own->is_known[level]) {
            SLIM_TRY(take_fixed(in, own->keys[level], slim_crypto_dh_private_len(suite->curve)));
        }
    }
    return SLIM_OK;
}

static enum slim_status take_reinit(struct slim_view *in, struct slim_buf *reinit)
{
    struct slim_view before = *in;
    struct slim_view bytes;
    struct slim_mls_proposal proposal;
    SLIM_TRY(slim_mls_take_opaque(&before, &bytes));
    if (bytes.len > 0) {
        SLIM_TRY(slim_mls_take_proposal(&bytes, &proposal));
        if (bytes.len > 0 || proposal.type != MLS_PROPOSAL_REINIT) {
            return SLIM_ERR_MALFORMED;
        }
    }
    return take_bytes(in, reinit);
}

static enum slim_status fill_epoch(struct slim_view *in, const struct slim_mls_group *group,
                                   struct slim_mls_epoch *epoch)
{
    const struct slim_mls_suite *suite = group->suite;
    SLIM_TRY(slim_mls_take_u64(in, &epoch->number));
    SLIM_TRY(slim_mls_take_u64(in, &epoch->ended_s));
    SLIM_TRY(take_reinit(in, &epoch->reinit));
    struct slim_view before = *in;
    struct slim_view extensions;
    SLIM_TRY(slim_mls_take_extensions(&before, &extensions));
    SLIM_TRY(take_bytes(in, &epoch->extensions));
    SLIM_TRY(take_secret(in, epoch->confirmed, &epoch->confirmed_len));
    SLIM_TRY(take_secret(in, epoch->interim, &epoch->interim_len));
    SLIM_TRY(take_fixed(in, epoch->confirmation_tag, suite->hash_len));
    SLIM_TRY(take_bytes(in, &epoch->context));
    if (group->epoch == NULL) { /* the current one comes first */
        SLIM_TRY(take_tree(in, suite, &epoch->tree));
    } else {
        SLIM_TRY(slim_mls_tree_take_past(in, &group->epoch->tree, &epoch->tree));
    }
    SLIM_TRY(take_own(in, suite, &epoch->own));
    SLIM_TRY(take_secrets(in, suite, &epoch->secrets));
    return slim_mls_take_secret_tree(in, suite, group->client->policy.skipped_key_count,
                                     &epoch->messages);
}

static enum slim_status take_epoch(struct slim_view *in, const struct slim_mls_group *group,
                                   struct slim_mls_epoch **epoch)
{
    struct slim_mls_epoch *made;
    SLIM_TRY(slim_mls_epoch_new(&made));
    enum slim_status status = fill_epoch(in, group, made);
    if (status == SLIM_OK && slim_mls_tree_leaf_find(&made->tree, made->own.leaf_index) == NULL) {
        status = SLIM_ERR_MALFORMED;
    }
    if (status != SLIM_OK) {
        slim_mls_epoch_free(made);
        return status;
    }
    *epoch = made;
    return SLIM_OK;
}

/* The context of the current epoch must follow from the tree and the rest, and our leaf carry this client's key. */
static enum slim_status check_current(const struct slim_mls_group *group)
{
    struct slim_mls_epoch *epoch = group->epoch;
    struct slim_buf stored = epoch->context;
    epoch->context = (struct slim_buf){0};
    enum slim_status status = slim_mls_epoch_set_context(epoch, slim_buf_view(&group->id));
    if (status == SLIM_OK &&
        !slim_view_is_equal(slim_buf_view(&stored), slim_buf_view(&epoch->context))) {
        status = SLIM_ERR_TREE;
    }
    slim_buf_fini(&stored);
    SLIM_TRY(status);
    SLIM_TRY(slim_mls_tree_check_parents(&epoch->tree));
    const struct slim_mls_node *own = slim_mls_tree_leaf_find(&epoch->tree, epoch->own.leaf_index);
    bool is_ours =
        slim_view_is_equal(own->u.leaf.leaf.signature_key, slim_mls_client_public(group->client));
    return is_ours ? SLIM_OK : SLIM_ERR_INVALID;
}

static enum slim_status take_proposals(struct slim_view *in, struct slim_mls_group *group)
{
    uint32_t count;
    SLIM_TRY(slim_mls_take_u32(in, &count));
    for (uint32_t i = 0; i < count; i++) {
        struct slim_view bytes;
        struct slim_mls_content content;
        SLIM_TRY(slim_mls_take_opaque(in, &bytes));
        SLIM_TRY(slim_mls_take_authenticated(&bytes, &content));
        if (content.content_type != MLS_CONTENT_PROPOSAL) {
            return SLIM_ERR_MALFORMED;
        }
        SLIM_TRY(slim_mls_group_cache_proposal(group, &content));
    }
    return SLIM_OK;
}

static enum slim_status take_updates(struct slim_view *in, struct slim_mls_group *group)
{
    uint32_t count;
    size_t key_len = slim_crypto_dh_private_len(group->suite->curve);
    SLIM_TRY(slim_mls_take_u32(in, &count));
    if (count > in->len / key_len) {
        return SLIM_ERR_MALFORMED;
    }
    group->updates = slim_secret_take(count > 0 ? count : 1, sizeof(*group->updates));
    if (group->updates == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    for (; group->update_count < count; group->update_count++) {
        struct slim_mls_own_update *update = &group->updates[group->update_count];
        SLIM_TRY(take_fixed(in, update->private_key, key_len));
        SLIM_TRY(slim_crypto_dh_public(
            group->suite->curve, slim_view_of(update->private_key, key_len), update->public_key));
    }
    return SLIM_OK;
}

static enum slim_status take_rest(struct slim_view *in, struct slim_mls_group *group)
{
    uint32_t count;
    SLIM_TRY(slim_mls_take_u32(in, &count));
    if (count > MLS_PAST_EPOCH_COUNT_MAX) {
        return SLIM_ERR_MALFORMED;
    }
    for (; group->past_count < count; group->past_count++) {
        SLIM_TRY(take_epoch(in, group, &group->past[group->past_count]));
    }
    SLIM_TRY(take_proposals(in, group));
    SLIM_TRY(take_updates(in, group));
    SLIM_TRY(slim_mls_take_u32(in, &count));
    if (count > MLS_PAST_EPOCH_COUNT_MAX + 1) {
        return SLIM_ERR_MALFORMED;
    }
    for (; group->resumption_count < count; group->resumption_count++) {
        struct slim_mls_resumption *item = &group->resumptions[group->resumption_count];
        SLIM_TRY(slim_mls_take_u64(in, &item->epoch));
        SLIM_TRY(take_fixed(in, item->secret, group->suite->hash_len));
    }
    return in->len == 0 ? SLIM_OK : SLIM_ERR_MALFORMED;
}

static enum slim_status load(struct slim_mls_client *client, struct slim_view in,
                             struct slim_mls_group **made)
{
    uint16_t version;
    uint16_t suite;
    struct slim_view id;
    if (!slim_view_has_prefix(in, SLIM_VIEW(state_magic))) {
        return SLIM_ERR_MALFORMED;
    }
    in = slim_view_skip(in, sizeof(state_magic) - 1);
    SLIM_TRY(slim_mls_take_u16(&in, &version));
    SLIM_TRY(slim_mls_take_u16(&in, &suite));
    if (version != STATE_VERSION) {
        return SLIM_ERR_UNSUPPORTED;
    }
    if (suite != client->suite->id) {
        return SLIM_ERR_INVALID;
    }
    SLIM_TRY(slim_mls_take_opaque(&in, &id));
    struct slim_mls_group *group;
    SLIM_TRY(slim_mls_group_new(client, id, &group));
    enum slim_status status = take_bool(&in, &group->is_removed);
    if (status == SLIM_OK) {
        status = take_epoch(&in, group, &group->epoch);
    }
    if (status == SLIM_OK) {
        status = check_current(group);
    }
    if (status == SLIM_OK) {
        status = take_rest(&in, group);
    }
    if (status != SLIM_OK) {
        slim_mls_group_free(group);
        return status;
    }
    *made = group;
    return SLIM_OK;
}

enum slim_mls_status slim_mls_group_load(struct slim_mls_client *client, struct slim_mls_view state,
                                         struct slim_mls_group **group)
{
    return slim_mls_status_out(load(client, slim_mls_view_in(state), group));
}
