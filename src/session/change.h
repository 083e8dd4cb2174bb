/* Changes of a group as its moderator makes them: the MLS commit, the list, and what everybody is told (spec session.md 4.3, 4.5). */
#ifndef SLIM_SESSION_CHANGE_H
#define SLIM_SESSION_CHANGE_H

#include "session/task.h"

/* Before the first JOIN_REQUEST: we are a member, the channel is open, there is an MLS group. peer: who answered the discovery. Once is
 * enough; more often does nothing. */
SLIM_MUST_CHECK enum slim_status slim_session_begin_group(struct slim_session *session,
                                                          const struct slim_wire_name *peer,
                                                          uint64_t conn_id);

/* The change of a task in its turn; task->asked and task->change are the requests it waits for afterwards. On failure the member that was to
 * come is not there, and a sentence may be in *error. */
SLIM_MUST_CHECK enum slim_status slim_session_change_add(struct slim_session *session,
                                                         struct slim_session_task *task,
                                                         struct slim_error *error);
SLIM_MUST_CHECK enum slim_status slim_session_change_remove(struct slim_session *session,
                                                            struct slim_session_task *task,
                                                            struct slim_error *error);
SLIM_MUST_CHECK enum slim_status slim_session_change_refresh(struct slim_session *session,
                                                             struct slim_session_task *task,
                                                             struct slim_error *error);

/* LEAVE_REQUEST to the member of a removal. */
SLIM_MUST_CHECK enum slim_status slim_session_ask_to_leave(struct slim_session *session,
                                                           struct slim_session_task *task);

/* GROUP_CLOSE to all that know of the session. SLIM_ERR_NOT_FOUND: there is nobody. */
SLIM_MUST_CHECK enum slim_status slim_session_tell_close(struct slim_session *session);

#endif
