/* When the network or the other side does not do what it should: waits end, texts say why, nothing stays behind. */
#include "world.h"

static struct world world;
static char texts[4096];

static const struct slim_session_stats *stats(size_t app)
{
    return slim_session_app_stats(world.apps[app].app);
}

static void close_session(size_t app, uint32_t id, uint64_t op)
{
    struct slim_error error = {.status = SLIM_OK};
    CHECK_OK(slim_session_app_close(world.apps[app].app, world.now_ms, id, op, &error));
}

static uint32_t pair(bool is_mls)
{
    const struct slim_session_settings settings =
        world_settings(SLIM_SESSION_POINT_TO_POINT, is_mls);
    const struct slim_wire_name peer = world_name("b", 0);
    world_init(&world, 2);
    uint32_t id = world_create(&world, 0, &settings, &peer, 1);
    world_run(&world, 20);
    CHECK(world_is_ok(&world, 0, 1));
    return id;
}

static struct slim_wire_session_message forged(size_t from, size_t to, uint32_t id, int32_t type)
{
    static const char digits[] = "0123456789";
    struct slim_wire_session_message message = {.head = {.kind = SLIM_WIRE_PUBLISH}};
    message.head.source = world.apps[from].name;
    message.head.destination = world.apps[to].name;
    message.head.fanout = 1;
    message.head.identity = slim_view_of(&digits[from], 1);
    message.head.session_type = SLIM_WIRE_SESSION_POINT_TO_POINT;
    message.head.session_message_type = type;
    message.head.session_id = id;
    message.head.message_id = 4711;
    message.payload.kind = slim_wire_payload_of_type(type);
    return message;
}

static bool drop_all(struct world *w, size_t from, size_t to,
                     const struct slim_wire_session_message *message)
{
    (void)w;
    (void)from;
    (void)to;
    (void)message;
    return false;
}

static void create_without_answer_fails_after_all_repetitions(void **state)
{
    (void)state;
    const struct slim_session_settings settings = world_settings(SLIM_SESSION_POINT_TO_POINT, true);
    const struct slim_wire_name peer = world_name("b", 0);
    world_init(&world, 2);
    world.filter = drop_all;
    (void)world_create(&world, 0, &settings, &peer, 1);
    world_run(&world, 595);
    CHECK(world_completion(&world, 0, 1) == NULL);
    world_run(&world, 10);
    CHECK(world_completion(&world, 0, 1)->status == SLIM_ERR_TIMEOUT);
    CHECK(strncmp(world_completion(&world, 0, 1)->text,
                  "failed to add participant to session\nCaused by:\n  -> message send retries "
                  "exhausted for id=",
                  84) == 0);
    CHECK(world.sent[SLIM_WIRE_TYPE_DISCOVERY_REQUEST] == 6);
    CHECK(world_count(&world, 0, SLIM_SESSION_CLOSED) == 0);
    CHECK(slim_session_app_count(world.apps[0].app) == 0);
    world_fini(&world);
}

/* Drops the message number `test[0]` of all, then lets the rest pass. */
static bool drop_nth(struct world *w, size_t from, size_t to,
                     const struct slim_wire_session_message *message)
{
    int *left = w->test;
    (void)from;
    (void)to;
    (void)message;
    return (*left)-- != 0;
}

static void any_single_loss_is_repaired(void **state)
{
    (void)state;
    for (int lost = 0; lost < 20; lost++) {
        for (int is_mls = 0; is_mls < 2; is_mls++) {
            int left = lost;
            const struct slim_session_settings settings =
                world_settings(SLIM_SESSION_POINT_TO_POINT, is_mls == 1);
            const struct slim_wire_name peer = world_name("b", 0);
            world_init(&world, 2);
            world.filter = drop_nth;
            world.test = &left;
            uint32_t id = world_create(&world, 0, &settings, &peer, 1);
            world_run(&world, 450);
            CHECK(world_is_ok(&world, 0, 1));
            CHECK(world_count(&world, 1, SLIM_SESSION_BEGUN) == 1);
            world_publish(&world, 0, id, "x", 2);
            world_publish(&world, 0, id, "y", 3);
            world_publish(&world, 1, id, "z", 4);
            world_run(&world, 450);
            CHECK(world_is_ok(&world, 0, 2) && world_is_ok(&world, 0, 3));
            CHECK(world_is_ok(&world, 1, 4));
            assert_string_equal(world_messages(&world, 1, texts, sizeof(texts)), "x,y");
            assert_string_equal(world_messages(&world, 0, texts, sizeof(texts)), "z");
            close_session(0, id, 5);
            world_run(&world, 800);
            CHECK(world_is_ok(&world, 0, 5));
            CHECK(slim_session_app_count(world.apps[0].app) == 0);
            CHECK(slim_session_app_count(world.apps[1].app) == 0);
            world_fini(&world);
        }
    }
}

static void any_single_loss_in_a_group_is_repaired(void **state)
{
    (void)state;
    for (int lost = 0; lost < 50; lost++) {
        int left = lost;
        const struct slim_session_settings settings = world_settings(SLIM_SESSION_GROUP, true);
        const struct slim_wire_name channel = world_name("channel", 0);
        world_init(&world, 4);
        world.filter = drop_nth;
        world.test = &left;
        uint32_t id = world_create(&world, 0, &settings, &channel, 1);
        for (size_t i = 1; i < 4; i++) {
            world_invite(&world, 0, id, i, 10 + i);
        }
        world_run(&world, 450);
        for (size_t i = 1; i < 4; i++) {
            CHECK(world_is_ok(&world, 0, 10 + i));
        }
        for (size_t i = 0; i < 4; i++) {
            world_publish(&world, i, id, "x", 20 + i);
        }
        world_run(&world, 450);
        for (size_t i = 0; i < 4; i++) {
            CHECK(world_is_ok(&world, i, 20 + i));
            CHECK(world_count(&world, i, SLIM_SESSION_MESSAGE) == 3);
        }
        struct slim_error error = {.status = SLIM_OK};
        struct slim_wire_name name = world.apps[2].name;
        CHECK_OK(slim_session_app_remove(world.apps[0].app, world.now_ms, id, &name, 30, &error));
        world_run(&world, 450);
        CHECK(world_is_ok(&world, 0, 30));
        close_session(0, id, 31);
        world_run(&world, 800);
        CHECK(world_is_ok(&world, 0, 31));
        for (size_t i = 0; i < 4; i++) {
            CHECK(slim_session_app_count(world.apps[i].app) == 0);
            CHECK(world.apps[i].route_balance == 0);
        }
        world_fini(&world);
    }
}

static void both_ends_close_at_once(void **state)
{
    (void)state;
    uint32_t id = pair(false);
    close_session(0, id, 2);
    close_session(1, id, 3);
    world_run(&world, 50);
    CHECK(world_is_ok(&world, 0, 2) && world_is_ok(&world, 1, 3));
    CHECK(world_count(&world, 0, SLIM_SESSION_CLOSED) == 1);
    CHECK(world_count(&world, 1, SLIM_SESSION_CLOSED) == 1);
    CHECK(slim_session_app_count(world.apps[0].app) == 0 &&
          slim_session_app_count(world.apps[1].app) == 0);
    world_fini(&world);
}

static void close_twice_is_refused(void **state)
{
    (void)state;
    uint32_t id = pair(false);
    struct slim_error error = {.status = SLIM_OK};
    close_session(0, id, 2);
    CHECK(slim_session_app_close(world.apps[0].app, world.now_ms, id, 3, &error) == SLIM_ERR_STATE);
    assert_string_equal(error.text, "session already closed");
    world_run(&world, 50);
    CHECK(slim_session_app_close(world.apps[0].app, world.now_ms, id, 3, &error) ==
          SLIM_ERR_NOT_FOUND);
    world_fini(&world);
}

static void close_delivers_what_was_published(void **state)
{
    (void)state;
    int left = 0;
    uint32_t id = pair(true);
    struct slim_error error = {.status = SLIM_OK};
    const struct slim_session_payload payload = {.blob = SLIM_VIEW("too late")};
    world.filter = drop_nth;
    world.test = &left;
    world_publish(&world, 0, id, "before", 2);
    close_session(0, id, 3);
    CHECK(slim_session_app_publish(world.apps[0].app, world.now_ms, id, &payload, 4, &error) ==
          SLIM_ERR_STATE);
    assert_string_equal(error.text, "session is draining - drop message");
    world_run(&world, 90);
    CHECK(world_completion(&world, 0, 3) == NULL);
    world_run(&world, 100);
    CHECK(world_is_ok(&world, 0, 2) && world_is_ok(&world, 0, 3));
    assert_string_equal(world_messages(&world, 1, texts, sizeof(texts)), "before");
    world_fini(&world);
}

static void close_ends_although_nobody_answers(void **state)
{
    (void)state;
    for (size_t closer = 0; closer < 2; closer++) {
        uint32_t id = pair(true);
        world_publish(&world, closer, id, "x", 2);
        world.filter = drop_all;
        close_session(closer, id, 3);
        world_run(&world, 3000);
        CHECK(world_completion(&world, closer, 2)->status != SLIM_OK);
        CHECK(world_is_ok(&world, closer, 3));
        CHECK(slim_session_app_count(world.apps[closer].app) == 0);
        world_fini(&world);
    }
}

static void close_during_invitations_ends_them(void **state)
{
    (void)state;
    for (uint64_t wait_ms = 0; wait_ms < 8; wait_ms++) {
        const struct slim_session_settings settings = world_settings(SLIM_SESSION_GROUP, true);
        const struct slim_wire_name channel = world_name("channel", 0);
        world_init(&world, 4);
        uint32_t id = world_create(&world, 0, &settings, &channel, 1);
        for (size_t i = 1; i < 4; i++) {
            world_invite(&world, 0, id, i, 10 + i);
        }
        world_publish(&world, 0, id, "x", 20);
        world_run(&world, wait_ms);
        close_session(0, id, 2);
        world_run(&world, 2000);
        CHECK(world_is_ok(&world, 0, 2));
        CHECK(world_completion(&world, 0, 20) != NULL);
        for (size_t i = 1; i < 4; i++) {
            CHECK(world_completion(&world, 0, 10 + i) != NULL);
        }
        world_run(&world, 45000); /* who was asked to join and heard no more gives up */
        for (size_t i = 0; i < 4; i++) {
            CHECK(slim_session_app_count(world.apps[i].app) == 0);
            CHECK(world.apps[i].route_balance == 0);
        }
        world_fini(&world);
    }
}

static void duplicates_are_answered_by_the_cautious_rule(void **state)
{
    (void)state;
    world_init(&world, 2);
    struct slim_wire_session_message ask = forged(0, 1, 99, SLIM_WIRE_TYPE_DISCOVERY_REQUEST);
    const uint64_t *replies = &world.sent[SLIM_WIRE_TYPE_DISCOVERY_REPLY];
    world_inject(&world, 1, &ask);
    CHECK_ROW("the first is answered", *replies == 1);
    world_inject(&world, 1, &ask);
    CHECK_ROW("a copy that the network made does not count", *replies == 1);
    world_run(&world, 100);
    world_inject(&world, 1, &ask);
    CHECK_ROW("the first duplicate is not: the answer may be on its way", *replies == 1);
    world_run(&world, 100);
    world_inject(&world, 1, &ask);
    CHECK_ROW("the second is: the answer was lost", *replies == 2);
    ask.head.message_id++;
    world_inject(&world, 1, &ask);
    slim_session_app_lost_link(world.apps[1].app, WORLD_CONN);
    world_inject(&world, 1, &ask);
    CHECK_ROW("the first is, after its connection was down", *replies == 4);
    slim_session_app_lost_link(world.apps[1].app, WORLD_CONN + 1);
    ask.head.message_id++;
    world_inject(&world, 1, &ask);
    world_inject(&world, 1, &ask);
    CHECK_ROW("another connection does not matter", *replies == 5);
    world_fini(&world);
}

static void channel_requests_of_others_are_answered_once(void **state)
{
    (void)state;
    world_init(&world, 3);
    struct slim_wire_session_message message = forged(0, 1, 99, SLIM_WIRE_TYPE_JOIN_REQUEST);
    const uint64_t *acks = &world.sent[SLIM_WIRE_TYPE_GROUP_ACK];
    message.head.session_type = SLIM_WIRE_SESSION_MULTICAST;
    message.payload.join_request = (struct slim_wire_join_request){
        .has_timer = true, .timeout_ms = 100, .max_retries = 5, .channel = world_name("ch", 0)};
    world_inject(&world, 1, &message);
    message = forged(0, 1, 99, SLIM_WIRE_TYPE_GROUP_WELCOME);
    struct slim_wire_name names[] = {world.apps[0].name, world.apps[1].name};
    message.payload.group_welcome.participants.names = names;
    message.payload.group_welcome.participants.count = 2;
    world_inject(&world, 1, &message);
    CHECK(*acks == 1 && world_count(&world, 1, SLIM_SESSION_BEGUN) == 1);
    world_run(&world, 100);
    world_inject(&world, 1, &message);
    CHECK_ROW("first duplicate of the welcome", *acks == 1);
    world_run(&world, 100);
    world_inject(&world, 1, &message);
    CHECK_ROW("second duplicate of the welcome", *acks == 2);
    message = forged(0, 1, 99, SLIM_WIRE_TYPE_GROUP_ADD);
    message.payload.group_change.participant = world.apps[2].name;
    for (int i = 0; i < 4; i++) {
        world_inject(&world, 1, &message);
        world_run(&world, 100);
    }
    CHECK_ROW("duplicates to the channel are because of somebody else", *acks == 3);
    slim_session_app_lost_link(world.apps[1].app, WORLD_CONN);
    world_inject(&world, 1, &message);
    CHECK_ROW("unless our answer may be lost", *acks == 4);
    world_fini(&world);
}

static void late_requests_of_an_ended_session_are_answered(void **state)
{
    (void)state;
    uint32_t id = pair(false);
    close_session(0, id, 2);
    world_run(&world, 20);
    struct slim_wire_session_message close = forged(0, 1, id, SLIM_WIRE_TYPE_GROUP_CLOSE);
    struct slim_wire_session_message leave = forged(1, 0, id, SLIM_WIRE_TYPE_LEAVE_REQUEST);
    static const struct slim_wire_pair key = {.key = {(const uint8_t *)"LEAVING_SESSION", 15},
                                              .value = {(const uint8_t *)"TRUE", 4}};
    leave.metadata = (struct slim_wire_metadata){.pairs = &key, .count = 1};
    uint64_t acks = world.sent[SLIM_WIRE_TYPE_GROUP_ACK];
    world_inject(&world, 1, &close);
    CHECK(world.sent[SLIM_WIRE_TYPE_GROUP_ACK] == acks + 1);
    world_inject(&world, 0, &leave);
    CHECK(world.sent[SLIM_WIRE_TYPE_LEAVE_REPLY] == 1);
    world_run(&world, 61000);
    world_inject(&world, 0, &leave);
    CHECK_ROW("not for ever", world.sent[SLIM_WIRE_TYPE_LEAVE_REPLY] == 1);
    CHECK(stats(0)->unknown_session > 0);
    world_fini(&world);
}

static void half_open_sessions_are_bounded(void **state)
{
    (void)state;
    world_init(&world, 2);
    struct slim_wire_session_message join = forged(0, 1, 0, SLIM_WIRE_TYPE_JOIN_REQUEST);
    int64_t live = 0;
    for (uint32_t i = 0; i < 3000; i++) {
        join.head.session_id = i;
        join.head.message_id = i;
        world_inject(&world, 1, &join);
        if (i == 1500) {
            live = slim_test_alloc_live();
        }
    }
    CHECK(slim_session_app_count(world.apps[1].app) == SLIM_SESSION_HALF_OPEN_MAX);
    CHECK(stats(1)->limit == 3000 - SLIM_SESSION_HALF_OPEN_MAX);
    /* the last second's answers travel still: one packet each */
    CHECK(slim_test_alloc_live() - live < 1600);
    world_run(&world, 45000);
    CHECK(slim_session_app_count(world.apps[1].app) == 0);
    CHECK(world_count(&world, 1, SLIM_SESSION_CLOSED) == 0);
    CHECK(world.apps[1].route_balance == 0);
    world_fini(&world);
}

static void bad_invitations_come_to_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        uint32_t session_id;
        int32_t session_type;
        const char *destination;
        bool is_empty;
    } rows[] = {
        {"an id that is reserved", SLIM_SESSION_ID_END, SLIM_WIRE_SESSION_POINT_TO_POINT, "b",
         false},
        {"no session type", 1, 0, "b", false},
        {"a group without a channel", 1, SLIM_WIRE_SESSION_MULTICAST, "b", false},
        {"a name that is not ours", 1, SLIM_WIRE_SESSION_POINT_TO_POINT, "z", false},
        {"no payload", 1, SLIM_WIRE_SESSION_POINT_TO_POINT, "b", true},
    };
    world_init(&world, 2);
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_wire_session_message join = forged(0, 1, 0, SLIM_WIRE_TYPE_JOIN_REQUEST);
        join.head.session_id = rows[i].session_id;
        join.head.session_type = rows[i].session_type;
        join.head.destination = world_name(rows[i].destination, 0);
        join.payload.kind = rows[i].is_empty ? SLIM_WIRE_PAYLOAD_PING : join.payload.kind;
        world_inject(&world, 1, &join);
        CHECK_ROW(rows[i].why, slim_session_app_count(world.apps[1].app) == 0);
        CHECK_ROW(rows[i].why, world.sent[SLIM_WIRE_TYPE_JOIN_REPLY] == 0);
    }
    world_fini(&world);
}

static void owned_names_are_answered_for(void **state)
{
    (void)state;
    world_init(&world, 2);
    const struct slim_wire_name other = world_name("other", 0);
    struct slim_wire_session_message ask = forged(0, 1, 5, SLIM_WIRE_TYPE_DISCOVERY_REQUEST);
    ask.head.destination = other;
    world_inject(&world, 1, &ask);
    CHECK(world.sent[SLIM_WIRE_TYPE_DISCOVERY_REPLY] == 0);
    CHECK_OK(slim_session_app_own(world.apps[1].app, &other));
    world_inject(&world, 1, &ask);
    CHECK(world.sent[SLIM_WIRE_TYPE_DISCOVERY_REPLY] == 1);
    slim_session_app_disown(world.apps[1].app, &other);
    ask.head.message_id++;
    world_inject(&world, 1, &ask);
    CHECK(world.sent[SLIM_WIRE_TYPE_DISCOVERY_REPLY] == 1);
    world_fini(&world);
}

static void ids_are_checked(void **state)
{
    (void)state;
    world_init(&world, 1);
    struct slim_error error = {.status = SLIM_OK};
    const struct slim_session_settings settings = world_settings(SLIM_SESSION_GROUP, false);
    const struct slim_wire_name channel = world_name("channel", 0);
    uint32_t id = 0;
    CHECK_OK(slim_session_app_create(world.apps[0].app, 0, &settings, &channel, 7, 1, &id, &error));
    CHECK(id == 7);
    CHECK(slim_session_app_create(world.apps[0].app, 0, &settings, &channel, 7, 1, &id, &error) ==
          SLIM_ERR_EXISTS);
    assert_string_equal(error.text, "session id already used: 7");
    CHECK(slim_session_app_create(world.apps[0].app, 0, &settings, &channel, SLIM_SESSION_ID_END, 1,
                                  &id, &error) == SLIM_ERR_ARGUMENT);
    assert_string_equal(error.text, "invalid session id: 4294966295");
    world_fini(&world);
}

static void sessions_are_limited(void **state)
{
    (void)state;
    const struct slim_session_app_options options = {
        .can_send = true, .can_receive = true, .session_limit = 2};
    world_init_with(&world, 2, &options);
    struct slim_error error = {.status = SLIM_OK};
    const struct slim_session_settings settings = world_settings(SLIM_SESSION_GROUP, false);
    const struct slim_wire_name channel = world_name("channel", 0);
    uint32_t id = 0;
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(slim_session_app_create(world.apps[0].app, 0, &settings, &channel, i, i, &id,
                                      &error) == (i < 2 ? SLIM_OK : SLIM_ERR_LIMIT));
    }
    CHECK(slim_session_app_count(world.apps[0].app) == 2);
    world_fini(&world);
}

static void restricted_applications_do_not_send_or_receive(void **state)
{
    (void)state;
    const struct slim_session_app_options options = {.can_send = true, .can_receive = false};
    world_init_with(&world, 2, &options);
    const struct slim_session_settings settings =
        world_settings(SLIM_SESSION_POINT_TO_POINT, false);
    const struct slim_wire_name peer = world_name("b", 0);
    uint32_t id = world_create(&world, 0, &settings, &peer, 1);
    world_publish(&world, 0, id, "x", 2);
    world_run(&world, 50);
    CHECK(world_is_ok(&world, 0, 2));
    CHECK(world_count(&world, 1, SLIM_SESSION_MESSAGE) == 0);
    world_fini(&world);
    const struct slim_session_app_options mute = {.can_send = false, .can_receive = true};
    world_init_with(&world, 2, &mute);
    id = world_create(&world, 0, &settings, &peer, 1);
    struct slim_error error = {.status = SLIM_OK};
    const struct slim_session_payload payload = {.blob = SLIM_VIEW("x")};
    CHECK(slim_session_app_publish(world.apps[0].app, world.now_ms, id, &payload, 2, &error) ==
          SLIM_ERR_STATE);
    assert_string_equal(error.text, "session sender is shutdown, cannot send messages");
    world_fini(&world);
}

static void plaintext_is_a_choice_that_is_told(void **state)
{
    (void)state;
    const struct slim_session_app_options options = {
        .can_send = true,
        .can_receive = true,
        .protection = SLIM_SESSION_PROTECTION_PLAINTEXT,
        .has_plain_adds = true,
    };
    world_init_with(&world, 3, &options);
    uint32_t id = world_group(&world, true);
    world_publish(&world, 0, id, "x", 1);
    world_run(&world, 200);
    CHECK(world_is_ok(&world, 0, 1));
    CHECK(!world_event(&world, 1, SLIM_SESSION_MESSAGE, 0)->is_sealed);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(world_event(&world, i, SLIM_SESSION_PROBLEM, 0)->text,
                            "messages of this session are not encrypted");
    }
    world_fini(&world);
}

static void the_largest_sealed_message_arrives_and_a_larger_one_is_refused(void **state)
{
    (void)state;
    static const uint8_t blob[SLIM_SESSION_SEALED_BYTES_MAX + 1] = {'x'};
    uint32_t id = pair(true);
    struct slim_error error = {.status = SLIM_OK};
    struct slim_session_payload payload = {.blob = slim_view_of(blob, sizeof(blob))};
    CHECK(slim_session_app_publish(world.apps[0].app, world.now_ms, id, &payload, 2, &error) ==
          SLIM_ERR_LIMIT);
    payload.blob.len--;
    CHECK_OK(slim_session_app_publish(world.apps[0].app, world.now_ms, id, &payload, 3, &error));
    world_publish(&world, 0, id, "after it", 4);
    world_run(&world, 50);
    CHECK(world_completion(&world, 0, 2) == NULL);
    CHECK(world_is_ok(&world, 0, 3) && world_is_ok(&world, 0, 4));
    CHECK(world_count(&world, 1, SLIM_SESSION_MESSAGE) == 2);
    world_fini(&world);
}

static void full_window_says_when_it_is_not(void **state)
{
    (void)state;
    uint32_t id = pair(false);
    struct slim_error error = {.status = SLIM_OK};
    const struct slim_session_payload payload = {.blob = SLIM_VIEW("x")};
    enum slim_status status = SLIM_OK;
    uint64_t count = 0;
    while (status == SLIM_OK) {
        status = slim_session_app_publish(world.apps[0].app, world.now_ms, id, &payload,
                                          100 + count, &error);
        count += status == SLIM_OK ? 1 : 0;
    }
    CHECK(status == SLIM_AGAIN && count == SLIM_SESSION_SEND_WINDOW);
    CHECK(slim_session_app_publish(world.apps[0].app, world.now_ms, id, &payload, 9999, &error) ==
          SLIM_AGAIN);
    CHECK(world_count(&world, 0, SLIM_SESSION_WRITABLE) == 0);
    world_run(&world, 50);
    CHECK(world_count(&world, 0, SLIM_SESSION_WRITABLE) == 1);
    CHECK(world_completion(&world, 0, 9999) == NULL);
    for (uint64_t i = 0; i < count; i++) {
        CHECK(world_is_ok(&world, 0, 100 + i));
    }
    world_fini(&world);
}

/* An application that answers, closes and starts sessions from inside its events. */
static void answer_everything(struct world_app *app, const struct slim_session_event *event)
{
    struct slim_error error = {.status = SLIM_OK};
    uint64_t now_ms = app->world->now_ms;
    if (event->kind == SLIM_SESSION_MESSAGE) {
        const struct slim_session_payload payload = {.blob = SLIM_VIEW("answer")};
        CHECK_OK(slim_session_app_publish(app->app, now_ms, event->session_id, &payload,
                                          7000 + event->message->message_id, &error));
        CHECK_OK(slim_session_app_close(app->app, now_ms, event->session_id,
                                        8000 + event->message->message_id, &error));
    }
}

static void application_acts_from_inside_its_events(void **state)
{
    (void)state;
    uint32_t id = pair(true);
    world.apps[1].on_event = answer_everything;
    world_publish(&world, 0, id, "x", 2);
    world_run(&world, 200);
    CHECK(world_is_ok(&world, 0, 2));
    CHECK(world_is_ok(&world, 1, 7001) && world_is_ok(&world, 1, 8001));
    assert_string_equal(world_messages(&world, 0, texts, sizeof(texts)), "answer");
    CHECK(slim_session_app_count(world.apps[0].app) == 0 &&
          slim_session_app_count(world.apps[1].app) == 0);
    world_fini(&world);
}

static void tokens_that_are_missing_are_waited_for(void **state)
{
    (void)state;
    uint32_t id = pair(false);
    world.apps[0].has_no_token = true;
    world_publish(&world, 0, id, "x", 2);
    world_run(&world, 150);
    CHECK(world_completion(&world, 0, 2) == NULL);
    world.apps[0].has_no_token = false;
    world_run(&world, 150);
    CHECK(world_is_ok(&world, 0, 2));
    world_fini(&world);
}

static void second_invitation_of_the_same_moderator_counts(void **state)
{
    (void)state;
    world_init(&world, 2);
    uint32_t id = world_group(&world, false);
    struct slim_wire_session_message join = forged(0, 1, id, SLIM_WIRE_TYPE_JOIN_REQUEST);
    join.head.session_type = SLIM_WIRE_SESSION_MULTICAST;
    join.payload.join_request.channel = world_name("channel", 0);
    world_inject(&world, 1, &join);
    CHECK(world_count(&world, 1, SLIM_SESSION_CLOSED) == 1);
    assert_string_equal(world_event(&world, 1, SLIM_SESSION_CLOSED, 0)->text, "invited again");
    CHECK(slim_session_app_count(world.apps[1].app) == 1);
    CHECK(world.apps[1].route_balance == 1);
    world_inject(&world, 1, &join);
    CHECK_ROW("its copy does not", world_count(&world, 1, SLIM_SESSION_CLOSED) == 1);
    world_fini(&world);
}

static void publish_fails_when_all_repetitions_are_used(void **state)
{
    (void)state;
    uint32_t id = pair(true);
    world.filter = drop_all;
    world_publish(&world, 0, id, "x", 2);
    world_run(&world, 595);
    CHECK(world_completion(&world, 0, 2) == NULL);
    world_run(&world, 20);
    CHECK(world_completion(&world, 0, 2)->status == SLIM_ERR_TIMEOUT);
    assert_string_equal(world_completion(&world, 0, 2)->text,
                        "message send retries exhausted for id=1");
    world_fini(&world);
}

static bool drop_changes_of_b(struct world *w, size_t from, size_t to,
                              const struct slim_wire_session_message *message)
{
    (void)w;
    (void)from;
    return to != 1 || message->head.session_message_type != SLIM_WIRE_TYPE_GROUP_ADD;
}

static void member_that_hears_of_an_epoch_it_cannot_reach_leaves(void **state)
{
    (void)state;
    world_init(&world, 3);
    const struct slim_session_settings settings = world_settings(SLIM_SESSION_GROUP, true);
    const struct slim_wire_name channel = world_name("channel", 0);
    uint32_t id = world_create(&world, 0, &settings, &channel, 1);
    world_invite(&world, 0, id, 1, 2);
    world_run(&world, 50);
    world.filter = drop_changes_of_b;
    world_invite(&world, 0, id, 2, 3);
    world_run(&world, 50);
    world_publish(&world, 0, id, "x", 4);
    world_run(&world, 52000); /* what is told again with the pings is waited for */
    assert_string_equal(world_event(&world, 1, SLIM_SESSION_CLOSED, 0)->text,
                        "a change of the group was missed");
    CHECK(world_completion(&world, 0, 4)->status ==
          SLIM_ERR_TIMEOUT); /* it had but could not read it */
    assert_string_equal(world_messages(&world, 2, texts, sizeof(texts)), "x");
    world_fini(&world);
}

static void missing_credential_fails_or_is_waited_for(void **state)
{
    (void)state;
    const struct slim_session_settings settings = world_settings(SLIM_SESSION_POINT_TO_POINT, true);
    const struct slim_wire_name peer = world_name("b", 0);
    world_init(&world, 2);
    world.apps[0].has_no_credential = true;
    (void)world_create(&world, 0, &settings, &peer, 1);
    world_run(&world, 150);
    CHECK(world_completion(&world, 0, 1) == NULL); /* one that is being fetched may come */
    world_run(&world, 10000);
    CHECK(world_completion(&world, 0, 1)->status == SLIM_ERR_STATE);
    assert_string_equal(world_completion(&world, 0, 1)->text,
                        "failed to add participant to session\nCaused by:\n  -> the credential for "
                        "MLS cannot be had now");
    CHECK(slim_session_app_count(world.apps[0].app) == 0);
    world.apps[0].has_no_credential = false;
    world.apps[1].has_no_credential = true;
    (void)world_create(&world, 0, &settings, &peer, 2);
    world_run(&world, 150);
    CHECK(world_completion(&world, 0, 2) == NULL);
    world.apps[1].has_no_credential = false;
    world_run(&world, 150);
    CHECK(world_is_ok(&world, 0, 2));
    world_fini(&world);
}

static void credential_that_comes_late_is_waited_for(void **state)
{
    (void)state;
    const struct slim_session_settings settings = world_settings(SLIM_SESSION_POINT_TO_POINT, true);
    const struct slim_wire_name peer = world_name("b", 0);
    world_init(&world, 2);
    world.apps[0].has_no_credential = true;
    (void)world_create(&world, 0, &settings, &peer, 1);
    world_run(&world, 50);
    CHECK(world_completion(&world, 0, 1) == NULL);
    world.apps[0].has_no_credential = false;
    world_run(&world, 500);
    CHECK(world_is_ok(&world, 0, 1));
    world_fini(&world);
}

static void absurd_timers_of_others_are_cut(void **state)
{
    (void)state;
    world_init(&world, 2);
    struct slim_wire_session_message join = forged(0, 1, 9, SLIM_WIRE_TYPE_JOIN_REQUEST);
    join.payload.join_request = (struct slim_wire_join_request){
        .has_timer = true, .timeout_ms = UINT32_MAX, .max_retries = UINT32_MAX};
    world_inject(&world, 1, &join);
    struct slim_wire_session_message welcome = forged(0, 1, 9, SLIM_WIRE_TYPE_GROUP_WELCOME);
    world_inject(&world, 1, &welcome);
    struct slim_session_info info;
    CHECK_OK(slim_session_app_look(world.apps[1].app, 9, &info));
    CHECK(info.settings.interval_ms == SLIM_SESSION_INTERVAL_MS_MAX);
    CHECK(info.settings.max_retries == SLIM_SESSION_RETRIES_MAX);
    close_session(1, 9, 1);
    world_run(&world, 45000); /* the pings end it */
    CHECK(world_is_ok(&world, 1, 1));
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(create_without_answer_fails_after_all_repetitions),
        cmocka_unit_test(any_single_loss_is_repaired),
        cmocka_unit_test(any_single_loss_in_a_group_is_repaired),
        cmocka_unit_test(both_ends_close_at_once),
        cmocka_unit_test(close_twice_is_refused),
        cmocka_unit_test(close_delivers_what_was_published),
        cmocka_unit_test(close_ends_although_nobody_answers),
        cmocka_unit_test(close_during_invitations_ends_them),
        cmocka_unit_test(duplicates_are_answered_by_the_cautious_rule),
        cmocka_unit_test(channel_requests_of_others_are_answered_once),
        cmocka_unit_test(late_requests_of_an_ended_session_are_answered),
        cmocka_unit_test(half_open_sessions_are_bounded),
        cmocka_unit_test(bad_invitations_come_to_nothing),
        cmocka_unit_test(owned_names_are_answered_for),
        cmocka_unit_test(ids_are_checked),
        cmocka_unit_test(sessions_are_limited),
        cmocka_unit_test(restricted_applications_do_not_send_or_receive),
        cmocka_unit_test(plaintext_is_a_choice_that_is_told),
        cmocka_unit_test(full_window_says_when_it_is_not),
        cmocka_unit_test(the_largest_sealed_message_arrives_and_a_larger_one_is_refused),
        cmocka_unit_test(application_acts_from_inside_its_events),
        cmocka_unit_test(tokens_that_are_missing_are_waited_for),
        cmocka_unit_test(second_invitation_of_the_same_moderator_counts),
        cmocka_unit_test(publish_fails_when_all_repetitions_are_used),
        cmocka_unit_test(missing_credential_fails_or_is_waited_for),
        cmocka_unit_test(credential_that_comes_late_is_waited_for),
        cmocka_unit_test(absurd_timers_of_others_are_cut),
        cmocka_unit_test(member_that_hears_of_an_epoch_it_cannot_reach_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
