#include "wire/schema.h"

#include "base/utf8.h"
#include "wire/field.h"

enum { FIELDS_MAX = SLIM_WIRE_COMMAND_PING + 1 };

enum rule_kind {
    RULE_UNKNOWN,
    RULE_NUMBER,
    RULE_BYTES,
    RULE_STRING,
    RULE_NESTED,
};

struct rule {
    enum rule_kind kind;
    enum slim_wire_schema nested;
};

#define NUMBER                                                                                     \
    {                                                                                              \
        RULE_NUMBER, SLIM_WIRE_SCHEMA_EMPTY                                                        \
    }
#define BYTES                                                                                      \
    {                                                                                              \
        RULE_BYTES, SLIM_WIRE_SCHEMA_EMPTY                                                         \
    }
#define STRING                                                                                     \
    {                                                                                              \
        RULE_STRING, SLIM_WIRE_SCHEMA_EMPTY                                                        \
    }
#define NESTED(name)                                                                               \
    {                                                                                              \
        RULE_NESTED, SLIM_WIRE_SCHEMA_##name                                                       \
    }

/* Indexed by field number; what is left out is unknown. */
static const struct rule rules[SLIM_WIRE_SCHEMA_COUNT][FIELDS_MAX] =
    {
        [SLIM_WIRE_SCHEMA_MESSAGE] =
            {
                [SLIM_WIRE_MESSAGE_SUBSCRIBE] = NESTED(SUBSCRIBE),
                [SLIM_WIRE_MESSAGE_UNSUBSCRIBE] = NESTED(SUBSCRIBE),
                [SLIM_WIRE_MESSAGE_PUBLISH] = NESTED(PUBLISH),
                [SLIM_WIRE_MESSAGE_METADATA] = NESTED(MAP_ENTRY),
                [SLIM_WIRE_MESSAGE_LINK] = NESTED(LINK),
                [SLIM_WIRE_MESSAGE_SUBSCRIPTION_ACK] = NESTED(ACK),
            },
        [SLIM_WIRE_SCHEMA_SUBSCRIBE] =
            {
                [SLIM_WIRE_SUBSCRIBE_HEADER] = NESTED(HEADER),
                [SLIM_WIRE_SUBSCRIBE_SUBSCRIPTION_ID] = NUMBER,
            },
        [SLIM_WIRE_SCHEMA_PUBLISH] =
            {
                [SLIM_WIRE_PUBLISH_HEADER] = NESTED(HEADER),
                [SLIM_WIRE_PUBLISH_SESSION] = NESTED(SESSION),
                [SLIM_WIRE_PUBLISH_MSG] = NESTED(CONTENT),
            },
        [SLIM_WIRE_SCHEMA_HEADER] =
            {
                [SLIM_WIRE_HEADER_SOURCE] = NESTED(NAME),
                [SLIM_WIRE_HEADER_DESTINATION] = NESTED(NAME),
                [SLIM_WIRE_HEADER_FANOUT] = NUMBER,
                [SLIM_WIRE_HEADER_IDENTITY] = STRING,
                [SLIM_WIRE_HEADER_RECV_FROM] = NUMBER,
                [SLIM_WIRE_HEADER_FORWARD_TO] = NUMBER,
                [SLIM_WIRE_HEADER_INCOMING_CONN] = NUMBER,
                [SLIM_WIRE_HEADER_ERROR] = NUMBER,
            },
        [SLIM_WIRE_SCHEMA_SESSION] =
            {
                [SLIM_WIRE_SESSION_TYPE] = NUMBER,
                [SLIM_WIRE_SESSION_MESSAGE_TYPE] = NUMBER,
                [SLIM_WIRE_SESSION_ID] = NUMBER,
                [SLIM_WIRE_SESSION_MESSAGE_ID] = NUMBER,
            },
        [SLIM_WIRE_SCHEMA_NAME] =
            {
                [SLIM_WIRE_NAME_ENCODED] = NESTED(ENCODED),
                [SLIM_WIRE_NAME_STRINGS] = NESTED(STRINGS),
            },
        [SLIM_WIRE_SCHEMA_ENCODED] =
            {
                [SLIM_WIRE_ENCODED_COMPONENT_0] = NUMBER,
                [SLIM_WIRE_ENCODED_COMPONENT_0 + 1] = NUMBER,
                [SLIM_WIRE_ENCODED_COMPONENT_0 + 2] = NUMBER,
                [SLIM_WIRE_ENCODED_ID] = NUMBER,
            },
        [SLIM_WIRE_SCHEMA_STRINGS] =
            {
                [SLIM_WIRE_STRINGS_COMPONENT_0] = STRING,
                [SLIM_WIRE_STRINGS_COMPONENT_0 + 1] = STRING,
                [SLIM_WIRE_STRINGS_COMPONENT_0 + 2] = STRING,
            },
        [SLIM_WIRE_SCHEMA_CONTENT] =
            {
                [SLIM_WIRE_CONTENT_APP_PAYLOAD] = NESTED(APP_PAYLOAD),
                [SLIM_WIRE_CONTENT_COMMAND_PAYLOAD] = NESTED(COMMAND),
            },
        [SLIM_WIRE_SCHEMA_APP_PAYLOAD] =
            {
                [SLIM_WIRE_APP_PAYLOAD_TYPE] = STRING,
                [SLIM_WIRE_APP_PAYLOAD_BLOB] = BYTES,
            },
        [SLIM_WIRE_SCHEMA_COMMAND] =
            {
                [SLIM_WIRE_COMMAND_DISCOVERY_REQUEST] = NESTED(NAME_ONLY),
                [SLIM_WIRE_COMMAND_DISCOVERY_REPLY] = NESTED(EMPTY),
                [SLIM_WIRE_COMMAND_JOIN_REQUEST] = NESTED(JOIN_REQUEST),
                [SLIM_WIRE_COMMAND_JOIN_REPLY] = NESTED(JOIN_REPLY),
                [SLIM_WIRE_COMMAND_LEAVE_REQUEST] = NESTED(NAME_ONLY),
                [SLIM_WIRE_COMMAND_LEAVE_REPLY] = NESTED(EMPTY),
                [SLIM_WIRE_COMMAND_GROUP_ADD] = NESTED(GROUP_CHANGE),
                [SLIM_WIRE_COMMAND_GROUP_REMOVE] = NESTED(GROUP_CHANGE),
                [SLIM_WIRE_COMMAND_GROUP_WELCOME] = NESTED(GROUP_WELCOME),
                [SLIM_WIRE_COMMAND_GROUP_CLOSE] = NESTED(NAME_ONLY),
                [SLIM_WIRE_COMMAND_GROUP_PROPOSAL] = NESTED(GROUP_PROPOSAL),
                [SLIM_WIRE_COMMAND_GROUP_ACK] = NESTED(EMPTY),
                [SLIM_WIRE_COMMAND_GROUP_NACK] = NESTED(EMPTY),
                [SLIM_WIRE_COMMAND_PING] = NESTED(EMPTY),
            },
        [SLIM_WIRE_SCHEMA_EMPTY] = {{RULE_UNKNOWN, SLIM_WIRE_SCHEMA_EMPTY}},
        /* DiscoveryRequest, LeaveRequest (one name) and GroupClose (any number of names) */
        [SLIM_WIRE_SCHEMA_NAME_ONLY] =
            {
                [SLIM_WIRE_DISCOVERY_REQUEST_DESTINATION] = NESTED(NAME),
            },
        [SLIM_WIRE_SCHEMA_JOIN_REQUEST] =
            {
                [SLIM_WIRE_JOIN_REQUEST_ENABLE_MLS] = NUMBER,
                [SLIM_WIRE_JOIN_REQUEST_TIMER] = NESTED(TIMER),
                [SLIM_WIRE_JOIN_REQUEST_CHANNEL] = NESTED(NAME),
            },
        [SLIM_WIRE_SCHEMA_TIMER] =
            {
                [SLIM_WIRE_TIMER_TIMEOUT] = NUMBER,
                [SLIM_WIRE_TIMER_MAX_RETRIES] = NUMBER,
            },
        [SLIM_WIRE_SCHEMA_JOIN_REPLY] =
            {
                [SLIM_WIRE_JOIN_REPLY_KEY_PACKAGE] = BYTES,
            },
        [SLIM_WIRE_SCHEMA_MLS] =
            {
                [SLIM_WIRE_MLS_COMMIT_ID] = NUMBER,
                [SLIM_WIRE_MLS_CONTENT] = BYTES,
            },
        [SLIM_WIRE_SCHEMA_GROUP_CHANGE] =
            {
                [SLIM_WIRE_GROUP_CHANGE_PARTICIPANT] = NESTED(NAME),
                [SLIM_WIRE_GROUP_CHANGE_PARTICIPANTS] = NESTED(NAME),
                [SLIM_WIRE_GROUP_CHANGE_MLS] = NESTED(MLS),
            },
        [SLIM_WIRE_SCHEMA_GROUP_WELCOME] =
            {
                [SLIM_WIRE_GROUP_WELCOME_PARTICIPANTS] = NESTED(NAME),
                [SLIM_WIRE_GROUP_WELCOME_MLS] = NESTED(MLS),
            },
        [SLIM_WIRE_SCHEMA_GROUP_PROPOSAL] =
            {
                [SLIM_WIRE_GROUP_PROPOSAL_SOURCE] = NESTED(NAME),
                [SLIM_WIRE_GROUP_PROPOSAL_MLS] = BYTES,
            },
        [SLIM_WIRE_SCHEMA_LINK] =
            {
                [SLIM_WIRE_LINK_NEGOTIATION] = NESTED(NEGOTIATION),
            },
        [SLIM_WIRE_SCHEMA_NEGOTIATION] =
            {
                [SLIM_WIRE_NEGOTIATION_LINK_ID] = STRING,
                [SLIM_WIRE_NEGOTIATION_SLIM_VERSION] = STRING,
                [SLIM_WIRE_NEGOTIATION_IS_REPLY] = NUMBER,
            },
        [SLIM_WIRE_SCHEMA_ACK] =
            {
                [SLIM_WIRE_ACK_SUBSCRIPTION_ID] = NUMBER,
                [SLIM_WIRE_ACK_SUCCESS] = NUMBER,
                [SLIM_WIRE_ACK_ERROR] = STRING,
            },
        [SLIM_WIRE_SCHEMA_MAP_ENTRY] =
            {
                [SLIM_WIRE_MAP_KEY] = STRING,
                [SLIM_WIRE_MAP_VALUE] = STRING,
            },
};

/* The sub-messages of the schema form a tree, so the recursion ends by itself. */
static bool is_field_valid(const struct rule *rule, const struct slim_wire_field *field)
{
    switch (rule->kind) {
    case RULE_UNKNOWN:
        return true;
    case RULE_NUMBER:
        return field->type == SLIM_WIRE_FIELD_VARINT;
    case RULE_BYTES:
        return field->type == SLIM_WIRE_FIELD_BYTES;
    case RULE_STRING:
        return field->type == SLIM_WIRE_FIELD_BYTES && slim_utf8_is_valid(field->bytes);
    case RULE_NESTED:
        return field->type == SLIM_WIRE_FIELD_BYTES &&
               slim_wire_check(rule->nested, field->bytes) == SLIM_OK;
    }
    return false;
}

enum slim_status slim_wire_check(enum slim_wire_schema schema, struct slim_view body)
{
    assert(schema < SLIM_WIRE_SCHEMA_COUNT);

    static const struct rule unknown = {RULE_UNKNOWN, SLIM_WIRE_SCHEMA_EMPTY};
    while (body.len > 0) {
        struct slim_wire_field field;
        if (slim_wire_take_field(&body, &field) != SLIM_OK) {
            return SLIM_ERR_MALFORMED;
        }
        const struct rule *rule =
            field.number < FIELDS_MAX ? &rules[schema][field.number] : &unknown;
        if (!is_field_valid(rule, &field)) {
            return SLIM_ERR_MALFORMED;
        }
    }
    return SLIM_OK;
}
