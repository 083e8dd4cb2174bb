#include "json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_START = 512, NUMBER_TEXT_MAX = 48 };

static void put(struct uf_json *json, const void *bytes, size_t len)
{
    if (json->has_failed) {
        return;
    }
    if (json->room - json->len < len) {
        size_t room = json->room == 0 ? ROOM_START : 2 * json->room;
        room = room < json->len + len ? json->len + len : room;
        char *grown = realloc(json->text, room);
        if (grown == NULL) {
            json->has_failed = true;
            return;
        }
        json->text = grown;
        json->room = room;
    }
    if (len > 0) {
        memcpy(json->text + json->len, bytes, len);
    }
    json->len += len;
}

/* Quoted, as RFC 8259 wants it: the text is UTF-8 already. */
static void put_quoted(struct uf_json *json, struct slim_view text)
{
    put(json, "\"", 1);
    for (size_t i = 0; i < text.len; i++) {
        char escaped[8];
        if (text.data[i] == '"' || text.data[i] == '\\') {
            put(json, "\\", 1);
            put(json, &text.data[i], 1);
        } else if (text.data[i] < 0x20 || text.data[i] == 0x7f) {
            put(json, escaped, (size_t)snprintf(escaped, sizeof(escaped), "\\u%04x", text.data[i]));
        } else {
            put(json, &text.data[i], 1);
        }
    }
    put(json, "\"", 1);
}

static void put_key(struct uf_json *json, const char *key)
{
    if (json->needs_comma) {
        put(json, ",", 1);
    }
    if (key != NULL) {
        put_quoted(json, (struct slim_view){(const uint8_t *)key, strlen(key)});
        put(json, ":", 1);
    }
    json->needs_comma = true;
}

void uf_json_open(struct uf_json *json, const char *key, char bracket)
{
    put_key(json, key);
    put(json, &bracket, 1);
    json->needs_comma = false;
}

void uf_json_close(struct uf_json *json, char bracket)
{
    put(json, &bracket, 1);
    json->needs_comma = true;
}

void uf_json_raw(struct uf_json *json, const char *key, struct slim_view value)
{
    put_key(json, key);
    put(json, value.data, value.len);
}

void uf_json_text(struct uf_json *json, const char *key, struct slim_view text)
{
    put_key(json, key);
    put_quoted(json, text);
}

void uf_json_optional_text(struct uf_json *json, const char *key, const struct slim_view *text)
{
    if (text != NULL) {
        uf_json_text(json, key, *text);
    }
}

void uf_json_number(struct uf_json *json, const char *key, uint64_t number)
{
    char text[NUMBER_TEXT_MAX];
    put_key(json, key);
    put(json, text, (size_t)snprintf(text, sizeof(text), "%" PRIu64, number));
}

void uf_json_bool(struct uf_json *json, const char *key, bool value)
{
    put_key(json, key);
    put(json, value ? "true" : "false", value ? 4 : 5);
}

void uf_json_duration(struct uf_json *json, const char *key, struct uf_duration duration)
{
    enum { US_PER_S = 1000000, NS_PER_US = 1000 };
    char text[NUMBER_TEXT_MAX];
    uint64_t us;
    if (__builtin_mul_overflow(duration.seconds, US_PER_S, &us) ||
        __builtin_add_overflow(us, duration.nanoseconds / NS_PER_US, &us)) {
        us = UINT64_MAX;
    }
    put_key(json, key);
    put(json, text, (size_t)snprintf(text, sizeof(text), "\"%" PRIu64 "us\"", us));
}

void uf_json_texts(struct uf_json *json, const char *key, const struct uf_list *texts)
{
    const struct slim_view *text = texts->items;
    uf_json_open(json, key, '[');
    for (size_t i = 0; i < texts->count; i++) {
        uf_json_text(json, NULL, text[i]);
    }
    uf_json_close(json, ']');
}

void uf_json_pairs(struct uf_json *json, const char *key, const struct uf_list *pairs)
{
    const struct slim_pair *pair = pairs->items;
    uf_json_open(json, key, '{');
    for (size_t i = 0; i < pairs->count; i++) {
        if (json->needs_comma) {
            put(json, ",", 1);
        }
        put_quoted(json, pair[i].key);
        put(json, ":", 1);
        put_quoted(json, pair[i].value);
        json->needs_comma = true;
    }
    uf_json_close(json, '}');
}

char *uf_json_take(struct uf_json *json)
{
    put(json, "", 1);
    char *text = json->text;
    if (json->has_failed) {
        free(text);
        text = NULL;
    }
    *json = (struct uf_json){.text = NULL};
    return text;
}
