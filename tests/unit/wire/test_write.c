#include "sample.h"
#include "support/check.h"
#include "vector_file.h"
#include "wire/wire.h"

enum { ROUNDS = 20000 };

/* Field 1 is the header of a Subscribe, Unsubscribe and Publish alike. */
static void stripping_takes_three_fields_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *in;
        const char *out;
    } rows[] = {
        {"empty message", "", ""},
        {"no header", "1a00", "1a00"},
        {"empty header", "1a020a00", "1a020a00"},
        {"nothing to take", "0a0a0a081805400122026964", "0a0a0a081805400122026964"},
        {"recv_from of a Subscribe", "0a040a022805", "0a020a00"},
        {"forward_to of an Unsubscribe", "12040a023005", "12020a00"},
        {"incoming_conn of a Publish, present though 0", "1a040a023800", "1a020a00"},
        {"all three, between others", "1a130a0b1801280130ac0238054000120220071a00",
         "1a0c0a0418014000120220071a00"},
        {"all three twice", "1a0e0a0c280130023803280430053806", "1a020a00"},
        {"ten bytes", "1a0f0a0d28ffffffffffffffffff014001", "1a040a024001"},
        {"the same numbers in another place stay", "1a06120428053805", "1a06120428053805"},
        {"the same numbers in a Link stay", "2a022805", "2a022805"},
        {"an unknown field of the header stays", "1a0b0a0938054a020102c83e01",
         "1a090a074a020102c83e01"},
        {"unknown fields and metadata around stay",
         "c03e0122001a070a023805c83e0122030a016bc23e0178",
         "c03e0122001a050a00c83e0122030a016bc23e0178"},
        {"lengths shrink from two bytes to one",
         "1a84010a8101227b6969696969696969696969696969696969696969696969696969696969696969696969696"
         "96969696969696969696969696969696969696969696969696969696969696969696969696969696969696969"
         "69696969696969696969696969696969696969696969696969696969696969696969696969696969696928013"
         "805",
         "1a7f0a7d227b69696969696969696969696969696969696969696969696969696969696969696969696969696"
         "96969696969696969696969696969696969696969696969696969696969696969696969696969696969696969"
         "69696969696969696969696969696969696969696969696969696969696969696969696969696969"},
        {"a length written long becomes short", "1a8580000a82003805", "1a020a00"},
        {"two kinds: both lose the fields", "0a040a0238051a040a023005", "0a020a001a020a00"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_buf in;
        struct slim_buf want;
        struct slim_buf out = {.len = 0};
        struct slim_wire_head head;
        vector_unhex(slim_view_str(rows[i].in), &in);
        vector_unhex(slim_view_str(rows[i].out), &want);
        CHECK_ROW(rows[i].why, slim_wire_read_head(slim_buf_view(&in), &head) == SLIM_OK);
        CHECK_ROW(rows[i].why, slim_buf_put(&out, SLIM_VIEW("+")) == SLIM_OK);
        CHECK_ROW(rows[i].why, slim_wire_put_stripped(&out, slim_buf_view(&in)) == SLIM_OK);
        CHECK_ROW(rows[i].why,
                  slim_view_is_equal(slim_view_skip(slim_buf_view(&out), 1), slim_buf_view(&want)));
        slim_buf_fini(&out);
        vector_unhex_fini(&in);
        vector_unhex_fini(&want);
    }
}

static void stripped_messages_say_the_same(void **state)
{
    (void)state;
    uint64_t seed = 5;
    size_t shorter_count = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct slim_buf msg = {.len = 0};
        struct slim_buf out = {.len = 0};
        struct slim_wire_head before;
        struct slim_wire_head after;
        sample_put(&seed, &msg);
        CHECK_OK(slim_wire_put_stripped(&out, slim_buf_view(&msg)));
        CHECK_OK(slim_wire_read_head(slim_buf_view(&msg), &before));
        CHECK_OK(slim_wire_read_head(slim_buf_view(&out), &after));
        bool has_any = before.has_recv_from || before.has_forward_to || before.has_incoming_conn;
        CHECK(has_any == (out.len < msg.len));
        CHECK(!after.has_recv_from && !after.has_forward_to && !after.has_incoming_conn);
        CHECK(after.kind == before.kind && after.fault == before.fault &&
              after.fanout == before.fanout);
        CHECK(slim_name_is_equal(&after.destination.name, &before.destination.name));
        CHECK(slim_view_is_equal(after.identity, before.identity) &&
              after.message_id == before.message_id);
        shorter_count += has_any ? 1 : 0;
        slim_buf_fini(&msg);
        slim_buf_fini(&out);
    }
    CHECK(shorter_count > ROUNDS / 10);
}

static void check_is_hex(const struct slim_buf *got, const char *hex)
{
    struct slim_buf want;
    vector_unhex(slim_view_str(hex), &want);
    CHECK_ROW(hex, slim_view_is_equal(slim_buf_view(got), slim_buf_view(&want)));
    vector_unhex_fini(&want);
}

/* The numbers are those of spec wire.md 12.1 and 11.2. */
static void written_messages_are_those_of_the_specification(void **state)
{
    (void)state;
    struct slim_buf out = {.len = 0};
    struct slim_name_text text = {{SLIM_VIEW("o"), SLIM_VIEW("n"), SLIM_VIEW("a")}};
    struct slim_wire_subscription s = {
        .source = slim_name_of(&text, 1),
        .source_text = text,
        .destination = slim_name_of(&text, 1),
        .destination_text = text,
        .fanout = 1,
        .identity = SLIM_VIEW("id"),
    };
    CHECK_OK(slim_wire_put_subscription(&out, &s));
    check_is_hex(
        &out,
        "0a68 0a66 0a2e 0a21 088999cbc7d5c2dd90fc01 10a6b8a0b8d39bace04c 1880a5a982a591c0fa3f 2001"
        "1209 0a016f 12016e 1a0161 122e 0a21 088999cbc7d5c2dd90fc01 10a6b8a0b8d39bace04c"
        "1880a5a982a591c0fa3f 2001 1209 0a016f 12016e 1a0161 1801 22026964");
    slim_buf_clear(&out);
    CHECK_OK(slim_wire_put_link(&out, SLIM_VIEW("81d4fd32-ff0c-4d20-a5c4-b8cb8e0b183d"),
                                SLIM_VIEW("1.4.0"), false));
    check_is_hex(
        &out,
        "2a2f 0a2d 0a24 38316434666433322d666630632d346432302d613563342d623863623865306231383364"
        "1205 312e342e30");
    slim_buf_clear(&out);
    CHECK_OK(slim_wire_put_subscription_ack(&out, 0, false, SLIM_VIEW("")));
    check_is_hex(&out, "3200");
    slim_buf_fini(&out);
}

static void write_one_of_each(void)
{
    static const uint8_t long_text[300] = {'x'};
    struct slim_view text = slim_view_of(long_text, sizeof(long_text));
    struct slim_wire_subscription s = {
        .identity = text, .has_recv_from = true, .has_forward_to = true};
    struct slim_buf out = {.len = 0};
    size_t len = 0;
    for (int i = 0; i < 4; i++) {
        enum slim_status status =
            i == 0   ? slim_wire_put_subscription(&out, &s)
            : i == 1 ? slim_wire_put_link(&out, text, text, true)
            : i == 2 ? slim_wire_put_subscription_ack(&out, 1, true, text)
                     : slim_wire_put_stripped(&out, SLIM_VIEW("\x1a\x04\x0a\x02\x38\x05"));
        CHECK(status == SLIM_OK ? out.len > len : status == SLIM_ERR_NO_MEMORY && out.len == len);
        len = out.len;
    }
    slim_buf_fini(&out);
}

static void failed_allocations_leave_the_buffer_as_it_was(void **state)
{
    (void)state;
    slim_sweep_alloc(write_one_of_each);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stripping_takes_three_fields_and_nothing_else),
        cmocka_unit_test(stripped_messages_say_the_same),
        cmocka_unit_test(written_messages_are_those_of_the_specification),
        cmocka_unit_test(failed_allocations_leave_the_buffer_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
