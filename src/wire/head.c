#include "wire/head.h"

#include "wire/field.h"
#include "wire/schema.h"

/* Everything here walks bytes that slim_wire_check has accepted: wire types of known fields need no second look.
 * A scalar that occurs twice keeps its last value, a sub-message that occurs twice is merged: both come out of walking
 * the occurrences in order into the same struct. */

const char *slim_wire_fault_text(enum slim_wire_fault fault)
{
    switch (fault) {
    case SLIM_WIRE_FAULT_NONE:
        return "none";
    case SLIM_WIRE_FAULT_NO_MESSAGE_TYPE:
        return "message type not found";
    case SLIM_WIRE_FAULT_NO_HEADER:
        return "SLIM header not found";
    case SLIM_WIRE_FAULT_NO_SOURCE:
        return "source not found";
    case SLIM_WIRE_FAULT_NO_DESTINATION:
        return "destination not found";
    case SLIM_WIRE_FAULT_NO_ENCODED_NAME:
        return "encoded name or string name not found";
    case SLIM_WIRE_FAULT_NO_SESSION_HEADER:
        return "session header not found";
    case SLIM_WIRE_FAULT_NO_LINK_TYPE:
        return "link type not found";
    }
    return "unknown fault";
}

static enum slim_status read_encoded(struct slim_view body, struct slim_name_key *name)
{
    while (body.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&body, &field));
        switch (field.number) {
        case SLIM_WIRE_ENCODED_COMPONENT_0:
        case SLIM_WIRE_ENCODED_COMPONENT_0 + 1:
        case SLIM_WIRE_ENCODED_COMPONENT_0 + 2:
            name->prefix[field.number - SLIM_WIRE_ENCODED_COMPONENT_0] = field.value;
            break;
        case SLIM_WIRE_ENCODED_ID:
            name->id = field.value == UINT64_MAX ? SLIM_NAME_ANY : field.value;
            break;
        }
    }
    return SLIM_OK;
}

static enum slim_status read_strings(struct slim_view body, struct slim_name_text *text)
{
    while (body.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&body, &field));
        uint32_t index = field.number - SLIM_WIRE_STRINGS_COMPONENT_0;
        if (index < SLIM_COUNT(text->part)) {
            text->part[index] = field.bytes;
        }
    }
    return SLIM_OK;
}

enum slim_status slim_wire_read_name(struct slim_view body, struct slim_wire_name *name)
{
    bool has_encoded = false;
    bool has_strings = false;
    *name = (struct slim_wire_name){.is_present = true};
    while (body.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&body, &field));
        switch (field.number) {
        case SLIM_WIRE_NAME_ENCODED:
            has_encoded = true;
            SLIM_TRY(read_encoded(field.bytes, &name->name));
            break;
        case SLIM_WIRE_NAME_STRINGS:
            has_strings = true;
            SLIM_TRY(read_strings(field.bytes, &name->text));
            break;
        }
    }
    name->is_complete = has_encoded && has_strings;
    return SLIM_OK;
}

/* A header has each name once; see slim_wire_read_head. */
static enum slim_status read_name_once(struct slim_view body, struct slim_wire_name *name)
{
    return name->is_present ? SLIM_ERR_MALFORMED : slim_wire_read_name(body, name);
}

static enum slim_status read_header(struct slim_view body, struct slim_wire_head *head)
{
    while (body.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&body, &field));
        switch (field.number) {
        case SLIM_WIRE_HEADER_SOURCE:
            SLIM_TRY(read_name_once(field.bytes, &head->source));
            break;
        case SLIM_WIRE_HEADER_DESTINATION:
            SLIM_TRY(read_name_once(field.bytes, &head->destination));
            break;
        case SLIM_WIRE_HEADER_FANOUT:
            head->fanout = (uint32_t)field.value;
            break;
        case SLIM_WIRE_HEADER_IDENTITY:
            head->identity = field.bytes;
            break;
        case SLIM_WIRE_HEADER_RECV_FROM:
            head->has_recv_from = true;
            head->recv_from = field.value;
            break;
        case SLIM_WIRE_HEADER_FORWARD_TO:
            head->has_forward_to = true;
            head->forward_to = field.value;
            break;
        case SLIM_WIRE_HEADER_INCOMING_CONN:
            head->has_incoming_conn = true;
            head->incoming_conn = field.value;
            break;
        case SLIM_WIRE_HEADER_ERROR:
            head->has_error = true;
            head->error = field.value != 0;
            break;
        }
    }
    return SLIM_OK;
}

static enum slim_status read_header_once(struct slim_view body, struct slim_wire_head *head,
                                         bool *has_header)
{
    if (*has_header) {
        return SLIM_ERR_MALFORMED;
    }
    *has_header = true;
    return read_header(body, head);
}

static enum slim_status read_subscribe(struct slim_view body, struct slim_wire_head *head,
                                       bool *has_header)
{
    while (body.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&body, &field));
        switch (field.number) {
        case SLIM_WIRE_SUBSCRIBE_HEADER:
            SLIM_TRY(read_header_once(field.bytes, head, has_header));
            break;
        case SLIM_WIRE_SUBSCRIBE_SUBSCRIPTION_ID:
            head->subscription_id = field.value;
            break;
        }
    }
    return SLIM_OK;
}

static enum slim_status read_session(struct slim_view body, struct slim_wire_head *head)
{
    head->has_session = true;
    while (body.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&body, &field));
        switch (field.number) {
        case SLIM_WIRE_SESSION_TYPE:
            head->session_type = (int32_t)(uint32_t)field.value;
            break;
        case SLIM_WIRE_SESSION_MESSAGE_TYPE:
            head->session_message_type = (int32_t)(uint32_t)field.value;
            break;
        case SLIM_WIRE_SESSION_ID:
            head->session_id = (uint32_t)field.value;
            break;
        case SLIM_WIRE_SESSION_MESSAGE_ID:
            head->message_id = (uint32_t)field.value;
            break;
        }
    }
    return SLIM_OK;
}

static enum slim_status read_publish(struct slim_view body, struct slim_wire_head *head,
                                     bool *has_header)
{
    while (body.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&body, &field));
        switch (field.number) {
        case SLIM_WIRE_PUBLISH_HEADER:
            SLIM_TRY(read_header_once(field.bytes, head, has_header));
            break;
        case SLIM_WIRE_PUBLISH_SESSION:
            SLIM_TRY(read_session(field.bytes, head));
            break;
        }
    }
    return SLIM_OK;
}

static enum slim_status read_negotiation(struct slim_view body, struct slim_wire_head *head)
{
    while (body.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&body, &field));
        switch (field.number) {
        case SLIM_WIRE_NEGOTIATION_LINK_ID:
            head->link_id = field.bytes;
            break;
        case SLIM_WIRE_NEGOTIATION_SLIM_VERSION:
            head->slim_version = field.bytes;
            break;
        case SLIM_WIRE_NEGOTIATION_IS_REPLY:
            head->is_reply = field.value != 0;
            break;
        }
    }
    return SLIM_OK;
}

static enum slim_status read_link(struct slim_view body, struct slim_wire_head *head,
                                  bool *has_link_type)
{
    while (body.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&body, &field));
        if (field.number == SLIM_WIRE_LINK_NEGOTIATION) {
            *has_link_type = true;
            SLIM_TRY(read_negotiation(field.bytes, head));
        }
    }
    return SLIM_OK;
}

static enum slim_status read_ack(struct slim_view body, struct slim_wire_head *head)
{
    while (body.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&body, &field));
        switch (field.number) {
        case SLIM_WIRE_ACK_SUBSCRIPTION_ID:
            head->subscription_id = field.value;
            break;
        case SLIM_WIRE_ACK_SUCCESS:
            head->success = field.value != 0;
            break;
        case SLIM_WIRE_ACK_ERROR:
            head->error_text = field.bytes;
            break;
        }
    }
    return SLIM_OK;
}

static enum slim_wire_kind kind_of_field(uint32_t number)
{
    switch (number) {
    case SLIM_WIRE_MESSAGE_SUBSCRIBE:
        return SLIM_WIRE_SUBSCRIBE;
    case SLIM_WIRE_MESSAGE_UNSUBSCRIBE:
        return SLIM_WIRE_UNSUBSCRIBE;
    case SLIM_WIRE_MESSAGE_PUBLISH:
        return SLIM_WIRE_PUBLISH;
    case SLIM_WIRE_MESSAGE_LINK:
        return SLIM_WIRE_LINK;
    case SLIM_WIRE_MESSAGE_SUBSCRIPTION_ACK:
        return SLIM_WIRE_SUBSCRIPTION_ACK;
    default: /* a number from the network, not an enum */
        return SLIM_WIRE_NONE;
    }
}

static enum slim_wire_fault name_fault(const struct slim_wire_head *head)
{
    if (!head->source.is_present) {
        return SLIM_WIRE_FAULT_NO_SOURCE;
    }
    if (!head->destination.is_present) {
        return SLIM_WIRE_FAULT_NO_DESTINATION;
    }
    if (!head->source.is_complete || !head->destination.is_complete) {
        return SLIM_WIRE_FAULT_NO_ENCODED_NAME;
    }
    return SLIM_WIRE_FAULT_NONE;
}

static enum slim_wire_fault header_fault(const struct slim_wire_head *head, bool has_header)
{
    return has_header ? name_fault(head) : SLIM_WIRE_FAULT_NO_HEADER;
}

enum slim_wire_fault slim_wire_head_fault(const struct slim_wire_head *head, bool has_header,
                                          bool has_link_type)
{
    enum slim_wire_fault fault;
    switch (head->kind) {
    case SLIM_WIRE_NONE:
        return SLIM_WIRE_FAULT_NO_MESSAGE_TYPE;
    case SLIM_WIRE_SUBSCRIBE:
    case SLIM_WIRE_UNSUBSCRIBE:
        return header_fault(head, has_header);
    case SLIM_WIRE_PUBLISH:
        fault = header_fault(head, has_header);
        return fault == SLIM_WIRE_FAULT_NONE && !head->has_session
                   ? SLIM_WIRE_FAULT_NO_SESSION_HEADER
                   : fault;
    case SLIM_WIRE_LINK:
        return has_link_type ? SLIM_WIRE_FAULT_NONE : SLIM_WIRE_FAULT_NO_LINK_TYPE;
    case SLIM_WIRE_SUBSCRIPTION_ACK:
        return SLIM_WIRE_FAULT_NONE;
    }
    return SLIM_WIRE_FAULT_NO_MESSAGE_TYPE;
}

static enum slim_status read_body(struct slim_view body, struct slim_wire_head *head,
                                  bool *has_header, bool *has_link_type)
{
    switch (head->kind) {
    case SLIM_WIRE_NONE:
        return SLIM_OK;
    case SLIM_WIRE_SUBSCRIBE:
    case SLIM_WIRE_UNSUBSCRIBE:
        return read_subscribe(body, head, has_header);
    case SLIM_WIRE_PUBLISH:
        return read_publish(body, head, has_header);
    case SLIM_WIRE_LINK:
        return read_link(body, head, has_link_type);
    case SLIM_WIRE_SUBSCRIPTION_ACK:
        return read_ack(body, head);
    }
    return SLIM_OK;
}

enum slim_status slim_wire_read_head_any(struct slim_view msg, struct slim_wire_head *head)
{
    assert(head != NULL);

    bool has_header = false;
    bool has_link_type = false;
    *head = (struct slim_wire_head){.kind = SLIM_WIRE_NONE};
    SLIM_TRY(slim_wire_check(SLIM_WIRE_SCHEMA_MESSAGE, msg));
    while (msg.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&msg, &field));
        enum slim_wire_kind kind = kind_of_field(field.number);
        if (kind == SLIM_WIRE_NONE) {
            continue;
        }
        if (kind !=
            head->kind) { /* the last member of a oneof wins, and takes nothing over from the one before */
            *head = (struct slim_wire_head){.kind = kind};
            has_header = false;
            has_link_type = false;
        }
        SLIM_TRY(read_body(field.bytes, head, &has_header, &has_link_type));
    }
    head->fault = slim_wire_head_fault(head, has_header, has_link_type);
    return SLIM_OK;
}

enum slim_status slim_wire_read_head(struct slim_view msg, struct slim_wire_head *head)
{
    return slim_wire_read_head_memo(msg, head, NULL);
}

enum slim_status slim_wire_read_head_memo(struct slim_view msg, struct slim_wire_head *head,
                                          struct slim_wire_memo *memo)
{
    return slim_wire_read_head_fast(msg, head, memo) ? SLIM_OK : slim_wire_read_head_any(msg, head);
}
