/* Inside of the receiver; the public face is session/receiver.h.
 *
 * One source per slot. In the ordinary case a source is a number and nothing else; a ring of places exists while something is out of
 * order, and is given back when nothing is.
 *
 *        next         ask           edge          top      next + SLIM_SESSION_RECEIVE_WINDOW
 *          v           v             v             v         v
 *   passed |  H W . H  |  . . H . .  |  . R . . R  |         |  refused
 *
 *   H here, waits for its turn    W wanted: asked for    R reserved: the caller keeps it until it can be opened    L lost (not shown)
 *   below ask every number has a place; between ask and edge a number without one is missing, and is asked for when less than
 *   SLIM_SESSION_RTX_AT_ONCE are wanted. edge is behind the highest number that was taken: what is only reserved moves nothing. */
#ifndef SLIM_SESSION_RECEIVER_SOURCE_H
#define SLIM_SESSION_RECEIVER_SOURCE_H

#include "base/list.h"
#include "session/receiver.h"

enum {
    LATE_COUNT =
        SLIM_SESSION_SEND_WINDOW, /* numbers below the base that a sender may still repeat */
    LATE_WORDS = LATE_COUNT / 64,
    SEQUENCE_HALF = 1 << 30,
    PLACES_KEPT = 64,     /* spare places of a receiver at work */
    PLACES_KEPT_IDLE = 4, /* and of one that waits for nothing */
    LOST_SEEN =
        SLIM_SESSION_SEND_WINDOW, /* numbers given up that are remembered: as many as a sender still repeats */
    BUFFER_BYTES_KEPT = 2048 /* a larger buffer is not kept in a spare place */
};

enum slim_session_place_state {
    SLIM_SESSION_PLACE_WANTED,
    SLIM_SESSION_PLACE_HERE,
    SLIM_SESSION_PLACE_RESERVED,
    SLIM_SESSION_PLACE_LOST,
};

/* is_answered   SLIM_SESSION_PLACE_LOST: the sender said that it has not got it
 * counted       bytes it counts for */
struct slim_session_place {
    enum slim_session_place_state state;
    bool is_answered;
    uint32_t slot;
    uint32_t message_id;
    uint32_t tries;
    uint64_t due_ms;
    size_t counted;
    struct slim_list timer;
    struct slim_session_place *spare;
    struct slim_session_origin origin;
    struct slim_session_content content;
    struct slim_buf bytes;
};

/* UNKNOWN    no number has come; the first one may be any
 * SETTLING   some have come, the lowest is `next`; nothing is delivered and nothing asked for yet
 * RUNNING    `next` is the next to deliver */
enum slim_session_source_state {
    SLIM_SESSION_SOURCE_UNKNOWN,
    SLIM_SESSION_SOURCE_SETTLING,
    SLIM_SESSION_SOURCE_RUNNING,
};

/* is_fresh   FROM_START, and nothing has come yet
 * is_asked   ASKED
 * is_firm    a number was passed: the base does not move any more
 * has_late   numbers below base may come for the first time; those that did are in `late` (NULL: none)
 * direct     the last direct numbers, each + 1; NULL: none came
 * lost       the last numbers that were given up, each + 1; NULL: none was
 * settle     linked: SETTLING, and a number was taken; settle_ms: when that ends; ask_ms: when the first number is asked for again */
struct slim_session_source {
    enum slim_session_source_state state;
    bool is_fresh;
    bool is_asked;
    bool is_firm;
    bool has_late;
    uint32_t slot;
    uint32_t next;
    uint32_t ask;
    uint32_t edge;
    uint32_t top;
    uint32_t base;
    uint32_t ring_mask;
    uint32_t place_count;
    uint32_t wanted_count;
    uint32_t direct_next;
    uint32_t lost_next;
    uint64_t conn_id;
    uint64_t settle_ms;
    uint64_t ask_ms;
    struct slim_list settle;
    struct slim_session_place **ring;
    uint64_t *late;
    uint32_t *direct;
    uint32_t *lost;
};

struct slim_session_receiver {
    struct slim_session_receiver_owner owner;
    bool is_reliable;
    bool is_in_callback;
    uint32_t max_retries;
    uint32_t first_id;
    uint64_t interval_ms;
    uint64_t now_ms;
    struct slim_session_source **sources;
    uint32_t source_capacity;
    size_t wanted_count;
    size_t place_count;
    size_t bytes;
    struct slim_list wanted;
    struct slim_list settling;
    struct slim_session_place *spare;
    size_t spare_count;
};

static inline uint32_t slim_session_number_after(uint32_t number)
{
    return (number + 1) & SLIM_SESSION_SEQUENCE_MAX;
}

static inline uint32_t slim_session_number_distance(uint32_t from, uint32_t to)
{
    return (to - from) & SLIM_SESSION_SEQUENCE_MAX;
}

static inline struct slim_session_source *
slim_session_source_find(const struct slim_session_receiver *receiver, uint32_t slot)
{
    return slot < receiver->source_capacity ? receiver->sources[slot] : NULL;
}

/* Call back, with the guard that forbids calling the receiver from there. */
void slim_session_receiver_tell(struct slim_session_receiver *receiver, uint32_t slot,
                                const struct slim_session_origin *origin,
                                const struct slim_session_content *content);

/* Is there room for `bytes` more, and a place? */
bool slim_session_receiver_has_room(const struct slim_session_receiver *receiver, size_t bytes);

/* Keep at most `count` spare places. */
void slim_session_receiver_trim(struct slim_session_receiver *receiver, size_t count);

/* ---- places */

/* The place of a number from next on; NULL: none. */
struct slim_session_place *slim_session_place_at(const struct slim_session_source *source,
                                                 uint32_t number);

/* Here or reserved? NULL is allowed. */
bool slim_session_place_is_waiting(const struct slim_session_place *place);

/* The place of `number`, made when there is none (its state is then SLIM_SESSION_PLACE_LOST, until the caller says otherwise); next, top
 * and the ring then cover it. number is in the window, or, in a source that settles, below next and within the window from top.
 * SLIM_ERR_NO_MEMORY, SLIM_ERR_LIMIT: nothing changed. */
SLIM_MUST_CHECK enum slim_status slim_session_place_make(struct slim_session_receiver *receiver,
                                                         struct slim_session_source *source,
                                                         uint32_t number,
                                                         struct slim_session_place **made);

/* Take a place out of the ring and give it back. */
void slim_session_place_drop(struct slim_session_receiver *receiver,
                             struct slim_session_source *source, struct slim_session_place *place);

/* What a place occupies from now on; `bytes` are those the caller keeps for it. */
void slim_session_place_count_bytes(struct slim_session_receiver *receiver,
                                    struct slim_session_place *place, size_t bytes);

/* Ask for a wanted one, the first time or again: the timer starts. */
void slim_session_place_request(struct slim_session_receiver *receiver,
                                struct slim_session_source *source,
                                struct slim_session_place *place);

/* Ask no more, if it is wanted. The caller then changes the state. */
void slim_session_place_stop_wanting(struct slim_session_receiver *receiver,
                                     struct slim_session_source *source,
                                     struct slim_session_place *place);

/* ---- the order of a source */

size_t slim_session_source_ring_bytes(const struct slim_session_source *source);

/* Give the ring back when there is no place in it. */
void slim_session_source_give_back(struct slim_session_receiver *receiver,
                                   struct slim_session_source *source);

/* The number `next` is dealt with. */
void slim_session_source_pass(struct slim_session_source *source);

/* Deliver what is next as far as it is there. */
void slim_session_source_flush(struct slim_session_receiver *receiver,
                               struct slim_session_source *source);

/* Ask for what is missing, so many at a time. When memory runs out the rest is asked for later. */
void slim_session_source_ask(struct slim_session_receiver *receiver,
                             struct slim_session_source *source);

/* All three, after anything that changed the places of a running source. */
void slim_session_source_go_on(struct slim_session_receiver *receiver,
                               struct slim_session_source *source);

#endif
