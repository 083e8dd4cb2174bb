/* Keys of configured issuers, found by OIDC discovery and fetched as JWKS (spec auth.md 4.3). Only issuers named here are ever asked:
 * one named by a token alone is not.
 *
 *   wanted -> discovery document -> jwks_uri (same origin as the issuer, or configured) -> JWKS -> good for an hour
 *
 * Keys are fetched again before their hour is over, and for an unknown kid at most every SLIM_AUTH_REFETCH_S seconds. A failed fetch is
 * repeated after 1, 2, 4 ... 60 s; the old keys serve until their hour is over, and so do the tokens verified with them. */
#ifndef SLIM_AUTH_RESOLVER_H
#define SLIM_AUTH_RESOLVER_H

#include "auth/auth.h"
#include "auth/fetch.h"

enum {
    SLIM_AUTH_JWKS_LIFE_S = 3600,  /* fetched keys are good for so long */
    SLIM_AUTH_JWKS_RENEW_S = 2400, /* and are fetched again when so old */
    SLIM_AUTH_REFETCH_S = 30,      /* pause between two good fetches */
};

/* issuer     https URL, compared with iss byte for byte
 * jwks_uri   https URL; empty: found by discovery, and then it must have the issuer's scheme, host and port */
struct slim_auth_issuer {
    struct slim_view issuer;
    struct slim_view jwks_uri;
};

/* The views are copied; the fetcher's ctx must outlive the resolver. SLIM_ERR_CONFIG with a sentence; SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_auth_resolver_new(const struct slim_auth_issuer *issuers,
                                                        size_t count,
                                                        const struct slim_auth_fetcher *fetcher,
                                                        struct slim_auth_resolver **resolver,
                                                        struct slim_error *error);

/* Cancels what is being fetched. NULL is allowed. */
void slim_auth_resolver_free(struct slim_auth_resolver *resolver);

/* Start what is due: the first fetch, a renewal, a retry. Returns when to call again. */
uint64_t slim_auth_resolver_tick(struct slim_auth_resolver *resolver, uint64_t now_s);

/* Hand in an answer. One for a fetch that is not under way is ignored. A bad one counts as a failure. Call tick afterwards: when
 * something is due has changed.
 * SLIM_OK: keys were taken over; SLIM_AGAIN: the next step was started; else what was wrong, with a sentence for the log. */
SLIM_MUST_CHECK enum slim_status slim_auth_resolver_take(struct slim_auth_resolver *resolver,
                                                         const struct slim_auth_answer *answer,
                                                         uint64_t now_s, struct slim_error *error);

/* Grows when keys come that were not there at all, and when keys go or change; not when others come beside them. */
uint64_t slim_auth_resolver_generation(const struct slim_auth_resolver *resolver);

/* Private to src/auth: drop keys whose hour is over; the generation after that. */
uint64_t slim_auth_resolver_expire(struct slim_auth_resolver *resolver, uint64_t now_s);

/* Private to src/auth: the key for a token of this issuer. SLIM_AGAIN: being fetched; the status of *check. */
struct slim_auth_key;
struct slim_auth_key_wanted;
SLIM_MUST_CHECK enum slim_status
slim_auth_resolver_find(struct slim_auth_resolver *resolver, struct slim_view issuer,
                        const struct slim_auth_key_wanted *wanted, uint64_t now_s,
                        enum slim_auth_check *check, const struct slim_auth_key **key);

#endif
