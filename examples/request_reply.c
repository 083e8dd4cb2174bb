/* Questions and answers: a request carries a number in its metadata, its answer carries the same.
 *
 *     request_reply ENDPOINT serve org/ns/upper                          answer in upper case, for ever
 *     request_reply ENDPOINT ask org/ns/me org/ns/upper TEXT...          ask all of them at once
 */
#include <ctype.h>
#include <slim/slim.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static struct slim_view text_view(const char *text)
{
    struct slim_view view = {(const uint8_t *)text, strlen(text)};
    return view;
}

/* Answer what one client asks, until it leaves. */
static void serve(struct slim_session *session)
{
    struct slim_error error;
    struct slim_message *message;
    char answer[4096];
    while (slim_session_receive(session, SLIM_FOREVER, &message, &error) == SLIM_OK) {
        const struct slim_message_info *info = slim_message_look(message);
        size_t len = info->payload.len < sizeof(answer) ? info->payload.len : sizeof(answer);
        for (size_t i = 0; i < len; i++) {
            answer[i] = (char)toupper(info->payload.data[i]);
        }
        /* the metadata goes back as it came: the number is in it */
        struct slim_payload payload = {.data = answer,
                                       .len = len,
                                       .type = "answer",
                                       .metadata = info->metadata,
                                       .metadata_count = info->metadata_count};
        slim_op_unref(slim_session_publish(session, &payload, NULL)); /* nobody waits for it */
        slim_message_unref(message);
    }
}

static void ask(struct slim_session *session, char **questions, int count)
{
    struct slim_error error;
    for (int i = 0; i < count; i++) {
        char number[16];
        snprintf(number, sizeof(number), "%d", i);
        struct slim_pair pair = {text_view("request"), text_view(number)};
        struct slim_payload payload = {.data = questions[i],
                                       .len = strlen(questions[i]),
                                       .metadata = &pair,
                                       .metadata_count = 1};
        slim_op_unref(slim_session_publish(session, &payload, NULL)); /* the answer is enough */
    }
    for (int i = 0; i < count; i++) {
        struct slim_message *message;
        need(slim_session_receive(session, slim_in_ms(10000), &message, &error), &error, "answer");
        const struct slim_message_info *info = slim_message_look(message);
        printf("%.*s: %.*s\n", (int)info->metadata[0].value.len,
               (const char *)info->metadata[0].value.data, (int)info->payload.len,
               (const char *)info->payload.data);
        slim_message_unref(message);
    }
}

int main(int argc, char **argv)
{
    struct slim_error error;
    struct slim_session *session;
    if (argc == 4 && strcmp(argv[2], "serve") == 0) {
        struct slim_app *app = join(argv[1], argv[3]);
        printf("serving\n");
        fflush(stdout);
        for (;;) { /* one client after the other; a thread for each would serve many */
            need(slim_app_listen(app, SLIM_FOREVER, &session, &error), &error, "listen");
            serve(session);
            slim_session_unref(session);
        }
    }
    if (argc < 6 || strcmp(argv[2], "ask") != 0) {
        fprintf(stderr, "usage: request_reply ENDPOINT serve NAME\n"
                        "       request_reply ENDPOINT ask NAME SERVER TEXT...\n");
        return 2;
    }
    struct slim_app *app = join(argv[1], argv[3]);
    session = talk_to(app, argv[4]);
    ask(session, argv + 5, argc - 5);
    finish(slim_session_delete(session, NULL), "delete");
    slim_session_unref(session);
    slim_app_unref(app);
    return 0;
}
