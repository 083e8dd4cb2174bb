/* mls-driver: a member or moderator of MLS groups for tests against real clients.
 *
 * Embeds the engine, connects to a node, and speaks just enough of the session flow (spec session.md 2-6, 8) to join groups of
 * real clients and to moderate them. Reads one JSON command per line and writes one JSON event per line, as
 * tests/interop/drivers/client.py does, so that tests drive both alike. Not a client: nothing is retransmitted, nothing that
 * arrives out of order is put in order, one task of a moderator at a time.
 *
 *   start        server, name, secret, linger   connect and subscribe; answers with the full name
 *   session      name                           make a group for this channel
 *   invite       session, name                  answers when every member has acknowledged
 *   remove       session, name                  answers when the removed one has left
 *   publish      session, texts, wait           wait (default): answers when every member has acknowledged
 *   participants session
 *   mls          session                        epoch, own leaf, members by leaf
 *   delete       session                        close the group
 *   route                                       nothing to do: everything goes to the node
 *
 * Events: session, message, closed, failure, and with `linger` unreadable: a removed member then stays subscribed to the channel and
 * goes on trying to open what it receives. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/auth.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/random.h"
#include "datapath/datapath.h"
#include "mls/profile.h"
#include "wire/session_message.h"

enum {
    NAME_PART_MAX = 128,
    MEMBERS_MAX = 32,
    SESSIONS_MAX = 16,
    SEEN_MAX = 256,     /* message ids remembered of one sender, a ring */
    ANSWERED_MAX = 32,  /* requests whose answers are remembered, a ring */
    WAITS_MAX = 4096,   /* answers that are waited for */
    COMMANDS_MAX = 32,  /* commands that are under way */
    LINE_MAX = 1 << 20, /* longest command */
    READ_BYTES = 65536,
    PING_MS = 10000,
    INTERVAL_MS = 1000,
    RETRY_COUNT = 10,
    FANOUT_ALL = 256,
};

struct name {
    struct slim_name name;
    char part[3][NAME_PART_MAX];
};

/* Another member. leaf is known at a moderator only. seen: numbers of its messages that were delivered. */
struct member {
    struct name name;
    uint32_t leaf;
    uint32_t seen[SEEN_MAX];
    size_t seen_count;
};

struct session {
    uint32_t id;
    bool is_moderator;
    bool
        is_over; /* closed or removed; kept to be looked at, until a session of the same id comes */
    struct name channel;
    struct name moderator;
    struct member members[MEMBERS_MAX];
    size_t member_count;
    struct slim_mls_group *group; /* NULL until the welcome */
    uint32_t commit_id;
    uint32_t message_id;
};

/* A request that was answered, in case that it comes again. reply is empty when it must not be answered again. */
struct answered {
    uint32_t session_id;
    int32_t type;
    uint32_t message_id;
    unsigned repeat_count;
    struct slim_buf reply;
};

enum phase {
    PHASE_PUBLISH,
    PHASE_DISCOVER,
    PHASE_JOIN,
    PHASE_WELCOME,
    PHASE_REMOVE,
    PHASE_LEAVE,
    PHASE_CLOSE
};

/* A command under way: answered when nothing is left to wait for in its last phase. */
struct command {
    bool is_used;
    int64_t id;
    enum phase phase;
    struct session *session;
    struct name peer;
};

struct wait {
    struct command *command;
    int32_t type;
    uint32_t message_id;
    struct slim_name from;
};

struct incoming {
    struct slim_list node;
    struct slim_buf bytes;
};

struct driver {
    struct slim_loop *loop;
    struct slim_datapath *datapath;
    struct slim_watch input;
    struct slim_buf line;
    struct slim_task task;
    struct slim_timer ping;
    struct slim_list inbox;
    uint64_t app_conn;
    uint64_t node_conn;
    bool is_connected;
    bool is_subscribed;
    bool is_lingering;
    int64_t start_id;
    struct name self;
    struct slim_auth_provider *provider;
    struct slim_auth_verifier *verifier;
    struct slim_mls_profile profile;
    struct slim_mls_client *mls;
    struct session *sessions[SESSIONS_MAX];
    struct answered answered[ANSWERED_MAX];
    size_t answered_count;
    struct command commands[COMMANDS_MAX];
    struct wait waits[WAITS_MAX];
    size_t wait_count;
};

/* A test program without memory, or with a broken environment, has nothing left to do. */
static void require(enum slim_status status, const char *what)
{
    if (status != SLIM_OK) {
        (void)fprintf(stderr, "mls-driver: %s: %s\n", what,
                      slim_status_text(status)); /* nobody to tell */
        exit(1);
    }
}

static void require_mls(enum slim_mls_status status, const char *what)
{
    require((enum slim_status)status, what);
}

static struct slim_mls_view mls_view(struct slim_view view)
{
    return (struct slim_mls_view){view.data, view.len};
}

static struct slim_view buf_view(const struct slim_mls_buf *buf)
{
    return slim_view_of(buf->data, buf->len);
}

static uint64_t wall_s(void)
{
    return slim_clock_wall_us() / 1000000;
}

static uint32_t random_id(void)
{
    return (uint32_t)slim_random_u64();
}

/* ---- names */

static bool name_read(const struct slim_wire_name *from, struct name *name)
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

/* Borrows the texts of `name`. */
static struct slim_wire_name name_out(const struct name *name)
{
    struct slim_wire_name out = {.name = name->name, .is_present = true, .is_complete = true};
    for (size_t i = 0; i < 3; i++) {
        out.text.part[i] = slim_view_str(name->part[i]);
    }
    return out;
}

/* "a/b/c" or "a/b/c/<id>"; the id is left out of the result. */
static bool name_parse(struct slim_view text, struct name *name)
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
    struct slim_wire_name out = name_out(name);
    name->name = slim_name_of(&out.text, SLIM_NAME_ANY);
    return part >= 2;
}

static void put_name(struct slim_buf *out, const struct name *name)
{
    char text[3 * NAME_PART_MAX + SLIM_NAME_ID_TEXT_MAX + 4];
    struct slim_wire_name wire = name_out(name);
    size_t len = slim_name_format(&wire.text, name->name.id, text, sizeof(text));
    require(slim_json_put_text(slim_view_of(text, len), out), "name");
}

/* ---- lines out */

static void write_line(struct slim_buf *line)
{
    require(slim_buf_put_text(line, "}\n"), "line");
    if (fwrite(line->data, 1, line->len, stdout) != line->len || fflush(stdout) != 0) {
        exit(1); /* nobody listens */
    }
    slim_buf_fini(line);
}

static void answer(int64_t id)
{
    struct slim_buf line = {0};
    require(slim_buf_put_text(&line, "{\"id\":%lld,\"ok\":true", (long long)id), "answer");
    write_line(&line);
}

static void refuse(int64_t id, const char *why)
{
    struct slim_buf line = {0};
    require(slim_buf_put_text(&line, "{\"id\":%lld,\"error\":", (long long)id), "answer");
    require(slim_json_put_text(slim_view_str(why), &line), "answer");
    write_line(&line);
}

static struct slim_buf begin_event(const char *event, const struct session *session)
{
    struct slim_buf line = {0};
    require(slim_buf_put_text(&line, "{\"event\":\"%s\",\"session\":\"%u\"", event,
                              session == NULL ? 0 : session->id),
            "event");
    return line;
}

static void emit(const char *event, const struct session *session)
{
    struct slim_buf line = begin_event(event, session);
    write_line(&line);
}

static void emit_error(const char *event, const struct session *session, const char *what,
                       const char *why)
{
    struct slim_buf line = begin_event(event, session);
    require(slim_buf_put_text(&line, ",\"what\":\"%s\",\"error\":", what), "event");
    require(slim_json_put_text(slim_view_str(why), &line), "event");
    write_line(&line);
}

/* ---- messages out */

/* `to` must live until the message is sent. */
static struct slim_wire_session_message new_message(const struct driver *driver,
                                                    uint32_t session_id, int32_t type,
                                                    uint32_t message_id, const struct name *to)
{
    struct slim_wire_session_message message = {
        .head = {.source = name_out(&driver->self),
                 .destination = name_out(to),
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
        emit_error("failure", NULL, "submit", slim_status_text(status));
    }
}

static void send_message(struct driver *driver, struct slim_wire_session_message *message)
{
    require(slim_auth_provider_token(driver->provider, wall_s(), &message->head.identity), "token");
    message->head.has_forward_to = true;
    message->head.forward_to = driver->node_conn;
    struct slim_buf bytes = {0};
    require(slim_wire_put_session_message(&bytes, message), "message");
    submit(driver, slim_buf_view(&bytes));
    slim_buf_fini(&bytes);
}

/* Answer a request and remember that; may_repeat: the answer may be given again (session.md 8). */
static void send_answer(struct driver *driver, const struct slim_wire_head *request,
                        struct slim_wire_session_message *reply, bool may_repeat)
{
    struct answered *slot = &driver->answered[driver->answered_count++ % ANSWERED_MAX];
    slim_buf_fini(&slot->reply);
    *slot = (struct answered){.session_id = request->session_id,
                              .type = request->session_message_type,
                              .message_id = request->message_id};
    reply->head.session_type = request->session_type;
    send_message(driver, reply);
    if (may_repeat) {
        require(slim_wire_put_session_message(&slot->reply, reply), "reply");
    }
}

static void send_simple_answer(struct driver *driver, const struct slim_wire_head *request,
                               const struct name *to, int32_t type, bool may_repeat)
{
    struct slim_wire_session_message reply =
        new_message(driver, request->session_id, type, request->message_id, to);
    send_answer(driver, request, &reply, may_repeat);
}

/* True when the request was answered before. A reference moderator dies of an answer that it does not wait for any more, so the
 * first repetition of a request to one member is not answered, those after it are, and requests to all never (session.md 8). */
static bool is_repeated(struct driver *driver, const struct slim_wire_head *head)
{
    for (size_t i = 0; i < ANSWERED_MAX; i++) {
        struct answered *slot = &driver->answered[i];
        if (i < driver->answered_count && slot->session_id == head->session_id &&
            slot->type == head->session_message_type && slot->message_id == head->message_id) {
            if (++slot->repeat_count > 1 && slot->reply.len > 0) {
                submit(driver, slim_buf_view(&slot->reply));
            }
            return true;
        }
    }
    return false;
}

static void subscribe(struct driver *driver, const struct name *name, bool is_unsubscribe)
{
    struct slim_wire_name source = name_out(&driver->self);
    struct slim_wire_name destination = name_out(name);
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

static struct session *session_find(struct driver *driver, uint32_t id)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        if (driver->sessions[i] != NULL && driver->sessions[i]->id == id) {
            return driver->sessions[i];
        }
    }
    return NULL;
}

static void session_free(struct driver *driver, struct session *session)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        if (session != NULL && driver->sessions[i] == session) {
            driver->sessions[i] = NULL;
            slim_mls_group_free(session->group);
            free(session);
            return;
        }
    }
}

static struct session *session_new(struct driver *driver, uint32_t id, const struct name *channel,
                                   const struct name *moderator)
{
    session_free(driver, session_find(driver, id));
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

static struct member *member_find(struct session *session, const struct slim_name *name)
{
    for (size_t i = 0; i < session->member_count; i++) {
        const struct slim_name *found = &session->members[i].name.name;
        if (name->id == SLIM_NAME_ANY ? slim_name_has_prefix_of(found, name)
                                      : slim_name_is_equal(found, name)) {
            return &session->members[i];
        }
    }
    return NULL;
}

static void member_add(struct driver *driver, struct session *session, const struct name *name,
                       uint32_t leaf)
{
    if (slim_name_is_equal(&name->name, &driver->self.name) ||
        member_find(session, &name->name) != NULL || session->member_count == MEMBERS_MAX) {
        return;
    }
    session->members[session->member_count++] = (struct member){.name = *name, .leaf = leaf};
}

static void member_remove(struct session *session, const struct slim_name *name)
{
    struct member *member = member_find(session, name);
    if (member != NULL) {
        *member = session->members[--session->member_count];
    }
}

/* ---- waiting for answers */

static struct command *command_new(struct driver *driver, int64_t id, enum phase phase,
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

static void wait_for(struct driver *driver, struct command *command, int32_t type,
                     uint32_t message_id, const struct slim_name *from)
{
    require(driver->wait_count == WAITS_MAX ? SLIM_ERR_LIMIT : SLIM_OK, "answers");
    driver->waits[driver->wait_count++] = (struct wait){command, type, message_id, *from};
}

static void wait_for_all(struct driver *driver, struct command *command, int32_t type,
                         uint32_t message_id)
{
    for (size_t i = 0; i < command->session->member_count; i++) {
        wait_for(driver, command, type, message_id, &command->session->members[i].name.name);
    }
}

static bool is_waiting(const struct driver *driver, const struct command *command)
{
    for (size_t i = 0; i < driver->wait_count; i++) {
        if (driver->waits[i].command == command) {
            return true;
        }
    }
    return false;
}

/* The command that has waited for this message and now waits for nothing more; else NULL. */
static struct command *take_wait(struct driver *driver, const struct slim_wire_head *head)
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
            return is_waiting(driver, command) ? NULL : command;
        }
    }
    return NULL;
}

static void command_end(struct driver *driver, struct command *command, const char *error)
{
    for (size_t i = driver->wait_count; i > 0; i--) {
        if (driver->waits[i - 1].command == command) {
            driver->waits[i - 1] = driver->waits[--driver->wait_count];
        }
    }
    if (error == NULL) {
        answer(command->id);
    } else {
        refuse(command->id, error);
    }
    command->is_used = false;
}

/* ---- moderator (session.md 4.3, 4.5, 4.7; mls.md 4.2) */

/* The names of all, ourselves too: as the participants of a message. */
static struct slim_wire_names all_names(const struct driver *driver, const struct session *session,
                                        struct slim_wire_name names[MEMBERS_MAX + 1])
{
    for (size_t i = 0; i < session->member_count; i++) {
        names[i] = name_out(&session->members[i].name);
    }
    names[session->member_count] = name_out(&driver->self);
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

static void discover(struct driver *driver, struct command *command)
{
    uint32_t id = random_id();
    struct slim_wire_session_message message = new_message(
        driver, command->session->id, SLIM_WIRE_TYPE_DISCOVERY_REQUEST, id, &command->peer);
    wait_for(driver, command, SLIM_WIRE_TYPE_DISCOVERY_REPLY, id, &command->peer.name);
    send_message(driver, &message);
}

static void ask_to_join(struct driver *driver, struct command *command)
{
    struct session *session = command->session;
    if (session->group == NULL) {
        subscribe(driver, &session->channel, false);
        require_mls(slim_mls_group_create(driver->mls, NULL, &session->group), "group");
    }
    uint32_t id = random_id();
    struct slim_wire_session_message message =
        new_message(driver, session->id, SLIM_WIRE_TYPE_JOIN_REQUEST, id, &command->peer);
    message.payload.join_request = (struct slim_wire_join_request){
        .enable_mls = true,
        .has_timer = true,
        .timeout_ms = INTERVAL_MS,
        .max_retries = RETRY_COUNT,
        .channel = name_out(&session->channel),
    };
    command->phase = PHASE_JOIN;
    wait_for(driver, command, SLIM_WIRE_TYPE_JOIN_REPLY, id, &command->peer.name);
    send_message(driver, &message);
}

static void send_welcome(struct driver *driver, struct command *command,
                         const struct slim_mls_commit_output *output)
{
    struct session *session = command->session;
    struct slim_wire_name names[MEMBERS_MAX + 1];
    uint32_t id = random_id();
    if (session->member_count > 0) { /* somebody besides the two */
        wait_for_all(driver, command, SLIM_WIRE_TYPE_GROUP_ACK, id);
    }
    bool has_others = session->member_count > 0;
    member_add(driver, session, &command->peer, new_leaf(session));
    if (has_others) {
        struct slim_wire_session_message add =
            new_message(driver, session->id, SLIM_WIRE_TYPE_GROUP_ADD, id, &session->channel);
        add.head.fanout = FANOUT_ALL;
        add.payload.group_change = (struct slim_wire_group_change){
            .participant = name_out(&command->peer),
            .participants = all_names(driver, session, names),
            .mls = {true, session->commit_id, buf_view(&output->commit)},
        };
        send_message(driver, &add);
    }
    id = random_id();
    struct slim_wire_session_message welcome =
        new_message(driver, session->id, SLIM_WIRE_TYPE_GROUP_WELCOME, id, &command->peer);
    welcome.payload.group_welcome = (struct slim_wire_group_welcome){
        .participants = all_names(driver, session, names),
        .mls = {true, session->commit_id, buf_view(&output->welcome)},
    };
    command->phase = PHASE_WELCOME;
    wait_for(driver, command, SLIM_WIRE_TYPE_GROUP_ACK, id, &command->peer.name);
    send_message(driver, &welcome);
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
        command_end(driver, command, slim_mls_status_text(status));
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
    struct slim_wire_session_message message =
        new_message(driver, command->session->id, SLIM_WIRE_TYPE_LEAVE_REQUEST, id, &command->peer);
    command->phase = PHASE_LEAVE;
    wait_for(driver, command, SLIM_WIRE_TYPE_LEAVE_REPLY, id, &command->peer.name);
    send_message(driver, &message);
}

static void remove_member(struct driver *driver, struct command *command)
{
    struct session *session = command->session;
    const struct member *member = member_find(session, &command->peer.name);
    if (member == NULL) {
        command_end(driver, command, "participant not found in group");
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
        struct slim_wire_session_message message =
            new_message(driver, session->id, SLIM_WIRE_TYPE_GROUP_REMOVE, id, &session->channel);
        message.head.fanout = FANOUT_ALL;
        message.payload.group_change = (struct slim_wire_group_change){
            .participant = name_out(&command->peer),
            .participants = all_names(driver, session, names),
            .mls = {true, session->commit_id, buf_view(&output.commit)},
        };
        wait_for_all(driver, command, SLIM_WIRE_TYPE_GROUP_ACK, id);
        send_message(driver, &message);
    } else {
        ask_to_leave(driver, command);
    }
    member_remove(session, &command->peer.name);
    slim_mls_commit_output_free(&output);
}

static void session_over(struct driver *driver, struct session *session)
{
    session->is_over = true;
    if (!driver->is_lingering) {
        subscribe(driver, &session->channel, true);
    }
}

static void close_group(struct driver *driver, struct command *command)
{
    struct session *session = command->session;
    struct slim_wire_name names[MEMBERS_MAX + 1];
    uint32_t id = random_id();
    struct slim_wire_session_message message =
        new_message(driver, session->id, SLIM_WIRE_TYPE_GROUP_CLOSE, id, &session->channel);
    message.head.fanout = FANOUT_ALL;
    message.payload.group_close.participants = all_names(driver, session, names);
    if (session->member_count == 0) {
        command_end(driver, command, NULL);
        return;
    }
    wait_for_all(driver, command, SLIM_WIRE_TYPE_GROUP_ACK, id);
    send_message(driver, &message);
}

/* An answer came, and nothing else is waited for. */
static void command_next(struct driver *driver, struct command *command,
                         const struct slim_wire_session_message *reply)
{
    switch (command->phase) {
    case PHASE_DISCOVER:
        if (name_read(&reply->head.source, &command->peer)) {
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
        session_over(driver, command->session);
        command_end(driver, command, NULL);
        return;
    case PHASE_PUBLISH:
    case PHASE_WELCOME:
    case PHASE_LEAVE:
        command_end(driver, command, NULL);
        return;
    }
}

/* Members give a session up that is silent for three times this period (session.md 4.8). Their answers are not counted. */
static void on_ping(struct slim_timer *timer)
{
    struct driver *driver = SLIM_CONTAINER_OF(timer, struct driver, ping);
    slim_timer_set(driver->loop, timer, slim_loop_now_ms(driver->loop) + PING_MS);
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        const struct session *session = driver->sessions[i];
        if (session != NULL && session->is_moderator && !session->is_over &&
            session->member_count > 0) {
            struct slim_wire_session_message message = new_message(
                driver, session->id, SLIM_WIRE_TYPE_PING, random_id(), &session->channel);
            message.head.fanout = FANOUT_ALL;
            send_message(driver, &message);
        }
    }
}

/* ---- participant (session.md 4, 7; mls.md 4.1) */

static void on_discovery(struct driver *driver, const struct slim_wire_session_message *message)
{
    struct name from;
    if (slim_name_has_prefix_of(&message->head.destination.name, &driver->self.name) &&
        name_read(&message->head.source, &from) && !is_repeated(driver, &message->head)) {
        send_simple_answer(driver, &message->head, &from, SLIM_WIRE_TYPE_DISCOVERY_REPLY, true);
    }
}

static void on_join_request(struct driver *driver, const struct slim_wire_session_message *message)
{
    const struct slim_wire_head *head = &message->head;
    const struct slim_wire_join_request *request = &message->payload.join_request;
    struct name from;
    struct name channel;
    struct session *session = session_find(driver, head->session_id);
    if (is_repeated(driver, head) || !request->enable_mls ||
        (session != NULL && !session->is_over) || !name_read(&head->source, &from) ||
        !name_read(&request->channel, &channel) ||
        session_new(driver, head->session_id, &channel, &from) == NULL) {
        return;
    }
    struct slim_mls_buf package;
    require_mls(slim_mls_key_package_new(driver->mls, &package), "key package");
    struct slim_wire_session_message reply =
        new_message(driver, head->session_id, SLIM_WIRE_TYPE_JOIN_REPLY, head->message_id, &from);
    reply.payload.join_reply = (struct slim_wire_join_reply){true, buf_view(&package)};
    send_answer(driver, head, &reply, true);
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
        emit_error("failure", session, "welcome", slim_mls_status_text(status));
        return;
    }
    session->commit_id = welcome->mls.commit_id;
    struct slim_wire_names names = welcome->participants;
    for (bool has = true; has;) {
        struct slim_wire_name found;
        struct name name;
        require(slim_wire_next_name(&names, &has, &found), "participants");
        if (has && name_read(&found, &name)) {
            member_add(driver, session, &name, UINT32_MAX);
        }
    }
    subscribe(driver, &session->channel, false); /* on the same stream before the ack */
    send_simple_answer(driver, &message->head, &session->moderator, SLIM_WIRE_TYPE_GROUP_ACK, true);
    struct slim_buf line = begin_event("session", session);
    require(slim_buf_put_text(&line, ",\"destination\":"), "event");
    put_name(&line, &session->channel);
    write_line(&line);
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
        emit_error("failure", session, "commit", slim_mls_status_text(status));
        return;
    }
    slim_mls_event_free(&event);
    session->commit_id = change->mls.commit_id;
    struct name name;
    if (name_read(&change->participant, &name)) {
        if (is_add) {
            member_add(driver, session, &name, UINT32_MAX);
        } else {
            member_remove(session, &name.name);
        }
    }
    send_simple_answer(driver, &message->head, &session->moderator, SLIM_WIRE_TYPE_GROUP_ACK,
                       false);
}

static void on_end(struct driver *driver, struct session *session,
                   const struct slim_wire_session_message *message)
{
    bool is_close = message->head.session_message_type == SLIM_WIRE_TYPE_GROUP_CLOSE;
    send_simple_answer(driver, &message->head, &session->moderator,
                       is_close ? SLIM_WIRE_TYPE_GROUP_ACK : SLIM_WIRE_TYPE_LEAVE_REPLY, !is_close);
    session_over(driver, session);
    emit("closed", session);
}

static void on_ping_request(struct driver *driver, const struct session *session,
                            const struct slim_wire_session_message *message)
{
    struct slim_wire_session_message reply = new_message(
        driver, session->id, SLIM_WIRE_TYPE_PING, message->head.message_id, &session->moderator);
    reply.head.fanout = message->head.fanout;
    send_message(driver, &reply);
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
        emit_error("opened", session, is_data ? "message" : "commit", "a removed member could");
        slim_mls_event_free(&event);
    } else {
        emit_error("unreadable", session, is_data ? "message" : "commit",
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
                      const struct slim_name *source)
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
        emit_error("failure", session, "message", "signed by another member than its source");
        return;
    }
    member->seen[member->seen_count++ % SEEN_MAX] = message_id;
    struct slim_buf line = begin_event("message", session);
    require(slim_buf_put_text(&line, ",\"source\":"), "event");
    put_name(&line, &member->name);
    require(slim_buf_put_text(&line, ",\"text\":"), "event");
    require(slim_json_put_text(buf_view(&event->data), &line), "text");
    write_line(&line);
}

static void on_data(struct driver *driver, struct session *session,
                    const struct slim_wire_session_message *message)
{
    const struct slim_wire_head *head = &message->head;
    struct member *member = member_find(session, &head->source.name);
    if (member == NULL || session->group == NULL) {
        return; /* no ack: it comes again */
    }
    if (!is_seen(member, head->message_id)) {
        struct slim_mls_event event;
        enum slim_mls_status status =
            slim_mls_group_process(session->group, mls_view(message->payload.app.blob), &event);
        if (status != SLIM_MLS_OK) {
            if (status != SLIM_MLS_ERR_FUTURE) {
                emit_error("failure", session, "message", slim_mls_status_text(status));
            }
            return;
        }
        deliver(driver, session, member, &event, head->message_id);
        slim_mls_event_free(&event);
    }
    struct slim_wire_session_message ack =
        new_message(driver, session->id, SLIM_WIRE_TYPE_MSG_ACK, head->message_id, &member->name);
    send_message(driver, &ack);
}

static void publish(struct driver *driver, struct command *command, struct slim_view text)
{
    struct session *session = command->session;
    struct slim_mls_buf blob;
    require_mls(
        slim_mls_group_encrypt(session->group, (struct slim_mls_view){0}, mls_view(text), &blob),
        "encrypt");
    uint32_t id = ++session->message_id;
    struct slim_wire_session_message message =
        new_message(driver, session->id, SLIM_WIRE_TYPE_MSG, id, &session->channel);
    message.head.fanout = FANOUT_ALL;
    message.payload.app = (struct slim_wire_app_payload){SLIM_VIEW("msg"), buf_view(&blob)};
    wait_for_all(driver, command, SLIM_WIRE_TYPE_MSG_ACK, id);
    send_message(driver, &message);
    slim_mls_buf_free(&blob);
}

/* ---- messages in */

static void on_participant_message(struct driver *driver, struct session *session,
                                   const struct slim_wire_session_message *message)
{
    if (session->is_moderator ||
        !slim_name_is_equal(&message->head.source.name, &session->moderator.name) ||
        is_repeated(driver, &message->head)) {
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

static void on_session_message(struct driver *driver, struct session *session,
                               const struct slim_wire_session_message *message)
{
    int32_t type = message->head.session_message_type;
    struct command *command = take_wait(driver, &message->head);
    if (command != NULL) {
        command_next(driver, command, message);
    } else if (session->is_over) {
        if (!is_repeated(driver, &message->head)) {
            on_late(session, message);
        }
    } else if (type == SLIM_WIRE_TYPE_MSG) {
        on_data(driver, session, message);
    } else {
        on_participant_message(driver, session, message);
    }
}

static void on_incoming(struct driver *driver, struct slim_view bytes)
{
    struct slim_wire_session_message message;
    struct slim_auth_identity identity;
    enum slim_status status = slim_wire_read_session_message(bytes, &message);
    if (status == SLIM_OK) {
        status =
            slim_auth_verify(driver->verifier, message.head.identity, wall_s(), NULL, &identity);
    }
    if (status == SLIM_OK && !slim_auth_identity_is_source(&identity, &message.head.source.name)) {
        status = SLIM_ERR_DENIED;
    }
    if (status != SLIM_OK) {
        emit_error("failure", NULL, "incoming", slim_status_text(status));
        return;
    }
    struct session *session = session_find(driver, message.head.session_id);
    if (message.head.session_message_type == SLIM_WIRE_TYPE_DISCOVERY_REQUEST) {
        on_discovery(driver, &message);
    } else if (message.head.session_message_type == SLIM_WIRE_TYPE_JOIN_REQUEST) {
        on_join_request(driver, &message);
    } else if (session != NULL) {
        on_session_message(driver, session, &message);
    }
}

/* The engine is in the middle of a delivery: keep the message for the end of the turn. */
static void on_message(void *ctx, uint64_t incoming_conn, const struct slim_wire_head *head,
                       struct slim_view msg, struct slim_block *block)
{
    struct driver *driver = ctx;
    struct incoming *incoming = calloc(1, sizeof(*incoming));
    (void)incoming_conn; /* there is one link */
    (void)block;         /* copied instead */
    require(incoming == NULL ? SLIM_ERR_NO_MEMORY : SLIM_OK, "incoming");
    if (head->kind == SLIM_WIRE_PUBLISH) {
        require(slim_buf_put(&incoming->bytes, msg), "incoming");
    }
    slim_list_put_last(&driver->inbox, &incoming->node);
    slim_loop_at_turn_end(driver->loop, &driver->task);
}

static void on_error(void *ctx, struct slim_view json)
{
    (void)ctx; /* one driver */
    char text[SLIM_ERROR_TEXT_MAX];
    (void)snprintf(text, sizeof(text), "%.*s", SLIM_VIEW_ARG(json)); /* may be cut */
    emit_error("failure", NULL, "engine", text);
}

static void take_inbox(struct driver *driver)
{
    struct slim_list *node;
    while ((node = slim_list_take_first(&driver->inbox)) != NULL) {
        struct incoming *incoming = SLIM_CONTAINER_OF(node, struct incoming, node);
        if (incoming->bytes.len > 0) {
            on_incoming(driver, slim_buf_view(&incoming->bytes));
        }
        slim_buf_fini(&incoming->bytes);
        free(incoming);
    }
}

static void on_turn_end(struct slim_task *task)
{
    struct driver *driver = SLIM_CONTAINER_OF(task, struct driver, task);
    if (driver->is_connected && !driver->is_subscribed) {
        driver->is_subscribed = true;
        subscribe(driver, &driver->self, false);
        struct slim_buf line = {0};
        require(slim_buf_put_text(
                    &line, "{\"id\":%lld,\"ok\":true,\"name\":", (long long)driver->start_id),
                "answer");
        put_name(&line, &driver->self);
        write_line(&line);
    }
    take_inbox(driver);
}

/* ---- start */

static enum slim_status verify_token(void *context, struct slim_view token, bool any_age,
                                     struct slim_mls_claims *claims, struct slim_error *error)
{
    struct driver *driver = context;
    struct slim_auth_claims found;
    (void)any_age; /* no group of a test lives as long as a token */
    enum slim_status status =
        slim_auth_read_claims(driver->verifier, token, wall_s(), NULL, &found);
    if (status != SLIM_OK) {
        return slim_error_set(error, status == SLIM_ERR_EXPIRED ? SLIM_ERR_EXPIRED : SLIM_ERR_AUTH,
                              "identity verification failed: %s", slim_status_text(status));
    }
    *claims = (struct slim_mls_claims){.subject = found.subject, .public_key = found.pubkey};
    return SLIM_OK;
}

static uint64_t profile_now(void *context)
{
    (void)context; /* the clock of the machine */
    return wall_s();
}

static void profile_random(void *context, void *out, size_t len)
{
    (void)context; /* the kernel's */
    slim_random_fill(out, len);
}

static void make_mls_client(struct driver *driver)
{
    struct slim_mls_client_config config = {.cipher_suite = 1};
    struct slim_mls_buf private_key;
    struct slim_mls_buf public_key;
    struct slim_buf token = {0};
    driver->profile = (struct slim_mls_profile){.context = driver,
                                                .verify_token = verify_token,
                                                .now_s = profile_now,
                                                .random = profile_random};
    slim_mls_profile_callbacks(&driver->profile, &config.callbacks);
    slim_mls_profile_policy(&config.policy);
    require_mls(slim_mls_signature_key_new(1, &config.callbacks, &private_key, &public_key), "key");
    require(slim_auth_provider_make(driver->provider, wall_s(), public_key.data, &token), "token");
    config.signature_key = mls_view(buf_view(&private_key));
    config.credential.type = SLIM_MLS_CREDENTIAL_BASIC;
    config.credential.data = mls_view(slim_buf_view(&token));
    require_mls(slim_mls_client_new(&config, &driver->mls), "mls client");
    slim_mls_buf_free(&private_key);
    slim_mls_buf_free(&public_key);
    slim_buf_fini(&token);
}

static void make_identity(struct driver *driver, struct slim_view secret)
{
    struct slim_buf id = {0};
    struct slim_error error = {.status = SLIM_OK};
    require(slim_buf_put_text(&id, "%s/%s/%s/ffffffffffffffff", driver->self.part[0],
                              driver->self.part[1], driver->self.part[2]),
            "identity");
    require(slim_auth_provider_new_secret(slim_buf_view(&id), secret, slim_random_fill,
                                          &driver->provider, &error),
            error.text);
    require(slim_auth_verifier_new_secret(secret, slim_random_fill, &driver->verifier, &error),
            error.text);
    slim_buf_fini(&id);
    driver->self.name.id = slim_auth_provider_app_id(driver->provider);
    make_mls_client(driver);
}

static void on_connected(void *ctx, enum slim_status status, uint64_t conn_id, const char *text)
{
    struct driver *driver = ctx;
    require(status, text == NULL ? "connect" : text);
    driver->node_conn = conn_id;
    driver->is_connected = true;
    slim_loop_at_turn_end(driver->loop, &driver->task);
}

static void start(struct driver *driver, int64_t id, const struct slim_json *command)
{
    struct slim_view server = {0};
    struct slim_view name = {0};
    struct slim_view secret = {0};
    char endpoint[256];
    bool is_whole = slim_json_read_text(slim_json_find(command, "server"), &server) &&
                    slim_json_read_text(slim_json_find(command, "name"), &name) &&
                    slim_json_read_text(slim_json_find(command, "secret"), &secret) &&
                    server.len < sizeof(endpoint) && name_parse(name, &driver->self);
    if (!is_whole || driver->provider != NULL) {
        refuse(id, "start: server, name, secret, once");
        return;
    }
    (void)slim_json_read_bool(slim_json_find(command, "linger"),
                              &driver->is_lingering); /* default: no */
    driver->start_id = id;
    make_identity(driver, secret);
    memcpy(endpoint, server.data, server.len);
    endpoint[server.len] = 0;
    struct slim_config_client client = {
        .endpoint = endpoint,
        .is_insecure = true,
        .backoff = {.kind = SLIM_CONFIG_BACKOFF_FIXED, .interval_ms = 100, .max_attempts = 50},
    };
    struct slim_datapath_app app = {.on_message = on_message, .on_error = on_error, .ctx = driver};
    struct slim_error error = {.status = SLIM_OK};
    require(slim_datapath_attach(driver->datapath, &app, &driver->app_conn), "attach");
    require(slim_datapath_connect(driver->datapath, &client, on_connected, driver, &error),
            error.text);
}

/* ---- commands */

static void open_session(struct driver *driver, int64_t id, const struct slim_json *command)
{
    struct slim_view text = {0};
    struct name channel;
    struct session *session = NULL;
    if (slim_json_read_text(slim_json_find(command, "name"), &text) && name_parse(text, &channel)) {
        session = session_new(driver, random_id() / 2, &channel, &driver->self);
    }
    if (session == NULL) {
        refuse(id, "session: name of the channel");
        return;
    }
    session->is_moderator = true;
    struct slim_buf line = {0};
    require(slim_buf_put_text(&line, "{\"id\":%lld,\"ok\":true,\"session\":\"%u\"", (long long)id,
                              session->id),
            "answer");
    write_line(&line);
}

static bool is_busy(const struct driver *driver, const struct session *session)
{
    for (size_t i = 0; i < COMMANDS_MAX; i++) {
        const struct command *command = &driver->commands[i];
        if (command->is_used && command->session == session && command->phase != PHASE_PUBLISH) {
            return true;
        }
    }
    return false;
}

static void change_group(struct driver *driver, int64_t id, struct session *session,
                         struct slim_view op, const struct slim_json *arguments)
{
    struct slim_view text = {0};
    struct name peer = {0};
    bool is_close = slim_view_is_equal(op, SLIM_VIEW("delete"));
    bool has_name =
        slim_json_read_text(slim_json_find(arguments, "name"), &text) && name_parse(text, &peer);
    if (!session->is_moderator || is_busy(driver, session) || (!has_name && !is_close)) {
        refuse(id, "not the moderator, or a task is under way, or a name is missing");
        return;
    }
    struct command *command = command_new(driver, id, PHASE_DISCOVER, session);
    command->peer = peer;
    if (is_close) {
        command->phase = PHASE_CLOSE;
        close_group(driver, command);
    } else if (slim_view_is_equal(op, SLIM_VIEW("remove"))) {
        command->phase = PHASE_REMOVE;
        remove_member(driver, command);
    } else {
        discover(driver, command);
    }
}

static void publish_all(struct driver *driver, int64_t id, struct session *session,
                        const struct slim_json *arguments)
{
    const struct slim_json *texts = slim_json_find(arguments, "texts");
    bool is_waited_for = true;
    (void)slim_json_read_bool(slim_json_find(arguments, "wait"), &is_waited_for); /* default: yes */
    if (session->group == NULL) {
        refuse(id, "nobody has joined");
        return;
    }
    struct command *command = command_new(driver, id, PHASE_PUBLISH, session);
    for (size_t i = 0; i < slim_json_count(texts); i++) {
        struct slim_view text;
        if (slim_json_read_text(slim_json_at(texts, i), &text)) {
            publish(driver, command, text);
        }
    }
    if (!is_waited_for || !is_waiting(driver, command)) {
        command_end(driver, command, NULL);
    }
}

static void tell_participants(struct driver *driver, int64_t id, const struct session *session)
{
    struct slim_buf line = {0};
    require(slim_buf_put_text(&line, "{\"id\":%lld,\"ok\":true,\"names\":[", (long long)id),
            "answer");
    put_name(&line, &driver->self);
    for (size_t i = 0; i < session->member_count; i++) {
        require(slim_buf_put_byte(&line, ','), "answer");
        put_name(&line, &session->members[i].name);
    }
    require(slim_buf_put_byte(&line, ']'), "answer");
    write_line(&line);
}

static void tell_mls(int64_t id, const struct session *session)
{
    struct slim_buf line = {0};
    if (session->group == NULL) {
        refuse(id, "no group");
        return;
    }
    require(
        slim_buf_put_text(&line, "{\"id\":%lld,\"ok\":true,\"epoch\":%llu,\"leaf\":%u,\"leaves\":[",
                          (long long)id, (unsigned long long)slim_mls_group_epoch(session->group),
                          slim_mls_group_own_leaf(session->group)),
        "answer");
    for (uint32_t i = 0; i < slim_mls_group_leaf_count(session->group); i++) {
        struct slim_mls_member member;
        bool is_there = slim_mls_group_member(session->group, i, &member) == SLIM_MLS_OK;
        require(slim_buf_put_text(&line, "%s%s", i > 0 ? "," : "", is_there ? "true" : "false"),
                "answer");
    }
    require(slim_buf_put_byte(&line, ']'), "answer");
    write_line(&line);
}

static void run_in_session(struct driver *driver, int64_t id, struct slim_view op,
                           const struct slim_json *arguments)
{
    struct slim_view key = {0};
    struct session *session = NULL;
    if (slim_json_read_text(slim_json_find(arguments, "session"), &key) && key.len < 16) {
        char text[16] = {0};
        memcpy(text, key.data, key.len);
        session = session_find(driver, (uint32_t)strtoul(text, NULL, 10));
    }
    if (session == NULL) {
        refuse(id, "no such session or command");
    } else if (slim_view_is_equal(op, SLIM_VIEW("mls"))) {
        tell_mls(id, session);
    } else if (slim_view_is_equal(op, SLIM_VIEW("participants"))) {
        tell_participants(driver, id, session);
    } else if (session->is_over) {
        refuse(id, "session closed");
    } else if (slim_view_is_equal(op, SLIM_VIEW("publish"))) {
        publish_all(driver, id, session, arguments);
    } else {
        change_group(driver, id, session, op, arguments);
    }
}

static void run(struct driver *driver, struct slim_view text)
{
    static const struct slim_json_limits limits = {.bytes_max = LINE_MAX, .depth_max = 4};
    struct slim_json *command;
    struct slim_error error = {.status = SLIM_OK};
    struct slim_view op = {0};
    int64_t id = 0;
    require(slim_json_parse(text, &limits, &command, &error), error.text);
    bool is_whole = slim_json_read_text(slim_json_find(command, "op"), &op) &&
                    slim_json_read_integer(slim_json_find(command, "id"), &id);
    require(is_whole ? SLIM_OK : SLIM_ERR_INVALID, "command without op or id");
    if (slim_view_is_equal(op, SLIM_VIEW("start"))) {
        start(driver, id, command);
    } else if (slim_view_is_equal(op, SLIM_VIEW("route"))) {
        answer(id);
    } else if (!driver->is_subscribed) {
        refuse(id, "not started");
    } else if (slim_view_is_equal(op, SLIM_VIEW("session"))) {
        open_session(driver, id, command);
    } else {
        run_in_session(driver, id, op, command);
    }
    slim_json_free(command);
}

static void on_input(struct slim_watch *watch, uint32_t events)
{
    struct driver *driver = SLIM_CONTAINER_OF(watch, struct driver, input);
    (void)events; /* read tells */
    require(slim_buf_reserve(&driver->line, READ_BYTES), "input");
    ssize_t count = read(watch->fd, driver->line.data + driver->line.len, READ_BYTES);
    if (count <= 0 || driver->line.len + (size_t)count > LINE_MAX) {
        slim_loop_stop(driver->loop);
        return;
    }
    driver->line.len += (size_t)count;
    const uint8_t *end;
    while (driver->line.len > 0 &&
           (end = memchr(driver->line.data, '\n', driver->line.len)) != NULL) {
        size_t len = (size_t)(end - driver->line.data);
        run(driver, slim_view_of(driver->line.data, len));
        slim_buf_drop(&driver->line, len + 1);
    }
}

int main(void)
{
    struct driver *driver = calloc(1, sizeof(*driver));
    struct slim_datapath_options options = {.slim_version = "1.4.0"};
    require(driver == NULL ? SLIM_ERR_NO_MEMORY : SLIM_OK, "driver");
    slim_list_init(&driver->inbox);
    slim_task_init(&driver->task, on_turn_end);
    slim_timer_init(&driver->ping, on_ping);
    require(slim_loop_new(&driver->loop), "loop");
    require(slim_datapath_new(driver->loop, &options, &driver->datapath), "datapath");
    require(slim_loop_reserve_timer(driver->loop), "timer");
    slim_timer_set(driver->loop, &driver->ping, slim_loop_now_ms(driver->loop) + PING_MS);
    driver->input =
        (struct slim_watch){.fd = STDIN_FILENO, .wanted = SLIM_IO_READ, .on_ready = on_input};
    require(slim_loop_watch(driver->loop, &driver->input), "standard input");
    slim_loop_run(driver->loop);

    slim_loop_unwatch(driver->loop, &driver->input);
    slim_timer_cancel(driver->loop, &driver->ping);
    slim_loop_release_timer(driver->loop);
    slim_task_cancel(&driver->task);
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        session_free(driver, driver->sessions[i]);
    }
    for (size_t i = 0; i < ANSWERED_MAX; i++) {
        slim_buf_fini(&driver->answered[i].reply);
    }
    slim_datapath_free(driver->datapath);
    slim_loop_free(driver->loop);
    slim_mls_client_free(driver->mls);
    slim_auth_provider_free(driver->provider);
    slim_auth_verifier_free(driver->verifier);
    slim_buf_fini(&driver->line);
    free(driver);
    return 0;
}
