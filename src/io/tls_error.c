/* The check of certificates, and sentences for what goes wrong: which side, what, and what it means. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "io/tls_internal.h"

/* ---------------------------------------------------------------------------------------------------- check */

static enum slim_status put_der(struct slim_buf *out, X509 *cert)
{
    uint8_t *der = NULL;
    int len = i2d_X509(cert, &der);
    if (len <= 0) {
        return SLIM_ERR_NO_MEMORY;
    }
    enum slim_status status = slim_buf_put(out, slim_view_of(der, (size_t)len));
    OPENSSL_free(der);
    return status;
}

/* The peer's certificates as it showed them, its own first. */
static enum slim_status put_chain(struct slim_buf *out, X509_STORE_CTX *store)
{
    X509 *own = X509_STORE_CTX_get0_cert(store);
    STACK_OF(X509) *others = X509_STORE_CTX_get0_untrusted(store);
    SLIM_TRY(put_der(out, own));
    for (int i = 0; i < sk_X509_num(others); i++) {
        if (sk_X509_value(others, i) != own) {
            SLIM_TRY(put_der(out, sk_X509_value(others, i)));
        }
    }
    return SLIM_OK;
}

static enum slim_status check_peer(struct slim_tls_session *session, X509_STORE_CTX *store)
{
    const struct slim_tls_context *context = session->context;
    if (context->is_given_up) {
        return slim_error_set(session->error, SLIM_ERR_DENIED, "shutting down");
    }
    struct slim_buf chain = {0};
    enum slim_status status = put_chain(&chain, store);
    if (status == SLIM_OK) {
        status = context->options.check_peer(context->options.check_ctx, slim_buf_view(&chain),
                                             session->error);
    }
    slim_buf_fini(&chain);
    return status;
}

int slim_tls_check(X509_STORE_CTX *store, void *arg)
{
    (void)arg;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct slim_tls_session *session = SSL_get_app_data(ssl);
    if (X509_verify_cert(store) != 1) {
        return 0;
    }
    if (session->context->options.check_peer == NULL || check_peer(session, store) == SLIM_OK) {
        return 1;
    }
    session->is_peer_refused = true;
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

/* ---------------------------------------------------------------------------------------------------- sentences */

/* Alerts that people meet, in words that name a remedy (RFC 8446, 6.2). NULL: OpenSSL's words do. */
static const char *alert_text(int alert, bool is_server)
{
    switch (alert) {
    case SSL3_AD_BAD_CERTIFICATE:
        return "it takes our certificate for broken, or not meant for it";
    case SSL3_AD_CERTIFICATE_EXPIRED:
        return "our certificate has expired, or is not valid yet";
    case TLS1_AD_UNKNOWN_CA:
        return "it does not trust the CA of our certificate";
    case SSL3_AD_HANDSHAKE_FAILURE:
        return is_server ? "it finds nothing in common with us"
                         : "it finds nothing in common with us, or wants a client certificate";
    case TLS1_AD_PROTOCOL_VERSION:
        return "it does not speak our TLS version";
    case TLS13_AD_CERTIFICATE_REQUIRED:
        return "it wants a client certificate, and we have shown none";
    case TLS1_AD_NO_APPLICATION_PROTOCOL:
        return "it does not speak h2";
    default:
        return NULL;
    }
}

static void explain_alert(const struct slim_tls_session *session, int alert, char *out, size_t size)
{
    const char *peer = session->context->is_server ? "client" : "server";
    const char *text = alert_text(alert, session->context->is_server);
    /* may be cut */
    if (text != NULL) {
        (void)snprintf(out, size, "the %s refused us: %s (alert %d, %s)", peer, text, alert,
                       SSL_alert_desc_string_long(alert));
    } else {
        (void)snprintf(out, size, "the %s refused us: %s (alert %d)", peer,
                       SSL_alert_desc_string_long(alert), alert);
    }
}

static void explain_certificate(const struct slim_tls_session *session, char *out, size_t size)
{
    const char *peer = session->context->is_server ? "client" : "server";
    long why = SSL_get_verify_result(session->ssl);
    /* may be cut */
    if (session->is_peer_refused) {
        (void)snprintf(out, size, "the certificate of the %s is refused: %.250s", peer,
                       session->error == NULL ? "" : session->error->text);
        return;
    }
    if ((why == X509_V_ERR_HOSTNAME_MISMATCH || why == X509_V_ERR_IP_ADDRESS_MISMATCH) &&
        session->name != NULL) {
        (void)snprintf(out, size, "the certificate of the %s is refused: it is not for \"%.100s\"",
                       peer, session->name);
        return;
    }
    bool is_unknown = why == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
                      why == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
                      why == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
                      why == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
                      why == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ||
                      why == X509_V_ERR_CERT_SIGNATURE_FAILURE;
    const char *note = session->context->roots_note;
    const char *detail = is_unknown && note[0] != '\0' ? note : X509_verify_cert_error_string(why);
    (void)snprintf(out, size, "the certificate of the %s is refused: %s%s", peer,
                   is_unknown ? "its CA is not trusted: " : "", detail);
}

static const char *own_text(const struct slim_tls_session *session, int reason)
{
    bool is_server = session->context->is_server;
    bool is_1_3 = session->context->options.version == SLIM_TLS_1_3;
    switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_VERSION_TOO_HIGH:
    case SSL_R_WRONG_SSL_VERSION:
        return is_server
                   ? (is_1_3 ? "the client does not speak TLS 1.3, the version of this server"
                             : "the client does not speak TLS 1.2, the version of this server")
                   : (is_1_3 ? "the server does not speak TLS 1.3, the version of this client"
                             : "the server does not speak TLS 1.2, the version of this client");
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return "the client has shown no certificate, which this server wants";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_UNEXPECTED_MESSAGE:
    case SSL_R_UNEXPECTED_RECORD:
    case SSL_R_BAD_PROTOCOL_VERSION_NUMBER:
        return is_server ? "the client does not speak TLS" : "the server does not speak TLS";
    case SSL_R_NO_APPLICATION_PROTOCOL:
        return "the client does not offer h2";
    case SSL_R_NO_SHARED_CIPHER:
        return "no cipher in common";
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
        return "a record was changed on its way";
    default:
        return NULL;
    }
}

static void explain_own(const struct slim_tls_session *session, int reason, char *out, size_t size)
{
    const char *text = own_text(session, reason);
    if (text == NULL) {
        text = ERR_reason_error_string(ERR_peek_error());
    }
    (void)snprintf(out, size, "%s", text == NULL ? "broken TLS" : text); /* may be cut */
}

enum slim_status slim_tls_explain(const struct slim_tls_session *session, struct slim_error *error)
{
    char text[SLIM_ERROR_TEXT_MAX];
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_REASON(code);
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET &&
        reason <= SSL_AD_REASON_OFFSET + UINT8_MAX) {
        explain_alert(session, reason - SSL_AD_REASON_OFFSET, text, sizeof(text));
    } else if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        explain_certificate(session, text, sizeof(text));
    } else {
        explain_own(session, reason, text, sizeof(text));
    }
    ERR_clear_error();
    return slim_error_set(error, SLIM_ERR_DENIED, "TLS %sfailed: %s",
                          session->is_open ? "" : "handshake ", text);
}
