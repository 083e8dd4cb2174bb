#include "document.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* node_count, text_bytes   what was copied so far, aliases followed */
struct reading {
    yaml_document_t yaml;
    struct uf_arena *arena;
    struct uf_error *error;
    uint32_t node_count;
    size_t text_bytes;
};

static bool fail(struct uf_error *error, const char *why)
{
    return uf_fail(error, UF_PANIC, "Failed to create config loader: %s", why);
}

/* ------------------------------------------------------------------------------------------------ nodes */

static yaml_node_t *node_at(struct reading *reading, int index)
{
    return yaml_document_get_node(&reading->yaml, index);
}

/* The value of a key; NULL: there is none, or `mapping` is NULL or none, or the value is null. */
static yaml_node_t *find(struct reading *reading, const yaml_node_t *mapping, const char *key)
{
    if (mapping == NULL || mapping->type != YAML_MAPPING_NODE) {
        return NULL;
    }
    for (yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
         pair < mapping->data.mapping.pairs.top; pair++) {
        const yaml_node_t *found = node_at(reading, pair->key);
        if (found != NULL && found->type == YAML_SCALAR_NODE &&
            strcmp((const char *)found->data.scalar.value, key) == 0) {
            yaml_node_t *value = node_at(reading, pair->value);
            bool is_null = value != NULL && value->type == YAML_SCALAR_NODE &&
                           value->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
                           (value->data.scalar.length == 0 ||
                            strcmp((const char *)value->data.scalar.value, "~") == 0 ||
                            strcmp((const char *)value->data.scalar.value, "null") == 0);
            return is_null ? NULL : value;
        }
    }
    return NULL;
}

/* A copy of a scalar in the arena; NULL: it is none (or no memory, with an error). */
static const struct slim_view *take_text(struct reading *reading, const yaml_node_t *node)
{
    if (node == NULL || node->type != YAML_SCALAR_NODE) {
        return NULL;
    }
    size_t len = node->data.scalar.length;
    struct slim_view *text = uf_arena_take(reading->arena, sizeof(*text) + len + 1);
    if (text == NULL) {
        (void)uf_fail_no_memory(reading->error); /* looked at by the caller's end */
        return NULL;
    }
    memcpy(text + 1, node->data.scalar.value, len);
    *text = (struct slim_view){(const uint8_t *)(text + 1), len};
    return text;
}

static size_t item_count(const yaml_node_t *node)
{
    return node == NULL || node->type != YAML_SEQUENCE_NODE
               ? 0
               : (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
}

/* ------------------------------------------------------------------------------------------------ a part of the file as a document of its own */

struct copying {
    struct reading *reading;
    yaml_document_t out;
};

static int copy_node(struct copying *copying, const yaml_node_t *node, uint32_t depth);

static bool copy_children(struct copying *copying, const yaml_node_t *node, int made,
                          uint32_t depth)
{
    if (node->type == YAML_SEQUENCE_NODE) {
        for (yaml_node_item_t *item = node->data.sequence.items.start;
             item < node->data.sequence.items.top; item++) {
            int child = copy_node(copying, node_at(copying->reading, *item), depth);
            if (child == 0 || !yaml_document_append_sequence_item(&copying->out, made, child)) {
                return false;
            }
        }
    } else {
        for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
             pair < node->data.mapping.pairs.top; pair++) {
            int key = copy_node(copying, node_at(copying->reading, pair->key), depth);
            int value =
                key == 0 ? 0 : copy_node(copying, node_at(copying->reading, pair->value), depth);
            if (value == 0 || !yaml_document_append_mapping_pair(&copying->out, made, key, value)) {
                return false;
            }
        }
    }
    return true;
}

/* Is there room for this one? Aliases may be followed in circles, and each use of one is a copy. */
static bool count_node(struct reading *reading, const yaml_node_t *node)
{
    size_t len = node->type == YAML_SCALAR_NODE ? node->data.scalar.length : 0;
    if (reading->node_count == UF_DOCUMENT_NODE_COUNT_MAX ||
        len > UF_DOCUMENT_BYTES_MAX - reading->text_bytes) {
        return false;
    }
    reading->node_count++;
    reading->text_bytes += len;
    return true;
}

/* Its number in the copy; 0: no memory, or beyond the bounds. */
static int copy_node(struct copying *copying, const yaml_node_t *node, uint32_t depth)
{
    if (node == NULL || depth == UF_DOCUMENT_DEPTH_MAX || !count_node(copying->reading, node)) {
        return 0;
    }
    int made = 0;
    switch (node->type) {
    case YAML_NO_NODE:
        break;
    case YAML_SCALAR_NODE:
        made = yaml_document_add_scalar(&copying->out, NULL, node->data.scalar.value,
                                        (int)node->data.scalar.length, node->data.scalar.style);
        break;
    case YAML_SEQUENCE_NODE:
        made = yaml_document_add_sequence(&copying->out, NULL, YAML_FLOW_SEQUENCE_STYLE);
        break;
    case YAML_MAPPING_NODE:
        made = yaml_document_add_mapping(&copying->out, NULL, YAML_FLOW_MAPPING_STYLE);
        break;
    }
    if (made != 0 && node->type != YAML_SCALAR_NODE &&
        !copy_children(copying, node, made, depth + 1)) {
        made = 0;
    }
    return made;
}

/* Emitted to memory: a first time to be measured would cost more than this room. */
static char *emit(struct reading *reading, yaml_document_t *document)
{
    size_t room = 2 * UF_DOCUMENT_BYTES_MAX;
    size_t written = 0;
    char *text = NULL;
    char *out = malloc(room);
    yaml_emitter_t emitter;
    if (out == NULL || !yaml_emitter_initialize(&emitter)) {
        free(out);
        yaml_document_delete(document);
        return NULL;
    }
    yaml_emitter_set_output_string(&emitter, (unsigned char *)out, room, &written);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, -1);
    if (!yaml_emitter_open(&emitter)) {
        yaml_document_delete(document);
    } else if (yaml_emitter_dump(&emitter, document) && /* takes it */
               yaml_emitter_close(&emitter)) {
        text = uf_arena_take(reading->arena, written + 1);
    }
    if (text != NULL) {
        memcpy(text, out, written);
    }
    yaml_emitter_delete(&emitter);
    free(out);
    return text;
}

static const char *take_part(struct reading *reading, const yaml_node_t *node)
{
    struct copying copying = {.reading = reading};
    char *text = NULL;
    if (!yaml_document_initialize(&copying.out, NULL, NULL, NULL, 1, 1)) {
        (void)uf_fail_no_memory(reading->error); /* looked at by the caller's end */
        return NULL;
    }
    if (copy_node(&copying, node, 0) == 0) {
        yaml_document_delete(&copying.out);
    } else {
        text = emit(reading, &copying.out);
    }
    if (text == NULL) {
        (void)fail(reading->error, "servers and clients are too large or too deep");
    }
    return text;
}

/* ------------------------------------------------------------------------------------------------ what the file says */

static bool take_parts(struct reading *reading, const yaml_node_t *sequence, struct uf_list *list)
{
    size_t count = item_count(sequence);
    const char **parts = uf_arena_take(reading->arena, (count + 1) * sizeof(*parts));
    if (parts == NULL) {
        return uf_fail_no_memory(reading->error);
    }
    for (size_t i = 0; i < count; i++) {
        parts[i] = take_part(reading, node_at(reading, sequence->data.sequence.items.start[i]));
        if (parts[i] == NULL) {
            return false;
        }
    }
    *list = (struct uf_list){.count = count, .items = (const void *)parts};
    return true;
}

static bool take_services(struct reading *reading, const yaml_node_t *services,
                          struct uf_list *list)
{
    static const struct uf_described_service usual = {
        .node_id = {(const uint8_t *)"slim/0", sizeof("slim/0") - 1}};
    *list = (struct uf_list){.count = 1, .items = &usual};
    if (services == NULL || services->type != YAML_MAPPING_NODE ||
        services->data.mapping.pairs.start == services->data.mapping.pairs.top) {
        return true;
    }
    size_t count = (size_t)(services->data.mapping.pairs.top - services->data.mapping.pairs.start);
    struct uf_described_service *made =
        uf_arena_take(reading->arena, count * sizeof(struct uf_described_service));
    if (made == NULL) {
        return uf_fail_no_memory(reading->error);
    }
    for (size_t i = 0; i < count; i++) {
        const yaml_node_pair_t *pair = &services->data.mapping.pairs.start[i];
        const struct slim_view *id = take_text(reading, node_at(reading, pair->key));
        const yaml_node_t *plane = find(reading, node_at(reading, pair->value), "dataplane");
        if (id == NULL || !take_parts(reading, find(reading, plane, "servers"), &made[i].servers) ||
            !take_parts(reading, find(reading, plane, "clients"), &made[i].clients)) {
            return fail(reading->error, "services: a name of text is expected");
        }
        made[i].node_id = *id;
    }
    *list = (struct uf_list){.count = count, .items = made};
    return true;
}

static bool take_filters(struct reading *reading, const yaml_node_t *sequence,
                         struct uf_list *filters)
{
    size_t count = item_count(sequence);
    struct slim_view *texts = uf_arena_take(reading->arena, (count + 1) * sizeof(struct slim_view));
    if (texts == NULL) {
        return uf_fail_no_memory(reading->error);
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const struct slim_view *text =
            take_text(reading, node_at(reading, sequence->data.sequence.items.start[i]));
        if (text != NULL) {
            texts[kept++] = *text;
        }
    }
    *filters = (struct uf_list){.count = kept, .items = texts};
    return true;
}

static bool take_all(struct reading *reading, struct uf_document *document)
{
    const yaml_node_t *root = yaml_document_get_root_node(&reading->yaml);
    if (root == NULL || root->type != YAML_MAPPING_NODE) {
        return fail(reading->error, "a mapping is expected");
    }
    const yaml_node_t *tracing = find(reading, root, "tracing");
    document->log_level = take_text(reading, find(reading, tracing, "log_level"));
    return take_filters(reading, find(reading, tracing, "filters"), &document->filters) &&
           take_services(reading, find(reading, root, "services"), &document->services) &&
           reading->error->fault == UF_FINE;
}

/* ------------------------------------------------------------------------------------------------ the file */

const char *uf_system_text(int number, char text[UF_SYSTEM_TEXT_MAX])
{
    const char *kind = number == ENOENT   ? "NotFound"
                       : number == EACCES ? "PermissionDenied"
                       : number == EISDIR ? "IsADirectory"
                                          : "Other";
    char reason[UF_SYSTEM_TEXT_MAX / 2];
    (void)snprintf(text, UF_SYSTEM_TEXT_MAX, "Os { code: %d, kind: %s, message: \"%s\" }", number,
                   kind, strerror_r(number, reason, sizeof(reason))); /* cut is fine */
    return text;
}

static bool fail_system(struct uf_error *error, int number)
{
    char text[UF_SYSTEM_TEXT_MAX];
    return uf_fail(error, UF_PANIC, "Failed to create config loader: IoError(%s)",
                   uf_system_text(number, text));
}

bool uf_document_read(const char *path, struct uf_document *document, struct uf_arena *arena,
                      struct uf_error *error)
{
    struct reading reading = {.arena = arena, .error = error};
    yaml_parser_t parser;
    *document = (struct uf_document){.log_level = NULL};
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return fail_system(error, errno);
    }
    unsigned char *bytes = malloc(UF_DOCUMENT_BYTES_MAX + 1);
    size_t len = bytes == NULL ? 0 : fread(bytes, 1, UF_DOCUMENT_BYTES_MAX + 1, file);
    int failed = ferror(file) ? errno : 0;
    (void)fclose(file); /* only read */
    bool is_fine = bytes != NULL || uf_fail_no_memory(error);
    is_fine = is_fine && (failed == 0 || fail_system(error, failed)) &&
              (len <= UF_DOCUMENT_BYTES_MAX || fail(error, "the file is too large"));
    if (is_fine && !yaml_parser_initialize(&parser)) {
        is_fine = uf_fail_no_memory(error);
    } else if (is_fine) {
        yaml_parser_set_input_string(&parser, bytes, len);
        is_fine = yaml_parser_load(&parser, &reading.yaml) != 0 ||
                  fail(error, parser.problem == NULL ? "not YAML" : parser.problem);
        if (is_fine) {
            is_fine = take_all(&reading, document);
            yaml_document_delete(&reading.yaml);
        }
        yaml_parser_delete(&parser);
    }
    free(bytes);
    return is_fine;
}
