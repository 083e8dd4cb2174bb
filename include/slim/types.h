/* What all headers of libslim share: statuses, errors, views of bytes. */
#ifndef SLIM_TYPES_H
#define SLIM_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a call that can fail returns. The hundreds digit is the group. */
enum slim_status {
    SLIM_OK = 0,
    SLIM_AGAIN = 1, /* nothing wrong, nothing yet */
    /* usage: the caller asked for something that makes no sense */
    SLIM_ERR_ARGUMENT = 100,
    SLIM_ERR_STATE = 101,
    SLIM_ERR_EXISTS = 102,
    SLIM_ERR_NOT_FOUND = 103,
    SLIM_ERR_CONFIG = 104,
    /* protocol: a peer sent something that it must not send */
    SLIM_ERR_TRUNCATED = 200,   /* the input ends too early; more bytes may complete it */
    SLIM_ERR_MALFORMED = 201,   /* cannot be decoded at all */
    SLIM_ERR_INVALID = 202,     /* decodes, but breaks a rule */
    SLIM_ERR_UNSUPPORTED = 203, /* legal, but not something we do */
    SLIM_ERR_NO_ROUTE = 204,    /* nobody is subscribed to the destination */
    SLIM_ERR_REPLAYED = 205,    /* seen before */
    SLIM_ERR_STALE = 206,       /* of a time that is over: what it needs is deleted */
    SLIM_ERR_FUTURE = 207,      /* of a time that has not come: something before it is missing */
    SLIM_ERR_TREE = 208,        /* the ratchet tree of an MLS group is not what was announced */
    /* limit: a named bound was reached */
    SLIM_ERR_LIMIT = 300,
    SLIM_ERR_NO_MEMORY = 301,
    SLIM_ERR_TIMEOUT = 302,
    /* security */
    SLIM_ERR_AUTH = 400,
    SLIM_ERR_SIGNATURE = 401,
    SLIM_ERR_EXPIRED = 402,
    SLIM_ERR_DENIED = 403,
    SLIM_ERR_DECRYPT = 404, /* ciphertext and key do not belong together */
    SLIM_ERR_MAC = 405,     /* a tag keyed with a shared secret does not match */
    SLIM_ERR_REMOVED = 406, /* we are not a member any more */
    /* network */
    SLIM_ERR_CLOSED = 500,
    SLIM_ERR_CONNECT = 501,
    SLIM_ERR_RESET = 502,
    SLIM_ERR_RESOLVE = 503,
    SLIM_ERR_BIND = 504,
    /* storage */
    SLIM_ERR_IO = 600,
    /* internal: should not happen, and is survivable */
    SLIM_ERR_INTERNAL = 700,
    SLIM_ERR_CRYPTO = 701
};

enum { SLIM_ERROR_TEXT_MAX = 400 };

/* A status and the sentence for people: what failed, which value, what to do. Filled in only where a person reads it. The caller's. */
struct slim_error {
    enum slim_status status;
    char text[SLIM_ERROR_TEXT_MAX];
};

/* Bytes somebody else owns, passed by value.
 * data   first byte; may be NULL only when len is 0
 * len    number of bytes; no terminating zero is ever assumed */
struct slim_view {
    const uint8_t *data;
    size_t len;
};

#ifdef __cplusplus
}
#endif

#endif
