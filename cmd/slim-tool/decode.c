/* slim-tool decode: the fields of a captured Message (proto/dataplane.proto) in readable lines. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "chat/text.h"
#include "slim-tool/tool.h"

enum { DEPTH_MAX = 16, INPUT_BYTES_MAX = 16 * 1024 * 1024, SHOWN_BYTES_MAX = 64, FIELDS_MAX = 15 };

enum kind { NUMBER, HEX_NUMBER, SWITCH, TEXT, BYTES, SECRET, SESSION_TYPE, MESSAGE_TYPE, MESSAGE };

/* number, name, kind, and the message inside */
struct field {
    uint32_t number;
    const char *name;
    enum kind kind;
    const struct message *inside;
};

struct message {
    struct field fields[FIELDS_MAX];
};

#define INSIDE(number_, name_, message_)                                                           \
    {                                                                                              \
        number_, name_, MESSAGE, &(message_)                                                       \
    }

static const struct message pair = {{{1, "key", TEXT, NULL}, {2, "value", TEXT, NULL}}};
static const struct message encoded_name = {{{1, "component_0", HEX_NUMBER, NULL},
                                             {2, "component_1", HEX_NUMBER, NULL},
                                             {3, "component_2", HEX_NUMBER, NULL},
                                             {4, "id", HEX_NUMBER, NULL}}};
static const struct message string_name = {
    {{1, "0", TEXT, NULL}, {2, "1", TEXT, NULL}, {3, "2", TEXT, NULL}}};
static const struct message name = {
    {INSIDE(1, "encoded", encoded_name), INSIDE(2, "text", string_name)}};
static const struct message header = {{INSIDE(1, "source", name),
                                       INSIDE(2, "destination", name),
                                       {3, "fanout", NUMBER, NULL},
                                       {4, "identity", SECRET, NULL},
                                       {5, "recv_from", NUMBER, NULL},
                                       {6, "forward_to", NUMBER, NULL},
                                       {7, "incoming_conn", NUMBER, NULL},
                                       {8, "error", SWITCH, NULL}}};
static const struct message subscription = {
    {INSIDE(1, "header", header), {2, "subscription_id", NUMBER, NULL}}};
static const struct message session = {{{1, "session_type", SESSION_TYPE, NULL},
                                        {2, "session_message_type", MESSAGE_TYPE, NULL},
                                        {3, "session_id", NUMBER, NULL},
                                        {4, "message_id", NUMBER, NULL}}};
static const struct message app_payload = {
    {{1, "payload_type", TEXT, NULL}, {2, "blob", BYTES, NULL}}};
static const struct message destination = {{INSIDE(1, "destination", name)}};
static const struct message nothing = {{{0, NULL, NUMBER, NULL}}};
static const struct message timers = {
    {{1, "timeout_ms", NUMBER, NULL}, {2, "max_retries", NUMBER, NULL}}};
static const struct message join_request = {{{1, "enable_mls", SWITCH, NULL},
                                             INSIDE(2, "timer_settings", timers),
                                             INSIDE(3, "channel", name)}};
static const struct message join_reply = {{{1, "key_package", BYTES, NULL}}};
static const struct message mls = {
    {{1, "commit_id", NUMBER, NULL}, {2, "mls_content", BYTES, NULL}}};
static const struct message group_add = {
    {INSIDE(1, "new_participant", name), INSIDE(2, "participant", name), INSIDE(3, "mls", mls)}};
static const struct message group_remove = {{INSIDE(1, "removed_participant", name),
                                             INSIDE(2, "participant", name),
                                             INSIDE(3, "mls", mls)}};
static const struct message group_welcome = {
    {INSIDE(1, "participant", name), INSIDE(2, "mls", mls)}};
static const struct message group_close = {{INSIDE(1, "participant", name)}};
static const struct message group_proposal = {
    {INSIDE(1, "source", name), {2, "mls_proposal", BYTES, NULL}}};
static const struct message command = {
    {INSIDE(1, "discovery_request", destination), INSIDE(2, "discovery_reply", nothing),
     INSIDE(3, "join_request", join_request), INSIDE(4, "join_reply", join_reply),
     INSIDE(5, "leave_request", destination), INSIDE(6, "leave_reply", nothing),
     INSIDE(7, "group_add", group_add), INSIDE(8, "group_remove", group_remove),
     INSIDE(9, "group_welcome", group_welcome), INSIDE(10, "group_close", group_close),
     INSIDE(11, "group_proposal", group_proposal), INSIDE(12, "group_ack", nothing),
     INSIDE(13, "group_nack", nothing), INSIDE(14, "ping", nothing)}};
static const struct message content = {
    {INSIDE(1, "app_payload", app_payload), INSIDE(2, "command_payload", command)}};
static const struct message publish = {
    {INSIDE(1, "header", header), INSIDE(2, "session", session), INSIDE(3, "msg", content)}};
static const struct message negotiation = {
    {{1, "link_id", TEXT, NULL}, {2, "slim_version", TEXT, NULL}, {3, "is_reply", SWITCH, NULL}}};
static const struct message link_message = {{INSIDE(1, "link_negotiation", negotiation)}};
static const struct message ack = {
    {{1, "subscription_id", NUMBER, NULL}, {2, "success", SWITCH, NULL}, {3, "error", TEXT, NULL}}};
static const struct message whole = {
    {INSIDE(1, "subscribe", subscription), INSIDE(2, "unsubscribe", subscription),
     INSIDE(3, "publish", publish), INSIDE(4, "metadata", pair), INSIDE(5, "link", link_message),
     INSIDE(6, "subscription_ack", ack)}};

/* ------------------------------------------------------------------------------------------------ protobuf */

static bool take_varint(struct slim_view *in, uint64_t *value)
{
    enum { BYTES_MAX = 10 };
    *value = 0;
    for (size_t i = 0; i < in->len && i < BYTES_MAX; i++) {
        *value |= (uint64_t)(in->data[i] & 0x7f) << (7 * i);
        if (in->data[i] < 0x80) {
            *in = slim_view_skip(*in, i + 1);
            return true;
        }
    }
    return false;
}

/* wire types: 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes */
static bool take_value(struct slim_view *in, uint64_t wire_type, uint64_t *number,
                       struct slim_view *bytes)
{
    uint64_t len;
    switch (wire_type) {
    case 0:
        return take_varint(in, number);
    case 1:
    case 5:
        len = wire_type == 1 ? 8 : 4;
        break;
    case 2:
        if (!take_varint(in, &len)) {
            return false;
        }
        break;
    default:
        return false;
    }
    if (len > in->len) {
        return false;
    }
    *bytes = slim_view_of(in->data, (size_t)len);
    *in = slim_view_skip(*in, (size_t)len);
    return true;
}

static const struct field *find(const struct message *message, uint64_t number)
{
    for (size_t i = 0; i < FIELDS_MAX && message->fields[i].number != 0; i++) {
        if (message->fields[i].number == number) {
            return &message->fields[i];
        }
    }
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ lines */

static void print_bytes(struct slim_view bytes)
{
    size_t shown = bytes.len < SHOWN_BYTES_MAX ? bytes.len : SHOWN_BYTES_MAX;
    (void)printf("%zu bytes ", bytes.len);
    for (size_t i = 0; i < shown; i++) {
        (void)printf("%02x", bytes.data[i]);
    }
    (void)printf("%s\n", shown < bytes.len ? "..." : "");
}

static void print_text(struct slim_view text)
{
    struct slim_buf line = {0};
    if (chat_text_put_printable(&line, text) == SLIM_OK) {
        (void)printf("\"%.*s\"\n", (int)line.len, line.data == NULL ? "" : (char *)line.data);
    }
    slim_buf_fini(&line);
}

static void print_word(const char *const *words, size_t count, uint64_t number)
{
    if (number < count) {
        (void)printf("%s\n", words[number]);
    } else {
        (void)printf("%llu\n", (unsigned long long)number);
    }
}

static void print_value(enum kind kind, uint64_t number, struct slim_view bytes)
{
    static const char *const sessions[] = {"unspecified", "point-to-point", "multicast"};
    static const char *const types[] = {"unspecified",
                                        "msg",
                                        "msg_ack",
                                        "rtx_request",
                                        "rtx_reply",
                                        "discovery_request",
                                        "discovery_reply",
                                        "join_request",
                                        "join_reply",
                                        "leave_request",
                                        "leave_reply",
                                        "group_add",
                                        "group_remove",
                                        "group_welcome",
                                        "group_close",
                                        "group_proposal",
                                        "group_ack",
                                        "group_nack",
                                        "ping"};
    switch (kind) {
    case NUMBER:
        (void)printf("%llu\n", (unsigned long long)number);
        break;
    case HEX_NUMBER:
        (void)printf("%llx\n", (unsigned long long)number);
        break;
    case SWITCH:
        (void)printf("%s\n", number != 0 ? "true" : "false");
        break;
    case TEXT:
        print_text(bytes);
        break;
    case BYTES:
        print_bytes(bytes);
        break;
    case SECRET:
        (void)printf("a token of %zu bytes, not shown\n", bytes.len);
        break;
    case SESSION_TYPE:
        print_word(sessions, SLIM_COUNT(sessions), number);
        break;
    case MESSAGE_TYPE:
        print_word(types, SLIM_COUNT(types), number);
        break;
    case MESSAGE:
        break;
    }
}

static bool is_of_kind(enum kind kind, uint64_t wire_type)
{
    bool is_bytes = kind == TEXT || kind == BYTES || kind == SECRET || kind == MESSAGE;
    return wire_type == (is_bytes ? 2U : 0U);
}

static bool print_message(const struct message *message, struct slim_view in, int depth)
{
    while (in.len > 0) {
        uint64_t tag;
        uint64_t number = 0;
        struct slim_view bytes = {0};
        if (depth > DEPTH_MAX || !take_varint(&in, &tag) ||
            !take_value(&in, tag & 7, &number, &bytes)) {
            return false;
        }
        const struct field *field = find(message, tag >> 3);
        (void)printf("%*s", depth * 2, "");
        if (field == NULL || !is_of_kind(field->kind, tag & 7)) {
            (void)printf("field %llu: ", (unsigned long long)(tag >> 3));
            print_value((tag & 7) == 0 ? NUMBER : BYTES, number, bytes);
        } else if (field->kind == MESSAGE) {
            (void)printf("%s\n", field->name);
            if (!print_message(field->inside, bytes, depth + 1)) {
                return false;
            }
        } else {
            (void)printf("%s: ", field->name);
            print_value(field->kind, number, bytes);
        }
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------ input */

static enum slim_status read_file(const char *path, struct slim_buf *bytes)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (file == NULL) {
        return SLIM_ERR_NOT_FOUND;
    }
    uint8_t chunk[4096];
    size_t count;
    enum slim_status status = SLIM_OK;
    while (status == SLIM_OK && (count = fread(chunk, 1, sizeof(chunk), file)) > 0) {
        status = bytes->len > INPUT_BYTES_MAX ? SLIM_ERR_LIMIT
                                              : slim_buf_put(bytes, slim_view_of(chunk, count));
    }
    if (file != stdin) {
        (void)fclose(file); /* only read */
    }
    return status;
}

/* Hexadecimal digits and white space become bytes. False: something else is in it. */
static bool read_hex(struct slim_view text, struct slim_buf *bytes)
{
    int high = -1;
    for (size_t i = 0; i < text.len; i++) {
        int c = tolower(text.data[i]);
        if (isspace(c)) {
            continue;
        }
        if (!isxdigit(c)) {
            return false;
        }
        int digit = c <= '9' ? c - '0' : c - 'a' + 10;
        if (high >= 0 && slim_buf_put_byte(bytes, (uint8_t)(high << 4 | digit)) != SLIM_OK) {
            return false;
        }
        high = high >= 0 ? -1 : digit;
    }
    return high < 0;
}

/* What gRPC puts in front: 0 and the length in four bytes. */
static struct slim_view skip_frame(struct slim_view in)
{
    enum { FRAME_BYTES = 5 };
    if (in.len < FRAME_BYTES || in.data[0] != 0) {
        return in;
    }
    uint64_t len = (uint64_t)in.data[1] << 24 | (uint64_t)in.data[2] << 16 |
                   (uint64_t)in.data[3] << 8 | in.data[4];
    return len == in.len - FRAME_BYTES ? slim_view_skip(in, FRAME_BYTES) : in;
}

int tool_decode(const char *what)
{
    struct slim_buf text = {0};
    struct slim_buf bytes = {0};
    int status = 1;
    if (what == NULL) {
        return tool_fail("decode needs hexadecimal digits, or a file with them or with the bytes");
    }
    bool is_file = read_file(what, &text) == SLIM_OK;
    if (!is_file && slim_buf_put(&text, slim_view_str(what)) != SLIM_OK) {
        return tool_fail("out of memory");
    }
    bool is_hex = read_hex(slim_buf_view(&text), &bytes);
    if (!is_hex && !is_file) {
        (void)tool_fail("this is no file, and not hexadecimal either"); /* 1, as `status` */
    } else if (print_message(&whole, skip_frame(slim_buf_view(is_hex ? &bytes : &text)), 0)) {
        status = 0;
    } else {
        (void)tool_fail("the rest is no Message: it ends too early, or is none"); /* likewise */
    }
    slim_buf_fini(&text);
    slim_buf_fini(&bytes);
    return status;
}
