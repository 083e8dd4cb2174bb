/* A file, in pieces, as fast as the other side takes them.
 *
 *     send_file ENDPOINT receive org/ns/bob FILE                   write what comes to FILE
 *     send_file ENDPOINT send org/ns/alice org/ns/bob FILE         send FILE
 *
 * slim_session_try_publish says SLIM_AGAIN when enough is under way, so the memory this takes does not depend on the size of the file. Reliable
 * messages come once each, in order: the pieces need no numbers. */
#include <slim/slim.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE_BYTES = 64 * 1024 };

static const char secret[] = "a shared secret of at least 32 bytes";

static void need(enum slim_status status, const struct slim_error *error, const char *what)
{
    if (status != SLIM_OK) {
        fprintf(stderr, "Error: %s: %s\n", what, error->text);
        exit(1);
    }
}

static void finish(struct slim_op *op, const char *what)
{
    struct slim_error error;
    need(slim_finish(op, slim_in_ms(10000), &error), &error, what);
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

static FILE *open_file(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    return file;
}

static void send_file(struct slim_session *session, FILE *file)
{
    static char piece[PIECE_BYTES];
    struct slim_error error;
    size_t len;
    while ((len = fread(piece, 1, sizeof(piece), file)) > 0) {
        struct slim_payload payload = {.data = piece, .len = len, .type = "piece"};
        enum slim_status status;
        while ((status = slim_session_try_publish(session, &payload, &error)) == SLIM_AGAIN) {
            finish(slim_session_await_writable(session, NULL), "room");
        }
        need(status, &error, "publish");
    }
    /* complete when it was acknowledged, and so is all before it when the session has been deleted */
    struct slim_payload end = {.data = "", .len = 0, .type = "end"};
    finish(slim_session_publish(session, &end, NULL), "the end of the file");
}

static void receive_file(struct slim_session *session, FILE *file)
{
    struct slim_error error;
    struct slim_message *message;
    for (;;) {
        need(slim_session_receive(session, slim_in_ms(30000), &message, &error), &error, "receive");
        const struct slim_message_info *info = slim_message_look(message);
        int is_end = info->type.len == 3 && memcmp(info->type.data, "end", 3) == 0;
        if (!is_end &&
            fwrite(info->payload.data, 1, info->payload.len, file) != info->payload.len) {
            perror("write");
            exit(1);
        }
        slim_message_unref(message);
        if (is_end) {
            return;
        }
    }
}

int main(int argc, char **argv)
{
    struct slim_error error;
    struct slim_session *session;
    struct slim_app *app;
    FILE *file;
    if (argc == 6 && strcmp(argv[2], "send") == 0) {
        file = open_file(argv[5], "rb");
        app = join(argv[1], argv[3]);
        session = talk_to(app, argv[4]);
        send_file(session, file);
    } else if (argc == 5 && strcmp(argv[2], "receive") == 0) {
        file = open_file(argv[4], "wb");
        app = join(argv[1], argv[3]);
        printf("waiting\n");
        fflush(stdout);
        need(slim_app_listen(app, SLIM_FOREVER, &session, &error), &error, "listen");
        receive_file(session, file);
    } else {
        fprintf(stderr, "usage: send_file ENDPOINT send NAME PEER FILE\n"
                        "       send_file ENDPOINT receive NAME FILE\n");
        return 2;
    }
    if (fclose(file) != 0) {
        perror("close");
        return 1;
    }
    finish(slim_session_delete(session, NULL), "delete"); /* the other side may have: no matter */
    slim_session_unref(session);
    slim_app_unref(app);
    return 0;
}
