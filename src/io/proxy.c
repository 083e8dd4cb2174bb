#include "io/proxy.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/base64.h"

/* ------------------------------------------------------------------------------------------------ which proxy */

static const char *environment(const char *upper, const char *lower)
{
    const char *value = getenv(upper);
    if (value == NULL || value[0] == '\0') {
        value = getenv(lower);
    }
    return value == NULL || value[0] == '\0' ? NULL : value;
}

const char *slim_proxy_of_environment(const struct slim_endpoint *target)
{
    if (target->is_unix) {
        return NULL;
    }
    const char *url = strcmp(target->scheme, "https") == 0
                          ? environment("HTTPS_PROXY", "https_proxy")
                          : environment("HTTP_PROXY", "http_proxy");
    if (url == NULL) {
        url = environment("ALL_PROXY", "all_proxy");
    }
    const char *no_proxy = environment("NO_PROXY", "no_proxy");
    bool is_exempt = url != NULL && slim_proxy_is_exempt(slim_view_str(no_proxy), target->host);
    return is_exempt ? NULL : url;
}

static struct slim_view trim(struct slim_view text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text = slim_view_skip(text, 1);
    }
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t')) {
        text.len--;
    }
    return text;
}

enum { ADDRESS_BYTES_MAX = 16 };

/* Bytes of an address, or 0 when the text is none. */
static size_t parse_ip(struct slim_view text, uint8_t bytes[static ADDRESS_BYTES_MAX])
{
    char copy[INET6_ADDRSTRLEN];
    if (text.len >= sizeof(copy)) {
        return 0;
    }
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, bytes) == 1) {
        return sizeof(struct in_addr);
    }
    return inet_pton(AF_INET6, copy, bytes) == 1 ? sizeof(struct in6_addr) : 0;
}

static bool has_same_bits(const uint8_t *a, const uint8_t *b, size_t bits)
{
    size_t whole = bits / 8;
    size_t rest = bits % 8;
    if (memcmp(a, b, whole) != 0) {
        return false;
    }
    return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

/* Is the address `host` the one of the entry, or in its network? */
static bool is_ip_exempt(struct slim_view entry, const uint8_t *host, size_t host_len)
{
    const uint8_t *slash = memchr(entry.data, '/', entry.len);
    struct slim_view address = entry;
    size_t bits = host_len * 8;
    if (slash != NULL) {
        address.len = (size_t)(slash - entry.data);
        struct slim_view digits = slim_view_skip(entry, address.len + 1);
        bits = 0;
        for (size_t i = 0; i < digits.len; i++) {
            if (!isdigit(digits.data[i]) || bits > host_len * 8) {
                return false;
            }
            bits = bits * 10 + (size_t)(digits.data[i] - '0');
        }
        if (digits.len == 0 || bits > host_len * 8) {
            return false;
        }
    }
    uint8_t network[ADDRESS_BYTES_MAX];
    return parse_ip(address, network) == host_len && has_same_bits(network, host, bits);
}

static bool is_domain_exempt(struct slim_view entry, struct slim_view host)
{
    if (entry.len > 0 && entry.data[0] == '.') {
        entry = slim_view_skip(entry, 1);
    }
    if (entry.len == 0 || entry.len > host.len) {
        return false;
    }
    struct slim_view end = slim_view_skip(host, host.len - entry.len);
    if (strncasecmp((const char *)end.data, (const char *)entry.data, entry.len) != 0) {
        return false;
    }
    return host.len == entry.len || host.data[host.len - entry.len - 1] == '.';
}

bool slim_proxy_is_exempt(struct slim_view no_proxy, const char *host)
{
    struct slim_view name = slim_view_str(host);
    uint8_t ip[ADDRESS_BYTES_MAX];
    size_t ip_len = parse_ip(name, ip);
    while (no_proxy.len > 0) {
        const uint8_t *comma = memchr(no_proxy.data, ',', no_proxy.len);
        size_t len = comma == NULL ? no_proxy.len : (size_t)(comma - no_proxy.data);
        struct slim_view entry = trim(slim_view_of(no_proxy.data, len));
        no_proxy = slim_view_skip(no_proxy, comma == NULL ? len : len + 1);
        if (entry.len == 0) {
            continue;
        }
        if (slim_view_is_equal(entry, SLIM_VIEW("*")) ||
            (ip_len > 0 ? is_ip_exempt(entry, ip, ip_len) : is_domain_exempt(entry, name))) {
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------------------------------------------ its URL */

static int hex_digit(uint8_t c)
{
    return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

/* Append text with its %XX decoded; what is no escape stays. */
static enum slim_status put_decoded(struct slim_buf *out, struct slim_view text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.data[i];
        bool is_escape = byte == '%' && text.len - i > 2;
        int high = is_escape ? hex_digit(text.data[i + 1]) : -1;
        int low = is_escape ? hex_digit(text.data[i + 2]) : -1;
        if (high >= 0 && low >= 0) {
            byte = (uint8_t)((unsigned)high << 4 | (unsigned)low);
            i += 2;
        }
        SLIM_TRY(slim_buf_put_byte(out, byte));
    }
    return SLIM_OK;
}

/* The part of the authority before its last '@', and where the host begins. */
static struct slim_view split_user(struct slim_view rest, size_t *host_at)
{
    size_t end = 0;
    size_t at = 0;
    bool has_user = false;
    for (; end < rest.len && strchr("/?#", rest.data[end]) == NULL; end++) {
        if (rest.data[end] == '@') {
            at = end;
            has_user = true;
        }
    }
    *host_at = has_user ? at + 1 : 0;
    return slim_view_of(rest.data, has_user ? at : 0);
}

enum slim_status slim_proxy_parse(struct slim_view url, struct slim_endpoint *endpoint,
                                  struct slim_buf *user_pass, struct slim_error *error)
{
    enum { URL_BYTES_MAX = 2 * SLIM_ENDPOINT_HOST_MAX };
    struct slim_view scheme = SLIM_VIEW("http://");
    struct slim_view rest = url;
    if (slim_view_has_prefix(url, SLIM_VIEW("https://"))) {
        scheme = SLIM_VIEW("https://");
        rest = slim_view_skip(url, scheme.len);
    } else if (slim_view_has_prefix(url, scheme)) {
        rest = slim_view_skip(url, scheme.len);
    } else if (memmem(url.data, url.len, "://", 3) != NULL) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "proxy: only http:// and https:// proxies are supported");
    }
    size_t host_at;
    struct slim_view user = split_user(rest, &host_at);
    char text[URL_BYTES_MAX];
    struct slim_view host = slim_view_skip(rest, host_at);
    if (scheme.len + host.len > sizeof(text)) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "proxy: its url is too long");
    }
    memcpy(text, scheme.data, scheme.len);
    if (host.len > 0) {
        memcpy(text + scheme.len, host.data, host.len);
    }
    struct slim_error why;
    enum slim_status status =
        slim_endpoint_parse(slim_view_of(text, scheme.len + host.len), endpoint, &why);
    if (status != SLIM_OK) {
        return slim_error_set(error, status, "proxy: %s", why.text);
    }
    status = put_decoded(user_pass, user);
    if (status == SLIM_OK && user.len > 0 && memchr(user.data, ':', user.len) == NULL) {
        status = slim_buf_put_byte(user_pass, ':'); /* no password is an empty one */
    }
    return status == SLIM_OK ? SLIM_OK : slim_error_set(error, status, "out of memory");
}

/* ------------------------------------------------------------------------------------------------ request */

static bool is_header_text(struct slim_view text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\r' || text.data[i] == '\n' || text.data[i] == '\0') {
            return false;
        }
    }
    return true;
}

static enum slim_status put_header(struct slim_buf *out, struct slim_view name,
                                   struct slim_view value)
{
    if (name.len == 0 || !is_header_text(name) || !is_header_text(value)) {
        return SLIM_ERR_CONFIG;
    }
    SLIM_TRY(slim_buf_put(out, name));
    SLIM_TRY(slim_buf_put(out, SLIM_VIEW(": ")));
    SLIM_TRY(slim_buf_put(out, value));
    return slim_buf_put(out, SLIM_VIEW("\r\n"));
}

enum slim_status slim_proxy_put_request(struct slim_buf *out, const struct slim_endpoint *target,
                                        struct slim_view user_pass,
                                        const struct slim_proxy_header *headers,
                                        size_t header_count)
{
    bool is_ip6 = strchr(target->host, ':') != NULL;
    char authority[SLIM_ENDPOINT_HOST_MAX + sizeof("[]:65535")];
    /* fits */
    (void)snprintf(authority, sizeof(authority), is_ip6 ? "[%s]:%s" : "%s:%s", target->host,
                   target->port);
    if (!is_header_text(slim_view_str(authority))) {
        return SLIM_ERR_CONFIG;
    }
    SLIM_TRY(slim_buf_put_text(out, "CONNECT %s HTTP/1.1\r\n", authority));
    SLIM_TRY(put_header(out, SLIM_VIEW("Host"), slim_view_str(authority)));
    if (user_pass.len > 0) {
        SLIM_TRY(slim_buf_put(out, SLIM_VIEW("Proxy-Authorization: Basic ")));
        SLIM_TRY(slim_base64_put(SLIM_BASE64_STANDARD, user_pass, out));
        SLIM_TRY(slim_buf_put(out, SLIM_VIEW("\r\n")));
    }
    for (size_t i = 0; i < header_count; i++) {
        SLIM_TRY(put_header(out, headers[i].name, headers[i].value));
    }
    return slim_buf_put(out, SLIM_VIEW("\r\n"));
}

/* ------------------------------------------------------------------------------------------------ answer */

/* Take one line from the front, without its end. SLIM_AGAIN: it is not complete. */
static enum slim_status take_line(struct slim_view *bytes, struct slim_view *line)
{
    const uint8_t *end = bytes->len == 0 ? NULL : memchr(bytes->data, '\n', bytes->len);
    if (end == NULL) {
        return SLIM_AGAIN;
    }
    size_t len = (size_t)(end - bytes->data);
    *line = slim_view_of(bytes->data, len > 0 && end[-1] == '\r' ? len - 1 : len);
    *bytes = slim_view_skip(*bytes, len + 1);
    return SLIM_OK;
}

/* "HTTP/1.1 200 Connection established". 0: none. */
static int status_code(struct slim_view line)
{
    enum { CODE_AT = 9, CODE_LEN = 3 };
    if (line.len < CODE_AT + CODE_LEN || !slim_view_has_prefix(line, SLIM_VIEW("HTTP/1.")) ||
        !isdigit(line.data[CODE_AT - 2]) || line.data[CODE_AT - 1] != ' ') {
        return 0;
    }
    int code = 0;
    for (size_t i = CODE_AT; i < CODE_AT + CODE_LEN; i++) {
        if (!isdigit(line.data[i])) {
            return 0;
        }
        code = code * 10 + (line.data[i] - '0');
    }
    bool is_over = line.len == CODE_AT + CODE_LEN || line.data[CODE_AT + CODE_LEN] == ' ';
    return is_over && code >= 100 ? code : 0;
}

/* The status line for a sentence: cut, and without bytes that are not printable. */
static enum slim_status refuse(struct slim_view line, int code, struct slim_error *error)
{
    char text[SLIM_PROXY_STATUS_BYTES_MAX + 1];
    size_t len = line.len < SLIM_PROXY_STATUS_BYTES_MAX ? line.len : SLIM_PROXY_STATUS_BYTES_MAX;
    for (size_t i = 0; i < len; i++) {
        text[i] = isprint(line.data[i]) ? (char)line.data[i] : '?';
    }
    text[len] = '\0';
    return slim_error_set(error, code >= 500 ? SLIM_ERR_CONNECT : SLIM_ERR_DENIED,
                          "the proxy refused: %s", text);
}

/* An answer that cannot become a status line, as soon as that is certain. */
static bool can_be_status(struct slim_view bytes)
{
    struct slim_view prefix = SLIM_VIEW("HTTP/1.");
    prefix.len = bytes.len < prefix.len ? bytes.len : prefix.len;
    return slim_view_has_prefix(bytes, prefix);
}

static enum slim_status read_head(struct slim_view *bytes, int *code, struct slim_error *error)
{
    struct slim_view line;
    if (!can_be_status(*bytes)) {
        return slim_error_set(error, SLIM_ERR_MALFORMED, "the proxy does not speak HTTP/1");
    }
    SLIM_TRY(take_line(bytes, &line));
    *code = status_code(line);
    if (*code == 0) {
        return slim_error_set(error, SLIM_ERR_MALFORMED, "the proxy does not speak HTTP/1");
    }
    if (*code >= 300 || *code == 101) {
        return refuse(line, *code, error);
    }
    do {
        SLIM_TRY(take_line(bytes, &line));
    } while (line.len > 0);
    return SLIM_OK;
}

enum slim_status slim_proxy_read_answer(struct slim_view bytes, size_t *used,
                                        struct slim_error *error)
{
    struct slim_view rest = bytes;
    int code = 0;
    enum slim_status status;
    do {
        status = read_head(&rest, &code, error);
    } while (status == SLIM_OK && code < 200);
    size_t head = bytes.len - rest.len;
    if ((status == SLIM_AGAIN && bytes.len >= SLIM_PROXY_ANSWER_BYTES_MAX) ||
        (status == SLIM_OK && head > SLIM_PROXY_ANSWER_BYTES_MAX)) {
        return slim_error_set(error, SLIM_ERR_LIMIT, "the answer of the proxy is too long");
    }
    if (status == SLIM_OK) {
        *used = head;
    }
    return status;
}
