#include "base/siphash.h"

#include <endian.h>

/* Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), with the 128-bit output of their reference code. */
struct state {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate_left(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static inline void rounds(struct state *s, int count)
{
    for (int i = 0; i < count; i++) {
        s->v0 += s->v1;
        s->v1 = rotate_left(s->v1, 13) ^ s->v0;
        s->v0 = rotate_left(s->v0, 32);
        s->v2 += s->v3;
        s->v3 = rotate_left(s->v3, 16) ^ s->v2;
        s->v0 += s->v3;
        s->v3 = rotate_left(s->v3, 21) ^ s->v0;
        s->v2 += s->v1;
        s->v1 = rotate_left(s->v1, 17) ^ s->v2;
        s->v2 = rotate_left(s->v2, 32);
    }
}

static inline uint64_t load64(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return le64toh(word);
}

static inline void store64(uint8_t *out, uint64_t word)
{
    word = htole64(word);
    memcpy(out, &word, sizeof(word));
}

static inline void take_word(struct state *s, uint64_t word, int count)
{
    s->v3 ^= word;
    rounds(s, count);
    s->v0 ^= word;
}

/* A text, followed by one byte 0xFF if asked, and its length. `word_rounds`: the c of SipHash-c-d. */
static void take_text(struct state *s, struct slim_view text, bool is_ended, int word_rounds)
{
    size_t i = 0;
    for (; text.len - i >= 8; i += 8) {
        take_word(s, load64(text.data + i), word_rounds);
    }
    uint64_t last = 0;
    unsigned bits = 0;
    for (; i < text.len; i++, bits += 8) {
        last |= (uint64_t)text.data[i] << bits;
    }
    if (is_ended) {
        last |= (uint64_t)0xff << bits;
        bits += 8;
    }
    if (bits == 64) {
        take_word(s, last, word_rounds);
        last = 0;
    }
    last |= (uint64_t)(text.len + is_ended) << 56;
    take_word(s, last, word_rounds);
}

static struct state state_of(uint64_t k0, uint64_t k1)
{
    return (struct state){k0 ^ 0x736f6d6570736575U, k1 ^ 0x646f72616e646f6dU,
                          k0 ^ 0x6c7967656e657261U, k1 ^ 0x7465646279746573U};
}

uint64_t slim_siphash13_ended(struct slim_view text)
{
    struct state s = state_of(0, 0);
    take_text(&s, text, true, 1);
    s.v2 ^= 0xff;
    rounds(&s, 3);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

void slim_siphash128(const uint8_t key[static SLIM_SIPHASH_KEY_BYTES], struct slim_view text,
                     uint8_t out[static SLIM_SIPHASH_BYTES])
{
    struct state s = state_of(load64(key), load64(key + 8));
    s.v1 ^= 0xee;
    take_text(&s, text, false, 2);
    s.v2 ^= 0xee;
    rounds(&s, 4);
    store64(out, s.v0 ^ s.v1 ^ s.v2 ^ s.v3);
    s.v1 ^= 0xdd;
    rounds(&s, 4);
    store64(out + 8, s.v0 ^ s.v1 ^ s.v2 ^ s.v3);
}
