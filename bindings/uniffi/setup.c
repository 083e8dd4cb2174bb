/* The one-time set-up of the process. */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document.h"
#include "factories.h"
#include "json.h"
#include "things.h"

enum { STDOUT_FD = 1, TEXT_MAX = 128 };

/* Held while the process is set up, which may wait for links: everybody else waits too. Guards all below. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct uf_service **services;
static size_t service_count;
static struct uf_duration drain_timeout;
static bool is_shut_down;
static _Atomic bool is_set_up;

/* ------------------------------------------------------------------------------------------------ log lines */

/* Unknown ones count as info. */
static const char *level_of(struct slim_view text)
{
    static const char *const levels[] = {"trace", "debug", "info", "warn", "error", "off"};
    for (size_t i = 0; i < UF_COUNT(levels); i++) {
        if (text.len == strlen(levels[i]) &&
            strncasecmp((const char *)text.data, levels[i], text.len) == 0) {
            return levels[i];
        }
    }
    return "info";
}

/* "info", or "info,module=info,other=debug". The caller's to free; NULL: no memory. */
static char *filter_of(const struct uf_tracing_config *tracing)
{
    const char *level = level_of(tracing->log_level);
    const struct slim_view *entries = tracing->filters.items;
    size_t count = uf_has_default_filters(tracing) ? 0 : tracing->filters.count;
    size_t size = TEXT_MAX;
    for (size_t i = 0; i < count; i++) {
        size += entries[i].len + TEXT_MAX;
    }
    char *text = malloc(size);
    if (text == NULL) {
        return NULL;
    }
    int len = snprintf(text, size, "%s", level);
    for (size_t i = 0; i < count; i++) {
        bool has_level = entries[i].len > 0 && memchr(entries[i].data, '=', entries[i].len) != NULL;
        len +=
            snprintf(text + len, size - (size_t)len, ",%.*s%s%s", (int)entries[i].len,
                     (const char *)entries[i].data, has_level ? "" : "=", has_level ? "" : level);
    }
    return text;
}

/* Once in the process; a filter that cannot be understood leaves lines of its level. */
static void start_log(const struct uf_tracing_config *tracing)
{
    char *filter = filter_of(tracing);
    enum slim_status status = SLIM_ERR_ARGUMENT;
    if (filter != NULL) {
        status = slim_log_start(STDOUT_FD, filter);
    }
    if (status == SLIM_ERR_ARGUMENT) {
        status = slim_log_start(STDOUT_FD, level_of(tracing->log_level));
    }
    (void)status; /* SLIM_ERR_STATE: somebody did before */
    free(filter);
}

/* ------------------------------------------------------------------------------------------------ services, with the mutex held */

static void drop_services(void)
{
    while (service_count > 0) {
        uf_object_unref(services[--service_count]);
    }
    free(services);
    services = NULL;
}

static struct uf_service *make_service(size_t index, const struct uf_service_config *config,
                                       struct uf_error *error)
{
    char usual[TEXT_MAX];
    if (config->node_id == NULL) {
        (void)snprintf(usual, sizeof(usual), "global-bindings-service-%zu", index); /* it fits */
        return uf_service_new(uf_view(usual), NULL, config, error);
    }
    struct slim_view id = *config->node_id;
    const uint8_t *slash = id.len == 0 ? NULL : memchr(id.data, '/', id.len);
    size_t rest = slash == NULL ? 0 : (size_t)(id.data + id.len - slash - 1);
    char *title = slash == NULL || (rest > 0 && memchr(slash + 1, '/', rest) != NULL)
                      ? NULL
                      : strndup((const char *)id.data, id.len);
    if (title == NULL) {
        (void)uf_fail(error, UF_PANIC,
                      "Initialization failed: service error: id error\nCaused by:\n"
                      "  -> kind contains invalid character(s): %.*s",
                      (int)(id.len < TEXT_MAX ? id.len : TEXT_MAX), (const char *)id.data);
        return NULL;
    }
    struct slim_view name = {slash + 1, rest};
    struct uf_service *made = uf_service_new(name, title, config, error);
    free(title);
    return made;
}

static bool fail_start(struct uf_error *error, size_t index, const struct uf_error *why)
{
    return uf_fail(error, UF_PANIC,
                   "Initialization failed: service error: Failed to start service %zu: %.*s", index,
                   (int)strcspn(why->text, "\n"), why->text);
}

static bool start_service(size_t index, const struct uf_service_config *config,
                          struct uf_error *error)
{
    struct uf_error why = {.fault = UF_FINE};
    if (config->dataplane.servers.count == 0 && config->dataplane.clients.count == 0) {
        return true;
    }
    struct uf_completion *begun = uf_service_begin_run(config, services[index]->service, &why);
    return (begun != NULL && uf_completion_finish(begun, &why)) || fail_start(error, index, &why);
}

static bool set_up(const struct uf_runtime_config *runtime, const struct uf_tracing_config *tracing,
                   const struct uf_list *configs, struct uf_error *error)
{
    const struct uf_service_config *config = configs->items;
    bool is_fine = true;
    if (configs->count == 0) {
        return uf_fail(error, UF_PANIC,
                       "Initialization failed: service error: No service configuration provided");
    }
    assert(services == NULL && service_count == 0);
    start_log(tracing);
    services = calloc(configs->count, sizeof(struct uf_service *));
    if (services == NULL) {
        return uf_fail_no_memory(error);
    }
    while (is_fine && service_count < configs->count) {
        services[service_count] = make_service(service_count, &config[service_count], error);
        is_fine = services[service_count] != NULL;
        service_count += is_fine ? 1 : 0;
    }
    for (size_t i = 0; i < configs->count && is_fine; i++) {
        is_fine = start_service(i, &config[i], error);
    }
    if (!is_fine) {
        drop_services();
        return false;
    }
    drain_timeout = runtime->drain_timeout;
    return true;
}

static bool set_up_default(struct uf_error *error)
{
    struct uf_service_config config = {.node_id = NULL};
    struct uf_list configs = {.count = 1, .items = &config};
    return set_up(&uf_default_runtime, &uf_default_tracing, &configs, error);
}

/* What is written about servers and links of one service goes to it as it is. */
static bool run_described(size_t index, const struct uf_described_service *described,
                          struct uf_error *error)
{
    const char *const *servers = described->servers.items;
    const char *const *clients = described->clients.items;
    struct slim_service *service = services[index]->service;
    struct uf_error why = {.fault = UF_FINE};
    bool is_fine = true;
    for (size_t i = 0; i < described->servers.count && is_fine; i++) {
        is_fine =
            uf_finish(slim_service_run_server(service, servers[i], NULL), UF_SERVICE_ERROR, &why);
    }
    for (size_t i = 0; i < described->clients.count && is_fine; i++) {
        is_fine =
            uf_finish(slim_service_connect(service, clients[i], NULL), UF_SERVICE_ERROR, &why);
    }
    return is_fine || fail_start(error, index, &why);
}

static bool set_up_from(const char *path, struct uf_arena *arena, struct uf_error *error)
{
    struct uf_document document;
    struct uf_tracing_config tracing = uf_default_tracing;
    if (!uf_document_read(path, &document, arena, error)) {
        return false;
    }
    if (document.log_level != NULL) {
        tracing.log_level = *document.log_level;
    }
    if (document.filters.count > 0) {
        tracing.filters = document.filters;
    }
    const struct uf_described_service *described = document.services.items;
    size_t count = document.services.count;
    struct uf_service_config *configs =
        uf_arena_take(arena, count * sizeof(struct uf_service_config));
    if (configs == NULL) {
        return uf_fail_no_memory(error);
    }
    for (size_t i = 0; i < count; i++) {
        configs[i].node_id = &described[i].node_id;
    }
    struct uf_list list = {.count = count, .items = configs};
    bool is_fine = set_up(&uf_default_runtime, &tracing, &list, error);
    for (size_t i = 0; i < count && is_fine; i++) {
        is_fine = run_described(i, &described[i], error);
    }
    if (!is_fine) {
        drop_services();
    }
    return is_fine;
}

/* ------------------------------------------------------------------------------------------------ for the other files */

static void lock(void)
{
    (void)pthread_mutex_lock(&mutex); /* our own mutex */
}

static void unlock(bool is_fine)
{
    if (is_fine) {
        atomic_store(&is_set_up, true);
    }
    (void)pthread_mutex_unlock(&mutex); /* likewise */
}

bool uf_setup_default(struct uf_error *error)
{
    lock();
    bool is_fine = atomic_load(&is_set_up) || set_up_default(error);
    unlock(is_fine);
    return is_fine;
}

struct uf_service *uf_setup_global_service(struct uf_error *error)
{
    lock();
    bool is_fine = atomic_load(&is_set_up) || set_up_default(error);
    struct uf_service *service = is_fine ? uf_object_ref(services[0]) : NULL;
    unlock(is_fine);
    return service;
}

/* ------------------------------------------------------------------------------------------------ exports */

void uniffi_slim_bindings_fn_func_initialize_with_configs(struct uf_buffer runtime_config,
                                                          struct uf_buffer tracing_config,
                                                          struct uf_buffer service_config,
                                                          struct uf_status *status)
{
    struct uf_call call;
    struct uf_runtime_config runtime;
    struct uf_tracing_config tracing;
    struct uf_list configs;
    uf_call_begin(&call);
    uf_call_record(&call, runtime_config, &uf_type_runtime_config, &runtime);
    uf_call_record(&call, tracing_config, &uf_type_tracing_config, &tracing);
    uf_call_record(&call, service_config, &uf_type_service_configs, &configs);
    if (uf_call_is_fine(&call)) {
        lock();
        unlock(atomic_load(&is_set_up) || set_up(&runtime, &tracing, &configs, &call.error));
    }
    uf_call_end(&call, status);
}

void uniffi_slim_bindings_fn_func_initialize_with_defaults(struct uf_status *status)
{
    struct uf_error error = {.fault = UF_FINE};
    if (!uf_setup_default(&error)) {
        error.fault = UF_PANIC; /* has no other way to fail */
    }
    uf_status_set(status, &error);
}

void uniffi_slim_bindings_fn_func_initialize_from_config(struct uf_buffer path,
                                                         struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    const char *text = uf_call_copy(&call, uf_call_text(&call, path), "a path");
    if (uf_call_is_fine(&call)) {
        lock();
        unlock(atomic_load(&is_set_up) || set_up_from(text, &call.arena, &call.error));
    }
    if (!uf_call_is_fine(&call)) {
        call.error.fault = UF_PANIC; /* likewise */
    }
    uf_call_end(&call, status);
}

int8_t uniffi_slim_bindings_fn_func_is_initialized(struct uf_status *status)
{
    struct uf_error fine = {.fault = UF_FINE};
    uf_status_set(status, &fine);
    return atomic_load(&is_set_up) ? 1 : 0;
}

void *uniffi_slim_bindings_fn_func_get_global_service(struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    void *given = uf_call_give(&call, uf_setup_global_service(&call.error));
    if (!uf_call_is_fine(&call)) {
        call.error.fault = UF_PANIC; /* likewise */
    }
    uf_call_end(&call, status);
    return given;
}

struct uf_buffer uniffi_slim_bindings_fn_func_get_services(struct uf_status *status)
{
    struct uf_call call;
    struct uf_buffer written = {.capacity = 0, .len = 0, .data = NULL};
    uf_call_begin(&call);
    lock();
    bool is_fine = atomic_load(&is_set_up) || set_up_default(&call.error);
    if (is_fine) {
        struct uf_list list = {.count = service_count, .items = services};
        written = uf_call_write(&call, &uf_type_services, &list);
    }
    unlock(is_fine);
    if (!uf_call_is_fine(&call)) {
        call.error.fault = UF_PANIC; /* likewise */
    }
    uf_call_end(&call, status);
    return written;
}

void *uniffi_slim_bindings_fn_func_create_service(struct uf_buffer name, struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    void *given = uf_service_make(&call, name, NULL);
    uf_call_end(&call, status);
    return given;
}

void *uniffi_slim_bindings_fn_func_create_service_with_config(struct uf_buffer name,
                                                              struct uf_buffer config,
                                                              struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    void *given = uf_service_make(&call, name, &config);
    uf_call_end(&call, status);
    return given;
}

static bool shut_down(struct uf_error *error)
{
    struct slim_error why = {.status = SLIM_OK};
    lock();
    bool is_fine = atomic_load(&is_set_up) || set_up_default(error);
    struct uf_service *service = is_fine ? uf_object_ref(services[0]) : NULL;
    struct uf_duration span = drain_timeout;
    bool is_again = is_shut_down;
    is_shut_down = is_shut_down || is_fine;
    unlock(is_fine);
    if (!is_fine) {
        return false;
    }
    if (is_again) {
        uf_object_unref(service);
        return uf_fail(error, UF_SERVICE_ERROR,
                       "datapath error\nCaused by:\n  -> data path is already closed");
    }
    struct slim_op *op = slim_service_shutdown(service->service, NULL);
    enum slim_status status = slim_op_wait(op, uf_deadline(&span), &why);
    slim_op_unref(op);
    uf_object_unref(service);
    if (status == SLIM_AGAIN) {
        return uf_fail(error, UF_SERVICE_ERROR, "Service shutdown timed out after %gs",
                       (double)span.seconds + (double)span.nanoseconds / 1e9);
    }
    return status == SLIM_OK || uf_fail(error, UF_SERVICE_ERROR, "%s", why.text);
}

void uniffi_slim_bindings_fn_func_shutdown_blocking(struct uf_status *status)
{
    struct uf_error error = {.fault = UF_FINE};
    if (!shut_down(&error)) {
        assert(error.fault != UF_FINE);
    }
    uf_status_set(status, &error);
}
