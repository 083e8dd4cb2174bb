/* Handles: counted, of one kind each, and refused when they are of nothing. */
#include <string.h>

#include "caller.h"

static void *as_handle(uint64_t number)
{
    return (void *)(uintptr_t)number;
}

static void a_handle_is_good_for_as_many_takes_as_were_given(void **state)
{
    (void)state;
    struct uf_status status = {.code = 0};
    uint32_t before = uf_handle_in_use();
    void *name = caller_name("a");
    CHECK(uf_handle_in_use() == before + 1);
    CHECK(uniffi_slim_bindings_fn_clone_name(name, &status) == name);
    (void)uniffi_slim_bindings_fn_method_name_id(name, &status); /* takes one */
    EXPECT_FINE(&status);
    uniffi_slim_bindings_fn_free_name(name, &status);
    EXPECT_FINE(&status);
    CHECK(uf_handle_in_use() == before);
    uniffi_slim_bindings_fn_free_name(name, &status);
    caller_expect_error("once too often", &status, UF_PANIC, "a handle of nothing");
    CHECK(uniffi_slim_bindings_fn_clone_name(name, &status) == NULL);
    caller_expect_error("of one that is gone", &status, UF_PANIC, "a handle of nothing");
}

static void a_handle_that_is_gone_is_not_that_of_the_next_object(void **state)
{
    (void)state;
    struct uf_status status = {.code = 0};
    void *first = caller_name("a");
    uniffi_slim_bindings_fn_free_name(first, &status);
    void *second = caller_name("b");
    CHECK(second != first);
    (void)uniffi_slim_bindings_fn_method_name_id(first, &status);
    caller_expect_error("the first is gone", &status, UF_PANIC, "a handle of nothing");
    uniffi_slim_bindings_fn_free_name(second, &status);
    EXPECT_FINE(&status);
}

static void numbers_that_are_no_handles_are_refused(void **state)
{
    (void)state;
    struct uf_status status = {.code = 0};
    void *name = caller_name("a");
    uint64_t number = (uint64_t)(uintptr_t)name;
    const uint64_t others[] = {0,
                               1,
                               UINT64_MAX,
                               number + 1,
                               number + 8,
                               number + 16,
                               number ^ (1ULL << 46),
                               number | 1ULL << 63};
    for (size_t i = 0; i < UF_COUNT(others); i++) {
        (void)uniffi_slim_bindings_fn_method_name_id(as_handle(others[i]), &status);
        caller_expect_error("no handle", &status, UF_PANIC, "Name: a handle of nothing");
    }
    (void)uniffi_slim_bindings_fn_method_app_id(name, &status);
    caller_expect_error("of another kind", &status, UF_PANIC, "App: a handle of nothing");
    uniffi_slim_bindings_fn_free_name(name, &status);
    EXPECT_FINE(&status);
}

static void the_table_grows_and_shrinks_in_use(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    static void *names[COUNT];
    struct uf_status status = {.code = 0};
    uint32_t before = uf_handle_in_use();
    for (size_t i = 0; i < COUNT; i++) {
        names[i] = caller_name("x");
    }
    CHECK(uf_handle_in_use() == before + COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        uniffi_slim_bindings_fn_free_name(names[i], &status);
        EXPECT_FINE(&status);
    }
    CHECK(uf_handle_in_use() == before);
}

static void expect_text(struct uf_buffer buffer, const char *text)
{
    CHECK_ROW(text, buffer.len == strlen(text) && memcmp(buffer.data, text, buffer.len) == 0);
    uf_buffer_free(&buffer);
}

static void names_print_and_compare_as_the_reference_does(void **state)
{
    (void)state;
    struct uf_status status = {.code = 0};
    void *name = uniffi_slim_bindings_fn_constructor_name_new(caller_text("a"), caller_text("b"),
                                                              caller_text("c"), &status);
    (void)uniffi_slim_bindings_fn_clone_name(name, &status); /* one more for each call */
    (void)uniffi_slim_bindings_fn_clone_name(name, &status); /* likewise */
    expect_text(uniffi_slim_bindings_fn_method_name_uniffi_trait_display(name, &status),
                "a/b/c/ffffffffffffffff");
    expect_text(uniffi_slim_bindings_fn_method_name_uniffi_trait_debug(name, &status),
                "Name { inner: 3ff5008a504a5280/96b9e40aae76a84/557fb00e54c41fb7/ffffffffffffffff "
                "(a/b/c/ffffffffffffffff) }");
    uniffi_slim_bindings_fn_free_name(name, &status);
    EXPECT_FINE(&status);
}

static void components_are_a_list_of_three(void **state)
{
    (void)state;
    struct uf_status status = {.code = 0};
    static const char wanted[] = "\0\0\0\3\0\0\0\3org\0\0\0\2ns\0\0\0\0";
    struct uf_buffer list =
        uniffi_slim_bindings_fn_method_name_components(caller_name(""), &status);
    EXPECT_FINE(&status);
    CHECK(list.len == sizeof(wanted) - 1 && memcmp(list.data, wanted, list.len) == 0);
    uf_buffer_free(&list);
}

static void names_are_equal_with_the_same_id(void **state)
{
    (void)state;
    struct uf_status status = {.code = 0};
    void *with_id = uniffi_slim_bindings_fn_constructor_name_new_with_id(
        caller_text("org"), caller_text("ns"), caller_text("a"), 42, &status);
    (void)uniffi_slim_bindings_fn_clone_name(with_id, &status);
    CHECK(uniffi_slim_bindings_fn_method_name_uniffi_trait_eq_eq(caller_name("a"), caller_name("a"),
                                                                 &status) == 1);
    CHECK(uniffi_slim_bindings_fn_method_name_uniffi_trait_eq_ne(caller_name("a"), caller_name("b"),
                                                                 &status) == 1);
    CHECK(uniffi_slim_bindings_fn_method_name_uniffi_trait_eq_eq(with_id, caller_name("a"),
                                                                 &status) == 0);
    CHECK(uniffi_slim_bindings_fn_method_name_id(with_id, &status) == 42);
    EXPECT_FINE(&status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handle_is_good_for_as_many_takes_as_were_given),
        cmocka_unit_test(a_handle_that_is_gone_is_not_that_of_the_next_object),
        cmocka_unit_test(numbers_that_are_no_handles_are_refused),
        cmocka_unit_test(the_table_grows_and_shrinks_in_use),
        cmocka_unit_test(names_print_and_compare_as_the_reference_does),
        cmocka_unit_test(components_are_a_list_of_three),
        cmocka_unit_test(names_are_equal_with_the_same_id),
    };
    return cmocka_run_group_tests_name("uniffi_object", tests, NULL, NULL);
}
