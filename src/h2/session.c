/* A connection from its making to its end. */
#include "h2/session.h"

#include "h2/limits.h"

enum {
    WINDOW_BYTES_MIN = 65535,
    FRAME_BYTES_MIN = 16384,
    FRAME_BYTES_MAX = (1 << 24) - 1,
    SETTINGS_MAX = 5,
};

static bool are_options_valid(const struct slim_h2_options *options)
{
    return options->stream_window_bytes >= WINDOW_BYTES_MIN &&
           options->stream_window_bytes <= INT32_MAX &&
           options->conn_window_bytes >= WINDOW_BYTES_MIN &&
           options->conn_window_bytes <= INT32_MAX && options->max_frame_bytes >= FRAME_BYTES_MIN &&
           options->max_frame_bytes <= FRAME_BYTES_MAX;
}

static nghttp2_option *option_new(void)
{
    nghttp2_option *option;
    if (nghttp2_option_new(&option) != 0) {
        return NULL;
    }
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_outbound_ack(option, SLIM_H2_UNSENT_ACKS_MAX);
    nghttp2_option_set_max_settings(option, SLIM_H2_SETTINGS_ENTRIES);
#ifdef SLIM_H2_HAS_CONTINUATION_LIMIT
    nghttp2_option_set_max_continuations(option, SLIM_H2_CONTINUATIONS_MAX);
#endif
#ifdef SLIM_H2_HAS_RESET_LIMIT
    /* Out of the way: it reads a clock of its own. Ours is in flood.c. */
    nghttp2_option_set_stream_reset_rate_limit(option, UINT32_MAX, UINT32_MAX);
#endif
    return option;
}

static nghttp2_session_callbacks *callbacks_new(void)
{
    nghttp2_session_callbacks *callbacks;
    if (nghttp2_session_callbacks_new(&callbacks) != 0) {
        return NULL;
    }
    slim_h2_set_receive_callbacks(callbacks);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, slim_h2_on_send_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, slim_h2_on_frame_send);
    return callbacks;
}

static enum slim_status open_session(struct slim_h2 *h2)
{
    enum slim_status status = SLIM_ERR_NO_MEMORY;
    nghttp2_option *option = option_new();
    nghttp2_session_callbacks *callbacks = callbacks_new();
    if (option != NULL && callbacks != NULL) {
        int result =
            h2->is_server
                ? nghttp2_session_server_new3(&h2->session, callbacks, h2, option, &h2->mem)
                : nghttp2_session_client_new3(&h2->session, callbacks, h2, option, &h2->mem);
        status = result == 0 ? SLIM_OK : SLIM_ERR_NO_MEMORY;
    }
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    return status;
}

/* In the order of the reference (wire.md 1.2). */
static enum slim_status submit_settings(struct slim_h2 *h2, const struct slim_h2_options *options)
{
    nghttp2_settings_entry entries[SETTINGS_MAX];
    size_t count = 0;
    if (!options->is_server) {
        entries[count++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
    } else if (options->max_streams > 0) {
        entries[count++] =
            (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options->max_streams};
    }
    entries[count++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
                                                options->stream_window_bytes};
    entries[count++] =
        (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_FRAME_SIZE, options->max_frame_bytes};
    entries[count++] =
        (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, options->header_list_bytes};
    if (nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, entries, count) != 0 ||
        nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0,
                                              (int32_t)options->conn_window_bytes) != 0) {
        return SLIM_ERR_NO_MEMORY;
    }
    return SLIM_OK;
}

enum slim_status slim_h2_new(const struct slim_h2_options *options,
                             const struct slim_h2_handler *handler, void *ctx,
                             struct slim_heap *heap, struct slim_block_pool *pool, uint64_t now_ms,
                             struct slim_h2 **h2)
{
    if (!are_options_valid(options)) {
        return SLIM_ERR_ARGUMENT;
    }
    struct slim_h2 *made = slim_heap_take_zeroed(heap, 1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    made->sparse.heap = heap;
    made->mem = slim_h2_sparse_mem(&made->sparse);
    made->memory = (struct slim_h2_memory){heap, pool};
    made->handler = *handler;
    made->ctx = ctx;
    made->counters = options->counters;
    made->is_server = options->is_server;
    made->header_list_bytes = options->header_list_bytes;
    made->now_ms = now_ms;
    slim_h2_flood_init(&made->flood, now_ms);
    slim_h2_finished_init(&made->finished, options->is_server);

    enum slim_status status = open_session(made);
    if (status == SLIM_OK) {
        status = submit_settings(made, options);
    }
    if (status != SLIM_OK) {
        slim_h2_free(made);
        return status;
    }
    *h2 = made;
    return SLIM_OK;
}

void slim_h2_free(struct slim_h2 *h2)
{
    if (h2 == NULL) {
        return;
    }
    h2->is_killed = true;
    if (h2->cause != SLIM_H2_CAUSE_NONE) {
        SLIM_H2_COUNT(h2, causes[h2->cause]);
    } else if (h2->status != SLIM_OK) {
        SLIM_H2_COUNT(h2, no_memory);
    }
    nghttp2_session_del(h2->session);
    slim_h2_sparse_fini(&h2->sparse);
    slim_h2_queue_drop(&h2->out, h2->memory, h2->out.byte_count);
    slim_h2_headers_fini(&h2->headers, h2->memory.heap);
    slim_heap_return(h2->memory.heap, h2);
}

void slim_h2_kill(struct slim_h2 *h2)
{
    h2->is_killed = true;
}

enum slim_status slim_h2_status(const struct slim_h2 *h2)
{
    return h2->status;
}

enum slim_h2_cause slim_h2_cause(const struct slim_h2 *h2)
{
    return h2->cause;
}

bool slim_h2_has_settings(const struct slim_h2 *h2)
{
    return h2->has_settings;
}

bool slim_h2_has_go_away(const struct slim_h2 *h2)
{
    return h2->has_go_away;
}

size_t slim_h2_stream_count(const struct slim_h2 *h2)
{
    return h2->stream_count;
}

void slim_h2_ping(struct slim_h2 *h2)
{
    if (!h2->is_killed) {
        slim_h2_check(h2, nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, NULL));
    }
}

void slim_h2_submit_go_away(struct slim_h2 *h2)
{
    int32_t last_id = nghttp2_session_get_last_proc_stream_id(h2->session);
    h2->is_go_away_due = false;
    slim_h2_check(h2, nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, last_id,
                                            NGHTTP2_NO_ERROR, NULL, 0));
}

void slim_h2_go_away(struct slim_h2 *h2)
{
    if (h2->is_killed || h2->has_go_away) {
        return;
    }
    h2->has_go_away = true;
    if (h2->is_server || h2->stream_count == 0) {
        slim_h2_submit_go_away(h2);
    } else {
        /* nghttp2 would send it before requests that have not left, and then ignore what comes in until they have */
        h2->is_go_away_due = true;
    }
}
