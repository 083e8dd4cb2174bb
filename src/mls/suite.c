/* RFC 9420 sections 5.1, 5.2 and 8. */
#include "mls/suite.h"

#include "base/secret.h"

static const struct slim_mls_suite suites[] = {
    {1, SLIM_CRYPTO_SHA256, SLIM_CRYPTO_AES_128_GCM, SLIM_CRYPTO_X25519, SLIM_CRYPTO_ED25519,
     0x0020, 1, 1, 32, 16},
    {2, SLIM_CRYPTO_SHA256, SLIM_CRYPTO_AES_128_GCM, SLIM_CRYPTO_P256, SLIM_CRYPTO_ECDSA_P256,
     0x0010, 1, 1, 32, 16},
    {3, SLIM_CRYPTO_SHA256, SLIM_CRYPTO_CHACHA20_POLY1305, SLIM_CRYPTO_X25519, SLIM_CRYPTO_ED25519,
     0x0020, 1, 3, 32, 32},
    {4, SLIM_CRYPTO_SHA512, SLIM_CRYPTO_AES_256_GCM, SLIM_CRYPTO_X448, SLIM_CRYPTO_ED448, 0x0021, 3,
     2, 64, 32},
    {5, SLIM_CRYPTO_SHA512, SLIM_CRYPTO_AES_256_GCM, SLIM_CRYPTO_P521, SLIM_CRYPTO_ECDSA_P521,
     0x0012, 3, 2, 64, 32},
    {6, SLIM_CRYPTO_SHA512, SLIM_CRYPTO_CHACHA20_POLY1305, SLIM_CRYPTO_X448, SLIM_CRYPTO_ED448,
     0x0021, 3, 3, 64, 32},
    {7, SLIM_CRYPTO_SHA384, SLIM_CRYPTO_AES_256_GCM, SLIM_CRYPTO_P384, SLIM_CRYPTO_ECDSA_P384,
     0x0011, 2, 2, 48, 32},
};

const struct slim_mls_suite *slim_mls_suite_find(uint16_t id)
{
    return id >= 1 && id <= SLIM_COUNT(suites) ? &suites[id - 1] : NULL;
}

void slim_mls_digest(const struct slim_mls_suite *suite, struct slim_view data, uint8_t *out)
{
    slim_crypto_digest(suite->hash, &data, 1, out);
}

void slim_mls_ref_hash(const struct slim_mls_suite *suite, const char *label,
                       struct slim_view value, uint8_t *out)
{
    uint8_t label_header[4];
    uint8_t value_header[4];
    struct slim_view text = slim_view_str(label);
    struct slim_view parts[] = {
        slim_view_of(label_header, slim_mls_length_header(text.len, label_header)),
        text,
        slim_view_of(value_header, slim_mls_length_header(value.len, value_header)),
        value,
    };
    slim_crypto_digest(suite->hash, parts, SLIM_COUNT(parts), out);
}

void slim_mls_expand_with_label(const struct slim_mls_suite *suite, const uint8_t *secret,
                                const char *label, struct slim_view context, uint8_t *out,
                                size_t len)
{
    static const char prefix[] = "MLS 1.0 ";
    struct slim_view text = slim_view_str(label);
    uint8_t number[2] = {(uint8_t)(len >> 8), (uint8_t)len};
    uint8_t label_header[4];
    uint8_t context_header[4];
    struct slim_view parts[] = {
        slim_view_of(number, sizeof(number)),
        slim_view_of(label_header,
                     slim_mls_length_header(sizeof(prefix) - 1 + text.len, label_header)),
        SLIM_VIEW(prefix),
        text,
        slim_view_of(context_header, slim_mls_length_header(context.len, context_header)),
        context,
    };
    slim_crypto_hkdf_expand(suite->hash, slim_view_of(secret, suite->hash_len), parts,
                            SLIM_COUNT(parts), out, len);
}

void slim_mls_derive_secret(const struct slim_mls_suite *suite, const uint8_t *secret,
                            const char *label, uint8_t *out)
{
    slim_mls_expand_with_label(suite, secret, label, (struct slim_view){0}, out, suite->hash_len);
}

void slim_mls_derive_tree_secret(const struct slim_mls_suite *suite, const uint8_t *secret,
                                 const char *label, uint32_t generation, uint8_t *out, size_t len)
{
    uint8_t context[4] = {(uint8_t)(generation >> 24), (uint8_t)(generation >> 16),
                          (uint8_t)(generation >> 8), (uint8_t)generation};
    slim_mls_expand_with_label(suite, secret, label, slim_view_of(context, sizeof(context)), out,
                               len);
}

void slim_mls_extract(const struct slim_mls_suite *suite, const uint8_t *salt,
                      const uint8_t *secret, uint8_t *out)
{
    struct slim_view input = slim_view_of(secret, suite->hash_len);
    slim_crypto_hkdf_extract(suite->hash, slim_view_of(salt, suite->hash_len), &input, 1, out);
}

void slim_mls_mac(const struct slim_mls_suite *suite, const uint8_t *key, struct slim_view data,
                  uint8_t *out)
{
    slim_crypto_hmac(suite->hash, slim_view_of(key, suite->hash_len), &data, 1, out);
}

enum slim_status slim_mls_mac_check(const struct slim_mls_suite *suite, const uint8_t *key,
                                    struct slim_view data, struct slim_view tag)
{
    uint8_t want[MLS_SECRET_MAX];
    slim_mls_mac(suite, key, data, want);
    bool ok = tag.len == suite->hash_len && slim_secret_is_equal(want, tag.data, suite->hash_len);
    slim_secret_wipe(want, sizeof(want));
    return ok ? SLIM_OK : SLIM_ERR_MAC;
}

/* SignContent { opaque label<V> = "MLS 1.0 " + Label; opaque content<V>; } */
static void put_sign_content(struct slim_mls_out *out, const char *label, struct slim_view content)
{
    size_t mark = slim_mls_put_begin(out);
    slim_mls_put_bytes(out, SLIM_VIEW("MLS 1.0 "));
    slim_mls_put_bytes(out, slim_view_str(label));
    slim_mls_put_end(out, mark);
    slim_mls_put_opaque(out, content);
}

enum slim_status slim_mls_sign(const struct slim_mls_suite *suite, const uint8_t *private_key,
                               const char *label, struct slim_view content, uint8_t *signature,
                               size_t *len)
{
    struct slim_mls_out out = {0};
    put_sign_content(&out, label, content);
    enum slim_status status = out.status;
    if (status == SLIM_OK) {
        status =
            slim_crypto_sign(suite->signer, private_key, slim_mls_out_view(&out), signature, len);
    }
    slim_mls_out_fini(&out);
    return status;
}

enum slim_status slim_mls_verify(const struct slim_mls_suite *suite, struct slim_view public_key,
                                 const char *label, struct slim_view content,
                                 struct slim_view signature)
{
    struct slim_mls_out out = {0};
    put_sign_content(&out, label, content);
    enum slim_status status = out.status;
    if (status == SLIM_OK) {
        status = slim_crypto_verify(suite->signer, public_key, slim_mls_out_view(&out), signature);
    }
    slim_mls_out_fini(&out);
    return status;
}
