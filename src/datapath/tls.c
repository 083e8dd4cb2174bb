/* Configuration to TLS contexts, and their renewal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "datapath/tls_internal.h"

#define SLIM_LOG_TARGET "slim_config::tls"

/* ------------------------------------------------------------------------------------------------ material to context */

static enum slim_status apply(struct slim_datapath_tls *tls,
                              const struct slim_datapath_tls_material *material,
                              struct slim_error *error)
{
    if (tls->context != NULL) {
        return slim_tls_context_update(tls->context, &material->views, error);
    }
    return tls->is_server
               ? slim_tls_context_new_server(&tls->options, &material->views, &tls->context, error)
               : slim_tls_context_new_client(&tls->options, &material->views, &tls->context, error);
}

static enum slim_status load(struct slim_datapath_tls *tls, const char **culprit,
                             struct slim_error *error)
{
    struct slim_datapath_tls_material material;
    enum slim_status status = slim_datapath_tls_material_read(tls, &material, culprit, error);
    if (status == SLIM_OK) {
        status = apply(tls, &material, error);
    }
    slim_datapath_tls_material_fini(&material);
    return status;
}

/* The paths this TLS depends on; NULL where there is none. */
static void list_files(const struct slim_datapath_tls *tls,
                       const char *paths[static SLIM_DATAPATH_TLS_FILES_MAX])
{
    bool has_own = tls->own.kind == SLIM_CONFIG_SOURCE_FILE;
    paths[0] = has_own ? tls->own.first : NULL;
    paths[1] = has_own ? tls->own.second : NULL;
    paths[2] = tls->roots.kind == SLIM_CONFIG_SOURCE_FILE ? tls->roots.first : NULL;
}

static bool has_files(const struct slim_datapath_tls *tls)
{
    return tls->own.kind == SLIM_CONFIG_SOURCE_FILE || tls->roots.kind == SLIM_CONFIG_SOURCE_FILE;
}

/* What a log line names: the file that cannot be read, or all of them. */
static void put_files(const struct slim_datapath_tls *tls, const char *culprit, char *out,
                      size_t size)
{
    const char *paths[SLIM_DATAPATH_TLS_FILES_MAX];
    list_files(tls, paths);
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < SLIM_COUNT(paths); i++) {
        if (paths[i] != NULL && (culprit == NULL || culprit == paths[i]) && len < size) {
            int put = snprintf(out + len, size - len, "%s%s", len == 0 ? "" : ", ", paths[i]);
            len += put < 0 ? 0 : (size_t)put; /* may be cut */
        }
    }
}

/* Causes come one per line; a log line has one. */
static void join_lines(char *text)
{
    for (char *at = text; *at != '\0'; at++) {
        if (*at == '\n') {
            *at = ':';
        }
    }
}

/* Take over what is new, or tell why not and go on with the old. */
static void renew(struct slim_datapath_tls *tls)
{
    const char *culprit = NULL;
    struct slim_error error;
    bool is_first = tls->context == NULL;
    enum slim_status status = load(tls, &culprit, &error);
    if (status == SLIM_AGAIN) {
        return; /* the agent has more to say */
    }
    char files[SLIM_ERROR_TEXT_MAX];
    put_files(tls, culprit, files, sizeof(files));
    if (status == SLIM_OK) {
        tls->datapath->stats.tls_reloaded_count++;
        slim_log(INFO, is_first ? "TLS certificate received" : "TLS certificates reloaded",
                 SLIM_LOG_STR("endpoint", tls->endpoint),
                 SLIM_LOG_STR("files", files[0] == '\0' ? "none" : files));
        return;
    }
    join_lines(error.text);
    tls->datapath->stats.tls_reload_failed_count++;
    slim_log(WARN, "TLS certificates not reloaded, the old ones stay in force",
             SLIM_LOG_STR("endpoint", tls->endpoint),
             SLIM_LOG_STR("files", files[0] == '\0' ? "none" : files),
             SLIM_LOG_STR("error", error.text));
}

static void on_files_changed(void *ctx)
{
    renew(ctx);
}

static void on_agent(void *ctx, enum slim_auth_workload_call call)
{
    if (call == SLIM_AUTH_WORKLOAD_X509) {
        renew(ctx);
    }
}

/* Both halves may come from one client of the agent: the first tells. */
static void on_agent_roots(void *ctx, enum slim_auth_workload_call call)
{
    const struct slim_datapath_tls *tls = ctx;
    if (tls->roots.spire != tls->own.spire) {
        on_agent(ctx, call);
    }
}

void slim_datapath_tls_reload(struct slim_datapath *datapath)
{
    SLIM_LIST_EACH(node, &datapath->tls)
    {
        struct slim_datapath_tls *tls = SLIM_LIST_ENTRY(node, struct slim_datapath_tls, node);
        if (has_files(tls)) {
            renew(tls);
        }
    }
}

/* ------------------------------------------------------------------------------------------------ copies */

static enum slim_status copy_text(const char *text, char **out)
{
    *out = text == NULL ? NULL : strdup(text);
    return text != NULL && *out == NULL ? SLIM_ERR_NO_MEMORY : SLIM_OK;
}

static enum slim_status copy_strings(const struct slim_config_strings *strings,
                                     struct slim_config_strings *out)
{
    if (strings->count == 0) {
        return SLIM_OK;
    }
    out->items = calloc(strings->count, sizeof(*out->items));
    if (out->items == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    for (; out->count < strings->count; out->count++) {
        SLIM_TRY(copy_text(strings->items[out->count], &out->items[out->count]));
    }
    return SLIM_OK;
}

static void wipe_text(char *text)
{
    if (text != NULL) {
        slim_secret_wipe(text, strlen(text));
        free(text);
    }
}

static void source_fini(struct slim_datapath_tls_source *source)
{
    slim_spire_unref(source->spire, &source->user);
    free(source->first);
    wipe_text(source->second);
    for (size_t i = 0; i < source->domains.count; i++) {
        free(source->domains.items[i]);
    }
    free(source->domains.items);
    free(source->peer);
}

static enum slim_status use_agent(struct slim_datapath_tls *tls,
                                  struct slim_datapath_tls_source *source,
                                  const struct slim_config_spire *config, struct slim_error *error)
{
    struct slim_error why;
    source->user.on_change = source == &tls->own ? on_agent : on_agent_roots;
    source->user.ctx = tls;
    enum slim_status status = slim_spire_ref(&tls->datapath->spires, config, SLIM_SPIRE_X509,
                                             &source->user, &source->spire, &why);
    if (status == SLIM_OK) {
        return SLIM_OK;
    }
    struct slim_view text = slim_view_str(why.text);
    struct slim_view prefix = SLIM_VIEW("spire: "); /* some of its sentences name themselves */
    text = slim_view_has_prefix(text, prefix) ? slim_view_skip(text, prefix.len) : text;
    return slim_error_set(error, status, "spire error: %.*s", SLIM_VIEW_ARG(text));
}

static enum slim_status copy_own(struct slim_datapath_tls *tls,
                                 const struct slim_config_certificate *config,
                                 struct slim_error *error)
{
    tls->own.kind = config->kind;
    SLIM_TRY(copy_text(config->cert, &tls->own.first));
    SLIM_TRY(copy_text(config->key, &tls->own.second));
    return config->kind == SLIM_CONFIG_SOURCE_SPIRE
               ? use_agent(tls, &tls->own, &config->spire, error)
               : SLIM_OK;
}

/* target_spiffe_id of roots is the peer's; the agent is asked for any identity of ours. */
static enum slim_status copy_roots(struct slim_datapath_tls *tls,
                                   const struct slim_config_ca *config, struct slim_error *error)
{
    tls->roots.kind = config->kind;
    SLIM_TRY(copy_text(config->ca, &tls->roots.first));
    if (config->kind != SLIM_CONFIG_SOURCE_SPIRE) {
        return SLIM_OK;
    }
    SLIM_TRY(copy_strings(&config->spire.trust_domains, &tls->roots.domains));
    SLIM_TRY(copy_text(config->spire.target_spiffe_id, &tls->roots.peer));
    for (size_t i = 0; i < tls->roots.domains.count; i++) {
        struct slim_view domain;
        if (slim_spiffe_domain_parse(slim_view_str(tls->roots.domains.items[i]), &domain) !=
            SLIM_OK) {
            return slim_error_set(error, SLIM_ERR_CONFIG, "spire error: no trust domain: %.200s",
                                  tls->roots.domains.items[i]);
        }
    }
    struct slim_config_spire spire = config->spire;
    spire.target_spiffe_id = NULL;
    tls->options.check_peer = slim_datapath_tls_check_peer;
    tls->options.check_ctx = tls;
    /* an id that must match says more than a name, which SPIFFE certificates rarely have */
    tls->options.is_any_name = tls->roots.peer != NULL;
    return use_agent(tls, &tls->roots, &spire, error);
}

/* ------------------------------------------------------------------------------------------------ life */

static enum slim_status watch_files(struct slim_datapath_tls *tls,
                                    const struct slim_config_tls *config)
{
    if (!has_files(tls)) {
        return SLIM_OK;
    }
    const char *paths[SLIM_DATAPATH_TLS_FILES_MAX];
    list_files(tls, paths);
    return slim_file_watch_new(tls->datapath->loop, paths, SLIM_COUNT(paths),
                               config->reload_interval_ms, on_files_changed, tls, &tls->watch);
}

static enum slim_status fill(struct slim_datapath_tls *tls, const struct slim_config_tls *config,
                             const char *endpoint, struct slim_error *error)
{
    SLIM_TRY(copy_text(endpoint, &tls->endpoint));
    tls->options.version = config->version == SLIM_CONFIG_TLS_1_3 ? SLIM_TLS_1_3 : SLIM_TLS_1_2;
    tls->options.skip_verify = config->skip_verify;
    SLIM_TRY(copy_own(tls, &config->source, error));
    SLIM_TRY(copy_roots(tls, tls->is_server ? &config->client_ca : &config->ca_source, error));
    tls->options.asks_client = tls->is_server && tls->roots.kind != SLIM_CONFIG_SOURCE_NONE;
    tls->use_system =
        !tls->is_server && config->include_system_ca && tls->roots.kind != SLIM_CONFIG_SOURCE_SPIRE;
    if (tls->is_server && tls->own.kind == SLIM_CONFIG_SOURCE_NONE) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "missing server cert or key");
    }
    SLIM_TRY(watch_files(tls, config)); /* watched first, read then: no change is missed */
    const char *culprit = NULL;
    enum slim_status status = load(tls, &culprit, error);
    if (status == SLIM_ERR_CONFIG && culprit != NULL) {
        struct slim_error why = *error;
        return slim_error_set(error, status, "%s\n%s", why.text, culprit);
    }
    return status == SLIM_AGAIN ? SLIM_OK : status;
}

static enum slim_status tls_new(struct slim_datapath *datapath, bool is_server, bool is_http1,
                                const struct slim_config_tls *config, const char *endpoint,
                                struct slim_datapath_tls **tls, struct slim_error *error)
{
    struct slim_error why = {.text = "out of memory"};
    struct slim_datapath_tls *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
    }
    made->datapath = datapath;
    made->is_server = is_server;
    made->options.is_http1 = is_http1;
    slim_list_init(&made->node);
    slim_list_init(&made->own.user.node);
    slim_list_init(&made->roots.user.node);
    enum slim_status status = fill(made, config, endpoint, &why);
    if (status != SLIM_OK) {
        slim_datapath_tls_free(made);
        return slim_error_set(error, status, "TLS config error\n%s", why.text);
    }
    slim_list_put_last(&datapath->tls, &made->node);
    *tls = made;
    return SLIM_OK;
}

enum slim_status slim_datapath_tls_new_server(struct slim_datapath *datapath,
                                              const struct slim_config_tls *config,
                                              const char *endpoint, struct slim_datapath_tls **tls,
                                              struct slim_error *error)
{
    *tls = NULL;
    return config->is_insecure ? SLIM_OK
                               : tls_new(datapath, true, false, config, endpoint, tls, error);
}

enum slim_status slim_datapath_tls_new_client(struct slim_datapath *datapath,
                                              const struct slim_config_tls *config,
                                              const char *endpoint, struct slim_datapath_tls **tls,
                                              struct slim_error *error)
{
    *tls = NULL;
    bool is_plain = config->is_insecure && config->ca_source.kind == SLIM_CONFIG_SOURCE_NONE;
    return is_plain ? SLIM_OK : tls_new(datapath, false, false, config, endpoint, tls, error);
}

enum slim_status slim_datapath_tls_new_proxy(struct slim_datapath *datapath,
                                             const struct slim_config_tls *config,
                                             const char *endpoint, struct slim_datapath_tls **tls,
                                             struct slim_error *error)
{
    *tls = NULL;
    bool is_plain = config->is_insecure && config->ca_source.kind == SLIM_CONFIG_SOURCE_NONE;
    return is_plain ? SLIM_OK : tls_new(datapath, false, true, config, endpoint, tls, error);
}

void slim_datapath_tls_free(struct slim_datapath_tls *tls)
{
    if (tls == NULL) {
        return;
    }
    slim_list_remove(&tls->node);
    slim_file_watch_free(tls->watch);
    slim_tls_context_free(tls->context);
    source_fini(&tls->own);
    source_fini(&tls->roots);
    free(tls->endpoint);
    free(tls);
}

enum slim_status slim_datapath_tls_session(struct slim_datapath_tls *tls, const char *server_name,
                                           struct slim_tls_session **session,
                                           struct slim_error *error)
{
    *session = NULL;
    if (tls == NULL) {
        return SLIM_OK;
    }
    if (tls->context == NULL) {
        return slim_error_set(error, SLIM_ERR_STATE,
                              "TLS is not ready: the SPIFFE agent has given no certificate yet");
    }
    if (tls->options.skip_verify) {
        slim_log_limited(&tls->log_skipped, WARN, "Skipping server cert verification",
                         SLIM_LOG_STR("endpoint", tls->endpoint));
    }
    enum slim_status status = slim_tls_session_new(tls->context, server_name, session);
    return status == SLIM_OK
               ? SLIM_OK
               : slim_error_set(error, status, "no TLS session: %s", slim_status_text(status));
}
