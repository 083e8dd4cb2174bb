/* Certificates for the tests of TLS, made on the spot. */
#ifndef SLIM_TESTS_IO_TLS_CERTS_H
#define SLIM_TESTS_IO_TLS_CERTS_H

#include <openssl/x509.h>

#include "base/buf.h"
#include "base/crypto_context.h"
#include "io/tls.h"

/* A certificate and its key. pem: itself and its chain without the root; key_pem likewise. root_pem: itself, for who trusts it. */
struct certs {
    X509 *cert;
    EVP_PKEY *key;
    struct slim_buf pem;
    struct slim_buf key_pem;
    struct slim_buf root_pem;
};

/* names    alternative names as OpenSSL writes them ("DNS:localhost,IP:127.0.0.1"); NULL: none; a CA has none
 * days     from now on: when it begins and when it ends */
struct certs_rules {
    const char *common_name;
    const char *names;
    bool is_ca;
    int first_day;
    int last_day;
};

/* issuer NULL: signed by itself. */
void certs_make(struct certs *made, const struct certs *issuer, const struct certs_rules *rules);
void certs_free(struct certs *certs);

/* CA "root", and what it signed for "localhost". Made once, freed by certs_world_free. */
struct certs_world {
    struct certs root;
    struct certs other_root;
    struct certs inter;
    struct certs server;
    struct certs chained; /* by inter */
    struct certs client;
    struct certs stranger; /* by other_root */
    struct certs expired;
    struct certs early;
    struct certs nameless; /* common name "localhost", no alternative names */
    struct certs wild;     /* *.example.test */
};
void certs_world_make(struct certs_world *world);
void certs_world_free(struct certs_world *world);

/* `own` NULL: no certificate; `root` NULL: no roots. */
struct slim_tls_material certs_material(const struct certs *own, const struct certs *root);

#endif
