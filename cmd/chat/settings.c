#include "chat/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/secret.h"
#include "chat/text.h"

enum { FILE_BYTES_MAX = 1024 * 1024, RETRIES_MAX = 1000, ITERATIONS_MAX = 1000000000 };

enum kind { TEXT, LIST, COMMAS, SWITCH, NUMBER, SECONDS, PROTECTION };

enum { BOTH = CHAT_GROUP | CHAT_P2P };

#define AT(member) offsetof(struct chat_settings, member)

/* name      in files; the flag is "--" and this with dashes, the variable "SLIM_" and this in capitals
 * fallback  the value when nobody says any */
static const struct setting {
    const char *name;
    enum kind kind;
    int programs;
    size_t at;
    const char *fallback;
    const char *value; /* how --help calls it */
    const char *help;
} table[] = {
    {"local", TEXT, BOTH, AT(local), NULL, "ORG/NS/APP", "our own name (needed)"},
    {"remote", TEXT, BOTH, AT(remote), NULL, "ORG/NS/NAME", "the channel, or the peer"},
    {"slim", TEXT, BOTH, AT(slim), "http://127.0.0.1:46357", "URL",
     "the node [default: http://127.0.0.1:46357]"},
    {"config", TEXT, BOTH, AT(config), NULL, "FILE",
     "YAML or JSON file with these settings; as SLIM_CONFIG_FILE"},
    {"shared_secret", TEXT, BOTH, AT(shared_secret), "abcde-12345-fedcb-67890-deadc", "TEXT",
     "secret of all members, at least 32 bytes"},
    {"enable_mls", SWITCH, BOTH, AT(enable_mls), NULL, "", "encrypt from end to end"},
    {"enable_opentelemetry", SWITCH, BOTH, AT(has_opentelemetry), NULL, "", "no effect"},
    {"jwt", TEXT, BOTH, AT(jwt), NULL, "FILE", "private key that signs our tokens (PEM, RS256)"},
    {"spire_trust_bundle", TEXT, BOTH, AT(trust_bundle), NULL, "FILE",
     "keys that check tokens: {trust domain: base64 of a JWKS}"},
    {"audience", COMMAS, BOTH, AT(audience), NULL, "A,B", "audiences of the tokens"},
    {"spire_socket_path", TEXT, BOTH, AT(spire_socket), NULL, "unix:///PATH",
     "identity from this SPIRE agent"},
    {"spire_target_spiffe_id", TEXT, BOTH, AT(spire_target), NULL, "ID", "which of our SPIFFE ids"},
    {"spire_jwt_audience", LIST, BOTH, AT(spire_audience), NULL, "A",
     "audience of SPIRE's tokens; repeatable"},
    {"mls_app_protection", PROTECTION, BOTH, AT(allow_plaintext), NULL, "required|compat-1.0.0",
     "what comes in clear in an MLS session is not shown,\n"
     "                               or shown with a mark [default: required]"},
    {"invites", LIST, CHAT_GROUP, AT(invites), NULL, "NAME",
     "with --remote: moderate the group, invite NAME; repeatable"},
    {"message", TEXT, CHAT_P2P, AT(message), NULL, "TEXT", "send this to --remote"},
    {"iterations", NUMBER, CHAT_P2P, AT(iterations), "10", "N", "so many times [default: 10]"},
    {"unreliable", SWITCH, CHAT_P2P, AT(is_unreliable), NULL, "",
     "nothing is acknowledged or repeated"},
    {"max_retries", NUMBER, BOTH, AT(max_retries), "5", "N",
     "repetitions of a message [default: 5]"},
    {"interval", SECONDS, BOTH, AT(interval_ms), "5", "SECONDS",
     "pause between repetitions [default: 5]"},
};
static_assert(SLIM_COUNT(table) <= CHAT_SETTINGS_COUNT_MAX, "");

/* ------------------------------------------------------------------------------------------------ values */

static void text_free(char *text)
{
    if (text != NULL) {
        slim_secret_wipe(text, strlen(text));
        free(text);
    }
}

static void texts_free(struct chat_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++) {
        text_free(texts->items[i]);
    }
    free(texts->items);
    *texts = (struct chat_texts){0};
}

static enum slim_status append(struct chat_texts *texts, const char *text, size_t len)
{
    char **items = realloc(texts->items, (texts->count + 1) * sizeof(*items));
    if (items == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    texts->items = items;
    texts->items[texts->count] = strndup(text, len);
    if (texts->items[texts->count] == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    texts->count++;
    return SLIM_OK;
}

/* "a, b" or ["a", "b"]. What such texts are made of has neither commas nor quotes in it. */
static enum slim_status append_all(struct chat_texts *texts, const char *text)
{
    static const char around[] = " \t\"[]";
    while (*text != 0) {
        size_t len = strcspn(text, ",");
        size_t start = strspn(text, around);
        size_t end = len;
        while (end > start && strchr(around, text[end - 1]) != NULL) {
            end--;
        }
        if (start < end) {
            SLIM_TRY(append(texts, text + start, end - start));
        }
        text += len + (text[len] == ',' ? 1 : 0);
    }
    return SLIM_OK;
}

static enum slim_status set_text(char **target, const char *value)
{
    char *copy = strdup(value);
    if (copy == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    text_free(*target);
    *target = copy;
    return SLIM_OK;
}

static bool set_protection(bool *allows_plaintext, const char *value)
{
    *allows_plaintext = strcmp(value, "compat-1.0.0") == 0;
    return *allows_plaintext || strcmp(value, "required") == 0;
}

static enum slim_status set(const struct setting *setting, struct chat_settings *settings,
                            const char *value, bool is_whole)
{
    void *target = (char *)settings + setting->at;
    uint64_t number_max = setting->at == AT(iterations) ? ITERATIONS_MAX : RETRIES_MAX;
    bool is_good = true;
    switch (setting->kind) {
    case TEXT:
        return set_text(target, value);
    case LIST:
        return is_whole ? append_all(target, value) : append(target, value, strlen(value));
    case COMMAS:
        return append_all(target, value);
    case SWITCH:
        is_good = chat_text_read_switch(value, target);
        break;
    case NUMBER:
        is_good = chat_text_read_number(value, 1, number_max, target);
        break;
    case SECONDS:
        is_good = chat_text_read_seconds(value, target) && *(uint64_t *)target > 0;
        break;
    case PROTECTION:
        is_good = set_protection(target, value);
        break;
    }
    return is_good ? SLIM_OK : SLIM_ERR_ARGUMENT;
}

static const char *expected(const struct setting *setting)
{
    switch (setting->kind) {
    case SWITCH:
        return "true or false";
    case NUMBER:
        return setting->at == AT(iterations) ? "a number, 1 or more" : "a number, 1 to 1000";
    case SECONDS:
        return "seconds, more than 0 and at most a day";
    case PROTECTION:
        return "required or compat-1.0.0";
    case TEXT:
    case LIST:
    case COMMAS:
        break;
    }
    return "a text";
}

static enum slim_status take(struct chat_reader *reader, size_t index, const char *value,
                             bool is_whole, enum chat_origin origin, struct slim_error *error)
{
    const struct setting *setting = &table[index];
    if (origin < reader->origin[index] || (setting->programs & (int)reader->program) == 0) {
        return SLIM_OK;
    }
    if (origin > reader->origin[index] && (setting->kind == LIST || setting->kind == COMMAS)) {
        texts_free((struct chat_texts *)((char *)&reader->settings + setting->at));
    }
    reader->origin[index] = origin;
    enum slim_status status = set(setting, &reader->settings, value, is_whole);
    if (status == SLIM_ERR_ARGUMENT) {
        return slim_error_set(error, status, "%s: '%.100s' is not %s", setting->name, value,
                              expected(setting));
    }
    return status == SLIM_OK ? status : slim_error_set(error, status, "out of memory");
}

enum slim_status chat_settings_take(struct chat_reader *reader, const char *name, const char *value,
                                    bool is_whole, enum chat_origin origin,
                                    struct slim_error *error)
{
    for (size_t i = 0; i < SLIM_COUNT(table); i++) {
        if (strcasecmp(table[i].name, name) == 0) {
            return take(reader, i, value, is_whole, origin, error);
        }
    }
    return SLIM_OK;
}

/* ------------------------------------------------------------------------------------------------ flags */

/* Does the argument name this flag? *value: behind "=", or NULL. */
static bool is_flag(const char *argument, const char *name, const char **value)
{
    if (strncmp(argument, "--", 2) != 0) {
        return false;
    }
    argument += 2;
    for (; *name != 0; name++, argument++) {
        if (*argument != (*name == '_' ? '-' : *name)) {
            return false;
        }
    }
    *value = *argument == '=' ? argument + 1 : NULL;
    return *argument == '=' || *argument == 0;
}

static enum slim_status take_flag(struct chat_reader *reader, int argc, const char *const *argv,
                                  int *at, struct slim_error *error)
{
    const char *argument = argv[*at];
    for (size_t i = 0; i < SLIM_COUNT(table); i++) {
        const char *value;
        if ((table[i].programs & (int)reader->program) == 0 ||
            !is_flag(argument, table[i].name, &value)) {
            continue;
        }
        if (value == NULL && table[i].kind == SWITCH) {
            value = "true";
        } else if (value == NULL) {
            if (*at + 1 >= argc) {
                return slim_error_set(error, SLIM_ERR_ARGUMENT, "%s needs a value", argument);
            }
            value = argv[++*at];
        }
        return take(reader, i, value, false, CHAT_ORIGIN_FLAG, error);
    }
    return slim_error_set(error, SLIM_ERR_ARGUMENT,
                          "unknown argument '%.100s'; --help lists what there is", argument);
}

static enum slim_status take_flags(struct chat_reader *reader, int argc, const char *const *argv,
                                   enum chat_action *action, struct slim_error *error)
{
    *action = CHAT_RUN;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            *action = CHAT_HELP;
            return SLIM_OK;
        }
        if (strcmp(argv[i], "--version") == 0) {
            *action = CHAT_VERSION;
            return SLIM_OK;
        }
        SLIM_TRY(take_flag(reader, argc, argv, &i, error));
    }
    return SLIM_OK;
}

/* ------------------------------------------------------------------------------------------------ environment */

/* "SLIM_NAME=VALUE" */
static enum slim_status take_variable(struct chat_reader *reader, const char *variable,
                                      size_t name_len, const char *value, enum chat_origin origin,
                                      struct slim_error *error)
{
    static const char prefix[] = "SLIM_";
    char name[64];
    if (strncasecmp(variable, prefix, sizeof(prefix) - 1) != 0 || name_len >= sizeof(name)) {
        return SLIM_OK;
    }
    (void)snprintf(name, sizeof(name), "%.*s", (int)(name_len - (sizeof(prefix) - 1)),
                   variable + sizeof(prefix) - 1); /* fits */
    if (strcasecmp(name, "config_file") == 0) {
        return chat_settings_take(reader, "config", value, true, origin, error);
    }
    if (strcasecmp(name, "config") == 0) {
        return SLIM_OK;
    }
    return chat_settings_take(reader, name, value, true, origin, error);
}

static enum slim_status take_environment(struct chat_reader *reader, const char *const *environment,
                                         struct slim_error *error)
{
    for (; *environment != NULL; environment++) {
        const char *end = strchr(*environment, '=');
        if (end != NULL) {
            SLIM_TRY(take_variable(reader, *environment, (size_t)(end - *environment), end + 1,
                                   CHAT_ORIGIN_ENVIRONMENT, error));
        }
    }
    return SLIM_OK;
}

/* Cut what is around a value: white space, quotes, a comment behind it. */
static char *trim_value(char *value)
{
    value += strspn(value, " \t");
    char quote = *value;
    char *end = quote == '"' || quote == '\'' ? strchr(value + 1, quote) : NULL;
    if (end != NULL) {
        *end = 0;
        return value + 1;
    }
    end = strstr(value, " #");
    end = end == NULL ? value + strlen(value) : end;
    while (end > value && strchr(" \t\r", end[-1]) != NULL) {
        end--;
    }
    *end = 0;
    return value;
}

enum slim_status chat_settings_take_dotenv(struct chat_reader *reader, char *text,
                                           struct slim_error *error)
{
    char *next = NULL;
    for (char *line = strtok_r(text, "\n", &next); line != NULL;
         line = strtok_r(NULL, "\n", &next)) {
        line += strspn(line, " \t");
        if (strncmp(line, "export ", 7) == 0) {
            line += 7 + strspn(line + 7, " \t");
        }
        char *equals = strchr(line, '=');
        if (*line == '#' || equals == NULL) {
            continue;
        }
        size_t name_len = (size_t)(equals - line);
        while (name_len > 0 && strchr(" \t", line[name_len - 1]) != NULL) {
            name_len--;
        }
        SLIM_TRY(take_variable(reader, line, name_len, trim_value(equals + 1), CHAT_ORIGIN_DOTENV,
                               error));
    }
    return SLIM_OK;
}

static enum slim_status take_dotenv_file(struct chat_reader *reader, struct slim_error *error)
{
    FILE *file = fopen(".env", "re");
    if (file == NULL) {
        return SLIM_OK; /* most folders have none */
    }
    char *text = calloc(1, FILE_BYTES_MAX + 1);
    enum slim_status status = SLIM_ERR_NO_MEMORY;
    if (text != NULL) {
        size_t len = fread(text, 1, FILE_BYTES_MAX, file);
        status = chat_settings_take_dotenv(reader, text, error);
        slim_secret_wipe(text, len);
    }
    free(text);
    (void)fclose(file); /* only read */
    return status;
}

/* ------------------------------------------------------------------------------------------------ all of it */

static enum slim_status take_defaults(struct chat_reader *reader, struct slim_error *error)
{
    for (size_t i = 0; i < SLIM_COUNT(table); i++) {
        if (table[i].fallback != NULL) {
            SLIM_TRY(take(reader, i, table[i].fallback, true, CHAT_ORIGIN_DEFAULT, error));
        }
    }
    return SLIM_OK;
}

enum slim_status chat_settings_read(struct chat_reader *reader, int argc, const char *const *argv,
                                    const char *const *environment, enum chat_action *action,
                                    struct slim_error *error)
{
    SLIM_TRY(take_defaults(reader, error));
    SLIM_TRY(take_flags(reader, argc, argv, action, error));
    if (*action != CHAT_RUN) {
        return SLIM_OK;
    }
    SLIM_TRY(take_environment(reader, environment, error));
    SLIM_TRY(take_dotenv_file(reader, error));
    struct chat_settings *settings = &reader->settings;
    if (settings->config != NULL) {
        SLIM_TRY(chat_settings_take_file(reader, settings->config, error));
    }
    if (settings->local == NULL) {
        return slim_error_set(error, SLIM_ERR_ARGUMENT,
                              "--local is needed: our own name, organization/namespace/app");
    }
    if (settings->message != NULL && settings->remote == NULL) {
        return slim_error_set(error, SLIM_ERR_ARGUMENT,
                              "Remote ID must be provided when message is specified.");
    }
    return SLIM_OK;
}

void chat_settings_print_help(enum chat_program program)
{
    (void)printf("Usage: %s --local ORG/NS/APP --shared-secret TEXT [OPTIONS]\n\n%s\n\nOptions:\n",
                 program == CHAT_GROUP ? "slim-group" : "slim-p2p",
                 program == CHAT_GROUP
                     ? "Talk in a group: as its moderator with --remote and --invites, else as a "
                       "participant who waits\nto be invited."
                     : "Send a message to a peer and show what it answers, or wait for peers and "
                       "answer them.");
    for (size_t i = 0; i < SLIM_COUNT(table); i++) {
        if ((table[i].programs & (int)program) == 0) {
            continue;
        }
        char flag[64];
        int len = snprintf(flag, sizeof(flag), "--%s %s", table[i].name, table[i].value);
        for (int j = 0; j < len && flag[j] != ' '; j++) {
            flag[j] = flag[j] == '_' ? '-' : flag[j];
        }
        (void)printf("  %-28s%s%s\n", flag, len > 27 ? "\n                              " : " ",
                     table[i].help);
    }
    (void)printf("  %-28s %s\n  %-28s %s\n\nEach is also an environment variable: SLIM_REMOTE for "
                 "--remote, also in a file .env here.\n",
                 "--help", "this text", "--version", "the version");
}

void chat_settings_fini(struct chat_settings *settings)
{
    for (size_t i = 0; i < SLIM_COUNT(table); i++) {
        void *target = (char *)settings + table[i].at;
        if (table[i].kind == TEXT) {
            text_free(*(char **)target);
        } else if (table[i].kind == LIST || table[i].kind == COMMAS) {
            texts_free(target);
        }
    }
    *settings = (struct chat_settings){0};
}
