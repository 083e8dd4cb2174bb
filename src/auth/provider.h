/* What every provider has in common. Private to src/auth. */
#ifndef SLIM_AUTH_PROVIDER_H
#define SLIM_AUTH_PROVIDER_H

#include "auth/auth.h"

/* make     append a fresh token; *reuse_until_s: the last second in which it may be sent again
 * reload   may be NULL
 * free     what is behind the common part; the common part itself is freed by the caller */
struct slim_auth_provider_ops {
    enum slim_status (*make)(struct slim_auth_provider *provider, uint64_t now_s,
                             const uint8_t *pubkey, struct slim_buf *out, uint64_t *reuse_until_s);
    enum slim_status (*reload)(struct slim_auth_provider *provider, struct slim_view text,
                               uint64_t now_s, struct slim_error *error);
    void (*fini)(struct slim_auth_provider *provider);
};

/* header                          the token for message headers, good to be sent from reuse_from_s to reuse_until_s
 * Embedded as the first member of each kind's struct, so that one free suits all. */
struct slim_auth_provider {
    const struct slim_auth_provider_ops *ops;
    struct slim_buf id;
    uint64_t app_id;
    struct slim_buf header;
    uint64_t reuse_from_s;
    uint64_t reuse_until_s;
};

/* Set the id and its hash. SLIM_ERR_NO_MEMORY: the old id stays. */
SLIM_MUST_CHECK enum slim_status slim_auth_provider_set_id(struct slim_auth_provider *provider,
                                                           struct slim_view id);

#endif
