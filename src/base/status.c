#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

const char *slim_status_text(enum slim_status status)
{
    switch (status) {
    case SLIM_OK:
        return "ok";
    case SLIM_AGAIN:
        return "nothing yet";
    case SLIM_ERR_ARGUMENT:
        return "bad argument";
    case SLIM_ERR_STATE:
        return "not possible in this state";
    case SLIM_ERR_EXISTS:
        return "exists already";
    case SLIM_ERR_NOT_FOUND:
        return "not found";
    case SLIM_ERR_CONFIG:
        return "bad configuration";
    case SLIM_ERR_TRUNCATED:
        return "truncated";
    case SLIM_ERR_MALFORMED:
        return "malformed";
    case SLIM_ERR_INVALID:
        return "invalid";
    case SLIM_ERR_UNSUPPORTED:
        return "unsupported";
    case SLIM_ERR_NO_ROUTE:
        return "no route";
    case SLIM_ERR_REPLAYED:
        return "replayed";
    case SLIM_ERR_STALE:
        return "stale";
    case SLIM_ERR_FUTURE:
        return "from the future";
    case SLIM_ERR_TREE:
        return "wrong ratchet tree";
    case SLIM_ERR_LIMIT:
        return "limit reached";
    case SLIM_ERR_NO_MEMORY:
        return "out of memory";
    case SLIM_ERR_TIMEOUT:
        return "timed out";
    case SLIM_ERR_AUTH:
        return "not authenticated";
    case SLIM_ERR_SIGNATURE:
        return "signature does not verify";
    case SLIM_ERR_EXPIRED:
        return "expired";
    case SLIM_ERR_DENIED:
        return "permission denied";
    case SLIM_ERR_DECRYPT:
        return "does not decrypt";
    case SLIM_ERR_MAC:
        return "tag does not match";
    case SLIM_ERR_REMOVED:
        return "not a member any more";
    case SLIM_ERR_CLOSED:
        return "closed";
    case SLIM_ERR_CONNECT:
        return "cannot connect";
    case SLIM_ERR_RESET:
        return "connection reset";
    case SLIM_ERR_RESOLVE:
        return "cannot resolve the host name";
    case SLIM_ERR_BIND:
        return "cannot listen";
    case SLIM_ERR_IO:
        return "input/output error";
    case SLIM_ERR_INTERNAL:
        return "internal error";
    case SLIM_ERR_CRYPTO:
        return "cryptographic failure";
    }
    return "unknown status";
}

enum slim_status slim_error_set(struct slim_error *error, enum slim_status status,
                                const char *format, ...)
{
    if (error != NULL) {
        va_list args;
        va_start(args, format);
        error->status = status;
        /* a longer sentence is cut on purpose: the text has a fixed size */
        (void)vsnprintf(error->text, sizeof(error->text), format, args);
        va_end(args);
    }
    return status;
}
