#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/list.h"
#include "chat/terminal.h"
#include "slim-p2p/p2p.h"

enum { MESSAGES_A_TURN = 64 };

/* What an operation is for: its user pointer is a tag.
 * MESSAGE is a peer's own; the others are shared by all */
enum purpose { OP_MESSAGE, OP_SESSION, OP_ECHO };

/* A session somebody began with us. */
struct peer {
    enum purpose purpose; /* OP_MESSAGE; first, as in every tag */
    struct slim_list node;
    struct slim_session *session;
    struct slim_op *message;
};

struct receiver {
    struct chat_client *client;
    struct slim_list peers;
    bool is_over;
};

static enum purpose session_tag = OP_SESSION;
static enum purpose echo_tag = OP_ECHO;

static void await_session(struct receiver *receiver)
{
    struct slim_notify notify = chat_notify(receiver->client, &session_tag);
    slim_op_unref(slim_app_await_session(receiver->client->app, &notify));
}

static void await_message(struct receiver *receiver, struct peer *peer)
{
    struct slim_notify notify = chat_notify(receiver->client, &peer->purpose);
    peer->message = slim_session_await_message(peer->session, &notify);
}

static void peer_free(struct peer *peer)
{
    if (peer->message != NULL) {
        (void)slim_op_cancel(peer->message); /* we end */
        slim_op_unref(peer->message);
    }
    slim_list_remove(&peer->node);
    slim_session_unref(peer->session);
    free(peer);
}

/* ------------------------------------------------------------------------------------------------ messages */

static void echo(struct receiver *receiver, struct peer *peer, struct slim_view text)
{
    struct slim_buf answer = {0};
    if (slim_buf_put(&answer, text) == SLIM_OK &&
        slim_buf_put_text(&answer, " from %s", receiver->client->label) == SLIM_OK) {
        const struct slim_payload payload = {.data = answer.data, .len = answer.len};
        struct slim_notify notify = chat_notify(receiver->client, &echo_tag);
        slim_op_unref(slim_session_publish(peer->session, &payload, &notify));
    } else {
        chat_say("-> Error sending message: out of memory");
    }
    slim_buf_fini(&answer);
}

static void take_message(struct receiver *receiver, struct peer *peer,
                         const struct slim_message_info *info)
{
    bool is_marked = slim_session_info(peer->session)->enable_mls && !info->is_encrypted;
    chat_say_label_text(receiver->client->label, "received: ", info->payload,
                        is_marked ? " [not encrypted]" : "");
    echo(receiver, peer, info->payload);
}

static void take_messages(struct receiver *receiver, struct peer *peer)
{
    slim_op_unref(peer->message);
    peer->message = NULL;
    for (size_t i = 0; i < MESSAGES_A_TURN; i++) {
        struct slim_message *message;
        struct slim_error error;
        enum slim_status status = slim_session_receive(peer->session, 0, &message, &error);
        if (status == SLIM_OK) {
            take_message(receiver, peer, slim_message_look(message));
            slim_message_unref(message);
        } else if (status == SLIM_ERR_CLOSED) {
            peer_free(peer);
            return;
        } else if (status == SLIM_ERR_TIMEOUT) {
            break;
        } else {
            chat_say_notice(&error);
        }
    }
    await_message(receiver, peer);
}

/* ------------------------------------------------------------------------------------------------ sessions */

static void say_waiting(const struct receiver *receiver)
{
    chat_say_label(receiver->client->label, "waiting for new session to be established");
}

static void take_sessions(struct receiver *receiver)
{
    struct slim_session *session;
    struct slim_error error = {.status = SLIM_OK};
    enum slim_status status;
    while ((status = slim_app_listen(receiver->client->app, 0, &session, &error)) == SLIM_OK) {
        struct peer *peer = calloc(1, sizeof(*peer));
        if (peer == NULL) {
            chat_leave(receiver->client, session); /* no memory for it: it shall not wait for us */
            slim_session_unref(session);
            continue;
        }
        *peer = (struct peer){.purpose = OP_MESSAGE, .session = session};
        slim_list_init(&peer->node);
        slim_list_put_last(&receiver->peers, &peer->node);
        chat_say_label(receiver->client->label, "new session %u", slim_session_info(session)->id);
        await_message(receiver, peer);
        say_waiting(receiver);
    }
    receiver->is_over = status == SLIM_ERR_CLOSED;
    if (!receiver->is_over) {
        await_session(receiver);
    }
}

static void take_ended(struct receiver *receiver, struct slim_op *op)
{
    struct slim_error error;
    enum purpose *tag = slim_op_user(op);
    switch (*tag) {
    case OP_MESSAGE:
        take_messages(receiver, (struct peer *)tag);
        break;
    case OP_SESSION:
        take_sessions(receiver);
        break;
    case OP_ECHO:
        if (slim_op_status(op, &error) != SLIM_OK && error.status != SLIM_ERR_CLOSED) {
            chat_flatten(error.text);
            chat_say("-> Error sending message: %s", error.text);
        }
        break;
    }
}

int p2p_receive(struct chat_client *client)
{
    struct receiver receiver = {.client = client};
    slim_list_init(&receiver.peers);
    say_waiting(&receiver);
    await_session(&receiver);
    int status = 0;
    while (!receiver.is_over) {
        struct slim_op *op;
        if (!chat_terminal_wait(slim_queue_fd(client->queue), -1)) {
            status = chat_interrupted();
            break;
        }
        while ((op = slim_queue_next(client->queue, 0)) != NULL) {
            take_ended(&receiver, op);
            slim_op_unref(op);
        }
    }
    while (!slim_list_is_empty(&receiver.peers)) {
        peer_free(SLIM_LIST_ENTRY(receiver.peers.next, struct peer, node));
    }
    return status;
}
