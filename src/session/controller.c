#include "session/controller.h"

#include "session/compose.h"

/* ---- who may */

static bool is_controller(const struct slim_session_app *app, const struct slim_wire_name *source)
{
    static const struct slim_view part = {(const uint8_t *)"controller", 10};
    const struct slim_name_text text = {{part, part, part}};
    struct slim_name_key name = slim_name_of(&text, SLIM_NAME_ANY);
    return !app->options.refuses_controller && slim_name_has_prefix_of(&name, &source->name);
}

static bool is_ours(const struct slim_session *session, const struct slim_session_incoming *in)
{
    return session->controller.text != NULL &&
           slim_name_is_equal(&session->controller.wire.name, &in->message->head.source.name);
}

/* ---- the session */

static void acknowledge(struct slim_session *session, uint32_t message_id, uint64_t conn_id)
{
    struct slim_wire_session_message message;
    slim_session_compose(session, SLIM_WIRE_TYPE_GROUP_ACK, &session->controller.wire, message_id,
                         &message);
    message.head.has_forward_to = true;
    message.head.forward_to = conn_id;
    (void)slim_session_send(session->app, &message); /* the controller asks again */
}

void slim_session_controller_begin(struct slim_session_app *app,
                                   const struct slim_session_incoming *in)
{
    const struct slim_wire_session_message *message = in->message;
    const struct slim_wire_join_request *request = &message->payload.join_request;
    const struct slim_session_settings settings = {
        .kind = SLIM_SESSION_GROUP,
        .is_mls = request->enable_mls,
        .has_timer = request->has_timer,
        .max_retries = request->max_retries,
        .interval_ms = request->timeout_ms < SLIM_SESSION_PEER_INTERVAL_MIN_MS
                           ? (uint32_t)SLIM_SESSION_PEER_INTERVAL_MIN_MS
                           : request->timeout_ms,
    };
    struct slim_wire_name channel = request->channel;
    struct slim_session *session;
    if (!is_controller(app, &message->head.source)) {
        app->stats.unauthorised++;
        return;
    }
    if (message->head.session_type != SLIM_WIRE_SESSION_MULTICAST || !channel.is_complete) {
        app->stats.malformed++;
        return;
    }
    channel.name.id = SLIM_NAME_ANY;
    if (slim_session_new(app, message->head.session_id, &settings, &message->head.destination,
                         &channel, SLIM_SESSION_OPEN, &session) != SLIM_OK) {
        app->stats.limit++;
        return;
    }
    session->is_initiator = true;
    if (slim_session_name_init(app->heap, &channel, SLIM_NAME_ANY, &session->channel) != SLIM_OK ||
        slim_session_name_init(app->heap, &message->head.source, message->head.source.name.id,
                               &session->controller) != SLIM_OK) {
        slim_session_end(session, NULL);
        return;
    }
    session->controller_conn = in->conn_id;
    session->join_id = message->head.message_id;
    app->owner.route(app->owner.ctx, &session->controller.wire, in->conn_id, true);
    acknowledge(session, message->head.message_id, in->conn_id);
    session->is_begun = true;
    session->promised_count--;
    slim_session_put_event(app, SLIM_SESSION_BEGUN, session->id, 0, SLIM_OK, NULL);
}

enum slim_status slim_session_controller_again(struct slim_session *session,
                                               const struct slim_session_incoming *in)
{
    if (!is_ours(session, in) || in->message->head.message_id != session->join_id) {
        session->app->stats.unauthorised++;
        return SLIM_AGAIN;
    }
    acknowledge(session, session->join_id, in->conn_id);
    return SLIM_AGAIN;
}

/* ---- its wishes */

/* True: this request is done or under way. Done ones are acknowledged again. */
static bool is_repeated(struct slim_session *session, const struct slim_session_incoming *in)
{
    uint32_t id = in->message->head.message_id;
    if (slim_session_find_answer(session, in) != NULL) {
        acknowledge(session, id, in->conn_id);
        return true;
    }
    SLIM_LIST_EACH(node, &session->tasks)
    {
        const struct slim_session_task *task =
            SLIM_LIST_ENTRY(node, struct slim_session_task, node);
        if (task->has_origin && task->origin_id == id) {
            return true;
        }
    }
    return false;
}

static enum slim_status plan(struct slim_session *session, enum slim_session_task_kind kind,
                             const struct slim_wire_name *name,
                             const struct slim_session_incoming *in)
{
    struct slim_session_task *task;
    SLIM_TRY(slim_session_task_new(session, kind, name, &task));
    task->has_origin = true;
    task->origin_type = in->message->head.session_message_type;
    task->origin_id = in->message->head.message_id;
    task->origin_conn = in->conn_id;
    if (kind == SLIM_SESSION_TASK_ADD) {
        const struct slim_session_owner *owner = &session->app->owner;
        task->has_route = true;
        owner->route(owner->ctx, &task->name.wire, in->conn_id, true);
    }
    return SLIM_AGAIN;
}

enum slim_status slim_session_controller_invite(struct slim_session *session,
                                                const struct slim_session_incoming *in)
{
    if (!is_ours(session, in)) {
        session->app->stats.unauthorised++;
        return SLIM_AGAIN;
    }
    if (is_repeated(session, in)) {
        return SLIM_AGAIN;
    }
    return plan(session, SLIM_SESSION_TASK_ADD, &in->message->payload.discovery_request.destination,
                in);
}

static enum slim_status close_group(struct slim_session *session,
                                    const struct slim_session_incoming *in)
{
    session->has_close_origin = true;
    session->close_id = in->message->head.message_id;
    session->close_conn = in->conn_id;
    session->is_close_wanted = !session->is_draining;
    slim_session_touch(session);
    return SLIM_AGAIN;
}

enum slim_status slim_session_controller_remove(struct slim_session *session,
                                                const struct slim_session_incoming *in)
{
    const struct slim_wire_payload *payload = &in->message->payload;
    const struct slim_wire_name *name = &payload->leave_request.destination;
    if (!is_ours(session, in)) {
        session->app->stats.unauthorised++;
        return SLIM_AGAIN;
    }
    if (slim_session_has_key(in->message, SLIM_SESSION_KEY_DELETE)) {
        return close_group(session, in);
    }
    if (payload->kind != SLIM_WIRE_PAYLOAD_LEAVE_REQUEST || !name->is_complete) {
        return SLIM_ERR_INVALID;
    }
    if (slim_name_has_prefix_of(&name->name, &session->source.wire.name)) {
        return close_group(session, in);
    }
    if (is_repeated(session, in)) {
        return SLIM_AGAIN;
    }
    return plan(session, SLIM_SESSION_TASK_REMOVE, name, in);
}

/* ---- answers */

void slim_session_controller_done(struct slim_session *session, struct slim_session_task *task,
                                  bool is_ok)
{
    const struct slim_session_owner *owner = &session->app->owner;
    if (task->has_route) {
        task->has_route = false;
        owner->route(owner->ctx, &task->name.wire, task->origin_conn, false);
    }
    if (task->has_origin && is_ok) {
        const struct slim_wire_session_message request = {
            .head = {.session_message_type = task->origin_type, .message_id = task->origin_id}};
        const struct slim_session_incoming in = {.message = &request, .conn_id = task->origin_conn};
        slim_session_note_answer(session, &in);
        acknowledge(session, task->origin_id, task->origin_conn);
    }
    task->has_origin = false;
}

void slim_session_controller_closed(struct slim_session *session)
{
    const struct slim_session_owner *owner = &session->app->owner;
    if (session->controller.text == NULL) {
        return;
    }
    if (session->has_close_origin) {
        acknowledge(session, session->close_id, session->close_conn);
    }
    owner->route(owner->ctx, &session->controller.wire, session->controller_conn, false);
}
