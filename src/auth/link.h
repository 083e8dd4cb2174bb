/* The authorization header of a gRPC call (spec auth.md 7): making it on the side that connects, checking it on the side that accepts.
 * Included by auth/auth.h.
 *
 * A refused call is answered with slim_grpc_call_finish(call, SLIM_GRPC_UNAUTHENTICATED, ...) before it is accepted: HTTP 401 with
 * grpc-status 16, without which the reference's clients reconnect in an endless loop. */
#ifndef SLIM_AUTH_LINK_H
#define SLIM_AUTH_LINK_H

#include "auth/auth.h"

struct slim_auth_link;

/* Both sides: user name and password, neither empty; a user name with a colon cannot be sent. Copied.
 * SLIM_ERR_CONFIG with a sentence; SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_auth_link_new_basic(struct slim_view username,
                                                          struct slim_view password,
                                                          struct slim_auth_link **link,
                                                          struct slim_error *error);

/* Connecting side: tokens of a provider. Accepting side: tokens that a verifier likes. Both are taken over, freed with the link (on
 * failure too). SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_auth_link_new_client(struct slim_auth_provider *provider,
                                                           struct slim_auth_link **link);
SLIM_MUST_CHECK enum slim_status slim_auth_link_new_server(struct slim_auth_verifier *verifier,
                                                           struct slim_auth_link **link);

/* NULL is allowed. Secrets are wiped. */
void slim_auth_link_free(struct slim_auth_link *link);

/* Provider and verifier of a link (for reloads); NULL when it has none. */
struct slim_auth_provider *slim_auth_link_provider(struct slim_auth_link *link);
struct slim_auth_verifier *slim_auth_link_verifier(struct slim_auth_link *link);

/* Connecting side: the value of the "authorization" header of the next call, with a fresh token where we make them. Borrowed until the next call of this function.
 * SLIM_AGAIN: a token is being fetched. SLIM_ERR_EXPIRED, SLIM_ERR_CRYPTO, SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_auth_link_header(struct slim_auth_link *link, uint64_t now_s,
                                                       struct slim_view *value);

/* Accepting side: may a call with this "authorization" header (empty: it has none) go on? The name of the scheme is compared byte for
 * byte, as the reference does.
 *   SLIM_ERR_AUTH   no header, another scheme, or wrong user name or password (compared in constant time)
 *   SLIM_AGAIN      keys are being fetched: refuse the call; its client comes again
 *   else            as slim_auth_verify, with *check */
SLIM_MUST_CHECK enum slim_status slim_auth_link_check(struct slim_auth_link *link,
                                                      struct slim_view value, uint64_t now_s,
                                                      enum slim_auth_check *check);

/* What a refusal offers in "www-authenticate": "Basic" or "Bearer". */
const char *slim_auth_link_scheme(const struct slim_auth_link *link);

#endif
