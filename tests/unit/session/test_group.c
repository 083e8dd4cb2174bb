/* Groups: who comes, who goes, and what reaches whom. */
#include "world.h"

static struct world world;
static char texts[4096];

static size_t member_count(size_t app, uint32_t id)
{
    struct slim_session_info info;
    CHECK_OK(slim_session_app_look(world.apps[app].app, id, &info));
    return info.member_count;
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

static void removed_member_is_out_and_can_come_back(void **state)
{
    (void)state;
    for (int is_mls = 0; is_mls < 2; is_mls++) {
        world_init(&world, 4);
        uint32_t id = world_group(&world, is_mls == 1);
        remove_member(id, 2, 1);
        world_run(&world, 50);
        CHECK(world_is_ok(&world, 0, 1));
        CHECK(world_count(&world, 2, SLIM_SESSION_CLOSED) == 1);
        CHECK(slim_session_app_count(world.apps[2].app) == 0);
        CHECK(world.apps[2].route_balance == 0);
        CHECK(member_count(0, id) == 3 && member_count(1, id) == 3 && member_count(3, id) == 3);
        world_publish(&world, 1, id, "without c", 2);
        world_run(&world, 200);
        CHECK(world_is_ok(&world, 1, 2));
        CHECK(world_count(&world, 2, SLIM_SESSION_MESSAGE) == 0);
        world_invite(&world, 0, id, 2, 3);
        world_run(&world, 200);
        CHECK(world_is_ok(&world, 0, 3));
        world_publish(&world, 2, id, "back", 4);
        world_publish(&world, 3, id, "hello c", 5);
        world_run(&world, 300);
        CHECK(world_is_ok(&world, 2, 4) && world_is_ok(&world, 3, 5));
        assert_string_equal(world_messages(&world, 2, texts, sizeof(texts)), "hello c");
        assert_string_equal(world_messages(&world, 0, texts, sizeof(texts)),
                            "without c,back,hello c");
        world_fini(&world);
    }
}

static void member_that_leaves_is_told_about_and_forgotten(void **state)
{
    (void)state;
    for (int is_mls = 0; is_mls < 2; is_mls++) {
        world_init(&world, 3);
        uint32_t id = world_group(&world, is_mls == 1);
        world_publish(&world, 2, id, "last words", 1);
        close_session(2, id, 2);
        world_run(&world, 300);
        CHECK(world_is_ok(&world, 2, 1) && world_is_ok(&world, 2, 2));
        assert_string_equal(world_event(&world, 0, SLIM_SESSION_PROBLEM, 0)->text,
                            "participant disconnected: t/w/c/3eb");
        CHECK(world_count(&world, 1, SLIM_SESSION_PROBLEM) == 0);
        CHECK(member_count(0, id) == 2 && member_count(1, id) == 2);
        assert_string_equal(world_messages(&world, 1, texts, sizeof(texts)), "last words");
        close_session(1, id, 3);
        world_run(&world, 300);
        CHECK(world_is_ok(&world, 1, 3));
        CHECK(slim_session_app_count(world.apps[0].app) == 0); /* nobody is left (spec 12.3) */
        CHECK(world_count(&world, 0, SLIM_SESSION_CLOSED) == 1);
        CHECK(world.apps[0].route_balance == 0);
        world_fini(&world);
    }
}

static void message_that_crosses_the_end_is_delivered(void **state)
{
    static const struct {
        const char *why;
        size_t ends;
        size_t speaks;
        enum slim_session_kind kind;
    } rows[] = {
        {"a moderator closes", 0, 1, SLIM_SESSION_GROUP},
        {"an initiator closes", 0, 1, SLIM_SESSION_POINT_TO_POINT},
        {"a responder leaves", 1, 0, SLIM_SESSION_POINT_TO_POINT},
    };
    (void)state;
    for (size_t i = 0; i < 2 * SLIM_COUNT(rows); i++) {
        const char *why = rows[i / 2].why;
        const struct slim_session_settings settings = world_settings(rows[i / 2].kind, i % 2 == 1);
        world_init(&world, 2);
        const struct slim_wire_name channel = world_name("channel", 0);
        bool is_group = settings.kind == SLIM_SESSION_GROUP;
        struct slim_wire_name peer = world.apps[1].name;
        peer.name.id = SLIM_NAME_ANY;
        uint32_t id = world_create(&world, 0, &settings, is_group ? &channel : &peer, 1);
        if (is_group) {
            world_invite(&world, 0, id, 1, 2);
        }
        world_run(&world, 100);
        world_publish(&world, rows[i / 2].speaks, id, "crossing", 4);
        close_session(rows[i / 2].ends, id, 3);
        world_run(&world, 2000);
        CHECK_ROW(why, world_is_ok(&world, rows[i / 2].ends, 3));
        CHECK_ROW(why, world_completion(&world, rows[i / 2].speaks, 4) != NULL);
        CHECK_ROW(why, strcmp(world_messages(&world, rows[i / 2].ends, texts, sizeof(texts)),
                              "crossing") == 0);
        world_fini(&world);
    }
}

static void removing_the_last_one_keeps_the_session(void **state)
{
    (void)state;
    world_init(&world, 2);
    uint32_t id = world_group(&world, true);
    remove_member(id, 1, 1);
    world_run(&world, 100);
    CHECK(world_is_ok(&world, 0, 1));
    CHECK(member_count(0, id) == 1);
    world_invite(&world, 0, id, 1, 2);
    world_run(&world, 100);
    CHECK(world_is_ok(&world, 0, 2));
    world_publish(&world, 0, id, "again", 3);
    world_run(&world, 200);
    CHECK(world_is_ok(&world, 0, 3));
    world_fini(&world);
}

static void publish_to_reaches_one_member(void **state)
{
    (void)state;
    for (int is_mls = 0; is_mls < 2; is_mls++) {
        world_init(&world, 3);
        uint32_t id = world_group(&world, is_mls == 1);
        struct slim_error error = {.status = SLIM_OK};
        const struct slim_session_payload payload = {.blob = SLIM_VIEW("psst")};
        CHECK_OK(slim_session_app_publish_to(world.apps[1].app, world.now_ms, id,
                                             &world.apps[2].name, &payload, 1, &error));
        world_run(&world, 50);
        CHECK(world_is_ok(&world, 1, 1));
        CHECK(world_count(&world, 0, SLIM_SESSION_MESSAGE) == 0);
        const struct world_event *event = world_event(&world, 2, SLIM_SESSION_MESSAGE, 0);
        assert_string_equal(event->blob, "psst");
        assert_string_equal(event->destination, "t/w/c/3eb");
        CHECK(event->is_direct && event->message_id >= SLIM_SESSION_DIRECT_MIN);
        CHECK(event->is_sealed == (is_mls == 1));
        const struct slim_wire_name nobody = world_name("nobody", 5);
        CHECK(slim_session_app_publish_to(world.apps[1].app, world.now_ms, id, &nobody, &payload, 2,
                                          &error) == SLIM_ERR_NOT_FOUND);
        assert_string_equal(error.text, "error receiving ack for message: channel closed");
        world_fini(&world);
    }
}

static void metadata_travels_with_the_invitation_and_the_message(void **state)
{
    (void)state;
    static const struct slim_wire_pair pairs[] = {
        {.key = {(const uint8_t *)"purpose", 7}, .value = {(const uint8_t *)"demo", 4}},
        {.key = {(const uint8_t *)"empty", 5}, .value = {NULL, 0}},
    };
    world_init(&world, 2);
    struct slim_session_settings settings = world_settings(SLIM_SESSION_GROUP, false);
    struct slim_session_info info;
    struct slim_error error = {.status = SLIM_OK};
    const struct slim_wire_name channel = world_name("channel", 0);
    const struct slim_session_payload payload = {
        .payload_type = SLIM_VIEW("text"), .metadata = pairs, .metadata_count = 2};
    settings.metadata = pairs;
    settings.metadata_count = 2;
    uint32_t id = world_create(&world, 0, &settings, &channel, 1);
    world_invite(&world, 0, id, 1, 2);
    world_run(&world, 50);
    CHECK(world_is_ok(&world, 0, 2));
    CHECK_OK(slim_session_app_look(world.apps[1].app, id, &info));
    CHECK(info.settings.metadata_count == 2 && !info.is_initiator);
    CHECK_VIEW(info.settings.metadata[0].key, "purpose");
    CHECK_VIEW(info.settings.metadata[0].value, "demo");
    CHECK(info.settings.max_retries == 5 && info.settings.interval_ms == 100);
    CHECK_OK(slim_session_app_publish(world.apps[0].app, world.now_ms, id, &payload, 3, &error));
    world_run(&world, 200);
    CHECK(world_is_ok(&world, 0, 3));
    world_fini(&world);
}

static void unreliable_groups_work_between_ours(void **state)
{
    (void)state;
    world_init(&world, 3);
    struct slim_session_settings settings = world_settings(SLIM_SESSION_GROUP, false);
    const struct slim_wire_name channel = world_name("channel", 0);
    settings.has_timer = false;
    uint32_t id = world_create(&world, 0, &settings, &channel, 1);
    world_invite(&world, 0, id, 1, 2);
    world_invite(&world, 0, id, 2, 3);
    world_run(&world, 50);
    CHECK(world_is_ok(&world, 0, 2) && world_is_ok(&world, 0, 3));
    world_publish(&world, 2, id, "x", 4);
    CHECK(world_is_ok(&world, 2, 4)); /* at once */
    world_run(&world, 50);
    CHECK(world_count(&world, 0, SLIM_SESSION_MESSAGE) == 1);
    CHECK(world_count(&world, 1, SLIM_SESSION_MESSAGE) == 1);
    CHECK(world.sent[SLIM_WIRE_TYPE_MSG_ACK] == 0);
    world_fini(&world);
}

static void only_initiators_of_groups_change_them(void **state)
{
    (void)state;
    struct slim_error error = {.status = SLIM_OK};
    world_init(&world, 3);
    world.app_count = 2;
    uint32_t id = world_group(&world, false);
    world.app_count = 3;
    CHECK(slim_session_app_invite(world.apps[1].app, world.now_ms, id, &world.apps[2].name, 1,
                                  &error) == SLIM_ERR_DENIED);
    assert_string_equal(error.text, "only initiator can modify participants");
    const struct slim_session_settings settings =
        world_settings(SLIM_SESSION_POINT_TO_POINT, false);
    uint32_t pair = world_create(&world, 0, &settings, &world.apps[1].name, 2);
    CHECK(slim_session_app_invite(world.apps[0].app, world.now_ms, pair, &world.apps[2].name, 3,
                                  &error) == SLIM_ERR_DENIED);
    assert_string_equal(error.text, "cannot invite participant to point-to-point session");
    CHECK(slim_session_app_remove(world.apps[0].app, world.now_ms, pair, &world.apps[1].name, 3,
                                  &error) == SLIM_ERR_DENIED);
    assert_string_equal(error.text, "cannot remove participant from point-to-point session");
    CHECK(slim_session_app_invite(world.apps[0].app, world.now_ms, 12345, &world.apps[2].name, 3,
                                  &error) == SLIM_ERR_NOT_FOUND);
    assert_string_equal(error.text, "session not found: 12345");
    world_fini(&world);
}

static bool drop_replies_of_1(struct world *w, size_t from, size_t to,
                              const struct slim_wire_session_message *message)
{
    (void)w;
    (void)to;
    return from != 1 || message->head.session_message_type != SLIM_WIRE_TYPE_JOIN_REPLY;
}

static void slow_invitee_does_not_hold_up_others(void **state)
{
    (void)state;
    world_init(&world, 5);
    const struct slim_session_settings settings = world_settings(SLIM_SESSION_GROUP, true);
    const struct slim_wire_name channel = world_name("channel", 0);
    world.filter = drop_replies_of_1;
    uint32_t id = world_create(&world, 0, &settings, &channel, 1);
    for (size_t i = 1; i < 5; i++) {
        world_invite(&world, 0, id, i, 10 + i);
    }
    world_run(&world, 90);
    CHECK(world_is_ok(&world, 0, 12) && world_is_ok(&world, 0, 13) && world_is_ok(&world, 0, 14));
    world_run(&world, 1000);
    CHECK(world_completion(&world, 0, 11)->status == SLIM_ERR_TIMEOUT);
    CHECK(strncmp(world_completion(&world, 0, 11)->text,
                  "failed to add participant to session\nCaused by:\n  -> message send retries "
                  "exhausted for id=",
                  84) == 0);
    CHECK(member_count(0, id) == 4);
    world_fini(&world);
}

static void same_name_is_handled_in_order(void **state)
{
    (void)state;
    world_init(&world, 2);
    const struct slim_session_settings settings = world_settings(SLIM_SESSION_GROUP, true);
    const struct slim_wire_name channel = world_name("channel", 0);
    uint32_t id = world_create(&world, 0, &settings, &channel, 1);
    world_invite(&world, 0, id, 1, 2);
    world_invite(&world, 0, id, 1, 3);
    remove_member(id, 1, 4);
    world_invite(&world, 0, id, 1, 5);
    world_run(&world, 200);
    CHECK(world_is_ok(&world, 0, 2));
    CHECK(world_completion(&world, 0, 3)->status == SLIM_ERR_EXISTS);
    CHECK(world_is_ok(&world, 0, 4));
    CHECK(world_is_ok(&world, 0, 5));
    CHECK(member_count(0, id) == 2);
    world_fini(&world);
}

static bool drop_welcomes_to_2(struct world *w, size_t from, size_t to,
                               const struct slim_wire_session_message *message)
{
    (void)w;
    (void)from;
    return to != 2 || message->head.session_message_type != SLIM_WIRE_TYPE_GROUP_WELCOME;
}

static void failed_welcome_takes_the_member_out_again(void **state)
{
    (void)state;
    world_init(&world, 3);
    const struct slim_session_settings settings = world_settings(SLIM_SESSION_GROUP, true);
    const struct slim_wire_name channel = world_name("channel", 0);
    world.filter = drop_welcomes_to_2;
    uint32_t id = world_create(&world, 0, &settings, &channel, 1);
    world_invite(&world, 0, id, 1, 2);
    world_invite(&world, 0, id, 2, 3);
    world_run(&world, 1000);
    CHECK(world_is_ok(&world, 0, 2));
    CHECK(world_completion(&world, 0, 3)->status == SLIM_ERR_TIMEOUT);
    CHECK(member_count(0, id) == 2 && member_count(1, id) == 2);
    world_publish(&world, 0, id, "x", 4);
    world_publish(&world, 1, id, "y", 5);
    world_run(&world, 300);
    CHECK(world_is_ok(&world, 0, 4) && world_is_ok(&world, 1, 5));
    world.filter = NULL;
    world_run(&world, 40000); /* the half-open session is given up by the pings */
    CHECK(slim_session_app_count(world.apps[2].app) == 0);
    world_invite(&world, 0, id, 2, 6);
    world_run(&world, 300);
    CHECK(world_is_ok(&world, 0, 6));
    world_fini(&world);
}

static void silent_member_is_dropped_by_the_pings(void **state)
{
    (void)state;
    world_init(&world, 3);
    uint32_t id = world_group(&world, true);
    world.apps[2].is_dead = true;
    world_run(&world, 25000);
    CHECK(member_count(0, id) == 3);
    world_run(&world, 17000);
    CHECK(member_count(0, id) == 2 && member_count(1, id) == 2);
    assert_string_equal(world_event(&world, 0, SLIM_SESSION_PROBLEM, 0)->text,
                        "participant disconnected: t/w/c/3eb");
    world_publish(&world, 1, id, "x", 1);
    world_run(&world, 100);
    CHECK(world_is_ok(&world, 1, 1));
    world_fini(&world);
}

static void idle_group_lives_on(void **state)
{
    (void)state;
    world_init(&world, 3);
    uint32_t id = world_group(&world, true);
    world_run(&world, 10 * 60 * 1000);
    CHECK(member_count(0, id) == 3 && member_count(1, id) == 3 && member_count(2, id) == 3);
    CHECK(world.sent[SLIM_WIRE_TYPE_PING] == 60 * 3);
    world_fini(&world);
}

/* A client that has nothing to do wakes at most once a second; pings are all it should wake for. */
static void idle_sessions_wake_nobody_more_than_once_a_second(void **state)
{
    enum { SECONDS = 600 };
    (void)state;
    for (int is_mls = 0; is_mls < 2; is_mls++) {
        world_init(&world, 4);
        uint32_t id = world_group(&world, is_mls == 1);
        const struct slim_session_settings settings =
            world_settings(SLIM_SESSION_POINT_TO_POINT, is_mls == 1);
        struct slim_wire_name peer = world.apps[2].name;
        uint32_t pair = world_create(&world, 1, &settings, &peer, 1);
        world_run(&world, 200);
        CHECK(world_is_ok(&world, 1, 1));
        for (size_t i = 0; i < 4; i++) {
            world_publish(&world, i, id, "x", 10 + i);
        }
        world_publish(&world, 1, pair, "y", 20);
        world_run(&world, 2 * SLIM_SESSION_PATH_MS); /* what invitations owe is paid */
        for (size_t i = 0; i < 4; i++) {
            world.apps[i].wakes = 0;
        }
        world_run(&world, SECONDS * 1000);
        for (size_t i = 0; i < 4; i++) {
            CHECK(world.apps[i].wakes > 0 && world.apps[i].wakes <= SECONDS);
        }
        CHECK(member_count(0, id) == 4);
        world_fini(&world);
    }
}

static void moderator_renews_its_keys(void **state)
{
    (void)state;
    world_init(&world, 3);
    uint32_t id = world_group(&world, true);
    struct slim_session_info before;
    struct slim_session_info after;
    CHECK_OK(slim_session_app_look(world.apps[2].app, id, &before));
    world_run(&world, SLIM_SESSION_REFRESH_MS + 1000);
    CHECK_OK(slim_session_app_look(world.apps[2].app, id, &after));
    CHECK(after.mls_epoch == before.mls_epoch + 1);
    CHECK(after.member_count == 3);
    world_publish(&world, 0, id, "x", 1);
    world_publish(&world, 2, id, "y", 2);
    world_run(&world, 300);
    CHECK(world_is_ok(&world, 0, 1) && world_is_ok(&world, 2, 2));
    world_fini(&world);
}

/* By MLS when it enters, and by the session to know whom it speaks for. */
static void credential_of_a_new_member_is_read_once(void **state)
{
    (void)state;
    world_init(&world, 4);
    uint32_t id = world_group(&world, true);
    remove_member(id, 3, 1);
    world_run(&world, 1000);
    CHECK(world_is_ok(&world, 0, 1));
    for (size_t i = 0; i < 3; i++) {
        world.apps[i].credential_reads = 0;
    }
    world_invite(&world, 0, id, 3, 2);
    world_run(&world, 100);
    CHECK(world_is_ok(&world, 0, 2));
    for (size_t i = 0; i < 3; i++) {
        CHECK(world.apps[i].credential_reads == 1);
    }
    world_fini(&world);
}

static void credential_that_was_good_a_second_ago_is_read_again(void **state)
{
    (void)state;
    world_init(&world, 3);
    uint32_t id = world_group(&world, true);
    remove_member(id, 2, 1);
    world_run(&world, 2000);
    CHECK(world_is_ok(&world, 0, 1));
    world.apps[0].finds_tokens_old = true;
    world_invite(&world, 0, id, 2, 2); /* with the credential that was read last */
    world_run(&world, 1000);
    const struct world_event *event = world_completion(&world, 0, 2);
    CHECK(event != NULL && event->status == SLIM_ERR_EXPIRED);
    world_fini(&world);
}

static void dropped_member_ends_by_itself(void **state)
{
    (void)state;
    world_init(&world, 3);
    uint32_t id = world_group(&world, false);
    struct slim_wire_session_message message = {.head = {.kind = SLIM_WIRE_PUBLISH}};
    message.head.source = world.apps[0].name;
    message.head.destination = world.apps[2].name;
    message.head.fanout = 256;
    message.head.identity = SLIM_VIEW("0");
    message.head.session_type = SLIM_WIRE_SESSION_MULTICAST;
    message.head.session_message_type = SLIM_WIRE_TYPE_GROUP_REMOVE;
    message.head.session_id = id;
    message.head.message_id = 77;
    message.payload.kind = SLIM_WIRE_PAYLOAD_GROUP_REMOVE;
    message.payload.group_change.participant = world.apps[2].name;
    world_inject(&world, 2, &message);
    world_run(&world, 500);
    CHECK(slim_session_app_count(world.apps[2].app) == 1);
    world_run(&world, 200);
    CHECK(slim_session_app_count(world.apps[2].app) == 0);
    CHECK(world_count(&world, 2, SLIM_SESSION_CLOSED) == 1);
    world_fini(&world);
}

static void large_group_grows_in_one_go(void **state)
{
    (void)state;
    world_init(&world, WORLD_APPS_MAX);
    uint32_t id = world_group(&world, true);
    for (size_t i = 0; i < WORLD_APPS_MAX; i++) {
        struct slim_session_info info;
        CHECK_OK(slim_session_app_look(world.apps[i].app, id, &info));
        CHECK(info.member_count == WORLD_APPS_MAX && info.mls_epoch == WORLD_APPS_MAX - 1);
    }
    for (size_t i = 1; i < WORLD_APPS_MAX; i++) {
        remove_member(id, i, i);
    }
    world_run(&world, 200);
    for (size_t i = 1; i < WORLD_APPS_MAX; i++) {
        CHECK(world_is_ok(&world, 0, i));
        CHECK(slim_session_app_count(world.apps[i].app) == 0);
    }
    CHECK(member_count(0, id) == 1);
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(removed_member_is_out_and_can_come_back),
        cmocka_unit_test(member_that_leaves_is_told_about_and_forgotten),
        cmocka_unit_test(message_that_crosses_the_end_is_delivered),
        cmocka_unit_test(removing_the_last_one_keeps_the_session),
        cmocka_unit_test(publish_to_reaches_one_member),
        cmocka_unit_test(metadata_travels_with_the_invitation_and_the_message),
        cmocka_unit_test(unreliable_groups_work_between_ours),
        cmocka_unit_test(only_initiators_of_groups_change_them),
        cmocka_unit_test(slow_invitee_does_not_hold_up_others),
        cmocka_unit_test(same_name_is_handled_in_order),
        cmocka_unit_test(failed_welcome_takes_the_member_out_again),
        cmocka_unit_test(silent_member_is_dropped_by_the_pings),
        cmocka_unit_test(idle_group_lives_on),
        cmocka_unit_test(idle_sessions_wake_nobody_more_than_once_a_second),
        cmocka_unit_test(moderator_renews_its_keys),
        cmocka_unit_test(credential_of_a_new_member_is_read_once),
        cmocka_unit_test(credential_that_was_good_a_second_ago_is_read_again),
        cmocka_unit_test(dropped_member_ends_by_itself),
        cmocka_unit_test(large_group_grows_in_one_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
