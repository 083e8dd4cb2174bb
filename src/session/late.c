/* Sessions that have ended: their late requests are answered, or whoever sent them would wait in vain (spec session.md 12.3b). */
#include "session/compose.h"

enum { REMEMBER_MS = SLIM_SESSION_DRAIN_MS }; /* at least: packets are slow, too */

static struct slim_session_ended *find_ended(struct slim_session_app *app, uint32_t session_id)
{
    for (size_t i = 0; app->ended != NULL && i < SLIM_SESSION_ENDED_MAX; i++) {
        struct slim_session_ended *ended = &app->ended[i];
        if (ended->is_used && ended->session_id == session_id) {
            ended->is_used = app->now_ms < ended->until_ms;
            return ended->is_used ? ended : NULL;
        }
    }
    return NULL;
}

/* The request that ended it, with the answer that was given. */
static const struct slim_session_answer *last_answer(const struct slim_session *session)
{
    const struct slim_session_answer *found = NULL;
    for (uint32_t i = 0; i < session->answers.count; i++) {
        const struct slim_session_answer *answer = &session->answers.entries[i];
        if (answer->type == SLIM_WIRE_TYPE_LEAVE_REQUEST ||
            answer->type == SLIM_WIRE_TYPE_GROUP_CLOSE) {
            found = answer;
        }
    }
    return found;
}

/* Was the JOIN_REQUEST that began it answered? */
static bool has_joined(const struct slim_session *session)
{
    for (uint32_t i = 0; i < session->answers.count; i++) {
        const struct slim_session_answer *answer = &session->answers.entries[i];
        if (answer->type == SLIM_WIRE_TYPE_JOIN_REQUEST && answer->message_id == session->join_id) {
            return true;
        }
    }
    return false;
}

void slim_session_note_ended(struct slim_session *session)
{
    struct slim_session_app *app = session->app;
    const struct slim_session_member *moderator =
        slim_session_members_at(&session->members, session->peer_slot);
    if (!session->is_initiator && moderator == NULL) {
        return; /* never began */
    }
    if (app->ended == NULL) {
        app->ended = slim_heap_take_zeroed(app->heap, SLIM_SESSION_ENDED_MAX, sizeof(*app->ended));
    }
    if (app->ended == NULL) {
        return; /* others time out */
    }
    struct slim_session_ended *ended = find_ended(app, session->id);
    if (ended == NULL) {
        ended = &app->ended[app->ended_next];
        app->ended_next = (app->ended_next + 1) % SLIM_SESSION_ENDED_MAX;
    }
    uint64_t patience_ms = slim_session_patience_ms(session);
    *ended = (struct slim_session_ended){
        .is_used = true,
        .has_join = has_joined(session),
        .join_id = session->join_id,
        .interval_ms = session->interval_ms,
        .is_moderator = session->is_initiator,
        .is_peer_ours = session->is_moderator_ours,
        .session_id = session->id,
        .until_ms = app->now_ms + (patience_ms > REMEMBER_MS ? patience_ms : REMEMBER_MS),
    };
    if (!session->is_initiator) {
        ended->moderator = moderator->name.wire.name;
    }
    const struct slim_session_answer *answer = last_answer(session);
    if (answer != NULL) {
        ended->answer = *answer;
    }
}

static void send_late(struct slim_session_app *app, int32_t type,
                      const struct slim_session_incoming *in)
{
    const struct slim_wire_head *head = &in->message->head;
    struct slim_wire_session_message message = {.head = {.kind = SLIM_WIRE_PUBLISH}};
    bool is_to_us = head->destination.name.id == app->name.wire.name.id;
    message.head.source = is_to_us ? head->destination : app->name.wire;
    message.head.destination = head->source;
    message.head.fanout = 1;
    message.head.has_forward_to = true;
    message.head.forward_to = in->conn_id;
    message.head.session_type = head->session_type;
    message.head.session_message_type = type;
    message.head.session_id = head->session_id;
    message.head.message_id = head->message_id;
    message.payload.kind = slim_wire_payload_of_type(type);
    (void)slim_session_send(app, &message); /* it will be asked again */
}

/* We were a participant: has this request been answered, and does it deserve it again? */
static bool must_answer(const struct slim_session_app *app, struct slim_session_ended *ended,
                        const struct slim_session_incoming *in)
{
    const struct slim_wire_head *head = &in->message->head;
    bool is_same = ended->answer.type == head->session_message_type &&
                   ended->answer.message_id == head->message_id;
    if (!is_same) {
        ended->answer = (struct slim_session_answer){
            .type = head->session_message_type,
            .message_id = head->message_id,
            .conn_id = in->conn_id,
            .counted_ms = app->now_ms,
        };
        return true;
    }
    return slim_session_deserves_answer(&ended->answer, app->now_ms, ended->interval_ms,
                                        in->conn_id, ended->is_peer_ours,
                                        head->session_message_type == SLIM_WIRE_TYPE_GROUP_CLOSE);
}

bool slim_session_is_late_join(struct slim_session_app *app, const struct slim_session_incoming *in)
{
    const struct slim_wire_head *head = &in->message->head;
    const struct slim_session_ended *ended = find_ended(app, head->session_id);
    return ended != NULL && ended->has_join && ended->join_id == head->message_id &&
           slim_name_is_equal(&ended->moderator, &head->source.name);
}

void slim_session_take_late(struct slim_session_app *app, const struct slim_session_incoming *in)
{
    const struct slim_wire_head *head = &in->message->head;
    bool is_leave = head->session_message_type == SLIM_WIRE_TYPE_LEAVE_REQUEST;
    bool is_close = head->session_message_type == SLIM_WIRE_TYPE_GROUP_CLOSE;
    bool is_leaving = is_leave && slim_session_has_key(in->message, SLIM_SESSION_KEY_LEAVING);
    struct slim_session_ended *ended =
        is_leave || is_close ? find_ended(app, head->session_id) : NULL;
    if (ended != NULL && ended->is_moderator && is_leaving) {
        send_late(app, SLIM_WIRE_TYPE_LEAVE_REPLY, in);
    } else if (ended != NULL && !ended->is_moderator && !is_leaving &&
               slim_name_is_equal(&ended->moderator, &head->source.name)) {
        if (must_answer(app, ended, in)) {
            send_late(app, is_close ? SLIM_WIRE_TYPE_GROUP_ACK : SLIM_WIRE_TYPE_LEAVE_REPLY, in);
        }
    } else {
        app->stats.unknown_session++;
    }
}
