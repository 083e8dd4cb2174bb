/* Two applications and one encrypted message: alice listens, bob says hello.
 *
 *     hello ENDPOINT          e.g. hello http://127.0.0.1:46357
 *
 * Both live in this process, each with a service (an engine with its links) of its own, so the message goes through the node. */
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

/* An application of this name on a service of its own, linked to the node, subscribed. */
static struct slim_app *join(const char *endpoint, const struct slim_name *name, uint64_t *link)
{
    struct slim_error error;
    struct slim_service *service;
    struct slim_app *app;
    need(slim_service_new("hello", NULL, &service, &error), &error, "service");
    need(slim_connect(service, endpoint, slim_in_ms(5000), link, &error), &error, "connect");
    need(slim_app_new_with_secret(service, name, secret, &app, &error), &error, "application");
    need(slim_finish(slim_app_subscribe(app, name, *link, NULL), slim_in_ms(5000), &error), &error,
         "subscribe");
    slim_service_unref(service); /* the application keeps it */
    return app;
}

int main(int argc, char **argv)
{
    struct slim_error error;
    struct slim_name alice, bob;
    uint64_t alice_link, bob_link;
    if (argc != 2 || slim_name_parse("org/ns/alice", &alice) != SLIM_OK ||
        slim_name_parse("org/ns/bob", &bob) != SLIM_OK) {
        fprintf(stderr, "usage: hello ENDPOINT\n");
        return 2;
    }
    struct slim_app *listener = join(argv[1], &alice, &alice_link);
    struct slim_app *speaker = join(argv[1], &bob, &bob_link);

    /* bob's side: a reliable session with MLS */
    struct slim_session_config config = {
        .type = SLIM_POINT_TO_POINT, .enable_mls = true, .max_retries = 5, .interval_ms = 1000};
    struct slim_session *out, *in;
    need(slim_finish(slim_app_set_route(speaker, &alice, bob_link, NULL), slim_in_ms(5000), &error),
         &error, "route");
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
