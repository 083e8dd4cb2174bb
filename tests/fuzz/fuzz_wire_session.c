/* Any bytes as a session message: everything in it can be walked, and what was read is written so that it reads the same. */
#include <stdlib.h>

#include "base/utf8.h"
#include "wire/session_message.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk_names(struct slim_wire_names names)
{
    struct slim_wire_name name;
    size_t count = 0;
    bool has;
    for (;;) {
        REQUIRE(slim_wire_next_name(&names, &has, &name) == SLIM_OK);
        if (!has) {
            break;
        }
        for (size_t i = 0; i < SLIM_COUNT(name.text.part); i++) {
            REQUIRE(slim_utf8_is_valid(name.text.part[i]));
        }
        count++;
    }
    REQUIRE(count == names.count);
}

static void walk_metadata(struct slim_wire_metadata metadata)
{
    struct slim_wire_metadata rest = metadata;
    struct slim_wire_pair pair;
    size_t count = 0;
    bool has;
    for (;;) {
        REQUIRE(slim_wire_next_pair(&rest, &has, &pair) == SLIM_OK);
        if (!has) {
            break;
        }
        if (count < 4) { /* finding is a walk of its own */
            REQUIRE(slim_wire_find_metadata(&metadata, pair.key, NULL));
        }
        REQUIRE(slim_utf8_is_valid(pair.key) && slim_utf8_is_valid(pair.value));
        count++;
    }
    REQUIRE(count == metadata.count);
}

static void walk_payload(const struct slim_wire_payload *payload)
{
    switch (payload->kind) {
    case SLIM_WIRE_PAYLOAD_GROUP_ADD:
    case SLIM_WIRE_PAYLOAD_GROUP_REMOVE:
        walk_names(payload->group_change.participants);
        break;
    case SLIM_WIRE_PAYLOAD_GROUP_WELCOME:
        walk_names(payload->group_welcome.participants);
        break;
    case SLIM_WIRE_PAYLOAD_GROUP_CLOSE:
        walk_names(payload->group_close.participants);
        break;
    case SLIM_WIRE_PAYLOAD_NONE:
    case SLIM_WIRE_PAYLOAD_APP:
    case SLIM_WIRE_PAYLOAD_DISCOVERY_REQUEST:
    case SLIM_WIRE_PAYLOAD_DISCOVERY_REPLY:
    case SLIM_WIRE_PAYLOAD_JOIN_REQUEST:
    case SLIM_WIRE_PAYLOAD_JOIN_REPLY:
    case SLIM_WIRE_PAYLOAD_LEAVE_REQUEST:
    case SLIM_WIRE_PAYLOAD_LEAVE_REPLY:
    case SLIM_WIRE_PAYLOAD_GROUP_PROPOSAL:
    case SLIM_WIRE_PAYLOAD_GROUP_ACK:
    case SLIM_WIRE_PAYLOAD_GROUP_NACK:
    case SLIM_WIRE_PAYLOAD_PING:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slim_wire_session_message message;
    struct slim_wire_session_message again;
    if (slim_wire_read_session_message(slim_view_of(data, size), &message) != SLIM_OK) {
        return 0;
    }
    walk_metadata(message.metadata);
    walk_payload(&message.payload);

    struct slim_buf first = {.len = 0};
    struct slim_buf second = {.len = 0};
    REQUIRE(slim_wire_put_session_message(&first, &message) == SLIM_OK);
    REQUIRE(slim_wire_read_session_message(slim_buf_view(&first), &again) == SLIM_OK);
    REQUIRE(again.payload.kind == message.payload.kind &&
            again.metadata.count == message.metadata.count);
    REQUIRE(slim_wire_put_session_message(&second, &again) == SLIM_OK);
    REQUIRE(slim_view_is_equal(slim_buf_view(&first), slim_buf_view(&second)));
    slim_buf_fini(&first);
    slim_buf_fini(&second);
    return 0;
}
