/* Sessions of applications (slim/slim.h): requests in, messages and notices out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "client/internal.h"

/* One thing to be read: a message, or (message NULL) a notice. */
struct entry {
    struct slim_list node;
    struct slim_message *message;
    enum slim_status status;
    char text[];
};

/* ------------------------------------------------------------------------------------------------ its life */

enum slim_status slim_client_session_new(struct slim_app *app, const struct slim_session_look *look,
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
    slim_list_init(&session->begun);
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
    *result = session;
    return SLIM_OK;
}

static void entry_free(struct entry *entry)
{
    slim_message_unref(entry->message);
    free(entry);
}

void slim_client_session_unref_memory(struct slim_session *session)
{
    if (atomic_fetch_sub_explicit(&session->ref_count, 1, memory_order_acq_rel) != 1) {
        return;
    }
    struct slim_list *node;
    while ((node = slim_list_take_first(&session->inbox)) != NULL) {
        entry_free(SLIM_LIST_ENTRY(node, struct entry, node));
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
    atomic_fetch_add_explicit(&session->user_count, 1, memory_order_relaxed);
    return session;
}

void slim_session_unref(struct slim_session *session)
{
    if (session == NULL ||
        atomic_fetch_sub_explicit(&session->user_count, 1, memory_order_acq_rel) != 1) {
        return;
    }
    struct slim_app *app = session->app;
    slim_client_session_unref_memory(session);
    slim_app_unref(app);
}

const struct slim_session_look *slim_session_info(const struct slim_session *session)
{
    return &session->look;
}

/* ------------------------------------------------------------------------------------------------ reading */

/* Something can be read, or nothing will ever be. The session's mutex is held. */
static void tell_readers(struct slim_session *session)
{
    (void)pthread_cond_broadcast(&session->cond); /* cannot fail */
    slim_client_op_end_all(&session->readers, SLIM_OK, NULL);
}

static void put_entry(struct slim_session *session, struct slim_message *message,
                      enum slim_status status, const char *text)
{
    size_t len = text == NULL ? 0 : strlen(text);
    struct entry *entry = calloc(1, sizeof(*entry) + len + 1);
    if (entry == NULL) {
        slim_message_unref(message);
        return; /* without memory it is as if the network had lost it */
    }
    entry->message = message;
    entry->status = status;
    memcpy(entry->text, text == NULL ? "" : text, len);
    (void)pthread_mutex_lock(&session->mutex); /* our own mutex */
    session->inbox_bytes += message == NULL ? 0 : slim_client_message_bytes(message);
    slim_list_put_last(&session->inbox, &entry->node);
    tell_readers(session);
    (void)pthread_mutex_unlock(&session->mutex); /* likewise */
}

static void close_inbox(struct slim_session *session)
{
    (void)pthread_mutex_lock(&session->mutex); /* our own mutex */
    session->is_over = true;
    tell_readers(session);
    slim_client_op_end_all(&session->writers, SLIM_ERR_CLOSED, "session closed");
    (void)pthread_mutex_unlock(&session->mutex); /* likewise */
}

enum slim_status slim_session_receive(struct slim_session *session, uint64_t deadline_ns,
                                      struct slim_message **message, struct slim_error *error)
{
    (void)pthread_mutex_lock(&session->mutex); /* our own mutex */
    bool is_in_time = true;
    struct slim_list *node = slim_list_take_first(&session->inbox);
    while (node == NULL && !session->is_over && is_in_time) {
        is_in_time = slim_client_wait_until(&session->cond, &session->mutex, deadline_ns);
        node = slim_list_take_first(&session->inbox);
    }
    bool is_over = session->is_over;
    struct entry *entry = node == NULL ? NULL : SLIM_LIST_ENTRY(node, struct entry, node);
    if (entry != NULL && entry->message != NULL) {
        session->inbox_bytes -= slim_client_message_bytes(entry->message);
    }
    (void)pthread_mutex_unlock(&session->mutex); /* likewise */
    if (entry == NULL) {
        return is_over
                   ? slim_error_set(error, SLIM_ERR_CLOSED, "session closed")
                   : slim_error_set(error, SLIM_ERR_TIMEOUT, "receive timeout waiting for message");
    }
    enum slim_status status = entry->status;
    if (status == SLIM_OK) {
        *message = entry->message;
        entry->message = NULL;
    } else {
        (void)slim_error_set(error, status, "%s", entry->text);
    }
    entry_free(entry);
    return status;
}

struct slim_op *slim_session_await_message(struct slim_session *session,
                                           const struct slim_notify *notify)
{
    struct slim_op *op = slim_client_op_new(notify);
    (void)pthread_mutex_lock(&session->mutex); /* our own mutex */
    bool is_ready = !slim_list_is_empty(&session->inbox) || session->is_over;
    if (!is_ready && !op->is_static) {
        slim_list_put_last(&session->readers, &op->waiting);
    }
    (void)pthread_mutex_unlock(&session->mutex); /* likewise */
    if (is_ready) {
        slim_client_op_end(op, SLIM_OK, NULL);
    }
    return op;
}

/* ------------------------------------------------------------------------------------------------ requests */

/* A call in a session. For a publish: the payload behind the struct, metadata in `pairs`; in `held` while the window is full. */
struct session_request {
    struct slim_client_request common;
    struct slim_session *session;
    struct slim_list in_held;
    struct slim_session_settings settings;
    struct slim_name name;
    struct slim_buf text;
    struct slim_view blob;
    struct slim_view type;
    struct slim_wire_pair *pairs;
    size_t pair_count;
    bool is_direct;
    bool is_delete;
    struct slim_name_list **list;
};

static void request_free(struct session_request *request)
{
    slim_buf_fini(&request->text);
    free(request->pairs);
    slim_client_session_unref_memory(request->session);
    free(request);
}

/* It is over for the request; its operation goes on with the session, or has ended. */
static void fail(struct session_request *request, enum slim_status status, const char *text)
{
    struct slim_op *op = request->common.op;
    slim_list_remove(&op->waiting);
    if (op->bytes > 0) {
        atomic_fetch_sub(&request->session->under_way_count, 1);
        atomic_fetch_sub(&request->session->under_way_bytes, op->bytes);
    }
    slim_client_op_end(op, status, text);
    request_free(request);
}

static struct session_request *request_new(struct slim_session *session,
                                           void (*run)(struct slim_client_request *),
                                           const struct slim_notify *notify, struct slim_op **op)
{
    struct session_request *request = (struct session_request *)slim_client_request_new(
        session->app->service, sizeof(struct session_request), run, notify, op);
    if (request != NULL) {
        request->session = session;
        slim_list_init(&request->in_held);
        atomic_fetch_add_explicit(&session->ref_count, 1, memory_order_relaxed);
    }
    return request;
}

/* The application's sessions; the operation is among those under way, as the session may end it from inside what follows. NULL, and the request
 * has failed: all is over. */
static struct slim_session_app *sessions_of(struct session_request *request)
{
    struct slim_session *session = request->session;
    if (session->app->local == NULL || !session->is_in_table) {
        fail(request, SLIM_ERR_CLOSED, "Session already closed or dropped");
        return NULL;
    }
    slim_list_put_last(&session->begun, &request->common.op->waiting);
    return slim_client_local_sessions(session->app->local);
}

static uint64_t number_of(const struct session_request *request)
{
    return (uint64_t)(uintptr_t)request->common.op;
}

static uint64_t now_ms(const struct session_request *request)
{
    return slim_loop_now_ms(request->common.service->loop);
}

/* After an operation of a session was begun, or was not. */
static void begun(struct session_request *request, enum slim_status status,
                  const struct slim_error *error)
{
    struct slim_client_local *local = request->session->app->local;
    if (status != SLIM_OK) {
        fail(request, status, error->text);
    } else {
        request_free(request);
    }
    slim_client_local_wake(local);
}

static struct slim_op *post_named(struct slim_session *session, const struct slim_name *name,
                                  void (*run)(struct slim_client_request *),
                                  const struct slim_notify *notify)
{
    struct slim_op *op;
    struct session_request *request = request_new(session, run, notify, &op);
    if (request == NULL) {
        return op;
    }
    if (name != NULL && slim_client_name_copy(&request->text, name, &request->name) != SLIM_OK) {
        fail(request, SLIM_ERR_NO_MEMORY, NULL);
        return op;
    }
    slim_client_name_point(&request->text, &request->name);
    slim_client_request_post(&request->common);
    return op;
}

static void run_invite(struct slim_client_request *common)
{
    struct session_request *request = (struct session_request *)common;
    struct slim_session_app *sessions = sessions_of(request);
    struct slim_error error = {.status = SLIM_OK};
    if (sessions != NULL) {
        struct slim_wire_name name = slim_client_wire_name(&request->name);
        begun(request,
              slim_session_app_invite(sessions, now_ms(request), request->session->look.id, &name,
                                      number_of(request), &error),
              &error);
    }
}

static void run_remove(struct slim_client_request *common)
{
    struct session_request *request = (struct session_request *)common;
    struct slim_session_app *sessions = sessions_of(request);
    struct slim_error error = {.status = SLIM_OK};
    if (sessions != NULL) {
        struct slim_wire_name name = slim_client_wire_name(&request->name);
        begun(request,
              slim_session_app_remove(sessions, now_ms(request), request->session->look.id, &name,
                                      number_of(request), &error),
              &error);
    }
}

/* A session that is over already is deleted: complete at once. One that is ending: when it has ended. */
static void run_delete(struct slim_client_request *common)
{
    struct session_request *request = (struct session_request *)common;
    struct slim_session *session = request->session;
    struct slim_error error = {.status = SLIM_OK};
    if (session->app->local == NULL || !session->is_in_table) {
        fail(request, SLIM_OK, NULL);
        return;
    }
    if (!slim_list_is_empty(&session->held)) {
        request->is_delete = true; /* what was published before it goes first */
        slim_list_put_last(&session->held, &request->in_held);
        return;
    }
    struct slim_session_app *sessions = sessions_of(request);
    enum slim_status status = slim_session_app_close(sessions, now_ms(request), session->look.id,
                                                     number_of(request), &error);
    if (status == SLIM_ERR_STATE) { /* ending already: this one is done when that is */
        slim_list_remove(&request->common.op->waiting);
        slim_list_put_last(&session->deletes, &request->common.op->waiting);
        status = SLIM_OK;
    }
    begun(request, status, &error);
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
    return post_named(session, NULL, run_delete, notify);
}

/* ------------------------------------------------------------------------------------------------ create */

static void run_create(struct slim_client_request *common)
{
    struct session_request *request = (struct session_request *)common;
    struct slim_session *session = request->session;
    struct slim_error error = {.status = SLIM_OK};
    uint32_t session_id;
    enum slim_status status =
        session->app->local == NULL ? SLIM_ERR_CLOSED : slim_client_app_put(session->app, session);
    if (status != SLIM_OK) {
        close_inbox(session);
        fail(request, status,
             status == SLIM_ERR_EXISTS ? "session id already used"
                                       : "Session already closed or dropped");
        return;
    }
    slim_list_put_last(&session->begun, &request->common.op->waiting);
    struct slim_wire_name destination = slim_client_wire_name(&session->look.destination);
    request->settings.metadata = request->pairs;
    request->settings.metadata_count = request->pair_count;
    status = slim_session_app_create(slim_client_local_sessions(session->app->local),
                                     now_ms(request), &request->settings, &destination,
                                     session->look.id, number_of(request), &session_id, &error);
    if (status != SLIM_OK) {
        close_inbox(session);
        slim_client_app_drop(session->app, session);
    }
    begun(request, status, &error);
}

/* The views of the pairs keep pointing at the caller's memory until they are placed in request->text. */
static enum slim_status copy_pairs(struct session_request *request, const struct slim_pair *pairs,
                                   size_t count)
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

static uint32_t random_session_id(void)
{
    return (uint32_t)(slim_random_u64() % SLIM_SESSION_ID_END);
}

struct slim_op *slim_app_create_session(struct slim_app *app,
                                        const struct slim_session_config *config,
                                        const struct slim_name *destination,
                                        const struct slim_notify *notify,
                                        struct slim_session **result)
{
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
    enum slim_status status = slim_client_session_new(app, &look, &session);
    if (status != SLIM_OK) {
        *result = NULL;
        return slim_client_op_failed(notify, status, NULL);
    }
    atomic_store(&session->user_count, 1);
    (void)slim_app_ref(app);
    *result = session;
    struct session_request *request = request_new(session, run_create, notify, &op);
    if (request == NULL) {
        close_inbox(session);
        return op;
    }
    request->settings = (struct slim_session_settings){
        .kind = config->type == SLIM_GROUP ? SLIM_SESSION_GROUP : SLIM_SESSION_POINT_TO_POINT,
        .is_mls = config->enable_mls,
        .has_timer = config->interval_ms > 0,
        .max_retries = config->max_retries,
        .interval_ms = config->interval_ms,
    };
    if (copy_pairs(request, config->metadata, config->metadata_count) != SLIM_OK) {
        close_inbox(session);
        fail(request, SLIM_ERR_NO_MEMORY, NULL);
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

/* ------------------------------------------------------------------------------------------------ publish */

/* SLIM_AGAIN: the window is full, and the request is kept. Else it is done. */
static enum slim_status publish_now(struct session_request *request)
{
    struct slim_session_app *sessions = sessions_of(request);
    struct slim_error error = {.status = SLIM_OK};
    if (sessions == NULL) {
        return SLIM_OK;
    }
    struct slim_session_payload payload = {.payload_type = request->type,
                                           .blob = request->blob,
                                           .metadata = request->pairs,
                                           .metadata_count = request->pair_count};
    uint32_t id = request->session->look.id;
    enum slim_status status;
    if (request->is_direct) {
        struct slim_wire_name name = slim_client_wire_name(&request->name);
        status = slim_session_app_publish_to(sessions, now_ms(request), id, &name, &payload,
                                             number_of(request), &error);
    } else {
        status = slim_session_app_publish(sessions, now_ms(request), id, &payload,
                                          number_of(request), &error);
    }
    if (status == SLIM_AGAIN) {
        slim_list_remove(&request->common.op->waiting);
        return SLIM_AGAIN;
    }
    begun(request, status, &error);
    return SLIM_OK;
}

static void run_publish(struct slim_client_request *common)
{
    struct session_request *request = (struct session_request *)common;
    struct slim_session *session = request->session;
    if (!slim_list_is_empty(&session->held) || publish_now(request) == SLIM_AGAIN) {
        slim_list_put_last(&session->held, &request->in_held);
    }
}

/* The window has room: what waits goes out, in order. */
static void publish_held(struct slim_session *session)
{
    if (session->is_sending_held) {
        return; /* told from inside a publish */
    }
    session->is_sending_held = true;
    struct slim_list *node;
    while ((node = slim_list_take_first(&session->held)) != NULL) {
        struct session_request *request = SLIM_LIST_ENTRY(node, struct session_request, in_held);
        if (request->is_delete) {
            run_delete(&request->common);
        } else if (publish_now(request) == SLIM_AGAIN) {
            slim_list_put_first(&session->held, node);
            break;
        }
    }
    session->is_sending_held = false;
}

static void fail_held(struct slim_session *session)
{
    struct slim_list *node;
    while ((node = slim_list_take_first(&session->held)) != NULL) {
        fail(SLIM_LIST_ENTRY(node, struct session_request, in_held), SLIM_ERR_CLOSED,
             "session closed");
    }
}

static enum slim_status copy_payload(struct session_request *request,
                                     const struct slim_payload *payload,
                                     const struct slim_name *member)
{
    struct slim_view blob = slim_view_of(payload->data, payload->len);
    struct slim_view type = slim_view_str(payload->type);
    size_t type_at = 0;
    size_t blob_at = 0;
    if (member != NULL) {
        SLIM_TRY(slim_client_name_copy(&request->text, member, &request->name));
    }
    type_at = request->text.len;
    SLIM_TRY(slim_buf_put(&request->text, type));
    blob_at = request->text.len;
    SLIM_TRY(slim_buf_put(&request->text, blob));
    SLIM_TRY(copy_pairs(request, payload->metadata, payload->metadata_count));
    if (member != NULL) {
        slim_client_name_point(&request->text, &request->name);
        request->is_direct = true;
    }
    request->type = slim_view_of(request->text.data + type_at, type.len);
    request->blob = slim_view_of(request->text.data + blob_at, blob.len);
    return SLIM_OK;
}

static struct slim_op *publish(struct slim_session *session, const struct slim_payload *payload,
                               const struct slim_name *member, const struct slim_notify *notify)
{
    struct slim_op *op;
    if (payload->len > SLIM_CLIENT_PAYLOAD_BYTES_MAX) {
        return slim_client_op_failed(notify, SLIM_ERR_LIMIT, "the payload is larger than 4 MiB");
    }
    struct session_request *request = request_new(session, run_publish, notify, &op);
    if (request == NULL) {
        return op;
    }
    op->bytes = payload->len + 1; /* above 0: it counts */
    atomic_fetch_add(&session->under_way_count, 1);
    atomic_fetch_add(&session->under_way_bytes, op->bytes);
    if (copy_payload(request, payload, member) != SLIM_OK) {
        fail(request, SLIM_ERR_NO_MEMORY, NULL);
        return op;
    }
    slim_client_request_post(&request->common);
    return op;
}

struct slim_op *slim_session_publish(struct slim_session *session,
                                     const struct slim_payload *payload,
                                     const struct slim_notify *notify)
{
    return publish(session, payload, NULL, notify);
}

struct slim_op *slim_session_publish_to(struct slim_session *session,
                                        const struct slim_name *member,
                                        const struct slim_payload *payload,
                                        const struct slim_notify *notify)
{
    return publish(session, payload, member, notify);
}

static bool is_full(const struct slim_session *session)
{
    return atomic_load(&session->under_way_count) >= SLIM_CLIENT_UNDER_WAY_MAX ||
           atomic_load(&session->under_way_bytes) >= SLIM_CLIENT_UNDER_WAY_BYTES_MAX;
}

enum slim_status slim_session_try_publish(struct slim_session *session,
                                          const struct slim_payload *payload,
                                          struct slim_error *error)
{
    if (is_full(session)) {
        return SLIM_AGAIN;
    }
    struct slim_op *op = publish(session, payload, NULL, NULL);
    enum slim_status status = slim_op_status(op, error);
    slim_op_unref(op);
    return status == SLIM_AGAIN ? SLIM_OK : status; /* it goes on: what is left is nobody's */
}

struct slim_op *slim_session_await_writable(struct slim_session *session,
                                            const struct slim_notify *notify)
{
    struct slim_op *op = slim_client_op_new(notify);
    (void)pthread_mutex_lock(&session->mutex); /* our own mutex */
    bool is_ready = !is_full(session) || session->is_over;
    if (!is_ready && !op->is_static) {
        slim_list_put_last(&session->writers, &op->waiting);
    }
    (void)pthread_mutex_unlock(&session->mutex); /* likewise */
    if (is_ready) {
        slim_client_op_end(op, SLIM_OK, NULL);
    }
    return op;
}

/* ------------------------------------------------------------------------------------------------ looking */

bool slim_session_is_over(struct slim_session *session)
{
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
    struct session_request *request = (struct session_request *)common;
    struct slim_session *session = request->session;
    enum slim_status status = SLIM_ERR_CLOSED;
    if (session->app->local != NULL && session->is_in_table) {
        status = copy_members(slim_client_local_sessions(session->app->local), session->look.id,
                              request->list);
    }
    fail(request, status, "error getting the participants list");
}

enum slim_status slim_session_participants(struct slim_session *session,
                                           struct slim_name_list **list, struct slim_error *error)
{
    struct slim_op *op;
    struct session_request *request = request_new(session, run_participants, NULL, &op);
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
    if (slim_client_session_new(app, &look, &session) != SLIM_OK) {
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

static void on_message(struct slim_session *session, const struct slim_session_message *message)
{
    struct slim_message *copy = NULL;
    (void)pthread_mutex_lock(&session->mutex); /* our own mutex */
    bool has_room = session->inbox_bytes < SLIM_CLIENT_INBOX_MAX_BYTES;
    (void)pthread_mutex_unlock(&session->mutex); /* likewise */
    if (!has_room || slim_client_message_new(message, &copy) != SLIM_OK) {
        char text[SLIM_ERROR_TEXT_MAX];
        (void)snprintf(text, sizeof(text), "message lost for session id: %u",
                       session->look.id); /* short */
        put_entry(session, NULL, SLIM_ERR_LIMIT, text);
        return;
    }
    put_entry(session, copy, SLIM_OK, NULL);
}

static void on_completed(struct slim_session *session, const struct slim_session_event *event)
{
    struct slim_op *op = (struct slim_op *)(uintptr_t)event->op;
    if (op == NULL) {
        return;
    }
    slim_list_remove(&op->waiting);
    if (op->bytes > 0 && session != NULL) {
        atomic_fetch_sub(&session->under_way_count, 1);
        atomic_fetch_sub(&session->under_way_bytes, op->bytes);
        (void)pthread_mutex_lock(&session->mutex); /* our own mutex */
        if (!is_full(session)) {
            slim_client_op_end_all(&session->writers, SLIM_OK, NULL);
        }
        (void)pthread_mutex_unlock(&session->mutex); /* likewise */
    }
    slim_client_op_end(op, event->status, event->text);
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
    fail_held(session);
    close_inbox(session);
    slim_client_op_end_all(&session->deletes, SLIM_OK, NULL);
    slim_client_app_drop(app, session);
}

void slim_client_session_orphan(struct slim_session *session)
{
    fail_held(session);
    slim_client_op_end_all(&session->begun, SLIM_ERR_CLOSED, "session closed");
    slim_client_op_end_all(&session->deletes, SLIM_OK, NULL);
    close_inbox(session);
}

void slim_client_session_on_event(void *ctx, const struct slim_session_event *event)
{
    struct slim_app *app = ctx;
    struct slim_session *session = slim_client_app_find(app, event->session_id);
    switch (event->kind) {
    case SLIM_SESSION_COMPLETED:
        on_completed(session, event);
        break;
    case SLIM_SESSION_BEGUN:
        on_begun(app, session, event);
        break;
    case SLIM_SESSION_MESSAGE:
        session = session == NULL ? adopt(app, event->session_id) : session;
        if (session != NULL) {
            on_message(session, event->message);
        }
        break;
    case SLIM_SESSION_PROBLEM:
        if (session != NULL) {
            put_entry(session, NULL, SLIM_ERR_RESET, event->text);
        }
        break;
    case SLIM_SESSION_WRITABLE:
        if (session != NULL) {
            publish_held(session);
        }
        break;
    case SLIM_SESSION_CLOSED:
        if (session != NULL) {
            on_closed(app, session);
        }
        break;
    }
}
