/* Streams that the peer ended, and what it must not send on them (RFC 9113, 5.1). Private to src/h2.
 *
 * nghttp2 forgets closed streams and ignores DATA on them without a word. That is right where the peer cannot know that we closed
 * the stream, and wrong where it ended or reset the stream itself. So the heads of the frames are read here too, before nghttp2. */
#ifndef SLIM_H2_FINISHED_H
#define SLIM_H2_FINISHED_H

#include "base/view.h"
#include "h2/limits.h"

enum { SLIM_H2_FRAME_HEAD_BYTES = 9, SLIM_H2_PREFACE_BYTES = 24 };

/* skip       bytes until the next head begins: the rest of a payload, or of the preface
 * head       the first head_len bytes of a head that came in parts
 * live_id    the stream of the last DATA that was in order, 0: none
 * ids, next  a ring of the streams that the peer ended last; 0: none */
struct slim_h2_finished {
    size_t skip;
    uint8_t head_len;
    uint8_t head[SLIM_H2_FRAME_HEAD_BYTES];
    int32_t live_id;
    uint32_t next;
    int32_t ids[SLIM_H2_FINISHED_STREAMS];
};

/* has_preface: the peer is a client. */
void slim_h2_finished_init(struct slim_h2_finished *finished, bool has_preface);

/* Read on. Returns bytes.len when all is well. Less: behind that many bytes comes (the rest of) the head of a frame with DATA or
 * HEADERS on a stream that the peer ended; nothing may be read on afterwards. */
size_t slim_h2_finished_take(struct slim_h2_finished *finished, struct slim_view bytes);

#endif
