/* Groups that a control plane makes and changes through the moderator (spec session.md 4.9). Obeyed only by applications that allow it, only
 * from names controller/controller/controller, and in a session only from the instance that made it. */
#ifndef SLIM_SESSION_CONTROLLER_H
#define SLIM_SESSION_CONTROLLER_H

#include "session/task.h"

/* JOIN_REQUEST with IS_MODERATOR for a session that is not there; and for one that is: its acknowledgement was lost. */
void slim_session_controller_begin(struct slim_session_app *app,
                                   const struct slim_session_incoming *in);
enum slim_status slim_session_controller_again(struct slim_session *session,
                                               const struct slim_session_incoming *in);

/* DISCOVERY_REQUEST with a destination: invite it. LEAVE_REQUEST: remove its destination, or with DELETE_GROUP close the group. */
enum slim_status slim_session_controller_invite(struct slim_session *session,
                                                const struct slim_session_incoming *in);
enum slim_status slim_session_controller_remove(struct slim_session *session,
                                                const struct slim_session_incoming *in);

/* What it asked for is done (ok), or failed: then it hears nothing and times out. */
void slim_session_controller_done(struct slim_session *session, struct slim_session_task *task,
                                  bool is_ok);
void slim_session_controller_closed(struct slim_session *session);

#endif
