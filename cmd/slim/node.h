/* The node: all services of a configuration, started and stopped in file order. */
#ifndef SLIM_CMD_SLIM_NODE_H
#define SLIM_CMD_SLIM_NODE_H

#include "config/config.h"

/* Run the services until SIGINT or SIGTERM, then drain them within runtime.drain_timeout. `signal_fd` is from
 * slim_signals_open. Errors are printed on stderr. Returns the exit status of the process. */
int slim_node_run(const struct slim_config *config, int signal_fd);

#endif
