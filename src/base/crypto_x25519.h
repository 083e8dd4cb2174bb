/* X25519 (RFC 7748) where libsodium's is not the fastest: private to crypto_key.c.
 *
 * libsodium 1.0.18 multiplies the base point as any other, on processors with AVX. Two ways around it: over its Edwards tables with
 * the change of coordinates here; and, where the processor has AVX-512 IFMA, eight multiplications at a time. Both take the
 * same time for all keys. */
#ifndef SLIM_BASE_CRYPTO_X25519_H
#define SLIM_BASE_CRYPTO_X25519_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SLIM_X25519_LEN = 32, SLIM_X25519_LANES = 8 };

/* Public key of a private one. False: libsodium found the identity, which no clamped scalar gives. */
bool slim_x25519_base(uint8_t public_key[SLIM_X25519_LEN],
                      const uint8_t private_key[SLIM_X25519_LEN]);

/* Does this processor have what slim_x25519_eight needs? */
bool slim_x25519_has_eight(void);

/* shared[i] = X25519(private_keys[i], points[i]) for all lanes; a shared secret of all zeros is for the caller to refuse. */
void slim_x25519_eight(uint8_t *const shared[SLIM_X25519_LANES],
                       const uint8_t *const private_keys[SLIM_X25519_LANES],
                       const uint8_t *const points[SLIM_X25519_LANES]);

#endif
