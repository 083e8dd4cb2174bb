/* Messages on their way to the members of a session: numbers, acknowledgements, repetition, the window (spec session.md 9).
 *
 *   publish ---> held (nobody there yet) ---> on the way: each receiver in `missing` ---> complete
 *                                              ^ timer: repeat to each missing one, max_retries times, then failed
 *
 * Members are known by their slots (session/member.h): small numbers, used again after a member has gone. No I/O, no clock: callbacks
 * transmit, the time is handed in. Callbacks must not call the sender; what they learn is told to it when the call has returned.
 * Reference defects that this table does not have: 9, 10, 16, 18 (spec 18). */
#ifndef SLIM_SESSION_SENDER_H
#define SLIM_SESSION_SENDER_H

#include "base/buf.h"
#include "base/status.h"
#include "base/view.h"
#include "session/limits.h"

struct slim_session_sender;

/* All members, as the target of a transmission. */
#define SLIM_SESSION_ALL UINT32_MAX

/* What the application says; copied by slim_session_sender_publish. metadata is encoded as slim_wire_metadata reads it. identity is that of
 * a received message, empty in what we send. */
struct slim_session_content {
    struct slim_view payload_type;
    struct slim_view blob;
    struct slim_view metadata;
    struct slim_view identity;
};

/* One message as the sender keeps it until it is acknowledged by all.
 * sealed, sealed_epoch   of the owner: the ciphertext that was sent, empty until then and in sessions without MLS. Freed by the
 *                        sender. A repetition sends the same bytes, or, when receivers have forgotten the epoch, new ones
 * repeat_count           0 at the first transmission */
struct slim_session_outgoing {
    uint32_t message_id;
    uint32_t repeat_count;
    bool is_direct; /* publish_to */
    struct slim_session_content content;
    struct slim_buf sealed;
    uint64_t sealed_epoch;
};

/* transmit    send MSG `message` to the member in `slot`, or to SLIM_SESSION_ALL (the channel, or the peer). What fails here is left
 *             to the timer, unless the sender is unreliable: then it is how the message ends
 * answer_rtx  send RTX_REPLY number `message_id` to the member in `slot`: with `message`, or NULL for "not there"
 * complete    the message ended: SLIM_OK: all have acknowledged, or the last that had not is gone. SLIM_ERR_TIMEOUT: retries
 *             exhausted; what slim_session_sender_close says; what transmit said. `op` is the caller's number
 * writable    the window was full (SLIM_AGAIN) and no longer is */
struct slim_session_sender_owner {
    void *ctx;
    enum slim_status (*transmit)(void *ctx, struct slim_session_outgoing *message, uint32_t slot);
    void (*answer_rtx)(void *ctx, uint32_t slot, uint32_t message_id,
                       struct slim_session_outgoing *message);
    void (*complete)(void *ctx, uint64_t op, uint32_t message_id, enum slim_status status);
    void (*writable)(void *ctx);
};

/* is_reliable   acknowledgements and repetition; else a message is complete when it was transmitted
 * start         the number before the first one: 0, except where the wrap of numbers is tried out */
struct slim_session_sender_options {
    bool is_reliable;
    uint64_t interval_ms;
    uint32_t max_retries;
    uint32_t start;
};

/* Begins without members, holding what is published. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status
slim_session_sender_new(const struct slim_session_sender_options *options,
                        const struct slim_session_sender_owner *owner,
                        struct slim_session_sender **sender);

/* No callbacks: close it first when somebody waits. NULL is allowed. */
void slim_session_sender_free(struct slim_session_sender *sender);

/* A member can receive from now on: what was held goes out when it is the first. Messages on the way are not for it. It goes:
 * it is missing nothing any more, and messages that only it had to acknowledge are complete.
 * SLIM_ERR_NO_MEMORY, SLIM_ERR_LIMIT. */
SLIM_MUST_CHECK enum slim_status slim_session_sender_add(struct slim_session_sender *sender,
                                                         uint32_t slot, uint64_t now_ms);
void slim_session_sender_remove(struct slim_session_sender *sender, uint32_t slot, uint64_t now_ms);

/* Keep new messages back although there are members (an MLS commit is being made known); let them go. */
void slim_session_sender_hold(struct slim_session_sender *sender);
void slim_session_sender_release(struct slim_session_sender *sender, uint64_t now_ms);

/* Take a message for all members. SLIM_AGAIN: the window is full; `writable` will tell. SLIM_ERR_NO_MEMORY; SLIM_ERR_CLOSED after
 * close. Without members it is held. *message_id may be NULL. complete may be called from inside. */
SLIM_MUST_CHECK enum slim_status
slim_session_sender_publish(struct slim_session_sender *sender, uint64_t now_ms,
                            const struct slim_session_content *content, uint64_t op,
                            uint32_t *message_id);

/* Take a message for the member in `slot`, under a number from SLIM_SESSION_DIRECT_MIN to _MAX that the caller drew. SLIM_ERR_NOT_FOUND: no
 * such member. SLIM_ERR_EXISTS: that number is on the way. Else as above. */
SLIM_MUST_CHECK enum slim_status
slim_session_sender_publish_to(struct slim_session_sender *sender, uint64_t now_ms, uint32_t slot,
                               const struct slim_session_content *content, uint32_t message_id,
                               uint64_t op);

/* MSG_ACK and RTX_REQUEST of the member in `slot`. A request says that it does not have the message: unlike in the reference it is no
 * acknowledgement. Whom it was answered to is left out of the next repetition; then it is repeated to as to the others: a reference member
 * does not acknowledge an RTX_REPLY, but does acknowledge the repetition. A number that was not meant for this member is answered with NULL. */
void slim_session_sender_take_ack(struct slim_session_sender *sender, uint64_t now_ms,
                                  uint32_t slot, uint32_t message_id);
void slim_session_sender_take_rtx(struct slim_session_sender *sender, uint64_t now_ms,
                                  uint32_t slot, uint32_t message_id);

/* The lowest number below message_id (of a sequence) that the member in `slot` was meant to have and has not acknowledged; message_id when
 * there is none. */
uint32_t slim_session_sender_first_missing(struct slim_session_sender *sender, uint32_t slot,
                                           uint32_t message_id);

/* Repeat what is due; returns when to call again (UINT64_MAX: not before something happens). */
uint64_t slim_session_sender_tick(struct slim_session_sender *sender, uint64_t now_ms);

/* Messages not complete, held ones included; and of those the ones on the way. */
size_t slim_session_sender_pending(const struct slim_session_sender *sender);
size_t slim_session_sender_on_the_way(const struct slim_session_sender *sender);

/* Every message that is not complete ends with `status`; nothing is taken any more. */
void slim_session_sender_close(struct slim_session_sender *sender, enum slim_status status);

#endif
