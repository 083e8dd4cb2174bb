/* Raw HTTP/2 frames for tests: a writer, and a reader that turns a byte stream into lines of text. */
#ifndef SLIM_TESTS_H2_FRAMES_H
#define SLIM_TESTS_H2_FRAMES_H

#include <nghttp2/nghttp2.h>
#include <stdio.h>

#include "base/buf.h"
#include "support/check.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

enum { END_STREAM = 1, END_HEADERS = 4, ACK = 1 };
enum {
    F_DATA,
    F_HEADERS,
    F_PRIORITY,
    F_RST_STREAM,
    F_SETTINGS,
    F_PUSH_PROMISE,
    F_PING,
    F_GOAWAY,
    F_WINDOW_UPDATE,
    F_CONTINUATION
};

static inline void put_frame(struct slim_buf *out, uint8_t type, uint8_t flags, uint32_t id,
                             struct slim_view payload)
{
    const uint8_t head[9] = {(uint8_t)(payload.len >> 16),
                             (uint8_t)(payload.len >> 8),
                             (uint8_t)payload.len,
                             type,
                             flags,
                             (uint8_t)(id >> 24),
                             (uint8_t)(id >> 16),
                             (uint8_t)(id >> 8),
                             (uint8_t)id};
    CHECK_OK(slim_buf_put(out, slim_view_of(head, sizeof(head))));
    CHECK_OK(slim_buf_put(out, payload));
}

static inline void put_u32_frame(struct slim_buf *out, uint8_t type, uint32_t id, uint32_t value)
{
    const uint8_t payload[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
                                (uint8_t)(value >> 8), (uint8_t)value};
    put_frame(out, type, 0, id, slim_view_of(payload, sizeof(payload)));
}

/* HPACK without compression: "literal, never indexed, new name", lengths below 127 or in two bytes. */
static inline void put_literal(struct slim_buf *block, struct slim_view text)
{
    if (text.len < 127) {
        CHECK_OK(slim_buf_put_byte(block, (uint8_t)text.len));
    } else {
        CHECK(text.len - 127 < 128 * 128);
        CHECK_OK(slim_buf_put_byte(block, 127));
        CHECK_OK(slim_buf_put_byte(block, (uint8_t)(0x80 | ((text.len - 127) & 0x7f))));
        CHECK_OK(slim_buf_put_byte(block, (uint8_t)((text.len - 127) >> 7)));
    }
    CHECK_OK(slim_buf_put(block, text));
}

/* `fields`: name, value, name, value ..., NULL. */
static inline void put_fields(struct slim_buf *block, const char *const *fields)
{
    for (; fields[0] != NULL; fields += 2) {
        CHECK_OK(slim_buf_put_byte(block, 0x10));
        put_literal(block, slim_view_str(fields[0]));
        put_literal(block, slim_view_str(fields[1]));
    }
}

static inline void put_headers(struct slim_buf *out, uint8_t flags, uint32_t id,
                               const char *const *fields)
{
    struct slim_buf block = {0};
    put_fields(&block, fields);
    put_frame(out, F_HEADERS, flags | END_HEADERS, id, slim_buf_view(&block));
    slim_buf_fini(&block);
}
#define FIELDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Preface and empty SETTINGS of a client. */
static inline void put_preface(struct slim_buf *out)
{
    CHECK_OK(slim_buf_put(out, SLIM_VIEW(PREFACE)));
    put_frame(out, F_SETTINGS, 0, 0, SLIM_VIEW(""));
}

/* Reads frames from any split of a byte stream and appends one line for each to `text` (zero terminated). SETTINGS,
 * WINDOW_UPDATE and acks of SETTINGS are left out unless is_full. */
struct frame_reader {
    nghttp2_hd_inflater *inflater;
    struct slim_buf bytes;
    struct slim_buf text;
    bool is_full;
    bool has_preface; /* the stream begins with the client's preface */
};

static inline void reader_init(struct frame_reader *reader)
{
    memset(reader, 0, sizeof(*reader));
    CHECK(nghttp2_hd_inflate_new(&reader->inflater) == 0);
}

static inline void reader_fini(struct frame_reader *reader)
{
    nghttp2_hd_inflate_del(reader->inflater);
    slim_buf_fini(&reader->bytes);
    slim_buf_fini(&reader->text);
}

static inline const char *reader_text(struct frame_reader *reader)
{
    CHECK_OK(slim_buf_put_byte(&reader->text, 0));
    reader->text.len--;
    return (const char *)reader->text.data;
}

static inline void read_fields(struct frame_reader *reader, const uint8_t *data, size_t len)
{
    for (int flags = 0; (flags & NGHTTP2_HD_INFLATE_FINAL) == 0;) {
        nghttp2_nv nv;
        ssize_t used = nghttp2_hd_inflate_hd2(reader->inflater, &nv, &flags, data, len, 1);
        CHECK(used >= 0);
        data += used;
        len -= (size_t)used;
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
            CHECK_OK(slim_buf_put_text(&reader->text, " %.*s=%.*s", (int)nv.namelen,
                                       (char *)nv.name, (int)nv.valuelen, (char *)nv.value));
        }
    }
    CHECK(nghttp2_hd_inflate_end_headers(reader->inflater) == 0);
}

static inline uint32_t read_u32(const uint8_t *data)
{
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

static inline void read_frame(struct frame_reader *reader, const uint8_t *frame, size_t len)
{
    static const char *const names[] = {"DATA",          "HEADERS",      "PRIORITY", "RST_STREAM",
                                        "SETTINGS",      "PUSH_PROMISE", "PING",     "GOAWAY",
                                        "WINDOW_UPDATE", "CONTINUATION"};
    uint8_t type = frame[3];
    const uint8_t *payload = frame + 9;
    CHECK(type < SLIM_COUNT(names));
    if (!reader->is_full && (type == F_SETTINGS || type == F_WINDOW_UPDATE)) {
        return;
    }
    CHECK_OK(slim_buf_put_text(&reader->text, "%s %u", names[type], read_u32(frame + 5)));
    if (type == F_HEADERS) {
        read_fields(reader, payload, len);
    } else if (type == F_DATA) {
        CHECK_OK(slim_buf_put_text(&reader->text, " %zu bytes", len));
    } else if (type == F_RST_STREAM || type == F_WINDOW_UPDATE) {
        CHECK_OK(slim_buf_put_text(&reader->text, " %u", read_u32(payload)));
    } else if (type == F_GOAWAY) {
        CHECK_OK(slim_buf_put_text(&reader->text, " last %u error %u", read_u32(payload),
                                   read_u32(payload + 4)));
    } else if (type == F_SETTINGS) {
        for (size_t i = 0; i < len; i += 6) {
            CHECK_OK(slim_buf_put_text(&reader->text, " %u=%u", payload[i] << 8 | payload[i + 1],
                                       read_u32(payload + i + 2)));
        }
    }
    if ((type == F_SETTINGS || type == F_PING) && (frame[4] & ACK) != 0) {
        CHECK_OK(slim_buf_put_text(&reader->text, " ack"));
    } else if ((type == F_DATA || type == F_HEADERS) && (frame[4] & END_STREAM) != 0) {
        CHECK_OK(slim_buf_put_text(&reader->text, " end"));
    }
    CHECK_OK(slim_buf_put_byte(&reader->text, '\n'));
}

static inline void reader_take(struct frame_reader *reader, struct slim_view bytes)
{
    CHECK_OK(slim_buf_put(&reader->bytes, bytes));
    if (reader->has_preface && reader->bytes.len >= sizeof(PREFACE) - 1) {
        CHECK(memcmp(reader->bytes.data, PREFACE, sizeof(PREFACE) - 1) == 0);
        slim_buf_drop(&reader->bytes, sizeof(PREFACE) - 1);
        reader->has_preface = false;
    }
    while (!reader->has_preface && reader->bytes.len >= 9) {
        const uint8_t *frame = reader->bytes.data;
        size_t len = (size_t)frame[0] << 16 | (size_t)frame[1] << 8 | frame[2];
        if (reader->bytes.len < 9 + len) {
            return;
        }
        read_frame(reader, frame, len);
        slim_buf_drop(&reader->bytes, 9 + len);
    }
}

#endif
