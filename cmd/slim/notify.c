#include "slim/notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

/* Who listens may be gone, or never was: the service goes on either way. */
static void send_text(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET"); // NOLINT(concurrency-mt-unsafe): nobody sets it
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = path == NULL ? 0 : strlen(path);
    if (len < 2 || len >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@')) {
        return;
    }
    memcpy(address.sun_path, path, len);
    if (path[0] == '@') {
        address.sun_path[0] = 0; /* an abstract socket */
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return;
    }
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    (void)sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
                 (const struct sockaddr *)&address, size);
    close(fd);
}

void slim_notify_ready(void)
{
    send_text("READY=1\nSTATUS=forwarding messages");
}

void slim_notify_stopping(void)
{
    send_text("STOPPING=1\nSTATUS=draining");
}

void slim_notify_reloading(void)
{
    char text[96];
    (void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lu",
                   slim_clock_ns() / 1000); /* fits */
    send_text(text);
}

void slim_notify_watchdog(void)
{
    send_text("WATCHDOG=1");
}

uint64_t slim_notify_watchdog_ms(void)
{
    const char *period = getenv("WATCHDOG_USEC"); // NOLINT(concurrency-mt-unsafe): as above
    const char *pid = getenv("WATCHDOG_PID");     // NOLINT(concurrency-mt-unsafe): as above
    if (period == NULL || (pid != NULL && strtol(pid, NULL, 10) != getpid())) {
        return 0; /* not meant for us */
    }
    uint64_t period_ms = strtoull(period, NULL, 10) / 1000;
    return period_ms / 2 > 0 ? period_ms / 2 : period_ms;
}
