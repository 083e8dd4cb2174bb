/* Whoever joins a group later: what older members have said before, and say now, and what of that is lost on the way. */
#include "world.h"

static struct world world;
static char texts[4096];

/* What is dropped on the way from `from` to `to`: the first count[type] of each type. */
struct drops {
    size_t from;
    size_t to;
    int count[32];
    bool is_unmarked; /* answers with our mark never arrive: as if its sender was of another make */
};

static bool drop(struct world *w, size_t from, size_t to,
                 const struct slim_wire_session_message *message)
{
    struct drops *drops = w->test;
    int32_t type = message->head.session_message_type;
    bool is_marked = type == SLIM_WIRE_TYPE_RTX_REPLY && message->metadata.count > 0;
    if (drops->is_unmarked && is_marked && to == drops->to) {
        return false;
    }
    if (from != drops->from || to != drops->to || drops->count[type] == 0) {
        return true;
    }
    drops->count[type]--;
    return false;
}

/* A group of the first two, in which the second has said two things; then the third joins. */
static uint32_t group_with_newcomer(bool is_mls)
{
    const struct slim_session_settings settings = world_settings(SLIM_SESSION_GROUP, is_mls);
    const struct slim_wire_name channel = world_name("channel", 0);
    world_init(&world, 3);
    uint32_t id = world_create(&world, 0, &settings, &channel, 1);
    world_invite(&world, 0, id, 1, 2);
    world_run(&world, 200);
    world_publish(&world, 1, id, "before", 3);
    world_publish(&world, 1, id, "you came", 4);
    world_publish(&world, 0, id, "me too", 5);
    world_run(&world, 200);
    world_invite(&world, 0, id, 2, 6);
    world_run(&world, 200);
    CHECK(world_is_ok(&world, 0, 6));
    return id;
}

static void check_three(size_t speaker, uint32_t id)
{
    static const char *said[] = {"one", "two", "three"};
    for (size_t i = 0; i < SLIM_COUNT(said); i++) {
        world_publish(&world, speaker, id, said[i], 10 + i);
    }
    world_run(&world, 2000);
    for (size_t i = 0; i < SLIM_COUNT(said); i++) {
        CHECK(world_is_ok(&world, speaker, 10 + i));
    }
    assert_string_equal(world_messages(&world, 2, texts, sizeof(texts)), "one,two,three");
    CHECK(world_count(&world, 2, SLIM_SESSION_PROBLEM) == 0);
}

static void first_message_of_an_older_member_comes_first_though_it_was_lost(void **state)
{
    (void)state;
    for (int is_mls = 0; is_mls < 2; is_mls++) {
        for (size_t speaker = 0; speaker < 2; speaker++) {
            for (int lost = 0; lost <= 2; lost++) {
                struct drops drops = {.from = speaker, .to = 2, .count[SLIM_WIRE_TYPE_MSG] = lost};
                uint32_t id = group_with_newcomer(is_mls == 1);
                world.test = &drops;
                world.filter = drop;
                check_three(speaker, id);
                world_fini(&world);
            }
        }
    }
}

static void question_and_answer_may_be_lost_as_well(void **state)
{
    static const struct {
        const char *why;
        int32_t type;
        size_t from;
        size_t to;
        int count;
    } rows[] = {
        {"the question", SLIM_WIRE_TYPE_MSG_ACK, 2, 1, 2},
        {"the question, again and again", SLIM_WIRE_TYPE_MSG_ACK, 2, 1, 5},
        {"the answer", SLIM_WIRE_TYPE_RTX_REPLY, 1, 2, 2},
        {"the answer, again and again", SLIM_WIRE_TYPE_RTX_REPLY, 1, 2, 5},
    };
    (void)state;
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct drops drops = {.from = rows[i].from, .to = rows[i].to};
        struct drops first = {.from = 1, .to = 2, .count[SLIM_WIRE_TYPE_MSG] = 1};
        drops.count[rows[i].type] = rows[i].count;
        uint32_t id = group_with_newcomer(true);
        world.filter = drop;
        world.test = &first;
        world_publish(&world, 1, id, "one", 10);
        world_publish(&world, 1, id, "two", 11);
        world_run(&world, 1); /* the two are on the way */
        world.test = &drops;
        world_run(&world, 2000);
        CHECK_ROW(rows[i].why, world_is_ok(&world, 1, 10) && world_is_ok(&world, 1, 11));
        CHECK_ROW(rows[i].why,
                  strcmp(world_messages(&world, 2, texts, sizeof(texts)), "one,two") == 0);
        CHECK_ROW(rows[i].why, drops.count[rows[i].type] == 0);
        world_fini(&world);
    }
}

static void nothing_is_waited_for_when_nothing_is_missing(void **state)
{
    (void)state;
    uint32_t id = group_with_newcomer(true);
    world_publish(&world, 1, id, "one", 10);
    world_run(&world, 10); /* there, back with the question, and there again */
    assert_string_equal(world_messages(&world, 2, texts, sizeof(texts)), "one");
    CHECK(world.sent[SLIM_WIRE_TYPE_RTX_REQUEST] == 0);
    CHECK(world.sent[SLIM_WIRE_TYPE_RTX_REPLY] == 1);
    world_publish(&world, 1, id, "two", 11);
    world_run(&world, 10);
    CHECK(world.sent[SLIM_WIRE_TYPE_RTX_REPLY] == 1); /* asked once */
    world_fini(&world);
}

static void member_that_never_answers_is_heard_in_the_end(void **state)
{
    (void)state;
    struct drops drops = {.to = 2, .is_unmarked = true};
    uint32_t id = group_with_newcomer(false);
    world.test = &drops;
    world.filter = drop;
    check_three(1, id);
    world_fini(&world);
}

/* What nobody may do: make the newcomer skip what it is to get, or ask for what was never there. */
static void answers_that_were_not_asked_for_change_nothing(void **state)
{
    static const char *const values[] = {"",           "x",           "3x", "-1",
                                         "2147483648", "99999999999", "1",  "4711"};
    (void)state;
    for (size_t i = 0; i < SLIM_COUNT(values); i++) {
        uint32_t id = group_with_newcomer(false);
        struct slim_wire_pair base = {SLIM_VIEW("SLIM_C"),
                                      slim_view_of(values[i], strlen(values[i]))};
        struct slim_wire_session_message message = {.head = {.kind = SLIM_WIRE_PUBLISH}};
        message.head.source = world.apps[1].name;
        message.head.destination = world.apps[2].name;
        message.head.fanout = 1;
        message.head.identity = SLIM_VIEW("1");
        message.head.session_type = SLIM_WIRE_SESSION_MULTICAST;
        message.head.session_message_type = SLIM_WIRE_TYPE_RTX_REPLY;
        message.head.session_id = id;
        message.head.message_id = 3;
        message.head.has_error = true;
        message.head.error = true;
        message.payload.kind = SLIM_WIRE_PAYLOAD_APP;
        message.metadata = (struct slim_wire_metadata){.pairs = &base, .count = 1};
        world_inject(&world, 2, &message); /* before anything of it has come */
        check_three(1, id);
        world_inject(&world, 2, &message); /* and after */
        world_publish(&world, 1, id, "four", 20);
        world_run(&world, 500);
        CHECK_ROW(values[i], world_is_ok(&world, 1, 20));
        CHECK_ROW(values[i], strcmp(world_messages(&world, 2, texts, sizeof(texts)),
                                    "one,two,three,four") == 0);
        world_fini(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_message_of_an_older_member_comes_first_though_it_was_lost),
        cmocka_unit_test(question_and_answer_may_be_lost_as_well),
        cmocka_unit_test(nothing_is_waited_for_when_nothing_is_missing),
        cmocka_unit_test(member_that_never_answers_is_heard_in_the_end),
        cmocka_unit_test(answers_that_were_not_asked_for_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
