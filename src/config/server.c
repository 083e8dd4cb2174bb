#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/read.h"

enum {
    FRAME_BYTES_MIN = 16384, /* HTTP/2: bounds of SETTINGS_MAX_FRAME_SIZE */
    FRAME_BYTES_MAX = 16777215,
    FRAME_UNIT_BYTES = 1024 * 1024, /* max_frame_size counts these */
    HEADER_LIST_BYTES = 16384,
    KEEPALIVE_TIME_MS = 120 * 1000,
    KEEPALIVE_TIMEOUT_MS = 20 * 1000,
    CONNECTION_AGE_MS = 2 * 3600 * 1000,
    CONNECTION_IDLE_MS = 3600 * 1000,
    PORT_DIGITS_MAX = 5,
};

#define FIELD(member) offsetof(struct slim_config_server, member)

static void read_max_frame_size(struct slim_config_reader *reader,
                                const struct slim_config_yaml_node *node, void *target)
{
    static const struct slim_config_key mebibytes = {"", SLIM_CONFIG_TYPE_U32, 0, true, NULL};
    struct slim_config_server *server = target;
    uint32_t value = 0;
    size_t problems_before = slim_config_problem_total(reader);
    slim_config_read_value(reader, node, &mebibytes, &value);
    if (slim_config_problem_total(reader) != problems_before) {
        return;
    }
    uint64_t bytes = (uint64_t)value * FRAME_UNIT_BYTES;
    if (bytes < FRAME_BYTES_MIN || bytes > FRAME_BYTES_MAX) {
        bytes = bytes < FRAME_BYTES_MIN ? FRAME_BYTES_MIN : FRAME_BYTES_MAX;
        slim_config_put_warning(reader, node, "HTTP/2 allows 1 to 15 (MiB); %lu bytes are used",
                                bytes);
    }
    server->max_frame_bytes = (uint32_t)bytes;
}

static void read_tls(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                     void *target)
{
    static const struct slim_config_key keys[] = {
        {"insecure", SLIM_CONFIG_TYPE_BOOL, FIELD(tls.is_insecure), false, NULL},
        {"source", SLIM_CONFIG_TYPE_CUSTOM, 0, true, slim_config_read_tls_source},
        {"ca_source", SLIM_CONFIG_TYPE_CUSTOM, 0, true, slim_config_read_tls_source},
        {"client_ca", SLIM_CONFIG_TYPE_CUSTOM, 0, true, slim_config_read_tls_source},
        {"include_system_ca_certs_pool", SLIM_CONFIG_TYPE_BOOL, SLIM_CONFIG_NO_FIELD, false, NULL},
        {"tls_version", SLIM_CONFIG_TYPE_STRING, SLIM_CONFIG_NO_FIELD, false, NULL},
        {"reload_interval", SLIM_CONFIG_TYPE_CUSTOM, 0, true, slim_config_read_tls_reload},
        {"reload_client_ca_file", SLIM_CONFIG_TYPE_BOOL, SLIM_CONFIG_NO_FIELD, false, NULL},
    };
    slim_config_read_map(reader, node, "struct TlsServerConfig", keys, SLIM_COUNT(keys), target);
}

static void read_keepalive(struct slim_config_reader *reader,
                           const struct slim_config_yaml_node *node, void *target)
{
    static const struct slim_config_key keys[] = {
        {"time", SLIM_CONFIG_TYPE_DURATION, FIELD(keepalive_time_ms), false, NULL},
        {"timeout", SLIM_CONFIG_TYPE_DURATION, FIELD(keepalive_timeout_ms), false, NULL},
        {"max_connection_age", SLIM_CONFIG_TYPE_DURATION, FIELD(max_connection_age_ms), false,
         NULL},
        {"max_connection_age_grace", SLIM_CONFIG_TYPE_DURATION, SLIM_CONFIG_NO_FIELD, false, NULL},
        {"max_connection_idle", SLIM_CONFIG_TYPE_DURATION, FIELD(max_connection_idle_ms), false,
         NULL},
    };
    slim_config_read_map(reader, node, "struct KeepaliveServerParameters", keys, SLIM_COUNT(keys),
                         target);
}

static void read_auth(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                      void *target)
{
    static const char *const types[] = {"none", "basic", "jwt", "spire", NULL};
    (void)target;
    const char *type = slim_config_read_tag(reader, node, "AuthenticationConfig",
                                            "one of `basic`, `jwt`, `none`", types);
    if (type != NULL && strcmp(type, "none") != 0) {
        slim_config_put_unsupported(reader, node, "the key `auth` with type `%s`", type);
    }
}

/* ---------------------------------------------------------------------------------------------------- endpoint */

static bool is_port(struct slim_view text)
{
    uint32_t port = 0;
    while (text.len > PORT_DIGITS_MAX && text.data[0] == '0') {
        text = slim_view_skip(text, 1);
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || i == PORT_DIGITS_MAX) {
            return false;
        }
        port = port * 10 + (uint32_t)(text.data[i] - '0');
    }
    return text.len > 0 && port <= UINT16_MAX;
}

/* "1.2.3.4:80" or "[::1]:80" */
static bool is_socket_address(const char *text)
{
    char address[INET6_ADDRSTRLEN];
    unsigned char binary[sizeof(struct in6_addr)];
    const char *colon = strrchr(text, ':');
    if (colon == NULL || !is_port(slim_view_str(colon + 1))) {
        return false;
    }
    bool is_v6 = text[0] == '[';
    size_t len = (size_t)(colon - text);
    if (is_v6) {
        if (len < 3 || text[len - 1] != ']') {
            return false;
        }
        text++;
        len -= 2;
    }
    if (len >= sizeof(address)) {
        return false;
    }
    memcpy(address, text, len);
    address[len] = '\0';
    return inet_pton(is_v6 ? AF_INET6 : AF_INET, address, binary) == 1;
}

static void put_start_problem(struct slim_config_reader *reader,
                              const struct slim_config_yaml_node *at, const char *outer,
                              const char *inner, const char *hint)
{
    slim_config_put_problem(
        reader, SLIM_CONFIG_STAGE_START, at,
        (const char *const[]){"datapath error", "configuration error", outer, inner, NULL}, "%s",
        hint);
}

static bool is_unix(const char *endpoint)
{
    return strncmp(endpoint, "unix:", 5) == 0;
}

static void check_unix(struct slim_config_reader *reader, const struct slim_config_yaml_node *at,
                       const struct slim_config_server *server)
{
    const char *path = server->endpoint + 5;
    if (!server->tls.is_insecure) {
        put_start_problem(reader, at, "unix domain sockets require tls.insecure=true", NULL,
                          "add tls: {insecure: true}");
    } else if (strncmp(path, "//", 2) != 0 || path[2] == '\0' || path[2] == '?' || path[2] == '#') {
        put_start_problem(reader, at, "endpoint parse error", "invalid unix domain socket path",
                          "write unix:///path/of/the/socket");
    }
}

static void check_tls(struct slim_config_reader *reader, const struct slim_config_yaml_node *node)
{
    const struct slim_config_yaml_node *tls = slim_config_yaml_find(node, "tls");
    const struct slim_config_yaml_node *version = tls == NULL || tls->kind != SLIM_CONFIG_YAML_MAP
                                                      ? NULL
                                                      : slim_config_yaml_find(tls, "tls_version");
    if (version != NULL && !slim_view_is_equal(version->text, SLIM_VIEW("tls1.2")) &&
        !slim_view_is_equal(version->text, SLIM_VIEW("tls1.3"))) {
        char text[64];
        (void)snprintf(text, sizeof(text), "invalid tls version: %.40s",
                       version->is_secret ? "${..}" : (const char *)version->text.data); /* fits */
        put_start_problem(reader, version, "TLS config error", text, "write tls1.2 or tls1.3");
        return;
    }
    put_start_problem(reader, tls == NULL ? node : tls, "TLS config error",
                      "missing server cert or key",
                      "this version of slim listens without TLS only: add tls: {insecure: true}");
}

/* What the reference finds out when it starts the server. */
static void check_start(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                        const struct slim_config_server *server)
{
    const struct slim_config_yaml_node *at = slim_config_yaml_find(node, "endpoint");
    if (server->endpoint[0] == '\0') {
        put_start_problem(reader, at, "missing grpc endpoint", NULL,
                          "write IP:PORT or unix:///PATH");
    } else if (is_unix(server->endpoint)) {
        check_unix(reader, at, server);
    } else if (!is_socket_address(server->endpoint)) {
        put_start_problem(reader, at, "endpoint parse error", "invalid socket address syntax",
                          "write IP:PORT with a numeric address, e.g. 0.0.0.0:46357 or [::]:46357, "
                          "or unix:///PATH");
    } else if (!server->tls.is_insecure) {
        check_tls(reader, node);
    }
}

void slim_config_read_server(struct slim_config_reader *reader,
                             const struct slim_config_yaml_node *node,
                             struct slim_config_server *server)
{
    static const struct slim_config_key keys[] = {
        {"endpoint", SLIM_CONFIG_TYPE_STRING, FIELD(endpoint), false, NULL},
        {"tls", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_tls},
        {"http2_only", SLIM_CONFIG_TYPE_BOOL, SLIM_CONFIG_NO_FIELD, false, NULL},
        {"max_frame_size", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_max_frame_size},
        {"max_concurrent_streams", SLIM_CONFIG_TYPE_U32, FIELD(max_concurrent_streams), true, NULL},
        {"max_header_list_size", SLIM_CONFIG_TYPE_U32, FIELD(header_list_bytes), true, NULL},
        {"read_buffer_size", SLIM_CONFIG_TYPE_USIZE, SLIM_CONFIG_NO_FIELD, true, NULL},
        {"write_buffer_size", SLIM_CONFIG_TYPE_USIZE, SLIM_CONFIG_NO_FIELD, true, NULL},
        {"keepalive", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_keepalive},
        {"auth", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_auth},
        {"metadata", SLIM_CONFIG_TYPE_CUSTOM, 0, true, slim_config_read_metadata},
        {"transport", SLIM_CONFIG_TYPE_CUSTOM, 0, true, slim_config_read_transport},
    };
    size_t problems_before = slim_config_problem_total(reader);
    server->max_frame_bytes = FRAME_BYTES_MIN;
    server->header_list_bytes = HEADER_LIST_BYTES;
    server->keepalive_time_ms = KEEPALIVE_TIME_MS;
    server->keepalive_timeout_ms = KEEPALIVE_TIMEOUT_MS;
    server->max_connection_age_ms = CONNECTION_AGE_MS;
    server->max_connection_idle_ms = CONNECTION_IDLE_MS;
    slim_config_read_map(reader, node, "struct ServerConfig", keys, SLIM_COUNT(keys), server);
    if (slim_config_problem_total(reader) != problems_before || reader->is_out_of_memory) {
        return;
    }
    if (server->endpoint == NULL) {
        slim_config_put_problem(
            reader, reader->stage, node,
            (const char *const[]){"yaml parse error", "missing field `endpoint`", NULL},
            "add endpoint: IP:PORT");
        return;
    }
    check_start(reader, node, server);
}

void slim_config_server_fini(struct slim_config_server *server)
{
    free(server->endpoint);
}
