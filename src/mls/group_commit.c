/* Making commits and welcomes: RFC 9420 sections 12.4.1 and 12.4.3.1. */
#include "base/secret.h"
#include "mls/group.h"

void slim_mls_commit_output_free(struct slim_mls_commit_output *output)
{
    if (output != NULL) {
        slim_mls_buf_free(&output->commit);
        slim_mls_buf_free(&output->welcome);
    }
}

/* ---- the list of proposals */

struct slim_mls_proposal slim_mls_remove_of(uint32_t leaf_index)
{
    return (struct slim_mls_proposal){.type = MLS_PROPOSAL_REMOVE, .u.removed = leaf_index};
}

struct slim_mls_proposal slim_mls_psk_of(const struct slim_mls_group *group,
                                         const struct slim_mls_psk_choice *choice,
                                         uint8_t nonce[MLS_SECRET_MAX])
{
    const struct slim_mls_random *random = &group->client->random;
    random->fill(random->context, nonce, group->suite->hash_len);
    struct slim_mls_psk_id id = {
        .type = choice->type == SLIM_MLS_PSK_EXTERNAL ? MLS_PSK_EXTERNAL : MLS_PSK_RESUMPTION,
        .external_id = slim_mls_view_in(choice->id),
        .usage = choice->usage,
        .group_id = choice->group_id.len > 0 ? slim_mls_view_in(choice->group_id)
                                             : slim_buf_view(&group->id),
        .epoch = choice->epoch,
        .nonce = slim_view_of(nonce, group->suite->hash_len),
    };
    return (struct slim_mls_proposal){.type = MLS_PROPOSAL_PSK, .u.psk = id};
}

struct slim_mls_proposal slim_mls_reinit_of(const struct slim_mls_reinit_choice *choice)
{
    struct slim_mls_reinit reinit = {
        .group_id = slim_mls_view_in(choice->group_id),
        .version = MLS_VERSION_10,
        .suite = choice->cipher_suite,
        .extensions = slim_mls_view_in(choice->extensions),
    };
    return (struct slim_mls_proposal){.type = MLS_PROPOSAL_REINIT, .u.reinit = reinit};
}

enum slim_status slim_mls_read_key_package(struct slim_view message,
                                           struct slim_mls_key_package *package)
{
    enum slim_mls_wire_format format;
    SLIM_TRY(slim_mls_take_message_head(&message, &format));
    if (format != MLS_WIRE_KEY_PACKAGE) {
        return SLIM_ERR_INVALID;
    }
    SLIM_TRY(slim_mls_take_key_package(&message, package));
    return message.len == 0 ? SLIM_OK : SLIM_ERR_MALFORMED;
}

enum slim_mls_status slim_mls_key_package_look(struct slim_mls_view message,
                                               struct slim_mls_member *member)
{
    struct slim_mls_key_package package;
    if (message.len > MLS_MESSAGE_BYTES_MAX) {
        return SLIM_MLS_ERR_LIMIT;
    }
    enum slim_status status = slim_mls_read_key_package(slim_mls_view_in(message), &package);
    if (status != SLIM_OK) {
        return slim_mls_status_out(status);
    }
    const struct slim_mls_credential *credential = &package.leaf.credential;
    *member = (struct slim_mls_member){
        .leaf_index = UINT32_MAX,
        .credential = {credential->type, slim_mls_view_out(credential->type == MLS_CREDENTIAL_BASIC
                                                               ? credential->identity
                                                               : credential->certificates)},
        .signature_key = slim_mls_view_out(package.leaf.signature_key),
    };
    return SLIM_MLS_OK;
}

/* Which waiting proposals go into a commit: those that do not contradict each other or the options (section 12.2 leaves the
 * choice to the committer). `taken` has a mark for each. */
static enum slim_status decode_cached(const struct slim_mls_group *group, size_t index,
                                      struct slim_mls_content *content,
                                      struct slim_mls_proposal *proposal)
{
    struct slim_view in = slim_buf_view(&group->proposals[index].bytes);
    SLIM_TRY(slim_mls_take_authenticated(&in, content));
    in = content->body;
    return slim_mls_take_proposal(&in, proposal);
}

static bool is_chosen_for_removal(const struct slim_mls_commit_options *options,
                                  uint32_t leaf_index)
{
    for (size_t i = 0; i < options->removed_count; i++) {
        if (options->removed[i] == leaf_index) {
            return true;
        }
    }
    return false;
}

static bool has_inline(const struct slim_mls_commit_options *options)
{
    return options->key_package_count > 0 || options->removed_count > 0 || options->psk_count > 0 ||
           options->extensions != NULL || options->reinit != NULL;
}

/* Is there another waiting proposal that takes the place of this one? Removal beats update, the later update or extension list
 * beats the earlier, the first of equals stays. */
static bool is_superseded(const struct slim_mls_group *group, size_t index,
                          const struct slim_mls_content *content,
                          const struct slim_mls_proposal *proposal)
{
    for (size_t i = 0; i < group->proposal_count; i++) {
        struct slim_mls_content other_content;
        struct slim_mls_proposal other;
        if (i == index || decode_cached(group, i, &other_content, &other) != SLIM_OK) {
            continue;
        }
        bool is_removed = other.type == MLS_PROPOSAL_REMOVE &&
                          proposal->type == MLS_PROPOSAL_UPDATE &&
                          other.u.removed == content->sender_index;
        bool is_later = i > index && other.type == proposal->type &&
                        ((proposal->type == MLS_PROPOSAL_UPDATE &&
                          other_content.sender_index == content->sender_index) ||
                         proposal->type == MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS);
        bool is_same = i < index && other.type == proposal->type &&
                       (slim_view_is_equal(other.bytes, proposal->bytes) ||
                        (proposal->type == MLS_PROPOSAL_ADD &&
                         slim_view_is_equal(other.u.add.leaf.signature_key,
                                            proposal->u.add.leaf.signature_key)));
        if (is_removed || is_later || is_same) {
            return true;
        }
    }
    return false;
}

static bool is_member_key(const struct slim_mls_group *group, struct slim_view signature_key)
{
    const struct slim_mls_tree *tree = &group->epoch->tree;
    for (uint32_t i = 0; i < tree->leaf_count; i++) {
        const struct slim_mls_node *leaf = slim_mls_tree_leaf_find(tree, i);
        if (leaf != NULL && slim_view_is_equal(leaf->u.leaf.leaf.signature_key, signature_key)) {
            return true;
        }
    }
    return false;
}

static bool is_wanted(const struct slim_mls_group *group,
                      const struct slim_mls_commit_options *options, size_t index)
{
    struct slim_mls_content content;
    struct slim_mls_proposal proposal;
    if (decode_cached(group, index, &content, &proposal) != SLIM_OK ||
        is_superseded(group, index, &content, &proposal)) {
        return false;
    }
    uint32_t own = group->epoch->own.leaf_index;
    const struct slim_mls_tree *tree = &group->epoch->tree;
    switch (proposal.type) {
    case MLS_PROPOSAL_ADD:
        return !is_member_key(group, proposal.u.add.leaf.signature_key);
    case MLS_PROPOSAL_UPDATE:
        return content.sender_index != own &&
               slim_mls_tree_leaf_find(tree, content.sender_index) != NULL &&
               !is_chosen_for_removal(options, content.sender_index);
    case MLS_PROPOSAL_REMOVE:
        return proposal.u.removed != own &&
               slim_mls_tree_leaf_find(tree, proposal.u.removed) != NULL &&
               !is_chosen_for_removal(options, proposal.u.removed);
    case MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS:
        return options->extensions == NULL;
    case MLS_PROPOSAL_REINIT:
        return options->accept_reinit && group->proposal_count == 1 && !has_inline(options);
    case MLS_PROPOSAL_PSK:
        return true;
    case MLS_PROPOSAL_EXTERNAL_INIT:
        return false;
    }
    return false;
}

enum { ITEM_PROPOSAL = 1, ITEM_REFERENCE = 2 };

void slim_mls_put_inline(struct slim_mls_out *out, const struct slim_mls_proposal *proposal)
{
    slim_mls_put_u8(out, ITEM_PROPOSAL);
    slim_mls_put_proposal(out, proposal);
}

void slim_mls_put_reference(struct slim_mls_out *out, struct slim_view reference)
{
    slim_mls_put_u8(out, ITEM_REFERENCE);
    slim_mls_put_opaque(out, reference);
}

static enum slim_status put_list(const struct slim_mls_group *group,
                                 const struct slim_mls_commit_options *options,
                                 struct slim_mls_out *out)
{
    for (size_t i = 0; i < group->proposal_count && !options->without_proposals; i++) {
        if (is_wanted(group, options, i)) {
            slim_mls_put_reference(out,
                                   slim_view_of(group->proposals[i].ref, group->suite->hash_len));
        }
    }
    for (size_t i = 0; i < options->removed_count; i++) {
        struct slim_mls_proposal proposal = slim_mls_remove_of(options->removed[i]);
        slim_mls_put_inline(out, &proposal);
    }
    for (size_t i = 0; i < options->key_package_count; i++) {
        struct slim_mls_proposal proposal = {.type = MLS_PROPOSAL_ADD};
        SLIM_TRY(
            slim_mls_read_key_package(slim_mls_view_in(options->key_packages[i]), &proposal.u.add));
        slim_mls_put_inline(out, &proposal);
    }
    for (size_t i = 0; i < options->psk_count; i++) {
        uint8_t nonce[MLS_SECRET_MAX];
        struct slim_mls_proposal proposal = slim_mls_psk_of(group, &options->psks[i], nonce);
        slim_mls_put_inline(out, &proposal);
    }
    if (options->extensions != NULL) {
        struct slim_mls_proposal proposal = {.type = MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS,
                                             .u.extensions =
                                                 slim_mls_view_in(*options->extensions)};
        slim_mls_put_inline(out, &proposal);
    }
    if (options->reinit != NULL) {
        struct slim_mls_proposal proposal = slim_mls_reinit_of(options->reinit);
        slim_mls_put_inline(out, &proposal);
    }
    return out->status;
}

/* ---- the path */

/* Our leaf as it will be: what it was, with new encryption key, parent hash, and the client's credential. */
static enum slim_status set_own_leaf(struct slim_mls_change *change,
                                     struct slim_view encryption_key, struct slim_view parent_hash)
{
    const struct slim_mls_client *client = change->group->client;
    struct slim_mls_tree *tree = &change->next->tree;
    uint32_t own = change->next->own.leaf_index;
    const struct slim_mls_node *node = slim_mls_tree_leaf_find(tree, own);
    struct slim_mls_leaf leaf = node->u.leaf.leaf;
    struct slim_view credential = slim_buf_view(&client->credential);
    bool has_new_credential = !slim_view_is_equal(credential, leaf.credential.bytes);
    SLIM_TRY(slim_mls_take_credential(&credential, &leaf.credential));
    leaf.source = MLS_LEAF_COMMIT;
    leaf.encryption_key = encryption_key;
    leaf.parent_hash = parent_hash;
    uint8_t identity[MLS_IDENTITY_LEN];
    memcpy(identity, node->u.leaf.identity, sizeof(identity));
    const struct slim_mls_node *previous = node;
    if (change->is_external) {
        previous = change->removed.count == 0 ? NULL
                                              : slim_mls_tree_leaf_find(&change->group->epoch->tree,
                                                                        change->removed.items[0]);
    }
    if (has_new_credential || change->is_external) {
        SLIM_TRY(slim_mls_client_check(
            client, previous == NULL ? SLIM_MLS_CHECK_ADD : SLIM_MLS_CHECK_REPLACE,
            slim_buf_view(&change->group->id), own, &leaf,
            previous == NULL ? NULL : &previous->u.leaf.leaf, identity));
        if (!slim_mls_is_same_member(previous, identity)) {
            return SLIM_ERR_AUTH;
        }
    }
    struct slim_mls_out out = {0};
    enum slim_status status = slim_mls_leaf_sign(change->group->suite, client->signature_key, &leaf,
                                                 slim_buf_view(&change->group->id), own, &out);
    if (status == SLIM_OK) {
        status = slim_mls_tree_set_leaf(tree, own, slim_mls_out_view(&out));
    }
    slim_mls_out_fini(&out);
    if (status == SLIM_OK) {
        memcpy(slim_mls_tree_leaf_find(tree, own)->u.leaf.identity, identity, sizeof(identity));
    }
    return status;
}

enum slim_status slim_mls_change_make_path(struct slim_mls_change *change,
                                           struct slim_mls_path_secrets *secrets,
                                           struct slim_mls_out *out)
{
    const struct slim_mls_suite *suite = change->group->suite;
    const struct slim_mls_random *random = &change->group->client->random;
    struct slim_mls_epoch *next = change->next;
    uint8_t leaf_key[MLS_KEM_PUBLIC_MAX];
    uint8_t parent_hash[MLS_SECRET_MAX];
    size_t parent_hash_len;
    SLIM_TRY(slim_mls_path_begin(&next->tree, random, &next->own, secrets, leaf_key, parent_hash,
                                 &parent_hash_len));
    SLIM_TRY(set_own_leaf(change, slim_view_of(leaf_key, slim_crypto_dh_public_len(suite->curve)),
                          slim_view_of(parent_hash, parent_hash_len)));
    slim_mls_private_prune(&next->own, &next->tree);
    SLIM_TRY(slim_mls_indices_put(&change->touched, 2 * next->own.leaf_index));
    for (size_t i = 0; i < secrets->steps.count; i++) {
        SLIM_TRY(slim_mls_indices_put(&change->touched, secrets->steps.items[i].node));
    }
    /* provisional: new tree, new epoch, old transcript */
    SLIM_TRY(slim_mls_epoch_set_context(next, slim_buf_view(&change->group->id)));
    slim_mls_put_bytes(
        out, slim_mls_tree_leaf_find(&next->tree, next->own.leaf_index)->u.leaf.leaf.bytes);
    SLIM_TRY(slim_mls_path_encrypt(&next->tree, random, secrets, &change->added,
                                   slim_buf_view(&next->context), out));
    memcpy(change->commit_secret, secrets->commit_secret, suite->hash_len);
    return out->status;
}

/* ---- the message */

enum slim_mls_wire_format slim_mls_group_handshake_format(const struct slim_mls_group *group)
{
    return group->client->policy.encrypt_handshake ? MLS_WIRE_PRIVATE : MLS_WIRE_PUBLIC;
}

enum slim_status slim_mls_group_put_message(struct slim_mls_group *group,
                                            const struct slim_mls_content *content,
                                            struct slim_mls_out *out)
{
    struct slim_mls_epoch *epoch = group->epoch;
    slim_mls_put_message_head(out, content->format);
    if (content->format == MLS_WIRE_PUBLIC) {
        return slim_mls_put_public(out, group->suite, epoch->secrets.membership,
                                   slim_buf_view(&epoch->context), content);
    }
    return slim_mls_private_seal(
        group->suite, &group->client->random, &epoch->messages, epoch->secrets.sender_data,
        group->client->policy.pad ? MLS_PADDING_STEP : MLS_PADDING_NONE, content, out);
}

static enum slim_status put_commit_body(struct slim_mls_out *out, struct slim_view proposals,
                                        struct slim_view path)
{
    slim_mls_put_opaque(out, proposals);
    slim_mls_put_u8(out, path.len > 0 ? 1 : 0);
    slim_mls_put_bytes(out, path);
    return out->status;
}

/* Sign, run the key schedule, and protect. `signature` is room of SLIM_CRYPTO_SIGNATURE_MAX bytes that *content refers to. */
static enum slim_status finish_commit(struct slim_mls_change *change,
                                      struct slim_mls_content *content, uint8_t *signature,
                                      const uint8_t *init_secret, struct slim_mls_out *out)
{
    struct slim_mls_group *group = change->group;
    struct slim_mls_out input = {0};
    size_t len;
    SLIM_TRY(slim_mls_content_sign(group->suite, group->client->signature_key,
                                   slim_buf_view(&group->epoch->context), content, signature,
                                   &len));
    content->signature = slim_view_of(signature, len);
    slim_mls_put_confirmed_input(&input, content);
    enum slim_status status = input.status;
    if (status == SLIM_OK) {
        status = slim_mls_change_finish(change, init_secret, slim_mls_out_view(&input));
    }
    slim_mls_out_fini(&input);
    SLIM_TRY(status);
    content->confirmation_tag =
        slim_view_of(change->next->confirmation_tag, group->suite->hash_len);
    return slim_mls_group_put_message(group, content, out);
}

enum slim_status slim_mls_change_put_commit(struct slim_mls_change *change,
                                            struct slim_view proposals, struct slim_view path,
                                            struct slim_view authenticated_data,
                                            const uint8_t *init_secret, struct slim_mls_out *out)
{
    struct slim_mls_group *group = change->group;
    struct slim_mls_out body = {0};
    enum slim_status status = put_commit_body(&body, proposals, path);
    if (status == SLIM_OK) {
        struct slim_mls_content content = {
            .format =
                change->is_external ? MLS_WIRE_PUBLIC : slim_mls_group_handshake_format(group),
            .group_id = slim_buf_view(&group->id),
            .epoch = group->epoch->number,
            .sender_type = change->is_external ? MLS_SENDER_NEW_COMMIT : MLS_SENDER_MEMBER,
            .sender_index = change->committer,
            .authenticated_data = authenticated_data,
            .content_type = MLS_CONTENT_COMMIT,
            .body = slim_mls_out_view(&body),
        };
        uint8_t signature[SLIM_CRYPTO_SIGNATURE_MAX];
        status = finish_commit(change, &content, signature, init_secret, out);
    }
    slim_mls_out_fini(&body);
    return status;
}

/* ---- GroupInfo and Welcome */

enum slim_status slim_mls_group_put_info(const struct slim_mls_group *group,
                                         struct slim_mls_epoch *epoch, struct slim_view extensions,
                                         struct slim_mls_out *out)
{
    size_t start = out->buf.len;
    slim_mls_put_bytes(out, slim_buf_view(&epoch->context));
    slim_mls_put_opaque(out, extensions);
    slim_mls_put_opaque(out, slim_view_of(epoch->confirmation_tag, group->suite->hash_len));
    slim_mls_put_u32(out, epoch->own.leaf_index);
    SLIM_TRY(out->status);
    uint8_t signature[SLIM_CRYPTO_SIGNATURE_MAX];
    size_t len;
    SLIM_TRY(slim_mls_sign(group->suite, group->client->signature_key, "GroupInfoTBS",
                           slim_view_skip(slim_mls_out_view(out), start), signature, &len));
    slim_mls_put_opaque(out, slim_view_of(signature, len));
    return out->status;
}

static void put_tree_extension(struct slim_mls_out *out, const struct slim_mls_tree *tree)
{
    slim_mls_put_u16(out, MLS_EXTENSION_RATCHET_TREE);
    size_t data = slim_mls_put_begin(out);
    size_t list = slim_mls_put_begin(out);
    slim_mls_tree_put(out, tree);
    slim_mls_put_end(out, list);
    slim_mls_put_end(out, data);
}

enum slim_mls_status slim_mls_group_info(const struct slim_mls_group *group, bool with_tree,
                                         struct slim_mls_buf *message)
{
    uint8_t private_key[MLS_KEM_PRIVATE_MAX];
    uint8_t public_key[MLS_KEM_PUBLIC_MAX];
    const struct slim_mls_suite *suite = group->suite;
    if (group->is_removed || slim_mls_epoch_is_closed(group->epoch)) {
        return SLIM_MLS_ERR_STATE;
    }
    if (!slim_mls_group_is_ours_to_change(group)) {
        return SLIM_MLS_ERR_DENIED;
    }
    enum slim_status status = slim_mls_hpke_derive_key_pair(
        suite, slim_view_of(group->epoch->secrets.external, suite->hash_len), private_key,
        public_key);
    slim_secret_wipe(private_key, sizeof(private_key));
    if (status != SLIM_OK) {
        return slim_mls_status_out(status);
    }
    struct slim_mls_out extensions = {0};
    struct slim_mls_out out = {0};
    struct slim_buf bytes = {0};
    if (with_tree) {
        put_tree_extension(&extensions, &group->epoch->tree);
    }
    slim_mls_put_u16(&extensions, MLS_EXTENSION_EXTERNAL_PUB);
    size_t data = slim_mls_put_begin(&extensions);
    slim_mls_put_opaque(&extensions,
                        slim_view_of(public_key, slim_crypto_dh_public_len(suite->curve)));
    slim_mls_put_end(&extensions, data);
    slim_mls_put_message_head(&out, MLS_WIRE_GROUP_INFO);
    status = extensions.status;
    if (status == SLIM_OK) {
        status = slim_mls_group_put_info(group, group->epoch, slim_mls_out_view(&extensions), &out);
    }
    slim_mls_out_fini(&extensions);
    if (status == SLIM_OK) {
        status = slim_mls_out_give(&out, &bytes);
    }
    slim_mls_out_fini(&out);
    if (status == SLIM_OK) {
        *message = slim_mls_buf_out(&bytes);
    }
    return slim_mls_status_out(status);
}

/* The encrypted GroupInfo of the new epoch. */
static enum slim_status seal_group_info(struct slim_mls_change *change, bool with_tree,
                                        struct slim_mls_out *out)
{
    const struct slim_mls_suite *suite = change->group->suite;
    struct slim_mls_out extensions = {0};
    struct slim_mls_out info = {0};
    if (with_tree) {
        put_tree_extension(&extensions, &change->next->tree);
    }
    enum slim_status status = extensions.status;
    if (status == SLIM_OK) {
        status = slim_mls_group_put_info(change->group, change->next,
                                         slim_mls_out_view(&extensions), &info);
    }
    if (status == SLIM_OK) {
        status = slim_buf_reserve(&info.buf, SLIM_CRYPTO_TAG_LEN);
    }
    if (status == SLIM_OK) {
        uint8_t key[SLIM_CRYPTO_AEAD_KEY_MAX];
        uint8_t nonce[SLIM_CRYPTO_NONCE_LEN];
        slim_mls_welcome_key(suite, change->next->secrets.welcome, key, nonce);
        status = slim_crypto_seal(suite->aead, key, nonce, (struct slim_view){0},
                                  slim_mls_out_view(&info), info.buf.data);
        info.buf.len += SLIM_CRYPTO_TAG_LEN;
        slim_secret_wipe(key, sizeof(key));
    }
    if (status == SLIM_OK) {
        slim_mls_put_bytes(out, slim_mls_out_view(&info));
        status = out->status;
    }
    slim_mls_out_fini(&extensions);
    slim_mls_out_fini(&info);
    return status;
}

static void put_psk_ids(struct slim_mls_out *out, const struct slim_mls_change *change)
{
    for (size_t i = 0; i < change->item_count; i++) {
        if (change->items[i].proposal.type == MLS_PROPOSAL_PSK) {
            slim_mls_put_psk_id(out, &change->items[i].proposal.u.psk);
        }
    }
}

/* One EncryptedGroupSecrets: the secrets for one new leaf. `package` is its proposal. */
static enum slim_status put_secrets_for(const struct slim_mls_change *change,
                                        const struct slim_mls_key_package *package,
                                        uint32_t leaf_index,
                                        const struct slim_mls_path_secrets *path,
                                        const struct slim_mls_hpke_info *info,
                                        struct slim_view psks, struct slim_mls_out *out)
{
    const struct slim_mls_suite *suite = change->group->suite;
    struct slim_mls_group_secrets secrets = {
        .joiner_secret = slim_view_of(change->next->secrets.joiner, suite->hash_len),
        .psks = psks,
    };
    if (path != NULL) {
        size_t common = slim_mls_path_common(&path->steps, leaf_index);
        assert(common < path->steps.count); /* the new leaf makes a copath not blank */
        secrets.has_path_secret = true;
        secrets.path_secret = slim_view_of(path->secrets[common], suite->hash_len);
    }
    struct slim_mls_out plain = {0};
    uint8_t ref[MLS_SECRET_MAX];
    slim_mls_key_package_ref(suite, package, ref);
    slim_mls_put_group_secrets(&plain, &secrets);
    slim_mls_put_opaque(out, slim_view_of(ref, suite->hash_len));
    enum slim_status status = plain.status;
    if (status == SLIM_OK) {
        status = slim_mls_encrypt_prepared(suite, &change->group->client->random, package->init_key,
                                           info, slim_mls_out_view(&plain), out);
    }
    slim_mls_out_fini(&plain);
    return status;
}

static enum slim_status put_all_secrets(const struct slim_mls_change *change,
                                        const struct slim_mls_path_secrets *path,
                                        struct slim_view group_info, struct slim_mls_out *out)
{
    struct slim_mls_hpke_info info;
    struct slim_mls_out psks = {0};
    slim_mls_hpke_info_label(change->group->suite, "Welcome", group_info, &info);
    put_psk_ids(&psks, change);
    enum slim_status status = psks.status;
    size_t next_leaf = 0;
    for (size_t i = 0; i < change->item_count && status == SLIM_OK; i++) {
        if (change->items[i].proposal.type == MLS_PROPOSAL_ADD) {
            uint32_t leaf_index = change->added.items[next_leaf++] / 2;
            status = put_secrets_for(change, &change->items[i].proposal.u.add, leaf_index, path,
                                     &info, slim_mls_out_view(&psks), out);
        }
    }
    slim_mls_out_fini(&psks);
    return status;
}

static enum slim_status put_welcome(struct slim_mls_change *change,
                                    const struct slim_mls_path_secrets *path, bool with_tree,
                                    struct slim_mls_out *out)
{
    struct slim_mls_out group_info = {0};
    enum slim_status status = seal_group_info(change, with_tree, &group_info);
    if (status == SLIM_OK) {
        slim_mls_put_message_head(out, MLS_WIRE_WELCOME);
        slim_mls_put_u16(out, change->group->suite->id);
        size_t mark = slim_mls_put_begin(out);
        status = put_all_secrets(change, path, slim_mls_out_view(&group_info), out);
        slim_mls_put_end(out, mark);
        slim_mls_put_opaque(out, slim_mls_out_view(&group_info));
    }
    slim_mls_out_fini(&group_info);
    return status == SLIM_OK ? out->status : status;
}

/* ---- the whole */

static enum slim_status wants_path(const struct slim_mls_change *change,
                                   const struct slim_mls_commit_options *options, bool *wanted)
{
    size_t limit = change->group->client->policy.add_path_target_max;
    size_t count = 0;
    *wanted = change->needs_path || options->path == SLIM_MLS_PATH_ALWAYS;
    if (!*wanted && options->path == SLIM_MLS_PATH_POLICY && change->added.count > 0 && limit > 0) {
        SLIM_TRY(slim_mls_path_target_count(&change->next->tree, change->committer, &change->added,
                                            &count));
        *wanted = count <= limit;
    }
    return SLIM_OK;
}

struct parts {
    struct slim_mls_out proposals;
    struct slim_mls_out path;
    struct slim_mls_out commit;
    struct slim_mls_out welcome;
    struct slim_mls_path_secrets secrets;
};

static enum slim_status run_commit(struct slim_mls_change *change,
                                   const struct slim_mls_commit_options *options,
                                   struct parts *parts)
{
    struct slim_mls_group *group = change->group;
    SLIM_TRY(put_list(group, options, &parts->proposals));
    SLIM_TRY(slim_mls_change_collect(change, slim_mls_out_view(&parts->proposals)));
    SLIM_TRY(slim_mls_change_apply(change));
    bool has_path;
    SLIM_TRY(wants_path(change, options, &has_path));
    if (has_path) {
        SLIM_TRY(slim_mls_change_make_path(change, &parts->secrets, &parts->path));
    }
    SLIM_TRY(slim_mls_change_check_tree(change));
    SLIM_TRY(slim_mls_change_put_commit(
        change, slim_mls_out_view(&parts->proposals), slim_mls_out_view(&parts->path),
        slim_mls_view_in(options->authenticated_data), group->epoch->secrets.init, &parts->commit));
    if (change->added.count > 0) {
        SLIM_TRY(put_welcome(change, has_path ? &parts->secrets : NULL,
                             !options->without_welcome_tree, &parts->welcome));
    }
    if (parts->commit.buf.len > MLS_MESSAGE_BYTES_MAX ||
        parts->welcome.buf.len > MLS_MESSAGE_BYTES_MAX) {
        return SLIM_ERR_LIMIT; /* nobody would take it */
    }
    return SLIM_OK;
}

enum slim_mls_status slim_mls_group_commit(struct slim_mls_group *group,
                                           const struct slim_mls_commit_options *options,
                                           struct slim_mls_commit_output *output)
{
    if (group->is_removed) {
        return SLIM_MLS_ERR_REMOVED;
    }
    if (!slim_mls_group_is_ours_to_change(group)) {
        return SLIM_MLS_ERR_DENIED;
    }
    if (group->pending != NULL || slim_mls_epoch_is_closed(group->epoch)) {
        return SLIM_MLS_ERR_STATE;
    }
    struct parts *parts = slim_secret_take(1, sizeof(*parts));
    if (parts == NULL) {
        return SLIM_MLS_ERR_NO_MEMORY;
    }
    struct slim_mls_change change;
    slim_mls_change_init(&change, group);
    change.committer = group->epoch->own.leaf_index;
    struct slim_buf commit = {0};
    struct slim_buf welcome = {0};
    enum slim_status status = run_commit(&change, options, parts);
    if (status == SLIM_OK) {
        status = slim_mls_out_give(&parts->commit, &commit);
    }
    if (status == SLIM_OK) {
        status = slim_mls_out_give(&parts->welcome, &welcome);
    }
    if (status == SLIM_OK) {
        group->pending = change.next;
        change.next = NULL;
        output->commit = slim_mls_buf_out(&commit);
        output->welcome = slim_mls_buf_out(&welcome);
    }
    slim_buf_wipe(&commit);
    slim_mls_out_fini(&parts->proposals);
    slim_mls_out_fini(&parts->path);
    slim_mls_out_fini(&parts->commit);
    slim_mls_out_fini(&parts->welcome);
    slim_secret_wipe(parts, sizeof(*parts));
    slim_secret_return(parts);
    slim_mls_change_fini(&change);
    return slim_mls_status_out(status);
}

enum slim_mls_status slim_mls_group_commit_apply(struct slim_mls_group *group)
{
    if (group->pending == NULL) {
        return SLIM_MLS_ERR_STATE;
    }
    slim_mls_group_swap(group, group->pending);
    return SLIM_MLS_OK;
}

void slim_mls_group_commit_cancel(struct slim_mls_group *group)
{
    slim_mls_epoch_free(group->pending);
    group->pending = NULL;
}
