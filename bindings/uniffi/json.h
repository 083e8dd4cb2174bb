/* JSON text, written member by member: configurations for libslim. */
#ifndef UF_JSON_H
#define UF_JSON_H

#include "records.h"

/* Zeroed is empty. needs_comma: something stands before the next member. has_failed: there was no memory. */
struct uf_json {
    char *text;
    size_t len;
    size_t room;
    bool needs_comma;
    bool has_failed;
};

/* key NULL: the outermost object, or an element of a list. */
void uf_json_open(struct uf_json *json, const char *key, char bracket);
void uf_json_close(struct uf_json *json, char bracket);
void uf_json_text(struct uf_json *json, const char *key, struct slim_view text);
void uf_json_number(struct uf_json *json, const char *key, uint64_t number);
void uf_json_bool(struct uf_json *json, const char *key, bool value);

/* In microseconds, "1500000us". */
void uf_json_duration(struct uf_json *json, const char *key, struct uf_duration duration);

/* A value that is JSON already. */
void uf_json_raw(struct uf_json *json, const char *key, struct slim_view value);

/* Lists of texts, and maps. */
void uf_json_texts(struct uf_json *json, const char *key, const struct uf_list *texts);
void uf_json_pairs(struct uf_json *json, const char *key, const struct uf_list *pairs);

/* Not at all when there is none. */
void uf_json_optional_text(struct uf_json *json, const char *key, const struct slim_view *text);

/* The text, zero-terminated, of malloc; *json is empty again. NULL: no memory. */
UF_CHECKED char *uf_json_take(struct uf_json *json);

#endif
