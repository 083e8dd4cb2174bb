/* Sessions: one connection's TLS state, between bytes in memory. */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>

#include "io/tls_internal.h"

enum {
    RECORD_BYTES = SSL3_RT_MAX_PLAIN_LENGTH, /* 16 KiB */
    RECORD_ROOM = RECORD_BYTES + 1024,       /* sealed, with an answer to a key update before it */
};
static_assert(SLIM_TLS_HEADROOM > SSL3_RT_MAX_ENCRYPTED_LENGTH + SSL3_RT_HEADER_LENGTH,
              "a record that came in part fits into the headroom");
static_assert(SLIM_TLS_ROOM_MIN > RECORD_BYTES + RECORD_ROOM,
              "there is room for one record, and where it is put together");

/* ---------------------------------------------------------------------------------------------------- OpenSSL's end */

/* SSL reads from what _take was given ... */
static int on_read(BIO *bio, char *out, int size)
{
    struct slim_tls_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (session->update_count > SLIM_TLS_UPDATES_MAX) {
        return -1; /* OpenSSL would go through all of them before it comes back */
    }
    if (session->in_len == 0 || size <= 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t len = session->in_len < (size_t)size ? session->in_len : (size_t)size;
    memcpy(out, session->in, len);
    session->in += len;
    session->in_len -= len;
    return (int)len;
}

/* The bytes in room join those that wait. */
static enum slim_status leave_room(struct slim_tls_session *session)
{
    struct slim_view left = slim_view_of(session->room, session->room_len);
    session->room = NULL;
    session->room_len = 0;
    session->room_size = 0;
    return slim_buf_put(&session->pending, left);
}

/* ... and writes into room, or where it may wait: never into the socket. */
static int on_write(BIO *bio, const char *data, int len)
{
    struct slim_tls_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (len <= 0) {
        return 0;
    }
    if (session->room_size - session->room_len >= (size_t)len) {
        memcpy(session->room + session->room_len, data, (size_t)len);
        session->room_len += (size_t)len;
        return len;
    }
    enum slim_status status = leave_room(session);
    if (status == SLIM_OK) {
        status = slim_buf_put(&session->pending, slim_view_of(data, (size_t)len));
    }
    if (status != SLIM_OK) {
        session->is_out_of_memory = true;
        return -1;
    }
    return len;
}

static long on_control(BIO *bio, int what, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return what == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *method;

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "slim");
    if (method != NULL) {
        (void)BIO_meth_set_read(method, on_read); /* these three cannot fail */
        (void)BIO_meth_set_write(method, on_write);
        (void)BIO_meth_set_ctrl(method, on_control);
    }
}

/* For the length of the process: the first session makes it, so that a node without TLS does not wake OpenSSL. */
static BIO *new_bio(struct slim_tls_session *session)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_method); /* cannot fail */
    BIO *bio = method == NULL ? NULL : BIO_new(method);
    if (bio != NULL) {
        BIO_set_data(bio, session);
        BIO_set_init(bio, 1);
    }
    return bio;
}

/* OpenSSL has a message of its own protocols before it. */
static void on_protocol_message(int is_written, int version, int type, const void *bytes,
                                size_t len, SSL *ssl, void *arg)
{
    (void)version;
    (void)bytes;
    (void)len;
    (void)ssl;
    struct slim_tls_session *session = arg;
    if (session->is_open && is_written == 0 && type == SSL3_RT_HANDSHAKE) {
        session->update_count++;
    }
}

/* ---------------------------------------------------------------------------------------------------- life */

/* Ask for the name, and have the certificate checked against it. An address is checked, and not asked for (RFC 6066, 3). */
static enum slim_status set_name(struct slim_tls_session *session, const char *name)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(session->ssl);
    uint8_t address[sizeof(struct in6_addr)];
    bool is_address =
        inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
    bool is_checked = !session->context->options.is_any_name;
    /* as the reference: only the alternative names of a certificate count */
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    int result = 1;
    if (is_address) {
        result = is_checked ? X509_VERIFY_PARAM_set1_ip_asc(param, name) : 1;
    } else {
        result = name[0] != '\0' && SSL_set_tlsext_host_name(session->ssl, name) == 1 &&
                 (!is_checked || X509_VERIFY_PARAM_set1_host(param, name, 0) == 1);
    }
    size_t size = strlen(name) + 1;
    session->name = malloc(size);
    if (session->name == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    memcpy(session->name, name, size);
    return result == 1 ? SLIM_OK : SLIM_ERR_CONFIG;
}

enum slim_status slim_tls_session_new(struct slim_tls_context *context, const char *server_name,
                                      struct slim_tls_session **session)
{
    assert(context->is_server == (server_name == NULL));
    struct slim_tls_session *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    made->context = context;
    context->ref_count++;
    made->ssl = SSL_new(context->ssl);
    BIO *bio = made->ssl == NULL ? NULL : new_bio(made);
    enum slim_status status = SLIM_ERR_NO_MEMORY;
    if (bio != NULL) {
        SSL_set_bio(made->ssl, bio, bio);
        SSL_set_app_data(made->ssl, made);
        SSL_set_msg_callback(made->ssl, on_protocol_message);
        SSL_set_msg_callback_arg(made->ssl, made);
        status = server_name == NULL ? SLIM_OK : set_name(made, server_name);
    }
    ERR_clear_error();
    if (status != SLIM_OK) {
        slim_tls_session_free(made);
        return status;
    }
    if (context->is_server) {
        SSL_set_accept_state(made->ssl);
    } else {
        SSL_set_connect_state(made->ssl);
    }
    *session = made;
    return SLIM_OK;
}

void slim_tls_session_free(struct slim_tls_session *session)
{
    if (session == NULL) {
        return;
    }
    SSL_free(session->ssl);
    slim_tls_context_unref(session->context);
    slim_buf_fini(&session->pending);
    free(session->name);
    free(session);
}

bool slim_tls_session_is_open(const struct slim_tls_session *session)
{
    return session->is_open;
}

/* ---------------------------------------------------------------------------------------------------- in */

static enum slim_status fail(struct slim_tls_session *session)
{
    session->is_broken = true;
    if (session->is_out_of_memory) {
        ERR_clear_error();
        return slim_error_set(session->error, SLIM_ERR_NO_MEMORY, "out of memory");
    }
    if (session->update_count > SLIM_TLS_UPDATES_MAX) {
        ERR_clear_error();
        return slim_error_set(session->error, SLIM_ERR_LIMIT,
                              "TLS failed: too many key updates at once");
    }
    return slim_tls_explain(session, session->error);
}

/* What OpenSSL says about a call that gave nothing. SLIM_AGAIN: it waits for bytes. */
static enum slim_status outcome(struct slim_tls_session *session, int result)
{
    switch (SSL_get_error(session->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return SLIM_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return SLIM_ERR_CLOSED;
    default: /* a list of OpenSSL's, which may grow */
        return fail(session);
    }
}

/* The peer's protocol: h2, or none named. */
static enum slim_status check_protocol(struct slim_tls_session *session)
{
    const uint8_t *name;
    unsigned len;
    SSL_get0_alpn_selected(session->ssl, &name, &len);
    if (len == 0 || (len == 2 && memcmp(name, "h2", 2) == 0)) {
        return SLIM_OK;
    }
    session->is_broken = true;
    return slim_error_set(session->error, SLIM_ERR_DENIED,
                          "TLS handshake failed: the server chose another protocol than h2");
}

static enum slim_status shake_hands(struct slim_tls_session *session)
{
    int result = SSL_do_handshake(session->ssl);
    if (result != 1) {
        return outcome(session, result);
    }
    session->is_open = true;
    return check_protocol(session);
}

/* Records are opened in place. A record of `len` sealed bytes gives fewer plain ones, and it is read as a whole before its plain bytes are
 * written, so these never reach sealed bytes that are still to be read; the first record may have come in part before, for which
 * there is the headroom. */
static enum slim_status open_records(struct slim_tls_session *session, uint8_t *buffer,
                                     size_t *plain_len)
{
    for (;;) {
        size_t got = 0;
        int result = SSL_read_ex(session->ssl, buffer + *plain_len, RECORD_BYTES, &got);
        if (result != 1) {
            return outcome(session, result);
        }
        *plain_len += got;
        assert(buffer + *plain_len <= session->in);
    }
}

enum slim_status slim_tls_session_take(struct slim_tls_session *session, uint8_t *buffer,
                                       size_t len, size_t *plain_len, struct slim_error *error)
{
    *plain_len = 0;
    if (session->is_broken) {
        return slim_error_set(error, SLIM_ERR_CLOSED, "TLS ended before");
    }
    ERR_clear_error();
    session->in = buffer + SLIM_TLS_HEADROOM;
    session->in_len = len;
    session->error = error;
    session->update_count = 0;
    enum slim_status status = session->is_open ? SLIM_OK : shake_hands(session);
    if (status == SLIM_OK) {
        status = open_records(session, buffer, plain_len);
    }
    if (status == SLIM_AGAIN) {
        status = session->pending.len > SLIM_TLS_PENDING_MAX
                     ? slim_error_set(error, SLIM_ERR_LIMIT, "the peer does not take our answers")
                     : SLIM_OK;
    } else if (status == SLIM_ERR_CLOSED) {
        (void)slim_error_set(error, status, "closed by peer");
    }
    session->in = NULL;
    session->in_len = 0;
    session->error = NULL;
    return status;
}

/* ---------------------------------------------------------------------------------------------------- out */

static enum slim_status write_record(struct slim_tls_session *session, const uint8_t *data,
                                     size_t len)
{
    size_t written = 0;
    if (SSL_write_ex(session->ssl, data, len, &written) == 1 && written == len) {
        return SLIM_OK;
    }
    ERR_clear_error();
    session->is_broken = true;
    return session->is_out_of_memory ? SLIM_ERR_NO_MEMORY : SLIM_ERR_INTERNAL;
}

enum slim_status slim_tls_session_seal(struct slim_tls_session *session, const struct iovec *iov,
                                       size_t iov_count, uint8_t *room, size_t room_size,
                                       size_t *sealed_len)
{
    assert(session->is_open && session->room == NULL && room_size >= SLIM_TLS_ROOM_MIN);
    *sealed_len = 0;
    if (session->is_broken) {
        return SLIM_ERR_INTERNAL;
    }
    /* short pieces are put together at the beginning of the room, so that records are full */
    uint8_t *record = room;
    size_t record_len = 0;
    session->room = room + RECORD_BYTES;
    session->room_size = room_size - RECORD_BYTES;
    session->room_len = 0;
    for (size_t i = 0; i < iov_count; i++) {
        struct slim_view left = slim_view_of(iov[i].iov_base, iov[i].iov_len);
        while (left.len > 0) {
            if (session->room_size - session->room_len < RECORD_ROOM) {
                return SLIM_OK; /* what is in `record` is not sealed, and not counted */
            }
            size_t len =
                RECORD_BYTES - record_len < left.len ? RECORD_BYTES - record_len : left.len;
            const uint8_t *from = record;
            if (record_len == 0 && len == RECORD_BYTES) {
                from = left.data;
            } else {
                memcpy(record + record_len, left.data, len);
            }
            record_len += len;
            left = slim_view_skip(left, len);
            if (record_len == RECORD_BYTES) {
                SLIM_TRY(write_record(session, from, record_len));
                *sealed_len += record_len;
                record_len = 0;
            }
        }
    }
    if (record_len > 0) {
        SLIM_TRY(write_record(session, record, record_len));
        *sealed_len += record_len;
    }
    return SLIM_OK;
}

size_t slim_tls_session_output(const struct slim_tls_session *session, struct iovec iov[static 2])
{
    size_t count = 0;
    if (session->pending.len > 0) {
        iov[count++] = (struct iovec){session->pending.data, session->pending.len};
    }
    if (session->room_len > 0) {
        iov[count++] = (struct iovec){session->room, session->room_len};
    }
    return count;
}

enum slim_status slim_tls_session_sent(struct slim_tls_session *session, size_t count)
{
    size_t from_pending = count < session->pending.len ? count : session->pending.len;
    assert(count - from_pending <= session->room_len);
    slim_buf_drop(&session->pending, from_pending);
    if (count > from_pending) {
        session->room += count - from_pending;
        session->room_len -= count - from_pending;
    }
    enum slim_status status = leave_room(session);
    if (session->pending.len == 0) {
        slim_buf_fini(&session->pending); /* an idle session holds no buffers */
    }
    return status;
}

size_t slim_tls_session_pending_bytes(const struct slim_tls_session *session)
{
    return session->pending.len;
}

bool slim_tls_session_close(struct slim_tls_session *session)
{
    if (session->is_close_sent || session->is_broken || !session->is_open) {
        return false;
    }
    session->is_close_sent = true;
    ERR_clear_error();
    int result = SSL_shutdown(session->ssl); /* 0: sent, the peer's has not come, which is fine */
    ERR_clear_error();
    return result >= 0 && session->pending.len + session->room_len > 0;
}
