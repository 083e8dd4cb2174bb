#include "config/config.h"
#include "support/check.h"

#define FORMAT "missing time duration format, must be multiples of `[0-9]+(ns|us|ms|[smhdwy])`"
#define EMPTY "cannot parse integer from empty string"

static void durations_are_sums_of_numbers_with_units(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *text;
        uint64_t ms;
    } rows[] = {
        {"nothing", "0s", 0},
        {"milliseconds", "1500ms", 1500},
        {"seconds", "10s", 10000},
        {"minutes", "2m", 120000},
        {"hours", "1h", 3600000},
        {"days", "1d", 86400000},
        {"weeks", "1w", 604800000},
        {"a year is 31556926 s", "1y", 31556926000},
        {"parts are added", "1m30s", 90000},
        {"in any order", "1s1m", 61000},
        {"the same unit twice", "1s1s", 2000},
        {"spaces are allowed", " 1m 30 s ", 90000},
        {"spaces inside a number too, as in the reference", "1 0 s", 10000},
        {"spaces inside a unit too", "5 m s", 5},
        {"below a millisecond is rounded up", "1ns", 1},
        {"microseconds", "1500us", 2},
        {"exactly one millisecond", "1000000ns", 1},
        {"fractions are added before rounding", "500us500us", 1},
        {"zero of a small unit stays zero", "0ns", 0},
        {"the longest", "18446744073709551614ms", UINT64_MAX - 1},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        uint64_t ms = 77;
        struct slim_error error = {0};
        CHECK_ROW(rows[i].why,
                  slim_config_parse_duration(slim_view_str(rows[i].text), &ms, &error) == SLIM_OK);
        CHECK_ROW(rows[i].why, ms == rows[i].ms);
    }
}

static void other_texts_are_refused_in_the_words_of_the_reference(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *text;
        const char *sentence;
    } rows[] = {
        {"a number without unit", "10", FORMAT},
        {"an unknown unit", "10x", FORMAT},
        {"a unit in capitals", "10S", FORMAT},
        {"a unit that starts well", "10sec", FORMAT},
        {"a fraction", "1.5s", FORMAT},
        {"the last part has no unit", "1m30", FORMAT},
        {"empty", "", EMPTY},
        {"blank", "  ", EMPTY},
        {"negative", "-5s", EMPTY},
        {"a unit without number", "s", EMPTY},
        {"not ASCII", "5\xc2\xb5s", FORMAT},
        {"more than 64 bits", "18446744073709551616s", "number too large to fit in target type"},
        {"more milliseconds than fit", "584554531y",
         "the duration is longer than 18446744073709551614 milliseconds"},
        {"a sum that does not fit", "18446744073709551614ms1ms",
         "the duration is longer than 18446744073709551614 milliseconds"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        uint64_t ms = 77;
        struct slim_error error = {0};
        enum slim_status status =
            slim_config_parse_duration(slim_view_str(rows[i].text), &ms, &error);
        CHECK_ROW(rows[i].why, status == SLIM_ERR_CONFIG && ms == 77);
        CHECK_ROW(error.text, strcmp(error.text, rows[i].sentence) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_sums_of_numbers_with_units),
        cmocka_unit_test(other_texts_are_refused_in_the_words_of_the_reference),
    };
    return cmocka_run_group_tests_name("duration", tests, NULL, NULL);
}
