#include "config/config.h"

#define FORMAT_TEXT "missing time duration format, must be multiples of `[0-9]+(ns|us|ms|[smhdwy])`"

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static struct slim_view skip_blanks(struct slim_view text)
{
    while (text.len > 0 && is_blank(text.data[0])) {
        text = slim_view_skip(text, 1);
    }
    return text;
}

/* The digits at the front of *text as a number; blanks may stand anywhere. */
static enum slim_status take_count(struct slim_view *text, uint64_t *count,
                                   struct slim_error *error)
{
    struct slim_view rest = skip_blanks(*text);
    if (rest.len == 0 || !is_digit(rest.data[0])) {
        return slim_error_set(error, SLIM_ERR_CONFIG, "cannot parse integer from empty string");
    }
    uint64_t sum = 0;
    for (; rest.len > 0 && is_digit(rest.data[0]); rest = skip_blanks(slim_view_skip(rest, 1))) {
        if (__builtin_mul_overflow(sum, 10U, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)(rest.data[0] - '0'), &sum)) {
            return slim_error_set(error, SLIM_ERR_CONFIG, "number too large to fit in target type");
        }
    }
    *count = sum;
    *text = rest;
    return SLIM_OK;
}

/* Everything up to the next digit is a unit. */
static enum slim_status take_unit(struct slim_view *text, uint64_t *unit_ns,
                                  struct slim_error *error)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {
        {"ns", 1U},
        {"us", 1000U},
        {"ms", 1000000U},
        {"s", 1000000000U},
        {"m", 60ULL * 1000000000U},
        {"h", 3600ULL * 1000000000U},
        {"d", 86400ULL * 1000000000U},
        {"w", 604800ULL * 1000000000U},
        {"y", 31556926ULL * 1000000000U},
    };
    char name[3] = "";
    size_t len = 0;
    struct slim_view rest = *text;
    for (; rest.len > 0 && !is_digit(rest.data[0]); rest = slim_view_skip(rest, 1)) {
        if (is_blank(rest.data[0])) {
            continue;
        }
        if (len == sizeof(name) - 1) {
            return slim_error_set(error, SLIM_ERR_CONFIG, FORMAT_TEXT);
        }
        name[len++] = (char)rest.data[0];
        name[len] = '\0';
    }
    for (size_t i = 0; i < SLIM_COUNT(units); i++) {
        if (strcmp(units[i].name, name) == 0) {
            *unit_ns = units[i].ns;
            *text = rest;
            return SLIM_OK;
        }
    }
    return slim_error_set(error, SLIM_ERR_CONFIG, FORMAT_TEXT);
}

enum slim_status slim_config_parse_duration(struct slim_view text, uint64_t *ms,
                                            struct slim_error *error)
{
    enum { NS_PER_MS = 1000000 };
    unsigned __int128 sum_ns = 0;
    do {
        uint64_t count = 0;
        uint64_t unit_ns = 0;
        SLIM_TRY(take_count(&text, &count, error));
        SLIM_TRY(take_unit(&text, &unit_ns, error));
        sum_ns += (unsigned __int128)count * unit_ns;
        if (sum_ns / NS_PER_MS >= UINT64_MAX) {
            return slim_error_set(error, SLIM_ERR_CONFIG,
                                  "the duration is longer than %lu milliseconds", UINT64_MAX - 1);
        }
    } while (text.len > 0);
    *ms = (uint64_t)((sum_ns + NS_PER_MS - 1) / NS_PER_MS);
    return SLIM_OK;
}
