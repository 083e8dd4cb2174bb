#include "auth/secret.h"

#include <stdlib.h>

#include "auth/provider.h"
#include "auth/verifier.h"
#include "base/base64.h"
#include "base/secret.h"
#include "base/utf8.h"

enum {
    NONCES_AHEAD = 16,       /* random bytes are fetched for so many tokens at once */
    DECIMAL_DIGITS_MAX = 20, /* of a 64-bit number */
    MAC_CHARS = 43,
    CLAIMS_CHARS = 76,
    FIELD_COUNT = 5,
};

/* ---- the token */

static enum slim_status parse_seconds(struct slim_view text, uint64_t *seconds)
{
    if (text.len == 0 || text.len > DECIMAL_DIGITS_MAX || (text.len > 1 && text.data[0] == '0')) {
        return SLIM_ERR_MALFORMED;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' ||
            __builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.data[i] - '0'), &value)) {
            return SLIM_ERR_MALFORMED;
        }
    }
    *seconds = value;
    return SLIM_OK;
}

enum slim_status slim_auth_secret_split(struct slim_view token,
                                        struct slim_auth_secret_token *parts)
{
    struct slim_view fields[FIELD_COUNT];
    struct slim_view rest = token;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        const uint8_t *colon = rest.len == 0 ? NULL : memchr(rest.data, ':', rest.len);
        if ((colon == NULL) != (i == FIELD_COUNT - 1)) {
            return SLIM_ERR_MALFORMED;
        }
        size_t len = colon == NULL ? rest.len : (size_t)(colon - rest.data);
        fields[i] = slim_view_of(rest.data, len);
        rest = colon == NULL ? rest : slim_view_skip(rest, len + 1);
    }
    uint64_t seconds;
    SLIM_TRY(parse_seconds(fields[1], &seconds));
    *parts = (struct slim_auth_secret_token){
        .id = fields[0],
        .seconds = seconds,
        .nonce = fields[2],
        .claims = fields[3],
        .mac = fields[4],
        .signed_part = {token.data, token.len - fields[4].len - 1},
    };
    return SLIM_OK;
}

void slim_auth_pubkey_claims(const uint8_t *pubkey, char out[static SLIM_AUTH_PUBKEY_CLAIMS_BYTES])
{
    static const char head[] = "{\"pubkey\":\"";
    static const char tail[] = "\"}";
    char *to = out;
    memcpy(to, head, sizeof(head) - 1);
    to += sizeof(head) - 1;
    to +=
        slim_base64_encode(SLIM_BASE64_STANDARD, slim_view_of(pubkey, SLIM_AUTH_PUBKEY_BYTES), to);
    memcpy(to, tail, sizeof(tail) - 1);
    assert(to + sizeof(tail) - 1 == out + SLIM_AUTH_PUBKEY_CLAIMS_BYTES);
}

static char *put_decimal(char *to, uint64_t value)
{
    char digits[DECIMAL_DIGITS_MAX];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    while (count > 0) {
        *to++ = digits[--count];
    }
    return to;
}

/* The claims field for a public key; returns its length, 0 without a key. */
static size_t encode_claims(const uint8_t *pubkey, char *out)
{
    if (pubkey == NULL) {
        return 0;
    }
    char text[SLIM_AUTH_PUBKEY_CLAIMS_BYTES];
    slim_auth_pubkey_claims(pubkey, text);
    return slim_base64_encode(SLIM_BASE64_URL, slim_view_of(text, sizeof(text)), out);
}

enum slim_status slim_auth_secret_put(const struct slim_hmac_key *key, struct slim_view id,
                                      uint64_t seconds,
                                      const uint8_t nonce[static SLIM_AUTH_NONCE_BYTES],
                                      const uint8_t *pubkey, struct slim_buf *out)
{
    enum { ROOM = DECIMAL_DIGITS_MAX + 16 + CLAIMS_CHARS + MAC_CHARS + FIELD_COUNT };
    SLIM_TRY(slim_buf_reserve(out, id.len + ROOM));
    uint8_t *start = out->data + out->len;
    char *to = (char *)start;
    if (id.len > 0) {
        memcpy(to, id.data, id.len);
        to += id.len;
    }
    *to++ = ':';
    to = put_decimal(to, seconds);
    *to++ = ':';
    to += slim_base64_encode(SLIM_BASE64_URL, slim_view_of(nonce, SLIM_AUTH_NONCE_BYTES), to);
    *to++ = ':';
    to += encode_claims(pubkey, to);
    uint8_t mac[SLIM_SHA2_BYTES_MAX];
    slim_hmac_of(key, slim_view_of(start, (size_t)(to - (char *)start)), mac);
    *to++ = ':';
    to += slim_base64_encode(SLIM_BASE64_URL, slim_view_of(mac, SLIM_AUTH_MAC_BYTES), to);
    out->len += (size_t)(to - (char *)start);
    return SLIM_OK;
}

/* ---- the provider */

/* nonces    random bytes not used yet: the last nonce_count * SLIM_AUTH_NONCE_BYTES of the array */
struct secret_provider {
    struct slim_auth_provider common;
    struct slim_hmac_key key;
    slim_auth_random *random;
    size_t nonce_count;
    uint8_t nonces[NONCES_AHEAD * SLIM_AUTH_NONCE_BYTES];
};

static enum slim_status make(struct slim_auth_provider *provider, uint64_t now_s,
                             const uint8_t *pubkey, struct slim_buf *out, uint64_t *reuse_until_s)
{
    struct secret_provider *secret = (struct secret_provider *)provider;
    if (secret->nonce_count == 0) {
        secret->random(secret->nonces, sizeof(secret->nonces));
        secret->nonce_count = NONCES_AHEAD;
    }
    secret->nonce_count--;
    const uint8_t *nonce = secret->nonces + secret->nonce_count * SLIM_AUTH_NONCE_BYTES;
    SLIM_TRY(slim_auth_secret_put(&secret->key, slim_buf_view(&provider->id), now_s, nonce, pubkey,
                                  out));
    *reuse_until_s = now_s + SLIM_AUTH_REUSE_S;
    return SLIM_OK;
}

static void fini_provider(struct slim_auth_provider *provider)
{
    struct secret_provider *secret = (struct secret_provider *)provider;
    slim_hmac_key_fini(&secret->key);
}

static const struct slim_auth_provider_ops provider_ops = {
    .make = make, .reload = NULL, .fini = fini_provider};

static enum slim_status check_secret(struct slim_view secret, struct slim_error *error)
{
    if (secret.len < SLIM_AUTH_SECRET_BYTES_MIN) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "hmac key is too short: the shared secret has %zu bytes and needs "
                              "at least %d; take 32 random bytes or more",
                              secret.len, (int)SLIM_AUTH_SECRET_BYTES_MIN);
    }
    if (secret.len > SLIM_AUTH_SECRET_BYTES_MAX) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "the shared secret is longer than %d bytes",
                              (int)SLIM_AUTH_SECRET_BYTES_MAX);
    }
    return SLIM_OK;
}

/* Bits of information in `count` of `total`: the logarithm to base 2 of total / count, to 1/65536. Without the mathematical library, which
 * would cost each client 300 KiB of memory for this one call at its start. */
static uint64_t information(size_t total, size_t count)
{
    enum { FRACTION_BITS = 16, PLACES = 30 };
    uint64_t whole = 0;
    uint64_t fraction = 0;
    uint64_t ratio = ((uint64_t)total << PLACES) / count; /* a secret is shorter than 2^34 bytes */
    while (ratio >= (uint64_t)2 << PLACES) {
        ratio >>= 1;
        whole++;
    }
    for (int i = 0; i < FRACTION_BITS; i++) { /* squaring doubles the logarithm: one more digit */
        ratio = (uint64_t)(((unsigned __int128)ratio * ratio) >> PLACES);
        fraction <<= 1;
        if (ratio >= (uint64_t)2 << PLACES) {
            ratio >>= 1;
            fraction |= 1;
        }
    }
    return (whole << FRACTION_BITS) + fraction;
}

bool slim_auth_secret_is_weak(struct slim_view secret)
{
    enum { BITS_MIN = 128, FRACTION_BITS = 16 };
    size_t counts[256] = {0};
    uint64_t bits = 0;
    for (size_t i = 0; i < secret.len; i++) {
        counts[secret.data[i]]++;
    }
    for (size_t i = 0; i < SLIM_COUNT(counts); i++) {
        if (counts[i] > 0) {
            bits += counts[i] * information(secret.len, counts[i]);
        }
    }
    slim_secret_wipe(counts, sizeof(counts));
    return bits >> FRACTION_BITS < BITS_MIN;
}

/* Length of the white space character (Unicode White_Space) at the front of `text`, or 0. */
static size_t white_space_len(struct slim_view text)
{
    static const char *const wide[] = {
        "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
        "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86",
        "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8",
        "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80",
    };
    uint8_t first = text.data[0];
    if (first == ' ' || (first >= '\t' && first <= '\r')) {
        return 1;
    }
    for (size_t i = 0; first >= 0x80 && i < SLIM_COUNT(wide); i++) {
        if (slim_view_has_prefix(text, slim_view_str(wide[i]))) {
            return strlen(wide[i]);
        }
    }
    return 0;
}

static enum slim_status check_id(struct slim_view id, struct slim_error *error)
{
    if (id.len == 0 || id.len > SLIM_AUTH_ID_BYTES_MAX) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "the id of a shared secret must have 1 to %d bytes",
                              (int)SLIM_AUTH_ID_BYTES_MAX);
    }
    if (!slim_utf8_is_valid(id)) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "the id of a shared secret must be UTF-8");
    }
    for (struct slim_view rest = id; rest.len > 0; rest = slim_view_skip(rest, 1)) {
        if (rest.data[0] == ':' || white_space_len(rest) > 0) {
            return slim_error_set(error, SLIM_ERR_CONFIG,
                                  "the id of a shared secret must not contain ':' or white space");
        }
    }
    return SLIM_OK;
}

/* id + "_" + eight random characters. */
static enum slim_status set_effective_id(struct secret_provider *secret, struct slim_view id)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    enum {
        ALPHABET_COUNT = sizeof(alphabet) - 1,
        FAIR_LIMIT = 256 / ALPHABET_COUNT * ALPHABET_COUNT
    };
    char suffix[1 + SLIM_AUTH_SUFFIX_CHARS] = {'_'};
    for (size_t i = 1; i < sizeof(suffix);) {
        uint8_t byte;
        secret->random(&byte, 1);
        if (byte < FAIR_LIMIT) { /* the others would make some characters likelier */
            suffix[i++] = alphabet[byte % ALPHABET_COUNT];
        }
    }
    struct slim_buf text = {0};
    enum slim_status status = slim_buf_put(&text, id);
    if (status == SLIM_OK) {
        status = slim_buf_put(&text, slim_view_of(suffix, sizeof(suffix)));
    }
    if (status == SLIM_OK) {
        status = slim_auth_provider_set_id(&secret->common, slim_buf_view(&text));
    }
    slim_buf_fini(&text);
    return status;
}

enum slim_status slim_auth_provider_new_secret(struct slim_view id, struct slim_view secret,
                                               slim_auth_random *random,
                                               struct slim_auth_provider **provider,
                                               struct slim_error *error)
{
    SLIM_TRY(check_id(id, error));
    SLIM_TRY(check_secret(secret, error));
    struct secret_provider *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
    }
    made->common.ops = &provider_ops;
    made->random = random;
    slim_hmac_key_init(&made->key, SLIM_SHA2_256, secret);
    enum slim_status status = set_effective_id(made, id);
    if (status != SLIM_OK) {
        slim_auth_provider_free(&made->common);
        return slim_error_set(error, status, "no memory");
    }
    *provider = &made->common;
    return SLIM_OK;
}

/* ---- the verifier */

struct secret_verifier {
    struct slim_auth_verifier common;
    struct slim_hmac_key key;
};

static enum slim_status check_mac(const struct slim_hmac_key *key,
                                  const struct slim_auth_secret_token *parts,
                                  enum slim_auth_check *check)
{
    uint8_t got[SLIM_AUTH_MAC_BYTES];
    size_t len;
    if (slim_base64_decode(SLIM_BASE64_URL, parts->mac, got, sizeof(got), &len) != SLIM_OK ||
        len != sizeof(got)) {
        return slim_auth_fail(check, SLIM_AUTH_CHECK_ENCODING);
    }
    uint8_t want[SLIM_SHA2_BYTES_MAX];
    slim_hmac_of(key, parts->signed_part, want);
    bool is_equal = slim_secret_is_equal(got, want, sizeof(got));
    slim_secret_wipe(want, sizeof(want));
    return is_equal ? SLIM_OK : slim_auth_fail(check, SLIM_AUTH_CHECK_SIGNATURE);
}

static enum slim_status check_time(uint64_t seconds, uint64_t now_s, enum slim_auth_check *check)
{
    if (seconds > now_s && seconds - now_s > SLIM_AUTH_SECRET_SKEW_S) {
        return slim_auth_fail(check, SLIM_AUTH_CHECK_NOT_YET);
    }
    if (now_s > seconds && now_s - seconds > SLIM_AUTH_VALIDITY_S) {
        return slim_auth_fail(check, SLIM_AUTH_CHECK_EXPIRED);
    }
    return SLIM_OK;
}

/* Decode the claims field; an empty one is none. */
static enum slim_status read_claims(struct slim_auth_verifier *verifier, struct slim_view field,
                                    enum slim_auth_check *check, struct slim_json **claims)
{
    static const struct slim_json_limits limits = {.bytes_max = SLIM_AUTH_TOKEN_BYTES_MAX,
                                                   .depth_max = SLIM_AUTH_TOKEN_DEPTH_MAX,
                                                   .has_plain_numbers = true};
    if (field.len == 0) {
        return SLIM_OK;
    }
    slim_buf_clear(&verifier->scratch);
    enum slim_status status = slim_base64_put_decoded(SLIM_BASE64_URL, field, &verifier->scratch);
    if (status == SLIM_OK) {
        status = slim_json_parse(slim_buf_view(&verifier->scratch), &limits, claims, NULL);
    }
    if (status == SLIM_OK && slim_json_kind(*claims) != SLIM_JSON_OBJECT) {
        slim_json_free(*claims);
        *claims = NULL;
        status = SLIM_ERR_MALFORMED;
    }
    if (status == SLIM_ERR_NO_MEMORY || status == SLIM_OK) {
        return status;
    }
    return slim_auth_fail(check, SLIM_AUTH_CHECK_ENCODING);
}

static enum slim_status check_token(struct slim_auth_verifier *verifier, struct slim_view token,
                                    uint64_t now_s, bool is_known, bool wants_claims,
                                    enum slim_auth_check *check, struct slim_auth_found *found)
{
    struct secret_verifier *secret = (struct secret_verifier *)verifier;
    struct slim_auth_secret_token parts;
    if (slim_auth_secret_split(token, &parts) != SLIM_OK) {
        return slim_auth_fail(check, SLIM_AUTH_CHECK_ENCODING);
    }
    if (!is_known) {
        if (!verifier->is_any_age) {
            SLIM_TRY(check_time(parts.seconds, now_s, check));
        }
        SLIM_TRY(check_mac(&secret->key, &parts, check));
    }
    struct slim_json *claims = NULL;
    if (wants_claims) {
        SLIM_TRY(read_claims(verifier, parts.claims, check, &claims));
    }
    uint64_t skew = SLIM_AUTH_SECRET_SKEW_S;
    *found = (struct slim_auth_found){
        .valid_from_s = parts.seconds > skew ? parts.seconds - skew : 0,
        .valid_until_s = parts.seconds > UINT64_MAX - SLIM_AUTH_VALIDITY_S
                             ? UINT64_MAX
                             : parts.seconds + SLIM_AUTH_VALIDITY_S,
        .subject = parts.id,
        .claims = claims,
    };
    return SLIM_OK;
}

static void fini_verifier(struct slim_auth_verifier *verifier)
{
    struct secret_verifier *secret = (struct secret_verifier *)verifier;
    slim_hmac_key_fini(&secret->key);
}

static const struct slim_auth_verifier_ops verifier_ops = {
    .check = check_token, .reload = NULL, .fini = fini_verifier};

enum slim_status slim_auth_verifier_new_secret(struct slim_view secret, slim_auth_random *random,
                                               struct slim_auth_verifier **verifier,
                                               struct slim_error *error)
{
    SLIM_TRY(check_secret(secret, error));
    struct secret_verifier *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
    }
    if (slim_auth_cache_new(random, &made->common.cache) != SLIM_OK) {
        free(made);
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
    }
    made->common.ops = &verifier_ops;
    slim_hmac_key_init(&made->key, SLIM_SHA2_256, secret);
    *verifier = &made->common;
    return SLIM_OK;
}
