#include "config/document.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <yaml.h>

#include "base/secret.h"
#include "config/limits.h"

enum {
    ARENA_CHUNK_BYTES = 16 * 1024,
    ANCHOR_NAME_BYTES_MAX = 64,
};

struct chunk {
    struct chunk *next;
    size_t used;
    size_t size;
    _Alignas(max_align_t) uint8_t data[];
};

struct slim_config_yaml {
    struct chunk *chunks; /* the first one has room */
    struct slim_config_yaml_node *root;
};

/* A list or map whose end has not come yet. */
struct frame {
    struct slim_config_yaml_node *node;
    struct slim_config_yaml_node *key; /* MAP: the key whose value comes next, or NULL */
    size_t first_item;                 /* its items are pending_items[first_item ..] */
};

struct anchor {
    char name[ANCHOR_NAME_BYTES_MAX];
    struct slim_config_yaml_node *node;
};

struct parse {
    struct slim_config_yaml *yaml;
    struct slim_error *error;
    struct frame frames[SLIM_CONFIG_DEPTH_MAX];
    size_t depth;
    struct slim_config_yaml_item *pending_items;
    size_t pending_count;
    size_t pending_capacity;
    struct anchor anchors[SLIM_CONFIG_ANCHOR_COUNT_MAX];
    size_t anchor_count;
    size_t document_count;
    bool is_ended;
};

/* ---------------------------------------------------------------------------------------------------- memory */

static void *take(struct slim_config_yaml *yaml, size_t size)
{
    size_t need =
        (size + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) * _Alignof(max_align_t);
    struct chunk *chunk = yaml->chunks;
    if (chunk == NULL || chunk->size - chunk->used < need) {
        size_t room = need > ARENA_CHUNK_BYTES ? need : ARENA_CHUNK_BYTES;
        chunk = malloc(sizeof(*chunk) + room);
        if (chunk == NULL) {
            return NULL;
        }
        chunk->next = yaml->chunks;
        chunk->used = 0;
        chunk->size = room;
        yaml->chunks = chunk;
    }
    void *object = chunk->data + chunk->used;
    chunk->used += need;
    return object;
}

enum slim_status slim_config_yaml_keep(struct slim_config_yaml *yaml, struct slim_view text,
                                       struct slim_view *kept)
{
    uint8_t *copy = take(yaml, text.len + 1);
    if (copy == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    if (text.len > 0) {
        memcpy(copy, text.data, text.len);
    }
    copy[text.len] = 0;
    *kept = slim_view_of(copy, text.len);
    return SLIM_OK;
}

void slim_config_yaml_free(struct slim_config_yaml *yaml)
{
    if (yaml == NULL) {
        return;
    }
    while (yaml->chunks != NULL) {
        struct chunk *chunk = yaml->chunks;
        yaml->chunks = chunk->next;
        slim_secret_wipe(chunk->data, chunk->used); /* passwords are texts like any other */
        free(chunk);
    }
    free(yaml);
}

static enum slim_status no_memory(struct parse *parse)
{
    (void)slim_error_set(parse->error, SLIM_ERR_NO_MEMORY,
                         "out of memory"); /* returns what we return */
    return SLIM_ERR_NO_MEMORY;
}

/* ---------------------------------------------------------------------------------------------------- scalars */

static bool is_one_of(struct slim_view text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slim_view_is_equal(text, slim_view_str(words[i]))) {
            return true;
        }
    }
    return false;
}

static bool digit_value(uint8_t c, unsigned *value)
{
    if (c >= '0' && c <= '9') {
        *value = (unsigned)(c - '0');
    } else if (c >= 'a' && c <= 'f') {
        *value = (unsigned)(c - 'a') + 10;
    } else if (c >= 'A' && c <= 'F') {
        *value = (unsigned)(c - 'A') + 10;
    } else {
        return false;
    }
    return true;
}

/* All of `digits` as a number of this base; false when it is none or does not fit. */
static bool is_digits(struct slim_view digits, unsigned base, uint64_t *number)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < digits.len; i++) {
        unsigned value;
        if (!digit_value(digits.data[i], &value) || value >= base ||
            __builtin_mul_overflow(sum, (uint64_t)base, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)value, &sum)) {
            return false;
        }
    }
    *number = sum;
    return digits.len > 0;
}

static bool is_integer(struct slim_view text, bool *is_negative, uint64_t *number)
{
    *is_negative = text.len > 0 && text.data[0] == '-';
    if (text.len > 0 && (text.data[0] == '-' || text.data[0] == '+')) {
        text = slim_view_skip(text, 1);
    }
    if (text.len > 2 && text.data[0] == '0') {
        switch (text.data[1]) {
        case 'x':
            return is_digits(slim_view_skip(text, 2), 16, number);
        case 'o':
            return is_digits(slim_view_skip(text, 2), 8, number);
        case 'b':
            return is_digits(slim_view_skip(text, 2), 2, number);
        default:
            return false; /* leading zeros make a string */
        }
    }
    return !(text.len == 2 && text.data[0] == '0') && is_digits(text, 10, number);
}

static bool is_float(struct slim_view text)
{
    static const char *const names[] = {".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf", "+.INF",
                                        "-.inf", "-.Inf", "-.INF", ".nan",  ".NaN",  ".NAN"};
    if (is_one_of(text, names, SLIM_COUNT(names))) {
        return true;
    }
    size_t at = text.len > 0 && (text.data[0] == '-' || text.data[0] == '+') ? 1 : 0;
    bool is_all_digits = true;
    bool has_digit = false;
    for (size_t i = at; i < text.len; i++) {
        bool is_digit = text.data[i] >= '0' && text.data[i] <= '9';
        if (!is_digit && memchr(".eE+-", text.data[i], 5) == NULL) {
            return false;
        }
        has_digit = has_digit || is_digit;
        is_all_digits = is_all_digits && is_digit;
    }
    if (!has_digit || (is_all_digits && text.len - at > 1 && text.data[at] == '0')) {
        return false;
    }
    char *end;
    (void)strtod((const char *)text.data,
                 &end); /* only where the number ends matters; a zero follows the text */
    return end == (const char *)text.data + text.len;
}

static void resolve_plain(struct slim_config_yaml_node *node)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    static const char *const trues[] = {"true", "True", "TRUE"};
    static const char *const falses[] = {"false", "False", "FALSE"};
    struct slim_view text = node->text;
    if (is_one_of(text, nulls, SLIM_COUNT(nulls))) {
        node->kind = SLIM_CONFIG_YAML_NULL;
    } else if (is_one_of(text, trues, SLIM_COUNT(trues))) {
        node->kind = SLIM_CONFIG_YAML_BOOL;
        node->boolean = true;
    } else if (is_one_of(text, falses, SLIM_COUNT(falses))) {
        node->kind = SLIM_CONFIG_YAML_BOOL;
    } else if (is_integer(text, &node->is_negative, &node->integer)) {
        node->kind = SLIM_CONFIG_YAML_INTEGER;
    } else if (is_float(text)) {
        node->kind = SLIM_CONFIG_YAML_FLOAT;
    }
}

/* ---------------------------------------------------------------------------------------------------- the tree */

static enum slim_status make_node(struct parse *parse, enum slim_config_yaml_kind kind,
                                  yaml_mark_t mark, struct slim_config_yaml_node **node)
{
    struct slim_config_yaml_node *made = take(parse->yaml, sizeof(*made));
    if (made == NULL) {
        return no_memory(parse);
    }
    *made = (struct slim_config_yaml_node){
        .kind = kind,
        .line = (uint32_t)mark.line + 1,
        .column = (uint32_t)mark.column + 1,
        .height = kind == SLIM_CONFIG_YAML_LIST || kind == SLIM_CONFIG_YAML_MAP ? 1 : 0,
        .expanded = 1};
    *node = made;
    return SLIM_OK;
}

static enum slim_status put_anchor(struct parse *parse, const yaml_char_t *name,
                                   struct slim_config_yaml_node *node)
{
    if (name == NULL) {
        return SLIM_OK;
    }
    size_t len = strlen((const char *)name);
    size_t i = 0;
    while (i < parse->anchor_count && strcmp(parse->anchors[i].name, (const char *)name) != 0) {
        i++;
    }
    if (len >= ANCHOR_NAME_BYTES_MAX || i == SLIM_CONFIG_ANCHOR_COUNT_MAX) {
        return slim_error_set(
            parse->error, SLIM_ERR_LIMIT,
            "too many anchors, or one with a name of more than %d bytes, at line %u column %u",
            ANCHOR_NAME_BYTES_MAX - 1, node->line, node->column);
    }
    memcpy(parse->anchors[i].name, name, len + 1);
    parse->anchors[i].node = node;
    parse->anchor_count = i == parse->anchor_count ? i + 1 : parse->anchor_count;
    return SLIM_OK;
}

/* "services.slim/0." for the frames below `depth`, as serde_yaml puts it in front of a message. */
static void format_path(const struct parse *parse, size_t depth, char *out, size_t size)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < depth && len + 1 < size; i++) {
        const struct frame *frame = &parse->frames[i];
        int put;
        if (frame->node->kind == SLIM_CONFIG_YAML_LIST) {
            put = snprintf(out + len, size - len, "[%zu]",
                           parse->frames[i + 1].first_item - frame->first_item);
        } else {
            put = snprintf(out + len, size - len, "%s%s", len > 0 ? "." : "",
                           frame->key == NULL ? "?" : (const char *)frame->key->text.data);
        }
        len += put > 0 ? (size_t)put : 0;
    }
    if (len > 0 && len + 3 < size) {
        memcpy(out + len, ": ", 3);
    }
}

static enum slim_status check_key(struct parse *parse, const struct frame *frame,
                                  const struct slim_config_yaml_node *key)
{
    if (key->kind == SLIM_CONFIG_YAML_LIST || key->kind == SLIM_CONFIG_YAML_MAP) {
        return slim_error_set(
            parse->error, SLIM_ERR_CONFIG,
            "a key must be a single word or text, not a list or map, at line %u column %u",
            key->line, key->column);
    }
    for (size_t i = frame->first_item; i < parse->pending_count; i++) {
        if (slim_view_is_equal(parse->pending_items[i].key->text, key->text)) {
            char path[SLIM_CONFIG_PATH_BYTES_MAX];
            format_path(parse, parse->depth - 1, path, sizeof(path));
            return slim_error_set(parse->error, SLIM_ERR_CONFIG,
                                  "%sduplicate entry with key \"%.100s\" at line %u column %u",
                                  path, (const char *)key->text.data, frame->node->line,
                                  frame->node->column);
        }
    }
    return SLIM_OK;
}

static enum slim_status put_item(struct parse *parse, struct slim_config_yaml_item item)
{
    if (parse->pending_count == parse->pending_capacity) {
        size_t capacity = parse->pending_capacity == 0 ? 64 : parse->pending_capacity * 2;
        struct slim_config_yaml_item *items =
            realloc(parse->pending_items, capacity * sizeof(*items));
        if (items == NULL) {
            return no_memory(parse);
        }
        parse->pending_items = items;
        parse->pending_capacity = capacity;
    }
    parse->pending_items[parse->pending_count++] = item;
    return SLIM_OK;
}

static enum slim_status too_deep(struct parse *parse, yaml_mark_t mark)
{
    return slim_error_set(
        parse->error, SLIM_ERR_LIMIT,
        "recursion limit exceeded at line %zu column %zu: more than %d lists and maps inside each "
        "other",
        mark.line + 1, mark.column + 1, SLIM_CONFIG_DEPTH_MAX);
}

/* A finished node, or an alias of one, becomes the root, a key, a value or an element. */
static enum slim_status place(struct parse *parse, struct slim_config_yaml_node *node,
                              yaml_mark_t mark)
{
    if (parse->depth == 0) {
        parse->yaml->root = node;
        return SLIM_OK;
    }
    struct frame *frame = &parse->frames[parse->depth - 1];
    frame->node->expanded += node->expanded;
    frame->node->height =
        node->height < frame->node->height ? frame->node->height : node->height + 1;
    if (parse->depth + node->height > SLIM_CONFIG_DEPTH_MAX) {
        return too_deep(parse, mark);
    }
    if (frame->node->expanded > SLIM_CONFIG_NODE_COUNT_MAX) {
        return slim_error_set(
            parse->error, SLIM_ERR_LIMIT,
            "repetition limit exceeded at line %zu column %zu: more than %d values", mark.line + 1,
            mark.column + 1, SLIM_CONFIG_NODE_COUNT_MAX);
    }
    if (frame->node->kind == SLIM_CONFIG_YAML_LIST) {
        return put_item(parse, (struct slim_config_yaml_item){NULL, node});
    }
    if (frame->key == NULL) {
        SLIM_TRY(check_key(parse, frame, node));
        frame->key = node;
        return SLIM_OK;
    }
    struct slim_config_yaml_item item = {frame->key, node};
    frame->key = NULL;
    return put_item(parse, item);
}

static bool is_text_tag(const yaml_char_t *tag)
{
    return strcmp((const char *)tag, "!") == 0 || strcmp((const char *)tag, YAML_STR_TAG) == 0;
}

static enum slim_status refuse_tag(struct parse *parse, const yaml_char_t *tag, yaml_mark_t mark)
{
    return slim_error_set(parse->error, SLIM_ERR_CONFIG,
                          "the tag %.100s is not supported at line %zu column %zu",
                          (const char *)tag, mark.line + 1, mark.column + 1);
}

static enum slim_status on_scalar(struct parse *parse, const yaml_event_t *event)
{
    const yaml_char_t *tag = event->data.scalar.tag;
    struct slim_view text = slim_view_of(event->data.scalar.value, event->data.scalar.length);
    if (tag != NULL && !is_text_tag(tag)) {
        return refuse_tag(parse, tag, event->start_mark);
    }
    if (memchr(text.data, 0, text.len) != NULL) {
        return slim_error_set(parse->error, SLIM_ERR_CONFIG,
                              "text with a zero byte at line %zu column %zu",
                              event->start_mark.line + 1, event->start_mark.column + 1);
    }
    struct slim_config_yaml_node *node;
    SLIM_TRY(make_node(parse, SLIM_CONFIG_YAML_STRING, event->start_mark, &node));
    if (slim_config_yaml_keep(parse->yaml, text, &node->text) != SLIM_OK) {
        return no_memory(parse);
    }
    if (tag == NULL && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        resolve_plain(node);
    }
    SLIM_TRY(put_anchor(parse, event->data.scalar.anchor, node));
    return place(parse, node, event->start_mark);
}

/* True when the node is a list or map whose end has not come yet. */
static bool is_open(const struct parse *parse, const struct slim_config_yaml_node *node)
{
    for (size_t i = 0; i < parse->depth; i++) {
        if (parse->frames[i].node == node) {
            return true;
        }
    }
    return false;
}

static enum slim_status on_alias(struct parse *parse, const yaml_event_t *event)
{
    for (size_t i = 0; i < parse->anchor_count; i++) {
        struct slim_config_yaml_node *node = parse->anchors[i].node;
        if (strcmp(parse->anchors[i].name, (const char *)event->data.alias.anchor) != 0) {
            continue;
        }
        if (is_open(parse, node)) {
            return slim_error_set(parse->error, SLIM_ERR_LIMIT,
                                  "repetition limit exceeded at line %zu column %zu: the alias is "
                                  "inside its own anchor",
                                  event->start_mark.line + 1, event->start_mark.column + 1);
        }
        return place(parse, node, event->start_mark);
    }
    return slim_error_set(parse->error, SLIM_ERR_CONFIG, "unknown anchor at line %zu column %zu",
                          event->start_mark.line + 1, event->start_mark.column + 1);
}

static enum slim_status on_start(struct parse *parse, const yaml_event_t *event,
                                 enum slim_config_yaml_kind kind, const yaml_char_t *tag,
                                 const yaml_char_t *anchor)
{
    if (tag != NULL && strcmp((const char *)tag, YAML_MAP_TAG) != 0 &&
        strcmp((const char *)tag, YAML_SEQ_TAG) != 0) {
        return refuse_tag(parse, tag, event->start_mark);
    }
    if (parse->depth == SLIM_CONFIG_DEPTH_MAX) {
        return too_deep(parse, event->start_mark);
    }
    struct slim_config_yaml_node *node;
    SLIM_TRY(make_node(parse, kind, event->start_mark, &node));
    SLIM_TRY(put_anchor(parse, anchor, node));
    parse->frames[parse->depth++] =
        (struct frame){.node = node, .first_item = parse->pending_count};
    return SLIM_OK;
}

static enum slim_status on_end(struct parse *parse, const yaml_event_t *event)
{
    assert(parse->depth > 0);
    struct frame *frame = &parse->frames[parse->depth - 1];
    struct slim_config_yaml_node *node = frame->node;
    node->count = parse->pending_count - frame->first_item;
    if (node->count > 0) {
        node->items = take(parse->yaml, node->count * sizeof(*node->items));
        if (node->items == NULL) {
            return no_memory(parse);
        }
        memcpy(node->items, parse->pending_items + frame->first_item,
               node->count * sizeof(*node->items));
    }
    parse->pending_count = frame->first_item;
    parse->depth--;
    return place(parse, node, event->end_mark);
}

static enum slim_status on_event(struct parse *parse, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(parse, event);
    case YAML_ALIAS_EVENT:
        return on_alias(parse, event);
    case YAML_SEQUENCE_START_EVENT:
        return on_start(parse, event, SLIM_CONFIG_YAML_LIST, event->data.sequence_start.tag,
                        event->data.sequence_start.anchor);
    case YAML_MAPPING_START_EVENT:
        return on_start(parse, event, SLIM_CONFIG_YAML_MAP, event->data.mapping_start.tag,
                        event->data.mapping_start.anchor);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return on_end(parse, event);
    case YAML_DOCUMENT_START_EVENT:
        parse->document_count++;
        if (parse->document_count > 1) {
            return slim_error_set(
                parse->error, SLIM_ERR_CONFIG,
                "deserializing from YAML containing more than one document is not supported");
        }
        return SLIM_OK;
    case YAML_STREAM_END_EVENT:
        parse->is_ended = true;
        return SLIM_OK;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return SLIM_OK;
    }
    return slim_error_set(parse->error, SLIM_ERR_INTERNAL, "unknown YAML event");
}

/* What libyaml says, in the form of serde_yaml. */
static enum slim_status report_syntax(struct parse *parse, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR) {
        return no_memory(parse);
    }
    char where[64] = "";
    char context[160] = "";
    if (parser->problem_mark.line != 0 || parser->problem_mark.column != 0) {
        (void)snprintf(where, sizeof(where), " at line %zu column %zu",
                       parser->problem_mark.line + 1, parser->problem_mark.column + 1); /* fits */
    } else if (parser->problem_offset != 0) {
        (void)snprintf(where, sizeof(where), " at position %zu", parser->problem_offset); /* fits */
    }
    if (parser->context != NULL) {
        int len = snprintf(context, sizeof(context), ", %.80s", parser->context);
        bool has_place = (parser->context_mark.line != 0 || parser->context_mark.column != 0) &&
                         (parser->context_mark.line != parser->problem_mark.line ||
                          parser->context_mark.column != parser->problem_mark.column);
        if (has_place) {
            (void)snprintf(context + len, sizeof(context) - (size_t)len, " at line %zu column %zu",
                           parser->context_mark.line + 1,
                           parser->context_mark.column + 1); /* fits */
        }
    }
    return slim_error_set(parse->error, SLIM_ERR_CONFIG, "%s%s%s",
                          parser->problem == NULL ? "syntax error" : parser->problem, where,
                          context);
}

static enum slim_status run(struct parse *parse, yaml_parser_t *parser)
{
    while (!parse->is_ended) {
        yaml_event_t event;
        if (yaml_parser_parse(parser, &event) == 0) {
            return report_syntax(parse, parser);
        }
        enum slim_status status = on_event(parse, &event);
        if (event.type == YAML_SCALAR_EVENT) {
            slim_secret_wipe(event.data.scalar.value, event.data.scalar.length);
        }
        yaml_event_delete(&event);
        SLIM_TRY(status);
    }
    if (parse->yaml->root == NULL) {
        return make_node(parse, SLIM_CONFIG_YAML_NULL, (yaml_mark_t){0}, &parse->yaml->root);
    }
    return SLIM_OK;
}

enum slim_status slim_config_yaml_parse(struct slim_view text, struct slim_config_yaml **yaml,
                                        struct slim_error *error)
{
    if (text.len > SLIM_CONFIG_FILE_BYTES_MAX) {
        return slim_error_set(error, SLIM_ERR_LIMIT, "the document is larger than %d bytes",
                              SLIM_CONFIG_FILE_BYTES_MAX);
    }
    enum slim_status status = SLIM_ERR_NO_MEMORY;
    struct slim_config_yaml *made = calloc(1, sizeof(*made));
    struct parse *parse = calloc(1, sizeof(*parse));
    yaml_parser_t parser;
    bool has_parser = made != NULL && parse != NULL && yaml_parser_initialize(&parser) != 0;
    if (!has_parser) {
        (void)slim_error_set(error, status, "out of memory"); /* the status is at hand already */
        goto out;
    }
    parse->yaml = made;
    parse->error = error;
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, text.len > 0 ? text.data : (const uint8_t *)"", text.len);
    status = run(parse, &parser);
out:
    if (has_parser) {
        slim_secret_wipe(parser.buffer.start, (size_t)(parser.buffer.end - parser.buffer.start));
        slim_secret_wipe(parser.raw_buffer.start,
                         (size_t)(parser.raw_buffer.end - parser.raw_buffer.start));
        yaml_parser_delete(&parser);
    }
    if (parse != NULL) {
        free(parse->pending_items);
    }
    free(parse);
    if (status == SLIM_OK) {
        *yaml = made;
    } else {
        slim_config_yaml_free(made);
    }
    return status;
}

struct slim_config_yaml_node *slim_config_yaml_root(struct slim_config_yaml *yaml)
{
    return yaml->root;
}

struct slim_config_yaml_node *slim_config_yaml_find(const struct slim_config_yaml_node *map,
                                                    const char *key)
{
    for (size_t i = 0; i < map->count; i++) {
        if (slim_view_is_equal(map->items[i].key->text, slim_view_str(key))) {
            return map->items[i].value;
        }
    }
    return NULL;
}
