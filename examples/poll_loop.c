/* One thread and one's own loop: standard input and SLIM in the same poll().
 *
 *     poll_loop ENDPOINT org/ns/bob                    wait for somebody, then talk
 *     poll_loop ENDPOINT org/ns/alice org/ns/bob       talk to bob
 *
 * A queue has a descriptor that is readable while operations have ended. Each operation brings its user pointer back; here it says
 * what is to be done next. The same works with epoll, libuv, GLib: whatever waits for descriptors. */
#include <poll.h>
#include <slim/slim.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char secret[] = "a shared secret of at least 32 bytes";

static void need(enum slim_status status, const struct slim_error *error, const char *what)
{
    if (status != SLIM_OK) {
        fprintf(stderr, "Error: %s: %s\n", what, error->text);
        exit(1);
    }
}

/* A name or the end of the program. */
static struct slim_name name_of(const char *text)
{
    struct slim_name name;
    if (slim_name_parse(text, &name) != SLIM_OK) {
        fprintf(stderr, "Error: not a name: %s\n", text);
        exit(2);
    }
    return name;
}

/* An application of this name at the node. */
static struct slim_app *join(const char *node, const char *text)
{
    struct slim_error error;
    struct slim_app *app;
    struct slim_name name = name_of(text);
    need(slim_app_join(node, &name, secret, slim_in_ms(5000), &app, &error), &error, "join");
    return app;
}

/* A reliable, encrypted session with the peer. */
static struct slim_session *talk_to(struct slim_app *app, const char *text)
{
    struct slim_error error;
    struct slim_session *session;
    struct slim_name peer = name_of(text);
    struct slim_session_config config = {
        .type = SLIM_POINT_TO_POINT, .enable_mls = true, .max_retries = 5, .interval_ms = 1000};
    need(slim_session_open(app, &config, &peer, slim_in_ms(10000), &session, &error), &error,
         "session");
    return session;
}

/* What an operation was for. */
static char session_came, message_came, was_sent, was_deleted;

struct chat {
    struct slim_app *app;
    struct slim_queue *queue;
    struct slim_session *session;
    bool is_over;
};

static struct slim_notify tell(const struct chat *chat, void *what)
{
    struct slim_notify notify = {chat->queue, what};
    return notify;
}

/* Ask to be told of the next message. */
static void await_message(struct chat *chat)
{
    struct slim_notify notify = tell(chat, &message_came);
    slim_op_unref(slim_session_await_message(chat->session, &notify));
}

/* Take all that is there: a deadline of 0 does not wait. */
static void read_messages(struct chat *chat)
{
    struct slim_error error;
    struct slim_message *message;
    enum slim_status status;
    while ((status = slim_session_receive(chat->session, 0, &message, &error)) == SLIM_OK) {
        const struct slim_message_info *info = slim_message_look(message);
        printf("> %.*s\n", (int)info->payload.len, (const char *)info->payload.data);
        fflush(stdout);
        slim_message_unref(message);
    }
    if (status == SLIM_ERR_CLOSED) {
        printf("* over\n");
        chat->is_over = true;
    } else {
        await_message(chat);
    }
}

static void on_ended(struct chat *chat, struct slim_op *op)
{
    struct slim_error error;
    void *what = slim_op_user(op);
    if (what == &session_came) {
        need(slim_app_listen(chat->app, 0, &chat->session, &error), &error, "listen");
        await_message(chat);
    } else if (what == &message_came) {
        read_messages(chat);
    } else if (what == &was_sent && slim_op_status(op, &error) != SLIM_OK) {
        printf("* not delivered: %s\n", error.text);
    } else if (what == &was_deleted) {
        chat->is_over = true;
    }
}

/* False at the end of the input. */
static bool read_input(struct chat *chat)
{
    char line[4096];
    ssize_t len = read(STDIN_FILENO, line, sizeof(line));
    if (len <= 0) {
        struct slim_notify notify = tell(chat, &was_deleted);
        slim_op_unref(slim_session_delete(chat->session, &notify));
        return false;
    }
    struct slim_notify notify = tell(chat, &was_sent);
    struct slim_payload payload = {.data = line, .len = (size_t)len - (line[len - 1] == '\n')};
    slim_op_unref(slim_session_publish(chat->session, &payload, &notify));
    return true;
}

int main(int argc, char **argv)
{
    struct chat chat = {NULL, NULL, NULL, false};
    bool has_input = true;
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: poll_loop ENDPOINT NAME [PEER]\n");
        return 2;
    }
    chat.app = join(argv[1], argv[2]);
    if (slim_queue_new(&chat.queue) != SLIM_OK) {
        return 1;
    }
    if (argc == 4) {
        chat.session = talk_to(chat.app, argv[3]);
        await_message(&chat);
    } else {
        struct slim_notify notify = tell(&chat, &session_came);
        slim_op_unref(slim_app_await_session(chat.app, &notify));
        printf("* waiting\n");
        fflush(stdout);
    }
    while (!chat.is_over) {
        struct slim_op *op;
        struct pollfd fds[] = {{slim_queue_fd(chat.queue), POLLIN, 0},
                               /* no input before there is somebody to send it to */
                               {has_input && chat.session != NULL ? STDIN_FILENO : -1, POLLIN, 0}};
        poll(fds, 2, -1);
        while ((op = slim_queue_next(chat.queue, 0)) != NULL) {
            on_ended(&chat, op);
            slim_op_unref(op);
        }
        if (fds[1].revents != 0 && !chat.is_over) {
            has_input = read_input(&chat);
        }
    }
    slim_session_unref(chat.session);
    slim_queue_unref(chat.queue);
    slim_app_unref(chat.app);
    return 0;
}
