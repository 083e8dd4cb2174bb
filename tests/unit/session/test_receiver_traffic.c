/* Senders against receivers through a network that loses, repeats and reorders, from a seed: a failing seed replays exactly.
 *
 * Every node has a sender and a receiver; slots are node numbers. A network message lies in the bucket of its millisecond. */
#include "session/receiver.h"
#include "support/check.h"

#include <stdlib.h>

enum {
    NODES_MAX = 6,
    MESSAGES_MAX = 400, /* per node */
    BUCKETS = 2048,     /* milliseconds: longer than any delay */
    INTERVAL = 200,
    HELD_MAX = 64,
    END_MS = 30 * 60 * 1000,
    SEEDS = 400,
};

enum packet_kind { PACKET_MSG, PACKET_ACK, PACKET_RTX, PACKET_REPLY, PACKET_BASE };

struct packet {
    struct packet *next;
    enum packet_kind kind;
    uint32_t from;
    uint32_t to;
    uint32_t message_id;
    uint32_t op;
    bool is_direct;
    bool is_error;
    bool asks_base;
};

/* What became of one published message. members: bit per node it was for; got: how often each node was given it. */
struct fate {
    uint32_t message_id;
    uint32_t members;
    uint8_t got[NODES_MAX];
    uint8_t ended;
    enum slim_status status;
    bool is_direct;
};

/* A message that cannot be opened yet; is_forged: that never will be. */
struct held {
    uint64_t until_ms;
    struct packet packet;
    bool is_forged;
};

struct node {
    struct slim_session_sender *sender;
    struct slim_session_receiver *receiver;
    uint64_t sender_due_ms;
    uint64_t receiver_due_ms;
    bool is_there;
    bool is_late;     /* joined when the others were at work */
    bool is_asking;   /* and asks them where they begin */
    bool acks_no_rtx; /* as the reference */
    bool is_full;
    uint32_t published;
    struct fate fates[MESSAGES_MAX];
    uint32_t last[NODES_MAX];  /* number delivered last, by source */
    uint32_t first[NODES_MAX]; /* and first */
    bool has_last[NODES_MAX];
    unsigned lost;
    struct held held[HELD_MAX];
    size_t held_count;
};

static struct {
    uint64_t seed;
    uint64_t now_ms;
    uint32_t node_count;
    uint32_t messages;
    uint32_t loss_percent;
    uint32_t double_percent;
    uint32_t delay_max_ms;
    uint32_t hold_percent;
    bool is_hopeless; /* few retries, much loss: messages may fail */
    uint32_t start;
    size_t packet_count;
    struct packet *buckets[BUCKETS];
    struct node nodes[NODES_MAX];
} t;

#define CHECK_SEED(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fail_msg("seed %lu at %lu ms: %s", (unsigned long)t.seed, (unsigned long)t.now_ms,     \
                     #condition);                                                                  \
        }                                                                                          \
    } while (0)

static uint64_t state_of_random;

static uint32_t draw(uint32_t below)
{
    state_of_random += 0x9e3779b97f4a7c15U;
    uint64_t mixed = (state_of_random ^ (state_of_random >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    return (uint32_t)((mixed ^ (mixed >> 31)) >> 32) % below;
}

/* ---- the network */

static void put(const struct packet *packet)
{
    struct packet *copy = malloc(sizeof(*copy));
    assert_non_null(copy);
    *copy = *packet;
    uint64_t at_ms = t.now_ms + 1 + draw(t.delay_max_ms);
    copy->next = t.buckets[at_ms % BUCKETS];
    t.buckets[at_ms % BUCKETS] = copy;
    t.packet_count++;
}

static void send(const struct packet *packet)
{
    if (draw(100) < t.loss_percent) {
        return;
    }
    put(packet);
    if (draw(100) < t.double_percent) {
        put(packet);
    }
}

/* ---- a node */

static enum slim_status on_transmit(void *ctx, struct slim_session_outgoing *message, uint32_t slot)
{
    struct node *node = ctx;
    struct packet packet = {.kind = PACKET_MSG,
                            .from = (uint32_t)(node - t.nodes),
                            .message_id = message->message_id,
                            .is_direct = message->is_direct};
    memcpy(&packet.op, message->content.blob.data, sizeof(packet.op));
    struct fate *fate = &node->fates[packet.op];
    for (uint32_t to = 0; to < t.node_count; to++) {
        bool is_meant =
            t.nodes[to].is_there && to != packet.from && (slot == SLIM_SESSION_ALL || slot == to);
        if (is_meant) {
            packet.to = to;
            fate->members |= message->repeat_count == 0 ? 1U << to : 0;
            CHECK_SEED((fate->members & 1U << to) != 0);
            send(&packet);
        }
    }
    return SLIM_OK;
}

static void on_answer(void *ctx, uint32_t slot, uint32_t message_id,
                      struct slim_session_outgoing *message)
{
    struct node *node = ctx;
    struct packet packet = {.kind = PACKET_REPLY,
                            .from = (uint32_t)(node - t.nodes),
                            .to = slot,
                            .message_id = message_id,
                            .is_error = message == NULL};
    if (message != NULL) {
        memcpy(&packet.op, message->content.blob.data, sizeof(packet.op));
    }
    send(&packet);
}

static void on_complete(void *ctx, uint64_t op, uint32_t message_id, enum slim_status status)
{
    struct node *node = ctx;
    struct fate *fate = &node->fates[op];
    CHECK_SEED(fate->ended == 0);
    fate->ended = 1;
    fate->status = status;
    CHECK_SEED(status == SLIM_OK || (t.is_hopeless && status == SLIM_ERR_TIMEOUT));
}

static void on_writable(void *ctx)
{
    struct node *node = ctx;
    CHECK_SEED(node->is_full);
    node->is_full = false;
}

static void on_deliver(void *ctx, uint32_t slot, const struct slim_session_origin *origin,
                       const struct slim_session_content *content)
{
    struct node *node = ctx;
    uint32_t op;
    memcpy(&op, content->blob.data, sizeof(op));
    struct fate *fate = &t.nodes[slot].fates[op];
    CHECK_SEED(fate->message_id == origin->message_id && fate->is_direct == origin->is_direct);
    CHECK_SEED(fate->got[node - t.nodes]++ == 0);
    if (origin->is_direct) {
        return;
    }
    uint32_t ahead = (origin->message_id - node->last[slot]) & SLIM_SESSION_SEQUENCE_MAX;
    if (node->has_last[slot] && ahead >= 1U << 30) {
        uint32_t from_first = (origin->message_id - node->first[slot]) & SLIM_SESSION_SEQUENCE_MAX;
        CHECK_SEED(node->is_late && from_first >= 1U << 30); /* below the base, late */
        CHECK_SEED(!node->is_asking);
        return;
    }
    if (!node->has_last[slot]) {
        node->first[slot] = origin->message_id;
    }
    node->has_last[slot] = true;
    node->last[slot] = origin->message_id;
}

static void on_lost(void *ctx, uint32_t slot, uint32_t message_id, bool is_answered)
{
    struct node *node = ctx;
    (void)slot;
    (void)message_id;
    (void)is_answered;
    node->lost++;
    CHECK_SEED(t.is_hopeless);
}

static void on_request(void *ctx, uint32_t slot, uint32_t message_id, uint64_t conn_id)
{
    struct node *node = ctx;
    (void)conn_id;
    struct packet packet = {.kind = PACKET_RTX,
                            .from = (uint32_t)(node - t.nodes),
                            .to = slot,
                            .message_id = message_id};
    send(&packet);
}

static void on_ask_base(void *ctx, uint32_t slot, uint32_t message_id, uint64_t conn_id)
{
    struct node *node = ctx;
    (void)conn_id;
    CHECK_SEED(node->is_asking);
    struct packet packet = {.kind = PACKET_ACK,
                            .from = (uint32_t)(node - t.nodes),
                            .to = slot,
                            .message_id = message_id,
                            .asks_base = true};
    send(&packet);
}

static void node_start(uint32_t index, bool is_late)
{
    struct node *node = &t.nodes[index];
    enum slim_session_beginning late = draw(2) == 0 ? SLIM_SESSION_ASKED : SLIM_SESSION_GUESSED;
    struct slim_session_sender_options options = {
        .is_reliable = true,
        .interval_ms = INTERVAL,
        .max_retries = t.is_hopeless ? 1 : 100,
        .start = t.start,
    };
    const struct slim_session_sender_owner sender = {node, on_transmit, on_answer, on_complete,
                                                     on_writable};
    const struct slim_session_receiver_owner receiver = {node, on_deliver, on_lost, on_request,
                                                         on_ask_base};
    CHECK_OK(slim_session_sender_new(&options, &sender, &node->sender));
    CHECK_OK(slim_session_receiver_new(&options, &receiver, &node->receiver));
    node->is_there = true;
    node->is_late = is_late;
    node->is_asking = is_late && late == SLIM_SESSION_ASKED;
    node->acks_no_rtx = draw(3) == 0;
    for (uint32_t other = 0; other < t.node_count; other++) {
        if (other == index || !t.nodes[other].is_there) {
            continue;
        }
        CHECK_OK(slim_session_receiver_add(node->receiver, other,
                                           is_late ? late : SLIM_SESSION_FROM_START));
        CHECK_OK(
            slim_session_receiver_add(t.nodes[other].receiver, index, SLIM_SESSION_FROM_START));
    }
    for (uint32_t other = 0; other < t.node_count; other++) {
        if (other != index && t.nodes[other].is_there) {
            CHECK_OK(slim_session_sender_add(node->sender, other, t.now_ms));
            CHECK_OK(slim_session_sender_add(t.nodes[other].sender, index, t.now_ms));
        }
    }
}

static void take(struct node *node, const struct packet *packet)
{
    struct slim_session_origin origin = {.message_id = packet->message_id,
                                         .is_direct = packet->is_direct};
    struct slim_session_content content = {.blob = slim_view_of(&packet->op, sizeof(packet->op))};
    CHECK_OK(slim_session_receiver_take(node->receiver, t.now_ms, packet->from, &origin, &content));
}

static void acknowledge(const struct packet *packet)
{
    struct packet ack = {.kind = PACKET_ACK,
                         .from = packet->to,
                         .to = packet->from,
                         .message_id = packet->message_id};
    ack.asks_base = !packet->is_direct &&
                    slim_session_receiver_wants_base(t.nodes[packet->to].receiver, packet->from);
    send(&ack);
}

/* A new message: open it, or hold it for a while. */
static void get_new(struct node *node, const struct packet *packet)
{
    bool is_ack_due = packet->kind == PACKET_MSG || !node->acks_no_rtx;
    if (node->held_count == HELD_MAX || draw(100) >= t.hold_percent) {
        take(node, packet);
        if (is_ack_due) {
            acknowledge(packet);
        }
        return;
    }
    struct held *held = &node->held[node->held_count++];
    struct slim_session_origin origin = {.message_id = packet->message_id,
                                         .is_direct = packet->is_direct};
    CHECK_OK(slim_session_receiver_reserve(node->receiver, t.now_ms, packet->from, &origin, 4));
    *held =
        (struct held){t.now_ms + draw(100), *packet, packet->kind == PACKET_MSG && draw(4) == 0};
}

static void release_held(struct node *node)
{
    for (size_t i = 0; i < node->held_count; i++) {
        struct held held = node->held[i];
        if (held.until_ms > t.now_ms) {
            continue;
        }
        node->held[i--] = node->held[--node->held_count];
        if (held.is_forged) {
            slim_session_receiver_give_up(node->receiver, t.now_ms, held.packet.from,
                                          held.packet.message_id);
        } else {
            take(node, &held.packet);
            if (held.packet.kind == PACKET_MSG || !node->acks_no_rtx) {
                acknowledge(&held.packet);
            }
        }
    }
}

/* What is held may be forged: no acknowledgement of what looks like a duplicate of it. */
static bool is_held(const struct node *node, const struct packet *packet)
{
    for (size_t i = 0; i < node->held_count; i++) {
        if (node->held[i].packet.from == packet->from &&
            node->held[i].packet.message_id == packet->message_id) {
            return true;
        }
    }
    return false;
}

static void answer_base(struct node *node, const struct packet *packet)
{
    struct packet answer = {.kind = PACKET_BASE,
                            .from = packet->to,
                            .to = packet->from,
                            .message_id = packet->message_id};
    answer.op = slim_session_sender_first_missing(node->sender, packet->from, packet->message_id);
    send(&answer);
}

static void get(const struct packet *packet)
{
    struct node *node = &t.nodes[packet->to];
    enum slim_session_verdict verdict = slim_session_receiver_look(
        node->receiver, packet->from, packet->message_id, packet->is_direct, 4);
    switch (packet->kind) {
    case PACKET_MSG:
        if (verdict == SLIM_SESSION_NEW) {
            get_new(node, packet);
        } else if (verdict == SLIM_SESSION_DUPLICATE && !is_held(node, packet)) {
            acknowledge(packet);
        }
        return;
    case PACKET_ACK:
        slim_session_sender_take_ack(node->sender, t.now_ms, packet->from, packet->message_id);
        if (packet->asks_base) {
            answer_base(node, packet);
        }
        return;
    case PACKET_BASE:
        slim_session_receiver_take_base(node->receiver, t.now_ms, packet->from, packet->message_id,
                                        packet->op);
        return;
    case PACKET_RTX:
        slim_session_sender_take_rtx(node->sender, t.now_ms, packet->from, packet->message_id);
        return;
    case PACKET_REPLY:
        if (packet->is_error) {
            slim_session_receiver_take_lost(node->receiver, t.now_ms, packet->from,
                                            packet->message_id);
        } else if (slim_session_receiver_is_wanted(node->receiver, packet->from,
                                                   packet->message_id)) {
            CHECK_SEED(verdict == SLIM_SESSION_NEW);
            get_new(node, packet);
        }
        return;
    }
}

/* ---- the run */

static void publish(uint32_t index)
{
    struct node *node = &t.nodes[index];
    uint32_t op = node->published;
    uint32_t slot = draw(t.node_count);
    struct fate *fate = &node->fates[op];
    struct slim_session_content content = {.blob = slim_view_of(&op, sizeof(op))};
    enum slim_status status;
    fate->is_direct = draw(5) == 0 && slot != index && t.nodes[slot].is_there;
    if (fate->is_direct) {
        fate->message_id = SLIM_SESSION_DIRECT_MIN + draw(1U << 30);
        status = slim_session_sender_publish_to(node->sender, t.now_ms, slot, &content,
                                                fate->message_id, op);
    } else {
        status =
            slim_session_sender_publish(node->sender, t.now_ms, &content, op, &fate->message_id);
    }
    if (status == SLIM_AGAIN) {
        node->is_full = true;
        return;
    }
    if (status != SLIM_ERR_EXISTS) { /* the number was drawn before */
        CHECK_OK(status);
        node->published++;
    }
}

static void step(void)
{
    t.now_ms++;
    struct packet *packet = t.buckets[t.now_ms % BUCKETS];
    t.buckets[t.now_ms % BUCKETS] = NULL;
    while (packet != NULL) {
        struct packet *next = packet->next;
        t.packet_count--;
        get(packet);
        free(packet);
        packet = next;
    }
    for (uint32_t index = 0; index < t.node_count; index++) {
        struct node *node = &t.nodes[index];
        if (!node->is_there) {
            continue;
        }
        release_held(node);
        if (!node->is_full && node->published < t.messages && draw(4) == 0) {
            publish(index);
        }
        node->sender_due_ms = slim_session_sender_tick(node->sender, t.now_ms);
        node->receiver_due_ms = slim_session_receiver_tick(node->receiver, t.now_ms);
        CHECK_SEED(node->sender_due_ms > t.now_ms && node->receiver_due_ms > t.now_ms);
    }
}

static bool is_over(void)
{
    size_t open = t.packet_count;
    for (uint32_t index = 0; index < t.node_count; index++) {
        const struct node *node = &t.nodes[index];
        if (!node->is_there || node->published < t.messages) {
            return false;
        }
        open += slim_session_sender_pending(node->sender) + node->held_count +
                slim_session_receiver_wanted_count(node->receiver);
        open += node->receiver_due_ms != UINT64_MAX;
    }
    return open == 0;
}

static void check_fates(void)
{
    for (uint32_t from = 0; from < t.node_count; from++) {
        for (uint32_t op = 0; op < t.messages; op++) {
            const struct fate *fate = &t.nodes[from].fates[op];
            CHECK_SEED(fate->ended == 1);
            for (uint32_t to = 0; to < t.node_count; to++) {
                bool is_meant = (fate->members & 1U << to) != 0;
                CHECK_SEED(fate->got[to] <= (is_meant ? 1 : 0));
                if (is_meant && fate->status == SLIM_OK && !t.is_hopeless) {
                    CHECK_SEED(fate->got[to] == 1);
                }
            }
        }
    }
}

static void run(uint64_t seed)
{
    memset(&t, 0, sizeof(t));
    t.seed = seed;
    state_of_random = seed * 0x9e3779b97f4a7c15U;
    t.node_count = 2 + draw(NODES_MAX - 1);
    t.messages = 20 + draw(MESSAGES_MAX - 20);
    t.loss_percent = draw(4) == 0 ? 0 : draw(35);
    t.double_percent = draw(30);
    t.delay_max_ms = 1 + draw(draw(2) == 0 ? 20 : 300);
    t.hold_percent = draw(2) == 0 ? 0 : draw(20);
    t.is_hopeless = draw(5) == 0;
    t.start = draw(2) == 0 ? 0 : SLIM_SESSION_SEQUENCE_MAX - draw(200);
    bool has_late = t.node_count > 2 && draw(2) == 0;
    uint32_t late_at_ms = 1 + draw(800);
    for (uint32_t index = 0; index < t.node_count - (has_late ? 1 : 0); index++) {
        node_start(index, false);
    }
    while (!is_over() && t.now_ms < END_MS) {
        step();
        if (has_late && t.now_ms == late_at_ms) {
            node_start(t.node_count - 1, true);
        }
    }
    CHECK_SEED(is_over());
    check_fates();
    for (uint32_t index = 0; index < t.node_count; index++) {
        slim_session_sender_free(t.nodes[index].sender);
        slim_session_receiver_free(t.nodes[index].receiver);
    }
}

/* SLIM_TEST_SEED=n replays one; SLIM_TEST_SEEDS=n tries so many. */
static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static void every_message_arrives_once_and_in_order_or_fails_aloud(void **state)
{
    uint64_t first = number_of("SLIM_TEST_SEED", 1);
    uint64_t count = number_of("SLIM_TEST_SEED", 0) > 0 ? 1 : number_of("SLIM_TEST_SEEDS", SEEDS);
    for (uint64_t seed = first; seed < first + count; seed++) {
        run(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_arrives_once_and_in_order_or_fails_aloud),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
