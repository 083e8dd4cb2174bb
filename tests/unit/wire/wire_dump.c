/* What src/wire reads and writes, as text, for tests/interop/test_wire_protobuf.py.
 *
 *   wire_dump < frames
 *
 * Input: frames, each behind its length as four bytes, big endian. Output: one JSON object per frame. Strings and bytes are
 * hexadecimal, 64-bit numbers are texts. `written` is what our writer makes of what our reader gave, absent when there is
 * nothing to write; `stripped` is the message without its connection fields. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire/session_message.h"

enum { LENGTH_BYTES = 4, FRAME_BYTES_MAX = 64 * 1024 * 1024 };

static void die(const char *what)
{
    fprintf(stderr, "wire_dump: %s\n", what);
    exit(1);
}

static void must(enum slim_status status)
{
    if (status != SLIM_OK) {
        die(slim_status_text(status));
    }
}

static void print_hex(struct slim_view view)
{
    putchar('"');
    for (size_t i = 0; i < view.len; i++) {
        printf("%02x", view.data[i]);
    }
    putchar('"');
}

static void print_text(const char *key, struct slim_view view)
{
    printf(",\"%s\":", key);
    print_hex(view);
}

static void print_u64(const char *key, uint64_t value)
{
    printf(",\"%s\":\"%" PRIu64 "\"", key, value);
}

static void print_bool(const char *key, bool value)
{
    printf(",\"%s\":%s", key, value ? "true" : "false");
}

static void print_optional_u64(const char *key, bool has, uint64_t value)
{
    if (has) {
        print_u64(key, value);
    }
}

/* An array: numbers and strings of the name; null when it is absent. */
static void print_name_value(const struct slim_wire_name *name)
{
    if (!name->is_present) {
        printf("null");
        return;
    }
    printf("[%s", name->is_complete ? "true" : "false");
    for (size_t i = 0; i < SLIM_COUNT(name->name.prefix); i++) {
        printf(",\"%" PRIu64 "\"", name->name.prefix[i]);
    }
    printf(",\"%" PRIu64 "\"",
           name->name.id == SLIM_NAME_ANY ? UINT64_MAX : (uint64_t)name->name.id);
    for (size_t i = 0; i < SLIM_COUNT(name->text.part); i++) {
        putchar(',');
        print_hex(name->text.part[i]);
    }
    putchar(']');
}

static void print_name(const char *key, const struct slim_wire_name *name)
{
    printf(",\"%s\":", key);
    print_name_value(name);
}

static void print_names(struct slim_wire_names names)
{
    printf(",\"participants\":[");
    for (bool is_first = true;; is_first = false) {
        struct slim_wire_name name;
        bool has;
        must(slim_wire_next_name(&names, &has, &name));
        if (!has) {
            break;
        }
        printf(is_first ? "" : ",");
        print_name_value(&name);
    }
    putchar(']');
}

static void print_mls(const struct slim_wire_mls *mls)
{
    if (mls->is_present) {
        print_u64("commit_id", mls->commit_id);
        print_text("mls_content", mls->content);
    }
}

static void print_payload(const struct slim_wire_payload *payload)
{
    printf(",\"payload\":{\"kind\":%d", (int)payload->kind);
    switch (payload->kind) {
    case SLIM_WIRE_PAYLOAD_APP:
        print_text("payload_type", payload->app.payload_type);
        print_text("blob", payload->app.blob);
        break;
    case SLIM_WIRE_PAYLOAD_DISCOVERY_REQUEST:
        print_name("destination", &payload->discovery_request.destination);
        break;
    case SLIM_WIRE_PAYLOAD_LEAVE_REQUEST:
        print_name("destination", &payload->leave_request.destination);
        break;
    case SLIM_WIRE_PAYLOAD_JOIN_REQUEST:
        print_bool("enable_mls", payload->join_request.enable_mls);
        print_optional_u64("timeout", payload->join_request.has_timer,
                           payload->join_request.timeout_ms);
        print_optional_u64("max_retries", payload->join_request.has_timer,
                           payload->join_request.max_retries);
        print_name("channel", &payload->join_request.channel);
        break;
    case SLIM_WIRE_PAYLOAD_JOIN_REPLY:
        if (payload->join_reply.has_key_package) {
            print_text("key_package", payload->join_reply.key_package);
        }
        break;
    case SLIM_WIRE_PAYLOAD_GROUP_ADD:
    case SLIM_WIRE_PAYLOAD_GROUP_REMOVE:
        print_name("participant", &payload->group_change.participant);
        print_names(payload->group_change.participants);
        print_mls(&payload->group_change.mls);
        break;
    case SLIM_WIRE_PAYLOAD_GROUP_WELCOME:
        print_names(payload->group_welcome.participants);
        print_mls(&payload->group_welcome.mls);
        break;
    case SLIM_WIRE_PAYLOAD_GROUP_CLOSE:
        print_names(payload->group_close.participants);
        break;
    case SLIM_WIRE_PAYLOAD_GROUP_PROPOSAL:
        print_name("source", &payload->group_proposal.source);
        print_text("mls_proposal", payload->group_proposal.mls_proposal);
        break;
    case SLIM_WIRE_PAYLOAD_NONE:
    case SLIM_WIRE_PAYLOAD_DISCOVERY_REPLY:
    case SLIM_WIRE_PAYLOAD_LEAVE_REPLY:
    case SLIM_WIRE_PAYLOAD_GROUP_ACK:
    case SLIM_WIRE_PAYLOAD_GROUP_NACK:
    case SLIM_WIRE_PAYLOAD_PING:
        break;
    }
    putchar('}');
}

static void print_metadata(struct slim_wire_metadata metadata)
{
    printf(",\"metadata\":[");
    for (bool is_first = true;; is_first = false) {
        struct slim_wire_pair pair;
        bool has;
        must(slim_wire_next_pair(&metadata, &has, &pair));
        if (!has) {
            break;
        }
        printf(is_first ? "[" : ",[");
        print_hex(pair.key);
        putchar(',');
        print_hex(pair.value);
        putchar(']');
    }
    putchar(']');
}

static void print_head(const struct slim_wire_head *head)
{
    printf(",\"kind\":%d,\"fault\":%d", (int)head->kind, (int)head->fault);
    print_name("source", &head->source);
    print_name("destination", &head->destination);
    print_u64("fanout", head->fanout);
    print_text("identity", head->identity);
    print_optional_u64("recv_from", head->has_recv_from, head->recv_from);
    print_optional_u64("forward_to", head->has_forward_to, head->forward_to);
    print_optional_u64("incoming_conn", head->has_incoming_conn, head->incoming_conn);
    if (head->has_error) {
        print_bool("error", head->error);
    }
    print_u64("subscription_id", head->subscription_id);
    if (head->has_session) {
        printf(",\"session\":[%" PRId32 ",%" PRId32 ",%" PRIu32 ",%" PRIu32 "]", head->session_type,
               head->session_message_type, head->session_id, head->message_id);
    }
    print_text("link_id", head->link_id);
    print_text("slim_version", head->slim_version);
    print_bool("is_reply", head->is_reply);
    print_bool("success", head->success);
    print_text("error_text", head->error_text);
}

static void put_subscription(struct slim_buf *out, const struct slim_wire_head *head)
{
    struct slim_wire_subscription s = {
        .is_unsubscribe = head->kind == SLIM_WIRE_UNSUBSCRIBE,
        .source = head->source.name,
        .source_text = head->source.text,
        .destination = head->destination.name,
        .destination_text = head->destination.text,
        .fanout = head->fanout,
        .identity = head->identity,
        .subscription_id = head->subscription_id,
        .has_recv_from = head->has_recv_from,
        .recv_from = head->recv_from,
        .has_forward_to = head->has_forward_to,
        .forward_to = head->forward_to,
    };
    must(slim_wire_put_subscription(out, &s));
}

/* Print what is beside the head, and write the message again. */
static void print_rest(struct slim_view msg, const struct slim_wire_head *head)
{
    struct slim_buf out = {.len = 0};
    struct slim_wire_session_message message;
    switch (head->kind) {
    case SLIM_WIRE_SUBSCRIBE:
    case SLIM_WIRE_UNSUBSCRIBE:
        put_subscription(&out, head);
        break;
    case SLIM_WIRE_PUBLISH:
        must(slim_wire_read_session_message(msg, &message));
        print_payload(&message.payload);
        print_metadata(message.metadata);
        must(slim_wire_put_session_message(&out, &message));
        break;
    case SLIM_WIRE_LINK:
        must(slim_wire_put_link(&out, head->link_id, head->slim_version, head->is_reply));
        break;
    case SLIM_WIRE_SUBSCRIPTION_ACK:
        must(slim_wire_put_subscription_ack(&out, head->subscription_id, head->success,
                                            head->error_text));
        break;
    case SLIM_WIRE_NONE:
        break;
    }
    print_text("written", slim_buf_view(&out));
    slim_buf_fini(&out);
}

static void dump(struct slim_view msg)
{
    struct slim_wire_head head;
    enum slim_status status = slim_wire_read_head(msg, &head);
    printf("{\"status\":\"%s\"", slim_status_text(status));
    if (status == SLIM_OK) {
        struct slim_buf stripped = {.len = 0};
        print_head(&head);
        if (head.fault == SLIM_WIRE_FAULT_NONE) {
            print_rest(msg, &head);
        }
        must(slim_wire_put_stripped(&stripped, msg));
        print_text("stripped", slim_buf_view(&stripped));
        slim_buf_fini(&stripped);
    }
    puts("}");
}

int main(void)
{
    uint8_t length[LENGTH_BYTES];
    while (fread(length, 1, sizeof(length), stdin) == sizeof(length)) {
        size_t len =
            (size_t)length[0] << 24 | (size_t)length[1] << 16 | (size_t)length[2] << 8 | length[3];
        uint8_t *data = len <= FRAME_BYTES_MAX ? malloc(len + 1) : NULL;
        if (data == NULL || fread(data, 1, len, stdin) != len) {
            die("bad frame");
        }
        dump(slim_view_of(data, len));
        free(data);
    }
    return fflush(stdout) == 0 && !ferror(stdin) ? 0 : 1;
}
