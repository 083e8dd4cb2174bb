/* Any bytes as a configuration file: a value or an error with a sentence, never more memory than the bounds allow. The same
 * bytes are read as a duration too. */
#include <stdlib.h>

#include "config/config.h"

static void check_certificate(const struct slim_config_certificate *source)
{
    bool is_text =
        source->kind == SLIM_CONFIG_SOURCE_FILE || source->kind == SLIM_CONFIG_SOURCE_PEM;
    assert(!is_text || (source->cert != NULL && source->key != NULL));
}

static void check_ca(const struct slim_config_ca *ca)
{
    bool is_text = ca->kind == SLIM_CONFIG_SOURCE_FILE || ca->kind == SLIM_CONFIG_SOURCE_PEM;
    assert(!is_text || ca->ca != NULL);
}

static void check_tls(const struct slim_config_tls *tls)
{
    check_certificate(&tls->source);
    check_ca(&tls->ca_source);
    check_ca(&tls->client_ca);
}

static void check_auth(const struct slim_config_auth *auth)
{
    switch (auth->kind) {
    case SLIM_CONFIG_AUTH_NONE:
    case SLIM_CONFIG_AUTH_SPIRE:
        return;
    case SLIM_CONFIG_AUTH_BASIC:
        assert(auth->username[0] != '\0' && auth->password[0] != '\0');
        return;
    case SLIM_CONFIG_AUTH_JWT:
        assert(auth->jwt_key.kind == SLIM_CONFIG_JWT_KEY_AUTORESOLVE
                   ? auth->issuer != NULL
                   : auth->jwt_key.algorithm != NULL && auth->jwt_key.format != NULL &&
                         (auth->jwt_key.file == NULL) != (auth->jwt_key.data == NULL));
        return;
    case SLIM_CONFIG_AUTH_STATIC_JWT:
        assert(auth->file != NULL);
        return;
    case SLIM_CONFIG_AUTH_SHARED_SECRET:
        assert(auth->id != NULL && auth->data != NULL);
        return;
    }
}

static void check_headers(const struct slim_config_pairs *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        assert(headers->items[i].key[0] != '\0' && headers->items[i].value != NULL);
    }
}

static void check_server(const struct slim_config_server *server)
{
    assert(server->endpoint[0] != '\0');
    assert(server->max_frame_bytes >= 16384 && server->max_frame_bytes < 1U << 24);
    assert(server->tls.is_insecure || server->tls.source.kind != SLIM_CONFIG_SOURCE_NONE);
    assert(server->metadata == NULL || server->metadata[0] == '{');
    check_tls(&server->tls);
    check_auth(&server->auth);
}

static void check_client(const struct slim_config_client *client)
{
    assert(client->endpoint[0] != '\0');
    assert((client->rate_limit_count == 0) == (client->rate_limit_ms == 0));
    assert(client->metadata == NULL || client->metadata[0] == '{');
    check_tls(&client->tls);
    check_tls(&client->proxy.tls);
    check_headers(&client->headers);
    check_headers(&client->proxy.headers);
    check_auth(&client->auth);
}

/* What every user of the result relies on. */
static void check_config(const struct slim_config *config)
{
    assert(config->thread_name != NULL && config->log_directives != NULL);
    assert(config->otlp.service_name != NULL && config->otlp.metrics_interval_ms >= 1000);
    for (size_t i = 0; i < config->warning_count; i++) {
        assert(config->warnings[i][0] != '\0');
    }
    for (size_t i = 0; i < config->service_count; i++) {
        const struct slim_config_service *service = &config->services[i];
        const struct slim_config_controller *controller = &service->controller;
        assert(service->id != NULL && service->server_count + service->client_count > 0);
        for (size_t j = 0; j < service->server_count; j++) {
            check_server(&service->servers[j]);
        }
        for (size_t j = 0; j < service->client_count; j++) {
            check_client(&service->clients[j]);
        }
        for (size_t j = 0; j < controller->server_count; j++) {
            check_server(&controller->servers[j]);
        }
        for (size_t j = 0; j < controller->client_count; j++) {
            check_client(&controller->clients[j]);
        }
        check_auth(&controller->token_provider);
        check_auth(&controller->token_verifier);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slim_config *config = NULL;
    struct slim_config_error error;
    enum slim_status status =
        slim_config_parse(slim_view_of(data, size), "f.yaml", &config, &error);
    if (status == SLIM_OK) {
        assert(config->service_count > 0);
    } else {
        assert(error.cause_count > 0 && error.cause_count <= SLIM_CONFIG_CAUSES_MAX);
        assert((config == NULL) == (error.stage == SLIM_CONFIG_STAGE_FILE));
    }
    if (config != NULL) {
        check_config(config);
    }
    slim_config_free(config);

    uint64_t ms;
    struct slim_error duration_error = {.text = ""};
    if (slim_config_parse_duration(slim_view_of(data, size), &ms, &duration_error) != SLIM_OK) {
        assert(duration_error.text[0] != '\0');
    }
    return 0;
}
