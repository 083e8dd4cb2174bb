/* App: one identity under one name. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "things.h"

enum { SECRET_BYTES_MIN = 32 };

/* ------------------------------------------------------------------------------------------------ its life, and sessions that arrive */

static enum slim_status take_session(struct uf_source *source, struct uf_arrival *arrival)
{
    struct slim_error why = {.status = SLIM_OK};
    struct slim_session *session;
    enum slim_status status = slim_app_listen(((struct uf_app *)source)->app, 0, &session, &why);
    if (status == SLIM_OK) {
        arrival->item = session;
    } else if (status != SLIM_ERR_TIMEOUT) {
        (void)uf_fail(&arrival->error, UF_RECEIVE_ERROR, "%s", why.text); /* arrives as such */
    }
    return status;
}

static struct slim_op *await_session(struct uf_source *source, const struct slim_notify *notify)
{
    return slim_app_await_session(((struct uf_app *)source)->app, notify);
}

static void drop_session(void *item)
{
    slim_session_unref(item);
}

static bool fail_late(struct uf_error *error)
{
    return uf_fail(error, UF_RECEIVE_ERROR, "listen_for_session timed out");
}

static const struct uf_source_class sessions = {
    .take = take_session, .await = await_session, .drop = drop_session, .fail_late = fail_late};

static struct uf_app *app_new(struct slim_app *app)
{
    struct uf_app *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        slim_app_unref(app);
        return NULL;
    }
    uf_source_init(&made->source, UF_APP, &sessions);
    made->app = app;
    return made;
}

void uf_app_free(struct uf_object *object)
{
    struct uf_app *app = (struct uf_app *)object;
    uf_source_fini(&app->source);
    slim_app_unref(app->app);
    free(app);
}

UF_CLONE_AND_FREE(app, UF_APP)

/* ------------------------------------------------------------------------------------------------ making applications */

static void request_free(struct uf_app_request *request)
{
    if (request == NULL) {
        return;
    }
    uf_object_unref(request->service);
    uf_object_unref(request->name);
    for (char *texts[] = {request->provider, request->verifier}, **text = texts; text < texts + 2;
         text++) {
        if (*text != NULL) {
            explicit_bzero(*text, strlen(*text)); /* secrets and keys */
        }
        free(*text);
    }
    free(request);
}

static struct uf_app_request *request_new(struct uf_call *call, struct uf_service *service,
                                          struct uf_name *name)
{
    struct uf_app_request *request = calloc(1, sizeof(*request));
    if (request == NULL) {
        (void)uf_fail_no_memory(&call->error); /* the call has it */
        return NULL;
    }
    request->service = uf_object_ref(service);
    request->name = uf_object_ref(name);
    request->direction = SLIM_BIDIRECTIONAL;
    return request;
}

static enum slim_direction direction_of(uint32_t direction)
{
    static const enum slim_direction directions[] = {[UF_SEND] = SLIM_SEND_ONLY,
                                                     [UF_RECV] = SLIM_RECEIVE_ONLY,
                                                     [UF_BIDIRECTIONAL] = SLIM_BIDIRECTIONAL,
                                                     [UF_NEITHER] = SLIM_NEITHER};
    return directions[direction];
}

struct uf_app_request *uf_app_request_new(struct uf_call *call, struct uf_service *service,
                                          void *name, struct uf_buffer provider,
                                          struct uf_buffer verifier,
                                          const struct uf_buffer *direction)
{
    struct uf_union identity;
    struct uf_union check;
    uint32_t number = UF_BIDIRECTIONAL;
    struct uf_name *own = uf_call_object(call, name, UF_NAME);
    uf_call_record(call, provider, &uf_type_provider, &identity);
    uf_call_record(call, verifier, &uf_type_verifier, &check);
    if (direction != NULL) {
        uf_call_record(call, *direction, &uf_type_direction, &number);
    }
    if (!uf_call_is_fine(call) || service == NULL) {
        return NULL;
    }
    struct uf_app_request *request = request_new(call, service, own);
    if (request == NULL) {
        return NULL;
    }
    request->direction = direction_of(number);
    request->provider = uf_provider_text(&identity, &call->error);
    request->verifier = request->provider == NULL ? NULL : uf_verifier_text(&check, &call->error);
    if (request->verifier == NULL) {
        request_free(request);
        return NULL;
    }
    return request;
}

struct uf_app_request *uf_app_request_new_with_secret(struct uf_call *call,
                                                      struct uf_service *service, void *name,
                                                      struct uf_buffer secret)
{
    struct uf_name *own = uf_call_object(call, name, UF_NAME);
    struct slim_view text = uf_call_text(call, secret);
    if (!uf_call_is_fine(call) || service == NULL) {
        return NULL;
    }
    if (text.len < SECRET_BYTES_MIN) {
        (void)uf_fail(&call->error, UF_AUTH_ERROR, "hmac key is too short"); /* the call has it */
        return NULL;
    }
    struct uf_app_request *request = request_new(call, service, own);
    if (request == NULL) {
        return NULL;
    }
    char *id = uf_name_print(&own->name);
    if (id == NULL) {
        (void)uf_fail_no_memory(&call->error); /* likewise */
    } else {
        request->provider = uf_secret_text(uf_view(id), text, &call->error);
        request->verifier = request->provider == NULL ? NULL : strdup(request->provider);
    }
    free(id);
    if (request->verifier == NULL) {
        (void)uf_fail_no_memory(&call->error); /* when it has no other error */
        request_free(request);
        return NULL;
    }
    return request;
}

/* Does the environment ask for sessions with MLS as release 1.0.0 has them, which are in clear? */
static bool allows_plaintext(void)
{
    const char *value = getenv("SLIM_ALLOW_PLAINTEXT");
    return value != NULL && (strcmp(value, "1") == 0 || strcasecmp(value, "true") == 0 ||
                             strcasecmp(value, "yes") == 0);
}

/* A uf_work: waits for identities that must be fetched first. */
static void make_app(void *ctx, struct uf_result *result, struct uf_error *error)
{
    struct uf_app_request *request = ctx;
    struct slim_app_config config = {.provider = request->provider,
                                     .verifier = request->verifier,
                                     .direction = request->direction,
                                     .allow_plaintext = allows_plaintext()};
    struct slim_error why = {.status = SLIM_OK};
    struct slim_app *app;
    enum slim_status status = slim_app_new(request->service->service, &request->name->name, &config,
                                           SLIM_FOREVER, &app, &why);
    if (status == SLIM_ERR_CLOSED) {
        (void)uf_fail(error, UF_SERVICE_ERROR,
                      "datapath error\nCaused by:\n  -> data path is already closed");
    } else if (status != SLIM_OK) {
        (void)uf_fail(error, status == SLIM_ERR_STATE ? UF_SERVICE_ERROR : UF_AUTH_ERROR, "%s",
                      why.text); /* told with the result */
    } else {
        result->object = (struct uf_object *)app_new(app);
        if (result->object == NULL) {
            (void)uf_fail_no_memory(error); /* likewise */
        }
    }
    request_free(request);
}

void *uf_app_make(struct uf_call *call, struct uf_app_request *request)
{
    struct uf_result result = {.form = UF_RESULT_OBJECT};
    if (request != NULL) {
        make_app(request, &result, &call->error);
    }
    return uf_call_give(call, result.object);
}

uint64_t uf_app_make_async(struct uf_call *call, struct uf_app_request *request)
{
    struct uf_result result = {.form = UF_RESULT_OBJECT};
    if (request == NULL) {
        return uf_call_future(call, &result);
    }
    uf_call_end(call, NULL);
    return uf_future_of_work(make_app, request, UF_RESULT_OBJECT);
}

/* ---- on the global service */

void *uniffi_slim_bindings_fn_constructor_app_new(void *name, struct uf_buffer provider,
                                                  struct uf_buffer verifier,
                                                  struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    struct uf_service *service = uf_setup_global_service(&call.error);
    void *given =
        uf_app_make(&call, uf_app_request_new(&call, service, name, provider, verifier, NULL));
    uf_object_unref(service);
    uf_call_end(&call, status);
    return given;
}

void *uniffi_slim_bindings_fn_constructor_app_new_with_direction(void *name,
                                                                 struct uf_buffer provider,
                                                                 struct uf_buffer verifier,
                                                                 struct uf_buffer direction,
                                                                 struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    struct uf_service *service = uf_setup_global_service(&call.error);
    void *given = uf_app_make(
        &call, uf_app_request_new(&call, service, name, provider, verifier, &direction));
    uf_object_unref(service);
    uf_call_end(&call, status);
    return given;
}

void *uniffi_slim_bindings_fn_constructor_app_new_with_secret(void *name, struct uf_buffer secret,
                                                              struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    struct uf_service *service = uf_setup_global_service(&call.error);
    void *given = uf_app_make(&call, uf_app_request_new_with_secret(&call, service, name, secret));
    uf_object_unref(service);
    uf_call_end(&call, status);
    return given;
}

/* ------------------------------------------------------------------------------------------------ who it is */

uint64_t uniffi_slim_bindings_fn_method_app_id(void *self, struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    struct uf_app *app = uf_call_object(&call, self, UF_APP);
    uint64_t id = app == NULL ? 0 : slim_app_name(app->app)->id;
    uf_call_end(&call, status);
    return id;
}

void *uniffi_slim_bindings_fn_method_app_name(void *self, struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    struct uf_app *app = uf_call_object(&call, self, UF_APP);
    struct uf_name *name = app == NULL ? NULL : uf_name_new(slim_app_name(app->app));
    if (name == NULL) {
        (void)uf_fail_no_memory(&call.error); /* when it has no other error */
    }
    void *given = uf_call_give(&call, name);
    uf_call_end(&call, status);
    return given;
}

/* ------------------------------------------------------------------------------------------------ subscriptions and routes */

typedef struct slim_op *(*change)(struct slim_app *, const struct slim_name *, uint64_t,
                                  const struct slim_notify *);

static struct uf_completion *begin_change(struct uf_call *call, void *self, void *name,
                                          uint64_t connection, change begin)
{
    struct uf_app *app = uf_call_object(call, self, UF_APP);
    struct uf_name *whose = uf_call_object(call, name, UF_NAME);
    if (!uf_call_is_fine(call)) {
        return NULL;
    }
    return uf_call_begun(call, begin(app->app, &whose->name, connection, NULL), UF_SERVICE_ERROR);
}

/* None: inside the service only. */
static uint64_t connection_of(struct uf_call *call, struct uf_buffer connection)
{
    const uint64_t *number;
    uf_call_record(call, connection, &uf_type_optional_u64, (void *)&number);
    return number == NULL ? SLIM_ANY_ID : *number;
}

static struct uf_completion *begin_subscribe(struct uf_call *call, void *self, void *name,
                                             struct uf_buffer connection)
{
    return begin_change(call, self, name, connection_of(call, connection), slim_app_subscribe);
}

static struct uf_completion *begin_unsubscribe(struct uf_call *call, void *self, void *name,
                                               struct uf_buffer connection)
{
    return begin_change(call, self, name, connection_of(call, connection), slim_app_unsubscribe);
}

static struct uf_completion *begin_set_route(struct uf_call *call, void *self, void *name,
                                             uint64_t connection)
{
    return begin_change(call, self, name, connection, slim_app_set_route);
}

static struct uf_completion *begin_remove_route(struct uf_call *call, void *self, void *name,
                                                uint64_t connection)
{
    return begin_change(call, self, name, connection, slim_app_remove_route);
}

UF_VOID_FORMS(app, subscribe, (void *self, void *name, struct uf_buffer connection),
              (self, name, connection))
UF_VOID_FORMS(app, unsubscribe, (void *self, void *name, struct uf_buffer connection),
              (self, name, connection))
UF_VOID_FORMS(app, set_route, (void *self, void *name, uint64_t connection),
              (self, name, connection))
UF_VOID_FORMS(app, remove_route, (void *self, void *name, uint64_t connection),
              (self, name, connection))

/* ------------------------------------------------------------------------------------------------ sessions */

/* One of the two absent: unreliable. */
static void read_session_config(const struct uf_session_config *config,
                                struct slim_session_config *made)
{
    enum { MS_PER_S = 1000, NS_PER_MS = 1000000 };
    *made = (struct slim_session_config){
        .type = config->session_type == UF_GROUP ? SLIM_GROUP : SLIM_POINT_TO_POINT,
        .enable_mls = config->enable_mls,
        .metadata = config->metadata.items,
        .metadata_count = config->metadata.count};
    if (config->max_retries == NULL || config->interval == NULL) {
        return;
    }
    uint64_t ms;
    if (__builtin_mul_overflow(config->interval->seconds, MS_PER_S, &ms) ||
        __builtin_add_overflow(ms, config->interval->nanoseconds / NS_PER_MS, &ms)) {
        ms = UINT64_MAX;
    }
    made->max_retries = *config->max_retries;
    made->interval_ms = ms == 0 ? 1 : ms;
}

/* The session in *session, and what ends when it stands. */
static struct uf_completion *begin_session(struct uf_call *call, void *self,
                                           struct uf_buffer config, void *destination,
                                           struct uf_session **session)
{
    struct uf_session_config given;
    struct slim_session_config wanted;
    struct slim_session *native = NULL;
    struct uf_app *app = uf_call_object(call, self, UF_APP);
    struct uf_name *name = uf_call_object(call, destination, UF_NAME);
    uf_call_record(call, config, &uf_type_session_config, &given);
    *session = NULL;
    if (!uf_call_is_fine(call)) {
        return NULL;
    }
    read_session_config(&given, &wanted);
    struct slim_op *op = slim_app_create_session(app->app, &wanted, &name->name, NULL, &native);
    if (native == NULL) {
        (void)uf_fail_no_memory(&call->error); /* the call has it */
        slim_op_unref(op);
        return NULL;
    }
    *session = uf_session_new(native);
    struct uf_completion *begun = uf_call_begun(call, op, UF_SESSION_ERROR);
    if (*session == NULL || begun == NULL) {
        (void)uf_fail_no_memory(&call->error); /* likewise */
        uf_object_unref(*session);
        uf_object_unref(begun);
        *session = NULL;
        return NULL;
    }
    return begun;
}

/* SessionWithCompletion. */
static struct uf_buffer create_session(struct uf_call *call, void *self, struct uf_buffer config,
                                       void *destination)
{
    struct uf_session *session;
    struct uf_completion *begun = begin_session(call, self, config, destination, &session);
    struct uf_session_with_completion both = {.session = (struct uf_object *)session,
                                              .completion = (struct uf_object *)begun};
    struct uf_buffer written = uf_call_write(call, &uf_type_session_with_completion, &both);
    uf_object_unref(session);
    uf_object_unref(begun);
    return written;
}

struct uf_buffer uniffi_slim_bindings_fn_method_app_create_session(void *self,
                                                                   struct uf_buffer config,
                                                                   void *destination,
                                                                   struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    struct uf_buffer written = create_session(&call, self, config, destination);
    uf_call_end(&call, status);
    return written;
}

uint64_t uniffi_slim_bindings_fn_method_app_create_session_async(void *self,
                                                                 struct uf_buffer config,
                                                                 void *destination)
{
    struct uf_call call;
    uf_call_begin(&call);
    struct uf_result result = {.form = UF_RESULT_BUFFER, .type = &uf_type_session_with_completion};
    result.buffer = create_session(&call, self, config, destination);
    return uf_call_future(&call, &result);
}

void *uniffi_slim_bindings_fn_method_app_create_session_and_wait(void *self,
                                                                 struct uf_buffer config,
                                                                 void *destination,
                                                                 struct uf_status *status)
{
    struct uf_call call;
    struct uf_session *session;
    uf_call_begin(&call);
    struct uf_completion *begun = begin_session(&call, self, config, destination, &session);
    if (begun != NULL && !uf_completion_finish(begun, &call.error)) {
        assert(!uf_call_is_fine(&call));
    }
    void *given = uf_call_give(&call, session);
    uf_call_end(&call, status);
    return given;
}

uint64_t uniffi_slim_bindings_fn_method_app_create_session_and_wait_async(void *self,
                                                                          struct uf_buffer config,
                                                                          void *destination)
{
    struct uf_call call;
    struct uf_session *session;
    uf_call_begin(&call);
    struct uf_completion *begun = begin_session(&call, self, config, destination, &session);
    struct uf_result result = {.form = UF_RESULT_OBJECT, .object = (struct uf_object *)session};
    return uf_call_future_of(&call, begun, &result);
}

static struct uf_completion *begin_delete_session(struct uf_call *call, void *self, void *whose)
{
    struct uf_app *app = uf_call_object(call, self, UF_APP);
    struct uf_session *session = uf_call_object(call, whose, UF_SESSION);
    if (app == NULL || !uf_call_is_fine(call)) {
        return NULL;
    }
    return uf_call_begun(call, slim_session_delete(session->session, NULL), UF_SESSION_ERROR);
}

UF_COMPLETION_FORMS(app, delete_session, (void *self, void *session), (self, session))

/* ------------------------------------------------------------------------------------------------ listening */

static bool convert_session(struct uf_object *source, void *item, struct uf_result *result,
                            struct uf_error *error)
{
    (void)source;
    result->object = (struct uf_object *)uf_session_new(slim_session_ref(item));
    if (result->object == NULL) {
        return uf_fail_no_memory(error);
    }
    slim_session_unref(item);
    return true;
}

void *uniffi_slim_bindings_fn_method_app_listen_for_session(void *self, struct uf_buffer timeout,
                                                            struct uf_status *status)
{
    struct uf_call call;
    struct uf_result result = {.form = UF_RESULT_SESSION};
    const struct uf_duration *duration;
    uf_call_begin(&call);
    struct uf_app *app = uf_call_object(&call, self, UF_APP);
    uf_call_record(&call, timeout, &uf_type_optional_duration, (void *)&duration);
    if (uf_call_is_fine(&call) &&
        !uf_source_wait(&app->source, uf_deadline(duration), UF_RESULT_SESSION, convert_session,
                        &result, &call.error)) {
        assert(!uf_call_is_fine(&call));
    }
    void *given = uf_call_give(&call, result.object);
    uf_call_end(&call, status);
    return given;
}

uint64_t uniffi_slim_bindings_fn_method_app_listen_for_session_async(void *self,
                                                                     struct uf_buffer timeout)
{
    struct uf_call call;
    struct uf_result result = {.form = UF_RESULT_OBJECT};
    const struct uf_duration *duration;
    uf_call_begin(&call);
    struct uf_app *app = uf_call_object(&call, self, UF_APP);
    uf_call_record(&call, timeout, &uf_type_optional_duration, (void *)&duration);
    if (!uf_call_is_fine(&call)) {
        return uf_call_future(&call, &result);
    }
    uint64_t handle = uf_future_of_source(&app->source, uf_deadline(duration), UF_RESULT_SESSION,
                                          convert_session);
    uf_call_end(&call, NULL);
    return handle;
}
