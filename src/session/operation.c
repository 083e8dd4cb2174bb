/* What an application asks of its sessions. Everything is checked and accepted here, and done when the session settles. */
#include "base/utf8.h"
#include "session/compose.h"
#include "session/task.h"

enum { ID_TRIES_MAX = 64 };

/* ---- create */

static bool is_text(const struct slim_wire_pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!slim_utf8_is_valid(pairs[i].key) || !slim_utf8_is_valid(pairs[i].value)) {
            return false;
        }
    }
    return true;
}

static enum slim_status choose_id(struct slim_session_app *app, uint32_t wanted_id, uint32_t *id,
                                  struct slim_error *error)
{
    if (wanted_id != UINT32_MAX) {
        if (wanted_id >= SLIM_SESSION_ID_END) {
            return slim_error_set(error, SLIM_ERR_ARGUMENT, "invalid session id: %u", wanted_id);
        }
        if (slim_session_find(app, wanted_id) != NULL) {
            return slim_error_set(error, SLIM_ERR_EXISTS, "session id already used: %u", wanted_id);
        }
        *id = wanted_id;
        return SLIM_OK;
    }
    for (uint32_t i = 0; i < ID_TRIES_MAX; i++) {
        uint32_t drawn = slim_session_app_random(app);
        if (drawn < SLIM_SESSION_ID_END && slim_session_find(app, drawn) == NULL) {
            *id = drawn;
            return SLIM_OK;
        }
    }
    return slim_error_set(error, SLIM_ERR_INTERNAL, "no session id could be drawn");
}

static enum slim_status check_settings(const struct slim_session_settings *settings,
                                       const struct slim_wire_name *destination,
                                       struct slim_error *error)
{
    if (!destination->is_complete) {
        return slim_error_set(error, SLIM_ERR_ARGUMENT, "the destination has no name");
    }
    if (settings->has_timer && (settings->interval_ms == 0 || settings->interval_ms > UINT32_MAX)) {
        return slim_error_set(error, SLIM_ERR_ARGUMENT,
                              "the interval must be between 1 ms and %u ms", UINT32_MAX);
    }
    if (!is_text(settings->metadata, settings->metadata_count)) {
        return slim_error_set(error, SLIM_ERR_ARGUMENT, "the metadata is not UTF-8");
    }
    for (size_t i = 0; i < settings->metadata_count; i++) {
        if (slim_view_is_equal(settings->metadata[i].key, SLIM_SESSION_KEY_MODERATOR)) {
            return slim_error_set(error, SLIM_ERR_ARGUMENT,
                                  "the metadata key IS_MODERATOR belongs to the protocol");
        }
    }
    return SLIM_OK;
}

/* The session of two begins with its only task. */
static enum slim_status begin_pair(struct slim_session *session, uint64_t op)
{
    struct slim_session_task *task;
    SLIM_TRY(slim_session_events_reserve(session->app, 1));
    enum slim_status status =
        slim_session_task_new(session, SLIM_SESSION_TASK_ADD, &session->destination.wire, &task);
    if (status != SLIM_OK) {
        slim_session_events_release(session->app, 1);
        return status;
    }
    task->op = op;
    task->has_op = true;
    return SLIM_OK;
}

static enum slim_status begin_group(struct slim_session *session, uint64_t op)
{
    SLIM_TRY(slim_session_name_init(session->app->heap, &session->destination.wire,
                                    session->destination.wire.name.id, &session->channel));
    SLIM_TRY(slim_session_events_reserve(session->app, 1));
    slim_session_complete(session->app, session->id, op, SLIM_OK, NULL);
    return SLIM_OK;
}

static enum slim_status create(struct slim_session_app *app,
                               const struct slim_session_settings *settings,
                               const struct slim_wire_name *destination, uint32_t wanted_id,
                               uint64_t op, uint32_t *session_id, struct slim_error *error)
{
    uint32_t id = 0;
    struct slim_session *session;
    struct slim_wire_name name = *destination;
    bool is_group = settings->kind == SLIM_SESSION_GROUP;
    SLIM_TRY(check_settings(settings, destination, error));
    SLIM_TRY(choose_id(app, wanted_id, &id, error));
    name.name.id = is_group ? SLIM_NAME_ANY : name.name.id;
    enum slim_status status =
        slim_session_new(app, id, settings, &app->name.wire, &name,
                         is_group ? SLIM_SESSION_OPEN : SLIM_SESSION_OPENING, &session);
    if (status != SLIM_OK) {
        return slim_error_set(error, status, "session not created: %s", slim_status_text(status));
    }
    session->is_initiator = true;
    if (session->is_mls) {
        /* a credential that must be fetched is asked for now; whoever needs it first says what is wrong */
        enum slim_status ignored = slim_session_app_secure(app);
        (void)ignored;
    }
    status = is_group ? begin_group(session, op) : begin_pair(session, op);
    if (status != SLIM_OK) {
        slim_session_end(session, NULL);
        return slim_error_set(error, status, "session not created: %s", slim_status_text(status));
    }
    session->is_begun = true;
    if (session->is_mls && app->options.protection == SLIM_SESSION_PROTECTION_PLAINTEXT) {
        slim_session_problem(session, "messages of this session are not encrypted");
    }
    *session_id = id;
    return SLIM_OK;
}

enum slim_status slim_session_app_create(struct slim_session_app *app, uint64_t now_ms,
                                         const struct slim_session_settings *settings,
                                         const struct slim_wire_name *destination,
                                         uint32_t wanted_id, uint64_t op, uint32_t *session_id,
                                         struct slim_error *error)
{
    slim_session_app_enter(app, now_ms);
    enum slim_status status = create(app, settings, destination, wanted_id, op, session_id, error);
    slim_session_app_leave(app);
    return status;
}

/* ---- invite, remove */

static enum slim_status find(struct slim_session_app *app, uint32_t session_id,
                             struct slim_session **session, struct slim_error *error)
{
    *session = slim_session_find(app, session_id);
    if (*session == NULL ||
        !(*session)->is_begun) { /* what was not welcomed yet, nobody knows of */
        return slim_error_set(error, SLIM_ERR_NOT_FOUND, "session not found: %u", session_id);
    }
    return SLIM_OK;
}

static enum slim_status change_group(struct slim_session_app *app, uint32_t session_id,
                                     enum slim_session_task_kind kind,
                                     const struct slim_wire_name *name, uint64_t op,
                                     struct slim_error *error)
{
    struct slim_session *session;
    struct slim_session_task *task;
    SLIM_TRY(find(app, session_id, &session, error));
    if (session->kind == SLIM_SESSION_POINT_TO_POINT) {
        return slim_error_set(error, SLIM_ERR_DENIED,
                              kind == SLIM_SESSION_TASK_ADD
                                  ? "cannot invite participant to point-to-point session"
                                  : "cannot remove participant from point-to-point session");
    }
    if (!session->is_initiator) {
        return slim_error_set(error, SLIM_ERR_DENIED, "only initiator can modify participants");
    }
    if (session->state != SLIM_SESSION_OPEN || session->is_close_wanted) {
        return slim_error_set(error, SLIM_ERR_STATE, "session already closed");
    }
    if (!name->is_complete) {
        return slim_error_set(error, SLIM_ERR_ARGUMENT, "the participant has no name");
    }
    SLIM_TRY(slim_session_events_reserve(app, 1));
    enum slim_status status = slim_session_task_new(session, kind, name, &task);
    if (status != SLIM_OK) {
        slim_session_events_release(app, 1);
        return slim_error_set(error, status, "%s",
                              status == SLIM_ERR_LIMIT ? "too many invitations and removals wait"
                                                       : slim_status_text(status));
    }
    task->op = op;
    task->has_op = true;
    return SLIM_OK;
}

enum slim_status slim_session_app_invite(struct slim_session_app *app, uint64_t now_ms,
                                         uint32_t session_id, const struct slim_wire_name *name,
                                         uint64_t op, struct slim_error *error)
{
    slim_session_app_enter(app, now_ms);
    enum slim_status status = change_group(app, session_id, SLIM_SESSION_TASK_ADD, name, op, error);
    slim_session_app_leave(app);
    return status;
}

enum slim_status slim_session_app_remove(struct slim_session_app *app, uint64_t now_ms,
                                         uint32_t session_id, const struct slim_wire_name *name,
                                         uint64_t op, struct slim_error *error)
{
    slim_session_app_enter(app, now_ms);
    enum slim_status status =
        change_group(app, session_id, SLIM_SESSION_TASK_REMOVE, name, op, error);
    slim_session_app_leave(app);
    return status;
}

/* ---- publish */

/* The content as it travels; the metadata is encoded into the application's buffer. */
static enum slim_status encode(struct slim_session_app *app,
                               const struct slim_session_payload *payload, bool is_direct,
                               struct slim_session_content *content, struct slim_error *error)
{
    static const struct slim_wire_pair publish_to = {.key = {(const uint8_t *)"PUBLISH_TO", 10},
                                                     .value = {(const uint8_t *)"TRUE", 4}};
    if (!is_text(payload->metadata, payload->metadata_count) ||
        !slim_utf8_is_valid(payload->payload_type)) {
        return slim_error_set(error, SLIM_ERR_ARGUMENT, "payload type and metadata must be UTF-8");
    }
    slim_buf_clear(&app->scratch);
    for (size_t i = 0; i < payload->metadata_count; i++) {
        const struct slim_wire_metadata one = {.pairs = &payload->metadata[i], .count = 1};
        if (!slim_view_is_equal(payload->metadata[i].key, SLIM_SESSION_KEY_PUBLISH_TO)) {
            SLIM_TRY(slim_wire_put_metadata(&app->scratch, &one));
        }
    }
    if (is_direct) {
        const struct slim_wire_metadata one = {.pairs = &publish_to, .count = 1};
        SLIM_TRY(slim_wire_put_metadata(&app->scratch, &one));
    }
    *content = (struct slim_session_content){
        .payload_type = payload->payload_type.len > 0 ? payload->payload_type : SLIM_VIEW("msg"),
        .blob = payload->blob,
        .metadata = slim_buf_view(&app->scratch),
    };
    size_t bytes = content->payload_type.len + content->blob.len + content->metadata.len;
    if (bytes > SLIM_SESSION_PAYLOAD_BYTES_MAX) {
        return slim_error_set(error, SLIM_ERR_LIMIT, "the message is larger than %u bytes",
                              (unsigned)SLIM_SESSION_PAYLOAD_BYTES_MAX);
    }
    return SLIM_OK;
}

static enum slim_status check_publish(const struct slim_session *session, struct slim_error *error)
{
    if (!session->app->options.can_send) {
        return slim_error_set(error, SLIM_ERR_STATE,
                              "session sender is shutdown, cannot send messages");
    }
    if (session->is_close_wanted || session->is_draining) {
        return slim_error_set(error, SLIM_ERR_STATE, "session is draining - drop message");
    }
    if (session->state != SLIM_SESSION_OPENING && session->state != SLIM_SESSION_OPEN &&
        session->state != SLIM_SESSION_JOINED) {
        return slim_error_set(error, SLIM_ERR_STATE, "session closed");
    }
    return SLIM_OK;
}

static enum slim_status check_sealed_size(const struct slim_session *session,
                                          const struct slim_session_content *content,
                                          struct slim_error *error)
{
    if (session->is_mls && session->app->options.protection == SLIM_SESSION_PROTECTION_REQUIRED &&
        content->blob.len > SLIM_SESSION_SEALED_BYTES_MAX) {
        return slim_error_set(error, SLIM_ERR_LIMIT,
                              "the message is larger than %u bytes, which fit when it is sealed",
                              (unsigned)SLIM_SESSION_SEALED_BYTES_MAX);
    }
    return SLIM_OK;
}

/* Two events: the completion, and WRITABLE in case the window is full. */
static enum slim_status promise(struct slim_session *session)
{
    SLIM_TRY(slim_session_events_reserve(session->app, 1));
    if (!session->is_writable_promised) {
        enum slim_status status = slim_session_events_reserve(session->app, 1);
        if (status != SLIM_OK) {
            slim_session_events_release(session->app, 1);
            return status;
        }
    }
    return SLIM_OK;
}

static void keep_promise(struct slim_session *session, enum slim_status status)
{
    if (status != SLIM_OK) {
        slim_session_events_release(session->app, 1); /* there will be no completion */
    }
    if (session->is_writable_promised) {
        return;
    }
    session->is_writable_promised = status == SLIM_AGAIN;
    if (!session->is_writable_promised) {
        slim_session_events_release(session->app, 1);
    }
}

static void touch_data(struct slim_session *session)
{
    uint64_t wait_ms = session->interval_ms;
    slim_session_wake(session, session->app->now_ms + wait_ms);
}

static enum slim_status publish(struct slim_session_app *app, uint32_t session_id,
                                const struct slim_session_payload *payload, uint64_t op,
                                struct slim_error *error)
{
    struct slim_session *session;
    struct slim_session_content content;
    SLIM_TRY(find(app, session_id, &session, error));
    SLIM_TRY(check_publish(session, error));
    SLIM_TRY(encode(app, payload, false, &content, error));
    SLIM_TRY(check_sealed_size(session, &content, error));
    SLIM_TRY(promise(session));
    enum slim_status status =
        slim_session_sender_publish(session->sender, app->now_ms, &content, op, NULL);
    keep_promise(session, status);
    touch_data(session);
    if (status != SLIM_OK && status != SLIM_AGAIN) {
        return slim_error_set(error, status, "%s", slim_status_text(status));
    }
    return status;
}

enum slim_status slim_session_app_publish(struct slim_session_app *app, uint64_t now_ms,
                                          uint32_t session_id,
                                          const struct slim_session_payload *payload, uint64_t op,
                                          struct slim_error *error)
{
    slim_session_app_enter(app, now_ms);
    enum slim_status status = publish(app, session_id, payload, op, error);
    slim_session_app_leave(app);
    return status;
}

static enum slim_status publish_to(struct slim_session_app *app, uint32_t session_id,
                                   const struct slim_wire_name *name,
                                   const struct slim_session_payload *payload, uint64_t op,
                                   struct slim_error *error)
{
    struct slim_session *session;
    struct slim_session_content content;
    SLIM_TRY(find(app, session_id, &session, error));
    if (session->kind == SLIM_SESSION_POINT_TO_POINT) {
        return publish(app, session_id, payload, op, error);
    }
    SLIM_TRY(check_publish(session, error));
    const struct slim_session_member *member =
        slim_session_members_by_source(&session->members, &name->name);
    if (member == NULL || member->is_self || member->standing != SLIM_SESSION_PRESENT) {
        return slim_error_set(error, SLIM_ERR_NOT_FOUND,
                              "error receiving ack for message: channel closed");
    }
    SLIM_TRY(encode(app, payload, true, &content, error));
    SLIM_TRY(check_sealed_size(session, &content, error));
    SLIM_TRY(promise(session));
    enum slim_status status = SLIM_ERR_EXISTS;
    for (uint32_t i = 0; status == SLIM_ERR_EXISTS && i < ID_TRIES_MAX; i++) {
        uint32_t number = slim_session_app_random(app) | SLIM_SESSION_DIRECT_MIN;
        number = number > SLIM_SESSION_DIRECT_MAX ? SLIM_SESSION_DIRECT_MAX : number;
        status = slim_session_sender_publish_to(session->sender, app->now_ms, member->slot,
                                                &content, number, op);
    }
    keep_promise(session, status);
    touch_data(session);
    if (status != SLIM_OK && status != SLIM_AGAIN) {
        return slim_error_set(error, status, "%s", slim_status_text(status));
    }
    return status;
}

enum slim_status slim_session_app_publish_to(struct slim_session_app *app, uint64_t now_ms,
                                             uint32_t session_id,
                                             const struct slim_wire_name *member,
                                             const struct slim_session_payload *payload,
                                             uint64_t op, struct slim_error *error)
{
    slim_session_app_enter(app, now_ms);
    enum slim_status status = publish_to(app, session_id, member, payload, op, error);
    slim_session_app_leave(app);
    return status;
}

/* ---- close */

static enum slim_status close_session(struct slim_session_app *app, uint32_t session_id,
                                      uint64_t op, struct slim_error *error)
{
    struct slim_session *session;
    SLIM_TRY(find(app, session_id, &session, error));
    if (session->has_op) {
        return slim_error_set(error, SLIM_ERR_STATE, "session already closed");
    }
    SLIM_TRY(slim_session_events_reserve(app, 1));
    session->op = op;
    session->has_op = true;
    session->is_close_wanted = !session->is_draining; /* it may be leaving already */
    slim_session_touch(session);
    return SLIM_OK;
}

enum slim_status slim_session_app_close(struct slim_session_app *app, uint64_t now_ms,
                                        uint32_t session_id, uint64_t op, struct slim_error *error)
{
    slim_session_app_enter(app, now_ms);
    enum slim_status status = close_session(app, session_id, op, error);
    slim_session_app_leave(app);
    return status;
}

/* ---- what the engine reports */

void slim_session_app_take_error(struct slim_session_app *app, uint64_t now_ms,
                                 enum slim_session_failure failure, uint32_t session_id,
                                 int32_t session_message_type, uint32_t message_id,
                                 const char *text)
{
    slim_session_app_enter(app, now_ms);
    struct slim_session *session = slim_session_find(app, session_id);
    bool is_fatal = failure == SLIM_SESSION_NO_ROUTE &&
                    session_message_type == SLIM_WIRE_TYPE_DISCOVERY_REQUEST;
    if (session != NULL && is_fatal) {
        slim_session_task_no_route(session, message_id, text); /* all else is left to the timers */
    }
    slim_session_app_leave(app);
}

static void note_lost_link(struct slim_session_answer *answer, uint64_t conn_id)
{
    answer->is_link_lost = answer->is_link_lost || answer->conn_id == conn_id;
}

void slim_session_app_lost_link(struct slim_session_app *app, uint64_t conn_id)
{
    for (uint32_t i = 0; i < app->session_count; i++) {
        struct slim_session_answers *answers = &app->due[i]->answers;
        for (uint32_t k = 0; k < answers->count; k++) {
            note_lost_link(&answers->entries[k], conn_id);
        }
    }
    for (size_t i = 0; app->ended != NULL && i < SLIM_SESSION_ENDED_MAX; i++) {
        note_lost_link(&app->ended[i].answer, conn_id);
    }
    for (size_t i = 0; app->seen != NULL && i < SLIM_SESSION_SEEN_MAX; i++) {
        note_lost_link(&app->seen[i].answer, conn_id);
    }
}

void slim_session_app_pause(struct slim_session_app *app, uint32_t session_id, bool is_paused)
{
    struct slim_session *session = slim_session_find(app, session_id);
    if (session != NULL) {
        session->is_paused = is_paused;
    }
}

/* ---- looking */

enum slim_status slim_session_app_look(const struct slim_session_app *app, uint32_t session_id,
                                       struct slim_session_info *info)
{
    const struct slim_session *session = slim_session_find(app, session_id);
    if (session == NULL) {
        return SLIM_ERR_NOT_FOUND;
    }
    bool is_open = session->state == SLIM_SESSION_OPEN || session->state == SLIM_SESSION_JOINED;
    *info = (struct slim_session_info){
        .session_id = session->id,
        .settings = {.kind = session->kind,
                     .is_mls = session->is_mls,
                     .has_timer = session->has_timer,
                     .max_retries = session->has_timer ? session->max_retries : 0,
                     .interval_ms = session->has_timer ? session->interval_ms : 0,
                     .metadata = session->metadata,
                     .metadata_count = session->metadata_count},
        .is_initiator = session->is_initiator,
        .is_active = is_open && !session->is_close_wanted,
        .is_draining = session->is_draining || session->is_close_wanted,
        .source = &session->source.wire,
        .destination = &session->destination.wire,
        .member_count = session->members.listed_count,
        .mls_epoch = session->crypt != NULL && slim_session_crypt_is_ready(session->crypt)
                         ? slim_session_crypt_epoch(session->crypt)
                         : 0,
    };
    return SLIM_OK;
}

const struct slim_wire_name *slim_session_app_member(const struct slim_session_app *app,
                                                     uint32_t session_id, size_t index)
{
    const struct slim_session *session = slim_session_find(app, session_id);
    if (session == NULL || index >= session->members.listed_count) {
        return NULL;
    }
    return &session->members.slots[session->members.listed[index]]->name.wire;
}
