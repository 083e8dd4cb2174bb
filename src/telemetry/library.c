#include "telemetry/library.h"

#include <stdatomic.h>

#include "io/library.h"
#include "telemetry/telemetry.h"

#define LIBRARY_FILE "libmicrohttpd.so.12"

/* Filled once, before `is_loaded` is set (release), and read by whoever saw that (acquire). The library stays. */
static struct slim_telemetry_library library;
static _Atomic bool is_loaded;

const struct slim_telemetry_library *slim_telemetry_library(void)
{
    return atomic_load_explicit(&is_loaded, memory_order_acquire) ? &library : NULL;
}

enum slim_status slim_telemetry_server_load(struct slim_error *error)
{
    const struct slim_library_symbol symbols[] = {
        {"MHD_start_daemon", &library.start_daemon},
        {"MHD_stop_daemon", &library.stop_daemon},
        {"MHD_get_daemon_info", &library.get_daemon_info},
        {"MHD_add_connection", &library.add_connection},
        {"MHD_run", &library.run},
        {"MHD_get_timeout", &library.get_timeout},
        {"MHD_create_response_from_buffer", &library.create_response_from_buffer},
        {"MHD_create_response_from_buffer_with_free_callback", &library.create_response_with_free},
        {"MHD_add_response_header", &library.add_response_header},
        {"MHD_queue_response", &library.queue_response},
        {"MHD_destroy_response", &library.destroy_response},
    };
    const char *missing;
    if (!slim_library_open(LIBRARY_FILE, symbols, SLIM_COUNT(symbols), &missing)) {
        return missing != NULL
                   ? slim_error_set(error, SLIM_ERR_CONFIG,
                                    "%s has no %s: version 0.9.75 or later is needed", LIBRARY_FILE,
                                    missing)
                   : slim_error_set(error, SLIM_ERR_CONFIG,
                                    "cannot open %s: install the package libmicrohttpd12, or "
                                    "remove telemetry.prometheus",
                                    LIBRARY_FILE);
    }
    atomic_store_explicit(&is_loaded, true, memory_order_release);
    return SLIM_OK;
}
