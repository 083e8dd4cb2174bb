/* Which keys are taken. Signatures with keys of every kind: tests/interop/test_auth_jwt.py. */
#include "auth/jwt.h"

#include "auth_support.h"

static enum slim_status try_key(enum slim_auth_alg alg, enum slim_auth_key_format format,
                                const char *text, struct slim_error *error)
{
    struct slim_auth_rules rules = {.alg = alg, .format = format, .key = slim_view_str(text)};
    struct slim_auth_verifier *verifier = NULL;
    *error = (struct slim_error){0};
    enum slim_status status = slim_auth_verifier_new_jwt(&rules, test_random, &verifier, error);
    slim_auth_verifier_free(verifier);
    return status;
}

/* A public RSA key without its last bytes, which are the exponent: one byte follows. */
static const char rsa_head[] = "-----BEGIN PUBLIC KEY-----\n"
                               "MIIBIDANBgkqhkiG9w0BAQEFAAOCAQ0AMIIBCAKCAQEAt6goLduJoOFQIlLm3U3Q\n"
                               "MKdAU6+Yv20MRrdic5eTM6jVpGxVI9U3TN0Nk+Y4vRbp875r3UmaTLMjhN618u+J\n"
                               "4PQ17ZKQxYQ3kwd2Zm/s5EwFQzBoq+pJ+ShT9aWnzq9DWZu6cvDaLllPcqmh6RhD\n"
                               "HLmM4zY48AnP6rQeUHyzXbkUdR2iRZSAmfSF+asKLYyzT+T0y+aPeHcjfWKp8oec\n"
                               "MvYJtzsjo+XHsMZzRO/8PeklVg+zdh8bMZGAOpcwGLy71XTg5xxn0hlLbH6/Fm8C\n"
                               "FUW4RYE0CcYki7CdTaK0GLxQvluKXCmNpwBQ9MNGIh3XBc1k/dvzD6wEBVAVEYkQ\n"
                               "GQIB";

/* The same modulus in a JWK. */
static const char rsa_n[] =
    "t6goLduJoOFQIlLm3U3QMKdAU6-Yv20MRrdic5eTM6jVpGxVI9U3TN0Nk-Y4vRbp875r3UmaTLMjhN61"
    "8u-J4PQ17ZKQxYQ3kwd2Zm_s5EwFQzBoq-pJ-ShT9aWnzq9DWZu6cvDaLllPcqmh6RhDHLmM4zY48AnP"
    "6rQeUHyzXbkUdR2iRZSAmfSF-asKLYyzT-T0y-aPeHcjfWKp8oecMvYJtzsjo-XHsMZzRO_8PeklVg-z"
    "dh8bMZGAOpcwGLy71XTg5xxn0hlLbH6_Fm8CFUW4RYE0CcYki7CdTaK0GLxQvluKXCmNpwBQ9MNGIh3X"
    "Bc1k_dvzD6wEBVAVEYkQGQ";

static void an_rsa_key_needs_an_exponent_that_signs(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *exponent;
        const char *jwk_e;
        enum slim_status want;
    } rows[] = {
        {"3", "Aw==", "Aw", SLIM_OK},
        {"1: a signature is the padded hash itself", "AQ==", "AQ", SLIM_ERR_CONFIG},
        {"2: even", "Ag==", "Ag", SLIM_ERR_CONFIG},
        {"0", "AA==", "AA", SLIM_ERR_CONFIG},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        char text[1024];
        struct slim_error error;
        (void)snprintf(text, sizeof(text), "%s%s\n-----END PUBLIC KEY-----\n", rsa_head,
                       rows[i].exponent); /* fits */
        CHECK_ROW(rows[i].why,
                  try_key(SLIM_AUTH_ALG_RS256, SLIM_AUTH_KEY_PEM, text, &error) == rows[i].want);
        CHECK_ROW(rows[i].why, (error.text[0] != '\0') == (rows[i].want != SLIM_OK));
        (void)snprintf(text, sizeof(text), "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}", rsa_n,
                       rows[i].jwk_e); /* fits */
        CHECK_ROW(rows[i].why,
                  try_key(SLIM_AUTH_ALG_RS256, SLIM_AUTH_KEY_JWK, text, &error) == rows[i].want);
    }
}

static void what_everybody_may_read_is_no_secret(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *text;
        enum slim_status want;
    } rows[] = {
        {"a secret", "forty bytes of text that nobody can guess", SLIM_OK},
        {"a private key is at least secret", "-----BEGIN PRIVATE KEY-----\nAAAAAAAAAAAAAAAAAA",
         SLIM_OK},
        {"a public key", "-----BEGIN PUBLIC KEY-----\nAAAAAAAAAAAAAAAAAA", SLIM_ERR_CONFIG},
        {"behind white space", "\n -----BEGIN RSA PUBLIC KEY-----\nAAAAAAAAAA", SLIM_ERR_CONFIG},
        {"a certificate", "-----BEGIN CERTIFICATE-----\nAAAAAAAAAAAAAAAAAA", SLIM_ERR_CONFIG},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_error error;
        CHECK_ROW(rows[i].why, try_key(SLIM_AUTH_ALG_HS256, SLIM_AUTH_KEY_PEM, rows[i].text,
                                       &error) == rows[i].want);
        CHECK_ROW(rows[i].why, (error.text[0] != '\0') == (rows[i].want != SLIM_OK));
    }
}

/* Labels of a type they must not have are not the same as labels left out: those set a key free. */
static void a_jwk_with_labels_of_the_wrong_type_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        enum slim_status want;
    } rows[] = {
        {"\"kid\":\"a\",\"alg\":\"EdDSA\",\"use\":\"sig\",\"key_ops\":[\"verify\"]", SLIM_OK},
        {"\"x\":1", SLIM_ERR_CONFIG},
        {"\"kid\":7", SLIM_ERR_CONFIG},
        {"\"kid\":null", SLIM_ERR_CONFIG},
        {"\"alg\":7", SLIM_ERR_CONFIG},
        {"\"alg\":[\"EdDSA\"]", SLIM_ERR_CONFIG},
        {"\"alg\":\"RS256\"", SLIM_ERR_CONFIG},
        {"\"use\":[\"enc\"]", SLIM_ERR_CONFIG},
        {"\"use\":\"enc\"", SLIM_ERR_CONFIG},
        {"\"key_ops\":\"verify\"", SLIM_ERR_CONFIG},
        {"\"key_ops\":[\"sign\"]", SLIM_ERR_CONFIG},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        char text[512];
        struct slim_error error;
        (void)snprintf(text, sizeof(text), "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",%s%s}",
                       rows[i].label,
                       strstr(rows[i].label, "\"x\"") != NULL
                           ? ""
                           : ",\"x\":\"rdGNgQG70OewjPGPU1Re8P0L8bBCCQFVIJ8YNQaqqhw\""); /* fits */
        CHECK_ROW(rows[i].label,
                  try_key(SLIM_AUTH_ALG_NONE, SLIM_AUTH_KEY_JWK, text, &error) == rows[i].want);
        CHECK_ROW(rows[i].label, (error.text[0] != '\0') == (rows[i].want != SLIM_OK));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_rsa_key_needs_an_exponent_that_signs),
        cmocka_unit_test(what_everybody_may_read_is_no_secret),
        cmocka_unit_test(a_jwk_with_labels_of_the_wrong_type_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
