#include "wire/head.h"

#include "sample.h"
#include "support/check.h"
#include "vector_file.h"
#include "wire/field.h"
#include "wire/schema.h"

enum { ROUNDS = 200000, SPLIT_ROUNDS = 300 };

static bool is_same_view(struct slim_view a, struct slim_view b)
{
    return a.len == b.len && (a.len == 0 || a.data == b.data);
}

static bool is_same_name(const struct slim_wire_name *a, const struct slim_wire_name *b)
{
    return slim_name_is_equal(&a->name, &b->name) &&
           is_same_view(a->text.part[0], b->text.part[0]) &&
           is_same_view(a->text.part[1], b->text.part[1]) &&
           is_same_view(a->text.part[2], b->text.part[2]) && a->is_present == b->is_present &&
           a->is_complete == b->is_complete;
}

static bool is_same_head(const struct slim_wire_head *a, const struct slim_wire_head *b)
{
    return a->kind == b->kind && a->fault == b->fault && is_same_name(&a->source, &b->source) &&
           is_same_name(&a->destination, &b->destination) && a->fanout == b->fanout &&
           is_same_view(a->identity, b->identity) && a->has_recv_from == b->has_recv_from &&
           a->has_forward_to == b->has_forward_to && a->has_incoming_conn == b->has_incoming_conn &&
           a->has_error == b->has_error && a->recv_from == b->recv_from &&
           a->forward_to == b->forward_to && a->incoming_conn == b->incoming_conn &&
           a->error == b->error && a->subscription_id == b->subscription_id &&
           a->has_session == b->has_session && a->session_type == b->session_type &&
           a->session_message_type == b->session_message_type && a->session_id == b->session_id &&
           a->message_id == b->message_id && is_same_view(a->link_id, b->link_id) &&
           is_same_view(a->slim_version, b->slim_version) && a->is_reply == b->is_reply &&
           a->success == b->success && is_same_view(a->error_text, b->error_text);
}

static bool is_same_text(const struct slim_wire_name *a, const struct slim_wire_name *b)
{
    return slim_view_is_equal(a->text.part[0], b->text.part[0]) &&
           slim_view_is_equal(a->text.part[1], b->text.part[1]) &&
           slim_view_is_equal(a->text.part[2], b->text.part[2]);
}

/* `want` is what the message says. The memo holds the names of any message before, or of this one. */
static void check_memo_changes_nothing(struct slim_view msg, enum slim_status status,
                                       const struct slim_wire_head *want)
{
    static struct slim_wire_memo memo;
    for (int i = 0; i < 3; i++) { /* seen first, remembered, recognised */
        struct slim_wire_head got;
        CHECK(slim_wire_read_head_memo(msg, &got, &memo) == status);
        if (status != SLIM_OK) {
            continue;
        }
        CHECK(is_same_text(&got.source, &want->source));
        CHECK(is_same_text(&got.destination, &want->destination));
        got.source.text = want->source.text;
        got.destination.text = want->destination.text;
        CHECK(is_same_head(&got, want));
    }
}

static void check_both_readers_agree(struct slim_view msg, uint64_t *fast_count, uint64_t *ok_count)
{
    struct slim_wire_head any;
    struct slim_wire_head fast;
    enum slim_status status = slim_wire_read_head_any(msg, &any);
    if (slim_wire_read_head_fast(msg, &fast, NULL)) {
        CHECK(status == SLIM_OK);
        CHECK(is_same_head(&any, &fast));
        (*fast_count)++;
    }
    CHECK(status == SLIM_OK || status == SLIM_ERR_MALFORMED);
    check_memo_changes_nothing(msg, status, &any);
    *ok_count += status == SLIM_OK ? 1 : 0;
}

static void both_readers_agree_on_valid_and_damaged_messages(void **state)
{
    (void)state;
    uint64_t seed = 20261122;
    uint64_t fast_valid = 0;
    uint64_t fast_damaged = 0;
    uint64_t ok_valid = 0;
    uint64_t ok_damaged = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct slim_buf msg = {.len = 0};
        sample_put(&seed, &msg);
        check_both_readers_agree(slim_buf_view(&msg), &fast_valid, &ok_valid);
        sample_damage(&seed, &msg);
        check_both_readers_agree(slim_buf_view(&msg), &fast_damaged, &ok_damaged);
        slim_buf_fini(&msg);
    }
    CHECK(ok_valid == ROUNDS);
    CHECK(fast_valid > ROUNDS / 2);
    CHECK(fast_damaged > ROUNDS / 100 && fast_damaged < ok_damaged && ok_damaged < ROUNDS / 2);
}

/* A message cut anywhere is refused by both readers, or is a shorter valid one that both read alike; never is a byte
 * behind the end touched (the copies are of exact size, so the sanitizers see it). */
static void both_readers_agree_on_every_prefix(void **state)
{
    (void)state;
    uint64_t seed = 7;
    uint64_t fast_count = 0;
    uint64_t ok_count = 0;
    for (unsigned i = 0; i < SPLIT_ROUNDS; i++) {
        struct slim_buf msg = {.len = 0};
        sample_put(&seed, &msg);
        size_t span = msg.len < 600 ? msg.len : 600;
        for (size_t len = 0; len <= span; len++) {
            uint8_t *copy = test_malloc(len + 1);
            memcpy(copy + 1, msg.data, len);
            check_both_readers_agree(slim_view_of(copy + 1, len), &fast_count, &ok_count);
            test_free(copy);
        }
        slim_buf_fini(&msg);
    }
    CHECK(fast_count >= SPLIT_ROUNDS / 2 && ok_count > fast_count);
}

static void typical_publish_takes_the_fast_way(void **state)
{
    (void)state;
    struct slim_buf msg = {.len = 0};
    struct slim_wire_head head;
    sample_put_typical(1, 128, &msg);
    CHECK(slim_wire_read_head_fast(slim_buf_view(&msg), &head, NULL));
    CHECK(head.kind == SLIM_WIRE_PUBLISH && head.fault == SLIM_WIRE_FAULT_NONE &&
          head.fanout == 256);
    CHECK_VIEW(head.source.text.part[2], "app-1");
    CHECK(head.destination.name.id == SLIM_NAME_ANY);
    CHECK(head.has_incoming_conn && head.incoming_conn == 0 && !head.has_recv_from &&
          !head.has_forward_to);
    CHECK(head.session_id == 191755237 && head.message_id == 2 && head.session_message_type == 1);
    slim_buf_fini(&msg);
}

/* Messages written out by hand, for what no writer of ours produces. */
static void names_of_the_message_before_are_not_taken_for_others(void **state)
{
    (void)state;
    struct slim_wire_memo memo = {.len = 0};
    uint64_t seed = 7;
    unsigned remembered_count = 0;
    for (unsigned i = 0; i < SPLIT_ROUNDS; i++) {
        struct slim_buf msg = {.len = 0};
        struct slim_wire_head first;
        struct slim_wire_head second;
        sample_put(&seed, &msg);
        memo.len = 0;
        CHECK_OK(slim_wire_read_head_memo(slim_buf_view(&msg), &first, &memo));
        CHECK_OK(slim_wire_read_head_memo(slim_buf_view(&msg), &first, &memo));
        uint8_t *at = memmem(msg.data, msg.len, memo.bytes, memo.len);
        if (memo.len > 0) { /* another name of the same length: one bit of a hash */
            remembered_count++;
            CHECK(at != NULL);
            at[memo.len / 4] ^= 1;
            enum slim_status want = slim_wire_read_head_any(slim_buf_view(&msg), &first);
            CHECK(slim_wire_read_head_memo(slim_buf_view(&msg), &second, &memo) == want);
            CHECK(want != SLIM_OK ||
                  (slim_name_is_equal(&first.source.name, &second.source.name) &&
                   slim_name_is_equal(&first.destination.name, &second.destination.name)));
        }
        slim_buf_fini(&msg);
    }
    CHECK(remembered_count > SPLIT_ROUNDS / 2);
}

static void decodability_edges(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *hex;
        enum slim_status status;
        enum slim_wire_kind kind;
        enum slim_wire_fault fault;
    } rows[] = {
        {"unknown top-level fields only", "c23e0178d03e05cd3e01020304c93e0102030405060708", SLIM_OK,
         SLIM_WIRE_NONE, SLIM_WIRE_FAULT_NO_MESSAGE_TYPE},
        {"an unknown field may hold anything", "c23e03ffffff", SLIM_OK, SLIM_WIRE_NONE,
         SLIM_WIRE_FAULT_NO_MESSAGE_TYPE},
        {"metadata alone", "22060a016b120176", SLIM_OK, SLIM_WIRE_NONE,
         SLIM_WIRE_FAULT_NO_MESSAGE_TYPE},
        {"metadata key not UTF-8", "22060a01ff120176", SLIM_ERR_MALFORMED, 0, 0},
        {"metadata value not UTF-8", "22060a016b1201ff", SLIM_ERR_MALFORMED, 0, 0},
        {"metadata value is a number", "22050a016b1001", SLIM_ERR_MALFORMED, 0, 0},
        {"metadata as a number", "2001", SLIM_ERR_MALFORMED, 0, 0},
        {"a group, even one of an unknown number", "c33ec43e", SLIM_ERR_MALFORMED, 0, 0},
        {"a group inside an unknown length is not looked at", "c23e010b", SLIM_OK, SLIM_WIRE_NONE,
         SLIM_WIRE_FAULT_NO_MESSAGE_TYPE},
        {"field number 0", "0001", SLIM_ERR_MALFORMED, 0, 0},
        {"publish as a number", "1801", SLIM_ERR_MALFORMED, 0, 0},
        {"empty publish", "1a00", SLIM_OK, SLIM_WIRE_PUBLISH, SLIM_WIRE_FAULT_NO_HEADER},
        {"publish with an empty header", "1a020a00", SLIM_OK, SLIM_WIRE_PUBLISH,
         SLIM_WIRE_FAULT_NO_SOURCE},
        {"empty source only", "1a040a020a00", SLIM_OK, SLIM_WIRE_PUBLISH,
         SLIM_WIRE_FAULT_NO_DESTINATION},
        {"two empty names", "1a060a040a001200", SLIM_OK, SLIM_WIRE_PUBLISH,
         SLIM_WIRE_FAULT_NO_ENCODED_NAME},
        {"names of empty parts are complete", "1a0e0a0c0a040a00120012040a001200", SLIM_OK,
         SLIM_WIRE_PUBLISH, SLIM_WIRE_FAULT_NO_SESSION_HEADER},
        {"the same, with a session header", "1a100a0c0a040a00120012040a0012001200", SLIM_OK,
         SLIM_WIRE_PUBLISH, SLIM_WIRE_FAULT_NONE},
        {"destination before source", "1a100a0c12040a0012000a040a0012001200", SLIM_OK,
         SLIM_WIRE_PUBLISH, SLIM_WIRE_FAULT_NONE},
        {"session before header", "1a1012000a0c0a040a00120012040a001200", SLIM_OK,
         SLIM_WIRE_PUBLISH, SLIM_WIRE_FAULT_NONE},
        {"two headers", "1a040a000a00", SLIM_ERR_MALFORMED, 0, 0},
        {"two headers in two pieces of one publish", "1a020a001a020a00", SLIM_ERR_MALFORMED, 0, 0},
        {"two pieces of one publish are merged", "1a0e0a0c0a040a00120012040a0012001a021200",
         SLIM_OK, SLIM_WIRE_PUBLISH, SLIM_WIRE_FAULT_NONE},
        {"two sources", "1a060a040a000a00", SLIM_ERR_MALFORMED, 0, 0},
        {"two destinations", "1a060a0412001200", SLIM_ERR_MALFORMED, 0, 0},
        {"the last kind wins", "0a020a001a0012020a00", SLIM_OK, SLIM_WIRE_UNSUBSCRIBE,
         SLIM_WIRE_FAULT_NO_SOURCE},
        {"and takes nothing over", "0a020a001a00", SLIM_OK, SLIM_WIRE_PUBLISH,
         SLIM_WIRE_FAULT_NO_HEADER},
        {"source is a number", "1a040a020801", SLIM_ERR_MALFORMED, 0, 0},
        {"fanout is a string", "1a040a021a00", SLIM_ERR_MALFORMED, 0, 0},
        {"identity not UTF-8", "1a050a032201ff", SLIM_ERR_MALFORMED, 0, 0},
        {"identity with a surrogate", "1a070a052203eda080", SLIM_ERR_MALFORMED, 0, 0},
        {"a first identity not UTF-8, a second one good", "1a080a062201ff220161",
         SLIM_ERR_MALFORMED, 0, 0},
        {"component as eight fixed bytes", "1a0f0a0d0a0b0a09090102030405060708", SLIM_ERR_MALFORMED,
         0, 0},
        {"name string not UTF-8", "1a090a070a0512030a01ff", SLIM_ERR_MALFORMED, 0, 0},
        {"session type is a string", "1a0412020a00", SLIM_ERR_MALFORMED, 0, 0},
        {"session type beyond 32 bits is cut", "1a0812060880808080 10", SLIM_OK, SLIM_WIRE_PUBLISH,
         SLIM_WIRE_FAULT_NO_HEADER},
        {"payload type not UTF-8", "1a071a050a030a01ff", SLIM_ERR_MALFORMED, 0, 0},
        {"a blob may hold anything", "1a071a050a031201ff", SLIM_OK, SLIM_WIRE_PUBLISH,
         SLIM_WIRE_FAULT_NO_HEADER},
        {"command 15, length right", "1a061a0412027a00", SLIM_OK, SLIM_WIRE_PUBLISH,
         SLIM_WIRE_FAULT_NO_HEADER},
        {"ping with an unknown field", "1a081a06120472020801", SLIM_OK, SLIM_WIRE_PUBLISH,
         SLIM_WIRE_FAULT_NO_HEADER},
        {"ping with a broken field", "1a071a0512037201 08", SLIM_ERR_MALFORMED, 0, 0},
        {"a participant's string not UTF-8, seven levels down", "1a0d1a0b12094a070a0512030a01ff",
         SLIM_ERR_MALFORMED, 0, 0},
        {"a length that runs over its message", "1a020a05", SLIM_ERR_MALFORMED, 0, 0},
        {"a number that runs over its message", "1a020880 01", SLIM_ERR_MALFORMED, 0, 0},
        {"link without a type", "2a00", SLIM_OK, SLIM_WIRE_LINK, SLIM_WIRE_FAULT_NO_LINK_TYPE},
        {"link with a type that we do not know", "2a021200", SLIM_OK, SLIM_WIRE_LINK,
         SLIM_WIRE_FAULT_NO_LINK_TYPE},
        {"link id not UTF-8", "2a050a030a01ff", SLIM_ERR_MALFORMED, 0, 0},
        {"empty ack", "3200", SLIM_OK, SLIM_WIRE_SUBSCRIPTION_ACK, SLIM_WIRE_FAULT_NONE},
        {"ack error not UTF-8", "32031a01ff", SLIM_ERR_MALFORMED, 0, 0},
        {"subscription id of eleven bytes", "320c08808080808080808080808000", SLIM_ERR_MALFORMED, 0,
         0},
        {"subscription id of ten bytes", "320b0880808080808080808001", SLIM_OK,
         SLIM_WIRE_SUBSCRIPTION_ACK, SLIM_WIRE_FAULT_NONE},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_buf msg;
        struct slim_wire_head head;
        vector_unhex(slim_view_str(rows[i].hex), &msg);
        CHECK_ROW(rows[i].why, slim_wire_read_head(slim_buf_view(&msg), &head) == rows[i].status);
        if (rows[i].status == SLIM_OK) {
            CHECK_ROW(rows[i].why, head.kind == rows[i].kind && head.fault == rows[i].fault);
        }
        vector_unhex_fini(&msg);
    }
}

static void fields_of_a_link_and_an_ack_are_read(void **state)
{
    (void)state;
    struct slim_buf msg = {.len = 0};
    struct slim_wire_head head;
    CHECK_OK(slim_wire_put_link(&msg, SLIM_VIEW("81d4fd32"), SLIM_VIEW("1.4.0"), true));
    CHECK_OK(slim_wire_read_head(slim_buf_view(&msg), &head));
    CHECK(head.kind == SLIM_WIRE_LINK && head.is_reply);
    CHECK_VIEW(head.link_id, "81d4fd32");
    CHECK_VIEW(head.slim_version, "1.4.0");
    slim_buf_clear(&msg);
    CHECK_OK(slim_wire_put_subscription_ack(&msg, UINT64_MAX, false, SLIM_VIEW("no")));
    CHECK_OK(slim_wire_read_head(slim_buf_view(&msg), &head));
    CHECK(head.kind == SLIM_WIRE_SUBSCRIPTION_ACK && head.subscription_id == UINT64_MAX &&
          !head.success);
    CHECK_VIEW(head.error_text, "no");
    slim_buf_fini(&msg);
}

static void last_kind_takes_nothing_over(void **state)
{
    (void)state;
    struct slim_buf msg = {.len = 0};
    struct slim_wire_head head;
    struct slim_wire_head alone;
    CHECK_OK(slim_wire_put_subscription_ack(&msg, 5, true, SLIM_VIEW("why")));
    size_t first_len = msg.len;
    sample_put_typical(1, 10, &msg);
    CHECK_OK(slim_wire_read_head(slim_buf_view(&msg), &head));
    CHECK_OK(slim_wire_read_head(slim_view_skip(slim_buf_view(&msg), first_len), &alone));
    CHECK(head.kind == SLIM_WIRE_PUBLISH && head.subscription_id == 0 &&
          is_same_head(&head, &alone));
    slim_buf_fini(&msg);
}

/* The largest message that every implementation takes, and one of the size just above it: size is not the head's matter. */
static void large_blobs_are_stepped_over(void **state)
{
    (void)state;
    static const size_t sizes[] = {4194143, SLIM_WIRE_MESSAGE_BYTES_MAX, 4194443};
    for (size_t i = 0; i < SLIM_COUNT(sizes); i++) {
        uint8_t *blob = test_calloc(1, sizes[i]);
        struct slim_wire_session_message message = {
            .head = {.source = {.is_present = true},
                     .destination = {.is_present = true},
                     .fanout = 1},
            .payload = {.kind = SLIM_WIRE_PAYLOAD_APP,
                        .app = {.blob = slim_view_of(blob, sizes[i] - 200)}},
        };
        struct slim_buf msg = {.len = 0};
        struct slim_wire_head head;
        CHECK_OK(slim_wire_put_session_message(&msg, &message));
        CHECK_OK(slim_wire_read_head(slim_buf_view(&msg), &head));
        CHECK(head.kind == SLIM_WIRE_PUBLISH && head.fault == SLIM_WIRE_FAULT_NONE);
        slim_buf_fini(&msg);
        test_free(blob);
    }
}

static void reading_a_head_allocates_nothing(void **state)
{
    (void)state;
    struct slim_buf msg = {.len = 0};
    struct slim_wire_head head;
    sample_put_typical(1, 128, &msg);
    uint64_t before = slim_test_alloc_count();
    CHECK_OK(slim_wire_read_head(slim_buf_view(&msg), &head));
    CHECK_OK(slim_wire_read_head_any(slim_buf_view(&msg), &head));
    CHECK(slim_test_alloc_count() == before);
    slim_buf_fini(&msg);
}

static void every_fault_has_its_text(void **state)
{
    (void)state;
    for (int fault = SLIM_WIRE_FAULT_NONE; fault <= SLIM_WIRE_FAULT_NO_LINK_TYPE; fault++) {
        CHECK(strcmp(slim_wire_fault_text((enum slim_wire_fault)fault), "unknown fault") != 0);
    }
    CHECK(strcmp(slim_wire_fault_text(SLIM_WIRE_FAULT_NO_HEADER), "SLIM header not found") == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_readers_agree_on_valid_and_damaged_messages),
        cmocka_unit_test(both_readers_agree_on_every_prefix),
        cmocka_unit_test(typical_publish_takes_the_fast_way),
        cmocka_unit_test(names_of_the_message_before_are_not_taken_for_others),
        cmocka_unit_test(decodability_edges),
        cmocka_unit_test(fields_of_a_link_and_an_ack_are_read),
        cmocka_unit_test(last_kind_takes_nothing_over),
        cmocka_unit_test(large_blobs_are_stepped_over),
        cmocka_unit_test(reading_a_head_allocates_nothing),
        cmocka_unit_test(every_fault_has_its_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
