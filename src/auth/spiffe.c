#include "auth/spiffe.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/crypto_context.h"

static const struct slim_view scheme = {(const uint8_t *)"spiffe://", 9};

static bool is_domain(struct slim_view text)
{
    if (text.len == 0 || text.len > SLIM_SPIFFE_DOMAIN_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
              c == '_')) {
            return false;
        }
    }
    return true;
}

/* One segment, without its '/'. */
static bool is_segment(struct slim_view text)
{
    if (text.len == 0 || slim_view_is_equal(text, SLIM_VIEW(".")) ||
        slim_view_is_equal(text, SLIM_VIEW(".."))) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '-' || c == '_')) {
            return false;
        }
    }
    return true;
}

static bool is_path(struct slim_view path)
{
    while (path.len > 0) {
        struct slim_view rest = slim_view_skip(path, 1); /* the '/' */
        const uint8_t *slash = rest.len == 0 ? NULL : memchr(rest.data, '/', rest.len);
        size_t len = slash == NULL ? rest.len : (size_t)(slash - rest.data);
        if (!is_segment(slim_view_of(rest.data, len))) {
            return false;
        }
        path = slim_view_skip(rest, len);
    }
    return true;
}

enum slim_status slim_spiffe_id_parse(struct slim_view text, struct slim_spiffe_id *id)
{
    if (text.len > SLIM_SPIFFE_ID_BYTES_MAX || !slim_view_has_prefix(text, scheme)) {
        return SLIM_ERR_MALFORMED;
    }
    struct slim_view rest = slim_view_skip(text, scheme.len);
    const uint8_t *slash = rest.len == 0 ? NULL : memchr(rest.data, '/', rest.len);
    size_t len = slash == NULL ? rest.len : (size_t)(slash - rest.data);
    struct slim_spiffe_id found = {slim_view_of(rest.data, len), slim_view_skip(rest, len)};
    if (!is_domain(found.domain) || !is_path(found.path)) {
        return SLIM_ERR_MALFORMED;
    }
    *id = found;
    return SLIM_OK;
}

enum slim_status slim_spiffe_domain_parse(struct slim_view text, struct slim_view *domain)
{
    if (slim_view_has_prefix(text, scheme)) {
        text = slim_view_skip(text, scheme.len);
    }
    if (!is_domain(text)) {
        return SLIM_ERR_MALFORMED;
    }
    *domain = text;
    return SLIM_OK;
}

/* ---- certificates */

/* The only URI among the alternative names; borrowed from `names`. An empty view: none, or several. */
static struct slim_view only_uri(const GENERAL_NAMES *names)
{
    struct slim_view uri = {NULL, 0};
    size_t uri_count = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_URI) {
            const ASN1_IA5STRING *text = name->d.uniformResourceIdentifier;
            uri = slim_view_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
            uri_count++;
        }
    }
    return uri_count == 1 ? uri : (struct slim_view){NULL, 0};
}

static enum slim_status read_cert(X509 *cert, struct slim_buf *id, struct slim_error *error)
{
    uint32_t flags = X509_get_extension_flags(cert);
    if ((flags & EXFLAG_INVALID) != 0 || (flags & EXFLAG_CA) != 0) {
        return slim_error_set(error, SLIM_ERR_DENIED,
                              "the certificate is not that of a workload but of an authority");
    }
    if ((flags & EXFLAG_KUSAGE) != 0 &&
        (X509_get_key_usage(cert) & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) != 0) {
        return slim_error_set(error, SLIM_ERR_DENIED,
                              "the certificate of a workload must not sign others");
    }
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    struct slim_view uri = names == NULL ? (struct slim_view){NULL, 0} : only_uri(names);
    struct slim_spiffe_id parsed;
    enum slim_status status = SLIM_OK;
    if (slim_spiffe_id_parse(uri, &parsed) != SLIM_OK || parsed.path.len == 0) {
        status = slim_error_set(error, SLIM_ERR_DENIED,
                                "the certificate does not have exactly one URI, or it is no "
                                "SPIFFE id of a workload");
    } else if (slim_buf_put(id, uri) != SLIM_OK) {
        status = slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
    }
    GENERAL_NAMES_free(names);
    return status;
}

enum slim_status slim_spiffe_cert_id(struct slim_view der, struct slim_buf *id,
                                     struct slim_error *error)
{
    const unsigned char *at = der.data;
    X509 *cert = slim_crypto_cert_take(&at, der.len);
    if (cert == NULL || at != der.data + der.len) {
        X509_free(cert);
        ERR_clear_error();
        return slim_error_set(error, SLIM_ERR_MALFORMED, "not one certificate in DER form");
    }
    enum slim_status status = read_cert(cert, id, error);
    X509_free(cert);
    ERR_clear_error();
    return status;
}
