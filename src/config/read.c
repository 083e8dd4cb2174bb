#include "config/read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/secret.h"

enum {
    HINT_BYTES_MAX = 300,
    FILE_NAME_BYTES_SHOWN = 160,
    VALUE_BYTES_SHOWN = 60,
    REASON_BYTES_MAX = 400,
};

/* Values come from a file that may hold anything: nothing in a message steers a terminal. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            *text = '?';
        }
    }
}

/* FILE:LINE:COLUMN: KEY PATH: hint */
static void format_place(const struct slim_config_reader *reader,
                         const struct slim_config_yaml_node *at, const char *hint, char *out,
                         size_t size)
{
    char place[48] = "";
    if (at != NULL) {
        (void)snprintf(place, sizeof(place), ":%u:%u", at->line,
                       at->column); /* fits: two numbers */
    }
    /* cut on purpose when too long: the text has a fixed size */
    (void)snprintf(out, size, "%.*s%s: %s%s%s", FILE_NAME_BYTES_SHOWN, reader->file, place,
                   reader->path, reader->path_len > 0 ? ": " : "", hint);
    make_printable(out);
}

static struct slim_config_error *add_problem(struct slim_config_reader *reader)
{
    struct slim_config_report *report = reader->report;
    if (report->problem_count == SLIM_CONFIG_PROBLEM_COUNT_MAX) {
        report->left_out_count++;
        return NULL;
    }
    struct slim_config_error *grown =
        realloc(report->problems, (report->problem_count + 1) * sizeof(*report->problems));
    if (grown == NULL) {
        reader->is_out_of_memory = true;
        return NULL;
    }
    report->problems = grown;
    struct slim_config_error *problem = &grown[report->problem_count++];
    *problem = (struct slim_config_error){.cause_count = 0};
    return problem;
}

void slim_config_put_problem(struct slim_config_reader *reader, enum slim_config_stage stage,
                             const struct slim_config_yaml_node *at, const char *const *causes,
                             const char *hint, ...)
{
    struct slim_config_error *problem = add_problem(reader);
    if (problem == NULL) {
        return;
    }
    problem->stage = stage;
    for (; *causes != NULL; causes++) {
        assert(problem->cause_count < SLIM_CONFIG_CAUSES_MAX - 1);
        char *cause = problem->cause[problem->cause_count++];
        (void)snprintf(cause, SLIM_CONFIG_CAUSE_BYTES_MAX, "%s",
                       *causes); /* cut on purpose when too long */
        make_printable(cause);
    }
    char text[HINT_BYTES_MAX];
    va_list args;
    va_start(args, hint);
    (void)vsnprintf(text, sizeof(text), hint, args); /* cut on purpose when too long */
    va_end(args);
    format_place(reader, at, text, problem->cause[problem->cause_count++],
                 SLIM_CONFIG_CAUSE_BYTES_MAX);
}

void slim_config_put_warning(struct slim_config_reader *reader,
                             const struct slim_config_yaml_node *at, const char *format, ...)
{
    struct slim_config *config = reader->report->config;
    if (config->warning_count == SLIM_CONFIG_WARNING_COUNT_MAX) {
        return;
    }
    char text[HINT_BYTES_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args); /* cut on purpose when too long */
    va_end(args);
    char placed[SLIM_CONFIG_CAUSE_BYTES_MAX];
    format_place(reader, at, text, placed, sizeof(placed));
    char **grown =
        realloc(config->warnings, (config->warning_count + 1) * sizeof(*config->warnings));
    if (grown == NULL) {
        reader->is_out_of_memory = true;
        return;
    }
    config->warnings = grown;
    size_t size = strlen(placed) + 1;
    char *copy = malloc(size);
    if (copy == NULL) {
        reader->is_out_of_memory = true;
        return;
    }
    memcpy(copy, placed, size);
    grown[config->warning_count++] = copy;
}

/* "integer `10`" and the like: the words of serde. */
static void format_unexpected(const struct slim_config_yaml_node *node, char *out, size_t size)
{
    const char *text = node->is_secret ? "${..}" : (const char *)node->text.data;
    switch (node->kind) {
    case SLIM_CONFIG_YAML_NULL:
        (void)snprintf(out, size, "unit value");
        return;
    case SLIM_CONFIG_YAML_BOOL:
        (void)snprintf(out, size, "boolean `%s`",
                       node->is_secret ? text
                       : node->boolean ? "true"
                                       : "false");
        return;
    case SLIM_CONFIG_YAML_INTEGER:
        if (node->is_secret) {
            (void)snprintf(out, size, "integer `%s`", text);
            return;
        }
        (void)snprintf(out, size, "integer `%s%lu`", node->is_negative ? "-" : "", node->integer);
        return;
    case SLIM_CONFIG_YAML_FLOAT:
        (void)snprintf(out, size, "floating point `%.*s`", VALUE_BYTES_SHOWN, text);
        return;
    case SLIM_CONFIG_YAML_STRING:
        (void)snprintf(out, size, "string \"%.*s\"", VALUE_BYTES_SHOWN, text);
        return;
    case SLIM_CONFIG_YAML_LIST:
        (void)snprintf(out, size, "sequence");
        return;
    case SLIM_CONFIG_YAML_MAP:
        (void)snprintf(out, size, "map");
        return;
    }
    assert(false); /* every kind was named above */
}

static void put_value_problem(struct slim_config_reader *reader,
                              const struct slim_config_yaml_node *at, const char *what,
                              const char *expected, const char *hint)
{
    char unexpected[VALUE_BYTES_SHOWN + 40];
    char text[REASON_BYTES_MAX];
    format_unexpected(at, unexpected, sizeof(unexpected));
    (void)snprintf(text, sizeof(text), "%s: %s, expected %s", what, unexpected,
                   expected); /* fits: parts are short */
    slim_config_put_problem(reader, reader->stage, at,
                            (const char *const[]){"yaml parse error", text, NULL}, "%s", hint);
}

void slim_config_put_type_problem(struct slim_config_reader *reader,
                                  const struct slim_config_yaml_node *at, const char *expected,
                                  const char *hint)
{
    if (!at->is_broken) {
        put_value_problem(reader, at, "invalid type", expected, hint);
    }
}

void slim_config_put_missing(struct slim_config_reader *reader,
                             const struct slim_config_yaml_node *at, const char *name,
                             const char *hint)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "missing field `%s`", name); /* fits: our own names */
    slim_config_put_problem(reader, reader->stage, at,
                            (const char *const[]){"yaml parse error", text, NULL}, "%s", hint);
}

void slim_config_put_start_problem(struct slim_config_reader *reader,
                                   const struct slim_config_yaml_node *at,
                                   const char *const *causes, const char *hint)
{
    const char *all[SLIM_CONFIG_CAUSES_MAX] = {reader->start_context, "configuration error"};
    for (size_t i = 2; *causes != NULL; i++, causes++) {
        assert(i < SLIM_CONFIG_CAUSES_MAX - 1);
        all[i] = *causes;
    }
    slim_config_put_problem(reader, reader->start_stage, at, all, "%s", hint);
}

void slim_config_put_unsupported(struct slim_config_reader *reader,
                                 const struct slim_config_yaml_node *at, const char *what, ...)
{
    char name[HINT_BYTES_MAX / 2];
    char text[REASON_BYTES_MAX];
    va_list args;
    va_start(args, what);
    (void)vsnprintf(name, sizeof(name), what, args); /* cut on purpose when too long */
    va_end(args);
    (void)snprintf(text, sizeof(text), "this version of slim does not support %s",
                   name); /* fits: parts are short */
    slim_config_put_problem(reader, reader->stage, at, (const char *const[]){text, NULL},
                            "legal, but not available yet; remove it");
}

size_t slim_config_path_push(struct slim_config_reader *reader, const char *format, ...)
{
    size_t mark = reader->path_len;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(reader->path + mark, sizeof(reader->path) - mark, format, args);
    va_end(args);
    assert(len >= 0);
    /* a path that is too long is cut at its end; the line number still says where */
    reader->path_len =
        mark + (size_t)len < sizeof(reader->path) ? mark + (size_t)len : sizeof(reader->path) - 1;
    return mark;
}

void slim_config_path_pop(struct slim_config_reader *reader, size_t mark)
{
    reader->path_len = mark;
    reader->path[mark] = '\0';
}

/* ---------------------------------------------------------------------------------------------------- values */

static bool read_bool(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                      bool *value)
{
    if (node->kind != SLIM_CONFIG_YAML_BOOL) {
        slim_config_put_type_problem(reader, node, "a boolean",
                                     "write true or false, without quotes");
        return false;
    }
    *value = node->boolean;
    return true;
}

static bool read_number(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                        uint64_t max, const char *expected, uint64_t *value)
{
    if (node->kind != SLIM_CONFIG_YAML_INTEGER) {
        slim_config_put_type_problem(reader, node, expected,
                                     "write a whole number, without quotes");
        return false;
    }
    if ((node->is_negative && node->integer > 0) || node->integer > max) {
        char hint[64];
        (void)snprintf(hint, sizeof(hint), "write a number from 0 to %lu", max); /* fits */
        put_value_problem(reader, node, "invalid value", expected, hint);
        return false;
    }
    *value = node->integer;
    return true;
}

bool slim_config_copy_text(struct slim_config_reader *reader,
                           const struct slim_config_yaml_node *node, char **copy)
{
    size_t size = node->text.len + 1;
    if (size > SLIM_CONFIG_TEXT_BYTES_MAX - reader->text_bytes) {
        char text[100];
        (void)snprintf(text, sizeof(text), "more than %d bytes of text, each alias counted",
                       SLIM_CONFIG_TEXT_BYTES_MAX); /* fits */
        slim_config_put_problem(reader, reader->stage, node, (const char *const[]){text, NULL},
                                "repeat large texts less often");
        return false;
    }
    char *made = malloc(size);
    if (made == NULL) {
        reader->is_out_of_memory = true;
        return false;
    }
    reader->text_bytes += size;
    memcpy(made, node->text.data, size);
    slim_config_text_free(*copy);
    *copy = made;
    return true;
}

void slim_config_text_free(char *text)
{
    if (text != NULL) {
        slim_secret_wipe(text, strlen(text));
        free(text);
    }
}

static void read_string(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                        char **value)
{
    if (node->kind != SLIM_CONFIG_YAML_STRING) {
        slim_config_put_type_problem(reader, node, "a string", "put the text between quotes");
        return;
    }
    (void)slim_config_copy_text(reader, node, value); /* a problem was put */
}

/* As read_string; a number that should have been a password is not shown either. */
static void read_secret(struct slim_config_reader *reader, const struct slim_config_yaml_node *node,
                        char **value)
{
    struct slim_config_yaml_node hidden = *node;
    hidden.is_secret = true;
    read_string(reader, &hidden, value);
}

static bool read_duration(struct slim_config_reader *reader,
                          const struct slim_config_yaml_node *node, uint64_t *ms)
{
    static const char hint[] = "write a text such as \"10s\", \"500ms\" or \"1m30s\"";
    if (node->kind != SLIM_CONFIG_YAML_STRING) {
        slim_config_put_type_problem(reader, node, "string", hint);
        return false;
    }
    struct slim_error error;
    if (slim_config_parse_duration(node->text, ms, &error) == SLIM_OK) {
        return true;
    }
    char text[REASON_BYTES_MAX];
    (void)snprintf(text, sizeof(text), "invalid value: string \"%.300s\", expected string",
                   error.text); /* fits */
    slim_config_put_problem(reader, reader->stage, node,
                            (const char *const[]){"yaml parse error", text, NULL}, "%s", hint);
    return false;
}

void slim_config_read_value(struct slim_config_reader *reader,
                            const struct slim_config_yaml_node *node,
                            const struct slim_config_key *key, void *target)
{
    union {
        bool boolean;
        uint64_t number;
    } value;
    char *field = key->offset == SLIM_CONFIG_NO_FIELD ? NULL : (char *)target + key->offset;
    switch (key->type) {
    case SLIM_CONFIG_TYPE_BOOL:
        if (read_bool(reader, node, &value.boolean) && field != NULL) {
            memcpy(field, &value.boolean, sizeof(bool));
        }
        return;
    case SLIM_CONFIG_TYPE_U32:
        if (read_number(reader, node, UINT32_MAX, "u32", &value.number) && field != NULL) {
            memcpy(field, &(uint32_t){(uint32_t)value.number}, sizeof(uint32_t));
        }
        return;
    case SLIM_CONFIG_TYPE_U64:
    case SLIM_CONFIG_TYPE_USIZE: {
        const char *expected = key->type == SLIM_CONFIG_TYPE_U64 ? "u64" : "usize";
        if (read_number(reader, node, UINT64_MAX, expected, &value.number) && field != NULL) {
            memcpy(field, &value.number, sizeof(uint64_t));
        }
        return;
    }
    case SLIM_CONFIG_TYPE_STRING:
    case SLIM_CONFIG_TYPE_SECRET: {
        char *unused = NULL;
        char **text = field == NULL ? &unused : (char **)(void *)field;
        if (key->type == SLIM_CONFIG_TYPE_SECRET) {
            read_secret(reader, node, text);
        } else {
            read_string(reader, node, text);
        }
        slim_config_text_free(unused);
        return;
    }
    case SLIM_CONFIG_TYPE_DURATION:
        if (read_duration(reader, node, &value.number) && field != NULL) {
            memcpy(field, &value.number, sizeof(uint64_t));
        }
        return;
    case SLIM_CONFIG_TYPE_CUSTOM:
        key->read(reader, node, target);
        return;
    }
}

static const struct slim_config_key *find_key(const struct slim_config_key *keys, size_t count,
                                              struct slim_view name)
{
    for (size_t i = 0; i < count; i++) {
        if (slim_view_is_equal(slim_view_str(keys[i].name), name)) {
            return &keys[i];
        }
    }
    return NULL;
}

/* The keys that would be right, as far as they fit. */
static void format_keys(const struct slim_config_key *keys, size_t count, char *out, size_t size)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        int put = snprintf(out + len, size - len, "%s%s", i > 0 ? ", " : "", keys[i].name);
        if (put < 0 || (size_t)put >= size - len) {
            out[len] = '\0';
            return;
        }
        len += (size_t)put;
    }
}

/* What to write instead of a key of the files of older releases, which the reference ignores; NULL: it is none. */
static const char *find_old_key(const char *expected, struct slim_view name)
{
    static const struct {
        const char *section;
        const char *name;
        const char *instead;
    } rows[] = {
        {"struct Tls", "cert_file", "source: {type: file, cert: PATH, key: PATH}"},
        {"struct Tls", "key_file", "source: {type: file, cert: PATH, key: PATH}"},
        {"struct Tls", "cert_pem", "source: {type: pem, cert: TEXT, key: TEXT}"},
        {"struct Tls", "key_pem", "source: {type: pem, cert: TEXT, key: TEXT}"},
        {"struct Tls", "ca_file", "ca_source: {type: file, path: PATH}"},
        {"struct Tls", "ca_pem", "ca_source: {type: pem, data: TEXT}"},
        {"struct Tls", "client_ca_file", "client_ca: {type: file, path: PATH}"},
        {"struct Tls", "client_ca_pem", "client_ca: {type: pem, data: TEXT}"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        if (strncmp(expected, rows[i].section, strlen(rows[i].section)) == 0 &&
            slim_view_is_equal(name, slim_view_str(rows[i].name))) {
            return rows[i].instead;
        }
    }
    return NULL;
}

static void warn_unknown(struct slim_config_reader *reader, const struct slim_config_yaml_node *at,
                         const char *expected, const struct slim_config_key *keys, size_t key_count)
{
    const char *instead = find_old_key(expected, at->text);
    if (instead != NULL) {
        slim_config_put_warning(reader, at, "key of older releases, ignored; write %s", instead);
        return;
    }
    char names[HINT_BYTES_MAX - 40];
    format_keys(keys, key_count, names, sizeof(names));
    slim_config_put_warning(reader, at, "unknown key, ignored; known are: %s", names);
}

void slim_config_read_map(struct slim_config_reader *reader,
                          const struct slim_config_yaml_node *node, const char *expected,
                          const struct slim_config_key *keys, size_t key_count, void *target)
{
    if (node == NULL || node->kind == SLIM_CONFIG_YAML_NULL) {
        return;
    }
    if (node->kind != SLIM_CONFIG_YAML_MAP) {
        char names[HINT_BYTES_MAX / 2];
        char hint[HINT_BYTES_MAX];
        format_keys(keys, key_count, names, sizeof(names));
        (void)snprintf(hint, sizeof(hint), "a map with keys of: %s", names); /* fits */
        slim_config_put_type_problem(reader, node, expected, hint);
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct slim_config_yaml_item *item = &node->items[i];
        const struct slim_config_key *key = find_key(keys, key_count, item->key->text);
        size_t mark = slim_config_path_push(reader, "%s%s", reader->path_len > 0 ? "." : "",
                                            (const char *)item->key->text.data);
        if (key == NULL) {
            warn_unknown(reader, item->key, expected, keys, key_count);
        } else if (!(key->is_optional && item->value->kind == SLIM_CONFIG_YAML_NULL)) {
            slim_config_read_value(reader, item->value, key, target);
        }
        slim_config_path_pop(reader, mark);
    }
}

/* "one of `a`, `b`, `c`" or "`a` or `b`", as serde puts it. */
static void format_words(const char *const *words, char *out, size_t size)
{
    size_t count = 0;
    while (words[count] != NULL) {
        count++;
    }
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < count && len < size; i++) {
        const char *between = i == 0 ? (count > 2 ? "one of " : "") : count > 2 ? ", " : " or ";
        int put = snprintf(out + len, size - len, "%s`%s`", between, words[i]); /* cut when long */
        len += put > 0 ? (size_t)put : 0;
    }
}

static const char *find_word(struct slim_config_reader *reader,
                             const struct slim_config_yaml_node *node, const char *expected,
                             const char *const *words, const char *hint)
{
    for (; *words != NULL; words++) {
        if (slim_view_is_equal(node->text, slim_view_str(*words))) {
            return *words;
        }
    }
    if (!node->is_broken) {
        char text[REASON_BYTES_MAX];
        (void)snprintf(text, sizeof(text), "unknown variant `%.*s`, expected %s", VALUE_BYTES_SHOWN,
                       node->is_secret ? "${..}" : (const char *)node->text.data,
                       expected); /* fits */
        slim_config_put_problem(reader, reader->stage, node,
                                (const char *const[]){"yaml parse error", text, NULL}, "%s", hint);
    }
    return NULL;
}

const char *slim_config_read_word(struct slim_config_reader *reader,
                                  const struct slim_config_yaml_node *node, const char *expected,
                                  const char *const *words)
{
    char list[HINT_BYTES_MAX - 40];
    char hint[HINT_BYTES_MAX];
    format_words(words, list, sizeof(list));
    (void)snprintf(hint, sizeof(hint), "write %s; capital letters matter", list); /* fits */
    if (node->kind != SLIM_CONFIG_YAML_STRING) {
        slim_config_put_type_problem(reader, node, expected, hint);
        return NULL;
    }
    return find_word(reader, node, list, words, hint);
}

/* `auth: {basic: {..}}`: the form of older releases. */
static bool has_old_form(const struct slim_config_yaml_node *node, const char *const *types)
{
    for (; *types != NULL; types++) {
        if (slim_config_yaml_find(node, *types) != NULL) {
            return true;
        }
    }
    return false;
}

const char *slim_config_read_tag(struct slim_config_reader *reader,
                                 const struct slim_config_yaml_node *node, const char *section,
                                 const char *expected, const char *const *types)
{
    if (node->kind == SLIM_CONFIG_YAML_NULL) {
        return "none";
    }
    char text[REASON_BYTES_MAX];
    char hint[HINT_BYTES_MAX];
    (void)snprintf(hint, sizeof(hint), "write {type: T, ..}, T being %s", expected); /* fits */
    if (node->kind != SLIM_CONFIG_YAML_MAP) {
        (void)snprintf(text, sizeof(text), "internally tagged enum %s", section); /* fits */
        slim_config_put_type_problem(reader, node, text, hint);
        return NULL;
    }
    const struct slim_config_yaml_node *type = slim_config_yaml_find(node, "type");
    if (type == NULL) {
        bool is_old = has_old_form(node, types);
        slim_config_put_missing(reader, node, "type",
                                is_old ? "the form of older releases; write {type: KIND, ..} with "
                                         "the other keys beside it, e.g. {type: basic, username: "
                                         "NAME, password: TEXT}"
                                       : hint);
        return NULL;
    }
    if (type->kind != SLIM_CONFIG_YAML_STRING) {
        slim_config_put_type_problem(reader, type, "variant identifier", hint);
        return NULL;
    }
    return find_word(reader, type, expected, types, hint);
}
