#include "chat/text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

/* ------------------------------------------------------------------------------------------------ printable */

/* Length of the UTF-8 character at the front, 1 when there is none. */
static size_t character_len(struct slim_view text)
{
    size_t len = text.data[0] < 0xe0 ? 2 : text.data[0] < 0xf0 ? 3 : 4;
    if (text.data[0] < 0xc0 || len > text.len) {
        return 1;
    }
    return slim_utf8_is_valid(slim_view_of(text.data, len)) ? len : 1;
}

static enum slim_status put_escaped(struct slim_buf *out, uint8_t byte)
{
    switch (byte) {
    case '\n':
        return slim_buf_put(out, SLIM_VIEW("\\n"));
    case '\r':
        return slim_buf_put(out, SLIM_VIEW("\\r"));
    case '\t':
        return slim_buf_put(out, SLIM_VIEW("\\t"));
    default:
        return slim_buf_put_text(out, "\\x%02x", byte);
    }
}

enum slim_status chat_text_put_printable(struct slim_buf *out, struct slim_view text)
{
    while (text.len > 0) {
        size_t plain = 0;
        while (plain < text.len && text.data[plain] >= 0x20 && text.data[plain] < 0x7f) {
            plain++;
        }
        SLIM_TRY(slim_buf_put(out, slim_view_of(text.data, plain)));
        text = slim_view_skip(text, plain);
        if (text.len == 0) {
            break;
        }
        size_t len = text.data[0] < 0x80 ? 1 : character_len(text);
        bool is_c1 = len == 2 && text.data[0] == 0xc2 && text.data[1] < 0xa0;
        if (len > 1 && !is_c1) {
            SLIM_TRY(slim_buf_put(out, slim_view_of(text.data, len)));
        } else {
            for (size_t i = 0; i < len; i++) {
                SLIM_TRY(put_escaped(out, text.data[i]));
            }
        }
        text = slim_view_skip(text, len);
    }
    return SLIM_OK;
}

/* ------------------------------------------------------------------------------------------------ lines */

void chat_lines_fini(struct chat_lines *lines)
{
    slim_buf_fini(&lines->bytes);
    *lines = (struct chat_lines){0};
}

size_t chat_lines_waiting(const struct chat_lines *lines)
{
    return lines->bytes.len - lines->taken;
}

enum slim_status chat_lines_put(struct chat_lines *lines, struct slim_view bytes)
{
    slim_buf_drop(&lines->bytes, lines->taken);
    lines->taken = 0;
    return slim_buf_put(&lines->bytes, bytes);
}

bool chat_lines_take(struct chat_lines *lines, struct slim_view *line)
{
    struct slim_view rest = slim_view_skip(slim_buf_view(&lines->bytes), lines->taken);
    if (rest.len == 0) {
        return false;
    }
    const uint8_t *end = memchr(rest.data, '\n', rest.len);
    if (end == NULL && !lines->is_over && rest.len < CHAT_LINE_BYTES_MAX) {
        return false;
    }
    size_t len = end == NULL ? rest.len : (size_t)(end - rest.data);
    lines->taken += len + (end == NULL ? 0 : 1);
    if (len > 0 && rest.data[len - 1] == '\r') {
        len--;
    }
    *line = slim_view_of(rest.data, len);
    return true;
}

/* ------------------------------------------------------------------------------------------------ values */

bool chat_text_read_number(const char *text, uint64_t min, uint64_t max, uint64_t *number)
{
    uint64_t value = 0;
    if (*text == 0) {
        return false;
    }
    for (; *text != 0; text++) {
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value)) {
            return false;
        }
    }
    if (value < min || value > max) {
        return false;
    }
    *number = value;
    return true;
}

bool chat_text_read_seconds(const char *text, uint64_t *ms)
{
    enum { SECONDS_MAX = 24 * 3600, DIGITS_MAX = 9 };
    uint64_t whole = 0;
    uint64_t part = 0;
    size_t len = strcspn(text, ".");
    char digits[DIGITS_MAX + 1] = "0";
    if (len > DIGITS_MAX || (len == 0 && (text[0] == 0 || text[1] == 0))) {
        return false;
    }
    if (len > 0) {
        memcpy(digits, text, len);
        digits[len] = 0;
    }
    if (!chat_text_read_number(digits, 0, SECONDS_MAX, &whole)) {
        return false;
    }
    const char *behind = text[len] == '.' ? text + len + 1 : "";
    uint64_t unit = 100;
    for (; *behind != 0; behind++, unit /= 10) {
        if (*behind < '0' || *behind > '9') {
            return false;
        }
        part += (uint64_t)(*behind - '0') * unit;
    }
    *ms = whole * 1000 + part;
    return true;
}

bool chat_text_read_switch(const char *text, bool *is_on)
{
    static const char *const words[][2] = {
        {"true", "false"}, {"1", "0"}, {"yes", "no"}, {"on", "off"}};
    for (size_t i = 0; i < SLIM_COUNT(words); i++) {
        if (strcasecmp(text, words[i][0]) == 0 || strcasecmp(text, words[i][1]) == 0) {
            *is_on = strcasecmp(text, words[i][0]) == 0;
            return true;
        }
    }
    return false;
}
