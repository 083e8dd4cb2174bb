/* Places, the ring that holds them, and the order of one source. */
#include "session/receiver_source.h"

#include "base/secret.h"

enum { RING_MIN = 16 };

/* ---- places */

struct slim_session_place *slim_session_place_at(const struct slim_session_source *source,
                                                 uint32_t number)
{
    return source->ring == NULL ||
                   slim_session_number_distance(source->next, number) > source->ring_mask
               ? NULL
               : source->ring[number & source->ring_mask];
}

bool slim_session_place_is_waiting(const struct slim_session_place *place)
{
    return place != NULL &&
           (place->state == SLIM_SESSION_PLACE_HERE || place->state == SLIM_SESSION_PLACE_RESERVED);
}

static void place_free(struct slim_session_place *place)
{
    slim_buf_fini(&place->bytes);
    slim_secret_return(place);
}

static struct slim_session_place *place_take(struct slim_session_receiver *receiver)
{
    struct slim_session_place *place = receiver->spare;
    if (place != NULL) {
        receiver->spare = place->spare;
        receiver->spare_count--;
        return place;
    }
    place = slim_secret_take(1, sizeof(*place));
    if (place != NULL) {
        slim_list_init(&place->timer);
    }
    return place;
}

/* Keep a place that is in no ring for later. */
static void place_return(struct slim_session_receiver *receiver, struct slim_session_place *place)
{
    if (place->bytes.capacity > BUFFER_BYTES_KEPT) {
        slim_buf_fini(&place->bytes);
    }
    slim_buf_clear(&place->bytes);
    if (receiver->spare_count >= PLACES_KEPT) {
        place_free(place);
        return;
    }
    place->spare = receiver->spare;
    receiver->spare = place;
    receiver->spare_count++;
}

void slim_session_receiver_trim(struct slim_session_receiver *receiver, size_t count)
{
    while (receiver->spare_count > count) {
        struct slim_session_place *place = receiver->spare;
        receiver->spare = place->spare;
        receiver->spare_count--;
        place_free(place);
    }
}

/* What a place occupies from now on; `bytes` are those the caller keeps for it. */
void slim_session_place_count_bytes(struct slim_session_receiver *receiver,
                                    struct slim_session_place *place, size_t bytes)
{
    receiver->bytes -= place->counted;
    place->counted = sizeof(*place) + place->bytes.capacity + bytes;
    receiver->bytes += place->counted;
}

void slim_session_place_stop_wanting(struct slim_session_receiver *receiver,
                                     struct slim_session_source *source,
                                     struct slim_session_place *place)
{
    if (place->state == SLIM_SESSION_PLACE_WANTED) {
        slim_list_remove(&place->timer);
        source->wanted_count--;
        receiver->wanted_count--;
    }
}

/* Take a place out of the ring; it is the caller's to return. */
static void place_detach(struct slim_session_receiver *receiver, struct slim_session_source *source,
                         struct slim_session_place *place)
{
    slim_session_place_stop_wanting(receiver, source, place);
    source->ring[place->message_id & source->ring_mask] = NULL;
    source->place_count--;
    receiver->place_count--;
    receiver->bytes -= place->counted;
    place->counted = 0;
}

void slim_session_place_drop(struct slim_session_receiver *receiver,
                             struct slim_session_source *source, struct slim_session_place *place)
{
    place_detach(receiver, source, place);
    place_return(receiver, place);
}

bool slim_session_receiver_has_room(const struct slim_session_receiver *receiver, size_t bytes)
{
    return bytes <= SLIM_SESSION_RECEIVE_BYTES_MAX &&
           receiver->bytes + bytes + sizeof(struct slim_session_place) <=
               SLIM_SESSION_RECEIVE_BYTES_MAX;
}

/* ---- the ring */

size_t slim_session_source_ring_bytes(const struct slim_session_source *source)
{
    return source->ring == NULL
               ? 0
               : ((size_t)source->ring_mask + 1) * sizeof(struct slim_session_place *);
}

/* Make the ring hold `span` numbers; at most SLIM_SESSION_RECEIVE_WINDOW. */
static enum slim_status ring_reserve(struct slim_session_receiver *receiver,
                                     struct slim_session_source *source, uint32_t span)
{
    if (source->ring != NULL && span <= source->ring_mask + 1) {
        return SLIM_OK;
    }
    size_t size = RING_MIN;
    while (size < span) {
        size *= 2;
    }
    size_t old_bytes = slim_session_source_ring_bytes(source);
    size_t new_bytes = size * sizeof(struct slim_session_place *);
    if (receiver->bytes - old_bytes + new_bytes > SLIM_SESSION_RECEIVE_BYTES_MAX) {
        return SLIM_ERR_LIMIT;
    }
    struct slim_session_place **ring = slim_secret_take(size, sizeof(struct slim_session_place *));
    if (ring == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < old_bytes / sizeof(struct slim_session_place *); i++) {
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

void slim_session_source_give_back(struct slim_session_receiver *receiver,
                                   struct slim_session_source *source)
{
    if (source->place_count == 0) {
        receiver->bytes -= slim_session_source_ring_bytes(source);
        slim_secret_return(source->ring);
        source->ring = NULL;
        source->top = source->edge;
    }
}

/* The place of `number`, made when there is none; next, top and the ring then cover it. number is in the window, or, in a source that
 * settles, below next and within the window from top. */
enum slim_status slim_session_place_make(struct slim_session_receiver *receiver,
                                         struct slim_session_source *source, uint32_t number,
                                         struct slim_session_place **made)
{
    bool is_lower = slim_session_number_distance(source->next, number) >= SEQUENCE_HALF;
    uint32_t low = is_lower ? number : source->next;
    uint32_t top =
        slim_session_number_distance(low, number) >= slim_session_number_distance(low, source->top)
            ? slim_session_number_after(number)
            : source->top;
    SLIM_TRY(ring_reserve(receiver, source, slim_session_number_distance(low, top)));
    struct slim_session_place *place = source->ring[number & source->ring_mask];
    if (place == NULL) {
        place = place_take(receiver);
        if (place == NULL) {
            slim_session_source_give_back(receiver, source);
            return SLIM_ERR_NO_MEMORY;
        }
        place->state = SLIM_SESSION_PLACE_LOST; /* until the caller says otherwise */
        place->is_answered = false;
        place->slot = source->slot;
        place->message_id = number;
        source->ring[number & source->ring_mask] = place;
        source->place_count++;
        receiver->place_count++;
    }
    if (is_lower && !slim_list_is_linked(&source->settle)) {
        source->edge = low; /* nothing was taken yet */
    }
    source->next = low;
    source->top = top;
    *made = place;
    return SLIM_OK;
}

/* ---- callbacks */

void slim_session_receiver_tell(struct slim_session_receiver *receiver, uint32_t slot,
                                const struct slim_session_origin *origin,
                                const struct slim_session_content *content)
{
    receiver->is_in_callback = true;
    receiver->owner.deliver(receiver->owner.ctx, slot, origin, content);
    receiver->is_in_callback = false;
}

/* Without memory for it, a copy that comes after all is taken for a duplicate. */
static void note_lost(struct slim_session_source *source, uint32_t number)
{
    if (source->lost == NULL) {
        source->lost = slim_secret_take(LOST_SEEN, sizeof(uint32_t));
    }
    if (source->lost != NULL) {
        source->lost[source->lost_next] = number + 1;
        source->lost_next = (source->lost_next + 1) % LOST_SEEN;
    }
}

static void tell_lost(struct slim_session_receiver *receiver, struct slim_session_source *source,
                      const struct slim_session_place *place)
{
    note_lost(source, place->message_id);
    receiver->is_in_callback = true;
    receiver->owner.lost(receiver->owner.ctx, place->slot, place->message_id, place->is_answered);
    receiver->is_in_callback = false;
}

/* Ask for it, the first time or again. */
void slim_session_place_request(struct slim_session_receiver *receiver,
                                struct slim_session_source *source,
                                struct slim_session_place *place)
{
    place->due_ms = receiver->now_ms + receiver->interval_ms;
    slim_list_put_last(&receiver->wanted, &place->timer);
    receiver->is_in_callback = true;
    receiver->owner.request(receiver->owner.ctx, source->slot, place->message_id, source->conn_id);
    receiver->is_in_callback = false;
}

/* ---- the order */

/* The number `next` is dealt with. */
void slim_session_source_pass(struct slim_session_source *source)
{
    uint32_t after = slim_session_number_after(source->next);
    source->ask = source->ask == source->next ? after : source->ask;
    source->top = source->top == source->next ? after : source->top;
    source->edge = source->edge == source->next ? after : source->edge;
    source->next = after;
    source->is_firm = true;
    if (source->has_late &&
        slim_session_number_distance(source->base, after) >= SLIM_SESSION_RECEIVE_WINDOW) {
        source->has_late = false;
        slim_secret_return(source->late);
        source->late = NULL;
    }
}

/* Deliver what is next as far as it is there. */
void slim_session_source_flush(struct slim_session_receiver *receiver,
                               struct slim_session_source *source)
{
    for (;;) {
        struct slim_session_place *place = slim_session_place_at(source, source->next);
        if (place == NULL || place->state == SLIM_SESSION_PLACE_WANTED ||
            place->state == SLIM_SESSION_PLACE_RESERVED) {
            return;
        }
        place_detach(receiver, source, place);
        slim_session_source_pass(source);
        if (place->state == SLIM_SESSION_PLACE_HERE) {
            slim_session_receiver_tell(receiver, source->slot, &place->origin, &place->content);
        } else {
            tell_lost(receiver, source, place);
        }
        place_return(receiver, place);
    }
}

/* Ask for what is missing, so many at a time. When memory runs out the rest is asked for later. */
void slim_session_source_ask(struct slim_session_receiver *receiver,
                             struct slim_session_source *source)
{
    while (source->ask != source->edge && source->wanted_count < SLIM_SESSION_RTX_AT_ONCE) {
        if (slim_session_place_at(source, source->ask) == NULL) {
            struct slim_session_place *place;
            if (slim_session_place_make(receiver, source, source->ask, &place) != SLIM_OK) {
                return;
            }
            place->state = SLIM_SESSION_PLACE_WANTED;
            place->tries = 0;
            slim_session_place_count_bytes(receiver, place, 0);
            source->wanted_count++;
            receiver->wanted_count++;
            slim_session_place_request(receiver, source, place);
        }
        source->ask = slim_session_number_after(source->ask);
    }
}

/* After anything that changed the places of a running source. */
void slim_session_source_go_on(struct slim_session_receiver *receiver,
                               struct slim_session_source *source)
{
    slim_session_source_flush(receiver, source);
    slim_session_source_ask(receiver, source);
    slim_session_source_give_back(receiver, source);
}
