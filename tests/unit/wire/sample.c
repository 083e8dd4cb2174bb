#include "sample.h"

#include "support/check.h"

uint64_t sample_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1dU;
}

static bool one_in(uint64_t *state, uint64_t n)
{
    return sample_random(state) % n == 0;
}

static struct slim_view random_text(uint64_t *state)
{
    static const char *const texts[] = {
        "",
        "o",
        "ns",
        "org",
        "default",
        "caf\xc3\xa9",
        "\xe6\xbc\xa2\xe5\xad\x97",
        "\xf0\x9f\x90\x8c",
        "moderator",
        "a text of forty-three ASCII characters here",
        "eight chr",
        "12345678",
        "msg",
        "a long one whose last character is not ASCII, so that every word of it must be looked at "
        "\xc3\xbc",
        "org/ns/alice/"
        "ffffffffffffffff_ZnDLvB7z:1795342582:diPYuTvOdsw2FBEu::FYJwA2LpdrV_"
        "K8SL5IgGGtywlLrUJ5tlrROKlTT8k8I",
    };
    return slim_view_str(texts[sample_random(state) % SLIM_COUNT(texts)]);
}

static struct slim_view random_bytes(uint64_t *state)
{
    static uint8_t bytes[40000];
    static const size_t sizes[] = {0, 1, 20, 100, 127, 128, 300, 16384, 40000};
    if (bytes[0] == 0) {
        for (size_t i = 0; i < sizeof(bytes); i++) {
            bytes[i] = (uint8_t)(i * 37 + 1);
        }
    }
    size_t index = sample_random(state) % (one_in(state, 20) ? SLIM_COUNT(sizes) : 6);
    return slim_view_of(bytes, sizes[index]);
}

static uint64_t random_number(uint64_t *state)
{
    uint64_t value = sample_random(state);
    return value >> (sample_random(state) % 64);
}

static struct slim_wire_name random_name(uint64_t *state)
{
    struct slim_wire_name name = {.is_present = true, .is_complete = true};
    for (size_t i = 0; i < SLIM_COUNT(name.name.prefix); i++) {
        name.name.prefix[i] = one_in(state, 8) ? random_number(state) : sample_random(state);
        name.text.part[i] = random_text(state);
    }
    name.name.id = one_in(state, 3) ? SLIM_NAME_ANY : random_number(state);
    return name;
}

static struct slim_wire_names random_names(uint64_t *state, struct slim_wire_name *names)
{
    size_t count = sample_random(state) % (SAMPLE_NAMES_MAX + 1);
    for (size_t i = 0; i < count; i++) {
        names[i] = random_name(state);
    }
    return (struct slim_wire_names){.names = names, .count = count};
}

static struct slim_wire_mls random_mls(uint64_t *state)
{
    struct slim_wire_mls mls = {.is_present = one_in(state, 2)};
    if (mls.is_present) {
        mls.commit_id = (uint32_t)random_number(state);
        mls.content = random_bytes(state);
    }
    return mls;
}

static struct slim_wire_name maybe_name(uint64_t *state)
{
    return one_in(state, 2) ? random_name(state) : (struct slim_wire_name){.is_present = false};
}

static struct slim_wire_payload random_payload(uint64_t *state, struct slim_wire_name *names)
{
    struct slim_wire_payload payload = {
        .kind = one_in(state, 2) ? SLIM_WIRE_PAYLOAD_APP
                                 : sample_random(state) % (SLIM_WIRE_PAYLOAD_PING + 1)};
    switch (payload.kind) {
    case SLIM_WIRE_PAYLOAD_APP:
        payload.app = (struct slim_wire_app_payload){random_text(state), random_bytes(state)};
        break;
    case SLIM_WIRE_PAYLOAD_DISCOVERY_REQUEST:
    case SLIM_WIRE_PAYLOAD_LEAVE_REQUEST:
        payload.discovery_request.destination = maybe_name(state);
        break;
    case SLIM_WIRE_PAYLOAD_JOIN_REQUEST:
        payload.join_request.enable_mls = one_in(state, 2);
        payload.join_request.has_timer = one_in(state, 2);
        payload.join_request.timeout_ms = (uint32_t)random_number(state);
        payload.join_request.max_retries = (uint32_t)random_number(state);
        payload.join_request.channel = maybe_name(state);
        break;
    case SLIM_WIRE_PAYLOAD_JOIN_REPLY:
        payload.join_reply.has_key_package = one_in(state, 2);
        payload.join_reply.key_package = random_bytes(state);
        break;
    case SLIM_WIRE_PAYLOAD_GROUP_ADD:
    case SLIM_WIRE_PAYLOAD_GROUP_REMOVE:
        payload.group_change.participant = maybe_name(state);
        payload.group_change.participants = random_names(state, names);
        payload.group_change.mls = random_mls(state);
        break;
    case SLIM_WIRE_PAYLOAD_GROUP_WELCOME:
        payload.group_welcome.participants = random_names(state, names);
        payload.group_welcome.mls = random_mls(state);
        break;
    case SLIM_WIRE_PAYLOAD_GROUP_CLOSE:
        payload.group_close.participants = random_names(state, names);
        break;
    case SLIM_WIRE_PAYLOAD_GROUP_PROPOSAL:
        payload.group_proposal.source = maybe_name(state);
        payload.group_proposal.mls_proposal = random_bytes(state);
        break;
    case SLIM_WIRE_PAYLOAD_NONE:
    case SLIM_WIRE_PAYLOAD_DISCOVERY_REPLY:
    case SLIM_WIRE_PAYLOAD_LEAVE_REPLY:
    case SLIM_WIRE_PAYLOAD_GROUP_ACK:
    case SLIM_WIRE_PAYLOAD_GROUP_NACK:
    case SLIM_WIRE_PAYLOAD_PING:
        break;
    }
    return payload;
}

static void put_random_publish(uint64_t *state, struct slim_buf *out)
{
    struct slim_wire_name names[SAMPLE_NAMES_MAX];
    struct slim_wire_pair pairs[3];
    struct slim_wire_session_message message = {
        .head =
            {
                .source = random_name(state),
                .destination = random_name(state),
                .fanout = (uint32_t)random_number(state),
                .identity = random_text(state),
                .has_recv_from = one_in(state, 6),
                .has_forward_to = one_in(state, 6),
                .has_incoming_conn = one_in(state, 3),
                .has_error = one_in(state, 6),
                .recv_from = random_number(state),
                .forward_to = random_number(state),
                .incoming_conn = random_number(state),
                .error = one_in(state, 2),
                .session_type = (int32_t)(sample_random(state) % 4) - 1,
                .session_message_type = (int32_t)(sample_random(state) % 20),
                .session_id = (uint32_t)random_number(state),
                .message_id = (uint32_t)random_number(state),
            },
        .payload = random_payload(state, names),
        .metadata = {.pairs = pairs, .count = one_in(state, 3) ? sample_random(state) % 4 : 0},
    };
    for (size_t i = 0; i < message.metadata.count; i++) {
        pairs[i] = (struct slim_wire_pair){random_text(state), random_text(state)};
    }
    CHECK_OK(slim_wire_put_session_message(out, &message));
}

void sample_put(uint64_t *state, struct slim_buf *out)
{
    struct slim_wire_name source = random_name(state);
    struct slim_wire_name destination = random_name(state);
    struct slim_wire_subscription s = {
        .is_unsubscribe = one_in(state, 2),
        .source = source.name,
        .source_text = source.text,
        .destination = destination.name,
        .destination_text = destination.text,
        .fanout = 1,
        .identity = random_text(state),
        .subscription_id = random_number(state),
        .has_recv_from = one_in(state, 2),
        .has_forward_to = one_in(state, 2),
        .recv_from = random_number(state),
        .forward_to = random_number(state),
    };
    switch (sample_random(state) % 10) {
    case 0:
        CHECK_OK(slim_wire_put_subscription(out, &s));
        break;
    case 1:
        CHECK_OK(slim_wire_put_link(out, random_text(state), random_text(state), one_in(state, 2)));
        break;
    case 2:
        CHECK_OK(slim_wire_put_subscription_ack(out, random_number(state), one_in(state, 2),
                                                random_text(state)));
        break;
    default:
        put_random_publish(state, out);
        break;
    }
}

void sample_put_typical(unsigned which, size_t payload_len, struct slim_buf *out)
{
    static const uint8_t payload[1024] = {1, 2, 3};
    char app[16];
    CHECK(payload_len <= sizeof(payload));
    (void)snprintf(app, sizeof(app), "app-%u", which % 1000); /* fits */
    struct slim_name_text source = {{SLIM_VIEW("agntcy"), SLIM_VIEW("demo"), slim_view_str(app)}};
    struct slim_name_text destination = {
        {SLIM_VIEW("agntcy"), SLIM_VIEW("demo"), SLIM_VIEW("channel")}};
    uint64_t state = which + 1;
    struct slim_wire_session_message message = {
        .head =
            {
                .source = {.name = slim_name_of(&source, sample_random(&state)),
                           .text = source,
                           .is_present = true},
                .destination = {.name = slim_name_of(&destination, SLIM_NAME_ANY),
                                .text = destination,
                                .is_present = true},
                .fanout = 256,
                .identity = SLIM_VIEW(
                    "agntcy/demo/alice/ffffffffffffffff_ZnDLvB7z:1795342582:diPYuTvOdsw2FBEu:"
                    "eyJwdWJrZXkiOiJBQkNERUZHSElKS0xNTk9Q:FYJwA2LpdrV_K8SL5IgGGtywlLrUJ5tlrROKl8I"),
                .has_incoming_conn = true,
                .incoming_conn = 0,
                .session_type = SLIM_WIRE_SESSION_MULTICAST,
                .session_message_type = SLIM_WIRE_TYPE_MSG,
                .session_id = 191755237,
                .message_id = (uint32_t)which + 1,
            },
        .payload = {.kind = SLIM_WIRE_PAYLOAD_APP,
                    .app = {.payload_type = SLIM_VIEW("msg"),
                            .blob = slim_view_of(payload, payload_len)}},
    };
    CHECK_OK(slim_wire_put_session_message(out, &message));
}

static void insert(struct slim_buf *msg, size_t at, const uint8_t *bytes, size_t count)
{
    uint8_t copy[64];
    memcpy(copy, bytes, count);
    CHECK_OK(slim_buf_reserve(msg, count));
    memmove(msg->data + at + count, msg->data + at, msg->len - at);
    memcpy(msg->data + at, copy, count);
    msg->len += count;
}

static void erase(struct slim_buf *msg, size_t at, size_t count)
{
    memmove(msg->data + at, msg->data + at + count, msg->len - at - count);
    msg->len -= count;
}

void sample_damage(uint64_t *state, struct slim_buf *msg)
{
    uint64_t changes = 1 + sample_random(state) % 3;
    for (uint64_t i = 0; i < changes && msg->len > 0; i++) {
        /* mostly in the head: behind it is the blob, where nothing matters */
        size_t span = one_in(state, 4) || msg->len < 256 ? msg->len : 256;
        size_t at = sample_random(state) % span;
        size_t count = 1 + sample_random(state) % 63;
        uint8_t byte = (uint8_t)sample_random(state);
        count = count > msg->len - at ? msg->len - at : count;
        switch (sample_random(state) % 6) {
        case 0:
            msg->data[at] ^= (uint8_t)(1U << (byte % 8));
            break;
        case 1:
            msg->data[at] = byte;
            break;
        case 2:
            erase(msg, at, 1);
            break;
        case 3:
            insert(msg, at, &byte, 1);
            break;
        case 4:
            insert(msg, at, msg->data + at, count);
            break;
        default:
            erase(msg, at, count);
            break;
        }
    }
}
