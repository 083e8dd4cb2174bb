/* A whole document as JSON, for those who hand parts of it on. */
#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "config/read.h"

/* JSON has no .inf and .nan, and no numbers that do not fit: those are their texts. */
static enum slim_status put_float(const struct slim_config_yaml_node *node, struct slim_buf *out)
{
    char *end;
    double number = strtod((const char *)node->text.data, &end);
    bool is_whole = end == (const char *)node->text.data + node->text.len;
    return is_whole && isfinite(number) ? slim_buf_put_text(out, "%.17g", number)
                                        : slim_json_put_text(node->text, out);
}

static enum slim_status put_node(const struct slim_config_yaml_node *node, struct slim_buf *out);

static enum slim_status put_items(const struct slim_config_yaml_node *node, struct slim_buf *out)
{
    bool is_map = node->kind == SLIM_CONFIG_YAML_MAP;
    SLIM_TRY(slim_buf_put_byte(out, is_map ? '{' : '['));
    for (size_t i = 0; i < node->count; i++) {
        const struct slim_config_yaml_item *item = &node->items[i];
        if (i > 0) {
            SLIM_TRY(slim_buf_put_byte(out, ','));
        }
        if (is_map) {
            SLIM_TRY(slim_json_put_text(item->key->text, out));
            SLIM_TRY(slim_buf_put_byte(out, ':'));
        }
        SLIM_TRY(put_node(item->value, out));
    }
    return slim_buf_put_byte(out, is_map ? '}' : ']');
}

/* As deep as the document: bounded by SLIM_CONFIG_DEPTH_MAX. */
static enum slim_status put_node(const struct slim_config_yaml_node *node, struct slim_buf *out)
{
    switch (node->kind) {
    case SLIM_CONFIG_YAML_NULL:
        return slim_buf_put(out, SLIM_VIEW("null"));
    case SLIM_CONFIG_YAML_BOOL:
        return slim_buf_put_text(out, "%s", node->boolean ? "true" : "false");
    case SLIM_CONFIG_YAML_INTEGER:
        return slim_buf_put_text(out, "%s%lu", node->is_negative && node->integer > 0 ? "-" : "",
                                 node->integer);
    case SLIM_CONFIG_YAML_FLOAT:
        return put_float(node, out);
    case SLIM_CONFIG_YAML_STRING:
        return slim_json_put_text(node->text, out);
    case SLIM_CONFIG_YAML_LIST:
    case SLIM_CONFIG_YAML_MAP:
        return put_items(node, out);
    }
    return SLIM_ERR_INVALID;
}

enum slim_status slim_config_put_document(const struct slim_config_yaml_node *root,
                                          struct slim_buf *out)
{
    return put_node(root, out);
}
