/* TLS of one server or one client as its configuration describes it (spec node.md 3.7): where certificates, keys and roots come from, and
 * how they stay fresh. Private to src/datapath.
 *
 *     files          watched (io/watch.h): read again when they change, and at slim_datapath_reload
 *     PEM text       of the configuration
 *     SPIFFE agent   certificate and roots of the Workload API (datapath/spire.h), taken over whenever the agent sends new ones
 *
 * New connections use what came last; open ones go on. What cannot be used is refused with one warning, and the old stays in force. */
#ifndef SLIM_DATAPATH_TLS_H
#define SLIM_DATAPATH_TLS_H

#include "config/config.h"
#include "io/tls.h"

struct slim_datapath;
struct slim_datapath_tls;

/* `config` is copied. `endpoint` is for log lines. *tls is NULL when the configuration wants none (tls.insecure; for clients: and no
 * ca_source).
 * SLIM_ERR_CONFIG: the reference's causes in *error, one per line, from "TLS config error" on. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_datapath_tls_new_server(struct slim_datapath *datapath,
                                                              const struct slim_config_tls *config,
                                                              const char *endpoint,
                                                              struct slim_datapath_tls **tls,
                                                              struct slim_error *error);
SLIM_MUST_CHECK enum slim_status slim_datapath_tls_new_client(struct slim_datapath *datapath,
                                                              const struct slim_config_tls *config,
                                                              const char *endpoint,
                                                              struct slim_datapath_tls **tls,
                                                              struct slim_error *error);

/* As for a client, for HTTP/1 inside. */
SLIM_MUST_CHECK enum slim_status slim_datapath_tls_new_proxy(struct slim_datapath *datapath,
                                                             const struct slim_config_tls *config,
                                                             const char *endpoint,
                                                             struct slim_datapath_tls **tls,
                                                             struct slim_error *error);

/* Sessions go on. NULL is allowed. */
void slim_datapath_tls_free(struct slim_datapath_tls *tls);

/* A session for one connection; server_name as in io/tls.h. tls NULL: *session is NULL.
 * SLIM_ERR_STATE with a sentence: the SPIFFE agent has not given us what we need yet. SLIM_ERR_NO_MEMORY, SLIM_ERR_CONFIG. */
SLIM_MUST_CHECK enum slim_status slim_datapath_tls_session(struct slim_datapath_tls *tls,
                                                           const char *server_name,
                                                           struct slim_tls_session **session,
                                                           struct slim_error *error);

/* Read the files of all of them again. */
void slim_datapath_tls_reload(struct slim_datapath *datapath);

#endif
