/* UTF-8 validation (RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF). */
#ifndef SLIM_BASE_UTF8_H
#define SLIM_BASE_UTF8_H

#include "base/view.h"

/* The part of slim_utf8_is_valid behind the first byte that is not ASCII. */
bool slim_utf8_is_valid_slow(struct slim_view text);

/* True when `text` is well-formed UTF-8. ASCII is checked eight bytes at a time. */
static inline bool slim_utf8_is_valid(struct slim_view text)
{
    size_t i = 0;
    for (; i + 8 <= text.len; i += 8) {
        uint64_t word;
        memcpy(&word, text.data + i, 8);
        if ((word & 0x8080808080808080U) != 0) {
            return slim_utf8_is_valid_slow(slim_view_skip(text, i));
        }
    }
    for (; i < text.len; i++) {
        if (text.data[i] >= 0x80) {
            return slim_utf8_is_valid_slow(slim_view_skip(text, i));
        }
    }
    return true;
}

#endif
