/* Every bound of the configuration reader. What lies beyond one is an error that names it. */
#ifndef SLIM_CONFIG_LIMITS_H
#define SLIM_CONFIG_LIMITS_H

enum {
    SLIM_CONFIG_FILE_BYTES_MAX = 1024 * 1024, /* the file itself, and each ${file:..} */
    SLIM_CONFIG_NODE_COUNT_MAX =
        32768,                  /* values of the document, each alias counted with all it repeats */
    SLIM_CONFIG_DEPTH_MAX = 64, /* lists and maps inside each other */
    SLIM_CONFIG_ANCHOR_COUNT_MAX = 256,
    SLIM_CONFIG_TEXT_BYTES_MAX =
        16 * 1024 * 1024, /* all texts that are kept, aliases counted each time */
    SLIM_CONFIG_FILTER_BYTES_MAX = 64 * 1024,   /* tracing.filters */
    SLIM_CONFIG_HEADER_COUNT_MAX = 64,          /* headers of one client or proxy */
    SLIM_CONFIG_HEADER_BYTES_MAX = 8 * 1024,    /* names and values of all of them */
    SLIM_CONFIG_STRING_COUNT_MAX = 256,         /* audiences, trust domains */
    SLIM_CONFIG_METADATA_BYTES_MAX = 64 * 1024, /* metadata as JSON */
    SLIM_CONFIG_CLAIMS_BYTES_MAX =
        8 * 1024,                       /* custom claims as JSON: a token must fit into a header */
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
