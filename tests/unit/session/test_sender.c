/* The sender's table, driven by hand: a log of what it transmits and completes. */
#include "session/sender.h"
#include "support/check.h"

enum { LOG_MAX = 4096, INTERVAL = 1000, RETRIES = 3 };

struct sent {
    uint32_t slot;
    uint32_t message_id;
    uint32_t repeat_count;
    char text[16];
};
struct ended {
    uint64_t op;
    uint32_t message_id;
    enum slim_status status;
};
struct answer {
    uint32_t slot;
    uint32_t message_id;
    bool is_there;
};

static struct {
    struct slim_session_sender *sender;
    struct sent sent[LOG_MAX];
    size_t sent_count;
    struct ended ended[LOG_MAX];
    size_t ended_count;
    struct answer answers[LOG_MAX];
    size_t answer_count;
    size_t writable_count;
    enum slim_status transmit_status;
    bool seals; /* transmit leaves a ciphertext with the message */
} t;

static enum slim_status on_transmit(void *ctx, struct slim_session_outgoing *message, uint32_t slot)
{
    CHECK(ctx == &t && t.sent_count < LOG_MAX);
    struct sent *sent = &t.sent[t.sent_count++];
    *sent = (struct sent){
        .slot = slot, .message_id = message->message_id, .repeat_count = message->repeat_count};
    size_t len = message->content.blob.len < 15 ? message->content.blob.len : 15;
    if (len > 0) {
        memcpy(sent->text, message->content.blob.data, len);
    }
    if (t.seals && message->sealed.len == 0) {
        return slim_buf_put(&message->sealed, SLIM_VIEW("sealed"));
    }
    return t.transmit_status;
}

static void on_answer(void *ctx, uint32_t slot, uint32_t message_id,
                      struct slim_session_outgoing *message)
{
    CHECK(ctx == &t && t.answer_count < LOG_MAX);
    t.answers[t.answer_count++] = (struct answer){slot, message_id, message != NULL};
}

static void on_complete(void *ctx, uint64_t op, uint32_t message_id, enum slim_status status)
{
    CHECK(ctx == &t && t.ended_count < LOG_MAX);
    t.ended[t.ended_count++] = (struct ended){op, message_id, status};
}

static void on_writable(void *ctx)
{
    CHECK(ctx == &t);
    t.writable_count++;
}

static const struct slim_session_sender_owner owner = {&t, on_transmit, on_answer, on_complete,
                                                       on_writable};

static void forget_log(void)
{
    t.sent_count = 0;
    t.ended_count = 0;
    t.answer_count = 0;
    t.writable_count = 0;
}

static void start(bool is_reliable, uint32_t number)
{
    struct slim_session_sender_options options = {is_reliable, INTERVAL, RETRIES, number};
    memset(&t, 0, sizeof(t));
    CHECK_OK(slim_session_sender_new(&options, &owner, &t.sender));
}

static void stop(void)
{
    slim_session_sender_free(t.sender);
    t.sender = NULL;
}

static enum slim_status publish(uint64_t now_ms, const char *text, uint64_t op)
{
    struct slim_session_content content = {.blob = slim_view_str(text)};
    return slim_session_sender_publish(t.sender, now_ms, &content, op, NULL);
}

static enum slim_status publish_to(uint64_t now_ms, uint32_t slot, uint32_t number, uint64_t op)
{
    struct slim_session_content content = {.blob = SLIM_VIEW("direct")};
    return slim_session_sender_publish_to(t.sender, now_ms, slot, &content, number, op);
}

static bool was_sent(size_t index, uint32_t slot, uint32_t message_id, const char *text)
{
    return index < t.sent_count && t.sent[index].slot == slot &&
           t.sent[index].message_id == message_id && strcmp(t.sent[index].text, text) == 0;
}

static bool has_ended(size_t index, uint64_t op, enum slim_status status)
{
    return index < t.ended_count && t.ended[index].op == op && t.ended[index].status == status;
}

/* ---- reliable */

static void message_is_complete_when_all_have_acknowledged(void **state)
{
    start(true, 0);
    CHECK_OK(slim_session_sender_add(t.sender, 3, 0));
    CHECK_OK(slim_session_sender_add(t.sender, 200, 0)); /* another word of the set */
    CHECK_OK(publish(0, "one", 71));
    CHECK(t.sent_count == 1 && was_sent(0, SLIM_SESSION_ALL, 1, "one"));
    slim_session_sender_take_ack(t.sender, 1, 3, 1);
    slim_session_sender_take_ack(t.sender, 1, 3, 1);   /* again */
    slim_session_sender_take_ack(t.sender, 1, 4, 1);   /* no member */
    slim_session_sender_take_ack(t.sender, 1, 200, 2); /* no such message */
    slim_session_sender_take_ack(t.sender, 1, 70000, 1);
    CHECK(t.ended_count == 0);
    slim_session_sender_take_ack(t.sender, 1, 200, 1);
    CHECK(t.ended_count == 1 && has_ended(0, 71, SLIM_OK));
    CHECK(slim_session_sender_pending(t.sender) == 0);
    stop();
}

static void missing_ones_alone_are_repeated_to(void **state)
{
    start(true, 0);
    for (uint32_t slot = 0; slot < 100; slot++) {
        CHECK_OK(slim_session_sender_add(t.sender, slot, 0));
    }
    CHECK_OK(publish(0, "one", 1));
    for (uint32_t slot = 0; slot < 100; slot++) {
        if (slot != 5 && slot != 99) {
            slim_session_sender_take_ack(t.sender, 10, slot, 1);
        }
    }
    CHECK(slim_session_sender_tick(t.sender, INTERVAL - 1) == INTERVAL);
    CHECK(t.sent_count == 1);
    CHECK(slim_session_sender_tick(t.sender, INTERVAL) == 2 * INTERVAL);
    CHECK(t.sent_count == 3 && was_sent(1, 5, 1, "one") && was_sent(2, 99, 1, "one"));
    CHECK(t.sent[0].repeat_count == 0 && t.sent[2].repeat_count == 1);
    slim_session_sender_take_ack(t.sender, INTERVAL, 5, 1);
    slim_session_sender_take_ack(t.sender, INTERVAL, 99, 1);
    CHECK(has_ended(0, 1, SLIM_OK));
    CHECK(slim_session_sender_tick(t.sender, 2 * INTERVAL) == UINT64_MAX);
    CHECK(t.sent_count == 3);
    stop();
}

static void exhausted_message_fails_once_and_is_not_repeated(void **state)
{
    start(true, 0);
    CHECK_OK(slim_session_sender_add(t.sender, 0, 0));
    CHECK_OK(slim_session_sender_add(t.sender, 1, 0));
    CHECK_OK(publish(0, "one", 1));
    slim_session_sender_take_ack(t.sender, 0, 0, 1);
    for (uint64_t n = 1; n <= RETRIES; n++) {
        CHECK(slim_session_sender_tick(t.sender, n * INTERVAL) == (n + 1) * INTERVAL);
        CHECK(t.sent_count == 1 + n && t.ended_count == 0);
    }
    CHECK(slim_session_sender_tick(t.sender, (RETRIES + 1) * INTERVAL) == UINT64_MAX);
    CHECK(t.ended_count == 1 && has_ended(0, 1, SLIM_ERR_TIMEOUT));
    slim_session_sender_take_ack(t.sender, 9000, 1, 1);
    CHECK(slim_session_sender_tick(t.sender, 90000) == UINT64_MAX);
    CHECK(t.sent_count == 1 + RETRIES && t.ended_count == 1);
    CHECK_OK(publish(90000, "two", 2)); /* the next one is for both again */
    slim_session_sender_take_ack(t.sender, 90001, 0, 2);
    CHECK(t.ended_count == 1);
    slim_session_sender_take_ack(t.sender, 90001, 1, 2);
    CHECK(has_ended(1, 2, SLIM_OK));
    stop();
}

static void late_tick_repeats_once(void **state)
{
    start(true, 0);
    CHECK_OK(slim_session_sender_add(t.sender, 0, 0));
    CHECK_OK(publish(0, "one", 1));
    CHECK(slim_session_sender_tick(t.sender, 50 * INTERVAL) == 51 * INTERVAL);
    CHECK(t.sent_count == 2);
    CHECK(slim_session_sender_tick(t.sender, 1) == 51 * INTERVAL); /* time does not go back */
    CHECK(t.sent_count == 2);
    stop();
}

static void defect_16_failed_transmission_cancels_nothing(void **state)
{
    start(true, 0);
    t.transmit_status = SLIM_ERR_CLOSED;
    CHECK_OK(slim_session_sender_add(t.sender, 0, 0));
    CHECK_OK(publish(0, "one", 1));
    CHECK(t.ended_count == 0);
    (void)slim_session_sender_tick(t.sender, INTERVAL); /* the log is looked at */
    CHECK(was_sent(1, 0, 1, "one"));
    stop();
}

static void numbers_wrap_at_2_31(void **state)
{
    start(true, SLIM_SESSION_SEQUENCE_MAX - 1);
    CHECK_OK(slim_session_sender_add(t.sender, 0, 0));
    for (uint64_t op = 0; op < 3; op++) {
        CHECK_OK(publish(0, "x", op));
    }
    CHECK(t.sent[0].message_id == SLIM_SESSION_SEQUENCE_MAX);
    CHECK(t.sent[1].message_id == 0 && t.sent[2].message_id == 1);
    for (size_t i = 0; i < 3; i++) {
        slim_session_sender_take_ack(t.sender, 0, 0, t.sent[i].message_id);
        CHECK(has_ended(i, i, SLIM_OK));
    }
    /* the window across the wrap */
    stop();
    start(true, SLIM_SESSION_SEQUENCE_MAX - 5);
    CHECK_OK(slim_session_sender_add(t.sender, 0, 0));
    for (uint64_t op = 0; op < SLIM_SESSION_SEND_WINDOW; op++) {
        CHECK_OK(publish(0, "x", op));
    }
    CHECK(publish(0, "x", 0) == SLIM_AGAIN);
    stop();
}

/* ---- members */

static void messages_wait_for_the_first_member_and_go_in_order(void **state)
{
    start(true, 0);
    CHECK_OK(publish(0, "a", 1));
    CHECK_OK(publish(0, "b", 2));
    CHECK(t.sent_count == 0 && slim_session_sender_pending(t.sender) == 2);
    CHECK(slim_session_sender_on_the_way(t.sender) == 0);
    CHECK(slim_session_sender_tick(t.sender, 100000) == UINT64_MAX);
    CHECK_OK(slim_session_sender_add(t.sender, 7, 100000));
    CHECK(t.sent_count == 2 && was_sent(0, SLIM_SESSION_ALL, 1, "a") &&
          was_sent(1, SLIM_SESSION_ALL, 2, "b"));
    CHECK(slim_session_sender_on_the_way(t.sender) == 2);
    CHECK_OK(slim_session_sender_add(t.sender, 7, 100000)); /* again: nothing */
    CHECK_OK(slim_session_sender_add(t.sender, 8, 100000)); /* not for it */
    CHECK(t.sent_count == 2);
    slim_session_sender_take_ack(t.sender, 100001, 7, 1);
    slim_session_sender_take_ack(t.sender, 100001, 7, 2);
    CHECK(has_ended(0, 1, SLIM_OK) && has_ended(1, 2, SLIM_OK));
    stop();
}

static void defect_09_old_messages_are_not_replayed_to_a_new_member(void **state)
{
    start(true, 0);
    CHECK_OK(slim_session_sender_add(t.sender, 0, 0));
    CHECK_OK(publish(0, "secret", 1));
    CHECK_OK(publish(0, "secret too", 2));
    slim_session_sender_take_ack(t.sender, 0, 0, 1);
    slim_session_sender_remove(t.sender, 0, 0);
    CHECK_OK(publish(0, "later", 3));
    forget_log();
    CHECK_OK(slim_session_sender_add(t.sender, 0, 0)); /* the same slot, somebody else */
    CHECK(t.sent_count == 1 && was_sent(0, SLIM_SESSION_ALL, 3, "later"));
    (void)slim_session_sender_tick(t.sender, INTERVAL); /* the log is looked at */
    CHECK(t.sent_count == 2 && was_sent(1, 0, 3, "later"));
    slim_session_sender_take_rtx(t.sender, INTERVAL, 0, 2);
    CHECK(t.answer_count == 1 && !t.answers[0].is_there);
    stop();
}

static void defect_10_removing_the_last_missing_member_completes(void **state)
{
    start(true, 0);
    CHECK_OK(slim_session_sender_add(t.sender, 0, 0));
    CHECK_OK(slim_session_sender_add(t.sender, 1, 0));
    CHECK_OK(publish(0, "one", 1));
    CHECK_OK(publish(0, "two", 2));
    CHECK_OK(publish_to(0, 1, SLIM_SESSION_DIRECT_MIN, 3));
    slim_session_sender_take_ack(t.sender, 0, 0, 1);
    slim_session_sender_remove(t.sender, 1, 0);
    CHECK(t.ended_count == 2 && has_ended(0, 1, SLIM_OK) && has_ended(1, 3, SLIM_OK));
    slim_session_sender_remove(t.sender, 1, 0);
    slim_session_sender_remove(t.sender, 900, 0);
    slim_session_sender_take_ack(t.sender, 0, 0, 2);
    CHECK(t.ended_count == 3 && has_ended(2, 2, SLIM_OK));
    CHECK(slim_session_sender_tick(t.sender, INTERVAL) == UINT64_MAX);
    stop();
}

static void reused_slot_does_not_inherit_messages(void **state)
{
    start(true, 0);
    CHECK_OK(slim_session_sender_add(t.sender, 0, 0));
    CHECK_OK(slim_session_sender_add(t.sender, 1, 0));
    CHECK_OK(publish(0, "one", 1));
    slim_session_sender_remove(t.sender, 1, 0);
    CHECK_OK(slim_session_sender_add(t.sender, 1, 0));
    slim_session_sender_take_rtx(t.sender, 0, 1, 1);
    CHECK(t.answer_count == 1 && !t.answers[0].is_there); /* it was not meant for this one */
    (void)slim_session_sender_tick(t.sender, INTERVAL);   /* the log is looked at */
    CHECK(t.sent_count == 2 && was_sent(1, 0, 1, "one"));
    stop();
}

static void held_messages_go_to_who_is_there_at_the_release(void **state)
{
    start(true, 0);
    CHECK_OK(slim_session_sender_add(t.sender, 0, 0));
    slim_session_sender_hold(t.sender);
    CHECK_OK(publish(0, "one", 1));
    CHECK_OK(publish_to(0, 0, SLIM_SESSION_DIRECT_MAX, 2));
    CHECK_OK(slim_session_sender_add(t.sender, 1, 0));
    CHECK(t.sent_count == 0 && slim_session_sender_on_the_way(t.sender) == 0);
    slim_session_sender_release(t.sender, 0);
    CHECK(t.sent_count == 2 && was_sent(0, SLIM_SESSION_ALL, 1, "one") &&
          was_sent(1, 0, SLIM_SESSION_DIRECT_MAX, "direct"));
    slim_session_sender_take_ack(t.sender, 0, 0, 1);
    CHECK(t.ended_count == 0);
    slim_session_sender_take_ack(t.sender, 0, 1, 1);
    CHECK(has_ended(0, 1, SLIM_OK));

    slim_session_sender_hold(t.sender); /* a direct one that never went to somebody who left */
    CHECK_OK(publish_to(0, 1, SLIM_SESSION_DIRECT_MIN, 4));
    slim_session_sender_remove(t.sender, 1, 0);
    CHECK(has_ended(1, 4, SLIM_ERR_NOT_FOUND));
    stop();
}

static void slots_are_bounded(void **state)
{
    start(true, 0);
    CHECK(slim_session_sender_add(t.sender, SLIM_SESSION_MEMBERS_MAX, 0) == SLIM_ERR_LIMIT);
    CHECK_OK(slim_session_sender_add(t.sender, SLIM_SESSION_MEMBERS_MAX - 1, 0));
    CHECK_OK(publish(0, "x", 1));
    slim_session_sender_take_ack(t.sender, 0, SLIM_SESSION_MEMBERS_MAX - 1, 1);
    CHECK(has_ended(0, 1, SLIM_OK));
    stop();
}

/* ---- direct messages */

static void direct_message_is_for_one_member(void **state)
{
    start(true, 0);
    CHECK_OK(slim_session_sender_add(t.sender, 0, 0));
    CHECK_OK(slim_session_sender_add(t.sender, 1000, 0));
    CHECK(publish_to(0, 2, SLIM_SESSION_DIRECT_MIN, 1) == SLIM_ERR_NOT_FOUND);
    CHECK_OK(publish_to(0, 1000, SLIM_SESSION_DIRECT_MIN + 5, 1));
    CHECK(publish_to(0, 0, SLIM_SESSION_DIRECT_MIN + 5, 2) == SLIM_ERR_EXISTS);
    CHECK(t.sent_count == 1 && was_sent(0, 1000, SLIM_SESSION_DIRECT_MIN + 5, "direct"));
    slim_session_sender_take_ack(t.sender, 0, 0, SLIM_SESSION_DIRECT_MIN + 5); /* not its */
    (void)slim_session_sender_tick(t.sender, INTERVAL); /* the log is looked at */
    CHECK(t.sent_count == 2 && was_sent(1, 1000, SLIM_SESSION_DIRECT_MIN + 5, "direct"));
    slim_session_sender_take_ack(t.sender, 0, 1000, SLIM_SESSION_DIRECT_MIN + 5);
    CHECK(has_ended(0, 1, SLIM_OK));
    CHECK_OK(publish(0, "sequence", 3)); /* it used up no number */
    CHECK(t.sent[2].message_id == 1);
    stop();
}

/* ---- requests */

static void request_is_no_acknowledgement(void **state)
{
    start(true, 0);
    CHECK_OK(slim_session_sender_add(t.sender, 0, 0));
    CHECK_OK(publish(0, "one", 1));
    slim_session_sender_take_rtx(t.sender, 500, 0, 1);
    CHECK(t.answer_count == 1 && t.answers[0].is_there && t.ended_count == 0);
    slim_session_sender_take_ack(t.sender, 600, 0, 1);
    CHECK(has_ended(0, 1, SLIM_OK));
    stop();
}

static void answered_member_is_left_out_of_one_repetition(void **state)
{
    start(true, 0);
    CHECK_OK(slim_session_sender_add(t.sender, 0, 0));
    CHECK_OK(slim_session_sender_add(t.sender, 1, 0));
    CHECK_OK(publish(0, "one", 1));
    slim_session_sender_take_rtx(t.sender, 900, 0, 1);
    CHECK(slim_session_sender_tick(t.sender, INTERVAL) == 2 * INTERVAL);
    CHECK(t.sent_count == 2 && was_sent(1, 1, 1, "one"));
    slim_session_sender_take_ack(t.sender, 1900, 1, 1);
    CHECK(slim_session_sender_tick(t.sender, 2 * INTERVAL) == 3 * INTERVAL);
    CHECK(t.sent_count == 3 && was_sent(2, 0, 1, "one")); /* it has not acknowledged the answer */
    CHECK(t.ended_count == 0);
    slim_session_sender_take_ack(t.sender, 2100, 0, 1);
    CHECK(has_ended(0, 1, SLIM_OK));
    stop();
}

static void last_answer_gets_an_interval(void **state)
{
    start(true, 0);
    CHECK_OK(slim_session_sender_add(t.sender, 0, 0));
    CHECK_OK(publish(0, "one", 1));
    for (uint64_t n = 1; n <= RETRIES; n++) {
        CHECK(slim_session_sender_tick(t.sender, n * INTERVAL) == (n + 1) * INTERVAL);
    }
    slim_session_sender_take_rtx(t.sender, (RETRIES + 1) * INTERVAL - 1, 0, 1);
    CHECK(slim_session_sender_tick(t.sender, (RETRIES + 1) * INTERVAL) == (RETRIES + 2) * INTERVAL);
    CHECK(t.ended_count == 0 && t.sent_count == 1 + RETRIES);
    slim_session_sender_take_ack(t.sender, (RETRIES + 1) * INTERVAL + 1, 0, 1);
    CHECK(has_ended(0, 1, SLIM_OK));
    stop();
}

static void requests_without_end_do_not_keep_a_message(void **state)
{
    start(true, 0);
    CHECK_OK(slim_session_sender_add(t.sender, 0, 0));
    CHECK_OK(publish(0, "one", 1));
    uint64_t now_ms = 0;
    while (t.ended_count == 0 && now_ms < 1000000) {
        now_ms += 100;
        slim_session_sender_take_rtx(t.sender, now_ms, 0, 1);
        (void)slim_session_sender_tick(t.sender, now_ms); /* the log is looked at */
    }
    CHECK(t.ended_count == 1 && now_ms <= (RETRIES + 3) * INTERVAL);
    stop();
}

static void strangers_and_old_numbers_get_no_message(void **state)
{
    start(true, 0);
    CHECK_OK(slim_session_sender_add(t.sender, 0, 0));
    CHECK_OK(publish(0, "one", 1));
    slim_session_sender_take_rtx(t.sender, 0, 1, 1);
    CHECK(t.answer_count == 0); /* no member */
    slim_session_sender_take_rtx(t.sender, 0, 0, 2);
    CHECK(t.answer_count == 1 && !t.answers[0].is_there); /* no such number */
    slim_session_sender_take_ack(t.sender, 0, 0, 1);
    slim_session_sender_take_rtx(t.sender, 0, 0, 1);
    CHECK(t.answer_count == 2 && !t.answers[1].is_there); /* complete and forgotten */
    stop();
}

/* ---- the window */

static void defect_18_full_window_is_said_and_opens_again(void **state)
{
    start(true, 0);
    CHECK_OK(slim_session_sender_add(t.sender, 0, 0));
    for (uint32_t i = 1; i <= SLIM_SESSION_SEND_WINDOW; i++) {
        CHECK_OK(publish(0, "x", i));
    }
    CHECK(publish(0, "x", 0) == SLIM_AGAIN && publish(0, "x", 0) == SLIM_AGAIN);
    CHECK(publish_to(0, 0, SLIM_SESSION_DIRECT_MIN, 0) == SLIM_AGAIN);
    for (uint32_t i = 1; i <= SLIM_SESSION_SEND_WINDOW; i++) {
        slim_session_sender_take_ack(t.sender, 0, 0, i);
    }
    CHECK(t.writable_count == 1 && t.ended_count == SLIM_SESSION_SEND_WINDOW);
    CHECK_OK(publish(0, "x", 1));
    CHECK(t.sent[t.sent_count - 1].message_id == SLIM_SESSION_SEND_WINDOW + 1); /* none used up */
    stop();
}

static void one_missing_message_bounds_the_numbers_behind_it(void **state)
{
    start(true, 0);
    CHECK_OK(slim_session_sender_add(t.sender, 0, 0));
    CHECK_OK(publish(0, "lost", 0));
    uint32_t number = 1;
    enum slim_status status = SLIM_OK;
    while (status == SLIM_OK && number < 10000) {
        struct slim_session_content content = {0};
        status = slim_session_sender_publish(t.sender, 0, &content, 0, &number);
        if (status == SLIM_OK) {
            slim_session_sender_take_ack(t.sender, 0, 0, number);
        }
    }
    CHECK(status == SLIM_AGAIN && number == SLIM_SESSION_SEND_WINDOW);
    slim_session_sender_take_ack(t.sender, 0, 0, 1);
    CHECK(t.writable_count == 1);
    stop();
}

static void bytes_are_bounded_too(void **state)
{
    static uint8_t large[1024 * 1024];
    start(true, 0);
    CHECK_OK(slim_session_sender_add(t.sender, 0, 0));
    struct slim_session_content content = {.blob = slim_view_of(large, sizeof(large))};
    size_t count = 0;
    while (slim_session_sender_publish(t.sender, 0, &content, 0, NULL) == SLIM_OK) {
        count++;
    }
    CHECK(count == SLIM_SESSION_SEND_BYTES_MAX / sizeof(large) - 1); /* records count as well */
    for (uint32_t i = 1; i <= count; i++) {
        slim_session_sender_take_ack(t.sender, 0, 0, i);
    }
    CHECK(t.writable_count == 1);
    content.blob.len = SLIM_SESSION_SEND_BYTES_MAX + 1;
    CHECK(slim_session_sender_publish(t.sender, 0, &content, 0, NULL) == SLIM_ERR_LIMIT);
    stop();
}

static void steady_state_allocates_nothing(void **state)
{
    start(true, 0);
    t.seals = true;
    for (uint32_t slot = 0; slot < 100; slot++) {
        CHECK_OK(slim_session_sender_add(t.sender, slot, 0));
    }
    uint64_t before = 0;
    for (uint32_t i = 1; i <= 1000; i++) {
        forget_log();
        CHECK_OK(publish(i, "steady", i));
        for (uint32_t slot = 0; slot < 100; slot++) {
            slim_session_sender_take_ack(t.sender, i, slot, i);
        }
        CHECK(has_ended(0, i, SLIM_OK));
        before = i == 10 ? slim_test_alloc_count() : before;
    }
    CHECK(slim_test_alloc_count() == before);
    stop();
}

static void idle_sender_gives_its_memory_back(void **state)
{
    start(true, 0);
    CHECK_OK(slim_session_sender_add(t.sender, 0, 0));
    int64_t live = slim_test_alloc_live();
    for (uint32_t i = 1; i <= SLIM_SESSION_SEND_WINDOW; i++) {
        CHECK_OK(publish(0, "x", i));
    }
    CHECK(slim_test_alloc_live() - live >= SLIM_SESSION_SEND_WINDOW);
    for (uint32_t i = 1; i <= SLIM_SESSION_SEND_WINDOW; i++) {
        slim_session_sender_take_ack(t.sender, 0, 0, i);
    }
    CHECK(slim_session_sender_tick(t.sender, INTERVAL) == UINT64_MAX);
    CHECK(slim_test_alloc_live() - live <= 16);
    stop();
}

/* ---- unreliable, closing */

static void unreliable_message_ends_as_its_transmission_did(void **state)
{
    start(false, 0);
    CHECK_OK(publish(0, "held", 1));
    CHECK(t.ended_count == 0);
    CHECK_OK(slim_session_sender_add(t.sender, 0, 0));
    CHECK(t.sent_count == 1 && has_ended(0, 1, SLIM_OK));
    t.transmit_status = SLIM_ERR_CLOSED;
    CHECK_OK(publish(0, "x", 2));
    CHECK(has_ended(1, 2, SLIM_ERR_CLOSED) && t.sent[1].message_id == 2);
    t.transmit_status = SLIM_OK;
    t.seals = true;
    CHECK_OK(publish_to(0, 0, SLIM_SESSION_DIRECT_MIN, 3));
    CHECK(has_ended(2, 3, SLIM_OK) && t.sent[2].slot == 0);
    slim_session_sender_take_ack(t.sender, 0, 0, 2);
    slim_session_sender_take_rtx(t.sender, 0, 0, 2);
    CHECK(t.ended_count == 3 && slim_session_sender_pending(t.sender) == 0);
    CHECK(slim_session_sender_tick(t.sender, INTERVAL) == UINT64_MAX);
    stop();
}

static void closing_ends_everything_with_its_status(void **state)
{
    start(true, 0);
    CHECK_OK(publish(0, "one", 1));
    CHECK_OK(slim_session_sender_add(t.sender, 0, 0));
    slim_session_sender_hold(t.sender);
    CHECK_OK(publish(0, "two", 2));
    CHECK_OK(publish_to(0, 0, SLIM_SESSION_DIRECT_MIN, 3));
    slim_session_sender_close(t.sender, SLIM_ERR_CLOSED);
    CHECK(t.ended_count == 3);
    for (size_t i = 0; i < 3; i++) {
        CHECK(has_ended(i, i + 1, SLIM_ERR_CLOSED));
    }
    CHECK(publish(0, "x", 4) == SLIM_ERR_CLOSED);
    CHECK(publish_to(0, 0, SLIM_SESSION_DIRECT_MIN, 4) == SLIM_ERR_CLOSED);
    CHECK(slim_session_sender_tick(t.sender, INTERVAL) == UINT64_MAX);
    CHECK(slim_session_sender_pending(t.sender) == 0);
    stop();
}

/* ---- memory */

static void all_calls(void)
{
    struct slim_session_sender_options options = {true, INTERVAL, RETRIES, 0};
    struct slim_session_content content = {.payload_type = SLIM_VIEW("type"),
                                           .blob = SLIM_VIEW("blob"),
                                           .metadata = SLIM_VIEW("meta")};
    memset(&t, 0, sizeof(t));
    t.seals = true;
    if (slim_session_sender_new(&options, &owner, &t.sender) != SLIM_OK) {
        return;
    }
    size_t accepted = 0;
    for (uint32_t i = 0; i < 12; i++) {
        accepted += slim_session_sender_publish(t.sender, 0, &content, i, NULL) == SLIM_OK;
    }
    bool has_member = slim_session_sender_add(t.sender, 100, 0) == SLIM_OK;
    bool has_other = slim_session_sender_add(t.sender, 300, 0) == SLIM_OK;
    accepted += publish_to(1, 100, SLIM_SESSION_DIRECT_MIN, 99) == SLIM_OK;
    accepted += slim_session_sender_publish(t.sender, 1, &content, 50, NULL) == SLIM_OK;
    slim_session_sender_take_rtx(t.sender, 2, 100, 1);
    for (uint64_t now_ms = 0; now_ms < 10000; now_ms += 100) {
        (void)slim_session_sender_tick(t.sender, now_ms); /* when is not asked here */
    }
    if (has_member || has_other) {
        CHECK(t.ended_count == accepted && slim_session_sender_pending(t.sender) == 0);
    }
    slim_session_sender_close(t.sender, SLIM_ERR_CLOSED);
    CHECK(t.ended_count == accepted);
    stop();
}

static void failing_allocations_lose_no_message_that_was_taken(void **state)
{
    slim_sweep_alloc(all_calls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message_is_complete_when_all_have_acknowledged),
        cmocka_unit_test(missing_ones_alone_are_repeated_to),
        cmocka_unit_test(exhausted_message_fails_once_and_is_not_repeated),
        cmocka_unit_test(late_tick_repeats_once),
        cmocka_unit_test(defect_16_failed_transmission_cancels_nothing),
        cmocka_unit_test(numbers_wrap_at_2_31),
        cmocka_unit_test(messages_wait_for_the_first_member_and_go_in_order),
        cmocka_unit_test(defect_09_old_messages_are_not_replayed_to_a_new_member),
        cmocka_unit_test(defect_10_removing_the_last_missing_member_completes),
        cmocka_unit_test(reused_slot_does_not_inherit_messages),
        cmocka_unit_test(held_messages_go_to_who_is_there_at_the_release),
        cmocka_unit_test(slots_are_bounded),
        cmocka_unit_test(direct_message_is_for_one_member),
        cmocka_unit_test(request_is_no_acknowledgement),
        cmocka_unit_test(answered_member_is_left_out_of_one_repetition),
        cmocka_unit_test(last_answer_gets_an_interval),
        cmocka_unit_test(requests_without_end_do_not_keep_a_message),
        cmocka_unit_test(strangers_and_old_numbers_get_no_message),
        cmocka_unit_test(defect_18_full_window_is_said_and_opens_again),
        cmocka_unit_test(one_missing_message_bounds_the_numbers_behind_it),
        cmocka_unit_test(bytes_are_bounded_too),
        cmocka_unit_test(steady_state_allocates_nothing),
        cmocka_unit_test(idle_sender_gives_its_memory_back),
        cmocka_unit_test(unreliable_message_ends_as_its_transmission_did),
        cmocka_unit_test(closing_ends_everything_with_its_status),
        cmocka_unit_test(failing_allocations_lose_no_message_that_was_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
