/* SIGINT, SIGTERM and SIGHUP as a descriptor. */
#ifndef SLIM_CMD_SLIM_SIGNALS_H
#define SLIM_CMD_SLIM_SIGNALS_H

#include "base/status.h"

/* Catch SIGINT, SIGTERM and SIGHUP from now on, and ignore SIGPIPE. Call it once, from the main thread, before anything connects.
 * *fd becomes readable when a signal came; it lives as long as the process. SLIM_ERR_IO with a sentence. */
SLIM_MUST_CHECK enum slim_status slim_signals_open(int *fd, struct slim_error *error);

/* What the signal that came asks for; it is taken and logged. Does not wait. */
enum slim_signals_wish {
    SLIM_SIGNALS_NONE,
    SLIM_SIGNALS_STOP,   /* SIGINT, SIGTERM */
    SLIM_SIGNALS_RELOAD, /* SIGHUP: read certificates and keys again */
};
enum slim_signals_wish slim_signals_take(int fd);

/* Keep the signals away from the calling thread and from those it makes, or let them in again. A thread that is made in
 * between never is the one that is interrupted. */
void slim_signals_block(void);
void slim_signals_unblock(void);

#endif
