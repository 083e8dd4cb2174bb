/* Any calls in any order: what the receiver keeps count of is what it has, nothing is delivered twice, nothing out of order. */
#include "session/receiver_source.h"
#include "support/check.h"

#include <stdlib.h>

enum { SLOTS = 3, SEEN_MAX = 65536, STEPS = 4000, ROUNDS = 40 };

static struct {
    struct slim_session_receiver *receiver;
    uint64_t round;
    uint64_t now_ms;
    uint32_t start;
    uint8_t seen[SLOTS][SEEN_MAX]; /* by number since start: delivered or lost */
    uint32_t last[SLOTS];
    bool has_last[SLOTS];
    bool is_known[SLOTS]; /* it has said where it begins */
    bool is_answering;    /* what was not meant for us is passed over */
    bool is_over;         /* sources are removed: what is here is delivered, gaps or not */
} t;

static uint64_t state_of_random;

static uint32_t draw(uint32_t below)
{
    state_of_random = state_of_random * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(state_of_random >> 33) % below;
}

static uint32_t since_start(uint32_t number)
{
    return (number - t.start) & SLIM_SESSION_SEQUENCE_MAX;
}

/* This number is dealt with. */
static void note(uint32_t slot, uint32_t number)
{
    uint32_t place = since_start(number);
    CHECK(place < SEEN_MAX && t.seen[slot][place] == 0);
    t.seen[slot][place] = 1;
    const struct slim_session_source *source = t.receiver->sources[slot];
    CHECK(!t.is_known[slot] || slim_session_number_distance(source->base, number) < 1U << 30);
    uint32_t below = slim_session_number_distance(number, source->base);
    if (source->has_late && below > 0 && below <= LATE_COUNT) {
        return; /* late, in no order */
    }
    bool may_skip = t.is_over || t.is_answering;
    CHECK(!t.has_last[slot] || place == t.last[slot] + 1 || (may_skip && place > t.last[slot]));
    t.has_last[slot] = true;
    t.last[slot] = place;
}

static void on_deliver(void *ctx, uint32_t slot, const struct slim_session_origin *origin,
                       const struct slim_session_content *content)
{
    (void)ctx;
    (void)content;
    note(slot, origin->message_id);
}

static void on_lost(void *ctx, uint32_t slot, uint32_t message_id, bool is_answered)
{
    (void)ctx;
    (void)is_answered;
    note(slot, message_id);
}

static void on_request(void *ctx, uint32_t slot, uint32_t message_id, uint64_t conn_id)
{
    (void)ctx;
    (void)conn_id;
    CHECK(t.seen[slot][since_start(message_id)] == 0);
}

static void on_ask_base(void *ctx, uint32_t slot, uint32_t message_id, uint64_t conn_id)
{
    (void)ctx;
    (void)conn_id;
    CHECK(slot == 2 && t.seen[slot][since_start(message_id)] == 0);
    const struct slim_session_place *place =
        slim_session_place_at(t.receiver->sources[slot], message_id);
    CHECK(place != NULL && place->state == SLIM_SESSION_PLACE_HERE);
}

/* ---- what the receiver keeps count of */

static void check_source(const struct slim_session_source *source, size_t *bytes, size_t *places,
                         size_t *wanted)
{
    size_t own_places = 0;
    size_t own_wanted = 0;
    size_t ring = slim_session_source_ring_bytes(source);
    *bytes += ring;
    for (size_t i = 0; i < ring / sizeof(source->ring[0]); i++) {
        const struct slim_session_place *place = source->ring[i];
        if (place == NULL) {
            continue;
        }
        own_places++;
        own_wanted += place->state == SLIM_SESSION_PLACE_WANTED;
        *bytes += place->counted;
        CHECK((place->message_id & source->ring_mask) == i);
        CHECK(slim_session_number_distance(source->next, place->message_id) <
              slim_session_number_distance(source->next, source->top));
    }
    uint32_t to_ask = slim_session_number_distance(source->next, source->ask);
    uint32_t to_edge = slim_session_number_distance(source->next, source->edge);
    uint32_t to_top = slim_session_number_distance(source->next, source->top);
    CHECK(to_edge <= to_top && to_top <= SLIM_SESSION_RECEIVE_WINDOW);
    CHECK(source->state != SLIM_SESSION_SOURCE_RUNNING || to_ask <= to_edge);
    CHECK(own_places == source->place_count && own_wanted == source->wanted_count);
    CHECK(own_wanted <= SLIM_SESSION_RTX_AT_ONCE);
    CHECK(source->ring != NULL || own_places == 0);
    CHECK(source->state != SLIM_SESSION_SOURCE_RUNNING || own_places > 0 || source->ring == NULL);
    *places += own_places;
    *wanted += own_wanted;
}

static void check_counts(void)
{
    size_t bytes = 0;
    size_t places = 0;
    size_t wanted = 0;
    for (uint32_t slot = 0; slot < t.receiver->source_capacity; slot++) {
        if (t.receiver->sources[slot] != NULL) {
            check_source(t.receiver->sources[slot], &bytes, &places, &wanted);
        }
    }
    CHECK(bytes == t.receiver->bytes && places == t.receiver->place_count);
    CHECK(wanted == t.receiver->wanted_count);
}

/* ---- calls */

static uint32_t any_number(uint32_t slot)
{
    static const uint32_t reach[] = {4, 30, 300, SLIM_SESSION_RECEIVE_WINDOW + 10};
    uint32_t near = draw(reach[draw(4)]);
    uint32_t from = t.has_last[slot] ? t.last[slot] : 1000;
    uint32_t place = draw(4) == 0 && near < from ? from - near : from + near;
    return (t.start + place) & SLIM_SESSION_SEQUENCE_MAX;
}

static void take_any(uint32_t slot, uint32_t number)
{
    struct slim_session_origin origin = {.message_id = number};
    struct slim_session_content content = {.blob = slim_view_of(&number, sizeof(number))};
    enum slim_session_verdict verdict =
        slim_session_receiver_look(t.receiver, slot, number, false, sizeof(number));
    if (verdict == SLIM_SESSION_DUPLICATE) {
        return;
    }
    enum slim_status status =
        draw(4) == 0 ? slim_session_receiver_reserve(t.receiver, t.now_ms, slot, &origin, 9)
                     : slim_session_receiver_take(t.receiver, t.now_ms, slot, &origin, &content);
    CHECK(status == (verdict == SLIM_SESSION_NEW ? SLIM_OK : SLIM_ERR_LIMIT));
}

/* What was reserved is opened, or is not. */
static void end_reservations(uint32_t slot)
{
    const struct slim_session_source *source = t.receiver->sources[slot];
    for (uint32_t i = 0; i < slim_session_source_ring_bytes(source) / sizeof(source->ring[0]);
         i++) {
        const struct slim_session_place *place = source->ring[i];
        if (place == NULL || place->state != SLIM_SESSION_PLACE_RESERVED || draw(2) == 0) {
            continue;
        }
        uint32_t number = place->message_id;
        struct slim_session_origin origin = {.message_id = number};
        struct slim_session_content content = {.blob = slim_view_of(&number, sizeof(number))};
        if (draw(2) == 0) {
            slim_session_receiver_give_up(t.receiver, t.now_ms, slot, number);
        } else {
            CHECK_OK(slim_session_receiver_take(t.receiver, t.now_ms, slot, &origin, &content));
        }
        if (source->ring == NULL) {
            return;
        }
    }
}

/* The answer to a question, or what somebody made up. */
static void answer_base(uint32_t slot)
{
    uint32_t asked = any_number(slot);
    uint32_t base = (asked - draw(SLIM_SESSION_SEND_WINDOW + 2)) & SLIM_SESSION_SEQUENCE_MAX;
    bool was_wanted = slim_session_receiver_wants_base(t.receiver, slot);
    t.is_answering = true;
    slim_session_receiver_take_base(t.receiver, t.now_ms, slot, asked, base);
    t.is_answering = false;
    if (was_wanted && !slim_session_receiver_wants_base(t.receiver, slot)) {
        const struct slim_session_source *source = t.receiver->sources[slot];
        CHECK(!source->has_late);
        t.is_known[slot] = true;
        t.has_last[slot] = true; /* the next one to come */
        t.last[slot] = since_start(source->next - 1);
    }
}

static void step(void)
{
    uint32_t slot = draw(SLOTS);
    switch (draw(9)) {
    case 8:
        answer_base(slot);
        break;
    case 0:
        t.now_ms += draw(60);
        CHECK(slim_session_receiver_tick(t.receiver, t.now_ms) > t.now_ms);
        break;
    case 1:
        slim_session_receiver_take_lost(t.receiver, t.now_ms, slot, any_number(slot));
        break;
    case 2:
        end_reservations(slot);
        break;
    default:
        take_any(slot, any_number(slot));
        break;
    }
}

static void run(uint64_t round)
{
    static const struct slim_session_receiver_owner owner = {NULL, on_deliver, on_lost, on_request,
                                                             on_ask_base};
    memset(&t, 0, sizeof(t));
    t.round = round;
    state_of_random = round;
    t.start = draw(2) == 0 ? 0 : SLIM_SESSION_SEQUENCE_MAX - 2000;
    struct slim_session_sender_options options = {
        .is_reliable = true, .interval_ms = 50, .max_retries = draw(4), .start = t.start};
    CHECK_OK(slim_session_receiver_new(&options, &owner, &t.receiver));
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        static const enum slim_session_beginning beginnings[SLOTS] = {
            SLIM_SESSION_FROM_START, SLIM_SESSION_GUESSED, SLIM_SESSION_ASKED};
        CHECK_OK(slim_session_receiver_add(t.receiver, slot, beginnings[slot]));
    }
    for (int i = 0; i < STEPS; i++) {
        step();
        if (i % 8 == 0) {
            check_counts(); /* walks all rings */
        }
    }
    t.is_over = true;
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        slim_session_receiver_remove(t.receiver, slot);
    }
    CHECK(t.receiver->bytes == 0 && t.receiver->place_count == 0 && t.receiver->wanted_count == 0);
    slim_session_receiver_free(t.receiver);
}

/* SLIM_TEST_SEEDS=n tries so many. */
static void any_calls_in_any_order_keep_the_books_straight(void **state)
{
    const char *rounds = getenv("SLIM_TEST_SEEDS");
    uint64_t count = rounds == NULL ? ROUNDS : strtoull(rounds, NULL, 10);
    for (uint64_t round = 1; round <= count; round++) {
        run(round);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_calls_in_any_order_keep_the_books_straight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
