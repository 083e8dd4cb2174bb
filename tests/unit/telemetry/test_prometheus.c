/* The page, byte by byte. tests/system/test_telemetry.py has prometheus_client read the page of a real node. */
#include "sample.h"

static const char PAGE[] =
    "# HELP slim_build_info The program; always 1.\n"
    "# TYPE slim_build_info gauge\n"
    "slim_build_info{version=\"v\\\"1\\\"\",revision=\"abc\"} 1\n"
    "# HELP slim_process_start_time_seconds When the process started, in seconds since 1970.\n"
    "# TYPE slim_process_start_time_seconds gauge\n"
    "slim_process_start_time_seconds 1700000000.005\n"
    "# HELP slim_table_memory_bytes Small objects for connections and subscriptions: in use and "
    "kept "
    "for reuse.\n"
    "# TYPE slim_table_memory_bytes gauge\n"
    "slim_table_memory_bytes{state=\"in_use\"} 10\n"
    "slim_table_memory_bytes{state=\"kept\"} 20\n"
    "# HELP slim_messages_received_total Messages that came in, of any kind and quality.\n"
    "# TYPE slim_messages_received_total counter\n"
    "slim_messages_received_total{service=\"slim/0\"} 100\n"
    "slim_messages_received_total{service=\"slim/1\"} 23\n"
    "# HELP slim_messages_by_type_total Messages that came in and are valid, by their kind.\n"
    "# TYPE slim_messages_by_type_total counter\n"
    "slim_messages_by_type_total{service=\"slim/0\",type=\"publish\"} 60\n"
    "slim_messages_by_type_total{service=\"slim/0\",type=\"subscribe\"} 30\n"
    "slim_messages_by_type_total{service=\"slim/1\",type=\"publish\"} 7\n"
    "# HELP slim_messages_dropped_total Messages that did not go on, one for each receiver that "
    "did "
    "not get it.\n"
    "# TYPE slim_messages_dropped_total counter\n"
    "slim_messages_dropped_total{service=\"slim/0\",reason=\"no_match\"} 2\n"
    "slim_messages_dropped_total{service=\"slim/0\",reason=\"invalid\"} 18446744073709551615\n"
    "# HELP slim_connections Connections that are open.\n"
    "# TYPE slim_connections gauge\n"
    "slim_connections{service=\"slim/0\",kind=\"server\"} 1\n"
    "# HELP slim_connection_info What is known of a connection; always 1.\n"
    "# TYPE slim_connection_info gauge\n"
    "slim_connection_info{service=\"slim/0\",conn=\"7\",kind=\"server\",peer=\"127.0.0.1:5000\","
    "version=\"1.4.0\"} 1\n"
    "slim_connection_info{service=\"slim/0\",conn=\"18446744073709551615\",kind=\"link\","
    "peer=\"unix:/\\\"a\\\\b\\\"\?\?\?\",version=\"\"} 1\n"
    "# HELP slim_connection_messages_received_total Messages from this connection.\n"
    "# TYPE slim_connection_messages_received_total counter\n"
    "slim_connection_messages_received_total{service=\"slim/0\",conn=\"7\"} 1\n"
    "slim_connection_messages_received_total{service=\"slim/0\",conn=\"18446744073709551615\"} 0\n"
    "# HELP slim_connection_message_received_bytes_total Bytes of these messages.\n"
    "# TYPE slim_connection_message_received_bytes_total counter\n"
    "slim_connection_message_received_bytes_total{service=\"slim/0\",conn=\"7\"} 2\n"
    "slim_connection_message_received_bytes_total{service=\"slim/"
    "0\",conn=\"18446744073709551615\"} "
    "0\n"
    "# HELP slim_connection_messages_delivered_total Messages queued for this connection.\n"
    "# TYPE slim_connection_messages_delivered_total counter\n"
    "slim_connection_messages_delivered_total{service=\"slim/0\",conn=\"7\"} 3\n"
    "slim_connection_messages_delivered_total{service=\"slim/0\",conn=\"18446744073709551615\"} 0\n"
    "# HELP slim_connection_message_delivered_bytes_total Bytes of these messages.\n"
    "# TYPE slim_connection_message_delivered_bytes_total counter\n"
    "slim_connection_message_delivered_bytes_total{service=\"slim/0\",conn=\"7\"} 4\n"
    "slim_connection_message_delivered_bytes_total{service=\"slim/"
    "0\",conn=\"18446744073709551615\"} "
    "0\n"
    "# HELP slim_connection_queue_bytes Bytes that wait for this connection.\n"
    "# TYPE slim_connection_queue_bytes gauge\n"
    "slim_connection_queue_bytes{service=\"slim/0\",conn=\"7\"} 5\n"
    "slim_connection_queue_bytes{service=\"slim/0\",conn=\"18446744073709551615\"} 0\n";

static void page_is_what_scrapers_read(void **state)
{
    (void)state;
    struct slim_telemetry_snapshot *snapshot = NULL;
    CHECK_OK(sample_collect(NULL, &snapshot));
    struct slim_buf out = {0};
    CHECK_OK(slim_buf_put_text(&out, "before"));
    CHECK_OK(slim_telemetry_put_prometheus(snapshot, &out));
    CHECK_OK(slim_buf_put_byte(&out, 0));
    assert_memory_equal(out.data, "before", 6);
    assert_string_equal((const char *)out.data + 6, PAGE);
    slim_buf_fini(&out);
    slim_telemetry_snapshot_free(snapshot);
}

static void every_family_has_a_name_and_a_text(void **state)
{
    (void)state;
    struct slim_telemetry_snapshot *snapshot = NULL;
    CHECK_OK(slim_telemetry_snapshot_new(0, &snapshot));
    for (int family = 0; family < SLIM_TELEMETRY_SERVICE_FAMILIES_END; family++) {
        slim_telemetry_add(&snapshot->process, (enum slim_telemetry_family)family, "x", 1);
    }
    struct slim_buf out = {0};
    CHECK_OK(slim_telemetry_put_prometheus(snapshot, &out));
    CHECK_OK(slim_buf_put_byte(&out, 0));
    size_t helps = 0;
    for (const char *at = (const char *)out.data; (at = strstr(at, "# HELP slim_")) != NULL; at++) {
        helps++;
    }
    CHECK(helps == SLIM_TELEMETRY_SERVICE_FAMILIES_END + 1); /* and the build's */
    slim_buf_fini(&out);
    slim_telemetry_snapshot_free(snapshot);
}

static void connections_beyond_the_limit_are_counted(void **state)
{
    (void)state;
    struct slim_telemetry_snapshot *snapshot = NULL;
    CHECK_OK(slim_telemetry_snapshot_new(1, &snapshot));
    (void)slim_telemetry_add_service(snapshot, "s/0");
    for (size_t i = 0; i < SLIM_TELEMETRY_CONNS_MAX; i++) {
        CHECK(slim_telemetry_add_conn(snapshot) != NULL);
    }
    CHECK(slim_telemetry_add_conn(snapshot) == NULL);
    CHECK(snapshot->unlisted_count == 1 && snapshot->conn_count == SLIM_TELEMETRY_CONNS_MAX);
    slim_telemetry_snapshot_free(snapshot);
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    char text[SLIM_TELEMETRY_TEXT_MAX];
    char from[2 * SLIM_TELEMETRY_TEXT_MAX + 1];
    memset(from, 'a', sizeof(from) - 1);
    from[sizeof(from) - 1] = 0;
    slim_telemetry_set_text(text, from);
    CHECK(strlen(text) == SLIM_TELEMETRY_TEXT_MAX - 1);
}

static void sums_go_over_services_and_labels(void **state)
{
    (void)state;
    struct slim_telemetry_snapshot *snapshot = NULL;
    CHECK_OK(sample_collect(NULL, &snapshot));
    CHECK(slim_telemetry_sum(snapshot, SLIM_TELEMETRY_MESSAGES_RECEIVED, NULL) == 123);
    CHECK(slim_telemetry_sum(snapshot, SLIM_TELEMETRY_MESSAGES_BY_TYPE, "publish") == 67);
    CHECK(slim_telemetry_sum(snapshot, SLIM_TELEMETRY_MESSAGES_BY_TYPE, NULL) == 97);
    CHECK(slim_telemetry_sum(snapshot, SLIM_TELEMETRY_HOLDS, NULL) == 0);
    slim_telemetry_snapshot_free(snapshot);
}

static void make_page(void)
{
    struct slim_telemetry_snapshot *snapshot = NULL;
    struct slim_buf out = {0};
    if (sample_collect(NULL, &snapshot) == SLIM_OK) {
        enum slim_status status = slim_telemetry_put_prometheus(snapshot, &out);
        CHECK(status == SLIM_OK || (status == SLIM_ERR_NO_MEMORY && out.len == 0));
    }
    slim_buf_fini(&out);
    slim_telemetry_snapshot_free(snapshot);
}

static void missing_memory_leaves_the_buffer_as_it_was(void **state)
{
    (void)state;
    slim_sweep_alloc(make_page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_is_what_scrapers_read),
        cmocka_unit_test(every_family_has_a_name_and_a_text),
        cmocka_unit_test(connections_beyond_the_limit_are_counted),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(sums_go_over_services_and_labels),
        cmocka_unit_test(missing_memory_leaves_the_buffer_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
