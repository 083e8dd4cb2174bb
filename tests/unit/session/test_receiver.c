/* The receiver's table, driven by hand: a log of what it delivers, loses and asks for. */
#include "session/receiver.h"
#include "support/check.h"

enum {
    LOG_MAX = 20000,
    INTERVAL = 1000,
    RETRIES = 3,
    CONN = 77,
    BASE_WAIT = SLIM_SESSION_BASE_WAIT_MS
};

struct event {
    char kind; /* 'd' delivered, 'l' lost, 'a' lost with an answer */
    uint32_t slot;
    uint32_t message_id;
};

static struct {
    struct slim_session_receiver *receiver;
    struct event events[LOG_MAX];
    size_t event_count;
    uint32_t requests[LOG_MAX];
    size_t request_count;
    uint64_t request_conn;
    uint32_t questions[LOG_MAX];
    size_t question_count;
} t;

static void on_deliver(void *ctx, uint32_t slot, const struct slim_session_origin *origin,
                       const struct slim_session_content *content)
{
    CHECK(ctx == &t && t.event_count < LOG_MAX);
    uint32_t in_blob;
    CHECK(content->blob.len == sizeof(in_blob) && content->payload_type.len == 3);
    memcpy(&in_blob, content->blob.data, sizeof(in_blob));
    CHECK(in_blob == origin->message_id && origin->conn_id == CONN);
    t.events[t.event_count++] = (struct event){'d', slot, origin->message_id};
}

static void on_lost(void *ctx, uint32_t slot, uint32_t message_id, bool is_answered)
{
    CHECK(ctx == &t && t.event_count < LOG_MAX);
    t.events[t.event_count++] = (struct event){is_answered ? 'a' : 'l', slot, message_id};
}

static void on_request(void *ctx, uint32_t slot, uint32_t message_id, uint64_t conn_id)
{
    CHECK(ctx == &t && t.request_count < LOG_MAX);
    (void)slot;
    t.requests[t.request_count++] = message_id;
    t.request_conn = conn_id;
}

static void on_ask_base(void *ctx, uint32_t slot, uint32_t message_id, uint64_t conn_id)
{
    CHECK(ctx == &t && t.question_count < LOG_MAX && conn_id == CONN);
    t.questions[t.question_count++] = message_id;
}

static const struct slim_session_receiver_owner owner = {&t, on_deliver, on_lost, on_request,
                                                         on_ask_base};

static void start_at(bool is_reliable, uint32_t number)
{
    struct slim_session_sender_options options = {is_reliable, INTERVAL, RETRIES, number};
    memset(&t, 0, sizeof(t));
    CHECK_OK(slim_session_receiver_new(&options, &owner, &t.receiver));
}

/* A reliable receiver whose source in slot 0 is heard from its first message on, or not. */
static void start(bool from_start)
{
    start_at(true, 0);
    CHECK_OK(slim_session_receiver_add(
        t.receiver, 0, from_start ? SLIM_SESSION_FROM_START : SLIM_SESSION_GUESSED));
}

static void stop(void)
{
    slim_session_receiver_free(t.receiver);
    t.receiver = NULL;
}

static enum slim_status take_as(uint64_t now_ms, uint32_t slot, uint32_t number, bool is_direct)
{
    struct slim_session_origin origin = {
        .message_id = number, .conn_id = CONN, .is_direct = is_direct};
    struct slim_session_content content = {.payload_type = SLIM_VIEW("msg"),
                                           .blob = slim_view_of(&number, sizeof(number))};
    return slim_session_receiver_take(t.receiver, now_ms, slot, &origin, &content);
}

static enum slim_session_verdict look(uint32_t number)
{
    return slim_session_receiver_look(t.receiver, 0, number, number > SLIM_SESSION_SEQUENCE_MAX,
                                      10);
}

/* What a session does with a message: look, and take what is new. */
static enum slim_session_verdict get(uint64_t now_ms, uint32_t number)
{
    enum slim_session_verdict verdict = look(number);
    if (verdict == SLIM_SESSION_NEW) {
        CHECK_OK(take_as(now_ms, 0, number, number > SLIM_SESSION_SEQUENCE_MAX));
    }
    return verdict;
}

static enum slim_status reserve(uint32_t number)
{
    struct slim_session_origin origin = {.message_id = number,
                                         .is_direct = number > SLIM_SESSION_SEQUENCE_MAX};
    return slim_session_receiver_reserve(t.receiver, 0, 0, &origin, 100);
}

static uint64_t tick(uint64_t now_ms)
{
    return slim_session_receiver_tick(t.receiver, now_ms);
}

/* The events so far are these: "d1 d2 l3 a4". */
static bool happened(const char *want)
{
    char text[512] = "";
    size_t len = 0;
    for (size_t i = 0; i < t.event_count && len < sizeof(text) - 20; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%c%u", i == 0 ? "" : " ",
                                t.events[i].kind, t.events[i].message_id);
    }
    if (strcmp(text, want) != 0) {
        print_error("want %s, got %s\n", want, text);
    }
    return strcmp(text, want) == 0;
}

static bool asked(const char *want)
{
    char text[512] = "";
    size_t len = 0;
    for (size_t i = 0; i < t.request_count && len < sizeof(text) - 20; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u", i == 0 ? "" : " ",
                                t.requests[i]);
    }
    if (strcmp(text, want) != 0) {
        print_error("want %s, got %s\n", want, text);
    }
    return strcmp(text, want) == 0;
}

/* ---- order */

static void messages_are_delivered_once_and_in_order(void **state)
{
    start(true);
    CHECK(get(0, 1) == SLIM_SESSION_NEW);
    CHECK(get(0, 1) == SLIM_SESSION_DUPLICATE);
    CHECK(get(0, 4) == SLIM_SESSION_NEW);
    CHECK(get(0, 4) == SLIM_SESSION_DUPLICATE);
    CHECK(get(0, 3) == SLIM_SESSION_NEW);
    CHECK(happened("d1") && asked("2 3") && t.request_conn == CONN);
    CHECK(get(0, 2) == SLIM_SESSION_NEW);
    CHECK(happened("d1 d2 d3 d4"));
    CHECK(get(0, 5) == SLIM_SESSION_NEW && get(0, 3) == SLIM_SESSION_DUPLICATE);
    CHECK(happened("d1 d2 d3 d4 d5"));
    CHECK(tick(90000) == UINT64_MAX && slim_session_receiver_wanted_count(t.receiver) == 0);
    stop();
}

static void defect_12_lost_first_message_is_delivered(void **state)
{
    start(true);
    CHECK(get(0, 2) == SLIM_SESSION_NEW);
    CHECK(happened("") && asked("1"));
    CHECK(slim_session_receiver_is_wanted(t.receiver, 0, 1));
    CHECK(get(10, 1) == SLIM_SESSION_NEW);
    CHECK(happened("d1 d2"));
    stop();
}

static void numbers_wrap_at_2_31(void **state)
{
    start_at(true, SLIM_SESSION_SEQUENCE_MAX - 2);
    CHECK_OK(slim_session_receiver_add(t.receiver, 0, SLIM_SESSION_FROM_START));
    CHECK(get(0, SLIM_SESSION_SEQUENCE_MAX - 1) == SLIM_SESSION_NEW);
    CHECK(get(0, 1) == SLIM_SESSION_NEW);
    CHECK(asked("2147483647 0"));
    CHECK(get(0, 0) == SLIM_SESSION_NEW);
    CHECK(get(0, SLIM_SESSION_SEQUENCE_MAX) == SLIM_SESSION_NEW);
    CHECK(happened("d2147483646 d2147483647 d0 d1"));
    CHECK(get(0, SLIM_SESSION_SEQUENCE_MAX) == SLIM_SESSION_DUPLICATE);
    CHECK(get(0, 2) == SLIM_SESSION_NEW);
    stop();

    start_at(true, 0); /* a base across the wrap */
    CHECK_OK(slim_session_receiver_add(t.receiver, 0, SLIM_SESSION_GUESSED));
    CHECK(get(0, 1) == SLIM_SESSION_NEW && get(10, SLIM_SESSION_SEQUENCE_MAX) == SLIM_SESSION_NEW);
    CHECK(tick(BASE_WAIT) == BASE_WAIT + INTERVAL);
    CHECK(happened("d2147483647") && asked("0"));
    CHECK(get(BASE_WAIT + 50, 0) == SLIM_SESSION_NEW && happened("d2147483647 d0 d1"));
    CHECK(get(BASE_WAIT + 50, SLIM_SESSION_SEQUENCE_MAX - 1) == SLIM_SESSION_NEW); /* late */
    CHECK(happened("d2147483647 d0 d1 d2147483646"));
    stop();
}

static void distances_decide_what_is_after(void **state)
{
    static const struct {
        const char *why;
        uint32_t number;
        enum slim_session_verdict want;
    } rows[] = {
        {"the next", 1, SLIM_SESSION_NEW},
        {"the last of the window", SLIM_SESSION_RECEIVE_WINDOW, SLIM_SESSION_NEW},
        {"behind the window", SLIM_SESSION_RECEIVE_WINDOW + 1, SLIM_SESSION_BEYOND},
        {"the last that is after", 1U << 30, SLIM_SESSION_BEYOND},
        {"one more is before", (1U << 30) + 1, SLIM_SESSION_DUPLICATE},
        {"the one before", 0, SLIM_SESSION_DUPLICATE},
        {"the largest", SLIM_SESSION_SEQUENCE_MAX, SLIM_SESSION_DUPLICATE},
    };
    start(true);
    CHECK_OK(reserve(500)); /* something has come: its start is known */
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        CHECK_ROW(rows[i].why, look(rows[i].number) == rows[i].want);
    }
    /* a number that is not one of a sequence, and one that is none at all */
    CHECK(slim_session_receiver_look(t.receiver, 0, SLIM_SESSION_DIRECT_MIN, false, 1) ==
          SLIM_SESSION_BEYOND);
    CHECK(take_as(0, 0, SLIM_SESSION_DIRECT_MIN, false) == SLIM_ERR_LIMIT);
    CHECK(slim_session_receiver_look(t.receiver, 0, UINT32_MAX, true, 1) == SLIM_SESSION_BEYOND);
    stop();
}

/* ---- a source that was there before us */

static void first_number_of_an_older_member_waits_for_lower_ones(void **state)
{
    start(false);
    CHECK(get(1000, 42) == SLIM_SESSION_NEW && get(1010, 40) == SLIM_SESSION_NEW);
    CHECK(get(1010, 40) == SLIM_SESSION_DUPLICATE);
    CHECK(happened("") && asked(""));
    CHECK(tick(999 + BASE_WAIT) == 1000 + BASE_WAIT);
    CHECK(tick(1000 + BASE_WAIT) == 1000 + BASE_WAIT + INTERVAL);
    CHECK(happened("d40") && asked("41"));
    CHECK(get(1100 + BASE_WAIT, 41) == SLIM_SESSION_NEW && happened("d40 d41 d42"));
    stop();
}

static void lower_number_that_never_came_is_delivered_late(void **state)
{
    start(false);
    CHECK(get(0, 42) == SLIM_SESSION_NEW);
    CHECK(tick(BASE_WAIT) == UINT64_MAX && happened("d42"));
    CHECK(get(1000, 41) == SLIM_SESSION_NEW);
    CHECK(get(1000, 41) == SLIM_SESSION_DUPLICATE);
    CHECK(get(1000, 42) == SLIM_SESSION_DUPLICATE && get(1000, 43) == SLIM_SESSION_NEW);
    CHECK(happened("d42 d41 d43"));
    uint32_t lowest = (42U - SLIM_SESSION_SEND_WINDOW) & SLIM_SESSION_SEQUENCE_MAX;
    CHECK(look(lowest) == SLIM_SESSION_NEW && look(lowest - 1) == SLIM_SESSION_DUPLICATE);
    for (uint32_t i = 44; i < 42 + SLIM_SESSION_RECEIVE_WINDOW; i++) {
        CHECK(look(40) == SLIM_SESSION_NEW);
        CHECK(get(1000, i) == SLIM_SESSION_NEW);
    }
    CHECK(look(40) == SLIM_SESSION_DUPLICATE); /* that is long ago */
    stop();
}

static void message_taken_before_the_base_is_known_survives_the_leaving_of_its_sender(void **state)
{
    start(false);
    CHECK(get(0, 8) == SLIM_SESSION_NEW && get(0, 7) == SLIM_SESSION_NEW);
    CHECK(get(0, 10) == SLIM_SESSION_NEW);
    slim_session_receiver_remove(t.receiver, 0);
    CHECK(happened("d7 d8 d10")); /* all of it was acknowledged */
    CHECK(look(9) == SLIM_SESSION_BEYOND && tick(1000) == UINT64_MAX);
    stop();
}

static bool questioned(const char *want)
{
    char text[LOG_MAX] = "";
    for (size_t i = 0; i < t.question_count; i++) {
        size_t len = strlen(text);
        (void)snprintf(text + len, sizeof(text) - len, "%s%u", i > 0 ? " " : "", t.questions[i]);
    }
    return strcmp(text, want) == 0;
}

static void start_asking(void)
{
    start_at(true, 0);
    CHECK_OK(slim_session_receiver_add(t.receiver, 0, SLIM_SESSION_ASKED));
    CHECK(!slim_session_receiver_wants_base(t.receiver, 0));
}

static void answer(uint64_t now_ms, uint32_t number, uint32_t base)
{
    slim_session_receiver_take_base(t.receiver, now_ms, 0, number, base);
}

static void older_member_that_is_asked_says_where_it_begins(void **state)
{
    start_asking();
    CHECK(get(0, 42) == SLIM_SESSION_NEW && get(0, 43) == SLIM_SESSION_NEW);
    CHECK(slim_session_receiver_wants_base(t.receiver, 0) && happened(""));
    CHECK(tick(0) == INTERVAL && tick(INTERVAL) == 2 * INTERVAL);
    CHECK(questioned("43") && happened(""));
    answer(1500, 42, 40);
    CHECK(!slim_session_receiver_wants_base(t.receiver, 0));
    CHECK(happened("") && asked("40 41"));
    CHECK(get(1600, 41) == SLIM_SESSION_NEW && get(1600, 40) == SLIM_SESSION_NEW);
    CHECK(happened("d40 d41 d42 d43"));
    CHECK(look(39) == SLIM_SESSION_DUPLICATE); /* it is known that it was not for us */
    CHECK(tick(99999) == UINT64_MAX && questioned("43"));
    stop();
}

static void answer_that_nothing_is_missing_ends_the_wait_at_once(void **state)
{
    for (int is_asking = 0; is_asking < 2; is_asking++) {
        if (is_asking == 0) {
            start(false); /* whoever is not asked may answer, too */
        } else {
            start_asking();
        }
        CHECK(get(0, 42) == SLIM_SESSION_NEW);
        answer(1, 42, 42);
        CHECK(happened("d42") && look(41) == SLIM_SESSION_DUPLICATE);
        CHECK(get(1, 43) == SLIM_SESSION_NEW && happened("d42 d43"));
        CHECK(tick(99999) == UINT64_MAX && questioned("") && asked(""));
        stop();
    }
}

static void
older_member_that_does_not_answer_is_waited_for_until_repetitions_are_used_up(void **state)
{
    start_asking();
    CHECK(get(0, 42) == SLIM_SESSION_NEW);
    for (uint64_t n = 1; n <= RETRIES; n++) {
        CHECK(tick(n * INTERVAL) == (n + 1) * INTERVAL && happened(""));
    }
    CHECK(tick((RETRIES + 1) * INTERVAL) == UINT64_MAX);
    CHECK(questioned("42 42 42") && happened("d42"));
    CHECK(look(41) == SLIM_SESSION_BEYOND); /* too late: its sender must not hear that it came */
    CHECK_OK(slim_session_receiver_add(t.receiver, 0, SLIM_SESSION_ASKED));
    CHECK(get(9000, 41) == SLIM_SESSION_BEYOND && get(9000, 43) == SLIM_SESSION_NEW);
    CHECK(happened("d42 d43"));
    stop();
}

static void answers_that_cannot_be_genuine_change_nothing(void **state)
{
    static const struct {
        const char *why;
        uint32_t number;
        uint32_t base;
    } rows[] = {
        {"the number asked with has not come", 41, 40},
        {"it is only kept until it can be opened", 50, 40},
        {"a first number behind the one asked with", 42, 43},
        {"one that its sender cannot have any more", 1000, 1000 - SLIM_SESSION_SEND_WINDOW - 1},
        {"no number of a sequence", 42, SLIM_SESSION_DIRECT_MIN},
        {"asked with no number of a sequence", UINT32_MAX, 42},
    };
    start_asking();
    answer(0, 42, 42); /* before anything has come */
    CHECK(get(0, 1000) == SLIM_SESSION_NEW && get(0, 42) == SLIM_SESSION_NEW);
    CHECK_OK(reserve(50));
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        answer(0, rows[i].number, rows[i].base);
        CHECK_ROW(rows[i].why, slim_session_receiver_wants_base(t.receiver, 0) && asked(""));
    }
    slim_session_receiver_take_base(t.receiver, 0, 5, 42, 42); /* nobody's */
    answer(0, 1000, 1000); /* what is here below it was not meant for us, but acknowledged */
    CHECK(happened("d42 d1000"));
    stop();
}

static void wrong_start_does_not_make_deaf(void **state)
{
    start(true);
    CHECK(get(0, 100000) == SLIM_SESSION_NEW); /* its first messages are long forgotten */
    CHECK(tick(BASE_WAIT) == UINT64_MAX && happened("d100000"));
    CHECK(get(0, 100001) == SLIM_SESSION_NEW && happened("d100000 d100001"));
    CHECK(look(100002 + SLIM_SESSION_RECEIVE_WINDOW) == SLIM_SESSION_BEYOND);
    stop();
}

/* ---- requests */

static void defect_13_exhausted_request_does_not_block_the_source(void **state)
{
    start(true);
    CHECK(get(0, 1) == SLIM_SESSION_NEW && get(0, 3) == SLIM_SESSION_NEW);
    for (uint64_t n = 1; n <= RETRIES; n++) {
        CHECK(tick(n * INTERVAL - 1) == n * INTERVAL);
        CHECK(tick(n * INTERVAL) == (n + 1) * INTERVAL);
    }
    CHECK(asked("2 2 2 2") && happened("d1"));
    CHECK(tick((RETRIES + 1) * INTERVAL) == UINT64_MAX);
    CHECK(happened("d1 l2 d3"));
    CHECK(get(9000, 2) ==
          SLIM_SESSION_BEYOND); /* given up: its sender must not hear that it came */
    CHECK(get(9000, 4) == SLIM_SESSION_NEW && happened("d1 l2 d3 d4"));
    stop();
}

static void message_that_its_sender_has_not_got_is_told_in_its_turn(void **state)
{
    start(true);
    CHECK(get(0, 4) == SLIM_SESSION_NEW && asked("1 2 3"));
    slim_session_receiver_take_lost(t.receiver, 0, 0, 2);
    slim_session_receiver_take_lost(t.receiver, 0, 0, 2); /* again */
    slim_session_receiver_take_lost(t.receiver, 0, 0, 4); /* never asked for */
    slim_session_receiver_take_lost(t.receiver, 0, 0, 900);
    slim_session_receiver_take_lost(t.receiver, 0, 5, 1); /* another source */
    slim_session_receiver_take_lost(t.receiver, 0, 0, SLIM_SESSION_DIRECT_MIN);
    CHECK(happened("") && !slim_session_receiver_is_wanted(t.receiver, 0, 2));
    CHECK(get(0, 1) == SLIM_SESSION_NEW && happened("d1 a2"));
    slim_session_receiver_take_lost(t.receiver, 0, 0, 3);
    CHECK(happened("d1 a2 a3 d4") && slim_session_receiver_wanted_count(t.receiver) == 0);
    stop();
}

static void message_that_comes_before_its_loss_was_told_is_delivered(void **state)
{
    start(true);
    CHECK(get(0, 4) == SLIM_SESSION_NEW);
    slim_session_receiver_take_lost(t.receiver, 0, 0, 2);
    CHECK(get(0, 2) == SLIM_SESSION_NEW && get(0, 1) == SLIM_SESSION_NEW);
    CHECK(get(0, 3) == SLIM_SESSION_NEW && happened("d1 d2 d3 d4"));
    stop();
}

static void requests_are_paced(void **state)
{
    start(true);
    CHECK(get(0, 1000) == SLIM_SESSION_NEW);
    CHECK(t.request_count == SLIM_SESSION_RTX_AT_ONCE);
    CHECK(slim_session_receiver_wanted_count(t.receiver) == SLIM_SESSION_RTX_AT_ONCE);
    CHECK(get(0, 10) == SLIM_SESSION_NEW); /* one in, one more asked for */
    CHECK(t.request_count == SLIM_SESSION_RTX_AT_ONCE + 1);
    CHECK(t.requests[SLIM_SESSION_RTX_AT_ONCE] == SLIM_SESSION_RTX_AT_ONCE + 1);
    CHECK(get(0, 900) == SLIM_SESSION_NEW); /* never asked for: nothing more */
    CHECK(t.request_count == SLIM_SESSION_RTX_AT_ONCE + 1);
    for (uint32_t i = 1; i < 1000; i++) {
        (void)get(0, i); /* some of them are there */
    }
    CHECK(t.event_count == 1000 && slim_session_receiver_wanted_count(t.receiver) == 0);
    for (uint32_t i = 0; i < 1000; i++) {
        CHECK(t.events[i].kind == 'd' && t.events[i].message_id == i + 1);
    }
    stop();
}

static void silent_sender_loses_everything_in_the_end(void **state)
{
    start(true);
    CHECK(get(0, 200) == SLIM_SESSION_NEW);
    uint64_t due_ms = tick(1);
    while (due_ms != UINT64_MAX) {
        due_ms = tick(due_ms);
    }
    CHECK(t.event_count == 200 && t.events[198].kind == 'l' && t.events[199].kind == 'd');
    CHECK(t.request_count == 199 * (RETRIES + 1));
    stop();
}

/* ---- bounds */

static void defect_19_sender_far_ahead_allocates_nothing(void **state)
{
    start(true);
    CHECK(get(0, 1) == SLIM_SESSION_NEW);
    uint64_t count = slim_test_alloc_count();
    for (uint32_t i = 0; i < 1000; i++) {
        CHECK(get(0, 1000000 + i) == SLIM_SESSION_BEYOND);
        CHECK(take_as(0, 0, 1000000 + i, false) == SLIM_ERR_LIMIT);
        CHECK(reserve(1000000 + i) == SLIM_ERR_LIMIT);
    }
    CHECK(slim_test_alloc_count() == count && t.request_count == 0);
    stop();
}

static void bytes_are_bounded(void **state)
{
    static uint8_t large[8 * 1024 * 1024];
    start(true);
    struct slim_session_origin origin = {.message_id = 2, .conn_id = CONN};
    struct slim_session_content content = {.blob = slim_view_of(large, sizeof(large))};
    enum slim_status status = SLIM_OK;
    for (; status == SLIM_OK; origin.message_id++) {
        status = slim_session_receiver_take(t.receiver, 0, 0, &origin, &content);
    }
    CHECK(status == SLIM_ERR_LIMIT);
    CHECK(origin.message_id - 3 == SLIM_SESSION_RECEIVE_BYTES_MAX / sizeof(large) - 1);
    CHECK(slim_session_receiver_look(t.receiver, 0, 100, false, sizeof(large)) ==
          SLIM_SESSION_BEYOND);
    CHECK(slim_session_receiver_look(t.receiver, 0, 100, false, SIZE_MAX) == SLIM_SESSION_BEYOND);
    CHECK(slim_session_receiver_look(t.receiver, 0, 1, false, sizeof(large)) == SLIM_SESSION_NEW);
    CHECK(slim_session_receiver_look(t.receiver, 0, 100, false, 10) == SLIM_SESSION_NEW);
    stop();
}

static void memory_is_given_back_when_nothing_waits(void **state)
{
    start(true);
    CHECK(get(0, 1) == SLIM_SESSION_NEW);
    int64_t live = slim_test_alloc_live();
    CHECK(get(0, 5000) == SLIM_SESSION_NEW);
    for (uint32_t i = 2; i < 5000; i++) {
        CHECK(get(0, i) == SLIM_SESSION_NEW);
    }
    (void)tick(1); /* when is not asked here */
    CHECK(slim_test_alloc_live() - live <= 8);
    CHECK(t.event_count == 5000);
    stop();
}

static void steady_state_allocates_nothing(void **state)
{
    start(true);
    CHECK(get(0, SLIM_SESSION_DIRECT_MIN) == SLIM_SESSION_NEW);
    uint64_t count = slim_test_alloc_count();
    for (uint32_t i = 1; i <= 10000; i++) {
        CHECK(get(i, i) == SLIM_SESSION_NEW);
        CHECK(get(i, i) == SLIM_SESSION_DUPLICATE);
        if (i % 4 == 0) {
            CHECK(get(i, SLIM_SESSION_DIRECT_MIN + i) == SLIM_SESSION_NEW);
        }
    }
    CHECK(slim_test_alloc_count() == count);
    stop();
}

/* ---- direct messages */

static void defect_14_direct_message_is_delivered_once(void **state)
{
    start(true);
    CHECK(get(0, SLIM_SESSION_DIRECT_MAX) == SLIM_SESSION_NEW);
    CHECK(get(0, SLIM_SESSION_DIRECT_MAX) == SLIM_SESSION_DUPLICATE);
    CHECK(t.event_count == 1 && asked(""));
    for (uint32_t i = 0; i < SLIM_SESSION_DIRECT_SEEN - 1; i++) {
        CHECK(get(0, SLIM_SESSION_DIRECT_MIN + i) == SLIM_SESSION_NEW);
    }
    CHECK(look(SLIM_SESSION_DIRECT_MAX) == SLIM_SESSION_DUPLICATE);
    CHECK(get(0, SLIM_SESSION_DIRECT_MAX - 1) == SLIM_SESSION_NEW);
    CHECK(look(SLIM_SESSION_DIRECT_MAX) == SLIM_SESSION_NEW); /* 128 later it is forgotten */
    stop();
}

/* ---- kept by the caller */

static void reserved_message_holds_its_place(void **state)
{
    start(true);
    CHECK_OK(reserve(1));
    CHECK(look(1) == SLIM_SESSION_DUPLICATE);
    CHECK(get(0, 2) == SLIM_SESSION_NEW);
    CHECK(happened("") && asked("")); /* it is here, though nobody can read it yet */
    CHECK_OK(take_as(0, 0, 1, false));
    CHECK(happened("d1 d2"));

    CHECK_OK(reserve(4));
    CHECK(asked("")); /* what is only reserved does not say that 3 exists */
    CHECK(get(0, 5) == SLIM_SESSION_NEW && asked("3"));
    CHECK_OK(reserve(3)); /* an answer that cannot be opened yet either */
    CHECK(slim_session_receiver_wanted_count(t.receiver) == 0);
    CHECK_OK(take_as(0, 0, 4, false));
    CHECK_OK(take_as(0, 0, 3, false));
    CHECK(happened("d1 d2 d3 d4 d5"));
    stop();
}

static void given_up_message_is_missing_again(void **state)
{
    start(true);
    CHECK_OK(reserve(1));
    CHECK(get(0, 2) == SLIM_SESSION_NEW && asked(""));
    slim_session_receiver_give_up(t.receiver, 0, 0, 1);
    slim_session_receiver_give_up(t.receiver, 0, 0, 2); /* that one was taken */
    CHECK(asked("1") && look(1) == SLIM_SESSION_NEW && look(2) == SLIM_SESSION_DUPLICATE);
    CHECK(get(0, 1) == SLIM_SESSION_NEW && happened("d1 d2"));

    CHECK_OK(reserve(SLIM_SESSION_DIRECT_MIN));
    CHECK(look(SLIM_SESSION_DIRECT_MIN) == SLIM_SESSION_DUPLICATE);
    slim_session_receiver_give_up(t.receiver, 0, 0, SLIM_SESSION_DIRECT_MIN);
    CHECK(get(0, SLIM_SESSION_DIRECT_MIN) == SLIM_SESSION_NEW && t.event_count == 3);
    CHECK_OK(reserve(SLIM_SESSION_DIRECT_MIN + 1));
    CHECK_OK(take_as(0, 0, SLIM_SESSION_DIRECT_MIN + 1, true));
    CHECK(look(SLIM_SESSION_DIRECT_MIN + 1) == SLIM_SESSION_DUPLICATE && t.event_count == 4);
    stop();
}

static void forged_message_that_was_kept_moves_nothing(void **state)
{
    start(true);
    CHECK_OK(reserve(8000));
    CHECK(tick(50000) == UINT64_MAX && asked(""));
    CHECK(get(0, 1) == SLIM_SESSION_NEW && happened("d1") && asked(""));
    slim_session_receiver_give_up(t.receiver, 0, 0, 8000);
    CHECK(asked("") && look(8000) == SLIM_SESSION_NEW);
    stop();

    start(false); /* nor does it fix the base */
    CHECK_OK(reserve(7000));
    CHECK(tick(50000) == UINT64_MAX);
    CHECK(get(50000, 6) == SLIM_SESSION_NEW);
    CHECK(tick(50000 + BASE_WAIT) == UINT64_MAX && happened("d6") && asked(""));
    slim_session_receiver_give_up(t.receiver, 0, 0, 7000);
    CHECK(get(50000 + BASE_WAIT, 7) == SLIM_SESSION_NEW && happened("d6 d7"));
    stop();

    start(false); /* below everything that is real */
    CHECK_OK(reserve(5));
    CHECK(get(0, 100) == SLIM_SESSION_NEW);
    CHECK(tick(BASE_WAIT) == BASE_WAIT + INTERVAL); /* 6 to 99 seem to be missing */
    slim_session_receiver_give_up(t.receiver, BASE_WAIT, 0, 5);
    CHECK(happened("d100") && slim_session_receiver_wanted_count(t.receiver) == 0);
    CHECK(get(BASE_WAIT, 99) == SLIM_SESSION_NEW && happened("d100 d99"));
    stop();

    start(false); /* the same, told where it begins: what was forged is not waited for */
    CHECK_OK(reserve(5));
    CHECK(get(0, 100) == SLIM_SESSION_NEW && get(0, 97) == SLIM_SESSION_NEW);
    answer(0, 100, 99);
    CHECK(happened("d97") && asked("99"));
    slim_session_receiver_give_up(t.receiver, 100, 0, 5);
    CHECK(get(100, 99) == SLIM_SESSION_NEW && happened("d97 d99 d100"));
    CHECK(look(98) == SLIM_SESSION_DUPLICATE && look(5) == SLIM_SESSION_DUPLICATE);
    stop();

    start(false); /* alone */
    CHECK_OK(reserve(5));
    slim_session_receiver_give_up(t.receiver, 0, 0, 5);
    CHECK(get(0, 2000000) == SLIM_SESSION_NEW && tick(BASE_WAIT) == UINT64_MAX);
    CHECK(happened("d2000000"));
    CHECK_OK(reserve(1999999)); /* a late one */
    CHECK(look(1999999) == SLIM_SESSION_DUPLICATE);
    slim_session_receiver_give_up(t.receiver, 0, 0, 1999999);
    CHECK(get(0, 1999999) == SLIM_SESSION_NEW && happened("d2000000 d1999999"));
    stop();
}

/* ---- sources */

static void sources_do_not_know_each_other(void **state)
{
    start(true);
    CHECK(slim_session_receiver_add(t.receiver, SLIM_SESSION_MEMBERS_MAX,
                                    SLIM_SESSION_FROM_START) == SLIM_ERR_LIMIT);
    CHECK_OK(slim_session_receiver_add(t.receiver, 4000, SLIM_SESSION_FROM_START));
    CHECK_OK(take_as(0, 0, 1, false));
    CHECK_OK(take_as(0, 4000, 1, false));
    CHECK_OK(take_as(0, 4000, 3, false));
    CHECK(take_as(0, 17, 1, false) == SLIM_ERR_LIMIT);
    CHECK(slim_session_receiver_look(t.receiver, 17, 1, false, 1) == SLIM_SESSION_BEYOND);
    CHECK_OK(slim_session_receiver_add(t.receiver, 0,
                                       SLIM_SESSION_GUESSED)); /* again: nothing changes */
    CHECK(look(1) == SLIM_SESSION_DUPLICATE);
    CHECK(slim_session_receiver_wanted_count(t.receiver) == 1);
    slim_session_receiver_remove(t.receiver, 4000);
    slim_session_receiver_remove(t.receiver, 4000);
    CHECK(slim_session_receiver_wanted_count(t.receiver) == 0);
    CHECK(tick(INTERVAL) == UINT64_MAX);
    CHECK_OK(
        slim_session_receiver_add(t.receiver, 4000, SLIM_SESSION_FROM_START)); /* somebody new */
    CHECK(slim_session_receiver_look(t.receiver, 4000, 1, false, 1) == SLIM_SESSION_NEW);
    stop();
}

static void unreliable_messages_are_delivered_as_they_come(void **state)
{
    start_at(false, 0);
    CHECK_OK(slim_session_receiver_add(t.receiver, 0, SLIM_SESSION_FROM_START));
    CHECK(get(0, 5) == SLIM_SESSION_NEW && get(0, 5) == SLIM_SESSION_NEW);
    CHECK(get(0, 1) == SLIM_SESSION_NEW && get(0, 1000000) == SLIM_SESSION_NEW);
    CHECK(happened("d5 d5 d1 d1000000") && asked("") && tick(10000) == UINT64_MAX);
    CHECK(slim_session_receiver_look(t.receiver, 3, 1, false, 1) == SLIM_SESSION_BEYOND);
    CHECK_OK(reserve(3));
    slim_session_receiver_give_up(t.receiver, 0, 0, 3);
    CHECK(get(0, 3) == SLIM_SESSION_NEW);
    stop();
}

/* ---- memory */

static void all_calls(void)
{
    struct slim_session_sender_options options = {true, INTERVAL, RETRIES, 0};
    static const uint32_t order[] = {3, 1, 30, 2, 5, SLIM_SESSION_DIRECT_MIN, 4, 100};
    memset(&t, 0, sizeof(t));
    if (slim_session_receiver_new(&options, &owner, &t.receiver) != SLIM_OK) {
        return;
    }
    for (uint32_t slot = 0; slot < 3; slot++) {
        enum slim_status added = slim_session_receiver_add(
            t.receiver, slot, slot == 0 ? SLIM_SESSION_FROM_START : SLIM_SESSION_ASKED);
        CHECK(added == SLIM_OK || added == SLIM_ERR_NO_MEMORY);
        for (size_t i = 0; i < SLIM_COUNT(order); i++) {
            bool is_direct = order[i] >= SLIM_SESSION_DIRECT_MIN;
            size_t events = t.event_count;
            enum slim_status status = take_as(0, slot, order[i], is_direct);
            CHECK(status == SLIM_OK || status == SLIM_ERR_NO_MEMORY ||
                  (status == SLIM_ERR_LIMIT && added != SLIM_OK));
            CHECK(status == SLIM_OK || t.event_count == events);
        }
    }
    struct slim_session_origin origin = {.message_id = 60, .conn_id = CONN};
    enum slim_status reserved = slim_session_receiver_reserve(t.receiver, 0, 1, &origin, 5);
    CHECK(reserved == SLIM_OK || reserved == SLIM_ERR_NO_MEMORY || reserved == SLIM_ERR_LIMIT);
    for (uint64_t now_ms = 0; now_ms < 20000; now_ms += 50) {
        (void)tick(now_ms); /* when is not asked here */
    }
    for (size_t i = 1; i < t.event_count; i++) {
        const struct event *last = &t.events[i - 1];
        const struct event *event = &t.events[i];
        bool is_direct = event->message_id >= SLIM_SESSION_DIRECT_MIN ||
                         last->message_id >= SLIM_SESSION_DIRECT_MIN;
        if (last->slot == 0 && event->slot == 0 && !is_direct) {
            CHECK(event->message_id == last->message_id + 1);
        }
    }
    slim_session_receiver_free(t.receiver);
}

static void failing_allocations_change_nothing(void **state)
{
    slim_sweep_alloc(all_calls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_delivered_once_and_in_order),
        cmocka_unit_test(defect_12_lost_first_message_is_delivered),
        cmocka_unit_test(numbers_wrap_at_2_31),
        cmocka_unit_test(distances_decide_what_is_after),
        cmocka_unit_test(first_number_of_an_older_member_waits_for_lower_ones),
        cmocka_unit_test(lower_number_that_never_came_is_delivered_late),
        cmocka_unit_test(older_member_that_is_asked_says_where_it_begins),
        cmocka_unit_test(answer_that_nothing_is_missing_ends_the_wait_at_once),
        cmocka_unit_test(
            older_member_that_does_not_answer_is_waited_for_until_repetitions_are_used_up),
        cmocka_unit_test(answers_that_cannot_be_genuine_change_nothing),
        cmocka_unit_test(message_taken_before_the_base_is_known_survives_the_leaving_of_its_sender),
        cmocka_unit_test(wrong_start_does_not_make_deaf),
        cmocka_unit_test(defect_13_exhausted_request_does_not_block_the_source),
        cmocka_unit_test(message_that_its_sender_has_not_got_is_told_in_its_turn),
        cmocka_unit_test(message_that_comes_before_its_loss_was_told_is_delivered),
        cmocka_unit_test(requests_are_paced),
        cmocka_unit_test(silent_sender_loses_everything_in_the_end),
        cmocka_unit_test(defect_19_sender_far_ahead_allocates_nothing),
        cmocka_unit_test(bytes_are_bounded),
        cmocka_unit_test(memory_is_given_back_when_nothing_waits),
        cmocka_unit_test(steady_state_allocates_nothing),
        cmocka_unit_test(defect_14_direct_message_is_delivered_once),
        cmocka_unit_test(reserved_message_holds_its_place),
        cmocka_unit_test(given_up_message_is_missing_again),
        cmocka_unit_test(forged_message_that_was_kept_moves_nothing),
        cmocka_unit_test(sources_do_not_know_each_other),
        cmocka_unit_test(unreliable_messages_are_delivered_as_they_come),
        cmocka_unit_test(failing_allocations_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
