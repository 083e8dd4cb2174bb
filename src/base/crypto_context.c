#include "base/crypto_context.h"

#include <limits.h>
#include <openssl/asn1t.h>
#include <openssl/crypto.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdbool.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static OSSL_LIB_CTX *context; /* written once, before anybody reads it */
static bool is_default;

static void make_context(void)
{
#ifdef SLIM_PRIVATE_OPENSSL
    /* The first call decides. Handlers at the end of the process would take the tables from under threads that still run. */
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
#endif
    if (!is_default) {
        context = OSSL_LIB_CTX_new(); /* NULL, without memory: the default one does as well */
    }
}

OSSL_LIB_CTX *slim_crypto_context(void)
{
    (void)pthread_once(&once, make_context); /* cannot fail with a valid control */
    return context;
}

void slim_crypto_context_use_default(void)
{
    is_default = true;
}

X509 *slim_crypto_cert_take(const uint8_t **at, size_t len)
{
    X509 *cert = len > LONG_MAX ? NULL : X509_new_ex(slim_crypto_context(), NULL);
    ASN1_VALUE *value = (ASN1_VALUE *)cert; /* of OpenSSL's interface: any structure of ASN.1 */
    if (value == NULL) {
        return NULL;
    }
    /* frees what it was given when it fails */
    return (X509 *)ASN1_item_d2i(&value, at, (long)len, ASN1_ITEM_rptr(X509));
}
