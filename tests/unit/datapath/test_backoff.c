#include "datapath/backoff.h"

#include "support/check.h"

static void delays_are_powers_of_the_base_and_capped(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        struct slim_config_backoff backoff;
        uint64_t retry;
        uint64_t random;
        uint64_t want_ms;
    } rows[] = {
        {"defaults: 100 ms first", {.base_ms = 100, .factor = 1, .max_delay_ms = 1000}, 1, 0, 100},
        {"then the cap, for ever", {.base_ms = 100, .factor = 1, .max_delay_ms = 1000}, 2, 0, 1000},
        {"no overflow far out",
         {.base_ms = 100, .factor = 1, .max_delay_ms = 1000},
         UINT64_MAX,
         0,
         1000},
        {"base 2, factor 200: 400 first",
         {.base_ms = 2, .factor = 200, .max_delay_ms = 700},
         1,
         0,
         400},
        {"then 700", {.base_ms = 2, .factor = 200, .max_delay_ms = 700}, 2, 0, 700},
        {"base 1 stays the factor",
         {.base_ms = 1, .factor = 30, .max_delay_ms = 700},
         1000000000,
         0,
         30},
        {"base 0 is no delay", {.base_ms = 0, .factor = 30, .max_delay_ms = 700}, 3, 0, 0},
        {"jitter from nothing",
         {.base_ms = 100, .factor = 1, .max_delay_ms = 1000, .has_jitter = true},
         2,
         0,
         0},
        {"jitter half",
         {.base_ms = 100, .factor = 1, .max_delay_ms = 1000, .has_jitter = true},
         2,
         1UL << 63,
         500},
        {"jitter never the whole",
         {.base_ms = 100, .factor = 1, .max_delay_ms = 1000, .has_jitter = true},
         2,
         UINT64_MAX,
         999},
        {"fixed", {.kind = SLIM_CONFIG_BACKOFF_FIXED, .interval_ms = 1234}, 77, 5, 1234},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        CHECK_ROW(rows[i].why, slim_datapath_backoff_delay_ms(&rows[i].backoff, rows[i].retry,
                                                              rows[i].random) == rows[i].want_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_are_powers_of_the_base_and_capped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
