/* Tokens of a shared secret, byte for byte (spec auth.md 2.2). Private to src/auth.
 *
 *     id ":" seconds ":" nonce ":" claims ":" mac          mac = base64url(HMAC-SHA256(secret, everything before the last colon))
 */
#ifndef SLIM_AUTH_SECRET_H
#define SLIM_AUTH_SECRET_H

#include "auth/auth.h"
#include "base/hmac.h"

enum {
    SLIM_AUTH_NONCE_BYTES = 12,
    SLIM_AUTH_MAC_BYTES = 32,
    SLIM_AUTH_SUFFIX_CHARS = 8,
};

/* The parts of a token; signed_part is what the MAC covers. */
struct slim_auth_secret_token {
    struct slim_view id;
    uint64_t seconds;
    struct slim_view nonce;
    struct slim_view claims;
    struct slim_view mac;
    struct slim_view signed_part;
};

/* Split a token. SLIM_ERR_MALFORMED: not five fields, or the seconds are no canonical decimal number of 64 bits. */
SLIM_MUST_CHECK enum slim_status slim_auth_secret_split(struct slim_view token,
                                                        struct slim_auth_secret_token *parts);

/* Append a token. pubkey: NULL, or SLIM_AUTH_PUBKEY_BYTES bytes. SLIM_ERR_NO_MEMORY: a part may have been appended. */
SLIM_MUST_CHECK enum slim_status
slim_auth_secret_put(const struct slim_hmac_key *key, struct slim_view id, uint64_t seconds,
                     const uint8_t nonce[static SLIM_AUTH_NONCE_BYTES], const uint8_t *pubkey,
                     struct slim_buf *out);

enum { SLIM_AUTH_PUBKEY_CLAIMS_BYTES = 57 };

/* Write the JSON object {"pubkey":"..."} with the padded standard base64 of the key (mls.md 3.2): always
 * SLIM_AUTH_PUBKEY_CLAIMS_BYTES bytes, no zero behind them. */
void slim_auth_pubkey_claims(const uint8_t *pubkey, char out[static SLIM_AUTH_PUBKEY_CLAIMS_BYTES]);

#endif
