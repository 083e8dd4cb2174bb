#include "h2/flood.h"

#include "h2/limits.h"

static const struct {
    uint32_t burst;
    uint32_t rate; /* per second */
} limits[SLIM_H2_FLOOD_KINDS] = {
    [SLIM_H2_FLOOD_RESET] = {SLIM_H2_RESET_BURST, SLIM_H2_RESET_RATE},
    [SLIM_H2_FLOOD_SETTINGS] = {SLIM_H2_SETTINGS_BURST, SLIM_H2_SETTINGS_RATE},
    [SLIM_H2_FLOOD_PING] = {SLIM_H2_PING_BURST, SLIM_H2_PING_RATE},
    [SLIM_H2_FLOOD_PRIORITY] = {SLIM_H2_PRIORITY_BURST, SLIM_H2_PRIORITY_RATE},
    [SLIM_H2_FLOOD_EMPTY_DATA] = {SLIM_H2_EMPTY_DATA_BURST, SLIM_H2_EMPTY_DATA_RATE},
    [SLIM_H2_FLOOD_WINDOW_UPDATE] = {SLIM_H2_WINDOW_UPDATE_BURST, SLIM_H2_WINDOW_UPDATE_RATE},
    [SLIM_H2_FLOOD_REQUEST] = {SLIM_H2_REQUEST_BURST, SLIM_H2_REQUEST_RATE},
};

enum {
    FILL_PERIOD_MS = 100, /* every rate is a whole number of tokens per period */
    FILL_PERIODS_MAX =
        1000000, /* after this long every bucket is full; keeps the product below in range */
};

void slim_h2_flood_init(struct slim_h2_flood *flood, uint64_t now_ms)
{
    for (uint32_t i = 0; i < SLIM_H2_FLOOD_KINDS; i++) {
        flood->tokens[i] = limits[i].burst;
    }
    flood->filled_ms = now_ms;
}

void slim_h2_flood_fill(struct slim_h2_flood *flood, uint64_t now_ms)
{
    if (now_ms < flood->filled_ms + FILL_PERIOD_MS) {
        return;
    }
    uint64_t periods = (now_ms - flood->filled_ms) / FILL_PERIOD_MS;
    flood->filled_ms += periods * FILL_PERIOD_MS;
    if (periods > FILL_PERIODS_MAX) {
        periods = FILL_PERIODS_MAX;
    }
    for (uint32_t i = 0; i < SLIM_H2_FLOOD_KINDS; i++) {
        uint64_t tokens = flood->tokens[i] + periods * limits[i].rate * FILL_PERIOD_MS / 1000;
        flood->tokens[i] = (uint32_t)(tokens < limits[i].burst ? tokens : limits[i].burst);
    }
}

bool slim_h2_flood_pass(struct slim_h2_flood *flood, enum slim_h2_flood_kind kind)
{
    if (flood->tokens[kind] == 0) {
        return false;
    }
    flood->tokens[kind]--;
    return true;
}

void slim_h2_flood_earn(struct slim_h2_flood *flood, enum slim_h2_flood_kind kind, uint32_t count)
{
    uint32_t room = limits[kind].burst - flood->tokens[kind];
    flood->tokens[kind] += count < room ? count : room;
}
