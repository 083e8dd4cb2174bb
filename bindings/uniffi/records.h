/* Records and unions of the interface as C structs, and the tables that read and write them (types.c). One field here, one line there.
 *
 *   text, bytes          struct slim_view, into the buffer it was read from
 *   an optional T        const T *, NULL when there is none
 *   a list of T          struct uf_list; a map of texts is one of struct slim_pair
 *   a plain enumeration  uint32_t, counted from 1 as on the wire
 *   a union              struct uf_union; body is a struct of its variant, NULL for one without fields
 *   an object            struct uf_object *, borrowed */
#ifndef UF_RECORDS_H
#define UF_RECORDS_H

#include "object.h"

struct uf_list {
    size_t count;
    const void *items;
};

struct uf_union {
    uint32_t variant;
    const void *body;
};

struct uf_duration {
    uint64_t seconds;
    uint32_t nanoseconds; /* below 10^9 */
};

/* ---- plain enumerations */

enum uf_session_type { UF_POINT_TO_POINT = 1, UF_GROUP = 2 };
enum uf_direction { UF_SEND = 1, UF_RECV = 2, UF_BIDIRECTIONAL = 3, UF_NEITHER = 4 };
enum uf_compression { UF_COMPRESSION_COUNT = 8 };
enum uf_algorithm { UF_ALGORITHM_COUNT = 12 };
enum uf_key_format { UF_KEY_FORMAT_COUNT = 3 };

/* ---- variants of unions */

enum uf_tls_source { UF_TLS_PEM = 1, UF_TLS_FILE = 2, UF_TLS_SPIRE = 3, UF_TLS_NONE = 4 };
enum uf_ca_source { UF_CA_FILE = 1, UF_CA_PEM = 2, UF_CA_SPIRE = 3, UF_CA_NONE = 4 };
enum uf_client_auth {
    UF_CLIENT_BASIC = 1,
    UF_CLIENT_STATIC_JWT = 2,
    UF_CLIENT_JWT = 3,
    UF_CLIENT_NONE = 4
};
enum uf_server_auth { UF_SERVER_BASIC = 1, UF_SERVER_JWT = 2, UF_SERVER_NONE = 3 };
enum uf_provider {
    UF_PROVIDER_SECRET = 1,
    UF_PROVIDER_STATIC_JWT = 2,
    UF_PROVIDER_JWT = 3,
    UF_PROVIDER_SPIRE = 4,
    UF_PROVIDER_NONE = 5
};
enum uf_verifier {
    UF_VERIFIER_SECRET = 1,
    UF_VERIFIER_JWT = 2,
    UF_VERIFIER_SPIRE = 3,
    UF_VERIFIER_NONE = 4
};
enum uf_key_data { UF_KEY_DATA = 1, UF_KEY_FILE = 2 };
enum uf_key_type { UF_KEY_ENCODING = 1, UF_KEY_DECODING = 2, UF_KEY_AUTORESOLVE = 3 };
enum uf_backoff { UF_BACKOFF_EXPONENTIAL = 1, UF_BACKOFF_FIXED = 2 };

/* ---- records */

struct uf_basic_auth {
    struct slim_view username;
    struct slim_view password;
};

struct uf_build_info {
    struct slim_view version;
    struct slim_view git_sha;
    struct slim_view build_date;
    struct slim_view profile;
};

struct uf_spire_config {
    const struct slim_view *socket_path;
    const struct slim_view *target_spiffe_id;
    struct uf_list jwt_audiences;
    struct uf_list trust_domains;
};

struct uf_static_jwt_auth {
    struct slim_view token_file;
    struct uf_duration duration;
};

struct uf_jwt_key_config {
    uint32_t algorithm;
    uint32_t format;
    struct uf_union key;
};

/* ClientJwtAuth and JwtAuth. */
struct uf_jwt_auth {
    struct uf_union key;
    const struct uf_list *audience;
    const struct slim_view *issuer;
    const struct slim_view *subject;
    struct uf_duration duration;
};

struct uf_exponential_backoff {
    struct uf_duration base;
    uint64_t factor;
    struct uf_duration max_delay;
    uint64_t max_attempts;
    bool jitter;
};

struct uf_fixed_interval_backoff {
    struct uf_duration interval;
    uint64_t max_attempts;
};

struct uf_keepalive_config {
    struct uf_duration tcp_keepalive;
    struct uf_duration http2_keepalive;
    struct uf_duration timeout;
    bool keep_alive_while_idle;
};

struct uf_keepalive_server {
    struct uf_duration max_connection_idle;
    struct uf_duration max_connection_age;
    struct uf_duration max_connection_age_grace;
    struct uf_duration time;
    struct uf_duration timeout;
};

struct uf_tls_client_config {
    bool insecure;
    bool insecure_skip_verify;
    struct uf_union source;
    struct uf_union ca_source;
    bool include_system_ca_certs_pool;
    struct slim_view tls_version;
};

struct uf_tls_server_config {
    bool insecure;
    struct uf_union source;
    struct uf_union client_ca;
    bool include_system_ca_certs_pool;
    struct slim_view tls_version;
    bool reload_client_ca_file;
};

struct uf_proxy_config {
    const struct slim_view *url;
    struct uf_tls_client_config tls;
    const struct slim_view *username;
    const struct slim_view *password;
    struct uf_list headers;
};

struct uf_client_config {
    struct slim_view endpoint;
    const struct slim_view *origin;
    const struct slim_view *server_name;
    const uint32_t *compression;
    const struct slim_view *rate_limit;
    struct uf_tls_client_config tls;
    const struct uf_keepalive_config *keepalive;
    struct uf_proxy_config proxy;
    struct uf_duration connect_timeout;
    struct uf_duration request_timeout;
    const uint64_t *buffer_size;
    struct uf_list headers;
    struct uf_union auth;
    struct uf_union backoff;
    const struct slim_view *metadata;
};

struct uf_server_config {
    struct slim_view endpoint;
    struct uf_tls_server_config tls;
    bool http2_only;
    const uint32_t *max_frame_size;
    const uint32_t *max_concurrent_streams;
    const uint32_t *max_header_list_size;
    const uint64_t *read_buffer_size;
    const uint64_t *write_buffer_size;
    struct uf_keepalive_server keepalive;
    struct uf_union auth;
    const struct slim_view *metadata;
};

struct uf_dataplane_config {
    struct uf_list servers;
    struct uf_list clients;
};

struct uf_service_config {
    const struct slim_view *node_id;
    const struct slim_view *group_name;
    struct uf_dataplane_config dataplane;
};

struct uf_runtime_config {
    uint64_t n_cores;
    struct slim_view thread_name;
    struct uf_duration drain_timeout;
};

struct uf_tracing_config {
    struct slim_view log_level;
    bool display_thread_names;
    bool display_thread_ids;
    struct uf_list filters;
};

struct uf_session_config {
    uint32_t session_type;
    bool enable_mls;
    const uint32_t *max_retries;
    const struct uf_duration *interval;
    struct uf_list metadata;
};

struct uf_session_with_completion {
    struct uf_object *session;
    struct uf_object *completion;
};

struct uf_message_context {
    struct uf_object *source_name;
    struct uf_object *const *destination_name;
    struct slim_view payload_type;
    struct uf_list metadata;
    uint64_t input_connection;
    struct slim_view identity;
};

struct uf_received_message {
    struct uf_message_context context;
    struct slim_view payload;
};

/* ---- bodies of variants that are no record */

struct uf_text_pair_record { /* TlsSource PEM and FILE: cert, key; shared secrets: id, data */
    struct slim_view first;
    struct slim_view second;
};

struct uf_message_record { /* one text: SlimError, CaSource FILE and PEM, JwtKeyData */
    struct slim_view message;
};

#endif
