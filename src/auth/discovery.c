#include "auth/discovery.h"

#include <strings.h>

static const struct slim_json_limits document_limits = {.bytes_max = SLIM_AUTH_FETCH_BYTES_MAX,
                                                        .depth_max = SLIM_AUTH_TOKEN_DEPTH_MAX};

/* Host and port of an https URL; false when it is none. */
static bool authority_of(struct slim_view url, struct slim_view *authority)
{
    struct slim_view scheme = SLIM_VIEW("https://");
    if (url.len > SLIM_AUTH_URL_BYTES_MAX || !slim_view_has_prefix(url, scheme)) {
        return false;
    }
    for (size_t i = 0; i < url.len; i++) {
        if (url.data[i] <= ' ' || url.data[i] >= 0x7f || url.data[i] == '#' ||
            url.data[i] == '\\') {
            return false;
        }
    }
    struct slim_view rest = slim_view_skip(url, scheme.len);
    size_t len = 0;
    while (len < rest.len && rest.data[len] != '/' && rest.data[len] != '?') {
        if (rest.data[len] == '@') {
            return false;
        }
        len++;
    }
    *authority = slim_view_of(rest.data, len);
    return len > 0 && rest.data[0] != ':';
}

bool slim_auth_url_is_https(struct slim_view url)
{
    struct slim_view authority;
    return authority_of(url, &authority);
}

bool slim_auth_url_is_same_origin(struct slim_view a, struct slim_view b)
{
    struct slim_view sides[2];
    if (!authority_of(a, &sides[0]) || !authority_of(b, &sides[1])) {
        return false;
    }
    for (size_t i = 0; i < 2; i++) {
        struct slim_view port = SLIM_VIEW(":443");
        if (sides[i].len > port.len &&
            memcmp(sides[i].data + sides[i].len - port.len, port.data, port.len) == 0) {
            sides[i].len -= port.len;
        }
    }
    return sides[0].len == sides[1].len &&
           strncasecmp((const char *)sides[0].data, (const char *)sides[1].data, sides[0].len) == 0;
}

enum slim_status slim_auth_url_below(struct slim_view issuer, const char *path,
                                     struct slim_buf *url)
{
    if (issuer.len > 0 && issuer.data[issuer.len - 1] == '/') {
        issuer.len--;
    }
    slim_buf_clear(url);
    SLIM_TRY(slim_buf_put(url, issuer));
    return slim_buf_put(url, slim_view_str(path));
}

static enum slim_status read_parsed(const struct slim_json *json, struct slim_view issuer,
                                    const char *member, struct slim_buf *url,
                                    struct slim_error *error)
{
    struct slim_view named;
    struct slim_view found;
    if (!slim_json_read_text(slim_json_find(json, "issuer"), &named) ||
        !slim_view_is_equal(named, issuer)) {
        return slim_error_set(error, SLIM_ERR_DENIED,
                              "the discovery document is not of the configured issuer");
    }
    if (!slim_json_read_text(slim_json_find(json, member), &found)) {
        return slim_error_set(error, SLIM_ERR_NOT_FOUND, "%s not found in discovery document",
                              member);
    }
    if (!slim_auth_url_is_same_origin(found, issuer)) {
        return slim_error_set(error, SLIM_ERR_DENIED,
                              "%s of the discovery document is not https at the issuer's host and "
                              "port; configure it if it is meant to be elsewhere",
                              member);
    }
    slim_buf_clear(url);
    if (slim_buf_put(url, found) != SLIM_OK) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory");
    }
    return SLIM_OK;
}

enum slim_status slim_auth_discovery_read(struct slim_view document, struct slim_view issuer,
                                          const char *member, struct slim_buf *url,
                                          struct slim_error *error)
{
    struct slim_json *json;
    SLIM_TRY(slim_json_parse(document, &document_limits, &json, error));
    enum slim_status status = read_parsed(json, issuer, member, url, error);
    slim_json_free(json);
    return status;
}

uint64_t slim_auth_retry_pause_s(uint32_t fail_count)
{
    enum { SHIFT_MAX = 6 };
    uint64_t pause_s = UINT64_C(1) << (fail_count < SHIFT_MAX ? fail_count : SHIFT_MAX);
    return pause_s < SLIM_AUTH_RETRY_S_MAX ? pause_s : SLIM_AUTH_RETRY_S_MAX;
}
