/* What an application and a session consist of. Private to src/session; session.h is what others see.
 *
 *   slim_session_app
 *     sessions    by id                      due      a heap of sessions by the time they want to be called
 *     touched     sessions to settle         events   what on_event has not been told yet
 *     half_open   not welcomed yet           over     ended sessions, freed when nothing is on the stack
 *     ended       ids of the past            seen     DISCOVERY_REQUESTs answered
 *
 * Every call of session.h is a turn: enter, change tables, leave. Only leave settles sessions, tells events and frees what is over, and only
 * the outermost one: calls that the application makes from inside on_event just change tables. */
#ifndef SLIM_SESSION_STATE_H
#define SLIM_SESSION_STATE_H

#include "base/hash.h"
#include "base/heap.h"
#include "base/list.h"
#include "session/crypt.h"
#include "session/member.h"
#include "session/receiver.h"
#include "session/sender.h"
#include "session/session.h"

/* ---- inputs of the tables: a message of a type, or something that happened here */

enum slim_session_input {
    SLIM_SESSION_ON_MSG,
    SLIM_SESSION_ON_MSG_ACK,
    SLIM_SESSION_ON_RTX_REQUEST,
    SLIM_SESSION_ON_RTX_REPLY,
    SLIM_SESSION_ON_DISCOVERY_REQUEST, /* of a controller: invite somebody */
    SLIM_SESSION_ON_DISCOVERY_REPLY,
    SLIM_SESSION_ON_JOIN_REQUEST,
    SLIM_SESSION_ON_JOIN_REPLY,
    SLIM_SESSION_ON_LEAVE_REQUEST,
    SLIM_SESSION_ON_LEAVE_REPLY,
    SLIM_SESSION_ON_GROUP_ADD,
    SLIM_SESSION_ON_GROUP_REMOVE,
    SLIM_SESSION_ON_GROUP_WELCOME,
    SLIM_SESSION_ON_GROUP_CLOSE,
    SLIM_SESSION_ON_GROUP_ACK,
    SLIM_SESSION_ON_PING,
    SLIM_SESSION_ON_OTHER,     /* GROUP_PROPOSAL, GROUP_NACK and numbers we do not know */
    SLIM_SESSION_ON_APP_CLOSE, /* slim_session_close */
    SLIM_SESSION_ON_DRAINED,   /* nothing of ours is on the way, or it took too long */
    SLIM_SESSION_ON_ANSWERED,  /* the request of this state has all its answers */
    SLIM_SESSION_ON_GIVEN_UP,  /* or will not get them */
    SLIM_SESSION_ON_ALONE,     /* moderator: nobody is left. participant: the moderator is silent */
    SLIM_SESSION_ON_WAIT_OVER, /* what this state waits for did not come */
    SLIM_SESSION_INPUT_COUNT,
};

enum slim_session_state {
    /* initiator: moderator.c */
    SLIM_SESSION_OPENING, /* point-to-point, until the peer can receive */
    SLIM_SESSION_OPEN,
    SLIM_SESSION_CLOSING_SOON, /* our messages first */
    SLIM_SESSION_CLOSING,      /* GROUP_CLOSE is on the way */
    /* responder, participant: participant.c */
    SLIM_SESSION_JOINING, /* until GROUP_WELCOME */
    SLIM_SESSION_JOINED,
    SLIM_SESSION_EXPELLED,     /* GROUP_REMOVE named us; LEAVE_REQUEST is to come */
    SLIM_SESSION_LEAVING_SOON, /* our messages first */
    SLIM_SESSION_LEAVING,      /* LEAVE_REQUEST is on the way */
    SLIM_SESSION_ENDED,
    SLIM_SESSION_STATE_COUNT,
};

/* A received message on its way through the tables; borrowed. source: the member it is from, or NULL. */
struct slim_session_incoming {
    const struct slim_wire_session_message *message;
    struct slim_view bytes;
    uint64_t conn_id;
    struct slim_session_member *source;
};

struct slim_session;

/* SLIM_OK: go on to `next`. SLIM_AGAIN: done, and the state stays. Else: it came to nothing. */
typedef enum slim_status slim_session_action(struct slim_session *session,
                                             const struct slim_session_incoming *in);

/* No action: unexpected here, counted and ignored. */
struct slim_session_cell {
    slim_session_action *action;
    enum slim_session_state next;
};

/* ---- small parts of a session */

/* A request that was answered, so that its duplicates can be (spec 8). */
struct slim_session_answer {
    int32_t type;
    uint32_t message_id;
    uint64_t conn_id;
    uint32_t duplicate_count;
    uint64_t counted_ms; /* when the last duplicate was counted, or the answer given */
    uint64_t step_ms;    /* between the first two requests */
    bool is_out_of_step;
    bool is_link_lost; /* the connection the answer went over was down since */
};

struct slim_session_answers {
    struct slim_session_answer *entries;
    uint32_t count;
    uint32_t capacity;
    uint32_t oldest; /* the one to be replaced when all are used */
};

/* A message that cannot be taken yet: of an epoch to come (is_reserved), or before the welcome. Its bytes follow. */
struct slim_session_held {
    struct slim_list node;
    uint64_t conn_id;
    uint64_t since_ms;
    uint32_t slot;
    uint32_t message_id;
    bool is_reserved;
    size_t len;
    uint8_t bytes[];
};

/* Requests that repeat: request.h. Tasks of a moderator: task.h. */
struct slim_session_request;
struct slim_session_task;

/* Liveness (ping.h). request: the PING on the way. */
struct slim_session_ping {
    uint64_t due_ms;
    uint32_t misses;     /* participant: of the moderator */
    bool is_seen;        /* participant: it was heard of */
    bool was_sent;       /* moderator: the last ping has not been evaluated */
    uint32_t message_id; /* moderator: of the last ping */
};

/* A connection over which members are reached, with the subscription and route of the channel. */
struct slim_session_link {
    uint64_t conn_id;
    bool is_used;
};

enum { SLIM_SESSION_LINKS_MAX = 16 };

struct slim_session {
    struct slim_session_app *app;
    uint32_t id;
    enum slim_session_kind kind;
    enum slim_session_state state;
    struct slim_session *next_in_bucket;
    struct slim_list touched;
    struct slim_list over;
    struct slim_list half_open;
    uint64_t due_ms;
    size_t due_index; /* in app->due */

    bool is_initiator;
    bool is_mls;
    bool has_timer;
    bool is_moderator_ours; /* participant: it said SLIM_C */
    bool is_begun;          /* the application knows of it */
    bool is_close_wanted;   /* by the application; dealt with when the session settles */
    bool is_draining;
    bool is_paused;            /* by the owner */
    bool is_writable_promised; /* publish said SLIM_AGAIN */
    uint8_t promised_count;    /* events of this session that have room */
    bool is_held_back;         /* the sender holds new messages until a commit is known */
    uint32_t max_retries;
    uint64_t interval_ms;

    struct slim_session_name source;      /* ourselves, with id */
    struct slim_session_name destination; /* as the application sees it */
    struct slim_session_name
        channel; /* where messages to all go: the group's name, or the peer's full name */
    bool has_channel;
    uint32_t self_slot;
    uint32_t peer_slot; /* the moderator at participants; the peer in point-to-point; or NO_SLOT */

    struct slim_wire_pair *metadata;
    size_t metadata_count;
    char *metadata_text;

    struct slim_session_members members;
    struct slim_session_sender *sender;
    struct slim_session_receiver *receiver;
    struct slim_session_crypt *crypt;
    struct slim_session_link links[SLIM_SESSION_LINKS_MAX];

    struct slim_list requests;
    struct slim_list tasks;
    uint32_t task_count;
    uint32_t inviting_count;   /* in discovery or join */
    uint32_t background_count; /* requests that are repeated slowly, see request.h */
    struct slim_session_answers answers;
    struct slim_list held;
    uint32_t held_count;
    size_t held_bytes;
    struct slim_session_ping ping;
    uint64_t last_activity_ms;
    uint64_t drain_until_ms;
    uint64_t quiet_until_ms;  /* draining: not over before; 0: at any time */
    uint64_t wait_until_ms;   /* UINT64_MAX: this state waits for nothing */
    uint64_t behind_since_ms; /* a commit is missing since; UINT64_MAX: none is */
    uint64_t held_back_until_ms;
    uint64_t refresh_ms;
    uint64_t path_ms; /* moderator: an invitation from then on renews its keys */
    uint64_t
        path_owed_ms; /* they are renewed then, as invitations have not; UINT64_MAX: nothing is owed */
    struct slim_buf reply; /* participant: our JOIN_REPLY, until the welcome */
    uint32_t join_id;      /* number of the JOIN_REQUEST that began it */
    struct slim_session_name
        controller; /* moderator: who made it, when that was not the application */
    uint64_t controller_conn;
    uint32_t close_id; /* its request to close, when has_close_origin, and where that came from */
    uint64_t close_conn;
    bool has_close_origin;
    uint64_t op; /* of create (point-to-point), then of close */
    bool has_op;
    const char *end_text; /* why it ends: a literal */
};

/* ---- the application */

/* An ended session whose late requests are answered (spec 12.3b). */
struct slim_session_ended {
    bool is_used;
    bool is_moderator; /* we were */
    bool is_peer_ours;
    bool has_join;
    uint32_t join_id; /* of the JOIN_REQUEST that began it */
    uint32_t session_id;
    int32_t session_type;
    uint64_t until_ms;
    uint64_t interval_ms;
    struct slim_name_key moderator;
    struct slim_session_answer answer; /* type 0: none was given */
};

/* A DISCOVERY_REQUEST that was answered. */
struct slim_session_seen {
    uint32_t session_id;
    struct slim_name_key source;
    struct slim_session_answer answer;
};
enum { SLIM_SESSION_SEEN_MAX = 256 };

/* An event that waits to be told. text is of the heap when is_owned. */
struct slim_session_waiting_event {
    struct slim_session_event event;
    char *owned_text;
};

/* What the credential that was read last said. A new member's is asked for by MLS and by us, in a row. token empty: nothing. */
struct slim_session_last_credential {
    struct slim_buf token;
    struct slim_buf subject;
    struct slim_buf public_key;
    uint64_t read_s;
    bool is_any_age; /* its time was not looked at */
};

struct slim_session_app {
    struct slim_heap *heap;
    struct slim_session_app_options options;
    struct slim_session_owner owner;
    struct slim_session_name name;
    struct slim_name_key *owned;
    size_t owned_count;
    struct slim_hash_key key;
    uint64_t now_ms;
    uint32_t depth; /* calls of session.h on the stack */

    struct slim_session **buckets;
    uint32_t bucket_count;
    uint32_t session_count;
    struct slim_session **due; /* binary heap; as many as sessions */
    uint32_t due_capacity;

    struct slim_list touched;
    struct slim_list over;
    struct slim_list half_open;
    uint32_t half_open_count;

    struct slim_session_waiting_event *events;
    size_t event_first;
    size_t event_end;
    size_t event_capacity;
    size_t event_reserved; /* promised: operations that are open, and what each session may say */

    struct slim_session_ended *ended; /* SLIM_SESSION_ENDED_MAX, made when the first session ends */
    uint32_t ended_next;
    struct slim_session_seen *seen;
    uint32_t seen_next;

    size_t early_bytes; /* messages kept before their welcomes */

    struct slim_buf out;     /* the message that is sent */
    struct slim_buf opened;  /* plaintext of the message that was opened */
    struct slim_buf scratch; /* metadata that is published */
    struct slim_buf
        stripped; /* metadata that is delivered: the application may publish meanwhile */
    struct slim_session_stats stats;

    struct slim_mls_profile profile;
    struct slim_mls_client *mls;
    struct slim_mls_buf private_key; /* of `mls`, while its first credential is being fetched */
    struct slim_mls_buf public_key;
    uint64_t credential_ms; /* when its token was made */
    uint64_t credential_s;  /* and by the clock on the wall, which may jump */
    struct slim_session_last_credential last;
};

/* ---- app.c */

struct slim_session *slim_session_find(const struct slim_session_app *app, uint32_t id);
bool slim_session_app_owns(const struct slim_session_app *app, const struct slim_name_key *name);
void slim_session_app_enter(struct slim_session_app *app, uint64_t now_ms);
void slim_session_app_leave(struct slim_session_app *app);
uint32_t slim_session_app_random(struct slim_session_app *app);

/* Put a session into the tables: it counts, is found and is due. SLIM_ERR_NO_MEMORY, SLIM_ERR_LIMIT. Out of them again. */
SLIM_MUST_CHECK enum slim_status slim_session_app_put(struct slim_session_app *app,
                                                      struct slim_session *session);
void slim_session_app_drop(struct slim_session_app *app, struct slim_session *session);

/* The session wants to be called at due_ms or before. wake: not later than that; touch: at the end of this turn. */
void slim_session_wake(struct slim_session *session, uint64_t due_ms);
void slim_session_set_due(struct slim_session *session, uint64_t due_ms);
void slim_session_touch(struct slim_session *session);

/* ---- event.c */

/* Promise `count` events that need no memory when they come. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_session_events_reserve(struct slim_session_app *app,
                                                             size_t count);
void slim_session_events_release(struct slim_session_app *app, size_t count);

/* Tell later; uses up one promise. text is copied (when there is memory for it), or NULL. A problem needs no promise and is dropped when
 * memory is short. */
void slim_session_put_event(struct slim_session_app *app, enum slim_session_event_kind kind,
                            uint32_t session_id, uint64_t op, enum slim_status status,
                            const char *text);
void slim_session_complete(struct slim_session_app *app, uint32_t session_id, uint64_t op,
                           enum slim_status status, const char *text);
void slim_session_problem(struct slim_session *session, const char *format, ...) SLIM_PRINTF(2, 3);

/* Tell the first one that waits; false: none does. */
bool slim_session_tell_event(struct slim_session_app *app);
void slim_session_events_free(struct slim_session_app *app);

/* ---- secure.c: the application's MLS client, and MLS as sessions use it */

/* Ready with a credential that is fresh enough. SLIM_AGAIN: its token cannot be had now. */
SLIM_MUST_CHECK enum slim_status slim_session_app_secure(struct slim_session_app *app);
void slim_session_app_secure_free(struct slim_session_app *app);
SLIM_MUST_CHECK enum slim_status slim_session_secure(struct slim_session *session);

/* ---- session.c: what both roles have in common */

/* A session without members, in the tables. source: our name in it. SLIM_ERR_NO_MEMORY, SLIM_ERR_LIMIT. */
SLIM_MUST_CHECK enum slim_status slim_session_new(struct slim_session_app *app, uint32_t id,
                                                  const struct slim_session_settings *settings,
                                                  const struct slim_wire_name *source,
                                                  const struct slim_wire_name *destination,
                                                  enum slim_session_state state,
                                                  struct slim_session **session);

/* Over: out of the tables, channel and routes given back, all operations completed, CLOSED told; freed at the end of the turn.
 * text: a literal. */
void slim_session_end(struct slim_session *session, const char *text);

/* As slim_session_end without a word to anybody, and freed at once. For slim_session_app_free. */
void slim_session_free(struct slim_session *session);

/* Put an input into the table of the session's role. */
void slim_session_input(struct slim_session *session, enum slim_session_input input,
                        const struct slim_session_incoming *in);

/* A message of a known session. */
void slim_session_take(struct slim_session *session, struct slim_session_incoming *in);

/* At the end of a turn in which it was touched, and when it is due. */
void slim_session_settle(struct slim_session *session);
void slim_session_tick(struct slim_session *session);

/* A member can receive: to sender and receiver. It no longer can: out of both, and of all requests. */
SLIM_MUST_CHECK enum slim_status slim_session_admit_source(struct slim_session *session,
                                                           struct slim_session_member *member,
                                                           bool from_start);
SLIM_MUST_CHECK enum slim_status slim_session_admit_receiver(struct slim_session *session,
                                                             struct slim_session_member *member);
void slim_session_dismiss(struct slim_session *session, struct slim_session_member *member);

/* Routes and the channel (spec 15). */
void slim_session_route(struct slim_session *session, struct slim_session_member *member,
                        uint64_t conn_id);
void slim_session_unroute(struct slim_session *session, struct slim_session_member *member);
void slim_session_open_channel(struct slim_session *session, uint64_t conn_id);
void slim_session_close_channel(struct slim_session *session);

/* Requests that were answered (spec 8). find: the answer to a request like this one, NULL: it is new. note: it was answered now; without
 * memory its duplicate will be taken for new. */
struct slim_session_answer *slim_session_find_answer(struct slim_session *session,
                                                     const struct slim_session_incoming *in);
void slim_session_note_answer(struct slim_session *session, const struct slim_session_incoming *in);
/* A duplicate came by conn_id: shall it be answered again? interval_ms: how far apart repetitions are, 0: not known; what comes much sooner
 * or later is a copy that the network made or kept. */
bool slim_session_deserves_answer(struct slim_session_answer *answer, uint64_t now_ms,
                                  uint64_t interval_ms, uint64_t conn_id, bool is_peer_ours,
                                  bool is_channel_wide);

/* How long a request of this session is repeated, within SLIM_SESSION_PATIENCE_MAX_MS. */
uint64_t slim_session_patience_ms(const struct slim_session *session);

/* Begin to drain: at most SLIM_SESSION_DRAIN_MS. must_be_quiet: whoever will hear of the end is of the reference, and must not be in the middle of
 * a message then. heard: a message came. */
void slim_session_drain(struct slim_session *session, bool must_be_quiet);
void slim_session_drain_heard(struct slim_session *session);
bool slim_session_is_drained(const struct slim_session *session);

/* ---- data.c: messages of the application */

enum slim_status slim_session_on_msg(struct slim_session *session,
                                     const struct slim_session_incoming *in);
enum slim_status slim_session_on_msg_ack(struct slim_session *session,
                                         const struct slim_session_incoming *in);
enum slim_status slim_session_on_rtx_request(struct slim_session *session,
                                             const struct slim_session_incoming *in);
enum slim_status slim_session_on_rtx_reply(struct slim_session *session,
                                           const struct slim_session_incoming *in);
/* Keep a message from before the welcome, and take those kept when it has come. */
enum slim_status slim_session_keep_early(struct slim_session *session,
                                         const struct slim_session_incoming *in);
void slim_session_take_early(struct slim_session *session);
/* Epochs have passed, or the time has: open what was held, give up what is too old. */
void slim_session_open_held(struct slim_session *session);
void slim_session_expire_held(struct slim_session *session);
void slim_session_held_free(struct slim_session *session);
SLIM_MUST_CHECK enum slim_status slim_session_data_new(struct slim_session *session);

/* ---- moderator.c, participant.c */

extern const struct slim_session_cell slim_session_moderator_table[SLIM_SESSION_STATE_COUNT]
                                                                  [SLIM_SESSION_INPUT_COUNT];
extern const struct slim_session_cell slim_session_participant_table[SLIM_SESSION_STATE_COUNT]
                                                                    [SLIM_SESSION_INPUT_COUNT];

void slim_session_moderator_settle(struct slim_session *session);

/* JOIN_REQUEST for a session that is not there. */
void slim_session_participant_begin(struct slim_session_app *app,
                                    const struct slim_session_incoming *in);

/* A session that ended: late requests. */
void slim_session_take_late(struct slim_session_app *app, const struct slim_session_incoming *in);
void slim_session_note_ended(struct slim_session *session);
/* A JOIN_REQUEST that we followed once, in a session that has ended. */
bool slim_session_is_late_join(struct slim_session_app *app,
                               const struct slim_session_incoming *in);

#endif
