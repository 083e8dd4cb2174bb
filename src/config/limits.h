/* Every bound of the configuration reader. What lies beyond one is an error that names it. */
#ifndef SLIM_CONFIG_LIMITS_H
#define SLIM_CONFIG_LIMITS_H

enum {
    SLIM_CONFIG_FILE_BYTES_MAX = 1024 * 1024, /* the file itself, and each ${file:..} */
    SLIM_CONFIG_NODE_COUNT_MAX =
        32768,                  /* values of the document, each alias counted with all it repeats */
    SLIM_CONFIG_DEPTH_MAX = 64, /* lists and maps inside each other */
    SLIM_CONFIG_ANCHOR_COUNT_MAX = 256,
    SLIM_CONFIG_PROBLEM_COUNT_MAX = 50, /* further ones are counted, not described */
    SLIM_CONFIG_WARNING_COUNT_MAX = 100,
    SLIM_CONFIG_SERVICE_COUNT_MAX = 64,
    SLIM_CONFIG_ENDPOINT_COUNT_MAX = 256, /* servers of one service; clients likewise */
    SLIM_CONFIG_NAME_BYTES_MAX = 1024,    /* name part of a service key */
    SLIM_CONFIG_KIND_BYTES_MAX = 63,      /* kind part of a service key */
    SLIM_CONFIG_PATH_BYTES_MAX = 192,     /* key path in a message; the rest is cut */
    SLIM_CONFIG_MEMORY_MAX_MIN =
        16 * 1024 * 1024, /* least runtime.memory_max: a few of the largest messages */
};

#endif
