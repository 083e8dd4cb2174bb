/* Keys from PEM texts and from JWK. */
#include "auth/key.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include "base/base64.h"
#include "base/crypto_context.h"
#include "base/secret.h"

enum {
    EC_POINT_BYTES_MAX = 1 + 2 * 48,
    ED25519_BYTES = 32,
    RSA_EXPONENT_BYTES_MAX = 4,
};

/* ---- what a key must be like */

/* With the exponent 1 everybody can sign; even ones make no key; huge ones make verifying a burden. */
static bool has_good_exponent(const EVP_PKEY *pkey)
{
    BIGNUM *e = NULL;
    bool is_good = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) == 1 && BN_is_odd(e) &&
                   !BN_is_one(e) && BN_num_bits(e) <= 8 * RSA_EXPONENT_BYTES_MAX;
    BN_free(e);
    return is_good;
}

static enum slim_status family_of(EVP_PKEY *pkey, enum slim_auth_family *family,
                                  struct slim_error *error)
{
    if (EVP_PKEY_is_a(pkey, "RSA")) {
        int bits = EVP_PKEY_get_bits(pkey);
        if (bits < SLIM_AUTH_RSA_BITS_MIN || bits > SLIM_AUTH_RSA_BITS_MAX) {
            return slim_error_set(error, SLIM_ERR_CONFIG,
                                  "an RSA key of %d bits; %d to %d are accepted", bits,
                                  (int)SLIM_AUTH_RSA_BITS_MIN, (int)SLIM_AUTH_RSA_BITS_MAX);
        }
        if (!has_good_exponent(pkey)) {
            return slim_error_set(error, SLIM_ERR_CONFIG,
                                  "an RSA key whose exponent is not odd, from 3 to 2^32 - 1");
        }
        *family = SLIM_AUTH_FAMILY_RSA;
        return SLIM_OK;
    }
    if (EVP_PKEY_is_a(pkey, "ED25519")) {
        *family = SLIM_AUTH_FAMILY_ED25519;
        return SLIM_OK;
    }
    char group[32];
    size_t group_len;
    if (EVP_PKEY_is_a(pkey, "EC") &&
        EVP_PKEY_get_group_name(pkey, group, sizeof(group), &group_len) == 1) {
        if (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0) {
            *family = SLIM_AUTH_FAMILY_P256;
            return SLIM_OK;
        }
        if (strcmp(group, "secp384r1") == 0 || strcmp(group, "P-384") == 0) {
            *family = SLIM_AUTH_FAMILY_P384;
            return SLIM_OK;
        }
    }
    return slim_error_set(error, SLIM_ERR_CONFIG,
                          "not a kind of key that is used here (RSA, EC on P-256 or P-384, "
                          "Ed25519)");
}

static enum slim_status check_hmac_secret(size_t len, struct slim_error *error)
{
    if (len < SLIM_AUTH_SECRET_BYTES_MIN) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "hmac key is too short: it has %zu bytes and needs at least %d", len,
                              (int)SLIM_AUTH_SECRET_BYTES_MIN);
    }
    if (len > SLIM_AUTH_SECRET_BYTES_MAX) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "an HMAC key of more than %d bytes",
                              (int)SLIM_AUTH_SECRET_BYTES_MAX);
    }
    return SLIM_OK;
}

/* ---- PEM */

/* OpenSSL would ask at the terminal for a passphrase. */
static int no_passphrase(char *buf, int size, int is_writing, void *ctx)
{
    (void)buf;
    (void)size;
    (void)is_writing;
    (void)ctx;
    return -1;
}

static EVP_PKEY *read_pem(struct slim_view text, bool is_private)
{
    BIO *bio = BIO_new_mem_buf(text.data, (int)text.len);
    if (bio == NULL) {
        return NULL;
    }
    EVP_PKEY *pkey = is_private ? PEM_read_bio_PrivateKey_ex(bio, NULL, no_passphrase, NULL,
                                                             slim_crypto_context(), NULL)
                                : PEM_read_bio_PUBKEY_ex(bio, NULL, no_passphrase, NULL,
                                                         slim_crypto_context(), NULL);
    BIO_free(bio);
    ERR_clear_error();
    return pkey;
}

static bool has_text(struct slim_view text, const char *wanted)
{
    return text.data != NULL && memmem(text.data, text.len, wanted, strlen(wanted)) != NULL;
}

/* A public key or a certificate in PEM form: as a secret it would let everybody sign who may verify. */
static bool is_public(struct slim_view text)
{
    return has_text(text, "-----BEGIN CERTIFICATE-----") ||
           (has_text(text, "-----BEGIN ") && has_text(text, "PUBLIC KEY-----"));
}

static enum slim_status secret_from_text(struct slim_view text, struct slim_auth_key *key,
                                         struct slim_error *error)
{
    SLIM_TRY(check_hmac_secret(text.len, error));
    if (is_public(text)) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "a public key or certificate cannot be the secret of HS256, HS384 or "
                              "HS512");
    }
    if (slim_buf_put(&key->secret, text) != SLIM_OK) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
    }
    return SLIM_OK;
}

enum slim_status slim_auth_key_from_pem(struct slim_view text, enum slim_auth_alg alg,
                                        bool is_private, struct slim_auth_key *key,
                                        struct slim_error *error)
{
    const struct slim_auth_alg_info *info = slim_auth_alg_info(alg);
    struct slim_auth_key made = {.family = info->family, .alg = alg};
    if (info->family == SLIM_AUTH_FAMILY_HMAC) {
        SLIM_TRY(secret_from_text(text, &made, error));
        *key = made;
        return SLIM_OK;
    }
    if (text.len > SLIM_AUTH_KEY_TEXT_BYTES_MAX) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "the key text is longer than %d bytes",
                              (int)SLIM_AUTH_KEY_TEXT_BYTES_MAX);
    }
    made.pkey = read_pem(text, is_private);
    if (made.pkey == NULL) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "no unencrypted %s key in PEM form (BEGIN %s KEY) was found",
                              is_private ? "private" : "public", is_private ? "PRIVATE" : "PUBLIC");
    }
    enum slim_status status = family_of(made.pkey, &made.family, error);
    if (status == SLIM_OK && made.family != info->family) {
        status =
            slim_error_set(error, SLIM_ERR_CONFIG, "the key cannot be used with %s", info->text);
    }
    if (status != SLIM_OK) {
        slim_auth_key_fini(&made);
        return status;
    }
    *key = made;
    return SLIM_OK;
}

/* ---- JWK */

/* Decode the base64url member `name` into `out`; 0 when it is missing, broken or does not fit. */
static size_t read_bytes(const struct slim_json *jwk, const char *name, uint8_t *out,
                         size_t capacity)
{
    struct slim_view text;
    size_t len = 0;
    if (!slim_json_read_text(slim_json_find(jwk, name), &text) ||
        slim_base64_decode(SLIM_BASE64_URL, text, out, capacity, &len) != SLIM_OK) {
        return 0;
    }
    return len;
}

static EVP_PKEY *pkey_from_params(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(slim_crypto_context(), type, NULL);
    if (ctx != NULL && params != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        pkey = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return pkey;
}

static EVP_PKEY *rsa_from_jwk(const struct slim_json *jwk)
{
    uint8_t n_bytes[SLIM_AUTH_RSA_BITS_MAX / 8];
    uint8_t e_bytes[RSA_EXPONENT_BYTES_MAX];
    size_t n_len = read_bytes(jwk, "n", n_bytes, sizeof(n_bytes));
    size_t e_len = read_bytes(jwk, "e", e_bytes, sizeof(e_bytes));
    if (n_len == 0 || e_len == 0 || n_bytes[0] == 0 || e_bytes[0] == 0) {
        return NULL;
    }
    BIGNUM *n = BN_bin2bn(n_bytes, (int)n_len, NULL);
    BIGNUM *e = BN_bin2bn(e_bytes, (int)e_len, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    if (n != NULL && e != NULL && build != NULL &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1) {
        params = OSSL_PARAM_BLD_to_param(build);
    }
    EVP_PKEY *pkey = pkey_from_params("RSA", params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);
    return pkey;
}

static EVP_PKEY *ec_from_jwk(const struct slim_json *jwk, const char *group, size_t size)
{
    uint8_t point[EC_POINT_BYTES_MAX] = {POINT_CONVERSION_UNCOMPRESSED};
    if (read_bytes(jwk, "x", point + 1, size) != size ||
        read_bytes(jwk, "y", point + 1 + size, size) != size) {
        return NULL;
    }
    char name[16];
    (void)snprintf(name, sizeof(name), "%s", group); /* OSSL_PARAM wants a char *; "P-256" fits */
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size),
        OSSL_PARAM_construct_end(),
    };
    return pkey_from_params("EC", params); /* checks that the point is on the curve */
}

static EVP_PKEY *ed25519_from_jwk(const struct slim_json *jwk)
{
    uint8_t bytes[ED25519_BYTES];
    if (read_bytes(jwk, "x", bytes, sizeof(bytes)) != sizeof(bytes)) {
        return NULL;
    }
    return EVP_PKEY_new_raw_public_key_ex(slim_crypto_context(), "ED25519", NULL, bytes,
                                          sizeof(bytes));
}

static enum slim_status hmac_from_jwk(const struct slim_json *jwk, struct slim_auth_key *key,
                                      struct slim_error *error)
{
    struct slim_view text;
    if (!slim_json_read_text(slim_json_find(jwk, "k"), &text)) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "a symmetric key without its bytes (k)");
    }
    key->family = SLIM_AUTH_FAMILY_HMAC;
    enum slim_status status = slim_base64_put_decoded(SLIM_BASE64_URL, text, &key->secret);
    if (status == SLIM_ERR_NO_MEMORY) {
        return slim_error_set(error, status, "no memory");
    }
    if (status != SLIM_OK) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "a symmetric key that is not base64url");
    }
    return check_hmac_secret(key->secret.len, error);
}

/* The public key of `kty` and `crv`; SLIM_ERR_UNSUPPORTED for those we do not know. */
static enum slim_status material_from_jwk(const struct slim_json *jwk, struct slim_auth_key *key,
                                          struct slim_error *error)
{
    struct slim_view kty = {0};
    struct slim_view crv = {0};
    (void)slim_json_read_text(slim_json_find(jwk, "kty"), &kty); /* missing: unsupported, below */
    (void)slim_json_read_text(slim_json_find(jwk, "crv"), &crv);
    if (slim_view_is_equal(kty, SLIM_VIEW("oct"))) {
        return hmac_from_jwk(jwk, key, error);
    }
    bool is_ec = slim_view_is_equal(kty, SLIM_VIEW("EC"));
    if (slim_view_is_equal(kty, SLIM_VIEW("RSA"))) {
        key->pkey = rsa_from_jwk(jwk);
    } else if (is_ec && slim_view_is_equal(crv, SLIM_VIEW("P-256"))) {
        key->pkey = ec_from_jwk(jwk, "P-256", 32);
    } else if (is_ec && slim_view_is_equal(crv, SLIM_VIEW("P-384"))) {
        key->pkey = ec_from_jwk(jwk, "P-384", 48);
    } else if (slim_view_is_equal(kty, SLIM_VIEW("OKP")) &&
               slim_view_is_equal(crv, SLIM_VIEW("Ed25519"))) {
        key->pkey = ed25519_from_jwk(jwk);
    } else {
        return slim_error_set(error, SLIM_ERR_UNSUPPORTED,
                              "a key type or curve that is not used here");
    }
    if (key->pkey == NULL) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "a JWK whose numbers are missing or make no key");
    }
    return family_of(key->pkey, &key->family, error);
}

/* Are the labels that bind a key texts, as far as they are there? One that is not would else count as left out, which binds less. */
static bool has_text_labels(const struct slim_json *jwk)
{
    static const char *const labels[] = {"kid", "alg", "use"};
    for (size_t i = 0; i < SLIM_COUNT(labels); i++) {
        const struct slim_json *label = slim_json_find(jwk, labels[i]);
        if (label != NULL && slim_json_kind(label) != SLIM_JSON_STRING) {
            return false;
        }
    }
    return true;
}

/* A key meant for encryption, or for signing only, verifies nothing. */
static bool is_for_verifying(const struct slim_json *jwk)
{
    struct slim_view use;
    if (slim_json_read_text(slim_json_find(jwk, "use"), &use) &&
        (slim_view_is_equal(use, SLIM_VIEW("enc")) ||
         slim_view_is_equal(use, SLIM_VIEW("x509-svid")))) {
        return false;
    }
    const struct slim_json *ops = slim_json_find(jwk, "key_ops");
    if (ops == NULL) {
        return true;
    }
    for (size_t i = 0; i < slim_json_count(ops); i++) {
        struct slim_view op;
        if (slim_json_read_text(slim_json_at(ops, i), &op) &&
            slim_view_is_equal(op, SLIM_VIEW("verify"))) {
            return true;
        }
    }
    return false;
}

/* kid and alg. */
static enum slim_status labels_from_jwk(const struct slim_json *jwk, struct slim_auth_key *key,
                                        struct slim_error *error)
{
    struct slim_view text;
    if (slim_json_read_text(slim_json_find(jwk, "kid"), &text)) {
        if (slim_buf_put(&key->kid, text) != SLIM_OK) {
            return slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
        }
        key->has_kid = true;
    }
    if (!slim_json_read_text(slim_json_find(jwk, "alg"), &text)) {
        return SLIM_OK;
    }
    if (slim_auth_alg_parse(text, &key->alg) != SLIM_OK) {
        return slim_error_set(error, SLIM_ERR_UNSUPPORTED, "a JWK with an algorithm not used here");
    }
    if (slim_auth_alg_info(key->alg)->family != key->family) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "a JWK whose algorithm does not fit its key type");
    }
    return SLIM_OK;
}

enum slim_status slim_auth_key_from_jwk(const struct slim_json *jwk, struct slim_auth_key *key,
                                        struct slim_error *error)
{
    if (jwk == NULL || slim_json_kind(jwk) != SLIM_JSON_OBJECT) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "a JWK must be a JSON object");
    }
    if (!has_text_labels(jwk)) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "a JWK whose kid, alg or use is no text");
    }
    if (!is_for_verifying(jwk)) {
        return slim_error_set(error, SLIM_ERR_UNSUPPORTED, "a JWK that is not for verifying");
    }
    struct slim_auth_key made = {0};
    enum slim_status status = material_from_jwk(jwk, &made, error);
    if (status == SLIM_OK) {
        status = labels_from_jwk(jwk, &made, error);
    }
    if (status != SLIM_OK) {
        slim_auth_key_fini(&made);
        return status;
    }
    *key = made;
    return SLIM_OK;
}
