#include "io/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* ------------------------------------------------------------------------------------------------ reading */

static enum slim_status fail_errno(struct slim_error *error, int reason)
{
    return slim_error_set(error, SLIM_ERR_IO, "%s (os error %d)", strerror(reason), reason);
}

static enum slim_status read_all(int fd, struct slim_buf *out, struct slim_error *error)
{
    enum { PIECE_BYTES = 16 * 1024 };
    for (size_t total = 0; total <= SLIM_FILE_BYTES_MAX;) {
        if (slim_buf_reserve(out, PIECE_BYTES) != SLIM_OK) {
            return slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
        }
        ssize_t got = read(fd, out->data + out->len, PIECE_BYTES);
        if (got == 0) {
            return SLIM_OK;
        }
        if (got < 0 && errno != EINTR) {
            return fail_errno(error, errno);
        }
        if (got > 0) {
            out->len += (size_t)got;
            total += (size_t)got;
        }
    }
    return slim_error_set(error, SLIM_ERR_LIMIT, "the file is longer than %d bytes",
                          (int)SLIM_FILE_BYTES_MAX);
}

enum slim_status slim_file_read(const char *path, struct slim_buf *out, struct slim_error *error)
{
    /* a pipe that nobody writes to must not hold the loop */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return fail_errno(error, errno);
    }
    struct stat info;
    enum slim_status status;
    if (fstat(fd, &info) != 0) {
        status = fail_errno(error, errno);
    } else if (S_ISDIR(info.st_mode)) {
        status = fail_errno(error, EISDIR);
    } else if (!S_ISREG(info.st_mode)) {
        status = slim_error_set(error, SLIM_ERR_IO, "not a regular file");
    } else {
        status = read_all(fd, out, error);
    }
    close(fd);
    return status;
}

/* ------------------------------------------------------------------------------------------------ watching */

enum { PATH_BYTES = 4096 }; /* of Linux; longer paths cannot be opened */

/* What a path led to when we looked; all zero: nothing. */
struct seen {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified;
    struct timespec changed;
};

struct file {
    char *path;
    struct seen seen;
};

/* notify        inotify descriptor, -1: not to be had; made anew after every change, because the directories may be others then
 * timer         the end of a burst, or the next look
 * burst_at_ms   when the burst began; 0: there is none */
struct slim_file_watch {
    struct slim_loop *loop;
    struct slim_watch notify;
    struct slim_timer timer;
    uint64_t poll_ms;
    uint64_t burst_at_ms;
    void (*on_change)(void *ctx);
    void *ctx;
    size_t file_count;
    struct file files[];
};

static struct seen look(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        return (struct seen){0};
    }
    return (struct seen){info.st_dev, info.st_ino, info.st_size, info.st_mtim, info.st_ctim};
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Look at all files again. True when one is another than before. */
static bool has_changed(struct slim_file_watch *watch)
{
    bool is_changed = false;
    for (size_t i = 0; i < watch->file_count; i++) {
        struct seen *old = &watch->files[i].seen;
        struct seen now = look(watch->files[i].path);
        if (old->device != now.device || old->inode != now.inode || old->size != now.size ||
            !is_same_time(&old->modified, &now.modified) ||
            !is_same_time(&old->changed, &now.changed)) {
            *old = now;
            is_changed = true;
        }
    }
    return is_changed;
}

static void add_directory(int notify_fd, const char *directory)
{
    enum {
        EVENTS = IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM |
                 IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF
    };
    /* fails where there is no such directory: then we look now and then */
    (void)inotify_add_watch(notify_fd, directory, EVENTS | IN_ONLYDIR);
}

/* Cut `path` behind its last slash; the directory that it is an entry of. Returns the entry's name, which points into `path`. */
static char *cut_entry(char *path, char directory[PATH_BYTES])
{
    char *slash = strrchr(path, '/');
    if (slash == NULL) {
        memcpy(directory, ".", 2);
        return path;
    }
    size_t len = (size_t)(slash - path) + 1; /* with the slash: "/" stays itself */
    memcpy(directory, path, len);
    directory[len] = 0;
    return slash + 1;
}

/* Where the symbolic link `path` in `directory` leads, put into `path`. False: it is no link, or leads too far. */
static bool follow(char path[PATH_BYTES], const char directory[PATH_BYTES])
{
    char target[PATH_BYTES];
    ssize_t len = readlink(path, target, sizeof(target) - 1);
    if (len <= 0) {
        return false;
    }
    target[len] = 0;
    size_t prefix_len = target[0] == '/' ? 0 : strlen(directory);
    if (prefix_len + (size_t)len + 2 > PATH_BYTES) {
        return false;
    }
    if (prefix_len > 0) {
        memcpy(path, directory, prefix_len);
        if (path[prefix_len - 1] != '/') {
            path[prefix_len++] = '/';
        }
    }
    memcpy(path + prefix_len, target, (size_t)len + 1);
    return true;
}

/* The directories that hold those parts of the path `directory` that are links. */
static void add_linked_parents(int notify_fd, const char directory[PATH_BYTES])
{
    char part[PATH_BYTES];
    char above[PATH_BYTES];
    memcpy(part, directory, strlen(directory) + 1);
    for (char *end; (end = strrchr(part, '/')) != NULL;) {
        *end = 0;
        struct stat info;
        if (part[0] != 0 && lstat(part, &info) == 0 && S_ISLNK(info.st_mode)) {
            (void)cut_entry(part, above);
            add_directory(notify_fd, above);
        }
    }
}

/* The directories in which a change can make `path` lead elsewhere: of the file, of each link it goes through by its last part, and of
 * each of its directories that is a link. */
static void add_directories(int notify_fd, const char *path_text)
{
    char path[PATH_BYTES];
    char directory[PATH_BYTES];
    if (strlen(path_text) >= sizeof(path)) {
        return;
    }
    memcpy(path, path_text, strlen(path_text) + 1);
    for (int i = 0; i < SLIM_FILE_LINKS_MAX; i++) {
        (void)cut_entry(path, directory); /* the name does not matter: the events are not read */
        add_directory(notify_fd, directory);
        add_linked_parents(notify_fd, directory);
        if (!follow(path, directory)) {
            return;
        }
    }
}

static void stop_notify(struct slim_file_watch *watch)
{
    if (watch->notify.fd >= 0) {
        slim_loop_unwatch(watch->loop, &watch->notify);
        close(watch->notify.fd);
        watch->notify.fd = -1;
    }
}

static void start_notify(struct slim_file_watch *watch)
{
    stop_notify(watch);
    watch->notify.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->notify.fd < 0) {
        return; /* too many of them: we look now and then */
    }
    for (size_t i = 0; i < watch->file_count; i++) {
        add_directories(watch->notify.fd, watch->files[i].path);
    }
    if (slim_loop_watch(watch->loop, &watch->notify) != SLIM_OK) {
        close(watch->notify.fd);
        watch->notify.fd = -1;
    }
}

/* Something happened in one of the directories. What it was does not matter: we look when it is quiet. */
static void on_notify(struct slim_watch *notify, uint32_t events)
{
    (void)events;
    struct slim_file_watch *watch = SLIM_CONTAINER_OF(notify, struct slim_file_watch, notify);
    char waste[4096];
    while (read(notify->fd, waste, sizeof(waste)) > 0) {
    }
    uint64_t now_ms = slim_loop_now_ms(watch->loop);
    if (watch->burst_at_ms == 0) {
        watch->burst_at_ms = now_ms;
    }
    uint64_t quiet_ms = now_ms + SLIM_FILE_SETTLE_MS;
    uint64_t last_ms = watch->burst_at_ms + SLIM_FILE_SETTLE_MAX_MS;
    slim_timer_set(watch->loop, &watch->timer, quiet_ms < last_ms ? quiet_ms : last_ms);
}

static void on_timer(struct slim_timer *timer)
{
    struct slim_file_watch *watch = SLIM_CONTAINER_OF(timer, struct slim_file_watch, timer);
    watch->burst_at_ms = 0;
    slim_timer_set(watch->loop, timer, slim_loop_now_ms(watch->loop) + watch->poll_ms);
    /* first the ears, then the eyes: a change in between is seen or heard */
    start_notify(watch);
    if (has_changed(watch)) {
        watch->on_change(watch->ctx);
    }
}

static bool copy_paths(struct slim_file_watch *watch, const char *const *paths, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (paths[i] == NULL) {
            continue;
        }
        size_t size = strlen(paths[i]) + 1;
        char *path = malloc(size);
        if (path == NULL) {
            return false;
        }
        memcpy(path, paths[i], size);
        watch->files[watch->file_count++].path = path;
    }
    return true;
}

enum slim_status slim_file_watch_new(struct slim_loop *loop, const char *const *paths, size_t count,
                                     uint64_t poll_ms, void (*on_change)(void *ctx), void *ctx,
                                     struct slim_file_watch **watch)
{
    struct slim_file_watch *made = calloc(1, sizeof(*made) + count * sizeof(made->files[0]));
    if (made == NULL || slim_loop_reserve_timer(loop) != SLIM_OK) {
        free(made);
        return SLIM_ERR_NO_MEMORY;
    }
    made->loop = loop;
    made->notify = (struct slim_watch){.fd = -1, .wanted = SLIM_IO_READ, .on_ready = on_notify};
    made->poll_ms = poll_ms == 0 ? SLIM_FILE_POLL_MS : poll_ms;
    made->on_change = on_change;
    made->ctx = ctx;
    slim_timer_init(&made->timer, on_timer);
    if (!copy_paths(made, paths, count)) {
        slim_file_watch_free(made);
        return SLIM_ERR_NO_MEMORY;
    }
    start_notify(made);
    (void)has_changed(made); /* what is there now is what changes are compared with */
    slim_timer_set(loop, &made->timer, slim_loop_now_ms(loop) + made->poll_ms);
    *watch = made;
    return SLIM_OK;
}

void slim_file_watch_free(struct slim_file_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    stop_notify(watch);
    slim_timer_cancel(watch->loop, &watch->timer);
    slim_loop_release_timer(watch->loop);
    for (size_t i = 0; i < watch->file_count; i++) {
        free(watch->files[i].path);
    }
    free(watch);
}
