#include "base/crypto_x25519.h"

#include <sodium.h>
#include <string.h>

#include "base/secret.h"

enum { LIMB_COUNT = 5, LIMB_BITS = 51, SCALAR_BITS = 255 };
/* The loops over limbs are short and their counters are indices: straight code is several times faster. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

static const uint64_t limb_mask = ((uint64_t)1 << LIMB_BITS) - 1;

/* ---- numbers modulo p = 2^255 - 19: five limbs of 51 bits */

struct fe {
    uint64_t limbs[LIMB_COUNT];
};

static uint64_t load64(const uint8_t *in)
{
    uint64_t value = 0;
    for (size_t i = 8; i-- > 0;) {
        value = value << 8 | in[i];
    }
    return value;
}

static void store64(uint8_t *out, uint64_t value)
{
    for (size_t i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

/* The highest bit is no part of the number (RFC 7748 section 5). */
static struct fe fe_load(const uint8_t in[SLIM_X25519_LEN])
{
    return (struct fe){{
        load64(in) & limb_mask,
        load64(in + 6) >> 3 & limb_mask,
        load64(in + 12) >> 6 & limb_mask,
        load64(in + 19) >> 1 & limb_mask,
        load64(in + 24) >> 12 & limb_mask,
    }};
}

/* Limbs below 2^52 become limbs of 51 bits of the smallest number that is congruent. */
static void fe_store(uint8_t out[SLIM_X25519_LEN], struct fe in)
{
    uint64_t *x = in.limbs;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i + 1 < LIMB_COUNT; i++) {
            x[i + 1] += x[i] >> LIMB_BITS;
            x[i] &= limb_mask;
        }
        x[0] += 19 * (x[4] >> LIMB_BITS);
        x[4] &= limb_mask;
    }
    /* below 2^255 + 19 now: is it p or more? then adding 19 carries out of bit 255 */
    uint64_t carry = 19;
    for (size_t i = 0; i < LIMB_COUNT; i++) {
        carry = (x[i] + carry) >> LIMB_BITS;
    }
    carry *= 19;
    for (size_t i = 0; i < LIMB_COUNT; i++) {
        carry += x[i];
        x[i] = carry & limb_mask;
        carry >>= LIMB_BITS;
    }
    store64(out, x[0] | x[1] << 51);
    store64(out + 8, x[1] >> 13 | x[2] << 38);
    store64(out + 16, x[2] >> 26 | x[3] << 25);
    store64(out + 24, x[3] >> 39 | x[4] << 12);
}

/* From sums of products below 2^118 to limbs below 2^52. */
static struct fe fe_carry(unsigned __int128 sums[LIMB_COUNT])
{
    struct fe out;
    uint64_t carry = 0;
    UNROLL
    for (size_t i = 0; i < LIMB_COUNT; i++) {
        sums[i] += carry;
        out.limbs[i] = (uint64_t)sums[i] & limb_mask;
        carry = (uint64_t)(sums[i] >> LIMB_BITS);
    }
    out.limbs[0] += 19 * carry;
    out.limbs[1] += out.limbs[0] >> LIMB_BITS;
    out.limbs[0] &= limb_mask;
    return out;
}

/* Limbs of both below 2^54; those of the product below 2^52. */
static struct fe fe_mul(const struct fe *a, const struct fe *b)
{
    unsigned __int128 sums[LIMB_COUNT] = {0};
    UNROLL
    for (size_t i = 0; i < LIMB_COUNT; i++) {
        UNROLL
        for (size_t j = 0; j < LIMB_COUNT; j++) {
            uint64_t factor = i + j < LIMB_COUNT ? b->limbs[j] : 19 * b->limbs[j];
            sums[(i + j) % LIMB_COUNT] += (unsigned __int128)a->limbs[i] * factor;
        }
    }
    return fe_carry(sums);
}

static struct fe fe_square_times(struct fe a, unsigned times)
{
    for (unsigned n = 0; n < times; n++) {
        const uint64_t *x = a.limbs;
        uint64_t x0_2 = 2 * x[0];
        uint64_t x1_2 = 2 * x[1];
        uint64_t x3_19 = 19 * x[3];
        uint64_t x4_19 = 19 * x[4];
        unsigned __int128 sums[LIMB_COUNT] = {
            (unsigned __int128)x[0] * x[0] + (unsigned __int128)x1_2 * x4_19 +
                (unsigned __int128)(2 * x[2]) * x3_19,
            (unsigned __int128)x0_2 * x[1] + (unsigned __int128)(2 * x[2]) * x4_19 +
                (unsigned __int128)x[3] * x3_19,
            (unsigned __int128)x0_2 * x[2] + (unsigned __int128)x[1] * x[1] +
                (unsigned __int128)(2 * x[3]) * x4_19,
            (unsigned __int128)x0_2 * x[3] + (unsigned __int128)x1_2 * x[2] +
                (unsigned __int128)x[4] * x4_19,
            (unsigned __int128)x0_2 * x[4] + (unsigned __int128)x1_2 * x[3] +
                (unsigned __int128)x[2] * x[2],
        };
        a = fe_carry(sums);
    }
    return a;
}

/* a squared `shift` times, times b. */
static struct fe fe_shift_mul(const struct fe *a, unsigned shift, const struct fe *b)
{
    struct fe shifted = fe_square_times(*a, shift);
    return fe_mul(&shifted, b);
}

/* a^(p-2) = 1/a, and 0 for 0. run5 is a^(2^5 - 1): a run of five ones in the exponent, and so on. */
static struct fe fe_invert(const struct fe *a)
{
    struct fe a2 = fe_square_times(*a, 1);
    struct fe a9 = fe_shift_mul(&a2, 2, a);
    struct fe a11 = fe_mul(&a9, &a2);
    struct fe run5 = fe_shift_mul(&a11, 1, &a9);
    struct fe run10 = fe_shift_mul(&run5, 5, &run5);
    struct fe run20 = fe_shift_mul(&run10, 10, &run10);
    struct fe run40 = fe_shift_mul(&run20, 20, &run20);
    struct fe run50 = fe_shift_mul(&run40, 10, &run10);
    struct fe run100 = fe_shift_mul(&run50, 50, &run50);
    struct fe run200 = fe_shift_mul(&run100, 100, &run100);
    struct fe run250 = fe_shift_mul(&run200, 50, &run50);
    return fe_shift_mul(&run250, 5, &a11);
}

bool slim_x25519_base(uint8_t public_key[SLIM_X25519_LEN],
                      const uint8_t private_key[SLIM_X25519_LEN])
{
    uint8_t point[SLIM_X25519_LEN];
    uint8_t scalar[SLIM_X25519_LEN];
    memcpy(scalar, private_key, sizeof(scalar));
    scalar[31] |=
        64; /* a part of clamping, which libsodium does as well: but a key of zeros it would refuse before */
    bool ok = crypto_scalarmult_ed25519_base(point, scalar) == 0;
    slim_secret_wipe(scalar, sizeof(scalar));
    if (!ok) {
        return false;
    }
    /* u = (1 + y) / (1 - y), RFC 7748 section 4.1; y is not 1, which is the identity. 2p keeps the difference positive */
    struct fe y = fe_load(point);
    struct fe above = y;
    struct fe below = {{((uint64_t)1 << 52) - 38 + 1, ((uint64_t)1 << 52) - 2,
                        ((uint64_t)1 << 52) - 2, ((uint64_t)1 << 52) - 2, ((uint64_t)1 << 52) - 2}};
    above.limbs[0] += 1;
    for (size_t i = 0; i < LIMB_COUNT; i++) {
        below.limbs[i] -= y.limbs[i];
    }
    below = fe_invert(&below);
    fe_store(public_key, fe_mul(&above, &below));
    return true;
}

/* ---- eight at a time */

#if defined(__x86_64__)
#include <immintrin.h>

#define IFMA __attribute__((target("avx512f,avx512ifma")))
#define IFMA_INLINE static inline __attribute__((always_inline, target("avx512f,avx512ifma")))

/* One number in each 64-bit lane. The multiplier of IFMA takes the lower 52 bits of its factors and gives either the lower or the
 * upper 52 bits of the product. Every function here takes limbs below 2^52 and gives limbs below 2^51 + 2^15. */
struct fe8 {
    __m512i limbs[LIMB_COUNT];
};

/* One carry from each limb to the next: from limbs below 2^61 to limbs below 2^51 + 2^15. */
IFMA_INLINE struct fe8 fe8_carry(const __m512i z[LIMB_COUNT])
{
    const __m512i mask = _mm512_set1_epi64((long long)limb_mask);
    struct fe8 out;
    __m512i top = _mm512_srli_epi64(z[4], LIMB_BITS);
    __m512i top19 = _mm512_add_epi64(_mm512_add_epi64(top, _mm512_slli_epi64(top, 1)),
                                     _mm512_slli_epi64(top, 4));
    out.limbs[0] = _mm512_add_epi64(_mm512_and_si512(z[0], mask), top19);
    UNROLL
    for (size_t i = 1; i < LIMB_COUNT; i++) {
        out.limbs[i] =
            _mm512_add_epi64(_mm512_and_si512(z[i], mask), _mm512_srli_epi64(z[i - 1], LIMB_BITS));
    }
    return out;
}

IFMA_INLINE struct fe8 fe8_add(const struct fe8 *a, const struct fe8 *b)
{
    __m512i z[LIMB_COUNT];
    UNROLL
    for (size_t i = 0; i < LIMB_COUNT; i++) {
        z[i] = _mm512_add_epi64(a->limbs[i], b->limbs[i]);
    }
    return fe8_carry(z);
}

/* a + 4p - b */
IFMA_INLINE struct fe8 fe8_sub(const struct fe8 *a, const struct fe8 *b)
{
    const __m512i low = _mm512_set1_epi64(((long long)1 << 53) - 76);
    const __m512i rest = _mm512_set1_epi64(((long long)1 << 53) - 4);
    __m512i z[LIMB_COUNT];
    UNROLL
    for (size_t i = 0; i < LIMB_COUNT; i++) {
        z[i] = _mm512_sub_epi64(_mm512_add_epi64(a->limbs[i], i == 0 ? low : rest), b->limbs[i]);
    }
    return fe8_carry(z);
}

/* z[k] + 19 z[k + 5], where low holds the lower halves by weight and high the upper ones, which weigh 2^52 = 2 * 2^51 more. At
 * most 267 * 2^52. */
IFMA_INLINE struct fe8 fe8_fold(const __m512i low[2 * LIMB_COUNT - 1],
                                const __m512i high[2 * LIMB_COUNT - 1])
{
    __m512i z[2 * LIMB_COUNT];
    z[0] = low[0];
    UNROLL
    for (size_t i = 1; i < 2 * LIMB_COUNT - 1; i++) {
        z[i] = _mm512_add_epi64(low[i], _mm512_slli_epi64(high[i - 1], 1));
    }
    z[2 * LIMB_COUNT - 1] = _mm512_slli_epi64(high[2 * LIMB_COUNT - 2], 1);
    UNROLL
    for (size_t i = 0; i < LIMB_COUNT; i++) {
        __m512i over = z[i + LIMB_COUNT];
        z[i] = _mm512_add_epi64(
            _mm512_add_epi64(z[i], over),
            _mm512_add_epi64(_mm512_slli_epi64(over, 1), _mm512_slli_epi64(over, 4)));
    }
    return fe8_carry(z);
}

IFMA_INLINE struct fe8 fe8_mul(const struct fe8 *a, const struct fe8 *b)
{
    __m512i low[2 * LIMB_COUNT - 1];
    __m512i high[2 * LIMB_COUNT - 1];
    UNROLL
    for (size_t i = 0; i < 2 * LIMB_COUNT - 1; i++) {
        low[i] = _mm512_setzero_si512();
        high[i] = _mm512_setzero_si512();
    }
    UNROLL
    for (size_t i = 0; i < LIMB_COUNT; i++) {
        UNROLL
        for (size_t j = 0; j < LIMB_COUNT; j++) {
            low[i + j] = _mm512_madd52lo_epu64(low[i + j], a->limbs[i], b->limbs[j]);
            high[i + j] = _mm512_madd52hi_epu64(high[i + j], a->limbs[i], b->limbs[j]);
        }
    }
    return fe8_fold(low, high);
}

/* As fe8_mul with itself; products of two different limbs are counted twice. */
IFMA_INLINE struct fe8 fe8_square(const struct fe8 *a)
{
    __m512i low[2 * LIMB_COUNT - 1];
    __m512i high[2 * LIMB_COUNT - 1];
    UNROLL
    for (size_t i = 0; i < 2 * LIMB_COUNT - 1; i++) {
        low[i] = _mm512_setzero_si512();
        high[i] = _mm512_setzero_si512();
    }
    UNROLL
    for (size_t i = 0; i < LIMB_COUNT; i++) {
        UNROLL
        for (size_t j = i + 1; j < LIMB_COUNT; j++) {
            low[i + j] = _mm512_madd52lo_epu64(low[i + j], a->limbs[i], a->limbs[j]);
            high[i + j] = _mm512_madd52hi_epu64(high[i + j], a->limbs[i], a->limbs[j]);
        }
    }
    UNROLL
    for (size_t i = 0; i < 2 * LIMB_COUNT - 1; i++) {
        low[i] = _mm512_add_epi64(low[i], low[i]);
        high[i] = _mm512_add_epi64(high[i], high[i]);
    }
    UNROLL
    for (size_t i = 0; i < LIMB_COUNT; i++) {
        low[2 * i] = _mm512_madd52lo_epu64(low[2 * i], a->limbs[i], a->limbs[i]);
        high[2 * i] = _mm512_madd52hi_epu64(high[2 * i], a->limbs[i], a->limbs[i]);
    }
    return fe8_fold(low, high);
}

/* a + 121665 b: the constant (A - 2) / 4 of the curve. */
IFMA_INLINE struct fe8 fe8_add_scaled(const struct fe8 *a, const struct fe8 *b)
{
    const __m512i a24 = _mm512_set1_epi64(121665);
    const __m512i none = _mm512_setzero_si512();
    __m512i z[LIMB_COUNT];
    __m512i high[LIMB_COUNT];
    UNROLL
    for (size_t i = 0; i < LIMB_COUNT; i++) {
        z[i] = _mm512_madd52lo_epu64(a->limbs[i], b->limbs[i], a24);
        high[i] = _mm512_slli_epi64(_mm512_madd52hi_epu64(none, b->limbs[i], a24), 1);
    }
    UNROLL
    for (size_t i = 1; i < LIMB_COUNT; i++) {
        z[i] = _mm512_add_epi64(z[i], high[i - 1]);
    }
    __m512i top = high[LIMB_COUNT - 1];
    z[0] = _mm512_add_epi64(_mm512_add_epi64(z[0], top),
                            _mm512_add_epi64(_mm512_slli_epi64(top, 1), _mm512_slli_epi64(top, 4)));
    return fe8_carry(z);
}

IFMA_INLINE void fe8_swap(__mmask8 lanes, struct fe8 *a, struct fe8 *b)
{
    UNROLL
    for (size_t i = 0; i < LIMB_COUNT; i++) {
        __m512i old = a->limbs[i];
        a->limbs[i] = _mm512_mask_blend_epi64(lanes, old, b->limbs[i]);
        b->limbs[i] = _mm512_mask_blend_epi64(lanes, b->limbs[i], old);
    }
}

IFMA static struct fe8 fe8_square_times(struct fe8 a, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        a = fe8_square(&a);
    }
    return a;
}

IFMA static struct fe8 fe8_shift_mul(const struct fe8 *a, unsigned shift, const struct fe8 *b)
{
    struct fe8 shifted = fe8_square_times(*a, shift);
    return fe8_mul(&shifted, b);
}

/* The chain of fe_invert. */
IFMA static struct fe8 fe8_invert(const struct fe8 *a)
{
    struct fe8 a2 = fe8_square(a);
    struct fe8 a9 = fe8_shift_mul(&a2, 2, a);
    struct fe8 a11 = fe8_mul(&a9, &a2);
    struct fe8 run5 = fe8_shift_mul(&a11, 1, &a9);
    struct fe8 run10 = fe8_shift_mul(&run5, 5, &run5);
    struct fe8 run20 = fe8_shift_mul(&run10, 10, &run10);
    struct fe8 run40 = fe8_shift_mul(&run20, 20, &run20);
    struct fe8 run50 = fe8_shift_mul(&run40, 10, &run10);
    struct fe8 run100 = fe8_shift_mul(&run50, 50, &run50);
    struct fe8 run200 = fe8_shift_mul(&run100, 100, &run100);
    struct fe8 run250 = fe8_shift_mul(&run200, 50, &run50);
    return fe8_shift_mul(&run250, 5, &a11);
}

/* The points of a Montgomery ladder: (x2 : z2) and (x3 : z3), whose difference is the point u. */
struct ladder8 {
    struct fe8 u;
    struct fe8 x2;
    struct fe8 z2;
    struct fe8 x3;
    struct fe8 z3;
};

/* RFC 7748 section 5; the names are those of its pseudocode. */
IFMA static void ladder8_step(struct ladder8 *ladder)
{
    struct fe8 a = fe8_add(&ladder->x2, &ladder->z2);
    struct fe8 b = fe8_sub(&ladder->x2, &ladder->z2);
    struct fe8 c = fe8_add(&ladder->x3, &ladder->z3);
    struct fe8 d = fe8_sub(&ladder->x3, &ladder->z3);
    struct fe8 aa = fe8_square(&a);
    struct fe8 bb = fe8_square(&b);
    struct fe8 e = fe8_sub(&aa, &bb);
    struct fe8 da = fe8_mul(&d, &a);
    struct fe8 cb = fe8_mul(&c, &b);
    struct fe8 sum = fe8_add(&da, &cb);
    struct fe8 difference = fe8_sub(&da, &cb);
    ladder->x3 = fe8_square(&sum);
    difference = fe8_square(&difference);
    ladder->z3 = fe8_mul(&ladder->u, &difference);
    ladder->x2 = fe8_mul(&aa, &bb);
    struct fe8 scaled = fe8_add_scaled(&aa, &e);
    ladder->z2 = fe8_mul(&e, &scaled);
}

/* Word w of the clamped private key of each lane. */
IFMA static void load_scalars(const uint8_t *const private_keys[SLIM_X25519_LANES],
                              __m512i words[4])
{
    uint64_t lanes[4][SLIM_X25519_LANES];
    for (size_t lane = 0; lane < SLIM_X25519_LANES; lane++) {
        for (size_t word = 0; word < 4; word++) {
            lanes[word][lane] = load64(private_keys[lane] + 8 * word);
        }
        lanes[0][lane] &= ~(uint64_t)7;
        lanes[3][lane] = (lanes[3][lane] & ~((uint64_t)1 << 63)) | (uint64_t)1 << 62;
    }
    for (size_t word = 0; word < 4; word++) {
        words[word] = _mm512_loadu_si512(lanes[word]);
    }
    slim_secret_wipe(lanes, sizeof(lanes));
}

IFMA static struct fe8 fe8_load(const uint8_t *const points[SLIM_X25519_LANES])
{
    uint64_t lanes[LIMB_COUNT][SLIM_X25519_LANES];
    struct fe8 out;
    for (size_t lane = 0; lane < SLIM_X25519_LANES; lane++) {
        struct fe point = fe_load(points[lane]);
        for (size_t i = 0; i < LIMB_COUNT; i++) {
            lanes[i][lane] = point.limbs[i];
        }
    }
    for (size_t i = 0; i < LIMB_COUNT; i++) {
        out.limbs[i] = _mm512_loadu_si512(lanes[i]);
    }
    return out;
}

IFMA static void fe8_store(uint8_t *const out[SLIM_X25519_LANES], const struct fe8 *in)
{
    uint64_t lanes[LIMB_COUNT][SLIM_X25519_LANES];
    for (size_t i = 0; i < LIMB_COUNT; i++) {
        _mm512_storeu_si512(lanes[i], in->limbs[i]);
    }
    for (size_t lane = 0; lane < SLIM_X25519_LANES; lane++) {
        struct fe number;
        for (size_t i = 0; i < LIMB_COUNT; i++) {
            number.limbs[i] = lanes[i][lane];
        }
        fe_store(out[lane], number);
    }
    slim_secret_wipe(lanes, sizeof(lanes));
}

IFMA void slim_x25519_eight(uint8_t *const shared[SLIM_X25519_LANES],
                            const uint8_t *const private_keys[SLIM_X25519_LANES],
                            const uint8_t *const points[SLIM_X25519_LANES])
{
    __m512i words[4];
    struct ladder8 ladder = {.u = fe8_load(points)};
    load_scalars(private_keys, words);
    for (size_t i = 0; i < LIMB_COUNT; i++) {
        ladder.z2.limbs[i] = _mm512_setzero_si512();
        ladder.x2.limbs[i] = _mm512_setzero_si512();
        ladder.z3.limbs[i] = _mm512_setzero_si512();
    }
    ladder.x2.limbs[0] = _mm512_set1_epi64(1);
    ladder.z3.limbs[0] = _mm512_set1_epi64(1);
    ladder.x3 = ladder.u;
    __mmask8 swapped = 0;
    for (unsigned bit = SCALAR_BITS; bit-- > 0;) {
        const uint64_t place = (uint64_t)1 << (bit % 64);
        __mmask8 is_set =
            _mm512_test_epi64_mask(words[bit / 64], _mm512_set1_epi64((long long)place));
        fe8_swap(swapped ^ is_set, &ladder.x2, &ladder.x3);
        fe8_swap(swapped ^ is_set, &ladder.z2, &ladder.z3);
        swapped = is_set;
        ladder8_step(&ladder);
    }
    /* bit 0 of a clamped key is not set: nothing is left to be swapped */
    ladder.z2 = fe8_invert(&ladder.z2);
    ladder.x2 = fe8_mul(&ladder.x2, &ladder.z2);
    fe8_store(shared, &ladder.x2);
    slim_secret_wipe(words, sizeof(words));
    slim_secret_wipe(&ladder, sizeof(ladder));
}

bool slim_x25519_has_eight(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma");
}

#else

bool slim_x25519_has_eight(void)
{
    return false;
}

void slim_x25519_eight(uint8_t *const shared[SLIM_X25519_LANES],
                       const uint8_t *const private_keys[SLIM_X25519_LANES],
                       const uint8_t *const points[SLIM_X25519_LANES])
{
    for (size_t i = 0; i < SLIM_X25519_LANES; i++) {
        memset(shared[i], 0, SLIM_X25519_LEN);
        (void)private_keys[i]; /* nobody asks: slim_x25519_has_eight says no */
        (void)points[i];
    }
}

#endif
