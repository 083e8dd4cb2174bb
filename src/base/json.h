/* JSON, read strictly, over jansson: duplicate keys, invalid UTF-8, "\u0000", comments, trailing bytes and everything beyond
 * the given limits are refused. */
#ifndef SLIM_BASE_JSON_H
#define SLIM_BASE_JSON_H

#include "base/buf.h"

/* One value. Those reached from another one (member, element) are borrowed from it. */
struct slim_json;

enum slim_json_kind {
    SLIM_JSON_NULL,
    SLIM_JSON_BOOL,
    SLIM_JSON_INTEGER, /* fits into int64_t */
    SLIM_JSON_REAL,    /* written with a fraction or an exponent; finite */
    SLIM_JSON_STRING,
    SLIM_JSON_ARRAY,
    SLIM_JSON_OBJECT,
};

/* bytes_max          longest text, at most SLIM_JSON_BYTES_MAX
 * depth_max          arrays and objects inside one another; at most SLIM_JSON_DEPTH_MAX
 * has_plain_numbers  refuse what has several spellings: "-0", exponents, more than SLIM_JSON_PLAIN_DIGITS_MAX digits behind the point */
struct slim_json_limits {
    size_t bytes_max;
    uint32_t depth_max;
    bool has_plain_numbers;
};

enum {
    SLIM_JSON_BYTES_MAX = 16 * 1024 * 1024,
    SLIM_JSON_DEPTH_MAX = 512,
    SLIM_JSON_PLAIN_DIGITS_MAX = 9,
    SLIM_JSON_NUMBER_BYTES_MAX = 64, /* longest number */
};

/* Parse all of `text`, whose outermost value must be an object or an array. *json is the caller's: slim_json_free.
 *   SLIM_ERR_LIMIT       longer or deeper than `limits` allow
 *   SLIM_ERR_MALFORMED   not JSON; a key twice in one object; a number that does not fit or is not plain
 *   SLIM_ERR_NO_MEMORY   looked for before the parse; memory that runs out in the middle may show as SLIM_ERR_MALFORMED
 * *error (may be NULL) gets a sentence with line and column, never with a part of the text. */
SLIM_MUST_CHECK enum slim_status slim_json_parse(struct slim_view text,
                                                 const struct slim_json_limits *limits,
                                                 struct slim_json **json, struct slim_error *error);

/* NULL is allowed. Not for borrowed values. */
void slim_json_free(struct slim_json *json);

enum slim_json_kind slim_json_kind(const struct slim_json *json);

/* True, and *out, when `json` is not NULL and is of that kind; else false and *out untouched. Text is UTF-8, borrowed from `json`.
 * slim_json_read_number takes an integer or a real. */
bool slim_json_read_text(const struct slim_json *json, struct slim_view *out);
bool slim_json_read_integer(const struct slim_json *json, int64_t *out);
bool slim_json_read_number(const struct slim_json *json, double *out);
bool slim_json_read_bool(const struct slim_json *json, bool *out);

/* Member `key` of an object; NULL when there is none, or when `json` is NULL or no object. */
const struct slim_json *slim_json_find(const struct slim_json *json, const char *key);

/* Elements of an array or members of an object; 0 for NULL and other values. */
size_t slim_json_count(const struct slim_json *json);

/* Element `index` of an array; index < count. */
const struct slim_json *slim_json_at(const struct slim_json *json, size_t index);

/* Walk the members of an object, in the order of the text: start with a zeroed struct; false when there are no more (at once
 * for NULL and other values). key and value are borrowed from the object. */
struct slim_json_member {
    struct slim_view key;
    const struct slim_json *value;
    void *position; /* private */
};
bool slim_json_next(const struct slim_json *object, struct slim_json_member *member);

/* Append the value as compact JSON text; members keep their order. SLIM_ERR_NO_MEMORY: nothing appended. */
SLIM_MUST_CHECK enum slim_status slim_json_put(const struct slim_json *json, struct slim_buf *out);

/* Append `text` as a JSON string with its quotes. SLIM_ERR_INVALID: not UTF-8, nothing appended. SLIM_ERR_NO_MEMORY: a part may
 * have been appended. */
SLIM_MUST_CHECK enum slim_status slim_json_put_text(struct slim_view text, struct slim_buf *out);

#endif
