/* Any bytes as a key text of every format (PEM, JWK, JWKS, trust bundle); keys that come out of it verify without harm. */
#include <stdlib.h>

#include "auth/keyset.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct slim_auth_key *key)
{
    uint8_t signature[SLIM_AUTH_RSA_BITS_MAX / 8] = {1};
    for (unsigned i = SLIM_AUTH_ALG_NONE + 1; i < SLIM_AUTH_ALG_COUNT; i++) {
        enum slim_auth_alg alg = (enum slim_auth_alg)i;
        if (!slim_auth_key_allows(key, alg)) {
            continue;
        }
        size_t sizes[] = {0, 32, 64, 96, 256, sizeof(signature)};
        for (size_t j = 0; j < SLIM_COUNT(sizes); j++) {
            REQUIRE(slim_auth_key_verify(key, alg, SLIM_VIEW("text"),
                                         slim_view_of(signature, sizes[j])) == SLIM_ERR_SIGNATURE);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    enum slim_auth_key_format format = (enum slim_auth_key_format)(data[0] % 4);
    enum slim_auth_alg alg = (enum slim_auth_alg)(1 + data[0] / 4 % (SLIM_AUTH_ALG_COUNT - 1));
    bool is_public_only = (data[1] & 1) != 0;
    struct slim_auth_keyset set;
    struct slim_error error = {0};
    enum slim_status status = slim_auth_keyset_parse(slim_view_of(data + 2, size - 2), format, alg,
                                                     is_public_only, &set, &error);
    if (status != SLIM_OK) {
        REQUIRE(status == SLIM_ERR_CONFIG && error.text[0] != '\0');
        return 0;
    }
    REQUIRE(set.count > 0 && set.count <= SLIM_AUTH_KEYS_MAX);
    use(&set.keys[0]); /* one is enough: signatures are slow */
    struct slim_auth_key_wanted wanted = {.alg = alg, .has_kid = true, .kid = SLIM_VIEW("k")};
    enum slim_auth_check check;
    (void)slim_auth_keyset_find(&set, &wanted, false, &check); /* found or not */
    slim_auth_keyset_fini(&set);
    return 0;
}
