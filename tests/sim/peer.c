/* Applications: each owns sessions as an engine does. */
#include <stdlib.h>

#include "base/base64.h"
#include "sim.h"

enum { SPIN_TICKS = 400, SPIN_MS = 1000, CREDENTIAL_S = 3600, SUBJECT_LEN = 3 };

/* ---- names */

struct slim_wire_name sim_name(const char *text, unsigned __int128 id)
{
    struct slim_wire_name name = {.is_present = true, .is_complete = true};
    name.text.part[0] = SLIM_VIEW("sim");
    name.text.part[1] = SLIM_VIEW("x");
    name.text.part[2] = slim_view_str(text);
    name.name = slim_name_of(&name.text, id);
    return name;
}

uint64_t sim_peer_id(uint32_t index, uint32_t incarnation)
{
    return 0x1000 + incarnation * 16 + index;
}

uint32_t sim_peer_of(const struct sim_world *world, const struct slim_name_key *name)
{
    for (uint32_t i = 0; i < world->peer_count; i++) {
        if (slim_name_is_equal(&world->peers[i].name.name, name)) {
            return i;
        }
    }
    return SIM_PEERS_MAX;
}

/* ---- identity: a token is "<letter>.<incarnation letter>", a credential that and "|<expiry>|<key>" */

static enum slim_status make_token(void *ctx, struct slim_view *token)
{
    const struct sim_peer *peer = ctx;
    *token = slim_view_of(peer->token_text, SUBJECT_LEN);
    return SLIM_OK;
}

static enum slim_status check_token(void *ctx, struct slim_view token,
                                    const struct slim_name_key *source)
{
    (void)ctx; /* everybody knows everybody */
    if (token.len < SUBJECT_LEN || token.data[0] < 'a' || token.data[1] != '.' ||
        token.data[2] < 'A') {
        return SLIM_ERR_AUTH;
    }
    uint64_t id = sim_peer_id(token.data[0] - 'a', token.data[2] - 'A');
    return source->id == id ? SLIM_OK : SLIM_ERR_DENIED;
}

static bool is_source(void *ctx, struct slim_view subject, const struct slim_name_key *name)
{
    return check_token(ctx, subject, name) == SLIM_OK;
}

static uint64_t now_s(void *ctx)
{
    const struct sim_peer *peer = ctx;
    return UINT64_C(1800000000) + peer->world->clock_jump_s + peer->world->now_ms / 1000;
}

static enum slim_status make_credential(void *ctx, const uint8_t *key, struct slim_buf *token)
{
    const struct sim_peer *peer = ctx;
    SLIM_TRY(slim_buf_put_text(token, "%.*s|%" PRIu64 "|", SUBJECT_LEN, peer->token_text,
                               now_s(ctx) + CREDENTIAL_S));
    return slim_base64_put(SLIM_BASE64_STANDARD, slim_view_of(key, 32), token);
}

static enum slim_status read_credential(void *ctx, struct slim_view token, bool any_age,
                                        struct slim_mls_claims *claims, struct slim_error *error)
{
    uint64_t expiry_s = 0;
    size_t at = SUBJECT_LEN + 1;
    if (token.len <= at || token.data[SUBJECT_LEN] != '|') {
        return slim_error_set(error, SLIM_ERR_AUTH, "not a token");
    }
    while (at < token.len && token.data[at] != '|') {
        expiry_s = expiry_s * 10 + (uint64_t)(token.data[at++] - '0');
    }
    if (at == token.len) {
        return slim_error_set(error, SLIM_ERR_AUTH, "not a token");
    }
    if (!any_age && expiry_s < now_s(ctx)) {
        return slim_error_set(error, SLIM_ERR_EXPIRED, "an old token");
    }
    claims->subject = slim_view_of(token.data, SUBJECT_LEN);
    claims->public_key = slim_view_skip(token, at + 1);
    return SLIM_OK;
}

static void fill_random(void *ctx, void *out, size_t len)
{
    struct sim_peer *peer = ctx;
    uint8_t *bytes = out;
    for (size_t i = 0; i < len; i += 8) {
        uint64_t drawn = sim_draw(&peer->world->keys);
        memcpy(bytes + i, &drawn, len - i < 8 ? len - i : 8);
    }
}

/* ---- routes and subscriptions, counted */

static struct sim_counted_name *counted(struct sim_world *world, struct sim_counted_name *names,
                                        const struct slim_name_key *name)
{
    struct sim_counted_name *empty = NULL;
    for (size_t i = 0; i < SIM_NAMES_MAX; i++) {
        if (names[i].count > 0 && slim_name_is_equal(&names[i].name, name)) {
            return &names[i];
        }
        empty = names[i].count == 0 && empty == NULL ? &names[i] : empty;
    }
    if (empty == NULL) {
        sim_fail(world, "routes or subscriptions of an application grow without bound");
        return &names[0];
    }
    empty->name = *name;
    return empty;
}

static bool change_count(struct sim_world *world, struct sim_counted_name *entry, bool is_add)
{
    if (!is_add && entry->count == 0) {
        sim_fail(world, "a route or subscription is given back that was not taken");
        return false;
    }
    entry->count += is_add ? 1 : UINT32_MAX;
    return is_add ? entry->count == 1 : entry->count == 0;
}

static void on_route(void *ctx, const struct slim_wire_name *name, uint64_t conn_id, bool is_add)
{
    struct sim_peer *peer = ctx;
    if (conn_id != SIM_CONN) {
        sim_fail(peer->world, "a route by a connection that does not exist");
    }
    (void)change_count(peer->world, counted(peer->world, peer->routes, &name->name), is_add);
}

static void subscribe(struct sim_peer *peer, const struct slim_name_key *name, bool is_add)
{
    if (change_count(peer->world, counted(peer->world, peer->subscriptions, name), is_add)) {
        sim_network_subscribe(peer->world, peer->index, name, is_add);
    }
}

static void on_subscribe(void *ctx, const struct slim_wire_name *name, uint64_t conn_id,
                         bool is_add)
{
    struct sim_peer *peer = ctx;
    if (conn_id != SIM_CONN) {
        sim_fail(peer->world, "a subscription by a connection that does not exist");
    }
    subscribe(peer, &name->name, is_add);
}

/* Base names of peers are set by the application (set_route), all else by sessions. */
static bool has_route(const struct sim_peer *peer, const struct slim_name_key *name)
{
    for (uint32_t i = 0; i < peer->world->peer_count; i++) {
        if (slim_name_has_prefix_of(&peer->world->peers[i].name.name, name)) {
            return true;
        }
    }
    for (size_t i = 0; i < SIM_NAMES_MAX; i++) {
        if (peer->routes[i].count > 0 && slim_name_has_prefix_of(&peer->routes[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* ---- what comes out of sessions */

static void trace_message(struct sim_peer *peer, const char *verb,
                          const struct slim_wire_head *head, const char *outcome)
{
    if (!peer->world->is_tracing) {
        return;
    }
    uint32_t other = sim_peer_of(peer->world, &head->destination.name);
    uint32_t source = sim_peer_of(peer->world, &head->source.name);
    sim_trace(
        peer->world, "%s %c    %-17s %c -> %.*s%s%s mid=%u sid=%u%s", verb, 'a' + (int)peer->index,
        sim_type_name(head->session_message_type), source < SIM_PEERS_MAX ? 'a' + (int)source : '?',
        SLIM_VIEW_ARG(head->destination.text.part[2]),
        head->destination.name.id == SLIM_NAME_ANY ? "" : ".",
        head->destination.name.id == SLIM_NAME_ANY ? "" : (other < SIM_PEERS_MAX ? "id" : "old"),
        head->message_id, head->session_id, outcome);
}

/* What no message of ours may be, whoever it is for. */
static void check_sent(struct sim_peer *peer, const struct slim_wire_session_message *message)
{
    struct sim_world *world = peer->world;
    const struct slim_wire_head *head = &message->head;
    int32_t type = head->session_message_type;
    if (type == SLIM_WIRE_TYPE_GROUP_PROPOSAL || type == SLIM_WIRE_TYPE_GROUP_NACK) {
        sim_fail(world, "%c sends %s, which kills the reference", 'a' + (int)peer->index,
                 sim_type_name(type));
    }
    if (!slim_name_is_equal(&head->source.name, &peer->name.name)) {
        sim_fail(world, "%c sends under another name", 'a' + (int)peer->index);
    }
    if (head->has_forward_to && head->forward_to != SIM_CONN) {
        sim_fail(world, "%c sends over a connection that does not exist", 'a' + (int)peer->index);
    }
    uint32_t talk = sim_talk_of(world, head->session_id);
    uint32_t to = sim_peer_of(world, &head->destination.name);
    if (type == SLIM_WIRE_TYPE_GROUP_ACK && talk < world->talk_count && to < SIM_PEERS_MAX &&
        to != world->talks[talk].moderator && to < world->plan.peer_count) {
        sim_fail(world, "%c sends GROUP_ACK to a participant, which kills the reference",
                 'a' + (int)peer->index);
    }
}

static void on_send(void *ctx, struct slim_view msg)
{
    struct sim_peer *peer = ctx;
    struct sim_world *world = peer->world;
    struct slim_wire_session_message message;
    peer->activity++;
    world->sent_count++;
    if (slim_wire_read_session_message(msg, &message) != SLIM_OK) {
        sim_fail(world, "%c sends what cannot be read", 'a' + (int)peer->index);
        return;
    }
    check_sent(peer, &message);
    struct slim_buf changed = {0};
    if (peer->is_reference) {
        if (!sim_reference_sends(world, peer, &message)) {
            return;
        }
        if (slim_wire_put_session_message(&changed, &message) != SLIM_OK) {
            abort();
        }
        msg = slim_buf_view(&changed);
    }
    bool has = message.head.has_forward_to || has_route(peer, &message.head.destination.name);
    if (!peer->link.is_up || !has) {
        trace_message(peer, "send   ", &message.head, has ? " (link down)" : " (no route)");
        sim_network_error(world, peer->index, msg, !peer->link.is_up);
    } else {
        trace_message(peer, "send   ", &message.head, "");
        sim_network_put(world, peer->index, msg);
    }
    slim_buf_fini(&changed);
}

static void on_event(void *ctx, const struct slim_session_event *event)
{
    struct sim_peer *peer = ctx;
    peer->activity++;
    sim_oracle_event(peer->world, peer, event);
}

/* ---- life */

void sim_peer_start(struct sim_world *world, uint32_t index)
{
    struct sim_peer *peer = &world->peers[index];
    peer->world = world;
    peer->index = index;
    peer->incarnation++;
    peer->is_alive = true;
    memset(peer->routes, 0, sizeof(peer->routes));
    memset(peer->subscriptions, 0, sizeof(peer->subscriptions));
    (void)snprintf(peer->base_text, sizeof(peer->base_text), "%c", 'a' + (int)index);
    (void)snprintf(peer->token_text, sizeof(peer->token_text), "%c.%c", 'a' + (int)index,
                   'A' + (int)peer->incarnation);
    peer->name = sim_name(peer->base_text, sim_peer_id(index, peer->incarnation));
    const struct slim_session_app_options options = {
        .name = peer->name,
        .can_send = true,
        .can_receive = true,
    };
    const struct slim_session_owner owner = {
        .ctx = peer,
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
    if (slim_session_app_new(&options, &owner, &peer->app) != SLIM_OK) {
        abort();
    }
    sim_network_attach(world, index);
    subscribe(peer, &peer->name.name, true);
    peer->due_ms = UINT64_MAX;
    peer->idle_ticks = 0;
    sim_trace(world, "START   %c, id %" PRIx64, 'a' + (int)index,
              sim_peer_id(index, peer->incarnation));
}

void sim_peer_crash(struct sim_world *world, uint32_t index)
{
    struct sim_peer *peer = &world->peers[index];
    if (!peer->is_alive) {
        return;
    }
    sim_trace(world, "CRASH   %c", 'a' + (int)index);
    sim_oracle_crashed(world, index);
    peer->is_alive = false;
    peer->due_ms = UINT64_MAX;
    sim_network_detach(world, index);
    slim_session_app_free(peer->app);
    peer->app = NULL;
}

static void after(struct sim_peer *peer)
{
    peer->needs_tick = true;
    peer->idle_ticks = 0;
    sim_oracle_lists(peer->world, peer);
}

void sim_peer_take(struct sim_world *world, uint32_t index, struct slim_view msg)
{
    struct sim_peer *peer = &world->peers[index];
    struct slim_wire_session_message message;
    if (!peer->is_alive) {
        return;
    }
    struct slim_buf changed = {0};
    if (slim_wire_read_session_message(msg, &message) == SLIM_OK) {
        trace_message(peer, "   take", &message.head, "");
        sim_hostile_keep(world, index, msg);
        bool is_changed = sim_hostile_breaks(world, index, &message);
        if (is_changed) {
            sim_trace(world, "        broken on the way");
        }
        if (peer->is_reference) {
            sim_reference_takes(world, peer, &message);
        }
        if (peer->is_reference || is_changed) {
            if (slim_wire_put_session_message(&changed, &message) != SLIM_OK) {
                abort();
            }
            msg = slim_buf_view(&changed);
        }
    }
    slim_session_app_take(peer->app, world->now_ms, SIM_CONN, msg);
    slim_buf_fini(&changed);
    after(peer);
}

void sim_peer_tick(struct sim_world *world, struct sim_peer *peer)
{
    uint64_t before = peer->activity;
    peer->needs_tick = false;
    peer->due_ms = slim_session_app_tick(peer->app, world->now_ms);
    if (peer->due_ms <= world->now_ms) {
        sim_fail(world, "%c asks to be called in the past", 'a' + (int)peer->index);
    }
    if (peer->activity != before || peer->idle_ticks == 0) {
        peer->idle_ticks = 0;
        peer->idle_since_ms = world->now_ms;
    }
    peer->idle_ticks++;
    if (peer->idle_ticks > SPIN_TICKS && world->now_ms - peer->idle_since_ms < SPIN_MS) {
        sim_fail(world, "%c spins: %u calls without anything to do in %u ms",
                 'a' + (int)peer->index, peer->idle_ticks,
                 (unsigned)(world->now_ms - peer->idle_since_ms));
    }
    sim_oracle_lists(world, peer);
}

/* ---- operations */

static void refused(struct sim_world *world, const char *what, uint32_t peer,
                    enum slim_status status, const struct slim_error *error, uint32_t op)
{
    sim_trace(world, "refused %c    %s: %s", 'a' + (int)peer, what,
              error->text[0] != 0 ? error->text : slim_status_text(status));
    sim_oracle_undo(world, op);
}

bool sim_peer_create(struct sim_world *world, uint32_t index, uint32_t talk_index, uint32_t target)
{
    struct sim_talk *talk = &world->talks[talk_index];
    struct sim_peer *peer = &world->peers[index];
    struct slim_error error = {.status = SLIM_OK};
    bool is_group = talk->settings.kind == SLIM_SESSION_GROUP;
    (void)snprintf(talk->channel_text, sizeof(talk->channel_text), "ch%u", talk_index);
    struct slim_wire_name name = is_group ? sim_name(talk->channel_text, SLIM_NAME_ANY)
                                          : sim_name(world->peers[target].base_text, SLIM_NAME_ANY);
    talk->is_used = true;
    talk->moderator = index;
    talk->moderator_incarnation = peer->incarnation;
    struct sim_seat *seat = &talk->seats[index];
    *seat = (struct sim_seat){.is_in = true,
                              .instance = seat->instance + 1,
                              .peer_incarnation = peer->incarnation,
                              .begun_ms = world->now_ms};
    talk->id = sim_below(&world->chance, 1000) * 16 + talk_index;
    uint32_t op = sim_oracle_op(world, SIM_OP_CREATE, index, talk_index, target);
    sim_trace(world, "CREATE  %c    op=%u sid=%u %s%s%s interval %u retries %u", 'a' + (int)index,
              op, talk->id, is_group ? "group" : "pair", talk->settings.is_mls ? " mls" : "",
              talk->settings.has_timer ? " reliable" : "", (unsigned)talk->settings.interval_ms,
              talk->settings.max_retries);
    uint32_t id = 0;
    enum slim_status status = slim_session_app_create(peer->app, world->now_ms, &talk->settings,
                                                      &name, talk->id, op, &id, &error);
    if (status != SLIM_OK) {
        refused(world, "create", index, status, &error, op);
        talk->is_over = true;
        seat->is_in = false;
        return false;
    }
    after(peer);
    return true;
}

static void change(struct sim_world *world, uint32_t talk_index, uint32_t target, bool is_invite)
{
    struct sim_talk *talk = &world->talks[talk_index];
    struct sim_peer *peer = &world->peers[talk->moderator];
    struct slim_error error = {.status = SLIM_OK};
    struct slim_wire_name name = sim_name(world->peers[target].base_text, SLIM_NAME_ANY);
    uint32_t op = sim_oracle_op(world, is_invite ? SIM_OP_INVITE : SIM_OP_REMOVE, talk->moderator,
                                talk_index, target);
    sim_trace(world, "%s  %c    op=%u %c sid=%u", is_invite ? "INVITE" : "REMOVE",
              'a' + (int)talk->moderator, op, 'a' + (int)target, talk->id);
    enum slim_status status =
        is_invite ? slim_session_app_invite(peer->app, world->now_ms, talk->id, &name, op, &error)
                  : slim_session_app_remove(peer->app, world->now_ms, talk->id, &name, op, &error);
    if (status != SLIM_OK) {
        refused(world, is_invite ? "invite" : "remove", talk->moderator, status, &error, op);
    }
    after(peer);
}

void sim_peer_invite(struct sim_world *world, uint32_t talk, uint32_t target)
{
    change(world, talk, target, true);
}

void sim_peer_remove(struct sim_world *world, uint32_t talk, uint32_t target)
{
    change(world, talk, target, false);
}

/* "talk.sender.seq" and then filling that depends on them. */
static size_t fill_blob(const struct sim_message *message, uint8_t *blob, size_t len)
{
    int head =
        snprintf((char *)blob, len, "sim %u %u %u ", message->talk, message->sender, message->seq);
    size_t at = (size_t)head;
    for (; at < message->len; at++) {
        blob[at] = (uint8_t)('A' + (at * 7 + message->seq) % 26);
    }
    return at;
}

static void publish(struct sim_world *world, uint32_t talk_index, uint32_t index, uint32_t target,
                    size_t len, bool is_echo)
{
    static uint8_t blob[16384];
    struct sim_talk *talk = &world->talks[talk_index];
    struct sim_peer *peer = &world->peers[index];
    struct slim_error error = {.status = SLIM_OK};
    if (world->message_count == SIM_MESSAGES_MAX || world->op_count == SIM_OPS_MAX) {
        return;
    }
    uint32_t op = sim_oracle_op(world, SIM_OP_PUBLISH, index, talk_index, target);
    uint32_t number = sim_oracle_message(world, talk_index, index, op, len);
    struct sim_message *message = &world->messages[number];
    message->is_echo = is_echo;
    message->is_direct = target < SIM_PEERS_MAX;
    message->target = target;
    world->ops[op].message = number;
    const struct slim_session_payload payload = {
        .blob = slim_view_of(blob, fill_blob(message, blob, sizeof(blob)))};
    sim_trace(world, "PUBLISH %c    op=%u seq=%u sid=%u%s", 'a' + (int)index, op, message->seq,
              talk->id, message->is_direct ? " direct" : "");
    enum slim_status status;
    if (message->is_direct) {
        for (uint32_t i = 0; i < SIM_PEERS_MAX; i++) {
            message->audience[i] = i == target ? message->audience[i] : 0;
        }
        status = slim_session_app_publish_to(peer->app, world->now_ms, talk->id,
                                             &world->peers[target].name, &payload, op, &error);
    } else {
        status = slim_session_app_publish(peer->app, world->now_ms, talk->id, &payload, op, &error);
    }
    if (status != SLIM_OK) {
        refused(world, "publish", index, status, &error, op);
    }
    after(peer);
}

void sim_peer_publish(struct sim_world *world, uint32_t talk, uint32_t peer, size_t len,
                      bool is_echo)
{
    publish(world, talk, peer, SIM_PEERS_MAX, len, is_echo);
}

void sim_peer_publish_to(struct sim_world *world, uint32_t talk, uint32_t peer, uint32_t target)
{
    bool is_group = world->talks[talk].settings.kind == SLIM_SESSION_GROUP;
    publish(world, talk, peer, is_group ? target : SIM_PEERS_MAX, 40, false);
}

void sim_peer_close(struct sim_world *world, uint32_t talk_index, uint32_t index)
{
    struct sim_talk *talk = &world->talks[talk_index];
    struct sim_peer *peer = &world->peers[index];
    struct slim_error error = {.status = SLIM_OK};
    uint32_t op = sim_oracle_op(world, SIM_OP_CLOSE, index, talk_index, index);
    sim_trace(world, "CLOSE   %c    op=%u sid=%u", 'a' + (int)index, op, talk->id);
    struct sim_seat *seat = sim_seat(world, talk_index, index);
    bool was_closing = seat->is_closing;
    seat->is_closing = true;
    enum slim_status status =
        slim_session_app_close(peer->app, world->now_ms, talk->id, op, &error);
    if (status != SLIM_OK) {
        seat->is_closing = was_closing;
        refused(world, "close", index, status, &error, op);
    }
    after(peer);
}
