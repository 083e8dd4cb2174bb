/* Bounds of sessions. Sources: spec session.md 9-11, design of the windows in docs/sessions.md. */
#ifndef SLIM_SESSION_LIMITS_H
#define SLIM_SESSION_LIMITS_H

#include <stdint.h>

enum {
    SLIM_SESSION_FANOUT_ALL = 256,           /* what the reference writes for "all" */
    SLIM_SESSION_DEFAULT_INTERVAL_MS = 1000, /* control timers of sessions without timers */
    SLIM_SESSION_DEFAULT_RETRIES = 10,
    SLIM_SESSION_INTERVAL_MS_MAX = 60 * 60 * 1000, /* longer ones count as this */
    SLIM_SESSION_RETRIES_MAX = 1000 * 1000,
    SLIM_SESSION_PING_MS = 10 * 1000,
    SLIM_SESSION_PING_MISSES = 3,
    SLIM_SESSION_DRAIN_MS = 60 * 1000,
    SLIM_SESSION_QUIET_MS =
        200, /* with members of the reference: so long nothing came from them before they hear of the end */
    SLIM_SESSION_QUIET_MAX_MS = 2000,              /* unless they never stop */
    SLIM_SESSION_PATIENCE_MAX_MS = 60 * 60 * 1000, /* whatever timers a session has */
    SLIM_SESSION_PEER_INTERVAL_MIN_MS =
        20, /* of a session somebody else began: we do not flood for others */
    SLIM_SESSION_REFRESH_MS =
        20 * 60 *
        1000, /* a moderator's own keys and credential are renewed so often (mls.md 8.3) */
    SLIM_SESSION_PATH_MS =
        30 *
        1000, /* invitations renew them at most so often; those that did not are made up for as soon */

    SLIM_SESSION_MEMBERS_MAX = 4096,   /* of one session; slots of members are below it */
    SLIM_SESSION_SESSIONS_MAX = 65536, /* of one application */
    SLIM_SESSION_HALF_OPEN_MAX =
        1024,                      /* sessions that somebody else began and never welcomed us to */
    SLIM_SESSION_TASKS_MAX = 4096, /* invitations and removals that wait or run in one session */
    SLIM_SESSION_INVITES_AT_ONCE = 16, /* discoveries and joins that run side by side */
    SLIM_SESSION_PAYLOAD_BYTES_MAX =
        4 * 1000 * 1000, /* leaves room for names, a token and MLS in one message */
    SLIM_SESSION_SEALED_BYTES_MAX =
        3660 * 1000, /* of a payload in a session with MLS: sealing pads it by up to an eighth */
    SLIM_SESSION_METADATA_BYTES_MAX = 65536,
    SLIM_SESSION_METADATA_PAIRS_MAX = 1024,
    SLIM_SESSION_NAME_BYTES_MAX = 4096, /* the three strings of a name together */
    SLIM_SESSION_KEY_PACKAGE_BYTES_MAX = 65536,
    SLIM_SESSION_ANSWERS_MAX = 256, /* answered requests remembered per session */
    SLIM_SESSION_ENDED_MAX = 1024,  /* ended sessions whose late requests are still answered */

    SLIM_SESSION_SEND_WINDOW =
        512, /* messages on the way per session; the reference keeps as many for repetition */
    SLIM_SESSION_SEND_BYTES_MAX = 16 * 1024 * 1024,
    SLIM_SESSION_RECEIVE_WINDOW =
        8192, /* numbers ahead of the next one that are looked at, per sender */
    SLIM_SESSION_RECEIVE_BYTES_MAX = 64 * 1024 * 1024, /* out of order or held, per session */
    SLIM_SESSION_RTX_AT_ONCE = 64, /* missing messages asked for at a time, per sender */
    SLIM_SESSION_BASE_WAIT_MS =
        300, /* before the first number of an older member is taken for its first */
    SLIM_SESSION_BASE_ASK_MS =
        SLIM_SESSION_PING_MISSES * SLIM_SESSION_PING_MS, /* and of one that can be asked, at most */
    SLIM_SESSION_DIRECT_SEEN = 128, /* numbers of direct messages remembered per sender */
    SLIM_SESSION_EARLY_BYTES_MAX =
        32 * 1024 * 1024,         /* messages from before their welcomes, of all sessions */
    SLIM_SESSION_HELD_MAX = 1024, /* ciphertexts kept for an epoch that is to come, per session */
    SLIM_SESSION_COMMITS_AHEAD_MAX = 64, /* commits kept before the one that is missing */
    SLIM_SESSION_COMMITS_AHEAD_BYTES_MAX = 4 * 1024 * 1024, /* and what they take together */
    SLIM_SESSION_COMMITS_KEPT = 64, /* a moderator's commits kept for members that missed one */
};

/* Numbers of messages (spec 9.3): a sequence modulo 2^31, and direct ones above it. */
#define SLIM_SESSION_SEQUENCE_MAX UINT32_C(0x7fffffff)
#define SLIM_SESSION_DIRECT_MIN UINT32_C(0x80000000)
#define SLIM_SESSION_DIRECT_MAX UINT32_C(0xfffffffe)
#define SLIM_SESSION_ID_END UINT32_C(4294966295) /* session ids are below it */

#endif
