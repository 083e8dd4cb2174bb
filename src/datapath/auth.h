/* Link authentication as configured (spec node.md 3.8, auth.md 7): the authorization header that our calls carry, and the check of the one
 * that peers' calls carry. Reads the files of keys and tokens, again when they change; fetches the keys of issuers; asks the SPIFFE agent.
 * Identities of applications are the same without the header (slim_datapath_auth_provider, _verifier): src/client makes them. */
#ifndef SLIM_DATAPATH_AUTH_H
#define SLIM_DATAPATH_AUTH_H

#include "datapath/datapath.h"

struct slim_datapath_auth;

/* Make it for a server or a client; `endpoint` is for log lines. Copied, all of it. *auth is NULL when the configuration says none.
 * SLIM_ERR_CONFIG: it cannot work; *error has the links of the reference's cause chain, one per line. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status
slim_datapath_auth_new_server(struct slim_datapath *datapath, const struct slim_config_auth *config,
                              const char *endpoint, struct slim_datapath_auth **auth,
                              struct slim_error *error);

/* on_change   a new token or key is there: one that was missing may be there now. From inside callbacks of others: do little. */
SLIM_MUST_CHECK enum slim_status
slim_datapath_auth_new_client(struct slim_datapath *datapath, const struct slim_config_auth *config,
                              const char *endpoint, void (*on_change)(void *ctx), void *ctx,
                              struct slim_datapath_auth **auth, struct slim_error *error);

/* What makes the tokens of an application, from its token_provider. Shared secrets are not for here. `name` is for log lines.
 * on_change   as above; a first token that must be fetched has come */
SLIM_MUST_CHECK enum slim_status
slim_datapath_auth_new_provider(struct slim_datapath *datapath,
                                const struct slim_config_auth *config, const char *name,
                                void (*on_change)(void *ctx), void *ctx,
                                struct slim_datapath_auth **auth, struct slim_error *error);

/* Of a client or provider; of a server (an application's token_verifier is one, too). Borrowed. */
struct slim_auth_provider *slim_datapath_auth_provider(struct slim_datapath_auth *auth);
struct slim_auth_verifier *slim_datapath_auth_verifier(struct slim_datapath_auth *auth);

/* slim_auth_provider_make said SLIM_AGAIN: ask the agent. */
void slim_datapath_auth_fetch(struct slim_datapath_auth *auth);

/* Servers and their sockets share one. NULL is allowed. Not from inside on_change. */
struct slim_datapath_auth *slim_datapath_auth_ref(struct slim_datapath_auth *auth);
void slim_datapath_auth_unref(struct slim_datapath_auth *auth);

/* Client: the value of the authorization header of a call that begins now. Borrowed until the next call of this function.
 * Else *why is a sentence: the agent has not given a token yet, or the token is over. */
SLIM_MUST_CHECK enum slim_status slim_datapath_auth_header(struct slim_datapath_auth *auth,
                                                           struct slim_view *value,
                                                           const char **why);

/* Server: may a call with this authorization header (empty: none) go on? If not, *why is a sentence without any secret. */
enum slim_datapath_refusal slim_datapath_auth_admit(struct slim_datapath_auth *auth,
                                                    struct slim_view value, const char **why);

/* Server: "Basic" or "Bearer". */
const char *slim_datapath_auth_scheme(const struct slim_datapath_auth *auth);

/* Read the files of all of them again; what is broken changes nothing. */
void slim_datapath_auth_reload_all(struct slim_datapath *datapath);

#endif
