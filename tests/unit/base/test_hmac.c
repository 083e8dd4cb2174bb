/* SHA-2 and HMAC against published values (FIPS 180-4 examples, RFC 4231). */
#include "base/hmac.h"
#include "support/check.h"

static void hex_of(const uint8_t *bytes, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]); /* two digits and a zero always fit */
    }
}

static void hashes_are_the_published_ones(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        enum slim_sha2_kind kind;
        const char *want;
    } rows[] = {
        {"SHA-256 abc", SLIM_SHA2_256,
         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"SHA-384 abc", SLIM_SHA2_384,
         "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
         "8086072ba1e7cc2358baeca134c825a7"},
        {"SHA-512 abc", SLIM_SHA2_512,
         "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
         "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        uint8_t out[SLIM_SHA2_BYTES_MAX];
        char hex[2 * SLIM_SHA2_BYTES_MAX + 1];
        slim_sha2_of(rows[i].kind, SLIM_VIEW("abc"), out);
        hex_of(out, slim_sha2_size(rows[i].kind), hex);
        CHECK_ROW(rows[i].why, strcmp(hex, rows[i].want) == 0);
        struct slim_sha2 hash;
        slim_sha2_init(&hash, rows[i].kind);
        slim_sha2_put(&hash, SLIM_VIEW("a"));
        slim_sha2_put(&hash, SLIM_VIEW(""));
        slim_sha2_put(&hash, SLIM_VIEW("bc"));
        slim_sha2_done(&hash, out);
        hex_of(out, slim_sha2_size(rows[i].kind), hex);
        CHECK_ROW(rows[i].why, strcmp(hex, rows[i].want) == 0);
    }
}

static const uint8_t key_0b[20] = {[0 ... 19] = 0x0b};
static const uint8_t key_aa[131] = {[0 ... 130] = 0xaa};
static const struct {
    const char *why;
    enum slim_sha2_kind kind;
    const uint8_t *key;
    size_t key_len;
    const char *message;
    const char *want;
} mac_rows[] = {
    {"RFC 4231 case 1", SLIM_SHA2_256, key_0b, 20, "Hi There",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"RFC 4231 case 1", SLIM_SHA2_384, key_0b, 20, "Hi There",
     "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
     "faea9ea9076ede7f4af152e8b2fa9cb6"},
    {"RFC 4231 case 1", SLIM_SHA2_512, key_0b, 20, "Hi There",
     "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
     "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
    {"RFC 4231 case 6: a key longer than a block", SLIM_SHA2_256, key_aa, 131,
     "Test Using Larger Than Block-Size Key - Hash Key First",
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    {"RFC 4231 case 6: a key longer than a block", SLIM_SHA2_384, key_aa, 131,
     "Test Using Larger Than Block-Size Key - Hash Key First",
     "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c6"
     "0c2ef6ab4030fe8296248df163f44952"},
    {"RFC 4231 case 6: a key longer than a block", SLIM_SHA2_512, key_aa, 131,
     "Test Using Larger Than Block-Size Key - Hash Key First",
     "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
     "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"},
    {"no key, no message", SLIM_SHA2_256, NULL, 0, "",
     "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
};

static void macs_are_the_published_ones(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLIM_COUNT(mac_rows); i++) {
        struct slim_hmac_key key;
        uint8_t out[SLIM_SHA2_BYTES_MAX];
        char hex[2 * SLIM_SHA2_BYTES_MAX + 1];
        slim_hmac_key_init(&key, mac_rows[i].kind,
                           slim_view_of(mac_rows[i].key, mac_rows[i].key_len));
        for (int again = 0; again < 2; again++) { /* a prepared key serves many messages */
            slim_hmac_of(&key, slim_view_str(mac_rows[i].message), out);
            hex_of(out, slim_sha2_size(mac_rows[i].kind), hex);
            CHECK_ROW(mac_rows[i].why, strcmp(hex, mac_rows[i].want) == 0);
        }
        slim_hmac_key_fini(&key);
        static const struct slim_hmac_key wiped;
        CHECK_ROW("a finished key is wiped", memcmp(&key, &wiped, sizeof(key)) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_the_published_ones),
        cmocka_unit_test(macs_are_the_published_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
