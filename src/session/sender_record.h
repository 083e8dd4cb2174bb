/* Inside of the sender: messages that are not complete, by number. The public face is session/sender.h.
 *
 * Every message that is not complete is a record in a table by number, in one of two orders (sequence, direct), and in one
 * of two queues: held, or timers. All timers run equally long, so their queue is in order of time by itself.
 *
 *   members   bit per slot        record   missing, answered, meant: a bit per slot from first_slot on
 *
 * A record costs no allocation once the first ones have come back. */
#ifndef SLIM_SESSION_SENDER_RECORD_H
#define SLIM_SESSION_SENDER_RECORD_H

#include "base/list.h"
#include "session/sender.h"

enum {
    WORD_BITS = 64,
    BITS_PER_RECORD = 3, /* sets of members that a record keeps */
};

/* first_slot     the slot of bit 0: that of the one receiver of a direct message, else 0
 * bits           word_count words each of: missing, answered (of those missing: a request, since the timer began), meant
 * counted        bytes that the window counts for it
 * is_extended    repeated often enough, and given one interval more because all that miss it have just been answered */
struct slim_session_record {
    struct slim_session_outgoing out;
    struct slim_list order;
    struct slim_list queue;
    struct slim_session_record *next;
    struct slim_buf bytes;
    uint64_t op;
    uint64_t due_ms;
    size_t counted;
    uint32_t target;
    uint32_t first_slot;
    uint32_t missing_count;
    uint32_t answered_count;
    uint32_t word_count;
    uint32_t word_capacity;
    bool is_held;
    bool is_extended;
    uint64_t *many; /* word_capacity > 0 */
    uint64_t few[BITS_PER_RECORD];
};

struct slim_session_sender {
    struct slim_session_sender_owner owner;
    bool is_reliable;
    bool is_held;
    bool is_closed;
    bool is_full; /* SLIM_AGAIN was said, and writable not yet */
    bool is_in_callback;
    uint32_t max_retries;
    uint32_t last_id;
    uint64_t interval_ms;
    uint64_t now_ms;
    uint64_t *members;
    uint32_t member_words;
    uint32_t member_count;
    struct slim_session_record **table;
    uint32_t table_mask;
    uint32_t held_count;
    size_t pending_count;
    size_t bytes;
    struct slim_list sequence; /* records by number */
    struct slim_list direct;
    struct slim_list held;
    struct slim_list timers;
    struct slim_session_record *spare;
    size_t spare_count;
};

/* ---- bits */

static inline uint64_t *slim_session_record_bits(struct slim_session_record *record)
{
    return record->word_count <= 1 ? record->few : record->many;
}

static inline uint64_t *slim_session_record_missing(struct slim_session_record *record)
{
    return slim_session_record_bits(record);
}

static inline uint64_t *slim_session_record_answered(struct slim_session_record *record)
{
    return slim_session_record_bits(record) + record->word_count;
}

static inline uint64_t *slim_session_record_meant(struct slim_session_record *record)
{
    return slim_session_record_bits(record) + 2 * record->word_count;
}

/* The place of a slot in the sets of a record. False: it cannot be in them. */
static inline bool slim_session_record_place(const struct slim_session_record *record,
                                             uint32_t slot, uint32_t *word, uint64_t *bit)
{
    uint32_t index = slot - record->first_slot;
    if (slot < record->first_slot || index / WORD_BITS >= record->word_count) {
        return false;
    }
    *word = index / WORD_BITS;
    *bit = UINT64_C(1) << (index % WORD_BITS);
    return true;
}

/* Make room for sets of `word_count` words, all zero. SLIM_ERR_NO_MEMORY: nothing changed. */
SLIM_MUST_CHECK enum slim_status slim_session_record_reserve(struct slim_session_record *record,
                                                             uint32_t word_count);

/* ---- records */

/* A record that is in no list: a spare one, or a new one. NULL: no memory. */
struct slim_session_record *slim_session_record_take(struct slim_session_sender *sender);

/* Keep a record that is in no list and no table for the next message. */
void slim_session_record_return(struct slim_session_sender *sender,
                                struct slim_session_record *record);

void slim_session_record_free(struct slim_session_record *record);

/* Keep at most `count` spare records. */
void slim_session_sender_trim(struct slim_session_sender *sender, size_t count);

/* ---- the table by number */

/* NULL: that number is not there. */
struct slim_session_record *slim_session_record_find(const struct slim_session_sender *sender,
                                                     uint32_t message_id);

/* Room for one more number. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_session_sender_reserve(struct slim_session_sender *sender);

/* Put it into the table, for which there is room; take it out. */
void slim_session_record_link(struct slim_session_sender *sender,
                              struct slim_session_record *record);
void slim_session_record_unlink(struct slim_session_sender *sender,
                                struct slim_session_record *record);

#endif
