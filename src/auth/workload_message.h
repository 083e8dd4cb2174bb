/* Messages of the SPIFFE Workload API (workload.proto of the SPIFFE standard), as far as they are used. Private to src/auth. */
#ifndef SLIM_AUTH_WORKLOAD_MESSAGE_H
#define SLIM_AUTH_WORKLOAD_MESSAGE_H

#include "auth/workload.h"

/* The first SVID of an X509SVIDResponse. Views into the message. */
SLIM_MUST_CHECK enum slim_status slim_auth_message_read_x509(struct slim_view message,
                                                             struct slim_auth_x509_svid *svid);

/* The first SVID of a JWTSVIDResponse: token and id. */
SLIM_MUST_CHECK enum slim_status slim_auth_message_read_jwt(struct slim_view message,
                                                            struct slim_view *token,
                                                            struct slim_view *spiffe_id);

/* Walk the entries of the map<string, bytes> in field `number`: federated_bundles of an X509SVIDResponse (3), bundles of a
 * JWTBundlesResponse (1). *rest starts as the message. SLIM_AGAIN: no more. SLIM_ERR_MALFORMED. */
enum { SLIM_AUTH_FIELD_FEDERATED = 3, SLIM_AUTH_FIELD_JWT_BUNDLES = 1 };
SLIM_MUST_CHECK enum slim_status slim_auth_message_next_entry(struct slim_view *rest,
                                                              uint32_t number,
                                                              struct slim_view *key,
                                                              struct slim_view *value);

/* Append a JWTSVIDRequest. extra: one more audience, or empty. SLIM_ERR_NO_MEMORY. */
struct slim_auth_names;
SLIM_MUST_CHECK enum slim_status
slim_auth_message_put_jwt_request(const struct slim_auth_names *audiences, struct slim_view extra,
                                  struct slim_view spiffe_id, struct slim_buf *out);

#endif
