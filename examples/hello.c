/* Two applications and one encrypted message: alice listens, bob says hello.
 *
 *     hello ENDPOINT          e.g. hello http://127.0.0.1:46357
 *
 * Both live in this process, each with a link of its own, so the message goes through the node. */
#include <slim/slim.h>
#include <stdio.h>
#include <stdlib.h>

static const char secret[] = "a shared secret of at least 32 bytes";

/* A program this small ends at the first thing that goes wrong. */
static void need(enum slim_status status, const struct slim_error *error, const char *what)
{
    if (status != SLIM_OK) {
        fprintf(stderr, "Error: %s: %s\n", what, error->text);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    struct slim_error error;
    struct slim_name alice, bob;
    if (argc != 2 || slim_name_parse("org/ns/alice", &alice) != SLIM_OK ||
        slim_name_parse("org/ns/bob", &bob) != SLIM_OK) {
        fprintf(stderr, "usage: hello ENDPOINT\n");
        return 2;
    }
    struct slim_app *listener, *speaker;
    need(slim_app_join(argv[1], &alice, secret, slim_in_ms(5000), &listener, &error), &error,
         "alice");
    need(slim_app_join(argv[1], &bob, secret, slim_in_ms(5000), &speaker, &error), &error, "bob");

    /* bob's side: a reliable session with MLS */
    struct slim_session_config config = {
        .type = SLIM_POINT_TO_POINT, .enable_mls = true, .max_retries = 5, .interval_ms = 1000};
    struct slim_session *out, *in;
    need(slim_session_open(speaker, &config, &alice, slim_in_ms(10000), &out, &error), &error,
         "session");
    struct slim_payload hello = {.data = "hello", .len = 5};
    need(slim_finish(slim_session_publish(out, &hello, NULL), slim_in_ms(10000), &error), &error,
         "publish");

    /* alice's side */
    need(slim_app_listen(listener, slim_in_ms(5000), &in, &error), &error, "listen");
    struct slim_message *message;
    need(slim_session_receive(in, slim_in_ms(5000), &message, &error), &error, "receive");
    const struct slim_message_info *info = slim_message_look(message);
    char from[256];
    slim_name_print(&info->source, from, sizeof(from));
    printf("%s > %.*s%s\n", from, (int)info->payload.len, (const char *)info->payload.data,
           info->is_encrypted ? " [encrypted]" : "");

    slim_message_unref(message);
    need(slim_finish(slim_session_delete(out, NULL), slim_in_ms(10000), &error), &error, "delete");
    slim_session_unref(in);
    slim_session_unref(out);
    slim_app_unref(speaker);
    slim_app_unref(listener);
    return 0;
}
