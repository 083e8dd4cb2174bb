/* SPIFFE agents (Workload API, spec auth.md 5) on the loop: one connection for everybody who wants the same of the same agent, made
 * again when it is lost. Private to src/datapath.
 *
 *     slim_spire_ref     -> connects, reconnects, fetches and renews (auth/workload.h) -> on_change of every user
 *     slim_spire_unref   -> the last one closes it */
#ifndef SLIM_DATAPATH_SPIRE_H
#define SLIM_DATAPATH_SPIRE_H

#include "auth/auth.h"
#include "config/config.h"
#include "io/loop.h"

struct slim_spire;

enum {
    SLIM_SPIRE_RETRY_MIN_MS = 1000, /* pauses between attempts to connect: 1, 2, 4 ... 30 s */
    SLIM_SPIRE_RETRY_MAX_MS = 30000,
    SLIM_SPIRE_CONNECT_MS = 5000,
};

/* Those in use in one engine. A zeroed one is not ready: slim_spires_init. */
struct slim_spires {
    struct slim_loop *loop;
    struct slim_list list;
};

void slim_spires_init(struct slim_spires *spires, struct slim_loop *loop);

/* Somebody who wants what an agent gives. Embed it; fill in on_change and ctx before slim_spire_ref.
 * on_change   something new came with this call (auth/workload.h). Must not call slim_spire_unref. */
struct slim_spire_user {
    struct slim_list node;
    void (*on_change)(void *ctx, enum slim_auth_workload_call call);
    void *ctx;
};

/* X509: certificate, key and roots, for TLS. JWT: tokens and their keys, for links and messages. */
enum slim_spire_kind {
    SLIM_SPIRE_X509,
    SLIM_SPIRE_JWT,
};

/* Use the agent of `config` (copied). It is shared with all users that want this kind with the same socket, audiences and identity.
 * Nothing is there yet when this returns for the first user: on_change tells.
 * SLIM_ERR_CONFIG: no socket is named and SPIFFE_ENDPOINT_SOCKET is not set, or it is no Unix socket; a bad audience or id: a sentence.
 * SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status
slim_spire_ref(struct slim_spires *spires, const struct slim_config_spire *config,
               enum slim_spire_kind kind, struct slim_spire_user *user, struct slim_spire **spire,
               struct slim_error *error);

/* Providers and verifiers on it must be freed before. NULL is allowed. */
void slim_spire_unref(struct slim_spire *spire, struct slim_spire_user *user);

/* Something new is wanted of the client of the Workload API: it asks at the end of the turn. */
void slim_spire_wake(struct slim_spire *spire);

/* The client of the Workload API: what has come so far. */
struct slim_auth_workload *slim_spire_workload(struct slim_spire *spire);

#endif
