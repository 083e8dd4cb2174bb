/* TLS for sockets of the loop (spec node.md 3.7), over OpenSSL. A context holds certificate, key and trusted roots; a session is
 * one connection's state, which src/io/transport.c drives between the socket and gRPC.
 *
 *     slim_tls_context_new_server / _new_client    from PEM or DER bytes; reading files is the caller's
 *     slim_tls_context_update                      new certificate or roots: later handshakes use them, open connections go on
 *     slim_tls_session_new                         one connection's state; src/io/transport.c takes it (options.tls) and drives it
 *
 * Versions are exact: a context speaks TLS 1.2 or TLS 1.3, never both (the reference does so). Servers choose ALPN "h2" when the
 * client offers it and go on when it offers none; a client offers "h2" and goes on when the server names none (the reference's
 * nodes do not); another choice than h2 ends the handshake.
 * No key, certificate or name from a peer is logged beyond its sentence of refusal. Threads: a context belongs to one loop. */
#ifndef SLIM_IO_TLS_H
#define SLIM_IO_TLS_H

#include <sys/uio.h>

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

/* format        of chain and key; roots_format: of roots
 * chain, key    own certificate with its chain, and its key; both empty: none. The key is secret, and wiped from temporary copies.
 * roots         certificates that are trusted; may be empty
 * use_system    the system's roots are trusted too: those of SSL_CERT_FILE and SSL_CERT_DIR of the environment when one of them is set, else
 *               those of the first known place that has some. That there are none is said when a certificate is refused for it.
 * Views are borrowed during the call. */
struct slim_tls_material {
    enum slim_tls_format format;
    enum slim_tls_format roots_format;
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
 * is_any_name   clients: the certificate may be for another name than the one asked for, because check_peer knows the peer better
 * is_http1      clients: no ALPN, for HTTP/1 inside
 * asks_client   servers: clients must show a certificate that `roots` vouch for
 * skip_verify   clients: any certificate is taken (a warning is logged for each handshake)
 * check_peer    may be NULL */
struct slim_tls_options {
    enum slim_tls_version version;
    bool asks_client;
    bool skip_verify;
    bool is_any_name;
    bool is_http1;
    slim_tls_check_peer *check_peer;
    void *check_ctx;
};

/* SLIM_ERR_CONFIG with the last links (one per line when there are several) of the reference's cause chain in *error ("missing server cert or key", "invalid pem format",
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

/* Sessions made from it go on; handshakes under way that would ask check_peer fail. NULL is allowed. */
void slim_tls_context_free(struct slim_tls_context *context);

/* Do the certificates `chain` (DER, one behind the other, the peer's own first) lead to one of `roots` (likewise)? For check_peer.
 * SLIM_ERR_DENIED with a sentence; SLIM_ERR_MALFORMED; SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status
slim_tls_verify_chain(struct slim_view chain, struct slim_view roots, struct slim_error *error);

/* ---- sessions: the state of one connection, moved between bytes by who owns the socket.
 *
 *      recv into buffer + SLIM_TLS_HEADROOM -> _take -> plain bytes at the front of buffer
 *      what is to be sent -> _seal -> _output -> sendmsg -> _sent
 *
 * A session is quiet until it has bytes or room: an idle one holds no buffers. */

/* A session for one connection. server_name: clients ask for it (unless it is an IP address) and check the certificate against it;
 * NULL for servers. SLIM_ERR_NO_MEMORY; SLIM_ERR_CONFIG: no name or address. */
SLIM_MUST_CHECK enum slim_status slim_tls_session_new(struct slim_tls_context *context,
                                                      const char *server_name,
                                                      struct slim_tls_session **session);

/* NULL is allowed. */
void slim_tls_session_free(struct slim_tls_session *session);

/* The handshake is complete: _seal works. */
bool slim_tls_session_is_open(const struct slim_tls_session *session);

enum {
    SLIM_TLS_HEADROOM = 20 * 1024, /* more than a record that came in two parts */
    SLIM_TLS_ROOM_MIN = 36 * 1024, /* least size of `room` of _seal */
    /* sealed bytes, and answers of TLS itself (to handshakes, wishes to negotiate again), that a peer does not take: beyond it, it is
     * given up. More than what is sealed for one write. */
    SLIM_TLS_PENDING_MAX = 512 * 1024,
    /* messages of TLS itself (key updates, tickets) behind the handshake in the bytes of one _take: each costs as much as many records */
    SLIM_TLS_UPDATES_MAX = 32,
};

/* Take the `len` received bytes at buffer + SLIM_TLS_HEADROOM, all of them. The plain bytes are put at the front of the buffer,
 * *plain_len of them (also when it fails). A client calls it once with len 0 to begin. Look at _output afterwards, on failure too.
 * SLIM_OK            go on
 * SLIM_ERR_CLOSED    the peer's close_notify
 * SLIM_ERR_DENIED    the handshake or a record was refused, by us or by the peer: *error has the sentence
 * SLIM_ERR_NO_MEMORY, SLIM_ERR_LIMIT (SLIM_TLS_PENDING_MAX, SLIM_TLS_UPDATES_MAX) */
SLIM_MUST_CHECK enum slim_status slim_tls_session_take(struct slim_tls_session *session,
                                                       uint8_t *buffer, size_t len,
                                                       size_t *plain_len, struct slim_error *error);

/* Seal plain bytes; *sealed_len of them, as many as the sealed bytes have room for in `room`, which stays borrowed until _sent.
 * SLIM_ERR_NO_MEMORY, SLIM_ERR_INTERNAL. */
SLIM_MUST_CHECK enum slim_status slim_tls_session_seal(struct slim_tls_session *session,
                                                       const struct iovec *iov, size_t iov_count,
                                                       uint8_t *room, size_t room_size,
                                                       size_t *sealed_len);

/* What is to be written to the socket: fills at most two entries, returns how many. */
size_t slim_tls_session_output(const struct slim_tls_session *session, struct iovec iov[static 2]);

/* `count` bytes of the output were written; `room` is given back, what was not written is kept. SLIM_ERR_NO_MEMORY. */
SLIM_MUST_CHECK enum slim_status slim_tls_session_sent(struct slim_tls_session *session,
                                                       size_t count);

/* Sealed bytes that the session keeps. */
size_t slim_tls_session_pending_bytes(const struct slim_tls_session *session);

/* Say close_notify, once. True when that was put into the output now. */
bool slim_tls_session_close(struct slim_tls_session *session);

#endif
