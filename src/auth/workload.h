/* Client of the SPIFFE Workload API (spec auth.md 5): fetches our JWT-SVID and X509-SVID and the bundles of trust domains, and keeps them
 * fresh. A state machine: who owns the socket starts calls when told, hands in messages and ends, and calls tick.
 *
 *   X509       FetchX509SVID      stream, always open            our certificate, its key, the roots of all trust domains
 *   JWT        FetchJWTSVID       again at 2/3 of its life       our token
 *   BUNDLES    FetchJWTBundles    stream, always open            keys of all trust domains
 *   CREDENTIAL FetchJWTSVID       when asked for, and renewed    our tokens with an MLS key as an additional audience, one at a time
 *
 * A call that failed is repeated after 1, 2, 4 ... 30 s, for a token within 90 % of the life of the one we have. Old values serve until
 * their end. Every message replaces what came before it. */
#ifndef SLIM_AUTH_WORKLOAD_H
#define SLIM_AUTH_WORKLOAD_H

#include "auth/auth.h"
#include "auth/spiffe.h"
#include "grpc/grpc.h"

struct slim_auth_workload;

enum slim_auth_workload_call {
    SLIM_AUTH_WORKLOAD_X509,
    SLIM_AUTH_WORKLOAD_JWT,
    SLIM_AUTH_WORKLOAD_BUNDLES,
    SLIM_AUTH_WORKLOAD_CREDENTIAL,
    SLIM_AUTH_WORKLOAD_CALL_COUNT,
};

enum {
    SLIM_AUTH_WORKLOAD_RETRY_MS_MIN = 1000,
    SLIM_AUTH_WORKLOAD_RETRY_MS_MAX = 30000,
    SLIM_AUTH_WORKLOAD_UNKNOWN_MS =
        30000, /* a token is renewed after so long when its life is over already */
    SLIM_AUTH_WORKLOAD_RENEW_MS_MIN = 100,
    SLIM_AUTH_WORKLOAD_ANSWER_MS = 30000, /* a token that has not come by then is given up */
    SLIM_AUTH_SVID_BYTES_MAX =
        256 * 1024,             /* longest certificate chain, key or bundle; more is refused */
    SLIM_AUTH_DOMAINS_MAX = 64, /* trust domains with roots */
    SLIM_AUTH_CREDENTIALS_MAX =
        8, /* keys with a token; for one more, the one not asked for the longest goes */
    SLIM_AUTH_CREDENTIAL_SPARE_S = 10, /* a credential with less life left is not handed out */
};

/* What the owner does for the client.
 * start        begin this call with one request message and no more (half-close behind it). A status other than SLIM_OK counts as the
 *              end of the call. At most one call of each kind runs. Must not hand anything in from inside.
 * cancel       give the call up; nothing of it is handed in any more
 * on_change    something new came with this call: for X509 and BUNDLES the generation grew. From inside take_message.
 * on_problem   a message was refused, or a call failed: a sentence for the log, rate limited by the pauses above. May be NULL. */
struct slim_auth_workload_owner {
    enum slim_status (*start)(void *ctx, enum slim_auth_workload_call call,
                              struct slim_view request);
    void (*cancel)(void *ctx, enum slim_auth_workload_call call);
    void (*on_change)(void *ctx, enum slim_auth_workload_call call);
    void (*on_problem)(void *ctx, enum slim_auth_workload_call call, const char *text);
    void *ctx;
};

/* audiences    of our tokens and those accepted; none: "slim"
 * spiffe_id    the one of our identities that is wanted; empty: the agent's first
 * wants_x509   for TLS;  wants_jwt: for message identities and links */
struct slim_auth_workload_options {
    const struct slim_view *audiences;
    size_t audience_count;
    struct slim_view spiffe_id;
    bool wants_x509;
    bool wants_jwt;
};

/* Everything is copied. SLIM_ERR_CONFIG with a sentence; SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status
slim_auth_workload_new(const struct slim_auth_workload_options *options,
                       const struct slim_auth_workload_owner *owner,
                       struct slim_auth_workload **workload, struct slim_error *error);

/* Cancels running calls. Providers and verifiers on it must be freed before. NULL is allowed. */
void slim_auth_workload_free(struct slim_auth_workload *workload);

/* The path of the RPC behind a call. */
struct slim_view slim_auth_workload_path(enum slim_auth_workload_call call);

/* The connection to the agent is there: calls may be started (by the next tick). It is gone: running calls are over. */
void slim_auth_workload_attach(struct slim_auth_workload *workload, uint64_t now_ms);
void slim_auth_workload_detach(struct slim_auth_workload *workload);

/* Start what is due, give up what has not been answered. Returns when to call again (UINT64_MAX: not before something happens).
 * now_ms: monotonic; now_s: wall clock. */
uint64_t slim_auth_workload_tick(struct slim_auth_workload *workload, uint64_t now_ms,
                                 uint64_t now_s);

/* A message of a running call; the end of one. Call tick afterwards. */
void slim_auth_workload_take_message(struct slim_auth_workload *workload,
                                     enum slim_auth_workload_call call, struct slim_view message,
                                     uint64_t now_ms, uint64_t now_s);
void slim_auth_workload_take_end(struct slim_auth_workload *workload,
                                 enum slim_auth_workload_call call, enum slim_grpc_status status,
                                 uint64_t now_ms, uint64_t now_s);

/* Our certificate: DER certificates one behind the other (ours first), its PKCS#8 key, the roots of our own trust domain (DER, one behind the
 * other). Borrowed until the next message. False: none came yet. */
struct slim_auth_x509_svid {
    struct slim_view spiffe_id;
    struct slim_view chain;
    struct slim_view key;
    struct slim_view bundle;
};
bool slim_auth_workload_x509(const struct slim_auth_workload *workload,
                             struct slim_auth_x509_svid *svid);

/* Roots of a trust domain, ours or a federated one (DER, one behind the other); an empty view when we have none. Borrowed. */
struct slim_view slim_auth_workload_roots(const struct slim_auth_workload *workload,
                                          struct slim_view domain);

/* Grow with every change of our certificate or of roots, and with every change of JWT bundles. */
uint64_t slim_auth_workload_x509_generation(const struct slim_auth_workload *workload);
uint64_t slim_auth_workload_bundle_generation(const struct slim_auth_workload *workload);

/* Identities over a workload client with wants_jwt, which must outlive them. The provider's token is our JWT-SVID, its id our SPIFFE id;
 * slim_auth_provider_make with a key returns SLIM_AGAIN until the agent has signed one (on_change of CREDENTIAL tells).
 * The verifier takes JWT-SVIDs of every trust domain whose bundle we have. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status
slim_auth_provider_new_spiffe(struct slim_auth_workload *workload,
                              struct slim_auth_provider **provider);
SLIM_MUST_CHECK enum slim_status
slim_auth_verifier_new_spiffe(struct slim_auth_workload *workload, slim_auth_random *random,
                              struct slim_auth_verifier **verifier);

/* ---- on a gRPC connection
 *
 * The owner part of a workload client for a slim_grpc_conn to the agent: give slim_auth_workload_handler and the client's link to
 * slim_grpc_conn_new, then attach. */
struct slim_auth_workload_link;

/* on_change, on_problem and ctx as in the owner. SLIM_ERR_CONFIG, SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_auth_workload_link_new(
    const struct slim_auth_workload_options *options,
    void (*on_change)(void *ctx, enum slim_auth_workload_call call),
    void (*on_problem)(void *ctx, enum slim_auth_workload_call call, const char *text), void *ctx,
    struct slim_auth_workload_link **link, struct slim_error *error);
void slim_auth_workload_link_free(struct slim_auth_workload_link *link);
struct slim_auth_workload *slim_auth_workload_link_client(struct slim_auth_workload_link *link);

/* Handler of the connection; its ctx is the link. */
extern const struct slim_grpc_handler slim_auth_workload_handler;

/* The connection is there; it is gone (its calls got their on_end before, or get none). */
void slim_auth_workload_link_attach(struct slim_auth_workload_link *link,
                                    struct slim_grpc_conn *conn, uint64_t now_ms);
void slim_auth_workload_link_detach(struct slim_auth_workload_link *link);

/* The time now, for what the connection hands in next. Without it, that of the last tick counts. */
void slim_auth_workload_link_set_time(struct slim_auth_workload_link *link, uint64_t now_ms,
                                      uint64_t now_s);

/* As slim_auth_workload_tick. The times are also used for what the connection hands in before the next tick. */
uint64_t slim_auth_workload_link_tick(struct slim_auth_workload_link *link, uint64_t now_ms,
                                      uint64_t now_s);

#endif
