#include "support/check.h"

#include <stdatomic.h>
#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *object, size_t size);
void __real_free(void *object);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *object, size_t size);
void __wrap_free(void *object);

static _Atomic uint64_t alloc_count;
static _Atomic int64_t live_count;
static _Atomic uint64_t fail_at; /* 0: never */
static _Atomic bool has_failed;

static bool is_to_fail(void)
{
    atomic_fetch_add(&alloc_count, 1);
    if (atomic_load(&fail_at) == 0 || atomic_fetch_sub(&fail_at, 1) != 1) {
        return false;
    }
    atomic_store(&has_failed, true);
    return true;
}

static void *note(void *object)
{
    if (object != NULL) {
        atomic_fetch_add(&live_count, 1);
    }
    return object;
}

void *__wrap_malloc(size_t size)
{
    return is_to_fail() ? NULL : note(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_to_fail() ? NULL : note(__real_calloc(count, size));
}

void *__wrap_realloc(void *object, size_t size)
{
    if (is_to_fail()) {
        return NULL;
    }
    void *moved = __real_realloc(object, size);
    if (object == NULL) {
        note(moved);
    }
    return moved;
}

void __wrap_free(void *object)
{
    if (object != NULL) {
        atomic_fetch_sub(&live_count, 1);
    }
    __real_free(object);
}

uint64_t slim_test_alloc_count(void)
{
    return atomic_load(&alloc_count);
}

int64_t slim_test_alloc_live(void)
{
    return atomic_load(&live_count);
}

void slim_test_alloc_fail_at(uint64_t n)
{
    atomic_store(&has_failed, false);
    atomic_store(&fail_at, n);
}

bool slim_test_alloc_has_failed(void)
{
    return atomic_load(&has_failed);
}

void slim_sweep_alloc(void (*test)(void))
{
    enum { SWEEP_MAX = 100000 };
    for (uint64_t n = 1; n < SWEEP_MAX; n++) {
        int64_t live_before = slim_test_alloc_live();
        slim_test_alloc_fail_at(n);
        test();
        bool failed = slim_test_alloc_has_failed();
        slim_test_alloc_fail_at(0);
        assert_int_equal(slim_test_alloc_live(), live_before);
        if (!failed) {
            return;
        }
    }
    fail_msg("the sweep did not end");
}
