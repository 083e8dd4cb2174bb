/* TLS for sockets of the loop (spec node.md 3.7), over OpenSSL. A context holds certificate, key and trusted roots; a session is
 * one connection's state, which src/io/transport.c drives between the socket and gRPC.
 *
 *     slim_tls_context_new_server / _new_client    from PEM or DER bytes; reading files is the caller's (slim_tls_files watches them)
 *     slim_tls_context_update                      new certificate or roots: later handshakes use them, open connections go on
 *     slim_transport_new_tls (io/transport.h)      a transport whose bytes go through a session
 *
 * Versions are exact: a context speaks TLS 1.2 or TLS 1.3, never both (the reference does so). Servers choose ALPN "h2" when the
 * client offers it and go on when it offers none; a client offers "h2" and goes on when the server names none (the reference's
 * nodes do not); another choice than h2 ends the handshake.
 * No key, certificate or name from a peer is logged beyond its sentence of refusal. Threads: a context belongs to one loop. */
#ifndef SLIM_IO_TLS_H
#define SLIM_IO_TLS_H

#include "base/status.h"
#include "base/view.h"

struct slim_tls_context;
struct slim_tls_session;

enum slim_tls_version {
    SLIM_TLS_1_3,
    SLIM_TLS_1_2,
};

/* Certificates are either PEM text (any number of blocks, the own one first and its chain behind it) or DER, one behind the other. */
enum slim_tls_format {
    SLIM_TLS_PEM,
    SLIM_TLS_DER,
};

/* chain, key    own certificate with its chain, and its key; both empty: none. The key is secret, and wiped from temporary copies.
 * roots         certificates that are trusted; may be empty
 * use_system    the system's roots are trusted too (SSL_CERT_FILE and SSL_CERT_DIR of the environment count, as for OpenSSL)
 * Views are borrowed during the call. */
struct slim_tls_material {
    enum slim_tls_format format;
    struct slim_view chain;
    struct slim_view key;
    struct slim_view roots;
    bool use_system;
};

/* A check of our own on the peer's certificate after OpenSSL found it good: SPIFFE ids (auth/spiffe.h) and the roots of its trust
 * domain. `chain` holds the peer's certificates as DER, one behind the other. SLIM_OK, or a status and a sentence. */
typedef enum slim_status slim_tls_check_peer(void *ctx, struct slim_view chain,
                                             struct slim_error *error);

/* version
 * asks_client   servers: clients must show a certificate that `roots` vouch for
 * skip_verify   clients: any certificate is taken (a warning is logged for each handshake)
 * check_peer    may be NULL */
struct slim_tls_options {
    enum slim_tls_version version;
    bool asks_client;
    bool skip_verify;
    slim_tls_check_peer *check_peer;
    void *check_ctx;
};

/* SLIM_ERR_CONFIG with the last links of the reference's cause chain in *error ("missing server cert or key", "invalid pem format",
 * a key that does not match its certificate in a sentence of ours); SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status
slim_tls_context_new_server(const struct slim_tls_options *options,
                            const struct slim_tls_material *material,
                            struct slim_tls_context **context, struct slim_error *error);
SLIM_MUST_CHECK enum slim_status
slim_tls_context_new_client(const struct slim_tls_options *options,
                            const struct slim_tls_material *material,
                            struct slim_tls_context **context, struct slim_error *error);

/* Take over new material; on failure the old one stays in force. Statuses as above. */
SLIM_MUST_CHECK enum slim_status slim_tls_context_update(struct slim_tls_context *context,
                                                         const struct slim_tls_material *material,
                                                         struct slim_error *error);

/* Sessions made from it go on. NULL is allowed. */
void slim_tls_context_free(struct slim_tls_context *context);

#endif
