/* Records as configuration texts of libslim: mappings of slim.yaml(5), written as JSON. The same rules as python/slim_bindings/_config.py. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document.h"
#include "json.h"
#include "things.h"

static char *finish(struct uf_json *json, struct uf_error *error)
{
    char *text = uf_json_take(json);
    if (text == NULL) {
        (void)uf_fail_no_memory(error); /* told by the caller */
    }
    return text;
}

/* ------------------------------------------------------------------------------------------------ identities and keys */

static void put_type(struct uf_json *json, const char *type)
{
    uf_json_text(json, "type", uf_view(type));
}

static void put_spire_members(struct uf_json *json, const struct uf_spire_config *config)
{
    static const struct slim_view slim = {(const uint8_t *)"slim", 4};
    static const struct uf_list usual = {.count = 1, .items = &slim};
    put_type(json, "spire");
    uf_json_optional_text(json, "socket_path", config->socket_path);
    uf_json_optional_text(json, "target_spiffe_id", config->target_spiffe_id);
    uf_json_texts(json, "jwt_audiences",
                  config->jwt_audiences.count == 0 ? &usual : &config->jwt_audiences);
    if (config->trust_domains.count > 0) {
        uf_json_texts(json, "trust_domains", &config->trust_domains);
    }
}

static void put_key(struct uf_json *json, const struct uf_union *key)
{
    static const char *const algorithms[UF_ALGORITHM_COUNT] = {"HS256", "HS384", "HS512", "ES256",
                                                               "ES384", "RS256", "RS384", "RS512",
                                                               "PS256", "PS384", "PS512", "EdDSA"};
    static const char *const formats[UF_KEY_FORMAT_COUNT] = {"pem", "jwk", "jwks"};
    const struct uf_jwt_key_config *config = key->body;
    uf_json_open(json, "key", '{');
    if (key->variant == UF_KEY_AUTORESOLVE) {
        put_type(json, "autoresolve");
    } else {
        const struct uf_message_record *data = config->key.body;
        put_type(json, key->variant == UF_KEY_ENCODING ? "encoding" : "decoding");
        uf_json_text(json, "algorithm", uf_view(algorithms[config->algorithm - 1]));
        uf_json_text(json, "format", uf_view(formats[config->format - 1]));
        uf_json_open(json, "key", '{');
        uf_json_text(json, config->key.variant == UF_KEY_DATA ? "data" : "file", data->message);
        uf_json_close(json, '}');
    }
    uf_json_close(json, '}');
}

static void put_jwt_members(struct uf_json *json, const struct uf_jwt_auth *config)
{
    put_type(json, "jwt");
    if (config->audience != NULL || config->issuer != NULL || config->subject != NULL) {
        uf_json_open(json, "claims", '{');
        if (config->audience != NULL) {
            uf_json_texts(json, "audience", config->audience);
        }
        uf_json_optional_text(json, "issuer", config->issuer);
        uf_json_optional_text(json, "subject", config->subject);
        uf_json_close(json, '}');
    }
    uf_json_duration(json, "duration", config->duration);
    put_key(json, &config->key);
}

static void put_static_jwt_members(struct uf_json *json, const struct uf_static_jwt_auth *config)
{
    put_type(json, "static_jwt");
    uf_json_text(json, "file", config->token_file);
    uf_json_duration(json, "duration", config->duration);
}

static void put_secret_members(struct uf_json *json, struct slim_view id, struct slim_view secret)
{
    put_type(json, "shared_secret");
    uf_json_text(json, "id", id);
    uf_json_text(json, "data", secret);
}

static void put_basic_members(struct uf_json *json, const struct uf_basic_auth *config)
{
    put_type(json, "basic");
    uf_json_text(json, "username", config->username);
    uf_json_text(json, "password", config->password);
}

char *uf_secret_text(struct slim_view id, struct slim_view secret, struct uf_error *error)
{
    struct uf_json json = {.text = NULL};
    uf_json_open(&json, NULL, '{');
    put_secret_members(&json, id, secret);
    uf_json_close(&json, '}');
    return finish(&json, error);
}

/* A token that cannot be read is a panic of the reference, with this text. */
static bool check_token_file(struct slim_view path, struct uf_error *error)
{
    char *text = strndup(path.len == 0 ? "" : (const char *)path.data, path.len);
    FILE *file = text == NULL ? NULL : fopen(text, "re");
    int number = errno;
    char reason[UF_SYSTEM_TEXT_MAX];
    free(text);
    if (file == NULL) {
        return uf_fail(error, UF_PANIC, "error reading token file: %s",
                       uf_system_text(number, reason));
    }
    (void)fclose(file); /* only looked at */
    return true;
}

/* What is wrong with it before anybody looks into its keys. */
static bool check_provider(const struct uf_union *config, struct uf_error *error)
{
    if (config->variant == UF_PROVIDER_NONE) {
        return uf_fail(error, UF_INVALID_ARGUMENT, "Cannot create AuthProvider from None variant");
    }
    if (config->variant == UF_PROVIDER_SECRET) {
        const struct uf_text_pair_record *secret = config->body;
        return secret->first.len > 0 || uf_fail(error, UF_AUTH_ERROR, "token malformed");
    }
    if (config->variant == UF_PROVIDER_STATIC_JWT) {
        const struct uf_static_jwt_auth *jwt = config->body;
        return check_token_file(jwt->token_file, error);
    }
    if (config->variant == UF_PROVIDER_JWT) {
        const struct uf_jwt_auth *jwt = config->body;
        return jwt->subject != NULL ||
               uf_fail(error, UF_AUTH_ERROR, "token invalid: missing subject claim");
    }
    return true;
}

char *uf_provider_text(const struct uf_union *config, struct uf_error *error)
{
    struct uf_json json = {.text = NULL};
    const struct uf_text_pair_record *secret = config->body;
    if (!check_provider(config, error)) {
        return NULL;
    }
    uf_json_open(&json, NULL, '{');
    switch ((enum uf_provider)config->variant) {
    case UF_PROVIDER_SECRET:
        put_secret_members(&json, secret->first, secret->second);
        break;
    case UF_PROVIDER_STATIC_JWT:
        put_static_jwt_members(&json, config->body);
        break;
    case UF_PROVIDER_JWT:
        put_jwt_members(&json, config->body);
        break;
    case UF_PROVIDER_SPIRE:
        put_spire_members(&json, config->body);
        break;
    case UF_PROVIDER_NONE: /* refused above */
        break;
    }
    uf_json_close(&json, '}');
    return finish(&json, error);
}

char *uf_verifier_text(const struct uf_union *config, struct uf_error *error)
{
    struct uf_json json = {.text = NULL};
    const struct uf_text_pair_record *secret = config->body;
    uf_json_open(&json, NULL, '{');
    switch ((enum uf_verifier)config->variant) {
    case UF_VERIFIER_SECRET:
        put_secret_members(&json, secret->first.len > 0 ? secret->first : uf_view("verifier"),
                           secret->second);
        break;
    case UF_VERIFIER_JWT:
        put_jwt_members(&json, config->body);
        break;
    case UF_VERIFIER_SPIRE:
        put_spire_members(&json, config->body);
        break;
    case UF_VERIFIER_NONE:
        (void)uf_fail(error, UF_INVALID_ARGUMENT, "Cannot create AuthVerifier from None variant");
        break;
    }
    uf_json_close(&json, '}');
    char *text = finish(&json, error);
    if (config->variant == UF_VERIFIER_NONE) {
        free(text);
        return NULL;
    }
    return text;
}

/* ------------------------------------------------------------------------------------------------ TLS */

static void put_source(struct uf_json *json, const struct uf_union *source)
{
    const struct uf_text_pair_record *texts = source->body;
    if (source->variant == UF_TLS_NONE) {
        return;
    }
    uf_json_open(json, "source", '{');
    if (source->variant == UF_TLS_SPIRE) {
        put_spire_members(json, source->body);
    } else {
        put_type(json, source->variant == UF_TLS_PEM ? "pem" : "file");
        uf_json_text(json, "cert", texts->first);
        uf_json_text(json, "key", texts->second);
    }
    uf_json_close(json, '}');
}

static void put_authorities(struct uf_json *json, const char *key, const struct uf_union *source)
{
    const struct uf_message_record *text = source->body;
    if (source->variant == UF_CA_NONE) {
        return;
    }
    uf_json_open(json, key, '{');
    if (source->variant == UF_CA_SPIRE) {
        put_spire_members(json, source->body);
    } else if (source->variant == UF_CA_PEM) {
        put_type(json, "pem");
        uf_json_text(json, "data", text->message);
    } else {
        put_type(json, "file");
        uf_json_text(json, "path", text->message);
    }
    uf_json_close(json, '}');
}

static void put_tls_client(struct uf_json *json, const struct uf_tls_client_config *tls)
{
    uf_json_open(json, "tls", '{');
    uf_json_bool(json, "insecure", tls->insecure);
    uf_json_bool(json, "insecure_skip_verify", tls->insecure_skip_verify);
    put_source(json, &tls->source);
    put_authorities(json, "ca_source", &tls->ca_source);
    uf_json_bool(json, "include_system_ca_certs_pool", tls->include_system_ca_certs_pool);
    uf_json_text(json, "tls_version", tls->tls_version);
    uf_json_close(json, '}');
}

static void put_tls_server(struct uf_json *json, const struct uf_tls_server_config *tls)
{
    uf_json_open(json, "tls", '{');
    uf_json_bool(json, "insecure", tls->insecure);
    put_source(json, &tls->source);
    put_authorities(json, "client_ca", &tls->client_ca);
    uf_json_bool(json, "include_system_ca_certs_pool", tls->include_system_ca_certs_pool);
    uf_json_text(json, "tls_version", tls->tls_version);
    uf_json_bool(json, "reload_client_ca_file", tls->reload_client_ca_file);
    uf_json_close(json, '}');
}

/* ------------------------------------------------------------------------------------------------ links and servers */

/* Text that is no JSON is dropped, as by the reference. */
static void put_metadata(struct uf_json *json, const struct slim_view *text)
{
    json_error_t unused;
    json_t *found = text == NULL ? NULL
                                 : json_loadb((const char *)text->data, text->len,
                                              JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &unused);
    if (found != NULL && !json_is_null(found)) {
        uf_json_raw(json, "metadata", *text);
    }
    json_decref(found);
}

static void put_backoff(struct uf_json *json, const struct uf_union *backoff)
{
    enum { MS_PER_S = 1000, NS_PER_MS = 1000000 };
    const struct uf_exponential_backoff *growing = backoff->body;
    const struct uf_fixed_interval_backoff *fixed = backoff->body;
    uf_json_open(json, "backoff", '{');
    if (backoff->variant == UF_BACKOFF_EXPONENTIAL) {
        uint64_t base_ms;
        if (__builtin_mul_overflow(growing->base.seconds, MS_PER_S, &base_ms) ||
            __builtin_add_overflow(base_ms, growing->base.nanoseconds / NS_PER_MS, &base_ms)) {
            base_ms = UINT64_MAX;
        }
        put_type(json, "exponential");
        uf_json_number(json, "base", base_ms);
        uf_json_number(json, "factor", growing->factor);
        uf_json_duration(json, "max_delay", growing->max_delay);
        uf_json_number(json, "max_attempts", growing->max_attempts);
        uf_json_bool(json, "jitter", growing->jitter);
    } else {
        put_type(json, "fixed_interval");
        uf_json_duration(json, "interval", fixed->interval);
        uf_json_number(json, "max_attempts", fixed->max_attempts);
    }
    uf_json_close(json, '}');
}

static void put_client_auth(struct uf_json *json, const struct uf_union *auth)
{
    if (auth->variant == UF_CLIENT_NONE) {
        return;
    }
    uf_json_open(json, "auth", '{');
    if (auth->variant == UF_CLIENT_BASIC) {
        put_basic_members(json, auth->body);
    } else if (auth->variant == UF_CLIENT_JWT) {
        put_jwt_members(json, auth->body);
    } else {
        put_static_jwt_members(json, auth->body);
    }
    uf_json_close(json, '}');
}

static void put_server_auth(struct uf_json *json, const struct uf_union *auth)
{
    if (auth->variant == UF_SERVER_NONE) {
        return;
    }
    uf_json_open(json, "auth", '{');
    if (auth->variant == UF_SERVER_BASIC) {
        put_basic_members(json, auth->body);
    } else {
        put_jwt_members(json, auth->body);
    }
    uf_json_close(json, '}');
}

static void put_proxy(struct uf_json *json, const struct uf_proxy_config *proxy)
{
    if (proxy->url == NULL) {
        return;
    }
    uf_json_open(json, "proxy", '{');
    uf_json_text(json, "url", *proxy->url);
    uf_json_optional_text(json, "username", proxy->username);
    uf_json_optional_text(json, "password", proxy->password);
    uf_json_pairs(json, "headers", &proxy->headers);
    put_tls_client(json, &proxy->tls);
    uf_json_close(json, '}');
}

static void put_keepalive(struct uf_json *json, const struct uf_keepalive_config *keepalive)
{
    if (keepalive == NULL) {
        return;
    }
    uf_json_open(json, "keepalive", '{');
    uf_json_duration(json, "tcp_keepalive", keepalive->tcp_keepalive);
    uf_json_duration(json, "http2_keepalive", keepalive->http2_keepalive);
    uf_json_duration(json, "timeout", keepalive->timeout);
    uf_json_bool(json, "keep_alive_while_idle", keepalive->keep_alive_while_idle);
    uf_json_close(json, '}');
}

/* Texts of the reference; the library has others for what comes later. */
static bool check_uri(struct slim_view endpoint, struct uf_error *error)
{
    static const char top[] = "datapath error\nCaused by:\n  -> configuration error\n  -> ";
    if (endpoint.len == 0) {
        return uf_fail(error, UF_SERVICE_ERROR, "%smissing grpc endpoint", top);
    }
    for (size_t i = 0; i < endpoint.len; i++) {
        uint8_t byte = endpoint.data[i];
        if (byte <= ' ' || byte >= 0x7f || strchr("\"<>\\^`{|}", byte) != NULL) {
            return uf_fail(error, UF_SERVICE_ERROR, "%sURI parse error\n  -> invalid uri character",
                           top);
        }
    }
    return true;
}

char *uf_client_text(const struct uf_client_config *config, struct uf_error *error)
{
    static const char *const compressions[UF_COMPRESSION_COUNT] = {
        "Gzip", "Zlib", "Deflate", "Snappy", "Zstd", "Lz4", "None", "Empty"};
    struct uf_json json = {.text = NULL};
    if (!check_uri(config->endpoint, error)) {
        return NULL;
    }
    uf_json_open(&json, NULL, '{');
    uf_json_text(&json, "endpoint", config->endpoint);
    uf_json_optional_text(&json, "origin", config->origin);
    uf_json_optional_text(&json, "server_name", config->server_name);
    if (config->compression != NULL) {
        uf_json_text(&json, "compression", uf_view(compressions[*config->compression - 1]));
    }
    uf_json_optional_text(&json, "rate_limit", config->rate_limit);
    put_tls_client(&json, &config->tls);
    put_keepalive(&json, config->keepalive);
    put_proxy(&json, &config->proxy);
    uf_json_duration(&json, "connect_timeout", config->connect_timeout);
    uf_json_duration(&json, "request_timeout", config->request_timeout);
    if (config->buffer_size != NULL) {
        uf_json_number(&json, "buffer_size", *config->buffer_size);
    }
    if (config->headers.count > 0) {
        uf_json_pairs(&json, "headers", &config->headers);
    }
    put_client_auth(&json, &config->auth);
    put_backoff(&json, &config->backoff);
    put_metadata(&json, config->metadata);
    uf_json_close(&json, '}');
    return finish(&json, error);
}

static void put_keepalive_server(struct uf_json *json, const struct uf_keepalive_server *keepalive)
{
    uf_json_open(json, "keepalive", '{');
    uf_json_duration(json, "max_connection_idle", keepalive->max_connection_idle);
    uf_json_duration(json, "max_connection_age", keepalive->max_connection_age);
    uf_json_duration(json, "max_connection_age_grace", keepalive->max_connection_age_grace);
    uf_json_duration(json, "time", keepalive->time);
    uf_json_duration(json, "timeout", keepalive->timeout);
    uf_json_close(json, '}');
}

char *uf_server_text(const struct uf_server_config *config, struct uf_error *error)
{
    struct uf_json json = {.text = NULL};
    const struct {
        const char *key;
        const uint32_t *value;
    } small[] = {{"max_frame_size", config->max_frame_size},
                 {"max_concurrent_streams", config->max_concurrent_streams},
                 {"max_header_list_size", config->max_header_list_size}};
    uf_json_open(&json, NULL, '{');
    uf_json_text(&json, "endpoint", config->endpoint);
    put_tls_server(&json, &config->tls);
    uf_json_bool(&json, "http2_only", config->http2_only);
    for (size_t i = 0; i < UF_COUNT(small); i++) {
        if (small[i].value != NULL) {
            uf_json_number(&json, small[i].key, *small[i].value);
        }
    }
    if (config->read_buffer_size != NULL) {
        uf_json_number(&json, "read_buffer_size", *config->read_buffer_size);
    }
    if (config->write_buffer_size != NULL) {
        uf_json_number(&json, "write_buffer_size", *config->write_buffer_size);
    }
    put_keepalive_server(&json, &config->keepalive);
    put_server_auth(&json, &config->auth);
    put_metadata(&json, config->metadata);
    uf_json_close(&json, '}');
    return finish(&json, error);
}
