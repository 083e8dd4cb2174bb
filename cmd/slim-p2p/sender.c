#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "chat/terminal.h"
#include "slim-p2p/p2p.h"

enum {
    ANSWER_MS = 30000, /* how long an answer may take */
    PACE_MS = 1000,    /* pause between rounds */
};

/* round       of settings->iterations, from 0
 * message     being awaited with this operation; NULL: none
 * has_answer  of this round
 * is_over     the session is */
struct sender {
    struct chat_client *client;
    struct slim_session *session;
    struct slim_op *message;
    uint64_t round;
    bool has_answer;
    bool is_over;
};

static void say_failure(const struct chat_client *client, const char *text)
{
    char copy[SLIM_ERROR_TEXT_MAX];
    (void)snprintf(copy, sizeof(copy), "%s", text); /* as long */
    chat_flatten(copy);
    chat_say_label(client->label, "error: %s", copy);
}

/* ------------------------------------------------------------------------------------------------ answers */

static void take_answers(struct sender *sender)
{
    char lead[64];
    struct slim_message *message;
    struct slim_error error;
    enum slim_status status = SLIM_OK;
    (void)snprintf(lead, sizeof(lead), "received (from session %u): ",
                   slim_session_info(sender->session)->id); /* fits */
    while (!sender->has_answer && status != SLIM_ERR_TIMEOUT && status != SLIM_ERR_CLOSED) {
        status = slim_session_receive(sender->session, 0, &message, &error);
        if (status == SLIM_OK) {
            const struct slim_message_info *info = slim_message_look(message);
            bool is_marked = slim_session_info(sender->session)->enable_mls && !info->is_encrypted;
            chat_say_label_text(sender->client->label, lead, info->payload,
                                is_marked ? " [not encrypted]" : "");
            sender->has_answer = true;
            slim_message_unref(message);
        } else if (status == SLIM_ERR_CLOSED) {
            say_failure(sender->client, error.text);
            sender->is_over = true;
        } else if (status != SLIM_ERR_TIMEOUT) {
            chat_say_notice(&error);
        }
    }
}

static void await_message(struct sender *sender)
{
    struct slim_notify notify = chat_notify(sender->client, sender);
    sender->message = slim_session_await_message(sender->session, &notify);
}

static void take_ended(struct sender *sender, struct slim_op *op)
{
    struct slim_error error;
    if (op == sender->message) {
        slim_op_unref(op); /* ours; the caller has the queue's */
        sender->message = NULL;
        take_answers(sender);
    } else if (slim_op_status(op, &error) != SLIM_OK && !sender->is_over) {
        char text[SLIM_ERROR_TEXT_MAX];
        (void)snprintf(text, sizeof(text), "%s", error.text); /* as long */
        chat_flatten(text);
        chat_say("-> Error sending message: %s", text);
    }
}

/* What happens until then, or until the answer is there (when one is waited for). False: interrupted. */
static bool go_on(struct sender *sender, uint64_t until_ns, bool waits_for_answer)
{
    for (;;) {
        struct slim_op *op;
        while ((op = slim_queue_next(sender->client->queue, 0)) != NULL) {
            take_ended(sender, op);
            slim_op_unref(op);
        }
        if (sender->is_over || (waits_for_answer && sender->has_answer)) {
            return true;
        }
        if (waits_for_answer && sender->message == NULL) {
            await_message(sender);
            continue;
        }
        uint64_t now_ns = slim_now_ns();
        if (now_ns >= until_ns) {
            return true;
        }
        int ms = (int)((until_ns - now_ns) / 1000000 + 1);
        if (!chat_terminal_wait(slim_queue_fd(sender->client->queue), ms)) {
            return false;
        }
    }
}

/* ------------------------------------------------------------------------------------------------ rounds */

static bool do_round(struct sender *sender)
{
    const struct chat_settings *settings = sender->client->settings;
    const struct slim_payload payload = {.data = settings->message,
                                         .len = strlen(settings->message)};
    struct slim_notify notify = chat_notify(sender->client, NULL);
    sender->has_answer = false;
    slim_op_unref(slim_session_publish(sender->session, &payload, &notify));
    chat_say_label(sender->client->label, "Sent message %s - %llu/%llu", settings->message,
                   (unsigned long long)sender->round + 1, (unsigned long long)settings->iterations);
    if (!go_on(sender, slim_in_ms(ANSWER_MS), true)) {
        return false;
    }
    if (!sender->has_answer && !sender->is_over) {
        say_failure(sender->client, "receive timeout waiting for message");
    }
    bool is_last = sender->round + 1 == settings->iterations;
    return is_last || sender->is_over || go_on(sender, slim_in_ms(PACE_MS), false);
}

static int talk(struct sender *sender)
{
    while (!sender->is_over && sender->round < sender->client->settings->iterations) {
        if (!do_round(sender)) {
            chat_leave(sender->client, sender->session);
            return chat_interrupted();
        }
        sender->round++;
    }
    if (sender->message != NULL) {
        (void)slim_op_cancel(sender->message); /* told or not: nobody looks any more */
        slim_op_unref(sender->message);
    }
    struct slim_error error;
    struct slim_notify notify = chat_notify(sender->client, NULL);
    struct slim_op *op = slim_session_delete(sender->session, &notify);
    if (!chat_finish(sender->client, op, SLIM_FOREVER, &error)) {
        return chat_terminal_is_interrupted() ? chat_interrupted() : 0;
    }
    return 0;
}

int p2p_send(struct chat_client *client)
{
    const struct chat_settings *settings = client->settings;
    struct sender sender = {.client = client};
    struct slim_error error = {.status = SLIM_OK};
    struct slim_name remote;
    if (!chat_read_name(settings->remote, &remote)) {
        return 1;
    }
    slim_op_unref(slim_app_set_route(client->app, &remote, client->link, NULL));
    const struct slim_session_config config = chat_session_config(settings, SLIM_POINT_TO_POINT);
    struct slim_notify notify = chat_notify(client, NULL);
    struct slim_op *op =
        slim_app_create_session(client->app, &config, &remote, &notify, &sender.session);
    int status = 1;
    if (chat_finish(client, op, SLIM_FOREVER, &error)) {
        status = talk(&sender);
    } else if (chat_terminal_is_interrupted()) {
        status = chat_interrupted();
    } else {
        chat_say_error(error.text);
    }
    slim_session_unref(sender.session);
    return status;
}
