#include "datapath/request.h"

#include <stdlib.h>
#include <string.h>

/* RFC 9110, 5.6.2: the characters of a token, without the upper-case letters, which HTTP/2 does not allow. */
static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool is_name(const char *name)
{
    for (const char *c = name; *c != 0; c++) {
        if (!is_name_byte(*c)) {
            return false;
        }
    }
    return name[0] != 0;
}

/* No control characters; no white space at its ends (RFC 9113, 8.2.1). */
static bool is_value(const char *value)
{
    size_t len = strlen(value);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)value[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return len == 0 || (strchr(" \t", value[0]) == NULL && strchr(" \t", value[len - 1]) == NULL);
}

/* Headers that gRPC sets, or that HTTP/2 forbids. */
static bool is_ours(const char *name)
{
    static const char *const names[] = {
        "te",         "content-type",     "content-length",    "user-agent", "host",
        "connection", "proxy-connection", "transfer-encoding", "upgrade",    "keep-alive",
    };
    for (size_t i = 0; i < SLIM_COUNT(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return strncmp(name, "grpc-", 5) == 0;
}

static char *copy_lower(const char *text)
{
    char *copy = strdup(text);
    for (char *c = copy; c != NULL && *c != 0; c++) {
        if (*c >= 'A' && *c <= 'Z') {
            *c = (char)(*c - 'A' + 'a');
        }
    }
    return copy;
}

/* `name` is taken over. */
static enum slim_status add(struct slim_datapath_headers *headers, char *name, const char *value,
                            struct slim_error *error)
{
    enum slim_status status = SLIM_OK;
    if (!is_name(name)) {
        status = slim_error_set(error, SLIM_ERR_CONFIG, "invalid HTTP header name");
    } else if (is_ours(name)) {
        status =
            slim_error_set(error, SLIM_ERR_CONFIG,
                           "the header %.40s cannot be configured: gRPC or HTTP/2 sets it", name);
    } else if (!is_value(value)) {
        status =
            slim_error_set(error, SLIM_ERR_CONFIG, "invalid value of the HTTP header %.40s", name);
    }
    char *copy = status == SLIM_OK ? strdup(value) : NULL;
    if (status == SLIM_OK && copy == NULL) {
        status = slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
    }
    if (status != SLIM_OK) {
        free(name);
        return status;
    }
    headers->items[headers->count++] =
        (struct slim_grpc_header){slim_view_str(name), slim_view_str(copy)};
    return SLIM_OK;
}

enum slim_status slim_datapath_headers_init(struct slim_datapath_headers *headers,
                                            const struct slim_config_pairs *pairs, bool has_auth,
                                            struct slim_error *error)
{
    struct slim_datapath_headers made = {
        .items = calloc(pairs->count + 1, sizeof(struct slim_grpc_header))};
    if (made.items == NULL) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
    }
    enum slim_status status = SLIM_OK;
    for (size_t i = 0; status == SLIM_OK && i < pairs->count; i++) {
        char *name = copy_lower(pairs->items[i].key);
        if (name == NULL) {
            status = slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
        } else if (has_auth && strcmp(name, "authorization") == 0) {
            free(name);
        } else {
            status = add(&made, name, pairs->items[i].value, error);
        }
    }
    if (status != SLIM_OK) {
        slim_datapath_headers_fini(&made);
        return status;
    }
    *headers = made;
    return SLIM_OK;
}

void slim_datapath_headers_fini(struct slim_datapath_headers *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        free((void *)(uintptr_t)headers->items[i].name.data); /* ours, through a view */
        free((void *)(uintptr_t)headers->items[i].value.data);
    }
    free(headers->items);
    *headers = (struct slim_datapath_headers){0};
}

uint64_t slim_datapath_rate_wait_ms(struct slim_datapath_rate *rate, uint64_t now_ms)
{
    if (rate->count == 0) {
        return 0;
    }
    bool is_over = rate->used_count == 0 || now_ms - rate->period_start_ms >= rate->period_ms;
    if (is_over) {
        rate->period_start_ms = now_ms;
        rate->used_count = 0;
    }
    if (rate->used_count == rate->count) {
        return rate->period_start_ms + rate->period_ms - now_ms;
    }
    rate->used_count++;
    return 0;
}
