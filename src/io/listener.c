#include "io/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "io/limits.h"

#define SLIM_LOG_TARGET "slim_datapath::message_processing"

struct slim_listener {
    struct slim_loop *loop;
    struct slim_watch watch;
    struct slim_timer pause; /* set while accepting rests */
    struct slim_address address;
    slim_listener_on_accept *on_accept;
    void *ctx;
    void (*on_full)(void *ctx);
    struct slim_log_limit log_rest;
    bool *is_freed; /* set while accepting: a callback may free the listener */
};

static void on_pause_over(struct slim_timer *timer)
{
    struct slim_listener *listener = SLIM_CONTAINER_OF(timer, struct slim_listener, pause);
    slim_loop_rewatch(listener->loop, &listener->watch, SLIM_IO_READ);
}

/* Out of descriptors or memory: the connection stays in the backlog, and we look again a little later. */
static void rest(struct slim_listener *listener, int reason)
{
    slim_log_limited(&listener->log_rest, WARN,
                     "no descriptor or memory for a new connection, accepting rests",
                     SLIM_LOG_STR("error", strerror(reason)));
    if (listener->on_full != NULL) {
        listener->on_full(listener->ctx);
    }
    slim_loop_rewatch(listener->loop, &listener->watch, 0);
    slim_timer_set(listener->loop, &listener->pause,
                   slim_loop_now_ms(listener->loop) + SLIM_IO_ACCEPT_PAUSE_MS);
}

static void on_ready(struct slim_watch *watch, uint32_t events)
{
    (void)events;
    struct slim_listener *listener = SLIM_CONTAINER_OF(watch, struct slim_listener, watch);
    bool is_freed = false;
    listener->is_freed = &is_freed;
    for (int i = 0; i < SLIM_IO_ACCEPTS_PER_TURN; i++) {
        struct slim_address peer = {.len = sizeof(peer.storage)};
        int fd = accept4(watch->fd, (struct sockaddr *)&peer.storage, &peer.len,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            listener->on_accept(listener->ctx, fd, &peer);
            if (is_freed) {
                return;
            }
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            rest(listener, errno);
        }
        if (errno != ECONNABORTED && errno != EINTR) {
            break;
        }
    }
    listener->is_freed = NULL;
}

/* A socket file left behind by a dead process makes bind fail; one that somebody listens on stays. */
static void remove_stale_socket(const struct slim_address *address)
{
    struct sockaddr_un un;
    memcpy(&un, &address->storage, sizeof(un));
    struct stat info;
    if (lstat(un.sun_path, &info) != 0 || !S_ISSOCK(info.st_mode)) {
        return;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return;
    }
    if (connect(fd, (const struct sockaddr *)&un, sizeof(un)) != 0 && errno == ECONNREFUSED) {
        (void)unlink(un.sun_path); /* bind tells when it did not work */
    }
    close(fd);
}

/* Give the listener a higher number than the connections will have.
 *
 * When a process is killed, the kernel closes its descriptors from the highest number down. A client that sees its
 * connection closed connects again at once. If the listener is still open at that moment, this succeeds, is reset a moment
 * later, and the reference's clients then give up for good (wire.md 7.4); a refused connect they repeat. So the listener must
 * be closed first. Where this does not work out, nothing else is lost. */
static int dup_high(int fd)
{
    enum { ROOM = 64 };
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur <= ROOM) {
        return -1;
    }
    rlim_t top = files.rlim_cur < SLIM_IO_LISTENER_FD ? files.rlim_cur : SLIM_IO_LISTENER_FD;
    return fcntl(fd, F_DUPFD_CLOEXEC, (int)(top - ROOM));
}

static int move_up(int fd)
{
    int high = dup_high(fd);
    if (high < 0) {
        return fd;
    }
    close(fd);
    return high;
}

void slim_listener_make_room(void)
{
    int high = dup_high(STDIN_FILENO);
    if (high >= 0) {
        close(high); /* the table keeps its size */
    }
}

static enum slim_status open_socket(struct slim_listener *listener, struct slim_error *error)
{
    int family = listener->address.storage.ss_family;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return slim_error_set(error, SLIM_ERR_BIND, "%s (os error %d)", strerror(errno), errno);
    }
    if (family == AF_UNIX) {
        remove_stale_socket(&listener->address);
    } else {
        int on = 1;
        /* without it bind may fail, and then says so */
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    }
    if (bind(fd, (const struct sockaddr *)&listener->address.storage, listener->address.len) != 0 ||
        listen(fd, SLIM_IO_LISTEN_BACKLOG) != 0) {
        int reason = errno;
        close(fd);
        return slim_error_set(error, SLIM_ERR_BIND, "%s (os error %d)", strerror(reason), reason);
    }
    if (family != AF_UNIX) {
        listener->address.len = sizeof(listener->address.storage);
        /* bound: cannot fail */
        (void)getsockname(fd, (struct sockaddr *)&listener->address.storage,
                          &listener->address.len);
    }
    listener->watch.fd = move_up(fd);
    return SLIM_OK;
}

enum slim_status slim_listener_new(struct slim_loop *loop, const struct slim_address *address,
                                   slim_listener_on_accept *on_accept, void *ctx,
                                   struct slim_listener **listener, struct slim_error *error)
{
    struct slim_listener *made = calloc(1, sizeof(*made));
    if (made == NULL || slim_loop_reserve_timer(loop) != SLIM_OK) {
        free(made);
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
    }
    made->loop = loop;
    made->address = *address;
    made->on_accept = on_accept;
    made->ctx = ctx;
    made->watch = (struct slim_watch){.fd = -1, .wanted = SLIM_IO_READ, .on_ready = on_ready};
    slim_timer_init(&made->pause, on_pause_over);
    enum slim_status status = open_socket(made, error);
    if (status == SLIM_OK) {
        status = slim_loop_watch(loop, &made->watch);
    }
    if (status != SLIM_OK) {
        slim_listener_free(made);
        return status;
    }
    *listener = made;
    return SLIM_OK;
}

void slim_listener_free(struct slim_listener *listener)
{
    if (listener == NULL) {
        return;
    }
    if (listener->is_freed != NULL) {
        *listener->is_freed = true;
    }
    if (listener->watch.fd >= 0) {
        slim_loop_unwatch(listener->loop, &listener->watch);
        close(listener->watch.fd);
        if (listener->address.storage.ss_family == AF_UNIX) {
            struct sockaddr_un un;
            memcpy(&un, &listener->address.storage, sizeof(un));
            (void)unlink(un.sun_path); /* gone already is fine */
        }
    }
    slim_timer_cancel(listener->loop, &listener->pause);
    slim_loop_release_timer(listener->loop);
    free(listener);
}

void slim_listener_on_full(struct slim_listener *listener, void (*on_full)(void *ctx))
{
    listener->on_full = on_full;
}

const struct slim_address *slim_listener_address(const struct slim_listener *listener)
{
    return &listener->address;
}
