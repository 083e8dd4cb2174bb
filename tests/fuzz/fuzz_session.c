/* Any messages to members of a group and of a pair, in any order and between real ones: nothing breaks, and when it is over everybody can
 * close and nothing stays behind. */
#include <stdlib.h>

#include "unit/session/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { APPS = 3, NUMBERS = 16 };

static struct world world;
static uint32_t numbers[NUMBERS]; /* message numbers seen on the network */
static size_t number_next;

static bool note_numbers(struct world *w, size_t from, size_t to,
                         const struct slim_wire_session_message *message)
{
    (void)w;
    (void)from;
    (void)to;
    numbers[number_next++ % NUMBERS] = message->head.message_id;
    return true;
}

struct input {
    const uint8_t *data;
    size_t len;
};

static uint8_t take(struct input *in)
{
    if (in->len == 0) {
        return 0;
    }
    in->len--;
    return *in->data++;
}

static struct slim_view take_bytes(struct input *in)
{
    size_t len = take(in);
    len = len < in->len ? len : in->len;
    struct slim_view bytes = slim_view_of(in->data, len);
    in->data += len;
    in->len -= len;
    return bytes;
}

static struct slim_wire_name take_name(struct input *in)
{
    uint8_t choice = take(in);
    struct slim_wire_name name = world.apps[choice % APPS].name;
    if ((choice & 0x40) != 0) {
        name = world_name("channel", 0);
    }
    if ((choice & 0x80) != 0) {
        name.name.id = choice;
    }
    name.is_present = (choice & 0x20) == 0;
    return name;
}

static void fill_payload(struct input *in, struct slim_wire_payload *payload,
                         struct slim_wire_name names[2])
{
    names[0] = take_name(in);
    names[1] = take_name(in);
    names[0].is_present = true;
    names[1].is_present = true;
    struct slim_wire_names list = {.names = names, .count = take(in) % 3};
    struct slim_wire_mls mls = {.is_present = (take(in) & 1) != 0, .commit_id = take(in)};
    mls.content = take_bytes(in);
    switch ((int)payload->kind) {
    case SLIM_WIRE_PAYLOAD_APP:
        payload->app.blob = mls.content;
        break;
    case SLIM_WIRE_PAYLOAD_DISCOVERY_REQUEST:
        payload->discovery_request.destination = take_name(in);
        break;
    case SLIM_WIRE_PAYLOAD_LEAVE_REQUEST:
        payload->leave_request.destination = take_name(in);
        break;
    case SLIM_WIRE_PAYLOAD_JOIN_REQUEST:
        payload->join_request = (struct slim_wire_join_request){.enable_mls = mls.is_present,
                                                                .has_timer = take(in) > 40,
                                                                .timeout_ms = take(in),
                                                                .max_retries = take(in) % 8,
                                                                .channel = take_name(in)};
        break;
    case SLIM_WIRE_PAYLOAD_JOIN_REPLY:
        payload->join_reply = (struct slim_wire_join_reply){mls.is_present, mls.content};
        break;
    case SLIM_WIRE_PAYLOAD_GROUP_ADD:
    case SLIM_WIRE_PAYLOAD_GROUP_REMOVE:
        payload->group_change = (struct slim_wire_group_change){take_name(in), list, mls};
        break;
    case SLIM_WIRE_PAYLOAD_GROUP_WELCOME:
        payload->group_welcome = (struct slim_wire_group_welcome){list, mls};
        break;
    case SLIM_WIRE_PAYLOAD_GROUP_CLOSE:
        payload->group_close.participants = list;
        break;
    case SLIM_WIRE_PAYLOAD_GROUP_PROPOSAL:
        payload->group_proposal = (struct slim_wire_group_proposal){take_name(in), mls.content};
        break;
    }
}

/* One message as a member, or somebody that pretends to be one, could send it. */
static void inject(struct input *in, const uint32_t sessions[2])
{
    static const char digits[] = "0123456789";
    static const char *const keys[] = {"PUBLISH_TO",   "LEAVING_SESSION", "SLIM_C",
                                       "DELETE_GROUP", "IS_MODERATOR",    "other"};
    struct slim_wire_name names[2];
    struct slim_wire_pair pair;
    uint8_t to = take(in) % APPS;
    uint8_t from = take(in) % APPS;
    uint8_t choice = take(in);
    struct slim_wire_session_message message = {.head = {.kind = SLIM_WIRE_PUBLISH}};
    message.head.source = world.apps[from].name;
    message.head.destination = world.apps[to].name;
    if ((choice & 0x80) != 0) {
        message.head.destination = take_name(in);
        message.head.destination.is_present = true;
    }
    message.head.fanout = take(in);
    message.head.identity = slim_view_of(&digits[from], 1);
    message.head.session_type = 1 + (choice & 1);
    message.head.session_message_type = take(in) % 20;
    message.head.session_id = (choice & 0x10) != 0 ? choice : sessions[choice >> 1 & 1];
    message.head.message_id = (choice & 0x20) != 0 ? take(in) : numbers[take(in) % NUMBERS];
    message.head.has_error = (choice & 0x40) != 0;
    message.head.error = true;
    message.payload.kind = slim_wire_payload_of_type(message.head.session_message_type);
    if ((choice & 0x0c) == 0x0c) {
        message.payload.kind = slim_wire_payload_of_type(take(in) % 20);
    }
    fill_payload(in, &message.payload, names);
    uint8_t key = take(in);
    if (key < SLIM_COUNT(keys)) {
        pair = (struct slim_wire_pair){slim_view_str(keys[key]), SLIM_VIEW("TRUE")};
        message.metadata = (struct slim_wire_metadata){.pairs = &pair, .count = 1};
    }
    world_inject(&world, to, &message);
}

static void act(struct input *in, const uint32_t sessions[2])
{
    struct slim_error error;
    uint8_t choice = take(in);
    struct world_app *app = &world.apps[choice >> 4 & 3 % APPS];
    uint32_t id = sessions[choice >> 6 & 1];
    struct slim_wire_name name = world.apps[take(in) % APPS].name;
    const struct slim_session_payload payload = {.blob = SLIM_VIEW("content")};
    enum slim_status status = SLIM_OK;
    switch (choice & 7) {
    case 0:
        status = slim_session_app_publish(app->app, world.now_ms, id, &payload, 1, &error);
        break;
    case 1:
        status = slim_session_app_invite(app->app, world.now_ms, id, &name, 2, &error);
        break;
    case 2:
        status = slim_session_app_remove(app->app, world.now_ms, id, &name, 3, &error);
        break;
    case 3:
        status =
            slim_session_app_publish_to(app->app, world.now_ms, id, &name, &payload, 4, &error);
        break;
    case 4:
        status = slim_session_app_close(app->app, world.now_ms, id, 5, &error);
        break;
    case 5:
        slim_session_app_lost_link(app->app, WORLD_CONN);
        break;
    case 6:
        world_run(&world, 11000);
        break;
    case 7:
        world_run(&world, take(in));
        break;
    }
    (void)status; /* anything may be refused */
}

static void begin(bool is_mls, uint32_t sessions[2])
{
    world_init(&world, APPS);
    world.filter = note_numbers;
    const struct slim_session_settings settings =
        world_settings(SLIM_SESSION_POINT_TO_POINT, is_mls);
    sessions[0] = world_group(&world, is_mls);
    sessions[1] = world_create(&world, 1, &settings, &world.apps[0].name, 77);
    world_run(&world, 20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    uint32_t sessions[2];
    struct slim_error error;
    begin((take(&in) & 3) == 0, sessions);
    for (int i = 0; i < 64 && in.len > 0; i++) {
        uint8_t what = take(&in);
        if (what < 128) {
            inject(&in, sessions);
        } else if (what < 200) {
            act(&in, sessions);
        } else {
            world_run(&world, 1);
        }
        for (size_t k = 0; k < APPS; k++) {
            world.apps[k].event_count = 0; /* a flood of problems is none of ours */
        }
    }
    for (size_t i = 0; i < APPS; i++) {
        for (size_t k = 0; k < 2; k++) {
            /* it may be gone, or closing already */
            (void)slim_session_app_close(world.apps[i].app, world.now_ms, sessions[k], 9, &error);
        }
    }
    world_run(&world, 60000);
    world_fini(&world);
    return 0;
}
