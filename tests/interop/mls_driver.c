/* mls-driver: a member or moderator of MLS groups for tests against real clients.
 *
 * Embeds the engine, connects to a node, and speaks just enough of the session flow (spec session.md 2-6, 8) to join groups of
 * real clients and to moderate them. Reads one JSON command per line and writes one JSON event per line, as
 * tests/interop/drivers/client.py does, so that tests drive both alike. Not a client: data is not retransmitted, nothing that
 * arrives out of order is put in order, one task of a moderator at a time.
 *
 *   start        server, name, secret           connect and subscribe; answers with the full name
 *                linger, plain_adds             see below; a moderator's Adds without a path
 *   session      name                           make a group for this channel
 *   invite       session, name                  answers when every member has acknowledged
 *   remove       session, name                  answers when the removed one has left
 *   refresh      session                        new keys and a new token for the moderator
 *   publish      session, texts, wait           wait (default): answers when every member has acknowledged
 *   participants session
 *   mls          session                        epoch, own leaf, members by leaf
 *   delete       session                        close the group
 *   route                                       nothing to do: everything goes to the node
 *
 * Events: session, message, closed, failure, and with `linger` unreadable: a removed member then stays subscribed to the channel and
 * goes on trying to open what it receives. */
#include "interop/mls_driver.h"

#include <unistd.h>

/* ---- messages in */

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
        driver_emit_error("failure", NULL, "incoming", slim_status_text(status));
        return;
    }
    struct session *session = driver_session_find(driver, message.head.session_id);
    if (message.head.session_message_type == SLIM_WIRE_TYPE_DISCOVERY_REQUEST) {
        driver_on_discovery(driver, &message);
    } else if (message.head.session_message_type == SLIM_WIRE_TYPE_JOIN_REQUEST) {
        driver_on_join_request(driver, &message);
    } else if (session != NULL) {
        driver_on_session_message(driver, session, &message);
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
    *driver->inbox_end = incoming;
    driver->inbox_end = &incoming->next;
    slim_loop_at_turn_end(driver->loop, &driver->task);
}

static void on_error(void *ctx, struct slim_view json)
{
    (void)ctx; /* one driver */
    char text[SLIM_ERROR_TEXT_MAX];
    (void)snprintf(text, sizeof(text), "%.*s", SLIM_VIEW_ARG(json)); /* may be cut */
    driver_emit_error("failure", NULL, "engine", text);
}

static struct incoming *take_incoming(struct driver *driver)
{
    struct incoming *incoming = driver->inbox;
    if (incoming != NULL) {
        driver->inbox = incoming->next;
        driver->inbox_end = driver->inbox == NULL ? &driver->inbox : driver->inbox_end;
    }
    return incoming;
}

static void incoming_free(struct incoming *incoming)
{
    slim_buf_fini(&incoming->bytes);
    free(incoming);
}

static void on_turn_end(struct slim_task *task)
{
    struct driver *driver = SLIM_CONTAINER_OF(task, struct driver, task);
    if (driver->is_connected && !driver->is_subscribed) {
        driver->is_subscribed = true;
        driver_subscribe(driver, &driver->self, false);
        struct slim_buf line = {0};
        require(slim_buf_put_text(
                    &line, "{\"id\":%lld,\"ok\":true,\"name\":", (long long)driver->start_id),
                "answer");
        driver_put_name(&line, &driver->self);
        driver_write_line(&line);
    }
    struct incoming *incoming;
    while ((incoming = take_incoming(driver)) != NULL) {
        if (incoming->bytes.len > 0) {
            on_incoming(driver, slim_buf_view(&incoming->bytes));
        }
        incoming_free(incoming);
    }
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
    if (driver->has_plain_adds) {
        config.policy.add_path_target_max = 0;
    }
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
                    server.len < sizeof(endpoint) && driver_name_parse(name, &driver->self);
    if (!is_whole || driver->provider != NULL) {
        driver_refuse(id, "start: server, name, secret, once");
        return;
    }
    (void)slim_json_read_bool(slim_json_find(command, "linger"),
                              &driver->is_lingering); /* default: no */
    (void)slim_json_read_bool(slim_json_find(command, "plain_adds"),
                              &driver->has_plain_adds); /* default: no */
    driver->start_id = id;
    make_identity(driver, secret);
    memcpy(endpoint, server.data, server.len);
    endpoint[server.len] = 0;
    struct slim_config_client client = {
        .endpoint = endpoint,
        .tls.is_insecure = true,
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
    if (slim_json_read_text(slim_json_find(command, "name"), &text) &&
        driver_name_parse(text, &channel)) {
        session = driver_session_new(driver, random_id() / 2, &channel, &driver->self);
    }
    if (session == NULL) {
        driver_refuse(id, "session: name of the channel");
        return;
    }
    session->is_moderator = true;
    struct slim_buf line = {0};
    require(slim_buf_put_text(&line, "{\"id\":%lld,\"ok\":true,\"session\":\"%u\"", (long long)id,
                              session->id),
            "answer");
    driver_write_line(&line);
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
    bool is_refresh = slim_view_is_equal(op, SLIM_VIEW("refresh"));
    bool has_name = slim_json_read_text(slim_json_find(arguments, "name"), &text) &&
                    driver_name_parse(text, &peer);
    if (!session->is_moderator || is_busy(driver, session) ||
        (!has_name && !is_close && !is_refresh) || (is_refresh && session->member_count == 0)) {
        driver_refuse(id, "not the moderator, or a task is under way, or a name is missing");
        return;
    }
    struct command *command = driver_command_new(driver, id, PHASE_DISCOVER, session);
    command->peer = peer;
    if (is_close) {
        command->phase = PHASE_CLOSE;
        driver_close_group(driver, command);
    } else if (is_refresh) {
        command->phase = PHASE_WELCOME; /* answered when all have acknowledged */
        driver_refresh(driver, command);
    } else if (slim_view_is_equal(op, SLIM_VIEW("remove"))) {
        command->phase = PHASE_REMOVE;
        driver_remove_member(driver, command);
    } else {
        driver_discover(driver, command);
    }
}

static void publish_all(struct driver *driver, int64_t id, struct session *session,
                        const struct slim_json *arguments)
{
    const struct slim_json *texts = slim_json_find(arguments, "texts");
    bool is_waited_for = true;
    (void)slim_json_read_bool(slim_json_find(arguments, "wait"), &is_waited_for); /* default: yes */
    if (session->group == NULL) {
        driver_refuse(id, "nobody has joined");
        return;
    }
    struct command *command = driver_command_new(driver, id, PHASE_PUBLISH, session);
    for (size_t i = 0; i < slim_json_count(texts); i++) {
        struct slim_view text;
        if (slim_json_read_text(slim_json_at(texts, i), &text)) {
            driver_publish(driver, command, text);
        }
    }
    if (!is_waited_for || !driver_is_waiting(driver, command)) {
        driver_command_end(driver, command, NULL);
    }
}

static void tell_participants(struct driver *driver, int64_t id, const struct session *session)
{
    struct slim_buf line = {0};
    require(slim_buf_put_text(&line, "{\"id\":%lld,\"ok\":true,\"names\":[", (long long)id),
            "answer");
    driver_put_name(&line, &driver->self);
    for (size_t i = 0; i < session->member_count; i++) {
        require(slim_buf_put_byte(&line, ','), "answer");
        driver_put_name(&line, &session->members[i].name);
    }
    require(slim_buf_put_byte(&line, ']'), "answer");
    driver_write_line(&line);
}

static void tell_mls(int64_t id, const struct session *session)
{
    struct slim_buf line = {0};
    if (session->group == NULL) {
        driver_refuse(id, "no group");
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
    driver_write_line(&line);
}

static void run_in_session(struct driver *driver, int64_t id, struct slim_view op,
                           const struct slim_json *arguments)
{
    struct slim_view key = {0};
    struct session *session = NULL;
    if (slim_json_read_text(slim_json_find(arguments, "session"), &key) && key.len < 16) {
        char text[16] = {0};
        memcpy(text, key.data, key.len);
        session = driver_session_find(driver, (uint32_t)strtoul(text, NULL, 10));
    }
    if (session == NULL) {
        driver_refuse(id, "no such session or command");
    } else if (slim_view_is_equal(op, SLIM_VIEW("mls"))) {
        tell_mls(id, session);
    } else if (slim_view_is_equal(op, SLIM_VIEW("participants"))) {
        tell_participants(driver, id, session);
    } else if (session->is_over) {
        driver_refuse(id, "session closed");
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
        driver_answer(id);
    } else if (!driver->is_subscribed) {
        driver_refuse(id, "not started");
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

static void driver_free(struct driver *driver)
{
    struct incoming *incoming;
    while ((incoming = take_incoming(driver)) != NULL) {
        incoming_free(incoming);
    }
    slim_loop_unwatch(driver->loop, &driver->input);
    slim_timer_cancel(driver->loop, &driver->tick);
    slim_loop_release_timer(driver->loop);
    slim_task_cancel(&driver->task);
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        driver_session_free(driver, driver->sessions[i]);
    }
    for (size_t i = 0; i < REQUESTS_MAX; i++) {
        slim_buf_fini(&driver->requests[i].bytes);
    }
    slim_datapath_free(driver->datapath);
    slim_loop_free(driver->loop);
    slim_mls_client_free(driver->mls);
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
    driver->inbox_end = &driver->inbox;
    slim_task_init(&driver->task, on_turn_end);
    slim_timer_init(&driver->tick, driver_on_tick);
    require(slim_loop_new(&driver->loop), "loop");
    require(slim_datapath_new(driver->loop, &options, &driver->datapath), "datapath");
    require(slim_loop_reserve_timer(driver->loop), "timer");
    slim_timer_set(driver->loop, &driver->tick, slim_loop_now_ms(driver->loop) + INTERVAL_MS);
    driver->input =
        (struct slim_watch){.fd = STDIN_FILENO, .wanted = SLIM_IO_READ, .on_ready = on_input};
    require(slim_loop_watch(driver->loop, &driver->input), "standard input");
    slim_loop_run(driver->loop);
    driver_free(driver);
    return 0;
}
