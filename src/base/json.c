#include "base/json.h"

#include <stdlib.h>

#include <jansson.h>

#include "base/secret.h"
#include "base/utf8.h"

/* ---- the scan before the parse
 *
 * jansson bounds depth at 2048 only and forgets how a number was written. One pass over the text checks both. It need not be
 * exact about anything else: what it lets through that is not JSON is refused by the parser. */

/* pos, depth    where the scan stands */
struct scan {
    struct slim_view text;
    size_t pos;
    uint32_t depth;
};

static void skip_string(struct scan *scan)
{
    scan->pos++; /* the opening quote */
    while (scan->pos < scan->text.len && scan->text.data[scan->pos] != '"') {
        scan->pos += scan->text.data[scan->pos] == '\\' ? 2 : 1;
    }
    scan->pos++;
}

static bool is_number_char(uint8_t c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* "-0", "-0.00" and the like. */
static bool is_minus_zero(struct slim_view number)
{
    if (number.data[0] != '-') {
        return false;
    }
    for (size_t i = 1; i < number.len; i++) {
        if (number.data[i] != '0' && number.data[i] != '.') {
            return false;
        }
    }
    return true;
}

static bool is_plain_number(struct slim_view number)
{
    if (is_minus_zero(number)) {
        return false;
    }
    if (memchr(number.data, 'e', number.len) != NULL ||
        memchr(number.data, 'E', number.len) != NULL) {
        return false;
    }
    const uint8_t *point = memchr(number.data, '.', number.len);
    return point == NULL ||
           (size_t)(number.data + number.len - point - 1) <= SLIM_JSON_PLAIN_DIGITS_MAX;
}

static bool take_number(struct scan *scan, const struct slim_json_limits *limits)
{
    struct slim_view number = {scan->text.data + scan->pos, 0};
    while (scan->pos < scan->text.len && is_number_char(scan->text.data[scan->pos])) {
        scan->pos++;
        number.len++;
    }
    return number.len <= SLIM_JSON_NUMBER_BYTES_MAX &&
           (!limits->has_plain_numbers || is_plain_number(number));
}

static enum slim_status scan_text(struct slim_view text, const struct slim_json_limits *limits,
                                  struct slim_error *error)
{
    struct scan scan = {text, 0, 0};
    while (scan.pos < text.len) {
        uint8_t c = text.data[scan.pos];
        if (c == '"') {
            skip_string(&scan);
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            if (!take_number(&scan, limits)) {
                return slim_error_set(error, SLIM_ERR_MALFORMED,
                                      "JSON: a number in a form that is not accepted");
            }
        } else {
            if (c == '[' || c == '{') {
                if (scan.depth == limits->depth_max) {
                    return slim_error_set(error, SLIM_ERR_LIMIT,
                                          "JSON: more than %u levels of arrays and objects",
                                          (unsigned)limits->depth_max);
                }
                scan.depth++;
            } else if ((c == ']' || c == '}') && scan.depth > 0) {
                scan.depth--;
            }
            scan.pos++;
        }
    }
    return SLIM_OK;
}

/* ---- parsing */

/* jansson's own sentence quotes the text, which may be a token: ours does not. */
static enum slim_status explain(const json_error_t *why, struct slim_error *error)
{
    enum json_error_code code = json_error_code(why);
    if (code == json_error_out_of_memory || why->text[0] == '\0') {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "JSON: no memory");
    }
    const char *what = "not valid JSON";
    if (code == json_error_duplicate_key) {
        what = "a key appears twice in one object";
    } else if (code == json_error_numeric_overflow) {
        what = "a number is too large";
    } else if (code == json_error_invalid_utf8) {
        what = "a text is not UTF-8";
    } else if (code == json_error_premature_end_of_input) {
        what = "the text ends too early";
    } else if (code == json_error_null_character) {
        what = "a text contains a zero byte";
    }
    return slim_error_set(error, SLIM_ERR_MALFORMED, "JSON: %s (line %d, column %d)", what,
                          why->line, why->column);
}

/* Is there memory for the parse? jansson 2.14 writes beyond a buffer when memory runs out while it gathers a text of more than 16 bytes,
 * so a shortage is looked for here, where it can be reported. */
static bool has_memory(size_t text_len)
{
    enum { VALUE_BYTES_PER_BYTE = 16, SPARE_BYTES = 4096 };
    void *volatile probe = malloc(text_len * VALUE_BYTES_PER_BYTE + SPARE_BYTES);
    bool is_there = probe != NULL;
    free(probe);
    return is_there;
}

enum slim_status slim_json_parse(struct slim_view text, const struct slim_json_limits *limits,
                                 struct slim_json **json, struct slim_error *error)
{
    assert(limits->depth_max <= SLIM_JSON_DEPTH_MAX && limits->bytes_max <= SLIM_JSON_BYTES_MAX);
    if (text.len > limits->bytes_max) {
        return slim_error_set(error, SLIM_ERR_LIMIT, "JSON: longer than %zu bytes",
                              limits->bytes_max);
    }
    SLIM_TRY(scan_text(text, limits, error));
    if (!has_memory(text.len)) {
        return slim_error_set(error, SLIM_ERR_NO_MEMORY, "JSON: no memory");
    }
    json_error_t why;
    json_t *value = json_loadb(text.len == 0 ? "" : (const char *)text.data, text.len,
                               JSON_REJECT_DUPLICATES, &why);
    if (value == NULL) {
        return explain(&why, error);
    }
    *json = (struct slim_json *)value;
    return SLIM_OK;
}

void slim_json_free(struct slim_json *json)
{
    json_decref((json_t *)json);
}

/* ---- reading */

/* jansson's readers take const pointers only in part; none of those used here changes the value. */
static json_t *inner(const struct slim_json *json)
{
    return (json_t *)(uintptr_t)json;
}

enum slim_json_kind slim_json_kind(const struct slim_json *json)
{
    switch (json_typeof(inner(json))) {
    case JSON_OBJECT:
        return SLIM_JSON_OBJECT;
    case JSON_ARRAY:
        return SLIM_JSON_ARRAY;
    case JSON_STRING:
        return SLIM_JSON_STRING;
    case JSON_INTEGER:
        return SLIM_JSON_INTEGER;
    case JSON_REAL:
        return SLIM_JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return SLIM_JSON_BOOL;
    case JSON_NULL:
        break;
    }
    return SLIM_JSON_NULL;
}

bool slim_json_read_text(const struct slim_json *json, struct slim_view *out)
{
    if (!json_is_string(inner(json))) {
        return false;
    }
    *out = slim_view_of(json_string_value(inner(json)), json_string_length(inner(json)));
    return true;
}

bool slim_json_read_integer(const struct slim_json *json, int64_t *out)
{
    if (!json_is_integer(inner(json))) {
        return false;
    }
    *out = json_integer_value(inner(json));
    return true;
}

bool slim_json_read_number(const struct slim_json *json, double *out)
{
    if (!json_is_number(inner(json))) {
        return false;
    }
    *out = json_number_value(inner(json));
    return true;
}

bool slim_json_read_bool(const struct slim_json *json, bool *out)
{
    if (!json_is_boolean(inner(json))) {
        return false;
    }
    *out = json_is_true(inner(json));
    return true;
}

const struct slim_json *slim_json_find(const struct slim_json *json, const char *key)
{
    return (const struct slim_json *)json_object_get(inner(json), key);
}

size_t slim_json_count(const struct slim_json *json)
{
    return json_is_array(inner(json)) ? json_array_size(inner(json))
                                      : json_object_size(inner(json));
}

const struct slim_json *slim_json_at(const struct slim_json *json, size_t index)
{
    return (const struct slim_json *)json_array_get(inner(json), index);
}

bool slim_json_next(const struct slim_json *object, struct slim_json_member *member)
{
    json_t *value = inner(object);
    void *next = member->position == NULL ? json_object_iter(value)
                                          : json_object_iter_next(value, member->position);
    if (next == NULL) {
        return false;
    }
    member->position = next;
    member->key = slim_view_str(json_object_iter_key(next));
    member->value = (const struct slim_json *)json_object_iter_value(next);
    return true;
}

/* ---- writing */

static int put_chunk(const char *bytes, size_t len, void *ctx)
{
    return slim_buf_put(ctx, slim_view_of(bytes, len)) == SLIM_OK ? 0 : -1;
}

enum slim_status slim_json_put(const struct slim_json *json, struct slim_buf *out)
{
    size_t len_before = out->len;
    if (json_dump_callback(inner(json), put_chunk, out, JSON_COMPACT | JSON_ENCODE_ANY) != 0) {
        out->len = len_before;
        return SLIM_ERR_NO_MEMORY;
    }
    return SLIM_OK;
}

/* The escape of one character below U+0020, a quote or a backslash. */
static enum slim_status put_escape(uint8_t c, struct slim_buf *out)
{
    switch (c) {
    case '"':
        return slim_buf_put(out, SLIM_VIEW("\\\""));
    case '\\':
        return slim_buf_put(out, SLIM_VIEW("\\\\"));
    case '\n':
        return slim_buf_put(out, SLIM_VIEW("\\n"));
    case '\r':
        return slim_buf_put(out, SLIM_VIEW("\\r"));
    case '\t':
        return slim_buf_put(out, SLIM_VIEW("\\t"));
    default:
        return slim_buf_put_text(out, "\\u%04x", c);
    }
}

enum slim_status slim_json_put_text(struct slim_view text, struct slim_buf *out)
{
    if (!slim_utf8_is_valid(text)) {
        return SLIM_ERR_INVALID;
    }
    SLIM_TRY(slim_buf_put_byte(out, '"'));
    size_t start = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c >= 0x20 && c != '"' && c != '\\') {
            continue;
        }
        SLIM_TRY(slim_buf_put(out, slim_view_of(text.data + start, i - start)));
        SLIM_TRY(put_escape(c, out));
        start = i + 1;
    }
    SLIM_TRY(slim_buf_put(out, slim_view_of(text.data + start, text.len - start)));
    return slim_buf_put_byte(out, '"');
}
