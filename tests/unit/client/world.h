/* A node and applications on services of their own, linked to it by TCP on 127.0.0.1. Everything waits at most WORLD_PATIENCE_MS. */
#ifndef SLIM_TESTS_CLIENT_WORLD_H
#define SLIM_TESTS_CLIENT_WORLD_H

#include "slim/slim.h"
#include "support/check.h"

enum { WORLD_PATIENCE_MS = 30000, WORLD_ENDPOINT_MAX = 64 };

#define WORLD_SECRET "a secret of the tests, long enough"

/* Finish an operation that must end well. */
#define WORLD_DO(op) world_do(#op, op)

struct world {
    struct slim_service *node;
    char endpoint[WORLD_ENDPOINT_MAX]; /* "127.0.0.1:port" */
    char url[WORLD_ENDPOINT_MAX];      /* "http://127.0.0.1:port" */
};

/* One application on a service of its own, subscribed at the node. */
struct world_app {
    struct slim_service *service;
    struct slim_app *app;
    uint64_t link;
};

/* "127.0.0.1:port" of a port that was free a moment ago. */
void world_free_endpoint(char *endpoint);

void world_init(struct world *world);
void world_fini(struct world *world);

struct slim_name world_name(const char *text);
uint64_t world_soon(void);
void world_do(const char *what, struct slim_op *op);

/* The status and the text of an operation that must end. */
enum slim_status world_end(struct slim_op *op, struct slim_error *error);

void world_app_init(struct world_app *app, const struct world *world, const char *name);
void world_app_fini(struct world_app *app);

/* A route for `name` by the link. */
void world_route(const struct world_app *app, const char *name);

struct slim_session_config world_config(enum slim_session_type type, bool enable_mls);

/* A session of `from` with the peer, and the peer's side of it. */
void world_pair(const struct world_app *from, const struct world_app *to, const char *to_name,
                bool enable_mls, struct slim_session **out, struct slim_session **in);

struct slim_session *world_listen(const struct world_app *app);

/* The next message has this payload. */
void world_expect(struct slim_session *session, const char *payload);

/* The next notice, or the end, has this status and its text contains `text`. */
void world_expect_end(struct slim_session *session, enum slim_status status, const char *text);

struct slim_payload world_payload(const char *text);

#endif
