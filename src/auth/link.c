#include "auth/auth.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/secret.h"
#include "base/sha2.h"

/* basic      the whole header value, "Basic ..."; its hash is compared, so that the time taken tells nothing, not even a length
 * provider   connecting side with tokens;  verifier: accepting side with tokens
 * value      the last header made */
struct slim_auth_link {
    struct slim_buf basic;
    uint8_t basic_hash[32];
    struct slim_auth_provider *provider;
    struct slim_auth_verifier *verifier;
    struct slim_buf value;
};

static const struct slim_view bearer = {(const uint8_t *)"Bearer ", 7};

static enum slim_status put_basic(struct slim_auth_link *link, struct slim_view username,
                                  struct slim_view password)
{
    struct slim_buf pair = {0};
    enum slim_status status = slim_buf_put(&pair, username);
    if (status == SLIM_OK) {
        status = slim_buf_put_byte(&pair, ':');
    }
    if (status == SLIM_OK) {
        status = slim_buf_put(&pair, password);
    }
    if (status == SLIM_OK) {
        status = slim_buf_put(&link->basic, SLIM_VIEW("Basic "));
    }
    if (status == SLIM_OK) {
        status = slim_base64_put(SLIM_BASE64_STANDARD, slim_buf_view(&pair), &link->basic);
    }
    slim_buf_wipe(&pair);
    slim_sha2_of(SLIM_SHA2_256, slim_buf_view(&link->basic), link->basic_hash);
    return status;
}

enum slim_status slim_auth_link_new_basic(struct slim_view username, struct slim_view password,
                                          struct slim_auth_link **link, struct slim_error *error)
{
    if (username.len == 0) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "username cannot be empty");
    }
    if (password.len == 0) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "password cannot be empty");
    }
    if (memchr(username.data, ':', username.len) != NULL) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "username cannot contain ':' (it ends the user name in the header)");
    }
    if (username.len > SLIM_AUTH_ID_BYTES_MAX || password.len > SLIM_AUTH_ID_BYTES_MAX) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "username and password may have at most %d bytes each",
                              (int)SLIM_AUTH_ID_BYTES_MAX);
    }
    struct slim_auth_link *made = calloc(1, sizeof(*made));
    if (made == NULL || put_basic(made, username, password) != SLIM_OK) {
        slim_auth_link_free(made);
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
    }
    *link = made;
    return SLIM_OK;
}

enum slim_status slim_auth_link_new_client(struct slim_auth_provider *provider,
                                           struct slim_auth_link **link)
{
    struct slim_auth_link *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        slim_auth_provider_free(provider);
        return SLIM_ERR_NO_MEMORY;
    }
    made->provider = provider;
    *link = made;
    return SLIM_OK;
}

enum slim_status slim_auth_link_new_server(struct slim_auth_verifier *verifier,
                                           struct slim_auth_link **link)
{
    struct slim_auth_link *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        slim_auth_verifier_free(verifier);
        return SLIM_ERR_NO_MEMORY;
    }
    made->verifier = verifier;
    *link = made;
    return SLIM_OK;
}

void slim_auth_link_free(struct slim_auth_link *link)
{
    if (link == NULL) {
        return;
    }
    slim_auth_provider_free(link->provider);
    slim_auth_verifier_free(link->verifier);
    slim_buf_wipe(&link->basic);
    slim_secret_wipe(link->basic_hash, sizeof(link->basic_hash));
    slim_buf_wipe(&link->value);
    free(link);
}

struct slim_auth_provider *slim_auth_link_provider(struct slim_auth_link *link)
{
    return link->provider;
}

struct slim_auth_verifier *slim_auth_link_verifier(struct slim_auth_link *link)
{
    return link->verifier;
}

enum slim_status slim_auth_link_header(struct slim_auth_link *link, uint64_t now_s,
                                       struct slim_view *value)
{
    assert(link->verifier == NULL);
    if (link->provider == NULL) {
        *value = slim_buf_view(&link->basic);
        return SLIM_OK;
    }
    slim_buf_clear(&link->value);
    SLIM_TRY(slim_buf_put(&link->value, bearer));
    SLIM_TRY(slim_auth_provider_make(link->provider, now_s, NULL, &link->value));
    *value = slim_buf_view(&link->value);
    return SLIM_OK;
}

enum slim_status slim_auth_link_check(struct slim_auth_link *link, struct slim_view value,
                                      uint64_t now_s, enum slim_auth_check *check)
{
    assert(link->provider == NULL);
    if (link->verifier == NULL) {
        uint8_t hash[sizeof(link->basic_hash)];
        slim_sha2_of(SLIM_SHA2_256, value, hash);
        return slim_secret_is_equal(hash, link->basic_hash, sizeof(hash)) ? SLIM_OK : SLIM_ERR_AUTH;
    }
    if (!slim_view_has_prefix(value, bearer)) {
        return SLIM_ERR_AUTH;
    }
    struct slim_auth_identity identity;
    return slim_auth_verify(link->verifier, slim_view_skip(value, bearer.len), now_s, check,
                            &identity);
}

const char *slim_auth_link_scheme(const struct slim_auth_link *link)
{
    return link->provider == NULL && link->verifier == NULL ? "Basic" : "Bearer";
}
