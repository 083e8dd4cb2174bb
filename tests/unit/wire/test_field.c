#include "wire/field.h"

#include "support/check.h"

static void varint_edges(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        uint8_t bytes[11];
        size_t len;
        enum slim_status want;
        uint64_t value;
        size_t left;
    } rows[] = {
        {"nothing", {0}, 0, SLIM_ERR_TRUNCATED, 7, 0},
        {"zero is one byte", {0x00}, 1, SLIM_OK, 0, 0},
        {"largest of one byte, one byte behind it", {0x7f, 0xff}, 2, SLIM_OK, 127, 1},
        {"smallest of two bytes", {0x80, 0x01}, 2, SLIM_OK, 128, 0},
        {"zero written long", {0x80, 0x80, 0x80, 0x00}, 4, SLIM_OK, 0, 0},
        {"2^63 - 1 is nine bytes",
         {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
         9,
         SLIM_OK,
         INT64_MAX,
         0},
        {"largest 64-bit value",
         {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
         10,
         SLIM_OK,
         UINT64_MAX,
         0},
        {"one bit too many",
         {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02},
         10,
         SLIM_ERR_MALFORMED,
         7,
         10},
        {"eleven bytes",
         {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00},
         11,
         SLIM_ERR_MALFORMED,
         7,
         11},
        {"input ends inside the number", {0x80}, 1, SLIM_ERR_TRUNCATED, 7, 1},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_view in = {rows[i].bytes, rows[i].len};
        uint64_t got = 7;
        CHECK_ROW(rows[i].why, slim_wire_take_varint(&in, &got) == rows[i].want);
        CHECK_ROW(rows[i].why, got == rows[i].value);
        CHECK_ROW(rows[i].why, in.len == rows[i].left);
        CHECK_ROW(rows[i].why, in.data == rows[i].bytes + rows[i].len - rows[i].left);
    }
}

static void varint_comes_back_as_written(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit <= 64; bit++) {
        uint64_t edge = bit == 64 ? 0 : (uint64_t)1 << bit;
        for (uint64_t value = edge - 1; value != edge + 2; value++) {
            struct slim_buf out = {.len = 0};
            uint64_t got;
            CHECK_OK(slim_wire_put_varint(&out, value));
            CHECK(out.len == slim_wire_varint_size(value));
            struct slim_view in = slim_buf_view(&out);
            CHECK_OK(slim_wire_take_varint(&in, &got));
            CHECK(got == value && in.len == 0);
            slim_buf_fini(&out);
        }
    }
}

static void field_edges(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        uint8_t bytes[16];
        size_t len;
        enum slim_status want;
        uint32_t number;
        enum slim_wire_field_type type;
        uint64_t value;
        size_t content;
    } rows[] = {
        {"a number", {0x08, 0x96, 0x01}, 3, SLIM_OK, 1, SLIM_WIRE_FIELD_VARINT, 150, 0},
        {"a string", {0x12, 0x02, 'h', 'i'}, 4, SLIM_OK, 2, SLIM_WIRE_FIELD_BYTES, 0, 2},
        {"an empty string", {0x12, 0x00}, 2, SLIM_OK, 2, SLIM_WIRE_FIELD_BYTES, 0, 0},
        {"eight bytes",
         {0x09, 1, 2, 3, 4, 5, 6, 7, 8},
         9,
         SLIM_OK,
         1,
         SLIM_WIRE_FIELD_FIXED64,
         0,
         0},
        {"seven of eight bytes", {0x09, 1, 2, 3, 4, 5, 6, 7}, 8, SLIM_ERR_TRUNCATED, 0, 0, 0, 0},
        {"four bytes", {0x0d, 1, 2, 3, 4}, 5, SLIM_OK, 1, SLIM_WIRE_FIELD_FIXED32, 0, 0},
        {"three of four bytes", {0x0d, 1, 2, 3}, 4, SLIM_ERR_TRUNCATED, 0, 0, 0, 0},
        {"largest field number",
         {0xf8, 0xff, 0xff, 0xff, 0x0f, 0x01},
         6,
         SLIM_OK,
         0x1fffffff,
         SLIM_WIRE_FIELD_VARINT,
         1,
         0},
        {"key written long", {0x88, 0x80, 0x00, 0x05}, 4, SLIM_OK, 1, SLIM_WIRE_FIELD_VARINT, 5, 0},
        {"key beyond 32 bits",
         {0x88, 0x80, 0x80, 0x80, 0x10, 0x05},
         6,
         SLIM_ERR_MALFORMED,
         0,
         0,
         0,
         0},
        {"field number 0", {0x00, 0x01}, 2, SLIM_ERR_MALFORMED, 0, 0, 0, 0},
        {"field number 0, a string", {0x02, 0x00}, 2, SLIM_ERR_MALFORMED, 0, 0, 0, 0},
        {"group start", {0x0b, 0x0c}, 2, SLIM_ERR_MALFORMED, 0, 0, 0, 0},
        {"group end", {0x0c}, 1, SLIM_ERR_MALFORMED, 0, 0, 0, 0},
        {"wire type 6", {0x0e, 0x00}, 2, SLIM_ERR_MALFORMED, 0, 0, 0, 0},
        {"wire type 7", {0x0f, 0x00}, 2, SLIM_ERR_MALFORMED, 0, 0, 0, 0},
        {"key only", {0x08}, 1, SLIM_ERR_TRUNCATED, 0, 0, 0, 0},
        {"half a key", {0x88}, 1, SLIM_ERR_TRUNCATED, 0, 0, 0, 0},
        {"a length beyond the end", {0x12, 0x03, 'h', 'i'}, 4, SLIM_ERR_TRUNCATED, 0, 0, 0, 0},
        {"the largest length",
         {0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
         11,
         SLIM_ERR_TRUNCATED,
         0,
         0,
         0,
         0},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_view in = {rows[i].bytes, rows[i].len};
        struct slim_wire_field field;
        CHECK_ROW(rows[i].why, slim_wire_take_field(&in, &field) == rows[i].want);
        if (rows[i].want != SLIM_OK) {
            CHECK_ROW(rows[i].why, in.data == rows[i].bytes && in.len == rows[i].len);
            continue;
        }
        CHECK_ROW(rows[i].why, field.number == rows[i].number && field.type == rows[i].type);
        CHECK_ROW(rows[i].why, field.value == rows[i].value && field.bytes.len == rows[i].content);
        CHECK_ROW(rows[i].why,
                  field.raw.data == rows[i].bytes && field.raw.len == rows[i].len && in.len == 0);
    }
}

static void nested_length_is_right_whatever_was_guessed(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 127, 128, 16383, 16384, 40000};
    static uint8_t content[40000];
    memset(content, 'x', sizeof(content));
    for (size_t guess = 0; guess < SLIM_COUNT(sizes); guess++) {
        for (size_t real = 0; real < SLIM_COUNT(sizes); real++) {
            struct slim_buf out = {.len = 0};
            struct slim_wire_nested nested;
            CHECK_OK(slim_buf_put(&out, SLIM_VIEW("before")));
            CHECK_OK(slim_wire_open(&out, 3, sizes[guess], &nested));
            CHECK_OK(slim_buf_put(&out, slim_view_of(content, sizes[real])));
            CHECK_OK(slim_wire_close(&out, &nested));
            struct slim_view in = slim_view_skip(slim_buf_view(&out), 6);
            struct slim_wire_field field;
            CHECK_OK(slim_wire_take_field(&in, &field));
            CHECK(in.len == 0 && field.number == 3 &&
                  field.raw.len == 1 + slim_wire_varint_size(sizes[real]) + sizes[real]);
            CHECK(slim_view_is_equal(field.bytes, slim_view_of(content, sizes[real])));
            slim_buf_fini(&out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varint_edges),
        cmocka_unit_test(varint_comes_back_as_written),
        cmocka_unit_test(field_edges),
        cmocka_unit_test(nested_length_is_right_whatever_was_guessed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
