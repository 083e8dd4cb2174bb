/* What an engine tells of itself: every counter has one place, and connections are listed within a bound. */
#include <stddef.h>

#include "datapath/internal.h"
#include "engine.h"

/* Fields that are sums, or shown by others. */
static const size_t derived[] = {
    offsetof(struct slim_datapath_stats, connections_accepted), /* slim_connections_opened_total */
    offsetof(struct slim_datapath_stats, connections_closed),   /* sum of its reasons */
    offsetof(struct slim_datapath_stats, bytes_held),           /* slim_message_memory_bytes */
    offsetof(struct slim_datapath_stats, bytes_held_peak),
    offsetof(struct slim_datapath_stats, refused_auth_count[SLIM_DATAPATH_ADMITTED]), /* none */
};

static bool is_derived(size_t offset)
{
    for (size_t i = 0; i < SLIM_COUNT(derived); i++) {
        if (derived[i] == offset) {
            return true;
        }
    }
    return false;
}

/* How many values of the service are `wanted`, and that no two of them are of the same family and label. */
static size_t count_values(const struct slim_telemetry_values *values, uint64_t wanted)
{
    size_t count = 0;
    for (size_t i = 0; i < values->count; i++) {
        count += values->list[i].value == wanted;
        for (size_t k = 0; k < i; k++) {
            const struct slim_telemetry_value *a = &values->list[i];
            const struct slim_telemetry_value *b = &values->list[k];
            bool is_same = a->family == b->family &&
                           (a->label == b->label || (a->label != NULL && b->label != NULL &&
                                                     strcmp(a->label, b->label) == 0));
            CHECK_ROW(a->label == NULL ? "no label" : a->label, !is_same);
        }
    }
    return count;
}

enum { FIRST_MARK = 1000000 };

static void every_counter_is_shown_exactly_once(void **state)
{
    (void)state;
    struct slim_loop *loop = NULL;
    CHECK_OK(slim_loop_new(&loop));
    struct slim_datapath *datapath = test_engine_new(loop);
    uint64_t marks[sizeof(datapath->stats) / sizeof(uint64_t)];
    uint64_t counter_marks[sizeof(datapath->counters) / sizeof(uint64_t)];
    _Static_assert(sizeof(marks) == sizeof(datapath->stats), "all fields have 64 bits");
    for (size_t i = 0; i < SLIM_COUNT(marks); i++) {
        marks[i] = FIRST_MARK + i;
    }
    for (size_t i = 0; i < SLIM_COUNT(counter_marks); i++) {
        counter_marks[i] = 2 * FIRST_MARK + i;
    }
    memcpy(&datapath->stats, marks, sizeof(marks));
    memcpy(&datapath->counters, counter_marks, sizeof(counter_marks));
    struct slim_telemetry_snapshot *snapshot = NULL;
    CHECK_OK(slim_telemetry_snapshot_new(1, &snapshot));
    slim_datapath_observe(datapath, "slim/0", snapshot);
    const struct slim_telemetry_values *values = &snapshot->services[0].values;
    for (size_t i = 0; i < SLIM_COUNT(marks); i++) {
        char which[64];
        (void)snprintf(which, sizeof(which), "field %zu of slim_datapath_stats", i);
        size_t want = is_derived(i * sizeof(uint64_t)) ? 0 : 1;
        CHECK_ROW(which, count_values(values, marks[i]) == want);
    }
    for (size_t i = 0; i < SLIM_COUNT(counter_marks); i++) {
        char which[64];
        (void)snprintf(which, sizeof(which), "field %zu of slim_grpc_counters", i);
        size_t want = i == SLIM_H2_CAUSE_NONE ? 0 : 1; /* h2.causes comes first */
        CHECK_ROW(which, count_values(values, counter_marks[i]) == want);
    }
    slim_telemetry_snapshot_free(snapshot);
    slim_datapath_free(datapath);
    slim_loop_free(loop);
}

/* The connection with this id, or NULL. */
static const struct slim_telemetry_conn *find(const struct slim_telemetry_snapshot *snapshot,
                                              uint64_t id)
{
    for (size_t i = 0; i < snapshot->conn_count; i++) {
        if (snapshot->conns[i].id == id) {
            return &snapshot->conns[i];
        }
    }
    return NULL;
}

static void connections_say_what_they_did(void **state)
{
    (void)state;
    static const struct test_flags none = {0};
    struct slim_loop *loop = NULL;
    CHECK_OK(slim_loop_new(&loop));
    struct slim_datapath *datapath = test_engine_new(loop);
    struct test_app sender;
    struct test_app receiver;
    test_app_init(&sender, datapath);
    test_app_init(&receiver, datapath);
    CHECK_OK(test_subscribe(&receiver, "r", 1, none));
    for (int i = 0; i < 3; i++) {
        CHECK_OK(test_publish(&sender, "r", 1, 1, none, 100));
    }
    CHECK(test_publish(&sender, "nobody", 1, 1, none, 100) == SLIM_ERR_NO_ROUTE);
    struct slim_telemetry_snapshot *snapshot = NULL;
    CHECK_OK(slim_telemetry_snapshot_new(1, &snapshot));
    slim_datapath_observe(datapath, "slim/0", snapshot);
    const struct slim_telemetry_conn *from = find(snapshot, sender.id);
    const struct slim_telemetry_conn *to = find(snapshot, receiver.id);
    CHECK(from != NULL && to != NULL && snapshot->conn_count == 2);
    CHECK(from->messages_received == 4 && from->messages_delivered == 0);
    CHECK(to->messages_received == 1 && to->messages_delivered == 3);
    CHECK(to->bytes_delivered > 300 && to->bytes_delivered < from->bytes_received);
    CHECK(slim_telemetry_sum(snapshot, SLIM_TELEMETRY_MESSAGES_DROPPED, NULL) == 1);
    CHECK(slim_telemetry_sum(snapshot, SLIM_TELEMETRY_MESSAGES_DROPPED, "no_match") == 1);
    CHECK(slim_telemetry_sum(snapshot, SLIM_TELEMETRY_CONNECTIONS, "local") == 2);
    CHECK(slim_telemetry_sum(snapshot, SLIM_TELEMETRY_SUBSCRIPTIONS, NULL) == 1);
    slim_telemetry_snapshot_free(snapshot);
    test_app_fini(&sender);
    test_app_fini(&receiver);
    slim_datapath_free(datapath);
    slim_loop_free(loop);
}

static void connections_are_listed_within_a_bound(void **state)
{
    (void)state;
    enum { APPS = SLIM_TELEMETRY_CONNS_MAX + 10 };
    static struct test_app apps[APPS];
    struct slim_loop *loop = NULL;
    CHECK_OK(slim_loop_new(&loop));
    struct slim_datapath *datapath = test_engine_new(loop);
    for (size_t i = 0; i < APPS; i++) {
        test_app_init(&apps[i], datapath);
    }
    struct slim_telemetry_snapshot *snapshot = NULL;
    CHECK_OK(slim_telemetry_snapshot_new(2, &snapshot));
    slim_datapath_observe(datapath, "slim/0", snapshot);
    CHECK(snapshot->conn_count == SLIM_TELEMETRY_CONNS_MAX && snapshot->unlisted_count == 10);
    slim_datapath_observe(datapath, "slim/1", snapshot); /* no room left for those of another */
    CHECK(snapshot->conn_count == SLIM_TELEMETRY_CONNS_MAX &&
          snapshot->unlisted_count == 10 + APPS);
    slim_telemetry_snapshot_free(snapshot);
    for (size_t i = 0; i < APPS; i++) {
        test_app_fini(&apps[i]);
    }
    slim_datapath_free(datapath);
    slim_loop_free(loop);
}

struct ends {
    size_t count;
    uint64_t id;
    const char *reason;
    const char *kind;
};

static void on_end(void *ctx, const struct slim_telemetry_conn *conn, uint64_t opened_ms,
                   const char *reason)
{
    (void)opened_ms;
    struct ends *ends = ctx;
    ends->count++;
    ends->id = conn->id;
    ends->reason = reason;
    ends->kind = conn->kind;
}

static void ends_of_connections_are_told(void **state)
{
    (void)state;
    struct slim_loop *loop = NULL;
    CHECK_OK(slim_loop_new(&loop));
    struct slim_datapath *datapath = test_engine_new(loop);
    struct ends ends = {0};
    struct test_app app;
    slim_datapath_watch_ends(datapath, on_end, &ends);
    test_app_init(&app, datapath);
    uint64_t id = app.id;
    CHECK(ends.count == 0);
    test_app_fini(&app);
    CHECK(ends.count == 1 && ends.id == id && ends.reason == NULL);
    assert_string_equal(ends.kind, "local");
    slim_datapath_free(datapath);
    slim_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_counter_is_shown_exactly_once),
        cmocka_unit_test(connections_say_what_they_did),
        cmocka_unit_test(connections_are_listed_within_a_bound),
        cmocka_unit_test(ends_of_connections_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
