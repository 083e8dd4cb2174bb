/* What an engine told an application in the middle of a delivery, kept in order until the end of the turn. Two sides change places each turn:
 * one is filled while the other is read, so that reading may cause filling. */
#ifndef SLIM_CLIENT_INBOX_H
#define SLIM_CLIENT_INBOX_H

#include "base/block.h"
#include "base/buf.h"

enum {
    SLIM_CLIENT_INBOX_BYTES_MAX = 64 * 1024 * 1024, /* more is refused: the network lost it */
    SLIM_CLIENT_INBOX_KEEP_BYTES = 256 * 1024,      /* room kept for the next turn */
};

enum slim_client_inbox_kind {
    SLIM_CLIENT_INBOX_MESSAGE, /* bytes: a Publish that came in by conn_id */
    SLIM_CLIENT_INBOX_ERROR,   /* bytes: an error report of the engine */
    SLIM_CLIENT_INBOX_LOSS,    /* the link conn_id went down */
};

/* bytes are borrowed until the next slim_client_inbox_turn. */
struct slim_client_inbox_entry {
    enum slim_client_inbox_kind kind;
    uint64_t conn_id;
    struct slim_view bytes;
};

/* entries   array of private records; bytes: what short messages were copied into */
struct slim_client_inbox_side {
    struct slim_buf entries;
    struct slim_buf bytes;
    size_t held_bytes;
};

/* Zeroed is empty. next: the entry of `read` that comes next. */
struct slim_client_inbox {
    struct slim_client_inbox_side filled;
    struct slim_client_inbox_side read;
    size_t next;
};

void slim_client_inbox_fini(struct slim_client_inbox *inbox);

/* Keep a message (with its block, when it has one), an error report, the loss of a link. SLIM_ERR_NO_MEMORY, SLIM_ERR_LIMIT. */
SLIM_MUST_CHECK enum slim_status slim_client_inbox_put_message(struct slim_client_inbox *inbox,
                                                               uint64_t conn_id,
                                                               struct slim_view msg,
                                                               struct slim_block *block);
SLIM_MUST_CHECK enum slim_status slim_client_inbox_put_error(struct slim_client_inbox *inbox,
                                                             struct slim_view json);
SLIM_MUST_CHECK enum slim_status slim_client_inbox_put_loss(struct slim_client_inbox *inbox,
                                                            uint64_t conn_id);

/* Forget what was read, and read what was filled. */
void slim_client_inbox_turn(struct slim_client_inbox *inbox);

/* The next one of those; false at the end. */
bool slim_client_inbox_next(struct slim_client_inbox *inbox, struct slim_client_inbox_entry *entry);

/* Nothing was filled since the last turn. */
bool slim_client_inbox_is_empty(const struct slim_client_inbox *inbox);

#endif
