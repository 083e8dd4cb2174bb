/* Received messages, in one piece of memory each: the struct, its metadata, its strings. */
#include <stdlib.h>
#include <string.h>

#include "client/internal.h"

struct slim_message {
    struct slim_message_info info;
    size_t bytes;
    struct slim_pair pairs[];
};

/* Where the next bytes go. */
static struct slim_view place(uint8_t **at, struct slim_view view)
{
    struct slim_view placed = {*at, view.len};
    if (view.len > 0) {
        memcpy(*at, view.data, view.len);
        *at += view.len;
    }
    return placed;
}

static void place_name(uint8_t **at, struct slim_name *name)
{
    for (size_t i = 0; i < SLIM_COUNT(name->part); i++) {
        name->part[i] = place(at, name->part[i]);
    }
}

static size_t name_bytes(const struct slim_wire_name *name)
{
    return name->text.part[0].len + name->text.part[1].len + name->text.part[2].len;
}

/* Pairs with their bytes; the views of *pairs point into the message's encoded form until they are placed. */
static size_t count_metadata(const struct slim_session_message *message, size_t *bytes)
{
    struct slim_wire_metadata metadata = message->metadata;
    struct slim_wire_pair pair;
    bool has = true;
    size_t count = 0;
    while (slim_wire_next_pair(&metadata, &has, &pair) == SLIM_OK && has) {
        *bytes += pair.key.len + pair.value.len;
        count++;
    }
    return count;
}

enum slim_status slim_client_message_new(const struct slim_session_message *message,
                                         struct slim_message **result)
{
    size_t bytes = name_bytes(message->source) + name_bytes(message->destination) +
                   message->payload_type.len + message->blob.len + message->identity.len;
    size_t count = count_metadata(message, &bytes);
    size_t size = sizeof(struct slim_message) + count * sizeof(struct slim_pair) + bytes;
    struct slim_message *made = malloc(size);
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    uint8_t *at = (uint8_t *)(made->pairs + count);
    *made = (struct slim_message){
        .bytes = size,
        .info = {.source = slim_client_name_of(message->source),
                 .destination = slim_client_name_of(message->destination),
                 .metadata = made->pairs,
                 .metadata_count = count,
                 .connection = message->conn_id,
                 .is_encrypted = message->is_sealed},
    };
    place_name(&at, &made->info.source);
    place_name(&at, &made->info.destination);
    made->info.payload = place(&at, message->blob);
    made->info.type = place(&at, message->payload_type);
    made->info.identity = place(&at, message->identity);
    struct slim_wire_metadata metadata = message->metadata;
    struct slim_wire_pair pair;
    bool has = true;
    for (size_t i = 0; i < count && slim_wire_next_pair(&metadata, &has, &pair) == SLIM_OK; i++) {
        made->pairs[i] =
            (struct slim_pair){.key = place(&at, pair.key), .value = place(&at, pair.value)};
    }
    *result = made;
    return SLIM_OK;
}

size_t slim_client_message_bytes(const struct slim_message *message)
{
    return message->bytes;
}

const struct slim_message_info *slim_message_look(const struct slim_message *message)
{
    return &message->info;
}

void slim_message_unref(struct slim_message *message)
{
    free(message);
}
