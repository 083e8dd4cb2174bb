#include "session/request.h"

#include "session/compose.h"
#include "session/ping.h"
#include "session/task.h"

enum {
    WORD_BITS = 64,
    BACKGROUND_REPEATS = 6, /* a minute: as long as messages that need the commit are kept */
};

/* ---- who is missing */

bool slim_session_request_misses(const struct slim_session_request *request, uint32_t slot)
{
    uint32_t word = slot / WORD_BITS;
    return word < request->missing_words && (request->missing[word] >> (slot % WORD_BITS) & 1) != 0;
}

static void expect(struct slim_session_request *request, const struct slim_session_member *member)
{
    if (!slim_session_request_misses(request, member->slot)) {
        request->missing[member->slot / WORD_BITS] |= UINT64_C(1) << (member->slot % WORD_BITS);
        request->missing_count++;
        request->foreign_count += member->is_ours ? 0 : 1;
    }
}

static void clear(const struct slim_session *session, struct slim_session_request *request,
                  uint32_t slot)
{
    const struct slim_session_member *member = slim_session_members_at(&session->members, slot);
    request->missing[slot / WORD_BITS] &= ~(UINT64_C(1) << (slot % WORD_BITS));
    request->missing_count--;
    request->foreign_count -= member != NULL && !member->is_ours ? 1 : 0;
}

static void expect_all(const struct slim_session *session, struct slim_session_request *request,
                       const struct slim_session_expected *expected)
{
    if (expected->only != NULL) {
        expect(request, expected->only);
        return;
    }
    for (uint32_t i = 0; i < session->members.listed_count; i++) {
        const struct slim_session_member *member =
            session->members.slots[session->members.listed[i]];
        if (!member->is_self && member != expected->except) {
            expect(request, member);
        }
    }
    if (expected->also != NULL) {
        expect(request, expected->also);
    }
}

/* ---- sending */

/* To `member` alone, or to where it went first (NULL). */
static void transmit(struct slim_session *session, const struct slim_session_request *request,
                     const struct slim_session_member *member)
{
    struct slim_wire_session_message message;
    if (slim_wire_read_session_message(slim_buf_view(&request->encoded), &message) != SLIM_OK) {
        return; /* cannot be: we wrote it */
    }
    if (member != NULL) {
        message.head.destination = member->name.wire;
    }
    (void)slim_session_send(session->app, &message); /* repeated when it is missed */
}

void slim_session_request_copy(struct slim_session *session,
                               const struct slim_session_request *request,
                               const struct slim_session_member *member)
{
    transmit(session, request, member);
}

static void repeat(struct slim_session *session, struct slim_session_request *request)
{
    if (request->is_discovery) {
        transmit(session, request, NULL);
        session->app->stats.repeated++;
        return;
    }
    for (uint32_t slot = 0; slot < session->members.capacity; slot++) {
        const struct slim_session_member *member = session->members.slots[slot];
        if (member != NULL && slim_session_request_misses(request, slot)) {
            transmit(session, request, member);
            session->app->stats.repeated++;
        }
    }
}

/* ---- life */

static struct slim_session_request *new_request(struct slim_session *session)
{
    struct slim_heap *heap = session->app->heap;
    struct slim_session_request *made = slim_heap_take_zeroed(heap, 1, sizeof(*made));
    if (made == NULL) {
        return NULL;
    }
    made->missing_words = session->members.capacity / WORD_BITS + 1;
    made->missing = slim_heap_take_zeroed(heap, made->missing_words, sizeof(*made->missing));
    if (made->missing == NULL) {
        slim_heap_return(heap, made);
        return NULL;
    }
    return made;
}

static void note_about(struct slim_session_request *request,
                       const struct slim_wire_session_message *message)
{
    if (request->type == SLIM_WIRE_TYPE_GROUP_ADD || request->type == SLIM_WIRE_TYPE_GROUP_REMOVE) {
        request->about = message->payload.group_change.participant.name;
        request->has_about = message->payload.group_change.participant.is_present;
    }
}

static bool is_about(const struct slim_session_request *request, const struct slim_name_key *name)
{
    return request->has_about && slim_name_is_equal(&request->about, name);
}

/* Without MLS nothing orders the changes: an old one that is told after a new one of the same member would undo it. */
static void supersede(struct slim_session *session, const struct slim_session_request *request)
{
    SLIM_LIST_EACH(node, &session->requests)
    {
        struct slim_session_request *older =
            SLIM_LIST_ENTRY(node, struct slim_session_request, node);
        if (request->has_about && !session->is_mls && older->is_background &&
            is_about(older, &request->about)) {
            slim_session_request_free(session, older);
        }
    }
}

enum slim_status slim_session_request_new(struct slim_session *session,
                                          struct slim_wire_session_message *message,
                                          const struct slim_session_expected *expected,
                                          struct slim_session_task *task,
                                          struct slim_session_request **request)
{
    static const int32_t answers[] = {
        [SLIM_WIRE_TYPE_DISCOVERY_REQUEST] = SLIM_WIRE_TYPE_DISCOVERY_REPLY,
        [SLIM_WIRE_TYPE_JOIN_REQUEST] = SLIM_WIRE_TYPE_JOIN_REPLY,
        [SLIM_WIRE_TYPE_LEAVE_REQUEST] = SLIM_WIRE_TYPE_LEAVE_REPLY,
        [SLIM_WIRE_TYPE_GROUP_ADD] = SLIM_WIRE_TYPE_GROUP_ACK,
        [SLIM_WIRE_TYPE_GROUP_REMOVE] = SLIM_WIRE_TYPE_GROUP_ACK,
        [SLIM_WIRE_TYPE_GROUP_WELCOME] = SLIM_WIRE_TYPE_GROUP_ACK,
        [SLIM_WIRE_TYPE_GROUP_CLOSE] = SLIM_WIRE_TYPE_GROUP_ACK,
        [SLIM_WIRE_TYPE_PING] = SLIM_WIRE_TYPE_PING,
    };
    struct slim_session_request *made = new_request(session);
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    made->type = message->head.session_message_type;
    assert((size_t)made->type < SLIM_COUNT(answers) && answers[made->type] != 0);
    made->answer_type = answers[made->type];
    made->message_id = slim_session_app_random(session->app);
    made->is_discovery = expected->is_discovery;
    made->wanted = message->head.destination.name;
    made->is_change = made->type == SLIM_WIRE_TYPE_GROUP_ADD ||
                      made->type == SLIM_WIRE_TYPE_GROUP_REMOVE ||
                      made->type == SLIM_WIRE_TYPE_GROUP_WELCOME;
    message->head.message_id = made->message_id;
    message->head.identity = (struct slim_view){0};
    enum slim_status status = slim_wire_put_session_message(&made->encoded, message);
    if (status != SLIM_OK) {
        slim_buf_fini(&made->encoded);
        slim_heap_return(session->app->heap, made->missing);
        slim_heap_return(session->app->heap, made);
        return status;
    }
    if (!made->is_discovery) {
        expect_all(session, made, expected);
    }
    note_about(made, message);
    supersede(session, made);
    made->task = task;
    made->sent_count = 1;
    made->due_ms = session->app->now_ms + session->interval_ms;
    slim_list_put_last(&session->requests, &made->node);
    slim_session_touch(session);
    *request = made;
    (void)slim_session_send(session->app, message); /* repeated when it is missed */
    return SLIM_OK;
}

void slim_session_request_free(struct slim_session *session, struct slim_session_request *request)
{
    if (request != NULL) {
        session->background_count -= request->is_background ? 1 : 0;
        slim_list_remove(&request->node);
        slim_buf_fini(&request->encoded);
        slim_heap_return(session->app->heap, request->missing);
        slim_heap_return(session->app->heap, request);
    }
}

void slim_session_requests_free(struct slim_session *session)
{
    SLIM_LIST_EACH(node, &session->requests)
    {
        slim_session_request_free(session,
                                  SLIM_LIST_ENTRY(node, struct slim_session_request, node));
    }
}

/* ---- answers */

struct slim_session_request *slim_session_request_find(const struct slim_session *session,
                                                       int32_t answer_type,
                                                       const struct slim_session_incoming *in)
{
    const struct slim_wire_head *head = &in->message->head;
    SLIM_LIST_EACH(node, &session->requests)
    {
        struct slim_session_request *request =
            SLIM_LIST_ENTRY(node, struct slim_session_request, node);
        if (request->answer_type != answer_type || request->message_id != head->message_id) {
            continue;
        }
        bool is_from_wanted =
            request->is_discovery
                ? slim_name_has_prefix_of(&request->wanted, &head->source.name) &&
                      (request->wanted.id == SLIM_NAME_ANY ||
                       request->wanted.id == head->source.name.id)
                : in->source != NULL && slim_session_request_misses(request, in->source->slot);
        if (is_from_wanted) {
            return request;
        }
    }
    return NULL;
}

void slim_session_request_answer(struct slim_session *session, struct slim_session_request *request,
                                 uint32_t slot)
{
    clear(session, request, slot);
    slim_session_touch(session);
    if (request->missing_count == 0) {
        slim_list_remove(&request->node); /* what happens now does not find it any more */
        slim_session_request_over(session, request, true);
        slim_session_request_free(session, request);
    } else {
        slim_session_task_heard(session, request, slot);
    }
}

void slim_session_requests_forget(struct slim_session *session, uint32_t slot)
{
    bool is_found = true;
    while (is_found && session->state != SLIM_SESSION_ENDED) {
        is_found = false;
        SLIM_LIST_EACH(node, &session->requests)
        {
            struct slim_session_request *request =
                SLIM_LIST_ENTRY(node, struct slim_session_request, node);
            if (slim_session_request_misses(request, slot)) {
                slim_session_request_answer(session, request, slot);
                is_found = true; /* the list may have changed */
                break;
            }
        }
    }
}

void slim_session_requests_remind(struct slim_session *session, uint32_t slot)
{
    if (session->background_count == 0) {
        return;
    }
    const struct slim_session_member *member = slim_session_members_at(&session->members, slot);
    SLIM_LIST_EACH(node, &session->requests)
    {
        struct slim_session_request *request =
            SLIM_LIST_ENTRY(node, struct slim_session_request, node);
        if (request->is_background && slim_session_request_misses(request, slot)) {
            transmit(session, request, member);
        }
    }
}

bool slim_session_is_changing_member(const struct slim_session *session,
                                     const struct slim_name_key *name)
{
    SLIM_LIST_EACH(node, &session->requests)
    {
        const struct slim_session_request *request =
            SLIM_LIST_ENTRY(node, struct slim_session_request, node);
        bool is_waited_for =
            !request->is_background || request->missing_count > request->foreign_count;
        if (is_waited_for && is_about(request, name)) {
            return true;
        }
    }
    return false;
}

bool slim_session_is_changing(const struct slim_session *session)
{
    SLIM_LIST_EACH(node, &session->requests)
    {
        const struct slim_session_request *request =
            SLIM_LIST_ENTRY(node, struct slim_session_request, node);
        if (request->is_change && !request->is_background && request->foreign_count > 0) {
            return true;
        }
    }
    return false;
}

/* ---- time */

static void go_to_background(struct slim_session *session, struct slim_session_request *request)
{
    request->is_background = true;
    request->task = NULL;
    request->due_ms = session->app->now_ms + SLIM_SESSION_PING_MS;
    session->background_count++;
    if (session->background_count <= SLIM_SESSION_COMMITS_KEPT) {
        return;
    }
    SLIM_LIST_EACH(node, &session->requests)
    {
        struct slim_session_request *oldest =
            SLIM_LIST_ENTRY(node, struct slim_session_request, node);
        if (oldest->is_background) {
            slim_session_request_free(session, oldest); /* whoever misses it is left to the pings */
            return;
        }
    }
}

static void give_up(struct slim_session *session, struct slim_session_request *request)
{
    bool goes_on =
        request->type == SLIM_WIRE_TYPE_GROUP_ADD || request->type == SLIM_WIRE_TYPE_GROUP_REMOVE;
    slim_list_remove(&request->node); /* what happens now does not find it any more */
    slim_session_request_over(session, request, false);
    if (session->state == SLIM_SESSION_ENDED || !goes_on) {
        slim_session_request_free(session, request);
    } else {
        slim_list_put_last(&session->requests, &request->node);
        go_to_background(session, request);
    }
}

/* One of ours acknowledges whatever it can follow, late or twice. Who answers pings and not this has lost the group for good (it refuses the
 * commit, perhaps): better out, and told so, than in and deaf. Others may be silent because they have it already (defect 3). */
static bool drop_deaf(struct slim_session *session, const struct slim_session_request *request)
{
    for (uint32_t slot = 0; slot < session->members.capacity; slot++) {
        struct slim_session_member *member = session->members.slots[slot];
        if (member != NULL && member->is_ours && slim_session_request_misses(request, slot)) {
            char name[SLIM_SESSION_NAME_TEXT_MAX];
            slim_session_problem(session, "participant disconnected: %s",
                                 slim_session_name_format(&member->name.wire, name));
            slim_session_member_gone(session, member);
            slim_session_check_alone(session);
            return true; /* the requests are others now */
        }
    }
    return false;
}

static void make_progress(struct slim_session *session, struct slim_session_request *request)
{
    if (request->is_background) {
        request->due_ms = session->app->now_ms + SLIM_SESSION_PING_MS;
        request->sent_count++;
        if (request->sent_count > session->max_retries + BACKGROUND_REPEATS &&
            drop_deaf(session, request)) {
            return;
        }
        repeat(session, request);
    } else if (request->sent_count > session->max_retries) {
        give_up(session, request);
    } else {
        request->sent_count++;
        request->due_ms = session->app->now_ms + session->interval_ms;
        repeat(session, request);
    }
}

uint64_t slim_session_requests_tick(struct slim_session *session)
{
    uint64_t now_ms = session->app->now_ms;
    uint64_t next_ms = 0;
    while (next_ms <= now_ms && session->state != SLIM_SESSION_ENDED) {
        struct slim_session_request *first = NULL;
        next_ms = UINT64_MAX;
        SLIM_LIST_EACH(node, &session->requests)
        {
            struct slim_session_request *request =
                SLIM_LIST_ENTRY(node, struct slim_session_request, node);
            if (request->due_ms < next_ms) {
                next_ms = request->due_ms;
                first = request;
            }
        }
        if (next_ms <= now_ms) {
            make_progress(session, first);
        }
    }
    return next_ms;
}
