#include "io/proxy.h"

#include <stdlib.h>

#include "support/check.h"

static void answers_are_read_whole_and_in_any_parts(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *bytes;
        enum slim_status want;
        size_t used;
        const char *text;
    } rows[] = {
        {"open", "HTTP/1.1 200 Connection established\r\n\r\n", SLIM_OK, 39, ""},
        {"any 2xx", "HTTP/1.1 204\r\n\r\n", SLIM_OK, 16, ""},
        {"1.0, bare line ends, headers", "HTTP/1.0 200 OK\nVia: a\nX: \n\n", SLIM_OK, 28, ""},
        {"bytes behind it stay", "HTTP/1.1 200 OK\r\n\r\n\x16\x03\x01", SLIM_OK, 19, ""},
        {"interim answers are passed over", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
         SLIM_OK, 44, ""},
        {"not complete", "HTTP/1.1 200 OK\r\nVia: x\r\n", SLIM_AGAIN, 0, ""},
        {"nothing yet", "", SLIM_AGAIN, 0, ""},
        {"half a word", "HTT", SLIM_AGAIN, 0, ""},
        {"credentials wanted", "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
         SLIM_ERR_DENIED, 0, "the proxy refused: HTTP/1.1 407 Proxy Authentication Required"},
        {"told without waiting for the rest", "HTTP/1.1 403 Forbidden\r\nA: b", SLIM_ERR_DENIED, 0,
         "the proxy refused: HTTP/1.1 403 Forbidden"},
        {"a redirect is no tunnel", "HTTP/1.1 302 Found\r\n\r\n", SLIM_ERR_DENIED, 0,
         "the proxy refused: HTTP/1.1 302 Found"},
        {"an upgrade is no tunnel", "HTTP/1.1 101 Switching\r\n\r\n", SLIM_ERR_DENIED, 0,
         "the proxy refused: HTTP/1.1 101 Switching"},
        {"may work later", "HTTP/1.1 503 Down\r\n\r\n", SLIM_ERR_CONNECT, 0,
         "the proxy refused: HTTP/1.1 503 Down"},
        {"what cannot be printed", "HTTP/1.1 400 a\x1b[31m\x80\r\n\r\n", SLIM_ERR_DENIED, 0,
         "the proxy refused: HTTP/1.1 400 a?[31m?"},
        {"another protocol", "SSH-2.0-x\r\n", SLIM_ERR_MALFORMED, 0,
         "the proxy does not speak HTTP/1"},
        {"HTTP/2", "HTTP/2 200\r\n\r\n", SLIM_ERR_MALFORMED, 0, "the proxy does not speak HTTP/1"},
        {"no code", "HTTP/1.1 OK\r\n\r\n", SLIM_ERR_MALFORMED, 0,
         "the proxy does not speak HTTP/1"},
        {"code of four digits", "HTTP/1.1 2000 OK\r\n\r\n", SLIM_ERR_MALFORMED, 0,
         "the proxy does not speak HTTP/1"},
        {"code below 100", "HTTP/1.1 020 OK\r\n\r\n", SLIM_ERR_MALFORMED, 0,
         "the proxy does not speak HTTP/1"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_view bytes = slim_view_str(rows[i].bytes);
        for (size_t len = 0; len <= bytes.len; len++) {
            size_t used = 0;
            struct slim_error error = {0};
            enum slim_status status =
                slim_proxy_read_answer(slim_view_of(bytes.data, len), &used, &error);
            bool is_whole = len == bytes.len;
            CHECK_ROW(rows[i].why, status == rows[i].want || (status == SLIM_AGAIN && !is_whole));
            CHECK_ROW(rows[i].why, status != SLIM_OK || used == rows[i].used);
            if (is_whole && strcmp(error.text, rows[i].text) != 0) {
                fail_msg("%s: %s", rows[i].why, error.text);
            }
        }
    }
}

static void an_answer_without_end_is_given_up(void **state)
{
    (void)state;
    char *bytes = malloc(SLIM_PROXY_ANSWER_BYTES_MAX);
    memset(bytes, 'a', SLIM_PROXY_ANSWER_BYTES_MAX);
    memcpy(bytes, "HTTP/1.1 200 OK\r\nX: ", 20);
    size_t used;
    struct slim_error error;
    CHECK(slim_proxy_read_answer(slim_view_of(bytes, SLIM_PROXY_ANSWER_BYTES_MAX - 1), &used,
                                 &error) == SLIM_AGAIN);
    CHECK(slim_proxy_read_answer(slim_view_of(bytes, SLIM_PROXY_ANSWER_BYTES_MAX), &used, &error) ==
          SLIM_ERR_LIMIT);
    free(bytes);
}

static void urls_give_host_port_and_credentials(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        const char *scheme;
        const char *host;
        const char *port;
        const char *user_pass;
    } rows[] = {
        {"http://proxy:3128", "http", "proxy", "3128", ""},
        {"proxy:3128", "http", "proxy", "3128", ""},
        {"http://proxy/", "http", "proxy", "80", ""},
        {"https://proxy", "https", "proxy", "443", ""},
        {"http://[::1]:8080", "http", "::1", "8080", ""},
        {"http://u:p@proxy:1", "http", "proxy", "1", "u:p"},
        {"http://u%40x:p%3A%25@proxy:1", "http", "proxy", "1", "u@x:p:%"},
        {"http://u:p@q@proxy:1", "http", "proxy", "1", "u:p@q"},
        {"http://u@proxy:1", "http", "proxy", "1", "u:"},
        {"http://u:50%@proxy:1", "http", "proxy", "1", "u:50%"},
        {"socks5://proxy:1", NULL, NULL, NULL, NULL},
        {"http://", NULL, NULL, NULL, NULL},
        {"http://u:p@", NULL, NULL, NULL, NULL},
        {"http://proxy:0x", NULL, NULL, NULL, NULL},
        {"", NULL, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_endpoint endpoint;
        struct slim_buf user_pass = {0};
        struct slim_error error = {0};
        enum slim_status status =
            slim_proxy_parse(slim_view_str(rows[i].url), &endpoint, &user_pass, &error);
        CHECK_ROW(rows[i].url, (status == SLIM_OK) == (rows[i].scheme != NULL));
        if (status != SLIM_OK) {
            CHECK_ROW(rows[i].url, status == SLIM_ERR_CONFIG && error.text[0] != '\0');
            CHECK_ROW("the password is not repeated", strstr(error.text, "u:p") == NULL);
        } else {
            CHECK_ROW(rows[i].url, strcmp(endpoint.scheme, rows[i].scheme) == 0 &&
                                       strcmp(endpoint.host, rows[i].host) == 0 &&
                                       strcmp(endpoint.port, rows[i].port) == 0);
            CHECK_ROW(rows[i].url, slim_view_is_equal(slim_buf_view(&user_pass),
                                                      slim_view_str(rows[i].user_pass)));
        }
        slim_buf_fini(&user_pass);
    }
}

static void hosts_are_exempt_by_name_address_and_network(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        const char *host;
        bool is_exempt;
    } rows[] = {
        {"", "a.test", false},
        {"*", "a.test", true},
        {"a.test", "a.test", true},
        {"a.test", "A.TEST", true},
        {"a.test", "b.a.test", true},
        {".a.test", "b.a.test", true},
        {".a.test", "a.test", true},
        {"a.test", "ba.test", false},
        {"a.test", "test", false},
        {"b.test , a.test", "a.test", true},
        {",,b.test,", "a.test", false},
        {".", "a.test", false},
        {"127.0.0.1", "127.0.0.1", true},
        {"127.0.0.1", "127.0.0.10", false},
        {"10.0.0.0/8", "10.255.0.1", true},
        {"10.0.0.0/8", "11.0.0.1", false},
        {"10.0.0.0/9", "10.128.0.1", false},
        {"0.0.0.0/0", "10.128.0.1", true},
        {"10.0.0.0/33", "10.0.0.0", false},
        {"10.0.0.0/", "10.0.0.0", false},
        {"10.0.0.0/8x", "10.0.0.0", false},
        {"10.0.0.0/99999999999999999999", "10.0.0.0", false},
        {"::1", "::1", true},
        {"fd00::/8", "fd12::1", true},
        {"fd00::/8", "fe12::1", false},
        {"10.0.0.0/8", "::1", false},
        {"0.1", "10.0.0.1", false},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        bool is_exempt = slim_proxy_is_exempt(slim_view_str(rows[i].list), rows[i].host);
        if (is_exempt != rows[i].is_exempt) {
            fail_msg("%s for %s", rows[i].list, rows[i].host);
        }
    }
}

static void the_environment_names_proxies_by_scheme(void **state)
{
    (void)state;
    static const char *const names[] = {"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy",
                                        "ALL_PROXY",   "all_proxy",   "NO_PROXY",   "no_proxy"};
    static const struct {
        const char *why;
        const char *values[SLIM_COUNT(names)];
        const char *secure;
        const char *plain;
    } rows[] = {
        {"none", {0}, NULL, NULL},
        {"by scheme", {"s", NULL, "p"}, "s", "p"},
        {"lower case", {NULL, "s", NULL, "p"}, "s", "p"},
        {"upper case first", {"S", "s", "P", "p"}, "S", "P"},
        {"for all", {NULL, NULL, NULL, NULL, "a"}, "a", "a"},
        {"an empty one is none", {"", NULL, NULL, NULL, "a"}, "a", "a"},
        {"exempt", {"s", NULL, "p", NULL, NULL, NULL, "host"}, NULL, NULL},
        {"exempt, lower case", {"s", NULL, "p", NULL, NULL, NULL, NULL, "host"}, NULL, NULL},
    };
    struct slim_endpoint secure;
    struct slim_endpoint plain;
    struct slim_endpoint local;
    CHECK_OK(slim_endpoint_parse(SLIM_VIEW("https://host:1"), &secure, NULL));
    CHECK_OK(slim_endpoint_parse(SLIM_VIEW("http://host:1"), &plain, NULL));
    CHECK_OK(slim_endpoint_parse(SLIM_VIEW("unix:///tmp/x"), &local, NULL));
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        for (size_t k = 0; k < SLIM_COUNT(names); k++) {
            const char *value = rows[i].values[k];
            CHECK((value == NULL ? unsetenv(names[k]) : setenv(names[k], value, 1)) == 0);
        }
        const char *found = slim_proxy_of_environment(&secure);
        CHECK_ROW(rows[i].why,
                  slim_view_is_equal(slim_view_str(found), slim_view_str(rows[i].secure)));
        found = slim_proxy_of_environment(&plain);
        CHECK_ROW(rows[i].why,
                  slim_view_is_equal(slim_view_str(found), slim_view_str(rows[i].plain)));
        CHECK_ROW("never for Unix sockets", slim_proxy_of_environment(&local) == NULL);
    }
}

static void requests_name_the_target_and_smuggle_nothing(void **state)
{
    (void)state;
    struct slim_endpoint target;
    struct slim_buf out = {0};
    CHECK_OK(slim_endpoint_parse(SLIM_VIEW("https://host.test"), &target, NULL));
    CHECK_OK(slim_proxy_put_request(&out, &target, (struct slim_view){0}, NULL, 0));
    CHECK_VIEW(slim_buf_view(&out),
               "CONNECT host.test:443 HTTP/1.1\r\nHost: host.test:443\r\n\r\n");
    slim_buf_clear(&out);
    CHECK_OK(slim_endpoint_parse(SLIM_VIEW("http://[::1]:5"), &target, NULL));
    struct slim_proxy_header header = {SLIM_VIEW("X-A"), SLIM_VIEW("b c")};
    CHECK_OK(slim_proxy_put_request(&out, &target, SLIM_VIEW("user:pass"), &header, 1));
    CHECK_VIEW(slim_buf_view(&out), "CONNECT [::1]:5 HTTP/1.1\r\nHost: [::1]:5\r\n"
                                    "Proxy-Authorization: Basic dXNlcjpwYXNz\r\nX-A: b c\r\n\r\n");
    static const struct slim_proxy_header bad[] = {
        {{(const uint8_t *)"X", 1}, {(const uint8_t *)"a\r\nB: c", 7}},
        {{(const uint8_t *)"X\n", 2}, {(const uint8_t *)"a", 1}},
        {{(const uint8_t *)"", 0}, {(const uint8_t *)"a", 1}},
    };
    for (size_t i = 0; i < SLIM_COUNT(bad); i++) {
        slim_buf_clear(&out);
        CHECK(slim_proxy_put_request(&out, &target, (struct slim_view){0}, &bad[i], 1) ==
              SLIM_ERR_CONFIG);
    }
    slim_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_read_whole_and_in_any_parts),
        cmocka_unit_test(an_answer_without_end_is_given_up),
        cmocka_unit_test(urls_give_host_port_and_credentials),
        cmocka_unit_test(hosts_are_exempt_by_name_address_and_network),
        cmocka_unit_test(the_environment_names_proxies_by_scheme),
        cmocka_unit_test(requests_name_the_target_and_smuggle_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
