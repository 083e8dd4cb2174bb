/* The initiator of a session: moderator of a group, or of a point-to-point session (spec session.md 6, 7.1).
 *
 * What it does for its group are tasks (task.h); this table says what counts in which state. */
#include "session/change.h"
#include "session/compose.h"
#include "session/controller.h"
#include "session/ping.h"

/* GROUP_ACK and LEAVE_REPLY: they belong to a request, or are stale (defect 1). */
static enum slim_status on_answer(struct slim_session *session,
                                  const struct slim_session_incoming *in)
{
    struct slim_session_request *request =
        slim_session_request_find(session, in->message->head.session_message_type, in);
    if (request == NULL || request->is_discovery) {
        return SLIM_ERR_STATE;
    }
    slim_session_request_answer(session, request, in->source->slot);
    return SLIM_AGAIN;
}

/* A member leaves by itself. It is answered also when we do not know it any more: it waits for that. */
static enum slim_status on_leave_request(struct slim_session *session,
                                         const struct slim_session_incoming *in)
{
    if (!slim_session_has_key(in->message, SLIM_SESSION_KEY_LEAVING)) {
        return slim_session_controller_remove(session, in);
    }
    slim_session_send_answer(session, SLIM_WIRE_TYPE_LEAVE_REPLY, in);
    if (in->source == NULL || in->source->is_self) {
        return SLIM_AGAIN;
    }
    char name[SLIM_SESSION_NAME_TEXT_MAX];
    slim_session_problem(session, "participant disconnected: %s",
                         slim_session_name_format(&in->source->name.wire, name));
    slim_session_member_gone(session, in->source);
    slim_session_check_alone(session);
    return SLIM_AGAIN;
}

static bool has_foreign_member(const struct slim_session *session)
{
    for (uint32_t i = 0; i < session->members.listed_count; i++) {
        const struct slim_session_member *member =
            session->members.slots[session->members.listed[i]];
        if (!member->is_self && !member->is_ours) {
            return true;
        }
    }
    return false;
}

/* What is under way is given up; whoever has joined without being welcomed is told with the others. */
static enum slim_status begin_close(struct slim_session *session,
                                    const struct slim_session_incoming *in)
{
    (void)in; /* of the application */
    SLIM_LIST_EACH(node, &session->tasks)
    {
        const struct slim_session_task *task =
            SLIM_LIST_ENTRY(node, struct slim_session_task, node);
        struct slim_session_member *member = slim_session_members_at(&session->members, task->slot);
        if (member != NULL && task->kind == SLIM_SESSION_TASK_ADD &&
            task->phase == SLIM_SESSION_TASK_READY) {
            slim_session_members_set(&session->members, member, SLIM_SESSION_WELCOMED);
        }
    }
    slim_session_tasks_stop(session, SLIM_ERR_CLOSED,
                            "error receiving ack for message: channel closed");
    slim_session_tasks_free(session);
    slim_session_requests_free(session);
    slim_session_drain(session, has_foreign_member(session));
    return SLIM_OK;
}

static enum slim_status close_now(struct slim_session *session,
                                  const struct slim_session_incoming *in)
{
    (void)in; /* of ourselves */
    session->wait_until_ms = session->app->now_ms >= session->drain_until_ms
                                 ? session->app->now_ms + session->interval_ms
                                 : session->drain_until_ms;
    session->drain_until_ms = UINT64_MAX;
    if (slim_session_tell_close(session) != SLIM_OK) {
        slim_session_end(session, "session closed"); /* there is nobody to tell */
        return SLIM_AGAIN;
    }
    return SLIM_OK;
}

static enum slim_status end(struct slim_session *session, const struct slim_session_incoming *in)
{
    (void)in; /* of ourselves */
    slim_session_end(session, "session closed");
    return SLIM_AGAIN;
}

#define ON(input) SLIM_SESSION_ON_##input
#define TO(state) SLIM_SESSION_##state

const struct slim_session_cell
    slim_session_moderator_table[SLIM_SESSION_STATE_COUNT][SLIM_SESSION_INPUT_COUNT] =
        {
            /* point-to-point: discovery, join and welcome of the peer are the one task */
            [TO(OPENING)] =
                {
                    [ON(DISCOVERY_REPLY)] = {slim_session_on_discovery_reply, TO(OPENING)},
                    [ON(JOIN_REPLY)] = {slim_session_on_join_reply, TO(OPENING)},
                    [ON(GROUP_ACK)] = {on_answer, TO(OPENING)},
                    [ON(LEAVE_REQUEST)] = {on_leave_request, TO(OPENING)},
                    [ON(PING)] = {slim_session_on_pong, TO(OPENING)},
                    [ON(MSG)] = {slim_session_on_msg, TO(OPENING)},
                    [ON(MSG_ACK)] = {slim_session_on_msg_ack, TO(OPENING)},
                    [ON(RTX_REQUEST)] = {slim_session_on_rtx_request, TO(OPENING)},
                    [ON(RTX_REPLY)] = {slim_session_on_rtx_reply, TO(OPENING)},
                    [ON(APP_CLOSE)] = {begin_close, TO(CLOSING_SOON)},
                    [ON(ALONE)] = {end, TO(ENDED)},
                },
            [TO(OPEN)] =
                {
                    [ON(JOIN_REQUEST)] = {slim_session_controller_again, TO(OPEN)},
                    [ON(DISCOVERY_REQUEST)] = {slim_session_controller_invite, TO(OPEN)},
                    [ON(DISCOVERY_REPLY)] = {slim_session_on_discovery_reply, TO(OPEN)},
                    [ON(JOIN_REPLY)] = {slim_session_on_join_reply, TO(OPEN)},
                    [ON(GROUP_ACK)] = {on_answer, TO(OPEN)},
                    [ON(LEAVE_REPLY)] = {on_answer, TO(OPEN)},
                    [ON(LEAVE_REQUEST)] = {on_leave_request, TO(OPEN)},
                    [ON(PING)] = {slim_session_on_pong, TO(OPEN)},
                    [ON(MSG)] = {slim_session_on_msg, TO(OPEN)},
                    [ON(MSG_ACK)] = {slim_session_on_msg_ack, TO(OPEN)},
                    [ON(RTX_REQUEST)] = {slim_session_on_rtx_request, TO(OPEN)},
                    [ON(RTX_REPLY)] = {slim_session_on_rtx_reply, TO(OPEN)},
                    [ON(APP_CLOSE)] = {begin_close, TO(CLOSING_SOON)},
                    [ON(ALONE)] = {end, TO(ENDED)},
                },
            /* Messages from others are taken until the end: the reference refuses them (spec 12.1), and whoever sent one then repeats it to nobody
             * for as long as it has retries, before it believes GROUP_CLOSE. */
            [TO(CLOSING_SOON)] =
                {
                    [ON(LEAVE_REQUEST)] = {on_leave_request, TO(CLOSING_SOON)},
                    [ON(PING)] = {slim_session_on_pong, TO(CLOSING_SOON)},
                    [ON(MSG)] = {slim_session_on_msg, TO(CLOSING_SOON)},
                    [ON(MSG_ACK)] = {slim_session_on_msg_ack, TO(CLOSING_SOON)},
                    [ON(RTX_REQUEST)] = {slim_session_on_rtx_request, TO(CLOSING_SOON)},
                    [ON(RTX_REPLY)] = {slim_session_on_rtx_reply, TO(CLOSING_SOON)},
                    [ON(DRAINED)] = {close_now, TO(CLOSING)},
                    [ON(ALONE)] = {end, TO(ENDED)},
                },
            [TO(CLOSING)] =
                {
                    [ON(GROUP_ACK)] = {on_answer, TO(CLOSING)},
                    [ON(LEAVE_REQUEST)] = {on_leave_request, TO(CLOSING)},
                    [ON(PING)] = {slim_session_on_pong, TO(CLOSING)},
                    [ON(MSG)] = {slim_session_on_msg, TO(CLOSING)},
                    [ON(RTX_REQUEST)] = {slim_session_on_rtx_request, TO(CLOSING)},
                    [ON(ANSWERED)] = {end, TO(ENDED)},
                    [ON(GIVEN_UP)] = {end, TO(ENDED)},
                    [ON(WAIT_OVER)] = {end, TO(ENDED)},
                    [ON(ALONE)] = {end, TO(ENDED)},
                },
};

/* New keys and a new credential for ourselves, unless that is waiting already (mls.md 8.3). */
static void plan_refresh(struct slim_session *session)
{
    struct slim_session_task *task;
    const struct slim_session_member *peer =
        slim_session_members_at(&session->members, session->peer_slot);
    session->refresh_ms = session->app->now_ms + SLIM_SESSION_REFRESH_MS;
    if (session->path_owed_ms != UINT64_MAX) {
        session->path_owed_ms = session->app->now_ms + SLIM_SESSION_PATH_MS; /* should it fail */
    }
    if (session->kind == SLIM_SESSION_POINT_TO_POINT && (peer == NULL || !peer->is_ours)) {
        return; /* nobody has seen the reference do that in a session of two */
    }
    if (slim_session_task_new(session, SLIM_SESSION_TASK_REFRESH, NULL, &task) != SLIM_OK) {
        session->refresh_ms = session->app->now_ms + SLIM_SESSION_PING_MS;
    }
}

void slim_session_moderator_settle(struct slim_session *session)
{
    if (session->is_mls && session->refresh_ms == UINT64_MAX && session->crypt != NULL) {
        session->refresh_ms = session->app->now_ms + SLIM_SESSION_REFRESH_MS;
    }
    bool is_due = session->app->now_ms >= session->refresh_ms ||
                  session->app->now_ms >= session->path_owed_ms;
    if (session->state == SLIM_SESSION_OPEN && is_due) {
        plan_refresh(session);
    }
    slim_session_tasks_run(session);
}
