#include "route/route.h"
#include "support/check.h"
#include "unit/route/ops.h"

static void table_does_what_a_naive_model_does(void **state)
{
    (void)state;
    enum { RUNS = 120, OPS = 4000, OP_BYTES = 5 };
    static uint8_t input[2 + OPS * OP_BYTES];
    uint64_t random = 42;
    for (uint64_t run = 0; run < RUNS; run++) {
        for (size_t i = 0; i < sizeof(input); i++) {
            random = random * 6364136223846793005U + 1442695040888963407U;
            input[i] = (uint8_t)(random >> 56);
        }
        struct slim_route_ops_result result =
            slim_route_ops_run(slim_view_of(input, sizeof(input)));
        if (result.why != NULL) {
            print_error("run %u, offset %zu: %s\n", (unsigned)run, result.at, result.why);
        }
        CHECK(result.why == NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_does_what_a_naive_model_does),
    };
    return cmocka_run_group_tests_name("routes", tests, NULL, NULL);
}
