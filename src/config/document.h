/* A YAML document as a tree of typed nodes. Private to src/config.
 *
 * The types are those of serde_yaml (YAML 1.2 core): "yes" and "010" are strings, 0x10 is a number. Aliases point at the
 * node of their anchor; a document that would be larger than SLIM_CONFIG_NODE_COUNT_MAX when written out is refused, so
 * that every walk over the tree is bounded. */
#ifndef SLIM_CONFIG_DOCUMENT_H
#define SLIM_CONFIG_DOCUMENT_H

#include "base/status.h"
#include "base/view.h"

enum slim_config_yaml_kind {
    SLIM_CONFIG_YAML_NULL,
    SLIM_CONFIG_YAML_BOOL,
    SLIM_CONFIG_YAML_INTEGER,
    SLIM_CONFIG_YAML_FLOAT,
    SLIM_CONFIG_YAML_STRING,
    SLIM_CONFIG_YAML_LIST,
    SLIM_CONFIG_YAML_MAP,
};

/* text           scalars: as written, followed by a zero; may contain no zero itself
 * is_negative, integer   INTEGER: sign and amount; an amount beyond 64 bits is a FLOAT
 * boolean        BOOL
 * items, count   LIST (keys are NULL) and MAP, in file order
 * line, column   where it starts, from 1
 * is_walked      scratch for the one walk that must see shared nodes once
 * is_secret      the text came from outside the file (${env:..}, ${file:..}): not shown in messages
 * is_broken      its ${..} could not be resolved: reported already
 * height         lists and maps inside each other from here on; 0 for scalars
 * expanded       nodes below and including this one, aliases written out */
struct slim_config_yaml_node {
    enum slim_config_yaml_kind kind;
    bool boolean;
    bool is_negative;
    bool is_walked;
    bool is_secret;
    bool is_broken;
    uint32_t line;
    uint32_t column;
    uint64_t integer;
    struct slim_view text;
    struct slim_config_yaml_item *items;
    size_t count;
    size_t height;
    size_t expanded;
};

struct slim_config_yaml_item {
    struct slim_config_yaml_node *key; /* always a scalar */
    struct slim_config_yaml_node *value;
};

struct slim_config_yaml;

/* Parse `text` (UTF-8). SLIM_OK: *yaml is the caller's, free it with slim_config_yaml_free. Else *error has a sentence in
 * the words of serde_yaml, with line and column: SLIM_ERR_CONFIG (syntax, duplicate key, unknown alias, several documents, tags),
 * SLIM_ERR_LIMIT, SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_config_yaml_parse(struct slim_view text,
                                                        struct slim_config_yaml **yaml,
                                                        struct slim_error *error);

/* NULL is allowed. */
void slim_config_yaml_free(struct slim_config_yaml *yaml);

/* The root; an empty document is a NULL node. */
struct slim_config_yaml_node *slim_config_yaml_root(struct slim_config_yaml *yaml);

/* A copy of `text`, with a zero behind it, that lives as long as *yaml. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status
slim_config_yaml_keep(struct slim_config_yaml *yaml, struct slim_view text, struct slim_view *kept);

/* The value of `key` in a MAP, or NULL. */
struct slim_config_yaml_node *slim_config_yaml_find(const struct slim_config_yaml_node *map,
                                                    const char *key);

#endif
