/* An application as its engine sees it, on the thread of the loop: its sessions (session/session.h), joined to a local connection of a datapath, the tokens of its identity, the
 * loop's clock and the kernel's randomness. What libslim and the test driver are built on.
 *
 *   engine -> on_message -> inbox -> (end of the turn) -> slim_session_app_take -> on_event
 *   operations of session.h -> slim_client_local_wake -> (end of the turn) -> tick, timer
 *
 * Everything is called from the thread of the loop. on_event comes from inside operations or at the end of a turn; what may be
 * called from inside it is said in session.h. */
#ifndef SLIM_CLIENT_LOCAL_H
#define SLIM_CLIENT_LOCAL_H

#include "auth/auth.h"
#include "datapath/datapath.h"
#include "session/session.h"

struct slim_client_local;

/* loop, datapath        borrowed, must outlive the application
 * name                  its own name, three strings; copied
 * provider, verifier    its identity, borrowed. The application id is the provider's
 * others                as in struct slim_session_app_options
 * on_event              as in struct slim_session_owner
 * on_wanted             a token with a key is wanted that the provider does not have yet: have it fetched. May be NULL
 * on_batch              the events of one turn have been told. May be NULL
 * on_error              the engine refused something that belongs to no session (a subscription, say): its sentence. May be NULL */
struct slim_client_local_options {
    struct slim_loop *loop;
    struct slim_datapath *datapath;
    struct slim_name_text name;
    struct slim_auth_provider *provider;
    struct slim_auth_verifier *verifier;
    bool can_send;
    bool can_receive;
    uint32_t session_limit;
    enum slim_session_protection protection;
    bool has_plain_adds;
    void (*on_event)(void *ctx, const struct slim_session_event *event);
    void (*on_error)(void *ctx, const char *text);
    void (*on_batch)(void *ctx);
    void (*on_wanted)(void *ctx);
    void *ctx;
};

/* SLIM_ERR_AUTH: the identity can give no token; SLIM_AGAIN: not yet. SLIM_ERR_NO_MEMORY, SLIM_ERR_LIMIT. */
SLIM_MUST_CHECK enum slim_status
slim_client_local_new(const struct slim_client_local_options *options,
                      struct slim_client_local **app, struct slim_error *error);

/* Ends its sessions silently and leaves the engine. Not from inside on_event. NULL is allowed. */
void slim_client_local_free(struct slim_client_local *local);

/* Its name with the application id. */
const struct slim_wire_name *slim_client_local_name(const struct slim_client_local *local);

/* For the operations of session.h; call slim_client_local_wake after them. */
struct slim_session_app *slim_client_local_sessions(struct slim_client_local *local);
void slim_client_local_wake(struct slim_client_local *local);

/* No connection: an own name that only this process knows. */
#define SLIM_CLIENT_NO_CONN UINT64_MAX

/* Tell `conn_id` that `name` is ours (its id becomes the application's), or no longer is (the name as given, with the application id).
 * What the engine refuses is a status and, through on_error, a sentence. */
SLIM_MUST_CHECK enum slim_status slim_client_local_subscribe(struct slim_client_local *local,
                                                             const struct slim_wire_name *name,
                                                             uint64_t conn_id, bool is_add);

/* Everything for `name` goes by `conn_id`, or no longer does. */
SLIM_MUST_CHECK enum slim_status slim_client_local_route(struct slim_client_local *local,
                                                         const struct slim_wire_name *name,
                                                         uint64_t conn_id, bool is_add);

#endif
