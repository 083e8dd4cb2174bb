/* What happens in a world: faults and operations as the seed draws them, then peace, agreement, and the end of all sessions. */
#include <stdlib.h>

#include "sim.h"

enum {
    PEACE_MS = 95 * 1000,
    STEPS_MAX = 4 * 1000 * 1000,
    OPS_KEPT = 400, /* for the end */
};

/* ---- the plan */

static void plan_faults(struct sim_world *world)
{
    struct sim_random *chance = &world->chance;
    struct sim_faults *faults = &world->plan.faults;
    static const uint32_t losses[] = {0, 0, 5, 20, 50, 150, 300};
    static const uint32_t twins[] = {0, 0, 10, 50, 200};
    static const uint32_t mixes[] = {0, 0, 10, 100, 300};
    faults->latency_ms = sim_between(chance, 1, 20);
    faults->jitter_ms = sim_chance(chance, 500) ? sim_between(chance, 1, 60) : 0;
    faults->loss = losses[sim_below(chance, SLIM_COUNT(losses))];
    faults->duplication = twins[sim_below(chance, SLIM_COUNT(twins))];
    faults->reordering = mixes[sim_below(chance, SLIM_COUNT(mixes))];
    faults->reorder_ms =
        sim_chance(chance, 300) ? sim_between(chance, 200, 2500) : sim_between(chance, 5, 120);
}

static void plan_actions(struct sim_world *world)
{
    static const uint32_t usual[SIM_ACTIONS] = {
        [SIM_INVITE] = 30,    [SIM_REMOVE] = 8,   [SIM_LEAVE] = 6, [SIM_PUBLISH] = 60,
        [SIM_BURST] = 10,     [SIM_DIRECT] = 15,  [SIM_CLOSE] = 2, [SIM_CREATE] = 4,
        [SIM_CRASH] = 2,      [SIM_RESTART] = 6,  [SIM_CUT] = 5,   [SIM_NODE_RESTART] = 1,
        [SIM_CLOCK_JUMP] = 3, [SIM_HOSTILE] = 40,
    };
    struct sim_plan *plan = &world->plan;
    for (size_t i = 0; i < SIM_ACTIONS; i++) {
        /* now and then none of a kind, or many */
        uint32_t turn = sim_below(&world->chance, 10);
        plan->weights[i] = turn < 2 ? 0 : turn == 9 ? usual[i] * 4 : usual[i];
    }
    plan->weights[SIM_PUBLISH] += 5;
    plan->weights[SIM_INVITE] += 5;
    if (sim_chance(&world->chance, 300)) {
        plan->weights[SIM_CRASH] = 0;
        plan->weights[SIM_CUT] = 0;
        plan->weights[SIM_NODE_RESTART] = 0;
    }
    if (!plan->has_hostile) {
        plan->weights[SIM_HOSTILE] = 0;
    }
}

void sim_scenario_plan(struct sim_world *world)
{
    struct sim_random *chance = &world->chance;
    struct sim_plan *plan = &world->plan;
    plan->peer_count = sim_between(chance, 2, sim_chance(chance, 500) ? 4 : 8);
    plan->node_count = sim_chance(chance, 700) ? 1 : sim_between(chance, 2, SIM_NODES_MAX);
    plan->talk_count = sim_between(chance, 1, 3);
    plan->duration_ms = sim_between(chance, 2000, sim_chance(chance, 200) ? 60000 : 15000);
    plan->gap_ms = sim_between(chance, 20, 400);
    plan->mls_chance = sim_chance(chance, 420) ? 1000 : 0;
    plan->group_chance = sim_chance(chance, 200) ? 0 : 850;
    plan->reliable_chance = 880;
    plan->interval_min_ms = sim_between(chance, 60, 300);
    plan->interval_max_ms = plan->interval_min_ms + sim_below(chance, 700);
    plan->retries_max = sim_between(chance, 2, 10);
    plan->cut_max_ms = sim_chance(chance, 300) ? 60000 : 3000;
    plan->has_fallback = sim_chance(chance, 300);
    plan->is_chatty = sim_chance(chance, 300);
    plan->has_hostile = sim_chance(chance, 200);
    plan->reference_mask = sim_chance(chance, 400) ? (uint32_t)sim_draw(chance) : 0;
    plan->reference_mask = sim_chance(chance, 100) ? UINT32_MAX : plan->reference_mask;
    plan_faults(world);
    if (plan->reference_mask != 0 && sim_chance(chance, 500)) {
        plan->faults.duplication = 0; /* then every surplus answer is somebody's fault */
    }
    plan_actions(world);
    if (sim_chance(chance, 120)) { /* a storm: little patience, and much to be patient with */
        plan->retries_max = 2;
        plan->faults.loss = 200;
        plan->reference_mask = 0;
    }
}

/* ---- picking */

static uint32_t pick_peer(struct sim_world *world)
{
    return sim_below(&world->chance, world->plan.peer_count);
}

/* A seat that is taken, in a session; false: there is none. */
static bool pick_seat(struct sim_world *world, uint32_t talk, bool wants_moderator, uint32_t *peer)
{
    for (uint32_t tries = 0; tries < 16; tries++) {
        *peer = pick_peer(world);
        const struct sim_seat *seat = sim_seat(world, talk, *peer);
        bool is_moderator = world->talks[talk].moderator == *peer;
        if (seat->is_in && world->peers[*peer].is_alive && !seat->is_closing &&
            (!is_moderator || wants_moderator)) {
            return true;
        }
    }
    return false;
}

static bool moderator_can(struct sim_world *world, uint32_t talk)
{
    const struct sim_talk *entry = &world->talks[talk];
    return entry->is_used && !entry->is_over && entry->seats[entry->moderator].is_in &&
           !entry->seats[entry->moderator].is_closing;
}

/* ---- actions */

static void act_create(struct sim_world *world)
{
    struct sim_random *chance = &world->chance;
    struct sim_plan *plan = &world->plan;
    uint32_t peer = pick_peer(world);
    uint32_t target = pick_peer(world);
    if (world->talk_count == SIM_TALKS_MAX || !world->peers[peer].is_alive || peer == target) {
        return;
    }
    struct sim_talk *talk = &world->talks[world->talk_count];
    talk->settings = (struct slim_session_settings){
        .kind = sim_chance(chance, plan->group_chance) ? SLIM_SESSION_GROUP
                                                       : SLIM_SESSION_POINT_TO_POINT,
        .is_mls = sim_chance(chance, plan->mls_chance),
        .has_timer = sim_chance(chance, plan->reliable_chance),
        .max_retries = sim_chance(chance, 150) ? 1 : sim_between(chance, 1, plan->retries_max),
        .interval_ms = sim_between(chance, plan->interval_min_ms, plan->interval_max_ms),
    };
    world->talk_count++;
    (void)sim_peer_create(world, peer, world->talk_count - 1, target);
}

static void act_publish(struct sim_world *world, uint32_t talk, uint32_t times)
{
    uint32_t peer;
    if (!pick_seat(world, talk, true, &peer)) {
        return;
    }
    for (uint32_t i = 0; i < times; i++) {
        uint32_t len = sim_chance(&world->chance, 50) ? sim_between(&world->chance, 1000, 9000)
                                                      : sim_between(&world->chance, 20, 100);
        sim_peer_publish(world, talk, peer, len, false);
    }
}

static void act_on_talk(struct sim_world *world, enum sim_action action, uint32_t talk)
{
    uint32_t peer;
    uint32_t target = pick_peer(world);
    bool is_group = world->talks[talk].settings.kind == SLIM_SESSION_GROUP;
    if (action == SIM_INVITE && is_group && moderator_can(world, talk) &&
        target != world->talks[talk].moderator) {
        sim_peer_invite(world, talk, target);
    } else if (action == SIM_REMOVE && is_group && moderator_can(world, talk) &&
               target != world->talks[talk].moderator) {
        sim_peer_remove(world, talk, target);
    } else if (action == SIM_LEAVE && pick_seat(world, talk, false, &peer)) {
        sim_peer_close(world, talk, peer);
    } else if (action == SIM_PUBLISH) {
        act_publish(world, talk, sim_between(&world->chance, 1, 3));
    } else if (action == SIM_BURST) {
        act_publish(world, talk, sim_between(&world->chance, 5, 60));
    } else if (action == SIM_DIRECT && pick_seat(world, talk, true, &peer) && target != peer) {
        sim_peer_publish_to(world, talk, peer, target);
    } else if (action == SIM_CLOSE && moderator_can(world, talk)) {
        sim_peer_close(world, talk, world->talks[talk].moderator);
    }
}

/* Is a change of a group with MLS on the way? A commit is not renewed: a clock that jumps an hour while it travels makes it expire. Our
 * moderators part with members of ours that cannot follow; those of others they cannot tell from some that are only silent. */
static bool is_changing(const struct sim_world *world)
{
    for (uint32_t i = 0; i < world->peer_count; i++) {
        for (uint32_t k = 0; k < world->talk_count && world->peers[i].is_alive; k++) {
            const struct slim_session *session =
                slim_session_find(world->peers[i].app, world->talks[k].id);
            if (session != NULL && session->is_mls && !slim_list_is_empty(&session->requests)) {
                return true;
            }
        }
    }
    return false;
}

static void act_on_world(struct sim_world *world, enum sim_action action)
{
    uint32_t peer = pick_peer(world);
    uint32_t long_ms = sim_chance(&world->chance, 100) ? world->plan.cut_max_ms : 3000;
    if (action == SIM_CREATE) {
        act_create(world);
    } else if (action == SIM_CRASH) {
        sim_peer_crash(world, peer);
    } else if (action == SIM_RESTART && !world->peers[peer].is_alive) {
        sim_peer_start(world, peer);
    } else if (action == SIM_CUT) {
        sim_network_cut(world, peer, sim_between(&world->chance, 1, long_ms));
    } else if (action == SIM_NODE_RESTART) {
        sim_network_restart_node(world, sim_below(&world->chance, world->plan.node_count),
                                 sim_between(&world->chance, 1, long_ms));
    } else if (action == SIM_CLOCK_JUMP &&
               (world->plan.reference_mask == 0 || !is_changing(world))) {
        world->clock_jump_s += sim_between(&world->chance, 1, 7200);
        sim_trace(world, "CLOCK   %" PRIu64 " s ahead", world->clock_jump_s);
    } else if (action == SIM_HOSTILE) {
        sim_hostile_act(world);
    }
}

static void act(struct sim_world *world)
{
    uint32_t total = 0;
    for (size_t i = 0; i < SIM_ACTIONS; i++) {
        total += world->plan.weights[i];
    }
    uint32_t drawn = sim_below(&world->chance, total);
    size_t action = 0;
    while (drawn >= world->plan.weights[action]) {
        drawn -= world->plan.weights[action++];
    }
    if (action >= SIM_CREATE) {
        act_on_world(world, (enum sim_action)action);
    } else if (world->talk_count > 0) {
        act_on_talk(world, (enum sim_action)action, sim_below(&world->chance, world->talk_count));
    }
}

/* ---- time */

static uint64_t next_ms(const struct sim_world *world)
{
    uint64_t next = sim_network_next_ms(world);
    for (uint32_t i = 0; i < world->peer_count; i++) {
        const struct sim_peer *peer = &world->peers[i];
        if (peer->is_alive) {
            uint64_t due_ms = peer->needs_tick ? world->now_ms : peer->due_ms;
            next = due_ms < next ? due_ms : next;
        }
    }
    return next;
}

static void settle(struct sim_world *world)
{
    for (uint32_t i = 0; i < world->peer_count && world->failure == NULL; i++) {
        struct sim_peer *peer = &world->peers[i];
        if (peer->is_alive && (peer->needs_tick || peer->due_ms <= world->now_ms)) {
            sim_peer_tick(world, peer);
        }
    }
}

/* Until `end_ms`, or something does not hold. */
static void run_until(struct sim_world *world, uint64_t end_ms)
{
    while (world->failure == NULL) {
        uint64_t next = next_ms(world);
        if (next > end_ms) {
            world->now_ms = end_ms;
            return;
        }
        world->now_ms = next > world->now_ms ? next : world->now_ms;
        while (world->failure == NULL && sim_network_next_ms(world) <= world->now_ms) {
            sim_network_step(world);
        }
        settle(world);
        sim_oracle_time(world);
        if (++world->step_count > STEPS_MAX) {
            sim_fail(world, "it never comes to rest");
        }
    }
}

/* ---- the life of a world */

static void war(struct sim_world *world)
{
    uint64_t end_ms = world->now_ms + world->plan.duration_ms;
    world->has_faults = true;
    for (uint32_t i = 0; i < world->plan.talk_count; i++) {
        act_create(world);
    }
    /* most groups fill up at once */
    for (uint32_t i = 0; i < world->talk_count; i++) {
        for (uint32_t k = 0; k < world->plan.peer_count; k++) {
            if (sim_chance(&world->chance, 600) && moderator_can(world, i) &&
                world->talks[i].settings.kind == SLIM_SESSION_GROUP &&
                k != world->talks[i].moderator) {
                sim_peer_invite(world, i, k);
            }
        }
    }
    while (world->now_ms < end_ms && world->failure == NULL &&
           world->op_count < SIM_OPS_MAX - OPS_KEPT &&
           world->message_count < SIM_MESSAGES_MAX - OPS_KEPT) {
        run_until(world, world->now_ms + 1 + sim_below(&world->chance, 2 * world->plan.gap_ms));
        if (world->failure == NULL) {
            act(world);
        }
    }
}

static uint64_t longest_patience_ms(const struct sim_world *world)
{
    uint64_t longest = 0;
    for (uint32_t i = 0; i < world->talk_count; i++) {
        const struct slim_session_settings *settings = &world->talks[i].settings;
        uint64_t own = settings->has_timer
                           ? (settings->max_retries + UINT64_C(1)) * settings->interval_ms
                           : UINT64_C(11000);
        longest = own > longest ? own : longest;
    }
    return longest;
}

/* Everybody says one thing, and all must hear it. */
static void speak(struct sim_world *world)
{
    for (uint32_t i = 0; i < world->talk_count && world->failure == NULL; i++) {
        for (uint32_t k = 0; k < world->peer_count; k++) {
            const struct sim_seat *seat = sim_seat(world, i, k);
            if (world->talks[i].is_used && seat->is_in && !seat->is_closing &&
                world->peers[k].is_alive) {
                sim_peer_publish(world, i, k, 50, false);
            }
        }
    }
}

static void check_spoken(struct sim_world *world, uint32_t first)
{
    for (uint32_t i = first; i < world->message_count; i++) {
        const struct sim_message *message = &world->messages[i];
        const struct sim_op *op = &world->ops[message->op];
        if (message->talk == SIM_TALKS_MAX) {
            continue; /* it was refused */
        }
        bool has_audience = false;
        bool is_mixed = false;
        for (uint32_t k = 0; k < world->peer_count; k++) {
            has_audience = has_audience || message->audience[k] > 0;
            is_mixed = is_mixed || sim_seat(world, message->talk, k)->is_mixed[message->sender];
        }
        if (has_audience && !is_mixed && !op->is_ok) {
            sim_fail(world, "in peace, message %u of %c (op %u) was not acknowledged", message->seq,
                     'a' + (int)message->sender, message->op);
        }
    }
}

static void close_all(struct sim_world *world)
{
    for (uint32_t i = 0; i < world->talk_count && world->failure == NULL; i++) {
        if (moderator_can(world, i)) {
            sim_peer_close(world, i, world->talks[i].moderator);
        }
    }
}

void sim_scenario_run(struct sim_world *world)
{
    for (uint32_t i = 0; i < world->plan.node_count; i++) {
        world->nodes[i].is_up = true;
    }
    world->peer_count = world->plan.peer_count;
    for (uint32_t i = 0; i < world->peer_count; i++) {
        world->peers[i].link.node = sim_below(&world->chance, world->plan.node_count);
        world->peers[i].is_reference = (world->plan.reference_mask >> i & 1) != 0;
        sim_peer_start(world, i);
    }
    if (world->plan
            .has_hostile) { /* he is an application like any other, and does more than that */
        world->peers[world->peer_count].link.node = 0;
        sim_peer_start(world, world->peer_count++);
    }
    run_until(world, world->now_ms + 200);
    war(world);
    uint64_t patience_ms = longest_patience_ms(world);
    if (world->failure == NULL) {
        sim_trace(world, "PEACE");
        sim_network_heal(world);
        run_until(world, world->now_ms + PEACE_MS + 8 * patience_ms);
    }
    if (world->failure == NULL) {
        sim_oracle_converged(world);
        sim_oracle_delivered(world);
    }
    uint32_t first = world->message_count;
    if (world->failure == NULL) {
        sim_trace(world, "SPEAK");
        speak(world);
        run_until(world, world->now_ms + patience_ms + SLIM_SESSION_BASE_WAIT_MS + 100);
        check_spoken(world, first);
        sim_oracle_delivered(world);
    }
    if (world->failure == NULL) {
        sim_trace(world, "END");
        close_all(world);
        run_until(world, world->now_ms + SLIM_SESSION_DRAIN_MS + 3 * patience_ms + 1000);
    }
    if (world->failure == NULL) {
        sim_oracle_over(world);
    }
}
