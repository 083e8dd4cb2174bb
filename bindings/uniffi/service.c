/* Service: an engine with its own thread. */
#include <assert.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "things.h"

static const struct uf_service_config no_config = {.node_id = NULL};

/* ------------------------------------------------------------------------------------------------ its life */

/* Our threads may be inside OpenSSL when the process ends: it must not clean up under them. */
static void begin_crypto(void)
{
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
}

static char *zero_terminated(struct slim_view text)
{
    char *copy = malloc(text.len + 1);
    if (copy != NULL) {
        if (text.len > 0) {
            memcpy(copy, text.data, text.len);
        }
        copy[text.len] = '\0';
    }
    return copy;
}

static char *title_of(const char *name)
{
    size_t size = strlen(name) + sizeof("slim/");
    char *title = malloc(size);
    if (title != NULL) {
        (void)snprintf(title, size, "slim/%s", name); /* it fits */
    }
    return title;
}

struct uf_service *uf_service_new(struct slim_view name, const char *title,
                                  const struct uf_service_config *config, struct uf_error *error)
{
    static pthread_once_t crypto_once = PTHREAD_ONCE_INIT;
    struct slim_error why = {.status = SLIM_OK};
    struct uf_service *made = calloc(1, sizeof(*made));
    char *text = zero_terminated(name);
    (void)pthread_once(&crypto_once, begin_crypto); /* cannot fail */
    if (made == NULL || text == NULL) {
        free(made);
        free(text);
        (void)uf_fail_no_memory(error); /* told by the caller */
        return NULL;
    }
    uf_object_init(&made->head, UF_SERVICE);
    made->title = title == NULL ? title_of(text) : strdup(title);
    bool is_fine = (made->title != NULL || uf_fail_no_memory(error)) &&
                   (config == NULL ||
                    uf_write_record(&uf_type_service_config, config, &made->config, error)) &&
                   (slim_service_new(text, NULL, &made->service, &why) == SLIM_OK ||
                    uf_fail(error, UF_SERVICE_ERROR, "%s", why.text));
    free(text);
    if (!is_fine) {
        uf_object_unref(made);
        return NULL;
    }
    return made;
}

void uf_service_free(struct uf_object *object)
{
    struct uf_service *service = (struct uf_service *)object;
    slim_service_unref(service->service);
    uf_buffer_free(&service->config);
    free(service->title);
    free(service);
}

UF_CLONE_AND_FREE(service, UF_SERVICE)

void *uf_service_make(struct uf_call *call, struct uf_buffer name, const struct uf_buffer *config)
{
    struct uf_service_config given;
    struct uf_service *made = NULL;
    struct slim_view text = uf_call_text(call, name);
    if (config != NULL) {
        uf_call_record(call, *config, &uf_type_service_config, &given);
    }
    if (text.len > 0 &&
        (memchr(text.data, '/', text.len) != NULL || memchr(text.data, '\0', text.len) != NULL)) {
        (void)uf_fail(&call->error, UF_PANIC, "Invalid service name: InvalidCharacter(\"%.*s\")",
                      (int)(text.len < UF_ERROR_TEXT_MAX ? text.len : UF_ERROR_TEXT_MAX),
                      (const char *)text.data); /* the call has it */
    }
    if (uf_call_is_fine(call) && uf_setup_default(&call->error)) {
        made = uf_service_new(text, NULL, config == NULL ? NULL : &given, &call->error);
    }
    return uf_call_give(call, made);
}

void *uniffi_slim_bindings_fn_constructor_service_new(struct uf_buffer name,
                                                      struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    void *given = uf_service_make(&call, name, NULL);
    if (!uf_call_is_fine(&call)) {
        call.error.fault = UF_PANIC; /* has no other way to fail */
    }
    uf_call_end(&call, status);
    return given;
}

void *uniffi_slim_bindings_fn_constructor_service_new_with_config(struct uf_buffer name,
                                                                  struct uf_buffer config,
                                                                  struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    void *given = uf_service_make(&call, name, &config);
    if (!uf_call_is_fine(&call)) {
        call.error.fault = UF_PANIC; /* likewise */
    }
    uf_call_end(&call, status);
    return given;
}

/* ------------------------------------------------------------------------------------------------ what it is */

struct uf_buffer uniffi_slim_bindings_fn_method_service_get_name(void *self,
                                                                 struct uf_status *status)
{
    struct uf_call call;
    struct uf_buffer written = {.capacity = 0, .len = 0, .data = NULL};
    uf_call_begin(&call);
    struct uf_service *service = uf_call_object(&call, self, UF_SERVICE);
    if (service != NULL) {
        written = uf_call_write_text(&call, service->title);
    }
    uf_call_end(&call, status);
    return written;
}

struct uf_buffer uniffi_slim_bindings_fn_method_service_config(void *self, struct uf_status *status)
{
    struct uf_call call;
    struct uf_buffer written = {.capacity = 0, .len = 0, .data = NULL};
    uf_call_begin(&call);
    struct uf_service *service = uf_call_object(&call, self, UF_SERVICE);
    if (service != NULL && service->config.len > 0) {
        written = uf_buffer_of_text(uf_view_of(&service->config));
        if (written.data == NULL) {
            (void)uf_fail_no_memory(&call.error); /* told by the status */
        }
    } else if (service != NULL) {
        written = uf_call_write(&call, &uf_type_service_config, &no_config);
    }
    uf_call_end(&call, status);
    return written;
}

/* ------------------------------------------------------------------------------------------------ links */

/* Nobody waits for the link any more: it is not wanted, and would be tried for ever. */
static void undo_connect(struct uf_completion *completion)
{
    struct uf_service *service = completion->owner;
    slim_op_unref(slim_service_stop_connect(service->service, completion->op, NULL));
}

static struct uf_completion *begin_connect(struct uf_call *call, void *self,
                                           struct uf_buffer config)
{
    struct uf_client_config given;
    struct uf_service *service = uf_call_object(call, self, UF_SERVICE);
    uf_call_record(call, config, &uf_type_client_config, &given);
    char *text = uf_call_is_fine(call) ? uf_client_text(&given, &call->error) : NULL;
    if (text == NULL) {
        return NULL;
    }
    struct uf_completion *begun =
        uf_call_begun(call, slim_service_connect(service->service, text, NULL), UF_SERVICE_ERROR);
    free(text);
    if (begun != NULL) {
        begun->undo = undo_connect;
        begun->owner = uf_object_ref(service);
    }
    return begun;
}

uint64_t uniffi_slim_bindings_fn_method_service_connect(void *self, struct uf_buffer config,
                                                        struct uf_status *status)
{
    struct uf_call call;
    uint64_t connection = 0;
    uf_call_begin(&call);
    struct uf_completion *begun = begin_connect(&call, self, config);
    if (begun != NULL) {
        uf_object_ref(begun);
        if (uf_completion_finish(begun, &call.error)) {
            connection = slim_op_connection(begun->op);
        }
        uf_object_unref(begun);
    }
    uf_call_end(&call, status);
    return connection;
}

uint64_t uniffi_slim_bindings_fn_method_service_connect_async(void *self, struct uf_buffer config)
{
    struct uf_call call;
    struct uf_result result = {.form = UF_RESULT_CONNECTION};
    uf_call_begin(&call);
    return uf_call_future_of(&call, begin_connect(&call, self, config), &result);
}

void uniffi_slim_bindings_fn_method_service_disconnect(void *self, uint64_t connection,
                                                       struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    struct uf_service *service = uf_call_object(&call, self, UF_SERVICE);
    if (service != NULL && !uf_finish(slim_service_disconnect(service->service, connection, NULL),
                                      UF_SERVICE_ERROR, &call.error)) {
        assert(!uf_call_is_fine(&call));
    }
    uf_call_end(&call, status);
}

struct uf_buffer uniffi_slim_bindings_fn_method_service_get_connection_id(void *self,
                                                                          struct uf_buffer endpoint,
                                                                          struct uf_status *status)
{
    struct uf_call call;
    struct uf_buffer written = {.capacity = 0, .len = 0, .data = NULL};
    uint64_t number;
    uf_call_begin(&call);
    struct uf_service *service = uf_call_object(&call, self, UF_SERVICE);
    const char *text = uf_call_copy(&call, uf_call_text(&call, endpoint), "an endpoint");
    if (service != NULL && text != NULL) {
        const uint64_t *found =
            slim_service_connection(service->service, text, &number) == SLIM_OK ? &number : NULL;
        written = uf_call_write(&call, &uf_type_optional_u64, (const void *)&found);
    }
    if (call.error.fault != UF_FINE) {
        call.error.fault = UF_PANIC; /* has no other way to fail */
    }
    uf_call_end(&call, status);
    return written;
}

/* ------------------------------------------------------------------------------------------------ servers, start and end */

static struct uf_completion *begin_run_server(struct uf_call *call, void *self,
                                              struct uf_buffer config)
{
    struct uf_server_config given;
    struct uf_service *service = uf_call_object(call, self, UF_SERVICE);
    uf_call_record(call, config, &uf_type_server_config, &given);
    char *text = uf_call_is_fine(call) ? uf_server_text(&given, &call->error) : NULL;
    if (text == NULL) {
        return NULL;
    }
    struct uf_completion *begun = uf_call_begun(
        call, slim_service_run_server(service->service, text, NULL), UF_SERVICE_ERROR);
    free(text);
    return begun;
}

UF_VOID_FORMS(service, run_server, (void *self, struct uf_buffer config), (self, config))

void uniffi_slim_bindings_fn_method_service_stop_server(void *self, struct uf_buffer endpoint,
                                                        struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    struct uf_service *service = uf_call_object(&call, self, UF_SERVICE);
    const char *text = uf_call_copy(&call, uf_call_text(&call, endpoint), "an endpoint");
    if (uf_call_is_fine(&call) && !uf_finish(slim_service_stop_server(service->service, text, NULL),
                                             UF_SERVICE_ERROR, &call.error)) {
        assert(!uf_call_is_fine(&call));
    }
    uf_call_end(&call, status);
}

/* Put what was begun at the end of the list. False: no memory, *error. */
static bool append(struct uf_completion **list, struct slim_op *op, struct uf_error *error)
{
    struct uf_completion *begun = uf_completion_new(op, UF_SERVICE_ERROR);
    if (begun == NULL) {
        return uf_fail_no_memory(error);
    }
    while (*list != NULL) {
        list = &(*list)->next;
    }
    *list = begun;
    return true;
}

struct uf_completion *uf_service_begin_run(const struct uf_service_config *config,
                                           struct slim_service *service, struct uf_error *error)
{
    const struct uf_server_config *servers = config->dataplane.servers.items;
    const struct uf_client_config *clients = config->dataplane.clients.items;
    struct uf_completion *list = NULL;
    bool is_fine = true;
    if (config->dataplane.servers.count == 0 && config->dataplane.clients.count == 0) {
        (void)uf_fail(error, UF_SERVICE_ERROR, "no server or client configured");
        return NULL;
    }
    for (size_t i = 0; i < config->dataplane.servers.count && is_fine; i++) {
        char *text = uf_server_text(&servers[i], error);
        is_fine =
            text != NULL && append(&list, slim_service_run_server(service, text, NULL), error);
        free(text);
    }
    for (size_t i = 0; i < config->dataplane.clients.count && is_fine; i++) {
        char *text = uf_client_text(&clients[i], error);
        is_fine = text != NULL && append(&list, slim_service_connect(service, text, NULL), error);
        free(text);
    }
    while (!is_fine && list != NULL) {
        struct uf_completion *next = list->next;
        uf_object_unref(list);
        list = next;
    }
    return list;
}

static struct uf_completion *begin_run(struct uf_call *call, void *self)
{
    struct uf_service_config config = no_config;
    struct uf_service *service = uf_call_object(call, self, UF_SERVICE);
    if (service == NULL || (service->config.len > 0 &&
                            !uf_read_record(&uf_type_service_config, uf_view_of(&service->config),
                                            &config, &call->arena, &call->error))) {
        return NULL;
    }
    return uf_service_begin_run(&config, service->service, &call->error);
}

static struct uf_completion *begin_shutdown(struct uf_call *call, void *self)
{
    struct uf_service *service = uf_call_object(call, self, UF_SERVICE);
    return service == NULL ? NULL
                           : uf_call_begun(call, slim_service_shutdown(service->service, NULL),
                                           UF_SERVICE_ERROR);
}

UF_VOID_FORMS(service, run, (void *self), (self))
UF_VOID_FORMS(service, shutdown, (void *self), (self))

/* ------------------------------------------------------------------------------------------------ applications */

void *uniffi_slim_bindings_fn_method_service_create_app(void *self, void *name,
                                                        struct uf_buffer provider,
                                                        struct uf_buffer verifier,
                                                        struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    struct uf_service *service = uf_call_object(&call, self, UF_SERVICE);
    void *given =
        uf_app_make(&call, uf_app_request_new(&call, service, name, provider, verifier, NULL));
    uf_call_end(&call, status);
    return given;
}

uint64_t uniffi_slim_bindings_fn_method_service_create_app_async(void *self, void *name,
                                                                 struct uf_buffer provider,
                                                                 struct uf_buffer verifier)
{
    struct uf_call call;
    uf_call_begin(&call);
    struct uf_service *service = uf_call_object(&call, self, UF_SERVICE);
    return uf_app_make_async(&call,
                             uf_app_request_new(&call, service, name, provider, verifier, NULL));
}

void *uniffi_slim_bindings_fn_method_service_create_app_with_direction(void *self, void *name,
                                                                       struct uf_buffer provider,
                                                                       struct uf_buffer verifier,
                                                                       struct uf_buffer direction,
                                                                       struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    struct uf_service *service = uf_call_object(&call, self, UF_SERVICE);
    void *given = uf_app_make(
        &call, uf_app_request_new(&call, service, name, provider, verifier, &direction));
    uf_call_end(&call, status);
    return given;
}

uint64_t uniffi_slim_bindings_fn_method_service_create_app_with_direction_async(
    void *self, void *name, struct uf_buffer provider, struct uf_buffer verifier,
    struct uf_buffer direction)
{
    struct uf_call call;
    uf_call_begin(&call);
    struct uf_service *service = uf_call_object(&call, self, UF_SERVICE);
    return uf_app_make_async(
        &call, uf_app_request_new(&call, service, name, provider, verifier, &direction));
}

void *uniffi_slim_bindings_fn_method_service_create_app_with_secret(void *self, void *name,
                                                                    struct uf_buffer secret,
                                                                    struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    struct uf_service *service = uf_call_object(&call, self, UF_SERVICE);
    void *given = uf_app_make(&call, uf_app_request_new_with_secret(&call, service, name, secret));
    uf_call_end(&call, status);
    return given;
}

uint64_t
uniffi_slim_bindings_fn_method_service_create_app_with_secret_async(void *self, void *name,
                                                                    struct uf_buffer secret)
{
    struct uf_call call;
    uf_call_begin(&call);
    struct uf_service *service = uf_call_object(&call, self, UF_SERVICE);
    return uf_app_make_async(&call, uf_app_request_new_with_secret(&call, service, name, secret));
}
