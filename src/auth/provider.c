#include "auth/provider.h"

#include <stdlib.h>

#include "base/hash.h"

void slim_auth_provider_free(struct slim_auth_provider *provider)
{
    if (provider == NULL) {
        return;
    }
    provider->ops->fini(provider);
    slim_buf_wipe(&provider->header);
    slim_buf_fini(&provider->id);
    free(provider);
}

enum slim_status slim_auth_provider_set_id(struct slim_auth_provider *provider, struct slim_view id)
{
    if (slim_view_is_equal(slim_buf_view(&provider->id), id)) {
        return SLIM_OK;
    }
    struct slim_buf copy = {0};
    SLIM_TRY(slim_buf_put(&copy, id));
    slim_buf_fini(&provider->id);
    provider->id = copy;
    provider->app_id = slim_hash_app_id(id);
    return SLIM_OK;
}

struct slim_view slim_auth_provider_id(const struct slim_auth_provider *provider)
{
    return slim_buf_view(&provider->id);
}

uint64_t slim_auth_provider_app_id(const struct slim_auth_provider *provider)
{
    return provider->app_id;
}

enum slim_status slim_auth_provider_token(struct slim_auth_provider *provider, uint64_t now_s,
                                          struct slim_view *token)
{
    bool is_fresh = provider->header.len > 0 && now_s >= provider->reuse_from_s &&
                    now_s <= provider->reuse_until_s;
    if (!is_fresh) {
        slim_buf_clear(&provider->header);
        enum slim_status status =
            provider->ops->make(provider, now_s, NULL, &provider->header, &provider->reuse_until_s);
        if (status != SLIM_OK) {
            slim_buf_clear(&provider->header);
            return status;
        }
        provider->reuse_from_s = now_s;
    }
    *token = slim_buf_view(&provider->header);
    return SLIM_OK;
}

enum slim_status slim_auth_provider_make(struct slim_auth_provider *provider, uint64_t now_s,
                                         const uint8_t *pubkey, struct slim_buf *out)
{
    uint64_t reuse_until_s;
    size_t len_before = out->len;
    enum slim_status status = provider->ops->make(provider, now_s, pubkey, out, &reuse_until_s);
    if (status != SLIM_OK) {
        out->len = len_before;
    }
    return status;
}

enum slim_status slim_auth_provider_reload(struct slim_auth_provider *provider,
                                           struct slim_view text, uint64_t now_s,
                                           struct slim_error *error)
{
    if (provider->ops->reload == NULL) {
        return slim_error_set(error, SLIM_ERR_UNSUPPORTED,
                              "this identity does not come from a file");
    }
    SLIM_TRY(provider->ops->reload(provider, text, now_s, error));
    slim_buf_wipe(&provider->header);
    return SLIM_OK;
}
