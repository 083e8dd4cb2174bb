/* SipHash-2-4 with 128 bits of output: a keyed hash whose collisions a stranger cannot find without the key. */
#ifndef SLIM_BASE_SIPHASH_H
#define SLIM_BASE_SIPHASH_H

#include "base/view.h"

enum { SLIM_SIPHASH_KEY_BYTES = 16, SLIM_SIPHASH_BYTES = 16 };

void slim_siphash128(const uint8_t key[static SLIM_SIPHASH_KEY_BYTES], struct slim_view bytes,
                     uint8_t out[static SLIM_SIPHASH_BYTES]);

#endif
