/* Every bound of src/telemetry, and what happens there. */
#ifndef SLIM_TELEMETRY_LIMITS_H
#define SLIM_TELEMETRY_LIMITS_H

enum {
    /* The page for scrapers. */
    SLIM_TELEMETRY_SCRAPERS_MAX = 16,   /* connections at a time; further ones are closed at once */
    SLIM_TELEMETRY_SCRAPER_IDLE_S = 10, /* a connection that moves no byte for so long is closed */
    SLIM_TELEMETRY_SCRAPER_BYTES =
        16384, /* memory for one connection's request; a longer one is refused */
    SLIM_TELEMETRY_PAGE_AGE_MS =
        100, /* a page younger than this is given again: it is made at most ten times a second */

    /* The exporter. */
    SLIM_TELEMETRY_SPANS_MAX =
        1024, /* spans that wait for the collector; the oldest goes, and is counted */
    SLIM_TELEMETRY_SPANS_PER_EXPORT = 256, /* further ones wait for the next export */
    SLIM_TELEMETRY_EXPORT_TIMEOUT_MS =
        10000, /* connecting and one export; then the collector counts as dead */
    SLIM_TELEMETRY_BACKOFF_MAX_MS =
        300000, /* longest time between two attempts to reach a dead collector */
    SLIM_TELEMETRY_INTERVAL_MAX_MS = 86400000,
    SLIM_TELEMETRY_INTERVAL_MIN_MS = 100, /* whatever the configuration says */
};

#endif
