/* Any sequence of operations leaves the subscription table equal to a naive model of it. */
#include <stdio.h>
#include <stdlib.h>

#include "unit/route/ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slim_route_ops_result result = slim_route_ops_run(slim_view_of(data, size));
    if (result.why != NULL) {
        (void)fprintf(stderr, "offset %zu: %s\n", result.at, result.why);
        abort();
    }
    return 0;
}
