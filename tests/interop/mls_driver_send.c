/* Names, lines, messages, sessions and what is waited for. */
#include "interop/mls_driver.h"

/* ---- names */

bool driver_name_read(const struct slim_wire_name *from, struct name *name)
{
    if (!from->is_complete) {
        return false;
    }
    *name = (struct name){.name = from->name};
    for (size_t i = 0; i < 3; i++) {
        struct slim_view part = from->text.part[i];
        if (part.len >= NAME_PART_MAX) {
            return false;
        }
        memcpy(name->part[i], part.data == NULL ? (const uint8_t *)"" : part.data, part.len);
    }
    return true;
}

struct slim_wire_name driver_name_out(const struct name *name)
{
    struct slim_wire_name out = {.name = name->name, .is_present = true, .is_complete = true};
    for (size_t i = 0; i < 3; i++) {
        out.text.part[i] = slim_view_str(name->part[i]);
    }
    return out;
}

bool driver_name_parse(struct slim_view text, struct name *name)
{
    *name = (struct name){0};
    size_t part = 0;
    size_t len = 0;
    for (size_t i = 0; i < text.len && part < 3; i++) {
        if (text.data[i] == '/') {
            part++;
            len = 0;
        } else if (len + 1 < NAME_PART_MAX) {
            name->part[part][len++] = (char)text.data[i];
        } else {
            return false;
        }
    }
    struct slim_wire_name out = driver_name_out(name);
    name->name = slim_name_of(&out.text, SLIM_NAME_ANY);
    return part >= 2;
}

void driver_put_name(struct slim_buf *out, const struct name *name)
{
    char text[3 * NAME_PART_MAX + SLIM_NAME_ID_TEXT_MAX + 4];
    struct slim_wire_name wire = driver_name_out(name);
    size_t len = slim_name_format(&wire.text, name->name.id, text, sizeof(text));
    require(slim_json_put_text(slim_view_of(text, len), out), "name");
}

/* ---- lines out */

void driver_write_line(struct slim_buf *line)
{
    require(slim_buf_put_text(line, "}\n"), "line");
    if (fwrite(line->data, 1, line->len, stdout) != line->len || fflush(stdout) != 0) {
        exit(1); /* nobody listens */
    }
    slim_buf_fini(line);
}

void driver_answer(int64_t id)
{
    struct slim_buf line = {0};
    require(slim_buf_put_text(&line, "{\"id\":%lld,\"ok\":true", (long long)id), "answer");
    driver_write_line(&line);
}

void driver_refuse(int64_t id, const char *why)
{
    struct slim_buf line = {0};
    require(slim_buf_put_text(&line, "{\"id\":%lld,\"error\":", (long long)id), "answer");
    require(slim_json_put_text(slim_view_str(why), &line), "answer");
    driver_write_line(&line);
}

struct slim_buf driver_begin_event(const char *event, const struct session *session)
{
    struct slim_buf line = {0};
    require(slim_buf_put_text(&line, "{\"event\":\"%s\",\"session\":\"%u\"", event,
                              session == NULL ? 0 : session->id),
            "event");
    return line;
}

void driver_emit(const char *event, const struct session *session)
{
    struct slim_buf line = driver_begin_event(event, session);
    driver_write_line(&line);
}

void driver_emit_error(const char *event, const struct session *session, const char *what,
                       const char *why)
{
    struct slim_buf line = driver_begin_event(event, session);
    require(slim_buf_put_text(&line, ",\"what\":\"%s\",\"error\":", what), "event");
    require(slim_json_put_text(slim_view_str(why), &line), "event");
    driver_write_line(&line);
}

/* ---- messages out */

struct slim_wire_session_message driver_new_message(const struct driver *driver,
                                                    uint32_t session_id, int32_t type,
                                                    uint32_t message_id, const struct name *to)
{
    struct slim_wire_session_message message = {
        .head = {.source = driver_name_out(&driver->self),
                 .destination = driver_name_out(to),
                 .fanout = 1,
                 .has_session = true,
                 .session_type = SLIM_WIRE_SESSION_MULTICAST,
                 .session_message_type = type,
                 .session_id = session_id,
                 .message_id = message_id},
        .payload = {.kind = slim_wire_payload_of_type(type)},
    };
    return message;
}

static void submit(struct driver *driver, struct slim_view bytes)
{
    enum slim_status status = slim_datapath_submit(driver->datapath, driver->app_conn, bytes);
    if (status != SLIM_OK) {
        driver_emit_error("failure", NULL, "submit", slim_status_text(status));
    }
}

static void put_message(struct driver *driver, struct slim_wire_session_message *message,
                        struct slim_buf *bytes)
{
    require(slim_auth_provider_token(driver->provider, wall_s(), &message->head.identity), "token");
    message->head.has_forward_to = true;
    message->head.forward_to = driver->node_conn;
    require(slim_wire_put_session_message(bytes, message), "message");
}

void driver_send_message(struct driver *driver, struct slim_wire_session_message *message)
{
    struct slim_buf bytes = {0};
    put_message(driver, message, &bytes);
    submit(driver, slim_buf_view(&bytes));
    slim_buf_fini(&bytes);
}

static bool is_answered(const struct driver *driver, const struct request *request)
{
    for (size_t i = 0; i < driver->wait_count; i++) {
        const struct wait *wait = &driver->waits[i];
        if (wait->command == request->command && wait->message_id == request->message_id &&
            wait->type != SLIM_WIRE_TYPE_MSG_ACK) {
            return false;
        }
    }
    return true;
}

void driver_send_request(struct driver *driver, struct command *command,
                         struct slim_wire_session_message *message)
{
    for (size_t i = 0; i < REQUESTS_MAX; i++) {
        struct request *request = &driver->requests[i];
        if (request->command == NULL || is_answered(driver, request)) {
            slim_buf_fini(&request->bytes);
            *request = (struct request){
                .command = command, .message_id = message->head.message_id, .is_new = true};
            put_message(driver, message, &request->bytes);
            submit(driver, slim_buf_view(&request->bytes));
            return;
        }
    }
    require(SLIM_ERR_LIMIT, "requests");
}

void driver_repeat_requests(struct driver *driver)
{
    for (size_t i = 0; i < REQUESTS_MAX; i++) {
        struct request *request = &driver->requests[i];
        if (request->command == NULL) {
            continue;
        }
        if (is_answered(driver, request)) {
            slim_buf_fini(&request->bytes);
            *request = (struct request){0};
        } else if (!request->is_new) {
            submit(driver, slim_buf_view(&request->bytes));
        }
        request->is_new = false;
    }
}

void driver_send_answer(struct driver *driver, const struct slim_wire_head *request,
                        struct slim_wire_session_message *reply)
{
    driver->answered[driver->answered_count++ % ANSWERED_MAX] =
        (struct answered){.session_id = request->session_id,
                          .type = request->session_message_type,
                          .message_id = request->message_id};
    reply->head.session_type = request->session_type;
    driver_send_message(driver, reply);
}

void driver_send_simple_answer(struct driver *driver, const struct slim_wire_head *request,
                               const struct name *to, int32_t type)
{
    struct slim_wire_session_message reply =
        driver_new_message(driver, request->session_id, type, request->message_id, to);
    driver_send_answer(driver, request, &reply);
}

bool driver_is_repeated(const struct driver *driver, const struct slim_wire_head *head)
{
    for (size_t i = 0; i < ANSWERED_MAX && i < driver->answered_count; i++) {
        const struct answered *slot = &driver->answered[i];
        if (slot->session_id == head->session_id && slot->type == head->session_message_type &&
            slot->message_id == head->message_id) {
            return true;
        }
    }
    return false;
}

void driver_subscribe(struct driver *driver, const struct name *name, bool is_unsubscribe)
{
    struct slim_wire_name source = driver_name_out(&driver->self);
    struct slim_wire_name destination = driver_name_out(name);
    struct slim_wire_subscription subscription = {
        .is_unsubscribe = is_unsubscribe,
        .source = source.name,
        .source_text = source.text,
        .destination = destination.name,
        .destination_text = destination.text,
        .fanout = 1,
        .has_forward_to = true,
        .forward_to = driver->node_conn,
    };
    struct slim_buf bytes = {0};
    require(slim_auth_provider_token(driver->provider, wall_s(), &subscription.identity), "token");
    require(slim_wire_put_subscription(&bytes, &subscription), "subscription");
    submit(driver, slim_buf_view(&bytes));
    slim_buf_fini(&bytes);
}

/* ---- sessions and members */

struct session *driver_session_find(struct driver *driver, uint32_t id)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        if (driver->sessions[i] != NULL && driver->sessions[i]->id == id) {
            return driver->sessions[i];
        }
    }
    return NULL;
}

void driver_session_fail(struct driver *driver, const struct session *session)
{
    for (size_t i = 0; i < COMMANDS_MAX; i++) {
        if (driver->commands[i].is_used && driver->commands[i].session == session) {
            driver_command_end(driver, &driver->commands[i], "session closed");
        }
    }
}

void driver_session_free(struct driver *driver, struct session *session)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        if (session != NULL && driver->sessions[i] == session) {
            driver_session_fail(driver, session);
            driver->sessions[i] = NULL;
            slim_mls_group_free(session->group);
            free(session);
            return;
        }
    }
}

struct session *driver_session_new(struct driver *driver, uint32_t id, const struct name *channel,
                                   const struct name *moderator)
{
    driver_session_free(driver, driver_session_find(driver, id));
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        if (driver->sessions[i] == NULL) {
            struct session *session = calloc(1, sizeof(*session));
            require(session == NULL ? SLIM_ERR_NO_MEMORY : SLIM_OK, "session");
            session->id = id;
            session->channel = *channel;
            session->moderator = *moderator;
            driver->sessions[i] = session;
            return session;
        }
    }
    return NULL;
}

struct member *driver_member_find(struct session *session, const struct slim_name_key *name)
{
    for (size_t i = 0; i < session->member_count; i++) {
        const struct slim_name_key *found = &session->members[i].name.name;
        if (name->id == SLIM_NAME_ANY ? slim_name_has_prefix_of(found, name)
                                      : slim_name_is_equal(found, name)) {
            return &session->members[i];
        }
    }
    return NULL;
}

void driver_member_add(struct driver *driver, struct session *session, const struct name *name,
                       uint32_t leaf)
{
    if (slim_name_is_equal(&name->name, &driver->self.name) ||
        driver_member_find(session, &name->name) != NULL || session->member_count == MEMBERS_MAX) {
        return;
    }
    session->members[session->member_count++] = (struct member){.name = *name, .leaf = leaf};
}

/* ---- waiting for answers */

struct command *driver_command_new(struct driver *driver, int64_t id, enum phase phase,
                                   struct session *session)
{
    for (size_t i = 0; i < COMMANDS_MAX; i++) {
        struct command *command = &driver->commands[i];
        if (!command->is_used) {
            *command =
                (struct command){.is_used = true, .id = id, .phase = phase, .session = session};
            return command;
        }
    }
    require(SLIM_ERR_LIMIT, "commands");
    return NULL;
}

void driver_wait_for(struct driver *driver, struct command *command, int32_t type,
                     uint32_t message_id, const struct slim_name_key *from)
{
    require(driver->wait_count == WAITS_MAX ? SLIM_ERR_LIMIT : SLIM_OK, "answers");
    driver->waits[driver->wait_count++] = (struct wait){command, type, message_id, *from};
}

void driver_wait_for_all(struct driver *driver, struct command *command, int32_t type,
                         uint32_t message_id)
{
    for (size_t i = 0; i < command->session->member_count; i++) {
        driver_wait_for(driver, command, type, message_id, &command->session->members[i].name.name);
    }
}

bool driver_is_waiting(const struct driver *driver, const struct command *command)
{
    for (size_t i = 0; i < driver->wait_count; i++) {
        if (driver->waits[i].command == command) {
            return true;
        }
    }
    return false;
}

struct command *driver_take_wait(struct driver *driver, const struct slim_wire_head *head)
{
    for (size_t i = 0; i < driver->wait_count; i++) {
        struct wait *wait = &driver->waits[i];
        struct command *command = wait->command;
        bool is_from = wait->from.id == SLIM_NAME_ANY
                           ? slim_name_has_prefix_of(&wait->from, &head->source.name)
                           : slim_name_is_equal(&wait->from, &head->source.name);
        if (is_from && wait->type == head->session_message_type &&
            wait->message_id == head->message_id && command->session->id == head->session_id) {
            *wait = driver->waits[--driver->wait_count];
            return driver_is_waiting(driver, command) ? NULL : command;
        }
    }
    return NULL;
}

void driver_command_end(struct driver *driver, struct command *command, const char *error)
{
    for (size_t i = driver->wait_count; i > 0; i--) {
        if (driver->waits[i - 1].command == command) {
            driver->waits[i - 1] = driver->waits[--driver->wait_count];
        }
    }
    if (error == NULL) {
        driver_answer(command->id);
    } else {
        driver_refuse(command->id, error);
    }
    command->is_used = false;
}

/* What the member published to it would have acknowledged is not waited for any more; its answer to the removal is. */
static void drop_acks(struct driver *driver, const struct session *session,
                      const struct slim_name_key *name)
{
    for (size_t i = driver->wait_count; i > 0; i--) {
        struct wait *wait = &driver->waits[i - 1];
        struct command *command = wait->command;
        if (wait->type == SLIM_WIRE_TYPE_MSG_ACK && command->session == session &&
            slim_name_is_equal(&wait->from, name)) {
            *wait = driver->waits[--driver->wait_count];
            if (!driver_is_waiting(driver, command)) {
                driver_command_end(driver, command, NULL);
            }
        }
    }
}

void driver_member_remove(struct driver *driver, struct session *session,
                          const struct slim_name_key *name)
{
    struct member *member = driver_member_find(session, name);
    if (member != NULL) {
        drop_acks(driver, session, name);
        *member = session->members[--session->member_count];
    }
}
