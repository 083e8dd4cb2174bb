#include "datapath/forwarded.h"

#include "support/check.h"

static struct slim_wire_head message(enum slim_wire_kind kind, const char *app, uint64_t id,
                                     const char *identity)
{
    struct slim_name_text text = {{SLIM_VIEW("org"), SLIM_VIEW("ns"), slim_view_str(app)}};
    struct slim_wire_name name = {
        .name = slim_name_of(&text, id), .text = text, .is_present = true, .is_complete = true};
    return (struct slim_wire_head){.kind = kind,
                                   .source = name,
                                   .destination = name,
                                   .identity = slim_view_str(identity),
                                   .subscription_id = 77};
}

struct seen {
    size_t count;
    struct slim_buf last;
};

static void on_entry(void *ctx, struct slim_view msg)
{
    struct seen *seen = ctx;
    seen->count++;
    slim_buf_clear(&seen->last);
    CHECK_OK(slim_buf_put(&seen->last, msg));
}

static size_t count_of(const struct slim_datapath_forwarded *table)
{
    struct seen seen = {0};
    slim_datapath_forwarded_each(table, on_entry, &seen);
    slim_buf_fini(&seen.last);
    return seen.count;
}

/* wire.md 5.4: the reference compares identities too, which differ in every message, so it never forgets a name. */
static void unsubscribed_name_does_not_return_after_a_reconnection(void **state)
{
    (void)state;
    struct slim_datapath_forwarded *table;
    CHECK_OK(slim_datapath_forwarded_new(&table));
    struct slim_wire_head subscribe = message(SLIM_WIRE_SUBSCRIBE, "a", 1, "token one");
    struct slim_wire_head unsubscribe = message(SLIM_WIRE_UNSUBSCRIBE, "a", 1, "token two");
    CHECK_OK(slim_datapath_forwarded_note(table, &subscribe));
    CHECK(count_of(table) == 1);
    CHECK_OK(slim_datapath_forwarded_note(table, &unsubscribe));
    CHECK(count_of(table) == 0);
    CHECK_OK(slim_datapath_forwarded_note(table, &unsubscribe)); /* once more is harmless */
    CHECK(slim_datapath_forwarded_count(table) == 0);
    slim_datapath_forwarded_free(table);
    slim_datapath_forwarded_free(NULL);
}

static void counted_subscriptions_are_restored_as_often_as_they_were_made(void **state)
{
    (void)state;
    struct slim_datapath_forwarded *table;
    CHECK_OK(slim_datapath_forwarded_new(&table));
    struct slim_wire_head subscribe = message(SLIM_WIRE_SUBSCRIBE, "a", 1, "t");
    struct slim_wire_head unsubscribe = message(SLIM_WIRE_UNSUBSCRIBE, "a", 1, "t");
    CHECK_OK(slim_datapath_forwarded_note(table, &subscribe));
    CHECK_OK(slim_datapath_forwarded_note(table, &subscribe));
    CHECK(count_of(table) == 2);
    CHECK_OK(slim_datapath_forwarded_note(table, &unsubscribe));
    CHECK(count_of(table) == 1);
    slim_datapath_forwarded_free(table);
}

static void restored_message_carries_the_latest_identity_and_no_private_fields(void **state)
{
    (void)state;
    struct slim_datapath_forwarded *table;
    CHECK_OK(slim_datapath_forwarded_new(&table));
    struct slim_wire_head subscribe = message(SLIM_WIRE_SUBSCRIBE, "a", 1, "old");
    CHECK_OK(slim_datapath_forwarded_note(table, &subscribe));
    subscribe = message(SLIM_WIRE_SUBSCRIBE, "a", 1, "new");
    subscribe.has_recv_from = true;
    subscribe.has_forward_to = true;
    CHECK_OK(slim_datapath_forwarded_note(table, &subscribe));
    struct seen seen = {0};
    slim_datapath_forwarded_each(table, on_entry, &seen);
    struct slim_wire_head head;
    CHECK_OK(slim_wire_read_head(slim_buf_view(&seen.last), &head));
    CHECK(head.kind == SLIM_WIRE_SUBSCRIBE && head.fault == SLIM_WIRE_FAULT_NONE);
    CHECK_VIEW(head.identity, "new");
    CHECK(!head.has_recv_from && !head.has_forward_to && !head.has_incoming_conn);
    CHECK(head.subscription_id == 0 && head.fanout == 1);
    CHECK(slim_name_is_equal(&head.destination.name, &subscribe.destination.name));
    CHECK_VIEW(head.destination.text.part[2], "a");
    slim_buf_fini(&seen.last);
    slim_datapath_forwarded_free(table);
}

static void many_names_are_all_kept(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    struct slim_datapath_forwarded *table;
    CHECK_OK(slim_datapath_forwarded_new(&table));
    for (uint64_t i = 0; i < COUNT; i++) {
        struct slim_wire_head subscribe = message(SLIM_WIRE_SUBSCRIBE, "a", i, "t");
        CHECK_OK(slim_datapath_forwarded_note(table, &subscribe));
    }
    CHECK(count_of(table) == COUNT);
    for (uint64_t i = 0; i < COUNT; i += 2) {
        struct slim_wire_head unsubscribe = message(SLIM_WIRE_UNSUBSCRIBE, "a", i, "u");
        CHECK_OK(slim_datapath_forwarded_note(table, &unsubscribe));
    }
    CHECK(count_of(table) == COUNT / 2);
    slim_datapath_forwarded_free(table);
}

static void sweep(void)
{
    struct slim_datapath_forwarded *table;
    if (slim_datapath_forwarded_new(&table) != SLIM_OK) {
        return;
    }
    for (uint64_t i = 0; i < 40; i++) {
        struct slim_wire_head subscribe = message(SLIM_WIRE_SUBSCRIBE, "a", i, "t");
        size_t before = slim_datapath_forwarded_count(table);
        if (slim_datapath_forwarded_note(table, &subscribe) != SLIM_OK) {
            CHECK(slim_datapath_forwarded_count(table) == before);
        }
    }
    slim_datapath_forwarded_free(table);
}

static void out_of_memory_changes_nothing(void **state)
{
    (void)state;
    slim_sweep_alloc(sweep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unsubscribed_name_does_not_return_after_a_reconnection),
        cmocka_unit_test(counted_subscriptions_are_restored_as_often_as_they_were_made),
        cmocka_unit_test(restored_message_carries_the_latest_identity_and_no_private_fields),
        cmocka_unit_test(many_names_are_all_kept),
        cmocka_unit_test(out_of_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
