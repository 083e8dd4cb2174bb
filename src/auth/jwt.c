#include "auth/jwt.h"

#include <stdio.h>

#include "auth/verifier.h"
#include "base/base64.h"

static const struct slim_json_limits token_limits = {.bytes_max = SLIM_AUTH_TOKEN_BYTES_MAX,
                                                     .depth_max = SLIM_AUTH_TOKEN_DEPTH_MAX,
                                                     .has_plain_numbers = true};

/* ---- taking apart */

/* The three parts between two dots. */
static bool split(struct slim_view token, struct slim_view part[static 3])
{
    const uint8_t *first = token.len == 0 ? NULL : memchr(token.data, '.', token.len);
    if (first == NULL) {
        return false;
    }
    size_t header_len = (size_t)(first - token.data);
    struct slim_view rest = slim_view_skip(token, header_len + 1);
    const uint8_t *second = rest.len == 0 ? NULL : memchr(rest.data, '.', rest.len);
    if (second == NULL) {
        return false;
    }
    size_t payload_len = (size_t)(second - rest.data);
    part[0] = slim_view_of(token.data, header_len);
    part[1] = slim_view_of(rest.data, payload_len);
    part[2] = slim_view_skip(rest, payload_len + 1);
    return part[2].len == 0 || memchr(part[2].data, '.', part[2].len) == NULL;
}

/* Decode one part to JSON. `bytes` has room. */
static enum slim_status read_object(struct slim_view part, struct slim_buf *bytes,
                                    enum slim_auth_check *check, struct slim_json **object)
{
    size_t len_before = bytes->len;
    enum slim_status status = slim_base64_put_decoded(SLIM_BASE64_URL, part, bytes);
    if (status == SLIM_OK) {
        struct slim_view text = slim_view_of(bytes->data + len_before, bytes->len - len_before);
        status = slim_json_parse(text, &token_limits, object, NULL);
    }
    if (status == SLIM_OK && slim_json_kind(*object) != SLIM_JSON_OBJECT) {
        slim_json_free(*object);
        *object = NULL;
        status = SLIM_ERR_MALFORMED;
    }
    if (status == SLIM_OK || status == SLIM_ERR_NO_MEMORY) {
        return status;
    }
    return slim_auth_fail(check, SLIM_AUTH_CHECK_ENCODING);
}

/* alg, kid, typ. Extensions that must be understood (crit) are not. */
static enum slim_status read_header(struct slim_auth_jwt *jwt, enum slim_auth_check *check)
{
    struct slim_view alg;
    if (!slim_json_read_text(slim_json_find(jwt->header, "alg"), &alg) ||
        slim_auth_alg_parse(alg, &jwt->alg) != SLIM_OK ||
        slim_json_find(jwt->header, "crit") != NULL) {
        return slim_auth_fail(check, SLIM_AUTH_CHECK_ALGORITHM);
    }
    const struct slim_json *kid = slim_json_find(jwt->header, "kid");
    const struct slim_json *typ = slim_json_find(jwt->header, "typ");
    jwt->has_kid = kid != NULL && slim_json_kind(kid) != SLIM_JSON_NULL;
    if (jwt->has_kid && !slim_json_read_text(kid, &jwt->kid)) {
        return slim_auth_fail(check, SLIM_AUTH_CHECK_ENCODING);
    }
    if (typ != NULL && slim_json_kind(typ) != SLIM_JSON_NULL &&
        !slim_json_read_text(typ, &jwt->typ)) {
        return slim_auth_fail(check, SLIM_AUTH_CHECK_ENCODING);
    }
    return SLIM_OK;
}

enum slim_status slim_auth_jwt_open(struct slim_view token, struct slim_buf *bytes,
                                    struct slim_auth_jwt *jwt, enum slim_auth_check *check)
{
    struct slim_view part[3];
    if (!split(token, part)) {
        return slim_auth_fail(check, SLIM_AUTH_CHECK_ENCODING);
    }
    struct slim_auth_jwt made = {
        .signed_part = {token.data, part[0].len + 1 + part[1].len},
    };
    slim_buf_clear(bytes);
    /* room for all parts at once: the signature is a view into it */
    SLIM_TRY(slim_buf_reserve(bytes, slim_base64_decoded_size_max(part[0].len) +
                                         slim_base64_decoded_size_max(part[1].len) +
                                         slim_base64_decoded_size_max(part[2].len)));
    enum slim_status status = read_object(part[0], bytes, check, &made.header);
    if (status == SLIM_OK) {
        status = read_header(&made, check);
    }
    if (status == SLIM_OK) {
        status = read_object(part[1], bytes, check, &made.payload);
    }
    size_t signature_at = bytes->len;
    if (status == SLIM_OK && slim_base64_put_decoded(SLIM_BASE64_URL, part[2], bytes) != SLIM_OK) {
        status = slim_auth_fail(check, SLIM_AUTH_CHECK_ENCODING);
    }
    if (status != SLIM_OK) {
        slim_auth_jwt_fini(&made);
        return status;
    }
    made.signature = slim_view_of(bytes->data + signature_at, bytes->len - signature_at);
    *jwt = made;
    return SLIM_OK;
}

void slim_auth_jwt_fini(struct slim_auth_jwt *jwt)
{
    slim_json_free(jwt->header);
    slim_json_free(jwt->payload);
    *jwt = (struct slim_auth_jwt){0};
}

/* ---- putting together */

enum slim_status slim_auth_jwt_put(const struct slim_auth_key *key, enum slim_auth_alg alg,
                                   struct slim_view payload, struct slim_buf *out)
{
    char header[64];
    int header_len = snprintf(header, sizeof(header), "{\"typ\":\"JWT\",\"alg\":\"%s\"}",
                              slim_auth_alg_text(alg));
    assert(header_len > 0 && (size_t)header_len < sizeof(header));
    size_t start = out->len;
    SLIM_TRY(slim_base64_put(SLIM_BASE64_URL, slim_view_of(header, (size_t)header_len), out));
    SLIM_TRY(slim_buf_put_byte(out, '.'));
    SLIM_TRY(slim_base64_put(SLIM_BASE64_URL, payload, out));
    struct slim_buf signature = {0};
    enum slim_status status =
        slim_auth_key_sign(key, alg, slim_view_of(out->data + start, out->len - start), &signature);
    if (status == SLIM_OK) {
        status = slim_buf_put_byte(out, '.');
    }
    if (status == SLIM_OK) {
        status = slim_base64_put(SLIM_BASE64_URL, slim_buf_view(&signature), out);
    }
    slim_buf_fini(&signature);
    return status;
}
