/* The identity of an application, from texts of the configuration. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/random.h"
#include "client/describe.h"
#include "client/internal.h"
#include "datapath/auth.h"

#define SLIM_LOG_TARGET "slim_auth::shared_secret"

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

/* Whoever has seen one token can try secrets without asking anybody (auth.md 8 no. 10). Told once in a process, whatever else it is used for. */
static void warn_of_weak_secret(struct slim_view secret)
{
    static atomic_bool is_told;
    if (slim_auth_secret_is_weak(secret) && !atomic_exchange(&is_told, true)) {
        slim_log(WARN, "the shared secret can be guessed from a captured message: use 32 or more "
                       "random bytes");
    }
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
    warn_of_weak_secret(secret);
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
    if (identity->made_provider == NULL) {
        slim_auth_provider_free(identity->provider);
    }
    if (identity->made_verifier == NULL) {
        slim_auth_verifier_free(identity->verifier);
    }
    slim_datapath_auth_unref(identity->made_provider);
    slim_datapath_auth_unref(identity->made_verifier);
    *identity = (struct slim_client_identity){0};
}

void slim_client_identity_fetch(struct slim_client_identity *identity)
{
    if (identity->made_provider != NULL) {
        slim_datapath_auth_fetch(identity->made_provider);
    }
}

/* What is wrong without the chain of links, which identities have nothing to do with, and with the file that it is about. */
static enum slim_status name_file(enum slim_status status, const struct slim_config_auth *config,
                                  struct slim_error *error)
{
    static const char chain[] = "auth config error\n";
    const char *file = config->file != NULL ? config->file : config->jwt_key.file;
    char text[sizeof(error->text)];
    memcpy(text, error->text, sizeof(text));
    const char *what =
        strncmp(text, chain, sizeof(chain) - 1) == 0 ? text + sizeof(chain) - 1 : text;
    if (status != SLIM_ERR_CONFIG) {
        return status;
    }
    bool is_named = file == NULL || strncmp(what, file, strlen(file)) == 0;
    return slim_error_set(error, status, "%s%s%s", is_named ? "" : file, is_named ? "" : ": ",
                          what);
}

static bool is_none(const struct slim_config_auth *config)
{
    return config->kind == SLIM_CONFIG_AUTH_NONE;
}

static enum slim_status make_provider(struct slim_client_identity *identity,
                                      const struct slim_client_identity_options *options,
                                      const struct slim_config_auth *config,
                                      struct slim_error *error)
{
    struct slim_error inner = {.status = SLIM_OK};
    if (config->kind == SLIM_CONFIG_AUTH_SHARED_SECRET) {
        struct slim_view secret = slim_view_str(config->data);
        if (slim_auth_provider_new_secret(slim_view_str(config->id), secret, slim_random_fill,
                                          &identity->provider, &inner) != SLIM_OK) {
            return secret_error(error, &inner, secret);
        }
        warn_of_weak_secret(secret);
        return SLIM_OK;
    }
    if (is_none(config)) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "Cannot create AuthProvider from None variant");
    }
    enum slim_status status = slim_datapath_auth_new_provider(
        options->datapath, config, options->name, options->on_change, options->ctx,
        &identity->made_provider, error);
    if (status != SLIM_OK) {
        return name_file(status, config, error);
    }
    identity->provider = slim_datapath_auth_provider(identity->made_provider);
    return SLIM_OK;
}

static enum slim_status make_verifier(struct slim_client_identity *identity,
                                      const struct slim_client_identity_options *options,
                                      const struct slim_config_auth *config,
                                      struct slim_error *error)
{
    struct slim_error inner = {.status = SLIM_OK};
    if (config->kind == SLIM_CONFIG_AUTH_SHARED_SECRET) {
        return slim_auth_verifier_new_secret(slim_view_str(config->data), slim_random_fill,
                                             &identity->verifier, &inner) == SLIM_OK
                   ? SLIM_OK
                   : secret_error(error, &inner, slim_view_str(config->data));
    }
    if (is_none(config)) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "Cannot create AuthVerifier from None variant");
    }
    enum slim_status status = slim_datapath_auth_new_server(
        options->datapath, config, options->name, &identity->made_verifier, error);
    if (status != SLIM_OK) {
        return name_file(status, config, error);
    }
    identity->verifier = slim_datapath_auth_verifier(identity->made_verifier);
    return SLIM_OK;
}

enum slim_status slim_client_identity_init(struct slim_client_identity *identity,
                                           const struct slim_client_identity_options *options,
                                           struct slim_error *error)
{
    struct slim_config *config = NULL;
    SLIM_TRY(slim_client_read_identity(options->provider, options->verifier, &config, error));
    const struct slim_config_controller *texts = &config->services[0].controller;
    enum slim_status status = make_provider(identity, options, &texts->token_provider, error);
    if (status == SLIM_OK) {
        status = make_verifier(identity, options, &texts->token_verifier, error);
    }
    slim_config_free(config);
    return status;
}
