/* A world of applications with sessions, on a bad network, in virtual time: everything follows from one seed.
 *
 *   scenario.c   what happens, drawn from the seed          peer.c       applications: the owners of sessions
 *   network.c    nodes, links, packets and their faults     oracle.c     what must always hold
 *   reference.c  members that behave like the reference     hostile.c    somebody with a token and bad intentions
 *   main.c       seeds one after the other, traces
 *
 * No thread, no socket, no clock. The same seed gives the same world, event by event. */
#ifndef SLIM_TESTS_SIM_SIM_H
#define SLIM_TESTS_SIM_SIM_H

#include <inttypes.h>
#include <stdio.h>

#include "base/list.h"
#include "session/request.h"
#include "session/session.h"
#include "session/state.h"

enum {
    SIM_PEERS_MAX = 9, /* the last one is the hostile */
    SIM_NODES_MAX = 3,
    SIM_TALKS_MAX = 6,
    SIM_OPS_MAX = 8192,
    SIM_MESSAGES_MAX = 8192,
    SIM_NAMES_MAX = 64,
    SIM_CONN = 7, /* every application has one connection */
    SIM_TEXT_MAX = 160,
    SIM_KEPT_MAX = 64, /* packets that the hostile remembers */
};

/* ---- chance */

struct sim_random {
    uint64_t state;
};
uint64_t sim_draw(struct sim_random *random);
uint32_t sim_below(struct sim_random *random, uint32_t end); /* 0 .. end - 1; 0 when end is 0 */
uint32_t sim_between(struct sim_random *random, uint32_t low, uint32_t high);
bool sim_chance(struct sim_random *random, uint32_t per_mille);

/* ---- what the seed decides */

struct sim_faults {
    uint32_t loss; /* per mille, per hop */
    uint32_t duplication;
    uint32_t reordering;
    uint32_t reorder_ms; /* at most, so much later */
    uint32_t latency_ms;
    uint32_t jitter_ms;
};

/* What an action is drawn by. */
enum sim_action {
    SIM_INVITE,
    SIM_REMOVE,
    SIM_LEAVE,
    SIM_PUBLISH,
    SIM_BURST,
    SIM_DIRECT,
    SIM_CLOSE,
    SIM_CREATE,
    SIM_CRASH,
    SIM_RESTART,
    SIM_CUT,
    SIM_NODE_RESTART,
    SIM_CLOCK_JUMP,
    SIM_HOSTILE,
    SIM_ACTIONS,
};

struct sim_plan {
    uint32_t peer_count;
    uint32_t node_count;
    uint32_t talk_count;
    uint32_t duration_ms;
    uint32_t gap_ms;
    uint32_t weights[SIM_ACTIONS];
    struct sim_faults faults;
    uint32_t mls_chance;
    uint32_t group_chance;
    uint32_t reliable_chance;
    uint32_t interval_min_ms;
    uint32_t interval_max_ms;
    uint32_t retries_max;
    uint32_t cut_max_ms;
    bool has_fallback; /* nodes of 1.0.0: an unknown id goes to the only connection of the name */
    bool is_chatty;    /* applications answer from inside on_event */
    bool has_hostile;
    uint32_t reference_mask; /* peers that behave like the reference */
};

/* ---- the network */

enum sim_packet_kind {
    SIM_TO_NODE,   /* from an application */
    SIM_TO_PEER,   /* to an application */
    SIM_BETWEEN,   /* from node to node */
    SIM_SUBSCRIBE, /* to a node */
    SIM_UNSUBSCRIBE,
    SIM_ERROR,  /* the engine of the application could not send it */
    SIM_LINKED, /* a link is back */
    SIM_NODE_UP,
};

struct sim_packet {
    uint64_t due_ms;
    uint64_t order;
    enum sim_packet_kind kind;
    uint32_t peer; /* the application it comes from or goes to */
    uint32_t node;
    uint64_t link_epoch;
    bool is_error_down;
    struct slim_name_key name;
    size_t len;
    uint8_t bytes[];
};

struct sim_subscription {
    struct slim_name_key name;
    uint32_t peer;
    uint64_t since_ms;
};

struct sim_node {
    bool is_up;
    struct sim_subscription subscriptions[SIM_NAMES_MAX * 4];
    size_t count;
};

struct sim_link {
    uint32_t node;
    bool is_up;
    uint64_t epoch; /* grows with each cut */
    uint64_t last_up_ms;
    uint64_t last_down_ms;
};

/* ---- applications and what they know */

struct sim_counted_name {
    struct slim_name_key name;
    uint32_t count;
};

struct sim_world;

struct sim_peer {
    struct sim_world *world;
    uint32_t index;
    uint32_t incarnation;
    bool is_alive;
    bool is_reference;
    bool is_hostile;
    char base_text[8];
    char token_text[16];
    struct slim_wire_name name; /* with id */
    struct slim_session_app *app;
    struct sim_link link;
    uint64_t due_ms;
    bool needs_tick;
    uint32_t idle_ticks;
    uint64_t idle_since_ms;
    uint64_t activity; /* sends and events */
    struct sim_counted_name routes[SIM_NAMES_MAX];
    struct sim_counted_name subscriptions[SIM_NAMES_MAX];
    /* reference: the request repeated to the channel in this millisecond */
    uint32_t repeated_id;
    uint64_t repeated_ms;
};

/* One member's part in one session. instance 0: never was in it. */
struct sim_seat {
    bool is_in;
    bool is_closing;
    uint32_t instance;
    uint32_t peer_incarnation;
    uint64_t begun_ms;
    uint64_t removed_ms; /* when the moderator was told that it is out; 0 never */
    uint32_t first_seq[SIM_PEERS_MAX];
    uint32_t last_seq[SIM_PEERS_MAX];
    bool is_heard[SIM_PEERS_MAX];
    uint32_t heard_instance[SIM_PEERS_MAX]; /* the newest membership of it that was heard of */
    /* its member list, as seen after every step */
    uint32_t
        listed[SIM_PEERS_MAX]; /* instance of that member when it was listed + 1, 0: not listed */
    uint32_t dropped[SIM_PEERS_MAX]; /* instance that was taken off the list */
    bool is_mixed[SIM_PEERS_MAX];    /* messages of a former membership came into its new one */
};

struct sim_talk {
    bool is_used;
    bool is_over; /* the moderator has ended it */
    uint32_t id;
    uint32_t moderator;
    uint32_t moderator_incarnation;
    struct slim_session_settings settings;
    char channel_text[16];
    struct sim_seat seats[SIM_PEERS_MAX];
    uint32_t next_seq[SIM_PEERS_MAX];
    uint32_t open_changes; /* invitations and removals that are not complete */
};

enum sim_op_kind { SIM_OP_CREATE, SIM_OP_INVITE, SIM_OP_REMOVE, SIM_OP_PUBLISH, SIM_OP_CLOSE };

struct sim_op {
    enum sim_op_kind kind;
    uint32_t peer;
    uint32_t incarnation;
    uint32_t talk;
    uint32_t target;
    uint32_t message;
    uint64_t issued_ms;
    uint64_t deadline_ms; /* UINT64_MAX: with its session */
    bool is_open;
    bool is_complete;
    bool is_ok;
};

struct sim_message {
    uint32_t talk;
    uint32_t sender;
    uint32_t sender_incarnation;
    uint32_t sender_instance;
    uint32_t seq;
    uint32_t op;
    uint64_t published_ms;
    bool is_direct;
    bool is_echo;
    bool is_for_dead; /* somebody of the audience was gone already, and the sender did not know */
    uint32_t target;
    size_t len;
    uint32_t audience[SIM_PEERS_MAX]; /* instance of each receiver + 1; 0: not meant for it */
    uint64_t told_ms[SIM_PEERS_MAX];
    uint32_t banned[SIM_PEERS_MAX];    /* instance that the sender had removed before + 1 */
    uint32_t delivered[SIM_PEERS_MAX]; /* instance that got it + 1 */
};

struct sim_kept {
    uint32_t to;
    size_t len;
    uint8_t *bytes;
};

struct sim_world {
    uint64_t seed;
    struct sim_plan plan;
    struct sim_random chance;  /* of the scenario */
    struct sim_random network; /* of faults */
    struct sim_random keys;    /* of the applications */
    uint64_t now_ms;
    uint64_t clock_jump_s;
    bool is_tracing;
    bool has_faults;
    bool has_cuts; /* some link was down at some time */
    uint64_t last_cut_ms;
    const char *failure; /* what did not hold; NULL while all is well */
    char failure_text[400];

    struct sim_peer peers[SIM_PEERS_MAX];
    uint32_t peer_count; /* the hostile included */
    struct sim_node nodes[SIM_NODES_MAX];
    struct sim_packet **packets; /* a heap by due_ms, order */
    size_t packet_count;
    size_t packet_capacity;
    uint64_t next_order;

    struct sim_talk talks[SIM_TALKS_MAX];
    uint32_t talk_count;
    struct sim_op *ops;
    uint32_t op_count;
    uint32_t first_open_op;
    struct sim_message *messages;
    uint32_t message_count;
    struct sim_kept kept[SIM_KEPT_MAX];
    uint32_t kept_next;
    bool is_injecting;

    uint64_t step_count;
    uint64_t sent_count;
    uint64_t lost_count;
    uint64_t delivered_count;
};

/* ---- main.c */

void sim_trace(struct sim_world *world, const char *format, ...) SLIM_PRINTF(2, 3);
/* The first failure stays. */
void sim_fail(struct sim_world *world, const char *format, ...) SLIM_PRINTF(2, 3);
const char *sim_type_name(int32_t type);

/* ---- network.c */

void sim_network_put(struct sim_world *world, uint32_t peer, struct slim_view msg);
void sim_network_subscribe(struct sim_world *world, uint32_t peer, const struct slim_name_key *name,
                           bool is_add);
void sim_network_error(struct sim_world *world, uint32_t peer, struct slim_view msg, bool is_down);
void sim_network_attach(struct sim_world *world, uint32_t peer);
void sim_network_detach(struct sim_world *world, uint32_t peer);
void sim_network_cut(struct sim_world *world, uint32_t peer, uint32_t back_after_ms);
void sim_network_restart_node(struct sim_world *world, uint32_t node, uint32_t back_after_ms);
void sim_network_heal(struct sim_world *world);
/* At most so long from a request to its answer, when nothing is lost. */
uint64_t sim_network_round_trip_ms(const struct sim_world *world);
uint64_t sim_network_next_ms(const struct sim_world *world);
void sim_network_step(struct sim_world *world);
void sim_network_fini(struct sim_world *world);

/* ---- peer.c */

void sim_peer_start(struct sim_world *world, uint32_t index);
void sim_peer_crash(struct sim_world *world, uint32_t index);
void sim_peer_take(struct sim_world *world, uint32_t index, struct slim_view msg);
void sim_peer_tick(struct sim_world *world, struct sim_peer *peer);
struct slim_wire_name sim_name(const char *text, unsigned __int128 id);
uint64_t sim_peer_id(uint32_t index, uint32_t incarnation);
/* The peer with this full name; SIM_PEERS_MAX: none. */
uint32_t sim_peer_of(const struct sim_world *world, const struct slim_name_key *name);

bool sim_peer_create(struct sim_world *world, uint32_t peer, uint32_t talk, uint32_t target);
void sim_peer_invite(struct sim_world *world, uint32_t talk, uint32_t target);
void sim_peer_remove(struct sim_world *world, uint32_t talk, uint32_t target);
void sim_peer_publish(struct sim_world *world, uint32_t talk, uint32_t peer, size_t len,
                      bool is_echo);
void sim_peer_publish_to(struct sim_world *world, uint32_t talk, uint32_t peer, uint32_t target);
void sim_peer_close(struct sim_world *world, uint32_t talk, uint32_t peer);

/* ---- oracle.c */

uint32_t sim_oracle_op(struct sim_world *world, enum sim_op_kind kind, uint32_t peer, uint32_t talk,
                       uint32_t target);
uint32_t sim_oracle_message(struct sim_world *world, uint32_t talk, uint32_t peer, uint32_t op,
                            size_t len);
/* It was refused. */
void sim_oracle_undo(struct sim_world *world, uint32_t op);
void sim_oracle_event(struct sim_world *world, struct sim_peer *peer,
                      const struct slim_session_event *event);
void sim_oracle_lists(struct sim_world *world, struct sim_peer *peer);
void sim_oracle_crashed(struct sim_world *world, uint32_t peer);
void sim_oracle_time(struct sim_world *world);
void sim_oracle_converged(struct sim_world *world);
void sim_oracle_delivered(struct sim_world *world);
void sim_oracle_over(struct sim_world *world);
struct sim_seat *sim_seat(struct sim_world *world, uint32_t talk, uint32_t peer);
uint32_t sim_talk_of(const struct sim_world *world, uint32_t session_id);

/* ---- reference.c: what a reference peer sends and takes; false: it does not go out. `message` is changed. */
bool sim_reference_sends(struct sim_world *world, struct sim_peer *peer,
                         struct slim_wire_session_message *message);
void sim_reference_takes(struct sim_world *world, struct sim_peer *peer,
                         struct slim_wire_session_message *message);

/* ---- hostile.c */

void sim_hostile_keep(struct sim_world *world, uint32_t to, struct slim_view msg);
/* Somebody on the way breaks the seal of a message of a session with MLS. True: `message` is changed; its views last until the next call. */
bool sim_hostile_breaks(struct sim_world *world, uint32_t to,
                        struct slim_wire_session_message *message);
void sim_hostile_act(struct sim_world *world);
void sim_hostile_fini(struct sim_world *world);

/* ---- scenario.c */

void sim_scenario_plan(struct sim_world *world);
/* The whole life of a world. */
void sim_scenario_run(struct sim_world *world);

#endif
