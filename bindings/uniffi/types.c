/* The table of all types that cross the border. */
#include "serial.h"

/* ------------------------------------------------------------------------------------------------ simple ones */

#define SIMPLE(id, title, what, type)                                                              \
    static const struct uf_type id = {.name = title, .form = what, .size = sizeof(type)}
SIMPLE(t_bool, "a bool", UF_BOOL, bool);
SIMPLE(t_u32, "a u32", UF_U32, uint32_t);
SIMPLE(t_u64, "a u64", UF_U64, uint64_t);
SIMPLE(t_text, "a text", UF_TEXT, struct slim_view);
#undef SIMPLE
const struct uf_type uf_type_bytes = {
    .name = "bytes", .form = UF_BYTES, .size = sizeof(struct slim_view)};
const struct uf_type uf_type_duration = {
    .name = "a duration", .form = UF_DURATION, .size = sizeof(struct uf_duration)};

#define OPTIONAL(id, title, of)                                                                    \
    const struct uf_type id = {                                                                    \
        .name = "an optional " title, .form = UF_OPTIONAL, .size = sizeof(void *), .inner = &(of)}
#define LIST(id, title, of)                                                                        \
    const struct uf_type id = {.name = "a list of " title,                                         \
                               .form = UF_LIST,                                                    \
                               .size = sizeof(struct uf_list),                                     \
                               .inner = &(of)}
static OPTIONAL(t_optional_u32, "u32", t_u32);
OPTIONAL(uf_type_optional_u64, "u64", t_u64);
OPTIONAL(uf_type_optional_text, "text", t_text);
OPTIONAL(uf_type_optional_duration, "duration", uf_type_duration);
LIST(uf_type_texts, "texts", t_text);
static OPTIONAL(t_optional_texts, "list of texts", uf_type_texts);

static const struct uf_type t_name = {
    .name = "Name", .form = UF_OBJECT, .size = sizeof(void *), .kind = UF_NAME};
static const struct uf_type t_service = {
    .name = "Service", .form = UF_OBJECT, .size = sizeof(void *), .kind = UF_SERVICE};
static const struct uf_type t_session = {
    .name = "Session", .form = UF_OBJECT, .size = sizeof(void *), .kind = UF_SESSION};
static const struct uf_type t_completion = {
    .name = "CompletionHandle", .form = UF_OBJECT, .size = sizeof(void *), .kind = UF_COMPLETION};
static OPTIONAL(t_optional_name, "Name", t_name);
LIST(uf_type_names, "Names", t_name);
LIST(uf_type_services, "Services", t_service);

#define ENUM(id, title, number)                                                                    \
    const struct uf_type id = {                                                                    \
        .name = title, .form = UF_ENUM, .size = sizeof(uint32_t), .count = (number)}
static ENUM(t_compression, "CompressionType", UF_COMPRESSION_COUNT);
static ENUM(t_algorithm, "JwtAlgorithm", UF_ALGORITHM_COUNT);
static ENUM(t_key_format, "JwtKeyFormat", UF_KEY_FORMAT_COUNT);
ENUM(uf_type_direction, "Direction", UF_NEITHER);
ENUM(uf_type_session_type, "SessionType", UF_GROUP);
static OPTIONAL(t_optional_compression, "CompressionType", t_compression);

/* ------------------------------------------------------------------------------------------------ records and unions */

#define FIELD(type, member, of)                                                                    \
    {                                                                                              \
#member, &(of), offsetof(struct type, member)                                              \
    }
#define RECORD(id, title, type, list)                                                              \
    const struct uf_type id = {.name = title,                                                      \
                               .form = UF_RECORD,                                                  \
                               .size = sizeof(struct type),                                        \
                               .count = UF_COUNT(list),                                            \
                               .fields = (list)}
#define UNION(id, title, list)                                                                     \
    const struct uf_type id = {.name = title,                                                      \
                               .form = UF_UNION,                                                   \
                               .size = sizeof(struct uf_union),                                    \
                               .count = UF_COUNT(list),                                            \
                               .variants = (list)}

static const struct uf_field pair_fields[] = {
    FIELD(slim_pair, key, t_text),
    FIELD(slim_pair, value, t_text),
};
static RECORD(t_pair, "a pair of texts", slim_pair, pair_fields);
LIST(uf_type_pairs, "pairs of texts", t_pair);
OPTIONAL(uf_type_optional_pairs, "map of texts", uf_type_pairs);

static const struct uf_field two_texts[] = {
    FIELD(uf_text_pair_record, first, t_text),
    FIELD(uf_text_pair_record, second, t_text),
};
static RECORD(t_two_texts, "two texts", uf_text_pair_record, two_texts);
static const struct uf_field one_text[] = {FIELD(uf_message_record, message, t_text)};
static RECORD(t_one_text, "one text", uf_message_record, one_text);

static const struct uf_field basic_auth_fields[] = {
    FIELD(uf_basic_auth, username, t_text),
    FIELD(uf_basic_auth, password, t_text),
};
static RECORD(t_basic_auth, "BasicAuth", uf_basic_auth, basic_auth_fields);

static const struct uf_field build_info_fields[] = {
    FIELD(uf_build_info, version, t_text),
    FIELD(uf_build_info, git_sha, t_text),
    FIELD(uf_build_info, build_date, t_text),
    FIELD(uf_build_info, profile, t_text),
};
RECORD(uf_type_build_info, "BuildInfo", uf_build_info, build_info_fields);

static const struct uf_field spire_fields[] = {
    FIELD(uf_spire_config, socket_path, uf_type_optional_text),
    FIELD(uf_spire_config, target_spiffe_id, uf_type_optional_text),
    FIELD(uf_spire_config, jwt_audiences, uf_type_texts),
    FIELD(uf_spire_config, trust_domains, uf_type_texts),
};
static RECORD(t_spire, "SpireConfig", uf_spire_config, spire_fields);

static const struct uf_field static_jwt_fields[] = {
    FIELD(uf_static_jwt_auth, token_file, t_text),
    FIELD(uf_static_jwt_auth, duration, uf_type_duration),
};
static RECORD(t_static_jwt, "StaticJwtAuth", uf_static_jwt_auth, static_jwt_fields);

static const struct uf_type *const key_data_variants[] = {&t_one_text, &t_one_text};
static UNION(t_key_data, "JwtKeyData", key_data_variants);

static const struct uf_field key_config_fields[] = {
    FIELD(uf_jwt_key_config, algorithm, t_algorithm),
    FIELD(uf_jwt_key_config, format, t_key_format),
    FIELD(uf_jwt_key_config, key, t_key_data),
};
static RECORD(t_key_config, "JwtKeyConfig", uf_jwt_key_config, key_config_fields);

static const struct uf_type *const key_type_variants[] = {&t_key_config, &t_key_config, NULL};
static UNION(t_key_type, "JwtKeyType", key_type_variants);

static const struct uf_field jwt_fields[] = {
    FIELD(uf_jwt_auth, key, t_key_type),
    FIELD(uf_jwt_auth, audience, t_optional_texts),
    FIELD(uf_jwt_auth, issuer, uf_type_optional_text),
    FIELD(uf_jwt_auth, subject, uf_type_optional_text),
    FIELD(uf_jwt_auth, duration, uf_type_duration),
};
static RECORD(t_jwt, "JwtAuth", uf_jwt_auth, jwt_fields); /* and ClientJwtAuth */

static const struct uf_field exponential_fields[] = {
    FIELD(uf_exponential_backoff, base, uf_type_duration),
    FIELD(uf_exponential_backoff, factor, t_u64),
    FIELD(uf_exponential_backoff, max_delay, uf_type_duration),
    FIELD(uf_exponential_backoff, max_attempts, t_u64),
    FIELD(uf_exponential_backoff, jitter, t_bool),
};
static RECORD(t_exponential, "ExponentialBackoff", uf_exponential_backoff, exponential_fields);

static const struct uf_field fixed_fields[] = {
    FIELD(uf_fixed_interval_backoff, interval, uf_type_duration),
    FIELD(uf_fixed_interval_backoff, max_attempts, t_u64),
};
static RECORD(t_fixed, "FixedIntervalBackoff", uf_fixed_interval_backoff, fixed_fields);

static const struct uf_type *const backoff_variants[] = {&t_exponential, &t_fixed};
static UNION(t_backoff, "BackoffConfig", backoff_variants);

static const struct uf_field keepalive_fields[] = {
    FIELD(uf_keepalive_config, tcp_keepalive, uf_type_duration),
    FIELD(uf_keepalive_config, http2_keepalive, uf_type_duration),
    FIELD(uf_keepalive_config, timeout, uf_type_duration),
    FIELD(uf_keepalive_config, keep_alive_while_idle, t_bool),
};
static RECORD(t_keepalive, "KeepaliveConfig", uf_keepalive_config, keepalive_fields);
static OPTIONAL(t_optional_keepalive, "KeepaliveConfig", t_keepalive);

static const struct uf_field keepalive_server_fields[] = {
    FIELD(uf_keepalive_server, max_connection_idle, uf_type_duration),
    FIELD(uf_keepalive_server, max_connection_age, uf_type_duration),
    FIELD(uf_keepalive_server, max_connection_age_grace, uf_type_duration),
    FIELD(uf_keepalive_server, time, uf_type_duration),
    FIELD(uf_keepalive_server, timeout, uf_type_duration),
};
static RECORD(t_keepalive_server, "KeepaliveServerParameters", uf_keepalive_server,
              keepalive_server_fields);

static const struct uf_type *const tls_source_variants[] = {&t_two_texts, &t_two_texts, &t_spire,
                                                            NULL};
static UNION(t_tls_source, "TlsSource", tls_source_variants);
static const struct uf_type *const ca_source_variants[] = {&t_one_text, &t_one_text, &t_spire,
                                                           NULL};
static UNION(t_ca_source, "CaSource", ca_source_variants);

static const struct uf_field tls_client_fields[] = {
    FIELD(uf_tls_client_config, insecure, t_bool),
    FIELD(uf_tls_client_config, insecure_skip_verify, t_bool),
    FIELD(uf_tls_client_config, source, t_tls_source),
    FIELD(uf_tls_client_config, ca_source, t_ca_source),
    FIELD(uf_tls_client_config, include_system_ca_certs_pool, t_bool),
    FIELD(uf_tls_client_config, tls_version, t_text),
};
static RECORD(t_tls_client, "TlsClientConfig", uf_tls_client_config, tls_client_fields);

static const struct uf_field tls_server_fields[] = {
    FIELD(uf_tls_server_config, insecure, t_bool),
    FIELD(uf_tls_server_config, source, t_tls_source),
    FIELD(uf_tls_server_config, client_ca, t_ca_source),
    FIELD(uf_tls_server_config, include_system_ca_certs_pool, t_bool),
    FIELD(uf_tls_server_config, tls_version, t_text),
    FIELD(uf_tls_server_config, reload_client_ca_file, t_bool),
};
static RECORD(t_tls_server, "TlsServerConfig", uf_tls_server_config, tls_server_fields);

static const struct uf_field proxy_fields[] = {
    FIELD(uf_proxy_config, url, uf_type_optional_text),
    FIELD(uf_proxy_config, tls, t_tls_client),
    FIELD(uf_proxy_config, username, uf_type_optional_text),
    FIELD(uf_proxy_config, password, uf_type_optional_text),
    FIELD(uf_proxy_config, headers, uf_type_pairs),
};
static RECORD(t_proxy, "ProxyConfig", uf_proxy_config, proxy_fields);

static const struct uf_type *const client_auth_variants[] = {&t_basic_auth, &t_static_jwt, &t_jwt,
                                                             NULL};
static UNION(t_client_auth, "ClientAuthenticationConfig", client_auth_variants);
static const struct uf_type *const server_auth_variants[] = {&t_basic_auth, &t_jwt, NULL};
static UNION(t_server_auth, "ServerAuthenticationConfig", server_auth_variants);

static const struct uf_field client_fields[] = {
    FIELD(uf_client_config, endpoint, t_text),
    FIELD(uf_client_config, origin, uf_type_optional_text),
    FIELD(uf_client_config, server_name, uf_type_optional_text),
    FIELD(uf_client_config, compression, t_optional_compression),
    FIELD(uf_client_config, rate_limit, uf_type_optional_text),
    FIELD(uf_client_config, tls, t_tls_client),
    FIELD(uf_client_config, keepalive, t_optional_keepalive),
    FIELD(uf_client_config, proxy, t_proxy),
    FIELD(uf_client_config, connect_timeout, uf_type_duration),
    FIELD(uf_client_config, request_timeout, uf_type_duration),
    FIELD(uf_client_config, buffer_size, uf_type_optional_u64),
    FIELD(uf_client_config, headers, uf_type_pairs),
    FIELD(uf_client_config, auth, t_client_auth),
    FIELD(uf_client_config, backoff, t_backoff),
    FIELD(uf_client_config, metadata, uf_type_optional_text),
};
RECORD(uf_type_client_config, "ClientConfig", uf_client_config, client_fields);

static const struct uf_field server_fields[] = {
    FIELD(uf_server_config, endpoint, t_text),
    FIELD(uf_server_config, tls, t_tls_server),
    FIELD(uf_server_config, http2_only, t_bool),
    FIELD(uf_server_config, max_frame_size, t_optional_u32),
    FIELD(uf_server_config, max_concurrent_streams, t_optional_u32),
    FIELD(uf_server_config, max_header_list_size, t_optional_u32),
    FIELD(uf_server_config, read_buffer_size, uf_type_optional_u64),
    FIELD(uf_server_config, write_buffer_size, uf_type_optional_u64),
    FIELD(uf_server_config, keepalive, t_keepalive_server),
    FIELD(uf_server_config, auth, t_server_auth),
    FIELD(uf_server_config, metadata, uf_type_optional_text),
};
RECORD(uf_type_server_config, "ServerConfig", uf_server_config, server_fields);

static LIST(t_servers, "ServerConfigs", uf_type_server_config);
static LIST(t_clients, "ClientConfigs", uf_type_client_config);
static const struct uf_field dataplane_fields[] = {
    FIELD(uf_dataplane_config, servers, t_servers),
    FIELD(uf_dataplane_config, clients, t_clients),
};
RECORD(uf_type_dataplane_config, "DataplaneConfig", uf_dataplane_config, dataplane_fields);

static const struct uf_field service_fields[] = {
    FIELD(uf_service_config, node_id, uf_type_optional_text),
    FIELD(uf_service_config, group_name, uf_type_optional_text),
    FIELD(uf_service_config, dataplane, uf_type_dataplane_config),
};
RECORD(uf_type_service_config, "ServiceConfig", uf_service_config, service_fields);
LIST(uf_type_service_configs, "ServiceConfigs", uf_type_service_config);

static const struct uf_field runtime_fields[] = {
    FIELD(uf_runtime_config, n_cores, t_u64),
    FIELD(uf_runtime_config, thread_name, t_text),
    FIELD(uf_runtime_config, drain_timeout, uf_type_duration),
};
RECORD(uf_type_runtime_config, "RuntimeConfig", uf_runtime_config, runtime_fields);

static const struct uf_field tracing_fields[] = {
    FIELD(uf_tracing_config, log_level, t_text),
    FIELD(uf_tracing_config, display_thread_names, t_bool),
    FIELD(uf_tracing_config, display_thread_ids, t_bool),
    FIELD(uf_tracing_config, filters, uf_type_texts),
};
RECORD(uf_type_tracing_config, "TracingConfig", uf_tracing_config, tracing_fields);

static const struct uf_field session_config_fields[] = {
    FIELD(uf_session_config, session_type, uf_type_session_type),
    FIELD(uf_session_config, enable_mls, t_bool),
    FIELD(uf_session_config, max_retries, t_optional_u32),
    FIELD(uf_session_config, interval, uf_type_optional_duration),
    FIELD(uf_session_config, metadata, uf_type_pairs),
};
RECORD(uf_type_session_config, "SessionConfig", uf_session_config, session_config_fields);

static const struct uf_field with_completion_fields[] = {
    FIELD(uf_session_with_completion, session, t_session),
    FIELD(uf_session_with_completion, completion, t_completion),
};
RECORD(uf_type_session_with_completion, "SessionWithCompletion", uf_session_with_completion,
       with_completion_fields);

static const struct uf_field context_fields[] = {
    FIELD(uf_message_context, source_name, t_name),
    FIELD(uf_message_context, destination_name, t_optional_name),
    FIELD(uf_message_context, payload_type, t_text),
    FIELD(uf_message_context, metadata, uf_type_pairs),
    FIELD(uf_message_context, input_connection, t_u64),
    FIELD(uf_message_context, identity, t_text),
};
RECORD(uf_type_message_context, "MessageContext", uf_message_context, context_fields);

static const struct uf_field message_fields[] = {
    FIELD(uf_received_message, context, uf_type_message_context),
    FIELD(uf_received_message, payload, uf_type_bytes),
};
RECORD(uf_type_received_message, "ReceivedMessage", uf_received_message, message_fields);

static const struct uf_type *const provider_variants[] = {&t_two_texts, &t_static_jwt, &t_jwt,
                                                          &t_spire, NULL};
UNION(uf_type_provider, "IdentityProviderConfig", provider_variants);
static const struct uf_type *const verifier_variants[] = {&t_two_texts, &t_jwt, &t_spire, NULL};
UNION(uf_type_verifier, "IdentityVerifierConfig", verifier_variants);
static const struct uf_type *const error_variants[] = {&t_one_text, &t_one_text, &t_one_text,
                                                       &t_one_text, &t_one_text, &t_one_text,
                                                       NULL,        &t_one_text, &t_one_text};
UNION(uf_type_slim_error, "SlimError", error_variants);

const struct uf_type *const uf_types[] = {
    &uf_type_optional_text,
    &uf_type_optional_u64,
    &uf_type_optional_duration,
    &uf_type_duration,
    &uf_type_bytes,
    &uf_type_texts,
    &uf_type_pairs,
    &uf_type_optional_pairs,
    &uf_type_names,
    &uf_type_services,
    &uf_type_build_info,
    &uf_type_client_config,
    &uf_type_server_config,
    &uf_type_dataplane_config,
    &uf_type_service_config,
    &uf_type_service_configs,
    &uf_type_runtime_config,
    &uf_type_tracing_config,
    &uf_type_session_config,
    &uf_type_session_with_completion,
    &uf_type_message_context,
    &uf_type_received_message,
    &uf_type_provider,
    &uf_type_verifier,
    &uf_type_direction,
    &uf_type_session_type,
    &uf_type_slim_error,
};
const size_t uf_type_count = UF_COUNT(uf_types);
