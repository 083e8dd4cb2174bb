#include "wire/session_message.h"

#include <stdlib.h>

#include "sample.h"
#include "support/check.h"
#include "vector_file.h"

enum { ROUNDS = 50000, NAMES_MAX = 64, PAIRS_MAX = 16 };

/* Put the names of `from`, as read, into an array: the other form of the same list. */
static struct slim_wire_names names_as_array(struct slim_wire_names from,
                                             struct slim_wire_name *array)
{
    struct slim_wire_names names = {.names = array};
    bool has;
    for (;;) {
        CHECK(names.count < NAMES_MAX);
        CHECK_OK(slim_wire_next_name(&from, &has, &array[names.count]));
        if (!has) {
            break;
        }
        CHECK(array[names.count].is_complete);
        names.count++;
    }
    CHECK(names.count == from.count);
    return names;
}

static struct slim_wire_metadata metadata_as_array(struct slim_wire_metadata from,
                                                   struct slim_wire_pair *array)
{
    struct slim_wire_metadata metadata = {.pairs = array};
    bool has;
    for (;;) {
        CHECK(metadata.count < PAIRS_MAX);
        CHECK_OK(slim_wire_next_pair(&from, &has, &array[metadata.count]));
        if (!has) {
            break;
        }
        metadata.count++;
    }
    CHECK(metadata.count == from.count);
    return metadata;
}

static struct slim_wire_names *names_of(struct slim_wire_payload *payload)
{
    switch (payload->kind) {
    case SLIM_WIRE_PAYLOAD_GROUP_ADD:
    case SLIM_WIRE_PAYLOAD_GROUP_REMOVE:
        return &payload->group_change.participants;
    case SLIM_WIRE_PAYLOAD_GROUP_WELCOME:
        return &payload->group_welcome.participants;
    case SLIM_WIRE_PAYLOAD_GROUP_CLOSE:
        return &payload->group_close.participants;
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
        return NULL;
    }
    return NULL;
}

static void check_written_alike(const char *why, const struct slim_wire_session_message *message,
                                struct slim_view msg)
{
    struct slim_buf out = {.len = 0};
    CHECK_ROW(why, slim_wire_put_session_message(&out, message) == SLIM_OK);
    CHECK_ROW(why, slim_view_is_equal(slim_buf_view(&out), msg));
    slim_buf_fini(&out);
}

/* What was read is written as it was, from the views that the reader gave and from arrays as a session has them. */
static void check_round_trip(const char *why, struct slim_view msg)
{
    struct slim_wire_session_message message;
    CHECK_ROW(why, slim_wire_read_session_message(msg, &message) == SLIM_OK);
    check_written_alike(why, &message, msg);

    struct slim_wire_name array[NAMES_MAX];
    struct slim_wire_pair pairs[PAIRS_MAX];
    struct slim_wire_names *names = names_of(&message.payload);
    if (names != NULL) {
        *names = names_as_array(*names, array);
    }
    message.metadata = metadata_as_array(message.metadata, pairs);
    check_written_alike(why, &message, msg);
}

static void check_frame(const char *origin, const char *type, struct slim_view msg,
                        size_t *publish_count)
{
    struct slim_wire_head head;
    CHECK_ROW(origin, slim_wire_read_head(msg, &head) == SLIM_OK);
    CHECK_ROW(origin, head.fault == SLIM_WIRE_FAULT_NONE);
    struct slim_wire_session_message message;
    if (head.kind != SLIM_WIRE_PUBLISH) {
        CHECK_ROW(origin, slim_wire_read_session_message(msg, &message) == SLIM_ERR_INVALID);
        return;
    }
    CHECK_ROW(origin, slim_wire_read_session_message(msg, &message) == SLIM_OK);
    enum slim_wire_payload_kind want = slim_wire_payload_of_type(head.session_message_type);
    CHECK_ROW(origin, want != SLIM_WIRE_PAYLOAD_NONE && message.payload.kind == want);
    CHECK_ROW(origin,
              (strcmp(type, "MSG") == 0) == (head.session_message_type == SLIM_WIRE_TYPE_MSG));
    CHECK_ROW(origin,
              (strcmp(type, "PING") == 0) == (head.session_message_type == SLIM_WIRE_TYPE_PING));
    check_round_trip(origin, msg);
    (*publish_count)++;
}

static void recorded_frames_are_written_as_they_were_read(void **state)
{
    (void)state;
    struct slim_buf text = {.len = 0};
    size_t frame_count = 0;
    size_t publish_count = 0;
    vector_text_load(&text, "wire/session_frames.txt");
    CHECK_OK(slim_buf_put_byte(&text, 0));
    char *rest = (char *)text.data;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
        const char *origin = strsep(&line, " ");
        const char *type = strsep(&line, " ");
        struct slim_buf msg;
        vector_unhex(slim_view_str(line), &msg);
        check_frame(origin, type, slim_buf_view(&msg), &publish_count);
        vector_unhex_fini(&msg);
        frame_count++;
    }
    CHECK(frame_count >= 284 && publish_count >= 243);
    slim_buf_fini(&text);
}

static void random_messages_survive_a_round_trip(void **state)
{
    (void)state;
    uint64_t seed = 11;
    size_t publish_count = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct slim_buf msg = {.len = 0};
        struct slim_wire_head head;
        sample_put(&seed, &msg);
        CHECK_OK(slim_wire_read_head(slim_buf_view(&msg), &head));
        if (head.kind == SLIM_WIRE_PUBLISH) {
            check_round_trip("random", slim_buf_view(&msg));
            publish_count++;
        }
        slim_buf_fini(&msg);
    }
    CHECK(publish_count > ROUNDS / 2);
}

static void typical(struct slim_wire_session_message *message, struct slim_buf *msg)
{
    sample_put_typical(1, 10, msg);
    CHECK_OK(slim_wire_read_session_message(slim_buf_view(msg), message));
}

static void payload_fields_come_back(void **state)
{
    (void)state;
    struct slim_buf base = {.len = 0};
    struct slim_buf msg = {.len = 0};
    struct slim_wire_session_message message;
    struct slim_wire_session_message got;
    typical(&message, &base);
    struct slim_name_text text = {{SLIM_VIEW("a"), SLIM_VIEW("b"), SLIM_VIEW("c")}};
    struct slim_wire_name name = {
        .name = slim_name_of(&text, 9), .text = text, .is_present = true, .is_complete = true};

    message.payload = (struct slim_wire_payload){.kind = SLIM_WIRE_PAYLOAD_JOIN_REQUEST,
                                                 .join_request = {.enable_mls = true,
                                                                  .has_timer = true,
                                                                  .timeout_ms = 5000,
                                                                  .max_retries = 5,
                                                                  .channel = name}};
    CHECK_OK(slim_wire_put_session_message(&msg, &message));
    CHECK_OK(slim_wire_read_session_message(slim_buf_view(&msg), &got));
    CHECK(got.payload.kind == SLIM_WIRE_PAYLOAD_JOIN_REQUEST &&
          got.payload.join_request.enable_mls);
    CHECK(got.payload.join_request.timeout_ms == 5000 && got.payload.join_request.max_retries == 5);
    CHECK(slim_name_is_equal(&got.payload.join_request.channel.name, &name.name));
    CHECK_VIEW(got.payload.join_request.channel.text.part[2], "c");

    slim_buf_clear(&msg);
    message.payload = (struct slim_wire_payload){
        .kind = SLIM_WIRE_PAYLOAD_GROUP_REMOVE,
        .group_change = {
            .participant = name,
            .participants = {.names = &name, .count = 1},
            .mls = {.is_present = true, .commit_id = 3, .content = SLIM_VIEW("commit")}}};
    CHECK_OK(slim_wire_put_session_message(&msg, &message));
    CHECK_OK(slim_wire_read_session_message(slim_buf_view(&msg), &got));
    CHECK(got.payload.kind == SLIM_WIRE_PAYLOAD_GROUP_REMOVE &&
          got.payload.group_change.participants.count == 1);
    CHECK(got.payload.group_change.mls.is_present && got.payload.group_change.mls.commit_id == 3);
    CHECK_VIEW(got.payload.group_change.mls.content, "commit");

    slim_buf_clear(&msg);
    message.payload = (struct slim_wire_payload){.kind = SLIM_WIRE_PAYLOAD_JOIN_REPLY,
                                                 .join_reply = {.has_key_package = true}};
    CHECK_OK(slim_wire_put_session_message(&msg, &message));
    CHECK_OK(slim_wire_read_session_message(slim_buf_view(&msg), &got));
    CHECK(got.payload.join_reply.has_key_package && got.payload.join_reply.key_package.len == 0);
    slim_buf_fini(&msg);
    slim_buf_fini(&base);
}

/* Content bodies behind a fixed head: what protobuf says about members that occur more than once. */
static void last_content_wins(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *content; /* fields of Publish behind header and session */
        enum slim_wire_payload_kind kind;
        const char *payload_type;
    } rows[] = {
        {"no content", "", SLIM_WIRE_PAYLOAD_NONE, ""},
        {"empty content", "1a00", SLIM_WIRE_PAYLOAD_NONE, ""},
        {"empty command", "1a021200", SLIM_WIRE_PAYLOAD_NONE, ""},
        {"a command from the future", "1a0412027a00", SLIM_WIRE_PAYLOAD_NONE, ""},
        {"ping", "1a0412027200", SLIM_WIRE_PAYLOAD_PING, ""},
        {"payload, then ping", "1a090a030a016112027200", SLIM_WIRE_PAYLOAD_PING, ""},
        {"ping, then payload", "1a09120272000a030a0161", SLIM_WIRE_PAYLOAD_APP, "a"},
        {"two payloads are merged", "1a050a030a01611a050a03120162", SLIM_WIRE_PAYLOAD_APP, "a"},
        {"a payload forgotten in between", "1a050a030a01611a04120272001a050a03120162",
         SLIM_WIRE_PAYLOAD_APP, ""},
        {"payload, then an empty command", "1a070a030a01611200", SLIM_WIRE_PAYLOAD_NONE, ""},
        {"ping, then leave reply", "1a06120472003200", SLIM_WIRE_PAYLOAD_LEAVE_REPLY, ""},
    };
    static const char head[] = "0a0c0a040a00120012040a0012001200";
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        char whole[256];
        (void)snprintf(whole, sizeof(whole), "1a%02zx%s%s",
                       (strlen(head) + strlen(rows[i].content)) / 2, head,
                       rows[i].content); /* fits: the longest row has 80 characters */
        struct slim_buf msg;
        struct slim_wire_session_message message;
        vector_unhex(slim_view_str(whole), &msg);
        CHECK_ROW(rows[i].why,
                  slim_wire_read_session_message(slim_buf_view(&msg), &message) == SLIM_OK);
        CHECK_ROW(rows[i].why, message.payload.kind == rows[i].kind);
        if (rows[i].kind == SLIM_WIRE_PAYLOAD_APP) {
            CHECK_ROW(rows[i].why, slim_view_is_equal(message.payload.app.payload_type,
                                                      slim_view_str(rows[i].payload_type)));
        }
        vector_unhex_fini(&msg);
    }
}

static void metadata_is_found_in_either_form(void **state)
{
    (void)state;
    static const struct slim_wire_pair pairs[] = {
        {{(const uint8_t *)"k", 1}, {(const uint8_t *)"first", 5}},
        {{NULL, 0}, {(const uint8_t *)"of the empty key", 16}},
        {{(const uint8_t *)"PUBLISH_TO", 10}, {(const uint8_t *)"TRUE", 4}},
        {{(const uint8_t *)"k", 1}, {(const uint8_t *)"last", 4}},
        {{(const uint8_t *)"empty", 5}, {NULL, 0}},
    };
    struct slim_buf base = {.len = 0};
    struct slim_buf msg = {.len = 0};
    struct slim_wire_session_message written;
    struct slim_wire_session_message read;
    typical(&written, &base);
    CHECK(!slim_wire_find_metadata(&written.metadata, SLIM_VIEW("k"), NULL));
    written.metadata = (struct slim_wire_metadata){.pairs = pairs, .count = SLIM_COUNT(pairs)};
    CHECK_OK(slim_wire_put_session_message(&msg, &written));
    CHECK_OK(slim_wire_read_session_message(slim_buf_view(&msg), &read));
    const struct slim_wire_metadata *forms[] = {&written.metadata, &read.metadata};
    for (size_t i = 0; i < SLIM_COUNT(forms); i++) {
        struct slim_view value = {0};
        CHECK(slim_wire_find_metadata(forms[i], SLIM_VIEW("k"), &value));
        CHECK_VIEW(value, "last");
        CHECK(slim_wire_find_metadata(forms[i], SLIM_VIEW(""), &value));
        CHECK_VIEW(value, "of the empty key");
        CHECK(slim_wire_find_metadata(forms[i], SLIM_VIEW("empty"), &value));
        CHECK(value.len == 0);
        CHECK(slim_wire_find_metadata(forms[i], SLIM_VIEW("PUBLISH_TO"), NULL));
        CHECK(!slim_wire_find_metadata(forms[i], SLIM_VIEW("PUBLISH_T"), &value));
        CHECK(forms[i]->count == SLIM_COUNT(pairs));
    }
    slim_buf_fini(&msg);
    slim_buf_fini(&base);
}

static void metadata_between_other_fields_is_walked(void **state)
{
    (void)state;
    struct slim_buf msg = {.len = 0};
    static const uint8_t entry[] = {0x22, 0x06, 0x0a, 0x01, 'k', 0x12, 0x01, 'v'};
    static const uint8_t unknown[] = {0xc2, 0x3e, 0x01, 'x'};
    CHECK_OK(slim_buf_put(&msg, slim_view_of(entry, sizeof(entry))));
    sample_put_typical(1, 10, &msg);
    CHECK_OK(slim_buf_put(&msg, slim_view_of(unknown, sizeof(unknown))));
    CHECK_OK(slim_buf_put(&msg, slim_view_of(entry, sizeof(entry))));
    struct slim_wire_session_message message;
    CHECK_OK(slim_wire_read_session_message(slim_buf_view(&msg), &message));
    CHECK(message.metadata.count == 2);
    struct slim_wire_pair pair;
    bool has;
    for (int i = 0; i < 2; i++) {
        CHECK_OK(slim_wire_next_pair(&message.metadata, &has, &pair));
        CHECK(has);
        CHECK_VIEW(pair.value, "v");
    }
    CHECK_OK(slim_wire_next_pair(&message.metadata, &has, &pair));
    CHECK(!has);
    slim_buf_fini(&msg);
}

static void what_is_no_publish_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        uint8_t bytes[8];
        size_t len;
        enum slim_status want;
    } rows[] = {
        {"nothing", {0}, 0, SLIM_ERR_INVALID},
        {"an ack", {0x32, 0x00}, 2, SLIM_ERR_INVALID},
        {"a publish without header", {0x1a, 0x00}, 2, SLIM_ERR_INVALID},
        {"half a field", {0x1a}, 1, SLIM_ERR_MALFORMED},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_wire_session_message message;
        CHECK_ROW(rows[i].why,
                  slim_wire_read_session_message(slim_view_of(rows[i].bytes, rows[i].len),
                                                 &message) == rows[i].want);
    }
}

static void every_message_type_has_its_payload(void **state)
{
    (void)state;
    CHECK(slim_wire_payload_of_type(-1) == SLIM_WIRE_PAYLOAD_NONE);
    CHECK(slim_wire_payload_of_type(INT32_MIN) == SLIM_WIRE_PAYLOAD_NONE);
    CHECK(slim_wire_payload_of_type(SLIM_WIRE_TYPE_UNSPECIFIED) == SLIM_WIRE_PAYLOAD_NONE);
    CHECK(slim_wire_payload_of_type(SLIM_WIRE_TYPE_PING + 1) == SLIM_WIRE_PAYLOAD_NONE);
    for (int32_t type = SLIM_WIRE_TYPE_MSG; type <= SLIM_WIRE_TYPE_RTX_REPLY; type++) {
        CHECK(slim_wire_payload_of_type(type) == SLIM_WIRE_PAYLOAD_APP);
    }
    CHECK(slim_wire_payload_of_type(SLIM_WIRE_TYPE_DISCOVERY_REQUEST) ==
          SLIM_WIRE_PAYLOAD_DISCOVERY_REQUEST);
    CHECK(slim_wire_payload_of_type(SLIM_WIRE_TYPE_GROUP_WELCOME) ==
          SLIM_WIRE_PAYLOAD_GROUP_WELCOME);
    CHECK(slim_wire_payload_of_type(SLIM_WIRE_TYPE_PING) == SLIM_WIRE_PAYLOAD_PING);
}

static void negative_enum_values_are_kept(void **state)
{
    (void)state;
    struct slim_buf base = {.len = 0};
    struct slim_buf msg = {.len = 0};
    struct slim_wire_session_message message;
    typical(&message, &base);
    message.head.session_type = -1;
    message.head.session_message_type = INT32_MIN;
    CHECK_OK(slim_wire_put_session_message(&msg, &message));
    CHECK_OK(slim_wire_read_session_message(slim_buf_view(&msg), &message));
    CHECK(message.head.session_type == -1 && message.head.session_message_type == INT32_MIN);
    CHECK(msg.len ==
          base.len +
              2 * 9); /* sign-extended to ten bytes each, as every protobuf library writes them */
    slim_buf_fini(&msg);
    slim_buf_fini(&base);
}

static void reading_allocates_nothing(void **state)
{
    (void)state;
    struct slim_buf msg = {.len = 0};
    struct slim_wire_session_message message;
    typical(&message, &msg);
    uint64_t before = slim_test_alloc_count();
    CHECK_OK(slim_wire_read_session_message(slim_buf_view(&msg), &message));
    CHECK(!slim_wire_find_metadata(&message.metadata, SLIM_VIEW("k"), NULL));
    CHECK(slim_test_alloc_count() == before);
    slim_buf_fini(&msg);
}

/* The message to write is made before the sweep, so that only the writer under test meets the failures. */
static struct slim_wire_session_message swept_message;

static void write_swept_message(void)
{
    struct slim_buf out = {.len = 0};
    if (slim_buf_put(&out, SLIM_VIEW("before")) == SLIM_OK) {
        enum slim_status status = slim_wire_put_session_message(&out, &swept_message);
        CHECK(status == SLIM_OK || (status == SLIM_ERR_NO_MEMORY && out.len == strlen("before")));
        CHECK(slim_view_has_prefix(slim_buf_view(&out), SLIM_VIEW("before")));
    }
    slim_buf_fini(&out);
}

static void failed_allocations_leave_the_buffer_as_it_was(void **state)
{
    (void)state;
    struct slim_buf base = {.len = 0};
    static const struct slim_wire_pair pairs[] = {
        {{(const uint8_t *)"key", 3}, {(const uint8_t *)"value", 5}}};
    static const uint8_t bytes[5000];
    typical(&swept_message, &base);
    swept_message.metadata = (struct slim_wire_metadata){.pairs = pairs, .count = 1};
    slim_sweep_alloc(write_swept_message);
    swept_message.payload = (struct slim_wire_payload){
        .kind = SLIM_WIRE_PAYLOAD_GROUP_PROPOSAL,
        .group_proposal = {.source = swept_message.head.source,
                           .mls_proposal = slim_view_of(bytes, sizeof(bytes))}};
    slim_sweep_alloc(write_swept_message);
    slim_buf_fini(&base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_frames_are_written_as_they_were_read),
        cmocka_unit_test(random_messages_survive_a_round_trip),
        cmocka_unit_test(payload_fields_come_back),
        cmocka_unit_test(last_content_wins),
        cmocka_unit_test(metadata_is_found_in_either_form),
        cmocka_unit_test(metadata_between_other_fields_is_walked),
        cmocka_unit_test(what_is_no_publish_is_refused),
        cmocka_unit_test(every_message_type_has_its_payload),
        cmocka_unit_test(negative_enum_values_are_kept),
        cmocka_unit_test(reading_allocates_nothing),
        cmocka_unit_test(failed_allocations_leave_the_buffer_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
