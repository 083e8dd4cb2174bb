/* What messages of the Workload API say, checked before anything of it is used. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "auth/verifier.h"
#include "auth/workload_message.h"
#include "auth/workload_state.h"
#include "base/crypto_context.h"

static enum slim_status no_memory(struct slim_error *error)
{
    return slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
}

/* ---- X.509 */

void slim_auth_x509_state_fini(struct slim_auth_x509_state *state)
{
    slim_buf_fini(&state->spiffe_id);
    slim_buf_fini(&state->chain);
    slim_buf_wipe(&state->key);
    for (size_t i = 0; i < state->root_count; i++) {
        slim_buf_fini(&state->roots[i].domain);
        slim_buf_fini(&state->roots[i].der);
    }
    *state = (struct slim_auth_x509_state){0};
}

/* The next certificate of a sequence; NULL when what follows is none. */
static X509 *take_cert(struct slim_view *der)
{
    const unsigned char *at = der->data;
    X509 *cert = slim_crypto_cert_take(&at, der->len);
    if (cert != NULL) {
        *der = slim_view_skip(*der, (size_t)(at - der->data));
    }
    return cert;
}

/* Is it a sequence of certificates, at least one? *first_len: bytes of the first one. */
static bool is_cert_list(struct slim_view der, size_t *first_len)
{
    size_t whole = der.len;
    size_t count = 0;
    if (whole > SLIM_AUTH_SVID_BYTES_MAX) {
        return false;
    }
    while (der.len > 0) {
        X509 *cert = take_cert(&der);
        if (cert == NULL) {
            ERR_clear_error();
            return false;
        }
        X509_free(cert);
        if (count++ == 0) {
            *first_len = whole - der.len;
        }
    }
    return count > 0;
}

/* Is it the PKCS#8 key of that certificate? */
static bool is_key_of(struct slim_view key, struct slim_view leaf)
{
    if (key.len == 0 || key.len > SLIM_AUTH_SVID_BYTES_MAX) {
        return false;
    }
    const unsigned char *at = key.data;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)key.len);
    EVP_PKEY *pkey = info == NULL ? NULL : EVP_PKCS82PKEY_ex(info, slim_crypto_context(), NULL);
    X509 *cert = take_cert(&leaf);
    bool is_match = pkey != NULL && cert != NULL && X509_check_private_key(cert, pkey) == 1;
    X509_free(cert);
    EVP_PKEY_free(pkey);
    PKCS8_PRIV_KEY_INFO_free(info);
    ERR_clear_error();
    return is_match;
}

static enum slim_status add_roots(struct slim_auth_x509_state *state, struct slim_view domain,
                                  struct slim_view der, struct slim_error *error)
{
    size_t first_len;
    if (!is_cert_list(der, &first_len)) {
        return slim_error_set(error, SLIM_ERR_MALFORMED,
                              "the bundle of a trust domain is no list of certificates");
    }
    if (state->root_count == SLIM_AUTH_DOMAINS_MAX) {
        return slim_error_set(error, SLIM_ERR_LIMIT, "more than %d trust domains",
                              (int)SLIM_AUTH_DOMAINS_MAX);
    }
    struct slim_auth_roots *roots = &state->roots[state->root_count++];
    if (slim_buf_put(&roots->domain, domain) != SLIM_OK ||
        slim_buf_put(&roots->der, der) != SLIM_OK) {
        return no_memory(error);
    }
    return SLIM_OK;
}

static enum slim_status check_svid(const struct slim_auth_x509_svid *svid,
                                   struct slim_spiffe_id *id, struct slim_error *error)
{
    size_t leaf_len = 0;
    if (slim_spiffe_id_parse(svid->spiffe_id, id) != SLIM_OK) {
        return slim_error_set(error, SLIM_ERR_MALFORMED, "X509-SVID: not a SPIFFE id");
    }
    if (!is_cert_list(svid->chain, &leaf_len)) {
        return slim_error_set(error, SLIM_ERR_MALFORMED,
                              "X509-SVID: the chain is no list of certificates");
    }
    struct slim_view leaf = slim_view_of(svid->chain.data, leaf_len);
    struct slim_buf named = {0};
    enum slim_status status = slim_spiffe_cert_id(leaf, &named, error);
    if (status == SLIM_OK && !slim_view_is_equal(slim_buf_view(&named), svid->spiffe_id)) {
        status = slim_error_set(error, SLIM_ERR_DENIED,
                                "X509-SVID: the certificate is for another SPIFFE id");
    }
    slim_buf_fini(&named);
    if (status == SLIM_OK && !is_key_of(svid->key, leaf)) {
        status = slim_error_set(error, SLIM_ERR_MALFORMED,
                                "X509-SVID: the key is not that of the certificate");
    }
    return status;
}

static enum slim_status read_federated(struct slim_view message, struct slim_auth_x509_state *state,
                                       struct slim_error *error)
{
    struct slim_view key;
    struct slim_view der;
    enum slim_status status;
    while ((status = slim_auth_message_next_entry(&message, SLIM_AUTH_FIELD_FEDERATED, &key,
                                                  &der)) == SLIM_OK) {
        struct slim_view domain;
        if (slim_spiffe_domain_parse(key, &domain) != SLIM_OK) {
            return slim_error_set(error, SLIM_ERR_MALFORMED, "a bundle without a trust domain");
        }
        SLIM_TRY(add_roots(state, domain, der, error));
    }
    return status == SLIM_AGAIN ? SLIM_OK
                                : slim_error_set(error, status, "the message is malformed");
}

static enum slim_status fill_x509(struct slim_view message, struct slim_auth_x509_state *state,
                                  struct slim_error *error)
{
    struct slim_auth_x509_svid svid;
    struct slim_spiffe_id id;
    enum slim_status status = slim_auth_message_read_x509(message, &svid);
    if (status != SLIM_OK) {
        return slim_error_set(error, status, "the message has no X509-SVID");
    }
    SLIM_TRY(check_svid(&svid, &id, error));
    if (slim_buf_put(&state->spiffe_id, svid.spiffe_id) != SLIM_OK ||
        slim_buf_put(&state->chain, svid.chain) != SLIM_OK ||
        slim_buf_put(&state->key, svid.key) != SLIM_OK) {
        return no_memory(error);
    }
    SLIM_TRY(add_roots(state, id.domain, svid.bundle, error));
    return read_federated(message, state, error);
}

enum slim_status slim_auth_x509_state_read(struct slim_view message,
                                           struct slim_auth_x509_state *state,
                                           struct slim_error *error)
{
    struct slim_auth_x509_state made = {.has_svid = true};
    enum slim_status status = fill_x509(message, &made, error);
    if (status != SLIM_OK) {
        slim_auth_x509_state_fini(&made);
        return status;
    }
    slim_auth_x509_state_fini(state);
    *state = made;
    return SLIM_OK;
}

/* ---- JWT */

void slim_auth_jwt_svid_fini(struct slim_auth_jwt_svid *svid)
{
    slim_buf_wipe(&svid->token);
    slim_buf_fini(&svid->spiffe_id);
    svid->exp_s = 0;
}

/* sub and exp of our own token: read without a check, the agent is trusted; what others think of it is their business. */
static enum slim_status read_own(struct slim_view token, struct slim_view spiffe_id,
                                 uint64_t *exp_s, struct slim_error *error)
{
    struct slim_buf bytes = {0};
    struct slim_auth_jwt jwt = {0};
    struct slim_auth_times times = {0};
    struct slim_view subject = {0};
    enum slim_auth_check check = SLIM_AUTH_CHECK_NONE;
    enum slim_status status = slim_auth_jwt_open(token, &bytes, &jwt, &check);
    if (status == SLIM_OK) {
        status = slim_auth_jwt_read_times(jwt.payload, &times, &check);
    }
    if (status != SLIM_OK) {
        (void)slim_error_set(error, status, "JWT-SVID: %s",
                             slim_auth_check_text(check)); /* below */
    } else if (!slim_json_read_text(slim_json_find(jwt.payload, "sub"), &subject) ||
               !slim_view_is_equal(subject, spiffe_id) || !times.has_exp) {
        status = slim_error_set(error, SLIM_ERR_MALFORMED,
                                "JWT-SVID: no exp, or a sub that is not its SPIFFE id");
    } else {
        *exp_s = times.exp_s;
    }
    slim_auth_jwt_fini(&jwt);
    slim_buf_wipe(&bytes);
    return status;
}

enum slim_status slim_auth_jwt_svid_read(struct slim_view message, struct slim_auth_jwt_svid *svid,
                                         struct slim_error *error)
{
    struct slim_view token;
    struct slim_view spiffe_id;
    struct slim_spiffe_id id;
    struct slim_auth_jwt_svid made = {0};
    enum slim_status status = slim_auth_message_read_jwt(message, &token, &spiffe_id);
    if (status != SLIM_OK) {
        return slim_error_set(error, status, "the message has no JWT-SVID");
    }
    if (token.len == 0 || token.len > SLIM_AUTH_TOKEN_BYTES_MAX ||
        slim_spiffe_id_parse(spiffe_id, &id) != SLIM_OK) {
        return slim_error_set(error, SLIM_ERR_MALFORMED,
                              "JWT-SVID: no token, one that is too long, or no SPIFFE id");
    }
    SLIM_TRY(read_own(token, spiffe_id, &made.exp_s, error));
    if (slim_buf_put(&made.token, token) != SLIM_OK ||
        slim_buf_put(&made.spiffe_id, spiffe_id) != SLIM_OK) {
        slim_auth_jwt_svid_fini(&made);
        return no_memory(error);
    }
    slim_auth_jwt_svid_fini(svid);
    *svid = made;
    return SLIM_OK;
}

/* ---- bundles */

/* The keys of one trust domain. When its text is broken, those that we have of it stay. */
static enum slim_status add_domain(struct slim_auth_keyset *made,
                                   const struct slim_auth_keyset *old, struct slim_view domain,
                                   struct slim_view jwks, struct slim_error *error)
{
    size_t count = made->count;
    struct slim_error why = {0};
    enum slim_status status = slim_auth_keyset_add_jwks(made, jwks, domain, true, &why);
    if (status == SLIM_OK || status == SLIM_ERR_NO_MEMORY) {
        return status == SLIM_OK ? status : no_memory(error);
    }
    slim_auth_keyset_cut(made, count);
    SLIM_TRY(slim_auth_keyset_copy_domain(made, old, domain, error));
    (void)slim_error_set(error, status, "the JWT bundle of %.*s is not used: %.80s",
                         domain.len < 80 ? (int)domain.len : 80, (const char *)domain.data,
                         why.text); /* a sentence for the log: the other domains are good */
    return SLIM_OK;
}

static enum slim_status fill_bundles(struct slim_view message, const struct slim_auth_keyset *old,
                                     struct slim_auth_keyset *bundles, struct slim_error *error)
{
    struct slim_view key;
    struct slim_view jwks;
    enum slim_status status;
    while ((status = slim_auth_message_next_entry(&message, SLIM_AUTH_FIELD_JWT_BUNDLES, &key,
                                                  &jwks)) == SLIM_OK) {
        struct slim_view domain;
        if (slim_spiffe_domain_parse(key, &domain) != SLIM_OK) {
            return slim_error_set(error, SLIM_ERR_MALFORMED, "a bundle without a trust domain");
        }
        SLIM_TRY(add_domain(bundles, old, domain, jwks, error));
    }
    return status == SLIM_AGAIN ? SLIM_OK
                                : slim_error_set(error, status, "the message is malformed");
}

enum slim_status slim_auth_bundles_read(struct slim_view message, struct slim_auth_keyset *bundles,
                                        struct slim_error *error)
{
    struct slim_auth_keyset made = {0};
    enum slim_status status = fill_bundles(message, bundles, &made, error);
    if (status != SLIM_OK) {
        slim_auth_keyset_fini(&made);
        return status;
    }
    slim_auth_keyset_fini(bundles);
    *bundles = made;
    return SLIM_OK;
}
