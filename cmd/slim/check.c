#include "slim/check.h"

#include <string.h>

#include "io/tls.h"
#include "io/watch.h"
#include "slim/failure.h"

/* views into the buffers */
struct material {
    struct slim_buf chain;
    struct slim_buf key;
    struct slim_buf roots;
};

static enum slim_status read_part(enum slim_config_source_kind kind, const char *text,
                                  struct slim_buf *out, struct slim_error *error)
{
    switch (kind) {
    case SLIM_CONFIG_SOURCE_FILE:
        return slim_file_read(text, out, error);
    case SLIM_CONFIG_SOURCE_PEM:
        return slim_buf_put(out, slim_view_str(text));
    case SLIM_CONFIG_SOURCE_NONE:
    case SLIM_CONFIG_SOURCE_SPIRE:
        break;
    }
    return SLIM_OK;
}

static enum slim_status make_context(bool is_server, const struct slim_config_tls *tls,
                                     const struct material *material, struct slim_error *error)
{
    const struct slim_tls_options options = {
        .version = tls->version == SLIM_CONFIG_TLS_1_3 ? SLIM_TLS_1_3 : SLIM_TLS_1_2,
        .asks_client = is_server && tls->client_ca.kind != SLIM_CONFIG_SOURCE_NONE,
    };
    const struct slim_tls_material views = {
        .chain = slim_buf_view(&material->chain),
        .key = slim_buf_view(&material->key),
        .roots = slim_buf_view(&material->roots),
    };
    struct slim_tls_context *context = NULL;
    enum slim_status status = is_server
                                  ? slim_tls_context_new_server(&options, &views, &context, error)
                                  : slim_tls_context_new_client(&options, &views, &context, error);
    slim_tls_context_free(context);
    return status;
}

static enum slim_status try_tls(bool is_server, const struct slim_config_tls *tls,
                                struct slim_error *error)
{
    const struct slim_config_ca *ca = is_server ? &tls->client_ca : &tls->ca_source;
    bool is_plain = tls->is_insecure && (is_server || ca->kind == SLIM_CONFIG_SOURCE_NONE);
    if (is_plain || tls->source.kind == SLIM_CONFIG_SOURCE_SPIRE ||
        ca->kind == SLIM_CONFIG_SOURCE_SPIRE) {
        return SLIM_OK;
    }
    struct material material = {0};
    enum slim_status status = read_part(tls->source.kind, tls->source.cert, &material.chain, error);
    if (status == SLIM_OK) {
        status = read_part(tls->source.kind, tls->source.key, &material.key, error);
    }
    if (status == SLIM_OK) {
        status = read_part(ca->kind, ca->ca, &material.roots, error);
    }
    if (status == SLIM_OK) {
        status = make_context(is_server, tls, &material, error);
    }
    slim_buf_fini(&material.chain);
    slim_buf_wipe(&material.key);
    slim_buf_fini(&material.roots);
    return status;
}

static size_t check(FILE *to, const char *id, bool is_server, const char *endpoint,
                    const struct slim_config_tls *tls)
{
    struct slim_error error = {.text = "out of memory"};
    if (try_tls(is_server, tls, &error) == SLIM_OK) {
        return 0;
    }
    struct slim_config_error failure = {
        .stage = SLIM_CONFIG_STAGE_START,
        .cause_count = 3,
        .cause = {"datapath error", "configuration error", "TLS config error"},
    };
    char *rest = NULL;
    for (char *line = strtok_r(error.text, "\n", &rest);
         line != NULL && failure.cause_count < SLIM_CONFIG_CAUSES_MAX - 1;
         line = strtok_r(NULL, "\n", &rest)) {
        (void)snprintf(failure.cause[failure.cause_count++], SLIM_CONFIG_CAUSE_BYTES_MAX, "%s",
                       line); /* may be cut */
    }
    (void)snprintf(failure.cause[failure.cause_count++], SLIM_CONFIG_CAUSE_BYTES_MAX,
                   "service %.100s: %s %.300s", id, is_server ? "server" : "client",
                   endpoint); /* fits */
    slim_failure_print(to, &failure);
    (void)fputc('\n', to); /* as main.c */
    return 1;
}

size_t slim_check_certificates(FILE *to, const struct slim_config *config)
{
    size_t count = 0;
    for (size_t i = 0; i < config->service_count; i++) {
        const struct slim_config_service *service = &config->services[i];
        for (size_t k = 0; k < service->server_count; k++) {
            const struct slim_config_server *server = &service->servers[k];
            count += check(to, service->id, true, server->endpoint, &server->tls);
        }
        for (size_t k = 0; k < service->client_count; k++) {
            const struct slim_config_client *client = &service->clients[k];
            if (strncmp(client->endpoint, "https://", strlen("https://")) == 0) {
                count += check(to, service->id, false, client->endpoint, &client->tls);
            }
        }
    }
    return count;
}
