/* The proxy of a client, as its configuration or the environment names it (spec node.md 3.6). Private to src/datapath. */
#ifndef SLIM_DATAPATH_PROXY_H
#define SLIM_DATAPATH_PROXY_H

#include "config/config.h"
#include "io/tunnel.h"

struct slim_datapath;
struct slim_datapath_proxy;

/* `config` is copied. SLIM_ERR_CONFIG with a sentence; SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_datapath_proxy_new(struct slim_datapath *datapath,
                                                         const struct slim_config_proxy *config,
                                                         const char *endpoint,
                                                         struct slim_datapath_proxy **proxy,
                                                         struct slim_error *error);

/* NULL is allowed. */
void slim_datapath_proxy_free(struct slim_datapath_proxy *proxy);

/* Open a tunnel to `target`, as slim_tunnel_open. SLIM_ERR_NOT_FOUND: no proxy is to be used for it, connect directly.
 * SLIM_ERR_CONFIG: the environment's proxy, or its TLS, makes no sense; SLIM_ERR_STATE; SLIM_ERR_NO_MEMORY; each with a sentence. */
SLIM_MUST_CHECK enum slim_status
slim_datapath_proxy_open(struct slim_datapath_proxy *proxy, const struct slim_endpoint *target,
                         uint64_t timeout_ms, slim_connector_on_done *on_done, void *ctx,
                         struct slim_tunnel **tunnel, struct slim_error *error);

#endif
