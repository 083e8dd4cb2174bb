/* Groups that a controller makes and changes (spec session.md 4.9). */
#include "world.h"

static struct world world;

static const struct slim_session_stats *stats(size_t app)
{
    return slim_session_app_stats(world.apps[app].app);
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

/* A message of a controller to application 0. */
static struct slim_wire_session_message of_controller(uint32_t id, int32_t type, uint32_t number)
{
    struct slim_wire_session_message message = forged(2, 0, id, type);
    message.head.source.text.part[0] = SLIM_VIEW("controller");
    message.head.source.text.part[1] = SLIM_VIEW("controller");
    message.head.source.text.part[2] = SLIM_VIEW("controller");
    message.head.source.name = slim_name_of(&message.head.source.text, world.apps[2].name.name.id);
    message.head.session_type = SLIM_WIRE_SESSION_MULTICAST;
    message.head.message_id = number;
    return message;
}

static void send_join_of_controller(uint32_t id, const struct slim_wire_name *source)
{
    static const struct slim_wire_pair key = {.key = {(const uint8_t *)"IS_MODERATOR", 12},
                                              .value = {(const uint8_t *)"TRUE", 4}};
    struct slim_wire_session_message join = of_controller(id, SLIM_WIRE_TYPE_JOIN_REQUEST, 1);
    join.payload.join_request =
        (struct slim_wire_join_request){.enable_mls = true,
                                        .has_timer = true,
                                        .timeout_ms = 100,
                                        .max_retries = 5,
                                        .channel = world_name("channel", 0)};
    join.metadata = (struct slim_wire_metadata){.pairs = &key, .count = 1};
    join.head.source = source != NULL ? *source : join.head.source;
    world_inject(&world, 0, &join);
}

static void controller_makes_and_changes_a_group(void **state)
{
    static const struct slim_wire_pair key = {.key = {(const uint8_t *)"DELETE_GROUP", 12},
                                              .value = {(const uint8_t *)"TRUE", 4}};
    (void)state;
    world_init(&world, 3);
    const uint64_t *acks = &world.sent[SLIM_WIRE_TYPE_GROUP_ACK];
    struct slim_session_info info;
    send_join_of_controller(77, NULL);
    CHECK(*acks == 1 && world_count(&world, 0, SLIM_SESSION_BEGUN) == 1);
    send_join_of_controller(77, NULL);
    CHECK(*acks == 2 && slim_session_app_count(world.apps[0].app) == 1);
    struct slim_wire_session_message invite =
        of_controller(77, SLIM_WIRE_TYPE_DISCOVERY_REQUEST, 2);
    invite.payload.discovery_request.destination = world_name("b", 0);
    world_inject(&world, 0, &invite);
    world_inject(&world, 0, &invite);
    world_run(&world, 50);
    CHECK_OK(slim_session_app_look(world.apps[0].app, 77, &info));
    CHECK(info.member_count == 2 && info.is_initiator && info.settings.is_mls);
    CHECK_ROW("the new member's and ours", *acks == 4);
    world_inject(&world, 0, &invite);
    CHECK_ROW("done before", *acks == 5);
    struct slim_wire_session_message remove = of_controller(77, SLIM_WIRE_TYPE_LEAVE_REQUEST, 3);
    remove.payload.leave_request.destination = world_name("b", 0);
    world_inject(&world, 0, &remove);
    world_run(&world, 50);
    CHECK_OK(slim_session_app_look(world.apps[0].app, 77, &info));
    CHECK(info.member_count == 1 && *acks == 6);
    remove = of_controller(77, SLIM_WIRE_TYPE_LEAVE_REQUEST, 4);
    remove.metadata = (struct slim_wire_metadata){.pairs = &key, .count = 1};
    world_inject(&world, 0, &remove);
    world_run(&world, 50);
    CHECK(slim_session_app_count(world.apps[0].app) == 0 && *acks == 7);
    CHECK(world_count(&world, 0, SLIM_SESSION_CLOSED) == 1);
    CHECK(world.apps[0].route_balance == 0);
    world_fini(&world);
}

static void only_controllers_make_groups_elsewhere(void **state)
{
    (void)state;
    world_init(&world, 3);
    send_join_of_controller(77, &world.apps[2].name);
    CHECK(slim_session_app_count(world.apps[0].app) == 0 && stats(0)->unauthorised == 1);
    world_fini(&world);
    const struct slim_session_app_options options = {.refuses_controller = true};
    world_init_with(&world, 3, &options);
    send_join_of_controller(77, NULL);
    CHECK(slim_session_app_count(world.apps[0].app) == 0 && stats(0)->unauthorised == 1);
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(controller_makes_and_changes_a_group),
        cmocka_unit_test(only_controllers_make_groups_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
