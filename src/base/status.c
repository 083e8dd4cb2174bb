#include "base/status.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static const struct {
    enum slim_status status;
    const char *text;
} texts[] = {
    {SLIM_OK, "ok"},
    {SLIM_AGAIN, "nothing yet"},
    {SLIM_ERR_ARGUMENT, "bad argument"},
    {SLIM_ERR_STATE, "not possible in this state"},
    {SLIM_ERR_EXISTS, "exists already"},
    {SLIM_ERR_NOT_FOUND, "not found"},
    {SLIM_ERR_CONFIG, "bad configuration"},
    {SLIM_ERR_TRUNCATED, "truncated"},
    {SLIM_ERR_MALFORMED, "malformed"},
    {SLIM_ERR_INVALID, "invalid"},
    {SLIM_ERR_UNSUPPORTED, "unsupported"},
    {SLIM_ERR_NO_ROUTE, "no route"},
    {SLIM_ERR_REPLAYED, "replayed"},
    {SLIM_ERR_STALE, "stale"},
    {SLIM_ERR_FUTURE, "from the future"},
    {SLIM_ERR_TREE, "wrong ratchet tree"},
    {SLIM_ERR_LIMIT, "limit reached"},
    {SLIM_ERR_NO_MEMORY, "out of memory"},
    {SLIM_ERR_TIMEOUT, "timed out"},
    {SLIM_ERR_AUTH, "not authenticated"},
    {SLIM_ERR_SIGNATURE, "signature does not verify"},
    {SLIM_ERR_EXPIRED, "expired"},
    {SLIM_ERR_DENIED, "permission denied"},
    {SLIM_ERR_DECRYPT, "does not decrypt"},
    {SLIM_ERR_MAC, "tag does not match"},
    {SLIM_ERR_REMOVED, "not a member any more"},
    {SLIM_ERR_CLOSED, "closed"},
    {SLIM_ERR_CONNECT, "cannot connect"},
    {SLIM_ERR_RESET, "connection reset"},
    {SLIM_ERR_RESOLVE, "cannot resolve the host name"},
    {SLIM_ERR_BIND, "cannot listen"},
    {SLIM_ERR_IO, "input/output error"},
    {SLIM_ERR_INTERNAL, "internal error"},
    {SLIM_ERR_CRYPTO, "cryptographic failure"},
};

const char *slim_status_text(enum slim_status status)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].status == status) {
            return texts[i].text;
        }
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
