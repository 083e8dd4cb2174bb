/* Preloaded into a program: some files are not there, one is somewhere else, and what is opened is written down.
 *
 *     HIDE       beginnings of paths that do not exist, separated by ":"
 *     MOVED      FROM=TO: who opens FROM gets TO
 *     OPENED     file to which every path is added */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_hidden(const char *path)
{
    const char *list = getenv("HIDE");
    while (list != NULL && *list != '\0') {
        size_t len = strcspn(list, ":");
        if (len > 0 && strncmp(path, list, len) == 0) {
            return true;
        }
        list += len + (list[len] == ':');
    }
    return false;
}

static void note(const char *path)
{
    static int (*real)(const char *, int, ...);
    const char *log = getenv("OPENED");
    if (log == NULL) {
        return;
    }
    if (real == NULL) {
        real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    }
    int fd = real(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0) {
        (void)dprintf(fd, "%s\n", path);
        (void)close(fd);
    }
}

/* The path to open; NULL: there is none. */
static const char *place(const char *path)
{
    int error = errno;
    note(path);
    const char *moved = getenv("MOVED");
    const char *to = moved == NULL ? NULL : strchr(moved, '=');
    errno = error;
    if (to != NULL && strlen(path) == (size_t)(to - moved) &&
        strncmp(path, moved, strlen(path)) == 0) {
        return to + 1;
    }
    if (is_hidden(path)) {
        errno = ENOENT;
        return NULL;
    }
    return path;
}

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...);                                                    \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;             \
        va_end(more);                                                                              \
        int (*real)(const char *, int, ...) =                                                      \
            (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name);                              \
        const char *found = place(path);                                                           \
        return found == NULL ? -1 : real(found, flags, mode);                                      \
    }
OPEN(open)
OPEN(open64)

#define FOPEN(name)                                                                                \
    FILE *name(const char *path, const char *mode);                                                \
    FILE *name(const char *path, const char *mode)                                                 \
    {                                                                                              \
        FILE *(*real)(const char *, const char *) =                                                \
            (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, #name);                      \
        const char *found = place(path);                                                           \
        return found == NULL ? NULL : real(found, mode);                                           \
    }
FOPEN(fopen)
FOPEN(fopen64)

DIR *opendir(const char *path)
{
    DIR *(*real)(const char *) = (DIR * (*)(const char *)) dlsym(RTLD_NEXT, "opendir");
    const char *found = place(path);
    return found == NULL ? NULL : real(found);
}
