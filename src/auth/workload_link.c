/* A Workload API client on a gRPC connection. */
#include <stdlib.h>

#include "auth/workload.h"

/* One place per kind of call; its address is the context of the running call. */
struct slot {
    struct slim_auth_workload_link *link;
    enum slim_auth_workload_call call;
    struct slim_grpc_call *grpc; /* NULL: not running */
};

/* now_ms, now_s   of the last tick or attach */
struct slim_auth_workload_link {
    struct slim_auth_workload *workload;
    struct slim_grpc_conn *conn; /* NULL: detached */
    struct slot slots[SLIM_AUTH_WORKLOAD_CALL_COUNT];
    void (*on_change)(void *ctx, enum slim_auth_workload_call call);
    void (*on_problem)(void *ctx, enum slim_auth_workload_call call, const char *text);
    void *ctx;
    uint64_t now_ms;
    uint64_t now_s;
};

static enum slim_status start(void *ctx, enum slim_auth_workload_call call,
                              struct slim_view request)
{
    struct slim_auth_workload_link *link = ctx;
    struct slot *slot = &link->slots[call];
    const struct slim_grpc_header header = {SLIM_VIEW("workload.spiffe.io"), SLIM_VIEW("true")};
    SLIM_TRY(slim_grpc_call_start(link->conn, slim_auth_workload_path(call), &header, 1, slot,
                                  &slot->grpc));
    enum slim_status status = slim_grpc_call_put_message(slot->grpc, request);
    if (status != SLIM_OK) {
        slim_grpc_call_finish(slot->grpc, SLIM_GRPC_CANCELLED, SLIM_VIEW(""), false);
        slot->grpc = NULL;
        return status;
    }
    slim_grpc_call_half_close(slot->grpc);
    return SLIM_OK;
}

static void cancel(void *ctx, enum slim_auth_workload_call call)
{
    struct slim_auth_workload_link *link = ctx;
    struct slot *slot = &link->slots[call];
    if (slot->grpc != NULL) {
        slim_grpc_call_finish(slot->grpc, SLIM_GRPC_CANCELLED, SLIM_VIEW(""), false);
        slot->grpc = NULL;
    }
}

static void pass_change(void *ctx, enum slim_auth_workload_call call)
{
    struct slim_auth_workload_link *link = ctx;
    link->on_change(link->ctx, call);
}

static void pass_problem(void *ctx, enum slim_auth_workload_call call, const char *text)
{
    struct slim_auth_workload_link *link = ctx;
    if (link->on_problem != NULL) {
        link->on_problem(link->ctx, call, text);
    }
}

/* ---- events of the connection */

static void on_call(void *ctx, struct slim_grpc_call *call, const struct slim_grpc_request *request)
{
    (void)ctx;
    (void)request;
    slim_grpc_call_finish(call, SLIM_GRPC_UNIMPLEMENTED, SLIM_VIEW(""),
                          false); /* clients get none */
}

static void on_open(void *ctx, struct slim_grpc_call *call)
{
    (void)ctx;
    (void)call; /* the first message is what counts */
}

static void on_message(void *ctx, struct slim_grpc_call *call, struct slim_view message,
                       struct slim_block *block)
{
    (void)block;
    struct slim_auth_workload_link *link = ctx;
    const struct slot *slot = slim_grpc_call_ctx(call);
    slim_auth_workload_take_message(link->workload, slot->call, message, link->now_ms, link->now_s);
}

static void on_end(void *ctx, struct slim_grpc_call *call, const struct slim_grpc_end *end)
{
    struct slim_auth_workload_link *link = ctx;
    struct slot *slot = slim_grpc_call_ctx(call);
    slot->grpc = NULL;
    slim_auth_workload_take_end(link->workload, slot->call, end->status, link->now_ms, link->now_s);
}

const struct slim_grpc_handler slim_auth_workload_handler = {
    .on_call = on_call, .on_open = on_open, .on_message = on_message, .on_end = on_end};

/* ---- life */

enum slim_status slim_auth_workload_link_new(
    const struct slim_auth_workload_options *options,
    void (*on_change)(void *ctx, enum slim_auth_workload_call call),
    void (*on_problem)(void *ctx, enum slim_auth_workload_call call, const char *text), void *ctx,
    struct slim_auth_workload_link **link, struct slim_error *error)
{
    struct slim_auth_workload_link *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
    }
    made->on_change = on_change;
    made->on_problem = on_problem;
    made->ctx = ctx;
    for (unsigned i = 0; i < SLIM_AUTH_WORKLOAD_CALL_COUNT; i++) {
        made->slots[i] = (struct slot){made, (enum slim_auth_workload_call)i, NULL};
    }
    const struct slim_auth_workload_owner owner = {start, cancel, pass_change, pass_problem, made};
    enum slim_status status = slim_auth_workload_new(options, &owner, &made->workload, error);
    if (status != SLIM_OK) {
        free(made);
        return status;
    }
    *link = made;
    return SLIM_OK;
}

void slim_auth_workload_link_free(struct slim_auth_workload_link *link)
{
    if (link == NULL) {
        return;
    }
    slim_auth_workload_free(link->workload);
    free(link);
}

struct slim_auth_workload *slim_auth_workload_link_client(struct slim_auth_workload_link *link)
{
    return link->workload;
}

void slim_auth_workload_link_attach(struct slim_auth_workload_link *link,
                                    struct slim_grpc_conn *conn, uint64_t now_ms)
{
    link->conn = conn;
    link->now_ms = now_ms;
    slim_auth_workload_attach(link->workload, now_ms);
}

void slim_auth_workload_link_detach(struct slim_auth_workload_link *link)
{
    link->conn = NULL;
    for (unsigned i = 0; i < SLIM_AUTH_WORKLOAD_CALL_COUNT; i++) {
        link->slots[i].grpc = NULL;
    }
    slim_auth_workload_detach(link->workload);
}

void slim_auth_workload_link_set_time(struct slim_auth_workload_link *link, uint64_t now_ms,
                                      uint64_t now_s)
{
    link->now_ms = now_ms;
    link->now_s = now_s;
}

uint64_t slim_auth_workload_link_tick(struct slim_auth_workload_link *link, uint64_t now_ms,
                                      uint64_t now_s)
{
    slim_auth_workload_link_set_time(link, now_ms, now_s);
    return slim_auth_workload_tick(link->workload, now_ms, now_s);
}
