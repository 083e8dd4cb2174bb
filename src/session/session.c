/* One session: what initiator and responder have in common. */
#include "session/compose.h"
#include "session/controller.h"
#include "session/ping.h"
#include "session/request.h"

/* ---- life */

static enum slim_status copy_metadata(struct slim_session *session,
                                      const struct slim_session_settings *settings)
{
    size_t bytes = 0;
    if (settings->metadata_count > SLIM_SESSION_METADATA_PAIRS_MAX) {
        return SLIM_ERR_LIMIT;
    }
    for (size_t i = 0; i < settings->metadata_count; i++) {
        bytes += settings->metadata[i].key.len + settings->metadata[i].value.len;
    }
    if (bytes > SLIM_SESSION_METADATA_BYTES_MAX) {
        return SLIM_ERR_LIMIT;
    }
    if (settings->metadata_count == 0) {
        return SLIM_OK;
    }
    struct slim_heap *heap = session->app->heap;
    session->metadata = slim_heap_take(heap, settings->metadata_count * sizeof(*session->metadata));
    session->metadata_text = slim_heap_take(heap, bytes + 1);
    if (session->metadata == NULL || session->metadata_text == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    char *text = session->metadata_text;
    for (size_t i = 0; i < settings->metadata_count; i++) {
        const struct slim_view from[2] = {settings->metadata[i].key, settings->metadata[i].value};
        struct slim_view to[2];
        for (size_t k = 0; k < 2; k++) {
            if (from[k].len > 0) {
                memcpy(text, from[k].data, from[k].len);
            }
            to[k] = slim_view_of(text, from[k].len);
            text += from[k].len;
        }
        session->metadata[i] = (struct slim_wire_pair){to[0], to[1]};
    }
    session->metadata_count = settings->metadata_count;
    return SLIM_OK;
}

static struct slim_session *new_empty(struct slim_session_app *app, uint32_t id,
                                      const struct slim_session_settings *settings)
{
    struct slim_session *made = slim_heap_take_zeroed(app->heap, 1, sizeof(*made));
    if (made == NULL) {
        return NULL;
    }
    made->app = app;
    made->id = id;
    made->kind = settings->kind;
    made->is_mls = settings->is_mls;
    made->has_timer = settings->has_timer;
    made->max_retries =
        settings->has_timer ? settings->max_retries : (uint32_t)SLIM_SESSION_DEFAULT_RETRIES;
    made->interval_ms =
        settings->has_timer ? settings->interval_ms : (uint64_t)SLIM_SESSION_DEFAULT_INTERVAL_MS;
    /* of a stranger, perhaps: every wait has an end */
    if (made->max_retries > SLIM_SESSION_RETRIES_MAX) {
        made->max_retries = SLIM_SESSION_RETRIES_MAX;
    }
    if (made->interval_ms == 0 || made->interval_ms > SLIM_SESSION_INTERVAL_MS_MAX) {
        made->interval_ms = made->interval_ms == 0 ? 1 : (uint64_t)SLIM_SESSION_INTERVAL_MS_MAX;
    }
    made->self_slot = SLIM_SESSION_NO_SLOT;
    made->peer_slot = SLIM_SESSION_NO_SLOT;
    made->due_ms = UINT64_MAX;
    made->drain_until_ms = UINT64_MAX;
    made->wait_until_ms = UINT64_MAX;
    made->behind_since_ms = UINT64_MAX;
    made->held_back_until_ms = UINT64_MAX;
    made->refresh_ms = UINT64_MAX;
    made->path_owed_ms = UINT64_MAX;
    made->end_text = "session closed";
    slim_list_init(&made->touched);
    slim_list_init(&made->over);
    slim_list_init(&made->half_open);
    slim_list_init(&made->requests);
    slim_list_init(&made->tasks);
    slim_list_init(&made->held);
    slim_session_members_init(&made->members, app->heap, app->key);
    made->ping.due_ms = app->now_ms + SLIM_SESSION_PING_MS;
    return made;
}

enum slim_status slim_session_new(struct slim_session_app *app, uint32_t id,
                                  const struct slim_session_settings *settings,
                                  const struct slim_wire_name *source,
                                  const struct slim_wire_name *destination,
                                  enum slim_session_state state, struct slim_session **session)
{
    struct slim_session *made = new_empty(app, id, settings);
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    made->state = state;
    enum slim_status status =
        slim_session_name_init(app->heap, source, app->name.wire.name.id, &made->source);
    if (status == SLIM_OK) {
        status = slim_session_name_init(app->heap, destination, destination->name.id,
                                        &made->destination);
    }
    if (status == SLIM_OK) {
        status = copy_metadata(made, settings);
    }
    if (status == SLIM_OK) {
        status = slim_session_data_new(made);
    }
    if (status == SLIM_OK) {
        status = slim_session_app_put(app, made);
    }
    if (status != SLIM_OK) {
        slim_session_free(made);
        return status;
    }
    slim_session_touch(made);
    *session = made;
    return SLIM_OK;
}

void slim_session_free(struct slim_session *session)
{
    struct slim_heap *heap = session->app->heap;
    session->state = SLIM_SESSION_ENDED;
    slim_list_remove(&session->touched);
    slim_list_remove(&session->over);
    slim_session_tasks_free(session);
    slim_session_requests_free(session);
    slim_session_held_free(session);
    slim_session_sender_free(session->sender);
    slim_session_receiver_free(session->receiver);
    slim_session_crypt_free(session->crypt);
    slim_session_members_fini(&session->members);
    slim_session_name_fini(heap, &session->source);
    slim_session_name_fini(heap, &session->destination);
    slim_session_name_fini(heap, &session->channel);
    slim_session_name_fini(heap, &session->controller);
    slim_buf_fini(&session->reply);
    slim_heap_return(heap, session->answers.entries);
    slim_heap_return(heap, session->metadata);
    slim_heap_return(heap, session->metadata_text);
    slim_heap_return(heap, session);
}

/* What was acknowledged is told before the end is. */
static void deliver_rest(struct slim_session *session)
{
    for (uint32_t slot = 0; slot < session->members.capacity; slot++) {
        slim_session_receiver_remove(session->receiver, slot);
    }
}

void slim_session_end(struct slim_session *session, const char *text)
{
    struct slim_session_app *app = session->app;
    if (session->state == SLIM_SESSION_ENDED) {
        return;
    }
    deliver_rest(session);
    slim_session_note_ended(session);
    slim_session_sender_close(session->sender, SLIM_ERR_CLOSED);
    slim_session_tasks_stop(session, SLIM_ERR_CLOSED, "session closed");
    slim_session_controller_closed(session);
    slim_session_close_channel(session);
    for (uint32_t i = 0; i < session->members.capacity; i++) {
        if (session->members.slots[i] != NULL) {
            slim_session_unroute(session, session->members.slots[i]);
        }
    }
    if (session->is_begun) {
        session->promised_count--;
        slim_session_put_event(app, SLIM_SESSION_CLOSED, session->id, 0, SLIM_OK,
                               text != NULL ? text : session->end_text);
    }
    if (session->has_op) {
        session->has_op = false;
        slim_session_complete(app, session->id, session->op, SLIM_OK, NULL);
    }
    if (session->is_writable_promised) {
        session->is_writable_promised = false;
        slim_session_events_release(app, 1);
    }
    slim_session_app_drop(app, session);
    session->state = SLIM_SESSION_ENDED;
    slim_list_put_last(&app->over, &session->over);
}

/* ---- the tables */

static const struct slim_session_cell *cell_of(const struct slim_session *session,
                                               enum slim_session_input input)
{
    return session->is_initiator ? &slim_session_moderator_table[session->state][input]
                                 : &slim_session_participant_table[session->state][input];
}

void slim_session_input(struct slim_session *session, enum slim_session_input input,
                        const struct slim_session_incoming *in)
{
    const struct slim_session_cell *cell = cell_of(session, input);
    if (cell->action == NULL) {
        session->app->stats.unexpected++;
        return;
    }
    enum slim_status status = cell->action(session, in);
    if (status == SLIM_OK && session->state != SLIM_SESSION_ENDED) {
        session->state = cell->next;
        slim_session_touch(session);
    } else if (status != SLIM_OK && status != SLIM_AGAIN) {
        session->app->stats.unexpected++;
    }
}

/* Who may say what (defect 20). */
enum who {
    ANYBODY,   /* is checked against what we asked */
    MODERATOR, /* at participants: who invited us */
    MEMBER,
};

static const struct {
    enum slim_session_input input;
    enum slim_wire_payload_kind payload; /* NONE: it does not matter */
    enum who at_moderator;
    enum who at_participant;
} types[] = {
    [SLIM_WIRE_TYPE_UNSPECIFIED] = {SLIM_SESSION_ON_OTHER, SLIM_WIRE_PAYLOAD_NONE, ANYBODY,
                                    ANYBODY},
    [SLIM_WIRE_TYPE_MSG] = {SLIM_SESSION_ON_MSG, SLIM_WIRE_PAYLOAD_APP, MEMBER, ANYBODY},
    [SLIM_WIRE_TYPE_MSG_ACK] = {SLIM_SESSION_ON_MSG_ACK, SLIM_WIRE_PAYLOAD_NONE, MEMBER, MEMBER},
    [SLIM_WIRE_TYPE_RTX_REQUEST] = {SLIM_SESSION_ON_RTX_REQUEST, SLIM_WIRE_PAYLOAD_NONE, MEMBER,
                                    MEMBER},
    [SLIM_WIRE_TYPE_RTX_REPLY] = {SLIM_SESSION_ON_RTX_REPLY, SLIM_WIRE_PAYLOAD_NONE, MEMBER,
                                  MEMBER},
    [SLIM_WIRE_TYPE_DISCOVERY_REQUEST] = {SLIM_SESSION_ON_DISCOVERY_REQUEST,
                                          SLIM_WIRE_PAYLOAD_DISCOVERY_REQUEST, ANYBODY, ANYBODY},
    [SLIM_WIRE_TYPE_DISCOVERY_REPLY] = {SLIM_SESSION_ON_DISCOVERY_REPLY, SLIM_WIRE_PAYLOAD_NONE,
                                        ANYBODY, ANYBODY},
    [SLIM_WIRE_TYPE_JOIN_REQUEST] = {SLIM_SESSION_ON_JOIN_REQUEST, SLIM_WIRE_PAYLOAD_JOIN_REQUEST,
                                     ANYBODY, MODERATOR},
    [SLIM_WIRE_TYPE_JOIN_REPLY] = {SLIM_SESSION_ON_JOIN_REPLY, SLIM_WIRE_PAYLOAD_JOIN_REPLY,
                                   ANYBODY, ANYBODY},
    [SLIM_WIRE_TYPE_LEAVE_REQUEST] = {SLIM_SESSION_ON_LEAVE_REQUEST, SLIM_WIRE_PAYLOAD_NONE,
                                      ANYBODY, MODERATOR},
    [SLIM_WIRE_TYPE_LEAVE_REPLY] = {SLIM_SESSION_ON_LEAVE_REPLY, SLIM_WIRE_PAYLOAD_NONE, ANYBODY,
                                    MODERATOR},
    [SLIM_WIRE_TYPE_GROUP_ADD] = {SLIM_SESSION_ON_GROUP_ADD, SLIM_WIRE_PAYLOAD_GROUP_ADD, ANYBODY,
                                  MODERATOR},
    [SLIM_WIRE_TYPE_GROUP_REMOVE] = {SLIM_SESSION_ON_GROUP_REMOVE, SLIM_WIRE_PAYLOAD_GROUP_REMOVE,
                                     ANYBODY, MODERATOR},
    [SLIM_WIRE_TYPE_GROUP_WELCOME] = {SLIM_SESSION_ON_GROUP_WELCOME,
                                      SLIM_WIRE_PAYLOAD_GROUP_WELCOME, ANYBODY, MODERATOR},
    [SLIM_WIRE_TYPE_GROUP_CLOSE] = {SLIM_SESSION_ON_GROUP_CLOSE, SLIM_WIRE_PAYLOAD_NONE, ANYBODY,
                                    MODERATOR},
    [SLIM_WIRE_TYPE_GROUP_PROPOSAL] = {SLIM_SESSION_ON_OTHER, SLIM_WIRE_PAYLOAD_NONE, ANYBODY,
                                       ANYBODY},
    [SLIM_WIRE_TYPE_GROUP_ACK] = {SLIM_SESSION_ON_GROUP_ACK, SLIM_WIRE_PAYLOAD_NONE, ANYBODY,
                                  ANYBODY},
    [SLIM_WIRE_TYPE_GROUP_NACK] = {SLIM_SESSION_ON_OTHER, SLIM_WIRE_PAYLOAD_NONE, ANYBODY, ANYBODY},
    [SLIM_WIRE_TYPE_PING] = {SLIM_SESSION_ON_PING, SLIM_WIRE_PAYLOAD_NONE, ANYBODY, MODERATOR},
};

static bool may_say(const struct slim_session *session, enum who who,
                    const struct slim_session_member *source)
{
    switch (who) {
    case ANYBODY:
        return true;
    case MODERATOR:
        return source != NULL && source->slot == session->peer_slot;
    case MEMBER:
        return source != NULL && !source->is_self && slim_session_member_is_listed(source);
    }
    return false;
}

/* A sign of life (spec 4.8). */
static void note_life(struct slim_session *session, const struct slim_session_incoming *in)
{
    struct slim_session_member *source = in->source;
    if (source == NULL || source->is_self) {
        return;
    }
    source->conn_id = in->conn_id;
    if (!session->is_initiator) {
        /* pings do not keep an invitation alive that never comes to its welcome */
        bool is_counted = session->state != SLIM_SESSION_JOINING ||
                          in->message->head.session_message_type != SLIM_WIRE_TYPE_PING;
        session->ping.is_seen =
            session->ping.is_seen || (is_counted && source->slot == session->peer_slot);
        return;
    }
    if (!source->is_seen) {
        source->is_seen = true;
        slim_session_requests_remind(session, source->slot);
    }
}

void slim_session_take(struct slim_session *session, struct slim_session_incoming *in)
{
    const struct slim_wire_head *head = &in->message->head;
    int32_t type = head->session_message_type;
    if (type < 0 || (size_t)type >= SLIM_COUNT(types)) {
        type = SLIM_WIRE_TYPE_UNSPECIFIED;
    }
    in->source = slim_session_members_by_source(&session->members, &head->source.name);
    enum who who = session->is_initiator ? types[type].at_moderator : types[type].at_participant;
    if (types[type].payload != SLIM_WIRE_PAYLOAD_NONE &&
        types[type].payload != in->message->payload.kind) {
        session->app->stats.malformed++;
    } else if (!may_say(session, who, in->source)) {
        session->app->stats.unauthorised++;
    } else {
        note_life(session, in);
        slim_session_input(session, types[type].input, in);
    }
}

/* ---- members as sender and receiver know them */

enum slim_status slim_session_admit_source(struct slim_session *session,
                                           struct slim_session_member *member, bool from_start)
{
    enum slim_session_beginning beginning =
        member->is_ours ? SLIM_SESSION_ASKED : SLIM_SESSION_GUESSED;
    return slim_session_receiver_add(session->receiver, member->slot,
                                     from_start ? SLIM_SESSION_FROM_START : beginning);
}

enum slim_status slim_session_admit_receiver(struct slim_session *session,
                                             struct slim_session_member *member)
{
    if (session->peer_slot == SLIM_SESSION_NO_SLOT) {
        session->peer_slot = member->slot; /* of a moderator: looked at in point-to-point only */
    }
    slim_session_touch(session);
    return slim_session_sender_add(session->sender, member->slot, session->app->now_ms);
}

void slim_session_dismiss(struct slim_session *session, struct slim_session_member *member)
{
    /* first what it has said: the application may answer from there, to those that are still members */
    slim_session_receiver_remove(session->receiver, member->slot);
    slim_session_sender_remove(session->sender, member->slot, session->app->now_ms);
    slim_session_requests_forget(session, member->slot);
    slim_session_touch(session);
}

/* ---- routes and the channel (spec 15) */

void slim_session_route(struct slim_session *session, struct slim_session_member *member,
                        uint64_t conn_id)
{
    const struct slim_session_owner *owner = &session->app->owner;
    if (!member->has_route) {
        member->has_route = true;
        member->route_conn = conn_id;
        owner->route(owner->ctx, &member->name.wire, conn_id, true);
    }
}

void slim_session_unroute(struct slim_session *session, struct slim_session_member *member)
{
    const struct slim_session_owner *owner = &session->app->owner;
    if (member->has_route) {
        member->has_route = false;
        owner->route(owner->ctx, &member->name.wire, member->route_conn, false);
    }
}

void slim_session_open_channel(struct slim_session *session, uint64_t conn_id)
{
    const struct slim_session_owner *owner = &session->app->owner;
    struct slim_session_link *unused = NULL;
    for (size_t i = 0; i < SLIM_SESSION_LINKS_MAX; i++) {
        struct slim_session_link *link = &session->links[i];
        if (link->is_used && link->conn_id == conn_id) {
            return;
        }
        unused = unused == NULL && !link->is_used ? link : unused;
    }
    if (unused == NULL) {
        session->app->stats.limit++;
        return; /* members behind this link are reached by repetition only */
    }
    *unused = (struct slim_session_link){.conn_id = conn_id, .is_used = true};
    owner->subscribe(owner->ctx, &session->channel.wire, conn_id, true);
    owner->route(owner->ctx, &session->channel.wire, conn_id, true);
}

void slim_session_close_channel(struct slim_session *session)
{
    const struct slim_session_owner *owner = &session->app->owner;
    for (size_t i = 0; i < SLIM_SESSION_LINKS_MAX; i++) {
        struct slim_session_link *link = &session->links[i];
        if (link->is_used) {
            link->is_used = false;
            owner->route(owner->ctx, &session->channel.wire, link->conn_id, false);
            owner->subscribe(owner->ctx, &session->channel.wire, link->conn_id, false);
        }
    }
}

/* ---- draining */

uint64_t slim_session_patience_ms(const struct slim_session *session)
{
    uint64_t repetitions = session->max_retries + UINT64_C(1);
    return session->interval_ms > SLIM_SESSION_PATIENCE_MAX_MS / repetitions
               ? (uint64_t)SLIM_SESSION_PATIENCE_MAX_MS
               : repetitions * session->interval_ms;
}

/* A reference participant that hears of the end forgets the session at once, and with it whose acknowledgements it waits for: what it has just
 * published it repeats until all retries are used up (seen with 1.0.0 and 1.0.1: 30 s), and believes the end only then. */
void slim_session_drain(struct slim_session *session, bool must_be_quiet)
{
    session->is_draining = true;
    session->drain_until_ms = session->app->now_ms + SLIM_SESSION_DRAIN_MS;
    session->quiet_until_ms = must_be_quiet ? session->app->now_ms + SLIM_SESSION_QUIET_MS : 0;
}

void slim_session_drain_heard(struct slim_session *session)
{
    if (session->quiet_until_ms > session->app->now_ms) {
        uint64_t longest_ms =
            session->drain_until_ms - SLIM_SESSION_DRAIN_MS + SLIM_SESSION_QUIET_MAX_MS;
        uint64_t quiet_ms = session->app->now_ms + SLIM_SESSION_QUIET_MS;
        session->quiet_until_ms = quiet_ms < longest_ms ? quiet_ms : longest_ms;
    }
}

bool slim_session_is_drained(const struct slim_session *session)
{
    if (session->app->now_ms >= session->drain_until_ms) {
        return true;
    }
    /* what was published while nobody was there has nobody to go to */
    return session->app->now_ms >= session->quiet_until_ms && !session->is_held_back &&
           slim_session_sender_on_the_way(session->sender) == 0 &&
           slim_session_receiver_wanted_count(session->receiver) == 0;
}

/* ---- time */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Let go what was held back; when what went out is to be repeated. */
static uint64_t release(struct slim_session *session)
{
    if (session->is_held_back && (session->app->now_ms >= session->held_back_until_ms ||
                                  !slim_session_is_changing(session))) {
        session->is_held_back = false;
        session->held_back_until_ms = UINT64_MAX;
        slim_session_sender_release(session->sender, session->app->now_ms);
        return session->app->now_ms + session->interval_ms;
    }
    return UINT64_MAX;
}

/* What only waits for its time. */
static uint64_t make_progress(struct slim_session *session)
{
    uint64_t now_ms = session->app->now_ms;
    uint64_t due_ms = slim_session_requests_tick(session);
    if (session->state != SLIM_SESSION_ENDED) {
        due_ms = earlier(due_ms, slim_session_ping_tick(session));
    }
    if (session->state != SLIM_SESSION_ENDED) {
        slim_session_expire_held(session);
    }
    if (session->state != SLIM_SESSION_ENDED) {
        due_ms = earlier(due_ms, slim_session_receiver_tick(session->receiver, now_ms));
        due_ms = earlier(due_ms, slim_session_sender_tick(session->sender, now_ms));
    }
    if (session->state != SLIM_SESSION_ENDED && now_ms >= session->wait_until_ms) {
        session->wait_until_ms = UINT64_MAX;
        slim_session_input(session, SLIM_SESSION_ON_WAIT_OVER, NULL);
    }
    return due_ms;
}

void slim_session_settle(struct slim_session *session)
{
    if (session->is_close_wanted) {
        session->is_close_wanted = false;
        slim_session_input(session, SLIM_SESSION_ON_APP_CLOSE, NULL);
    }
    uint64_t due_ms = make_progress(session);
    if (session->state != SLIM_SESSION_ENDED && session->is_initiator) {
        slim_session_moderator_settle(session);
    }
    if (session->state != SLIM_SESSION_ENDED) {
        due_ms = earlier(due_ms, release(session));
    }
    bool is_draining =
        session->state == SLIM_SESSION_CLOSING_SOON || session->state == SLIM_SESSION_LEAVING_SOON;
    if (is_draining && slim_session_is_drained(session)) {
        slim_session_input(session, SLIM_SESSION_ON_DRAINED, NULL);
    }
    if (session->state == SLIM_SESSION_ENDED) {
        return;
    }
    due_ms = earlier(due_ms, session->drain_until_ms);
    due_ms = earlier(due_ms, is_draining && session->quiet_until_ms > session->app->now_ms
                                 ? session->quiet_until_ms
                                 : UINT64_MAX);
    due_ms = earlier(due_ms, session->wait_until_ms);
    due_ms = earlier(due_ms, session->held_back_until_ms);
    if (session->state == SLIM_SESSION_OPEN) {
        due_ms = earlier(due_ms, earlier(session->refresh_ms, session->path_owed_ms));
    }
    due_ms = earlier(due_ms, session->held_count > 0 ? session->app->now_ms + session->interval_ms
                                                     : UINT64_MAX);
    slim_session_set_due(session,
                         due_ms > session->app->now_ms ? due_ms : session->app->now_ms + 1);
}

void slim_session_tick(struct slim_session *session)
{
    slim_list_remove(&session->touched);
    slim_session_settle(session);
}
