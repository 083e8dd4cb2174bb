#include "slim/signals.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"

#define SLIM_LOG_TARGET "slim::signal"

enum slim_status slim_signals_open(int *fd, struct slim_error *error)
{
    sigset_t wanted;
    (void)sigemptyset(&wanted); /* these two cannot fail: the numbers are right */
    (void)sigaddset(&wanted, SIGINT);
    (void)sigaddset(&wanted, SIGTERM);
    int result = pthread_sigmask(SIG_BLOCK, &wanted, NULL);
    assert(result == 0); /* fails for a wrong first argument only */
    (void)result;
    (void)signal(
        SIGPIPE,
        SIG_IGN); /* cannot fail; a peer or log reader that closed is a status, not an end */
    int made = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (made < 0) {
        return slim_error_set(error, SLIM_ERR_IO, "no signal descriptor (os error %d)", errno);
    }
    *fd = made;
    return SLIM_OK;
}

const char *slim_signals_take(int fd)
{
    struct signalfd_siginfo info;
    if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
        return NULL;
    }
    const char *name = info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM";
    slim_log(INFO, "received signal, starting shutdown", SLIM_LOG_STR("signal", name));
    return name;
}
