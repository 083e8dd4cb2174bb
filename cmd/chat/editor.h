/* One line edited on a terminal, by libedit, which is opened when it is needed. */
#ifndef CHAT_EDITOR_H
#define CHAT_EDITOR_H

#include "base/view.h"

struct chat_editor;

/* NULL: libedit is not there. The prompt is copied. */
struct chat_editor *chat_editor_new(const char *prompt);

/* The terminal is as it was before. NULL is allowed. */
void chat_editor_free(struct chat_editor *editor);

/* Show the prompt and edit a line; give the terminal back. */
void chat_editor_begin(struct chat_editor *editor);
void chat_editor_end(struct chat_editor *editor);

/* Something else was written: draw prompt and line again, from the start of a row. */
void chat_editor_redraw(struct chat_editor *editor);

enum chat_editor_result {
    CHAT_EDITOR_MORE, /* a key that ends no line */
    CHAT_EDITOR_LINE, /* the line without its end; borrowed. Editing has ended: chat_editor_begin */
    CHAT_EDITOR_END,  /* Ctrl-D on an empty line */
};

/* Standard input is readable: take one key. */
enum chat_editor_result chat_editor_read(struct chat_editor *editor, struct slim_view *line);

#endif
