/* The session flow, from both sides (spec session.md 4-9, mls.md 4, 5). */
#include "interop/mls_driver.h"

/* ---- moderator (session.md 4.3, 4.5, 4.7; mls.md 4.2) */

/* The names of all, ourselves too: as the participants of a message. */
static struct slim_wire_names all_names(const struct driver *driver, const struct session *session,
                                        struct slim_wire_name names[MEMBERS_MAX + 1])
{
    for (size_t i = 0; i < session->member_count; i++) {
        names[i] = driver_name_out(&session->members[i].name);
    }
    names[session->member_count] = driver_name_out(&driver->self);
    return (struct slim_wire_names){.names = names, .count = session->member_count + 1};
}

static uint32_t new_leaf(const struct session *session)
{
    for (uint32_t leaf = 0; leaf < slim_mls_group_leaf_count(session->group); leaf++) {
        struct slim_mls_member found;
        bool is_known = slim_mls_group_member(session->group, leaf, &found) != SLIM_MLS_OK ||
                        leaf == slim_mls_group_own_leaf(session->group);
        for (size_t i = 0; i < session->member_count; i++) {
            is_known = is_known || session->members[i].leaf == leaf;
        }
        if (!is_known) {
            return leaf;
        }
    }
    return UINT32_MAX;
}

void driver_discover(struct driver *driver, struct command *command)
{
    uint32_t id = random_id();
    struct slim_wire_session_message message = driver_new_message(
        driver, command->session->id, SLIM_WIRE_TYPE_DISCOVERY_REQUEST, id, &command->peer);
    driver_wait_for(driver, command, SLIM_WIRE_TYPE_DISCOVERY_REPLY, id, &command->peer.name);
    driver_send_request(driver, command, &message);
}

static void ask_to_join(struct driver *driver, struct command *command)
{
    struct session *session = command->session;
    if (session->group == NULL) {
        driver_subscribe(driver, &session->channel, false);
        require_mls(slim_mls_group_create(driver->mls, NULL, &session->group), "group");
    }
    uint32_t id = random_id();
    struct slim_wire_session_message message =
        driver_new_message(driver, session->id, SLIM_WIRE_TYPE_JOIN_REQUEST, id, &command->peer);
    message.payload.join_request = (struct slim_wire_join_request){
        .enable_mls = true,
        .has_timer = true,
        .timeout_ms = INTERVAL_MS,
        .max_retries = RETRY_COUNT,
        .channel = driver_name_out(&session->channel),
    };
    command->phase = PHASE_JOIN;
    driver_wait_for(driver, command, SLIM_WIRE_TYPE_JOIN_REPLY, id, &command->peer.name);
    driver_send_request(driver, command, &message);
}

static void send_welcome(struct driver *driver, struct command *command,
                         const struct slim_mls_commit_output *output)
{
    struct session *session = command->session;
    struct slim_wire_name names[MEMBERS_MAX + 1];
    uint32_t id = random_id();
    if (session->member_count > 0) { /* somebody besides the two */
        driver_wait_for_all(driver, command, SLIM_WIRE_TYPE_GROUP_ACK, id);
    }
    bool has_others = session->member_count > 0;
    driver_member_add(driver, session, &command->peer, new_leaf(session));
    if (has_others) {
        struct slim_wire_session_message add = driver_new_message(
            driver, session->id, SLIM_WIRE_TYPE_GROUP_ADD, id, &session->channel);
        add.head.fanout = FANOUT_ALL;
        add.payload.group_change = (struct slim_wire_group_change){
            .participant = driver_name_out(&command->peer),
            .participants = all_names(driver, session, names),
            .mls = {true, session->commit_id, buf_view(&output->commit)},
        };
        driver_send_request(driver, command, &add);
    }
    id = random_id();
    struct slim_wire_session_message welcome =
        driver_new_message(driver, session->id, SLIM_WIRE_TYPE_GROUP_WELCOME, id, &command->peer);
    welcome.payload.group_welcome = (struct slim_wire_group_welcome){
        .participants = all_names(driver, session, names),
        .mls = {true, session->commit_id, buf_view(&output->welcome)},
    };
    command->phase = PHASE_WELCOME;
    driver_wait_for(driver, command, SLIM_WIRE_TYPE_GROUP_ACK, id, &command->peer.name);
    driver_send_request(driver, command, &welcome);
}

static void add_member(struct driver *driver, struct command *command,
                       const struct slim_wire_session_message *reply)
{
    struct session *session = command->session;
    struct slim_mls_view package = mls_view(reply->payload.join_reply.key_package);
    struct slim_mls_commit_options options = {.key_packages = &package, .key_package_count = 1};
    struct slim_mls_commit_output output;
    enum slim_mls_status status = slim_mls_group_commit(session->group, &options, &output);
    if (status != SLIM_MLS_OK) {
        driver_command_end(driver, command, slim_mls_status_text(status));
        return;
    }
    require_mls(slim_mls_group_commit_apply(session->group), "commit");
    session->commit_id++;
    send_welcome(driver, command, &output);
    slim_mls_commit_output_free(&output);
}

static void ask_to_leave(struct driver *driver, struct command *command)
{
    uint32_t id = random_id();
    struct slim_wire_session_message message = driver_new_message(
        driver, command->session->id, SLIM_WIRE_TYPE_LEAVE_REQUEST, id, &command->peer);
    command->phase = PHASE_LEAVE;
    driver_wait_for(driver, command, SLIM_WIRE_TYPE_LEAVE_REPLY, id, &command->peer.name);
    driver_send_request(driver, command, &message);
}

void driver_remove_member(struct driver *driver, struct command *command)
{
    struct session *session = command->session;
    const struct member *member = driver_member_find(session, &command->peer.name);
    if (member == NULL) {
        driver_command_end(driver, command, "participant not found in group");
        return;
    }
    command->peer = member->name;
    struct slim_mls_commit_options options = {.removed = &member->leaf, .removed_count = 1};
    struct slim_mls_commit_output output;
    require_mls(slim_mls_group_commit(session->group, &options, &output), "remove");
    require_mls(slim_mls_group_commit_apply(session->group), "commit");
    session->commit_id++; /* also when nobody is told (mls.md 2) */
    if (session->member_count > 1) {
        struct slim_wire_name names[MEMBERS_MAX + 1];
        uint32_t id = random_id();
        struct slim_wire_session_message message = driver_new_message(
            driver, session->id, SLIM_WIRE_TYPE_GROUP_REMOVE, id, &session->channel);
        message.head.fanout = FANOUT_ALL;
        message.payload.group_change = (struct slim_wire_group_change){
            .participant = driver_name_out(&command->peer),
            .participants = all_names(driver, session, names),
            .mls = {true, session->commit_id, buf_view(&output.commit)},
        };
        driver_wait_for_all(driver, command, SLIM_WIRE_TYPE_GROUP_ACK, id);
        driver_send_request(driver, command, &message);
    } else {
        ask_to_leave(driver, command);
    }
    driver_member_remove(driver, session, &command->peer.name);
    slim_mls_commit_output_free(&output);
}

/* New keys and a new token for ourselves (mls.md 8.3): a commit with a path in a GROUP_ADD that adds nobody. */
void driver_refresh(struct driver *driver, struct command *command)
{
    struct session *session = command->session;
    struct slim_buf token = {0};
    require(slim_auth_provider_make(driver->provider, wall_s(),
                                    slim_mls_client_signature_key(driver->mls).data, &token),
            "token");
    struct slim_mls_credential_data credential = {SLIM_MLS_CREDENTIAL_BASIC,
                                                  mls_view(slim_buf_view(&token))};
    struct slim_mls_commit_options options = {.path = SLIM_MLS_PATH_ALWAYS};
    struct slim_mls_commit_output output;
    require_mls(slim_mls_client_set_credential(driver->mls, &credential), "credential");
    require_mls(slim_mls_group_commit(session->group, &options, &output), "refresh");
    require_mls(slim_mls_group_commit_apply(session->group), "commit");
    session->commit_id++;
    struct slim_wire_name names[MEMBERS_MAX + 1];
    uint32_t id = random_id();
    struct slim_wire_session_message message =
        driver_new_message(driver, session->id, SLIM_WIRE_TYPE_GROUP_ADD, id, &session->channel);
    message.head.fanout = FANOUT_ALL;
    message.payload.group_change = (struct slim_wire_group_change){
        .participants = all_names(driver, session, names),
        .mls = {true, session->commit_id, buf_view(&output.commit)},
    };
    driver_wait_for_all(driver, command, SLIM_WIRE_TYPE_GROUP_ACK, id);
    driver_send_request(driver, command, &message);
    slim_mls_commit_output_free(&output);
    slim_buf_fini(&token);
}

static void session_over(struct driver *driver, struct session *session)
{
    session->is_over = true;
    driver_session_fail(driver, session);
    if (!driver->is_lingering) {
        driver_subscribe(driver, &session->channel, true);
    }
}

void driver_close_group(struct driver *driver, struct command *command)
{
    struct session *session = command->session;
    struct slim_wire_name names[MEMBERS_MAX + 1];
    uint32_t id = random_id();
    struct slim_wire_session_message message =
        driver_new_message(driver, session->id, SLIM_WIRE_TYPE_GROUP_CLOSE, id, &session->channel);
    message.head.fanout = FANOUT_ALL;
    message.payload.group_close.participants = all_names(driver, session, names);
    if (session->member_count == 0) {
        driver_command_end(driver, command, NULL);
        return;
    }
    driver_wait_for_all(driver, command, SLIM_WIRE_TYPE_GROUP_ACK, id);
    driver_send_request(driver, command, &message);
}

/* An answer came, and nothing else is waited for. */
static void command_next(struct driver *driver, struct command *command,
                         const struct slim_wire_session_message *reply)
{
    struct session *session;
    switch (command->phase) {
    case PHASE_DISCOVER:
        if (driver_name_read(&reply->head.source, &command->peer)) {
            ask_to_join(driver, command);
        }
        return;
    case PHASE_JOIN:
        add_member(driver, command, reply);
        return;
    case PHASE_REMOVE:
        ask_to_leave(driver, command);
        return;
    case PHASE_CLOSE:
        session = command->session;
        driver_command_end(driver, command, NULL);
        session_over(driver, session);
        return;
    case PHASE_PUBLISH:
    case PHASE_WELCOME:
    case PHASE_LEAVE:
        driver_command_end(driver, command, NULL);
        return;
    }
}

/* Members give a session up that is silent for three times this period (session.md 4.8). Their answers are not counted. */
void driver_on_tick(struct slim_timer *timer)
{
    struct driver *driver = SLIM_CONTAINER_OF(timer, struct driver, tick);
    slim_timer_set(driver->loop, timer, slim_loop_now_ms(driver->loop) + INTERVAL_MS);
    driver_repeat_requests(driver);
    if (++driver->tick_count % PING_TICKS != 0) {
        return;
    }
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        const struct session *session = driver->sessions[i];
        if (session != NULL && session->is_moderator && !session->is_over &&
            session->member_count > 0) {
            struct slim_wire_session_message message = driver_new_message(
                driver, session->id, SLIM_WIRE_TYPE_PING, random_id(), &session->channel);
            message.head.fanout = FANOUT_ALL;
            driver_send_message(driver, &message);
        }
    }
}

/* ---- participant (session.md 4, 7; mls.md 4.1) */

void driver_on_discovery(struct driver *driver, const struct slim_wire_session_message *message)
{
    struct name from;
    if (slim_name_has_prefix_of(&message->head.destination.name, &driver->self.name) &&
        driver_name_read(&message->head.source, &from) &&
        !driver_is_repeated(driver, &message->head)) {
        driver_send_simple_answer(driver, &message->head, &from, SLIM_WIRE_TYPE_DISCOVERY_REPLY);
    }
}

void driver_on_join_request(struct driver *driver, const struct slim_wire_session_message *message)
{
    const struct slim_wire_head *head = &message->head;
    const struct slim_wire_join_request *request = &message->payload.join_request;
    struct name from;
    struct name channel;
    struct session *session = driver_session_find(driver, head->session_id);
    if (driver_is_repeated(driver, head) || !request->enable_mls ||
        (session != NULL && !session->is_over) || !driver_name_read(&head->source, &from) ||
        !driver_name_read(&request->channel, &channel) ||
        driver_session_new(driver, head->session_id, &channel, &from) == NULL) {
        return;
    }
    struct slim_mls_buf package;
    require_mls(slim_mls_key_package_new(driver->mls, &package), "key package");
    struct slim_wire_session_message reply = driver_new_message(
        driver, head->session_id, SLIM_WIRE_TYPE_JOIN_REPLY, head->message_id, &from);
    reply.payload.join_reply = (struct slim_wire_join_reply){true, buf_view(&package)};
    driver_send_answer(driver, head, &reply);
    slim_mls_buf_free(&package);
}

static void on_welcome(struct driver *driver, struct session *session,
                       const struct slim_wire_session_message *message)
{
    const struct slim_wire_group_welcome *welcome = &message->payload.group_welcome;
    if (session->group != NULL) {
        return;
    }
    enum slim_mls_status status = slim_mls_group_join(driver->mls, mls_view(welcome->mls.content),
                                                      (struct slim_mls_view){0}, &session->group);
    if (status != SLIM_MLS_OK) {
        driver_emit_error("failure", session, "welcome", slim_mls_status_text(status));
        return;
    }
    session->commit_id = welcome->mls.commit_id;
    struct slim_wire_names names = welcome->participants;
    for (bool has = true; has;) {
        struct slim_wire_name found;
        struct name name;
        require(slim_wire_next_name(&names, &has, &found), "participants");
        if (has && driver_name_read(&found, &name)) {
            driver_member_add(driver, session, &name, UINT32_MAX);
        }
    }
    driver_subscribe(driver, &session->channel, false); /* on the same stream before the ack */
    driver_send_simple_answer(driver, &message->head, &session->moderator,
                              SLIM_WIRE_TYPE_GROUP_ACK);
    struct slim_buf line = driver_begin_event("session", session);
    require(slim_buf_put_text(&line, ",\"destination\":"), "event");
    driver_put_name(&line, &session->channel);
    driver_write_line(&line);
}

static void on_group_change(struct driver *driver, struct session *session,
                            const struct slim_wire_session_message *message)
{
    const struct slim_wire_group_change *change = &message->payload.group_change;
    bool is_add = message->head.session_message_type == SLIM_WIRE_TYPE_GROUP_ADD;
    struct slim_mls_event event;
    /* no answer to what we cannot follow: an order that is not kept is an error of the test */
    if (session->group == NULL || change->mls.commit_id <= session->commit_id) {
        return;
    }
    enum slim_mls_status status =
        slim_mls_group_process(session->group, mls_view(change->mls.content), &event);
    if (status != SLIM_MLS_OK) {
        driver_emit_error("failure", session, "commit", slim_mls_status_text(status));
        return;
    }
    slim_mls_event_free(&event);
    session->commit_id = change->mls.commit_id;
    struct name name;
    if (driver_name_read(&change->participant, &name)) {
        if (is_add) {
            driver_member_add(driver, session, &name, UINT32_MAX);
        } else {
            driver_member_remove(driver, session, &name.name);
        }
    }
    driver_send_simple_answer(driver, &message->head, &session->moderator,
                              SLIM_WIRE_TYPE_GROUP_ACK);
}

static void on_end(struct driver *driver, struct session *session,
                   const struct slim_wire_session_message *message)
{
    bool is_close = message->head.session_message_type == SLIM_WIRE_TYPE_GROUP_CLOSE;
    driver_send_simple_answer(driver, &message->head, &session->moderator,
                              is_close ? SLIM_WIRE_TYPE_GROUP_ACK : SLIM_WIRE_TYPE_LEAVE_REPLY);
    session_over(driver, session);
    driver_emit("closed", session);
}

static void on_ping_request(struct driver *driver, const struct session *session,
                            const struct slim_wire_session_message *message)
{
    struct slim_wire_session_message reply = driver_new_message(
        driver, session->id, SLIM_WIRE_TYPE_PING, message->head.message_id, &session->moderator);
    reply.head.fanout = message->head.fanout;
    driver_send_message(driver, &reply);
}

/* Whoever was removed tries its last keys on what comes later. */
static void on_late(struct session *session, const struct slim_wire_session_message *message)
{
    bool is_data = message->payload.kind == SLIM_WIRE_PAYLOAD_APP;
    bool is_change = message->payload.kind == SLIM_WIRE_PAYLOAD_GROUP_ADD ||
                     message->payload.kind == SLIM_WIRE_PAYLOAD_GROUP_REMOVE;
    if (session->group == NULL || (!is_data && !is_change)) {
        return;
    }
    struct slim_mls_event event;
    enum slim_mls_status status = slim_mls_group_process(
        session->group,
        mls_view(is_data ? message->payload.app.blob : message->payload.group_change.mls.content),
        &event);
    if (status == SLIM_MLS_OK) {
        driver_emit_error("opened", session, is_data ? "message" : "commit",
                          "a removed member could");
        slim_mls_event_free(&event);
    } else {
        driver_emit_error("unreadable", session, is_data ? "message" : "commit",
                          slim_mls_status_text(status));
    }
}

/* ---- data (session.md 9, 10; mls.md 5) */

static bool is_seen(const struct member *member, uint32_t message_id)
{
    for (size_t i = 0; i < SEEN_MAX && i < member->seen_count; i++) {
        if (member->seen[i] == message_id) {
            return true;
        }
    }
    return false;
}

/* Does the leaf that signed belong to the application that the message says it is from (mls.md 10)? */
static bool is_sender(struct driver *driver, const struct session *session, uint32_t leaf,
                      const struct slim_name_key *source)
{
    struct slim_mls_member member;
    struct slim_auth_identity identity;
    if (slim_mls_group_member(session->group, leaf, &member) != SLIM_MLS_OK) {
        return false;
    }
    struct slim_view token = slim_view_of(member.credential.data.data, member.credential.data.len);
    return slim_auth_verify(driver->verifier, token, wall_s(), NULL, &identity) == SLIM_OK &&
           slim_auth_identity_is_source(&identity, source);
}

static void deliver(struct driver *driver, const struct session *session, struct member *member,
                    const struct slim_mls_event *event, uint32_t message_id)
{
    if (!is_sender(driver, session, event->sender_leaf, &member->name.name)) {
        driver_emit_error("failure", session, "message",
                          "signed by another member than its source");
        return;
    }
    member->seen[member->seen_count++ % SEEN_MAX] = message_id;
    struct slim_buf line = driver_begin_event("message", session);
    require(slim_buf_put_text(&line, ",\"source\":"), "event");
    driver_put_name(&line, &member->name);
    require(slim_buf_put_text(&line, ",\"text\":"), "event");
    require(slim_json_put_text(buf_view(&event->data), &line), "text");
    driver_write_line(&line);
}

static void on_data(struct driver *driver, struct session *session,
                    const struct slim_wire_session_message *message)
{
    const struct slim_wire_head *head = &message->head;
    struct member *member = driver_member_find(session, &head->source.name);
    if (member == NULL || session->group == NULL) {
        return; /* no ack: it comes again */
    }
    if (!is_seen(member, head->message_id)) {
        struct slim_mls_event event;
        enum slim_mls_status status =
            slim_mls_group_process(session->group, mls_view(message->payload.app.blob), &event);
        if (status != SLIM_MLS_OK) {
            if (status != SLIM_MLS_ERR_FUTURE) {
                driver_emit_error("failure", session, "message", slim_mls_status_text(status));
            }
            return;
        }
        deliver(driver, session, member, &event, head->message_id);
        slim_mls_event_free(&event);
    }
    struct slim_wire_session_message ack = driver_new_message(
        driver, session->id, SLIM_WIRE_TYPE_MSG_ACK, head->message_id, &member->name);
    driver_send_message(driver, &ack);
}

void driver_publish(struct driver *driver, struct command *command, struct slim_view text)
{
    struct session *session = command->session;
    struct slim_mls_buf blob;
    require_mls(
        slim_mls_group_encrypt(session->group, (struct slim_mls_view){0}, mls_view(text), &blob),
        "encrypt");
    uint32_t id = ++session->message_id;
    struct slim_wire_session_message message =
        driver_new_message(driver, session->id, SLIM_WIRE_TYPE_MSG, id, &session->channel);
    message.head.fanout = FANOUT_ALL;
    message.payload.app = (struct slim_wire_app_payload){SLIM_VIEW("msg"), buf_view(&blob)};
    driver_wait_for_all(driver, command, SLIM_WIRE_TYPE_MSG_ACK, id);
    driver_send_message(driver, &message);
    slim_mls_buf_free(&blob);
}

/* ---- messages in */

static void on_participant_message(struct driver *driver, struct session *session,
                                   const struct slim_wire_session_message *message)
{
    if (session->is_moderator ||
        !slim_name_is_equal(&message->head.source.name, &session->moderator.name) ||
        driver_is_repeated(driver, &message->head)) {
        return;
    }
    switch (message->head.session_message_type) {
    case SLIM_WIRE_TYPE_GROUP_WELCOME:
        on_welcome(driver, session, message);
        break;
    case SLIM_WIRE_TYPE_GROUP_ADD:
    case SLIM_WIRE_TYPE_GROUP_REMOVE:
        on_group_change(driver, session, message);
        break;
    case SLIM_WIRE_TYPE_LEAVE_REQUEST:
    case SLIM_WIRE_TYPE_GROUP_CLOSE:
        on_end(driver, session, message);
        break;
    case SLIM_WIRE_TYPE_PING:
        on_ping_request(driver, session, message);
        break;
    }
}

void driver_on_session_message(struct driver *driver, struct session *session,
                               const struct slim_wire_session_message *message)
{
    int32_t type = message->head.session_message_type;
    struct command *command = driver_take_wait(driver, &message->head);
    if (command != NULL) {
        command_next(driver, command, message);
    } else if (session->is_over) {
        if (!driver_is_repeated(driver, &message->head)) {
            on_late(session, message);
        }
    } else if (type == SLIM_WIRE_TYPE_MSG) {
        on_data(driver, session, message);
    } else {
        on_participant_message(driver, session, message);
    }
}
