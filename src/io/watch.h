/* Small files that may change while we run (certificates, keys, tokens): reading them, and learning that they changed.
 *
 * A file counts as changed when what its path leads to has another device, inode, size or time of change: writing in place, a rename over
 * it, and a symbolic link anywhere in the path that is turned elsewhere (as Kubernetes does with secrets) are all seen. The kernel tells at
 * once (inotify on the directories); where it cannot (network file systems, a directory that does not exist yet) a look every
 * poll_ms does. Threads: a watch belongs to its loop. */
#ifndef SLIM_IO_WATCH_H
#define SLIM_IO_WATCH_H

#include "base/buf.h"
#include "io/loop.h"

enum {
    SLIM_FILE_BYTES_MAX = 1024 * 1024, /* longer files are refused by slim_file_read */
    SLIM_FILE_POLL_MS = 30 * 1000,
    SLIM_FILE_SETTLE_MS = 100, /* quiet for so long before a change is reported */
    SLIM_FILE_SETTLE_MAX_MS = 1000,
    SLIM_FILE_LINKS_MAX = 16, /* symbolic links of one path that are watched; others are polled */
};

/* Append the content of a regular file. Blocks for as long as the disk does. What is read may be secret: slim_buf_wipe it.
 * SLIM_ERR_IO with the reference's words ("No such file or directory (os error 2)"), SLIM_ERR_LIMIT, SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_file_read(const char *path, struct slim_buf *out,
                                                struct slim_error *error);

struct slim_file_watch;

/* Watch `count` files, which need not exist. The list is copied; a NULL among the paths is passed over. What is read after this call and
 * changes afterwards is reported: watch first, read then.
 * on_change   one or more of them changed (or came, or went); called once per burst of changes, from the loop. It may free the watch.
 * poll_ms     0: SLIM_FILE_POLL_MS
 * SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_file_watch_new(struct slim_loop *loop,
                                                     const char *const *paths, size_t count,
                                                     uint64_t poll_ms, void (*on_change)(void *ctx),
                                                     void *ctx, struct slim_file_watch **watch);

/* NULL is allowed. */
void slim_file_watch_free(struct slim_file_watch *watch);

#endif
