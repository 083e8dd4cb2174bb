/* What members, nodes and strangers with a token can do to a session, and cannot. */
#include "world.h"

static struct world world;
static char texts[4096];

static uint32_t group(size_t count, bool is_mls)
{
    world_init(&world, count);
    return world_group(&world, is_mls);
}

static const struct slim_session_stats *stats(size_t app)
{
    return slim_session_app_stats(world.apps[app].app);
}

static void close_session(size_t app, uint32_t id, uint64_t op)
{
    struct slim_error error = {.status = SLIM_OK};
    CHECK_OK(slim_session_app_close(world.apps[app].app, world.now_ms, id, op, &error));
}

/* A message from one application to another, as that one could have made it. */
static struct slim_wire_session_message forged(size_t from, size_t to, uint32_t id, int32_t type)
{
    static const char digits[] = "0123456789";
    struct slim_wire_session_message message = {.head = {.kind = SLIM_WIRE_PUBLISH}};
    message.head.source = world.apps[from].name;
    message.head.destination = world.apps[to].name;
    message.head.fanout = 1;
    message.head.identity = slim_view_of(&digits[from], 1);
    message.head.session_type = SLIM_WIRE_SESSION_MULTICAST;
    message.head.session_message_type = type;
    message.head.session_id = id;
    message.head.message_id = 4711;
    message.payload.kind = slim_wire_payload_of_type(type);
    return message;
}

/* Application `from` begins a point-to-point session with `to`, with timers of its choice. */
static void begin_pair(size_t from, size_t to, uint32_t id, uint32_t interval_ms, uint32_t retries)
{
    struct slim_wire_session_message message = forged(from, to, id, SLIM_WIRE_TYPE_JOIN_REQUEST);
    message.head.session_type = SLIM_WIRE_SESSION_POINT_TO_POINT;
    message.payload.join_request = (struct slim_wire_join_request){
        .has_timer = true, .timeout_ms = interval_ms, .max_retries = retries};
    world_inject(&world, to, &message);
}

static void welcome(size_t from, size_t to, uint32_t id)
{
    struct slim_wire_session_message message = forged(from, to, id, SLIM_WIRE_TYPE_GROUP_WELCOME);
    const struct slim_wire_name names[] = {world.apps[from].name, world.apps[to].name};
    message.head.session_type = SLIM_WIRE_SESSION_POINT_TO_POINT;
    message.payload.group_welcome.participants =
        (struct slim_wire_names){.names = names, .count = 2};
    world_inject(&world, to, &message);
}

/* ---- what was acknowledged is delivered */

static void close_right_after_the_acknowledgement(bool is_mls, size_t count)
{
    uint32_t id = group(count, is_mls);
    world_publish(&world, 0, id, "the only one", 1);
    for (uint32_t i = 0; i < 10 && world_completion(&world, 0, 1) == NULL; i++) {
        world_run(&world, 1);
    }
    CHECK(world_is_ok(&world, 0, 1));
    close_session(0, id, 2);
    world_run(&world, 1000);
    CHECK(world_is_ok(&world, 0, 2));
    for (size_t i = 1; i < count; i++) {
        assert_string_equal(world_messages(&world, i, texts, sizeof(texts)), "the only one");
        const struct world_event *last = &world.apps[i].events[world.apps[i].event_count - 1];
        CHECK(last->kind == SLIM_SESSION_CLOSED);
    }
    world_fini(&world);
}

static void message_that_was_acknowledged_is_delivered_before_the_end(void **state)
{
    (void)state;
    close_right_after_the_acknowledgement(false, 2);
    close_right_after_the_acknowledgement(true, 2);
    close_right_after_the_acknowledgement(false, 4);
    close_right_after_the_acknowledgement(true, 4);
}

static bool drop_number_2(struct world *w, size_t from, size_t to,
                          const struct slim_wire_session_message *message)
{
    (void)w;
    (void)from;
    (void)to;
    int32_t type = message->head.session_message_type;
    return message->head.message_id != 2 ||
           (type != SLIM_WIRE_TYPE_MSG && type != SLIM_WIRE_TYPE_RTX_REPLY);
}

static void message_behind_a_gap_is_delivered_before_the_end(void **state)
{
    (void)state;
    uint32_t id = group(3, false);
    world.filter = drop_number_2;
    world_publish(&world, 1, id, "one", 1);
    world_publish(&world, 1, id, "two", 2);
    world_publish(&world, 1, id, "three", 3);
    world_run(&world, 150);
    CHECK(world_is_ok(&world, 1, 1) && world_is_ok(&world, 1, 3));
    close_session(0, id, 4);
    world_run(&world, 5000);
    assert_string_equal(world_messages(&world, 0, texts, sizeof(texts)), "one,three");
    assert_string_equal(world_messages(&world, 2, texts, sizeof(texts)), "one,three");
    world_fini(&world);
}

/* ---- calls from inside on_event */

static void echo_with_its_metadata(struct world_app *app, const struct slim_session_event *event)
{
    static char value[512];
    struct slim_error error = {.status = SLIM_OK};
    if (event->kind != SLIM_SESSION_MESSAGE) {
        return;
    }
    memset(value, 'v', sizeof(value));
    const struct slim_wire_pair pair = {SLIM_VIEW("long"), slim_view_of(value, sizeof(value))};
    const struct slim_session_payload payload = {
        .blob = SLIM_VIEW("echo"), .metadata = &pair, .metadata_count = 1};
    CHECK_OK(slim_session_app_publish(app->app, app->world->now_ms, event->session_id, &payload, 77,
                                      &error));
    struct slim_view found = {0};
    CHECK(slim_wire_find_metadata(&event->message->metadata, SLIM_VIEW("mine"), &found));
    CHECK_VIEW(found, "is mine");
    CHECK(!slim_wire_find_metadata(&event->message->metadata, SLIM_VIEW("PUBLISH_TO"), NULL));
}

static void publishing_from_on_event_leaves_the_message_alone(void **state)
{
    (void)state;
    world_init(&world, 2);
    const struct slim_session_settings settings =
        world_settings(SLIM_SESSION_POINT_TO_POINT, false);
    const struct slim_wire_name peer = world_name("b", 0);
    uint32_t id = world_create(&world, 0, &settings, &peer, 1);
    world_run(&world, 50);
    world.apps[1].on_event = echo_with_its_metadata;
    struct slim_wire_session_message message = forged(0, 1, id, SLIM_WIRE_TYPE_MSG);
    const struct slim_wire_pair pairs[] = {{SLIM_VIEW("PUBLISH_TO"), SLIM_VIEW("TRUE")},
                                           {SLIM_VIEW("mine"), SLIM_VIEW("is mine")}};
    message.head.session_type = SLIM_WIRE_SESSION_POINT_TO_POINT;
    message.head.message_id = 1;
    message.metadata = (struct slim_wire_metadata){.pairs = pairs, .count = 2};
    message.payload.app.blob = SLIM_VIEW("hello");
    world_inject(&world, 1, &message);
    CHECK(world_count(&world, 1, SLIM_SESSION_MESSAGE) == 1);
    world.apps[1].on_event = NULL;
    world_fini(&world);
}

/* ---- timers of somebody else's choice */

static void retries_without_end_wait_no_shorter(void **state)
{
    (void)state;
    world_init(&world, 2);
    begin_pair(0, 1, 5, 1000, UINT32_MAX);
    struct slim_wire_session_message message = forged(0, 1, 5, SLIM_WIRE_TYPE_MSG);
    message.head.session_type = SLIM_WIRE_SESSION_POINT_TO_POINT;
    message.head.message_id = 1;
    message.payload.app.blob = SLIM_VIEW("early");
    world_inject(&world, 1, &message);
    world_run(&world, 500);
    welcome(0, 1, 5);
    world_run(&world, 500);
    assert_string_equal(world_messages(&world, 1, texts, sizeof(texts)), "early");
    world_fini(&world);
}

static void longest_timers_do_not_wrap(void **state)
{
    (void)state;
    world_init(&world, 2);
    world.now_ms = UINT64_C(1) << 40; /* up for 35 years */
    begin_pair(0, 1, 5, UINT32_MAX, UINT32_MAX);
    welcome(0, 1, 5);
    world_run(&world, 500);
    CHECK(world_count(&world, 1, SLIM_SESSION_BEGUN) == 1);
    struct slim_wire_session_message message = forged(0, 1, 5, SLIM_WIRE_TYPE_GROUP_REMOVE);
    message.head.session_type = SLIM_WIRE_SESSION_POINT_TO_POINT;
    message.payload.group_change.participant = world.apps[1].name;
    world_inject(&world, 1, &message);
    world_run(&world, 500);
    CHECK(world_count(&world, 1, SLIM_SESSION_CLOSED) == 0); /* it waits for LEAVE_REQUEST */
    world_fini(&world);
}

static void shortest_timers_do_not_make_a_flood(void **state)
{
    (void)state;
    world_init(&world, 2);
    begin_pair(0, 1, 5, 0, UINT32_MAX);
    welcome(0, 1, 5);
    world_run(&world, 10);
    world.apps[0].is_dead = true;
    world_publish(&world, 1, 5, "nobody hears", 1);
    uint64_t before = world.sent[SLIM_WIRE_TYPE_MSG];
    world_run(&world, 1000);
    CHECK(world.sent[SLIM_WIRE_TYPE_MSG] - before <= 100);
    world_fini(&world);
}

/* The moderator is alive and does not let us go. */
static void leaving_ends_though_the_moderator_only_pings(void **state)
{
    (void)state;
    world_init(&world, 2);
    begin_pair(0, 1, 5, UINT32_MAX, UINT32_MAX);
    welcome(0, 1, 5);
    world_run(&world, 10);
    close_session(1, 5, 1);
    for (uint32_t i = 0; i < 100; i++) {
        struct slim_wire_session_message ping = forged(0, 1, 5, SLIM_WIRE_TYPE_PING);
        ping.head.message_id = i;
        world_inject(&world, 1, &ping);
        world_run(&world, 1000);
    }
    CHECK(world_is_ok(&world, 1, 1));
    CHECK(slim_session_app_count(world.apps[1].app) == 0);
    world_fini(&world);
}

static void joining_ends_though_the_moderator_only_pings(void **state)
{
    (void)state;
    world_init(&world, 2);
    begin_pair(0, 1, 5, 1000, 10);
    for (uint32_t i = 0; i < 130; i++) {
        struct slim_wire_session_message ping = forged(0, 1, 5, SLIM_WIRE_TYPE_PING);
        ping.head.message_id = i;
        world_inject(&world, 1, &ping);
        world_run(&world, 1000);
    }
    CHECK(slim_session_app_count(world.apps[1].app) == 0);
    world_fini(&world);
}

/* ---- requests that come more than once */

static uint64_t answers_to_copies(size_t from, size_t to, uint32_t id, int32_t type, int32_t answer,
                                  uint32_t copies)
{
    uint64_t before = world.sent[answer];
    struct slim_wire_session_message message = forged(from, to, id, type);
    message.head.session_type = SLIM_WIRE_SESSION_POINT_TO_POINT;
    if (type == SLIM_WIRE_TYPE_JOIN_REQUEST) {
        message.payload.join_request = (struct slim_wire_join_request){
            .has_timer = true, .timeout_ms = 1000, .max_retries = 10};
    }
    for (uint32_t i = 0; i < copies; i++) {
        world_inject(&world, to, &message);
        world_run(&world, 2);
    }
    return world.sent[answer] - before;
}

/* A node that multiplies packets must not make us kill a reference moderator with surplus answers. */
static void copies_of_one_request_are_answered_once(void **state)
{
    static const struct {
        const char *why;
        int32_t type;
        int32_t answer;
    } rows[] = {
        {"discovery", SLIM_WIRE_TYPE_DISCOVERY_REQUEST, SLIM_WIRE_TYPE_DISCOVERY_REPLY},
        {"join", SLIM_WIRE_TYPE_JOIN_REQUEST, SLIM_WIRE_TYPE_JOIN_REPLY},
        {"welcome", SLIM_WIRE_TYPE_GROUP_WELCOME, SLIM_WIRE_TYPE_GROUP_ACK},
        {"removal", SLIM_WIRE_TYPE_LEAVE_REQUEST, SLIM_WIRE_TYPE_LEAVE_REPLY},
    };
    (void)state;
    world_init(&world, 2);
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        CHECK_ROW(rows[i].why, answers_to_copies(0, 1, 5, rows[i].type, rows[i].answer, 5) == 1);
        world_run(&world, 1000); /* a repetition: our answer was slow */
        CHECK_ROW(rows[i].why, answers_to_copies(0, 1, 5, rows[i].type, rows[i].answer, 5) == 0);
        world_run(&world, 5000); /* late copies of both */
        CHECK_ROW(rows[i].why, answers_to_copies(0, 1, 5, rows[i].type, rows[i].answer, 5) == 0);
        world_run(&world, 1000);
        CHECK_ROW(rows[i].why, answers_to_copies(0, 1, 5, rows[i].type, rows[i].answer, 5) == 0);
    }
    world_fini(&world);
}

static void copy_of_an_invitation_after_the_end_is_not_answered(void **state)
{
    (void)state;
    world_init(&world, 2);
    CHECK(answers_to_copies(0, 1, 5, SLIM_WIRE_TYPE_JOIN_REQUEST, SLIM_WIRE_TYPE_JOIN_REPLY, 1) ==
          1);
    welcome(0, 1, 5);
    CHECK(answers_to_copies(0, 1, 5, SLIM_WIRE_TYPE_LEAVE_REQUEST, SLIM_WIRE_TYPE_LEAVE_REPLY, 1) ==
          1);
    CHECK(slim_session_app_count(world.apps[1].app) == 0);
    CHECK(answers_to_copies(0, 1, 5, SLIM_WIRE_TYPE_JOIN_REQUEST, SLIM_WIRE_TYPE_JOIN_REPLY, 3) ==
          0);
    CHECK(slim_session_app_count(world.apps[1].app) == 0);
    world_fini(&world);
}

/* ---- names */

static void name_with_the_strings_of_another_is_refused(void **state)
{
    (void)state;
    world_init(&world, 3);
    struct slim_wire_session_message message = forged(2, 1, 5, SLIM_WIRE_TYPE_JOIN_REQUEST);
    message.head.session_type = SLIM_WIRE_SESSION_POINT_TO_POINT;
    message.head.source.text = world.apps[0].name.text;
    world_inject(&world, 1, &message);
    CHECK(slim_session_app_count(world.apps[1].app) == 0);
    world_fini(&world);
}

static void user_metadata_does_not_make_a_moderator(void **state)
{
    (void)state;
    world_init(&world, 2);
    struct slim_session_settings settings = world_settings(SLIM_SESSION_POINT_TO_POINT, false);
    const struct slim_wire_pair pair = {SLIM_VIEW("IS_MODERATOR"), SLIM_VIEW("TRUE")};
    const struct slim_wire_name peer = world_name("b", 0);
    struct slim_error error = {.status = SLIM_OK};
    uint32_t id = 0;
    settings.metadata = &pair;
    settings.metadata_count = 1;
    CHECK(slim_session_app_create(world.apps[0].app, world.now_ms, &settings, &peer, UINT32_MAX, 1,
                                  &id, &error) == SLIM_ERR_ARGUMENT);
    world_fini(&world);
}

/* ---- memory */

static void messages_before_the_welcome_are_bounded_over_all_sessions(void **state)
{
    enum { BYTES = 1024 * 1024, SESSIONS = 100 };
    (void)state;
    static uint8_t blob[BYTES];
    world_init(&world, 2);
    for (uint32_t id = 0; id < SESSIONS; id++) {
        begin_pair(0, 1, id, 1000, 10);
        struct slim_wire_session_message message = forged(0, 1, id, SLIM_WIRE_TYPE_MSG);
        message.payload.app.blob = slim_view_of(blob, BYTES);
        world_inject(&world, 1, &message);
    }
    CHECK(stats(1)->limit >= SESSIONS / 2);
    world_fini(&world);
}

static void many_secure_sessions_can_begin_at_once(void **state)
{
    enum { SESSIONS = 300 };
    (void)state;
    world_init(&world, 2);
    const struct slim_session_settings settings = world_settings(SLIM_SESSION_POINT_TO_POINT, true);
    const struct slim_wire_name peer = world_name("b", 0);
    for (uint64_t op = 0; op < SESSIONS; op++) {
        (void)world_create(&world, 0, &settings, &peer, op);
    }
    world_run(&world, 5000);
    for (uint64_t op = 0; op < SESSIONS; op++) {
        CHECK(world_is_ok(&world, 0, op));
    }
    world_fini(&world);
}

static bool make_key_package_huge(struct world *w, size_t from, size_t to,
                                  const struct slim_wire_session_message *message)
{
    static uint8_t garbage[1024 * 1024];
    (void)from;
    if (message->head.session_message_type != SLIM_WIRE_TYPE_JOIN_REPLY) {
        return true;
    }
    struct slim_wire_session_message reply = *message;
    reply.payload.join_reply.key_package = slim_view_of(garbage, sizeof(garbage));
    w->filter = NULL;
    world_inject(w, to, &reply);
    return false;
}

static void huge_key_package_fails_its_invitation(void **state)
{
    (void)state;
    world_init(&world, 2);
    const struct slim_session_settings settings = world_settings(SLIM_SESSION_GROUP, true);
    const struct slim_wire_name channel = world_name("channel", 0);
    uint32_t id = world_create(&world, 0, &settings, &channel, 1);
    world_invite(&world, 0, id, 1, 2);
    world.filter = make_key_package_huge;
    world_run(&world, 2000);
    CHECK(world_completion(&world, 0, 2)->status == SLIM_ERR_LIMIT);
    world_fini(&world);
}

/* ---- commits */

static bool cut_off_1(struct world *w, size_t from, size_t to,
                      const struct slim_wire_session_message *message)
{
    (void)w;
    int32_t type = message->head.session_message_type;
    return (from != 1 && to != 1) || type == SLIM_WIRE_TYPE_PING;
}

static void member_that_missed_too_many_commits_leaves_with_a_reason(void **state)
{
    (void)state;
    uint32_t id = group(3, true);
    world.filter = cut_off_1;
    for (uint64_t i = 0; i < SLIM_SESSION_COMMITS_AHEAD_MAX + 8; i++) {
        struct slim_error error = {.status = SLIM_OK};
        struct slim_wire_name name = world.apps[2].name;
        name.name.id = SLIM_NAME_ANY;
        if (i % 2 == 0) {
            CHECK_OK(
                slim_session_app_remove(world.apps[0].app, world.now_ms, id, &name, i, &error));
        } else {
            world_invite(&world, 0, id, 2, i);
        }
        world_run(&world, 700);
    }
    world.filter = NULL;
    world_run(&world, 60000);
    CHECK(world_count(&world, 1, SLIM_SESSION_CLOSED) == 1);
    CHECK(slim_session_app_count(world.apps[1].app) == 0);
    world_fini(&world);
}

/* Application 1 is no client of ours: its answers carry no mark. The first `to_drop` messages of a publisher are lost. */
static uint32_t to_drop;

static bool make_1_foreign(struct world *w, size_t from, size_t to,
                           const struct slim_wire_session_message *message)
{
    int32_t type = message->head.session_message_type;
    if (type == SLIM_WIRE_TYPE_JOIN_REPLY && from == 1) {
        struct slim_wire_session_message reply = *message;
        reply.metadata = (struct slim_wire_metadata){.pairs = NULL};
        world_inject(w, to, &reply);
        return false;
    }
    if (type == SLIM_WIRE_TYPE_MSG && to_drop > 0) {
        to_drop--;
        return false;
    }
    return true;
}

static uint32_t group_with_foreigner(size_t count)
{
    world_init(&world, count);
    world.filter = make_1_foreign;
    world.app_count = 2;
    uint32_t id = world_group(&world, true);
    world.app_count = count;
    return id;
}

static void message_held_back_is_repeated_in_time(void **state)
{
    (void)state;
    uint32_t id = group_with_foreigner(3);
    world_invite(&world, 0, id, 2, 1);
    uint64_t adds = world.sent[SLIM_WIRE_TYPE_GROUP_ADD];
    while (world.sent[SLIM_WIRE_TYPE_GROUP_ADD] == adds) {
        world_run(&world, 1);
    }
    uint64_t messages = world.sent[SLIM_WIRE_TYPE_MSG];
    to_drop = 1;
    world_publish(&world, 0, id, "held", 2);
    CHECK(world.sent[SLIM_WIRE_TYPE_MSG] ==
          messages); /* the foreigner has not heard of the commit */
    world_run(&world, 400);
    CHECK(to_drop == 0);
    CHECK(world_is_ok(&world, 0, 2));
    world_fini(&world);
}

static void commit_far_ahead_ends_the_session_with_a_reason(void **state)
{
    (void)state;
    uint32_t id = group(3, true);
    struct slim_wire_session_message message = forged(0, 1, id, SLIM_WIRE_TYPE_GROUP_ADD);
    message.payload.group_change.mls = (struct slim_wire_mls){
        .is_present = true, .commit_id = 1000, .content = SLIM_VIEW("of a time to come")};
    world_inject(&world, 1, &message);
    world_run(&world, 5000);
    CHECK(world_count(&world, 1, SLIM_SESSION_CLOSED) == 1);
    CHECK(world_count(&world, 1, SLIM_SESSION_PROBLEM) >= 1);
    world_fini(&world);
}

/* What the others are told is changed on its way to 1: its commit is in a message that adds nobody. */
static bool say_add_instead_of_remove(struct world *w, size_t from, size_t to,
                                      const struct slim_wire_session_message *message)
{
    (void)from;
    int32_t type = message->head.session_message_type;
    if (to != 1 || (type != SLIM_WIRE_TYPE_GROUP_REMOVE && type != SLIM_WIRE_TYPE_LEAVE_REQUEST)) {
        return true;
    }
    if (type == SLIM_WIRE_TYPE_GROUP_REMOVE) {
        struct slim_wire_session_message add = *message;
        add.head.session_message_type = SLIM_WIRE_TYPE_GROUP_ADD;
        add.payload.kind = SLIM_WIRE_PAYLOAD_GROUP_ADD;
        add.payload.group_change.participant = (struct slim_wire_name){.is_present = false};
        world_inject(w, to, &add);
    }
    return false;
}

static void commit_that_removes_us_ends_the_session_whatever_the_message_says(void **state)
{
    (void)state;
    uint32_t id = group(3, true);
    world.filter = say_add_instead_of_remove;
    struct slim_error error = {.status = SLIM_OK};
    struct slim_wire_name name = world.apps[1].name;
    name.name.id = SLIM_NAME_ANY;
    CHECK_OK(slim_session_app_remove(world.apps[0].app, world.now_ms, id, &name, 1, &error));
    world_run(&world, 700);
    CHECK(world_count(&world, 1, SLIM_SESSION_CLOSED) == 1);
    world_fini(&world);
}

/* ---- what the engine reports */

static bool drop_messages(struct world *w, size_t from, size_t to,
                          const struct slim_wire_session_message *message)
{
    (void)w;
    (void)from;
    (void)to;
    return message->head.session_message_type != SLIM_WIRE_TYPE_MSG;
}

static void defect_16_failure_of_an_answer_is_none_of_the_message_of_its_number(void **state)
{
    static const int32_t types[] = {SLIM_WIRE_TYPE_MSG_ACK, SLIM_WIRE_TYPE_RTX_REQUEST,
                                    SLIM_WIRE_TYPE_RTX_REPLY, SLIM_WIRE_TYPE_MSG,
                                    SLIM_WIRE_TYPE_GROUP_ACK};
    (void)state;
    uint32_t id = group(2, false);
    world.filter = drop_messages;
    world_publish(&world, 0, id, "one", 1);
    for (size_t i = 0; i < SLIM_COUNT(types); i++) {
        slim_session_app_take_error(world.apps[0].app, world.now_ms, SLIM_SESSION_NO_ROUTE, id,
                                    types[i], 1, "no matching found");
        slim_session_app_take_error(world.apps[0].app, world.now_ms, SLIM_SESSION_LINK_DOWN, id,
                                    types[i], 1, "connection not found");
    }
    world_run(&world, 50);
    CHECK(world_completion(&world, 0, 1) == NULL);
    world.filter = NULL;
    world_run(&world, 500);
    CHECK(world_is_ok(&world, 0, 1));
    assert_string_equal(world_messages(&world, 1, texts, sizeof(texts)), "one");
    world_fini(&world);
}

/* ---- forged ciphertext */

static struct slim_buf sealed;
static uint32_t sealed_number;

/* Keeps a copy of the first message of 2 that is on its way to 1, which does not get it. */
static bool catch_message_of_2(struct world *w, size_t from, size_t to,
                               const struct slim_wire_session_message *message)
{
    (void)w;
    bool is_it = from == 2 && to == 1 && message->head.session_message_type == SLIM_WIRE_TYPE_MSG;
    if (is_it && sealed.len == 0) {
        CHECK_OK(slim_buf_put(&sealed, message->payload.app.blob));
        sealed_number = message->head.message_id;
    }
    return !is_it;
}

/* A stranger with a token of 2 (nodes see them all) knows what the head of a message looks like: it makes one of the next epoch under the
 * number of a genuine one. That is acknowledged, for it might be genuine, but the genuine one still comes through. */
static void forged_message_of_an_epoch_to_come_displaces_nothing(void **state)
{
    (void)state;
    uint32_t id = group(3, true);
    world_publish(&world, 2, id, "before", 1);
    world_run(&world, 300);
    world.filter = catch_message_of_2;
    world_publish(&world, 2, id, "genuine", 2);
    world_run(&world, 5);
    CHECK(sealed.len > 0);
    size_t epoch_end = 5 + sealed.data[4] + 8;
    struct slim_wire_session_message message = forged(2, 1, id, SLIM_WIRE_TYPE_MSG);
    message.head.message_id = sealed_number;
    sealed.data[epoch_end - 1]++;
    message.payload.app.blob = slim_buf_view(&sealed);
    world_inject(&world, 1, &message);
    world.filter = NULL;
    world_run(&world, 1000);
    assert_string_equal(world_messages(&world, 1, texts, sizeof(texts)), "before,genuine");
    CHECK(world_is_ok(&world, 2, 2));
    slim_buf_fini(&sealed);
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message_that_was_acknowledged_is_delivered_before_the_end),
        cmocka_unit_test(message_behind_a_gap_is_delivered_before_the_end),
        cmocka_unit_test(publishing_from_on_event_leaves_the_message_alone),
        cmocka_unit_test(retries_without_end_wait_no_shorter),
        cmocka_unit_test(longest_timers_do_not_wrap),
        cmocka_unit_test(shortest_timers_do_not_make_a_flood),
        cmocka_unit_test(leaving_ends_though_the_moderator_only_pings),
        cmocka_unit_test(joining_ends_though_the_moderator_only_pings),
        cmocka_unit_test(copies_of_one_request_are_answered_once),
        cmocka_unit_test(copy_of_an_invitation_after_the_end_is_not_answered),
        cmocka_unit_test(name_with_the_strings_of_another_is_refused),
        cmocka_unit_test(user_metadata_does_not_make_a_moderator),
        cmocka_unit_test(messages_before_the_welcome_are_bounded_over_all_sessions),
        cmocka_unit_test(many_secure_sessions_can_begin_at_once),
        cmocka_unit_test(huge_key_package_fails_its_invitation),
        cmocka_unit_test(member_that_missed_too_many_commits_leaves_with_a_reason),
        cmocka_unit_test(message_held_back_is_repeated_in_time),
        cmocka_unit_test(commit_far_ahead_ends_the_session_with_a_reason),
        cmocka_unit_test(commit_that_removes_us_ends_the_session_whatever_the_message_says),
        cmocka_unit_test(defect_16_failure_of_an_answer_is_none_of_the_message_of_its_number),
        cmocka_unit_test(forged_message_of_an_epoch_to_come_displaces_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
