/* The hashes of the SLIM wire (spec wire.md 3.1, 3.3) and one for our own tables. */
#ifndef SLIM_BASE_HASH_H
#define SLIM_BASE_HASH_H

#include "base/view.h"

/* Component of a name: XXH64, seed 0, of the UTF-8 bytes followed by one byte 0xFF. */
uint64_t slim_hash_component(struct slim_view text);

/* Application id: SipHash-1-3 with zero keys of the identity id followed by one byte 0xFF. */
uint64_t slim_hash_app_id(struct slim_view identity_id);

/* Key of one table, random per process: names are chosen by strangers, who must not be able to choose collisions. */
struct slim_hash_key {
    uint64_t a;
    uint64_t b;
};

/* 64 x 64 -> 128 bit product, folded. */
static inline uint64_t slim_hash_fold(uint64_t x, uint64_t y)
{
    unsigned __int128 product = (unsigned __int128)x * y;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Keyed hash of four words (wyhash construction). For tables only: it is not a MAC. */
static inline uint64_t slim_hash_words(struct slim_hash_key key, uint64_t w0, uint64_t w1,
                                       uint64_t w2, uint64_t w3)
{
    uint64_t low = slim_hash_fold(w0 ^ key.a, w1 ^ key.b);
    uint64_t high =
        slim_hash_fold(w2 ^ key.b ^ 0x8ebc6af09c88c6e3U, w3 ^ key.a ^ 0x589965cc75374cc3U);
    return slim_hash_fold(low ^ key.b, high ^ key.a ^ 0xa0761d6478bd642fU);
}

#endif
