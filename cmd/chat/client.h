/* An application linked to its node, as both chat programs start it, and what they wait for. */
#ifndef CHAT_CLIENT_H
#define CHAT_CLIENT_H

#include "chat/settings.h"
#include "slim/slim.h"

enum {
    CHAT_NAME_BYTES_MAX = 1024, /* a longer name is shown cut */
    CHAT_LABEL_BYTES_MAX = 32,
    CHAT_SPIRE_MS = 10000,   /* for the first token of an agent */
    CHAT_GOODBYE_MS = 3000,  /* for leaving politely when something else has gone wrong */
    CHAT_SHUTDOWN_MS = 5000, /* for what is still in queues at the end */
};

/* full_name   our own with its id, in hexadecimal;  label: the id in decimal */
struct chat_client {
    const struct chat_settings *settings;
    struct slim_service *service;
    struct slim_app *app;
    struct slim_queue *queue;
    uint64_t link;
    struct slim_name local;
    char full_name[CHAT_NAME_BYTES_MAX];
    char label[CHAT_LABEL_BYTES_MAX];
};

/* What a program runs. Returns its status. */
typedef int chat_main(struct chat_client *client);

/* Everything around it: settings, terminal, log, link, identity, application; says what is wrong and returns 1. */
int chat_run(enum chat_program program, int argc, char **argv, chat_main *run);

/* "org/ns/app". False: it is none, and an error line says so. */
bool chat_read_name(const char *text, struct slim_name *name);

/* Wait for the operation, which was begun with chat_notify(client, NULL); it is unreferenced. false with SLIM_ERR_TIMEOUT: interrupted by the user.
 * Nothing else may be under way. */
bool chat_finish(struct chat_client *client, struct slim_op *op, uint64_t deadline_ns,
                 struct slim_error *error);

struct slim_notify chat_notify(struct chat_client *client, void *user);

/* End a session that is in the way of our own end. */
void chat_leave(struct chat_client *client, struct slim_session *session);

/* "Client interrupted by user." when that is what happened; the status for it. */
int chat_interrupted(void);

/* How the sessions of the settings are. */
struct slim_session_config chat_session_config(const struct chat_settings *settings,
                                               enum slim_session_type type);

/* Is this what a session says when it refused a message in clear? Then a line names the flag that shows such messages; else the notice itself
 * is shown. */
void chat_say_notice(const struct slim_error *notice);

#endif
