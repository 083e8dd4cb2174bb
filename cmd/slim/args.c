#include "slim/args.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/status.h"

#define USAGE "Usage: slim --config <FILE> --version\n"
#define TRY_HELP "\nFor more information, try '--help'.\n"

enum flag {
    FLAG_CONFIG,
    FLAG_VERSION,
    FLAG_CHECK,
    FLAG_HELP,
    FLAG_COUNT,
};

static const struct {
    const char *text; /* as messages show it */
    const char *long_name;
    char short_name;
    bool has_value;
} flags[FLAG_COUNT] = {
    [FLAG_CONFIG] = {"--config <FILE>", "--config", 'c', true},
    [FLAG_VERSION] = {"--version", "--version", 'v', false},
    [FLAG_CHECK] = {"--check", "--check", 0, false},
    [FLAG_HELP] = {"--help", "--help", 'h', false},
};

struct scan {
    struct slim_args *args;
    int argc;
    char *const *argv;
    int next;
    enum flag order[FLAG_COUNT]; /* flags in the order in which they came */
    size_t count;
    bool is_done; /* help or an error ended it */
};

SLIM_PRINTF(3, 4) static void fail(struct scan *scan, const char *usage, const char *format, ...)
{
    char message[SLIM_ARGS_TEXT_MAX - sizeof(USAGE) - sizeof(TRY_HELP)];
    va_list args;
    va_start(args, format);
    /* a longer text is cut on purpose: it repeats an argument */
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    (void)snprintf(scan->args->text, sizeof(scan->args->text), "%s%s" TRY_HELP, message,
                   usage); /* fits */
    scan->args->action = SLIM_ARGS_ERROR;
    scan->is_done = true;
}

static void fail_unexpected(struct scan *scan, const char *argument)
{
    fail(scan, "\n" USAGE, "error: unexpected argument '%s' found\n", argument);
}

static void show_help(struct scan *scan, const char *config_env)
{
    (void)snprintf(scan->args->text, sizeof(scan->args->text),
                   "The main SLIM executable.\n"
                   "\n" USAGE "\n"
                   "Options:\n"
                   "  -c, --config <FILE>  Sets a custom config file [env: CONFIG=%.500s]\n"
                   "  -v, --version        Print version\n"
                   "  -h, --help           Print help\n",
                   config_env == NULL ? "" : config_env); /* fits */
    scan->args->action = SLIM_ARGS_HELP;
    scan->is_done = true;
}

static bool has(const struct scan *scan, enum flag flag)
{
    for (size_t i = 0; i < scan->count; i++) {
        if (scan->order[i] == flag) {
            return true;
        }
    }
    return false;
}

/* The value of --config: `attached` to it ("--config=x", "-cx"), or the next argument. */
static void take_value(struct scan *scan, const char *attached)
{
    const char *value = attached;
    if (value == NULL && scan->next < scan->argc) {
        const char *next = scan->argv[scan->next];
        if (next[0] != '-' || next[1] == '\0') {
            value = next;
            scan->next++;
        }
    }
    if (value == NULL || value[0] == '\0') {
        fail(scan, "", "error: a value is required for '%s' but none was supplied\n",
             flags[FLAG_CONFIG].text);
        return;
    }
    scan->args->config_path = value;
}

/* Take one flag; `attached` is the value joined to it, or NULL. */
static void take_flag(struct scan *scan, enum flag flag, const char *attached,
                      const char *config_env)
{
    if (flag == FLAG_HELP && attached == NULL) {
        show_help(scan, config_env);
        return;
    }
    if (attached != NULL && !flags[flag].has_value) {
        fail(scan, "\n" USAGE,
             "error: unexpected value '%s' for '%s' found; no more were expected\n", attached,
             flags[flag].text);
        return;
    }
    if (has(scan, flag)) {
        fail(scan, "\n" USAGE, "error: the argument '%s' cannot be used multiple times\n",
             flags[flag].text);
        return;
    }
    scan->order[scan->count++] = flag;
    if (flags[flag].has_value) {
        take_value(scan, attached);
    }
}

static void take_long(struct scan *scan, const char *argument, const char *config_env)
{
    size_t len = strcspn(argument, "=");
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        if (strlen(flags[i].long_name) == len && strncmp(flags[i].long_name, argument, len) == 0) {
            take_flag(scan, (enum flag)i, argument[len] == '=' ? argument + len + 1 : NULL,
                      config_env);
            return;
        }
    }
    char name[256];
    (void)snprintf(name, sizeof(name), "%.*s", (int)(len < 255 ? len : 255), argument); /* fits */
    fail_unexpected(scan, name);
}

/* "-v", "-cFILE", "-c=FILE", "-vh" */
static void take_shorts(struct scan *scan, const char *argument, const char *config_env)
{
    for (const char *at = argument + 1; *at != '\0' && !scan->is_done; at++) {
        size_t i = 0;
        while (i < FLAG_COUNT && flags[i].short_name != *at) {
            i++;
        }
        if (i == FLAG_COUNT) {
            char name[3] = {'-', *at, '\0'};
            fail_unexpected(scan, name);
            return;
        }
        if (!flags[i].has_value) {
            take_flag(scan, (enum flag)i, NULL, config_env);
            continue;
        }
        const char *attached = at[1] == '\0' ? NULL : at[1] == '=' ? at + 2 : at + 1;
        take_flag(scan, (enum flag)i, attached, config_env);
        return;
    }
}

static void take_argument(struct scan *scan, const char *argument, const char *config_env)
{
    if (strcmp(argument, "--") == 0) {
        if (scan->next < scan->argc) {
            fail_unexpected(scan, scan->argv[scan->next]);
        }
    } else if (strncmp(argument, "--", 2) == 0) {
        take_long(scan, argument, config_env);
    } else if (argument[0] == '-' && argument[1] != '\0') {
        take_shorts(scan, argument, config_env);
    } else {
        fail_unexpected(scan, argument);
    }
}

/* What may not stand together, and what may not be missing. */
static void decide(struct scan *scan)
{
    bool has_version = has(scan, FLAG_VERSION);
    if (has_version && scan->count > 1) {
        enum flag other = scan->order[0] == FLAG_VERSION ? scan->order[1] : scan->order[0];
        bool is_first = scan->order[0] == FLAG_VERSION;
        fail(scan, "\n" USAGE, "error: the argument '%s' cannot be used with '%s'\n",
             flags[is_first ? FLAG_VERSION : other].text,
             flags[is_first ? other : FLAG_VERSION].text);
        return;
    }
    if (!has_version && !has(scan, FLAG_CONFIG)) {
        fail(scan, "\n" USAGE,
             "error: the following required arguments were not provided:\n  %s\n%s",
             flags[FLAG_CONFIG].text, has(scan, FLAG_CHECK) ? "" : "  --version\n");
        return;
    }
    scan->args->action = has_version             ? SLIM_ARGS_VERSION
                         : has(scan, FLAG_CHECK) ? SLIM_ARGS_CHECK
                                                 : SLIM_ARGS_RUN;
}

void slim_args_parse(int argc, char *const *argv, const char *config_env, struct slim_args *args)
{
    *args = (struct slim_args){.action = SLIM_ARGS_ERROR};
    struct scan scan = {.args = args, .argc = argc, .argv = argv, .next = 1};
    while (scan.next < argc && !scan.is_done) {
        const char *argument = argv[scan.next++];
        take_argument(&scan, argument, config_env);
    }
    if (scan.is_done) {
        return;
    }
    if (config_env != NULL && config_env[0] != '\0' && !has(&scan, FLAG_CONFIG)) {
        scan.order[scan.count++] = FLAG_CONFIG;
        args->config_path = config_env;
    }
    decide(&scan);
}
