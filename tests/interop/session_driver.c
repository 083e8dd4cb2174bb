/* session-driver: an application on our sessions for tests against real clients.
 *
 * Embeds the engine, connects to a node, and speaks what slim_client_local and session.h offer. Reads one JSON command per line and
 * writes one JSON event per line, as tests/interop/drivers/client.py does, so that tests drive both alike.
 *
 *   start        server, name, secret           connect and subscribe; answers with the full name
 *                plaintext, plain_adds          MSG in clear as 1.0.0 does; a moderator's Adds without a path
 *   route        name                           what is for this name goes to the node
 *   session      kind, name, mls, retries, interval, metadata     retries null: unreliable
 *   invite       session, name
 *   remove       session, name
 *   publish      session, texts, wait, one_by_one
 *   publish_to   session, name (full), texts
 *   participants session
 *   look         session                        epoch, member count, metadata
 *   delete       session                        close or leave
 *   stats                                       why received messages came to nothing
 *
 * Events: session, message, closed, failure. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "base/random.h"
#include "client/local.h"

enum {
    PART_MAX = 128,
    COMMANDS_MAX = 256,
    LINE_MAX = 1 << 22, /* longest command */
    READ_BYTES = 65536,
    METADATA_MAX = 16,
};

/* A command under way. json: its arguments, kept while there are texts to publish.
 * begun, ended   texts published, and completed */
struct command {
    bool is_used;
    int64_t id;
    uint32_t session_id;
    struct slim_json *json;
    size_t begun;
    size_t ended;
    size_t total;
    bool is_one_by_one;
    bool is_session; /* answers with the id of the session */
    bool is_direct;  /* publish_to */
    bool has_failed;
    char why[SLIM_ERROR_TEXT_MAX];
};

struct driver {
    struct slim_loop *loop;
    struct slim_datapath *datapath;
    struct slim_watch input;
    struct slim_buf line;
    struct slim_auth_provider *provider;
    struct slim_auth_verifier *verifier;
    struct slim_client_local *app;
    struct slim_task task;
    uint64_t node_conn;
    bool is_connected;
    bool is_started;
    int64_t start_id;
    char part[3][PART_MAX];
    struct command commands[COMMANDS_MAX];
};

/* A test program without memory, or with a broken environment, has nothing left to do. */
static void require(enum slim_status status, const char *what)
{
    if (status != SLIM_OK) {
        (void)fprintf(stderr, "session-driver: %s: %s\n", what,
                      slim_status_text(status)); /* nobody to tell */
        exit(1);
    }
}

/* ---- lines out */

static void put(struct slim_buf *line, const char *format, ...) SLIM_PRINTF(2, 3);
static void put(struct slim_buf *line, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args); /* short */
    va_end(args);
    require(slim_buf_put(line, slim_view_str(text)), "line");
}

static void put_string(struct slim_buf *line, struct slim_view text)
{
    require(slim_json_put_text(text, line), "line");
}

static void put_name(struct slim_buf *line, const struct slim_wire_name *name)
{
    char text[4 * PART_MAX];
    size_t len = slim_name_format(&name->text, name->name.id, text, sizeof(text));
    put_string(line, slim_view_of((const uint8_t *)text, len));
}

/* Write the line and forget it. */
static void end_line(struct slim_buf *line)
{
    require(slim_buf_put(line, SLIM_VIEW("}\n")), "line");
    size_t done = 0;
    while (done < line->len) {
        ssize_t count = write(STDOUT_FILENO, line->data + done, line->len - done);
        if (count <= 0) {
            exit(0); /* the test is over */
        }
        done += (size_t)count;
    }
    slim_buf_fini(line);
}

static struct slim_buf begin_answer(int64_t id)
{
    struct slim_buf line = {0};
    put(&line, "{\"id\":%lld,\"ok\":true", (long long)id);
    return line;
}

static void answer(int64_t id)
{
    struct slim_buf line = begin_answer(id);
    end_line(&line);
}

static void refuse(int64_t id, const char *why)
{
    struct slim_buf line = {0};
    put(&line, "{\"id\":%lld,\"error\":", (long long)id);
    put_string(&line, slim_view_str(why));
    end_line(&line);
}

static struct slim_buf begin_event(const char *event, uint32_t session_id)
{
    struct slim_buf line = {0};
    put(&line, "{\"event\":\"%s\",\"session\":\"%u\"", event, session_id);
    return line;
}

/* ---- arguments */

static bool text_of(const struct slim_json *json, const char *key, struct slim_view *text)
{
    return slim_json_read_text(slim_json_find(json, key), text);
}

static bool flag_of(const struct slim_json *json, const char *key, bool otherwise)
{
    bool flag = otherwise;
    (void)slim_json_read_bool(slim_json_find(json, key), &flag); /* else as it was */
    return flag;
}

/* "a/b/c" or "a/b/c/<id in hexadecimal>"; the strings are those of `text`. */
static bool parse_name(struct slim_view text, struct slim_wire_name *name)
{
    struct slim_view part[4] = {{0}};
    size_t count = 0;
    for (size_t i = 0, from = 0; i <= text.len && count < SLIM_COUNT(part); i++) {
        if (i == text.len || text.data[i] == '/') {
            part[count++] = slim_view_of(text.data + from, i - from);
            from = i + 1;
        }
    }
    unsigned __int128 id = SLIM_NAME_ANY;
    if (count == 4) {
        char digits[17] = {0};
        memcpy(digits, part[3].data, part[3].len < 16 ? part[3].len : 16);
        uint64_t number = strtoull(digits, NULL, 16);
        id = number == UINT64_MAX ? SLIM_NAME_ANY : number;
    }
    *name = (struct slim_wire_name){.is_present = true, .is_complete = true};
    memcpy(name->text.part, part, sizeof(name->text.part));
    name->name = slim_name_of(&name->text, id);
    return count >= 3;
}

static bool name_of(const struct slim_json *json, struct slim_wire_name *name)
{
    struct slim_view text;
    return text_of(json, "name", &text) && parse_name(text, name);
}

/* ---- commands under way */

static struct command *command_new(struct driver *driver, int64_t id, uint32_t session_id)
{
    for (size_t i = 0; i < COMMANDS_MAX; i++) {
        if (!driver->commands[i].is_used) {
            driver->commands[i] =
                (struct command){.is_used = true, .id = id, .session_id = session_id, .total = 1};
            return &driver->commands[i];
        }
    }
    require(SLIM_ERR_LIMIT, "too many commands");
    return NULL;
}

static void command_end(struct command *command)
{
    if (command->has_failed) {
        refuse(command->id, command->why);
    } else {
        struct slim_buf line = begin_answer(command->id);
        if (command->is_session) {
            put(&line, ",\"session\":\"%u\"", command->session_id);
        }
        end_line(&line);
    }
    slim_json_free(command->json);
    *command = (struct command){.is_used = false};
}

static void command_fail(struct command *command, const char *why)
{
    if (!command->has_failed) {
        command->has_failed = true;
        (void)snprintf(command->why, sizeof(command->why), "%s", why); /* may be cut */
    }
}

static uint64_t now_ms(const struct driver *driver)
{
    return slim_loop_now_ms(driver->loop);
}

/* The command's slot in the table: what comes back with a completion. */
static uint64_t op_of(const struct driver *driver, const struct command *command)
{
    return (uint64_t)(command - driver->commands) + 1;
}

static enum slim_status publish_next(struct driver *driver, struct command *command,
                                     struct slim_view text, struct slim_error *error)
{
    struct slim_session_app *sessions = slim_client_local_sessions(driver->app);
    struct slim_session_payload payload = {.blob = text};
    struct slim_wire_name name;
    if (!command->is_direct) {
        return slim_session_app_publish(sessions, now_ms(driver), command->session_id, &payload,
                                        op_of(driver, command), error);
    }
    return name_of(command->json, &name)
               ? slim_session_app_publish_to(sessions, now_ms(driver), command->session_id, &name,
                                             &payload, op_of(driver, command), error)
               : SLIM_ERR_ARGUMENT;
}

/* Publish what can be published of a command. */
static void go_on(struct driver *driver, struct command *command)
{
    const struct slim_json *texts = slim_json_find(command->json, "texts");
    while (command->begun < command->total &&
           (!command->is_one_by_one || command->begun == command->ended)) {
        struct slim_view text = {0};
        struct slim_error error = {.status = SLIM_OK};
        (void)slim_json_read_text(slim_json_at(texts, command->begun), &text); /* else empty */
        command->begun++; /* its completion may come from inside */
        enum slim_status status = publish_next(driver, command, text, &error);
        if (status == SLIM_AGAIN) {
            command->begun--;
            return;
        }
        if (status != SLIM_OK) {
            command->ended++;
            command_fail(command, error.text);
        }
    }
    slim_client_local_wake(driver->app);
}

static void completed(struct driver *driver, const struct slim_session_event *event)
{
    if (event->op == 0) {
        return; /* nobody waits */
    }
    struct command *command = &driver->commands[event->op - 1];
    command->ended++;
    if (event->status != SLIM_OK) {
        command_fail(command, event->text);
    }
    slim_loop_at_turn_end(driver->loop, &driver->task);
}

/* ---- events of sessions */

static void tell_message(const struct slim_session_event *event)
{
    const struct slim_session_message *message = event->message;
    struct slim_buf line = begin_event("message", event->session_id);
    put(&line, ",\"source\":");
    put_name(&line, message->source);
    put(&line, ",\"sealed\":%s,\"text\":", message->is_sealed ? "true" : "false");
    put_string(&line, message->blob);
    end_line(&line);
}

static void tell_begun(struct driver *driver, const struct slim_session_event *event)
{
    struct slim_session_info info;
    require(
        slim_session_app_look(slim_client_local_sessions(driver->app), event->session_id, &info),
        "a session that has begun");
    struct slim_buf line = begin_event("session", event->session_id);
    put(&line, ",\"destination\":");
    put_name(&line, info.destination);
    end_line(&line);
}

static void on_event(void *ctx, const struct slim_session_event *event)
{
    struct driver *driver = ctx;
    struct slim_buf line = {0};
    switch (event->kind) {
    case SLIM_SESSION_COMPLETED:
        completed(driver, event);
        break;
    case SLIM_SESSION_BEGUN:
        tell_begun(driver, event);
        break;
    case SLIM_SESSION_MESSAGE:
        tell_message(event);
        break;
    case SLIM_SESSION_PROBLEM:
        line = begin_event("failure", event->session_id);
        put(&line, ",\"error\":");
        put_string(&line, slim_view_str(event->text));
        end_line(&line);
        break;
    case SLIM_SESSION_WRITABLE:
        slim_loop_at_turn_end(driver->loop, &driver->task);
        break;
    case SLIM_SESSION_CLOSED:
        line = begin_event("closed", event->session_id);
        put(&line, ",\"why\":");
        put_string(&line, slim_view_str(event->text == NULL ? "" : event->text));
        end_line(&line);
        break;
    }
}

static void on_error(void *ctx, const char *text)
{
    (void)ctx; /* one driver */
    struct slim_buf line = begin_event("failure", 0);
    put(&line, ",\"error\":");
    put_string(&line, slim_view_str(text));
    end_line(&line);
}

/* ---- start */

static void make_app(struct driver *driver, const struct slim_json *arguments)
{
    struct slim_client_local_options options = {
        .loop = driver->loop,
        .datapath = driver->datapath,
        .provider = driver->provider,
        .verifier = driver->verifier,
        .can_send = true,
        .can_receive = true,
        .protection = flag_of(arguments, "plaintext", false) ? SLIM_SESSION_PROTECTION_PLAINTEXT
                                                             : SLIM_SESSION_PROTECTION_REQUIRED,
        .has_plain_adds = flag_of(arguments, "plain_adds", false),
        .on_event = on_event,
        .on_error = on_error,
        .ctx = driver,
    };
    struct slim_error error = {.status = SLIM_OK};
    for (size_t i = 0; i < SLIM_COUNT(driver->part); i++) {
        options.name.part[i] = slim_view_str(driver->part[i]);
    }
    require(slim_client_local_new(&options, &driver->app, &error), error.text);
}

static void make_identity(struct driver *driver, struct slim_view secret)
{
    struct slim_buf id = {0};
    struct slim_error error = {.status = SLIM_OK};
    put(&id, "%s/%s/%s/ffffffffffffffff", driver->part[0], driver->part[1], driver->part[2]);
    require(slim_auth_provider_new_secret(slim_buf_view(&id), secret, slim_random_fill,
                                          &driver->provider, &error),
            error.text);
    require(slim_auth_verifier_new_secret(secret, slim_random_fill, &driver->verifier, &error),
            error.text);
    slim_buf_fini(&id);
}

static void on_connected(void *ctx, enum slim_status status, uint64_t conn_id, const char *text)
{
    struct driver *driver = ctx;
    require(status, text == NULL ? "connect" : text);
    driver->node_conn = conn_id;
    driver->is_connected = true;
    slim_loop_at_turn_end(driver->loop, &driver->task);
}

static void start(struct driver *driver, int64_t id, const struct slim_json *arguments)
{
    struct slim_view server = {0};
    struct slim_view secret = {0};
    struct slim_wire_name name;
    char endpoint[256];
    if (driver->app != NULL || !text_of(arguments, "server", &server) ||
        !text_of(arguments, "secret", &secret) || !name_of(arguments, &name) ||
        server.len >= sizeof(endpoint)) {
        refuse(id, "start: server, name, secret, once");
        return;
    }
    for (size_t i = 0; i < SLIM_COUNT(driver->part); i++) {
        /* names of tests are short */
        (void)snprintf(driver->part[i], PART_MAX, "%.*s", SLIM_VIEW_ARG(name.text.part[i]));
    }
    (void)snprintf(endpoint, sizeof(endpoint), "%.*s", SLIM_VIEW_ARG(server)); /* checked above */
    driver->start_id = id;
    make_identity(driver, secret);
    make_app(driver, arguments);
    struct slim_config_client client = {
        .endpoint = endpoint,
        .tls.is_insecure = true,
        .backoff = {.kind = SLIM_CONFIG_BACKOFF_FIXED,
                    .interval_ms = 100,
                    .max_attempts = UINT64_MAX},
    };
    struct slim_error error = {.status = SLIM_OK};
    require(slim_datapath_connect(driver->datapath, &client, on_connected, driver, &error),
            error.text);
}

static void finish_start(struct driver *driver)
{
    const struct slim_wire_name *name = slim_client_local_name(driver->app);
    driver->is_started = true;
    require(slim_client_local_subscribe(driver->app, name, driver->node_conn, true), "subscribe");
    struct slim_buf line = begin_answer(driver->start_id);
    put(&line, ",\"name\":");
    put_name(&line, name);
    end_line(&line);
}

/* ---- commands */

static void open_session(struct driver *driver, int64_t id, const struct slim_json *arguments)
{
    struct slim_view kind = {0};
    struct slim_wire_name name;
    double interval_s = 1;
    int64_t retries = 10;
    struct slim_wire_pair pairs[METADATA_MAX];
    struct slim_session_settings settings = {.metadata = pairs};
    if (!text_of(arguments, "kind", &kind) || !name_of(arguments, &name)) {
        refuse(id, "session: kind and name");
        return;
    }
    const struct slim_json *given = slim_json_find(arguments, "retries");
    settings.has_timer = given == NULL || slim_json_read_integer(given, &retries);
    (void)slim_json_read_number(slim_json_find(arguments, "interval"), &interval_s); /* else 1 */
    settings.kind = slim_view_is_equal(kind, SLIM_VIEW("group")) ? SLIM_SESSION_GROUP
                                                                 : SLIM_SESSION_POINT_TO_POINT;
    settings.is_mls = flag_of(arguments, "mls", false);
    settings.max_retries = (uint32_t)retries;
    settings.interval_ms = (uint64_t)(interval_s * 1000);
    struct slim_json_member member = {0};
    while (settings.metadata_count < METADATA_MAX &&
           slim_json_next(slim_json_find(arguments, "metadata"), &member)) {
        struct slim_wire_pair *pair = &pairs[settings.metadata_count++];
        pair->key = member.key;
        (void)slim_json_read_text(member.value, &pair->value); /* texts only */
    }
    struct command *command = command_new(driver, id, 0);
    struct slim_error error = {.status = SLIM_OK};
    command->is_session = true;
    command->begun = 1;
    enum slim_status status = slim_session_app_create(
        slim_client_local_sessions(driver->app), now_ms(driver), &settings, &name, UINT32_MAX,
        op_of(driver, command), &command->session_id, &error);
    if (status != SLIM_OK) {
        command->ended = 1;
        command_fail(command, error.text);
        slim_loop_at_turn_end(driver->loop, &driver->task);
    }
    slim_client_local_wake(driver->app);
}

static void publish(struct driver *driver, int64_t id, uint32_t session_id, bool is_direct,
                    struct slim_json *arguments)
{
    struct command *command = command_new(driver, id, session_id);
    command->json = arguments;
    command->total = slim_json_count(slim_json_find(arguments, "texts"));
    command->is_one_by_one = flag_of(arguments, "one_by_one", false);
    command->is_direct = is_direct;
    if (!flag_of(arguments, "wait", true)) {
        answer(id);
        command->id = -1; /* its end is told to nobody */
    }
    go_on(driver, command);
    slim_loop_at_turn_end(driver->loop, &driver->task);
}

static void change(struct driver *driver, int64_t id, uint32_t session_id, struct slim_view op,
                   const struct slim_json *arguments)
{
    struct slim_session_app *sessions = slim_client_local_sessions(driver->app);
    struct slim_error error = {.status = SLIM_OK};
    struct slim_wire_name name;
    struct command *command = command_new(driver, id, session_id);
    command->begun = 1;
    uint64_t number = op_of(driver, command);
    enum slim_status status;
    if (slim_view_is_equal(op, SLIM_VIEW("delete"))) {
        status = slim_session_app_close(sessions, now_ms(driver), session_id, number, &error);
    } else if (!name_of(arguments, &name)) {
        status = slim_error_set(&error, SLIM_ERR_ARGUMENT, "a name is missing");
    } else if (slim_view_is_equal(op, SLIM_VIEW("invite"))) {
        status =
            slim_session_app_invite(sessions, now_ms(driver), session_id, &name, number, &error);
    } else if (slim_view_is_equal(op, SLIM_VIEW("remove"))) {
        status =
            slim_session_app_remove(sessions, now_ms(driver), session_id, &name, number, &error);
    } else {
        status = slim_error_set(&error, SLIM_ERR_ARGUMENT, "unknown command");
    }
    if (status != SLIM_OK) {
        command->ended = 1;
        command_fail(command, error.text);
        slim_loop_at_turn_end(driver->loop, &driver->task);
    }
    slim_client_local_wake(driver->app);
}

static void look(struct driver *driver, int64_t id, uint32_t session_id)
{
    struct slim_session_app *sessions = slim_client_local_sessions(driver->app);
    struct slim_session_info info;
    if (slim_session_app_look(sessions, session_id, &info) != SLIM_OK) {
        refuse(id, "no such session");
        return;
    }
    struct slim_buf line = begin_answer(id);
    put(&line, ",\"epoch\":%llu,\"initiator\":%s,\"names\":[", (unsigned long long)info.mls_epoch,
        info.is_initiator ? "true" : "false");
    for (size_t i = 0; i < info.member_count; i++) {
        put(&line, "%s", i > 0 ? "," : "");
        put_name(&line, slim_session_app_member(sessions, session_id, i));
    }
    put(&line, "],\"metadata\":{");
    for (size_t i = 0; i < info.settings.metadata_count; i++) {
        put(&line, "%s", i > 0 ? "," : "");
        put_string(&line, info.settings.metadata[i].key);
        put(&line, ":");
        put_string(&line, info.settings.metadata[i].value);
    }
    put(&line, "}");
    end_line(&line);
}

static void tell_stats(struct driver *driver, int64_t id)
{
    const struct slim_session_stats *stats =
        slim_session_app_stats(slim_client_local_sessions(driver->app));
    struct slim_buf line = begin_answer(id);
    put(&line,
        ",\"unauthenticated\":%llu,\"unauthorised\":%llu,\"unexpected\":%llu,\"duplicates\":%llu,"
        "\"undecryptable\":%llu,\"refused_plaintext\":%llu,\"delivered\":%llu,\"lost\":%llu",
        (unsigned long long)stats->unauthenticated, (unsigned long long)stats->unauthorised,
        (unsigned long long)stats->unexpected, (unsigned long long)stats->duplicates,
        (unsigned long long)stats->undecryptable, (unsigned long long)stats->refused_plaintext,
        (unsigned long long)stats->delivered, (unsigned long long)stats->lost);
    end_line(&line);
}

/* True when `command` was taken over. */
static bool run_in_session(struct driver *driver, int64_t id, struct slim_view op,
                           struct slim_json *arguments)
{
    struct slim_view key = {0};
    char text[16] = {0};
    if (!text_of(arguments, "session", &key) || key.len >= sizeof(text)) {
        refuse(id, "no such command, or a session is missing");
        return false;
    }
    memcpy(text, key.data, key.len);
    uint32_t session_id = (uint32_t)strtoul(text, NULL, 10);
    bool is_direct = slim_view_is_equal(op, SLIM_VIEW("publish_to"));
    if (is_direct || slim_view_is_equal(op, SLIM_VIEW("publish"))) {
        publish(driver, id, session_id, is_direct, arguments);
        return true;
    }
    if (slim_view_is_equal(op, SLIM_VIEW("participants")) ||
        slim_view_is_equal(op, SLIM_VIEW("look"))) {
        look(driver, id, session_id);
    } else {
        change(driver, id, session_id, op, arguments);
    }
    return false;
}

static void run(struct driver *driver, struct slim_view text)
{
    static const struct slim_json_limits limits = {.bytes_max = LINE_MAX, .depth_max = 4};
    struct slim_json *command;
    struct slim_error error = {.status = SLIM_OK};
    struct slim_view op = {0};
    struct slim_wire_name name;
    int64_t id = 0;
    require(slim_json_parse(text, &limits, &command, &error), error.text);
    bool is_whole =
        text_of(command, "op", &op) && slim_json_read_integer(slim_json_find(command, "id"), &id);
    require(is_whole ? SLIM_OK : SLIM_ERR_INVALID, "command without op or id");
    if (slim_view_is_equal(op, SLIM_VIEW("start"))) {
        start(driver, id, command);
    } else if (!driver->is_started) {
        refuse(id, "not started");
    } else if (slim_view_is_equal(op, SLIM_VIEW("route")) && name_of(command, &name)) {
        require(slim_client_local_route(driver->app, &name, driver->node_conn, true), "route");
        answer(id);
    } else if (slim_view_is_equal(op, SLIM_VIEW("session"))) {
        open_session(driver, id, command);
    } else if (slim_view_is_equal(op, SLIM_VIEW("stats"))) {
        tell_stats(driver, id);
    } else if (run_in_session(driver, id, op, command)) {
        return;
    }
    slim_json_free(command);
}

/* ---- the program */

/* Completions come from inside operations: commands go on and end here. */
static void on_turn_end(struct slim_task *task)
{
    struct driver *driver = SLIM_CONTAINER_OF(task, struct driver, task);
    if (driver->is_connected && !driver->is_started) {
        finish_start(driver);
    }
    for (size_t i = 0; i < COMMANDS_MAX; i++) {
        struct command *command = &driver->commands[i];
        if (command->is_used && command->json != NULL) {
            go_on(driver, command);
        }
        if (command->is_used && command->ended >= command->total) {
            if (command->id < 0) {
                slim_json_free(command->json);
                *command = (struct command){.is_used = false};
            } else {
                command_end(command);
            }
        }
    }
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

static void driver_free(struct driver *driver)
{
    slim_loop_unwatch(driver->loop, &driver->input);
    slim_task_cancel(&driver->task);
    slim_client_local_free(driver->app);
    for (size_t i = 0; i < COMMANDS_MAX; i++) {
        slim_json_free(driver->commands[i].json);
    }
    slim_datapath_free(driver->datapath);
    slim_loop_free(driver->loop);
    slim_auth_provider_free(driver->provider);
    slim_auth_verifier_free(driver->verifier);
    slim_buf_fini(&driver->line);
    free(driver);
}

int main(void)
{
    struct driver *driver = calloc(1, sizeof(*driver));
    struct slim_datapath_options options = {.slim_version = "1.4.0"};
    require(driver == NULL ? SLIM_ERR_NO_MEMORY : SLIM_OK, "driver");
    slim_task_init(&driver->task, on_turn_end);
    require(slim_loop_new(&driver->loop), "loop");
    require(slim_datapath_new(driver->loop, &options, &driver->datapath), "datapath");
    driver->input =
        (struct slim_watch){.fd = STDIN_FILENO, .wanted = SLIM_IO_READ, .on_ready = on_input};
    require(slim_loop_watch(driver->loop, &driver->input), "standard input");
    slim_loop_run(driver->loop);
    driver_free(driver);
    return 0;
}
