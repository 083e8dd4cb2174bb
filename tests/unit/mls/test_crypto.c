#include "base/crypto.h"
#include "mls/hpke.h"
#include "support/check.h"

/* Hex text to bytes; for constants of this file only. */
static struct slim_view unhex(const char *text, uint8_t *out)
{
    size_t len = strlen(text) / 2;
    for (size_t i = 0; i < len; i++) {
        unsigned value;
        assert_int_equal(sscanf(text + 2 * i, "%2x", &value), 1);
        out[i] = (uint8_t)value;
    }
    return slim_view_of(out, len);
}

static bool is_hex(const uint8_t *got, const char *want)
{
    uint8_t bytes[256];
    struct slim_view view = unhex(want, bytes);
    return memcmp(got, view.data, view.len) == 0;
}

/* FIPS 180-4 examples, RFC 4231 case 2. */
static void hashes_give_their_published_values(void **state)
{
    (void)state;
    uint8_t out[SLIM_CRYPTO_HASH_MAX];
    struct slim_view parts[] = {SLIM_VIEW("a"), SLIM_VIEW(""), SLIM_VIEW("bc")};
    slim_crypto_digest(SLIM_CRYPTO_SHA256, parts, 3, out);
    CHECK(is_hex(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    slim_crypto_digest(SLIM_CRYPTO_SHA384, parts, 3, out);
    CHECK(is_hex(out, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
                      "8086072ba1e7cc2358baeca134c825a7"));
    slim_crypto_digest(SLIM_CRYPTO_SHA512, parts, 3, out);
    CHECK(is_hex(out, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                      "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"));
    struct slim_view text = SLIM_VIEW("what do ya want for nothing?");
    slim_crypto_hmac(SLIM_CRYPTO_SHA256, SLIM_VIEW("Jefe"), &text, 1, out);
    CHECK(is_hex(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
}

/* RFC 5869 test case 1. */
static void hkdf_gives_its_published_value(void **state)
{
    (void)state;
    uint8_t ikm[22];
    uint8_t salt[13];
    uint8_t info[10];
    uint8_t prk[32];
    uint8_t okm[42];
    struct slim_view input = unhex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", ikm);
    slim_crypto_hkdf_extract(SLIM_CRYPTO_SHA256, unhex("000102030405060708090a0b0c", salt), &input,
                             1, prk);
    CHECK(is_hex(prk, "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"));
    struct slim_view context = unhex("f0f1f2f3f4f5f6f7f8f9", info);
    slim_crypto_hkdf_expand(SLIM_CRYPTO_SHA256, slim_view_of(prk, 32), &context, 1, okm,
                            sizeof(okm));
    CHECK(is_hex(
        okm,
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"));
}

/* RFC 9180 appendix A.1.1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, mode base. */
static void hpke_gives_its_published_value(void **state)
{
    (void)state;
    const struct slim_mls_suite *suite = slim_mls_suite_find(1);
    uint8_t private_key[32];
    uint8_t public_key[32];
    uint8_t enc[32];
    uint8_t info_bytes[32];
    uint8_t sealed[64];
    uint8_t aad[8];
    uint8_t plain[64];
    struct slim_mls_hpke_info info;
    struct slim_mls_hpke_context context;
    struct slim_view part = unhex("4f6465206f6e2061204772656369616e2055726e", info_bytes);
    CHECK_OK(slim_mls_hpke_info_init(suite, &part, 1, (struct slim_mls_hpke_psk){0}, &info));
    unhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8", private_key);
    CHECK_OK(slim_mls_hpke_setup_receiver(
        suite, private_key,
        unhex("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d", public_key),
        unhex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431", enc), &info,
        &context));
    CHECK(is_hex(context.key, "4531685d41d65f03dc48f6b8302c05b0"));
    CHECK(is_hex(context.nonce, "56d890e5accaaf011cff4b7d"));
    CHECK(is_hex(context.exporter,
                 "45ff1c2e220db587171952c0592d5f5ebe103f1561a2614e38f2ffd47e99e3f8"));
    CHECK_OK(
        slim_crypto_open(suite->aead, context.key, context.nonce, unhex("436f756e742d30", aad),
                         unhex("f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a9"
                               "6d8770ac83d07bea87e13c512a",
                               sealed),
                         plain));
    CHECK_VIEW(slim_view_of(plain, 29), "Beauty is truth, truth beauty");
    slim_mls_hpke_export(suite, &context, (struct slim_view){0}, plain, 32);
    CHECK(is_hex(plain, "3853fe2b4035195a573ffc53856e77058e15d9ea064de3e59f4961d0095250ee"));
}

static void psk_mode_needs_key_and_id(void **state)
{
    (void)state;
    static const uint8_t psk[32] = {1};
    struct slim_mls_hpke_info info;
    const struct {
        const char *why;
        struct slim_mls_hpke_psk psk;
        enum slim_status want;
    } rows[] = {
        {"both", {{psk, 32}, SLIM_VIEW("id")}, SLIM_OK},
        {"no id", {{psk, 32}, {0}}, SLIM_ERR_INVALID},
        {"no key", {{0}, SLIM_VIEW("id")}, SLIM_ERR_INVALID},
        {"a short key", {{psk, 31}, SLIM_VIEW("id")}, SLIM_ERR_INVALID},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        CHECK_ROW(rows[i].why, slim_mls_hpke_info_init(slim_mls_suite_find(3), NULL, 0, rows[i].psk,
                                                       &info) == rows[i].want);
    }
}

static void count_up(void *context, void *out, size_t len)
{
    uint8_t *next = context;
    for (size_t i = 0; i < len; i++) {
        ((uint8_t *)out)[i] = (*next)++;
    }
}

static void every_suite_seals_and_opens(void **state)
{
    (void)state;
    for (uint16_t id = 1; id <= 7; id++) {
        const struct slim_mls_suite *suite = slim_mls_suite_find(id);
        uint8_t counter = 0;
        struct slim_mls_random random = {count_up, &counter};
        uint8_t private_key[SLIM_CRYPTO_DH_MAX];
        uint8_t public_bytes[SLIM_CRYPTO_DH_PUBLIC_MAX];
        CHECK_OK(slim_mls_hpke_generate(suite, &random, private_key, public_bytes));
        struct slim_view public_key =
            slim_view_of(public_bytes, slim_crypto_dh_public_len(suite->curve));
        struct slim_mls_out out = {0};
        CHECK_OK(slim_mls_encrypt_with_label(suite, &random, public_key, "label",
                                             SLIM_VIEW("context"), SLIM_VIEW("secret"), &out));
        struct slim_view in = slim_mls_out_view(&out);
        struct slim_view kem_output;
        struct slim_view sealed;
        struct slim_buf plain = {0};
        CHECK_OK(slim_mls_take_opaque(&in, &kem_output));
        CHECK_OK(slim_mls_take_opaque(&in, &sealed));
        CHECK_OK(slim_mls_decrypt_with_label(suite, private_key, public_key, "label",
                                             SLIM_VIEW("context"), kem_output, sealed, &plain));
        CHECK_VIEW(slim_buf_view(&plain), "secret");
        slim_buf_wipe(&plain);
        CHECK(slim_mls_decrypt_with_label(suite, private_key, public_key, "label",
                                          SLIM_VIEW("other"), kem_output, sealed,
                                          &plain) == SLIM_ERR_DECRYPT);
        slim_buf_wipe(&plain);
        slim_mls_out_fini(&out);
    }
}

static void bad_keys_are_refused(void **state)
{
    (void)state;
    uint8_t zeros[SLIM_CRYPTO_DH_PUBLIC_MAX] = {0};
    uint8_t out[SLIM_CRYPTO_DH_PUBLIC_MAX];
    static const enum slim_crypto_curve curves[] = {
        SLIM_CRYPTO_X25519, SLIM_CRYPTO_X448, SLIM_CRYPTO_P256, SLIM_CRYPTO_P384, SLIM_CRYPTO_P521};
    for (size_t i = 0; i < SLIM_COUNT(curves); i++) {
        uint8_t private_key[SLIM_CRYPTO_DH_MAX] = {0};
        size_t len = slim_crypto_dh_private_len(curves[i]);
        private_key[len - 1] = 0x42;
        struct slim_view own = slim_view_of(private_key, len);
        struct slim_view peer = slim_view_of(zeros, slim_crypto_dh_public_len(curves[i]));
        CHECK(slim_crypto_dh(curves[i], own, peer, out) ==
              SLIM_ERR_INVALID); /* all zeros: low order, or no point */
        zeros[0] = 4;
        if (peer.len > len) {
            CHECK(slim_crypto_dh(curves[i], own, peer, out) ==
                  SLIM_ERR_INVALID); /* (0, 0) is not on the curve */
        }
        zeros[0] = 0;
        peer.len--;
        CHECK(slim_crypto_dh(curves[i], own, peer, out) == SLIM_ERR_INVALID);
        CHECK(slim_crypto_dh_public(curves[i], slim_view_of(private_key, len - 1), out) ==
              SLIM_ERR_INVALID);
        if (peer.len + 1 > len) {
            CHECK(slim_crypto_dh_public(curves[i], slim_view_of(zeros, len), out) ==
                  SLIM_ERR_INVALID);
            memset(private_key, 0xff, len);
            CHECK(slim_crypto_dh_public(curves[i], own, out) ==
                  SLIM_ERR_INVALID); /* not below the order */
        }
    }
}

static void signatures_verify_and_their_changes_do_not(void **state)
{
    (void)state;
    static const enum slim_crypto_signer signers[] = {
        SLIM_CRYPTO_ED25519, SLIM_CRYPTO_ED448, SLIM_CRYPTO_ECDSA_P256, SLIM_CRYPTO_ECDSA_P384,
        SLIM_CRYPTO_ECDSA_P521};
    for (size_t i = 0; i < SLIM_COUNT(signers); i++) {
        uint8_t given[SLIM_CRYPTO_SIGN_PRIVATE_MAX] = {0};
        uint8_t private_key[SLIM_CRYPTO_SIGN_PRIVATE_MAX];
        uint8_t public_bytes[SLIM_CRYPTO_SIGN_PUBLIC_MAX];
        uint8_t signature[SLIM_CRYPTO_SIGNATURE_MAX];
        size_t len;
        given[5] = 7;
        CHECK_OK(slim_crypto_sign_import(
            signers[i], slim_view_of(given, slim_crypto_sign_private_len(signers[i])), private_key,
            public_bytes));
        struct slim_view public_key =
            slim_view_of(public_bytes, slim_crypto_sign_public_len(signers[i]));
        CHECK_OK(slim_crypto_sign(signers[i], private_key, SLIM_VIEW("text"), signature, &len));
        struct slim_view view = slim_view_of(signature, len);
        CHECK_OK(slim_crypto_verify(signers[i], public_key, SLIM_VIEW("text"), view));
        CHECK(slim_crypto_verify(signers[i], public_key, SLIM_VIEW("texT"), view) ==
              SLIM_ERR_SIGNATURE);
        CHECK(slim_crypto_verify(signers[i], public_key, SLIM_VIEW("text"),
                                 slim_view_of(signature, len - 1)) == SLIM_ERR_SIGNATURE);
        public_key.len--;
        CHECK(slim_crypto_verify(signers[i], public_key, SLIM_VIEW("text"), view) ==
              SLIM_ERR_SIGNATURE);
        CHECK(slim_crypto_sign_import(signers[i], (struct slim_view){0}, private_key,
                                      public_bytes) == SLIM_ERR_INVALID);
    }
    uint8_t both[64] = {1};
    uint8_t private_key[SLIM_CRYPTO_SIGN_PRIVATE_MAX];
    uint8_t public_bytes[SLIM_CRYPTO_SIGN_PUBLIC_MAX];
    CHECK(slim_crypto_sign_import(SLIM_CRYPTO_ED25519, slim_view_of(both, 64), private_key,
                                  public_bytes) ==
          SLIM_ERR_INVALID); /* seed and public key that do not fit */
    CHECK_OK(slim_crypto_sign_import(SLIM_CRYPTO_ED25519, slim_view_of(both, 32), private_key,
                                     public_bytes));
    memcpy(both + 32, public_bytes, 32);
    CHECK_OK(slim_crypto_sign_import(SLIM_CRYPTO_ED25519, slim_view_of(both, 64), private_key,
                                     public_bytes));
}

static void a_wrong_tag_gives_no_plaintext(void **state)
{
    (void)state;
    static const enum slim_crypto_aead aeads[] = {SLIM_CRYPTO_AES_128_GCM, SLIM_CRYPTO_AES_256_GCM,
                                                  SLIM_CRYPTO_CHACHA20_POLY1305};
    static const uint8_t key[32] = {1};
    static const uint8_t nonce[12] = {2};
    for (size_t i = 0; i < SLIM_COUNT(aeads); i++) {
        uint8_t bytes[5 + SLIM_CRYPTO_TAG_LEN] = "hello";
        struct slim_view whole = slim_view_of(bytes, sizeof(bytes));
        CHECK_OK(slim_crypto_seal(aeads[i], key, nonce, SLIM_VIEW("aad"), slim_view_of(bytes, 5),
                                  bytes));
        uint8_t out[5] = "xxxxx";
        bytes[20] ^= 1;
        CHECK(slim_crypto_open(aeads[i], key, nonce, SLIM_VIEW("aad"), whole, out) ==
              SLIM_ERR_DECRYPT);
        CHECK(memcmp(out, "\0\0\0\0\0", 5) == 0);
        bytes[20] ^= 1;
        CHECK(slim_crypto_open(aeads[i], key, nonce, SLIM_VIEW("aaD"), whole, out) ==
              SLIM_ERR_DECRYPT);
        CHECK(slim_crypto_open(aeads[i], key, nonce, SLIM_VIEW("aad"), slim_view_of(bytes, 15),
                               out) == SLIM_ERR_DECRYPT);
        CHECK_OK(slim_crypto_open(aeads[i], key, nonce, SLIM_VIEW("aad"), whole, bytes));
        CHECK_VIEW(slim_view_of(bytes, 5), "hello");
        CHECK_OK(slim_crypto_seal(aeads[i], key, nonce, (struct slim_view){0},
                                  (struct slim_view){0}, bytes));
        CHECK_OK(slim_crypto_open(aeads[i], key, nonce, (struct slim_view){0},
                                  slim_view_of(bytes, 16), out));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_give_their_published_values),
        cmocka_unit_test(hkdf_gives_its_published_value),
        cmocka_unit_test(hpke_gives_its_published_value),
        cmocka_unit_test(psk_mode_needs_key_and_id),
        cmocka_unit_test(every_suite_seals_and_opens),
        cmocka_unit_test(bad_keys_are_refused),
        cmocka_unit_test(signatures_verify_and_their_changes_do_not),
        cmocka_unit_test(a_wrong_tag_gives_no_plaintext),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
