#include "h2/finished.h"

#include <string.h>

enum {
    TYPE_DATA = 0,
    TYPE_HEADERS = 1,
    TYPE_RST_STREAM = 3,
    FLAG_END_STREAM = 1,
};

void slim_h2_finished_init(struct slim_h2_finished *finished, bool has_preface)
{
    *finished = (struct slim_h2_finished){.skip = has_preface ? SLIM_H2_PREFACE_BYTES : 0};
}

static bool is_finished(const struct slim_h2_finished *finished, int32_t id)
{
    for (size_t i = 0; i < SLIM_H2_FINISHED_STREAMS; i++) {
        if (finished->ids[i] == id) {
            return id != 0;
        }
    }
    return false;
}

static void note(struct slim_h2_finished *finished, int32_t id)
{
    finished->ids[finished->next % SLIM_H2_FINISHED_STREAMS] = id;
    finished->next++;
    finished->live_id = 0;
}

/* False when the frame must not come. */
static bool read_head(struct slim_h2_finished *finished, const uint8_t *head)
{
    uint8_t type = head[3];
    uint32_t number = (uint32_t)(head[5] & 0x7f) << 24 | (uint32_t)head[6] << 16 |
                      (uint32_t)head[7] << 8 | head[8];
    int32_t id = (int32_t)number;
    finished->skip = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
    if (type == TYPE_RST_STREAM) {
        note(finished, id);
        return true;
    }
    if (type != TYPE_DATA && type != TYPE_HEADERS) {
        return true;
    }
    if (id != finished->live_id && is_finished(finished, id)) {
        return false;
    }
    if ((head[4] & FLAG_END_STREAM) != 0) {
        note(finished, id);
    } else if (type == TYPE_DATA) {
        finished->live_id = id;
    }
    return true;
}

size_t slim_h2_finished_take(struct slim_h2_finished *finished, struct slim_view bytes)
{
    size_t at = 0;
    while (at < bytes.len) {
        size_t left = bytes.len - at;
        if (finished->skip > 0) {
            size_t count = finished->skip < left ? finished->skip : left;
            finished->skip -= count;
            at += count;
            continue;
        }
        if (finished->head_len == 0 && left >= SLIM_H2_FRAME_HEAD_BYTES) {
            if (!read_head(finished, bytes.data + at)) {
                return at;
            }
            at += SLIM_H2_FRAME_HEAD_BYTES;
            continue;
        }
        size_t missing = SLIM_H2_FRAME_HEAD_BYTES - (size_t)finished->head_len;
        size_t count = missing < left ? missing : left;
        memcpy(finished->head + finished->head_len, bytes.data + at, count);
        finished->head_len = (uint8_t)(finished->head_len + count);
        if (finished->head_len == SLIM_H2_FRAME_HEAD_BYTES) {
            finished->head_len = 0;
            if (!read_head(finished, finished->head)) {
                return at;
            }
        }
        at += count;
    }
    return bytes.len;
}
