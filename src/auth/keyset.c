#include "auth/keyset.h"

#include <stdlib.h>

#include "base/base64.h"

static const struct slim_json_limits text_limits = {.bytes_max = SLIM_AUTH_KEY_TEXT_BYTES_MAX,
                                                    .depth_max = SLIM_AUTH_KEY_DEPTH_MAX};

void slim_auth_keyset_fini(struct slim_auth_keyset *set)
{
    for (size_t i = 0; i < set->count; i++) {
        slim_auth_key_fini(&set->keys[i]);
    }
    free(set->keys);
    *set = (struct slim_auth_keyset){0};
}

/* Room for one more key. */
static enum slim_status reserve(struct slim_auth_keyset *set, struct slim_error *error)
{
    if (set->count < set->capacity) {
        return SLIM_OK;
    }
    if (set->count == SLIM_AUTH_KEYS_MAX) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "more than %d keys", (int)SLIM_AUTH_KEYS_MAX);
    }
    size_t capacity = set->capacity == 0 ? 4 : set->capacity * 2;
    struct slim_auth_key *keys = realloc(set->keys, capacity * sizeof(keys[0]));
    if (keys == NULL) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
    }
    set->keys = keys;
    set->capacity = capacity;
    return SLIM_OK;
}

/* Add one JWK of a set; one that is of no use is counted and skipped (RFC 7517, 5). */
static enum slim_status add_jwk(struct slim_auth_keyset *set, const struct slim_json *jwk,
                                struct slim_view domain, bool is_public_only,
                                struct slim_error *error)
{
    struct slim_auth_key key;
    SLIM_TRY(reserve(set, error));
    assert(set->keys != NULL && set->count < set->capacity);
    enum slim_status status = slim_auth_key_from_jwk(jwk, &key, error);
    if (status == SLIM_ERR_NO_MEMORY) {
        return status;
    }
    if (status != SLIM_OK) {
        set->skipped_count++;
        return SLIM_OK;
    }
    if (is_public_only && key.family == SLIM_AUTH_FAMILY_HMAC) {
        slim_auth_key_fini(&key);
        set->skipped_count++;
        return SLIM_OK;
    }
    if (slim_buf_put(&key.domain, domain) != SLIM_OK) {
        slim_auth_key_fini(&key);
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
    }
    set->keys[set->count++] = key;
    return SLIM_OK;
}

enum slim_status slim_auth_keyset_add_jwks(struct slim_auth_keyset *set, struct slim_view text,
                                           struct slim_view domain, bool is_public_only,
                                           struct slim_error *error)
{
    struct slim_json *json;
    enum slim_status status = slim_json_parse(text, &text_limits, &json, error);
    if (status != SLIM_OK) {
        return status == SLIM_ERR_NO_MEMORY ? status : SLIM_ERR_CONFIG;
    }
    const struct slim_json *keys = slim_json_find(json, "keys");
    if (keys == NULL || slim_json_kind(keys) != SLIM_JSON_ARRAY) {
        status = slim_error_set(error, SLIM_ERR_CONFIG, "a JWKS needs a list \"keys\"");
    }
    for (size_t i = 0; status == SLIM_OK && i < slim_json_count(keys); i++) {
        status = add_jwk(set, slim_json_at(keys, i), domain, is_public_only, error);
    }
    slim_json_free(json);
    return status;
}

static enum slim_status parse_jwk(struct slim_view text, struct slim_auth_keyset *set,
                                  struct slim_error *error)
{
    struct slim_json *json;
    enum slim_status status = slim_json_parse(text, &text_limits, &json, error);
    if (status != SLIM_OK) {
        return status == SLIM_ERR_NO_MEMORY ? status : SLIM_ERR_CONFIG;
    }
    status = reserve(set, error);
    if (status == SLIM_OK) {
        status = slim_auth_key_from_jwk(json, &set->keys[0], error);
    }
    if (status == SLIM_OK) {
        set->count = 1;
    }
    slim_json_free(json);
    return status == SLIM_ERR_UNSUPPORTED ? SLIM_ERR_CONFIG : status;
}

/* One trust domain of a bundle file. */
static enum slim_status add_domain(struct slim_auth_keyset *set,
                                   const struct slim_json_member *member, struct slim_error *error)
{
    struct slim_view encoded;
    struct slim_buf jwks = {0};
    if (!slim_json_read_text(member->value, &encoded)) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "trust bundle: each member must be the base64 of a JWKS");
    }
    enum slim_status status = slim_base64_put_decoded(SLIM_BASE64_STANDARD, encoded, &jwks);
    if (status == SLIM_ERR_NO_MEMORY) {
        (void)slim_error_set(error, status, "no memory"); /* returned below */
    } else if (status != SLIM_OK) {
        status =
            slim_error_set(error, SLIM_ERR_CONFIG, "trust bundle: a member is not standard base64");
    } else {
        status = slim_auth_keyset_add_jwks(set, slim_buf_view(&jwks), member->key, true, error);
    }
    slim_buf_fini(&jwks);
    return status;
}

static enum slim_status parse_bundle(struct slim_view text, struct slim_auth_keyset *set,
                                     struct slim_error *error)
{
    struct slim_json *json;
    enum slim_status status = slim_json_parse(text, &text_limits, &json, error);
    if (status != SLIM_OK) {
        return status == SLIM_ERR_NO_MEMORY ? status : SLIM_ERR_CONFIG;
    }
    if (slim_json_kind(json) != SLIM_JSON_OBJECT) {
        status = slim_error_set(error, SLIM_ERR_CONFIG,
                                "a trust bundle must be a JSON object of trust domains");
    }
    struct slim_json_member member = {0};
    while (status == SLIM_OK && slim_json_next(json, &member)) {
        status = add_domain(set, &member, error);
    }
    slim_json_free(json);
    return status;
}

static enum slim_status parse_pem(struct slim_view text, enum slim_auth_alg alg,
                                  struct slim_auth_keyset *set, struct slim_error *error)
{
    SLIM_TRY(reserve(set, error));
    SLIM_TRY(slim_auth_key_from_pem(text, alg, false, &set->keys[0], error));
    set->count = 1;
    return SLIM_OK;
}

enum slim_status slim_auth_keyset_parse(struct slim_view text, enum slim_auth_key_format format,
                                        enum slim_auth_alg alg, bool is_public_only,
                                        struct slim_auth_keyset *set, struct slim_error *error)
{
    struct slim_auth_keyset made = {0};
    enum slim_status status = SLIM_OK;
    switch (format) {
    case SLIM_AUTH_KEY_PEM:
        status = parse_pem(text, alg, &made, error);
        break;
    case SLIM_AUTH_KEY_JWK:
        status = parse_jwk(text, &made, error);
        break;
    case SLIM_AUTH_KEY_JWKS:
        status = slim_auth_keyset_add_jwks(&made, text, SLIM_VIEW(""), is_public_only, error);
        break;
    case SLIM_AUTH_KEY_BUNDLE:
        status = parse_bundle(text, &made, error);
        break;
    }
    if (status == SLIM_OK && made.count == 0) {
        status = slim_error_set(error, SLIM_ERR_CONFIG, "no usable key (%zu were skipped: %s)",
                                made.skipped_count, "unknown type, other use, too small or broken");
    }
    if (status != SLIM_OK) {
        slim_auth_keyset_fini(&made);
        return status;
    }
    *set = made;
    return SLIM_OK;
}

/* ---- comparing and copying */

static bool has_key(const struct slim_auth_keyset *set, const struct slim_auth_key *key)
{
    for (size_t i = 0; i < set->count; i++) {
        if (slim_auth_key_is_equal(&set->keys[i], key)) {
            return true;
        }
    }
    return false;
}

bool slim_auth_keyset_has_all(const struct slim_auth_keyset *set,
                              const struct slim_auth_keyset *part)
{
    for (size_t i = 0; i < part->count; i++) {
        if (!has_key(set, &part->keys[i])) {
            return false;
        }
    }
    return true;
}

enum slim_status slim_auth_keyset_copy_domain(struct slim_auth_keyset *set,
                                              const struct slim_auth_keyset *from,
                                              struct slim_view domain, struct slim_error *error)
{
    for (size_t i = 0; i < from->count; i++) {
        if (!slim_view_is_equal(slim_buf_view(&from->keys[i].domain), domain)) {
            continue;
        }
        SLIM_TRY(reserve(set, error));
        if (slim_auth_key_copy(&from->keys[i], &set->keys[set->count]) != SLIM_OK) {
            return slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
        }
        set->count++;
    }
    return SLIM_OK;
}

void slim_auth_keyset_cut(struct slim_auth_keyset *set, size_t count)
{
    while (set->count > count) {
        slim_auth_key_fini(&set->keys[--set->count]);
    }
}

/* ---- choosing */

static bool is_candidate(const struct slim_auth_key *key, const struct slim_auth_key_wanted *wanted)
{
    return wanted->domain.len == 0 ||
           slim_view_is_equal(slim_buf_view(&key->domain), wanted->domain);
}

static const struct slim_auth_key *find_by_kid(const struct slim_auth_keyset *set,
                                               const struct slim_auth_key_wanted *wanted,
                                               bool is_lenient, enum slim_auth_check *check)
{
    *check = SLIM_AUTH_CHECK_KEY;
    for (size_t i = 0; i < set->count; i++) {
        const struct slim_auth_key *key = &set->keys[i];
        bool is_meant = key->has_kid ? slim_view_is_equal(slim_buf_view(&key->kid), wanted->kid)
                                     : set->count == 1;
        if (!is_candidate(key, wanted) || !(is_meant || (is_lenient && set->count == 1))) {
            continue;
        }
        if (slim_auth_key_allows(key, wanted->alg)) {
            return key;
        }
        *check = SLIM_AUTH_CHECK_ALGORITHM;
    }
    return NULL;
}

static const struct slim_auth_key *find_by_alg(const struct slim_auth_keyset *set,
                                               const struct slim_auth_key_wanted *wanted,
                                               enum slim_auth_check *check)
{
    const struct slim_auth_key *fitting = NULL;
    size_t fitting_count = 0;
    size_t candidate_count = 0;
    for (size_t i = 0; i < set->count; i++) {
        const struct slim_auth_key *key = &set->keys[i];
        if (!is_candidate(key, wanted)) {
            continue;
        }
        candidate_count++;
        if (!slim_auth_key_allows(key, wanted->alg)) {
            continue;
        }
        if (key->alg == wanted->alg) {
            return key;
        }
        fitting = key;
        fitting_count++;
    }
    if (fitting_count == 1) {
        return fitting;
    }
    bool is_alg_at_fault = fitting_count == 0 && candidate_count > 0;
    *check = is_alg_at_fault ? SLIM_AUTH_CHECK_ALGORITHM : SLIM_AUTH_CHECK_KEY;
    return NULL;
}

const struct slim_auth_key *slim_auth_keyset_find(const struct slim_auth_keyset *set,
                                                  const struct slim_auth_key_wanted *wanted,
                                                  bool is_lenient, enum slim_auth_check *check)
{
    return wanted->has_kid ? find_by_kid(set, wanted, is_lenient, check)
                           : find_by_alg(set, wanted, check);
}
