#include "base/secret.h"
#include "support/check.h"

static void equality_looks_at_every_byte(void **state)
{
    (void)state;
    CHECK(slim_secret_is_equal("abcd", "abcd", 4) && slim_secret_is_equal("a", "b", 0));
    CHECK(!slim_secret_is_equal("abcd", "xbcd", 4) && !slim_secret_is_equal("abcd", "abcx", 4));
}

static void memory_is_zeroed_and_grows_with_its_content(void **state)
{
    (void)state;
    uint8_t *object = slim_secret_take(3, 5);
    static const uint8_t zeros[30];
    CHECK(object != NULL && memcmp(object, zeros, 15) == 0 &&
          (uintptr_t)object % _Alignof(max_align_t) == 0);
    memcpy(object, "fifteen letters", 15);
    object = slim_secret_resize(object, 30);
    CHECK(object != NULL && memcmp(object, "fifteen letters", 15) == 0 &&
          memcmp(object + 15, zeros, 15) == 0);
    object = slim_secret_resize(object, 7);
    CHECK(object != NULL && memcmp(object, "fifteen", 7) == 0);
    slim_secret_return(object);
    slim_secret_return(NULL);
    object = slim_secret_resize(NULL, 4);
    CHECK(object != NULL && memcmp(object, zeros, 4) == 0);
    slim_secret_return(object);
}

static void a_size_that_overflows_is_no_memory(void **state)
{
    (void)state;
    volatile size_t large = SIZE_MAX / 2; /* volatile: the compiler would warn, rightly */
    CHECK(slim_secret_take(large, 3) == NULL);
    CHECK(slim_secret_take(1, (size_t)-8) == NULL);
}

static void sweep(void)
{
    char *object = slim_secret_take(1, 8);
    if (object == NULL) {
        return;
    }
    memcpy(object, "content", 8);
    char *larger = slim_secret_resize(object, 100);
    object = larger == NULL ? object : larger;
    CHECK(strcmp(object, "content") == 0); /* a failed resize leaves it */
    slim_secret_return(object);
}

static void a_failed_resize_leaves_the_object(void **state)
{
    (void)state;
    slim_sweep_alloc(sweep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equality_looks_at_every_byte),
        cmocka_unit_test(memory_is_zeroed_and_grows_with_its_content),
        cmocka_unit_test(a_size_that_overflows_is_no_memory),
        cmocka_unit_test(a_failed_resize_leaves_the_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
