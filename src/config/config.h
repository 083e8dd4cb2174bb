/* The node's configuration file (spec node.md 3): YAML to typed values. Strict: what is not understood is an error that names
 * file, line, key, value and what would be right. */
#ifndef SLIM_CONFIG_CONFIG_H
#define SLIM_CONFIG_CONFIG_H

#include "base/buf.h"
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

/* ---- shared parts of servers and clients. A string that is absent is NULL; a list that is absent has count 0. */

struct slim_config_strings {
    char **items;
    size_t count;
};

/* One key and its value, as text. */
struct slim_config_pair {
    char *key;
    char *value;
};
struct slim_config_pairs {
    struct slim_config_pair *items;
    size_t count;
};

/* SPIFFE Workload API (node.md 3.7). socket_path NULL: environment SPIFFE_ENDPOINT_SOCKET. */
struct slim_config_spire {
    char *socket_path;
    char *target_spiffe_id;
    struct slim_config_strings jwt_audiences; /* "slim" when absent */
    struct slim_config_strings trust_domains;
};

/* Where PEM text comes from: a file is read when it is used, and again when it changes. */
enum slim_config_source_kind {
    SLIM_CONFIG_SOURCE_NONE,
    SLIM_CONFIG_SOURCE_FILE,
    SLIM_CONFIG_SOURCE_PEM,
    SLIM_CONFIG_SOURCE_SPIRE,
};

/* cert and key are paths (FILE) or PEM texts (PEM). The key is secret. */
struct slim_config_certificate {
    enum slim_config_source_kind kind;
    char *cert;
    char *key;
    struct slim_config_spire spire;
};

/* ca is a path (FILE) or PEM text (PEM). */
struct slim_config_ca {
    enum slim_config_source_kind kind;
    char *ca;
    struct slim_config_spire spire;
};

enum slim_config_tls_version {
    SLIM_CONFIG_TLS_1_3,
    SLIM_CONFIG_TLS_1_2,
};

/* tls of a server or a client (node.md 3.7).
 * skip_verify   clients: insecure_skip_verify
 * client_ca     servers: kind other than NONE asks clients for a certificate */
struct slim_config_tls {
    bool is_insecure;
    bool skip_verify;
    bool include_system_ca;
    enum slim_config_tls_version version;
    struct slim_config_certificate source;
    struct slim_config_ca ca_source;
    struct slim_config_ca client_ca;
    uint64_t
        reload_interval_ms; /* 0: absent; files are watched anyway, this bounds how late a change is seen */
};

enum slim_config_auth_kind {
    SLIM_CONFIG_AUTH_NONE,
    SLIM_CONFIG_AUTH_BASIC,         /* servers, clients */
    SLIM_CONFIG_AUTH_JWT,           /* servers, clients, token_provider, token_verifier */
    SLIM_CONFIG_AUTH_STATIC_JWT,    /* clients, token_provider */
    SLIM_CONFIG_AUTH_SHARED_SECRET, /* token_provider, token_verifier */
    SLIM_CONFIG_AUTH_SPIRE,         /* all four */
};

/* jwt.key. kind: encoding signs, decoding checks, autoresolve fetches the keys of the issuer.
 * algorithm   "HS256" ... "EdDSA";  format  "pem", "jwk", "jwks", or "bundle" (a SPIRE trust bundle: {trust domain: base64 of a JWKS})
 * file, data  exactly one is not NULL. data is secret. */
struct slim_config_jwt_key {
    enum slim_config_jwt_key_kind {
        SLIM_CONFIG_JWT_KEY_ENCODING,
        SLIM_CONFIG_JWT_KEY_DECODING,
        SLIM_CONFIG_JWT_KEY_AUTORESOLVE,
    } kind;
    char *algorithm;
    char *format;
    char *file;
    char *data;
};

/* auth of a server or client, token_provider and token_verifier (node.md 3.8). Which members count follows from the kind.
 * custom_claims   text of a JSON object
 * id, data        of shared_secret; data is secret */
struct slim_config_auth {
    enum slim_config_auth_kind kind;
    char *username;
    char *password;
    struct slim_config_strings audiences;
    char *issuer;
    char *subject;
    char *custom_claims;
    uint64_t duration_ms;
    struct slim_config_jwt_key jwt_key;
    char *file;
    char *id;
    char *data;
    struct slim_config_spire spire;
};

/* proxy of a client. url: http:// or https://, perhaps with user:password@ in front of the host. url NULL: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY of the environment, read when connecting. */
struct slim_config_proxy {
    char *url;
    char *username;
    char *password;
    struct slim_config_pairs headers;
    struct slim_config_tls tls;
};

/* One entry of dataplane.servers. endpoint as written: "ip:port" or "unix:///path". */
struct slim_config_server {
    char *endpoint;
    struct slim_config_tls tls;
    struct slim_config_auth auth;
    uint32_t max_frame_bytes;        /* max_frame_size MiB * 1048576; 16384 when absent */
    uint32_t header_list_bytes;      /* 16384 when absent */
    uint32_t max_concurrent_streams; /* 0: absent */
    uint64_t keepalive_time_ms;      /* 120 s when absent; 0: no pings */
    uint64_t keepalive_timeout_ms;   /* 20 s when absent */
    uint64_t max_connection_age_ms;  /* 2 h when absent; 0: never */
    uint64_t max_connection_idle_ms; /* 1 h when absent; 0: never */
    char *metadata;                  /* text of a JSON object; NULL: absent. For the controller. */
};

/* One entry of dataplane.clients. endpoint as written: "http://host:port", "https://host:port" or "unix:///path". */
struct slim_config_client {
    char *endpoint;
    char *origin;      /* NULL: absent */
    char *server_name; /* TLS name to ask for and to verify; NULL: the endpoint's host */
    struct slim_config_tls tls;
    struct slim_config_auth auth;
    struct slim_config_proxy proxy;
    struct slim_config_pairs headers; /* sent with each call; names in lower case, once each */
    uint32_t rate_limit_count;        /* calls per rate_limit_ms; 0: no limit */
    uint64_t rate_limit_ms;
    uint64_t connect_timeout_ms; /* 0: none */
    uint64_t request_timeout_ms; /* 0: none */
    bool has_keepalive;
    uint64_t tcp_keepalive_ms; /* these four count when has_keepalive is set */
    uint64_t http2_keepalive_ms;
    uint64_t keepalive_timeout_ms;
    bool keepalive_while_idle;
    struct slim_config_backoff backoff;
    char *link_id;  /* UUID v4 text; NULL: no link negotiation is sent (wire.md 11.6 rule 4) */
    char *metadata; /* text of a JSON object; NULL: absent */
};

/* Does a client speak TLS? With https:// only: http:// and unix:// are plaintext whatever tls says. https:// with tls.insecure is plaintext
 * HTTP/2 too, unless there is a ca_source. */
static inline bool slim_config_client_has_tls(const struct slim_config_client *client)
{
    return strncmp(client->endpoint, "https://", 8) == 0 &&
           (!client->tls.is_insecure || client->tls.ca_source.kind != SLIM_CONFIG_SOURCE_NONE);
}

/* controller of a service: parsed and checked; acted on by the control plane. */
struct slim_config_controller {
    bool is_present;
    struct slim_config_server *servers;
    size_t server_count;
    struct slim_config_client *clients;
    size_t client_count;
    struct slim_config_auth token_provider;
    struct slim_config_auth token_verifier;
};

struct slim_config_service {
    char *id; /* the key as written, e.g. "slim/0", or with node_id */
    char *group_name;
    struct slim_config_server *servers;
    size_t server_count;
    struct slim_config_client *clients;
    size_t client_count;
    uint64_t recovery_ttl_ms; /* 30 s when absent */
    struct slim_config_controller controller;
};

/* tracing.opentelemetry (node.md 6). endpoint NULL: OTEL_EXPORTER_OTLP_ENDPOINT, else http://localhost:4317. */
struct slim_config_otlp {
    bool is_enabled;
    char *endpoint;
    char *service_name;
    char *service_version;
    char *environment;
    uint64_t metrics_interval_ms;
};

struct slim_config {
    enum slim_log_level log_level;
    char *log_directives; /* from tracing.filters; "" when absent or the default list */
    bool display_thread_names;
    bool display_thread_ids;
    bool is_json; /* tracing.format: json (ours): one JSON object per line */
    struct slim_config_otlp otlp;
    char *prometheus; /* telemetry.prometheus (ours): "ip:port" to serve metrics on; NULL: off */
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

/* Read and check the file at `path`. The files with certificates, keys and tokens that it names are looked at: they must be there,
 * and have what PEM begins with; whether it is any good shows when it is used.
 * SLIM_OK: *config is the caller's, free it with slim_config_free. SLIM_ERR_CONFIG, SLIM_ERR_NO_MEMORY: *error says why: the
 * first problem of the earliest stage. When the stage is not SLIM_CONFIG_STAGE_FILE, *config is given too, with tracing, runtime and warnings filled in
 * and no services, so that the log can be started first; else *config is NULL. */
SLIM_MUST_CHECK enum slim_status slim_config_load(const char *path, struct slim_config **config,
                                                  struct slim_config_error *error);

/* The same for a program that is no node: services, and servers and clients in them, may be missing. Append the document to *json as JSON
 * text, with its ${..} replaced. Only with SLIM_OK is anything to be read in *json; passwords
 * and keys may be in it: slim_buf_wipe. */
SLIM_MUST_CHECK enum slim_status slim_config_load_json(const char *path,
                                                       struct slim_config **config,
                                                       struct slim_buf *json,
                                                       struct slim_config_error *error);

/* slim_config_load from text in memory, without a look at the files that it names; `path` is used in messages only. */
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

/* NULL is allowed. All texts are wiped: any of them may be a secret, or have come from ${env:..} or ${file:..}. */
void slim_config_free(struct slim_config *config);

/* "1m30s" and the like (node.md 3.9) to milliseconds, a fraction of a millisecond rounded up.
 * SLIM_ERR_CONFIG with the reference's sentence in *error. */
SLIM_MUST_CHECK enum slim_status slim_config_parse_duration(struct slim_view text, uint64_t *ms,
                                                            struct slim_error *error);

#endif
