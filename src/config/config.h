/* The node's configuration file (spec node.md 3): YAML to typed values. Strict: what is not understood is an error that names
 * file, line, key, value and what would be right. */
#ifndef SLIM_CONFIG_CONFIG_H
#define SLIM_CONFIG_CONFIG_H

#include "base/log.h"
#include "base/status.h"
#include "base/view.h"

enum slim_config_backoff_kind {
    SLIM_CONFIG_BACKOFF_EXPONENTIAL,
    SLIM_CONFIG_BACKOFF_FIXED,
};

/* Delay number n = min(base_ms^n * factor, max_delay_ms) (a power, not a doubling, node.md 3.10), or always interval_ms. */
struct slim_config_backoff {
    enum slim_config_backoff_kind kind;
    uint64_t base_ms;
    uint64_t factor;
    uint64_t max_delay_ms;
    uint64_t interval_ms;
    uint64_t max_attempts; /* retries after the first try; UINT64_MAX: endless */
    bool has_jitter;
};

/* One entry of dataplane.servers. endpoint as written: "ip:port" or "unix:///path". */
struct slim_config_server {
    char *endpoint;
    bool is_insecure;                /* tls.insecure */
    uint32_t max_frame_bytes;        /* max_frame_size MiB * 1048576; 16384 when absent */
    uint32_t header_list_bytes;      /* 16384 when absent */
    uint32_t max_concurrent_streams; /* 0: absent */
    uint64_t keepalive_time_ms;      /* 120 s when absent; 0: no pings */
    uint64_t keepalive_timeout_ms;   /* 20 s when absent */
    uint64_t max_connection_age_ms;  /* 2 h when absent */
};

/* One entry of dataplane.clients. endpoint as written: "http://host:port" or "unix:///path". */
struct slim_config_client {
    char *endpoint;
    char *origin; /* NULL: absent */
    bool is_insecure;
    uint64_t connect_timeout_ms; /* 0: none */
    uint64_t request_timeout_ms; /* 0: none */
    bool has_keepalive;
    uint64_t http2_keepalive_ms;
    uint64_t keepalive_timeout_ms;
    bool keepalive_while_idle;
    struct slim_config_backoff backoff;
    char *link_id; /* UUID v4 text; NULL: no link negotiation is sent (wire.md 11.6 rule 4) */
};

struct slim_config_service {
    char *id; /* the key as written, e.g. "slim/0", or with node_id */
    struct slim_config_server *servers;
    size_t server_count;
    struct slim_config_client *clients;
    size_t client_count;
    uint64_t recovery_ttl_ms; /* 30 s when absent */
};

struct slim_config {
    enum slim_log_level log_level;
    char *log_directives; /* from tracing.filters; "" when absent or the default list */
    bool display_thread_names;
    bool display_thread_ids;
    uint32_t n_cores;
    char *thread_name;
    uint64_t drain_timeout_ms;
    size_t memory_max_bytes; /* runtime.memory_max: ours; 0 = a quarter of RAM, at most 1 GiB */
    struct slim_config_service *services;
    size_t service_count;
    char **
        warnings; /* one sentence each, "FILE:LINE:COLUMN: KEY PATH: ...": unknown keys, values without effect */
    size_t warning_count;
};

/* Why loading failed: the reference's chain (node.md 8). cause[0] is the outermost one below the context of the stage;
 * the last one is ours: "FILE:LINE:COLUMN: KEY PATH: what would be right". */
enum { SLIM_CONFIG_CAUSES_MAX = 6, SLIM_CONFIG_CAUSE_BYTES_MAX = 512 };
struct slim_config_error {
    enum slim_config_stage {
        SLIM_CONFIG_STAGE_FILE,     /* "failed to load configuration": before the log starts */
        SLIM_CONFIG_STAGE_SERVICES, /* "error loading services": after "Runtime started" */
        SLIM_CONFIG_STAGE_START, /* "failed to start service": a value that the reference looks at when it starts */
    } stage;
    size_t cause_count;
    char cause[SLIM_CONFIG_CAUSES_MAX][SLIM_CONFIG_CAUSE_BYTES_MAX];
};

/* The context of a stage, e.g. "error loading services". */
const char *slim_config_stage_text(enum slim_config_stage stage);

/* Read and check the file at `path`. SLIM_OK: *config is the caller's, free it with slim_config_free.
 * SLIM_ERR_CONFIG, SLIM_ERR_NO_MEMORY: *error says why: the first problem of the earliest
 * stage. When the stage is not SLIM_CONFIG_STAGE_FILE, *config is given too, with tracing, runtime and warnings filled in
 * and no services, so that the log can be started first; else *config is NULL. */
SLIM_MUST_CHECK enum slim_status slim_config_load(const char *path, struct slim_config **config,
                                                  struct slim_config_error *error);

/* The same from text in memory; `path` is used in messages only. */
SLIM_MUST_CHECK enum slim_status slim_config_parse(struct slim_view text, const char *path,
                                                   struct slim_config **config,
                                                   struct slim_config_error *error);

/* Everything that is wrong with a file, in the order in which it was found.
 * config           what could be understood, warnings included; never NULL
 * problem_count    described in `problems`; left_out_count more were found beyond the limit */
struct slim_config_report {
    struct slim_config *config;
    struct slim_config_error *problems;
    size_t problem_count;
    size_t left_out_count;
};

/* As slim_config_load, but collects all problems. SLIM_OK: *report is the caller's, also when problems were found; free
 * it with slim_config_report_free. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_config_check(const char *path,
                                                   struct slim_config_report **report);

/* NULL is allowed. */
void slim_config_report_free(struct slim_config_report *report);

/* NULL is allowed. */
void slim_config_free(struct slim_config *config);

/* "1m30s" and the like (node.md 3.9) to milliseconds, a fraction of a millisecond rounded up.
 * SLIM_ERR_CONFIG with the reference's sentence in *error. */
SLIM_MUST_CHECK enum slim_status slim_config_parse_duration(struct slim_view text, uint64_t *ms,
                                                            struct slim_error *error);

#endif
