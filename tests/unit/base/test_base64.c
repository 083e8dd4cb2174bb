#include "base/base64.h"
#include "support/check.h"

static void every_length_survives_the_round_trip(void **state)
{
    (void)state;
    uint8_t bytes[70];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 151 + 7);
    }
    for (int kind = 0; kind < 2; kind++) {
        for (size_t len = 0; len <= sizeof(bytes); len++) {
            char text[100];
            uint8_t back[70];
            size_t back_len = 99;
            size_t text_len =
                slim_base64_encode((enum slim_base64_kind)kind, slim_view_of(bytes, len), text);
            CHECK(text_len == slim_base64_encoded_size((enum slim_base64_kind)kind, len));
            CHECK_OK(slim_base64_decode((enum slim_base64_kind)kind, slim_view_of(text, text_len),
                                        back, sizeof(back), &back_len));
            CHECK(back_len == len && memcmp(back, bytes, len) == 0);
        }
    }
}

static void known_texts_decode_and_only_their_one_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        enum slim_base64_kind kind;
        const char *text;
        enum slim_status want;
        const char *bytes;
    } rows[] = {
        {"nothing", SLIM_BASE64_STANDARD, "", SLIM_OK, ""},
        {"rfc 4648", SLIM_BASE64_STANDARD, "Zg==", SLIM_OK, "f"},
        {"rfc 4648", SLIM_BASE64_STANDARD, "Zm8=", SLIM_OK, "fo"},
        {"rfc 4648", SLIM_BASE64_STANDARD, "Zm9vYmFy", SLIM_OK, "foobar"},
        {"url, one byte", SLIM_BASE64_URL, "Zg", SLIM_OK, "f"},
        {"url alphabet", SLIM_BASE64_URL, "-_-_", SLIM_OK, "\xfb\xff\xbf"},
        {"standard alphabet", SLIM_BASE64_STANDARD, "+/+/", SLIM_OK, "\xfb\xff\xbf"},
        {"padding in url", SLIM_BASE64_URL, "Zg==", SLIM_ERR_MALFORMED, ""},
        {"padding missing", SLIM_BASE64_STANDARD, "Zg", SLIM_ERR_MALFORMED, ""},
        {"too much padding", SLIM_BASE64_STANDARD, "Z===", SLIM_ERR_MALFORMED, ""},
        {"padding only", SLIM_BASE64_STANDARD, "====", SLIM_ERR_MALFORMED, ""},
        {"padding inside", SLIM_BASE64_STANDARD, "Zg==Zg==", SLIM_ERR_MALFORMED, ""},
        {"one digit left over", SLIM_BASE64_URL, "Zm9vY", SLIM_ERR_MALFORMED, ""},
        {"last bits not zero", SLIM_BASE64_URL, "Zh", SLIM_ERR_MALFORMED, ""},
        {"last bits not zero", SLIM_BASE64_URL, "Zm9", SLIM_ERR_MALFORMED, ""},
        {"wrong alphabet", SLIM_BASE64_URL, "+/+/", SLIM_ERR_MALFORMED, ""},
        {"wrong alphabet", SLIM_BASE64_STANDARD, "-_-_", SLIM_ERR_MALFORMED, ""},
        {"white space", SLIM_BASE64_STANDARD, "Zm9\n", SLIM_ERR_MALFORMED, ""},
        {"foreign character", SLIM_BASE64_URL, "Zm9!", SLIM_ERR_MALFORMED, ""},
        {"foreign in the tail", SLIM_BASE64_URL, "Zm9vZ!", SLIM_ERR_MALFORMED, ""},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        uint8_t out[16];
        size_t len = 77;
        CHECK_ROW(rows[i].why, slim_base64_decode(rows[i].kind, slim_view_str(rows[i].text), out,
                                                  sizeof(out), &len) == rows[i].want);
        if (rows[i].want == SLIM_OK) {
            CHECK_ROW(rows[i].why,
                      slim_view_is_equal(slim_view_of(out, len), slim_view_str(rows[i].bytes)));
        } else {
            CHECK_ROW(rows[i].why, len == 77);
        }
    }
}

static void capacity_is_respected(void **state)
{
    (void)state;
    uint8_t out[3] = {0};
    size_t len;
    CHECK(slim_base64_decode(SLIM_BASE64_URL, SLIM_VIEW("Zm9vYg"), out, 3, &len) == SLIM_ERR_LIMIT);
    CHECK_OK(slim_base64_decode(SLIM_BASE64_URL, SLIM_VIEW("Zm9v"), out, 3, &len));
    CHECK(len == 3);
}

static void sweep(void)
{
    struct slim_buf buf = {0};
    if (slim_base64_put(SLIM_BASE64_STANDARD, SLIM_VIEW("foob"), &buf) == SLIM_OK) {
        CHECK_VIEW(slim_buf_view(&buf), "Zm9vYg==");
        if (slim_base64_put_decoded(SLIM_BASE64_URL, SLIM_VIEW("YWI"), &buf) == SLIM_OK) {
            CHECK_VIEW(slim_buf_view(&buf), "Zm9vYg==ab");
        }
    }
    slim_buf_fini(&buf);
}

static void out_of_memory_is_reported(void **state)
{
    (void)state;
    slim_sweep_alloc(sweep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_survives_the_round_trip),
        cmocka_unit_test(known_texts_decode_and_only_their_one_spelling),
        cmocka_unit_test(capacity_is_respected),
        cmocka_unit_test(out_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
