/* The worked table of error cases (spec node.md 8): the chains of the reference, and our last line. */
#include <stdlib.h>

#include "config/limits.h"
#include "rows.h"

static void files_that_are_no_configuration(void **state)
{
    (void)state;
    static const struct bad_row rows[] = {
        {"YAML syntax", "services: [\n", FILE_STAGE,
         "yaml parse error > did not find expected node content at line 2 column 1, while parsing "
         "a flow node",
         "not a YAML document"},
        {"empty", "", FILE_STAGE, "invalid configuration - impossible to parse yaml",
         "tracing, runtime, telemetry and services"},
        {"a scalar", "hello\n", FILE_STAGE, "invalid configuration - impossible to parse yaml",
         "f.yaml:1:1: "},
        {"a list", "- a\n", FILE_STAGE, "invalid configuration - impossible to parse yaml",
         "f.yaml:1:1: "},
        {"a numeric root key", "1: 2\n", FILE_STAGE,
         "invalid configuration - impossible to parse yaml", ""},
        {"an unknown root key", "foo: 1\nservices: {}\n", FILE_STAGE,
         "invalid configuration - key foo not valid",
         "f.yaml:1:1: the file is a map with the keys"},
        {"a duplicate key", "services: {slim/0: {a: 1}, slim/0: {}}\n", FILE_STAGE,
         "yaml parse error > services: duplicate entry with key \"slim/0\" at line 1 column 11",
         ""},
        {"a duplicate key further down",
         "services:\n  slim/0:\n    dataplane:\n      servers:\n      - a: 1\n      - b: 1\n"
         "        b: 2\n",
         FILE_STAGE,
         "yaml parse error > services.slim/0.dataplane.servers[1]: duplicate entry with key \"b\" "
         "at line 6 column 9",
         ""},
        {"a duplicate root key", "a: 1\na: 2\n", FILE_STAGE,
         "yaml parse error > duplicate entry with key \"a\" at line 1 column 1", ""},
        {"a key that is a list", "{[a]: b}\n", FILE_STAGE,
         "yaml parse error > a key must be a single word or text, not a list or map, at line 1 "
         "column 2",
         ""},
        {"two documents", "a: 1\n---\nb: 2\n", FILE_STAGE,
         "yaml parse error > deserializing from YAML containing more than one document is not "
         "supported",
         ""},
        {"an unknown anchor", "a: *b\n", FILE_STAGE,
         "yaml parse error > unknown anchor at line 1 column 4", ""},
        {"an anchor inside itself", "a: &b [*b]\n", FILE_STAGE,
         "yaml parse error > repetition limit exceeded at line 1 column 8: the alias is inside its "
         "own anchor",
         ""},
        {"a tag", "a: !secret b\n", FILE_STAGE,
         "yaml parse error > the tag !secret is not supported at line 1 column 4", ""},
        {"a zero byte", "a: \"x\\0\"\n", FILE_STAGE,
         "yaml parse error > text with a zero byte at line 1 column 4", ""},
        {"not UTF-8", "a: \xff\n", FILE_STAGE, "io error > stream did not contain valid UTF-8",
         "UTF-8"},
    };
    check_bad_rows(rows, SLIM_COUNT(rows));
}

static void providers_that_have_nothing(void **state)
{
    (void)state;
    assert_int_equal(unsetenv("SLIM_NO_SUCH"), 0);
    assert_int_equal(setenv("SLIM_NOT_UTF8", "\xff", 1), 0);
    static const struct bad_row rows[] = {
        {"an unset variable", SERVER("endpoint: \"${env:SLIM_NO_SUCH}\""), FILE_STAGE,
         "config provider error > environment variable error > environment variable not found",
         "f.yaml:1:54: services.slim/0.dataplane.servers[0].endpoint: the variable SLIM_NO_SUCH is "
         "not set"},
        {"in a section that is not used too",
         "tracing: {opentelemetry: {environment: \"${env:SLIM_NO_SUCH}\"}}\n", FILE_STAGE,
         "config provider error > environment variable error > environment variable not found",
         "tracing.opentelemetry.environment"},
        {"a variable that is no text", "tracing: {log_level: \"${env:SLIM_NOT_UTF8}\"}\n",
         FILE_STAGE,
         "config provider error > environment variable error > environment variable was not valid "
         "unicode",
         "SLIM_NOT_UTF8"},
        {"two in one", "tracing: {log_level: \"${env:HOME}${env:HOME}\"}\n", FILE_STAGE,
         "config provider error > environment variable error > environment variable not found",
         "HOME}${env:HOME"},
        {"a file that is not there", "tracing: {log_level: \"${file:/nonexistent}\"}\n", FILE_STAGE,
         "config provider error > file error > No such file or directory (os error 2)",
         "tracing.log_level"},
        {"an unknown provider", "tracing: {log_level: \"${vault:x}\"}\n", FILE_STAGE,
         "config provider error > not found", "write ${env:NAME} or ${file:PATH}"},
        {"no provider", "tracing: {log_level: \"${foo}\"}\n", FILE_STAGE,
         "config provider error > not found", ""},
        {"nothing", "tracing: {log_level: \"${}\"}\n", FILE_STAGE,
         "config provider error > not found", ""},
    };
    check_bad_rows(rows, SLIM_COUNT(rows));
}

static void settings_of_the_wrong_type(void **state)
{
    (void)state;
    assert_int_equal(setenv("SLIM_TEST_SECRET", "hunter2", 1), 0);
    static const struct bad_row rows[] = {
        {"releases from 1.3 on refuse it too", "runtime: {n_cores: many}\n", FILE_STAGE,
         "yaml parse error > invalid type: string \"many\", expected u32",
         "f.yaml:1:20: runtime.n_cores: write a whole number"},
        {"a section that is a list", "runtime: []\n", FILE_STAGE,
         "yaml parse error > invalid type: sequence, expected struct RuntimeConfiguration",
         "a map with keys of: n_cores, thread_name, drain_timeout, memory_max"},
        {"a level that is a number", "tracing: {log_level: 5}\n", FILE_STAGE,
         "yaml parse error > invalid type: integer `5`, expected a string", "tracing.log_level"},
        {"a word that YAML 1.1 took for true", "tracing: {display_thread_ids: yes}\n", FILE_STAGE,
         "yaml parse error > invalid type: string \"yes\", expected a boolean", "true or false"},
        {"negative", "runtime: {n_cores: -1}\n", FILE_STAGE,
         "yaml parse error > invalid value: integer `-1`, expected u32", "from 0 to 4294967295"},
        {"too large", "runtime: {n_cores: 4294967296}\n", FILE_STAGE,
         "yaml parse error > invalid value: integer `4294967296`, expected u32", ""},
        {"a fraction", "runtime: {n_cores: 1.5}\n", FILE_STAGE,
         "yaml parse error > invalid type: floating point `1.5`, expected u32", ""},
        {"null where a value is needed", "runtime: {n_cores: ~}\n", FILE_STAGE,
         "yaml parse error > invalid type: unit value, expected u32", ""},
        {"a boolean", "runtime: {thread_name: true}\n", FILE_STAGE,
         "yaml parse error > invalid type: boolean `true`, expected a string", "quotes"},
        {"what came from outside is not shown", "runtime: {n_cores: \"${env:SLIM_TEST_SECRET}\"}\n",
         FILE_STAGE, "yaml parse error > invalid type: string \"${..}\", expected u32", ""},
        {"filters that are no list", "tracing: {filters: slim}\n", FILE_STAGE,
         "yaml parse error > invalid type: string \"slim\", expected a sequence",
         "tracing.filters"},
        {"a filter that is a number", "tracing: {filters: [1]}\n", FILE_STAGE,
         "yaml parse error > invalid type: integer `1`, expected a string", ""},
        {"control characters do not reach the terminal", "runtime: {n_cores: \"\\e[31m\"}\n",
         FILE_STAGE, "yaml parse error > invalid type: string \"?[31m\", expected u32", ""},
    };
    check_bad_rows(rows, SLIM_COUNT(rows));
}

static void services_that_make_no_sense(void **state)
{
    (void)state;
    static const struct bad_row rows[] = {
        {"no services", "tracing: {}\n", LOAD, "invalid configuration - missing services",
         "services: {slim/0:"},
        {"empty services", "services: {}\n", LOAD, "invalid configuration - missing services",
         "f.yaml:1:11: services"},
        {"services as list", "services: []\n", LOAD,
         "invalid configuration - impossible to parse yaml", "services: "},
        {"no slash", "services: {slim: {}}\n", LOAD,
         "invalid configuration - key id cannot be empty not valid", "write KIND/NAME"},
        {"a bad name", "services: {slim/A_1: {}}\n", LOAD,
         "invalid configuration - key kind contains invalid character(s): A_1 not valid",
         "f.yaml:1:12: services.slim/A_1"},
        {"a bad kind", "services: {9x/1: {}}\n", LOAD,
         "invalid configuration - key kind contains invalid character(s): 9x not valid", ""},
        {"two slashes", "services: {slim/a/b: {}}\n", LOAD,
         "invalid configuration - key kind contains invalid character(s): a/b not valid", ""},
        {"a node_id that is no name",
         "services: {slim/0: {node_id: A b, dataplane: {servers: [{endpoint: "
         "\"1.1.1.1:1\", " INSECURE "}]}}}\n",
         LOAD, "invalid configuration - key kind contains invalid character(s): A b not valid",
         "node_id may have"},
        {"two services that node_id makes one",
         "services: {slim/0: {node_id: a, dataplane: {servers: [{endpoint: \"1.1.1.1:1\", " INSECURE
         "}]}}, slim/1: {node_id: a, dataplane: {servers: [{endpoint: \"1.1.1.1:2\", " INSECURE
         "}]}}}\n",
         LOAD, "invalid configuration - key slim/a not valid", "two services have this id"},
        {"neither servers nor clients", "services: {slim/0: {}}\n", START,
         "no server or client configured", "f.yaml:1:12: services.slim/0: add dataplane.servers"},
        {"a service without anything", "services:\n  slim/0:\n", START,
         "no server or client configured", ""},
        {"servers as map", SERVICE("servers: {endpoint: \"127.0.0.1:1\"}"), LOAD,
         "yaml parse error > invalid type: map, expected a sequence", "put a dash"},
    };
    check_bad_rows(rows, SLIM_COUNT(rows));
}

static void servers_that_make_no_sense(void **state)
{
    (void)state;
    static const struct bad_row rows[] = {
        {"no endpoint", SERVER(INSECURE), LOAD, "yaml parse error > missing field `endpoint`",
         "add endpoint"},
        {"an empty endpoint", SERVER("endpoint: \"\", " INSECURE), START,
         START_CHAIN "missing grpc endpoint", ""},
        {"a host name", SERVER("endpoint: \"localhost:1\", " INSECURE), START,
         START_CHAIN "endpoint parse error > invalid socket address syntax",
         "servers[0].endpoint: write IP:PORT with a numeric address"},
        {"a port too large", SERVER("endpoint: \"127.0.0.1:123456\", " INSECURE), START,
         START_CHAIN "endpoint parse error > invalid socket address syntax", ""},
        {"a port just too large", SERVER("endpoint: \"127.0.0.1:65536\", " INSECURE), START,
         START_CHAIN "endpoint parse error > invalid socket address syntax", ""},
        {"no port", SERVER("endpoint: \"127.0.0.1\", " INSECURE), START,
         START_CHAIN "endpoint parse error > invalid socket address syntax", ""},
        {"IPv6 without brackets", SERVER("endpoint: \"::1:80\", " INSECURE), START,
         START_CHAIN "endpoint parse error > invalid socket address syntax", ""},
        {"IPv4 in brackets", SERVER("endpoint: \"[127.0.0.1]:80\", " INSECURE), START,
         START_CHAIN "endpoint parse error > invalid socket address syntax", ""},
        {"the same endpoint twice",
         SERVICE("servers: [{endpoint: \"127.0.0.1:1\", " INSECURE
                 "}, {endpoint: \"127.0.0.1:1\", " INSECURE "}]"),
         START, START_CHAIN "bind error > Address already in use (os error 98)",
         "127.0.0.1:1 is there twice"},
        {"no tls section", SERVER("endpoint: \"127.0.0.1:1\""), START,
         START_CHAIN "TLS config error > missing server cert or key", "tls: {insecure: true}"},
        {"old tls keys", SERVER("endpoint: \"127.0.0.1:1\", tls: {cert_file: /x, key_file: /y}"),
         START, START_CHAIN "TLS config error > missing server cert or key", ""},
        {"a TLS version that is gone",
         SERVER("endpoint: \"127.0.0.1:1\", tls: {tls_version: tls1.1}"), START,
         START_CHAIN "TLS config error > invalid tls version: tls1.1", "tls1.2 or tls1.3"},
        {"a unix socket with TLS", SERVER("endpoint: \"unix:///tmp/u.sock\""), START,
         START_CHAIN "unix domain sockets require tls.insecure=true", ""},
        {"a unix socket without path", SERVER("endpoint: \"unix://\", " INSECURE), START,
         START_CHAIN "endpoint parse error > invalid unix domain socket path", ""},
        {"source type vault", SERVER("endpoint: \"127.0.0.1:1\", tls: {source: {type: vault}}"),
         LOAD,
         "yaml parse error > unknown variant `vault`, expected one of `pem`, `file`, `spire`, "
         "`none`",
         "tls.source"},
        {"source without type", SERVER("endpoint: \"127.0.0.1:1\", tls: {source: {cert: x}}"), LOAD,
         "yaml parse error > missing field `type`", ""},
        {"auth without type", GOOD_SERVER("auth: {basic: {username: a, password: b}}"), LOAD,
         "yaml parse error > missing field `type`",
         "servers[0].auth: the form of older releases; write {type: KIND"},
        {"an empty auth section", GOOD_SERVER("auth: {}"), LOAD,
         "yaml parse error > missing field `type`", "servers[0].auth: write {type: T"},
        {"auth type kerberos", GOOD_SERVER("auth: {type: kerberos}"), LOAD,
         "yaml parse error > unknown variant `kerberos`, expected one of `basic`, `jwt`, `none`",
         ""},
        {"auth as text", GOOD_SERVER("auth: basic"), LOAD,
         "yaml parse error > invalid type: string \"basic\", expected internally tagged enum "
         "AuthenticationConfig",
         ""},
        {"a duration that is a number", GOOD_SERVER("keepalive: {time: 10}"), LOAD,
         "yaml parse error > invalid type: integer `10`, expected string", "\"10s\""},
        {"a duration without known unit", GOOD_SERVER("keepalive: {time: \"10x\"}"), LOAD,
         "yaml parse error > invalid value: string \"missing time duration format, must be "
         "multiples of "
         "`[0-9]+(ns|us|ms|[smhdwy])`\", expected string",
         "keepalive.time"},
        {"a boolean in quotes", SERVER("endpoint: \"127.0.0.1:1\", tls: {insecure: \"true\"}"),
         LOAD, "yaml parse error > invalid type: string \"true\", expected a boolean",
         "without quotes"},
        {"a frame size of text", GOOD_SERVER("max_frame_size: 4MiB"), LOAD,
         "yaml parse error > invalid type: string \"4MiB\", expected u32", "max_frame_size"},
        {"streams of text", GOOD_SERVER("max_concurrent_streams: many"), LOAD,
         "yaml parse error > invalid type: string \"many\", expected u32", ""},
        {"a header list of text", GOOD_SERVER("max_header_list_size: many"), LOAD,
         "yaml parse error > invalid type: string \"many\", expected u32", ""},
        {"a read buffer of text", GOOD_SERVER("read_buffer_size: x"), LOAD,
         "yaml parse error > invalid type: string \"x\", expected usize", ""},
        {"a write buffer of text", GOOD_SERVER("write_buffer_size: x"), LOAD,
         "yaml parse error > invalid type: string \"x\", expected usize", ""},
        {"a flag of text", GOOD_SERVER("http2_only: x"), LOAD,
         "yaml parse error > invalid type: string \"x\", expected a boolean", ""},
        {"other times too", GOOD_SERVER("keepalive: {max_connection_age: 1}"), LOAD,
         "yaml parse error > invalid type: integer `1`, expected string", "max_connection_age"},
        {"those without effect", GOOD_SERVER("keepalive: {max_connection_idle: 1}"), LOAD,
         "yaml parse error > invalid type: integer `1`, expected string", "max_connection_idle"},
        {"the time of grace", GOOD_SERVER("keepalive: {max_connection_age_grace: 1}"), LOAD,
         "yaml parse error > invalid type: integer `1`, expected string", ""},
        {"reload_interval as duration",
         SERVER("endpoint: \"127.0.0.1:1\", tls: {insecure: true, reload_interval: 10s}"), LOAD,
         "yaml parse error > invalid type: string \"10s\", expected struct Duration",
         "secs, nanos"},
        {"a boolean in metadata", GOOD_SERVER("metadata: {a: {b: [true]}}"), LOAD,
         "yaml parse error > data did not match any variant of untagged enum MetadataValue", ""},
        {"a transport nobody knows", GOOD_SERVER("transport: quic"), LOAD,
         "yaml parse error > unknown variant `quic`, expected `grpc` or `websocket`",
         "write `grpc` or `websocket`"},
    };
    check_bad_rows(rows, SLIM_COUNT(rows));
}

static void clients_that_make_no_sense(void **state)
{
    (void)state;
    static const struct bad_row rows[] = {
        {"no endpoint", SERVICE("clients: [{}]"), LOAD,
         "yaml parse error > missing field `endpoint`", ""},
        {"an empty endpoint", SERVICE("clients: [{endpoint: \"\"}]"), START,
         START_CHAIN "missing grpc endpoint", ""},
        {"no scheme", SERVICE("clients: [{endpoint: \"127.0.0.1:1\"}]"), START,
         START_CHAIN "invalid endpoint scheme", "clients[0].endpoint: write http://HOST:PORT"},
        {"another scheme", SERVICE("clients: [{endpoint: \"ftp://127.0.0.1:1\"}]"), START,
         START_CHAIN "invalid endpoint scheme", ""},
        {"no host", SERVICE("clients: [{endpoint: \"http://:1\"}]"), START,
         START_CHAIN "endpoint parse error > invalid authority", ""},
        {"a bad port", SERVICE("clients: [{endpoint: \"http://a:b\"}]"), START,
         START_CHAIN "endpoint parse error > invalid authority", ""},
        {"an unfinished IPv6 address", SERVICE("clients: [{endpoint: \"http://[::1\"}]"), START,
         START_CHAIN "endpoint parse error > invalid authority", ""},
        {"a blank in the host", SERVICE("clients: [{endpoint: \"http://a b:1\"}]"), START,
         START_CHAIN "endpoint parse error > invalid authority", ""},
        {"a unix socket without path", SERVICE("clients: [{endpoint: \"unix://?x\"}]"), START,
         START_CHAIN "endpoint parse error > invalid unix domain socket path", ""},
        {"the same endpoint twice",
         SERVICE("clients: [{endpoint: \"http://a:1\"}, {endpoint: \"http://a:1\"}]"), START,
         "client already connected: http://a:1", "there twice in slim/0"},
        {"compression gzip", CLIENT("compression: gzip"), LOAD,
         "yaml parse error > unknown variant `gzip`, expected one of `Gzip`, `Zlib`, `Deflate`, "
         "`Snappy`, `Zstd`, "
         "`Lz4`, `None`, `Empty`",
         "capital letters"},
        {"backoff type linear", CLIENT("backoff: {type: linear}"), LOAD,
         "yaml parse error > unknown variant `linear`, expected `exponential` or `fixed_interval`",
         ""},
        {"backoff without type", CLIENT("backoff: {base: 1}"), LOAD,
         "yaml parse error > missing field `type`", ""},
        {"a back-off of text", CLIENT("backoff: linear"), LOAD,
         "yaml parse error > invalid type: string \"linear\", expected internally tagged enum "
         "BackoffConfig",
         ""},
        {"a base with unit", CLIENT("backoff: {type: exponential, base: 1s}"), LOAD,
         "yaml parse error > invalid type: string \"1s\", expected u64", "backoff.base"},
        {"a factor of text", CLIENT("backoff: {type: exponential, factor: x}"), LOAD,
         "yaml parse error > invalid type: string \"x\", expected u64", ""},
        {"a delay without unit", CLIENT("backoff: {type: exponential, max_delay: 1}"), LOAD,
         "yaml parse error > invalid type: integer `1`, expected string", ""},
        {"attempts of text", CLIENT("backoff: {type: exponential, max_attempts: x}"), LOAD,
         "yaml parse error > invalid type: string \"x\", expected usize", ""},
        {"jitter of text", CLIENT("backoff: {type: exponential, jitter: x}"), LOAD,
         "yaml parse error > invalid type: string \"x\", expected a boolean", ""},
        {"an interval without unit", CLIENT("backoff: {type: fixed_interval, interval: 1}"), LOAD,
         "yaml parse error > invalid type: integer `1`, expected string", "backoff.interval"},
        {"a keepalive without unit", CLIENT("keepalive: {tcp_keepalive: 1}"), LOAD,
         "yaml parse error > invalid type: integer `1`, expected string", "tcp_keepalive"},
        {"pings without unit", CLIENT("keepalive: {http2_keepalive: 1}"), LOAD,
         "yaml parse error > invalid type: integer `1`, expected string", ""},
        {"an answer time without unit", CLIENT("keepalive: {timeout: 1}"), LOAD,
         "yaml parse error > invalid type: integer `1`, expected string", ""},
        {"idle of text", CLIENT("keepalive: {keep_alive_while_idle: x}"), LOAD,
         "yaml parse error > invalid type: string \"x\", expected a boolean", ""},
        {"a connect time without unit", CLIENT("connect_timeout: 1"), LOAD,
         "yaml parse error > invalid type: integer `1`, expected string", "connect_timeout"},
        {"a request time without unit", CLIENT("request_timeout: 1"), LOAD,
         "yaml parse error > invalid type: integer `1`, expected string", ""},
        {"a link id that is no UUID", CLIENT("link_id: x"), START, START_CHAIN "invalid link_id",
         "version 4"},
        {"an UUID of another version", CLIENT("link_id: 123e4567-e89b-12d3-a456-426614174000"),
         START, START_CHAIN "invalid link_id", ""},
    };
    check_bad_rows(rows, SLIM_COUNT(rows));
}

static void what_is_legal_but_not_there_is_refused_by_name(void **state)
{
    (void)state;
    static const struct bad_row rows[] = {
        {"WebSocket server", GOOD_SERVER("transport: websocket"), LOAD,
         UNSUPPORTED "the transport `websocket`", "servers[0].transport: legal, but"},
        {"WebSocket client", CLIENT("transport: websocket"), LOAD,
         UNSUPPORTED "the transport `websocket`", "clients[0].transport"},
    };
    check_bad_rows(rows, SLIM_COUNT(rows));
}

/* ---------------------------------------------------------------------------------------------------- bounds */

static void expect_refused(const char *why, const char *text, const char *part)
{
    struct slim_config *config = NULL;
    struct slim_config_error error;
    CHECK_ROW(why,
              slim_config_parse(slim_view_str(text), "f.yaml", &config, &error) == SLIM_ERR_CONFIG);
    CHECK_ROW(error.cause[1], strstr(error.cause[1], part) != NULL);
    slim_config_free(config);
}

/* `head`, `count` times `unit`, and `tail`. */
static char *repeat(const char *head, const char *unit, size_t count, const char *tail)
{
    char *text = malloc(strlen(head) + count * strlen(unit) + strlen(tail) + 1);
    assert_non_null(text);
    strcpy(text, head);
    char *at = text + strlen(head);
    for (size_t i = 0; i < count; i++, at += strlen(unit)) {
        strcpy(at, unit);
    }
    strcpy(at, tail);
    return text;
}

static void documents_are_bounded(void **state)
{
    (void)state;
    char *text = repeat("", "[", SLIM_CONFIG_DEPTH_MAX + 1, "");
    expect_refused("too deep", text, "recursion limit exceeded");
    free(text);
    text = repeat("[", "a,", SLIM_CONFIG_NODE_COUNT_MAX, "]");
    expect_refused("too many values", text, "repetition limit exceeded");
    free(text);
    text = repeat("#", "x", SLIM_CONFIG_FILE_BYTES_MAX, "\n");
    expect_refused("too long", text, "larger than 1048576 bytes");
    free(text);
    text = repeat("a: [", "&a b, ", 3, "&b c]\n"); /* a name may be used again */
    struct slim_config *config = NULL;
    struct slim_config_error error;
    CHECK(slim_config_parse(slim_view_str(text), "f.yaml", &config, &error) == SLIM_ERR_CONFIG);
    CHECK(strcmp(error.cause[0], "invalid configuration - key a not valid") == 0);
    free(text);
    expect_refused("an anchor with a long name",
                   "a: &aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b\n",
                   "too many anchors");
}

static void aliases_cannot_blow_a_document_up(void **state)
{
    (void)state;
    expect_refused("a billion laughs",
                   "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                   "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
                   "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
                   "repetition limit exceeded at line 5");
    char *text = repeat("a: &a ", "[", 40, "");
    char *whole =
        repeat(text, "]", 40, "\nb: [[[[[[[[[[[[[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]]]]]]]]]]]]\n");
    expect_refused("depth that aliases add up", whole, "recursion limit exceeded");
    free(whole);
    free(text);
}

static void texts_that_aliases_repeat_are_bounded(void **state)
{
    (void)state;
    char *large = repeat("tracing: {opentelemetry: {environment: &a \"", "x", 1000 * 1000,
                         "\"}}\nservices: {slim/0: {dataplane: {clients: [");
    char *text = repeat(large, "{endpoint: \"http://a:1\", server_name: *a},", 20, "]}}}\n");
    struct slim_config *config = NULL;
    struct slim_config_error error;
    CHECK(slim_config_parse(slim_view_str(text), "f", &config, &error) == SLIM_ERR_CONFIG);
    CHECK_ROW(error.cause[0],
              strcmp(error.cause[0], "more than 16777216 bytes of text, each alias counted") == 0);
    slim_config_free(config);
    free(text);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_that_are_no_configuration),
        cmocka_unit_test(providers_that_have_nothing),
        cmocka_unit_test(settings_of_the_wrong_type),
        cmocka_unit_test(services_that_make_no_sense),
        cmocka_unit_test(servers_that_make_no_sense),
        cmocka_unit_test(clients_that_make_no_sense),
        cmocka_unit_test(what_is_legal_but_not_there_is_refused_by_name),
        cmocka_unit_test(documents_are_bounded),
        cmocka_unit_test(aliases_cannot_blow_a_document_up),
        cmocka_unit_test(texts_that_aliases_repeat_are_bounded),
    };
    return cmocka_run_group_tests_name("refused", tests, NULL, NULL);
}
