/* Two ends of a TLS connection in memory, for the tests of sessions. */
#ifndef SLIM_TESTS_IO_TLS_PAIR_H
#define SLIM_TESTS_IO_TLS_PAIR_H

#include "tls_certs.h"

enum { BUFFER_BYTES = 256 * 1024 };

/* One end of a connection in memory.
 * plain    what came out;  status, error: the first failure of _take */
struct end {
    struct slim_tls_context *context;
    struct slim_tls_session *session;
    uint8_t *buffer;
    struct slim_buf plain;
    enum slim_status status;
    struct slim_error error;
};

struct pair {
    struct end client;
    struct end server;
};

struct rules {
    enum slim_tls_version client_version;
    enum slim_tls_version server_version;
    bool asks_client;
    bool skip_verify;
    bool is_any_name;
    const struct certs *client;
    const struct certs *client_roots;
    const struct certs *server;
    const struct certs *server_roots;
    const char *name;
    slim_tls_check_peer *check_server;
    slim_tls_check_peer *check_client;
};

/* Hand received bytes to an end; move what it has to say to the back of `wire`; carry it to the other end, `chunk` bytes at a time, true when
 * there was something; carry until both are silent. */
void take(struct end *end, const uint8_t *data, size_t len);
void collect(struct end *end, struct slim_buf *wire);
bool carry(struct end *from, struct end *to, size_t chunk);
void pump(struct pair *pair, size_t chunk);
void end_free(struct end *end);
void pair_free(struct pair *pair);
void pair_make(struct pair *pair, const struct rules *rules);
bool is_open(const struct pair *pair);
void say(struct end *from, struct end *to, struct slim_view data, size_t chunk);

#endif
