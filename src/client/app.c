/* Applications: an identity under a name (slim/slim.h). */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "client/internal.h"

#define SLIM_LOG_TARGET "slim_service::app"

enum { BUCKETS_MIN = 16 };

/* ------------------------------------------------------------------------------------------------ sessions by id */

static struct slim_session **bucket_of(const struct slim_app *app, uint32_t session_id)
{
    return &app->table[(session_id * UINT32_C(2654435761)) & (app->bucket_count - 1)];
}

struct slim_session *slim_client_app_find(const struct slim_app *app, uint32_t session_id)
{
    struct slim_session *session = *bucket_of(app, session_id);
    while (session != NULL && session->look.id != session_id) {
        session = session->table_next;
    }
    return session;
}

static void grow(struct slim_app *app)
{
    size_t old_count = app->bucket_count;
    struct slim_session **old = app->table;
    struct slim_session **table = calloc(old_count * 2, sizeof(struct slim_session *));
    if (table == NULL) {
        return; /* longer chains are slower, and nothing else */
    }
    app->table = table;
    app->bucket_count = old_count * 2;
    for (size_t i = 0; i < old_count; i++) {
        while (old[i] != NULL) {
            struct slim_session *session = old[i];
            old[i] = session->table_next;
            struct slim_session **bucket = bucket_of(app, session->look.id);
            session->table_next = *bucket;
            *bucket = session;
        }
    }
    free(old);
}

enum slim_status slim_client_app_put(struct slim_app *app, struct slim_session *session)
{
    if (slim_client_app_find(app, session->look.id) != NULL) {
        return SLIM_ERR_EXISTS;
    }
    if (app->session_count >= app->bucket_count) {
        grow(app);
    }
    struct slim_session **bucket = bucket_of(app, session->look.id);
    session->table_next = *bucket;
    *bucket = session;
    session->is_in_table = true;
    atomic_fetch_add_explicit(&session->ref_count, 1, memory_order_relaxed);
    app->session_count++;
    return SLIM_OK;
}

void slim_client_app_drop(struct slim_app *app, struct slim_session *session)
{
    struct slim_session **link = bucket_of(app, session->look.id);
    while (*link != session) {
        link = &(*link)->table_next;
    }
    *link = session->table_next;
    session->is_in_table = false;
    app->session_count--;
    slim_client_session_unref_memory(session);
    slim_client_service_left(app->service);
}

/* ------------------------------------------------------------------------------------------------ sessions that others begin */

bool slim_client_app_offer(struct slim_app *app, struct slim_session *session)
{
    (void)pthread_mutex_lock(&app->mutex); /* our own mutex */
    bool has_room = app->backlog_count < SLIM_CLIENT_BACKLOG_MAX;
    if (has_room) {
        atomic_fetch_add_explicit(&session->ref_count, 1, memory_order_relaxed);
        slim_list_put_last(&app->backlog, &session->in_backlog);
        app->backlog_count++;
        (void)pthread_cond_broadcast(&app->cond); /* cannot fail */
        slim_client_op_end_all(&app->listeners, SLIM_OK, NULL);
    }
    (void)pthread_mutex_unlock(&app->mutex); /* likewise */
    return has_room;
}

/* The application's mutex is held. The reference of the backlog becomes that of the user. */
static struct slim_session *take_offered(struct slim_app *app)
{
    struct slim_list *node = slim_list_take_first(&app->backlog);
    if (node == NULL) {
        return NULL;
    }
    struct slim_session *session = SLIM_LIST_ENTRY(node, struct slim_session, in_backlog);
    app->backlog_count--;
    atomic_store(&session->user_count, 1);
    (void)slim_app_ref(app); /* whoever holds a session holds its application */
    return session;
}

static enum slim_status check(const struct slim_app *app, struct slim_error *error)
{
    return app == NULL ? slim_error_set(error, SLIM_ERR_ARGUMENT, "no application was given")
                       : slim_client_check(app->service, error);
}

enum slim_status slim_app_listen(struct slim_app *app, uint64_t deadline_ns,
                                 struct slim_session **session, struct slim_error *error)
{
    SLIM_TRY(check(app, error));
    if (session == NULL) {
        return slim_error_set(error, SLIM_ERR_ARGUMENT, "no place for the session was given");
    }
    (void)pthread_mutex_lock(&app->mutex); /* our own mutex */
    bool is_in_time = true;
    struct slim_session *taken = take_offered(app);
    while (taken == NULL && !app->is_over && is_in_time) {
        is_in_time = slim_client_wait_until(&app->cond, &app->mutex, deadline_ns);
        taken = take_offered(app);
    }
    bool is_over = app->is_over;
    (void)pthread_mutex_unlock(&app->mutex); /* likewise */
    if (taken != NULL) {
        *session = taken;
        return SLIM_OK;
    }
    return is_over ? slim_error_set(error, SLIM_ERR_CLOSED, "application channel closed")
                   : slim_error_set(error, SLIM_ERR_TIMEOUT, "listen_for_session timed out");
}

struct slim_op *slim_app_await_session(struct slim_app *app, const struct slim_notify *notify)
{
    struct slim_error error = {.status = SLIM_OK};
    if (check(app, &error) != SLIM_OK) {
        return slim_client_op_failed(notify, error.status, error.text);
    }
    struct slim_op *op = slim_client_op_new(notify);
    (void)pthread_mutex_lock(&app->mutex); /* our own mutex */
    bool is_ready = !slim_list_is_empty(&app->backlog) || app->is_over;
    if (!is_ready && !op->is_static) {
        slim_client_op_put(&app->listeners, op);
    }
    (void)pthread_mutex_unlock(&app->mutex); /* likewise */
    if (is_ready) {
        slim_client_op_end(op, SLIM_OK, NULL);
    }
    return op;
}

/* ------------------------------------------------------------------------------------------------ its life */

/* Subscriptions and routes for connections that are not there: as with the reference, no more than a line in the log. */
static void on_error(void *ctx, const char *text)
{
    static struct slim_log_limit limit;
    (void)ctx; /* the text says which */
    slim_log_limited(&limit, WARN, "the engine refused something",
                     SLIM_LOG_QUOTED("error", slim_view_str(text)));
}

static void on_wanted(void *ctx)
{
    struct slim_app *app = ctx;
    slim_client_identity_fetch(&app->identity);
}

static enum slim_status attach(struct slim_app *app, const struct slim_app_config *config,
                               struct slim_error *error)
{
    struct slim_client_local_options options = {
        .loop = app->service->loop,
        .datapath = app->service->datapath,
        .provider = app->identity.provider,
        .verifier = app->identity.verifier,
        .can_send = config->direction == SLIM_BIDIRECTIONAL || config->direction == SLIM_SEND_ONLY,
        .can_receive =
            config->direction == SLIM_BIDIRECTIONAL || config->direction == SLIM_RECEIVE_ONLY,
        .protection = config->allow_plaintext ? SLIM_SESSION_PROTECTION_PLAINTEXT
                                              : SLIM_SESSION_PROTECTION_REQUIRED,
        .on_event = slim_client_session_on_event,
        .on_error = on_error,
        .on_batch = slim_client_read_flush_all,
        .on_wanted = on_wanted,
        .ctx = app,
    };
    memcpy(options.name.part, app->name.part, sizeof(options.name.part));
    SLIM_TRY(slim_client_local_new(&options, &app->local, error));
    app->name.id = (uint64_t)slim_client_local_name(app->local)->name.id;
    return SLIM_OK;
}

/* Its creation, when the first token is still awaited. */
static void end_pending(struct slim_app *app, enum slim_status status, const char *text)
{
    struct slim_client_request *pending = app->pending;
    app->pending = NULL;
    if (pending != NULL) {
        slim_client_request_end(pending, status, text);
    }
}

void slim_client_app_close(struct slim_app *app)
{
    end_pending(app, SLIM_ERR_CLOSED, "the service is shut down");
    slim_client_local_free(app->local); /* its sessions end silently: we say so instead */
    app->local = NULL;
    slim_client_identity_fini(&app->identity); /* while the engine that it fetches with is there */
    struct slim_list *node;
    while ((node = slim_list_take_first(&app->begun)) != NULL) {
        slim_client_publish_end(SLIM_LIST_ENTRY(node, struct slim_op, waiting), SLIM_ERR_CLOSED,
                                "session closed");
    }
    for (size_t i = 0; i < app->bucket_count; i++) {
        while (app->table[i] != NULL) {
            struct slim_session *session = app->table[i];
            slim_client_session_orphan(session);
            slim_client_app_drop(app, session);
        }
    }
    (void)pthread_mutex_lock(&app->mutex); /* our own mutex */
    app->is_over = true;
    (void)pthread_cond_broadcast(&app->cond); /* cannot fail */
    slim_client_op_end_all(&app->listeners, SLIM_OK, NULL);
    (void)pthread_mutex_unlock(&app->mutex); /* likewise */
    slim_list_remove(&app->in_service);
}

/* Closing one may end it at once, and others: look again from the front of the bucket each time. */
static struct slim_session *next_to_leave(const struct slim_app *app, size_t bucket)
{
    struct slim_session *session = app->table[bucket];
    while (session != NULL && session->is_leaving) {
        session = session->table_next;
    }
    return session;
}

void slim_client_app_leave(struct slim_app *app)
{
    for (size_t i = 0; i < app->bucket_count; i++) {
        struct slim_session *session;
        while ((session = next_to_leave(app, i)) != NULL) {
            session->is_leaving = true;
            /* one that is ending already ends all the same; without memory it ends when patience does */
            enum slim_status status = slim_client_session_close(session, 0, NULL);
            (void)status;
        }
    }
    if (app->local != NULL) { /* else its first token is still awaited */
        slim_client_local_wake(app->local);
    }
}

/* On the loop thread, behind everything that its users asked for. */
static void app_free(struct slim_app *app)
{
    slim_client_app_close(app);
    struct slim_list *node;
    while ((node = slim_list_take_first(&app->backlog)) != NULL) {
        slim_client_session_unref_memory(SLIM_LIST_ENTRY(node, struct slim_session, in_backlog));
    }
    slim_task_cancel(&app->token);
    (void)pthread_cond_destroy(&app->cond);   /* nobody waits */
    (void)pthread_mutex_destroy(&app->mutex); /* nobody holds it */
    slim_buf_fini(&app->name_text);
    free(app->table);
    free(app);
}

static void on_last(struct slim_job *job)
{
    app_free(SLIM_CONTAINER_OF(job, struct slim_app, last));
}

struct slim_app *slim_app_ref(struct slim_app *app)
{
    if (app != NULL) {
        atomic_fetch_add_explicit(&app->user_count, 1, memory_order_relaxed);
    }
    return app;
}

void slim_app_unref(struct slim_app *app)
{
    if (app == NULL || atomic_fetch_sub_explicit(&app->user_count, 1, memory_order_acq_rel) != 1 ||
        slim_client_check(app->service, NULL) != SLIM_OK) {
        return;
    }
    struct slim_service *service = app->service;
    app->last.on_loop = on_last;
    slim_loop_post(service->loop, &app->last); /* freed from here on */
    slim_service_unref(service);
}

static void on_token_task(struct slim_task *task);

static struct slim_app *app_alloc(struct slim_service *service, const struct slim_name *name)
{
    struct slim_app *app = calloc(1, sizeof(*app));
    if (app == NULL) {
        return NULL;
    }
    atomic_init(&app->user_count, 1);
    slim_list_init(&app->in_service);
    slim_task_init(&app->token, on_token_task);
    slim_list_init(&app->backlog);
    slim_list_init(&app->listeners);
    slim_list_init(&app->begun);
    slim_list_init(&app->news);
    atomic_init(&app->home, SLIM_CLIENT_NO_CONN);
    app->bucket_count = BUCKETS_MIN;
    app->table = calloc(BUCKETS_MIN, sizeof(struct slim_session *));
    if (app->table == NULL || slim_client_cond_init(&app->cond) != SLIM_OK) {
        free(app->table);
        free(app);
        return NULL;
    }
    (void)pthread_mutex_init(&app->mutex, NULL); /* a plain mutex cannot fail here */
    app->service = slim_service_ref(service);
    if (slim_client_name_copy(&app->name_text, name, &app->name) != SLIM_OK) {
        slim_app_unref(app);
        return NULL;
    }
    slim_client_name_point(&app->name_text, &app->name);
    return app;
}

/* secret   instead of config's provider and verifier, when they are not there */
struct new_request {
    struct slim_client_request common;
    struct slim_app *app;
    const struct slim_app_config *config;
    struct slim_view secret;
};

/* It knows itself in its service now, unless its first token must be awaited. */
static void finish_new(struct slim_app *app, struct new_request *request, enum slim_status status,
                       struct slim_error *error)
{
    if (status == SLIM_OK) {
        status = attach(app, request->config, error);
    }
    if ((status == SLIM_OK || status == SLIM_AGAIN) && !slim_list_is_linked(&app->in_service)) {
        slim_list_put_last(&app->service->apps, &app->in_service);
    }
    if (status == SLIM_AGAIN) {
        app->pending = &request->common;
        return;
    }
    app->pending = NULL;
    if (status != SLIM_OK) {
        slim_client_identity_fini(&app->identity); /* while the engine is there */
    }
    slim_client_request_end(&request->common, status, error->text);
}

/* The first token may be there. */
static void on_token_task(struct slim_task *task)
{
    struct slim_app *app = SLIM_CONTAINER_OF(task, struct slim_app, token);
    struct slim_error error = {.status = SLIM_OK};
    if (app->pending != NULL) {
        finish_new(app, (struct new_request *)app->pending, SLIM_OK, &error);
    }
}

static void on_token(void *ctx)
{
    struct slim_app *app = ctx;
    slim_loop_at_turn_end(app->service->loop, &app->token);
}

static void run_new(struct slim_client_request *common)
{
    struct new_request *request = (struct new_request *)common;
    struct slim_app *app = request->app;
    struct slim_error error = {.status = SLIM_OK};
    const struct slim_client_identity_options options = {
        .datapath = app->service->datapath,
        .name = "application",
        .provider = request->config->provider,
        .verifier = request->config->verifier,
        .on_change = on_token,
        .ctx = app,
    };
    enum slim_status status =
        options.provider == NULL
            ? slim_client_identity_init_secret(&app->identity, &app->name, request->secret, &error)
            : slim_client_identity_init(&app->identity, &options, &error);
    finish_new(app, request, status, &error);
}

static void on_give_up(struct slim_job *job)
{
    end_pending(SLIM_CONTAINER_OF(job, struct slim_app, give_up), SLIM_ERR_TIMEOUT,
                "no token has come from the identity provider in time");
}

static enum slim_status make_app(struct slim_service *service, const struct slim_name *name,
                                 const struct slim_app_config *config, struct slim_view secret,
                                 uint64_t deadline_ns, struct slim_app **result,
                                 struct slim_error *error)
{
    SLIM_TRY(slim_client_check(service, error));
    SLIM_TRY(slim_client_check_name(name, error));
    if (result == NULL) {
        return slim_error_set(error, SLIM_ERR_ARGUMENT, "no place for the application was given");
    }
    struct slim_app *app = app_alloc(service, name);
    if (app == NULL) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
    }
    struct slim_op *op;
    struct slim_client_request *request =
        slim_client_request_new(service, sizeof(struct new_request), run_new, NULL, &op);
    if (request != NULL) {
        ((struct new_request *)request)->app = app;
        ((struct new_request *)request)->config = config;
        ((struct new_request *)request)->secret = secret;
        slim_client_request_post(request);
    }
    if (slim_op_wait(op, deadline_ns, NULL) == SLIM_AGAIN) {
        app->give_up.on_loop = on_give_up;
        slim_loop_post(service->loop, &app->give_up);
    }
    /* what the request borrows lives on our stack: it ends now, or has */
    enum slim_status status = slim_finish(op, SLIM_FOREVER, error);
    if (status != SLIM_OK) {
        slim_app_unref(app);
        return status;
    }
    *result = app;
    return SLIM_OK;
}

enum slim_status slim_app_new(struct slim_service *service, const struct slim_name *name,
                              const struct slim_app_config *config, uint64_t deadline_ns,
                              struct slim_app **app, struct slim_error *error)
{
    if (config == NULL || config->provider == NULL || config->verifier == NULL) {
        return slim_error_set(error, SLIM_ERR_ARGUMENT,
                              "an application needs an identity provider and a verifier");
    }
    return make_app(service, name, config, (struct slim_view){0}, deadline_ns, app, error);
}

enum slim_status slim_app_new_with_secret(struct slim_service *service,
                                          const struct slim_name *name, const char *secret,
                                          struct slim_app **app, struct slim_error *error)
{
    struct slim_app_config config = {.provider = NULL};
    return make_app(service, name, &config, slim_view_str(secret), SLIM_FOREVER, app, error);
}

const struct slim_name *slim_app_name(const struct slim_app *app)
{
    return app == NULL ? NULL : &app->name;
}

/* ------------------------------------------------------------------------------------------------ subscriptions and routes */

struct name_request {
    struct slim_client_request common;
    struct slim_app *app;
    uint64_t connection;
    bool is_add;
    bool is_route;
    struct slim_name name;
    struct slim_buf text;
};

static void drop_name(struct slim_client_request *common)
{
    slim_buf_fini(&((struct name_request *)common)->text);
}

static void run_name(struct slim_client_request *common)
{
    struct name_request *request = (struct name_request *)common;
    struct slim_wire_name name = slim_client_wire_name(&request->name);
    enum slim_status status = SLIM_ERR_CLOSED;
    if (request->app->local != NULL) {
        status = request->is_route
                     ? slim_client_local_route(request->app->local, &name, request->connection,
                                               request->is_add)
                     : slim_client_local_subscribe(request->app->local, &name, request->connection,
                                                   request->is_add);
    }
    /* connections and routes that are not there are accepted silently, as by the reference */
    status = status == SLIM_ERR_NOT_FOUND || status == SLIM_ERR_NO_ROUTE ? SLIM_OK : status;
    slim_client_request_end(common, status, NULL);
}

static struct slim_op *change_name(struct slim_app *app, const struct slim_name *name,
                                   uint64_t connection, bool is_add, bool is_route,
                                   const struct slim_notify *notify)
{
    struct slim_error error = {.status = SLIM_OK};
    struct slim_op *op;
    if (check(app, &error) != SLIM_OK || slim_client_check_name(name, &error) != SLIM_OK) {
        return slim_client_op_failed(notify, error.status, error.text);
    }
    struct slim_client_request *common =
        slim_client_request_new(app->service, sizeof(struct name_request), run_name, notify, &op);
    if (common == NULL) {
        return op;
    }
    struct name_request *request = (struct name_request *)common;
    common->drop = drop_name;
    request->app = app;
    request->connection = connection == SLIM_ANY_ID ? SLIM_CLIENT_NO_CONN : connection;
    request->is_add = is_add;
    request->is_route = is_route;
    if (slim_client_name_copy(&request->text, name, &request->name) != SLIM_OK) {
        slim_client_request_end(common, SLIM_ERR_NO_MEMORY, NULL);
        return op;
    }
    slim_client_name_point(&request->text, &request->name);
    slim_client_request_post(common);
    return op;
}

struct slim_op *slim_app_subscribe(struct slim_app *app, const struct slim_name *name,
                                   uint64_t connection, const struct slim_notify *notify)
{
    return change_name(app, name, connection, true, false, notify);
}

struct slim_op *slim_app_unsubscribe(struct slim_app *app, const struct slim_name *name,
                                     uint64_t connection, const struct slim_notify *notify)
{
    return change_name(app, name, connection, false, false, notify);
}

struct slim_op *slim_app_set_route(struct slim_app *app, const struct slim_name *name,
                                   uint64_t connection, const struct slim_notify *notify)
{
    return change_name(app, name, connection, true, true, notify);
}

struct slim_op *slim_app_remove_route(struct slim_app *app, const struct slim_name *name,
                                      uint64_t connection, const struct slim_notify *notify)
{
    return change_name(app, name, connection, false, true, notify);
}
