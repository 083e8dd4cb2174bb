/* RFC 9180. The hash of the KEM and of the key schedule are the same in every MLS suite. */
#include "mls/hpke.h"

#include "base/secret.h"

enum { MODE_BASE = 0, MODE_PSK = 1, HPKE_PSK_BYTES_MIN = 32 };

/* "KEM" kem_id, or "HPKE" kem_id kdf_id aead_id (sections 4.1 and 5.1). */
struct suite_id {
    uint8_t bytes[10];
    size_t len;
};

static void put_id(struct suite_id *id, uint16_t number)
{
    id->bytes[id->len++] = (uint8_t)(number >> 8);
    id->bytes[id->len++] = (uint8_t)number;
}

static struct suite_id kem_suite_id(const struct slim_mls_suite *suite)
{
    struct suite_id id = {"KEM", 3};
    put_id(&id, suite->kem_id);
    return id;
}

static struct suite_id hpke_suite_id(const struct slim_mls_suite *suite)
{
    struct suite_id id = {"HPKE", 4};
    put_id(&id, suite->kem_id);
    put_id(&id, suite->kdf_id);
    put_id(&id, suite->aead_id);
    return id;
}

static void labeled_extract(const struct slim_mls_suite *suite, const struct suite_id *id,
                            struct slim_view salt, const char *label, struct slim_view ikm,
                            uint8_t *out)
{
    struct slim_view parts[] = {
        SLIM_VIEW("HPKE-v1"), {id->bytes, id->len}, slim_view_str(label), ikm};
    slim_crypto_hkdf_extract(suite->hash, salt, parts, SLIM_COUNT(parts), out);
}

static void labeled_expand(const struct slim_mls_suite *suite, const struct suite_id *id,
                           const uint8_t *prk, const char *label, struct slim_view info,
                           uint8_t *out, size_t len)
{
    uint8_t number[2] = {(uint8_t)(len >> 8), (uint8_t)len};
    struct slim_view parts[] = {
        {number, 2}, SLIM_VIEW("HPKE-v1"), {id->bytes, id->len}, slim_view_str(label), info};
    slim_crypto_hkdf_expand(suite->hash, slim_view_of(prk, suite->hash_len), parts,
                            SLIM_COUNT(parts), out, len);
}

/* Section 7.1.3: candidates until one is a scalar of the curve. */
static enum slim_status derive_p_key(const struct slim_mls_suite *suite, const uint8_t *dkp_prk,
                                     uint8_t *private_key, uint8_t *public_key)
{
    struct suite_id id = kem_suite_id(suite);
    size_t len = slim_crypto_dh_private_len(suite->curve);
    for (unsigned counter = 0; counter < 256; counter++) {
        uint8_t number = (uint8_t)counter;
        labeled_expand(suite, &id, dkp_prk, "candidate", slim_view_of(&number, 1), private_key,
                       len);
        if (suite->curve == SLIM_CRYPTO_P521) {
            private_key[0] &= 0x01;
        }
        enum slim_status status =
            slim_crypto_dh_public(suite->curve, slim_view_of(private_key, len), public_key);
        if (status != SLIM_ERR_INVALID) {
            return status;
        }
    }
    return SLIM_ERR_CRYPTO;
}

enum slim_status slim_mls_hpke_derive_key_pair(const struct slim_mls_suite *suite,
                                               struct slim_view ikm, uint8_t *private_key,
                                               uint8_t *public_key)
{
    struct suite_id id = kem_suite_id(suite);
    uint8_t dkp_prk[MLS_SECRET_MAX];
    labeled_extract(suite, &id, (struct slim_view){0}, "dkp_prk", ikm, dkp_prk);
    enum slim_status status;
    if (suite->curve == SLIM_CRYPTO_X25519 || suite->curve == SLIM_CRYPTO_X448) {
        size_t len = slim_crypto_dh_private_len(suite->curve);
        labeled_expand(suite, &id, dkp_prk, "sk", (struct slim_view){0}, private_key, len);
        status = slim_crypto_dh_public(suite->curve, slim_view_of(private_key, len), public_key);
    } else {
        status = derive_p_key(suite, dkp_prk, private_key, public_key);
    }
    slim_secret_wipe(dkp_prk, sizeof(dkp_prk));
    return status;
}

enum slim_status slim_mls_hpke_generate(const struct slim_mls_suite *suite,
                                        const struct slim_mls_random *random, uint8_t *private_key,
                                        uint8_t *public_key)
{
    uint8_t ikm[MLS_KEM_PRIVATE_MAX];
    size_t len = slim_crypto_dh_private_len(suite->curve);
    random->fill(random->context, ikm, len);
    enum slim_status status =
        slim_mls_hpke_derive_key_pair(suite, slim_view_of(ikm, len), private_key, public_key);
    slim_secret_wipe(ikm, sizeof(ikm));
    return status;
}

/* ExtractAndExpand of DHKEM (section 4.1) with kem_context = enc || pkR. */
static void kem_secret(const struct slim_mls_suite *suite, const uint8_t *dh,
                       struct slim_view kem_output, struct slim_view public_key, uint8_t *secret)
{
    struct suite_id id = kem_suite_id(suite);
    uint8_t context[2 * MLS_KEM_PUBLIC_MAX];
    memcpy(context, kem_output.data, kem_output.len);
    memcpy(context + kem_output.len, public_key.data, public_key.len);
    uint8_t prk[MLS_SECRET_MAX];
    labeled_extract(suite, &id, (struct slim_view){0}, "eae_prk",
                    slim_view_of(dh, slim_crypto_dh_shared_len(suite->curve)), prk);
    labeled_expand(suite, &id, prk, "shared_secret",
                   slim_view_of(context, kem_output.len + public_key.len), secret, suite->hash_len);
    slim_secret_wipe(prk, sizeof(prk));
}

/* The part of KeySchedule (section 5.1) that does not depend on the shared secret. */
enum slim_status slim_mls_hpke_info_init(const struct slim_mls_suite *suite,
                                         const struct slim_view *parts, size_t count,
                                         struct slim_mls_hpke_psk psk,
                                         struct slim_mls_hpke_info *info)
{
    assert(count <= SLIM_MLS_HPKE_INFO_PARTS_MAX);
    if ((psk.psk.len == 0) != (psk.id.len == 0) ||
        (psk.psk.len > 0 && psk.psk.len < HPKE_PSK_BYTES_MIN)) {
        return SLIM_ERR_INVALID;
    }
    struct suite_id id = hpke_suite_id(suite);
    info->psk = psk.psk;
    info->schedule_context[0] = psk.psk.len > 0 ? MODE_PSK : MODE_BASE;
    labeled_extract(suite, &id, (struct slim_view){0}, "psk_id_hash", psk.id,
                    info->schedule_context + 1);
    /* labeled_extract with an input in parts: a Welcome's is the whole encrypted group info */
    struct slim_view input[3 + SLIM_MLS_HPKE_INFO_PARTS_MAX] = {
        SLIM_VIEW("HPKE-v1"), {id.bytes, id.len}, SLIM_VIEW("info_hash")};
    for (size_t i = 0; i < count; i++) {
        input[3 + i] = parts[i];
    }
    slim_crypto_hkdf_extract(suite->hash, (struct slim_view){0}, input, 3 + count,
                             info->schedule_context + 1 + suite->hash_len);
    return SLIM_OK;
}

void slim_mls_hpke_info_label(const struct slim_mls_suite *suite, const char *label,
                              struct slim_view context, struct slim_mls_hpke_info *info)
{
    /* EncryptContext { opaque label<V> = "MLS 1.0 " + Label; opaque context<V>; } */
    static const char prefix[] = "MLS 1.0 ";
    uint8_t label_header[4];
    uint8_t context_header[4];
    struct slim_view text = slim_view_str(label);
    struct slim_view parts[] = {
        slim_view_of(label_header,
                     slim_mls_length_header(sizeof(prefix) - 1 + text.len, label_header)),
        SLIM_VIEW(prefix),
        text,
        slim_view_of(context_header, slim_mls_length_header(context.len, context_header)),
        context,
    };
    enum slim_status status = slim_mls_hpke_info_init(suite, parts, SLIM_COUNT(parts),
                                                      (struct slim_mls_hpke_psk){0}, info);
    assert(status == SLIM_OK); /* without a PSK nothing can be wrong */
    (void)status;
}

/* The rest of KeySchedule. */
static void key_schedule(const struct slim_mls_suite *suite, const uint8_t *shared_secret,
                         const struct slim_mls_hpke_info *info,
                         struct slim_mls_hpke_context *context)
{
    struct suite_id id = hpke_suite_id(suite);
    struct slim_view schedule_context =
        slim_view_of(info->schedule_context, 1 + 2 * suite->hash_len);
    uint8_t secret[MLS_SECRET_MAX];
    labeled_extract(suite, &id, slim_view_of(shared_secret, suite->hash_len), "secret", info->psk,
                    secret);
    labeled_expand(suite, &id, secret, "key", schedule_context, context->key, suite->key_len);
    labeled_expand(suite, &id, secret, "base_nonce", schedule_context, context->nonce,
                   sizeof(context->nonce));
    labeled_expand(suite, &id, secret, "exp", schedule_context, context->exporter, suite->hash_len);
    slim_secret_wipe(secret, sizeof(secret));
}

enum slim_status
slim_mls_hpke_setup_sender(const struct slim_mls_suite *suite, const struct slim_mls_random *random,
                           struct slim_view public_key, const struct slim_mls_hpke_info *info,
                           uint8_t *kem_output, struct slim_mls_hpke_context *context)
{
    uint8_t ephemeral[MLS_KEM_PRIVATE_MAX];
    uint8_t dh[SLIM_CRYPTO_DH_MAX];
    uint8_t secret[MLS_SECRET_MAX];
    enum slim_status status = slim_mls_hpke_generate(suite, random, ephemeral, kem_output);
    if (status == SLIM_OK) {
        status = slim_crypto_dh(suite->curve,
                                slim_view_of(ephemeral, slim_crypto_dh_private_len(suite->curve)),
                                public_key, dh);
    }
    if (status == SLIM_OK) {
        kem_secret(suite, dh, slim_view_of(kem_output, slim_crypto_dh_public_len(suite->curve)),
                   public_key, secret);
        key_schedule(suite, secret, info, context);
    }
    slim_secret_wipe(ephemeral, sizeof(ephemeral));
    slim_secret_wipe(dh, sizeof(dh));
    slim_secret_wipe(secret, sizeof(secret));
    return status;
}

enum slim_status slim_mls_hpke_setup_receiver(const struct slim_mls_suite *suite,
                                              const uint8_t *private_key,
                                              struct slim_view public_key,
                                              struct slim_view kem_output,
                                              const struct slim_mls_hpke_info *info,
                                              struct slim_mls_hpke_context *context)
{
    uint8_t dh[SLIM_CRYPTO_DH_MAX];
    uint8_t secret[MLS_SECRET_MAX];
    enum slim_status status = SLIM_ERR_INVALID;
    if (public_key.len == slim_crypto_dh_public_len(suite->curve)) {
        status = slim_crypto_dh(suite->curve,
                                slim_view_of(private_key, slim_crypto_dh_private_len(suite->curve)),
                                kem_output, dh);
    }
    if (status == SLIM_OK) {
        kem_secret(suite, dh, kem_output, public_key, secret);
        key_schedule(suite, secret, info, context);
    }
    slim_secret_wipe(dh, sizeof(dh));
    slim_secret_wipe(secret, sizeof(secret));
    return status;
}

void slim_mls_hpke_export(const struct slim_mls_suite *suite,
                          const struct slim_mls_hpke_context *context,
                          struct slim_view exporter_context, uint8_t *out, size_t len)
{
    struct suite_id id = hpke_suite_id(suite);
    labeled_expand(suite, &id, context->exporter, "sec", exporter_context, out, len);
}

enum slim_status slim_mls_encrypt_prepared(const struct slim_mls_suite *suite,
                                           const struct slim_mls_random *random,
                                           struct slim_view public_key,
                                           const struct slim_mls_hpke_info *info,
                                           struct slim_view plain, struct slim_mls_out *out)
{
    struct slim_mls_hpke_context hpke;
    struct slim_buf sealed = {0};
    uint8_t kem_output[MLS_KEM_PUBLIC_MAX];
    enum slim_status status =
        slim_mls_hpke_setup_sender(suite, random, public_key, info, kem_output, &hpke);
    if (status == SLIM_OK) {
        status = slim_buf_reserve(&sealed, plain.len + SLIM_CRYPTO_TAG_LEN);
    }
    if (status == SLIM_OK) {
        status = slim_crypto_seal(suite->aead, hpke.key, hpke.nonce, (struct slim_view){0}, plain,
                                  sealed.data);
    }
    if (status == SLIM_OK) {
        slim_mls_put_opaque(out, slim_view_of(kem_output, slim_crypto_dh_public_len(suite->curve)));
        slim_mls_put_opaque(out, slim_view_of(sealed.data, plain.len + SLIM_CRYPTO_TAG_LEN));
        status = out->status;
    }
    slim_buf_wipe(&sealed);
    slim_secret_wipe(&hpke, sizeof(hpke));
    return status;
}

enum slim_status slim_mls_encrypt_with_label(const struct slim_mls_suite *suite,
                                             const struct slim_mls_random *random,
                                             struct slim_view public_key, const char *label,
                                             struct slim_view context, struct slim_view plain,
                                             struct slim_mls_out *out)
{
    struct slim_mls_hpke_info info;
    slim_mls_hpke_info_label(suite, label, context, &info);
    return slim_mls_encrypt_prepared(suite, random, public_key, &info, plain, out);
}

enum slim_status slim_mls_decrypt_with_label(const struct slim_mls_suite *suite,
                                             const uint8_t *private_key,
                                             struct slim_view public_key, const char *label,
                                             struct slim_view context, struct slim_view kem_output,
                                             struct slim_view ciphertext, struct slim_buf *plain)
{
    if (ciphertext.len < SLIM_CRYPTO_TAG_LEN) {
        return SLIM_ERR_DECRYPT;
    }
    struct slim_mls_hpke_info info;
    struct slim_mls_hpke_context hpke;
    slim_mls_hpke_info_label(suite, label, context, &info);
    SLIM_TRY(
        slim_mls_hpke_setup_receiver(suite, private_key, public_key, kem_output, &info, &hpke));
    enum slim_status status = slim_buf_reserve(plain, ciphertext.len);
    if (status == SLIM_OK) {
        status = slim_crypto_open(suite->aead, hpke.key, hpke.nonce, (struct slim_view){0},
                                  ciphertext, plain->data);
    }
    if (status == SLIM_OK) {
        plain->len = ciphertext.len - SLIM_CRYPTO_TAG_LEN;
    }
    slim_secret_wipe(&hpke, sizeof(hpke));
    return status;
}
