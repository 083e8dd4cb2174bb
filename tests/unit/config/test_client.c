/* What only clients have: origin, rate limit, proxy, headers, metadata, link id (spec node.md 3.6, 9.1). */
#include <stdlib.h>

#include "base/buf.h"
#include "config/limits.h"
#include "rows.h"

static const struct slim_config_client *client_of(const struct slim_config *config)
{
    return &config->services[0].clients[0];
}

static void texts_and_times_reach_their_fields(void **state)
{
    (void)state;
    struct slim_config *config = read_good(
        "all", SERVICE("clients: [{endpoint: \"https://a:1\", origin: \"https://b.org:443\", "
                       "server_name: c, compression: Zstd, connect_timeout: 250ms, "
                       "request_timeout: 2s, buffer_size: 3, transport: grpc, "
                       "websocket_auth_query_param: t, keepalive: {tcp_keepalive: 1s, "
                       "http2_keepalive: 2s, timeout: 3s, keep_alive_while_idle: true}}]"));
    const struct slim_config_client *client = client_of(config);
    CHECK(is_text(client->endpoint, "https://a:1") && is_text(client->origin, "https://b.org:443"));
    CHECK(is_text(client->server_name, "c") && config->warning_count == 0);
    CHECK(client->connect_timeout_ms == 250 && client->request_timeout_ms == 2000);
    CHECK(client->has_keepalive && client->tcp_keepalive_ms == 1000);
    CHECK(client->http2_keepalive_ms == 2000 && client->keepalive_timeout_ms == 3000);
    CHECK(client->keepalive_while_idle);
    slim_config_free(config);

    config = read_good("defaults", CLIENT("keepalive: {}"));
    client = client_of(config);
    CHECK(client->has_keepalive && client->tcp_keepalive_ms == 60000);
    CHECK(client->http2_keepalive_ms == 60000 && client->keepalive_timeout_ms == 10000);
    CHECK(!client->keepalive_while_idle && client->origin == NULL && client->server_name == NULL);
    CHECK(client->rate_limit_count == 0 && client->headers.count == 0 && client->metadata == NULL);
    CHECK(client->proxy.url == NULL && client->link_id == NULL);
    slim_config_free(config);
}

static void rate_limits_are_calls_in_a_period(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *value;
        uint32_t count;
        uint64_t ms;
    } rows[] = {
        {"twenty a second", "20/1", 20, 1000},
        {"one in an hour", "1/3600", 1, 3600000},
        {"a sign", "+5/+2", 5, 2000},
        {"zeros in front", "007/01", 7, 1000},
        {"the largest count", "4294967295/1", UINT32_MAX, 1000},
        {"the longest period", "1/18446744073709551", 1, 18446744073709551000U},
        {"null is none", "~", 0, 0},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        char text[300];
        bool is_null = rows[i].value[0] == '~';
        (void)snprintf(text, sizeof(text), CLIENT("rate_limit: %s%s%s"), is_null ? "" : "\"",
                       rows[i].value, is_null ? "" : "\"");
        struct slim_config *config = read_good(rows[i].why, text);
        CHECK_ROW(rows[i].why, client_of(config)->rate_limit_count == rows[i].count);
        CHECK_ROW(rows[i].why, client_of(config)->rate_limit_ms == rows[i].ms);
        slim_config_free(config);
    }
}

static void headers_are_sent_in_lower_case(void **state)
{
    (void)state;
    struct slim_config *config =
        read_good("headers", CLIENT("headers: {X-Custom: value, \"a.b_c\": \"\", authorization: "
                                    "\"Bearer x~y\"}"));
    const struct slim_config_pairs *headers = &client_of(config)->headers;
    CHECK(headers->count == 3 && config->warning_count == 0);
    CHECK(is_text(headers->items[0].key, "x-custom") && is_text(headers->items[0].value, "value"));
    CHECK(is_text(headers->items[1].key, "a.b_c") && is_text(headers->items[1].value, ""));
    CHECK(is_text(headers->items[2].value, "Bearer x~y"));
    slim_config_free(config);
}

static void headers_that_are_taken_are_left_out_with_a_warning(void **state)
{
    (void)state;
    static const char *const names[] = {
        "connection", "content-length",    "Content-Type", "host",
        "keep-alive", "proxy-connection",  "TE",           "trailer",
        "upgrade",    "transfer-encoding", "grpc-timeout", "Grpc-Encoding"};
    for (size_t i = 0; i < SLIM_COUNT(names); i++) {
        char text[300];
        (void)snprintf(text, sizeof(text), CLIENT("headers: {%s: x, y: z}"), names[i]);
        struct slim_config *config = read_good(names[i], text);
        CHECK_ROW(names[i], client_of(config)->headers.count == 1 && config->warning_count == 1);
        CHECK_ROW(names[i], is_text(client_of(config)->headers.items[0].key, "y"));
        CHECK_ROW(names[i], strstr(config->warnings[0], "HTTP/2 or gRPC sets this header") != NULL);
        CHECK_ROW(names[i], strstr(config->warnings[0], names[i]) != NULL);
        slim_config_free(config);
    }
    struct slim_config *config = read_good("twice", CLIENT("headers: {A: \"1\", a: \"2\"}"));
    CHECK(client_of(config)->headers.count == 1 && config->warning_count == 1);
    CHECK(is_text(client_of(config)->headers.items[0].value, "1"));
    slim_config_free(config);
}

static void a_proxy_has_address_credentials_headers_and_tls(void **state)
{
    (void)state;
    struct slim_config *config = read_good(
        "proxy", CLIENT("proxy: {url: \"https://u:p@p.org:3128/\", username: n, password: w, "
                        "headers: {X-P: v}, tls: {ca_source: {type: file, path: /ca}, "
                        "insecure_skip_verify: true}}"));
    const struct slim_config_proxy *proxy = &client_of(config)->proxy;
    CHECK(is_text(proxy->url, "https://u:p@p.org:3128/") && config->warning_count == 0);
    CHECK(is_text(proxy->username, "n") && is_text(proxy->password, "w"));
    CHECK(proxy->headers.count == 1 && is_text(proxy->headers.items[0].key, "x-p"));
    CHECK(proxy->tls.skip_verify && proxy->tls.ca_source.kind == SLIM_CONFIG_SOURCE_FILE);
    slim_config_free(config);
    config = read_good("half a credential", CLIENT("proxy: {url: \"http://p\", username: n}"));
    CHECK(config->warning_count == 1 &&
          strstr(config->warnings[0], "clients[0].proxy: username and password have an effect "
                                      "together only") != NULL);
    slim_config_free(config);
}

static void metadata_is_text_of_json(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *value;
        const char *json;
    } rows[] = {
        {"empty", "{}", "{}"},
        {"texts", "{a: b, \"c\\\"\": \"d\\ne\"}", "{\"a\":\"b\",\"c\\\"\":\"d\\ne\"}"},
        {"UTF-8", "{a: \"\\u00e9\"}", "{\"a\":\"\xc3\xa9\"}"},
        {"integers", "{a: 0, b: -7, c: 0x10, d: +3, e: 9223372036854775807}",
         "{\"a\":0,\"b\":-7,\"c\":16,\"d\":3,\"e\":9223372036854775807}"},
        {"an integer that no JSON reader here takes is a real", "{a: 18446744073709551615}",
         "{\"a\":1.8446744073709552e+19}"},
        {"its negative", "{a: -9223372036854775809}", "{\"a\":-9.223372036854776e+18}"},
        {"reals", "{a: 1.5, b: .5, c: 1., d: -1e3, e: 0.1, f: 1e300}",
         "{\"a\":1.5,\"b\":0.5,\"c\":1.0,\"d\":-1000.0,\"e\":0.1,\"f\":1e+300}"},
        {"lists and maps", "{a: [x, [1, {b: c}], {}], d: []}",
         "{\"a\":[\"x\",[1,{\"b\":\"c\"}],{}],\"d\":[]}"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        char text[400];
        (void)snprintf(text, sizeof(text), CLIENT("metadata: %s"), rows[i].value);
        struct slim_config *config = read_good(rows[i].why, text);
        CHECK_ROW(rows[i].why, is_text(client_of(config)->metadata, rows[i].json));
        slim_config_free(config);
        (void)snprintf(text, sizeof(text), GOOD_SERVER("metadata: %s"), rows[i].value);
        config = read_good(rows[i].why, text);
        CHECK_ROW(rows[i].why, is_text(config->services[0].servers[0].metadata, rows[i].json));
        slim_config_free(config);
    }
}

static void outside_values_reach_lists_and_maps(void **state)
{
    (void)state;
    assert_int_equal(setenv("SLIM_TEST_OUTSIDE", "out\"side", 1), 0);
    struct slim_config *config = read_good(
        "substitution",
        CLIENT("metadata: {a: [{b: [\"${env:SLIM_TEST_OUTSIDE}\"]}]}, headers: {h: "
               "\"${env:SLIM_TEST_OUTSIDE}\"}, proxy: {url: \"http://p\", username: n, password: "
               "\"${env:SLIM_TEST_OUTSIDE}\"}"));
    const struct slim_config_client *client = client_of(config);
    CHECK(is_text(client->metadata, "{\"a\":[{\"b\":[\"out\\\"side\"]}]}"));
    CHECK(is_text(client->headers.items[0].value, "out\"side"));
    CHECK(is_text(client->proxy.password, "out\"side"));
    slim_config_free(config);
}

static void settings_that_cannot_be_are_refused(void **state)
{
    (void)state;
    assert_int_equal(setenv("SLIM_TEST_LINE", "secret\n", 1), 0);
    static const struct bad_row rows[] = {
        {"a rate without period", CLIENT("rate_limit: \"20\""), START, START_CHAIN "unknown error",
         "clients[0].rate_limit: write \"N/SECONDS\""},
        {"a rate of three parts", CLIENT("rate_limit: \"1/2/3\""), START,
         START_CHAIN "unknown error", ""},
        {"a rate of letters", CLIENT("rate_limit: \"a/b\""), START,
         START_CHAIN "rate limit parse error > invalid digit found in string", ""},
        {"a period of letters", CLIENT("rate_limit: \"1/b\""), START,
         START_CHAIN "rate limit parse error > invalid digit found in string", ""},
        {"a rate of nothing", CLIENT("rate_limit: \"/1\""), START,
         START_CHAIN "rate limit parse error > cannot parse integer from empty string", ""},
        {"a period of nothing", CLIENT("rate_limit: \"1/\""), START,
         START_CHAIN "rate limit parse error > cannot parse integer from empty string", ""},
        {"blanks", CLIENT("rate_limit: \"1 / 2\""), START,
         START_CHAIN "rate limit parse error > invalid digit found in string", ""},
        {"a negative rate", CLIENT("rate_limit: \"-1/1\""), START,
         START_CHAIN "rate limit parse error > invalid digit found in string", ""},
        {"only a sign", CLIENT("rate_limit: \"+/1\""), START,
         START_CHAIN "rate limit parse error > invalid digit found in string", ""},
        {"a rate of zero", CLIENT("rate_limit: \"0/1\""), START,
         START_CHAIN "rate limit parse error > number would be zero for non-zero type", ""},
        {"no period at all", CLIENT("rate_limit: \"1/0\""), START,
         START_CHAIN "rate limit parse error > number would be zero for non-zero type", ""},
        {"too many", CLIENT("rate_limit: \"4294967296/1\""), START,
         START_CHAIN "rate limit parse error > number too large to fit in target type", ""},
        {"too long", CLIENT("rate_limit: \"1/18446744073709552\""), START,
         START_CHAIN "rate limit parse error > number too large to fit in target type", ""},
        {"a rate that is a number", CLIENT("rate_limit: 20"), LOAD,
         "yaml parse error > invalid type: integer `20`, expected a string", "N/SECONDS"},

        {"a header with a blank", CLIENT("headers: {\"bad header\": v}"), START,
         START_CHAIN "header name parse error > invalid HTTP header name",
         "clients[0].headers.bad header: a name has letters"},
        {"a header without name", CLIENT("headers: {\"\": v}"), START,
         START_CHAIN "header name parse error > invalid HTTP header name", ""},
        {"a pseudo header", CLIENT("headers: {\":path\": v}"), START,
         START_CHAIN "header name parse error > invalid HTTP header name", ""},
        {"a header value with a line end", CLIENT("headers: {a: \"${env:SLIM_TEST_LINE}\"}"), START,
         START_CHAIN "header value parse error > failed to parse header value",
         "printable ASCII characters only; ${file:..} keeps the newline at the end"},
        {"a header value beyond ASCII", CLIENT("headers: {a: \"\\u00e9\"}"), START,
         START_CHAIN "header value parse error > failed to parse header value", ""},
        {"a header value that is a number is not shown", CLIENT("headers: {a: 12345}"), LOAD,
         "yaml parse error > invalid type: integer `${..}`, expected a string", "headers.a"},
        {"a header name that is a number", CLIENT("headers: {1: a}"), LOAD,
         "yaml parse error > invalid type: integer `1`, expected a string", ""},
        {"headers as list", CLIENT("headers: [a]"), LOAD,
         "yaml parse error > invalid type: sequence, expected a map", "name: value"},

        {"a proxy of another kind", CLIENT("proxy: {url: \"socks5://p:1\"}"), START,
         START_CHAIN "URI parse error > invalid proxy url",
         "clients[0].proxy.url: write http://HOST"},
        {"a proxy without host", CLIENT("proxy: {url: \"http://u:p@\"}"), START,
         START_CHAIN "URI parse error > invalid proxy url", ""},
        {"a proxy without scheme", CLIENT("proxy: {url: \"p:3128\"}"), START,
         START_CHAIN "URI parse error > invalid proxy url", ""},
        {"a proxy as text", CLIENT("proxy: \"http://p\""), LOAD,
         "yaml parse error > invalid type: string \"http://p\", expected struct ProxyConfig", ""},
        {"TLS towards the proxy", CLIENT("proxy: {url: \"https://p\", tls: {tls_version: x}}"),
         START, START_CHAIN "TLS config error > invalid tls version: x",
         "clients[0].proxy.tls.tls_version"},
        {"a proxy header", CLIENT("proxy: {url: \"http://p\", headers: {\"a b\": c}}"), START,
         START_CHAIN "header name parse error > invalid HTTP header name", "proxy.headers.a b"},

        {"an origin without scheme", CLIENT("origin: \"a.org\""), START,
         START_CHAIN "URI parse error > invalid format",
         "clients[0].origin: write http://HOST[:PORT]"},
        {"an origin without host", CLIENT("origin: \"https://\""), START,
         START_CHAIN "URI parse error > invalid format", ""},

        {"a boolean in metadata", CLIENT("metadata: {a: {b: [true]}}"), LOAD,
         "yaml parse error > data did not match any variant of untagged enum MetadataValue",
         "clients[0].metadata: a value is a text"},
        {"nothing in metadata", CLIENT("metadata: {a: ~}"), LOAD,
         "yaml parse error > data did not match any variant of untagged enum MetadataValue", ""},
        {"a number without end", CLIENT("metadata: {a: .inf}"), LOAD,
         "yaml parse error > data did not match any variant of untagged enum MetadataValue", ""},
        {"a number that is none", CLIENT("metadata: {a: .nan}"), LOAD,
         "yaml parse error > data did not match any variant of untagged enum MetadataValue", ""},
        {"a key that is a number", CLIENT("metadata: {a: {1: b}}"), LOAD,
         "yaml parse error > data did not match any variant of untagged enum MetadataValue", ""},
        {"metadata as list", CLIENT("metadata: [a]"), LOAD,
         "yaml parse error > invalid type: sequence, expected a map", ""},

        {"compression gzip", CLIENT("compression: gzip"), LOAD,
         "yaml parse error > unknown variant `gzip`, expected one of `Gzip`, `Zlib`, `Deflate`, "
         "`Snappy`, `Zstd`, `Lz4`, `None`, `Empty`",
         "capital letters matter"},
        {"compression as number", CLIENT("compression: 1"), LOAD,
         "yaml parse error > invalid type: integer `1`, expected enum CompressionType", ""},
        {"a buffer of text", CLIENT("buffer_size: x"), LOAD,
         "yaml parse error > invalid type: string \"x\", expected usize", ""},
        {"a server name that is a number", CLIENT("server_name: 1"), LOAD,
         "yaml parse error > invalid type: integer `1`, expected a string", ""},
    };
    check_bad_rows(rows, SLIM_COUNT(rows));
}

/* A client with `count` headers, whose values have `value_len` bytes; zero-terminated, to be freed. */
static char *many_headers(size_t count, size_t value_len)
{
    struct slim_buf text = {0};
    CHECK_OK(slim_buf_put_text(&text, "services: {slim/0: {dataplane: {clients: [{endpoint: "
                                      "\"http://a:1\", headers: {"));
    for (size_t i = 0; i < count; i++) {
        CHECK_OK(slim_buf_put_text(&text, "h%04zu: \"", i));
        for (size_t j = 0; j < value_len; j++) {
            CHECK_OK(slim_buf_put_byte(&text, 'v'));
        }
        CHECK_OK(slim_buf_put_text(&text, "\","));
    }
    CHECK_OK(slim_buf_put_text(&text, "}}]}}}\n"));
    CHECK_OK(slim_buf_put_byte(&text, 0));
    return (char *)text.data;
}

static void headers_have_limits(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        size_t count;
        size_t value_len;
        bool is_good;
    } rows[] = {
        {"as many as there may be", SLIM_CONFIG_HEADER_COUNT_MAX, 1, true},
        {"one more", SLIM_CONFIG_HEADER_COUNT_MAX + 1, 1, false},
        {"as large as they may be", 1, SLIM_CONFIG_HEADER_BYTES_MAX - 5, true},
        {"one byte more", 1, SLIM_CONFIG_HEADER_BYTES_MAX - 4, false},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        char *text = many_headers(rows[i].count, rows[i].value_len);
        struct slim_config *config = NULL;
        struct slim_config_error error;
        enum slim_status status = slim_config_parse(slim_view_str(text), "f", &config, &error);
        CHECK_ROW(rows[i].why, (status == SLIM_OK) == rows[i].is_good);
        CHECK_ROW(rows[i].why,
                  rows[i].is_good || strcmp(error.cause[0], "more than 64 headers or 8192 bytes of "
                                                            "them") == 0);
        slim_config_free(config);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_and_times_reach_their_fields),
        cmocka_unit_test(rate_limits_are_calls_in_a_period),
        cmocka_unit_test(headers_are_sent_in_lower_case),
        cmocka_unit_test(headers_that_are_taken_are_left_out_with_a_warning),
        cmocka_unit_test(a_proxy_has_address_credentials_headers_and_tls),
        cmocka_unit_test(metadata_is_text_of_json),
        cmocka_unit_test(outside_values_reach_lists_and_maps),
        cmocka_unit_test(settings_that_cannot_be_are_refused),
        cmocka_unit_test(headers_have_limits),
    };
    return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
