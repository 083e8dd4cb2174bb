/* What the objects are made of, for the files that use one another's. */
#ifndef UF_THINGS_H
#define UF_THINGS_H

#include "exports.h"
#include "future.h"

/* The exports that all objects have. */
#define UF_CLONE_AND_FREE(object, kind)                                                            \
    void *uniffi_slim_bindings_fn_clone_##object(void *self, struct uf_status *status)             \
    {                                                                                              \
        return uf_clone(self, kind, status);                                                       \
    }                                                                                              \
    void uniffi_slim_bindings_fn_free_##object(void *self, struct uf_status *status)               \
    {                                                                                              \
        uf_free(self, kind, status);                                                               \
    }
void *uf_clone(void *handle, enum uf_kind kind, struct uf_status *status);
void uf_free(void *handle, enum uf_kind kind, struct uf_status *status);

/* ---- Name */

/* name points into text. */
struct uf_name {
    struct uf_object head;
    struct slim_name name;
    char text[];
};

/* A copy; NULL: no memory. */
UF_CHECKED struct uf_name *uf_name_new(const struct slim_name *name);

/* "a/b/c/<id in hexadecimal>", of malloc; NULL: no memory. */
UF_CHECKED char *uf_name_print(const struct slim_name *name);

/* ---- Service */

/* config   the serialised ServiceConfig it was made with, empty when without; title: "kind/name" */
struct uf_service {
    struct uf_object head;
    struct slim_service *service;
    struct uf_buffer config;
    char *title;
};

/* config may be NULL; it is copied. title NULL: "slim/<name>". NULL: *error. */
UF_CHECKED struct uf_service *uf_service_new(struct slim_view name, const char *title,
                                             const struct uf_service_config *config,
                                             struct uf_error *error);

/* Start the servers and links it was configured with. A list to wait for, or NULL: *error. */
UF_CHECKED struct uf_completion *uf_service_begin_run(const struct uf_service_config *config,
                                                      struct slim_service *service,
                                                      struct uf_error *error);

/* What Service("name") does. NULL: the call has the error. */
void *uf_service_make(struct uf_call *call, struct uf_buffer name, const struct uf_buffer *config);

/* ---- App */

struct uf_app {
    struct uf_source source;
    struct slim_app *app;
};

/* What an application is made of; all of malloc. uf_app_request_free takes NULL. */
struct uf_app_request {
    struct uf_service *service;
    struct uf_name *name;
    char *provider;
    char *verifier;
    enum slim_direction direction;
};

/* Arguments of the constructors. NULL: the call has the error. direction NULL: both. */
UF_CHECKED struct uf_app_request *uf_app_request_new(struct uf_call *call,
                                                     struct uf_service *service, void *name,
                                                     struct uf_buffer provider,
                                                     struct uf_buffer verifier,
                                                     const struct uf_buffer *direction);
UF_CHECKED struct uf_app_request *uf_app_request_new_with_secret(struct uf_call *call,
                                                                 struct uf_service *service,
                                                                 void *name,
                                                                 struct uf_buffer secret);

/* Make it, in this thread or in one of its own; the request is taken, NULL when the call has an error. */
UF_CHECKED void *uf_app_make(struct uf_call *call, struct uf_app_request *request);
uint64_t uf_app_make_async(struct uf_call *call, struct uf_app_request *request);

/* ---- Session */

struct uf_session {
    struct uf_source source;
    struct slim_session *session;
};

/* Takes session, also when there is no memory: NULL then. */
UF_CHECKED struct uf_session *uf_session_new(struct slim_session *session);

/* ---- the process (setup.c) */

/* Set up with defaults when nothing was. */
UF_CHECKED bool uf_setup_default(struct uf_error *error);

/* The first service, with a reference. NULL: *error. */
UF_CHECKED struct uf_service *uf_setup_global_service(struct uf_error *error);

/* ---- records as texts of slim.yaml(5), of malloc (config.c). NULL: *error */

UF_CHECKED char *uf_client_text(const struct uf_client_config *config, struct uf_error *error);
UF_CHECKED char *uf_server_text(const struct uf_server_config *config, struct uf_error *error);
UF_CHECKED char *uf_provider_text(const struct uf_union *config, struct uf_error *error);
UF_CHECKED char *uf_verifier_text(const struct uf_union *config, struct uf_error *error);
UF_CHECKED char *uf_secret_text(struct slim_view id, struct slim_view secret,
                                struct uf_error *error);

/* ---- what all the short forms begin with: op is taken. NULL: the call has the error */

UF_CHECKED struct uf_completion *uf_call_begun(struct uf_call *call, struct slim_op *op,
                                               enum uf_fault fault);

/* Exports of something that is begun by `begin_METHOD(&call, ARGUMENTS)`: four that give or wait for a completion handle, or two that wait. */
#define UF_UNWRAP(...) __VA_ARGS__
#define UF_EXPORT_NAME(owner, method) uniffi_slim_bindings_fn_method_##owner##_##method
#define UF_COMPLETION_FORMS(owner, method, parameters, arguments)                                  \
    void *UF_EXPORT_NAME(owner, method)(UF_UNWRAP parameters, struct uf_status * status)           \
    {                                                                                              \
        struct uf_call call;                                                                       \
        uf_call_begin(&call);                                                                      \
        void *given = uf_call_give(&call, begin_##method(&call, UF_UNWRAP arguments));             \
        uf_call_end(&call, status);                                                                \
        return given;                                                                              \
    }                                                                                              \
    uint64_t UF_EXPORT_NAME(owner, method##_async)(UF_UNWRAP parameters)                           \
    {                                                                                              \
        struct uf_call call;                                                                       \
        uf_call_begin(&call);                                                                      \
        struct uf_result result = {.form = UF_RESULT_OBJECT};                                      \
        result.object = (struct uf_object *)begin_##method(&call, UF_UNWRAP arguments);            \
        return uf_call_future(&call, &result);                                                     \
    }                                                                                              \
    UF_WAITING_FORMS(owner, method##_and_wait, begin_##method, parameters, arguments)

#define UF_VOID_FORMS(owner, method, parameters, arguments)                                        \
    UF_WAITING_FORMS(owner, method, begin_##method, parameters, arguments)

#define UF_WAITING_FORMS(owner, method, begin, parameters, arguments)                              \
    void UF_EXPORT_NAME(owner, method)(UF_UNWRAP parameters, struct uf_status * status)            \
    {                                                                                              \
        struct uf_call call;                                                                       \
        uf_call_begin(&call);                                                                      \
        struct uf_completion *begun = begin(&call, UF_UNWRAP arguments);                           \
        if (begun != NULL && !uf_completion_finish(begun, &call.error)) {                          \
            assert(!uf_call_is_fine(&call));                                                       \
        }                                                                                          \
        uf_call_end(&call, status);                                                                \
    }                                                                                              \
    uint64_t UF_EXPORT_NAME(owner, method##_async)(UF_UNWRAP parameters)                           \
    {                                                                                              \
        struct uf_call call;                                                                       \
        uf_call_begin(&call);                                                                      \
        struct uf_result result = {.form = UF_RESULT_VOID};                                        \
        return uf_call_future_of(&call, begin(&call, UF_UNWRAP arguments), &result);               \
    }

#endif
