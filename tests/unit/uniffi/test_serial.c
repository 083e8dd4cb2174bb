/* Reading and writing of records: what is written is read, whatever type it is of, and damage is told. */
#include <stdlib.h>
#include <string.h>

#include "caller.h"

/* ---- a caller that walks the table of types and writes any value that fits: bytes from a seed decide */

struct maker {
    uint32_t seed;
    struct uf_buffer out;
};

static uint32_t any(struct maker *maker, uint32_t below)
{
    maker->seed = maker->seed * 1664525U + 1013904223U;
    return (maker->seed >> 8) % below;
}

static void make_bytes(struct maker *maker, uint64_t number, size_t len)
{
    struct uf_status status = {.code = 0};
    maker->out = ffi_slim_bindings_rustbuffer_reserve(maker->out, len, &status);
    EXPECT_FINE(&status);
    for (size_t i = 0; i < len; i++) {
        maker->out.data[maker->out.len++] = (uint8_t)(number >> (8 * (len - 1 - i)));
    }
}

static void make_value(struct maker *maker, const struct uf_type *type)
{
    static const char *const texts[] = {"", "a", "quote\" and \\", "\xc3\xa9\xf0\x9f\x98\x80"};
    uint32_t number = any(maker, 4);
    switch (type->form) {
    case UF_BOOL:
        make_bytes(maker, number % 2, 1);
        break;
    case UF_U32:
        make_bytes(maker, number == 0 ? UINT32_MAX : number, 4);
        break;
    case UF_U64:
        make_bytes(maker, number == 0 ? UINT64_MAX : number, 8);
        break;
    case UF_TEXT:
    case UF_BYTES:
        make_bytes(maker, strlen(texts[number]), 4);
        for (const char *byte = texts[number]; *byte != '\0'; byte++) {
            make_bytes(maker, (uint8_t)*byte, 1);
        }
        break;
    case UF_DURATION:
        make_bytes(maker, number == 0 ? UINT64_MAX : number, 8);
        make_bytes(maker, any(maker, 1000000000), 4);
        break;
    case UF_ENUM:
        make_bytes(maker, 1 + any(maker, type->count), 4);
        break;
    case UF_RECORD:
        for (uint32_t i = 0; i < type->count; i++) {
            make_value(maker, type->fields[i].type);
        }
        break;
    case UF_UNION:
        number = any(maker, type->count);
        make_bytes(maker, number + 1, 4);
        if (type->variants[number] != NULL) {
            make_value(maker, type->variants[number]);
        }
        break;
    case UF_OPTIONAL:
        make_bytes(maker, number % 2, 1);
        if (number % 2 == 1) {
            make_value(maker, type->inner);
        }
        break;
    case UF_LIST:
        make_bytes(maker, number, 4);
        for (uint32_t i = 0; i < number; i++) {
            make_value(maker, type->inner);
        }
        break;
    case UF_OBJECT: /* only types without one are made */
        fail();
    }
}

static bool has_object(const struct uf_type *type)
{
    bool has = type->form == UF_OBJECT || (type->inner != NULL && has_object(type->inner));
    for (uint32_t i = 0; i < type->count && !has; i++) {
        has = type->fields != NULL     ? has_object(type->fields[i].type)
              : type->variants != NULL ? type->variants[i] != NULL && has_object(type->variants[i])
                                       : false;
    }
    return has;
}

/* Room for a value of any type. */
union room {
    struct uf_client_config client;
    struct uf_server_config server;
    uint8_t bytes[1024];
};

static void what_is_read_is_written_to_the_same_bytes(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 2000; seed++) {
        const struct uf_type *type = uf_types[seed % uf_type_count];
        if (has_object(type)) {
            continue;
        }
        struct maker maker = {.seed = seed};
        struct uf_arena arena = {.chunks = NULL};
        struct uf_error error = {.fault = UF_FINE};
        struct uf_buffer written;
        union room room;
        CHECK(type->size <= sizeof(room));
        make_value(&maker, type);
        CHECK_ROW(type->name, uf_read_record(type, uf_view_of(&maker.out), &room, &arena, &error));
        CHECK_ROW(type->name, uf_write_record(type, &room, &written, &error));
        CHECK_ROW(type->name, written.len == maker.out.len &&
                                  memcmp(written.data, maker.out.data, written.len) == 0);
        uf_arena_fini(&arena);
        uf_buffer_free(&written);
        uf_buffer_free(&maker.out);
    }
}

static void every_beginning_of_a_record_is_refused_and_so_is_more(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 4 * 27; seed++) {
        const struct uf_type *type = uf_types[seed % uf_type_count];
        if (has_object(type)) {
            continue;
        }
        struct maker maker = {.seed = seed};
        make_value(&maker, type);
        make_bytes(&maker, 0, 1);
        for (size_t len = 0; len <= maker.out.len; len++) {
            struct uf_arena arena = {.chunks = NULL};
            struct uf_error error = {.fault = UF_FINE};
            union room room;
            uint8_t *exact = malloc(len > 0 ? len : 1); /* its end is the end of what may be read */
            CHECK(exact != NULL);
            memcpy(exact, maker.out.data, len);
            bool is_read =
                uf_read_record(type, (struct slim_view){exact, len}, &room, &arena, &error);
            CHECK_ROW(type->name, is_read == (len == maker.out.len - 1));
            CHECK_ROW(type->name, is_read || error.fault == UF_PANIC);
            uf_arena_fini(&arena);
            free(exact);
        }
        uf_buffer_free(&maker.out);
    }
}

#define BYTES(literal)                                                                             \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }

static void damage_is_told_with_its_reason(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const struct uf_type *type;
        struct slim_view bytes;
        const char *text;
    } rows[] = {
        {"a flag is 0 or 1", &uf_type_optional_u64, BYTES("\2"), "flag"},
        {"a negative length", &uf_type_bytes, BYTES("\xff\xff\xff\xff"), "negative length"},
        {"a length beyond the end", &uf_type_bytes, BYTES("\0\0\0\2x"), "ends too early"},
        {"a count beyond the end", &uf_type_texts, BYTES("\0\0\0\2\0\0\0"), "ends too early"},
        {"a count that nothing is there for", &uf_type_texts, BYTES("\0\x10\0\0"), "count beyond"},
        {"a negative count", &uf_type_texts, BYTES("\xff\xff\xff\xff"), "count beyond"},
        {"variants count from 1", &uf_type_direction, BYTES("\0\0\0\0"), "no such variant"},
        {"the fifth of four", &uf_type_direction, BYTES("\0\0\0\5"), "no such variant"},
        {"the fifth of four with fields", &uf_type_verifier, BYTES("\0\0\0\5"), "no such variant"},
        {"10^9 nanoseconds", &uf_type_duration, BYTES("\0\0\0\0\0\0\0\0\x3b\x9a\xca\x00"),
         "nanoseconds"},
        {"half a character", &uf_type_optional_text, BYTES("\1\0\0\0\1\xc3"), "UTF-8"},
        {"an overlong character", &uf_type_optional_text, BYTES("\1\0\0\0\2\xc0\x80"), "UTF-8"},
        {"a surrogate", &uf_type_optional_text, BYTES("\1\0\0\0\3\xed\xa0\x80"), "UTF-8"},
        {"a handle of nothing", &uf_type_names, BYTES("\0\0\0\1\0\0\0\0\0\0\0\x7"),
         "a handle of nothing"},
        {"a bool of 2", &uf_type_session_config, BYTES("\0\0\0\1\2"), "neither 0 nor 1"},
        {"bytes behind the end", &uf_type_direction, BYTES("\0\0\0\1x"), "behind its end"},
    };
    for (size_t i = 0; i < UF_COUNT(rows); i++) {
        struct uf_arena arena = {.chunks = NULL};
        struct uf_error error = {.fault = UF_FINE};
        union room room;
        CHECK_ROW(rows[i].why, !uf_read_record(rows[i].type, rows[i].bytes, &room, &arena, &error));
        CHECK_ROW(rows[i].why, strstr(error.text, rows[i].text) != NULL);
        CHECK_ROW(rows[i].why, strncmp(error.text, "malformed argument: ", 20) == 0);
        uf_arena_fini(&arena);
    }
}

static void numbers_are_big_endian(void **state)
{
    (void)state;
    static const uint64_t number = 0x0102030405060708U;
    const uint64_t *given = &number;
    struct uf_buffer buffer = caller_record(&uf_type_optional_u64, (const void *)&given);
    CHECK(buffer.len == 9 && memcmp(buffer.data, "\1\1\2\3\4\5\6\7\10", 9) == 0);
    uf_buffer_free(&buffer);
}

/* ---- memory that fails */

static void read_and_write_once(void)
{
    struct uf_arena arena = {.chunks = NULL};
    struct uf_error error = {.fault = UF_FINE};
    struct uf_buffer written;
    struct uf_status status = {.code = 0};
    union room room;
    struct uf_buffer endpoint = caller_text("http://a:1");
    if (endpoint.data == NULL) {
        return;
    }
    struct uf_buffer given =
        uniffi_slim_bindings_fn_func_new_insecure_client_config(endpoint, &status);
    if (status.code == UF_CODE_OK) {
        if (uf_read_record(&uf_type_client_config, uf_view_of(&given), &room, &arena, &error) &&
            uf_write_record(&uf_type_client_config, &room, &written, &error)) {
            char *text = uf_client_text(&room.client, &error);
            CHECK(text != NULL || error.fault == UF_PANIC);
            free(text);
            uf_buffer_free(&written);
        }
        CHECK(error.fault == UF_FINE || strcmp(error.text, "out of memory") == 0);
    }
    uf_buffer_free(&status.error);
    uf_buffer_free(&given);
    uf_arena_fini(&arena);
}

static void memory_that_fails_is_told_and_given_back(void **state)
{
    (void)state;
    slim_sweep_alloc(read_and_write_once);
}

static void buffers_grow_and_odd_ones_are_refused(void **state)
{
    (void)state;
    struct uf_status status = {.code = 0};
    struct uf_buffer buffer = ffi_slim_bindings_rustbuffer_alloc(0, &status);
    EXPECT_FINE(&status);
    CHECK(buffer.len == 0 && buffer.data != NULL);
    buffer = ffi_slim_bindings_rustbuffer_reserve(buffer, 100000, &status);
    EXPECT_FINE(&status);
    CHECK(buffer.capacity >= 100000 && buffer.len == 0);
    buffer.len = buffer.capacity + 1;
    buffer = ffi_slim_bindings_rustbuffer_reserve(buffer, 1, &status);
    caller_expect_error("longer than its room", &status, UF_PANIC, "longer than its room");
    CHECK_ROW("the old one is gone, as UniFFI has it", buffer.data == NULL);
    (void)ffi_slim_bindings_rustbuffer_alloc(UINT64_MAX, &status);
    caller_expect_error("too much", &status, UF_PANIC, "out of memory");
    struct uf_bytes bytes = {.len = -1};
    (void)ffi_slim_bindings_rustbuffer_from_bytes(bytes, &status);
    caller_expect_error("negative", &status, UF_PANIC, "negative");
    bytes = (struct uf_bytes){.len = 3, .data = (const uint8_t *)"abc"};
    buffer = ffi_slim_bindings_rustbuffer_from_bytes(bytes, &status);
    CHECK(status.code == UF_CODE_OK && buffer.len == 3 && memcmp(buffer.data, "abc", 3) == 0);
    ffi_slim_bindings_rustbuffer_free(buffer, &status);
    EXPECT_FINE(&status);
    buffer = (struct uf_buffer){.capacity = 1, .len = 2};
    (void)uniffi_slim_bindings_fn_func_new_server_config(buffer, &status);
    caller_expect_error("an argument longer than its room", &status, UF_PANIC, "its room");
    (void)uniffi_slim_bindings_fn_func_new_server_config(caller_text("\xff"), &status);
    caller_expect_error("an argument that is no text", &status, UF_PANIC, "not valid UTF-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_written_to_the_same_bytes),
        cmocka_unit_test(every_beginning_of_a_record_is_refused_and_so_is_more),
        cmocka_unit_test(damage_is_told_with_its_reason),
        cmocka_unit_test(numbers_are_big_endian),
        cmocka_unit_test(memory_that_fails_is_told_and_given_back),
        cmocka_unit_test(buffers_grow_and_odd_ones_are_refused),
    };
    return cmocka_run_group_tests_name("uniffi_serial", tests, NULL, NULL);
}
