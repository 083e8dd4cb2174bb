#include "h2/flood.h"

#include "h2/limits.h"
#include "support/check.h"

static size_t drain(struct slim_h2_flood *flood, enum slim_h2_flood_kind kind)
{
    size_t count = 0;
    while (slim_h2_flood_pass(flood, kind)) {
        count++;
    }
    return count;
}

static void a_bucket_gives_its_burst_and_then_its_rate(void **state)
{
    (void)state;
    struct slim_h2_flood flood;
    slim_h2_flood_init(&flood, 5000);
    CHECK(drain(&flood, SLIM_H2_FLOOD_RESET) == SLIM_H2_RESET_BURST);
    static const struct {
        const char *why;
        uint64_t now_ms;
        size_t want;
    } rows[] = {
        {"no time passed", 5000, 0},
        {"less than a period", 5099, 0},
        {"one period", 5100, SLIM_H2_RESET_RATE / 10},
        {"time runs backwards", 4000, 0},
        {"one second", 6100, SLIM_H2_RESET_RATE},
        {"fractions add up", 6150, 0},
        {"and are not lost", 6200, SLIM_H2_RESET_RATE / 10},
        {"never more than the burst", 1000000, SLIM_H2_RESET_BURST},
        {"nor after an age", UINT64_MAX - 1000, SLIM_H2_RESET_BURST},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        slim_h2_flood_fill(&flood, rows[i].now_ms);
        CHECK_ROW(rows[i].why, drain(&flood, SLIM_H2_FLOOD_RESET) == rows[i].want);
    }
}

static void kinds_do_not_share_a_bucket(void **state)
{
    (void)state;
    struct slim_h2_flood flood;
    slim_h2_flood_init(&flood, 0);
    CHECK(drain(&flood, SLIM_H2_FLOOD_SETTINGS) == SLIM_H2_SETTINGS_BURST);
    CHECK(drain(&flood, SLIM_H2_FLOOD_PING) == SLIM_H2_PING_BURST);
    CHECK(drain(&flood, SLIM_H2_FLOOD_PRIORITY) == SLIM_H2_PRIORITY_BURST);
    CHECK(drain(&flood, SLIM_H2_FLOOD_EMPTY_DATA) == SLIM_H2_EMPTY_DATA_BURST);
    CHECK(drain(&flood, SLIM_H2_FLOOD_RESET) == SLIM_H2_RESET_BURST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_gives_its_burst_and_then_its_rate),
        cmocka_unit_test(kinds_do_not_share_a_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
