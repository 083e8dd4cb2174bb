/* The command line of the node (spec node.md 1). Pure: no output, no exit. */
#ifndef SLIM_CMD_SLIM_ARGS_H
#define SLIM_CMD_SLIM_ARGS_H

#include "base/view.h"

enum slim_args_action {
    SLIM_ARGS_RUN,
    SLIM_ARGS_CHECK, /* --check: read the configuration, report everything that is wrong, do not start */
    SLIM_ARGS_VERSION,
    SLIM_ARGS_HELP,
    SLIM_ARGS_ERROR, /* exit status 2 */
};

enum { SLIM_ARGS_TEXT_MAX = 1024 };

/* config_path   RUN and CHECK: borrowed from argv or the environment
 * text          HELP: for stdout; ERROR: for stderr; both with their last newline */
struct slim_args {
    enum slim_args_action action;
    const char *config_path;
    char text[SLIM_ARGS_TEXT_MAX];
};

/* Read the arguments; argv[0] is skipped. `config_env` is the value of the variable CONFIG, NULL or empty when not set. */
void slim_args_parse(int argc, char *const *argv, const char *config_env, struct slim_args *args);

#endif
