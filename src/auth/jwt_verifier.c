/* Verifier of JWT with keys from a text or from a resolver. */
#include <stdlib.h>

#include "auth/jwt.h"
#include "auth/resolver.h"
#include "auth/spiffe.h"
#include "auth/verifier.h"

/* keys       from the configured text; empty with a resolver
 * resolver   NULL with a text */
struct jwt_verifier {
    struct slim_auth_verifier common;
    struct slim_auth_policy policy;
    enum slim_auth_alg alg;
    enum slim_auth_key_format format;
    struct slim_auth_keyset keys;
    struct slim_auth_resolver *resolver;
};

static enum slim_status find_key(struct jwt_verifier *jwt, const struct slim_auth_jwt *token,
                                 uint64_t now_s, enum slim_auth_check *check,
                                 const struct slim_auth_key **key)
{
    if (jwt->alg != SLIM_AUTH_ALG_NONE && token->alg != jwt->alg && !jwt->policy.is_lenient) {
        return slim_auth_fail(check, SLIM_AUTH_CHECK_ALGORITHM);
    }
    struct slim_auth_key_wanted wanted = {
        .alg = token->alg, .has_kid = token->has_kid, .kid = token->kid};
    if (jwt->resolver != NULL) {
        struct slim_view issuer;
        if (!slim_json_read_text(slim_json_find(token->payload, "iss"), &issuer) ||
            !slim_auth_names_has(&jwt->policy.issuers, issuer)) {
            return slim_auth_fail(check, SLIM_AUTH_CHECK_ISSUER);
        }
        return slim_auth_resolver_find(jwt->resolver, issuer, &wanted, now_s, check, key);
    }
    struct slim_view subject;
    struct slim_spiffe_id id;
    if (jwt->format == SLIM_AUTH_KEY_BUNDLE &&
        slim_json_read_text(slim_json_find(token->payload, "sub"), &subject) &&
        slim_spiffe_id_parse(subject, &id) == SLIM_OK) {
        wanted.domain = id.domain; /* two domains may give their keys the same kid */
    }
    *key = slim_auth_keyset_find(&jwt->keys, &wanted, jwt->policy.is_lenient, check);
    return *key == NULL ? slim_auth_check_status(*check) : SLIM_OK;
}

/* A SPIFFE id speaks for its trust domain: only a key of that domain's part of the bundle may have signed it. What begins like one and
 * is none belongs to no domain. */
static bool is_of_domain(const struct jwt_verifier *jwt, const struct slim_auth_key *key,
                         struct slim_view subject)
{
    if (jwt->resolver != NULL || jwt->format != SLIM_AUTH_KEY_BUNDLE ||
        !slim_view_has_prefix(subject, SLIM_VIEW("spiffe://"))) {
        return true;
    }
    struct slim_spiffe_id id;
    return slim_spiffe_id_parse(subject, &id) == SLIM_OK &&
           slim_view_is_equal(id.domain, slim_buf_view(&key->domain));
}

static enum slim_status check_opened(struct jwt_verifier *jwt, const struct slim_auth_jwt *token,
                                     uint64_t now_s, bool is_known, enum slim_auth_check *check,
                                     struct slim_auth_verdict *verdict)
{
    struct slim_auth_policy policy = jwt->policy;
    policy.is_any_age = jwt->common.is_any_age;
    if (!is_known) {
        const struct slim_auth_key *key = NULL;
        SLIM_TRY(find_key(jwt, token, now_s, check, &key));
        assert(key != NULL);
        enum slim_status status =
            slim_auth_key_verify(key, token->alg, token->signed_part, token->signature);
        if (status != SLIM_OK) {
            return status == SLIM_ERR_SIGNATURE ? slim_auth_fail(check, SLIM_AUTH_CHECK_SIGNATURE)
                                                : status;
        }
        SLIM_TRY(slim_auth_policy_check(&policy, token->payload, now_s, check, verdict));
        return is_of_domain(jwt, key, verdict->subject)
                   ? SLIM_OK
                   : slim_auth_fail(check, SLIM_AUTH_CHECK_KEY);
    }
    return slim_auth_policy_check(&policy, token->payload, now_s, check, verdict);
}

static enum slim_status check_token(struct slim_auth_verifier *verifier, struct slim_view text,
                                    uint64_t now_s, bool is_known, bool wants_claims,
                                    enum slim_auth_check *check, struct slim_auth_found *found)
{
    struct jwt_verifier *jwt = (struct jwt_verifier *)verifier;
    struct slim_auth_jwt token;
    SLIM_TRY(slim_auth_jwt_open(text, &verifier->scratch, &token, check));
    struct slim_auth_verdict verdict;
    enum slim_status status = check_opened(jwt, &token, now_s, is_known, check, &verdict);
    if (status == SLIM_OK) {
        *found = (struct slim_auth_found){
            .valid_from_s = verdict.valid_from_s,
            .valid_until_s = verdict.valid_until_s,
            .subject = verdict.subject,
        };
        /* the subject is a view into the payload: keep it until the next call, wanted or not */
        slim_json_free(verifier->claims);
        verifier->claims = NULL;
        if (wants_claims) {
            found->claims = token.payload;
        } else {
            verifier->claims = token.payload;
        }
        token.payload = NULL;
    }
    slim_auth_jwt_fini(&token);
    return status;
}

/* ---- keys */

static enum slim_status parse_keys(struct jwt_verifier *jwt, struct slim_view text,
                                   struct slim_error *error)
{
    struct slim_auth_keyset keys;
    SLIM_TRY(slim_auth_keyset_parse(text, jwt->format, jwt->alg, false, &keys, error));
    if (jwt->policy.is_lenient && jwt->format == SLIM_AUTH_KEY_PEM) {
        keys.keys[0].alg = SLIM_AUTH_ALG_NONE; /* the reference takes any of the key's family */
    }
    slim_auth_keyset_fini(&jwt->keys);
    jwt->keys = keys;
    return SLIM_OK;
}

static enum slim_status reload(struct slim_auth_verifier *verifier, struct slim_view text,
                               struct slim_error *error)
{
    struct jwt_verifier *jwt = (struct jwt_verifier *)verifier;
    if (jwt->resolver != NULL) {
        return slim_error_set(error, SLIM_ERR_UNSUPPORTED,
                              "the keys of this verifier are fetched, not read from a file");
    }
    return parse_keys(jwt, text, error);
}

static void fini(struct slim_auth_verifier *verifier)
{
    struct jwt_verifier *jwt = (struct jwt_verifier *)verifier;
    slim_auth_keyset_fini(&jwt->keys);
    slim_auth_names_fini(&jwt->policy.issuers);
    slim_auth_names_fini(&jwt->policy.audiences);
    slim_buf_fini(&jwt->policy.subject);
}

static uint64_t generation(struct slim_auth_verifier *verifier, uint64_t now_s)
{
    const struct jwt_verifier *jwt = (const struct jwt_verifier *)verifier;
    return jwt->resolver == NULL ? 0 : slim_auth_resolver_expire(jwt->resolver, now_s);
}

static const struct slim_auth_verifier_ops ops = {
    .check = check_token, .reload = reload, .generation = generation, .fini = fini};

static enum slim_status check_rules(const struct slim_auth_rules *rules, struct slim_error *error)
{
    if (rules->resolver != NULL && rules->issuer_count == 0) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "autoresolve needs a configured issuer: without one every issuer "
                              "named in a token would be trusted");
    }
    if (rules->resolver == NULL && rules->key.len == 0) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "missing decoding key or autoresolve is disabled");
    }
    if (rules->resolver == NULL && rules->format == SLIM_AUTH_KEY_PEM &&
        rules->alg == SLIM_AUTH_ALG_NONE) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "a key in PEM form needs its algorithm");
    }
    if (rules->subject.len > SLIM_AUTH_ID_BYTES_MAX) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "the subject is longer than %d bytes",
                              (int)SLIM_AUTH_ID_BYTES_MAX);
    }
    return SLIM_OK;
}

static enum slim_status fill(struct jwt_verifier *jwt, const struct slim_auth_rules *rules,
                             slim_auth_random *random, struct slim_error *error)
{
    jwt->common.ops = &ops;
    jwt->alg = rules->alg;
    jwt->format = rules->format;
    jwt->resolver = rules->resolver;
    jwt->policy.is_lenient = rules->is_lenient;
    SLIM_TRY(slim_auth_names_init(&jwt->policy.issuers, rules->issuers, rules->issuer_count,
                                  "issuer", error));
    SLIM_TRY(slim_auth_names_init(&jwt->policy.audiences, rules->audiences, rules->audience_count,
                                  "audience", error));
    if (slim_buf_put(&jwt->policy.subject, rules->subject) != SLIM_OK ||
        slim_auth_cache_new(random, &jwt->common.cache) != SLIM_OK) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
    }
    return jwt->resolver == NULL ? parse_keys(jwt, rules->key, error) : SLIM_OK;
}

enum slim_status slim_auth_verifier_new_jwt(const struct slim_auth_rules *rules,
                                            slim_auth_random *random,
                                            struct slim_auth_verifier **verifier,
                                            struct slim_error *error)
{
    SLIM_TRY(check_rules(rules, error));
    struct jwt_verifier *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
    }
    enum slim_status status = fill(made, rules, random, error);
    if (status != SLIM_OK) {
        made->common.ops = &ops;
        slim_auth_verifier_free(&made->common);
        return status;
    }
    *verifier = &made->common;
    return SLIM_OK;
}
