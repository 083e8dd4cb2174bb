#include "mls/codec.h"
#include "support/check.h"

static void length_headers_have_one_form(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        uint8_t bytes[8];
        size_t len;
        enum slim_status want;
        uint32_t value;
    } rows[] = {
        {"zero", {0x00}, 1, SLIM_OK, 0},
        {"largest of one byte", {0x3f}, 1, SLIM_OK, 63},
        {"smallest of two", {0x40, 0x40}, 2, SLIM_OK, 64},
        {"largest of two", {0x7f, 0xff}, 2, SLIM_OK, 16383},
        {"smallest of four", {0x80, 0x00, 0x40, 0x00}, 4, SLIM_OK, 16384},
        {"largest", {0xbf, 0xff, 0xff, 0xff}, 4, SLIM_OK, 0x3fffffff},
        {"63 in two bytes", {0x40, 0x3f}, 2, SLIM_ERR_MALFORMED, 0},
        {"16383 in four bytes", {0x80, 0x00, 0x3f, 0xff}, 4, SLIM_ERR_MALFORMED, 0},
        {"the form of eight bytes", {0xc0, 0, 0, 0, 0, 0, 0, 1}, 8, SLIM_ERR_MALFORMED, 0},
        {"nothing", {0}, 0, SLIM_ERR_MALFORMED, 0},
        {"half a header", {0x40}, 1, SLIM_ERR_MALFORMED, 0},
        {"three quarters of a header", {0x80, 0x01, 0x00}, 3, SLIM_ERR_MALFORMED, 0},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_view in = {rows[i].bytes, rows[i].len};
        uint32_t got = 0;
        uint8_t header[4];
        CHECK_ROW(rows[i].why, slim_mls_take_length(&in, &got) == rows[i].want);
        CHECK_ROW(rows[i].why, got == rows[i].value);
        CHECK_ROW(rows[i].why, in.len == (rows[i].want == SLIM_OK ? 0 : rows[i].len));
        if (rows[i].want == SLIM_OK) {
            CHECK_ROW(rows[i].why, slim_mls_length_header(got, header) == rows[i].len);
            CHECK_ROW(rows[i].why, memcmp(header, rows[i].bytes, rows[i].len) == 0);
        }
    }
}

static void a_vector_longer_than_the_input_is_refused(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x05, 'a', 'b', 'c', 'd'};
    struct slim_view in = {bytes, sizeof(bytes)};
    struct slim_view data;
    CHECK(slim_mls_take_opaque(&in, &data) == SLIM_ERR_MALFORMED);
    CHECK(in.len == sizeof(bytes));
}

static void presence_is_zero_or_one(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0, 1, 2};
    struct slim_view in = {bytes, sizeof(bytes)};
    bool is_present;
    CHECK(slim_mls_take_optional(&in, &is_present) == SLIM_OK && !is_present);
    CHECK(slim_mls_take_optional(&in, &is_present) == SLIM_OK && is_present);
    CHECK(slim_mls_take_optional(&in, &is_present) == SLIM_ERR_MALFORMED);
}

static void nested_vectors_come_back(void **state)
{
    (void)state;
    static uint8_t large[20000];
    struct slim_mls_out out = {0};
    size_t outer = slim_mls_put_begin(&out);
    slim_mls_put_u16(&out, 0x1234);
    size_t inner = slim_mls_put_begin(&out);
    slim_mls_put_bytes(&out, slim_view_of(large, sizeof(large)));
    slim_mls_put_u64(&out, 0x0102030405060708U);
    slim_mls_put_end(&out, inner);
    slim_mls_put_u32(&out, 0xdeadbeef);
    slim_mls_put_end(&out, outer);
    CHECK_OK(out.status);

    struct slim_view in = slim_mls_out_view(&out);
    struct slim_view content;
    struct slim_view bytes;
    uint16_t small;
    uint32_t number;
    CHECK_OK(slim_mls_take_opaque(&in, &content));
    CHECK(in.len == 0);
    CHECK_OK(slim_mls_take_u16(&content, &small));
    CHECK_OK(slim_mls_take_opaque(&content, &bytes));
    CHECK_OK(slim_mls_take_u32(&content, &number));
    CHECK(content.len == 0 && small == 0x1234 && number == 0xdeadbeef &&
          bytes.len == sizeof(large) + 8);
    slim_mls_out_fini(&out);
}

static void sweep(void)
{
    struct slim_mls_out out = {0};
    struct slim_buf buf = {0};
    size_t mark = slim_mls_put_begin(&out);
    for (int i = 0; i < 100; i++) {
        slim_mls_put_opaque(&out, SLIM_VIEW("0123456789"));
    }
    slim_mls_put_end(&out, mark);
    if (slim_mls_out_give(&out, &buf) == SLIM_OK) {
        CHECK(buf.len == 1102);
    }
    slim_buf_fini(&buf);
}

static void a_failed_put_makes_the_end_fail(void **state)
{
    (void)state;
    slim_sweep_alloc(sweep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(length_headers_have_one_form),
        cmocka_unit_test(a_vector_longer_than_the_input_is_refused),
        cmocka_unit_test(presence_is_zero_or_one),
        cmocka_unit_test(nested_vectors_come_back),
        cmocka_unit_test(a_failed_put_makes_the_end_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
