#include "chat/text.h"
#include "support/check.h"

static void texts_of_others_do_no_harm_to_a_terminal(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *text;
        const char *want;
    } rows[] = {
        {"nothing", "", ""},
        {"plain text stays", "hello > there", "hello > there"},
        {"an escape sequence", "\x1b[31mred", "\\x1b[31mred"},
        {"a line stays one line", "a\nb\r\n", "a\\nb\\r\\n"},
        {"a tab", "a\tb", "a\\tb"},
        {"delete", "a\x7f", "a\\x7f"},
        {"UTF-8 stays, of two, three and four bytes", "\xc3\xbc\xe4\xb8\x96\xf0\x9f\x98\x80",
         "\xc3\xbc\xe4\xb8\x96\xf0\x9f\x98\x80"},
        {"C1 controls are terminal commands, too",
         "\xc2\x9b"
         "2J",
         "\\xc2\\x9b2J"},
        {"no UTF-8", "\xff\xfe!", "\\xff\\xfe!"},
        {"a character cut short", "a\xe4\xb8", "a\\xe4\\xb8"},
        {"overlong", "\xc0\xaf", "\\xc0\\xaf"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_buf out = {0};
        CHECK_OK(chat_text_put_printable(&out, slim_view_str(rows[i].text)));
        CHECK_ROW(rows[i].why,
                  slim_view_is_equal(slim_buf_view(&out), slim_view_str(rows[i].want)));
        slim_buf_fini(&out);
    }
}

/* The lines of `text` handed in in two pieces, joined by '|'. */
static void check_lines(struct slim_view text, size_t split, bool is_over, const char *want)
{
    struct chat_lines lines = {.is_over = false};
    struct slim_buf out = {0};
    struct slim_view line;
    CHECK_OK(chat_lines_put(&lines, slim_view_of(text.data, split)));
    while (chat_lines_take(&lines, &line)) {
        CHECK_OK(slim_buf_put(&out, line));
        CHECK_OK(slim_buf_put_byte(&out, '|'));
    }
    CHECK_OK(chat_lines_put(&lines, slim_view_skip(text, split)));
    lines.is_over = is_over;
    while (chat_lines_take(&lines, &line)) {
        CHECK_OK(slim_buf_put(&out, line));
        CHECK_OK(slim_buf_put_byte(&out, '|'));
    }
    CHECK_ROW(want, slim_view_is_equal(slim_buf_view(&out), slim_view_str(want)));
    slim_buf_fini(&out);
    chat_lines_fini(&lines);
}

static void lines_are_the_same_however_they_come(void **state)
{
    (void)state;
    struct slim_view text = SLIM_VIEW("one\n\ntwo\r\nrest");
    for (size_t split = 0; split <= text.len; split++) {
        check_lines(text, split, false, "one||two|");
        check_lines(text, split, true, "one||two|rest|");
    }
}

static void a_line_without_end_is_cut_at_the_limit(void **state)
{
    (void)state;
    struct chat_lines lines = {.is_over = false};
    struct slim_view line;
    struct slim_buf much = {0};
    CHECK_OK(slim_buf_reserve(&much, CHAT_LINE_BYTES_MAX));
    memset(much.data, 'x', CHAT_LINE_BYTES_MAX);
    CHECK_OK(chat_lines_put(&lines, slim_view_of(much.data, CHAT_LINE_BYTES_MAX - 1)));
    CHECK(!chat_lines_take(&lines, &line));
    CHECK_OK(chat_lines_put(&lines, SLIM_VIEW("x")));
    CHECK(chat_lines_take(&lines, &line) && line.len == CHAT_LINE_BYTES_MAX);
    CHECK(chat_lines_waiting(&lines) == 0);
    chat_lines_fini(&lines);
    slim_buf_fini(&much);
}

static void seconds_are_read_with_decimals(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_good;
        uint64_t ms;
    } rows[] = {
        {"5", true, 5000},         {"0.25", true, 250}, {".5", true, 500},
        {"2.", true, 2000},        {"0", true, 0},      {"1.2345", true, 1234},
        {"86400", true, 86400000}, {"86401", false, 0}, {"", false, 0},
        {".", false, 0},           {"x", false, 0},     {"1.x", false, 0},
        {"-1", false, 0},          {"1e3", false, 0},   {"99999999999999999999", false, 0},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        uint64_t ms = 0;
        CHECK_ROW(rows[i].text, chat_text_read_seconds(rows[i].text, &ms) == rows[i].is_good);
        CHECK_ROW(rows[i].text, ms == rows[i].ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_others_do_no_harm_to_a_terminal),
        cmocka_unit_test(lines_are_the_same_however_they_come),
        cmocka_unit_test(a_line_without_end_is_cut_at_the_limit),
        cmocka_unit_test(seconds_are_read_with_decimals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
