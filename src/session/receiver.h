/* Messages from the members of a session: duplicates, order, gaps (spec session.md 10).
 *
 *   look ---> NEW: open it (MLS), acknowledge, then take   ---> in order: deliver; else kept, and what is missing is asked for
 *        ---> DUPLICATE: acknowledge again, drop
 *        ---> BEYOND: drop, no acknowledgement
 *
 * Members are known by slots, as in session/sender.h; the same rules for callbacks hold. Nothing changes by looking: a number that a
 * forged message carries moves nothing until its content was found good and taken.
 * Reference defects that this table does not have: 12, 13, 14, 19 (spec 18). */
#ifndef SLIM_SESSION_RECEIVER_H
#define SLIM_SESSION_RECEIVER_H

#include "session/sender.h"

struct slim_session_receiver;

/* How the messages of a member begin for us.
 * FROM_START   we are among its receivers since its first message, whose number is 1
 * ASKED        we came later, and it says which number is the first that it has for us: asked with the acknowledgements until the answer is in,
 *              or all repetitions are used up, or SLIM_SESSION_BASE_ASK_MS are over
 * GUESSED      we came later, and it may not know that question: the lowest number that comes within SLIM_SESSION_BASE_WAIT_MS, unless it
 *              answers before. One below that comes later and was never delivered is delivered late */
enum slim_session_beginning {
    SLIM_SESSION_FROM_START,
    SLIM_SESSION_ASKED,
    SLIM_SESSION_GUESSED,
};

enum slim_session_verdict {
    SLIM_SESSION_NEW,
    SLIM_SESSION_DUPLICATE,
    SLIM_SESSION_BEYOND, /* too far ahead of what is next, or no room */
};

/* What a message brought along besides its content; handed back when it is delivered. */
struct slim_session_origin {
    uint32_t message_id;
    uint64_t conn_id; /* it came in by */
    bool is_direct;   /* publish_to */
    bool is_own_name; /* addressed to us, not to the channel */
    bool is_sealed;   /* it came under MLS */
};

/* deliver    the next message of this member, borrowed for the length of the call
 * lost       the next message of this member will never come: its sender has not got it (is_answered), or did not answer
 * request    send RTX_REQUEST for this number, over the connection the newest message of the member came in by
 * ask_base   acknowledge this number once more, with the question for the first one; over the same connection */
struct slim_session_receiver_owner {
    void *ctx;
    void (*deliver)(void *ctx, uint32_t slot, const struct slim_session_origin *origin,
                    const struct slim_session_content *content);
    void (*lost)(void *ctx, uint32_t slot, uint32_t message_id, bool is_answered);
    void (*request)(void *ctx, uint32_t slot, uint32_t message_id, uint64_t conn_id);
    void (*ask_base)(void *ctx, uint32_t slot, uint32_t message_id, uint64_t conn_id);
};

/* SLIM_ERR_NO_MEMORY. Unreliable: everything is NEW and delivered as it comes. */
SLIM_MUST_CHECK enum slim_status
slim_session_receiver_new(const struct slim_session_sender_options *options,
                          const struct slim_session_receiver_owner *owner,
                          struct slim_session_receiver **receiver);
void slim_session_receiver_free(struct slim_session_receiver *receiver);

/* A member whose messages we shall get. Adding a slot that is there changes nothing. SLIM_ERR_NO_MEMORY, SLIM_ERR_LIMIT. */
SLIM_MUST_CHECK enum slim_status slim_session_receiver_add(struct slim_session_receiver *receiver,
                                                           uint32_t slot,
                                                           enum slim_session_beginning beginning);

/* It went, or the session ends: what is here is delivered, gaps or not, for it was acknowledged. What is missing is told as lost; what the
 * caller keeps is not waited for. */
void slim_session_receiver_remove(struct slim_session_receiver *receiver, uint32_t slot);

/* What is to be done with this number. BEYOND for a slot that was not added. */
enum slim_session_verdict slim_session_receiver_look(const struct slim_session_receiver *receiver,
                                                     uint32_t slot, uint32_t message_id,
                                                     bool is_direct, size_t bytes);

/* Take a message that was NEW (by MSG or by RTX_REPLY). Copied when it cannot be delivered at once. SLIM_ERR_NO_MEMORY, SLIM_ERR_LIMIT:
 * as if it had not come; do not acknowledge. */
SLIM_MUST_CHECK enum slim_status
slim_session_receiver_take(struct slim_session_receiver *receiver, uint64_t now_ms, uint32_t slot,
                           const struct slim_session_origin *origin,
                           const struct slim_session_content *content);

/* A message that was NEW is kept by the caller until it can be opened: it counts as here, is not asked for, and those behind it wait.
 * Then take it, or give it up: it is missing again. Statuses as for take. */
SLIM_MUST_CHECK enum slim_status
slim_session_receiver_reserve(struct slim_session_receiver *receiver, uint64_t now_ms,
                              uint32_t slot, const struct slim_session_origin *origin,
                              size_t bytes);
void slim_session_receiver_give_up(struct slim_session_receiver *receiver, uint64_t now_ms,
                                   uint32_t slot, uint32_t message_id);

/* RTX_REPLY with `error`: counts only for a number that was asked for. */
void slim_session_receiver_take_lost(struct slim_session_receiver *receiver, uint64_t now_ms,
                                     uint32_t slot, uint32_t message_id);

/* Are messages of this member here whose first one is not known? Then acknowledgements ask for it. */
bool slim_session_receiver_wants_base(const struct slim_session_receiver *receiver, uint32_t slot);

/* The answer to the question that went with the acknowledgement of message_id: `base` is the first number that its sender has for us and
 * knows nothing of. Counts only while that is not known, for a message that is here, and for numbers that its sender can still have. */
void slim_session_receiver_take_base(struct slim_session_receiver *receiver, uint64_t now_ms,
                                     uint32_t slot, uint32_t message_id, uint32_t base);

/* Was this number asked for, so that an RTX_REPLY may bring it? */
bool slim_session_receiver_is_wanted(const struct slim_session_receiver *receiver, uint32_t slot,
                                     uint32_t message_id);

/* As slim_session_sender_tick. */
uint64_t slim_session_receiver_tick(struct slim_session_receiver *receiver, uint64_t now_ms);

/* Requests that are not answered. For draining. */
size_t slim_session_receiver_wanted_count(const struct slim_session_receiver *receiver);

#endif
