/* Making proposals: RFC 9420 section 12.1. */
#include "base/secret.h"
#include "mls/group.h"

/* Keep a signed proposal for our own commit, and give the message: both or nothing. */
static enum slim_status keep_and_put(struct slim_mls_group *group,
                                     const struct slim_mls_content *content,
                                     struct slim_buf *message)
{
    struct slim_mls_out out = {0};
    SLIM_TRY(slim_mls_group_cache_proposal(group, content));
    enum slim_status status = slim_mls_group_put_message(group, content, &out);
    if (status == SLIM_OK) {
        status = slim_mls_out_give(&out, message);
    }
    if (status != SLIM_OK) {
        slim_mls_group_uncache_proposal(group);
    }
    slim_mls_out_fini(&out);
    return status;
}

/* The lists in a proposal are the caller's: nobody gets what nobody can read. */
static enum slim_status check_form(struct slim_view body)
{
    struct slim_mls_proposal proposal;
    SLIM_TRY(slim_mls_take_proposal(&body, &proposal));
    return body.len == 0 ? SLIM_OK : SLIM_ERR_MALFORMED;
}

static enum slim_status propose(struct slim_mls_group *group,
                                const struct slim_mls_proposal *proposal, struct slim_buf *message)
{
    struct slim_mls_out body = {0};
    uint8_t signature[SLIM_CRYPTO_SIGNATURE_MAX];
    size_t len;
    slim_mls_put_proposal(&body, proposal);
    struct slim_mls_content content = {
        .format = slim_mls_group_handshake_format(group),
        .group_id = slim_buf_view(&group->id),
        .epoch = group->epoch->number,
        .sender_type = MLS_SENDER_MEMBER,
        .sender_index = group->epoch->own.leaf_index,
        .content_type = MLS_CONTENT_PROPOSAL,
        .body = slim_mls_out_view(&body),
    };
    enum slim_status status = body.status;
    if (status == SLIM_OK) {
        status = check_form(content.body);
    }
    if (status == SLIM_OK) {
        status =
            slim_mls_content_sign(group->suite, group->client->signature_key,
                                  slim_buf_view(&group->epoch->context), &content, signature, &len);
    }
    if (status == SLIM_OK) {
        content.signature = slim_view_of(signature, len);
        status = keep_and_put(group, &content, message);
    }
    slim_mls_out_fini(&body);
    return status;
}

/* With the policy `moderated` nobody proposes, the moderator neither: it commits, and members take nothing else. */
static enum slim_mls_status may_propose(const struct slim_mls_group *group)
{
    if (group->is_removed) {
        return SLIM_MLS_ERR_REMOVED;
    }
    if (group->client->policy.moderated) {
        return SLIM_MLS_ERR_DENIED;
    }
    return slim_mls_epoch_is_closed(group->epoch) ? SLIM_MLS_ERR_STATE : SLIM_MLS_OK;
}

static enum slim_mls_status run(struct slim_mls_group *group,
                                const struct slim_mls_proposal *proposal,
                                struct slim_mls_buf *message)
{
    enum slim_mls_status allowed = may_propose(group);
    if (allowed != SLIM_MLS_OK) {
        return allowed;
    }
    struct slim_buf bytes = {0};
    enum slim_status status = propose(group, proposal, &bytes);
    if (status == SLIM_OK) {
        *message = slim_mls_buf_out(&bytes);
    }
    return slim_mls_status_out(status);
}

enum slim_mls_status slim_mls_group_propose_add(struct slim_mls_group *group,
                                                struct slim_mls_view key_package,
                                                struct slim_mls_buf *message)
{
    struct slim_mls_proposal proposal = {.type = MLS_PROPOSAL_ADD};
    enum slim_status status =
        slim_mls_read_key_package(slim_mls_view_in(key_package), &proposal.u.add);
    if (status == SLIM_OK) {
        status = slim_mls_key_package_check(group->suite, &proposal.u.add);
    }
    if (status == SLIM_OK) {
        status =
            slim_mls_leaf_check_lifetime(&proposal.u.add.leaf, slim_mls_client_now(group->client),
                                         group->client->policy.lifetime_skew_s);
    }
    return status != SLIM_OK ? slim_mls_status_out(status) : run(group, &proposal, message);
}

enum slim_mls_status slim_mls_group_propose_remove(struct slim_mls_group *group,
                                                   uint32_t leaf_index,
                                                   struct slim_mls_buf *message)
{
    if (slim_mls_tree_leaf_find(&group->epoch->tree, leaf_index) == NULL) {
        return SLIM_MLS_ERR_NOT_FOUND;
    }
    struct slim_mls_proposal proposal = slim_mls_remove_of(leaf_index);
    return run(group, &proposal, message);
}

enum slim_mls_status slim_mls_group_propose_psk(struct slim_mls_group *group,
                                                const struct slim_mls_psk_choice *psk,
                                                struct slim_mls_buf *message)
{
    uint8_t nonce[MLS_SECRET_MAX];
    struct slim_mls_proposal proposal = slim_mls_psk_of(group, psk, nonce);
    return run(group, &proposal, message);
}

enum slim_mls_status slim_mls_group_propose_reinit(struct slim_mls_group *group,
                                                   const struct slim_mls_reinit_choice *reinit,
                                                   struct slim_mls_buf *message)
{
    struct slim_mls_proposal proposal = slim_mls_reinit_of(reinit);
    return run(group, &proposal, message);
}

enum slim_mls_status slim_mls_group_propose_extensions(struct slim_mls_group *group,
                                                       struct slim_mls_view extensions,
                                                       struct slim_mls_buf *message)
{
    struct slim_mls_proposal proposal = {.type = MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS,
                                         .u.extensions = slim_mls_view_in(extensions)};
    return run(group, &proposal, message);
}

/* Keep the private key of an update that somebody may commit. */
static enum slim_status keep_update(struct slim_mls_group *group,
                                    const struct slim_mls_own_update *update)
{
    if (group->update_count == MLS_CACHED_PROPOSAL_COUNT_MAX) {
        return SLIM_ERR_LIMIT;
    }
    struct slim_mls_own_update *list =
        slim_secret_resize(group->updates, (group->update_count + 1) * sizeof(*list));
    if (list == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    list[group->update_count++] = *update;
    group->updates = list;
    return SLIM_OK;
}

static void drop_update(struct slim_mls_group *group)
{
    slim_secret_wipe(&group->updates[--group->update_count], sizeof(*group->updates));
}

static enum slim_status make_update_leaf(const struct slim_mls_group *group,
                                         struct slim_mls_own_update *update,
                                         struct slim_mls_out *out)
{
    const struct slim_mls_client *client = group->client;
    uint32_t own = group->epoch->own.leaf_index;
    struct slim_mls_leaf leaf = slim_mls_tree_leaf_find(&group->epoch->tree, own)->u.leaf.leaf;
    SLIM_TRY(slim_mls_hpke_generate(group->suite, &client->random, update->private_key,
                                    update->public_key));
    struct slim_view credential = slim_buf_view(&client->credential);
    SLIM_TRY(slim_mls_take_credential(&credential, &leaf.credential));
    leaf.source = MLS_LEAF_UPDATE;
    leaf.parent_hash = (struct slim_view){0};
    leaf.encryption_key =
        slim_view_of(update->public_key, slim_crypto_dh_public_len(group->suite->curve));
    return slim_mls_leaf_sign(group->suite, client->signature_key, &leaf, slim_buf_view(&group->id),
                              own, out);
}

enum slim_mls_status slim_mls_group_propose_update(struct slim_mls_group *group,
                                                   struct slim_mls_buf *message)
{
    enum slim_mls_status allowed = may_propose(group);
    if (allowed != SLIM_MLS_OK) {
        return allowed;
    }
    struct slim_mls_own_update update = {0};
    struct slim_mls_out out = {0};
    struct slim_mls_proposal proposal = {.type = MLS_PROPOSAL_UPDATE};
    enum slim_status status = make_update_leaf(group, &update, &out);
    struct slim_view in = slim_mls_out_view(&out);
    if (status == SLIM_OK) {
        status = slim_mls_take_leaf(&in, &proposal.u.update);
    }
    if (status == SLIM_OK) {
        status = keep_update(group, &update);
    }
    slim_secret_wipe(&update, sizeof(update));
    enum slim_mls_status result = slim_mls_status_out(status);
    if (status == SLIM_OK) {
        result = run(group, &proposal, message);
        if (result != SLIM_MLS_OK) {
            drop_update(group);
        }
    }
    slim_mls_out_fini(&out);
    return result;
}

/* ---- from outside a group */

static enum slim_mls_status propose_outside(const struct slim_mls_client *client,
                                            struct slim_mls_content content,
                                            const struct slim_mls_proposal *proposal,
                                            struct slim_mls_buf *message)
{
    struct slim_mls_out body = {0};
    struct slim_mls_out out = {0};
    struct slim_buf bytes = {0};
    uint8_t signature[SLIM_CRYPTO_SIGNATURE_MAX];
    size_t len;
    slim_mls_put_proposal(&body, proposal);
    content.format = MLS_WIRE_PUBLIC;
    content.content_type = MLS_CONTENT_PROPOSAL;
    content.body = slim_mls_out_view(&body);
    enum slim_status status = body.status;
    if (status == SLIM_OK) {
        status = slim_mls_content_sign(client->suite, client->signature_key, (struct slim_view){0},
                                       &content, signature, &len);
    }
    if (status == SLIM_OK) {
        content.signature = slim_view_of(signature, len);
        slim_mls_put_message_head(&out, MLS_WIRE_PUBLIC);
        status = slim_mls_put_public(&out, client->suite, NULL, (struct slim_view){0}, &content);
    }
    if (status == SLIM_OK) {
        status = slim_mls_out_give(&out, &bytes);
    }
    if (status == SLIM_OK) {
        *message = slim_mls_buf_out(&bytes);
    }
    slim_mls_out_fini(&body);
    slim_mls_out_fini(&out);
    return slim_mls_status_out(status);
}

enum slim_mls_status slim_mls_propose_join(struct slim_mls_client *client,
                                           struct slim_mls_view group_id, uint64_t epoch,
                                           struct slim_mls_buf *message)
{
    struct slim_mls_own_package package;
    enum slim_status status = slim_mls_client_make_package(client, &package);
    if (status != SLIM_OK) {
        return slim_mls_status_out(status);
    }
    struct slim_mls_content content = {.group_id = slim_mls_view_in(group_id),
                                       .epoch = epoch,
                                       .sender_type = MLS_SENDER_NEW_PROPOSAL};
    struct slim_mls_proposal proposal = {.type = MLS_PROPOSAL_ADD};
    struct slim_view in = slim_buf_view(&package.bytes);
    struct slim_mls_buf made = {0};
    enum slim_mls_status result =
        slim_mls_status_out(slim_mls_take_key_package(&in, &proposal.u.add));
    if (result == SLIM_MLS_OK) {
        result = propose_outside(client, content, &proposal, &made);
    }
    if (result == SLIM_MLS_OK) {
        result = slim_mls_status_out(slim_mls_client_keep_package(client, &package));
    }
    if (result == SLIM_MLS_OK) {
        *message = made;
    } else {
        slim_mls_buf_free(&made);
    }
    slim_mls_own_package_fini(&package);
    return result;
}

enum slim_mls_status slim_mls_propose_external_add(struct slim_mls_client *client,
                                                   struct slim_mls_view group_id, uint64_t epoch,
                                                   uint32_t sender_index,
                                                   struct slim_mls_view key_package,
                                                   struct slim_mls_buf *message)
{
    struct slim_mls_content content = {.group_id = slim_mls_view_in(group_id),
                                       .epoch = epoch,
                                       .sender_type = MLS_SENDER_EXTERNAL,
                                       .sender_index = sender_index};
    struct slim_mls_proposal proposal = {.type = MLS_PROPOSAL_ADD};
    enum slim_status status =
        slim_mls_read_key_package(slim_mls_view_in(key_package), &proposal.u.add);
    return status != SLIM_OK ? slim_mls_status_out(status)
                             : propose_outside(client, content, &proposal, message);
}

enum slim_mls_status slim_mls_propose_external_remove(struct slim_mls_client *client,
                                                      struct slim_mls_view group_id, uint64_t epoch,
                                                      uint32_t sender_index, uint32_t leaf_index,
                                                      struct slim_mls_buf *message)
{
    struct slim_mls_content content = {.group_id = slim_mls_view_in(group_id),
                                       .epoch = epoch,
                                       .sender_type = MLS_SENDER_EXTERNAL,
                                       .sender_index = sender_index};
    struct slim_mls_proposal proposal = slim_mls_remove_of(leaf_index);
    return propose_outside(client, content, &proposal, message);
}
