/* A descriptor that is readable or is not: to wake somebody's poll from another thread. */
#ifndef SLIM_IO_SIGNAL_FD_H
#define SLIM_IO_SIGNAL_FD_H

/* A new one, not readable, non-blocking, closed on exec; the caller closes it. -1: the kernel gives none. */
int slim_signal_fd_new(void);

/* Make it readable; make it not readable. From any thread, also from a signal handler. */
void slim_signal_fd_set(int fd);
void slim_signal_fd_clear(int fd);

#endif
