/* What the files of TLS share. Private to src/io/tls*. */
#ifndef SLIM_IO_TLS_INTERNAL_H
#define SLIM_IO_TLS_INTERNAL_H

#include <openssl/ssl.h>

#include "base/buf.h"
#include "io/tls.h"

/* ref_count   the owner and every session; is_given_up: the owner is gone, and so is what check_ctx points to */
struct slim_tls_context {
    SSL_CTX *ssl;
    bool is_server;
    bool is_given_up;
    size_t ref_count;
    struct slim_tls_options options;
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

/* Fill *error with what went wrong in OpenSSL's last call for this session, and empty its queue of errors. */
enum slim_status slim_tls_explain(const struct slim_tls_session *session, struct slim_error *error);

/* The certificate of a peer is checked: OpenSSL's own check, then check_peer. For SSL_CTX_set_cert_verify_callback. */
int slim_tls_check(X509_STORE_CTX *store, void *arg);

#endif
