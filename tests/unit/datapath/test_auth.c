/* Links that authenticate, between two engines in one loop. Real clients, issuers and agents: tests/interop/test_auth_links.py. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine.h"

static char secret_a[] = "a secret that is long enough for HMAC";
static char secret_b[] = "another one that is long enough as well";

/* Configurations own their texts and are never written to here. */
static char *text(const char *literal)
{
    return (char *)(uintptr_t)literal;
}

struct outcome {
    size_t count;
    enum slim_status status;
    char text[256];
};

static void on_connected(void *ctx, enum slim_status status, uint64_t conn_id, const char *why)
{
    (void)conn_id;
    struct outcome *outcome = ctx;
    outcome->count++;
    outcome->status = status;
    (void)snprintf(outcome->text, sizeof(outcome->text), "%s", why); /* may be cut */
}

struct pair {
    struct slim_loop *loop;
    struct slim_datapath *server;
    struct slim_datapath *client;
    uint16_t port;
    char folder[32];
    char key_path[64];
    struct slim_error error;
};

static void set_up(struct pair *pair)
{
    memset(pair, 0, sizeof(*pair));
    memcpy(pair->folder, "/tmp/slim-auth-XXXXXX", sizeof("/tmp/slim-auth-XXXXXX"));
    CHECK(mkdtemp(pair->folder) != NULL);
    (void)snprintf(pair->key_path, sizeof(pair->key_path), "%s/key", pair->folder); /* fits */
    CHECK_OK(slim_loop_new(&pair->loop));
    pair->server = test_engine_new(pair->loop);
    pair->client = test_engine_new(pair->loop);
    pair->port = test_free_port();
}

static void tear_down(struct pair *pair)
{
    slim_datapath_free(pair->client);
    slim_datapath_free(pair->server);
    slim_loop_free(pair->loop);
    (void)unlink(pair->key_path); /* not every test has one */
    CHECK(rmdir(pair->folder) == 0);
}

static void put_key(const struct pair *pair, const char *key)
{
    char path[80];
    (void)snprintf(path, sizeof(path), "%s.new", pair->key_path); /* fits */
    FILE *file = fopen(path, "w");
    CHECK(file != NULL && fputs(key, file) >= 0 && fclose(file) == 0);
    CHECK(rename(path, pair->key_path) == 0);
}

static enum slim_status listen_with(struct pair *pair, const struct slim_config_auth *auth)
{
    char endpoint[32];
    (void)snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%u", pair->port); /* fits */
    struct slim_config_server config = {.endpoint = endpoint,
                                        .tls = {.is_insecure = true},
                                        .max_frame_bytes = 16384,
                                        .header_list_bytes = 16384,
                                        .auth = *auth};
    pair->error = (struct slim_error){0};
    return slim_datapath_listen(pair->server, &config, &pair->error);
}

static enum slim_status connect_with(struct pair *pair, const struct slim_config_auth *auth,
                                     struct outcome *outcome)
{
    char endpoint[48];
    (void)snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%u", pair->port); /* fits */
    struct slim_config_client config = {
        .endpoint = endpoint,
        .tls = {.is_insecure = true},
        .backoff = {SLIM_CONFIG_BACKOFF_FIXED, .interval_ms = 10, .max_attempts = 3},
        .auth = *auth};
    *outcome = (struct outcome){0};
    pair->error = (struct slim_error){0};
    return slim_datapath_connect(pair->client, &config, on_connected, outcome, &pair->error);
}

/* The status of a link with this authentication. */
static enum slim_status try_link(struct pair *pair, const struct slim_config_auth *auth,
                                 struct outcome *outcome)
{
    CHECK_OK(connect_with(pair, auth, outcome));
    TEST_TURN_UNTIL(pair->loop, outcome->count > 0);
    return outcome->status;
}

static struct slim_config_auth basic(const char *username, const char *password)
{
    return (struct slim_config_auth){
        .kind = SLIM_CONFIG_AUTH_BASIC, .username = text(username), .password = text(password)};
}

/* HS256 with a text or a file. */
static struct slim_config_auth jwt(enum slim_config_jwt_key_kind kind, const char *data,
                                   const char *file)
{
    return (struct slim_config_auth){.kind = SLIM_CONFIG_AUTH_JWT,
                                     .issuer = text("me"),
                                     .jwt_key = {.kind = kind,
                                                 .algorithm = text("HS256"),
                                                 .format = text("pem"),
                                                 .data = text(data),
                                                 .file = text(file)}};
}

static uint64_t refused(const struct pair *pair, enum slim_datapath_refusal refusal)
{
    return slim_datapath_stats(pair->server)->refused_auth_count[refusal];
}

static void a_password_lets_in_and_every_refusal_has_its_counter(void **state)
{
    (void)state;
    struct pair pair;
    set_up(&pair);
    struct slim_config_auth server = basic("user", "pass:word");
    struct slim_config_auth wrong = basic("user", "password");
    struct slim_config_auth none = {.kind = SLIM_CONFIG_AUTH_NONE};
    CHECK_OK(listen_with(&pair, &server));
    struct outcome outcome;
    CHECK(try_link(&pair, &wrong, &outcome) == SLIM_ERR_DENIED);
    assert_string_equal(outcome.text,
                        "status: 'The request does not have valid authentication credentials', "
                        "self: \"wrong user name or password\"");
    CHECK(refused(&pair, SLIM_DATAPATH_REFUSED_PASSWORD) == 1);
    CHECK(try_link(&pair, &none, &outcome) == SLIM_ERR_DENIED);
    CHECK(refused(&pair, SLIM_DATAPATH_REFUSED_MISSING) == 1);
    CHECK(slim_datapath_stats(pair.client)->link_refused_count == 2);
    CHECK(slim_datapath_stats(pair.server)->connections_accepted == 0);
    CHECK(try_link(&pair, &server, &outcome) == SLIM_OK);
    CHECK(slim_datapath_stats(pair.server)->connections_accepted == 1);
    tear_down(&pair);
}

static void a_token_lets_in_and_the_reason_against_it_is_counted(void **state)
{
    (void)state;
    struct pair pair;
    set_up(&pair);
    char *mine[] = {text("aud-1")};
    char *others[] = {text("aud-2")};
    struct slim_config_auth server = jwt(SLIM_CONFIG_JWT_KEY_DECODING, secret_a, NULL);
    struct slim_config_auth good = jwt(SLIM_CONFIG_JWT_KEY_ENCODING, secret_a, NULL);
    server.audiences = (struct slim_config_strings){mine, 1};
    server.subject = text("org/ns/x");
    good.audiences = server.audiences;
    good.subject = server.subject;
    struct slim_config_auth audience = good;
    audience.audiences.items = others;
    struct slim_config_auth issuer = good;
    issuer.issuer = text("somebody");
    struct slim_config_auth subject = good;
    subject.subject = NULL;
    struct slim_config_auth signature = good;
    signature.jwt_key.data = secret_b;
    struct slim_config_auth algorithm = good;
    algorithm.jwt_key.algorithm = text("HS384");
    struct slim_config_auth scheme = basic("user", "password");
    const struct {
        const struct slim_config_auth *auth;
        enum slim_datapath_refusal refusal;
    } rows[] = {
        {&audience, SLIM_DATAPATH_REFUSED_AUDIENCE}, {&issuer, SLIM_DATAPATH_REFUSED_ISSUER},
        {&subject, SLIM_DATAPATH_REFUSED_SUBJECT},   {&signature, SLIM_DATAPATH_REFUSED_SIGNATURE},
        {&algorithm, SLIM_DATAPATH_REFUSED_TOKEN},   {&scheme, SLIM_DATAPATH_REFUSED_MISSING},
    };
    CHECK_OK(listen_with(&pair, &server));
    struct outcome outcome;
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        const char *why = slim_datapath_refusal_text(rows[i].refusal);
        CHECK_ROW(why, try_link(&pair, rows[i].auth, &outcome) == SLIM_ERR_DENIED);
        CHECK_ROW(outcome.text, refused(&pair, rows[i].refusal) == 1);
    }
    CHECK(try_link(&pair, &good, &outcome) == SLIM_OK);
    tear_down(&pair);
}

/* A link that is refused when it comes back tries again, and comes up when the key of the other side follows. */
static void keys_changed_on_both_sides_are_followed(void **state)
{
    (void)state;
    struct pair pair;
    set_up(&pair);
    put_key(&pair, secret_a);
    struct slim_config_auth server = jwt(SLIM_CONFIG_JWT_KEY_DECODING, secret_a, NULL);
    struct slim_config_auth client = jwt(SLIM_CONFIG_JWT_KEY_ENCODING, NULL, pair.key_path);
    CHECK_OK(listen_with(&pair, &server));
    struct outcome outcome;
    CHECK(try_link(&pair, &client, &outcome) == SLIM_OK);
    slim_datapath_free(pair.server);
    pair.server = test_engine_new(pair.loop);
    server.jwt_key.data = secret_b;
    CHECK_OK(listen_with(&pair, &server));
    TEST_TURN_UNTIL(pair.loop, slim_datapath_stats(pair.client)->link_refused_count >= 1);
    put_key(&pair, "too short");
    TEST_TURN_UNTIL(pair.loop, slim_datapath_stats(pair.client)->link_refused_count >= 2);
    put_key(&pair, secret_b);
    TEST_TURN_UNTIL(pair.loop, slim_datapath_stats(pair.client)->reconnect_count == 1);
    CHECK(outcome.count == 1);
    tear_down(&pair);
}

static void a_server_takes_over_a_new_key_and_keeps_the_old_one_otherwise(void **state)
{
    (void)state;
    struct pair pair;
    set_up(&pair);
    put_key(&pair, secret_a);
    struct slim_config_auth server = jwt(SLIM_CONFIG_JWT_KEY_DECODING, NULL, pair.key_path);
    struct slim_config_auth old = jwt(SLIM_CONFIG_JWT_KEY_ENCODING, secret_a, NULL);
    struct slim_config_auth new = jwt(SLIM_CONFIG_JWT_KEY_ENCODING, secret_b, NULL);
    CHECK_OK(listen_with(&pair, &server));
    put_key(&pair, "too short");
    slim_datapath_reload(pair.server); /* at once */
    struct outcome outcome;
    CHECK(try_link(&pair, &new, &outcome) == SLIM_ERR_DENIED);
    put_key(&pair, secret_b);
    slim_datapath_reload(pair.server);
    CHECK(try_link(&pair, &old, &outcome) == SLIM_ERR_DENIED);
    CHECK(try_link(&pair, &new, &outcome) == SLIM_OK);
    tear_down(&pair);
}

static void what_cannot_work_is_refused_with_the_reasons(void **state)
{
    (void)state;
    struct slim_config_auth wrong_way = jwt(SLIM_CONFIG_JWT_KEY_ENCODING, secret_a, NULL);
    struct slim_config_auth no_signer = jwt(SLIM_CONFIG_JWT_KEY_DECODING, secret_a, NULL);
    struct slim_config_auth no_file = jwt(SLIM_CONFIG_JWT_KEY_DECODING, NULL, "/tmp/slim-no-such");
    struct slim_config_auth any_issuer = jwt(SLIM_CONFIG_JWT_KEY_AUTORESOLVE, NULL, NULL);
    struct slim_config_auth no_https = jwt(SLIM_CONFIG_JWT_KEY_AUTORESOLVE, NULL, NULL);
    struct slim_config_auth short_key = jwt(SLIM_CONFIG_JWT_KEY_DECODING, "short", NULL);
    struct slim_config_auth no_token = {.kind = SLIM_CONFIG_AUTH_STATIC_JWT,
                                        .file = text("/tmp/slim-no-such")};
    struct slim_config_auth no_agent = {.kind = SLIM_CONFIG_AUTH_SPIRE,
                                        .spire = {.socket_path = text("tcp://127.0.0.1:1")}};
    struct slim_config_auth no_password = basic("user", "");
    any_issuer.issuer = NULL;
    no_https.issuer = text("http://issuer.test");
    const struct {
        const struct slim_config_auth *auth;
        bool is_server;
        const char *text;
    } rows[] = {
        {&wrong_way, true, "internal auth error\nmissing decoding key or autoresolve is disabled"},
        {&no_signer, false, "internal auth error\nno private key available for signing"},
        {&no_file, true, "/tmp/slim-no-such: No such file or directory (os error 2)"},
        {&no_token, false, "/tmp/slim-no-such: No such file or directory (os error 2)"},
        {&any_issuer, true, "autoresolve needs claims.issuer"},
        {&no_https, true, "issuer and jwks_uri must be https URLs"},
        {&short_key, true, "hmac key is too short"},
        {&no_agent, true, "spire: socket_path must be the path of a Unix socket"},
        {&no_password, false, "password cannot be empty"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct pair pair;
        struct outcome outcome;
        set_up(&pair);
        enum slim_status status = rows[i].is_server ? listen_with(&pair, rows[i].auth)
                                                    : connect_with(&pair, rows[i].auth, &outcome);
        CHECK_ROW(rows[i].text, status == SLIM_ERR_CONFIG);
        CHECK_ROW(pair.error.text, strncmp(pair.error.text, "auth config error\n", 18) == 0);
        CHECK_ROW(pair.error.text, strstr(pair.error.text, rows[i].text) != NULL);
        CHECK(strstr(pair.error.text, secret_a) == NULL);
        tear_down(&pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_lets_in_and_every_refusal_has_its_counter),
        cmocka_unit_test(a_token_lets_in_and_the_reason_against_it_is_counted),
        cmocka_unit_test(keys_changed_on_both_sides_are_followed),
        cmocka_unit_test(a_server_takes_over_a_new_key_and_keeps_the_old_one_otherwise),
        cmocka_unit_test(what_cannot_work_is_refused_with_the_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
