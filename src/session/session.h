/* Sessions (spec session.md): point-to-point and group, as initiator or responder, moderator or participant.
 *
 *   received Publish ---> slim_session_app_take ---> a session's table (state, event) -> (action, next state)
 *   the application  ---> slim_session_invite, _publish ...                     |
 *   the time         ---> slim_session_app_tick                                 v
 *                                            owner: send, route, subscribe; on_event (message, completion, session, closed)
 *
 * An application (slim_session_app) is one identity under one name and owns all its sessions; sessions are named by their 32-bit ids. No
 * I/O, no clock, no randomness: the owner hands all of it in, and the simulator is an owner like the engine. One thread.
 *
 * Callbacks are called from inside the functions of this header. From inside `on_event` the application's calls (publish, invite,
 * close ...) are allowed; slim_session_app_take, _take_error, _tick, _lost_link and _free are not, and neither is anything from
 * inside `send`, `route`, `subscribe` and the callbacks of identity: what an engine reports from inside `send` is kept by the owner and told
 * afterwards with slim_session_app_take_error.
 *
 * Every operation that is accepted (SLIM_OK) ends with exactly one SLIM_SESSION_COMPLETED event with its `op`, whatever happens. */
#ifndef SLIM_SESSION_SESSION_H
#define SLIM_SESSION_SESSION_H

#include "base/buf.h"
#include "base/name.h"
#include "base/status.h"
#include "mls/profile.h"
#include "session/limits.h"
#include "wire/session_message.h"

struct slim_session_app;

enum slim_session_kind {
    SLIM_SESSION_POINT_TO_POINT,
    SLIM_SESSION_GROUP,
};

/* How MSG payloads are treated in a session with MLS (mls.md 9).
 * REQUIRED   sealed; what comes in clear is refused
 * PLAINTEXT  as release 1.0.0: MLS is negotiated and nothing is sealed; what comes sealed is opened. Every session says so in a
 *            SLIM_SESSION_PROBLEM event when it begins */
enum slim_session_protection {
    SLIM_SESSION_PROTECTION_REQUIRED,
    SLIM_SESSION_PROTECTION_PLAINTEXT,
};

/* has_timer   reliable: messages are acknowledged and repeated max_retries times every interval_ms. Without it: unreliable
 * metadata    of the session: told to everybody who joins. Borrowed. */
struct slim_session_settings {
    enum slim_session_kind kind;
    bool is_mls;
    bool has_timer;
    uint32_t max_retries;
    uint64_t interval_ms;
    const struct slim_wire_pair *metadata;
    size_t metadata_count;
};

/* What the application publishes. payload_type empty: "msg". Borrowed. */
struct slim_session_payload {
    struct slim_view payload_type;
    struct slim_view blob;
    const struct slim_wire_pair *metadata;
    size_t metadata_count;
};

/* ---- events */

enum slim_session_event_kind {
    SLIM_SESSION_COMPLETED, /* op, status, text (status is not SLIM_OK: the reference's text, spec 14.1) */
    SLIM_SESSION_BEGUN,    /* somebody has made us a member: session_id and slim_session_app_info */
    SLIM_SESSION_MESSAGE,  /* message */
    SLIM_SESSION_PROBLEM,  /* text: something the reader of the session must know (spec 14.2) */
    SLIM_SESSION_WRITABLE, /* publish said SLIM_AGAIN and would no longer */
    SLIM_SESSION_CLOSED, /* the session is gone: its id means nothing any more. text: why, for people */
};

/* A received message. All borrowed for the length of the callback.
 * destination   the channel, or our own name when it was sent, repeated or re-sent to us alone
 * metadata      without keys of the protocol, except PUBLISH_TO
 * is_sealed     it came under MLS */
struct slim_session_message {
    const struct slim_wire_name *source;
    const struct slim_wire_name *destination;
    uint32_t message_id;
    uint64_t conn_id;
    struct slim_view payload_type;
    struct slim_view blob;
    struct slim_wire_metadata metadata;
    struct slim_view identity;
    bool is_sealed;
};

struct slim_session_event {
    enum slim_session_event_kind kind;
    uint32_t session_id;
    uint64_t op;
    enum slim_status status;
    const char *text;
    const struct slim_session_message *message;
};

/* ---- the owner */

/* The identity of the application. Statuses are those of auth/auth.h; SLIM_AGAIN means not now (keys are being fetched).
 * token              for the header of a message; borrowed until the next call
 * check              may a message with this token come from `source`? Called once for each received Publish, before all else
 * is_source          does the identity `subject` of an MLS credential speak for `name`?
 * make_credential    a token that names an MLS signature key (32 bytes), appended
 * read_credential    as verify_token of struct slim_mls_profile */
struct slim_session_identity {
    enum slim_status (*token)(void *ctx, struct slim_view *token);
    enum slim_status (*check)(void *ctx, struct slim_view token,
                              const struct slim_name_key *source);
    bool (*is_source)(void *ctx, struct slim_view subject, const struct slim_name_key *name);
    enum slim_status (*make_credential)(void *ctx, const uint8_t *key, struct slim_buf *token);
    enum slim_status (*read_credential)(void *ctx, struct slim_view token, bool any_age,
                                        struct slim_mls_claims *claims, struct slim_error *error);
};

/* send        a Publish for the engine (its header's forward_to counts); borrowed
 * route       everything for `name` goes by connection `conn_id`, or no longer does. Each add is undone by one remove
 * subscribe   tell the connection that `name` is ours, or no longer is; the same counting
 * now_s       seconds since 1970
 * random      fills `out`; cannot fail */
struct slim_session_owner {
    void *ctx;
    void (*send)(void *ctx, struct slim_view msg);
    void (*route)(void *ctx, const struct slim_wire_name *name, uint64_t conn_id, bool is_add);
    void (*subscribe)(void *ctx, const struct slim_wire_name *name, uint64_t conn_id, bool is_add);
    void (*on_event)(void *ctx, const struct slim_session_event *event);
    uint64_t (*now_s)(void *ctx);
    void (*random)(void *ctx, void *out, size_t len);
    struct slim_session_identity identity;
};

/* ---- the application */

/* name              its own name with its application id (copied)
 * can_send, can_receive   direction-restricted applications (spec 9.8)
 * session_limit     sessions at a time; 0: SLIM_SESSION_SESSIONS_MAX
 * has_plain_adds    commits that add carry no path, as the reference's (mls.md 8.4)
 * refuses_controller   do not let controller/controller/controller make and change groups through us (spec 4.9) */
struct slim_session_app_options {
    struct slim_wire_name name;
    bool can_send;
    bool can_receive;
    uint32_t session_limit;
    enum slim_session_protection protection;
    bool has_plain_adds;
    bool refuses_controller;
};

/* Why received messages came to nothing. */
struct slim_session_stats {
    uint64_t received;
    uint64_t malformed;       /* not a Publish that can be read, or without what its type needs */
    uint64_t unauthenticated; /* token refused */
    uint64_t unauthorised;    /* from somebody who may not say that */
    uint64_t unknown_session;
    uint64_t unexpected; /* stale, surplus or senseless in this state */
    uint64_t duplicates; /* acknowledged again, not delivered */
    uint64_t beyond_window;
    uint64_t undecryptable;     /* forged, or of a forgotten epoch */
    uint64_t refused_plaintext; /* in clear in a session that requires MLS */
    uint64_t limit;             /* a bound of limits.h */
    uint64_t unread;            /* the owner has paused the session: the sender keeps it */
    uint64_t delivered;
    uint64_t repeated; /* our own repetitions */
    uint64_t lost;     /* numbers that never came */
};

/* The callbacks are copied. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status
slim_session_app_new(const struct slim_session_app_options *options,
                     const struct slim_session_owner *owner, struct slim_session_app **app);

/* Ends everything at once and silently: no messages, no events. Close sessions first. NULL is allowed. */
void slim_session_app_free(struct slim_session_app *app);

/* Names that are ours besides the first (spec 1.3); the id does not count. SLIM_ERR_NO_MEMORY, SLIM_ERR_LIMIT. */
SLIM_MUST_CHECK enum slim_status slim_session_app_own(struct slim_session_app *app,
                                                      const struct slim_wire_name *name);
void slim_session_app_disown(struct slim_session_app *app, const struct slim_wire_name *name);

/* A Publish that came in by `conn_id`; borrowed. Bad ones are counted. */
void slim_session_app_take(struct slim_session_app *app, uint64_t now_ms, uint64_t conn_id,
                           struct slim_view msg);

/* A message of ours that the engine could not send on (spec 14.3).
 * failure   NO_ROUTE: nobody has that name; LINK_DOWN: its connection is away for now, which time mends
 * text      what the engine says: "no matching found for ..." */
enum slim_session_failure {
    SLIM_SESSION_NO_ROUTE,
    SLIM_SESSION_LINK_DOWN,
};
void slim_session_app_take_error(struct slim_session_app *app, uint64_t now_ms,
                                 enum slim_session_failure failure, uint32_t session_id,
                                 int32_t session_message_type, uint32_t message_id,
                                 const char *text);

/* This connection was down: answers sent over it may be lost, so duplicates of their requests are answered (spec 8). */
void slim_session_app_lost_link(struct slim_session_app *app, uint64_t conn_id);

/* Do what is due; returns when to call again (UINT64_MAX: not before something happens). Never earlier than now_ms + 1. */
uint64_t slim_session_app_tick(struct slim_session_app *app, uint64_t now_ms);

const struct slim_session_stats *slim_session_app_stats(const struct slim_session_app *app);

/* ---- operations. Times are monotonic. `op` comes back in the SLIM_SESSION_COMPLETED event, which may come from inside the call.
 * SLIM_ERR_NOT_FOUND: no such session. SLIM_ERR_LIMIT, SLIM_ERR_NO_MEMORY. Other than SLIM_OK: no event comes; *error has the sentence. */

/* Begin a session with `destination`: a peer (complete when it has joined; when that fails the session is gone, without CLOSED), or a channel
 * (complete at once). session_id is drawn, or the one
 * wanted (UINT32_MAX: draw). SLIM_ERR_EXISTS "session id already used: <id>", SLIM_ERR_ARGUMENT "invalid session id: <id>". */
SLIM_MUST_CHECK enum slim_status
slim_session_app_create(struct slim_session_app *app, uint64_t now_ms,
                        const struct slim_session_settings *settings,
                        const struct slim_wire_name *destination, uint32_t wanted_id, uint64_t op,
                        uint32_t *session_id, struct slim_error *error);

/* Moderators of groups. An invitation is complete when the member can receive; a removal when it has been told and the others know.
 * SLIM_ERR_DENIED: "only initiator can modify participants", "cannot invite participant to point-to-point session". */
SLIM_MUST_CHECK enum slim_status slim_session_app_invite(struct slim_session_app *app,
                                                         uint64_t now_ms, uint32_t session_id,
                                                         const struct slim_wire_name *name,
                                                         uint64_t op, struct slim_error *error);
SLIM_MUST_CHECK enum slim_status slim_session_app_remove(struct slim_session_app *app,
                                                         uint64_t now_ms, uint32_t session_id,
                                                         const struct slim_wire_name *name,
                                                         uint64_t op, struct slim_error *error);

/* To everybody; complete when all who are members now have it (reliable), or when it was sent. SLIM_AGAIN: the window is full: publish again
 * after SLIM_SESSION_WRITABLE. SLIM_ERR_STATE: "session is draining - drop message", "session sender is shutdown, cannot send messages". */
SLIM_MUST_CHECK enum slim_status
slim_session_app_publish(struct slim_session_app *app, uint64_t now_ms, uint32_t session_id,
                         const struct slim_session_payload *payload, uint64_t op,
                         struct slim_error *error);

/* To one member (full name), unordered; in a point-to-point session as slim_session_publish. SLIM_ERR_NOT_FOUND: it is no member. */
SLIM_MUST_CHECK enum slim_status
slim_session_app_publish_to(struct slim_session_app *app, uint64_t now_ms, uint32_t session_id,
                            const struct slim_wire_name *member,
                            const struct slim_session_payload *payload, uint64_t op,
                            struct slim_error *error);

/* End it: a moderator closes the group for all, a participant leaves. What was published is delivered first, for at most
 * SLIM_SESSION_DRAIN_MS. SLIM_ERR_STATE: "session already closed": it is ending already. The event CLOSED comes before the completion. */
SLIM_MUST_CHECK enum slim_status slim_session_app_close(struct slim_session_app *app,
                                                        uint64_t now_ms, uint32_t session_id,
                                                        uint64_t op, struct slim_error *error);

/* The owner has no room for more messages of this session, or has again. Meanwhile new ones of reliable sessions are neither taken nor
 * acknowledged: their senders repeat them, and give up as if we were away. Unreliable ones, and
 * those that were asked for as they are missing in front of others, come as ever. No such session: nothing. */
void slim_session_app_pause(struct slim_session_app *app, uint32_t session_id, bool is_paused);

/* ---- looking. Borrowed until the next call that is not looking. */

struct slim_session_info {
    uint32_t session_id;
    struct slim_session_settings settings;
    bool is_initiator;
    bool is_active; /* messages can be exchanged */
    bool is_draining;
    const struct slim_wire_name *source;
    const struct slim_wire_name *destination;
    size_t member_count;
    uint64_t mls_epoch;
};

/* SLIM_ERR_NOT_FOUND. */
SLIM_MUST_CHECK enum slim_status slim_session_app_look(const struct slim_session_app *app,
                                                       uint32_t session_id,
                                                       struct slim_session_info *info);

/* Member number `index` < member_count, ourselves included; the order is that of joining. NULL: there is none. */
const struct slim_wire_name *slim_session_app_member(const struct slim_session_app *app,
                                                     uint32_t session_id, size_t index);

/* Sessions there are, ending ones included. */
size_t slim_session_app_count(const struct slim_session_app *app);

#endif
