/* Texts of the chat programs: lines out of a stream of bytes, and texts of others made fit for a terminal. No I/O. */
#ifndef CHAT_TEXT_H
#define CHAT_TEXT_H

#include "base/buf.h"

/* A line longer than this is cut into several. */
enum { CHAT_LINE_BYTES_MAX = 8 * 1024 * 1024 };

/* Append `text` as one line that does no harm to a terminal: control characters (C0, DEL, C1) and what is no UTF-8 become \n, \t, \xNN.
 * SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status chat_text_put_printable(struct slim_buf *out,
                                                         struct slim_view text);

/* What was read and not yet taken: | taken | lines ... | piece of a line |. Zeroed is empty.
 * is_over   nothing more comes: the last line may lack its end */
struct chat_lines {
    struct slim_buf bytes;
    size_t taken;
    bool is_over;
};

void chat_lines_fini(struct chat_lines *lines);

/* Bytes that wait. */
size_t chat_lines_waiting(const struct chat_lines *lines);

SLIM_MUST_CHECK enum slim_status chat_lines_put(struct chat_lines *lines, struct slim_view bytes);

/* The next line without its end ("\n" or "\r\n"); false: there is none yet. Borrowed until the next chat_lines_put. */
bool chat_lines_take(struct chat_lines *lines, struct slim_view *line);

/* "1", "2.5", ".25": seconds as milliseconds, at most a day. False: something else. */
bool chat_text_read_seconds(const char *text, uint64_t *ms);

/* A decimal number between the bounds. False: something else. */
bool chat_text_read_number(const char *text, uint64_t min, uint64_t max, uint64_t *number);

/* true/false, 1/0, yes/no, on/off in any case. False: something else. */
bool chat_text_read_switch(const char *text, bool *is_on);

#endif
