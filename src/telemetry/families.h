/* What the families are called. Private to src/telemetry. */
#ifndef SLIM_TELEMETRY_FAMILIES_H
#define SLIM_TELEMETRY_FAMILIES_H

#include "telemetry/telemetry.h"

/* name     without a suffix that depends on a protocol
 * label    key of the label of its values; NULL: none
 * unit     of OTLP (UCUM)
 * is_time  values are milliseconds and shown as seconds */
struct slim_telemetry_family_info {
    const char *name;
    const char *help;
    const char *label;
    const char *unit;
    bool is_counter;
    bool is_time;
};

const struct slim_telemetry_family_info *
slim_telemetry_family_info(enum slim_telemetry_family family);

#endif
