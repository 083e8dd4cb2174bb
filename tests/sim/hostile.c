/* Somebody with a valid token of his own and bad intentions. He hears what goes to the channels, knows all ids, and can repeat what he heard;
 * what he cannot do is make a token of somebody else. */
#include <stdlib.h>

#include "sim.h"

enum { BREAK_CHANCE = 30 };

void sim_hostile_keep(struct sim_world *world, uint32_t to, struct slim_view msg)
{
    struct sim_kept *kept = &world->kept[world->kept_next];
    if (!world->plan.has_hostile || world->is_injecting || !sim_chance(&world->network, 300)) {
        return;
    }
    world->kept_next = (world->kept_next + 1) % SIM_KEPT_MAX;
    kept->bytes = realloc(kept->bytes, msg.len);
    if (kept->bytes == NULL) {
        abort();
    }
    memcpy(kept->bytes, msg.data, msg.len);
    kept->len = msg.len;
    kept->to = to;
}

/* Straight to the victim: a node would bring it there. */
static void inject(struct sim_world *world, uint32_t victim, struct slim_view msg)
{
    if (world->peers[victim].is_alive && world->peers[victim].link.is_up) {
        world->is_injecting = true; /* what is his own need not be kept */
        sim_peer_take(world, victim, msg);
        world->is_injecting = false;
    }
}

/* Under his own name and token: everything that would hurt if it were obeyed. */
static void forge(struct sim_world *world, const struct sim_talk *talk, uint32_t victim)
{
    static const int32_t types[] = {
        SLIM_WIRE_TYPE_GROUP_REMOVE,
        SLIM_WIRE_TYPE_GROUP_CLOSE,
        SLIM_WIRE_TYPE_LEAVE_REQUEST,
        SLIM_WIRE_TYPE_JOIN_REQUEST,
        SLIM_WIRE_TYPE_GROUP_ADD,
        SLIM_WIRE_TYPE_GROUP_WELCOME,
        SLIM_WIRE_TYPE_MSG,
        SLIM_WIRE_TYPE_MSG_ACK,
        SLIM_WIRE_TYPE_RTX_REPLY,
        SLIM_WIRE_TYPE_RTX_REQUEST,
        SLIM_WIRE_TYPE_GROUP_ACK,
        SLIM_WIRE_TYPE_PING,
        SLIM_WIRE_TYPE_GROUP_PROPOSAL,
        SLIM_WIRE_TYPE_GROUP_NACK,
        SLIM_WIRE_TYPE_LEAVE_REPLY,
        SLIM_WIRE_TYPE_JOIN_REPLY,
        SLIM_WIRE_TYPE_DISCOVERY_REPLY,
    };
    struct sim_peer *self = &world->peers[world->plan.peer_count];
    struct slim_wire_name channel = sim_name(talk->channel_text, SLIM_NAME_ANY);
    struct slim_wire_session_message message = {.head = {.kind = SLIM_WIRE_PUBLISH}};
    message.head.source = self->name;
    message.head.destination = world->peers[victim].name;
    message.head.fanout = 1;
    message.head.identity = slim_view_of(self->token_text, 3);
    message.head.session_type = talk->settings.kind == SLIM_SESSION_GROUP
                                    ? SLIM_WIRE_SESSION_MULTICAST
                                    : SLIM_WIRE_SESSION_POINT_TO_POINT;
    message.head.session_message_type = types[sim_below(&world->chance, SLIM_COUNT(types))];
    message.head.session_id = talk->id;
    message.head.message_id = sim_below(&world->chance, 200);
    if (message.head.session_message_type == SLIM_WIRE_TYPE_JOIN_REQUEST &&
        !talk->seats[victim].is_in) {
        return; /* anybody may invite */
    }
    message.payload.kind = slim_wire_payload_of_type(message.head.session_message_type);
    if (message.payload.kind == SLIM_WIRE_PAYLOAD_APP) {
        message.payload.app.blob = SLIM_VIEW("nobody published this");
    } else if (message.payload.kind == SLIM_WIRE_PAYLOAD_GROUP_ADD ||
               message.payload.kind == SLIM_WIRE_PAYLOAD_GROUP_REMOVE) {
        message.payload.group_change.participant =
            world->peers[sim_below(&world->chance, world->plan.peer_count)].name;
    } else if (message.payload.kind == SLIM_WIRE_PAYLOAD_JOIN_REQUEST) {
        message.payload.join_request.channel = channel;
    }
    struct slim_buf bytes = {0};
    if (slim_wire_put_session_message(&bytes, &message) != SLIM_OK) {
        abort();
    }
    inject(world, victim, slim_buf_view(&bytes));
    slim_buf_fini(&bytes);
}

/* A member's own message under a number far ahead, or ciphertext changed: somebody on the way. */
static void tamper(struct sim_world *world, const struct sim_kept *kept)
{
    struct slim_wire_session_message message;
    static const uint32_t jumps[] = {1, 7, 500, 8191, 8192, 1000000, 0x3fffffff, 0x7fffffff};
    if (slim_wire_read_session_message(slim_view_of(kept->bytes, kept->len), &message) != SLIM_OK) {
        return;
    }
    int32_t type = message.head.session_message_type;
    uint32_t talk = sim_talk_of(world, message.head.session_id);
    bool is_sealed = talk < SIM_TALKS_MAX && world->talks[talk].settings.is_mls;
    if (type != SLIM_WIRE_TYPE_MSG && type != SLIM_WIRE_TYPE_RTX_REQUEST) {
        return;
    }
    struct slim_buf bytes = {0};
    if (type == SLIM_WIRE_TYPE_RTX_REQUEST || is_sealed) {
        message.head.message_id += jumps[sim_below(&world->chance, SLIM_COUNT(jumps))];
    }
    if (slim_wire_put_session_message(&bytes, &message) != SLIM_OK) {
        abort();
    }
    if (is_sealed && type == SLIM_WIRE_TYPE_MSG) {
        bytes.data[bytes.len - 1 - sim_below(&world->chance, 30)] ^= 0x55;
    }
    inject(world, kept->to, slim_buf_view(&bytes));
    slim_buf_fini(&bytes);
}

static void garbage(struct sim_world *world, const struct sim_kept *kept)
{
    struct slim_buf bytes = {0};
    if (slim_buf_put(&bytes,
                     slim_view_of(kept->bytes, sim_below(&world->chance, (uint32_t)kept->len))) !=
        SLIM_OK) {
        abort();
    }
    inject(world, kept->to, slim_buf_view(&bytes));
    slim_buf_fini(&bytes);
}

/* Data only: nothing tells an old command of the moderator from a new one (spec session.md 2.6, DEFECT-20). */
static void replay(struct sim_world *world, const struct sim_kept *kept)
{
    struct slim_wire_head head;
    if (slim_wire_read_head(slim_view_of(kept->bytes, kept->len), &head) == SLIM_OK &&
        (head.session_message_type == SLIM_WIRE_TYPE_MSG ||
         head.session_message_type == SLIM_WIRE_TYPE_RTX_REPLY ||
         head.session_message_type >= SLIM_WIRE_TYPE_GROUP_PROPOSAL)) {
        inject(world, kept->to, slim_view_of(kept->bytes, kept->len));
    }
}

/* What is of an epoch to come is acknowledged and kept before anybody can tell whether it is genuine: whoever can change it on the way can as
 * well take it away and acknowledge it himself. */
static bool can_tell(struct sim_world *world, uint32_t to,
                     const struct slim_wire_session_message *message)
{
    uint32_t from = sim_peer_of(world, &message->head.source.name);
    struct slim_session_info sender;
    struct slim_session_info receiver;
    return from < SIM_PEERS_MAX && world->peers[from].is_alive &&
           slim_session_app_look(world->peers[from].app, message->head.session_id, &sender) ==
               SLIM_OK &&
           slim_session_app_look(world->peers[to].app, message->head.session_id, &receiver) ==
               SLIM_OK &&
           sender.mls_epoch <= receiver.mls_epoch;
}

bool sim_hostile_breaks(struct sim_world *world, uint32_t to,
                        struct slim_wire_session_message *message)
{
    static uint8_t bytes[32768];
    uint32_t talk = sim_talk_of(world, message->head.session_id);
    struct slim_view *view = NULL;
    if (!world->plan.has_hostile || talk == SIM_TALKS_MAX || !world->talks[talk].settings.is_mls ||
        !world->has_faults || !sim_chance(&world->network, BREAK_CHANCE)) {
        return false;
    }
    if (message->head.session_message_type == SLIM_WIRE_TYPE_MSG && can_tell(world, to, message)) {
        view = &message->payload.app.blob;
    } else if (message->payload.kind == SLIM_WIRE_PAYLOAD_GROUP_ADD ||
               message->payload.kind == SLIM_WIRE_PAYLOAD_GROUP_REMOVE) {
        view = &message->payload.group_change.mls.content;
    }
    if (view == NULL || view->len == 0 || view->len > sizeof(bytes)) {
        return false;
    }
    memcpy(bytes, view->data, view->len);
    /* not the head of it: what claims to be of an epoch to come is kept, and was acknowledged */
    uint32_t half = (uint32_t)view->len / 2;
    bytes[half + sim_below(&world->network, half)] ^= 0x21;
    view->data = bytes;
    return true;
}

void sim_hostile_act(struct sim_world *world)
{
    const struct sim_kept *kept = &world->kept[sim_below(&world->chance, SIM_KEPT_MAX)];
    uint32_t victim = sim_below(&world->chance, world->plan.peer_count);
    uint32_t what = sim_below(&world->chance, 4);
    if (what == 0 && world->talk_count > 0) {
        forge(world, &world->talks[sim_below(&world->chance, world->talk_count)], victim);
    } else if (kept->len > 0 && what == 1) {
        replay(world, kept);
    } else if (kept->len > 0 && what == 2) {
        tamper(world, kept);
    } else if (kept->len > 0) {
        garbage(world, kept);
    }
}

void sim_hostile_fini(struct sim_world *world)
{
    for (size_t i = 0; i < SIM_KEPT_MAX; i++) {
        free(world->kept[i].bytes);
    }
}
