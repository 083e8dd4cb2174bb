/* RFC 9420 section 12.4.3. */
#include "mls/welcome.h"

enum slim_status slim_mls_take_group_info(struct slim_view *in, struct slim_mls_group_info *info)
{
    struct slim_view rest = *in;
    struct slim_mls_group_info got = {0};
    SLIM_TRY(slim_mls_take_context(&rest, &got.context));
    got.context_bytes = slim_mls_taken(*in, rest);
    SLIM_TRY(slim_mls_take_extensions(&rest, &got.extensions));
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.confirmation_tag));
    SLIM_TRY(slim_mls_take_u32(&rest, &got.signer));
    got.tbs = slim_mls_taken(*in, rest);
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.signature));
    got.bytes = slim_mls_taken(*in, rest);
    *info = got;
    *in = rest;
    return SLIM_OK;
}

void slim_mls_put_group_info_tbs(struct slim_mls_out *out, const struct slim_mls_group_info *info)
{
    slim_mls_put_context(out, &info->context);
    slim_mls_put_opaque(out, info->extensions);
    slim_mls_put_opaque(out, info->confirmation_tag);
    slim_mls_put_u32(out, info->signer);
}

void slim_mls_put_group_info(struct slim_mls_out *out, const struct slim_mls_group_info *info)
{
    slim_mls_put_group_info_tbs(out, info);
    slim_mls_put_opaque(out, info->signature);
}

enum slim_status slim_mls_take_group_secrets(struct slim_view *in,
                                             struct slim_mls_group_secrets *secrets)
{
    struct slim_view rest = *in;
    struct slim_mls_group_secrets got = {0};
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.joiner_secret));
    SLIM_TRY(slim_mls_take_optional(&rest, &got.has_path_secret));
    if (got.has_path_secret) {
        SLIM_TRY(slim_mls_take_opaque(&rest, &got.path_secret));
    }
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.psks));
    for (struct slim_view walk = got.psks; walk.len > 0;) {
        struct slim_mls_psk_id psk;
        SLIM_TRY(slim_mls_take_psk_id(&walk, &psk));
    }
    *secrets = got;
    *in = rest;
    return SLIM_OK;
}

void slim_mls_put_group_secrets(struct slim_mls_out *out,
                                const struct slim_mls_group_secrets *secrets)
{
    slim_mls_put_opaque(out, secrets->joiner_secret);
    slim_mls_put_u8(out, secrets->has_path_secret ? 1 : 0);
    if (secrets->has_path_secret) {
        slim_mls_put_opaque(out, secrets->path_secret);
    }
    slim_mls_put_opaque(out, secrets->psks);
}

enum slim_status slim_mls_take_encrypted_secrets(struct slim_view *in,
                                                 struct slim_mls_encrypted_secrets *entry)
{
    struct slim_view rest = *in;
    struct slim_mls_encrypted_secrets got;
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.new_member));
    SLIM_TRY(slim_mls_take_ciphertext(&rest, &got.sealed));
    *entry = got;
    *in = rest;
    return SLIM_OK;
}

enum slim_status slim_mls_take_welcome(struct slim_view *in, struct slim_mls_welcome *welcome)
{
    struct slim_view rest = *in;
    struct slim_mls_welcome got;
    SLIM_TRY(slim_mls_take_u16(&rest, &got.suite));
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.secrets));
    for (struct slim_view walk = got.secrets; walk.len > 0;) {
        struct slim_mls_encrypted_secrets entry;
        SLIM_TRY(slim_mls_take_encrypted_secrets(&walk, &entry));
    }
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.encrypted_group_info));
    *welcome = got;
    *in = rest;
    return SLIM_OK;
}

void slim_mls_put_welcome(struct slim_mls_out *out, const struct slim_mls_welcome *welcome)
{
    slim_mls_put_u16(out, welcome->suite);
    slim_mls_put_opaque(out, welcome->secrets);
    slim_mls_put_opaque(out, welcome->encrypted_group_info);
}

void slim_mls_welcome_key(const struct slim_mls_suite *suite, const uint8_t *welcome_secret,
                          uint8_t *key, uint8_t *nonce)
{
    slim_mls_expand_with_label(suite, welcome_secret, "key", (struct slim_view){0}, key,
                               suite->key_len);
    slim_mls_expand_with_label(suite, welcome_secret, "nonce", (struct slim_view){0}, nonce,
                               SLIM_CRYPTO_NONCE_LEN);
}
