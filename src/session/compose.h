/* Messages as they are built: the master table of spec session.md 2.2. */
#ifndef SLIM_SESSION_COMPOSE_H
#define SLIM_SESSION_COMPOSE_H

#include "session/state.h"

/* Ours and only ours say it in JOIN_REPLY, GROUP_WELCOME and GROUP_ADD, and where the first number is asked for and told: MSG_ACK and
 * RTX_REPLY (docs/sessions.md). The value is "1" where no other is named. */
#define SLIM_SESSION_MARK SLIM_VIEW("SLIM_C")
extern const struct slim_wire_pair slim_session_mark;

#define SLIM_SESSION_KEY_PUBLISH_TO SLIM_VIEW("PUBLISH_TO")
#define SLIM_SESSION_KEY_LEAVING SLIM_VIEW("LEAVING_SESSION")
#define SLIM_SESSION_KEY_MODERATOR SLIM_VIEW("IS_MODERATOR")
#define SLIM_SESSION_KEY_DELETE SLIM_VIEW("DELETE_GROUP")
#define SLIM_SESSION_KEY_LOST SLIM_VIEW("DISCONNECTION_DETECTED")

/* A message of this session as the table says; borrowed names. The payload has its kind and is otherwise empty. */
void slim_session_compose(const struct slim_session *session, int32_t type,
                          const struct slim_wire_name *destination, uint32_t message_id,
                          struct slim_wire_session_message *message);

/* An answer to `in`: back to its source over its connection, with its number. */
void slim_session_compose_answer(const struct slim_session *session, int32_t type,
                                 const struct slim_session_incoming *in,
                                 struct slim_wire_session_message *message);

/* Put our token in and hand it to the owner. What fails (no token now, no memory) is as if it was lost on the way; the status is for those
 * who cannot repeat. */
enum slim_status slim_session_send(struct slim_session_app *app,
                                   struct slim_wire_session_message *message);

/* compose_answer and send, for answers without content. */
void slim_session_send_answer(const struct slim_session *session, int32_t type,
                              const struct slim_session_incoming *in);

/* The mark of a GROUP_WELCOME says as well which of the participants in its list are ours: "1:" and a hexadecimal digit for each four of them,
 * the first one in the lowest bit. Appended to *value, for the list as it is. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_session_put_ours(const struct slim_session *session,
                                                       struct slim_buf *value);

/* Is the participant at this place of the list ours? False as well: not told. */
bool slim_session_is_ours(const struct slim_wire_session_message *welcome, size_t index);

bool slim_session_has_key(const struct slim_wire_session_message *message, struct slim_view key);

#endif
