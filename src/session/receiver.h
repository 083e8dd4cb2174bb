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

/* deliver   the next message of this member, borrowed for the length of the call
 * lost      the next message of this member will never come: its sender has not got it (is_answered), or did not answer
 * request   send RTX_REQUEST for this number, over the connection the newest message of the member came in by */
struct slim_session_receiver_owner {
    void *ctx;
    void (*deliver)(void *ctx, uint32_t slot, const struct slim_session_origin *origin,
                    const struct slim_session_content *content);
    void (*lost)(void *ctx, uint32_t slot, uint32_t message_id, bool is_answered);
    void (*request)(void *ctx, uint32_t slot, uint32_t message_id, uint64_t conn_id);
};

/* SLIM_ERR_NO_MEMORY. Unreliable: everything is NEW and delivered as it comes. */
SLIM_MUST_CHECK enum slim_status
slim_session_receiver_new(const struct slim_session_sender_options *options,
                          const struct slim_session_receiver_owner *owner,
                          struct slim_session_receiver **receiver);
void slim_session_receiver_free(struct slim_session_receiver *receiver);

/* A member whose messages we shall get. from_start: we are among its receivers since its first message, whose number is 1. Otherwise the
 * first number that comes is its base, after SLIM_SESSION_BASE_WAIT_MS in which lower ones may still arrive; one that arrives later and was
 * never delivered is delivered late. Adding a slot that is there changes nothing. SLIM_ERR_NO_MEMORY, SLIM_ERR_LIMIT. */
SLIM_MUST_CHECK enum slim_status slim_session_receiver_add(struct slim_session_receiver *receiver,
                                                           uint32_t slot, bool from_start);

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

/* Was this number asked for, so that an RTX_REPLY may bring it? */
bool slim_session_receiver_is_wanted(const struct slim_session_receiver *receiver, uint32_t slot,
                                     uint32_t message_id);

/* As slim_session_sender_tick. */
uint64_t slim_session_receiver_tick(struct slim_session_receiver *receiver, uint64_t now_ms);

/* Requests that are not answered. For draining. */
size_t slim_session_receiver_wanted_count(const struct slim_session_receiver *receiver);

#endif
