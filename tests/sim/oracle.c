/* What must always hold (docs/sessions.md, "The simulator"). Everything here is from what applications see, except two things that only the
 * tables know: which members a message that is published now is for, and what is left over in the end. */
#include <stdlib.h>

#include "sim.h"

struct sim_seat *sim_seat(struct sim_world *world, uint32_t talk, uint32_t peer)
{
    return &world->talks[talk].seats[peer];
}

uint32_t sim_talk_of(const struct sim_world *world, uint32_t session_id)
{
    for (uint32_t i = 0; i < world->talk_count; i++) {
        if (world->talks[i].is_used && world->talks[i].id == session_id) {
            return i;
        }
    }
    return SIM_TALKS_MAX;
}

static bool seat_is_live(struct sim_world *world, uint32_t talk, uint32_t peer)
{
    const struct sim_seat *seat = sim_seat(world, talk, peer);
    return seat->is_in && world->peers[peer].is_alive &&
           seat->peer_incarnation == world->peers[peer].incarnation;
}

static bool may_mix(const struct sim_world *world)
{
    return world->plan.faults.reordering > 0 || world->plan.faults.duplication > 0 ||
           world->plan.has_hostile;
}

/* ---- operations */

/* A request takes so long at most until it is given up. */
static uint64_t patience_ms(const struct sim_talk *talk)
{
    uint64_t retries = talk->settings.has_timer ? talk->settings.max_retries : 10;
    uint64_t interval_ms = talk->settings.has_timer ? talk->settings.interval_ms : 1000;
    return (retries + 1) * interval_ms;
}

/* Without MLS a member is not invited again before everybody has heard of its removal, or is given up: see request.c. */
enum { MEMBER_TOLD_MS = 7 * SLIM_SESSION_PING_MS };

static uint64_t bound_ms(struct sim_world *world, enum sim_op_kind kind, uint32_t talk_index)
{
    const struct sim_talk *talk = &world->talks[talk_index];
    switch (kind) {
    case SIM_OP_CREATE:
        return 3 * patience_ms(talk) + 100;
    case SIM_OP_INVITE:
    case SIM_OP_REMOVE:
        /* discovery, join and the change, behind all others that wait; changes for members that went are not counted here */
        return (talk->open_changes + 1 + SIM_PEERS_MAX) * 4 * patience_ms(talk) + 1000 +
               (talk->settings.is_mls ? 0 : MEMBER_TOLD_MS);
    case SIM_OP_PUBLISH:
        return 3 * patience_ms(talk) + 1000;
    case SIM_OP_CLOSE:
        return SLIM_SESSION_DRAIN_MS + 2 * patience_ms(talk) + 1000;
    }
    return 0;
}

uint32_t sim_oracle_op(struct sim_world *world, enum sim_op_kind kind, uint32_t peer, uint32_t talk,
                       uint32_t target)
{
    if (world->op_count == SIM_OPS_MAX) {
        abort(); /* the scenario stops before */
    }
    struct sim_op *op = &world->ops[world->op_count];
    *op = (struct sim_op){
        .kind = kind,
        .peer = peer,
        .incarnation = world->peers[peer].incarnation,
        .talk = talk,
        .target = target,
        .message = UINT32_MAX,
        .issued_ms = world->now_ms,
        .deadline_ms = world->now_ms + bound_ms(world, kind, talk),
        .is_open = true,
    };
    if (kind == SIM_OP_INVITE || kind == SIM_OP_REMOVE) {
        world->talks[talk].open_changes++;
    }
    return world->op_count++;
}

static void op_is_over(struct sim_world *world, struct sim_op *op)
{
    op->is_open = false;
    if (op->kind == SIM_OP_INVITE || op->kind == SIM_OP_REMOVE) {
        world->talks[op->talk].open_changes--;
    }
}

void sim_oracle_undo(struct sim_world *world, uint32_t number)
{
    struct sim_op *op = &world->ops[number];
    if (!op->is_open) {
        sim_fail(world, "op %u was refused after it had completed", number);
        return;
    }
    op_is_over(world, op);
    if (op->message != UINT32_MAX) {
        world->messages[op->message].talk = SIM_TALKS_MAX; /* nobody may get it */
    }
}

/* ---- messages */

static const struct slim_session_member *find_member(const struct slim_session *session,
                                                     const struct slim_name_key *name)
{
    return slim_session_members_by_source(&session->members, name);
}

/* Is this from inside an event? Then a member may be going at this very moment. */
static bool peer_is_told(const struct sim_peer *peer)
{
    return peer->app->depth > 0;
}

/* The members that the sender's tables know as receivers now. */
static void note_audience(struct sim_world *world, struct sim_message *message)
{
    const struct sim_peer *sender = &world->peers[message->sender];
    const struct sim_seat *own = sim_seat(world, message->talk, message->sender);
    const struct slim_session *session =
        slim_session_find(sender->app, world->talks[message->talk].id);
    for (uint32_t i = 0; session != NULL && i < world->peer_count; i++) {
        const struct sim_seat *seat = sim_seat(world, message->talk, i);
        const struct slim_session_member *member = find_member(session, &world->peers[i].name.name);
        bool is_receiver =
            i != message->sender && member != NULL && member->standing == SLIM_SESSION_PRESENT;
        bool is_live = is_receiver && seat_is_live(world, message->talk, i);
        message->audience[i] = is_live ? seat->instance + 1 : 0;
        message->is_for_dead = message->is_for_dead || (is_receiver && !is_live);
        message->told_ms[i] = is_live ? member->told_ms : 0;
        /* with MLS: the sender has taken it out of the group of keys */
        bool is_out = member == NULL && seat->is_in && own->dropped[i] == seat->instance &&
                      session->crypt != NULL && slim_session_crypt_is_ready(session->crypt) &&
                      !slim_session_crypt_has(session->crypt, &world->peers[i].name.name);
        message->banned[i] = is_out ? seat->instance + 1 : 0;
    }
}

uint32_t sim_oracle_message(struct sim_world *world, uint32_t talk, uint32_t peer, uint32_t op,
                            size_t len)
{
    struct sim_message *message = &world->messages[world->message_count];
    *message = (struct sim_message){
        .talk = talk,
        .sender = peer,
        .sender_incarnation = world->peers[peer].incarnation,
        .sender_instance = sim_seat(world, talk, peer)->instance,
        .seq = ++world->talks[talk].next_seq[peer],
        .op = op,
        .published_ms = world->now_ms,
        .len = len,
    };
    note_audience(world, message);
    bool has_audience = false;
    for (uint32_t i = 0; i < world->peer_count; i++) {
        has_audience = has_audience || message->audience[i] > 0;
    }
    if (!has_audience || peer_is_told(&world->peers[peer])) {
        world->ops[op].deadline_ms = UINT64_MAX; /* it waits for the first member, or the end */
    }
    return world->message_count++;
}

/* Did one of them join anew just before? Then an acknowledgement of its former membership may still be on a network that reorders. */
static bool is_old_ack_near(struct sim_world *world, const struct sim_message *message,
                            uint32_t peer)
{
    const struct sim_seat *seat = sim_seat(world, message->talk, peer);
    const struct sim_seat *from = sim_seat(world, message->talk, message->sender);
    uint64_t begun_ms = seat->instance > 1 ? seat->begun_ms : 0;
    begun_ms = from->instance > 1 && from->begun_ms > begun_ms ? from->begun_ms : begun_ms;
    return begun_ms > 0 && may_mix(world) &&
           message->published_ms < begun_ms + 2 * (uint64_t)world->plan.faults.reorder_ms + 1000;
}

/* Is what `message` says still to be expected of `peer`: both lived on, and each had the other in its list? */
static bool is_owed(struct sim_world *world, const struct sim_message *message, uint32_t peer)
{
    const struct sim_seat *seat = sim_seat(world, message->talk, peer);
    return message->audience[peer] == seat->instance + 1 &&
           seat_is_live(world, message->talk, peer) && !seat->is_mixed[message->sender] &&
           !is_old_ack_near(world, message, peer);
}

/* ---- events */

/* Does the sender list somebody who is not there under that name any more? */
static bool session_has_strangers(struct sim_world *world, const struct sim_op *op)
{
    const struct sim_peer *sender = &world->peers[op->peer];
    size_t count = 0;
    struct slim_session_info info;
    if (slim_session_app_look(sender->app, world->talks[op->talk].id, &info) != SLIM_OK) {
        return true;
    }
    for (size_t i = 0; i < info.member_count; i++) {
        const struct slim_wire_name *name =
            slim_session_app_member(sender->app, world->talks[op->talk].id, i);
        count += sim_peer_of(world, &name->name) < SIM_PEERS_MAX ? 1 : 0;
    }
    return count != info.member_count;
}

/* Hardly anything is lost, no link was cut, and everybody it is for is still there: it must have been acknowledged in so many tries. */
static bool should_have_arrived(struct sim_world *world, const struct sim_op *op)
{
    const struct sim_message *message = &world->messages[op->message];
    const struct slim_session_settings *settings = &world->talks[op->talk].settings;
    const struct sim_faults *faults = &world->plan.faults;
    if (message->is_for_dead || session_has_strangers(world, op) || faults->loss > 5 ||
        settings->max_retries < 4 || !settings->has_timer || world->has_cuts ||
        world->plan.has_hostile || sim_seat(world, op->talk, op->peer)->is_closing ||
        faults->reordering > 0 || sim_network_round_trip_ms(world) >= settings->interval_ms) {
        return false;
    }
    for (uint32_t i = 0; i < world->peer_count; i++) {
        const struct sim_seat *seat = sim_seat(world, op->talk, i);
        bool is_there = seat_is_live(world, op->talk, i) && !seat->is_closing &&
                        message->audience[i] == seat->instance + 1 &&
                        message->delivered[i] == message->audience[i];
        if (message->audience[i] > 0 && !is_there) {
            return false;
        }
    }
    return true;
}

static void on_completed(struct sim_world *world, struct sim_peer *peer,
                         const struct slim_session_event *event)
{
    if (event->op >= world->op_count) {
        sim_fail(world, "%c: an operation completes that was never begun", 'a' + (int)peer->index);
        return;
    }
    struct sim_op *op = &world->ops[event->op];
    struct sim_talk *talk = &world->talks[op->talk];
    sim_trace(world, "        %c    op=%u completes: %s", 'a' + (int)peer->index,
              (unsigned)event->op, event->status == SLIM_OK ? "ok" : event->text);
    if (!op->is_open || op->is_complete || op->peer != peer->index ||
        op->incarnation != peer->incarnation) {
        sim_fail(world, "%c: op %u completes twice", 'a' + (int)peer->index, (unsigned)event->op);
        return;
    }
    op_is_over(world, op);
    op->is_complete = true;
    op->is_ok = event->status == SLIM_OK;
    if (event->status != SLIM_OK && (event->text == NULL || event->text[0] == 0)) {
        sim_fail(world, "op %u fails without a reason", (unsigned)event->op);
    }
    if (op->kind == SIM_OP_PUBLISH && event->status == SLIM_ERR_TIMEOUT &&
        should_have_arrived(world, op)) {
        sim_fail(world, "op %u: all have message %u of %c, and nobody could tell",
                 (unsigned)event->op, world->messages[op->message].seq, 'a' + (int)peer->index);
    }
    if (op->kind == SIM_OP_CREATE && !op->is_ok) {
        talk->is_over = true;
        /* CLOSED comes when it was closed, and does not when it never began */
        talk->seats[peer->index].is_in = talk->seats[peer->index].is_closing;
    }
    if (op->kind == SIM_OP_REMOVE && op->is_ok) {
        talk->seats[op->target].removed_ms = world->now_ms;
    }
    if (op->kind == SIM_OP_PUBLISH && op->is_ok) {
        struct sim_message *message = &world->messages[op->message];
        const struct slim_session *session = slim_session_find(peer->app, talk->id);
        for (uint32_t i = 0; i < world->peer_count; i++) {
            const struct slim_session_member *member =
                session == NULL ? NULL : find_member(session, &world->peers[i].name.name);
            bool is_same = member != NULL && member->standing == SLIM_SESSION_PRESENT &&
                           member->told_ms == message->told_ms[i];
            if (!is_same && session != NULL) {
                message->audience[i] = 0; /* it went before it had to have it */
            }
        }
    }
}

static void on_begun(struct sim_world *world, struct sim_peer *peer, uint32_t talk)
{
    struct sim_seat *seat = sim_seat(world, talk, peer->index);
    sim_trace(world, "        %c    begun sid=%u", 'a' + (int)peer->index, world->talks[talk].id);
    if (seat_is_live(world, talk, peer->index)) {
        sim_fail(world, "%c: a session begins that is there already", 'a' + (int)peer->index);
    }
    *seat = (struct sim_seat){
        .is_in = true,
        .instance = seat->instance + 1,
        .peer_incarnation = peer->incarnation,
        .begun_ms = world->now_ms,
        .removed_ms = seat->removed_ms,
    };
}

static void on_closed(struct sim_world *world, struct sim_peer *peer, uint32_t talk,
                      const char *text)
{
    struct sim_seat *seat = sim_seat(world, talk, peer->index);
    sim_trace(world, "        %c    closed sid=%u: %s", 'a' + (int)peer->index,
              world->talks[talk].id, text != NULL ? text : "");
    if (!seat_is_live(world, talk, peer->index)) {
        sim_fail(world, "%c: a session is closed that is not there", 'a' + (int)peer->index);
    }
    seat->is_in = false;
    if (world->talks[talk].moderator == peer->index) {
        world->talks[talk].is_over = true;
    }
}

/* The message that this blob is of; NULL: of none. */
static struct sim_message *read_blob(struct sim_world *world, struct slim_view blob)
{
    unsigned talk;
    unsigned sender;
    unsigned seq;
    char head[64];
    (void)snprintf(head, sizeof(head), "%.*s", (int)(blob.len < 60 ? blob.len : 60),
                   (const char *)blob.data);
    if (sscanf(head, "sim %u %u %u ", &talk, &sender, &seq) != 3) {
        return NULL;
    }
    for (uint32_t i = world->message_count; i > 0; i--) {
        struct sim_message *message = &world->messages[i - 1];
        if (message->talk == talk && message->sender == sender && message->seq == seq) {
            return blob.len >= message->len ? message : NULL;
        }
    }
    return NULL;
}

/* Does its sender tell newcomers where it begins, and does this one know that it does? */
static bool says_its_base(const struct sim_world *world, const struct sim_peer *receiver,
                          const struct sim_message *message)
{
    return !receiver->is_reference && !world->peers[message->sender].is_reference &&
           !world->peers[world->talks[message->talk].moderator].is_reference;
}

static void check_order(struct sim_world *world, struct sim_seat *seat, struct sim_peer *peer,
                        const struct sim_message *message)
{
    uint32_t from = message->sender;
    if (message->is_direct) {
        return;
    }
    if (!seat->is_heard[from]) {
        seat->is_heard[from] = true;
        seat->first_seq[from] = message->seq;
        seat->last_seq[from] = message->seq;
        return;
    }
    /* of reference members that were there before us, one below the first may come late (docs/sessions.md) */
    bool is_late = message->seq < seat->first_seq[from] && !says_its_base(world, peer, message);
    if (message->seq <= seat->last_seq[from] && !is_late) {
        sim_fail(world, "%c got message %u of %c after %u", 'a' + (int)peer->index, message->seq,
                 'a' + (int)from, seat->last_seq[from]);
    }
    seat->last_seq[from] = is_late ? seat->last_seq[from] : message->seq;
}

/* Numbers begin anew when a member joins anew, and nothing in a message says which of its memberships it is of. On a connection all that it
 * sent before is over when it is invited again; a network that reorders mixes the two up, and then nothing can be said of their order. */
static bool is_mixed(struct sim_world *world, struct sim_seat *seat,
                     const struct sim_message *message)
{
    uint32_t *heard = &seat->heard_instance[message->sender];
    bool is_old = message->sender_instance <= seat->dropped[message->sender] ||
                  message->sender_instance < *heard;
    if (may_mix(world) && is_old) {
        seat->is_mixed[message->sender] = true;
    }
    *heard = message->sender_instance > *heard ? message->sender_instance : *heard;
    return seat->is_mixed[message->sender];
}

static void check_message(struct sim_world *world, struct sim_peer *peer, uint32_t talk_index,
                          struct sim_message *message, const struct slim_session_message *got)
{
    const struct sim_talk *talk = &world->talks[talk_index];
    struct sim_seat *seat = sim_seat(world, talk_index, peer->index);
    int self = 'a' + (int)peer->index;
    int from = 'a' + (int)message->sender;
    uint32_t instance = seat->instance + 1;
    if (message->talk != talk_index) {
        sim_fail(world, "%c got a message of another session", self);
    }
    if (got->source->name.id != sim_peer_id(message->sender, message->sender_incarnation)) {
        sim_fail(world, "%c got a message of %c under another name", self, from);
    }
    if (message->is_direct && message->target != peer->index) {
        sim_fail(world, "%c got a message that was for one other", self);
    }
    if (got->is_sealed != talk->settings.is_mls) {
        sim_fail(world, "%c got message %u of %c %s", self, message->seq, from,
                 got->is_sealed ? "sealed" : "in clear");
    }
    if (talk->settings.has_timer && !is_mixed(world, seat, message)) {
        if (message->delivered[peer->index] == instance) {
            sim_fail(world, "%c got message %u of %c twice", self, message->seq, from);
        }
        check_order(world, seat, peer, message);
    }
    if (seat->removed_ms != 0 && message->published_ms > seat->removed_ms &&
        seat->begun_ms <= seat->removed_ms) {
        sim_fail(world, "%c got message %u of %c though it was removed before", self, message->seq,
                 from);
    }
    if (talk->settings.is_mls && message->banned[peer->index] == instance) {
        sim_fail(world, "%c reads message %u of %c though the sender knew of its removal", self,
                 message->seq, from);
    }
    message->delivered[peer->index] = instance;
    world->delivered_count++;
}

static void on_message(struct sim_world *world, struct sim_peer *peer, uint32_t talk,
                       const struct slim_session_message *got)
{
    struct sim_message *message = read_blob(world, got->blob);
    if (!seat_is_live(world, talk, peer->index)) {
        sim_fail(world, "%c got a message of a session it is not in", 'a' + (int)peer->index);
        return;
    }
    if (message == NULL) {
        sim_fail(world, "%c got what nobody published", 'a' + (int)peer->index);
        return;
    }
    sim_trace(world, "        %c    gets %u of %c sid=%u mid=%u", 'a' + (int)peer->index,
              message->seq, 'a' + (int)message->sender, world->talks[talk].id, got->message_id);
    check_message(world, peer, talk, message, got);
    bool may_answer = world->plan.is_chatty && !message->is_echo && world->has_faults;
    if (may_answer && sim_chance(&world->chance, 200)) {
        sim_peer_publish(world, talk, peer->index, 30, true);
    }
}

/* Numbers that nobody has, of somebody who joined anew a moment ago: a message of its former membership has mixed them up. */
static void note_lost(struct sim_world *world, uint32_t talk, struct sim_seat *seat)
{
    for (uint32_t i = 0; i < world->peer_count; i++) {
        const struct sim_seat *from = sim_seat(world, talk, i);
        uint64_t window_ms = 2 * (uint64_t)world->plan.faults.reorder_ms +
                             2 * patience_ms(&world->talks[talk]) + 2000;
        if (may_mix(world) && from->instance > 1 && world->now_ms < from->begun_ms + window_ms) {
            seat->is_mixed[i] = true;
        }
    }
}

void sim_oracle_event(struct sim_world *world, struct sim_peer *peer,
                      const struct slim_session_event *event)
{
    uint32_t talk = sim_talk_of(world, event->session_id);
    if (event->kind == SLIM_SESSION_COMPLETED) {
        on_completed(world, peer, event);
        return;
    }
    if (talk == SIM_TALKS_MAX) {
        sim_fail(world, "%c: an event of an unknown session %u", 'a' + (int)peer->index,
                 event->session_id);
        return;
    }
    switch (event->kind) {
    case SLIM_SESSION_COMPLETED:
        break;
    case SLIM_SESSION_BEGUN:
        on_begun(world, peer, talk);
        break;
    case SLIM_SESSION_MESSAGE:
        on_message(world, peer, talk, event->message);
        break;
    case SLIM_SESSION_PROBLEM:
        sim_trace(world, "        %c    problem sid=%u: %s", 'a' + (int)peer->index,
                  event->session_id, event->text);
        if (strncmp(event->text, "message ", 8) == 0) {
            note_lost(world, talk, sim_seat(world, talk, peer->index));
        }
        break;
    case SLIM_SESSION_WRITABLE:
        break;
    case SLIM_SESSION_CLOSED:
        on_closed(world, peer, talk, event->text);
        break;
    }
}

/* ---- member lists, as they change */

static void look_at_list(struct sim_world *world, struct sim_peer *peer, uint32_t talk)
{
    struct sim_seat *seat = sim_seat(world, talk, peer->index);
    bool is_there[SIM_PEERS_MAX] = {false};
    struct slim_session_info info;
    if (slim_session_app_look(peer->app, world->talks[talk].id, &info) != SLIM_OK) {
        return;
    }
    for (size_t i = 0; i < info.member_count; i++) {
        const struct slim_wire_name *name =
            slim_session_app_member(peer->app, world->talks[talk].id, i);
        uint32_t member = sim_peer_of(world, &name->name);
        if (member < SIM_PEERS_MAX) {
            is_there[member] = true;
        }
    }
    for (uint32_t i = 0; i < world->peer_count; i++) {
        uint32_t instance = sim_seat(world, talk, i)->instance;
        if (seat->listed[i] > 0 && !is_there[i]) {
            seat->dropped[i] = instance;
        }
        seat->listed[i] = is_there[i] ? instance + 1 : 0;
    }
}

void sim_oracle_lists(struct sim_world *world, struct sim_peer *peer)
{
    for (uint32_t i = 0; i < world->talk_count && peer->is_alive; i++) {
        if (world->talks[i].is_used && seat_is_live(world, i, peer->index)) {
            look_at_list(world, peer, i);
        }
    }
}

void sim_oracle_crashed(struct sim_world *world, uint32_t peer)
{
    for (uint32_t i = 0; i < world->op_count; i++) {
        if (world->ops[i].is_open && world->ops[i].peer == peer &&
            world->ops[i].incarnation == world->peers[peer].incarnation) {
            op_is_over(world, &world->ops[i]);
        }
    }
    for (uint32_t i = 0; i < world->talk_count; i++) {
        sim_seat(world, i, peer)->is_in = false;
        if (world->talks[i].is_used && world->talks[i].moderator == peer) {
            world->talks[i].is_over = true;
        }
    }
}

/* ---- time */

void sim_oracle_time(struct sim_world *world)
{
    while (world->first_open_op < world->op_count && !world->ops[world->first_open_op].is_open) {
        world->first_open_op++;
    }
    for (uint32_t i = world->first_open_op; i < world->op_count; i++) {
        struct sim_op *op = &world->ops[i];
        if (!op->is_open) {
            continue;
        }
        bool is_session_there =
            slim_session_find(world->peers[op->peer].app, world->talks[op->talk].id) != NULL;
        if (world->now_ms > op->deadline_ms || !is_session_there) {
            sim_fail(world, "op %u of %c, begun at %" PRIu64 ", does not complete%s", i,
                     'a' + (int)op->peer, op->issued_ms,
                     is_session_there ? "" : ": its session is gone");
            return;
        }
    }
}

/* ---- in the end */

static void check_same_list(struct sim_world *world, uint32_t talk, uint32_t peer,
                            const struct slim_session_info *wanted)
{
    struct slim_session_info info;
    int self = 'a' + (int)peer;
    if (slim_session_app_look(world->peers[peer].app, world->talks[talk].id, &info) != SLIM_OK) {
        sim_fail(world, "session %u of %c is not there, though it was not closed",
                 world->talks[talk].id, self);
        return;
    }
    for (uint32_t i = 0; i < world->peer_count; i++) {
        const struct sim_seat *seat = sim_seat(world, talk, peer);
        const struct sim_seat *first = sim_seat(world, talk, world->talks[talk].moderator);
        if ((seat->listed[i] > 0) != (first->listed[i] > 0)) {
            sim_fail(world, "session %u: %c %s %c, its moderator %c %s", world->talks[talk].id,
                     self, seat->listed[i] > 0 ? "lists" : "does not list", 'a' + (int)i,
                     'a' + (int)world->talks[talk].moderator,
                     first->listed[i] > 0 ? "does" : "does not");
        }
    }
    if (info.mls_epoch != wanted->mls_epoch) {
        sim_fail(world, "session %u: %c is in epoch %" PRIu64 ", its moderator in %" PRIu64,
                 world->talks[talk].id, self, info.mls_epoch, wanted->mls_epoch);
    }
}

static void check_talk(struct sim_world *world, uint32_t talk_index)
{
    const struct sim_talk *talk = &world->talks[talk_index];
    struct slim_session_info wanted;
    bool is_there = seat_is_live(world, talk_index, talk->moderator) && !talk->is_over;
    if (is_there &&
        slim_session_app_look(world->peers[talk->moderator].app, talk->id, &wanted) != SLIM_OK) {
        sim_fail(world, "session %u is not at its moderator, though it was not closed", talk->id);
        return;
    }
    for (uint32_t i = 0; i < world->peer_count; i++) {
        bool is_in = seat_is_live(world, talk_index, i);
        bool is_listed =
            is_there && talk->seats[talk->moderator].listed[i] > 0 && i != talk->moderator;
        if (i == talk->moderator) {
            continue;
        }
        if (is_in && !is_there) {
            sim_fail(world, "session %u lingers at %c: its moderator is gone", talk->id,
                     'a' + (int)i);
        } else if (is_in != is_listed) {
            sim_fail(world, "session %u: %c %s member, its moderator %s it", talk->id, 'a' + (int)i,
                     is_in ? "is" : "is no", is_listed ? "lists" : "does not list");
        } else if (is_in) {
            check_same_list(world, talk_index, i, &wanted);
        }
    }
}

void sim_oracle_converged(struct sim_world *world)
{
    for (uint32_t i = 0; i < world->talk_count; i++) {
        if (world->talks[i].is_used) {
            check_talk(world, i);
        }
    }
}

void sim_oracle_delivered(struct sim_world *world)
{
    for (uint32_t i = 0; i < world->message_count; i++) {
        const struct sim_message *message = &world->messages[i];
        if (message->talk == SIM_TALKS_MAX || !world->ops[message->op].is_ok ||
            !world->talks[message->talk].settings.has_timer) {
            continue;
        }
        for (uint32_t k = 0; k < world->peer_count; k++) {
            if (is_owed(world, message, k) && message->delivered[k] != message->audience[k] &&
                seat_is_live(world, message->talk, message->sender) &&
                sim_seat(world, message->talk, message->sender)->instance ==
                    message->sender_instance) {
                sim_fail(
                    world,
                    "message %u of %c in session %u (op %u) was acknowledged and %c has not got it",
                    message->seq, 'a' + (int)message->sender, world->talks[message->talk].id,
                    message->op, 'a' + (int)k);
            }
        }
    }
}

void sim_oracle_over(struct sim_world *world)
{
    for (uint32_t i = 0; i < world->op_count; i++) {
        if (world->ops[i].is_open) {
            sim_fail(world, "op %u of %c never completed", i, 'a' + (int)world->ops[i].peer);
        }
    }
    for (uint32_t i = 0; i < world->peer_count; i++) {
        struct sim_peer *peer = &world->peers[i];
        if (!peer->is_alive) {
            continue;
        }
        if (slim_session_app_count(peer->app) != 0) {
            sim_fail(world, "%c has sessions left", 'a' + (int)i);
        }
        if (peer->app->event_reserved != 0 || peer->app->half_open_count != 0) {
            sim_fail(world, "%c has promises left", 'a' + (int)i);
        }
        for (size_t k = 0; k < SIM_NAMES_MAX; k++) {
            bool is_own = slim_name_is_equal(&peer->subscriptions[k].name, &peer->name.name);
            if (peer->routes[k].count > 0 || (peer->subscriptions[k].count > 0 && !is_own)) {
                sim_fail(world, "%c has routes or subscriptions left", 'a' + (int)i);
            }
        }
    }
}
