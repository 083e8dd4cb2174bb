/* Short documents over HTTPS: the keys of issuers, tokens of token endpoints. Rare, small, and never on the loop's thread.
 *
 * libcurl does it, opened when the first fetcher is made: who needs no fetched keys needs no libcurl. The server's certificate is verified
 * against the system's roots (SSL_CERT_FILE and SSL_CERT_DIR of the environment count), redirects are not followed, other
 * protocols than https are refused. Proxies of the environment (https_proxy, no_proxy) are used. */
#ifndef SLIM_IO_FETCH_H
#define SLIM_IO_FETCH_H

#include "base/status.h"
#include "base/view.h"
#include "io/loop.h"

struct slim_fetch;

/* Open libcurl, once for the process; any thread. `library` is its name, NULL: "libcurl.so.4".
 * SLIM_ERR_CONFIG: it is not there or lacks something; the sentence names the package. */
SLIM_MUST_CHECK enum slim_status slim_fetch_open(const char *library, struct slim_error *error);

/* url             https
 * authorization   value of that header, or empty. Secret.
 * body            empty: GET. Else POST of application/x-www-form-urlencoded. Secret.
 * user_agent      not empty
 * timeout_ms      for all of it
 * bytes_max       a longer answer is none */
struct slim_fetch_request {
    struct slim_view url;
    struct slim_view authorization;
    struct slim_view body;
    struct slim_view user_agent;
    uint64_t timeout_ms;
    size_t bytes_max;
};

/* The answer, once, from the loop; the fetch is freed when it returns.
 * http_status   0: there was none, and `problem` says why ("SSL certificate problem: ..."); it holds nothing secret
 * body          borrowed */
typedef void slim_fetch_on_done(void *ctx, int http_status, struct slim_view body,
                                const char *problem);

/* Begin, in a thread of its own; slim_fetch_open must have succeeded. The request is copied. Never calls on_done from inside.
 * SLIM_ERR_NO_MEMORY (no thread either). */
SLIM_MUST_CHECK enum slim_status slim_fetch_new(struct slim_loop *loop,
                                                const struct slim_fetch_request *request,
                                                slim_fetch_on_done *on_done, void *ctx,
                                                struct slim_fetch **fetch);

/* Give it up: on_done is not called. Not from inside on_done. NULL is allowed. */
void slim_fetch_cancel(struct slim_fetch *fetch);

#endif
