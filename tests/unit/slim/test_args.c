#include "slim/args.h"
#include "support/check.h"

#define USAGE "\nUsage: slim --config <FILE> --version\n"
#define TRY "\nFor more information, try '--help'.\n"
#define NEEDS_VALUE "error: a value is required for '--config <FILE>' but none was supplied\n" TRY

enum { ARGUMENTS_MAX = 6 };

static void parse(const char *const arguments[ARGUMENTS_MAX], const char *config_env,
                  struct slim_args *args)
{
    char *argv[ARGUMENTS_MAX + 1] = {(char *)"slim"};
    int argc = 1;
    for (; argc <= ARGUMENTS_MAX && arguments[argc - 1] != NULL; argc++) {
        argv[argc] = (char *)arguments[argc - 1];
    }
    slim_args_parse(argc, argv, config_env, args);
}

static void good_calls_choose_an_action(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *arguments[ARGUMENTS_MAX];
        const char *config_env;
        enum slim_args_action action;
        const char *path;
    } rows[] = {
        {"short", {"-c", "a.yaml"}, NULL, SLIM_ARGS_RUN, "a.yaml"},
        {"short, joined", {"-ca.yaml"}, NULL, SLIM_ARGS_RUN, "a.yaml"},
        {"short, with an equals sign", {"-c=a.yaml"}, NULL, SLIM_ARGS_RUN, "a.yaml"},
        {"long", {"--config", "a.yaml"}, NULL, SLIM_ARGS_RUN, "a.yaml"},
        {"long, with an equals sign", {"--config=a=b.yaml"}, NULL, SLIM_ARGS_RUN, "a=b.yaml"},
        {"a dash alone is a value", {"-c", "-"}, NULL, SLIM_ARGS_RUN, "-"},
        {"from the environment", {NULL}, "e.yaml", SLIM_ARGS_RUN, "e.yaml"},
        {"the command line wins", {"-c", "a.yaml"}, "e.yaml", SLIM_ARGS_RUN, "a.yaml"},
        {"nothing behind two dashes", {"-c", "a.yaml", "--"}, NULL, SLIM_ARGS_RUN, "a.yaml"},
        {"check", {"--check", "--config", "a.yaml"}, NULL, SLIM_ARGS_CHECK, "a.yaml"},
        {"check in the other order",
         {"--config", "a.yaml", "--check"},
         NULL,
         SLIM_ARGS_CHECK,
         "a.yaml"},
        {"check what the environment names", {"--check"}, "e.yaml", SLIM_ARGS_CHECK, "e.yaml"},
        {"version", {"--version"}, NULL, SLIM_ARGS_VERSION, NULL},
        {"version, short", {"-v"}, NULL, SLIM_ARGS_VERSION, NULL},
        {"an empty variable is none", {"-v"}, "", SLIM_ARGS_VERSION, NULL},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_args args;
        parse(rows[i].arguments, rows[i].config_env, &args);
        CHECK_ROW(rows[i].why, args.action == rows[i].action);
        CHECK_ROW(rows[i].why, rows[i].path == NULL || strcmp(args.config_path, rows[i].path) == 0);
    }
}

static void help_shows_the_value_of_the_variable(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *arguments[ARGUMENTS_MAX];
        const char *config_env;
        const char *shown;
    } rows[] = {
        {"long", {"--help"}, NULL, ""},
        {"short", {"-h"}, NULL, ""},
        {"with the variable", {"-h"}, "/etc/slim.yaml", "/etc/slim.yaml"},
        {"what follows is not looked at", {"-h", "--bogus"}, NULL, ""},
        {"nor what is missing", {"-vh"}, NULL, ""},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        char want[600];
        (void)snprintf(
            want, sizeof(want),
            "The main SLIM executable.\n\nUsage: slim --config <FILE> --version\n\nOptions:\n"
            "  -c, --config <FILE>  Sets a custom config file [env: CONFIG=%s]\n"
            "  -v, --version        Print version\n"
            "  -h, --help           Print help\n",
            rows[i].shown);
        struct slim_args args;
        parse(rows[i].arguments, rows[i].config_env, &args);
        CHECK_ROW(rows[i].why, args.action == SLIM_ARGS_HELP);
        CHECK_ROW(rows[i].why, strcmp(args.text, want) == 0);
    }
}

static void bad_calls_are_told_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *arguments[ARGUMENTS_MAX];
        const char *config_env;
        const char *text;
    } rows[] = {
        {"nothing",
         {NULL},
         NULL,
         "error: the following required arguments were not provided:\n  --config <FILE>\n  "
         "--version\n" USAGE TRY},
        {"check without a file",
         {"--check"},
         NULL,
         "error: the following required arguments were not provided:\n  --config <FILE>\n" USAGE
             TRY},
        {"a capital letter", {"-V"}, NULL, "error: unexpected argument '-V' found\n" USAGE TRY},
        {"an unknown flag",
         {"--bogus"},
         NULL,
         "error: unexpected argument '--bogus' found\n" USAGE TRY},
        {"an unknown flag with a value",
         {"--bogus=1"},
         NULL,
         "error: unexpected argument '--bogus' found\n" USAGE TRY},
        {"a positional argument",
         {"foo"},
         NULL,
         "error: unexpected argument 'foo' found\n" USAGE TRY},
        {"an empty one", {""}, NULL, "error: unexpected argument '' found\n" USAGE TRY},
        {"behind two dashes",
         {"--", "-v"},
         NULL,
         "error: unexpected argument '-v' found\n" USAGE TRY},
        {"behind a good flag", {"-vx"}, NULL, "error: unexpected argument '-x' found\n" USAGE TRY},
        {"a missing value", {"--config"}, NULL, NEEDS_VALUE},
        {"a flag is no value", {"--config", "--version"}, NULL, NEEDS_VALUE},
        {"an empty value", {"--config="}, NULL, NEEDS_VALUE},
        {"a value where none belongs",
         {"--version=1"},
         NULL,
         "error: unexpected value '1' for '--version' found; no more were expected\n" USAGE TRY},
        {"a value for help",
         {"--help=1"},
         NULL,
         "error: unexpected value '1' for '--help' found; no more were expected\n" USAGE TRY},
        {"twice",
         {"-c", "a", "-c", "b"},
         NULL,
         "error: the argument '--config <FILE>' cannot be used multiple times\n" USAGE TRY},
        {"both",
         {"--config", "a", "--version"},
         NULL,
         "error: the argument '--config <FILE>' cannot be used with '--version'\n" USAGE TRY},
        {"both, in the other order",
         {"--version", "--config", "a"},
         NULL,
         "error: the argument '--version' cannot be used with '--config <FILE>'\n" USAGE TRY},
        {"both, by the environment",
         {"-v"},
         "x",
         "error: the argument '--version' cannot be used with '--config <FILE>'\n" USAGE TRY},
        {"version and check",
         {"-v", "--check"},
         NULL,
         "error: the argument '--version' cannot be used with '--check'\n" USAGE TRY},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_args args;
        parse(rows[i].arguments, rows[i].config_env, &args);
        CHECK_ROW(rows[i].why, args.action == SLIM_ARGS_ERROR);
        CHECK_ROW(args.text, strcmp(args.text, rows[i].text) == 0);
    }
}

static void long_arguments_are_cut_in_messages(void **state)
{
    (void)state;
    char argument[4 * SLIM_ARGS_TEXT_MAX];
    memset(argument, 'x', sizeof(argument) - 1);
    argument[sizeof(argument) - 1] = '\0';
    struct slim_args args;
    parse((const char *const[ARGUMENTS_MAX]){argument}, NULL, &args);
    CHECK(args.action == SLIM_ARGS_ERROR && strlen(args.text) < sizeof(args.text));
    CHECK(strstr(args.text, "Usage: slim") != NULL && strstr(args.text, TRY) != NULL);
    memcpy(argument, "--", 2);
    parse((const char *const[ARGUMENTS_MAX]){argument}, NULL, &args);
    CHECK(args.action == SLIM_ARGS_ERROR && strstr(args.text, "' found\n" USAGE TRY) != NULL);
    parse((const char *const[ARGUMENTS_MAX]){"-h"}, argument, &args);
    CHECK(args.action == SLIM_ARGS_HELP && strstr(args.text, "Print help\n") != NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_calls_choose_an_action),
        cmocka_unit_test(help_shows_the_value_of_the_variable),
        cmocka_unit_test(bad_calls_are_told_what_is_wrong),
        cmocka_unit_test(long_arguments_are_cut_in_messages),
    };
    return cmocka_run_group_tests_name("args", tests, NULL, NULL);
}
