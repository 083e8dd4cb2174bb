/* SIGINT and SIGTERM as a descriptor. */
#ifndef SLIM_CMD_SLIM_SIGNALS_H
#define SLIM_CMD_SLIM_SIGNALS_H

#include "base/status.h"

/* Block SIGINT and SIGTERM, open the descriptor that delivers them, and ignore SIGPIPE. Call it before anything connects
 * and before any thread is made. The descriptor is the caller's. SLIM_ERR_IO with a sentence. */
SLIM_MUST_CHECK enum slim_status slim_signals_open(int *fd, struct slim_error *error);

/* The signal that came, taken and logged: "SIGINT" or "SIGTERM"; NULL: none yet. Does not wait. */
const char *slim_signals_take(int fd);

#endif
