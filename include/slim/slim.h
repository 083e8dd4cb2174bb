/* SLIM for applications: reliable, end-to-end encrypted messages to one peer or to a group, by name.
 *
 *   struct slim_service   an engine with its own thread: links to nodes, servers, applications
 *   struct slim_app       one identity under one name
 *   struct slim_session   a conversation with a peer, or membership of a group
 *   struct slim_op        something that takes time
 *   struct slim_queue     where ended operations are picked up, with a file descriptor to wait on
 *
 * A first program, without its error checks (examples/ has whole ones):
 *
 *     struct slim_error error;
 *     struct slim_name alice, bob;
 *     slim_name_parse("org/ns/alice", &alice);
 *     slim_name_parse("org/ns/bob", &bob);
 *     slim_app_join("http://127.0.0.1:46357", &alice, secret, SLIM_FOREVER, &app, &error);
 *     struct slim_session_config config = {.type = SLIM_POINT_TO_POINT, .enable_mls = true, .max_retries = 5, .interval_ms = 1000};
 *     slim_session_open(app, &config, &bob, SLIM_FOREVER, &session, &error);
 *     slim_finish(slim_session_publish(session, &(struct slim_payload){.data = "hello", .len = 5}, NULL), SLIM_FOREVER, &error);
 *
 * Operations. A function that begins something returns a struct slim_op, never NULL: also what cannot even begin is an operation, one that
 * has failed. Wait for it (slim_op_wait, slim_finish), look at it (slim_op_status), or give a struct slim_notify and pick it up from a
 * queue when its descriptor is readable. Every operation ends. Letting go of one (slim_op_unref, slim_op_cancel) stops the waiting, not
 * what was begun, and loses no message. Deadlines are absolute.
 *
 * Threads. Everything may be called from any thread at any time; nothing of the library is called back into yours, and no lock is
 * held while you wait. Objects are counted: what a function hands out is yours until you unref it, and everything that is still needed inside
 * lives on. A guest in your process: no signal handlers, no SIGPIPE, no exit handlers, nothing written to standard output. The
 * environment is read only for what a configuration leaves to it: the system's roots (SSL_CERT_FILE, SSL_CERT_DIR), the proxy of a link (HTTPS_PROXY
 * and its kin), a SPIFFE agent without a path (SPIFFE_ENDPOINT_SOCKET), and ${env:NAME}. After a fork the child may only unref; all else fails with SLIM_ERR_STATE.
 *
 * Errors. A status and a sentence (slim/types.h). The sentences of the reference are kept where programs look for them, causes below each other:
 * "failed to add participant to session\nCaused by:\n  -> message send retries exhausted for id=7". */
#ifndef SLIM_SLIM_H
#define SLIM_SLIM_H

#include <stdbool.h>

#include "slim/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SLIM_API __attribute__((visibility("default")))
#define SLIM_CALL __attribute__((visibility("default"), warn_unused_result))

struct slim_service;
struct slim_app;
struct slim_session;
struct slim_message;
struct slim_op;
struct slim_queue;

/* "0.1.0". The ABI is that of the shared library's version: libslim.so.1. */
SLIM_API const char *slim_version(void);

/* A short English phrase for a status. Never NULL. */
SLIM_API const char *slim_status_phrase(enum slim_status status);

/* ---- time: nanoseconds of the monotonic clock (CLOCK_MONOTONIC) */

#define SLIM_FOREVER UINT64_MAX
SLIM_API uint64_t slim_now_ns(void);

/* That many milliseconds from now; a deadline of 0 is over already. */
SLIM_API uint64_t slim_in_ms(uint64_t ms);

/* ---- names */

#define SLIM_ANY_ID UINT64_MAX

/* Three strings, UTF-8, not zero-terminated, and the number of one instance (SLIM_ANY_ID: any). Borrowed: the strings belong to what
 * the name was made from. */
struct slim_name {
    struct slim_view part[3];
    uint64_t id;
};

/* "org/ns/app", or "org/ns/app/<id in hexadecimal>". The name points into `text`. SLIM_ERR_ARGUMENT: another number of parts, or an
 * empty one; a bad id. */
SLIM_CALL enum slim_status slim_name_parse(const char *text, struct slim_name *name);

/* "org/ns/app/<id in lower-case hexadecimal>", zero-terminated, cut to `size` bytes. Returns the length it has in full. */
SLIM_API size_t slim_name_print(const struct slim_name *name, char *out, size_t size);

/* By the hashes of the strings and the id, as nodes compare. */
SLIM_API bool slim_name_same(const struct slim_name *a, const struct slim_name *b);

/* ---- operations and queues */

/* Where the end of an operation is told. Give NULL instead when nobody waits at a queue. user: yours. An operation for which there was no
 * memory is not told: its status is SLIM_ERR_NO_MEMORY at once. */
struct slim_notify {
    struct slim_queue *queue;
    void *user;
};

/* SLIM_AGAIN while it goes on; then how it ended, with the sentence in *error (may be NULL). */
SLIM_API enum slim_status slim_op_status(const struct slim_op *op, struct slim_error *error);

/* Wait until it has ended. SLIM_AGAIN: not by the deadline; it goes on. Wakes early for nothing. */
SLIM_CALL enum slim_status slim_op_wait(struct slim_op *op, uint64_t deadline_ns,
                                        struct slim_error *error);

/* Wait, and unref. SLIM_ERR_TIMEOUT instead of SLIM_AGAIN: the operation is let go. */
SLIM_CALL enum slim_status slim_finish(struct slim_op *op, uint64_t deadline_ns,
                                       struct slim_error *error);

/* No longer tell a queue about it. True when it had not been told: the user pointer will not come. Does not unref. */
SLIM_API bool slim_op_cancel(struct slim_op *op);

/* Tell this queue when it has ended, at once when it has already. For an operation that was begun without a queue, once; SLIM_ERR_STATE:
 * it has one. SLIM_ERR_ARGUMENT: nothing, or no queue. */
SLIM_CALL enum slim_status slim_op_notify(struct slim_op *op, const struct slim_notify *notify);

SLIM_API struct slim_op *slim_op_ref(struct slim_op *op);
SLIM_API void slim_op_unref(struct slim_op *op); /* NULL is allowed */

/* What it was given as user. */
SLIM_API void *slim_op_user(const struct slim_op *op);

/* The connection that slim_service_connect made; valid when it ended with SLIM_OK. */
SLIM_API uint64_t slim_op_connection(const struct slim_op *op);

/* SLIM_ERR_NO_MEMORY, SLIM_ERR_IO. */
SLIM_CALL enum slim_status slim_queue_new(struct slim_queue **queue);
SLIM_API struct slim_queue *slim_queue_ref(struct slim_queue *queue);
SLIM_API void slim_queue_unref(struct slim_queue *queue);

/* Readable while there is something to pick up. For poll; do not read it. */
SLIM_API int slim_queue_fd(const struct slim_queue *queue);

/* The next operation that has ended, in the order of ending; NULL by the deadline (0: do not wait). It is yours: unref it. */
SLIM_CALL struct slim_op *slim_queue_next(struct slim_queue *queue, uint64_t deadline_ns);

/* ---- services */

/* memory_max       bytes for all queues together; 0: a quarter of the machine's memory, at most 1 GiB
 * announce_links   announce ourselves to nodes as release 1.4 does; nodes of 1.0.0 with a controller cannot bear it */
struct slim_service_options {
    size_t memory_max;
    bool announce_links;
};

/* One engine of its own; links and applications of different services do not know each other. name is for log lines; options may be NULL.
 * SLIM_ERR_NO_MEMORY, SLIM_ERR_IO. */
SLIM_CALL enum slim_status slim_service_new(const char *name,
                                            const struct slim_service_options *options,
                                            struct slim_service **service,
                                            struct slim_error *error);
SLIM_API struct slim_service *slim_service_ref(struct slim_service *service);

/* The last one closes it: links, servers, sessions end at once. Applications keep it open. */
SLIM_API void slim_service_unref(struct slim_service *service);

/* End everything in order: sessions are deleted, for at most five seconds, then links and servers are, with what is queued in them, for
 * at most five more. What is begun after this fails with SLIM_ERR_CLOSED; deletes are complete. Again: complete when the first is. */
SLIM_CALL struct slim_op *slim_service_shutdown(struct slim_service *service,
                                                const struct slim_notify *notify);

/* Link to a node, kept up until slim_service_disconnect: lost ones come back with all subscriptions and routes. client: an endpoint
 * ("http://host:port", "https://...", "unix:///path"), or a mapping of slim.yaml(5) as for dataplane.clients, YAML or JSON: an endpoint alone
 * means without TLS for http and with the system's roots for https. Complete when it is up; while nobody listens it goes on trying, unless
 * the back-off says otherwise. SLIM_ERR_EXISTS: "client already connected: <endpoint>". SLIM_ERR_CONFIG, SLIM_ERR_CONNECT, SLIM_ERR_DENIED. */
SLIM_CALL struct slim_op *slim_service_connect(struct slim_service *service, const char *client,
                                               const struct slim_notify *notify);
SLIM_CALL struct slim_op *slim_service_disconnect(struct slim_service *service, uint64_t connection,
                                                  const struct slim_notify *notify);

/* Take back a slim_service_connect of this service: while it goes on it ends with SLIM_ERR_CLOSED, and the link that it has made is closed. */
SLIM_CALL struct slim_op *slim_service_stop_connect(struct slim_service *service,
                                                    struct slim_op *connect,
                                                    const struct slim_notify *notify);

/* The connection to this endpoint. SLIM_ERR_NOT_FOUND. */
SLIM_CALL enum slim_status slim_service_connection(struct slim_service *service,
                                                   const char *endpoint, uint64_t *connection);

/* Be a node too. server: "ip:port" or a mapping as for dataplane.servers. Complete when it listens; stop by the endpoint as given.
 * SLIM_ERR_BIND, SLIM_ERR_CONFIG; SLIM_ERR_NOT_FOUND "server not found: <endpoint>". */
SLIM_CALL struct slim_op *slim_service_run_server(struct slim_service *service, const char *server,
                                                  const struct slim_notify *notify);
SLIM_CALL struct slim_op *slim_service_stop_server(struct slim_service *service,
                                                   const char *endpoint,
                                                   const struct slim_notify *notify);

/* slim_service_connect and wait. SLIM_ERR_TIMEOUT: it goes on trying. */
SLIM_CALL enum slim_status slim_connect(struct slim_service *service, const char *client,
                                        uint64_t deadline_ns, uint64_t *connection,
                                        struct slim_error *error);

/* ---- applications */

/* direction   what the application does with messages: both by default */
enum slim_direction {
    SLIM_BIDIRECTIONAL = 0,
    SLIM_SEND_ONLY = 1,
    SLIM_RECEIVE_ONLY = 2,
    SLIM_NEITHER = 3
};

/* provider, verifier   identity as in slim.yaml(5) (token_provider, token_verifier), YAML or JSON:
 *                      {"type": "shared_secret", "id": "...", "data": "..."}, jwt, static_jwt, spire
 * allow_plaintext      as release 1.0.0: MLS sessions publish in clear, and what comes in clear is shown (never the default) */
struct slim_app_config {
    const char *provider;
    const char *verifier;
    enum slim_direction direction;
    bool allow_plaintext;
};

/* The application knows itself in its service when this returns. SLIM_ERR_AUTH: "hmac key is too short" and others; SLIM_ERR_CONFIG. With an
 * identity that must be fetched first (spire) it waits for the first token until the deadline: SLIM_ERR_TIMEOUT. */
SLIM_CALL enum slim_status slim_app_new(struct slim_service *service, const struct slim_name *name,
                                        const struct slim_app_config *config, uint64_t deadline_ns,
                                        struct slim_app **app, struct slim_error *error);

/* With a secret that everybody shares, at least 32 bytes; zero-terminated. */
SLIM_CALL enum slim_status slim_app_new_with_secret(struct slim_service *service,
                                                    const struct slim_name *name,
                                                    const char *secret, struct slim_app **app,
                                                    struct slim_error *error);

/* All of it at once, for programs with one node: a service of its own, a link to `node` (as slim_connect), an application with a secret that
 * is subscribed there. Sessions it opens and members it invites are reached by that link without slim_app_set_route. The service
 * goes with the application. Errors are those of slim_connect, slim_app_new_with_secret and slim_app_subscribe. */
SLIM_CALL enum slim_status slim_app_join(const char *node, const struct slim_name *name,
                                         const char *secret, uint64_t deadline_ns,
                                         struct slim_app **app, struct slim_error *error);
SLIM_API struct slim_app *slim_app_ref(struct slim_app *app);

/* The last one ends its sessions at once and silently: delete them first. Sessions keep it open. */
SLIM_API void slim_app_unref(struct slim_app *app);

/* Its own name with its id; borrowed, as long as the application lives. */
SLIM_API const struct slim_name *slim_app_name(const struct slim_app *app);

/* Tell a connection that `name` is ours; the id becomes the application's. SLIM_ANY_ID as connection: only inside this service. Complete when
 * it is on its way to the node, in front of everything said later. Undo it with the same name. */
SLIM_CALL struct slim_op *slim_app_subscribe(struct slim_app *app, const struct slim_name *name,
                                             uint64_t connection, const struct slim_notify *notify);
SLIM_CALL struct slim_op *slim_app_unsubscribe(struct slim_app *app, const struct slim_name *name,
                                               uint64_t connection,
                                               const struct slim_notify *notify);

/* Messages for `name` go by this connection. */
SLIM_CALL struct slim_op *slim_app_set_route(struct slim_app *app, const struct slim_name *name,
                                             uint64_t connection, const struct slim_notify *notify);
SLIM_CALL struct slim_op *slim_app_remove_route(struct slim_app *app, const struct slim_name *name,
                                                uint64_t connection,
                                                const struct slim_notify *notify);

/* ---- sessions */

enum slim_session_type { SLIM_POINT_TO_POINT = 0, SLIM_GROUP = 1 };

/* A text and its value, UTF-8. */
struct slim_pair {
    struct slim_view key;
    struct slim_view value;
};

/* interval_ms   0: unreliable: nothing is acknowledged or repeated, and max_retries does not count
 * metadata      told to everybody who joins. Of a key that occurs twice the last one counts, here and in messages */
struct slim_session_config {
    enum slim_session_type type;
    bool enable_mls;
    uint32_t max_retries;
    uint64_t interval_ms;
    const struct slim_pair *metadata;
    size_t metadata_count;
};

/* Begin a session. *session is valid at once (also when the operation fails: unref it). Complete when the peer has joined, or for a
 * group at once. What is published before somebody has joined is kept for the first one. */
SLIM_CALL struct slim_op *slim_app_create_session(struct slim_app *app,
                                                  const struct slim_session_config *config,
                                                  const struct slim_name *destination,
                                                  const struct slim_notify *notify,
                                                  struct slim_session **session);

/* The same, and wait; *session only with SLIM_OK. */
SLIM_CALL enum slim_status slim_session_open(struct slim_app *app,
                                             const struct slim_session_config *config,
                                             const struct slim_name *destination,
                                             uint64_t deadline_ns, struct slim_session **session,
                                             struct slim_error *error);

/* The next session somebody made us a member of. SLIM_ERR_TIMEOUT "listen_for_session timed out": none by the deadline (0: do not wait).
 * SLIM_ERR_CLOSED. */
SLIM_CALL enum slim_status slim_app_listen(struct slim_app *app, uint64_t deadline_ns,
                                           struct slim_session **session, struct slim_error *error);

/* Complete when slim_app_listen would return something. */
SLIM_CALL struct slim_op *slim_app_await_session(struct slim_app *app,
                                                 const struct slim_notify *notify);

SLIM_API struct slim_session *slim_session_ref(struct slim_session *session);

/* Does not end the session: slim_session_delete does. */
SLIM_API void slim_session_unref(struct slim_session *session);

/* End it: the moderator closes the group for all, others leave. What was published is delivered first. Complete when it is over; at once when
 * it was over already. */
SLIM_CALL struct slim_op *slim_session_delete(struct slim_session *session,
                                              const struct slim_notify *notify);

/* Moderators of groups. Complete when the member can receive; when it is out. SLIM_ERR_DENIED, SLIM_ERR_EXISTS, SLIM_ERR_NOT_FOUND,
 * SLIM_ERR_TIMEOUT, SLIM_ERR_NO_ROUTE. */
SLIM_CALL struct slim_op *slim_session_invite(struct slim_session *session,
                                              const struct slim_name *name,
                                              const struct slim_notify *notify);
SLIM_CALL struct slim_op *slim_session_remove(struct slim_session *session,
                                              const struct slim_name *name,
                                              const struct slim_notify *notify);

/* What is published. type: NULL is "msg". Copied. */
struct slim_payload {
    const void *data;
    size_t len;
    const char *type;
    const struct slim_pair *metadata;
    size_t metadata_count;
};

/* To everybody in the session. Complete when all who are members now have acknowledged it (unreliable: when it was sent). Waits inside while
 * the window is full: any number may be begun, and the memory they take is the caller's decision; slim_session_try_publish says no instead. */
SLIM_CALL struct slim_op *slim_session_publish(struct slim_session *session,
                                               const struct slim_payload *payload,
                                               const struct slim_notify *notify);

/* To one member, full name; unordered. */
SLIM_CALL struct slim_op *slim_session_publish_to(struct slim_session *session,
                                                  const struct slim_name *member,
                                                  const struct slim_payload *payload,
                                                  const struct slim_notify *notify);

/* slim_session_publish that nobody waits for. SLIM_AGAIN: too much is under way: slim_session_await_writable. SLIM_ERR_CLOSED: the session is
 * over, or is being deleted. */
SLIM_CALL enum slim_status slim_session_try_publish(struct slim_session *session,
                                                    const struct slim_payload *payload,
                                                    struct slim_error *error);
SLIM_CALL struct slim_op *slim_session_await_writable(struct slim_session *session,
                                                      const struct slim_notify *notify);

/* The next message. SLIM_ERR_TIMEOUT "receive timeout waiting for message": none by the deadline (0: do not wait). SLIM_ERR_CLOSED
 * "session closed": the session is over, and everything was read. Other statuses are what the reader must know, in its place between the
 * messages, and reading goes on: "participant disconnected: <name>" (SLIM_ERR_RESET), "message lost for session id: <id>". Whoever stops
 * reading holds up reliable senders: above 16 MiB nothing more is acknowledged; of unreliable messages those above 64 MiB are lost. */
SLIM_CALL enum slim_status slim_session_receive(struct slim_session *session, uint64_t deadline_ns,
                                                struct slim_message **message,
                                                struct slim_error *error);

/* Complete when slim_session_receive would return something. */
SLIM_CALL struct slim_op *slim_session_await_message(struct slim_session *session,
                                                     const struct slim_notify *notify);

/* A received message; everything in it is borrowed from it.
 * destination   the channel, or our own name when it was for us alone
 * metadata      "PUBLISH_TO" is in it when it was sent with slim_session_publish_to
 * connection    it came in by
 * identity      the sender's token
 * is_encrypted  it came under MLS */
struct slim_message_info {
    struct slim_name source;
    struct slim_name destination;
    struct slim_view payload;
    struct slim_view type;
    const struct slim_pair *metadata;
    size_t metadata_count;
    uint64_t connection;
    struct slim_view identity;
    bool is_encrypted;
};
SLIM_API const struct slim_message_info *slim_message_look(const struct slim_message *message);
SLIM_API void slim_message_unref(struct slim_message *message);

/* What a session is. Borrowed, as long as the session object lives; destination as in the reference (the name given for initiators of
 * point-to-point sessions, the initiator's full name for responders, the channel for groups). */
struct slim_session_look {
    uint32_t id;
    enum slim_session_type type;
    bool is_initiator;
    bool enable_mls;
    uint32_t max_retries;
    uint64_t interval_ms;
    struct slim_name source;
    struct slim_name destination;
    const struct slim_pair *metadata;
    size_t metadata_count;
};
SLIM_API const struct slim_session_look *slim_session_info(const struct slim_session *session);

/* It has ended, for whatever reason; what came before may still be read. */
SLIM_API bool slim_session_is_over(struct slim_session *session);

/* Members now, ourselves included, in the order of joining. */
struct slim_name_list {
    size_t count;
    const struct slim_name *names;
};

/* SLIM_ERR_CLOSED "Session already closed or dropped": the session is over. The list is yours: slim_name_list_free. */
SLIM_CALL enum slim_status slim_session_participants(struct slim_session *session,
                                                     struct slim_name_list **list,
                                                     struct slim_error *error);
SLIM_API void slim_name_list_free(struct slim_name_list *list);

/* ---- log lines, for programs: nothing is written unless this is called. fd: where to; filter: "info", "slim_datapath=debug,warn" ...; NULL: "info".
 * Lines are those of slim(1). SLIM_ERR_STATE: called before. SLIM_ERR_ARGUMENT: fd is none. SLIM_ERR_CONFIG: part of the filter was not
 * understood; the rest counts. */
SLIM_CALL enum slim_status slim_log_start(int fd, const char *filter);

#ifdef __cplusplus
}
#endif

#endif
