/* Proxies that clients reach their server through (HTTP CONNECT, RFC 9110 9.3.6): which one, what to ask it, what it answers. Nothing here
 * touches a socket: io/tunnel.h does. */
#ifndef SLIM_IO_PROXY_H
#define SLIM_IO_PROXY_H

#include "base/buf.h"
#include "io/endpoint.h"

enum {
    SLIM_PROXY_ANSWER_BYTES_MAX = 16 * 1024, /* head of an answer; a longer one ends the attempt */
    SLIM_PROXY_STATUS_BYTES_MAX = 120,       /* of the status line, in a sentence */
};

/* The proxy that the environment names for this target: HTTPS_PROXY or HTTP_PROXY by its scheme, else ALL_PROXY (lower case too), unless
 * NO_PROXY exempts its host. NULL: none. Borrowed from the environment. */
const char *slim_proxy_of_environment(const struct slim_endpoint *target);

/* Does the list exempt the host? Entries are separated by commas: "*", a domain (itself and what is below it, with or without a
 * leading dot), an address, or a network ("10.0.0.0/8"). */
bool slim_proxy_is_exempt(struct slim_view no_proxy, const char *host);

/* Take a proxy's URL apart: "http://host:port", "https://user:password@host"; without a scheme it is http. user_pass becomes
 * "user:password" when the URL has them; it is secret.
 * SLIM_ERR_CONFIG: another scheme, or no host, in a sentence that does not repeat the URL. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_proxy_parse(struct slim_view url,
                                                  struct slim_endpoint *endpoint,
                                                  struct slim_buf *user_pass,
                                                  struct slim_error *error);

struct slim_proxy_header {
    struct slim_view name;
    struct slim_view value;
};

/* Append the request for a tunnel to `target`. user_pass may be empty. The result is secret when it is not.
 * SLIM_ERR_CONFIG: a header with a line break or a zero in it. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_proxy_put_request(struct slim_buf *out,
                                                        const struct slim_endpoint *target,
                                                        struct slim_view user_pass,
                                                        const struct slim_proxy_header *headers,
                                                        size_t header_count);

/* Read a proxy's answer from its beginning. Interim answers (1xx) are passed over.
 * SLIM_OK              the tunnel is open; its first byte is at *used
 * SLIM_AGAIN           more bytes are needed
 * SLIM_ERR_DENIED      *error has the status line: "the proxy refused: HTTP/1.1 407 Proxy Authentication Required"
 * SLIM_ERR_CONNECT     likewise, for 5xx: the proxy cannot reach the target now
 * SLIM_ERR_MALFORMED, SLIM_ERR_LIMIT   no answer of HTTP/1, or too long: a sentence */
SLIM_MUST_CHECK enum slim_status slim_proxy_read_answer(struct slim_view bytes, size_t *used,
                                                        struct slim_error *error);

#endif
