#include "datapath/spire.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/connector.h"
#include "io/transport.h"

#define SLIM_LOG_TARGET "slim_auth::spire"

/* key         what users must have in common: socket, kind, identity, audiences, one per line
 * timer       disconnected: the next attempt; connected: the next tick of the client
 * transport   NULL while there is no connection */
struct slim_spire {
    struct slim_spires *spires;
    struct slim_list node;
    struct slim_list users;
    struct slim_buf key;
    struct slim_endpoint endpoint;
    struct slim_auth_workload_link *link;
    struct slim_connector *connector;
    struct slim_transport *transport;
    struct slim_timer timer;
    struct slim_task tick;
    uint32_t fail_count;
    struct slim_log_limit log_problem;
};

void slim_spires_init(struct slim_spires *spires, struct slim_loop *loop)
{
    spires->loop = loop;
    slim_list_init(&spires->list);
}

/* ------------------------------------------------------------------------------------------------ the client's clock */

static uint64_t wall_s(void)
{
    return slim_clock_wall_us() / 1000000;
}

static void set_time(struct slim_spire *spire)
{
    slim_auth_workload_link_set_time(spire->link, slim_loop_now_ms(spire->spires->loop), wall_s());
}

static void tick(struct slim_spire *spire)
{
    struct slim_loop *loop = spire->spires->loop;
    uint64_t next_ms = slim_auth_workload_link_tick(spire->link, slim_loop_now_ms(loop), wall_s());
    if (next_ms == UINT64_MAX) {
        slim_timer_cancel(loop, &spire->timer);
    } else {
        slim_timer_set(loop, &spire->timer, next_ms);
    }
    slim_transport_touch(spire->transport);
}

static void on_tick(struct slim_task *task)
{
    struct slim_spire *spire = SLIM_CONTAINER_OF(task, struct slim_spire, tick);
    if (spire->transport != NULL) {
        tick(spire);
    }
}

/* ------------------------------------------------------------------------------------------------ what comes in */

static void on_change(void *ctx, enum slim_auth_workload_call call)
{
    struct slim_spire *spire = ctx;
    SLIM_LIST_EACH(node, &spire->users)
    {
        struct slim_spire_user *user = SLIM_LIST_ENTRY(node, struct slim_spire_user, node);
        user->on_change(user->ctx, call);
    }
}

static void on_problem(void *ctx, enum slim_auth_workload_call call, const char *text)
{
    struct slim_spire *spire = ctx;
    struct slim_view path = slim_auth_workload_path(call);
    slim_log_limited(&spire->log_problem, WARN, "SPIFFE agent", SLIM_LOG_VIEW("call", path),
                     SLIM_LOG_STR("error", text));
}

/* The handler of the client, with the time before and a tick behind each event. */
static void pass_call(void *ctx, struct slim_grpc_call *call,
                      const struct slim_grpc_request *request)
{
    struct slim_spire *spire = ctx;
    slim_auth_workload_handler.on_call(spire->link, call, request);
}

static void pass_open(void *ctx, struct slim_grpc_call *call)
{
    struct slim_spire *spire = ctx;
    spire->fail_count = 0;
    slim_auth_workload_handler.on_open(spire->link, call);
}

static void pass_message(void *ctx, struct slim_grpc_call *call, struct slim_view message,
                         struct slim_block *block)
{
    struct slim_spire *spire = ctx;
    set_time(spire);
    slim_auth_workload_handler.on_message(spire->link, call, message, block);
    slim_loop_at_turn_end(spire->spires->loop, &spire->tick);
}

static void pass_end(void *ctx, struct slim_grpc_call *call, const struct slim_grpc_end *end)
{
    struct slim_spire *spire = ctx;
    set_time(spire);
    slim_auth_workload_handler.on_end(spire->link, call, end);
    slim_loop_at_turn_end(spire->spires->loop, &spire->tick);
}

/* ------------------------------------------------------------------------------------------------ the connection */

static void retry(struct slim_spire *spire, const char *why)
{
    enum { SHIFT_MAX = 5 };
    uint32_t shift = spire->fail_count < SHIFT_MAX ? spire->fail_count : SHIFT_MAX;
    uint64_t pause_ms = (uint64_t)SLIM_SPIRE_RETRY_MIN_MS << shift;
    char socket[SLIM_ENDPOINT_PATH_MAX];
    slim_address_format(&spire->endpoint.address, socket, sizeof(socket));
    spire->fail_count++;
    slim_log_limited(&spire->log_problem, WARN, "no connection to the SPIFFE agent, trying again",
                     SLIM_LOG_STR("socket", socket), SLIM_LOG_STR("error", why));
    slim_timer_set(spire->spires->loop, &spire->timer,
                   slim_loop_now_ms(spire->spires->loop) +
                       (pause_ms < SLIM_SPIRE_RETRY_MAX_MS ? pause_ms : SLIM_SPIRE_RETRY_MAX_MS));
}

static void on_closed(void *ctx, enum slim_status status, const char *text)
{
    (void)status; /* the text says it */
    struct slim_spire *spire = ctx;
    spire->transport = NULL; /* it is being freed */
    slim_task_cancel(&spire->tick);
    slim_auth_workload_link_detach(spire->link);
    retry(spire, text);
}

static enum slim_status open_transport(struct slim_spire *spire, int fd)
{
    static const struct slim_grpc_handler grpc_handler = {
        .on_call = pass_call, .on_open = pass_open, .on_message = pass_message, .on_end = pass_end};
    static const struct slim_transport_handler handler = {.on_closed = on_closed};
    struct slim_loop *loop = spire->spires->loop;
    struct slim_grpc_options options = slim_grpc_options_default(false);
    options.scheme = SLIM_VIEW("http");
    options.authority = SLIM_VIEW("localhost");
    options.user_agent = SLIM_VIEW("slim-c/" SLIM_VERSION);
    SLIM_TRY(slim_transport_new(loop, fd, &options, &grpc_handler, spire, &handler, spire,
                                &spire->transport));
    slim_auth_workload_link_attach(spire->link, slim_transport_grpc(spire->transport),
                                   slim_loop_now_ms(loop));
    tick(spire);
    return SLIM_OK;
}

static void on_connected(void *ctx, enum slim_status status, int fd, const char *text)
{
    struct slim_spire *spire = ctx;
    spire->connector = NULL;
    if (status == SLIM_OK) {
        status = open_transport(spire, fd);
        text = slim_status_text(status);
    }
    if (status != SLIM_OK) {
        retry(spire, text);
    }
}

static void on_timer(struct slim_timer *timer)
{
    struct slim_spire *spire = SLIM_CONTAINER_OF(timer, struct slim_spire, timer);
    if (spire->transport != NULL) {
        tick(spire);
        return;
    }
    enum slim_status status =
        slim_connector_new(spire->spires->loop, &spire->endpoint, SLIM_SPIRE_CONNECT_MS,
                           on_connected, spire, &spire->connector);
    if (status != SLIM_OK) {
        retry(spire, slim_status_text(status));
    }
}

/* ------------------------------------------------------------------------------------------------ sharing */

/* The socket as a client endpoint: "/path", "unix:/path" and "unix:///path" are the same. */
static enum slim_status parse_socket(const char *text, struct slim_endpoint *endpoint,
                                     struct slim_error *error)
{
    if (text == NULL || text[0] == 0) {
        text = getenv("SPIFFE_ENDPOINT_SOCKET"); // NOLINT(concurrency-mt-unsafe): nobody sets it
    }
    if (text == NULL || text[0] == 0) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "spire: no socket_path, and SPIFFE_ENDPOINT_SOCKET is not set");
    }
    if (strncmp(text, "unix://", 7) == 0) {
        text += 7;
    } else if (strncmp(text, "unix:", 5) == 0) {
        text += 5;
    }
    if (text[0] != '/') {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "spire: socket_path must be the path of a Unix socket, such as "
                              "unix:///run/spire/agent.sock");
    }
    struct slim_buf url = {0};
    enum slim_status status = slim_buf_put_text(&url, "unix://%s", text);
    if (status == SLIM_OK) {
        status = slim_endpoint_parse(slim_buf_view(&url), endpoint, error);
    }
    slim_buf_fini(&url);
    return status;
}

static enum slim_status put_key(struct slim_buf *key, const struct slim_endpoint *endpoint,
                                const struct slim_config_spire *config, enum slim_spire_kind kind)
{
    char socket[SLIM_ENDPOINT_PATH_MAX];
    slim_address_format(&endpoint->address, socket, sizeof(socket));
    SLIM_TRY(slim_buf_put_text(key, "%s\n%d\n%s", socket, (int)kind,
                               config->target_spiffe_id == NULL ? "" : config->target_spiffe_id));
    for (size_t i = 0; kind == SLIM_SPIRE_JWT && i < config->jwt_audiences.count; i++) {
        SLIM_TRY(slim_buf_put_text(key, "\n%s", config->jwt_audiences.items[i]));
    }
    return SLIM_OK;
}

static void spire_free(struct slim_spire *spire)
{
    struct slim_loop *loop = spire->spires->loop;
    slim_list_remove(&spire->node);
    slim_connector_cancel(spire->connector);
    if (spire->link != NULL) {
        slim_auth_workload_link_detach(spire->link); /* its calls go with the transport */
    }
    slim_transport_free(spire->transport);
    slim_auth_workload_link_free(spire->link);
    slim_task_cancel(&spire->tick);
    slim_timer_cancel(loop, &spire->timer);
    slim_loop_release_timer(loop);
    slim_buf_fini(&spire->key);
    free(spire);
}

static enum slim_status make_link(struct slim_spire *spire, const struct slim_config_spire *config,
                                  enum slim_spire_kind kind, struct slim_error *error)
{
    struct slim_view *audiences = NULL;
    if (config->jwt_audiences.count > 0) {
        audiences = calloc(config->jwt_audiences.count, sizeof(*audiences));
        if (audiences == NULL) {
            return slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
        }
    }
    for (size_t i = 0; i < config->jwt_audiences.count; i++) {
        audiences[i] = slim_view_str(config->jwt_audiences.items[i]);
    }
    const struct slim_auth_workload_options options = {
        .audiences = audiences,
        .audience_count = config->jwt_audiences.count,
        .spiffe_id = slim_view_str(config->target_spiffe_id),
        .wants_x509 = kind == SLIM_SPIRE_X509,
        .wants_jwt = kind == SLIM_SPIRE_JWT,
    };
    enum slim_status status =
        slim_auth_workload_link_new(&options, on_change, on_problem, spire, &spire->link, error);
    free(audiences);
    return status;
}

/* Takes *key over when it succeeds. */
static enum slim_status spire_new(struct slim_spires *spires, const struct slim_endpoint *endpoint,
                                  const struct slim_config_spire *config, enum slim_spire_kind kind,
                                  struct slim_buf *key, struct slim_spire **spire,
                                  struct slim_error *error)
{
    struct slim_spire *made = calloc(1, sizeof(*made));
    if (made == NULL || slim_loop_reserve_timer(spires->loop) != SLIM_OK) {
        free(made);
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
    }
    made->spires = spires;
    made->endpoint = *endpoint;
    slim_list_init(&made->node);
    slim_list_init(&made->users);
    slim_timer_init(&made->timer, on_timer);
    slim_task_init(&made->tick, on_tick);
    enum slim_status status = make_link(made, config, kind, error);
    if (status != SLIM_OK) {
        spire_free(made);
        return status;
    }
    made->key = *key;
    *key = (struct slim_buf){0};
    slim_list_put_last(&spires->list, &made->node);
    slim_timer_set(spires->loop, &made->timer, slim_loop_now_ms(spires->loop));
    *spire = made;
    return SLIM_OK;
}

static struct slim_spire *find(const struct slim_spires *spires, const struct slim_buf *key)
{
    SLIM_LIST_EACH(node, &spires->list)
    {
        struct slim_spire *spire = SLIM_LIST_ENTRY(node, struct slim_spire, node);
        if (slim_view_is_equal(slim_buf_view(&spire->key), slim_buf_view(key))) {
            return spire;
        }
    }
    return NULL;
}

enum slim_status slim_spire_ref(struct slim_spires *spires, const struct slim_config_spire *config,
                                enum slim_spire_kind kind, struct slim_spire_user *user,
                                struct slim_spire **spire, struct slim_error *error)
{
    struct slim_endpoint endpoint;
    SLIM_TRY(parse_socket(config->socket_path, &endpoint, error));
    struct slim_buf key = {0};
    enum slim_status status = SLIM_OK;
    if (put_key(&key, &endpoint, config, kind) != SLIM_OK) {
        status = slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
    }
    struct slim_spire *found = status == SLIM_OK ? find(spires, &key) : NULL;
    if (status == SLIM_OK && found == NULL) {
        status = spire_new(spires, &endpoint, config, kind, &key, &found, error);
    }
    slim_buf_fini(&key);
    if (status != SLIM_OK) {
        return status;
    }
    assert(found != NULL);
    slim_list_init(&user->node);
    slim_list_put_last(&found->users, &user->node);
    *spire = found;
    return SLIM_OK;
}

void slim_spire_unref(struct slim_spire *spire, struct slim_spire_user *user)
{
    if (spire == NULL) {
        return;
    }
    slim_list_remove(&user->node);
    if (slim_list_is_empty(&spire->users)) {
        spire_free(spire);
    }
}

struct slim_auth_workload *slim_spire_workload(struct slim_spire *spire)
{
    return slim_auth_workload_link_client(spire->link);
}

void slim_spire_wake(struct slim_spire *spire)
{
    slim_loop_at_turn_end(spire->spires->loop, &spire->tick);
}
