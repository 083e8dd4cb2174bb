/* Every message that is not complete is a record in a table by number, in one of two orders (sequence, direct), and in one
 * of two queues: held, or timers. All timers run equally long, so their queue is in order of time by itself.
 *
 *   members   bit per slot        record   missing, answered, meant: a bit per slot from first_slot on
 *
 * A record costs no allocation once the first ones have come back. */
#include "session/sender.h"

#include "base/list.h"
#include "base/secret.h"
#include "session/content.h"

enum {
    WORD_BITS = 64,
    MEMBER_WORDS_MAX = SLIM_SESSION_MEMBERS_MAX / WORD_BITS,
    TABLE_MIN = 8,            /* numbers in the smallest table */
    BITS_PER_RECORD = 3,      /* sets of members that a record keeps */
    RECORDS_KEPT = 4,         /* spare records of a sender that has nothing to do */
    BUFFER_BYTES_KEPT = 2048, /* a larger buffer is not kept in a spare record */
    WRITABLE_PERCENT = 75,    /* of the window: when a full one counts as open again */
    ANSWERED_PERCENT =
        150, /* of the interval: an answered request not repeated until then is an acknowledgement */
};

/* first_slot     the slot of bit 0: that of the one receiver of a direct message, else 0
 * bits           word_count words each of: missing, answered (of those missing, a request), meant
 * counted        bytes that the window counts for it
 * is_exhausted   repeated often enough; waits only for whether answered requests come again */
struct record {
    struct slim_session_outgoing out;
    struct slim_list order;
    struct slim_list queue;
    struct slim_list answer;
    struct record *next;
    struct slim_buf bytes;
    uint64_t op;
    uint64_t due_ms;
    uint64_t answer_due_ms;
    size_t counted;
    uint32_t target;
    uint32_t first_slot;
    uint32_t missing_count;
    uint32_t answered_count;
    uint32_t word_count;
    uint32_t word_capacity;
    bool is_held;
    bool is_exhausted;
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
    uint64_t answered_ms;
    uint64_t now_ms;
    uint64_t *members;
    uint32_t member_words;
    uint32_t member_count;
    struct record **table;
    uint32_t table_mask;
    uint32_t held_count;
    size_t pending_count;
    size_t bytes;
    struct slim_list sequence; /* records by number */
    struct slim_list direct;
    struct slim_list held;
    struct slim_list timers;
    struct slim_list answers;
    struct record *spare;
    size_t spare_count;
};

/* ---- bits */

static uint64_t *bits_of(struct record *record)
{
    return record->word_count <= 1 ? record->few : record->many;
}

static uint64_t *missing_of(struct record *record)
{
    return bits_of(record);
}

static uint64_t *answered_of(struct record *record)
{
    return bits_of(record) + record->word_count;
}

static uint64_t *meant_of(struct record *record)
{
    return bits_of(record) + 2 * record->word_count;
}

/* The place of a slot in the sets of a record. False: it cannot be in them. */
static bool place_of(const struct record *record, uint32_t slot, uint32_t *word, uint64_t *bit)
{
    uint32_t index = slot - record->first_slot;
    if (slot < record->first_slot || index / WORD_BITS >= record->word_count) {
        return false;
    }
    *word = index / WORD_BITS;
    *bit = UINT64_C(1) << (index % WORD_BITS);
    return true;
}

static bool is_member(const struct slim_session_sender *sender, uint32_t slot)
{
    uint32_t word = slot / WORD_BITS;
    return word < sender->member_words && (sender->members[word] >> (slot % WORD_BITS) & 1) != 0;
}

/* Make room for sets of `word_count` words, all zero. */
static enum slim_status record_reserve(struct record *record, uint32_t word_count)
{
    if (word_count > 1 && word_count > record->word_capacity) {
        uint64_t *many = slim_secret_take((size_t)word_count * BITS_PER_RECORD, sizeof(*many));
        if (many == NULL) {
            return SLIM_ERR_NO_MEMORY;
        }
        slim_secret_return(record->many);
        record->many = many;
        record->word_capacity = word_count;
    }
    record->word_count = word_count;
    memset(bits_of(record), 0, (size_t)word_count * BITS_PER_RECORD * sizeof(uint64_t));
    return SLIM_OK;
}

/* ---- records */

static void record_free(struct record *record)
{
    slim_buf_fini(&record->bytes);
    slim_buf_fini(&record->out.sealed);
    slim_secret_return(record->many);
    slim_secret_return(record);
}

static struct record *record_take(struct slim_session_sender *sender)
{
    struct record *record = sender->spare;
    if (record != NULL) {
        sender->spare = record->next;
        sender->spare_count--;
        return record;
    }
    record = slim_secret_take(1, sizeof(*record));
    if (record != NULL) {
        slim_list_init(&record->order);
        slim_list_init(&record->queue);
        slim_list_init(&record->answer);
    }
    return record;
}

static void empty(struct slim_buf *buf)
{
    if (buf->capacity > BUFFER_BYTES_KEPT) {
        slim_buf_fini(buf);
    }
    slim_buf_clear(buf);
}

/* Keep a record that is in no list and no table for the next message. */
static void record_return(struct slim_session_sender *sender, struct record *record)
{
    empty(&record->bytes);
    empty(&record->out.sealed);
    record->next = sender->spare;
    sender->spare = record;
    sender->spare_count++;
}

static void trim(struct slim_session_sender *sender, size_t count)
{
    while (sender->spare_count > count) {
        struct record *record = sender->spare;
        sender->spare = record->next;
        sender->spare_count--;
        record_free(record);
    }
}

/* ---- the table by number */

static struct record **bucket_of(const struct slim_session_sender *sender, uint32_t message_id)
{
    return &sender->table[message_id & sender->table_mask];
}

static struct record *find(const struct slim_session_sender *sender, uint32_t message_id)
{
    if (sender->table == NULL) {
        return NULL;
    }
    struct record *record = *bucket_of(sender, message_id);
    while (record != NULL && record->out.message_id != message_id) {
        record = record->next;
    }
    return record;
}

static void put_into_table(struct slim_session_sender *sender, struct record *record)
{
    struct record **bucket = bucket_of(sender, record->out.message_id);
    record->next = *bucket;
    *bucket = record;
}

static void take_from_table(struct slim_session_sender *sender, struct record *record)
{
    struct record **at = bucket_of(sender, record->out.message_id);
    while (*at != record) {
        at = &(*at)->next;
    }
    *at = record->next;
}

/* Room for one more number. */
static enum slim_status table_reserve(struct slim_session_sender *sender)
{
    size_t size = sender->table == NULL ? 0 : (size_t)sender->table_mask + 1;
    if (sender->pending_count < size) {
        return SLIM_OK;
    }
    size_t new_size = size == 0 ? TABLE_MIN : size * 2;
    struct record **table = slim_secret_take(new_size, sizeof(struct record *));
    if (table == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    struct record **old = sender->table;
    sender->table = table;
    sender->table_mask = (uint32_t)new_size - 1;
    for (size_t i = 0; i < size; i++) {
        struct record *record = old[i];
        while (record != NULL) {
            struct record *next = record->next;
            put_into_table(sender, record);
            record = next;
        }
    }
    slim_secret_return(old);
    return SLIM_OK;
}

/* ---- the window */

static size_t span(const struct slim_session_sender *sender)
{
    if (slim_list_is_empty(&sender->sequence)) {
        return 0;
    }
    const struct record *oldest = SLIM_LIST_ENTRY(sender->sequence.next, struct record, order);
    return ((sender->last_id - oldest->out.message_id) & SLIM_SESSION_SEQUENCE_MAX) + 1;
}

/* A message of any size passes when nothing else is there. */
static bool is_window_full(const struct slim_session_sender *sender, size_t size)
{
    return sender->pending_count > 0 && (sender->pending_count >= SLIM_SESSION_SEND_WINDOW ||
                                         span(sender) >= SLIM_SESSION_SEND_WINDOW ||
                                         sender->bytes + size > SLIM_SESSION_SEND_BYTES_MAX);
}

static bool is_below(size_t value, size_t limit)
{
    return value * 100 <= limit * WRITABLE_PERCENT;
}

/* The last thing that a function does that may have completed something. */
static void tell_writable(struct slim_session_sender *sender)
{
    if (SLIM_LIKELY(!sender->is_full) || sender->is_closed) {
        return;
    }
    if (is_below(sender->pending_count, SLIM_SESSION_SEND_WINDOW) &&
        is_below(span(sender), SLIM_SESSION_SEND_WINDOW) &&
        is_below(sender->bytes, SLIM_SESSION_SEND_BYTES_MAX)) {
        sender->is_full = false;
        sender->is_in_callback = true;
        sender->owner.writable(sender->owner.ctx);
        sender->is_in_callback = false;
    }
}

/* What a record occupies, once its size may have changed. */
static void count_bytes(struct slim_session_sender *sender, struct record *record)
{
    sender->bytes -= record->counted;
    record->counted = sizeof(*record) + record->bytes.len + record->out.sealed.len;
    sender->bytes += record->counted;
}

/* ---- the life of a message */

static void tell_complete(struct slim_session_sender *sender, uint64_t op, uint32_t message_id,
                          enum slim_status status)
{
    sender->is_in_callback = true;
    sender->owner.complete(sender->owner.ctx, op, message_id, status);
    sender->is_in_callback = false;
}

static enum slim_status transmit(struct slim_session_sender *sender, struct record *record,
                                 uint32_t slot)
{
    sender->is_in_callback = true;
    enum slim_status status = sender->owner.transmit(sender->owner.ctx, &record->out, slot);
    sender->is_in_callback = false;
    return status;
}

static void unlink_record(struct slim_session_sender *sender, struct record *record)
{
    take_from_table(sender, record);
    slim_list_remove(&record->order);
    slim_list_remove(&record->queue);
    slim_list_remove(&record->answer);
    sender->pending_count--;
    sender->bytes -= record->counted;
    sender->held_count -= record->is_held ? 1 : 0;
}

static void complete(struct slim_session_sender *sender, struct record *record,
                     enum slim_status status)
{
    uint64_t op = record->op;
    uint32_t message_id = record->out.message_id;
    unlink_record(sender, record);
    record_return(sender, record);
    tell_complete(sender, op, message_id, status);
}

static void start_timer(struct slim_session_sender *sender, struct record *record)
{
    record->due_ms = sender->now_ms + sender->interval_ms;
    slim_list_put_last(&sender->timers, &record->queue);
}

/* Whom the message is for: those who are members now. SLIM_ERR_NO_MEMORY: it stays where it is. */
static enum slim_status address(struct slim_session_sender *sender, struct record *record)
{
    if (record->target != SLIM_SESSION_ALL) {
        record->first_slot = record->target;
        SLIM_TRY(record_reserve(record, 1));
        missing_of(record)[0] = 1;
        meant_of(record)[0] = 1;
        record->missing_count = 1;
        return SLIM_OK;
    }
    record->first_slot = 0;
    SLIM_TRY(record_reserve(record, sender->member_words));
    size_t size = sender->member_words * sizeof(uint64_t);
    memcpy(missing_of(record), sender->members, size);
    memcpy(meant_of(record), sender->members, size);
    record->missing_count = sender->member_count;
    return SLIM_OK;
}

/* The first transmission of a record that address() was called for. */
static void launch(struct slim_session_sender *sender, struct record *record)
{
    enum slim_status status = transmit(sender, record, record->target);
    if (!sender->is_reliable) {
        complete(sender, record, status);
        return;
    }
    count_bytes(sender, record);
    start_timer(sender, record);
}

static bool can_send(const struct slim_session_sender *sender)
{
    return sender->member_count > 0 && !sender->is_held;
}

/* Send what was held. When memory runs out the rest stays, and the next tick tries again. */
static void flush(struct slim_session_sender *sender)
{
    while (can_send(sender) && !slim_list_is_empty(&sender->held)) {
        struct record *record = SLIM_LIST_ENTRY(sender->held.next, struct record, queue);
        if (address(sender, record) != SLIM_OK) {
            return;
        }
        slim_list_remove(&record->queue);
        record->is_held = false;
        sender->held_count--;
        launch(sender, record);
    }
}

/* `slot` has the message, or is gone. */
static void settle(struct slim_session_sender *sender, struct record *record, uint32_t slot)
{
    uint32_t word;
    uint64_t bit;
    if (!place_of(record, slot, &word, &bit) || (missing_of(record)[word] & bit) == 0) {
        return;
    }
    missing_of(record)[word] &= ~bit;
    record->missing_count--;
    if ((answered_of(record)[word] & bit) != 0) {
        answered_of(record)[word] &= ~bit;
        record->answered_count--;
    }
    if (record->missing_count == 0) {
        complete(sender, record, SLIM_OK);
    }
}

static void forget_member(struct slim_session_sender *sender, struct record *record, uint32_t slot)
{
    if (record->is_held) {
        if (record->target == slot) {
            complete(sender, record, SLIM_ERR_NOT_FOUND);
        }
        return;
    }
    uint32_t word;
    uint64_t bit;
    if (place_of(record, slot, &word, &bit)) {
        meant_of(record)[word] &= ~bit;
        settle(sender, record, slot);
    }
}

/* ---- the public functions */

enum slim_status slim_session_sender_new(const struct slim_session_sender_options *options,
                                         const struct slim_session_sender_owner *owner,
                                         struct slim_session_sender **sender)
{
    struct slim_session_sender *made = slim_secret_take(1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    made->owner = *owner;
    made->is_reliable = options->is_reliable;
    made->interval_ms = options->interval_ms == 0 ? 1 : options->interval_ms;
    made->answered_ms = made->interval_ms / 100 * ANSWERED_PERCENT +
                        made->interval_ms % 100 * ANSWERED_PERCENT / 100;
    made->max_retries = options->max_retries;
    made->last_id = options->start & SLIM_SESSION_SEQUENCE_MAX;
    slim_list_init(&made->sequence);
    slim_list_init(&made->direct);
    slim_list_init(&made->held);
    slim_list_init(&made->timers);
    slim_list_init(&made->answers);
    *sender = made;
    return SLIM_OK;
}

static void free_all(struct slim_list *order)
{
    SLIM_LIST_EACH(node, order)
    {
        record_free(SLIM_LIST_ENTRY(node, struct record, order));
    }
}

void slim_session_sender_free(struct slim_session_sender *sender)
{
    if (sender == NULL) {
        return;
    }
    assert(!sender->is_in_callback);
    free_all(&sender->sequence);
    free_all(&sender->direct);
    trim(sender, 0);
    slim_secret_return(sender->table);
    slim_secret_return(sender->members);
    slim_secret_return(sender);
}

/* Every public function that is told the time begins with it: time does not go back. */
static void enter(struct slim_session_sender *sender, uint64_t now_ms)
{
    assert(!sender->is_in_callback);
    if (now_ms > sender->now_ms) {
        sender->now_ms = now_ms;
    }
}

enum slim_status slim_session_sender_add(struct slim_session_sender *sender, uint32_t slot,
                                         uint64_t now_ms)
{
    enter(sender, now_ms);
    if (slot >= SLIM_SESSION_MEMBERS_MAX) {
        return SLIM_ERR_LIMIT;
    }
    if (is_member(sender, slot)) {
        return SLIM_OK;
    }
    uint32_t word = slot / WORD_BITS;
    if (word >= sender->member_words) {
        uint64_t *members = slim_secret_resize(sender->members, (word + 1) * sizeof(*members));
        if (members == NULL) {
            return SLIM_ERR_NO_MEMORY;
        }
        sender->members = members;
        sender->member_words = word + 1;
    }
    sender->members[word] |= UINT64_C(1) << (slot % WORD_BITS);
    sender->member_count++;
    flush(sender);
    tell_writable(sender);
    return SLIM_OK;
}

void slim_session_sender_remove(struct slim_session_sender *sender, uint32_t slot, uint64_t now_ms)
{
    enter(sender, now_ms);
    if (!is_member(sender, slot)) {
        return;
    }
    sender->members[slot / WORD_BITS] &= ~(UINT64_C(1) << (slot % WORD_BITS));
    sender->member_count--;
    SLIM_LIST_EACH(node, &sender->sequence)
    {
        forget_member(sender, SLIM_LIST_ENTRY(node, struct record, order), slot);
    }
    SLIM_LIST_EACH(direct, &sender->direct)
    {
        forget_member(sender, SLIM_LIST_ENTRY(direct, struct record, order), slot);
    }
    tell_writable(sender);
}

void slim_session_sender_hold(struct slim_session_sender *sender)
{
    assert(!sender->is_in_callback);
    sender->is_held = true;
}

void slim_session_sender_release(struct slim_session_sender *sender, uint64_t now_ms)
{
    enter(sender, now_ms);
    sender->is_held = false;
    flush(sender);
    tell_writable(sender);
}

/* What nobody has to acknowledge goes out from where it is. */
static void send_at_once(struct slim_session_sender *sender,
                         const struct slim_session_content *content, uint32_t message_id,
                         uint32_t target, uint64_t op)
{
    struct record record = {
        .out = {.message_id = message_id,
                .is_direct = target != SLIM_SESSION_ALL,
                .content = *content},
    };
    enum slim_status status = transmit(sender, &record, target);
    slim_buf_fini(&record.out.sealed);
    tell_complete(sender, op, message_id, status);
}

/* A record with the message in it, ready to be sent or held, in no table yet. */
static enum slim_status make_record(struct slim_session_sender *sender,
                                    const struct slim_session_content *content, uint32_t target,
                                    struct record **made)
{
    SLIM_TRY(table_reserve(sender));
    struct record *record = record_take(sender);
    if (record == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    record->target = target;
    record->is_held = !can_send(sender);
    record->is_exhausted = false;
    record->answered_count = 0;
    record->missing_count = 0;
    record->word_count = 0;
    record->out.is_direct = target != SLIM_SESSION_ALL;
    record->out.repeat_count = 0;
    record->out.sealed_epoch = 0;
    enum slim_status status =
        slim_session_content_keep(content, &record->bytes, &record->out.content);
    if (status == SLIM_OK && !record->is_held) {
        status = address(sender, record);
    }
    if (status != SLIM_OK) {
        record_return(sender, record);
        return status;
    }
    *made = record;
    return SLIM_OK;
}

static void begin(struct slim_session_sender *sender, struct record *record, uint32_t message_id,
                  uint64_t op)
{
    record->out.message_id = message_id;
    record->op = op;
    record->counted = 0;
    count_bytes(sender, record);
    put_into_table(sender, record);
    slim_list_put_last(record->out.is_direct ? &sender->direct : &sender->sequence, &record->order);
    sender->pending_count++;
    if (record->is_held) {
        slim_list_put_last(&sender->held, &record->queue);
        sender->held_count++;
    } else {
        launch(sender, record);
    }
}

/* Is there room for a message of that size? */
static enum slim_status admit(struct slim_session_sender *sender, size_t size)
{
    if (sender->is_closed) {
        return SLIM_ERR_CLOSED;
    }
    if (size > SLIM_SESSION_SEND_BYTES_MAX) {
        return SLIM_ERR_LIMIT;
    }
    if (is_window_full(sender, size)) {
        sender->is_full = true;
        return SLIM_AGAIN;
    }
    return SLIM_OK;
}

enum slim_status slim_session_sender_publish(struct slim_session_sender *sender, uint64_t now_ms,
                                             const struct slim_session_content *content,
                                             uint64_t op, uint32_t *message_id)
{
    enter(sender, now_ms);
    SLIM_TRY(admit(sender, slim_session_content_size(content)));
    uint32_t number = (sender->last_id + 1) & SLIM_SESSION_SEQUENCE_MAX;
    struct record *record = NULL;
    if (sender->is_reliable || !can_send(sender)) {
        SLIM_TRY(make_record(sender, content, SLIM_SESSION_ALL, &record));
    }
    sender->last_id = number;
    if (message_id != NULL) {
        *message_id = number;
    }
    if (record != NULL) {
        begin(sender, record, number, op);
    } else {
        send_at_once(sender, content, number, SLIM_SESSION_ALL, op);
    }
    return SLIM_OK;
}

enum slim_status slim_session_sender_publish_to(struct slim_session_sender *sender, uint64_t now_ms,
                                                uint32_t slot,
                                                const struct slim_session_content *content,
                                                uint32_t message_id, uint64_t op)
{
    enter(sender, now_ms);
    assert(message_id >= SLIM_SESSION_DIRECT_MIN && message_id <= SLIM_SESSION_DIRECT_MAX);
    SLIM_TRY(admit(sender, slim_session_content_size(content)));
    if (!is_member(sender, slot)) {
        return SLIM_ERR_NOT_FOUND;
    }
    if (find(sender, message_id) != NULL) {
        return SLIM_ERR_EXISTS;
    }
    if (!sender->is_reliable && can_send(sender)) {
        send_at_once(sender, content, message_id, slot, op);
        return SLIM_OK;
    }
    struct record *record;
    SLIM_TRY(make_record(sender, content, slot, &record));
    begin(sender, record, message_id, op);
    return SLIM_OK;
}

void slim_session_sender_take_ack(struct slim_session_sender *sender, uint64_t now_ms,
                                  uint32_t slot, uint32_t message_id)
{
    enter(sender, now_ms);
    struct record *record = find(sender, message_id);
    if (record != NULL) {
        settle(sender, record, slot);
        tell_writable(sender);
    }
}

/* Note that a missing message is about to be answered to `slot`. */
static void note_answer(struct slim_session_sender *sender, struct record *record, uint32_t word,
                        uint64_t bit)
{
    if ((missing_of(record)[word] & bit) == 0 || record->is_exhausted) {
        return;
    }
    if ((answered_of(record)[word] & bit) == 0) {
        answered_of(record)[word] |= bit;
        record->answered_count++;
    }
    record->answer_due_ms = sender->now_ms + sender->answered_ms;
    slim_list_remove(&record->answer);
    slim_list_put_last(&sender->answers, &record->answer);
}

void slim_session_sender_take_rtx(struct slim_session_sender *sender, uint64_t now_ms,
                                  uint32_t slot, uint32_t message_id)
{
    enter(sender, now_ms);
    if (!is_member(sender, slot)) {
        return;
    }
    struct record *record = find(sender, message_id);
    uint32_t word;
    uint64_t bit;
    if (record != NULL &&
        (!place_of(record, slot, &word, &bit) || (meant_of(record)[word] & bit) == 0)) {
        record = NULL;
    }
    if (record != NULL) {
        note_answer(sender, record, word, bit);
    }
    sender->is_in_callback = true;
    sender->owner.answer_rtx(sender->owner.ctx, slot, message_id,
                             record == NULL ? NULL : &record->out);
    sender->is_in_callback = false;
    if (record != NULL) {
        count_bytes(sender, record);
    }
}

/* Answered requests that did not come again: reference members do not acknowledge what they asked for. */
static void expire_answers(struct slim_session_sender *sender)
{
    while (!slim_list_is_empty(&sender->answers)) {
        struct record *record = SLIM_LIST_ENTRY(sender->answers.next, struct record, answer);
        if (record->answer_due_ms > sender->now_ms) {
            return;
        }
        slim_list_remove(&record->answer);
        for (uint32_t word = 0; word < record->word_count; word++) {
            missing_of(record)[word] &= ~answered_of(record)[word];
            answered_of(record)[word] = 0;
        }
        record->missing_count -= record->answered_count;
        record->answered_count = 0;
        if (record->missing_count == 0) {
            complete(sender, record, SLIM_OK);
        }
    }
}

/* To each that misses it and has not just been answered. */
static void repeat(struct slim_session_sender *sender, struct record *record)
{
    for (uint32_t word = 0; word < record->word_count; word++) {
        uint64_t left = missing_of(record)[word] & ~answered_of(record)[word];
        while (left != 0) {
            uint32_t bit = (uint32_t)__builtin_ctzll(left);
            left &= left - 1;
            /* what fails here is left to the timer */
            (void)transmit(sender, record, record->first_slot + word * WORD_BITS + bit);
        }
    }
    count_bytes(sender, record);
}

static void repeat_due(struct slim_session_sender *sender)
{
    while (!slim_list_is_empty(&sender->timers)) {
        struct record *record = SLIM_LIST_ENTRY(sender->timers.next, struct record, queue);
        if (record->due_ms > sender->now_ms) {
            return;
        }
        slim_list_remove(&record->queue);
        if (record->out.repeat_count < sender->max_retries) {
            record->out.repeat_count++;
            repeat(sender, record);
            start_timer(sender, record);
        } else if (record->missing_count > record->answered_count) {
            complete(sender, record, SLIM_ERR_TIMEOUT);
        } else {
            record->is_exhausted = true; /* its last answers decide */
        }
    }
}

uint64_t slim_session_sender_tick(struct slim_session_sender *sender, uint64_t now_ms)
{
    enter(sender, now_ms);
    expire_answers(sender);
    repeat_due(sender);
    flush(sender);
    if (sender->pending_count == 0) {
        trim(sender, RECORDS_KEPT);
    }
    tell_writable(sender);
    uint64_t due_ms = UINT64_MAX;
    if (!slim_list_is_empty(&sender->timers)) {
        due_ms = SLIM_LIST_ENTRY(sender->timers.next, struct record, queue)->due_ms;
    }
    if (!slim_list_is_empty(&sender->answers)) {
        uint64_t answer_ms =
            SLIM_LIST_ENTRY(sender->answers.next, struct record, answer)->answer_due_ms;
        due_ms = answer_ms < due_ms ? answer_ms : due_ms;
    }
    if (can_send(sender) && sender->held_count > 0) {
        due_ms = sender->now_ms + 1; /* memory ran out */
    }
    return due_ms;
}

size_t slim_session_sender_pending(const struct slim_session_sender *sender)
{
    return sender->pending_count;
}

size_t slim_session_sender_on_the_way(const struct slim_session_sender *sender)
{
    return sender->pending_count - sender->held_count;
}

static void complete_all(struct slim_session_sender *sender, struct slim_list *order,
                         enum slim_status status)
{
    while (!slim_list_is_empty(order)) {
        complete(sender, SLIM_LIST_ENTRY(order->next, struct record, order), status);
    }
}

void slim_session_sender_close(struct slim_session_sender *sender, enum slim_status status)
{
    assert(!sender->is_in_callback);
    sender->is_closed = true;
    complete_all(sender, &sender->sequence, status);
    complete_all(sender, &sender->direct, status);
    trim(sender, 0);
}
