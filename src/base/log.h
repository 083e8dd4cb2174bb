/* Log lines in the format of the reference node (spec node.md 5).
 *
 *   TIME LEVEL [THREADNAME] [ThreadId(NN)] [SPAN: ]TARGET: LINE: MESSAGE k=v k=v
 *
 * or, with is_json, one object per line with the member names of the reference's logging library:
 *
 *   {"timestamp":TIME,"level":"INFO","target":T,"line_number":N,"threadName":"main","threadId":"ThreadId(1)",
 *    "span":{"name":S},"fields":{"message":M,"k":"v","n":1}}
 *
 * Each .c file that logs defines its target first:
 *   #define SLIM_LOG_TARGET "slim_datapath::message_processing"
 *   slim_log(INFO, "connection closed by peer", SLIM_LOG_U64("conn_index", id));
 *
 * No key, token, identity string or payload ever goes into a line. A line that a peer can provoke is rate limited:
 *   static struct slim_log_limit limit;     (one per kind of line, or one per loop)
 *   slim_log_limited(&limit, WARN, "message dropped", ...);
 *
 * Threads: slim_log_init and slim_log_fini while no other thread logs; everything else from any thread. A line is one
 * write. */
#ifndef SLIM_BASE_LOG_H
#define SLIM_BASE_LOG_H

#include <stdatomic.h>

#include "base/status.h"
#include "base/view.h"

enum slim_log_level {
    SLIM_LOG_TRACE,
    SLIM_LOG_DEBUG,
    SLIM_LOG_INFO,
    SLIM_LOG_WARN,
    SLIM_LOG_ERROR,
    SLIM_LOG_OFF,
};

/* One k=v at the end of a line. str: printed as it is (control characters escaped); quoted: in double quotes with \ escapes. */
struct slim_log_field {
    const char *key; /* NULL: no field */
    enum { SLIM_LOG_FIELD_STR, SLIM_LOG_FIELD_QUOTED, SLIM_LOG_FIELD_U64 } kind;
    struct slim_view text;
    uint64_t number;
};

#define SLIM_LOG_STR(key_, cstr)                                                                   \
    ((struct slim_log_field){                                                                      \
        .key = (key_), .kind = SLIM_LOG_FIELD_STR, .text = slim_view_str(cstr)})
#define SLIM_LOG_VIEW(key_, view_)                                                                 \
    ((struct slim_log_field){.key = (key_), .kind = SLIM_LOG_FIELD_STR, .text = (view_)})
#define SLIM_LOG_QUOTED(key_, view_)                                                               \
    ((struct slim_log_field){.key = (key_), .kind = SLIM_LOG_FIELD_QUOTED, .text = (view_)})
#define SLIM_LOG_U64(key_, value_)                                                                 \
    ((struct slim_log_field){.key = (key_), .kind = SLIM_LOG_FIELD_U64, .number = (value_)})

/* fd                     where lines go; 1 for the node
 * level                  level of every target that no directive names; SLIM_LOG_OFF silences them
 * directives             "target=level" or "level", comma separated, the longest matching target prefix wins (spec 5.3);
 *                        empty: `level` for all. Borrowed during slim_log_init only.
 * display_thread_names   as tracing.display_thread_names;  display_thread_ids likewise
 * colour                 ANSI colours as the reference writes them; none in JSON
 * is_json                objects instead of text */
struct slim_log_options {
    int fd;
    enum slim_log_level level;
    struct slim_view directives;
    bool display_thread_names;
    bool display_thread_ids;
    bool colour;
    bool is_json;
};

/* Start logging. Before it and after slim_log_fini nothing is printed. SLIM_ERR_CONFIG with a sentence in *error: a
 * directive cannot be understood (the others are in force). SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_log_init(const struct slim_log_options *options,
                                               struct slim_error *error);
void slim_log_fini(void);

/* Parse "trace", "debug", "info", "warn", "error" or "off" in any case. SLIM_ERR_CONFIG: something else. */
SLIM_MUST_CHECK enum slim_status slim_log_level_parse(struct slim_view text,
                                                      enum slim_log_level *level);

/* Name of the calling thread in log lines (copied, at most 31 bytes), and the span printed before its targets ("" for
 * none; a literal, kept). ThreadId counts threads in the order in which they were named. */
void slim_log_thread(const char *name, const char *span);

/* True when a line of this level and target would be printed. Cheap: a relaxed load decides for levels nobody asked for. */
bool slim_log_is_on(enum slim_log_level level, const char *target);

/* Print a line. `fields` ends with a field whose key is NULL. Call it through the macros below. */
void slim_log_line(enum slim_log_level level, const char *target, unsigned line,
                   const char *message, const struct slim_log_field *fields);

/* At most LINES lines in PERIOD; the first line after a silence says how many were left out (suppressed=N). Zeroed = ready. */
enum { SLIM_LOG_LIMIT_LINES = 10, SLIM_LOG_LIMIT_PERIOD_MS = 10000 };
struct slim_log_limit {
    _Atomic uint64_t period_start_ms;
    _Atomic uint32_t line_count;
    _Atomic uint32_t suppressed_count;
};

/* True when a line may be printed now; *suppressed is how many were left out since the last one. */
bool slim_log_limit_pass(struct slim_log_limit *limit, uint32_t *suppressed);

extern _Atomic int
    slim_log_level_min; /* the lowest level that any target prints; written by slim_log_init only */

#define slim_log(level, message, ...)                                                              \
    slim_log_as(SLIM_LOG_TARGET, level, message __VA_OPT__(, ) __VA_ARGS__)

/* As slim_log, for the few lines whose target is not that of their file. */
#define slim_log_as(target, level, message, ...)                                                   \
    do {                                                                                           \
        if (SLIM_LOG_##level >= atomic_load_explicit(&slim_log_level_min, memory_order_relaxed) && \
            slim_log_is_on(SLIM_LOG_##level, target)) {                                            \
            slim_log_line(                                                                         \
                SLIM_LOG_##level, target, __LINE__, message,                                       \
                (const struct slim_log_field[]){__VA_ARGS__ __VA_OPT__(, ){.key = NULL}});         \
        }                                                                                          \
    } while (0)

#define slim_log_limited(limit, level, message, ...)                                               \
    do {                                                                                           \
        uint32_t slim_log_left_out_;                                                               \
        if (SLIM_LOG_##level >= atomic_load_explicit(&slim_log_level_min, memory_order_relaxed) && \
            slim_log_is_on(SLIM_LOG_##level, SLIM_LOG_TARGET) &&                                   \
            slim_log_limit_pass(limit, &slim_log_left_out_)) {                                     \
            slim_log_line(SLIM_LOG_##level, SLIM_LOG_TARGET, __LINE__, message,                    \
                          (const struct slim_log_field[]){                                         \
                              __VA_ARGS__ __VA_OPT__(, ){                                          \
                                  .key = slim_log_left_out_ > 0 ? "suppressed" : NULL,             \
                                  .kind = SLIM_LOG_FIELD_U64,                                      \
                                  .number = slim_log_left_out_},                                   \
                              {.key = NULL}});                                                     \
        }                                                                                          \
    } while (0)

#endif
