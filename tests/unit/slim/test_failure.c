#include <stdlib.h>

#include "slim/failure.h"
#include "support/check.h"

static void check_print(const struct slim_config_error *failure, const char *want)
{
    char text[4096] = "";
    FILE *to = fmemopen(text, sizeof(text), "w");
    assert_non_null(to);
    slim_failure_print(to, failure);
    assert_int_equal(fclose(to), 0);
    CHECK_ROW(text, strcmp(text, want) == 0);
}

static void chains_are_printed_as_the_reference_does(void **state)
{
    (void)state;
    check_print(
        &(struct slim_config_error){
            .stage = SLIM_CONFIG_STAGE_FILE,
            .cause_count = 2,
            .cause = {"io error", "No such file or directory (os error 2)"},
        },
        "Error: failed to load configuration\n\nCaused by:\n    0: io error\n    1: No such file "
        "or directory (os "
        "error 2)\n");
    check_print(
        &(struct slim_config_error){.stage = SLIM_CONFIG_STAGE_START,
                                    .cause_count = 1,
                                    .cause = {"no server or client configured"}},
        "Error: failed to start service\n\nCaused by:\n    no server or client configured\n");
    check_print(&(struct slim_config_error){.stage = SLIM_CONFIG_STAGE_SERVICES},
                "Error: error loading services\n");
}

static void words_of_a_peer_cannot_steer_a_terminal(void **state)
{
    (void)state;
    check_print(
        &(struct slim_config_error){
            .stage = SLIM_CONFIG_STAGE_START,
            .cause_count = 2,
            .cause = {"\x1b[31mred\nError: forged\r\x7f", "\xc2\x9b"
                                                          "1m, gr\xc3\xbc\xc3\x9f, \xc2"},
        },
        "Error: failed to start service\n\nCaused by:\n    0: ?[31mred?Error: forged??\n"
        "    1: ?1m, gr\xc3\xbc\xc3\x9f, \xc2\n");
}

static void durations_are_short(void **state)
{
    (void)state;
    static const struct {
        uint64_t ms;
        const char *text;
    } rows[] = {
        {0, "0s"},       {1, "1ms"},
        {999, "999ms"},  {1000, "1s"},
        {10000, "10s"},  {1500, "1.5s"},
        {1050, "1.05s"}, {1005, "1.005s"},
        {90000, "90s"},  {UINT64_MAX, "18446744073709551.615s"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        char text[SLIM_FAILURE_DURATION_MAX];
        slim_failure_format_duration(rows[i].ms, text);
        CHECK_ROW(text, strcmp(text, rows[i].text) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_are_printed_as_the_reference_does),
        cmocka_unit_test(words_of_a_peer_cannot_steer_a_terminal),
        cmocka_unit_test(durations_are_short),
    };
    return cmocka_run_group_tests_name("failure", tests, NULL, NULL);
}
