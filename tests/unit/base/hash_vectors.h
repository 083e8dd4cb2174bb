/* Published vectors: name components and application ids of the reference.
 *
 * components  XXH64, seed 0, over the UTF-8 bytes followed by 0xFF: computed with the hasher crate that the reference uses
 *             (twox-hash 2.1.2) and cross-checked with live captures (agntcy, demo, alice, bob)
 * app_ids     SipHash-1-3, key 0, over the UTF-8 bytes followed by 0xFF (DefaultHasher of the Rust standard library); the
 *             first one was seen on the wire */
#ifndef SLIM_TESTS_UNIT_BASE_HASH_VECTORS_H
#define SLIM_TESTS_UNIT_BASE_HASH_VECTORS_H

#include "base/view.h"

struct hash_vector {
    struct slim_view text;
    uint64_t hash;
};

#define VECTOR_TEXT(literal)                                                                       \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }

static const struct hash_vector component_vectors[] = {
    {VECTOR_TEXT(""), 0x95634172a60b7544},
    {VECTOR_TEXT("a"), 0x3ff5008a504a5280},
    {VECTOR_TEXT("b"), 0x096b9e40aae76a84},
    {VECTOR_TEXT("o"), 0xfc21761558f2cc89},
    {VECTOR_TEXT("n"), 0x4cc0b0dd37081c26},
    {VECTOR_TEXT("r"), 0xc6cdbec5e6205c06},
    {VECTOR_TEXT("w"), 0xc71112ffd3425e62},
    {VECTOR_TEXT("org"), 0x873e580376ea963b},
    {VECTOR_TEXT("default"), 0x219303c7c93f9668},
    {VECTOR_TEXT("agntcy"), 0x169ca82eb17d6bc2},
    {VECTOR_TEXT("demo"), 0x4948e8d027952bde},
    {VECTOR_TEXT("alice"), 0x7b90bc8fa5b6b182},
    {VECTOR_TEXT("bob"), 0x49ae1b437ae573c4},
    {VECTOR_TEXT("controller"), 0xf84bbdc56af84ed6},
    {VECTOR_TEXT("slim"), 0x16e79a7d7d0dffec},
    {VECTOR_TEXT("ns"), 0xeef9769a4c6990d1},
    {VECTOR_TEXT("topic"), 0xda49e25c25b05b35},
    {VECTOR_TEXT("channel"), 0x3d1526a6488a2f85},
    {VECTOR_TEXT("moderator"), 0xfc9bbc406957794b},
    {VECTOR_TEXT("client"), 0xdee24463dbb89089},
    {VECTOR_TEXT("server"), 0x6e0f72a910d44fa0},
    {VECTOR_TEXT("cisco"), 0xa0ff9e99f29804aa},
    {VECTOR_TEXT("svc2"), 0xf81f5dc66c77398e},
    {VECTOR_TEXT("0123456"), 0x8c441bc54cc5e016},
    {VECTOR_TEXT("01234567"), 0x192e2f91f4dce65b},
    {VECTOR_TEXT("0123456789012345678901234567890"), 0xc857ca9d7cb451b2},
    {VECTOR_TEXT("01234567890123456789012345678901"), 0xa0586e236b9c73b5},
    {VECTOR_TEXT("012345678901234567890123456789012"), 0x101ba94374864292},
    {VECTOR_TEXT("The quick brown fox jumps over the lazy dog"), 0x4c3537d820c17f02},
    {VECTOR_TEXT("\x63\x61\x66\xc3\xa9"), 0x08b51298162ae6cd},
    {VECTOR_TEXT("\xe4\xbd\xa0\xe5\xa5\xbd"), 0xef7e3612cd148a9a},
    {VECTOR_TEXT("Agntcy"), 0x609cdd89f5a66a78},
    {VECTOR_TEXT("my_app-1.0"), 0x416d1af033a942ea},
};

static const struct hash_vector app_id_vectors[] = {
    {VECTOR_TEXT("agntcy/demo/alice/ffffffffffffffff_pB6cB9Sh"), 0x46103c3f35e6e8df},
    {VECTOR_TEXT("a"), 0x719b50b9a4f0e9f3},
    {VECTOR_TEXT(""), 0x30406ea523c53def},
    {VECTOR_TEXT("org/ns/app/ffffffffffffffff_00000000"), 0x66a229444b3dbc74},
    {VECTOR_TEXT("spiffe://example.org/ns/default/sa/app"), 0xf91d2ac2729125fb},
    {VECTOR_TEXT("client1"), 0x421d0cb326fcdb6e},
    {VECTOR_TEXT("test-subject"), 0x77c501f7d968d013},
};

#endif
