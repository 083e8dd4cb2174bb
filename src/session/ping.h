/* Liveness (spec session.md 4.8): a moderator asks every SLIM_SESSION_PING_MS, a participant listens; after SLIM_SESSION_PING_MISSES periods of
 * silence the other side is gone. Whatever a member says is a sign of life. */
#ifndef SLIM_SESSION_PING_H
#define SLIM_SESSION_PING_H

#include "session/state.h"

/* Ask, count and give up what is due; the time of the next. */
uint64_t slim_session_ping_tick(struct slim_session *session);

/* PING at either side. */
enum slim_status slim_session_on_pong(struct slim_session *session,
                                      const struct slim_session_incoming *in);
enum slim_status slim_session_answer_ping(struct slim_session *session,
                                          const struct slim_session_incoming *in);

/* After a member went: nobody is left, and nobody is coming? Then the session has nothing to go on for (spec 12.3). */
void slim_session_check_alone(struct slim_session *session);

#endif
