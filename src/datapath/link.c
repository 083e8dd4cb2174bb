/* Links: streams that we open, and open again (spec wire.md 7.2, 7.4).
 *
 *                       refused for good, or no retries left: failed
 *                          ^
 *   CONNECTING -> OPENING -+-> OPEN -- lost --> WAITING -> CONNECTING ...
 *        |            |                            ^
 *        +------------+------- transport error ----+
 *
 * The connection (its id, the routes to it) is made when the first stream opens, and stays until the link ends for good. */
#include "datapath/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "datapath/backoff.h"
#include "datapath/forwarded.h"
#include "datapath/request.h"
#include "io/connector.h"

#define SLIM_LOG_TARGET "slim_datapath::message_processing"

enum { STABLE_MS = 1000 }; /* a stream that lived this long starts the back-off anew */

/* conn          NULL until the first stream opened
 * retry_count   since the last stable stream; opened_at_ms: of the last stream
 * refusal_count how often in a row the peer refused us as unauthenticated
 * is_initial    no stream opened yet: failures go to on_connected */
struct slim_datapath_link {
    struct slim_datapath *datapath;
    struct slim_list node;
    struct slim_datapath_conn *conn;
    struct slim_datapath_socket *socket;
    struct slim_grpc_call *call;
    struct slim_connector *connector;
    struct slim_tunnel *tunnel; /* instead of a connector, when there is a proxy */
    struct slim_datapath_proxy *proxy;
    struct slim_timer timer;
    enum { LINK_CONNECTING, LINK_OPENING, LINK_OPEN, LINK_WAITING } state;
    uint64_t retry_count;
    uint64_t refusal_count;
    uint64_t opened_at_ms;
    uint64_t attempt_at_ms;
    bool is_initial;

    char *endpoint_text;
    char link_id[SLIM_DATAPATH_LINK_ID_BYTES + 1];
    struct slim_endpoint endpoint;
    struct slim_datapath_tls *tls; /* NULL: plain */
    char *server_name;             /* of TLS */
    struct slim_grpc_options grpc;
    struct slim_config_backoff backoff;
    uint64_t connect_timeout_ms;
    uint64_t request_timeout_ms;
    struct slim_datapath_forwarded *forwarded;

    struct slim_datapath_auth *auth; /* NULL: calls carry no authorization */
    struct slim_datapath_headers headers;
    struct slim_datapath_rate rate;

    slim_datapath_on_connected *on_connected;
    void *ctx;
};

static void connect_now(struct slim_datapath_link *link);

/* ------------------------------------------------------------------------------------------------ the end of attempts */

/* Leave the socket and its call behind; they end by themselves. */
static void drop_socket(struct slim_datapath_link *link)
{
    slim_connector_cancel(link->connector);
    link->connector = NULL;
    slim_tunnel_cancel(link->tunnel);
    link->tunnel = NULL;
    slim_timer_cancel(link->datapath->loop, &link->timer);
    if (link->conn != NULL) {
        slim_datapath_slow_release(link->conn);
        slim_datapath_slow_forget(link->conn);
        slim_list_remove(&link->conn->on_socket);
        link->conn->call = NULL;
        link->conn->socket = NULL;
        link->conn->peer_version[0] = 0;
    }
    if (link->call != NULL) {
        link->datapath->stats.discarded_bytes +=
            link->datapath->is_draining ? 0 : slim_grpc_call_unsent_bytes(link->call);
        slim_grpc_call_set_ctx(link->call, NULL);
        slim_grpc_call_finish(link->call, SLIM_GRPC_CANCELLED, (struct slim_view){0},
                              link->datapath->is_draining);
        link->call = NULL;
    }
    if (link->socket != NULL) {
        link->socket->link = NULL;
        link->socket->is_closing = true;
        slim_transport_close_flushed(link->socket->transport, link->datapath->is_draining
                                                                  ? SLIM_DATAPATH_DRAIN_FLUSH_MS
                                                                  : SLIM_DATAPATH_DRAIN_LINGER_MS);
        link->socket = NULL;
    }
}

void slim_datapath_link_free(struct slim_datapath_link *link)
{
    struct slim_datapath *datapath = link->datapath;
    drop_socket(link);
    slim_list_remove(&link->node);
    if (link->conn != NULL) {
        slim_datapath_conn_free(link->conn, false);
        datapath->stats.connections_closed++;
        datapath->stats.link_ended_count++;
    }
    slim_loop_release_timer(datapath->loop);
    slim_datapath_forwarded_free(link->forwarded);
    slim_datapath_headers_fini(&link->headers);
    slim_datapath_auth_unref(link->auth);
    slim_datapath_tls_free(link->tls);
    slim_datapath_proxy_free(link->proxy);
    free(link->server_name);
    free(link->endpoint_text);
    free(link);
    slim_datapath_check_drained(datapath);
}

/* No further attempt: tell whoever waits, and forget the link, so that the endpoint can be connected again. */
static void give_up(struct slim_datapath_link *link, enum slim_status status, const char *text)
{
    slim_datapath_on_connected *on_connected = link->is_initial ? link->on_connected : NULL;
    void *ctx = link->ctx;
    link->datapath->stats.link_given_up_count++;
    if (link->conn != NULL) {
        link->conn->why = "given up";
    }
    if (on_connected == NULL) {
        slim_log(ERROR, "unable to reconnect to remote node",
                 SLIM_LOG_STR("endpoint", link->endpoint_text), SLIM_LOG_STR("error", text));
    }
    char reason[SLIM_ERROR_TEXT_MAX];
    /* may be cut; the link owns `text` in some cases */
    (void)snprintf(reason, sizeof(reason), "%s", text);
    slim_datapath_link_free(link);
    if (on_connected != NULL) {
        on_connected(ctx, status, 0, reason);
    }
}

static void on_timer(struct slim_timer *timer)
{
    struct slim_datapath_link *link = SLIM_CONTAINER_OF(timer, struct slim_datapath_link, timer);
    switch (link->state) {
    case LINK_WAITING:
        connect_now(link);
        break;
    case LINK_OPENING:
        slim_datapath_link_lost(link, SLIM_ERR_TIMEOUT, "no response headers in time");
        break;
    case LINK_CONNECTING:
    case LINK_OPEN:
        break; /* no timer is set in these states */
    }
}

/* The attempt failed or the stream is gone: the next attempt, after the back-off. */
static void retry(struct slim_datapath_link *link, enum slim_status status, const char *text)
{
    struct slim_datapath *datapath = link->datapath;
    uint64_t now_ms = slim_loop_now_ms(datapath->loop);
    if (link->retry_count >= link->backoff.max_attempts) {
        give_up(link, status, text);
        return;
    }
    link->retry_count++;
    uint64_t delay_ms =
        slim_datapath_backoff_delay_ms(&link->backoff, link->retry_count, slim_random_u64());
    uint64_t due_ms = now_ms + delay_ms;
    if (due_ms < link->attempt_at_ms + SLIM_DATAPATH_RECONNECT_MIN_MS) {
        due_ms = link->attempt_at_ms +
                 SLIM_DATAPATH_RECONNECT_MIN_MS; /* never a hot loop, whatever the jitter */
    }
    link->state = LINK_WAITING;
    slim_timer_set(datapath->loop, &link->timer, due_ms);
}

/* A transport error, which is retried. */
static void attempt_failed(struct slim_datapath_link *link, enum slim_status status,
                           const char *text)
{
    link->datapath->stats.link_attempt_failed_count++;
    slim_log_as("slim_config::grpc::client", WARN, "Transport error encountered. Retrying...",
                SLIM_LOG_STR("endpoint", link->endpoint_text), SLIM_LOG_STR("error", text));
    drop_socket(link);
    retry(link, status, text);
}

/* There is nothing to authenticate with at the moment. The next attempt comes with the back-off, or with a new token. */
static void no_credentials(struct slim_datapath_link *link, const char *text)
{
    slim_log_as("slim_config::grpc::client", WARN, "No credentials for the link. Retrying...",
                SLIM_LOG_STR("endpoint", link->endpoint_text), SLIM_LOG_STR("error", text));
    drop_socket(link);
    retry(link, SLIM_ERR_AUTH, text);
}

/* A token or a key is new: an attempt that waits need not wait longer. From inside callbacks of others, so the attempt itself comes from
 * the timer. */
static void on_auth_change(void *ctx)
{
    struct slim_datapath_link *link = ctx;
    if (link->state == LINK_WAITING) {
        slim_timer_set(link->datapath->loop, &link->timer, slim_loop_now_ms(link->datapath->loop));
    }
}

/* The peer does not take us for who we say we are. At the start that is for a person to mend; later it may be a key that is changed on both
 * sides one after the other, so there are some further attempts, slower and slower. */
static void refused(struct slim_datapath_link *link, const char *text)
{
    enum { SHIFT_MAX = 6 };
    link->datapath->stats.link_refused_count++;
    link->refusal_count++;
    link->retry_count++;
    if (link->is_initial || link->refusal_count >= SLIM_DATAPATH_REFUSALS_MAX ||
        link->retry_count > link->backoff.max_attempts) {
        give_up(link, SLIM_ERR_DENIED, text);
        return;
    }
    slim_log_as("slim_config::grpc::client", ERROR, "the remote node refuses our credentials",
                SLIM_LOG_STR("endpoint", link->endpoint_text), SLIM_LOG_STR("error", text));
    drop_socket(link);
    uint64_t shift = link->refusal_count <= SHIFT_MAX ? link->refusal_count - 1 : SHIFT_MAX;
    uint64_t pause_ms = (uint64_t)SLIM_DATAPATH_REFUSED_MIN_MS << shift;
    link->state = LINK_WAITING;
    slim_timer_set(link->datapath->loop, &link->timer,
                   slim_loop_now_ms(link->datapath->loop) + (pause_ms < SLIM_DATAPATH_REFUSED_MAX_MS
                                                                 ? pause_ms
                                                                 : SLIM_DATAPATH_REFUSED_MAX_MS));
}

void slim_datapath_link_lost(struct slim_datapath_link *link, enum slim_status status,
                             const char *text)
{
    struct slim_datapath *datapath = link->datapath;
    if (link->state != LINK_OPEN) {
        attempt_failed(link, status, text);
        return;
    }
    assert(link->conn != NULL); /* made when the stream opened */
    uint64_t now_ms = slim_loop_now_ms(datapath->loop);
    slim_log(INFO, "connection lost with remote endpoint, attempting to reconnect",
             SLIM_LOG_STR("endpoint", link->endpoint_text),
             SLIM_LOG_U64("conn_index", link->conn->peer.id));
    datapath->stats.link_lost_count++;
    drop_socket(link);
    slim_datapath_tell_link(datapath, link->conn->peer.id, false);
    if (now_ms - link->opened_at_ms < STABLE_MS) {
        retry(link, status, text); /* lost at once: this is a failed attempt, not a good stream */
        return;
    }
    link->retry_count = 0;
    link->state = LINK_WAITING;
    /* the first attempt is immediate, but not from inside a callback */
    slim_timer_set(datapath->loop, &link->timer, now_ms);
}

/* ------------------------------------------------------------------------------------------------ opening */

static void restore(void *ctx, struct slim_view msg)
{
    struct slim_datapath_link *link = ctx;
    if (link->call != NULL && slim_grpc_call_put_message(link->call, msg) != SLIM_OK) {
        link->datapath->stats.unrestored_count++;
        slim_log(WARN, "subscription not restored", SLIM_LOG_STR("endpoint", link->endpoint_text));
    }
}

static void put_link_request(struct slim_datapath_link *link)
{
    struct slim_datapath *datapath = link->datapath;
    slim_buf_clear(&datapath->scratch);
    if (slim_wire_put_link(&datapath->scratch, slim_view_str(link->link_id),
                           slim_view_str(datapath->slim_version), false) == SLIM_OK &&
        slim_grpc_call_put_message(link->call, slim_buf_view(&datapath->scratch)) != SLIM_OK) {
        datapath->stats.answer_lost_count++;
        slim_log(WARN, "link negotiation not sent", SLIM_LOG_STR("endpoint", link->endpoint_text));
    }
}

static void on_open(void *ctx, struct slim_grpc_call *call)
{
    struct slim_datapath_socket *socket = ctx;
    struct slim_datapath_link *link = socket->link;
    if (link == NULL || link->call != call) {
        return;
    }
    struct slim_datapath *datapath = link->datapath;
    slim_timer_cancel(datapath->loop, &link->timer);
    if (link->conn == NULL) {
        enum slim_status status =
            slim_datapath_conn_new(datapath, SLIM_DATAPATH_CONN_LINK, &link->conn);
        if (status != SLIM_OK) {
            give_up(link, status, slim_status_text(status));
            return;
        }
        link->conn->link = link;
    }
    struct slim_datapath_conn *conn = link->conn;
    link->state = LINK_OPEN;
    link->refusal_count = 0;
    link->opened_at_ms = slim_loop_now_ms(datapath->loop);
    conn->why = NULL;
    conn->call = call;
    conn->socket = socket;
    slim_list_put_last(&socket->conns, &conn->on_socket);
    slim_grpc_call_set_ctx(call, conn);
    if (link->link_id[0] != 0) {
        memcpy(conn->link_id, link->link_id, sizeof(conn->link_id));
        put_link_request(link);
    }
    slim_datapath_forwarded_each(link->forwarded, restore, link);
    slim_transport_touch(socket->transport);
    if (link->is_initial) {
        link->is_initial = false;
        link->on_connected(link->ctx, SLIM_OK, conn->peer.id, "");
    } else {
        datapath->stats.reconnect_count++;
        slim_log(INFO, "connection re-established successfully",
                 SLIM_LOG_STR("endpoint", link->endpoint_text),
                 SLIM_LOG_U64("conn_index", conn->peer.id));
        slim_datapath_tell_link(datapath, conn->peer.id, true);
    }
}

/* Answers after which trying again makes no sense until somebody changes something. */
static bool is_final(enum slim_grpc_status status)
{
    switch (status) {
    case SLIM_GRPC_PERMISSION_DENIED:
    case SLIM_GRPC_UNIMPLEMENTED:
        return true;
    case SLIM_GRPC_UNAUTHENTICATED: /* see refused */
    case SLIM_GRPC_OK:
    case SLIM_GRPC_CANCELLED:
    case SLIM_GRPC_UNKNOWN:
    case SLIM_GRPC_INVALID_ARGUMENT:
    case SLIM_GRPC_DEADLINE_EXCEEDED:
    case SLIM_GRPC_NOT_FOUND:
    case SLIM_GRPC_ALREADY_EXISTS:
    case SLIM_GRPC_RESOURCE_EXHAUSTED:
    case SLIM_GRPC_FAILED_PRECONDITION:
    case SLIM_GRPC_ABORTED:
    case SLIM_GRPC_OUT_OF_RANGE:
    case SLIM_GRPC_INTERNAL:
    case SLIM_GRPC_UNAVAILABLE:
    case SLIM_GRPC_DATA_LOSS:
        return false;
    }
    return false;
}

static void on_end(void *ctx, struct slim_grpc_call *call, const struct slim_grpc_end *end)
{
    struct slim_datapath_socket *socket = ctx;
    struct slim_datapath_link *link = socket->link;
    if (link == NULL || link->call != call) {
        return;
    }
    char text[256];
    /* may be cut */
    (void)snprintf(text, sizeof(text), "status: '%s', self: \"%.*s\"",
                   slim_grpc_status_text(end->status), SLIM_VIEW_ARG(end->message));
    link->call = NULL;
    if (link->conn != NULL) {
        link->conn->call = NULL;
    }
    if (end->status == SLIM_GRPC_UNAUTHENTICATED && link->state == LINK_OPENING) {
        refused(link, text);
        return;
    }
    if (is_final(end->status) && link->state == LINK_OPENING) {
        give_up(link, SLIM_ERR_DENIED, text);
        return;
    }
    const char *why;
    if (link->is_initial && slim_transport_why(socket->transport, &why) == SLIM_ERR_DENIED) {
        /* TLS was refused before anything worked, and will be again; later it may be a matter of certificates under renewal */
        give_up(link, SLIM_ERR_DENIED, why);
        return;
    }
    slim_datapath_link_lost(link, SLIM_ERR_CLOSED, text);
}

static void on_closed(void *ctx, enum slim_status status, const char *text)
{
    struct slim_datapath_socket *socket = ctx;
    struct slim_datapath *datapath = socket->datapath;
    struct slim_datapath_link *link = socket->link;
    slim_datapath_count_socket_end(socket, status);
    socket->transport = NULL;
    if (link != NULL) {
        link->socket = NULL; /* its transport is being freed: nothing to close any more */
        slim_datapath_link_lost(link, status == SLIM_OK ? SLIM_ERR_CLOSED : status, text);
    }
    slim_datapath_socket_free(socket);
    slim_datapath_check_drained(datapath);
}

/* The TCP connection is there: start TLS, if it is wanted, and HTTP/2. */
static enum slim_status open_socket(struct slim_datapath_link *link, int fd,
                                    struct slim_error *error)
{
    static const struct slim_grpc_handler grpc_handler = {
        .on_open = on_open, .on_message = slim_datapath_on_message, .on_end = on_end};
    static const struct slim_transport_handler handler = {.on_closed = on_closed,
                                                          .on_flushed = slim_datapath_on_flushed};
    struct slim_datapath *datapath = link->datapath;
    struct slim_tls_session *tls;
    enum slim_status status = slim_datapath_tls_session(link->tls, link->server_name, &tls, error);
    if (status != SLIM_OK) {
        datapath->stats.tls_not_ready_count++;
        close(fd);
        return status;
    }
    struct slim_datapath_socket *socket = slim_heap_take_zeroed(datapath->heap, 1, sizeof(*socket));
    if (socket == NULL) {
        slim_tls_session_free(tls);
        close(fd);
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
    }
    socket->datapath = datapath;
    socket->link = link;
    slim_list_init(&socket->conns);
    slim_list_init(&socket->health);
    (void)snprintf(socket->text, sizeof(socket->text), "%s", link->endpoint_text); /* may be cut */
    const struct slim_transport_options options = {
        .grpc = &link->grpc, .tls = tls, .handshake_timeout_ms = SLIM_TRANSPORT_HANDSHAKE_MS};
    status = slim_transport_open(datapath->loop, fd, &options, &grpc_handler, socket, &handler,
                                 socket, &socket->transport);
    if (status != SLIM_OK) {
        slim_heap_return(datapath->heap, socket);
        return slim_error_set(error, status, "%s", slim_status_text(status));
    }
    slim_list_put_last(&datapath->sockets, &socket->node);
    datapath->socket_count++;
    link->socket = socket;
    return SLIM_OK;
}

/* Start the call. */
static enum slim_status open_stream(struct slim_datapath_link *link, struct slim_view authorization,
                                    struct slim_error *error)
{
    char path[SLIM_ENDPOINT_PATH_MAX + 64];
    /* fits */
    (void)snprintf(path, sizeof(path), "%s/dataplane.proto.v1.DataPlaneService/OpenChannel",
                   link->endpoint.path);
    struct slim_grpc_header *headers = link->headers.items;
    size_t count = link->headers.count;
    if (authorization.len > 0) {
        headers[count++] = (struct slim_grpc_header){SLIM_VIEW("authorization"), authorization};
    }
    enum slim_status status =
        slim_grpc_call_start(slim_transport_grpc(link->socket->transport), slim_view_str(path),
                             headers, count, NULL, &link->call);
    slim_transport_touch(link->socket->transport);
    return status == SLIM_OK ? SLIM_OK
                             : slim_error_set(error, status, "%s", slim_status_text(status));
}

static void on_connector_done(void *ctx, enum slim_status status, int fd, const char *text)
{
    struct slim_datapath_link *link = ctx;
    link->connector = NULL;
    link->tunnel = NULL;
    if (status == SLIM_ERR_DENIED && link->is_initial) {
        give_up(link, status, text); /* by a proxy: it will refuse again */
        return;
    }
    struct slim_error error;
    struct slim_view authorization = {0};
    if (status == SLIM_OK && link->auth != NULL &&
        slim_datapath_auth_header(link->auth, &authorization, &text) != SLIM_OK) {
        close(fd);
        no_credentials(link, text);
        return;
    }
    if (status == SLIM_OK) {
        link->state = LINK_OPENING;
        status = open_socket(link, fd, &error);
        if (status == SLIM_OK) {
            status = open_stream(link, authorization, &error);
        }
        text = error.text;
    }
    if (status != SLIM_OK) {
        attempt_failed(link, status, text);
    } else if (link->request_timeout_ms != 0) {
        slim_timer_set(link->datapath->loop, &link->timer,
                       slim_loop_now_ms(link->datapath->loop) + link->request_timeout_ms);
    }
}

static void connect_now(struct slim_datapath_link *link)
{
    uint64_t now_ms = slim_loop_now_ms(link->datapath->loop);
    uint64_t wait_ms = slim_datapath_rate_wait_ms(&link->rate, now_ms);
    if (wait_ms > 0) {
        link->state = LINK_WAITING;
        slim_timer_set(link->datapath->loop, &link->timer, now_ms + wait_ms);
        return;
    }
    link->state = LINK_CONNECTING;
    link->attempt_at_ms = now_ms;
    struct slim_error error;
    enum slim_status status =
        slim_datapath_proxy_open(link->proxy, &link->endpoint, link->connect_timeout_ms,
                                 on_connector_done, link, &link->tunnel, &error);
    if (status == SLIM_ERR_NOT_FOUND) {
        status = slim_connector_new(link->datapath->loop, &link->endpoint, link->connect_timeout_ms,
                                    on_connector_done, link, &link->connector);
        (void)slim_error_set(&error, status, "%s", slim_status_text(status));
    }
    if (status != SLIM_OK) {
        attempt_failed(link, status, error.text);
    }
}

/* ------------------------------------------------------------------------------------------------ public */

void slim_datapath_link_note(struct slim_datapath_link *link, const struct slim_wire_head *head)
{
    if (slim_datapath_forwarded_note(link->forwarded, head) != SLIM_OK) {
        link->datapath->stats.unremembered_count++;
        slim_log_limited(&link->datapath->log_refused, WARN,
                         "subscription will not survive a reconnection",
                         SLIM_LOG_STR("endpoint", link->endpoint_text));
    }
}

/* TLS is a matter of the scheme: `http` stays plain whatever tls says, `https` with tls.insecure speaks plain HTTP/2. */
static enum slim_status configure_tls(struct slim_datapath_link *link,
                                      const struct slim_config_client *client,
                                      struct slim_error *error)
{
    if (strcmp(link->endpoint.scheme, "https") != 0) {
        return SLIM_OK;
    }
    link->server_name =
        strdup(client->server_name != NULL ? client->server_name : link->endpoint.host);
    if (link->server_name == NULL) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
    }
    return slim_datapath_tls_new_client(link->datapath, &client->tls, client->endpoint, &link->tls,
                                        error);
}

/* Copy what the link needs of its configuration. */
static enum slim_status configure(struct slim_datapath_link *link,
                                  const struct slim_config_client *client, struct slim_error *error)
{
    SLIM_TRY(slim_endpoint_parse(slim_view_str(client->endpoint), &link->endpoint, error));
    SLIM_TRY(configure_tls(link, client, error));
    SLIM_TRY(slim_datapath_proxy_new(link->datapath, &client->proxy, client->endpoint, &link->proxy,
                                     error));
    struct slim_endpoint origin = link->endpoint;
    if (client->origin != NULL) {
        SLIM_TRY(slim_endpoint_parse(slim_view_str(client->origin), &origin, error));
    }
    link->grpc = slim_grpc_options_default(false);
    link->grpc.scheme = slim_view_str(link->endpoint.scheme);
    if (client->origin != NULL) {
        memcpy(link->endpoint.scheme, origin.scheme, sizeof(origin.scheme));
        memcpy(link->endpoint.authority, origin.authority, sizeof(origin.authority));
        memcpy(link->endpoint.path, origin.path, sizeof(origin.path));
    }
    link->grpc.authority = slim_view_str(link->endpoint.authority);
    link->grpc.user_agent = SLIM_VIEW("slim-c/" SLIM_VERSION);
    link->grpc.counters = &link->datapath->counters;
    if (client->has_keepalive) {
        link->grpc.ping_interval_ms = client->http2_keepalive_ms;
        link->grpc.ping_timeout_ms = client->keepalive_timeout_ms;
    }
    link->backoff = client->backoff;
    link->rate.count = client->rate_limit_count;
    link->rate.period_ms = client->rate_limit_ms;
    link->connect_timeout_ms = client->connect_timeout_ms;
    link->request_timeout_ms = client->request_timeout_ms;
    if (client->link_id != NULL) {
        /* 36 characters, checked by config */
        (void)snprintf(link->link_id, sizeof(link->link_id), "%s", client->link_id);
    }
    return SLIM_OK;
}

/* What its calls carry. */
static enum slim_status configure_headers(struct slim_datapath_link *link,
                                          const struct slim_config_client *client,
                                          struct slim_error *error)
{
    SLIM_TRY(slim_datapath_auth_new_client(link->datapath, &client->auth, client->endpoint,
                                           on_auth_change, link, &link->auth, error));
    bool is_plain = client->tls.is_insecure || strncmp(client->endpoint, "https:", 6) != 0;
    if (link->auth != NULL && is_plain) {
        slim_log_as("slim_config::grpc::client", WARN,
                    "Auth is enabled without TLS. This is not recommended.",
                    SLIM_LOG_STR("endpoint", client->endpoint));
    }
    return slim_datapath_headers_init(&link->headers, &client->headers, link->auth != NULL, error);
}

enum slim_status slim_datapath_connect(struct slim_datapath *datapath,
                                       const struct slim_config_client *client,
                                       slim_datapath_on_connected *on_connected, void *ctx,
                                       struct slim_error *error)
{
    if (datapath->is_draining) {
        return slim_error_set(error, SLIM_ERR_STATE, "data plane is shutting down");
    }
    SLIM_LIST_EACH(node, &datapath->links)
    {
        if (strcmp(SLIM_LIST_ENTRY(node, struct slim_datapath_link, node)->endpoint_text,
                   client->endpoint) == 0) {
            return slim_error_set(error, SLIM_ERR_EXISTS, "client already connected: %s",
                                  client->endpoint);
        }
    }
    struct slim_datapath_link *link = calloc(1, sizeof(*link));
    if (link == NULL || slim_loop_reserve_timer(datapath->loop) != SLIM_OK) {
        free(link);
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
    }
    link->datapath = datapath;
    link->is_initial = true;
    link->on_connected = on_connected;
    link->ctx = ctx;
    slim_list_init(&link->node);
    slim_timer_init(&link->timer, on_timer);
    enum slim_status status = configure(link, client, error);
    if (status == SLIM_OK) {
        status = configure_headers(link, client, error);
    }
    if (status == SLIM_OK) {
        link->endpoint_text = strdup(client->endpoint);
        status = link->endpoint_text == NULL
                     ? slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory")
                     : slim_datapath_forwarded_new(&link->forwarded);
    }
    if (status != SLIM_OK) {
        slim_datapath_link_free(link);
        return status;
    }
    slim_list_put_last(&datapath->links, &link->node);
    connect_now(link);
    return SLIM_OK;
}

enum slim_status slim_datapath_stop_connecting(struct slim_datapath *datapath, const char *endpoint)
{
    assert(datapath->delivery_depth == 0);
    SLIM_LIST_EACH(node, &datapath->links)
    {
        struct slim_datapath_link *link = SLIM_LIST_ENTRY(node, struct slim_datapath_link, node);
        if (link->is_initial && strcmp(link->endpoint_text, endpoint) == 0) {
            give_up(link, SLIM_ERR_CLOSED, "connecting was stopped");
            return SLIM_OK;
        }
    }
    return SLIM_ERR_NOT_FOUND;
}

enum slim_status slim_datapath_disconnect(struct slim_datapath *datapath, uint64_t conn_id)
{
    assert(datapath->delivery_depth == 0);
    struct slim_datapath_conn *conn = slim_datapath_conn_find(datapath, conn_id);
    if (conn == NULL || conn->link == NULL) {
        return SLIM_ERR_NOT_FOUND;
    }
    slim_datapath_link_free(conn->link);
    return SLIM_OK;
}

const char *slim_datapath_link_endpoint(const struct slim_datapath_link *link)
{
    return link->endpoint_text;
}

void slim_datapath_links_drain(struct slim_datapath *datapath)
{
    SLIM_LIST_EACH(node, &datapath->links)
    {
        struct slim_datapath_link *link = SLIM_LIST_ENTRY(node, struct slim_datapath_link, node);
        if (link->conn != NULL) {
            slim_log(INFO, "disconnecting client", SLIM_LOG_STR("endpoint", link->endpoint_text),
                     SLIM_LOG_U64("conn_id", link->conn->peer.id));
        }
        if (link->is_initial) {
            give_up(link, SLIM_ERR_STATE, "data plane is shutting down");
        } else {
            slim_datapath_link_free(link);
        }
    }
}

void slim_datapath_links_free(struct slim_datapath *datapath)
{
    SLIM_LIST_EACH(node, &datapath->links)
    {
        slim_datapath_link_free(SLIM_LIST_ENTRY(node, struct slim_datapath_link, node));
    }
}
