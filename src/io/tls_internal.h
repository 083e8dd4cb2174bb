/* What the files of TLS share. Private to src/io/tls*. */
#ifndef SLIM_IO_TLS_INTERNAL_H
#define SLIM_IO_TLS_INTERNAL_H

#include <openssl/ssl.h>

#include "base/buf.h"
#include "io/tls.h"

enum { SLIM_TLS_NOTE_BYTES = 320 }; /* fits into an error, behind its sentence */

/* roots_note  why there are no roots of the system, "" when there are or nobody asked for them
 * ref_count   the owner and every session; is_given_up: the owner is gone, and so is what check_ctx points to */
struct slim_tls_context {
    SSL_CTX *ssl;
    bool is_server;
    bool is_given_up;
    size_t ref_count;
    struct slim_tls_options options;
    char roots_note[SLIM_TLS_NOTE_BYTES];
};

/* in, in_len   what _take got and OpenSSL has not read yet
 * pending      sealed bytes that wait, before those in room
 * room         the caller's, between _seal and _sent; the sealed bytes begin at room_begin
 * error        the caller's, during _take
 * update_count messages of TLS itself behind the handshake, during _take
 * name         what a client asked for, for the sentence; NULL for servers */
struct slim_tls_session {
    struct slim_tls_context *context;
    SSL *ssl;
    const uint8_t *in;
    size_t in_len;
    struct slim_buf pending;
    uint8_t *room;
    size_t room_len;
    size_t room_size;
    struct slim_error *error;
    size_t update_count;
    char *name;
    bool is_open;
    bool is_broken;
    bool is_close_sent;
    bool is_out_of_memory;
    bool is_peer_refused; /* check_peer filled in *error */
};

void slim_tls_context_unref(struct slim_tls_context *context);

/* Where roots may be.
 * file, folder   the values of SSL_CERT_FILE and SSL_CERT_DIR (folders, separated by ":"); NULL or "": not set. When one is set, nothing else counts.
 * prefix         before the paths that are known; "" except in tests */
struct slim_tls_roots_from {
    const char *file;
    const char *folder;
    const char *prefix;
};

/* Add the roots of the system to the store. When there are none, `note` says where they were looked for; else it is "". */
void slim_tls_roots_add(X509_STORE *store, const struct slim_tls_roots_from *from, char *note,
                        size_t size);
/* The same, from the environment and this system. */
void slim_tls_roots_add_system(X509_STORE *store, char *note, size_t size);

/* Fill *error with what went wrong in OpenSSL's last call for this session, and empty its queue of errors. */
enum slim_status slim_tls_explain(const struct slim_tls_session *session, struct slim_error *error);

/* The certificate of a peer is checked: OpenSSL's own check, then check_peer. For SSL_CTX_set_cert_verify_callback. */
int slim_tls_check(X509_STORE_CTX *store, void *arg);

#endif
