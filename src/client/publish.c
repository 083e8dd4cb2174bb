/* Publishing (slim/slim.h): from the caller's thread through the window to the session layer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "client/internal.h"

static bool is_full(const struct slim_session *session)
{
    return atomic_load(&session->under_way_count) >= SLIM_CLIENT_UNDER_WAY_MAX ||
           atomic_load(&session->under_way_bytes) >= SLIM_CLIENT_UNDER_WAY_BYTES_MAX;
}

/* Room for a good many: whoever waits does not wake for one. */
static bool is_roomy(const struct slim_session *session)
{
    return atomic_load(&session->under_way_count) <= SLIM_CLIENT_UNDER_WAY_MAX / 2 &&
           atomic_load(&session->under_way_bytes) <= SLIM_CLIENT_UNDER_WAY_BYTES_MAX / 2;
}

/* ------------------------------------------------------------------------------------------------ on the loop thread */

/* What is under way is counted down before writers are looked for, and slim_session_await_writable does the opposite: one of the two sees
 * the other. */
static void tell_writers(struct slim_session *session)
{
    if (!atomic_load(&session->has_writers) || !is_roomy(session)) {
        return;
    }
    (void)pthread_mutex_lock(&session->mutex); /* our own mutex */
    atomic_store(&session->has_writers, false);
    slim_client_op_end_all(&session->writers, SLIM_OK, NULL);
    (void)pthread_mutex_unlock(&session->mutex); /* likewise */
}

void slim_client_publish_end(struct slim_op *op, enum slim_status status, const char *text)
{
    struct slim_session *session = op->session;
    slim_list_remove(&op->waiting);
    if (session == NULL) {
        slim_client_op_end(op, status, text);
        return;
    }
    op->session = NULL;
    atomic_fetch_sub(&session->under_way_count, 1);
    atomic_fetch_sub(&session->under_way_bytes, op->bytes);
    slim_client_op_end(op, status, text);
    tell_writers(session);
    slim_client_session_unref_memory(session);
}

/* The reference's texts (spec bindings.md 3.4). */
static const char *closed_text(const struct slim_client_call *request)
{
    return request->is_direct ? "session closed" : "Session already closed or dropped";
}

/* SLIM_AGAIN: the window is full, and the request is kept. Else it is done. */
static enum slim_status publish_now(struct slim_client_call *request)
{
    struct slim_session_app *sessions = slim_client_call_sessions(request, closed_text(request));
    struct slim_error error = {.status = SLIM_OK};
    if (sessions == NULL) {
        return SLIM_OK;
    }
    struct slim_session_payload payload = {.payload_type = request->type,
                                           .blob = request->blob,
                                           .metadata = request->pairs,
                                           .metadata_count = request->pair_count};
    uint64_t now_ms = slim_client_call_now_ms(request);
    uint64_t number = slim_client_call_number(request);
    uint32_t id = request->session->look.id;
    enum slim_status status;
    if (request->is_direct) {
        struct slim_wire_name name = slim_client_wire_name(&request->name);
        status = slim_session_app_publish_to(sessions, now_ms, id, &name, &payload, number, &error);
    } else {
        status = slim_session_app_publish(sessions, now_ms, id, &payload, number, &error);
    }
    if (status == SLIM_AGAIN) {
        slim_list_remove(&request->common.op->waiting);
        return SLIM_AGAIN;
    }
    slim_client_call_begun(request, status, &error);
    return SLIM_OK;
}

static void run_publish(struct slim_client_request *common)
{
    struct slim_client_call *request = (struct slim_client_call *)common;
    struct slim_session *session = request->session;
    if (!slim_list_is_empty(&session->held) || publish_now(request) == SLIM_AGAIN) {
        slim_list_put_last(&session->held, &request->in_held);
    }
}

void slim_client_publish_held(struct slim_session *session)
{
    if (session->is_sending_held) {
        return; /* told from inside a publish */
    }
    session->is_sending_held = true;
    struct slim_list *node;
    while ((node = slim_list_take_first(&session->held)) != NULL) {
        struct slim_client_call *request = SLIM_LIST_ENTRY(node, struct slim_client_call, in_held);
        if (request->is_delete) {
            slim_client_run_delete(&request->common);
        } else if (publish_now(request) == SLIM_AGAIN) {
            slim_list_put_first(&session->held, node);
            break;
        }
    }
    session->is_sending_held = false;
}

/* A delete among them has got what it wanted. */
void slim_client_publish_fail_held(struct slim_session *session)
{
    struct slim_list *node;
    while ((node = slim_list_take_first(&session->held)) != NULL) {
        struct slim_client_call *request = SLIM_LIST_ENTRY(node, struct slim_client_call, in_held);
        slim_client_call_fail(request, request->is_delete ? SLIM_OK : SLIM_ERR_CLOSED,
                              "session closed");
    }
}

/* ------------------------------------------------------------------------------------------------ from any thread */

/* Of a key that occurs twice the last one counts. */
static enum slim_status copy_metadata(struct slim_client_call *request,
                                      const struct slim_payload *payload)
{
    SLIM_TRY(slim_client_call_copy_pairs(request, payload->metadata, payload->metadata_count));
    size_t kept = 0;
    for (size_t i = 0; i < payload->metadata_count; i++) {
        if (!slim_client_pair_is_replaced(payload->metadata, payload->metadata_count, i)) {
            request->pairs[kept++] = request->pairs[i];
        }
    }
    request->pair_count = kept;
    return SLIM_OK;
}

static enum slim_status copy_payload(struct slim_client_call *request,
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
    SLIM_TRY(copy_metadata(request, payload));
    if (member != NULL) {
        slim_client_name_point(&request->text, &request->name);
        request->is_direct = true;
    }
    request->type = slim_view_of(request->text.data + type_at, type.len);
    request->blob = slim_view_of(request->text.data + blob_at, blob.len);
    return SLIM_OK;
}

static enum slim_status check(const struct slim_session *session,
                              const struct slim_payload *payload, struct slim_error *error)
{
    if (session == NULL || payload == NULL) {
        return slim_error_set(error, SLIM_ERR_ARGUMENT, "no session or no payload was given");
    }
    if (payload->len > SLIM_SESSION_PAYLOAD_BYTES_MAX) {
        return slim_error_set(error, SLIM_ERR_LIMIT, "the payload is larger than %d bytes",
                              SLIM_SESSION_PAYLOAD_BYTES_MAX);
    }
    if (payload->data == NULL && payload->len > 0) {
        return slim_error_set(error, SLIM_ERR_ARGUMENT, "the payload has a length and no bytes");
    }
    if (!slim_utf8_is_valid(slim_view_str(payload->type))) {
        return slim_error_set(error, SLIM_ERR_ARGUMENT, "the type of the payload is not UTF-8");
    }
    return slim_client_check_pairs(payload->metadata, payload->metadata_count, error);
}

static struct slim_op *publish(struct slim_session *session, const struct slim_payload *payload,
                               const struct slim_name *member, const struct slim_notify *notify)
{
    struct slim_error error = {.status = SLIM_OK};
    struct slim_op *op;
    if (check(session, payload, &error) != SLIM_OK) {
        return slim_client_op_failed(notify, error.status, error.text);
    }
    struct slim_client_call *request = slim_client_call_new(session, run_publish, notify, &op);
    if (request == NULL) {
        return op;
    }
    op->session = session;
    op->bytes = payload->len;
    atomic_fetch_add_explicit(&session->ref_count, 1, memory_order_relaxed);
    atomic_fetch_add(&session->under_way_count, 1);
    atomic_fetch_add(&session->under_way_bytes, op->bytes);
    if (copy_payload(request, payload, member) != SLIM_OK) {
        slim_client_call_fail(request, SLIM_ERR_NO_MEMORY, NULL);
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
    struct slim_error error = {.status = SLIM_OK};
    if (slim_client_check_name(member, &error) != SLIM_OK) {
        return slim_client_op_failed(notify, error.status, error.text);
    }
    return publish(session, payload, member, notify);
}

/* In one that is over nothing gets less. */
static enum slim_status check_open(struct slim_session *session, struct slim_error *error)
{
    SLIM_TRY(slim_client_check(session->app->service, error));
    (void)pthread_mutex_lock(&session->mutex); /* our own mutex */
    bool is_over = session->is_over;
    (void)pthread_mutex_unlock(&session->mutex); /* likewise */
    return is_over ? slim_error_set(error, SLIM_ERR_CLOSED, "Session already closed or dropped")
                   : SLIM_OK;
}

enum slim_status slim_session_try_publish(struct slim_session *session,
                                          const struct slim_payload *payload,
                                          struct slim_error *error)
{
    if (session != NULL) {
        SLIM_TRY(check_open(session, error));
        if (is_full(session)) {
            return SLIM_AGAIN;
        }
    }
    struct slim_op *op = publish(session, payload, NULL, NULL);
    enum slim_status status = slim_op_status(op, error);
    slim_op_unref(op);
    if (status == SLIM_ERR_STATE) { /* somebody ends the session at this moment */
        status = SLIM_ERR_CLOSED;
        if (error != NULL) {
            error->status = status;
        }
    }
    return status == SLIM_AGAIN ? SLIM_OK : status; /* it goes on: what is left is nobody's */
}

struct slim_op *slim_session_await_writable(struct slim_session *session,
                                            const struct slim_notify *notify)
{
    struct slim_error error = {.status = SLIM_ERR_ARGUMENT, .text = "no session was given"};
    if (session == NULL || slim_client_check(session->app->service, &error) != SLIM_OK) {
        return slim_client_op_failed(notify, error.status, error.text);
    }
    struct slim_op *op = slim_client_op_new(notify);
    (void)pthread_mutex_lock(&session->mutex); /* our own mutex */
    atomic_store(&session->has_writers, true);
    bool is_ready = !is_full(session) || session->is_over;
    if (!is_ready && !op->is_static) {
        slim_client_op_put(&session->writers, op);
    }
    (void)pthread_mutex_unlock(&session->mutex); /* likewise */
    if (is_ready) {
        slim_client_op_end(op, SLIM_OK, NULL);
    }
    return op;
}
