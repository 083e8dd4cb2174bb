#include "world.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void world_free_endpoint(char *endpoint)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0 &&
          getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    close(fd);
    (void)snprintf(endpoint, WORLD_ENDPOINT_MAX, "127.0.0.1:%u", ntohs(address.sin_port));
}

uint64_t world_soon(void)
{
    return slim_in_ms(WORLD_PATIENCE_MS);
}

void world_do(const char *what, struct slim_op *op)
{
    struct slim_error error = {.status = SLIM_OK};
    if (slim_finish(op, world_soon(), &error) != SLIM_OK) {
        fail_msg("%s: %s", what, error.text);
    }
}

enum slim_status world_end(struct slim_op *op, struct slim_error *error)
{
    enum slim_status status = slim_op_wait(op, world_soon(), error);
    CHECK_ROW("an operation ends", status != SLIM_AGAIN);
    slim_op_unref(op);
    return status;
}

void world_init(struct world *world)
{
    CHECK_OK(slim_service_new("node", NULL, &world->node, NULL));
    world_free_endpoint(world->endpoint);
    (void)snprintf(world->url, sizeof(world->url), "http://%.40s", world->endpoint);
    WORLD_DO(slim_service_run_server(world->node, world->endpoint, NULL));
}

void world_fini(struct world *world)
{
    slim_service_unref(world->node);
}

struct slim_name world_name(const char *text)
{
    struct slim_name name;
    CHECK_OK(slim_name_parse(text, &name));
    return name;
}

void world_app_init(struct world_app *app, const struct world *world, const char *name_text)
{
    struct slim_error error = {.status = SLIM_OK};
    struct slim_name name = world_name(name_text);
    CHECK_OK(slim_service_new(name_text, NULL, &app->service, &error));
    CHECK_OK(slim_connect(app->service, world->url, world_soon(), &app->link, &error));
    CHECK_OK(slim_app_new_with_secret(app->service, &name, WORLD_SECRET, &app->app, &error));
    WORLD_DO(slim_app_subscribe(app->app, &name, app->link, NULL));
}

void world_app_fini(struct world_app *app)
{
    slim_app_unref(app->app);
    slim_service_unref(app->service);
}

void world_route(const struct world_app *app, const char *name_text)
{
    struct slim_name name = world_name(name_text);
    WORLD_DO(slim_app_set_route(app->app, &name, app->link, NULL));
}

struct slim_session_config world_config(enum slim_session_type type, bool enable_mls)
{
    return (struct slim_session_config){
        .type = type, .enable_mls = enable_mls, .max_retries = 20, .interval_ms = 200};
}

struct slim_session *world_listen(const struct world_app *app)
{
    struct slim_session *session = NULL;
    CHECK_OK(slim_app_listen(app->app, world_soon(), &session, NULL));
    return session;
}

void world_pair(const struct world_app *from, const struct world_app *to, const char *to_name,
                bool enable_mls, struct slim_session **out, struct slim_session **in)
{
    struct slim_session_config config = world_config(SLIM_POINT_TO_POINT, enable_mls);
    struct slim_name name = world_name(to_name);
    struct slim_error error = {.status = SLIM_OK};
    world_route(from, to_name);
    if (slim_session_open(from->app, &config, &name, world_soon(), out, &error) != SLIM_OK) {
        fail_msg("session: %s", error.text);
    }
    *in = world_listen(to);
}

void world_expect(struct slim_session *session, const char *payload)
{
    struct slim_message *message = NULL;
    struct slim_error error = {.status = SLIM_OK};
    if (slim_session_receive(session, world_soon(), &message, &error) != SLIM_OK) {
        fail_msg("%s instead of %s", error.text, payload);
    }
    struct slim_view got = slim_message_look(message)->payload;
    CHECK_ROW(payload, slim_view_is_equal(got, slim_view_str(payload)));
    slim_message_unref(message);
}

void world_expect_end(struct slim_session *session, enum slim_status status, const char *text)
{
    struct slim_message *message = NULL;
    struct slim_error error = {.status = SLIM_OK};
    CHECK_ROW(text, slim_session_receive(session, world_soon(), &message, &error) == status);
    CHECK_ROW(error.text, strstr(error.text, text) != NULL);
}

struct slim_payload world_payload(const char *text)
{
    return (struct slim_payload){.data = text, .len = strlen(text)};
}
