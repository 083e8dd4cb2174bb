/* RFC 9420 sections 8 to 8.7. */
#include "mls/schedule.h"

#include "base/secret.h"

enum slim_status slim_mls_take_context(struct slim_view *in, struct slim_mls_context *context)
{
    struct slim_view rest = *in;
    struct slim_mls_context got;
    SLIM_TRY(slim_mls_take_u16(&rest, &got.version));
    SLIM_TRY(slim_mls_take_u16(&rest, &got.suite));
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.group_id));
    SLIM_TRY(slim_mls_take_u64(&rest, &got.epoch));
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.tree_hash));
    SLIM_TRY(slim_mls_take_opaque(&rest, &got.confirmed_transcript_hash));
    SLIM_TRY(slim_mls_take_extensions(&rest, &got.extensions));
    *context = got;
    *in = rest;
    return SLIM_OK;
}

void slim_mls_put_context(struct slim_mls_out *out, const struct slim_mls_context *context)
{
    slim_mls_put_u16(out, context->version);
    slim_mls_put_u16(out, context->suite);
    slim_mls_put_opaque(out, context->group_id);
    slim_mls_put_u64(out, context->epoch);
    slim_mls_put_opaque(out, context->tree_hash);
    slim_mls_put_opaque(out, context->confirmed_transcript_hash);
    slim_mls_put_opaque(out, context->extensions);
}

void slim_mls_joiner_secret(const struct slim_mls_suite *suite, const uint8_t *init_secret,
                            const uint8_t *commit_secret, struct slim_view context, uint8_t *joiner)
{
    uint8_t prk[MLS_SECRET_MAX];
    slim_mls_extract(suite, init_secret, commit_secret, prk);
    slim_mls_expand_with_label(suite, prk, "joiner", context, joiner, suite->hash_len);
    slim_secret_wipe(prk, sizeof(prk));
}

void slim_mls_welcome_secret(const struct slim_mls_suite *suite, const uint8_t *joiner,
                             const uint8_t *psk_secret, uint8_t *welcome)
{
    uint8_t member[MLS_SECRET_MAX];
    slim_mls_extract(suite, joiner, psk_secret, member);
    slim_mls_derive_secret(suite, member, "welcome", welcome);
    slim_secret_wipe(member, sizeof(member));
}

void slim_mls_epoch_expand(const struct slim_mls_suite *suite, const uint8_t *epoch_secret,
                           struct slim_mls_epoch_secrets *secrets)
{
    slim_mls_derive_secret(suite, epoch_secret, "sender data", secrets->sender_data);
    slim_mls_derive_secret(suite, epoch_secret, "encryption", secrets->encryption);
    slim_mls_derive_secret(suite, epoch_secret, "exporter", secrets->exporter);
    slim_mls_derive_secret(suite, epoch_secret, "external", secrets->external);
    slim_mls_derive_secret(suite, epoch_secret, "confirm", secrets->confirmation);
    slim_mls_derive_secret(suite, epoch_secret, "membership", secrets->membership);
    slim_mls_derive_secret(suite, epoch_secret, "resumption", secrets->resumption);
    slim_mls_derive_secret(suite, epoch_secret, "authentication", secrets->authenticator);
    slim_mls_derive_secret(suite, epoch_secret, "init", secrets->init);
}

void slim_mls_epoch_derive(const struct slim_mls_suite *suite, const uint8_t *joiner,
                           const uint8_t *psk_secret, struct slim_view context,
                           struct slim_mls_epoch_secrets *secrets)
{
    uint8_t secret[MLS_SECRET_MAX];
    slim_mls_extract(suite, joiner, psk_secret, secret);
    slim_mls_derive_secret(suite, secret, "welcome", secrets->welcome);
    slim_mls_expand_with_label(suite, secret, "epoch", context, secret, suite->hash_len);
    memmove(secrets->joiner, joiner, suite->hash_len);
    slim_mls_epoch_expand(suite, secret, secrets);
    slim_secret_wipe(secret, sizeof(secret));
}

void slim_mls_exporter(const struct slim_mls_suite *suite, const uint8_t *exporter_secret,
                       struct slim_view label, struct slim_view context, uint8_t *out, size_t len)
{
    static const char prefix[] = "MLS 1.0 ";
    uint8_t secret[MLS_SECRET_MAX];
    uint8_t digest[MLS_SECRET_MAX];
    /* DeriveSecret(exporter_secret, label) with a label that is not a C string */
    uint8_t number[2] = {(uint8_t)(suite->hash_len >> 8), (uint8_t)suite->hash_len};
    uint8_t header[4];
    uint8_t no_context = 0;
    struct slim_view parts[] = {
        slim_view_of(number, sizeof(number)),
        slim_view_of(header, slim_mls_length_header(sizeof(prefix) - 1 + label.len, header)),
        SLIM_VIEW(prefix),
        label,
        slim_view_of(&no_context, 1),
    };
    slim_crypto_hkdf_expand(suite->hash, slim_view_of(exporter_secret, suite->hash_len), parts,
                            SLIM_COUNT(parts), secret, suite->hash_len);
    slim_mls_digest(suite, context, digest);
    slim_mls_expand_with_label(suite, secret, "exported", slim_view_of(digest, suite->hash_len),
                               out, len);
    slim_secret_wipe(secret, sizeof(secret));
}

enum slim_status slim_mls_psk_chain(const struct slim_mls_suite *suite,
                                    const struct slim_mls_psk_id *id, struct slim_view psk,
                                    uint16_t index, uint16_t count, uint8_t *chain)
{
    static const uint8_t zeros[MLS_SECRET_MAX];
    struct slim_mls_out label = {
        0}; /* PSKLabel { PreSharedKeyID id; uint16 index; uint16 count; } */
    slim_mls_put_psk_id(&label, id);
    slim_mls_put_u16(&label, index);
    slim_mls_put_u16(&label, count);
    enum slim_status status = label.status;
    if (status == SLIM_OK) {
        uint8_t secret[MLS_SECRET_MAX];
        slim_crypto_hkdf_extract(suite->hash, slim_view_of(zeros, suite->hash_len), &psk, 1,
                                 secret);
        slim_mls_expand_with_label(suite, secret, "derived psk", slim_mls_out_view(&label), secret,
                                   suite->hash_len);
        slim_mls_extract(suite, secret, chain, chain);
        slim_secret_wipe(secret, sizeof(secret));
    }
    slim_mls_out_fini(&label);
    return status;
}

void slim_mls_confirmed_hash(const struct slim_mls_suite *suite, struct slim_view interim_before,
                             struct slim_view input, uint8_t *out)
{
    struct slim_view parts[] = {interim_before, input};
    slim_crypto_digest(suite->hash, parts, SLIM_COUNT(parts), out);
}

void slim_mls_interim_hash(const struct slim_mls_suite *suite, struct slim_view confirmed,
                           struct slim_view tag, uint8_t *out)
{
    uint8_t header[4];
    struct slim_view parts[] = {confirmed,
                                slim_view_of(header, slim_mls_length_header(tag.len, header)), tag};
    slim_crypto_digest(suite->hash, parts, SLIM_COUNT(parts), out);
}
