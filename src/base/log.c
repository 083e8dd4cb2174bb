#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"

enum {
    LINE_BYTES_MAX = 4096, /* PIPE_BUF: a write of this size is not torn apart in a pipe either */
    THREAD_NAME_MAX = 32,  /* zero included */
    DIRECTIVE_COUNT_MAX = 64,
    STAMP_BYTES_MAX = 40, /* enough for any year that fits into an int */
    END_BYTES_MAX = 16,   /* what closes a line, cut or not */
};

#define CUT_MARK "..." /* the end of a line that was too long */
#define STYLE_END "\x1b[0m"
static_assert(sizeof(STYLE_END CUT_MARK "\n") <= END_BYTES_MAX &&
                  sizeof(CUT_MARK "\"}}\n") <= END_BYTES_MAX,
              "put_view leaves room for the end");

struct directive {
    struct slim_view target; /* into struct log_state.text; empty: every target */
    enum slim_log_level level;
};

/* Written by slim_log_init and slim_log_fini while no other thread logs; read by all. */
static struct log_state {
    int fd;
    bool display_thread_names;
    bool display_thread_ids;
    bool colour;
    bool is_json;
    enum slim_log_level level;
    uint8_t *text; /* copy of the directives */
    size_t directive_count;
    struct directive directives[DIRECTIVE_COUNT_MAX];
} state;

_Atomic int slim_log_level_min = SLIM_LOG_OFF;

static _Atomic uint32_t thread_count; /* threads named so far */
static _Atomic size_t
    name_width; /* longest thread name printed so far; grows only; relaxed: it aligns columns */

static _Thread_local struct {
    char name[THREAD_NAME_MAX];
    size_t name_len;
    const char *span;
    uint32_t id; /* 0: not named yet */
} thread;

/* ---------------------------------------------------------------------------------------------------- levels */

static const char *const level_names[] = {"trace", "debug", "info", "warn", "error", "off"};

enum slim_status slim_log_level_parse(struct slim_view text, enum slim_log_level *level)
{
    for (size_t i = 0; i < SLIM_COUNT(level_names); i++) {
        if (text.len == strlen(level_names[i]) &&
            strncasecmp((const char *)text.data, level_names[i], text.len) == 0) {
            *level = (enum slim_log_level)i;
            return SLIM_OK;
        }
    }
    return SLIM_ERR_CONFIG;
}

/* As slim_log_level_parse; "0" (off) to "5" (trace) too, as RUST_LOG knows them. */
static bool is_level(struct slim_view text, enum slim_log_level *level)
{
    if (text.len == 1 && text.data[0] >= '0' && text.data[0] <= '5') {
        *level = (enum slim_log_level)(SLIM_LOG_OFF - (text.data[0] - '0'));
        return true;
    }
    return slim_log_level_parse(text, level) == SLIM_OK;
}

static struct slim_view trimmed(struct slim_view text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text = slim_view_skip(text, 1);
    }
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t')) {
        text.len--;
    }
    return text;
}

static bool is_target(struct slim_view text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_word && c != '_' && c != ':' && c != '-' && c != '.') {
            return false;
        }
    }
    return true;
}

/* Put one directive into force; a later one for the same target replaces the earlier one. */
static enum slim_status put_directive(struct slim_view text, struct slim_error *error)
{
    struct directive made = {.level = SLIM_LOG_TRACE};
    const uint8_t *equals = memchr(text.data, '=', text.len);
    if (is_level(text, &made.level)) {
        state.level = made.level;
        return SLIM_OK;
    }
    made.target = text;
    if (equals != NULL) {
        made.target.len = (size_t)(equals - text.data);
        struct slim_view level = slim_view_skip(text, made.target.len + 1);
        if (!is_level(trimmed(level), &made.level)) {
            return slim_error_set(
                error, SLIM_ERR_CONFIG,
                "ignoring `%.*s`: error parsing level filter: expected one of \"off\", \"error\", "
                "\"warn\", \"info\", \"debug\", \"trace\", or a number 0-5",
                SLIM_VIEW_ARG(text));
        }
    }
    made.target = trimmed(made.target);
    if (!is_target(made.target)) {
        return slim_error_set(
            error, SLIM_ERR_CONFIG,
            "ignoring `%.*s`: a directive is \"target=level\" or \"level\"; spans and fields in "
            "brackets are not supported",
            SLIM_VIEW_ARG(text));
    }
    for (size_t i = 0; i < state.directive_count; i++) {
        if (slim_view_is_equal(state.directives[i].target, made.target)) {
            state.directives[i] = made;
            return SLIM_OK;
        }
    }
    if (state.directive_count == DIRECTIVE_COUNT_MAX) {
        return slim_error_set(error, SLIM_ERR_CONFIG,
                              "ignoring `%.*s`: more than %d log directives", SLIM_VIEW_ARG(text),
                              DIRECTIVE_COUNT_MAX);
    }
    state.directives[state.directive_count++] = made;
    return SLIM_OK;
}

static enum slim_status put_directives(struct slim_view rest, struct slim_error *error)
{
    enum slim_status first = SLIM_OK;
    while (rest.len > 0) {
        const uint8_t *comma = memchr(rest.data, ',', rest.len);
        struct slim_view one = {rest.data, comma == NULL ? rest.len : (size_t)(comma - rest.data)};
        rest = slim_view_skip(rest, comma == NULL ? rest.len : one.len + 1);
        one = trimmed(one);
        if (one.len == 0) {
            continue;
        }
        enum slim_status status = put_directive(one, first == SLIM_OK ? error : NULL);
        first = first == SLIM_OK ? status : first;
    }
    return first;
}

static int lowest_level(void)
{
    int lowest = (int)state.level;
    for (size_t i = 0; i < state.directive_count; i++) {
        if ((int)state.directives[i].level < lowest) {
            lowest = (int)state.directives[i].level;
        }
    }
    return lowest;
}

enum slim_status slim_log_init(const struct slim_log_options *options, struct slim_error *error)
{
    slim_log_fini();
    state.fd = options->fd;
    state.level = options->level;
    state.display_thread_names = options->display_thread_names;
    state.display_thread_ids = options->display_thread_ids;
    state.is_json = options->is_json;
    state.colour = options->colour && !options->is_json;
    enum slim_status status = SLIM_OK;
    if (options->directives.len > 0) {
        state.text = malloc(options->directives.len);
        if (state.text == NULL) {
            return slim_error_set(error, SLIM_ERR_NO_MEMORY, "no memory for the log directives");
        }
        memcpy(state.text, options->directives.data, options->directives.len);
        status = put_directives(slim_view_of(state.text, options->directives.len), error);
    }
    atomic_store_explicit(&slim_log_level_min, lowest_level(), memory_order_relaxed);
    return status;
}

void slim_log_fini(void)
{
    atomic_store_explicit(&slim_log_level_min, SLIM_LOG_OFF, memory_order_relaxed);
    free(state.text);
    state = (struct log_state){.fd = -1, .level = SLIM_LOG_OFF};
}

bool slim_log_is_on(enum slim_log_level level, const char *target)
{
    if (level == SLIM_LOG_OFF ||
        (int)level < atomic_load_explicit(&slim_log_level_min, memory_order_relaxed)) {
        return false;
    }
    struct slim_view name = slim_view_str(target);
    const struct directive *best = NULL;
    for (size_t i = 0; i < state.directive_count; i++) {
        const struct directive *each = &state.directives[i];
        if (slim_view_has_prefix(name, each->target) &&
            (best == NULL || each->target.len > best->target.len)) {
            best = each;
        }
    }
    return level >= (best == NULL ? state.level : best->level);
}

/* ---------------------------------------------------------------------------------------------------- threads */

void slim_log_thread(const char *name, const char *span)
{
    thread.name_len = strnlen(name, THREAD_NAME_MAX - 1);
    memcpy(thread.name, name, thread.name_len);
    thread.name[thread.name_len] = '\0';
    thread.span = span;
    if (thread.id == 0) {
        thread.id = atomic_fetch_add(&thread_count, 1) + 1;
    }
}

static size_t widened(size_t len)
{
    size_t width = atomic_load_explicit(&name_width, memory_order_relaxed);
    while (width < len &&
           !atomic_compare_exchange_weak_explicit(&name_width, &width, len, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
    return width < len ? len : width;
}

/* ---------------------------------------------------------------------------------------------------- one line */

struct line {
    size_t len;
    bool is_cut;
    char data[LINE_BYTES_MAX];
};

/* Append, keeping room for the end of the line; what does not fit is left out. */
static void put_view(struct line *line, struct slim_view text)
{
    size_t room = LINE_BYTES_MAX - END_BYTES_MAX - line->len;
    if (line->is_cut || text.len > room) {
        line->is_cut = true;
        return;
    }
    if (text.len > 0) {
        memcpy(line->data + line->len, text.data, text.len);
        line->len += text.len;
    }
}

static void put_str(struct line *line, const char *text)
{
    put_view(line, slim_view_str(text));
}

SLIM_PRINTF(2, 3) static void put_format(struct line *line, const char *format, ...)
{
    char text[64];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    assert(len >= 0 && (size_t)len < sizeof(text)); /* used for numbers and short words only */
    put_view(line, slim_view_of(text, (size_t)len));
}

/* Text in an ANSI style such as "2" (dim), when colours are on. */
static void put_styled(struct line *line, const char *style, const char *text)
{
    if (!state.colour) {
        put_str(line, text);
        return;
    }
    put_format(line, "\x1b[%sm", style);
    put_str(line, text);
    put_str(line, STYLE_END);
}

static void format_time(char text[static STAMP_BYTES_MAX])
{
    uint64_t now_us = slim_clock_wall_us();
    time_t seconds = (time_t)(now_us / 1000000U);
    struct tm utc;
    if (gmtime_r(&seconds, &utc) == NULL) {
        utc =
            (struct tm){.tm_mday = 1}; /* a year beyond int: the line matters more than its time */
    }
    size_t len = strftime(text, STAMP_BYTES_MAX, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(text + len, STAMP_BYTES_MAX - len, ".%06uZ",
                   (unsigned)(now_us % 1000000U)); /* fits */
}

static void put_time(struct line *line)
{
    char text[STAMP_BYTES_MAX];
    format_time(text);
    put_styled(line, "2", text);
    put_str(line, " ");
}

static void put_level(struct line *line, enum slim_log_level level)
{
    static const struct {
        const char *colour;
        const char *text;
    } levels[] = {
        {"35", "TRACE"}, {"34", "DEBUG"}, {"32", " INFO"}, {"33", " WARN"}, {"31", "ERROR"}};
    assert((size_t)level < SLIM_COUNT(levels));
    put_styled(line, levels[level].colour, levels[level].text);
    put_str(line, " ");
}

static void put_thread(struct line *line)
{
    if (state.display_thread_names) {
        put_format(line, "%*s ", (int)widened(thread.name_len), thread.name);
    }
    if (state.display_thread_ids) {
        put_format(line, "ThreadId(%02u) ", thread.id);
    }
    if (thread.span != NULL && thread.span[0] != '\0') {
        put_styled(line, "1", thread.span);
        put_styled(line, "2", ":");
        put_str(line, " ");
    }
}

/* Length of the well-formed, printable UTF-8 sequence at the front of `text`, or 0. */
static size_t printable_len(struct slim_view text)
{
    uint8_t first = text.data[0];
    if (first < 0x80) {
        return first >= 0x20 && first != 0x7f ? 1 : 0;
    }
    size_t len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (len > text.len || !slim_utf8_is_valid(slim_view_of(text.data, len))) {
        return 0;
    }
    return first == 0xc2 && text.data[1] < 0xa0 ? 0
                                                : len; /* U+0080 to U+009F steer terminals too */
}

/* Append a value so that it stays on its line and cannot steer a terminal. */
static void put_escaped(struct line *line, struct slim_view text, bool is_quoted)
{
    while (text.len > 0 && !line->is_cut) {
        uint8_t first = text.data[0];
        size_t len = printable_len(text);
        if (is_quoted && (first == '"' || first == '\\')) {
            put_format(line, "\\%c", first);
        } else if (len > 0) {
            put_view(line, slim_view_of(text.data, len));
        } else if (first == '\n' || first == '\r' || first == '\t') {
            put_str(line, first == '\n' ? "\\n" : first == '\r' ? "\\r" : "\\t");
        } else {
            put_format(line, is_quoted && first < 0x80 ? "\\u{%x}" : "\\x%02x", first);
        }
        text = slim_view_skip(text, len > 0 ? len : 1);
    }
}

static void put_field(struct line *line, const struct slim_log_field *field)
{
    put_str(line, " ");
    put_styled(line, "3", field->key);
    put_styled(line, "2", "=");
    switch (field->kind) {
    case SLIM_LOG_FIELD_STR:
        put_escaped(line, field->text, false);
        break;
    case SLIM_LOG_FIELD_QUOTED:
        put_str(line, "\"");
        put_escaped(line, field->text, true);
        put_str(line, "\"");
        break;
    case SLIM_LOG_FIELD_U64:
        put_format(line, "%lu", field->number);
        break;
    }
}

/* The end of a line: it is written even when what came before was too long. put_view kept room for it. */
static void put_raw(struct line *line, const char *text)
{
    size_t len = strlen(text);
    assert(line->len + len <= LINE_BYTES_MAX);
    memcpy(line->data + line->len, text, len);
    line->len += len;
}

static void put_text_line(struct line *line, enum slim_log_level level, const char *target,
                          unsigned source_line, const char *message,
                          const struct slim_log_field *fields)
{
    put_time(line);
    put_level(line, level);
    put_thread(line);
    put_styled(line, "2", target);
    put_styled(line, "2", ":");
    put_str(line, " ");
    char number[16];
    (void)snprintf(number, sizeof(number), "%u:", source_line); /* ten digits at most */
    put_styled(line, "2", number);
    put_str(line, " ");
    put_str(line, message);
    for (; fields->key != NULL; fields++) {
        put_field(line, fields);
    }
    if (line->is_cut) {
        put_raw(line, state.colour ? STYLE_END CUT_MARK : CUT_MARK);
    }
    put_raw(line, "\n");
}

/* ---------------------------------------------------------------------------------------------------- JSON */

/* The inside of a JSON string. Bytes that are no UTF-8 become U+FFFD, and so does a zero, which many readers refuse; what could
 * steer a terminal is escaped. */
static void put_json_escaped(struct line *line, struct slim_view text)
{
    while (text.len > 0 && !line->is_cut) {
        uint8_t first = text.data[0];
        size_t len = printable_len(text);
        if (first == '"' || first == '\\') {
            put_format(line, "\\%c", first);
        } else if (len > 0) {
            put_view(line, slim_view_of(text.data, len));
        } else if (first > 0 && first < 0x80) {
            put_format(line, "\\u%04x", first);
        } else if (first == 0xc2 && text.len > 1 && text.data[1] < 0xc0 && text.data[1] >= 0x80) {
            put_format(line, "\\u%04x", text.data[1]); /* U+0080 to U+009F */
            len = 2;
        } else {
            put_str(line, "\\ufffd");
        }
        text = slim_view_skip(text, len > 0 ? len : 1);
    }
}

/* ,"key":"text" - or the beginning of the text, or nothing at all when the line is full. `lead` is "{", "," or "". */
static void put_json_text(struct line *line, const char *lead, const char *key,
                          struct slim_view text)
{
    size_t mark = line->len;
    put_str(line, lead);
    put_str(line, "\"");
    put_str(line, key);
    put_str(line, "\":\"");
    if (line->is_cut) {
        line->len = mark;
        return;
    }
    put_json_escaped(line, text);
    put_raw(line, line->is_cut ? CUT_MARK "\"" : "\"");
}

static void put_json_number(struct line *line, const char *lead, const char *key, uint64_t number)
{
    size_t mark = line->len;
    put_str(line, lead);
    put_str(line, "\"");
    put_str(line, key);
    put_format(line, "\":%lu", number);
    if (line->is_cut) {
        line->len = mark;
    }
}

static void put_json_line(struct line *line, enum slim_log_level level, const char *target,
                          unsigned source_line, const char *message,
                          const struct slim_log_field *fields)
{
    static const char *const levels[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"};
    char text[STAMP_BYTES_MAX];
    assert((size_t)level < SLIM_COUNT(levels));
    format_time(text);
    put_json_text(line, "{", "timestamp", slim_view_str(text));
    put_json_text(line, ",", "level", slim_view_str(levels[level]));
    put_json_text(line, ",", "target", slim_view_str(target));
    put_json_number(line, ",", "line_number", source_line);
    if (state.display_thread_names) {
        put_json_text(line, ",", "threadName",
                      slim_view_of((const uint8_t *)thread.name, thread.name_len));
    }
    if (state.display_thread_ids) {
        (void)snprintf(text, sizeof(text), "ThreadId(%u)", thread.id); /* fits */
        put_json_text(line, ",", "threadId", slim_view_str(text));
    }
    if (thread.span != NULL && thread.span[0] != '\0') {
        put_json_text(line, ",\"span\":{", "name", slim_view_str(thread.span));
        put_str(line, "}");
    }
    /* targets, spans and messages are our own literals: so far everything fits */
    put_json_text(line, ",\"fields\":{", "message", slim_view_str(message));
    for (; fields->key != NULL; fields++) {
        if (fields->kind == SLIM_LOG_FIELD_U64) {
            put_json_number(line, ",", fields->key, fields->number);
        } else {
            put_json_text(line, ",", fields->key, fields->text);
        }
    }
    put_raw(line, "}}\n");
}

/* Write the whole line. A log that cannot be written (reader gone, disk full) must not stop the node: it is dropped. */
static void write_line(const char *data, size_t len)
{
    while (len > 0) {
        ssize_t written = write(state.fd, data, len);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return;
        }
        data += written;
        len -= (size_t)written;
    }
}

void slim_log_line(enum slim_log_level level, const char *target, unsigned source_line,
                   const char *message, const struct slim_log_field *fields)
{
    if (!slim_log_is_on(level, target)) {
        return;
    }
    int errno_before =
        errno; /* a log line between a failed call and the look at errno must not change it */
    struct line line;
    line.len = 0;
    line.is_cut = false;
    if (thread.id == 0) {
        slim_log_thread("unnamed", "");
    }
    if (state.is_json) {
        put_json_line(&line, level, target, source_line, message, fields);
    } else {
        put_text_line(&line, level, target, source_line, message, fields);
    }
    write_line(line.data, line.len);
    errno = errno_before;
}

/* ---------------------------------------------------------------------------------------------------- rate limit */

bool slim_log_limit_pass(struct slim_log_limit *limit, uint32_t *suppressed)
{
    uint64_t now_ms = slim_clock_ms();
    uint64_t start_ms = atomic_load(&limit->period_start_ms);
    /* one thread wins the exchange and opens the new period; the others count against it. Signed: it may have begun after
     * we read the clock */
    if ((int64_t)(now_ms - start_ms) >= SLIM_LOG_LIMIT_PERIOD_MS &&
        atomic_compare_exchange_strong(&limit->period_start_ms, &start_ms, now_ms)) {
        atomic_store(&limit->line_count, 1);
        *suppressed = atomic_exchange(&limit->suppressed_count, 0);
        return true;
    }
    if (atomic_load(&limit->line_count) < SLIM_LOG_LIMIT_LINES &&
        atomic_fetch_add(&limit->line_count, 1) < SLIM_LOG_LIMIT_LINES) {
        *suppressed = atomic_exchange(&limit->suppressed_count, 0);
        return true;
    }
    atomic_fetch_add(&limit->suppressed_count, 1);
    return false;
}
