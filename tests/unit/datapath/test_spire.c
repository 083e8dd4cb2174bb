/* The shared connection to a SPIFFE agent, which is a small one of ours here. A real client's view of one: tests/interop. */
#include "datapath/spire.h"

#include <stdlib.h>
#include <unistd.h>

#include "engine.h"
#include "io/listener.h"
#include "io/transport.h"

/* {"alg":"ES256","typ":"JWT","kid":"k"} . {"sub":"spiffe://t.d/x","aud":["slim"],"exp":4102444800} . 64 bytes: nobody here verifies it */
#define TOKEN                                                                                      \
    "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImsifQ."                                          \
    "eyJzdWIiOiJzcGlmZmU6Ly90LmQveCIsImF1ZCI6WyJzbGltIl0sImV4cCI6NDEwMjQ0NDgwMH0."                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

enum { CONNS_MAX = 8 };

struct agent {
    struct slim_loop *loop;
    struct slim_listener *listener;
    char folder[32];
    char path[64];
    struct slim_transport *conns[CONNS_MAX];
    size_t accept_count;
    size_t open_count;
    size_t call_count;
};

static void on_call(void *ctx, struct slim_grpc_call *call, const struct slim_grpc_request *request)
{
    struct agent *agent = ctx;
    agent->call_count++;
    CHECK_VIEW(slim_grpc_request_header(request, SLIM_VIEW("workload.spiffe.io")), "true");
    CHECK_OK(slim_grpc_call_accept(call));
    if (!slim_view_is_equal(request->path, SLIM_VIEW("/SpiffeWorkloadAPI/FetchJWTSVID"))) {
        return; /* a stream that says nothing */
    }
    struct slim_buf svid = {0};
    struct slim_buf message = {0};
    CHECK_OK(slim_wire_put_bytes(&svid, 1, SLIM_VIEW("spiffe://t.d/x")));
    CHECK_OK(slim_wire_put_bytes(&svid, 2, SLIM_VIEW(TOKEN)));
    CHECK_OK(slim_wire_put_bytes(&message, 1, slim_buf_view(&svid)));
    CHECK_OK(slim_grpc_call_put_message(call, slim_buf_view(&message)));
    slim_grpc_call_finish(call, SLIM_GRPC_OK, SLIM_VIEW(""), true);
    slim_buf_fini(&svid);
    slim_buf_fini(&message);
}

static void on_message(void *ctx, struct slim_grpc_call *call, struct slim_view msg,
                       struct slim_block *block)
{
    (void)ctx;
    (void)call;
    (void)msg;
    (void)block;
}

static void on_end(void *ctx, struct slim_grpc_call *call, const struct slim_grpc_end *end)
{
    (void)ctx;
    (void)call;
    (void)end;
}

static void on_closed(void *ctx, enum slim_status status, const char *why)
{
    (void)status;
    (void)why;
    struct agent *agent = ctx;
    agent->open_count--; /* which one does not matter: all are closed together */
}

static void on_accept(void *ctx, int fd, const struct slim_address *peer)
{
    static const struct slim_grpc_handler grpc_handler = {
        .on_call = on_call, .on_message = on_message, .on_end = on_end};
    static const struct slim_transport_handler handler = {.on_closed = on_closed};
    (void)peer;
    struct agent *agent = ctx;
    CHECK(agent->accept_count < CONNS_MAX);
    const struct slim_grpc_options options = slim_grpc_options_default(true);
    CHECK_OK(slim_transport_new(agent->loop, fd, &options, &grpc_handler, agent, &handler, agent,
                                &agent->conns[agent->accept_count]));
    agent->accept_count++;
    agent->open_count++;
}

static void agent_open(struct agent *agent)
{
    char endpoint[96];
    struct slim_address address;
    (void)snprintf(endpoint, sizeof(endpoint), "unix://%s", agent->path); /* fits */
    CHECK_OK(slim_address_parse(slim_view_str(endpoint), &address, NULL));
    CHECK_OK(slim_listener_new(agent->loop, &address, on_accept, agent, &agent->listener, NULL));
}

/* Close the connections that were accepted since `first`. */
static void agent_drop(struct agent *agent, size_t first)
{
    for (size_t i = first; i < agent->accept_count; i++) {
        slim_transport_close(agent->conns[i], SLIM_GRPC_UNAVAILABLE);
    }
    TEST_TURN_UNTIL(agent->loop, agent->open_count == 0);
}

static void set_up(struct agent *agent, struct slim_spires *spires)
{
    *agent = (struct agent){.folder = "/tmp/slim-spire-XXXXXX"};
    CHECK(mkdtemp(agent->folder) != NULL);
    (void)snprintf(agent->path, sizeof(agent->path), "%s/agent.sock", agent->folder); /* fits */
    CHECK_OK(slim_loop_new(&agent->loop));
    slim_spires_init(spires, agent->loop);
}

static void tear_down(struct agent *agent, const struct slim_spires *spires)
{
    CHECK(slim_list_is_empty(&spires->list));
    TEST_TURN_UNTIL(agent->loop, agent->open_count == 0); /* nobody keeps a connection */
    slim_listener_free(agent->listener);
    slim_loop_free(agent->loop);
    CHECK(rmdir(agent->folder) == 0);
}

static void count_token(void *ctx, enum slim_auth_workload_call call)
{
    if (call == SLIM_AUTH_WORKLOAD_JWT) {
        ++*(size_t *)ctx;
    }
}

struct user {
    struct slim_spire_user user;
    struct slim_spire *spire;
    size_t token_count;
};

static void use(struct user *user, struct slim_spires *spires, struct slim_config_spire *config)
{
    *user = (struct user){.user = {.on_change = count_token, .ctx = &user->token_count}};
    CHECK_OK(slim_spire_ref(spires, config, SLIM_SPIRE_JWT, &user->user, &user->spire, NULL));
}

static void the_same_wants_share_a_connection_and_the_last_closes_it(void **state)
{
    (void)state;
    struct agent agent;
    struct slim_spires spires;
    set_up(&agent, &spires);
    agent_open(&agent);
    char url[96];
    (void)snprintf(url, sizeof(url), "unix:%s", agent.path); /* fits */
    char *audiences[] = {url};                               /* any text */
    struct slim_config_spire config = {.socket_path = agent.path};
    struct slim_config_spire same = {.socket_path = url};
    struct slim_config_spire other = {.socket_path = url, .jwt_audiences = {audiences, 1}};
    struct user users[3];
    use(&users[0], &spires, &config);
    use(&users[1], &spires, &same);
    CHECK(users[0].spire == users[1].spire);
    TEST_TURN_UNTIL(agent.loop, users[0].token_count == 1 && users[1].token_count == 1);
    CHECK(agent.accept_count == 1 && agent.call_count == 2); /* a token, and the bundles */
    use(&users[2], &spires, &other);
    CHECK(users[2].spire != users[0].spire);
    TEST_TURN_UNTIL(agent.loop, users[2].token_count == 1);
    CHECK(agent.accept_count == 2 && users[0].token_count == 1);
    slim_spire_unref(users[0].spire, &users[0].user);
    slim_spire_unref(users[2].spire, &users[2].user);
    TEST_TURN_UNTIL(agent.loop, agent.open_count == 1);
    struct slim_view token;
    struct slim_auth_provider *provider;
    CHECK_OK(slim_auth_provider_new_spiffe(slim_spire_workload(users[1].spire), &provider));
    CHECK_OK(slim_auth_provider_token(provider, 1, &token));
    CHECK_VIEW(token, TOKEN);
    CHECK_VIEW(slim_auth_provider_id(provider), "spiffe://t.d/x");
    slim_auth_provider_free(provider);
    slim_spire_unref(users[1].spire, &users[1].user);
    slim_spire_unref(NULL, &users[1].user);
    tear_down(&agent, &spires);
}

static void an_agent_that_comes_late_or_restarts_is_found(void **state)
{
    (void)state;
    struct agent agent;
    struct slim_spires spires;
    set_up(&agent, &spires);
    struct slim_config_spire config = {.socket_path = agent.path};
    struct user user;
    use(&user, &spires, &config);
    for (int i = 0; i < 10; i++) {
        slim_loop_turn(agent.loop, 5); /* nobody is there */
    }
    agent_open(&agent);
    TEST_TURN_UNTIL(agent.loop, user.token_count == 1);
    agent_drop(&agent, 0);
    TEST_TURN_UNTIL(agent.loop, user.token_count == 2); /* asked for again on the new connection */
    CHECK(agent.accept_count == 2);
    slim_spire_unref(user.spire, &user.user);
    tear_down(&agent, &spires);
}

static void a_socket_must_be_named_by_its_path(void **state)
{
    (void)state;
    struct slim_loop *loop;
    struct slim_spires spires;
    CHECK_OK(slim_loop_new(&loop));
    slim_spires_init(&spires, loop);
    CHECK(unsetenv("SPIFFE_ENDPOINT_SOCKET") == 0);
    static const struct {
        char path[160];
        const char *text;
    } rows[] = {
        {"", "spire: no socket_path, and SPIFFE_ENDPOINT_SOCKET is not set"},
        {"tcp://127.0.0.1:1", "spire: socket_path must be the path of a Unix socket"},
        {"unix:relative", "spire: socket_path must be the path of a Unix socket"},
        {"/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
         "89012345678901234567890123456789",
         "unix socket path"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        char path[160];
        memcpy(path, rows[i].path, sizeof(path));
        struct slim_config_spire config = {.socket_path = path};
        struct slim_spire_user user = {.on_change = count_token};
        struct slim_spire *spire;
        struct slim_error error = {0};
        CHECK_ROW(rows[i].text, slim_spire_ref(&spires, &config, SLIM_SPIRE_JWT, &user, &spire,
                                               &error) == SLIM_ERR_CONFIG);
        CHECK_ROW(error.text, strncmp(error.text, rows[i].text, strlen(rows[i].text)) == 0);
    }
    CHECK(setenv("SPIFFE_ENDPOINT_SOCKET", "unix:///tmp/slim-no-such.sock", 1) == 0);
    struct slim_config_spire config = {0};
    struct user user;
    use(&user, &spires, &config);
    slim_spire_unref(user.spire, &user.user);
    CHECK(unsetenv("SPIFFE_ENDPOINT_SOCKET") == 0);
    slim_loop_free(loop);
}

static void sweep(void)
{
    struct slim_loop *loop;
    if (slim_loop_new(&loop) != SLIM_OK) {
        return;
    }
    struct slim_spires spires;
    slim_spires_init(&spires, loop);
    char path[] = "/tmp/slim-no-such.sock";
    char *audiences[] = {path};
    struct slim_config_spire config = {.socket_path = path, .jwt_audiences = {audiences, 1}};
    struct slim_spire_user user = {.on_change = count_token};
    struct slim_spire *spire;
    if (slim_spire_ref(&spires, &config, SLIM_SPIRE_JWT, &user, &spire, NULL) == SLIM_OK) {
        slim_loop_turn(loop, 0);
        slim_spire_unref(spire, &user);
    }
    slim_loop_free(loop);
}

static void out_of_memory_is_a_status(void **state)
{
    (void)state;
    slim_sweep_alloc(sweep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_wants_share_a_connection_and_the_last_closes_it),
        cmocka_unit_test(an_agent_that_comes_late_or_restarts_is_found),
        cmocka_unit_test(a_socket_must_be_named_by_its_path),
        cmocka_unit_test(out_of_memory_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
