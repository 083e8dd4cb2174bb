#include "auth/workload_message.h"

#include "auth/jwt.h"
#include "wire/wire.h"

/* All the readers below: what is not of the expected wire type is passed over, as protobuf does with unknown fields; a field that is
 * there twice counts with its last value, of a repeated one the first is ours. */

static enum slim_status take(struct slim_view *rest, struct slim_wire_field *field)
{
    return slim_wire_take_field(rest, field) == SLIM_OK ? SLIM_OK : SLIM_ERR_MALFORMED;
}

/* The first length-delimited field `number`. SLIM_ERR_NOT_FOUND. */
static enum slim_status find_first(struct slim_view message, uint32_t number,
                                   struct slim_view *bytes)
{
    bool is_found = false;
    while (message.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(take(&message, &field));
        if (!is_found && field.number == number && field.type == SLIM_WIRE_FIELD_BYTES) {
            *bytes = field.bytes;
            is_found = true;
        }
    }
    return is_found ? SLIM_OK : SLIM_ERR_NOT_FOUND;
}

enum slim_status slim_auth_message_read_x509(struct slim_view message,
                                             struct slim_auth_x509_svid *svid)
{
    struct slim_view first;
    SLIM_TRY(find_first(message, 1, &first));
    struct slim_auth_x509_svid found = {0};
    while (first.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(take(&first, &field));
        if (field.type != SLIM_WIRE_FIELD_BYTES) {
            continue;
        }
        if (field.number == 1) {
            found.spiffe_id = field.bytes;
        } else if (field.number == 2) {
            found.chain = field.bytes;
        } else if (field.number == 3) {
            found.key = field.bytes;
        } else if (field.number == 4) {
            found.bundle = field.bytes;
        }
    }
    *svid = found;
    return SLIM_OK;
}

enum slim_status slim_auth_message_read_jwt(struct slim_view message, struct slim_view *token,
                                            struct slim_view *spiffe_id)
{
    struct slim_view first;
    struct slim_view found_token = {0};
    struct slim_view found_id = {0};
    SLIM_TRY(find_first(message, 1, &first));
    while (first.len > 0) {
        struct slim_wire_field field;
        SLIM_TRY(take(&first, &field));
        if (field.number == 1 && field.type == SLIM_WIRE_FIELD_BYTES) {
            found_id = field.bytes;
        } else if (field.number == 2 && field.type == SLIM_WIRE_FIELD_BYTES) {
            found_token = field.bytes;
        }
    }
    *token = found_token;
    *spiffe_id = found_id;
    return SLIM_OK;
}

enum slim_status slim_auth_message_next_entry(struct slim_view *rest, uint32_t number,
                                              struct slim_view *key, struct slim_view *value)
{
    struct slim_wire_field field;
    do {
        if (rest->len == 0) {
            return SLIM_AGAIN;
        }
        SLIM_TRY(take(rest, &field));
    } while (field.number != number || field.type != SLIM_WIRE_FIELD_BYTES);
    struct slim_view entry = field.bytes;
    *key = SLIM_VIEW("");
    *value = SLIM_VIEW("");
    while (entry.len > 0) {
        SLIM_TRY(take(&entry, &field));
        if (field.number == 1 && field.type == SLIM_WIRE_FIELD_BYTES) {
            *key = field.bytes;
        } else if (field.number == 2 && field.type == SLIM_WIRE_FIELD_BYTES) {
            *value = field.bytes;
        }
    }
    return SLIM_OK;
}

enum slim_status slim_auth_message_put_jwt_request(const struct slim_auth_names *audiences,
                                                   struct slim_view extra,
                                                   struct slim_view spiffe_id, struct slim_buf *out)
{
    for (size_t i = 0; i < audiences->count; i++) {
        SLIM_TRY(slim_wire_put_bytes(out, 1, audiences->names[i]));
    }
    SLIM_TRY(slim_wire_put_bytes_unless_empty(out, 1, extra));
    return slim_wire_put_bytes_unless_empty(out, 2, spiffe_id);
}
