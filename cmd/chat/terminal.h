/* Where a chat program meets its user: lines in, lines out.
 *
 *   standard input ---->  chat_terminal_wait  ---> lines typed so far ---> chat_terminal_take_line
 *   log of libslim ---->        |
 *   Ctrl-C, SIGTERM --->        +--> lines on standard output, around the prompt
 *
 * On a terminal lines are edited (libedit, opened only then; without it as the terminal does) behind a prompt that is drawn again below what
 * comes in. On a pipe there is no prompt. There is one terminal in a process. */
#ifndef CHAT_TERMINAL_H
#define CHAT_TERMINAL_H

#include "base/status.h"
#include "base/view.h"

/* Take standard input, standard output and the signals. SLIM_ERR_IO, SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status chat_terminal_open(void);

/* Put the terminal back as it was. */
void chat_terminal_close(void);

/* Where log lines go: standard output, or a pipe whose lines are shown around the prompt. */
int chat_terminal_log_fd(void);

/* From here on lines are asked for with this prompt (copied). */
void chat_terminal_ask(const char *prompt);

/* The answer to a line takes a while: show no prompt until it is over. */
void chat_terminal_pause(bool is_paused);

/* Wait for input, a signal, the log, or `fd` (-1: none), at most timeout_ms (-1: without end). False: interrupted by Ctrl-C or SIGTERM. */
bool chat_terminal_wait(int fd, int timeout_ms);

/* Ctrl-C or SIGTERM came; it was Ctrl-C. */
bool chat_terminal_is_interrupted(void);
bool chat_terminal_is_ctrl_c(void);

/* The next line that was typed; false: none yet. Borrowed until the next chat_terminal_wait. */
bool chat_terminal_take_line(struct slim_view *line);

/* The user ended the input (Ctrl-D on a terminal). The end of a pipe is nothing of the kind. */
bool chat_terminal_is_over(void);

/* One line on standard output. Cut when memory is short. */
void chat_say(const char *format, ...) SLIM_PRINTF(1, 2);

/* "SOURCE > TEXT" and more: `lead`, then `text` made printable, then `mark`. */
void chat_say_text(const char *lead, struct slim_view text, const char *mark);

/* `label` padded to 45 columns (bold cyan on a terminal), then the line. */
void chat_say_label(const char *label, const char *format, ...) SLIM_PRINTF(2, 3);

/* The same with a text of others: `lead`, `text` made printable, `mark`. */
void chat_say_label_text(const char *label, const char *lead, struct slim_view text,
                         const char *mark);

/* "Error: ..." on standard error, the causes of a chain in one line. */
void chat_say_error(const char *text);

/* The sentence with its causes in one line: "a\nCaused by:\n  -> b" becomes "a: b". */
void chat_flatten(char *text);

#endif
