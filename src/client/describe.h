/* Texts of callers to configuration: an endpoint alone, or a mapping of slim.yaml(5) in YAML or JSON. From any thread. */
#ifndef SLIM_CLIENT_DESCRIBE_H
#define SLIM_CLIENT_DESCRIBE_H

#include "config/config.h"

/* The first client of the first service of *config is what `text` says. An endpoint alone is without TLS for http and unix, and
 * with the system's roots for https. announces_link: a link without link_id gets a random one. SLIM_ERR_CONFIG. */
SLIM_MUST_CHECK enum slim_status slim_client_read_client(const char *text, bool announces_link,
                                                         struct slim_config **config,
                                                         struct slim_error *error);

/* Likewise the first server. An endpoint alone is without TLS. */
SLIM_MUST_CHECK enum slim_status
slim_client_read_server(const char *text, struct slim_config **config, struct slim_error *error);

/* token_provider and token_verifier: those of the first service's controller. */
SLIM_MUST_CHECK enum slim_status slim_client_read_identity(const char *provider,
                                                           const char *verifier,
                                                           struct slim_config **config,
                                                           struct slim_error *error);

#endif
