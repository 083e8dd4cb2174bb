/* The defects of the reference (spec session.md 18) as sessions meet them: none of them is ours. Those of the data path alone are in
 * test_sender.c and test_receiver.c. */
#include "world.h"

static struct world world;
static char texts[4096];

static uint32_t group(size_t count, bool is_mls)
{
    world_init(&world, count);
    return world_group(&world, is_mls);
}

static size_t member_count(size_t app, uint32_t id)
{
    struct slim_session_info info;
    CHECK_OK(slim_session_app_look(world.apps[app].app, id, &info));
    return info.member_count;
}

static const struct slim_session_stats *stats(size_t app)
{
    return slim_session_app_stats(world.apps[app].app);
}

static void remove_member(uint32_t id, size_t whom, uint64_t op)
{
    struct slim_error error = {.status = SLIM_OK};
    struct slim_wire_name name = world.apps[whom].name;
    name.name.id = SLIM_NAME_ANY;
    CHECK_OK(slim_session_app_remove(world.apps[0].app, world.now_ms, id, &name, op, &error));
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

static void inject(size_t from, size_t to, uint32_t id, int32_t type)
{
    struct slim_wire_session_message message = forged(from, to, id, type);
    world_inject(&world, to, &message);
}

static void check_talks(uint32_t id, size_t from, uint64_t op)
{
    world_publish(&world, from, id, "still there", op);
    world_run(&world, 1000);
    CHECK(world_is_ok(&world, from, op));
}

static void defect_01_surplus_answers_do_not_end_a_moderator(void **state)
{
    static const int32_t types[] = {SLIM_WIRE_TYPE_DISCOVERY_REPLY, SLIM_WIRE_TYPE_JOIN_REPLY,
                                    SLIM_WIRE_TYPE_GROUP_ACK, SLIM_WIRE_TYPE_LEAVE_REPLY};
    (void)state;
    uint32_t id = group(3, false);
    uint64_t unexpected = stats(0)->unexpected;
    for (size_t i = 0; i < SLIM_COUNT(types); i++) {
        inject(1, 0, id, types[i]);
    }
    CHECK(stats(0)->unexpected == unexpected + SLIM_COUNT(types));
    check_talks(id, 0, 1);
    world_fini(&world);
}

static void defect_01_every_message_doubled_changes_nothing(void **state)
{
    (void)state;
    for (int is_mls = 0; is_mls < 2; is_mls++) {
        world_init(&world, 4);
        world.is_doubling = true;
        uint32_t id = world_group(&world, is_mls == 1);
        for (size_t i = 0; i < 4; i++) {
            check_talks(id, i, 100 + i);
        }
        for (size_t i = 0; i < 4; i++) {
            CHECK(world_count(&world, i, SLIM_SESSION_MESSAGE) == 3);
        }
        close_session(0, id, 5);
        world_run(&world, 1000);
        CHECK(world_is_ok(&world, 0, 5));
        CHECK(world_count(&world, 3, SLIM_SESSION_CLOSED) == 1);
        world_fini(&world);
    }
}

static void defect_02_senseless_types_are_ignored(void **state)
{
    static const int32_t types[] = {SLIM_WIRE_TYPE_GROUP_PROPOSAL,
                                    SLIM_WIRE_TYPE_GROUP_ACK,
                                    SLIM_WIRE_TYPE_GROUP_NACK,
                                    0,
                                    19,
                                    4711,
                                    -1};
    (void)state;
    uint32_t id = group(3, true);
    for (size_t i = 0; i < SLIM_COUNT(types); i++) {
        inject(0, 1, id, types[i]);
        inject(1, 0, id, types[i]);
    }
    check_talks(id, 0, 1);
    check_talks(id, 1, 2);
    world_fini(&world);
}

/* Drop the first message of a type from one application; `test` points to the type, and to 0 when it happened. */
static bool drop_first(struct world *w, size_t from, size_t to,
                       const struct slim_wire_session_message *message)
{
    int32_t *what = w->test;
    (void)to;
    if (from == (size_t)what[1] && message->head.session_message_type == what[0]) {
        what[0] = 0;
        return false;
    }
    return true;
}

static void defect_03_a_lost_acknowledgement_of_a_commit_is_repaired(void **state)
{
    (void)state;
    uint32_t id = group(2, true);
    int32_t what[] = {SLIM_WIRE_TYPE_GROUP_ACK, 1};
    world.app_count = 2;
    world_fini(&world);
    world_init(&world, 3);
    const struct slim_session_settings settings = world_settings(SLIM_SESSION_GROUP, true);
    const struct slim_wire_name channel = world_name("channel", 0);
    id = world_create(&world, 0, &settings, &channel, 1);
    world_invite(&world, 0, id, 1, 2);
    world_run(&world, 50);
    world.test = what;
    world.filter = drop_first;
    world_invite(&world, 0, id, 2, 3);
    world_run(&world, 50);
    CHECK(what[0] == 0);
    CHECK(world_completion(&world, 0, 3) == NULL);
    world_run(&world, 100);
    CHECK(world_is_ok(&world, 0, 3));
    check_talks(id, 1, 4);
    world_fini(&world);
}

static void defect_04_who_left_can_be_invited_again(void **state)
{
    (void)state;
    for (int is_mls = 0; is_mls < 2; is_mls++) {
        uint32_t id = group(3, is_mls == 1);
        close_session(2, id, 1);
        world_run(&world, 200);
        CHECK(world_is_ok(&world, 2, 1));
        CHECK(slim_session_app_count(world.apps[2].app) == 0);
        CHECK(world.apps[2].route_balance == 0);
        CHECK(member_count(1, id) == 2);
        world_invite(&world, 0, id, 2, 2);
        world_run(&world, 200);
        CHECK(world_is_ok(&world, 0, 2));
        CHECK(world_count(&world, 2, SLIM_SESSION_BEGUN) == 2);
        check_talks(id, 2, 3);
        check_talks(id, 1, 4);
        world_fini(&world);
    }
}

static void defect_04_a_lost_moderator_leaves_nothing_behind(void **state)
{
    (void)state;
    uint32_t id = group(3, true);
    world.apps[0].is_dead = true;
    world_run(&world, 45000);
    for (size_t i = 1; i < 3; i++) {
        CHECK(slim_session_app_count(world.apps[i].app) == 0);
        CHECK(world.apps[i].route_balance == 0);
        CHECK(world_count(&world, i, SLIM_SESSION_CLOSED) == 1);
    }
    (void)id;
    world_fini(&world);
}

static bool drop_pings_to_1_and_joins_of_2(struct world *w, size_t from, size_t to,
                                           const struct slim_wire_session_message *message)
{
    bool is_ping = message->head.session_message_type == SLIM_WIRE_TYPE_PING && to == 1;
    bool is_join = message->head.session_message_type == SLIM_WIRE_TYPE_JOIN_REPLY && from == 2 &&
                   *(bool *)w->test;
    return !is_ping && !is_join;
}

static void defect_05_unanswered_pings_fail_no_task(void **state)
{
    (void)state;
    bool is_slow = true;
    world_init(&world, 3);
    struct slim_session_settings settings = world_settings(SLIM_SESSION_GROUP, false);
    const struct slim_wire_name channel = world_name("channel", 0);
    settings.interval_ms = 1000;
    uint32_t id = world_create(&world, 0, &settings, &channel, 1);
    world_invite(&world, 0, id, 1, 2);
    world_run(&world, 9500);
    world.test = &is_slow;
    world.filter = drop_pings_to_1_and_joins_of_2;
    world_run(&world, 2000); /* the first ping is out */
    CHECK(world.sent[SLIM_WIRE_TYPE_PING] > 0);
    world_invite(&world, 0, id, 2, 3);
    world_run(&world, 4900);
    CHECK(world.sent[SLIM_WIRE_TYPE_PING] == 6); /* and is given up, sooner than the invitation */
    CHECK(world_completion(&world, 0, 3) == NULL);
    is_slow = false;
    world_run(&world, 4000);
    CHECK(world_is_ok(&world, 0, 3));
    world_fini(&world);
}

static void defect_06_an_add_of_ourselves_is_not_a_new_member(void **state)
{
    (void)state;
    uint32_t id = group(3, false);
    struct slim_wire_session_message message = forged(0, 1, id, SLIM_WIRE_TYPE_GROUP_ADD);
    message.payload.group_change.participant = world.apps[1].name;
    world_inject(&world, 1, &message);
    CHECK(member_count(1, id) == 3);
    check_talks(id, 1, 1);
    world_fini(&world);
}

/* The key package of application 2 becomes nonsense on the way. */
static bool spoil_key_package(struct world *w, size_t from, size_t to,
                              const struct slim_wire_session_message *message)
{
    if (from != 2 || message->head.session_message_type != SLIM_WIRE_TYPE_JOIN_REPLY) {
        return true;
    }
    struct slim_wire_session_message spoilt = *message;
    spoilt.payload.join_reply.key_package = SLIM_VIEW("this is no key package");
    world_inject(w, to, &spoilt);
    return false;
}

static void defect_07_a_bad_key_package_fails_its_invitation_alone(void **state)
{
    (void)state;
    world_init(&world, 4);
    world.filter = spoil_key_package;
    const struct slim_session_settings settings = world_settings(SLIM_SESSION_GROUP, true);
    const struct slim_wire_name channel = world_name("channel", 0);
    uint32_t id = world_create(&world, 0, &settings, &channel, 1);
    world_invite(&world, 0, id, 1, 2);
    world_invite(&world, 0, id, 2, 3);
    world_invite(&world, 0, id, 3, 4);
    world_run(&world, 100);
    CHECK(world_is_ok(&world, 0, 2));
    CHECK(world_completion(&world, 0, 3)->status != SLIM_OK);
    CHECK(strstr(world_completion(&world, 0, 3)->text,
                 "failed to add participant to session\nCaused by:\n  -> ") != NULL);
    CHECK(world_is_ok(&world, 0, 4));
    CHECK(member_count(0, id) == 3 && member_count(1, id) == 3);
    world.filter = NULL;
    world_invite(&world, 0, id, 2, 5);
    world_run(&world, 100);
    CHECK(world_is_ok(&world, 0, 5));
    world_fini(&world);
}

static void defect_08_what_fails_at_once_does_not_stop_the_rest(void **state)
{
    (void)state;
    uint32_t id = group(2, false);
    world.app_count = 2;
    struct slim_wire_name nobody = world_name("nobody", 0);
    struct slim_error error = {.status = SLIM_OK};
    world_invite(&world, 0, id, 1, 1);
    CHECK_OK(slim_session_app_remove(world.apps[0].app, world.now_ms, id, &nobody, 2, &error));
    remove_member(id, 1, 3);
    world_run(&world, 200);
    assert_string_equal(
        world_completion(&world, 0, 1)->text,
        "session cleanup failed: participant already in group: t/w/b/ffffffffffffffff");
    assert_string_equal(
        world_completion(&world, 0, 2)->text,
        "session cleanup failed: participant not found in group: t/w/nobody/ffffffffffffffff");
    CHECK(world_is_ok(&world, 0, 3));
    world_fini(&world);
}

static void defect_09_old_messages_are_not_told_to_new_members(void **state)
{
    (void)state;
    uint32_t id = group(3, false);
    check_talks(id, 0, 1);
    remove_member(id, 1, 2);
    remove_member(id, 2, 3);
    world_run(&world, 200);
    CHECK(world_is_ok(&world, 0, 2) && world_is_ok(&world, 0, 3));
    world_publish(&world, 0, id, "held", 4);
    world_invite(&world, 0, id, 1, 5);
    world_run(&world, 500);
    CHECK(world_is_ok(&world, 0, 4) && world_is_ok(&world, 0, 5));
    assert_string_equal(world_messages(&world, 1, texts, sizeof(texts)), "still there,held");
    world_fini(&world);
}

static bool drop_data_to_2(struct world *w, size_t from, size_t to,
                           const struct slim_wire_session_message *message)
{
    (void)w;
    (void)from;
    return to != 2 || message->head.session_message_type != SLIM_WIRE_TYPE_MSG;
}

static void defect_10_a_publish_ends_when_who_it_waits_for_is_removed(void **state)
{
    (void)state;
    uint32_t id = group(3, false);
    world.filter = drop_data_to_2;
    world_publish(&world, 0, id, "x", 1);
    world_run(&world, 50);
    CHECK(world_completion(&world, 0, 1) == NULL);
    remove_member(id, 2, 2);
    world_run(&world, 50);
    CHECK(world_is_ok(&world, 0, 1));
    CHECK(world_is_ok(&world, 0, 2));
    world_fini(&world);
}

static bool drop_changes_to_1(struct world *w, size_t from, size_t to,
                              const struct slim_wire_session_message *message)
{
    (void)from;
    int32_t type = message->head.session_message_type;
    return !(*(bool *)w->test && to == 1 &&
             (type == SLIM_WIRE_TYPE_GROUP_ADD || type == SLIM_WIRE_TYPE_GROUP_REMOVE));
}

static void defect_11_a_missed_commit_is_told_again(void **state)
{
    (void)state;
    bool is_deaf = true;
    world_init(&world, 4);
    const struct slim_session_settings settings = world_settings(SLIM_SESSION_GROUP, true);
    const struct slim_wire_name channel = world_name("channel", 0);
    uint32_t id = world_create(&world, 0, &settings, &channel, 1);
    world_invite(&world, 0, id, 1, 2);
    world_invite(&world, 0, id, 2, 3);
    world_run(&world, 50);
    world.test = &is_deaf;
    world.filter = drop_changes_to_1;
    world_invite(&world, 0, id, 3, 4);
    world_run(&world, 700); /* longer than all repetitions */
    CHECK(world_is_ok(&world, 0, 4));
    CHECK(member_count(1, id) == 3);
    is_deaf = false;
    world_run(&world, 21000); /* the next ping is a sign of life */
    CHECK(member_count(1, id) == 4);
    check_talks(id, 3, 5);
    check_talks(id, 1, 6);
    world_fini(&world);
}

static bool drop_first_change_to_1(struct world *w, size_t from, size_t to,
                                   const struct slim_wire_session_message *message)
{
    (void)from;
    return !(to == 1 && message->head.session_message_type == SLIM_WIRE_TYPE_GROUP_ADD &&
             message->payload.group_change.mls.commit_id == *(uint32_t *)w->test);
}

static void defect_11_a_commit_that_never_comes_ends_the_session_with_a_reason(void **state)
{
    (void)state;
    uint32_t missing = 3;
    world_init(&world, 5);
    const struct slim_session_settings settings = world_settings(SLIM_SESSION_GROUP, true);
    const struct slim_wire_name channel = world_name("channel", 0);
    uint32_t id = world_create(&world, 0, &settings, &channel, 1);
    world_invite(&world, 0, id, 1, 2);
    world_invite(&world, 0, id, 2, 3);
    world_run(&world, 50);
    world.test = &missing;
    world.filter = drop_first_change_to_1;
    world_invite(&world, 0, id, 3, 4);
    world_invite(&world, 0, id, 4, 5);
    world_run(&world, 3000);
    CHECK(world_is_ok(&world, 0, 4) && world_is_ok(&world, 0, 5));
    assert_string_equal(world_event(&world, 1, SLIM_SESSION_CLOSED, 0)->text,
                        "a change of the group was missed");
    CHECK(member_count(0, id) == 4);
    check_talks(id, 2, 6);
    world_fini(&world);
}

static void defect_15_a_create_that_fails_leaves_nothing(void **state)
{
    (void)state;
    world_init(&world, 2);
    const struct slim_session_settings settings =
        world_settings(SLIM_SESSION_POINT_TO_POINT, false);
    const struct slim_wire_name ghost = world_name("ghost", 0);
    uint32_t id = world_create(&world, 0, &settings, &ghost, 1);
    char want[400];
    world_run(&world, 10);
    const struct world_event *event = world_completion(&world, 0, 1);
    CHECK(event->status == SLIM_ERR_NO_ROUTE);
    (void)snprintf(want, sizeof(want),
                   "failed to add participant to session\nCaused by:\n  -> send failure reported "
                   "from slim: ErrorPayload: message processing error: no matching found for "
                   "t/w/ghost/ffffffffffffffff (session_id=%u, message_id=",
                   id);
    CHECK(strncmp(event->text, want, strlen(want)) == 0);
    CHECK(strstr(event->text, ", session_message_type=DiscoveryRequest)") != NULL);
    CHECK(slim_session_app_count(world.apps[0].app) == 0);
    CHECK(slim_session_app_tick(world.apps[0].app, world.now_ms) == UINT64_MAX);
    CHECK(world.apps[0].route_balance == 0);
    world_fini(&world);
}

static void defect_17_sessions_nobody_asks_for_block_nothing(void **state)
{
    (void)state;
    world_init(&world, 2);
    const struct slim_session_settings settings =
        world_settings(SLIM_SESSION_POINT_TO_POINT, false);
    const struct slim_wire_name peer = world_name("b", 0);
    uint32_t id = 0;
    for (uint64_t i = 0; i < 300; i++) {
        id = world_create(&world, 0, &settings, &peer, i);
    }
    world_run(&world, 50);
    CHECK(world_count(&world, 1, SLIM_SESSION_BEGUN) == 300);
    check_talks(id, 0, 1000);
    world_fini(&world);
}

static void defect_20_only_the_moderator_is_obeyed(void **state)
{
    static const int32_t types[] = {SLIM_WIRE_TYPE_GROUP_ADD,     SLIM_WIRE_TYPE_GROUP_REMOVE,
                                    SLIM_WIRE_TYPE_GROUP_WELCOME, SLIM_WIRE_TYPE_GROUP_CLOSE,
                                    SLIM_WIRE_TYPE_LEAVE_REQUEST, SLIM_WIRE_TYPE_PING,
                                    SLIM_WIRE_TYPE_JOIN_REQUEST};
    (void)state;
    uint32_t id = group(3, false);
    for (size_t i = 0; i < SLIM_COUNT(types); i++) {
        uint64_t before = stats(1)->unauthorised;
        uint64_t sent = world.sent[SLIM_WIRE_TYPE_GROUP_ACK] +
                        world.sent[SLIM_WIRE_TYPE_LEAVE_REPLY] + world.sent[SLIM_WIRE_TYPE_PING];
        inject(2, 1, id, types[i]);
        CHECK(stats(1)->unauthorised == before + 1);
        CHECK(sent == world.sent[SLIM_WIRE_TYPE_GROUP_ACK] +
                          world.sent[SLIM_WIRE_TYPE_LEAVE_REPLY] + world.sent[SLIM_WIRE_TYPE_PING]);
    }
    CHECK(member_count(1, id) == 3);
    world_fini(&world);
}

static void defect_20_data_comes_from_members_only(void **state)
{
    (void)state;
    world_init(&world, 4);
    world.app_count = 3;
    uint32_t id = world_group(&world, false);
    world.app_count = 4;
    struct slim_wire_session_message message = forged(3, 1, id, SLIM_WIRE_TYPE_MSG);
    message.head.message_id = 1;
    world_inject(&world, 1, &message);
    CHECK(stats(1)->unauthorised == 1);
    CHECK(world_count(&world, 1, SLIM_SESSION_MESSAGE) == 0);
    message.head.identity = SLIM_VIEW("?");
    world_inject(&world, 1, &message);
    CHECK(stats(1)->unauthenticated == 1);
    world_fini(&world);
}

/* Counts GROUP_ADDs that reach 1, and swallows what 2 acknowledges. */
static bool count_adds_to_1(struct world *w, size_t from, size_t to,
                            const struct slim_wire_session_message *message)
{
    uint32_t *count = w->test;
    *count += to == 1 && message->head.session_message_type == SLIM_WIRE_TYPE_GROUP_ADD ? 1 : 0;
    return !(from == 2 && message->head.session_message_type == SLIM_WIRE_TYPE_GROUP_ACK);
}

static void defect_21_only_the_missing_are_asked_again(void **state)
{
    (void)state;
    uint32_t count = 0;
    world_init(&world, 4);
    world.app_count = 3;
    uint32_t id = world_group(&world, false);
    world.app_count = 4;
    world.test = &count;
    world.filter = count_adds_to_1;
    world_invite(&world, 0, id, 3, 1);
    world_run(&world, 2000);
    CHECK(count == 1);
    CHECK(world_is_ok(&world, 0, 1)); /* a silent member does not fail another's invitation */
    world_fini(&world);
}

static void defect_22_an_invitation_is_complete_when_the_member_can_receive(void **state)
{
    (void)state;
    int32_t what[] = {SLIM_WIRE_TYPE_GROUP_WELCOME, 0};
    world_init(&world, 2);
    world.test = what;
    world.filter = drop_first;
    const struct slim_session_settings settings = world_settings(SLIM_SESSION_GROUP, false);
    const struct slim_wire_name channel = world_name("channel", 0);
    uint32_t id = world_create(&world, 0, &settings, &channel, 1);
    world_publish(&world, 0, id, "early", 2);
    world_invite(&world, 0, id, 1, 3);
    world_run(&world, 90);
    CHECK(what[0] == 0);
    CHECK(world_completion(&world, 0, 3) == NULL);
    CHECK(world.sent[SLIM_WIRE_TYPE_MSG] == 0);
    world_run(&world, 50);
    CHECK(world_is_ok(&world, 0, 3) && world_is_ok(&world, 0, 2));
    world_publish(&world, 0, id, "late", 4);
    world_run(&world, 10);
    CHECK(world_is_ok(&world, 0, 4));
    world_run(&world, SLIM_SESSION_BASE_WAIT_MS);
    assert_string_equal(world_messages(&world, 1, texts, sizeof(texts)), "early,late");
    world_fini(&world);
}

static bool look_for_plaintext(struct world *w, size_t from, size_t to,
                               const struct slim_wire_session_message *message)
{
    (void)from;
    (void)to;
    struct slim_view blob = message->payload.app.blob;
    if (message->payload.kind == SLIM_WIRE_PAYLOAD_APP && blob.len > 0 &&
        memmem(blob.data, blob.len, "still", 5) != NULL) {
        *(bool *)w->test = true;
    }
    return true;
}

static void defect_23_mls_sessions_seal_what_is_published(void **state)
{
    (void)state;
    bool is_seen = false;
    uint32_t id = group(3, true);
    world.test = &is_seen;
    world.filter = look_for_plaintext;
    check_talks(id, 0, 1);
    check_talks(id, 1, 2);
    CHECK(!is_seen);
    struct slim_wire_session_message message = forged(0, 1, id, SLIM_WIRE_TYPE_MSG);
    message.head.message_id = 2;
    message.payload.app.blob = SLIM_VIEW("in clear");
    world_inject(&world, 1, &message);
    CHECK(stats(1)->refused_plaintext == 1);
    CHECK(world_count(&world, 1, SLIM_SESSION_MESSAGE) == 1);
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defect_01_surplus_answers_do_not_end_a_moderator),
        cmocka_unit_test(defect_01_every_message_doubled_changes_nothing),
        cmocka_unit_test(defect_02_senseless_types_are_ignored),
        cmocka_unit_test(defect_03_a_lost_acknowledgement_of_a_commit_is_repaired),
        cmocka_unit_test(defect_04_who_left_can_be_invited_again),
        cmocka_unit_test(defect_04_a_lost_moderator_leaves_nothing_behind),
        cmocka_unit_test(defect_05_unanswered_pings_fail_no_task),
        cmocka_unit_test(defect_06_an_add_of_ourselves_is_not_a_new_member),
        cmocka_unit_test(defect_07_a_bad_key_package_fails_its_invitation_alone),
        cmocka_unit_test(defect_08_what_fails_at_once_does_not_stop_the_rest),
        cmocka_unit_test(defect_09_old_messages_are_not_told_to_new_members),
        cmocka_unit_test(defect_10_a_publish_ends_when_who_it_waits_for_is_removed),
        cmocka_unit_test(defect_11_a_missed_commit_is_told_again),
        cmocka_unit_test(defect_11_a_commit_that_never_comes_ends_the_session_with_a_reason),
        cmocka_unit_test(defect_15_a_create_that_fails_leaves_nothing),
        cmocka_unit_test(defect_17_sessions_nobody_asks_for_block_nothing),
        cmocka_unit_test(defect_20_only_the_moderator_is_obeyed),
        cmocka_unit_test(defect_20_data_comes_from_members_only),
        cmocka_unit_test(defect_21_only_the_missing_are_asked_again),
        cmocka_unit_test(defect_22_an_invitation_is_complete_when_the_member_can_receive),
        cmocka_unit_test(defect_23_mls_sessions_seal_what_is_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
