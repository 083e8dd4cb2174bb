/* What sessions have for their readers: messages and notices, in order (slim/slim.h).
 *
 * A reader that falls behind must not cost memory without bound: above a mark the session layer takes nothing more, and reliable messages
 * stay with their senders, who repeat them. What cannot be held up, as it is unreliable, is dropped at a second mark, and told once. */
#include <stdio.h>

#include "client/internal.h"

/* Something can be read, or nothing will ever be. The session's mutex is held. */
static void tell_readers(struct slim_session *session)
{
    (void)pthread_cond_broadcast(&session->cond); /* cannot fail */
    slim_client_op_end_all(&session->readers, SLIM_OK, NULL);
}

/* ------------------------------------------------------------------------------------------------ putting, on the loop thread */

static void pause(struct slim_session *session, bool is_paused)
{
    if (session->is_in_table) {
        slim_session_app_pause(slim_client_local_sessions(session->app->local), session->look.id,
                               is_paused);
        slim_client_local_wake(session->app->local);
    }
}

/* Beyond all marks: the one notice that says so. */
static struct slim_message *notice_of_loss(const struct slim_session *session)
{
    char text[SLIM_ERROR_TEXT_MAX];
    struct slim_message *notice = NULL;
    (void)snprintf(text, sizeof(text), "message lost for session id: %u",
                   session->look.id); /* short */
    return slim_client_message_new_notice(SLIM_ERR_LIMIT, text, &notice) == SLIM_OK ? notice : NULL;
}

/* A reader wakes once for all that one turn brought, and the lock is taken once. */
static void put(struct slim_session *session, struct slim_message *message)
{
    slim_list_put_last(&session->arrived, &message->in_inbox);
    if (!slim_list_is_linked(&session->in_news)) {
        atomic_fetch_add_explicit(&session->ref_count, 1, memory_order_relaxed);
        slim_list_put_last(&session->app->news, &session->in_news);
    }
}

/* Those that have room, with the session's mutex held; the others stay. True: somebody must be told of them. */
static bool move_arrived(struct slim_session *session)
{
    bool must_tell = false;
    SLIM_LIST_EACH(node, &session->arrived)
    {
        struct slim_message *message = SLIM_LIST_ENTRY(node, struct slim_message, in_inbox);
        bool has_room = session->inbox_bytes < SLIM_CLIENT_INBOX_MAX_BYTES;
        must_tell = must_tell || (!has_room && !session->is_dropping);
        session->is_dropping = !has_room;
        if (has_room) {
            session->inbox_bytes += message->bytes;
            slim_list_remove(node);
            slim_list_put_last(&session->inbox, node);
        }
    }
    return must_tell;
}

static void drop_arrived(struct slim_session *session)
{
    struct slim_list *node;
    while ((node = slim_list_take_first(&session->arrived)) != NULL) {
        slim_message_unref(SLIM_LIST_ENTRY(node, struct slim_message, in_inbox));
    }
}

static void flush(struct slim_session *session)
{
    if (!slim_list_is_linked(&session->in_news)) {
        return;
    }
    slim_list_remove(&session->in_news);
    (void)pthread_mutex_lock(&session->mutex); /* our own mutex */
    bool must_tell = move_arrived(session);
    bool must_pause = !session->is_paused && session->inbox_bytes >= SLIM_CLIENT_INBOX_PAUSE_BYTES;
    session->is_paused = session->is_paused || must_pause;
    struct slim_message *notice = must_tell ? notice_of_loss(session) : NULL;
    if (notice != NULL) {
        session->inbox_bytes += notice->bytes;
        slim_list_put_last(&session->inbox, &notice->in_inbox);
    }
    tell_readers(session);
    (void)pthread_mutex_unlock(&session->mutex); /* likewise */
    drop_arrived(session);
    if (must_pause) {
        pause(session, true);
    }
    slim_client_session_unref_memory(session);
}

void slim_client_read_flush_all(void *ctx)
{
    struct slim_app *app = ctx;
    while (!slim_list_is_empty(&app->news)) {
        flush(SLIM_LIST_ENTRY(app->news.next, struct slim_session, in_news));
    }
}

void slim_client_read_put_message(struct slim_session *session,
                                  const struct slim_session_message *message)
{
    struct slim_message *made;
    if (slim_client_message_new(message, &made) != SLIM_OK) {
        made = notice_of_loss(session); /* it was acknowledged: it will not come again */
    }
    if (made != NULL) {
        put(session, made);
    }
}

void slim_client_read_put_notice(struct slim_session *session, enum slim_status status,
                                 const char *text)
{
    struct slim_message *made;
    if (slim_client_message_new_notice(status, text, &made) == SLIM_OK) {
        put(session, made);
    }
}

void slim_client_read_close(struct slim_session *session)
{
    flush(session);
    (void)pthread_mutex_lock(&session->mutex); /* our own mutex */
    session->is_over = true;
    tell_readers(session);
    slim_client_op_end_all(&session->writers, SLIM_OK, NULL);
    (void)pthread_mutex_unlock(&session->mutex); /* likewise */
}

/* ------------------------------------------------------------------------------------------------ taking, from any thread */

/* On the loop thread: what has become of it since. */
static void on_resume(struct slim_job *job)
{
    struct slim_session *session = SLIM_CONTAINER_OF(job, struct slim_session, resume);
    (void)pthread_mutex_lock(&session->mutex); /* our own mutex */
    session->is_resuming = false;
    bool is_paused = session->is_paused;
    (void)pthread_mutex_unlock(&session->mutex); /* likewise */
    pause(session, is_paused);
    slim_client_session_unref_memory(session);
}

/* The next one, with the session's mutex held. */
static struct slim_message *take(struct slim_session *session)
{
    struct slim_list *node = slim_list_take_first(&session->inbox);
    if (node == NULL) {
        return NULL;
    }
    struct slim_message *message = SLIM_LIST_ENTRY(node, struct slim_message, in_inbox);
    session->inbox_bytes -= message->bytes;
    if (session->is_paused && session->inbox_bytes <= SLIM_CLIENT_INBOX_RESUME_BYTES) {
        session->is_paused = false;
        if (!session->is_resuming) {
            session->is_resuming = true;
            session->resume.on_loop = on_resume;
            atomic_fetch_add_explicit(&session->ref_count, 1, memory_order_relaxed);
            slim_loop_post(session->app->service->loop, &session->resume);
        }
    }
    return message;
}

static enum slim_status check(const struct slim_session *session, struct slim_error *error)
{
    return session == NULL ? slim_error_set(error, SLIM_ERR_ARGUMENT, "no session was given")
                           : slim_client_check(session->app->service, error);
}

enum slim_status slim_session_receive(struct slim_session *session, uint64_t deadline_ns,
                                      struct slim_message **result, struct slim_error *error)
{
    SLIM_TRY(check(session, error));
    if (result == NULL) {
        return slim_error_set(error, SLIM_ERR_ARGUMENT, "no place for the message was given");
    }
    (void)pthread_mutex_lock(&session->mutex); /* our own mutex */
    bool is_in_time = deadline_ns != 0;
    struct slim_message *message = take(session);
    while (message == NULL && !session->is_over && is_in_time) {
        is_in_time = slim_client_wait_until(&session->cond, &session->mutex, deadline_ns);
        message = take(session);
    }
    bool is_over = session->is_over;
    (void)pthread_mutex_unlock(&session->mutex); /* likewise */
    if (message == NULL) {
        return is_over
                   ? slim_error_set(error, SLIM_ERR_CLOSED, "session closed")
                   : slim_error_set(error, SLIM_ERR_TIMEOUT, "receive timeout waiting for message");
    }
    enum slim_status status = message->status;
    if (status == SLIM_OK) {
        *result = message;
        return SLIM_OK;
    }
    (void)slim_error_set(error, status, "%.*s", SLIM_VIEW_ARG(message->info.payload)); /* status */
    slim_message_unref(message);
    return status;
}

struct slim_op *slim_session_await_message(struct slim_session *session,
                                           const struct slim_notify *notify)
{
    struct slim_error error = {.status = SLIM_OK};
    if (check(session, &error) != SLIM_OK) {
        return slim_client_op_failed(notify, error.status, error.text);
    }
    struct slim_op *op = slim_client_op_new(notify);
    (void)pthread_mutex_lock(&session->mutex); /* our own mutex */
    bool is_ready = !slim_list_is_empty(&session->inbox) || session->is_over;
    if (!is_ready && !op->is_static) {
        slim_client_op_put(&session->readers, op);
    }
    (void)pthread_mutex_unlock(&session->mutex); /* likewise */
    if (is_ready) {
        slim_client_op_end(op, SLIM_OK, NULL);
    }
    return op;
}
