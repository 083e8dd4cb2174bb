#include "tls_pair.h"

#include <stdlib.h>

#include "support/check.h"

void take(struct end *end, const uint8_t *data, size_t len)
{
    if (len > 0) {
        memcpy(end->buffer + SLIM_TLS_HEADROOM, data, len);
    }
    size_t plain_len = 0;
    struct slim_error error = {0};
    enum slim_status status =
        slim_tls_session_take(end->session, end->buffer, len, &plain_len, &error);
    CHECK_OK(slim_buf_put(&end->plain, slim_view_of(end->buffer, plain_len)));
    if (status != SLIM_OK && end->status == SLIM_OK) {
        end->status = status;
        end->error = error;
    }
}

/* Move what `end` has to say to the back of `wire`. */
void collect(struct end *end, struct slim_buf *wire)
{
    struct iovec iov[2];
    size_t count = slim_tls_session_output(end->session, iov);
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        CHECK_OK(slim_buf_put(wire, slim_view_of(iov[i].iov_base, iov[i].iov_len)));
        len += iov[i].iov_len;
    }
    CHECK_OK(slim_tls_session_sent(end->session, len));
}

bool carry(struct end *from, struct end *to, size_t chunk)
{
    struct slim_buf wire = {0};
    collect(from, &wire);
    for (size_t at = 0; at < wire.len; at += chunk) {
        take(to, wire.data + at, wire.len - at < chunk ? wire.len - at : chunk);
    }
    bool has_moved = wire.len > 0;
    slim_buf_fini(&wire);
    return has_moved;
}

/* Until both are silent; `chunk` bytes arrive at a time. */
void pump(struct pair *pair, size_t chunk)
{
    bool has_moved = true;
    while (has_moved) {
        has_moved = carry(&pair->client, &pair->server, chunk);
        has_moved = carry(&pair->server, &pair->client, chunk) || has_moved;
    }
}

void end_free(struct end *end)
{
    slim_tls_session_free(end->session);
    slim_tls_context_free(end->context);
    slim_buf_fini(&end->plain);
    free(end->buffer);
}

void pair_free(struct pair *pair)
{
    end_free(&pair->client);
    end_free(&pair->server);
}

void pair_make(struct pair *pair, const struct rules *rules)
{
    *pair = (struct pair){0};
    pair->client.buffer = malloc(BUFFER_BYTES);
    pair->server.buffer = malloc(BUFFER_BYTES);
    const struct slim_tls_options client = {.version = rules->client_version,
                                            .skip_verify = rules->skip_verify,
                                            .is_any_name = rules->is_any_name,
                                            .check_peer = rules->check_server};
    const struct slim_tls_options server = {.version = rules->server_version,
                                            .asks_client = rules->asks_client,
                                            .check_peer = rules->check_client};
    struct slim_tls_material material = certs_material(rules->client, rules->client_roots);
    CHECK_OK(slim_tls_context_new_client(&client, &material, &pair->client.context, NULL));
    material = certs_material(rules->server, rules->server_roots);
    CHECK_OK(slim_tls_context_new_server(&server, &material, &pair->server.context, NULL));
    CHECK_OK(slim_tls_session_new(pair->client.context, rules->name, &pair->client.session));
    CHECK_OK(slim_tls_session_new(pair->server.context, NULL, &pair->server.session));
    take(&pair->client, NULL, 0);
}

bool is_open(const struct pair *pair)
{
    return pair->client.status == SLIM_OK && pair->server.status == SLIM_OK &&
           slim_tls_session_is_open(pair->client.session) &&
           slim_tls_session_is_open(pair->server.session);
}

/* Seal all of `data` and carry it over. */
void say(struct end *from, struct end *to, struct slim_view data, size_t chunk)
{
    uint8_t *room = malloc(SLIM_TLS_ROOM_MIN);
    while (data.len > 0) {
        size_t third = data.len / 3; /* in pieces, as queues are */
        struct iovec iov[] = {{(void *)(uintptr_t)data.data, third},
                              {(void *)(uintptr_t)(data.data + third), 0},
                              {(void *)(uintptr_t)(data.data + third), data.len - third}};
        size_t sealed = 0;
        CHECK_OK(slim_tls_session_seal(from->session, iov, SLIM_COUNT(iov), room, SLIM_TLS_ROOM_MIN,
                                       &sealed));
        CHECK(sealed > 0 && sealed <= data.len);
        data = slim_view_skip(data, sealed);
        (void)carry(from, to, chunk);
    }
    free(room);
}
