/* SIGINT and SIGTERM as a descriptor. */
#ifndef SLIM_CMD_SLIM_SIGNALS_H
#define SLIM_CMD_SLIM_SIGNALS_H

#include "base/status.h"

/* Catch SIGINT and SIGTERM from now on, and ignore SIGPIPE. Call it once, from the main thread, before anything connects.
 * *fd becomes readable when a signal came; it lives as long as the process. SLIM_ERR_IO with a sentence. */
SLIM_MUST_CHECK enum slim_status slim_signals_open(int *fd, struct slim_error *error);

/* The signal that came, taken and logged: "SIGINT" or "SIGTERM"; NULL: none yet. Does not wait. */
const char *slim_signals_take(int fd);

/* Keep the signals away from the calling thread and from those it makes, or let them in again. A thread that is made in
 * between never is the one that is interrupted. */
void slim_signals_block(void);
void slim_signals_unblock(void);

#endif
