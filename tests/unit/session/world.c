#include "world.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/base64.h"

enum { LATENCY_MS = 1, FIRST_ID = 1001 };

struct packet {
    struct slim_list node;
    uint64_t due_ms;
    size_t from;
    size_t to;
    size_t len;
    uint8_t bytes[];
};

/* ---- names */

struct slim_wire_name world_name(const char *text, uint64_t id)
{
    struct slim_wire_name name = {.is_present = true, .is_complete = true};
    name.text.part[0] = SLIM_VIEW("t");
    name.text.part[1] = SLIM_VIEW("w");
    name.text.part[2] = slim_view_str(text);
    name.name = slim_name_of(&name.text, id == 0 ? SLIM_NAME_ANY : (unsigned __int128)id);
    return name;
}

/* ---- identity: a token is "<index>" or "<index>|<key in base64>" */

static enum slim_status make_token(void *ctx, struct slim_view *token)
{
    static const char digits[] = "0123456789";
    const struct world_app *app = ctx;
    *token = slim_view_of(&digits[app->index], 1);
    return app->has_no_token ? SLIM_AGAIN : SLIM_OK;
}

static enum slim_status check_token(void *ctx, struct slim_view token,
                                    const struct slim_name_key *source)
{
    (void)ctx; /* everybody knows everybody */
    if (token.len == 0 || token.data[0] < '0' || token.data[0] > '9') {
        return SLIM_ERR_AUTH;
    }
    return source->id == (unsigned __int128)(FIRST_ID + token.data[0] - '0') ? SLIM_OK
                                                                             : SLIM_ERR_DENIED;
}

static bool is_source(void *ctx, struct slim_view subject, const struct slim_name_key *name)
{
    return check_token(ctx, subject, name) == SLIM_OK;
}

static enum slim_status make_credential(void *ctx, const uint8_t *key, struct slim_buf *token)
{
    const struct world_app *app = ctx;
    if (app->has_no_credential) {
        return SLIM_AGAIN;
    }
    SLIM_TRY(slim_buf_put_text(token, "%zu|", app->index));
    return slim_base64_put(SLIM_BASE64_STANDARD, slim_view_of(key, 32), token);
}

static enum slim_status read_credential(void *ctx, struct slim_view token, bool any_age,
                                        struct slim_mls_claims *claims, struct slim_error *error)
{
    struct world_app *app = ctx;
    app->credential_reads++;
    if (app->finds_tokens_old && !any_age) {
        return slim_error_set(error, SLIM_ERR_EXPIRED, "too old");
    }
    if (token.len < 3 || token.data[1] != '|') {
        return slim_error_set(error, SLIM_ERR_AUTH, "not a token");
    }
    claims->subject = slim_view_of(token.data, 1);
    claims->public_key = slim_view_skip(token, 2);
    return SLIM_OK;
}

/* ---- the network */

static void fill_random(void *ctx, void *out, size_t len)
{
    struct world_app *app = ctx;
    uint8_t *bytes = out;
    for (size_t i = 0; i < len; i++) {
        app->world->seed = app->world->seed * 6364136223846793005U + 1442695040888963407U;
        bytes[i] = (uint8_t)(app->world->seed >> 56);
    }
}

static uint64_t draw_latency(struct world *world)
{
    uint16_t number = 0;
    if (world->jitter_ms > 0) {
        fill_random(&world->apps[0], &number, sizeof(number));
        return LATENCY_MS + number % world->jitter_ms;
    }
    return LATENCY_MS;
}

static void put_packet(struct world *world, size_t from, size_t to, struct slim_view msg)
{
    struct packet *packet = malloc(sizeof(*packet) + msg.len);
    if (packet == NULL) {
        return; /* lost, as it happens in networks */
    }
    *packet = (struct packet){
        .due_ms = world->now_ms + draw_latency(world), .from = from, .to = to, .len = msg.len};
    memcpy(packet->bytes, msg.data, msg.len);
    struct slim_list *later = world->packets.prev; /* in the order of arrival */
    while (later != &world->packets &&
           SLIM_LIST_ENTRY(later, struct packet, node)->due_ms > packet->due_ms) {
        later = later->prev;
    }
    slim_list_put_first(later, &packet->node);
}

static int *subscription_of(struct world_app *app, const struct slim_name_key *name)
{
    for (size_t i = 0; i < WORLD_SUBSCRIPTIONS_MAX; i++) {
        if (app->subscription_counts[i] != 0 &&
            slim_name_has_prefix_of(&app->subscriptions[i], name)) {
            return &app->subscription_counts[i];
        }
    }
    for (size_t i = 0; i < WORLD_SUBSCRIPTIONS_MAX; i++) {
        if (app->subscription_counts[i] == 0) {
            app->subscriptions[i] = *name;
            return &app->subscription_counts[i];
        }
    }
    abort();
}

static bool is_reached(struct world_app *app, const struct slim_name_key *name)
{
    bool is_own = slim_name_has_prefix_of(&app->name.name, name);
    if (app->is_dead) {
        return false;
    }
    if (name->id != SLIM_NAME_ANY) {
        return is_own && app->name.name.id == name->id;
    }
    return is_own || *subscription_of(app, name) > 0;
}

static void take_back(struct world *world, const struct world_app *from,
                      const struct slim_wire_head *head)
{
    char text[400];
    (void)snprintf(text, sizeof(text), "no matching found for t/w/%.*s/ffffffffffffffff",
                   SLIM_VIEW_ARG(head->destination.text.part[2]));
    slim_session_app_take_error(from->app, world->now_ms, SLIM_SESSION_NO_ROUTE, head->session_id,
                                head->session_message_type, head->message_id, text);
}

struct rejected {
    struct slim_wire_head head;
    bool is_set;
};

static void on_send(void *ctx, struct slim_view msg)
{
    struct world_app *app = ctx;
    struct world *world = app->world;
    struct slim_wire_session_message message;
    CHECK_OK(slim_wire_read_session_message(msg, &message));
    world->sent[message.head.session_message_type]++;
    if (world->is_tracing) {
        print_message("%6" PRIu64 " %c -> %.*s/%llx type %d number %u\n", world->now_ms,
                      (char)('a' + app->index),
                      SLIM_VIEW_ARG(message.head.destination.text.part[2]),
                      (unsigned long long)message.head.destination.name.id,
                      message.head.session_message_type, message.head.message_id);
    }
    bool is_reached_once = false;
    for (size_t i = 0; i < world->app_count; i++) {
        bool is_enough = message.head.fanout == 1 && is_reached_once;
        if (i != app->index && !is_enough &&
            is_reached(&world->apps[i], &message.head.destination.name)) {
            put_packet(world, app->index, i, msg);
            is_reached_once = true;
        }
    }
    if (!is_reached_once) {
        put_packet(world, app->index, WORLD_APPS_MAX, msg); /* comes back as an error */
    }
}

static void on_route(void *ctx, const struct slim_wire_name *name, uint64_t conn_id, bool is_add)
{
    struct world_app *app = ctx;
    (void)name; /* everything goes to the node */
    CHECK(conn_id == WORLD_CONN);
    app->route_balance += is_add ? 1 : -1;
    CHECK(app->route_balance >= 0);
}

static void on_subscribe(void *ctx, const struct slim_wire_name *name, uint64_t conn_id,
                         bool is_add)
{
    struct world_app *app = ctx;
    int *count = subscription_of(app, &name->name);
    CHECK(conn_id == WORLD_CONN);
    *count += is_add ? 1 : -1;
    CHECK(*count >= 0);
}

/* ---- events */

static void print_name(const struct slim_wire_name *name, char *out, size_t size)
{
    (void)slim_name_format(&name->text, name->name.id, out, size); /* cut is fine */
}

static void on_event(void *ctx, const struct slim_session_event *event)
{
    struct world_app *app = ctx;
    CHECK(app->event_count < WORLD_EVENTS_MAX);
    struct world_event *copy = &app->events[app->event_count++];
    *copy = (struct world_event){.kind = event->kind,
                                 .session_id = event->session_id,
                                 .op = event->op,
                                 .status = event->status};
    (void)snprintf(copy->text, sizeof(copy->text), "%s", event->text != NULL ? event->text : "");
    if (event->message != NULL) {
        const struct slim_session_message *message = event->message;
        (void)snprintf(copy->blob, sizeof(copy->blob), "%.*s", SLIM_VIEW_ARG(message->blob));
        print_name(message->source, copy->source, sizeof(copy->source));
        print_name(message->destination, copy->destination, sizeof(copy->destination));
        copy->message_id = message->message_id;
        copy->is_direct =
            slim_wire_find_metadata(&message->metadata, SLIM_VIEW("PUBLISH_TO"), NULL);
        copy->is_sealed = message->is_sealed;
        CHECK(message->conn_id == WORLD_CONN);
        CHECK(message->identity.len > 0);
    }
    if (app->on_event != NULL) {
        app->on_event(app, event);
    }
}

static uint64_t now_s(void *ctx)
{
    const struct world_app *app = ctx;
    return 1700000000 + app->world->now_ms / 1000;
}

/* ---- life */

bool world_try_init_with(struct world *world, size_t count,
                         const struct slim_session_app_options *options)
{
    memset(world, 0, sizeof(*world));
    slim_list_init(&world->packets);
    world->seed = 42;
    world->now_ms = 1000;
    world->app_count = count;
    for (size_t i = 0; i < count; i++) {
        struct world_app *app = &world->apps[i];
        app->world = world;
        app->index = i;
        app->name_text[2][0] = (char)('a' + i);
        app->name = world_name(app->name_text[2], FIRST_ID + i);
        struct slim_session_app_options own = *options;
        own.name = app->name;
        const struct slim_session_owner owner = {
            .ctx = app,
            .send = on_send,
            .route = on_route,
            .subscribe = on_subscribe,
            .on_event = on_event,
            .now_s = now_s,
            .random = fill_random,
            .identity = {.token = make_token,
                         .check = check_token,
                         .is_source = is_source,
                         .make_credential = make_credential,
                         .read_credential = read_credential},
        };
        enum slim_status status = slim_session_app_new(&own, &owner, &app->app);
        CHECK(status == SLIM_OK || status == SLIM_ERR_NO_MEMORY);
        if (status != SLIM_OK) {
            return false;
        }
    }
    return true;
}

void world_init_with(struct world *world, size_t count,
                     const struct slim_session_app_options *options)
{
    CHECK(world_try_init_with(world, count, options));
}

void world_init(struct world *world, size_t count)
{
    const struct slim_session_app_options options = {.can_send = true, .can_receive = true};
    world_init_with(world, count, &options);
}

void world_fini(struct world *world)
{
    struct slim_list *node;
    while ((node = slim_list_take_first(&world->packets)) != NULL) {
        free(SLIM_LIST_ENTRY(node, struct packet, node));
    }
    for (size_t i = 0; i < world->app_count; i++) {
        slim_session_app_free(world->apps[i].app);
    }
}

static void deliver(struct world *world, const struct packet *packet)
{
    struct slim_view bytes = slim_view_of(packet->bytes, packet->len);
    struct slim_wire_session_message message;
    CHECK_OK(slim_wire_read_session_message(bytes, &message));
    if (packet->to == WORLD_APPS_MAX) {
        take_back(world, &world->apps[packet->from], &message.head);
        return;
    }
    if (world->apps[packet->to].is_dead ||
        (world->filter != NULL && !world->filter(world, packet->from, packet->to, &message))) {
        world->dropped++;
        return;
    }
    world->apps[packet->to].wakes++;
    for (int i = 0; i < (world->is_doubling ? 2 : 1); i++) {
        slim_session_app_take(world->apps[packet->to].app, world->now_ms, WORLD_CONN, bytes);
    }
}

void world_inject(struct world *world, size_t to, const struct slim_wire_session_message *message)
{
    struct slim_buf bytes = {0};
    CHECK_OK(slim_wire_put_session_message(&bytes, message));
    slim_session_app_take(world->apps[to].app, world->now_ms, WORLD_CONN, slim_buf_view(&bytes));
    slim_buf_fini(&bytes);
}

static void deliver_due(struct world *world)
{
    while (!slim_list_is_empty(&world->packets)) {
        struct packet *packet = SLIM_LIST_ENTRY(world->packets.next, struct packet, node);
        if (packet->due_ms > world->now_ms) {
            return;
        }
        slim_list_remove(&packet->node);
        deliver(world, packet);
        free(packet);
    }
}

static uint64_t tick_all(struct world *world)
{
    uint64_t next_ms = UINT64_MAX;
    for (size_t i = 0; i < world->app_count; i++) {
        if (!world->apps[i].is_dead) {
            uint64_t due_ms = slim_session_app_tick(world->apps[i].app, world->now_ms);
            CHECK(due_ms > world->now_ms);
            world->apps[i].wakes += world->apps[i].due_ms <= world->now_ms ? 1 : 0;
            world->apps[i].due_ms = due_ms;
            next_ms = due_ms < next_ms ? due_ms : next_ms;
        }
    }
    return next_ms;
}

void world_run(struct world *world, uint64_t ms)
{
    uint64_t end_ms = world->now_ms + ms;
    for (;;) {
        deliver_due(world);
        uint64_t next_ms = tick_all(world);
        if (!slim_list_is_empty(&world->packets)) {
            uint64_t due_ms = SLIM_LIST_ENTRY(world->packets.next, struct packet, node)->due_ms;
            next_ms = due_ms < next_ms ? due_ms : next_ms;
        }
        if (next_ms > end_ms) {
            break;
        }
        world->now_ms = next_ms;
    }
    world->now_ms = end_ms;
}

/* ---- looking */

size_t world_count(const struct world *world, size_t app, enum slim_session_event_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < world->apps[app].event_count; i++) {
        count += world->apps[app].events[i].kind == kind ? 1 : 0;
    }
    return count;
}

const struct world_event *world_event(const struct world *world, size_t app,
                                      enum slim_session_event_kind kind, size_t index)
{
    for (size_t i = 0; i < world->apps[app].event_count; i++) {
        const struct world_event *event = &world->apps[app].events[i];
        if (event->kind == kind && index-- == 0) {
            return event;
        }
    }
    fail_msg("there is no such event");
    abort();
}

const struct world_event *world_completion(const struct world *world, size_t app, uint64_t op)
{
    const struct world_event *found = NULL;
    for (size_t i = 0; i < world->apps[app].event_count; i++) {
        const struct world_event *event = &world->apps[app].events[i];
        if (event->kind == SLIM_SESSION_COMPLETED && event->op == op) {
            CHECK_ROW("an operation completes once", found == NULL);
            found = event;
        }
    }
    return found;
}

bool world_is_ok(const struct world *world, size_t app, uint64_t op)
{
    const struct world_event *event = world_completion(world, app, op);
    if (event != NULL && event->status != SLIM_OK) {
        print_error("op %" PRIu64 ": %d %s\n", op, (int)event->status, event->text);
    }
    return event != NULL && event->status == SLIM_OK;
}

const char *world_messages(const struct world *world, size_t app, char *out, size_t size)
{
    size_t len = 0;
    out[0] = 0;
    for (size_t i = 0; i < world->apps[app].event_count && len < size; i++) {
        const struct world_event *event = &world->apps[app].events[i];
        if (event->kind == SLIM_SESSION_MESSAGE) {
            len += (size_t)snprintf(out + len, size - len, "%s%s", len > 0 ? "," : "", event->blob);
        }
    }
    return out;
}

/* ---- shorthands */

struct slim_session_settings world_settings(enum slim_session_kind kind, bool is_mls)
{
    return (struct slim_session_settings){
        .kind = kind, .is_mls = is_mls, .has_timer = true, .max_retries = 5, .interval_ms = 100};
}

uint32_t world_create(struct world *world, size_t app, const struct slim_session_settings *settings,
                      const struct slim_wire_name *destination, uint64_t op)
{
    uint32_t id = 0;
    struct slim_error error = {.status = SLIM_OK};
    CHECK_OK(slim_session_app_create(world->apps[app].app, world->now_ms, settings, destination,
                                     UINT32_MAX, op, &id, &error));
    return id;
}

void world_invite(struct world *world, size_t app, uint32_t session, size_t whom, uint64_t op)
{
    struct slim_error error = {.status = SLIM_OK};
    struct slim_wire_name name = world->apps[whom].name;
    name.name.id = SLIM_NAME_ANY;
    CHECK_OK(
        slim_session_app_invite(world->apps[app].app, world->now_ms, session, &name, op, &error));
}

void world_publish(struct world *world, size_t app, uint32_t session, const char *text, uint64_t op)
{
    struct slim_error error = {.status = SLIM_OK};
    const struct slim_session_payload payload = {.blob = slim_view_str(text)};
    CHECK_OK(slim_session_app_publish(world->apps[app].app, world->now_ms, session, &payload, op,
                                      &error));
}

uint32_t world_group(struct world *world, bool is_mls)
{
    const struct slim_session_settings settings = world_settings(SLIM_SESSION_GROUP, is_mls);
    const struct slim_wire_name channel = world_name("channel", 0);
    uint32_t id = world_create(world, 0, &settings, &channel, 9000);
    for (size_t i = 1; i < world->app_count; i++) {
        world_invite(world, 0, id, i, 9000 + i);
    }
    world_run(world, 90);
    for (size_t i = 0; i < world->app_count; i++) {
        CHECK(world_is_ok(world, 0, 9000 + i));
    }
    return id;
}
