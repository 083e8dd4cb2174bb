#include <stdio.h>
#include <stdlib.h>

#include "config/read.h"

enum {
    TCP_PORT_MAX = 65535,
    HTTP2_KEEPALIVE_MS = 60 * 1000,
    KEEPALIVE_TIMEOUT_MS = 10 * 1000,
    BACKOFF_BASE_MS = 100,
    BACKOFF_FACTOR = 1,
    BACKOFF_MAX_DELAY_MS = 1000,
    BACKOFF_INTERVAL_MS = 1000,
};

#define FIELD(member) offsetof(struct slim_config_client, member)

static void read_tls(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                     void *target)
{
    static const struct slim_config_key keys[] = {
        {"insecure", SLIM_CONFIG_TYPE_BOOL, FIELD(tls.is_insecure), false, NULL},
        {"insecure_skip_verify", SLIM_CONFIG_TYPE_BOOL, SLIM_CONFIG_NO_FIELD, false, NULL},
        {"source", SLIM_CONFIG_TYPE_CUSTOM, 0, true, slim_config_read_tls_source},
        {"ca_source", SLIM_CONFIG_TYPE_CUSTOM, 0, true, slim_config_read_tls_source},
        {"include_system_ca_certs_pool", SLIM_CONFIG_TYPE_BOOL, SLIM_CONFIG_NO_FIELD, false, NULL},
        {"tls_version", SLIM_CONFIG_TYPE_STRING, SLIM_CONFIG_NO_FIELD, false, NULL},
        {"reload_interval", SLIM_CONFIG_TYPE_CUSTOM, 0, true, slim_config_read_tls_reload},
    };
    slim_config_read_map(reader, node, "struct TlsClientConfig", keys, SLIM_COUNT(keys), target);
}

static void read_keepalive(struct slim_config_reader *reader,
                           const struct slim_config_yaml_node *node, void *target)
{
    static const struct slim_config_key keys[] = {
        {"tcp_keepalive", SLIM_CONFIG_TYPE_DURATION, SLIM_CONFIG_NO_FIELD, false, NULL},
        {"http2_keepalive", SLIM_CONFIG_TYPE_DURATION, FIELD(http2_keepalive_ms), false, NULL},
        {"timeout", SLIM_CONFIG_TYPE_DURATION, FIELD(keepalive_timeout_ms), false, NULL},
        {"keep_alive_while_idle", SLIM_CONFIG_TYPE_BOOL, FIELD(keepalive_while_idle), false, NULL},
    };
    struct slim_config_client *client = target;
    client->has_keepalive = true;
    slim_config_read_map(reader, node, "struct KeepaliveConfig", keys, SLIM_COUNT(keys), client);
}

static void read_auth(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                      void *target)
{
    static const char *const types[] = {"none", "basic", "jwt", "static_jwt", "spire", NULL};
    (void)target;
    const char *type = slim_config_read_tag(reader, node, "AuthenticationConfig",
                                            "one of `basic`, `static_jwt`, `jwt`, `none`", types);
    if (type != NULL && strcmp(type, "none") != 0) {
        slim_config_put_unsupported(reader, node, "the key `auth` with type `%s`", type);
    }
}

/* Legal words, none of them with an effect, as in the reference. */
static void read_compression(struct slim_config_reader *reader,
                             const struct slim_config_yaml_node *node, void *target)
{
    static const char *const words[] = {"Gzip", "Zlib", "Deflate", "Snappy",
                                        "Zstd", "Lz4",  "None",    "Empty"};
    (void)target;
    if (node->kind != SLIM_CONFIG_YAML_STRING) {
        slim_config_put_type_problem(reader, node, "enum CompressionType", "write None");
        return;
    }
    for (size_t i = 0; i < SLIM_COUNT(words); i++) {
        if (slim_view_is_equal(node->text, slim_view_str(words[i]))) {
            return;
        }
    }
    const char *word = node->is_secret ? "${..}" : (const char *)node->text.data;
    char text[200];
    (void)snprintf(text, sizeof(text),
                   "unknown variant `%.60s`, expected one of `Gzip`, `Zlib`, `Deflate`, `Snappy`, "
                   "`Zstd`, `Lz4`, `None`, `Empty`",
                   word); /* fits */
    slim_config_put_problem(reader, reader->stage, node,
                            (const char *const[]){"yaml parse error", text, NULL},
                            "capital letters matter; the value has no effect");
}

static void read_backoff(struct slim_config_reader *reader,
                         const struct slim_config_yaml_node *node, void *target)
{
#define BACKOFF(member) FIELD(backoff.member)
    static const struct slim_config_key exponential[] = {
        {"type", SLIM_CONFIG_TYPE_STRING, SLIM_CONFIG_NO_FIELD, false, NULL},
        {"base", SLIM_CONFIG_TYPE_U64, BACKOFF(base_ms), false, NULL},
        {"factor", SLIM_CONFIG_TYPE_U64, BACKOFF(factor), false, NULL},
        {"max_delay", SLIM_CONFIG_TYPE_DURATION, BACKOFF(max_delay_ms), false, NULL},
        {"max_attempts", SLIM_CONFIG_TYPE_USIZE, BACKOFF(max_attempts), false, NULL},
        {"jitter", SLIM_CONFIG_TYPE_BOOL, BACKOFF(has_jitter), false, NULL},
    };
    static const struct slim_config_key fixed[] = {
        {"type", SLIM_CONFIG_TYPE_STRING, SLIM_CONFIG_NO_FIELD, false, NULL},
        {"interval", SLIM_CONFIG_TYPE_DURATION, BACKOFF(interval_ms), false, NULL},
        {"max_attempts", SLIM_CONFIG_TYPE_USIZE, BACKOFF(max_attempts), false, NULL},
    };
#undef BACKOFF
    static const char *const types[] = {"exponential", "fixed_interval", NULL};
    struct slim_config_client *client = target;
    const char *type = slim_config_read_tag(reader, node, "BackoffConfig",
                                            "`exponential` or `fixed_interval`", types);
    if (type == NULL) {
        return;
    }
    client->backoff.has_jitter =
        false; /* true only when there is no section at all (node.md 3.10) */
    if (strcmp(type, "exponential") == 0) {
        slim_config_read_map(reader, node, "struct Config", exponential, SLIM_COUNT(exponential),
                             client);
        return;
    }
    client->backoff.kind = SLIM_CONFIG_BACKOFF_FIXED;
    slim_config_read_map(reader, node, "struct Config", fixed, SLIM_COUNT(fixed), client);
}

static void refuse_rate_limit(struct slim_config_reader *reader,
                              const struct slim_config_yaml_node *node, void *target)
{
    (void)target;
    slim_config_put_unsupported(reader, node, "the key `rate_limit`");
}

static void read_headers(struct slim_config_reader *reader,
                         const struct slim_config_yaml_node *node, void *target)
{
    (void)target;
    if (node->kind != SLIM_CONFIG_YAML_MAP) {
        slim_config_put_type_problem(reader, node, "a map", "write name: value pairs");
    } else if (node->count > 0) {
        slim_config_put_unsupported(reader, node, "the key `headers`");
    }
}

/* Without url only the environment could order a proxy, and this version does not ask it. */
static void read_proxy(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                       void *target)
{
    (void)target;
    if (node->kind != SLIM_CONFIG_YAML_MAP) {
        slim_config_put_type_problem(reader, node, "struct ProxyConfig", "write {url: URL, ..}");
        return;
    }
    const struct slim_config_yaml_node *url = slim_config_yaml_find(node, "url");
    if (url != NULL && url->kind != SLIM_CONFIG_YAML_NULL) {
        slim_config_put_unsupported(reader, url, "the key `proxy`");
    }
}

static void read_server_name(struct slim_config_reader *reader,
                             const struct slim_config_yaml_node *node, void *target)
{
    static const struct slim_config_key name = {"", SLIM_CONFIG_TYPE_STRING, SLIM_CONFIG_NO_FIELD,
                                                true, NULL};
    slim_config_read_value(reader, node, &name, target);
    slim_config_put_warning(reader, node, "has no effect without TLS");
}

/* ---------------------------------------------------------------------------------------------------- start */

static void put_start_problem(struct slim_config_reader *reader,
                              const struct slim_config_yaml_node *at, const char *outer,
                              const char *inner, const char *hint)
{
    slim_config_put_problem(
        reader, SLIM_CONFIG_STAGE_START, at,
        (const char *const[]){"datapath error", "configuration error", outer, inner, NULL}, "%s",
        hint);
}

static bool is_port(const char *text, size_t len)
{
    uint32_t port = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || port > TCP_PORT_MAX) {
            return false;
        }
        port = port * 10 + (uint32_t)(text[i] - '0');
    }
    return len > 0 && port > 0 && port <= TCP_PORT_MAX;
}

/* "host", "host:port", "1.2.3.4:port", "[::1]:port": the part of an URL between the slashes. */
static bool is_authority(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= 0x20 || text[i] == 0x7f || strchr("\"<>@\\^`{|}", text[i]) != NULL) {
            return false;
        }
    }
    const char *host_end = text[0] == '[' ? memchr(text, ']', len) : memchr(text, ':', len);
    if (text[0] == '[' && host_end != NULL) {
        host_end++;
    }
    if (host_end == NULL) {
        return len > 0 && text[0] != '[';
    }
    size_t host_len = (size_t)(host_end - text);
    return host_len > 0 &&
           (host_len == len || (*host_end == ':' && is_port(host_end + 1, len - host_len - 1)));
}

static void check_endpoint(struct slim_config_reader *reader,
                           const struct slim_config_yaml_node *at, const char *endpoint)
{
    static const char hint[] = "write http://HOST:PORT or unix:///PATH";
    if (endpoint[0] == '\0') {
        put_start_problem(reader, at, "missing grpc endpoint", NULL, hint);
    } else if (strncmp(endpoint, "https://", 8) == 0) {
        slim_config_put_unsupported(reader, at, "TLS links (https://)");
    } else if (strncmp(endpoint, "http://", 7) == 0) {
        if (!is_authority(endpoint + 7, strcspn(endpoint + 7, "/?#"))) {
            put_start_problem(reader, at, "endpoint parse error", "invalid authority", hint);
        }
    } else if (strncmp(endpoint, "unix://", 7) == 0) {
        if (strcspn(endpoint + 7, "?#") == 0) {
            put_start_problem(reader, at, "endpoint parse error", "invalid unix domain socket path",
                              hint);
        }
    } else {
        put_start_problem(reader, at, "invalid endpoint scheme", NULL, hint);
    }
}

/* 8-4-4-4-12 hexadecimal digits, version 4, variant of RFC 4122. */
static bool is_uuid_v4(const char *text)
{
    enum { UUID_LEN = 36, VERSION_AT = 14, VARIANT_AT = 19 };
    if (strlen(text) != UUID_LEN || text[VERSION_AT] != '4' ||
        strchr("89abAB", text[VARIANT_AT]) == NULL) {
        return false;
    }
    for (size_t i = 0; i < UUID_LEN; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? text[i] != '-' : strchr("0123456789abcdefABCDEF", text[i]) == NULL) {
            return false;
        }
    }
    return true;
}

void slim_config_read_client(struct slim_config_reader *reader,
                             const struct slim_config_yaml_node *node,
                             struct slim_config_client *client)
{
    static const struct slim_config_key keys[] = {
        {"endpoint", SLIM_CONFIG_TYPE_STRING, FIELD(endpoint), false, NULL},
        {"origin", SLIM_CONFIG_TYPE_STRING, FIELD(origin), true, NULL},
        {"server_name", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_server_name},
        {"compression", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_compression},
        {"rate_limit", SLIM_CONFIG_TYPE_CUSTOM, 0, true, refuse_rate_limit},
        {"tls", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_tls},
        {"keepalive", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_keepalive},
        {"proxy", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_proxy},
        {"connect_timeout", SLIM_CONFIG_TYPE_DURATION, FIELD(connect_timeout_ms), false, NULL},
        {"request_timeout", SLIM_CONFIG_TYPE_DURATION, FIELD(request_timeout_ms), false, NULL},
        {"buffer_size", SLIM_CONFIG_TYPE_USIZE, SLIM_CONFIG_NO_FIELD, true, NULL},
        {"headers", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_headers},
        {"auth", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_auth},
        {"backoff", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_backoff},
        {"metadata", SLIM_CONFIG_TYPE_CUSTOM, 0, true, slim_config_read_metadata},
        {"link_id", SLIM_CONFIG_TYPE_STRING, FIELD(link_id), true, NULL},
        {"transport", SLIM_CONFIG_TYPE_CUSTOM, 0, true, slim_config_read_transport},
    };
    size_t problems_before = slim_config_problem_total(reader);
    client->http2_keepalive_ms = HTTP2_KEEPALIVE_MS;
    client->keepalive_timeout_ms = KEEPALIVE_TIMEOUT_MS;
    client->backoff = (struct slim_config_backoff){
        .kind = SLIM_CONFIG_BACKOFF_EXPONENTIAL,
        .base_ms = BACKOFF_BASE_MS,
        .factor = BACKOFF_FACTOR,
        .max_delay_ms = BACKOFF_MAX_DELAY_MS,
        .interval_ms = BACKOFF_INTERVAL_MS,
        .max_attempts = UINT64_MAX,
        .has_jitter = true,
    };
    slim_config_read_map(reader, node, "struct ClientConfig", keys, SLIM_COUNT(keys), client);
    if (slim_config_problem_total(reader) != problems_before || reader->is_out_of_memory) {
        return;
    }
    if (client->endpoint == NULL) {
        slim_config_put_problem(
            reader, reader->stage, node,
            (const char *const[]){"yaml parse error", "missing field `endpoint`", NULL},
            "add endpoint: http://HOST:PORT");
        return;
    }
    check_endpoint(reader, slim_config_yaml_find(node, "endpoint"), client->endpoint);
    if (client->link_id != NULL && !is_uuid_v4(client->link_id)) {
        put_start_problem(reader, slim_config_yaml_find(node, "link_id"), "invalid link_id", NULL,
                          "write an UUID of version 4, e.g. 123e4567-e89b-42d3-a456-426614174000");
    }
}

void slim_config_client_fini(struct slim_config_client *client)
{
    free(client->endpoint);
    free(client->origin);
    free(client->link_id);
}
