#include "session/name.h"

#include "session/limits.h"

enum slim_status slim_session_name_init(struct slim_heap *heap, const struct slim_wire_name *from,
                                        unsigned __int128 id, struct slim_session_name *name)
{
    size_t len = 0;
    for (size_t i = 0; i < 3; i++) {
        if (from->text.part[i].len > SLIM_SESSION_NAME_BYTES_MAX) {
            return SLIM_ERR_LIMIT;
        }
        len += from->text.part[i].len;
    }
    if (len > SLIM_SESSION_NAME_BYTES_MAX) {
        return SLIM_ERR_LIMIT;
    }
    struct slim_name_key hashed = slim_name_of(&from->text, id);
    if (!slim_name_has_prefix_of(&hashed, &from->name)) {
        return SLIM_ERR_INVALID; /* the strings are somebody else's */
    }
    char *text = slim_heap_take(heap, len + 1);
    if (text == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    struct slim_session_name made = {.wire = *from, .text = text};
    made.wire.name.id = id;
    made.wire.is_present = true;
    made.wire.is_complete = true;
    for (size_t i = 0; i < 3; i++) {
        struct slim_view part = from->text.part[i];
        if (part.len > 0) {
            memcpy(text, part.data, part.len);
        }
        made.wire.text.part[i] = slim_view_of(text, part.len);
        text += part.len;
    }
    *name = made;
    return SLIM_OK;
}

void slim_session_name_fini(struct slim_heap *heap, struct slim_session_name *name)
{
    slim_heap_return(heap, name->text);
    *name = (struct slim_session_name){.text = NULL};
}

const char *slim_session_name_format(const struct slim_wire_name *name,
                                     char text[static SLIM_SESSION_NAME_TEXT_MAX])
{
    (void)slim_name_format(&name->text, name->name.id, text,
                           SLIM_SESSION_NAME_TEXT_MAX); /* cut is fine */
    return text;
}
