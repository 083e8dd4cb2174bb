#include "session/sender_record.h"

#include "base/secret.h"

enum {
    TABLE_MIN = 8,           /* numbers in the smallest table */
    BUFFER_BYTES_KEPT = 2048 /* a larger buffer is not kept in a spare record */
};

/* Make room for sets of `word_count` words, all zero. */
enum slim_status slim_session_record_reserve(struct slim_session_record *record,
                                             uint32_t word_count)
{
    if (word_count > 1 && word_count > record->word_capacity) {
        uint64_t *many = slim_secret_take((size_t)word_count * BITS_PER_RECORD, sizeof(*many));
        if (many == NULL) {
            return SLIM_ERR_NO_MEMORY;
        }
        slim_secret_return(record->many);
        record->many = many;
        record->word_capacity = word_count;
    }
    record->word_count = word_count;
    memset(slim_session_record_bits(record), 0,
           (size_t)word_count * BITS_PER_RECORD * sizeof(uint64_t));
    return SLIM_OK;
}

/* ---- records */

void slim_session_record_free(struct slim_session_record *record)
{
    slim_buf_fini(&record->bytes);
    slim_buf_fini(&record->out.sealed);
    slim_secret_return(record->many);
    slim_secret_return(record);
}

struct slim_session_record *slim_session_record_take(struct slim_session_sender *sender)
{
    struct slim_session_record *record = sender->spare;
    if (record != NULL) {
        sender->spare = record->next;
        sender->spare_count--;
        return record;
    }
    record = slim_secret_take(1, sizeof(*record));
    if (record != NULL) {
        slim_list_init(&record->order);
        slim_list_init(&record->queue);
    }
    return record;
}

static void empty(struct slim_buf *buf)
{
    if (buf->capacity > BUFFER_BYTES_KEPT) {
        slim_buf_fini(buf);
    }
    slim_buf_clear(buf);
}

/* Keep a record that is in no list and no table for the next message. */
void slim_session_record_return(struct slim_session_sender *sender,
                                struct slim_session_record *record)
{
    empty(&record->bytes);
    empty(&record->out.sealed);
    record->next = sender->spare;
    sender->spare = record;
    sender->spare_count++;
}

void slim_session_sender_trim(struct slim_session_sender *sender, size_t count)
{
    while (sender->spare_count > count) {
        struct slim_session_record *record = sender->spare;
        sender->spare = record->next;
        sender->spare_count--;
        slim_session_record_free(record);
    }
}

/* ---- the table by number */

static struct slim_session_record **bucket_of(const struct slim_session_sender *sender,
                                              uint32_t message_id)
{
    return &sender->table[message_id & sender->table_mask];
}

struct slim_session_record *slim_session_record_find(const struct slim_session_sender *sender,
                                                     uint32_t message_id)
{
    if (sender->table == NULL) {
        return NULL;
    }
    struct slim_session_record *record = *bucket_of(sender, message_id);
    while (record != NULL && record->out.message_id != message_id) {
        record = record->next;
    }
    return record;
}

void slim_session_record_link(struct slim_session_sender *sender,
                              struct slim_session_record *record)
{
    struct slim_session_record **bucket = bucket_of(sender, record->out.message_id);
    record->next = *bucket;
    *bucket = record;
}

void slim_session_record_unlink(struct slim_session_sender *sender,
                                struct slim_session_record *record)
{
    struct slim_session_record **at = bucket_of(sender, record->out.message_id);
    while (*at != record) {
        at = &(*at)->next;
    }
    *at = record->next;
}

/* Room for one more number. */
enum slim_status slim_session_sender_reserve(struct slim_session_sender *sender)
{
    size_t size = sender->table == NULL ? 0 : (size_t)sender->table_mask + 1;
    if (sender->pending_count < size) {
        return SLIM_OK;
    }
    size_t new_size = size == 0 ? TABLE_MIN : size * 2;
    struct slim_session_record **table =
        slim_secret_take(new_size, sizeof(struct slim_session_record *));
    if (table == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    struct slim_session_record **old = sender->table;
    sender->table = table;
    sender->table_mask = (uint32_t)new_size - 1;
    for (size_t i = 0; i < size; i++) {
        struct slim_session_record *record = old[i];
        while (record != NULL) {
            struct slim_session_record *next = record->next;
            slim_session_record_link(sender, record);
            record = next;
        }
    }
    slim_secret_return(old);
    return SLIM_OK;
}
