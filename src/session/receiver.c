/* One source per slot. In the ordinary case a source is a number and nothing else; a ring of cells exists while something is out of
 * order, and is given back when nothing is.
 *
 *        next         ask           edge          top      next + SLIM_SESSION_RECEIVE_WINDOW
 *          v           v             v             v         v
 *   passed |  H W . H  |  . . H . .  |  . R . . R  |         |  refused
 *
 *   H here, waits for its turn    W wanted: asked for    R reserved: the caller keeps it until it can be opened    L lost (not shown)
 *   below ask every number has a cell; between ask and edge a number without one is missing, and is asked for when less than
 *   SLIM_SESSION_RTX_AT_ONCE are wanted. edge is behind the highest number that was taken: what is only reserved moves nothing. */
#include "session/receiver.h"

#include "base/list.h"
#include "base/secret.h"
#include "session/content.h"

enum {
    RING_MIN = 16,
    LATE_COUNT =
        SLIM_SESSION_SEND_WINDOW, /* numbers below the base that a sender may still repeat */
    LATE_WORDS = LATE_COUNT / 64,
    SEQUENCE_HALF = 1 << 30,
    CELLS_KEPT = 64,         /* spare cells of a receiver at work */
    CELLS_KEPT_IDLE = 4,     /* and of one that waits for nothing */
    BUFFER_BYTES_KEPT = 2048 /* a larger buffer is not kept in a spare cell */
};

enum cell_state {
    CELL_WANTED,
    CELL_HERE,
    CELL_RESERVED,
    CELL_LOST,
};

/* is_answered   CELL_LOST: the sender said that it has not got it
 * counted       bytes it counts for */
struct cell {
    enum cell_state state;
    bool is_answered;
    uint32_t slot;
    uint32_t message_id;
    uint32_t tries;
    uint64_t due_ms;
    size_t counted;
    struct slim_list timer;
    struct cell *spare;
    struct slim_session_origin origin;
    struct slim_session_content content;
    struct slim_buf bytes;
};

/* UNKNOWN    no number has come; the first one may be any
 * SETTLING   some have come, the lowest is `next`; nothing is delivered and nothing asked for yet
 * RUNNING    `next` is the next to deliver */
enum source_state {
    SOURCE_UNKNOWN,
    SOURCE_SETTLING,
    SOURCE_RUNNING,
};

/* is_fresh   from_start, and nothing has come yet
 * is_firm    a number was passed: the base does not move any more
 * has_late   numbers below base may come for the first time; those that did are in `late` (NULL: none)
 * direct     the last direct numbers, each + 1; NULL: none came
 * settle     linked: SETTLING, and a number was taken */
struct source {
    enum source_state state;
    bool is_fresh;
    bool is_firm;
    bool has_late;
    uint32_t slot;
    uint32_t next;
    uint32_t ask;
    uint32_t edge;
    uint32_t top;
    uint32_t base;
    uint32_t ring_mask;
    uint32_t cell_count;
    uint32_t wanted_count;
    uint32_t direct_next;
    uint64_t conn_id;
    uint64_t settle_ms;
    struct slim_list settle;
    struct cell **ring;
    uint64_t *late;
    uint32_t *direct;
};

struct slim_session_receiver {
    struct slim_session_receiver_owner owner;
    bool is_reliable;
    bool is_in_callback;
    uint32_t max_retries;
    uint32_t first_id;
    uint64_t interval_ms;
    uint64_t now_ms;
    struct source **sources;
    uint32_t source_capacity;
    size_t wanted_count;
    size_t cell_count;
    size_t bytes;
    struct slim_list wanted;
    struct slim_list settling;
    struct cell *spare;
    size_t spare_count;
};

static uint32_t number_after(uint32_t number)
{
    return (number + 1) & SLIM_SESSION_SEQUENCE_MAX;
}

static uint32_t distance(uint32_t from, uint32_t to)
{
    return (to - from) & SLIM_SESSION_SEQUENCE_MAX;
}

static struct source *find(const struct slim_session_receiver *receiver, uint32_t slot)
{
    return slot < receiver->source_capacity ? receiver->sources[slot] : NULL;
}

/* ---- cells */

static struct cell *cell_at(const struct source *source, uint32_t number)
{
    return source->ring == NULL || distance(source->next, number) > source->ring_mask
               ? NULL
               : source->ring[number & source->ring_mask];
}

static bool is_waiting(const struct cell *cell)
{
    return cell != NULL && (cell->state == CELL_HERE || cell->state == CELL_RESERVED);
}

static void cell_free(struct cell *cell)
{
    slim_buf_fini(&cell->bytes);
    slim_secret_return(cell);
}

static struct cell *cell_take(struct slim_session_receiver *receiver)
{
    struct cell *cell = receiver->spare;
    if (cell != NULL) {
        receiver->spare = cell->spare;
        receiver->spare_count--;
        return cell;
    }
    cell = slim_secret_take(1, sizeof(*cell));
    if (cell != NULL) {
        slim_list_init(&cell->timer);
    }
    return cell;
}

/* Keep a cell that is in no ring for later. */
static void cell_return(struct slim_session_receiver *receiver, struct cell *cell)
{
    if (cell->bytes.capacity > BUFFER_BYTES_KEPT) {
        slim_buf_fini(&cell->bytes);
    }
    slim_buf_clear(&cell->bytes);
    if (receiver->spare_count >= CELLS_KEPT) {
        cell_free(cell);
        return;
    }
    cell->spare = receiver->spare;
    receiver->spare = cell;
    receiver->spare_count++;
}

static void trim(struct slim_session_receiver *receiver, size_t count)
{
    while (receiver->spare_count > count) {
        struct cell *cell = receiver->spare;
        receiver->spare = cell->spare;
        receiver->spare_count--;
        cell_free(cell);
    }
}

/* What a cell occupies from now on; `bytes` are those the caller keeps for it. */
static void cell_count_bytes(struct slim_session_receiver *receiver, struct cell *cell,
                             size_t bytes)
{
    receiver->bytes -= cell->counted;
    cell->counted = sizeof(*cell) + cell->bytes.len + bytes;
    receiver->bytes += cell->counted;
}

static void stop_wanting(struct slim_session_receiver *receiver, struct source *source,
                         struct cell *cell)
{
    if (cell->state == CELL_WANTED) {
        slim_list_remove(&cell->timer);
        source->wanted_count--;
        receiver->wanted_count--;
    }
}

/* Take a cell out of the ring; it is the caller's to return. */
static void cell_detach(struct slim_session_receiver *receiver, struct source *source,
                        struct cell *cell)
{
    stop_wanting(receiver, source, cell);
    source->ring[cell->message_id & source->ring_mask] = NULL;
    source->cell_count--;
    receiver->cell_count--;
    receiver->bytes -= cell->counted;
    cell->counted = 0;
}

static void cell_drop(struct slim_session_receiver *receiver, struct source *source,
                      struct cell *cell)
{
    cell_detach(receiver, source, cell);
    cell_return(receiver, cell);
}

static bool has_room(const struct slim_session_receiver *receiver, size_t bytes)
{
    return bytes <= SLIM_SESSION_RECEIVE_BYTES_MAX &&
           receiver->bytes + bytes + sizeof(struct cell) <= SLIM_SESSION_RECEIVE_BYTES_MAX;
}

/* ---- the ring */

static size_t ring_bytes(const struct source *source)
{
    return source->ring == NULL ? 0 : ((size_t)source->ring_mask + 1) * sizeof(struct cell *);
}

/* Make the ring hold `span` numbers; at most SLIM_SESSION_RECEIVE_WINDOW. */
static enum slim_status ring_reserve(struct slim_session_receiver *receiver, struct source *source,
                                     uint32_t span)
{
    if (source->ring != NULL && span <= source->ring_mask + 1) {
        return SLIM_OK;
    }
    size_t size = RING_MIN;
    while (size < span) {
        size *= 2;
    }
    size_t old_bytes = ring_bytes(source);
    size_t new_bytes = size * sizeof(struct cell *);
    if (receiver->bytes - old_bytes + new_bytes > SLIM_SESSION_RECEIVE_BYTES_MAX) {
        return SLIM_ERR_LIMIT;
    }
    struct cell **ring = slim_secret_take(size, sizeof(struct cell *));
    if (ring == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < old_bytes / sizeof(struct cell *); i++) {
        if (source->ring[i] != NULL) {
            ring[source->ring[i]->message_id & (size - 1)] = source->ring[i];
        }
    }
    slim_secret_return(source->ring);
    source->ring = ring;
    source->ring_mask = (uint32_t)size - 1;
    receiver->bytes = receiver->bytes - old_bytes + new_bytes;
    return SLIM_OK;
}

static void ring_give_back(struct slim_session_receiver *receiver, struct source *source)
{
    if (source->cell_count == 0) {
        receiver->bytes -= ring_bytes(source);
        slim_secret_return(source->ring);
        source->ring = NULL;
        source->top = source->edge;
    }
}

/* The cell of `number`, made when there is none; next, top and the ring then cover it. number is in the window, or, in a source that
 * settles, below next and within the window from top. */
static enum slim_status cell_make(struct slim_session_receiver *receiver, struct source *source,
                                  uint32_t number, struct cell **made)
{
    bool is_lower = distance(source->next, number) >= SEQUENCE_HALF;
    uint32_t low = is_lower ? number : source->next;
    uint32_t top =
        distance(low, number) >= distance(low, source->top) ? number_after(number) : source->top;
    SLIM_TRY(ring_reserve(receiver, source, distance(low, top)));
    struct cell *cell = source->ring[number & source->ring_mask];
    if (cell == NULL) {
        cell = cell_take(receiver);
        if (cell == NULL) {
            ring_give_back(receiver, source);
            return SLIM_ERR_NO_MEMORY;
        }
        cell->state = CELL_LOST; /* until the caller says otherwise */
        cell->is_answered = false;
        cell->slot = source->slot;
        cell->message_id = number;
        source->ring[number & source->ring_mask] = cell;
        source->cell_count++;
        receiver->cell_count++;
    }
    if (is_lower && !slim_list_is_linked(&source->settle)) {
        source->edge = low; /* nothing was taken yet */
    }
    source->next = low;
    source->top = top;
    *made = cell;
    return SLIM_OK;
}

/* ---- callbacks */

static void tell_deliver(struct slim_session_receiver *receiver, uint32_t slot,
                         const struct slim_session_origin *origin,
                         const struct slim_session_content *content)
{
    receiver->is_in_callback = true;
    receiver->owner.deliver(receiver->owner.ctx, slot, origin, content);
    receiver->is_in_callback = false;
}

static void tell_lost(struct slim_session_receiver *receiver, const struct cell *cell)
{
    receiver->is_in_callback = true;
    receiver->owner.lost(receiver->owner.ctx, cell->slot, cell->message_id, cell->is_answered);
    receiver->is_in_callback = false;
}

/* Ask for it, the first time or again. */
static void request(struct slim_session_receiver *receiver, struct source *source,
                    struct cell *cell)
{
    cell->due_ms = receiver->now_ms + receiver->interval_ms;
    slim_list_put_last(&receiver->wanted, &cell->timer);
    receiver->is_in_callback = true;
    receiver->owner.request(receiver->owner.ctx, source->slot, cell->message_id, source->conn_id);
    receiver->is_in_callback = false;
}

/* ---- the order */

/* The number `next` is dealt with. */
static void pass(struct source *source)
{
    uint32_t after = number_after(source->next);
    source->ask = source->ask == source->next ? after : source->ask;
    source->top = source->top == source->next ? after : source->top;
    source->edge = source->edge == source->next ? after : source->edge;
    source->next = after;
    source->is_firm = true;
    if (source->has_late && distance(source->base, after) >= SLIM_SESSION_RECEIVE_WINDOW) {
        source->has_late = false;
        slim_secret_return(source->late);
        source->late = NULL;
    }
}

/* Deliver what is next as far as it is there. */
static void flush(struct slim_session_receiver *receiver, struct source *source)
{
    for (;;) {
        struct cell *cell = cell_at(source, source->next);
        if (cell == NULL || cell->state == CELL_WANTED || cell->state == CELL_RESERVED) {
            return;
        }
        cell_detach(receiver, source, cell);
        pass(source);
        if (cell->state == CELL_HERE) {
            tell_deliver(receiver, source->slot, &cell->origin, &cell->content);
        } else {
            tell_lost(receiver, cell);
        }
        cell_return(receiver, cell);
    }
}

/* Ask for what is missing, so many at a time. When memory runs out the rest is asked for later. */
static void ask(struct slim_session_receiver *receiver, struct source *source)
{
    while (source->ask != source->edge && source->wanted_count < SLIM_SESSION_RTX_AT_ONCE) {
        if (cell_at(source, source->ask) == NULL) {
            struct cell *cell;
            if (cell_make(receiver, source, source->ask, &cell) != SLIM_OK) {
                return;
            }
            cell->state = CELL_WANTED;
            cell->tries = 0;
            cell_count_bytes(receiver, cell, 0);
            source->wanted_count++;
            receiver->wanted_count++;
            request(receiver, source, cell);
        }
        source->ask = number_after(source->ask);
    }
}

/* After anything that changed the cells of a running source. */
static void go_on(struct slim_session_receiver *receiver, struct source *source)
{
    flush(receiver, source);
    ask(receiver, source);
    ring_give_back(receiver, source);
}

/* ---- the base */

/* Let `next` be the lowest number that is there: the base is not fixed yet. */
static void find_base(struct slim_session_receiver *receiver, struct source *source)
{
    while (source->cell_count > 0) {
        struct cell *cell = cell_at(source, source->next);
        if (is_waiting(cell)) {
            return;
        }
        if (cell != NULL) {
            cell_drop(receiver, source, cell);
        }
        pass(source);
        source->is_firm = false;
    }
    ring_give_back(receiver, source);
    slim_list_remove(&source->settle);
    source->has_late = false;
    source->state = SOURCE_UNKNOWN;
}

static void settle(struct slim_session_receiver *receiver, struct source *source)
{
    slim_list_remove(&source->settle);
    source->state = SOURCE_RUNNING;
    source->base = source->next;
    source->ask = source->next;
    source->has_late = true;
    go_on(receiver, source);
}

/* The first number of a source whose first number is not known. */
static void begin_settling(struct source *source, uint32_t number)
{
    source->state = SOURCE_SETTLING;
    source->next = number;
    source->ask = number;
    source->edge = number;
    source->top = number;
}

/* Where numbers below the base are noted. False: not one of those that may come late. */
static bool late_place(const struct source *source, uint32_t number, uint32_t *word, uint64_t *bit)
{
    uint32_t below = distance(number, source->base);
    if (!source->has_late || below == 0 || below > LATE_COUNT) {
        return false;
    }
    *word = (below - 1) / 64;
    *bit = UINT64_C(1) << ((below - 1) % 64);
    return true;
}

/* Is this a number below the base that has not come? */
static bool is_late(const struct source *source, uint32_t number)
{
    uint32_t word;
    uint64_t bit;
    return late_place(source, number, &word, &bit) &&
           (source->late == NULL || (source->late[word] & bit) == 0);
}

static enum slim_status note_late(struct source *source, uint32_t number)
{
    uint32_t word;
    uint64_t bit;
    if (!late_place(source, number, &word, &bit)) {
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
static uint32_t *direct_find(const struct source *source, uint32_t message_id)
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

static enum slim_status direct_note(struct source *source, uint32_t message_id)
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
    made->first_id = number_after(options->start);
    slim_list_init(&made->wanted);
    slim_list_init(&made->settling);
    *receiver = made;
    return SLIM_OK;
}

static void source_free(struct slim_session_receiver *receiver, struct source *source)
{
    for (size_t i = 0; i < ring_bytes(source) / sizeof(struct cell *); i++) {
        if (source->ring[i] != NULL) {
            cell_drop(receiver, source, source->ring[i]);
        }
    }
    ring_give_back(receiver, source);
    slim_list_remove(&source->settle);
    slim_secret_return(source->late);
    slim_secret_return(source->direct);
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
    trim(receiver, 0);
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
    struct source **sources =
        slim_secret_resize(receiver->sources, capacity * sizeof(struct source *));
    if (sources == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    receiver->sources = sources;
    receiver->source_capacity = capacity;
    return SLIM_OK;
}

enum slim_status slim_session_receiver_add(struct slim_session_receiver *receiver, uint32_t slot,
                                           bool from_start)
{
    assert(!receiver->is_in_callback);
    if (slot >= SLIM_SESSION_MEMBERS_MAX) {
        return SLIM_ERR_LIMIT;
    }
    if (find(receiver, slot) != NULL) {
        return SLIM_OK;
    }
    SLIM_TRY(slots_reserve(receiver, slot));
    struct source *source = slim_secret_take(1, sizeof(*source));
    if (source == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    source->slot = slot;
    source->state = from_start ? SOURCE_RUNNING : SOURCE_UNKNOWN;
    source->is_fresh = from_start;
    source->is_firm = from_start;
    source->next = receiver->first_id;
    source->ask = source->next;
    source->edge = source->next;
    source->top = source->next;
    slim_list_init(&source->settle);
    receiver->sources[slot] = source;
    return SLIM_OK;
}

void slim_session_receiver_remove(struct slim_session_receiver *receiver, uint32_t slot)
{
    assert(!receiver->is_in_callback);
    struct source *source = find(receiver, slot);
    if (source == NULL) {
        return;
    }
    if (slim_list_is_linked(&source->settle)) {
        slim_list_remove(&source->settle);
        flush(receiver, source);
    }
    receiver->sources[slot] = NULL;
    source_free(receiver, source);
}

/* From_start was wrong: what came first is far behind the first number. Then the source is like one that was there before us. */
static bool is_far_start(const struct source *source, uint32_t number)
{
    return source->is_fresh && distance(source->next, number) >= SLIM_SESSION_RECEIVE_WINDOW;
}

static enum slim_session_verdict look_below(const struct source *source, uint32_t number)
{
    if (source->state == SOURCE_SETTLING) {
        return distance(number, source->top) <= SLIM_SESSION_RECEIVE_WINDOW ? SLIM_SESSION_NEW
                                                                            : SLIM_SESSION_BEYOND;
    }
    return is_late(source, number) ? SLIM_SESSION_NEW : SLIM_SESSION_DUPLICATE;
}

/* What this number is, room aside. */
static enum slim_session_verdict look_number(const struct source *source, uint32_t number)
{
    if (source->state == SOURCE_UNKNOWN || is_far_start(source, number)) {
        return SLIM_SESSION_NEW;
    }
    uint32_t ahead = distance(source->next, number);
    if (ahead < SLIM_SESSION_RECEIVE_WINDOW) {
        return is_waiting(cell_at(source, number)) ? SLIM_SESSION_DUPLICATE : SLIM_SESSION_NEW;
    }
    return ahead < SEQUENCE_HALF ? SLIM_SESSION_BEYOND : look_below(source, number);
}

enum slim_session_verdict slim_session_receiver_look(const struct slim_session_receiver *receiver,
                                                     uint32_t slot, uint32_t message_id,
                                                     bool is_direct, size_t bytes)
{
    const struct source *source = find(receiver, slot);
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
    bool is_next = source->state == SOURCE_RUNNING && message_id == source->next;
    if (verdict == SLIM_SESSION_NEW && !is_next && !has_room(receiver, bytes)) {
        return SLIM_SESSION_BEYOND;
    }
    return verdict;
}

/* Begin with this number where nothing has come before. */
static void prepare(struct source *source, uint32_t number)
{
    if (is_far_start(source, number)) {
        source->state = SOURCE_UNKNOWN;
        source->is_firm = false;
    }
    if (source->state == SOURCE_UNKNOWN) {
        begin_settling(source, number);
    }
}

/* Undo that when nothing came of it. */
static void unprepare(struct slim_session_receiver *receiver, struct source *source)
{
    if (source->state == SOURCE_SETTLING && source->cell_count == 0) {
        begin_settling(source, receiver->first_id);
        source->state = source->is_fresh ? SOURCE_RUNNING : SOURCE_UNKNOWN;
        source->is_firm = source->is_fresh;
    }
}

/* Keep a message until its turn. */
static enum slim_status keep(struct slim_session_receiver *receiver, struct source *source,
                             const struct slim_session_origin *origin,
                             const struct slim_session_content *content)
{
    size_t size = slim_session_content_size(content);
    struct slim_session_content copy;
    struct slim_buf bytes = {0};
    struct cell *cell;
    if (!has_room(receiver, size)) {
        return SLIM_ERR_LIMIT;
    }
    struct cell *spare = receiver->spare;
    if (spare != NULL && cell_at(source, origin->message_id) == NULL) {
        bytes = spare->bytes; /* the cell that cell_make will take brings its buffer along */
        spare->bytes = (struct slim_buf){0};
    }
    enum slim_status status = slim_session_content_keep(content, &bytes, &copy);
    if (status == SLIM_OK) {
        status = cell_make(receiver, source, origin->message_id, &cell);
    }
    if (status != SLIM_OK) {
        slim_buf_fini(&bytes);
        return status;
    }
    stop_wanting(receiver, source, cell);
    slim_buf_fini(&cell->bytes);
    cell->bytes = bytes;
    cell->content = copy;
    cell->origin = *origin;
    cell->state = CELL_HERE;
    cell_count_bytes(receiver, cell, 0);
    if (distance(source->next, origin->message_id) >= distance(source->next, source->edge)) {
        source->edge = number_after(origin->message_id);
    }
    return SLIM_OK;
}

/* The ordinary case: what was expected has come. */
static void take_next(struct slim_session_receiver *receiver, struct source *source,
                      const struct slim_session_origin *origin,
                      const struct slim_session_content *content)
{
    struct cell *cell = cell_at(source, source->next);
    if (cell != NULL) {
        cell_drop(receiver, source, cell);
    }
    pass(source);
    tell_deliver(receiver, source->slot, origin, content);
    if (SLIM_UNLIKELY(source->ring != NULL || source->ask != source->edge)) {
        go_on(receiver, source);
    }
}

static enum slim_status take_below(struct slim_session_receiver *receiver, struct source *source,
                                   const struct slim_session_origin *origin,
                                   const struct slim_session_content *content)
{
    uint32_t word;
    uint64_t bit;
    if (!late_place(source, origin->message_id, &word, &bit)) {
        return SLIM_OK; /* a duplicate */
    }
    SLIM_TRY(note_late(source, origin->message_id));
    tell_deliver(receiver, source->slot, origin, content);
    return SLIM_OK;
}

/* Out of order, or before the base is known. */
static enum slim_status take_apart(struct slim_session_receiver *receiver, struct source *source,
                                   const struct slim_session_origin *origin,
                                   const struct slim_session_content *content)
{
    if (look_number(source, origin->message_id) == SLIM_SESSION_BEYOND) {
        return SLIM_ERR_LIMIT;
    }
    prepare(source, origin->message_id);
    uint32_t ahead = distance(source->next, origin->message_id);
    if (source->state == SOURCE_RUNNING && ahead >= SLIM_SESSION_RECEIVE_WINDOW) {
        return take_below(receiver, source, origin, content);
    }
    struct cell *cell = cell_at(source, origin->message_id);
    if (cell != NULL && cell->state == CELL_HERE) {
        return SLIM_OK; /* a duplicate */
    }
    enum slim_status status = keep(receiver, source, origin, content);
    if (status != SLIM_OK) {
        unprepare(receiver, source);
        return status;
    }
    if (source->state == SOURCE_RUNNING) {
        go_on(receiver, source);
    } else if (!slim_list_is_linked(&source->settle)) {
        source->settle_ms = receiver->now_ms + SLIM_SESSION_BASE_WAIT_MS;
        slim_list_put_last(&receiver->settling, &source->settle);
    }
    return SLIM_OK;
}

enum slim_status slim_session_receiver_take(struct slim_session_receiver *receiver, uint64_t now_ms,
                                            uint32_t slot, const struct slim_session_origin *origin,
                                            const struct slim_session_content *content)
{
    enter(receiver, now_ms);
    struct source *source = find(receiver, slot);
    if (source == NULL) {
        return SLIM_ERR_LIMIT;
    }
    if (!receiver->is_reliable || origin->is_direct) {
        if (receiver->is_reliable) {
            SLIM_TRY(direct_note(source, origin->message_id));
        }
        tell_deliver(receiver, slot, origin, content);
        return SLIM_OK;
    }
    if (origin->message_id > SLIM_SESSION_SEQUENCE_MAX) {
        return SLIM_ERR_LIMIT;
    }
    uint64_t conn_id = source->conn_id;
    source->conn_id = origin->conn_id;
    enum slim_status status = SLIM_OK;
    if (SLIM_LIKELY(source->state == SOURCE_RUNNING && origin->message_id == source->next)) {
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
                                       struct source *source,
                                       const struct slim_session_origin *origin, size_t bytes)
{
    uint32_t number = origin->message_id;
    if (look_number(source, number) == SLIM_SESSION_DUPLICATE) {
        return SLIM_OK;
    }
    if (look_number(source, number) == SLIM_SESSION_BEYOND || !has_room(receiver, bytes)) {
        return SLIM_ERR_LIMIT;
    }
    prepare(source, number);
    if (source->state == SOURCE_RUNNING &&
        distance(source->next, number) >= SLIM_SESSION_RECEIVE_WINDOW) {
        return note_late(source, number);
    }
    struct cell *cell;
    enum slim_status status = cell_make(receiver, source, number, &cell);
    if (status != SLIM_OK) {
        unprepare(receiver, source);
        return status;
    }
    stop_wanting(receiver, source, cell);
    cell->state = CELL_RESERVED;
    cell_count_bytes(receiver, cell, bytes);
    if (source->state == SOURCE_RUNNING) {
        ask(receiver, source);
    }
    return SLIM_OK;
}

enum slim_status slim_session_receiver_reserve(struct slim_session_receiver *receiver,
                                               uint64_t now_ms, uint32_t slot,
                                               const struct slim_session_origin *origin,
                                               size_t bytes)
{
    enter(receiver, now_ms);
    struct source *source = find(receiver, slot);
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

static void give_up_number(struct slim_session_receiver *receiver, struct source *source,
                           uint32_t number)
{
    struct cell *cell = cell_at(source, number);
    if (cell == NULL || cell->state != CELL_RESERVED) {
        uint32_t word;
        uint64_t bit;
        if (cell == NULL && late_place(source, number, &word, &bit) && source->late != NULL) {
            source->late[word] &= ~bit;
        }
        return;
    }
    cell_drop(receiver, source, cell);
    if (!source->is_firm && number == source->next) {
        find_base(receiver, source);
        source->base = source->next;
    } else if (distance(source->next, number) < distance(source->next, source->ask)) {
        source->ask = number;
    }
    if (source->state == SOURCE_RUNNING) {
        go_on(receiver, source);
    }
}

void slim_session_receiver_give_up(struct slim_session_receiver *receiver, uint64_t now_ms,
                                   uint32_t slot, uint32_t message_id)
{
    enter(receiver, now_ms);
    struct source *source = find(receiver, slot);
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
    struct source *source = find(receiver, slot);
    struct cell *cell = source == NULL || message_id > SLIM_SESSION_SEQUENCE_MAX
                            ? NULL
                            : cell_at(source, message_id);
    if (cell == NULL || cell->state != CELL_WANTED) {
        return;
    }
    stop_wanting(receiver, source, cell);
    cell->state = CELL_LOST;
    cell->is_answered = true;
    go_on(receiver, source);
}

bool slim_session_receiver_is_wanted(const struct slim_session_receiver *receiver, uint32_t slot,
                                     uint32_t message_id)
{
    const struct source *source = find(receiver, slot);
    if (source == NULL || message_id > SLIM_SESSION_SEQUENCE_MAX) {
        return false;
    }
    const struct cell *cell = cell_at(source, message_id);
    return cell != NULL && cell->state == CELL_WANTED;
}

static void request_again(struct slim_session_receiver *receiver, struct cell *cell)
{
    struct source *source = receiver->sources[cell->slot];
    slim_list_remove(&cell->timer);
    if (cell->tries < receiver->max_retries) {
        cell->tries++;
        request(receiver, source, cell);
        return;
    }
    stop_wanting(receiver, source, cell);
    cell->state = CELL_LOST;
    cell->is_answered = false;
    go_on(receiver, source);
}

uint64_t slim_session_receiver_tick(struct slim_session_receiver *receiver, uint64_t now_ms)
{
    enter(receiver, now_ms);
    uint64_t due_ms = UINT64_MAX;
    while (!slim_list_is_empty(&receiver->settling)) {
        struct source *source = SLIM_LIST_ENTRY(receiver->settling.next, struct source, settle);
        if (source->settle_ms > receiver->now_ms) {
            due_ms = source->settle_ms;
            break;
        }
        settle(receiver, source);
    }
    while (!slim_list_is_empty(&receiver->wanted)) {
        struct cell *cell = SLIM_LIST_ENTRY(receiver->wanted.next, struct cell, timer);
        if (cell->due_ms > receiver->now_ms) {
            due_ms = cell->due_ms < due_ms ? cell->due_ms : due_ms;
            break;
        }
        request_again(receiver, cell);
    }
    if (receiver->cell_count == 0) {
        trim(receiver, CELLS_KEPT_IDLE);
    }
    return due_ms;
}

size_t slim_session_receiver_wanted_count(const struct slim_session_receiver *receiver)
{
    return receiver->wanted_count;
}
