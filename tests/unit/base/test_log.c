#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "support/check.h"

#define SLIM_LOG_TARGET "slim_service::service"

enum {
    LOG_BYTES_MAX = 1 << 20,
    STAMP_LEN = sizeof("2026-11-22T10:41:59.549512Z") - 1,
};

static int log_fd = -1;

/* Start a log into memory. */
static enum slim_status begin(const struct slim_log_options *wanted, struct slim_error *error)
{
    struct slim_log_options options = *wanted;
    log_fd = memfd_create("log", MFD_CLOEXEC);
    assert_true(log_fd >= 0);
    /* Linux does not lock the file position of a memfd as it does for files that were opened by name */
    assert_int_equal(fcntl(log_fd, F_SETFL, O_APPEND), 0);
    options.fd = log_fd;
    return slim_log_init(&options, error);
}

/* End it; what was written, zero-terminated, to be freed. */
static char *end(void)
{
    slim_log_fini();
    char *text = calloc(1, LOG_BYTES_MAX);
    assert_non_null(text);
    ssize_t len = pread(log_fd, text, LOG_BYTES_MAX - 1, 0);
    assert_true(len >= 0);
    assert_int_equal(close(log_fd), 0);
    return text;
}

static bool is_stamp(const char *text)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.ddddddZ";
    for (size_t i = 0; i < STAMP_LEN; i++) {
        if (shape[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i]) {
            return false;
        }
    }
    return true;
}

/* The one line written begins with a time, and goes on with `rest`. */
static void check_line(const char *why, const char *text, const char *rest)
{
    CHECK_ROW(why, is_stamp(text));
    if (strcmp(text + STAMP_LEN, rest) != 0) {
        print_error("got: %s\n", text + STAMP_LEN);
    }
    CHECK_ROW(why, strcmp(text + STAMP_LEN, rest) == 0);
}

static void print(enum slim_log_level level, const char *target,
                  const struct slim_log_field *fields)
{
    static const struct slim_log_field none = {.key = NULL};
    slim_log_line(level, target, 53, "message", fields == NULL ? &none : fields);
}

/* ---------------------------------------------------------------------------------------------------- lines */

static void lines_have_the_parts_that_are_switched_on(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        bool names, ids;
        const char *span;
        enum slim_log_level level;
        const char *rest;
    } rows[] = {
        {"everything", true, true, "application_lifecycle", SLIM_LOG_INFO,
         "  INFO main ThreadId(01) application_lifecycle: slim: 53: message\n"},
        {"no ids", true, false, "application_lifecycle", SLIM_LOG_WARN,
         "  WARN main application_lifecycle: slim: 53: message\n"},
        {"no names", false, true, "", SLIM_LOG_ERROR, " ERROR ThreadId(01) slim: 53: message\n"},
        {"neither", false, false, "", SLIM_LOG_DEBUG, " DEBUG slim: 53: message\n"},
        {"the lowest level", false, false, "", SLIM_LOG_TRACE, " TRACE slim: 53: message\n"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        CHECK_OK(begin(&(struct slim_log_options){.level = SLIM_LOG_TRACE,
                                                  .display_thread_names = rows[i].names,
                                                  .display_thread_ids = rows[i].ids},
                       NULL));
        slim_log_thread("main", rows[i].span);
        print(rows[i].level, "slim", NULL);
        char *text = end();
        check_line(rows[i].why, text, rows[i].rest);
        free(text);
    }
}

static void colours_are_those_of_the_reference(void **state)
{
    (void)state;
    CHECK_OK(begin(&(struct slim_log_options){.level = SLIM_LOG_INFO,
                                              .display_thread_names = true,
                                              .display_thread_ids = true,
                                              .colour = true},
                   NULL));
    slim_log_thread("main", "application_lifecycle");
    print(SLIM_LOG_INFO, "slim_service::service",
          (const struct slim_log_field[]){SLIM_LOG_STR("endpoint", "127.0.0.1:57391"),
                                          {.key = NULL}});
    char *text = end();
    CHECK(strncmp(text, "\x1b[2m", 4) == 0);
    check_line("recorded from the reference", text + 4,
               "\x1b[0m \x1b[32m INFO\x1b[0m main ThreadId(01) "
               "\x1b[1mapplication_lifecycle\x1b[0m\x1b[2m:\x1b[0m "
               "\x1b[2mslim_service::service\x1b[0m\x1b[2m:\x1b[0m \x1b[2m53:\x1b[0m message "
               "\x1b[3mendpoint\x1b[0m\x1b[2m=\x1b[0m127.0.0.1:57391\n");
    free(text);
}

static void macro_names_target_and_source_line(void **state)
{
    (void)state;
    CHECK_OK(begin(&(struct slim_log_options){.level = SLIM_LOG_INFO}, NULL));
    slim_log_thread("main", "");
    slim_log(INFO, "client connected", SLIM_LOG_STR("endpoint", "x"), SLIM_LOG_U64("conn_id", 7));
    int line = __LINE__ - 1;
    slim_log(DEBUG, "not printed");
    char *text = end();
    char want[200];
    (void)snprintf(want, sizeof(want),
                   "  INFO slim_service::service: %d: client connected endpoint=x conn_id=7\n",
                   line);
    check_line("macro", text, want);
    free(text);
}

static void values_stay_on_their_line(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        struct slim_log_field field;
        const char *rest;
    } rows[] = {
        {"plain", {"k", SLIM_LOG_FIELD_STR, {(const uint8_t *)"a b=c", 5}, 0}, "a b=c"},
        {"empty", {"k", SLIM_LOG_FIELD_STR, {NULL, 0}, 0}, ""},
        {"line ends",
         {"k", SLIM_LOG_FIELD_STR, {(const uint8_t *)"a\n\r\tb", 5}, 0},
         "a\\n\\r\\tb"},
        {"an escape sequence",
         {"k", SLIM_LOG_FIELD_STR, {(const uint8_t *)"\x1b[31m", 5}, 0},
         "\\x1b[31m"},
        {"delete", {"k", SLIM_LOG_FIELD_STR, {(const uint8_t *)"\x7f", 1}, 0}, "\\x7f"},
        {"a zero", {"k", SLIM_LOG_FIELD_STR, {(const uint8_t *)"a\0b", 3}, 0}, "a\\x00b"},
        {"UTF-8",
         {"k", SLIM_LOG_FIELD_STR, {(const uint8_t *)"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9}, 0},
         "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"not UTF-8", {"k", SLIM_LOG_FIELD_STR, {(const uint8_t *)"\xff\xc3", 2}, 0}, "\\xff\\xc3"},
        {"control characters of U+0080 and up",
         {"k", SLIM_LOG_FIELD_STR, {(const uint8_t *)"\xc2\x9b", 2}, 0},
         "\\xc2\\x9b"},
        {"quotes are plain in plain values",
         {"k", SLIM_LOG_FIELD_STR, {(const uint8_t *)"\"\\", 2}, 0},
         "\"\\"},
        {"quoted",
         {"k", SLIM_LOG_FIELD_QUOTED, {(const uint8_t *)"a\"\\\n\x1b", 5}, 0},
         "\"a\\\"\\\\\\n\\u{1b}\""},
        {"a number", {"k", SLIM_LOG_FIELD_U64, {NULL, 0}, UINT64_MAX}, "18446744073709551615"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        CHECK_OK(begin(&(struct slim_log_options){.level = SLIM_LOG_INFO}, NULL));
        print(SLIM_LOG_INFO, "t", (const struct slim_log_field[]){rows[i].field, {.key = NULL}});
        char *text = end();
        char want[200];
        (void)snprintf(want, sizeof(want), "  INFO t: 53: message k=%s\n", rows[i].rest);
        check_line(rows[i].why, text, want);
        free(text);
    }
}

static void long_lines_are_cut_with_their_colours_closed(void **state)
{
    (void)state;
    static char value[10000];
    memset(value, 'v', sizeof(value) - 1);
    for (int colour = 0; colour < 2; colour++) {
        CHECK_OK(
            begin(&(struct slim_log_options){.level = SLIM_LOG_INFO, .colour = colour == 1}, NULL));
        slim_log(INFO, "m", SLIM_LOG_STR("k", value));
        char *text = end();
        size_t len = strlen(text);
        CHECK(len <= 4096 && len > 4000);
        CHECK(strcmp(text + len - 4, "...\n") == 0 && strchr(text, '\n') == text + len - 1);
        CHECK(colour == 0 || strcmp(text + len - 8, "\x1b[0m...\n") == 0);
        free(text);
    }
}

/* ---------------------------------------------------------------------------------------------------- JSON */

#define JSON_START "{\"timestamp\":\""

/* The one line written begins with a time, goes on with `rest`, and is JSON. */
static void check_json(const char *why, const char *text, const char *rest)
{
    size_t start_len = strlen(JSON_START);
    CHECK_ROW(why, strncmp(text, JSON_START, start_len) == 0 && is_stamp(text + start_len));
    if (strcmp(text + start_len + STAMP_LEN, rest) != 0) {
        print_error("got: %s\n", text + start_len + STAMP_LEN);
    }
    CHECK_ROW(why, strcmp(text + start_len + STAMP_LEN, rest) == 0);
    struct slim_json_limits limits = {.bytes_max = 4096, .depth_max = 4};
    struct slim_json *json = NULL;
    CHECK_ROW(why, slim_json_parse(slim_view_str(text), &limits, &json, NULL) == SLIM_OK);
    slim_json_free(json);
}

static void json_lines_have_the_parts_that_are_switched_on(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        bool names, ids, colour;
        const char *span;
        enum slim_log_level level;
        const char *rest;
    } rows[] = {
        {"everything", true, true, false, "application_lifecycle", SLIM_LOG_INFO,
         "\",\"level\":\"INFO\",\"target\":\"slim\",\"line_number\":53,\"threadName\":\"main\","
         "\"threadId\":\"ThreadId(1)\",\"span\":{\"name\":\"application_lifecycle\"},"
         "\"fields\":{\"message\":\"message\"}}\n"},
        {"no thread, no span", false, false, false, "", SLIM_LOG_TRACE,
         "\",\"level\":\"TRACE\",\"target\":\"slim\",\"line_number\":53,"
         "\"fields\":{\"message\":\"message\"}}\n"},
        {"colours are for text", false, false, true, "", SLIM_LOG_ERROR,
         "\",\"level\":\"ERROR\",\"target\":\"slim\",\"line_number\":53,"
         "\"fields\":{\"message\":\"message\"}}\n"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        CHECK_OK(begin(&(struct slim_log_options){.level = SLIM_LOG_TRACE,
                                                  .display_thread_names = rows[i].names,
                                                  .display_thread_ids = rows[i].ids,
                                                  .colour = rows[i].colour,
                                                  .is_json = true},
                       NULL));
        slim_log_thread("main", rows[i].span);
        print(rows[i].level, "slim", NULL);
        char *text = end();
        check_json(rows[i].why, text, rows[i].rest);
        free(text);
    }
}

static void json_values_are_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        struct slim_log_field field;
        const char *value;
    } rows[] = {
        {"plain", {"k", SLIM_LOG_FIELD_STR, {(const uint8_t *)"a b=c", 5}, 0}, "\"a b=c\""},
        {"empty", {"k", SLIM_LOG_FIELD_STR, {NULL, 0}, 0}, "\"\""},
        {"quotes and backslashes",
         {"k", SLIM_LOG_FIELD_STR, {(const uint8_t *)"a\"\\b", 4}, 0},
         "\"a\\\"\\\\b\""},
        {"quoted is not quoted twice",
         {"k", SLIM_LOG_FIELD_QUOTED, {(const uint8_t *)"a\"", 2}, 0},
         "\"a\\\"\""},
        {"line ends and a zero",
         {"k", SLIM_LOG_FIELD_STR, {(const uint8_t *)"a\n\r\t\0", 5}, 0},
         "\"a\\u000a\\u000d\\u0009\\ufffd\""},
        {"an escape sequence and delete",
         {"k", SLIM_LOG_FIELD_STR, {(const uint8_t *)"\x1b[31m\x7f", 6}, 0},
         "\"\\u001b[31m\\u007f\""},
        {"UTF-8",
         {"k", SLIM_LOG_FIELD_STR, {(const uint8_t *)"\xc3\xa9\xf0\x9f\x98\x80", 6}, 0},
         "\"\xc3\xa9\xf0\x9f\x98\x80\""},
        {"not UTF-8",
         {"k", SLIM_LOG_FIELD_STR, {(const uint8_t *)"\xff\xc3", 2}, 0},
         "\"\\ufffd\\ufffd\""},
        {"half of a control character of U+0080 and up",
         {"k", SLIM_LOG_FIELD_STR, {(const uint8_t *)"\xc2", 1}, 0},
         "\"\\ufffd\""},
        {"control characters of U+0080 and up",
         {"k", SLIM_LOG_FIELD_STR, {(const uint8_t *)"\xc2\x9b!", 3}, 0},
         "\"\\u009b!\""},
        {"a number is a number", {"k", SLIM_LOG_FIELD_U64, {NULL, 0}, 42}, "42"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        CHECK_OK(begin(&(struct slim_log_options){.level = SLIM_LOG_INFO, .is_json = true}, NULL));
        slim_log_thread("main", "");
        print(SLIM_LOG_INFO, "t", (const struct slim_log_field[]){rows[i].field, {.key = NULL}});
        char *text = end();
        char want[300];
        (void)snprintf(want, sizeof(want),
                       "\",\"level\":\"INFO\",\"target\":\"t\",\"line_number\":53,"
                       "\"fields\":{\"message\":\"message\",\"k\":%s}}\n",
                       rows[i].value);
        check_json(rows[i].why, text, want);
        free(text);
    }
}

/* A value of every length around the limit, made of characters of every width: the line is cut, and still JSON. */
static void json_lines_that_are_too_long_stay_json(void **state)
{
    (void)state;
    static const char *const units[] = {"v", "\"", "\x1b", "\xe2\x82\xac"};
    static char value[8192];
    for (size_t unit = 0; unit < SLIM_COUNT(units); unit++) {
        size_t unit_len = strlen(units[unit]);
        for (size_t count = 600; count < 4100 / unit_len; count += count < 3900 ? 97 : 1) {
            for (size_t i = 0; i < count; i++) {
                memcpy(value + i * unit_len, units[unit], unit_len);
            }
            CHECK_OK(
                begin(&(struct slim_log_options){.level = SLIM_LOG_INFO, .is_json = true}, NULL));
            slim_log(INFO, "m",
                     SLIM_LOG_VIEW("k", slim_view_of((uint8_t *)value, count * unit_len)),
                     SLIM_LOG_U64("n", 1), SLIM_LOG_STR("z", "end"));
            char *text = end();
            struct slim_json_limits limits = {.bytes_max = 4096, .depth_max = 4};
            struct slim_json *json = NULL;
            struct slim_error error = {.text = ""};
            enum slim_status status = slim_json_parse(slim_view_str(text), &limits, &json, &error);
            CHECK_ROW(error.text, status == SLIM_OK);
            slim_json_free(json);
            free(text);
        }
    }
}

static void a_line_leaves_errno_alone(void **state)
{
    (void)state;
    CHECK_OK(slim_log_init(&(struct slim_log_options){.fd = -1, .level = SLIM_LOG_INFO}, NULL));
    errno = ENOENT;
    slim_log(INFO, "nowhere to go");
    CHECK(errno == ENOENT);
    slim_log_fini();
}

/* ---------------------------------------------------------------------------------------------------- threads */

static pthread_mutex_t print_lock = PTHREAD_MUTEX_INITIALIZER;

static void *print_as(void *name)
{
    slim_log_thread(name, "");
    assert_int_equal(pthread_mutex_lock(&print_lock), 0);
    slim_log_line(SLIM_LOG_INFO, "t", 1, "m", &(const struct slim_log_field){.key = NULL});
    assert_int_equal(pthread_mutex_unlock(&print_lock), 0);
    return NULL;
}

static void print_in_a_thread(const char *name)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, print_as, (char *)name), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void thread_names_align_to_the_longest_so_far(void **state)
{
    (void)state;
    CHECK_OK(begin(&(struct slim_log_options){.level = SLIM_LOG_INFO, .display_thread_names = true},
                   NULL));
    slim_log_thread("main", "");
    slim_log_line(SLIM_LOG_INFO, "t", 1, "before", &(const struct slim_log_field){.key = NULL});
    print_in_a_thread("slim-data-plane");
    slim_log_line(SLIM_LOG_INFO, "t", 1, "after", &(const struct slim_log_field){.key = NULL});
    print_in_a_thread("a-name-of-more-than-thirty-one-bytes");
    char *text = end();
    CHECK(strstr(text, " INFO main t: 1: before\n") != NULL);
    CHECK(strstr(text, " INFO slim-data-plane t: 1: m\n") != NULL);
    CHECK(strstr(text, " INFO            main t: 1: after\n") != NULL);
    CHECK(strstr(text, " INFO a-name-of-more-than-thirty-one-bytes") == NULL);
    CHECK(strstr(text, " INFO a-name-of-more-than-thirty-one- t: 1: m\n") != NULL);
    free(text);
}

static void thread_ids_count_threads_in_the_order_of_naming(void **state)
{
    (void)state;
    CHECK_OK(begin(&(struct slim_log_options){.level = SLIM_LOG_INFO, .display_thread_ids = true},
                   NULL));
    print_in_a_thread("x");
    print_in_a_thread("y");
    slim_log_thread("main", ""); /* naming again keeps the number */
    slim_log(INFO, "m");
    char *text = end();
    unsigned first = 0;
    unsigned second = 0;
    CHECK(sscanf(text + STAMP_LEN, "  INFO ThreadId(%u)", &first) == 1);
    CHECK(sscanf(strchr(text, '\n') + 1 + STAMP_LEN, "  INFO ThreadId(%u)", &second) == 1);
    CHECK(second == first + 1 && first > 1);
    CHECK(strstr(text, "ThreadId(01) slim_service::service") != NULL);
    free(text);
}

enum { WRITER_COUNT = 4, LINES_PER_WRITER = 500 };

static void *print_many(void *name)
{
    slim_log_thread(name, "");
    for (int i = 0; i < LINES_PER_WRITER; i++) {
        slim_log(INFO, "many", SLIM_LOG_STR("who", name), SLIM_LOG_U64("i", (uint64_t)i));
    }
    return NULL;
}

static void lines_of_several_threads_do_not_mix(void **state)
{
    (void)state;
    static const char *const names[WRITER_COUNT] = {"w1", "w2", "w3", "w4"};
    pthread_t threads[WRITER_COUNT];
    CHECK_OK(begin(&(struct slim_log_options){.level = SLIM_LOG_INFO}, NULL));
    for (size_t i = 0; i < WRITER_COUNT; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, print_many, (char *)names[i]), 0);
    }
    for (size_t i = 0; i < WRITER_COUNT; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    char *text = end();
    size_t count = 0;
    for (char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        CHECK(is_stamp(line) &&
              strncmp(line + STAMP_LEN, "  INFO slim_service::service: ", 30) == 0);
        CHECK(strchr(line, '\n') != NULL);
        count++;
    }
    CHECK(count == WRITER_COUNT * LINES_PER_WRITER);
    free(text);
}

/* ---------------------------------------------------------------------------------------------------- levels */

static void directives_decide_by_the_longest_prefix(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *directives;
        enum slim_log_level level; /* of targets that no directive names */
        enum slim_log_level want;
        const char *target;
        bool is_on;
    } rows[] = {
        {"no directive: the level decides", "", SLIM_LOG_INFO, SLIM_LOG_INFO, "slim", true},
        {"and refuses", "", SLIM_LOG_INFO, SLIM_LOG_DEBUG, "slim", false},
        {"off silences", "", SLIM_LOG_OFF, SLIM_LOG_ERROR, "slim", false},
        {"a bare level is for all", "debug", SLIM_LOG_OFF, SLIM_LOG_DEBUG, "anything", true},
        {"in any case", "DEBUG", SLIM_LOG_OFF, SLIM_LOG_DEBUG, "anything", true},
        {"as a number", "4", SLIM_LOG_OFF, SLIM_LOG_DEBUG, "anything", true},
        {"zero is off", "0", SLIM_LOG_INFO, SLIM_LOG_ERROR, "anything", false},
        {"the last bare level counts", "debug,error", SLIM_LOG_OFF, SLIM_LOG_INFO, "anything",
         false},
        {"a target", "slim=debug", SLIM_LOG_OFF, SLIM_LOG_DEBUG, "slim", true},
        {"is a prefix of text, not of modules", "slim=debug", SLIM_LOG_OFF, SLIM_LOG_DEBUG,
         "slim_service::x", true},
        {"others are silent", "slim=debug", SLIM_LOG_OFF, SLIM_LOG_ERROR, "other", false},
        {"the longest wins", "slim=debug,slim_service=error", SLIM_LOG_OFF, SLIM_LOG_INFO,
         "slim_service::x", false},
        {"in any order", "slim_service=error,slim=debug", SLIM_LOG_OFF, SLIM_LOG_INFO,
         "slim_service::x", false},
        {"and also upwards", "slim=error,slim_service=debug", SLIM_LOG_OFF, SLIM_LOG_DEBUG,
         "slim_service::x", true},
        {"the last of the same target counts", "slim=error,slim=debug", SLIM_LOG_OFF,
         SLIM_LOG_DEBUG, "slim", true},
        {"a target without level prints all", "slim", SLIM_LOG_OFF, SLIM_LOG_TRACE, "slim", true},
        {"a word that is no level is a target", "bogus", SLIM_LOG_OFF, SLIM_LOG_ERROR, "slim",
         false},
        {"blanks and empty parts are ignored", " , slim = debug ,,", SLIM_LOG_OFF, SLIM_LOG_DEBUG,
         "slim", true},
        {"nothing but a comma", ",", SLIM_LOG_OFF, SLIM_LOG_ERROR, "slim", false},
        {"a target can be switched off", "debug,slim=off", SLIM_LOG_OFF, SLIM_LOG_ERROR, "slim",
         false},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        CHECK_OK(slim_log_init(
            &(struct slim_log_options){
                .fd = -1, .level = rows[i].level, .directives = slim_view_str(rows[i].directives)},
            NULL));
        CHECK_ROW(rows[i].why, slim_log_is_on(rows[i].want, rows[i].target) == rows[i].is_on);
        CHECK_ROW(rows[i].why,
                  !rows[i].is_on || (int)rows[i].want >= atomic_load(&slim_log_level_min));
        CHECK_ROW(rows[i].why, !slim_log_is_on(SLIM_LOG_OFF, rows[i].target));
        slim_log_fini();
        CHECK_ROW(rows[i].why, !slim_log_is_on(SLIM_LOG_ERROR, rows[i].target));
    }
}

static void bad_directives_are_named_and_the_others_are_in_force(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *directives;
        const char *sentence;
    } rows[] = {
        {"a level nobody knows", "slim_datapath=loud,slim=debug",
         "ignoring `slim_datapath=loud`: error parsing level filter: expected one of \"off\", "
         "\"error\", \"warn\", "
         "\"info\", \"debug\", \"trace\", or a number 0-5"},
        {"an empty level", "slim=debug,x=",
         "ignoring `x=`: error parsing level filter: expected one of \"off\", \"error\", \"warn\", "
         "\"info\", "
         "\"debug\", \"trace\", or a number 0-5"},
        {"a span", "slim=debug,x[y]=info",
         "ignoring `x[y]=info`: a directive is \"target=level\" or \"level\"; spans and fields in "
         "brackets are not "
         "supported"},
        {"the first of two is named", "a=b,slim=debug,c=d",
         "ignoring `a=b`: error parsing level filter: expected one of \"off\", \"error\", "
         "\"warn\", \"info\", "
         "\"debug\", \"trace\", or a number 0-5"},
    };
    for (size_t i = 0; i < SLIM_COUNT(rows); i++) {
        struct slim_error error = {0};
        enum slim_status status = slim_log_init(
            &(struct slim_log_options){
                .fd = -1, .level = SLIM_LOG_OFF, .directives = slim_view_str(rows[i].directives)},
            &error);
        CHECK_ROW(rows[i].why, status == SLIM_ERR_CONFIG);
        CHECK_ROW(error.text, strcmp(error.text, rows[i].sentence) == 0);
        CHECK_ROW(rows[i].why, slim_log_is_on(SLIM_LOG_DEBUG, "slim"));
        slim_log_fini();
    }
}

static void the_number_of_directives_is_bounded(void **state)
{
    (void)state;
    char text[2000] = "";
    for (int i = 0; i < 65; i++) {
        char one[16];
        (void)snprintf(one, sizeof(one), "t%d=info,", i);
        strcat(text, one);
    }
    struct slim_error error = {0};
    CHECK(slim_log_init(&(struct slim_log_options){.fd = -1,
                                                   .level = SLIM_LOG_OFF,
                                                   .directives = slim_view_str(text)},
                        &error) == SLIM_ERR_CONFIG);
    CHECK(strcmp(error.text, "ignoring `t64=info`: more than 64 log directives") == 0);
    slim_log_fini();
}

static void level_names_are_read_in_any_case(void **state)
{
    (void)state;
    static const char *const names[] = {"trace", "Debug", "INFO", "warn", "error", "off"};
    enum slim_log_level level = SLIM_LOG_OFF;
    for (size_t i = 0; i < SLIM_COUNT(names); i++) {
        CHECK_OK(slim_log_level_parse(slim_view_str(names[i]), &level));
        CHECK_ROW(names[i], level == (enum slim_log_level)i);
    }
    static const char *const others[] = {"", "inf", "infos", "3", " info"};
    for (size_t i = 0; i < SLIM_COUNT(others); i++) {
        CHECK_ROW(others[i],
                  slim_log_level_parse(slim_view_str(others[i]), &level) == SLIM_ERR_CONFIG);
    }
}

/* ---------------------------------------------------------------------------------------------------- rate limit */

static void limited_lines_say_how_many_were_left_out(void **state)
{
    (void)state;
    struct slim_log_limit limit = {0};
    CHECK_OK(begin(&(struct slim_log_options){.level = SLIM_LOG_INFO}, NULL));
    for (int i = 0; i < SLIM_LOG_LIMIT_LINES + 5; i++) {
        slim_log_limited(&limit, WARN, "noise");
        if (i == 0) {
            /* a period that cannot end while the test runs, whatever the machine does */
            atomic_store(&limit.period_start_ms, slim_clock_ms() + SLIM_LOG_LIMIT_PERIOD_MS / 2);
        }
    }
    atomic_store(&limit.period_start_ms,
                 slim_clock_ms() - SLIM_LOG_LIMIT_PERIOD_MS); /* the silence is over */
    slim_log_limited(&limit, WARN, "noise", SLIM_LOG_U64("n", 1));
    slim_log_limited(&limit, DEBUG, "noise"); /* switched off: takes nothing from the limit */
    slim_log_limited(&limit, WARN, "again");
    char *text = end();
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, ": noise")) != NULL; at++) {
        count++;
    }
    CHECK(count == SLIM_LOG_LIMIT_LINES + 1);
    CHECK(strstr(text, ": noise n=1 suppressed=5\n") != NULL);
    CHECK(strstr(text, ": again\n") != NULL);
    free(text);
}

static void sweep(void)
{
    enum slim_status status = slim_log_init(
        &(struct slim_log_options){
            .fd = -1, .level = SLIM_LOG_INFO, .directives = SLIM_VIEW("slim=debug")},
        NULL);
    assert_true(status == SLIM_OK ||
                (status == SLIM_ERR_NO_MEMORY && atomic_load(&slim_log_level_min) == SLIM_LOG_OFF));
    slim_log_fini();
}

static void out_of_memory_prints_nothing(void **state)
{
    (void)state;
    slim_sweep_alloc(sweep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_have_the_parts_that_are_switched_on),
        cmocka_unit_test(colours_are_those_of_the_reference),
        cmocka_unit_test(macro_names_target_and_source_line),
        cmocka_unit_test(values_stay_on_their_line),
        cmocka_unit_test(long_lines_are_cut_with_their_colours_closed),
        cmocka_unit_test(json_lines_have_the_parts_that_are_switched_on),
        cmocka_unit_test(json_values_are_escaped),
        cmocka_unit_test(json_lines_that_are_too_long_stay_json),
        cmocka_unit_test(a_line_leaves_errno_alone),
        cmocka_unit_test(thread_names_align_to_the_longest_so_far),
        cmocka_unit_test(thread_ids_count_threads_in_the_order_of_naming),
        cmocka_unit_test(lines_of_several_threads_do_not_mix),
        cmocka_unit_test(directives_decide_by_the_longest_prefix),
        cmocka_unit_test(bad_directives_are_named_and_the_others_are_in_force),
        cmocka_unit_test(the_number_of_directives_is_bounded),
        cmocka_unit_test(level_names_are_read_in_any_case),
        cmocka_unit_test(limited_lines_say_how_many_were_left_out),
        cmocka_unit_test(out_of_memory_prints_nothing),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
