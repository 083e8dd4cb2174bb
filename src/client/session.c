/* Sessions of applications (slim/slim.h): requests in, messages and notices out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "client/internal.h"

/* ------------------------------------------------------------------------------------------------ its life */

/* Metadata is a map: of a key that occurs twice the last one counts. */
static size_t keep_last(struct slim_pair *pairs, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (!slim_client_pair_is_replaced(pairs, count, i)) {
            pairs[kept++] = pairs[i];
        }
    }
    return kept;
}

/* A session without users. The names and the metadata are copied. */
static enum slim_status new_session(struct slim_app *app, const struct slim_session_look *look,
                                    struct slim_session **result)
{
    struct slim_session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    if (slim_client_cond_init(&session->cond) != SLIM_OK) {
        free(session);
        return SLIM_ERR_NO_MEMORY;
    }
    (void)pthread_mutex_init(&session->mutex, NULL); /* a plain mutex cannot fail here */
    atomic_init(&session->ref_count, 1);
    slim_list_init(&session->in_backlog);
    slim_list_init(&session->inbox);
    slim_list_init(&session->readers);
    slim_list_init(&session->writers);
    slim_list_init(&session->held);
    slim_list_init(&session->arrived);
    slim_list_init(&session->in_news);
    slim_list_init(&session->deletes);
    session->app = app;
    session->look = *look;
    session->look.metadata = NULL;
    enum slim_status status =
        slim_client_name_copy(&session->text, &look->source, &session->look.source);
    if (status == SLIM_OK) {
        status =
            slim_client_name_copy(&session->text, &look->destination, &session->look.destination);
    }
    session->pairs = calloc(look->metadata_count + 1, sizeof(struct slim_pair));
    status = session->pairs == NULL ? SLIM_ERR_NO_MEMORY : status;
    size_t metadata_at = session->text.len;
    for (size_t i = 0; i < look->metadata_count && status == SLIM_OK; i++) {
        status = slim_buf_put(&session->text, look->metadata[i].key);
        if (status == SLIM_OK) {
            status = slim_buf_put(&session->text, look->metadata[i].value);
        }
    }
    if (status != SLIM_OK) {
        slim_client_session_unref_memory(session);
        return status;
    }
    slim_client_name_point(&session->text, &session->look.source);
    slim_client_name_point(&session->text, &session->look.destination);
    for (size_t i = 0; i < look->metadata_count; i++) {
        const struct slim_pair *pair = &look->metadata[i];
        session->pairs[i].key = slim_view_of(session->text.data + metadata_at, pair->key.len);
        metadata_at += pair->key.len;
        session->pairs[i].value = slim_view_of(session->text.data + metadata_at, pair->value.len);
        metadata_at += pair->value.len;
    }
    session->look.metadata = session->pairs;
    session->look.metadata_count = keep_last(session->pairs, look->metadata_count);
    *result = session;
    return SLIM_OK;
}

void slim_client_session_unref_memory(struct slim_session *session)
{
    if (atomic_fetch_sub_explicit(&session->ref_count, 1, memory_order_acq_rel) != 1) {
        return;
    }
    struct slim_list *node;
    while ((node = slim_list_take_first(&session->inbox)) != NULL) {
        slim_message_unref(SLIM_LIST_ENTRY(node, struct slim_message, in_inbox));
    }
    slim_client_op_end_all(&session->readers, SLIM_ERR_CLOSED, "session closed");
    slim_client_op_end_all(&session->writers, SLIM_ERR_CLOSED, "session closed");
    (void)pthread_cond_destroy(&session->cond);   /* nobody waits */
    (void)pthread_mutex_destroy(&session->mutex); /* nobody holds it */
    slim_buf_fini(&session->text);
    free(session->pairs);
    free(session);
}

struct slim_session *slim_session_ref(struct slim_session *session)
{
    if (session != NULL) {
        atomic_fetch_add_explicit(&session->user_count, 1, memory_order_relaxed);
    }
    return session;
}

void slim_session_unref(struct slim_session *session)
{
    if (session == NULL ||
        atomic_fetch_sub_explicit(&session->user_count, 1, memory_order_acq_rel) != 1 ||
        slim_client_check(session->app->service, NULL) != SLIM_OK) {
        return;
    }
    struct slim_app *app = session->app;
    slim_client_session_unref_memory(session);
    slim_app_unref(app);
}

const struct slim_session_look *slim_session_info(const struct slim_session *session)
{
    return session == NULL ? NULL : &session->look;
}

/* ------------------------------------------------------------------------------------------------ requests */

static void drop(struct slim_client_request *common)
{
    struct slim_client_call *request = (struct slim_client_call *)common;
    slim_buf_fini(&request->text);
    free(request->pairs);
    slim_client_session_unref_memory(request->session);
}

static void request_free(struct slim_client_call *request)
{
    drop(&request->common);
    free(request);
}

void slim_client_call_fail(struct slim_client_call *request, enum slim_status status,
                           const char *text)
{
    slim_client_publish_end(request->common.op, status, text);
    request_free(request);
}

/* The service is shut down. */
static void when_over(struct slim_client_request *common)
{
    slim_client_call_fail((struct slim_client_call *)common, SLIM_ERR_CLOSED,
                          "Session already closed or dropped");
}

struct slim_client_call *slim_client_call_new(struct slim_session *session,
                                              void (*run)(struct slim_client_request *),
                                              const struct slim_notify *notify, struct slim_op **op)
{
    if (session == NULL) {
        *op = slim_client_op_failed(notify, SLIM_ERR_ARGUMENT, "no session was given");
        return NULL;
    }
    struct slim_client_call *request = (struct slim_client_call *)slim_client_request_new(
        session->app->service, sizeof(*request), run, notify, op);
    if (request != NULL) {
        request->common.when_over = when_over;
        request->session = session;
        slim_list_init(&request->in_held);
        atomic_fetch_add_explicit(&session->ref_count, 1, memory_order_relaxed);
    }
    return request;
}

struct slim_session_app *slim_client_call_sessions(struct slim_client_call *request,
                                                   const char *text)
{
    struct slim_session *session = request->session;
    if (!session->is_in_table) {
        slim_client_call_fail(request, SLIM_ERR_CLOSED, text);
        return NULL;
    }
    slim_list_put_last(&session->app->begun, &request->common.op->waiting);
    return slim_client_local_sessions(session->app->local);
}

uint64_t slim_client_call_number(const struct slim_client_call *request)
{
    return (uint64_t)(uintptr_t)request->common.op;
}

uint64_t slim_client_call_now_ms(const struct slim_client_call *request)
{
    return slim_loop_now_ms(request->common.service->loop);
}

void slim_client_call_begun(struct slim_client_call *request, enum slim_status status,
                            const struct slim_error *error)
{
    struct slim_client_local *local = request->session->app->local;
    if (status != SLIM_OK) {
        slim_client_call_fail(request, status, error->text);
    } else {
        request_free(request);
    }
    slim_client_local_wake(local);
}

/* The views of the pairs keep pointing at the caller's memory until they are placed in request->text. */
enum slim_status slim_client_call_copy_pairs(struct slim_client_call *request,
                                             const struct slim_pair *pairs, size_t count)
{
    if (count == 0) {
        return SLIM_OK;
    }
    size_t at = request->text.len;
    request->pairs = calloc(count, sizeof(struct slim_wire_pair));
    if (request->pairs == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        SLIM_TRY(slim_buf_put(&request->text, pairs[i].key));
        SLIM_TRY(slim_buf_put(&request->text, pairs[i].value));
    }
    for (size_t i = 0; i < count; i++) {
        request->pairs[i].key = slim_view_of(request->text.data + at, pairs[i].key.len);
        at += pairs[i].key.len;
        request->pairs[i].value = slim_view_of(request->text.data + at, pairs[i].value.len);
        at += pairs[i].value.len;
    }
    request->pair_count = count;
    return SLIM_OK;
}

static struct slim_op *post_named(struct slim_session *session, const struct slim_name *name,
                                  void (*run)(struct slim_client_request *),
                                  const struct slim_notify *notify)
{
    struct slim_error error = {.status = SLIM_OK};
    struct slim_op *op;
    if (slim_client_check_name(name, &error) != SLIM_OK) {
        return slim_client_op_failed(notify, error.status, error.text);
    }
    struct slim_client_call *request = slim_client_call_new(session, run, notify, &op);
    if (request == NULL) {
        return op;
    }
    if (slim_client_name_copy(&request->text, name, &request->name) != SLIM_OK) {
        slim_client_call_fail(request, SLIM_ERR_NO_MEMORY, NULL);
        return op;
    }
    slim_client_name_point(&request->text, &request->name);
    slim_client_request_post(&request->common);
    return op;
}

static void run_invite(struct slim_client_request *common)
{
    struct slim_client_call *request = (struct slim_client_call *)common;
    struct slim_session_app *sessions = slim_client_call_sessions(request, "session closed");
    struct slim_error error = {.status = SLIM_OK};
    if (sessions == NULL) {
        return;
    }
    struct slim_wire_name name = slim_client_wire_name(&request->name);
    enum slim_status status = slim_client_app_route_home(request->session->app, &name);
    if (status == SLIM_OK) {
        status = slim_session_app_invite(sessions, slim_client_call_now_ms(request),
                                         request->session->look.id, &name,
                                         slim_client_call_number(request), &error);
    }
    slim_client_call_begun(request, status, &error);
}

static void run_remove(struct slim_client_request *common)
{
    struct slim_client_call *request = (struct slim_client_call *)common;
    struct slim_session_app *sessions = slim_client_call_sessions(request, "session closed");
    struct slim_error error = {.status = SLIM_OK};
    if (sessions != NULL) {
        struct slim_wire_name name = slim_client_wire_name(&request->name);
        slim_client_call_begun(request,
                               slim_session_app_remove(sessions, slim_client_call_now_ms(request),
                                                       request->session->look.id, &name,
                                                       slim_client_call_number(request), &error),
                               &error);
    }
}

enum slim_status slim_client_session_close(struct slim_session *session, uint64_t number,
                                           struct slim_error *error)
{
    return slim_session_app_close(slim_client_local_sessions(session->app->local),
                                  slim_loop_now_ms(session->app->service->loop), session->look.id,
                                  number, error);
}

static bool has_peers(const struct slim_session *session)
{
    struct slim_session_info info;
    return slim_session_app_look(slim_client_local_sessions(session->app->local), session->look.id,
                                 &info) == SLIM_OK &&
           info.member_count > 1;
}

/* A session that is over already is deleted: complete at once. */
static void is_deleted(struct slim_client_request *common)
{
    slim_client_call_fail((struct slim_client_call *)common, SLIM_OK, NULL);
}

/* One that is ending: when it has ended. */
void slim_client_run_delete(struct slim_client_request *common)
{
    struct slim_client_call *request = (struct slim_client_call *)common;
    struct slim_session *session = request->session;
    struct slim_error error = {.status = SLIM_OK};
    if (!session->is_in_table) {
        is_deleted(common);
        return;
    }
    if (!slim_list_is_empty(&session->held) && !has_peers(session)) {
        slim_client_publish_fail_held(session); /* nobody is there who could make room */
    }
    if (!slim_list_is_empty(&session->held)) {
        request->is_delete = true; /* what was published before it goes first */
        slim_list_put_last(&session->held, &request->in_held);
        return;
    }
    slim_list_put_last(&session->app->begun, &request->common.op->waiting);
    enum slim_status status =
        slim_client_session_close(session, slim_client_call_number(request), &error);
    if (status == SLIM_ERR_STATE) { /* ending already: this one is done when that is */
        slim_list_remove(&request->common.op->waiting);
        slim_list_put_last(&session->deletes, &request->common.op->waiting);
        status = SLIM_OK;
    }
    slim_client_call_begun(request, status, &error);
}

struct slim_op *slim_session_invite(struct slim_session *session, const struct slim_name *name,
                                    const struct slim_notify *notify)
{
    return post_named(session, name, run_invite, notify);
}

struct slim_op *slim_session_remove(struct slim_session *session, const struct slim_name *name,
                                    const struct slim_notify *notify)
{
    return post_named(session, name, run_remove, notify);
}

struct slim_op *slim_session_delete(struct slim_session *session, const struct slim_notify *notify)
{
    struct slim_op *op;
    struct slim_client_call *request =
        slim_client_call_new(session, slim_client_run_delete, notify, &op);
    if (request != NULL) {
        request->common.is_farewell = true;
        request->common.when_over = is_deleted;
        slim_client_request_post(&request->common);
    }
    return op;
}

/* ------------------------------------------------------------------------------------------------ create */

/* The service is shut down: there is no session, and never will be. */
static void never_created(struct slim_client_request *common)
{
    struct slim_client_call *request = (struct slim_client_call *)common;
    slim_client_read_close(request->session);
    slim_client_call_fail(request, SLIM_ERR_CLOSED, "the service is shut down");
}

static void run_create(struct slim_client_request *common)
{
    struct slim_client_call *request = (struct slim_client_call *)common;
    struct slim_session *session = request->session;
    struct slim_error error = {.status = SLIM_OK};
    uint32_t session_id;
    enum slim_status status =
        session->app->local == NULL ? SLIM_ERR_CLOSED : slim_client_app_put(session->app, session);
    if (status != SLIM_OK) {
        slim_client_read_close(session);
        slim_client_call_fail(request, status,
                              status == SLIM_ERR_EXISTS ? "session id already used"
                                                        : "Session already closed or dropped");
        return;
    }
    slim_list_put_last(&session->app->begun, &request->common.op->waiting);
    struct slim_wire_name destination = slim_client_wire_name(&session->look.destination);
    request->settings.metadata = request->pairs;
    request->settings.metadata_count = request->pair_count;
    status = request->settings.kind == SLIM_SESSION_POINT_TO_POINT
                 ? slim_client_app_route_home(session->app, &destination)
                 : SLIM_OK;
    if (status == SLIM_OK) {
        status = slim_session_app_create(slim_client_local_sessions(session->app->local),
                                         slim_client_call_now_ms(request), &request->settings,
                                         &destination, session->look.id,
                                         slim_client_call_number(request), &session_id, &error);
    }
    if (status != SLIM_OK) {
        slim_client_read_close(session);
        slim_client_app_drop(session->app, session);
    }
    slim_client_call_begun(request, status, &error);
}

static uint32_t random_session_id(void)
{
    return (uint32_t)(slim_random_u64() % SLIM_SESSION_ID_END);
}

static enum slim_status check_create(const struct slim_app *app,
                                     const struct slim_session_config *config,
                                     const struct slim_name *destination,
                                     struct slim_session **result, struct slim_error *error)
{
    if (app == NULL || config == NULL || result == NULL) {
        return slim_error_set(
            error, SLIM_ERR_ARGUMENT,
            "a session needs an application, a configuration and a place for the result");
    }
    if (config->type != SLIM_POINT_TO_POINT && config->type != SLIM_GROUP) {
        return slim_error_set(error, SLIM_ERR_ARGUMENT, "there is no session of type %d",
                              (int)config->type);
    }
    SLIM_TRY(slim_client_check(app->service, error));
    SLIM_TRY(slim_client_check_pairs(config->metadata, config->metadata_count, error));
    return slim_client_check_name(destination, error);
}

struct slim_op *slim_app_create_session(struct slim_app *app,
                                        const struct slim_session_config *config,
                                        const struct slim_name *destination,
                                        const struct slim_notify *notify,
                                        struct slim_session **result)
{
    struct slim_error error = {.status = SLIM_OK};
    if (check_create(app, config, destination, result, &error) != SLIM_OK) {
        if (result != NULL) {
            *result = NULL;
        }
        return slim_client_op_failed(notify, error.status, error.text);
    }
    struct slim_session_look look = {
        .id = random_session_id(),
        .type = config->type,
        .is_initiator = true,
        .enable_mls = config->enable_mls,
        .max_retries = config->max_retries,
        .interval_ms = config->interval_ms,
        .source = app->name,
        .destination = *destination,
        .metadata = config->metadata,
        .metadata_count = config->metadata_count,
    };
    struct slim_op *op;
    struct slim_session *session = NULL;
    enum slim_status status = new_session(app, &look, &session);
    if (status != SLIM_OK) {
        *result = NULL;
        return slim_client_op_failed(notify, status, NULL);
    }
    atomic_store(&session->user_count, 1);
    (void)slim_app_ref(app);
    *result = session;
    struct slim_client_call *request = slim_client_call_new(session, run_create, notify, &op);
    if (request == NULL) {
        slim_client_read_close(session);
        return op;
    }
    request->common.when_over = never_created;
    request->settings = (struct slim_session_settings){
        .kind = config->type == SLIM_GROUP ? SLIM_SESSION_GROUP : SLIM_SESSION_POINT_TO_POINT,
        .is_mls = config->enable_mls,
        .has_timer = config->interval_ms > 0,
        .max_retries = config->max_retries,
        .interval_ms = config->interval_ms,
    };
    if (slim_client_call_copy_pairs(request, look.metadata, look.metadata_count) != SLIM_OK) {
        slim_client_read_close(session);
        slim_client_call_fail(request, SLIM_ERR_NO_MEMORY, NULL);
        return op;
    }
    slim_client_request_post(&request->common);
    return op;
}

enum slim_status slim_session_open(struct slim_app *app, const struct slim_session_config *config,
                                   const struct slim_name *destination, uint64_t deadline_ns,
                                   struct slim_session **result, struct slim_error *error)
{
    struct slim_session *session = NULL;
    if (result == NULL) {
        return slim_error_set(error, SLIM_ERR_ARGUMENT, "no place for the session was given");
    }
    enum slim_status status = slim_finish(
        slim_app_create_session(app, config, destination, NULL, &session), deadline_ns, error);
    if (status == SLIM_OK) {
        *result = session;
        return SLIM_OK;
    }
    if (session != NULL) {
        slim_op_unref(
            slim_session_delete(session, NULL)); /* one that was slow must not come about */
        slim_session_unref(session);
    }
    return status;
}

/* ------------------------------------------------------------------------------------------------ looking */

bool slim_session_is_over(struct slim_session *session)
{
    if (session == NULL) {
        return true;
    }
    (void)pthread_mutex_lock(&session->mutex); /* our own mutex */
    bool is_over = session->is_over;
    (void)pthread_mutex_unlock(&session->mutex); /* likewise */
    return is_over;
}

static enum slim_status copy_members(const struct slim_session_app *sessions, uint32_t session_id,
                                     struct slim_name_list **result)
{
    struct slim_session_info info;
    SLIM_TRY(slim_session_app_look(sessions, session_id, &info));
    size_t bytes = 0;
    for (size_t i = 0; i < info.member_count; i++) {
        const struct slim_wire_name *member = slim_session_app_member(sessions, session_id, i);
        bytes += member->text.part[0].len + member->text.part[1].len + member->text.part[2].len;
    }
    struct slim_name_list *list =
        malloc(sizeof(*list) + info.member_count * sizeof(struct slim_name) + bytes);
    if (list == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    struct slim_name *names = (struct slim_name *)(list + 1);
    uint8_t *at = (uint8_t *)(names + info.member_count);
    for (size_t i = 0; i < info.member_count; i++) {
        names[i] = slim_client_name_of(slim_session_app_member(sessions, session_id, i));
        for (size_t j = 0; j < SLIM_COUNT(names[i].part); j++) {
            struct slim_view part = names[i].part[j];
            if (part.len > 0) {
                memcpy(at, part.data, part.len);
            }
            names[i].part[j] = slim_view_of(at, part.len);
            at += part.len;
        }
    }
    *list = (struct slim_name_list){.count = info.member_count, .names = names};
    *result = list;
    return SLIM_OK;
}

static void run_participants(struct slim_client_request *common)
{
    struct slim_client_call *request = (struct slim_client_call *)common;
    struct slim_session *session = request->session;
    enum slim_status status = SLIM_ERR_CLOSED;
    if (session->is_in_table) {
        status = copy_members(slim_client_local_sessions(session->app->local), session->look.id,
                              request->list);
    }
    slim_client_call_fail(request, status,
                          status == SLIM_ERR_CLOSED ? "Session already closed or dropped"
                                                    : "error getting the participants list");
}

enum slim_status slim_session_participants(struct slim_session *session,
                                           struct slim_name_list **list, struct slim_error *error)
{
    struct slim_op *op;
    if (list == NULL) {
        return slim_error_set(error, SLIM_ERR_ARGUMENT, "no place for the list was given");
    }
    struct slim_client_call *request = slim_client_call_new(session, run_participants, NULL, &op);
    if (request != NULL) {
        request->list = list;
        slim_client_request_post(&request->common);
    }
    /* the request writes to the caller's memory: wait for as long as it takes, which is not long */
    return slim_finish(op, SLIM_FOREVER, error);
}

/* ------------------------------------------------------------------------------------------------ events, on the loop thread */

static struct slim_session_look look_of(const struct slim_app *app,
                                        const struct slim_session_info *info)
{
    return (struct slim_session_look){
        .id = info->session_id,
        .type = info->settings.kind == SLIM_SESSION_GROUP ? SLIM_GROUP : SLIM_POINT_TO_POINT,
        .is_initiator = info->is_initiator,
        .enable_mls = info->settings.is_mls,
        .max_retries = info->settings.max_retries,
        .interval_ms = info->settings.has_timer ? info->settings.interval_ms : 0,
        .source = info->source == NULL ? app->name : slim_client_name_of(info->source),
        .destination = slim_client_name_of(info->destination),
    };
}

/* A session somebody else began: our side of it, in the table. NULL: no memory. */
static struct slim_session *adopt(struct slim_app *app, uint32_t session_id)
{
    struct slim_session_info info;
    struct slim_session *session = NULL;
    if (slim_session_app_look(slim_client_local_sessions(app->local), session_id, &info) !=
        SLIM_OK) {
        return NULL;
    }
    struct slim_session_look look = look_of(app, &info);
    struct slim_pair *pairs = calloc(info.settings.metadata_count + 1, sizeof(struct slim_pair));
    if (pairs == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < info.settings.metadata_count; i++) {
        pairs[i] = (struct slim_pair){.key = info.settings.metadata[i].key,
                                      .value = info.settings.metadata[i].value};
    }
    look.metadata = pairs;
    look.metadata_count = info.settings.metadata_count;
    if (new_session(app, &look, &session) != SLIM_OK) {
        session = NULL;
    } else if (slim_client_app_put(app, session) != SLIM_OK) {
        slim_client_session_unref_memory(session);
        session = NULL;
    } else {
        slim_client_session_unref_memory(session); /* the table's reference is left */
    }
    free(pairs);
    return session;
}

static void on_completed(const struct slim_session_event *event)
{
    struct slim_op *op = (struct slim_op *)(uintptr_t)event->op;
    if (op != NULL) {
        slim_client_publish_end(op, event->status, event->text);
    }
}

static void on_begun(struct slim_app *app, struct slim_session *session,
                     const struct slim_session_event *event)
{
    if (session == NULL) {
        session = adopt(app, event->session_id);
    }
    if (session == NULL || !slim_client_app_offer(app, session)) {
        /* nobody listens: better left than half joined. Its end is nobody's business */
        enum slim_status status = slim_session_app_close(slim_client_local_sessions(app->local),
                                                         slim_loop_now_ms(app->service->loop),
                                                         event->session_id, 0, NULL);
        (void)status;
    }
}

/* Over: nothing more comes, and what waits behind the window never will go. */
static void on_closed(struct slim_app *app, struct slim_session *session)
{
    slim_client_publish_fail_held(session);
    slim_client_read_close(session);
    slim_client_op_end_all(&session->deletes, SLIM_OK, NULL);
    slim_client_app_drop(app, session);
}

void slim_client_session_orphan(struct slim_session *session)
{
    slim_client_publish_fail_held(session);
    slim_client_op_end_all(&session->deletes, SLIM_OK, NULL);
    slim_client_read_close(session);
}

static void take_event(struct slim_app *app, struct slim_session *session,
                       const struct slim_session_event *event)
{
    switch (event->kind) {
    case SLIM_SESSION_COMPLETED:
        on_completed(event);
        break;
    case SLIM_SESSION_BEGUN:
        on_begun(app, session, event);
        break;
    case SLIM_SESSION_MESSAGE:
        session = session == NULL ? adopt(app, event->session_id) : session;
        if (session != NULL) {
            slim_client_read_put_message(session, event->message);
        }
        break;
    case SLIM_SESSION_PROBLEM:
        if (session != NULL) {
            slim_client_read_put_notice(session, SLIM_ERR_RESET, event->text);
        }
        break;
    case SLIM_SESSION_WRITABLE:
        if (session != NULL) {
            slim_client_publish_held(session);
        }
        break;
    case SLIM_SESSION_CLOSED:
        if (session != NULL) {
            on_closed(app, session);
        }
        break;
    }
}

/* An event may end the session, whose last reference is then ours. */
void slim_client_session_on_event(void *ctx, const struct slim_session_event *event)
{
    struct slim_app *app = ctx;
    struct slim_session *session = slim_client_app_find(app, event->session_id);
    if (session == NULL) {
        take_event(app, NULL, event);
        return;
    }
    atomic_fetch_add_explicit(&session->ref_count, 1, memory_order_relaxed);
    take_event(app, session, event);
    slim_client_session_unref_memory(session);
}
