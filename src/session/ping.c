#include "session/ping.h"

#include "session/compose.h"
#include "session/request.h"
#include "session/task.h"

static void stop_asking(struct slim_session *session)
{
    SLIM_LIST_EACH(node, &session->requests)
    {
        struct slim_session_request *request =
            SLIM_LIST_ENTRY(node, struct slim_session_request, node);
        if (request->type == SLIM_WIRE_TYPE_PING) {
            slim_session_request_free(session, request);
        }
    }
}

static void ask(struct slim_session *session)
{
    struct slim_wire_session_message message;
    struct slim_session_request *request;
    struct slim_session_expected everybody = {.only = NULL};
    session->ping.was_sent = false;
    if (session->members.listed_count < 2) {
        return;
    }
    slim_session_compose(session, SLIM_WIRE_TYPE_PING, &session->channel.wire, 0, &message);
    session->ping.was_sent =
        slim_session_request_new(session, &message, &everybody, NULL, &request) == SLIM_OK;
    session->ping.message_id = session->ping.was_sent ? request->message_id : 0;
}

/* The first member that has been silent too long, and every other one's count. */
static struct slim_session_member *count_misses(struct slim_session *session)
{
    struct slim_session_member *lost = NULL;
    for (uint32_t i = 0; i < session->members.listed_count; i++) {
        struct slim_session_member *member = session->members.slots[session->members.listed[i]];
        bool is_counted = !member->is_self && member->standing == SLIM_SESSION_PRESENT;
        if (!is_counted || member->is_seen || !session->ping.was_sent) {
            member->misses = 0;
        } else {
            member->misses++;
        }
        member->is_seen = false;
        lost = lost == NULL && member->misses >= SLIM_SESSION_PING_MISSES ? member : lost;
    }
    return lost;
}

static struct slim_session_member *next_lost(const struct slim_session *session)
{
    for (uint32_t i = 0; i < session->members.listed_count; i++) {
        struct slim_session_member *member = session->members.slots[session->members.listed[i]];
        if (member->misses >= SLIM_SESSION_PING_MISSES) {
            return member;
        }
    }
    return NULL;
}

static void look_after_members(struct slim_session *session)
{
    struct slim_session_member *lost = count_misses(session);
    stop_asking(session);
    while (lost != NULL && session->state != SLIM_SESSION_ENDED) {
        char name[SLIM_SESSION_NAME_TEXT_MAX];
        lost->misses = 0;
        slim_session_problem(session, "participant disconnected: %s",
                             slim_session_name_format(&lost->name.wire, name));
        slim_session_member_gone(session, lost);
        lost = session->state == SLIM_SESSION_ENDED ? NULL : next_lost(session);
        if (lost == NULL) {
            slim_session_check_alone(session);
        }
    }
    if (session->state != SLIM_SESSION_ENDED) {
        ask(session);
    }
}

static void listen_for_moderator(struct slim_session *session)
{
    session->ping.misses = session->ping.is_seen ? 0 : session->ping.misses + 1;
    session->ping.is_seen = false;
    if (session->ping.misses >= SLIM_SESSION_PING_MISSES) {
        slim_session_input(session, SLIM_SESSION_ON_ALONE, NULL);
    }
}

uint64_t slim_session_ping_tick(struct slim_session *session)
{
    if (session->app->now_ms >= session->ping.due_ms) {
        session->ping.due_ms = session->app->now_ms + SLIM_SESSION_PING_MS;
        if (session->is_initiator) {
            look_after_members(session);
        } else {
            listen_for_moderator(session);
        }
    }
    return session->ping.due_ms;
}

/* Somebody who is no member hears the channel: its welcome came to it and the answer did not come back, or the pings have given it up. It
 * believes that it is in; nobody would ever tell it otherwise. */
static void send_away(struct slim_session *session, const struct slim_session_incoming *in)
{
    struct slim_wire_session_message message;
    slim_session_compose(session, SLIM_WIRE_TYPE_LEAVE_REQUEST, &in->message->head.source,
                         slim_session_app_random(session->app), &message);
    message.head.has_forward_to = true;
    message.head.forward_to = in->conn_id;
    (void)slim_session_send(session->app, &message); /* again when it answers the next ping */
}

enum slim_status slim_session_on_pong(struct slim_session *session,
                                      const struct slim_session_incoming *in)
{
    bool is_ours =
        session->ping.was_sent && in->message->head.message_id == session->ping.message_id;
    if (in->source == NULL && is_ours && session->kind == SLIM_SESSION_GROUP) {
        send_away(session, in);
    }
    struct slim_session_request *request =
        slim_session_request_find(session, SLIM_WIRE_TYPE_PING, in);
    if (request != NULL) {
        slim_session_request_answer(session, request, in->source->slot);
    }
    return SLIM_AGAIN; /* a late one is a sign of life all the same */
}

enum slim_status slim_session_answer_ping(struct slim_session *session,
                                          const struct slim_session_incoming *in)
{
    struct slim_wire_session_message pong;
    slim_session_compose_answer(session, SLIM_WIRE_TYPE_PING, in, &pong);
    pong.head.fanout = in->message->head.fanout;
    pong.metadata.encoded = in->message->metadata.encoded;
    (void)slim_session_send(session->app, &pong); /* it is asked again */
    return SLIM_AGAIN;
}

void slim_session_check_alone(struct slim_session *session)
{
    if (session->state != SLIM_SESSION_ENDED && session->members.listed_count < 2 &&
        session->self_slot != SLIM_SESSION_NO_SLOT && !slim_session_is_inviting(session)) {
        slim_session_input(session, SLIM_SESSION_ON_ALONE, NULL);
    }
}
