/* Who sends what: sources by slot, their beginnings, and the calls of the session. The order itself is in receiver_source.c. */
#include "session/receiver.h"

#include "base/secret.h"
#include "session/content.h"
#include "session/receiver_source.h"

/* ---- the base */

/* Let `next` be the lowest number that is there: the base is not fixed yet. */
static void find_base(struct slim_session_receiver *receiver, struct slim_session_source *source)
{
    while (source->place_count > 0) {
        struct slim_session_place *place = slim_session_place_at(source, source->next);
        if (slim_session_place_is_waiting(place)) {
            return;
        }
        if (place != NULL) {
            slim_session_place_drop(receiver, source, place);
        }
        slim_session_source_pass(source);
        source->is_firm = false;
    }
    slim_session_source_give_back(receiver, source);
    slim_list_remove(&source->settle);
    source->has_late = false;
    source->state = SLIM_SESSION_SOURCE_UNKNOWN;
}

/* `next` is the first number. is_guess: as far as we know. */
static void settle(struct slim_session_receiver *receiver, struct slim_session_source *source,
                   bool is_guess)
{
    slim_list_remove(&source->settle);
    source->state = SLIM_SESSION_SOURCE_RUNNING;
    source->base = source->next;
    source->ask = source->next;
    source->has_late = is_guess;
    source->is_firm = !is_guess;
    slim_session_source_go_on(receiver, source);
}

/* A number was taken, and the base is not known: from now on it is waited for. */
static void wait_for_base(struct slim_session_receiver *receiver,
                          struct slim_session_source *source)
{
    uint64_t wait_ms = SLIM_SESSION_BASE_WAIT_MS;
    source->ask_ms = UINT64_MAX;
    if (source->is_asked) {
        wait_ms = SLIM_SESSION_BASE_ASK_MS;
        wait_ms = receiver->max_retries < wait_ms / receiver->interval_ms
                      ? (receiver->max_retries + UINT64_C(1)) * receiver->interval_ms
                      : wait_ms;
        source->ask_ms = receiver->now_ms + receiver->interval_ms;
    }
    source->settle_ms = receiver->now_ms + wait_ms;
    slim_list_put_last(&receiver->settling, &source->settle);
}

/* The number below `edge` was taken, and can be named. */
static void ask_base(struct slim_session_receiver *receiver, struct slim_session_source *source)
{
    uint32_t number = (source->edge - 1) & SLIM_SESSION_SEQUENCE_MAX;
    source->ask_ms = receiver->now_ms + receiver->interval_ms;
    receiver->is_in_callback = true;
    receiver->owner.ask_base(receiver->owner.ctx, source->slot, number, source->conn_id);
    receiver->is_in_callback = false;
}

/* Those whose first number is not known. Returns when one of them wants something next. */
static uint64_t look_after_bases(struct slim_session_receiver *receiver)
{
    uint64_t due_ms = UINT64_MAX;
    SLIM_LIST_EACH(node, &receiver->settling)
    {
        struct slim_session_source *source =
            SLIM_LIST_ENTRY(node, struct slim_session_source, settle);
        if (source->settle_ms <= receiver->now_ms) {
            settle(receiver, source, true);
            continue;
        }
        if (source->ask_ms <= receiver->now_ms) {
            ask_base(receiver, source);
        }
        due_ms = source->settle_ms < due_ms ? source->settle_ms : due_ms;
        due_ms = source->ask_ms < due_ms ? source->ask_ms : due_ms;
    }
    return due_ms;
}

/* Make `base` the next number, so far ahead of the one that is. What is below was not meant for us: what has been taken was acknowledged and
 * is delivered, what cannot be opened yet is not missed. */
static void raise(struct slim_session_receiver *receiver, struct slim_session_source *source,
                  uint32_t base)
{
    for (;;) {
        uint32_t ahead = slim_session_number_distance(source->next, base);
        if (ahead == 0 || ahead >= SEQUENCE_HALF) {
            return;
        }
        struct slim_session_place *place = slim_session_place_at(source, source->next);
        if (place != NULL && place->state == SLIM_SESSION_PLACE_HERE) {
            slim_session_source_flush(receiver, source);
        } else if (place != NULL) {
            slim_session_place_drop(receiver, source, place);
        } else {
            slim_session_source_pass(source);
        }
    }
}

/* Make `base` the next number, so far below the one that is. False: not now. */
static bool lower(struct slim_session_receiver *receiver, struct slim_session_source *source,
                  uint32_t base)
{
    struct slim_session_place *place;
    if (slim_session_number_distance(base, source->top) > SLIM_SESSION_RECEIVE_WINDOW ||
        slim_session_place_make(receiver, source, base, &place) != SLIM_OK) {
        return false;
    }
    slim_session_place_drop(receiver, source, place); /* the ring and `next` stay where they are */
    return true;
}

/* The first number of a source whose first number is not known. */
static void begin_settling(struct slim_session_source *source, uint32_t number)
{
    source->state = SLIM_SESSION_SOURCE_SETTLING;
    source->next = number;
    source->ask = number;
    source->edge = number;
    source->top = number;
}

/* Where numbers below the base are noted. False: not one of those that may come late. */
static bool late_bit(const struct slim_session_source *source, uint32_t number, uint32_t *word,
                     uint64_t *bit)
{
    uint32_t below = slim_session_number_distance(number, source->base);
    if (!source->has_late || below == 0 || below > LATE_COUNT) {
        return false;
    }
    *word = (below - 1) / 64;
    *bit = UINT64_C(1) << ((below - 1) % 64);
    return true;
}

/* Is this a number below the base that has not come? */
static bool is_late(const struct slim_session_source *source, uint32_t number)
{
    uint32_t word;
    uint64_t bit;
    return late_bit(source, number, &word, &bit) &&
           (source->late == NULL || (source->late[word] & bit) == 0);
}

static enum slim_status note_late(struct slim_session_source *source, uint32_t number)
{
    uint32_t word;
    uint64_t bit;
    if (!late_bit(source, number, &word, &bit)) {
        return SLIM_ERR_LIMIT;
    }
    if (source->late == NULL) {
        source->late = slim_secret_take(LATE_WORDS, sizeof(uint64_t));
        if (source->late == NULL) {
            return SLIM_ERR_NO_MEMORY;
        }
    }
    source->late[word] |= bit;
    source->is_firm = true; /* the bits are counted from the base */
    return SLIM_OK;
}

/* ---- direct messages */

/* Where a direct number is remembered; NULL: nowhere. */
static uint32_t *direct_find(const struct slim_session_source *source, uint32_t message_id)
{
    if (source->direct == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < SLIM_SESSION_DIRECT_SEEN; i++) {
        if (source->direct[i] == message_id + 1) {
            return &source->direct[i];
        }
    }
    return NULL;
}

static enum slim_status direct_note(struct slim_session_source *source, uint32_t message_id)
{
    if (direct_find(source, message_id) != NULL) {
        return SLIM_OK; /* it was reserved */
    }
    if (source->direct == NULL) {
        source->direct = slim_secret_take(SLIM_SESSION_DIRECT_SEEN, sizeof(uint32_t));
        if (source->direct == NULL) {
            return SLIM_ERR_NO_MEMORY;
        }
    }
    source->direct[source->direct_next] = message_id + 1;
    source->direct_next = (source->direct_next + 1) % SLIM_SESSION_DIRECT_SEEN;
    return SLIM_OK;
}

/* ---- the public functions */

enum slim_status slim_session_receiver_new(const struct slim_session_sender_options *options,
                                           const struct slim_session_receiver_owner *owner,
                                           struct slim_session_receiver **receiver)
{
    struct slim_session_receiver *made = slim_secret_take(1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    made->owner = *owner;
    made->is_reliable = options->is_reliable;
    made->interval_ms = options->interval_ms == 0 ? 1 : options->interval_ms;
    made->max_retries = options->max_retries;
    made->first_id = slim_session_number_after(options->start);
    slim_list_init(&made->wanted);
    slim_list_init(&made->settling);
    *receiver = made;
    return SLIM_OK;
}

static void source_free(struct slim_session_receiver *receiver, struct slim_session_source *source)
{
    for (size_t i = 0;
         i < slim_session_source_ring_bytes(source) / sizeof(struct slim_session_place *); i++) {
        if (source->ring[i] != NULL) {
            slim_session_place_drop(receiver, source, source->ring[i]);
        }
    }
    slim_session_source_give_back(receiver, source);
    slim_list_remove(&source->settle);
    slim_secret_return(source->late);
    slim_secret_return(source->direct);
    slim_secret_return(source->lost);
    slim_secret_return(source);
}

void slim_session_receiver_free(struct slim_session_receiver *receiver)
{
    if (receiver == NULL) {
        return;
    }
    assert(!receiver->is_in_callback);
    for (uint32_t slot = 0; slot < receiver->source_capacity; slot++) {
        if (receiver->sources[slot] != NULL) {
            source_free(receiver, receiver->sources[slot]);
        }
    }
    slim_session_receiver_trim(receiver, 0);
    slim_secret_return(receiver->sources);
    slim_secret_return(receiver);
}

/* Every public function that is told the time begins with it: time does not go back. */
static void enter(struct slim_session_receiver *receiver, uint64_t now_ms)
{
    assert(!receiver->is_in_callback);
    if (now_ms > receiver->now_ms) {
        receiver->now_ms = now_ms;
    }
}

static enum slim_status slots_reserve(struct slim_session_receiver *receiver, uint32_t slot)
{
    if (slot < receiver->source_capacity) {
        return SLIM_OK;
    }
    uint32_t capacity = receiver->source_capacity == 0 ? 2 : receiver->source_capacity;
    while (capacity <= slot) {
        capacity *= 2;
    }
    struct slim_session_source **sources =
        slim_secret_resize(receiver->sources, capacity * sizeof(struct slim_session_source *));
    if (sources == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    receiver->sources = sources;
    receiver->source_capacity = capacity;
    return SLIM_OK;
}

enum slim_status slim_session_receiver_add(struct slim_session_receiver *receiver, uint32_t slot,
                                           enum slim_session_beginning beginning)
{
    bool from_start = beginning == SLIM_SESSION_FROM_START;
    assert(!receiver->is_in_callback);
    if (slot >= SLIM_SESSION_MEMBERS_MAX) {
        return SLIM_ERR_LIMIT;
    }
    if (slim_session_source_find(receiver, slot) != NULL) {
        return SLIM_OK;
    }
    SLIM_TRY(slots_reserve(receiver, slot));
    struct slim_session_source *source = slim_secret_take(1, sizeof(*source));
    if (source == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    source->slot = slot;
    source->state = from_start ? SLIM_SESSION_SOURCE_RUNNING : SLIM_SESSION_SOURCE_UNKNOWN;
    source->is_fresh = from_start;
    source->is_asked = beginning == SLIM_SESSION_ASKED;
    source->is_firm = from_start;
    source->next = receiver->first_id;
    source->ask = source->next;
    source->edge = source->next;
    source->top = source->next;
    slim_list_init(&source->settle);
    receiver->sources[slot] = source;
    return SLIM_OK;
}

/* Deliver all that is here although something before it is missing: it was acknowledged. */
static void deliver_rest(struct slim_session_receiver *receiver, struct slim_session_source *source)
{
    while (source->place_count > 0) {
        struct slim_session_place *place = slim_session_place_at(source, source->next);
        if (place != NULL && place->state == SLIM_SESSION_PLACE_WANTED) {
            slim_session_place_stop_wanting(receiver, source, place);
            place->state = SLIM_SESSION_PLACE_LOST;
            place->is_answered = false;
        } else if (place == NULL || place->state == SLIM_SESSION_PLACE_RESERVED) {
            if (place != NULL) {
                slim_session_place_drop(receiver, source, place);
            }
            slim_session_source_pass(source);
        }
        slim_session_source_flush(receiver, source);
    }
}

void slim_session_receiver_remove(struct slim_session_receiver *receiver, uint32_t slot)
{
    assert(!receiver->is_in_callback);
    struct slim_session_source *source = slim_session_source_find(receiver, slot);
    if (source == NULL) {
        return;
    }
    slim_list_remove(&source->settle);
    deliver_rest(receiver, source);
    receiver->sources[slot] = NULL;
    source_free(receiver, source);
}

/* FROM_START was wrong: what came first is far behind the first number. Then the source is like one that was there before us. */
static bool is_far_start(const struct slim_session_source *source, uint32_t number)
{
    return source->is_fresh &&
           slim_session_number_distance(source->next, number) >= SLIM_SESSION_RECEIVE_WINDOW;
}

static enum slim_session_verdict look_below(const struct slim_session_source *source,
                                            uint32_t number)
{
    if (source->state == SLIM_SESSION_SOURCE_SETTLING) {
        return slim_session_number_distance(number, source->top) <= SLIM_SESSION_RECEIVE_WINDOW
                   ? SLIM_SESSION_NEW
                   : SLIM_SESSION_BEYOND;
    }
    if (is_late(
            source,
            number)) { /* whom we have asked, and did not hear, goes on in order: the rest is lost, and not acknowledged */
        return source->is_asked ? SLIM_SESSION_BEYOND : SLIM_SESSION_NEW;
    }
    return SLIM_SESSION_DUPLICATE;
}

/* Given up and passed: those behind it have been delivered. Its sender must not hear that it arrived. */
static bool was_lost(const struct slim_session_source *source, uint32_t number)
{
    for (uint32_t i = 0; source->lost != NULL && i < LOST_SEEN; i++) {
        if (source->lost[i] == number + 1) {
            return true;
        }
    }
    return false;
}

/* What this number is, room aside. */
static enum slim_session_verdict look_number(const struct slim_session_source *source,
                                             uint32_t number)
{
    if (source->state == SLIM_SESSION_SOURCE_UNKNOWN || is_far_start(source, number)) {
        return SLIM_SESSION_NEW;
    }
    uint32_t ahead = slim_session_number_distance(source->next, number);
    if (ahead < SLIM_SESSION_RECEIVE_WINDOW) {
        return slim_session_place_is_waiting(slim_session_place_at(source, number))
                   ? SLIM_SESSION_DUPLICATE
                   : SLIM_SESSION_NEW;
    }
    if (ahead < SEQUENCE_HALF || was_lost(source, number)) {
        return SLIM_SESSION_BEYOND;
    }
    return look_below(source, number);
}

enum slim_session_verdict slim_session_receiver_look(const struct slim_session_receiver *receiver,
                                                     uint32_t slot, uint32_t message_id,
                                                     bool is_direct, size_t bytes)
{
    const struct slim_session_source *source = slim_session_source_find(receiver, slot);
    if (source == NULL) {
        return SLIM_SESSION_BEYOND;
    }
    if (!receiver->is_reliable) {
        return SLIM_SESSION_NEW;
    }
    if (message_id > (is_direct ? SLIM_SESSION_DIRECT_MAX : SLIM_SESSION_SEQUENCE_MAX)) {
        return SLIM_SESSION_BEYOND;
    }
    if (is_direct) {
        return direct_find(source, message_id) != NULL ? SLIM_SESSION_DUPLICATE : SLIM_SESSION_NEW;
    }
    enum slim_session_verdict verdict = look_number(source, message_id);
    bool is_next = source->state == SLIM_SESSION_SOURCE_RUNNING && message_id == source->next;
    if (verdict == SLIM_SESSION_NEW && !is_next &&
        !slim_session_receiver_has_room(receiver, bytes)) {
        return SLIM_SESSION_BEYOND;
    }
    return verdict;
}

/* Begin with this number where nothing has come before. */
static void prepare(struct slim_session_source *source, uint32_t number)
{
    if (is_far_start(source, number)) {
        source->state = SLIM_SESSION_SOURCE_UNKNOWN;
        source->is_firm = false;
    }
    if (source->state == SLIM_SESSION_SOURCE_UNKNOWN) {
        begin_settling(source, number);
    }
}

/* Undo that when nothing came of it. */
static void unprepare(struct slim_session_receiver *receiver, struct slim_session_source *source)
{
    if (source->state == SLIM_SESSION_SOURCE_SETTLING && source->place_count == 0) {
        begin_settling(source, receiver->first_id);
        source->state =
            source->is_fresh ? SLIM_SESSION_SOURCE_RUNNING : SLIM_SESSION_SOURCE_UNKNOWN;
        source->is_firm = source->is_fresh;
    }
}

/* Keep a message until its turn. */
static enum slim_status keep(struct slim_session_receiver *receiver,
                             struct slim_session_source *source,
                             const struct slim_session_origin *origin,
                             const struct slim_session_content *content)
{
    size_t size = slim_session_content_size(content);
    struct slim_session_content copy;
    struct slim_buf bytes = {0};
    struct slim_session_place *place;
    if (!slim_session_receiver_has_room(receiver, size)) {
        return SLIM_ERR_LIMIT;
    }
    struct slim_session_place *spare = receiver->spare;
    if (spare != NULL && slim_session_place_at(source, origin->message_id) == NULL) {
        bytes = spare->bytes; /* the place that is about to be taken brings its buffer along */
        spare->bytes = (struct slim_buf){0};
    }
    enum slim_status status = slim_session_content_keep(content, &bytes, &copy);
    if (status == SLIM_OK) {
        status = slim_session_place_make(receiver, source, origin->message_id, &place);
    }
    if (status != SLIM_OK) {
        slim_buf_fini(&bytes);
        return status;
    }
    slim_session_place_stop_wanting(receiver, source, place);
    slim_buf_fini(&place->bytes);
    place->bytes = bytes;
    place->content = copy;
    place->origin = *origin;
    place->state = SLIM_SESSION_PLACE_HERE;
    slim_session_place_count_bytes(receiver, place, 0);
    if (slim_session_number_distance(source->next, origin->message_id) >=
        slim_session_number_distance(source->next, source->edge)) {
        source->edge = slim_session_number_after(origin->message_id);
    }
    return SLIM_OK;
}

/* The ordinary case: what was expected has come. */
static void take_next(struct slim_session_receiver *receiver, struct slim_session_source *source,
                      const struct slim_session_origin *origin,
                      const struct slim_session_content *content)
{
    struct slim_session_place *place = slim_session_place_at(source, source->next);
    if (place != NULL) {
        slim_session_place_drop(receiver, source, place);
    }
    slim_session_source_pass(source);
    slim_session_receiver_tell(receiver, source->slot, origin, content);
    if (SLIM_UNLIKELY(source->ring != NULL || source->ask != source->edge)) {
        slim_session_source_go_on(receiver, source);
    }
}

static enum slim_status take_below(struct slim_session_receiver *receiver,
                                   struct slim_session_source *source,
                                   const struct slim_session_origin *origin,
                                   const struct slim_session_content *content)
{
    uint32_t word;
    uint64_t bit;
    if (!late_bit(source, origin->message_id, &word, &bit)) {
        return SLIM_OK; /* a duplicate */
    }
    SLIM_TRY(note_late(source, origin->message_id));
    slim_session_receiver_tell(receiver, source->slot, origin, content);
    return SLIM_OK;
}

/* Out of order, or before the base is known. */
static enum slim_status take_apart(struct slim_session_receiver *receiver,
                                   struct slim_session_source *source,
                                   const struct slim_session_origin *origin,
                                   const struct slim_session_content *content)
{
    if (look_number(source, origin->message_id) == SLIM_SESSION_BEYOND) {
        return SLIM_ERR_LIMIT;
    }
    prepare(source, origin->message_id);
    uint32_t ahead = slim_session_number_distance(source->next, origin->message_id);
    if (source->state == SLIM_SESSION_SOURCE_RUNNING && ahead >= SLIM_SESSION_RECEIVE_WINDOW) {
        return take_below(receiver, source, origin, content);
    }
    struct slim_session_place *place = slim_session_place_at(source, origin->message_id);
    if (place != NULL && place->state == SLIM_SESSION_PLACE_HERE) {
        return SLIM_OK; /* a duplicate */
    }
    enum slim_status status = keep(receiver, source, origin, content);
    if (status != SLIM_OK) {
        unprepare(receiver, source);
        return status;
    }
    if (source->state == SLIM_SESSION_SOURCE_RUNNING) {
        slim_session_source_go_on(receiver, source);
    } else if (!slim_list_is_linked(&source->settle)) {
        wait_for_base(receiver, source);
    }
    return SLIM_OK;
}

enum slim_status slim_session_receiver_take(struct slim_session_receiver *receiver, uint64_t now_ms,
                                            uint32_t slot, const struct slim_session_origin *origin,
                                            const struct slim_session_content *content)
{
    enter(receiver, now_ms);
    struct slim_session_source *source = slim_session_source_find(receiver, slot);
    if (source == NULL) {
        return SLIM_ERR_LIMIT;
    }
    if (!receiver->is_reliable || origin->is_direct) {
        if (receiver->is_reliable) {
            SLIM_TRY(direct_note(source, origin->message_id));
        }
        slim_session_receiver_tell(receiver, slot, origin, content);
        return SLIM_OK;
    }
    if (origin->message_id > SLIM_SESSION_SEQUENCE_MAX) {
        return SLIM_ERR_LIMIT;
    }
    uint64_t conn_id = source->conn_id;
    source->conn_id = origin->conn_id;
    enum slim_status status = SLIM_OK;
    if (SLIM_LIKELY(source->state == SLIM_SESSION_SOURCE_RUNNING &&
                    origin->message_id == source->next)) {
        source->is_fresh = false;
        take_next(receiver, source, origin, content);
    } else {
        status = take_apart(receiver, source, origin, content);
        source->is_fresh = source->is_fresh && status != SLIM_OK;
        source->conn_id = status == SLIM_OK ? source->conn_id : conn_id;
    }
    return status;
}

static enum slim_status reserve_number(struct slim_session_receiver *receiver,
                                       struct slim_session_source *source,
                                       const struct slim_session_origin *origin, size_t bytes)
{
    uint32_t number = origin->message_id;
    if (look_number(source, number) == SLIM_SESSION_DUPLICATE) {
        return SLIM_OK;
    }
    if (look_number(source, number) == SLIM_SESSION_BEYOND ||
        !slim_session_receiver_has_room(receiver, bytes)) {
        return SLIM_ERR_LIMIT;
    }
    prepare(source, number);
    if (source->state == SLIM_SESSION_SOURCE_RUNNING &&
        slim_session_number_distance(source->next, number) >= SLIM_SESSION_RECEIVE_WINDOW) {
        return note_late(source, number);
    }
    struct slim_session_place *place;
    enum slim_status status = slim_session_place_make(receiver, source, number, &place);
    if (status != SLIM_OK) {
        unprepare(receiver, source);
        return status;
    }
    slim_session_place_stop_wanting(receiver, source, place);
    place->state = SLIM_SESSION_PLACE_RESERVED;
    slim_session_place_count_bytes(receiver, place, bytes);
    if (source->state == SLIM_SESSION_SOURCE_RUNNING) {
        slim_session_source_ask(receiver, source);
    }
    return SLIM_OK;
}

enum slim_status slim_session_receiver_reserve(struct slim_session_receiver *receiver,
                                               uint64_t now_ms, uint32_t slot,
                                               const struct slim_session_origin *origin,
                                               size_t bytes)
{
    enter(receiver, now_ms);
    struct slim_session_source *source = slim_session_source_find(receiver, slot);
    if (source == NULL) {
        return SLIM_ERR_LIMIT;
    }
    if (!receiver->is_reliable) {
        return SLIM_OK;
    }
    if (origin->is_direct) {
        return direct_note(source, origin->message_id);
    }
    if (origin->message_id > SLIM_SESSION_SEQUENCE_MAX) {
        return SLIM_ERR_LIMIT;
    }
    SLIM_TRY(reserve_number(receiver, source, origin, bytes));
    source->is_fresh = false;
    return SLIM_OK;
}

static void give_up_number(struct slim_session_receiver *receiver,
                           struct slim_session_source *source, uint32_t number)
{
    struct slim_session_place *place = slim_session_place_at(source, number);
    if (place == NULL || place->state != SLIM_SESSION_PLACE_RESERVED) {
        uint32_t word;
        uint64_t bit;
        if (place == NULL && late_bit(source, number, &word, &bit) && source->late != NULL) {
            source->late[word] &= ~bit;
        }
        return;
    }
    slim_session_place_drop(receiver, source, place);
    if (!source->is_firm && number == source->next) {
        find_base(receiver, source);
        source->base = source->next;
    } else if (slim_session_number_distance(source->next, number) <
               slim_session_number_distance(source->next, source->ask)) {
        source->ask = number;
    }
    if (source->state == SLIM_SESSION_SOURCE_RUNNING) {
        slim_session_source_go_on(receiver, source);
    }
}

void slim_session_receiver_give_up(struct slim_session_receiver *receiver, uint64_t now_ms,
                                   uint32_t slot, uint32_t message_id)
{
    enter(receiver, now_ms);
    struct slim_session_source *source = slim_session_source_find(receiver, slot);
    if (source == NULL || !receiver->is_reliable) {
        return;
    }
    uint32_t *direct = direct_find(source, message_id);
    if (direct != NULL) {
        *direct = 0;
    }
    if (message_id <= SLIM_SESSION_SEQUENCE_MAX) {
        give_up_number(receiver, source, message_id);
    }
}

void slim_session_receiver_take_lost(struct slim_session_receiver *receiver, uint64_t now_ms,
                                     uint32_t slot, uint32_t message_id)
{
    enter(receiver, now_ms);
    struct slim_session_source *source = slim_session_source_find(receiver, slot);
    struct slim_session_place *place = source == NULL || message_id > SLIM_SESSION_SEQUENCE_MAX
                                           ? NULL
                                           : slim_session_place_at(source, message_id);
    if (place == NULL || place->state != SLIM_SESSION_PLACE_WANTED) {
        return;
    }
    slim_session_place_stop_wanting(receiver, source, place);
    place->state = SLIM_SESSION_PLACE_LOST;
    place->is_answered = true;
    slim_session_source_go_on(receiver, source);
}

bool slim_session_receiver_wants_base(const struct slim_session_receiver *receiver, uint32_t slot)
{
    const struct slim_session_source *source = slim_session_source_find(receiver, slot);
    return source != NULL && slim_list_is_linked(&source->settle);
}

void slim_session_receiver_take_base(struct slim_session_receiver *receiver, uint64_t now_ms,
                                     uint32_t slot, uint32_t message_id, uint32_t base)
{
    enter(receiver, now_ms);
    struct slim_session_source *source = slim_session_source_find(receiver, slot);
    if (source == NULL || !slim_list_is_linked(&source->settle) ||
        message_id > SLIM_SESSION_SEQUENCE_MAX || base > SLIM_SESSION_SEQUENCE_MAX ||
        slim_session_number_distance(base, message_id) > SLIM_SESSION_SEND_WINDOW) {
        return;
    }
    const struct slim_session_place *asked = slim_session_place_at(source, message_id);
    if (asked == NULL || asked->state != SLIM_SESSION_PLACE_HERE) {
        return;
    }
    bool is_lower = slim_session_number_distance(source->next, base) >= SEQUENCE_HALF;
    if (is_lower && !lower(receiver, source, base)) {
        return;
    }
    raise(receiver, source, base);
    settle(receiver, source, false);
}

bool slim_session_receiver_is_wanted(const struct slim_session_receiver *receiver, uint32_t slot,
                                     uint32_t message_id)
{
    const struct slim_session_source *source = slim_session_source_find(receiver, slot);
    if (source == NULL || message_id > SLIM_SESSION_SEQUENCE_MAX) {
        return false;
    }
    const struct slim_session_place *place = slim_session_place_at(source, message_id);
    return place != NULL && place->state == SLIM_SESSION_PLACE_WANTED;
}

static void request_again(struct slim_session_receiver *receiver, struct slim_session_place *place)
{
    struct slim_session_source *source = receiver->sources[place->slot];
    slim_list_remove(&place->timer);
    if (place->tries < receiver->max_retries) {
        place->tries++;
        slim_session_place_request(receiver, source, place);
        return;
    }
    slim_session_place_stop_wanting(receiver, source, place);
    place->state = SLIM_SESSION_PLACE_LOST;
    place->is_answered = false;
    slim_session_source_go_on(receiver, source);
}

uint64_t slim_session_receiver_tick(struct slim_session_receiver *receiver, uint64_t now_ms)
{
    enter(receiver, now_ms);
    uint64_t due_ms = look_after_bases(receiver);
    while (!slim_list_is_empty(&receiver->wanted)) {
        struct slim_session_place *place =
            SLIM_LIST_ENTRY(receiver->wanted.next, struct slim_session_place, timer);
        if (place->due_ms > receiver->now_ms) {
            due_ms = place->due_ms < due_ms ? place->due_ms : due_ms;
            break;
        }
        request_again(receiver, place);
    }
    if (receiver->place_count == 0) {
        slim_session_receiver_trim(receiver, PLACES_KEPT_IDLE);
    }
    return due_ms;
}

size_t slim_session_receiver_wanted_count(const struct slim_session_receiver *receiver)
{
    return receiver->wanted_count;
}
