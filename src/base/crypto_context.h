/* OpenSSL's library context: where its algorithms, random numbers and settings live. Everything of SLIM's that asks OpenSSL for an
 * algorithm, reads a key or a certificate or makes a TLS context names this one.
 *
 * It is our own. A library is a guest: the default context belongs to the program, which may have loaded other providers into it or
 * have taken some away, and openssl.cnf is the program's. Where OpenSSL is linked in for us alone (the option private_libs: the
 * Python package), nothing of it reads openssl.cnf and nothing of it runs when the process ends. */
#ifndef SLIM_BASE_CRYPTO_CONTEXT_H
#define SLIM_BASE_CRYPTO_CONTEXT_H

#include <openssl/types.h>
#include <stddef.h>
#include <stdint.h>

/* Made with the first call; lives as long as the process. NULL names OpenSSL's default context: see below. Any thread. */
OSSL_LIB_CTX *slim_crypto_context(void);

/* For programs, before anything else of SLIM's: take OpenSSL's default context, so that the machine's openssl.cnf counts (providers,
 * FIPS, least versions of TLS). */
void slim_crypto_context_use_default(void);

/* The next certificate (DER) of the bytes from *at on, `len` of them; *at is moved behind it. It belongs to the context, which d2i_X509 cannot do.
 * NULL: what is there is none, or no memory; OpenSSL's queue of errors says which. */
X509 *slim_crypto_cert_take(const uint8_t **at, size_t len);

#endif
