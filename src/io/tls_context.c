/* Contexts: certificates, keys and roots out of PEM or DER, and the rules every session keeps. */
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "base/crypto_context.h"
#include "io/tls_internal.h"

/* As the reference: forward secrecy and authenticated encryption only. TLS 1.3 has nothing else. */
static const char CIPHERS_1_2[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
static const uint8_t ALPN_H2[] = {2, 'h', '2'};

typedef enum slim_status on_cert(void *ctx, X509 *cert);

static enum slim_status no_memory(struct slim_error *error)
{
    ERR_clear_error();
    return slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
}

static enum slim_status bad_material(struct slim_error *error, enum slim_tls_format format,
                                     const char *what)
{
    ERR_clear_error();
    return slim_error_set(error, SLIM_ERR_CONFIG, "%s\n%s",
                          format == SLIM_TLS_PEM ? "invalid pem format" : "invalid der format",
                          what);
}

/* ---------------------------------------------------------------------------------------------------- reading */

static enum slim_status each_pem(struct slim_view text, on_cert *take, void *ctx, size_t *count)
{
    BIO *bio = BIO_new_mem_buf(text.data, (int)text.len);
    if (bio == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    enum slim_status status = SLIM_OK;
    unsigned char *der;
    long len;
    while (status == SLIM_OK &&
           PEM_bytes_read_bio(&der, &len, NULL, PEM_STRING_X509, bio, NULL, NULL) == 1) {
        const uint8_t *at = der;
        X509 *cert = slim_crypto_cert_take(&at, (size_t)len);
        status = cert == NULL ? SLIM_ERR_MALFORMED : take(ctx, cert);
        OPENSSL_free(der);
        (*count)++;
    }
    BIO_free(bio);
    unsigned long reason = ERR_peek_last_error();
    if (status == SLIM_OK &&
        (ERR_GET_LIB(reason) != ERR_LIB_PEM || ERR_GET_REASON(reason) != PEM_R_NO_START_LINE)) {
        status = SLIM_ERR_MALFORMED; /* a block that ends early, or is not a certificate */
    }
    ERR_clear_error();
    return status;
}

static enum slim_status each_der(struct slim_view bytes, on_cert *take, void *ctx, size_t *count)
{
    const uint8_t *at = bytes.data;
    const uint8_t *end = bytes.data + bytes.len;
    while (at < end) {
        X509 *cert = slim_crypto_cert_take(&at, (size_t)(end - at));
        if (cert == NULL) {
            ERR_clear_error();
            return SLIM_ERR_MALFORMED;
        }
        SLIM_TRY(take(ctx, cert));
        (*count)++;
    }
    return SLIM_OK;
}

/* Hand every certificate to `take`, which owns it. SLIM_ERR_MALFORMED: something else is there, or nothing. */
static enum slim_status each_cert(enum slim_tls_format format, struct slim_view bytes,
                                  on_cert *take, void *ctx)
{
    size_t count = 0;
    if (bytes.len == 0 || bytes.len > INT_MAX) {
        return SLIM_ERR_MALFORMED;
    }
    SLIM_TRY(format == SLIM_TLS_PEM ? each_pem(bytes, take, ctx, &count)
                                    : each_der(bytes, take, ctx, &count));
    return count == 0 ? SLIM_ERR_MALFORMED : SLIM_OK;
}

/* No terminal is asked for the password of an encrypted key. */
static int no_password(char *out, int size, int is_write, void *ctx)
{
    (void)out;
    (void)size;
    (void)is_write;
    *(bool *)ctx = true;
    return -1;
}

static EVP_PKEY *read_key(enum slim_tls_format format, struct slim_view bytes, bool *is_encrypted)
{
    *is_encrypted = false;
    if (bytes.len > INT_MAX) {
        return NULL;
    }
    if (format == SLIM_TLS_DER) {
        const uint8_t *at = bytes.data;
        return d2i_AutoPrivateKey_ex(NULL, &at, (long)bytes.len, slim_crypto_context(), NULL);
    }
    BIO *bio = BIO_new_mem_buf(bytes.data, (int)bytes.len);
    EVP_PKEY *key = bio == NULL ? NULL
                                : PEM_read_bio_PrivateKey_ex(bio, NULL, no_password, is_encrypted,
                                                             slim_crypto_context(), NULL);
    BIO_free(bio);
    return key;
}

/* ---------------------------------------------------------------------------------------------------- taking over */

/* The first certificate is our own. */
struct chain {
    SSL_CTX *ssl;
    bool has_own;
    bool is_weak;
};

static enum slim_status add_to_chain(void *ctx, X509 *cert)
{
    struct chain *chain = ctx;
    bool is_done;
    if (!chain->has_own) {
        is_done = SSL_CTX_use_certificate(chain->ssl, cert) == 1;
        X509_free(cert);
        chain->has_own = true;
        chain->is_weak = !is_done && ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_SSL;
    } else {
        is_done = SSL_CTX_add0_chain_cert(chain->ssl, cert) == 1;
        if (!is_done) {
            X509_free(cert);
        }
    }
    return is_done ? SLIM_OK : SLIM_ERR_INVALID;
}

static enum slim_status use_own(SSL_CTX *ssl, const struct slim_tls_material *material,
                                struct slim_error *error)
{
    struct chain chain = {.ssl = ssl};
    enum slim_status status = each_cert(material->format, material->chain, add_to_chain, &chain);
    if (chain.is_weak) {
        const char *why = ERR_reason_error_string(ERR_peek_last_error());
        status = slim_error_set(error, SLIM_ERR_CONFIG, "the certificate cannot be used: %s",
                                why == NULL ? "unknown reason" : why);
        ERR_clear_error();
        return status;
    }
    if (status != SLIM_OK) {
        return bad_material(error, material->format, "no certificate, or a broken one");
    }
    bool is_encrypted;
    EVP_PKEY *key = read_key(material->format, material->key, &is_encrypted);
    if (key == NULL) {
        return bad_material(error, material->format,
                            is_encrypted
                                ? "the key is encrypted: a key without a password is needed"
                                : "no private key, or a broken one");
    }
    bool is_used = SSL_CTX_use_PrivateKey(ssl, key) == 1;
    EVP_PKEY_free(key);
    if (!is_used || SSL_CTX_check_private_key(ssl) != 1) {
        ERR_clear_error();
        return slim_error_set(error, SLIM_ERR_CONFIG, "the key does not belong to the certificate");
    }
    return SLIM_OK;
}

static enum slim_status add_root(void *ctx, X509 *cert)
{
    X509_STORE *store = ctx;
    bool is_done = X509_STORE_add_cert(store, cert) == 1;
    X509_free(cert);
    return is_done ? SLIM_OK : SLIM_ERR_NO_MEMORY;
}

static enum slim_status add_name(void *ctx, X509 *cert)
{
    bool is_done = SSL_CTX_add_client_CA(ctx, cert) == 1;
    X509_free(cert);
    return is_done ? SLIM_OK : SLIM_ERR_NO_MEMORY;
}

static enum slim_status use_roots(struct slim_tls_context *context, SSL_CTX *ssl,
                                  const struct slim_tls_material *material,
                                  struct slim_error *error)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    /* a root that is given is trusted, whoever signed it */
    (void)X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN); /* cannot fail */
    context->roots_note[0] = '\0';
    if (material->use_system) {
        slim_tls_roots_add_system(store, context->roots_note, sizeof(context->roots_note));
    }
    if (material->roots.len == 0) {
        return SLIM_OK;
    }
    enum slim_status status = each_cert(material->roots_format, material->roots, add_root, store);
    if (status == SLIM_OK && context->options.asks_client) {
        status = each_cert(material->roots_format, material->roots, add_name, ssl);
    }
    if (status == SLIM_ERR_NO_MEMORY) {
        return no_memory(error);
    }
    return status == SLIM_OK
               ? SLIM_OK
               : bad_material(error, material->roots_format, "no CA certificate, or a broken one");
}

/* ---------------------------------------------------------------------------------------------------- rules */

static int choose_protocol(SSL *ssl, const uint8_t **out, uint8_t *out_len, const uint8_t *in,
                           unsigned in_len, void *arg)
{
    (void)ssl;
    (void)arg;
    for (unsigned at = 0; at < in_len; at += 1U + in[at]) {
        if (in[at] == 2 && in_len - at >= sizeof(ALPN_H2) &&
            memcmp(in + at, ALPN_H2, sizeof(ALPN_H2)) == 0) {
            *out = in + at + 1;
            *out_len = 2;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL; /* offers something, and not what we speak */
}

static bool set_rules(const struct slim_tls_context *context, SSL_CTX *ssl)
{
    const struct slim_tls_options *options = &context->options;
    int version = options->version == SLIM_TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
    /* Tickets would let a peer come back without showing its certificate, also after the roots were changed. */
    SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (SSL_CTX_set_num_tickets(ssl, 0) != 1 || SSL_CTX_set_min_proto_version(ssl, version) != 1 ||
        SSL_CTX_set_max_proto_version(ssl, version) != 1 ||
        SSL_CTX_set_cipher_list(ssl, CIPHERS_1_2) != 1) {
        return false;
    }
    if (context->is_server) {
        SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, NULL);
    } else if (!options->is_http1 && SSL_CTX_set_alpn_protos(ssl, ALPN_H2, sizeof(ALPN_H2)) != 0) {
        return false;
    }
    bool checks = context->is_server ? options->asks_client : !options->skip_verify;
    SSL_CTX_set_verify(
        ssl, checks ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE, NULL);
    if (checks) {
        SSL_CTX_set_cert_verify_callback(ssl, slim_tls_check, NULL);
    }
    return true;
}

static enum slim_status make_ssl(struct slim_tls_context *context,
                                 const struct slim_tls_material *material, SSL_CTX **ssl,
                                 struct slim_error *error)
{
    bool is_own_given = material->chain.len > 0 && material->key.len > 0;
    if (context->is_server ? !is_own_given : (material->chain.len > 0) != (material->key.len > 0)) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              context->is_server ? "missing server cert or key"
                                                 : "missing client cert or key");
    }
    SSL_CTX *made = SSL_CTX_new_ex(slim_crypto_context(), NULL,
                                   context->is_server ? TLS_server_method() : TLS_client_method());
    if (made == NULL) {
        return no_memory(error);
    }
    enum slim_status status =
        set_rules(context, made)
            ? SLIM_OK
            : slim_error_set(error, SLIM_ERR_CRYPTO, "OpenSSL refuses the TLS version");
    if (status == SLIM_OK && is_own_given) {
        status = use_own(made, material, error);
    }
    if (status == SLIM_OK) {
        status = use_roots(context, made, material, error);
    }
    ERR_clear_error();
    if (status != SLIM_OK) {
        SSL_CTX_free(made);
        return status;
    }
    *ssl = made;
    return SLIM_OK;
}

/* ---------------------------------------------------------------------------------------------------- public */

static enum slim_status context_new(bool is_server, const struct slim_tls_options *options,
                                    const struct slim_tls_material *material,
                                    struct slim_tls_context **context, struct slim_error *error)
{
    struct slim_tls_context *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
    }
    made->is_server = is_server;
    made->options = *options;
    made->ref_count = 1;
    enum slim_status status = make_ssl(made, material, &made->ssl, error);
    if (status != SLIM_OK) {
        free(made);
        return status;
    }
    *context = made;
    return SLIM_OK;
}

enum slim_status slim_tls_context_new_server(const struct slim_tls_options *options,
                                             const struct slim_tls_material *material,
                                             struct slim_tls_context **context,
                                             struct slim_error *error)
{
    return context_new(true, options, material, context, error);
}

enum slim_status slim_tls_context_new_client(const struct slim_tls_options *options,
                                             const struct slim_tls_material *material,
                                             struct slim_tls_context **context,
                                             struct slim_error *error)
{
    return context_new(false, options, material, context, error);
}

enum slim_status slim_tls_context_update(struct slim_tls_context *context,
                                         const struct slim_tls_material *material,
                                         struct slim_error *error)
{
    SSL_CTX *made = NULL;
    SLIM_TRY(make_ssl(context, material, &made, error));
    SSL_CTX_free(context->ssl); /* sessions hold it as long as they need it */
    context->ssl = made;
    return SLIM_OK;
}

void slim_tls_context_unref(struct slim_tls_context *context)
{
    context->ref_count--;
    if (context->ref_count == 0) {
        SSL_CTX_free(context->ssl);
        free(context);
    }
}

void slim_tls_context_free(struct slim_tls_context *context)
{
    if (context != NULL) {
        context->is_given_up = true;
        slim_tls_context_unref(context);
    }
}

static enum slim_status push(void *ctx, X509 *cert)
{
    if (sk_X509_push(ctx, cert) > 0) {
        return SLIM_OK;
    }
    X509_free(cert);
    return SLIM_ERR_NO_MEMORY;
}

/* chain, roots: as DER. */
static enum slim_status verify(X509_STORE *store, STACK_OF(X509) * certs, struct slim_error *error)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new_ex(slim_crypto_context(), NULL);
    if (ctx == NULL || X509_STORE_CTX_init(ctx, store, sk_X509_value(certs, 0), certs) != 1) {
        X509_STORE_CTX_free(ctx);
        return no_memory(error);
    }
    enum slim_status status = SLIM_OK;
    if (X509_verify_cert(ctx) != 1) {
        status = slim_error_set(error, SLIM_ERR_DENIED, "%s",
                                X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    }
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
    return status;
}

enum slim_status slim_tls_verify_chain(struct slim_view chain, struct slim_view roots,
                                       struct slim_error *error)
{
    X509_STORE *store = X509_STORE_new();
    STACK_OF(X509) *certs = sk_X509_new_null();
    enum slim_status status = SLIM_ERR_NO_MEMORY;
    if (store != NULL && certs != NULL) {
        (void)X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN); /* cannot fail */
        status = each_cert(SLIM_TLS_DER, chain, push, certs);
    }
    if (status == SLIM_OK) {
        status = each_cert(SLIM_TLS_DER, roots, add_root, store);
    }
    if (status == SLIM_OK) {
        status = verify(store, certs, error);
    } else {
        status = slim_error_set(error, status, "no certificate, or a broken one");
    }
    sk_X509_pop_free(certs, X509_free);
    X509_STORE_free(store);
    return status;
}
