/* Any bytes as a token, for verifiers of every kind; and any header and payload under a good signature, so that the rules behind the
 * signature are reached too. What is accepted once is accepted from the table, and its claims can be read. */
#include <stdlib.h>

#include "auth/jwt.h"
#include "auth/secret.h"
#include "base/base64.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW_S = 1795344500, KIND_COUNT = 6 };
static const char secret_text[] = "a secret of the fuzzer, longer than 32 bytes";

static void fill(void *out, size_t len)
{
    memset(out, 7, len);
}

static struct slim_auth_verifier *new_jwt(bool is_lenient)
{
    static const struct slim_view issuer = {(const uint8_t *)"i", 1};
    static const struct slim_view audience = {(const uint8_t *)"a", 1};
    struct slim_auth_rules rules = {
        .issuers = &issuer,
        .issuer_count = 1,
        .audiences = &audience,
        .audience_count = 1,
        .alg = SLIM_AUTH_ALG_HS256,
        .key = slim_view_str(secret_text),
        .is_lenient = is_lenient,
    };
    struct slim_auth_verifier *verifier;
    REQUIRE(slim_auth_verifier_new_jwt(&rules, fill, &verifier, NULL) == SLIM_OK);
    return verifier;
}

static struct slim_auth_verifier *new_verifier(unsigned kind)
{
    struct slim_auth_verifier *verifier;
    if (kind % 3 > 0) {
        return new_jwt(kind % 3 == 1);
    }
    REQUIRE(slim_auth_verifier_new_secret(slim_view_str(secret_text), fill, &verifier, NULL) ==
            SLIM_OK);
    return verifier;
}

/* The input as header and payload of a token, cut at its first line feed, and signed. */
static void sign_jwt(struct slim_view input, struct slim_buf *token)
{
    const uint8_t *end = input.len == 0 ? NULL : memchr(input.data, '\n', input.len);
    size_t header_len = end == NULL ? 0 : (size_t)(end - input.data);
    struct slim_view payload = slim_view_skip(input, end == NULL ? 0 : header_len + 1);
    struct slim_auth_key key = {.family = SLIM_AUTH_FAMILY_HMAC};
    struct slim_buf mac = {0};
    REQUIRE(slim_buf_put(&key.secret, slim_view_str(secret_text)) == SLIM_OK);
    REQUIRE(slim_base64_put(SLIM_BASE64_URL, slim_view_of(input.data, header_len), token) ==
            SLIM_OK);
    REQUIRE(slim_buf_put_byte(token, '.') == SLIM_OK);
    REQUIRE(slim_base64_put(SLIM_BASE64_URL, payload, token) == SLIM_OK);
    REQUIRE(slim_auth_key_sign(&key, SLIM_AUTH_ALG_HS256, slim_buf_view(token), &mac) == SLIM_OK);
    REQUIRE(slim_buf_put_byte(token, '.') == SLIM_OK);
    REQUIRE(slim_base64_put(SLIM_BASE64_URL, slim_buf_view(&mac), token) == SLIM_OK);
    slim_buf_fini(&mac);
    slim_auth_key_fini(&key);
}

/* The input as the part of a shared-secret token that the MAC covers. */
static void sign_secret(struct slim_view input, struct slim_buf *token)
{
    struct slim_hmac_key key;
    uint8_t mac[SLIM_SHA2_BYTES_MAX];
    slim_hmac_key_init(&key, SLIM_SHA2_256, slim_view_str(secret_text));
    slim_hmac_of(&key, input, mac);
    REQUIRE(slim_buf_put(token, input) == SLIM_OK);
    REQUIRE(slim_buf_put_byte(token, ':') == SLIM_OK);
    REQUIRE(slim_base64_put(SLIM_BASE64_URL, slim_view_of(mac, SLIM_AUTH_MAC_BYTES), token) ==
            SLIM_OK);
}

static void check(struct slim_auth_verifier *verifier, struct slim_view token)
{
    struct slim_auth_identity identity;
    struct slim_auth_claims claims;
    enum slim_auth_check failed = SLIM_AUTH_CHECK_NONE;
    enum slim_status status = slim_auth_verify(verifier, token, NOW_S, &failed, &identity);
    REQUIRE(status == slim_auth_check_status(failed));
    if (status == SLIM_OK) {
        size_t id_len = identity.id.len;
        REQUIRE(slim_auth_verify(verifier, token, NOW_S, &failed, &identity) == SLIM_OK);
        REQUIRE(identity.id.len == id_len);
        REQUIRE(slim_auth_verifier_stats(verifier)->cached_count == 1);
    }
    enum slim_status read = slim_auth_read_claims(verifier, token, NOW_S, &failed, &claims);
    REQUIRE(read == slim_auth_check_status(failed));
    REQUIRE(status == SLIM_OK || read != SLIM_OK);
    if (read == SLIM_OK) {
        REQUIRE(claims.valid_until_s >= NOW_S);
        REQUIRE(claims.subject.len <= SLIM_AUTH_TOKEN_BYTES_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    unsigned kind = data[0] % KIND_COUNT;
    struct slim_view input = slim_view_of(data + 1, size - 1);
    struct slim_auth_verifier *verifier = new_verifier(kind);
    struct slim_buf token = {0};
    if (kind < 3) {
        REQUIRE(slim_buf_put(&token, input) == SLIM_OK);
    } else if (kind == 3) {
        sign_secret(input, &token);
    } else {
        sign_jwt(input, &token);
    }
    check(verifier, slim_buf_view(&token));
    slim_buf_fini(&token);
    slim_auth_verifier_free(verifier);
    return 0;
}
