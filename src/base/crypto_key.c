/* Key agreement and signatures. */
#include "base/crypto.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/params.h>
#include <sodium.h>

#include "base/crypto_context.h"
#include "base/secret.h"

/* What OpenSSL calls a P curve, and the sizes of its keys. */
struct p_curve {
    int nid;
    const char *name;
    size_t scalar_len;
    const char *digest; /* of ECDSA on it */
};

static const struct p_curve p256 = {NID_X9_62_prime256v1, "prime256v1", 32, "SHA256"};
static const struct p_curve p384 = {NID_secp384r1, "secp384r1", 48, "SHA384"};
static const struct p_curve p521 = {NID_secp521r1, "secp521r1", 66, "SHA512"};

enum { ED25519_SEED_LEN = 32, X448_LEN = 56, ED448_LEN = 57, POINT_UNCOMPRESSED = 4 };

static const struct p_curve *curve_find(enum slim_crypto_curve curve)
{
    switch (curve) {
    case SLIM_CRYPTO_X25519:
    case SLIM_CRYPTO_X448:
        return NULL;
    case SLIM_CRYPTO_P256:
        return &p256;
    case SLIM_CRYPTO_P384:
        return &p384;
    case SLIM_CRYPTO_P521:
        return &p521;
    }
    return NULL;
}

static const struct p_curve *signer_curve_find(enum slim_crypto_signer signer)
{
    switch (signer) {
    case SLIM_CRYPTO_ED25519:
    case SLIM_CRYPTO_ED448:
        return NULL;
    case SLIM_CRYPTO_ECDSA_P256:
        return &p256;
    case SLIM_CRYPTO_ECDSA_P384:
        return &p384;
    case SLIM_CRYPTO_ECDSA_P521:
        return &p521;
    }
    return NULL;
}

/* ---- P curves */

static size_t point_len(const struct p_curve *curve)
{
    return 1 + 2 * curve->scalar_len;
}

/* Public point of a big-endian scalar; refuses 0 and everything from the order on. */
static enum slim_status p_public(const struct p_curve *curve, struct slim_view private_key,
                                 uint8_t *public_key)
{
    if (private_key.len != curve->scalar_len) {
        return SLIM_ERR_INVALID;
    }
    enum slim_status status = SLIM_ERR_CRYPTO;
    EC_GROUP *group = EC_GROUP_new_by_curve_name_ex(slim_crypto_context(), NULL, curve->nid);
    BIGNUM *scalar = BN_bin2bn(private_key.data, (int)private_key.len, NULL);
    EC_POINT *point = group == NULL ? NULL : EC_POINT_new(group);
    BN_CTX *scratch = BN_CTX_secure_new_ex(slim_crypto_context()); /* its random numbers blind */
    if (scalar == NULL || point == NULL || scratch == NULL) {
        goto out;
    }
    BN_set_flags(scalar, BN_FLG_CONSTTIME);
    if (BN_is_zero(scalar) || BN_cmp(scalar, EC_GROUP_get0_order(group)) >= 0) {
        status = SLIM_ERR_INVALID;
        goto out;
    }
    if (EC_POINT_mul(group, point, scalar, NULL, NULL, scratch) == 1 &&
        EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, public_key,
                           point_len(curve), scratch) == point_len(curve)) {
        status = SLIM_OK;
    }
out:
    BN_CTX_free(scratch);
    EC_POINT_free(point);
    BN_clear_free(scalar);
    EC_GROUP_free(group);
    return status;
}

static enum slim_status p_key_from(const struct p_curve *curve, OSSL_PARAM *params, int selection,
                                   EVP_PKEY **key)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(slim_crypto_context(), "EC", NULL);
    EVP_PKEY *made = NULL;
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                                 (char *)(uintptr_t)curve->name, 0);
    bool ok = ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
              EVP_PKEY_fromdata(ctx, &made, selection, params) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (!ok) {
        ERR_clear_error();
        return SLIM_ERR_INVALID;
    }
    *key = made;
    return SLIM_OK;
}

static enum slim_status p_private_key(const struct p_curve *curve, const uint8_t *scalar,
                                      EVP_PKEY **key)
{
    uint8_t native[SLIM_CRYPTO_DH_MAX]; /* OSSL_PARAM numbers are in the machine's byte order */
    for (size_t i = 0; i < curve->scalar_len; i++) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        native[i] = scalar[curve->scalar_len - 1 - i];
#else
        native[i] = scalar[i];
#endif
    }
    OSSL_PARAM params[3] = {0};
    params[1] = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, native, curve->scalar_len);
    params[2] = OSSL_PARAM_construct_end();
    enum slim_status status = p_key_from(curve, params, EVP_PKEY_KEYPAIR, key);
    slim_secret_wipe(native, sizeof(native));
    return status;
}

/* The import of OpenSSL refuses a point that is not on the curve; infinity and compressed forms we refuse by their length. */
static enum slim_status p_public_key(const struct p_curve *curve, struct slim_view point,
                                     EVP_PKEY **key)
{
    if (point.len != point_len(curve) || point.data[0] != POINT_UNCOMPRESSED) {
        return SLIM_ERR_INVALID;
    }
    uint8_t copy[SLIM_CRYPTO_DH_PUBLIC_MAX]; /* the constructor takes a pointer to non-const */
    memcpy(copy, point.data, point.len);
    OSSL_PARAM params[3] = {0};
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, copy, point.len);
    params[2] = OSSL_PARAM_construct_end();
    return p_key_from(curve, params, EVP_PKEY_PUBLIC_KEY, key);
}

/* ---- key agreement */

size_t slim_crypto_dh_private_len(enum slim_crypto_curve curve)
{
    switch (curve) {
    case SLIM_CRYPTO_X25519:
        return crypto_scalarmult_SCALARBYTES;
    case SLIM_CRYPTO_X448:
        return X448_LEN;
    case SLIM_CRYPTO_P256:
    case SLIM_CRYPTO_P384:
    case SLIM_CRYPTO_P521:
        return curve_find(curve)->scalar_len;
    }
    return 0;
}

size_t slim_crypto_dh_shared_len(enum slim_crypto_curve curve)
{
    return slim_crypto_dh_private_len(curve); /* the x coordinate */
}

size_t slim_crypto_dh_public_len(enum slim_crypto_curve curve)
{
    const struct p_curve *p = curve_find(curve);
    return p == NULL ? slim_crypto_dh_private_len(curve) : point_len(p);
}

static enum slim_status raw_public(const char *name, struct slim_view private_key,
                                   uint8_t *public_key, size_t len)
{
    if (private_key.len != len) {
        return SLIM_ERR_INVALID;
    }
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(slim_crypto_context(), name, NULL,
                                                    private_key.data, private_key.len);
    size_t got = len;
    bool ok = key != NULL && EVP_PKEY_get_raw_public_key(key, public_key, &got) == 1 && got == len;
    EVP_PKEY_free(key);
    return ok ? SLIM_OK : SLIM_ERR_CRYPTO;
}

enum slim_status slim_crypto_dh_public(enum slim_crypto_curve curve, struct slim_view private_key,
                                       uint8_t *public_key)
{
    if (curve == SLIM_CRYPTO_X25519) {
        slim_crypto_init();
        if (private_key.len != crypto_scalarmult_SCALARBYTES ||
            crypto_scalarmult_base(public_key, private_key.data) != 0) {
            return SLIM_ERR_INVALID;
        }
        return SLIM_OK;
    }
    if (curve == SLIM_CRYPTO_X448) {
        return raw_public("X448", private_key, public_key, X448_LEN);
    }
    return p_public(curve_find(curve), private_key, public_key);
}

static enum slim_status derive(EVP_PKEY *own, EVP_PKEY *peer, uint8_t *shared, size_t len)
{
    size_t got = len;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(slim_crypto_context(), own, NULL);
    bool ok = ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
              EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) == 1 &&
              EVP_PKEY_derive(ctx, shared, &got) == 1 && got == len;
    EVP_PKEY_CTX_free(ctx);
    if (!ok) {
        ERR_clear_error();
        slim_secret_wipe(shared, len);
        return SLIM_ERR_INVALID;
    }
    return SLIM_OK;
}

enum slim_status slim_crypto_dh(enum slim_crypto_curve curve, struct slim_view private_key,
                                struct slim_view public_key, uint8_t *shared)
{
    if (private_key.len != slim_crypto_dh_private_len(curve) ||
        public_key.len != slim_crypto_dh_public_len(curve)) {
        return SLIM_ERR_INVALID;
    }
    if (curve == SLIM_CRYPTO_X25519) {
        slim_crypto_init();
        return crypto_scalarmult(shared, private_key.data, public_key.data) == 0 ? SLIM_OK
                                                                                 : SLIM_ERR_INVALID;
    }
    const struct p_curve *p = curve_find(curve);
    EVP_PKEY *own = NULL;
    EVP_PKEY *peer = NULL;
    enum slim_status status = SLIM_ERR_INVALID;
    if (p != NULL) {
        status = p_private_key(p, private_key.data, &own);
        if (status == SLIM_OK) {
            status = p_public_key(p, public_key, &peer);
        }
    } else {
        own = EVP_PKEY_new_raw_private_key_ex(slim_crypto_context(), "X448", NULL, private_key.data,
                                              private_key.len);
        peer = EVP_PKEY_new_raw_public_key_ex(slim_crypto_context(), "X448", NULL, public_key.data,
                                              public_key.len);
        status = own != NULL && peer != NULL ? SLIM_OK : SLIM_ERR_CRYPTO;
    }
    if (status == SLIM_OK) {
        status = derive(own, peer, shared, slim_crypto_dh_shared_len(curve));
    }
    EVP_PKEY_free(own);
    EVP_PKEY_free(peer);
    return status;
}

/* ---- signatures */

size_t slim_crypto_sign_private_len(enum slim_crypto_signer signer)
{
    switch (signer) {
    case SLIM_CRYPTO_ED25519:
        return ED25519_SEED_LEN;
    case SLIM_CRYPTO_ED448:
        return ED448_LEN;
    case SLIM_CRYPTO_ECDSA_P256:
    case SLIM_CRYPTO_ECDSA_P384:
    case SLIM_CRYPTO_ECDSA_P521:
        return signer_curve_find(signer)->scalar_len;
    }
    return 0;
}

size_t slim_crypto_sign_public_len(enum slim_crypto_signer signer)
{
    const struct p_curve *p = signer_curve_find(signer);
    return p == NULL ? slim_crypto_sign_private_len(signer) : point_len(p);
}

static enum slim_status ed25519_import(struct slim_view given, uint8_t *out, uint8_t *public_key)
{
    uint8_t made[crypto_sign_SECRETKEYBYTES];
    if (given.len != ED25519_SEED_LEN && given.len != sizeof(made)) {
        return SLIM_ERR_INVALID;
    }
    if (crypto_sign_seed_keypair(public_key, made, given.data) != 0) {
        return SLIM_ERR_CRYPTO;
    }
    bool fits =
        given.len == ED25519_SEED_LEN || memcmp(given.data + ED25519_SEED_LEN, public_key, 32) == 0;
    if (fits) {
        memcpy(out, made, sizeof(made));
    }
    slim_secret_wipe(made, sizeof(made));
    return fits ? SLIM_OK : SLIM_ERR_INVALID;
}

enum slim_status slim_crypto_sign_import(enum slim_crypto_signer signer, struct slim_view given,
                                         uint8_t *out, uint8_t *public_key)
{
    if (signer == SLIM_CRYPTO_ED25519) {
        return ed25519_import(given, out, public_key);
    }
    const struct p_curve *p = signer_curve_find(signer);
    if (p == NULL) {
        SLIM_TRY(raw_public("ED448", given, public_key, ED448_LEN));
        memcpy(out, given.data, given.len);
        return SLIM_OK;
    }
    if (given.len == 0 || given.len > p->scalar_len) {
        return SLIM_ERR_INVALID;
    }
    uint8_t scalar[SLIM_CRYPTO_DH_MAX] = {0}; /* some write the number without its leading zeros */
    memcpy(scalar + p->scalar_len - given.len, given.data, given.len);
    enum slim_status status = p_public(p, slim_view_of(scalar, p->scalar_len), public_key);
    if (status == SLIM_OK) {
        memcpy(out, scalar, p->scalar_len);
    }
    slim_secret_wipe(scalar, sizeof(scalar));
    return status;
}

static enum slim_status evp_sign(EVP_PKEY *key, const char *digest, struct slim_view message,
                                 uint8_t *signature, size_t *len)
{
    size_t got = SLIM_CRYPTO_SIGNATURE_MAX;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok =
        ctx != NULL &&
        EVP_DigestSignInit_ex(ctx, NULL, digest, slim_crypto_context(), NULL, key, NULL) == 1 &&
        EVP_DigestSign(ctx, signature, &got, message.data, message.len) == 1;
    EVP_MD_CTX_free(ctx);
    if (!ok) {
        ERR_clear_error();
        return SLIM_ERR_CRYPTO;
    }
    *len = got;
    return SLIM_OK;
}

enum slim_status slim_crypto_sign(enum slim_crypto_signer signer, const uint8_t *private_key,
                                  struct slim_view message, uint8_t *signature, size_t *len)
{
    if (signer == SLIM_CRYPTO_ED25519) {
        (void)crypto_sign_detached(signature, NULL, message.data, message.len,
                                   private_key); /* returns 0 always */
        *len = crypto_sign_BYTES;
        return SLIM_OK;
    }
    const struct p_curve *p = signer_curve_find(signer);
    EVP_PKEY *key = NULL;
    if (p != NULL) {
        SLIM_TRY(p_private_key(p, private_key, &key));
    } else {
        key = EVP_PKEY_new_raw_private_key_ex(slim_crypto_context(), "ED448", NULL, private_key,
                                              ED448_LEN);
        if (key == NULL) {
            return SLIM_ERR_CRYPTO;
        }
    }
    enum slim_status status = evp_sign(key, p == NULL ? NULL : p->digest, message, signature, len);
    EVP_PKEY_free(key);
    return status;
}

enum slim_status slim_crypto_verify(enum slim_crypto_signer signer, struct slim_view public_key,
                                    struct slim_view message, struct slim_view signature)
{
    if (public_key.len != slim_crypto_sign_public_len(signer)) {
        return SLIM_ERR_SIGNATURE;
    }
    if (signer == SLIM_CRYPTO_ED25519) {
        if (signature.len != crypto_sign_BYTES ||
            crypto_sign_verify_detached(signature.data, message.data, message.len,
                                        public_key.data) != 0) {
            return SLIM_ERR_SIGNATURE;
        }
        return SLIM_OK;
    }
    const struct p_curve *p = signer_curve_find(signer);
    EVP_PKEY *key = NULL;
    if (p != NULL) {
        if (p_public_key(p, public_key, &key) != SLIM_OK) {
            return SLIM_ERR_SIGNATURE;
        }
    } else {
        key = EVP_PKEY_new_raw_public_key_ex(slim_crypto_context(), "ED448", NULL, public_key.data,
                                             public_key.len);
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = key != NULL && ctx != NULL &&
              EVP_DigestVerifyInit_ex(ctx, NULL, p == NULL ? NULL : p->digest,
                                      slim_crypto_context(), NULL, key, NULL) == 1 &&
              EVP_DigestVerify(ctx, signature.data, signature.len, message.data, message.len) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return ok ? SLIM_OK : SLIM_ERR_SIGNATURE;
}
