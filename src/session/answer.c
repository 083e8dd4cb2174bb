/* Requests that were answered: which duplicates deserve another answer (spec session.md 8).
 *
 * The reference's moderator dies of an answer that it does not wait for any more. A duplicate that comes because our answer was slow must
 * therefore stay unanswered, one that comes because it was lost must not. Between our own no such care is needed. */
#include "session/state.h"

enum {
    ANSWERS_MIN = 8,
    COPY_MS = 50, /* where the interval is not known, what comes so soon is a copy */
    STEPS_MAX =
        3, /* whoever was silent for so many intervals had stopped asking: what comes then is late */
};

struct slim_session_answer *slim_session_find_answer(struct slim_session *session,
                                                     const struct slim_session_incoming *in)
{
    const struct slim_wire_head *head = &in->message->head;
    for (uint32_t i = 0; i < session->answers.count; i++) {
        struct slim_session_answer *answer = &session->answers.entries[i];
        if (answer->type == head->session_message_type && answer->message_id == head->message_id) {
            return answer;
        }
    }
    return NULL;
}

static struct slim_session_answer *new_answer(struct slim_session *session)
{
    struct slim_session_answers *answers = &session->answers;
    if (answers->count == SLIM_SESSION_ANSWERS_MAX) {
        answers->oldest = (answers->oldest + 1) % SLIM_SESSION_ANSWERS_MAX;
        return &answers->entries[(answers->oldest + SLIM_SESSION_ANSWERS_MAX - 1) %
                                 SLIM_SESSION_ANSWERS_MAX];
    }
    if (answers->count == answers->capacity) {
        uint32_t capacity = answers->capacity == 0 ? ANSWERS_MIN : answers->capacity * 2;
        struct slim_session_answer *entries =
            slim_heap_resize(session->app->heap, answers->entries, capacity * sizeof(*entries));
        if (entries == NULL) {
            return NULL;
        }
        answers->entries = entries;
        answers->capacity = capacity;
    }
    return &answers->entries[answers->count++];
}

void slim_session_note_answer(struct slim_session *session, const struct slim_session_incoming *in)
{
    if (slim_session_find_answer(session, in) != NULL) {
        return;
    }
    struct slim_session_answer *answer = new_answer(session);
    if (answer != NULL) {
        *answer = (struct slim_session_answer){
            .type = in->message->head.session_message_type,
            .message_id = in->message->head.message_id,
            .conn_id = in->conn_id,
            .counted_ms = session->app->now_ms,
        };
    }
}

/* A repetition, not a copy that the network made of one: in step with those before it. */
static bool is_repetition(struct slim_session_answer *answer, uint64_t now_ms, uint64_t interval_ms)
{
    uint64_t gap_ms = now_ms - answer->counted_ms;
    if (gap_ms < (interval_ms > 0 ? interval_ms / 2 : COPY_MS)) {
        return false;
    }
    answer->step_ms = answer->duplicate_count == 0 ? gap_ms : answer->step_ms;
    uint64_t step_ms = interval_ms > 0 ? interval_ms : answer->step_ms;
    answer->is_out_of_step = answer->is_out_of_step || gap_ms / STEPS_MAX >= step_ms;
    answer->counted_ms = now_ms;
    answer->duplicate_count++;
    return !answer->is_out_of_step;
}

bool slim_session_deserves_answer(struct slim_session_answer *answer, uint64_t now_ms,
                                  uint64_t interval_ms, uint64_t conn_id, bool is_peer_ours,
                                  bool is_channel_wide)
{
    bool is_again = is_repetition(answer, now_ms, interval_ms);
    bool is_due = is_peer_ours || answer->is_link_lost ||
                  (is_again && !is_channel_wide && answer->duplicate_count > 1);
    if (is_due) {
        answer->conn_id = conn_id;
        answer->is_link_lost = false;
        answer->is_out_of_step = false;
    }
    return is_due;
}
