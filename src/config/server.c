#include <stdio.h>

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
    struct slim_config_server *server = target;
    slim_config_read_server_tls(reader, node, &server->tls);
}

static void read_auth(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                      void *target)
{
    struct slim_config_server *server = target;
    slim_config_read_auth(reader, node, SLIM_CONFIG_ROLE_SERVER, &server->auth);
}

static void read_metadata(struct slim_config_reader *reader,
                          const struct slim_config_yaml_node *node, void *target)
{
    struct slim_config_server *server = target;
    slim_config_read_json(reader, node, SLIM_CONFIG_METADATA_BYTES_MAX, &server->metadata);
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

static bool is_unix(const char *endpoint)
{
    return strncmp(endpoint, "unix:", 5) == 0;
}

static void check_unix(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                       const struct slim_config_server *server)
{
    const char *path = server->endpoint + 5;
    if (!server->tls.is_insecure) {
        put_start_problem(reader, node, "endpoint", "unix domain sockets require tls.insecure=true",
                          NULL, "add tls: {insecure: true}");
    } else if (strncmp(path, "//", 2) != 0 || path[2] == '\0' || path[2] == '?' || path[2] == '#') {
        put_start_problem(reader, node, "endpoint", "endpoint parse error",
                          "invalid unix domain socket path", "write unix:///path/of/the/socket");
    }
}

static void check_tls(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                      const struct slim_config_server *server)
{
    size_t mark = slim_config_path_push(reader, ".tls");
    slim_config_check_server_tls(reader, slim_config_yaml_find(node, "tls"), node, &server->tls);
    slim_config_path_pop(reader, mark);
}

static void check_auth(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                       const struct slim_config_server *server)
{
    size_t mark = slim_config_path_push(reader, ".auth");
    slim_config_check_auth(reader, slim_config_yaml_find(node, "auth"), SLIM_CONFIG_ROLE_SERVER,
                           &server->auth);
    slim_config_path_pop(reader, mark);
}

static void check_endpoint(struct slim_config_reader *reader,
                           const struct slim_config_yaml_node *node,
                           const struct slim_config_server *server)
{
    if (server->endpoint[0] == '\0') {
        put_start_problem(reader, node, "endpoint", "missing grpc endpoint", NULL,
                          "write IP:PORT or unix:///PATH");
    } else if (is_unix(server->endpoint)) {
        check_unix(reader, node, server);
    } else if (!slim_config_is_socket_address(server->endpoint)) {
        put_start_problem(reader, node, "endpoint", "endpoint parse error",
                          "invalid socket address syntax",
                          "write IP:PORT with a numeric address, e.g. 0.0.0.0:46357 or [::]:46357, "
                          "or unix:///PATH");
    } else {
        check_tls(reader, node, server);
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
        {"metadata", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_metadata},
        {"transport", SLIM_CONFIG_TYPE_CUSTOM, 0, true, slim_config_read_transport},
    };
    slim_config_tls_init(&server->tls);
    server->max_frame_bytes = FRAME_BYTES_MIN;
    server->header_list_bytes = HEADER_LIST_BYTES;
    server->keepalive_time_ms = KEEPALIVE_TIME_MS;
    server->keepalive_timeout_ms = KEEPALIVE_TIMEOUT_MS;
    server->max_connection_age_ms = CONNECTION_AGE_MS;
    server->max_connection_idle_ms = CONNECTION_IDLE_MS;
    slim_config_read_map(reader, node, "struct ServerConfig", keys, SLIM_COUNT(keys), server);
    if (node->kind != SLIM_CONFIG_YAML_MAP && node->kind != SLIM_CONFIG_YAML_NULL) {
        return;
    }
    if (server->endpoint != NULL) {
        check_endpoint(reader, node, server); /* what the reference finds out at the start */
    } else if (slim_config_yaml_find(node, "endpoint") == NULL) {
        slim_config_put_missing(reader, node, "endpoint", "add endpoint: IP:PORT");
    }
    check_auth(reader, node, server);
}

void slim_config_server_fini(struct slim_config_server *server)
{
    slim_config_text_free(server->endpoint);
    slim_config_tls_fini(&server->tls);
    slim_config_auth_fini(&server->auth);
    slim_config_text_free(server->metadata);
}
