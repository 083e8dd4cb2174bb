/* Identity: making and verifying the tokens that messages, MLS credentials and links carry (spec auth.md).
 *
 *     provider   makes our tokens: shared secret, JWT, static JWT file, SPIFFE, OIDC client credentials
 *     verifier   checks those of others, and remembers the good ones until they expire
 *     link       the authorization header of a gRPC call, both sides            (auth/link.h)
 *     resolver   fetched keys: OIDC discovery and JWKS                          (auth/resolver.h)
 *     oidc       client credentials                                             (auth/oidc.h)
 *     workload   the SPIFFE Workload API, and SPIFFE ids                        (auth/workload.h, auth/spiffe.h)
 *
 * Nothing here reads a file, a socket or a clock. Texts of key files are handed in (again when they change), the wall clock comes
 * as seconds since 1970 (now_s), and what must be fetched is asked for through callbacks. Objects belong to one thread.
 * No status text or sentence contains a token, a secret or a claim. */
#ifndef SLIM_AUTH_AUTH_H
#define SLIM_AUTH_AUTH_H

#include "auth/limits.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/name.h"
#include "base/status.h"
#include "base/view.h"

/* ---- what can be wrong with a token */

enum slim_auth_check {
    SLIM_AUTH_CHECK_NONE = 0, /* nothing failed */
    SLIM_AUTH_CHECK_SIZE, /* SLIM_ERR_LIMIT       empty, or longer than SLIM_AUTH_TOKEN_BYTES_MAX */
    SLIM_AUTH_CHECK_ENCODING, /* SLIM_ERR_MALFORMED   fields, base64, JSON (duplicate keys, depth, numbers) */
    SLIM_AUTH_CHECK_EXPIRED,  /* SLIM_ERR_EXPIRED */
    SLIM_AUTH_CHECK_NOT_YET,  /* SLIM_ERR_INVALID     not valid yet */
    SLIM_AUTH_CHECK_EXPIRY,   /* SLIM_ERR_INVALID     exp is missing */
    SLIM_AUTH_CHECK_ISSUER,   /* SLIM_ERR_DENIED      iss is missing or not a configured one */
    SLIM_AUTH_CHECK_AUDIENCE, /* SLIM_ERR_DENIED      aud is missing, or names nobody configured */
    SLIM_AUTH_CHECK_SUBJECT, /* SLIM_ERR_DENIED      sub is missing or not the configured one, or no SPIFFE id */
    SLIM_AUTH_CHECK_ALGORITHM, /* SLIM_ERR_UNSUPPORTED none, unknown, or not one that the key may be used with */
    SLIM_AUTH_CHECK_KEY, /* SLIM_ERR_NOT_FOUND   no key for the token's kid, algorithm, issuer or trust domain */
    SLIM_AUTH_CHECK_SIGNATURE, /* SLIM_ERR_SIGNATURE   signature or MAC is wrong */
    SLIM_AUTH_CHECK_CLAIMS,    /* SLIM_ERR_INVALID     a claim has a type that it must not have */
    SLIM_AUTH_CHECK_PUBKEY, /* SLIM_ERR_NOT_FOUND   pubkey is missing (only where one is asked for) */
    SLIM_AUTH_CHECK_COUNT,
};

/* The status that goes with a failed check, as listed above; SLIM_OK for NONE. */
enum slim_status slim_auth_check_status(enum slim_auth_check check);

/* A sentence for people, e.g. "the token has expired". Never NULL. */
const char *slim_auth_check_text(enum slim_auth_check check);

/* ---- algorithms and keys */

enum slim_auth_alg {
    SLIM_AUTH_ALG_NONE, /* not configured; as the algorithm of a token it is always refused */
    SLIM_AUTH_ALG_HS256,
    SLIM_AUTH_ALG_HS384,
    SLIM_AUTH_ALG_HS512,
    SLIM_AUTH_ALG_RS256,
    SLIM_AUTH_ALG_RS384,
    SLIM_AUTH_ALG_RS512,
    SLIM_AUTH_ALG_PS256,
    SLIM_AUTH_ALG_PS384,
    SLIM_AUTH_ALG_PS512,
    SLIM_AUTH_ALG_ES256,
    SLIM_AUTH_ALG_ES384,
    SLIM_AUTH_ALG_EDDSA,
    SLIM_AUTH_ALG_COUNT,
};

/* "HS256" ... "EdDSA", as in configuration files and token headers. SLIM_ERR_UNSUPPORTED: another text. */
SLIM_MUST_CHECK enum slim_status slim_auth_alg_parse(struct slim_view text,
                                                     enum slim_auth_alg *alg);
const char *slim_auth_alg_text(enum slim_auth_alg alg);

enum slim_auth_key_format {
    SLIM_AUTH_KEY_PEM,    /* one key; with HS* the text itself is the key, byte for byte */
    SLIM_AUTH_KEY_JWK,    /* one key as JSON */
    SLIM_AUTH_KEY_JWKS,   /* {"keys": [...]} */
    SLIM_AUTH_KEY_BUNDLE, /* {"trust domain": "base64 of a JWKS", ...}: the keys of all domains */
};

/* ---- making tokens */

struct slim_auth_provider;

/* Fill `len` bytes with random bytes, as slim_random_fill of base/random.h. */
typedef void slim_auth_random(void *out, size_t len);

/* Shared secret (auth.md 2). id: not empty, no ':', no white space; eight random characters are appended to it once. secret: the
 * key as it is, at least 32 bytes.
 * SLIM_ERR_CONFIG with a sentence; SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_auth_provider_new_secret(struct slim_view id,
                                                               struct slim_view secret,
                                                               slim_auth_random *random,
                                                               struct slim_auth_provider **provider,
                                                               struct slim_error *error);

/* Does a shared secret look as if it could be guessed: fewer than 128 bits by the frequencies of its bytes? Whoever has seen one token can
 * try secrets without asking anybody, so such a secret deserves a warning (auth.md 8 no. 10). */
bool slim_auth_secret_is_weak(struct slim_view secret);

/* What a signed token says. Empty views and lists are left out of it.
 * custom_claims   text of a JSON object whose members are added at top level: strings, numbers, lists and objects only (the
 *                 reference refuses tokens with boolean and null claims); may be empty
 * duration_s      life of a token; 0 is SLIM_AUTH_VALIDITY_S
 * is_for_link     the subject may be missing: nobody takes the token for an application's identity */
struct slim_auth_jwt_options {
    enum slim_auth_alg alg;
    enum slim_auth_key_format format; /* only SLIM_AUTH_KEY_PEM can sign */
    struct slim_view key;
    struct slim_view issuer;
    struct slim_view subject;
    const struct slim_view *audiences;
    size_t audience_count;
    struct slim_view custom_claims;
    uint64_t duration_s;
    bool is_for_link;
};

/* Signer of JWT (auth.md 4.1). The subject is the identity and must be there, except for links. Statuses as above. */
SLIM_MUST_CHECK enum slim_status
slim_auth_provider_new_jwt(const struct slim_auth_jwt_options *options,
                           struct slim_auth_provider **provider, struct slim_error *error);

/* A finished token from a file (auth.md 4.4); `text` is the file's content, white space around it is dropped. Has no pubkey claim
 * unless its issuer put it in, hence no MLS. is_for_link: sub may be missing. SLIM_ERR_CONFIG: not a JWT with sub and an exp after
 * now_s. */
SLIM_MUST_CHECK enum slim_status slim_auth_provider_new_static(struct slim_view text,
                                                               uint64_t now_s, bool is_for_link,
                                                               struct slim_auth_provider **provider,
                                                               struct slim_error *error);

/* The file of the key (JWT) or of the token (static) changed: take over its new text. On failure the old one stays in force.
 * SLIM_ERR_CONFIG, SLIM_ERR_NO_MEMORY; SLIM_ERR_UNSUPPORTED for other providers. */
SLIM_MUST_CHECK enum slim_status slim_auth_provider_reload(struct slim_auth_provider *provider,
                                                           struct slim_view text, uint64_t now_s,
                                                           struct slim_error *error);

/* NULL is allowed. Secrets are wiped. */
void slim_auth_provider_free(struct slim_auth_provider *provider);

/* The token id (auth.md 3) and its hash, which is the application id. The id of SPIFFE and OIDC providers is empty until their
 * first token has come. Borrowed; may change when a token is taken. */
struct slim_view slim_auth_provider_id(const struct slim_auth_provider *provider);
uint64_t slim_auth_provider_app_id(const struct slim_auth_provider *provider);

/* The token for a message header: the same one for up to SLIM_AUTH_REUSE_S seconds. Borrowed until the next call.
 * SLIM_AGAIN: none has been fetched yet. SLIM_ERR_EXPIRED: the static or fetched one is over. SLIM_ERR_CRYPTO, SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_auth_provider_token(struct slim_auth_provider *provider,
                                                          uint64_t now_s, struct slim_view *token);

enum { SLIM_AUTH_PUBKEY_BYTES = 32 };

/* A fresh token, appended to *out. With `pubkey` (SLIM_AUTH_PUBKEY_BYTES bytes; NULL for none) it has the claim that MLS credentials
 * need (mls.md 3.2). Statuses as above; SLIM_ERR_UNSUPPORTED: this kind of provider cannot add claims; SLIM_AGAIN also until the
 * Workload API has given the token with this key: have its client ticked then. */
SLIM_MUST_CHECK enum slim_status slim_auth_provider_make(struct slim_auth_provider *provider,
                                                         uint64_t now_s, const uint8_t *pubkey,
                                                         struct slim_buf *out);

/* ---- verifying tokens */

struct slim_auth_verifier;
struct slim_auth_resolver;

/* Same secret as the provider's. `random` gives the key of the table of verified tokens. SLIM_ERR_CONFIG, SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_auth_verifier_new_secret(struct slim_view secret,
                                                               slim_auth_random *random,
                                                               struct slim_auth_verifier **verifier,
                                                               struct slim_error *error);

/* issuers, audiences   the token must name one of each list that is not empty; an empty list of audiences refuses tokens with aud
 * subject              the token's sub must be this, unless empty
 * alg                  the only algorithm accepted; SLIM_AUTH_ALG_NONE: what the key says (not with PEM)
 * key                  text in `format`; or empty with a resolver
 * resolver             keys are fetched from the issuers; borrowed, must outlive the verifier. Needs issuers.
 * is_lenient           verify as the reference does (auth.md 4.2): iss and aud may be missing, sub and nbf are not looked at, any
 *                      algorithm of the key's family, an unknown kid is ignored with a single key */
struct slim_auth_rules {
    const struct slim_view *issuers;
    size_t issuer_count;
    const struct slim_view *audiences;
    size_t audience_count;
    struct slim_view subject;
    enum slim_auth_alg alg;
    enum slim_auth_key_format format;
    struct slim_view key;
    struct slim_auth_resolver *resolver;
    bool is_lenient;
};

/* SLIM_ERR_CONFIG, SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_auth_verifier_new_jwt(const struct slim_auth_rules *rules,
                                                            slim_auth_random *random,
                                                            struct slim_auth_verifier **verifier,
                                                            struct slim_error *error);

/* The key file changed: take over its new text and forget verified tokens. On failure the old keys stay in force.
 * SLIM_ERR_CONFIG, SLIM_ERR_NO_MEMORY; SLIM_ERR_UNSUPPORTED when the keys do not come from a text. */
SLIM_MUST_CHECK enum slim_status slim_auth_verifier_reload(struct slim_auth_verifier *verifier,
                                                           struct slim_view text,
                                                           struct slim_error *error);

/* NULL is allowed. */
void slim_auth_verifier_free(struct slim_auth_verifier *verifier);

/* Whom a good token speaks for. id is borrowed from verifier and token until the next call; empty when a JWT has no sub. */
struct slim_auth_identity {
    struct slim_view id;
    uint64_t app_id; /* slim_hash_app_id(id) */
};

/* Check a token. A token that was good before costs a lookup. On failure *check (may be NULL) says what is wrong.
 * SLIM_AGAIN: keys are being fetched; ask again when they are there. Else the status of the check, or SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_auth_verify(struct slim_auth_verifier *verifier,
                                                  struct slim_view token, uint64_t now_s,
                                                  enum slim_auth_check *check,
                                                  struct slim_auth_identity *identity);

/* What a good token says; borrowed from verifier and token until the next call.
 * subject          sub, else id
 * pubkey           the text of pubkey, else of custom_claims.pubkey (mls.md 3.3); empty when there is none
 * valid_until_s    last second at which it verifies
 * all              every claim of a JWT; what the claims field holds of a shared-secret token; NULL when that is empty */
struct slim_auth_claims {
    struct slim_view subject;
    struct slim_view pubkey;
    uint64_t valid_until_s;
    const struct slim_json *all;
};

/* Check a token as slim_auth_verify does and read its claims. */
SLIM_MUST_CHECK enum slim_status slim_auth_read_claims(struct slim_auth_verifier *verifier,
                                                       struct slim_view token, uint64_t now_s,
                                                       enum slim_auth_check *check,
                                                       struct slim_auth_claims *claims);

/* As slim_auth_read_claims, for a token that names a key which is in use already: `any_age` does not ask whether it is valid now,
 * only whether it is genuine (mls.md 8.2). Such a token is not put among the verified ones. */
SLIM_MUST_CHECK enum slim_status slim_auth_read_credential(struct slim_auth_verifier *verifier,
                                                           struct slim_view token, uint64_t now_s,
                                                           bool any_age,
                                                           enum slim_auth_check *check,
                                                           struct slim_auth_claims *claims);

/* Counters of one verifier. refused_count is indexed by enum slim_auth_check; SLIM_AUTH_CHECK_NONE counts those that could not be decided
 * (keys being fetched, no memory). */
struct slim_auth_stats {
    uint64_t verified_count; /* checked in full and good */
    uint64_t cached_count;   /* found among the verified ones */
    uint64_t refused_count[SLIM_AUTH_CHECK_COUNT];
};
const struct slim_auth_stats *slim_auth_verifier_stats(const struct slim_auth_verifier *verifier);

/* Does this identity fit the source name of a message (auth.md 8 no. 2)? True when the id part of the name is the identity's
 * application id and, for an id of the form "a/b/c/..." (what the convenience constructor of the bindings makes), a, b and c are
 * the name's strings. */
bool slim_auth_identity_is_source(const struct slim_auth_identity *identity,
                                  const struct slim_name_key *source);

#include "auth/link.h"
#include "auth/oidc.h"
#include "auth/resolver.h"
#include "auth/workload.h"

#endif
