#include "base/json.h"

#include <stdlib.h>

#include <jansson.h>

#include "support/check.h"

static const struct slim_json_limits limits = {.bytes_max = 4096, .depth_max = 4};
static const struct slim_json_limits plain = {
    .bytes_max = 4096, .depth_max = 4, .has_plain_numbers = true};

static void bad_texts_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *text;
        enum slim_status want;
    } rows[] = {
        {"nothing", "", SLIM_ERR_MALFORMED},
        {"a bare value", "1", SLIM_ERR_MALFORMED},
        {"cut", "{\"a\":", SLIM_ERR_MALFORMED},
        {"cut inside a text", "{\"a", SLIM_ERR_MALFORMED},
        {"cut behind a backslash", "{\"a\\", SLIM_ERR_MALFORMED},
        {"bytes behind the end", "{} x", SLIM_ERR_MALFORMED},
        {"a key twice", "{\"a\":1,\"a\":2}", SLIM_ERR_MALFORMED},
        {"a key twice, once escaped", "{\"a\":1,\"\\u0061\":2}", SLIM_ERR_MALFORMED},
        {"a key twice further down", "{\"b\":[{\"a\":1,\"a\":1}]}", SLIM_ERR_MALFORMED},
        {"leading zero", "[01]", SLIM_ERR_MALFORMED},
        {"plus sign", "[+1]", SLIM_ERR_MALFORMED},
        {"hexadecimal", "[0x10]", SLIM_ERR_MALFORMED},
        {"more than 64 bits", "[9223372036854775808]", SLIM_ERR_MALFORMED},
        {"more than a double", "[1e999]", SLIM_ERR_MALFORMED},
        {"not a number", "[NaN]", SLIM_ERR_MALFORMED},
        {"a zero byte", "[\"\\u0000\"]", SLIM_ERR_MALFORMED},
        {"half a surrogate pair", "[\"\\ud800\"]", SLIM_ERR_MALFORMED},
        {"not UTF-8", "[\"\xff\"]", SLIM_ERR_MALFORMED},
        {"a comment", "{/**/}", SLIM_ERR_MALFORMED},
        {"a comma too many", "[1,]", SLIM_ERR_MALFORMED},
        {"a control character", "[\"\n\"]", SLIM_ERR_MALFORMED},
        {"five levels", "[[[[[]]]]]", SLIM_ERR_LIMIT},
        {"four levels", "[[[[]]]]", SLIM_OK},
        {"brackets inside a text do not count", "[\"[[[[[[[[\\\"[[[\"]", SLIM_OK},
        {"siblings do not add up", "[[],[],[],[],[],[],{}]", SLIM_OK},
        {"exponent", "[1e3, -0, 1.25]", SLIM_OK},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_json *json = NULL;
        struct slim_error error = {0};
        CHECK_ROW(rows[i].why, slim_json_parse(slim_view_str(rows[i].text), &limits, &json,
                                               &error) == rows[i].want);
        CHECK_ROW(rows[i].why, (rows[i].want == SLIM_OK) == (error.text[0] == '\0'));
        slim_json_free(json);
    }
}

static void plain_numbers_have_one_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_plain;
    } rows[] = {
        {"[0]", true},
        {"[-1]", true},
        {"[1795344604.056756]", true},
        {"[1.0]", true},
        {"[-0]", false},
        {"[-0.0]", false},
        {"[-0.05]", true},
        {"[-0.000]", false},
        {"[1e3]", false},
        {"[1E3]", false},
        {"[1.0123456789]", false},
        {"[\"1e3\"]", true},
        {"{\"e-0\":1}", true},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_json *json = NULL;
        CHECK_ROW(rows[i].text, (slim_json_parse(slim_view_str(rows[i].text), &plain, &json,
                                                 NULL) == SLIM_OK) == rows[i].is_plain);
        slim_json_free(json);
    }
}

static void length_is_bounded_and_errors_quote_nothing(void **state)
{
    (void)state;
    struct slim_json_limits two = {.bytes_max = 2, .depth_max = 1};
    struct slim_json *json = NULL;
    struct slim_error error;
    CHECK(slim_json_parse(SLIM_VIEW("[ ]"), &two, &json, &error) == SLIM_ERR_LIMIT);
    CHECK_OK(slim_json_parse(SLIM_VIEW("[]"), &two, &json, &error));
    slim_json_free(json);
    CHECK(slim_json_parse(SLIM_VIEW("{\"k\": topsecret}"), &limits, &json, &error) ==
          SLIM_ERR_MALFORMED);
    CHECK(strstr(error.text, "topsecret") == NULL && strstr(error.text, "line 1") != NULL);
    slim_json_free(NULL);
}

static void values_are_read_by_kind(void **state)
{
    (void)state;
    struct slim_json *json;
    CHECK_OK(slim_json_parse(SLIM_VIEW("{\"t\":\"x\",\"i\":-7,\"r\":2.5,\"b\":true,\"n\":null,"
                                       "\"a\":[1,2],\"o\":{\"k\":\"v\"}}"),
                             &limits, &json, NULL));
    struct slim_view text = SLIM_VIEW("?");
    int64_t integer = 0;
    double number = 0;
    bool is_set = false;
    CHECK(slim_json_read_text(slim_json_find(json, "t"), &text));
    CHECK_VIEW(text, "x");
    CHECK(!slim_json_read_text(slim_json_find(json, "i"), &text));
    CHECK(slim_json_read_integer(slim_json_find(json, "i"), &integer) && integer == -7);
    CHECK(!slim_json_read_integer(slim_json_find(json, "r"), &integer));
    CHECK(slim_json_read_number(slim_json_find(json, "r"), &number) && number == 2.5);
    CHECK(slim_json_read_number(slim_json_find(json, "i"), &number) && number == -7);
    CHECK(slim_json_read_bool(slim_json_find(json, "b"), &is_set) && is_set);
    CHECK(slim_json_kind(slim_json_find(json, "n")) == SLIM_JSON_NULL);
    CHECK(slim_json_count(slim_json_find(json, "a")) == 2);
    CHECK(slim_json_kind(slim_json_at(slim_json_find(json, "a"), 1)) == SLIM_JSON_INTEGER);
    CHECK(slim_json_find(json, "missing") == NULL && slim_json_find(NULL, "x") == NULL);
    CHECK(slim_json_find(slim_json_find(json, "a"), "x") == NULL);
    CHECK(slim_json_count(NULL) == 0 && !slim_json_read_text(NULL, &text));
    struct slim_json_member member = {0};
    static const char *const keys[] = {"t", "i", "r", "b", "n", "a", "o"};
    size_t count = 0;
    while (slim_json_next(json, &member)) {
        CHECK(slim_view_is_equal(member.key, slim_view_str(keys[count])));
        count++;
    }
    CHECK(count == SLIM_COUNT(keys));
    slim_json_free(json);
}

static void text_written_reads_back(void **state)
{
    (void)state;
    struct slim_buf out = {0};
    CHECK_OK(slim_buf_put_byte(&out, '['));
    CHECK_OK(slim_json_put_text(SLIM_VIEW("a\"\\\n\r\t\x01\x7fz\xc3\xa9"), &out));
    CHECK_OK(slim_buf_put_byte(&out, ']'));
    struct slim_json *json;
    CHECK_OK(slim_json_parse(slim_buf_view(&out), &limits, &json, NULL));
    struct slim_view text;
    CHECK(slim_json_read_text(slim_json_at(json, 0), &text));
    CHECK_VIEW(text, "a\"\\\n\r\t\x01\x7fz\xc3\xa9");
    CHECK(slim_json_put_text(SLIM_VIEW("\xc3"), &out) == SLIM_ERR_INVALID);
    slim_buf_clear(&out);
    CHECK_OK(slim_json_put(json, &out));
    CHECK_VIEW(slim_buf_view(&out), "[\"a\\\"\\\\\\n\\r\\t\\u0001\x7fz\xc3\xa9\"]");
    slim_json_free(json);
    slim_buf_fini(&out);
}

static void sweep(void)
{
    struct slim_json *json = NULL;
    struct slim_buf out = {0};
    enum slim_status status = slim_json_parse(
        SLIM_VIEW("{\"a\":[1,\"two\",{\"b\":null}],\"c\":2.5}"), &limits, &json, NULL);
    if (status == SLIM_OK) {
        status = slim_json_put(json, &out);
    }
    if (status == SLIM_OK) {
        CHECK_VIEW(slim_buf_view(&out), "{\"a\":[1,\"two\",{\"b\":null}],\"c\":2.5}");
    }
    slim_json_free(json);
    slim_buf_fini(&out);
}

static void out_of_memory_leaks_nothing(void **state)
{
    (void)state;
    json_set_alloc_funcs(malloc,
                         free); /* jansson's own calls are failed too: short texts it survives */
    slim_sweep_alloc(sweep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_texts_are_refused),
        cmocka_unit_test(plain_numbers_have_one_spelling),
        cmocka_unit_test(length_is_bounded_and_errors_quote_nothing),
        cmocka_unit_test(values_are_read_by_kind),
        cmocka_unit_test(text_written_reads_back),
        cmocka_unit_test(out_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
