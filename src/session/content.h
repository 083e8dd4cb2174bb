/* Keeping what an application said: for sender.c and receiver.c. */
#ifndef SLIM_SESSION_CONTENT_H
#define SLIM_SESSION_CONTENT_H

#include "base/buf.h"
#include "session/sender.h"

static inline size_t slim_session_content_size(const struct slim_session_content *content)
{
    return content->payload_type.len + content->blob.len + content->metadata.len +
           content->identity.len;
}

/* Copy all parts into *bytes, which must be empty, and make *copy point there. SLIM_ERR_NO_MEMORY: nothing changed. */
SLIM_MUST_CHECK static inline enum slim_status
slim_session_content_keep(const struct slim_session_content *content, struct slim_buf *bytes,
                          struct slim_session_content *copy)
{
    const struct slim_view from[] = {content->payload_type, content->blob, content->metadata,
                                     content->identity};
    struct slim_view to[SLIM_COUNT(from)];
    SLIM_TRY(slim_buf_reserve(bytes, slim_session_content_size(content)));
    for (size_t i = 0; i < SLIM_COUNT(from); i++) {
        to[i] = slim_view_of(from[i].len == 0 ? NULL : bytes->data + bytes->len, from[i].len);
        if (from[i].len > 0) {
            memcpy(bytes->data + bytes->len, from[i].data, from[i].len);
            bytes->len += from[i].len;
        }
    }
    *copy = (struct slim_session_content){to[0], to[1], to[2], to[3]};
    return SLIM_OK;
}

#endif
