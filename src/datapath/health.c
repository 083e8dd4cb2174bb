/* grpc.health.v1.Health on each of our servers (the gRPC health checking protocol).
 *
 * Check answers once, Watch at once and again when the drain begins. Known are "" (the server as a whole) and our own service. Nobody has
 * to authenticate: probes of orchestrators cannot, and what they learn is what a connect tells them too. */
#include "datapath/internal.h"

/* A call whose request has not come yet, or a Watch. */
struct health_call {
    struct slim_list node; /* in socket->health */
    struct slim_grpc_call *call;
    bool is_watch;
    bool is_answered;
};

enum serving_status { SERVING = 1, NOT_SERVING = 2, SERVICE_UNKNOWN = 3 };
enum { REQUEST_SERVICE = 1, RESPONSE_STATUS = 1 };

static bool has_text(struct slim_view view, const char *text)
{
    return slim_view_is_equal(view, slim_view_str(text));
}

static struct health_call *find(struct slim_datapath_socket *socket,
                                const struct slim_grpc_call *call)
{
    SLIM_LIST_EACH(node, &socket->health)
    {
        struct health_call *health = SLIM_LIST_ENTRY(node, struct health_call, node);
        if (health->call == call) {
            return health;
        }
    }
    return NULL;
}

static void forget(struct slim_datapath_socket *socket, struct health_call *health)
{
    slim_list_remove(&health->node);
    slim_heap_return(socket->datapath->heap, health);
}

/* End a call of ours with a status. */
static void finish(struct slim_datapath_socket *socket, struct health_call *health,
                   enum slim_grpc_status status, const char *text)
{
    struct slim_grpc_call *call = health->call;
    forget(socket, health);
    slim_grpc_call_finish(call, status, slim_view_str(text), true);
    slim_transport_touch(socket->transport);
}

bool slim_datapath_health_take(struct slim_datapath_socket *socket, struct slim_grpc_call *call,
                               struct slim_view path)
{
    struct slim_datapath *datapath = socket->datapath;
    bool is_watch = has_text(path, "/grpc.health.v1.Health/Watch");
    if (!is_watch && !has_text(path, "/grpc.health.v1.Health/Check")) {
        return false;
    }
    datapath->stats.health_check_count += is_watch ? 0 : 1;
    datapath->stats.health_watch_count += is_watch ? 1 : 0;
    struct health_call *health = slim_heap_take_zeroed(datapath->heap, 1, sizeof(*health));
    if (health == NULL || slim_grpc_call_accept(call) != SLIM_OK) {
        slim_heap_return(datapath->heap, health);
        datapath->stats.refused_no_memory_count++;
        slim_grpc_call_finish(call, SLIM_GRPC_RESOURCE_EXHAUSTED, SLIM_VIEW("out of memory"), true);
        return true;
    }
    health->call = call;
    health->is_watch = is_watch;
    slim_list_init(&health->node);
    slim_list_put_last(&socket->health, &health->node);
    return true;
}

/* The `service` of a HealthCheckRequest. False: not decodable. */
static bool read_service(struct slim_view msg, struct slim_view *service)
{
    *service = (struct slim_view){NULL, 0};
    while (msg.len > 0) {
        struct slim_wire_field field;
        if (slim_wire_take_field(&msg, &field) != SLIM_OK) {
            return false;
        }
        if (field.number == REQUEST_SERVICE && field.type == SLIM_WIRE_FIELD_BYTES) {
            *service = field.bytes;
        }
    }
    return true;
}

/* Send a HealthCheckResponse. */
static enum slim_status put_status(struct slim_datapath_socket *socket, struct slim_grpc_call *call,
                                   enum serving_status serving)
{
    const uint8_t response[] = {RESPONSE_STATUS << 3 | SLIM_WIRE_FIELD_VARINT, (uint8_t)serving};
    SLIM_TRY(slim_grpc_call_put_message(call, slim_view_of(response, sizeof(response))));
    slim_transport_touch(socket->transport);
    return SLIM_OK;
}

static void answer(struct slim_datapath_socket *socket, struct health_call *health,
                   struct slim_view service)
{
    bool is_known = service.len == 0 || has_text(service, "dataplane.proto.v1.DataPlaneService");
    enum serving_status serving = socket->datapath->is_draining ? NOT_SERVING : SERVING;
    if (!is_known && !health->is_watch) {
        finish(socket, health, SLIM_GRPC_NOT_FOUND, "unknown service");
        return;
    }
    if (put_status(socket, health->call, is_known ? serving : SERVICE_UNKNOWN) != SLIM_OK) {
        finish(socket, health, SLIM_GRPC_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    if (!health->is_watch) {
        finish(socket, health, SLIM_GRPC_OK, "");
        return;
    }
    health->is_answered = true;
    slim_grpc_call_outlive_half_close(health->call);
}

void slim_datapath_health_on_message(struct slim_datapath_socket *socket,
                                     struct slim_grpc_call *call, struct slim_view msg)
{
    struct health_call *health = find(socket, call);
    struct slim_view service;
    if (health == NULL) {
        return; /* a stream that we ended, and that its peer still sends on */
    }
    if (health->is_answered || !read_service(msg, &service)) {
        finish(socket, health, SLIM_GRPC_INVALID_ARGUMENT, "one HealthCheckRequest is expected");
        return;
    }
    answer(socket, health, service);
}

void slim_datapath_health_on_end(struct slim_datapath_socket *socket, struct slim_grpc_call *call)
{
    struct health_call *health = find(socket, call);
    if (health != NULL) {
        forget(socket, health);
    }
}

void slim_datapath_health_drain(struct slim_datapath_socket *socket)
{
    SLIM_LIST_EACH(node, &socket->health)
    {
        struct health_call *health = SLIM_LIST_ENTRY(node, struct health_call, node);
        if (health->is_answered) {
            /* without memory the end of the call says as much */
            (void)!put_status(socket, health->call, NOT_SERVING);
        }
        finish(socket, health, SLIM_GRPC_UNAVAILABLE, "data plane is shutting down");
    }
}

void slim_datapath_health_forget(struct slim_datapath_socket *socket)
{
    SLIM_LIST_EACH(node, &socket->health)
    {
        forget(socket, SLIM_LIST_ENTRY(node, struct health_call, node));
    }
}
