#include "wire/payload.h"

#include "wire/field.h"
#include "wire/head.h"
#include "wire/schema.h"
#include "wire/write.h"

enum { SMALL_LEN = 100 }; /* a first guess for the length of a sub-message; see slim_wire_open */

/* The kinds of commands stand in the order of their field numbers. */
static_assert(SLIM_WIRE_PAYLOAD_PING - SLIM_WIRE_PAYLOAD_DISCOVERY_REQUEST ==
                  SLIM_WIRE_COMMAND_PING - SLIM_WIRE_COMMAND_DISCOVERY_REQUEST,
              "one offset leads from one to the other");
static_assert((int)SLIM_WIRE_PAYLOAD_PING - SLIM_WIRE_PAYLOAD_DISCOVERY_REQUEST ==
                  (int)SLIM_WIRE_TYPE_PING - SLIM_WIRE_TYPE_DISCOVERY_REQUEST,
              "the payloads are not in the order of the session message types");

enum slim_wire_payload_kind slim_wire_payload_of_type(int32_t session_message_type)
{
    static const enum slim_wire_payload_kind kinds[] = {
        [SLIM_WIRE_TYPE_UNSPECIFIED] = SLIM_WIRE_PAYLOAD_NONE,
        [SLIM_WIRE_TYPE_MSG] = SLIM_WIRE_PAYLOAD_APP,
        [SLIM_WIRE_TYPE_MSG_ACK] = SLIM_WIRE_PAYLOAD_APP,
        [SLIM_WIRE_TYPE_RTX_REQUEST] = SLIM_WIRE_PAYLOAD_APP,
        [SLIM_WIRE_TYPE_RTX_REPLY] = SLIM_WIRE_PAYLOAD_APP,
        [SLIM_WIRE_TYPE_DISCOVERY_REQUEST] = SLIM_WIRE_PAYLOAD_DISCOVERY_REQUEST,
        [SLIM_WIRE_TYPE_DISCOVERY_REPLY] = SLIM_WIRE_PAYLOAD_DISCOVERY_REPLY,
        [SLIM_WIRE_TYPE_JOIN_REQUEST] = SLIM_WIRE_PAYLOAD_JOIN_REQUEST,
        [SLIM_WIRE_TYPE_JOIN_REPLY] = SLIM_WIRE_PAYLOAD_JOIN_REPLY,
        [SLIM_WIRE_TYPE_LEAVE_REQUEST] = SLIM_WIRE_PAYLOAD_LEAVE_REQUEST,
        [SLIM_WIRE_TYPE_LEAVE_REPLY] = SLIM_WIRE_PAYLOAD_LEAVE_REPLY,
        [SLIM_WIRE_TYPE_GROUP_ADD] = SLIM_WIRE_PAYLOAD_GROUP_ADD,
        [SLIM_WIRE_TYPE_GROUP_REMOVE] = SLIM_WIRE_PAYLOAD_GROUP_REMOVE,
        [SLIM_WIRE_TYPE_GROUP_WELCOME] = SLIM_WIRE_PAYLOAD_GROUP_WELCOME,
        [SLIM_WIRE_TYPE_GROUP_CLOSE] = SLIM_WIRE_PAYLOAD_GROUP_CLOSE,
        [SLIM_WIRE_TYPE_GROUP_PROPOSAL] = SLIM_WIRE_PAYLOAD_GROUP_PROPOSAL,
        [SLIM_WIRE_TYPE_GROUP_ACK] = SLIM_WIRE_PAYLOAD_GROUP_ACK,
        [SLIM_WIRE_TYPE_GROUP_NACK] = SLIM_WIRE_PAYLOAD_GROUP_NACK,
        [SLIM_WIRE_TYPE_PING] = SLIM_WIRE_PAYLOAD_PING,
    };
    bool is_known = session_message_type >= 0 && (size_t)session_message_type < SLIM_COUNT(kinds);
    return is_known ? kinds[session_message_type] : SLIM_WIRE_PAYLOAD_NONE;
}

/* ---- names */

enum slim_status slim_wire_next_name(struct slim_wire_names *names, bool *has,
                                     struct slim_wire_name *name)
{
    assert(names != NULL && names->names == NULL && has != NULL && name != NULL);

    while (names->encoded.len > 0) {
        struct slim_wire_field field;
        if (slim_wire_take_field(&names->encoded, &field) != SLIM_OK) {
            return SLIM_ERR_MALFORMED;
        }
        if (field.number == names->number && field.type == SLIM_WIRE_FIELD_BYTES) {
            *has = true;
            return slim_wire_read_name(field.bytes, name);
        }
    }
    *has = false;
    return SLIM_OK;
}

/* The repeated Name `number` of the command `body`. When a command occurs in two pieces, the names of the last one that has
 * any count: protobuf would append, but nobody sends that. */
static enum slim_status read_names(struct slim_view body, uint32_t number,
                                   struct slim_wire_names *names)
{
    struct slim_wire_names got = {.encoded = body, .number = number};
    while (body.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&body, &field));
        got.count += field.number == number ? 1 : 0;
    }
    if (got.count > 0 || names->number == 0) {
        *names = got;
    }
    return SLIM_OK;
}

static enum slim_status put_name_if_present(struct slim_buf *out, uint32_t number,
                                            const struct slim_wire_name *name)
{
    return name->is_present ? slim_wire_put_name(out, number, &name->name, &name->text) : SLIM_OK;
}

static enum slim_status put_names(struct slim_buf *out, uint32_t number,
                                  const struct slim_wire_names *names)
{
    if (names->names != NULL) {
        for (size_t i = 0; i < names->count; i++) {
            SLIM_TRY(slim_wire_put_name(out, number, &names->names[i].name, &names->names[i].text));
        }
        return SLIM_OK;
    }
    struct slim_view encoded = names->encoded;
    while (encoded.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&encoded, &field));
        if (field.number == names->number) {
            SLIM_TRY(slim_wire_put_bytes(out, number, field.bytes));
        }
    }
    return SLIM_OK;
}

/* ---- MlsPayload */

static enum slim_status read_mls(struct slim_view body, struct slim_wire_mls *mls)
{
    mls->is_present = true;
    while (body.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&body, &field));
        switch (field.number) {
        case SLIM_WIRE_MLS_COMMIT_ID:
            mls->commit_id = (uint32_t)field.value;
            break;
        case SLIM_WIRE_MLS_CONTENT:
            mls->content = field.bytes;
            break;
        }
    }
    return SLIM_OK;
}

static enum slim_status put_mls(struct slim_buf *out, uint32_t number,
                                const struct slim_wire_mls *mls)
{
    if (!mls->is_present) {
        return SLIM_OK;
    }
    struct slim_wire_nested nested;
    SLIM_TRY(slim_wire_open(out, number, mls->content.len + SMALL_LEN, &nested));
    SLIM_TRY(slim_wire_put_number_unless_0(out, SLIM_WIRE_MLS_COMMIT_ID, mls->commit_id));
    SLIM_TRY(slim_wire_put_bytes_unless_empty(out, SLIM_WIRE_MLS_CONTENT, mls->content));
    return slim_wire_close(out, &nested);
}

/* ---- DiscoveryRequest and LeaveRequest */

static enum slim_status read_name_request(struct slim_view body,
                                          struct slim_wire_name_request *request)
{
    static_assert(SLIM_WIRE_DISCOVERY_REQUEST_DESTINATION == SLIM_WIRE_LEAVE_REQUEST_DESTINATION,
                  "one reader for both");
    while (body.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&body, &field));
        if (field.number == SLIM_WIRE_DISCOVERY_REQUEST_DESTINATION) {
            SLIM_TRY(slim_wire_read_name(field.bytes, &request->destination));
        }
    }
    return SLIM_OK;
}

/* ---- JoinRequest */

static enum slim_status read_timer(struct slim_view body, struct slim_wire_join_request *request)
{
    request->has_timer = true;
    while (body.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&body, &field));
        switch (field.number) {
        case SLIM_WIRE_TIMER_TIMEOUT:
            request->timeout_ms = (uint32_t)field.value;
            break;
        case SLIM_WIRE_TIMER_MAX_RETRIES:
            request->max_retries = (uint32_t)field.value;
            break;
        }
    }
    return SLIM_OK;
}

static enum slim_status read_join_request(struct slim_view body,
                                          struct slim_wire_join_request *request)
{
    while (body.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&body, &field));
        switch (field.number) {
        case SLIM_WIRE_JOIN_REQUEST_ENABLE_MLS:
            request->enable_mls = field.value != 0;
            break;
        case SLIM_WIRE_JOIN_REQUEST_TIMER:
            SLIM_TRY(read_timer(field.bytes, request));
            break;
        case SLIM_WIRE_JOIN_REQUEST_CHANNEL:
            SLIM_TRY(slim_wire_read_name(field.bytes, &request->channel));
            break;
        }
    }
    return SLIM_OK;
}

static enum slim_status put_join_request(struct slim_buf *out,
                                         const struct slim_wire_join_request *request)
{
    SLIM_TRY(
        slim_wire_put_number_unless_0(out, SLIM_WIRE_JOIN_REQUEST_ENABLE_MLS, request->enable_mls));
    if (request->has_timer) {
        struct slim_wire_nested timer;
        SLIM_TRY(slim_wire_open(out, SLIM_WIRE_JOIN_REQUEST_TIMER, SMALL_LEN, &timer));
        SLIM_TRY(slim_wire_put_number_unless_0(out, SLIM_WIRE_TIMER_TIMEOUT, request->timeout_ms));
        SLIM_TRY(
            slim_wire_put_number_unless_0(out, SLIM_WIRE_TIMER_MAX_RETRIES, request->max_retries));
        SLIM_TRY(slim_wire_close(out, &timer));
    }
    return put_name_if_present(out, SLIM_WIRE_JOIN_REQUEST_CHANNEL, &request->channel);
}

/* ---- JoinReply */

static enum slim_status read_join_reply(struct slim_view body, struct slim_wire_join_reply *reply)
{
    while (body.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&body, &field));
        if (field.number == SLIM_WIRE_JOIN_REPLY_KEY_PACKAGE) {
            reply->has_key_package = true;
            reply->key_package = field.bytes;
        }
    }
    return SLIM_OK;
}

static enum slim_status put_join_reply(struct slim_buf *out,
                                       const struct slim_wire_join_reply *reply)
{
    if (!reply->has_key_package) {
        return SLIM_OK;
    }
    return slim_wire_put_bytes(out, SLIM_WIRE_JOIN_REPLY_KEY_PACKAGE, reply->key_package);
}

/* ---- GroupAdd and GroupRemove */

static enum slim_status read_group_change(struct slim_view body,
                                          struct slim_wire_group_change *change)
{
    SLIM_TRY(read_names(body, SLIM_WIRE_GROUP_CHANGE_PARTICIPANTS, &change->participants));
    while (body.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&body, &field));
        switch (field.number) {
        case SLIM_WIRE_GROUP_CHANGE_PARTICIPANT:
            SLIM_TRY(slim_wire_read_name(field.bytes, &change->participant));
            break;
        case SLIM_WIRE_GROUP_CHANGE_MLS:
            SLIM_TRY(read_mls(field.bytes, &change->mls));
            break;
        }
    }
    return SLIM_OK;
}

static enum slim_status put_group_change(struct slim_buf *out,
                                         const struct slim_wire_group_change *change)
{
    SLIM_TRY(put_name_if_present(out, SLIM_WIRE_GROUP_CHANGE_PARTICIPANT, &change->participant));
    SLIM_TRY(put_names(out, SLIM_WIRE_GROUP_CHANGE_PARTICIPANTS, &change->participants));
    return put_mls(out, SLIM_WIRE_GROUP_CHANGE_MLS, &change->mls);
}

/* ---- GroupWelcome and GroupClose */

static enum slim_status read_group_welcome(struct slim_view body,
                                           struct slim_wire_group_welcome *welcome)
{
    SLIM_TRY(read_names(body, SLIM_WIRE_GROUP_WELCOME_PARTICIPANTS, &welcome->participants));
    while (body.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&body, &field));
        if (field.number == SLIM_WIRE_GROUP_WELCOME_MLS) {
            SLIM_TRY(read_mls(field.bytes, &welcome->mls));
        }
    }
    return SLIM_OK;
}

static enum slim_status put_group_welcome(struct slim_buf *out,
                                          const struct slim_wire_group_welcome *welcome)
{
    SLIM_TRY(put_names(out, SLIM_WIRE_GROUP_WELCOME_PARTICIPANTS, &welcome->participants));
    return put_mls(out, SLIM_WIRE_GROUP_WELCOME_MLS, &welcome->mls);
}

/* ---- GroupProposal */

static enum slim_status read_group_proposal(struct slim_view body,
                                            struct slim_wire_group_proposal *proposal)
{
    while (body.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&body, &field));
        switch (field.number) {
        case SLIM_WIRE_GROUP_PROPOSAL_SOURCE:
            SLIM_TRY(slim_wire_read_name(field.bytes, &proposal->source));
            break;
        case SLIM_WIRE_GROUP_PROPOSAL_MLS:
            proposal->mls_proposal = field.bytes;
            break;
        }
    }
    return SLIM_OK;
}

static enum slim_status put_group_proposal(struct slim_buf *out,
                                           const struct slim_wire_group_proposal *proposal)
{
    SLIM_TRY(put_name_if_present(out, SLIM_WIRE_GROUP_PROPOSAL_SOURCE, &proposal->source));
    return slim_wire_put_bytes_unless_empty(out, SLIM_WIRE_GROUP_PROPOSAL_MLS,
                                            proposal->mls_proposal);
}

/* ---- ApplicationPayload */

static enum slim_status read_app_payload(struct slim_view body, struct slim_wire_app_payload *app)
{
    while (body.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&body, &field));
        switch (field.number) {
        case SLIM_WIRE_APP_PAYLOAD_TYPE:
            app->payload_type = field.bytes;
            break;
        case SLIM_WIRE_APP_PAYLOAD_BLOB:
            app->blob = field.bytes;
            break;
        }
    }
    return SLIM_OK;
}

static enum slim_status put_app_payload(struct slim_buf *out,
                                        const struct slim_wire_app_payload *app)
{
    SLIM_TRY(slim_wire_put_bytes_unless_empty(out, SLIM_WIRE_APP_PAYLOAD_TYPE, app->payload_type));
    return slim_wire_put_bytes_unless_empty(out, SLIM_WIRE_APP_PAYLOAD_BLOB, app->blob);
}

/* ---- all of them */

static enum slim_status read_body(struct slim_view body, struct slim_wire_payload *payload)
{
    switch (payload->kind) {
    case SLIM_WIRE_PAYLOAD_NONE:
        return SLIM_OK;
    case SLIM_WIRE_PAYLOAD_APP:
        return read_app_payload(body, &payload->app);
    case SLIM_WIRE_PAYLOAD_DISCOVERY_REQUEST:
        return read_name_request(body, &payload->discovery_request);
    case SLIM_WIRE_PAYLOAD_LEAVE_REQUEST:
        return read_name_request(body, &payload->leave_request);
    case SLIM_WIRE_PAYLOAD_JOIN_REQUEST:
        return read_join_request(body, &payload->join_request);
    case SLIM_WIRE_PAYLOAD_JOIN_REPLY:
        return read_join_reply(body, &payload->join_reply);
    case SLIM_WIRE_PAYLOAD_GROUP_ADD:
    case SLIM_WIRE_PAYLOAD_GROUP_REMOVE:
        return read_group_change(body, &payload->group_change);
    case SLIM_WIRE_PAYLOAD_GROUP_WELCOME:
        return read_group_welcome(body, &payload->group_welcome);
    case SLIM_WIRE_PAYLOAD_GROUP_CLOSE:
        return read_names(body, SLIM_WIRE_GROUP_CLOSE_PARTICIPANTS,
                          &payload->group_close.participants);
    case SLIM_WIRE_PAYLOAD_GROUP_PROPOSAL:
        return read_group_proposal(body, &payload->group_proposal);
    case SLIM_WIRE_PAYLOAD_DISCOVERY_REPLY:
    case SLIM_WIRE_PAYLOAD_LEAVE_REPLY:
    case SLIM_WIRE_PAYLOAD_GROUP_ACK:
    case SLIM_WIRE_PAYLOAD_GROUP_NACK:
    case SLIM_WIRE_PAYLOAD_PING:
        return SLIM_OK;
    }
    return SLIM_OK;
}

static enum slim_status put_body(struct slim_buf *out, const struct slim_wire_payload *payload)
{
    switch (payload->kind) {
    case SLIM_WIRE_PAYLOAD_APP:
        return put_app_payload(out, &payload->app);
    case SLIM_WIRE_PAYLOAD_DISCOVERY_REQUEST:
        return put_name_if_present(out, SLIM_WIRE_DISCOVERY_REQUEST_DESTINATION,
                                   &payload->discovery_request.destination);
    case SLIM_WIRE_PAYLOAD_LEAVE_REQUEST:
        return put_name_if_present(out, SLIM_WIRE_LEAVE_REQUEST_DESTINATION,
                                   &payload->leave_request.destination);
    case SLIM_WIRE_PAYLOAD_JOIN_REQUEST:
        return put_join_request(out, &payload->join_request);
    case SLIM_WIRE_PAYLOAD_JOIN_REPLY:
        return put_join_reply(out, &payload->join_reply);
    case SLIM_WIRE_PAYLOAD_GROUP_ADD:
    case SLIM_WIRE_PAYLOAD_GROUP_REMOVE:
        return put_group_change(out, &payload->group_change);
    case SLIM_WIRE_PAYLOAD_GROUP_WELCOME:
        return put_group_welcome(out, &payload->group_welcome);
    case SLIM_WIRE_PAYLOAD_GROUP_CLOSE:
        return put_names(out, SLIM_WIRE_GROUP_CLOSE_PARTICIPANTS,
                         &payload->group_close.participants);
    case SLIM_WIRE_PAYLOAD_GROUP_PROPOSAL:
        return put_group_proposal(out, &payload->group_proposal);
    case SLIM_WIRE_PAYLOAD_NONE:
    case SLIM_WIRE_PAYLOAD_DISCOVERY_REPLY:
    case SLIM_WIRE_PAYLOAD_LEAVE_REPLY:
    case SLIM_WIRE_PAYLOAD_GROUP_ACK:
    case SLIM_WIRE_PAYLOAD_GROUP_NACK:
    case SLIM_WIRE_PAYLOAD_PING:
        return SLIM_OK;
    }
    return SLIM_OK;
}

/* Read one member of a oneof. The last one wins: what another one said is forgotten, what the same one said is kept. */
static enum slim_status read_member(enum slim_wire_payload_kind kind, struct slim_view body,
                                    struct slim_wire_payload *payload)
{
    if (payload->kind != kind) {
        *payload = (struct slim_wire_payload){.kind = kind};
    }
    return read_body(body, payload);
}

static bool is_command(enum slim_wire_payload_kind kind)
{
    return kind >= SLIM_WIRE_PAYLOAD_DISCOVERY_REQUEST;
}

static enum slim_status read_command(struct slim_view body, struct slim_wire_payload *payload)
{
    if (!is_command(payload->kind)) {
        *payload = (struct slim_wire_payload){.kind = SLIM_WIRE_PAYLOAD_NONE};
    }
    while (body.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&body, &field));
        if (field.number <= SLIM_WIRE_COMMAND_PING) {
            enum slim_wire_payload_kind kind = SLIM_WIRE_PAYLOAD_DISCOVERY_REQUEST +
                                               (field.number - SLIM_WIRE_COMMAND_DISCOVERY_REQUEST);
            SLIM_TRY(read_member(kind, field.bytes, payload));
        }
    }
    return SLIM_OK;
}

enum slim_status slim_wire_read_payload(struct slim_view content, struct slim_wire_payload *payload)
{
    while (content.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&content, &field));
        switch (field.number) {
        case SLIM_WIRE_CONTENT_APP_PAYLOAD:
            SLIM_TRY(read_member(SLIM_WIRE_PAYLOAD_APP, field.bytes, payload));
            break;
        case SLIM_WIRE_CONTENT_COMMAND_PAYLOAD:
            SLIM_TRY(read_command(field.bytes, payload));
            break;
        }
    }
    return SLIM_OK;
}

static size_t expected_len(const struct slim_wire_payload *payload)
{
    return payload->kind == SLIM_WIRE_PAYLOAD_APP
               ? payload->app.payload_type.len + payload->app.blob.len + 2
               : SMALL_LEN;
}

enum slim_status slim_wire_put_payload(struct slim_buf *out,
                                       const struct slim_wire_payload *payload)
{
    if (payload->kind == SLIM_WIRE_PAYLOAD_NONE) {
        return SLIM_OK;
    }
    size_t len = expected_len(payload);
    struct slim_wire_nested content;
    struct slim_wire_nested command;
    struct slim_wire_nested body;
    SLIM_TRY(slim_wire_open(out, SLIM_WIRE_PUBLISH_MSG, len, &content));
    if (!is_command(payload->kind)) {
        SLIM_TRY(slim_wire_open(out, SLIM_WIRE_CONTENT_APP_PAYLOAD, len, &body));
        SLIM_TRY(put_body(out, payload));
        SLIM_TRY(slim_wire_close(out, &body));
        return slim_wire_close(out, &content);
    }
    uint32_t number =
        SLIM_WIRE_COMMAND_DISCOVERY_REQUEST + (payload->kind - SLIM_WIRE_PAYLOAD_DISCOVERY_REQUEST);
    SLIM_TRY(slim_wire_open(out, SLIM_WIRE_CONTENT_COMMAND_PAYLOAD, len, &command));
    SLIM_TRY(slim_wire_open(out, number, len, &body));
    SLIM_TRY(put_body(out, payload));
    SLIM_TRY(slim_wire_close(out, &body));
    SLIM_TRY(slim_wire_close(out, &command));
    return slim_wire_close(out, &content);
}
