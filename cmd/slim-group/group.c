#include "slim-group/group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/status.h"
#include "chat/terminal.h"

enum {
    MESSAGES_A_TURN = 256, /* then the user's lines have their turn */
    UNDER_WAY_MAX = 1000,  /* publishes; more lines wait until some are complete */
};

/* What an operation of ours was for; its user pointer. */
enum purpose { OP_MESSAGE, OP_PUBLISH, OP_REPLY, OP_INVITE, OP_REMOVE, OP_DELETE };
static enum purpose purposes[] = {OP_MESSAGE, OP_PUBLISH, OP_REPLY,
                                  OP_INVITE,  OP_REMOVE,  OP_DELETE};

/* under_way    publishes that are not complete
 * subject      whom the command in progress is about; NULL: none is in progress, lines are taken
 * is_leaving   our own delete is under way */
struct group {
    struct chat_client *client;
    struct slim_session *session;
    bool is_moderator;
    size_t under_way;
    char *subject;
    bool is_leaving;
    bool is_over;
};

static struct slim_notify notify_for(struct group *group, enum purpose purpose)
{
    return chat_notify(group->client, &purposes[purpose]);
}

/* The operation will be told to the queue; nobody else looks at it. */
static void let_go(struct slim_op *op)
{
    slim_op_unref(op);
}

/* ------------------------------------------------------------------------------------------------ messages */

static void await_message(struct group *group)
{
    struct slim_notify notify = notify_for(group, OP_MESSAGE);
    let_go(slim_session_await_message(group->session, &notify));
}

static bool is_reply(const struct slim_message_info *info)
{
    for (size_t i = 0; i < info->metadata_count; i++) {
        if (slim_view_is_equal(info->metadata[i].key, SLIM_VIEW("PUBLISH_TO"))) {
            return true;
        }
    }
    return false;
}

static void answer(struct group *group, const struct slim_message_info *info)
{
    char text[CHAT_NAME_BYTES_MAX + 32];
    int len = snprintf(text, sizeof(text), "message received by %s", group->client->full_name);
    const struct slim_payload payload = {.data = text,
                                         .len = (size_t)len,
                                         .metadata = info->metadata,
                                         .metadata_count = info->metadata_count};
    struct slim_notify notify = notify_for(group, OP_REPLY);
    let_go(slim_session_publish_to(group->session, &info->source, &payload, &notify));
}

static void show(struct group *group, const struct slim_message_info *info)
{
    char lead[CHAT_NAME_BYTES_MAX + 8];
    size_t len = slim_name_print(&info->source, lead, CHAT_NAME_BYTES_MAX);
    len = len < CHAT_NAME_BYTES_MAX ? len : CHAT_NAME_BYTES_MAX - 1;
    (void)snprintf(lead + len, sizeof(lead) - len, " > "); /* fits */
    bool is_marked = slim_session_info(group->session)->enable_mls && !info->is_encrypted;
    chat_say_text(lead, info->payload, is_marked ? " [not encrypted]" : "");
    if (!is_reply(info)) {
        answer(group, info);
    }
}

static void take_messages(struct group *group)
{
    for (size_t i = 0; i < MESSAGES_A_TURN; i++) {
        struct slim_message *message;
        struct slim_error error;
        enum slim_status status = slim_session_receive(group->session, 0, &message, &error);
        if (status == SLIM_OK) {
            show(group, slim_message_look(message));
            slim_message_unref(message);
        } else if (status == SLIM_ERR_CLOSED) {
            group->is_over = true;
            return;
        } else if (status == SLIM_ERR_TIMEOUT) {
            break;
        } else {
            chat_say_notice(&error);
        }
    }
    await_message(group);
}

/* ------------------------------------------------------------------------------------------------ commands */

static void publish(struct group *group, struct slim_view line)
{
    const struct slim_payload payload = {.data = line.data, .len = line.len};
    struct slim_notify notify = notify_for(group, OP_PUBLISH);
    group->under_way++;
    let_go(slim_session_publish(group->session, &payload, &notify));
}

static void leave(struct group *group)
{
    struct slim_notify notify = notify_for(group, OP_DELETE);
    group->is_leaving = true;
    chat_terminal_pause(true);
    let_go(slim_session_delete(group->session, &notify));
}

/* "NAME" as the one word that the command wants, copied. */
static char *read_subject(struct slim_view rest, const char *command)
{
    static const char blanks[] = " \t";
    while (rest.len > 0 && strchr(blanks, rest.data[0]) != NULL) {
        rest = slim_view_skip(rest, 1);
    }
    while (rest.len > 0 && strchr(blanks, rest.data[rest.len - 1]) != NULL) {
        rest.len--;
    }
    bool is_word = rest.len > 0 && memchr(rest.data, ' ', rest.len) == NULL &&
                   memchr(rest.data, '\t', rest.len) == NULL &&
                   memchr(rest.data, 0, rest.len) == NULL;
    if (!is_word) {
        chat_say("Error: '%s' command expects exactly one participant ID (e.g., '%s "
                 "org/ns/client-1')",
                 command, command);
        return NULL;
    }
    return strndup((const char *)rest.data, rest.len);
}

static void change_members(struct group *group, struct slim_view rest, bool is_invite)
{
    struct slim_name name;
    char *subject = read_subject(rest, is_invite ? "invite" : "remove");
    if (subject == NULL) {
        return;
    }
    chat_terminal_pause(true); /* until it is answered */
    chat_say("%s participant: %s", is_invite ? "Inviting" : "Removing", subject);
    if (slim_name_parse(subject, &name) != SLIM_OK) {
        chat_say("Error: IDs must be in the format organization/namespace/app-or-stream.");
        chat_terminal_pause(false);
        free(subject);
        return;
    }
    group->subject = subject;
    struct slim_notify notify = notify_for(group, is_invite ? OP_INVITE : OP_REMOVE);
    if (is_invite) {
        /* a name that was never seen has no route yet; requests run in their order */
        let_go(slim_app_set_route(group->client->app, &name, group->client->link, NULL));
        let_go(slim_session_invite(group->session, &name, &notify));
    } else {
        let_go(slim_session_remove(group->session, &name, &notify));
    }
}

static bool is_word(struct slim_view line, const char *word)
{
    return line.len == strlen(word) && strncasecmp((const char *)line.data, word, line.len) == 0;
}

static bool has_command(struct slim_view line, const char *command)
{
    size_t len = strlen(command);
    return line.len >= len && strncasecmp((const char *)line.data, command, len) == 0;
}

static void take_line(struct group *group, struct slim_view line)
{
    static const char invite[] = "invite ";
    static const char remove_[] = "remove ";
    if (line.len > 0 && (is_word(line, "exit") || is_word(line, "quit"))) {
        leave(group);
    } else if (group->is_moderator && has_command(line, invite)) {
        change_members(group, slim_view_skip(line, sizeof(invite) - 1), true);
    } else if (group->is_moderator && has_command(line, remove_)) {
        change_members(group, slim_view_skip(line, sizeof(remove_) - 1), false);
    } else {
        publish(group, line);
    }
}

static void take_lines(struct group *group)
{
    struct slim_view line;
    while (group->subject == NULL && !group->is_leaving && group->under_way < UNDER_WAY_MAX &&
           chat_terminal_take_line(&line)) {
        take_line(group, line);
    }
    if (chat_terminal_is_over() && group->subject == NULL && !group->is_leaving) {
        leave(group);
    }
}

/* ------------------------------------------------------------------------------------------------ what has ended */

static void say_added(struct group *group, const char *subject)
{
    char text[CHAT_NAME_BYTES_MAX];
    struct slim_name name;
    if (slim_name_parse(subject, &name) == SLIM_OK) {
        (void)slim_name_print(&name, text, sizeof(text)); /* may be cut */
        chat_say("%s -> add %s to the group", group->client->settings->local, text);
    }
}

static void say_why(const char *text)
{
    char copy[SLIM_ERROR_TEXT_MAX];
    (void)snprintf(copy, sizeof(copy), "%s", text); /* as long */
    chat_flatten(copy);
    chat_say("-> %s", copy);
}

static void on_members_changed(struct group *group, bool is_invite, const struct slim_error *error)
{
    char *subject = group->subject;
    group->subject = NULL;
    if (error->status == SLIM_OK) {
        if (is_invite) {
            say_added(group, subject);
        }
    } else if (is_invite && strstr(error->text, "already in group") != NULL) {
        chat_say("Error: Participant %s is already in the group.", subject);
    } else if (!is_invite && strstr(error->text, "not found in group") != NULL) {
        chat_say("Error: Participant %s is not in the group.", subject);
    } else {
        chat_say("Error: Failed to %s participant %s %s session.", is_invite ? "add" : "remove",
                 subject, is_invite ? "to" : "from");
        say_why(error->text);
    }
    free(subject);
    chat_terminal_pause(false);
}

static void on_published(struct group *group, const struct slim_error *error)
{
    group->under_way--;
    if (error->status != SLIM_OK && !group->is_leaving && !group->is_over) {
        char text[SLIM_ERROR_TEXT_MAX];
        (void)snprintf(text, sizeof(text), "%s", error->text); /* as long */
        chat_flatten(text);
        chat_say("-> Error sending message: %s", text);
    }
}

static void take_ended(struct group *group, struct slim_op *op)
{
    const enum purpose *purpose = slim_op_user(op);
    struct slim_error error = {.status = SLIM_OK};
    error.status = slim_op_status(op, &error);
    if (purpose == NULL) {
        return;
    }
    switch (*purpose) {
    case OP_MESSAGE:
        take_messages(group);
        break;
    case OP_PUBLISH:
        on_published(group, &error);
        break;
    case OP_REPLY: /* whoever has left needs no answer */
        break;
    case OP_INVITE:
    case OP_REMOVE:
        on_members_changed(group, *purpose == OP_INVITE, &error);
        break;
    case OP_DELETE:
        group->is_over = true;
        break;
    }
}

static int talk(struct group *group)
{
    await_message(group);
    while (!group->is_over) {
        take_lines(group);
        if (!chat_terminal_wait(slim_queue_fd(group->client->queue), -1)) {
            if (!group->is_leaving) {
                chat_leave(group->client, group->session);
            }
            return chat_interrupted();
        }
        struct slim_op *op;
        while (!group->is_over && (op = slim_queue_next(group->client->queue, 0)) != NULL) {
            take_ended(group, op);
            slim_op_unref(op);
        }
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ beginning */

static void welcome(struct group *group)
{
    char channel[CHAT_NAME_BYTES_MAX];
    char prompt[CHAT_NAME_BYTES_MAX + 8];
    (void)slim_name_print(&slim_session_info(group->session)->destination, channel,
                          sizeof(channel)); /* may be cut */
    chat_say("Welcome to the group %s!", channel);
    chat_say("Commands:");
    chat_say("  - Type a message to send it to the group");
    if (group->is_moderator) {
        chat_say("  - 'remove NAME' to remove a participant");
        chat_say("  - 'invite NAME' to invite a participant");
    }
    chat_say("  - 'exit' or 'quit' to leave the group");
    (void)snprintf(prompt, sizeof(prompt), "%s > ", group->client->full_name); /* fits */
    chat_terminal_ask(prompt);
}

static bool invite_first(struct group *group, const char *text, struct slim_error *error)
{
    struct chat_client *client = group->client;
    struct slim_name name;
    if (slim_name_parse(text, &name) != SLIM_OK) {
        (void)slim_error_set(error, SLIM_ERR_ARGUMENT,
                             "IDs must be in the format organization/namespace/app-or-stream.");
        return false; /* said by the caller */
    }
    struct slim_notify notify = chat_notify(client, NULL);
    let_go(slim_app_set_route(client->app, &name, client->link, NULL));
    struct slim_op *op = slim_session_invite(group->session, &name, &notify);
    if (!chat_finish(client, op, SLIM_FOREVER, error)) {
        return false;
    }
    say_added(group, text);
    return true;
}

static bool begin_moderator(struct group *group)
{
    struct chat_client *client = group->client;
    const struct chat_settings *settings = client->settings;
    struct slim_name channel;
    struct slim_error error = {.status = SLIM_OK};
    if (!chat_read_name(settings->remote, &channel)) {
        return false;
    }
    char label[CHAT_NAME_BYTES_MAX];
    (void)snprintf(label, sizeof(label),
                   "Creating new group session (moderator)... %s/ffffffffffffffff",
                   settings->local); /* may be cut */
    chat_say_label(label, "%s", "");
    const struct slim_session_config config = chat_session_config(settings, SLIM_GROUP);
    struct slim_notify notify = chat_notify(client, NULL);
    struct slim_op *op =
        slim_app_create_session(client->app, &config, &channel, &notify, &group->session);
    if (!chat_finish(client, op, SLIM_FOREVER, &error)) {
        chat_say_error(error.text);
        return false;
    }
    for (size_t i = 0; i < settings->invites.count; i++) {
        if (!invite_first(group, settings->invites.items[i], &error)) {
            char text[SLIM_ERROR_TEXT_MAX + 256];
            (void)snprintf(text, sizeof(text), "failed to add participant %.200s: %s",
                           settings->invites.items[i], error.text); /* fits */
            if (!chat_terminal_is_interrupted()) {
                chat_say_error(text);
            }
            chat_leave(client, group->session);
            return false;
        }
    }
    return true;
}

static bool begin_participant(struct group *group)
{
    struct chat_client *client = group->client;
    struct slim_error error = {.status = SLIM_OK};
    chat_say("Waiting for session...");
    while (group->session == NULL) {
        struct slim_notify notify = chat_notify(client, NULL);
        struct slim_op *op = slim_app_await_session(client->app, &notify);
        if (!chat_finish(client, op, SLIM_FOREVER, &error)) {
            break;
        }
        enum slim_status status = slim_app_listen(client->app, 0, &group->session, &error);
        if (status == SLIM_ERR_CLOSED) {
            chat_say_error(error.text);
            break;
        }
    }
    return group->session != NULL;
}

int group_main(struct chat_client *client)
{
    const struct chat_settings *settings = client->settings;
    struct group group = {.client = client,
                          .is_moderator = settings->remote != NULL && settings->invites.count > 0};
    int status = 1;
    if (group.is_moderator ? begin_moderator(&group) : begin_participant(&group)) {
        welcome(&group);
        status = talk(&group);
    } else if (chat_terminal_is_interrupted()) {
        status = chat_interrupted();
    }
    free(group.subject);
    slim_session_unref(group.session);
    return status;
}
