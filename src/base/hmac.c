#include "base/hmac.h"

#include "base/secret.h"

void slim_hmac_key_init(struct slim_hmac_key *key, enum slim_sha2_kind kind,
                        struct slim_view secret)
{
    uint8_t block[SLIM_SHA2_BLOCK_BYTES_MAX] = {0};
    size_t block_size = slim_sha2_block_size(kind);
    if (secret.len > block_size) {
        slim_sha2_of(kind, secret, block);
    } else if (secret.len > 0) {
        memcpy(block, secret.data, secret.len);
    }
    for (size_t i = 0; i < block_size; i++) {
        block[i] ^= 0x36;
    }
    slim_sha2_init(&key->inner, kind);
    slim_sha2_put(&key->inner, slim_view_of(block, block_size));
    for (size_t i = 0; i < block_size; i++) {
        block[i] ^= 0x36 ^ 0x5c;
    }
    slim_sha2_init(&key->outer, kind);
    slim_sha2_put(&key->outer, slim_view_of(block, block_size));
    slim_secret_wipe(block, sizeof(block));
}

void slim_hmac_key_fini(struct slim_hmac_key *key)
{
    slim_secret_wipe(key, sizeof(*key));
}

void slim_hmac_init(struct slim_hmac *mac, const struct slim_hmac_key *key)
{
    mac->inner = key->inner;
    mac->key = key;
}

void slim_hmac_put(struct slim_hmac *mac, struct slim_view bytes)
{
    slim_sha2_put(&mac->inner, bytes);
}

void slim_hmac_done(struct slim_hmac *mac, uint8_t *out)
{
    uint8_t digest[SLIM_SHA2_BYTES_MAX];
    enum slim_sha2_kind kind = mac->key->inner.kind;
    slim_sha2_done(&mac->inner, digest);
    struct slim_sha2 outer = mac->key->outer;
    slim_sha2_put(&outer, slim_view_of(digest, slim_sha2_size(kind)));
    slim_sha2_done(&outer, out);
    slim_secret_wipe(digest, sizeof(digest));
}

void slim_hmac_of(const struct slim_hmac_key *key, struct slim_view message, uint8_t *out)
{
    struct slim_hmac mac;
    slim_hmac_init(&mac, key);
    slim_hmac_put(&mac, message);
    slim_hmac_done(&mac, out);
}
