/* What the node shows of itself: the page for Prometheus, and the export to an OpenTelemetry collector. All calls from main. */
#ifndef SLIM_CMD_SLIM_TELEMETRY_H
#define SLIM_CMD_SLIM_TELEMETRY_H

#include "config/config.h"
#include "slim/engine.h"
#include "slim/service.h"

struct slim_node_telemetry;

/* Start what the configuration asks for (maybe nothing). `config` is borrowed until slim_node_telemetry_free.
 * SLIM_OK; else *failure is the chain for slim_failure_print. */
SLIM_MUST_CHECK enum slim_status slim_node_telemetry_new(struct slim_engine *engine,
                                                         const struct slim_config *config,
                                                         struct slim_node_telemetry **telemetry,
                                                         struct slim_config_error *failure);

/* Show a service too. */
void slim_node_telemetry_add(struct slim_node_telemetry *telemetry, struct slim_service *service);

/* All services are started: that is a span. */
void slim_node_telemetry_started(struct slim_node_telemetry *telemetry);

/* Everything is drained: one last export, for at most SLIM_NODE_TELEMETRY_FINISH_MS, if the collector is there. */
enum { SLIM_NODE_TELEMETRY_FINISH_MS = 1000 };
void slim_node_telemetry_finish(struct slim_node_telemetry *telemetry);

/* After slim_engine_stop and after the services were freed. NULL is allowed. */
void slim_node_telemetry_free(struct slim_node_telemetry *telemetry);

#endif
