#include "slim/failure.h"

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
            (void)fprintf(to, "    %s\n", failure->cause[i]);
        } else {
            (void)fprintf(to, "    %zu: %s\n", i, failure->cause[i]);
        }
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
