#include "chat/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chat/editor.h"
#include "chat/text.h"

enum {
    LABEL_COLUMNS = 45,
    TYPED_BYTES_MAX = 16 * 1024 * 1024, /* more is left in the pipe until lines are taken */
    READ_BYTES = 64 * 1024,
};

/* typed        lines that were read and not taken
 * has_ended    standard input is at its end
 * log          pipe for the lines of the log; -1: they go to standard output
 * log_lines    read from it, not shown yet
 * editor       NULL: none (yet)
 * is_asking    lines are asked for: there is a prompt on a terminal, unless is_paused
 * is_shown     the prompt stands in the last row
 * out          scratch for lines */
static struct {
    bool is_open;
    bool has_input_terminal;
    bool has_output_terminal;
    bool has_colour;
    struct chat_lines typed;
    bool has_ended;
    bool is_over;
    int signals[2];
    int log[2];
    struct chat_lines log_lines;
    struct chat_editor *editor;
    char *prompt;
    bool is_asking;
    bool is_paused;
    bool is_shown;
    struct slim_buf out;
} terminal = {.signals = {-1, -1}, .log = {-1, -1}};

static volatile sig_atomic_t last_signal;

/* ------------------------------------------------------------------------------------------------ lines out */

static void write_all(int fd, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, data, len);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0 && errno == EAGAIN) {
            /* somebody made the terminal non-blocking: wait for it */
            (void)poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
            continue;
        }
        if (written <= 0) {
            return; /* whoever read us is gone */
        }
        data += written;
        len -= (size_t)written;
    }
}

static const struct slim_view erase = {(const uint8_t *)"\r\x1b[J", 4};

static void begin_line(void)
{
    slim_buf_clear(&terminal.out);
    if (terminal.is_shown) {
        /* over the prompt, which is drawn again below */
        enum slim_status status = slim_buf_put(&terminal.out, erase);
        (void)status; /* without memory the line stands behind the prompt */
    }
}

static void end_line(void)
{
    enum slim_status status = slim_buf_put_byte(&terminal.out, '\n');
    (void)status; /* cut */
    write_all(STDOUT_FILENO, terminal.out.data, terminal.out.len);
    if (terminal.is_shown && terminal.editor != NULL) {
        chat_editor_redraw(terminal.editor);
    } else if (terminal.is_shown) {
        write_all(STDOUT_FILENO, (const uint8_t *)terminal.prompt, strlen(terminal.prompt));
    }
}

static void put_formatted(const char *format, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, format, args) >= 0) {
        enum slim_status status = chat_text_put_printable(&terminal.out, slim_view_str(text));
        (void)status; /* cut */
        free(text);
    }
}

void chat_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    begin_line();
    put_formatted(format, args);
    va_end(args);
    end_line();
}

static void put_text(const char *lead, struct slim_view text, const char *mark)
{
    enum slim_status status = chat_text_put_printable(&terminal.out, slim_view_str(lead));
    status = status == SLIM_OK ? chat_text_put_printable(&terminal.out, text) : status;
    status = status == SLIM_OK ? slim_buf_put(&terminal.out, slim_view_str(mark)) : status;
    (void)status; /* cut */
}

void chat_say_text(const char *lead, struct slim_view text, const char *mark)
{
    begin_line();
    put_text(lead, text, mark);
    end_line();
}

static void put_label(const char *label)
{
    enum slim_status status =
        slim_buf_put_text(&terminal.out, "%s%-*s%s", terminal.has_colour ? "\x1b[1m\x1b[96m" : "",
                          LABEL_COLUMNS, label, terminal.has_colour ? "\x1b[0m" : "");
    (void)status; /* cut */
}

void chat_say_label(const char *label, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    begin_line();
    put_label(label);
    put_formatted(format, args);
    va_end(args);
    end_line();
}

void chat_say_label_text(const char *label, const char *lead, struct slim_view text,
                         const char *mark)
{
    begin_line();
    put_label(label);
    put_text(lead, text, mark);
    end_line();
}

void chat_flatten(char *text)
{
    static const char *const seams[] = {"\nCaused by:\n  -> ", "\n  -> ", "\n"};
    char *out = text;
    for (const char *in = text; *in != 0;) {
        size_t skip = 0;
        for (size_t i = 0; i < SLIM_COUNT(seams) && skip == 0; i++) {
            skip = strncmp(in, seams[i], strlen(seams[i])) == 0 ? strlen(seams[i]) : 0;
        }
        if (skip == 0) {
            *out++ = *in++;
        } else if (skip == 1) {
            *out++ = ' ';
            in++;
        } else { /* every other seam is longer than what takes its place */
            *out++ = ':';
            *out++ = ' ';
            in += skip;
        }
    }
    *out = 0;
}

void chat_say_error(const char *text)
{
    char *copy = strdup(text);
    if (copy != NULL) {
        chat_flatten(copy);
    }
    struct slim_buf line = {0};
    if (slim_buf_put_text(&line, "Error: ") == SLIM_OK &&
        chat_text_put_printable(&line, slim_view_str(copy == NULL ? text : copy)) == SLIM_OK &&
        slim_buf_put_byte(&line, '\n') == SLIM_OK) {
        write_all(STDERR_FILENO, line.data, line.len);
    }
    slim_buf_fini(&line);
    free(copy);
}

/* ------------------------------------------------------------------------------------------------ signals */

static void on_signal(int number)
{
    int errno_before = errno;
    last_signal = number;
    ssize_t written = write(terminal.signals[1], "", 1);
    (void)written; /* full: then it is awake anyhow */
    errno = errno_before;
}

static enum slim_status make_pipe(int fds[2])
{
    return pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0 ? SLIM_OK : SLIM_ERR_IO;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigemptyset(&action.sa_mask);      /* cannot fail */
    (void)sigaction(SIGINT, &action, NULL);  /* likewise, with these signals */
    (void)sigaction(SIGTERM, &action, NULL); /* likewise */
    action.sa_handler = SIG_IGN;             /* write says it */
    (void)sigaction(SIGPIPE, &action, NULL); /* likewise */
}

bool chat_terminal_is_interrupted(void)
{
    return last_signal != 0;
}

bool chat_terminal_is_ctrl_c(void)
{
    return last_signal == SIGINT;
}

/* ------------------------------------------------------------------------------------------------ opening */

enum slim_status chat_terminal_open(void)
{
    const char *no_colour = getenv("NO_COLOR"); // NOLINT(concurrency-mt-unsafe): nobody sets it
    terminal.has_input_terminal = isatty(STDIN_FILENO) == 1;
    terminal.has_output_terminal = terminal.has_input_terminal && isatty(STDOUT_FILENO) == 1;
    terminal.has_colour = isatty(STDOUT_FILENO) == 1 && (no_colour == NULL || no_colour[0] == 0);
    SLIM_TRY(make_pipe(terminal.signals));
    if (terminal.has_output_terminal) {
        SLIM_TRY(make_pipe(terminal.log));
    }
    catch_signals();
    terminal.is_open = true;
    return SLIM_OK;
}

void chat_terminal_close(void)
{
    if (!terminal.is_open) {
        return;
    }
    if (terminal.is_shown) {
        write_all(STDOUT_FILENO, (const uint8_t *)"\n", 1);
        terminal.is_shown = false;
    }
    chat_editor_free(terminal.editor);
    terminal.editor = NULL;
    terminal.is_asking = false;
    terminal.is_open = false;
    free(terminal.prompt);
    terminal.prompt = NULL;
    slim_buf_fini(&terminal.out);
    chat_lines_fini(&terminal.typed);
    chat_lines_fini(&terminal.log_lines);
}

int chat_terminal_log_fd(void)
{
    return terminal.log[1] >= 0 ? terminal.log[1] : STDOUT_FILENO;
}

void chat_terminal_ask(const char *prompt)
{
    free(terminal.prompt);
    terminal.prompt = strdup(prompt);
    terminal.is_asking = terminal.prompt != NULL && terminal.has_output_terminal;
    if (terminal.is_asking && terminal.editor == NULL) {
        terminal.editor = chat_editor_new(prompt); /* NULL: the terminal edits */
    }
}

/* In front of a wait: a prompt that is wanted is there. */
static void show_prompt(void)
{
    if (!terminal.is_asking || terminal.is_paused || terminal.is_shown) {
        return;
    }
    terminal.is_shown = true;
    if (terminal.editor != NULL) {
        chat_editor_begin(terminal.editor);
    } else {
        write_all(STDOUT_FILENO, (const uint8_t *)terminal.prompt, strlen(terminal.prompt));
    }
}

void chat_terminal_pause(bool is_paused)
{
    terminal.is_paused = is_paused;
    if (is_paused && terminal.is_shown) {
        terminal.is_shown = false;
        if (terminal.editor != NULL) {
            chat_editor_end(terminal.editor);
        }
        write_all(STDOUT_FILENO, erase.data, erase.len);
    }
}

/* ------------------------------------------------------------------------------------------------ input */

static void keep_typed(struct slim_view bytes)
{
    if (chat_lines_put(&terminal.typed, bytes) != SLIM_OK) {
        chat_say_error("out of memory: what was typed is lost");
    }
}

static void read_plain(void)
{
    static uint8_t bytes[READ_BYTES];
    ssize_t count = read(STDIN_FILENO, bytes, sizeof(bytes));
    if (count > 0) {
        keep_typed(slim_view_of(bytes, (size_t)count));
    } else if (count == 0 || (errno != EINTR && errno != EAGAIN)) {
        terminal.has_ended = true;
        terminal.typed.is_over = true;
        terminal.is_over = terminal.has_input_terminal;
    }
    terminal.is_shown = false; /* the end of the line has left its row */
}

static void read_edited(void)
{
    struct slim_view line;
    switch (chat_editor_read(terminal.editor, &line)) {
    case CHAT_EDITOR_MORE:
        break;
    case CHAT_EDITOR_LINE:
        keep_typed(line);
        keep_typed(SLIM_VIEW("\n"));
        terminal.is_shown = false;
        break;
    case CHAT_EDITOR_END:
        terminal.has_ended = true;
        terminal.is_over = true;
        break;
    }
}

bool chat_terminal_take_line(struct slim_view *line)
{
    return chat_lines_take(&terminal.typed, line);
}

bool chat_terminal_is_over(void)
{
    return terminal.is_over && chat_lines_waiting(&terminal.typed) == 0;
}

/* ------------------------------------------------------------------------------------------------ the log */

static void show_log(void)
{
    uint8_t bytes[4096];
    ssize_t count;
    while ((count = read(terminal.log[0], bytes, sizeof(bytes))) > 0) {
        struct slim_view line;
        if (chat_lines_put(&terminal.log_lines, slim_view_of(bytes, (size_t)count)) != SLIM_OK) {
            return;
        }
        while (chat_lines_take(&terminal.log_lines, &line)) {
            begin_line();
            enum slim_status status = slim_buf_put(&terminal.out, line);
            (void)status; /* cut; what comes from others was escaped by the log */
            end_line();
        }
    }
}

/* ------------------------------------------------------------------------------------------------ waiting */

static bool wants_input(void)
{
    return !terminal.has_ended && chat_lines_waiting(&terminal.typed) < TYPED_BYTES_MAX &&
           !(terminal.editor != NULL && terminal.is_paused);
}

bool chat_terminal_wait(int fd, int timeout_ms)
{
    show_prompt();
    struct pollfd fds[] = {
        {.fd = wants_input() ? STDIN_FILENO : -1, .events = POLLIN},
        {.fd = terminal.signals[0], .events = POLLIN},
        {.fd = terminal.log[0], .events = POLLIN},
        {.fd = fd, .events = POLLIN},
    };
    if (poll(fds, SLIM_COUNT(fds), timeout_ms) < 0) {
        return last_signal == 0; /* EINTR */
    }
    if (fds[2].revents != 0) {
        show_log();
    }
    if (fds[0].revents != 0 && terminal.editor != NULL) {
        read_edited();
    } else if (fds[0].revents != 0) {
        read_plain();
    }
    return last_signal == 0;
}
