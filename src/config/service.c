#include <stdio.h>
#include <stdlib.h>

#include "config/read.h"

enum { RECOVERY_TTL_MS = 30 * 1000 };

/* ---------------------------------------------------------------------------------------------------- the key */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_kind(struct slim_view text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = (char)text.data[i];
        bool is_digit = c >= '0' && c <= '9';
        if (!is_letter(c) && (i == 0 || (!is_digit && c != '_'))) {
            return false;
        }
    }
    return text.len > 0 && text.len <= SLIM_CONFIG_KIND_BYTES_MAX;
}

static bool is_name(struct slim_view text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = (char)text.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-') {
            return false;
        }
    }
    return text.len <= SLIM_CONFIG_NAME_BYTES_MAX;
}

static void put_key_problem(struct slim_config_reader *reader,
                            const struct slim_config_yaml_node *at, struct slim_view part,
                            const char *hint)
{
    char text[SLIM_CONFIG_CAUSE_BYTES_MAX];
    (void)snprintf(text, sizeof(text),
                   "invalid configuration - key kind contains invalid character(s): %.*s not valid",
                   (int)(part.len < 300 ? part.len : 300), (const char *)part.data); /* fits */
    slim_config_put_problem(reader, reader->stage, at, (const char *const[]){text, NULL}, "%s",
                            hint);
}

/* The two parts of "kind/name"; false after a problem was put. */
static bool split_key(struct slim_config_reader *reader, const struct slim_config_yaml_node *key,
                      struct slim_view *kind, struct slim_view *name)
{
    static const char hint[] =
        "write KIND/NAME, e.g. slim/0: KIND of letters, digits and _, NAME of a-z, 0-9 and -";
    const uint8_t *slash = memchr(key->text.data, '/', key->text.len);
    if (slash == NULL) {
        slim_config_put_problem(
            reader, reader->stage, key,
            (const char *const[]){"invalid configuration - key id cannot be empty not valid", NULL},
            "%s", hint);
        return false;
    }
    *kind = slim_view_of(key->text.data, (size_t)(slash - key->text.data));
    *name = slim_view_skip(key->text, kind->len + 1);
    if (!is_kind(*kind)) {
        put_key_problem(reader, key, *kind, hint);
        return false;
    }
    if (!is_name(*name)) {
        put_key_problem(reader, key, *name, hint);
        return false;
    }
    return true;
}

/* "kind/name", or "kind" when the name is empty. */
static void set_id(struct slim_config_reader *reader, struct slim_config_service *service,
                   struct slim_view kind, struct slim_view name)
{
    size_t size = kind.len + 1 + name.len + 1;
    char *id = malloc(size);
    if (id == NULL) {
        reader->is_out_of_memory = true;
        return;
    }
    (void)snprintf(id, size, name.len > 0 ? "%.*s/%.*s" : "%.*s", SLIM_VIEW_ARG(kind),
                   SLIM_VIEW_ARG(name)); /* fits */
    service->id = id;
}

/* The name that counts: node_id when it is given (releases from 1.3 on), else the one of the key. */
static void read_id(struct slim_config_reader *reader, const struct slim_config_yaml_item *item,
                    struct slim_config_service *service)
{
    struct slim_view kind;
    struct slim_view name;
    if (!split_key(reader, item->key, &kind, &name)) {
        return;
    }
    const struct slim_config_yaml_node *node_id =
        item->value->kind == SLIM_CONFIG_YAML_MAP ? slim_config_yaml_find(item->value, "node_id")
                                                  : NULL;
    if (node_id != NULL && node_id->kind == SLIM_CONFIG_YAML_STRING && !node_id->is_broken) {
        if (!is_name(node_id->text)) {
            put_key_problem(reader, node_id, node_id->text, "node_id may have a-z, 0-9 and - only");
            return;
        }
        name = node_id->text;
    }
    set_id(reader, service, kind, name);
}

/* ---------------------------------------------------------------------------------------------------- endpoints */

/* The elements of a list section; *count is 0 when it is absent or not a list. */
static const struct slim_config_yaml_item *list_items(struct slim_config_reader *reader,
                                                      const struct slim_config_yaml_node *node,
                                                      size_t *count)
{
    *count = 0;
    if (node->kind == SLIM_CONFIG_YAML_NULL) {
        return NULL;
    }
    if (node->kind != SLIM_CONFIG_YAML_LIST) {
        slim_config_put_type_problem(reader, node, "a sequence",
                                     "put a dash in front of each entry");
        return NULL;
    }
    if (node->count > SLIM_CONFIG_ENDPOINT_COUNT_MAX) {
        char text[80];
        (void)snprintf(text, sizeof(text), "more than %d entries",
                       SLIM_CONFIG_ENDPOINT_COUNT_MAX); /* fits */
        slim_config_put_problem(reader, reader->stage, node, (const char *const[]){text, NULL},
                                "use fewer");
        return NULL;
    }
    *count = node->count;
    return node->items;
}

static void read_server_list(struct slim_config_reader *reader,
                             const struct slim_config_yaml_node *node,
                             struct slim_config_server **servers, size_t *server_count)
{
    size_t count;
    const struct slim_config_yaml_item *items = list_items(reader, node, &count);
    if (count == 0) {
        return;
    }
    *servers = calloc(count, sizeof(**servers));
    if (*servers == NULL) {
        reader->is_out_of_memory = true;
        return;
    }
    *server_count = count;
    for (size_t i = 0; i < count; i++) {
        size_t mark = slim_config_path_push(reader, "[%zu]", i);
        slim_config_read_server(reader, items[i].value, &(*servers)[i]);
        slim_config_path_pop(reader, mark);
    }
}

static void read_client_list(struct slim_config_reader *reader,
                             const struct slim_config_yaml_node *node,
                             struct slim_config_client **clients, size_t *client_count)
{
    size_t count;
    const struct slim_config_yaml_item *items = list_items(reader, node, &count);
    if (count == 0) {
        return;
    }
    *clients = calloc(count, sizeof(**clients));
    if (*clients == NULL) {
        reader->is_out_of_memory = true;
        return;
    }
    *client_count = count;
    for (size_t i = 0; i < count; i++) {
        size_t mark = slim_config_path_push(reader, "[%zu]", i);
        slim_config_read_client(reader, items[i].value, &(*clients)[i]);
        slim_config_path_pop(reader, mark);
    }
}

/* ---------------------------------------------------------------------------------------------------- dataplane */

static void read_servers(struct slim_config_reader *reader,
                         const struct slim_config_yaml_node *node, void *target)
{
    struct slim_config_service *service = target;
    read_server_list(reader, node, &service->servers, &service->server_count);
}

static void read_clients(struct slim_config_reader *reader,
                         const struct slim_config_yaml_node *node, void *target)
{
    struct slim_config_service *service = target;
    read_client_list(reader, node, &service->clients, &service->client_count);
}

/* The data plane has no use for tokens; what is written about them must be right all the same. */
static void check_provider(struct slim_config_reader *reader,
                           const struct slim_config_yaml_node *node, void *target)
{
    struct slim_config_auth unused = {.kind = SLIM_CONFIG_AUTH_NONE};
    (void)target;
    slim_config_read_auth(reader, node, SLIM_CONFIG_ROLE_PROVIDER, &unused);
    slim_config_auth_fini(&unused);
}

static void check_verifier(struct slim_config_reader *reader,
                           const struct slim_config_yaml_node *node, void *target)
{
    struct slim_config_auth unused = {.kind = SLIM_CONFIG_AUTH_NONE};
    (void)target;
    slim_config_read_auth(reader, node, SLIM_CONFIG_ROLE_VERIFIER, &unused);
    slim_config_auth_fini(&unused);
}

static void read_dataplane(struct slim_config_reader *reader,
                           const struct slim_config_yaml_node *node, void *target)
{
    static const struct slim_config_key keys[] = {
        {"servers", SLIM_CONFIG_TYPE_CUSTOM, 0, false, read_servers},
        {"clients", SLIM_CONFIG_TYPE_CUSTOM, 0, false, read_clients},
        {"recovery_ttl", SLIM_CONFIG_TYPE_DURATION,
         offsetof(struct slim_config_service, recovery_ttl_ms), true, NULL},
        {"token_provider", SLIM_CONFIG_TYPE_CUSTOM, 0, true, check_provider},
        {"token_verifier", SLIM_CONFIG_TYPE_CUSTOM, 0, true, check_verifier},
    };
    slim_config_read_map(reader, node, "struct DataplaneConfig", keys, SLIM_COUNT(keys), target);
}

/* ---------------------------------------------------------------------------------------------------- controller */

static void read_controller_servers(struct slim_config_reader *reader,
                                    const struct slim_config_yaml_node *node, void *target)
{
    struct slim_config_controller *controller = target;
    read_server_list(reader, node, &controller->servers, &controller->server_count);
}

static void read_controller_clients(struct slim_config_reader *reader,
                                    const struct slim_config_yaml_node *node, void *target)
{
    struct slim_config_controller *controller = target;
    read_client_list(reader, node, &controller->clients, &controller->client_count);
}

/* Read, and look at what the start would find. */
static void read_token(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                       enum slim_config_auth_role role, struct slim_config_auth *auth)
{
    slim_config_read_auth(reader, node, role, auth);
    slim_config_check_auth(reader, node, role, auth);
}

static void read_token_provider(struct slim_config_reader *reader,
                                const struct slim_config_yaml_node *node, void *target)
{
    struct slim_config_controller *controller = target;
    read_token(reader, node, SLIM_CONFIG_ROLE_PROVIDER, &controller->token_provider);
}

static void read_token_verifier(struct slim_config_reader *reader,
                                const struct slim_config_yaml_node *node, void *target)
{
    struct slim_config_controller *controller = target;
    read_token(reader, node, SLIM_CONFIG_ROLE_VERIFIER, &controller->token_verifier);
}

static void read_controller(struct slim_config_reader *reader,
                            const struct slim_config_yaml_node *node, void *target)
{
    static const struct slim_config_key keys[] = {
        {"servers", SLIM_CONFIG_TYPE_CUSTOM, 0, false, read_controller_servers},
        {"clients", SLIM_CONFIG_TYPE_CUSTOM, 0, false, read_controller_clients},
        {"token_provider", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_token_provider},
        {"token_verifier", SLIM_CONFIG_TYPE_CUSTOM, 0, true, read_token_verifier},
        {"recovery_ttl", SLIM_CONFIG_TYPE_DURATION, SLIM_CONFIG_NO_FIELD, true, NULL},
    };
    struct slim_config_service *service = target;
    const char *outer_context = reader->start_context;
    reader->start_context = "controller error";
    service->controller.is_present = node->kind != SLIM_CONFIG_YAML_NULL;
    slim_config_read_map(reader, node, "struct ControllerConfig", keys, SLIM_COUNT(keys),
                         &service->controller);
    reader->start_context = outer_context;
}

/* ---------------------------------------------------------------------------------------------------- services */

static void read_service(struct slim_config_reader *reader,
                         const struct slim_config_yaml_item *item,
                         struct slim_config_service *service)
{
    static const struct slim_config_key keys[] = {
        {"node_id", SLIM_CONFIG_TYPE_STRING, SLIM_CONFIG_NO_FIELD, true, NULL},
        {"group_name", SLIM_CONFIG_TYPE_STRING, offsetof(struct slim_config_service, group_name),
         true, NULL},
        {"dataplane", SLIM_CONFIG_TYPE_CUSTOM, 0, false, read_dataplane},
        {"controller", SLIM_CONFIG_TYPE_CUSTOM, 0, false, read_controller},
    };
    size_t problems_before = slim_config_problem_total(reader);
    service->recovery_ttl_ms = RECOVERY_TTL_MS;
    read_id(reader, item, service);
    slim_config_read_map(reader, item->value, "struct ServiceConfiguration", keys, SLIM_COUNT(keys),
                         service);
    if (slim_config_problem_total(reader) == problems_before && reader->document == NULL &&
        service->server_count + service->client_count == 0) {
        slim_config_put_problem(reader, SLIM_CONFIG_STAGE_START, item->key,
                                (const char *const[]){"no server or client configured", NULL},
                                "add dataplane.servers or dataplane.clients");
    }
}

/* Two listeners on one endpoint, wherever in the file: the second would find the address in use. */
static void check_server_twice(struct slim_config_reader *reader, const struct slim_config *config,
                               size_t last, const struct slim_config_server *server)
{
    for (size_t i = 0; i <= last; i++) {
        for (size_t j = 0; j < config->services[i].server_count; j++) {
            const struct slim_config_server *other = &config->services[i].servers[j];
            if (other == server) {
                return;
            }
            if (strcmp(other->endpoint, server->endpoint) == 0) {
                slim_config_put_problem(
                    reader, SLIM_CONFIG_STAGE_START, NULL,
                    (const char *const[]){"datapath error", "configuration error", "bind error",
                                          "Address already in use (os error 98)", NULL},
                    "the server endpoint %.80s is there twice", server->endpoint);
                return;
            }
        }
    }
}

static void check_client_twice(struct slim_config_reader *reader,
                               const struct slim_config_service *service, size_t index)
{
    const char *endpoint = service->clients[index].endpoint;
    for (size_t i = 0; i < index; i++) {
        if (strcmp(service->clients[i].endpoint, endpoint) == 0) {
            char text[SLIM_CONFIG_CAUSE_BYTES_MAX];
            (void)snprintf(text, sizeof(text), "client already connected: %.300s",
                           endpoint); /* fits */
            slim_config_put_problem(reader, SLIM_CONFIG_STAGE_START, NULL,
                                    (const char *const[]){text, NULL},
                                    "the client endpoint is there twice in %.80s", service->id);
            return;
        }
    }
}

/* A control server on an address that another server of the service has. */
static void check_controller_twice(struct slim_config_reader *reader,
                                   const struct slim_config_service *service, size_t index)
{
    const struct slim_config_controller *controller = &service->controller;
    const char *endpoint = controller->servers[index].endpoint;
    for (size_t i = 0; i < service->server_count; i++) {
        if (strcmp(service->servers[i].endpoint, endpoint) == 0) {
            slim_config_put_problem(
                reader, SLIM_CONFIG_STAGE_START, NULL,
                (const char *const[]){"controller error", "configuration error", "bind error",
                                      "Address already in use (os error 98)", NULL},
                "%.80s is the endpoint of a data-plane server of %.80s too", endpoint, service->id);
            return;
        }
    }
    for (size_t i = 0; i < index; i++) {
        if (strcmp(controller->servers[i].endpoint, endpoint) == 0) {
            char text[SLIM_CONFIG_CAUSE_BYTES_MAX];
            (void)snprintf(text, sizeof(text), "server already running: %.300s",
                           endpoint); /* fits */
            slim_config_put_problem(reader, SLIM_CONFIG_STAGE_START, NULL,
                                    (const char *const[]){"controller error", text, NULL},
                                    "the control server endpoint is there twice in %.80s",
                                    service->id);
            return;
        }
    }
}

static void check_id_twice(struct slim_config_reader *reader, const struct slim_config *config,
                           size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(config->services[i].id, config->services[index].id) == 0) {
            char text[SLIM_CONFIG_CAUSE_BYTES_MAX];
            (void)snprintf(text, sizeof(text), "invalid configuration - key %.300s not valid",
                           config->services[index].id); /* fits */
            slim_config_put_problem(
                reader, reader->stage, NULL, (const char *const[]){text, NULL},
                "two services have this id (node_id replaces the name in the key)");
            return;
        }
    }
}

/* What can be seen only when every service is there and complete. */
static void check_twice(struct slim_config_reader *reader, const struct slim_config *config)
{
    for (size_t i = 0; i < config->service_count; i++) {
        const struct slim_config_service *service = &config->services[i];
        check_id_twice(reader, config, i);
        for (size_t j = 0; j < service->server_count; j++) {
            check_server_twice(reader, config, i, &service->servers[j]);
        }
        for (size_t j = 0; j < service->client_count; j++) {
            check_client_twice(reader, service, j);
        }
        for (size_t j = 0; j < service->controller.server_count; j++) {
            check_controller_twice(reader, service, j);
        }
    }
}

static void put_services_problem(struct slim_config_reader *reader,
                                 const struct slim_config_yaml_node *at, const char *cause)
{
    slim_config_put_problem(
        reader, reader->stage, at, (const char *const[]){cause, NULL},
        "write services: {slim/0: {dataplane: {servers: [..]}}}, at most %d of them",
        SLIM_CONFIG_SERVICE_COUNT_MAX);
}

static void read_each(struct slim_config_reader *reader, const struct slim_config_yaml_node *node)
{
    struct slim_config *config = reader->report->config;
    size_t problems_before = slim_config_problem_total(reader);
    config->services = calloc(node->count, sizeof(*config->services));
    if (config->services == NULL) {
        reader->is_out_of_memory = true;
        return;
    }
    config->service_count = node->count;
    for (size_t i = 0; i < node->count; i++) {
        size_t mark =
            slim_config_path_push(reader, ".%s", (const char *)node->items[i].key->text.data);
        read_service(reader, &node->items[i], &config->services[i]);
        slim_config_path_pop(reader, mark);
    }
    if (slim_config_problem_total(reader) == problems_before && !reader->is_out_of_memory) {
        check_twice(reader, config);
    }
}

void slim_config_read_services(struct slim_config_reader *reader,
                               const struct slim_config_yaml_node *node)
{
    size_t mark = slim_config_path_push(reader, "services");
    if (node == NULL || node->kind == SLIM_CONFIG_YAML_NULL ||
        (node->kind == SLIM_CONFIG_YAML_MAP && node->count == 0)) {
        if (reader->document == NULL) {
            put_services_problem(reader, node, "invalid configuration - missing services");
        }
    } else if (node->kind != SLIM_CONFIG_YAML_MAP) {
        put_services_problem(reader, node, "invalid configuration - impossible to parse yaml");
    } else if (node->count > SLIM_CONFIG_SERVICE_COUNT_MAX) {
        put_services_problem(reader, node, "invalid configuration - too many services");
    } else {
        read_each(reader, node);
    }
    slim_config_path_pop(reader, mark);
}

static void drop_endpoints(struct slim_config_server *servers, size_t server_count,
                           struct slim_config_client *clients, size_t client_count)
{
    for (size_t i = 0; i < server_count; i++) {
        slim_config_server_fini(&servers[i]);
    }
    for (size_t i = 0; i < client_count; i++) {
        slim_config_client_fini(&clients[i]);
    }
    free(servers);
    free(clients);
}

void slim_config_service_fini(struct slim_config_service *service)
{
    struct slim_config_controller *controller = &service->controller;
    slim_config_text_free(service->id);
    slim_config_text_free(service->group_name);
    drop_endpoints(service->servers, service->server_count, service->clients,
                   service->client_count);
    drop_endpoints(controller->servers, controller->server_count, controller->clients,
                   controller->client_count);
    slim_config_auth_fini(&controller->token_provider);
    slim_config_auth_fini(&controller->token_verifier);
}
