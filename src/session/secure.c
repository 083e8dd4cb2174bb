/* The application's MLS client: one signature key for its life, and a credential that names it and is renewed in time (mls.md 3, 8.3). */
#include "base/secret.h"
#include "session/state.h"

enum { CREDENTIAL_MS = SLIM_SESSION_REFRESH_MS - 60 * 1000 }; /* new in every refresh */

static void forget_last(struct slim_session_last_credential *last)
{
    slim_buf_fini(&last->token);
    slim_buf_fini(&last->subject);
    slim_buf_fini(&last->public_key);
}

static void note_last(struct slim_session_last_credential *last, struct slim_view token,
                      const struct slim_mls_claims *claims)
{
    slim_buf_clear(&last->subject);
    slim_buf_clear(&last->public_key);
    slim_buf_clear(&last->token);
    if (slim_buf_put(&last->subject, claims->subject) != SLIM_OK ||
        slim_buf_put(&last->public_key, claims->public_key) != SLIM_OK ||
        slim_buf_put(&last->token, token) != SLIM_OK) {
        forget_last(last); /* without memory it is read once more */
    }
}

static enum slim_status read_credential(void *ctx, struct slim_view token, bool any_age,
                                        struct slim_mls_claims *claims, struct slim_error *error)
{
    struct slim_session_app *app = ctx;
    struct slim_session_last_credential *last = &app->last;
    uint64_t read_s = app->owner.now_s(app->owner.ctx);
    bool is_enough = any_age || (!last->is_any_age && last->read_s == read_s);
    if (last->token.len > 0 && is_enough &&
        slim_view_is_equal(token, slim_buf_view(&last->token))) {
        *claims = (struct slim_mls_claims){slim_buf_view(&last->subject),
                                           slim_buf_view(&last->public_key)};
        return SLIM_OK;
    }
    SLIM_TRY(app->owner.identity.read_credential(app->owner.ctx, token, any_age, claims, error));
    last->read_s = read_s;
    last->is_any_age = any_age;
    note_last(last, token, claims);
    return SLIM_OK;
}

static bool is_source(void *ctx, struct slim_view subject, const struct slim_name_key *name)
{
    struct slim_session_app *app = ctx;
    return app->owner.identity.is_source(app->owner.ctx, subject, name);
}

static uint64_t now_s(void *ctx)
{
    struct slim_session_app *app = ctx;
    return app->owner.now_s(app->owner.ctx);
}

static void fill(void *ctx, void *out, size_t len)
{
    struct slim_session_app *app = ctx;
    app->owner.random(app->owner.ctx, out, len);
}

static struct slim_mls_view as_view(const void *data, size_t len)
{
    return (struct slim_mls_view){data, len};
}

static enum slim_status make_client(struct slim_session_app *app, const uint8_t *public_key,
                                    struct slim_mls_client_config *config)
{
    struct slim_buf token = {0};
    enum slim_status status =
        app->owner.identity.make_credential(app->owner.ctx, public_key, &token);
    if (status == SLIM_OK) {
        config->credential = (struct slim_mls_credential_data){SLIM_MLS_CREDENTIAL_BASIC,
                                                               as_view(token.data, token.len)};
        status = (enum slim_status)slim_mls_client_new(config, &app->mls);
    }
    slim_buf_wipe(&token);
    return status;
}

static void forget_key(struct slim_session_app *app)
{
    slim_mls_buf_free(&app->private_key);
    slim_mls_buf_free(&app->public_key);
    app->private_key = (struct slim_mls_buf){0};
    app->public_key = (struct slim_mls_buf){0};
}

static enum slim_status new_client(struct slim_session_app *app)
{
    struct slim_mls_client_config config = {.cipher_suite = 1};
    app->profile = (struct slim_mls_profile){
        .context = app, .verify_token = read_credential, .now_s = now_s, .random = fill};
    slim_mls_profile_callbacks(&app->profile, &config.callbacks);
    slim_mls_profile_policy(&config.policy);
    if (app->options.has_plain_adds) {
        config.policy.add_path_target_max = 0;
    }
    /* a credential that must be fetched first is for this key: it is kept until then */
    if (app->private_key.data == NULL) {
        SLIM_TRY((enum slim_status)slim_mls_signature_key_new(
            config.cipher_suite, &config.callbacks, &app->private_key, &app->public_key));
    }
    config.signature_key = as_view(app->private_key.data, app->private_key.len);
    SLIM_TRY(make_client(app, app->public_key.data, &config));
    forget_key(app);
    return SLIM_OK;
}

static enum slim_status renew(struct slim_session_app *app)
{
    struct slim_buf token = {0};
    enum slim_status status = app->owner.identity.make_credential(
        app->owner.ctx, slim_mls_client_signature_key(app->mls).data, &token);
    if (status == SLIM_OK) {
        struct slim_mls_credential_data credential = {SLIM_MLS_CREDENTIAL_BASIC,
                                                      as_view(token.data, token.len)};
        status = (enum slim_status)slim_mls_client_set_credential(app->mls, &credential);
    }
    slim_buf_wipe(&token);
    return status;
}

static void note_renewed(struct slim_session_app *app)
{
    app->credential_ms = app->now_ms;
    app->credential_s = now_s(app);
}

/* By either clock: a machine that slept finds only the one on the wall changed, and its token expired. */
static bool is_old(struct slim_session_app *app)
{
    uint64_t wall_s = now_s(app);
    uint64_t age_s =
        wall_s > app->credential_s ? wall_s - app->credential_s : app->credential_s - wall_s;
    return app->now_ms - app->credential_ms >= CREDENTIAL_MS || age_s >= CREDENTIAL_MS / 1000;
}

enum slim_status slim_session_app_secure(struct slim_session_app *app)
{
    if (app->mls == NULL) {
        SLIM_TRY(new_client(app));
        note_renewed(app);
    } else if (is_old(app) && renew(app) == SLIM_OK) {
        note_renewed(app); /* else: the old one may be good for a while, and it is tried again */
    }
    return SLIM_OK;
}

void slim_session_app_secure_free(struct slim_session_app *app)
{
    slim_mls_client_free(app->mls);
    app->mls = NULL;
    forget_key(app);
    forget_last(&app->last);
}

enum slim_status slim_session_secure(struct slim_session *session)
{
    SLIM_TRY(slim_session_app_secure(session->app));
    if (session->crypt != NULL) {
        return SLIM_OK;
    }
    const struct slim_session_crypt_options options = {
        .client = session->app->mls,
        .ctx = session->app,
        .is_source = is_source,
        .read_credential = read_credential,
        .has_plain_adds = session->app->options.has_plain_adds,
    };
    return slim_session_crypt_new(&options, &session->crypt);
}
