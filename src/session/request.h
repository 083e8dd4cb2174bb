/* Requests of ours that are repeated until every expected answer is in (spec session.md 8).
 *
 *   asked ---- interval ---- again, to the missing only ---- ... max_retries times ---- given up
 *                                                                                        GROUP_ADD, GROUP_REMOVE: told on in the background,
 *                                                                                        once per ping, until answered or the member is gone
 *
 * A request to all goes to the channel once; whoever has not answered is asked again alone. An answer belongs to the request with its
 * type and number that misses it from this member; all others are surplus. */
#ifndef SLIM_SESSION_REQUEST_H
#define SLIM_SESSION_REQUEST_H

#include "session/state.h"

/* task        it belongs to; NULL: the session's own, or its task has ended
 * missing     bit i: the member in slot i has not answered
 * foreign_count   those of the missing that are not ours
 * wanted      a discovery: answered by whoever has this name
 * is_change   it changes the group: the next change waits for the foreign ones
 * about       GROUP_ADD, GROUP_REMOVE: the member that comes or goes (has_about)
 * encoded     the message; its token is replaced whenever it is sent */
struct slim_session_request {
    struct slim_list node;
    struct slim_session_task *task;
    int32_t type;
    int32_t answer_type;
    uint32_t message_id;
    uint32_t sent_count;
    uint64_t due_ms;
    uint64_t *missing;
    uint32_t missing_words;
    uint32_t missing_count;
    uint32_t foreign_count;
    struct slim_name_key wanted;
    struct slim_name_key about;
    bool has_about;
    bool is_discovery;
    bool is_change;
    bool is_background;
    struct slim_buf encoded;
};

/* Whom a request is for. only: this member; else all that are listed but us and `except`, and `also`. NULL: nobody of the kind */
struct slim_session_expected {
    const struct slim_session_member *only;
    const struct slim_session_member *also;
    const struct slim_session_member *except;
    bool is_discovery;
};

/* Send `message`, whose number is drawn here, and repeat it. SLIM_ERR_NO_MEMORY. *request may come back answered at once only by later calls. */
SLIM_MUST_CHECK enum slim_status
slim_session_request_new(struct slim_session *session, struct slim_wire_session_message *message,
                         const struct slim_session_expected *expected,
                         struct slim_session_task *task, struct slim_session_request **request);

/* Send it to this member alone, besides. */
void slim_session_request_copy(struct slim_session *session,
                               const struct slim_session_request *request,
                               const struct slim_session_member *member);

/* Stop it. NULL is allowed. */
void slim_session_request_free(struct slim_session *session, struct slim_session_request *request);
void slim_session_requests_free(struct slim_session *session);

/* The request that waits for this answer, NULL: surplus. */
struct slim_session_request *slim_session_request_find(const struct slim_session *session,
                                                       int32_t answer_type,
                                                       const struct slim_session_incoming *in);

/* The member in `slot` has answered; slim_session_request_over when that was the last. */
void slim_session_request_answer(struct slim_session *session, struct slim_session_request *request,
                                 uint32_t slot);

/* A member is gone: nothing is expected of it any more. */
void slim_session_requests_forget(struct slim_session *session, uint32_t slot);

/* A sign of life of a member: what it is told in the background, it is told now. */
void slim_session_requests_remind(struct slim_session *session, uint32_t slot);

bool slim_session_request_misses(const struct slim_session_request *request, uint32_t slot);

/* Is a change of this very member on the way, to anybody of ours also in the background? Whoever has not heard of a removal takes the numbers
 * of the new membership for those of the old one. */
bool slim_session_is_changing_member(const struct slim_session *session,
                                     const struct slim_name_key *name);

/* Is a change on the way that members which are not ours have not acknowledged? */
bool slim_session_is_changing(const struct slim_session *session);

/* Repeat and give up what is due; the time of the next. */
uint64_t slim_session_requests_tick(struct slim_session *session);

/* task.c: a request ended, with all answers or without; it is freed when this returns, except when it goes on in the background. */
void slim_session_request_over(struct slim_session *session, struct slim_session_request *request,
                               bool is_answered);

#endif
