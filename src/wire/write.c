/* The messages that a node writes itself, and the one change it makes to messages of others. */
#include "wire/write.h"

#include "wire/field.h"
#include "wire/schema.h"

enum { SMALL_LEN = 100 }; /* the usual length of a Name and its parts needs one byte */

static uint64_t encoded_id(unsigned __int128 id)
{
    assert(id == SLIM_NAME_ANY || id <= UINT64_MAX);
    return (uint64_t)id; /* SLIM_NAME_ANY becomes 2^64 - 1, the NULL of generation 1 */
}

enum slim_status slim_wire_put_name(struct slim_buf *out, uint32_t number,
                                    const struct slim_name_key *name,
                                    const struct slim_name_text *text)
{
    struct slim_wire_nested outer;
    struct slim_wire_nested inner;
    SLIM_TRY(slim_wire_open(out, number, SMALL_LEN, &outer));
    SLIM_TRY(slim_wire_open(out, SLIM_WIRE_NAME_ENCODED, SMALL_LEN, &inner));
    for (uint32_t i = 0; i < SLIM_COUNT(name->prefix); i++) {
        SLIM_TRY(
            slim_wire_put_number_unless_0(out, SLIM_WIRE_ENCODED_COMPONENT_0 + i, name->prefix[i]));
    }
    SLIM_TRY(slim_wire_put_number_unless_0(out, SLIM_WIRE_ENCODED_ID, encoded_id(name->id)));
    SLIM_TRY(slim_wire_close(out, &inner));
    SLIM_TRY(slim_wire_open(out, SLIM_WIRE_NAME_STRINGS, SMALL_LEN, &inner));
    for (uint32_t i = 0; i < SLIM_COUNT(text->part); i++) {
        SLIM_TRY(slim_wire_put_bytes_unless_empty(out, SLIM_WIRE_STRINGS_COMPONENT_0 + i,
                                                  text->part[i]));
    }
    SLIM_TRY(slim_wire_close(out, &inner));
    return slim_wire_close(out, &outer);
}

enum slim_status slim_wire_put_header(struct slim_buf *out, uint32_t number,
                                      const struct slim_wire_header *header)
{
    struct slim_wire_nested nested;
    SLIM_TRY(slim_wire_open(out, number, 2 * SMALL_LEN + header->identity.len, &nested));
    SLIM_TRY(slim_wire_put_name(out, SLIM_WIRE_HEADER_SOURCE, header->source, header->source_text));
    SLIM_TRY(slim_wire_put_name(out, SLIM_WIRE_HEADER_DESTINATION, header->destination,
                                header->destination_text));
    SLIM_TRY(slim_wire_put_number_unless_0(out, SLIM_WIRE_HEADER_FANOUT, header->fanout));
    SLIM_TRY(slim_wire_put_bytes_unless_empty(out, SLIM_WIRE_HEADER_IDENTITY, header->identity));
    if (header->recv_from != NULL) {
        SLIM_TRY(slim_wire_put_number(out, SLIM_WIRE_HEADER_RECV_FROM, *header->recv_from));
    }
    if (header->forward_to != NULL) {
        SLIM_TRY(slim_wire_put_number(out, SLIM_WIRE_HEADER_FORWARD_TO, *header->forward_to));
    }
    if (header->incoming_conn != NULL) {
        SLIM_TRY(slim_wire_put_number(out, SLIM_WIRE_HEADER_INCOMING_CONN, *header->incoming_conn));
    }
    if (header->error != NULL) {
        SLIM_TRY(slim_wire_put_number(out, SLIM_WIRE_HEADER_ERROR, *header->error ? 1 : 0));
    }
    return slim_wire_close(out, &nested);
}

static enum slim_status put_subscription(struct slim_buf *out,
                                         const struct slim_wire_subscription *s)
{
    struct slim_wire_header header = {
        .source = &s->source,
        .source_text = &s->source_text,
        .destination = &s->destination,
        .destination_text = &s->destination_text,
        .fanout = s->fanout,
        .identity = s->identity,
        .recv_from = s->has_recv_from ? &s->recv_from : NULL,
        .forward_to = s->has_forward_to ? &s->forward_to : NULL,
    };
    uint32_t number =
        s->is_unsubscribe ? SLIM_WIRE_MESSAGE_UNSUBSCRIBE : SLIM_WIRE_MESSAGE_SUBSCRIBE;
    struct slim_wire_nested nested;
    SLIM_TRY(slim_wire_open(out, number, 2 * SMALL_LEN + s->identity.len, &nested));
    SLIM_TRY(slim_wire_put_header(out, SLIM_WIRE_SUBSCRIBE_HEADER, &header));
    SLIM_TRY(slim_wire_put_number_unless_0(out, SLIM_WIRE_SUBSCRIBE_SUBSCRIPTION_ID,
                                           s->subscription_id));
    return slim_wire_close(out, &nested);
}

/* What a failed writer has begun is taken back: the buffer then ends where it ended before. */
static enum slim_status keep_if_ok(struct slim_buf *out, size_t start, enum slim_status status)
{
    if (status != SLIM_OK) {
        out->len = start;
    }
    return status;
}

enum slim_status slim_wire_put_subscription(struct slim_buf *out,
                                            const struct slim_wire_subscription *s)
{
    assert(out != NULL && s != NULL);
    size_t start = out->len;
    return keep_if_ok(out, start, put_subscription(out, s));
}

static enum slim_status put_link(struct slim_buf *out, struct slim_view link_id,
                                 struct slim_view slim_version, bool is_reply)
{
    struct slim_wire_nested link;
    struct slim_wire_nested negotiation;
    SLIM_TRY(slim_wire_open(out, SLIM_WIRE_MESSAGE_LINK, SMALL_LEN, &link));
    SLIM_TRY(slim_wire_open(out, SLIM_WIRE_LINK_NEGOTIATION, SMALL_LEN, &negotiation));
    SLIM_TRY(slim_wire_put_bytes_unless_empty(out, SLIM_WIRE_NEGOTIATION_LINK_ID, link_id));
    SLIM_TRY(
        slim_wire_put_bytes_unless_empty(out, SLIM_WIRE_NEGOTIATION_SLIM_VERSION, slim_version));
    SLIM_TRY(slim_wire_put_number_unless_0(out, SLIM_WIRE_NEGOTIATION_IS_REPLY, is_reply));
    SLIM_TRY(slim_wire_close(out, &negotiation));
    return slim_wire_close(out, &link);
}

enum slim_status slim_wire_put_link(struct slim_buf *out, struct slim_view link_id,
                                    struct slim_view slim_version, bool is_reply)
{
    assert(out != NULL);
    size_t start = out->len;
    return keep_if_ok(out, start, put_link(out, link_id, slim_version, is_reply));
}

static enum slim_status put_subscription_ack(struct slim_buf *out, uint64_t subscription_id,
                                             bool success, struct slim_view error_text)
{
    struct slim_wire_nested ack;
    SLIM_TRY(slim_wire_open(out, SLIM_WIRE_MESSAGE_SUBSCRIPTION_ACK, SMALL_LEN, &ack));
    SLIM_TRY(slim_wire_put_number_unless_0(out, SLIM_WIRE_ACK_SUBSCRIPTION_ID, subscription_id));
    SLIM_TRY(slim_wire_put_number_unless_0(out, SLIM_WIRE_ACK_SUCCESS, success));
    SLIM_TRY(slim_wire_put_bytes_unless_empty(out, SLIM_WIRE_ACK_ERROR, error_text));
    return slim_wire_close(out, &ack);
}

enum slim_status slim_wire_put_subscription_ack(struct slim_buf *out, uint64_t subscription_id,
                                                bool success, struct slim_view error_text)
{
    assert(out != NULL);
    size_t start = out->len;
    return keep_if_ok(out, start, put_subscription_ack(out, subscription_id, success, error_text));
}

static enum slim_status put_stripped_header(struct slim_buf *out, struct slim_view body)
{
    struct slim_wire_nested nested;
    SLIM_TRY(slim_wire_open(out, SLIM_WIRE_SUBSCRIBE_HEADER, body.len, &nested));
    while (body.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&body, &field));
        if (field.number == SLIM_WIRE_HEADER_RECV_FROM ||
            field.number == SLIM_WIRE_HEADER_FORWARD_TO ||
            field.number == SLIM_WIRE_HEADER_INCOMING_CONN) {
            continue;
        }
        SLIM_TRY(slim_buf_put(out, field.raw));
    }
    return slim_wire_close(out, &nested);
}

/* The body of a Subscribe, Unsubscribe or Publish: all three have the header as field 1. */
static enum slim_status put_stripped_body(struct slim_buf *out, uint32_t number,
                                          struct slim_view body)
{
    static_assert(SLIM_WIRE_SUBSCRIBE_HEADER == SLIM_WIRE_PUBLISH_HEADER, "one loop serves both");
    struct slim_wire_nested nested;
    SLIM_TRY(slim_wire_open(out, number, body.len, &nested));
    while (body.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&body, &field));
        if (field.number == SLIM_WIRE_PUBLISH_HEADER) {
            SLIM_TRY(put_stripped_header(out, field.bytes));
        } else {
            SLIM_TRY(slim_buf_put(out, field.raw));
        }
    }
    return slim_wire_close(out, &nested);
}

static enum slim_status put_stripped(struct slim_buf *out, struct slim_view msg)
{
    SLIM_TRY(slim_buf_reserve(out, msg.len + SLIM_WIRE_VARINT_BYTES_MAX));
    while (msg.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&msg, &field));
        switch (field.number) {
        case SLIM_WIRE_MESSAGE_SUBSCRIBE:
        case SLIM_WIRE_MESSAGE_UNSUBSCRIBE:
        case SLIM_WIRE_MESSAGE_PUBLISH:
            SLIM_TRY(put_stripped_body(out, field.number, field.bytes));
            break;
        default: /* a number from the network, not an enum */
            SLIM_TRY(slim_buf_put(out, field.raw));
            break;
        }
    }
    return SLIM_OK;
}

enum slim_status slim_wire_put_stripped(struct slim_buf *out, struct slim_view msg)
{
    assert(out != NULL);
    size_t start = out->len;
    return keep_if_ok(out, start, put_stripped(out, msg));
}
