/* Buckets that count frames which cost work and carry nothing (limits.h). Private to src/h2. */
#ifndef SLIM_H2_FLOOD_H
#define SLIM_H2_FLOOD_H

#include <stdbool.h>
#include <stdint.h>

enum slim_h2_flood_kind {
    SLIM_H2_FLOOD_RESET,
    SLIM_H2_FLOOD_SETTINGS,
    SLIM_H2_FLOOD_PING,
    SLIM_H2_FLOOD_PRIORITY,
    SLIM_H2_FLOOD_EMPTY_DATA,
    SLIM_H2_FLOOD_WINDOW_UPDATE,
    SLIM_H2_FLOOD_REQUEST,
};
enum { SLIM_H2_FLOOD_KINDS = 7 };

/* tokens     what may still come of each kind
 * filled_ms  when the buckets were last filled */
struct slim_h2_flood {
    uint32_t tokens[SLIM_H2_FLOOD_KINDS];
    uint64_t filled_ms;
};

void slim_h2_flood_init(struct slim_h2_flood *flood, uint64_t now_ms);

/* Refill for the time that passed. Time that runs backwards refills nothing. */
void slim_h2_flood_fill(struct slim_h2_flood *flood, uint64_t now_ms);

/* Count one frame. False when there are too many. */
bool slim_h2_flood_pass(struct slim_h2_flood *flood, enum slim_h2_flood_kind kind);

/* Allow `count` frames more, never more than the burst in all. */
void slim_h2_flood_earn(struct slim_h2_flood *flood, enum slim_h2_flood_kind kind, uint32_t count);

#endif
