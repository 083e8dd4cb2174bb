#include "slim/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/log.h"

#define SLIM_LOG_TARGET "slim::signal"

/* Write end of the pipe that the handler reports through. Written before the handler is installed. */
static int report_fd = -1;

static void on_signal(int number)
{
    int errno_before = errno;
    uint8_t byte = (uint8_t)number;
    (void)!write(report_fd, &byte, 1); /* a full pipe holds signals enough */
    errno = errno_before;
}

static enum slim_status fail(struct slim_error *error, const char *what)
{
    return slim_error_set(error, SLIM_ERR_IO, "%s (os error %d)", what, errno);
}

enum slim_status slim_signals_open(int *fd, struct slim_error *error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        return fail(error, "no pipe for signals");
    }
    report_fd = ends[1];
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    (void)sigemptyset(&action.sa_mask); /* cannot fail */
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigemptyset(&ignore.sa_mask); /* cannot fail */
    /* SIGPIPE: a peer or log reader that closed is a status, not an end */
    if (sigaction(SIGINT, &action, NULL) != 0 || sigaction(SIGTERM, &action, NULL) != 0 ||
        sigaction(SIGHUP, &action, NULL) != 0 || sigaction(SIGPIPE, &ignore, NULL) != 0) {
        return fail(error, "signals cannot be caught");
    }
    *fd = ends[0];
    return SLIM_OK;
}

enum slim_signals_wish slim_signals_take(int fd)
{
    uint8_t number;
    if (read(fd, &number, 1) != 1) {
        return SLIM_SIGNALS_NONE;
    }
    if (number == SIGHUP) {
        slim_log(INFO, "received signal, reading certificates and keys again",
                 SLIM_LOG_STR("signal", "SIGHUP"));
        return SLIM_SIGNALS_RELOAD;
    }
    const char *name = number == SIGINT ? "SIGINT" : "SIGTERM";
    slim_log(INFO, "received signal, starting shutdown", SLIM_LOG_STR("signal", name));
    return SLIM_SIGNALS_STOP;
}

static void change_mask(int how)
{
    sigset_t ours;
    (void)sigemptyset(&ours); /* these four cannot fail: the numbers are right */
    (void)sigaddset(&ours, SIGINT);
    (void)sigaddset(&ours, SIGTERM);
    (void)sigaddset(&ours, SIGHUP);
    int result = pthread_sigmask(how, &ours, NULL);
    assert(result == 0); /* fails for a wrong `how` only */
    (void)result;
}

void slim_signals_block(void)
{
    change_mask(SIG_BLOCK);
}

void slim_signals_unblock(void)
{
    change_mask(SIG_UNBLOCK);
}
