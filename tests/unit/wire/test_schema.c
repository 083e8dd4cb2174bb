#include "wire/schema.h"

#include "support/check.h"
#include "wire/field.h"

enum kind { NUMBER, BYTES, STRING, NESTED };

/* Every field of dataplane.proto, written down a second time. */
static const struct {
    const char *why;
    enum slim_wire_schema schema;
    uint32_t number;
    enum kind kind;
} fields[] = {
    {"Message.subscribe", SLIM_WIRE_SCHEMA_MESSAGE, 1, NESTED},
    {"Message.unsubscribe", SLIM_WIRE_SCHEMA_MESSAGE, 2, NESTED},
    {"Message.publish", SLIM_WIRE_SCHEMA_MESSAGE, 3, NESTED},
    {"Message.metadata", SLIM_WIRE_SCHEMA_MESSAGE, 4, NESTED},
    {"Message.link", SLIM_WIRE_SCHEMA_MESSAGE, 5, NESTED},
    {"Message.subscription_ack", SLIM_WIRE_SCHEMA_MESSAGE, 6, NESTED},
    {"Subscribe.header", SLIM_WIRE_SCHEMA_SUBSCRIBE, 1, NESTED},
    {"Subscribe.subscription_id", SLIM_WIRE_SCHEMA_SUBSCRIBE, 2, NUMBER},
    {"Publish.header", SLIM_WIRE_SCHEMA_PUBLISH, 1, NESTED},
    {"Publish.session", SLIM_WIRE_SCHEMA_PUBLISH, 2, NESTED},
    {"Publish.msg", SLIM_WIRE_SCHEMA_PUBLISH, 3, NESTED},
    {"SLIMHeader.source", SLIM_WIRE_SCHEMA_HEADER, 1, NESTED},
    {"SLIMHeader.destination", SLIM_WIRE_SCHEMA_HEADER, 2, NESTED},
    {"SLIMHeader.fanout", SLIM_WIRE_SCHEMA_HEADER, 3, NUMBER},
    {"SLIMHeader.identity", SLIM_WIRE_SCHEMA_HEADER, 4, STRING},
    {"SLIMHeader.recv_from", SLIM_WIRE_SCHEMA_HEADER, 5, NUMBER},
    {"SLIMHeader.forward_to", SLIM_WIRE_SCHEMA_HEADER, 6, NUMBER},
    {"SLIMHeader.incoming_conn", SLIM_WIRE_SCHEMA_HEADER, 7, NUMBER},
    {"SLIMHeader.error", SLIM_WIRE_SCHEMA_HEADER, 8, NUMBER},
    {"SessionHeader.session_type", SLIM_WIRE_SCHEMA_SESSION, 1, NUMBER},
    {"SessionHeader.session_message_type", SLIM_WIRE_SCHEMA_SESSION, 2, NUMBER},
    {"SessionHeader.session_id", SLIM_WIRE_SCHEMA_SESSION, 3, NUMBER},
    {"SessionHeader.message_id", SLIM_WIRE_SCHEMA_SESSION, 4, NUMBER},
    {"Name.name", SLIM_WIRE_SCHEMA_NAME, 1, NESTED},
    {"Name.str_name", SLIM_WIRE_SCHEMA_NAME, 2, NESTED},
    {"EncodedName.component_0", SLIM_WIRE_SCHEMA_ENCODED, 1, NUMBER},
    {"EncodedName.component_1", SLIM_WIRE_SCHEMA_ENCODED, 2, NUMBER},
    {"EncodedName.component_2", SLIM_WIRE_SCHEMA_ENCODED, 3, NUMBER},
    {"EncodedName.component_3", SLIM_WIRE_SCHEMA_ENCODED, 4, NUMBER},
    {"StringName.str_component_0", SLIM_WIRE_SCHEMA_STRINGS, 1, STRING},
    {"StringName.str_component_1", SLIM_WIRE_SCHEMA_STRINGS, 2, STRING},
    {"StringName.str_component_2", SLIM_WIRE_SCHEMA_STRINGS, 3, STRING},
    {"Content.app_payload", SLIM_WIRE_SCHEMA_CONTENT, 1, NESTED},
    {"Content.command_payload", SLIM_WIRE_SCHEMA_CONTENT, 2, NESTED},
    {"ApplicationPayload.payload_type", SLIM_WIRE_SCHEMA_APP_PAYLOAD, 1, STRING},
    {"ApplicationPayload.blob", SLIM_WIRE_SCHEMA_APP_PAYLOAD, 2, BYTES},
    {"CommandPayload.discovery_request", SLIM_WIRE_SCHEMA_COMMAND, 1, NESTED},
    {"CommandPayload.discovery_reply", SLIM_WIRE_SCHEMA_COMMAND, 2, NESTED},
    {"CommandPayload.join_request", SLIM_WIRE_SCHEMA_COMMAND, 3, NESTED},
    {"CommandPayload.join_reply", SLIM_WIRE_SCHEMA_COMMAND, 4, NESTED},
    {"CommandPayload.leave_request", SLIM_WIRE_SCHEMA_COMMAND, 5, NESTED},
    {"CommandPayload.leave_reply", SLIM_WIRE_SCHEMA_COMMAND, 6, NESTED},
    {"CommandPayload.group_add", SLIM_WIRE_SCHEMA_COMMAND, 7, NESTED},
    {"CommandPayload.group_remove", SLIM_WIRE_SCHEMA_COMMAND, 8, NESTED},
    {"CommandPayload.group_welcome", SLIM_WIRE_SCHEMA_COMMAND, 9, NESTED},
    {"CommandPayload.group_close", SLIM_WIRE_SCHEMA_COMMAND, 10, NESTED},
    {"CommandPayload.group_proposal", SLIM_WIRE_SCHEMA_COMMAND, 11, NESTED},
    {"CommandPayload.group_ack", SLIM_WIRE_SCHEMA_COMMAND, 12, NESTED},
    {"CommandPayload.group_nack", SLIM_WIRE_SCHEMA_COMMAND, 13, NESTED},
    {"CommandPayload.ping", SLIM_WIRE_SCHEMA_COMMAND, 14, NESTED},
    {"DiscoveryRequestPayload.destination", SLIM_WIRE_SCHEMA_NAME_ONLY, 1, NESTED},
    {"JoinRequestPayload.enable_mls", SLIM_WIRE_SCHEMA_JOIN_REQUEST, 1, NUMBER},
    {"JoinRequestPayload.timer_settings", SLIM_WIRE_SCHEMA_JOIN_REQUEST, 2, NESTED},
    {"JoinRequestPayload.channel", SLIM_WIRE_SCHEMA_JOIN_REQUEST, 3, NESTED},
    {"TimerSettings.timeout", SLIM_WIRE_SCHEMA_TIMER, 1, NUMBER},
    {"TimerSettings.max_retries", SLIM_WIRE_SCHEMA_TIMER, 2, NUMBER},
    {"JoinReplyPayload.key_package", SLIM_WIRE_SCHEMA_JOIN_REPLY, 1, BYTES},
    {"MlsPayload.commit_id", SLIM_WIRE_SCHEMA_MLS, 1, NUMBER},
    {"MlsPayload.mls_content", SLIM_WIRE_SCHEMA_MLS, 2, BYTES},
    {"GroupAddPayload.new_participant", SLIM_WIRE_SCHEMA_GROUP_CHANGE, 1, NESTED},
    {"GroupAddPayload.participants", SLIM_WIRE_SCHEMA_GROUP_CHANGE, 2, NESTED},
    {"GroupAddPayload.mls", SLIM_WIRE_SCHEMA_GROUP_CHANGE, 3, NESTED},
    {"GroupWelcomePayload.participants", SLIM_WIRE_SCHEMA_GROUP_WELCOME, 1, NESTED},
    {"GroupWelcomePayload.mls", SLIM_WIRE_SCHEMA_GROUP_WELCOME, 2, NESTED},
    {"GroupProposalPayload.source", SLIM_WIRE_SCHEMA_GROUP_PROPOSAL, 1, NESTED},
    {"GroupProposalPayload.mls_proposal", SLIM_WIRE_SCHEMA_GROUP_PROPOSAL, 2, BYTES},
    {"Link.link_negotiation", SLIM_WIRE_SCHEMA_LINK, 1, NESTED},
    {"LinkNegotiationPayload.link_id", SLIM_WIRE_SCHEMA_NEGOTIATION, 1, STRING},
    {"LinkNegotiationPayload.slim_version", SLIM_WIRE_SCHEMA_NEGOTIATION, 2, STRING},
    {"LinkNegotiationPayload.is_reply", SLIM_WIRE_SCHEMA_NEGOTIATION, 3, NUMBER},
    {"SubscriptionAck.subscription_id", SLIM_WIRE_SCHEMA_ACK, 1, NUMBER},
    {"SubscriptionAck.success", SLIM_WIRE_SCHEMA_ACK, 2, NUMBER},
    {"SubscriptionAck.error", SLIM_WIRE_SCHEMA_ACK, 3, STRING},
    {"map entry key", SLIM_WIRE_SCHEMA_MAP_ENTRY, 1, STRING},
    {"map entry value", SLIM_WIRE_SCHEMA_MAP_ENTRY, 2, STRING},
};

enum { CONTENT_MAX = 8 };

static bool passes(enum slim_wire_schema schema, uint32_t number, enum slim_wire_field_type type,
                   struct slim_view content)
{
    uint8_t body[CONTENT_MAX + 1] = {(uint8_t)(number << 3 | type)};
    assert_true(number < 16 && content.len <= CONTENT_MAX);
    memcpy(body + 1, content.data, content.len);
    return slim_wire_check(schema, slim_view_of(body, content.len + 1)) == SLIM_OK;
}

static void known_fields_need_their_wire_type(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLIM_COUNT(fields); i++) {
        const char *why = fields[i].why;
        enum slim_wire_schema schema = fields[i].schema;
        uint32_t number = fields[i].number;
        bool is_number = fields[i].kind == NUMBER;
        CHECK_ROW(why,
                  passes(schema, number, SLIM_WIRE_FIELD_VARINT, SLIM_VIEW("\x01")) == is_number);
        CHECK_ROW(why,
                  passes(schema, number, SLIM_WIRE_FIELD_BYTES, SLIM_VIEW("\x00")) == !is_number);
        CHECK_ROW(why, !passes(schema, number, SLIM_WIRE_FIELD_FIXED32, SLIM_VIEW("1234")));
        CHECK_ROW(why, !passes(schema, number, SLIM_WIRE_FIELD_FIXED64, SLIM_VIEW("12345678")));
    }
}

static void strings_are_utf8_and_nested_messages_are_entered(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLIM_COUNT(fields); i++) {
        const char *why = fields[i].why;
        enum slim_wire_schema schema = fields[i].schema;
        uint32_t number = fields[i].number;
        if (fields[i].kind == NUMBER) {
            continue;
        }
        /* ff: no UTF-8, no field. c3 a9: UTF-8, a broken field. c0 3e 01: no UTF-8, an unknown field. */
        bool is_blob = fields[i].kind == BYTES;
        bool is_string = fields[i].kind == STRING;
        CHECK_ROW(why,
                  passes(schema, number, SLIM_WIRE_FIELD_BYTES, SLIM_VIEW("\x01\xff")) == is_blob);
        CHECK_ROW(why, passes(schema, number, SLIM_WIRE_FIELD_BYTES, SLIM_VIEW("\x02\xc3\xa9")) ==
                           (is_blob || is_string));
        CHECK_ROW(why, passes(schema, number, SLIM_WIRE_FIELD_BYTES,
                              SLIM_VIEW("\x03\xc0\x3e\x01")) == !is_string);
    }
}

/* What is not in the table above is unknown: any wire type goes, and nothing is entered. */
static void other_fields_are_stepped_over(void **state)
{
    (void)state;
    for (int schema = 0; schema < SLIM_WIRE_SCHEMA_COUNT; schema++) {
        for (uint32_t number = 1; number < 16; number++) {
            bool is_known = false;
            for (size_t i = 0; i < SLIM_COUNT(fields); i++) {
                is_known =
                    is_known || ((int)fields[i].schema == schema && fields[i].number == number);
            }
            enum slim_wire_schema s = (enum slim_wire_schema)schema;
            CHECK(is_known || passes(s, number, SLIM_WIRE_FIELD_VARINT, SLIM_VIEW("\x01")));
            CHECK(is_known || passes(s, number, SLIM_WIRE_FIELD_FIXED32, SLIM_VIEW("1234")));
            CHECK(is_known || passes(s, number, SLIM_WIRE_FIELD_BYTES, SLIM_VIEW("\x01\xff")));
        }
        CHECK(slim_wire_check((enum slim_wire_schema)schema, SLIM_VIEW("\xc2\x3e\x01\xff")) ==
              SLIM_OK);
        CHECK(slim_wire_check((enum slim_wire_schema)schema, SLIM_VIEW("\xc3\x3e\xc4\x3e")) ==
              SLIM_ERR_MALFORMED);
        CHECK(slim_wire_check((enum slim_wire_schema)schema, SLIM_VIEW("\xc2\x3e\x02\xff")) ==
              SLIM_ERR_MALFORMED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_fields_need_their_wire_type),
        cmocka_unit_test(strings_are_utf8_and_nested_messages_are_entered),
        cmocka_unit_test(other_fields_are_stepped_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
