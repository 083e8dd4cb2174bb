/* What the files of src/client share: the objects behind slim/slim.h. Private to the folder.
 *
 * Every object has a user count (what applications hold) and belongs to the loop thread of its service otherwise. A call from a user's thread
 * makes a request and posts it; requests run on the loop thread in the order of posting. When the last user of an application or
 * session has gone, a last job frees it there: behind all its requests. */
#ifndef SLIM_CLIENT_INTERNAL_H
#define SLIM_CLIENT_INTERNAL_H

#include "client/limits.h"
#include "client/local.h"
#include "client/op.h"

/* One call on its way to the loop thread. Embedded first in what it carries.
 * run          does it, ends `op` or sees to it that it ends, and frees the request
 * drop         frees what the request carries besides itself; NULL: nothing
 * when_over    instead of run, when the service is shut down or shutting down; NULL: it fails with SLIM_ERR_CLOSED
 * is_farewell  allowed while the service is shutting down */
struct slim_client_request {
    struct slim_job job;
    void (*run)(struct slim_client_request *request);
    void (*drop)(struct slim_client_request *request);
    void (*when_over)(struct slim_client_request *request);
    bool is_farewell;
    struct slim_service *service;
    struct slim_op *op;
};

/* links     struct link of service.c;  endpoints: connections by endpoint, under `mutex`, for slim_service_connection
 * apps      slim_app.in_service
 * closing   operations that wait for the end of the shutdown
 * is_leaving, is_draining, is_over   how far the shutdown is: sessions are left, the engine is emptied, done
 * patience  bounds each of the first two;  left: the last session has gone */
struct slim_service {
    _Atomic uint32_t user_count;
    uint32_t process;
    char *name;
    struct slim_loop *loop;
    struct slim_datapath *datapath;
    pthread_t thread;
    bool is_threaded;
    _Atomic bool is_orphan; /* the last user left on the loop thread: it frees the service */
    struct slim_list links;
    struct slim_list apps;
    struct slim_list closing;
    struct slim_timer patience;
    bool has_timer;
    struct slim_task left;
    bool is_leaving;
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
 * news     sessions with messages of this turn: slim_session.in_news; loop thread
 * begun    operations that the session layer has: slim_op.waiting
 * home        the connection of slim_app_join, by which goes what has no route yet; SLIM_CLIENT_NO_CONN: there is none
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
    _Atomic uint64_t home;
    struct slim_session **table;
    size_t bucket_count;
    size_t session_count;
    struct slim_list begun;
    struct slim_list news;
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

/* ref_count   memory: one while it is in its application's table, one of all users together, one of each request and each publish
 * app         lives as long as the session is in its table or has users; what else runs on the loop thread asks is_in_table first
 * mutex       guards inbox, readers, writers, is_over, is_dropping, is_paused, is_resuming
 * inbox       slim_message.in_inbox: messages and notices in order; inbox_bytes: what they take
 * is_dropping messages are being lost, and the reader knows
 * is_paused   too much is unread: the session layer was told, or is going to be, to take nothing; is_resuming: `resume` is posted
 * is_leaving  the service shuts down and has closed it; loop thread
 * held        publishes that wait for the window; loop thread
 * deletes     operations of deletes that came while it was ending; loop thread
 * arrived     messages of this turn, not yet in the inbox; loop thread. in_news: while there are some
 * has_writers somebody may wait in `writers`; set under the mutex, asked without
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
    bool is_dropping;
    bool is_paused;
    bool is_resuming;
    bool is_leaving;
    struct slim_job resume;
    struct slim_list arrived;
    struct slim_list in_news;
    struct slim_list held;
    struct slim_list deletes;
    bool is_sending_held;
    _Atomic bool has_writers;
    _Atomic size_t under_way_count;
    _Atomic size_t under_way_bytes;
};

/* ---- service.c */

/* Is the service one, and usable in this process? Else an error for the caller. */
SLIM_MUST_CHECK enum slim_status slim_client_check(const struct slim_service *service,
                                                   struct slim_error *error);

/* Make a request of `size` bytes with its operation, which *op gets for the caller; NULL: *op has failed. */
struct slim_client_request *slim_client_request_new(struct slim_service *service, size_t size,
                                                    void (*run)(struct slim_client_request *),
                                                    const struct slim_notify *notify,
                                                    struct slim_op **op);
void slim_client_request_post(struct slim_client_request *request);

/* A session has ended: is it the last one that a shutdown waits for? */
void slim_client_service_left(struct slim_service *service);

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

/* What a caller gave: SLIM_ERR_ARGUMENT with a sentence for what cannot be sent (not there, not UTF-8, too long). */
SLIM_MUST_CHECK enum slim_status slim_client_check_name(const struct slim_name *name,
                                                        struct slim_error *error);
SLIM_MUST_CHECK enum slim_status slim_client_check_pairs(const struct slim_pair *pairs,
                                                         size_t count, struct slim_error *error);

/* Is a pair with the same key behind pairs[index]? The last one counts. */
bool slim_client_pair_is_replaced(const struct slim_pair *pairs, size_t count, size_t index);

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

/* Leave all its sessions in order. */
void slim_client_app_leave(struct slim_app *app);

/* Sessions by id: find, put (with a reference), take out. */
struct slim_session *slim_client_app_find(const struct slim_app *app, uint32_t session_id);
SLIM_MUST_CHECK enum slim_status slim_client_app_put(struct slim_app *app,
                                                     struct slim_session *session);
void slim_client_app_drop(struct slim_app *app, struct slim_session *session);

/* A session has begun that nobody here asked for: to the backlog. False: it is full. */
bool slim_client_app_offer(struct slim_app *app, struct slim_session *session);

/* ---- join.c */

/* We are about to talk to `name`: by the connection that the application was joined with, if it was. Loop thread. */
SLIM_MUST_CHECK enum slim_status slim_client_app_route_home(struct slim_app *app,
                                                            const struct slim_wire_name *name);

/* ---- session.c */

void slim_client_session_unref_memory(struct slim_session *session);

/* An event of the application's sessions. */
void slim_client_session_on_event(void *app, const struct slim_session_event *event);

/* Its application has gone: readers get SLIM_ERR_CLOSED. */
void slim_client_session_orphan(struct slim_session *session);

/* Tell the session layer to close it. On the loop thread. */
SLIM_MUST_CHECK enum slim_status
slim_client_session_close(struct slim_session *session, uint64_t number, struct slim_error *error);

/* A call in a session: the names and texts in `text`; in `held` while the window is full. */
struct slim_client_call {
    struct slim_client_request common;
    struct slim_session *session;
    struct slim_list in_held;
    struct slim_session_settings settings;
    struct slim_name name;
    struct slim_buf text;
    struct slim_view blob;
    struct slim_view type;
    struct slim_wire_pair *pairs;
    size_t pair_count;
    bool is_direct;
    bool is_delete;
    struct slim_name_list **list;
};

/* NULL: *op has failed. */
struct slim_client_call *slim_client_call_new(struct slim_session *session,
                                              void (*run)(struct slim_client_request *),
                                              const struct slim_notify *notify,
                                              struct slim_op **op);

/* Copy pairs behind what is in request->text. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_client_call_copy_pairs(struct slim_client_call *request,
                                                             const struct slim_pair *pairs,
                                                             size_t count);

/* It is over for the request, with its operation. */
void slim_client_call_fail(struct slim_client_call *request, enum slim_status status,
                           const char *text);

/* The application's sessions; the operation is among those under way, as the session may end it from inside what follows. NULL, and the request
 * has failed with `text`: all is over. */
struct slim_session_app *slim_client_call_sessions(struct slim_client_call *request,
                                                   const char *text);

/* After an operation of a session was begun, or was not. */
void slim_client_call_begun(struct slim_client_call *request, enum slim_status status,
                            const struct slim_error *error);
uint64_t slim_client_call_number(const struct slim_client_call *request);
uint64_t slim_client_call_now_ms(const struct slim_client_call *request);

void slim_client_run_delete(struct slim_client_request *common);

/* ---- publish.c */

/* The operation of a publish, or another one, ends. On the loop thread, or before it was posted. */
void slim_client_publish_end(struct slim_op *op, enum slim_status status, const char *text);

/* The window has room: what waits goes out, in order. */
void slim_client_publish_held(struct slim_session *session);

/* All that waits fails. */
void slim_client_publish_fail_held(struct slim_session *session);

/* ---- read.c */

/* A message for the reader; a notice for it. */
void slim_client_read_put_message(struct slim_session *session,
                                  const struct slim_session_message *message);
void slim_client_read_put_notice(struct slim_session *session, enum slim_status status,
                                 const char *text);

/* At the end of a turn: what arrived can be read. */
void slim_client_read_flush_all(void *app);

/* Nothing more will come: readers and writers are told. */
void slim_client_read_close(struct slim_session *session);

/* ---- message.c */

/* What a session has for its reader, in one piece of memory.
 * status   SLIM_OK: a message; else a notice, with its text as info.payload
 * bytes    it takes */
struct slim_message {
    struct slim_list in_inbox;
    enum slim_status status;
    size_t bytes;
    struct slim_message_info info;
    struct slim_pair pairs[];
};

/* SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_client_message_new(const struct slim_session_message *message,
                                                         struct slim_message **result);
SLIM_MUST_CHECK enum slim_status slim_client_message_new_notice(enum slim_status status,
                                                                const char *text,
                                                                struct slim_message **result);

#endif
