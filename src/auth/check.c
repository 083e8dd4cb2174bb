#include "auth/auth.h"

#include "base/hash.h"

static const struct {
    enum slim_status status;
    const char *text;
} checks[SLIM_AUTH_CHECK_COUNT] = {
    [SLIM_AUTH_CHECK_NONE] = {SLIM_OK, "the token is good"},
    [SLIM_AUTH_CHECK_SIZE] = {SLIM_ERR_LIMIT, "the token is empty or too long"},
    [SLIM_AUTH_CHECK_ENCODING] = {SLIM_ERR_MALFORMED, "the token cannot be decoded"},
    [SLIM_AUTH_CHECK_EXPIRED] = {SLIM_ERR_EXPIRED, "the token has expired"},
    [SLIM_AUTH_CHECK_NOT_YET] = {SLIM_ERR_INVALID, "the token is not valid yet"},
    [SLIM_AUTH_CHECK_EXPIRY] = {SLIM_ERR_INVALID, "the token does not say when it expires"},
    [SLIM_AUTH_CHECK_ISSUER] = {SLIM_ERR_DENIED, "the token is not from an expected issuer"},
    [SLIM_AUTH_CHECK_AUDIENCE] = {SLIM_ERR_DENIED, "the token is for another audience"},
    [SLIM_AUTH_CHECK_SUBJECT] = {SLIM_ERR_DENIED, "the token is for another subject"},
    [SLIM_AUTH_CHECK_ALGORITHM] = {SLIM_ERR_UNSUPPORTED,
                                   "the token's algorithm is not one that is accepted"},
    [SLIM_AUTH_CHECK_KEY] = {SLIM_ERR_NOT_FOUND, "no key fits the token"},
    [SLIM_AUTH_CHECK_SIGNATURE] = {SLIM_ERR_SIGNATURE, "the token's signature is wrong"},
    [SLIM_AUTH_CHECK_CLAIMS] = {SLIM_ERR_INVALID, "a claim of the token has the wrong type"},
    [SLIM_AUTH_CHECK_PUBKEY] = {SLIM_ERR_NOT_FOUND, "the token has no public key"},
};

enum slim_status slim_auth_check_status(enum slim_auth_check check)
{
    return checks[check].status;
}

const char *slim_auth_check_text(enum slim_auth_check check)
{
    return checks[check].text;
}

/* The part of *path before the next '/', which is dropped with it; false when there is no '/'. */
static bool take_part(struct slim_view *path, struct slim_view *part)
{
    const uint8_t *slash = path->len == 0 ? NULL : memchr(path->data, '/', path->len);
    if (slash == NULL) {
        return false;
    }
    *part = slim_view_of(path->data, (size_t)(slash - path->data));
    *path = slim_view_skip(*path, part->len + 1);
    return true;
}

bool slim_auth_identity_is_source(const struct slim_auth_identity *identity,
                                  const struct slim_name_key *source)
{
    if (identity->id.len == 0 || source->id != identity->app_id) {
        return false;
    }
    struct slim_view rest = identity->id;
    struct slim_view part[3];
    for (size_t i = 0; i < SLIM_COUNT(part); i++) {
        if (!take_part(&rest, &part[i]) || part[i].len == 0) {
            return true; /* the id is not a name: nothing to compare */
        }
    }
    for (size_t i = 0; i < SLIM_COUNT(part); i++) {
        if (slim_hash_component(part[i]) != source->prefix[i]) {
            return false;
        }
    }
    return true;
}
