/* What src/auth wants fetched over HTTPS. Who owns sockets does it and hands the answer back. */
#ifndef SLIM_AUTH_FETCH_H
#define SLIM_AUTH_FETCH_H

#include "auth/limits.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/view.h"

enum {
    SLIM_AUTH_FETCH_TIMEOUT_MS = 30 * 1000,
    SLIM_AUTH_FETCH_BYTES_MAX =
        SLIM_AUTH_KEY_TEXT_BYTES_MAX, /* longest answer body that is looked at */
    SLIM_AUTH_URL_BYTES_MAX = 2048,
};

/* One request. Views are borrowed for the length of the call of `start`.
 * id              names the fetch in the answer; never used twice by one object
 * url             https, checked
 * authorization   value of that header, or empty. Secret.
 * body            empty: GET. Else POST of application/x-www-form-urlencoded. Secret.
 * The certificate of the server must be verified, redirects must not be followed, User-Agent is "AGNTCY Slim Auth", the time limit is
 * SLIM_AUTH_FETCH_TIMEOUT_MS. */
struct slim_auth_fetch {
    uint64_t id;
    struct slim_view url;
    struct slim_view authorization;
    struct slim_view body;
};

/* start    begin; must not answer from inside. What cannot be begun is answered later with status 0.
 * cancel   the answer is not wanted any more */
struct slim_auth_fetcher {
    void (*start)(void *ctx, const struct slim_auth_fetch *fetch);
    void (*cancel)(void *ctx, uint64_t id);
    void *ctx;
};

/* The answer.
 * http_status   0: there was none (no connection, TLS, time)
 * body          at most SLIM_AUTH_FETCH_BYTES_MAX bytes; a longer one must be answered as status 0 */
struct slim_auth_answer {
    uint64_t id;
    int http_status;
    struct slim_view body;
};

#endif
