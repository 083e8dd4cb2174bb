#include "base/utf8.h"

/* Length of the well-formed sequence at data[0], or 0. `len` > 0. */
static size_t sequence_len(const uint8_t *data, size_t len)
{
    uint8_t first = data[0];
    if (first < 0x80) {
        return 1;
    }
    size_t count;
    uint8_t low = 0x80;
    uint8_t high = 0xbf; /* bounds of the second byte */
    if (first >= 0xc2 && first <= 0xdf) {
        count = 2;
    } else if (first >= 0xe0 && first <= 0xef) {
        count = 3;
        low = first == 0xe0 ? 0xa0 : 0x80;  /* overlong */
        high = first == 0xed ? 0x9f : 0xbf; /* surrogates */
    } else if (first >= 0xf0 && first <= 0xf4) {
        count = 4;
        low = first == 0xf0 ? 0x90 : 0x80;  /* overlong */
        high = first == 0xf4 ? 0x8f : 0xbf; /* above U+10FFFF */
    } else {
        return 0;
    }
    if (len < count || data[1] < low || data[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < count; i++) {
        if ((data[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return count;
}

bool slim_utf8_is_valid_slow(struct slim_view text)
{
    while (text.len > 0) {
        size_t count = sequence_len(text.data, text.len);
        if (count == 0) {
            return false;
        }
        text = slim_view_skip(text, count);
    }
    return true;
}
