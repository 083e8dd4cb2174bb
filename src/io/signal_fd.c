#include "io/signal_fd.h"

#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int slim_signal_fd_new(void)
{
    return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

void slim_signal_fd_set(int fd)
{
    uint64_t one = 1;
    ssize_t put = write(fd, &one, sizeof(one));
    (void)put; /* a full counter is readable just as well */
}

void slim_signal_fd_clear(int fd)
{
    uint64_t count;
    ssize_t got = read(fd, &count, sizeof(count));
    (void)got; /* nothing there: it is clear */
}
