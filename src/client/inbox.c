#include "client/inbox.h"

/* block NULL: the bytes are those of the side from `at` on. */
struct record {
    enum slim_client_inbox_kind kind;
    uint64_t conn_id;
    struct slim_block *block;
    struct slim_view msg;
    size_t at;
    size_t len;
};

static size_t count_of(const struct slim_client_inbox_side *side)
{
    return side->entries.len / sizeof(struct record);
}

/* Buffers come from malloc and hold nothing but records, so they are aligned. */
static struct record *record_at(const struct slim_client_inbox_side *side, size_t index)
{
    return (struct record *)(void *)side->entries.data + index;
}

static void empty(struct slim_client_inbox_side *side)
{
    for (size_t i = 0; i < count_of(side); i++) {
        slim_block_unref(record_at(side, i)->block);
    }
    slim_buf_clear(&side->entries);
    slim_buf_clear(&side->bytes);
    side->held_bytes = 0;
    if (side->bytes.capacity > SLIM_CLIENT_INBOX_KEEP_BYTES) {
        slim_buf_fini(&side->bytes);
    }
    if (side->entries.capacity > SLIM_CLIENT_INBOX_KEEP_BYTES) {
        slim_buf_fini(&side->entries);
    }
}

void slim_client_inbox_fini(struct slim_client_inbox *inbox)
{
    empty(&inbox->filled);
    empty(&inbox->read);
    slim_buf_fini(&inbox->filled.entries);
    slim_buf_fini(&inbox->filled.bytes);
    slim_buf_fini(&inbox->read.entries);
    slim_buf_fini(&inbox->read.bytes);
}

static enum slim_status put(struct slim_client_inbox *inbox, enum slim_client_inbox_kind kind,
                            uint64_t conn_id, struct slim_view bytes, struct slim_block *block)
{
    struct slim_client_inbox_side *side = &inbox->filled;
    if (bytes.len > SLIM_CLIENT_INBOX_BYTES_MAX - side->held_bytes) {
        return SLIM_ERR_LIMIT;
    }
    struct record record = {
        .kind = kind, .conn_id = conn_id, .at = side->bytes.len, .len = bytes.len, .msg = bytes};
    SLIM_TRY(slim_buf_reserve(&side->entries, sizeof(record)));
    if (block == NULL) {
        SLIM_TRY(slim_buf_put(&side->bytes, bytes));
    } else {
        record.block = slim_block_ref(block);
    }
    enum slim_status status =
        slim_buf_put(&side->entries, slim_view_of((const uint8_t *)&record, sizeof(record)));
    assert(status == SLIM_OK); /* reserved above */
    side->held_bytes += bytes.len;
    return status;
}

enum slim_status slim_client_inbox_put_message(struct slim_client_inbox *inbox, uint64_t conn_id,
                                               struct slim_view msg, struct slim_block *block)
{
    return put(inbox, SLIM_CLIENT_INBOX_MESSAGE, conn_id, msg, block);
}

enum slim_status slim_client_inbox_put_error(struct slim_client_inbox *inbox, struct slim_view json)
{
    return put(inbox, SLIM_CLIENT_INBOX_ERROR, 0, json, NULL);
}

enum slim_status slim_client_inbox_put_loss(struct slim_client_inbox *inbox, uint64_t conn_id)
{
    return put(inbox, SLIM_CLIENT_INBOX_LOSS, conn_id, (struct slim_view){0}, NULL);
}

void slim_client_inbox_turn(struct slim_client_inbox *inbox)
{
    empty(&inbox->read);
    struct slim_client_inbox_side side = inbox->read;
    inbox->read = inbox->filled;
    inbox->filled = side;
    inbox->next = 0;
}

bool slim_client_inbox_next(struct slim_client_inbox *inbox, struct slim_client_inbox_entry *entry)
{
    if (inbox->next == count_of(&inbox->read)) {
        return false;
    }
    const struct record *record = record_at(&inbox->read, inbox->next++);
    *entry = (struct slim_client_inbox_entry){
        .kind = record->kind,
        .conn_id = record->conn_id,
        .bytes = record->block != NULL || record->len == 0
                     ? record->msg
                     : slim_view_of(inbox->read.bytes.data + record->at, record->len),
    };
    return true;
}

bool slim_client_inbox_is_empty(const struct slim_client_inbox *inbox)
{
    return inbox->filled.entries.len == 0;
}
