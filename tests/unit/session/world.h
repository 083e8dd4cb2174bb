/* Applications in one process with a network that does what a test wants: sessions without an engine.
 *
 * Every application has one connection, number WORLD_CONN, to a node that routes as the real one does: by name and id, a channel to all
 * that have subscribed. Messages take one millisecond. `filter` sees each delivery and can drop it. */
#ifndef SLIM_TESTS_UNIT_SESSION_WORLD_H
#define SLIM_TESTS_UNIT_SESSION_WORLD_H

#include "base/list.h"
#include "session/session.h"
#include "support/check.h"

enum { WORLD_APPS_MAX = 8, WORLD_EVENTS_MAX = 4096, WORLD_SUBSCRIPTIONS_MAX = 16, WORLD_CONN = 7 };

/* What an application was told. text and blob are copies. */
struct world_event {
    enum slim_session_event_kind kind;
    uint32_t session_id;
    uint64_t op;
    enum slim_status status;
    char text[400];
    char blob[64];
    char source[100];
    char destination[100];
    uint32_t message_id;
    bool is_direct;
    bool is_sealed;
};

struct world;

struct world_app {
    struct world *world;
    size_t index;
    char name_text[3][32];
    struct slim_wire_name name;
    struct slim_session_app *app;
    struct world_event events[WORLD_EVENTS_MAX];
    size_t event_count;
    struct slim_name_key subscriptions[WORLD_SUBSCRIPTIONS_MAX];
    int subscription_counts[WORLD_SUBSCRIPTIONS_MAX];
    int route_balance;
    bool has_no_token;
    bool has_no_credential;
    bool finds_tokens_old;     /* in credentials of others */
    unsigned credential_reads; /* how often it looked into one */
    bool is_dead;              /* takes nothing, does nothing */
    uint64_t due_ms;
    unsigned wakes; /* how often it was due, or something came */
    void (*on_event)(struct world_app *app, const struct slim_session_event *event);
};

/* Deliver this from `from` to `to`? */
typedef bool world_filter(struct world *world, size_t from, size_t to,
                          const struct slim_wire_session_message *message);

struct world {
    struct world_app apps[WORLD_APPS_MAX];
    size_t app_count;
    uint64_t now_ms;
    uint64_t seed;
    struct slim_list packets;
    world_filter *filter;
    uint64_t sent[32]; /* by session message type */
    uint64_t dropped;
    uint64_t jitter_ms; /* a message takes up to so much longer, and may be overtaken */
    bool is_tracing;    /* print what is sent */
    bool is_doubling;   /* every delivery happens twice */
    void *test;         /* of the test */
};

/* Applications t/w/a, t/w/b ... with ids 1001, 1002 ... */
void world_init(struct world *world, size_t count);
void world_init_with(struct world *world, size_t count,
                     const struct slim_session_app_options *options);
/* False: there was no memory. world_fini all the same. */
bool world_try_init_with(struct world *world, size_t count,
                         const struct slim_session_app_options *options);
void world_fini(struct world *world);

/* Let the time pass, delivering and ticking. */
void world_run(struct world *world, uint64_t ms);

/* Hand bytes to an application as if they came from the network. */
void world_inject(struct world *world, size_t to, const struct slim_wire_session_message *message);

/* A name without id: t/w/<text>. Valid as long as the world. */
struct slim_wire_name world_name(const char *text, uint64_t id);

/* How many events of a kind there are for this session; the first one with an op; the number of the i-th of a kind. */
size_t world_count(const struct world *world, size_t app, enum slim_session_event_kind kind);
const struct world_event *world_completion(const struct world *world, size_t app, uint64_t op);
const struct world_event *world_event(const struct world *world, size_t app,
                                      enum slim_session_event_kind kind, size_t index);
bool world_is_ok(const struct world *world, size_t app, uint64_t op);

/* Shorthands: reliable, 100 ms, 5 retries. */
struct slim_session_settings world_settings(enum slim_session_kind kind, bool is_mls);
uint32_t world_create(struct world *world, size_t app, const struct slim_session_settings *settings,
                      const struct slim_wire_name *destination, uint64_t op);
void world_invite(struct world *world, size_t app, uint32_t session, size_t whom, uint64_t op);
void world_publish(struct world *world, size_t app, uint32_t session, const char *text,
                   uint64_t op);

/* A group of all applications, made by the first one. */
uint32_t world_group(struct world *world, bool is_mls);

/* Messages that `app` got, texts joined by commas. */
const char *world_messages(const struct world *world, size_t app, char *out, size_t size);

#endif
