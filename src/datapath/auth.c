#include "datapath/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/auth.h"
#include "base/clock.h"
#include "base/random.h"
#include "datapath/internal.h"
#include "io/fetch.h"
#include "io/watch.h"

#define SLIM_LOG_TARGET "slim_auth::link"

enum { TICK_MAX_MS = 60 * 1000 }; /* the wall clock may be set: look at it now and then */

/* node       in datapath->auths
 * file       of the key or the token; NULL: none. watch: on it
 * resolver   keys of an issuer; it has one, so at most one fetch is under way:
 * fetch      the one under way, with the id fetch_id; NULL when it could not be begun, which `failed` answers
 * spire      NULL: none */
struct slim_datapath_auth {
    struct slim_datapath *datapath;
    struct slim_list node;
    size_t ref_count;
    char *endpoint;
    bool is_server;
    bool is_identity; /* of an application: tokens speak for it, not for a link */
    void (*on_change)(void *ctx);
    void *ctx;
    struct slim_auth_link *link;

    char *file;
    struct slim_file_watch *watch;

    struct slim_auth_resolver *resolver;
    bool has_timer;
    struct slim_timer timer;
    struct slim_fetch *fetch;
    uint64_t fetch_id;
    struct slim_task failed;

    struct slim_spire *spire;
    struct slim_spire_user spire_user;
};

static uint64_t wall_s(void)
{
    return slim_clock_wall_us() / 1000000;
}

static void say_change(struct slim_datapath_auth *auth)
{
    if (auth->on_change != NULL) {
        auth->on_change(auth->ctx);
    }
}

/* What is wrong with a configuration, as the cause chain of the reference has it. */
static enum slim_status refine(enum slim_status status, struct slim_error *error)
{
    if (status == SLIM_ERR_NO_MEMORY) {
        return slim_error_set(error, status, "out of memory");
    }
    char text[sizeof(error->text)];
    memcpy(text, error->text, sizeof(text));
    return slim_error_set(error, SLIM_ERR_CONFIG, "auth config error\n%.170s", text);
}

/* ------------------------------------------------------------------------------------------------ fetched keys */

static void tick_resolver(struct slim_datapath_auth *auth)
{
    uint64_t now_s = wall_s();
    uint64_t next_s = slim_auth_resolver_tick(auth->resolver, now_s);
    uint64_t pause_ms = next_s > now_s ? (next_s - now_s) * 1000 : 0;
    struct slim_loop *loop = auth->datapath->loop;
    slim_timer_set(loop, &auth->timer,
                   slim_loop_now_ms(loop) + (pause_ms < TICK_MAX_MS ? pause_ms : TICK_MAX_MS));
}

static void on_timer(struct slim_timer *timer)
{
    tick_resolver(SLIM_CONTAINER_OF(timer, struct slim_datapath_auth, timer));
}

static void take_answer(struct slim_datapath_auth *auth, int http_status, struct slim_view body,
                        const char *problem)
{
    const struct slim_auth_answer answer = {
        .id = auth->fetch_id, .http_status = http_status, .body = body};
    struct slim_error error = {0};
    enum slim_status status = slim_auth_resolver_take(auth->resolver, &answer, wall_s(), &error);
    if (status == SLIM_OK) {
        slim_log(INFO, "keys of the issuer fetched", SLIM_LOG_STR("endpoint", auth->endpoint));
    } else if (status != SLIM_AGAIN) {
        slim_log(WARN, "keys of the issuer not fetched, trying again",
                 SLIM_LOG_STR("endpoint", auth->endpoint), SLIM_LOG_STR("error", error.text),
                 SLIM_LOG_STR("why", problem));
    }
    tick_resolver(auth);
}

static void on_fetched(void *ctx, int http_status, struct slim_view body, const char *problem)
{
    struct slim_datapath_auth *auth = ctx;
    auth->fetch = NULL; /* it frees itself */
    take_answer(auth, http_status, body, problem);
}

static void on_failed(struct slim_task *task)
{
    struct slim_datapath_auth *auth = SLIM_CONTAINER_OF(task, struct slim_datapath_auth, failed);
    take_answer(auth, 0, (struct slim_view){0}, "out of memory");
}

static void start_fetch(void *ctx, const struct slim_auth_fetch *wanted)
{
    struct slim_datapath_auth *auth = ctx;
    const struct slim_fetch_request request = {
        .url = wanted->url,
        .authorization = wanted->authorization,
        .body = wanted->body,
        .user_agent = SLIM_VIEW("AGNTCY Slim Auth"),
        .timeout_ms = SLIM_AUTH_FETCH_TIMEOUT_MS,
        .bytes_max = SLIM_AUTH_FETCH_BYTES_MAX,
    };
    assert(auth->fetch == NULL && !slim_list_is_linked(&auth->failed.node));
    auth->fetch_id = wanted->id;
    if (slim_fetch_new(auth->datapath->loop, &request, on_fetched, auth, &auth->fetch) != SLIM_OK) {
        slim_loop_at_turn_end(auth->datapath->loop, &auth->failed);
    }
}

static void cancel_fetch(void *ctx, uint64_t id)
{
    struct slim_datapath_auth *auth = ctx;
    assert(id == auth->fetch_id);
    slim_fetch_cancel(auth->fetch);
    auth->fetch = NULL;
    slim_task_cancel(&auth->failed);
}

/* ------------------------------------------------------------------------------------------------ files */

static void reload(struct slim_datapath_auth *auth)
{
    struct slim_buf text = {0};
    struct slim_error error = {0};
    enum slim_status status = slim_file_read(auth->file, &text, &error);
    if (status == SLIM_OK && auth->is_server) {
        status = slim_auth_verifier_reload(slim_auth_link_verifier(auth->link),
                                           slim_buf_view(&text), &error);
    } else if (status == SLIM_OK) {
        status = slim_auth_provider_reload(slim_auth_link_provider(auth->link),
                                           slim_buf_view(&text), wall_s(), &error);
    }
    slim_buf_wipe(&text);
    if (status != SLIM_OK) {
        slim_log(WARN, "file not taken over, the old content stays in force",
                 SLIM_LOG_STR("endpoint", auth->endpoint), SLIM_LOG_STR("file", auth->file),
                 SLIM_LOG_STR("error", error.text));
        return;
    }
    slim_log(INFO, "file taken over", SLIM_LOG_STR("endpoint", auth->endpoint),
             SLIM_LOG_STR("file", auth->file));
    say_change(auth);
}

static void on_file_change(void *ctx)
{
    reload(ctx);
}

void slim_datapath_auth_reload_all(struct slim_datapath *datapath)
{
    SLIM_LIST_EACH(node, &datapath->auths)
    {
        struct slim_datapath_auth *auth = SLIM_LIST_ENTRY(node, struct slim_datapath_auth, node);
        if (auth->file != NULL) {
            reload(auth);
        }
    }
}

/* Watch `path` and read it. */
static enum slim_status open_file(struct slim_datapath_auth *auth, const char *path,
                                  struct slim_buf *text, struct slim_error *error)
{
    const char *paths[] = {path};
    auth->file = strdup(path);
    if (auth->file == NULL || slim_file_watch_new(auth->datapath->loop, paths, 1, 0, on_file_change,
                                                  auth, &auth->watch) != SLIM_OK) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
    }
    struct slim_error why = {0};
    enum slim_status status = slim_file_read(path, text, &why);
    return status == SLIM_OK ? status : slim_error_set(error, status, "%s: %s", path, why.text);
}

/* ------------------------------------------------------------------------------------------------ JWT */

/* Views of the texts of a list; NULL when it is empty or memory is short. */
static struct slim_view *views_of(const struct slim_config_strings *strings)
{
    struct slim_view *views =
        strings->count == 0 ? NULL : calloc(strings->count, sizeof(struct slim_view));
    for (size_t i = 0; views != NULL && i < strings->count; i++) {
        views[i] = slim_view_str(strings->items[i]);
    }
    return views;
}

static enum slim_status parse_key(const struct slim_config_jwt_key *key, enum slim_auth_alg *alg,
                                  enum slim_auth_key_format *format, struct slim_error *error)
{
    static const struct {
        const char *name;
        enum slim_auth_key_format format;
    } formats[] = {{"pem", SLIM_AUTH_KEY_PEM},
                   {"jwk", SLIM_AUTH_KEY_JWK},
                   {"jwks", SLIM_AUTH_KEY_JWKS},
                   {"bundle", SLIM_AUTH_KEY_BUNDLE}};
    const char *name = key->format == NULL ? "" : key->format;
    if (slim_auth_alg_parse(slim_view_str(key->algorithm), alg) != SLIM_OK) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "unknown algorithm of the key");
    }
    for (size_t i = 0; i < SLIM_COUNT(formats); i++) {
        if (strcmp(name, formats[i].name) == 0) {
            *format = formats[i].format;
            return SLIM_OK;
        }
    }
    return slim_error_set(error, SLIM_ERR_CONFIG, "unknown format of the key");
}

/* The text of the key, from its file or from the configuration. */
static enum slim_status read_key(struct slim_datapath_auth *auth,
                                 const struct slim_config_jwt_key *key, struct slim_buf *text,
                                 struct slim_error *error)
{
    if (key->file != NULL) {
        return open_file(auth, key->file, text, error);
    }
    return slim_buf_put(text, slim_view_str(key->data)) == SLIM_OK
               ? SLIM_OK
               : slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
}

static enum slim_status make_resolver(struct slim_datapath_auth *auth,
                                      const struct slim_config_auth *config,
                                      struct slim_error *error)
{
    const struct slim_auth_fetcher fetcher = {start_fetch, cancel_fetch, auth};
    const struct slim_auth_issuer issuer = {.issuer = slim_view_str(config->issuer)};
    if (config->issuer == NULL) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "autoresolve needs claims.issuer: without it every issuer named in "
                              "a token would be trusted");
    }
    SLIM_TRY(slim_fetch_open(NULL, error));
    SLIM_TRY(slim_auth_resolver_new(&issuer, 1, &fetcher, &auth->resolver, error));
    if (slim_loop_reserve_timer(auth->datapath->loop) != SLIM_OK) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
    }
    auth->has_timer = true;
    return SLIM_OK;
}

/* A verifier by the rules of the configuration. */
static enum slim_status make_verifier(struct slim_datapath_auth *auth,
                                      const struct slim_config_auth *config, struct slim_view key,
                                      struct slim_auth_rules *rules,
                                      struct slim_auth_verifier **verifier,
                                      struct slim_error *error)
{
    const struct slim_view issuer = slim_view_str(config->issuer);
    struct slim_view *audiences = views_of(&config->audiences);
    if (audiences == NULL && config->audiences.count > 0) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
    }
    rules->issuers = &issuer;
    rules->issuer_count = config->issuer == NULL ? 0 : 1;
    rules->audiences = audiences;
    rules->audience_count = config->audiences.count;
    rules->subject = slim_view_str(config->subject);
    rules->key = key;
    rules->resolver = auth->resolver;
    enum slim_status status = slim_auth_verifier_new_jwt(rules, slim_random_fill, verifier, error);
    free(audiences);
    return status;
}

static enum slim_status make_jwt_server(struct slim_datapath_auth *auth,
                                        const struct slim_config_auth *config,
                                        struct slim_error *error)
{
    struct slim_auth_rules rules = {.alg = SLIM_AUTH_ALG_NONE};
    struct slim_auth_verifier *verifier = NULL;
    struct slim_buf key = {0};
    enum slim_status status = SLIM_OK;
    switch (config->jwt_key.kind) {
    case SLIM_CONFIG_JWT_KEY_ENCODING:
        return slim_error_set(
            error, SLIM_ERR_CONFIG,
            "internal auth error\nmissing decoding key or autoresolve is disabled");
    case SLIM_CONFIG_JWT_KEY_DECODING:
        SLIM_TRY(parse_key(&config->jwt_key, &rules.alg, &rules.format, error));
        status = read_key(auth, &config->jwt_key, &key, error);
        break;
    case SLIM_CONFIG_JWT_KEY_AUTORESOLVE:
        status = make_resolver(auth, config, error);
        break;
    }
    if (status == SLIM_OK) {
        status = make_verifier(auth, config, slim_buf_view(&key), &rules, &verifier, error);
    }
    slim_buf_wipe(&key);
    SLIM_TRY(status);
    return slim_auth_link_new_server(verifier, &auth->link);
}

static enum slim_status make_jwt_client(struct slim_datapath_auth *auth,
                                        const struct slim_config_auth *config,
                                        struct slim_error *error)
{
    if (config->jwt_key.kind != SLIM_CONFIG_JWT_KEY_ENCODING) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "internal auth error\nno private key available for signing");
    }
    struct slim_auth_jwt_options options = {
        .issuer = slim_view_str(config->issuer),
        .subject = slim_view_str(config->subject),
        .audience_count = config->audiences.count,
        .custom_claims = slim_view_str(config->custom_claims),
        .duration_s = config->duration_ms / 1000,
        .is_for_link = !auth->is_identity,
    };
    SLIM_TRY(parse_key(&config->jwt_key, &options.alg, &options.format, error));
    struct slim_auth_provider *provider = NULL;
    struct slim_buf key = {0};
    struct slim_view *audiences = views_of(&config->audiences);
    options.audiences = audiences;
    enum slim_status status = SLIM_ERR_NO_MEMORY;
    if (audiences != NULL || config->audiences.count == 0) {
        status = read_key(auth, &config->jwt_key, &key, error);
    }
    if (status == SLIM_OK) {
        options.key = slim_buf_view(&key);
        status = slim_auth_provider_new_jwt(&options, &provider, error);
    }
    free(audiences);
    slim_buf_wipe(&key);
    SLIM_TRY(status);
    return slim_auth_link_new_client(provider, &auth->link);
}

static enum slim_status make_static(struct slim_datapath_auth *auth,
                                    const struct slim_config_auth *config, struct slim_error *error)
{
    struct slim_auth_provider *provider = NULL;
    struct slim_buf text = {0};
    if (config->file == NULL) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "static_jwt needs a file");
    }
    enum slim_status status = open_file(auth, config->file, &text, error);
    if (status == SLIM_OK) {
        status = slim_auth_provider_new_static(slim_buf_view(&text), wall_s(), !auth->is_identity,
                                               &provider, error);
    }
    slim_buf_wipe(&text);
    SLIM_TRY(status);
    return slim_auth_link_new_client(provider, &auth->link);
}

/* ------------------------------------------------------------------------------------------------ SPIFFE */

static void on_spire_change(void *ctx, enum slim_auth_workload_call call)
{
    if (call == SLIM_AUTH_WORKLOAD_JWT) {
        say_change(ctx);
    }
}

static enum slim_status make_spire(struct slim_datapath_auth *auth,
                                   const struct slim_config_auth *config, struct slim_error *error)
{
    auth->spire_user = (struct slim_spire_user){.on_change = on_spire_change, .ctx = auth};
    SLIM_TRY(slim_spire_ref(&auth->datapath->spires, &config->spire, SLIM_SPIRE_JWT,
                            &auth->spire_user, &auth->spire, error));
    struct slim_auth_workload *workload = slim_spire_workload(auth->spire);
    if (auth->is_server) {
        struct slim_auth_verifier *verifier;
        SLIM_TRY(slim_auth_verifier_new_spiffe(workload, slim_random_fill, &verifier));
        return slim_auth_link_new_server(verifier, &auth->link);
    }
    struct slim_auth_provider *provider;
    SLIM_TRY(slim_auth_provider_new_spiffe(workload, &provider));
    return slim_auth_link_new_client(provider, &auth->link);
}

/* ------------------------------------------------------------------------------------------------ life */

static enum slim_status make(struct slim_datapath_auth *auth, const struct slim_config_auth *config,
                             struct slim_error *error)
{
    switch (config->kind) {
    case SLIM_CONFIG_AUTH_BASIC:
        return slim_auth_link_new_basic(slim_view_str(config->username),
                                        slim_view_str(config->password), &auth->link, error);
    case SLIM_CONFIG_AUTH_JWT:
        return auth->is_server ? make_jwt_server(auth, config, error)
                               : make_jwt_client(auth, config, error);
    case SLIM_CONFIG_AUTH_STATIC_JWT:
        if (auth->is_server) {
            return slim_error_set(error, SLIM_ERR_CONFIG, "static_jwt is for clients only");
        }
        return make_static(auth, config, error);
    case SLIM_CONFIG_AUTH_SPIRE:
        return make_spire(auth, config, error);
    case SLIM_CONFIG_AUTH_NONE:
    case SLIM_CONFIG_AUTH_SHARED_SECRET:
        break;
    }
    return slim_error_set(error, SLIM_ERR_CONFIG, "shared_secret is not for servers and clients");
}

static void auth_free(struct slim_datapath_auth *auth)
{
    struct slim_loop *loop = auth->datapath->loop;
    slim_list_remove(&auth->node);
    slim_file_watch_free(auth->watch);
    slim_auth_link_free(auth->link); /* before what its verifier borrows */
    slim_auth_resolver_free(auth->resolver);
    slim_spire_unref(auth->spire, &auth->spire_user);
    slim_task_cancel(&auth->failed);
    slim_timer_cancel(loop, &auth->timer);
    if (auth->has_timer) {
        slim_loop_release_timer(loop);
    }
    free(auth->endpoint);
    free(auth->file);
    free(auth);
}

static enum slim_status auth_new(struct slim_datapath *datapath, bool is_server, bool is_identity,
                                 const struct slim_config_auth *config, const char *endpoint,
                                 struct slim_datapath_auth **auth, struct slim_error *error)
{
    if (config->kind == SLIM_CONFIG_AUTH_NONE) {
        *auth = NULL;
        return SLIM_OK;
    }
    struct slim_datapath_auth *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
    }
    made->datapath = datapath;
    made->is_server = is_server;
    made->is_identity = is_identity;
    made->ref_count = 1;
    slim_list_init(&made->node);
    slim_timer_init(&made->timer, on_timer);
    slim_task_init(&made->failed, on_failed);
    made->endpoint = strdup(endpoint);
    enum slim_status status =
        made->endpoint == NULL ? SLIM_ERR_NO_MEMORY : make(made, config, error);
    if (status != SLIM_OK) {
        auth_free(made);
        return refine(status, error);
    }
    slim_list_put_last(&datapath->auths, &made->node);
    if (made->resolver != NULL) {
        slim_timer_set(datapath->loop, &made->timer, slim_loop_now_ms(datapath->loop));
    }
    *auth = made;
    return SLIM_OK;
}

enum slim_status slim_datapath_auth_new_server(struct slim_datapath *datapath,
                                               const struct slim_config_auth *config,
                                               const char *endpoint,
                                               struct slim_datapath_auth **auth,
                                               struct slim_error *error)
{
    return auth_new(datapath, true, false, config, endpoint, auth, error);
}

enum slim_status slim_datapath_auth_new_client(struct slim_datapath *datapath,
                                               const struct slim_config_auth *config,
                                               const char *endpoint, void (*on_change)(void *ctx),
                                               void *ctx, struct slim_datapath_auth **auth,
                                               struct slim_error *error)
{
    SLIM_TRY(auth_new(datapath, false, false, config, endpoint, auth, error));
    if (*auth != NULL) {
        (*auth)->on_change = on_change;
        (*auth)->ctx = ctx;
    }
    return SLIM_OK;
}

enum slim_status slim_datapath_auth_new_provider(struct slim_datapath *datapath,
                                                 const struct slim_config_auth *config,
                                                 const char *name, void (*on_change)(void *ctx),
                                                 void *ctx, struct slim_datapath_auth **auth,
                                                 struct slim_error *error)
{
    SLIM_TRY(auth_new(datapath, false, true, config, name, auth, error));
    if (*auth != NULL) {
        (*auth)->on_change = on_change;
        (*auth)->ctx = ctx;
    }
    return SLIM_OK;
}

struct slim_auth_provider *slim_datapath_auth_provider(struct slim_datapath_auth *auth)
{
    return slim_auth_link_provider(auth->link);
}

struct slim_auth_verifier *slim_datapath_auth_verifier(struct slim_datapath_auth *auth)
{
    return slim_auth_link_verifier(auth->link);
}

void slim_datapath_auth_fetch(struct slim_datapath_auth *auth)
{
    if (auth->spire != NULL) {
        slim_spire_wake(auth->spire);
    }
}

struct slim_datapath_auth *slim_datapath_auth_ref(struct slim_datapath_auth *auth)
{
    if (auth != NULL) {
        auth->ref_count++;
    }
    return auth;
}

void slim_datapath_auth_unref(struct slim_datapath_auth *auth)
{
    if (auth != NULL && --auth->ref_count == 0) {
        auth_free(auth);
    }
}

/* ------------------------------------------------------------------------------------------------ use */

enum slim_status slim_datapath_auth_header(struct slim_datapath_auth *auth, struct slim_view *value,
                                           const char **why)
{
    enum slim_status status = slim_auth_link_header(auth->link, wall_s(), value);
    if (status == SLIM_AGAIN) {
        *why = "the SPIFFE agent has not given a token yet";
    } else if (status == SLIM_ERR_EXPIRED) {
        *why = "the token to authenticate with has expired";
    } else if (status != SLIM_OK) {
        *why = slim_status_text(status);
    }
    return status;
}

const char *slim_datapath_auth_scheme(const struct slim_datapath_auth *auth)
{
    return slim_auth_link_scheme(auth->link);
}

static enum slim_datapath_refusal refusal_of(enum slim_auth_check check)
{
    switch (check) {
    case SLIM_AUTH_CHECK_SIZE:
    case SLIM_AUTH_CHECK_ENCODING:
    case SLIM_AUTH_CHECK_ALGORITHM:
    case SLIM_AUTH_CHECK_CLAIMS:
    case SLIM_AUTH_CHECK_EXPIRY:
    case SLIM_AUTH_CHECK_PUBKEY:
        return SLIM_DATAPATH_REFUSED_TOKEN;
    case SLIM_AUTH_CHECK_EXPIRED:
    case SLIM_AUTH_CHECK_NOT_YET:
        return SLIM_DATAPATH_REFUSED_TIME;
    case SLIM_AUTH_CHECK_ISSUER:
        return SLIM_DATAPATH_REFUSED_ISSUER;
    case SLIM_AUTH_CHECK_AUDIENCE:
        return SLIM_DATAPATH_REFUSED_AUDIENCE;
    case SLIM_AUTH_CHECK_SUBJECT:
        return SLIM_DATAPATH_REFUSED_SUBJECT;
    case SLIM_AUTH_CHECK_KEY:
        return SLIM_DATAPATH_REFUSED_KEY;
    case SLIM_AUTH_CHECK_SIGNATURE:
        return SLIM_DATAPATH_REFUSED_SIGNATURE;
    case SLIM_AUTH_CHECK_NONE:
    case SLIM_AUTH_CHECK_COUNT:
        break;
    }
    return SLIM_DATAPATH_REFUSED_UNDECIDED;
}

static bool is_basic(const struct slim_datapath_auth *auth)
{
    return slim_auth_link_verifier(auth->link) == NULL;
}

enum slim_datapath_refusal slim_datapath_auth_admit(struct slim_datapath_auth *auth,
                                                    struct slim_view value, const char **why)
{
    enum slim_auth_check check = SLIM_AUTH_CHECK_NONE;
    enum slim_status status = slim_auth_link_check(auth->link, value, wall_s(), &check);
    if (status == SLIM_OK) {
        return SLIM_DATAPATH_ADMITTED;
    }
    if (status == SLIM_AGAIN) {
        if (auth->resolver != NULL) {
            tick_resolver(auth); /* a fetch was begun, or has to be begun again later */
        }
        *why = "the keys to verify the token with are being fetched";
        return SLIM_DATAPATH_REFUSED_FETCHING;
    }
    if (status == SLIM_ERR_AUTH) {
        bool is_missing = !is_basic(auth) || value.len == 0;
        *why = value.len == 0    ? "no authorization header"
               : !is_basic(auth) ? "the authorization header has no Bearer token"
                                 : "wrong user name or password";
        return is_missing ? SLIM_DATAPATH_REFUSED_MISSING : SLIM_DATAPATH_REFUSED_PASSWORD;
    }
    enum slim_datapath_refusal refusal = refusal_of(check);
    *why = refusal == SLIM_DATAPATH_REFUSED_UNDECIDED ? slim_status_text(status)
                                                      : slim_auth_check_text(check);
    return refusal;
}

const char *slim_datapath_refusal_text(enum slim_datapath_refusal refusal)
{
    static const char *const texts[SLIM_DATAPATH_REFUSAL_COUNT] = {
        [SLIM_DATAPATH_ADMITTED] = "admitted",
        [SLIM_DATAPATH_REFUSED_MISSING] = "missing",
        [SLIM_DATAPATH_REFUSED_PASSWORD] = "password",
        [SLIM_DATAPATH_REFUSED_TOKEN] = "token",
        [SLIM_DATAPATH_REFUSED_TIME] = "time",
        [SLIM_DATAPATH_REFUSED_ISSUER] = "issuer",
        [SLIM_DATAPATH_REFUSED_AUDIENCE] = "audience",
        [SLIM_DATAPATH_REFUSED_SUBJECT] = "subject",
        [SLIM_DATAPATH_REFUSED_KEY] = "key",
        [SLIM_DATAPATH_REFUSED_SIGNATURE] = "signature",
        [SLIM_DATAPATH_REFUSED_FETCHING] = "fetching",
        [SLIM_DATAPATH_REFUSED_UNDECIDED] = "undecided",
    };
    assert(refusal < SLIM_DATAPATH_REFUSAL_COUNT);
    return texts[refusal];
}
