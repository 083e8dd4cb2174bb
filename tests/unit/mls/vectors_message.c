/* secret-tree, message-protection, welcome, messages. */
#include "mls/framing.h"
#include "mls/hpke.h"
#include "mls/tree.h"
#include "mls/welcome.h"
#include "vectors.h"

enum { SKIPPED_MAX = 1024 };

static bool check_generation(struct slim_mls_secret_tree *tree, const json_t *item, uint32_t leaf)
{
    uint32_t generation = (uint32_t)vector_number(item, "generation");
    static const struct {
        enum slim_mls_ratchet_kind kind;
        const char *key;
        const char *nonce;
    } rows[] = {{MLS_RATCHET_HANDSHAKE, "handshake_key", "handshake_nonce"},
                {MLS_RATCHET_APPLICATION, "application_key", "application_nonce"}};
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_mls_message_key key;
        EXPECT_OK(slim_mls_secret_tree_find(tree, leaf, rows[i].kind, generation, &key));
        EXPECT(vector_is_equal(item, rows[i].key, key.key, tree->suite->key_len));
        EXPECT(vector_is_equal(item, rows[i].nonce, key.nonce, sizeof(key.nonce)));
        EXPECT_OK(slim_mls_secret_tree_use(tree, leaf, rows[i].kind, generation));
        EXPECT(slim_mls_secret_tree_find(tree, leaf, rows[i].kind, generation, &key) ==
               SLIM_ERR_REPLAYED);
    }
    return true;
}

bool vector_secret_tree(const json_t *item)
{
    const struct slim_mls_suite *suite = vector_suite(item);
    const json_t *sender = vector_get(item, "sender_data");
    struct slim_mls_message_key key;
    slim_mls_sender_data_key(suite, vector_hex(sender, "sender_data_secret").data,
                             vector_hex(sender, "ciphertext"), &key);
    EXPECT(vector_is_equal(sender, "key", key.key, suite->key_len));
    EXPECT(vector_is_equal(sender, "nonce", key.nonce, sizeof(key.nonce)));

    const json_t *leaves = vector_get(item, "leaves");
    struct slim_mls_secret_tree tree;
    EXPECT_OK(slim_mls_secret_tree_init(&tree, suite,
                                        slim_mls_leaf_width((uint32_t)json_array_size(leaves)),
                                        SKIPPED_MAX, vector_hex(item, "encryption_secret").data));
    bool ok = true;
    for (size_t leaf = 0; leaf < json_array_size(leaves); leaf++) {
        const json_t *generations = json_array_get(leaves, leaf);
        for (size_t i = 0; ok && i < json_array_size(generations); i++) {
            ok = check_generation(&tree, json_array_get(generations, i), (uint32_t)leaf);
        }
    }
    slim_mls_secret_tree_fini(&tree);
    return ok;
}

/* ---- message-protection */

struct protection {
    const struct slim_mls_suite *suite;
    struct slim_mls_secret_tree tree;
    struct slim_view context;
    uint8_t signature_key[SLIM_CRYPTO_SIGN_PRIVATE_MAX];
};

static bool open_public(const struct protection *own, const json_t *item, struct slim_view in,
                        const char *raw)
{
    enum slim_mls_wire_format format;
    struct slim_mls_content content;
    struct slim_view tag;
    EXPECT_OK(slim_mls_take_message_head(&in, &format));
    EXPECT(format == MLS_WIRE_PUBLIC);
    EXPECT_OK(slim_mls_take_public(&in, &content, &tag));
    EXPECT(in.len == 0 && content.sender_index == 1);
    EXPECT_OK(slim_mls_membership_check(own->suite, vector_hex(item, "membership_key").data,
                                        own->context, &content, tag));
    EXPECT_OK(slim_mls_content_verify(own->suite, vector_hex(item, "signature_pub"), own->context,
                                      &content));
    EXPECT(vector_is_equal(item, raw, content.body.data, content.body.len));
    return true;
}

static bool open_private(struct protection *own, const json_t *item, struct slim_view in,
                         const char *raw)
{
    enum slim_mls_wire_format format;
    struct slim_mls_private_message message;
    struct slim_mls_content content;
    struct slim_buf plain = {0};
    uint32_t generation;
    EXPECT_OK(slim_mls_take_message_head(&in, &format));
    EXPECT(format == MLS_WIRE_PRIVATE);
    EXPECT_OK(slim_mls_take_private(&in, &message));
    EXPECT(in.len == 0);
    EXPECT_OK(slim_mls_private_open(own->suite, &own->tree,
                                    vector_hex(item, "sender_data_secret").data, &message, &plain,
                                    &content, &generation));
    EXPECT(content.sender_index == 1);
    EXPECT_OK(slim_mls_content_verify(own->suite, vector_hex(item, "signature_pub"), own->context,
                                      &content));
    bool is_equal = vector_is_equal(item, raw, content.body.data, content.body.len);
    slim_buf_wipe(&plain);
    EXPECT(is_equal);
    return true;
}

static bool seal_both(struct protection *own, const json_t *item, const char *raw,
                      uint8_t content_type)
{
    uint8_t signature[SLIM_CRYPTO_SIGNATURE_MAX];
    size_t len;
    struct slim_mls_content content = {
        .format = MLS_WIRE_PUBLIC,
        .group_id = vector_hex(item, "group_id"),
        .epoch = vector_number(item, "epoch"),
        .sender_type = MLS_SENDER_MEMBER,
        .sender_index = 1,
        .content_type = content_type,
        .body = vector_hex(item, raw),
        .confirmation_tag =
            vector_hex(item, "membership_key"), /* any 32 bytes: nothing here checks it */
    };
    struct slim_mls_out out = {0};
    EXPECT_OK(slim_mls_content_sign(own->suite, own->signature_key, own->context, &content,
                                    signature, &len));
    content.signature = slim_view_of(signature, len);
    slim_mls_put_message_head(&out, MLS_WIRE_PUBLIC);
    enum slim_status status = slim_mls_put_public(
        &out, own->suite, vector_hex(item, "membership_key").data, own->context, &content);
    if (content_type == MLS_CONTENT_APPLICATION) {
        EXPECT(status == SLIM_ERR_ARGUMENT);
    } else {
        EXPECT_OK(status);
        EXPECT(open_public(own, item, slim_mls_out_view(&out), raw));
    }
    slim_mls_out_fini(&out);

    content.format = MLS_WIRE_PRIVATE;
    EXPECT_OK(slim_mls_content_sign(own->suite, own->signature_key, own->context, &content,
                                    signature, &len));
    content.signature = slim_view_of(signature, len);
    /* the sender's ratchet is at its own position in the same tree: take keys from a fresh one */
    struct slim_mls_secret_tree sending;
    EXPECT_OK(slim_mls_secret_tree_init(&sending, own->suite, 2, SKIPPED_MAX,
                                        vector_hex(item, "encryption_secret").data));
    struct slim_mls_message_key key;
    uint32_t generation;
    EXPECT_OK(slim_mls_secret_tree_next(&sending, 1, slim_mls_ratchet_of(content_type), &generation,
                                        &key));
    slim_mls_put_message_head(&out, MLS_WIRE_PRIVATE);
    EXPECT_OK(slim_mls_private_seal(own->suite, &vector_random, &sending,
                                    vector_hex(item, "sender_data_secret").data, MLS_PADDING_STEP,
                                    &content, &out));
    slim_mls_secret_tree_fini(&sending);
    EXPECT(open_private(own, item, slim_mls_out_view(&out), raw));
    slim_mls_out_fini(&out);
    return true;
}

static bool protect(struct protection *own, const json_t *item)
{
    static const struct {
        const char *raw;
        const char *public_message;
        const char *private_message;
        uint8_t content_type;
    } rows[] = {{"proposal", "proposal_pub", "proposal_priv", MLS_CONTENT_PROPOSAL},
                {"commit", "commit_pub", "commit_priv", MLS_CONTENT_COMMIT},
                {"application", NULL, "application_priv", MLS_CONTENT_APPLICATION}};
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        EXPECT_OK(slim_mls_secret_tree_init(&own->tree, own->suite, 2, SKIPPED_MAX,
                                            vector_hex(item, "encryption_secret").data));
        bool ok = (rows[i].public_message == NULL ||
                   open_public(own, item, vector_hex(item, rows[i].public_message), rows[i].raw)) &&
                  open_private(own, item, vector_hex(item, rows[i].private_message), rows[i].raw) &&
                  seal_both(own, item, rows[i].raw, rows[i].content_type);
        slim_mls_secret_tree_fini(&own->tree);
        EXPECT(ok);
    }
    return true;
}

bool vector_message_protection(const json_t *item)
{
    struct protection own = {.suite = vector_suite(item)};
    uint8_t public_key[SLIM_CRYPTO_SIGN_PUBLIC_MAX];
    EXPECT_OK(slim_crypto_sign_import(own.suite->signer, vector_hex(item, "signature_priv"),
                                      own.signature_key, public_key));
    struct slim_mls_context context = {
        .version = MLS_VERSION_10,
        .suite = own.suite->id,
        .group_id = vector_hex(item, "group_id"),
        .epoch = vector_number(item, "epoch"),
        .tree_hash = vector_hex(item, "tree_hash"),
        .confirmed_transcript_hash = vector_hex(item, "confirmed_transcript_hash"),
    };
    struct slim_mls_out out = {0};
    slim_mls_put_context(&out, &context);
    EXPECT_OK(out.status);
    own.context = slim_mls_out_view(&out);
    bool ok = protect(&own, item);
    slim_mls_out_fini(&out);
    return ok;
}

/* ---- welcome */

static bool check_group_info(const struct slim_mls_suite *suite, const json_t *item,
                             struct slim_view joiner, struct slim_view plain)
{
    static const uint8_t no_psk[MLS_SECRET_MAX];
    struct slim_mls_group_info info;
    EXPECT_OK(slim_mls_take_group_info(&plain, &info));
    EXPECT(plain.len == 0);
    EXPECT_OK(slim_mls_verify(suite, vector_hex(item, "signer_pub"), "GroupInfoTBS", info.tbs,
                              info.signature));
    struct slim_mls_epoch_secrets secrets;
    slim_mls_epoch_derive(suite, joiner.data, no_psk, info.context_bytes, &secrets);
    EXPECT_OK(slim_mls_mac_check(suite, secrets.confirmation,
                                 info.context.confirmed_transcript_hash, info.confirmation_tag));
    return true;
}

bool vector_welcome(const json_t *item)
{
    static const uint8_t no_psk[MLS_SECRET_MAX];
    const struct slim_mls_suite *suite = vector_suite(item);
    struct slim_view in = vector_hex(item, "key_package");
    enum slim_mls_wire_format format;
    struct slim_mls_key_package package;
    EXPECT_OK(slim_mls_take_message_head(&in, &format));
    EXPECT_OK(slim_mls_take_key_package(&in, &package));
    EXPECT(in.len == 0 && format == MLS_WIRE_KEY_PACKAGE);
    struct slim_mls_welcome welcome;
    in = vector_hex(item, "welcome");
    EXPECT_OK(slim_mls_take_message_head(&in, &format));
    EXPECT_OK(slim_mls_take_welcome(&in, &welcome));
    EXPECT(in.len == 0 && format == MLS_WIRE_WELCOME && welcome.suite == suite->id);

    uint8_t ref[MLS_SECRET_MAX];
    slim_mls_key_package_ref(suite, &package, ref);
    struct slim_mls_encrypted_secrets entry = {0};
    struct slim_view walk = welcome.secrets;
    bool found = false;
    while (!found && walk.len > 0) {
        EXPECT_OK(slim_mls_take_encrypted_secrets(&walk, &entry));
        found = slim_view_is_equal(entry.new_member, slim_view_of(ref, suite->hash_len));
    }
    EXPECT(found);
    struct slim_buf plain = {0};
    EXPECT_OK(slim_mls_decrypt_with_label(
        suite, vector_hex(item, "init_priv").data, package.init_key, "Welcome",
        welcome.encrypted_group_info, entry.sealed.kem_output, entry.sealed.ciphertext, &plain));
    struct slim_mls_group_secrets secrets;
    in = slim_buf_view(&plain);
    EXPECT_OK(slim_mls_take_group_secrets(&in, &secrets));
    EXPECT(in.len == 0 && secrets.joiner_secret.len == suite->hash_len);

    uint8_t welcome_secret[MLS_SECRET_MAX];
    uint8_t key[SLIM_CRYPTO_AEAD_KEY_MAX];
    uint8_t nonce[SLIM_CRYPTO_NONCE_LEN];
    slim_mls_welcome_secret(suite, secrets.joiner_secret.data, no_psk, welcome_secret);
    slim_mls_welcome_key(suite, welcome_secret, key, nonce);
    uint8_t *info = vector_room(welcome.encrypted_group_info.len);
    EXPECT_OK(slim_crypto_open(suite->aead, key, nonce, (struct slim_view){0},
                               welcome.encrypted_group_info, info));
    bool ok = check_group_info(
        suite, item, secrets.joiner_secret,
        slim_view_of(info, welcome.encrypted_group_info.len - SLIM_CRYPTO_TAG_LEN));
    slim_buf_wipe(&plain);
    return ok;
}

/* ---- messages: decode, encode from the decoded members, compare */

static bool put_message(struct slim_view in, struct slim_mls_out *out)
{
    enum slim_mls_wire_format format;
    struct slim_mls_content content;
    struct slim_view tag;
    struct slim_mls_private_message message;
    struct slim_mls_welcome welcome;
    struct slim_mls_group_info info;
    struct slim_mls_key_package package;
    EXPECT_OK(slim_mls_take_message_head(&in, &format));
    slim_mls_put_message_head(out, format);
    switch (format) {
    case MLS_WIRE_PUBLIC:
        EXPECT_OK(slim_mls_take_public(&in, &content, &tag));
        content.framed = (struct slim_view){0};
        slim_mls_put_framed(out, &content);
        slim_mls_put_auth(out, &content);
        if (content.sender_type == MLS_SENDER_MEMBER) {
            slim_mls_put_opaque(out, tag);
        }
        break;
    case MLS_WIRE_PRIVATE:
        EXPECT_OK(slim_mls_take_private(&in, &message));
        slim_mls_put_private(out, &message);
        break;
    case MLS_WIRE_WELCOME:
        EXPECT_OK(slim_mls_take_welcome(&in, &welcome));
        slim_mls_put_welcome(out, &welcome);
        break;
    case MLS_WIRE_GROUP_INFO:
        EXPECT_OK(slim_mls_take_group_info(&in, &info));
        slim_mls_put_group_info(out, &info);
        break;
    case MLS_WIRE_KEY_PACKAGE:
        EXPECT_OK(slim_mls_take_key_package(&in, &package));
        slim_mls_put_key_package(out, &package);
        break;
    }
    EXPECT(in.len == 0);
    return true;
}

static bool check_message(const json_t *item, const char *key)
{
    struct slim_mls_out out = {0};
    bool ok = put_message(vector_hex(item, key), &out) &&
              vector_is_equal(item, key, out.buf.data, out.buf.len);
    slim_mls_out_fini(&out);
    return ok;
}

static bool check_proposal(const json_t *item, const char *key, uint16_t type)
{
    struct slim_mls_out out = {0};
    struct slim_mls_proposal proposal;
    struct slim_view in = vector_hex(item, key);
    EXPECT_OK(slim_mls_take_proposal_body(&in, type, &proposal));
    slim_mls_put_proposal_body(&out, &proposal);
    bool ok = in.len == 0 && vector_is_equal(item, key, out.buf.data, out.buf.len);
    slim_mls_out_fini(&out);
    EXPECT(ok);
    return true;
}

static bool check_structs(const json_t *item)
{
    struct slim_mls_out out = {0};
    struct slim_view in = vector_hex(item, "commit");
    struct slim_mls_commit commit;
    EXPECT_OK(slim_mls_take_commit(&in, &commit));
    slim_mls_put_commit(&out, &commit);
    EXPECT(in.len == 0 && vector_is_equal(item, "commit", out.buf.data, out.buf.len));
    slim_mls_out_fini(&out);

    struct slim_mls_group_secrets secrets;
    in = vector_hex(item, "group_secrets");
    EXPECT_OK(slim_mls_take_group_secrets(&in, &secrets));
    slim_mls_put_group_secrets(&out, &secrets);
    EXPECT(in.len == 0 && vector_is_equal(item, "group_secrets", out.buf.data, out.buf.len));
    slim_mls_out_fini(&out);

    struct slim_mls_tree tree;
    struct slim_view list;
    in = vector_hex(item, "ratchet_tree");
    EXPECT_OK(slim_mls_take_opaque(&in, &list));
    EXPECT_OK(slim_mls_tree_read(slim_mls_suite_find(1), list, &tree));
    size_t mark = slim_mls_put_begin(&out);
    slim_mls_tree_put(&out, &tree);
    slim_mls_put_end(&out, mark);
    bool ok = in.len == 0 && vector_is_equal(item, "ratchet_tree", out.buf.data, out.buf.len);
    slim_mls_tree_fini(&tree);
    slim_mls_out_fini(&out);
    EXPECT(ok);
    return true;
}

bool vector_messages(const json_t *item)
{
    static const char *const messages[] = {"mls_welcome",
                                           "mls_group_info",
                                           "mls_key_package",
                                           "public_message_application",
                                           "public_message_proposal",
                                           "public_message_commit",
                                           "private_message"};
    for (size_t i = 0; i < SLIM_COUNT(messages); i++) {
        EXPECT(check_message(item, messages[i]));
    }
    EXPECT(check_proposal(item, "add_proposal", MLS_PROPOSAL_ADD));
    EXPECT(check_proposal(item, "update_proposal", MLS_PROPOSAL_UPDATE));
    EXPECT(check_proposal(item, "remove_proposal", MLS_PROPOSAL_REMOVE));
    EXPECT(check_proposal(item, "pre_shared_key_proposal", MLS_PROPOSAL_PSK));
    EXPECT(check_proposal(item, "re_init_proposal", MLS_PROPOSAL_REINIT));
    EXPECT(check_proposal(item, "external_init_proposal", MLS_PROPOSAL_EXTERNAL_INIT));
    EXPECT(check_proposal(item, "group_context_extensions_proposal",
                          MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS));
    return check_structs(item);
}
