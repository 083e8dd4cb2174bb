#include "auth/alg.h"

static const struct slim_auth_alg_info algs[SLIM_AUTH_ALG_COUNT] = {
    [SLIM_AUTH_ALG_NONE] = {"none", SLIM_AUTH_FAMILY_HMAC, SLIM_SHA2_256, NULL, false},
    [SLIM_AUTH_ALG_HS256] = {"HS256", SLIM_AUTH_FAMILY_HMAC, SLIM_SHA2_256, "SHA256", false},
    [SLIM_AUTH_ALG_HS384] = {"HS384", SLIM_AUTH_FAMILY_HMAC, SLIM_SHA2_384, "SHA384", false},
    [SLIM_AUTH_ALG_HS512] = {"HS512", SLIM_AUTH_FAMILY_HMAC, SLIM_SHA2_512, "SHA512", false},
    [SLIM_AUTH_ALG_RS256] = {"RS256", SLIM_AUTH_FAMILY_RSA, SLIM_SHA2_256, "SHA256", false},
    [SLIM_AUTH_ALG_RS384] = {"RS384", SLIM_AUTH_FAMILY_RSA, SLIM_SHA2_384, "SHA384", false},
    [SLIM_AUTH_ALG_RS512] = {"RS512", SLIM_AUTH_FAMILY_RSA, SLIM_SHA2_512, "SHA512", false},
    [SLIM_AUTH_ALG_PS256] = {"PS256", SLIM_AUTH_FAMILY_RSA, SLIM_SHA2_256, "SHA256", true},
    [SLIM_AUTH_ALG_PS384] = {"PS384", SLIM_AUTH_FAMILY_RSA, SLIM_SHA2_384, "SHA384", true},
    [SLIM_AUTH_ALG_PS512] = {"PS512", SLIM_AUTH_FAMILY_RSA, SLIM_SHA2_512, "SHA512", true},
    [SLIM_AUTH_ALG_ES256] = {"ES256", SLIM_AUTH_FAMILY_P256, SLIM_SHA2_256, "SHA256", false},
    [SLIM_AUTH_ALG_ES384] = {"ES384", SLIM_AUTH_FAMILY_P384, SLIM_SHA2_384, "SHA384", false},
    [SLIM_AUTH_ALG_EDDSA] = {"EdDSA", SLIM_AUTH_FAMILY_ED25519, SLIM_SHA2_512, NULL, false},
};

const struct slim_auth_alg_info *slim_auth_alg_info(enum slim_auth_alg alg)
{
    assert(alg != SLIM_AUTH_ALG_NONE && alg < SLIM_AUTH_ALG_COUNT);
    return &algs[alg];
}

const char *slim_auth_alg_text(enum slim_auth_alg alg)
{
    return algs[alg].text;
}

enum slim_status slim_auth_alg_parse(struct slim_view text, enum slim_auth_alg *alg)
{
    for (unsigned i = SLIM_AUTH_ALG_NONE + 1; i < SLIM_AUTH_ALG_COUNT; i++) {
        if (slim_view_is_equal(text, slim_view_str(algs[i].text))) {
            *alg = (enum slim_auth_alg)i;
            return SLIM_OK;
        }
    }
    return SLIM_ERR_UNSUPPORTED;
}
