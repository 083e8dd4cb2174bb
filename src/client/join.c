/* An application in one call, and its way to whom it talks to. */
#include "client/internal.h"
#include "slim/slim.h"

/* What of the steps is done so far; each step uses what is left of the time. */
static enum slim_status begin(struct slim_service *service, const char *node,
                              const struct slim_name *name, const char *secret,
                              uint64_t deadline_ns, struct slim_app **result,
                              struct slim_error *error)
{
    uint64_t connection;
    SLIM_TRY(slim_connect(service, node, deadline_ns, &connection, error));
    struct slim_app *app;
    SLIM_TRY(slim_app_new_with_secret(service, name, secret, &app, error));
    enum slim_status status =
        slim_finish(slim_app_subscribe(app, name, connection, NULL), deadline_ns, error);
    if (status != SLIM_OK) {
        slim_app_unref(app);
        return status;
    }
    atomic_store_explicit(&app->home, connection, memory_order_release);
    *result = app;
    return SLIM_OK;
}

enum slim_status slim_app_join(const char *node, const struct slim_name *name, const char *secret,
                               uint64_t deadline_ns, struct slim_app **app,
                               struct slim_error *error)
{
    SLIM_TRY(slim_client_check_name(name, error));
    if (node == NULL || secret == NULL || app == NULL) {
        return slim_error_set(error, SLIM_ERR_ARGUMENT,
                              node == NULL     ? "no node to connect to was given"
                              : secret == NULL ? "no secret was given"
                                               : "no place for the application was given");
    }
    struct slim_service *service;
    SLIM_TRY(slim_service_new("slim", NULL, &service, error));
    enum slim_status status = begin(service, node, name, secret, deadline_ns, app, error);
    slim_service_unref(service); /* the application keeps it */
    return status;
}

enum slim_status slim_client_app_route_home(struct slim_app *app, const struct slim_wire_name *name)
{
    uint64_t home = atomic_load_explicit(&app->home, memory_order_acquire);
    return home == SLIM_CLIENT_NO_CONN ? SLIM_OK
                                       : slim_client_local_route(app->local, name, home, true);
}
