/* Functions that make configurations, and what this build is. */
#include "factories.h"

#include <string.h>

#include "things.h"

#define TEXT(literal)                                                                              \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }

static const struct slim_view default_filters[] = {
    TEXT("slim_datapath"), TEXT("slim_service"),   TEXT("slim_controller"), TEXT("slim_auth"),
    TEXT("slim_config"),   TEXT("slim_mls"),       TEXT("slim_session"),    TEXT("slim_signal"),
    TEXT("slim_tracing"),  TEXT("_slim_bindings"), TEXT("slim_testing"),    TEXT("slim"),
    TEXT("slim_examples"), TEXT("sdk_mock"),       TEXT("client")};

const struct uf_runtime_config uf_default_runtime = {
    .n_cores = 0, .thread_name = TEXT("slim"), .drain_timeout = {.seconds = 10}};

const struct uf_tracing_config uf_default_tracing = {
    .log_level = TEXT("info"),
    .display_thread_names = true,
    .filters = {.count = UF_COUNT(default_filters), .items = default_filters}};

static const struct uf_exponential_backoff default_backoff = {.base = {.nanoseconds = 100000000},
                                                              .factor = 1,
                                                              .max_delay = {.seconds = 1},
                                                              .max_attempts = UINT64_MAX,
                                                              .jitter = true};

static const uint32_t frame_size_mib = 4;
static const uint32_t stream_count = 100;
static const uint64_t buffer_bytes = 1048576;

bool uf_has_default_filters(const struct uf_tracing_config *tracing)
{
    const struct slim_view *given = tracing->filters.items;
    if (tracing->filters.count != UF_COUNT(default_filters)) {
        return tracing->filters.count == 0;
    }
    for (size_t i = 0; i < UF_COUNT(default_filters); i++) {
        if (given[i].len != default_filters[i].len ||
            memcmp(given[i].data, default_filters[i].data, given[i].len) != 0) {
            return false;
        }
    }
    return true;
}

static struct uf_buffer give(const struct uf_type *type, const void *value,
                             struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    struct uf_buffer written = uf_call_write(&call, type, value);
    uf_call_end(&call, status);
    return written;
}

/* ------------------------------------------------------------------------------------------------ links and servers */

static struct uf_tls_client_config tls_client(bool is_insecure)
{
    return (struct uf_tls_client_config){.insecure = is_insecure,
                                         .source = {.variant = UF_TLS_NONE},
                                         .ca_source = {.variant = UF_CA_NONE},
                                         .include_system_ca_certs_pool = true,
                                         .tls_version = TEXT("tls1.3")};
}

struct uf_buffer uniffi_slim_bindings_fn_func_new_insecure_client_config(struct uf_buffer endpoint,
                                                                         struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    struct uf_client_config config = {
        .endpoint = uf_call_text(&call, endpoint),
        .tls = tls_client(true),
        .proxy = {.tls = tls_client(false)},
        .auth = {.variant = UF_CLIENT_NONE},
        .backoff = {.variant = UF_BACKOFF_EXPONENTIAL, .body = &default_backoff}};
    struct uf_buffer written = uf_call_write(&call, &uf_type_client_config, &config);
    uf_call_end(&call, status);
    return written;
}

static struct uf_buffer give_server(struct uf_buffer endpoint, bool is_insecure,
                                    struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    struct uf_server_config config = {.endpoint = uf_call_text(&call, endpoint),
                                      .tls = {.insecure = is_insecure,
                                              .source = {.variant = UF_TLS_NONE},
                                              .client_ca = {.variant = UF_CA_NONE},
                                              .include_system_ca_certs_pool = true,
                                              .tls_version = TEXT("tls1.3")},
                                      .http2_only = true,
                                      .max_frame_size = &frame_size_mib,
                                      .max_concurrent_streams = &stream_count,
                                      .read_buffer_size = &buffer_bytes,
                                      .write_buffer_size = &buffer_bytes,
                                      .keepalive = {.max_connection_idle = {.seconds = 3600},
                                                    .max_connection_age = {.seconds = 7200},
                                                    .max_connection_age_grace = {.seconds = 300},
                                                    .time = {.seconds = 120},
                                                    .timeout = {.seconds = 20}},
                                      .auth = {.variant = UF_SERVER_NONE}};
    struct uf_buffer written = uf_call_write(&call, &uf_type_server_config, &config);
    uf_call_end(&call, status);
    return written;
}

struct uf_buffer uniffi_slim_bindings_fn_func_new_server_config(struct uf_buffer endpoint,
                                                                struct uf_status *status)
{
    return give_server(endpoint, false, status);
}

struct uf_buffer uniffi_slim_bindings_fn_func_new_insecure_server_config(struct uf_buffer endpoint,
                                                                         struct uf_status *status)
{
    return give_server(endpoint, true, status);
}

struct uf_buffer uniffi_slim_bindings_fn_func_new_dataplane_config(struct uf_status *status)
{
    struct uf_dataplane_config config = {.servers = {.count = 0}};
    return give(&uf_type_dataplane_config, &config, status);
}

/* ------------------------------------------------------------------------------------------------ services and the process */

struct uf_buffer uniffi_slim_bindings_fn_func_new_service_config(struct uf_status *status)
{
    struct uf_service_config config = {.node_id = NULL};
    return give(&uf_type_service_config, &config, status);
}

struct uf_buffer uniffi_slim_bindings_fn_func_new_service_configuration(struct uf_status *status)
{
    return uniffi_slim_bindings_fn_func_new_service_config(status);
}

struct uf_buffer uniffi_slim_bindings_fn_func_new_service_config_with(struct uf_buffer node_id,
                                                                      struct uf_buffer group_name,
                                                                      struct uf_buffer dataplane,
                                                                      struct uf_status *status)
{
    struct uf_call call;
    struct uf_service_config config;
    uf_call_begin(&call);
    uf_call_record(&call, node_id, &uf_type_optional_text, (void *)&config.node_id);
    uf_call_record(&call, group_name, &uf_type_optional_text, (void *)&config.group_name);
    uf_call_record(&call, dataplane, &uf_type_dataplane_config, &config.dataplane);
    struct uf_buffer written = uf_call_write(&call, &uf_type_service_config, &config);
    uf_call_end(&call, status);
    return written;
}

struct uf_buffer uniffi_slim_bindings_fn_func_new_runtime_config(struct uf_status *status)
{
    return give(&uf_type_runtime_config, &uf_default_runtime, status);
}

struct uf_buffer uniffi_slim_bindings_fn_func_new_runtime_config_with(uint64_t n_cores,
                                                                      struct uf_buffer thread_name,
                                                                      struct uf_buffer drain,
                                                                      struct uf_status *status)
{
    struct uf_call call;
    struct uf_runtime_config config = {.n_cores = n_cores};
    uf_call_begin(&call);
    config.thread_name = uf_call_text(&call, thread_name);
    uf_call_record(&call, drain, &uf_type_duration, &config.drain_timeout);
    struct uf_buffer written = uf_call_write(&call, &uf_type_runtime_config, &config);
    uf_call_end(&call, status);
    return written;
}

struct uf_buffer uniffi_slim_bindings_fn_func_new_tracing_config(struct uf_status *status)
{
    return give(&uf_type_tracing_config, &uf_default_tracing, status);
}

struct uf_buffer uniffi_slim_bindings_fn_func_new_tracing_config_with(struct uf_buffer log_level,
                                                                      int8_t display_thread_names,
                                                                      int8_t display_thread_ids,
                                                                      struct uf_buffer filters,
                                                                      struct uf_status *status)
{
    struct uf_call call;
    struct uf_tracing_config config = {.display_thread_names = display_thread_names != 0,
                                       .display_thread_ids = display_thread_ids != 0};
    uf_call_begin(&call);
    config.log_level = uf_call_text(&call, log_level);
    uf_call_record(&call, filters, &uf_type_texts, &config.filters);
    struct uf_buffer written = uf_call_write(&call, &uf_type_tracing_config, &config);
    uf_call_end(&call, status);
    return written;
}

/* ------------------------------------------------------------------------------------------------ versions */

struct uf_buffer uniffi_slim_bindings_fn_func_get_version(struct uf_status *status)
{
    struct uf_call call;
    uf_call_begin(&call);
    struct uf_buffer written = uf_call_write_text(&call, "1.0.0"); /* whose interface this is */
    uf_call_end(&call, status);
    return written;
}

struct uf_buffer uniffi_slim_bindings_fn_func_get_build_info(struct uf_status *status)
{
    struct uf_build_info info = {.version = uf_view(slim_version()), .profile = TEXT("release")};
    return give(&uf_type_build_info, &info, status);
}
