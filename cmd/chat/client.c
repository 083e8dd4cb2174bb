#include "chat/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/pages.h"
#include "chat/identity.h"
#include "chat/terminal.h"

extern char **environ;

/* ------------------------------------------------------------------------------------------------ waiting */

struct slim_notify chat_notify(struct chat_client *client, void *user)
{
    return (struct slim_notify){.queue = client->queue, .user = user};
}

static int left_ms(uint64_t deadline_ns)
{
    uint64_t now_ns = slim_now_ns();
    if (deadline_ns == SLIM_FOREVER) {
        return -1;
    }
    uint64_t ms = deadline_ns <= now_ns ? 0 : (deadline_ns - now_ns) / 1000000 + 1;
    return ms > 60000 ? 60000 : (int)ms;
}

bool chat_finish(struct chat_client *client, struct slim_op *op, uint64_t deadline_ns,
                 struct slim_error *error)
{
    enum slim_status status;
    bool goes_on = true;
    while ((status = slim_op_status(op, error)) == SLIM_AGAIN && goes_on) {
        int ms = left_ms(deadline_ns);
        goes_on = ms != 0 && chat_terminal_wait(slim_queue_fd(client->queue), ms);
        slim_op_unref(slim_queue_next(client->queue, 0));
    }
    if (status == SLIM_AGAIN) {
        *error = (struct slim_error){.status = SLIM_ERR_TIMEOUT, .text = "it took too long"};
        (void)slim_op_cancel(op); /* told or not: nobody looks at it any more */
    }
    slim_op_unref(slim_queue_next(client->queue, 0)); /* it ended between two looks */
    slim_op_unref(op);
    return status == SLIM_OK;
}

void chat_leave(struct chat_client *client, struct slim_session *session)
{
    struct slim_error error;
    struct slim_op *op = slim_session_delete(session, NULL);
    enum slim_status status = slim_finish(op, slim_in_ms(CHAT_GOODBYE_MS), &error);
    (void)status; /* we end in any case */
    (void)client;
}

int chat_interrupted(void)
{
    if (chat_terminal_is_ctrl_c()) {
        chat_terminal_pause(true);
        chat_say("Client interrupted by user.");
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ names and sessions */

bool chat_read_name(const char *text, struct slim_name *name)
{
    if (slim_name_parse(text, name) == SLIM_OK) {
        return true;
    }
    chat_say_error("IDs must be in the format organization/namespace/app-or-stream.");
    return false;
}

struct slim_session_config chat_session_config(const struct chat_settings *settings,
                                               enum slim_session_type type)
{
    return (struct slim_session_config){
        .type = type,
        .enable_mls = settings->enable_mls,
        .max_retries = (uint32_t)settings->max_retries,
        .interval_ms = settings->is_unreliable ? 0 : settings->interval_ms,
    };
}

void chat_say_notice(const struct slim_error *notice)
{
    char text[SLIM_ERROR_TEXT_MAX];
    (void)snprintf(text, sizeof(text), "%s", notice->text); /* as long */
    chat_flatten(text);
    if (strstr(text, "in clear") != NULL) {
        chat_say("-> %s (--mls-app-protection compat-1.0.0 shows such messages)", text);
    } else {
        chat_say("-> %s", text);
    }
}

/* ------------------------------------------------------------------------------------------------ starting */

static bool fail(const struct slim_error *error)
{
    if (!chat_terminal_is_interrupted()) {
        chat_say_error(error->text);
    }
    return false;
}

static bool make_app(struct chat_client *client, struct slim_error *error)
{
    const struct chat_settings *settings = client->settings;
    enum chat_identity_kind kind = chat_identity_kind_of(settings);
    chat_say("%s", chat_identity_text(kind));
    if (kind == CHAT_IDENTITY_SECRET && !settings->allow_plaintext) {
        return slim_app_new_with_secret(client->service, &client->local, settings->shared_secret,
                                        &client->app, error) == SLIM_OK;
    }
    struct slim_buf provider = {0};
    struct slim_buf verifier = {0};
    enum slim_status status = chat_identity_describe(settings, &provider, &verifier);
    if (status == SLIM_OK) {
        const struct slim_app_config config = {
            .provider = (const char *)provider.data,
            .verifier = (const char *)verifier.data,
            .allow_plaintext = settings->allow_plaintext,
        };
        status = slim_app_new(client->service, &client->local, &config, slim_in_ms(CHAT_SPIRE_MS),
                              &client->app, error);
    } else {
        (void)slim_error_set(error, status, "out of memory"); /* the status says it */
    }
    slim_buf_wipe(&provider);
    slim_buf_wipe(&verifier);
    return status == SLIM_OK;
}

static bool start(struct chat_client *client)
{
    struct slim_error error = {.status = SLIM_OK};
    const struct chat_settings *settings = client->settings;
    if (!chat_read_name(settings->local, &client->local)) {
        return false;
    }
    client->local.id = SLIM_ANY_ID;
    if (chat_identity_check(settings, &error) != SLIM_OK ||
        slim_queue_new(&client->queue) != SLIM_OK ||
        slim_service_new("slim", NULL, &client->service, &error) != SLIM_OK) {
        return fail(&error);
    }
    struct slim_notify notify = chat_notify(client, NULL);
    struct slim_op *op = slim_service_connect(client->service, settings->slim, &notify);
    (void)slim_op_ref(op);
    bool is_linked = chat_finish(client, op, SLIM_FOREVER, &error);
    client->link = slim_op_connection(op);
    slim_op_unref(op);
    (void)chat_terminal_wait(-1, 0); /* the line of the log comes first */
    if (!is_linked) {
        return fail(&error);
    }
    if (!make_app(client, &error)) {
        return fail(&error);
    }
    const struct slim_name *name = slim_app_name(client->app);
    (void)slim_name_print(name, client->full_name, sizeof(client->full_name)); /* may be cut */
    (void)snprintf(client->label, sizeof(client->label), "%llu",
                   (unsigned long long)name->id); /* fits */
    chat_say_label(client->label, "Created app");
    notify = chat_notify(client, NULL);
    op = slim_app_subscribe(client->app, &client->local, client->link, &notify);
    return chat_finish(client, op, SLIM_FOREVER, &error) || fail(&error);
}

static void stop(struct chat_client *client)
{
    if (client->service != NULL && client->app != NULL) {
        struct slim_error error;
        enum slim_status status = slim_finish(slim_service_shutdown(client->service, NULL),
                                              slim_in_ms(CHAT_SHUTDOWN_MS), &error);
        (void)status; /* we end in any case */
    }
    slim_app_unref(client->app);
    slim_service_unref(client->service);
    slim_queue_unref(client->queue);
}

static int run(const struct chat_settings *settings, chat_main *run_it)
{
    struct chat_client client = {.settings = settings};
    int status = 1;
    if (chat_terminal_open() != SLIM_OK ||
        slim_log_start(chat_terminal_log_fd(), "info,slim_datapath=warn") != SLIM_OK) {
        chat_say_error("the terminal cannot be used");
        return 1;
    }
    if (start(&client)) {
        slim_pages_drop_tables(); /* the loader is done with them */
        status = run_it(&client);
    } else if (chat_terminal_is_interrupted()) {
        status = chat_interrupted();
    }
    stop(&client);
    chat_terminal_close();
    return status;
}

int chat_run(enum chat_program program, int argc, char **argv, chat_main *run_it)
{
    struct chat_reader reader = {.program = program};
    struct slim_error error = {.status = SLIM_OK};
    enum chat_action action = CHAT_RUN;
    int status = 1;
    if (chat_settings_read(&reader, argc, (const char *const *)argv, (const char *const *)environ,
                           &action, &error) != SLIM_OK) {
        chat_say_error(error.text);
    } else if (action == CHAT_HELP) {
        chat_settings_print_help(program);
        status = 0;
    } else if (action == CHAT_VERSION) {
        (void)printf("%s %s\n", program == CHAT_GROUP ? "slim-group" : "slim-p2p", slim_version());
        status = 0;
    } else {
        status = run(&reader.settings, run_it);
    }
    chat_settings_fini(&reader.settings);
    return status;
}
