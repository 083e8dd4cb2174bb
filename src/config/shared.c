/* Parts that servers, clients and controllers have in common: lists, headers, free-form values, addresses. */
#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/json.h"
#include "config/read.h"

/* ---------------------------------------------------------------------------------------------------- lists of texts */

void slim_config_read_strings(struct slim_config_reader *reader,
                              const struct slim_config_yaml_node *node,
                              struct slim_config_strings *strings)
{
    static const char hint[] = "write a list of texts, e.g. [\"a\", \"b\"]";
    if (node->kind != SLIM_CONFIG_YAML_LIST) {
        slim_config_put_type_problem(reader, node, "a sequence", hint);
        return;
    }
    if (node->count > SLIM_CONFIG_STRING_COUNT_MAX) {
        char text[80];
        (void)snprintf(text, sizeof(text), "more than %d entries",
                       SLIM_CONFIG_STRING_COUNT_MAX); /* fits */
        slim_config_put_problem(reader, reader->stage, node, (const char *const[]){text, NULL},
                                "use fewer");
        return;
    }
    slim_config_strings_fini(strings);
    if (node->count == 0) {
        return;
    }
    strings->items = calloc(node->count, sizeof(*strings->items));
    if (strings->items == NULL) {
        reader->is_out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct slim_config_yaml_node *item = node->items[i].value;
        if (item->kind != SLIM_CONFIG_YAML_STRING) {
            slim_config_put_type_problem(reader, item, "a string", hint);
        } else if (slim_config_copy_text(reader, item, &strings->items[strings->count])) {
            strings->count++;
        }
    }
}

void slim_config_strings_fini(struct slim_config_strings *strings)
{
    for (size_t i = 0; i < strings->count; i++) {
        slim_config_text_free(strings->items[i]);
    }
    free(strings->items);
    *strings = (struct slim_config_strings){0};
}

/* ---------------------------------------------------------------------------------------------------- headers */

static bool is_token_char(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_header_name(struct slim_view name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!is_token_char(name.data[i])) {
            return false;
        }
    }
    return name.len > 0;
}

static bool is_header_value(struct slim_view value)
{
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.data[i];
        if ((c < 0x20 && c != '\t') || c >= 0x7f) {
            return false;
        }
    }
    return true;
}

/* Names that belong to HTTP/2 or gRPC: a second one would make the call malformed. `name` is in lower case. */
static bool is_taken_name(const char *name)
{
    static const char *const names[] = {"connection", "content-length", "content-type",
                                        "host",       "keep-alive",     "proxy-connection",
                                        "te",         "trailer",        "transfer-encoding",
                                        "upgrade"};
    for (size_t i = 0; i < SLIM_COUNT(names); i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return strncmp(name, "grpc-", 5) == 0;
}

static void lower(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text >= 'A' && *text <= 'Z') {
            *text = (char)(*text - 'A' + 'a');
        }
    }
}

static bool has_name(const struct slim_config_pairs *pairs, const char *name)
{
    for (size_t i = 0; i < pairs->count; i++) {
        assert(pairs->items[i].key != NULL);
        if (strcmp(pairs->items[i].key, name) == 0) {
            return true;
        }
    }
    return false;
}

/* One header that is good in itself; its pair is kept when nothing speaks against it. */
static void put_header(struct slim_config_reader *reader, const struct slim_config_yaml_item *item,
                       struct slim_config_pairs *pairs)
{
    struct slim_config_pair pair = {0};
    bool is_copied = slim_config_copy_text(reader, item->key, &pair.key) &&
                     slim_config_copy_text(reader, item->value, &pair.value);
    if (is_copied) {
        lower(pair.key);
        if (is_taken_name(pair.key)) {
            slim_config_put_warning(reader, item->key,
                                    "HTTP/2 or gRPC sets this header itself; it is not sent");
        } else if (has_name(pairs, pair.key)) {
            slim_config_put_warning(reader, item->key,
                                    "there is this header already, written otherwise; it is not "
                                    "sent twice");
        } else {
            pairs->items[pairs->count++] = pair;
            return;
        }
    }
    slim_config_text_free(pair.key);
    slim_config_text_free(pair.value);
}

static void read_header(struct slim_config_reader *reader, const struct slim_config_yaml_item *item,
                        struct slim_config_pairs *pairs)
{
    struct slim_config_yaml_node hidden = *item->value;
    hidden.is_secret = true; /* a header may carry a token */
    if (item->key->kind != SLIM_CONFIG_YAML_STRING) {
        slim_config_put_type_problem(reader, item->key, "a string", "put the name between quotes");
    } else if (hidden.kind != SLIM_CONFIG_YAML_STRING) {
        slim_config_put_type_problem(reader, &hidden, "a string", "put the value between quotes");
    } else if (!is_header_name(item->key->text)) {
        slim_config_put_start_problem(
            reader, item->key,
            (const char *const[]){"header name parse error", "invalid HTTP header name", NULL},
            "a name has letters, digits and -_ only");
    } else if (!hidden.is_broken && !is_header_value(hidden.text)) {
        slim_config_put_start_problem(
            reader, item->value,
            (const char *const[]){"header value parse error", "failed to parse header value", NULL},
            "a value has printable ASCII characters only; ${file:..} keeps the newline at the end");
    } else {
        put_header(reader, item, pairs);
    }
}

void slim_config_read_headers(struct slim_config_reader *reader,
                              const struct slim_config_yaml_node *node,
                              struct slim_config_pairs *pairs)
{
    if (node->kind != SLIM_CONFIG_YAML_MAP) {
        slim_config_put_type_problem(reader, node, "a map", "write name: value pairs");
        return;
    }
    size_t bytes = 0;
    for (size_t i = 0; i < node->count; i++) {
        bytes +=
            node->items[i].key->text.len + node->items[i].value->text.len; /* of one document */
    }
    if (node->count > SLIM_CONFIG_HEADER_COUNT_MAX || bytes > SLIM_CONFIG_HEADER_BYTES_MAX) {
        char text[80];
        (void)snprintf(text, sizeof(text), "more than %d headers or %d bytes of them",
                       SLIM_CONFIG_HEADER_COUNT_MAX, SLIM_CONFIG_HEADER_BYTES_MAX); /* fits */
        slim_config_put_problem(reader, reader->stage, node, (const char *const[]){text, NULL},
                                "a server takes 16 KiB of headers as a rule");
        return;
    }
    if (node->count == 0) {
        return;
    }
    pairs->items = calloc(node->count, sizeof(*pairs->items));
    if (pairs->items == NULL) {
        reader->is_out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        size_t mark =
            slim_config_path_push(reader, ".%s", (const char *)node->items[i].key->text.data);
        read_header(reader, &node->items[i], pairs);
        slim_config_path_pop(reader, mark);
    }
}

void slim_config_pairs_fini(struct slim_config_pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        slim_config_text_free(pairs->items[i].key);
        slim_config_text_free(pairs->items[i].value);
    }
    free(pairs->items);
    *pairs = (struct slim_config_pairs){0};
}

/* ---------------------------------------------------------------------------------------------------- free-form values */

/* The shortest text that gives the number back, with a sign that it is no integer. */
static enum slim_status put_real(double number, struct slim_buf *out)
{
    enum { DIGITS_MIN = 15, DIGITS_MAX = 17 };
    char text[40];
    for (int digits = DIGITS_MIN; digits <= DIGITS_MAX; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, number); /* fits */
        if (strtod(text, NULL) == number) {
            break;
        }
    }
    const char *end = strpbrk(text, ".e") == NULL ? ".0" : "";
    return slim_buf_put_text(out, "%s%s", text, end);
}

static enum slim_status put_scalar(const struct slim_config_yaml_node *node, struct slim_buf *out)
{
    if (node->kind == SLIM_CONFIG_YAML_STRING) {
        return slim_json_put_text(node->text, out);
    }
    if (node->kind == SLIM_CONFIG_YAML_INTEGER && node->integer <= INT64_MAX) {
        return slim_buf_put_text(out, "%s%lu", node->is_negative && node->integer > 0 ? "-" : "",
                                 node->integer);
    }
    double number = (double)node->integer * (node->is_negative ? -1 : 1);
    if (node->kind == SLIM_CONFIG_YAML_FLOAT) {
        char *end;
        number = strtod((const char *)node->text.data, &end);
        if (end != (const char *)node->text.data + node->text.len) {
            return SLIM_ERR_INVALID; /* .inf and .nan: JSON has no such numbers */
        }
    }
    return isfinite(number) ? put_real(number, out) : SLIM_ERR_INVALID;
}

/* As deep as the document: bounded. SLIM_ERR_INVALID: a value that the reference does not take; SLIM_ERR_LIMIT: too long. */
static enum slim_status put_json(const struct slim_config_yaml_node *node, size_t bytes_max,
                                 const struct slim_config_yaml_node **at, struct slim_buf *out)
{
    *at = node;
    if (out->len > bytes_max) {
        return SLIM_ERR_LIMIT;
    }
    switch (node->kind) {
    case SLIM_CONFIG_YAML_NULL:
    case SLIM_CONFIG_YAML_BOOL:
        return SLIM_ERR_INVALID;
    case SLIM_CONFIG_YAML_INTEGER:
    case SLIM_CONFIG_YAML_FLOAT:
        return put_scalar(node, out);
    case SLIM_CONFIG_YAML_STRING:
        return node->text.len > bytes_max ? SLIM_ERR_LIMIT : put_scalar(node, out);
    case SLIM_CONFIG_YAML_LIST:
    case SLIM_CONFIG_YAML_MAP:
        break;
    }
    bool is_map = node->kind == SLIM_CONFIG_YAML_MAP;
    SLIM_TRY(slim_buf_put_byte(out, is_map ? '{' : '['));
    for (size_t i = 0; i < node->count; i++) {
        const struct slim_config_yaml_item *item = &node->items[i];
        if (i > 0) {
            SLIM_TRY(slim_buf_put_byte(out, ','));
        }
        if (is_map) {
            *at = item->key;
            if (item->key->kind != SLIM_CONFIG_YAML_STRING) {
                return SLIM_ERR_INVALID;
            }
            SLIM_TRY(put_json(item->key, bytes_max, at, out));
            SLIM_TRY(slim_buf_put_byte(out, ':'));
        }
        SLIM_TRY(put_json(item->value, bytes_max, at, out));
    }
    return slim_buf_put_byte(out, is_map ? '}' : ']');
}

void slim_config_read_json(struct slim_config_reader *reader,
                           const struct slim_config_yaml_node *node, size_t bytes_max, char **text)
{
    if (node->kind != SLIM_CONFIG_YAML_MAP) {
        slim_config_put_type_problem(reader, node, "a map", "write key: value pairs");
        return;
    }
    struct slim_buf json = {0};
    const struct slim_config_yaml_node *at = node;
    enum slim_status status = put_json(node, bytes_max, &at, &json);
    if (status == SLIM_OK) {
        status = json.len > bytes_max ? SLIM_ERR_LIMIT : SLIM_OK;
    }
    if (status == SLIM_OK) {
        /* copied like any other text: counted with the others, without the room at the end of the buffer */
        struct slim_config_yaml_node whole = {
            .kind = SLIM_CONFIG_YAML_STRING, .line = node->line, .column = node->column};
        status = slim_buf_put_byte(&json, 0);
        if (status == SLIM_OK) {
            whole.text = slim_view_of(json.data, json.len - 1);
            (void)slim_config_copy_text(reader, &whole, text); /* a problem was put */
        }
    }
    if (status == SLIM_ERR_LIMIT) {
        char limit[80];
        (void)snprintf(limit, sizeof(limit), "more than %zu bytes", bytes_max); /* fits */
        slim_config_put_problem(reader, reader->stage, node, (const char *const[]){limit, NULL},
                                "write less");
    } else if (status == SLIM_ERR_INVALID) {
        slim_config_put_problem(
            reader, reader->stage, at,
            (const char *const[]){"yaml parse error",
                                  "data did not match any variant of untagged enum MetadataValue",
                                  NULL},
            "a value is a text, a number, a list or a map, a key is a text; put true, false and "
            "null between quotes");
    } else if (status != SLIM_OK) {
        reader->is_out_of_memory = true;
    }
    slim_buf_wipe(&json);
}

/* ---------------------------------------------------------------------------------------------------- words */

void slim_config_read_transport(struct slim_config_reader *reader,
                                const struct slim_config_yaml_node *node, void *target)
{
    static const char *const words[] = {"grpc", "websocket", NULL};
    (void)target;
    const char *word = slim_config_read_word(reader, node, "variant identifier", words);
    if (word != NULL && strcmp(word, "websocket") == 0) {
        slim_config_put_unsupported(reader, node, "the transport `websocket`");
    }
}

/* ---------------------------------------------------------------------------------------------------- addresses */

enum {
    TCP_PORT_MAX = 65535,
    PORT_DIGITS_MAX = 5,
};

static bool read_port(struct slim_view text, uint32_t *port)
{
    uint32_t sum = 0;
    while (text.len > PORT_DIGITS_MAX && text.data[0] == '0') {
        text = slim_view_skip(text, 1);
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || i == PORT_DIGITS_MAX) {
            return false;
        }
        sum = sum * 10 + (uint32_t)(text.data[i] - '0');
    }
    *port = sum;
    return text.len > 0 && sum <= TCP_PORT_MAX;
}

bool slim_config_is_socket_address(const char *text)
{
    char address[INET6_ADDRSTRLEN];
    unsigned char binary[sizeof(struct in6_addr)];
    uint32_t port;
    const char *colon = strrchr(text, ':');
    if (colon == NULL || !read_port(slim_view_str(colon + 1), &port)) {
        return false;
    }
    bool is_v6 = text[0] == '[';
    size_t len = (size_t)(colon - text);
    if (is_v6) {
        if (len < 3 || text[len - 1] != ']') {
            return false;
        }
        text++;
        len -= 2;
    }
    if (len >= sizeof(address)) {
        return false;
    }
    memcpy(address, text, len);
    address[len] = '\0';
    return inet_pton(is_v6 ? AF_INET6 : AF_INET, address, binary) == 1;
}

bool slim_config_is_authority(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= 0x20 || text[i] == 0x7f || strchr("\"<>@\\^`{|}", text[i]) != NULL) {
            return false;
        }
    }
    const char *host_end =
        len > 0 && text[0] == '[' ? memchr(text, ']', len) : memchr(text, ':', len);
    if (len > 0 && text[0] == '[' && host_end != NULL) {
        host_end++;
    }
    if (host_end == NULL) {
        return len > 0 && text[0] != '[';
    }
    size_t host_len = (size_t)(host_end - text);
    if (host_len == 0 || host_len == len) {
        return host_len > 0;
    }
    uint32_t port;
    return *host_end == ':' &&
           read_port(slim_view_of((const uint8_t *)host_end + 1, len - host_len - 1), &port) &&
           port > 0;
}
