#include "io/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

static const struct slim_view UNIX_PREFIX = {(const uint8_t *)"unix://", 7};

/* Decimal port number 0 .. 65535 without sign or blanks. */
static bool parse_port(struct slim_view text, uint16_t *port)
{
    if (text.len == 0 || text.len > 5) {
        return false;
    }
    uint32_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        value = value * 10 + (uint32_t)(text.data[i] - '0');
    }
    if (value > UINT16_MAX) {
        return false;
    }
    *port = (uint16_t)value;
    return true;
}

/* Split "host:port" at the last colon; brackets around an IPv6 address are taken off. */
static bool split_host_port(struct slim_view text, struct slim_view *host, struct slim_view *port)
{
    size_t colon = text.len;
    while (colon > 0 && text.data[colon - 1] != ':') {
        colon--;
    }
    if (colon == 0) {
        return false;
    }
    *host = slim_view_of(text.data, colon - 1);
    *port = slim_view_skip(text, colon);
    if (host->len >= 2 && host->data[0] == '[' && host->data[host->len - 1] == ']') {
        *host = slim_view_of(host->data + 1, host->len - 2);
    }
    return true;
}

static bool copy_text(struct slim_view text, char *out, size_t size)
{
    if (text.len >= size || (text.len > 0 && memchr(text.data, 0, text.len) != NULL)) {
        return false;
    }
    if (text.len > 0) {
        memcpy(out, text.data, text.len);
    }
    out[text.len] = 0;
    return true;
}

static enum slim_status parse_unix(struct slim_view text, struct slim_address *address,
                                   struct slim_error *error)
{
    struct slim_view path = slim_view_skip(text, UNIX_PREFIX.len);
    for (size_t i = 0; i < path.len; i++) {
        if (path.data[i] == '?' || path.data[i] == '#') {
            path.len = i;
        }
    }
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (path.len == 0 || path.data[0] != '/' ||
        !copy_text(path, un.sun_path, sizeof(un.sun_path))) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "unix socket path must start with / and have at most %zu bytes",
                              sizeof(un.sun_path) - 1);
    }
    *address = (struct slim_address){.len = sizeof(un)};
    memcpy(&address->storage, &un, sizeof(un));
    return SLIM_OK;
}

/* Numeric address and port into *address. */
static bool fill_ip(const char *host, uint16_t port, struct slim_address *address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    *address = (struct slim_address){0};
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        memcpy(&address->storage, &v4, sizeof(v4));
        address->len = sizeof(v4);
        return true;
    }
    if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
        memcpy(&address->storage, &v6, sizeof(v6));
        address->len = sizeof(v6);
        return true;
    }
    return false;
}

enum slim_status slim_address_parse(struct slim_view text, struct slim_address *address,
                                    struct slim_error *error)
{
    if (text.len == 0) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "missing grpc endpoint");
    }
    if (slim_view_has_prefix(text, UNIX_PREFIX)) {
        return parse_unix(text, address, error);
    }
    struct slim_view host;
    struct slim_view port_text;
    uint16_t port;
    char host_text[INET6_ADDRSTRLEN];
    if (!split_host_port(text, &host, &port_text) || !parse_port(port_text, &port) ||
        !copy_text(host, host_text, sizeof(host_text)) || !fill_ip(host_text, port, address)) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "invalid socket address syntax");
    }
    return SLIM_OK;
}

void slim_address_format(const struct slim_address *address, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "";
    switch (address->storage.ss_family) {
    case AF_INET: {
        struct sockaddr_in v4;
        memcpy(&v4, &address->storage, sizeof(v4));
        /* cannot fail: the buffer is large enough */
        (void)inet_ntop(AF_INET, &v4.sin_addr, host, sizeof(host));
        /* cut on purpose when too long */
        (void)snprintf(out, size, "%s:%u", host, (unsigned)ntohs(v4.sin_port));
        return;
    }
    case AF_INET6: {
        struct sockaddr_in6 v6;
        memcpy(&v6, &address->storage, sizeof(v6));
        (void)inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof(host)); /* as above */
        (void)snprintf(out, size, "[%s]:%u", host, (unsigned)ntohs(v6.sin6_port));
        return;
    }
    case AF_UNIX: {
        struct sockaddr_un un;
        memcpy(&un, &address->storage, sizeof(un));
        (void)snprintf(out, size, "unix:%s", address->len > sizeof(sa_family_t) ? un.sun_path : "");
        return;
    }
    default: /* not an enum: address families are open numbers */
        (void)snprintf(out, size, "unknown");
    }
}

/* What follows "scheme://": authority and path. */
static enum slim_status parse_authority(struct slim_view rest, const char *default_port,
                                        struct slim_endpoint *endpoint, struct slim_error *error)
{
    size_t end = 0;
    while (end < rest.len && rest.data[end] != '/' && rest.data[end] != '?' &&
           rest.data[end] != '#') {
        end++;
    }
    struct slim_view authority = slim_view_of(rest.data, end);
    struct slim_view path = slim_view_skip(rest, end);
    size_t path_len = 0;
    while (path_len < path.len && path.data[path_len] != '?' && path.data[path_len] != '#') {
        path_len++;
    }
    path.len = path_len;
    while (path.len > 0 && path.data[path.len - 1] == '/') {
        path.len--;
    }
    struct slim_view host = authority;
    struct slim_view port = slim_view_str(default_port);
    uint16_t port_number;
    bool has_port = authority.len > 0 && authority.data[authority.len - 1] != ']' &&
                    memchr(authority.data, ':', authority.len) != NULL;
    if (has_port && !split_host_port(authority, &host, &port)) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "invalid authority");
    }
    if (!has_port && host.len >= 2 && host.data[0] == '[') {
        host = slim_view_of(host.data + 1, host.len - 2);
    }
    if (host.len == 0 || !parse_port(port, &port_number) ||
        !copy_text(host, endpoint->host, sizeof(endpoint->host)) ||
        !copy_text(port, endpoint->port, sizeof(endpoint->port)) ||
        !copy_text(authority, endpoint->authority, sizeof(endpoint->authority)) ||
        !copy_text(path, endpoint->path, sizeof(endpoint->path))) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "invalid host or port");
    }
    return SLIM_OK;
}

enum slim_status slim_endpoint_parse(struct slim_view text, struct slim_endpoint *endpoint,
                                     struct slim_error *error)
{
    *endpoint = (struct slim_endpoint){0};
    if (slim_view_has_prefix(text, UNIX_PREFIX)) {
        endpoint->is_unix = true;
        (void)snprintf(endpoint->scheme, sizeof(endpoint->scheme), "unix"); /* fits */
        (void)snprintf(endpoint->authority, sizeof(endpoint->authority), "localhost");
        return parse_unix(text, &endpoint->address, error);
    }
    static const struct {
        struct slim_view prefix;
        const char *scheme;
        const char *port;
    } schemes[] = {
        {{(const uint8_t *)"http://", 7}, "http", "80"},
        {{(const uint8_t *)"https://", 8}, "https", "443"},
    };
    for (size_t i = 0; i < SLIM_COUNT(schemes); i++) {
        if (slim_view_has_prefix(text, schemes[i].prefix)) {
            /* fits */
            (void)snprintf(endpoint->scheme, sizeof(endpoint->scheme), "%s", schemes[i].scheme);
            return parse_authority(slim_view_skip(text, schemes[i].prefix.len), schemes[i].port,
                                   endpoint, error);
        }
    }
    return slim_error_set(error, SLIM_ERR_CONFIG, "invalid endpoint scheme");
}
