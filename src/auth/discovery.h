/* https URLs, the document of OIDC discovery, and how long to wait after a failed fetch. Private to src/auth. */
#ifndef SLIM_AUTH_DISCOVERY_H
#define SLIM_AUTH_DISCOVERY_H

#include "auth/auth.h"
#include "auth/fetch.h"

enum { SLIM_AUTH_RETRY_S_MAX = 60 }; /* longest pause after failures */

/* Seconds to wait after a failure that `fail_count` failures in a row came before: 1, 2, 4 ... SLIM_AUTH_RETRY_S_MAX. */
uint64_t slim_auth_retry_pause_s(uint32_t fail_count);

/* An absolute https URL of at most SLIM_AUTH_URL_BYTES_MAX printable ASCII characters, with a host and no user name or fragment. */
bool slim_auth_url_is_https(struct slim_view url);

/* Do two such URLs have the same host and port? Hosts are compared without case; a missing port is 443. */
bool slim_auth_url_is_same_origin(struct slim_view a, struct slim_view b);

/* `issuer` without its last '/', and `path` behind it. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_auth_url_below(struct slim_view issuer, const char *path,
                                                     struct slim_buf *url);

/* Take the URL `member` out of the discovery document of `issuer` into *url. The document's issuer must be `issuer`, the URL must be https
 * and of the issuer's origin. SLIM_ERR_MALFORMED, SLIM_ERR_NOT_FOUND (no such member), SLIM_ERR_DENIED; SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_auth_discovery_read(struct slim_view document,
                                                          struct slim_view issuer,
                                                          const char *member, struct slim_buf *url,
                                                          struct slim_error *error);

#endif
