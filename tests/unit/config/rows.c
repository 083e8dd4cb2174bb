#include "rows.h"

#include <stdlib.h>

static bool is_bad_as(const struct bad_row *row, const struct slim_config *config,
                      const struct slim_config_error *error)
{
    char chain[SLIM_CONFIG_CAUSES_MAX * (SLIM_CONFIG_CAUSE_BYTES_MAX + 4)] = "";
    for (size_t j = 0; j + 1 < error->cause_count; j++) {
        strcat(chain, j > 0 ? " > " : "");
        strcat(chain, error->cause[j]);
    }
    const char *hint = error->cause[error->cause_count - 1];
    bool is_chain = strcmp(chain, row->chain) == 0;
    bool is_hint = strstr(hint, row->hint) != NULL && strncmp(hint, "f.yaml", 6) == 0;
    bool is_left = config == NULL ? error->stage == FILE_STAGE
                                  : error->stage != FILE_STAGE && config->service_count == 0 &&
                                        config->services == NULL;
    if (!is_chain || !is_hint || error->stage != row->stage) {
        print_error("got: %d %s > %s\n", (int)error->stage, chain, hint);
    }
    return is_chain && is_hint && is_left && error->stage == row->stage;
}

void check_bad_rows(const struct bad_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct slim_config *config = NULL;
        struct slim_config_error error;
        enum slim_status status =
            slim_config_parse(slim_view_str(rows[i].text), "f.yaml", &config, &error);
        CHECK_ROW(rows[i].why, status == SLIM_ERR_CONFIG);
        CHECK_ROW(rows[i].why, is_bad_as(&rows[i], config, &error));
        slim_config_free(config);
    }
}

struct slim_config *read_good(const char *why, const char *text)
{
    struct slim_config *config = NULL;
    struct slim_config_error error;
    enum slim_status status = slim_config_parse(slim_view_str(text), "f.yaml", &config, &error);
    if (status != SLIM_OK) {
        print_error("%s: %s > %s\n", why, error.cause[0], error.cause[error.cause_count - 1]);
    }
    CHECK_ROW(why, status == SLIM_OK && config != NULL);
    return config;
}

bool is_text(const char *got, const char *want)
{
    bool is_same = got == NULL || want == NULL ? got == want : strcmp(got, want) == 0;
    if (!is_same) {
        print_error("got: %s\n", got == NULL ? "(none)" : got);
    }
    return is_same;
}
