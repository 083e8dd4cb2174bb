/* crypto-basics, deserialization, tree-math, key-schedule, psk_secret, transcript-hashes. */
#include "mls/framing.h"
#include "mls/hpke.h"
#include "mls/schedule.h"
#include "mls/tree_math.h"
#include "vectors.h"

static bool check_derivations(const struct slim_mls_suite *suite, const json_t *item)
{
    uint8_t out[SLIM_CRYPTO_HASH_MAX];
    const json_t *ref = vector_get(item, "ref_hash");
    slim_mls_ref_hash(suite, json_string_value(vector_get(ref, "label")), vector_hex(ref, "value"),
                      out);
    EXPECT(vector_is_equal(ref, "out", out, suite->hash_len));

    const json_t *expand = vector_get(item, "expand_with_label");
    size_t len = vector_number(expand, "length");
    EXPECT(len <= sizeof(out));
    slim_mls_expand_with_label(suite, vector_hex(expand, "secret").data,
                               json_string_value(vector_get(expand, "label")),
                               vector_hex(expand, "context"), out, len);
    EXPECT(vector_is_equal(expand, "out", out, len));

    const json_t *derive = vector_get(item, "derive_secret");
    slim_mls_derive_secret(suite, vector_hex(derive, "secret").data,
                           json_string_value(vector_get(derive, "label")), out);
    EXPECT(vector_is_equal(derive, "out", out, suite->hash_len));

    const json_t *tree = vector_get(item, "derive_tree_secret");
    len = vector_number(tree, "length");
    EXPECT(len <= sizeof(out));
    slim_mls_derive_tree_secret(suite, vector_hex(tree, "secret").data,
                                json_string_value(vector_get(tree, "label")),
                                (uint32_t)vector_number(tree, "generation"), out, len);
    EXPECT(vector_is_equal(tree, "out", out, len));
    return true;
}

static bool check_signature(const struct slim_mls_suite *suite, const json_t *item)
{
    const json_t *sign = vector_get(item, "sign_with_label");
    const char *label = json_string_value(vector_get(sign, "label"));
    struct slim_view content = vector_hex(sign, "content");
    struct slim_view public_key = vector_hex(sign, "pub");
    EXPECT_OK(slim_mls_verify(suite, public_key, label, content, vector_hex(sign, "signature")));

    uint8_t private_key[SLIM_CRYPTO_SIGN_PRIVATE_MAX];
    uint8_t computed[SLIM_CRYPTO_SIGN_PUBLIC_MAX];
    uint8_t signature[SLIM_CRYPTO_SIGNATURE_MAX];
    size_t len;
    EXPECT_OK(
        slim_crypto_sign_import(suite->signer, vector_hex(sign, "priv"), private_key, computed));
    EXPECT(slim_view_is_equal(public_key,
                              slim_view_of(computed, slim_crypto_sign_public_len(suite->signer))));
    EXPECT_OK(slim_mls_sign(suite, private_key, label, content, signature, &len));
    EXPECT_OK(slim_mls_verify(suite, public_key, label, content, slim_view_of(signature, len)));
    signature[len / 2] ^= 1;
    EXPECT(slim_mls_verify(suite, public_key, label, content, slim_view_of(signature, len)) ==
           SLIM_ERR_SIGNATURE);
    return true;
}

static bool open_sealed(const struct slim_mls_suite *suite, const json_t *item,
                        struct slim_view kem_output, struct slim_view ciphertext)
{
    const char *label = json_string_value(vector_get(item, "label"));
    struct slim_buf plain = {0};
    enum slim_status status = slim_mls_decrypt_with_label(
        suite, vector_hex(item, "priv").data, vector_hex(item, "pub"), label,
        vector_hex(item, "context"), kem_output, ciphertext, &plain);
    bool ok = status == SLIM_OK &&
              slim_view_is_equal(slim_buf_view(&plain), vector_hex(item, "plaintext"));
    slim_buf_wipe(&plain);
    EXPECT(ok);
    return true;
}

static bool check_encryption(const struct slim_mls_suite *suite, const json_t *item)
{
    const json_t *encrypt = vector_get(item, "encrypt_with_label");
    EXPECT(open_sealed(suite, encrypt, vector_hex(encrypt, "kem_output"),
                       vector_hex(encrypt, "ciphertext")));
    struct slim_mls_out out = {0};
    EXPECT_OK(slim_mls_encrypt_with_label(suite, &vector_random, vector_hex(encrypt, "pub"),
                                          json_string_value(vector_get(encrypt, "label")),
                                          vector_hex(encrypt, "context"),
                                          vector_hex(encrypt, "plaintext"), &out));
    struct slim_view in = slim_mls_out_view(&out);
    struct slim_mls_ciphertext sealed = {0};
    enum slim_status status = slim_mls_take_ciphertext(&in, &sealed);
    bool ok = status == SLIM_OK && in.len == 0 &&
              open_sealed(suite, encrypt, sealed.kem_output, sealed.ciphertext);
    slim_mls_out_fini(&out);
    EXPECT(ok);
    return true;
}

bool vector_crypto_basics(const json_t *item)
{
    const struct slim_mls_suite *suite = vector_suite(item);
    return check_derivations(suite, item) && check_signature(suite, item) &&
           check_encryption(suite, item);
}

bool vector_deserialization(const json_t *item)
{
    struct slim_view in = vector_hex(item, "vlbytes_header");
    uint32_t length;
    EXPECT_OK(slim_mls_take_length(&in, &length));
    EXPECT(in.len == 0 && length == vector_number(item, "length"));
    uint8_t header[4];
    size_t header_len = slim_mls_length_header(length, header);
    EXPECT(vector_is_equal(item, "vlbytes_header", header, header_len));
    return true;
}

static bool same_node(const json_t *list, uint32_t node, bool exists, uint32_t got)
{
    const json_t *want = json_array_get(list, node);
    return exists ? json_is_integer(want) && (uint32_t)json_integer_value(want) == got
                  : json_is_null(want);
}

bool vector_tree_math(const json_t *item)
{
    uint32_t leaf_count = (uint32_t)vector_number(item, "n_leaves");
    uint32_t node_count = slim_mls_node_count(leaf_count);
    uint32_t root = slim_mls_node_root(leaf_count);
    EXPECT(node_count == vector_number(item, "n_nodes") && root == vector_number(item, "root"));
    EXPECT(slim_mls_leaf_width(leaf_count) == leaf_count);
    for (uint32_t node = 0; node < node_count; node++) {
        bool is_parent = !slim_mls_node_is_leaf(node);
        bool is_child = node != root;
        EXPECT(same_node(vector_get(item, "left"), node, is_parent,
                         is_parent ? slim_mls_node_left(node) : 0));
        EXPECT(same_node(vector_get(item, "right"), node, is_parent,
                         is_parent ? slim_mls_node_right(node) : 0));
        EXPECT(same_node(vector_get(item, "parent"), node, is_child,
                         is_child ? slim_mls_node_parent(node) : 0));
        EXPECT(same_node(vector_get(item, "sibling"), node, is_child,
                         is_child ? slim_mls_node_sibling(node) : 0));
    }
    return true;
}

static bool check_secrets(const struct slim_mls_suite *suite, const json_t *epoch,
                          const struct slim_mls_epoch_secrets *secrets)
{
    const struct {
        const char *key;
        const uint8_t *got;
    } rows[] = {
        {"joiner_secret", secrets->joiner},
        {"welcome_secret", secrets->welcome},
        {"init_secret", secrets->init},
        {"sender_data_secret", secrets->sender_data},
        {"encryption_secret", secrets->encryption},
        {"exporter_secret", secrets->exporter},
        {"epoch_authenticator", secrets->authenticator},
        {"external_secret", secrets->external},
        {"confirmation_key", secrets->confirmation},
        {"membership_key", secrets->membership},
        {"resumption_psk", secrets->resumption},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        if (!vector_is_equal(epoch, rows[i].key, rows[i].got, suite->hash_len)) {
            fprintf(stderr, "  %s differs\n", rows[i].key);
            return false;
        }
    }
    uint8_t private_key[MLS_KEM_PRIVATE_MAX];
    uint8_t public_key[MLS_KEM_PUBLIC_MAX];
    EXPECT_OK(slim_mls_hpke_derive_key_pair(suite, slim_view_of(secrets->external, suite->hash_len),
                                            private_key, public_key));
    EXPECT(vector_is_equal(epoch, "external_pub", public_key,
                           slim_crypto_dh_public_len(suite->curve)));

    const json_t *exporter = vector_get(epoch, "exporter");
    size_t len = vector_number(exporter, "length");
    uint8_t *exported = vector_room(len);
    slim_mls_exporter(suite, secrets->exporter, vector_text(exporter, "label"),
                      vector_hex(exporter, "context"), exported, len);
    EXPECT(vector_is_equal(exporter, "secret", exported, len));
    return true;
}

bool vector_key_schedule(const json_t *item)
{
    const struct slim_mls_suite *suite = vector_suite(item);
    uint8_t init[MLS_SECRET_MAX];
    memcpy(init, vector_hex(item, "initial_init_secret").data, suite->hash_len);
    size_t index;
    const json_t *epoch;
    json_array_foreach((json_t *)(uintptr_t)vector_get(item, "epochs"), index, epoch)
    {
        struct slim_mls_context context = {
            .version = MLS_VERSION_10,
            .suite = suite->id,
            .group_id = vector_hex(item, "group_id"),
            .epoch = index,
            .tree_hash = vector_hex(epoch, "tree_hash"),
            .confirmed_transcript_hash = vector_hex(epoch, "confirmed_transcript_hash"),
        };
        struct slim_mls_out out = {0};
        slim_mls_put_context(&out, &context);
        bool is_equal = vector_is_equal(epoch, "group_context", out.buf.data, out.buf.len);
        slim_mls_out_fini(&out);
        EXPECT(is_equal);
        struct slim_mls_epoch_secrets secrets;
        uint8_t joiner[MLS_SECRET_MAX];
        uint8_t welcome[MLS_SECRET_MAX];
        const uint8_t *psk_secret = vector_hex(epoch, "psk_secret").data;
        struct slim_view bytes = vector_hex(epoch, "group_context");
        slim_mls_joiner_secret(suite, init, vector_hex(epoch, "commit_secret").data, bytes, joiner);
        slim_mls_welcome_secret(suite, joiner, psk_secret, welcome);
        EXPECT(vector_is_equal(epoch, "welcome_secret", welcome, suite->hash_len));
        slim_mls_epoch_derive(suite, joiner, psk_secret, bytes, &secrets);
        EXPECT(check_secrets(suite, epoch, &secrets));
        memcpy(init, secrets.init, suite->hash_len);
    }
    return true;
}

bool vector_psk_secret(const json_t *item)
{
    const struct slim_mls_suite *suite = vector_suite(item);
    const json_t *psks = vector_get(item, "psks");
    uint8_t chain[MLS_SECRET_MAX] = {0};
    for (size_t i = 0; i < json_array_size(psks); i++) {
        const json_t *psk = json_array_get(psks, i);
        struct slim_mls_psk_id id = {
            .type = MLS_PSK_EXTERNAL,
            .external_id = vector_hex(psk, "psk_id"),
            .nonce = vector_hex(psk, "psk_nonce"),
        };
        EXPECT_OK(slim_mls_psk_chain(suite, &id, vector_hex(psk, "psk"), (uint16_t)i,
                                     (uint16_t)json_array_size(psks), chain));
    }
    EXPECT(vector_is_equal(item, "psk_secret", chain, suite->hash_len));
    return true;
}

bool vector_transcript_hashes(const json_t *item)
{
    const struct slim_mls_suite *suite = vector_suite(item);
    struct slim_view in = vector_hex(item, "authenticated_content");
    struct slim_mls_content content;
    EXPECT_OK(slim_mls_take_authenticated(&in, &content));
    EXPECT(in.len == 0 && content.content_type == MLS_CONTENT_COMMIT);

    struct slim_mls_out input = {0};
    slim_mls_put_u16(&input, (uint16_t)content.format);
    slim_mls_put_framed(&input, &content);
    slim_mls_put_opaque(&input, content.signature);
    EXPECT_OK(input.status);
    uint8_t confirmed[MLS_SECRET_MAX];
    uint8_t interim[MLS_SECRET_MAX];
    slim_mls_confirmed_hash(suite, vector_hex(item, "interim_transcript_hash_before"),
                            slim_mls_out_view(&input), confirmed);
    slim_mls_out_fini(&input);
    EXPECT(vector_is_equal(item, "confirmed_transcript_hash_after", confirmed, suite->hash_len));
    struct slim_view confirmed_view = slim_view_of(confirmed, suite->hash_len);
    EXPECT_OK(slim_mls_mac_check(suite, vector_hex(item, "confirmation_key").data, confirmed_view,
                                 content.confirmation_tag));
    slim_mls_interim_hash(suite, confirmed_view, content.confirmation_tag, interim);
    EXPECT(vector_is_equal(item, "interim_transcript_hash_after", interim, suite->hash_len));
    return true;
}
