#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t slim_hash_component(struct slim_view text)
{
    static const uint8_t end = 0xff;
    enum { SHORT_BYTES = 256 };
    if (text.len < SHORT_BYTES) {
        uint8_t bytes[SHORT_BYTES];
        if (text.len > 0) {
            memcpy(bytes, text.data, text.len);
        }
        bytes[text.len] = end;
        return XXH64(bytes, text.len + 1, 0);
    }
    XXH64_state_t state;
    (void)XXH64_reset(&state, 0);                    /* cannot fail: the state is ours */
    (void)XXH64_update(&state, text.data, text.len); /* cannot fail: the pointers are not NULL */
    (void)XXH64_update(&state, &end, 1);
    return XXH64_digest(&state);
}

static inline uint64_t rotate_left(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

struct sip_state {
    uint64_t v0, v1, v2, v3;
};

static inline void sip_round(struct sip_state *s)
{
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

static inline void sip_word(struct sip_state *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    s->v0 ^= word;
}

/* Byte `index` of the text followed by 0xFF; `index` <= text.len. */
static uint8_t byte_at(struct slim_view text, size_t index)
{
    return index < text.len ? text.data[index] : 0xff;
}

uint64_t slim_hash_app_id(struct slim_view identity_id)
{
    struct sip_state s = {0x736f6d6570736575U, 0x646f72616e646f6dU, 0x6c7967656e657261U,
                          0x7465646279746573U};
    size_t total = identity_id.len + 1;
    size_t position = 0;
    for (; position + 8 <= total; position += 8) {
        uint64_t word = 0;
        for (size_t i = 0; i < 8; i++) {
            word |= (uint64_t)byte_at(identity_id, position + i) << (8 * i);
        }
        sip_word(&s, word);
    }
    uint64_t last = (uint64_t)total << 56;
    for (size_t i = 0; position + i < total; i++) {
        last |= (uint64_t)byte_at(identity_id, position + i) << (8 * i);
    }
    sip_word(&s, last);
    s.v2 ^= 0xff;
    for (int i = 0; i < 3; i++) {
        sip_round(&s);
    }
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
