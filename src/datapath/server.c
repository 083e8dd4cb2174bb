/* Listeners, and the sockets and streams that peers open (spec wire.md 1, 7.1). */
#include "datapath/internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLIM_LOG_TARGET "slim_datapath::message_processing"

static const struct slim_view OPEN_CHANNEL_PATH = {
    (const uint8_t *)"/dataplane.proto.v1.DataPlaneService/OpenChannel", 48};

void slim_datapath_on_message(void *ctx, struct slim_grpc_call *call, struct slim_view msg,
                              struct slim_block *block)
{
    struct slim_datapath_conn *conn = slim_grpc_call_ctx(call);
    if (conn != NULL) {
        slim_datapath_receive(conn, msg, block);
    } else {
        slim_datapath_health_on_message(ctx, call, msg);
    }
}

void slim_datapath_on_flushed(void *ctx)
{
    struct slim_datapath_socket *socket = ctx;
    struct slim_datapath *datapath = socket->datapath;
    SLIM_LIST_EACH(node, &socket->conns)
    {
        slim_datapath_slow_flushed(SLIM_LIST_ENTRY(node, struct slim_datapath_conn, on_socket));
    }
    slim_datapath_slow_bury(datapath);
}

static void refuse(struct slim_datapath *datapath, struct slim_grpc_call *call,
                   enum slim_grpc_status status, const char *text)
{
    slim_log_limited(&datapath->log_refused, WARN, "call refused", SLIM_LOG_STR("why", text));
    slim_grpc_call_finish(call, status, slim_view_str(text), true);
}

/* The answer to the request's authorization header. Proxies and servers differ in which of several counts: none does. */
static enum slim_datapath_refusal judge(struct slim_datapath_socket *socket,
                                        const struct slim_grpc_request *request, const char **why)
{
    struct slim_view value = {NULL, 0};
    size_t count = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        if (slim_view_is_equal(request->headers[i].name, SLIM_VIEW("authorization"))) {
            value = request->headers[i].value;
            count++;
        }
    }
    if (count > 1) {
        *why = "several authorization headers";
        return SLIM_DATAPATH_REFUSED_MISSING;
    }
    return slim_datapath_auth_admit(socket->auth, value, why);
}

/* Is the peer allowed to call? If not, the call is finished, and after a few such calls the socket is closed. */
static bool is_admitted(struct slim_datapath_socket *socket, struct slim_grpc_call *call,
                        const struct slim_grpc_request *request)
{
    struct slim_datapath *datapath = socket->datapath;
    if (socket->auth == NULL) {
        return true;
    }
    const char *why = "";
    enum slim_datapath_refusal refusal = judge(socket, request, &why);
    if (refusal == SLIM_DATAPATH_ADMITTED) {
        return true;
    }
    datapath->stats.refused_auth_count[refusal]++;
    slim_log_limited(&datapath->log_auth, WARN, "call refused: not authenticated",
                     SLIM_LOG_STR("why", why), SLIM_LOG_STR("remote_addr", socket->text));
    if (refusal == SLIM_DATAPATH_REFUSED_FETCHING || refusal == SLIM_DATAPATH_REFUSED_UNDECIDED) {
        slim_grpc_call_finish(call, SLIM_GRPC_UNAVAILABLE, slim_view_str(why), true);
        return false; /* not the peer's fault: it may come again */
    }
    slim_grpc_call_challenge(call, slim_view_str(slim_datapath_auth_scheme(socket->auth)),
                             slim_view_str(why));
    if (++socket->guess_count >= SLIM_DATAPATH_GUESSES_MAX && !socket->is_closing) {
        socket->is_closing = true;
        slim_transport_close_flushed(socket->transport, SLIM_DATAPATH_DRAIN_LINGER_MS);
    }
    return false;
}

static void set_tls_bytes(struct slim_datapath_socket *socket, size_t bytes)
{
    socket->datapath->tls_bytes += bytes - socket->tls_bytes;
    socket->tls_bytes = bytes;
}

static void on_call(void *ctx, struct slim_grpc_call *call, const struct slim_grpc_request *request)
{
    struct slim_datapath_socket *socket = ctx;
    struct slim_datapath *datapath = socket->datapath;
    slim_grpc_call_set_ctx(call, NULL);
    if (socket->tls_bytes == SLIM_DATAPATH_TLS_SHAKING_BYTES) {
        set_tls_bytes(socket, SLIM_DATAPATH_TLS_OPEN_BYTES);
    }
    if (slim_datapath_health_take(socket, call, request->path) ||
        !is_admitted(socket, call, request)) {
        return;
    }
    if (!slim_view_is_equal(request->path, OPEN_CHANNEL_PATH)) {
        datapath->stats.refused_path_count++;
        slim_log_limited(&datapath->log_refused, WARN, "call refused",
                         SLIM_LOG_STR("why", "unknown path"),
                         SLIM_LOG_STR("remote_addr", socket->text));
        if (request->is_plain) {
            slim_grpc_call_refuse_plain(call);
        } else {
            /* trailers only, without a message, as every gRPC server answers */
            slim_grpc_call_finish(call, SLIM_GRPC_UNIMPLEMENTED, (struct slim_view){0}, true);
        }
        return;
    }
    if (datapath->is_draining || socket->is_closing) {
        datapath->stats.refused_draining_count++;
        refuse(datapath, call, SLIM_GRPC_UNAVAILABLE,
               "error processing stream: AlreadyClosedError");
        return;
    }
    struct slim_datapath_conn *conn;
    enum slim_status status = slim_datapath_conn_new(datapath, SLIM_DATAPATH_CONN_SERVER, &conn);
    if (status != SLIM_OK) {
        datapath->stats.refused_no_memory_count += status == SLIM_ERR_NO_MEMORY;
        refuse(datapath, call, SLIM_GRPC_RESOURCE_EXHAUSTED,
               status == SLIM_ERR_NO_MEMORY ? "out of memory" : "too many connections");
        return;
    }
    if (slim_grpc_call_accept(call) != SLIM_OK) {
        datapath->stats.refused_no_memory_count++;
        slim_datapath_conn_free(conn, false);
        refuse(datapath, call, SLIM_GRPC_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    conn->call = call;
    conn->socket = socket;
    slim_list_put_last(&socket->conns, &conn->on_socket);
    slim_grpc_call_set_ctx(call, conn);
    datapath->stats.connections_accepted++;
    slim_log(DEBUG, "new connection received from remote",
             SLIM_LOG_STR("remote_addr", socket->text), SLIM_LOG_U64("conn_index", conn->peer.id));
}

static void count_end(struct slim_datapath_conn *conn, const struct slim_grpc_end *end)
{
    struct slim_datapath_stats *stats = &conn->datapath->stats;
    if (end->is_broken) {
        stats->streams_broken++;
        conn->why = "broken";
    } else if (end->status == SLIM_GRPC_OK) {
        stats->ended_count++;
    } else {
        stats->lost_count++;
        conn->why = "lost";
    }
}

static void on_end(void *ctx, struct slim_grpc_call *call, const struct slim_grpc_end *end)
{
    struct slim_datapath_socket *socket = ctx;
    struct slim_datapath_conn *conn = slim_grpc_call_ctx(call);
    if (conn == NULL) {
        slim_datapath_health_on_end(socket, call);
        return;
    }
    struct slim_datapath *datapath = socket->datapath;
    count_end(conn, end);
    slim_log_limited(&datapath->log_closed, INFO, "connection closed by peer",
                     SLIM_LOG_U64("conn_index", conn->peer.id));
    if (end->is_broken) {
        slim_log_limited(&datapath->log_malformed, WARN, "stream ended: broken message",
                         SLIM_LOG_U64("conn_index", conn->peer.id),
                         SLIM_LOG_VIEW("why", end->message));
    } else if (end->status != SLIM_GRPC_OK && end->message.len > 0) {
        slim_log(DEBUG, "stream ended", SLIM_LOG_U64("conn_index", conn->peer.id),
                 SLIM_LOG_VIEW("why", end->message));
    }
    conn->call = NULL;
    slim_datapath_conn_free(conn, true);
    datapath->stats.connections_closed++;
}

static void on_refused(void *ctx, struct slim_view encoding)
{
    struct slim_datapath_socket *socket = ctx;
    struct slim_datapath *datapath = socket->datapath;
    if (encoding.len == 0) {
        datapath->stats.refused_plain_count++;
        slim_log_limited(&datapath->log_refused, WARN, "call refused",
                         SLIM_LOG_STR("why", "not gRPC"),
                         SLIM_LOG_STR("remote_addr", socket->text));
        return;
    }
    datapath->stats.refused_encoding_count++;
    slim_log_limited(&datapath->log_refused, WARN, "call refused",
                     SLIM_LOG_STR("why", "unknown grpc-encoding"),
                     SLIM_LOG_VIEW("encoding", encoding));
}

void slim_datapath_count_socket_end(struct slim_datapath_socket *socket, enum slim_status status)
{
    struct slim_datapath_stats *stats = &socket->datapath->stats;
    enum slim_grpc_cause cause = slim_grpc_conn_cause(slim_transport_grpc(socket->transport));
    if (socket->is_dropped) {
        stats->socket_dropped_count++;
    } else if (status == SLIM_OK) {
        stats->socket_ended_count++;
    } else if (cause == SLIM_GRPC_CAUSE_IDLE) {
        stats->socket_idle_count++;
    } else if (cause == SLIM_GRPC_CAUSE_AGE) {
        stats->socket_age_count++;
    } else if (status == SLIM_ERR_CLOSED) {
        stats->socket_closed_count++;
    } else if (status == SLIM_ERR_RESET) {
        stats->socket_reset_count++;
    } else if (cause == SLIM_GRPC_CAUSE_HANDSHAKE_TIMEOUT) {
        stats->socket_handshake_count++;
    } else if (status == SLIM_ERR_TIMEOUT) {
        stats->socket_timeout_count++;
    } else if (status == SLIM_ERR_MALFORMED) {
        stats->socket_malformed_count++;
    } else if (status == SLIM_ERR_LIMIT) {
        stats->socket_flood_count++;
    } else if (status == SLIM_ERR_DENIED) {
        stats->tls_refused_count++;
    } else {
        stats->socket_failed_count++;
    }
}

/* The peer broke TLS or HTTP/2, flooded us or said nothing; everything else is the network's life. */
static bool is_peers_mistake(enum slim_status status, enum slim_grpc_cause cause)
{
    return status == SLIM_ERR_MALFORMED || status == SLIM_ERR_LIMIT ||
           cause == SLIM_GRPC_CAUSE_HANDSHAKE_TIMEOUT;
}

static void note_closed(struct slim_datapath_socket *socket, enum slim_status status,
                        const char *text)
{
    struct slim_datapath *datapath = socket->datapath;
    enum slim_grpc_cause cause = slim_grpc_conn_cause(slim_transport_grpc(socket->transport));
    if (status == SLIM_OK || status == SLIM_ERR_CLOSED) {
        return;
    }
    if (is_peers_mistake(status, cause)) {
        slim_log_limited(&datapath->log_socket, WARN, "socket closed: the peer broke the rules",
                         SLIM_LOG_STR("remote_addr", socket->text), SLIM_LOG_STR("why", text));
    } else {
        slim_log_limited(&datapath->log_socket, DEBUG, "socket closed",
                         SLIM_LOG_STR("remote_addr", socket->text), SLIM_LOG_STR("why", text));
    }
}

static void on_closed(void *ctx, enum slim_status status, const char *text)
{
    struct slim_datapath_socket *socket = ctx;
    struct slim_datapath *datapath = socket->datapath;
    slim_datapath_count_socket_end(socket, status);
    if (status == SLIM_ERR_DENIED) {
        slim_log_limited(&datapath->log_refused, WARN, "connection refused",
                         SLIM_LOG_STR("remote_addr", socket->text), SLIM_LOG_STR("why", text));
    } else {
        note_closed(socket, status, text);
    }
    socket->transport = NULL;
    slim_datapath_socket_free(socket);
    slim_datapath_check_drained(datapath);
}

void slim_datapath_socket_free(struct slim_datapath_socket *socket)
{
    assert(slim_list_is_empty(&socket->conns));
    slim_datapath_health_forget(socket);
    slim_transport_free(socket->transport);
    slim_list_remove(&socket->node);
    set_tls_bytes(socket, 0);
    slim_datapath_slow_gone(socket->datapath);
    slim_datapath_auth_unref(socket->auth);
    socket->datapath->socket_count--;
    slim_heap_return(socket->datapath->heap, socket);
}

static void on_accept(void *ctx, int fd, const struct slim_address *peer)
{
    static const struct slim_grpc_handler grpc_handler = {.on_call = on_call,
                                                          .on_message = slim_datapath_on_message,
                                                          .on_end = on_end,
                                                          .on_refused = on_refused};
    static const struct slim_transport_handler handler = {.on_closed = on_closed,
                                                          .on_flushed = slim_datapath_on_flushed};
    struct slim_datapath_server *server = ctx;
    struct slim_datapath *datapath = server->datapath;
    struct slim_datapath_socket *socket = NULL;
    if (slim_datapath_slow_make_room(datapath)) {
        socket = slim_heap_take_zeroed(datapath->heap, 1, sizeof(*socket));
    }
    if (socket == NULL) {
        datapath->stats.socket_memory_max_count++;
        slim_log_limited(&datapath->log_refused, WARN, "connection refused: memory_max reached");
        close(fd);
        return;
    }
    socket->datapath = datapath;
    slim_list_init(&socket->conns);
    slim_list_init(&socket->health);
    slim_address_format(peer, socket->text, sizeof(socket->text));
    struct slim_tls_session *tls;
    struct slim_error error;
    if (slim_datapath_tls_session(server->tls, NULL, &tls, &error) != SLIM_OK) {
        datapath->stats.tls_not_ready_count++;
        slim_log_limited(&datapath->log_refused, WARN, "connection refused",
                         SLIM_LOG_STR("remote_addr", socket->text),
                         SLIM_LOG_STR("why", error.text));
        slim_heap_return(datapath->heap, socket);
        close(fd);
        return;
    }
    const struct slim_transport_options options = {
        .tls = tls, .grpc = &server->grpc, .handshake_timeout_ms = SLIM_TRANSPORT_HANDSHAKE_MS};
    if (slim_transport_open(datapath->loop, fd, &options, &grpc_handler, socket, &handler, socket,
                            &socket->transport) != SLIM_OK) {
        datapath->stats.socket_no_memory_count++;
        slim_log_limited(&datapath->log_refused, WARN, "connection refused: out of memory",
                         SLIM_LOG_STR("remote_addr", socket->text));
        slim_heap_return(datapath->heap, socket);
        return;
    }
    set_tls_bytes(socket, tls == NULL ? 0 : SLIM_DATAPATH_TLS_SHAKING_BYTES);
    socket->auth = slim_datapath_auth_ref(server->auth);
    slim_list_put_last(&datapath->sockets, &socket->node);
    datapath->socket_count++;
    datapath->stats.sockets_accepted++;
}

/* What the endpoint, and the authentication that it wants, need. */
static enum slim_status open_server(struct slim_datapath_server *server,
                                    const struct slim_config_server *config,
                                    const struct slim_address *address, struct slim_error *error)
{
    struct slim_datapath *datapath = server->datapath;
    server->endpoint = strdup(config->endpoint);
    if (server->endpoint == NULL) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
    }
    SLIM_TRY(slim_datapath_auth_new_server(datapath, &config->auth, config->endpoint, &server->auth,
                                           error));
    if (server->auth != NULL && config->tls.is_insecure && address->storage.ss_family != AF_UNIX) {
        slim_log_as("slim_config::grpc::server", WARN,
                    "Auth is enabled without TLS. This is not recommended.",
                    SLIM_LOG_STR("endpoint", config->endpoint));
    }
    SLIM_TRY(slim_datapath_tls_new_server(datapath, &config->tls, config->endpoint, &server->tls,
                                          error));
    return slim_listener_new(datapath->loop, address, on_accept, server, &server->listener, error);
}

enum slim_status slim_datapath_listen(struct slim_datapath *datapath,
                                      const struct slim_config_server *config,
                                      struct slim_error *error)
{
    if (datapath->is_draining) {
        return slim_error_set(error, SLIM_ERR_STATE, "data plane is shutting down");
    }
    struct slim_address address;
    SLIM_TRY(slim_address_parse(slim_view_str(config->endpoint), &address, error));
    struct slim_datapath_server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
    }
    server->datapath = datapath;
    slim_list_init(&server->node);
    server->grpc = slim_grpc_options_default(true);
    server->grpc.max_frame_bytes = config->max_frame_bytes;
    server->grpc.header_list_bytes = config->header_list_bytes;
    if (config->max_concurrent_streams != 0) {
        server->grpc.max_streams = config->max_concurrent_streams;
    }
    server->grpc.ping_interval_ms = config->keepalive_time_ms;
    server->grpc.ping_timeout_ms = config->keepalive_timeout_ms;
    server->grpc.age_max_ms = config->max_connection_age_ms;
    server->grpc.idle_timeout_ms = config->max_connection_idle_ms;
    server->grpc.counters = &datapath->counters;
    enum slim_status status = open_server(server, config, &address, error);
    if (status != SLIM_OK) {
        slim_datapath_server_free(server);
        return status;
    }
    slim_listener_on_full(server->listener, slim_datapath_slow_on_full);
    slim_list_put_last(&datapath->servers, &server->node);
    return SLIM_OK;
}

void slim_datapath_server_free(struct slim_datapath_server *server)
{
    slim_list_remove(&server->node);
    slim_listener_free(server->listener);
    slim_datapath_auth_unref(server->auth);
    slim_datapath_tls_free(server->tls);
    free(server->endpoint);
    free(server);
}

enum slim_status slim_datapath_stop_listening(struct slim_datapath *datapath, const char *endpoint)
{
    SLIM_LIST_EACH(node, &datapath->servers)
    {
        struct slim_datapath_server *server =
            SLIM_LIST_ENTRY(node, struct slim_datapath_server, node);
        if (strcmp(server->endpoint, endpoint) == 0) {
            slim_datapath_server_free(server);
            return SLIM_OK;
        }
    }
    return SLIM_ERR_NOT_FOUND;
}
