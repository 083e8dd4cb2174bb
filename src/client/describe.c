#include "client/describe.h"

#include <string.h>

#include "base/buf.h"
#include "base/random.h"
#include "client/limits.h"

/* ---- texts
 *
 * What the caller wrote becomes a part of a whole configuration, which src/config reads: one reader for all of it. */

static bool is_flow(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '{';
}

/* A mapping in block style has a key: "endpoint: ...". No endpoint has a colon in front of white space. */
static bool is_block(const char *text)
{
    for (const char *c = strchr(text, ':'); c != NULL; c = strchr(c + 1, ':')) {
        if (c[1] == ' ' || c[1] == '\n' || c[1] == '\r' || c[1] == '\t') {
            return true;
        }
    }
    return false;
}

/* The lines of a mapping in block style, the first behind `first`, the others below it. */
static enum slim_status put_block(struct slim_buf *out, const char *first, const char *below,
                                  const char *text)
{
    const char *lead = first;
    for (const char *line = text; *line != 0;) {
        size_t len = strcspn(line, "\n");
        SLIM_TRY(slim_buf_put(out, slim_view_str(lead)));
        SLIM_TRY(slim_buf_put(out, slim_view_of(line, len)));
        SLIM_TRY(slim_buf_put_byte(out, '\n'));
        line += len + (line[len] == '\n' ? 1 : 0);
        lead = below;
    }
    return SLIM_OK;
}

/* An endpoint in double quotes; what YAML would understand as an escape is escaped. */
static enum slim_status put_endpoint(struct slim_buf *out, const char *endpoint)
{
    SLIM_TRY(slim_buf_put(out, SLIM_VIEW("{endpoint: \"")));
    for (const char *c = endpoint; *c != 0; c++) {
        if (*c == '"' || *c == '\\') {
            SLIM_TRY(slim_buf_put_byte(out, '\\'));
        }
        SLIM_TRY(slim_buf_put_byte(out, (uint8_t)*c));
    }
    bool has_tls = strncmp(endpoint, "https://", 8) == 0;
    return slim_buf_put_text(out, "\", tls: {insecure: %s}}", has_tls ? "false" : "true");
}

static enum slim_status put_entry(struct slim_buf *out, const char *list, const char *text)
{
    SLIM_TRY(slim_buf_put_text(out, "services:\n  slim/0:\n    dataplane:\n      %s:\n", list));
    if (is_flow(text)) {
        return slim_buf_put_text(out, "      - %s\n", text);
    }
    if (is_block(text)) {
        return put_block(out, "      - ", "        ", text);
    }
    SLIM_TRY(slim_buf_put(out, SLIM_VIEW("      - ")));
    SLIM_TRY(put_endpoint(out, text));
    return slim_buf_put_byte(out, '\n');
}

/* The last cause is the sentence with place and key; those before it are the reference's. */
static enum slim_status fail(const struct slim_config_error *causes, struct slim_error *error)
{
    struct slim_buf text = {0};
    enum slim_status status = SLIM_OK;
    for (size_t i = 0; i < causes->cause_count && status == SLIM_OK; i++) {
        const char *lead = i == 0 ? "" : i == 1 ? "\nCaused by:\n  -> " : "\n  -> ";
        status = slim_buf_put_text(&text, "%s%s", lead, causes->cause[i]);
    }
    status = slim_error_set(error, SLIM_ERR_CONFIG, "%.*s", (int)text.len,
                            text.data == NULL ? "" : (const char *)text.data);
    slim_buf_fini(&text);
    return status;
}

static enum slim_status parse(struct slim_buf *text, const char *path, struct slim_config **config,
                              struct slim_error *error)
{
    struct slim_config_error causes = {0};
    enum slim_status status = slim_config_parse(slim_buf_view(text), path, config, &causes);
    if (status != SLIM_OK) {
        slim_config_free(*config);
        *config = NULL;
        return status == SLIM_ERR_CONFIG
                   ? fail(&causes, error)
                   : slim_error_set(error, status, "%s", slim_status_text(status));
    }
    return SLIM_OK;
}

static enum slim_status read_entry(const char *list, const char *text, const char *path,
                                   struct slim_config **config, struct slim_error *error)
{
    struct slim_buf whole = {0};
    *config = NULL;
    if (text == NULL || text[0] == 0) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "datapath error\nCaused by:\n  -> configuration error\n  -> missing "
                              "grpc endpoint");
    }
    if (strnlen(text, SLIM_CLIENT_CONFIG_BYTES_MAX) == SLIM_CLIENT_CONFIG_BYTES_MAX) {
        return slim_error_set(error, SLIM_ERR_LIMIT, "the configuration is longer than %d bytes",
                              SLIM_CLIENT_CONFIG_BYTES_MAX);
    }
    enum slim_status status = put_entry(&whole, list, text);
    status = status == SLIM_OK ? parse(&whole, path, config, error)
                               : slim_error_set(error, status, "%s", slim_status_text(status));
    slim_buf_wipe(&whole); /* passwords and keys may be in it */
    return status;
}

/* ---- what is asked for */

/* A UUID of version 4. */
static void random_link_id(char out[static 37])
{
    uint8_t bytes[16];
    slim_random_fill(bytes, sizeof(bytes));
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    size_t at = 0;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        static const char digits[] = "0123456789abcdef";
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            out[at++] = '-';
        }
        out[at++] = digits[bytes[i] >> 4];
        out[at++] = digits[bytes[i] & 0x0f];
    }
    out[at] = 0;
}

enum slim_status slim_client_read_client(const char *text, bool announces_link,
                                         struct slim_config **config, struct slim_error *error)
{
    SLIM_TRY(read_entry("clients", text, "client", config, error));
    struct slim_config_client *client = &(*config)->services[0].clients[0];
    if (announces_link && client->link_id == NULL) {
        char id[37];
        random_link_id(id);
        client->link_id = strdup(id);
        if (client->link_id == NULL) {
            slim_config_free(*config);
            *config = NULL;
            return slim_error_set(error, SLIM_ERR_NO_MEMORY, "out of memory");
        }
    }
    return SLIM_OK;
}

enum slim_status slim_client_read_server(const char *text, struct slim_config **config,
                                         struct slim_error *error)
{
    return read_entry("servers", text, "server", config, error);
}

static enum slim_status put_identity(struct slim_buf *out, const char *key, const char *text)
{
    if (is_flow(text)) {
        return slim_buf_put_text(out, "      %s: %s\n", key, text);
    }
    SLIM_TRY(slim_buf_put_text(out, "      %s:\n", key));
    return put_block(out, "        ", "        ", text);
}

enum slim_status slim_client_read_identity(const char *provider, const char *verifier,
                                           struct slim_config **config, struct slim_error *error)
{
    struct slim_buf whole = {0};
    *config = NULL;
    enum slim_status status = slim_buf_put(
        &whole, SLIM_VIEW("services:\n  slim/0:\n    dataplane: {servers: [{endpoint: "
                          "\"127.0.0.1:1\", tls: {insecure: true}}]}\n    controller:\n"));
    if (status == SLIM_OK) {
        status = put_identity(&whole, "token_provider", provider);
    }
    if (status == SLIM_OK) {
        status = put_identity(&whole, "token_verifier", verifier);
    }
    status = status == SLIM_OK ? parse(&whole, "identity", config, error)
                               : slim_error_set(error, status, "%s", slim_status_text(status));
    slim_buf_wipe(&whole); /* secrets are in it */
    return status;
}
