/* --check beyond the file itself: can the certificates and keys that it names be used? */
#ifndef SLIM_CMD_CHECK_H
#define SLIM_CMD_CHECK_H

#include <stdio.h>

#include "config/config.h"

/* Print each server and client whose certificates cannot be used, as the start would. Returns how many. What an agent gives is not
 * asked for. */
size_t slim_check_certificates(FILE *to, const struct slim_config *config);

#endif
