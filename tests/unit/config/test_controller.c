/* The section controller of a service: read and checked like the data plane's (spec node.md 3.4). */
#include "rows.h"

static void servers_clients_and_tokens_reach_their_fields(void **state)
{
    (void)state;
    struct slim_config *config = read_good(
        "controller",
        CONTROLLER("servers: [{endpoint: \"127.0.0.1:2\", tls: {insecure: true}, metadata: "
                   "{local_endpoint: x}}], clients: [{endpoint: \"https://c:50052\", server_name: "
                   "c, auth: {type: basic, username: u, password: p}}, {endpoint: "
                   "\"http://c:1\"}], token_provider: {type: static_jwt, file: /t}, "
                   "token_verifier: {type: none}, recovery_ttl: 1s"));
    const struct slim_config_controller *controller = &config->services[0].controller;
    CHECK(controller->is_present && config->warning_count == 0);
    CHECK(controller->server_count == 1 && controller->client_count == 2);
    CHECK(is_text(controller->servers[0].endpoint, "127.0.0.1:2"));
    CHECK(is_text(controller->servers[0].metadata, "{\"local_endpoint\":\"x\"}"));
    CHECK(is_text(controller->clients[0].server_name, "c"));
    CHECK(controller->clients[0].auth.kind == SLIM_CONFIG_AUTH_BASIC);
    CHECK(controller->clients[1].backoff.max_attempts == UINT64_MAX);
    CHECK(controller->token_provider.kind == SLIM_CONFIG_AUTH_STATIC_JWT);
    CHECK(controller->token_verifier.kind == SLIM_CONFIG_AUTH_NONE);
    CHECK(config->services[0].recovery_ttl_ms == 30000); /* that of the controller has no effect */
    slim_config_free(config);
}

static void an_absent_section_is_told_from_an_empty_one(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *text;
        bool is_present;
    } rows[] = {
        {"absent", GOOD_SERVER(""), false},
        {"empty", CONTROLLER(""), true},
        {"of the tutorial", CONTROLLER("servers: []"), true},
        {"null",
         "services: {slim/0: {controller: ~, dataplane: {servers: [{endpoint: \"127.0.0.1:1\", "
         "tls: {insecure: true}}]}}}\n",
         false},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_config *config = read_good(rows[i].why, rows[i].text);
        const struct slim_config_controller *controller = &config->services[0].controller;
        CHECK_ROW(rows[i].why, controller->is_present == rows[i].is_present);
        CHECK_ROW(rows[i].why, controller->server_count + controller->client_count == 0);
        slim_config_free(config);
    }
}

static void group_and_node_names_reach_the_service(void **state)
{
    (void)state;
    struct slim_config *config =
        read_good("names", "services: {slim/0: {node_id: n7, group_name: g/1, dataplane: {servers: "
                           "[{endpoint: \"127.0.0.1:1\", " INSECURE "}]}}}\n");
    CHECK(is_text(config->services[0].id, "slim/n7"));
    CHECK(is_text(config->services[0].group_name, "g/1"));
    slim_config_free(config);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    static const struct bad_row rows[] = {
        {"a controller is no data plane",
         "services: {slim/0: {controller: {servers: [{endpoint: \"127.0.0.1:2\", " INSECURE
         "}]}}}\n",
         START, "no server or client configured", "add dataplane.servers"},
        {"one endpoint twice",
         CONTROLLER("servers: [{endpoint: \"127.0.0.1:2\", " INSECURE
                    "}, {endpoint: \"127.0.0.1:2\", " INSECURE "}]"),
         START, "controller error > server already running: 127.0.0.1:2", "there twice in slim/0"},
        {"the endpoint of the data plane",
         CONTROLLER("servers: [{endpoint: \"127.0.0.1:1\", " INSECURE "}]"), START,
         CONTROLLER_CHAIN "bind error > Address already in use (os error 98)",
         "127.0.0.1:1 is the endpoint of a data-plane server of slim/0 too"},
        {"a server without certificate", CONTROLLER("servers: [{endpoint: \"127.0.0.1:2\"}]"),
         START, CONTROLLER_CHAIN "TLS config error > missing server cert or key",
         "slim/0.controller.servers[0].tls: add source"},
        {"a host name", CONTROLLER("servers: [{endpoint: \"localhost:2\", " INSECURE "}]"), START,
         CONTROLLER_CHAIN "endpoint parse error > invalid socket address syntax", ""},
        {"a client without scheme", CONTROLLER("clients: [{endpoint: \"c:1\"}]"), START,
         CONTROLLER_CHAIN "invalid endpoint scheme", "controller.clients[0]"},
        {"a client without endpoint", CONTROLLER("clients: [{}]"), LOAD,
         "yaml parse error > missing field `endpoint`", ""},
        {"servers as map", CONTROLLER("servers: {}"), LOAD,
         "yaml parse error > invalid type: map, expected a sequence", "controller.servers"},
        {"a section that is a list",
         "services: {slim/0: {controller: [], dataplane: {servers: [{endpoint: "
         "\"127.0.0.1:1\", " INSECURE "}]}}}\n",
         LOAD, "yaml parse error > invalid type: sequence, expected struct ControllerConfig",
         "slim/0.controller"},
        {"the data plane has its own context again",
         "services: {slim/0: {controller: {}, dataplane: {clients: [{endpoint: c}]}}}\n", START,
         START_CHAIN "invalid endpoint scheme", ""},
        {"a group that is a number", "services: {slim/0: {group_name: 1}}\n", LOAD,
         "yaml parse error > invalid type: integer `1`, expected a string", "slim/0.group_name"},
        {"a node id that is a number", "services: {slim/0: {node_id: 1}}\n", LOAD,
         "yaml parse error > invalid type: integer `1`, expected a string", "slim/0.node_id"},
        {"a recovery time that is a number", SERVICE("recovery_ttl: 1, servers: []"), LOAD,
         "yaml parse error > invalid type: integer `1`, expected string", "recovery_ttl"},
        {"also where it has no effect", CONTROLLER("recovery_ttl: 1"), LOAD,
         "yaml parse error > invalid type: integer `1`, expected string", ""},
    };
    check_bad_rows(rows, SLIM_COUNT(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_clients_and_tokens_reach_their_fields),
        cmocka_unit_test(an_absent_section_is_told_from_an_empty_one),
        cmocka_unit_test(group_and_node_names_reach_the_service),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests_name("controller", tests, NULL, NULL);
}
