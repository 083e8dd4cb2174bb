/* What every unit test includes: cmocka, table rows that say why they exist, allocation failures. */
#ifndef SLIM_TESTS_SUPPORT_CHECK_H
#define SLIM_TESTS_SUPPORT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/status.h"
#include "base/view.h"

/* A cmocka assertion that prints the row's reason. */
#define CHECK_ROW(why, condition)                                                                  \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error("row: %s\n", (why));                                                       \
            fail_msg("%s", #condition);                                                            \
        }                                                                                          \
    } while (0)

#define CHECK(condition) CHECK_ROW(__func__, condition)
#define CHECK_OK(call) CHECK_ROW(#call, (call) == SLIM_OK)
#define CHECK_VIEW(view, literal) CHECK_ROW(literal, slim_view_is_equal(view, SLIM_VIEW(literal)))

/* ---- allocation (tests/support/alloc.c; calls made inside shared libraries are not seen) */

/* Calls of malloc, calloc and realloc since the program began. */
uint64_t slim_test_alloc_count(void);

/* Objects taken and not freed yet. */
int64_t slim_test_alloc_live(void);

/* From now on the n-th allocation (1 = the next) fails, once; 0 = none fails. */
void slim_test_alloc_fail_at(uint64_t n);

/* True when the failure ordered last has happened. */
bool slim_test_alloc_has_failed(void);

/* Run `test` with its first, second, third ... allocation failing, until it gets through without a failure. The test
 * itself must treat SLIM_ERR_NO_MEMORY as an allowed outcome and free what it made; a leak fails. */
void slim_sweep_alloc(void (*test)(void));

#endif
