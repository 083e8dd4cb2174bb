#include "auth/key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "base/crypto_context.h"
#include "base/hmac.h"
#include "base/secret.h"

enum {
    P256_PART_BYTES = 32, /* of r, s, x and y */
    P384_PART_BYTES = 48,
};

void slim_auth_key_fini(struct slim_auth_key *key)
{
    EVP_PKEY_free(key->pkey);
    slim_buf_wipe(&key->secret);
    slim_buf_fini(&key->kid);
    slim_buf_fini(&key->domain);
    *key = (struct slim_auth_key){0};
}

bool slim_auth_key_is_equal(const struct slim_auth_key *a, const struct slim_auth_key *b)
{
    bool is_equal = a->family == b->family && a->alg == b->alg && a->has_kid == b->has_kid &&
                    slim_view_is_equal(slim_buf_view(&a->kid), slim_buf_view(&b->kid)) &&
                    slim_view_is_equal(slim_buf_view(&a->domain), slim_buf_view(&b->domain)) &&
                    a->pkey != NULL && b->pkey != NULL && EVP_PKEY_eq(a->pkey, b->pkey) == 1;
    ERR_clear_error(); /* another kind of key is no mistake */
    return is_equal;
}

enum slim_status slim_auth_key_copy(const struct slim_auth_key *key, struct slim_auth_key *copy)
{
    assert(key->pkey != NULL && key->secret.len == 0);
    struct slim_auth_key made = {.family = key->family, .alg = key->alg, .has_kid = key->has_kid};
    if (slim_buf_put(&made.kid, slim_buf_view(&key->kid)) != SLIM_OK ||
        slim_buf_put(&made.domain, slim_buf_view(&key->domain)) != SLIM_OK ||
        EVP_PKEY_up_ref(key->pkey) != 1) {
        slim_auth_key_fini(&made);
        return SLIM_ERR_NO_MEMORY;
    }
    made.pkey = key->pkey;
    *copy = made;
    return SLIM_OK;
}

bool slim_auth_key_allows(const struct slim_auth_key *key, enum slim_auth_alg alg)
{
    if (alg == SLIM_AUTH_ALG_NONE || slim_auth_alg_info(alg)->family != key->family) {
        return false;
    }
    return key->alg == SLIM_AUTH_ALG_NONE || key->alg == alg;
}

/* ---- signatures of ECDSA: r and s one behind the other in JWS, DER in OpenSSL */

static size_t part_size(enum slim_auth_family family)
{
    return family == SLIM_AUTH_FAMILY_P256 ? P256_PART_BYTES : P384_PART_BYTES;
}

static bool is_ecdsa(enum slim_auth_family family)
{
    return family == SLIM_AUTH_FAMILY_P256 || family == SLIM_AUTH_FAMILY_P384;
}

/* DER of a raw signature; *der is OpenSSL's memory. SLIM_ERR_SIGNATURE: the wrong length. */
static enum slim_status der_of_raw(enum slim_auth_family family, struct slim_view raw,
                                   unsigned char **der, size_t *der_len)
{
    size_t size = part_size(family);
    if (raw.len != 2 * size) {
        return SLIM_ERR_SIGNATURE;
    }
    ECDSA_SIG *parts = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw.data, (int)size, NULL);
    BIGNUM *s = BN_bin2bn(raw.data + size, (int)size, NULL);
    if (parts == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(parts, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(parts);
        return SLIM_ERR_NO_MEMORY;
    }
    *der = NULL;
    int len = i2d_ECDSA_SIG(parts, der);
    ECDSA_SIG_free(parts); /* owns r and s since set0 */
    if (len <= 0) {
        return SLIM_ERR_NO_MEMORY;
    }
    *der_len = (size_t)len;
    return SLIM_OK;
}

static enum slim_status put_raw_of_der(enum slim_auth_family family, const unsigned char *der,
                                       size_t der_len, struct slim_buf *out)
{
    size_t size = part_size(family);
    ECDSA_SIG *parts = d2i_ECDSA_SIG(NULL, &der, (long)der_len);
    if (parts == NULL) {
        return SLIM_ERR_CRYPTO;
    }
    enum slim_status status = slim_buf_reserve(out, 2 * size);
    if (status == SLIM_OK) {
        uint8_t *to = out->data + out->len;
        bool is_put = BN_bn2binpad(ECDSA_SIG_get0_r(parts), to, (int)size) == (int)size &&
                      BN_bn2binpad(ECDSA_SIG_get0_s(parts), to + size, (int)size) == (int)size;
        status = is_put ? SLIM_OK : SLIM_ERR_CRYPTO;
    }
    if (status == SLIM_OK) {
        out->len += 2 * size;
    }
    ECDSA_SIG_free(parts);
    return status;
}

/* ---- signing and verifying */

/* Give a fresh context the key, the hash and the padding of `alg`. */
static bool begin(EVP_MD_CTX *md, const struct slim_auth_key *key, enum slim_auth_alg alg,
                  bool is_signing)
{
    const struct slim_auth_alg_info *info = slim_auth_alg_info(alg);
    EVP_PKEY_CTX *ctx = NULL; /* belongs to md */
    int done = is_signing ? EVP_DigestSignInit_ex(md, &ctx, info->hash, slim_crypto_context(), NULL,
                                                  key->pkey, NULL)
                          : EVP_DigestVerifyInit_ex(md, &ctx, info->hash, slim_crypto_context(),
                                                    NULL, key->pkey, NULL);
    if (done != 1) {
        return false;
    }
    return !info->is_pss || (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
                             EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1);
}

static enum slim_status sign_asymmetric(const struct slim_auth_key *key, enum slim_auth_alg alg,
                                        struct slim_view input, struct slim_buf *out)
{
    unsigned char signature[SLIM_AUTH_RSA_BITS_MAX / 8];
    size_t len = sizeof(signature);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    if (md == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    bool is_signed = begin(md, key, alg, true) &&
                     EVP_DigestSign(md, signature, &len, input.data, input.len) == 1;
    EVP_MD_CTX_free(md);
    if (!is_signed) {
        ERR_clear_error();
        return SLIM_ERR_CRYPTO;
    }
    return is_ecdsa(key->family) ? put_raw_of_der(key->family, signature, len, out)
                                 : slim_buf_put(out, slim_view_of(signature, len));
}

enum slim_status slim_auth_key_sign(const struct slim_auth_key *key, enum slim_auth_alg alg,
                                    struct slim_view input, struct slim_buf *out)
{
    assert(slim_auth_key_allows(key, alg));
    if (key->family != SLIM_AUTH_FAMILY_HMAC) {
        return sign_asymmetric(key, alg, input, out);
    }
    struct slim_hmac_key hmac;
    uint8_t mac[SLIM_SHA2_BYTES_MAX];
    enum slim_sha2_kind kind = slim_auth_alg_info(alg)->sha2;
    slim_hmac_key_init(&hmac, kind, slim_buf_view(&key->secret));
    slim_hmac_of(&hmac, input, mac);
    slim_hmac_key_fini(&hmac);
    return slim_buf_put(out, slim_view_of(mac, slim_sha2_size(kind)));
}

static enum slim_status verify_hmac(const struct slim_auth_key *key, enum slim_auth_alg alg,
                                    struct slim_view input, struct slim_view signature)
{
    struct slim_hmac_key hmac;
    uint8_t mac[SLIM_SHA2_BYTES_MAX];
    enum slim_sha2_kind kind = slim_auth_alg_info(alg)->sha2;
    if (signature.len != slim_sha2_size(kind)) {
        return SLIM_ERR_SIGNATURE;
    }
    slim_hmac_key_init(&hmac, kind, slim_buf_view(&key->secret));
    slim_hmac_of(&hmac, input, mac);
    slim_hmac_key_fini(&hmac);
    bool is_equal = slim_secret_is_equal(mac, signature.data, signature.len);
    slim_secret_wipe(mac, sizeof(mac));
    return is_equal ? SLIM_OK : SLIM_ERR_SIGNATURE;
}

static enum slim_status verify_asymmetric(const struct slim_auth_key *key, enum slim_auth_alg alg,
                                          struct slim_view input, struct slim_view signature)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    if (md == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    bool is_good = begin(md, key, alg, false) &&
                   EVP_DigestVerify(md, signature.data, signature.len, input.data, input.len) == 1;
    EVP_MD_CTX_free(md);
    if (!is_good) {
        ERR_clear_error(); /* why a stranger's signature is wrong interests nobody */
        return SLIM_ERR_SIGNATURE;
    }
    return SLIM_OK;
}

enum slim_status slim_auth_key_verify(const struct slim_auth_key *key, enum slim_auth_alg alg,
                                      struct slim_view input, struct slim_view signature)
{
    assert(slim_auth_key_allows(key, alg));
    if (key->family == SLIM_AUTH_FAMILY_HMAC) {
        return verify_hmac(key, alg, input, signature);
    }
    if (!is_ecdsa(key->family)) {
        return verify_asymmetric(key, alg, input, signature);
    }
    unsigned char *der;
    size_t der_len;
    SLIM_TRY(der_of_raw(key->family, signature, &der, &der_len));
    enum slim_status status = verify_asymmetric(key, alg, input, slim_view_of(der, der_len));
    OPENSSL_free(der);
    return status;
}
