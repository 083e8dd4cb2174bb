#include "config/read.h"

enum {
    TCP_KEEPALIVE_MS = 60 * 1000,
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
    struct slim_config_client *client = target;
    slim_config_read_client_tls(reader, node, &client->tls);
}

static void read_keepalive(struct slim_config_reader *reader,
                           const struct slim_config_yaml_node *node, void *target)
{
    static const struct slim_config_key keys[] = {
        {"tcp_keepalive", SLIM_CONFIG_TYPE_DURATION, FIELD(tcp_keepalive_ms), false, NULL},
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
    struct slim_config_client *client = target;
    slim_config_read_auth(reader, node, SLIM_CONFIG_ROLE_CLIENT, &client->auth);
}

static void read_metadata(struct slim_config_reader *reader,
                          const struct slim_config_yaml_node *node, void *target)
{
    struct slim_config_client *client = target;
    slim_config_read_json(reader, node, SLIM_CONFIG_METADATA_BYTES_MAX, &client->metadata);
}

static void read_headers(struct slim_config_reader *reader,
                         const struct slim_config_yaml_node *node, void *target)
{
    struct slim_config_client *client = target;
    slim_config_read_headers(reader, node, &client->headers);
}

/* Legal words, none of them with an effect, as in the reference. */
static void read_compression(struct slim_config_reader *reader,
                             const struct slim_config_yaml_node *node, void *target)
{
    static const char *const words[] = {"Gzip", "Zlib", "Deflate", "Snappy", "Zstd",
                                        "Lz4",  "None", "Empty",   NULL};
    (void)target;
    /* the word has no effect; a problem was put when it is a wrong one */
    (void)slim_config_read_word(reader, node, "enum CompressionType", words);
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

/* ---------------------------------------------------------------------------------------------------- rate limit */

/* One of the numbers of "N/SECONDS", in the words of the reference's language; NULL, or what is wrong with it. */
static const char *take_number(struct slim_view text, uint64_t max, uint64_t *number)
{
    uint64_t sum = 0;
    if (text.len == 0) {
        return "cannot parse integer from empty string";
    }
    if (text.data[0] == '+' && text.len > 1) {
        text = slim_view_skip(text, 1);
    }
    for (; text.len > 0; text = slim_view_skip(text, 1)) {
        uint8_t c = text.data[0];
        if (c < '0' || c > '9') {
            return "invalid digit found in string";
        }
        if (__builtin_mul_overflow(sum, 10U, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)(c - '0'), &sum) || sum > max) {
            return "number too large to fit in target type";
        }
    }
    *number = sum;
    return sum == 0 ? "number would be zero for non-zero type" : NULL;
}

static void read_rate_limit(struct slim_config_reader *reader,
                            const struct slim_config_yaml_node *node, void *target)
{
    enum { MS_PER_S = 1000 };
    static const char hint[] =
        "write \"N/SECONDS\", e.g. \"100/1\": N calls in a period, both at least 1";
    struct slim_config_client *client = target;
    if (node->kind != SLIM_CONFIG_YAML_STRING || node->is_broken) {
        slim_config_put_type_problem(reader, node, "a string", hint);
        return;
    }
    const uint8_t *slash = memchr(node->text.data, '/', node->text.len);
    size_t count_len = slash == NULL ? 0 : (size_t)(slash - node->text.data);
    struct slim_view period =
        slash == NULL ? node->text : slim_view_skip(node->text, count_len + 1);
    if (slash == NULL || (period.len > 0 && memchr(period.data, '/', period.len) != NULL)) {
        slim_config_put_start_problem(reader, node, (const char *const[]){"unknown error", NULL},
                                      hint);
        return;
    }
    uint64_t count = 0;
    uint64_t seconds = 0;
    const char *why = take_number(slim_view_of(node->text.data, count_len), UINT32_MAX, &count);
    if (why == NULL) {
        why = take_number(period, UINT64_MAX / MS_PER_S, &seconds);
    }
    if (why != NULL) {
        slim_config_put_start_problem(
            reader, node, (const char *const[]){"rate limit parse error", why, NULL}, hint);
        return;
    }
    client->rate_limit_count = (uint32_t)count;
    client->rate_limit_ms = seconds * MS_PER_S;
}

/* ---------------------------------------------------------------------------------------------------- proxy */

static void read_proxy_tls(struct slim_config_reader *reader,
                           const struct slim_config_yaml_node *node, void *target)
{
    struct slim_config_proxy *proxy = target;
    slim_config_read_client_tls(reader, node, &proxy->tls);
}

static void read_proxy_headers(struct slim_config_reader *reader,
                               const struct slim_config_yaml_node *node, void *target)
{
    struct slim_config_proxy *proxy = target;
    slim_config_read_headers(reader, node, &proxy->headers);
}

/* Length of "http://" or "https://" at the front, or 0. */
static size_t web_scheme_len(const char *url)
{
    return strncmp(url, "http://", 7) == 0 ? 7 : strncmp(url, "https://", 8) == 0 ? 8 : 0;
}

/* "http://host:port"; user and password may stand in front of the host. */
static bool is_proxy_url(const char *url)
{
    size_t scheme_len = web_scheme_len(url);
    if (scheme_len == 0) {
        return false;
    }
    const char *authority = url + scheme_len;
    size_t len = strcspn(authority, "/?#");
    const char *at = memrchr(authority, '@', len);
    if (at != NULL) {
        len -= (size_t)(at + 1 - authority);
        authority = at + 1;
    }
    return slim_config_is_authority(authority, len);
}

static void check_proxy(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                        const struct slim_config_proxy *proxy)
{
    if (proxy->url != NULL && !is_proxy_url(proxy->url)) {
        size_t mark = slim_config_path_push(reader, ".url");
        slim_config_put_start_problem(
            reader, slim_config_yaml_find(node, "url"),
            (const char *const[]){"URI parse error", "invalid proxy url", NULL},
            "write http://HOST:PORT or https://HOST:PORT");
        slim_config_path_pop(reader, mark);
        return;
    }
    if ((proxy->username == NULL) != (proxy->password == NULL)) {
        slim_config_put_warning(reader, node, "username and password have an effect together only");
    }
    size_t mark = slim_config_path_push(reader, ".tls");
    slim_config_check_client_tls(reader, slim_config_yaml_find(node, "tls"), &proxy->tls);
    slim_config_path_pop(reader, mark);
}

static void read_proxy(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                       void *target)
{
    static const struct slim_config_key keys[] = {
        {"url", SLIM_CONFIG_TYPE_SECRET, offsetof(struct slim_config_proxy, url), true, NULL},
        {"username", SLIM_CONFIG_TYPE_STRING, offsetof(struct slim_config_proxy, username), true,
         NULL},
        {"password", SLIM_CONFIG_TYPE_SECRET, offsetof(struct slim_config_proxy, password), true,
         NULL},
        {"headers", SLIM_CONFIG_TYPE_CUSTOM, 0, false, read_proxy_headers},
        {"tls", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_proxy_tls},
    };
    struct slim_config_proxy *proxy = &((struct slim_config_client *)target)->proxy;
    slim_config_read_map(reader, node, "struct ProxyConfig", keys, SLIM_COUNT(keys), proxy);
    check_proxy(reader, node, proxy);
}

/* ---------------------------------------------------------------------------------------------------- start */

/* A problem of the value under `key` of the section `node`. */
static void put_start_problem(struct slim_config_reader *reader,
                              const struct slim_config_yaml_node *node, const char *key,
                              const char *outer, const char *inner, const char *hint)
{
    size_t mark = slim_config_path_push(reader, ".%s", key);
    slim_config_put_start_problem(reader, slim_config_yaml_find(node, key),
                                  (const char *const[]){outer, inner, NULL}, hint);
    slim_config_path_pop(reader, mark);
}

static void check_endpoint(struct slim_config_reader *reader,
                           const struct slim_config_yaml_node *node, const char *endpoint)
{
    static const char hint[] = "write http://HOST:PORT, https://HOST:PORT or unix:///PATH";
    size_t scheme_len = web_scheme_len(endpoint);
    if (endpoint[0] == '\0') {
        put_start_problem(reader, node, "endpoint", "missing grpc endpoint", NULL, hint);
    } else if (scheme_len > 0) {
        const char *authority = endpoint + scheme_len;
        if (!slim_config_is_authority(authority, strcspn(authority, "/?#"))) {
            put_start_problem(reader, node, "endpoint", "endpoint parse error", "invalid authority",
                              hint);
        }
    } else if (strncmp(endpoint, "unix://", 7) == 0) {
        if (strcspn(endpoint + 7, "?#") == 0) {
            put_start_problem(reader, node, "endpoint", "endpoint parse error",
                              "invalid unix domain socket path", hint);
        }
    } else {
        put_start_problem(reader, node, "endpoint", "invalid endpoint scheme", NULL, hint);
    }
}

/* It stands for scheme and authority of the requests. */
static void check_origin(struct slim_config_reader *reader,
                         const struct slim_config_yaml_node *node, const char *origin)
{
    size_t scheme_len = web_scheme_len(origin);
    const char *authority = origin + scheme_len;
    if (scheme_len == 0 || !slim_config_is_authority(authority, strcspn(authority, "/?#"))) {
        put_start_problem(reader, node, "origin", "URI parse error", "invalid format",
                          "write http://HOST[:PORT] or https://HOST[:PORT]");
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

static void warn_at(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                    const char *key, const char *text)
{
    size_t mark = slim_config_path_push(reader, ".%s", key);
    slim_config_put_warning(reader, slim_config_yaml_find(node, key), "%s", text);
    slim_config_path_pop(reader, mark);
}

/* Settings that look as if they protected something, and do not. */
static void warn_unprotected(struct slim_config_reader *reader,
                             const struct slim_config_yaml_node *node,
                             const struct slim_config_client *client)
{
    const struct slim_config_tls *tls = &client->tls;
    bool has_tls = slim_config_client_has_tls(client);
    bool has_sources = tls->source.kind != SLIM_CONFIG_SOURCE_NONE ||
                       tls->ca_source.kind != SLIM_CONFIG_SOURCE_NONE;
    if (client->server_name != NULL && !has_tls) {
        warn_at(reader, node, "server_name", "has no effect without TLS");
    }
    if (!has_tls && !tls->is_insecure && has_sources) {
        warn_at(reader, node, "tls", "certificates have no effect: https:// only has TLS");
    }
    if (!has_tls && strncmp(client->endpoint, "https://", 8) == 0) {
        warn_at(reader, node, "tls", "with insecure: true this https:// link has no TLS");
    }
    if (has_tls && tls->skip_verify) {
        warn_at(reader, node, "tls", "with insecure_skip_verify anybody can pose as the server");
    }
    if (!has_tls && client->auth.kind != SLIM_CONFIG_AUTH_NONE &&
        web_scheme_len(client->endpoint) > 0) {
        warn_at(reader, node, "auth", "Auth is enabled without TLS. This is not recommended.");
    }
}

/* What the reference finds out when it starts the client; what could not be read is left alone. */
static void check_start(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                        const struct slim_config_client *client)
{
    if (client->endpoint != NULL) {
        check_endpoint(reader, node, client->endpoint);
        warn_unprotected(reader, node, client);
    } else if (slim_config_yaml_find(node, "endpoint") == NULL) {
        slim_config_put_missing(reader, node, "endpoint", "add endpoint: http://HOST:PORT");
    }
    if (client->origin != NULL) {
        check_origin(reader, node, client->origin);
    }
    if (client->link_id != NULL && !is_uuid_v4(client->link_id)) {
        put_start_problem(reader, node, "link_id", "invalid link_id", NULL,
                          "write an UUID of version 4, e.g. 123e4567-e89b-42d3-a456-426614174000");
    }
    size_t mark = slim_config_path_push(reader, ".tls");
    slim_config_check_client_tls(reader, slim_config_yaml_find(node, "tls"), &client->tls);
    slim_config_path_pop(reader, mark);
    mark = slim_config_path_push(reader, ".auth");
    slim_config_check_auth(reader, slim_config_yaml_find(node, "auth"), SLIM_CONFIG_ROLE_CLIENT,
                           &client->auth);
    slim_config_path_pop(reader, mark);
}

static void set_defaults(struct slim_config_client *client)
{
    slim_config_tls_init(&client->tls);
    slim_config_tls_init(&client->proxy.tls);
    client->tcp_keepalive_ms = TCP_KEEPALIVE_MS;
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
}

void slim_config_read_client(struct slim_config_reader *reader,
                             const struct slim_config_yaml_node *node,
                             struct slim_config_client *client)
{
    static const struct slim_config_key keys[] = {
        {"endpoint", SLIM_CONFIG_TYPE_STRING, FIELD(endpoint), false, NULL},
        {"origin", SLIM_CONFIG_TYPE_STRING, FIELD(origin), true, NULL},
        {"server_name", SLIM_CONFIG_TYPE_STRING, FIELD(server_name), true, NULL},
        {"compression", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_compression},
        {"rate_limit", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_rate_limit},
        {"tls", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_tls},
        {"keepalive", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_keepalive},
        {"proxy", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_proxy},
        {"connect_timeout", SLIM_CONFIG_TYPE_DURATION, FIELD(connect_timeout_ms), false, NULL},
        {"request_timeout", SLIM_CONFIG_TYPE_DURATION, FIELD(request_timeout_ms), false, NULL},
        {"buffer_size", SLIM_CONFIG_TYPE_USIZE, SLIM_CONFIG_NO_FIELD, true, NULL},
        {"headers", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_headers},
        {"auth", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_auth},
        {"backoff", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_backoff},
        {"metadata", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_metadata},
        {"link_id", SLIM_CONFIG_TYPE_STRING, FIELD(link_id), true, NULL},
        {"transport", SLIM_CONFIG_TYPE_CUSTOM, 0, true, slim_config_read_transport},
        {"websocket_auth_query_param", SLIM_CONFIG_TYPE_STRING, SLIM_CONFIG_NO_FIELD, true, NULL},
    };
    set_defaults(client);
    slim_config_read_map(reader, node, "struct ClientConfig", keys, SLIM_COUNT(keys), client);
    if (node->kind == SLIM_CONFIG_YAML_MAP || node->kind == SLIM_CONFIG_YAML_NULL) {
        check_start(reader, node, client);
    }
}

void slim_config_client_fini(struct slim_config_client *client)
{
    slim_config_text_free(client->endpoint);
    slim_config_text_free(client->origin);
    slim_config_text_free(client->server_name);
    slim_config_tls_fini(&client->tls);
    slim_config_auth_fini(&client->auth);
    slim_config_text_free(client->proxy.url);
    slim_config_text_free(client->proxy.username);
    slim_config_text_free(client->proxy.password);
    slim_config_pairs_fini(&client->proxy.headers);
    slim_config_tls_fini(&client->proxy.tls);
    slim_config_pairs_fini(&client->headers);
    slim_config_text_free(client->link_id);
    slim_config_text_free(client->metadata);
}
