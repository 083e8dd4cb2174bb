/* The low-level SHA functions are deprecated in OpenSSL 3.0 and still the right ones: they work on the stack, cannot fail and
 * cost a third of an EVP digest on the short inputs that key schedules are made of. */
#define OPENSSL_SUPPRESS_DEPRECATED 1

#include "base/crypto.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <sodium.h>

#include "base/crypto_context.h"
#include "base/secret.h"

enum { BLOCK_MAX = 128 };

union sha {
    SHA256_CTX sha256;
    SHA512_CTX sha512; /* SHA-384 as well */
};

size_t slim_crypto_hash_len(enum slim_crypto_hash hash)
{
    switch (hash) {
    case SLIM_CRYPTO_SHA256:
        return SHA256_DIGEST_LENGTH;
    case SLIM_CRYPTO_SHA384:
        return SHA384_DIGEST_LENGTH;
    case SLIM_CRYPTO_SHA512:
        return SHA512_DIGEST_LENGTH;
    }
    return 0;
}

static size_t block_len(enum slim_crypto_hash hash)
{
    return hash == SLIM_CRYPTO_SHA256 ? SHA256_CBLOCK : SHA512_CBLOCK;
}

static void sha_init(union sha *sha, enum slim_crypto_hash hash)
{
    switch (hash) {
    case SLIM_CRYPTO_SHA256:
        SHA256_Init(&sha->sha256);
        return;
    case SLIM_CRYPTO_SHA384:
        SHA384_Init(&sha->sha512);
        return;
    case SLIM_CRYPTO_SHA512:
        SHA512_Init(&sha->sha512);
        return;
    }
}

static void sha_put(union sha *sha, enum slim_crypto_hash hash, const void *data, size_t len)
{
    if (len == 0) {
        return;
    }
    if (hash == SLIM_CRYPTO_SHA256) {
        SHA256_Update(&sha->sha256, data, len);
    } else {
        SHA512_Update(&sha->sha512, data, len);
    }
}

static void sha_end(union sha *sha, enum slim_crypto_hash hash, uint8_t *out)
{
    if (hash == SLIM_CRYPTO_SHA256) {
        SHA256_Final(out, &sha->sha256);
    } else {
        SHA512_Final(out, &sha->sha512); /* knows the shorter length of SHA-384 */
    }
}

void slim_crypto_digest(enum slim_crypto_hash hash, const struct slim_view *parts, size_t count,
                        uint8_t *out)
{
    union sha sha;
    sha_init(&sha, hash);
    for (size_t i = 0; i < count; i++) {
        sha_put(&sha, hash, parts[i].data, parts[i].len);
    }
    sha_end(&sha, hash, out);
    slim_secret_wipe(&sha, sizeof(sha));
}

/* The two states of an HMAC after its padded key. */
struct mac_key {
    enum slim_crypto_hash hash;
    union sha inner;
    union sha outer;
};

static void mac_key_init(struct mac_key *mac, enum slim_crypto_hash hash, struct slim_view key)
{
    uint8_t block[BLOCK_MAX] = {0};
    size_t size = block_len(hash);
    mac->hash = hash;
    if (key.len > size) {
        slim_crypto_digest(hash, &key, 1, block);
    } else if (key.len > 0) {
        memcpy(block, key.data, key.len);
    }
    for (size_t i = 0; i < size; i++) {
        block[i] ^= 0x36;
    }
    sha_init(&mac->inner, hash);
    sha_put(&mac->inner, hash, block, size);
    for (size_t i = 0; i < size; i++) {
        block[i] ^= 0x36 ^ 0x5c;
    }
    sha_init(&mac->outer, hash);
    sha_put(&mac->outer, hash, block, size);
    slim_secret_wipe(block, sizeof(block));
}

static void mac_run(const struct mac_key *mac, const struct slim_view *parts, size_t count,
                    uint8_t *out)
{
    union sha sha = mac->inner;
    uint8_t digest[SLIM_CRYPTO_HASH_MAX];
    for (size_t i = 0; i < count; i++) {
        sha_put(&sha, mac->hash, parts[i].data, parts[i].len);
    }
    sha_end(&sha, mac->hash, digest);
    sha = mac->outer;
    sha_put(&sha, mac->hash, digest, slim_crypto_hash_len(mac->hash));
    sha_end(&sha, mac->hash, out);
    slim_secret_wipe(&sha, sizeof(sha));
    slim_secret_wipe(digest, sizeof(digest));
}

void slim_crypto_hmac(enum slim_crypto_hash hash, struct slim_view key,
                      const struct slim_view *parts, size_t count, uint8_t *out)
{
    struct mac_key mac;
    mac_key_init(&mac, hash, key);
    mac_run(&mac, parts, count, out);
    slim_secret_wipe(&mac, sizeof(mac));
}

void slim_crypto_hkdf_extract(enum slim_crypto_hash hash, struct slim_view salt,
                              const struct slim_view *parts, size_t count, uint8_t *out)
{
    /* RFC 5869: no salt is a salt of zeros, which an HMAC key of length 0 is already */
    slim_crypto_hmac(hash, salt, parts, count, out);
}

void slim_crypto_hkdf_expand(enum slim_crypto_hash hash, struct slim_view prk,
                             const struct slim_view *parts, size_t count, uint8_t *out, size_t len)
{
    size_t hash_len = slim_crypto_hash_len(hash);
    assert(count <= SLIM_CRYPTO_EXPAND_PARTS_MAX && len <= 255 * hash_len);

    struct mac_key mac;
    mac_key_init(&mac, hash, prk);
    struct slim_view input[SLIM_CRYPTO_EXPAND_PARTS_MAX + 2];
    uint8_t block[SLIM_CRYPTO_HASH_MAX];
    uint8_t counter = 1;
    memcpy(&input[1], parts, count * sizeof(*parts));
    input[count + 1] = slim_view_of(&counter, 1);
    for (size_t done = 0; done < len; counter++) {
        input[0] = slim_view_of(block, counter == 1 ? 0 : hash_len);
        mac_run(&mac, input, count + 2, block);
        size_t take = len - done < hash_len ? len - done : hash_len;
        memcpy(out + done, block, take);
        done += take;
    }
    slim_secret_wipe(block, sizeof(block));
    slim_secret_wipe(&mac, sizeof(mac));
}

/* ---- AEAD */

static pthread_once_t init_once = PTHREAD_ONCE_INIT;
static EVP_CIPHER
    *aes_128_gcm; /* written once, before anybody reads them; live as long as the process */
static EVP_CIPHER *aes_256_gcm;

static void init_libraries(void)
{
    aes_128_gcm = EVP_CIPHER_fetch(slim_crypto_context(), "AES-128-GCM", NULL);
    aes_256_gcm = EVP_CIPHER_fetch(slim_crypto_context(), "AES-256-GCM", NULL);
    int started = sodium_init(); /* chooses the fast code for this CPU */
    (void)started; /* a failure would concern its random source, which we do not use */
}

void slim_crypto_init(void)
{
    (void)pthread_once(&init_once, init_libraries); /* cannot fail with a valid control */
}

enum { UPDATE_MAX = 1 << 30 }; /* what one EVP call takes: its lengths are ints */

static enum slim_status gcm_seal(const EVP_CIPHER *cipher, const uint8_t *key, const uint8_t *nonce,
                                 struct slim_view aad, struct slim_view plain, uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int len = 0;
    bool ok =
        ctx != NULL && cipher != NULL && EVP_EncryptInit_ex2(ctx, cipher, key, nonce, NULL) == 1;
    if (ok && aad.len > 0) {
        ok = EVP_EncryptUpdate(ctx, NULL, &len, aad.data, (int)aad.len) == 1;
    }
    if (ok && plain.len > 0) {
        ok = EVP_EncryptUpdate(ctx, out, &len, plain.data, (int)plain.len) == 1;
    }
    ok = ok && EVP_EncryptFinal_ex(ctx, out + plain.len, &len) == 1 &&
         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SLIM_CRYPTO_TAG_LEN, out + plain.len) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return ok ? SLIM_OK : SLIM_ERR_CRYPTO;
}

static enum slim_status gcm_open(const EVP_CIPHER *cipher, const uint8_t *key, const uint8_t *nonce,
                                 struct slim_view aad, struct slim_view sealed, uint8_t *out)
{
    size_t plain_len = sealed.len - SLIM_CRYPTO_TAG_LEN;
    uint8_t tag[SLIM_CRYPTO_TAG_LEN];
    memcpy(tag, sealed.data + plain_len, sizeof(tag));
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int len = 0;
    bool ok = ctx != NULL && cipher != NULL &&
              EVP_DecryptInit_ex2(ctx, cipher, key, nonce, NULL) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, SLIM_CRYPTO_TAG_LEN, tag) == 1;
    if (ok && aad.len > 0) {
        ok = EVP_DecryptUpdate(ctx, NULL, &len, aad.data, (int)aad.len) == 1;
    }
    if (ok && plain_len > 0) {
        ok = EVP_DecryptUpdate(ctx, out, &len, sealed.data, (int)plain_len) == 1;
    }
    enum slim_status status = ok ? SLIM_OK : SLIM_ERR_CRYPTO;
    uint8_t rest[SLIM_CRYPTO_TAG_LEN];
    if (ok && EVP_DecryptFinal_ex(ctx, rest, &len) != 1) {
        status = SLIM_ERR_DECRYPT;
    }
    EVP_CIPHER_CTX_free(ctx);
    if (status != SLIM_OK) {
        slim_secret_wipe(out, plain_len);
    }
    return status;
}

static const EVP_CIPHER *gcm_cipher(enum slim_crypto_aead aead)
{
    return aead == SLIM_CRYPTO_AES_128_GCM ? aes_128_gcm : aes_256_gcm;
}

enum slim_status slim_crypto_seal(enum slim_crypto_aead aead, const uint8_t *key,
                                  const uint8_t *nonce, struct slim_view aad,
                                  struct slim_view plain, uint8_t *out)
{
    if (aad.len > UPDATE_MAX || plain.len > UPDATE_MAX) {
        return SLIM_ERR_LIMIT;
    }
    slim_crypto_init();
    switch (aead) {
    case SLIM_CRYPTO_AES_128_GCM:
    case SLIM_CRYPTO_AES_256_GCM:
        return gcm_seal(gcm_cipher(aead), key, nonce, aad, plain, out);
    case SLIM_CRYPTO_CHACHA20_POLY1305:
        (void)crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain.data, plain.len, aad.data,
                                                        aad.len, NULL, nonce,
                                                        key); /* documented to return 0 always */
        return SLIM_OK;
    }
    return SLIM_ERR_UNSUPPORTED;
}

enum slim_status slim_crypto_open(enum slim_crypto_aead aead, const uint8_t *key,
                                  const uint8_t *nonce, struct slim_view aad,
                                  struct slim_view sealed, uint8_t *out)
{
    if (sealed.len < SLIM_CRYPTO_TAG_LEN) {
        return SLIM_ERR_DECRYPT;
    }
    if (aad.len > UPDATE_MAX || sealed.len > UPDATE_MAX) {
        return SLIM_ERR_LIMIT;
    }
    slim_crypto_init();
    switch (aead) {
    case SLIM_CRYPTO_AES_128_GCM:
    case SLIM_CRYPTO_AES_256_GCM:
        return gcm_open(gcm_cipher(aead), key, nonce, aad, sealed, out);
    case SLIM_CRYPTO_CHACHA20_POLY1305:
        if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed.data, sealed.len,
                                                      aad.data, aad.len, nonce, key) != 0) {
            slim_secret_wipe(out, sealed.len - SLIM_CRYPTO_TAG_LEN);
            return SLIM_ERR_DECRYPT;
        }
        return SLIM_OK;
    }
    return SLIM_ERR_UNSUPPORTED;
}
