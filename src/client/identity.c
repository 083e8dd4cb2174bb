/* The identity of an application, from texts of the configuration. */
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "client/describe.h"
#include "client/internal.h"

/* The reference's sentences, which programs look for. */
static enum slim_status secret_error(struct slim_error *error, const struct slim_error *inner,
                                     struct slim_view secret)
{
    enum { SECRET_BYTES_MIN = 32 };
    if (secret.len < SECRET_BYTES_MIN) {
        return slim_error_set(error, SLIM_ERR_AUTH, "hmac key is too short");
    }
    return slim_error_set(error,
                          inner->status == SLIM_ERR_NO_MEMORY ? SLIM_ERR_NO_MEMORY : SLIM_ERR_AUTH,
                          "%s", inner->text);
}

static enum slim_status init_secret(struct slim_client_identity *identity, struct slim_view id,
                                    struct slim_view secret, struct slim_error *error)
{
    struct slim_error inner = {.status = SLIM_OK};
    if (slim_auth_provider_new_secret(id, secret, slim_random_fill, &identity->provider, &inner) !=
            SLIM_OK ||
        slim_auth_verifier_new_secret(secret, slim_random_fill, &identity->verifier, &inner) !=
            SLIM_OK) {
        return secret_error(error, &inner, secret);
    }
    return SLIM_OK;
}

enum slim_status slim_client_identity_init_secret(struct slim_client_identity *identity,
                                                  const struct slim_name *name,
                                                  struct slim_view secret, struct slim_error *error)
{
    struct slim_buf id = {0};
    enum slim_status status = slim_buf_put_text(
        &id, "%.*s/%.*s/%.*s/%llx", SLIM_VIEW_ARG(name->part[0]), SLIM_VIEW_ARG(name->part[1]),
        SLIM_VIEW_ARG(name->part[2]), (unsigned long long)name->id);
    status = status == SLIM_OK ? init_secret(identity, slim_buf_view(&id), secret, error)
                               : slim_error_set(error, status, "out of memory");
    slim_buf_fini(&id);
    return status;
}

void slim_client_identity_fini(struct slim_client_identity *identity)
{
    slim_auth_provider_free(identity->provider);
    slim_auth_verifier_free(identity->verifier);
    *identity = (struct slim_client_identity){0};
}

enum slim_status slim_client_identity_init(struct slim_client_identity *identity,
                                           const char *provider, const char *verifier,
                                           struct slim_error *error)
{
    struct slim_config *config = NULL;
    SLIM_TRY(slim_client_read_identity(provider, verifier, &config, error));
    const struct slim_config_auth *auth = &config->services[0].controller.token_provider;
    enum slim_status status =
        auth->kind == SLIM_CONFIG_AUTH_SHARED_SECRET
            ? init_secret(identity, slim_view_str(auth->id), slim_view_str(auth->data), error)
            : slim_error_set(error, SLIM_ERR_CONFIG,
                             "Cannot create AuthProvider from None variant");
    slim_config_free(config);
    return status;
}
