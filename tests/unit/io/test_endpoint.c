#include "io/endpoint.h"

#include "support/check.h"

static void server_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *text;
        enum slim_status want;
        const char *formatted; /* or the error */
    } rows[] = {
        {"the tutorial's", "0.0.0.0:46357", SLIM_OK, "0.0.0.0:46357"},
        {"IPv6 in brackets", "[::]:46357", SLIM_OK, "[::]:46357"},
        {"largest port", "127.0.0.1:65535", SLIM_OK, "127.0.0.1:65535"},
        {"port too large", "127.0.0.1:65536", SLIM_ERR_CONFIG, "invalid socket address syntax"},
        {"six digits", "127.0.0.1:123456", SLIM_ERR_CONFIG, "invalid socket address syntax"},
        {"a host name is not numeric", "localhost:1", SLIM_ERR_CONFIG,
         "invalid socket address syntax"},
        {"no port", "127.0.0.1", SLIM_ERR_CONFIG, "invalid socket address syntax"},
        {"empty port", "127.0.0.1:", SLIM_ERR_CONFIG, "invalid socket address syntax"},
        {"signed port", "127.0.0.1:+1", SLIM_ERR_CONFIG, "invalid socket address syntax"},
        {"nothing", "", SLIM_ERR_CONFIG, "missing grpc endpoint"},
        {"unix socket", "unix:///tmp/s.sock", SLIM_OK, "unix:/tmp/s.sock"},
        {"query is cut off", "unix:///tmp/s.sock?x=1#y", SLIM_OK, "unix:/tmp/s.sock"},
        {"relative unix path", "unix://s.sock", SLIM_ERR_CONFIG,
         "unix socket path must start with / and have at most 107 bytes"},
        {"unix path too long",
         "unix:///"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaa",
         SLIM_ERR_CONFIG, "unix socket path must start with / and have at most 107 bytes"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_address address;
        struct slim_error error = {0};
        CHECK_ROW(rows[i].why, slim_address_parse(slim_view_str(rows[i].text), &address, &error) ==
                                   rows[i].want);
        char text[160] = "";
        if (rows[i].want == SLIM_OK) {
            slim_address_format(&address, text, sizeof(text));
        }
        CHECK_ROW(rows[i].why,
                  strcmp(rows[i].want == SLIM_OK ? text : error.text, rows[i].formatted) == 0);
    }
}

static void client_endpoints(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *text;
        enum slim_status want;
        const char *authority;
        const char *host;
        const char *port;
        const char *path;
    } rows[] = {
        {"the tutorial's", "http://127.0.0.1:46357", SLIM_OK, "127.0.0.1:46357", "127.0.0.1",
         "46357", ""},
        {"default port of http", "http://node", SLIM_OK, "node", "node", "80", ""},
        {"default port of https", "https://node/", SLIM_OK, "node", "node", "443", ""},
        {"path is a prefix", "http://node:1/a/b/", SLIM_OK, "node:1", "node", "1", "/a/b"},
        {"query is cut off", "http://node:1/a?x", SLIM_OK, "node:1", "node", "1", "/a"},
        {"IPv6", "http://[::1]:5", SLIM_OK, "[::1]:5", "::1", "5", ""},
        {"IPv6 without port", "http://[::1]", SLIM_OK, "[::1]", "::1", "80", ""},
        {"unix", "unix:///run/slim", SLIM_OK, "localhost", "", "", ""},
        {"no scheme", "127.0.0.1:46357", SLIM_ERR_CONFIG, NULL, NULL, NULL, NULL},
        {"unknown scheme", "ftp://node", SLIM_ERR_CONFIG, NULL, NULL, NULL, NULL},
        {"no host", "http://", SLIM_ERR_CONFIG, NULL, NULL, NULL, NULL},
        {"only a port", "http://:1", SLIM_ERR_CONFIG, NULL, NULL, NULL, NULL},
        {"bad port", "http://node:x", SLIM_ERR_CONFIG, NULL, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_endpoint endpoint;
        struct slim_error error = {0};
        CHECK_ROW(rows[i].why, slim_endpoint_parse(slim_view_str(rows[i].text), &endpoint,
                                                   &error) == rows[i].want);
        if (rows[i].want != SLIM_OK) {
            CHECK_ROW(rows[i].why, error.text[0] != 0);
            continue;
        }
        CHECK_ROW(rows[i].why, strcmp(endpoint.authority, rows[i].authority) == 0);
        CHECK_ROW(rows[i].why, strcmp(endpoint.host, rows[i].host) == 0);
        CHECK_ROW(rows[i].why, strcmp(endpoint.port, rows[i].port) == 0);
        CHECK_ROW(rows[i].why, strcmp(endpoint.path, rows[i].path) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_addresses),
        cmocka_unit_test(client_endpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
