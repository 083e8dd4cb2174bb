/* One service of the configuration: a datapath with its servers and clients. All calls from main. */
#ifndef SLIM_CMD_SLIM_SERVICE_H
#define SLIM_CMD_SLIM_SERVICE_H

#include "config/config.h"
#include "datapath/datapath.h"
#include "slim/engine.h"

struct slim_service;

enum slim_service_outcome {
    SLIM_SERVICE_STARTED,
    SLIM_SERVICE_SIGNALLED, /* a signal came while starting (it was taken): stop what is there */
    SLIM_SERVICE_FAILED,
};

/* `config` is borrowed until slim_service_free. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_service_new(struct slim_engine *engine,
                                                  const struct slim_config_service *config,
                                                  size_t memory_max_bytes,
                                                  struct slim_service **service);

/* Start the servers, then the clients one after the other, each until it is connected. FAILED: *failure is the chain for
 * slim_failure_print. */
enum slim_service_outcome slim_service_start(struct slim_service *service,
                                             struct slim_config_error *failure);

/* Read certificates and keys again. */
void slim_service_reload(struct slim_service *service);

/* Begin to stop: close the servers, disconnect the clients, drain the streams. */
void slim_service_stop(struct slim_service *service);

/* True when the drain that slim_service_stop began is over; slim_engine_wait returns when that changes. */
bool slim_service_is_drained(const struct slim_service *service);

/* Its engine, for use on the engine's thread; and its key in the configuration. */
struct slim_datapath *slim_service_datapath(const struct slim_service *service);
const char *slim_service_id(const struct slim_service *service);

/* After slim_engine_stop: close what is left at once. NULL is allowed. */
void slim_service_free(struct slim_service *service);

#endif
