/* The configuration file of the chat programs: a flat map of texts, numbers and lists of texts. JSON is read as the YAML that it is. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "chat/settings.h"

enum { KEY_BYTES_MAX = 64 };

/* key      of the value that comes next; empty: a key comes next
 * depth    of maps and lists below the first map
 * has_map  the first map has begun */
struct file_walk {
    struct chat_reader *reader;
    const char *path;
    char key[KEY_BYTES_MAX];
    size_t depth;
    bool has_map;
};

static bool is_null(const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (text[0] == 0 || strcmp(text, "~") == 0 || strcasecmp(text, "null") == 0);
}

static enum slim_status take_scalar(struct file_walk *walk, const yaml_event_t *event,
                                    struct slim_error *error)
{
    const char *text = (const char *)event->data.scalar.value;
    if (!walk->has_map) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "%.200s: a map of settings was expected",
                              walk->path);
    }
    if (walk->depth == 0 && walk->key[0] == 0) {
        (void)snprintf(walk->key, sizeof(walk->key), "%s", text); /* no setting has a longer name */
        return SLIM_OK;
    }
    enum slim_status status = SLIM_OK;
    if (walk->depth <= 1 && !is_null(event) && strcmp(walk->key, "config") != 0) {
        status = chat_settings_take(walk->reader, walk->key, text, walk->depth == 0,
                                    CHAT_ORIGIN_FILE, error);
    }
    if (walk->depth == 0) {
        walk->key[0] = 0;
    }
    return status;
}

static void leave(struct file_walk *walk)
{
    if (walk->depth > 0 && --walk->depth == 0) {
        walk->key[0] = 0;
    }
}

static enum slim_status take_event(struct file_walk *walk, const yaml_event_t *event,
                                   struct slim_error *error)
{
    switch (event->type) {
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT:
        if (!walk->has_map && event->type == YAML_MAPPING_START_EVENT) {
            walk->has_map = true;
        } else {
            walk->depth++;
        }
        return SLIM_OK;
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        leave(walk);
        return SLIM_OK;
    case YAML_SCALAR_EVENT:
        return take_scalar(walk, event, error);
    case YAML_ALIAS_EVENT:
        return slim_error_set(error, SLIM_ERR_CONFIG, "%.200s: aliases are not understood",
                              walk->path);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
    return SLIM_OK;
}

static enum slim_status read_all(struct file_walk *walk, yaml_parser_t *parser,
                                 struct slim_error *error)
{
    for (bool is_done = false; !is_done;) {
        yaml_event_t event;
        if (yaml_parser_parse(parser, &event) == 0) {
            return slim_error_set(error, SLIM_ERR_CONFIG, "%.200s:%zu: %s", walk->path,
                                  parser->problem_mark.line + 1,
                                  parser->problem == NULL ? "cannot be read" : parser->problem);
        }
        is_done = event.type == YAML_STREAM_END_EVENT;
        enum slim_status status = take_event(walk, &event, error);
        yaml_event_delete(&event);
        SLIM_TRY(status);
    }
    return SLIM_OK;
}

static enum slim_status check_ending(const char *path, struct slim_error *error)
{
    const char *ending = strrchr(path, '.');
    ending = ending == NULL ? "" : ending;
    if (strcasecmp(ending, ".toml") == 0) {
        return slim_error_set(
            error, SLIM_ERR_UNSUPPORTED,
            "%.200s: TOML is not understood; write the same settings as YAML or JSON", path);
    }
    if (strcasecmp(ending, ".json") != 0 && strcasecmp(ending, ".yaml") != 0 &&
        strcasecmp(ending, ".yml") != 0) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "Unsupported config file format: %.200s (.yaml, .yml or .json)",
                              path);
    }
    return SLIM_OK;
}

enum slim_status chat_settings_take_file(struct chat_reader *reader, const char *path,
                                         struct slim_error *error)
{
    SLIM_TRY(check_ending(path, error));
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return slim_error_set(error, SLIM_ERR_IO, "Config file not found: %.200s: %s", path,
                              strerror(errno)); // NOLINT(concurrency-mt-unsafe): one thread yet
    }
    yaml_parser_t parser;
    enum slim_status status = SLIM_ERR_NO_MEMORY;
    if (yaml_parser_initialize(&parser) != 0) {
        struct file_walk walk = {.reader = reader, .path = path};
        yaml_parser_set_input_file(&parser, file);
        status = read_all(&walk, &parser, error);
        yaml_parser_delete(&parser);
    } else {
        (void)slim_error_set(error, status, "out of memory"); /* the status says it */
    }
    (void)fclose(file); /* only read */
    return status;
}
