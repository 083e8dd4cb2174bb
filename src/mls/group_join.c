/* Joining: RFC 9420 sections 12.4.3.1 (Welcome), 12.4.3.2 (external commits), 12.4.3.3 (ratchet trees). */
#include "base/secret.h"
#include "mls/group.h"

/* ---- a group as a GroupInfo and a tree describe it */

static enum slim_status read_tree(const struct slim_mls_suite *suite, struct slim_view extensions,
                                  struct slim_view given, struct slim_mls_tree *tree)
{
    struct slim_view data;
    struct slim_view list;
    if (!slim_mls_extension_find(extensions, MLS_EXTENSION_RATCHET_TREE, &data)) {
        if (given.len == 0) {
            return SLIM_ERR_NOT_FOUND;
        }
        data = given;
    }
    SLIM_TRY(slim_mls_take_opaque(&data, &list));
    return data.len > 0 ? SLIM_ERR_MALFORMED : slim_mls_tree_read(suite, list, tree);
}

static enum slim_status check_leaf(const struct slim_mls_group *group, uint32_t index,
                                   enum slim_mls_check_reason reason)
{
    struct slim_mls_node *node = slim_mls_tree_leaf_find(&group->epoch->tree, index);
    const struct slim_mls_leaf *leaf = &node->u.leaf.leaf;
    struct slim_view id = slim_buf_view(&group->id);
    SLIM_TRY(slim_mls_leaf_check(group->suite, leaf));
    SLIM_TRY(slim_mls_leaf_verify(group->suite, leaf, id, index));
    return slim_mls_client_check(group->client, reason, id, index, leaf, NULL,
                                 node->u.leaf.identity);
}

/* Section 12.4.3.1: all that can be checked of a tree by somebody who has just received it. */
static enum slim_status check_tree(const struct slim_mls_group *group,
                                   const struct slim_mls_group_info *info)
{
    struct slim_mls_tree *tree = &group->epoch->tree;
    const uint8_t *hash;
    SLIM_TRY(slim_mls_tree_root_hash(tree, &hash));
    if (!slim_view_is_equal(info->context.tree_hash, slim_view_of(hash, group->suite->hash_len))) {
        return SLIM_ERR_TREE;
    }
    const struct slim_mls_node *signer = slim_mls_tree_leaf_find(tree, info->signer);
    if (signer == NULL) {
        return SLIM_ERR_INVALID;
    }
    SLIM_TRY(slim_mls_verify(group->suite, signer->u.leaf.leaf.signature_key, "GroupInfoTBS",
                             info->tbs, info->signature));
    SLIM_TRY(slim_mls_tree_check_parents(tree));
    SLIM_TRY(check_leaf(group, info->signer, SLIM_MLS_CHECK_SIGNER));
    for (uint32_t i = 0; i < tree->leaf_count; i++) {
        if (i != info->signer && slim_mls_tree_leaf_find(tree, i) != NULL) {
            SLIM_TRY(check_leaf(group, i, SLIM_MLS_CHECK_MEMBER));
        }
    }
    SLIM_TRY(slim_mls_group_check_external_senders(group, info->context.extensions));
    SLIM_TRY(slim_mls_tree_check_members(tree, info->context.extensions));
    return slim_mls_tree_check_unique(tree, NULL);
}

/* Fill in the epoch of a new group from a GroupInfo; our own place and the secrets are missing yet. */
static enum slim_status adopt(struct slim_mls_group *group, const struct slim_mls_group_info *info,
                              struct slim_view tree)
{
    if (info->context.version != MLS_VERSION_10 || info->context.suite != group->suite->id ||
        slim_mls_extensions_have_duplicate(info->context.extensions) ||
        slim_mls_extensions_have_duplicate(info->extensions) ||
        info->context.confirmed_transcript_hash.len > MLS_SECRET_MAX) {
        return SLIM_ERR_INVALID;
    }
    struct slim_mls_epoch *epoch;
    SLIM_TRY(slim_mls_epoch_new(&epoch));
    group->epoch = epoch;
    epoch->number = info->context.epoch;
    epoch->own.leaf_index = UINT32_MAX;
    epoch->confirmed_len = info->context.confirmed_transcript_hash.len;
    memcpy(epoch->confirmed, info->context.confirmed_transcript_hash.data, epoch->confirmed_len);
    SLIM_TRY(slim_buf_put(&epoch->extensions, info->context.extensions));
    SLIM_TRY(slim_buf_put(&epoch->context, info->context_bytes));
    SLIM_TRY(read_tree(group->suite, info->extensions, tree, &epoch->tree));
    return check_tree(group, info);
}

/* ---- Welcome */

struct opening {
    struct slim_mls_client *client;
    const struct slim_mls_group *old; /* that the new group takes over from; NULL: not said */
    const struct slim_mls_own_package *package;
    size_t package_index;
    struct slim_mls_welcome welcome;
    struct slim_buf secrets_bytes;
    struct slim_mls_group_secrets secrets;
    struct slim_buf info_bytes;
    struct slim_mls_group_info info;
    uint8_t psk_secret[MLS_SECRET_MAX];
};

static enum slim_status find_entry(struct opening *opening,
                                   struct slim_mls_encrypted_secrets *entry)
{
    const struct slim_mls_client *client = opening->client;
    for (struct slim_view walk = opening->welcome.secrets; walk.len > 0;) {
        SLIM_TRY(slim_mls_take_encrypted_secrets(&walk, entry));
        for (size_t i = 0; i < client->package_count; i++) {
            if (slim_view_is_equal(entry->new_member, slim_view_of(client->packages[i].ref,
                                                                   client->suite->hash_len))) {
                opening->package = &client->packages[i];
                opening->package_index = i;
                return SLIM_OK;
            }
        }
    }
    return SLIM_ERR_NOT_FOUND;
}

static enum slim_status own_key_package(const struct opening *opening,
                                        struct slim_mls_key_package *package)
{
    struct slim_view in = slim_buf_view(&opening->package->bytes);
    return slim_mls_take_key_package(&in, package);
}

static enum slim_status open_secrets(struct opening *opening)
{
    const struct slim_mls_suite *suite = opening->client->suite;
    struct slim_mls_encrypted_secrets entry;
    struct slim_mls_key_package package;
    SLIM_TRY(find_entry(opening, &entry));
    SLIM_TRY(own_key_package(opening, &package));
    SLIM_TRY(slim_mls_decrypt_with_label(suite, opening->package->init_key, package.init_key,
                                         "Welcome", opening->welcome.encrypted_group_info,
                                         entry.sealed.kem_output, entry.sealed.ciphertext,
                                         &opening->secrets_bytes));
    struct slim_view in = slim_buf_view(&opening->secrets_bytes);
    SLIM_TRY(slim_mls_take_group_secrets(&in, &opening->secrets));
    bool is_whole =
        in.len == 0 && opening->secrets.joiner_secret.len == suite->hash_len &&
        (!opening->secrets.has_path_secret || opening->secrets.path_secret.len == suite->hash_len);
    return is_whole ? SLIM_OK : SLIM_ERR_MALFORMED;
}

static enum slim_status mix_psks(struct opening *opening)
{
    const struct slim_mls_suite *suite = opening->client->suite;
    struct slim_mls_psk_id id;
    uint16_t count = 0;
    for (struct slim_view walk = opening->secrets.psks; walk.len > 0; count++) {
        SLIM_TRY(slim_mls_take_psk_id(&walk, &id));
        if (count == MLS_PSK_COUNT_MAX) {
            return SLIM_ERR_LIMIT;
        }
    }
    uint16_t index = 0;
    for (struct slim_view walk = opening->secrets.psks; walk.len > 0;) {
        uint8_t psk[SLIM_MLS_PSK_BYTES_MAX];
        size_t len = 0;
        SLIM_TRY(slim_mls_take_psk_id(&walk, &id));
        if (id.nonce.len != suite->hash_len) {
            return SLIM_ERR_INVALID;
        }
        enum slim_status status = slim_mls_psk_find(opening->client, opening->old, &id, psk, &len);
        if (status == SLIM_OK) {
            status = slim_mls_psk_chain(suite, &id, slim_view_of(psk, len), index++, count,
                                        opening->psk_secret);
        }
        slim_secret_wipe(psk, sizeof(psk));
        SLIM_TRY(status);
    }
    return SLIM_OK;
}

static enum slim_status open_info(struct opening *opening)
{
    const struct slim_mls_suite *suite = opening->client->suite;
    struct slim_view sealed = opening->welcome.encrypted_group_info;
    uint8_t secret[MLS_SECRET_MAX];
    uint8_t key[SLIM_CRYPTO_AEAD_KEY_MAX];
    uint8_t nonce[SLIM_CRYPTO_NONCE_LEN];
    if (sealed.len < SLIM_CRYPTO_TAG_LEN) {
        return SLIM_ERR_DECRYPT;
    }
    SLIM_TRY(slim_buf_reserve(&opening->info_bytes, sealed.len));
    slim_mls_welcome_secret(suite, opening->secrets.joiner_secret.data, opening->psk_secret,
                            secret);
    slim_mls_welcome_key(suite, secret, key, nonce);
    enum slim_status status = slim_crypto_open(suite->aead, key, nonce, (struct slim_view){0},
                                               sealed, opening->info_bytes.data);
    slim_secret_wipe(secret, sizeof(secret));
    slim_secret_wipe(key, sizeof(key));
    SLIM_TRY(status);
    opening->info_bytes.len = sealed.len - SLIM_CRYPTO_TAG_LEN;
    struct slim_view in = slim_buf_view(&opening->info_bytes);
    SLIM_TRY(slim_mls_take_group_info(&in, &opening->info));
    return in.len == 0 ? SLIM_OK : SLIM_ERR_MALFORMED;
}

/* Sections 11.2 and 11.3: a PSK that links to an old group comes alone of its kind, and at the beginning of the new one. */
static enum slim_status check_lineage(const struct opening *opening)
{
    size_t link_count = 0;
    struct slim_mls_psk_id id;
    for (struct slim_view walk = opening->secrets.psks; walk.len > 0;) {
        SLIM_TRY(slim_mls_take_psk_id(&walk, &id));
        link_count += id.type == MLS_PSK_RESUMPTION && id.usage != MLS_PSK_USAGE_APPLICATION;
    }
    bool ok = link_count == 0 || (link_count == 1 && opening->info.context.epoch == 1);
    return ok ? SLIM_OK : SLIM_ERR_INVALID;
}

/* Our place in the tree and the private keys that the Welcome gives. */
static enum slim_status take_place(struct slim_mls_group *group, const struct opening *opening)
{
    struct slim_mls_epoch *epoch = group->epoch;
    struct slim_mls_key_package package;
    SLIM_TRY(own_key_package(opening, &package));
    uint32_t index = 0;
    const struct slim_mls_node *leaf = NULL;
    for (; index < epoch->tree.leaf_count; index++) {
        leaf = slim_mls_tree_leaf_find(&epoch->tree, index);
        if (leaf != NULL && slim_view_is_equal(leaf->u.leaf.leaf.bytes, package.leaf.bytes)) {
            break;
        }
    }
    if (index == epoch->tree.leaf_count || index == opening->info.signer) {
        return SLIM_ERR_TREE;
    }
    epoch->own.leaf_index = index;
    memcpy(epoch->own.keys[0], opening->package->encryption_key, sizeof(epoch->own.keys[0]));
    epoch->own.is_known[0] = true;
    if (!opening->secrets.has_path_secret) {
        return SLIM_OK;
    }
    struct slim_mls_path_steps steps;
    uint8_t commit_secret[MLS_SECRET_MAX];
    slim_mls_tree_filtered_path(&epoch->tree, opening->info.signer, &steps);
    size_t from = slim_mls_path_common(&steps, index);
    if (from == steps.count) {
        return SLIM_ERR_TREE;
    }
    enum slim_status status = slim_mls_path_follow(
        &epoch->own, &epoch->tree, &steps, from, opening->secrets.path_secret.data, commit_secret);
    slim_secret_wipe(commit_secret, sizeof(commit_secret));
    return status;
}

static enum slim_status begin_epoch(struct slim_mls_group *group, const struct opening *opening)
{
    struct slim_mls_epoch *epoch = group->epoch;
    const struct slim_mls_suite *suite = group->suite;
    slim_mls_epoch_derive(suite, opening->secrets.joiner_secret.data, opening->psk_secret,
                          slim_buf_view(&epoch->context), &epoch->secrets);
    SLIM_TRY(slim_mls_epoch_begin(epoch, group->client->policy.skipped_key_count));
    struct slim_view tag = opening->info.confirmation_tag;
    if (tag.len != suite->hash_len ||
        !slim_secret_is_equal(tag.data, epoch->confirmation_tag, suite->hash_len)) {
        return SLIM_ERR_MAC;
    }
    slim_secret_wipe(epoch->secrets.joiner, sizeof(epoch->secrets.joiner));
    slim_secret_wipe(epoch->secrets.welcome, sizeof(epoch->secrets.welcome));
    slim_mls_group_note_resumption(group);
    return SLIM_OK;
}

static enum slim_status open_welcome(struct opening *opening, struct slim_view message)
{
    enum slim_mls_wire_format format;
    SLIM_TRY(slim_mls_take_message_head(&message, &format));
    if (format != MLS_WIRE_WELCOME) {
        return SLIM_ERR_INVALID;
    }
    SLIM_TRY(slim_mls_take_welcome(&message, &opening->welcome));
    if (message.len > 0) {
        return SLIM_ERR_MALFORMED;
    }
    if (opening->welcome.suite != opening->client->suite->id) {
        return SLIM_ERR_INVALID;
    }
    SLIM_TRY(open_secrets(opening));
    SLIM_TRY(mix_psks(opening));
    SLIM_TRY(open_info(opening));
    return check_lineage(opening);
}

static enum slim_status join(struct opening *opening, struct slim_view message,
                             struct slim_view tree, struct slim_mls_group **made)
{
    SLIM_TRY(open_welcome(opening, message));
    if (opening->client->policy.moderated && opening->info.signer != SLIM_MLS_MODERATOR_LEAF) {
        return SLIM_ERR_DENIED;
    }
    if (slim_mls_client_group_find(opening->client, opening->info.context.group_id) != NULL) {
        return SLIM_ERR_EXISTS; /* section 12.4.3.1: the group_id is unique among our groups */
    }
    struct slim_mls_group *group;
    SLIM_TRY(slim_mls_group_new(opening->client, opening->info.context.group_id, &group));
    enum slim_status status = adopt(group, &opening->info, tree);
    if (status == SLIM_OK && opening->old != NULL) {
        status = slim_mls_successor_check(opening->old, opening->secrets.psks,
                                          &opening->info.context, &group->epoch->tree);
    }
    if (status == SLIM_OK) {
        status = take_place(group, opening);
    }
    if (status == SLIM_OK) {
        status = begin_epoch(group, opening);
    }
    if (status != SLIM_OK) {
        slim_mls_group_free(group);
        return status;
    }
    *made = group;
    return SLIM_OK;
}

static enum slim_mls_status run_join(struct slim_mls_client *client, struct slim_mls_view welcome,
                                     struct slim_mls_view tree, const struct slim_mls_group *old,
                                     struct slim_mls_group **group)
{
    if (welcome.len > MLS_MESSAGE_BYTES_MAX || tree.len > MLS_TREE_BYTES_MAX) {
        return SLIM_MLS_ERR_LIMIT;
    }
    struct opening opening = {.client = client, .old = old};
    enum slim_status status =
        join(&opening, slim_mls_view_in(welcome), slim_mls_view_in(tree), group);
    if (status == SLIM_OK) {
        slim_mls_client_drop_package(
            client, opening.package_index); /* an init key serves once (section 16.8) */
    }
    slim_buf_wipe(&opening.secrets_bytes);
    slim_buf_wipe(&opening.info_bytes);
    slim_secret_wipe(&opening, sizeof(opening));
    return slim_mls_status_out(status);
}

enum slim_mls_status slim_mls_group_join(struct slim_mls_client *client,
                                         struct slim_mls_view welcome, struct slim_mls_view tree,
                                         struct slim_mls_group **group)
{
    return run_join(client, welcome, tree, NULL, group);
}

enum slim_mls_status slim_mls_group_join_successor(struct slim_mls_client *client,
                                                   struct slim_mls_view welcome,
                                                   struct slim_mls_view tree,
                                                   const struct slim_mls_group *old,
                                                   struct slim_mls_group **group)
{
    return run_join(client, welcome, tree, old, group);
}

/* ---- external commits */

static enum slim_status read_group_info(struct slim_view message, struct slim_mls_group_info *info)
{
    enum slim_mls_wire_format format;
    SLIM_TRY(slim_mls_take_message_head(&message, &format));
    if (format != MLS_WIRE_GROUP_INFO) {
        return SLIM_ERR_INVALID;
    }
    SLIM_TRY(slim_mls_take_group_info(&message, info));
    return message.len == 0 ? SLIM_OK : SLIM_ERR_MALFORMED;
}

/* Agree with the group's external key (section 8.3): kem output for the ExternalInit, and the init secret. */
static enum slim_status external_init(const struct slim_mls_group *group,
                                      const struct slim_mls_group_info *info, uint8_t *kem_output,
                                      uint8_t *init_secret)
{
    struct slim_view data;
    struct slim_view external_pub;
    if (!slim_mls_extension_find(info->extensions, MLS_EXTENSION_EXTERNAL_PUB, &data)) {
        return SLIM_ERR_INVALID;
    }
    SLIM_TRY(slim_mls_take_opaque(&data, &external_pub));
    if (data.len > 0) {
        return SLIM_ERR_MALFORMED;
    }
    struct slim_mls_hpke_info hpke;
    struct slim_mls_hpke_context context;
    SLIM_TRY(slim_mls_hpke_info_init(group->suite, NULL, 0, (struct slim_mls_hpke_psk){0}, &hpke));
    SLIM_TRY(slim_mls_hpke_setup_sender(group->suite, &group->client->random, external_pub, &hpke,
                                        kem_output, &context));
    slim_mls_hpke_export(group->suite, &context, SLIM_VIEW("MLS 1.0 external init secret"),
                         init_secret, group->suite->hash_len);
    slim_secret_wipe(&context, sizeof(context));
    return SLIM_OK;
}

/* A leaf of ours to hold the place until the path has made the real one. */
static enum slim_status place_leaf(struct slim_mls_change *change)
{
    struct slim_mls_own_package package;
    SLIM_TRY(slim_mls_client_make_package(change->group->client, &package));
    struct slim_view in = slim_buf_view(&package.bytes);
    struct slim_mls_key_package decoded;
    enum slim_status status = slim_mls_take_key_package(&in, &decoded);
    if (status == SLIM_OK) {
        status =
            slim_mls_tree_add_leaf(&change->next->tree, decoded.leaf.bytes, &change->committer);
    }
    change->next->own.leaf_index = change->committer;
    slim_mls_own_package_fini(&package);
    return status;
}

static enum slim_status put_external_list(const struct slim_mls_group *group,
                                          const uint8_t *kem_output, uint32_t replace_leaf,
                                          struct slim_mls_out *list)
{
    struct slim_mls_proposal init = {
        .type = MLS_PROPOSAL_EXTERNAL_INIT,
        .u.kem_output = slim_view_of(kem_output, slim_crypto_dh_public_len(group->suite->curve)),
    };
    slim_mls_put_inline(list, &init);
    if (replace_leaf != UINT32_MAX) {
        struct slim_mls_proposal removal = slim_mls_remove_of(replace_leaf);
        slim_mls_put_inline(list, &removal);
    }
    return list->status;
}

/* Everything but the signature and the key schedule. */
static enum slim_status prepare_external(struct slim_mls_change *change, struct slim_view list,
                                         struct slim_mls_path_secrets *secrets,
                                         struct slim_mls_out *path)
{
    SLIM_TRY(slim_mls_change_collect(change, list));
    SLIM_TRY(slim_mls_change_apply(change));
    SLIM_TRY(place_leaf(change));
    SLIM_TRY(slim_mls_change_make_path(change, secrets, path));
    return slim_mls_change_check_tree(change);
}

static enum slim_status
external_commit(struct slim_mls_change *change, const struct slim_mls_group_info *info,
                uint32_t replace_leaf, struct slim_mls_path_secrets *secrets,
                struct slim_mls_out *list, struct slim_mls_out *path, struct slim_mls_out *out)
{
    struct slim_mls_group *group = change->group;
    uint8_t kem_output[MLS_KEM_PUBLIC_MAX];
    uint8_t init_secret[MLS_SECRET_MAX];
    SLIM_TRY(external_init(group, info, kem_output, init_secret));
    enum slim_status status = put_external_list(group, kem_output, replace_leaf, list);
    if (status == SLIM_OK) {
        status = prepare_external(change, slim_mls_out_view(list), secrets, path);
    }
    if (status == SLIM_OK) {
        status =
            slim_mls_change_put_commit(change, slim_mls_out_view(list), slim_mls_out_view(path),
                                       (struct slim_view){0}, init_secret, out);
    }
    slim_secret_wipe(init_secret, sizeof(init_secret));
    return status;
}

static enum slim_status join_external(struct slim_mls_group *group,
                                      const struct slim_mls_group_info *info, struct slim_view tree,
                                      uint32_t replace_leaf, struct slim_buf *commit)
{
    SLIM_TRY(adopt(group, info, tree));
    struct slim_mls_epoch *base = group->epoch;
    slim_mls_interim_hash(group->suite, slim_view_of(base->confirmed, base->confirmed_len),
                          info->confirmation_tag, base->interim);
    base->interim_len = group->suite->hash_len;
    struct slim_mls_change change;
    struct slim_mls_path_secrets secrets = {0};
    struct slim_mls_out list = {0};
    struct slim_mls_out path = {0};
    struct slim_mls_out out = {0};
    slim_mls_change_init(&change, group);
    change.is_external = true;
    enum slim_status status =
        external_commit(&change, info, replace_leaf, &secrets, &list, &path, &out);
    if (status == SLIM_OK) {
        status = slim_mls_out_give(&out, commit);
    }
    if (status == SLIM_OK) {
        group->epoch = change.next;
        change.next = NULL;
        slim_mls_epoch_free(base);
        slim_mls_group_note_resumption(group);
    }
    slim_secret_wipe(&secrets, sizeof(secrets));
    slim_mls_out_fini(&list);
    slim_mls_out_fini(&path);
    slim_mls_out_fini(&out);
    slim_mls_change_fini(&change);
    return status;
}

enum slim_mls_status slim_mls_group_join_external(struct slim_mls_client *client,
                                                  struct slim_mls_view group_info,
                                                  struct slim_mls_view tree, uint32_t replace_leaf,
                                                  struct slim_mls_group **made,
                                                  struct slim_mls_buf *commit)
{
    if (group_info.len > MLS_MESSAGE_BYTES_MAX || tree.len > MLS_TREE_BYTES_MAX) {
        return SLIM_MLS_ERR_LIMIT;
    }
    if (client->policy.moderated) {
        return SLIM_MLS_ERR_DENIED; /* not by leaf 0 */
    }
    struct slim_mls_group_info info;
    struct slim_mls_group *group = NULL;
    struct slim_buf bytes = {0};
    enum slim_status status = read_group_info(slim_mls_view_in(group_info), &info);
    if (status == SLIM_OK) {
        status = slim_mls_group_new(client, info.context.group_id, &group);
    }
    if (status == SLIM_OK) {
        status = join_external(group, &info, slim_mls_view_in(tree), replace_leaf, &bytes);
    }
    if (status != SLIM_OK) {
        slim_mls_group_free(group);
        return slim_mls_status_out(status);
    }
    *made = group;
    *commit = slim_mls_buf_out(&bytes);
    return SLIM_MLS_OK;
}
