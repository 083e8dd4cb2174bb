/* Received messages, in one piece of memory each: the struct, its metadata, its strings. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "client/internal.h"

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

/* Pairs with their bytes, as often as they occur. */
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

/* Metadata is a map: of a key that occurs twice the last one counts. Nobody has thousands of them: what a peer sends to make us
 * compare is left as it came. */
static void drop_replaced(struct slim_message *message)
{
    enum { COMPARED_MAX = 256 };
    size_t count = message->info.metadata_count;
    size_t kept = 0;
    if (count > COMPARED_MAX) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (!slim_client_pair_is_replaced(message->pairs, count, i)) {
            message->pairs[kept++] = message->pairs[i];
        }
    }
    message->info.metadata_count = kept;
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
    drop_replaced(made);
    *result = made;
    return SLIM_OK;
}

enum slim_status slim_client_message_new_notice(enum slim_status status, const char *text,
                                                struct slim_message **result)
{
    assert(status != SLIM_OK);
    size_t len = strlen(text);
    struct slim_message *made = malloc(sizeof(*made) + len);
    if (made == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    uint8_t *at = (uint8_t *)(made + 1);
    *made = (struct slim_message){.status = status, .bytes = sizeof(*made) + len};
    made->info.payload = place(&at, slim_view_of(text, len));
    *result = made;
    return SLIM_OK;
}

const struct slim_message_info *slim_message_look(const struct slim_message *message)
{
    return message == NULL ? NULL : &message->info;
}

void slim_message_unref(struct slim_message *message)
{
    free(message);
}
