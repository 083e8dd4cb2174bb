/* Inside of the Workload API client. Private to src/auth. */
#ifndef SLIM_AUTH_WORKLOAD_STATE_H
#define SLIM_AUTH_WORKLOAD_STATE_H

#include "auth/jwt.h"
#include "auth/workload.h"

/* due_ms       when to start it next, while it runs: when to give it up; UINT64_MAX: not by itself
 * is_answered  a good message came since it was started
 * fail_count   ends without one in a row */
struct slim_auth_call_state {
    bool is_running;
    bool is_answered;
    uint64_t due_ms;
    uint32_t fail_count;
};

/* A JWT-SVID of ours; empty token: none. */
struct slim_auth_jwt_svid {
    struct slim_buf token;
    struct slim_buf spiffe_id;
    uint64_t exp_s;
};

struct slim_auth_roots {
    struct slim_buf domain;
    struct slim_buf der;
};

/* The token that carries one MLS key.
 * asked_at      when it was last asked for, counted; 0: the place is free
 * due_ms, fail_count   as in slim_auth_call_state, while its call does not run */
struct slim_auth_credential {
    uint64_t asked_at;
    uint8_t key[SLIM_AUTH_PUBKEY_BYTES];
    struct slim_auth_jwt_svid svid;
    uint64_t due_ms;
    uint32_t fail_count;
};

/* What an X509SVIDResponse says. has_svid: it came. */
struct slim_auth_x509_state {
    bool has_svid;
    struct slim_buf spiffe_id;
    struct slim_buf chain;
    struct slim_buf key;
    struct slim_auth_roots roots[SLIM_AUTH_DOMAINS_MAX];
    size_t root_count; /* the first is our own trust domain's */
};

/* current   the credential that the state of CREDENTIAL is about: of the running call, or of the next one */
struct slim_auth_workload {
    struct slim_auth_workload_owner owner;
    struct slim_auth_names audiences;
    struct slim_buf spiffe_id;
    bool wants_x509;
    bool wants_jwt;
    bool is_attached;
    struct slim_auth_call_state calls[SLIM_AUTH_WORKLOAD_CALL_COUNT];
    struct slim_auth_x509_state x509;
    struct slim_auth_jwt_svid jwt;
    struct slim_auth_credential credentials[SLIM_AUTH_CREDENTIALS_MAX];
    struct slim_auth_credential *current;
    uint64_t asked_count;
    struct slim_auth_keyset bundles;
    bool has_bundles;
    uint64_t x509_generation;
    uint64_t bundle_generation;
    struct slim_buf request;
};

/* Take over what a message says; on failure everything stays as it was. SLIM_ERR_NO_MEMORY, or why it was refused, with a sentence. A bundle
 * of another trust domain that is broken costs that domain its news only: SLIM_OK, and *error (empty before) has a sentence. */
SLIM_MUST_CHECK enum slim_status slim_auth_x509_state_read(struct slim_view message,
                                                           struct slim_auth_x509_state *state,
                                                           struct slim_error *error);
void slim_auth_x509_state_fini(struct slim_auth_x509_state *state);
SLIM_MUST_CHECK enum slim_status slim_auth_jwt_svid_read(struct slim_view message,
                                                         struct slim_auth_jwt_svid *svid,
                                                         struct slim_error *error);
void slim_auth_jwt_svid_fini(struct slim_auth_jwt_svid *svid);
SLIM_MUST_CHECK enum slim_status slim_auth_bundles_read(struct slim_view message,
                                                        struct slim_auth_keyset *bundles,
                                                        struct slim_error *error);

/* The token that carries `pubkey`; SLIM_AGAIN: it was asked for. Borrowed. */
SLIM_MUST_CHECK enum slim_status slim_auth_workload_credential(struct slim_auth_workload *workload,
                                                               const uint8_t *pubkey,
                                                               uint64_t now_s,
                                                               struct slim_view *token);

#endif
