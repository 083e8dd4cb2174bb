/* Messages for collectors, field by field. tests/system/test_telemetry.py has opentelemetry-proto read those of a real node. */
#include "sample.h"
#include "wire/wire.h"

static const struct slim_telemetry_resource RESOURCE = {
    .service_name = "name", .service_version = "1", .environment = "test", .instance_id = "me"};

/* The n-th field `number` of a message (n from 0); fails when there is none. */
static struct slim_wire_field get(struct slim_view msg, uint32_t number, size_t n)
{
    struct slim_wire_field field;
    while (msg.len > 0) {
        CHECK_OK(slim_wire_take_field(&msg, &field));
        if (field.number == number && n-- == 0) {
            return field;
        }
    }
    fail_msg("no field %u", number);
    return field;
}

static size_t count_of(struct slim_view msg, uint32_t number)
{
    size_t count = 0;
    while (msg.len > 0) {
        struct slim_wire_field field;
        CHECK_OK(slim_wire_take_field(&msg, &field));
        count += field.number == number;
    }
    return count;
}

/* A fixed64 field's number: its last eight bytes, the lowest first. */
static uint64_t fixed(struct slim_wire_field field)
{
    CHECK(field.type == SLIM_WIRE_FIELD_FIXED64);
    uint64_t value = 0;
    for (size_t i = 0; i < 8; i++) {
        value |= (uint64_t)field.raw.data[field.raw.len - 8 + i] << (8 * i);
    }
    return value;
}

/* ScopeMetrics or ScopeSpans of a request. */
static struct slim_view scope_of(const struct slim_buf *request)
{
    struct slim_view group = get(slim_buf_view(request), 1, 0).bytes;
    struct slim_view resource = get(group, 1, 0).bytes;
    CHECK_VIEW(get(get(resource, 1, 0).bytes, 1, 0).bytes, "service.name");
    CHECK_VIEW(get(get(get(resource, 1, 0).bytes, 2, 0).bytes, 1, 0).bytes, "name");
    return get(group, 2, 0).bytes;
}

static struct slim_view metric_of(struct slim_view scope, const char *name)
{
    for (size_t i = 0; i < count_of(scope, 2); i++) {
        struct slim_view metric = get(scope, 2, i).bytes;
        if (slim_view_is_equal(get(metric, 1, 0).bytes, slim_view_str(name))) {
            return metric;
        }
    }
    fail_msg("no metric %s", name);
    return scope;
}

static void metrics_are_cumulative_sums_with_attributes(void **state)
{
    (void)state;
    struct slim_telemetry_snapshot *snapshot = NULL;
    CHECK_OK(sample_collect(NULL, &snapshot));
    struct slim_buf out = {0};
    CHECK_OK(slim_telemetry_put_metrics(snapshot, &RESOURCE, 111, 222, &out));
    struct slim_view scope = scope_of(&out);

    struct slim_view sum = get(metric_of(scope, "num_messages_by_type"), 7, 0).bytes;
    CHECK(get(sum, 2, 0).value == 2 && get(sum, 3, 0).value == 1);
    static const struct {
        const char *key;
        const char *text;
        uint64_t value;
    } types[] = {
        {"message_type", "subscribe", 30},
        {"message_type", "unsubscribe", 0},
        {"method", "publish", 67},
        {"message_type", "none", UINT64_MAX},
    };
    CHECK(count_of(sum, 1) == SLIM_COUNT(types));
    for (size_t i = 0; i < SLIM_COUNT(types); i++) {
        struct slim_view point = get(sum, 1, i).bytes;
        struct slim_view pair = get(point, 7, 0).bytes;
        CHECK_ROW(types[i].text, fixed(get(point, 2, 0)) == 111);
        CHECK_ROW(types[i].text, fixed(get(point, 3, 0)) == 222);
        CHECK_ROW(types[i].text, fixed(get(point, 6, 0)) == types[i].value);
        CHECK_ROW(types[i].text,
                  slim_view_is_equal(get(pair, 1, 0).bytes, slim_view_str(types[i].key)));
        CHECK_ROW(types[i].text, slim_view_is_equal(get(get(pair, 2, 0).bytes, 1, 0).bytes,
                                                    slim_view_str(types[i].text)));
    }
    sum = get(metric_of(scope, "num_processed_messages"), 7, 0).bytes;
    CHECK(fixed(get(get(sum, 1, 0).bytes, 6, 0)) == 123);
    sum = get(metric_of(scope, "num_active_connections"), 7, 0).bytes;
    CHECK(get(sum, 3, 0).value == 0); /* goes up and down */
    CHECK(fixed(get(get(sum, 1, 0).bytes, 6, 0)) == 1);
    sum = get(metric_of(scope, "slim_messages_received_total"), 7, 0).bytes;
    CHECK(count_of(sum, 1) == 2);
    struct slim_view gauge = get(metric_of(scope, "slim_table_memory_bytes"), 5, 0).bytes;
    CHECK(count_of(gauge, 1) == 2);
    slim_buf_fini(&out);
    slim_telemetry_snapshot_free(snapshot);
}

static void fill_spans(struct slim_telemetry_span spans[static 2])
{
    memset(spans, 0, 2 * sizeof(*spans));
    spans[0] = (struct slim_telemetry_span){.name = "slim.start", .start_ns = 1, .end_ns = 2};
    spans[1] = (struct slim_telemetry_span){.name = "slim.connection",
                                            .reason = "lost",
                                            .start_ns = 3,
                                            .end_ns = 4,
                                            .has_conn = true,
                                            .conn = {.id = 9, .kind = "link"}};
    slim_telemetry_set_text(spans[1].service, "slim/0");
    slim_telemetry_set_text(spans[1].conn.peer, "http://a");
}

static void spans_say_what_ended_and_how(void **state)
{
    (void)state;
    struct slim_telemetry_span spans[2];
    fill_spans(spans);
    uint8_t ids[2 * SLIM_TELEMETRY_SPAN_ID_BYTES];
    for (size_t i = 0; i < sizeof(ids); i++) {
        ids[i] = (uint8_t)i;
    }
    struct slim_buf out = {0};
    CHECK_OK(slim_telemetry_put_spans(spans, 2, ids, &RESOURCE, &out));
    struct slim_view scope = scope_of(&out);
    CHECK(count_of(scope, 2) == 2);
    struct slim_view first = get(scope, 2, 0).bytes;
    CHECK_VIEW(get(first, 5, 0).bytes, "slim.start");
    CHECK(get(first, 1, 0).bytes.len == 16 && get(first, 2, 0).bytes.len == 8);
    CHECK(get(get(first, 15, 0).bytes, 3, 0).value == 1);
    struct slim_view second = get(scope, 2, 1).bytes;
    CHECK(get(second, 1, 0).bytes.data[0] == SLIM_TELEMETRY_SPAN_ID_BYTES);
    CHECK(get(second, 6, 0).value == 3); /* a client's */
    CHECK(fixed(get(second, 7, 0)) == 3 && fixed(get(second, 8, 0)) == 4);
    struct slim_view status = get(second, 15, 0).bytes;
    CHECK_VIEW(get(status, 2, 0).bytes, "lost");
    CHECK(get(status, 3, 0).value == 2);
    slim_buf_fini(&out);
}

static void make_messages(void)
{
    struct slim_telemetry_snapshot *snapshot = NULL;
    struct slim_telemetry_span spans[2];
    fill_spans(spans);
    uint8_t ids[2 * SLIM_TELEMETRY_SPAN_ID_BYTES] = {1};
    struct slim_buf out = {0};
    if (sample_collect(NULL, &snapshot) == SLIM_OK) {
        enum slim_status status = slim_telemetry_put_metrics(snapshot, &RESOURCE, 1, 2, &out);
        CHECK(status == SLIM_OK || (status == SLIM_ERR_NO_MEMORY && out.len == 0));
        size_t len = out.len;
        status = slim_telemetry_put_spans(spans, 2, ids, &RESOURCE, &out);
        CHECK(status == SLIM_OK || (status == SLIM_ERR_NO_MEMORY && out.len == len));
    }
    slim_buf_fini(&out);
    slim_telemetry_snapshot_free(snapshot);
}

static void missing_memory_leaves_the_buffer_as_it_was(void **state)
{
    (void)state;
    slim_sweep_alloc(make_messages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_are_cumulative_sums_with_attributes),
        cmocka_unit_test(spans_say_what_ended_and_how),
        cmocka_unit_test(missing_memory_leaves_the_buffer_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
