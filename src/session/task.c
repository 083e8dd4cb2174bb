#include "session/task.h"

#include <stdio.h>

#include "session/change.h"
#include "session/compose.h"
#include "session/controller.h"

enum { CHANGES_AT_ONCE = 32, TEXT_MAX = SLIM_ERROR_TEXT_MAX };

/* ---- life */

enum slim_status slim_session_task_new(struct slim_session *session,
                                       enum slim_session_task_kind kind,
                                       const struct slim_wire_name *name,
                                       struct slim_session_task **task)
{
    struct slim_heap *heap = session->app->heap;
    if (session->task_count == SLIM_SESSION_TASKS_MAX) {
        return SLIM_ERR_LIMIT;
    }
    struct slim_session_task *made = slim_heap_take_zeroed(heap, 1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    if (name != NULL) {
        enum slim_status status = slim_session_name_init(heap, name, name->name.id, &made->name);
        if (status != SLIM_OK) {
            slim_heap_return(heap, made);
            return status;
        }
    }
    made->kind = kind;
    made->slot = SLIM_SESSION_NO_SLOT;
    slim_list_put_last(&session->tasks, &made->node);
    session->task_count++;
    slim_session_touch(session);
    *task = made;
    return SLIM_OK;
}

static bool is_inviting(const struct slim_session_task *task)
{
    return task->phase == SLIM_SESSION_TASK_DISCOVERING || task->phase == SLIM_SESSION_TASK_JOINING;
}

static void set_phase(struct slim_session *session, struct slim_session_task *task,
                      enum slim_session_task_phase phase)
{
    session->inviting_count -= is_inviting(task) ? 1 : 0;
    task->phase = phase;
    session->inviting_count += is_inviting(task) ? 1 : 0;
    slim_session_touch(session);
}

static void detach(struct slim_session_request **request)
{
    if (*request != NULL) {
        (*request)->task = NULL;
        *request = NULL;
    }
}

static void task_free(struct slim_session *session, struct slim_session_task *task)
{
    struct slim_heap *heap = session->app->heap;
    set_phase(session, task, SLIM_SESSION_TASK_WAITING);
    slim_session_controller_done(session, task, false);
    slim_session_request_free(session, task->asked);
    detach(&task->change); /* goes on by itself */
    slim_list_remove(&task->node);
    session->task_count--;
    slim_session_name_fini(heap, &task->name);
    slim_buf_fini(&task->key_package);
    slim_heap_return(heap, task);
}

void slim_session_tasks_free(struct slim_session *session)
{
    SLIM_LIST_EACH(node, &session->tasks)
    {
        task_free(session, SLIM_LIST_ENTRY(node, struct slim_session_task, node));
    }
}

static void complete(struct slim_session *session, struct slim_session_task *task,
                     enum slim_status status, const char *text)
{
    if (task->has_op) {
        task->has_op = false;
        slim_session_complete(session->app, session->id, task->op, status, text);
    }
}

void slim_session_tasks_stop(struct slim_session *session, enum slim_status status,
                             const char *text)
{
    SLIM_LIST_EACH(node, &session->tasks)
    {
        complete(session, SLIM_LIST_ENTRY(node, struct slim_session_task, node), status, text);
    }
}

/* ---- how tasks end */

static void task_done(struct slim_session *session, struct slim_session_task *task)
{
    bool is_opening = session->state == SLIM_SESSION_OPENING;
    slim_session_controller_done(session, task, true);
    complete(session, task, SLIM_OK, NULL);
    task_free(session, task);
    if (is_opening) {
        session->state = SLIM_SESSION_OPEN; /* point-to-point: its only task was to join the peer */
    }
    slim_session_touch(session);
}

/* The operation fails with `text`, and nothing of the task stays. A point-to-point session does not survive that (defect 15). */
static void task_failed(struct slim_session *session, struct slim_session_task *task,
                        enum slim_status status, const char *text)
{
    struct slim_session_member *member = slim_session_members_at(&session->members, task->slot);
    bool is_opening = session->state == SLIM_SESSION_OPENING;
    complete(session, task, status, text);
    task->slot = SLIM_SESSION_NO_SLOT;
    task_free(session, task);
    if (member != NULL && member->standing == SLIM_SESSION_INVITED) {
        slim_session_dismiss(session, member);
        slim_session_unroute(session, member);
        slim_session_members_remove(&session->members, member);
    }
    slim_session_touch(session);
    if (is_opening) {
        session->is_begun = false;
        slim_session_end(session, NULL);
    }
}

static const char *wrapper_of(enum slim_session_task_kind kind)
{
    switch (kind) {
    case SLIM_SESSION_TASK_ADD:
        return "failed to add participant to session";
    case SLIM_SESSION_TASK_REMOVE:
        return "failed to remove participant from session";
    case SLIM_SESSION_TASK_GONE:
        return "failed to close session";
    case SLIM_SESSION_TASK_REFRESH:
        return "failed to update session";
    }
    return "";
}

static void fail_because(struct slim_session *session, struct slim_session_task *task,
                         enum slim_status status, const char *cause)
{
    char text[TEXT_MAX];
    if (status == SLIM_AGAIN) { /* nobody waits for it here */
        status = SLIM_ERR_STATE;
        cause = "the credential for MLS cannot be had now";
    }
    (void)snprintf(text, sizeof(text), "%s\nCaused by:\n  -> %s", wrapper_of(task->kind), cause);
    task_failed(session, task, status, text);
}

static void fail_unanswered(struct slim_session *session, struct slim_session_task *task,
                            uint32_t message_id)
{
    char cause[TEXT_MAX];
    if (session->is_mls && session->app->mls == NULL) {
        fail_because(session, task, SLIM_AGAIN, ""); /* answers were no use without */
        return;
    }
    (void)snprintf(cause, sizeof(cause), "message send retries exhausted for id=%u", message_id);
    fail_because(session, task, SLIM_ERR_TIMEOUT, cause);
}

/* ---- ADD: discovery and join */

static enum slim_status discover(struct slim_session *session, struct slim_session_task *task)
{
    struct slim_wire_session_message message;
    struct slim_session_expected nobody_known = {.is_discovery = true};
    slim_session_compose(session, SLIM_WIRE_TYPE_DISCOVERY_REQUEST, &task->name.wire, 0, &message);
    SLIM_TRY(slim_session_request_new(session, &message, &nobody_known, task, &task->asked));
    set_phase(session, task, SLIM_SESSION_TASK_DISCOVERING);
    return SLIM_OK;
}

static enum slim_status join(struct slim_session *session, struct slim_session_task *task,
                             const struct slim_session_member *member)
{
    struct slim_wire_session_message message;
    struct slim_session_expected expected = {.only = member};
    slim_session_compose(session, SLIM_WIRE_TYPE_JOIN_REQUEST, &member->name.wire, 0, &message);
    message.payload.join_request = (struct slim_wire_join_request){
        .enable_mls = session->is_mls,
        .has_timer = session->has_timer,
        .timeout_ms = (uint32_t)session->interval_ms,
        .max_retries = session->max_retries,
    };
    if (!session->has_timer) {
        message.payload.join_request.timeout_ms = 0;
        message.payload.join_request.max_retries = 0;
    }
    if (session->kind == SLIM_SESSION_GROUP) {
        message.payload.join_request.channel = session->channel.wire;
    }
    message.metadata =
        (struct slim_wire_metadata){.pairs = session->metadata, .count = session->metadata_count};
    SLIM_TRY(slim_session_request_new(session, &message, &expected, task, &task->asked));
    set_phase(session, task, SLIM_SESSION_TASK_JOINING);
    return SLIM_OK;
}

/* Whoever answered first is the one (anycast). SLIM_AGAIN: our credential cannot be had now, which fails the invitation. */
static enum slim_status discovered(struct slim_session *session, struct slim_session_task *task,
                                   const struct slim_session_incoming *in)
{
    const struct slim_wire_name *source = &in->message->head.source;
    struct slim_session_member *member;
    if (slim_session_members_by_source(&session->members, &source->name) != NULL) {
        char text[TEXT_MAX];
        char name[SLIM_SESSION_NAME_TEXT_MAX];
        (void)snprintf(text, sizeof(text),
                       "session cleanup failed: participant already in group: %s",
                       slim_session_name_format(source, name));
        task_failed(session, task, SLIM_ERR_EXISTS, text);
        return SLIM_OK;
    }
    SLIM_TRY(slim_session_begin_group(session, source, in->conn_id));
    SLIM_TRY(slim_session_members_add(&session->members, source, SLIM_SESSION_INVITED, &member));
    member->conn_id = in->conn_id;
    task->slot = member->slot;
    slim_session_route(session, member, in->conn_id);
    return join(session, task, member);
}

enum slim_status slim_session_on_discovery_reply(struct slim_session *session,
                                                 const struct slim_session_incoming *in)
{
    struct slim_session_request *request =
        slim_session_request_find(session, SLIM_WIRE_TYPE_DISCOVERY_REPLY, in);
    if (request == NULL) {
        return SLIM_ERR_STATE; /* stale or surplus (defect 1) */
    }
    if (session->is_mls && slim_session_app_secure(session->app) == SLIM_AGAIN) {
        return SLIM_AGAIN; /* as if the answer were lost: when it is asked for again, our credential may be there */
    }
    struct slim_session_task *task = request->task;
    task->asked = NULL;
    slim_session_request_free(session, request);
    enum slim_status status = discovered(session, task, in);
    if (status != SLIM_OK) {
        fail_because(session, task, status, slim_status_text(status));
    }
    return SLIM_AGAIN;
}

enum slim_status slim_session_on_join_reply(struct slim_session *session,
                                            const struct slim_session_incoming *in)
{
    const struct slim_wire_join_reply *reply = &in->message->payload.join_reply;
    struct slim_session_request *request =
        slim_session_request_find(session, SLIM_WIRE_TYPE_JOIN_REPLY, in);
    if (request == NULL || in->message->payload.kind != SLIM_WIRE_PAYLOAD_JOIN_REPLY) {
        return SLIM_ERR_STATE;
    }
    struct slim_session_task *task = request->task;
    task->asked = NULL;
    slim_session_request_free(session, request);
    in->source->is_ours = slim_session_has_key(in->message, SLIM_SESSION_MARK);
    enum slim_status status = SLIM_OK;
    if (session->is_mls && reply->key_package.len > SLIM_SESSION_KEY_PACKAGE_BYTES_MAX) {
        status = SLIM_ERR_LIMIT;
    } else if (session->is_mls) {
        status = slim_buf_put(&task->key_package, reply->key_package);
    }
    if (status != SLIM_OK) {
        fail_because(session, task, status, slim_status_text(status));
        return SLIM_AGAIN;
    }
    set_phase(session, task, SLIM_SESSION_TASK_READY);
    return SLIM_AGAIN;
}

/* ---- starting */

static bool is_for(const struct slim_session_task *task, const struct slim_name_key *name)
{
    return task->name.text != NULL && slim_name_has_prefix_of(&task->name.wire.name, name);
}

static bool must_wait(const struct slim_session *session, const struct slim_session_task *task)
{
    if (task->kind == SLIM_SESSION_TASK_ADD &&
        session->inviting_count >= SLIM_SESSION_INVITES_AT_ONCE) {
        return true;
    }
    SLIM_LIST_EACH(node, &session->tasks)
    {
        const struct slim_session_task *earlier =
            SLIM_LIST_ENTRY(node, struct slim_session_task, node);
        if (earlier == task) {
            return false;
        }
        if (is_for(earlier, &task->name.wire.name)) {
            return true;
        }
    }
    return false;
}

static void start_add(struct slim_session *session, struct slim_session_task *task)
{
    const struct slim_session_member *member =
        slim_session_members_by_name(&session->members, &task->name.wire.name);
    if (session->kind == SLIM_SESSION_GROUP && member != NULL) {
        char text[TEXT_MAX];
        char name[SLIM_SESSION_NAME_TEXT_MAX];
        (void)snprintf(text, sizeof(text),
                       "session cleanup failed: participant already in group: %s",
                       slim_session_name_format(&task->name.wire, name));
        task_failed(session, task, SLIM_ERR_EXISTS, text);
        return;
    }
    enum slim_status status = discover(session, task);
    if (status != SLIM_OK) {
        fail_because(session, task, status, slim_status_text(status));
    }
}

static void start_remove(struct slim_session *session, struct slim_session_task *task)
{
    const struct slim_name_key *name = &task->name.wire.name;
    const struct slim_session_member *member =
        name->id == SLIM_NAME_ANY ? slim_session_members_by_name(&session->members, name)
                                  : slim_session_members_by_source(&session->members, name);
    if (member == NULL || member->is_self || !slim_session_member_is_listed(member)) {
        char text[TEXT_MAX];
        char printed[SLIM_SESSION_NAME_TEXT_MAX];
        (void)snprintf(text, sizeof(text),
                       "session cleanup failed: participant not found in group: %s",
                       slim_session_name_format(&task->name.wire, printed));
        task_failed(session, task, SLIM_ERR_NOT_FOUND, text);
        return;
    }
    task->slot = member->slot;
    set_phase(session, task, SLIM_SESSION_TASK_READY);
}

static void start(struct slim_session *session, struct slim_session_task *task)
{
    switch (task->kind) {
    case SLIM_SESSION_TASK_ADD:
        start_add(session, task);
        return;
    case SLIM_SESSION_TASK_REMOVE:
        start_remove(session, task);
        return;
    case SLIM_SESSION_TASK_GONE:
    case SLIM_SESSION_TASK_REFRESH:
        set_phase(session, task, SLIM_SESSION_TASK_READY);
        return;
    }
}

/* ---- changing */

/* True: the change is on the way, or there was nothing to tell anybody. */
static void take_turn(struct slim_session *session, struct slim_session_task *task)
{
    struct slim_error error = {.status = SLIM_OK};
    enum slim_status status = SLIM_OK;
    set_phase(session, task, SLIM_SESSION_TASK_CHANGING);
    switch (task->kind) {
    case SLIM_SESSION_TASK_ADD:
        status = slim_session_change_add(session, task, &error);
        break;
    case SLIM_SESSION_TASK_REMOVE:
    case SLIM_SESSION_TASK_GONE:
        status = slim_session_change_remove(session, task, &error);
        break;
    case SLIM_SESSION_TASK_REFRESH:
        status = slim_session_change_refresh(session, task, &error);
        break;
    }
    if (status != SLIM_OK) {
        fail_because(session, task, status,
                     error.text[0] != 0 ? error.text : slim_status_text(status));
    } else if (task->asked == NULL && task->change == NULL) {
        task_done(session, task);
    }
}

static bool can_change(const struct slim_session *session)
{
    uint32_t count = 0;
    SLIM_LIST_EACH(node, &session->requests)
    {
        const struct slim_session_request *request =
            SLIM_LIST_ENTRY(node, struct slim_session_request, node);
        count += request->is_change && !request->is_background ? 1 : 0;
    }
    return count < CHANGES_AT_ONCE && !slim_session_is_changing(session);
}

/* Without MLS nothing orders the changes of one member, so that the one before must have been told. */
static bool can_take_turn(const struct slim_session *session, const struct slim_session_task *task)
{
    const struct slim_session_member *member =
        slim_session_members_at(&session->members, task->slot);
    const struct slim_name_key *name =
        member != NULL ? &member->name.wire.name : &task->name.wire.name;
    return can_change(session) &&
           (session->is_mls || !slim_session_is_changing_member(session, name));
}

/* The first task that can go one step does so. The list may look different afterwards. */
static bool step(struct slim_session *session)
{
    SLIM_LIST_EACH(node, &session->tasks)
    {
        struct slim_session_task *task = SLIM_LIST_ENTRY(node, struct slim_session_task, node);
        if (task->phase == SLIM_SESSION_TASK_WAITING && !must_wait(session, task)) {
            start(session, task);
            return true;
        }
        if (task->phase == SLIM_SESSION_TASK_READY && can_take_turn(session, task)) {
            take_turn(session, task);
            return true;
        }
    }
    return false;
}

void slim_session_tasks_run(struct slim_session *session)
{
    while ((session->state == SLIM_SESSION_OPENING || session->state == SLIM_SESSION_OPEN) &&
           step(session)) {
    }
}

/* ---- requests of tasks that end */

/* GROUP_WELCOME is acknowledged: the member can receive. False: it cannot after all, and the task is over. */
static bool welcomed(struct slim_session *session, const struct slim_session_task *task)
{
    struct slim_session_member *member = slim_session_members_at(&session->members, task->slot);
    if (member == NULL) {
        return true;
    }
    slim_session_members_set(&session->members, member, SLIM_SESSION_PRESENT);
    if (slim_session_admit_receiver(session, member) != SLIM_OK) {
        uint32_t slot = member->slot;
        slim_session_member_gone(session, member);
        return slim_session_members_at(&session->members, slot) != NULL;
    }
    return true;
}

/* Whoever has been told to leave, or will not answer, need not acknowledge the change either. */
static void removed(struct slim_session *session, struct slim_session_task *task)
{
    struct slim_session_member *member = slim_session_members_at(&session->members, task->slot);
    task->slot = SLIM_SESSION_NO_SLOT;
    if (task->change != NULL && task->change->missing_count == 1 && member != NULL &&
        slim_session_request_misses(task->change, member->slot)) {
        detach(&task->change); /* that was the last it waited for */
    }
    if (member != NULL) {
        slim_session_dismiss(session, member);
        slim_session_unroute(session, member);
        slim_session_members_remove(&session->members, member);
    }
}

static void over_asked(struct slim_session *session, struct slim_session_task *task,
                       const struct slim_session_request *request, bool is_answered)
{
    bool is_add = task->kind == SLIM_SESSION_TASK_ADD;
    if (!is_answered && is_add && task->phase == SLIM_SESSION_TASK_CHANGING) {
        struct slim_session_member *member = slim_session_members_at(&session->members, task->slot);
        task->slot = SLIM_SESSION_NO_SLOT;
        if (session->kind == SLIM_SESSION_GROUP && member != NULL) {
            slim_session_member_gone(session, member); /* the others are told */
        }
        fail_unanswered(session, task, request->message_id);
        return;
    }
    if (!is_answered) {
        if (!is_add) {
            removed(session, task);
        }
        fail_unanswered(session, task, request->message_id);
        return;
    }
    if (is_add && !welcomed(session, task)) {
        return;
    }
    if (!is_add) {
        removed(session, task);
    }
    if (session->state != SLIM_SESSION_ENDED && task->change == NULL) {
        task_done(session, task);
    }
}

static void tell_removed(struct slim_session *session, struct slim_session_task *task)
{
    enum slim_status status = slim_session_ask_to_leave(session, task);
    if (status != SLIM_OK) {
        removed(session, task);
        fail_because(session, task, status, slim_status_text(status));
    }
}

/* The others know, or will be told in the background. */
static void over_change(struct slim_session *session, struct slim_session_task *task)
{
    if (task->kind == SLIM_SESSION_TASK_REMOVE && task->slot != SLIM_SESSION_NO_SLOT &&
        task->asked == NULL) {
        tell_removed(session, task); /* without its acknowledgement */
    } else if (task->asked == NULL) {
        task_done(session, task);
    }
}

void slim_session_task_heard(struct slim_session *session,
                             const struct slim_session_request *request, uint32_t slot)
{
    struct slim_session_task *task = request->task;
    if (task != NULL && task->change == request && task->kind == SLIM_SESSION_TASK_REMOVE &&
        task->slot == slot && task->asked == NULL && request->missing_count > 0) {
        tell_removed(session, task);
    }
}

void slim_session_request_over(struct slim_session *session, struct slim_session_request *request,
                               bool is_answered)
{
    struct slim_session_task *task = request->task;
    request->task = NULL;
    if (request->type == SLIM_WIRE_TYPE_PING || request->is_background) {
        return;
    }
    if (task == NULL) {
        bool is_of_session = request->type == SLIM_WIRE_TYPE_GROUP_CLOSE ||
                             request->type == SLIM_WIRE_TYPE_LEAVE_REQUEST;
        if (is_of_session) {
            slim_session_input(
                session, is_answered ? SLIM_SESSION_ON_ANSWERED : SLIM_SESSION_ON_GIVEN_UP, NULL);
        }
        return;
    }
    if (task->change == request) {
        task->change = NULL;
        over_change(session, task);
        return;
    }
    task->asked = NULL;
    over_asked(session, task, request, is_answered);
}

void slim_session_task_lost_member(struct slim_session *session, struct slim_session_task *task)
{
    char cause[TEXT_MAX];
    char name[SLIM_SESSION_NAME_TEXT_MAX];
    const struct slim_session_member *member =
        slim_session_members_at(&session->members, task->slot);
    (void)snprintf(
        cause, sizeof(cause), "participant disconnected: %s",
        slim_session_name_format(member != NULL ? &member->name.wire : &task->name.wire, name));
    task->slot = SLIM_SESSION_NO_SLOT;
    slim_session_request_free(session, task->asked);
    task->asked = NULL;
    if (task->kind == SLIM_SESSION_TASK_REMOVE) {
        if (task->change == NULL) {
            task_done(session, task); /* nobody is left who must be told */
        }
        return;
    }
    fail_because(session, task, SLIM_ERR_CLOSED, cause);
}

void slim_session_task_no_route(struct slim_session *session, uint32_t message_id, const char *text)
{
    SLIM_LIST_EACH(node, &session->tasks)
    {
        struct slim_session_task *task = SLIM_LIST_ENTRY(node, struct slim_session_task, node);
        if (task->phase == SLIM_SESSION_TASK_DISCOVERING && task->asked != NULL &&
            task->asked->message_id == message_id) {
            char cause[TEXT_MAX];
            (void)snprintf(cause, sizeof(cause),
                           "send failure reported from slim: ErrorPayload: message processing "
                           "error: %s (session_id=%u, message_id=%u, "
                           "session_message_type=DiscoveryRequest)",
                           text, session->id, message_id);
            fail_because(session, task, SLIM_ERR_NO_ROUTE, cause);
            return;
        }
    }
}

bool slim_session_is_inviting(const struct slim_session *session)
{
    SLIM_LIST_EACH(node, &session->tasks)
    {
        const struct slim_session_task *task =
            SLIM_LIST_ENTRY(node, struct slim_session_task, node);
        if (task->kind == SLIM_SESSION_TASK_ADD) {
            return true;
        }
    }
    return false;
}
