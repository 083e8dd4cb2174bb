/* OIDC client credentials (spec auth.md 6, RFC 6749 4.4): a token for us from the issuer's token endpoint. For links only: such a token has
 * no MLS key.
 *
 *   discovery document -> token_endpoint (same origin as the issuer, or configured) -> token -> again at 2/3 of its life
 *
 * The verifier for such tokens is slim_auth_verifier_new_jwt with a resolver of the issuer. */
#ifndef SLIM_AUTH_OIDC_H
#define SLIM_AUTH_OIDC_H

#include "auth/auth.h"
#include "auth/fetch.h"

struct slim_auth_oidc;

enum {
    SLIM_AUTH_OIDC_LIFE_S = 3600, /* of a token whose answer has no expires_in */
    SLIM_AUTH_OIDC_SPARE_S = 60,  /* a token with less life left is not used */
};

/* issuer           https URL
 * token_endpoint   https URL; empty: found by discovery
 * scope            may be empty */
struct slim_auth_oidc_options {
    struct slim_view issuer;
    struct slim_view token_endpoint;
    struct slim_view client_id;
    struct slim_view client_secret;
    struct slim_view scope;
};

/* Everything is copied; the fetcher's ctx must outlive the object. SLIM_ERR_CONFIG with a sentence; SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_auth_oidc_new(const struct slim_auth_oidc_options *options,
                                                    const struct slim_auth_fetcher *fetcher,
                                                    struct slim_auth_oidc **oidc,
                                                    struct slim_error *error);

/* Cancels what is being fetched; secrets are wiped. Providers on it must be freed before. NULL is allowed. */
void slim_auth_oidc_free(struct slim_auth_oidc *oidc);

/* Start what is due. Returns when to call again. */
uint64_t slim_auth_oidc_tick(struct slim_auth_oidc *oidc, uint64_t now_s);

/* Hand in an answer. SLIM_OK: there is a new token; SLIM_AGAIN: the next step was started, or the answer is of a fetch given up; else what
 * was wrong, with a sentence. Call tick afterwards: when something is due has changed. */
SLIM_MUST_CHECK enum slim_status slim_auth_oidc_take(struct slim_auth_oidc *oidc,
                                                     const struct slim_auth_answer *answer,
                                                     uint64_t now_s, struct slim_error *error);

/* A provider of its tokens; its id is the client id. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_auth_provider_new_oidc(struct slim_auth_oidc *oidc,
                                                             struct slim_auth_provider **provider);

#endif
