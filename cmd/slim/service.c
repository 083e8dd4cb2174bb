#include "slim/service.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "datapath/datapath.h"

#define SLIM_LOG_TARGET "slim_service::service"
#define ENGINE_VERSION                                                                             \
    "1.4.0" /* what link negotiation announces: the release whose promises the engine keeps */

enum { REASON_BYTES_MAX = 256 };

/* The first connection of one client.
 * is_done    written last by the engine thread (release), read by main (acquire); the fields behind it belong to the
 *            engine thread before, to main after it */
struct link {
    struct slim_engine *engine;
    _Atomic bool is_done;
    enum slim_status status;
    uint64_t conn_id;
    char text[REASON_BYTES_MAX];
};

/* links        config->client_count of them; the engine thread has pointers to them until it is stopped
 * is_drained   written by the engine thread (release), read by main (acquire) */
struct slim_service {
    struct slim_engine *engine;
    const struct slim_config_service *config;
    struct slim_datapath *datapath;
    struct link *links;
    _Atomic bool is_drained;
};

struct make {
    struct slim_service *service;
    size_t memory_max_bytes;
    enum slim_status status;
};

static void make_datapath(void *arg)
{
    struct make *make = arg;
    struct slim_datapath_options options = {
        .memory_max_bytes = make->memory_max_bytes,
        .is_whole_process = true,
        .recovery_ttl_ms = make->service->config->recovery_ttl_ms,
        .slim_version = ENGINE_VERSION,
    };
    make->status = slim_datapath_new(slim_engine_loop(make->service->engine), &options,
                                     &make->service->datapath);
}

enum slim_status slim_service_new(struct slim_engine *engine,
                                  const struct slim_config_service *config, size_t memory_max_bytes,
                                  struct slim_service **service)
{
    struct slim_service *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    made->engine = engine;
    made->config = config;
    if (config->client_count > 0) {
        made->links = calloc(config->client_count, sizeof(*made->links));
        if (made->links == NULL) {
            free(made);
            return SLIM_ERR_NO_MEMORY;
        }
    }
    struct make make = {.service = made, .memory_max_bytes = memory_max_bytes};
    slim_engine_call(engine, make_datapath, &make);
    if (make.status != SLIM_OK) {
        slim_service_free(made);
        return make.status;
    }
    *service = made;
    return SLIM_OK;
}

void slim_service_free(struct slim_service *service)
{
    if (service == NULL) {
        return;
    }
    slim_datapath_free(service->datapath);
    free(service->links);
    free(service);
}

/* ---------------------------------------------------------------------------------------------------- start */

static void put_cause(struct slim_config_error *failure, const char *text)
{
    assert(failure->cause_count < SLIM_CONFIG_CAUSES_MAX);
    (void)snprintf(failure->cause[failure->cause_count++], SLIM_CONFIG_CAUSE_BYTES_MAX, "%s",
                   text); /* may be cut */
}

/* The chain of the reference, and as its last link which part of which service it was. */
static void set_failure(struct slim_config_error *failure, const struct slim_service *service,
                        const char *const *causes, const char *part, const char *endpoint)
{
    *failure = (struct slim_config_error){.stage = SLIM_CONFIG_STAGE_START};
    for (; *causes != NULL; causes++) {
        put_cause(failure, *causes);
    }
    char where[SLIM_CONFIG_CAUSE_BYTES_MAX];
    (void)snprintf(where, sizeof(where), "service %.100s: %s%.300s", service->config->id, part,
                   endpoint); /* fits */
    put_cause(failure, where);
}

/* The causes of an error, one per line of its text, behind those that lead to it. `lines` is cut apart. */
static void set_failure_lines(struct slim_config_error *failure, const struct slim_service *service,
                              char *lines, const char *part, const char *endpoint)
{
    const char *causes[SLIM_CONFIG_CAUSES_MAX] = {"datapath error", "configuration error"};
    size_t count = 2;
    for (char *line = lines; line != NULL && count < SLIM_COUNT(causes) - 1; count++) {
        causes[count] = line;
        line = strchr(line, '\n');
        if (line != NULL) {
            *line++ = '\0';
        }
    }
    set_failure(failure, service, causes, part, endpoint);
}

struct listen {
    struct slim_service *service;
    const struct slim_config_server *server;
    enum slim_status status;
    struct slim_error error;
};

static void listen_now(void *arg)
{
    struct listen *listen = arg;
    listen->status =
        slim_datapath_listen(listen->service->datapath, listen->server, &listen->error);
}

static bool start_servers(struct slim_service *service, struct slim_config_error *failure)
{
    for (size_t i = 0; i < service->config->server_count; i++) {
        struct listen listen = {.service = service, .server = &service->config->servers[i]};
        slim_engine_call(service->engine, listen_now, &listen);
        if (listen.status != SLIM_OK && strchr(listen.error.text, '\n') != NULL) {
            set_failure_lines(failure, service, listen.error.text, "server ",
                              listen.server->endpoint);
            return false;
        }
        if (listen.status != SLIM_OK) {
            const char *kind =
                listen.status == SLIM_ERR_CONFIG ? "endpoint parse error" : "bind error";
            set_failure(failure, service,
                        (const char *const[]){"datapath error", "configuration error", kind,
                                              listen.error.text, NULL},
                        "server ", listen.server->endpoint);
            return false;
        }
        slim_log(INFO, "dataplane server started",
                 SLIM_LOG_STR("endpoint", listen.server->endpoint));
    }
    return true;
}

static void on_connected(void *ctx, enum slim_status status, uint64_t conn_id, const char *text)
{
    struct link *link = ctx;
    link->status = status;
    link->conn_id = conn_id;
    (void)snprintf(link->text, sizeof(link->text), "%s", text); /* may be cut */
    atomic_store_explicit(&link->is_done, true, memory_order_release);
    slim_engine_wake(link->engine);
}

struct dial {
    struct slim_service *service;
    const struct slim_config_client *client;
    struct link *link;
    enum slim_status status;
    struct slim_error error;
};

static void dial_now(void *arg)
{
    struct dial *dial = arg;
    dial->status = slim_datapath_connect(dial->service->datapath, dial->client, on_connected,
                                         dial->link, &dial->error);
}

/* A link that was refused for good has a gRPC answer behind it; the others failed in the transport. */
static void set_link_failure(struct slim_config_error *failure, const struct slim_service *service,
                             const struct slim_config_client *client, enum slim_status status,
                             const char *text)
{
    if (status == SLIM_ERR_EXISTS) {
        set_failure(failure, service, (const char *const[]){text, NULL}, "client ",
                    client->endpoint);
    } else if (status == SLIM_ERR_DENIED) {
        set_failure(failure, service,
                    (const char *const[]){"datapath error", "grpc error", text, NULL}, "client ",
                    client->endpoint);
    } else {
        const char *kind = status == SLIM_ERR_CONFIG ? "endpoint parse error"
                           : status == SLIM_ERR_AUTH ? "auth config error"
                                                     : "transport error";
        set_failure(
            failure, service,
            (const char *const[]){"datapath error", "configuration error", kind, text, NULL},
            "client ", client->endpoint);
    }
}

/* Connect the clients one after the other, as the reference does, and wait for each. */
static enum slim_service_outcome start_clients(struct slim_service *service,
                                               struct slim_config_error *failure)
{
    struct slim_engine *engine = service->engine;
    for (size_t i = 0; i < service->config->client_count; i++) {
        struct link *link = &service->links[i];
        struct dial dial = {
            .service = service, .client = &service->config->clients[i], .link = link};
        link->engine = engine;
        slim_engine_call(engine, dial_now, &dial);
        if (dial.status != SLIM_OK && strchr(dial.error.text, '\n') != NULL) {
            set_failure_lines(failure, service, dial.error.text, "client ", dial.client->endpoint);
            return SLIM_SERVICE_FAILED;
        }
        if (dial.status != SLIM_OK) {
            set_link_failure(failure, service, dial.client, dial.status, dial.error.text);
            return SLIM_SERVICE_FAILED;
        }
        while (!atomic_load_explicit(&link->is_done, memory_order_acquire)) {
            if (slim_engine_take_signal(engine)) {
                return SLIM_SERVICE_SIGNALLED;
            }
            slim_engine_wait(engine, true, SLIM_ENGINE_FOREVER);
        }
        if (link->status != SLIM_OK) {
            set_link_failure(failure, service, dial.client, link->status, link->text);
            return SLIM_SERVICE_FAILED;
        }
        slim_log(INFO, "client connected", SLIM_LOG_STR("endpoint", dial.client->endpoint),
                 SLIM_LOG_U64("conn_id", link->conn_id));
    }
    return SLIM_SERVICE_STARTED;
}

/* An empty section is none, as in the reference. */
static void log_controller(const struct slim_config_service *config)
{
    const struct slim_config_controller *controller = &config->controller;
    if (controller->server_count + controller->client_count == 0) {
        slim_log(INFO, "no controller configuration provided, skipping controller startup");
        return;
    }
    slim_log(WARN, "this version does not act on the controller configuration",
             SLIM_LOG_STR("service", config->id), SLIM_LOG_U64("servers", controller->server_count),
             SLIM_LOG_U64("clients", controller->client_count));
}

enum slim_service_outcome slim_service_start(struct slim_service *service,
                                             struct slim_config_error *failure)
{
    slim_log(DEBUG, "starting service");
    if (!start_servers(service, failure)) {
        return SLIM_SERVICE_FAILED;
    }
    enum slim_service_outcome outcome = start_clients(service, failure);
    if (outcome == SLIM_SERVICE_STARTED) {
        log_controller(service->config);
    }
    return outcome;
}

static void reload(void *arg)
{
    struct slim_service *service = arg;
    slim_datapath_reload(service->datapath);
}

void slim_service_reload(struct slim_service *service)
{
    slim_engine_call(service->engine, reload, service);
}

/* ---------------------------------------------------------------------------------------------------- stop */

static void on_drained(void *ctx)
{
    struct slim_service *service = ctx;
    atomic_store_explicit(&service->is_drained, true, memory_order_release);
    slim_engine_wake(service->engine);
}

struct stop_part {
    struct slim_service *service;
    const char *endpoint;
    uint64_t conn_id;
};

static void stop_server(void *arg)
{
    struct stop_part *part = arg;
    /* not found: it is closed already, which is what we want */
    (void)!slim_datapath_stop_listening(part->service->datapath, part->endpoint);
}

static void stop_client(void *arg)
{
    struct stop_part *part = arg;
    /* not found: it was given up already */
    (void)!slim_datapath_disconnect(part->service->datapath, part->conn_id);
}

static void drain(void *arg)
{
    struct slim_service *service = arg;
    slim_datapath_drain(service->datapath, on_drained, service);
}

/* The order of the reference. */
void slim_service_stop(struct slim_service *service)
{
    slim_log(DEBUG, "shutting down service");
    for (size_t i = 0; i < service->config->server_count; i++) {
        struct stop_part part = {.service = service,
                                 .endpoint = service->config->servers[i].endpoint};
        slim_log(INFO, "stopping server", SLIM_LOG_STR("endpoint", part.endpoint));
        slim_engine_call(service->engine, stop_server, &part);
    }
    for (size_t i = 0; i < service->config->client_count; i++) {
        struct link *link = &service->links[i];
        if (!atomic_load_explicit(&link->is_done, memory_order_acquire) ||
            link->status != SLIM_OK) {
            continue; /* never connected: the drain ends the attempts */
        }
        struct stop_part part = {.service = service, .conn_id = link->conn_id};
        slim_log(INFO, "disconnecting client",
                 SLIM_LOG_STR("endpoint", service->config->clients[i].endpoint),
                 SLIM_LOG_U64("conn_id", link->conn_id));
        slim_engine_call(service->engine, stop_client, &part);
    }
    slim_engine_call(service->engine, drain, service);
}

bool slim_service_is_drained(const struct slim_service *service)
{
    return atomic_load_explicit(&service->is_drained, memory_order_acquire);
}

struct slim_datapath *slim_service_datapath(const struct slim_service *service)
{
    return service->datapath;
}

const char *slim_service_id(const struct slim_service *service)
{
    return service->config->id;
}
