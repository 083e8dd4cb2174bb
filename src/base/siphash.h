/* SipHash, in the two forms that are needed. */
#ifndef SLIM_BASE_SIPHASH_H
#define SLIM_BASE_SIPHASH_H

#include "base/view.h"

enum { SLIM_SIPHASH_KEY_BYTES = 16, SLIM_SIPHASH_BYTES = 16 };

/* SipHash-2-4 with 128 bits of output: a keyed hash whose collisions a stranger cannot find without the key. */
void slim_siphash128(const uint8_t key[static SLIM_SIPHASH_KEY_BYTES], struct slim_view text,
                     uint8_t out[static SLIM_SIPHASH_BYTES]);

/* SipHash-1-3 with zero keys and 64 bits of output, of the text followed by one byte 0xFF (spec wire.md 3.3). */
uint64_t slim_siphash13_ended(struct slim_view text);

#endif
