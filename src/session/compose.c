#include "session/compose.h"

const struct slim_wire_pair slim_session_mark = {.key = {(const uint8_t *)"SLIM_C", 6},
                                                 .value = {(const uint8_t *)"1", 1}};

/* Who everything of a type is for: one, or in a group all (fanout 256). GROUP_CLOSE has 256 in point-to-point sessions too. */
enum fanout {
    ONE,
    ALL_IN_GROUP,
    ALL,
};

/* Spec session.md 2.2, in the order of its types. */
static const struct {
    enum slim_wire_payload_kind payload;
    enum fanout fanout;
} rows[] = {
    [SLIM_WIRE_TYPE_UNSPECIFIED] = {SLIM_WIRE_PAYLOAD_NONE, ONE},
    [SLIM_WIRE_TYPE_MSG] = {SLIM_WIRE_PAYLOAD_APP, ALL_IN_GROUP},
    [SLIM_WIRE_TYPE_MSG_ACK] = {SLIM_WIRE_PAYLOAD_APP, ONE},
    [SLIM_WIRE_TYPE_RTX_REQUEST] = {SLIM_WIRE_PAYLOAD_APP, ONE},
    [SLIM_WIRE_TYPE_RTX_REPLY] = {SLIM_WIRE_PAYLOAD_APP, ONE},
    [SLIM_WIRE_TYPE_DISCOVERY_REQUEST] = {SLIM_WIRE_PAYLOAD_DISCOVERY_REQUEST, ONE},
    [SLIM_WIRE_TYPE_DISCOVERY_REPLY] = {SLIM_WIRE_PAYLOAD_DISCOVERY_REPLY, ONE},
    [SLIM_WIRE_TYPE_JOIN_REQUEST] = {SLIM_WIRE_PAYLOAD_JOIN_REQUEST, ONE},
    [SLIM_WIRE_TYPE_JOIN_REPLY] = {SLIM_WIRE_PAYLOAD_JOIN_REPLY, ONE},
    [SLIM_WIRE_TYPE_LEAVE_REQUEST] = {SLIM_WIRE_PAYLOAD_LEAVE_REQUEST, ONE},
    [SLIM_WIRE_TYPE_LEAVE_REPLY] = {SLIM_WIRE_PAYLOAD_LEAVE_REPLY, ONE},
    [SLIM_WIRE_TYPE_GROUP_ADD] = {SLIM_WIRE_PAYLOAD_GROUP_ADD, ALL},
    [SLIM_WIRE_TYPE_GROUP_REMOVE] = {SLIM_WIRE_PAYLOAD_GROUP_REMOVE, ALL},
    [SLIM_WIRE_TYPE_GROUP_WELCOME] = {SLIM_WIRE_PAYLOAD_GROUP_WELCOME, ONE},
    [SLIM_WIRE_TYPE_GROUP_CLOSE] = {SLIM_WIRE_PAYLOAD_GROUP_CLOSE, ALL},
    [SLIM_WIRE_TYPE_GROUP_PROPOSAL] = {SLIM_WIRE_PAYLOAD_NONE, ONE}, /* never sent */
    [SLIM_WIRE_TYPE_GROUP_ACK] = {SLIM_WIRE_PAYLOAD_GROUP_ACK, ONE},
    [SLIM_WIRE_TYPE_GROUP_NACK] = {SLIM_WIRE_PAYLOAD_NONE, ONE}, /* never sent */
    [SLIM_WIRE_TYPE_PING] = {SLIM_WIRE_PAYLOAD_PING, ALL_IN_GROUP},
};

void slim_session_compose(const struct slim_session *session, int32_t type,
                          const struct slim_wire_name *destination, uint32_t message_id,
                          struct slim_wire_session_message *message)
{
    assert(type > 0 && (size_t)type < SLIM_COUNT(rows));

    bool is_group = session->kind == SLIM_SESSION_GROUP;
    enum fanout fanout = rows[type].fanout;
    bool is_wide = fanout == ALL || (fanout == ALL_IN_GROUP && is_group);
    message->head = (struct slim_wire_head){
        .kind = SLIM_WIRE_PUBLISH,
        .source = session->source.wire,
        .destination = *destination,
        .fanout = is_wide ? SLIM_SESSION_FANOUT_ALL : 1,
        .has_session = true,
        .session_type = is_group ? SLIM_WIRE_SESSION_MULTICAST : SLIM_WIRE_SESSION_POINT_TO_POINT,
        .session_message_type = type,
        .session_id = session->id,
        .message_id = message_id,
    };
    message->payload = (struct slim_wire_payload){.kind = rows[type].payload};
    message->metadata = (struct slim_wire_metadata){.pairs = NULL};
}

void slim_session_compose_answer(const struct slim_session *session, int32_t type,
                                 const struct slim_session_incoming *in,
                                 struct slim_wire_session_message *message)
{
    slim_session_compose(session, type, &in->message->head.source, in->message->head.message_id,
                         message);
    message->head.fanout = 1;
    message->head.has_forward_to = true;
    message->head.forward_to = in->conn_id;
}

enum slim_status slim_session_send(struct slim_session_app *app,
                                   struct slim_wire_session_message *message)
{
    struct slim_view token = {0};
    SLIM_TRY(app->owner.identity.token(app->owner.ctx, &token));
    message->head.identity = token;
    slim_buf_clear(&app->out);
    SLIM_TRY(slim_wire_put_session_message(&app->out, message));
    app->owner.send(app->owner.ctx, slim_buf_view(&app->out));
    return SLIM_OK;
}

void slim_session_send_answer(const struct slim_session *session, int32_t type,
                              const struct slim_session_incoming *in)
{
    struct slim_wire_session_message message;
    slim_session_compose_answer(session, type, in, &message);
    (void)slim_session_send(session->app, &message); /* asked for again when it is missed */
}

static const char digits[] = "0123456789abcdef";
enum { PER_DIGIT = 4, PREFIX = 2 };

enum slim_status slim_session_put_ours(const struct slim_session *session, struct slim_buf *value)
{
    const struct slim_session_members *members = &session->members;
    SLIM_TRY(slim_buf_put(value, SLIM_VIEW("1:")));
    for (uint32_t first = 0; first < members->listed_count; first += PER_DIGIT) {
        uint32_t digit = 0;
        for (uint32_t i = 0; i < PER_DIGIT && first + i < members->listed_count; i++) {
            const struct slim_session_member *member = members->slots[members->listed[first + i]];
            digit |= member->is_ours || member->is_self ? 1U << i : 0;
        }
        SLIM_TRY(slim_buf_put(value, slim_view_of(&digits[digit], 1)));
    }
    return SLIM_OK;
}

bool slim_session_is_ours(const struct slim_wire_session_message *welcome, size_t index)
{
    struct slim_view value;
    if (!slim_wire_find_metadata(&welcome->metadata, SLIM_SESSION_MARK, &value) ||
        value.len <= PREFIX + index / PER_DIGIT || value.data[1] != ':') {
        return false;
    }
    const char *digit = memchr(digits, value.data[PREFIX + index / PER_DIGIT], sizeof(digits) - 1);
    return digit != NULL && ((size_t)(digit - digits) >> (index % PER_DIGIT) & 1) != 0;
}

bool slim_session_has_key(const struct slim_wire_session_message *message, struct slim_view key)
{
    return message->metadata.count > 0 && slim_wire_find_metadata(&message->metadata, key, NULL);
}
