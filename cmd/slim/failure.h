/* Error chains as the reference prints them. */
#ifndef SLIM_CMD_SLIM_FAILURE_H
#define SLIM_CMD_SLIM_FAILURE_H

#include <stdio.h>

#include "config/config.h"

/* "Error: CONTEXT", then the causes, numbered when there are several. */
void slim_failure_print(FILE *to, const struct slim_config_error *failure);

enum { SLIM_FAILURE_DURATION_MAX = 32 };

/* A duration as the reference writes it in messages: 10s, 1.5s, 250ms. */
void slim_failure_format_duration(uint64_t ms, char text[static SLIM_FAILURE_DURATION_MAX]);

#endif
