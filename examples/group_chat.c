/* A group: whoever starts it invites the others; each line of standard input goes to everybody.
 *
 *     group_chat ENDPOINT org/ns/bob                                    bob waits to be invited
 *     group_chat ENDPOINT org/ns/alice org/ns/bob org/ns/carol          alice invites bob and carol
 *
 * One thread reads standard input and publishes, one reads the session: any call may be made from any thread. The group ends when the one
 * who started it comes to the end of its input. */
#include <pthread.h>
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

static struct slim_session *start_group(struct slim_app *app, char **members, int count)
{
    struct slim_error error;
    struct slim_session *group;
    struct slim_name room = name_of("org/ns/chat");
    struct slim_session_config config = {
        .type = SLIM_GROUP, .enable_mls = true, .max_retries = 5, .interval_ms = 1000};
    need(slim_session_open(app, &config, &room, slim_in_ms(10000), &group, &error), &error,
         "group");
    for (int i = 0; i < count; i++) {
        struct slim_name member = name_of(members[i]);
        finish(slim_session_invite(group, &member, NULL), members[i]);
        printf("* %s is in\n", members[i]);
        fflush(stdout);
    }
    return group;
}

/* Print what comes until the session is over. Other statuses than these two are news, and reading goes on. */
static void *read_group(void *group)
{
    struct slim_error error;
    struct slim_message *message;
    enum slim_status status;
    while ((status = slim_session_receive(group, SLIM_FOREVER, &message, &error)) !=
           SLIM_ERR_CLOSED) {
        if (status != SLIM_OK) {
            printf("* %s\n", error.text);
            continue;
        }
        const struct slim_message_info *info = slim_message_look(message);
        printf("%.*s > %.*s\n", (int)info->source.part[2].len,
               (const char *)info->source.part[2].data, (int)info->payload.len,
               (const char *)info->payload.data);
        fflush(stdout);
        slim_message_unref(message);
    }
    printf("* the group is over\n");
    return NULL;
}

int main(int argc, char **argv)
{
    struct slim_error error;
    struct slim_session *group;
    pthread_t reader;
    char line[4096];
    if (argc < 3) {
        fprintf(stderr, "usage: group_chat ENDPOINT NAME [MEMBER...]\n");
        return 2;
    }
    struct slim_app *app = join(argv[1], argv[2]);
    bool is_starter = argc > 3;
    if (is_starter) {
        group = start_group(app, argv + 3, argc - 3);
    } else {
        printf("* waiting\n");
        fflush(stdout);
        need(slim_app_listen(app, SLIM_FOREVER, &group, &error), &error, "listen");
    }
    if (pthread_create(&reader, NULL, read_group, group) != 0) {
        return 1;
    }
    while (fgets(line, sizeof(line), stdin) != NULL) {
        struct slim_payload payload = {.data = line, .len = strcspn(line, "\n")};
        finish(slim_session_publish(group, &payload, NULL), "publish");
    }
    if (is_starter) {
        finish(slim_session_delete(group, NULL), "delete");
    }
    pthread_join(reader, NULL);
    slim_session_unref(group);
    slim_app_unref(app);
    return 0;
}
