#include "chat/editor.h"

#include <histedit.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/library.h"

enum { HISTORY_LINES = 200 };

/* The few functions we use, found by name: a program on a pipe does not load the library. */
struct edit_library {
    EditLine *(*init)(const char *, FILE *, FILE *, FILE *);
    void (*end)(EditLine *);
    int (*set)(EditLine *, int, ...);
    const char *(*gets)(EditLine *, int *);
    void (*resize)(EditLine *);
    History *(*history_init)(void);
    void (*history_end)(History *);
    int (*history)(History *, HistEvent *, int, ...);
};

/* has_line   editing goes on: the terminal is libedit's */
struct chat_editor {
    struct edit_library lib;
    EditLine *edit;
    History *history;
    char *prompt;
    bool has_line;
};

static bool open_library(struct chat_editor *editor)
{
    struct edit_library *lib = &editor->lib;
    const struct slim_library_symbol symbols[] = {
        {"el_init", &lib->init},
        {"el_end", &lib->end},
        {"el_set", &lib->set},
        {"el_gets", &lib->gets},
        {"el_resize", &lib->resize},
        {"history_init", &lib->history_init},
        {"history_end", &lib->history_end},
        {"history", &lib->history},
    };
    const char *missing; /* either way there are plain lines */
    return slim_library_open("libedit.so.2", symbols, sizeof(symbols) / sizeof(symbols[0]),
                             &missing);
}

static char *prompt_of(EditLine *edit);

/* libedit reads characters of the locale: without one of UTF-8 it would refuse most of the world's. */
static void choose_locale(void)
{
    (void)setlocale(LC_CTYPE, ""); // NOLINT(concurrency-mt-unsafe): the library does not use it
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) { // NOLINT(concurrency-mt-unsafe): likewise
        (void)setlocale(LC_CTYPE, "C.UTF-8");         // NOLINT(concurrency-mt-unsafe): likewise
    }
}

static struct chat_editor *the_editor; /* libedit hands only its own object to prompt_of */

static char *prompt_of(EditLine *edit)
{
    (void)edit; /* there is one */
    return the_editor->prompt;
}

static bool open_editor(struct chat_editor *editor, const char *prompt)
{
    HistEvent event;
    editor->prompt = strdup(prompt);
    if (editor->prompt == NULL || !open_library(editor)) {
        return false;
    }
    choose_locale();
    editor->edit = editor->lib.init("slim", stdin, stdout, stderr);
    editor->history = editor->lib.history_init();
    if (editor->edit == NULL || editor->history == NULL) {
        return false;
    }
    (void)editor->lib.history(editor->history, &event, H_SETSIZE, HISTORY_LINES); /* or fewer */
    (void)editor->lib.set(editor->edit, EL_PROMPT, prompt_of);                    /* cannot fail */
    (void)editor->lib.set(editor->edit, EL_EDITOR, "emacs");                      /* likewise */
    (void)editor->lib.set(editor->edit, EL_SIGNAL, 0); /* likewise: signals are ours */
    (void)editor->lib.set(editor->edit, EL_HIST, editor->lib.history, editor->history);
    return true;
}

struct chat_editor *chat_editor_new(const char *prompt)
{
    struct chat_editor *editor = calloc(1, sizeof(*editor));
    if (editor == NULL) {
        return NULL;
    }
    the_editor = editor;
    if (!open_editor(editor, prompt)) {
        chat_editor_free(editor);
        return NULL;
    }
    return editor;
}

void chat_editor_free(struct chat_editor *editor)
{
    if (editor == NULL) {
        return;
    }
    chat_editor_end(editor);
    if (editor->history != NULL) {
        editor->lib.history_end(editor->history);
    }
    if (editor->edit != NULL) {
        editor->lib.end(editor->edit);
    }
    free(editor->prompt);
    free(editor);
}

void chat_editor_begin(struct chat_editor *editor)
{
    if (!editor->has_line) {
        editor->has_line = true;
        (void)editor->lib.set(editor->edit, EL_UNBUFFERED, 1); /* cannot fail; shows the prompt */
    }
}

void chat_editor_end(struct chat_editor *editor)
{
    if (editor->has_line) {
        editor->has_line = false;
        (void)editor->lib.set(editor->edit, EL_UNBUFFERED, 0); /* cannot fail */
    }
}

void chat_editor_redraw(struct chat_editor *editor)
{
    if (editor->has_line) {
        (void)editor->lib.set(editor->edit, EL_REFRESH); /* cannot fail */
        (void)fflush(stdout);                            /* libedit writes there */
    }
}

enum chat_editor_result chat_editor_read(struct chat_editor *editor, struct slim_view *line)
{
    static const char end_of_input = 4; /* Ctrl-D */
    int count = 0;
    const char *text = editor->lib.gets(editor->edit, &count);
    if (text == NULL || count <= 0) {
        return count < 0 ? CHAT_EDITOR_END : CHAT_EDITOR_MORE;
    }
    if (count == 1 && text[0] == end_of_input) {
        chat_editor_end(editor);
        return CHAT_EDITOR_END;
    }
    if (text[count - 1] != '\n' && text[count - 1] != '\r') {
        return CHAT_EDITOR_MORE;
    }
    HistEvent event;
    if (count > 1) {
        (void)editor->lib.history(editor->history, &event, H_ENTER, text); /* or it is forgotten */
    }
    *line = slim_view_of(text, (size_t)count - 1);
    chat_editor_end(editor);
    return CHAT_EDITOR_LINE;
}
