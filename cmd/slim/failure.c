#include "slim/failure.h"

/* Causes may hold words of a peer: what could steer a terminal, or look like another line, becomes '?'. */
static void put_line(FILE *to, const char *text)
{
    enum { C1_LEAD = 0xc2, C1_FIRST = 0x80, C1_LAST = 0x9f, DELETE = 0x7f };
    for (const uint8_t *at = (const uint8_t *)text; *at != 0; at++) {
        bool is_c1 = at[0] == C1_LEAD && at[1] >= C1_FIRST && at[1] <= C1_LAST;
        bool is_control = *at < ' ' || *at == DELETE || is_c1;
        (void)fputc(is_control ? '?' : *at, to);
        at += is_c1 ? 1 : 0;
    }
    (void)fputc('\n', to);
}

void slim_failure_print(FILE *to, const struct slim_config_error *failure)
{
    /* a terminal that takes no more text cannot be told so */
    (void)fprintf(to, "Error: %s\n", slim_config_stage_text(failure->stage));
    if (failure->cause_count == 0) {
        return;
    }
    (void)fprintf(to, "\nCaused by:\n");
    for (size_t i = 0; i < failure->cause_count; i++) {
        if (failure->cause_count == 1) {
            (void)fprintf(to, "    ");
        } else {
            (void)fprintf(to, "    %zu: ", i);
        }
        put_line(to, failure->cause[i]);
    }
}

void slim_failure_format_duration(uint64_t ms, char text[static SLIM_FAILURE_DURATION_MAX])
{
    enum { MS_PER_S = 1000 };
    size_t size = SLIM_FAILURE_DURATION_MAX;
    if (ms < MS_PER_S && ms > 0) {
        (void)snprintf(text, size, "%lums", ms); /* fits */
        return;
    }
    unsigned fraction = (unsigned)(ms % MS_PER_S);
    int digits = 3;
    while (fraction > 0 && fraction % 10 == 0) {
        fraction /= 10;
        digits--;
    }
    if (fraction == 0) {
        (void)snprintf(text, size, "%lus", ms / MS_PER_S); /* fits */
    } else {
        (void)snprintf(text, size, "%lu.%0*us", ms / MS_PER_S, digits, fraction); /* fits */
    }
}
