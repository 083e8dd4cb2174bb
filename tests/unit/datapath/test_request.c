#include "datapath/request.h"

#include "support/check.h"

static void configured_headers_become_lower_case_and_keep_their_order(void **state)
{
    (void)state;
    char name[][16] = {"X-One", "Authorization", "x-empty", "X_Two."};
    char value[][16] = {"1", "mine", "", "a \t b\xc3\xa9"};
    struct slim_config_pair items[SLIM_COUNT(name)];
    for (size_t i = 0; i < SLIM_COUNT(items); i++) {
        items[i] = (struct slim_config_pair){name[i], value[i]};
    }
    const struct slim_config_pairs pairs = {items, SLIM_COUNT(items)};
    struct slim_datapath_headers headers;
    CHECK_OK(slim_datapath_headers_init(&headers, &pairs, false, NULL));
    CHECK(headers.count == 4);
    CHECK_VIEW(headers.items[0].name, "x-one");
    CHECK_VIEW(headers.items[0].value, "1");
    CHECK_VIEW(headers.items[1].name, "authorization");
    CHECK_VIEW(headers.items[2].value, "");
    CHECK_VIEW(headers.items[3].name, "x_two.");
    CHECK_VIEW(headers.items[3].value, "a \t b\xc3\xa9");
    headers.items[headers.count] = headers.items[0]; /* there is room for one more */
    slim_datapath_headers_fini(&headers);

    CHECK_OK(slim_datapath_headers_init(&headers, &pairs, true, NULL));
    CHECK(headers.count == 3); /* ours takes its place */
    CHECK_VIEW(headers.items[1].name, "x-empty");
    slim_datapath_headers_fini(&headers);
    slim_datapath_headers_fini(&headers); /* empty now */
}

static void headers_that_cannot_be_sent_are_refused_with_a_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *value;
        const char *text;
    } rows[] = {
        {"", "v", "invalid HTTP header name"},
        {"a b", "v", "invalid HTTP header name"},
        {":path", "v", "invalid HTTP header name"},
        {"a\xc3\xa9", "v", "invalid HTTP header name"},
        {"x", "a\nb", "invalid value of the HTTP header x"},
        {"x", " a", "invalid value of the HTTP header x"},
        {"x", "a ", "invalid value of the HTTP header x"},
        {"x", "\x7f", "invalid value of the HTTP header x"},
        {"Content-Type", "v",
         "the header content-type cannot be configured: gRPC or HTTP/2 sets it"},
        {"grpc-timeout", "v",
         "the header grpc-timeout cannot be configured: gRPC or HTTP/2 sets it"},
        {"Connection", "v", "the header connection cannot be configured: gRPC or HTTP/2 sets it"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        char name[32];
        char value[16];
        (void)snprintf(name, sizeof(name), "%s", rows[i].name);    /* fits */
        (void)snprintf(value, sizeof(value), "%s", rows[i].value); /* fits */
        char good[] = "x-good";
        struct slim_config_pair items[] = {{good, good}, {name, value}};
        const struct slim_config_pairs pairs = {items, SLIM_COUNT(items)};
        struct slim_datapath_headers headers;
        struct slim_error error = {0};
        CHECK_ROW(rows[i].text,
                  slim_datapath_headers_init(&headers, &pairs, false, &error) == SLIM_ERR_CONFIG);
        assert_string_equal(error.text, rows[i].text);
    }
}

static void a_rate_lets_so_many_calls_through_in_each_period(void **state)
{
    (void)state;
    static const struct {
        uint64_t now_ms;
        uint64_t wait_ms;
        const char *why;
    } rows[] = {
        {5000, 0, "the period begins with the first call"},
        {5500, 0, "the second one of two"},
        {5500, 500, "the third waits for the end of the period"},
        {5999, 1, "and still does"},
        {6000, 0, "the period is over, another one begins"},
        {6000, 0, "the second one"},
        {6999, 1, "the third"},
        {9000, 0, "a long silence saves nothing up"},
        {9001, 0, "two"},
        {9002, 998, "and no more"},
    };
    struct slim_datapath_rate rate = {.count = 2, .period_ms = 1000};
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        CHECK_ROW(rows[i].why,
                  slim_datapath_rate_wait_ms(&rate, rows[i].now_ms) == rows[i].wait_ms);
    }
    struct slim_datapath_rate unlimited = {0};
    for (size_t i = 0; i < 100; i++) {
        CHECK(slim_datapath_rate_wait_ms(&unlimited, 1) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configured_headers_become_lower_case_and_keep_their_order),
        cmocka_unit_test(headers_that_cannot_be_sent_are_refused_with_a_sentence),
        cmocka_unit_test(a_rate_lets_so_many_calls_through_in_each_period),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
