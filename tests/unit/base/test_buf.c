#include "base/buf.h"

#include <stdlib.h>

#include "support/check.h"

static void a_zeroed_buffer_is_empty(void **state)
{
    (void)state;
    struct slim_buf buf = {0};
    CHECK(slim_buf_view(&buf).len == 0);
    CHECK_OK(slim_buf_put(&buf, (struct slim_view){0}));
    CHECK(buf.len == 0);
    slim_buf_drop(&buf, 0);
    slim_buf_fini(&buf);
    slim_buf_fini(&buf);
    slim_buf_fini(NULL);
    slim_buf_wipe(&buf);
    slim_buf_wipe(NULL);
    CHECK(buf.data == NULL && buf.capacity == 0);
}

static void bytes_come_out_as_they_were_put(void **state)
{
    (void)state;
    struct slim_buf buf = {0};
    for (int i = 0; i < 1000; i++) {
        CHECK_OK(slim_buf_put_byte(&buf, (uint8_t)i));
        CHECK(buf.len <= buf.capacity);
    }
    for (int i = 0; i < 1000; i++) {
        CHECK(buf.data[i] == (uint8_t)i);
    }
    slim_buf_clear(&buf);
    CHECK(buf.len == 0 && buf.capacity >= 1000);
    CHECK_OK(slim_buf_put(&buf, SLIM_VIEW("hello")));
    CHECK_VIEW(slim_buf_view(&buf), "hello");
    slim_buf_fini(&buf);
}

static void text_is_appended_without_its_zero(void **state)
{
    (void)state;
    struct slim_buf buf = {0};
    CHECK_OK(slim_buf_put_text(&buf, "%s-%d", "a", 7));
    CHECK_OK(slim_buf_put_text(&buf, "%s", ""));
    CHECK_VIEW(slim_buf_view(&buf), "a-7");
    CHECK_OK(slim_buf_put_text(&buf, "%0200d", 1)); /* longer than the first allocation */
    CHECK(buf.len == 203 && buf.data[202] == '1' && buf.data[201] == '0');
    slim_buf_fini(&buf);
}

static void drop_moves_the_rest_to_the_front(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        size_t count;
        const char *rest;
    } rows[] = {
        {"nothing", 0, "hello"},
        {"one", 1, "ello"},
        {"all but one", 4, "o"},
        {"all", 5, ""},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_buf buf = {0};
        CHECK_OK(slim_buf_put(&buf, SLIM_VIEW("hello")));
        slim_buf_drop(&buf, rows[i].count);
        CHECK_ROW(rows[i].why,
                  slim_view_is_equal(slim_buf_view(&buf), slim_view_str(rows[i].rest)));
        slim_buf_fini(&buf);
    }
}

static void reserve_keeps_content_and_refuses_the_impossible(void **state)
{
    (void)state;
    struct slim_buf buf = {0};
    CHECK_OK(slim_buf_put(&buf, SLIM_VIEW("x")));
    CHECK_OK(slim_buf_reserve(&buf, 100000));
    CHECK(buf.capacity >= 100001 && buf.len == 1 && buf.data[0] == 'x');
    size_t capacity = buf.capacity;
    CHECK_OK(slim_buf_reserve(&buf, 100000));
    CHECK(buf.capacity == capacity);
    static const size_t impossible[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2 + 1};
    for (size_t i = 0; i < SLIM_COUNT(impossible); i++) {
        CHECK(slim_buf_reserve(&buf, impossible[i]) == SLIM_ERR_NO_MEMORY);
        CHECK(buf.capacity == capacity && buf.len == 1 && buf.data[0] == 'x');
    }
    slim_buf_fini(&buf);
}

static void sweep(void)
{
    struct slim_buf buf = {0};
    if (slim_buf_put(&buf, SLIM_VIEW("first")) == SLIM_OK &&
        slim_buf_put_text(&buf, "%0100d", 0) == SLIM_ERR_NO_MEMORY) {
        CHECK_VIEW(slim_buf_view(&buf), "first"); /* nothing changed */
    }
    slim_buf_wipe(&buf);
}

static void out_of_memory_changes_nothing(void **state)
{
    (void)state;
    slim_sweep_alloc(sweep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zeroed_buffer_is_empty),
        cmocka_unit_test(bytes_come_out_as_they_were_put),
        cmocka_unit_test(text_is_appended_without_its_zero),
        cmocka_unit_test(drop_moves_the_rest_to_the_front),
        cmocka_unit_test(reserve_keeps_content_and_refuses_the_impossible),
        cmocka_unit_test(out_of_memory_changes_nothing),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
