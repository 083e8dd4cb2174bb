/* Nodes, links and packets. A node knows subscriptions and forwards as the real one does (spec session.md 1.6); links lose, double, delay
 * and reorder what the plan says, and everything that is on them when they are cut. */
#include <stdlib.h>

#include "sim.h"

enum {
    RECONNECT_MS = 3,
    PROPAGATION_MS = 5, /* until other nodes know of a subscription */
    BETWEEN_MS = 2,
    COMMAND_REORDER_MS = 60,
};

/* ---- packets by time */

static bool is_before(const struct sim_packet *a, const struct sim_packet *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

static void push(struct sim_world *world, struct sim_packet *packet)
{
    if (world->packet_count == world->packet_capacity) {
        world->packet_capacity = world->packet_capacity == 0 ? 256 : world->packet_capacity * 2;
        world->packets =
            realloc(world->packets, world->packet_capacity * sizeof(struct sim_packet *));
        if (world->packets == NULL) {
            abort();
        }
    }
    size_t at = world->packet_count++;
    while (at > 0 && is_before(packet, world->packets[(at - 1) / 2])) {
        world->packets[at] = world->packets[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    world->packets[at] = packet;
}

static struct sim_packet *pop(struct sim_world *world)
{
    struct sim_packet *first = world->packets[0];
    struct sim_packet *last = world->packets[--world->packet_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < world->packet_count &&
            is_before(world->packets[child + 1], world->packets[child])) {
            child++;
        }
        if (child >= world->packet_count || !is_before(world->packets[child], last)) {
            break;
        }
        world->packets[at] = world->packets[child];
        at = child;
    }
    if (world->packet_count > 0) {
        world->packets[at] = last;
    }
    return first;
}

static struct sim_packet *new_packet(struct sim_world *world, enum sim_packet_kind kind,
                                     uint32_t peer, uint32_t node, struct slim_view bytes)
{
    struct sim_packet *packet = malloc(sizeof(*packet) + bytes.len);
    if (packet == NULL) {
        abort();
    }
    *packet = (struct sim_packet){
        .due_ms = world->now_ms,
        .order = world->next_order++,
        .kind = kind,
        .peer = peer,
        .node = node,
        .link_epoch = world->peers[peer].link.epoch,
        .len = bytes.len,
    };
    if (bytes.len > 0) {
        memcpy(packet->bytes, bytes.data, bytes.len);
    }
    return packet;
}

/* ---- one hop */

static uint64_t delay_ms(struct sim_world *world)
{
    const struct sim_faults *faults = &world->plan.faults;
    return faults->latency_ms +
           (world->has_faults ? sim_below(&world->network, faults->jitter_ms + 1) : 0);
}

/* How much later than those behind it a message may come. Nothing in a command says which of two is the older one, and no real connection
 * turns them round: commands are mixed up with data far away from them, but with each other only a little. */
static uint32_t reorder_ms(struct sim_world *world, const struct sim_packet *packet)
{
    struct slim_wire_head head;
    bool is_data =
        slim_wire_read_head(slim_view_of(packet->bytes, packet->len), &head) == SLIM_OK &&
        head.session_message_type <= SLIM_WIRE_TYPE_RTX_REPLY;
    uint32_t most_ms = world->plan.faults.reorder_ms;
    most_ms = is_data || most_ms < COMMAND_REORDER_MS ? most_ms : COMMAND_REORDER_MS;
    return sim_below(&world->network, most_ms + 1);
}

/* Publishes are lost, doubled and reordered; subscriptions only wait for their turn. */
static void put_hop(struct sim_world *world, struct sim_packet *packet, bool is_up_hop)
{
    const struct sim_faults *faults = &world->plan.faults;
    struct sim_link *link = &world->peers[packet->peer].link;
    bool is_publish = packet->kind == SIM_TO_NODE || packet->kind == SIM_TO_PEER;
    bool is_faulty = is_publish && world->has_faults;
    uint64_t *last_ms = is_up_hop ? &link->last_up_ms : &link->last_down_ms;
    if (is_faulty && sim_chance(&world->network, faults->loss)) {
        sim_trace(world, "        lost: %s hop of %c", is_up_hop ? "first" : "last",
                  'a' + (int)packet->peer);
        world->lost_count++;
        free(packet);
        return;
    }
    if (is_faulty && sim_chance(&world->network, faults->duplication)) {
        struct sim_packet *twin = new_packet(world, packet->kind, packet->peer, packet->node,
                                             slim_view_of(packet->bytes, packet->len));
        twin->due_ms = world->now_ms + delay_ms(world) + reorder_ms(world, packet);
        push(world, twin);
    }
    packet->due_ms = world->now_ms + delay_ms(world);
    if (is_faulty && sim_chance(&world->network, faults->reordering)) {
        packet->due_ms += reorder_ms(world, packet);
    } else {
        packet->due_ms = packet->due_ms < *last_ms ? *last_ms : packet->due_ms;
        *last_ms = packet->due_ms;
    }
    push(world, packet);
}

void sim_network_put(struct sim_world *world, uint32_t peer, struct slim_view msg)
{
    struct sim_link *link = &world->peers[peer].link;
    put_hop(world, new_packet(world, SIM_TO_NODE, peer, link->node, msg), true);
}

void sim_network_error(struct sim_world *world, uint32_t peer, struct slim_view msg, bool is_down)
{
    struct sim_packet *packet = new_packet(world, SIM_ERROR, peer, 0, msg);
    packet->is_error_down = is_down;
    push(world, packet);
}

void sim_network_subscribe(struct sim_world *world, uint32_t peer, const struct slim_name_key *name,
                           bool is_add)
{
    struct sim_link *link = &world->peers[peer].link;
    if (!link->is_up) {
        return; /* told when it is back */
    }
    struct sim_packet *packet = new_packet(world, is_add ? SIM_SUBSCRIBE : SIM_UNSUBSCRIBE, peer,
                                           link->node, (struct slim_view){0});
    packet->name = *name;
    put_hop(world, packet, true);
}

/* ---- links */

static void forget_subscriptions(struct sim_node *node, uint32_t peer)
{
    size_t kept = 0;
    for (size_t i = 0; i < node->count; i++) {
        if (node->subscriptions[i].peer != peer) {
            node->subscriptions[kept++] = node->subscriptions[i];
        }
    }
    node->count = kept;
}

void sim_network_attach(struct sim_world *world, uint32_t peer)
{
    struct sim_peer *self = &world->peers[peer];
    self->link.is_up = true;
    self->link.last_up_ms = 0;
    self->link.last_down_ms = 0;
    for (size_t i = 0; i < SIM_NAMES_MAX; i++) {
        if (self->subscriptions[i].count > 0) {
            sim_network_subscribe(world, peer, &self->subscriptions[i].name, true);
        }
    }
}

void sim_network_detach(struct sim_world *world, uint32_t peer)
{
    struct sim_link *link = &world->peers[peer].link;
    link->is_up = false;
    link->epoch++;
    forget_subscriptions(&world->nodes[link->node], peer);
}

static void plan_link(struct sim_world *world, uint32_t peer, uint32_t after_ms)
{
    struct sim_packet *packet = new_packet(world, SIM_LINKED, peer, 0, (struct slim_view){0});
    packet->due_ms = world->now_ms + after_ms;
    push(world, packet);
}

void sim_network_cut(struct sim_world *world, uint32_t peer, uint32_t back_after_ms)
{
    struct sim_peer *self = &world->peers[peer];
    if (!self->link.is_up) {
        return;
    }
    sim_trace(world, "CUT     %c for %u ms", 'a' + (int)peer, back_after_ms);
    world->has_cuts = true;
    world->last_cut_ms = world->now_ms;
    sim_network_detach(world, peer);
    if (self->is_alive) {
        slim_session_app_lost_link(self->app, SIM_CONN);
    }
    plan_link(world, peer, back_after_ms);
}

void sim_network_restart_node(struct sim_world *world, uint32_t node, uint32_t back_after_ms)
{
    if (!world->nodes[node].is_up) {
        return;
    }
    sim_trace(world, "NODE    %u restarts, away for %u ms", node, back_after_ms);
    world->has_cuts = true;
    world->nodes[node].is_up = false;
    world->nodes[node].count = 0;
    struct sim_packet *packet = new_packet(world, SIM_NODE_UP, 0, node, (struct slim_view){0});
    packet->due_ms = world->now_ms + back_after_ms;
    push(world, packet);
    for (uint32_t i = 0; i < world->peer_count; i++) {
        if (world->peers[i].link.node == node && world->peers[i].link.is_up) {
            sim_network_cut(world, i,
                            back_after_ms + RECONNECT_MS + sim_below(&world->network, 50));
        }
    }
}

static void link_back(struct sim_world *world, uint32_t peer)
{
    struct sim_peer *self = &world->peers[peer];
    if (!self->is_alive || self->link.is_up) {
        return;
    }
    if (!world->nodes[self->link.node].is_up) {
        plan_link(world, peer, RECONNECT_MS);
        return;
    }
    sim_trace(world, "LINKED  %c", 'a' + (int)peer);
    world->last_cut_ms = world->now_ms;
    sim_network_attach(world, peer);
    slim_session_app_lost_link(self->app, SIM_CONN);
    self->needs_tick = true;
}

void sim_network_heal(struct sim_world *world)
{
    world->has_faults = false;
    for (uint32_t i = 0; i < world->plan.node_count; i++) {
        world->nodes[i].is_up = true;
    }
    for (uint32_t i = 0; i < world->peer_count; i++) {
        link_back(world, i);
    }
}

/* ---- forwarding */

static bool is_match(const struct slim_name_key *wanted, const struct slim_name_key *name)
{
    return slim_name_has_prefix_of(wanted, name) &&
           (wanted->id == SLIM_NAME_ANY || wanted->id == name->id);
}

/* Applications of `node` that the name reaches, each once. known_ms: subscriptions since then do not count. */
static size_t find_matches(const struct sim_world *world, uint32_t node,
                           const struct slim_name_key *wanted, uint32_t except, uint64_t known_ms,
                           bool has_fallback, uint32_t *peers)
{
    const struct sim_node *at = &world->nodes[node];
    size_t count = 0;
    uint32_t only = SIM_PEERS_MAX;
    bool is_only = true;
    for (size_t i = 0; i < at->count; i++) {
        const struct sim_subscription *entry = &at->subscriptions[i];
        if (entry->peer == except || entry->since_ms > known_ms ||
            !slim_name_has_prefix_of(&entry->name, wanted)) {
            continue;
        }
        is_only = is_only && (only == SIM_PEERS_MAX || only == entry->peer);
        only = entry->peer;
        bool is_new = is_match(wanted, &entry->name);
        for (size_t k = 0; k < count; k++) {
            is_new = is_new && peers[k] != entry->peer;
        }
        if (is_new) {
            peers[count++] = entry->peer;
        }
    }
    if (count == 0 && has_fallback && is_only && only != SIM_PEERS_MAX) {
        peers[count++] = only;
    }
    return count;
}

static void to_peer(struct sim_world *world, uint32_t peer, struct slim_view msg)
{
    put_hop(world, new_packet(world, SIM_TO_PEER, peer, 0, msg), false);
}

/* At `node`: from an application of it (from < SIM_PEERS_MAX), or from another node. True: it went to somebody here. */
static bool forward_here(struct sim_world *world, uint32_t node, uint32_t from,
                         const struct slim_wire_head *head, struct slim_view msg)
{
    uint32_t peers[SIM_PEERS_MAX];
    bool has_fallback = world->plan.has_fallback && head->fanout == 1;
    size_t count = find_matches(world, node, &head->destination.name, from, world->now_ms,
                                has_fallback, peers);
    if (head->fanout == 1 && count > 1) {
        peers[0] = peers[sim_below(&world->network, (uint32_t)count)];
        count = 1;
    }
    for (size_t i = 0; i < count; i++) {
        to_peer(world, peers[i], msg);
    }
    return count > 0;
}

static void forward(struct sim_world *world, uint32_t node, uint32_t from, struct slim_view msg)
{
    struct slim_wire_head head;
    if (slim_wire_read_head(msg, &head) != SLIM_OK) {
        return; /* the real node refuses it too */
    }
    bool is_done = forward_here(world, node, from, &head, msg) && head.fanout == 1;
    uint64_t known_ms = world->now_ms > PROPAGATION_MS ? world->now_ms - PROPAGATION_MS : 0;
    for (uint32_t i = 0; i < world->plan.node_count && !is_done; i++) {
        uint32_t peers[SIM_PEERS_MAX];
        if (i != node && world->nodes[i].is_up &&
            find_matches(world, i, &head.destination.name, SIM_PEERS_MAX, known_ms,
                         world->plan.has_fallback && head.fanout == 1, peers) > 0) {
            struct sim_packet *packet = new_packet(world, SIM_BETWEEN, from, i, msg);
            packet->due_ms = world->now_ms + BETWEEN_MS;
            push(world, packet);
            is_done = head.fanout == 1;
        }
    }
}

static void change_subscription(struct sim_world *world, const struct sim_packet *packet)
{
    struct sim_node *node = &world->nodes[packet->node];
    size_t at = 0;
    while (at < node->count &&
           (node->subscriptions[at].peer != packet->peer ||
            !slim_name_is_equal(&node->subscriptions[at].name, &packet->name))) {
        at++;
    }
    if (packet->kind == SIM_UNSUBSCRIBE && at < node->count) {
        node->subscriptions[at] = node->subscriptions[--node->count];
    } else if (packet->kind == SIM_SUBSCRIBE && at == node->count) {
        if (node->count == SLIM_COUNT(node->subscriptions)) {
            sim_fail(world, "subscriptions at a node grow without bound");
            return;
        }
        node->subscriptions[node->count++] = (struct sim_subscription){
            .name = packet->name, .peer = packet->peer, .since_ms = world->now_ms};
    }
}

/* ---- time */

static void take_error(struct sim_world *world, const struct sim_packet *packet)
{
    struct sim_peer *peer = &world->peers[packet->peer];
    struct slim_wire_head head;
    if (!peer->is_alive ||
        slim_wire_read_head(slim_view_of(packet->bytes, packet->len), &head) != SLIM_OK) {
        return;
    }
    char text[SIM_TEXT_MAX];
    (void)snprintf(text, sizeof(text), "no matching found for sim/x/%.*s/ffffffffffffffff",
                   SLIM_VIEW_ARG(head.destination.text.part[2]));
    slim_session_app_take_error(peer->app, world->now_ms,
                                packet->is_error_down ? SLIM_SESSION_LINK_DOWN
                                                      : SLIM_SESSION_NO_ROUTE,
                                head.session_id, head.session_message_type, head.message_id,
                                packet->is_error_down ? "connection not found: 7" : text);
    peer->needs_tick = true;
}

static bool is_on_a_link(const struct sim_packet *packet)
{
    return packet->kind == SIM_TO_NODE || packet->kind == SIM_TO_PEER ||
           packet->kind == SIM_SUBSCRIBE || packet->kind == SIM_UNSUBSCRIBE ||
           packet->kind == SIM_ERROR;
}

uint64_t sim_network_round_trip_ms(const struct sim_world *world)
{
    const struct sim_faults *faults = &world->plan.faults;
    uint32_t late_ms = faults->reordering == 0                   ? 0
                       : faults->reorder_ms < COMMAND_REORDER_MS ? faults->reorder_ms
                                                                 : COMMAND_REORDER_MS;
    return 2 *
           (2 * (faults->latency_ms + faults->jitter_ms + late_ms) + BETWEEN_MS + PROPAGATION_MS);
}

uint64_t sim_network_next_ms(const struct sim_world *world)
{
    return world->packet_count > 0 ? world->packets[0]->due_ms : UINT64_MAX;
}

void sim_network_step(struct sim_world *world)
{
    struct sim_packet *packet = pop(world);
    struct slim_view bytes = slim_view_of(packet->bytes, packet->len);
    if (is_on_a_link(packet) && packet->link_epoch != world->peers[packet->peer].link.epoch &&
        packet->kind != SIM_ERROR) {
        free(packet);
        return;
    }
    switch (packet->kind) {
    case SIM_TO_NODE:
        forward(world, packet->node, packet->peer, bytes);
        break;
    case SIM_BETWEEN:
        if (world->nodes[packet->node].is_up) {
            struct slim_wire_head head;
            if (slim_wire_read_head(bytes, &head) == SLIM_OK) {
                (void)forward_here(world, packet->node, SIM_PEERS_MAX, &head, bytes);
            }
        }
        break;
    case SIM_TO_PEER:
        sim_peer_take(world, packet->peer, bytes);
        break;
    case SIM_SUBSCRIBE:
    case SIM_UNSUBSCRIBE:
        change_subscription(world, packet);
        break;
    case SIM_ERROR:
        take_error(world, packet);
        break;
    case SIM_LINKED:
        link_back(world, packet->peer);
        break;
    case SIM_NODE_UP:
        world->nodes[packet->node].is_up = true;
        break;
    }
    free(packet);
}

void sim_network_fini(struct sim_world *world)
{
    for (size_t i = 0; i < world->packet_count; i++) {
        free(world->packets[i]);
    }
    free(world->packets);
}
