/* Bounds of the library's own queues. */
#ifndef SLIM_CLIENT_LIMITS_H
#define SLIM_CLIENT_LIMITS_H

enum {
    SLIM_CLIENT_BACKLOG_MAX = 128, /* sessions that wait for slim_app_listen: more are left again */
    SLIM_CLIENT_INBOX_PAUSE_BYTES =
        16 * 1024 *
        1024, /* unread messages of one session: above, reliable ones stay with their senders */
    SLIM_CLIENT_INBOX_RESUME_BYTES = 8 * 1024 * 1024, /* until it is as low as this */
    SLIM_CLIENT_INBOX_MAX_BYTES =
        64 * 1024 * 1024,             /* unread and unreliable: more are dropped, and told */
    SLIM_CLIENT_UNDER_WAY_MAX = 1024, /* slim_session_try_publish says no above these */
    SLIM_CLIENT_UNDER_WAY_BYTES_MAX = 16 * 1024 * 1024,
    SLIM_CLIENT_CONFIG_BYTES_MAX = 1024 * 1024,
    SLIM_CLIENT_PATIENCE_MS = 5000, /* a shutdown waits so long for sessions, and for queues */
};

#endif
