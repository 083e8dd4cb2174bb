/* src/auth as a program, for tests/interop: one JSON command per line on standard input, one JSON answer per line out.
 *
 *   {"op":"sign", "alg", "key", "sub", "iss", "aud":[..], "custom", "pubkey":base64, "duration", "now"}       -> {"token"}
 *   {"op":"secret", "id", "secret", "pubkey", "now"}                                                          -> {"token","id","app_id"}
 *   {"op":"open", "kind":"jwt"|"secret"|"resolver"|"spiffe", "alg", "format", "key", "iss":[..], "aud":[..], "sub", "lenient"}
 *   {"op":"reload", "key"}
 *   {"op":"verify", "token", "now"}                                              -> {"check", "sub", "pubkey", "cached"}
 *   {"op":"fetcher", "iss":[..], "jwks_uri"}   {"op":"oidc", "iss", "client_id", "client_secret", "scope"}
 *   {"op":"tick", "now"}   {"op":"answer", "id", "http", "body", "now"}          -> {"status", "fetches":[..]}
 *   {"op":"token", "pubkey", "now"}                                              -> the oidc or spiffe provider's token
 *   {"op":"agent", "path", "aud":[..], "x509"}                                   connects to a Workload API
 *   {"op":"wait", "ms"}                                                          runs the connection; -> {"events":[..]}
 *   {"op":"link", "username", "password"}   without a user name: of the open verifier, which it takes over
 *   {"op":"admit", "value", "now"}   {"op":"header", "username", "password"}     -> {"value"}
 *   {"op":"x509"}   {"op":"roots", "domain"}   {"op":"cert", "der":base64}
 *
 * Every answer has "status" (0: good) and, when there is one, "error". */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "auth/auth.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/crypto_context.h"
#include "base/random.h"

enum { LINE_BYTES_MAX = 1 << 20, LIST_MAX = 16 };

static struct slim_auth_verifier *verifier;
static struct slim_auth_resolver *resolver;
static struct slim_auth_link *admission;
static struct slim_auth_oidc *oidc;
static struct slim_auth_provider *provider;
static struct slim_auth_workload_link *agent;
static struct slim_grpc_conn *conn;
static struct slim_heap *heap;
static struct slim_block_pool *pool;
static int agent_fd = -1;
static struct slim_buf out;   /* the answer under construction */
static struct slim_buf notes; /* fetches or events since the last answer */

/* Out of memory ends this program. */
static void must(enum slim_status status)
{
    if (status != SLIM_OK) {
        (void)fprintf(stderr, "auth_probe: %s\n", slim_status_text(status));
        exit(3);
    }
}

static struct slim_view text_in(const struct slim_json *command, const char *key)
{
    struct slim_view text = {0};
    (void)slim_json_read_text(slim_json_find(command, key), &text); /* missing is empty */
    return text;
}

static uint64_t number_in(const struct slim_json *command, const char *key)
{
    int64_t number = 0;
    (void)slim_json_read_integer(slim_json_find(command, key), &number); /* missing is 0 */
    return (uint64_t)number;
}

static bool flag_in(const struct slim_json *command, const char *key)
{
    bool flag = false;
    (void)slim_json_read_bool(slim_json_find(command, key), &flag); /* missing is false */
    return flag;
}

static size_t list_in(const struct slim_json *command, const char *key,
                      struct slim_view list[static LIST_MAX])
{
    const struct slim_json *array = slim_json_find(command, key);
    size_t count = slim_json_count(array);
    for (size_t i = 0; i < count && i < LIST_MAX; i++) {
        (void)slim_json_read_text(slim_json_at(array, i), &list[i]); /* tests send texts */
    }
    return count < LIST_MAX ? count : LIST_MAX;
}

static const uint8_t *pubkey_in(const struct slim_json *command, uint8_t key[static 32])
{
    size_t len = 0;
    struct slim_view text = text_in(command, "pubkey");
    if (text.len == 0) {
        return NULL;
    }
    must(slim_base64_decode(SLIM_BASE64_STANDARD, text, key, 32, &len));
    return key;
}

static void put_text(struct slim_buf *to, const char *key, struct slim_view text)
{
    must(slim_buf_put_text(to, ",\"%s\":", key));
    must(slim_json_put_text(text, to));
}

static void put_bytes(struct slim_buf *to, const char *key, struct slim_view bytes)
{
    must(slim_buf_put_text(to, ",\"%s\":\"", key));
    must(slim_base64_put(SLIM_BASE64_STANDARD, bytes, to));
    must(slim_buf_put_byte(to, '"'));
}

static void put_status(enum slim_status status, const struct slim_error *error)
{
    must(slim_buf_put_text(&out, "\"status\":%d", (int)status));
    if (status != SLIM_OK && error != NULL && error->text[0] != '\0') {
        put_text(&out, "error", slim_view_str(error->text));
    }
}

static void note(const char *format, ...) SLIM_PRINTF(1, 2);
static void note(const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args); /* short texts of ours */
    va_end(args);
    must(slim_buf_put(&notes, slim_view_str(notes.len > 0 ? "," : "")));
    must(slim_buf_put(&notes, slim_view_str(text)));
}

static void put_notes(const char *key)
{
    must(slim_buf_put_text(&out, ",\"%s\":[", key));
    must(slim_buf_put(&out, slim_buf_view(&notes)));
    must(slim_buf_put_byte(&out, ']'));
    slim_buf_clear(&notes);
}

/* ---- tokens */

static void op_sign(const struct slim_json *command)
{
    struct slim_view audiences[LIST_MAX];
    uint8_t key[32];
    struct slim_auth_jwt_options options = {
        .key = text_in(command, "key"),
        .issuer = text_in(command, "iss"),
        .subject = text_in(command, "sub"),
        .audiences = audiences,
        .audience_count = list_in(command, "aud", audiences),
        .custom_claims = text_in(command, "custom"),
        .duration_s = number_in(command, "duration"),
    };
    struct slim_error error = {0};
    struct slim_auth_provider *signer;
    struct slim_buf token = {0};
    must(slim_auth_alg_parse(text_in(command, "alg"), &options.alg));
    enum slim_status status = slim_auth_provider_new_jwt(&options, &signer, &error);
    if (status == SLIM_OK) {
        status = slim_auth_provider_make(signer, number_in(command, "now"), pubkey_in(command, key),
                                         &token);
        slim_auth_provider_free(signer);
    }
    put_status(status, &error);
    put_text(&out, "token", slim_buf_view(&token));
    slim_buf_fini(&token);
}

static void op_secret(const struct slim_json *command)
{
    struct slim_error error = {0};
    struct slim_auth_provider *maker;
    struct slim_buf token = {0};
    uint8_t key[32];
    enum slim_status status = slim_auth_provider_new_secret(
        text_in(command, "id"), text_in(command, "secret"), slim_random_fill, &maker, &error);
    if (status == SLIM_OK) {
        status = slim_auth_provider_make(maker, number_in(command, "now"), pubkey_in(command, key),
                                         &token);
        put_status(status, &error);
        put_text(&out, "token", slim_buf_view(&token));
        put_text(&out, "id", slim_auth_provider_id(maker));
        must(slim_buf_put_text(&out, ",\"app_id\":\"%016llx\"",
                               (unsigned long long)slim_auth_provider_app_id(maker)));
        slim_auth_provider_free(maker);
    } else {
        put_status(status, &error);
    }
    slim_buf_fini(&token);
}

static enum slim_auth_key_format format_in(const struct slim_json *command)
{
    static const char *const names[] = {"pem", "jwk", "jwks", "bundle"};
    struct slim_view text = text_in(command, "format");
    for (size_t i = 0; i < SLIM_COUNT(names); i++) {
        if (slim_view_is_equal(text, slim_view_str(names[i]))) {
            return (enum slim_auth_key_format)i;
        }
    }
    return SLIM_AUTH_KEY_PEM;
}

static void op_open(const struct slim_json *command)
{
    struct slim_view issuers[LIST_MAX];
    struct slim_view audiences[LIST_MAX];
    struct slim_view kind = text_in(command, "kind");
    struct slim_auth_rules rules = {
        .issuers = issuers,
        .issuer_count = list_in(command, "iss", issuers),
        .audiences = audiences,
        .audience_count = list_in(command, "aud", audiences),
        .subject = text_in(command, "sub"),
        .format = format_in(command),
        .key = text_in(command, "key"),
        .resolver = slim_view_is_equal(kind, SLIM_VIEW("resolver")) ? resolver : NULL,
        .is_lenient = flag_in(command, "lenient"),
    };
    struct slim_error error = {0};
    enum slim_status status;
    if (text_in(command, "alg").len > 0) {
        must(slim_auth_alg_parse(text_in(command, "alg"), &rules.alg));
    }
    slim_auth_verifier_free(verifier);
    verifier = NULL;
    if (slim_view_is_equal(kind, SLIM_VIEW("secret"))) {
        status = slim_auth_verifier_new_secret(rules.key, slim_random_fill, &verifier, &error);
    } else if (slim_view_is_equal(kind, SLIM_VIEW("spiffe"))) {
        status = slim_auth_verifier_new_spiffe(slim_auth_workload_link_client(agent),
                                               slim_random_fill, &verifier);
    } else {
        status = slim_auth_verifier_new_jwt(&rules, slim_random_fill, &verifier, &error);
    }
    put_status(status, &error);
}

static void op_verify(const struct slim_json *command)
{
    struct slim_auth_claims claims = {0};
    struct slim_auth_identity identity = {0};
    enum slim_auth_check check = SLIM_AUTH_CHECK_NONE;
    struct slim_view token = text_in(command, "token");
    uint64_t now_s = number_in(command, "now");
    uint64_t cached = slim_auth_verifier_stats(verifier)->cached_count;
    enum slim_status status = slim_auth_verify(verifier, token, now_s, &check, &identity);
    bool was_cached = slim_auth_verifier_stats(verifier)->cached_count > cached;
    if (status == SLIM_OK) {
        status = slim_auth_read_claims(verifier, token, now_s, &check, &claims);
    }
    put_status(status, NULL);
    must(slim_buf_put_text(&out, ",\"check\":%d,\"cached\":%s", (int)check,
                           was_cached ? "true" : "false"));
    put_text(&out, "why", slim_view_str(slim_auth_check_text(check)));
    put_text(&out, "sub", claims.subject);
    put_text(&out, "pubkey", claims.pubkey);
    if (claims.all != NULL) {
        must(slim_buf_put_text(&out, ",\"claims\":"));
        must(slim_json_put(claims.all, &out));
    }
}

/* ---- fetched keys and tokens */

static void start_fetch(void *ctx, const struct slim_auth_fetch *fetch)
{
    (void)ctx;
    note("{\"id\":%llu", (unsigned long long)fetch->id);
    put_text(&notes, "url", fetch->url);
    put_text(&notes, "authorization", fetch->authorization);
    put_text(&notes, "body", fetch->body);
    must(slim_buf_put_byte(&notes, '}'));
}

static void cancel_fetch(void *ctx, uint64_t id)
{
    (void)ctx;
    (void)id;
}

static const struct slim_auth_fetcher fetcher = {start_fetch, cancel_fetch, NULL};

static void op_fetcher(const struct slim_json *command)
{
    struct slim_view names[LIST_MAX];
    struct slim_auth_issuer issuers[LIST_MAX];
    size_t count = list_in(command, "iss", names);
    for (size_t i = 0; i < count; i++) {
        issuers[i] = (struct slim_auth_issuer){names[i], text_in(command, "jwks_uri")};
    }
    struct slim_error error = {0};
    put_status(slim_auth_resolver_new(issuers, count, &fetcher, &resolver, &error), &error);
}

static void op_oidc(const struct slim_json *command)
{
    struct slim_auth_oidc_options options = {
        .issuer = text_in(command, "iss"),
        .client_id = text_in(command, "client_id"),
        .client_secret = text_in(command, "client_secret"),
        .scope = text_in(command, "scope"),
    };
    struct slim_error error = {0};
    enum slim_status status = slim_auth_oidc_new(&options, &fetcher, &oidc, &error);
    if (status == SLIM_OK) {
        must(slim_auth_provider_new_oidc(oidc, &provider));
    }
    put_status(status, &error);
}

static void op_tick(const struct slim_json *command)
{
    uint64_t now_s = number_in(command, "now");
    uint64_t next_s =
        oidc != NULL ? slim_auth_oidc_tick(oidc, now_s) : slim_auth_resolver_tick(resolver, now_s);
    put_status(SLIM_OK, NULL);
    must(slim_buf_put_text(&out, ",\"next\":%llu", (unsigned long long)next_s));
    put_notes("fetches");
}

static void op_answer(const struct slim_json *command)
{
    struct slim_auth_answer answer = {
        .id = number_in(command, "id"),
        .http_status = (int)number_in(command, "http"),
        .body = text_in(command, "body"),
    };
    uint64_t now_s = number_in(command, "now");
    struct slim_error error = {0};
    enum slim_status status = oidc != NULL
                                  ? slim_auth_oidc_take(oidc, &answer, now_s, &error)
                                  : slim_auth_resolver_take(resolver, &answer, now_s, &error);
    put_status(status, &error);
    put_notes("fetches");
}

static void op_token(const struct slim_json *command)
{
    struct slim_buf token = {0};
    uint8_t key[32];
    enum slim_status status = slim_auth_provider_make(provider, number_in(command, "now"),
                                                      pubkey_in(command, key), &token);
    put_status(status, NULL);
    put_text(&out, "token", slim_buf_view(&token));
    put_text(&out, "id", slim_auth_provider_id(provider));
    slim_buf_fini(&token);
}

/* ---- the Workload API */

static uint64_t wall_s(void)
{
    return slim_clock_wall_us() / 1000000;
}

static void on_change(void *ctx, enum slim_auth_workload_call call)
{
    (void)ctx;
    note("{\"changed\":%d}", (int)call);
}

static void on_problem(void *ctx, enum slim_auth_workload_call call, const char *text)
{
    (void)ctx;
    note("{\"problem\":%d", (int)call);
    put_text(&notes, "text", slim_view_str(text));
    must(slim_buf_put_byte(&notes, '}'));
}

static bool connect_agent(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct slim_grpc_options options = slim_grpc_options_default(false);
    options.scheme = SLIM_VIEW("http");
    options.authority = SLIM_VIEW("localhost");
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s",
                   path); /* a cut one fails below */
    agent_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(agent_fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(agent_fd);
        agent_fd = -1;
        return false;
    }
    must(slim_grpc_conn_new(&options, &slim_auth_workload_handler, agent, heap, pool,
                            slim_clock_ms(), &conn));
    slim_auth_workload_link_attach(agent, conn, slim_clock_ms());
    return true;
}

static void drop_agent(void)
{
    slim_grpc_conn_close(conn, SLIM_GRPC_UNAVAILABLE, SLIM_VIEW("lost"));
    slim_auth_workload_link_detach(agent);
    slim_grpc_conn_free(conn);
    conn = NULL;
    close(agent_fd);
    agent_fd = -1;
    note("{\"lost\":true}");
}

static bool flush_agent(void)
{
    while (slim_grpc_conn_has_output(conn)) {
        struct iovec iov[16];
        size_t count = slim_grpc_conn_output(conn, iov, SLIM_COUNT(iov), 65536);
        if (count == 0) {
            break;
        }
        ssize_t sent = writev(agent_fd, iov, (int)count);
        if (sent <= 0) {
            return false;
        }
        slim_grpc_conn_sent(conn, (size_t)sent);
    }
    return true;
}

static char agent_path[100];

/* Run the connection until something changed or went wrong, or `ms` are over. */
static void op_wait(const struct slim_json *command)
{
    uint64_t end_ms = slim_clock_ms() + number_in(command, "ms");
    while (notes.len == 0 && slim_clock_ms() < end_ms) {
        if (conn == NULL && !connect_agent(agent_path)) {
            (void)usleep(20000); /* cut short by a signal at worst */
            continue;
        }
        uint64_t next_ms = slim_auth_workload_link_tick(agent, slim_clock_ms(), wall_s());
        uint64_t wait_until_ms = next_ms < end_ms ? next_ms : end_ms;
        uint64_t now_ms = slim_clock_ms();
        struct pollfd wanted = {.fd = agent_fd, .events = POLLIN};
        if (!flush_agent()) {
            drop_agent();
            continue;
        }
        int wait_ms = wait_until_ms > now_ms ? (int)(wait_until_ms - now_ms) : 0;
        if (poll(&wanted, 1, wait_ms) <= 0) {
            continue;
        }
        uint8_t bytes[16384];
        ssize_t got = recv(agent_fd, bytes, sizeof(bytes), 0);
        if (got <= 0 || slim_grpc_conn_take(conn, slim_view_of(bytes, (size_t)got),
                                            slim_clock_ms()) != SLIM_OK) {
            drop_agent();
        }
    }
    put_status(SLIM_OK, NULL);
    put_notes("events");
}

static void op_agent(const struct slim_json *command)
{
    struct slim_view audiences[LIST_MAX];
    struct slim_auth_workload_options options = {
        .audiences = audiences,
        .audience_count = list_in(command, "aud", audiences),
        .spiffe_id = text_in(command, "sub"),
        .wants_x509 = flag_in(command, "x509"),
        .wants_jwt = flag_in(command, "jwt"),
    };
    struct slim_view path = text_in(command, "path");
    struct slim_error error = {0};
    (void)snprintf(agent_path, sizeof(agent_path), "%.*s",
                   SLIM_VIEW_ARG(path)); /* short in tests */
    enum slim_status status =
        slim_auth_workload_link_new(&options, on_change, on_problem, NULL, &agent, &error);
    if (status == SLIM_OK) {
        must(slim_auth_provider_new_spiffe(slim_auth_workload_link_client(agent), &provider));
    }
    put_status(status, &error);
}

static void op_x509(void)
{
    struct slim_auth_workload *client = slim_auth_workload_link_client(agent);
    struct slim_auth_x509_svid svid;
    bool has_svid = slim_auth_workload_x509(client, &svid);
    put_status(has_svid ? SLIM_OK : SLIM_AGAIN, NULL);
    if (has_svid) {
        put_text(&out, "id", svid.spiffe_id);
        put_bytes(&out, "chain", svid.chain);
        put_bytes(&out, "key", svid.key);
        put_bytes(&out, "bundle", svid.bundle);
    }
}

static void op_roots(const struct slim_json *command)
{
    put_status(SLIM_OK, NULL);
    put_bytes(&out, "roots",
              slim_auth_workload_roots(slim_auth_workload_link_client(agent),
                                       text_in(command, "domain")));
}

static void op_cert(const struct slim_json *command)
{
    struct slim_buf der = {0};
    struct slim_buf id = {0};
    struct slim_error error = {0};
    must(slim_base64_put_decoded(SLIM_BASE64_STANDARD, text_in(command, "der"), &der));
    put_status(slim_spiffe_cert_id(slim_buf_view(&der), &id, &error), &error);
    put_text(&out, "id", slim_buf_view(&id));
    slim_buf_fini(&der);
    slim_buf_fini(&id);
}

/* ---- links */

static void op_link(const struct slim_json *command)
{
    struct slim_error error = {0};
    struct slim_view username = text_in(command, "username");
    slim_auth_link_free(admission);
    admission = NULL;
    if (username.len > 0) {
        put_status(
            slim_auth_link_new_basic(username, text_in(command, "password"), &admission, &error),
            &error);
        return;
    }
    put_status(slim_auth_link_new_server(verifier, &admission), NULL);
    verifier = NULL; /* the link's now */
}

static void op_admit(const struct slim_json *command)
{
    enum slim_auth_check check = SLIM_AUTH_CHECK_NONE;
    put_status(slim_auth_link_check(admission, text_in(command, "value"), number_in(command, "now"),
                                    &check),
               NULL);
    must(slim_buf_put_text(&out, ",\"check\":%d", (int)check));
}

static void op_header(const struct slim_json *command)
{
    struct slim_auth_link *link;
    struct slim_view value;
    must(slim_auth_link_new_basic(text_in(command, "username"), text_in(command, "password"), &link,
                                  NULL));
    must(slim_auth_link_header(link, 0, &value));
    put_status(SLIM_OK, NULL);
    put_text(&out, "value", value);
    slim_auth_link_free(link);
}

/* ---- commands */

static void run(const struct slim_json *command)
{
    struct slim_error error = {0};
    struct slim_view op = text_in(command, "op");
    static const struct {
        const char *name;
        void (*run)(const struct slim_json *command);
    } ops[] = {
        {"sign", op_sign},       {"secret", op_secret}, {"open", op_open},   {"verify", op_verify},
        {"fetcher", op_fetcher}, {"oidc", op_oidc},     {"tick", op_tick},   {"answer", op_answer},
        {"token", op_token},     {"agent", op_agent},   {"wait", op_wait},   {"roots", op_roots},
        {"cert", op_cert},       {"link", op_link},     {"admit", op_admit}, {"header", op_header},
    };
    slim_buf_clear(&out);
    must(slim_buf_put_byte(&out, '{'));
    bool is_known = false;
    for (size_t i = 0; i < SLIM_COUNT(ops); i++) {
        if (slim_view_is_equal(op, slim_view_str(ops[i].name))) {
            ops[i].run(command);
            is_known = true;
        }
    }
    if (slim_view_is_equal(op, SLIM_VIEW("x509"))) {
        op_x509();
    } else if (slim_view_is_equal(op, SLIM_VIEW("reload"))) {
        put_status(slim_auth_verifier_reload(verifier, text_in(command, "key"), &error), &error);
    } else if (!is_known) {
        put_status(SLIM_ERR_ARGUMENT, NULL);
    }
    must(slim_buf_put(&out, SLIM_VIEW("}\n")));
    (void)fwrite(out.data, 1, out.len, stdout); /* the test notices a missing answer */
    (void)fflush(stdout);
}

int main(void)
{
    static char line[LINE_BYTES_MAX];
    static const struct slim_json_limits limits = {.bytes_max = LINE_BYTES_MAX, .depth_max = 8};
    slim_crypto_context_use_default(); /* so that a test can break OpenSSL by its configuration */
    must(slim_heap_new(1 << 20, &heap));
    must(slim_block_pool_new(1 << 20, &pool));
    while (fgets(line, sizeof(line), stdin) != NULL) {
        struct slim_json *command;
        struct slim_error error = {0};
        if (slim_json_parse(slim_view_str(line), &limits, &command, &error) != SLIM_OK) {
            (void)fprintf(stderr, "auth_probe: %s\n", error.text);
            return 2;
        }
        run(command);
        slim_json_free(command);
    }
    slim_auth_verifier_free(verifier);
    slim_auth_link_free(admission);
    slim_auth_provider_free(provider);
    slim_auth_resolver_free(resolver);
    slim_auth_oidc_free(oidc);
    if (conn != NULL) {
        drop_agent();
    }
    slim_auth_workload_link_free(agent);
    slim_block_pool_free(pool);
    slim_heap_free(heap);
    slim_buf_fini(&out);
    slim_buf_fini(&notes);
    return 0;
}
