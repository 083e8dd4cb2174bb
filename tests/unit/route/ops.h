/* Operations on a subscription table, read from bytes and checked against a model that is too simple to be wrong: an
 * array with an entry for each (name, peer). For the unit test (seeded random bytes) and for the fuzzer. */
#ifndef SLIM_TESTS_UNIT_ROUTE_OPS_H
#define SLIM_TESTS_UNIT_ROUTE_OPS_H

#include "base/view.h"

/* why   NULL when table and model agreed all the time, else what was different
 * at    offset of the operation in the input */
struct slim_route_ops_result {
    const char *why;
    size_t at;
};

/* The first two bytes choose how many peers and names there are, the others are operations of five bytes. */
struct slim_route_ops_result slim_route_ops_run(struct slim_view input);

#endif
