/* The page for scrapers: libmicrohttpd without threads, its epoll descriptor inside our loop's. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/listener.h"
#include "telemetry/library.h"
#include "telemetry/limits.h"
#include "telemetry/telemetry.h"

/* page        the response made last, at made_ms; NULL: none
 * timer       when microhttpd wants to be asked again: its connections time out */
struct slim_telemetry_server {
    const struct slim_telemetry_library *library;
    struct slim_loop *loop;
    struct slim_listener *listener;
    struct MHD_Daemon *daemon;
    struct slim_watch watch;
    struct slim_timer timer;
    slim_telemetry_collect *collect;
    void *ctx;
    struct MHD_Response *page;
    uint64_t made_ms;
    bool has_timer;
};

/* ---------------------------------------------------------------------------------------------------- answers */

static struct MHD_Response *make_page(struct slim_telemetry_server *server)
{
    struct slim_telemetry_snapshot *snapshot = NULL;
    if (server->collect(server->ctx, &snapshot) != SLIM_OK) {
        return NULL;
    }
    struct slim_buf text = {0};
    struct MHD_Response *page = NULL;
    if (slim_telemetry_put_prometheus(snapshot, &text) == SLIM_OK) {
        page = server->library->create_response_with_free(text.len, text.data, free);
    }
    slim_telemetry_snapshot_free(snapshot);
    if (page == NULL) {
        slim_buf_fini(&text);
        return NULL;
    }
    /* without the header the page is still the right one */
    (void)server->library->add_response_header(page, MHD_HTTP_HEADER_CONTENT_TYPE,
                                               "text/plain; version=0.0.4; charset=utf-8");
    return page;
}

/* The page, not older than SLIM_TELEMETRY_PAGE_AGE_MS: many scrapers cost little more than one. NULL: no memory. */
static struct MHD_Response *page_of(struct slim_telemetry_server *server)
{
    uint64_t now_ms = slim_loop_now_ms(server->loop);
    if (server->page != NULL && now_ms - server->made_ms < SLIM_TELEMETRY_PAGE_AGE_MS) {
        return server->page;
    }
    if (server->page != NULL) {
        server->library->destroy_response(server->page);
    }
    server->page = make_page(server);
    server->made_ms = now_ms;
    return server->page;
}

static enum MHD_Result answer_text(struct slim_telemetry_server *server,
                                   struct MHD_Connection *connection, unsigned code,
                                   const char *text)
{
    union {
        const char *in;
        void *out;
    } unconst = {.in =
                     text}; /* microhttpd does not write to it, but its prototype does not say so */
    struct MHD_Response *response = server->library->create_response_from_buffer(
        strlen(text), unconst.out, MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        return MHD_NO; /* closes the connection */
    }
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED) {
        (void)server->library->add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    }
    enum MHD_Result result = server->library->queue_response(connection, code, response);
    server->library->destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *body,
                                  size_t *body_len, void **request)
{
    (void)version;
    (void)body;
    struct slim_telemetry_server *server = ctx;
    if (*request == NULL) {
        *request =
            server; /* microhttpd calls once for the headers, then for the body and its end */
        return MHD_YES;
    }
    if (*body_len > 0) {
        *body_len = 0; /* nobody wants it */
        return MHD_YES;
    }
    if (strcmp(url, "/metrics") != 0) {
        return answer_text(server, connection, MHD_HTTP_NOT_FOUND, "the page is /metrics\n");
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        return answer_text(server, connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET only\n");
    }
    struct MHD_Response *page = page_of(server);
    if (page == NULL) {
        return answer_text(server, connection, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n");
    }
    return server->library->queue_response(connection, MHD_HTTP_OK, page);
}

/* ---------------------------------------------------------------------------------------------------- the loop */

/* Let microhttpd read and write what it can, and see when it wants to be asked again. */
static void run(struct slim_telemetry_server *server)
{
    (void)server->library->run(server->daemon); /* fails for daemons with threads only */
    MHD_UNSIGNED_LONG_LONG left_ms = 0;
    if (server->library->get_timeout(server->daemon, &left_ms) == MHD_YES) {
        /* never in the same turn: others have work too */
        slim_timer_set(server->loop, &server->timer,
                       slim_loop_now_ms(server->loop) + (left_ms == 0 ? 1 : left_ms));
    } else {
        slim_timer_cancel(server->loop, &server->timer);
    }
}

static void on_ready(struct slim_watch *watch, uint32_t events)
{
    (void)events;
    run(SLIM_CONTAINER_OF(watch, struct slim_telemetry_server, watch));
}

static void on_timer(struct slim_timer *timer)
{
    run(SLIM_CONTAINER_OF(timer, struct slim_telemetry_server, timer));
}

static void on_accept(void *ctx, int fd, const struct slim_address *peer)
{
    struct slim_telemetry_server *server = ctx;
    /* closes the descriptor when it refuses it: too many, or no memory */
    (void)server->library->add_connection(server->daemon, fd,
                                          (const struct sockaddr *)&peer->storage, peer->len);
    run(server);
}

/* ---------------------------------------------------------------------------------------------------- making */

static enum slim_status start_daemon(struct slim_telemetry_server *server)
{
    server->daemon = server->library->start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_request, server,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)SLIM_TELEMETRY_SCRAPERS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SLIM_TELEMETRY_SCRAPER_IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)SLIM_TELEMETRY_SCRAPER_BYTES, MHD_OPTION_END);
    if (server->daemon == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    const union MHD_DaemonInfo *info =
        server->library->get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL || info->epoll_fd < 0) {
        return SLIM_ERR_IO;
    }
    server->watch =
        (struct slim_watch){.fd = info->epoll_fd, .wanted = SLIM_IO_READ, .on_ready = on_ready};
    return slim_loop_watch(server->loop, &server->watch);
}

enum slim_status slim_telemetry_server_new(struct slim_loop *loop, const char *address,
                                           slim_telemetry_collect *collect, void *ctx,
                                           struct slim_telemetry_server **server,
                                           struct slim_error *error)
{
    struct slim_address parsed;
    SLIM_TRY(slim_address_parse(slim_view_str(address), &parsed, error));
    struct slim_telemetry_server *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
    }
    made->library = slim_telemetry_library();
    assert(made->library != NULL); /* telemetry.h: load comes first */
    made->loop = loop;
    made->collect = collect;
    made->ctx = ctx;
    made->watch.fd = -1;
    slim_timer_init(&made->timer, on_timer);
    enum slim_status status = slim_loop_reserve_timer(loop);
    made->has_timer = status == SLIM_OK;
    if (status == SLIM_OK) {
        status = start_daemon(made);
    }
    if (status != SLIM_OK) {
        status = slim_error_set(error, status, "%s", slim_status_text(status));
    } else {
        status = slim_listener_new(loop, &parsed, on_accept, made, &made->listener, error);
    }
    if (status != SLIM_OK) {
        slim_telemetry_server_free(made);
        return status;
    }
    *server = made;
    return SLIM_OK;
}

void slim_telemetry_server_free(struct slim_telemetry_server *server)
{
    if (server == NULL) {
        return;
    }
    slim_listener_free(server->listener);
    slim_timer_cancel(server->loop, &server->timer);
    if (server->has_timer) {
        slim_loop_release_timer(server->loop);
    }
    if (server->watch.fd >= 0) {
        slim_loop_unwatch(server->loop, &server->watch);
    }
    if (server->daemon != NULL) {
        server->library->stop_daemon(server->daemon);
    }
    if (server->page != NULL) {
        server->library->destroy_response(server->page);
    }
    free(server);
}
