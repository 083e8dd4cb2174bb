/* Members that behave like the reference's (spec session.md 8, 18): without our mark, cautious towards them for that reason, and a moderator
 * that dies of an answer it does not wait for (defect 1). The tables underneath are ours. */
#include "sim.h"

static void drop_mark(struct slim_wire_session_message *message)
{
    int32_t type = message->head.session_message_type;
    if (type == SLIM_WIRE_TYPE_JOIN_REPLY || type == SLIM_WIRE_TYPE_GROUP_WELCOME ||
        type == SLIM_WIRE_TYPE_GROUP_ADD) {
        message->metadata = (struct slim_wire_metadata){.count = 0};
    }
}

bool sim_reference_sends(struct sim_world *world, struct sim_peer *peer,
                         struct slim_wire_session_message *message)
{
    (void)world;
    (void)peer;
    drop_mark(message);
    return true;
}

void sim_reference_takes(struct sim_world *world, struct sim_peer *peer,
                         struct slim_wire_session_message *message)
{
    (void)world;
    (void)peer;
    drop_mark(message);
}
