/* Members that behave like the reference's (spec session.md 8, 18). The tables underneath are ours; what the others see is not:
 *
 *   no mark, and none is seen                     so that the cautious rules hold towards them, and theirs towards us; nobody asks them
 *                                                 where they begin
 *   GROUP_* are repeated to the whole channel     (defect 21)
 *   a commit is acknowledged once                 (defect 3)
 *   a surplus answer kills an idle moderator      (defect 1): it must never come */
#include "sim.h"

enum { CUT_FORGOTTEN_MS = 15 * 1000 };

static bool is_to_the_channel(int32_t type)
{
    return type == SLIM_WIRE_TYPE_GROUP_ADD || type == SLIM_WIRE_TYPE_GROUP_REMOVE;
}

static void drop_mark(struct slim_wire_session_message *message)
{
    int32_t type = message->head.session_message_type;
    if (type == SLIM_WIRE_TYPE_JOIN_REPLY || type == SLIM_WIRE_TYPE_GROUP_WELCOME ||
        type == SLIM_WIRE_TYPE_GROUP_ADD || type == SLIM_WIRE_TYPE_MSG_ACK) {
        message->metadata = (struct slim_wire_metadata){.count = 0};
    }
}

/* The request of this number that is on the way; NULL: there is none. */
static const struct slim_session_request *find_request(const struct slim_session *session,
                                                       uint32_t message_id)
{
    SLIM_LIST_EACH(node, &session->requests)
    {
        const struct slim_session_request *request =
            SLIM_LIST_ENTRY(node, struct slim_session_request, node);
        if (request->message_id == message_id) {
            return request;
        }
    }
    return NULL;
}

/* One repetition for all who are missing, to the channel. False: it went already. */
static bool widen(struct sim_world *world, struct sim_peer *peer,
                  struct slim_wire_session_message *message)
{
    uint32_t talk = sim_talk_of(world, message->head.session_id);
    if (talk == SIM_TALKS_MAX || message->head.destination.name.id == SLIM_NAME_ANY ||
        world->talks[talk].settings.kind != SLIM_SESSION_GROUP) {
        return true;
    }
    const struct slim_session *session = slim_session_find(peer->app, message->head.session_id);
    const struct slim_session_request *request =
        session == NULL ? NULL : find_request(session, message->head.message_id);
    if (request != NULL && request->is_background) {
        return true; /* it would have given up */
    }
    if (peer->repeated_id == message->head.message_id && peer->repeated_ms == world->now_ms) {
        return false;
    }
    peer->repeated_id = message->head.message_id;
    peer->repeated_ms = world->now_ms;
    message->head.destination = sim_name(world->talks[talk].channel_text, SLIM_NAME_ANY);
    message->head.fanout = SLIM_SESSION_FANOUT_ALL;
    return true;
}

/* An answer that nobody waits for is fatal for a reference moderator without a task. The network must not be to blame: it doubles nothing,
 * loses no connection, and is quicker than the shortest interval. */
static bool is_fatal(struct sim_world *world, const struct sim_peer *peer,
                     const struct slim_wire_session_message *message)
{
    const struct sim_faults *faults = &world->plan.faults;
    int32_t type = message->head.session_message_type;
    bool is_answer = type == SLIM_WIRE_TYPE_DISCOVERY_REPLY || type == SLIM_WIRE_TYPE_JOIN_REPLY ||
                     type == SLIM_WIRE_TYPE_GROUP_ACK || type == SLIM_WIRE_TYPE_LEAVE_REPLY;
    bool was_cut = world->has_cuts && world->now_ms < world->last_cut_ms + CUT_FORGOTTEN_MS;
    if (!is_answer || was_cut || faults->duplication > 0 || world->plan.has_hostile) {
        return false;
    }
    const struct slim_session *session = slim_session_find(peer->app, message->head.session_id);
    if (session == NULL || !session->is_initiator || session->state != SLIM_SESSION_OPEN ||
        !slim_list_is_empty(&session->tasks) ||
        sim_network_round_trip_ms(world) >= session->interval_ms) {
        return false;
    }
    /* the reference keeps whom it could not welcome in its list, and waits for it */
    bool is_member =
        slim_session_members_by_source(&session->members, &message->head.source.name) != NULL;
    return is_member && find_request(session, message->head.message_id) == NULL;
}

bool sim_reference_sends(struct sim_world *world, struct sim_peer *peer,
                         struct slim_wire_session_message *message)
{
    drop_mark(message);
    return !is_to_the_channel(message->head.session_message_type) || widen(world, peer, message);
}

void sim_reference_takes(struct sim_world *world, struct sim_peer *peer,
                         struct slim_wire_session_message *message)
{
    if (is_fatal(world, peer, message)) {
        sim_fail(world, "%c, a reference moderator, dies of a surplus %s", 'a' + (int)peer->index,
                 sim_type_name(message->head.session_message_type));
    }
    drop_mark(message);
}
