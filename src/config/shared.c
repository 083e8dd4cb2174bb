/* Parts that servers, clients and controllers have in common. */
#include "config/read.h"

void slim_config_read_tls_source(struct slim_config_reader *reader,
                                 const struct slim_config_yaml_node *node, void *target)
{
    static const char *const types[] = {"none", "pem", "file", "spire", NULL};
    (void)target;
    const char *type = slim_config_read_tag(reader, node, "TlsSource",
                                            "one of `pem`, `file`, `spire`, `none`", types);
    if (type != NULL && strcmp(type, "none") != 0) {
        slim_config_put_unsupported(reader, node, "TLS certificates (source of type `%s`)", type);
    }
}

/* {secs: u64, nanos: u32}; the reference has no use for it either. */
void slim_config_read_tls_reload(struct slim_config_reader *reader,
                                 const struct slim_config_yaml_node *node, void *target)
{
    static const struct slim_config_key keys[] = {
        {"secs", SLIM_CONFIG_TYPE_U64, SLIM_CONFIG_NO_FIELD, false, NULL},
        {"nanos", SLIM_CONFIG_TYPE_U32, SLIM_CONFIG_NO_FIELD, false, NULL},
    };
    slim_config_read_map(reader, node, "struct Duration", keys, SLIM_COUNT(keys), target);
}

static void check_metadata_value(struct slim_config_reader *reader,
                                 const struct slim_config_yaml_node *node)
{
    switch (node->kind) {
    case SLIM_CONFIG_YAML_INTEGER:
    case SLIM_CONFIG_YAML_FLOAT:
    case SLIM_CONFIG_YAML_STRING:
        return;
    case SLIM_CONFIG_YAML_NULL:
    case SLIM_CONFIG_YAML_BOOL:
        slim_config_put_problem(
            reader, reader->stage, node,
            (const char *const[]){"yaml parse error",
                                  "data did not match any variant of untagged enum MetadataValue",
                                  NULL},
            "a metadata value is a text, a number, a list or a map; put true, false and null "
            "between quotes");
        return;
    case SLIM_CONFIG_YAML_LIST:
    case SLIM_CONFIG_YAML_MAP:
        for (size_t i = 0; i < node->count; i++) {
            check_metadata_value(reader,
                                 node->items[i].value); /* as deep as the document: bounded */
        }
        return;
    }
}

/* Checked only: the data plane has no use for it, and the controller that has is not supported yet. */
void slim_config_read_metadata(struct slim_config_reader *reader,
                               const struct slim_config_yaml_node *node, void *target)
{
    (void)target;
    if (node->kind != SLIM_CONFIG_YAML_MAP) {
        slim_config_put_type_problem(reader, node, "a map", "write key: value pairs");
        return;
    }
    check_metadata_value(reader, node);
}

void slim_config_read_token(struct slim_config_reader *reader,
                            const struct slim_config_yaml_node *node, void *target)
{
    static const char *const types[] = {"none",          "jwt",   "static_jwt",
                                        "shared_secret", "spire", NULL};
    (void)target;
    const char *type =
        slim_config_read_tag(reader, node, "TokenConfig",
                             "one of `none`, `jwt`, `static_jwt`, `shared_secret`, `spire`", types);
    if (type != NULL && strcmp(type, "none") != 0) {
        slim_config_put_unsupported(reader, node, "tokens of type `%s`", type);
    }
}

void slim_config_read_transport(struct slim_config_reader *reader,
                                const struct slim_config_yaml_node *node, void *target)
{
    (void)target;
    if (node->kind != SLIM_CONFIG_YAML_STRING) {
        slim_config_put_type_problem(reader, node, "string", "write grpc");
        return;
    }
    if (slim_view_is_equal(node->text, SLIM_VIEW("websocket"))) {
        slim_config_put_unsupported(reader, node, "the transport `websocket`");
    } else if (!slim_view_is_equal(node->text, SLIM_VIEW("grpc")) && !node->is_broken) {
        slim_config_put_problem(
            reader, reader->stage, node,
            (const char *const[]){"yaml parse error",
                                  "unknown variant, expected `grpc` or `websocket`", NULL},
            "write grpc");
    }
}
