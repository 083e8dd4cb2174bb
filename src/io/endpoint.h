/* Addresses as configurations write them (spec wire.md 1.8, node.md 3.5, 3.6). */
#ifndef SLIM_IO_ENDPOINT_H
#define SLIM_IO_ENDPOINT_H

#include <sys/socket.h>
#include <sys/un.h>

#include "base/status.h"
#include "base/view.h"

enum { SLIM_ENDPOINT_HOST_MAX = 256, SLIM_ENDPOINT_PATH_MAX = 256 };

/* One socket address of any family we use. */
struct slim_address {
    struct sockaddr_storage storage;
    socklen_t len;
};

/* Parse a server endpoint: "ip:port" (numeric, "[ip6]:port") or "unix:///path" (a query or fragment is cut off).
 * SLIM_ERR_CONFIG: "missing grpc endpoint" or "invalid socket address syntax" in *error. */
SLIM_MUST_CHECK enum slim_status
slim_address_parse(struct slim_view text, struct slim_address *address, struct slim_error *error);

/* "127.0.0.1:46357", "[::1]:46357" or "unix:/path"; zero-terminated, cut to `size`. */
void slim_address_format(const struct slim_address *address, char *out, size_t size);

/* A client endpoint taken apart.
 * scheme      "http", "https" or "unix"
 * authority   what goes into :authority: "host:port" as written, "localhost" for unix
 * host, port  to connect to (port 80 or 443 when not written); path prefix of requests without a trailing slash
 * address     for unix only */
struct slim_endpoint {
    char scheme[8];
    char authority[SLIM_ENDPOINT_HOST_MAX + 8];
    char host[SLIM_ENDPOINT_HOST_MAX];
    char port[8];
    char path[SLIM_ENDPOINT_PATH_MAX];
    bool is_unix;
    struct slim_address address;
};

/* Parse "http://host:port/prefix", "https://..." or "unix:///path". SLIM_ERR_CONFIG with the reason in *error: the scheme is
 * missing or unknown ("invalid endpoint scheme"), no host, a bad port, too long. */
SLIM_MUST_CHECK enum slim_status slim_endpoint_parse(struct slim_view text,
                                                     struct slim_endpoint *endpoint,
                                                     struct slim_error *error);

#endif
