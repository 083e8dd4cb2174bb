/* Whoever was invited: responder of a point-to-point session, participant of a group (spec session.md 7). */
#include "session/compose.h"
#include "session/controller.h"
#include "session/ping.h"
#include "session/request.h"

/* ---- answers */

/* Answer a request that was done; remember that it was. */
static void answer(struct slim_session *session, int32_t type,
                   const struct slim_session_incoming *in)
{
    slim_session_note_answer(session, in);
    slim_session_send_answer(session, type, in);
}

/* True: the request was done before, and was answered again if it deserves it. */
static bool is_repeated(struct slim_session *session, int32_t type, bool is_channel_wide,
                        const struct slim_session_incoming *in)
{
    struct slim_session_answer *before = slim_session_find_answer(session, in);
    if (before == NULL) {
        return false;
    }
    session->app->stats.duplicates++;
    if (slim_session_deserves_answer(before, session->app->now_ms, session->interval_ms,
                                     in->conn_id, session->is_moderator_ours, is_channel_wide)) {
        slim_session_send_answer(session, type, in);
    }
    return true;
}

static void note_mark(struct slim_session *session, const struct slim_session_incoming *in)
{
    if (slim_session_has_key(in->message, SLIM_SESSION_MARK)) {
        session->is_moderator_ours = true;
        in->source->is_ours = true;
    }
}

/* ---- JOIN_REQUEST */

static enum slim_status send_join_reply(struct slim_session *session,
                                        const struct slim_session_incoming *in)
{
    struct slim_wire_session_message reply;
    if (session->is_mls && session->reply.len == 0) {
        SLIM_TRY(slim_session_secure(session));
        SLIM_TRY(slim_session_crypt_key_package(session->crypt, &session->reply));
    }
    slim_session_compose_answer(session, SLIM_WIRE_TYPE_JOIN_REPLY, in, &reply);
    reply.payload.join_reply = (struct slim_wire_join_reply){
        .has_key_package = session->is_mls,
        .key_package = slim_buf_view(&session->reply),
    };
    reply.metadata = (struct slim_wire_metadata){.pairs = &slim_session_mark, .count = 1};
    return slim_session_send(session->app, &reply);
}

static enum slim_status invite_settings(const struct slim_session_incoming *in,
                                        struct slim_wire_pair *pairs,
                                        struct slim_session_settings *settings)
{
    const struct slim_wire_join_request *request = &in->message->payload.join_request;
    struct slim_wire_metadata rest = in->message->metadata;
    struct slim_wire_pair pair;
    size_t count = 0;
    bool has = true;
    for (;;) {
        SLIM_TRY(slim_wire_next_pair(&rest, &has, &pair));
        if (!has) {
            break;
        }
        if (slim_view_is_equal(pair.key, SLIM_SESSION_KEY_MODERATOR)) {
            continue;
        }
        size_t at = 0;
        while (at < count && !slim_view_is_equal(pairs[at].key, pair.key)) {
            at++; /* the last value of a key counts */
        }
        if (at == SLIM_SESSION_METADATA_PAIRS_MAX) {
            return SLIM_ERR_LIMIT;
        }
        pairs[at] = pair;
        count = at == count ? count + 1 : count;
    }
    *settings = (struct slim_session_settings){
        .kind = in->message->head.session_type == SLIM_WIRE_SESSION_MULTICAST
                    ? SLIM_SESSION_GROUP
                    : SLIM_SESSION_POINT_TO_POINT,
        .is_mls = request->enable_mls,
        .has_timer = request->has_timer,
        .max_retries = request->max_retries,
        .interval_ms = request->timeout_ms < SLIM_SESSION_PEER_INTERVAL_MIN_MS
                           ? (uint32_t)SLIM_SESSION_PEER_INTERVAL_MIN_MS
                           : request->timeout_ms,
        .metadata = pairs,
        .metadata_count = count,
    };
    return SLIM_OK;
}

static enum slim_status begin(struct slim_session_app *app, const struct slim_session_incoming *in,
                              const struct slim_session_settings *settings,
                              struct slim_session **session)
{
    const struct slim_wire_session_message *message = in->message;
    const struct slim_wire_name *moderator = &message->head.source;
    bool is_group = settings->kind == SLIM_SESSION_GROUP;
    const struct slim_wire_name *channel =
        is_group ? &message->payload.join_request.channel : moderator;
    struct slim_session_member *member;
    SLIM_TRY(slim_session_new(app, message->head.session_id, settings, &message->head.destination,
                              channel, SLIM_SESSION_JOINING, session));
    SLIM_TRY(slim_session_name_init(app->heap, channel, channel->name.id, &(*session)->channel));
    SLIM_TRY(
        slim_session_members_add(&(*session)->members, moderator, SLIM_SESSION_INVITED, &member));
    (*session)->peer_slot = member->slot;
    (*session)->ping.is_seen = true;
    member->conn_id = in->conn_id;
    return send_join_reply(*session, in);
}

/* Half-open sessions are bounded: the oldest makes room for the newest. */
static void make_room(struct slim_session_app *app)
{
    if (app->half_open_count >= SLIM_SESSION_HALF_OPEN_MAX) {
        app->stats.limit++;
        slim_session_end(SLIM_LIST_ENTRY(app->half_open.next, struct slim_session, half_open),
                         NULL);
    }
}

static bool can_join(struct slim_session_app *app, const struct slim_session_incoming *in)
{
    const struct slim_wire_head *head = &in->message->head;
    const struct slim_wire_payload *payload = &in->message->payload;
    bool is_group = head->session_type == SLIM_WIRE_SESSION_MULTICAST;
    bool is_whole = payload->kind == SLIM_WIRE_PAYLOAD_JOIN_REQUEST &&
                    (is_group || head->session_type == SLIM_WIRE_SESSION_POINT_TO_POINT) &&
                    (!is_group || payload->join_request.channel.is_complete) &&
                    head->session_id < SLIM_SESSION_ID_END;
    bool is_for_us = slim_session_app_owns(app, &head->destination.name) &&
                     (head->destination.name.id == SLIM_NAME_ANY ||
                      head->destination.name.id == app->name.wire.name.id);
    app->stats.malformed += is_whole ? 0 : 1;
    app->stats.unknown_session += is_whole && !is_for_us ? 1 : 0;
    return is_whole && is_for_us;
}

void slim_session_participant_begin(struct slim_session_app *app,
                                    const struct slim_session_incoming *in)
{
    struct slim_session_settings settings;
    struct slim_session *session = NULL;
    if (!can_join(app, in)) {
        return;
    }
    if (slim_session_has_key(in->message, SLIM_SESSION_KEY_MODERATOR)) {
        slim_session_controller_begin(app, in);
        return;
    }
    struct slim_wire_pair *pairs =
        slim_heap_take(app->heap, SLIM_SESSION_METADATA_PAIRS_MAX * sizeof(*pairs));
    if (pairs == NULL) {
        return; /* it will be asked again */
    }
    enum slim_status status = invite_settings(in, pairs, &settings);
    if (status == SLIM_OK) {
        make_room(app);
        status = begin(app, in, &settings, &session);
    }
    slim_heap_return(app->heap, pairs);
    if (status != SLIM_OK) {
        app->stats.limit += status == SLIM_ERR_LIMIT ? 1 : 0;
        if (session != NULL) {
            slim_session_end(session, NULL);
        }
        return;
    }
    session->join_id = in->message->head.message_id;
    slim_session_route(session, slim_session_members_at(&session->members, session->peer_slot),
                       in->conn_id);
    slim_session_note_answer(session, in);
    slim_list_put_last(&app->half_open, &session->half_open);
    app->half_open_count++;
}

/* Our moderator invites us though we are here: it has given us up before. The new invitation counts. */
static enum slim_status on_join_request(struct slim_session *session,
                                        const struct slim_session_incoming *in)
{
    struct slim_session_app *app = session->app;
    struct slim_session_answer *before = slim_session_find_answer(session, in);
    if (before != NULL) {
        app->stats.duplicates++;
        if (session->state == SLIM_SESSION_JOINING &&
            in->message->head.message_id == session->join_id &&
            slim_session_deserves_answer(before, app->now_ms, session->interval_ms, in->conn_id,
                                         false, false)) {
            return send_join_reply(session, in) == SLIM_OK ? SLIM_AGAIN : SLIM_ERR_STATE;
        }
        return SLIM_AGAIN;
    }
    if (!can_join(app, in)) {
        return SLIM_AGAIN;
    }
    struct slim_session_answers answers = session->answers;
    uint32_t id = session->id;
    session->answers = (struct slim_session_answers){.entries = NULL};
    slim_session_end(session, "invited again");
    slim_session_participant_begin(app, in);
    struct slim_session *next = slim_session_find(app, id);
    if (next == NULL) {
        slim_heap_return(app->heap, answers.entries);
        return SLIM_AGAIN;
    }
    slim_heap_return(app->heap, next->answers.entries);
    next->answers = answers; /* a late copy of an old invitation must not end the new one */
    slim_session_note_answer(next, in);
    return SLIM_AGAIN;
}

/* ---- members */

/* How somebody was learned of. is_ours: the one who tells says so */
struct learned {
    bool is_from_welcome;
    bool from_start;
    bool is_ours;
};

static enum slim_status learn_member(struct slim_session *session,
                                     const struct slim_wire_name *name, struct learned how,
                                     uint64_t conn_id)
{
    struct slim_session_member *member =
        slim_session_members_by_source(&session->members, &name->name);
    bool is_self = slim_name_is_equal(&name->name, &session->source.wire.name);
    if (member == NULL) {
        SLIM_TRY(slim_session_members_add(&session->members, name, SLIM_SESSION_PRESENT, &member));
    } else if (slim_session_member_is_listed(member)) {
        return SLIM_OK;
    } else {
        slim_session_members_set(&session->members, member, SLIM_SESSION_PRESENT);
    }
    member->told_ms = session->app->now_ms;
    member->is_from_welcome = how.is_from_welcome;
    member->is_ours = member->is_ours || how.is_ours;
    if (is_self) {
        member->is_self = true;
        session->self_slot = member->slot;
        return SLIM_OK;
    }
    slim_session_route(session, member, conn_id);
    SLIM_TRY(slim_session_admit_source(session, member, how.from_start));
    return slim_session_admit_receiver(session, member);
}

static void forget_member(struct slim_session *session, struct slim_session_member *member)
{
    slim_session_dismiss(session, member);
    slim_session_unroute(session, member);
    slim_session_members_remove(&session->members, member);
}

/* ---- GROUP_WELCOME */

/* The list, with us and the moderator in it whatever it says. */
static enum slim_status learn_list(struct slim_session *session,
                                   const struct slim_session_incoming *in)
{
    struct slim_wire_names names = in->message->payload.group_welcome.participants;
    const struct slim_wire_mls *mls = &in->message->payload.group_welcome.mls;
    bool is_pair = session->kind == SLIM_SESSION_POINT_TO_POINT;
    bool is_first = is_pair || (session->is_mls && mls->commit_id == 1);
    struct slim_wire_name name;
    struct learned how = {.is_from_welcome = true};
    bool has = true;
    for (size_t i = 0;; i++) {
        SLIM_TRY(slim_wire_next_name(&names, &has, &name));
        if (!has) {
            break;
        }
        bool is_moderator = slim_name_is_equal(&name.name, &in->source->name.wire.name);
        bool is_self = slim_name_is_equal(&name.name, &session->source.wire.name);
        how.from_start = is_moderator && is_first;
        how.is_ours = slim_session_is_ours(in->message, i);
        if (name.is_complete && (!is_pair || is_moderator || is_self)) {
            SLIM_TRY(learn_member(session, &name, how, in->conn_id));
        }
    }
    how = (struct learned){.is_from_welcome = true, .from_start = is_first};
    SLIM_TRY(learn_member(session, &in->source->name.wire, how, in->conn_id));
    how.from_start = false;
    return learn_member(session, &session->source.wire, how, in->conn_id);
}

static enum slim_status join_secure(struct slim_session *session,
                                    const struct slim_session_incoming *in)
{
    const struct slim_wire_mls *mls = &in->message->payload.group_welcome.mls;
    struct slim_error error = {.status = SLIM_OK};
    if (!session->is_mls) {
        return SLIM_OK;
    }
    if (!mls->is_present) {
        return SLIM_ERR_INVALID;
    }
    enum slim_status status = slim_session_crypt_join(session->crypt, mls->commit_id, mls->content,
                                                      &in->source->name.wire.name, &error);
    if (status != SLIM_OK && status != SLIM_ERR_EXISTS) {
        session->app->stats.undecryptable++;
        return status;
    }
    return SLIM_OK;
}

static void tell_begun(struct slim_session *session)
{
    struct slim_session_app *app = session->app;
    const struct slim_session_event event = {.kind = SLIM_SESSION_BEGUN, .session_id = session->id};
    session->is_begun = true;
    app->owner.on_event(app->owner.ctx, &event); /* at once: messages may follow in this turn */
    if (session->is_mls && app->options.protection == SLIM_SESSION_PROTECTION_PLAINTEXT) {
        slim_session_problem(session, "messages of this session are not encrypted");
    }
}

static enum slim_status on_welcome(struct slim_session *session,
                                   const struct slim_session_incoming *in)
{
    struct slim_session_app *app = session->app;
    SLIM_TRY(join_secure(session, in));
    enum slim_status status = learn_list(session, in);
    if (status != SLIM_OK) {
        app->stats.limit += status == SLIM_ERR_LIMIT ? 1 : 0;
        slim_session_end(session, "the group has too many members"); /* half a list is of no use */
        return SLIM_AGAIN;
    }
    note_mark(session, in);
    if (session->kind == SLIM_SESSION_GROUP) {
        slim_session_open_channel(session, in->conn_id); /* before the answer, on the same stream */
    }
    answer(session, SLIM_WIRE_TYPE_GROUP_ACK, in);
    slim_buf_fini(&session->reply);
    slim_list_remove(&session->half_open);
    app->half_open_count--;
    session->state = SLIM_SESSION_JOINED;
    tell_begun(session);
    slim_session_take_early(session);
    slim_session_touch(session);
    return SLIM_AGAIN;
}

/* Its answer was lost, or the list is told once more. */
static enum slim_status on_welcome_again(struct slim_session *session,
                                         const struct slim_session_incoming *in)
{
    if (!is_repeated(session, SLIM_WIRE_TYPE_GROUP_ACK, false, in)) {
        SLIM_TRY(join_secure(session, in));
        SLIM_TRY(learn_list(session, in));
        answer(session, SLIM_WIRE_TYPE_GROUP_ACK, in);
    }
    return SLIM_AGAIN;
}

/* ---- GROUP_ADD, GROUP_REMOVE */

/* SLIM_OK: the list is to change; SLIM_ERR_EXISTS: it did before, acknowledge; SLIM_ERR_REMOVED: it removes us; else no answer. */
static enum slim_status follow_commit(struct slim_session *session,
                                      const struct slim_session_incoming *in)
{
    const struct slim_wire_mls *mls = &in->message->payload.group_change.mls;
    struct slim_error error = {.status = SLIM_OK};
    if (!session->is_mls) {
        return SLIM_OK;
    }
    if (!mls->is_present) {
        return SLIM_ERR_INVALID;
    }
    enum slim_status status =
        slim_session_crypt_take_commit(session->crypt, mls->commit_id, mls->content, &error);
    if (!slim_session_crypt_is_behind(session->crypt)) {
        session->behind_since_ms = UINT64_MAX;
        session->wait_until_ms = UINT64_MAX;
    } else if (session->behind_since_ms == UINT64_MAX) {
        session->behind_since_ms = session->app->now_ms;
        session->wait_until_ms = session->app->now_ms + slim_session_patience_ms(session);
        slim_session_touch(session); /* it is due then */
    }
    if (status == SLIM_OK) {
        slim_session_open_held(session);
    }
    if (status == SLIM_AGAIN) {
        return SLIM_OK; /* kept: the list changes all the same */
    }
    if (status != SLIM_OK && status != SLIM_ERR_EXISTS && status != SLIM_ERR_REMOVED) {
        session->app->stats.undecryptable++;
    }
    return status;
}

/* With MLS the group of keys is the truth, once no commit is missing. */
static bool contradicts_commit(const struct slim_session *session, const struct slim_name_key *name,
                               bool is_member)
{
    return session->is_mls && !slim_session_crypt_is_behind(session->crypt) &&
           slim_session_crypt_has(session->crypt, name) != is_member;
}

/* A member that is told of again joined anew, unless this is a late copy of what our welcome said already. */
static void renew_member(struct slim_session *session, const struct slim_wire_name *name)
{
    struct slim_session_member *member =
        slim_session_members_by_source(&session->members, &name->name);
    if (member == NULL || member->is_self || member->slot == session->peer_slot) {
        return;
    }
    bool is_late_copy = member->is_from_welcome &&
                        session->app->now_ms - member->told_ms < slim_session_patience_ms(session);
    if (!is_late_copy) {
        forget_member(session, member);
    }
}

/* The list changes with each message as it comes, the group of keys in the order of commits. When no commit is missing any more, whoever was
 * added late to the list and removed before is taken off it. */
static void agree_with_keys(struct slim_session *session)
{
    for (uint32_t slot = 0; slot < session->members.capacity; slot++) {
        struct slim_session_member *member = session->members.slots[slot];
        if (member != NULL && !member->is_self && slot != session->peer_slot &&
            !slim_session_crypt_has(session->crypt, &member->name.wire.name)) {
            forget_member(session, member);
        }
    }
}

/* A removal that was overtaken by a newer invitation of the same member. */
static bool is_overtaken(const struct slim_session *session, const struct slim_session_incoming *in,
                         const struct slim_session_member *member)
{
    return session->is_mls && in->message->payload.group_change.mls.commit_id < member->commit_id;
}

/* We are out, by name or by the commit: acknowledge, and wait for LEAVE_REQUEST. */
static enum slim_status be_expelled(struct slim_session *session,
                                    const struct slim_session_incoming *in)
{
    answer(session, SLIM_WIRE_TYPE_GROUP_ACK, in);
    if (session->state == SLIM_SESSION_JOINED) {
        session->wait_until_ms = session->app->now_ms + slim_session_patience_ms(session);
        session->state = SLIM_SESSION_EXPELLED;
        slim_session_touch(session);
    }
    return SLIM_AGAIN;
}

static enum slim_status on_group_add(struct slim_session *session,
                                     const struct slim_session_incoming *in)
{
    const struct slim_wire_name *added = &in->message->payload.group_change.participant;
    if (is_repeated(session, SLIM_WIRE_TYPE_GROUP_ACK, true, in)) {
        return SLIM_AGAIN;
    }
    bool was_behind = session->is_mls && slim_session_crypt_is_behind(session->crypt);
    enum slim_status status = follow_commit(session, in);
    if (status == SLIM_ERR_REMOVED) {
        return be_expelled(session, in);
    }
    if (status != SLIM_OK && status != SLIM_ERR_EXISTS) {
        return status;
    }
    if (slim_name_is_equal(&added->name, &session->source.wire.name)) {
        return SLIM_AGAIN; /* a copy to the channel of what invited us: nobody waits for our answer (defects 1 and 6) */
    }
    if (status == SLIM_OK && added->is_complete &&
        !contradicts_commit(session, &added->name, true)) {
        renew_member(session, added);
        const struct learned how = {.from_start = true};
        SLIM_TRY(learn_member(session, added, how, in->conn_id));
        slim_session_members_by_source(&session->members, &added->name)->commit_id =
            in->message->payload.group_change.mls.commit_id;
    }
    if (was_behind && !slim_session_crypt_is_behind(session->crypt)) {
        agree_with_keys(session);
    }
    note_mark(session, in);
    answer(session, SLIM_WIRE_TYPE_GROUP_ACK, in);
    return SLIM_AGAIN;
}

static enum slim_status on_group_remove(struct slim_session *session,
                                        const struct slim_session_incoming *in)
{
    const struct slim_wire_name *removed = &in->message->payload.group_change.participant;
    bool is_self = slim_name_is_equal(&removed->name, &session->source.wire.name);
    if (is_repeated(session, SLIM_WIRE_TYPE_GROUP_ACK, true, in)) {
        return SLIM_AGAIN;
    }
    bool was_behind = session->is_mls && slim_session_crypt_is_behind(session->crypt);
    enum slim_status status = is_self ? SLIM_ERR_REMOVED : follow_commit(session, in);
    if (status == SLIM_ERR_REMOVED) {
        return be_expelled(session, in);
    }
    if (status != SLIM_OK && status != SLIM_ERR_EXISTS) {
        return status;
    }
    struct slim_session_member *member =
        slim_session_members_by_source(&session->members, &removed->name);
    bool can_go = member != NULL && !member->is_self && member->slot != session->peer_slot &&
                  !is_overtaken(session, in, member) &&
                  !contradicts_commit(session, &removed->name, false);
    if (status == SLIM_OK && can_go) {
        forget_member(session, member);
    }
    if (was_behind && !slim_session_crypt_is_behind(session->crypt)) {
        agree_with_keys(session);
    }
    answer(session, SLIM_WIRE_TYPE_GROUP_ACK, in);
    return SLIM_AGAIN;
}

/* A second copy of what expelled us. */
static enum slim_status on_expelled_again(struct slim_session *session,
                                          const struct slim_session_incoming *in)
{
    (void)is_repeated(session, SLIM_WIRE_TYPE_GROUP_ACK, true, in); /* else it is another's */
    return SLIM_AGAIN;
}

/* ---- the end */

static enum slim_status on_leave_request(struct slim_session *session,
                                         const struct slim_session_incoming *in)
{
    answer(session, SLIM_WIRE_TYPE_LEAVE_REPLY, in);
    slim_session_end(session, "session closed");
    return SLIM_AGAIN;
}

static enum slim_status on_group_close(struct slim_session *session,
                                       const struct slim_session_incoming *in)
{
    answer(session, SLIM_WIRE_TYPE_GROUP_ACK, in);
    slim_session_end(session, "session closed");
    return SLIM_AGAIN;
}

static enum slim_status begin_leaving(struct slim_session *session,
                                      const struct slim_session_incoming *in)
{
    (void)in; /* of the application */
    bool is_pair = session->kind == SLIM_SESSION_POINT_TO_POINT;
    slim_session_drain(session, is_pair && !session->is_moderator_ours);
    return SLIM_OK;
}

static enum slim_status leave_now(struct slim_session *session,
                                  const struct slim_session_incoming *in)
{
    static const struct slim_wire_pair leaving = {.key = {(const uint8_t *)"LEAVING_SESSION", 15},
                                                  .value = {(const uint8_t *)"TRUE", 4}};
    struct slim_wire_session_message message;
    struct slim_session_request *request;
    struct slim_session_expected expected = {
        .only = slim_session_members_at(&session->members, session->peer_slot)};
    (void)in; /* of ourselves */
    uint64_t patience_ms = slim_session_patience_ms(session);
    session->is_draining = true;
    session->drain_until_ms = UINT64_MAX;
    session->wait_until_ms =
        session->app->now_ms +
        (patience_ms < SLIM_SESSION_DRAIN_MS ? patience_ms : (uint64_t)SLIM_SESSION_DRAIN_MS);
    slim_session_close_channel(session);
    slim_session_compose(session, SLIM_WIRE_TYPE_LEAVE_REQUEST, &expected.only->name.wire, 0,
                         &message);
    message.metadata = (struct slim_wire_metadata){.pairs = &leaving, .count = 1};
    if (slim_session_request_new(session, &message, &expected, NULL, &request) != SLIM_OK) {
        slim_session_end(session, NULL); /* the moderator will notice by its pings */
        return SLIM_AGAIN;
    }
    return SLIM_OK;
}

/* Without the missing commit nothing can be read any more: better gone than deaf. */
static enum slim_status leave_deaf(struct slim_session *session,
                                   const struct slim_session_incoming *in)
{
    session->end_text = "a change of the group was missed";
    slim_session_problem(session, "left the session: %s", session->end_text);
    return leave_now(session, in);
}

static enum slim_status on_leave_reply(struct slim_session *session,
                                       const struct slim_session_incoming *in)
{
    struct slim_session_request *request =
        slim_session_request_find(session, SLIM_WIRE_TYPE_LEAVE_REPLY, in);
    if (request == NULL) {
        return SLIM_ERR_STATE;
    }
    slim_session_request_answer(session, request, in->source->slot);
    return SLIM_AGAIN;
}

static enum slim_status end(struct slim_session *session, const struct slim_session_incoming *in)
{
    (void)in; /* of ourselves */
    slim_session_end(session, NULL);
    return SLIM_AGAIN;
}

static enum slim_status end_lost(struct slim_session *session,
                                 const struct slim_session_incoming *in)
{
    (void)in; /* of ourselves */
    slim_session_end(session, "session closed: the moderator does not answer");
    return SLIM_AGAIN;
}

static enum slim_status end_expelled(struct slim_session *session,
                                     const struct slim_session_incoming *in)
{
    (void)in; /* of ourselves */
    slim_session_end(session, "session closed: removed from the group");
    return SLIM_AGAIN;
}

#define ON(input) SLIM_SESSION_ON_##input
#define TO(state) SLIM_SESSION_##state

const struct slim_session_cell
    slim_session_participant_table[SLIM_SESSION_STATE_COUNT][SLIM_SESSION_INPUT_COUNT] =
        {
            /* changes are not acknowledged before the welcome: they come again after it */
            [TO(JOINING)] =
                {
                    [ON(JOIN_REQUEST)] = {on_join_request, TO(JOINING)},
                    [ON(GROUP_WELCOME)] = {on_welcome, TO(JOINED)},
                    [ON(MSG)] = {slim_session_keep_early, TO(JOINING)},
                    [ON(PING)] = {slim_session_answer_ping, TO(JOINING)},
                    [ON(LEAVE_REQUEST)] = {on_leave_request, TO(ENDED)},
                    [ON(GROUP_CLOSE)] = {on_group_close, TO(ENDED)},
                    [ON(ALONE)] = {end_lost, TO(ENDED)},
                },
            [TO(JOINED)] =
                {
                    [ON(JOIN_REQUEST)] = {on_join_request, TO(JOINED)},
                    [ON(GROUP_WELCOME)] = {on_welcome_again, TO(JOINED)},
                    [ON(GROUP_ADD)] = {on_group_add, TO(JOINED)},
                    [ON(GROUP_REMOVE)] = {on_group_remove, TO(JOINED)},
                    [ON(MSG)] = {slim_session_on_msg, TO(JOINED)},
                    [ON(MSG_ACK)] = {slim_session_on_msg_ack, TO(JOINED)},
                    [ON(RTX_REQUEST)] = {slim_session_on_rtx_request, TO(JOINED)},
                    [ON(RTX_REPLY)] = {slim_session_on_rtx_reply, TO(JOINED)},
                    [ON(PING)] = {slim_session_answer_ping, TO(JOINED)},
                    [ON(LEAVE_REQUEST)] = {on_leave_request, TO(ENDED)},
                    [ON(GROUP_CLOSE)] = {on_group_close, TO(ENDED)},
                    [ON(APP_CLOSE)] = {begin_leaving, TO(LEAVING_SOON)},
                    [ON(ALONE)] = {end_lost, TO(ENDED)},
                    [ON(WAIT_OVER)] = {leave_deaf, TO(LEAVING)},
                },
            [TO(EXPELLED)] =
                {
                    [ON(JOIN_REQUEST)] = {on_join_request, TO(EXPELLED)},
                    [ON(GROUP_REMOVE)] = {on_expelled_again, TO(EXPELLED)},
                    [ON(LEAVE_REQUEST)] = {on_leave_request, TO(ENDED)},
                    [ON(GROUP_CLOSE)] = {on_group_close, TO(ENDED)},
                    [ON(APP_CLOSE)] = {end, TO(ENDED)},
                    [ON(ALONE)] = {end_expelled, TO(ENDED)},
                    [ON(WAIT_OVER)] = {end_expelled, TO(ENDED)},
                },
            /* messages from others are taken until the end, as in moderator.c */
            [TO(LEAVING_SOON)] =
                {
                    [ON(JOIN_REQUEST)] = {on_join_request, TO(LEAVING_SOON)},
                    [ON(MSG)] = {slim_session_on_msg, TO(LEAVING_SOON)},
                    [ON(GROUP_WELCOME)] = {on_welcome_again, TO(LEAVING_SOON)},
                    [ON(GROUP_ADD)] = {on_group_add, TO(LEAVING_SOON)},
                    [ON(GROUP_REMOVE)] = {on_group_remove, TO(LEAVING_SOON)},
                    [ON(MSG_ACK)] = {slim_session_on_msg_ack, TO(LEAVING_SOON)},
                    [ON(RTX_REQUEST)] = {slim_session_on_rtx_request, TO(LEAVING_SOON)},
                    [ON(RTX_REPLY)] = {slim_session_on_rtx_reply, TO(LEAVING_SOON)},
                    [ON(PING)] = {slim_session_answer_ping, TO(LEAVING_SOON)},
                    [ON(LEAVE_REQUEST)] = {on_leave_request, TO(ENDED)},
                    [ON(GROUP_CLOSE)] = {on_group_close, TO(ENDED)},
                    [ON(DRAINED)] = {leave_now, TO(LEAVING)},
                    [ON(ALONE)] = {end_lost, TO(ENDED)},
                    [ON(WAIT_OVER)] = {leave_deaf, TO(LEAVING)},
                },
            /* a GROUP_CLOSE that crosses is an answer too (spec 12.3b) */
            [TO(LEAVING)] =
                {
                    [ON(JOIN_REQUEST)] = {on_join_request, TO(LEAVING)},
                    [ON(MSG)] = {slim_session_on_msg, TO(LEAVING)},
                    [ON(LEAVE_REPLY)] = {on_leave_reply, TO(LEAVING)},
                    [ON(LEAVE_REQUEST)] = {on_leave_request, TO(ENDED)},
                    [ON(GROUP_CLOSE)] = {on_group_close, TO(ENDED)},
                    [ON(RTX_REQUEST)] = {slim_session_on_rtx_request, TO(LEAVING)},
                    [ON(ANSWERED)] = {end, TO(ENDED)},
                    [ON(GIVEN_UP)] = {end, TO(ENDED)},
                    [ON(ALONE)] = {end, TO(ENDED)},
                    [ON(WAIT_OVER)] = {end, TO(ENDED)},
                },
};
