#include "tls_certs.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "support/check.h"

enum { SECONDS_PER_DAY = 24 * 60 * 60 };

static void put_bio(struct slim_buf *out, BIO *bio)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    CHECK(len > 0);
    CHECK_OK(slim_buf_put(out, slim_view_of(data, (size_t)len)));
    BIO_free(bio);
}

static void put_cert(struct slim_buf *out, X509 *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());
    CHECK(bio != NULL && PEM_write_bio_X509(bio, cert) == 1);
    put_bio(out, bio);
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    CHECK(extension != NULL && X509_add_ext(cert, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

void certs_make(struct certs *made, const struct certs *issuer, const struct certs_rules *rules)
{
    static long serial = 1;
    *made = (struct certs){0};
    made->key = EVP_PKEY_Q_keygen(slim_crypto_context(), NULL, "EC", "P-256");
    made->cert = X509_new_ex(slim_crypto_context(), NULL);
    CHECK(made->key != NULL && made->cert != NULL);
    X509 *signer = issuer == NULL ? made->cert : issuer->cert;
    CHECK(X509_set_version(made->cert, 2) == 1);
    CHECK(ASN1_INTEGER_set(X509_get_serialNumber(made->cert), serial++) == 1);
    CHECK(X509_gmtime_adj(X509_getm_notBefore(made->cert),
                          (long)rules->first_day * SECONDS_PER_DAY) != NULL);
    CHECK(X509_gmtime_adj(X509_getm_notAfter(made->cert),
                          (long)rules->last_day * SECONDS_PER_DAY) != NULL);
    X509_NAME *name = X509_get_subject_name(made->cert);
    CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)rules->common_name,
                                     -1, -1, 0) == 1);
    CHECK(X509_set_issuer_name(made->cert, X509_get_subject_name(signer)) == 1);
    CHECK(X509_set_pubkey(made->cert, made->key) == 1);
    add_extension(made->cert, signer, NID_basic_constraints,
                  rules->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (rules->names != NULL) {
        add_extension(made->cert, signer, NID_subject_alt_name, rules->names);
    }
    CHECK(X509_sign(made->cert, issuer == NULL ? made->key : issuer->key, EVP_sha256()) > 0);
    put_cert(&made->pem, made->cert);
    put_cert(&made->root_pem, made->cert);
    if (issuer != NULL && X509_self_signed(issuer->cert, 0) != 1) {
        CHECK_OK(slim_buf_put(&made->pem, slim_buf_view(&issuer->pem)));
    }
    BIO *bio = BIO_new(BIO_s_mem());
    CHECK(bio != NULL &&
          PEM_write_bio_PKCS8PrivateKey(bio, made->key, NULL, NULL, 0, NULL, NULL) == 1);
    put_bio(&made->key_pem, bio);
}

void certs_free(struct certs *certs)
{
    X509_free(certs->cert);
    EVP_PKEY_free(certs->key);
    slim_buf_fini(&certs->pem);
    slim_buf_fini(&certs->key_pem);
    slim_buf_fini(&certs->root_pem);
}

void certs_world_make(struct certs_world *world)
{
    static const char names[] = "DNS:localhost,IP:127.0.0.1,IP:::1";
    const struct certs_rules ca = {"root", NULL, true, -1, 30};
    const struct certs_rules leaf = {"server", names, false, -1, 30};
    certs_make(&world->root, NULL, &ca);
    certs_make(&world->other_root, NULL, &(struct certs_rules){"other", NULL, true, -1, 30});
    certs_make(&world->inter, &world->root, &(struct certs_rules){"inter", NULL, true, -1, 30});
    certs_make(&world->server, &world->root, &leaf);
    certs_make(&world->chained, &world->inter, &leaf);
    certs_make(&world->client, &world->root, &(struct certs_rules){"client", NULL, false, -1, 30});
    certs_make(&world->stranger, &world->other_root, &leaf);
    certs_make(&world->expired, &world->root, &(struct certs_rules){"old", names, false, -9, -2});
    certs_make(&world->early, &world->root, &(struct certs_rules){"new", names, false, 2, 9});
    certs_make(&world->nameless, &world->root,
               &(struct certs_rules){"localhost", NULL, false, -1, 30});
    certs_make(&world->wild, &world->root,
               &(struct certs_rules){"wild", "DNS:*.example.test", false, -1, 30});
}

void certs_world_free(struct certs_world *world)
{
    struct certs *all[] = {&world->root,    &world->other_root, &world->inter,    &world->server,
                           &world->chained, &world->client,     &world->stranger, &world->expired,
                           &world->early,   &world->nameless,   &world->wild};
    for (size_t i = 0; i < SLIM_COUNT(all); i++) {
        certs_free(all[i]);
    }
}

struct slim_tls_material certs_material(const struct certs *own, const struct certs *root)
{
    struct slim_tls_material material = {.format = SLIM_TLS_PEM, .roots_format = SLIM_TLS_PEM};
    if (own != NULL) {
        material.chain = slim_buf_view(&own->pem);
        material.key = slim_buf_view(&own->key_pem);
    }
    if (root != NULL) {
        material.roots = slim_buf_view(&root->root_pem);
    }
    return material;
}
