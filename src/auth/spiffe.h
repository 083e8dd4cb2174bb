/* SPIFFE ids (the SPIFFE-ID standard) and the certificates that carry them (X509-SVID standard). */
#ifndef SLIM_AUTH_SPIFFE_H
#define SLIM_AUTH_SPIFFE_H

#include "auth/auth.h"

enum {
    SLIM_SPIFFE_ID_BYTES_MAX = 2048,
    SLIM_SPIFFE_DOMAIN_BYTES_MAX = 255,
};

/* "spiffe://" domain path; the path is empty or begins with '/'. Borrowed from the text. */
struct slim_spiffe_id {
    struct slim_view domain;
    struct slim_view path;
};

/* Take an id apart. SLIM_ERR_MALFORMED: not one (upper case in the domain, empty, "." or ".." segments, other characters). */
SLIM_MUST_CHECK enum slim_status slim_spiffe_id_parse(struct slim_view text,
                                                      struct slim_spiffe_id *id);

/* A trust domain's name, or its id without a path ("spiffe://a.b"): the name. SLIM_ERR_MALFORMED. */
SLIM_MUST_CHECK enum slim_status slim_spiffe_domain_parse(struct slim_view text,
                                                          struct slim_view *domain);

/* The id of the certificate of a workload (one DER certificate), appended to *id. X509-SVID, 4 and 5: exactly one URI among the alternative
 * names, which is a SPIFFE id with a path; not a CA, no certificate or CRL signing.
 * SLIM_ERR_MALFORMED (no certificate), SLIM_ERR_DENIED with a sentence, SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_spiffe_cert_id(struct slim_view der, struct slim_buf *id,
                                                     struct slim_error *error);

#endif
