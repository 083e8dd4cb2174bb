/* The recorded messages of a reference node: what we read from them, what we pass on, and what we write ourselves. */
#include "support/check.h"
#include "vector_file.h"
#include "wire/wire.h"

static bool is_token(struct slim_view token, const char *text)
{
    return slim_view_is_equal(token, slim_view_str(text));
}

/* What a node may not act on, by step of the conformance script. The other steps have no fault. */
static const struct {
    const char *step;
    enum slim_wire_fault fault;
} step_faults[] = {
    {"16", SLIM_WIRE_FAULT_NO_SESSION_HEADER}, {"17", SLIM_WIRE_FAULT_NO_SOURCE},
    {"18", SLIM_WIRE_FAULT_NO_DESTINATION},    {"19", SLIM_WIRE_FAULT_NO_HEADER},
    {"21", SLIM_WIRE_FAULT_NO_MESSAGE_TYPE},
};

static enum slim_wire_fault fault_of_step(struct slim_view step)
{
    for (size_t i = 0; i < SLIM_COUNT(step_faults); i++) {
        if (is_token(step, step_faults[i].step)) {
            return step_faults[i].fault;
        }
    }
    return SLIM_WIRE_FAULT_NONE;
}

static void check_subscription_is_written_alike(const struct slim_wire_head *head,
                                                struct slim_view sent)
{
    struct slim_buf out = {.len = 0};
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
    CHECK_OK(slim_wire_put_subscription(&out, &s));
    CHECK(slim_view_is_equal(slim_buf_view(&out), sent));
    slim_buf_fini(&out);
}

static void check_answer_is_written_alike(const struct slim_wire_head *head, struct slim_view sent)
{
    struct slim_buf out = {.len = 0};
    if (head->kind == SLIM_WIRE_LINK) {
        CHECK_OK(slim_wire_put_link(&out, head->link_id, head->slim_version, head->is_reply));
    } else {
        CHECK_OK(slim_wire_put_subscription_ack(&out, head->subscription_id, head->success,
                                                head->error_text));
    }
    CHECK(slim_view_is_equal(slim_buf_view(&out), sent));
    slim_buf_fini(&out);
}

static void check_sent(struct slim_view step, struct slim_view sent)
{
    struct slim_wire_head head;
    char why[32];
    (void)snprintf(why, sizeof(why), "step %.*s", SLIM_VIEW_ARG(step)); /* two digits */
    CHECK_ROW(why, slim_wire_read_head(sent, &head) == SLIM_OK);
    CHECK_ROW(why, head.fault == fault_of_step(step));
    switch (head.kind) {
    case SLIM_WIRE_SUBSCRIBE:
    case SLIM_WIRE_UNSUBSCRIBE:
        check_subscription_is_written_alike(&head, sent);
        break;
    case SLIM_WIRE_LINK:
    case SLIM_WIRE_SUBSCRIPTION_ACK:
        check_answer_is_written_alike(&head, sent);
        break;
    case SLIM_WIRE_NONE:
    case SLIM_WIRE_PUBLISH:
        break;
    }
}

/* The reference sends on what it got without recv_from and forward_to and with its own incoming_conn; we send on what
 * slim_wire_put_stripped makes of it. Without the three fields both must be the same bytes. */
static void check_received(struct slim_view step, struct slim_view sent, struct slim_view received)
{
    struct slim_wire_head head;
    CHECK_OK(slim_wire_read_head(received, &head));
    if (head.kind == SLIM_WIRE_LINK || head.kind == SLIM_WIRE_SUBSCRIPTION_ACK) {
        check_answer_is_written_alike(&head, received);
        return;
    }
    CHECK(head.fault == SLIM_WIRE_FAULT_NONE);
    CHECK(!head.has_recv_from && !head.has_forward_to && head.has_incoming_conn);
    if (is_token(step, "14")) {
        return; /* an unknown field: the reference drops it, we pass it on */
    }
    struct slim_buf ours = {.len = 0};
    struct slim_buf theirs = {.len = 0};
    CHECK_OK(slim_wire_put_stripped(&ours, sent));
    CHECK_OK(slim_wire_put_stripped(&theirs, received));
    CHECK(slim_view_is_equal(slim_buf_view(&ours), slim_buf_view(&theirs)));
    CHECK(ours.len <= sent.len && theirs.len < received.len);
    slim_buf_fini(&ours);
    slim_buf_fini(&theirs);
}

static void run_script(const char *name, size_t want_sent, size_t want_received)
{
    struct vector_file file;
    struct slim_view token;
    struct slim_view step = {0};
    struct slim_buf sent = {.len = 0};
    bool is_key;
    enum { OTHER, STEP, SENT, RECEIVED } place = OTHER;
    size_t sent_count = 0;
    size_t received_count = 0;

    vector_file_load(&file, name);
    while (vector_file_next(&file, &token, &is_key)) {
        if (is_key) {
            if (is_token(token, "n")) {
                place = STEP;
            } else if (is_token(token, "send_hex")) {
                place = SENT;
            } else if (is_token(token, "receive_hex")) {
                place = RECEIVED;
            } else if (place != RECEIVED) { /* within receive_hex, keys are peers */
                place = OTHER;
            }
            continue;
        }
        if (place == STEP) {
            step = token;
        } else if (place == SENT) {
            vector_unhex_fini(&sent);
            vector_unhex(token, &sent);
            check_sent(step, slim_buf_view(&sent));
            sent_count++;
        } else if (place == RECEIVED) {
            struct slim_buf received;
            vector_unhex(token, &received);
            check_received(step, slim_buf_view(&sent), slim_buf_view(&received));
            vector_unhex_fini(&received);
            received_count++;
        }
    }
    CHECK(sent_count == want_sent);
    CHECK(received_count == want_received);
    vector_unhex_fini(&sent);
    vector_file_fini(&file);
}

static void forwarding_script_of_1_0_0_agrees(void **state)
{
    (void)state;
    run_script("wire/node_forwarding_v1.0.0.json", 45, 22);
}

static void forwarding_script_of_1_4_0_agrees(void **state)
{
    (void)state;
    run_script("wire/node_forwarding_v1.4.0.json", 45, 22);
}

static void invalid_messages_get_the_answer_they_deserve(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        enum slim_status status;
        enum slim_wire_fault fault;
    } rows[] = {
        {"not protobuf", SLIM_ERR_MALFORMED, SLIM_WIRE_FAULT_NONE},
        {"invalid UTF-8 in identity", SLIM_ERR_MALFORMED, SLIM_WIRE_FAULT_NONE},
        {"empty message (no message_type)", SLIM_OK, SLIM_WIRE_FAULT_NO_MESSAGE_TYPE},
        {"1.4.0 Link message", SLIM_OK, SLIM_WIRE_FAULT_NONE},
        {"1.4.0 SubscriptionAck", SLIM_OK, SLIM_WIRE_FAULT_NONE},
        {"Subscribe without header", SLIM_OK, SLIM_WIRE_FAULT_NO_HEADER},
        {"Subscribe without destination", SLIM_OK, SLIM_WIRE_FAULT_NO_DESTINATION},
        {"Publish, source without EncodedName (reference panics)", SLIM_OK,
         SLIM_WIRE_FAULT_NO_ENCODED_NAME},
        {"Publish, destination without StringName (reference panics)", SLIM_OK,
         SLIM_WIRE_FAULT_NO_ENCODED_NAME},
        {"Subscribe, source without StringName (reference panics)", SLIM_OK,
         SLIM_WIRE_FAULT_NO_ENCODED_NAME},
        /* two more cases are described by their size only: test_head.c has them */
    };
    struct vector_file file;
    struct slim_view token;
    bool is_key;
    bool is_case = false;
    bool is_sent = false;
    size_t count = 0;
    vector_file_load(&file, "wire/node_invalid_messages_v1.0.0.json");
    while (count < SLIM_COUNT(rows) && vector_file_next(&file, &token, &is_key)) {
        if (is_key) {
            is_case = is_token(token, "case");
            is_sent = is_token(token, "send_hex");
        } else if (is_case) {
            CHECK_ROW(rows[count].why, is_token(token, rows[count].why));
        } else if (is_sent) {
            struct slim_buf sent;
            struct slim_wire_head head;
            vector_unhex(token, &sent);
            CHECK_ROW(rows[count].why,
                      slim_wire_read_head(slim_buf_view(&sent), &head) == rows[count].status);
            CHECK_ROW(rows[count].why,
                      rows[count].status != SLIM_OK || head.fault == rows[count].fault);
            vector_unhex_fini(&sent);
            count++;
        }
    }
    CHECK(count == SLIM_COUNT(rows));
    vector_file_fini(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forwarding_script_of_1_0_0_agrees),
        cmocka_unit_test(forwarding_script_of_1_4_0_agrees),
        cmocka_unit_test(invalid_messages_get_the_answer_they_deserve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
