/* One connection of ours against raw frames. */
#ifndef SLIM_TESTS_GRPC_RAW_H
#define SLIM_TESTS_GRPC_RAW_H

#include "unit/grpc/pair.h"
#include "unit/h2/frames.h"

/* pair.client and pair.server: only one of them has a connection. in: bytes for it, not handed over yet. */
struct raw {
    struct pair pair;
    struct side *side;
    struct slim_buf in;
    struct frame_reader reader;
};

static inline void raw_open_with(struct raw *raw, const struct slim_grpc_options *options)
{
    memset(raw, 0, sizeof(*raw));
    raw->side = options->is_server ? &raw->pair.server : &raw->pair.client;
    raw->side->pair = &raw->pair;
    raw->pair.now_ms = 1000;
    CHECK_OK(slim_heap_new(1 << 20, &raw->pair.heap));
    CHECK_OK(slim_block_pool_new(1 << 20, &raw->pair.pool));
    CHECK_OK(slim_grpc_conn_new(options, &side_handler, raw->side, raw->pair.heap, raw->pair.pool,
                                raw->pair.now_ms, &raw->side->conn));
    reader_init(&raw->reader);
    raw->reader.has_preface = !options->is_server;
    if (options->is_server) {
        put_preface(&raw->in);
    } else {
        put_frame(&raw->in, F_SETTINGS, 0, 0, SLIM_VIEW(""));
    }
}

static inline void raw_open(struct raw *raw, bool is_server)
{
    struct slim_grpc_options options = pair_options(is_server);
    raw_open_with(raw, &options);
}

static inline void raw_close(struct raw *raw)
{
    pair_close(&raw->pair);
    slim_buf_fini(&raw->in);
    reader_fini(&raw->reader);
}

/* Everything our side has to write goes to the reader. */
static inline void raw_flush(struct raw *raw)
{
    struct iovec iov[16];
    size_t count;
    while ((count = slim_grpc_conn_output(raw->side->conn, iov, SLIM_COUNT(iov), 10000)) > 0) {
        size_t total = 0;
        for (size_t i = 0; i < count; i++) {
            reader_take(&raw->reader, slim_view_of(iov[i].iov_base, iov[i].iov_len));
            total += iov[i].iov_len;
        }
        slim_grpc_conn_sent(raw->side->conn, total);
    }
}

/* Hand over what was put into `in`, in steps of `step` bytes (0: at once), writing in between. */
static inline enum slim_status raw_run_split(struct raw *raw, size_t step)
{
    enum slim_status status = SLIM_OK;
    raw_flush(raw);
    for (size_t at = 0; at < raw->in.len && status == SLIM_OK;) {
        size_t len = step == 0 || step > raw->in.len - at ? raw->in.len - at : step;
        status = slim_grpc_conn_take(raw->side->conn, slim_view_of(raw->in.data + at, len),
                                     raw->pair.now_ms);
        at += len;
        raw_flush(raw);
    }
    slim_buf_clear(&raw->in);
    return status;
}

static inline enum slim_status raw_run(struct raw *raw)
{
    return raw_run_split(raw, 0);
}

static inline void check_text(const char *why, const char *got, const char *want)
{
    if (strcmp(got, want) != 0) {
        print_error("%s\n--- want\n%s--- got\n%s", why, want, got);
        fail_msg("text differs: %s", why);
    }
}

#endif
