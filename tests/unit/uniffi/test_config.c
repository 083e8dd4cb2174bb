/* Records as texts of slim.yaml(5): every variant of every union, and what is left out. */
#include <stdlib.h>
#include <string.h>

#include "caller.h"

#define V(literal)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }
static const struct slim_view text_x = V("x");
static const struct slim_view text_quoted = V("a\"b\\c\n\x7f");
static const struct uf_list one_x = {.count = 1, .items = &text_x};
static const struct uf_duration second = {.seconds = 1, .nanoseconds = 500000000};

static const struct uf_spire_config spire = {.socket_path = &text_x};
static const struct uf_spire_config spire_full = {.socket_path = &text_x,
                                                  .target_spiffe_id = &text_x,
                                                  .jwt_audiences = {.count = 1, .items = &text_x},
                                                  .trust_domains = {.count = 1, .items = &text_x}};
static const struct uf_static_jwt_auth static_jwt = {.token_file = V("/dev/null"),
                                                     .duration = {.seconds = 1}};
static const struct uf_message_record data = {.message = V("d")};
static const struct uf_jwt_key_config key_data = {
    .algorithm = 12, .format = 1, .key = {.variant = UF_KEY_DATA, .body = &data}};
static const struct uf_jwt_key_config key_file = {
    .algorithm = 1, .format = 3, .key = {.variant = UF_KEY_FILE, .body = &data}};
static const struct uf_jwt_auth jwt = {.key = {.variant = UF_KEY_ENCODING, .body = &key_data},
                                       .audience = &one_x,
                                       .issuer = &text_x,
                                       .subject = &text_quoted,
                                       .duration = {.seconds = 2}};
static const struct uf_jwt_auth jwt_decoding = {
    .key = {.variant = UF_KEY_DECODING, .body = &key_file}};
static const struct uf_jwt_auth jwt_resolved = {.key = {.variant = UF_KEY_AUTORESOLVE},
                                                .subject = &text_x};
static const struct uf_text_pair_record pair = {.first = V("1"), .second = V("2")};
static const struct uf_text_pair_record no_id = {.first = V(""), .second = V("2")};

#define SPIRE "\"type\":\"spire\",\"socket_path\":\"x\",\"jwt_audiences\":[\"slim\"]"
#define JWT                                                                                        \
    "\"type\":\"jwt\",\"claims\":{\"audience\":[\"x\"],\"issuer\":\"x\",\"subject\":"              \
    "\"a\\\"b\\\\c\\u000a\\u007f\"},\"duration\":\"2000000us\",\"key\":{\"type\":\"encoding\","    \
    "\"algorithm\":\"EdDSA\",\"format\":\"pem\",\"key\":{\"data\":\"d\"}}"

static void identities_become_mappings(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        char *(*text_of)(const struct uf_union *, struct uf_error *);
        struct uf_union identity;
        enum uf_fault fault;
        const char *text;
    } rows[] = {
        {"a secret",
         uf_provider_text,
         {UF_PROVIDER_SECRET, &pair},
         UF_FINE,
         "{\"type\":\"shared_secret\",\"id\":\"1\",\"data\":\"2\"}"},
        {"a secret without an id",
         uf_provider_text,
         {UF_PROVIDER_SECRET, &no_id},
         UF_AUTH_ERROR,
         "token malformed"},
        {"a token in a file",
         uf_provider_text,
         {UF_PROVIDER_STATIC_JWT, &static_jwt},
         UF_FINE,
         "{\"type\":\"static_jwt\",\"file\":\"/dev/null\",\"duration\":\"1000000us\"}"},
        {"signed here", uf_provider_text, {UF_PROVIDER_JWT, &jwt}, UF_FINE, "{" JWT "}"},
        {"without a subject",
         uf_provider_text,
         {UF_PROVIDER_JWT, &jwt_decoding},
         UF_AUTH_ERROR,
         "token invalid: missing subject claim"},
        {"keys found by themselves",
         uf_provider_text,
         {UF_PROVIDER_JWT, &jwt_resolved},
         UF_FINE,
         "{\"type\":\"jwt\",\"claims\":{\"subject\":\"x\"},\"duration\":\"0us\",\"key\":"
         "{\"type\":\"autoresolve\"}}"},
        {"SPIFFE", uf_provider_text, {UF_PROVIDER_SPIRE, &spire}, UF_FINE, "{" SPIRE "}"},
        {"all of SPIFFE",
         uf_provider_text,
         {UF_PROVIDER_SPIRE, &spire_full},
         UF_FINE,
         "{\"type\":\"spire\",\"socket_path\":\"x\",\"target_spiffe_id\":\"x\",\"jwt_audiences\":["
         "\"x\"],"
         "\"trust_domains\":[\"x\"]}"},
        {"none",
         uf_provider_text,
         {UF_PROVIDER_NONE, NULL},
         UF_INVALID_ARGUMENT,
         "Cannot create AuthProvider from None variant"},
        {"a secret to check",
         uf_verifier_text,
         {UF_VERIFIER_SECRET, &no_id},
         UF_FINE,
         "{\"type\":\"shared_secret\",\"id\":\"verifier\",\"data\":\"2\"}"},
        {"tokens to check",
         uf_verifier_text,
         {UF_VERIFIER_JWT, &jwt_decoding},
         UF_FINE,
         "{\"type\":\"jwt\",\"duration\":\"0us\",\"key\":{\"type\":\"decoding\",\"algorithm\":"
         "\"HS256\","
         "\"format\":\"jwks\",\"key\":{\"file\":\"d\"}}}"},
        {"SPIFFE to check", uf_verifier_text, {UF_VERIFIER_SPIRE, &spire}, UF_FINE, "{" SPIRE "}"},
        {"nothing to check",
         uf_verifier_text,
         {UF_VERIFIER_NONE, NULL},
         UF_INVALID_ARGUMENT,
         "Cannot create AuthVerifier from None variant"},
    };
    for (size_t i = 0; i < UF_COUNT(rows); i++) {
        struct uf_error error = {.fault = UF_FINE};
        char *text = rows[i].text_of(&rows[i].identity, &error);
        CHECK_ROW(rows[i].why, error.fault == rows[i].fault);
        CHECK_ROW(rows[i].why, strcmp(text == NULL ? error.text : text, rows[i].text) == 0);
        free(text);
    }
}

static void expect_parts(char *text, const char *const *parts, size_t count)
{
    assert_non_null(text);
    for (size_t i = 0; i < count; i++) {
        CHECK_ROW(parts[i], strstr(text, parts[i]) != NULL);
    }
    free(text);
}

static struct uf_client_config plain_client(void)
{
    static const struct uf_fixed_interval_backoff fixed = {.interval = {.seconds = 3},
                                                           .max_attempts = UINT64_MAX};
    return (struct uf_client_config){.endpoint = V("http://a:1"),
                                     .tls = {.insecure = true,
                                             .source = {.variant = UF_TLS_NONE},
                                             .ca_source = {.variant = UF_CA_NONE},
                                             .tls_version = V("tls1.3")},
                                     .proxy = {.tls = {.source = {.variant = UF_TLS_NONE},
                                                       .ca_source = {.variant = UF_CA_NONE}}},
                                     .auth = {.variant = UF_CLIENT_NONE},
                                     .backoff = {.variant = UF_BACKOFF_FIXED, .body = &fixed}};
}

static void a_plain_link_says_no_more_than_it_must(void **state)
{
    (void)state;
    struct uf_error error = {.fault = UF_FINE};
    struct uf_client_config config = plain_client();
    static const struct slim_view no_json = V("not JSON");
    config.metadata = &no_json;
    static const char *const whole[] = {
        "{\"endpoint\":\"http://a:1\",\"tls\":{\"insecure\":true,\"insecure_skip_verify\":false,"
        "\"include_system_ca_certs_pool\":false,\"tls_version\":\"tls1.3\"},\"connect_timeout\":"
        "\"0us\","
        "\"request_timeout\":\"0us\",\"backoff\":{\"type\":\"fixed_interval\",\"interval\":"
        "\"3000000us\","
        "\"max_attempts\":18446744073709551615}}"};
    char *text = uf_client_text(&config, &error);
    CHECK(text != NULL && strlen(text) == strlen(whole[0]));
    expect_parts(text, whole, 1);
    config.endpoint = uf_view("http://a b");
    CHECK(uf_client_text(&config, &error) == NULL);
    CHECK(strstr(error.text, "-> URI parse error\n  -> invalid uri character") != NULL);
    error.fault = UF_FINE;
    config.endpoint.len = 0;
    CHECK(uf_client_text(&config, &error) == NULL);
    CHECK(error.fault == UF_SERVICE_ERROR && strstr(error.text, "missing grpc endpoint") != NULL);
}

static void a_link_with_everything_says_it(void **state)
{
    (void)state;
    static const uint32_t lz4 = 6;
    static const uint64_t bytes = 4096;
    static const struct slim_pair header = {V("h"), V("v")};
    static const struct uf_list headers = {.count = 1, .items = &header};
    static const struct uf_keepalive_config keepalive = {.tcp_keepalive = {.seconds = 1},
                                                         .keep_alive_while_idle = true};
    static const struct uf_exponential_backoff growing = {
        .base = {.seconds = 1, .nanoseconds = 500000000},
        .factor = 2,
        .max_delay = {.seconds = 9},
        .max_attempts = 5,
        .jitter = true};
    static const struct slim_view json = V("{\"a\": [1, null]}");
    struct uf_error error = {.fault = UF_FINE};
    struct uf_client_config config = plain_client();
    config.origin = config.server_name = config.rate_limit = &text_x;
    config.compression = &lz4;
    config.tls.source = (struct uf_union){UF_TLS_PEM, &pair};
    config.tls.ca_source = (struct uf_union){UF_CA_SPIRE, &spire};
    config.keepalive = &keepalive;
    config.proxy.url = config.proxy.username = config.proxy.password = &text_x;
    config.proxy.headers = config.headers = headers;
    config.proxy.tls.ca_source = (struct uf_union){UF_CA_PEM, &data};
    config.connect_timeout = second;
    config.buffer_size = &bytes;
    config.auth = (struct uf_union){UF_CLIENT_JWT, &jwt};
    config.backoff = (struct uf_union){UF_BACKOFF_EXPONENTIAL, &growing};
    config.metadata = &json;
    static const char *const parts[] = {
        "\"origin\":\"x\",\"server_name\":\"x\",\"compression\":\"Lz4\",\"rate_limit\":\"x\"",
        "\"source\":{\"type\":\"pem\",\"cert\":\"1\",\"key\":\"2\"},\"ca_source\":{" SPIRE "}",
        "\"keepalive\":{\"tcp_keepalive\":\"1000000us\",\"http2_keepalive\":\"0us\",\"timeout\":"
        "\"0us\","
        "\"keep_alive_while_idle\":true}",
        "\"proxy\":{\"url\":\"x\",\"username\":\"x\",\"password\":\"x\",\"headers\":{\"h\":\"v\"},"
        "\"tls\":{",
        "\"ca_source\":{\"type\":\"pem\",\"data\":\"d\"}",
        "\"connect_timeout\":\"1500000us\"",
        "\"buffer_size\":4096,\"headers\":{\"h\":\"v\"},\"auth\":{" JWT "}",
        "\"backoff\":{\"type\":\"exponential\",\"base\":1500,\"factor\":2,\"max_delay\":"
        "\"9000000us\","
        "\"max_attempts\":5,\"jitter\":true}",
        "\"metadata\":{\"a\": [1, null]}}"};
    expect_parts(uf_client_text(&config, &error), parts, UF_COUNT(parts));
    static const struct uf_basic_auth basic = {.username = V("u"), .password = V("p")};
    config.auth = (struct uf_union){UF_CLIENT_BASIC, &basic};
    static const char *const with_basic[] = {
        "\"auth\":{\"type\":\"basic\",\"username\":\"u\",\"password\":\"p\"}"};
    expect_parts(uf_client_text(&config, &error), with_basic, 1);
    config.auth = (struct uf_union){UF_CLIENT_STATIC_JWT, &static_jwt};
    static const char *const with_static[] = {
        "\"auth\":{\"type\":\"static_jwt\",\"file\":\"/dev/null\""};
    expect_parts(uf_client_text(&config, &error), with_static, 1);
}

static void a_server_with_everything_says_it(void **state)
{
    (void)state;
    static const uint32_t four = 4;
    static const uint64_t bytes = 4096;
    static const struct uf_basic_auth basic = {.username = V("u"), .password = V("p")};
    struct uf_error error = {.fault = UF_FINE};
    struct uf_server_config config = {.endpoint = V("a:1"),
                                      .tls = {.source = {UF_TLS_FILE, &pair},
                                              .client_ca = {UF_CA_FILE, &data},
                                              .tls_version = V("tls1.2"),
                                              .reload_client_ca_file = true},
                                      .http2_only = true,
                                      .max_frame_size = &four,
                                      .max_concurrent_streams = &four,
                                      .max_header_list_size = &four,
                                      .read_buffer_size = &bytes,
                                      .write_buffer_size = &bytes,
                                      .keepalive = {.max_connection_idle = second},
                                      .auth = {UF_SERVER_JWT, &jwt}};
    static const char *const parts[] = {
        "{\"endpoint\":\"a:1\",\"tls\":{\"insecure\":false,\"source\":{\"type\":\"file\",\"cert\":"
        "\"1\","
        "\"key\":\"2\"},\"client_ca\":{\"type\":\"file\",\"path\":\"d\"}",
        "\"tls_version\":\"tls1.2\",\"reload_client_ca_file\":true},\"http2_only\":true",
        "\"max_frame_size\":4,\"max_concurrent_streams\":4,\"max_header_list_size\":4",
        "\"read_buffer_size\":4096,\"write_buffer_size\":4096",
        "\"keepalive\":{\"max_connection_idle\":\"1500000us\",\"max_connection_age\":\"0us\","
        "\"max_connection_age_grace\":\"0us\",\"time\":\"0us\",\"timeout\":\"0us\"},\"auth\":{" JWT
        "}}"};
    expect_parts(uf_server_text(&config, &error), parts, UF_COUNT(parts));
    config.auth = (struct uf_union){UF_SERVER_BASIC, &basic};
    config.tls.source = (struct uf_union){UF_TLS_SPIRE, &spire};
    config.tls.client_ca = (struct uf_union){UF_CA_NONE, NULL};
    config.max_frame_size = NULL;
    static const char *const fewer[] = {
        "\"source\":{" SPIRE "},\"include_system_ca_certs_pool\":false",
        "\"http2_only\":true,\"max_concurrent_streams\":4",
        "\"auth\":{\"type\":\"basic\",\"username\":\"u\",\"password\":\"p\"}}"};
    expect_parts(uf_server_text(&config, &error), fewer, UF_COUNT(fewer));
}

/* The library reads what we write: whatever is wrong then is not the form. */
static void expect_understood(struct slim_op *op, char *text)
{
    struct slim_error error = {.status = SLIM_OK};
    if (slim_op_wait(op, slim_in_ms(100), &error) == SLIM_AGAIN) {
        error.text[0] = '\0'; /* it goes on: the text was understood */
    }
    if (strstr(error.text, "parse error") != NULL) {
        print_error("%s\n", error.text);
    }
    CHECK_ROW(text, strstr(error.text, "parse error") == NULL);
    slim_op_unref(op);
    free(text);
}

static void the_library_understands_all_of_it(void **state)
{
    (void)state;
    struct slim_service *service;
    struct slim_error why;
    struct uf_error error = {.fault = UF_FINE};
    CHECK_OK(slim_service_new("texts", NULL, &service, &why));
    static const struct uf_basic_auth basic = {.username = V("u"), .password = V("p")};
    static const struct slim_view url = V("http://127.0.0.1:1");
    const struct uf_union auths[] = {{UF_CLIENT_BASIC, &basic},
                                     {UF_CLIENT_STATIC_JWT, &static_jwt},
                                     {UF_CLIENT_JWT, &jwt},
                                     {UF_CLIENT_NONE, NULL}};
    const struct uf_union sources[] = {{UF_TLS_PEM, &pair},
                                       {UF_TLS_FILE, &pair},
                                       {UF_TLS_SPIRE, &spire_full},
                                       {UF_TLS_NONE, NULL}};
    const struct uf_union authorities[] = {
        {UF_CA_FILE, &data}, {UF_CA_PEM, &data}, {UF_CA_SPIRE, &spire_full}, {UF_CA_NONE, NULL}};
    for (size_t i = 0; i < UF_COUNT(auths); i++) {
        struct uf_client_config config = plain_client();
        config.tls.source = sources[i];
        config.tls.ca_source = authorities[i];
        config.auth = auths[i];
        config.proxy.url = i == 0 ? &url : NULL;
        config.proxy.tls.tls_version = config.tls.tls_version;
        char *text = uf_client_text(&config, &error);
        assert_non_null(text);
        expect_understood(slim_service_connect(service, text, NULL), text);
        struct uf_server_config server = {
            .endpoint = V("127.0.0.1:0"),
            .tls = {.source = sources[i], .client_ca = authorities[i], .tls_version = V("tls1.3")},
            .http2_only = true,
            .keepalive = {.max_connection_idle = second,
                          .max_connection_age = second,
                          .max_connection_age_grace = second,
                          .time = second,
                          .timeout = second},
            .auth = {i < 2 ? (uint32_t)(i + 1) : UF_SERVER_NONE, i == 0 ? (const void *)&basic
                                                                 : i == 1
                                                                     ? (const void *)&jwt_decoding
                                                                     : NULL}};
        text = uf_server_text(&server, &error);
        assert_non_null(text);
        expect_understood(slim_service_run_server(service, text, NULL), text);
    }
    slim_service_unref(service);
}

static void a_token_that_is_not_there_has_the_text_of_the_reference(void **state)
{
    (void)state;
    static const struct uf_static_jwt_auth absent = {.token_file = V("/nowhere/at/all")};
    struct uf_error error = {.fault = UF_FINE};
    const struct uf_union identity = {UF_PROVIDER_STATIC_JWT, &absent};
    CHECK(uf_provider_text(&identity, &error) == NULL && error.fault == UF_PANIC);
    CHECK(strcmp(error.text, "error reading token file: Os { code: 2, kind: NotFound, message: "
                             "\"No such file or directory\" }") == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identities_become_mappings),
        cmocka_unit_test(a_plain_link_says_no_more_than_it_must),
        cmocka_unit_test(a_link_with_everything_says_it),
        cmocka_unit_test(a_server_with_everything_says_it),
        cmocka_unit_test(the_library_understands_all_of_it),
        cmocka_unit_test(a_token_that_is_not_there_has_the_text_of_the_reference),
    };
    return cmocka_run_group_tests_name("uniffi_config", tests, NULL, NULL);
}
