#include "wire/session_message.h"

#include "base/utf8.h"
#include "wire/field.h"
#include "wire/payload.h"
#include "wire/schema.h"
#include "wire/write.h"

enum { HEADER_LEN = 400 }; /* usual size of header and session header; see slim_wire_open */

/* ---- metadata */

static enum slim_status read_pair(struct slim_view entry, struct slim_wire_pair *pair)
{
    *pair = (struct slim_wire_pair){.key = {0}};
    while (entry.len > 0) {
        struct slim_wire_field field;
        if (slim_wire_take_field(&entry, &field) != SLIM_OK) {
            return SLIM_ERR_MALFORMED;
        }
        switch (field.number) {
        case SLIM_WIRE_MAP_KEY:
            pair->key = field.bytes;
            break;
        case SLIM_WIRE_MAP_VALUE:
            pair->value = field.bytes;
            break;
        }
    }
    return SLIM_OK;
}

enum slim_status slim_wire_next_pair(struct slim_wire_metadata *metadata, bool *has,
                                     struct slim_wire_pair *pair)
{
    assert(metadata != NULL && metadata->pairs == NULL && has != NULL && pair != NULL);

    while (metadata->encoded.len > 0) {
        struct slim_wire_field field;
        if (slim_wire_take_field(&metadata->encoded, &field) != SLIM_OK) {
            return SLIM_ERR_MALFORMED;
        }
        if (field.number == SLIM_WIRE_MESSAGE_METADATA && field.type == SLIM_WIRE_FIELD_BYTES) {
            *has = true;
            return read_pair(field.bytes, pair);
        }
    }
    *has = false;
    return SLIM_OK;
}

/* As slim_wire_next_pair, for both forms of metadata. *index counts the pairs of a written one. */
static bool next_of_either_form(struct slim_wire_metadata *metadata, size_t *index,
                                struct slim_wire_pair *pair)
{
    if (metadata->pairs != NULL) {
        if (*index == metadata->count) {
            return false;
        }
        *pair = metadata->pairs[(*index)++];
        return true;
    }
    bool has = false;
    return slim_wire_next_pair(metadata, &has, pair) == SLIM_OK && has;
}

bool slim_wire_find_metadata(const struct slim_wire_metadata *metadata, struct slim_view key,
                             struct slim_view *value)
{
    struct slim_wire_metadata rest = *metadata;
    struct slim_wire_pair pair;
    bool is_found = false;
    size_t index = 0;
    while (next_of_either_form(&rest, &index, &pair)) {
        if (!slim_view_is_equal(pair.key, key)) {
            continue;
        }
        is_found = true;
        if (value != NULL) {
            *value = pair.value;
        }
    }
    return is_found;
}

static enum slim_status put_pairs(struct slim_buf *out, const struct slim_wire_metadata *metadata)
{
    struct slim_wire_metadata rest = *metadata;
    struct slim_wire_pair pair;
    size_t index = 0;
    while (next_of_either_form(&rest, &index, &pair)) {
        SLIM_ASSERT_HOT(slim_utf8_is_valid(pair.key) && slim_utf8_is_valid(pair.value));
        struct slim_wire_nested entry;
        SLIM_TRY(
            slim_wire_open(out, SLIM_WIRE_MESSAGE_METADATA, pair.key.len + pair.value.len, &entry));
        SLIM_TRY(slim_wire_put_bytes_unless_empty(out, SLIM_WIRE_MAP_KEY, pair.key));
        SLIM_TRY(slim_wire_put_bytes_unless_empty(out, SLIM_WIRE_MAP_VALUE, pair.value));
        SLIM_TRY(slim_wire_close(out, &entry));
    }
    return SLIM_OK;
}

enum slim_status slim_wire_put_metadata(struct slim_buf *out,
                                        const struct slim_wire_metadata *metadata)
{
    size_t start = out->len;
    enum slim_status status = put_pairs(out, metadata);
    if (status != SLIM_OK) {
        out->len = start;
    }
    return status;
}

/* ---- reading */

static enum slim_status read_publish(struct slim_view body, struct slim_wire_payload *payload)
{
    while (body.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&body, &field));
        if (field.number == SLIM_WIRE_PUBLISH_MSG) {
            SLIM_TRY(slim_wire_read_payload(field.bytes, payload));
        }
    }
    return SLIM_OK;
}

static bool is_message_type(uint32_t number)
{
    return number <= SLIM_WIRE_MESSAGE_SUBSCRIPTION_ACK && number != SLIM_WIRE_MESSAGE_METADATA;
}

enum slim_status slim_wire_read_session_message(struct slim_view msg,
                                                struct slim_wire_session_message *message)
{
    assert(message != NULL);

    SLIM_TRY(slim_wire_read_head(msg, &message->head));
    if (message->head.kind != SLIM_WIRE_PUBLISH || message->head.fault != SLIM_WIRE_FAULT_NONE) {
        return SLIM_ERR_INVALID;
    }
    message->payload = (struct slim_wire_payload){.kind = SLIM_WIRE_PAYLOAD_NONE};
    message->metadata = (struct slim_wire_metadata){.pairs = NULL};
    struct slim_view rest = msg;
    while (rest.len > 0) {
        struct slim_view from_here = rest;
        struct slim_wire_field field;
        SLIM_TRY(slim_wire_take_field(&rest, &field));
        if (field.number == SLIM_WIRE_MESSAGE_PUBLISH) {
            SLIM_TRY(read_publish(field.bytes, &message->payload));
        } else if (is_message_type(
                       field.number)) { /* a later Publish wins, with nothing of an earlier one */
            message->payload = (struct slim_wire_payload){.kind = SLIM_WIRE_PAYLOAD_NONE};
        } else if (field.number == SLIM_WIRE_MESSAGE_METADATA) {
            message->metadata.encoded =
                message->metadata.count == 0 ? from_here : message->metadata.encoded;
            message->metadata.count++;
        }
    }
    return SLIM_OK;
}

/* ---- writing */

static enum slim_status put_session(struct slim_buf *out, const struct slim_wire_head *head)
{
    struct slim_wire_nested session;
    SLIM_TRY(slim_wire_open(out, SLIM_WIRE_PUBLISH_SESSION, 1, &session));
    /* a negative enum value is written as ten bytes, sign-extended */
    SLIM_TRY(slim_wire_put_number_unless_0(out, SLIM_WIRE_SESSION_TYPE,
                                           (uint64_t)(int64_t)head->session_type));
    SLIM_TRY(slim_wire_put_number_unless_0(out, SLIM_WIRE_SESSION_MESSAGE_TYPE,
                                           (uint64_t)(int64_t)head->session_message_type));
    SLIM_TRY(slim_wire_put_number_unless_0(out, SLIM_WIRE_SESSION_ID, head->session_id));
    SLIM_TRY(slim_wire_put_number_unless_0(out, SLIM_WIRE_SESSION_MESSAGE_ID, head->message_id));
    return slim_wire_close(out, &session);
}

static enum slim_status put_message(struct slim_buf *out,
                                    const struct slim_wire_session_message *message)
{
    const struct slim_wire_head *head = &message->head;
    struct slim_wire_header header = {
        .source = &head->source.name,
        .source_text = &head->source.text,
        .destination = &head->destination.name,
        .destination_text = &head->destination.text,
        .fanout = head->fanout,
        .identity = head->identity,
        .recv_from = head->has_recv_from ? &head->recv_from : NULL,
        .forward_to = head->has_forward_to ? &head->forward_to : NULL,
        .incoming_conn = head->has_incoming_conn ? &head->incoming_conn : NULL,
        .error = head->has_error ? &head->error : NULL,
    };
    bool is_app = message->payload.kind == SLIM_WIRE_PAYLOAD_APP;
    size_t expected_len =
        HEADER_LEN + head->identity.len + (is_app ? message->payload.app.blob.len : 0);
    struct slim_wire_nested publish;
    SLIM_TRY(slim_buf_reserve(out, expected_len));
    SLIM_TRY(slim_wire_open(out, SLIM_WIRE_MESSAGE_PUBLISH, expected_len, &publish));
    SLIM_TRY(slim_wire_put_header(out, SLIM_WIRE_PUBLISH_HEADER, &header));
    SLIM_TRY(put_session(out, head));
    SLIM_TRY(slim_wire_put_payload(out, &message->payload));
    SLIM_TRY(slim_wire_close(out, &publish));
    return put_pairs(out, &message->metadata);
}

enum slim_status slim_wire_put_session_message(struct slim_buf *out,
                                               const struct slim_wire_session_message *message)
{
    assert(out != NULL && message != NULL);
    assert(message->head.source.is_present && message->head.destination.is_present);

    size_t start = out->len;
    enum slim_status status = put_message(out, message);
    if (status != SLIM_OK) {
        out->len = start;
    }
    return status;
}
