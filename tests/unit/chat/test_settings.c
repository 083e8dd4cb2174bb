#include "chat/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/check.h"

static const char *const no_environment[] = {NULL};

/* The settings of these arguments (NULL at the end) and this environment. */
static enum slim_status read_settings(struct chat_reader *reader, const char *const *arguments,
                                      const char *const *environment, struct slim_error *error)
{
    int count = 0;
    enum chat_action action;
    while (arguments[count] != NULL) {
        count++;
    }
    return chat_settings_read(reader, count, arguments, environment, &action, error);
}

static void defaults_are_the_references(void **state)
{
    (void)state;
    struct chat_reader reader = {.program = CHAT_P2P};
    struct slim_error error;
    const char *const arguments[] = {"slim-p2p", "--local", "a/b/c", NULL};
    CHECK_OK(read_settings(&reader, arguments, no_environment, &error));
    CHECK(strcmp(reader.settings.slim, "http://127.0.0.1:46357") == 0);
    CHECK(strlen(reader.settings.shared_secret) == 29); /* too short: it will be refused */
    CHECK(reader.settings.iterations == 10 && reader.settings.max_retries == 5);
    CHECK(reader.settings.interval_ms == 5000 && !reader.settings.enable_mls);
    chat_settings_fini(&reader.settings);
}

static void flags_count_more_than_variables_and_those_more_than_files(void **state)
{
    (void)state;
    struct chat_reader reader = {.program = CHAT_GROUP};
    struct slim_error error;
    char dotenv[] = "SLIM_REMOTE=dotenv\nSLIM_JWT='dot env' # why\nOTHER=1\nSLIM_SLIM=dotenv\n";
    const char *const arguments[] = {
        "slim-group", "--local=a/b/c", "--invites", "x", "--invites", "y", NULL};
    const char *const environment[] = {"SLIM_LOCAL=overruled",
                                       "slim_remote=variable",
                                       "SLIM_INVITES=overruled",
                                       "SLIM_SPIRE_JWT_AUDIENCE=[\"p\", \"q\"]",
                                       "PATH=/bin",
                                       NULL};
    CHECK_OK(chat_settings_take(&reader, "slim", "file", true, CHAT_ORIGIN_FILE, &error));
    CHECK_OK(chat_settings_take_dotenv(&reader, dotenv, &error));
    CHECK_OK(read_settings(&reader, arguments, environment, &error));
    CHECK(strcmp(reader.settings.local, "a/b/c") == 0);
    CHECK(strcmp(reader.settings.remote, "variable") == 0);
    CHECK(strcmp(reader.settings.jwt, "dot env") == 0);
    CHECK(strcmp(reader.settings.slim, "dotenv") == 0);
    CHECK(reader.settings.invites.count == 2 && strcmp(reader.settings.invites.items[1], "y") == 0);
    CHECK(reader.settings.spire_audience.count == 2);
    CHECK(strcmp(reader.settings.spire_audience.items[1], "q") == 0);
    chat_settings_fini(&reader.settings);
}

static void bad_settings_are_refused_with_a_sentence(void **state)
{
    (void)state;
    static const char *const rows[][6] = {
        {"slim-group", NULL},
        {"slim-group", "--local", NULL},
        {"slim-group", "--local", "a/b/c", "--message", "not of this program", NULL},
        {"slim-group", "--local", "a/b/c", "--max-retries", "0", NULL},
        {"slim-group", "--local", "a/b/c", "--interval", "0", NULL},
        {"slim-group", "--local", "a/b/c", "--mls-app-protection", "none", NULL},
        {"slim-group", "--local", "a/b/c", "--enable-mls=perhaps", NULL},
        {"slim-group", "--local", "a/b/c", "positional", NULL},
        {"slim-group", "--local", "a/b/c", "--config", "there/is/no.yaml", NULL},
        {"slim-group", "--local", "a/b/c", "--config", "any.toml", NULL},
        {"slim-group", "--local", "a/b/c", "--config", "any.ini", NULL},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct chat_reader reader = {.program = CHAT_GROUP};
        struct slim_error error = {.status = SLIM_OK};
        CHECK_ROW(rows[i][1] == NULL ? "nothing" : rows[i][1],
                  read_settings(&reader, rows[i], no_environment, &error) != SLIM_OK);
        CHECK(error.text[0] != 0);
        chat_settings_fini(&reader.settings);
    }
}

static void files_are_yaml_or_json(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *text;
        bool is_good;
    } rows[] = {
        {"YAML", "remote: r\nenable_mls: true\ninvites:\n  - x\n  - y\njwt: null\nother: {a: b}\n",
         true},
        {"JSON",
         "{\"remote\": \"r\", \"enable_mls\": true, \"invites\": [\"x\", \"y\"], \"jwt\": null}",
         true},
        {"no map", "- x\n- y\n", false},
        {"broken", "remote: [\n", false},
        {"a bad value", "remote: r\nmax_retries: many\n", false},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        char path[] = "/tmp/slim-settings-XXXXXX.yaml";
        int fd = mkstemps(path, 5);
        struct chat_reader reader = {.program = CHAT_GROUP};
        struct slim_error error = {.status = SLIM_OK};
        CHECK(fd >= 0 && write(fd, rows[i].text, strlen(rows[i].text)) > 0);
        CHECK_ROW(rows[i].why,
                  (chat_settings_take_file(&reader, path, &error) == SLIM_OK) == rows[i].is_good);
        if (rows[i].is_good) {
            CHECK(strcmp(reader.settings.remote, "r") == 0 && reader.settings.enable_mls);
            CHECK(reader.settings.invites.count == 2 && reader.settings.jwt == NULL);
        }
        (void)close(fd);
        (void)unlink(path);
        chat_settings_fini(&reader.settings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_the_references),
        cmocka_unit_test(flags_count_more_than_variables_and_those_more_than_files),
        cmocka_unit_test(bad_settings_are_refused_with_a_sentence),
        cmocka_unit_test(files_are_yaml_or_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
