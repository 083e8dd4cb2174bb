/* What the files of src/client share: the objects behind slim/slim.h. Private to the folder.
 *
 * Every object has a user count (what applications hold) and belongs to the loop thread of its service otherwise. A call from a user's thread
 * makes a request and posts it; requests run on the loop thread in the order of posting. When the last user of an application or
 * session has gone, a last job frees it there: behind all its requests. */
#ifndef SLIM_CLIENT_INTERNAL_H
#define SLIM_CLIENT_INTERNAL_H

#include <sys/types.h>

#include "client/limits.h"
#include "client/local.h"
#include "client/op.h"

/* One call on its way to the loop thread. Embedded first in what it carries; `run` frees it.
 * op   ended by whoever runs it */
struct slim_client_request {
    struct slim_job job;
    void (*run)(struct slim_client_request *request);
    struct slim_service *service;
    struct slim_op *op;
};

/* links     struct link of service.c;  endpoints: connections by endpoint, under `mutex`, for slim_service_connection
 * apps      slim_app.in_service
 * closing   operations that wait for the end of the shutdown */
struct slim_service {
    _Atomic uint32_t user_count;
    pid_t pid;
    char *name;
    struct slim_loop *loop;
    struct slim_datapath *datapath;
    pthread_t thread;
    bool is_threaded;
    _Atomic bool is_orphan; /* the last user left on the loop thread: it frees the service */
    struct slim_list links;
    struct slim_list apps;
    struct slim_list closing;
    bool is_draining;
    bool is_over;
    bool announces_links;
    pthread_mutex_t mutex;
};

/* Identity of an application, made from texts of the configuration (identity.c).
 * made_provider, made_verifier   what they belong to when they read files or fetch; else they are ours alone */
struct slim_client_identity {
    struct slim_auth_provider *provider;
    struct slim_auth_verifier *verifier;
    struct slim_datapath_auth *made_provider;
    struct slim_datapath_auth *made_verifier;
};

/* mutex    guards backlog, listeners, is_over
 * backlog  sessions somebody began, for slim_app_listen: slim_session.in_backlog
 * table    sessions by id; bucket_count is a power of two
 * name_text   what the views of `name` point into
 * pending     its own creation, while the first token is awaited; loop thread. token: one may have come. give_up: the deadline is over */
struct slim_app {
    _Atomic uint32_t user_count;
    struct slim_service *service;
    struct slim_list in_service;
    struct slim_name name;
    struct slim_buf name_text;
    struct slim_client_identity identity;
    struct slim_client_local *local;
    struct slim_session **table;
    size_t bucket_count;
    size_t session_count;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    struct slim_list backlog;
    size_t backlog_count;
    struct slim_list listeners;
    bool is_over;
    struct slim_job last;
    struct slim_client_request *pending;
    struct slim_task token;
    struct slim_job give_up;
};

/* ref_count   memory: one while it is in its application's table, one of all users together, one of each request
 * app         NULL once the application is gone; loop thread
 * mutex       guards inbox, readers, writers, is_over
 * inbox       struct entry of inbox entries (session.c): messages and notices in order
 * held        publishes that wait for the window; loop thread
 * begun       operations that the session layer has; loop thread
 * deletes     operations of deletes that came while it was ending; loop thread
 * under_way   publishes begun and not complete */
struct slim_session {
    _Atomic uint32_t ref_count;
    _Atomic uint32_t user_count;
    struct slim_app *app;
    struct slim_session *table_next;
    bool is_in_table;
    struct slim_list in_backlog;
    struct slim_session_look look;
    struct slim_buf text;
    struct slim_pair *pairs;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    struct slim_list inbox;
    size_t inbox_bytes;
    struct slim_list readers;
    struct slim_list writers;
    bool is_over;
    struct slim_list held;
    struct slim_list begun;
    struct slim_list deletes;
    bool is_sending_held;
    _Atomic size_t under_way_count;
    _Atomic size_t under_way_bytes;
};

/* ---- service.c */

/* Is the service usable in this process? Else an error for the caller. */
SLIM_MUST_CHECK enum slim_status slim_client_check(const struct slim_service *service,
                                                   struct slim_error *error);

/* Make a request of `size` bytes with its operation, which *op gets for the caller; NULL: *op has failed. */
struct slim_client_request *slim_client_request_new(struct slim_service *service, size_t size,
                                                    void (*run)(struct slim_client_request *),
                                                    const struct slim_notify *notify,
                                                    struct slim_op **op);
void slim_client_request_post(struct slim_client_request *request);

/* End the request's operation, and free the request. */
void slim_client_request_end(struct slim_client_request *request, enum slim_status status,
                             const char *text);

/* ---- name.c */

/* The name as sessions see it; borrows the strings. */
struct slim_wire_name slim_client_wire_name(const struct slim_name *name);

/* Append the strings to *text and return the name with offsets instead of pointers; slim_client_name_point makes it whole when
 * nothing is appended any more. */
SLIM_MUST_CHECK enum slim_status
slim_client_name_copy(struct slim_buf *text, const struct slim_name *name, struct slim_name *copy);
void slim_client_name_point(const struct slim_buf *text, struct slim_name *copy);
struct slim_name slim_client_name_of(const struct slim_wire_name *name);

/* ---- identity.c */

/* provider, verifier   YAML or JSON. On the loop thread. SLIM_ERR_CONFIG, SLIM_ERR_AUTH, SLIM_ERR_NO_MEMORY.
 * on_change            a token that the provider had to fetch has come, or another; from inside callbacks of others: do little */
struct slim_client_identity_options {
    struct slim_datapath *datapath;
    const char *name; /* for log lines */
    const char *provider;
    const char *verifier;
    void (*on_change)(void *ctx);
    void *ctx;
};
SLIM_MUST_CHECK enum slim_status
slim_client_identity_init(struct slim_client_identity *identity,
                          const struct slim_client_identity_options *options,
                          struct slim_error *error);

/* The provider said SLIM_AGAIN for a token with a key: fetch it. */
void slim_client_identity_fetch(struct slim_client_identity *identity);
SLIM_MUST_CHECK enum slim_status
slim_client_identity_init_secret(struct slim_client_identity *identity,
                                 const struct slim_name *name, struct slim_view secret,
                                 struct slim_error *error);
void slim_client_identity_fini(struct slim_client_identity *identity);

/* ---- app.c */

/* Everything about an application on the loop thread ends: sessions silently, waiting operations with SLIM_ERR_CLOSED. */
void slim_client_app_close(struct slim_app *app);

/* Sessions by id: find, put (with a reference), take out. */
struct slim_session *slim_client_app_find(const struct slim_app *app, uint32_t session_id);
SLIM_MUST_CHECK enum slim_status slim_client_app_put(struct slim_app *app,
                                                     struct slim_session *session);
void slim_client_app_drop(struct slim_app *app, struct slim_session *session);

/* A session has begun that nobody here asked for: to the backlog. False: it is full. */
bool slim_client_app_offer(struct slim_app *app, struct slim_session *session);

/* ---- session.c */

/* A session without users. The names and the metadata are copied. */
SLIM_MUST_CHECK enum slim_status slim_client_session_new(struct slim_app *app,
                                                         const struct slim_session_look *look,
                                                         struct slim_session **session);
void slim_client_session_unref_memory(struct slim_session *session);

/* An event of the application's sessions. */
void slim_client_session_on_event(void *app, const struct slim_session_event *event);

/* Its application has gone: readers get SLIM_ERR_CLOSED. */
void slim_client_session_orphan(struct slim_session *session);

/* ---- message.c */

/* A message for the inbox of a session. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_client_message_new(const struct slim_session_message *message,
                                                         struct slim_message **result);
size_t slim_client_message_bytes(const struct slim_message *message);

#endif
