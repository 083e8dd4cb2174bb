#include "base/heap.h"

#include <stdlib.h>

#include "support/check.h"

static void objects_hold_their_size_and_are_aligned(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        size_t size;
        size_t bytes; /* in_use: whole classes of 32 bytes with 16 bytes of bookkeeping */
    } rows[] = {
        {"nothing", 0, 32},
        {"one byte", 1, 32},
        {"exactly one class", 16, 32},
        {"one byte more", 17, 64},
        {"the largest that is kept", 2032, 2048},
        {"the first that is not", 2033, 2080},
        {"large", 1 << 20, (1 << 20) + 32},
    };
    struct slim_heap *heap;
    CHECK_OK(slim_heap_new(1 << 20, &heap));
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        uint8_t *object = slim_heap_take(heap, rows[i].size);
        CHECK_ROW(rows[i].why, object != NULL && (uintptr_t)object % 16 == 0);
        memset(object, 0xa5, rows[i].size); /* the sanitizer looks */
        CHECK_ROW(rows[i].why, slim_heap_stats(heap)->bytes_in_use == rows[i].bytes);
        slim_heap_return(heap, object);
        CHECK_ROW(rows[i].why, slim_heap_stats(heap)->bytes_in_use == 0);
    }
    slim_heap_return(heap, NULL);
    slim_heap_free(heap);
    slim_heap_free(NULL);
}

static void sizes_that_overflow_give_null(void **state)
{
    (void)state;
    struct slim_heap *heap;
    CHECK_OK(slim_heap_new(0, &heap));
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 46};
    for (size_t i = 0; i < SLIM_COUNT(sizes); i++) {
        CHECK(slim_heap_take(heap, sizes[i]) == NULL);
    }
    CHECK(slim_heap_take_zeroed(heap, SIZE_MAX / 2, 3) == NULL);
    void *object = slim_heap_take(heap, 10);
    CHECK(object != NULL && slim_heap_resize(heap, object, SIZE_MAX) == NULL);
    slim_heap_return(heap, object); /* a failed resize leaves it */
    slim_heap_free(heap);
}

static void zeroed_objects_are_zero_also_when_used_before(void **state)
{
    (void)state;
    struct slim_heap *heap;
    CHECK_OK(slim_heap_new(1 << 20, &heap));
    uint8_t *object = slim_heap_take(heap, 100);
    CHECK(object != NULL);
    memset(object, 0xff, 100);
    slim_heap_return(heap, object);
    object = slim_heap_take_zeroed(heap, 10, 10);
    CHECK(object != NULL);
    for (size_t i = 0; i < 100; i++) {
        CHECK(object[i] == 0);
    }
    slim_heap_return(heap, object);
    slim_heap_free(heap);
}

static void resize_keeps_the_content(void **state)
{
    (void)state;
    struct slim_heap *heap;
    CHECK_OK(slim_heap_new(1 << 20, &heap));
    uint8_t *object = slim_heap_resize(heap, NULL, 1); /* as realloc */
    CHECK(object != NULL);
    object[0] = 7;
    for (size_t size = 2; size < 10000; size += size / 3 + 1) {
        object = slim_heap_resize(heap, object, size);
        CHECK(object != NULL && object[0] == 7);
        for (size_t i = 1; i < size / 2; i++) {
            CHECK(object[i] == (uint8_t)i);
        }
        for (size_t i = 1; i < size; i++) {
            object[i] = (uint8_t)i;
        }
    }
    object = slim_heap_resize(heap, object, 1);
    CHECK(object != NULL && object[0] == 7);
    slim_heap_return(heap, object);
    slim_heap_free(heap);
}

static void heap_keeps_no_more_than_it_was_told(void **state)
{
    (void)state;
    struct slim_heap *heap;
    void *objects[16];
    CHECK_OK(slim_heap_new(4 * 64, &heap));
    for (size_t i = 0; i < SLIM_COUNT(objects); i++) {
        objects[i] = slim_heap_take(heap, 48);
        CHECK(objects[i] != NULL);
    }
    for (size_t i = 0; i < SLIM_COUNT(objects); i++) {
        slim_heap_return(heap, objects[i]);
        CHECK(slim_heap_stats(heap)->bytes_kept <= 4 * 64);
    }
    slim_heap_trim(heap);
    CHECK(slim_heap_stats(heap)->bytes_kept == 0);
    slim_heap_free(heap);
}

#ifndef SLIM_POOL_DEBUG
static void steady_state_asks_the_system_for_nothing(void **state)
{
    (void)state;
    struct slim_heap *heap;
    CHECK_OK(slim_heap_new(1 << 20, &heap));
    for (int round = 0; round < 2; round++) {
        uint64_t before = slim_test_alloc_count();
        for (int i = 0; i < 100; i++) {
            void *a = slim_heap_take(heap, 100);
            void *b = slim_heap_take(heap, 2000);
            CHECK(a != NULL && b != NULL);
            slim_heap_return(heap, a);
            slim_heap_return(heap, b);
        }
        CHECK(slim_test_alloc_count() - before == (round == 0 ? 2 : 0));
    }
    slim_heap_free(heap);
}
#endif

static void sweep(void)
{
    struct slim_heap *heap;
    if (slim_heap_new(1 << 20, &heap) != SLIM_OK) {
        return;
    }
    void *object = slim_heap_take(heap, 100);
    if (object != NULL) {
        void *larger = slim_heap_resize(heap, object, 1000);
        object = larger != NULL ? larger : object;
    }
    slim_heap_return(heap, object);
    slim_heap_return(heap, slim_heap_take_zeroed(heap, 3, 3));
    slim_heap_free(heap);
}

static void out_of_memory_leaks_nothing(void **state)
{
    (void)state;
    slim_sweep_alloc(sweep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_hold_their_size_and_are_aligned),
        cmocka_unit_test(sizes_that_overflow_give_null),
        cmocka_unit_test(zeroed_objects_are_zero_also_when_used_before),
        cmocka_unit_test(resize_keeps_the_content),
        cmocka_unit_test(heap_keeps_no_more_than_it_was_told),
#ifndef SLIM_POOL_DEBUG
        cmocka_unit_test(steady_state_asks_the_system_for_nothing),
#endif
        cmocka_unit_test(out_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
