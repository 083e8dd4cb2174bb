/* libmicrohttpd, opened when it is needed. Private to src/telemetry. */
#ifndef SLIM_TELEMETRY_LIBRARY_H
#define SLIM_TELEMETRY_LIBRARY_H

#include <microhttpd.h>

#include "base/status.h"

/* The functions we call, under their own names. */
struct slim_telemetry_library {
    __typeof__(&MHD_start_daemon) start_daemon;
    __typeof__(&MHD_stop_daemon) stop_daemon;
    __typeof__(&MHD_get_daemon_info) get_daemon_info;
    __typeof__(&MHD_add_connection) add_connection;
    __typeof__(&MHD_run) run;
    __typeof__(&MHD_get_timeout) get_timeout;
    __typeof__(&MHD_create_response_from_buffer) create_response_from_buffer;
    __typeof__(&MHD_create_response_from_buffer_with_free_callback) create_response_with_free;
    __typeof__(&MHD_add_response_header) add_response_header;
    __typeof__(&MHD_queue_response) queue_response;
    __typeof__(&MHD_destroy_response) destroy_response;
};

/* The functions, or NULL before slim_telemetry_server_load succeeded. */
const struct slim_telemetry_library *slim_telemetry_library(void);

#endif
