/* Services: an engine, its thread, its links and servers (slim/slim.h). */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "client/describe.h"
#include "client/internal.h"

#define SLIM_LOG_TARGET "slim_service::service"

/* A link that was asked for. op: NULL once it was up. */
struct link {
    struct slim_list node;
    struct slim_service *service;
    struct slim_config *config;
    const char *endpoint; /* in config */
    struct slim_op *op;
    uint64_t connection;
    bool is_up;
};

/* ------------------------------------------------------------------------------------------------ requests */

enum slim_status slim_client_check(const struct slim_service *service, struct slim_error *error)
{
    return service == NULL ? slim_error_set(error, SLIM_ERR_ARGUMENT, "no service was given")
                           : slim_client_check_process(service->process, error);
}

struct slim_client_request *slim_client_request_new(struct slim_service *service, size_t size,
                                                    void (*run)(struct slim_client_request *),
                                                    const struct slim_notify *notify,
                                                    struct slim_op **op)
{
    struct slim_error error = {.status = SLIM_OK};
    if (slim_client_check(service, &error) != SLIM_OK) {
        *op = slim_client_op_failed(notify, error.status, error.text);
        return NULL;
    }
    struct slim_client_request *request = calloc(1, size);
    *op = slim_client_op_new(notify);
    if (request == NULL || (*op)->is_static) {
        slim_client_op_end(*op, SLIM_ERR_NO_MEMORY, NULL);
        free(request);
        return NULL;
    }
    request->run = run;
    request->service = service;
    request->op = *op;
    return request;
}

static void on_loop(struct slim_job *job)
{
    struct slim_client_request *request = SLIM_CONTAINER_OF(job, struct slim_client_request, job);
    const struct slim_service *service = request->service;
    if (!service->is_over && (!service->is_leaving || request->is_farewell)) {
        request->run(request);
    } else if (request->when_over != NULL) {
        request->when_over(request);
    } else {
        slim_client_request_end(request, SLIM_ERR_CLOSED, "the service is shut down");
    }
}

void slim_client_request_post(struct slim_client_request *request)
{
    request->job.on_loop = on_loop;
    slim_loop_post(request->service->loop, &request->job);
}

void slim_client_request_end(struct slim_client_request *request, enum slim_status status,
                             const char *text)
{
    slim_client_op_end(request->op, status, text);
    if (request->drop != NULL) {
        request->drop(request);
    }
    free(request);
}

/* ------------------------------------------------------------------------------------------------ its life */

static void drop_link(struct link *link, enum slim_status status, const char *text)
{
    (void)pthread_mutex_lock(&link->service->mutex); /* our own mutex */
    slim_list_remove(&link->node);
    (void)pthread_mutex_unlock(&link->service->mutex); /* likewise */
    if (link->op != NULL) {
        slim_client_op_end(link->op, status, text);
    }
    slim_config_free(link->config);
    free(link);
}

static void close_apps(struct slim_service *service)
{
    service->is_over = true;
    SLIM_LIST_EACH(node, &service->apps)
    {
        slim_client_app_close(SLIM_LIST_ENTRY(node, struct slim_app, in_service));
    }
}

/* No link is any more. Their callbacks never come again. */
static void finish(struct slim_service *service)
{
    while (!slim_list_is_empty(&service->links)) {
        drop_link(SLIM_LIST_ENTRY(service->links.next, struct link, node), SLIM_ERR_CLOSED,
                  "the service was closed");
    }
    slim_client_op_end_all(&service->closing, SLIM_OK, NULL);
}

/* On the loop thread, or after it has ended. */
static void destroy(struct slim_service *service)
{
    close_apps(service);
    slim_datapath_free(service->datapath);
    finish(service);
    if (service->has_timer) {
        slim_timer_cancel(service->loop, &service->patience);
        slim_loop_release_timer(service->loop);
    }
    slim_task_cancel(&service->left);
    slim_loop_free(service->loop); /* runs the jobs that are left: last words of applications */
    (void)pthread_mutex_destroy(&service->mutex); /* nobody holds it */
    free(service->name);
    free(service);
}

/* ------------------------------------------------------------------------------------------------ shutdown
 *
 *   sessions are left --- the last has gone, or patience ends ---> the engine is emptied --- it is empty, or patience ends ---> over */

static void on_drained(void *ctx)
{
    struct slim_service *service = ctx;
    slim_timer_cancel(service->loop, &service->patience);
    close_apps(service);
    finish(service);
}

static void drain(struct slim_service *service)
{
    service->is_draining = true;
    slim_timer_set(service->loop, &service->patience,
                   slim_loop_now_ms(service->loop) + SLIM_CLIENT_PATIENCE_MS);
    slim_datapath_drain(service->datapath, on_drained, service);
}

static void on_patience(struct slim_timer *timer)
{
    struct slim_service *service = SLIM_CONTAINER_OF(timer, struct slim_service, patience);
    if (!service->is_draining) {
        drain(service);
        return;
    }
    close_apps(service);
    slim_datapath_free(service->datapath); /* a peer that does not read: nothing more is lost */
    service->datapath = NULL;
    finish(service);
}

/* At the end of the turn in which the last session went. */
static void on_left(struct slim_task *task)
{
    struct slim_service *service = SLIM_CONTAINER_OF(task, struct slim_service, left);
    if (!service->is_draining && !service->is_over) {
        drain(service);
    }
}

void slim_client_service_left(struct slim_service *service)
{
    if (!service->is_leaving || service->is_draining) {
        return;
    }
    SLIM_LIST_EACH(node, &service->apps)
    {
        if (SLIM_LIST_ENTRY(node, struct slim_app, in_service)->session_count > 0) {
            return;
        }
    }
    slim_loop_at_turn_end(service->loop, &service->left);
}

static void *thread_main(void *ctx)
{
    struct slim_service *service = ctx;
    slim_log_thread("slim", ""); /* as the reference calls the threads of its bindings */
    slim_loop_run(service->loop);
    if (atomic_load(&service->is_orphan)) {
        destroy(service);
    }
    return NULL;
}

/* Signals are the application's: the thread takes none but those that it would raise by a fault of its own, which a crash reporter
 * wants to see, and the profiler's. */
static enum slim_status start_thread(struct slim_service *service)
{
    static const int kept[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPROF};
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all); /* cannot fail */
    for (size_t i = 0; i < SLIM_COUNT(kept); i++) {
        (void)sigdelset(&all, kept[i]); /* likewise */
    }
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* likewise */
    int failed = pthread_create(&service->thread, NULL, thread_main, service);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL); /* likewise */
    service->is_threaded = failed == 0;
    return failed == 0 ? SLIM_OK : SLIM_ERR_NO_MEMORY;
}

enum slim_status slim_service_new(const char *name, const struct slim_service_options *options,
                                  struct slim_service **result, struct slim_error *error)
{
    struct slim_service *service = result == NULL ? NULL : calloc(1, sizeof(*service));
    struct slim_datapath_options engine = {.slim_version = "1.4.0"};
    enum slim_status status;
    if (service == NULL) {
        return result == NULL
                   ? slim_error_set(error, SLIM_ERR_ARGUMENT, "no place for the service was given")
                   : slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
    }
    atomic_init(&service->user_count, 1);
    service->process = slim_client_process();
    slim_timer_init(&service->patience, on_patience);
    slim_task_init(&service->left, on_left);
    slim_list_init(&service->links);
    slim_list_init(&service->apps);
    slim_list_init(&service->closing);
    (void)pthread_mutex_init(&service->mutex, NULL); /* a plain mutex cannot fail here */
    if (options != NULL) {
        engine.memory_max_bytes = options->memory_max;
        service->announces_links = options->announce_links;
    }
    service->name = slim_client_text_copy(name == NULL ? "" : name);
    status = service->name == NULL ? SLIM_ERR_NO_MEMORY : slim_loop_new(&service->loop);
    if (status == SLIM_OK) {
        status = slim_loop_reserve_timer(service->loop);
        service->has_timer = status == SLIM_OK;
    }
    if (status == SLIM_OK) {
        status = slim_datapath_new(service->loop, &engine, &service->datapath);
    }
    if (status == SLIM_OK) {
        status = start_thread(service);
    }
    if (status != SLIM_OK) {
        destroy(service);
        return slim_error_set(error, status, "the service cannot be made: %s",
                              slim_status_text(status));
    }
    *result = service;
    return SLIM_OK;
}

struct slim_service *slim_service_ref(struct slim_service *service)
{
    if (service != NULL) {
        atomic_fetch_add_explicit(&service->user_count, 1, memory_order_relaxed);
    }
    return service;
}

void slim_service_unref(struct slim_service *service)
{
    if (service == NULL ||
        atomic_fetch_sub_explicit(&service->user_count, 1, memory_order_acq_rel) != 1 ||
        slim_client_check(service, NULL) != SLIM_OK) {
        return; /* after a fork its thread is not here, and what it held is not ours to free */
    }
    if (pthread_equal(pthread_self(), service->thread)) {
        atomic_store(&service->is_orphan, true);
        (void)pthread_detach(service->thread); /* nobody joins it any more */
        slim_loop_stop(service->loop);
        return;
    }
    slim_loop_stop(service->loop);
    (void)pthread_join(service->thread, NULL); /* a thread of ours */
    destroy(service);
}

static void run_shutdown(struct slim_client_request *request)
{
    struct slim_service *service = request->service;
    slim_list_put_last(&service->closing, &request->op->waiting);
    free(request);
    if (service->is_leaving) {
        return;
    }
    service->is_leaving = true;
    slim_timer_set(service->loop, &service->patience,
                   slim_loop_now_ms(service->loop) + SLIM_CLIENT_PATIENCE_MS);
    SLIM_LIST_EACH(node, &service->apps)
    {
        slim_client_app_leave(SLIM_LIST_ENTRY(node, struct slim_app, in_service));
    }
    slim_client_service_left(service);
}

/* One that is over already is no failure here. */
static void is_shut_down(struct slim_client_request *request)
{
    slim_client_request_end(request, SLIM_OK, NULL);
}

struct slim_op *slim_service_shutdown(struct slim_service *service,
                                      const struct slim_notify *notify)
{
    struct slim_op *op;
    struct slim_client_request *request =
        slim_client_request_new(service, sizeof(*request), run_shutdown, notify, &op);
    if (request != NULL) {
        request->is_farewell = true;
        request->when_over = is_shut_down;
        slim_client_request_post(request);
    }
    return op;
}

/* ------------------------------------------------------------------------------------------------ links */

struct connect_request {
    struct slim_client_request common;
    struct slim_config *config;
};

static void drop_config(struct slim_client_request *request)
{
    slim_config_free(((struct connect_request *)request)->config);
}

enum { CHAIN_BYTES = 2 * SLIM_ERROR_TEXT_MAX };

/* The reference's chain around what the engine says. */
static void chain(char out[static CHAIN_BYTES], const char *stage, const char *inner)
{
    /* fits: what the engine says is at most SLIM_ERROR_TEXT_MAX bytes long */
    (void)snprintf(out, CHAIN_BYTES,
                   "datapath error\nCaused by:\n  -> configuration error\n  -> %s%.*s", stage,
                   SLIM_ERROR_TEXT_MAX, inner);
}

static void on_connected(void *ctx, enum slim_status status, uint64_t conn_id, const char *text)
{
    struct link *link = ctx;
    if (status != SLIM_OK) {
        char whole[CHAIN_BYTES];
        chain(whole,
              status == SLIM_ERR_CONNECT
                  ? "transport error\n  -> transport error\n  -> tcp connect "
                    "error\n  -> tcp connect error\n  -> "
                  : "",
              text);
        drop_link(link, status, whole);
        return;
    }
    (void)pthread_mutex_lock(&link->service->mutex); /* our own mutex */
    link->connection = conn_id;
    link->is_up = true;
    (void)pthread_mutex_unlock(&link->service->mutex); /* likewise */
    slim_log(INFO, "client connected", SLIM_LOG_STR("endpoint", link->endpoint),
             SLIM_LOG_U64("conn_id", conn_id));
    link->op->connection = conn_id;
    struct slim_op *op = link->op;
    link->op = NULL;
    slim_client_op_end(op, SLIM_OK, NULL);
}

static void run_connect(struct slim_client_request *common)
{
    struct connect_request *request = (struct connect_request *)common;
    struct slim_service *service = common->service;
    struct slim_error error = {.status = SLIM_OK};
    struct link *link = calloc(1, sizeof(*link));
    if (link == NULL) {
        slim_client_request_end(common, SLIM_ERR_NO_MEMORY, NULL);
        return;
    }
    const struct slim_config_client *client = &request->config->services[0].clients[0];
    *link = (struct link){.service = service,
                          .config = request->config,
                          .endpoint = client->endpoint,
                          .op = common->op};
    (void)pthread_mutex_lock(&service->mutex); /* our own mutex */
    slim_list_put_last(&service->links, &link->node);
    (void)pthread_mutex_unlock(&service->mutex); /* likewise */
    free(request);
    enum slim_status status =
        slim_datapath_connect(service->datapath, client, on_connected, link, &error);
    if (status != SLIM_OK) {
        drop_link(link, status, error.text);
    }
}

/* Begin what needs a configuration, which the request takes over; `status`, `error`: what reading it gave. */
static struct slim_op *post_with_config(struct slim_service *service, struct slim_config *config,
                                        enum slim_status status, const struct slim_error *error,
                                        void (*run)(struct slim_client_request *),
                                        const struct slim_notify *notify)
{
    struct slim_op *op;
    if (status != SLIM_OK) {
        return slim_client_op_failed(notify, status, error->text);
    }
    struct slim_client_request *request =
        slim_client_request_new(service, sizeof(struct connect_request), run, notify, &op);
    if (request == NULL) {
        slim_config_free(config);
        return op;
    }
    ((struct connect_request *)request)->config = config;
    request->drop = drop_config;
    slim_client_request_post(request);
    return op;
}

struct slim_op *slim_service_connect(struct slim_service *service, const char *client,
                                     const struct slim_notify *notify)
{
    struct slim_error error = {.status = SLIM_OK};
    struct slim_config *config = NULL;
    enum slim_status status = slim_client_check(service, &error);
    if (status == SLIM_OK) {
        status = slim_client_read_client(client, service->announces_links, &config, &error);
    }
    return post_with_config(service, config, status, &error, run_connect, notify);
}

enum slim_status slim_connect(struct slim_service *service, const char *client,
                              uint64_t deadline_ns, uint64_t *connection, struct slim_error *error)
{
    struct slim_op *op = slim_service_connect(service, client, NULL);
    enum slim_status status = slim_op_wait(op, deadline_ns, error);
    if (status == SLIM_OK && connection != NULL) {
        *connection = slim_op_connection(op);
    } else if (status == SLIM_AGAIN) {
        status = slim_error_set(error, SLIM_ERR_TIMEOUT, "no connection to %s yet", client);
    }
    slim_op_unref(op);
    return status;
}

struct number_request {
    struct slim_client_request common;
    uint64_t number;
};

static struct link *find_link(struct slim_service *service, uint64_t connection)
{
    SLIM_LIST_EACH(node, &service->links)
    {
        struct link *link = SLIM_LIST_ENTRY(node, struct link, node);
        if (link->is_up && link->connection == connection) {
            return link;
        }
    }
    return NULL;
}

static void on_stopped_link(struct slim_client_request *common, struct link *link)
{
    struct slim_service *service = common->service;
    enum slim_status status;
    if (link->is_up) {
        uint64_t connection = link->connection;
        drop_link(link, SLIM_OK, NULL);
        status = slim_datapath_disconnect(service->datapath, connection);
    } else {
        status = slim_datapath_stop_connecting(service->datapath, link->endpoint);
    }
    slim_client_request_end(common, status, NULL);
}

struct stop_request {
    struct slim_client_request common;
    struct slim_op *connect;
};

static void drop_connect(struct slim_client_request *common)
{
    slim_op_unref(((struct stop_request *)common)->connect);
}

/* The link is found by its operation as long as that goes on, and by its number then. */
static void run_stop_connect(struct slim_client_request *common)
{
    const struct slim_op *connect = ((struct stop_request *)common)->connect;
    bool has_ended = slim_op_status(connect, NULL) == SLIM_OK;
    SLIM_LIST_EACH(node, &common->service->links)
    {
        struct link *link = SLIM_LIST_ENTRY(node, struct link, node);
        if (link->op == connect ||
            (has_ended && link->is_up && link->connection == connect->connection)) {
            on_stopped_link(common, link);
            return;
        }
    }
    slim_client_request_end(common, SLIM_OK, NULL);
}

struct slim_op *slim_service_stop_connect(struct slim_service *service, struct slim_op *connect,
                                          const struct slim_notify *notify)
{
    struct slim_op *op;
    if (connect == NULL) {
        return slim_client_op_failed(notify, SLIM_ERR_ARGUMENT, "no operation was given");
    }
    struct slim_client_request *request = slim_client_request_new(
        service, sizeof(struct stop_request), run_stop_connect, notify, &op);
    if (request != NULL) {
        ((struct stop_request *)request)->connect = slim_op_ref(connect);
        request->drop = drop_connect;
        slim_client_request_post(request);
    }
    return op;
}

static void run_disconnect(struct slim_client_request *common)
{
    struct number_request *request = (struct number_request *)common;
    struct slim_service *service = common->service;
    struct link *link = find_link(service, request->number);
    if (link == NULL) {
        slim_client_request_end(common, SLIM_ERR_NOT_FOUND,
                                "datapath error\nCaused by:\n  -> disconnection error");
        return;
    }
    drop_link(link, SLIM_OK, NULL);
    enum slim_status status = slim_datapath_disconnect(service->datapath, request->number);
    slim_client_request_end(common, status, NULL);
}

struct slim_op *slim_service_disconnect(struct slim_service *service, uint64_t connection,
                                        const struct slim_notify *notify)
{
    struct slim_op *op;
    struct slim_client_request *request = slim_client_request_new(
        service, sizeof(struct number_request), run_disconnect, notify, &op);
    if (request != NULL) {
        ((struct number_request *)request)->number = connection;
        slim_client_request_post(request);
    }
    return op;
}

enum slim_status slim_service_connection(struct slim_service *service, const char *endpoint,
                                         uint64_t *connection)
{
    enum slim_status status = SLIM_ERR_NOT_FOUND;
    SLIM_TRY(slim_client_check(service, NULL));
    if (endpoint == NULL || connection == NULL) {
        return SLIM_ERR_ARGUMENT;
    }
    (void)pthread_mutex_lock(&service->mutex); /* our own mutex */
    SLIM_LIST_EACH(node, &service->links)
    {
        struct link *link = SLIM_LIST_ENTRY(node, struct link, node);
        if (link->is_up && strcmp(link->endpoint, endpoint) == 0) {
            *connection = link->connection;
            status = SLIM_OK;
        }
    }
    (void)pthread_mutex_unlock(&service->mutex); /* likewise */
    return status;
}

/* ------------------------------------------------------------------------------------------------ servers */

static void run_listen(struct slim_client_request *common)
{
    struct connect_request *request = (struct connect_request *)common;
    struct slim_error error = {.status = SLIM_OK};
    char whole[CHAIN_BYTES] = "";
    const struct slim_config_server *server = &request->config->services[0].servers[0];
    enum slim_status status = slim_datapath_listen(common->service->datapath, server, &error);
    if (status == SLIM_OK) {
        slim_log(INFO, "dataplane server started", SLIM_LOG_STR("endpoint", server->endpoint));
    } else {
        chain(whole, status == SLIM_ERR_BIND ? "bind error\n  -> " : "", error.text);
    }
    slim_client_request_end(common, status, whole);
}

struct slim_op *slim_service_run_server(struct slim_service *service, const char *server,
                                        const struct slim_notify *notify)
{
    struct slim_error error = {.status = SLIM_OK};
    struct slim_config *config = NULL;
    enum slim_status status = slim_client_check(service, &error);
    if (status == SLIM_OK) {
        status = slim_client_read_server(server, &config, &error);
    }
    return post_with_config(service, config, status, &error, run_listen, notify);
}

struct text_request {
    struct slim_client_request common;
    char text[];
};

static void run_stop(struct slim_client_request *common)
{
    struct text_request *request = (struct text_request *)common;
    char text[SLIM_ERROR_TEXT_MAX];
    enum slim_status status =
        slim_datapath_stop_listening(common->service->datapath, request->text);
    (void)snprintf(text, sizeof(text), "server not found: %s", request->text); /* may be cut */
    slim_client_request_end(common, status, text);
}

struct slim_op *slim_service_stop_server(struct slim_service *service, const char *endpoint,
                                         const struct slim_notify *notify)
{
    struct slim_op *op;
    if (endpoint == NULL) {
        return slim_client_op_failed(notify, SLIM_ERR_ARGUMENT, "no endpoint was given");
    }
    size_t len = strlen(endpoint) + 1;
    struct slim_client_request *request =
        slim_client_request_new(service, sizeof(struct text_request) + len, run_stop, notify, &op);
    if (request != NULL) {
        memcpy(((struct text_request *)request)->text, endpoint, len);
        slim_client_request_post(request);
    }
    return op;
}
