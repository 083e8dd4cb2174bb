#include "base/utf8.h"

#include <stdlib.h>

#include "support/check.h"

static const struct {
    const char *why;
    const char *text;
    bool is_valid;
} rows[] = {
    {"empty", "", true},
    {"ASCII", "slim", true},
    {"every ASCII end", "\x01\x7f", true},
    {"smallest of two bytes", "\xc2\x80", true},
    {"largest of two bytes", "\xdf\xbf", true},
    {"smallest of three bytes", "\xe0\xa0\x80", true},
    {"last before the surrogates", "\xed\x9f\xbf", true},
    {"first behind the surrogates", "\xee\x80\x80", true},
    {"largest of three bytes", "\xef\xbf\xbf", true},
    {"smallest of four bytes", "\xf0\x90\x80\x80", true},
    {"the last character, U+10FFFF", "\xf4\x8f\xbf\xbf", true},
    {"a continuation byte alone", "\x80", false},
    {"the last continuation byte", "\xbf", false},
    {"overlong zero", "\xc0\x80", false},
    {"overlong U+007F", "\xc1\xbf", false},
    {"overlong in three bytes", "\xe0\x9f\xbf", false},
    {"overlong in four bytes", "\xf0\x8f\xbf\xbf", false},
    {"first surrogate", "\xed\xa0\x80", false},
    {"last surrogate", "\xed\xbf\xbf", false},
    {"U+110000", "\xf4\x90\x80\x80", false},
    {"a first byte that begins nothing", "\xf5\x80\x80\x80", false},
    {"0xFE", "\xfe", false},
    {"0xFF", "\xff", false},
    {"two bytes, one missing", "\xc3", false},
    {"three bytes, one missing", "\xe2\x82", false},
    {"four bytes, one missing", "\xf0\x9f\x98", false},
    {"a bad second byte", "\xc3\x28", false},
    {"a bad third byte", "\xe2\x82\x28", false},
    {"a bad fourth byte", "\xf0\x9f\x98\x28", false},
    {"a byte too many", "\xc3\xa9\xa9", false},
};

/* Behind n ASCII bytes, so that the sequence meets every place of the eight bytes looked at together, and before one. In
 * memory of exactly the size, so that the sanitizer sees a read beyond it. */
static void sequences_are_judged_wherever_they_stand(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        for (size_t before = 0; before < 18; before++) {
            for (size_t behind = 0; behind < 2; behind++) {
                size_t len = strlen(rows[i].text);
                uint8_t *text = malloc(before + len + behind + 1);
                assert_non_null(text);
                uint8_t *exact =
                    realloc(text, before + len + behind > 0 ? before + len + behind : 1);
                assert_non_null(exact);
                memset(exact, 'a', before);
                memcpy(exact + before, rows[i].text, len);
                memset(exact + before + len, 'z', behind);
                bool is_valid = slim_utf8_is_valid(slim_view_of(exact, before + len + behind));
                free(exact);
                CHECK_ROW(rows[i].why, is_valid == rows[i].is_valid);
            }
        }
    }
}

/* The number of code points that are characters: everything up to U+10FFFF but the 2048 surrogates. */
static void exactly_the_characters_of_unicode_are_valid(void **state)
{
    (void)state;
    uint64_t count = 0;
    for (uint32_t first = 0x80; first <= 0xff; first++) {
        for (uint32_t second = 0; second <= 0xff; second++) {
            uint8_t two[2] = {(uint8_t)first, (uint8_t)second};
            count += slim_utf8_is_valid(slim_view_of(two, 2)) && second >= 0x80 ? 1 : 0;
            for (uint32_t third = 0x80; third <= 0xbf; third++) {
                uint8_t three[3] = {(uint8_t)first, (uint8_t)second, (uint8_t)third};
                count += first >= 0xe0 && slim_utf8_is_valid(slim_view_of(three, 3)) ? 1 : 0;
                uint8_t four[4] = {(uint8_t)first, (uint8_t)second, (uint8_t)third, 0x80};
                /* the fourth byte is free: 64 characters for each */
                count += first >= 0xf0 && slim_utf8_is_valid(slim_view_of(four, 4)) ? 64 : 0;
            }
        }
    }
    CHECK(count == 0x110000 - 0x80 - 2048);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_are_judged_wherever_they_stand),
        cmocka_unit_test(exactly_the_characters_of_unicode_are_valid),
    };
    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
