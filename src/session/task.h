/* What a moderator does for its group: invitations, removals, members that went, refreshes (spec session.md 6, docs/sessions.md).
 *
 *   ADD      waiting -> discovering -> joining -> ready -> changing -> done     GROUP_ADD to the others and GROUP_WELCOME, side by side
 *   REMOVE   waiting -------------------------> ready -> changing -> done       GROUP_REMOVE, then LEAVE_REQUEST
 *   GONE                                        ready -> changing -> done       GROUP_REMOVE to those who stay
 *   REFRESH                                     ready -> changing -> done       GROUP_ADD that adds nobody
 *
 * Discoveries and joins run side by side, SLIM_SESSION_INVITES_AT_ONCE of them; tasks for the same name one after the other. What is ready
 * takes its turn when no change is on the way that members other than ours have not acknowledged. A task that fails fails alone. */
#ifndef SLIM_SESSION_TASK_H
#define SLIM_SESSION_TASK_H

#include "session/request.h"

enum slim_session_task_kind {
    SLIM_SESSION_TASK_ADD,
    SLIM_SESSION_TASK_REMOVE,
    SLIM_SESSION_TASK_GONE,
    SLIM_SESSION_TASK_REFRESH,
};

enum slim_session_task_phase {
    SLIM_SESSION_TASK_WAITING,
    SLIM_SESSION_TASK_DISCOVERING,
    SLIM_SESSION_TASK_JOINING,
    SLIM_SESSION_TASK_READY,
    SLIM_SESSION_TASK_CHANGING,
};

/* asked         DISCOVERY, JOIN, WELCOME or LEAVE_REQUEST on the way to the member; change: GROUP_ADD or GROUP_REMOVE to all
 * slot          the member, from JOINING on; NO_SLOT: not yet, or not any more
 * key_package   from JOIN_REPLY
 * has_origin    a controller asked for it: `origin` is told with GROUP_ACK number origin_id when it is done (spec 4.9) */
struct slim_session_task {
    struct slim_list node;
    enum slim_session_task_kind kind;
    enum slim_session_task_phase phase;
    uint64_t op;
    bool has_op;
    bool has_origin;
    struct slim_session_name name;
    uint32_t slot;
    struct slim_session_request *asked;
    struct slim_session_request *change;
    struct slim_buf key_package;
    bool has_route; /* to the name, for the discovery */
    int32_t origin_type;
    uint32_t origin_id;
    uint64_t origin_conn;
};

/* SLIM_ERR_LIMIT: SLIM_SESSION_TASKS_MAX. SLIM_ERR_NO_MEMORY. The event of an operation must have been promised. */
SLIM_MUST_CHECK enum slim_status slim_session_task_new(struct slim_session *session,
                                                       enum slim_session_task_kind kind,
                                                       const struct slim_wire_name *name,
                                                       struct slim_session_task **task);

/* Every operation that is open ends with this; nothing goes on. For a session that closes. */
void slim_session_tasks_stop(struct slim_session *session, enum slim_status status,
                             const char *text);
void slim_session_tasks_free(struct slim_session *session);

/* Start and go on with whatever can. */
void slim_session_tasks_run(struct slim_session *session);

/* A member has answered the change of its own removal: it can be asked to leave. */
void slim_session_task_heard(struct slim_session *session,
                             const struct slim_session_request *request, uint32_t slot);

/* The member of this task is gone: an invitation fails, a removal is what was wanted. */
void slim_session_task_lost_member(struct slim_session *session, struct slim_session_task *task);

/* The member has left by itself, or does not answer any more: it is out at once, the others are told in a task. */
void slim_session_member_gone(struct slim_session *session, struct slim_session_member *member);

/* Answers with content. */
enum slim_status slim_session_on_discovery_reply(struct slim_session *session,
                                                 const struct slim_session_incoming *in);
enum slim_status slim_session_on_join_reply(struct slim_session *session,
                                            const struct slim_session_incoming *in);

/* The engine could not send this request of a task: nobody has the name. */
void slim_session_task_no_route(struct slim_session *session, uint32_t message_id,
                                const char *text);

/* Is somebody being invited? */
bool slim_session_is_inviting(const struct slim_session *session);

#endif
