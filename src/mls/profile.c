/* Spec mls.md 3.3 and 8.2. The sentences are those of the reference. */
#include "mls/profile.h"

#include "base/crypto.h"
#include "base/utf8.h"

enum { BASE64_MAX = (SLIM_CRYPTO_SIGN_PUBLIC_MAX + 2) / 3 * 4 };

/* Standard base64 with padding; in.len <= SLIM_CRYPTO_SIGN_PUBLIC_MAX. */
static struct slim_view encode_key(struct slim_view in, char out[BASE64_MAX])
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = 0;
    for (size_t i = 0; i < in.len; i += 3) {
        size_t left = in.len - i;
        uint32_t bits = (uint32_t)in.data[i] << 16;
        bits |= left > 1 ? (uint32_t)in.data[i + 1] << 8 : 0;
        bits |= left > 2 ? in.data[i + 2] : 0;
        out[len++] = alphabet[bits >> 18];
        out[len++] = alphabet[bits >> 12 & 63];
        out[len++] = '=';
        out[len++] = '=';
        if (left > 1) {
            out[len - 2] = alphabet[bits >> 6 & 63];
        }
        if (left > 2) {
            out[len - 1] = alphabet[bits & 63];
        }
    }
    return slim_view_of(out, len);
}

/* Whether a token may be older than its lifetime. */
static bool is_any_age(const struct slim_mls_profile *profile, enum slim_mls_check_reason reason)
{
    switch (reason) {
    case SLIM_MLS_CHECK_ADD:
    case SLIM_MLS_CHECK_REPLACE:
    case SLIM_MLS_CHECK_SIGNER:
    case SLIM_MLS_CHECK_EXTERNAL_SENDER:
        return false;
    case SLIM_MLS_CHECK_MEMBER:
        return !profile->is_strict;
    }
    return false;
}

static enum slim_status check_claims(struct slim_mls_profile *profile,
                                     const struct slim_mls_claims *claims,
                                     struct slim_view signature_key)
{
    if (claims->public_key.len == 0) {
        return slim_error_set(&profile->error, SLIM_ERR_AUTH,
                              "public key not found in signed identity");
    }
    if (claims->subject.len == 0) {
        return slim_error_set(&profile->error, SLIM_ERR_AUTH, "subject not found");
    }
    if (signature_key.len > SLIM_CRYPTO_SIGN_PUBLIC_MAX) {
        return slim_error_set(&profile->error, SLIM_ERR_AUTH,
                              "public key mismatch: the leaf's key has a wrong length");
    }
    char text[BASE64_MAX];
    struct slim_view expected = encode_key(signature_key, text);
    if (!slim_view_is_equal(expected, claims->public_key)) {
        return slim_error_set(
            &profile->error, SLIM_ERR_AUTH,
            "public key mismatch: identity public key does not match provided public key");
    }
    return SLIM_OK;
}

static enum slim_status check(struct slim_mls_profile *profile, const struct slim_mls_check *check,
                              struct slim_mls_claims *claims)
{
    struct slim_view token = slim_view_of(check->credential.data.data, check->credential.data.len);
    if (check->credential.type != SLIM_MLS_CREDENTIAL_BASIC) {
        return slim_error_set(&profile->error, SLIM_ERR_AUTH, "not a basic credential");
    }
    if (!slim_utf8_is_valid(token)) {
        return slim_error_set(&profile->error, SLIM_ERR_AUTH, "invalid UTF-8 in credential");
    }
    *claims = (struct slim_mls_claims){0};
    SLIM_TRY(profile->verify_token(profile->context, token, is_any_age(profile, check->reason),
                                   claims, &profile->error));
    return check_claims(profile, claims,
                        slim_view_of(check->signature_key.data, check->signature_key.len));
}

enum slim_mls_status slim_mls_profile_check(void *context, const struct slim_mls_check *asked,
                                            struct slim_mls_view *name)
{
    struct slim_mls_profile *profile = context;
    struct slim_mls_claims claims;
    enum slim_status status = check(profile, asked, &claims);
    if (status == SLIM_OK) {
        *name = (struct slim_mls_view){claims.subject.data, claims.subject.len};
    }
    return (enum slim_mls_status)status;
}

static uint64_t now_s(void *context)
{
    struct slim_mls_profile *profile = context;
    return profile->now_s(profile->context);
}

static void fill(void *context, void *out, size_t len)
{
    struct slim_mls_profile *profile = context;
    profile->random(profile->context, out, len);
}

static enum slim_mls_status find_psk(void *context, const struct slim_mls_psk_request *request,
                                     uint8_t *psk, size_t *len)
{
    struct slim_mls_profile *profile = context;
    return profile->find_psk == NULL ? SLIM_MLS_ERR_NOT_FOUND
                                     : profile->find_psk(profile->context, request, psk, len);
}

void slim_mls_profile_callbacks(struct slim_mls_profile *profile,
                                struct slim_mls_callbacks *callbacks)
{
    *callbacks = (struct slim_mls_callbacks){
        .context = profile,
        .check_credential = slim_mls_profile_check,
        .now_s = now_s,
        .random = fill,
        .find_psk = find_psk,
    };
}

void slim_mls_profile_policy(struct slim_mls_policy *policy)
{
    slim_mls_policy_init(policy);
    policy->moderated = true;
}
