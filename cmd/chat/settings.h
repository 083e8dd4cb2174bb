/* What a chat program was told: flags, environment variables (SLIM_NAME), .env, the file of SLIM_CONFIG_FILE, defaults; the first that
 * says something counts. */
#ifndef CHAT_SETTINGS_H
#define CHAT_SETTINGS_H

#include "base/status.h"
#include "base/view.h"

/* A list of texts, owned. */
struct chat_texts {
    char **items;
    size_t count;
};

/* All texts are owned; NULL: not said. Which members a program has is in the table of settings.c.
 * interval_ms   0 only with is_unreliable */
struct chat_settings {
    char *local;
    char *remote;
    char *slim;
    char *config;
    char *shared_secret;
    bool enable_mls;
    bool has_opentelemetry;
    char *jwt;
    char *trust_bundle;
    struct chat_texts audience;
    char *spire_socket;
    char *spire_target;
    struct chat_texts spire_audience;
    bool allow_plaintext;
    struct chat_texts invites;
    char *message;
    uint64_t iterations;
    bool is_unreliable;
    uint64_t max_retries;
    uint64_t interval_ms;
};

enum chat_program {
    CHAT_GROUP = 1,
    CHAT_P2P = 2,
};

/* Where a value came from; what is higher counts. */
enum chat_origin {
    CHAT_ORIGIN_DEFAULT,
    CHAT_ORIGIN_FILE,
    CHAT_ORIGIN_DOTENV,
    CHAT_ORIGIN_ENVIRONMENT,
    CHAT_ORIGIN_FLAG,
};

enum { CHAT_SETTINGS_COUNT_MAX = 32 };

/* While settings are read. Zeroed, with program filled in.
 * origin   of each value, by its place in the table */
struct chat_reader {
    enum chat_program program;
    struct chat_settings settings;
    enum chat_origin origin[CHAT_SETTINGS_COUNT_MAX];
};

/* Take one value by its name in files ("enable_mls"). Values of lists: one text of a list, or all of them with commas between (or as a JSON
 * list of texts) when is_whole. Unknown names are passed over.
 * SLIM_ERR_ARGUMENT: it is none, with a sentence; SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status chat_settings_take(struct chat_reader *reader, const char *name,
                                                    const char *value, bool is_whole,
                                                    enum chat_origin origin,
                                                    struct slim_error *error);

enum chat_action {
    CHAT_RUN,
    CHAT_HELP,    /* --help */
    CHAT_VERSION, /* --version */
};

/* Everything: flags, then the environment, then files. */
SLIM_MUST_CHECK enum slim_status chat_settings_read(struct chat_reader *reader, int argc,
                                                    const char *const *argv,
                                                    const char *const *environment,
                                                    enum chat_action *action,
                                                    struct slim_error *error);

/* "NAME=VALUE" lines of a .env file; what does not begin with SLIM_ is passed over. `text` is changed. */
SLIM_MUST_CHECK enum slim_status chat_settings_take_dotenv(struct chat_reader *reader, char *text,
                                                           struct slim_error *error);

/* A configuration file: YAML or JSON by its ending. */
SLIM_MUST_CHECK enum slim_status
chat_settings_take_file(struct chat_reader *reader, const char *path, struct slim_error *error);

/* The text of --help, for standard output. */
void chat_settings_print_help(enum chat_program program);

/* Secrets are wiped. */
void chat_settings_fini(struct chat_settings *settings);

#endif
