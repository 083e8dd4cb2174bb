/* HMAC (RFC 2104) over SHA-2. A key is prepared once; each MAC then costs one hash of the message and one block. */
#ifndef SLIM_BASE_HMAC_H
#define SLIM_BASE_HMAC_H

#include "base/sha2.h"

/* A prepared key: the two hashes after their first block. Secret: end it with slim_hmac_key_fini. */
struct slim_hmac_key {
    struct slim_sha2 inner;
    struct slim_sha2 outer;
};

/* A MAC in progress. */
struct slim_hmac {
    struct slim_sha2 inner;
    const struct slim_hmac_key *key;
};

/* Any length of `secret` is taken; the smallest good one is the caller's rule. */
void slim_hmac_key_init(struct slim_hmac_key *key, enum slim_sha2_kind kind,
                        struct slim_view secret);

/* Wipe it. A zeroed key is allowed. */
void slim_hmac_key_fini(struct slim_hmac_key *key);

/* MAC of a message in parts; `key` must live until done, which writes slim_sha2_size bytes. */
void slim_hmac_init(struct slim_hmac *mac, const struct slim_hmac_key *key);
void slim_hmac_put(struct slim_hmac *mac, struct slim_view bytes);
void slim_hmac_done(struct slim_hmac *mac, uint8_t *out);

/* MAC of one piece. */
void slim_hmac_of(const struct slim_hmac_key *key, struct slim_view message, uint8_t *out);

#endif
