/* The life of a message, from publish to complete. Records and their table are in sender_record.c. */
#include "session/sender.h"

#include "base/secret.h"
#include "session/content.h"
#include "session/sender_record.h"

enum {
    RECORDS_KEPT = 4,     /* spare records of a sender that has nothing to do */
    WRITABLE_PERCENT = 75 /* of the window: when a full one counts as open again */
};

static bool is_member(const struct slim_session_sender *sender, uint32_t slot)
{
    uint32_t word = slot / WORD_BITS;
    return word < sender->member_words && (sender->members[word] >> (slot % WORD_BITS) & 1) != 0;
}

/* ---- the window */

static size_t span(const struct slim_session_sender *sender)
{
    if (slim_list_is_empty(&sender->sequence)) {
        return 0;
    }
    const struct slim_session_record *oldest =
        SLIM_LIST_ENTRY(sender->sequence.next, struct slim_session_record, order);
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
static void count_bytes(struct slim_session_sender *sender, struct slim_session_record *record)
{
    sender->bytes -= record->counted;
    record->counted = sizeof(*record) + record->bytes.capacity + record->out.sealed.capacity;
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

static enum slim_status transmit(struct slim_session_sender *sender,
                                 struct slim_session_record *record, uint32_t slot)
{
    sender->is_in_callback = true;
    enum slim_status status = sender->owner.transmit(sender->owner.ctx, &record->out, slot);
    sender->is_in_callback = false;
    return status;
}

static void unlink_record(struct slim_session_sender *sender, struct slim_session_record *record)
{
    slim_session_record_unlink(sender, record);
    slim_list_remove(&record->order);
    slim_list_remove(&record->queue);
    sender->pending_count--;
    sender->bytes -= record->counted;
    sender->held_count -= record->is_held ? 1 : 0;
}

static void complete(struct slim_session_sender *sender, struct slim_session_record *record,
                     enum slim_status status)
{
    uint64_t op = record->op;
    uint32_t message_id = record->out.message_id;
    unlink_record(sender, record);
    slim_session_record_return(sender, record);
    tell_complete(sender, op, message_id, status);
}

static void start_timer(struct slim_session_sender *sender, struct slim_session_record *record)
{
    record->due_ms = sender->now_ms + sender->interval_ms;
    slim_list_put_last(&sender->timers, &record->queue);
}

/* Whom the message is for: those who are members now. SLIM_ERR_NO_MEMORY: it stays where it is. */
static enum slim_status address(struct slim_session_sender *sender,
                                struct slim_session_record *record)
{
    if (record->target != SLIM_SESSION_ALL) {
        record->first_slot = record->target;
        SLIM_TRY(slim_session_record_reserve(record, 1));
        slim_session_record_missing(record)[0] = 1;
        slim_session_record_meant(record)[0] = 1;
        record->missing_count = 1;
        return SLIM_OK;
    }
    record->first_slot = 0;
    SLIM_TRY(slim_session_record_reserve(record, sender->member_words));
    size_t size = sender->member_words * sizeof(uint64_t);
    memcpy(slim_session_record_missing(record), sender->members, size);
    memcpy(slim_session_record_meant(record), sender->members, size);
    record->missing_count = sender->member_count;
    return SLIM_OK;
}

/* The first transmission of a record that address() was called for. */
static void launch(struct slim_session_sender *sender, struct slim_session_record *record)
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
        struct slim_session_record *record =
            SLIM_LIST_ENTRY(sender->held.next, struct slim_session_record, queue);
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
static void settle(struct slim_session_sender *sender, struct slim_session_record *record,
                   uint32_t slot)
{
    uint32_t word;
    uint64_t bit;
    if (!slim_session_record_place(record, slot, &word, &bit) ||
        (slim_session_record_missing(record)[word] & bit) == 0) {
        return;
    }
    slim_session_record_missing(record)[word] &= ~bit;
    record->missing_count--;
    if ((slim_session_record_answered(record)[word] & bit) != 0) {
        slim_session_record_answered(record)[word] &= ~bit;
        record->answered_count--;
    }
    if (record->missing_count == 0) {
        complete(sender, record, SLIM_OK);
    }
}

static void forget_member(struct slim_session_sender *sender, struct slim_session_record *record,
                          uint32_t slot)
{
    if (record->is_held) {
        if (record->target == slot) {
            complete(sender, record, SLIM_ERR_NOT_FOUND);
        }
        return;
    }
    uint32_t word;
    uint64_t bit;
    if (slim_session_record_place(record, slot, &word, &bit)) {
        slim_session_record_meant(record)[word] &= ~bit;
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
    made->max_retries = options->max_retries;
    made->last_id = options->start & SLIM_SESSION_SEQUENCE_MAX;
    slim_list_init(&made->sequence);
    slim_list_init(&made->direct);
    slim_list_init(&made->held);
    slim_list_init(&made->timers);
    *sender = made;
    return SLIM_OK;
}

static void free_all(struct slim_list *order)
{
    SLIM_LIST_EACH(node, order)
    {
        slim_session_record_free(SLIM_LIST_ENTRY(node, struct slim_session_record, order));
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
    slim_session_sender_trim(sender, 0);
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
        forget_member(sender, SLIM_LIST_ENTRY(node, struct slim_session_record, order), slot);
    }
    SLIM_LIST_EACH(direct, &sender->direct)
    {
        forget_member(sender, SLIM_LIST_ENTRY(direct, struct slim_session_record, order), slot);
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
    struct slim_session_record record = {
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
                                    struct slim_session_record **made)
{
    SLIM_TRY(slim_session_sender_reserve(sender));
    struct slim_session_record *record = slim_session_record_take(sender);
    if (record == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    record->target = target;
    record->is_held = !can_send(sender);
    record->is_extended = false;
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
        slim_session_record_return(sender, record);
        return status;
    }
    *made = record;
    return SLIM_OK;
}

static void begin(struct slim_session_sender *sender, struct slim_session_record *record,
                  uint32_t message_id, uint64_t op)
{
    record->out.message_id = message_id;
    record->op = op;
    record->counted = 0;
    count_bytes(sender, record);
    slim_session_record_link(sender, record);
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
    struct slim_session_record *record = NULL;
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
    if (slim_session_record_find(sender, message_id) != NULL) {
        return SLIM_ERR_EXISTS;
    }
    if (!sender->is_reliable && can_send(sender)) {
        send_at_once(sender, content, message_id, slot, op);
        return SLIM_OK;
    }
    struct slim_session_record *record;
    SLIM_TRY(make_record(sender, content, slot, &record));
    begin(sender, record, message_id, op);
    return SLIM_OK;
}

void slim_session_sender_take_ack(struct slim_session_sender *sender, uint64_t now_ms,
                                  uint32_t slot, uint32_t message_id)
{
    enter(sender, now_ms);
    struct slim_session_record *record = slim_session_record_find(sender, message_id);
    if (record != NULL) {
        settle(sender, record, slot);
        tell_writable(sender);
    }
}

/* Note that a missing message is about to be answered to `slot`. */
static void note_answer(struct slim_session_record *record, uint32_t word, uint64_t bit)
{
    if ((slim_session_record_missing(record)[word] & bit) != 0 &&
        (slim_session_record_answered(record)[word] & bit) == 0) {
        slim_session_record_answered(record)[word] |= bit;
        record->answered_count++;
    }
}

void slim_session_sender_take_rtx(struct slim_session_sender *sender, uint64_t now_ms,
                                  uint32_t slot, uint32_t message_id)
{
    enter(sender, now_ms);
    if (!is_member(sender, slot)) {
        return;
    }
    struct slim_session_record *record = slim_session_record_find(sender, message_id);
    uint32_t word;
    uint64_t bit;
    if (record != NULL && (!slim_session_record_place(record, slot, &word, &bit) ||
                           (slim_session_record_meant(record)[word] & bit) == 0)) {
        record = NULL;
    }
    if (record != NULL) {
        note_answer(record, word, bit);
    }
    sender->is_in_callback = true;
    sender->owner.answer_rtx(sender->owner.ctx, slot, message_id,
                             record == NULL ? NULL : &record->out);
    sender->is_in_callback = false;
    if (record != NULL) {
        count_bytes(sender, record);
    }
}

uint32_t slim_session_sender_first_missing(struct slim_session_sender *sender, uint32_t slot,
                                           uint32_t message_id)
{
    SLIM_LIST_EACH(node, &sender->sequence)
    {
        struct slim_session_record *record =
            SLIM_LIST_ENTRY(node, struct slim_session_record, order);
        uint32_t ahead = (message_id - record->out.message_id) & SLIM_SESSION_SEQUENCE_MAX;
        uint32_t word;
        uint64_t bit;
        if (record->is_held || ahead == 0 || ahead > SLIM_SESSION_SEND_WINDOW) {
            break;
        }
        if (slim_session_record_place(record, slot, &word, &bit) &&
            (slim_session_record_missing(record)[word] & bit) != 0) {
            return record->out.message_id;
        }
    }
    return message_id;
}

/* To each that misses it and was not answered since the last time. */
static void repeat(struct slim_session_sender *sender, struct slim_session_record *record)
{
    for (uint32_t word = 0; word < record->word_count; word++) {
        uint64_t left =
            slim_session_record_missing(record)[word] & ~slim_session_record_answered(record)[word];
        while (left != 0) {
            uint32_t bit = (uint32_t)__builtin_ctzll(left);
            left &= left - 1;
            /* what fails here is left to the timer */
            (void)transmit(sender, record, record->first_slot + word * WORD_BITS + bit);
        }
    }
    count_bytes(sender, record);
}

static void forget_answers(struct slim_session_record *record)
{
    for (uint32_t word = 0; record->answered_count > 0 && word < record->word_count; word++) {
        slim_session_record_answered(record)[word] = 0;
    }
    record->answered_count = 0;
}

/* The timer of this record has run out. */
static void repeat_or_fail(struct slim_session_sender *sender, struct slim_session_record *record)
{
    if (record->out.repeat_count < sender->max_retries) {
        record->out.repeat_count++;
        repeat(sender, record);
    } else if (record->missing_count == record->answered_count && !record->is_extended) {
        record->is_extended = true;
    } else {
        complete(sender, record, SLIM_ERR_TIMEOUT);
        return;
    }
    forget_answers(record);
    start_timer(sender, record);
}

static void repeat_due(struct slim_session_sender *sender)
{
    while (!slim_list_is_empty(&sender->timers)) {
        struct slim_session_record *record =
            SLIM_LIST_ENTRY(sender->timers.next, struct slim_session_record, queue);
        if (record->due_ms > sender->now_ms) {
            return;
        }
        slim_list_remove(&record->queue);
        repeat_or_fail(sender, record);
    }
}

uint64_t slim_session_sender_tick(struct slim_session_sender *sender, uint64_t now_ms)
{
    enter(sender, now_ms);
    repeat_due(sender);
    flush(sender);
    if (sender->pending_count == 0) {
        slim_session_sender_trim(sender, RECORDS_KEPT);
    }
    tell_writable(sender);
    uint64_t due_ms = UINT64_MAX;
    if (!slim_list_is_empty(&sender->timers)) {
        due_ms = SLIM_LIST_ENTRY(sender->timers.next, struct slim_session_record, queue)->due_ms;
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
        complete(sender, SLIM_LIST_ENTRY(order->next, struct slim_session_record, order), status);
    }
}

void slim_session_sender_close(struct slim_session_sender *sender, enum slim_status status)
{
    assert(!sender->is_in_callback);
    sender->is_closed = true;
    complete_all(sender, &sender->sequence, status);
    complete_all(sender, &sender->direct, status);
    slim_session_sender_trim(sender, 0);
}
