#include "datapath/internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"

#define SLIM_LOG_TARGET "slim_datapath::message_processing"

/* A quarter of the machine's memory, at most 1 GiB. */
static size_t default_memory_max(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_bytes = sysconf(_SC_PAGESIZE);
    if (pages <= 0 || page_bytes <= 0) {
        return SLIM_DATAPATH_MEMORY_DEFAULT_MAX;
    }
    size_t quarter = (size_t)pages / 4 * (size_t)page_bytes;
    return quarter < SLIM_DATAPATH_MEMORY_DEFAULT_MAX ? quarter : SLIM_DATAPATH_MEMORY_DEFAULT_MAX;
}

static void on_drained(struct slim_task *task)
{
    struct slim_datapath *datapath = SLIM_CONTAINER_OF(task, struct slim_datapath, drained);
    void (*call)(void *ctx) = datapath->on_drained;
    datapath->on_drained = NULL;
    if (call != NULL) {
        call(datapath->drained_ctx);
    }
}

static void on_tunnels_gone(void *ctx)
{
    slim_datapath_check_drained(ctx);
}

enum slim_status slim_datapath_new(struct slim_loop *loop,
                                   const struct slim_datapath_options *options,
                                   struct slim_datapath **datapath)
{
    enum { TIMER_COUNT = 3 };
    struct slim_datapath *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < TIMER_COUNT; i++) {
        if (slim_loop_reserve_timer(loop) != SLIM_OK) {
            for (; i > 0; i--) {
                slim_loop_release_timer(loop);
            }
            free(made);
            return SLIM_ERR_NO_MEMORY;
        }
    }
    made->loop = loop;
    made->heap = slim_loop_heap(loop);
    made->pool = slim_loop_pool(loop);
    made->options = *options;
    made->memory_max =
        options->memory_max_bytes == 0 ? default_memory_max() : options->memory_max_bytes;
    strncpy(made->slim_version, options->slim_version, sizeof(made->slim_version) - 1);
    slim_list_init(&made->conns);
    slim_list_init(&made->servers);
    slim_list_init(&made->sockets);
    slim_list_init(&made->links);
    slim_list_init(&made->tls);
    slim_tunnels_init(&made->tunnels, loop);
    made->tunnels.on_empty = on_tunnels_gone;
    made->tunnels.ctx = made;
    slim_list_init(&made->recoveries);
    slim_spires_init(&made->spires, loop);
    slim_list_init(&made->auths);
    slim_list_init(&made->waiting);
    slim_list_init(&made->graves);
    slim_timer_init(&made->watch, slim_datapath_slow_on_watch);
    slim_timer_init(&made->calm, slim_datapath_slow_on_calm);
    slim_timer_init(&made->recovery_timer, slim_datapath_recovery_on_timer);
    slim_task_init(&made->drained, on_drained);
    struct slim_hash_key key = {slim_random_u64(), slim_random_u64()};
    enum slim_status status = slim_routes_new(made->heap, key, &made->routes);
    if (status != SLIM_OK) {
        slim_datapath_free(made);
        return status;
    }
    *datapath = made;
    return SLIM_OK;
}

void slim_datapath_free(struct slim_datapath *datapath)
{
    if (datapath == NULL) {
        return;
    }
    datapath->is_draining = true; /* nothing is kept for later, nothing is opened again */
    datapath->on_drained = NULL;
    SLIM_LIST_EACH(node, &datapath->servers)
    {
        slim_datapath_server_free(SLIM_LIST_ENTRY(node, struct slim_datapath_server, node));
    }
    slim_datapath_links_free(datapath);
    while (!slim_list_is_empty(&datapath->conns)) {
        slim_datapath_conn_free(
            SLIM_LIST_ENTRY(datapath->conns.next, struct slim_datapath_conn, node), false);
    }
    while (!slim_list_is_empty(&datapath->sockets)) {
        slim_datapath_socket_free(
            SLIM_LIST_ENTRY(datapath->sockets.next, struct slim_datapath_socket, node));
    }
    slim_tunnels_fini(&datapath->tunnels);
    slim_datapath_recovery_free_all(datapath);
    /* their users are gone */
    assert(slim_list_is_empty(&datapath->auths) && slim_list_is_empty(&datapath->spires.list));
    slim_task_cancel(&datapath->drained);
    slim_timer_cancel(datapath->loop, &datapath->watch);
    slim_timer_cancel(datapath->loop, &datapath->calm);
    slim_timer_cancel(datapath->loop, &datapath->recovery_timer);
    for (int i = 0; i < 3; i++) {
        slim_loop_release_timer(datapath->loop);
    }
    slim_block_unref(datapath->fanout);
    slim_buf_fini(&datapath->scratch);
    slim_routes_free(datapath->routes);
    free(datapath->by_id);
    free(datapath);
}

void slim_datapath_put_own(struct slim_datapath_conn *conn)
{
    struct slim_view msg = slim_buf_view(&conn->datapath->scratch);
    if (slim_grpc_call_put_message(conn->call, msg) != SLIM_OK) {
        conn->datapath->stats.answer_lost_count++;
        return;
    }
    slim_transport_touch(conn->socket->transport);
    /* a peer that asks and never reads is bounded too */
    slim_datapath_slow_queued(conn, NULL, msg.len);
}

void slim_datapath_check_drained(struct slim_datapath *datapath)
{
    if (datapath->is_draining && datapath->on_drained != NULL &&
        slim_list_is_empty(&datapath->sockets) && slim_list_is_empty(&datapath->links) &&
        slim_list_is_empty(&datapath->tunnels.list)) {
        slim_loop_at_turn_end(datapath->loop, &datapath->drained);
    }
}

void slim_datapath_drain(struct slim_datapath *datapath, void (*done)(void *ctx), void *ctx)
{
    datapath->is_draining = true;
    datapath->on_drained = done;
    datapath->drained_ctx = ctx;
    SLIM_LIST_EACH(node, &datapath->servers)
    {
        slim_datapath_server_free(SLIM_LIST_ENTRY(node, struct slim_datapath_server, node));
    }
    slim_datapath_links_drain(datapath);
    SLIM_LIST_EACH(node, &datapath->conns)
    {
        struct slim_datapath_conn *conn = SLIM_LIST_ENTRY(node, struct slim_datapath_conn, node);
        if (conn->kind == SLIM_DATAPATH_CONN_SERVER) {
            slim_log(INFO, "shutting down stream on drain",
                     SLIM_LOG_U64("conn_index", conn->peer.id));
            datapath->stats.drained_count++;
            slim_datapath_conn_end(conn, SLIM_GRPC_OK, "", true);
        }
    }
    SLIM_LIST_EACH(node, &datapath->sockets)
    {
        struct slim_datapath_socket *socket =
            SLIM_LIST_ENTRY(node, struct slim_datapath_socket, node);
        socket->is_closing = true;
        slim_datapath_health_drain(socket);
        slim_transport_close_flushed(socket->transport, SLIM_DATAPATH_DRAIN_FLUSH_MS);
    }
    slim_datapath_check_drained(datapath);
}

void slim_datapath_reload(struct slim_datapath *datapath)
{
    slim_datapath_tls_reload(datapath);
    slim_datapath_auth_reload_all(datapath);
}

const struct slim_datapath_stats *slim_datapath_stats(struct slim_datapath *datapath)
{
    datapath->stats.bytes_held = slim_block_pool_stats(datapath->pool)->bytes_in_use;
    if (slim_block_pool_stats(datapath->pool)->bytes_peak > datapath->stats.bytes_held_peak) {
        datapath->stats.bytes_held_peak = slim_block_pool_stats(datapath->pool)->bytes_peak;
    }
    return &datapath->stats;
}
