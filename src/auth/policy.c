/* What the claims of a JWT must say. */
#include "auth/jwt.h"

#include <stdlib.h>

#include "auth/verifier.h"

static const double seconds_end =
    9007199254740992.0; /* 2^53: below it every second is exact in a double */

/* ---- lists of names */

enum slim_status slim_auth_names_init(struct slim_auth_names *names, const struct slim_view *list,
                                      size_t count, const char *what, struct slim_error *error)
{
    *names = (struct slim_auth_names){0};
    if (count == 0) {
        return SLIM_OK;
    }
    if (count > SLIM_AUTH_NAMES_MAX) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "%s: more than %d names", what,
                              (int)SLIM_AUTH_NAMES_MAX);
    }
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        if (list[i].len == 0 || list[i].len > SLIM_AUTH_ID_BYTES_MAX) {
            return slim_error_set(error, SLIM_ERR_CONFIG, "%s: a name must have 1 to %d bytes",
                                  what, (int)SLIM_AUTH_ID_BYTES_MAX);
        }
        total += list[i].len;
    }
    struct slim_auth_names made = {0};
    made.names = calloc(count, sizeof(made.names[0]));
    if (made.names == NULL || slim_buf_reserve(&made.text, total) != SLIM_OK) {
        free(made.names);
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
    }
    for (size_t i = 0; i < count; i++) {
        uint8_t *to = made.text.data + made.text.len;
        memcpy(to, list[i].data, list[i].len);
        made.text.len += list[i].len;
        made.names[i] = slim_view_of(to, list[i].len);
    }
    made.count = count;
    *names = made;
    return SLIM_OK;
}

void slim_auth_names_fini(struct slim_auth_names *names)
{
    free(names->names);
    slim_buf_fini(&names->text);
    *names = (struct slim_auth_names){0};
}

bool slim_auth_names_has(const struct slim_auth_names *names, struct slim_view name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (slim_view_is_equal(names->names[i], name)) {
            return true;
        }
    }
    return false;
}

/* ---- times */

/* A time claim in whole seconds; *has: it is there. A fraction is dropped, as far as a second matters here. */
static enum slim_status read_time(const struct slim_json *payload, const char *name, bool *has,
                                  uint64_t *seconds, enum slim_auth_check *check)
{
    const struct slim_json *claim = slim_json_find(payload, name);
    double number;
    *has = claim != NULL;
    if (claim == NULL) {
        return SLIM_OK;
    }
    if (!slim_json_read_number(claim, &number) || !(number >= 0) || number >= seconds_end) {
        return slim_auth_fail(check, SLIM_AUTH_CHECK_CLAIMS);
    }
    *seconds = (uint64_t)number;
    return SLIM_OK;
}

enum slim_status slim_auth_jwt_read_times(const struct slim_json *payload,
                                          struct slim_auth_times *times,
                                          enum slim_auth_check *check)
{
    bool has_iat;
    uint64_t iat_s;
    *times = (struct slim_auth_times){0};
    SLIM_TRY(read_time(payload, "exp", &times->has_exp, &times->exp_s, check));
    SLIM_TRY(read_time(payload, "nbf", &times->has_nbf, &times->nbf_s, check));
    return read_time(payload, "iat", &has_iat, &iat_s, check);
}

static enum slim_status check_times(const struct slim_auth_policy *policy,
                                    const struct slim_json *payload, uint64_t now_s,
                                    enum slim_auth_check *check, struct slim_auth_verdict *verdict)
{
    struct slim_auth_times times;
    SLIM_TRY(slim_auth_jwt_read_times(payload, &times, check));
    if (!times.has_exp) {
        return slim_auth_fail(check, SLIM_AUTH_CHECK_EXPIRY);
    }
    verdict->valid_until_s = times.exp_s + SLIM_AUTH_LEEWAY_S;
    if (now_s > verdict->valid_until_s && !policy->is_any_age) {
        return slim_auth_fail(check, SLIM_AUTH_CHECK_EXPIRED);
    }
    verdict->valid_from_s = 0;
    if (times.has_nbf && !policy->is_lenient && times.nbf_s > SLIM_AUTH_LEEWAY_S) {
        verdict->valid_from_s = times.nbf_s - SLIM_AUTH_LEEWAY_S;
        if (now_s < verdict->valid_from_s && !policy->is_any_age) {
            return slim_auth_fail(check, SLIM_AUTH_CHECK_NOT_YET);
        }
    }
    return SLIM_OK;
}

/* ---- names in claims */

/* Does the claim, a text or a list of texts, name one of `names`? *is_text: it has one of those two forms. */
static bool names_one_of(const struct slim_json *claim, const struct slim_auth_names *names,
                         bool *is_text)
{
    struct slim_view name;
    *is_text = true;
    if (slim_json_read_text(claim, &name)) {
        return slim_auth_names_has(names, name);
    }
    *is_text = slim_json_kind(claim) == SLIM_JSON_ARRAY;
    bool is_found = false;
    for (size_t i = 0; *is_text && i < slim_json_count(claim); i++) {
        *is_text = slim_json_read_text(slim_json_at(claim, i), &name);
        is_found = is_found || (*is_text && slim_auth_names_has(names, name));
    }
    return is_found;
}

/* iss or aud: with no names configured, `is_refused_without` tells whether the claim may be there. */
static enum slim_status check_names(const struct slim_json *claim,
                                    const struct slim_auth_names *names, bool is_optional,
                                    bool is_refused_without, enum slim_auth_check failed,
                                    enum slim_auth_check *check)
{
    if (claim == NULL) {
        bool is_fine = names->count == 0 || is_optional;
        return is_fine ? SLIM_OK : slim_auth_fail(check, failed);
    }
    bool is_text;
    bool is_found = names_one_of(claim, names, &is_text);
    if (!is_text) {
        return slim_auth_fail(check, SLIM_AUTH_CHECK_CLAIMS);
    }
    if (names->count == 0 ? is_refused_without : !is_found) {
        return slim_auth_fail(check, failed);
    }
    return SLIM_OK;
}

static enum slim_status check_subject(const struct slim_auth_policy *policy,
                                      const struct slim_json *payload, enum slim_auth_check *check,
                                      struct slim_auth_verdict *verdict)
{
    const struct slim_json *claim = slim_json_find(payload, "sub");
    verdict->subject = SLIM_VIEW("");
    if (claim != NULL && !slim_json_read_text(claim, &verdict->subject)) {
        return slim_auth_fail(check, SLIM_AUTH_CHECK_CLAIMS);
    }
    if (policy->is_lenient || policy->subject.len == 0 ||
        slim_view_is_equal(slim_buf_view(&policy->subject), verdict->subject)) {
        return SLIM_OK;
    }
    return slim_auth_fail(check, SLIM_AUTH_CHECK_SUBJECT);
}

enum slim_status slim_auth_policy_check(const struct slim_auth_policy *policy,
                                        const struct slim_json *payload, uint64_t now_s,
                                        enum slim_auth_check *check,
                                        struct slim_auth_verdict *verdict)
{
    SLIM_TRY(check_times(policy, payload, now_s, check, verdict));
    SLIM_TRY(check_names(slim_json_find(payload, "iss"), &policy->issuers, policy->is_lenient,
                         false, SLIM_AUTH_CHECK_ISSUER, check));
    SLIM_TRY(check_names(slim_json_find(payload, "aud"), &policy->audiences, policy->is_lenient,
                         true, SLIM_AUTH_CHECK_AUDIENCE, check));
    return check_subject(policy, payload, check, verdict);
}
